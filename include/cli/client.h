/* cli/client.h: a connection to a running daemon: one request, one reply. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "ctl/ctl_event_msg.h"
#include "ctl/ctl_frame.h"
#include "ctl/ctl_json.h"

#define CLIENT_TIMEOUT_SECONDS 10 /* of silence */

struct client {
	int fd;
	int fd_to_pass; /* goes with the next request; -1: none */
	struct ctl_buf in;
	struct ctl_frame frame;
};

/* Connects, and passes the negotiation.  0, or -1 with the reason in `error`. */
int client_open(struct client *c, const char *path, char error[static CTL_ERROR_MAX]);
void client_close(struct client *c);

/* Calls a method.  0 and the reply, to be freed, with *valuep what it returns; -1 with the
 * daemon's error, or why there is no reply, in `error`. */
int client_call(struct client *c, const char *method, const struct ctl_message *m,
		const void *args, struct ctl_doc **replyp, const struct ctl_value **valuep,
		char error[static CTL_ERROR_MAX]);

/* Waits for the next event, however long that takes.  0 and the event, whose texts are those of
 * *docp, to be freed; -1 with the reason in `error`. */
int client_next_event(struct client *c, struct ctl_doc **docp, struct ctl_event *e,
		      char error[static CTL_ERROR_MAX]);

#endif
