/* base/log_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/test.h"

static void categories_are_found_by_name(void **state)
{
	struct err e;

	log_mask = 0;
	assert_int_equal(log_set_categories("int,guest_errors", &e), 0);
	assert_int_equal(log_mask, LOG_INT | LOG_GUEST_ERRORS);
	assert_true(log_on(LOG_INT));
	assert_false(log_on(LOG_EXEC));
}

static void bad_categories_are_named_and_change_nothing(void **state)
{
	struct err e;

	log_mask = 0;
	assert_int_equal(log_set_categories("int,bogus", &e), -EINVAL);
	assert_non_null(strstr(e.text, "'bogus'"));
	assert_int_equal(log_set_categories("op_opt", &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "op_opt"));
	assert_int_equal(log_set_categories("", &e), -EINVAL);
	assert_int_equal(log_mask, 0);
}

static void help_rows_are_those_that_can_be_set(void **state)
{
	const char *name, *help;
	struct err e;
	unsigned n = 0;

	while (log_category_row(n, &name, &help)) {
		assert_int_equal(log_set_categories(name, &e), 0);
		assert_non_null(help);
		n++;
	}
	assert_int_equal(n, 9);
}

static unsigned count_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;
	int c;

	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void one_site_writes_a_bounded_number_of_lines(void **state)
{
	char path[] = "/tmp/husk-log-XXXXXX";
	struct err e;
	unsigned n;

	close(mkstemp(path));
	assert_int_equal(log_set_file(path, &e), 0);
	log_mask = LOG_GUEST_ERRORS;
	for (int i = 0; i < 1000; i++)
		log_guest("bad write %d", i);
	log_write(LOG_INT, "this category is off");
	n = count_lines(path);
	unlink(path);
	/* The second may turn over in between. */
	assert_in_range(n, LOG_SITE_LINES, 2 * LOG_SITE_LINES);
}

TEST_MAIN("log", TEST(categories_are_found_by_name),
	  TEST(bad_categories_are_named_and_change_nothing),
	  TEST(help_rows_are_those_that_can_be_set),
	  TEST(one_site_writes_a_bounded_number_of_lines))
