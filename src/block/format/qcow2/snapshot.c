/* block/format/qcow2/snapshot.c - snapshots inside a qcow2 image.
 *
 * A snapshot is a copy of the L1 table.  Every cluster below it counts one
 * reference more, and the entries of the active tables lose their COPIED flag,
 * so the next write copies.
 *
 *   create  refcounts up, flags off, flush; copy of L1, flush; new list
 *   apply   refcounts of its tree up, flush; active L1 overwritten, flush;
 *           refcounts of the old tree down, flags
 *   delete  new list, flush; refcounts of its tree down, flags
 *
 * The list is written to a new place each time, and the header names it last.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "block/format/qcow2/qcow2.h"

/* An entry of the list; behind it extra data, id, name, padded to 8. */
enum {
	SNAP_L1_OFFSET = 0,		/* 8 */
	SNAP_L1_SIZE = 8,		/* 4, entries */
	SNAP_ID_SIZE = 12,		/* 2 */
	SNAP_NAME_SIZE = 14,		/* 2 */
	SNAP_DATE_S = 16,		/* 4 */
	SNAP_DATE_NS = 20,		/* 4 */
	SNAP_VM_CLOCK = 24,		/* 8 */
	SNAP_VM_STATE = 32,		/* 4, if it fits */
	SNAP_EXTRA_SIZE = 36,		/* 4 */
	SNAP_BYTES = 40,
	/* in the extra data */
	EXTRA_VM_STATE = 0,		/* 8 */
	EXTRA_DISK_SIZE = 8,		/* 8 */
	EXTRA_ICOUNT = 16,		/* 8 */
	EXTRA_BYTES = 24,
};
#define MAX_EXTRA	1024u

static int said(struct err *e, int rc, const char *what)
{
	return rc ? fail(e, -rc, "qcow2: cannot %s: %s", what, strerror(-rc)) :
		0;
}

/* ---- read the list ---- */

static int check_entry(const struct qcow2 *q, const uint8_t *h, uint32_t i,
		       struct err *e)
{
	uint64_t at = load_be64(h + SNAP_L1_OFFSET);

	if (at & (q->cluster_size - 1) || at >= MAX_HOST)
		return fail(e, EINVAL, "qcow2: snapshot %u: L1 table at 0x%llx "
			    "is not at a cluster's start", i,
			    (unsigned long long)at);
	if (load_be32(h + SNAP_L1_SIZE) * 8ull > MAX_L1_BYTES)
		return fail(e, EFBIG, "qcow2: snapshot %u: L1 table of %u "
			    "entries, and the limit is %llu", i,
			    load_be32(h + SNAP_L1_SIZE), MAX_L1_BYTES / 8);
	if (load_be32(h + SNAP_EXTRA_SIZE) > MAX_EXTRA)
		return fail(e, EFBIG, "qcow2: snapshot %u: %u bytes of extra "
			    "data, and the limit is %u", i,
			    load_be32(h + SNAP_EXTRA_SIZE), MAX_EXTRA);
	return 0;
}

static void take_extra(struct qcow2 *q, struct snapshot *s, const uint8_t *x,
		       uint32_t len)
{
	if (len >= EXTRA_DISK_SIZE)
		s->vm_state_size = load_be64(x + EXTRA_VM_STATE);
	s->disk_size = len >= EXTRA_ICOUNT ? load_be64(x + EXTRA_DISK_SIZE) :
		q->size;
	s->icount = len >= EXTRA_BYTES ? load_be64(x + EXTRA_ICOUNT) :
		UINT64_MAX;
	if (len > EXTRA_BYTES) {
		s->extra_size = len - EXTRA_BYTES;
		s->extra = xcalloc(1, s->extra_size);
		memcpy(s->extra, x + EXTRA_BYTES, s->extra_size);
	}
}

