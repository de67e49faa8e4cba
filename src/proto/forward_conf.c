/* proto/forward_conf.c: reads the forwards of the command line; pure. */
#include "proto/forward_conf.h"

#include <errno.h>
#include <stdio.h>

static int refuse(char *error, char letter, const char *spec, const char *reason)
{
	snprintf(error, FORWARD_ERROR_MAX, "-%c '%.60s': %.180s", letter, spec, reason);
	return -EINVAL;
}

static int read_option(struct forward_batch *b, const struct forward_ports *ports,
		       enum flow_proto proto, const char *spec, char *error)
{
	struct forward_rule rules[FORWARD_RULES_MAX];
	char letter = proto == FLOW_TCP ? 't' : 'u', reason[FORWARD_ERROR_MAX];
	int n = forward_spec_parse(spec, proto, ports, rules, reason);

	if (n < 0)
		return refuse(error, letter, spec, reason);
	if (!n && b->n && b->rules[b->n - 1].proto == proto)
		return refuse(error, letter, spec, "contradicts what was given before it");
	if (b->n + n > FORWARD_RULES_MAX)
		return refuse(error, letter, spec, "too many rules together");
	memcpy(b->rules + b->n, rules, (size_t)n * sizeof(*rules));
	b->n += n;
	return 0;
}

/* Options of a protocol that is off are checked all the same. */
static int read_options(struct forward_batch *b, const struct forward_ports *ports,
			enum flow_proto proto, const char **specs, unsigned n_specs, bool off,
			char *error)
{
	int rc = 0, n_before = b->n;

	for (unsigned i = 0; i < n_specs && !rc; i++)
		rc = read_option(b, ports, proto, specs[i], error);
	if (off)
		b->n = n_before;
	return rc;
}

int forward_conf_read(const struct conf *c, const struct forward_ports *ports,
		      struct forward_batch *b, char error[static FORWARD_ERROR_MAX])
{
	int rc;

	b->n = 0;
	rc = read_options(b, ports, FLOW_TCP, c->tcp_forwards, c->n_tcp_forwards, c->no_tcp,
			  error);
	if (!rc)
		rc = read_options(b, ports, FLOW_UDP, c->udp_forwards, c->n_udp_forwards,
				  c->no_udp, error);
	return rc;
}
