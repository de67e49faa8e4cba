/* daemon/pid_file.h: the file that tells others which process to signal. */
#ifndef DAEMON_PID_FILE_H
#define DAEMON_PID_FILE_H

#include <stdbool.h>

#include "daemon/own_file.h"

struct pid_file {
	struct own_file file;
	int fd;	   /* -1: none */
	bool made; /* by us: it was not there */
};

#define PID_FILE_NONE ((struct pid_file){ .file = { .fd_dir = -1 }, .fd = -1 })

/* Makes the file, or takes one that is there, whose content stays for now: who waits for the
 * process id may have made it.  0 or -errno. */
int pid_file_open(struct pid_file *p, const char *path);

/* Makes the file again if it has gone since: who held it may have ended only then.  0 or -errno. */
int pid_file_reopen(struct pid_file *p, const char *path);

/* Writes this process's id and a newline, in place of what was there.  0 or -errno. */
int pid_file_write(struct pid_file *p);

/* Removes the file, if it still names this process, or no one yet and we made it, and closes it.  One that we may not remove is
 * left empty.  Fine without one. */
void pid_file_remove(struct pid_file *p);

#endif
