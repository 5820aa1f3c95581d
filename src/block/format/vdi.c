/* block/format/vdi.c - VirtualBox's disk image, version 1.1.
 *
 *   0            header, 512 bytes
 *   offset_bmap  one entry per block of 1 MiB: its number in the file
 *   offset_data  the blocks
 *
 * All is little-endian.  A dynamic image's file grows block by block in the
 * order of the first writes; in a static one every block is there.  Images that
 * stand on others (a parent's UUID) are refused: they name no file.
 *
 * A new block is what follows the last one in use.  blocks_allocated is written
 * before the entries, so that it is never less than their number.
 *
 * Source: VirtualBox, Virtual Disk Image header version 1.1.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/formats.h"
#include "block/format/sector_table.h"

#define SIGNATURE	0xbeda107fu
#define VERSION_1_1	0x00010001u
#define HEADER_BYTES	512u
#define HEADER_SIZE	0x180u		/* what header_size counts */
#define BLOCK		MiB
#define MAX_BLOCKS	0x1ffffff8u	/* 2 GiB of table */

enum { TYPE_DYNAMIC = 1, TYPE_STATIC = 2 };
enum {				/* places in the header */
	H_SIGNATURE = 64, H_VERSION = 68, H_HEADER_SIZE = 72, H_TYPE = 76,
	H_OFFSET_BMAP = 340, H_OFFSET_DATA = 344, H_SECTOR_SIZE = 360,
	H_DISK_SIZE = 368, H_BLOCK_SIZE = 376, H_BLOCK_EXTRA = 380,
	H_BLOCKS = 384, H_ALLOCATED = 388, H_UUID = 392, H_UUID_SNAP = 408,
	H_UUID_LINK = 424, H_UUID_PARENT = 440,
};

/* Entries from here on have no block: read as zeroes. */
#define DISCARDED	0xfffffffeu
#define NOT_ALLOCATED	0xffffffffu

struct vdi {
	uint64_t bmap, data;	/* offsets in the file */
	uint32_t blocks;
	bool is_static;
	uint32_t allocated;	/* as in the header */
	uint32_t next;		/* first number nobody uses */
	uint32_t written;	/* blocks_allocated in the file */
	struct sector_table *table;
};

static int vdi_probe(const uint8_t *head, size_t len, const char *name)
{
	(void)name;
	return len >= HEADER_BYTES &&
	       load_le32(head + H_SIGNATURE) == SIGNATURE ? 100 : 0;
}

/* ---- open ---- */

static int check_header(const uint8_t *h, struct err *e)
{
	static const uint8_t none[16];

	if (load_le32(h + H_SIGNATURE) != SIGNATURE)
		return fail(e, EINVAL, "vdi: signature 0x%08x is not 0x%08x",
			    load_le32(h + H_SIGNATURE), SIGNATURE);
	if (load_le32(h + H_VERSION) != VERSION_1_1)
		return fail(e, ENOTSUP, "vdi: version %u.%u is not 1.1",
			    load_le16(h + H_VERSION + 2),
			    load_le16(h + H_VERSION));
	if (load_le32(h + H_TYPE) != TYPE_DYNAMIC &&
	    load_le32(h + H_TYPE) != TYPE_STATIC)
		return fail(e, ENOTSUP, "vdi: image type %u is neither dynamic"
			    " (1) nor static (2)", load_le32(h + H_TYPE));
	if ((load_le32(h + H_OFFSET_BMAP) | load_le32(h + H_OFFSET_DATA)) %
	    SECTOR)
		return fail(e, ENOTSUP, "vdi: block map at %u or data at %u "
			    "is not on a sector", load_le32(h + H_OFFSET_BMAP),
			    load_le32(h + H_OFFSET_DATA));
	if (load_le32(h + H_SECTOR_SIZE) != SECTOR ||
	    load_le32(h + H_BLOCK_SIZE) != BLOCK)
		return fail(e, ENOTSUP, "vdi: sectors of %u and blocks of %u "
			    "bytes are not 512 and 1048576",
			    load_le32(h + H_SECTOR_SIZE),
			    load_le32(h + H_BLOCK_SIZE));
	if (load_le32(h + H_BLOCK_EXTRA))
		return fail(e, ENOTSUP, "vdi: blocks with %u bytes more are "
			    "not supported", load_le32(h + H_BLOCK_EXTRA));
	if (memcmp(h + H_UUID_LINK, none, 16) ||
	    memcmp(h + H_UUID_PARENT, none, 16))
		return fail(e, ENOTSUP, "vdi: images that stand on a parent "
			    "are not supported");
	return 0;
}

