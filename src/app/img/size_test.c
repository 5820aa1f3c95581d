/* app/img/size_test.c
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>

#include "app/img/size.h"
#include "base/bytes.h"
#include "base/test.h"

static void sizes_are_read_with_suffixes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 },		{ "512", 512 },
		{ "1.5K", 1536 },	{ "64k", 65536 },
		{ "0x200", 512 },	{ "1b", 1 },
		{ "1M", 1 << 20 },	{ "7E", 7ull << 60 },
		{ "0.5T", 1ull << 39 }, { "9223372036854775807", SIZE_LIMIT },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { "" };
		uint64_t v = 1;

		assert_int_equal(size_parse("size", cases[i].text, 0,
					    SIZE_LIMIT, &v, &e), 0);
		assert_true(v == cases[i].bytes);
	}
}

static void what_is_no_size_is_refused(void **state)
{
	static const char *const cases[] = { "", "x", "1X", "1.5", "-5", "16E",
					     "99999999999999999999", "1 M",
					     "9223372036854775808" };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { "" };
		uint64_t v = 1;

		assert_true(size_parse("size", cases[i], 0, SIZE_LIMIT, &v,
				       &e) < 0);
		assert_true(e.text[0] && v == 1);
	}
}

/* Texts of qemu-img 7.2 for files of these sizes. */
static void sizes_are_printed_in_three_digits(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },		{ 999, "999 B" },
		{ 1000, "0.977 KiB" },	{ 1536, "1.5 KiB" },
		{ 331776, "324 KiB" },	{ 1 << 20, "1 MiB" },
		{ 1074855936, "1 GiB" }, { 1ull << 40, "1 TiB" },
		{ INT64_MAX, "8 EiB" },
	};
	char text[SIZE_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(size_human(cases[i].bytes, text),
				    cases[i].text);
}

TEST_MAIN("size", TEST(sizes_are_read_with_suffixes),
	  TEST(what_is_no_size_is_refused),
	  TEST(sizes_are_printed_in_three_digits))