/* The entry at *at; *at moves on. */
static int read_entry(struct qcow2 *q, struct snapshot *s, uint32_t i,
		      uint64_t *at, struct err *e)
{
	uint32_t id, name, extra;
	uint8_t h[SNAP_BYTES], *rest;
	int rc = file_read(q->file, *at, h, sizeof(h));

	if (rc)
		return said(e, rc, "read the snapshots");
	rc = check_entry(q, h, i, e);
	if (rc)
		return rc;
	id = load_be16(h + SNAP_ID_SIZE);
	name = load_be16(h + SNAP_NAME_SIZE);
	extra = load_be32(h + SNAP_EXTRA_SIZE);
	rest = xcalloc(1, extra + id + name + 1u);
	rc = file_read(q->file, *at + SNAP_BYTES, rest, extra + id + name);
	s->l1_offset = load_be64(h + SNAP_L1_OFFSET);
	s->l1_size = load_be32(h + SNAP_L1_SIZE);
	s->date_s = load_be32(h + SNAP_DATE_S);
	s->date_ns = load_be32(h + SNAP_DATE_NS);
	s->vm_clock_ns = load_be64(h + SNAP_VM_CLOCK);
	s->vm_state_size = load_be32(h + SNAP_VM_STATE);
	take_extra(q, s, rest, extra);
	s->id = xstrndup((char *)rest + extra, id);
	s->name = xstrndup((char *)rest + extra + id, name);
	free(rest);
	*at += (SNAP_BYTES + extra + id + name + 7) & ~7u;
	return said(e, rc, "read the snapshots");
}

int snapshots_read(struct qcow2 *q, struct err *e)
{
	uint32_t n = q->snapshot_count;
	uint64_t at = q->snapshots_offset;
	int rc = 0;

	q->snapshot_count = 0;
	if (!n)
		return 0;
	q->snapshots = xcalloc(n, sizeof(q->snapshots[0]));
	for (uint32_t i = 0; i < n && !rc; i++) {
		q->snapshot_count = i + 1;
		rc = read_entry(q, &q->snapshots[i], i, &at, e);
		if (!rc && at - q->snapshots_offset > MAX_SNAPSHOT_BYTES)
			rc = fail(e, EFBIG, "qcow2: a snapshot table of over "
				  "%llu bytes", MAX_SNAPSHOT_BYTES);
	}
	q->snapshots_bytes = at - q->snapshots_offset;
	return rc;
}

static void snapshot_free(struct snapshot *s)
{
	free(s->id);
	free(s->name);
	free(s->extra);
}

void snapshots_free(struct qcow2 *q)
{
	/* The header was counted before there was a list, perhaps. */
	for (uint32_t i = 0; q->snapshots && i < q->snapshot_count; i++)
		snapshot_free(&q->snapshots[i]);
	free(q->snapshots);
}

static struct snapshot *find(struct qcow2 *q, const char *which, struct err *e)
{
	for (uint32_t i = 0; i < q->snapshot_count; i++)
		if (!strcmp(q->snapshots[i].id, which))
			return &q->snapshots[i];
	for (uint32_t i = 0; i < q->snapshot_count; i++)
		if (!strcmp(q->snapshots[i].name, which))
			return &q->snapshots[i];
	(void)fail(e, ENOENT, "snapshot '%s' does not exist", which);
	return NULL;
}

/* ---- write the list ---- */

static uint64_t entry_bytes(const struct snapshot *s)
{
	return (SNAP_BYTES + EXTRA_BYTES + s->extra_size + strlen(s->id) +
		strlen(s->name) + 7) & ~7ull;
}

static void put_entry(const struct snapshot *s, uint8_t *p)
{
	size_t id = strlen(s->id), name = strlen(s->name);
	uint8_t *x = p + SNAP_BYTES, *rest = x + EXTRA_BYTES;

	store_be64(p + SNAP_L1_OFFSET, s->l1_offset);
	store_be32(p + SNAP_L1_SIZE, s->l1_size);
	store_be16(p + SNAP_ID_SIZE, (uint16_t)id);
	store_be16(p + SNAP_NAME_SIZE, (uint16_t)name);
	store_be32(p + SNAP_DATE_S, s->date_s);
	store_be32(p + SNAP_DATE_NS, s->date_ns);
	store_be64(p + SNAP_VM_CLOCK, s->vm_clock_ns);
	store_be32(p + SNAP_VM_STATE, s->vm_state_size <= UINT32_MAX ?
		   (uint32_t)s->vm_state_size : 0);
	store_be32(p + SNAP_EXTRA_SIZE, EXTRA_BYTES + s->extra_size);
	store_be64(x + EXTRA_VM_STATE, s->vm_state_size);
	store_be64(x + EXTRA_DISK_SIZE, s->disk_size);
	store_be64(x + EXTRA_ICOUNT, s->icount);
	if (s->extra_size)
		memcpy(rest, s->extra, s->extra_size);
	memcpy(rest + s->extra_size, s->id, id);
	memcpy(rest + s->extra_size + id, s->name, name);
}

