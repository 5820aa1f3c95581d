/* block/format/qcow2/create.c - make a qcow2 image, and say beforehand how large
 * it will be.
 *
 *   cluster 0  header
 *           1  refcount table
 *           2  first refcount block
 *           3  L1 table, L2 tables and data as they come
 *
 * The first three are written by hand, for an image of no bytes; that is opened
 * and grown to its size like any other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/num.h"
#include "block/format/formats.h"
#include "block/format/qcow2/qcow2.h"

/* In the order of the line that `husk img create` prints. */
const struct image_option qcow2_options[] = {
	{ "cluster_size", "bytes of a cluster", OPTION_SIZE, "65536" },
	{ "extended_l2", "subclusters", OPTION_BOOL, "off" },
	{ "preallocation", "off, metadata, falloc or full", OPTION_STRING,
	  NULL },
	{ "compression_type", "how clusters are packed: zlib or zstd",
	  OPTION_STRING, "zlib" },
	{ "size", "bytes of the disk", OPTION_SIZE, NULL },
	{ "compat", "version: v2 [0.10] or v3 [1.1]", OPTION_STRING, NULL },
	{ "backing_file", "name of the image below", OPTION_STRING, NULL },
	{ "backing_fmt", "format of the image below", OPTION_STRING, NULL },
	{ "data_file", "name of a file for the data", OPTION_STRING, NULL },
	{ "data_file_raw", "the data file is a raw image", OPTION_BOOL, NULL },
	{ "lazy_refcounts", "count anew after a crash", OPTION_BOOL, "off" },
	{ "refcount_bits", "bits of a refcount", OPTION_NUMBER, "16" },
	{ "nocow", "switch copy-on-write of the file system off",
	  OPTION_BOOL, NULL },
	{ NULL, NULL, 0, NULL },
};

/* What the options come to. */
struct wish {
	uint64_t size, cluster_size, refcount_bits;
	const char *backing, *backing_format, *data_file;
	bool lazy, extended, data_raw, nocow;
	unsigned version, compression;
	enum image_prealloc prealloc;
};

static int parse_compat(const char *s, unsigned *version, struct err *e)
{
	if (!s || !strcmp(s, "1.1") || !strcmp(s, "v3"))
		*version = 3;
	else if (!strcmp(s, "0.10") || !strcmp(s, "v2"))
		*version = 2;
	else
		return fail(e, EINVAL, "compat '%s' is neither 0.10 nor 1.1",
			    s);
	return 0;
}

static int parse_compression(const char *s, unsigned *type, struct err *e)
{
	if (!s || !strcmp(s, "zlib"))
		*type = COMPRESSION_ZLIB;
	else if (!strcmp(s, "zstd"))
		*type = COMPRESSION_ZSTD;
	else
		return fail(e, EINVAL, "compression_type '%s' is neither zlib "
			    "nor zstd", s);
	return 0;
}

static int parse(struct optstr *o, struct wish *w, struct err *e)
{
	const char *how = optstr_get(o, "preallocation");
	int rc;

	*w = (struct wish){ .cluster_size = 64 * KiB, .refcount_bits = 16 };
	w->backing = optstr_get(o, "backing_file");
	w->backing_format = optstr_get(o, "backing_fmt");
	w->data_file = optstr_get(o, "data_file");
	rc = optstr_size(o, "size", 1, &w->size, e);
	if (!rc)
		rc = optstr_size(o, "cluster_size", 1, &w->cluster_size, e);
	if (!rc)
		rc = optstr_u64(o, "refcount_bits", 1, 64, &w->refcount_bits,
				e);
	if (!rc)
		rc = optstr_bool(o, "lazy_refcounts", &w->lazy, e);
	if (!rc)
		rc = optstr_bool(o, "extended_l2", &w->extended, e);
	if (!rc)
		rc = optstr_bool(o, "data_file_raw", &w->data_raw, e);
	if (!rc)
		rc = optstr_bool(o, "nocow", &w->nocow, e);
	if (!rc)
		rc = parse_compat(optstr_get(o, "compat"), &w->version, e);
	if (!rc)
		rc = parse_compression(optstr_get(o, "compression_type"),
				       &w->compression, e);
	if (!rc && how)
		rc = image_prealloc_parse(how, &w->prealloc, e);
	w->size = (w->size + 511) & ~511ull;
	return rc;
}

