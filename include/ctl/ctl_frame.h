/* ctl/ctl_frame.h: finds where one JSON object of a stream ends and the next begins.
 *
 * QMP has no other framing: objects follow each other, whatever white space is between or
 * inside them.  This knows strings and brackets, nothing else of JSON.
 */
#ifndef CTL_CTL_FRAME_H
#define CTL_CTL_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#define CTL_DEPTH_MAX 32 /* nested brackets */

enum ctl_frame_found {
	CTL_FRAME_MORE,	      /* no whole object yet */
	CTL_FRAME_OBJECT,     /* the first `*len` bytes are one object */
	CTL_FRAME_GARBAGE,    /* what begins here is no object, or a byte is in it that no JSON
			       * text has; the next object begins after that byte or that line */
	CTL_FRAME_TOO_COMPLEX /* brackets beyond CTL_DEPTH_MAX, or too many commas: not to be
			       * resumed */
};

/* All zeroes at the start of a stream, but for the limit. */
struct ctl_frame {
	unsigned max_commas; /* outside strings, what bounds the cost of parsing; 0: any number
			      */
	unsigned n_commas;
	size_t scanned;
	unsigned depth;
	bool in_string, escaped;
	bool skipping; /* the rest of a line of garbage */
};

/* How many bytes at the front mean nothing: white space, rest of garbage.  To be dropped before
 * each ctl_frame_scan(). */
size_t ctl_frame_skip(struct ctl_frame *f, const char *text, size_t len);

/* Looks on in the `len` bytes at `text`, which begin where the last object or garbage ended;
 * each byte is looked at once however often they come.  Stores in *used how many bytes the
 * caller is to take off the front, none with CTL_FRAME_MORE. */
enum ctl_frame_found ctl_frame_scan(struct ctl_frame *f, const char *text, size_t len,
				    size_t *used);

#endif
