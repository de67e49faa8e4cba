/* host/resolv_conf.h: the host's resolvers and search list, resolv.conf(5). */
#ifndef HOST_RESOLV_CONF_H
#define HOST_RESOLV_CONF_H

#include <stddef.h>

#include "proto/conf.h"
#include "proto/net.h"

#define RESOLV_CONF_PATH "/etc/resolv.conf"

struct resolv_conf {
	struct upstream servers[NET_UPSTREAMS_MAX]; /* in order, each once */
	unsigned n_servers;
	char search[CONF_SEARCH_MAX][CONF_NAME_MAX];
	unsigned n_search;
};

/* Reads text, which need not end with zero.  Lines that make no sense are passed over, as the
 * C library does; so are servers beyond NET_UPSTREAMS_MAX. */
void resolv_conf_parse(const char *text, size_t len, struct resolv_conf *rc);

/* Reads the file.  0 or -errno, with an empty result. */
int resolv_conf_read(const char *path, struct resolv_conf *rc);

#endif
