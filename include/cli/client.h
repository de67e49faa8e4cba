/* cli/client.h: a connection to a running daemon: one request, one reply. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "ctl/ctl_event_msg.h"
#include "ctl/ctl_frame.h"
#include "ctl/ctl_json.h"

#define CLIENT_TIMEOUT_SECONDS 10 /* of silence */

struct client {
	int fd;
	const char *path; /* that it was opened with */
	int fd_to_pass; /* goes with the next request; -1: none */
	bool waits;	/* for answers, as all but client_receive() does */
	uint64_t until_ms; /* of CLOCK_MONOTONIC: all must have come; 0: silence counts alone */
	bool dry, refused; /* why the last look found no reply: nothing came yet, the daemon said no */
	struct ctl_buf in;
	struct ctl_frame frame;
};

/* Connects, and passes the negotiation.  0, or -1 with the reason in `error`. */
int client_open(struct client *c, const char *path, char error[static CTL_ERROR_MAX]);
void client_close(struct client *c);

/* As client_open(), to one that may be anybody's: after CLIENT_TIMEOUT_SECONDS in all it is
 * given up, also when it is not silent. */
int client_open_briefly(struct client *c, const char *path, char error[static CTL_ERROR_MAX]);

/* Calls a method.  0 and the reply, to be freed, with *valuep what it returns; -1 with the
 * daemon's error, or why there is no reply, in `error`. */
int client_call(struct client *c, const char *method, const struct ctl_message *m,
		const void *args, struct ctl_doc **replyp, const struct ctl_value **valuep,
		char error[static CTL_ERROR_MAX]);

/* The steps of these for who has other things to do meanwhile.  client_connect() does not wait for the
 * daemon, and has asked for the negotiation, whose reply is the first that comes. */
int client_connect(struct client *c, const char *path, char error[static CTL_ERROR_MAX]);
int client_send(struct client *c, const char *method, const struct ctl_message *m, const void *args,
		char error[static CTL_ERROR_MAX]);

/* What became of a request. */
enum client_outcome {
	CLIENT_NOTHING_YET, /* ask again when there is something to read */
	CLIENT_REPLIED,
	CLIENT_REFUSED, /* by the daemon, which says why in `error`; the connection stands */
	CLIENT_FAILED	/* the connection is of no more use; why, in `error` */
};

/* Looks for the reply to the oldest request without one; as client_call() with CLIENT_REPLIED. */
enum client_outcome client_receive(struct client *c, struct ctl_doc **replyp,
				   const struct ctl_value **valuep, char error[static CTL_ERROR_MAX]);

/* Waits for the next event, however long that takes.  0 and the event, whose texts are those of
 * *docp, to be freed; -1 with the reason in `error`. */
int client_next_event(struct client *c, struct ctl_doc **docp, struct ctl_event *e,
		      char error[static CTL_ERROR_MAX]);

#endif
