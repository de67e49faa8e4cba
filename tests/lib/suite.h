/* lib/suite.h: the main() of a Check suite. */
#ifndef TESTS_LIB_SUITE_H
#define TESTS_LIB_SUITE_H

#include <check.h>
#include <stdlib.h>

#include <stdio.h>

#define SUITE_SKIPPED 77 /* what Automake takes for a test that was skipped */

static inline int suite_run(const char *name, const TTest *const *tests, size_t n)
{
	Suite *s = suite_create(name);
	TCase *c = tcase_create(name);
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 120);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(c, tests[i]);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Defines main() for one suite of plain test functions, each made with START_TEST.  What they
 * need is made by prepare() first, which returns NULL, or why it cannot be had. */
#define SUITE_MAIN_AFTER(prepare, name, ...)                                                   \
	int main(void)                                                                         \
	{                                                                                      \
		const TTest *const tests[] = { __VA_ARGS__ };                                  \
		const char *why_not = prepare();                                               \
											       \
		if (why_not) {                                                                 \
			printf("skipped: %s\n", why_not);                                      \
			return SUITE_SKIPPED;                                                  \
		}                                                                              \
		return suite_run(name, tests, sizeof(tests) / sizeof(tests[0]));               \
	}

static inline const char *suite_needs_nothing(void)
{
	return NULL;
}

#define SUITE_MAIN(name, ...) SUITE_MAIN_AFTER(suite_needs_nothing, name, __VA_ARGS__)

#endif
