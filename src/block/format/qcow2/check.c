/* block/format/qcow2/check.c - count every reference, compare with refcounts, and
 * repair.
 *
 *   1  count what header, L1 tables, L2 tables and snapshots refer to
 *   2  count the refcount structures; one that is damaged has to be made anew
 *   3  compare: too high is a leak, too low a corruption; repair either
 *   4  the COPIED flags of the active tables, against refcounts
 *
 * Counts are kept in chunks that exist where something is used, so a sparse
 * image of any size is cheap; MAX_COUNT_BYTES limits all of it.
 *
 * Damaged entries of tables are reported and stay as they are: which is the
 * right one nobody can tell.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "block/format/qcow2/qcow2.h"

#define CHUNK_BITS	14
#define CHUNK		(1u << CHUNK_BITS)	/* counts in a chunk */
#define MAX_COUNT_BYTES	(160 * MiB)

struct check {
	struct qcow2 *q;
	struct image_check *out;
	unsigned fix;
	uint32_t **chunks;		/* owned */
	uint64_t chunk_count, clusters;	/* that the file has room for */
	uint64_t bytes;			/* of memory so far */
	bool rebuild;			/* of the refcount structures */
	uint64_t next;			/* host offset without a gap */
};

static void say(struct check *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct check *c, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	if (!c->out->say)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	c->out->say(c->out->say_ctx, line);
}

/* ---- counts ---- */

static int counts_init(struct check *c)
{
	uint64_t bytes;

	c->clusters = clusters_of(c->q, c->q->file->size);
	c->chunk_count = (c->clusters >> CHUNK_BITS) + 1;
	bytes = c->chunk_count * sizeof(c->chunks[0]);
	if (bytes > MAX_COUNT_BYTES / 2)
		return -EFBIG;
	c->bytes = bytes;
	c->chunks = calloc(c->chunk_count, sizeof(c->chunks[0]));
	return c->chunks ? 0 : -ENOMEM;
}

static void counts_free(struct check *c)
{
	for (uint64_t i = 0; c->chunks && i < c->chunk_count; i++)
		free(c->chunks[i]);
	free(c->chunks);
}

static uint64_t count_of(const struct check *c, uint64_t cluster)
{
	uint64_t i = cluster >> CHUNK_BITS;

	return i < c->chunk_count && c->chunks[i] ?
		c->chunks[i][cluster & (CHUNK - 1)] : 0;
}

static int count_one(struct check *c, uint64_t cluster)
{
	uint32_t **chunk = &c->chunks[cluster >> CHUNK_BITS];

	if (!*chunk) {
		c->bytes += CHUNK * sizeof(**chunk);
		if (c->bytes > MAX_COUNT_BYTES)
			return -EFBIG;
		*chunk = calloc(CHUNK, sizeof(**chunk));
		if (!*chunk)
			return -ENOMEM;
	}
	if ((*chunk)[cluster & (CHUNK - 1)] < UINT32_MAX)
		(*chunk)[cluster & (CHUNK - 1)]++;
	return 0;
}

/* Something refers to these host bytes. */
static int count(struct check *c, uint64_t at, uint64_t len)
{
	uint64_t first = at >> c->q->cluster_bits;
	uint64_t end = clusters_of(c->q, at + len);
	int rc = 0;

	if (len && end > c->clusters) {
		say(c, "ERROR: 0x%llx refers past the end of the file by one "
		    "cluster or more", (unsigned long long)at);
		c->out->corruptions++;
		end = c->clusters;
	}
	for (; first < end && !rc; first++)
		rc = count_one(c, first);
	return rc;
}

/* ---- 1: tables ---- */

/* Bits that must be zero. */
#define L1_RESERVED	0x7f000000000001ffull
#define L2_RESERVED	0x3f000000000001feull	/* where data are not packed */
#define REFTABLE_RESERVED	511ull

static void reserved(struct check *c, const char *what, uint64_t entry)
{
	say(c, "ERROR found %s entry with reserved bits set: %llx", what,
	    (unsigned long long)entry);
	c->out->corruptions++;
}

