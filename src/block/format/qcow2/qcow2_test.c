/* block/format/qcow2/qcow2_test.c - through the public face; headers by hand.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/test.h"
#include "block/format/qcow2/qcow2.h"

static char dir[] = "/tmp/husk-qcow2-XXXXXX";
static char top[64], bottom[64];

static void make(const char *name, const char *text)
{
	struct optstr *opts;
	struct err e = { "" };

	assert_int_equal(optstr_parse(&opts, text, NULL, &e), 0);
	if (image_create("qcow2", name, opts, &e))
		print_error("%s\n", e.text);
	assert_int_equal(optstr_finish(opts, &e), 0);
	optstr_free(opts);
}

static struct image *open_image(const char *name, unsigned flags)
{
	struct image *im = NULL;
	struct err e = { "" };

	if (image_open(&im, name, "qcow2", flags, &e))
		print_error("%s\n", e.text);
	assert_non_null(im);
	return im;
}

/* Overwrite bytes of a file. */
static void poke(const char *name, long at, const void *bytes, size_t len)
{
	FILE *f = fopen(name, "r+");

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static struct image_check check(struct image *im, unsigned fix)
{
	struct image_check c = { 0 };
	struct err e;

	assert_int_equal(image_check(im, fix, &c, &e), 0);
	return c;
}

/* ---- headers ---- */

static void a_hostile_header_is_refused_with_a_reason(void **state)
{
	static const struct {
		unsigned at, len;
		uint64_t v;
		const char *says;
	} cases[] = {
		{ HDR_MAGIC, 4, 0, "does not begin with 'QFI" },
		{ HDR_VERSION, 4, 4, "version 4 is not 2 or 3" },
		{ HDR_CLUSTER_BITS, 4, 8, "cluster size 2^8 is not" },
		{ HDR_CLUSTER_BITS, 4, 0xffffffff, "cluster size 2^4294967" },
		{ HDR_LENGTH, 4, 96, "header length 96 is not in" },
		{ HDR_LENGTH, 4, 65544, "header length 65544 is not in" },
		{ HDR_REFCOUNT_ORDER, 4, 7, "2^7 bits" },
		{ HDR_COMPRESSION, 1, 9, "compression type 9" },
		{ HDR_COMPRESSION, 1, 1, "without its incompatible bit" },
		{ HDR_SIZE, 8, 1ull << 63, "is over 2^63" },
		{ HDR_SIZE, 8, 1ull << 40, "L1 table of 1 entries is too" },
		{ HDR_L1_SIZE, 4, 0xffffffff, "L1 table of 34359738360" },
		{ HDR_L1_OFFSET, 8, 777, "L1 table at 0x309 is not" },
		{ HDR_L1_OFFSET, 8, 1ull << 60, "is not at a cluster's" },
		{ HDR_REFTABLE_OFFSET, 8, 512, "refcount table at 0x200" },
		{ HDR_REFTABLE_CLUSTERS, 4, 0, "no refcount table" },
		{ HDR_REFTABLE_CLUSTERS, 4, 0xffffffff, "refcount table of" },
		{ HDR_NB_SNAPSHOTS, 4, 65537, "snapshot table of 65537" },
		{ HDR_CRYPT, 4, 3, "encryption method 3 is unknown" },
		{ HDR_BACKING_OFFSET, 8, 1ull << 40, "backing file's name" },
		{ HDR_INCOMPATIBLE, 8, 1ull << 63, "feature bit 63" },
		{ HDR_INCOMPATIBLE, 8, INCOMPAT_DATA_FILE, "has no name" },
		{ HDR_LENGTH_NOW + 4, 4, 0xfffffff0, "passes the end" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct image *im;
		struct err e = { "" };
		uint8_t v[8];

		make(top, "size=1M");
		store_be64(v, cases[i].v << (64 - 8 * cases[i].len));
		poke(top, cases[i].at, v, cases[i].len);
		assert_true(image_open(&im, top, "qcow2", 0, &e) < 0);
		if (!strstr(e.text, cases[i].says))
			print_error("'%s' instead of '%s'\n", e.text,
				    cases[i].says);
		assert_non_null(strstr(e.text, cases[i].says));
	}
}

static void a_corrupt_image_is_only_read(void **state)
{
	uint8_t bits[8];
	struct image *im;
	struct err e;

	make(top, "size=1M");
	store_be64(bits, INCOMPAT_CORRUPT);
	poke(top, HDR_INCOMPATIBLE, bits, 8);
	assert_int_equal(image_open(&im, top, "qcow2", IMAGE_WRITE, &e),
			 -EROFS);
	im = open_image(top, 0);
	assert_int_equal(image_close(im), 0);
	im = open_image(top, IMAGE_WRITE | IMAGE_CHECK);
	assert_int_equal(check(im, FIX_ERRORS).corruptions, 0);
	assert_int_equal(image_close(im), 0);
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_close(im), 0);
}

static void header_extensions_survive_a_rewrite(void **state)
{
	static const uint8_t ext[16] = { 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 3,
					 'a', 'b', 'c' };
	uint8_t head[1024];
	struct image *im;
	struct err e;
	FILE *f;

	make(top, "size=1M");
	poke(top, HDR_LENGTH_NOW, ext, sizeof(ext));
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_set_backing(im, "below.img", "raw", &e), 0);
	assert_int_equal(image_close(im), 0);
	f = fopen(top, "r");
	assert_int_equal(fread(head, 1, sizeof(head), f), sizeof(head));
	fclose(f);
	assert_non_null(memmem(head, sizeof(head), ext, sizeof(ext)));
	im = open_image(top, IMAGE_NO_BACKING);
	assert_string_equal(im->backing_name, "below.img");
	assert_string_equal(im->backing_format, "raw");
	assert_int_equal(image_close(im), 0);
}

