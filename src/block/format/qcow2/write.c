/* block/format/qcow2/write.c - reserve, link, zero and discard.
 *
 * A cluster that is this image's alone keeps its place; all others get a new
 * one, and the old one's refcount falls after the table that no longer names it
 * is down.  An L2 entry is always replaced before what it held is given up.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "block/format/qcow2/qcow2.h"

/* What a reservation is, in reserve.note; above it the packed length. */
enum { NOTE_KEPT, NOTE_NEW, NOTE_PACKED };
#define NOTE_BITS	2

int may_change(struct qcow2 *q)
{
	int rc;

	if (q->broken)
		return -EIO;
	if (!(q->compatible & COMPAT_LAZY_REFCOUNTS) || q->lazy)
		return 0;
	rc = header_incompatible(q, INCOMPAT_DIRTY, 0);
	q->lazy = !rc;
	return rc;
}

/* ---- subclusters ---- */

static uint64_t sub_down(const struct qcow2 *q, uint64_t v)
{
	return v & ~((1ull << subcluster_bits(q)) - 1);
}

static uint64_t sub_up(const struct qcow2 *q, uint64_t v)
{
	return sub_down(q, v + (1ull << subcluster_bits(q)) - 1);
}

/* Bits of the subclusters of the cluster at c that start to end cover. */
static uint64_t sub_mask(const struct qcow2 *q, uint64_t c, uint64_t start,
			 uint64_t end)
{
	unsigned from, to;

	start = start > c ? start - c : 0;
	end = end < c + q->cluster_size ? end - c : q->cluster_size;
	from = (unsigned)(start >> subcluster_bits(q));
	to = (unsigned)(end >> subcluster_bits(q));
	return (1ull << to) - (1ull << from);
}

/* ---- reserve ---- */

static bool holds_nothing(const struct qcow2 *q, const struct l2_entry *l)
{
	enum cluster_kind k = entry_kind(q, l);

	return k == CLUSTER_NONE || k == CLUSTER_ZERO;
}

static bool is_owned(const struct qcow2 *q, const struct l2_entry *l)
{
	enum cluster_kind k = entry_kind(q, l);

	return (k == CLUSTER_DATA || k == CLUSTER_ZERO_KEPT) &&
	       l->entry & OFLAG_COPIED;
}

/* Clusters from `start` on that want a new place in the same way. */
static int count_new(struct qcow2 *q, uint64_t start, uint64_t end,
		     const struct l2_entry *first, uint64_t *n)
{
	uint64_t table = 1ull << (q->cluster_bits + q->l2_bits);
	bool nothing = holds_nothing(q, first);
	struct l2_entry l;
	int rc = 0;

	for (*n = 1; !rc; ++*n) {
		uint64_t c = start + (*n << q->cluster_bits);

		if (c >= end || !(c & (table - 1)))
			break;
		/* What a subclustered cluster holds is copied whole. */
		if (has_subclusters(q) && !nothing)
			break;
		rc = l2_get(q, c, &l);
		if (rc || is_owned(q, &l) || holds_nothing(q, &l) != nothing)
			break;
	}
	return rc;
}

static int reserve_new(struct qcow2 *q, uint64_t offset, uint64_t len,
		       const struct l2_entry *l, struct reserve *r)
{
	uint64_t start = cluster_down(q, offset), end = offset + len;
	uint64_t size = q->file->size, n, at, got;
	int rc = count_new(q, start, end, l, &n);

	if (rc)
		return rc;
	if (q->data) {
		size = q->data->size;
		at = start;
		got = n;
	} else {
		rc = clusters_alloc(q, n, &at, &got);
	}
	if (rc)
		return rc;
	r->start = start;
	r->end = start + (got << q->cluster_bits);
	if (has_subclusters(q) && holds_nothing(q, l)) {
		r->start = sub_down(q, offset);
		if (sub_up(q, end) < r->end)
			r->end = sub_up(q, end);
	}
	r->at = at + (r->start - start);
	r->zeroed = at >= size;
	r->note = NOTE_NEW;
	return 0;
}

/* In the cluster's own place: subclusters not written yet, or zeroes kept. */
static int reserve_kept(struct qcow2 *q, uint64_t offset, uint64_t len,
			const struct l2_entry *l, struct reserve *r)
{
	uint64_t start = cluster_down(q, offset);
	uint64_t end = start + q->cluster_size;

	r->start = sub_down(q, offset);
	r->end = sub_up(q, offset + len) < end ? sub_up(q, offset + len) : end;
	r->at = (l->entry & OFFSET_MASK) + (r->start - start);
	r->note = NOTE_KEPT;
	return 0;
}

int qcow2_allocate(struct image *im, uint64_t offset, uint64_t len,
		   struct reserve *r)
{
	struct qcow2 *q = im->priv;
	struct l2_entry l;
	int rc = may_change(q);

	if (!rc)
		rc = l2_own(q, offset);
	if (!rc)
		rc = l2_get(q, offset, &l);
	if (rc)
		return rc;
	r->file = q->data ? q->data : q->file;
	return is_owned(q, &l) ? reserve_kept(q, offset, len, &l, r) :
		reserve_new(q, offset, len, &l, r);
}

int qcow2_allocate_packed(struct image *im, uint64_t offset, size_t packed,
			  struct reserve *r)
{
	struct qcow2 *q = im->priv;
	int rc = may_change(q);

	if (!rc)
		rc = l2_own(q, offset);
	if (!rc)
		rc = bytes_alloc(q, packed, &r->at);
	r->start = offset;
	r->end = offset + q->cluster_size;
	r->note = NOTE_PACKED | (uint64_t)packed << NOTE_BITS;
	return rc;
}