static void bad(struct check *c, const char *what, uint64_t at)
{
	say(c, "ERROR: %s at 0x%llx is not at a cluster's start", what,
	    (unsigned long long)at);
	c->out->corruptions++;
}

/* Figures for the guest's view; packed: no place of its own. */
static void tally(struct check *c, uint64_t host, bool packed)
{
	struct image_check *out = c->out;

	out->allocated_clusters++;
	if (packed) {
		out->compressed_clusters++;
		out->fragmented_clusters++;
		return;
	}
	if (c->next && host != c->next)
		out->fragmented_clusters++;
	c->next = host + c->q->cluster_size;
}

/* What the second word of an extended entry may say. */
static void check_bitmap(struct check *c, const struct l2_entry *l)
{
	enum cluster_kind k = entry_kind(c->q, l);
	const char *fault = NULL;

	if (k == CLUSTER_PACKED && l->bitmap)
		fault = "compressed cluster with subcluster bits";
	else if (k == CLUSTER_NONE && l->bitmap & UINT32_MAX)
		fault = "Unallocated cluster has non-zero subcluster "
			"allocation map";
	else if (l->bitmap >> 32 & l->bitmap)
		fault = "Allocated cluster with corrupted subcluster "
			"allocation bitmap";
	if (!fault)
		return;
	say(c, "ERROR: %s", fault);
	c->out->corruptions++;
}

static int count_entry(struct check *c, const struct l2_entry *l, bool active)
{
	struct qcow2 *q = c->q;
	uint64_t host = l->entry & OFFSET_MASK, at, len;

	if (!(l->entry & OFLAG_COMPRESSED) && l->entry & L2_RESERVED)
		reserved(c, "l2", l->entry);
	check_bitmap(c, l);
	switch (entry_kind(q, l)) {
	case CLUSTER_NONE:
	case CLUSTER_ZERO:
		return 0;
	case CLUSTER_PACKED:
		if (l->entry & OFLAG_COPIED) {
			say(c, "ERROR: a compressed cluster at 0x%llx has the "
			    "copied flag", (unsigned long long)l->entry);
			c->out->corruptions++;
		}
		packed_range(q, l->entry, &at, &len);
		if (active)
			tally(c, at, true);
		/* Packed data end in the middle of the last sector. */
		if (at < q->file->size && at + len > q->file->size)
			len = q->file->size - at;
		return count(c, at, len);
	case CLUSTER_ZERO_KEPT:
	case CLUSTER_DATA:
		if (host & (q->cluster_size - 1)) {
			bad(c, "cluster", host);
			return 0;
		}
		if (active && !(l->entry & OFLAG_ZERO && !has_subclusters(q)))
			tally(c, host, false);
		return q->data ? 0 : count(c, host, q->cluster_size);
	}
	return -EIO;
}

static int count_l2(struct check *c, uint64_t table, uint8_t *buf, bool active)
{
	struct qcow2 *q = c->q;
	int rc;

	rc = count(c, table, q->cluster_size);
	if (!rc)
		rc = file_read(q->file, table, buf, q->cluster_size);
	for (uint32_t i = 0; i < q->cluster_size && !rc; i += q->entry_size) {
		struct l2_entry l;

		l2_load(q, buf + i, &l);
		rc = count_entry(c, &l, active);
	}
	return rc;
}

static int count_l1(struct check *c, const uint64_t *l1, uint32_t n,
		    uint64_t at, bool active)
{
	struct qcow2 *q = c->q;
	uint8_t *buf = malloc(q->cluster_size);
	int rc = buf ? count(c, at, n * 8ull) : -ENOMEM;

	for (uint32_t i = 0; i < n && !rc; i++) {
		uint64_t table = l1[i] & OFFSET_MASK;

		if (l1[i] & L1_RESERVED)
			reserved(c, "L1", l1[i]);
		if (table & (q->cluster_size - 1))
			bad(c, "L2 table", table);
		else if (table && table < q->file->size)
			rc = count_l2(c, table, buf, active);
		else if (table)
			rc = count(c, table, q->cluster_size);
	}
	free(buf);
	return rc;
}

