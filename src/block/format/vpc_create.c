/* block/format/vpc_create.c - make a VHD, dynamic or fixed.
 *
 * A guest's BIOS may go by the geometry in the footer, so a disk gets a size
 * that is one: the smallest cylinders * heads * sectors that holds what was
 * asked.  force_size keeps the size as it was asked; readers tell the two kinds
 * by the name of the creator ("qem2").
 *
 * Source: Microsoft, Virtual Hard Disk Image Format Specification 1.0, with
 * "CHS Calculation" in its appendix.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/sector_table.h"
#include "block/format/vpc.h"

#define BLOCK		(2 * MiB)
#define EPOCH_2000	946684800	/* seconds from 1970 to it */
#define TABLE_AT	(VPC_FOOTER_BYTES + VPC_HEADER_BYTES)

struct wish {
	uint64_t sectors;
	unsigned cylinders, heads, per_track;
	bool fixed, force;
};

const struct image_option vpc_options[] = {
	{ "size", "bytes of the disk", OPTION_SIZE, NULL },
	{ "subformat", "dynamic or fixed", OPTION_STRING, NULL },
	{ "force_size", "the size as given, not that of a geometry",
	  OPTION_BOOL, NULL },
	{ NULL, NULL, 0, NULL },
};

uint32_t vpc_checksum(const uint8_t *buf, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i < at || i >= at + 4)
			sum += buf[i];
	return ~sum;
}

/* ---- size and geometry ---- */

/* The largest geometry of up to that many sectors. */
static void geometry(uint64_t sectors, struct wish *w)
{
	uint64_t tracks;

	if (sectors > VPC_GEOMETRY_MAX)
		sectors = VPC_GEOMETRY_MAX;
	w->heads = 16;
	if (sectors >= 65535ull * 16 * 63) {
		w->per_track = 255;
		tracks = sectors / 255;
	} else {
		w->per_track = 17;
		tracks = sectors / 17;
		w->heads = (unsigned)((tracks + 1023) / 1024);
		if (w->heads < 4)
			w->heads = 4;
		if (tracks >= w->heads * 1024ull || w->heads > 16) {
			w->per_track = 31;
			w->heads = 16;
			tracks = sectors / 31;
		}
		if (tracks >= w->heads * 1024ull) {
			w->per_track = 63;
			tracks = sectors / 63;
		}
	}
	w->cylinders = (unsigned)(tracks / w->heads);
}

static uint64_t geometry_sectors(const struct wish *w)
{
	return (uint64_t)w->cylinders * w->heads * w->per_track;
}

static void choose_size(struct wish *w)
{
	uint64_t want = w->sectors;

	if (want > VPC_GEOMETRY_MAX)
		want = VPC_GEOMETRY_MAX;
	geometry(want, w);
	if (w->force) {
		w->cylinders = 65535;
		w->heads = 16;
		w->per_track = 255;
		return;
	}
	for (uint64_t more = 1; geometry_sectors(w) < want; more++)
		geometry(want + more, w);
	if (geometry_sectors(w) != VPC_GEOMETRY_MAX)
		w->sectors = geometry_sectors(w);
}

static int parse(struct optstr *opts, struct wish *w, struct err *e)
{
	const char *sub = optstr_get(opts, "subformat");
	uint64_t size = 0;
	int rc = sector_size_option(opts, &size, e);

	if (!rc)
		rc = optstr_bool(opts, "force_size", &w->force, e);
	if (rc)
		return rc;
	if (sub && strcmp(sub, "dynamic") && strcmp(sub, "fixed"))
		return fail(e, EINVAL, "vpc: subformat '%s' is neither "
			    "dynamic nor fixed", sub);
	w->fixed = sub && !strcmp(sub, "fixed");
	w->sectors = size / SECTOR;
	if (w->sectors <= VPC_SECTORS_MAX)
		choose_size(w);
	if (w->sectors > VPC_SECTORS_MAX)
		return fail(e, EFBIG, "vpc: size %llu is over 2040 GiB",
			    (unsigned long long)size);
	return 0;
}

