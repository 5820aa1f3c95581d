/* block/core/write.c - one write path for every format.
 *
 * A write goes extent by extent.  Bytes that may be overwritten in place are,
 * beside other requests.  For the rest the format reserves space; what the
 * request leaves of the reserved units is filled with what was read there
 * before (copy-on-write), and only then is the new place linked in.  Until that
 * the units belong to this request alone, so no two threads allocate for one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/core/io.h"
#include "block/core/request.h"

/* A write with its surroundings goes out as one up to this size. */
#define ONE_WRITE_MAX	(4 * MiB)

struct write {
	struct image *im;
	uint64_t offset;
	const uint8_t *buf;	/* NULL: zeroes */
	size_t len;
};

/* ---- around a write into new space ---- */

bool image_maps_zero(struct image *im, uint64_t offset, uint64_t len)
{
	bool zero = true;
	struct extent x;

	for (; zero && len && offset < im->size; len -= x.len) {
		if (im->cluster)
			pthread_mutex_lock(&im->lock);
		zero = !image_map(im, offset, len, &x);
		if (im->cluster)
			pthread_mutex_unlock(&im->lock);
		if (!zero)
			break;
		if (x.kind == EXTENT_BELOW && im->below)
			zero = image_maps_zero(im->below, offset, x.len);
		else
			zero = x.kind == EXTENT_ZERO || x.kind == EXTENT_BELOW;
		offset += x.len;
	}
	return zero;
}

static int put(const struct reserve *r, uint64_t offset, const void *buf,
	       size_t len)
{
	return file_write(r->file, r->at + (offset - r->start), buf, len);
}

/* Head, data and tail in one buffer and one write; a side that needs nothing
 * has no bytes. */
static int put_around(const struct write *w, const struct reserve *r,
		      uint64_t start, uint64_t end, size_t n)
{
	size_t head = (size_t)(w->offset - start);
	size_t tail = (size_t)(end - w->offset - n);
	uint8_t *all = malloc(end - start);
	int rc;

	if (!all)
		return -ENOMEM;
	rc = image_read_any(w->im, start, all, head, true);
	if (!rc)
		rc = image_read_any(w->im, w->offset + n, all + head + n, tail,
				    true);
	memcpy(all + head, w->buf, n);
	if (!rc)
		rc = put(r, start, all, end - start);
	free(all);
	return rc;
}

/* What was there goes to the new place, in pieces. */
static int copy(const struct write *w, const struct reserve *r,
		uint64_t start, uint64_t end)
{
	size_t size = end - start < MiB ? (size_t)(end - start) : MiB;
	uint8_t *buf = size ? malloc(size) : NULL;
	int rc = size && !buf ? -ENOMEM : 0;

	for (; start < end && !rc; start += size) {
		if (size > end - start)
			size = (size_t)(end - start);
		rc = image_read_any(w->im, start, buf, size, true);
		if (!rc)
			rc = put(r, start, buf, size);
	}
	free(buf);
	return rc;
}

/* Everything from r->start to r->end; n bytes of it are the request's. */
static int fill(const struct write *w, const struct reserve *r, size_t n)
{
	uint64_t start = r->start, end = r->end, stop = w->offset + n;
	int rc;

	if (r->zeroed && image_maps_zero(w->im, start, w->offset - start))
		start = w->offset;
	if (r->zeroed && image_maps_zero(w->im, stop, end - stop))
		end = stop;
	if (start == w->offset && end == stop)
		return put(r, start, w->buf, n);
	if (end - start <= ONE_WRITE_MAX)
		return put_around(w, r, start, end, n);
	rc = copy(w, r, start, w->offset);
	if (!rc)
		rc = put(r, w->offset, w->buf, n);
	return rc ? rc : copy(w, r, stop, end);
}

/* ---- one extent ---- */

static int write_in_place(const struct write *w, const struct extent *x)
{
	struct request rq;
	int rc;

	request_begin(w->im, &rq, w->offset, w->offset + x->len, false);
	pthread_mutex_unlock(&w->im->lock);
	rc = file_write(x->file, x->at, w->buf, (size_t)x->len);
	pthread_mutex_lock(&w->im->lock);
	request_end(w->im, &rq);
	return rc;
}

/* The units from start to end are free of others. */
static int write_new(const struct write *w, uint64_t start, uint64_t end,
		     uint64_t want, size_t *done)
{
	struct image *im = w->im;
	struct reserve r = { .file = im->file };
	struct request rq;
	int rc;

	rc = im->format->allocate(im, w->offset, want, &r);
	if (rc)
		return rc;
	request_begin(im, &rq, start, end, true);
	*done = (size_t)(r.end - w->offset < want ? r.end - w->offset : want);
	pthread_mutex_unlock(&im->lock);
	rc = fill(w, &r, *done);
	pthread_mutex_lock(&im->lock);
	if (!rc)
		rc = im->format->link(im, &r);
	else
		im->format->unlink(im, &r);
	request_end(im, &rq);
	return rc;
}

/* The lock is held; *done bytes of the request were written. */
static int write_some_locked(const struct write *w, size_t *done)
{
	struct image *im = w->im;
	struct extent x;

	for (;;) {
		uint64_t start, end;
		bool in_place;
		int rc = image_map(im, w->offset, w->len, &x);

		if (rc)
			return rc;
		end = w->offset + x.len;
		start = w->offset;
		in_place = x.kind == EXTENT_DATA && x.in_place;
		if (!in_place) {
			start = unit_down(im, start);
			end = unit_up(im, end);
		}
		if (request_blocked(im, start, end, !in_place)) {
			request_wait(im);
			continue;
		}
		*done = (size_t)x.len;
		if (in_place)
			return write_in_place(w, &x);
		return write_new(w, start, end, x.len, done);
	}
}