static int count_snapshots(struct check *c)
{
	struct qcow2 *q = c->q;
	int rc = count(c, q->snapshots_offset, q->snapshots_bytes);

	for (uint32_t i = 0; i < q->snapshot_count && !rc; i++) {
		const struct snapshot *s = &q->snapshots[i];
		uint64_t *l1;

		rc = table_read(q, s->l1_offset, s->l1_size, &l1);
		if (rc)
			break;
		rc = count_l1(c, l1, s->l1_size, s->l1_offset, false);
		free(l1);
	}
	return rc;
}

/* ---- bitmaps and keys, which we do not read but must not free ---- */

static int count_bitmap_table(struct check *c, uint64_t at, uint32_t n)
{
	struct qcow2 *q = c->q;
	uint64_t *table;
	int rc;

	if (n * 8ull > MAX_L1_BYTES || at & (q->cluster_size - 1)) {
		bad(c, "bitmap table", at);
		return 0;
	}
	rc = table_read(q, at, n, &table);
	if (rc)
		return rc;
	rc = count(c, at, n * 8ull);
	for (uint32_t i = 0; i < n && !rc; i++)
		if (table[i] & OFFSET_MASK)
			rc = count(c, table[i] & OFFSET_MASK,
				   q->cluster_size);
	free(table);
	return rc;
}

/* An entry of the directory: table offset 8, its size 4, flags 4, type 1,
 * granularity 1, name size 2, extra size 4; then extra data and name. */
#define BITMAP_ENTRY	24u

static int count_directory(struct check *c, const uint8_t *dir, uint64_t len,
			   uint32_t n)
{
	uint64_t at = 0;
	int rc = 0;

	for (uint32_t i = 0; i < n && !rc && at + BITMAP_ENTRY <= len; i++) {
		const uint8_t *p = dir + at;

		rc = count_bitmap_table(c, load_be64(p), load_be32(p + 8));
		at += (BITMAP_ENTRY + (uint64_t)load_be32(p + 20) +
		       load_be16(p + 18) + 7) & ~7ull;
	}
	return rc;
}

static int count_bitmaps(struct check *c, const struct extension *x)
{
	uint64_t len, at;
	uint8_t *dir;
	int rc;

	if (x->len < 24 || !c->q->bitmaps)
		return 0;
	len = load_be64(x->data + 8);
	at = load_be64(x->data + 16);
	if (len > MAX_SNAPSHOT_BYTES || at & (c->q->cluster_size - 1)) {
		bad(c, "bitmap directory", at);
		return 0;
	}
	dir = malloc(len ? len : 1);
	if (!dir)
		return -ENOMEM;
	rc = file_read(c->q->file, at, dir, len);
	if (!rc)
		rc = count(c, at, len);
	if (!rc)
		rc = count_directory(c, dir, len, c->q->bitmaps);
	free(dir);
	return rc;
}

static int count_extensions(struct check *c)
{
	int rc = 0;

	for (struct extension *x = c->q->extensions; x && !rc; x = x->next) {
		if (x->type == EXT_BITMAPS)
			rc = count_bitmaps(c, x);
		else if (x->type == EXT_CRYPTO && x->len >= 16)
			rc = count(c, load_be64(x->data),
				   load_be64(x->data + 8));
	}
	return rc;
}

/* ---- 2: refcount structures ---- */

/* One entry of the refcount table; false: the block is no good. */
static bool count_block(struct check *c, uint32_t i, int *rc)
{
	struct qcow2 *q = c->q;
	uint64_t at = q->reftable[i];

	if (at & REFTABLE_RESERVED) {
		say(c, "ERROR refcount table entry %u has reserved bits set",
		    i);
		return false;
	}
	if (at & (q->cluster_size - 1)) {
		say(c, "ERROR refcount block %u is not cluster aligned; "
		    "refcount table entry corrupted", i);
		return false;
	}
	if (at >= q->file->size) {
		say(c, "ERROR refcount block %u is outside image", i);
		return false;
	}
	*rc = count(c, at, q->cluster_size);
	if (*rc || count_of(c, at >> q->cluster_bits) == 1)
		return true;
	say(c, "ERROR refcount block %u refcount=%llu", i,
	    (unsigned long long)count_of(c, at >> q->cluster_bits));
	return false;
}

