/* host/udp_out.c: datagrams on their way out of a UDP socket. */
#include "host/udp_out.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 64
/* Datagrams that leave as one, for the kernel or the device to cut apart (UDP_SEGMENT). */
#define SEGMENTS_MAX 64
#define TRAIN_MAX    60000

union control {
	struct cmsghdr align;
	char bytes[UDP_OUT_CONTROL_MAX + CMSG_SPACE(sizeof(uint16_t))];
};

struct udp_out udp_out_init(int fd, bool ip6)
{
	sock_set_fragments(fd, ip6, SOCK_NEVER_FRAGMENT);
	return (struct udp_out){ fd, ip6, SOCK_NEVER_FRAGMENT };
}

static enum sock_fragments fragments_of(const struct udp_path *path, bool dont_fragment, size_t len)
{
	if (!dont_fragment)
		return SOCK_MAY_FRAGMENT;
	return len >= path->oversize ? SOCK_FRAGMENT_OVERSIZE : SOCK_NEVER_FRAGMENT;
}

/* How many of the datagrams are to leave with the socket set as for the first; sets it so. */
static int begin_run(struct udp_out *o, const struct udp_path *path, bool dont_fragment,
		     const struct iovec *d, int n)
{
	enum sock_fragments want = fragments_of(path, dont_fragment, d[0].iov_len);
	int i = 1;

	if (want != o->fragments)
		sock_set_fragments(o->fd, o->ip6, want);
	o->fragments = want;
	if (!dont_fragment || path->oversize == SIZE_MAX)
		return n;
	while (i < n && fragments_of(path, dont_fragment, d[i].iov_len) == want)
		i++;
	return i;
}

/* How many of the datagrams can leave as one: they have one length, but for the last. */
static int train_len(const struct udp_path *path, const struct iovec *d, int n)
{
	size_t len = d[0].iov_len, total = len;
	int i = 1;

	if (!len || len > path->segment_max)
		return 1;
	for (; i < n && i < SEGMENTS_MAX && d[i - 1].iov_len == len; i++) {
		total += d[i].iov_len;
		if (!d[i].iov_len || d[i].iov_len > len || total > TRAIN_MAX)
			break;
	}
	return i;
}

/* Has the kernel cut the message into datagrams of `len` bytes. */
static void set_segment(struct msghdr *m, union control *control, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(control->bytes + m->msg_controllen);
	uint16_t segment = (uint16_t)len;

	assert(m->msg_controllen <= UDP_OUT_CONTROL_MAX);
	if (m->msg_controllen)
		memcpy(control->bytes, m->msg_control, m->msg_controllen);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
	m->msg_control = control;
	m->msg_controllen += CMSG_SPACE(sizeof(segment));
}

/* As udp_out_send(), with the socket as it is set. */
static int send_trains(const struct udp_out *o, const struct udp_path *path,
		       const struct msghdr *common, const struct iovec *d, int n)
{
	union control control[BATCH];
	struct mmsghdr m[BATCH];
	int n_messages = 0, sent;

	for (int i = 0; i < n && n_messages < BATCH; n_messages++) {
		struct msghdr *h = &m[n_messages].msg_hdr;
		int len = train_len(path, d + i, n - i);

		*h = *common;
		h->msg_iov = (struct iovec *)&d[i];
		h->msg_iovlen = (size_t)len;
		if (len > 1)
			set_segment(h, &control[n_messages], d[i].iov_len);
		i += len;
	}
	n_messages = sendmmsg(o->fd, m, (unsigned)n_messages, MSG_DONTWAIT);
	if (n_messages < 0)
		return -errno;
	sent = 0;
	for (int i = 0; i < n_messages; i++)
		sent += (int)m[i].msg_hdr.msg_iovlen;
	return sent;
}

int udp_out_send(struct udp_out *o, struct udp_path *path, bool dont_fragment,
		 const struct msghdr *common, const struct iovec *d, int n)
{
	int rc;

	n = begin_run(o, path, dont_fragment, d, n);
	rc = send_trains(o, path, common, d, n);
	/* what a router said of an earlier datagram fails one call, and says nothing of the interface */
	if (rc == -EMSGSIZE)
		rc = send_trains(o, path, common, d, n);
	/* longer than the interface's MTU, or a device or a kernel that cannot: EINVAL, EIO, ... */
	if ((rc == -EINVAL || rc == -EMSGSIZE || rc == -EIO || rc == -EOPNOTSUPP) &&
	    train_len(path, d, n) > 1) {
		path->segment_max = d[0].iov_len - 1;
		rc = send_trains(o, path, common, d, n);
	}
	if (rc == -EMSGSIZE && dont_fragment && d[0].iov_len < path->oversize) {
		path->oversize = d[0].iov_len;
		rc = send_trains(o, path, common, d, begin_run(o, path, dont_fragment, d, n));
	}
	return rc;
}
