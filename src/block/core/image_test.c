/* block/core/image_test.c - open, read and write through the core, on raw.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/test.h"
#include "block/core/block.h"

static char dir[] = "/tmp/husk-image-XXXXXX";

static const char *path(const char *name)
{
	static char buf[4][128];
	static unsigned n;
	char *p = buf[n++ % 4];

	(void)snprintf(p, sizeof(buf[0]), "%s/%s", dir, name);
	return p;
}

static void make(const char *format, const char *name, const char *text)
{
	struct optstr *opts;
	struct err e;

	assert_int_equal(optstr_parse(&opts, text, NULL, &e), 0);
	assert_int_equal(image_create(format, name, opts, &e), 0);
	assert_int_equal(optstr_finish(opts, &e), 0);
	optstr_free(opts);
}

static struct image *open_image(const char *name, unsigned flags)
{
	struct image *im = NULL;
	struct err e = { "" };

	if (image_open(&im, name, NULL, flags, &e))
		print_error("%s\n", e.text);
	assert_non_null(im);
	return im;
}

static void what_is_written_is_read(void **state)
{
	uint8_t out[3000], in[3000];
	struct image *im;

	memset(out, 0x5a, sizeof(out));
	make("raw", path("a"), "size=1M");
	im = open_image(path("a"), IMAGE_WRITE);
	assert_int_equal(image_size(im), 1 * MiB);
	assert_int_equal(image_write(im, 777, out, sizeof(out), IMAGE_FUA), 0);
	assert_int_equal(image_read(im, 777, in, sizeof(in)), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(image_zero(im, 1000, 100, 0), 0);
	assert_int_equal(image_read(im, 999, in, 102), 0);
	assert_int_equal(in[0], 0x5a);
	assert_int_equal(in[1] | in[50] | in[100], 0);
	assert_int_equal(in[101], 0x5a);
	assert_int_equal(image_close(im), 0);
}

static void a_request_past_the_end_is_refused(void **state)
{
	struct image *im;
	uint8_t b[16];

	make("raw", path("b"), "size=4096");
	im = open_image(path("b"), 0);
	assert_int_equal(image_read(im, 4090, b, 16), -EINVAL);
	assert_int_equal(image_read(im, UINT64_MAX - 3, b, 16), -EINVAL);
	assert_int_equal(image_write(im, 0, b, 16, 0), -EROFS);
	assert_int_equal(image_close(im), 0);
}

static void a_torn_last_sector_reads_as_zeroes(void **state)
{
	FILE *f = fopen(path("c"), "w");
	struct image_status st;
	struct image *im;
	uint8_t b[512];

	(void)fputs("abc", f);
	fclose(f);
	im = open_image(path("c"), 0);
	assert_int_equal(image_size(im), 512);
	memset(b, 1, sizeof(b));
	assert_int_equal(image_read(im, 0, b, 512), 0);
	assert_memory_equal(b, "abc\0", 4);
	assert_int_equal(b[511], 0);
	assert_int_equal(image_map_status(im, NULL, 3, 500, &st), 0);
	assert_int_equal(image_close(im), 0);
}

static void holes_are_zero_and_not_data(void **state)
{
	struct image_status st;
	struct image *im;
	uint8_t b[4096];

	memset(b, 1, sizeof(b));
	make("raw", path("d"), "size=8M");
	im = open_image(path("d"), IMAGE_WRITE | IMAGE_UNMAP);
	assert_int_equal(image_write(im, 4 * MiB, b, sizeof(b), 0), 0);
	assert_int_equal(image_map_status(im, NULL, 0, 8 * MiB, &st), 0);
	assert_int_equal(st.bits & (STATUS_DATA | STATUS_ZERO), STATUS_ZERO);
	assert_int_equal(st.len, 4 * MiB);
	assert_int_equal(image_map_status(im, NULL, 4 * MiB, 4096, &st), 0);
	assert_int_equal(st.bits, STATUS_DATA | STATUS_ALLOCATED | STATUS_AT);
	assert_int_equal(st.at, 4 * MiB);
	assert_int_equal(image_discard(im, 4 * MiB, 4096), 0);
	assert_int_equal(image_map_status(im, NULL, 0, 8 * MiB, &st), 0);
	assert_int_equal(st.len, 8 * MiB);
	assert_int_equal(image_close(im), 0);
}

static void two_writers_are_refused_with_the_holder(void **state)
{
	struct image *one, *two;
	char want[32];
	struct err e;

	make("raw", path("e"), "size=1M");
	one = open_image(path("e"), IMAGE_WRITE);
	assert_int_equal(image_open(&two, path("e"), "raw", IMAGE_WRITE, &e),
			 -EAGAIN);
	(void)snprintf(want, sizeof(want), "process %d", getpid());
	assert_non_null(strstr(e.text, want));
	assert_int_equal(image_open(&two, path("e"), "raw",
				    IMAGE_WRITE | IMAGE_SHARE, &e), 0);
	assert_int_equal(image_close(two), 0);
	assert_int_equal(image_close(one), 0);
}

static void json_and_option_names_open_the_same_file(void **state)
{
	struct image *im;
	char name[256];
	struct err e;

	make("raw", path("f,g"), "size=2M");
	(void)snprintf(name, sizeof(name), "json:{\"driver\":\"raw\","
		       "\"file\":{\"driver\":\"file\",\"filename\":\"%s\"}}",
		       path("f,g"));
	im = open_image(name, 0);
	assert_int_equal(image_size(im), 2 * MiB);
	assert_int_equal(image_close(im), 0);
	(void)snprintf(name, sizeof(name), "driver=raw,file.filename=%s/f,,g",
		       dir);
	assert_int_equal(image_open_opts(&im, name, 0, &e), 0);
	assert_int_equal(image_close(im), 0);
	assert_int_equal(image_open_opts(&im, "driver=null-co,size=1M", 0,
					 &e), 0);
	assert_int_equal(image_size(im), MiB);
	assert_int_equal(image_close(im), 0);
	(void)strcat(name, ",bogus=1");
	assert_int_equal(image_open_opts(&im, name, 0, &e), -EINVAL);
}

static void bad_names_say_why(void **state)
{
	static const struct { const char *name, *says; } cases[] = {
		{ "json:{", "json: " },
		{ "json:[]", "json: an object is wanted" },
		{ "json:{\"driver\":\"raw\"}", "no file is named" },
		{ "/nonexistent/x", "cannot open '/nonexistent/x': No such" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct image *im;
		struct err e;

		assert_true(image_open(&im, cases[i].name, NULL, 0, &e) < 0);
		assert_non_null(strstr(e.text, cases[i].says));
	}
}

static void names_below_are_relative_to_the_image_above(void **state)
{
	static const struct { const char *above, *name, *is; } cases[] = {
		{ "top", "base", "base" },
		{ "a/top", "base", "a/base" },
		{ "/top", "base", "/base" },
		{ "a/top", "/base", "/base" },
		{ "a/top", "nbd:x", "nbd:x" },
		{ "a/top", "b/c:d", "a/b/c:d" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char *is = image_resolve_name(cases[i].above, cases[i].name);

		assert_string_equal(is, cases[i].is);
		free(is);
	}
}

static int in_directory(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(a_request_past_the_end_is_refused),
		TEST(a_torn_last_sector_reads_as_zeroes),
		TEST(holes_are_zero_and_not_data),
		TEST(two_writers_are_refused_with_the_holder),
		TEST(json_and_option_names_open_the_same_file),
		TEST(bad_names_say_why),
		TEST(names_below_are_relative_to_the_image_above),
	};

	return cmocka_run_group_tests_name("image", tests, in_directory,
					   remove_directory);
}
