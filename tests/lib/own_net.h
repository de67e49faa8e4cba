/* lib/own_net.h: a network namespace of the test's own, and ip(8) in it. */
#ifndef TESTS_LIB_OWN_NET_H
#define TESTS_LIB_OWN_NET_H

#include <check.h>

/* Enters the namespace; NULL, or why that cannot be: for SUITE_MAIN_AFTER(). */
const char *own_net_enter(void);

/* Runs `ip` with these arguments in the test's namespace; its status. */
int own_net_ip(const char *args);

#define IP(args) ck_assert_msg(!own_net_ip(args), "ip %s", args)

#endif
