/* The control protocol's codec: framing, what is refused before anything changes, printing. */
#include "ctl/ctl_frame.h"
#include "ctl/ctl_json.h"

#include <errno.h>
#include <string.h>

#include "ctl/ctl_member.h"
#include "lib/suite.h"

/* Feeds `text` to a frame scanner in portions of `step` bytes; writes what it finds, a letter
 * each: o for an object, g for garbage, c for too complex. */
static const char *frames(const char *text, size_t len, size_t step)
{
	static char found[64];
	struct ctl_frame f = { 0 };
	size_t start = 0, used, n = 0;

	memset(found, 0, sizeof(found));
	for (size_t end = 0; end < len;) {
		enum ctl_frame_found what;

		end = end + step < len ? end + step : len;
		do {
			start += ctl_frame_skip(&f, text + start, end - start);
			what = ctl_frame_scan(&f, text + start, end - start, &used);
			start += used;
			ck_assert_uint_lt(n + 1, sizeof(found));
			if (what != CTL_FRAME_MORE)
				found[n++] = "-ogc"[what];
			if (what == CTL_FRAME_TOO_COMPLEX)
				return found;
		} while (what != CTL_FRAME_MORE);
	}
	return found;
}

static void assert_frames(const char *text, const char *want)
{
	for (size_t step = 1; step <= strlen(text); step++)
		ck_assert_str_eq(frames(text, strlen(text), step), want);
}

START_TEST(frame_boundaries)
{
	assert_frames("{}", "o");
	assert_frames("{}{}\r\n{ }", "ooo");
	assert_frames("  {\"a\": [1, {\"b\": {}}]}\n", "o");
	assert_frames("{\"a\": \"}\"}", "o");
	assert_frames("{\"a\": \"\\\"}\"}{}", "oo");
	assert_frames("{\"a\": \"\\\\\"}{}", "oo");
	assert_frames("{\"a\": [", "");
	assert_frames("{\n\"a\":\n1\n}\n", "o");
	assert_frames("", "");
	assert_frames(" \r\n\t ", "");
}
END_TEST

START_TEST(frame_garbage)
{
	assert_frames("nonsense {}\n{}", "go"); /* to the end of its line */
	assert_frames("5\n\"x\"\n[]\n{}", "gggo");
	assert_frames("{}}\n{}", "ogo");
	assert_frames("{\"a\": \x01{}", "go"); /* a control character begins afresh */
	assert_frames("{\"a\": \"\xff{}", "go");
	assert_frames("{\"a\": \"\xfe{}", "go");
	assert_frames("foo\xff{}", "go");
	assert_frames("{\"a\": \"b\nc\n{}", "ggo"); /* no string goes over a line's end */
	assert_frames("\x01\x02", "gg");
	ck_assert_str_eq(frames("\0\0", 2, 1), "gg");
}
END_TEST

START_TEST(frame_depth)
{
	char text[CTL_DEPTH_MAX * 2 + 16];

	memset(text, 0, sizeof(text));
	text[0] = '{';
	memset(text + 1, '[', CTL_DEPTH_MAX - 1);
	memset(text + CTL_DEPTH_MAX, ']', CTL_DEPTH_MAX - 1);
	strcat(text, "}");
	assert_frames(text, "o");
	text[CTL_DEPTH_MAX] = '[';
	assert_frames(text, "c");
}
END_TEST

START_TEST(frame_commas)
{
	struct ctl_frame f = { .max_commas = 2 };
	static const char fine[] = "{\"a,,,,\": 1, 2, 3}", more[] = "{1, 2, 3, 4}";
	size_t used;

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(ctl_frame_scan(&f, fine, strlen(fine), &used),
				 CTL_FRAME_OBJECT);
	ck_assert_int_eq(ctl_frame_scan(&f, more, strlen(more), &used), CTL_FRAME_TOO_COMPLEX);
	f = (struct ctl_frame){ .max_commas = 0 };
	ck_assert_int_eq(ctl_frame_scan(&f, more, strlen(more), &used), CTL_FRAME_OBJECT);
}
END_TEST

