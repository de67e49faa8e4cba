/* daemon/option_refused.c: the options of passt that are none of ours, and why. */
#include "daemon/option_table.h"

#define VHOST_USER "the guest is served over a stream socket (QEMU's -netdev stream) alone"
#define MIGRATION  "without vhost-user, connections do not move along with a guest"

const struct option_refused options_refused[] = {
	{ "vhost-user", .reason = VHOST_USER },
	{ "print-capabilities", .reason = VHOST_USER },
	{ "repair-path", .argument = true, .reason = MIGRATION },
	{ "migrate-exit", .reason = MIGRATION },
	{ "migrate-no-linger", .reason = MIGRATION },
	{ "conf-path", 'c', .argument = true,
	  .reason = "forwards are changed by posternctl(1), at the socket of --control" },
};
const unsigned n_options_refused = sizeof(options_refused) / sizeof(options_refused[0]);
