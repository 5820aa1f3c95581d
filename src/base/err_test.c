/* base/err_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"

static void context_goes_in_front(void **state)
{
	struct err e;

	assert_int_equal(fail(&e, EINVAL, "size %d is over %d", 9, 8), -EINVAL);
	err_prefix(&e, "disk%d", 0);
	assert_string_equal(e.text, "disk0: size 9 is over 8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(context_goes_in_front),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