/* Decoding */

struct thing {
#define THING_HAS_COUNT 0x1u
#define THING_HAS_LIST	0x2u
#define THING_HAS_REST	0x4u
	uint32_t has;
	bool flag;
	uint64_t count;
	uint16_t port;
	const char *text;
	unsigned choice;
	struct endpoint end;
	struct mac mac;
	struct ctl_list list; /* struct addr */
	const struct ctl_value *rest;
};

static const char *const choices[] = { "one", "two", NULL };

static const struct ctl_field end_fields[] = {
	{ .name = "addr", .kind = CTL_ADDR, .offset = offsetof(struct endpoint, addr) },
	{ .name = "port", .kind = CTL_PORT, .offset = offsetof(struct endpoint, port) },
};
static const struct ctl_message end_message = { sizeof(struct endpoint), end_fields, 2 };

static const struct ctl_field thing_fields[] = {
	{ .name = "flag", .kind = CTL_BOOL, .offset = offsetof(struct thing, flag) },
	{ .name = "count",
	  .kind = CTL_UINT,
	  .offset = offsetof(struct thing, count),
	  .min = 1,
	  .max = 10,
	  .has = THING_HAS_COUNT },
	{ .name = "text", .kind = CTL_TEXT, .offset = offsetof(struct thing, text) },
	{ .name = "choice",
	  .kind = CTL_CHOICE,
	  .offset = offsetof(struct thing, choice),
	  .names = choices },
	{ .name = "end",
	  .kind = CTL_OBJECT,
	  .offset = offsetof(struct thing, end),
	  .object = &end_message },
	{ .name = "mac", .kind = CTL_MAC, .offset = offsetof(struct thing, mac) },
	{ .name = "list",
	  .kind = CTL_ADDR,
	  .list = true,
	  .offset = offsetof(struct thing, list),
	  .has = THING_HAS_LIST },
	{ .name = "rest",
	  .kind = CTL_VALUE,
	  .offset = offsetof(struct thing, rest),
	  .has = THING_HAS_REST },
};
static const struct ctl_message thing_message = { sizeof(struct thing), thing_fields, 8 };

#define REST                                                                                   \
	"\"choice\": \"two\", \"end\": {\"addr\": \"2001:db8::1\", \"port\": 65535}, "         \
	"\"mac\": \"52:54:00:12:34:56\""
#define BASE "\"flag\": true, \"text\": \"x\", " REST

static struct ctl_doc *doc;
static struct thing thing;
static char error[CTL_ERROR_MAX];

/* Decodes as a request; the error, "" if there is none. */
static const char *decode(const char *text)
{
	ctl_doc_free(doc);
	error[0] = '\0';
	doc = ctl_doc_parse(text, strlen(text), error);
	if (doc &&
	    !ctl_doc_decode(doc, ctl_doc_root(doc), &thing_message, &thing, "argument", error))
		ck_assert_str_eq(error, "");
	else
		ck_assert_str_ne(error, "");
	return error;
}

static void end_decode(void)
{
	ctl_doc_free(doc);
	doc = NULL;
}

START_TEST(decode_all_kinds)
{
	const struct addr *list;

	ck_assert_str_eq(decode("{" BASE ", \"count\": 10, \"list\": [\"192.0.2.1\", \"::\"], "
				"\"rest\": null}"),
			 "");
	ck_assert_uint_eq(thing.has, THING_HAS_COUNT | THING_HAS_LIST | THING_HAS_REST);
	ck_assert(thing.flag);
	ck_assert_uint_eq(thing.count, 10);
	ck_assert_str_eq(thing.text, "x");
	ck_assert_uint_eq(thing.choice, 1);
	ck_assert_uint_eq(thing.end.port, 65535);
	ck_assert_uint_eq(thing.end.addr.b[0], 0x20);
	ck_assert_uint_eq(thing.mac.b[0], 0x52);
	ck_assert_uint_eq(thing.list.n, 2);
	list = thing.list.items;
	ck_assert_uint_eq(addr_get_ip4(&list[0]), 0xc0000201);
	ck_assert(addr_is_unspecified(&list[1]));
	ck_assert_str_eq(decode("{" BASE "}"), "");
	ck_assert_uint_eq(thing.has, 0);
	end_decode();
}
END_TEST

