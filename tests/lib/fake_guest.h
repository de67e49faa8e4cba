/* lib/fake_guest.h: stands in for the link: keeps the frames that handlers send, and owns
 * the environment and the clock that they work with.
 *
 *	struct fake_guest g;
 *	fake_guest_init(&g);              // 10.0.2.15/24, gateway 10.0.2.2, MTU 1500; 2001:db8:2::f/64, fe80::2
 *	dhcp4_from_guest(&g.env, &pkt);
 *	frame = fake_guest_frame(&g, 0);  // first frame sent
 */
#ifndef TESTS_LIB_FAKE_GUEST_H
#define TESTS_LIB_FAKE_GUEST_H

#include "proto/env.h"

#define FAKE_GUEST_FRAMES 4096

struct fake_frame {
	uint8_t *data;
	size_t len;
};

struct fake_guest {
	struct env env;
	struct conf conf;
	struct net net;
	int room; /* frames that still fit; -1: no limit */
	int reply_room; /* ... of which so many are not for bulk data */
	struct fake_frame frames[FAKE_GUEST_FRAMES];
	size_t n_frames;
	uint8_t *reserved;
	size_t frame_max;
};

extern const struct mac fake_guest_mac;	  /* 52:54:00:12:34:56 */
extern const struct mac fake_gateway_mac; /* 9a:55:9a:55:9a:55 */

void fake_guest_init(struct fake_guest *g);
void fake_guest_free(struct fake_guest *g);

/* Frame number `i` of those sent since the last fake_guest_clear(); fails the test if there
 * is none. */
const struct fake_frame *fake_guest_frame(const struct fake_guest *g, size_t i);
void fake_guest_clear(struct fake_guest *g);

/* Moves the clock and fires what became due. */
void fake_guest_advance(struct fake_guest *g, uint64_t ns);

/* The address that `text` says; fails the test if it says none. */
struct addr addr_of(const char *text);

/* Decodes `text` ("ff ff 0a", white space anywhere) into `buf`; returns the length. */
size_t from_hex(const char *text, uint8_t *buf, size_t max);

/* Fails the test, showing both, unless `len` bytes at `data` are those of `hex`. */
void assert_bytes(const uint8_t *data, size_t len, const char *hex);

#endif
