/* base/name.h: host and domain names as text. */
#ifndef BASE_NAME_H
#define BASE_NAME_H

#include <stddef.h>

/* Copies a name of `len` bytes into `name` (`max` bytes, at least 254): labels of 1 to 63
 * letters, digits, hyphens and underscores (RFC 1123 2.1, RFC 2181 11), 253 bytes in all.  A
 * dot at the end is dropped.  0, or -EINVAL for what is no name. */
int name_parse(const char *text, size_t len, char *name, size_t max);

#endif
