/* block/format/vmdk/vmdk_test.c - VMDKs, good ones and bad ones.
 * SPDX-License-Identifier: MIT
 */
#include "block/format/test_format.h"

static void what_is_written_is_read(void **state)
{
	static const char *const subformats[] = {
		"monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse",
		"twoGbMaxExtentFlat", "streamOptimized",
		"monolithicSparse,zeroed_grain=on",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(subformats); i++) {
		char opts[80];

		(void)snprintf(opts, sizeof(opts), "size=5000192,subformat=%s",
			       subformats[i]);
		assert_int_equal(test_create("vmdk", "a.vmdk", opts), 0);
		test_scribble(NULL, "a.vmdk", 200);
	}
}

static void a_disk_goes_on_in_the_next_extent(void **state)
{
	static const char *const opts[] = {
		"size=5G,subformat=twoGbMaxExtentSparse",
		"size=5G,subformat=twoGbMaxExtentFlat",
	};
	uint8_t b[5000], got[5000];

	(void)state;
	memset(b, 0x31, sizeof(b));
	for (unsigned i = 0; i < ARRAY_LEN(opts); i++) {
		struct image *im;

		assert_int_equal(test_create("vmdk", "b.vmdk", opts[i]), 0);
		im = test_open(NULL, "b.vmdk", IMAGE_WRITE);
		assert_int_equal(image_write(im, 2 * GiB - 777, b, sizeof(b),
					     0), 0);
		assert_int_equal(image_close(im), 0);
		im = test_open(NULL, "b.vmdk", 0);
		assert_int_equal(image_size(im), 5 * GiB);
		assert_int_equal(image_read(im, 2 * GiB - 777, got,
					    sizeof(got)), 0);
		assert_memory_equal(got, b, sizeof(b));
		assert_int_equal(image_close(im), 0);
	}
}

static void a_flat_image_takes_packed_writes_plainly(void **state)
{
	uint8_t b[512] = { 7 }, got[512];
	struct image *im;

	(void)state;
	assert_int_equal(test_create("vmdk", "f.vmdk", "size=1M,"
				     "subformat=monolithicFlat"), 0);
	im = test_open(NULL, "f.vmdk", IMAGE_WRITE);
	assert_int_equal(image_write_compressed(im, 512, b, 512), 0);
	assert_int_equal(image_read(im, 512, got, 512), 0);
	assert_memory_equal(got, b, 512);
	assert_int_equal(image_close(im), 0);
}

static void an_image_names_its_parent(void **state)
{
	struct image *im;
	uint8_t b[1];

	(void)state;
	assert_int_equal(test_create("vmdk", "p.vmdk", "size=1M"), 0);
	im = test_open(NULL, "p.vmdk", IMAGE_WRITE);
	assert_int_equal(image_write(im, 12345, "P", 1, 0), 0);
	assert_int_equal(image_close(im), 0);
	assert_int_equal(test_create("vmdk", "c.vmdk", "size=1M,"
				     "backing_file=p.vmdk"), 0);
	im = test_open(NULL, "c.vmdk", IMAGE_WRITE);
	assert_non_null(image_below(im));
	assert_int_equal(image_write(im, 12346, "C", 1, 0), 0);
	assert_int_equal(image_read(im, 12345, b, 1), 0);
	assert_int_equal(b[0], 'P');
	assert_int_equal(image_close(im), 0);
}

static void bad_headers_are_refused(void **state)
{
	static const struct { long at; const char *bytes, *says; } cases[] = {
		{ 4, "\4\0\0\0", "version 4" },
		{ 16, "\0\0\0\x80", "sectors are over 2^63" },
		{ 20, "\0\0\0\0", "grain of 0" },
		{ 20, "\3\0\0\0", "grain of 3" },
		{ 24, "\0\1\0\0", "grain of" },
		{ 32, "\0\0\0\x80", "descriptor of" },
		{ 38, "\1\0\0\0", "descriptor of" },
		{ 44, "\0\0\0\0", "grain tables of 0" },
		{ 56, "\0\1\0\0", "passes the end" },
		{ 60, "\0\0\0\x80", "passes the end" },
		{ 64, "\xff\xff\0\0", "behind the end" },
		{ 73, "\r\n\r\n", "ends of lines" },
	};

	(void)state;
	assert_int_equal(test_create("vmdk", "e", "size=10M"), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		test_hostile("vmdk", "e", cases[i].at, cases[i].bytes, 4,
			     cases[i].says);
}

static void bad_descriptors_are_refused(void **state)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "version=1\n", "no descriptor" },
		{ "version=1\ncreateType=\"x\"\n", "no extents" },
		{ "version=1\ncreateType=\"x\"\nRW x\n", "not understood" },
		{ "version=1\ncreateType=\"x\"\nRW 1 FLAT\n",
		  "not understood" },
		{ "version=1\ncreateType=\"x\"\nRW 1 SESPARSE \"y\"\n",
		  "SESPARSE" },
		{ "version=1\ncreateType=\"x\"\nRDONLY 1 FLAT \"y\"\n",
		  "RDONLY" },
		{ "version=1\ncreateType=\"x\"\nRW 1 FLAT \"nix\"\n", "nix" },
		{ "version=1\ncreateType=\"x\"\nRW 9 FLAT \"d\" 0\n",
		  "shorter" },
		{ "version=1\ncreateType=\"x\"\n"
		  "RW 18446744073709551615 ZERO\n", "2^63" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		FILE *f = fopen(test_path("d"), "w");
		struct image *im;
		struct err e = { "" };

		assert_true(fputs("# Disk DescriptorFile\n", f) >= 0);
		assert_true(fputs(cases[i].text, f) >= 0);
		assert_int_equal(fclose(f), 0);
		assert_true(image_open(&im, test_path("d"), "vmdk",
				       IMAGE_SHARE, &e) < 0);
		if (!strstr(e.text, cases[i].says))
			print_error("'%s': '%s'\n", cases[i].says, e.text);
		assert_non_null(strstr(e.text, cases[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(a_disk_goes_on_in_the_next_extent),
		TEST(a_flat_image_takes_packed_writes_plainly),
		TEST(an_image_names_its_parent),
		TEST(bad_headers_are_refused),
		TEST(bad_descriptors_are_refused),
	};

	return cmocka_run_group_tests(tests, test_in_directory,
				      test_remove_directory);
}