static int check_sizes(const struct vdi *v, const struct image *im,
		       struct err *e)
{
	uint64_t table = (uint64_t)v->blocks * 4;

	if (v->blocks > MAX_BLOCKS)
		return fail(e, EFBIG, "vdi: %u blocks are over %u", v->blocks,
			    MAX_BLOCKS);
	if (im->size > v->blocks * BLOCK)
		return fail(e, EINVAL, "vdi: disk of %llu bytes is larger than"
			    " its %u blocks", (unsigned long long)im->size,
			    v->blocks);
	if (v->bmap < HEADER_BYTES || v->data < v->bmap + table)
		return fail(e, EINVAL, "vdi: header, block map at %llu and "
			    "data at %llu overlap",
			    (unsigned long long)v->bmap,
			    (unsigned long long)v->data);
	if (im->file->size < v->bmap + table)
		return fail(e, EINVAL, "vdi: block map of %llu bytes at %llu "
			    "passes the end of the file",
			    (unsigned long long)table,
			    (unsigned long long)v->bmap);
	return 0;
}

static int note_used(void *ctx, uint64_t n, const uint8_t *entry)
{
	uint32_t block = load_le32(entry);
	struct vdi *v = ctx;

	(void)n;
	if (block < v->blocks && block >= v->next)
		v->next = block + 1;
	return 0;
}

static int vdi_open(struct image *im, struct err *e)
{
	uint8_t h[HEADER_BYTES];
	struct vdi *v;
	int rc = sector_read(im->file, 0, h, sizeof(h), e);

	if (!rc)
		rc = check_header(h, e);
	if (rc)
		return rc;
	im->priv = v = xcalloc(1, sizeof(*v));
	v->bmap = load_le32(h + H_OFFSET_BMAP);
	v->data = load_le32(h + H_OFFSET_DATA);
	v->blocks = load_le32(h + H_BLOCKS);
	v->is_static = load_le32(h + H_TYPE) == TYPE_STATIC;
	v->allocated = v->written = load_le32(h + H_ALLOCATED);
	if (load_le64(h + H_DISK_SIZE) > INT64_MAX - SECTOR)
		return fail(e, EFBIG, "vdi: disk of %llu bytes is over 2^63",
			    (unsigned long long)load_le64(h + H_DISK_SIZE));
	im->size = sector_round_up(load_le64(h + H_DISK_SIZE), SECTOR);
	rc = check_sizes(v, im, e);
	if (rc)
		return rc;
	im->cluster = BLOCK;
	v->table = sector_table_new(im->file);
	if (im->writable)
		rc = sector_table_walk(im->file, v->bmap, v->blocks,
				       note_used, v);
	if (rc)
		return fail(e, -rc, "vdi: cannot read the block map: %s",
			    strerror(-rc));
	return 0;
}

static int vdi_flush(struct image *im)
{
	struct vdi *v = im->priv;
	uint8_t count[4];
	int rc = file_flush(im->file);

	if (!rc && v->allocated != v->written) {
		store_le32(count, v->allocated);
		rc = sector_fill_to(im->file, v->data + v->next * BLOCK);
		rc = rc ? rc : file_write(im->file, H_ALLOCATED, count, sizeof(count));
		if (!rc)
			v->written = v->allocated;
	}
	return rc ? rc : sector_table_sync(v->table);
}

