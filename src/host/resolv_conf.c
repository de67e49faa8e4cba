/* host/resolv_conf.c: reads resolv.conf(5). */
#include "host/resolv_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/name.h"

#define FILE_MAX (64 * 1024) /* what follows is ignored */

/* A word of a line, and where the next one starts. */
struct word {
	const char *text;
	size_t len;
};

static bool next_word(const char **p, const char *end, struct word *w)
{
	while (*p < end && (**p == ' ' || **p == '\t' || **p == '\r'))
		(*p)++;
	w->text = *p;
	while (*p < end && **p != ' ' && **p != '\t' && **p != '\r')
		(*p)++;
	w->len = (size_t)(*p - w->text);
	return w->len;
}

static bool word_is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && !memcmp(w->text, text, w->len);
}

static void add_server(struct resolv_conf *rc, const struct word *w)
{
	char text[UPSTREAM_STR_MAX], *link = text;
	struct upstream u = { .link = "" };

	if (w->len >= sizeof(text) || rc->n_servers == NET_UPSTREAMS_MAX)
		return;
	memcpy(text, w->text, w->len);
	text[w->len] = '\0';
	strsep(&link, "%");
	if (addr_parse(text, &u.addr) || addr_is_multicast(&u.addr))
		return;
	if (link && (!addr_is_link_local(&u.addr) || addr_is_ip4(&u.addr) ||
		     strlen(link) >= sizeof(u.link)))
		return;
	if (link)
		strcpy(u.link, link);
	if (addr_is_unspecified(&u.addr)) /* what the C library takes for this host */
		u.addr = addr_ip4(0x7f000001);
	for (unsigned i = 0; i < rc->n_servers; i++)
		if (upstream_eq(&rc->servers[i], &u))
			return;
	rc->servers[rc->n_servers++] = u;
}

/* The last of several lines counts. */
static void set_search(struct resolv_conf *rc, const char *p, const char *end)
{
	struct word w;

	rc->n_search = 0;
	while (rc->n_search < CONF_SEARCH_MAX && next_word(&p, end, &w))
		if (!name_parse(w.text, w.len, rc->search[rc->n_search], CONF_NAME_MAX))
			rc->n_search++;
}

static void parse_line(struct resolv_conf *rc, const char *p, const char *end)
{
	struct word keyword, value;

	if (!next_word(&p, end, &keyword))
		return;
	if (word_is(&keyword, "nameserver")) {
		if (next_word(&p, end, &value))
			add_server(rc, &value);
	} else if (word_is(&keyword, "search") || word_is(&keyword, "domain")) {
		set_search(rc, p, end);
	}
}

void resolv_conf_parse(const char *text, size_t len, struct resolv_conf *rc)
{
	const char *end = text + len;

	rc->n_servers = rc->n_search = 0;
	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));

		if (!eol)
			eol = end;
		parse_line(rc, text, eol);
		text = eol + (eol < end);
	}
}

int resolv_conf_read(const char *path, struct resolv_conf *rc)
{
	static char text[FILE_MAX];
	size_t len = 0;
	ssize_t n = 0;
	int fd, err;

	rc->n_servers = rc->n_search = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while (len < sizeof(text) && (n = read(fd, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	err = n < 0 ? -errno : 0;
	close(fd);
	if (!err)
		resolv_conf_parse(text, len, rc);
	return err;
}
