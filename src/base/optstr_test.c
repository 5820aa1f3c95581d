/* base/optstr_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/optstr.h"
#include "base/test.h"

static struct optstr *parse(const char *s, const char *implied)
{
	struct optstr *o;

	assert_int_equal(optstr_parse(&o, s, implied, NULL), 0);
	return o;
}

static void values_are_found_by_key(void **state)
{
	struct optstr *o = parse("isa-serial,id=x,chardev=c=1", "driver");

	assert_string_equal(optstr_get(o, "driver"), "isa-serial");
	assert_string_equal(optstr_get(o, "id"), "x");
	assert_string_equal(optstr_get(o, "chardev"), "c=1");
	assert_null(optstr_get(o, "index"));
	assert_null(optstr_unused(o));
	optstr_free(o);

	o = parse("id=x,driver=y", "driver");
	assert_string_equal(optstr_get(o, "driver"), "y");
	optstr_free(o);
}

static void two_commas_are_one_of_the_value(void **state)
{
	struct optstr *o = parse("a,,b,path=c,,,,d,,,id=e", "first");

	assert_string_equal(optstr_get(o, "first"), "a,b");
	assert_string_equal(optstr_get(o, "path"), "c,,d,");
	assert_string_equal(optstr_get(o, "id"), "e");
	optstr_free(o);
}

static void bare_keys_are_flags(void **state)
{
	struct optstr *o = parse("socket,server,nowait,nodelay", "backend");
	bool server = false, wait = true, nodelay = false, telnet = true;

	assert_int_equal(optstr_bool(o, "server", &server, NULL), 0);
	assert_int_equal(optstr_bool(o, "wait", &wait, NULL), 0);
	assert_int_equal(optstr_bool(o, "nodelay", &nodelay, NULL), 0);
	assert_int_equal(optstr_bool(o, "telnet", &telnet, NULL), 0);
	assert_true(server);
	assert_false(wait);
	assert_true(nodelay);
	assert_true(telnet);
	optstr_free(o);
}

static void the_later_of_two_values_counts(void **state)
{
	struct optstr *o = parse("a,id=b,x=1,driver=c,id=d", "driver");
	const char *key, *value;

	assert_string_equal(optstr_get(o, "driver"), "c");
	assert_string_equal(optstr_get(o, "id"), "d");
	assert_true(optstr_at(o, 2, &key, &value));
	assert_false(optstr_at(o, 3, &key, &value));
	optstr_free(o);
}

static void mistakes_are_named(void **state)
{
	struct optstr *o;
	struct err e;
	uint64_t v = 5;

	assert_int_equal(optstr_parse(&o, "a,=b", NULL, &e), -EINVAL);
	assert_int_equal(optstr_parse(&o, "a,,b", NULL, &e), -EINVAL);

	o = parse("size=12x,cpus=70,path=,wait=maybe", NULL);
	assert_int_equal(optstr_size(o, "size", 1, &v, &e), -EINVAL);
	assert_int_equal(optstr_u64(o, "cpus", 1, 16, &v, &e), -ERANGE);
	assert_string_equal(e.text, "cpus: 70 is over 16");
	assert_int_equal(v, 5);
	assert_int_equal(optstr_finish(o, &e), -EINVAL);
	assert_string_equal(e.text, "key 'path' is unknown");
	optstr_free(o);
}

static void needed_keys_are_there_and_not_empty(void **state)
{
	struct optstr *o = parse("path=,host=h", NULL);
	const char *v;
	struct err e;

	assert_int_equal(optstr_need(o, "host", &v, &e), 0);
	assert_string_equal(v, "h");
	assert_int_equal(optstr_need(o, "path", &v, &e), -EINVAL);
	assert_string_equal(e.text, "path= is empty");
	assert_int_equal(optstr_need(o, "port", &v, &e), -EINVAL);
	assert_string_equal(e.text, "port= is missing");
	optstr_free(o);
}

static void help_is_a_flag_or_the_implied_value(void **state)
{
	static const struct {
		const char *text;
		bool help;
	} rows[] = {
		{ "help", true },	 { "?", true },
		{ "isa-serial,help", true }, { "isa-serial,?", true },
		{ "isa-serial", false }, { "isa-serial,name=help", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct optstr *o = parse(rows[i].text, "driver");

		assert_int_equal(optstr_wants_help(o), rows[i].help);
		optstr_free(o);
	}
}

static void pairs_keep_their_order(void **state)
{
	struct optstr *o = parse("z=1,a=2", NULL);
	const char *k, *v;

	assert_true(optstr_at(o, 0, &k, &v));
	assert_string_equal(k, "z");
	assert_true(optstr_at(o, 1, &k, &v));
	assert_string_equal(v, "2");
	assert_false(optstr_at(o, 2, &k, &v));
	assert_string_equal(optstr_unused(o), "z");
	optstr_use(o, 0);
	assert_string_equal(optstr_unused(o), "a");
	optstr_free(o);
}

TEST_MAIN("optstr", TEST(values_are_found_by_key),
	  TEST(two_commas_are_one_of_the_value), TEST(bare_keys_are_flags),
	  TEST(the_later_of_two_values_counts),
	  TEST(mistakes_are_named), TEST(needed_keys_are_there_and_not_empty),
	  TEST(help_is_a_flag_or_the_implied_value),
	  TEST(pairs_keep_their_order))