/* ---- what is written ---- */

static void fill_footer(uint8_t *f, const struct wish *w)
{
	uint64_t size = w->sectors * SECTOR;

	memset(f, 0, VPC_FOOTER_BYTES);
	memcpy(f + F_COOKIE, VPC_COOKIE, 8);
	store_be32(f + F_FEATURES, 2);		/* reserved, always set */
	store_be32(f + F_VERSION, 0x00010000);
	store_be64(f + F_DATA_OFFSET, w->fixed ? UINT64_MAX :
		   VPC_FOOTER_BYTES);
	store_be32(f + F_TIME, (uint32_t)(time(NULL) - EPOCH_2000));
	memcpy(f + F_CREATOR, w->force ? "qem2" : "qemu", 4);
	store_be32(f + F_CREATOR_VERSION, 0x00050003);
	memcpy(f + F_CREATOR_OS, "Wi2k", 4);
	store_be64(f + F_ORIGINAL_SIZE, size);
	store_be64(f + F_SIZE, size);
	store_be16(f + F_CYLINDERS, (uint16_t)w->cylinders);
	f[F_HEADS] = (uint8_t)w->heads;
	f[F_SECTORS] = (uint8_t)w->per_track;
	store_be32(f + F_TYPE, w->fixed ? VPC_FIXED : VPC_DYNAMIC);
	sector_uuid(f + F_UUID);
	store_be32(f + F_CHECKSUM, vpc_checksum(f, VPC_FOOTER_BYTES,
						F_CHECKSUM));
}

static void fill_header(uint8_t *h, uint32_t entries)
{
	memset(h, 0, VPC_HEADER_BYTES);
	memcpy(h + D_COOKIE, VPC_DYNAMIC_COOKIE, 8);
	store_be64(h + D_DATA_OFFSET, UINT64_MAX);
	store_be64(h + D_TABLE_OFFSET, TABLE_AT);
	store_be32(h + D_VERSION, 0x00010000);
	store_be32(h + D_ENTRIES, entries);
	store_be32(h + D_BLOCK_SIZE, BLOCK);
	store_be32(h + D_CHECKSUM, vpc_checksum(h, VPC_HEADER_BYTES,
						D_CHECKSUM));
}

static int create_dynamic(struct image_file *f, const struct wish *w,
			  const uint8_t *footer, struct err *e)
{
	uint64_t size = w->sectors * SECTOR;
	uint64_t entries = sector_round_up(size, BLOCK) / BLOCK;
	size_t table = (size_t)sector_round_up(entries * 4, SECTOR);
	uint8_t h[VPC_HEADER_BYTES], *none;
	int rc;

	fill_header(h, (uint32_t)entries);
	none = xmalloc(table + 1);		/* 4 MiB at most */
	memset(none, 0xff, table);
	rc = sector_write(f, 0, footer, VPC_FOOTER_BYTES, e);
	if (!rc)
		rc = sector_write(f, VPC_FOOTER_BYTES, h, sizeof(h), e);
	if (!rc)
		rc = sector_write(f, TABLE_AT, none, table, e);
	if (!rc)
		rc = sector_write(f, TABLE_AT + table, footer,
				  VPC_FOOTER_BYTES, e);
	free(none);
	return rc;
}

int vpc_create(struct image_file *f, struct optstr *opts, struct err *e)
{
	struct wish w = { 0 };
	uint8_t footer[VPC_FOOTER_BYTES];
	int rc = parse(opts, &w, e);

	if (rc)
		return rc;
	fill_footer(footer, &w);
	if (!w.fixed)
		return create_dynamic(f, &w, footer, e);
	rc = file_resize(f, w.sectors * SECTOR, PREALLOC_OFF, e);
	return rc ? rc : sector_write(f, w.sectors * SECTOR, footer,
				      sizeof(footer), e);
}
