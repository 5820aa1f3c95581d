/* block/format/vpc.c - Virtual PC's VHD, dynamic and fixed.
 *
 *   dynamic  0    a copy of the footer
 *            then the dynamic disk header, a table of one entry per block (its
 *                 sector in the file), and blocks as they were first written:
 *                 a bitmap of their sectors, then the data
 *            end  the footer
 *   fixed    the disk, then the footer
 *
 * All is big-endian.  A block's bitmap says which sectors were ever written.
 * Reading does without it; before the first write into a block that does not
 * have all of it set, the block is "allocated" where it is: core writes all of
 * its bytes, and link() sets the bitmap.
 *
 * A new block goes behind the last one; the footer is first written behind it
 * again, so that the file ends in one whatever happens.
 *
 * Differencing disks are refused.  Source: Microsoft, Virtual Hard Disk Image
 * Format Specification 1.0.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "block/format/formats.h"
#include "block/format/sector_table.h"
#include "block/format/vpc.h"

#define BLOCK_MAX	(256 * MiB)
#define ENTRIES_MAX	(1u << 23)	/* 32 MiB of table */
#define FRESH		(1ull << 32)	/* in a note: not yet in the table */

struct vpc {
	bool fixed;
	uint8_t footer[VPC_FOOTER_BYTES];
	uint64_t table_at;
	uint32_t entries;
	uint32_t block, bitmap;	/* bytes; a bitmap fills whole sectors */
	uint64_t next;		/* where the next block goes */
	uint8_t *whole;		/* a bit per block whose bitmap is all set */
	struct sector_table *table;
};

static int vpc_probe(const uint8_t *head, size_t len, const char *name)
{
	(void)name;
	return len >= 8 && !memcmp(head, VPC_COOKIE, 8) ? 100 : 0;
}

/* ---- open ---- */

/* Creators that mean the size field, and not the geometry. */
static bool goes_by_size(const uint8_t *creator)
{
	static const char names[][5] = {
		"win ", "qem2", "d2v ", "tap\0", "CTXS", "wa\0\0",
	};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!memcmp(creator, names[i], 4))
			return true;
	return false;
}

static uint64_t disk_sectors(const uint8_t *f)
{
	uint64_t chs = (uint64_t)load_be16(f + F_CYLINDERS) * f[F_HEADS] *
		       f[F_SECTORS];

	if (chs == VPC_GEOMETRY_MAX || goes_by_size(f + F_CREATOR))
		return load_be64(f + F_SIZE) / SECTOR;
	return chs;
}

/* At the beginning, or (fixed) in the last 512 bytes; very old writers left one
 * byte out at the end. */
static int find_footer(struct image *im, struct vpc *v, struct err *e)
{
	uint64_t size = im->file->size;
	int rc = sector_read(im->file, 0, v->footer, VPC_FOOTER_BYTES, e);

	if (rc || !memcmp(v->footer, VPC_COOKIE, 8))
		return rc;
	if (size < VPC_FOOTER_BYTES)
		return fail(e, EINVAL, "vpc: file of %llu bytes has no footer",
			    (unsigned long long)size);
	rc = sector_read(im->file, size - VPC_FOOTER_BYTES, v->footer,
			 VPC_FOOTER_BYTES, e);
	if (rc)
		return rc;
	if (memcmp(v->footer, VPC_COOKIE, 8) ||
	    load_be32(v->footer + F_TYPE) != VPC_FIXED)
		return fail(e, EINVAL, "vpc: there is no footer, neither at "
			    "the end nor at the beginning");
	v->fixed = true;
	return 0;
}

static int check_footer(struct image *im, const struct vpc *v, struct err *e)
{
	const uint8_t *f = v->footer;
	uint64_t sectors = disk_sectors(f);

	if (load_be32(f + F_CHECKSUM) !=
	    vpc_checksum(f, VPC_FOOTER_BYTES, F_CHECKSUM))
		log_warn("vpc: the checksum of the footer of '%s' is wrong",
			 im->file->name);
	if (!v->fixed && load_be32(f + F_TYPE) != VPC_DYNAMIC)
		return fail(e, ENOTSUP, "vpc: disk type %u is not 3 (dynamic)",
			    load_be32(f + F_TYPE));
	if (sectors > VPC_SECTORS_MAX)
		return fail(e, EFBIG, "vpc: %llu sectors are over 2040 GiB",
			    (unsigned long long)sectors);
	if (v->fixed && im->file->size < sectors * SECTOR + VPC_FOOTER_BYTES)
		return fail(e, EINVAL, "vpc: disk of %llu bytes passes the "
			    "end of the file",
			    (unsigned long long)(sectors * SECTOR));
	im->size = sectors * SECTOR;
	return 0;
}

