/* base/utf8.h: reads UTF-8 (RFC 3629) of unknown quality. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffdu /* shown for what is malformed */

/* Reads the character at `p`, of at most `len` bytes, into `*code`.  Returns how many bytes it
 * takes; 0 when there is no well-formed one: truncated, overlong, a surrogate, or beyond
 * U+10FFFF. */
size_t utf8_decode(const char *p, size_t len, uint32_t *code);

#endif
