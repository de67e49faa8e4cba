/* cli/doctor.h: what of the host helps or hinders a daemon, what that costs, and how to mend it. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FINDING_TEXT 256

/* What the checks look at: files below a folder, and what calls said. */
struct doctor_host {
	const char *root; /* in front of all paths; "" for those of the system */
	uid_t uid;
	gid_t groups[64]; /* ours, or those of a daemon that root starts */
	unsigned n_groups;
	uint64_t files_max;    /* the hard limit of open files */
	uint64_t receive_buffer, send_buffer; /* bytes that a socket may have */
	bool has_peek_off;     /* SO_PEEK_OFF of TCP */
	bool has_udp_segments; /* UDP_SEGMENT and UDP_GRO */
	bool may_bind_device;  /* SO_BINDTODEVICE */
};

enum finding_state {
	FINDING_OK,
	FINDING_NOTE,	/* only who wants that misses it */
	FINDING_PROBLEM /* the guest, or its safety, misses it */
};

struct finding {
	enum finding_state state;
	char text[FINDING_TEXT]; /* what it is, and if it is not well what that costs */
	const char *mend;	 /* what to do; NULL when it is well, or nothing can be done */
};

struct doctor_check {
	const char *name;
	void (*check)(const struct doctor_host *host, struct finding *f);
};

/* In the order in which they are shown. */
extern const struct doctor_check doctor_checks[];
extern const size_t n_doctor_checks;

/* Looks at the system that we run on. */
void doctor_host_init(struct doctor_host *host);

#endif
