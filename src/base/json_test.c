/* base/json_test.c
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/test.h"

static struct json *parsed(const char *text)
{
	struct err e = { "" };
	struct json *j = json_parse(text, strlen(text), &e);

	assert_string_equal(e.text, "");
	assert_non_null(j);
	return j;
}

static void printed(const char *text, enum json_style style, const char *want)
{
	struct json *j = parsed(text);
	char *got = json_print(j, style);

	assert_string_equal(got, want);
	free(got);
	json_free(j);
}

static void values_of_each_kind_are_read(void **state)
{
	struct json *j = parsed(" { \"n\" : null, \"t\":true,\"i\":-12,"
				"\"u\":18446744073709551615,\"d\":1.5e3,"
				"'s':\"a\\u00e9\\ud83d\\ude00\\n\","
				"\"a\":[1,[],{}] }\n");
	int64_t i;
	uint64_t u;

	assert_int_equal(json_count(j), 7);
	assert_int_equal(json_kind(json_get(j, "n")), JSON_NULL);
	assert_true(json_bool(json_get(j, "t")));
	assert_true(json_int(json_get(j, "i"), &i) && i == -12);
	assert_false(json_uint(json_get(j, "i"), &u));
	assert_true(json_uint(json_get(j, "u"), &u) && u == UINT64_MAX);
	assert_false(json_int(json_get(j, "u"), &i));
	assert_true(json_double(json_get(j, "d")) == 1500);
	assert_string_equal(json_text(json_get(j, "s")),
			    "a\xc3\xa9\xf0\x9f\x98\x80\n");
	assert_int_equal(json_count(json_get(j, "a")), 3);
	assert_string_equal(json_key(json_at(j, 1)), "t");
	assert_null(json_get(j, "x"));
	assert_null(json_at(j, 7));
	json_free(j);
}

static void the_limits_of_integers_are_kept(void **state)
{
	static const struct {
		const char *text;
		enum json_kind kind;
	} cases[] = {
		{ "9223372036854775807", JSON_INT },
		{ "9223372036854775808", JSON_UINT },
		{ "18446744073709551616", JSON_DOUBLE },
		{ "-9223372036854775808", JSON_INT },
		{ "-9223372036854775809", JSON_DOUBLE },
		{ "0", JSON_INT },
		{ "-0", JSON_INT },
		{ "1e400", JSON_DOUBLE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json *j = parsed(cases[i].text);

		assert_int_equal(json_kind(j), cases[i].kind);
		json_free(j);
	}
}

static void mistakes_are_named_with_their_place(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "line 1, column 1: a value is missing" },
		{ "{\"a\":1,,}", "line 1, column 8: a key in quotes is missing" },
		{ "{\"a\":1,}", "line 1, column 8: a key in quotes is missing" },
		{ "[1,]", "line 1, column 4: a value is missing" },
		{ "[1 2]", "line 1, column 4: ']' or ',' is missing" },
		{ "[1", "line 1, column 3: ']' or ',' is missing" },
		{ "{\n\"a\" 1}", "line 2, column 5: ':' is missing" },
		{ "{\"a\":1,\"a\":2}", "line 1, column 8: key 'a' occurs twice" },
		{ "\"\xc3\xa9\" x", "line 1, column 5: something follows the value" },
		{ "01", "line 1, column 1: not a number" },
		{ "-", "line 1, column 1: not a number" },
		{ "1.", "line 1, column 1: not a number" },
		{ "1e+", "line 1, column 1: not a number" },
		{ "+1", "line 1, column 1: a value is missing" },
		{ "nul", "line 1, column 1: a value is missing" },
		{ "NaN", "line 1, column 1: a value is missing" },
		{ "\"abc", "line 1, column 1: the string has no end" },
		{ "\"a\\", "line 1, column 3: the text ends inside a string" },
		{ "\"\\x\"", "line 1, column 2: unknown escape in a string" },
		{ "\"\\u12\"", "line 1, column 2: \\u wants four hexadecimal digits" },
		{ "\"\\u0000\"", "line 1, column 2: \\u0000 is not allowed" },
		{ "\"\\ud800\"", "line 1, column 2: half a surrogate pair" },
		{ "\"\\ud800\\u0041\"", "line 1, column 2: half a surrogate pair" },
		{ "\"\\udc00\"", "line 1, column 2: half a surrogate pair" },
		{ "\"a\tb\"", "line 1, column 3: control character 9 in a string" },
		{ "\"\xff\"", "line 1, column 2: the text is not UTF-8" },
		{ "\"\xc0\x80\"", "line 1, column 2: the text is not UTF-8" },
		{ "\"\xed\xa0\x80\"", "line 1, column 2: the text is not UTF-8" },
		{ "\"\xf4\x90\x80\x80\"", "line 1, column 2: the text is not UTF-8" },
		{ "\"\xe2\x82\"", "line 1, column 2: the text is not UTF-8" },
		{ "// x\n1", "line 1, column 1: a value is missing" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { "" };

		assert_null(json_parse(cases[i].text, strlen(cases[i].text),
				       &e));
		assert_string_equal(e.text, cases[i].says);
	}
}

static void a_nul_in_the_text_is_no_end_of_it(void **state)
{
	struct err e = { "" };

	assert_null(json_parse("1\0", 2, &e));
	assert_string_equal(e.text,
			    "line 1, column 2: something follows the value");
	assert_null(json_parse("\"\\\0\"", 4, &e));
}

/* n times `each`, then `last`. */
static char *repeated(const char *each, size_t n, const char *last)
{
	size_t len = strlen(each);
	char *s = xmalloc(n * len + strlen(last) + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(s + i * len, each, len);
	strcpy(s + n * len, last);
	return s;
}

static void refuses(char *text, const char *says)
{
	struct err e = { "" };

	assert_null(json_parse(text, strlen(text), &e));
	assert_string_equal(e.text, says);
	free(text);
}

static void depth_values_and_size_are_limited(void **state)
{
	struct err e = { "" };
	char *text;

	refuses(repeated("[", 100000, ""),
		"line 1, column 257: nested more than 256 deep");
	refuses(repeated("{\"a\":", 100000, ""),
		"line 1, column 1281: nested more than 256 deep");
	text = repeated("1,", 300000, "1]");
	text[0] = '[';
	text[1] = ' ';
	refuses(text, "line 1, column 524289: over 262144 values");
	refuses(repeated("9", 500, ""), "line 1, column 1: a number of 500 "
		"characters, and the limit is 400");
	text = repeated(" ", 1, "");
	assert_null(json_parse(text, JSON_TEXT_MAX + 1, &e));
	assert_string_equal(e.text, "16777217 bytes of JSON, and the limit is "
			    "16777216");
	free(text);
}

static void every_prefix_of_a_text_is_refused(void **state)
{
	static const char text[] = "{\"a\": [1.5e3, \"\\ud83d\\ude00\", true],"
				   " 'b': {\"c\": null}}";

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *exact = xmalloc(n + 1);
		struct err e = { "" };

		memcpy(exact, text, n);
		assert_null(json_parse(exact, n, &e));
		assert_true(e.text[0]);
		free(exact);
	}
}

