/* ctl/ctl_json.c: the codec; the only file of the daemon that knows cJSON.
 *
 * cJSON is generous: it takes strings with a zero character in them, members given twice, any
 * four characters behind \u, numbers as strtod() has them, and text in any encoding, and prints
 * what it was given.  What QMP promises beyond that is checked here.
 */
#include "ctl/ctl_json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct block {
	struct block *next;
	_Alignas(16) unsigned char memory[];
};

struct ctl_doc {
	cJSON *root;
	struct block *blocks;
	const char *text; /* as it was given, with a terminating zero */
};

static const cJSON *json(const struct ctl_value *v)
{
	return (const cJSON *)v;
}

static const struct ctl_value *value(const cJSON *item)
{
	return (const struct ctl_value *)item;
}

/* Reading */

void *ctl_doc_alloc(struct ctl_doc *doc, size_t size)
{
	struct block *b = calloc(1, sizeof(*b) + size);

	if (!b)
		return NULL;
	b->next = doc->blocks;
	doc->blocks = b;
	return b->memory;
}

void ctl_doc_free(struct ctl_doc *doc)
{
	struct block *next;

	if (!doc)
		return;
	cJSON_Delete(doc->root);
	for (struct block *b = doc->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	free(doc);
}

static size_t digits(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] >= '0' && p[n] <= '9')
		n++;
	return n;
}

/* The length of the number that begins at `p` (RFC 8259 6); 0 if there is none. */
static size_t number_len(const char *p, size_t len)
{
	size_t at = *p == '-', n = digits(p + at, len - at);

	if (!n || (n > 1 && p[at] == '0'))
		return 0;
	at += n;
	if (at < len && p[at] == '.') {
		n = digits(p + at + 1, len - at - 1);
		at += n + 1;
	}
	if (n && at < len && (p[at] == 'e' || p[at] == 'E')) {
		at++;
		at += at < len && (p[at] == '+' || p[at] == '-');
		n = digits(p + at, len - at);
		at += n;
	}
	return n ? at : 0;
}

/* The length of the escape that begins at `p`, as far as it can be told without cJSON; 0 if
 * there is none. */
static size_t escape_len(const char *p, size_t len)
{
	if (len < 2 || p[1] != 'u')
		return len < 2 ? 1 : 2;
	for (size_t i = 2; i < 6; i++)
		if (i == len || !isxdigit((unsigned char)p[i]))
			return 0;
	return 6;
}

/* Why cJSON must not see the text; NULL if it may. */
static const char *objection(const char *text, size_t len)
{
	bool in_string = false;
	uint32_t code;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		if (!n)
			return "the text is not UTF-8";
		if (!code)
			return "the text contains a zero byte";
		if (code == '"')
			in_string = !in_string;
		else if (in_string && code == '\\')
			n = escape_len(text + i, len - i);
		else if (!in_string && (code == '-' || (code >= '0' && code <= '9')))
			n = number_len(text + i, len - i);
		if (!n)
			return "the text is not JSON";
		if (n == 6 && !memcmp(text + i, "\\u0000", 6))
			return "a string contains a zero character";
	}
	return NULL;
}

static struct ctl_doc *doc_fail(struct ctl_doc *doc, const char *why, char *error)
{
	snprintf(error, CTL_ERROR_MAX, "%s", why);
	ctl_doc_free(doc);
	return NULL;
}

struct ctl_doc *ctl_doc_parse(const char *text, size_t len, char error[static CTL_ERROR_MAX])
{
	struct ctl_doc *doc = calloc(1, sizeof(*doc));
	const char *why = objection(text, len);
	char *copy;

	if (!doc)
		return doc_fail(NULL, "no memory", error);
	if (why)
		return doc_fail(doc, why, error);
	copy = ctl_doc_alloc(doc, len + 1);
	if (!copy)
		return doc_fail(doc, "no memory", error);
	memcpy(copy, text, len);
	doc->text = copy;
	doc->root = cJSON_ParseWithOpts(copy, NULL, true);
	if (!doc->root)
		return doc_fail(doc, "the text is not JSON", error);
	if (!cJSON_IsObject(doc->root))
		return doc_fail(doc, "the text is not a JSON object", error);
	return doc;
}

const struct ctl_value *ctl_doc_root(const struct ctl_doc *doc)
{
	return value(doc->root);
}

