/* block/format/qed.c - QEMU Enhanced Disk.
 *
 *   0  header, one or more clusters; the name of the image below is in it
 *   l1 one table of L2 tables' offsets
 *      L2 tables of clusters' offsets, and clusters, in any order
 *
 * All is little-endian.  All tables have one size, 1 to 16 clusters.  Space is
 * taken at the end of the file and never given back.
 *
 * QED was made with a flag "need check", set while tables may be behind the
 * data.  Written as here they never are: data are durable before L2 entries,
 * and L2 tables before L1 entries.  So the flag is never set; an image found
 * with it is repaired when it is opened for writing.
 *
 * Source: QED Image File Format, specification as published with QEMU
 * (docs/interop/qed_spec.txt).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/formats.h"
#include "block/format/qed.h"
#include "block/format/sector_table.h"

#define PAGE		4096u		/* no cluster is smaller */
#define L1_LIMIT	(1u << 20)
#define L2_LIMIT	(TABLE_CACHE_BYTES / 2)

static int qed_probe(const uint8_t *head, size_t len, const char *name)
{
	(void)name;
	return len >= QED_HEADER_BYTES && !memcmp(head, "QED", 4) ? 100 : 0;
}

/* ---- tables ---- */

int qed_entry(struct table_cache *c, uint64_t at, uint64_t *out)
{
	uint8_t *page;
	int rc = table_cache_get(c, at & ~(uint64_t)(PAGE - 1), &page);

	*out = rc ? 0 : load_le64(page + at % PAGE);
	return rc;
}

int qed_set_entry(struct table_cache *c, uint64_t at, uint64_t v)
{
	uint8_t *page;
	int rc = table_cache_get(c, at & ~(uint64_t)(PAGE - 1), &page);

	if (rc)
		return rc;
	store_le64(page + at % PAGE, v);
	table_cache_mark(c, page);
	return 0;
}

bool qed_offset_ok(const struct image *im, uint64_t at, uint64_t n)
{
	const struct qed *q = im->priv;
	uint64_t size = im->file->size;

	return !(at & (q->cluster - 1)) && at >= q->header && at < size &&
	       n <= size - at;
}

int qed_flush(struct image *im)
{
	struct qed *q = im->priv;
	int rc = table_cache_dirty(q->l2_cache) ?
		sector_fill_to(im->file, q->next) : 0;

	rc = rc ? rc : file_flush(im->file);
	if (!rc && table_cache_dirty(q->l2_cache)) {
		rc = table_cache_write(q->l2_cache);
		rc = rc ? rc : file_flush(im->file);
	}
	if (!rc && table_cache_dirty(q->l1_cache)) {
		rc = table_cache_write(q->l1_cache);
		rc = rc ? rc : file_flush(im->file);
	}
	return rc;
}

static int clean(void *ctx)
{
	return qed_flush(ctx);
}

/* The L2 entry for a guest offset; *at 0: there is no L2 table. */
static int l2_place(struct image *im, uint64_t offset, uint64_t *at)
{
	struct qed *q = im->priv;
	uint64_t n = offset / q->cluster, l2;
	int rc = qed_entry(q->l1_cache, q->l1 + n / q->entries *
			   QED_ENTRY_BYTES, &l2);

	*at = l2 ? l2 + n % q->entries * QED_ENTRY_BYTES : 0;
	if (!rc && l2 && !qed_offset_ok(im, l2, q->table))
		rc = -EIO;
	return rc;
}

/* ---- open ---- */

static int open_backing(struct image *im, const struct qed *q, struct err *e)
{
	uint64_t features = load_le64(q->head + Q_FEATURES);
	uint32_t at = load_le32(q->head + Q_NAME_AT);
	uint32_t len = load_le32(q->head + Q_NAME_LEN);
	char name[QED_NAME_MAX + 1];
	int rc;

	if (!(features & QED_HAS_BACKING))
		return 0;
	if (!len || len > QED_NAME_MAX || at < QED_HEADER_BYTES ||
	    (uint64_t)at + len > q->header)
		return fail(e, EINVAL, "qed: backing file name of %u bytes at "
			    "%u is not in the header", len, at);
	rc = sector_read(im->file, at, name, len, e);
	if (rc)
		return rc;
	name[len] = '\0';
	im->backing_name = xstrdup(name);
	if (features & QED_BACKING_IS_RAW)
		im->backing_format = xstrdup("raw");
	return 0;
}

