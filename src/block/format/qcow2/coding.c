/* block/format/qcow2/coding.c - compressed clusters.
 *
 * zlib means raw deflate (RFC 1951) with a window of 4 KiB; zstd means one frame
 * (RFC 8878).  A packed cluster is stored in whole sectors, so bytes of others
 * may follow the stream's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "block/format/qcow2/qcow2.h"

#define WINDOW_BITS	12
#define MEMORY_LEVEL	9

static int inflate_cluster(const uint8_t *in, size_t in_len, uint8_t *out,
			   size_t out_len)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in,
		       .avail_in = (uInt)in_len, .next_out = out,
		       .avail_out = (uInt)out_len };
	int rc;

	if (inflateInit2(&z, -WINDOW_BITS) != Z_OK)
		return -ENOMEM;
	rc = inflate(&z, Z_FINISH);
	(void)inflateEnd(&z);
	/* Z_BUF_ERROR: the stream could go on, but the cluster is full. */
	return (rc == Z_STREAM_END || rc == Z_BUF_ERROR) && !z.avail_out ? 0 :
		-EIO;
}

static int unzstd_cluster(const uint8_t *in, size_t in_len, uint8_t *out,
			  size_t out_len)
{
	ZSTD_inBuffer from = { in, in_len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };
	ZSTD_DCtx *d = ZSTD_createDCtx();
	size_t rc = 1;

	if (!d)
		return -ENOMEM;
	while (to.pos < to.size) {
		size_t before = to.pos + from.pos;

		rc = ZSTD_decompressStream(d, &to, &from);
		if (ZSTD_isError(rc) || to.pos + from.pos == before)
			break;
	}
	ZSTD_freeDCtx(d);
	return !ZSTD_isError(rc) && to.pos == to.size ? 0 : -EIO;
}

int qcow2_decode(struct image *im, const struct extent *x, uint64_t offset,
		 void *buf, size_t len)
{
	struct qcow2 *q = im->priv;
	uint64_t at, packed_len;
	uint8_t *packed, *whole;
	size_t inside = offset & (q->cluster_size - 1);
	int rc;

	packed_range(q, x->coded, &at, &packed_len);
	packed = malloc(packed_len);
	whole = malloc(q->cluster_size);
	rc = packed && whole ? 0 : -ENOMEM;
	if (!rc)
		rc = file_read(q->file, at, packed, packed_len);
	if (!rc && q->compression == COMPRESSION_ZSTD)
		rc = unzstd_cluster(packed, packed_len, whole,
				    q->cluster_size);
	else if (!rc)
		rc = inflate_cluster(packed, packed_len, whole,
				     q->cluster_size);
	if (!rc)
		memcpy(buf, whole + inside, len);
	free(packed);
	free(whole);
	return rc;
}

/* Both give 0 for what does not become smaller. */
static size_t deflate_cluster(const void *in, size_t len, void *out)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in,
		       .avail_in = (uInt)len, .next_out = out,
		       .avail_out = (uInt)len - 1 };
	int rc;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_BITS,
			 MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	rc = deflate(&z, Z_FINISH);
	(void)deflateEnd(&z);
	return rc == Z_STREAM_END ? len - 1 - z.avail_out : 0;
}

static size_t zstd_cluster(const void *in, size_t len, void *out)
{
	size_t n = ZSTD_compress(out, len - 1, in, len, ZSTD_CLEVEL_DEFAULT);

	return ZSTD_isError(n) ? 0 : n;
}

size_t qcow2_encode(struct image *im, const void *in, size_t len, void *out)
{
	struct qcow2 *q = im->priv;

	/* Data of an external file cannot be packed. */
	if (q->data)
		return 0;
	return q->compression == COMPRESSION_ZSTD ?
		zstd_cluster(in, len, out) : deflate_cluster(in, len, out);
}