/* What does not go together. */
static int check_wish(const struct wish *w, struct err *e)
{
	unsigned long long cs = w->cluster_size;

	if (cs < 512 || cs > 2 * MiB || !is_power_of_2(cs))
		return fail(e, EINVAL, "cluster size %llu is not a power of "
			    "two from 512 to 2M", cs);
	if (!is_power_of_2(w->refcount_bits))
		return fail(e, EINVAL, "refcount_bits %llu is not a power of "
			    "two up to 64",
			    (unsigned long long)w->refcount_bits);
	if (w->version == 2 && (w->lazy || w->extended || w->compression ||
				w->data_file || w->refcount_bits != 16))
		return fail(e, EINVAL, "lazy_refcounts, extended_l2, "
			    "compression_type, data_file and refcount_bits "
			    "need compat 1.1 or higher");
	if (w->extended && cs < 16 * KiB)
		return fail(e, EINVAL, "extended_l2 needs clusters of 16384 "
			    "bytes or more, not %llu", cs);
	if (w->data_raw && !w->data_file)
		return fail(e, EINVAL, "data_file_raw needs data_file");
	if (w->data_raw && w->backing)
		return fail(e, EINVAL, "a backing file and data_file_raw "
			    "exclude each other");
	if (w->backing_format && !w->backing)
		return fail(e, EINVAL, "backing_fmt needs backing_file");
	if (w->backing && w->prealloc && !w->extended)
		return fail(e, EINVAL, "a backing file and preallocation "
			    "exclude each other");
	return 0;
}

/* ---- sizes ---- */

/* All bytes of the file of a full image: the refcounts count themselves. */
static uint64_t full_size(const struct wish *w, uint64_t data)
{
	uint64_t cs = w->cluster_size, entry = w->extended ? 16 : 8;
	uint64_t per_l2 = cs / entry, per_block = cs * 8 / w->refcount_bits;
	uint64_t clusters = (w->size + cs - 1) / cs;
	uint64_t l2 = (clusters + per_l2 - 1) / per_l2;
	uint64_t l1 = (l2 * 8 + cs - 1) / cs;
	uint64_t rest = 1 + l1 + l2 + (data + cs - 1) / cs;
	uint64_t blocks = 0, table = 0, before;

	do {
		before = blocks + table;
		blocks = (rest + before + per_block - 1) / per_block;
		table = (blocks * 8 + cs - 1) / cs;
	} while (blocks + table != before);
	return (rest + blocks + table) * cs;
}

/* Bytes of clusters in which src has something. */
static int data_size(struct image *src, uint64_t cs, uint64_t *bytes)
{
	uint64_t end = 0;	/* clusters below are counted */

	*bytes = 0;
	for (uint64_t at = 0; at < src->size;) {
		struct image_status st;
		int rc = image_map_status(src, NULL, at, src->size - at, &st);

		if (rc)
			return rc;
		if (st.bits & STATUS_DATA && !(st.bits & STATUS_ZERO)) {
			uint64_t from = at & ~(cs - 1);
			uint64_t to = (at + st.len + cs - 1) & ~(cs - 1);

			if (from < end)
				from = end;
			if (to > from)
				*bytes += to - from;
			end = to;
		}
		at += st.len;
	}
	return 0;
}

/* Can it hold bitmaps: only then is their size worth a line. */
static bool holds_bitmaps(const struct image *im)
{
	const struct qcow2 *q = im->priv;

	return !strcmp(im->format->name, "qcow2") && q->version > 2;
}

int qcow2_measure(struct optstr *opts, struct image *src,
		  struct image_measure *m, struct err *e)
{
	struct wish w;
	uint64_t data = 0;
	int rc = parse(opts, &w, e);

	if (!rc)
		rc = check_wish(&w, e);
	if (rc)
		return rc;
	if (src) {
		w.size = (src->size + 511) & ~511ull;
		rc = data_size(src, w.cluster_size, &data);
		if (rc)
			return fail(e, -rc, "cannot map '%s': %s", src->name,
				    strerror(-rc));
	}
	if (w.prealloc == PREALLOC_FALLOC || w.prealloc == PREALLOC_FULL)
		data = w.size;
	m->full = full_size(&w, w.data_file ? 0 : w.size);
	m->required = m->full - (w.data_file ? 0 :
		((w.size + w.cluster_size - 1) & ~(w.cluster_size - 1)) -
		((data + w.cluster_size - 1) & ~(w.cluster_size - 1)));
	m->has_bitmaps = w.version > 2 && src && holds_bitmaps(src);
	return 0;
}