static int vdi_close(struct image *im)
{
	struct vdi *v = im->priv;
	int rc = im->writable && v->table ? vdi_flush(im) : 0;

	sector_table_free(v->table);
	free(v);
	return rc;
}

/* ---- map and allocate ---- */

static uint64_t entry_at(const struct vdi *v, uint64_t offset)
{
	return v->bmap + offset / BLOCK * 4;
}

static int vdi_map(struct image *im, uint64_t offset, struct extent *x)
{
	const struct vdi *v = im->priv;
	uint8_t entry[4];
	uint32_t block;
	int rc = sector_table_get(v->table, entry_at(v, offset), entry);

	if (rc)
		return rc;
	x->len = BLOCK - offset % BLOCK;
	block = load_le32(entry);
	if (block >= DISCARDED) {
		x->kind = EXTENT_ZERO;
		return 0;
	}
	if (block >= v->blocks)
		return -EIO;
	x->kind = EXTENT_DATA;
	x->in_place = true;
	x->sparse = v->is_static;
	x->at = v->data + block * BLOCK + offset % BLOCK;
	return 0;
}

static int vdi_allocate(struct image *im, uint64_t offset, uint64_t len,
			struct reserve *r)
{
	struct vdi *v = im->priv;

	(void)len;
	if (v->next >= v->blocks)
		return -ENOSPC;
	r->start = offset - offset % BLOCK;
	r->end = r->start + BLOCK;
	r->note = v->next;
	r->at = v->data + v->next++ * BLOCK;
	r->zeroed = r->at >= im->file->size;
	return 0;
}

static int vdi_link(struct image *im, const struct reserve *r)
{
	struct vdi *v = im->priv;
	uint8_t entry[4];
	int rc;

	store_le32(entry, (uint32_t)r->note);
	rc = sector_table_set(v->table, entry_at(v, r->start), entry);
	v->allocated += !rc;
	return rc;
}

static void vdi_unlink(struct image *im, const struct reserve *r)
{
	struct vdi *v = im->priv;

	if (r->note + 1 == v->next)
		v->next--;
}

/* ---- check ---- */

struct vdi_check {
	const struct vdi *vdi;
	struct image_check *c;
	uint8_t *used;		/* a bit per block in the file */
	uint32_t count;
};

static void say(struct image_check *c, const char *what, uint64_t n,
		uint32_t block)
{
	char *line;

	c->corruptions++;
	if (!c->say)
		return;
	line = xasprintf("ERROR: block %llu is at number %u, %s",
			 (unsigned long long)n, block, what);
	c->say(c->say_ctx, line);
	free(line);
}

static int check_entry(void *ctx, uint64_t n, const uint8_t *entry)
{
	struct vdi_check *k = ctx;
	uint32_t block = load_le32(entry);

	if (block >= DISCARDED)
		return 0;
	if (block >= k->vdi->blocks) {
		say(k->c, "which is none", n, block);
		return 0;
	}
	k->count++;
	if (k->used[block / 8] >> block % 8 & 1)
		say(k->c, "like another block", n, block);
	k->used[block / 8] |= (uint8_t)(1 << block % 8);
	return 0;
}

static int vdi_check(struct image *im, unsigned fix, struct image_check *c,
		     struct err *e)
{
	const struct vdi *v = im->priv;
	struct vdi_check k = { .vdi = v, .c = c };
	int rc;

	if (fix)
		return fail(e, ENOTSUP, "vdi: nothing can be repaired");
	k.used = calloc(1, v->blocks / 8 + 1);
	if (!k.used)
		return fail(e, ENOMEM, "vdi: no memory to check");
	rc = sector_table_walk(im->file, v->bmap, v->blocks, check_entry, &k);
	free(k.used);
	if (rc)
		return fail(e, -rc, "vdi: cannot read the block map: %s",
			    strerror(-rc));
	if (k.count != v->allocated)
		say(c, "and the header counts other blocks", k.count,
		    v->allocated);
	return 0;
}

