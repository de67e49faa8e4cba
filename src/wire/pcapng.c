/* wire/pcapng.c: blocks of a pcapng capture file. */
#include "wire/pcapng.h"

#define BYTE_ORDER_MAGIC  0x1a2b3c4du
#define VERSION_MAJOR	  1
#define VERSION_MINOR	  0
#define LINKTYPE_ETHERNET 1
#define TSRESOL_NS	  9 /* ten to the power of minus so much */

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a
};

/* Some are the same in all blocks; the others count anew in each. */
enum option_code {
	OPTION_END = 0,
	OPTION_COMMENT = 1,

	SECTION_APPLICATION = 4,

	INTERFACE_NAME = 2,
	INTERFACE_DESCRIPTION = 3,
	INTERFACE_TSRESOL = 9,

	PACKET_FLAGS = 2,
	PACKET_DROPCOUNT = 4,

	STATISTICS_START = 2,
	STATISTICS_END = 3,
	STATISTICS_RECEIVED = 4,
	STATISTICS_DROPPED = 5,
	STATISTICS_ACCEPTED = 6,
	STATISTICS_DELIVERED = 8
};

static size_t padding(size_t len)
{
	return -len & 3;
}

/* A block has its length at both its ends; where it began is what end_block() is told. */
static size_t begin_block(struct wr *w, enum block_type type)
{
	size_t at = wr_len(w);

	wr_be32(w, type);
	wr_be32(w, 0);
	return at;
}

static void end_block(struct wr *w, size_t at)
{
	uint32_t len = (uint32_t)(wr_len(w) - at + 4);

	wr_be32(w, len);
	wr_patch32(w, at + 4, len);
}

static void put_padded(struct wr *w, const void *data, size_t len)
{
	wr_bytes(w, data, len);
	wr_zero(w, padding(len));
}

static void put_option(struct wr *w, enum option_code code, size_t len)
{
	wr_be16(w, (uint16_t)code);
	wr_be16(w, (uint16_t)len);
}

static void put_text(struct wr *w, enum option_code code, const char *text, size_t max)
{
	size_t len = strnlen(text, max);

	put_option(w, code, len);
	put_padded(w, text, len);
}

static void put_u64(struct wr *w, uint64_t v)
{
	wr_be32(w, (uint32_t)(v >> 32));
	wr_be32(w, (uint32_t)v);
}

static void put_counter(struct wr *w, enum option_code code, uint64_t v)
{
	put_option(w, code, 8);
	put_u64(w, v);
}

static void end_options(struct wr *w)
{
	put_option(w, OPTION_END, 0);
}

void pcapng_encode_section(struct wr *w, const struct pcapng_section *s)
{
	size_t at = begin_block(w, BLOCK_SECTION);

	wr_be32(w, BYTE_ORDER_MAGIC);
	wr_be16(w, VERSION_MAJOR);
	wr_be16(w, VERSION_MINOR);
	put_u64(w, UINT64_MAX); /* the section's length, which is not known */
	put_text(w, OPTION_COMMENT, s->comment, PCAPNG_TEXT_MAX);
	put_text(w, SECTION_APPLICATION, s->application, PCAPNG_TEXT_MAX);
	end_options(w);
	end_block(w, at);
}

void pcapng_encode_interface(struct wr *w, const struct pcapng_interface *i)
{
	static const uint8_t resolution = TSRESOL_NS;
	size_t at = begin_block(w, BLOCK_INTERFACE);

	wr_be16(w, LINKTYPE_ETHERNET);
	wr_be16(w, 0);
	wr_be32(w, i->snaplen);
	put_text(w, INTERFACE_NAME, i->name, PCAPNG_TEXT_MAX);
	put_text(w, INTERFACE_DESCRIPTION, i->description, PCAPNG_TEXT_MAX);
	put_option(w, INTERFACE_TSRESOL, sizeof(resolution));
	put_padded(w, &resolution, sizeof(resolution));
	end_options(w);
	end_block(w, at);
}

void pcapng_encode_packet(struct wr *w, const struct pcapng_packet *p)
{
	size_t at = begin_block(w, BLOCK_PACKET);

	wr_be32(w, 0); /* the interface, of which there is one */
	put_u64(w, p->time_ns);
	wr_be32(w, (uint32_t)p->len);
	wr_be32(w, (uint32_t)p->original_len);
	put_padded(w, p->data, p->len);
	put_option(w, PACKET_FLAGS, 4);
	wr_be32(w, p->direction);
	if (p->n_lost)
		put_counter(w, PACKET_DROPCOUNT, p->n_lost);
	for (unsigned i = 0; i < p->n_comments; i++)
		put_text(w, OPTION_COMMENT, p->comments[i], PCAPNG_COMMENT_MAX);
	end_options(w);
	end_block(w, at);
}

void pcapng_encode_statistics(struct wr *w, const struct pcapng_statistics *s)
{
	size_t at = begin_block(w, BLOCK_STATISTICS);

	wr_be32(w, 0); /* the interface */
	put_u64(w, s->end_ns);
	put_text(w, OPTION_COMMENT, s->comment, PCAPNG_TEXT_MAX);
	put_counter(w, STATISTICS_START, s->start_ns);
	put_counter(w, STATISTICS_END, s->end_ns);
	put_counter(w, STATISTICS_RECEIVED, s->received);
	put_counter(w, STATISTICS_DROPPED, s->dropped);
	put_counter(w, STATISTICS_ACCEPTED, s->accepted);
	put_counter(w, STATISTICS_DELIVERED, s->delivered);
	end_options(w);
	end_block(w, at);
}