const char *ctl_doc_text(const struct ctl_doc *doc)
{
	return doc->text;
}

const struct ctl_value *ctl_value_next(const struct ctl_value *array, const struct ctl_value *v)
{
	if (!cJSON_IsArray(json(array)))
		return NULL;
	return value(v ? json(v)->next : json(array)->child);
}

/* Decoding */

struct decoder {
	struct ctl_doc *doc;
	const char *noun; /* NULL: a reply */
	char *error;
};

/* Whether the member may not be missing: some always, and some where those are that go with it. */
static bool is_due(const struct ctl_field *f, const void *msg)
{
	return !f->has || *(const uint32_t *)msg & f->has;
}

static int decode_object(struct decoder *d, const cJSON *object, const struct ctl_message *m,
			 void *msg);

/* Every refusal names the member; `what` is the rest of the sentence. */
static int __attribute__((format(printf, 3, 4)))
refuse(struct decoder *d, const char *name, const char *fmt, ...)
{
	const char *noun = d->noun ? d->noun : "member";
	va_list ap;
	int n;

	/* names are the client's own words: not longer than one can read */
	n = snprintf(d->error, CTL_ERROR_MAX, "%s '%.60s' ", noun, name);
	va_start(ap, fmt);
	vsnprintf(d->error + n, CTL_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int decode_uint(struct decoder *d, const struct ctl_field *f, const cJSON *item,
		       uint64_t *v)
{
	uint64_t max = f->kind == CTL_PORT ? 65535 : f->max ? f->max : CTL_UINT_MAX;
	double n = item->valuedouble;

	if (!cJSON_IsNumber(item) || n < (double)f->min || n > (double)max ||
	    n != (double)(uint64_t)n)
		return refuse(d, f->name, "must be an integer from %" PRIu64 " to %" PRIu64,
			      f->min, max);
	*v = (uint64_t)n;
	return 0;
}

static int refuse_choice(struct decoder *d, const struct ctl_field *f, const cJSON *item)
{
	char names[128] = "";
	size_t at = 0;

	for (size_t i = 0; f->names[i] && at < sizeof(names); i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i ? ", " : "",
				       f->names[i]);
	if (at >= sizeof(names) && cJSON_IsString(item)) /* more than one cares to read */
		return refuse(d, f->name, "cannot be '%.60s'", item->valuestring);
	if (at >= sizeof(names))
		return refuse(d, f->name, "must be a string");
	return refuse(d, f->name, "must be one of: %s", names);
}

static int decode_choice(struct decoder *d, const struct ctl_field *f, const cJSON *item,
			 unsigned *v)
{
	for (unsigned i = 0; cJSON_IsString(item) && f->names[i]; i++) {
		if (strcmp(f->names[i], item->valuestring))
			continue;
		*v = i;
		return 0;
	}
	return refuse_choice(d, f, item);
}

static int decode_text(struct decoder *d, const struct ctl_field *f, const cJSON *item, void *p)
{
	if (!cJSON_IsString(item))
		return refuse(d, f->name, "must be a string");
	if (f->kind == CTL_ADDR && addr_parse(item->valuestring, p))
		return refuse(d, f->name, "must be an IP address");
	if (f->kind == CTL_MAC && mac_parse(item->valuestring, p))
		return refuse(d, f->name, "must be a MAC address");
	if (f->kind == CTL_TEXT)
		*(const char **)p = item->valuestring;
	return 0;
}

static int decode_one(struct decoder *d, const struct ctl_field *f, const cJSON *item, void *p)
{
	uint64_t n;
	int err;

	switch (f->kind) {
	case CTL_BOOL:
		if (!cJSON_IsBool(item))
			return refuse(d, f->name, "must be true or false");
		*(bool *)p = cJSON_IsTrue(item);
		return 0;
	case CTL_UINT:
		return decode_uint(d, f, item, p);
	case CTL_PORT:
		err = decode_uint(d, f, item, &n);
		if (!err)
			*(uint16_t *)p = (uint16_t)n;
		return err;
	case CTL_TEXT:
	case CTL_ADDR:
	case CTL_MAC:
		return decode_text(d, f, item, p);
	case CTL_CHOICE:
		return decode_choice(d, f, item, p);
	case CTL_OBJECT:
		if (!cJSON_IsObject(item))
			return refuse(d, f->name, "must be an object");
		return decode_object(d, item, f->object, p);
	case CTL_VALUE:
		*(const struct ctl_value **)p = value(item);
		return 0;
	case CTL_JSON:
		break;
	}
	return -EINVAL;
}

static size_t size_of(const struct ctl_field *f)
{
	static const size_t sizes[] = {
		[CTL_BOOL] = sizeof(bool),	 [CTL_UINT] = sizeof(uint64_t),
		[CTL_PORT] = sizeof(uint16_t),	 [CTL_TEXT] = sizeof(const char *),
		[CTL_CHOICE] = sizeof(unsigned), [CTL_ADDR] = sizeof(struct addr),
		[CTL_MAC] = sizeof(struct mac),	 [CTL_VALUE] = sizeof(const struct ctl_value *),
		[CTL_JSON] = sizeof(const char *)
	};

	return f->kind == CTL_OBJECT ? f->object->size : sizes[f->kind];
}

static int decode_list(struct decoder *d, const struct ctl_field *f, const cJSON *array,
		       struct ctl_list *list)
{
	size_t size = size_of(f), n = 0;
	const cJSON *item;
	char *items;
	int err;

	if (!cJSON_IsArray(array))
		return refuse(d, f->name, "must be an array");
	cJSON_ArrayForEach(item, array) n++;
	items = ctl_doc_alloc(d->doc, n * size);
	if (!items)
		return -ENOMEM;
	*list = (struct ctl_list){ items, n };
	cJSON_ArrayForEach(item, array)
	{
		err = decode_one(d, f, item, items);
		if (err)
			return err;
		items += size;
	}
	return 0;
}

static int decode_object(struct decoder *d, const cJSON *object, const struct ctl_message *m,
			 void *msg)
{
	uint64_t seen = 0;
	const cJSON *item;
	unsigned i;
	int err;

	cJSON_ArrayForEach(item, object)
	{
		const struct ctl_field *f;

		for (i = 0; i < m->n_fields && strcmp(m->fields[i].name, item->string); i++)
			;
		if (i == m->n_fields || seen & (uint64_t)1 << i) {
			if (!d->noun)
				continue;
			return refuse(d, item->string,
				      i == m->n_fields ? "is not known" : "is given twice");
		}
		f = &m->fields[i];
		seen |= (uint64_t)1 << i;
		if (f->has)
			*(uint32_t *)msg |= f->has;
		err = f->list ? decode_list(d, f, item,
					    (struct ctl_list *)((char *)msg + f->offset))
			      : decode_one(d, f, item, (char *)msg + f->offset);
		if (err)
			return err;
	}
	for (i = 0; i < m->n_fields; i++)
		if (!(seen & (uint64_t)1 << i) && is_due(&m->fields[i], msg))
			return refuse(d, m->fields[i].name, "is missing");
	return 0;
}

int ctl_doc_decode(struct ctl_doc *doc, const struct ctl_value *v, const struct ctl_message *m,
		   void *msg, const char *noun, char error[static CTL_ERROR_MAX])
{
	struct decoder d = { doc, noun, error };
	int err = -EINVAL;

	memset(msg, 0, m->size);
	if (!v || cJSON_IsObject(json(v)))
		err = decode_object(&d, json(v), m, msg);
	else
		snprintf(error, CTL_ERROR_MAX, "%s must be an object",
			 noun ? "'arguments'" : "the reply");
	if (err == -ENOMEM)
		snprintf(error, CTL_ERROR_MAX, "no memory");
	return err;
}

/* Printing */

/* ASCII for all that is not: QMP's server never sends more.  DEL goes with the controls. */
static void append_ascii(struct ctl_buf *out, const char *text, size_t len)
{
	size_t plain = 0, i = 0, n;
	char escape[16];
	uint32_t code;

	while (i < len) {
		if ((unsigned char)text[i] >= ' ' && (unsigned char)text[i] < 0x7f) {
			i++;
			continue;
		}
		ctl_buf_append(out, text + plain, i - plain);
		n = utf8_decode(text + i, len - i, &code);
		if (!n)
			code = UTF8_REPLACEMENT;
		if (code < ' ') /* white space between tokens */
			snprintf(escape, sizeof(escape), " ");
		else if (code < 0x10000)
			snprintf(escape, sizeof(escape), "\\u%04x", code);
		else
			snprintf(escape, sizeof(escape), "\\u%04x\\u%04x",
				 0xd7c0 + (code >> 10), 0xdc00 | (code & 0x3ff));
		ctl_buf_puts(out, escape);
		i += n ? n : 1;
		plain = i;
	}
	ctl_buf_append(out, text + plain, i - plain);
}

/* The end of the value that begins at `p`, in text that was found to be JSON. */
static const char *value_end(const char *p)
{
	bool in_string = false;
	unsigned depth = 0;

	for (; *p; p++) {
		if (in_string) {
			if (*p == '\\')
				p++;
			else if (*p == '"')
				in_string = false;
		} else if (*p == '"') {
			in_string = true;
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if (!depth && (*p == ',' || *p == '}')) {
			break;
		} else if (*p == '}' || *p == ']') {
			depth--;
		}
	}
	return p;
}

void ctl_doc_echo(const struct ctl_doc *doc, const struct ctl_value *member,
		  struct ctl_buf *out)
{
	const char *p = strchr(doc->text, '{') + 1, *end = value_end(p);
	const cJSON *item;

	for (item = doc->root->child; item && item != json(member); item = item->next) {
		p = end + 1;
		end = value_end(p);
	}
	if (!item)
		return;
	p = strchr(p, '"') +
	    1; /* the member's name, which ends at the next bare quotation mark */
	while (*p != '"')
		p += *p == '\\' ? 2 : 1;
	p = strchr(p, ':') + 1;
	p += strspn(p, " \t\r\n");
	while (end > p && strchr(" \t\r\n", end[-1]))
		end--;
	append_ascii(out, p, (size_t)(end - p));
}

static cJSON *encode_object(const struct ctl_message *m, const void *msg);

static cJSON *encode_uint(uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return cJSON_CreateRaw(text); /* a double would round it */
}

static cJSON *encode_one(const struct ctl_field *f, const void *p)
{
	char text[ADDR_STR_MAX];

	switch (f->kind) {
	case CTL_BOOL:
		return cJSON_CreateBool(*(const bool *)p);
	case CTL_UINT:
		return encode_uint(*(const uint64_t *)p);
	case CTL_PORT:
		return encode_uint(*(const uint16_t *)p);
	case CTL_TEXT:
		return cJSON_CreateString(*(const char *const *)p);
	case CTL_CHOICE:
		return cJSON_CreateString(f->names[*(const unsigned *)p]);
	case CTL_ADDR:
		return cJSON_CreateString(addr_print(p, text));
	case CTL_MAC:
		return cJSON_CreateString(mac_print(p, text));
	case CTL_OBJECT:
		return encode_object(f->object, p);
	case CTL_JSON:
		return cJSON_CreateRaw(*(const char *const *)p);
	case CTL_VALUE:
		break;
	}
	return NULL;
}

static cJSON *encode_list(const struct ctl_field *f, const struct ctl_list *list)
{
	cJSON *array = cJSON_CreateArray(), *item;
	const char *p = list->items;

	for (size_t i = 0; array && i < list->n; i++) {
		item = encode_one(f, p + i * size_of(f));
		if (cJSON_AddItemToArray(array, item))
			continue;
		cJSON_Delete(item);
		cJSON_Delete(array);
		return NULL;
	}
	return array;
}

/* NULL without memory. */
static cJSON *encode_object(const struct ctl_message *m, const void *msg)
{
	cJSON *object = cJSON_CreateObject(), *item;

	for (unsigned i = 0; object && i < m->n_fields; i++) {
		const struct ctl_field *f = &m->fields[i];
		const void *p = (const char *)msg + f->offset;

		if (!is_due(f, msg))
			continue;
		item = f->list ? encode_list(f, p) : encode_one(f, p);
		if (cJSON_AddItemToObjectCS(object, f->name, item))
			continue;
		cJSON_Delete(item);
		cJSON_Delete(object);
		return NULL;
	}
	return object;
}

void ctl_json_print(struct ctl_buf *out, const struct ctl_message *m, const void *msg)
{
	cJSON *object = encode_object(m, msg);
	char *text = object ? cJSON_PrintUnformatted(object) : NULL;

	if (text)
		append_ascii(out, text, strlen(text));
	else
		out->failed = true;
	cJSON_free(text);
	cJSON_Delete(object);
}
