/* wire/pcapng.h: blocks of a pcapng capture file (draft-ietf-opsawg-pcapng).
 *
 * A file is a section header, one interface, packets, and statistics of the interface at its end.
 * Byte order is the writer's choice, which the section header tells: ours is the network's.
 */
#ifndef WIRE_PCAPNG_H
#define WIRE_PCAPNG_H

#include "base/cursor.h"

#define PCAPNG_TEXT_MAX	    512 /* bytes of a text; what is longer is cut */
#define PCAPNG_COMMENTS_MAX 2
#define PCAPNG_COMMENT_MAX  64 /* bytes of a packet's comment */

/* A packet's block is at most so much longer than its data. */
#define PCAPNG_PACKET_MAX (64 + PCAPNG_COMMENTS_MAX * (4 + PCAPNG_COMMENT_MAX))

/* Upper bounds of the other blocks. */
#define PCAPNG_SECTION_MAX    (40 + 2 * (4 + PCAPNG_TEXT_MAX))
#define PCAPNG_INTERFACE_MAX  (40 + 2 * (4 + PCAPNG_TEXT_MAX))
#define PCAPNG_STATISTICS_MAX (120 + 4 + PCAPNG_TEXT_MAX)

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

struct pcapng_section {
	const char *application;
	const char *comment;
};

/* An Ethernet; times of its packets are in nanoseconds. */
struct pcapng_interface {
	const char *name, *description;
	uint32_t snaplen; /* 0: packets are not cut */
};

struct pcapng_packet {
	uint64_t time_ns; /* since 1970, likewise below */
	enum pcapng_direction direction;
	const uint8_t *data;
	size_t len, original_len; /* what is stored of how much */
	uint64_t n_lost;	  /* packets that are missing before this one */
	const char *comments[PCAPNG_COMMENTS_MAX];
	unsigned n_comments;
};

struct pcapng_statistics {
	uint64_t start_ns, end_ns;
	uint64_t received; /* all that the interface saw */
	uint64_t accepted; /* ... and the filter let through */
	uint64_t dropped;  /* ... for which there was no room */
	uint64_t delivered; /* ... and are in the file */
	const char *comment;
};

void pcapng_encode_section(struct wr *w, const struct pcapng_section *s);
void pcapng_encode_interface(struct wr *w, const struct pcapng_interface *i);
void pcapng_encode_packet(struct wr *w, const struct pcapng_packet *p);
void pcapng_encode_statistics(struct wr *w, const struct pcapng_statistics *s);

/* The length of the block at `block`, of which at least eight bytes are there. */
static inline uint32_t pcapng_block_len(const uint8_t *block)
{
	return get_be32(block + 4);
}

#endif