/* Formats without units of allocation: what is mapped is where it goes. */
static int write_plain(const struct write *w, size_t *done)
{
	struct extent x;
	int rc = image_map(w->im, w->offset, w->len, &x);

	if (rc)
		return rc;
	if (x.kind != EXTENT_DATA)
		return -EROFS;
	*done = (size_t)x.len;
	return file_write(x.file, x.at, w->buf, *done);
}

int image_write_range(struct image *im, uint64_t offset, const void *buf,
		      size_t len)
{
	struct write w = { .im = im, .offset = offset, .buf = buf,
			   .len = len };
	size_t n = 0;
	int rc = 0;

	for (; w.len && !rc; w.offset += n, w.buf += n, w.len -= n) {
		if (im->packs) {
			rc = pack_some(im, w.offset, w.buf, w.len, &n);
			continue;
		}
		if (!im->cluster) {
			rc = write_plain(&w, &n);
			continue;
		}
		pthread_mutex_lock(&im->lock);
		rc = write_some_locked(&w, &n);
		pthread_mutex_unlock(&im->lock);
	}
	atomic_store(&im->dirty, true);
	return rc;
}

/* ---- for the user ---- */

int image_check_range(const struct image *im, uint64_t offset, uint64_t len)
{
	if (!im->writable)
		return -EROFS;
	return offset > im->size || len > im->size - offset ? -EINVAL : 0;
}

static int flush_locked(struct image *im)
{
	int rc;

	if (!atomic_exchange(&im->dirty, false))
		return 0;
	if (im->format->flush) {
		pthread_mutex_lock(&im->lock);
		rc = im->format->flush(im);
		pthread_mutex_unlock(&im->lock);
	} else {
		rc = file_flush(im->file);
	}
	if (rc)
		atomic_store(&im->dirty, true);
	return rc;
}

/* What a flush that is on its way has taken on is not durable before that
 * ends: so the next one waits for it. */
int image_flush(struct image *im)
{
	int rc;

	pthread_mutex_lock(&im->flushing);
	rc = flush_locked(im);
	pthread_mutex_unlock(&im->flushing);
	return rc;
}

int image_durable(struct image *im, int rc, unsigned req)
{
	if (rc || !(req & IMAGE_FUA || im->flags & IMAGE_WRITETHROUGH))
		return rc;
	return image_flush(im);
}

/* A raw disk whose format was guessed must not get another format's header:
 * the guest would choose what the next start opens. */
static bool forges_header(struct image *im, uint64_t offset, const void *buf,
			  size_t len)
{
	uint8_t head[512] = { 0 };

	if (!(im->flags & IMAGE_PROBED) || !im->format->no_metadata ||
	    offset >= sizeof(head))
		return false;
	if (image_read_any(im, 0, head, sizeof(head), false))
		return true;
	if (len > sizeof(head) - offset)
		len = sizeof(head) - offset;
	memcpy(head + offset, buf, len);
	for (unsigned i = 0; image_formats[i]; i++)
		if (!image_formats[i]->no_metadata &&
		    image_formats[i]->probe &&
		    image_formats[i]->probe(head, sizeof(head), "") > 0)
			return true;
	return false;
}

int image_write(struct image *im, uint64_t offset, const void *buf,
		size_t len, unsigned req)
{
	int rc = image_check_range(im, offset, len);

	if (!rc && forges_header(im, offset, buf, len))
		rc = -EPERM;
	if (!rc)
		rc = image_write_range(im, offset, buf, len);
	return image_durable(im, rc, req);
}

/* ---- compressed ---- */

static int write_packed(struct image *im, uint64_t offset, const void *packed,
			size_t len)
{
	struct request rq;
	int rc;

	pthread_mutex_lock(&im->lock);
	while (request_blocked(im, offset, offset + im->cluster, true))
		request_wait(im);
	request_begin(im, &rq, offset, offset + im->cluster, true);
	pthread_mutex_unlock(&im->lock);
	rc = pack_store(im, offset, packed, len);
	pthread_mutex_lock(&im->lock);
	request_end(im, &rq);
	pthread_mutex_unlock(&im->lock);
	atomic_store(&im->dirty, true);
	return rc;
}

int image_write_compressed(struct image *im, uint64_t offset, const void *buf,
			   size_t len)
{
	int rc = image_check_range(im, offset, len);
	uint8_t *whole, *packed;
	size_t n;

	if (rc)
		return rc;
	if (!im->format->encode)
		return -ENOTSUP;
	if (!im->cluster)	/* this one has none, others of its format do */
		return image_durable(im, image_write_range(im, offset, buf,
							   len), 0);
	if (offset % im->cluster || len > im->cluster ||
	    (len < im->cluster && offset + len != im->size))
		return -EINVAL;
	whole = xcalloc(1, im->cluster);
	packed = xcalloc(1, im->cluster + im->cluster / 8);
	memcpy(whole, buf, len);
	n = im->format->encode(im, whole, im->cluster, packed);
	rc = n ? write_packed(im, offset, packed, n) :
		image_write_range(im, offset, buf, len);
	free(whole);
	free(packed);
	return image_durable(im, rc, 0);
}
