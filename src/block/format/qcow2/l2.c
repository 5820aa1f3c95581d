/* block/format/qcow2/l2.c - entries of L2 tables, found, read and replaced.
 *
 *   entry      63 copied | 62 compressed | 55-9 host offset | 0 zero
 *   packed     63 0 | 62 1 | 61-x sectors more than one | x-1..0 host byte,
 *              x = 62 - (cluster_bits - 8)
 *   extended   a second word: 63-32 subcluster reads as zeroes | 31-0 allocated
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "block/format/qcow2/qcow2.h"

#define SECTOR		512u

void l2_load(const struct qcow2 *q, const uint8_t *p, struct l2_entry *l)
{
	l->entry = load_be64(p);
	l->bitmap = q->entry_size == 16 ? load_be64(p + 8) : 0;
}

void l2_store(const struct qcow2 *q, uint8_t *p, const struct l2_entry *l)
{
	store_be64(p, l->entry);
	if (q->entry_size == 16)
		store_be64(p + 8, l->bitmap);
}

enum cluster_kind entry_kind(const struct qcow2 *q, const struct l2_entry *l)
{
	uint64_t host = l->entry & OFFSET_MASK;

	if (l->entry & OFLAG_COMPRESSED)
		return CLUSTER_PACKED;
	/* In an external data file the place is known without an offset. */
	if (q->data && l->entry & OFLAG_COPIED)
		host = MAX_HOST;
	if (l->entry & OFLAG_ZERO && !has_subclusters(q))
		return host ? CLUSTER_ZERO_KEPT : CLUSTER_ZERO;
	return host ? CLUSTER_DATA : CLUSTER_NONE;
}

void packed_range(const struct qcow2 *q, uint64_t entry, uint64_t *at,
		  uint64_t *len)
{
	unsigned shift = 62 - (q->cluster_bits - 8);
	uint64_t sectors = (entry >> shift &
			    ((1ull << (q->cluster_bits - 8)) - 1)) + 1;

	*at = entry & ((1ull << shift) - 1);
	*len = sectors * SECTOR - (*at & (SECTOR - 1));
}

/* ---- find ---- */

static uint64_t l1_index(const struct qcow2 *q, uint64_t offset)
{
	return offset >> (q->cluster_bits + q->l2_bits);
}

/* File offset of the entry in the table at `table`. */
static uint64_t entry_at(const struct qcow2 *q, uint64_t table,
			 uint64_t offset)
{
	uint64_t i = offset >> q->cluster_bits & ((1ull << q->l2_bits) - 1);

	return table + i * q->entry_size;
}

static int find(struct qcow2 *q, uint64_t offset, uint8_t **page, uint8_t **p)
{
	uint64_t i = l1_index(q, offset), table, at;
	int rc;

	*p = NULL;
	table = i < q->l1_size ? q->l1[i] & OFFSET_MASK : 0;
	if (!table)
		return 0;
	if (table & (q->cluster_size - 1))
		return corrupt(q, "L2 table", table);
	at = entry_at(q, table, offset);
	rc = table_cache_get(q->l2, at & ~(uint64_t)(q->page_size - 1), page);
	if (!rc)
		*p = *page + (at & (q->page_size - 1));
	return rc;
}

int l2_get(struct qcow2 *q, uint64_t offset, struct l2_entry *l)
{
	uint8_t *page, *p;
	int rc = find(q, offset, &page, &p);

	*l = (struct l2_entry){ 0 };
	if (rc || !p)
		return rc;
	l2_load(q, p, l);
	if (l->entry & OFLAG_COMPRESSED)
		return 0;
	if (l->entry & OFFSET_MASK & (q->cluster_size - 1))
		return corrupt(q, "cluster", l->entry);
	if (q->version == 2 && l->entry & OFLAG_ZERO)
		return corrupt(q, "zero flag in version 2", l->entry);
	if (l->bitmap >> 32 & l->bitmap)
		return corrupt(q, "subclusters", l->entry);
	return 0;
}

/* ---- change ---- */

static void l1_put(struct qcow2 *q, uint64_t i, uint64_t entry)
{
	q->l1[i] = entry;
	if (i < q->l1_from)
		q->l1_from = (uint32_t)i;
	if (i + 1 > q->l1_to)
		q->l1_to = (uint32_t)i + 1;
}

/* Pages of a new table at `at`: those of the table at `from`, or zeroes. */
static int table_make(struct qcow2 *q, uint64_t at, uint64_t from)
{
	uint8_t *old, *page;
	int rc = 0;

	for (uint64_t n = 0; n < q->cluster_size && !rc; n += q->page_size) {
		rc = table_cache_make(q->l2, at + n, &page);
		if (!rc && from)
			rc = table_cache_get(q->l2, from + n, &old);
		if (!rc && from)
			memcpy(page, old, q->page_size);
	}
	return rc;
}

int l2_own(struct qcow2 *q, uint64_t offset)
{
	uint64_t i = l1_index(q, offset), old, at;
	int rc;

	if (i >= q->l1_size)
		return -EFBIG;
	old = q->l1[i] & OFFSET_MASK;
	if (old & (q->cluster_size - 1))
		return corrupt(q, "L2 table", old);
	if (old && q->l1[i] & OFLAG_COPIED)
		return 0;
	rc = clusters_alloc(q, 1, &at, NULL);
	if (rc)
		return rc;
	rc = table_make(q, at, old);
	if (rc) {
		table_cache_drop(q->l2, at, q->cluster_size);
		(void)refcount_add(q, at, q->cluster_size, -1);
		return rc;	/* the first error counts */
	}
	l1_put(q, i, at | OFLAG_COPIED);
	return old ? free_later(q, old, q->cluster_size) : 0;
}

int l2_set(struct qcow2 *q, uint64_t offset, const struct l2_entry *l)
{
	uint8_t *page, *p;
	int rc = l2_own(q, offset);

	if (!rc)
		rc = find(q, offset, &page, &p);
	if (rc)
		return rc;
	l2_store(q, p, l);
	table_cache_mark(q->l2, page);
	return 0;
}

int entry_free(struct qcow2 *q, const struct l2_entry *l)
{
	uint64_t at, len;

	switch (entry_kind(q, l)) {
	case CLUSTER_NONE:
	case CLUSTER_ZERO:
		return 0;
	case CLUSTER_ZERO_KEPT:
	case CLUSTER_DATA:
		return q->data ? 0 : free_later(q, l->entry & OFFSET_MASK,
						q->cluster_size);
	case CLUSTER_PACKED:
		packed_range(q, l->entry, &at, &len);
		return free_later(q, at, len);
	}
	return -EIO;
}
