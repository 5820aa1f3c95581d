/* app/img/copy.h - copy images, one behind the other, into one.
 *
 * Holes and zeroes of the sources are not written if the target reads as
 * zeroes by itself, and are zeroed there otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_IMG_COPY_H
#define APP_IMG_COPY_H
#include "block/core/block.h"

struct copy {
	struct image **sources;		/* borrowed */
	size_t count;
	uint64_t skip;		/* bytes of the sources not to copy at first */
	uint64_t size;		/* bytes to copy */
	struct image *to;	/* borrowed */
	/* Runs of zeroes of this many bytes (a multiple of 512) and more are
	 * looked for; 0: none are, and holes are written out, too. */
	uint32_t sparse;
	bool zeroed;		/* the target reads as zeroes */
	bool above;		/* what sources have from below is not copied:
				 * the target has it from below as well */
	uint64_t below_size;	/* above: bytes of what is below the target */
	bool compress;
	bool salvage;		/* what cannot be read becomes zeroes */
	unsigned threads;
	uint64_t rate;		/* bytes a second; 0: no limit */
};

/* Sum of the sources' sizes; each counts in whole sectors. */
uint64_t copy_total(struct image *const *sources, size_t count);
/* Errors have been said; returns the exit status. */
int copy_run(const struct copy *c);

#endif
