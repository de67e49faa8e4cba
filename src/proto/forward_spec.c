/* proto/forward_spec.c: reads and prints forwards; pure. */
#include "proto/forward_spec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define PORT_MAX    65535
#define N_PORTS	    (PORT_MAX + 1)
#define ENTRIES_MAX FORWARD_RULES_MAX

struct range {
	unsigned first, last;
};

struct entry {
	struct range host;
	unsigned target_first;
	struct addr target;
};

struct spec {
	struct forward_rule common; /* what the prefix says */
	struct entry entries[ENTRIES_MAX];
	unsigned n_entries;
	bool all, excludes;
	struct addr all_target;
	uint8_t excluded[N_PORTS / 8], named[N_PORTS / 8]; /* one bit a port */
	char *error;
};

static bool has(const uint8_t *set, unsigned port)
{
	return set[port / 8] & 1u << port % 8;
}

static void add(uint8_t *set, unsigned port)
{
	set[port / 8] |= (uint8_t)(1u << port % 8);
}

__attribute__((format(printf, 2, 3))) static int fail(char *error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, FORWARD_ERROR_MAX, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* A port stands at *p, which is moved behind it. */
static int read_port(const char **p, unsigned *port, char *error)
{
	const char *start = *p;
	unsigned v = 0;

	while (**p >= '0' && **p <= '9' && *p - start < 6)
		v = v * 10 + (unsigned)(*(*p)++ - '0');
	*port = v;
	if (*p == start || v > PORT_MAX)
		return fail(error, "'%.20s' does not begin with a port, a number from 1 to %d",
			    start, PORT_MAX);
	return 0;
}

/* The whole of `text` is PORT ["-" PORT]. */
static int read_range(const char *text, struct range *r, char *error)
{
	const char *p = text;

	if (read_port(&p, &r->first, error))
		return -EINVAL;
	r->last = r->first;
	if (*p == '-') {
		p++;
		if (read_port(&p, &r->last, error))
			return -EINVAL;
	}
	if (*p)
		return fail(error, "'%.40s' is not a port or a range of ports", text);
	if (r->last < r->first)
		return fail(error, "the range '%.20s' runs backwards", text);
	if (!r->first && r->last)
		return fail(error, "the range '%.20s' begins with port 0", text);
	return 0;
}

/* An address, bare or in brackets. */
static int read_addr(const char *text, struct addr *a, char *error)
{
	char bare[ADDR_STR_MAX];
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len < sizeof(bare)) {
		memcpy(bare, text, len);
		bare[len] = '\0';
	}
	if (len >= sizeof(bare) || addr_parse(bare, a))
		return fail(error, "'%.*s' is not an address", len < 40 ? (int)len : 40, text);
	return 0;
}

static int read_target_addr(const char *text, struct addr *a, char *error)
{
	if (read_addr(text, a, error))
		return -EINVAL;
	if (addr_is_unspecified(a) || addr_is_loopback(a) || addr_is_multicast(a) ||
	    (addr_is_ip4(a) && addr_get_ip4(a) == UINT32_MAX))
		return fail(error, "'%.40s' is no address that a guest can be reached at",
			    text);
	return 0;
}

/* [GUEST "/"] RANGE | GUEST.  `text` is cut at the slash. */
static int read_target(char *text, const struct range *host, struct entry *e, char *error)
{
	struct range r = *host;
	char *slash = strchr(text, '/'), *ports = text;

	if (slash) {
		*slash = '\0';
		ports = slash + 1;
	} else if (strchr(text, '.') || strchr(text, ':') || text[0] == '[') {
		ports = NULL;
	}
	if (ports != text && read_target_addr(text, &e->target, error))
		return -EINVAL;
	if (ports && read_range(ports, &r, error))
		return -EINVAL;
	if (ports && !r.first)
		return fail(error, "the guest has no port 0");
	if (r.last - r.first != host->last - host->first)
		return fail(error, "the ranges differ in length: %u and %u",
			    host->last - host->first + 1, r.last - r.first + 1);
	e->target_first = r.first;
	return 0;
}

/* RANGE [":" TARGET] */
static int read_include(struct spec *s, char *text)
{
	char *colon = strchr(text, ':');
	struct entry *e = &s->entries[s->n_entries];

	if (s->n_entries == ENTRIES_MAX)
		return fail(s->error, "more than %d entries", ENTRIES_MAX);
	if (colon)
		*colon = '\0';
	if (read_range(text, &e->host, s->error))
		return -EINVAL;
	e->target = ADDR_ANY6;
	e->target_first = e->host.first;
	if (colon && read_target(colon + 1, &e->host, e, s->error))
		return -EINVAL;
	if (!e->target_first)
		return fail(s->error, "port 0 needs a port of the guest, as in 0:22");
	for (unsigned port = e->host.first; port && port <= e->host.last; port++) {
		if (has(s->named, port))
			return fail(s->error, "port %u is there twice", port);
		add(s->named, port);
	}
	s->n_entries++;
	return 0;
}

