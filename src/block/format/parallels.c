/* block/format/parallels.c - Parallels' disk image, both magics.
 *
 *   0         header, 64 bytes
 *   64        one entry per cluster: where it is, 0 if nowhere
 *   data_off  the clusters, as they were first written
 *
 * All is little-endian.  "WithouFreSpacExt" counts entries in clusters,
 * "WithoutFreeSpace" in sectors.  A cluster has any number of sectors (63 in
 * old images).
 *
 * The mark "in use" is not set: entries are written after their clusters are
 * durable, so a kill costs space at the end of the file only.  An image found
 * with it is opened for writing by check -r alone.
 *
 * The format extension (dirty bitmaps) is left as it is.  Source: Parallels
 * Expandable Image File Format, as published with QEMU
 * (docs/interop/parallels.txt).
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

#define HEADER_BYTES	64u
#define MAGIC		"WithoutFreeSpace"
#define MAGIC_EXT	"WithouFreSpacExt"
#define IN_USE		0x746f6e59u
#define VERSION		2u
#define CLUSTER_MAX	(1 * GiB)
#define ENTRIES_MAX	(INT32_MAX / 4u)
#define HEADS		16u
#define TRACK_SECTORS	32u

enum {				/* places in the header */
	P_VERSION = 16, P_HEADS = 20, P_CYLINDERS = 24, P_TRACKS = 28,
	P_ENTRIES = 32, P_SECTORS = 36, P_IN_USE = 44, P_DATA_OFF = 48,
};

struct parallels {
	uint32_t cluster;	/* bytes */
	uint64_t unit;		/* bytes that an entry counts */
	uint32_t entries;
	uint64_t data;		/* bytes before any cluster */
	uint64_t next;		/* where the next cluster goes */
	uint64_t had;		/* the same when the image was opened */
	bool unclean;
	struct sector_table *table;
};

static bool is_magic(const uint8_t *head)
{
	return !memcmp(head, MAGIC, 16) || !memcmp(head, MAGIC_EXT, 16);
}

static int parallels_probe(const uint8_t *head, size_t len, const char *name)
{
	(void)name;
	return len >= HEADER_BYTES && is_magic(head) &&
	       load_le32(head + P_VERSION) == VERSION ? 100 : 0;
}

/* ---- open ---- */

static int check_header(struct image *im, struct parallels *p,
			const uint8_t *h, struct err *e)
{
	uint64_t tracks = load_le32(h + P_TRACKS), end;
	uint64_t sectors = load_le64(h + P_SECTORS);

	if (!is_magic(h))
		return fail(e, EINVAL, "parallels: there is no header");
	if (load_le32(h + P_VERSION) != VERSION)
		return fail(e, ENOTSUP, "parallels: version %u is not %u",
			    load_le32(h + P_VERSION), VERSION);
	if (!tracks || tracks * SECTOR > CLUSTER_MAX)
		return fail(e, EINVAL, "parallels: cluster of %llu sectors is "
			    "not 1 to %llu", (unsigned long long)tracks,
			    CLUSTER_MAX / SECTOR);
	p->cluster = (uint32_t)(tracks * SECTOR);
	p->unit = p->cluster;
	p->entries = load_le32(h + P_ENTRIES);
	if (!memcmp(h, MAGIC, 16)) {
		p->unit = SECTOR;
		sectors &= UINT32_MAX;
	}
	end = HEADER_BYTES + p->entries * 4ull;
	if (p->entries > ENTRIES_MAX || end > im->file->size)
		return fail(e, EINVAL, "parallels: %u entries pass the end of "
			    "the file or are over %u", p->entries,
			    ENTRIES_MAX);
	if (sectors > p->entries * tracks)
		return fail(e, EINVAL, "parallels: disk of %llu sectors is "
			    "larger than its %u entries",
			    (unsigned long long)sectors, p->entries);
	p->data = load_le32(h + P_DATA_OFF) * SECTOR;
	if (p->data < end)
		p->data = sector_round_up(end, SECTOR);
	im->size = sectors * SECTOR;
	return 0;
}

static int note_end(void *ctx, uint64_t n, const uint8_t *entry)
{
	struct parallels *p = ctx;
	uint64_t end = load_le32(entry) * p->unit + p->cluster;

	(void)n;
	if (load_le32(entry) && end > p->next)
		p->next = end;
	return 0;
}