static int check_header(const struct image *im, const struct vpc *v,
			const uint8_t *h, struct err *e)
{
	uint64_t table = (uint64_t)v->entries * 4;

	if (memcmp(h + D_COOKIE, VPC_DYNAMIC_COOKIE, 8))
		return fail(e, EINVAL, "vpc: there is no dynamic disk header");
	if (!is_power_of_2(v->block) || v->block < SECTOR ||
	    v->block > BLOCK_MAX)
		return fail(e, EINVAL, "vpc: block size %u is no power of 2 "
			    "from 512 to %llu", v->block, BLOCK_MAX);
	if (v->entries > ENTRIES_MAX)
		return fail(e, EFBIG, "vpc: table of %u entries is over %u",
			    v->entries, ENTRIES_MAX);
	if ((uint64_t)v->entries * v->block < im->size)
		return fail(e, EINVAL, "vpc: table of %u entries is too small "
			    "for a disk of %llu bytes", v->entries,
			    (unsigned long long)im->size);
	if (v->table_at % SECTOR || v->table_at > im->file->size ||
	    im->file->size - v->table_at < table)
		return fail(e, EINVAL, "vpc: table of %u entries at %llu is "
			    "not inside the file", v->entries,
			    (unsigned long long)v->table_at);
	return 0;
}

static int note_end(void *ctx, uint64_t n, const uint8_t *entry)
{
	uint32_t sector = load_be32(entry);
	struct vpc *v = ctx;
	uint64_t end = sector * SECTOR + v->bitmap + v->block;

	(void)n;
	if (sector != VPC_NO_BLOCK && end > v->next)
		v->next = end;
	return 0;
}

static int open_dynamic(struct image *im, struct vpc *v, struct err *e)
{
	uint64_t at = load_be64(v->footer + F_DATA_OFFSET);
	uint8_t h[VPC_HEADER_BYTES];
	int rc;

	if (at > im->file->size || im->file->size - at < sizeof(h))
		return fail(e, EINVAL, "vpc: dynamic disk header at %llu is "
			    "not inside the file", (unsigned long long)at);
	rc = sector_read(im->file, at, h, sizeof(h), e);
	if (rc)
		return rc;
	v->table_at = load_be64(h + D_TABLE_OFFSET);
	v->entries = load_be32(h + D_ENTRIES);
	v->block = load_be32(h + D_BLOCK_SIZE);
	rc = check_header(im, v, h, e);
	if (rc)
		return rc;
	v->bitmap = (uint32_t)sector_round_up((v->block / SECTOR + 7) / 8,
					      SECTOR);
	v->next = v->table_at + sector_round_up((uint64_t)v->entries * 4,
						SECTOR);
	if (v->next < at + sizeof(h))
		v->next = sector_round_up(at + sizeof(h), SECTOR);
	im->cluster = v->block;
	v->table = sector_table_new(im->file);
	v->whole = xcalloc(1, v->entries / 8 + 1);
	rc = im->writable ? sector_table_walk(im->file, v->table_at,
					      v->entries, note_end, v) : 0;
	return rc ? fail(e, -rc, "vpc: cannot read the table: %s",
			 strerror(-rc)) : 0;
}

static int vpc_open(struct image *im, struct err *e)
{
	struct vpc *v = xcalloc(1, sizeof(*v));
	int rc;

	im->priv = v;
	rc = find_footer(im, v, e);
	if (!rc)
		rc = check_footer(im, v, e);
	return rc || v->fixed ? rc : open_dynamic(im, v, e);
}

static int vpc_flush(struct image *im)
{
	struct vpc *v = im->priv;

	return v->table ? sector_table_sync(v->table) : file_flush(im->file);
}

static int vpc_close(struct image *im)
{
	struct vpc *v = im->priv;
	int rc = im->writable && v->table ? vpc_flush(im) : 0;

	sector_table_free(v->table);
	free(v->whole);
	free(v);
	return rc;
}

/* ---- map ---- */

