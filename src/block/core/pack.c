/* block/core/pack.c - images that store nothing but packed clusters.
 *
 * Whatever is written becomes whole clusters, packed anew: what a request
 * leaves of one is read first.  A cluster belongs to one request from its
 * reading to its linking.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/core/io.h"
#include "block/core/request.h"

int pack_store(struct image *im, uint64_t start, const void *packed,
	       size_t len)
{
	struct reserve r = { .file = im->file };
	int rc;

	pthread_mutex_lock(&im->lock);
	rc = im->format->allocate_packed(im, start, len, &r);
	pthread_mutex_unlock(&im->lock);
	if (rc)
		return rc;
	rc = file_write(r.file, r.at, packed, len);
	pthread_mutex_lock(&im->lock);
	if (!rc)
		rc = im->format->link(im, &r);
	else
		im->format->unlink(im, &r);
	pthread_mutex_unlock(&im->lock);
	return rc;
}

/* n bytes at `from` in the cluster at start, which is the request's alone. */
static int pack(struct image *im, uint64_t start, size_t from,
		const uint8_t *buf, size_t n)
{
	uint8_t *whole = calloc(1, im->cluster);
	uint8_t *packed = malloc(im->cluster + im->cluster / 8);
	size_t len = 0;
	int rc = whole && packed ? 0 : -ENOMEM;

	if (!rc && n < im->cluster)
		rc = image_read_any(im, start, whole, im->cluster, true);
	if (!rc) {
		memcpy(whole + from, buf, n);
		len = im->format->encode(im, whole, im->cluster, packed);
		rc = len ? pack_store(im, start, packed, len) : -EIO;
	}
	free(whole);
	free(packed);
	return rc;
}

int pack_some(struct image *im, uint64_t offset, const uint8_t *buf,
	      size_t len, size_t *done)
{
	size_t from = (size_t)(offset % im->cluster);
	uint64_t start = offset - from;
	struct request rq;
	int rc;

	*done = len < im->cluster - from ? len : im->cluster - from;
	pthread_mutex_lock(&im->lock);
	while (request_blocked(im, start, start + im->cluster, true))
		request_wait(im);
	request_begin(im, &rq, start, start + im->cluster, true);
	pthread_mutex_unlock(&im->lock);
	rc = pack(im, start, from, buf, *done);
	pthread_mutex_lock(&im->lock);
	request_end(im, &rq);
	pthread_mutex_unlock(&im->lock);
	return rc;
}