START_TEST(decode_refuses)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "{" BASE ", \"bad\": 1}", "argument 'bad' is not known" },
		{ "{" BASE ", \"flag\": true}", "argument 'flag' is given twice" },
		{ "{" BASE ", \"Count\": 1}", "argument 'Count' is not known" },
		{ "{\"text\": \"x\", " REST "}", "argument 'flag' is missing" },
		{ "{\"flag\": 1, \"text\": \"x\", " REST "}",
		  "argument 'flag' must be true or false" },
		{ "{" BASE ", \"count\": 0}",
		  "argument 'count' must be an integer from 1 to 10" },
		{ "{" BASE ", \"count\": 11}",
		  "argument 'count' must be an integer from 1 to 10" },
		{ "{" BASE ", \"count\": -1}",
		  "argument 'count' must be an integer from 1 to 10" },
		{ "{" BASE ", \"count\": 1.5}",
		  "argument 'count' must be an integer from 1 to 10" },
		{ "{" BASE ", \"count\": 1e999}",
		  "argument 'count' must be an integer from 1 to 10" },
		{ "{" BASE ", \"count\": \"1\"}",
		  "argument 'count' must be an integer from 1 to 10" },
		{ "{" BASE ", \"count\": null}",
		  "argument 'count' must be an integer from 1 to 10" },
		{ "{\"flag\": true, \"text\": 1, " REST "}",
		  "argument 'text' must be a string" },
		{ "{\"choice\": \"three\"}", "argument 'choice' must be one of: one, two" },
		{ "{\"choice\": 1}", "argument 'choice' must be one of: one, two" },
		{ "{\"end\": []}", "argument 'end' must be an object" },
		{ "{\"end\": {\"addr\": \"192.0.2.256\"}}",
		  "argument 'addr' must be an IP address" },
		{ "{\"end\": {\"port\": 65536}}",
		  "argument 'port' must be an integer from 0 to 65535" },
		{ "{\"end\": {\"port\": 1}}", "argument 'addr' is missing" },
		{ "{\"mac\": \"52:54:00:12:34\"}", "argument 'mac' must be a MAC address" },
		{ "{\"list\": {}}", "argument 'list' must be an array" },
		{ "{\"list\": [\"192.0.2.1\", 5]}", "argument 'list' must be a string" },
		{ "{\"flag\": true", "the text is not JSON" },
		{ "{} x", "the text is not JSON" },
		{ "{\"a\" 1}", "the text is not JSON" },
		{ "{,}", "the text is not JSON" },
		{ "{\"a\": \"\\ud800\"}", "the text is not JSON" },
		{ "[]", "the text is not a JSON object" },
		{ "{\"text\": \"\xff\"}", "the text is not UTF-8" },
		{ "{\"text\": \"a\\u0000b\"}", "a string contains a zero character" },
		{ "{\"te\\u0000xt\": \"a\"}", "a string contains a zero character" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_str_eq(decode(rows[i].text), rows[i].error);
	/* a backslash, then letters */
	ck_assert_str_eq(decode("{\"flag\": true, \"text\": \"\\\\u0000\", " REST "}"), "");
	ck_assert_str_eq(thing.text, "\\u0000");
	ck_assert_ptr_null(ctl_doc_parse("{\0}", 3, error));
	end_decode();
}
END_TEST

struct pair {
#define PAIR_HAS_ERROR 0x1u
	uint32_t has;
	const char *text;
	uint64_t number;
};