/* ---- chains ---- */

static void a_part_written_takes_the_rest_from_below(void **state)
{
	uint8_t buf[64 * KiB];
	struct image *im;
	char text[128];

	make(bottom, "size=1M");
	im = open_image(bottom, IMAGE_WRITE);
	memset(buf, 'B', sizeof(buf));
	assert_int_equal(image_write(im, 64 * KiB, buf, sizeof(buf), 0), 0);
	assert_int_equal(image_close(im), 0);
	(void)snprintf(text, sizeof(text), "size=1M,backing_file=%s,"
		       "backing_fmt=qcow2", bottom);
	make(top, text);
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_write(im, 70000, "ttt", 3, IMAGE_FUA), 0);
	assert_int_equal(image_read(im, 64 * KiB, buf, sizeof(buf)), 0);
	assert_int_equal(buf[0], 'B');
	assert_memory_equal(buf + 70000 - 65536 - 1, "BtttB", 5);
	assert_int_equal(buf[sizeof(buf) - 1], 'B');
	assert_int_equal(image_close(im), 0);
}

static void an_image_below_itself_is_refused(void **state)
{
	struct image *im;
	char text[128];
	struct err e;

	(void)snprintf(text, sizeof(text), "size=1M,backing_file=%s,"
		       "backing_fmt=qcow2", top);
	make(bottom, text);
	(void)snprintf(text, sizeof(text), "size=1M,backing_file=%s,"
		       "backing_fmt=qcow2", bottom);
	make(top, text);
	assert_int_equal(image_open(&im, top, "qcow2", 0, &e), -ELOOP);
	assert_non_null(strstr(e.text, "is below itself"));
}

static void what_grows_hides_what_is_below(void **state)
{
	uint8_t buf[512];
	struct image *im;
	char text[128];
	struct err e;

	make(bottom, "size=1M");
	im = open_image(bottom, IMAGE_WRITE);
	memset(buf, 'B', sizeof(buf));
	assert_int_equal(image_write(im, 600 * KiB, buf, 512, 0), 0);
	assert_int_equal(image_close(im), 0);
	(void)snprintf(text, sizeof(text), "size=512K,backing_file=%s,"
		       "backing_fmt=qcow2", bottom);
	make(top, text);
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_resize(im, 1 * MiB, PREALLOC_OFF, &e), 0);
	assert_int_equal(image_read(im, 600 * KiB, buf, 512), 0);
	assert_int_equal(buf[0], 0);
	assert_int_equal(image_close(im), 0);
}

