/* cli/out_json.h: results as JSON for programs, just as the daemon sent them. */
#ifndef CLI_OUT_JSON_H
#define CLI_OUT_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "ctl/ctl_json.h"

/* A result on its way out, which may come in several parts. */
struct json_out {
	FILE *out;
	bool pretty; /* indented; else one line */
	unsigned depth;
	bool in_string, escaped, opened;
	size_t n_elements; /* of parts so far */
};

/* The whole of it at once. */
void json_out_value(FILE *out, bool pretty, const struct ctl_doc *reply,
		    const struct ctl_value *value);

/* An array whose elements come with several replies. */
struct json_out json_out_array(FILE *out, bool pretty);
void json_out_elements(struct json_out *j, const struct ctl_doc *reply,
		       const struct ctl_value *array);
void json_out_array_end(struct json_out *j);

#endif