static int write_list(struct qcow2 *q, uint64_t at, uint64_t len)
{
	uint8_t field[12], *all = calloc(1, len ? len : 1), *p = all;
	int rc = all ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < q->snapshot_count && !rc; i++) {
		put_entry(&q->snapshots[i], p);
		p += entry_bytes(&q->snapshots[i]);
	}
	if (!rc)
		rc = file_write(q->file, at, all, len);
	if (!rc)
		rc = tables_flush(q);
	store_be32(field, q->snapshot_count);
	store_be64(field + 4, at);
	if (!rc)
		rc = header_put(q, HDR_NB_SNAPSHOTS, field, sizeof(field));
	free(all);
	return rc;
}

/* The list as it is in memory, to a new place; durable. */
static int save_list(struct qcow2 *q)
{
	uint64_t old_at = q->snapshots_offset, old_len = q->snapshots_bytes;
	uint64_t len = 0, at = 0;
	int rc = 0;

	for (uint32_t i = 0; i < q->snapshot_count; i++)
		len += entry_bytes(&q->snapshots[i]);
	if (len > MAX_SNAPSHOT_BYTES)
		return -EFBIG;
	if (len)
		rc = clusters_alloc(q, clusters_of(q, len), &at, NULL);
	if (!rc)
		rc = write_list(q, at, len);
	if (rc)
		return rc;
	q->snapshots_offset = at;
	q->snapshots_bytes = len;
	return old_len ? free_later(q, old_at, old_len) : 0;
}

/* ---- a tree of tables ---- */

struct walk {
	int by;
	uint64_t steps;		/* ranges changed so far */
	uint64_t limit;		/* stop before more than these */
};

static int walk_range(struct qcow2 *q, struct walk *w, uint64_t at,
		      uint64_t len)
{
	int rc = w->steps == w->limit ? -ECANCELED :
		refcount_add(q, at, len, w->by);

	w->steps += !rc;
	return rc;
}

static int walk_entry(struct qcow2 *q, struct walk *w,
		      const struct l2_entry *l)
{
	uint64_t at, len;

	switch (entry_kind(q, l)) {
	case CLUSTER_NONE:
	case CLUSTER_ZERO:
		return 0;
	case CLUSTER_ZERO_KEPT:
	case CLUSTER_DATA:
		if (l->entry & OFFSET_MASK & (q->cluster_size - 1))
			return corrupt(q, "cluster", l->entry);
		return q->data ? 0 : walk_range(q, w, l->entry & OFFSET_MASK,
						q->cluster_size);
	case CLUSTER_PACKED:
		packed_range(q, l->entry, &at, &len);
		return walk_range(q, w, at, len);
	}
	return -EIO;
}

static int walk_table(struct qcow2 *q, struct walk *w, uint64_t table)
{
	uint8_t *page;
	int rc = 0;

	for (uint64_t at = 0; at < q->cluster_size && !rc;
	     at += q->page_size) {
		rc = table_cache_get(q->l2, table + at, &page);
		for (uint32_t i = 0; i < q->page_size && !rc;
		     i += q->entry_size) {
			struct l2_entry l;

			l2_load(q, page + i, &l);
			rc = walk_entry(q, w, &l);
		}
	}
	return rc ? rc : walk_range(q, w, table, q->cluster_size);
}

static int walk_tree(struct qcow2 *q, const uint64_t *l1, uint32_t n,
		     struct walk *w)
{
	int rc = 0;

	for (uint32_t i = 0; i < n && !rc; i++) {
		uint64_t table = l1[i] & OFFSET_MASK;

		if (table & (q->cluster_size - 1))
			rc = corrupt(q, "L2 table", table);
		else if (table)
			rc = walk_table(q, w, table);
	}
	return rc;
}

/* Up is all or nothing: refcounts have few bits sometimes. */
static int add_tree(struct qcow2 *q, const uint64_t *l1, uint32_t n, int by)
{
	struct walk w = { .by = by, .limit = UINT64_MAX };
	int rc = walk_tree(q, l1, n, &w);

	if (rc && by > 0) {
		struct walk back = { .by = -1, .limit = w.steps };

		(void)walk_tree(q, l1, n, &back);	/* else: leaks */
	}
	return rc;
}

/* ---- COPIED flags ---- */

static int refresh_flag(struct qcow2 *q, uint64_t entry, uint64_t *out)
{
	uint64_t v;
	int rc = refcount_get(q, (entry & OFFSET_MASK) >> q->cluster_bits, &v);

	*out = v == 1 ? entry | OFLAG_COPIED : entry & ~OFLAG_COPIED;
	return rc;
}

