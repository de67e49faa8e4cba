/* base/program.c: remembers the name that the program was called by. */
#include "base/program.h"

#include <string.h>

static bool is_passt;

void program_called(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path;

	is_passt = name && strstr(name, "passt");
}

const char *program_name(void)
{
	return is_passt ? "passt" : "postern";
}

bool program_is_passt(void)
{
	return is_passt;
}