static int count_blocks(struct check *c)
{
	struct qcow2 *q = c->q;
	int rc = count(c, q->reftable_offset, q->reftable_size * 8ull);

	for (uint32_t i = 0; i < q->reftable_size && !rc; i++)
		if (q->reftable[i] && !count_block(c, i, &rc)) {
			c->out->corruptions++;
			c->rebuild = true;
		}
	return rc;
}

/* ---- 3: compare ---- */

/* A cluster in use that no block counts: a new block might land on it. */
static bool uncounted(const struct qcow2 *q, uint64_t cluster)
{
	uint64_t i = cluster >> q->block_bits;

	return i >= q->reftable_size || !(q->reftable[i] & ~511ull);
}

static void compare_one(struct check *c, uint64_t cluster)
{
	struct image_check *out = c->out;
	uint64_t want = count_of(c, cluster), is;
	bool leak, mend;

	if (refcount_get(c->q, cluster, &is)) {
		out->check_errors += !!want;	/* the block was told of */
		return;
	}
	if (is || want)
		out->image_end_offset = (cluster + 1) << c->q->cluster_bits;
	if (is == want)
		return;
	leak = is > want;
	mend = c->fix & (leak ? FIX_LEAKS : FIX_ERRORS);
	if (mend && want && uncounted(c->q, cluster)) {
		c->rebuild = true;
		mend = false;
	}
	say(c, "%s cluster %llu refcount=%llu reference=%llu",
	    mend ? "Repairing" : leak ? "Leaked" : "ERROR",
	    (unsigned long long)cluster, (unsigned long long)is,
	    (unsigned long long)want);
	if (mend && want <= refcount_max(c->q) &&
	    !refcount_set(c->q, cluster, want)) {
		(*(leak ? &out->leaks_fixed : &out->corruptions_fixed))++;
		return;
	}
	(*(leak ? &out->leaks : &out->corruptions))++;
}

/* Clusters that neither side counts come in large gaps: skip those. */
static bool empty_chunk(const struct check *c, uint64_t chunk)
{
	const struct qcow2 *q = c->q;
	uint64_t from = (chunk << CHUNK_BITS) >> q->block_bits;
	uint64_t to = (((chunk + 1) << CHUNK_BITS) - 1) >> q->block_bits;

	if (c->chunks[chunk])
		return false;
	for (; from <= to && from < q->reftable_size; from++)
		if (q->reftable[from])
			return false;
	return true;
}

static void compare(struct check *c)
{
	for (uint64_t n = 0; n < c->chunk_count; n++) {
		uint64_t first = n << CHUNK_BITS;

		if (empty_chunk(c, n))
			continue;
		for (uint64_t i = 0; i < CHUNK && first + i < c->clusters; i++)
			compare_one(c, first + i);
	}
}

/* ---- refcount structures anew ---- */

struct rebuilt {
	uint64_t first;		/* cluster: blocks, then table, then the end */
	uint64_t blocks, table;	/* clusters */
};

static void plan_rebuild(const struct check *c, struct rebuilt *r)
{
	const struct qcow2 *q = c->q;
	uint64_t entries = 1ull << q->block_bits, before, all;

	r->first = c->clusters;
	while (r->first && !count_of(c, r->first - 1))
		r->first--;
	r->blocks = r->table = 0;
	do {
		before = r->blocks + r->table;
		all = r->first + before;
		r->blocks = (all + entries - 1) / entries;
		r->table = clusters_of(q, r->blocks * 8);
	} while (r->blocks + r->table != before);
}

