/* block/format/qcow2/resize.c - change an image as a whole: its size, what it
 * stands on, its options.
 *
 * A new L1 table is written to a new place before the header names it.  Less
 * disk: the clusters past the new end are given up first, then the header says
 * so.  A crash between leaves a disk of the old size with zeroes at its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "block/format/qcow2/qcow2.h"

static int said(struct err *e, int rc, const char *what)
{
	return rc ? fail(e, -rc, "qcow2: cannot %s: %s", what, strerror(-rc)) :
		0;
}

/* ---- the L1 table ---- */

static int l1_switch(struct qcow2 *q, uint64_t *table, uint32_t n, uint64_t at)
{
	uint8_t field[12];
	int rc = tables_flush(q);

	if (!rc)
		rc = table_write(q, at, table, 0, n);
	if (!rc)
		rc = file_flush(q->file);
	store_be32(field, n);
	store_be64(field + 4, at);
	return rc ? rc : header_put(q, HDR_L1_SIZE, field, sizeof(field));
}

int l1_grow(struct qcow2 *q, uint64_t n, struct err *e)
{
	uint64_t old_at = q->l1_offset, old_len = q->l1_size * 8ull, at;
	uint64_t *table;
	int rc;

	if (n <= q->l1_size)
		return 0;
	if (n * 8 > MAX_L1_BYTES)
		return fail(e, EFBIG, "qcow2: an L1 table of %llu bytes, and "
			    "the limit is %llu", (unsigned long long)n * 8,
			    MAX_L1_BYTES);
	table = calloc(n, 8);
	if (!table)
		return said(e, -ENOMEM, "hold the L1 table");
	memcpy(table, q->l1, old_len);
	rc = clusters_alloc(q, clusters_of(q, n * 8), &at, NULL);
	if (!rc)
		rc = l1_switch(q, table, (uint32_t)n, at);
	if (rc) {
		free(table);
		return said(e, rc, "grow the L1 table");
	}
	free(q->l1);
	q->l1 = table;
	q->l1_size = (uint32_t)n;
	q->l1_offset = at;
	rc = old_len ? free_later(q, old_at, old_len) : 0;
	return said(e, rc, "free the old L1 table");
}

/* ---- size ---- */

/* Give every cluster of a range its place. */
static int preallocate(struct image *im, uint64_t from, uint64_t to)
{
	struct qcow2 *q = im->priv;
	uint64_t end = 0;
	int rc = 0;

	while (from < to && !rc) {
		struct reserve r = { .file = q->file };
		struct extent x = { .len = to - from };

		rc = qcow2_map(im, from, &x);
		if (!rc && x.kind == EXTENT_DATA) {
			from += x.len;
			continue;
		}
		if (!rc)
			rc = qcow2_allocate(im, from, to - from, &r);
		/* Clusters used before still hold what was in them. */
		if (!rc && !r.zeroed)
			rc = file_zero(r.file, r.at, r.end - r.start, false);
		if (!rc)
			rc = qcow2_link(im, &r);
		from = r.end;
		end = r.at + (r.end - r.start);
	}
	/* Clusters past the file's end would look like damage. */
	if (!rc && !q->data && end > q->file->size)
		rc = file_resize(q->file, end, PREALLOC_OFF, NULL);
	return rc;
}

/* Everything from `from` on is in no cluster any more. */
static int drop(struct qcow2 *q, uint64_t from)
{
	const struct l2_entry none = { 0 };
	uint64_t table = 1ull << (q->cluster_bits + q->l2_bits);
	struct l2_entry old;
	int rc = 0;

	for (uint64_t at = from; at < q->im->size && !rc;
	     at += q->cluster_size) {
		if (!(q->l1[at / table] & OFFSET_MASK)) {
			at = (at / table + 1) * table - q->cluster_size;
			continue;
		}
		rc = l2_get(q, at, &old);
		if (rc || !(old.entry | old.bitmap))
			continue;
		rc = l2_set(q, at, &none);
		if (!rc)
			rc = entry_free(q, &old);
	}
	return rc;
}

static int write_size(struct qcow2 *q, uint64_t size)
{
	uint8_t field[8];
	int rc;

	store_be64(field, size);
	rc = header_put(q, HDR_SIZE, field, sizeof(field));
	if (!rc) {
		q->size = size;
		q->im->size = size;
	}
	return rc;
}

static int shrink(struct qcow2 *q, uint64_t size)
{
	int rc = drop(q, cluster_up(q, size));

	if (!rc)
		rc = tables_flush(q);
	return rc ? rc : write_size(q, size);
}

int qcow2_resize(struct image *im, uint64_t size, enum image_prealloc how,
		 struct err *e)
{
	struct qcow2 *q = im->priv;
	uint64_t old = im->size;
	int rc;

