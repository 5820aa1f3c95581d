/* block/format/qed_test.c - QED images, good ones and bad ones.
 * SPDX-License-Identifier: MIT
 */
#include "block/format/test_format.h"

static void what_is_written_is_read(void **state)
{
	(void)state;
	assert_int_equal(test_create("qed", "a", "size=10M"), 0);
	test_scribble(NULL, "a", 300);
	assert_int_equal(test_create("qed", "b", "size=20000256,"
				     "cluster_size=4k,table_size=1"), 0);
	test_scribble(NULL, "b", 300);
}

static void it_stands_on_another(void **state)
{
	uint8_t b[10], got[10];
	struct image *im;

	(void)state;
	memset(b, 0x42, sizeof(b));
	assert_int_equal(test_create("raw", "base", "size=1M"), 0);
	im = test_open("raw", "base", IMAGE_WRITE);
	assert_int_equal(image_write(im, 70000, b, 10, 0), 0);
	assert_int_equal(image_close(im), 0);
	assert_int_equal(test_create("qed", "top", "size=1M,backing_file=base,"
				     "backing_fmt=raw"), 0);
	im = test_open(NULL, "top", IMAGE_WRITE);
	assert_int_equal(image_write(im, 70003, "x", 1, 0), 0);
	assert_int_equal(image_read(im, 70000, got, 10), 0);
	b[3] = 'x';
	assert_memory_equal(got, b, 10);
	assert_int_equal(image_zero(im, 65536, 65536, 0), 0);
	assert_int_equal(image_read(im, 70000, got, 10), 0);
	assert_int_equal(got[0] | got[3] | got[9], 0);
	assert_int_equal(image_close(im), 0);
}

static void it_grows(void **state)
{
	struct image *im;
	struct err e;

	(void)state;
	assert_int_equal(test_create("qed", "c", "size=1M"), 0);
	im = test_open(NULL, "c", IMAGE_WRITE);
	assert_int_equal(image_resize(im, 5 * MiB, PREALLOC_OFF, &e), 0);
	assert_int_equal(image_resize(im, MiB, PREALLOC_OFF, &e), -ENOTSUP);
	assert_int_equal(image_write(im, 5 * MiB - 1, "x", 1, 0), 0);
	assert_int_equal(image_close(im), 0);
	im = test_open(NULL, "c", 0);
	assert_int_equal(image_size(im), 5 * MiB);
	assert_int_equal(image_close(im), 0);
}

static void check_removes_entries_that_lead_nowhere(void **state)
{
	struct image_check c = { 0 };
	struct image *im;
	struct err e;
	uint8_t got[1];
	FILE *f;

	(void)state;
	assert_int_equal(test_create("qed", "d", "size=1M"), 0);
	im = test_open(NULL, "d", IMAGE_WRITE);
	assert_int_equal(image_write(im, 0, "x", 1, 0), 0);
	assert_int_equal(image_close(im), 0);
	f = fopen(test_path("d"), "r+");	/* L1, and the flag */
	assert_int_equal(fseek(f, 65536 + 2, SEEK_SET), 0);
	assert_int_equal(fputc(0x77, f), 0x77);
	assert_int_equal(fclose(f), 0);
	im = test_open(NULL, "d", 0);
	assert_int_equal(image_read(im, 0, got, 1), -EIO);
	assert_int_equal(image_close(im), 0);
	im = test_open(NULL, "d", IMAGE_WRITE | IMAGE_CHECK);
	assert_int_equal(image_check(im, FIX_ERRORS, &c, &e), 0);
	assert_int_equal(c.corruptions_fixed, 1);
	assert_int_equal(c.leaks, 5);
	assert_int_equal(image_read(im, 0, got, 1), 0);
	assert_int_equal(image_close(im), 0);
}

static void bad_headers_are_refused(void **state)
{
	static const struct { long at; const char *bytes, *says; } cases[] = {
		{ 0, "QEE\0", "no QED header" },
		{ 4, "\0\0\0\0", "cluster size 0" },
		{ 4, "\0\0\3\0", "cluster size 196608" },
		{ 8, "\3\0\0\0", "table size 3" },
		{ 8, "\0\0\0\1", "table size 16777216" },
		{ 12, "\0\0\0\0", "header of 0" },
		{ 12, "\0\0\0\x80", "header of 2147483648" },
		{ 16, "\x8\0\0\0", "features 0x8" },
		{ 16, "\1\0\0\0", "backing file name" },
		{ 40, "\1\0\0\0", "L1 table" },
		{ 44, "\0\0\0\x80", "L1 table" },
		{ 48, "\1\0\0\0", "no multiple of 512" },
		{ 52, "\0\0\0\x80", "no multiple of 512 up to" },
	};

	(void)state;
	assert_int_equal(test_create("qed", "e", "size=10M"), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		test_hostile("qed", "e", cases[i].at, cases[i].bytes, 4,
			     cases[i].says);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(it_stands_on_another),
		TEST(it_grows),
		TEST(check_removes_entries_that_lead_nowhere),
		TEST(bad_headers_are_refused),
	};

	return cmocka_run_group_tests(tests, test_in_directory,
				      test_remove_directory);
}
