/* block/format/qcow2/qcow2.c - the format qcow2: open, close, and its table of
 * operations.
 *
 * Versions 2 and 3.  Recognised and refused when written to, or when data are
 * wanted: encryption.  Persistent bitmaps are kept as they are and, because we
 * do not keep them up to date, marked as stale once the image is written.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "block/format/formats.h"
#include "block/format/qcow2/qcow2.h"

#define PAGE_MAX	(16u << 10)
#define REFS_BYTES	(4u << 20)

static int qcow2_probe(const uint8_t *head, size_t len, const char *name)
{
	uint32_t version;

	if (len < 8 || load_be32(head) != QCOW2_MAGIC)
		return 0;
	version = load_be32(head + 4);
	return version == 2 || version == 3 ? 100 : 0;
}

/* ---- open ---- */

static int open_tables(struct qcow2 *q, struct err *e)
{
	int rc;

	q->page_size = q->cluster_size < PAGE_MAX ? q->cluster_size : PAGE_MAX;
	q->l2 = table_cache_new(q->file, q->page_size, TABLE_CACHE_BYTES,
				tables_clean_l2, q);
	q->refs = table_cache_new(q->file, q->page_size, REFS_BYTES,
				  tables_clean_refs, q);
	q->l1_from = q->reftable_from = UINT32_MAX;
	rc = table_read(q, q->l1_offset, q->l1_size, &q->l1);
	if (rc)
		return fail(e, -rc, "qcow2: cannot read the L1 table: %s",
			    strerror(-rc));
	rc = table_read(q, q->reftable_offset, q->reftable_size,
			&q->reftable);
	if (rc)
		return fail(e, -rc, "qcow2: cannot read the refcount table: "
			    "%s", strerror(-rc));
	return snapshots_read(q, e);
}

/* The guest's data may be in a file of their own. */
static int open_data_file(struct qcow2 *q, struct err *e)
{
	char *path;
	int rc;

	if (!(q->incompatible & INCOMPAT_DATA_FILE))
		return 0;
	if (!q->data_name)
		return fail(e, EINVAL, "qcow2: the external data file has no "
			    "name");
	path = image_resolve_name(q->file->name, q->data_name);
	rc = file_open(&q->data, path, q->im->flags, e);
	if (!rc)
		rc = file_lock(q->data, false, e);
	if (rc)
		err_prefix(e, "external data file");
	free(path);
	return rc;
}

/* An image that was not closed: its refcounts are counted anew. */
static int repair_dirty(struct qcow2 *q, struct err *e)
{
	struct image_check c = { 0 };
	int rc = qcow2_check(q->im, FIX_LEAKS | FIX_ERRORS, &c, e);

	if (!rc && c.corruptions)
		rc = fail(e, EIO, "qcow2: %llu errors could not be repaired",
			  (unsigned long long)c.corruptions);
	return rc;
}

static int open_for_writing(struct qcow2 *q, struct err *e)
{
	uint8_t field[8];
	int rc = 0;

	if (q->crypt)
		return fail(e, ENOTSUP, "qcow2: encrypted images cannot be "
			    "written");
	if (q->im->flags & IMAGE_CHECK)
		return 0;
	if (q->incompatible & INCOMPAT_CORRUPT)
		return fail(e, EROFS, "qcow2: the image is marked corrupt: it "
			    "can be read, or repaired, not written");
	if (q->incompatible & INCOMPAT_DIRTY)
		rc = repair_dirty(q, e);
	if (!rc && q->autoclear & ~(uint64_t)AUTOCLEAR_KEPT) {
		q->autoclear &= AUTOCLEAR_KEPT;
		store_be64(field, q->autoclear);
		rc = header_put(q, HDR_AUTOCLEAR, field, sizeof(field));
		if (rc)
			(void)fail(e, -rc, "qcow2: cannot write the header: "
				   "%s", strerror(-rc));
	}
	return rc;
}

static int qcow2_open(struct image *im, struct err *e)
{
	struct qcow2 *q = xcalloc(1, sizeof(*q));
	int rc;

	im->priv = q;
	q->im = im;
	q->file = im->file;
	rc = header_read(q, e);
	if (!rc)
		rc = open_tables(q, e);
	if (!rc)
		rc = open_data_file(q, e);
	if (rc)
		return rc;
	im->size = q->size;
	im->cluster = q->cluster_size;
	q->ready = true;
	if (im->writable)
		rc = open_for_writing(q, e);
	q->ready = !rc;
	return rc;
}

/* ---- close ---- */

/* Whole sectors: packed data are read by sectors. */
static int round_size(struct qcow2 *q)
{
	uint64_t size = q->file->size;

	return size & 511 ? file_resize(q->file, (size + 511) & ~511ull,
					PREALLOC_OFF, NULL) : 0;
}