/* ---- clusters ---- */

static void packed_clusters_are_read_in_part(void **state)
{
	static const char *const options[] = {
		"size=1M", "size=1M,compression_type=zstd",
		"size=1M,cluster_size=512", "size=1M,cluster_size=2M",
	};
	static uint8_t buf[2 * MiB];

	for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
		struct image_status st;
		struct image *im;
		uint32_t n;

		make(top, options[i]);
		im = open_image(top, IMAGE_WRITE);
		n = image_cluster_size(im) < MiB ? image_cluster_size(im) :
			MiB;
		memset(buf, 'p', n);
		assert_int_equal(image_write_compressed(im, 0, buf, n), 0);
		assert_int_equal(image_map_status(im, NULL, 0, n, &st), 0);
		assert_int_equal(st.bits, STATUS_DATA | STATUS_ALLOCATED |
				 STATUS_COMPRESSED);
		assert_int_equal(image_read(im, 100, buf, 10), 0);
		assert_memory_equal(buf, "pppppppppp", 10);
		assert_int_equal(image_write(im, 3, "x", 1, 0), 0);
		assert_int_equal(image_read(im, 0, buf, 6), 0);
		assert_memory_equal(buf, "pppxpp", 6);
		assert_int_equal(check(im, 0).leaks, 0);
		assert_int_equal(image_close(im), 0);
	}
}

static void damaged_packed_data_are_an_error(void **state)
{
	static uint8_t buf[64 * KiB];
	struct image_status st;
	struct image *im;

	make(top, "size=1M");
	im = open_image(top, IMAGE_WRITE);
	memset(buf, 'p', sizeof(buf));
	assert_int_equal(image_write_compressed(im, 0, buf, sizeof(buf)), 0);
	assert_int_equal(image_map_status(im, NULL, 0, 1, &st), 0);
	assert_int_equal(image_close(im), 0);
	memset(buf, 0xff, sizeof(buf));
	poke(top, 5 * 64 * 1024, buf, 512);	/* after L1 and L2 */
	im = open_image(top, 0);
	assert_int_equal(image_read(im, 0, buf, 512), -EIO);
	assert_int_equal(image_close(im), 0);
}

static void one_subcluster_is_written_alone(void **state)
{
	struct image_status st;
	struct image *im;

	make(top, "size=1M,extended_l2=on");
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_write(im, 4096, "x", 1, 0), 0);
	assert_int_equal(image_map_status(im, NULL, 4096, 65536, &st), 0);
	assert_int_equal(st.bits, STATUS_DATA | STATUS_ALLOCATED | STATUS_AT);
	assert_int_equal(st.len, 2048);
	assert_int_equal(image_map_status(im, NULL, 0, 65536, &st), 0);
	assert_int_equal(st.bits & STATUS_ALLOCATED, 0);
	assert_int_equal(st.len, 4096);
	assert_int_equal(image_close(im), 0);
}

/* ---- snapshots, check ---- */

static void a_snapshot_brings_the_old_bytes_back(void **state)
{
	struct image_info info;
	struct image *im;
	struct err e;
	char c;

	make(top, "size=1M");
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_write(im, 5, "1", 1, 0), 0);
	assert_int_equal(image_snapshot_create(im, "first", &e), 0);
	assert_int_equal(image_write(im, 5, "2", 1, 0), 0);
	assert_int_equal(check(im, 0).corruptions, 0);
	assert_int_equal(image_snapshot_apply(im, "first", &e), 0);
	assert_int_equal(image_read(im, 5, &c, 1), 0);
	assert_int_equal(c, '1');
	assert_int_equal(image_info(im, &info, &e), 0);
	assert_int_equal(info.snapshot_count, 1);
	assert_string_equal(info.snapshots[0].name, "first");
	image_info_free(&info);
	assert_int_equal(image_snapshot_delete(im, "1", &e), 0);
	assert_int_equal(image_snapshot_delete(im, "1", &e), -ENOENT);
	assert_int_equal(check(im, 0).leaks, 0);
	assert_int_equal(image_close(im), 0);
}

