/* block/format/qcow2/refcount.c - how often each host cluster is used, and which
 * are free.
 *
 * A refcount block that is not there counts as a block of zeroes.  When one is
 * needed it is put at the first of the clusters it counts, which is free as all
 * of them are.  A run that is longer than what one block counts, and a refcount
 * table that has to grow, get fresh clusters past all that is counted so far:
 *
 *   | blocks for all of this | new refcount table, or the run |
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "block/format/qcow2/qcow2.h"

#define REFTABLE_MASK	(~511ull)

uint64_t refcount_max(const struct qcow2 *q)
{
	return q->refcount_order == 6 ? UINT64_MAX :
		(1ull << (1u << q->refcount_order)) - 1;
}

/* ---- numbers of 1 to 64 bits ---- */

static uint64_t number_get(const uint8_t *p, unsigned order, uint64_t i)
{
	unsigned bits = 1u << order;

	switch (order) {
	case 6:
		return load_be64(p + i * 8);
	case 5:
		return load_be32(p + i * 4);
	case 4:
		return load_be16(p + i * 2);
	case 3:
		return p[i];
	default:	/* the first of a byte is its lowest */
		return p[i * bits / 8] >> (i * bits % 8) & ((1u << bits) - 1);
	}
}

static void number_set(uint8_t *p, unsigned order, uint64_t i, uint64_t v)
{
	unsigned bits = 1u << order, mask, shift;

	switch (order) {
	case 6:
		store_be64(p + i * 8, v);
		return;
	case 5:
		store_be32(p + i * 4, (uint32_t)v);
		return;
	case 4:
		store_be16(p + i * 2, (uint16_t)v);
		return;
	case 3:
		p[i] = (uint8_t)v;
		return;
	default:
		shift = i * bits % 8;
		mask = ((1u << bits) - 1) << shift;
		p += i * bits / 8;
		*p = (uint8_t)((*p & ~mask) | (unsigned)v << shift);
	}
}

/* ---- blocks ---- */

static uint64_t block_entries(const struct qcow2 *q)
{
	return 1ull << q->block_bits;
}

static void reftable_put(struct qcow2 *q, uint64_t i, uint64_t at)
{
	q->reftable[i] = at;
	if (i < q->reftable_from)
		q->reftable_from = (uint32_t)i;
	if (i + 1 > q->reftable_to)
		q->reftable_to = (uint32_t)i + 1;
}

/* The page with a cluster's count, and the count's place in it; *page is NULL
 * where there is no block. */
static int find_page(struct qcow2 *q, uint64_t cluster, uint8_t **page,
		     uint64_t *slot)
{
	uint64_t i = cluster >> q->block_bits, at, byte, inside;

	*page = NULL;
	if (i >= q->reftable_size)
		return 0;
	at = q->reftable[i] & REFTABLE_MASK;
	if (!at || at >= MAX_HOST)	/* nothing can be there */
		return 0;
	if (at & (q->cluster_size - 1))
		return corrupt(q, "refcount block", at);
	inside = cluster & (block_entries(q) - 1);
	byte = (inside << q->refcount_order) / 8;
	byte &= ~(uint64_t)(q->page_size - 1);
	*slot = inside - (byte * 8 >> q->refcount_order);
	return table_cache_get(q->refs, at + byte, page);
}

/* A block of zeroes in cluster `where`. */
static int block_make(struct qcow2 *q, uint64_t i, uint64_t where)
{
	uint64_t at = where << q->cluster_bits;
	uint8_t *page;
	int rc = 0;

	for (uint64_t p = 0; p < q->cluster_size && !rc; p += q->page_size)
		rc = table_cache_make(q->refs, at + p, &page);
	if (!rc)
		reftable_put(q, i, at);
	return rc;
}

int refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *v)
{
	uint64_t slot;
	uint8_t *page;
	int rc = find_page(q, cluster, &page, &slot);

	*v = !rc && page ? number_get(page, q->refcount_order, slot) : 0;
	return rc;
}

static int put(struct qcow2 *q, uint64_t cluster, uint64_t v)
{
	uint64_t slot;
	uint8_t *page;
	int rc = find_page(q, cluster, &page, &slot);

	if (rc)
		return rc;
	if (!page)
		return corrupt(q, "cluster without refcount block", cluster);
	number_set(page, q->refcount_order, slot, v);
	table_cache_mark(q->refs, page);
	return 0;
}

/* ---- fresh clusters past everything ---- */

/* Where nothing is counted yet. */
static uint64_t first_block_free(const struct qcow2 *q)
{
	uint64_t i = q->reftable_size;

	while (i && !(q->reftable[i - 1] & REFTABLE_MASK))
		i--;
	return i;
}

/* Blocks that count themselves and n clusters more. */
static uint64_t blocks_for(const struct qcow2 *q, uint64_t n)
{
	uint64_t e = block_entries(q), k = (n + e - 1) / e;

	while (k * e < k + n)
		k++;
	return k;
}

