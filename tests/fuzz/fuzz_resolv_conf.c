/* resolv.conf(5), from hostile bytes. */
#include "host/resolv_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resolv_conf rc;

	resolv_conf_parse((const char *)data, size, &rc);
	return 0;
}
