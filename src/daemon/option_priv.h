/* daemon/option_priv.h: what the files of the table of options share. */
#ifndef DAEMON_OPTION_PRIV_H
#define DAEMON_OPTION_PRIV_H

#include "daemon/option_table.h"

/* daemon/option_table.c */

/* The index of a word in a list that NULL ends, or -EINVAL. */
int option_find_word(const char *const words[], const char *value);

/* The settings of the address's family. */
struct conf_ip *option_ip_of(struct conf *c, const struct addr *a);

/* An address that the guest can use for something of the host: no loopback.  0 or -EINVAL. */
int option_read_visible(const char *value, struct addr *a);

/* daemon/option_names.c: setters, as in struct option_row */
int option_set_dns(struct conf *c, const struct option_row *row, const char *value);
int option_set_ntp(struct conf *c, const struct option_row *row, const char *value);
int option_set_dns_forward(struct conf *c, const struct option_row *row, const char *value);
int option_set_dns_host(struct conf *c, const struct option_row *row, const char *value);
int option_set_dns_filter_aaaa(struct conf *c, const struct option_row *row, const char *value);
int option_set_dns_record(struct conf *c, const struct option_row *row, const char *value);
int option_set_search(struct conf *c, const struct option_row *row, const char *value);

#endif