/* ---- create ---- */

static const struct image_option vdi_options[] = {
	{ "size", "bytes of the disk", OPTION_SIZE, NULL },
	{ "static", "make room for all blocks now", OPTION_BOOL, "off" },
	{ NULL, NULL, 0, NULL },
};

static int write_bmap(struct image_file *f, uint64_t bytes, uint32_t blocks,
		      bool is_static, struct err *e)
{
	size_t room = bytes < MiB ? (size_t)bytes : MiB;
	uint8_t *some = xcalloc(1, room + 1);
	uint32_t n = 0;
	int rc = 0;

	for (uint64_t at = 0; at < bytes && !rc; at += room) {
		if (room > bytes - at)
			room = (size_t)(bytes - at);
		for (size_t i = 0; i < room; i += 4, n++)
			store_le32(some + i, n >= blocks ? 0 :
				   is_static ? n : NOT_ALLOCATED);
		rc = sector_write(f, HEADER_BYTES + at, some, room, e);
	}
	free(some);
	return rc;
}

static void fill_header(uint8_t *h, uint64_t size, uint32_t blocks,
			uint64_t data, bool is_static)
{
	memset(h, 0, HEADER_BYTES);
	memcpy(h, "<<< Husk VM Virtual Disk Image >>>\n", 35);
	store_le32(h + H_SIGNATURE, SIGNATURE);
	store_le32(h + H_VERSION, VERSION_1_1);
	store_le32(h + H_HEADER_SIZE, HEADER_SIZE);
	store_le32(h + H_TYPE, is_static ? TYPE_STATIC : TYPE_DYNAMIC);
	store_le32(h + H_OFFSET_BMAP, HEADER_BYTES);
	store_le32(h + H_OFFSET_DATA, (uint32_t)data);
	store_le32(h + H_SECTOR_SIZE, SECTOR);
	store_le64(h + H_DISK_SIZE, size);
	store_le32(h + H_BLOCK_SIZE, BLOCK);
	store_le32(h + H_BLOCKS, blocks);
	store_le32(h + H_ALLOCATED, is_static ? blocks : 0);
	sector_uuid(h + H_UUID);
	sector_uuid(h + H_UUID_SNAP);
}

static int vdi_create(struct image_file *f, struct optstr *opts,
		      struct err *e)
{
	uint64_t size = 0, blocks, bmap, data;
	uint8_t h[HEADER_BYTES];
	bool is_static = false;
	int rc = sector_size_option(opts, &size, e);

	if (!rc)
		rc = optstr_bool(opts, "static", &is_static, e);
	if (rc)
		return rc;
	if (size > MAX_BLOCKS * BLOCK)
		return fail(e, ENOTSUP, "vdi: size %llu is over %llu bytes",
			    (unsigned long long)size, MAX_BLOCKS * BLOCK);
	blocks = sector_round_up(size, BLOCK) / BLOCK;
	bmap = sector_round_up(blocks * 4, SECTOR);
	data = HEADER_BYTES + bmap;
	fill_header(h, size, (uint32_t)blocks, data, is_static);
	rc = sector_write(f, 0, h, sizeof(h), e);
	if (!rc)
		rc = write_bmap(f, bmap, (uint32_t)blocks, is_static, e);
	if (!rc && is_static)
		rc = file_resize(f, data + blocks * BLOCK, PREALLOC_OFF, e);
	return rc;
}

const struct image_format vdi_format = {
	.name = "vdi", .zero_init = true, .probe = vdi_probe,
	.open = vdi_open, .close = vdi_close, .map = vdi_map,
	.allocate = vdi_allocate, .link = vdi_link, .unlink = vdi_unlink,
	.flush = vdi_flush, .check = vdi_check, .create = vdi_create,
	.create_options = vdi_options,
};