static int fill_rebuilt(struct check *c, const struct rebuilt *r)
{
	struct qcow2 *q = c->q;
	uint64_t end = r->first + r->blocks + r->table;
	int rc = 0;

	for (uint64_t i = 0; i < r->blocks; i++)
		q->reftable[i] = (r->first + i) << q->cluster_bits;
	for (uint64_t i = 0; i < r->blocks && !rc; i++) {
		uint8_t *page;

		for (uint32_t at = 0; at < q->cluster_size && !rc;
		     at += q->page_size)
			rc = table_cache_make(q->refs, q->reftable[i] + at,
					      &page);
	}
	for (uint64_t n = 0; n < end && !rc; n++) {
		uint64_t v = n < r->first ? count_of(c, n) : 1;

		if (v > refcount_max(q))
			return -E2BIG;
		rc = v ? refcount_set(q, n, v) : 0;
	}
	return rc;
}

static int rebuild(struct check *c)
{
	struct qcow2 *q = c->q;
	uint64_t at, *old = q->reftable;
	uint32_t old_size = q->reftable_size;
	struct rebuilt r;
	uint8_t field[12];
	int rc;

	plan_rebuild(c, &r);
	if (r.table << q->cluster_bits > MAX_REFTABLE_BYTES)
		return -EFBIG;
	q->reftable_size = (uint32_t)(r.table << q->cluster_bits) / 8;
	q->reftable = calloc(q->reftable_size, 8);
	if (!q->reftable) {
		q->reftable = old;
		q->reftable_size = old_size;
		return -ENOMEM;
	}
	/* Whatever the cache holds was counted wrong. */
	table_cache_drop_all(q->refs);
	at = (r.first + r.blocks) << q->cluster_bits;
	rc = fill_rebuilt(c, &r);
	if (!rc)
		rc = table_cache_write(q->refs);
	if (!rc)
		rc = table_write(q, at, q->reftable, 0, q->reftable_size);
	if (!rc)
		rc = file_flush(q->file);
	store_be64(field, at);
	store_be32(field + 8, (uint32_t)r.table);
	if (!rc)
		rc = header_put(q, HDR_REFTABLE_OFFSET, field, sizeof(field));
	if (!rc)
		q->reftable_offset = at;
	q->reftable_from = UINT32_MAX;
	q->reftable_to = 0;
	q->free_hint = 0;
	free(old);
	return rc;
}

/* ---- 4: flags ---- */

/* what: "L2 cluster: l1_index=0 l1_entry" and the like. */
static void check_flag(struct check *c, const char *what, uint64_t *entry)
{
	uint64_t at = *entry & OFFSET_MASK, v;

	if (at & (c->q->cluster_size - 1))
		return;		/* told of before */
	if (refcount_get(c->q, at >> c->q->cluster_bits, &v))
		return;		/* likewise */
	if ((v == 1) == !!(*entry & OFLAG_COPIED))
		return;
	say(c, "%s OFLAG_COPIED %s=%llx refcount=%llu",
	    c->fix & FIX_ERRORS ? "Repairing" : "ERROR", what,
	    (unsigned long long)*entry, (unsigned long long)v);
	if (c->fix & FIX_ERRORS) {
		*entry ^= OFLAG_COPIED;
		c->out->corruptions_fixed++;
	} else {
		c->out->corruptions++;
	}
}

static int check_l2_flags(struct check *c, uint64_t table, uint8_t *buf)
{
	struct qcow2 *q = c->q;
	bool changed = false;
	int rc = file_read(q->file, table, buf, q->cluster_size);

	for (uint32_t i = 0; i < q->cluster_size && !rc; i += q->entry_size) {
		struct l2_entry l;
		enum cluster_kind k;
		uint64_t was;

		l2_load(q, buf + i, &l);
		k = entry_kind(q, &l);
		if (q->data || (k != CLUSTER_DATA && k != CLUSTER_ZERO_KEPT))
			continue;
		was = l.entry;
		check_flag(c, "data cluster: l2_entry", &l.entry);
		if (was == l.entry)
			continue;
		changed = true;
		l2_store(q, buf + i, &l);
	}
	if (!rc && changed) {
		table_cache_drop(q->l2, table, q->cluster_size);
		rc = file_write(q->file, table, buf, q->cluster_size);
	}
	return rc;
}

