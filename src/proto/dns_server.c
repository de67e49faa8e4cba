/* proto/dns_server.c: list, order and health of the host's name servers. */
#include "proto/dns_server.h"

#include <stdio.h>

#include "base/log.h"
#include "base/timerq.h"

#define SILENT_MAX 3 /* timeouts in a row after which others are asked first */
#define AVOID_NS   (30 * NS_PER_SEC)

static bool is_same_list(const struct dns_servers *s, const struct net *net)
{
	if (s->n != net->n_upstreams)
		return false;
	for (unsigned i = 0; i < s->n; i++)
		if (!upstream_eq(&s->all[i].at, &net->upstreams[i]))
			return false;
	return true;
}

bool dns_servers_follow(struct dns_servers *s, const struct net *net)
{
	struct dns_servers old = *s;

	if (is_same_list(s, net))
		return false;
	s->n = net->n_upstreams;
	for (unsigned i = 0; i < s->n; i++) {
		struct dns_server *known = dns_servers_find(&old, &net->upstreams[i]);

		s->all[i] = known ? *known : (struct dns_server){ .at = net->upstreams[i] };
	}
	return true;
}

struct dns_server *dns_servers_find(struct dns_servers *s, const struct upstream *at)
{
	for (unsigned i = 0; i < s->n; i++)
		if (upstream_eq(&s->all[i].at, at))
			return &s->all[i];
	return NULL;
}

unsigned dns_servers_order(const struct dns_servers *s, uint64_t now_ns,
			   struct upstream order[static NET_UPSTREAMS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (s->all[i].avoid_until_ns <= now_ns)
			order[n++] = s->all[i].at;
	for (unsigned i = 0; i < s->n; i++)
		if (s->all[i].avoid_until_ns > now_ns)
			order[n++] = s->all[i].at;
	return n;
}

void dns_server_sent(struct dns_servers *s, const struct upstream *at)
{
	struct dns_server *server = dns_servers_find(s, at);

	if (server)
		server->sent++;
}

void dns_server_answered(struct dns_servers *s, const struct upstream *at, uint64_t now_ns)
{
	struct dns_server *server = dns_servers_find(s, at);
	char text[UPSTREAM_STR_MAX];

	if (!server)
		return;
	if (server->silent >= SILENT_MAX)
		log_info(DNS, "name server %s answers again", upstream_print(at, text));
	server->answers++;
	server->silent = 0;
	server->answered_ns = now_ns;
	server->avoid_until_ns = 0;
}

static void note_error(struct dns_server *server, uint64_t now_ns, const char *error)
{
	snprintf(server->last_error, sizeof(server->last_error), "%s", error);
	server->last_error_ns = now_ns;
}

void dns_server_failed(struct dns_servers *s, const struct upstream *at, uint64_t now_ns,
		       const char *error)
{
	struct dns_server *server = dns_servers_find(s, at);
	char text[UPSTREAM_STR_MAX];

	if (!server)
		return;
	server->failures++;
	note_error(server, now_ns, error);
	log_debug(DNS, "name server %s: %s", upstream_print(at, text), error);
}

void dns_server_timed_out(struct dns_servers *s, const struct upstream *at, uint64_t sent_ns,
			  uint64_t now_ns, bool tcp)
{
	struct dns_server *server = dns_servers_find(s, at);
	char text[UPSTREAM_STR_MAX];

	if (!server)
		return;
	server->timeouts++;
	note_error(server, now_ns, tcp ? "no answer over TCP" : "no answer");
	if (tcp || (server->answers && server->answered_ns >= sent_ns) ||
	    ++server->silent < SILENT_MAX)
		return;
	if (server->silent == SILENT_MAX)
		log_warn(DNS, "name server %s does not answer", upstream_print(at, text));
	server->avoid_until_ns = now_ns + AVOID_NS;
}