static const struct ctl_field pair_fields[] = {
	MEMBER(pair, text, "text", CTL_TEXT, .has = PAIR_HAS_ERROR),
	MEMBER(pair, number, "number", CTL_UINT, .has = PAIR_HAS_ERROR),
};
static MESSAGE(pair);

/* Members with one flag come together or not at all: who sees the flag reads all of them. */
START_TEST(members_that_go_together)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "{}", "" },
		{ "{\"text\": \"x\", \"number\": 1}", "" },
		{ "{\"number\": 1}", "argument 'text' is missing" },
		{ "{\"text\": \"x\"}", "argument 'number' is missing" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_doc *d = ctl_doc_parse(rows[i].text, strlen(rows[i].text), error);
		struct pair pair;
		int rc = ctl_doc_decode(d, ctl_doc_root(d), &pair_message, &pair, "argument",
					error);

		ck_assert_str_eq(rc ? error : "", rows[i].error);
		ctl_doc_free(d);
	}
}
END_TEST

/* What cJSON takes and JSON does not have (RFC 8259 6, 7). */
START_TEST(numbers_and_escapes)
{
	static const char *const wrong[] = {
		"{\"a\": \"\\uzzzz\"}",
		"{\"a\": \"\\u12\"}",
		"{\"a\": \"\\u123\"",
		"{\"a\": \"\\x\"}",
		"{\"a\": 01}",
		"{\"a\": -01}",
		"{\"a\": 1.}",
		"{\"a\": -.5}",
		"{\"a\": 1.e5}",
		"{\"a\": 1e}",
		"{\"a\": 1e+}",
		"{\"a\": -}",
		"{\"a\": 1.5.5}",
		"{\"a\": 1-2}",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_str_eq(decode(wrong[i]), "the text is not JSON");
	ck_assert_str_eq(decode("{" BASE ", \"count\": 1.0e0, \"bad\": [0, -0.5E-3, 10, 1e+05, -1]}"),
			 "argument 'bad' is not known");
	ck_assert_str_eq(decode("{\"flag\": true, \"text\": \"\\u00E9\\u0041 01 1.\", " REST "}"), "");
	ck_assert_str_eq(thing.text, "\u00e9" "A 01 1.");
	end_decode();
}
END_TEST

START_TEST(replies_may_have_more)
{
	static const char text[] = "{" BASE ", \"new\": {\"a\": 1}, \"new\": 2}";

	doc = ctl_doc_parse(text, strlen(text), error);
	ck_assert_ptr_nonnull(doc);
	ck_assert_int_eq(
		ctl_doc_decode(doc, ctl_doc_root(doc), &thing_message, &thing, NULL, error), 0);
	ck_assert_str_eq(thing.text, "x");
	end_decode();
}
END_TEST

/* Printing */

static const char *printed(struct ctl_buf *b)
{
	ctl_buf_append(b, "", 1);
	ck_assert(!b->failed);
	return ctl_buf_text(b);
}

START_TEST(print_what_was_decoded)
{
	static const char text[] =
		"{\"flag\":true,\"count\":7,\"text\":\"a\\\"\\\\\\n\\u00e9"
		"\\ud83d\\ude00\\u007f/\",\"choice\":\"one\","
		"\"end\":{\"addr\":\"192.0.2.1\",\"port\":80},"
		"\"mac\":\"52:54:00:12:34:56\",\"list\":[\"192.0.2.1\",\"::1\"]}";
	struct ctl_buf b = ctl_buf_init(4096);

	ck_assert_str_eq(decode(text), "");
	ctl_json_print(&b, &thing_message, &thing);
	ck_assert_str_eq(printed(&b), text);
	ctl_buf_free(&b);
	end_decode();
}
END_TEST

START_TEST(print_hostile_strings)
{
	struct thing t = { .text = "\x1b[31m\xff\xc3(\x80" };
	struct ctl_buf b = ctl_buf_init(4096);

	ctl_json_print(&b, &thing_message, &t);
	ck_assert_ptr_nonnull(strstr(printed(&b), "\"\\u001b[31m\\ufffd\\ufffd(\\ufffd\""));
	ctl_buf_free(&b);
}
END_TEST

START_TEST(print_large_numbers_exactly)
{
	struct ctl_counter c = { "n", CTL_COUNTER, UINT64_MAX, "d" };
	struct ctl_buf b = ctl_buf_init(4096);

	ctl_json_print(&b, &ctl_counter_message, &c);
	ck_assert_str_eq(
		printed(&b),
		"{\"name\":\"n\",\"kind\":\"counter\",\"value\":18446744073709551615,\"description\":\"d\"}");
	ctl_buf_free(&b);
}
END_TEST

START_TEST(buffer_is_bounded)
{
	struct ctl_buf b = ctl_buf_init(10);

	ctl_buf_puts(&b, "0123456");
	ctl_buf_consume(&b, 3);
	ctl_buf_puts(&b, "789abc");
	ck_assert_uint_eq(ctl_buf_len(&b), 10);
	ck_assert(!memcmp(ctl_buf_text(&b), "3456789abc", 10));
	ck_assert(!b.failed);
	ctl_buf_puts(&b, "x");
	ck_assert(b.failed);
	ck_assert_uint_eq(ctl_buf_len(&b), 10);
	ctl_buf_consume(&b, 10);
	ck_assert_uint_eq(ctl_buf_len(&b), 0);
	ctl_buf_free(&b);
}
END_TEST

START_TEST(empty_buffer_is_small)
{
	struct ctl_buf b = ctl_buf_init(100000);
	static char text[50000];

	ctl_buf_append(&b, text, sizeof(text));
	ck_assert_uint_ge(b.cap, sizeof(text));
	ctl_buf_consume(&b, sizeof(text));
	ck_assert_uint_le(b.cap, 4096);
	ctl_buf_free(&b);
}
END_TEST

static void assert_echo(const char *text, const char *want)
{
	struct ctl_buf b = ctl_buf_init(4096);
	struct ctl_request r;

	doc = ctl_doc_parse(text, strlen(text), error);
	ck_assert_ptr_nonnull(doc);
	ck_assert_int_eq(ctl_doc_decode(doc, ctl_doc_root(doc), &ctl_request_message, &r,
					"request member", error),
			 0);
	ctl_doc_echo(doc, r.id, &b);
	ck_assert_str_eq(printed(&b), want);
	ctl_buf_free(&b);
	end_decode();
}

START_TEST(echo_is_exact)
{
	assert_echo("{\"id\": 1, \"execute\": \"x\"}", "1");
	assert_echo("{\"execute\": \"x\", \"id\":12345678901234567890123}",
		    "12345678901234567890123");
	assert_echo("{\"execute\": \"},\\\"id\\\": 5\", \"id\": \"a,}\\\"\\\\\" }",
		    "\"a,}\\\"\\\\\"");
	assert_echo("{ \"arguments\" : {\"id\": [2, 3]}, \"i\\u0064\" : [1, {\"b\": "
		    "\"]\"},\n\t2.50] , "
		    "\"execute\": \"x\"}",
		    "[1, {\"b\": \"]\"},  2.50]");
	assert_echo("{\"execute\": \"x\", \"id\": \"\xc3\xa9\"}", "\"\\u00e9\"");
	assert_echo("{\"execute\": \"x\", \"id\": null}", "null");
}
END_TEST

SUITE_MAIN("ctl_json", frame_boundaries, frame_garbage, frame_depth, frame_commas,
	   decode_all_kinds, decode_refuses, members_that_go_together, numbers_and_escapes,
	   replies_may_have_more, print_what_was_decoded, print_hostile_strings, print_large_numbers_exactly, buffer_is_bounded,
	   empty_buffer_is_small, echo_is_exact)
