/* ctl/ctl_frame.c: object boundaries. */
#include "ctl/ctl_frame.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Control characters, and bytes that UTF-8 never has: a client that lost its place sends one of
 * them to get the parser back to its beginning. */
static bool resets(char c)
{
	unsigned char b = (unsigned char)c;

	return (b < 0x20 && !is_space(c)) || b == 0xfe || b == 0xff;
}

size_t ctl_frame_skip(struct ctl_frame *f, const char *text, size_t len)
{
	size_t i = 0;

	if (f->scanned)
		return 0;
	for (; i < len && f->skipping; i++)
		if (text[i] == '\n' || resets(text[i]))
			f->skipping = false;
	while (i < len && is_space(text[i]))
		i++;
	return i;
}

static enum ctl_frame_found found(struct ctl_frame *f, enum ctl_frame_found what, size_t n,
				  size_t *used)
{
	*f = (struct ctl_frame){ .max_commas = f->max_commas };
	*used = n;
	return what;
}

/* Strings hide brackets; in a string, a backslash hides a quotation mark. */
static void scan_in_string(struct ctl_frame *f, char c)
{
	if (f->escaped)
		f->escaped = false;
	else if (c == '\\')
		f->escaped = true;
	else if (c == '"')
		f->in_string = false;
}

static void scan_outside_string(struct ctl_frame *f, char c)
{
	if (c == '"')
		f->in_string = true;
	else if (c == '{' || c == '[')
		f->depth++;
	else if (c == '}' || c == ']')
		f->depth--;
	else if (c == ',')
		f->n_commas++;
}

enum ctl_frame_found ctl_frame_scan(struct ctl_frame *f, const char *text, size_t len,
				    size_t *used)
{
	*used = 0;
	if (len && text[0] != '{') {
		found(f, CTL_FRAME_GARBAGE, 1, used);
		f->skipping = !resets(text[0]);
		return CTL_FRAME_GARBAGE;
	}
	while (f->scanned < len) {
		char c = text[f->scanned++];

		if (resets(c) || (f->in_string && c != ' ' && is_space(c)))
			return found(f, CTL_FRAME_GARBAGE, f->scanned, used);
		if (f->in_string)
			scan_in_string(f, c);
		else
			scan_outside_string(f, c);
		if (f->depth > CTL_DEPTH_MAX || (f->max_commas && f->n_commas > f->max_commas))
			return found(f, CTL_FRAME_TOO_COMPLEX, f->scanned, used);
		if (!f->depth)
			return found(f, CTL_FRAME_OBJECT, f->scanned, used);
	}
	return CTL_FRAME_MORE;
}
