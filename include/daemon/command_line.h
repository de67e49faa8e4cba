/* daemon/command_line.h: our command line, as others see it in /proc. */
#ifndef DAEMON_COMMAND_LINE_H
#define DAEMON_COMMAND_LINE_H

/* Adds words, the last of them NULL, as if we had been started with them: what we were given in another
 * way is then found where it otherwise stands.  To be called once, while /proc is in sight.  0 or
 * -errno: -EINVAL where the kernel was built without CONFIG_CHECKPOINT_RESTORE. */
int command_line_add(int argc, char *const argv[], const char *const words[]);

#endif
