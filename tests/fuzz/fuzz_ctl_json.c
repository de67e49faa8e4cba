/* Control protocol: text to structs, and back to the same text. */
#include "ctl/ctl_json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ctl_message *const messages[] = {
	&ctl_greeting_message,	  &ctl_error_message,	       &ctl_capabilities_message,
	&ctl_status_message,	  &ctl_flow_query_message,     &ctl_flow_message,
	&ctl_flow_close_message,	  &ctl_counter_message,	       &ctl_forward_message,
	&ctl_forward_add_message, &ctl_forward_remove_message, &ctl_lease_message,
	&ctl_dns_message
};

/* Printing what was decoded, and decoding that, must come to the same. */
static void round_trip(const struct ctl_message *m, const void *msg)
{
	struct ctl_buf first = ctl_buf_init(1 << 22), second = ctl_buf_init(1 << 22);
	void *again = calloc(1, m->size);
	char error[CTL_ERROR_MAX];
	struct ctl_doc *doc;

	ctl_json_print(&first, m, msg);
	doc = ctl_doc_parse(ctl_buf_text(&first), ctl_buf_len(&first), error);
	if (!doc || ctl_doc_decode(doc, ctl_doc_root(doc), m, again, "argument", error))
		abort();
	ctl_json_print(&second, m, again);
	if (first.failed || second.failed || ctl_buf_len(&first) != ctl_buf_len(&second) ||
	    memcmp(ctl_buf_text(&first), ctl_buf_text(&second), ctl_buf_len(&first)) != 0)
		abort();
	ctl_doc_free(doc);
	free(again);
	ctl_buf_free(&first);
	ctl_buf_free(&second);
}

static void echo(struct ctl_doc *doc)
{
	struct ctl_buf out = ctl_buf_init(1 << 22);
	struct ctl_request request;
	char error[CTL_ERROR_MAX];

	if (!ctl_doc_decode(doc, ctl_doc_root(doc), &ctl_request_message, &request, NULL,
			    error) &&
	    request.has & CTL_REQUEST_HAS_ID) {
		ctl_doc_echo(doc, request.id, &out);
		if (!ctl_buf_len(&out))
			abort();
	}
	ctl_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[CTL_ERROR_MAX];
	struct ctl_doc *doc = ctl_doc_parse((const char *)data, size, error);

	if (!doc)
		return 0;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		void *msg = calloc(1, messages[i]->size);

		if (!ctl_doc_decode(doc, ctl_doc_root(doc), messages[i], msg, "argument",
				    error))
			round_trip(messages[i], msg);
		free(msg);
	}
	echo(doc);
	ctl_doc_free(doc);
	return 0;
}
