/* base/test.h - cmocka with its prerequisites, less the macro that hides our
 * own fail().  Unit tests include this and nothing of cmocka's directly.
 *
 *   static void a_sentence_about_the_behaviour(void **state) { ... }
 *   TEST_MAIN("noun", TEST(a_sentence_about_the_behaviour), ...)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_TEST_H
#define BASE_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#define TEST(fn) cmocka_unit_test(fn)
#define TEST_MAIN(name, ...)                                                  \
	int main(void)                                                        \
	{                                                                     \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };            \
									      \
		return cmocka_run_group_tests_name(name, tests, NULL, NULL);  \
	}
#endif
