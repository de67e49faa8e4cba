/* daemon/settings.c: see daemon/settings.h. */
#include "daemon/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int settings_add(struct settings *s, const struct option_row *row, const char *value)
{
	struct setting *all = reallocarray(s->all, s->n + 1, sizeof(*all));
	char *copy = value ? strdup(value) : NULL;

	if (all)
		s->all = all;
	if (!all || (value && !copy)) {
		free(copy);
		return -ENOMEM;
	}
	s->all[s->n++] = (struct setting){ row, copy };
	return 0;
}

bool settings_have(const struct settings *s, const struct option_row *row,
		   const char *const *values, size_t n)
{
	size_t at = 0;

	for (unsigned i = 0; i < s->n; i++) {
		if (s->all[i].row != row)
			continue;
		if (at == n || !values[at] != !s->all[i].value ||
		    (values[at] && strcmp(values[at], s->all[i].value) != 0))
			return false;
		at++;
	}
	return at == n;
}

int settings_change(struct settings *next, const struct settings *s, const struct option_row *row,
		    const char *const *values, size_t n)
{
	int rc = 0;

	*next = (struct settings){ .all = calloc(s->n + n + 1, sizeof(*next->all)) };
	if (!next->all)
		return -ENOMEM;
	for (unsigned i = 0; i < s->n; i++)
		if (s->all[i].row != row)
			next->all[next->n++] = s->all[i];
	for (size_t i = 0; i < n && !rc; i++)
		rc = settings_add(next, row, values[i]);
	if (rc)
		settings_drop(next, row);
	return rc;
}

void settings_drop(struct settings *s, const struct option_row *row)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->all[i].row == row)
			free(s->all[i].value);
	free(s->all);
	*s = (struct settings){ .all = NULL };
}

void settings_free(struct settings *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->all[i].value);
	free(s->all);
	*s = (struct settings){ .all = NULL };
}
