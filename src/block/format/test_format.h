/* block/format/test_format.h - what the unit tests of the formats share: images
 * in a directory of their own, and a model in memory to compare with.
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_FORMAT_TEST_FORMAT_H
#define BLOCK_FORMAT_TEST_FORMAT_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/test.h"
#include "block/core/block.h"

static char test_dir[] = "/tmp/husk-format-XXXXXX";

static inline const char *test_path(const char *name)
{
	static char buf[4][128];
	static unsigned n;
	char *p = buf[n++ % 4];

	(void)snprintf(p, sizeof(buf[0]), "%s/%s", test_dir, name);
	return p;
}

static inline int test_create(const char *format, const char *name,
			      const char *text)
{
	struct optstr *opts;
	struct err e = { "" };
	int rc;

	assert_int_equal(optstr_parse(&opts, text, NULL, &e), 0);
	rc = image_create(format, test_path(name), opts, &e);
	if (!rc)
		assert_int_equal(optstr_finish(opts, &e), 0);
	optstr_free(opts);
	return rc;
}

static inline struct image *test_open(const char *format, const char *name,
				      unsigned flags)
{
	struct image *im = NULL;
	struct err e = { "" };

	if (image_open(&im, test_path(name), format, flags, &e))
		print_error("%s\n", e.text);
	assert_non_null(im);
	return im;
}

/* Writes, zeroes and reads of all sizes against a model, through two opens. */
static inline void test_scribble(const char *format, const char *name,
				 unsigned rounds)
{
	struct image *im = test_open(format, name, IMAGE_WRITE);
	size_t size = (size_t)image_size(im);
	uint8_t *model = calloc(1, size), *got = malloc(size);
	unsigned seed = 1;

	assert_non_null(model);
	assert_non_null(got);
	for (unsigned i = 0; i < rounds; i++) {
		size_t at = (size_t)rand_r(&seed) % size;
		size_t len = (size_t)rand_r(&seed) %
			(i % 4 ? 3000 : 300000) + 1;

		if (len > size - at)
			len = size - at;
		if (i % 7) {
			memset(model + at, (int)(i % 255 + 1), len);
			assert_int_equal(image_write(im, at, model + at, len,
						     0), 0);
		} else {
			memset(model + at, 0, len);
			assert_int_equal(image_zero(im, at, len, 0), 0);
		}
		if (i % 50 == 0)
			assert_int_equal(image_flush(im), 0);
	}
	assert_int_equal(image_read(im, 0, got, size), 0);
	assert_memory_equal(got, model, size);
	assert_int_equal(image_close(im), 0);
	im = test_open(format, name, 0);
	assert_int_equal(image_read(im, 0, got, size), 0);
	assert_memory_equal(got, model, size);
	assert_int_equal(image_close(im), 0);
	free(model);
	free(got);
}

/* Bytes of a file changed: does opening say this? */
static inline void test_hostile(const char *format, const char *name, long at,
				const void *bytes, size_t len,
				const char *says)
{
	FILE *f = fopen(test_path(name), "r+");
	struct image *im = NULL;
	struct err e = { "" };
	uint8_t old[64];

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fread(old, 1, len, f), len);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fflush(f), 0);
	assert_true(image_open(&im, test_path(name), format, 0, &e) < 0);
	if (!strstr(e.text, says))
		print_error("'%s' has no '%s'\n", e.text, says);
	assert_non_null(strstr(e.text, says));
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fwrite(old, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline int test_in_directory(void **state)
{
	(void)state;
	return mkdtemp(test_dir) ? 0 : -1;
}

static inline int test_remove_directory(void **state)
{
	char cmd[64];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", test_dir);
	return system(cmd);
}
#endif
