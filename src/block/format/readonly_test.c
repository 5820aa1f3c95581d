/* block/format/readonly_test.c - bochs and cloop, made here by hand.
 * SPDX-License-Identifier: MIT
 */
#include <zlib.h>

#include "block/format/test_format.h"

static void put(const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(test_path(name), "w");

	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Two extents of 4 KiB; the second is extent 0 of the file, and of it sectors
 * 0 and 3 were written. */
static size_t make_bochs(uint8_t *h)
{
	memset(h, 0, 8192);
	memcpy(h, "Bochs Virtual HD Image", 22);
	memcpy(h + 32, "Redolog", 7);
	memcpy(h + 48, "Growing", 7);
	store_le32(h + 64, 0x20000);
	store_le32(h + 68, 512);
	store_le32(h + 72, 2);
	store_le32(h + 76, 1);
	store_le32(h + 80, 4096);
	store_le64(h + 88, 8192);
	store_le32(h + 512, 0xffffffff);
	store_le32(h + 516, 0);
	h[520] = 0x09;
	memset(h + 520 + 512, 0x61, 512);
	memset(h + 520 + 512 + 512, 0x62, 512);
	memset(h + 520 + 512 + 3 * 512, 0x63, 512);
	return 520 + 512 + 4096;
}

static void a_growing_bochs_image_is_read(void **state)
{
	uint8_t h[8192], got[8192];
	struct image *im;

	(void)state;
	put("a", h, make_bochs(h));
	im = test_open(NULL, "a", 0);
	assert_string_equal(image_format_name(im), "bochs");
	assert_int_equal(image_size(im), 8192);
	assert_int_equal(image_read(im, 0, got, 8192), 0);
	assert_int_equal(got[0] | got[4095], 0);
	assert_int_equal(got[4096], 0x61);
	assert_int_equal(got[4096 + 512], 0);
	assert_int_equal(got[4096 + 3 * 512 + 511], 0x63);
	assert_int_equal(got[8191], 0);
	assert_int_equal(image_close(im), 0);
}

static void bad_bochs_headers_are_refused(void **state)
{
	static const struct { long at; const char *bytes, *says; } cases[] = {
		{ 0, "bochs", "no header" },
		{ 64, "\0\0\3\0", "no header" },
		{ 68, "\0\0\0\xff", "passes the end" },
		{ 72, "\1\0\0\0", "larger than its catalog" },
		{ 72, "\0\0\0\xff", "over 1048576" },
		{ 80, "\0\0\0\0", "extent size 0" },
		{ 80, "\0\0\0\x80", "extent size" },
		{ 92, "\0\0\0\x80", "larger than its catalog" },
	};
	uint8_t h[8192];

	(void)state;
	put("b", h, make_bochs(h));
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		test_hostile("bochs", "b", cases[i].at, cases[i].bytes, 4,
			     cases[i].says);
}

/* Two blocks of 1 KiB. */
static size_t make_cloop(uint8_t *h)
{
	uint8_t plain[1024];
	uint64_t at = 136 + 3 * 8;
	uLongf n;

	memset(h, 0, 8192);
	strcpy((char *)h, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 "
	       "&& mount -r -t iso9660 /dev/cloop $1\n");
	store_be32(h + 128, 1024);
	store_be32(h + 132, 2);
	for (unsigned i = 0; i < 2; i++) {
		store_be64(h + 136 + i * 8, at);
		memset(plain, (int)(0x41 + i), sizeof(plain));
		n = 8192 - at;
		assert_int_equal(compress(h + at, &n, plain, 1024), Z_OK);
		at += n;
	}
	store_be64(h + 136 + 16, at);
	return at;
}

static void a_cloop_image_is_read(void **state)
{
	uint8_t h[8192], got[2048];
	struct image *im;

	(void)state;
	put("c", h, make_cloop(h));
	im = test_open(NULL, "c", 0);
	assert_string_equal(image_format_name(im), "cloop");
	assert_int_equal(image_read(im, 0, got, 2048), 0);
	assert_int_equal(got[0], 'A');
	assert_int_equal(got[1023], 'A');
	assert_int_equal(got[1024], 'B');
	assert_int_equal(got[2047], 'B');
	assert_int_equal(image_close(im), 0);
}

static void bad_cloop_headers_are_refused(void **state)
{
	static const struct { long at; const char *bytes, *says; } cases[] = {
		{ 128, "\0\0\0\0", "block size 0" },
		{ 128, "\0\0\4\1", "block size 1025" },
		{ 128, "\xff\0\0\0", "block size" },
		{ 132, "\xff\xff\xff\xff", "are over" },
		{ 132, "\0\0\xff\xff", "passes the end" },
		{ 136, "\xff\0\0\0", "cannot be" },
		{ 136 + 16, "\x7f\0\0\0", "cannot be" },
	};
	uint8_t h[8192];

	(void)state;
	put("d", h, make_cloop(h));
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		test_hostile("cloop", "d", cases[i].at, cases[i].bytes, 4,
			     cases[i].says);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_growing_bochs_image_is_read),
		TEST(bad_bochs_headers_are_refused),
		TEST(a_cloop_image_is_read),
		TEST(bad_cloop_headers_are_refused),
	};

	return cmocka_run_group_tests(tests, test_in_directory,
				      test_remove_directory);
}
