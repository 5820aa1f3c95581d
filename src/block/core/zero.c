/* block/core/zero.c - make parts of a disk read as zeroes, or no longer wanted.
 *
 * Whole units go to the format, which changes its tables; the parts of units at
 * the ends are written out as zeroes, unless they read so already.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/core/io.h"
#include "block/core/request.h"

/* The format's zero or discard for whole units, alone in them. */
typedef int units_fn(struct image *im, uint64_t offset, uint64_t len,
		     unsigned req);

/* So much goes under one hold of the lock. */
#define UNITS_MAX	(4 * GiB)

static int zero_units(struct image *im, uint64_t offset, uint64_t len,
		      unsigned req)
{
	return im->format->zero ? im->format->zero(im, offset, len, req) :
		-ENOTSUP;
}

static int discard_units(struct image *im, uint64_t offset, uint64_t len,
			 unsigned req)
{
	(void)req;
	return im->format->discard ? im->format->discard(im, offset, len) : 0;
}

static int on_units(struct image *im, uint64_t offset, uint64_t len,
		    unsigned req, units_fn *fn)
{
	int rc = 0;

	while (len && !rc) {
		uint64_t n = len < UNITS_MAX ? len : UNITS_MAX;

		pthread_mutex_lock(&im->lock);
		while (request_blocked(im, offset, unit_up(im, offset + n),
				       true))
			request_wait(im);
		rc = fn(im, offset, n, req);
		pthread_mutex_unlock(&im->lock);
		offset += n;
		len -= n;
	}
	atomic_store(&im->dirty, true);
	return rc;
}

static int write_zeroes(struct image *im, uint64_t offset, uint64_t len,
			unsigned req)
{
	size_t size = len < MiB ? (size_t)len : MiB;
	uint8_t *zeroes;
	int rc = 0;

	if (!len)
		return 0;
	if (req & IMAGE_NO_FALLBACK)
		return -ENOTSUP;
	zeroes = xcalloc(1, size);
	for (; len && !rc; offset += size, len -= size) {
		if (size > len)
			size = (size_t)len;
		rc = image_write_range(im, offset, zeroes, size);
	}
	free(zeroes);
	return rc;
}

/* Part of a unit: nothing to do if it reads as zeroes as it is. */
static int zero_part(struct image *im, uint64_t offset, uint64_t len,
		     unsigned req)
{
	struct request rq;
	uint64_t end = offset + len;
	bool zero;

	if (!len)
		return 0;
	pthread_mutex_lock(&im->lock);
	while (request_blocked(im, offset, end, true))
		request_wait(im);
	request_begin(im, &rq, offset, end, true);
	pthread_mutex_unlock(&im->lock);
	zero = image_maps_zero(im, offset, len);
	pthread_mutex_lock(&im->lock);
	request_end(im, &rq);
	pthread_mutex_unlock(&im->lock);
	return zero ? 0 : write_zeroes(im, offset, len, req);
}

static int zero_in_units(struct image *im, uint64_t offset, uint64_t len,
			 unsigned req)
{
	uint64_t end = offset + len;
	uint64_t first = unit_up(im, offset);
	uint64_t last = end == im->size ? end : unit_down(im, end);
	int rc;

	if (first >= end || first >= last)
		return zero_part(im, offset, len, req);
	rc = zero_part(im, offset, first - offset, req);
	if (!rc)
		rc = on_units(im, first, last - first, req, zero_units);
	if (rc == -ENOTSUP)
		rc = write_zeroes(im, first, last - first, req);
	return rc ? rc : zero_part(im, last, end - last, req);
}

int image_zero(struct image *im, uint64_t offset, uint64_t len, unsigned req)
{
	bool unmap = req & IMAGE_MAY_UNMAP && im->flags & IMAGE_UNMAP;
	int rc = image_check_range(im, offset, len);

	if (rc || !len)
		return rc;
	if (!unmap)
		req &= ~(unsigned)IMAGE_MAY_UNMAP;
	if (im->cluster)
		rc = zero_in_units(im, offset, len, req);
	else if (!im->format->no_metadata)
		rc = write_zeroes(im, offset, len, req);
	else if (req & IMAGE_NO_FALLBACK)
		rc = file_zero_fast(im->file, offset, len, unmap);
	else
		rc = file_zero(im->file, offset, len, unmap);
	atomic_store(&im->dirty, true);
	return image_durable(im, rc, req);
}

int image_discard(struct image *im, uint64_t offset, uint64_t len)
{
	int rc = image_check_range(im, offset, len);
	uint64_t end = offset + len;

	if (rc || !len || !(im->flags & IMAGE_UNMAP))
		return rc;
	if (!im->cluster) {
		rc = im->format->no_metadata ?
			file_discard(im->file, offset, len) : 0;
		atomic_store(&im->dirty, true);
		return rc == -ENOTSUP ? 0 : rc;
	}
	offset = unit_up(im, offset);
	if (end != im->size)
		end = unit_down(im, end);
	return offset < end ?
		on_units(im, offset, end - offset, 0, discard_units) : 0;
}
