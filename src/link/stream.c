/* link/stream.c: accepts the guest's client, cuts its stream into frames, batches ours.
 *
 * Backpressure: while a reply would not find room in the buffer to the guest, the guest is
 * not read either; bulk data waits in host sockets from an earlier mark on.  Both go on when
 * the guest has read enough.
 */
#include "link/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/log.h"
#include "link/txbuf.h"
#include "loop/loop.h"
#include "proto/event.h"

#define PREFIX_LEN	4
#define VLAN_SLACK	8 /* two tags: counted as such rather than ending the client */
#define RX_SIZE		(512u << 10)
#define FLUSH_AT	(256u << 10) /* send earlier than at the end of the wake-up */
/* Each costs a connect(), for which a host with many connections searches long for a port; then
 * timers and others have their turn. */
#define FLOWS_A_TURN 16
#define SOCKET_BUFFER	(1 << 20)
#define ACCEPT_PAUSE_NS (250 * NS_PER_MS)

struct stream_link {
	struct env *env;
	struct loop *loop;
	void (*on_left)(void *ctx);
	void *ctx;
	int fd_listen, fd; /* -1: none */
	struct watch listener, client;
	struct timer resume; /* armed while the listener waits for a free descriptor */
	uint8_t *rx;
	size_t rx_start, rx_end;
	bool rx_paused; /* no room for replies */
	bool rx_turn_over; /* frames wait in the buffer while others have their turn */
	struct txbuf tx;
	int broken; /* errno of a failed write; the client ends when the stack is unwound */
	struct log_limit came_limit, left_limit, refused_limit, pause_limit;
};

static void client_ended(struct stream_link *l, const char *why);
static void read_frames(struct stream_link *l);

/* Whether the buffer may take more from the guest: nothing that waits in it is complete. */
static bool reads(const struct stream_link *l)
{
	return !l->rx_paused && !l->rx_turn_over;
}

bool stream_link_disconnect(struct stream_link *l)
{
	if (l->fd < 0)
		return false;
	client_ended(l, "disconnected by a control client");
	return true;
}

/* What the client's socket is watched for follows from the state of the buffers.  Whoever waits
 * for room is woken by the socket being writable, also when the buffer is empty by now. */
static void update_watch(struct stream_link *l)
{
	bool waiting = txbuf_pending(&l->tx) || l->tx.starved || l->rx_paused;

	watch_set(&l->client, (reads(l) ? LOOP_READ : 0u) | (waiting ? LOOP_WRITE : 0u));
}

static void flush(struct stream_link *l)
{
	int rc;

	if (l->fd < 0 || l->broken || !txbuf_pending(&l->tx))
		return;
	rc = txbuf_flush(&l->tx, l->fd);
	if (rc == -EAGAIN)
		l->env->stats.link_blocked++;
	else if (rc)
		l->broken = -rc;
}

static int reserve(void *link, bool bulk, size_t frame_max, int n, uint8_t *frames[])
{
	struct stream_link *l = link;
	int got;

	if (l->fd < 0 || l->broken)
		return 0;
	got = txbuf_reserve(&l->tx, bulk, frame_max, n, frames);
	if (got == n || !txbuf_pending(&l->tx))
		return got;
	flush(l);
	return l->broken ? 0 : txbuf_reserve(&l->tx, bulk, frame_max, n, frames);
}

/* Shows captures the last `n` frames, from `p` on. */
static void show(const struct stream_link *l, const uint8_t *p, int n)
{
	for (; n; n--) {
		size_t len = get_be32(p);

		capture_to_guest(l->env, p + PREFIX_LEN, len);
		p += PREFIX_LEN + len;
	}
}

static void commit(void *link, int n, size_t last_len)
{
	struct stream_link *l = link;
	const uint8_t *p = l->tx.data + l->tx.end;

	l->env->stats.link_bytes_out += txbuf_commit(&l->tx, n, last_len);
	l->env->stats.link_frames_out += (unsigned)n;
	if (l->env->capturing)
		show(l, p, n);
	if (txbuf_pending(&l->tx) >= FLUSH_AT)
		flush(l);
}

