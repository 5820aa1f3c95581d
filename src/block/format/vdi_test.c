/* block/format/vdi_test.c - VirtualBox images, good ones and bad ones.
 * SPDX-License-Identifier: MIT
 */
#include "block/format/test_format.h"

static void what_is_written_is_read(void **state)
{
	(void)state;
	assert_int_equal(test_create("vdi", "a", "size=10M"), 0);
	test_scribble("vdi", "a", 300);
	assert_int_equal(test_create("vdi", "b", "size=5000000,static=on"), 0);
	test_scribble("vdi", "b", 300);
}

static void check_finds_a_block_used_twice(void **state)
{
	struct image_check c = { 0 };
	uint8_t b[1] = { 1 };
	struct image *im;
	struct err e;
	FILE *f;

	(void)state;
	assert_int_equal(test_create("vdi", "c", "size=10M"), 0);
	im = test_open(NULL, "c", IMAGE_WRITE);
	assert_int_equal(image_write(im, 0, b, 1, 0), 0);
	assert_int_equal(image_write(im, 5 * MiB, b, 1, 0), 0);
	assert_int_equal(image_check(im, 0, &c, &e), 0);
	assert_int_equal(image_close(im), 0);
	f = fopen(test_path("c"), "r+");
	assert_int_equal(fseek(f, 512 + 5 * 4, SEEK_SET), 0);
	assert_int_equal(fwrite("\0\0\0\0", 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	im = test_open(NULL, "c", 0);
	c = (struct image_check){ 0 };
	assert_int_equal(image_check(im, 0, &c, &e), 0);
	assert_int_equal(c.corruptions, 1);
	assert_int_equal(image_close(im), 0);
}

static void bad_headers_are_refused(void **state)
{
	static const struct { long at; const char *bytes, *says; } cases[] = {
		{ 64, "\0\0\0\0", "signature 0x00000000" },
		{ 68, "\2\0\1\0", "version 1.2" },
		{ 76, "\4\0\0\0", "image type 4" },
		{ 340, "\1\2\0\0", "not on a sector" },
		{ 340, "\0\0\0\0", "overlap" },
		{ 344, "\0\0\0\0", "overlap" },
		{ 360, "\1\2\0\0", "sectors of 513" },
		{ 374, "\xff\xff\0\0", "over 2^63" },
		{ 372, "\1\0\0\0", "larger than its 10 blocks" },
		{ 376, "\0\0\2\0", "blocks of 131072" },
		{ 380, "\1\0\0\0", "bytes more" },
		{ 384, "\0\0\0\x10", "overlap" },
		{ 384, "\0\0\0\x80", "over 536870904" },
		{ 424, "\1\0\0\0", "parent" },
	};

	(void)state;
	assert_int_equal(test_create("vdi", "d", "size=10M"), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		test_hostile("vdi", "d", cases[i].at, cases[i].bytes, 4,
			     cases[i].says);
}

static void an_entry_out_of_range_is_an_error_of_reading(void **state)
{
	struct image *im;
	uint8_t b[1];
	FILE *f;

	(void)state;
	assert_int_equal(test_create("vdi", "e", "size=10M"), 0);
	f = fopen(test_path("e"), "r+");
	assert_int_equal(fseek(f, 512, SEEK_SET), 0);
	assert_int_equal(fwrite("\xfd\xff\xff\xff", 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	im = test_open(NULL, "e", 0);
	assert_int_equal(image_read(im, 0, b, 1), -EIO);
	assert_int_equal(image_close(im), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(check_finds_a_block_used_twice),
		TEST(bad_headers_are_refused),
		TEST(an_entry_out_of_range_is_an_error_of_reading),
	};

	return cmocka_run_group_tests(tests, test_in_directory,
				      test_remove_directory);
}
