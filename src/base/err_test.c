/* base/err_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "base/err.h"
#include "base/test.h"

static void context_goes_in_front(void **state)
{
	struct err e;

	assert_int_equal(fail(&e, EINVAL, "size %d is over %d", 9, 8), -EINVAL);
	err_prefix(&e, "disk%d", 0);
	assert_string_equal(e.text, "disk0: size 9 is over 8");
}

TEST_MAIN("err", TEST(context_goes_in_front))
