/* wire/drop.c: names of the drop reasons. */
#include "wire/drop.h"

#include <stddef.h>

static const struct {
	const char *name, *text;
} drops[N_DROPS] = {
#define X(id, name, text) [DROP_##id] = { name, text },
	DROP_REASONS(X)
#undef X
};

const char *drop_name(enum drop reason)
{
	return drops[reason].name;
}

const char *drop_text(enum drop reason)
{
	return drops[reason].text;
}