/* ---- create ---- */

static void plan(struct qcow2 *q, const struct wish *w)
{
	q->version = w->version;
	q->cluster_size = (uint32_t)w->cluster_size;
	q->cluster_bits = (unsigned)__builtin_ctz(q->cluster_size);
	q->refcount_order = (unsigned)__builtin_ctzll(w->refcount_bits);
	q->header_length = w->version == 2 ? HDR_V2_LENGTH : HDR_LENGTH_NOW;
	q->compression = w->compression;
	if (w->compression)
		q->incompatible |= INCOMPAT_COMPRESSION;
	if (w->extended)
		q->incompatible |= INCOMPAT_EXTL2;
	if (w->data_file)
		q->incompatible |= INCOMPAT_DATA_FILE;
	if (w->lazy)
		q->compatible |= COMPAT_LAZY_REFCOUNTS;
	if (w->data_raw)
		q->autoclear |= AUTOCLEAR_DATA_FILE_RAW;
	q->data_name = (char *)(uintptr_t)w->data_file;
	q->reftable_offset = q->cluster_size;
	q->reftable_size = q->cluster_size / 8;
}

/* Refcount table and block for the first three clusters. */
static int write_first_counts(struct qcow2 *q)
{
	uint32_t cs = q->cluster_size;
	uint8_t *both = xcalloc(2, cs), *block = both + cs;
	int rc;

	store_be64(both, 2ull * cs);
	for (unsigned i = 0; i < 3; i++)
		switch (q->refcount_order) {
		case 6:
			store_be64(block + i * 8u, 1);
			break;
		case 5:
			store_be32(block + i * 4u, 1);
			break;
		case 4:
			store_be16(block + i * 2u, 1);
			break;
		case 3:
			block[i] = 1;
			break;
		default:
			block[i << q->refcount_order >> 3] |= (uint8_t)
				(1u << ((i << q->refcount_order) & 7));
		}
	rc = file_write(q->file, cs, both, 2u * cs);
	free(both);
	return rc;
}

static int write_empty(struct image_file *f, const struct wish *w,
		       struct err *e)
{
	struct image im = { .file = f };
	struct qcow2 q = { .im = &im, .file = f };
	int rc;

	im.backing_name = (char *)(uintptr_t)w->backing;
	im.backing_format = (char *)(uintptr_t)w->backing_format;
	plan(&q, w);
	rc = header_write(&q, e);
	if (rc)
		return rc;
	rc = write_first_counts(&q);
	return rc ? fail(e, -rc, "cannot write '%s': %s", f->name,
			 strerror(-rc)) : 0;
}

static int create_data_file(struct image_file *f, const struct wish *w,
			    struct err *e)
{
	struct image_file *data;
	char *path;
	int rc;

	if (!w->data_file)
		return 0;
	path = image_resolve_name(f->name, w->data_file);
	rc = file_create(&data, path, e);
	free(path);
	if (rc)
		return rc;
	rc = file_resize(data, w->size, w->prealloc == PREALLOC_METADATA ?
			 PREALLOC_OFF : w->prealloc, e);
	file_close(data);
	return rc;
}

int qcow2_create(struct image_file *f, struct optstr *opts, struct err *e)
{
	struct image *im;
	struct wish w;
	int rc, closed;

	rc = parse(opts, &w, e);
	if (!rc)
		rc = check_wish(&w, e);
	if (!rc)
		rc = create_data_file(f, &w, e);
	if (!rc)
		rc = write_empty(f, &w, e);
	if (rc)
		return rc;
	rc = image_open_file(&im, f, &qcow2_format, IMAGE_WRITE, e);
	if (rc)
		return rc;
	if (!w.data_file && w.prealloc > PREALLOC_METADATA)
		rc = file_resize(f, full_size(&w, w.size), w.prealloc, e);
	if (!rc)
		rc = qcow2_resize(im, w.size, w.prealloc ? PREALLOC_METADATA :
				  PREALLOC_OFF, e);
	if (!rc && w.data_raw)
		rc = qcow2_resize(im, w.size, PREALLOC_METADATA, e);
	im->file = NULL;	/* the caller's */
	closed = image_close(im);
	if (!rc && closed)
		rc = fail(e, -closed, "cannot write '%s': %s", f->name,
			  strerror(-closed));
	return rc;
}
