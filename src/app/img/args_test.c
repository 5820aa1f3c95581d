/* app/img/args_test.c
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <unistd.h>

#include "app/img/args.h"
#include "base/test.h"

struct sample {
	bool quiet, share;
	const char *format, *output;
	char *options;
};

static const struct arg_row rows[] = {
	{ 'h', "help", ARG_HELP, 0 },
	{ 'q', NULL, ARG_FLAG, offsetof(struct sample, quiet) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct sample, share) },
	{ 'f', "format", ARG_TEXT, offsetof(struct sample, format) },
	{ 0, "output", ARG_TEXT, offsetof(struct sample, output) },
	{ 'o', NULL, ARG_LIST, offsetof(struct sample, options) },
	{ 0, "object", ARG_ABSENT, 0 },
	{ 0, NULL, ARG_FLAG, 0 },
};

static int words(char *argv[])
{
	int n = 0;

	while (argv[n])
		n++;
	return n;
}

static void options_stand_anywhere_and_lists_are_joined(void **state)
{
	char *argv[] = { "x", "one", "-qUfraw", "-o", "a=1", "two",
			 "--outp=json", "-ob=2", "--", "-q", NULL };
	struct sample s = { 0 };
	int first;

	assert_int_equal(args_parse(rows, &s, words(argv), argv, &first),
			 ARGS_OK);
	assert_true(s.quiet && s.share);
	assert_string_equal(s.format, "raw");
	assert_string_equal(s.output, "json");
	assert_string_equal(s.options, "a=1,b=2");
	assert_string_equal(argv[first], "one");
	assert_string_equal(argv[first + 1], "two");
	assert_string_equal(argv[first + 2], "-q");
	args_free(rows, &s);
	assert_null(s.options);
}

/* With stderr away: the messages are compared by tests/img. */
static enum args_result quietly(char *argv[])
{
	int keep = dup(2), null = open("/dev/null", O_WRONLY), first;
	struct sample s = { 0 };
	enum args_result r;

	dup2(null, 2);
	r = args_parse(rows, &s, words(argv), argv, &first);
	dup2(keep, 2);
	close(keep);
	close(null);
	args_free(rows, &s);
	return r;
}

static void what_is_not_in_the_table_is_refused(void **state)
{
	assert_int_equal(quietly((char *[]){ "x", "-z", NULL }), ARGS_WRONG);
	assert_int_equal(quietly((char *[]){ "x", "--zz", NULL }), ARGS_WRONG);
	assert_int_equal(quietly((char *[]){ "x", "-f", NULL }), ARGS_WRONG);
	assert_int_equal(quietly((char *[]){ "x", "--output", NULL }),
			 ARGS_WRONG);
	assert_int_equal(quietly((char *[]){ "x", "--object", "y", NULL }),
			 ARGS_WRONG);
	assert_int_equal(quietly((char *[]){ "x", "-q", "-h", "-z", NULL }),
			 ARGS_HELPED);
	assert_int_equal(quietly((char *[]){ "x", "--help", NULL }),
			 ARGS_HELPED);
}

TEST_MAIN("args", TEST(options_stand_anywhere_and_lists_are_joined),
	  TEST(what_is_not_in_the_table_is_refused))