static int check_flags(struct check *c)
{
	struct qcow2 *q = c->q;
	uint8_t *buf = malloc(q->cluster_size);
	int rc = buf ? 0 : -ENOMEM;
	char what[64];

	for (uint32_t i = 0; i < q->l1_size && !rc; i++) {
		uint64_t table = q->l1[i] & OFFSET_MASK;

		if (!table || table & (q->cluster_size - 1) ||
		    table >= q->file->size)
			continue;
		(void)snprintf(what, sizeof(what), "L2 cluster: l1_index=%u "
			       "l1_entry", i);
		check_flag(c, what, &q->l1[i]);
		rc = check_l2_flags(c, table, buf);
	}
	if (!rc && c->fix & FIX_ERRORS)
		rc = table_write(q, q->l1_offset, q->l1, 0, q->l1_size);
	free(buf);
	return rc;
}

/* ---- all of it ---- */

static int count_all(struct check *c)
{
	struct qcow2 *q = c->q;
	int rc = counts_init(c);

	if (!rc)
		rc = count(c, 0, q->cluster_size);
	if (!rc)
		rc = count_l1(c, q->l1, q->l1_size, q->l1_offset, true);
	if (!rc)
		rc = count_snapshots(c);
	return rc ? rc : count_extensions(c);
}

/* The counts as they are, less the damaged structures, into new ones. */
static int rebuild_all(struct check *c)
{
	struct image_check *out = c->out;
	uint64_t corruptions = out->corruptions;
	int rc;

	counts_free(c);
	c->chunks = NULL;
	out->allocated_clusters = out->fragmented_clusters = 0;
	out->compressed_clusters = 0;
	out->corruptions = out->check_errors = 0;
	c->next = 0;
	rc = count_all(c);
	if (!rc)
		rc = rebuild(c);
	if (rc)
		return rc;
	say(c, "Repairing: the refcount structures were made anew");
	if (corruptions > out->corruptions)
		out->corruptions_fixed += corruptions - out->corruptions;
	out->leaks = 0;
	return 0;
}

static int repaired(struct check *c)
{
	struct qcow2 *q = c->q;
	uint64_t clear = 0;
	int rc = tables_clean_refs(q);

	if (!rc)
		rc = file_flush(q->file);
	if (rc || c->out->corruptions || c->out->check_errors)
		return rc;
	if (c->fix & FIX_ERRORS)
		clear = INCOMPAT_DIRTY | INCOMPAT_CORRUPT;
	rc = header_incompatible(q, 0, clear);
	if (!rc && clear)
		q->broken = q->lazy = false;
	return rc;
}

int qcow2_check(struct image *im, unsigned fix, struct image_check *out,
		struct err *e)
{
	struct qcow2 *q = im->priv;
	struct check c = { .q = q, .out = out, .fix = fix };
	bool ready = q->ready;
	int rc = 0;

	if (fix && !im->writable)
		return fail(e, EROFS, "'%s' is open for reading only",
			    im->name);
	if (im->writable && ready && !q->broken)
		rc = tables_flush(q);
	if (!rc && im->writable)
		rc = tables_clean_refs(q);
	/* What is found is reported here, not marked in the header. */
	q->ready = false;
	out->total_clusters = clusters_of(q, q->size);
	if (!rc)
		rc = count_all(&c);
	if (!rc)
		rc = count_blocks(&c);
	if (!rc && !(c.rebuild && fix & FIX_ERRORS))
		compare(&c);	/* may find that it takes a rebuild */
	if (!rc && c.rebuild && fix & FIX_ERRORS)
		rc = rebuild_all(&c);
	if (!rc)
		rc = check_flags(&c);
	if (!rc && fix)
		rc = repaired(&c);
	q->ready = ready;
	counts_free(&c);
	if (rc)
		return fail(e, -rc, "qcow2: cannot check: %s", strerror(-rc));
	return 0;
}