static int read_exclude(struct spec *s, const char *text)
{
	struct range r;

	if (read_range(text, &r, s->error))
		return -EINVAL;
	if (!r.first)
		return fail(s->error, "there is no port 0 to exclude");
	s->excludes = true;
	for (unsigned port = r.first; port <= r.last; port++)
		add(s->excluded, port);
	return 0;
}

static int read_all(struct spec *s, const char *rest)
{
	if (s->all)
		return fail(s->error, "'all' is there twice");
	s->all = true;
	return *rest == ':' ? read_target_addr(rest + 1, &s->all_target, s->error) : 0;
}

static int read_entry(struct spec *s, char *text)
{
	if (!*text)
		return fail(s->error, "an entry is empty");
	if (*text == '~')
		return read_exclude(s, text + 1);
	if (!strcmp(text, "all") || !strncmp(text, "all:", 4))
		return read_all(s, text + 3);
	if (!strcmp(text, "none"))
		return fail(s->error, "'none' must stand alone");
	if (!strcmp(text, "auto"))
		return fail(s->error,
			    "a virtual machine's ports cannot be seen from here, so there "
			    "is no 'auto'");
	return read_include(s, text);
}

static int read_interface(const char *text, char *name, char *error)
{
	size_t len = strlen(text);

	if (!len || len >= FORWARD_INTERFACE_MAX || !strcmp(text, ".") || !strcmp(text, "..") ||
	    strpbrk(text, " \t\n/:"))
		return fail(error, "'%.40s' is not an interface", text);
	memcpy(name, text, len + 1);
	return 0;
}

/* [ADDRESS | "*"] ["%" INTERFACE] */
static int read_prefix(struct spec *s, char *text)
{
	char *percent = strchr(text, '%');

	if (percent) {
		*percent = '\0';
		if (read_interface(percent + 1, s->common.interface, s->error))
			return -EINVAL;
	}
	if (!*text || !strcmp(text, "*"))
		return 0;
	s->common.both_families = false;
	if (read_addr(text, &s->common.addr, s->error))
		return -EINVAL;
	if (addr_is_multicast(&s->common.addr))
		return fail(s->error, "'%.40s' is a multicast address", text);
	if (!addr_is_ip4(&s->common.addr) && addr_is_link_local(&s->common.addr) &&
	    !s->common.interface[0])
		return fail(s->error, "'%.40s' is a link-local address: it needs an interface, "
				      "as in fe80::1%%eth0/22", text);
	return 0;
}

/* What ends at the first slash is a target unless it is a prefix.  A target has a colon in
 * front, a prefix none, or those of an IPv6 address. */