static int check_header(struct image *im, struct qed *q, struct err *e)
{
	uint64_t features = load_le64(q->head + Q_FEATURES);
	uint64_t cluster = load_le32(q->head + Q_CLUSTER);
	uint64_t size = load_le64(q->head + Q_SIZE), clusters;
	int rc;

	if (memcmp(q->head, "QED", 4))
		return fail(e, EINVAL, "qed: there is no QED header");
	if (features & ~(uint64_t)QED_FEATURES)
		return fail(e, ENOTSUP, "qed: features 0x%llx are unknown",
			    (unsigned long long)(features &
						 ~(uint64_t)QED_FEATURES));
	rc = qed_check_sizes(size, cluster, load_le32(q->head + Q_TABLE), e);
	if (rc)
		return rc;
	clusters = load_le32(q->head + Q_HEADER);
	q->cluster = (uint32_t)cluster;
	q->table = load_le32(q->head + Q_TABLE) * cluster;
	q->entries = q->table / QED_ENTRY_BYTES;
	q->header = clusters * cluster;
	q->l1 = load_le64(q->head + Q_L1);
	if (!clusters || q->header > INT32_MAX)
		return fail(e, EINVAL, "qed: header of %llu clusters",
			    (unsigned long long)clusters);
	if (!qed_offset_ok(im, q->l1, q->table))
		return fail(e, EINVAL, "qed: L1 table of %llu bytes at %llu "
			    "is not inside the file",
			    (unsigned long long)q->table,
			    (unsigned long long)q->l1);
	im->size = size;
	return 0;
}

int qed_write_header(struct image *im)
{
	struct qed *q = im->priv;
	int rc = file_write(im->file, 0, q->head, sizeof(q->head));

	return rc ? rc : file_flush(im->file);
}

/* What a program that was killed left: only for writing it matters. */
static int repair(struct image *im, struct err *e)
{
	const struct qed *q = im->priv;
	struct image_check c = { 0 };

	if (!im->writable || im->flags & IMAGE_CHECK ||
	    !(load_le64(q->head + Q_FEATURES) & QED_NEED_CHECK))
		return 0;
	return qed_check(im, FIX_ERRORS, &c, e);
}

static int qed_open(struct image *im, struct err *e)
{
	struct qed *q = xcalloc(1, sizeof(*q));
	int rc;

	im->priv = q;
	rc = sector_read(im->file, 0, q->head, sizeof(q->head), e);
	if (!rc)
		rc = check_header(im, q, e);
	if (!rc)
		rc = open_backing(im, q, e);
	if (rc)
		return rc;
	im->cluster = q->cluster;
	q->next = sector_round_up(im->file->size, q->cluster);
	q->l1_cache = table_cache_new(im->file, PAGE, L1_LIMIT, clean, im);
	q->l2_cache = table_cache_new(im->file, PAGE, L2_LIMIT, clean, im);
	if (im->writable && load_le64(q->head + Q_AUTOCLEAR)) {
		store_le64(q->head + Q_AUTOCLEAR, 0);
		rc = qed_write_header(im);
		if (rc)
			return fail(e, -rc, "qed: cannot write the header");
	}
	return repair(im, e);
}

static int qed_close(struct image *im)
{
	struct qed *q = im->priv;
	int rc = im->writable && q->l2_cache ? qed_flush(im) : 0;

	table_cache_free(q->l1_cache);
	table_cache_free(q->l2_cache);
	free(q);
	return rc;
}

/* ---- map ---- */

/* Entries behind the one at `at`, in its page, that go on alike. */
static uint64_t run(const struct qed *q, const uint8_t *page, uint64_t at,
		    uint64_t entry, uint64_t want)
{
	uint64_t len = q->cluster, step = entry > QED_ZERO ? q->cluster : 0;

	for (at = at % PAGE + QED_ENTRY_BYTES; at < PAGE && len < want;
	     at += QED_ENTRY_BYTES, len += q->cluster) {
		entry += step;
		if (load_le64(page + at) != entry)
			break;
	}
	return len;
}

static int qed_map(struct image *im, uint64_t offset, struct extent *x)
{
	struct qed *q = im->priv;
	uint64_t at, entry, inside = offset % q->cluster;
	uint8_t *page;
	int rc = l2_place(im, offset, &at);

	if (rc)
		return rc;
	if (!at) {
		uint64_t span = q->entries * q->cluster;

		x->kind = EXTENT_BELOW;
		x->len = span - offset % span;
		return 0;
	}
	rc = table_cache_get(q->l2_cache, at & ~(uint64_t)(PAGE - 1), &page);
	if (rc)
		return rc;
	entry = load_le64(page + at % PAGE);
	x->len = run(q, page, at, entry, x->len + inside) - inside;
	if (entry <= QED_ZERO) {
		x->kind = entry ? EXTENT_ZERO : EXTENT_BELOW;
		return 0;
	}
	if (!qed_offset_ok(im, entry, 1))
		return -EIO;
	x->kind = EXTENT_DATA;
	x->in_place = true;
	x->at = entry + inside;
	return 0;
}