static int write_back(struct qcow2 *q)
{
	int rc;

	if (!q->ready || !q->im->writable || q->broken)
		return 0;
	rc = tables_flush(q);
	/* Those freed by that, and with lazy refcounts all of them. */
	if (!rc)
		rc = tables_clean_refs(q);
	if (!rc)
		rc = round_size(q);
	if (!rc && q->lazy)
		rc = file_flush(q->file);
	if (!rc && q->lazy)
		rc = header_incompatible(q, 0, INCOMPAT_DIRTY);
	return rc;
}

static void free_extensions(struct qcow2 *q)
{
	while (q->extensions) {
		struct extension *x = q->extensions;

		q->extensions = x->next;
		free(x->data);
		free(x);
	}
}

static int qcow2_close(struct image *im)
{
	struct qcow2 *q = im->priv;
	int rc = write_back(q);

	table_cache_free(q->l2);
	table_cache_free(q->refs);
	file_close(q->data);
	snapshots_free(q);
	free_extensions(q);
	free(q->l1);
	free(q->reftable);
	free(q->freed);
	free(q->data_name);
	free(q);
	im->priv = NULL;
	return rc;
}

static int qcow2_flush(struct image *im)
{
	return tables_flush(im->priv);
}

/* ---- info ---- */

static void snapshot_info(const struct qcow2 *q, struct image_info *info)
{
	if (!q->snapshot_count)
		return;
	info->snapshots = xcalloc(q->snapshot_count,
				  sizeof(info->snapshots[0]));
	info->snapshot_count = q->snapshot_count;
	for (uint32_t i = 0; i < q->snapshot_count; i++) {
		const struct snapshot *s = &q->snapshots[i];

		info->snapshots[i] = (struct image_snapshot){
			.id = xstrdup(s->id), .name = xstrdup(s->name),
			.vm_state_size = s->vm_state_size,
			.disk_size = s->disk_size, .date_s = s->date_s,
			.date_ns = s->date_ns, .vm_clock_ns = s->vm_clock_ns,
			.icount = s->icount,
		};
	}
}

int qcow2_info(struct image *im, struct image_info *info, struct err *e)
{
	const struct qcow2 *q = im->priv;
	struct image_fact *d = fact_dict(NULL, NULL);

	info->specific = d;
	info->specific_type = "qcow2";
	info->encrypted = q->crypt;
	info->dirty = q->incompatible & INCOMPAT_DIRTY;
	fact_text(d, "compat", q->version == 2 ? "0.10" : "1.1");
	fact_text(d, "compression-type",
		  q->compression == COMPRESSION_ZSTD ? "zstd" : "zlib");
	if (q->version > 2)
		fact_bool(d, "lazy-refcounts",
			  q->compatible & COMPAT_LAZY_REFCOUNTS);
	fact_number(d, "refcount-bits", 1u << q->refcount_order);
	if (q->version > 2) {
		fact_bool(d, "corrupt", q->incompatible & INCOMPAT_CORRUPT);
		fact_bool(d, "extended-l2", has_subclusters(q));
	}
	if (q->data_name) {
		fact_text(d, "data-file", q->data_name);
		fact_bool(d, "data-file-raw",
			  q->autoclear & AUTOCLEAR_DATA_FILE_RAW);
	}
	if (q->crypt)
		fact_text(fact_dict(d, "encrypt"), "format",
			  q->crypt == 1 ? "aes" : "luks");
	snapshot_info(q, info);
	return 0;
}

const struct image_format qcow2_format = {
	.name = "qcow2", .zero_init = true, .probe = qcow2_probe,
	.open = qcow2_open, .close = qcow2_close, .map = qcow2_map,
	.decode = qcow2_decode, .allocate = qcow2_allocate,
	.link = qcow2_link, .unlink = qcow2_unlink, .zero = qcow2_zero,
	.discard = qcow2_discard, .flush = qcow2_flush,
	.encode = qcow2_encode, .allocate_packed = qcow2_allocate_packed,
	.resize = qcow2_resize, .create = qcow2_create,
	.create_options = qcow2_options,
	.amend_options = qcow2_amend_options, .measure = qcow2_measure,
	.info = qcow2_info, .check = qcow2_check,
	.snapshot_create = qcow2_snapshot_create,
	.snapshot_apply = qcow2_snapshot_apply,
	.snapshot_delete = qcow2_snapshot_delete,
	.snapshot_load = qcow2_snapshot_load,
	.set_backing = qcow2_set_backing, .make_empty = qcow2_make_empty,
	.amend = qcow2_amend,
};
