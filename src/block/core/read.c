/* block/core/read.c - one read path for every format.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "block/core/io.h"
#include "block/core/request.h"

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int image_map(struct image *im, uint64_t offset, uint64_t len,
	      struct extent *x)
{
	int rc;

	*x = (struct extent){ .len = len, .file = im->file };
	rc = im->format->map(im, offset, x);
	if (rc)
		return rc;
	x->len = min_u64(min_u64(x->len, len), im->size - offset);
	return x->len ? 0 : -EIO;
}

/* Move what one extent says; the request holds it still. */
static int read_extent(struct image *im, const struct extent *x,
		       uint64_t offset, void *buf)
{
	size_t len = (size_t)x->len;

	switch (x->kind) {
	case EXTENT_DATA:
		return file_read(x->file, x->at, buf, len);
	case EXTENT_CODED:
		return im->format->decode(im, x, offset, buf, len);
	case EXTENT_BELOW:
		if (im->below)
			return image_read_any(im->below, offset, buf, len,
					      false);
		break;
	case EXTENT_ZERO:
		break;
	}
	memset(buf, 0, len);
	return 0;
}

/* held: the caller's exclusive request covers the range already. */
static int read_some(struct image *im, uint64_t offset, void *buf, size_t len,
		     bool held, size_t *done)
{
	struct request rq;
	struct extent x;
	int rc;

	if (!im->cluster) {
		rc = image_map(im, offset, len, &x);
		*done = (size_t)x.len;
		return rc ? rc : read_extent(im, &x, offset, buf);
	}
	pthread_mutex_lock(&im->lock);
	while (!held && request_blocked(im, offset, offset + len, false))
		request_wait(im);
	rc = image_map(im, offset, len, &x);
	if (!rc && !held)
		request_begin(im, &rq, offset, offset + x.len, false);
	pthread_mutex_unlock(&im->lock);
	if (rc)
		return rc;

	rc = read_extent(im, &x, offset, buf);
	if (!held) {
		pthread_mutex_lock(&im->lock);
		request_end(im, &rq);
		pthread_mutex_unlock(&im->lock);
	}
	*done = (size_t)x.len;
	return rc;
}

int image_read_any(struct image *im, uint64_t offset, void *buf, size_t len,
		   bool held)
{
	uint8_t *to = buf;
	size_t n;

	while (len && offset < im->size) {
		size_t want = (size_t)min_u64(len, im->size - offset);
		int rc = read_some(im, offset, to, want, held, &n);

		if (rc)
			return rc;
		to += n;
		offset += n;
		len -= n;
	}
	memset(to, 0, len);
	return 0;
}

int image_read(struct image *im, uint64_t offset, void *buf, size_t len)
{
	if (offset > im->size || len > im->size - offset)
		return -EINVAL;
	return image_read_any(im, offset, buf, len, false);
}
