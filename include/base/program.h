/* base/program.h: by which name the program runs: its own, or that of the one it stands in for. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdbool.h>

/* Takes the name from the path that we were called by; NULL is no path. */
void program_called(const char *path);

/* "postern", or "passt" when the last part of that path has this in it. */
const char *program_name(void);

bool program_is_passt(void);

#endif
