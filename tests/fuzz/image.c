/* tests/fuzz/image.c - a file of any bytes as an image, for libFuzzer.
 *
 * The first byte says which format and what is done: read, or also check, repair
 * and write.  The rest is the file.  Whatever it holds, nothing may crash, hang
 * or take much memory; that an error is given is well.
 *
 * Build: clang -g -O1 -fsanitize=fuzzer,address,undefined with the sources of
 * src/block, src/base and src/host/disk.c; tests/fuzz/run does it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "block/core/block.h"

#define READS	64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_about(struct image *im)
{
	static uint8_t buf[128 * KiB];
	uint64_t size = image_size(im), step = size / READS + 1;

	for (uint64_t at = 0; at < size && at / step < READS; at += step) {
		uint64_t n = size - at < sizeof(buf) ? size - at : sizeof(buf);
		struct image_status st;

		(void)image_read(im, at, buf, n);
		(void)image_map_status(im, NULL, at, size - at, &st);
	}
}

static void write_about(struct image *im)
{
	uint64_t size = image_size(im);
	struct err e;

	if (size < 4096)
		return;
	(void)image_write(im, 0, "hello", 5, 0);
	(void)image_write(im, size / 2, "there", 5, 0);
	(void)image_zero(im, size / 4, size / 4 < MiB ? size / 4 : MiB,
			 IMAGE_MAY_UNMAP);
	(void)image_snapshot_create(im, "s", &e);
	(void)image_write(im, size - 3, "end", 3, IMAGE_FUA);
	(void)image_snapshot_delete(im, "s", &e);
	(void)image_discard(im, 0, size < MiB ? size : MiB);
}

static void look(struct image *im, unsigned how)
{
	struct image_check c = { 0 };
	struct image_info info;
	struct err e;

	if (!image_info(im, &info, &e))
		image_info_free(&info);
	read_about(im);
	(void)image_check(im, how & 8 ? FIX_LEAKS | FIX_ERRORS : 0, &c, &e);
	if (how & 4)
		write_about(im);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image *im;
	unsigned how, flags = IMAGE_NO_BACKING | IMAGE_SHARE;
	char path[64];
	struct err e;
	int fd;

	if (!size)
		return 0;
	fd = memfd_create("image", 0);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		abort();
	how = *data;
	if (how & 12)
		flags |= IMAGE_WRITE | IMAGE_UNMAP;
	if (how & 8)
		flags |= IMAGE_CHECK;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!image_open(&im, path, how & 1 ? NULL : "qcow2", flags, &e)) {
		look(im, how);
		(void)image_close(im);
	}
	close(fd);
	return 0;
}