static int blocks_make(struct qcow2 *q, uint64_t first, uint64_t k, uint64_t n)
{
	uint64_t start = first << q->block_bits;
	int rc = 0;

	for (uint64_t i = 0; i < k && !rc; i++)
		rc = block_make(q, first + i, start + i);
	for (uint64_t i = 0; i < k + n && !rc; i++)
		rc = put(q, start + i, 1);
	return rc;
}

/* The table in memory goes to `at`, and the header names that. */
static int reftable_switch(struct qcow2 *q, uint64_t old_bytes, uint64_t at)
{
	uint64_t old_at = q->reftable_offset;
	uint32_t size = q->reftable_size;
	uint8_t field[12];
	int rc;

	rc = table_cache_write(q->refs);
	if (!rc)
		rc = table_write(q, at, q->reftable, 0, size);
	if (!rc)
		rc = file_flush(q->file);
	store_be64(field, at);
	store_be32(field + 8, (uint32_t)clusters_of(q, size * 8ull));
	if (!rc)
		rc = header_put(q, HDR_REFTABLE_OFFSET, field, sizeof(field));
	if (rc)
		return rc;
	q->reftable_offset = at;
	q->reftable_from = UINT32_MAX;
	q->reftable_to = 0;
	return free_later(q, old_at, old_bytes);
}

static int reftable_grow(struct qcow2 *q, uint64_t entries)
{
	uint64_t first = first_block_free(q), m, k, size, where;
	uint64_t *grown, *old = q->reftable;
	uint32_t was = q->reftable_size;
	int rc;

	size = q->reftable_size + q->reftable_size / 2ull;
	if (size < entries)
		size = entries;
	do {
		m = clusters_of(q, size * 8);
		k = blocks_for(q, m);
		size += first + k > size ? k : 0;
	} while (first + k > size || clusters_of(q, size * 8) != m);
	size = (m << q->cluster_bits) / 8;
	if (size * 8 > MAX_REFTABLE_BYTES)
		return -EFBIG;
	grown = calloc(size, 8);
	if (!grown)
		return -ENOMEM;
	memcpy(grown, old, was * 8ull);
	where = ((first << q->block_bits) + k) << q->cluster_bits;
	q->reftable = grown;
	q->reftable_size = (uint32_t)size;
	rc = blocks_make(q, first, k, m);
	if (!rc)
		rc = reftable_switch(q, was * 8ull, where);
	free(old);
	return rc;
}

/* n clusters in a row where no block counts yet. */
static int fresh_alloc(struct qcow2 *q, uint64_t n, uint64_t *at)
{
	uint64_t first = first_block_free(q), k = blocks_for(q, n);
	int rc;

	while (first + k > q->reftable_size) {
		rc = reftable_grow(q, first + k + 1);
		if (rc)
			return rc;
		first = first_block_free(q);	/* the table took some */
	}
	if ((first + k) << q->block_bits > MAX_HOST >> q->cluster_bits)
		return -EFBIG;
	rc = blocks_make(q, first, k, n);
	*at = ((first << q->block_bits) + k) << q->cluster_bits;
	return rc;
}

/* ---- change counts ---- */

/* The host may have the storage back, if we are asked to care. */
static void give_back(struct qcow2 *q, uint64_t first, uint64_t n)
{
	if (n && q->im->flags & IMAGE_UNMAP)
		(void)file_discard(q->file, first << q->cluster_bits,
				   n << q->cluster_bits);	/* advice */
}

static int add_one(struct qcow2 *q, uint64_t cluster, int by, bool *free_now)
{
	uint64_t v;
	int rc = refcount_get(q, cluster, &v);

	if (rc)
		return rc;
	if (by < 0 && !v)
		return corrupt(q, "refcount below zero", cluster);
	if (by > 0 && v == refcount_max(q))
		return -E2BIG;
	v += (uint64_t)(int64_t)by;
	*free_now = !v;
	if (!v && cluster < q->free_hint)
		q->free_hint = cluster;
	if (!v && q->packed_at >> q->cluster_bits == cluster)
		q->packed_at = 0;
	return put(q, cluster, v);
}

static int fall(struct qcow2 *q, uint64_t c, uint64_t end)
{
	uint64_t gone = 0;
	int rc = 0;

	for (; c < end && !rc; c++) {
		bool free_now = false;

		rc = add_one(q, c, -1, &free_now);
		if (free_now && !rc) {
			gone++;
			continue;
		}
		give_back(q, c - gone, gone);
		gone = 0;
	}
	give_back(q, c - gone, gone);
	return rc;
}

int refcount_add(struct qcow2 *q, uint64_t at, uint64_t len, int by)
{
	uint64_t first = at >> q->cluster_bits, c = first;
	uint64_t end = clusters_of(q, at + len);
	bool unused;
	int rc = 0;

	if (by < 0)
		return fall(q, first, end);
	for (; c < end && !rc; c++)
		rc = add_one(q, c, 1, &unused);
	if (rc)
		(void)fall(q, first, c - 1);	/* the first error counts */
	return rc;
}

