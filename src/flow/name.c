/* flow/name.c: see flow/name.h. */
#include "flow/name.h"

#include <stdlib.h>
#include <string.h>

#define MALLOC_OVERHEAD 16

static size_t cost(const char *text)
{
	return sizeof(struct flow_name) + strlen(text) + 1 + MALLOC_OVERHEAD;
}

struct flow_name *flow_name_new(struct flow_names *names, const char *text)
{
	struct flow_name *name;

	if (names->bytes + cost(text) > FLOW_NAMES_BYTES_MAX)
		return NULL;
	name = malloc(sizeof(*name) + strlen(text) + 1);
	if (!name)
		return NULL;
	name->refs = 1;
	strcpy(name->text, text);
	names->bytes += cost(text);
	return name;
}

struct flow_name *flow_name_get(struct flow_name *name)
{
	if (name)
		name->refs++;
	return name;
}

void flow_name_put(struct flow_names *names, struct flow_name *name)
{
	if (!name || --name->refs)
		return;
	names->bytes -= cost(name->text);
	free(name);
}
