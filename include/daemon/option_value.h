/* daemon/option_value.h: the texts that options take; pure.
 *
 * Each returns 0 or -EINVAL, and leaves its result alone then.
 */
#ifndef DAEMON_OPTION_VALUE_H
#define DAEMON_OPTION_VALUE_H

#include "proto/conf.h"

/* Decimal digits only, within the range. */
int value_number(const char *text, unsigned min, unsigned max, unsigned *n);

/* As value_number(), with k or M behind it for 1024 or 1024 * 1024. */
int value_size(const char *text, unsigned min, unsigned max, unsigned *n);

/* "RATE[/BURST]": bytes a second and at once, with k, M, G or Ki, Mi, Gi behind them; without BURST a
 * tenth of a second's, but no less than 64 KiB.  A RATE of 0: no limit. */
int value_rate(const char *text, struct conf_rate *rate);

/* An address that one host can have: not 0.0.0.0/8, ::, multicast or what is beyond that. */
int value_unicast(const char *text, struct addr *a);

/* "192.0.2.1/24", "2001:db8::1/64"; `*has_prefix` tells whether the length was there, which is
 * 0..32 or 0..128. */
int value_address_prefix(const char *text, struct addr *a, uint8_t *prefix_len, bool *has_prefix);

/* "255.255.255.0", or "24". */
int value_netmask(const char *text, uint8_t *prefix_len);

/* "224.0.0.251:5353", "[ff02::fb]:5353", in `len` bytes: a multicast group and a port. */
int value_group(const char *text, size_t len, struct endpoint *group);

/* "NAME=ADDRESS", of either family. */
int value_dns_record(const char *text, struct conf_dns_record *record);

#endif
