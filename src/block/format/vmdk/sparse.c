/* block/format/vmdk/sparse.c - a sparse extent: grains found by two tables.
 *
 *   header | descriptor | redundant directory and tables | directory and
 *   tables | grains
 *
 * A grain directory's entries are the sectors of grain tables, a table's those
 * of grains.  In a stream-optimized extent a grain is 12 bytes (its sector on
 * the disk, its packed length) and zlib data; VMware's have their directory in
 * a footer, after everything else.
 *
 * Source: VMware, Virtual Disk Format 5.0, "Hosted Sparse Extents" and
 * "Stream-Optimized Compressed Sparse Extents".
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/num.h"
#include "block/format/vmdk/vmdk.h"

#define AT_END		UINT64_MAX	/* a footer has the directory */
#define FOOTER_BACK	1024u		/* it begins so far before the end */
#define GRAIN_MAX	(64 * MiB)
#define TABLES_MAX	(1ull << 26)
#define PACKED_MAX	(2 * GRAIN_MAX)

/* ---- open ---- */

static int read_header(struct image_file *f, uint8_t *h, struct err *e)
{
	int rc = sector_read(f, 0, h, VMDK_HEADER_BYTES, e);

	if (rc)
		return rc;
	if (memcmp(h, "KDMV", 4))
		return fail(e, EINVAL, "vmdk: '%s' is no sparse extent",
			    f->name);
	if (load_le64(h + V_GD) != AT_END)
		return 0;
	if (f->writable)
		return fail(e, EROFS, "vmdk: '%s' has its directory at the "
			    "end and can only be read", f->name);
	if (f->size < 3 * SECTOR)
		return fail(e, EINVAL, "vmdk: '%s' has no footer", f->name);
	rc = sector_read(f, f->size - FOOTER_BACK, h, VMDK_HEADER_BYTES, e);
	if (!rc && (memcmp(h, "KDMV", 4) || load_le64(h + V_GD) == AT_END))
		rc = fail(e, EINVAL, "vmdk: '%s' has no footer", f->name);
	return rc;
}

static int check_newlines(const uint8_t *h, struct err *e)
{
	if (load_le32(h + V_FLAGS) & VMDK_HAS_NEWLINES &&
	    memcmp(h + V_NEWLINES, "\n \r\n", 4))
		return fail(e, EINVAL, "vmdk: the file was damaged by a copy "
			    "that changed the ends of lines");
	return 0;
}

static int check_header(struct vmdk_extent *x, const uint8_t *h, struct err *e)
{
	uint32_t version = load_le32(h + V_VERSION);
	uint64_t grain = load_le64(h + V_GRAIN);
	uint64_t capacity = load_le64(h + V_CAPACITY), span;

	if (!version || version > 3)
		return fail(e, ENOTSUP, "vmdk: version %u is not 1 to 3",
			    version);
	if (!is_power_of_2(grain) || grain < 8 ||
	    grain > GRAIN_MAX / SECTOR)
		return fail(e, EINVAL, "vmdk: grain of %llu sectors is no "
			    "power of 2 from 8 to %llu",
			    (unsigned long long)grain, GRAIN_MAX / SECTOR);
	if (capacity > INT64_MAX / SECTOR)
		return fail(e, EFBIG, "vmdk: %llu sectors are over 2^63 bytes",
			    (unsigned long long)capacity);
	x->entries = load_le32(h + V_ENTRIES);
	if (x->entries != VMDK_ENTRIES)
		return fail(e, ENOTSUP, "vmdk: grain tables of %u entries are "
			    "not %u", x->entries, VMDK_ENTRIES);
	x->grain = (uint32_t)(grain * SECTOR);
	x->len = capacity * SECTOR;
	x->flags = load_le32(h + V_FLAGS);
	span = (uint64_t)x->grain * x->entries;
	x->tables = x->len / span + !!(x->len % span);
	if (x->flags & VMDK_COMPRESSED && load_le16(h + V_COMPRESSION) != 1)
		return fail(e, ENOTSUP, "vmdk: compression %u is not 1 "
			    "(deflate)", load_le16(h + V_COMPRESSION));
	return check_newlines(h, e);
}

static int check_places(struct vmdk_extent *x, const uint8_t *h,
			struct err *e)
{
	uint64_t gd = load_le64(h + V_GD), rgd = load_le64(h + V_RGD);
	uint64_t size = x->file->size;

	if (x->tables > TABLES_MAX)
		return fail(e, EFBIG, "vmdk: %llu grain tables are over %llu",
			    (unsigned long long)x->tables, TABLES_MAX);
	if (gd > size / SECTOR || size - gd * SECTOR < x->tables * 4)
		return fail(e, EINVAL, "vmdk: grain directory at sector %llu "
			    "passes the end of the file",
			    (unsigned long long)gd);
	x->gd = gd * SECTOR;
	if (x->flags & VMDK_HAS_RGD && rgd && rgd <= size / SECTOR &&
	    size - rgd * SECTOR >= x->tables * 4)
		x->rgd = rgd * SECTOR;
	x->overhead = load_le64(h + V_OVERHEAD);
	if (x->overhead > size / SECTOR)
		return fail(e, EINVAL, "vmdk: grains at sector %llu begin "
			    "behind the end of the file",
			    (unsigned long long)x->overhead);
	x->overhead *= SECTOR;
	if (x->overhead < SECTOR)
		x->overhead = SECTOR;
	x->next = x->overhead;
	if (size > x->next)	/* the last grain's end may not be there */
		x->next += sector_round_up(size - x->next,
					   x->flags & VMDK_COMPRESSED ?
					   SECTOR : x->grain);
	x->had = x->next;
	return 0;
}

