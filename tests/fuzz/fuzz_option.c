/* "NAME=VALUE": what an option makes of a hostile value, and of a second one like it. */
#include <stdlib.h>
#include <string.h>

#include "daemon/option_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct option_row *find_row(const char *name, size_t len)
{
	for (unsigned i = 0; i < n_option_rows; i++)
		if (strlen(option_rows[i].name) == len &&
		    !memcmp(option_rows[i].name, name, len))
			return &option_rows[i];
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *equals = memchr(data, '=', size);
	const struct option_row *row;
	static struct conf c;
	char reason[256], *value;

	row = equals ? find_row((const char *)data, (size_t)(equals - (const char *)data))
		     : NULL;
	if (!row)
		return 0;
	value = strndup(equals + 1, size - (size_t)(equals + 1 - (const char *)data));
	memset(&c, 0, sizeof(c));
	row->set(&c, row, value);
	row->set(&c, row, value);
	conf_validate(&c, reason, sizeof(reason));
	conf_free(&c);
	free(value);
	return 0;
}