	if (size & 511)
		return fail(e, EINVAL, "qcow2: size %llu is no multiple of "
			    "512", (unsigned long long)size);
	if (q->version == 2 && q->snapshot_count)
		return fail(e, ENOTSUP, "qcow2: a version 2 image with "
			    "snapshots keeps its size");
	if (q->bitmaps)
		return fail(e, ENOTSUP, "qcow2: an image with bitmaps keeps "
			    "its size");
	rc = may_change(q);
	if (rc)
		return said(e, rc, "resize");
	if (size < old)
		return said(e, shrink(q, size), "shrink");
	rc = l1_grow(q, l1_needed(q, size), e);
	if (rc)
		return rc;
	rc = write_size(q, size);
	if (!rc && q->data && q->data->size < size)
		rc = file_resize(q->data, size, PREALLOC_OFF, NULL);
	if (!rc && how > PREALLOC_METADATA)
		rc = file_resize(q->data ? q->data : q->file, q->file->size +
				 cluster_up(q, size - old), how, NULL);
	if (!rc && how)
		rc = preallocate(im, how == PREALLOC_METADATA && old == size ?
				 0 : old, size);
	return said(e, rc, "grow");
}

int qcow2_make_empty(struct image *im, struct err *e)
{
	struct qcow2 *q = im->priv;
	int rc = may_change(q);

	if (!rc)
		rc = drop(q, 0);
	if (!rc)
		rc = tables_flush(q);
	return said(e, rc, "empty the image");
}

/* ---- the header ---- */

static int rewrite_header(struct qcow2 *q, struct err *e)
{
	int rc = said(e, tables_flush(q), "flush");

	if (!rc)
		rc = header_write(q, e);
	if (!rc)
		rc = said(e, file_flush(q->file), "flush");
	return rc;
}

int qcow2_set_backing(struct image *im, const char *name, const char *format,
		      struct err *e)
{
	char *old_name = im->backing_name, *old_format = im->backing_format;
	struct qcow2 *q = im->priv;
	int rc;

	if (name && q->autoclear & AUTOCLEAR_DATA_FILE_RAW)
		return fail(e, EINVAL, "qcow2: a raw data file and a backing "
			    "file exclude each other");
	im->backing_name = (char *)(uintptr_t)name;
	im->backing_format = (char *)(uintptr_t)(name ? format : NULL);
	rc = rewrite_header(q, e);
	im->backing_name = old_name;	/* core sets them when all went well */
	im->backing_format = old_format;
	return rc;
}

const struct image_option qcow2_amend_options[] = {
	{ "backing_file", "name of the image below", OPTION_STRING, NULL },
	{ "backing_fmt", "format of the image below", OPTION_STRING, NULL },
	{ "compat", "version: v2 [0.10] or v3 [1.1]", OPTION_STRING, NULL },
	{ "lazy_refcounts", "count anew after a crash", OPTION_BOOL, NULL },
	{ "size", "bytes of the disk", OPTION_SIZE, NULL },
	{ NULL, NULL, 0, NULL },
};

/* Up is free of conditions; down, only what version 2 can say. */
static int amend_compat(struct qcow2 *q, const char *compat, struct err *e)
{
	bool v3 = !strcmp(compat, "1.1") || !strcmp(compat, "v3");

	if (!v3 && strcmp(compat, "0.10") && strcmp(compat, "v2"))
		return fail(e, EINVAL, "compat '%s' is neither 0.10 nor 1.1",
			    compat);
	if (v3 == (q->version == 3))
		return 0;
	if (!v3)
		return fail(e, ENOTSUP, "qcow2: amending to compat 0.10 is "
			    "not supported");
	q->version = 3;
	q->header_length = HDR_LENGTH_NOW;
	return rewrite_header(q, e);
}

static int amend_lazy(struct qcow2 *q, bool lazy, struct err *e)
{
	int rc;

	if (lazy && q->version == 2)
		return fail(e, EINVAL, "qcow2: lazy_refcounts needs compat "
			    "1.1 or higher");
	if (!lazy && q->lazy) {
		rc = tables_flush(q);
		if (!rc)
			rc = tables_clean_refs(q);
		if (!rc)
			rc = file_flush(q->file);
		if (!rc)
			rc = header_incompatible(q, 0, INCOMPAT_DIRTY);
		if (rc)
			return said(e, rc, "write the refcounts");
		q->lazy = false;
	}
	q->compatible &= ~(uint64_t)COMPAT_LAZY_REFCOUNTS;
	if (lazy)
		q->compatible |= COMPAT_LAZY_REFCOUNTS;
	return rewrite_header(q, e);
}

int qcow2_amend(struct image *im, struct optstr *opts, struct err *e)
{
	const char *compat = optstr_get(opts, "compat");
	const char *backing = optstr_get(opts, "backing_file");
	const char *format = optstr_get(opts, "backing_fmt");
	struct qcow2 *q = im->priv;
	uint64_t size = im->size;
	bool lazy = q->compatible & COMPAT_LAZY_REFCOUNTS, was = lazy;
	int rc = optstr_bool(opts, "lazy_refcounts", &lazy, e);

	if (!rc)
		rc = optstr_size(opts, "size", 1, &size, e);
	if (!rc && compat)
		rc = amend_compat(q, compat, e);
	if (!rc && lazy != was)
		rc = amend_lazy(q, lazy, e);
	if (!rc && (backing || format))
		rc = image_set_backing(im, backing ? backing :
				       im->backing_name, format ? format :
				       im->backing_format, e);
	if (!rc && size != im->size)
		rc = image_resize(im, size, PREALLOC_OFF, e);
	return rc;
}