static const struct guest_ops ops = { reserve, commit };

bool stream_link_flush(struct stream_link *l)
{
	if (l->fd >= 0 && l->rx_turn_over && !l->rx_paused && !l->broken)
		read_frames(l);
	flush(l);
	if (l->fd < 0)
		return false;
	if (l->broken) {
		client_ended(l, strerror(l->broken));
		return false;
	}
	update_watch(l);
	return l->rx_turn_over && !l->rx_paused;
}

/* The guest has read: whoever waited for room goes on. */
static void room_returned(struct stream_link *l)
{
	if (l->tx.starved && txbuf_takes_bulk(&l->tx)) {
		l->tx.starved = false;
		demux_room(l->env);
	}
	if (l->rx_paused && txbuf_takes_reply(&l->tx)) {
		l->rx_paused = false;
		read_frames(l);
	}
}

/* Handles the complete frames in the buffer.  -EPROTO for a nonsense length. */
static int handle_frames(struct stream_link *l)
{
	uint64_t flows = l->env->stats.flow_opened + FLOWS_A_TURN;

	l->rx_turn_over = false;
	while (l->rx_end - l->rx_start >= PREFIX_LEN) {
		size_t len = get_be32(l->rx + l->rx_start);

		if (len > ETH_FRAME_MAX + VLAN_SLACK)
			return -EPROTO;
		if (l->rx_end - l->rx_start < PREFIX_LEN + len)
			break;
		if (!txbuf_takes_reply(&l->tx)) {
			flush(l);
			l->rx_paused = !txbuf_takes_reply(&l->tx);
			if (l->rx_paused || l->broken)
				break;
		}
		l->env->stats.link_frames_in++;
		l->env->stats.link_bytes_in += len;
		demux_from_guest(l->env, l->rx + l->rx_start + PREFIX_LEN, len);
		l->rx_start += PREFIX_LEN + len;
		if (l->env->stats.flow_opened >= flows) {
			l->rx_turn_over = true;
			break;
		}
	}
	return 0;
}

static void read_frames(struct stream_link *l)
{
	int rc = handle_frames(l);

	demux_batch_end(l->env);
	if (rc) {
		l->env->stats.link_bad_length++;
		client_ended(l, "nonsense frame length");
		return;
	}
	if (l->rx_start == l->rx_end) {
		l->rx_start = l->rx_end = 0;
	} else if (l->rx_start && reads(l)) {
		memmove(l->rx, l->rx + l->rx_start, l->rx_end - l->rx_start);
		l->rx_end -= l->rx_start;
		l->rx_start = 0;
	}
}

static void receive(struct stream_link *l)
{
	ssize_t n = recv(l->fd, l->rx + l->rx_end, RX_SIZE - l->rx_end, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		client_ended(l, n ? strerror(errno) : "closed its end");
		return;
	}
	l->rx_end += (size_t)n;
	read_frames(l);
}

static void client_ready(struct watch *w, unsigned events)
{
	struct stream_link *l = container_of(w, struct stream_link, client);

	if (events & LOOP_WRITE) {
		flush(l);
		if (!l->broken)
			room_returned(l);
	}
	if (events & LOOP_READ && l->fd >= 0 && reads(l) && !l->broken)
		receive(l);
}

/* 0: unknown. */
static pid_t peer_pid(int fd)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	return peer.pid;
}

void stream_link_attach(struct stream_link *l, int fd)
{
	int size = SOCKET_BUFFER;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	unix_refuse_fds(fd);
	l->fd = fd;
	l->broken = 0;
	l->rx_paused = l->rx_turn_over = false;
	l->rx_start = l->rx_end = 0;
	txbuf_reset(&l->tx);
	l->tx.starved = false;
	watch_init(&l->client, l->loop, fd, client_ready);
	l->env->stats.link_clients++;
	log_info_limited(&l->came_limit, l->env->now_ns, LINK, "guest connected");
	demux_guest_up(l->env);
	l->env->guest.client_pid = peer_pid(fd);
	event_tell(l->env, &(struct event){ .kind = EVENT_CLIENT_CONNECTED });
	update_watch(l);
}

