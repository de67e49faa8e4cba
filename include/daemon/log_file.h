/* daemon/log_file.h: a log file that never outgrows its limit. */
#ifndef DAEMON_LOG_FILE_H
#define DAEMON_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct log_file {
	int fd;
	size_t size, max; /* bytes */
	bool regular;	  /* what can be cut; a terminal or pipe cannot */
};

/* Opens `path` for appending and writes a header line.  0 or -errno. */
int log_file_open(struct log_file *f, const char *path, size_t max);

/* Appends a line with the time in front.  When the file is full, its oldest third is cut off
 * first and a new header put in front of the rest.  A line that cannot be written is lost: the
 * log is never waited for. */
void log_file_write(struct log_file *f, const char *line);

void log_file_close(struct log_file *f);

#endif
