/* block/format/parallels_test.c - Parallels images, good ones and bad ones.
 * SPDX-License-Identifier: MIT
 */
#include "block/format/test_format.h"

static void what_is_written_is_read(void **state)
{
	(void)state;
	assert_int_equal(test_create("parallels", "a", "size=10M"), 0);
	test_scribble(NULL, "a", 300);
	assert_int_equal(test_create("parallels", "b", "size=5000192,"
				     "cluster_size=32256"), 0);
	test_scribble(NULL, "b", 300);
}

/* Entries count sectors, and a cluster has 63 of them. */
static void the_old_magic_is_understood(void **state)
{
	uint8_t h[1024] = "WithoutFreeSpace";
	struct image *im;
	FILE *f;

	(void)state;
	store_le32(h + 16, 2);
	store_le32(h + 28, 63);
	store_le32(h + 32, 10);
	store_le64(h + 36, 630);
	store_le32(h + 64, 1);
	memcpy(h + 512, "here", 4);
	f = fopen(test_path("old"), "w");
	assert_int_equal(fwrite(h, 1, sizeof(h), f), sizeof(h));
	assert_int_equal(fclose(f), 0);
	im = test_open(NULL, "old", 0);
	assert_int_equal(image_size(im), 630 * 512);
	assert_int_equal(image_read(im, 0, h, 4), 0);
	assert_memory_equal(h, "here", 4);
	assert_int_equal(image_close(im), 0);
}

static void check_cuts_what_is_lost_and_clears_what_is_wrong(void **state)
{
	struct image_check c = { 0 };
	struct image *im;
	struct err e;
	FILE *f;

	(void)state;
	assert_int_equal(test_create("parallels", "c", "size=10M"), 0);
	f = fopen(test_path("c"), "r+");
	assert_int_equal(fseek(f, 44, SEEK_SET), 0);
	assert_int_equal(fwrite("\x59\x6e\x6f\x74", 1, 4, f), 4);
	assert_int_equal(fseek(f, 64 + 4, SEEK_SET), 0);
	assert_int_equal(fwrite("\x7f\0\0\0", 1, 4, f), 4);
	assert_int_equal(fseek(f, 3 * (long)MiB, SEEK_SET), 0);
	assert_int_equal(fputc(1, f), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(image_open(&im, test_path("c"), NULL, IMAGE_WRITE,
				    &e), -EACCES);
	im = test_open(NULL, "c", IMAGE_WRITE | IMAGE_CHECK);
	assert_int_equal(image_check(im, FIX_ERRORS | FIX_LEAKS, &c, &e), 0);
	assert_int_equal(c.corruptions_fixed, 2);
	assert_int_equal(c.leaks_fixed, 3);
	assert_int_equal(c.corruptions + c.leaks, 0);
	assert_int_equal(image_close(im), 0);
	im = test_open(NULL, "c", IMAGE_WRITE);
	assert_int_equal(image_close(im), 0);
}

static void bad_headers_are_refused(void **state)
{
	static const struct { long at; const char *bytes, *says; } cases[] = {
		{ 0, "None", "no header" },
		{ 16, "\3\0\0\0", "version 3" },
		{ 28, "\0\0\0\0", "cluster of 0" },
		{ 28, "\0\0\0\x80", "cluster of 2147483648" },
		{ 32, "\1\0\0\0", "larger than its 1" },
		{ 32, "\xff\xff\xff\xff", "4294967295 entries" },
		{ 40, "\0\0\0\x80", "larger than its 10" },
	};

	(void)state;
	assert_int_equal(test_create("parallels", "e", "size=10M"), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		test_hostile("parallels", "e", cases[i].at, cases[i].bytes, 4,
			     cases[i].says);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(the_old_magic_is_understood),
		TEST(check_cuts_what_is_lost_and_clears_what_is_wrong),
		TEST(bad_headers_are_refused),
	};

	return cmocka_run_group_tests(tests, test_in_directory,
				      test_remove_directory);
}
