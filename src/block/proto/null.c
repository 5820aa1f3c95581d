/* block/proto/null.c - the protocol null-co: takes all, and reads as zeroes.
 *
 * Options: size (1 GiB unless given), read-zeroes (off: a read leaves the
 * buffer as it is, for measuring), latency-ns (taken, and not imitated).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "block/proto/protos.h"

#define SIZE_PRESET	(1 * GiB)

static int null_open(struct image_file *f, struct optstr *opts, struct err *e)
{
	uint64_t size = SIZE_PRESET, latency_ns = 0;
	bool zeroes = false;
	int rc = optstr_size(opts, "size", 1, &size, e);

	(void)optstr_get(opts, "filename");
	if (!rc)
		rc = optstr_bool(opts, "read-zeroes", &zeroes, e);
	if (!rc)
		rc = optstr_u64(opts, "latency-ns", 0, UINT64_MAX, &latency_ns,
				e);
	if (!rc && size > INT64_MAX)
		rc = fail(e, EFBIG, "null-co: size %llu is over 2^63",
			  (unsigned long long)size);
	f->size = size;
	f->priv = zeroes ? f : NULL;
	return rc;
}

static void null_close(struct image_file *f)
{
	(void)f;
}

static int null_read(struct image_file *f, uint64_t at, void *buf, size_t len)
{
	(void)at;
	if (f->priv)
		memset(buf, 0, len);
	return 0;
}

static int null_write(struct image_file *f, uint64_t at, const void *buf,
		      size_t len)
{
	(void)f;
	(void)at;
	(void)buf;
	(void)len;
	return 0;
}

static int null_zero(struct image_file *f, uint64_t at, uint64_t len,
		     bool unmap)
{
	(void)unmap;
	return null_write(f, at, NULL, (size_t)len);
}

static int null_discard(struct image_file *f, uint64_t at, uint64_t len)
{
	return null_write(f, at, NULL, (size_t)len);
}

static int null_flush(struct image_file *f)
{
	(void)f;
	return 0;
}

static int null_stored(struct image_file *f, uint64_t at, bool *data,
		       uint64_t *len)
{
	*data = !f->priv;
	*len = f->size > at ? f->size - at : 1;
	return 0;
}

static int null_usage(struct image_file *f, uint64_t *bytes)
{
	(void)f;
	*bytes = 0;
	return 0;
}

#define NULL_CALLS                                                            \
	.open = null_open, .close = null_close, .read = null_read,            \
	.write = null_write, .zero = null_zero, .discard = null_discard,      \
	.flush = null_flush, .stored = null_stored, .usage = null_usage

const struct image_proto null_proto = {
	.name = "null-co", .prefix = "null-co://", NULL_CALLS,
};
const struct image_proto null_aio_proto = {
	.name = "null-aio", .prefix = "null-aio://", NULL_CALLS,
};
