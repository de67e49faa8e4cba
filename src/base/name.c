/* base/name.c: checks the text of host and domain names. */
#include "base/name.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define NAME_LEN_MAX  253 /* RFC 1035 2.3.4, as text without the last dot */
#define LABEL_LEN_MAX 63

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

int name_parse(const char *text, size_t len, char *name, size_t max)
{
	size_t label = 0;

	if (len && text[len - 1] == '.')
		len--;
	if (len > NAME_LEN_MAX || len >= max)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && label) {
			label = 0;
			continue;
		}
		if (!is_name_byte(text[i]) || ++label > LABEL_LEN_MAX)
			return -EINVAL;
	}
	if (!label) /* empty, or with an empty label at the end */
		return -EINVAL;
	memcpy(name, text, len);
	name[len] = '\0';
	return 0;
}
