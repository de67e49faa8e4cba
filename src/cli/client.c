/* cli/client.c: connects to the control socket and speaks QMP's protocol there. */
#include "cli/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REPLY_MAX  (64 * 1024 * 1024)
#define READ_BYTES 16384

static int __attribute__((format(printf, 2, 3))) fail(char *error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, CTL_ERROR_MAX, fmt, ap);
	va_end(ap);
	return -1;
}

/* A call of the socket failed; a timeout shows as EAGAIN. */
static int fail_errno(char *error, const char *what)
{
	if (errno == EAGAIN || errno == EINPROGRESS)
		return fail(error, "no answer within %d seconds", CLIENT_TIMEOUT_SECONDS);
	if (errno == EPIPE || errno == ECONNRESET)
		return fail(error, "the daemon closed the connection");
	return fail(error, "%s: %s", what, strerror(errno));
}

/* As send(), with the descriptor that is to be passed beside the text. */
static ssize_t send_some(struct client *c, const char *text, size_t len)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)text, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header = (struct cmsghdr *)control;

	if (c->fd_to_pass >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		*header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(header), &c->fd_to_pass, sizeof(int));
	}
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL);
}

/* A socket that refuses the descriptor gets the request without it: the daemon says why. */
static int write_all(struct client *c, const char *text, size_t len, char *error)
{
	ssize_t n;

	for (; len; text += n, len -= (size_t)n) {
		n = send_some(c, text, len);
		if (n < 0 && errno == EPERM && c->fd_to_pass >= 0) {
			c->fd_to_pass = -1;
			n = send_some(c, text, len);
		}
		if (n < 0)
			return fail_errno(error, "cannot send");
		c->fd_to_pass = -1;
	}
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Lets the next recv() wait for no longer than is left of all.  0 or -errno. */
static int limit_wait(const struct client *c)
{
	uint64_t now = now_ms(), left = c->until_ms > now ? c->until_ms - now : 0;
	struct timeval timeout = { .tv_sec = (time_t)(left / 1000),
				   .tv_usec = (suseconds_t)(left % 1000 * 1000) };

	if (!left)
		errno = EAGAIN; /* as if it had waited for that long */
	else if (!setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		return 0;
	return -errno;
}

static int read_more(struct client *c, char *error)
{
	char text[READ_BYTES];
	ssize_t n;

	if (c->until_ms && limit_wait(c))
		return fail_errno(error, "cannot wait");
	n = recv(c->fd, text, sizeof(text), c->waits ? 0 : MSG_DONTWAIT);
	c->dry = n < 0 && errno == EAGAIN && !c->waits;
	if (n < 0)
		return fail_errno(error, "cannot receive");
	if (!n)
		return fail(error, "the daemon closed the connection");
	ctl_buf_append(&c->in, text, (size_t)n);
	return c->in.failed ? fail(error, "the reply is too large") : 0;
}

/* The next object of the stream; NULL with the reason in `error`. */
static struct ctl_doc *next_object(struct client *c, char *error)
{
	struct ctl_doc *doc;
	size_t used;

	for (;;) {
		ctl_buf_consume(&c->in, ctl_frame_skip(&c->frame, ctl_buf_text(&c->in),
						       ctl_buf_len(&c->in)));
		switch (ctl_frame_scan(&c->frame, ctl_buf_text(&c->in), ctl_buf_len(&c->in),
				       &used)) {
		case CTL_FRAME_MORE:
			if (read_more(c, error))
				return NULL;
			break;
		case CTL_FRAME_OBJECT:
			doc = ctl_doc_parse(ctl_buf_text(&c->in), used, error);
			ctl_buf_consume(&c->in, used);
			return doc;
		case CTL_FRAME_GARBAGE:
		case CTL_FRAME_TOO_COMPLEX:
			fail(error, "this is not a control socket of postern");
			return NULL;
		}
	}
}

/* The next reply; events and whatever else may come in between are passed over. */
static int next_reply(struct client *c, struct ctl_doc **docp, const struct ctl_value **valuep,
		      char *error)
{
	struct ctl_reply reply;
	struct ctl_doc *doc;

	while ((doc = next_object(c, error))) {
		if (ctl_doc_decode(doc, ctl_doc_root(doc), &ctl_reply_message, &reply, NULL,
				   error))
			break;
		if (reply.has & CTL_REPLY_HAS_ERROR) {
			c->refused = true;
			fail(error, "%s", reply.error.desc);
			break;
		}
		if (reply.has & CTL_REPLY_HAS_RETURN) {
			*docp = doc;
			*valuep = reply.value;
			return 0;
		}
		ctl_doc_free(doc);
	}
	ctl_doc_free(doc);
	return -1;
}

int client_send(struct client *c, const char *method, const struct ctl_message *m, const void *args,
		char error[static CTL_ERROR_MAX])
{
	struct ctl_buf out = ctl_buf_init(CTL_ERROR_MAX + 64 * 1024);
	int err = -1;

	ctl_buf_puts(&out, "{\"execute\": \"");
	ctl_buf_puts(&out, method);
	ctl_buf_puts(&out, "\", \"arguments\": ");
	ctl_json_print(&out, m, args);
	ctl_buf_puts(&out, "}\n");
	if (out.failed)
		fail(error, "the request is too large");
	else
		err = write_all(c, ctl_buf_text(&out), ctl_buf_len(&out), error);
	ctl_buf_free(&out);
	return err;
}

int client_call(struct client *c, const char *method, const struct ctl_message *m,
		const void *args, struct ctl_doc **replyp, const struct ctl_value **valuep,
		char error[static CTL_ERROR_MAX])
{
	if (client_send(c, method, m, args, error))
		return -1;
	return next_reply(c, replyp, valuep, error);
}

enum client_outcome client_receive(struct client *c, struct ctl_doc **replyp,
				   const struct ctl_value **valuep, char error[static CTL_ERROR_MAX])
{
	int err;

	c->waits = c->dry = c->refused = false;
	err = next_reply(c, replyp, valuep, error);
	c->waits = true;
	if (!err)
		return CLIENT_REPLIED;
	return c->dry ? CLIENT_NOTHING_YET : c->refused ? CLIENT_REFUSED : CLIENT_FAILED;
}

int client_next_event(struct client *c, struct ctl_doc **docp, struct ctl_event *e,
		      char error[static CTL_ERROR_MAX])
{
	struct timeval forever = { 0 };
	struct ctl_doc *doc;

	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever)))
		return fail_errno(error, "cannot wait");
	while ((doc = next_object(c, error))) {
		if (!ctl_doc_decode(doc, ctl_doc_root(doc), &ctl_event_message, e, NULL, error) &&
		    e->has & CTL_EVENT_HAS_EVENT) {
			*docp = doc;
			return 0;
		}
		ctl_doc_free(doc);
	}
	return -1;
}