static int parallels_open(struct image *im, struct err *e)
{
	struct parallels *p = xcalloc(1, sizeof(*p));
	uint8_t h[HEADER_BYTES];
	int rc;

	im->priv = p;
	rc = sector_read(im->file, 0, h, sizeof(h), e);
	if (!rc)
		rc = check_header(im, p, h, e);
	if (rc)
		return rc;
	im->cluster = p->cluster;
	p->table = sector_table_new(im->file);
	p->unclean = load_le32(h + P_IN_USE) == IN_USE;
	if (p->unclean && im->writable && !(im->flags & IMAGE_CHECK))
		return fail(e, EACCES, "parallels: the image was not closed "
			    "in order; check -r all comes first");
	/* Entries may count clusters, and then clusters have such places. */
	p->next = sector_round_up(p->data, p->unit);
	if (im->writable)
		rc = sector_table_walk(im->file, HEADER_BYTES, p->entries,
				       note_end, p);
	p->had = p->next;
	return rc ? fail(e, -rc, "parallels: cannot read the entries: %s",
			 strerror(-rc)) : 0;
}

static int parallels_flush(struct image *im)
{
	struct parallels *p = im->priv;
	int rc = p->next > p->had ? sector_fill_to(im->file, p->next) : 0;

	return rc ? rc : sector_table_sync(p->table);
}

static int parallels_close(struct image *im)
{
	struct parallels *p = im->priv;
	int rc = im->writable && p->table ? parallels_flush(im) : 0;

	sector_table_free(p->table);
	free(p);
	return rc;
}

/* ---- map and allocate ---- */

static uint64_t entry_at(const struct parallels *p, uint64_t offset)
{
	return HEADER_BYTES + offset / p->cluster * 4;
}

static int parallels_map(struct image *im, uint64_t offset, struct extent *x)
{
	const struct parallels *p = im->priv;
	uint8_t entry[4];
	int rc = sector_table_get(p->table, entry_at(p, offset), entry);

	if (rc)
		return rc;
	x->len = p->cluster - offset % p->cluster;
	if (!load_le32(entry)) {
		x->kind = EXTENT_BELOW;
		return 0;
	}
	x->kind = EXTENT_DATA;
	x->in_place = true;
	x->at = load_le32(entry) * p->unit;
	if (x->at < p->data || x->at >= im->file->size)
		return -EIO;
	x->at += offset % p->cluster;
	return 0;
}

static int parallels_allocate(struct image *im, uint64_t offset, uint64_t len,
			      struct reserve *r)
{
	struct parallels *p = im->priv;

	(void)len;
	if (p->next / p->unit > UINT32_MAX)
		return -EFBIG;
	r->start = offset - offset % p->cluster;
	r->end = r->start + p->cluster;
	r->at = p->next;
	r->zeroed = r->at >= im->file->size;
	p->next += p->cluster;
	return 0;
}

static int parallels_link(struct image *im, const struct reserve *r)
{
	struct parallels *p = im->priv;
	uint8_t entry[4];

	store_le32(entry, (uint32_t)(r->at / p->unit));
	return sector_table_set(p->table, entry_at(p, r->start), entry);
}

static void parallels_unlink(struct image *im, const struct reserve *r)
{
	struct parallels *p = im->priv;

	if (r->at + p->cluster == p->next)
		p->next = r->at;
}

/* ---- check ---- */

struct walk {
	struct image *im;
	struct parallels *p;
	struct image_check *c;
	uint64_t last, end;	/* offset of the one before; end of all */
	bool fix;
};

static void say(const struct image_check *c, const char *what, uint64_t n)
{
	char *line;

	if (!c->say)
		return;
	line = xasprintf("ERROR: cluster %llu %s", (unsigned long long)n,
			 what);
	c->say(c->say_ctx, line);
	free(line);
}

static int check_entry(void *ctx, uint64_t n, const uint8_t *entry)
{
	static const uint8_t none[4];
	struct walk *w = ctx;
	uint64_t at = load_le32(entry) * w->p->unit;

	if (!at) {
		w->last = 0;
		return 0;
	}
	if (at < w->p->data || at >= w->im->file->size) {
		say(w->c, "is outside the file's data", n);
		w->c->corruptions += !w->fix;
		w->c->corruptions_fixed += w->fix;
		if (w->fix)
			return sector_table_set(w->p->table,
						HEADER_BYTES + n * 4, none);
	}
	w->c->allocated_clusters++;
	if (w->last && w->last + w->p->cluster != at)
		w->c->fragmented_clusters++;
	w->last = at;
	if (at + w->p->cluster > w->end)
		w->end = at + w->p->cluster;
	return 0;
}