void qcow2_unlink(struct image *im, const struct reserve *r)
{
	struct qcow2 *q = im->priv;
	unsigned note = r->note & ((1u << NOTE_BITS) - 1);
	uint64_t at = cluster_down(q, r->at);

	/* Nothing ever named these; what fails here is a leak. */
	if (note == NOTE_PACKED)
		(void)refcount_add(q, r->at, r->note >> NOTE_BITS, -1);
	else if (note == NOTE_NEW && !q->data)
		(void)refcount_add(q, at, cluster_up(q, r->at + r->end -
						     r->start) - at, -1);
}

/* ---- link ---- */

static int replace(struct qcow2 *q, uint64_t offset,
		   const struct l2_entry *old, const struct l2_entry *new)
{
	int rc;

	if (old->entry == new->entry && old->bitmap == new->bitmap)
		return 0;
	rc = l2_set(q, offset, new);
	if (rc || (!(old->entry & OFLAG_COMPRESSED) &&
		   !(new->entry & OFLAG_COMPRESSED) &&
		   !((old->entry ^ new->entry) & OFFSET_MASK)))
		return rc;
	return entry_free(q, old);
}

static int link_packed(struct qcow2 *q, const struct reserve *r)
{
	unsigned shift = 62 - (q->cluster_bits - 8);
	uint64_t len = r->note >> NOTE_BITS, sectors;
	struct l2_entry old, new = { 0 };
	int rc = l2_get(q, r->start, &old);

	if (rc)
		return rc;
	sectors = (r->at + len - 1) / 512 - r->at / 512;
	new.entry = OFLAG_COMPRESSED | sectors << shift | r->at;
	return replace(q, r->start, &old, &new);
}

static int link_cluster(struct qcow2 *q, const struct reserve *r, uint64_t c)
{
	uint64_t host = cluster_down(q, r->at) +
		(c - cluster_down(q, r->start));
	uint64_t mask;
	struct l2_entry old, new;
	int rc = l2_get(q, c, &old);

	if (rc)
		return rc;
	new = (struct l2_entry){ .entry = host | OFLAG_COPIED };
	if (has_subclusters(q)) {
		mask = sub_mask(q, c, r->start, r->end);
		if (!(old.entry & OFLAG_COMPRESSED))
			new.bitmap = old.bitmap;
		new.bitmap = (new.bitmap & ~(mask << 32)) | mask;
	}
	return replace(q, c, &old, &new);
}

int qcow2_link(struct image *im, const struct reserve *r)
{
	struct qcow2 *q = im->priv;
	int rc = 0;

	if ((r->note & ((1u << NOTE_BITS) - 1)) == NOTE_PACKED)
		return link_packed(q, r);
	for (uint64_t c = cluster_down(q, r->start); c < r->end && !rc;
	     c += q->cluster_size)
		rc = link_cluster(q, r, c);
	return rc;
}

/* ---- zero and discard ---- */

#define ALL_ZERO	(0xffffffffull << 32)

/* The entry that makes a cluster read as zeroes. */
static void zero_entry(struct qcow2 *q, struct l2_entry *l, bool unmap)
{
	enum cluster_kind k = entry_kind(q, l);

	if (k == CLUSTER_PACKED || unmap)
		l->entry = 0;
	if (has_subclusters(q))
		l->bitmap = ALL_ZERO;
	else
		l->entry |= OFLAG_ZERO;
}

/* One that holds nothing, and still hides what is below. */
static void discard_entry(struct qcow2 *q, struct l2_entry *l)
{
	enum cluster_kind k = entry_kind(q, l);

	if (k == CLUSTER_ZERO)
		return;
	if (k == CLUSTER_NONE && !q->im->backing_name)
		return;
	*l = (struct l2_entry){ 0 };
	if (has_subclusters(q))
		l->bitmap = ALL_ZERO;
	else if (q->version > 2)
		l->entry = OFLAG_ZERO;
}

/* Bytes from offset on for which there is no table, so nothing to change. */
static uint64_t tableless(struct qcow2 *q, uint64_t offset)
{
	unsigned bits = q->cluster_bits + q->l2_bits;
	uint64_t i = offset >> bits;

	if (q->im->backing_name || q->im->below ||
	    (i < q->l1_size && q->l1[i] & OFFSET_MASK))
		return 0;
	return ((i + 1) << bits) - offset;
}

static int each_cluster(struct qcow2 *q, uint64_t offset, uint64_t len,
			bool discard, bool unmap)
{
	uint64_t end = offset + len, skip;
	struct l2_entry old, new;
	int rc = may_change(q);

	while (offset < end && !rc) {
		skip = tableless(q, offset);
		if (skip) {
			offset += skip;
			continue;
		}
		rc = l2_get(q, offset, &old);
		new = old;
		if (discard)
			discard_entry(q, &new);
		else
			zero_entry(q, &new, unmap);
		if (!rc)
			rc = replace(q, offset, &old, &new);
		offset += q->cluster_size;
	}
	return rc;
}

int qcow2_zero(struct image *im, uint64_t offset, uint64_t len, unsigned req)
{
	struct qcow2 *q = im->priv;

	if (q->version == 2 || q->data)
		return -ENOTSUP;
	return each_cluster(q, offset, len, false, req & IMAGE_MAY_UNMAP);
}

int qcow2_discard(struct image *im, uint64_t offset, uint64_t len)
{
	struct qcow2 *q = im->priv;

	/* Version 2 has no way to hide what is below; and discards are only
	 * advice. */
	if (q->data || (q->version == 2 && im->backing_name))
		return 0;
	return each_cluster(q, offset, len, true, true);
}
