/* The text of a forward, from whoever may write to the control socket. */
#include <assert.h>
#include <stdlib.h>

#include "proto/forward_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each rule is in bounds, and no port of the host is in two of them. */
static void check_rules(const struct forward_rule *rules, int n)
{
	static uint8_t taken[65536];
	char text[FORWARD_STR_MAX];

	memset(taken, 0, sizeof(taken));
	for (int i = 0; i < n; i++) {
		const struct forward_rule *r = &rules[i];

		assert(r->first <= r->last && (r->first || !r->last));
		assert(r->target_first && r->target_first + forward_rule_n_ports(r) <= 65536);
		assert(strlen(r->interface) < FORWARD_INTERFACE_MAX);
		assert(!r->both_families || addr_eq(&r->addr, &ADDR_ANY6));
		assert(addr_is_ip4(&r->addr) || !addr_is_link_local(&r->addr) || r->interface[0]);
		assert(!addr_is_loopback(&r->target) && !addr_is_multicast(&r->target));
		assert(strlen(forward_rule_print(r, text)) < FORWARD_STR_MAX - 1);
		for (unsigned port = r->first; port && port <= r->last; port++)
			assert(!taken[port]++);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct forward_ports ports = { 32768, 60999, 1024 };
	static struct forward_rule rules[FORWARD_RULES_MAX];
	char error[FORWARD_ERROR_MAX], *text = malloc(size + 1);
	int n;

	memcpy(text, data, size);
	text[size] = '\0';
	error[0] = '\0';
	n = forward_spec_parse(text, size % 2 ? FLOW_TCP : FLOW_UDP, &ports, rules, error);
	assert(n >= 0 ? n <= FORWARD_RULES_MAX : error[0] != '\0');
	check_rules(rules, n);
	free(text);
	return 0;
}