static int refresh_entry(struct qcow2 *q, uint8_t *page, uint8_t *p)
{
	struct l2_entry l;
	enum cluster_kind k;
	uint64_t was;
	int rc;

	l2_load(q, p, &l);
	k = entry_kind(q, &l);
	if (q->data || (k != CLUSTER_DATA && k != CLUSTER_ZERO_KEPT))
		return 0;
	was = l.entry;
	rc = refresh_flag(q, was, &l.entry);
	if (rc || was == l.entry)
		return rc;
	l2_store(q, p, &l);
	table_cache_mark(q->l2, page);
	return 0;
}

static int refresh_table(struct qcow2 *q, uint64_t table)
{
	uint8_t *page;
	int rc = 0;

	for (uint64_t at = 0; at < q->cluster_size && !rc;
	     at += q->page_size) {
		rc = table_cache_get(q->l2, table + at, &page);
		for (uint32_t i = 0; i < q->page_size && !rc;
		     i += q->entry_size)
			rc = refresh_entry(q, page, page + i);
	}
	return rc;
}

int copied_refresh(struct qcow2 *q)
{
	int rc = 0;

	for (uint32_t i = 0; i < q->l1_size && !rc; i++) {
		uint64_t was = q->l1[i];

		if (!(was & OFFSET_MASK))
			continue;
		/* A table's own flags first: shared tables are not ours. */
		rc = refresh_table(q, was & OFFSET_MASK);
		if (!rc)
			rc = refresh_flag(q, was, &q->l1[i]);
		if (was != q->l1[i]) {
			if (i < q->l1_from)
				q->l1_from = i;
			if (i + 1 > q->l1_to)
				q->l1_to = i + 1;
		}
	}
	return rc;
}

/* ---- create ---- */

/* The L1 table without flags, in clusters of its own. */
static int copy_l1(struct qcow2 *q, struct snapshot *s)
{
	uint64_t bytes = q->l1_size * 8ull, *copy;
	int rc;

	s->l1_size = q->l1_size;
	if (!bytes)
		return 0;
	rc = clusters_alloc(q, clusters_of(q, bytes), &s->l1_offset, NULL);
	if (rc)
		return rc;
	copy = malloc(bytes);
	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < q->l1_size; i++)
		copy[i] = q->l1[i] & OFFSET_MASK;
	rc = table_write(q, s->l1_offset, copy, 0, q->l1_size);
	free(copy);
	return rc;
}

