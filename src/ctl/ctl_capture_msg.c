/* ctl/ctl_capture_msg.c: the tables of ctl/ctl_capture_msg.h. */
#include "ctl/ctl_capture_msg.h"

#include "ctl/ctl_member.h"
#include "proto/capture.h"

#define YEAR_SECONDS 31536000
#define SNAPLEN_MAX  262144

const char *const ctl_capture_proto_names[] = { "arp", "icmp", "tcp", "udp", NULL };
const char *const ctl_capture_dir_names[] = { "from-guest", "to-guest", NULL };

static const struct ctl_field ctl_capture_start_fields[] = {
	MEMBER(ctl_capture_start, proto, "proto", CTL_CHOICE, .names = ctl_capture_proto_names,
	       .has = CTL_CAPTURE_HAS_PROTO, .help = "only this protocol, of both families"),
	MEMBER(ctl_capture_start, dir, "dir", CTL_CHOICE, .names = ctl_capture_dir_names,
	       .has = CTL_CAPTURE_HAS_DIR, .help = "only this direction"),
	MEMBER(ctl_capture_start, flow, "flow", CTL_UINT, .min = 1, .has = CTL_CAPTURE_HAS_FLOW,
	       .help = "only frames of this flow, and errors about it"),
	MEMBER(ctl_capture_start, addr, "addr", CTL_TEXT, .has = CTL_CAPTURE_HAS_ADDR,
	       .help = "an end with this address, or in this prefix"),
	MEMBER(ctl_capture_start, port, "port", CTL_PORT, .min = 1, .has = CTL_CAPTURE_HAS_PORT,
	       .help = "an end with this port, the same end as --addr"),
	MEMBER(ctl_capture_start, dropped, "dropped", CTL_BOOL, .has = CTL_CAPTURE_HAS_DROPPED,
	       .help = "only frames of the guest that were dropped"),
	MEMBER(ctl_capture_start, snaplen, "snaplen", CTL_UINT, .min = 1, .max = SNAPLEN_MAX,
	       .has = CTL_CAPTURE_HAS_SNAPLEN, .help = "store so many bytes of each frame at most"),
	MEMBER(ctl_capture_start, headers, "headers", CTL_BOOL, .has = CTL_CAPTURE_HAS_HEADERS,
	       .help = "store headers only, nothing of what they carry"),
	MEMBER(ctl_capture_start, packets, "packets", CTL_UINT, .min = 1,
	       .has = CTL_CAPTURE_HAS_PACKETS, .help = "end with so many frames"),
	MEMBER(ctl_capture_start, bytes, "bytes", CTL_UINT, .min = CAPTURE_SIZE_MIN,
	       .has = CTL_CAPTURE_HAS_BYTES, .help = "end before the file is larger than this"),
	MEMBER(ctl_capture_start, seconds, "seconds", CTL_UINT, .min = 1, .max = YEAR_SECONDS,
	       .has = CTL_CAPTURE_HAS_SECONDS, .help = "end after this time"),
	MEMBER(ctl_capture_start, ring, "ring", CTL_UINT, .min = CAPTURE_RING_MIN,
	       .max = CAPTURE_RING_MAX,
	       .has = CTL_CAPTURE_HAS_RING,
	       .help = "keep the last so many bytes in memory, and write them at the end"),
	MEMBER(ctl_capture_start, why, "why", CTL_TEXT, .has = CTL_CAPTURE_HAS_WHY,
	       .help = "a remark, for the log and the file"),
};
MESSAGE(ctl_capture_start);

static const struct ctl_field ctl_capture_fields[] = {
	MEMBER(ctl_capture, id, "id", CTL_UINT),
	MEMBER(ctl_capture, state, "state", CTL_TEXT),
	MEMBER(ctl_capture, reason, "reason", CTL_TEXT, .has = CTL_CAPTURE_HAS_REASON),
	MEMBER(ctl_capture, error, "error", CTL_TEXT, .has = CTL_CAPTURE_HAS_ERROR),
	MEMBER(ctl_capture, sink, "sink", CTL_TEXT),
	MEMBER(ctl_capture, path, "path", CTL_TEXT, .has = CTL_CAPTURE_HAS_PATH),
	MEMBER(ctl_capture, pid, "pid", CTL_UINT),
	MEMBER(ctl_capture, uid, "uid", CTL_UINT),
	MEMBER(ctl_capture, age_ms, "age_ms", CTL_UINT),
	MEMBER(ctl_capture, seen, "seen", CTL_UINT),
	MEMBER(ctl_capture, matched, "matched", CTL_UINT),
	MEMBER(ctl_capture, written, "written", CTL_UINT),
	MEMBER(ctl_capture, waiting, "waiting", CTL_UINT),
	MEMBER(ctl_capture, overwritten, "overwritten", CTL_UINT),
	MEMBER(ctl_capture, lost, "lost", CTL_UINT),
	MEMBER(ctl_capture, size, "size", CTL_UINT),
	MEMBER(ctl_capture, spec, "spec", CTL_OBJECT, .object = &ctl_capture_start_message),
};
MESSAGE(ctl_capture);

static const struct ctl_field ctl_capture_id_fields[] = {
	MEMBER(ctl_capture_id, id, "id", CTL_UINT, .min = 1, .help = "the id of the capture"),
};
MESSAGE(ctl_capture_id);
