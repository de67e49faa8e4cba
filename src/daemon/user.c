/* daemon/user.c: looks users up, and changes to one. */
#include "daemon/user.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/option_value.h"

#define LOGIN_MAX 256
#define NOBODY	  65534 /* where no file tells (the kernel's overflowuid) */

/* A number of a user or group: neither root nor the one that stands for none (setresuid(2)). */
static int read_id(const char *text, unsigned *id)
{
	return value_number(text, 1, UINT32_MAX - 1, id);
}

/* With its group, unless that is named apart. */
static int read_user(const char *text, uid_t *uid, gid_t *gid)
{
	const struct passwd *user;

	if (!read_id(text, uid)) {
		*gid = *uid;
		return 0;
	}
	user = getpwnam(text);
	if (!user || !user->pw_uid)
		return -EINVAL;
	*uid = user->pw_uid;
	*gid = user->pw_gid;
	return 0;
}

static int read_group(const char *text, gid_t *gid)
{
	const struct group *group;

	if (!read_id(text, gid))
		return 0;
	group = getgrnam(text);
	if (!group)
		return -EINVAL;
	*gid = group->gr_gid;
	return 0;
}

int user_parse(const char *text, uid_t *uid, gid_t *gid)
{
	const char *colon = strchrnul(text, ':');
	char login[LOGIN_MAX];
	size_t len = (size_t)(colon - text);

	if (len >= sizeof(login))
		return -EINVAL;
	memcpy(login, text, len);
	login[len] = '\0';
	if (read_user(login, uid, gid) || (*colon && read_group(colon + 1, gid)))
		return -EINVAL;
	return *gid ? 0 : -EINVAL;
}

void user_nobody(uid_t *uid, gid_t *gid)
{
	if (user_parse("nobody", uid, gid))
		*uid = *gid = NOBODY;
}

/* The other groups go, where that is not forbidden altogether (user_namespaces(7), "setgroups"). */
static int drop_groups(void)
{
	return setgroups(0, NULL) && errno != EPERM ? -errno : 0;
}

int user_become(uid_t uid, gid_t gid)
{
	capng_get_caps_process();
	/* else they go with root */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return -errno;
	if (drop_groups() || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	errno = EPERM; /* where the library itself refuses */
	return capng_apply(CAPNG_SELECT_CAPS) ? -errno : 0;
}
