/* block/core/io.h - what the parts of the core share.
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_CORE_IO_H
#define BLOCK_CORE_IO_H
#include "block/core/format.h"

/* The format's map(), cut to what was asked and to the image's end.  The lock
 * is held if im->cluster; offset < im->size. */
int image_map(struct image *im, uint64_t offset, uint64_t len,
	      struct extent *x);
/* image_read, with zeroes past the end.  held: inside an exclusive request of
 * the caller's. */
int image_read_any(struct image *im, uint64_t offset, void *buf, size_t len,
		   bool held);
/* Does all of it read as zeroes, as far as metadata tell?  An exclusive request
 * of the caller's covers it in im. */
bool image_maps_zero(struct image *im, uint64_t offset, uint64_t len);
/* image_write without its checks and its flush. */
int image_write_range(struct image *im, uint64_t offset, const void *buf,
		      size_t len);
/* May it be written, and does the range lie inside. */
int image_check_range(const struct image *im, uint64_t offset, uint64_t len);
/* rc, or what flushing says where the request or the image wants that. */
int image_durable(struct image *im, int rc, unsigned req);

/* The bounds of the units that hold v; im->cluster is not 0. */
static inline uint64_t unit_down(const struct image *im, uint64_t v)
{
	return v - v % im->cluster;	/* not always a power of two */
}

static inline uint64_t unit_up(const struct image *im, uint64_t v)
{
	return unit_down(im, v + im->cluster - 1);
}

/* Space for the packed cluster at start, which is the request's alone; then the
 * bytes; then the link. */
int pack_store(struct image *im, uint64_t start, const void *packed,
	       size_t len);
/* Write the first *done of len bytes into an image that is im->packs. */
int pack_some(struct image *im, uint64_t offset, const uint8_t *buf,
	      size_t len, size_t *done);
#endif
