/* daemon/sandbox.c: the layers in their order, and what became of each. */
#include "daemon/sandbox.h"

#include <assert.h>
#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "config.h"
#include "daemon/own_file.h"
#include "daemon/sandbox_layer.h"
#include "daemon/user.h"

/* While the layers are laid. */
struct work {
	struct sandbox *sandbox;
	const struct conf *conf;
	const char *const *paths;
	bool binds; /* we may forward ports below 1024, and go on to */
	const char *off; /* the layer's answer: why there is none, though it could be had */
};

static bool is_held(unsigned capability)
{
	return !capng_get_caps_process() && capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* Root is nobody from here on, unless --runas says who.  In a user namespace that has root alone,
 * that one is an ordinary user of the host already. */
static int user(struct work *w)
{
	uid_t uid = w->conf->uid;
	gid_t gid = w->conf->gid;
	int rc;

	if (!w->conf->runas && geteuid())
		return 0;
	if (!w->conf->runas)
		user_nobody(&uid, &gid);
	if (uid == geteuid() && gid == getegid())
		return 0;
	rc = user_become(uid, gid);
	if (rc != -EINVAL || w->conf->runas)
		return rc;
	w->off = "there is no other user in this user namespace";
	return 0;
}

/* The host's ports belong to the host's user namespace: a capability in ours is none for them. */
static int user_namespace(struct work *w)
{
	uid_t unmapped;
	int rc;

	if (w->binds) {
		w->off = "CAP_NET_BIND_SERVICE would be lost";
		return 0;
	}
	/* a change of user has hidden our own files in /proc from us; another layer hides them again */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		return -errno;
	rc = sandbox_enter_user_namespace(&unmapped);
	if (!rc && geteuid())
		w->sandbox->root = unmapped;
	return rc;
}

static int namespaces(struct work *w)
{
	return sandbox_enter_namespaces();
}

static int root(struct work *w)
{
	const struct sandbox_status *own = &w->sandbox->layers[SANDBOX_NAMESPACES];

	if (own->state != SANDBOX_APPLIED) /* never the mounts of others */
		return -own->err;
	for (unsigned i = 0; i < SANDBOX_FILES_MAX; i++)
		if (w->sandbox->files[i])
			own_file_confine(w->sandbox->files[i]);
	return sandbox_change_root(w->paths);
}

static int capabilities(struct work *w)
{
	bool may_bound = is_held(CAP_SETPCAP);

	capng_clear(CAPNG_SELECT_BOTH);
	if (w->binds)
		capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
			      CAP_NET_BIND_SERVICE, -1);
	errno = EPERM; /* what stays where the library itself refuses */
	return capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) ? -errno : 0;
}

static int no_new_privs(struct work *w)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int no_core(struct work *w)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &none) ? -errno : 0;
}

static int not_dumpable(struct work *w)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}

static int seccomp(struct work *w)
{
#ifdef POSTERN_SANITIZERS
	w->off = "built with sanitizers";
	return 0;
#else
	return sandbox_filter_calls();
#endif
}

static const struct {
	const char *name; /* behind "no" */
	int (*lay)(struct work *w);
} layers[] = {
	[SANDBOX_USER] = { "way to another user", user },
	[SANDBOX_USER_NAMESPACE] = { "user namespace", user_namespace },
	[SANDBOX_NAMESPACES] = { "mount, IPC and UTS namespaces", namespaces },
	[SANDBOX_ROOT] = { "root of its own", root },
	[SANDBOX_CAPABILITIES] = { "way to drop capabilities", capabilities },
	[SANDBOX_NO_NEW_PRIVS] = { "no_new_privs", no_new_privs },
	[SANDBOX_NO_CORE] = { "limit of core dumps", no_core },
	[SANDBOX_NOT_DUMPABLE] = { "way to be undumpable", not_dumpable },
	[SANDBOX_SECCOMP] = { "filter of system calls", seccomp },
};
static_assert(sizeof(layers) / sizeof(layers[0]) == N_SANDBOX_LAYERS, "a row each");

static int lay(struct work *w, enum sandbox_layer layer)
{
	struct sandbox_status *status = &w->sandbox->layers[layer];
	int rc;

	w->off = NULL;
	rc = layers[layer].lay(w);
	status->reason = w->off;
	status->err = -rc;
	status->state = rc ? SANDBOX_UNAVAILABLE : w->off ? SANDBOX_OFF : SANDBOX_APPLIED;
	return rc;
}

/* The user that is named is no matter of how much we lock ourselves in. */
static int lay_named_user(struct work *w)
{
	const struct conf *c = w->conf;
	int rc = lay(w, SANDBOX_USER);

	if (rc)
		log_error(DAEMON, "--runas: cannot become user %u of group %u: %s", c->uid, c->gid,
			  strerror(-rc));
	return rc;
}

static int lay_all(struct work *w)
{
	const bool strict = w->conf->sandbox == CONF_SANDBOX_STRICT;

	tzset(); /* reads a file */
	for (unsigned i = w->conf->runas ? SANDBOX_USER + 1 : SANDBOX_USER; i < N_SANDBOX_LAYERS; i++) {
		int rc = lay(w, (enum sandbox_layer)i);

		if (rc && strict) {
			log_error(DAEMON, "--sandbox=strict: no %s: %s", layers[i].name, strerror(-rc));
			return rc;
		}
		if (rc)
			log_warn(DAEMON, "sandbox: no %s: %s", layers[i].name, strerror(-rc));
	}
	return 0;
}

int sandbox_enter(struct sandbox *s, const struct conf *c, const char *const paths[])
{
	struct work w = { .sandbox = s, .conf = c, .paths = paths };
	int rc = c->runas ? lay_named_user(&w) : 0;

	w.binds = is_held(CAP_NET_BIND_SERVICE);
	return rc || c->sandbox == CONF_SANDBOX_NONE ? rc : lay_all(&w);
}