static int block_sector(struct vpc *v, uint64_t n, uint32_t *sector)
{
	uint8_t entry[4];
	int rc = sector_table_get(v->table, v->table_at + n * 4, entry);

	*sector = rc ? VPC_NO_BLOCK : load_be32(entry);
	return rc;
}

/* Is every sector of block n marked as written? */
static int is_whole(struct image *im, uint64_t n, uint32_t sector, bool *whole)
{
	struct vpc *v = im->priv;
	size_t bits = v->block / SECTOR, len = (bits + 7) / 8;
	uint8_t *bitmap;
	int rc;

	*whole = v->whole[n / 8] >> n % 8 & 1;
	if (*whole)
		return 0;
	bitmap = malloc(len);
	if (!bitmap)
		return -ENOMEM;
	rc = file_read(im->file, sector * SECTOR, bitmap, len);
	*whole = !rc;
	for (size_t i = 0; i < bits && *whole; i++)
		*whole = bitmap[i / 8] >> (7 - i % 8) & 1;
	free(bitmap);
	if (*whole)
		v->whole[n / 8] |= (uint8_t)(1 << n % 8);
	return rc;
}

static int vpc_map(struct image *im, uint64_t offset, struct extent *x)
{
	struct vpc *v = im->priv;
	uint32_t sector;
	int rc;

	if (v->fixed) {
		x->kind = EXTENT_DATA;
		x->in_place = x->sparse = true;
		x->at = offset;
		x->len = im->size - offset;
		return 0;
	}
	rc = block_sector(v, offset / v->block, &sector);
	if (rc)
		return rc;
	x->len = v->block - offset % v->block;
	if (sector == VPC_NO_BLOCK) {
		x->kind = EXTENT_ZERO;
		return 0;
	}
	x->kind = EXTENT_DATA;
	x->at = sector * SECTOR + v->bitmap + offset % v->block;
	return im->writable ? is_whole(im, offset / v->block, sector,
				       &x->in_place) : 0;
}

/* ---- allocate ---- */

static int vpc_allocate(struct image *im, uint64_t offset, uint64_t len,
			struct reserve *r)
{
	struct vpc *v = im->priv;
	uint64_t end = v->next + v->bitmap + v->block;
	uint32_t sector;
	int rc = block_sector(v, offset / v->block, &sector);

	(void)len;
	if (rc)
		return rc;
	r->start = offset - offset % v->block;
	r->end = r->start + v->block;
	if (sector != VPC_NO_BLOCK) {	/* it has no whole bitmap */
		r->note = sector;
		r->at = sector * SECTOR + v->bitmap;
		return 0;
	}
	if (v->next / SECTOR >= VPC_NO_BLOCK)
		return -EFBIG;
	r->note = FRESH | v->next / SECTOR;
	r->at = v->next + v->bitmap;
	r->zeroed = r->at >= im->file->size;
	rc = file_write(im->file, end, v->footer, VPC_FOOTER_BYTES);
	if (!rc)
		v->next = end;
	return rc;
}

static int set_bitmap(struct image *im, uint64_t at)
{
	struct vpc *v = im->priv;
	uint8_t *bitmap = calloc(1, v->bitmap);
	int rc;

	if (!bitmap)
		return -ENOMEM;
	memset(bitmap, 0xff, (v->block / SECTOR + 7) / 8);
	rc = file_write(im->file, at, bitmap, v->bitmap);
	free(bitmap);
	return rc;
}

static int vpc_link(struct image *im, const struct reserve *r)
{
	struct vpc *v = im->priv;
	uint64_t n = r->start / v->block;
	uint32_t sector = (uint32_t)r->note;
	uint8_t entry[4];
	int rc = set_bitmap(im, sector * SECTOR);

	if (rc)
		return rc;
	store_be32(entry, sector);
	v->whole[n / 8] |= (uint8_t)(1 << n % 8);
	return sector_table_set(v->table, v->table_at + n * 4, entry);
}

static void vpc_unlink(struct image *im, const struct reserve *r)
{
	struct vpc *v = im->priv;

	if (r->note & FRESH && r->at + v->block == v->next)
		v->next = r->at - v->bitmap;
}

const struct image_format vpc_format = {
	.name = "vpc", .zero_init = true, .probe = vpc_probe,
	.open = vpc_open, .close = vpc_close, .map = vpc_map,
	.allocate = vpc_allocate, .link = vpc_link, .unlink = vpc_unlink,
	.flush = vpc_flush, .create = vpc_create,
	.create_options = vpc_options,
};