static int negotiate(struct client *c, char *error)
{
	struct ctl_capabilities none = { 0 };
	struct ctl_doc *doc = next_object(c, error);
	const struct ctl_value *value;
	struct ctl_greeting greeting;

	if (!doc)
		return -1;
	if (ctl_doc_decode(doc, ctl_doc_root(doc), &ctl_greeting_message, &greeting, NULL,
			   error)) {
		ctl_doc_free(doc);
		return fail(error, "this is not a control socket of postern");
	}
	ctl_doc_free(doc);
	if (client_call(c, "qmp_capabilities", &ctl_capabilities_message, &none, &doc, &value,
			error))
		return -1;
	ctl_doc_free(doc);
	return 0;
}

static void init(struct client *c, const char *path)
{
	*c = (struct client){ .fd = -1,
			      .path = path,
			      .fd_to_pass = -1,
			      .waits = true,
			      .in = ctl_buf_init(REPLY_MAX) };
}

/* `flags` are those of the type of a socket. */
static int connect_to(struct client *c, const char *path, int flags, char *error)
{
	struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_SECONDS };
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(un.sun_path))
		return fail(error, "the path is too long");
	strcpy(un.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (c->fd < 0)
		return fail_errno(error, "no socket");
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    connect(c->fd, (struct sockaddr *)&un, sizeof(un)))
		return fail_errno(error, "cannot connect");
	return 0;
}

static int open_ready(struct client *c, const char *path, char *error)
{
	if (!connect_to(c, path, 0, error) && !negotiate(c, error))
		return 0;
	client_close(c);
	return -1;
}

int client_open(struct client *c, const char *path, char error[static CTL_ERROR_MAX])
{
	init(c, path);
	return open_ready(c, path, error);
}

int client_open_briefly(struct client *c, const char *path, char error[static CTL_ERROR_MAX])
{
	init(c, path);
	c->until_ms = now_ms() + CLIENT_TIMEOUT_SECONDS * 1000;
	return open_ready(c, path, error);
}

int client_connect(struct client *c, const char *path, char error[static CTL_ERROR_MAX])
{
	struct ctl_capabilities none = { 0 };

	init(c, path);
	if (!connect_to(c, path, SOCK_NONBLOCK, error) &&
	    !client_send(c, "qmp_capabilities", &ctl_capabilities_message, &none, error))
		return 0;
	client_close(c);
	return -1;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	ctl_buf_free(&c->in);
}
