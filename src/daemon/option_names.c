/* daemon/option_names.c: stores what the options of resolvers, names and time servers say. */
#include <errno.h>

#include "base/name.h"
#include "daemon/option_value.h"
#include "option_priv.h"

int option_set_dns(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr a;

	if (!strcmp(value, "none")) {
		c->dns_set = true;
		c->n_dns = 0;
		return 0;
	}
	if (option_read_visible(value, &a))
		return -EINVAL;
	if (c->n_dns == CONF_DNS_MAX)
		return -E2BIG;
	c->dns[c->n_dns++] = a;
	c->dns_set = true;
	return 0;
}

int option_set_ntp(struct conf *c, const struct option_row *row, const char *value)
{
	if (c->n_ntp == CONF_NTP_MAX)
		return -E2BIG;
	if (option_read_visible(value, &c->ntp[c->n_ntp]))
		return -EINVAL;
	c->n_ntp++;
	return 0;
}

int option_set_dns_forward(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr a;

	if (option_read_visible(value, &a))
		return -EINVAL;
	option_ip_of(c, &a)->dns_forward = a;
	option_ip_of(c, &a)->dns_forward_set = true;
	return 0;
}

int option_set_dns_host(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr a;

	if (addr_parse(value, &a) || addr_is_unspecified(&a) || addr_is_multicast(&a))
		return -EINVAL;
	c->dns_host = a;
	c->dns_host_set = true;
	return 0;
}

int option_set_dns_filter_aaaa(struct conf *c, const struct option_row *row, const char *value)
{
	static const char *const words[] = { "off", "auto", "on", NULL }; /* enum conf_filter */
	int i = option_find_word(words, value);

	if (i >= 0)
		c->dns_filter_aaaa = (enum conf_filter)i;
	return i < 0 ? i : 0;
}

int option_set_dns_record(struct conf *c, const struct option_row *row, const char *value)
{
	if (c->n_records == CONF_RECORDS_MAX)
		return -E2BIG;
	if (value_dns_record(value, &c->records[c->n_records]))
		return -EINVAL;
	c->n_records++;
	return 0;
}

/* One domain, or several with spaces between; "none." is the domain of that name. */
int option_set_search(struct conf *c, const struct option_row *row, const char *value)
{
	bool any = false;
	size_t len;

	if (!strcmp(value, "none")) {
		c->search_set = true;
		c->n_search = 0;
		return 0;
	}
	for (value += strspn(value, " "); *value; value += strspn(value, " ")) {
		len = strcspn(value, " ");
		if (c->n_search == CONF_SEARCH_MAX)
			return -E2BIG;
		if (name_parse(value, len, c->search[c->n_search], CONF_NAME_MAX))
			return -EINVAL;
		c->n_search++;
		value += len;
		any = true;
	}
	c->search_set = true;
	return any ? 0 : -EINVAL;
}