int vmdk_open_sparse(struct image *im, struct vmdk_extent *x, struct err *e)
{
	uint8_t h[VMDK_HEADER_BYTES];
	int rc = read_header(x->file, h, e);

	(void)im;
	if (!rc)
		rc = check_header(x, h, e);
	if (!rc)
		rc = check_places(x, h, e);
	if (!rc)
		x->table = sector_table_new(x->file);
	return rc;
}

/* ---- tables ---- */

/* Entry i of the grain directory at gd: bytes, 0 if it has no table. */
static int table_of(struct vmdk_extent *x, uint64_t gd, uint64_t i,
		    uint64_t *at)
{
	uint8_t entry[4];
	int rc = sector_table_get(x->table, gd + i * 4, entry);

	*at = rc ? 0 : load_le32(entry) * SECTOR;
	if (!rc && *at && *at >= x->file->size)
		rc = -EIO;
	return rc;
}

int vmdk_entry_at(struct vmdk_extent *x, uint64_t inside, uint64_t *at,
		  uint64_t *table)
{
	uint64_t n = inside / x->grain;
	int rc;

	*table = n / x->entries;
	rc = table_of(x, x->gd, *table, at);
	if (!rc && *at)
		*at += n % x->entries * 4;
	return rc;
}

int vmdk_get(struct vmdk_extent *x, uint64_t inside, uint32_t *sector)
{
	uint64_t at, table;
	uint8_t entry[4];
	int rc = vmdk_entry_at(x, inside, &at, &table);

	*sector = 0;
	if (rc || !at)
		return rc;
	rc = sector_table_get(x->table, at, entry);
	if (!rc)
		*sector = load_le32(entry);
	return rc;
}

/* A grain table that was left out: zeroes, durable before it is named. */
static int new_table(struct vmdk_extent *x, uint64_t n, uint64_t *at)
{
	uint64_t len = sector_round_up(x->entries * 4ull, SECTOR);
	uint8_t entry[4];
	int rc;

	if (x->next / SECTOR > UINT32_MAX)
		return -EFBIG;
	*at = x->next;
	rc = file_zero(x->file, *at, len, false);
	if (!rc)
		rc = file_flush(x->file);
	if (rc)
		return rc;
	x->next += len;
	store_le32(entry, (uint32_t)(*at / SECTOR));
	return sector_table_set(x->table, x->gd + n * 4, entry);
}

int vmdk_set(struct vmdk_extent *x, uint64_t inside, uint32_t sector)
{
	uint64_t n = inside / x->grain % x->entries, at, table, second;
	uint8_t entry[4];
	int rc = vmdk_entry_at(x, inside, &at, &table);

	store_le32(entry, sector);
	if (!rc && !at) {
		rc = new_table(x, table, &at);
		at += n * 4;
	}
	if (!rc)
		rc = sector_table_set(x->table, at, entry);
	if (rc || !x->rgd || table_of(x, x->rgd, table, &second) || !second)
		return rc;
	return sector_table_set(x->table, second + n * 4, entry);
}

/* ---- packed grains ---- */

static int unpack(const uint8_t *in, size_t in_len, uint8_t *out, size_t len)
{
	uLongf n = len;
	int rc = uncompress(out, &n, in, in_len);

	if (rc != Z_OK)
		return -EIO;
	memset(out + n, 0, len - n);	/* the disk's last grain is shorter */
	return 0;
}

int vmdk_decode(struct image *im, const struct extent *x, uint64_t offset,
		void *buf, size_t len)
{
	uint8_t marker[VMDK_MARKER_BYTES], *packed, *grain;
	size_t size = im->cluster;
	uint32_t n;
	int rc = file_read(x->file, x->at, marker, sizeof(marker));

	if (rc)
		return rc;
	n = load_le32(marker + 8);
	if (!n || n > PACKED_MAX || n > 2 * size)
		return -EIO;
	packed = malloc(n);
	grain = malloc(size);
	rc = packed && grain ? file_read(x->file, x->at + sizeof(marker),
					 packed, n) : -ENOMEM;
	if (!rc)
		rc = unpack(packed, n, grain, size);
	if (!rc)
		memcpy(buf, grain + (offset - x->coded), len);
	free(packed);
	free(grain);
	return rc;
}

size_t vmdk_encode(struct image *im, const void *in, size_t len, void *out)
{
	uLongf n = len + len / 8;	/* what core has room for */

	if (!im->packs)		/* such a file has no packed grains */
		return 0;
	return compress2(out, &n, in, len, Z_DEFAULT_COMPRESSION) == Z_OK ?
		n : 0;
}