static void name_it(struct qcow2 *q, struct snapshot *s, const char *name)
{
	unsigned long last = 0;
	struct timespec now;

	for (uint32_t i = 0; i < q->snapshot_count; i++) {
		unsigned long id = strtoul(q->snapshots[i].id, NULL, 10);

		last = id > last ? id : last;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	s->id = xasprintf("%lu", last + 1);
	s->name = xstrdup(name);
	s->date_s = (uint32_t)now.tv_sec;
	s->date_ns = (uint32_t)now.tv_nsec;
	s->disk_size = q->size;
	s->icount = 0;		/* as qemu-img does for a disk alone */
}

int qcow2_snapshot_create(struct image *im, const char *name, struct err *e)
{
	struct qcow2 *q = im->priv;
	struct snapshot s = { 0 };
	int rc;

	if (q->snapshot_count >= MAX_SNAPSHOTS)
		return fail(e, EFBIG, "qcow2: %u snapshots are the limit",
			    MAX_SNAPSHOTS);
	if (strlen(name) > UINT16_MAX)
		return fail(e, EINVAL, "qcow2: a name of %zu bytes",
			    strlen(name));
	if (q->data)
		return fail(e, ENOTSUP, "qcow2: no snapshots with an external "
			    "data file");
	rc = may_change(q);
	if (!rc)
		rc = tables_flush(q);
	if (!rc)
		rc = add_tree(q, q->l1, q->l1_size, 1);
	if (!rc)
		rc = copied_refresh(q);
	if (!rc)
		rc = copy_l1(q, &s);
	if (!rc)
		rc = tables_flush(q);
	if (rc)
		return said(e, rc, "make the snapshot");
	name_it(q, &s, name);
	q->snapshots = xrealloc(q->snapshots, (q->snapshot_count + 1ull) *
				sizeof(s));
	q->snapshots[q->snapshot_count++] = s;
	rc = save_list(q);
	if (rc)
		snapshot_free(&q->snapshots[--q->snapshot_count]);
	return said(e, rc, "write the list of snapshots");
}

/* ---- apply ---- */

/* The active L1 table becomes `l1` (n entries), on disk too. */
static int l1_replace(struct qcow2 *q, const uint64_t *l1, uint32_t n)
{
	for (uint32_t i = 0; i < q->l1_size; i++)
		q->l1[i] = i < n ? l1[i] & OFFSET_MASK : 0;
	q->l1_from = 0;
	q->l1_to = q->l1_size;
	return tables_flush(q);
}

static int switch_tree(struct qcow2 *q, const uint64_t *l1, uint32_t n)
{
	uint64_t *old = malloc(q->l1_size * 8ull + 8);
	int rc = old ? 0 : -ENOMEM;

	if (!rc)
		rc = add_tree(q, l1, n, 1);
	if (!rc)
		rc = tables_flush(q);
	if (!rc) {
		memcpy(old, q->l1, q->l1_size * 8ull);
		rc = l1_replace(q, l1, n);
	}
	if (!rc)
		rc = add_tree(q, old, q->l1_size, -1);
	if (!rc)
		rc = copied_refresh(q);
	if (!rc)
		rc = tables_flush(q);
	free(old);
	return rc;
}

int qcow2_snapshot_apply(struct image *im, const char *which, struct err *e)
{
	struct qcow2 *q = im->priv;
	struct snapshot *s = find(q, which, e);
	uint8_t field[8];
	uint64_t *l1;
	int rc;

	if (!s)
		return -ENOENT;
	rc = l1_grow(q, s->l1_size > l1_needed(q, s->disk_size) ?
		     s->l1_size : l1_needed(q, s->disk_size), e);
	if (rc)
		return rc;
	rc = may_change(q);
	if (!rc)
		rc = tables_flush(q);
	if (!rc)
		rc = table_read(q, s->l1_offset, s->l1_size, &l1);
	if (rc)
		return said(e, rc, "read the snapshot");
	rc = switch_tree(q, l1, s->l1_size);
	free(l1);
	if (!rc && s->disk_size != q->size) {
		store_be64(field, s->disk_size);
		rc = header_put(q, HDR_SIZE, field, sizeof(field));
		if (!rc) {
			q->size = s->disk_size;
			im->size = s->disk_size;
		}
	}
	return said(e, rc, "go to the snapshot");
}

/* ---- delete, load ---- */

int qcow2_snapshot_delete(struct image *im, const char *which, struct err *e)
{
	struct qcow2 *q = im->priv;
	struct snapshot *s = find(q, which, e), gone;
	uint64_t *l1;
	int rc;

	if (!s)
		return -ENOENT;
	rc = may_change(q);
	if (!rc)
		rc = tables_flush(q);
	if (!rc)
		rc = table_read(q, s->l1_offset, s->l1_size, &l1);
	if (rc)
		return said(e, rc, "read the snapshot");
	gone = *s;
	q->snapshot_count--;
	memmove(s, s + 1, (size_t)(&q->snapshots[q->snapshot_count] - s) *
		sizeof(*s));
	rc = save_list(q);
	if (!rc)
		rc = add_tree(q, l1, gone.l1_size, -1);
	if (!rc && gone.l1_size)
		rc = refcount_add(q, gone.l1_offset, gone.l1_size * 8ull, -1);
	if (!rc)
		rc = copied_refresh(q);
	if (!rc)
		rc = tables_flush(q);
	free(l1);
	snapshot_free(&gone);
	return said(e, rc, "delete the snapshot");
}

int qcow2_snapshot_load(struct image *im, const char *which, struct err *e)
{
	struct qcow2 *q = im->priv;
	struct snapshot *s = find(q, which, e);
	uint64_t *l1;
	int rc;

	if (!s)
		return -ENOENT;
	if (l1_needed(q, s->disk_size) > s->l1_size || s->disk_size > INT64_MAX)
		return fail(e, EINVAL, "qcow2: the snapshot's L1 table is too "
			    "small for its %llu bytes",
			    (unsigned long long)s->disk_size);
	rc = table_read(q, s->l1_offset, s->l1_size, &l1);
	if (rc)
		return said(e, rc, "read the snapshot");
	free(q->l1);
	q->l1 = l1;
	q->l1_size = s->l1_size;
	q->size = s->disk_size;
	im->size = s->disk_size;
	return 0;
}
