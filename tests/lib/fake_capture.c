/* lib/fake_capture.c: see lib/fake_capture.h. */
#include "lib/fake_capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/must.h"
#include "wire/pcapng.h"

uint64_t fake_capture_time_ns;

static int open_sink(void *host, int fd, void **sinkp)
{
	struct fake_capture *f = host;

	if (fd >= 0)
		close(fd);
	if (f->open_error)
		return -f->open_error;
	must(f->n_sinks < FAKE_SINKS);
	*sinkp = &f->sinks[f->n_sinks];
	f->sinks[f->n_sinks++] = (struct fake_sink){ .room = SIZE_MAX };
	return 0;
}

static const char *kind(const void *sink)
{
	return "pipe";
}

static ssize_t write_sink(void *sink, const struct iovec *pieces, int n)
{
	struct fake_sink *s = sink;
	size_t taken = 0;

	must(!s->closed && n > 0);
	if (!s->room)
		return s->error ? -s->error : -EAGAIN;
	for (int i = 0; i < n; i++) {
		size_t part = pieces[i].iov_len < s->room ? pieces[i].iov_len : s->room;

		s->data = realloc(s->data, s->len + part + 1);
		memcpy(s->data + s->len, pieces[i].iov_base, part);
		s->len += part;
		taken += part;
		if (s->room != SIZE_MAX)
			s->room -= part;
	}
	return (ssize_t)taken;
}

static void close_sink(void *sink, size_t torn)
{
	struct fake_sink *s = sink;

	must(!s->closed && torn <= s->len);
	s->closed = true;
	s->torn = torn;
	s->len -= torn;
}

static uint64_t clock_ns(void)
{
	return fake_capture_time_ns++;
}

const struct capture_ops fake_capture_ops = { open_sink, kind, write_sink, close_sink,
					      clock_ns };

void fake_capture_init(struct fake_capture *f)
{
	*f = (struct fake_capture){ .n_sinks = 0 };
	fake_capture_time_ns = 1000;
}

void fake_capture_free(struct fake_capture *f)
{
	for (size_t i = 0; i < f->n_sinks; i++) {
		must(f->sinks[i].closed);
		free(f->sinks[i].data);
	}
	f->n_sinks = 0;
}

static uint64_t read_u64(struct rd *r)
{
	uint64_t high = rd_be32(r);

	return high << 32 | rd_be32(r);
}

static void read_options(struct rd *r, struct captured *c)
{
	uint16_t code, len;

	while ((code = rd_be16(r))) {
		struct rd value;

		len = rd_be16(r);
		value = rd_sub(r, len);
		rd_skip(r, -len & 3);
		must(!r->error);
		if (code == 1)
			snprintf(c->comments + strlen(c->comments),
				 sizeof(c->comments) - strlen(c->comments), "%s%.*s",
				 *c->comments ? "," : "", (int)len, (const char *)value.p);
		else if (code == 2)
			c->direction = rd_be32(&value) & 3;
		else if (code == 4)
			c->n_lost = read_u64(&value);
	}
	must(!rd_be16(r) && !r->error && !rd_left(r));
}

static void read_frame(struct rd *r, struct captured *c)
{
	*c = (struct captured){ .n_lost = 0 };
	must(!rd_be32(r)); /* the interface */
	c->time_ns = read_u64(r);
	c->len = rd_be32(r);
	c->original_len = rd_be32(r);
	c->data = rd_view(r, c->len);
	rd_skip(r, -c->len & 3);
	read_options(r, c);
}

size_t fake_capture_read(const struct fake_sink *s, struct captured frames[FAKE_CAPTURE_FRAMES],
			 bool *has_end)
{
	struct rd file = rd_init(s->data, s->len);
	size_t n = 0;

	*has_end = false;
	for (unsigned i = 0; rd_left(&file); i++) {
		uint32_t type = rd_be32(&file), len = rd_be32(&file);
		struct rd body = rd_sub(&file, len - 12);

		must(!file.error && len % 4 == 0 && rd_be32(&file) == len && !*has_end);
		must((i == 0) == (type == 0x0a0d0d0a) && (i == 1) == (type == 1));
		if (type == 6) {
			must(n < FAKE_CAPTURE_FRAMES);
			read_frame(&body, &frames[n++]);
		}
		*has_end = type == 5;
	}
	return n;
}

bool fake_capture_has(const struct fake_sink *s, const char *text)
{
	return s->len && memmem(s->data, s->len, text, strlen(text));
}
