/* block/format/qcow2/tables.c - in which order the tables reach the disk.
 *
 *   1  refcount blocks               (they only ever say more than is used)
 *   2  refcount table, if it changed                          after a flush
 *   3  L2 tables                                              after a flush
 *   4  L1 table, if it changed                                after a flush
 *   5  flush; now what was given up is named by nobody:
 *      its refcounts fall, in memory, and reach the disk with the next 1
 *
 * The flush before 3 also puts the guest's data down before the entries that
 * point at it.  With lazy refcounts, step 1 waits for close: until then the
 * dirty bit in the header tells the next one to count anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "block/format/qcow2/qcow2.h"

#define MAX_FREED	16384u	/* ranges that wait; then we flush ourselves */

int table_read(struct qcow2 *q, uint64_t at, uint32_t n, uint64_t **out)
{
	uint64_t *t = calloc(n ? n : 1, sizeof(t[0]));
	int rc;

	if (!t)
		return -ENOMEM;
	rc = file_read(q->file, at, t, n * sizeof(t[0]));
	if (rc) {
		free(t);
		return rc;
	}
	for (uint32_t i = 0; i < n; i++)
		t[i] = load_be64(&t[i]);
	*out = t;
	return 0;
}

int table_write(struct qcow2 *q, uint64_t at, const uint64_t *table,
		uint32_t from, uint32_t to)
{
	uint8_t *bytes;
	int rc;

	if (from >= to)
		return 0;
	bytes = malloc((to - from) * 8ull);
	if (!bytes)
		return -ENOMEM;
	for (uint32_t i = from; i < to; i++)
		store_be64(bytes + (i - from) * 8ull, table[i]);
	rc = file_write(q->file, at + from * 8ull, bytes, (to - from) * 8ull);
	free(bytes);
	return rc;
}

static int write_refs(struct qcow2 *q)
{
	int rc = table_cache_write(q->refs);

	if (rc || q->reftable_from >= q->reftable_to)
		return rc;
	rc = file_flush(q->file);
	if (!rc)
		rc = table_write(q, q->reftable_offset, q->reftable,
				 q->reftable_from, q->reftable_to);
	if (!rc) {
		q->reftable_from = UINT32_MAX;
		q->reftable_to = 0;
	}
	return rc;
}

static int write_l1(struct qcow2 *q)
{
	int rc;

	if (q->l1_from >= q->l1_to)
		return 0;
	rc = file_flush(q->file);
	if (!rc)
		rc = table_write(q, q->l1_offset, q->l1, q->l1_from, q->l1_to);
	if (!rc) {
		q->l1_from = UINT32_MAX;
		q->l1_to = 0;
	}
	return rc;
}

static int flush_data(struct qcow2 *q)
{
	int rc = q->data ? file_flush(q->data) : 0;

	return rc ? rc : file_flush(q->file);
}

int tables_clean_refs(void *ctx)
{
	return write_refs(ctx);
}

int tables_clean_l2(void *ctx)
{
	struct qcow2 *q = ctx;
	int rc = q->lazy ? 0 : write_refs(q);

	if (!rc)
		rc = flush_data(q);
	return rc ? rc : table_cache_write(q->l2);
}

/* Step 5: nothing on disk names these any more. */
static int free_now(struct qcow2 *q)
{
	int rc = 0;

	for (size_t i = 0; i < q->freed_count && !rc; i++)
		rc = refcount_add(q, q->freed[i].at, q->freed[i].len, -1);
	q->freed_count = 0;
	return rc;
}

int tables_flush(struct qcow2 *q)
{
	int rc = 0;

	if (q->broken)
		return -EIO;
	if (table_cache_dirty(q->l2) || q->l1_from < q->l1_to)
		rc = tables_clean_l2(q);
	else if (!q->lazy)
		rc = write_refs(q);
	if (!rc)
		rc = write_l1(q);
	if (!rc)
		rc = flush_data(q);
	return rc ? rc : free_now(q);
}

int free_later(struct qcow2 *q, uint64_t at, uint64_t len)
{
	struct freed *last = q->freed_count ? &q->freed[q->freed_count - 1] :
		NULL;
	int rc;

	/* Whole clusters in a row are one range; packed data may share one. */
	if (last && last->at + last->len == at &&
	    !((at | len | last->at) & (q->cluster_size - 1))) {
		last->len += len;
		return 0;
	}
	if (q->freed_count == MAX_FREED) {
		rc = tables_flush(q);
		if (rc)
			return rc;
	}
	if (q->freed_count == q->freed_room) {
		q->freed_room = q->freed_room ? q->freed_room * 2 : 64;
		q->freed = xrealloc(q->freed,
				    q->freed_room * sizeof(q->freed[0]));
	}
	q->freed[q->freed_count++] = (struct freed){ at, len };
	return 0;
}
