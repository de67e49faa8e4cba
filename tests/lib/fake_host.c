/* lib/fake_host.c: the host side of a TCP connection, in memory. */
#include "lib/fake_host.h"

#include <errno.h>

#include "lib/must.h"

uint8_t fake_host_byte(uint32_t seed, uint64_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u + seed;

	return (uint8_t)(x >> 32 ^ x >> 17);
}

static int connected(void *host)
{
	struct fake_host *h = host;

	return h->connect_error ? -h->connect_error : -h->error;
}

static ssize_t host_send(void *host, const struct iovec *iov, int n)
{
	struct fake_host *h = host;
	ssize_t taken = 0;

	if (h->error)
		return -h->error;
	must(!h->shut);
	for (int i = 0; i < n; i++) {
		const uint8_t *p = iov[i].iov_base;

		for (size_t j = 0; j < iov[i].iov_len; j++) {
			if (!h->room) {
				h->wants_room = true;
				return taken ? taken : -EAGAIN;
			}
			must(p[j] == fake_host_byte(h->peer_seed, h->n_taken));
			h->n_taken++;
			h->room--;
			taken++;
		}
	}
	return taken;
}

static ssize_t host_peek(void *host, const struct iovec *iov, int n, size_t offset)
{
	struct fake_host *h = host;
	uint64_t at = h->n_consumed + offset;
	ssize_t got = 0;

	must(at <= h->n_written);
	if (at == h->n_written)
		return h->error ? -h->error : h->ended ? 0 : -EAGAIN;
	for (int i = 0; i < n; i++)
		for (size_t j = 0; j < iov[i].iov_len && at < h->n_written; j++, got++)
			((uint8_t *)iov[i].iov_base)[j] = fake_host_byte(h->seed, at++);
	return got;
}

static int host_consume(void *host, size_t len)
{
	struct fake_host *h = host;

	h->n_consumed += len;
	must(h->n_consumed <= h->n_written);
	return 0;
}

static void host_shutdown(void *host)
{
	struct fake_host *h = host;

	must(!h->shut);
	h->shut = true;
}

static void host_close(void *host, bool reset)
{
	struct fake_host *h = host;

	must(h->open);
	h->open = false;
	h->reset = reset || h->n_consumed < h->n_written; /* as a kernel does with unread bytes */
	h->conn = NULL;
}

static void host_local(void *host, struct endpoint *e)
{
	*e = (struct endpoint){ addr_ip4(0xc0000209), 40000 };
}

const struct tcp_host_ops fake_host_ops = { connected,	   host_send,  host_peek, host_consume,
					    host_shutdown, host_close, host_local };

static struct fake_host *next_host;
static int next_error;

void fake_dialer_next(struct fake_host *h, int err)
{
	next_host = h;
	next_error = err;
}

static void *dial(struct env *env, struct tcp_conn *conn, const struct endpoint *dst, int *err)
{
	struct fake_host *h = next_host;

	if (next_error || !h) {
		*err = next_error ? next_error : EMFILE;
		return NULL;
	}
	next_host = NULL;
	h->conn = conn;
	h->open = true;
	return h;
}

const struct tcp_dialer fake_dialer = { &fake_host_ops, dial };

void fake_host_set_conn(void *host, struct tcp_conn *conn)
{
	struct fake_host *h = host;

	h->conn = conn;
}

void fake_host_write(struct env *env, struct fake_host *h, uint64_t n, bool end)
{
	h->n_written += n;
	h->ended |= end;
	if (h->conn)
		tcp_from_host(env, h->conn, TCP_HOST_READ | (h->ended ? TCP_HOST_END : 0u));
}

void fake_host_read(struct env *env, struct fake_host *h, size_t n)
{
	bool tell = h->wants_room && n;

	h->room += n;
	h->wants_room &= !tell;
	if (tell && h->conn)
		tcp_from_host(env, h->conn, TCP_HOST_WRITE);
}
