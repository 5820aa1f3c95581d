/* block/format/cloop.c - the compressed loop image of live CDs, for reading.
 *
 *   0    128 bytes: the beginning of a shell script that mounts it
 *   128  block size, number of blocks
 *   136  where each block begins, and where the last one ends
 *        the blocks, each a zlib stream
 *
 * All is big-endian.
 *
 * Source: cloop 2.x, the layout as its documentation gives it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/formats.h"
#include "block/format/sector_table.h"

#define SCRIPT		"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0"
#define BLOCK_AT	128u
#define TABLE_AT	136u
#define BLOCK_MAX	(64u << 20)
#define OFFSETS_BYTES_MAX	(128u << 20)

struct cloop {
	uint32_t block, blocks;
	uint64_t *offsets;	/* blocks + 1, big-endian; owned */
	pthread_mutex_t lock;	/* what follows: the block unpacked last */
	uint32_t have;		/* its number; UINT32_MAX: none */
	uint8_t *bytes;		/* owned */
};

static int cloop_probe(const uint8_t *head, size_t len, const char *name)
{
	(void)name;
	return len >= sizeof(SCRIPT) &&
	       !memcmp(head, SCRIPT, sizeof(SCRIPT) - 1) ? 2 : 0;
}

static int check_header(struct image *im, const struct cloop *c,
			struct err *e)
{
	uint64_t table = (c->blocks + 1ull) * 8;

	if (!c->block || c->block % SECTOR || c->block > BLOCK_MAX)
		return fail(e, EINVAL, "cloop: block size %u is no multiple "
			    "of 512 up to %u", c->block, BLOCK_MAX);
	if (table > OFFSETS_BYTES_MAX)
		return fail(e, EFBIG, "cloop: %u blocks are over %u",
			    c->blocks, OFFSETS_BYTES_MAX / 8 - 1);
	if (im->file->size < TABLE_AT + table)
		return fail(e, EINVAL, "cloop: table of %u blocks passes the "
			    "end of the file", c->blocks);
	return 0;
}

static int check_offsets(const struct cloop *c, struct err *e)
{
	uint64_t max = c->block + c->block / 8 + 1024, at, next;

	for (uint32_t i = 0; i < c->blocks; i++) {
		at = load_be64(&c->offsets[i]);
		next = load_be64(&c->offsets[i + 1]);
		if (next < at || next - at > max || next > INT64_MAX)
			return fail(e, EINVAL, "cloop: block %u from %llu to "
				    "%llu cannot be", i,
				    (unsigned long long)at,
				    (unsigned long long)next);
	}
	return 0;
}

static int cloop_open(struct image *im, struct err *e)
{
	struct cloop *c = xcalloc(1, sizeof(*c));
	uint8_t h[8];
	size_t table;
	int rc;

	im->priv = c;
	pthread_mutex_init(&c->lock, NULL);
	c->have = UINT32_MAX;
	rc = sector_read(im->file, BLOCK_AT, h, sizeof(h), e);
	if (rc)
		return rc;
	c->block = load_be32(h);
	c->blocks = load_be32(h + 4);
	rc = check_header(im, c, e);
	if (rc)
		return rc;
	table = (c->blocks + 1ull) * 8;
	c->offsets = malloc(table);
	c->bytes = malloc(c->block);
	if (!c->offsets || !c->bytes)
		return fail(e, ENOMEM, "cloop: no memory for %u blocks",
			    c->blocks);
	rc = sector_read(im->file, TABLE_AT, c->offsets, table, e);
	im->size = (uint64_t)c->blocks * c->block;
	return rc ? rc : check_offsets(c, e);
}

static int cloop_close(struct image *im)
{
	struct cloop *c = im->priv;

	pthread_mutex_destroy(&c->lock);
	free(c->offsets);
	free(c->bytes);
	free(c);
	return 0;
}

static int cloop_map(struct image *im, uint64_t offset, struct extent *x)
{
	const struct cloop *c = im->priv;

	x->kind = EXTENT_CODED;
	x->coded = offset / c->block;
	x->len = c->block - offset % c->block;
	return 0;
}

static int unpack_locked(struct image *im, struct cloop *c, uint32_t n)
{
	uint64_t at = load_be64(&c->offsets[n]);
	size_t len = (size_t)(load_be64(&c->offsets[n + 1]) - at);
	uint8_t *packed = malloc(len + 1);
	uLongf got = c->block;
	int rc = packed ? file_read(im->file, at, packed, len) : -ENOMEM;

	c->have = UINT32_MAX;
	if (!rc && (uncompress(c->bytes, &got, packed, len) != Z_OK ||
		    got != c->block))
		rc = -EIO;
	if (!rc)
		c->have = n;
	free(packed);
	return rc;
}

static int cloop_decode(struct image *im, const struct extent *x,
			uint64_t offset, void *buf, size_t len)
{
	struct cloop *c = im->priv;
	uint32_t n = (uint32_t)x->coded;
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = c->have == n ? 0 : unpack_locked(im, c, n);
	if (!rc)
		memcpy(buf, c->bytes + offset % c->block, len);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

const struct image_format cloop_format = {
	.name = "cloop", .probe = cloop_probe, .open = cloop_open,
	.close = cloop_close, .map = cloop_map, .decode = cloop_decode,
};
