/* proto/sandbox.h: what keeps the process in, for those who ask; daemon/sandbox fills it. */
#ifndef PROTO_SANDBOX_H
#define PROTO_SANDBOX_H

/* In the order in which they are laid. */
enum sandbox_layer {
	SANDBOX_USER, /* not root */
	SANDBOX_USER_NAMESPACE,
	SANDBOX_NAMESPACES, /* mount, IPC, UTS */
	SANDBOX_ROOT,
	SANDBOX_CAPABILITIES,
	SANDBOX_NO_NEW_PRIVS,
	SANDBOX_NO_CORE,
	SANDBOX_NOT_DUMPABLE,
	SANDBOX_SECCOMP,
	N_SANDBOX_LAYERS
};

enum sandbox_state { SANDBOX_OFF, SANDBOX_APPLIED, SANDBOX_UNAVAILABLE };

struct sandbox_status {
	enum sandbox_state state;
	int err;	    /* of one that is unavailable, positive */
	const char *reason; /* of one that is off, though there is a sandbox; NULL: none */
};

#endif
