/* daemon/command_line.c: moves the command line that the kernel shows (prctl(2), PR_SET_MM_MAP). */
#include "daemon/command_line.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Of /proc/self/stat, in the words and numbers of proc(5). */
enum {
	STAT_PPID = 4, /* the first number behind the name */
	STAT_STARTCODE = 26,
	STAT_ENDCODE = 27,
	STAT_STARTSTACK = 28,
	STAT_START_DATA = 45,
	STAT_END_DATA = 46,
	STAT_START_BRK = 47,
	STAT_ENV_START = 50,
	STAT_ENV_END = 51,
	N_STATS
};

static int read_stat(uint64_t stat[static N_STATS])
{
	FILE *f = fopen("/proc/self/stat", "re");
	char text[2048], *p;
	size_t len = 0;

	if (!f)
		return -errno;
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	p = strrchr(text, ')'); /* the end of the name, which may have any characters */
	if (!p || strlen(p) < 3)
		return -EINVAL;
	p += 3; /* and the state */
	for (int i = STAT_PPID; i < N_STATS; i++)
		stat[i] = strtoull(p, &p, 10);
	return stat[STAT_ENV_END] ? 0 : -EINVAL;
}

/* Appends a word with its zero behind `len` bytes; how many there are then. */
static size_t append(char *text, size_t len, const char *word)
{
	if (text)
		strcpy(text + len, word);
	return len + strlen(word) + 1;
}

/* Without a text, how many bytes it takes. */
static size_t write_words(char *text, int argc, char *const argv[], const char *const words[])
{
	size_t len = 0;

	for (int i = 0; i < argc; i++)
		len = append(text, len, argv[i]);
	for (; *words; words++)
		len = append(text, len, *words);
	return len;
}

int command_line_add(int argc, char *const argv[], const char *const words[])
{
	static char *shown; /* what the kernel looks at */
	size_t len = write_words(NULL, argc, argv, words);
	uint64_t stat[N_STATS];
	struct prctl_mm_map map;
	int rc = read_stat(stat);

	if (rc)
		return rc;
	shown = malloc(len);
	if (!shown)
		return -ENOMEM;
	write_words(shown, argc, argv, words);
	map = (struct prctl_mm_map){ .start_code = stat[STAT_STARTCODE],
				     .end_code = stat[STAT_ENDCODE],
				     .start_data = stat[STAT_START_DATA],
				     .end_data = stat[STAT_END_DATA],
				     .start_brk = stat[STAT_START_BRK],
				     .brk = (uintptr_t)sbrk(0),
				     .start_stack = stat[STAT_STARTSTACK],
				     .arg_start = (uintptr_t)shown,
				     .arg_end = (uintptr_t)shown + len,
				     .env_start = stat[STAT_ENV_START],
				     .env_end = stat[STAT_ENV_END],
				     .exe_fd = (uint32_t)-1 };
	if (!prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0))
		return 0;
	rc = -errno;
	free(shown);
	return rc;
}
