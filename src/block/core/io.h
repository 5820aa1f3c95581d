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
/* Write the first *done of len bytes into an image that is im->packs. */
int pack_some(struct image *im, uint64_t offset, const uint8_t *buf,
	      size_t len, size_t *done);
#endif
