/* block/format/bochs.c - Bochs' growing disk image, for reading.
 *
 *   0         header
 *   header    catalog: one entry per extent of the disk, its number in the file
 *   behind it the extents: a bitmap of its sectors, then their data
 *
 * All is little-endian.  A sector whose bit is clear was never written.
 *
 * Source: Bochs Developers Guide, "Harddisk Images: redologs".
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/num.h"
#include "block/format/formats.h"
#include "block/format/sector_table.h"

#define HEADER_BYTES	512u
#define MAGIC		"Bochs Virtual HD Image"
#define VERSION_1	0x00010000u
#define VERSION_2	0x00020000u
#define ENTRIES_MAX	(1u << 20)	/* what bximage makes at most */
#define EXTENT_MAX	(8u << 20)
#define NO_EXTENT	0xffffffffu

enum {				/* places in the header */
	B_MAGIC = 0, B_TYPE = 32, B_SUBTYPE = 48, B_VERSION = 64,
	B_HEADER = 68, B_ENTRIES = 72, B_BITMAP = 76, B_EXTENT = 80,
	B_SIZE_1 = 84, B_SIZE_2 = 88,
};

struct bochs {
	uint32_t entries, extent;	/* extent: bytes */
	uint32_t *catalog;		/* owned */
	uint64_t data;			/* where extent 0 begins */
	uint64_t bitmap;		/* bytes, in whole sectors */
};

static bool is_bochs(const uint8_t *h)
{
	uint32_t version = load_le32(h + B_VERSION);

	return !memcmp(h + B_MAGIC, MAGIC, sizeof(MAGIC)) &&
	       !memcmp(h + B_TYPE, "Redolog", 8) &&
	       !memcmp(h + B_SUBTYPE, "Growing", 8) &&
	       (version == VERSION_1 || version == VERSION_2);
}

static int bochs_probe(const uint8_t *head, size_t len, const char *name)
{
	(void)name;
	return len >= HEADER_BYTES && is_bochs(head) ? 100 : 0;
}

static int check_header(struct image *im, struct bochs *b, const uint8_t *h,
			struct err *e)
{
	uint64_t at = load_le32(h + B_HEADER), size;

	if (!is_bochs(h))
		return fail(e, EINVAL, "bochs: there is no header of a growing"
			    " image, version 1 or 2");
	size = load_le64(h + (load_le32(h + B_VERSION) == VERSION_1 ?
			      B_SIZE_1 : B_SIZE_2));
	b->entries = load_le32(h + B_ENTRIES);
	b->extent = load_le32(h + B_EXTENT);
	if (!is_power_of_2(b->extent) || b->extent < SECTOR ||
	    b->extent > EXTENT_MAX)
		return fail(e, EINVAL, "bochs: extent size %u is no power of "
			    "2 from 512 to %u", b->extent, EXTENT_MAX);
	if (b->entries > ENTRIES_MAX)
		return fail(e, EFBIG, "bochs: catalog of %u entries is over "
			    "%u", b->entries, ENTRIES_MAX);
	if (at > im->file->size || im->file->size - at < b->entries * 4ull)
		return fail(e, EINVAL, "bochs: catalog of %u entries at %llu "
			    "passes the end of the file", b->entries,
			    (unsigned long long)at);
	if (size > (uint64_t)b->entries * b->extent)
		return fail(e, EINVAL, "bochs: disk of %llu bytes is larger "
			    "than its catalog of %u extents",
			    (unsigned long long)size, b->entries);
	b->data = at + b->entries * 4ull;
	b->bitmap = sector_round_up(load_le32(h + B_BITMAP), SECTOR);
	if (b->bitmap < b->extent / SECTOR / 8)
		return fail(e, EINVAL, "bochs: bitmap of %u bytes is too small"
			    " for an extent", load_le32(h + B_BITMAP));
	im->size = size - size % SECTOR;
	return 0;
}

static int bochs_open(struct image *im, struct err *e)
{
	struct bochs *b = xcalloc(1, sizeof(*b));
	uint8_t h[HEADER_BYTES];
	int rc;

	im->priv = b;
	rc = sector_read(im->file, 0, h, sizeof(h), e);
	if (!rc)
		rc = check_header(im, b, h, e);
	if (rc)
		return rc;
	b->catalog = xcalloc(b->entries + 1, 4);
	return sector_read(im->file, b->data - b->entries * 4ull, b->catalog,
			   b->entries * 4ull, e);
}

static int bochs_close(struct image *im)
{
	struct bochs *b = im->priv;

	free(b->catalog);
	free(b);
	return 0;
}

/* Sectors of one byte of the bitmap that are alike; the image never changes, so
 * no lock is needed. */
static int bochs_map(struct image *im, uint64_t offset, struct extent *x)
{
	const struct bochs *b = im->priv;
	uint32_t n = load_le32(&b->catalog[offset / b->extent]);
	uint64_t inside = offset % b->extent, sector = inside / SECTOR, at;
	unsigned bit = (unsigned)(sector % 8);
	uint8_t bits;
	bool set;
	int rc;

	x->kind = EXTENT_ZERO;
	x->len = b->extent - inside;
	if (n == NO_EXTENT)
		return 0;
	at = b->data + n * (b->bitmap + sector_round_up(b->extent, SECTOR));
	rc = file_read(im->file, at + sector / 8, &bits, 1);
	if (rc)
		return rc;
	set = bits >> bit & 1;
	x->len = SECTOR - inside % SECTOR;
	while (++bit < 8 && (bits >> bit & 1) == set &&
	       x->len + inside < b->extent)
		x->len += SECTOR;
	if (!set)
		return 0;
	x->kind = EXTENT_DATA;
	x->at = at + b->bitmap + inside;
	return 0;
}

const struct image_format bochs_format = {
	.name = "bochs", .probe = bochs_probe, .open = bochs_open,
	.close = bochs_close, .map = bochs_map,
};