static int check_mark(struct walk *w)
{
	static const uint8_t none[4];

	if (!w->p->unclean)
		return 0;
	if (w->c->say)
		w->c->say(w->c->say_ctx, "ERROR: the image was not closed in "
			  "order");
	if (!w->fix) {
		w->c->corruptions++;
		return 0;
	}
	w->c->corruptions_fixed++;
	w->p->unclean = false;
	return sector_table_set(w->p->table, P_IN_USE, none);
}

static int check_end(struct walk *w, bool fix, struct err *e)
{
	uint64_t size = w->im->file->size, leaks;

	w->c->image_end_offset = w->end;
	if (size <= w->end)
		return 0;
	leaks = sector_round_up(size - w->end, w->p->cluster) / w->p->cluster;
	if (!fix) {
		w->c->leaks += leaks;
		return 0;
	}
	w->c->leaks_fixed += leaks;
	w->p->next = w->end;
	return file_resize(w->im->file, w->end, PREALLOC_OFF, e);
}

static int parallels_check(struct image *im, unsigned fix,
			   struct image_check *c, struct err *e)
{
	struct parallels *p = im->priv;
	struct walk w = { .im = im, .p = p, .c = c, .end = p->data,
			  .fix = fix & FIX_ERRORS };
	int rc = check_mark(&w);

	c->total_clusters = p->entries;
	if (!rc)
		rc = sector_table_walk(im->file, HEADER_BYTES, p->entries,
				       check_entry, &w);
	if (!rc && fix)
		rc = sector_table_sync(p->table);
	if (rc)
		return fail(e, -rc, "parallels: cannot check: %s",
			    strerror(-rc));
	return check_end(&w, fix & FIX_LEAKS, e);
}

static int parallels_info(struct image *im, struct image_info *info,
			  struct err *e)
{
	(void)im;
	(void)e;
	info->cluster_size = 0;		/* QEMU tells none */
	return 0;
}

/* ---- create ---- */

static const struct image_option parallels_options[] = {
	{ "size", "bytes of the disk", OPTION_SIZE, NULL },
	{ "cluster_size", "bytes of a cluster", OPTION_SIZE, "1048576" },
	{ NULL, NULL, 0, NULL },
};

static int parallels_create(struct image_file *f, struct optstr *opts,
			    struct err *e)
{
	uint64_t size = 0, cluster = MiB, entries, data;
	uint8_t h[HEADER_BYTES] = MAGIC_EXT;
	int rc = sector_size_option(opts, &size, e);

	if (!rc)
		rc = optstr_size(opts, "cluster_size", 1, &cluster, e);
	if (rc)
		return rc;
	if (!cluster || cluster > CLUSTER_MAX)
		return fail(e, EINVAL, "parallels: cluster size %llu is not 1 "
			    "to %llu", (unsigned long long)cluster,
			    CLUSTER_MAX);
	cluster = sector_round_up(cluster, SECTOR);
	entries = size / cluster + !!(size % cluster);
	if (entries > ENTRIES_MAX)
		return fail(e, EFBIG, "parallels: size %llu is over %u "
			    "clusters", (unsigned long long)size, ENTRIES_MAX);
	data = sector_round_up(HEADER_BYTES + entries * 4, cluster);
	store_le32(h + P_VERSION, VERSION);
	store_le32(h + P_HEADS, HEADS);
	store_le32(h + P_CYLINDERS, (uint32_t)(size / SECTOR / HEADS /
					       TRACK_SECTORS));
	store_le32(h + P_TRACKS, (uint32_t)(cluster / SECTOR));
	store_le32(h + P_ENTRIES, (uint32_t)entries);
	store_le64(h + P_SECTORS, size / SECTOR);
	store_le32(h + P_DATA_OFF, (uint32_t)(data / SECTOR));
	rc = sector_write(f, 0, h, sizeof(h), e);
	return rc ? rc : file_resize(f, data, PREALLOC_OFF, e);
}

const struct image_format parallels_format = {
	.name = "parallels", .zero_init = true, .probe = parallels_probe,
	.open = parallels_open, .close = parallels_close,
	.map = parallels_map, .allocate = parallels_allocate,
	.link = parallels_link, .unlink = parallels_unlink,
	.flush = parallels_flush, .check = parallels_check,
	.info = parallels_info, .create = parallels_create,
	.create_options = parallels_options,
};
