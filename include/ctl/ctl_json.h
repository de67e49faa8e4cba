/* ctl/ctl_json.h: JSON text to the structs of ctl/ctl_msg.h and back. */
#ifndef CTL_CTL_JSON_H
#define CTL_CTL_JSON_H

#include "ctl/ctl_buf.h"
#include "ctl/ctl_msg.h"

/* A parsed text, and the memory of all that was decoded from it. */
struct ctl_doc;

/* Parses one JSON object.  NULL when it is none, is not UTF-8, or has a zero character in a
 * string, with the reason in `error`. */
struct ctl_doc *ctl_doc_parse(const char *text, size_t len, char error[static CTL_ERROR_MAX]);
void ctl_doc_free(struct ctl_doc *doc);

/* Zeroed memory that lives as long as the document; NULL without memory. */
void *ctl_doc_alloc(struct ctl_doc *doc, size_t size);

/* Decodes a whole object into `msg`, of m->size bytes.  Strings and lists in it live as long as
 * the document.  With a `noun` ("argument") it is a request: members that the table does not
 * have and those given twice are errors; without, it is a reply, and they are passed over.  A
 * NULL value is an empty object.  0, -EINVAL or -ENOMEM with the reason in `error`. */
int ctl_doc_decode(struct ctl_doc *doc, const struct ctl_value *value,
		   const struct ctl_message *m, void *msg, const char *noun,
		   char error[static CTL_ERROR_MAX]);

/* The object that the document is. */
const struct ctl_value *ctl_doc_root(const struct ctl_doc *doc);

/* The text that it was parsed from. */
const char *ctl_doc_text(const struct ctl_doc *doc);

/* Walks the elements of an array: the first after NULL, then the next; NULL at the end, and for
 * what is no array. */
const struct ctl_value *ctl_value_next(const struct ctl_value *array,
				       const struct ctl_value *v);

/* Appends the text of a member of the document's object just as it was written, but for line
 * breaks and in ASCII. */
void ctl_doc_echo(const struct ctl_doc *doc, const struct ctl_value *member,
		  struct ctl_buf *out);

/* Appends `msg` as an object, in one line of ASCII.  What is not UTF-8 in strings becomes
 * U+FFFD.  Without memory out->failed is set. */
void ctl_json_print(struct ctl_buf *out, const struct ctl_message *m, const void *msg);

#endif
