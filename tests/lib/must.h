/* lib/must.h: assertions of what suites and fuzz targets share; Check's own work only within
 * its runner. */
#ifndef TESTS_LIB_MUST_H
#define TESTS_LIB_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define must(condition)                                                                        \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,             \
				#condition);                                                   \
			abort();                                                               \
		}                                                                              \
	} while (0)

#endif
