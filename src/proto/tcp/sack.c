/* proto/tcp/sack.c: the scoreboard of selective acknowledgements. */
#include "proto/tcp/sack.h"

#include <string.h>

#include "proto/tcp/seq.h"

static bool known(const struct tcp_sack *s, struct tcp_sack_block b)
{
	for (unsigned i = 0; i < s->n; i++)
		if (seq_le(s->ranges[i].left, b.left) && seq_ge(s->ranges[i].right, b.right))
			return true;
	return false;
}

/* By distance: a block may reach half way round, where before and behind have no meaning. */
static bool within(struct tcp_sack_block b, uint32_t una, uint32_t max)
{
	uint32_t left = b.left - una, right = b.right - una;

	return left && left < right && right <= max - una;
}

bool tcp_sack_add(struct tcp_sack *s, struct tcp_sack_block b, uint32_t una, uint32_t max)
{
	struct tcp_sack_block *r = s->ranges;
	unsigned i = 0, n;

	if (!within(b, una, max) || known(s, b))
		return false;
	while (i < s->n && seq_lt(r[i].right, b.left))
		i++;
	n = i;
	while (n < s->n && seq_le(r[n].left, b.right)) {
		b.left = seq_min(b.left, r[n].left);
		b.right = seq_max(b.right, r[n].right);
		n++;
	}
	if (n == i && s->n == TCP_SACK_RANGES) {
		if (i == s->n)
			return false;
		s->n--;
	}
	memmove(&r[i + 1], &r[n], (s->n - n) * sizeof(*r));
	s->n = (uint8_t)(s->n - (n - i) + 1);
	r[i] = b;
	return true;
}

void tcp_sack_acked(struct tcp_sack *s, uint32_t una)
{
	unsigned n = 0;

	while (n < s->n && seq_le(s->ranges[n].right, una))
		n++;
	s->n = (uint8_t)(s->n - n);
	memmove(s->ranges, s->ranges + n, s->n * sizeof(s->ranges[0]));
	if (s->n && seq_lt(s->ranges[0].left, una))
		s->ranges[0].left = una;
}

bool tcp_sack_hole(const struct tcp_sack *s, uint32_t from, uint32_t max, struct tcp_sack_block *hole)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct tcp_sack_block *r = &s->ranges[i];

		if (seq_lt(from, r->left)) {
			*hole = (struct tcp_sack_block){ from, seq_min(r->left, max) };
			return seq_lt(from, max);
		}
		from = seq_max(from, r->right);
	}
	return false;
}

uint32_t tcp_sack_bytes(const struct tcp_sack *s)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < s->n; i++)
		bytes += s->ranges[i].right - s->ranges[i].left;
	return bytes;
}
