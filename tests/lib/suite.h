/* lib/suite.h: the main() of a Check suite. */
#ifndef TESTS_LIB_SUITE_H
#define TESTS_LIB_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Defines main() for one suite of plain test functions, each made with START_TEST. */
#define SUITE_MAIN(name, ...)                                                                  \
	int main(void)                                                                         \
	{                                                                                      \
		const TTest *tests[] = { __VA_ARGS__ };                                        \
		Suite *s = suite_create(name);                                                 \
		TCase *c = tcase_create(name);                                                 \
		SRunner *r;                                                                    \
		int failed;                                                                    \
											       \
		tcase_set_timeout(c, 120);                                                     \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                  \
			tcase_add_test(c, tests[i]);                                           \
		suite_add_tcase(s, c);                                                         \
		r = srunner_create(s);                                                         \
		srunner_run_all(r, CK_NORMAL);                                                 \
		failed = srunner_ntests_failed(r);                                             \
		srunner_free(r);                                                               \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                   \
	}

#endif
