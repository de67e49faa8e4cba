/*
 * TAP interfaces for the test tools.
 */
#ifndef TESTS_TOOLS_TAP_H
#define TESTS_TOOLS_TAP_H

#include <stdbool.h>

struct tap_conf {
	const char *name; /* of the interface, in the current network namespace */
	const char *mac;  /* aa:bb:cc:dd:ee:ff, or NULL for a random one */
	int mtu;	  /* bytes, or 0 for the kernel's default */
	int queue_len;	  /* frames that wait for the reader, or 0 for the kernel's default */
	bool offload;	  /* frames carry virtio-net headers, the reader completes checksums */
	bool segment;	  /* and divides frames that are longer than the MTU */
};

/* Creates the interface and sets it up. Returns its non-blocking descriptor, or ends the
 * program with a message. */
int tap_open(const struct tap_conf *conf);

#endif
