/* block/core/status.c - where the bytes of a chain are, without reading them.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "block/core/io.h"

/* A hole in the file under data that may have some: zeroes, and in a raw image
 * no data either. */
static int look_in_file(const struct image *im, const struct extent *x,
			struct image_status *st)
{
	uint64_t len;
	bool data;
	int rc = file_stored(x->file, x->at, &data, &len);

	if (rc)
		return rc;
	if (len < st->len)
		st->len = len;
	if (!data)
		st->bits |= STATUS_ZERO;
	if (!data && im->format->no_metadata)
		st->bits &= ~(unsigned)STATUS_DATA;
	return 0;
}

/* What im itself says, about st->len bytes at most. */
static int status_of(struct image *im, uint64_t offset,
		     struct image_status *st)
{
	struct extent x;
	int rc;

	if (im->cluster)
		pthread_mutex_lock(&im->lock);
	rc = image_map(im, offset, st->len, &x);
	if (im->cluster)
		pthread_mutex_unlock(&im->lock);
	if (rc)
		return rc;
	st->len = x.len;
	switch (x.kind) {
	case EXTENT_DATA:
		st->bits = STATUS_DATA | STATUS_ALLOCATED | STATUS_AT;
		st->at = x.at;
		st->file = x.file->name;
		return x.sparse ? look_in_file(im, &x, st) : 0;
	case EXTENT_CODED:
		st->bits = STATUS_DATA | STATUS_ALLOCATED |
			   STATUS_COMPRESSED;
		return 0;
	case EXTENT_ZERO:
		st->bits = STATUS_ZERO | STATUS_ALLOCATED;
		if (x.at) {	/* space is kept for it */
			st->bits |= STATUS_AT;
			st->at = x.at;
			st->file = x.file->name;
		}
		return 0;
	case EXTENT_BELOW:
		st->bits = 0;
		return 0;
	}
	return -EIO;
}

int image_map_status(struct image *im, struct image *base, uint64_t offset,
		     uint64_t len, struct image_status *st)
{
	unsigned depth = 0;
	int rc;

	if (!len || offset >= im->size || len > im->size - offset)
		return -EINVAL;
	*st = (struct image_status){ .len = len };
	for (; im && im != base; im = im->below, depth++) {
		st->depth = depth;
		if (offset >= im->size) {
			st->bits = STATUS_ZERO | STATUS_PAST_END |
				   STATUS_ALLOCATED;
			st->owner = im;
			return 0;
		}
		if (st->len > im->size - offset)
			st->len = im->size - offset;
		rc = status_of(im, offset, st);
		if (rc)
			return rc;
		if (st->bits & STATUS_ALLOCATED) {
			st->owner = im;
			return 0;
		}
	}
	/* Nobody has it.  With nothing left to ask it is zero. */
	st->bits = im ? 0 : STATUS_ZERO;
	return 0;
}