static void leaks_and_missing_counts_are_told_apart_and_repaired(void **state)
{
	static const uint8_t one_and_none[4] = { 0, 1, 0, 0 };
	struct image_check c;
	struct image *im;

	make(top, "size=1M");
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_write(im, 0, "x", 1, 0), 0);
	assert_int_equal(image_close(im), 0);
	/* refcounts of cluster 4, the L2 table, and 5, the data */
	poke(top, 2 * 65536 + 4 * 2, one_and_none, 4);
	poke(top, 2 * 65536 + 3 * 2, "\0\3", 2);	/* the L1 table */
	im = open_image(top, IMAGE_WRITE | IMAGE_CHECK);
	c = check(im, 0);
	assert_int_equal(c.leaks, 1);
	assert_int_equal(c.corruptions, 2);	/* its count, and its flag */
	c = check(im, FIX_LEAKS);
	assert_int_equal(c.leaks_fixed, 1);
	assert_int_equal(c.corruptions, 2);
	c = check(im, FIX_ERRORS);
	assert_int_equal(c.corruptions_fixed, 1);
	assert_int_equal(check(im, 0).corruptions, 0);
	assert_int_equal(image_close(im), 0);
}

static void lost_refcount_blocks_are_made_anew(void **state)
{
	static const uint8_t nowhere[8] = { 0, 0x70, 0, 0, 0, 0, 0, 0 };
	struct image *im;
	char c;

	make(top, "size=1M");
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_write(im, 0, "x", 1, 0), 0);
	assert_int_equal(image_close(im), 0);
	poke(top, 65536, nowhere, 8);
	im = open_image(top, IMAGE_WRITE | IMAGE_CHECK);
	assert_true(check(im, 0).corruptions > 0);
	assert_int_equal(check(im, FIX_LEAKS | FIX_ERRORS).corruptions, 0);
	assert_int_equal(check(im, 0).corruptions, 0);
	assert_int_equal(check(im, 0).leaks, 0);
	assert_int_equal(image_read(im, 0, &c, 1), 0);
	assert_int_equal(c, 'x');
	assert_int_equal(image_close(im), 0);
}

static void a_dirty_image_is_counted_anew_when_opened(void **state)
{
	uint8_t bits[8], none[2] = { 0, 0 };
	struct image *im;

	make(top, "size=1M,lazy_refcounts=on");
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(image_write(im, 0, "x", 1, 0), 0);
	assert_int_equal(image_close(im), 0);
	store_be64(bits, INCOMPAT_DIRTY);
	poke(top, HDR_INCOMPATIBLE, bits, 8);
	poke(top, 2 * 65536 + 5 * 2, none, 2);
	im = open_image(top, IMAGE_WRITE);
	assert_int_equal(check(im, 0).corruptions, 0);
	assert_int_equal(image_close(im), 0);
}

static int in_directory(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(top, sizeof(top), "%s/top.qcow2", dir);
	(void)snprintf(bottom, sizeof(bottom), "%s/bottom.qcow2", dir);
	return 0;
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
		TEST(a_hostile_header_is_refused_with_a_reason),
		TEST(a_corrupt_image_is_only_read),
		TEST(header_extensions_survive_a_rewrite),
		TEST(a_part_written_takes_the_rest_from_below),
		TEST(an_image_below_itself_is_refused),
		TEST(what_grows_hides_what_is_below),
		TEST(packed_clusters_are_read_in_part),
		TEST(damaged_packed_data_are_an_error),
		TEST(one_subcluster_is_written_alone),
		TEST(a_snapshot_brings_the_old_bytes_back),
		TEST(leaks_and_missing_counts_are_told_apart_and_repaired),
		TEST(lost_refcount_blocks_are_made_anew),
		TEST(a_dirty_image_is_counted_anew_when_opened),
	};

	return cmocka_run_group_tests_name("qcow2", tests, in_directory,
					   remove_directory);
}
