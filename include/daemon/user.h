/* daemon/user.h: which user the process is, and becoming another one. */
#ifndef DAEMON_USER_H
#define DAEMON_USER_H

#include <sys/types.h>

/* Reads "UID", whose group has the same number, "UID:GID", "LOGIN", in its own group, or
 * "LOGIN:GROUP".  0; -EINVAL when there is no such user or group, or it is root. */
int user_parse(const char *text, uid_t *uid, gid_t *gid);

/* The user whom nothing belongs to. */
void user_nobody(uid_t *uid, gid_t *gid);

/* Becomes that user, who keeps the capabilities that the process has, and cannot look into it.  0 or
 * -errno: -EINVAL when there is none of this number in our user namespace. */
int user_become(uid_t uid, gid_t gid);

#endif