static void client_ended(struct stream_link *l, const char *why)
{
	log_info_limited(&l->left_limit, l->env->now_ns, LINK, "guest disconnected: %s", why);
	watch_stop(&l->client);
	close(l->fd);
	l->fd = -1;
	demux_guest_down(l->env);
	event_tell(l->env, &(struct event){ .kind = EVENT_CLIENT_DISCONNECTED, .reason = why });
	if (l->env->conf->one_off)
		l->on_left(l->ctx);
}

static void refuse(struct stream_link *l, int fd)
{
	l->env->stats.link_refused++;
	log_warn_limited(&l->refused_limit, l->env->now_ns, LINK,
			 "client with pid %d refused: another one is connected", (int)peer_pid(fd));
	close(fd); /* last: who sees the end finds the reason in the log */
}

static void resume_accept(struct timer *t, void *ctx)
{
	watch_set(&container_of(t, struct stream_link, resume)->listener, LOOP_READ);
}

/* The client waits in the kernel until there may be a descriptor for it. */
static void pause_accept(struct stream_link *l, int err)
{
	struct env *env = l->env;

	log_warn_limited(&l->pause_limit, env->now_ns, LINK, "client has to wait: %s",
			 strerror(err));
	event_limit_reached(env, LIMIT_OPEN_FILES);
	if (!timerq_set(&env->timers, &l->resume, env->now_ns + ACCEPT_PAUSE_NS))
		watch_set(&l->listener, 0);
}

/* Whether the client's end is closed, which we may not have heard yet. */
static bool client_has_gone(const struct stream_link *l)
{
	struct pollfd p = { .fd = l->fd };

	return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

/* Takes what a client that has gone sent before, and makes way for the next one. */
static void see_off(struct stream_link *l)
{
	while (l->fd >= 0 && !l->rx_paused && !l->broken) {
		if (l->rx_turn_over)
			read_frames(l);
		else
			receive(l);
	}
	if (l->fd >= 0)
		client_ended(l, "closed its end");
}

static void listener_ready(struct watch *w, unsigned events)
{
	struct stream_link *l = container_of(w, struct stream_link, listener);
	int fd = accept4(l->fd_listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 &&
	    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		pause_accept(l, errno);
	if (fd < 0)
		return;
	if (l->fd >= 0 && !l->env->conf->one_off && client_has_gone(l))
		see_off(l);
	if (l->fd >= 0)
		refuse(l, fd);
	else
		stream_link_attach(l, fd);
}

void stream_link_listen(struct stream_link *l, int fd_listen)
{
	unix_refuse_fds(fd_listen);
	l->fd_listen = fd_listen;
	watch_init(&l->listener, l->loop, fd_listen, listener_ready);
	watch_set(&l->listener, LOOP_READ);
}

struct stream_link *stream_link_new(struct env *env, struct loop *loop,
				    void (*on_left)(void *ctx), void *ctx)
{
	struct stream_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->rx = malloc(RX_SIZE);
	if (!l->rx || txbuf_init(&l->tx)) {
		free(l->rx);
		free(l);
		return NULL;
	}
	l->env = env;
	l->loop = loop;
	l->on_left = on_left;
	l->ctx = ctx;
	l->fd = l->fd_listen = -1;
	l->resume.fire = resume_accept;
	env->guest_ops = &ops;
	env->link = l;
	return l;
}

void stream_link_free(struct stream_link *l)
{
	if (!l)
		return;
	if (l->fd >= 0) {
		watch_stop(&l->client);
		close(l->fd);
	}
	timerq_cancel(&l->env->timers, &l->resume);
	if (l->fd_listen >= 0) {
		watch_stop(&l->listener);
		close(l->fd_listen);
	}
	txbuf_free(&l->tx);
	free(l->rx);
	free(l);
}