/* ---- find free clusters ---- */

/* The header and the tables in memory are never free, whatever a damaged
 * image counts. */
static bool is_table(const struct qcow2 *q, uint64_t at, uint64_t len)
{
	uint64_t end = at + len;

	return at < q->cluster_size ||
	       (at < q->l1_offset + q->l1_size * 8ull && q->l1_offset < end) ||
	       (at < q->reftable_offset + q->reftable_size * 8ull &&
		q->reftable_offset < end);
}

/* Free clusters from c on, at most n, inside one page of counts. */
static int free_run(struct qcow2 *q, uint64_t c, uint64_t n, uint64_t *run)
{
	uint64_t slot, slots = (q->page_size * 8ull) >> q->refcount_order;
	uint8_t *page;
	int rc = find_page(q, c, &page, &slot);

	*run = 0;
	if (rc || !page)
		return rc;
	while (*run < n && slot + *run < slots &&
	       !number_get(page, q->refcount_order, slot + *run))
		++*run;
	return 0;
}

/* Make sure that cluster c is counted by a block. */
static int need_block(struct qcow2 *q, uint64_t c)
{
	uint64_t i = c >> q->block_bits, home;
	int rc;

	if (c >= MAX_HOST >> q->cluster_bits)
		return -EFBIG;
	if (i >= q->reftable_size) {
		rc = reftable_grow(q, i + 1);
		if (rc)
			return rc;
	}
	if (q->reftable[i] & REFTABLE_MASK)
		return 0;
	home = i << q->block_bits;
	if (is_table(q, home << q->cluster_bits, q->cluster_size))
		return corrupt(q, "no refcount block for", home);
	rc = block_make(q, i, home);
	return rc ? rc : put(q, home, 1);
}

int refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t v)
{
	int rc = v ? need_block(q, cluster) : 0;

	return rc ? rc : put(q, cluster, v);
}

static int take(struct qcow2 *q, uint64_t c, uint64_t n)
{
	int rc = 0;

	if (is_table(q, c << q->cluster_bits, n << q->cluster_bits))
		return corrupt(q, "tables counted as free", c);
	for (uint64_t i = 0; i < n && !rc; i++)
		rc = put(q, c + i, 1);
	return rc;
}

/* From the lowest free cluster on; the run ends where it must. */
static int find_run(struct qcow2 *q, uint64_t n, bool all, uint64_t *first,
		    uint64_t *got)
{
	uint64_t c = q->free_hint, run = 0, more;
	bool lowest = true;
	int rc;

	for (;;) {
		rc = need_block(q, c + run);
		if (!rc)
			rc = free_run(q, c + run, n - run, &more);
		if (rc)
			return rc;
		run += more;
		if (run && lowest) {
			q->free_hint = c;
			lowest = false;
		}
		if (run == n || (run && !all && !more))
			break;
		if (more)	/* the next page may go on */
			continue;
		c += run + 1;
		run = 0;
	}
	*first = c;
	*got = run;
	return 0;
}

int clusters_alloc(struct qcow2 *q, uint64_t n, uint64_t *at, uint64_t *got)
{
	uint64_t c, run;
	int rc;

	if (!got && n > block_entries(q) / 2)
		return fresh_alloc(q, n, at);
	rc = find_run(q, n, !got, &c, &run);
	if (!rc)
		rc = take(q, c, run);
	if (rc)
		return rc;
	if (q->free_hint == c)
		q->free_hint = c + run;
	*at = c << q->cluster_bits;
	if (got)
		*got = run;
	return 0;
}

/* Can the cluster being filled take len bytes, of which it has `left`?  Then
 * what is needed of its neighbour is taken, and its own count has risen. */
static int share(struct qcow2 *q, uint64_t c, uint64_t left, uint64_t len,
		 bool *can)
{
	uint64_t v = 0, next = 0;
	int rc = refcount_get(q, c, &v);

	*can = false;
	if (rc || !v || v == refcount_max(q))
		return rc;
	if (left < len) {
		rc = need_block(q, c + 1);
		if (!rc)
			rc = refcount_get(q, c + 1, &next);
		if (rc || next)
			return rc;
		rc = take(q, c + 1, 1);
	}
	if (!rc)
		rc = put(q, c, v + 1);
	*can = !rc;
	return rc;
}

int bytes_alloc(struct qcow2 *q, uint64_t len, uint64_t *at)
{
	uint64_t c = q->packed_at >> q->cluster_bits;
	bool can = false;
	int rc = 0;

	if (q->packed_at)
		rc = share(q, c, ((c + 1) << q->cluster_bits) - q->packed_at,
			   len, &can);
	if (!rc && !can)
		rc = clusters_alloc(q, 1, &q->packed_at, NULL);
	if (rc)
		return rc;
	*at = q->packed_at;
	q->packed_at += len;
	if (!(q->packed_at & (q->cluster_size - 1)))
		q->packed_at = 0;
	return 0;
}
