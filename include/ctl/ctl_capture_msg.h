/* ctl/ctl_capture_msg.h: what the control socket carries of captures, as ctl/ctl_msg.h has the rest. */
#ifndef CTL_CTL_CAPTURE_MSG_H
#define CTL_CTL_CAPTURE_MSG_H

#include "ctl/ctl_msg.h"

extern const char *const ctl_capture_proto_names[]; /* by enum capture_proto, from the second on */
extern const char *const ctl_capture_dir_names[];   /* by enum capture_dir, likewise */

/* The file is a descriptor beside it. */
struct ctl_capture_start {
#define CTL_CAPTURE_HAS_PROTO	0x0001u
#define CTL_CAPTURE_HAS_DIR	0x0002u
#define CTL_CAPTURE_HAS_FLOW	0x0004u
#define CTL_CAPTURE_HAS_ADDR	0x0008u
#define CTL_CAPTURE_HAS_PORT	0x0010u
#define CTL_CAPTURE_HAS_DROPPED 0x0020u
#define CTL_CAPTURE_HAS_SNAPLEN 0x0040u
#define CTL_CAPTURE_HAS_HEADERS 0x0080u
#define CTL_CAPTURE_HAS_PACKETS 0x0100u
#define CTL_CAPTURE_HAS_BYTES	0x0200u
#define CTL_CAPTURE_HAS_SECONDS 0x0400u
#define CTL_CAPTURE_HAS_RING	0x0800u
#define CTL_CAPTURE_HAS_WHY	0x1000u
	uint32_t has;
	unsigned proto, dir;
	uint64_t flow;
	const char *addr; /* address or prefix */
	uint16_t port;
	bool dropped;
	uint64_t snaplen;
	bool headers;
	uint64_t packets, bytes, seconds, ring;
	const char *why;
};

struct ctl_capture {
#define CTL_CAPTURE_HAS_REASON 0x1u
#define CTL_CAPTURE_HAS_ERROR  0x2u
#define CTL_CAPTURE_HAS_PATH   0x4u
	uint32_t has;
	uint64_t id;
	const char *state;
	const char *reason; /* why it ends or ended */
	const char *error;
	const char *sink, *path; /* what it goes to, and where that is */
	uint64_t pid, uid;
	uint64_t age_ms; /* of one that runs no more, how long it did */
	uint64_t seen, matched, written, waiting, overwritten, lost;
	uint64_t size; /* bytes written */
	struct ctl_capture_start spec;
};

struct ctl_capture_id {
	uint64_t id;
};

extern const struct ctl_message ctl_capture_start_message, ctl_capture_message,
	ctl_capture_id_message;

#endif