/* A fixed sequence of changes; what counts is that the reader ends. */
static void damaged_texts_are_read_or_refused(void **state)
{
	static const char good[] = "{\"a\": [1.5e3, \"\\u00e9\", true, -7],"
				   " 'b': {\"c\": null}}";
	char text[sizeof(good)];
	uint32_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct err e = { "" };

		memcpy(text, good, sizeof(good));
		for (int n = 0; n < 3; n++) {
			seed = seed * 1664525 + 1013904223;
			text[(seed >> 8) % (sizeof(good) - 1)] =
				(char)(seed >> 24);
		}
		json_free(json_parse(text, sizeof(good) - 1, &e));
	}
}

static void compact_text_is_qemus(void **state)
{
	printed("{\"a\":[1,-2,\"x\"],\"e\":{},\"f\":[]}", JSON_COMPACT,
		"{\"e\": {}, \"a\": [1, -2, \"x\"], \"f\": []}");
	printed("[0.5,1e100,null,false]", JSON_COMPACT,
		"[0.5, 1e+100, null, false]");
}

static void pretty_text_is_qemus(void **state)
{
	printed("{\"format\":\"qcow2\",\"virtual-size\":1048576,"
		"\"dirty-flag\":false,\"format-specific\":{\"data\":{},"
		"\"type\":\"x\"},\"cluster-size\":65536,\"filename\":\"f\"}",
		JSON_PRETTY,
		"{\n"
		"    \"virtual-size\": 1048576,\n"
		"    \"filename\": \"f\",\n"
		"    \"cluster-size\": 65536,\n"
		"    \"format\": \"qcow2\",\n"
		"    \"format-specific\": {\n"
		"        \"type\": \"x\",\n"
		"        \"data\": {\n"
		"        }\n"
		"    },\n"
		"    \"dirty-flag\": false\n"
		"}");
}

static void characters_are_escaped_as_qemu_does(void **state)
{
	struct json *j = json_new_string("a\x7f\xc3\xa9\x01\xf0\x9f\x98\x80"
					 "\"\\\b\f\n\r\t/\xff\xe2\x82");
	char *got = json_print(j, JSON_COMPACT);

	assert_string_equal(got, "\"a\\u007F\\u00E9\\u0001\\uD83D\\uDE00"
			    "\\\"\\\\\\b\\f\\n\\r\\t/\\uFFFD\\uFFFD\\uFFFD\"");
	free(got);
	json_free(j);
}

static void a_key_put_again_has_the_new_value(void **state)
{
	struct json *j = json_new_object(), *copy;
	char *got;

	json_put(j, "a", json_new_int(1));
	json_put(j, "b", json_new_bool(true));
	json_put(j, "a", json_new_string("x"));
	json_put(j, "c", json_new_array());
	json_remove(j, "b");
	json_remove(j, "none");
	copy = json_copy(j);
	json_free(j);
	got = json_print(copy, JSON_COMPACT);
	assert_string_equal(got, "{\"a\": \"x\", \"c\": []}");
	free(got);
	json_free(copy);
}

static void sorted_members_stand_as_printed(void **state)
{
	struct json *j = parsed("{\"format-specific\":{\"type\":1,\"data\":2},"
				"\"cluster-size\":1,\"virtual-size\":2}");

	json_sort(j);
	assert_string_equal(json_key(json_at(j, 0)), "virtual-size");
	assert_string_equal(json_key(json_at(json_get(j, "format-specific"), 0)),
			    "type");
	json_put(j, "more", json_new_null());
	assert_int_equal(json_count(j), 4);
	json_free(j);
}

TEST_MAIN("json", TEST(values_of_each_kind_are_read),
	  TEST(the_limits_of_integers_are_kept),
	  TEST(mistakes_are_named_with_their_place),
	  TEST(a_nul_in_the_text_is_no_end_of_it),
	  TEST(depth_values_and_size_are_limited),
	  TEST(every_prefix_of_a_text_is_refused),
	  TEST(damaged_texts_are_read_or_refused),
	  TEST(compact_text_is_qemus), TEST(pretty_text_is_qemus),
	  TEST(characters_are_escaped_as_qemu_does),
	  TEST(a_key_put_again_has_the_new_value),
	  TEST(sorted_members_stand_as_printed))
