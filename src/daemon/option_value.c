/* daemon/option_value.c: numbers, addresses and names as people type them. */
#include "daemon/option_value.h"

#include <ctype.h>
#include <errno.h>

#include "base/bucket.h"
#include "base/name.h"
#include "proto/net.h"

#define RATE_MIN  1000
#define BURST_MIN 65536

/* Reads decimal digits; returns the first byte behind them, NULL if there are none or the
 * number exceeds 32 bits. */
static const char *read_digits(const char *text, uint64_t *n)
{
	const char *p = text;

	*n = 0;
	for (; isdigit((unsigned char)*p); p++) {
		*n = *n * 10 + (uint64_t)(*p - '0');
		if (*n > UINT32_MAX)
			return NULL;
	}
	return p > text ? p : NULL;
}

static int store_in_range(uint64_t value, unsigned min, unsigned max, unsigned *n)
{
	if (value < min || value > max)
		return -EINVAL;
	*n = (unsigned)value;
	return 0;
}

int value_number(const char *text, unsigned min, unsigned max, unsigned *n)
{
	uint64_t value;
	const char *end = read_digits(text, &value);

	return end && !*end ? store_in_range(value, min, max, n) : -EINVAL;
}

int value_size(const char *text, unsigned min, unsigned max, unsigned *n)
{
	uint64_t value;
	const char *end = read_digits(text, &value);

	if (!end)
		return -EINVAL;
	if (*end == 'k' || *end == 'K') {
		value <<= 10;
		end++;
	} else if (*end == 'm' || *end == 'M') {
		value <<= 20;
		end++;
	}
	return *end ? -EINVAL : store_in_range(value, min, max, n);
}

/* A number with an SI or IEC prefix, and where it ends; NULL when there is none or it is too large. */
static const char *read_bytes(const char *text, uint64_t *n)
{
	static const char prefixes[] = "kMG";
	const char *end = read_digits(text, n), *prefix;

	if (!end || !*end || !(prefix = strchr(prefixes, *end == 'K' ? 'k' : *end)))
		return end;
	end++;
	for (const char *p = prefixes; p <= prefix; p++)
		*n *= *end == 'i' ? 1024 : 1000;
	return *n <= BUCKET_BURST_MAX ? end + (*end == 'i') : NULL;
}

int value_rate(const char *text, struct conf_rate *rate)
{
	struct conf_rate read;
	const char *end = read_bytes(text, &read.bytes);

	if (!end || (read.bytes && read.bytes < RATE_MIN))
		return -EINVAL;
	read.burst = read.bytes / 10 > BURST_MIN ? read.bytes / 10 : BURST_MIN;
	if (*end == '/')
		end = read_bytes(end + 1, &read.burst);
	if (!end || *end || !read.burst)
		return -EINVAL;
	*rate = read;
	return 0;
}

int value_unicast(const char *text, struct addr *a)
{
	struct addr read;

	if (addr_parse(text, &read) || addr_is_unspecified(&read) || addr_is_multicast(&read))
		return -EINVAL;
	/* RFC 1122 3.2.1.3 (a); class E */
	if (addr_is_ip4(&read) && (!read.b[12] || read.b[12] >= 240))
		return -EINVAL;
	*a = read;
	return 0;
}

int value_address_prefix(const char *text, struct addr *a, uint8_t *prefix_len,
			 bool *has_prefix)
{
	const char *slash = strchr(text, '/');
	char address[ADDR_STR_MAX];
	struct addr read;
	unsigned len = 0;
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= sizeof(address) || (slash && value_number(slash + 1, 0, 128, &len)))
		return -EINVAL;
	memcpy(address, text, n);
	address[n] = '\0';
	if (value_unicast(address, &read) || (addr_is_ip4(&read) && len > 32))
		return -EINVAL;
	*a = read;
	*has_prefix = slash;
	*prefix_len = (uint8_t)len;
	return 0;
}

int value_netmask(const char *text, uint8_t *prefix_len)
{
	struct addr mask;
	unsigned len;

	if (!value_number(text, 0, 32, &len)) {
		*prefix_len = (uint8_t)len;
		return 0;
	}
	if (addr_parse(text, &mask) || !addr_is_ip4(&mask))
		return -EINVAL;
	for (len = 0; len <= 32; len++) {
		if (addr_get_ip4(&mask) == ip4_mask(len)) {
			*prefix_len = (uint8_t)len;
			return 0;
		}
	}
	return -EINVAL;
}

int value_group(const char *text, size_t len, struct endpoint *group)
{
	static const struct net any; /* groups of the link are the same in all */
	char copy[ENDPOINT_STR_MAX], *address = copy, *colon;
	struct endpoint read;
	unsigned port;

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	colon = strrchr(copy, ':');
	if (!colon || value_number(colon + 1, 1, UINT16_MAX, &port))
		return -EINVAL;
	*colon = '\0';
	if (*copy == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		address++;
	}
	if (addr_parse(address, &read.addr) || !addr_is_multicast(&read.addr) ||
	    addr_is_ip4(&read.addr) != (address == copy) || net_stays_on_link(&any, &read.addr))
		return -EINVAL;
	read.port = (uint16_t)port;
	*group = read;
	return 0;
}

int value_dns_record(const char *text, struct conf_dns_record *record)
{
	const char *equals = strchr(text, '=');
	struct conf_dns_record read;

	if (!equals ||
	    name_parse(text, (size_t)(equals - text), read.name, sizeof(read.name)) ||
	    addr_parse(equals + 1, &read.addr))
		return -EINVAL;
	*record = read;
	return 0;
}