static bool is_prefix(const char *text)
{
	char addr[ADDR_STR_MAX];
	size_t len = strcspn(text, "%");
	struct addr a;

	if (!strchr(text, ':') || strchr("[*%", text[0]))
		return true;
	if (len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	return !addr_parse(addr, &a);
}

static int read_spec(struct spec *s, char *text)
{
	char *slash = strchr(text, '/'), *next;

	if (slash) {
		*slash = '\0';
		if (!is_prefix(text)) {
			*slash = '/';
		} else {
			if (read_prefix(s, text))
				return -EINVAL;
			text = slash + 1;
		}
	}
	for (; text; text = next) {
		next = strchr(text, ',');
		if (next)
			*next++ = '\0';
		if (read_entry(s, text))
			return -EINVAL;
	}
	return 0;
}

/* Making rules */

static int put_rule(const struct spec *s, const struct range *r, const struct entry *e,
		    struct forward_rule *rules, int n)
{
	if (n < 0 || n == FORWARD_RULES_MAX)
		return fail(s->error, "falls into more than %d rules", FORWARD_RULES_MAX);
	rules[n] = s->common;
	rules[n].first = (uint16_t)r->first;
	rules[n].last = (uint16_t)r->last;
	rules[n].target = e->target;
	rules[n].target_first = (uint16_t)(e->target_first + (r->first - e->host.first));
	return n + 1;
}

/* The runs of `e` without what is in `out`. */
static int put_runs(const struct spec *s, const struct entry *e, const uint8_t *out,
		    struct forward_rule *rules, int n)
{
	struct range r;

	for (r.first = e->host.first; r.first <= e->host.last; r.first = r.last + 1) {
		r.last = r.first;
		if (has(out, r.first))
			continue;
		while (r.last < e->host.last && !has(out, r.last + 1))
			r.last++;
		n = put_rule(s, &r, e, rules, n);
		if (n < 0)
			return n;
	}
	return n;
}

static int put_all(struct spec *s, const struct forward_ports *ports,
		   struct forward_rule *rules, int n)
{
	struct entry e = { { 1, PORT_MAX }, 1, s->all_target };
	int first = n;

	for (size_t i = 0; i < sizeof(s->named); i++)
		s->named[i] |= s->excluded[i];
	for (unsigned port = ports->local_first; port && port <= ports->local_last; port++)
		add(s->named, port);
	n = put_runs(s, &e, s->named, rules, n);
	for (int i = first; i < n; i++)
		rules[i].best_effort = true;
	return n;
}

static int make_rules(struct spec *s, const struct forward_ports *ports,
		      struct forward_rule *rules)
{
	int n = 0;

	for (unsigned i = 0; i < s->n_entries && n >= 0; i++)
		n = put_runs(s, &s->entries[i], s->excluded, rules, n);
	if (n >= 0 && (s->all || !s->n_entries))
		n = put_all(s, ports, rules, n);
	return n ? n : fail(s->error, "no port is left");
}

int forward_spec_parse(const char *text, enum flow_proto proto,
		       const struct forward_ports *ports,
		       struct forward_rule rules[static FORWARD_RULES_MAX],
		       char error[static FORWARD_ERROR_MAX])
{
	char copy[FORWARD_SPEC_MAX];
	struct spec s;

	if (!strcmp(text, "none"))
		return 0;
	if (strlen(text) >= sizeof(copy))
		return fail(error, "longer than %zu characters", sizeof(copy) - 1);
	strcpy(copy, text);
	s = (struct spec){ .common = { .proto = proto, .addr = ADDR_ANY6, .both_families = true },
			   .all_target = ADDR_ANY6,
			   .error = error };
	return read_spec(&s, copy) ? -EINVAL : make_rules(&s, ports, rules);
}

/* Printing */

static const char *upper_name(enum flow_proto proto)
{
	return proto == FLOW_TCP ? "TCP" : "UDP";
}

static int print_ports(char *buf, size_t size, unsigned first, unsigned last)
{
	return first == last ? snprintf(buf, size, "%u", first)
			     : snprintf(buf, size, "%u-%u", first, last);
}

/* In brackets for IPv6, for a colon follows. */
static const char *print_addr(const struct addr *a, char buf[static ADDR_STR_MAX])
{
	char text[ADDR_STR_MAX];

	snprintf(buf, ADDR_STR_MAX, addr_is_ip4(a) ? "%.61s" : "[%.61s]", addr_print(a, text));
	return buf;
}

const char *forward_rule_print_host(const struct forward_rule *r,
				    char buf[static FORWARD_STR_MAX])
{
	char addr[ADDR_STR_MAX], ports[16];

	print_ports(ports, sizeof(ports), r->first, r->last);
	snprintf(buf, FORWARD_STR_MAX, "%s %s%s%s:%s", upper_name(r->proto),
		 r->both_families ? "*" : print_addr(&r->addr, addr),
		 r->interface[0] ? "%" : "", r->interface, ports);
	return buf;
}

const char *forward_rule_print(const struct forward_rule *r, char buf[static FORWARD_STR_MAX])
{
	char host[FORWARD_STR_MAX], addr[ADDR_STR_MAX], ports[16];
	bool any = addr_is_unspecified(&r->target);

	print_ports(ports, sizeof(ports), r->target_first,
		    r->target_first + forward_rule_n_ports(r) - 1);
	snprintf(buf, FORWARD_STR_MAX, "%.80s => %s%s%s%s", forward_rule_print_host(r, host),
		 any ? "" : print_addr(&r->target, addr), any ? "" : ":", ports,
		 r->best_effort ? " (best effort)" : "");
	return buf;
}

/* "192.0.2.1%eth0/", "%eth0/" or nothing. */
static int print_prefix(char *buf, size_t size, const struct forward_rule *r)
{
	char addr[ADDR_STR_MAX];

	if (r->both_families && !r->interface[0])
		return snprintf(buf, size, "%s", "");
	return snprintf(buf, size, "%s%s%s/", r->both_families ? "" : print_addr(&r->addr, addr),
			r->interface[0] ? "%" : "", r->interface);
}

/* Only "all" makes rules of best effort: it is cut down to this one's ports. */
static void print_all(char *buf, size_t size, const struct forward_rule *r)
{
	char addr[ADDR_STR_MAX];
	bool any = addr_is_unspecified(&r->target);
	int n = snprintf(buf, size, "all%s%s", any ? "" : ":", any ? "" : print_addr(&r->target, addr));

	if (r->first > 1)
		n += snprintf(buf + n, size - (size_t)n, ",~1-%u", r->first - 1u);
	if (r->last < PORT_MAX)
		snprintf(buf + n, size - (size_t)n, ",~%u-%u", r->last + 1u, PORT_MAX);
}

const char *forward_rule_print_spec(const struct forward_rule *r, char buf[static FORWARD_STR_MAX])
{
	char host[16], guest[16], addr[ADDR_STR_MAX];
	bool any = addr_is_unspecified(&r->target);
	int n = print_prefix(buf, FORWARD_STR_MAX, r);

	if (r->best_effort) {
		print_all(buf + n, FORWARD_STR_MAX - (size_t)n, r);
		return buf;
	}
	print_ports(host, sizeof(host), r->first, r->last);
	print_ports(guest, sizeof(guest), r->target_first,
		    r->target_first + forward_rule_n_ports(r) - 1);
	snprintf(buf + n, FORWARD_STR_MAX - (size_t)n, "%s:%s%s%s", host,
		 any ? "" : print_addr(&r->target, addr), any ? "" : "/", guest);
	return buf;
}
