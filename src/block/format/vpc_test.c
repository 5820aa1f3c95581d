/* block/format/vpc_test.c - VHDs, good ones and bad ones.
 * SPDX-License-Identifier: MIT
 */
#include "block/format/test_format.h"

static void what_is_written_is_read(void **state)
{
	(void)state;
	assert_int_equal(test_create("vpc", "a", "size=10M"), 0);
	test_scribble(NULL, "a", 300);
	assert_int_equal(test_create("vpc", "b", "size=5M,subformat=fixed"),
			 0);
	test_scribble("vpc", "b", 300);
}

static void sizes_follow_the_geometry(void **state)
{
	static const struct { const char *opts; uint64_t size; } cases[] = {
		{ "size=1", 34816 },
		{ "size=10M", 10514432 },
		{ "size=10M,force_size=on", 10485760 },
		{ "size=8G", 8590417920 },
		{ "size=127G", 136365219840 },
		{ "size=137438952448", 137438952448 },
		{ "size=2040G", 2190433320960 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct image *im;

		assert_int_equal(test_create("vpc", "c", cases[i].opts), 0);
		im = test_open(NULL, "c", 0);
		assert_int_equal(image_size(im), cases[i].size);
		assert_int_equal(image_close(im), 0);
	}
	assert_int_equal(test_create("vpc", "c", "size=2041G"), -EFBIG);
}

/* Byte `at` of the file set. */
static void poke(const char *name, long at, int byte)
{
	FILE *f = fopen(test_path(name), "r+");

	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fputc(byte, f), byte);
	assert_int_equal(fclose(f), 0);
}

static int peek(const char *name, long at)
{
	FILE *f = fopen(test_path(name), "r");
	int byte;

	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	byte = fgetc(f);
	assert_int_equal(fclose(f), 0);
	return byte;
}

static void a_write_sets_the_bitmap_of_its_block(void **state)
{
	uint8_t b[600], got[600];
	struct image *im;

	(void)state;
	memset(b, 0x77, sizeof(b));
	assert_int_equal(test_create("vpc", "d", "size=10M"), 0);
	im = test_open(NULL, "d", IMAGE_WRITE);
	assert_int_equal(image_write(im, 0, b, sizeof(b), 0), 0);
	assert_int_equal(image_close(im), 0);
	assert_int_equal(peek("d", 0x800), 0xff);
	poke("d", 0x801, 0x0f);
	im = test_open(NULL, "d", IMAGE_WRITE);
	assert_int_equal(image_write(im, 4096, b, sizeof(b), 0), 0);
	assert_int_equal(image_read(im, 0, got, sizeof(got)), 0);
	assert_memory_equal(got, b, sizeof(b));
	assert_int_equal(image_close(im), 0);
	assert_int_equal(peek("d", 0x801), 0xff);
}

static void bad_headers_are_refused(void **state)
{
	static const struct { long at; const char *bytes, *says; } cases[] = {
		{ 0, "conn", "there is no footer" },
		{ 16, "\x7f\0\0\0", "header at" },
		{ 60, "\0\0\0\4", "disk type 4" },
		{ 512, "cxxx", "no dynamic disk header" },
		{ 512 + 16, "\x80\0\0\0", "not inside the file" },
		{ 512 + 20, "\0\0\6\1", "not inside the file" },
		{ 512 + 28, "\0\0\0\1", "too small" },
		{ 512 + 28, "\xff\xff\xff\xff", "over 8388608" },
		{ 512 + 32, "\0\0\0\0", "block size 0" },
		{ 512 + 32, "\0\0\3\0", "block size 768" },
		{ 512 + 32, "\x80\0\0\0", "block size 2147483648" },
	};

	(void)state;
	assert_int_equal(test_create("vpc", "e", "size=10M"), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		test_hostile("vpc", "e", cases[i].at, cases[i].bytes, 4,
			     cases[i].says);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(sizes_follow_the_geometry),
		TEST(a_write_sets_the_bitmap_of_its_block),
		TEST(bad_headers_are_refused),
	};

	return cmocka_run_group_tests(tests, test_in_directory,
				      test_remove_directory);
}
