/* base/num_test.c
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/test.h"

static void overflow_is_noticed(void **state)
{
	uint64_t v = 7;

	assert_false(checked_add(UINT64_MAX, 1, &v));
	assert_false(checked_mul(1ull << 33, 1ull << 31, &v));
	assert_int_equal(v, 7);
	assert_true(checked_mul(1ull << 32, 1ull << 31, &v));
	assert_true(v == 1ull << 63);
}

static void numbers_have_three_bases_and_limits(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },		 { "17", 0, 17 },
		{ "0x1F", 0, 31 },	 { "010", 0, 8 },
		{ "256", 0, 256 },	 { "257", -ERANGE, 0 },
		{ "", -EINVAL, 0 },	 { "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },	 { "1x", -EINVAL, 0 },
		{ "0x", -EINVAL, 0 },	 { "09", -EINVAL, 0 },
		{ "99999999999999999999", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e;
		uint64_t v = 0;

		assert_int_equal(parse_u64("n", rows[i].text, 0, 256, &v, &e),
				 rows[i].result);
		assert_true(v == rows[i].value);
	}
}

static void a_refused_number_names_thing_value_and_limit(void **state)
{
	struct err e;
	uint64_t v;

	(void)parse_u64("port", "70000", 1, 65535, &v, &e);
	assert_string_equal(e.text, "port: 70000 is over 65535");
	(void)parse_u64("port", "0", 1, 65535, &v, &e);
	assert_string_equal(e.text, "port: 0 is under 1");
}

static void sizes_take_suffixes_and_fractions(void **state)
{
	static const struct {
		const char *text;
		uint64_t unit;
		int result;
		uint64_t value;
	} rows[] = {
		{ "128", MiB, 0, 128 * MiB },
		{ "128", 1, 0, 128 },
		{ "1.5G", 1, 0, 3 * GiB / 2 },
		{ "64k", MiB, 0, 64 * KiB },
		{ "10b", MiB, 0, 10 },
		{ "0.5", MiB, 0, 512 * KiB },
		{ "1.", 1, 0, 1 },
		{ "0x10", KiB, 0, 16 * KiB },
		{ "15E", 1, 0, 15ull << 60 },
		{ "1.0000000000000000000000001K", 1, 0, 1024 },
		{ "16E", 1, -ERANGE, 0 },
		{ "1q", 1, -EINVAL, 0 },
		{ "1KB", 1, -EINVAL, 0 },
		{ ".5G", 1, -EINVAL, 0 },
		{ "-1G", 1, -EINVAL, 0 },
		{ "", 1, -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e;
		uint64_t v = 0;

		assert_int_equal(parse_size("m", rows[i].text, rows[i].unit,
					    &v, &e), rows[i].result);
		assert_true(v == rows[i].value);
	}
}

static void booleans_are_words(void **state)
{
	struct err e;
	bool v = false;

	assert_int_equal(parse_bool("server", "yes", &v, &e), 0);
	assert_true(v);
	assert_int_equal(parse_bool("server", "off", &v, &e), 0);
	assert_false(v);
	assert_int_equal(parse_bool("server", "1", &v, &e), -EINVAL);
	assert_string_equal(e.text, "server: '1' is neither 'on' nor 'off'");
}

TEST_MAIN("num", TEST(overflow_is_noticed),
	  TEST(numbers_have_three_bases_and_limits),
	  TEST(a_refused_number_names_thing_value_and_limit),
	  TEST(sizes_take_suffixes_and_fractions),
	  TEST(booleans_are_words))