/* ---- allocate ---- */

static int take(struct qed *q, uint64_t len, uint64_t *at)
{
	if (q->next > INT64_MAX - len)
		return -EFBIG;
	*at = q->next;
	q->next += len;
	return 0;
}

static int qed_allocate(struct image *im, uint64_t offset, uint64_t len,
			struct reserve *r)
{
	struct qed *q = im->priv;
	int rc;

	(void)len;
	rc = take(q, q->cluster, &r->at);
	if (rc)
		return rc;
	r->start = offset - offset % q->cluster;
	r->end = r->start + q->cluster;
	r->zeroed = r->at >= im->file->size;
	return 0;
}

static void qed_unlink(struct image *im, const struct reserve *r)
{
	struct qed *q = im->priv;

	if (r->at + q->cluster == q->next)
		q->next = r->at;
}

static int new_l2(struct image *im, uint64_t offset)
{
	struct qed *q = im->priv;
	uint64_t at;
	int rc = take(q, q->table, &at);

	if (rc)
		return rc;
	if (at >= im->file->size)
		rc = file_resize(im->file, at + q->table, PREALLOC_OFF, NULL);
	else
		rc = file_zero(im->file, at, q->table, false);
	if (rc)
		return rc;
	table_cache_drop(q->l2_cache, at, q->table < L2_LIMIT ? q->table : 0);
	return qed_set_entry(q->l1_cache, q->l1 + offset / q->cluster /
			     q->entries * QED_ENTRY_BYTES, at);
}

static int set_l2(struct image *im, uint64_t offset, uint64_t entry)
{
	struct qed *q = im->priv;
	uint64_t at;
	int rc = l2_place(im, offset, &at);

	if (!rc && !at) {
		rc = new_l2(im, offset);
		if (!rc)
			rc = l2_place(im, offset, &at);
	}
	return rc ? rc : qed_set_entry(q->l2_cache, at, entry);
}

/* QEMU takes the file to end with its last whole cluster.  Others may be
 * writing behind this one, so the file is not resized. */
static int qed_link(struct image *im, const struct reserve *r)
{
	uint64_t end = r->at + (r->end - r->start);
	int rc = 0;

	if (im->file->size < end)
		rc = file_write(im->file, end - 1, "", 1);
	return rc ? rc : set_l2(im, r->start, r->at);
}

/* Clusters with space keep it. */
static int qed_zero(struct image *im, uint64_t offset, uint64_t len,
		    unsigned req)
{
	const struct qed *q = im->priv;
	uint64_t end = offset + len, entry, at;
	int rc = 0;

	for (; offset < end && !rc; offset += q->cluster) {
		rc = l2_place(im, offset, &at);
		entry = 0;
		if (!rc && at)
			rc = qed_entry(q->l2_cache, at, &entry);
		if (rc || entry == QED_ZERO)
			continue;
		if (!entry)
			rc = set_l2(im, offset, QED_ZERO);
		else if (!qed_offset_ok(im, entry, 1))
			rc = -EIO;
		else
			rc = file_zero(im->file, entry, q->cluster,
				       req & IMAGE_MAY_UNMAP);
	}
	return rc;
}

/* ---- the rest ---- */

static int qed_resize(struct image *im, uint64_t size,
		      enum image_prealloc how, struct err *e)
{
	struct qed *q = im->priv;
	int rc;

	if (how != PREALLOC_OFF)
		return fail(e, ENOTSUP, "qed: nothing can be preallocated");
	size = sector_round_up(size, SECTOR);
	if (size < im->size)
		return fail(e, ENOTSUP, "qed: images cannot shrink");
	rc = qed_check_sizes(size, q->cluster, q->table / q->cluster, e);
	if (rc)
		return rc;
	store_le64(q->head + Q_SIZE, size);
	rc = qed_write_header(im);
	if (rc)
		return fail(e, -rc, "qed: cannot write the header: %s",
			    strerror(-rc));
	im->size = size;
	return 0;
}

static int qed_info(struct image *im, struct image_info *info, struct err *e)
{
	const struct qed *q = im->priv;

	(void)e;
	info->dirty = load_le64(q->head + Q_FEATURES) & QED_NEED_CHECK;
	return 0;
}

const struct image_format qed_format = {
	.name = "qed", .zero_init = true, .probe = qed_probe,
	.open = qed_open, .close = qed_close, .map = qed_map,
	.allocate = qed_allocate, .link = qed_link, .unlink = qed_unlink,
	.zero = qed_zero, .flush = qed_flush, .resize = qed_resize,
	.create = qed_create, .create_options = qed_options,
	.info = qed_info, .check = qed_check, .set_backing = qed_set_backing,
};
