/* block/format/qcow2/header.c - the header of a qcow2 image and its extensions.
 *
 *   cluster 0:  fields | extensions, each type, length, data padded to 8 |
 *               end of extensions | name of the backing file
 *
 * The whole of it fits one cluster, and is read and rewritten as one.  Fields
 * that must change in a certain order are written alone (header_put).
 *
 * Extensions we do not know are kept as they are; feature names are made anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "block/format/qcow2/qcow2.h"

#define FEATURE_NAME_BYTES	48	/* type, bit, 46 of name */

static const struct {
	uint8_t type, bit;
	const char *name;
} features[] = {
	{ 0, 0, "dirty bit" },
	{ 0, 1, "corrupt bit" },
	{ 0, 2, "external data file" },
	{ 0, 3, "compression type" },
	{ 0, 4, "extended L2 entries" },
	{ 1, 0, "lazy refcounts" },
	{ 2, 0, "bitmaps" },
	{ 2, 1, "raw external data" },
};

/* ---- read: the fields ---- */

static int check_version(struct qcow2 *q, const uint8_t *h, struct err *e)
{
	if (load_be32(h + HDR_MAGIC) != QCOW2_MAGIC)
		return fail(e, EINVAL, "qcow2: the file does not begin with "
			    "'QFI\\xfb'");
	q->version = load_be32(h + HDR_VERSION);
	if (q->version != 2 && q->version != 3)
		return fail(e, ENOTSUP, "qcow2: version %u is not 2 or 3",
			    q->version);
	q->cluster_bits = load_be32(h + HDR_CLUSTER_BITS);
	if (q->cluster_bits < 9 || q->cluster_bits > 21)
		return fail(e, EINVAL, "qcow2: cluster size 2^%u is not in "
			    "2^9 to 2^21", q->cluster_bits);
	q->cluster_size = 1u << q->cluster_bits;
	return 0;
}

static int check_v3(struct qcow2 *q, const uint8_t *h, struct err *e)
{
	uint32_t order;

	if (q->version == 2) {
		q->refcount_order = 4;
		q->header_length = HDR_V2_LENGTH;
		return 0;
	}
	q->incompatible = load_be64(h + HDR_INCOMPATIBLE);
	q->compatible = load_be64(h + HDR_COMPATIBLE);
	q->autoclear = load_be64(h + HDR_AUTOCLEAR);
	order = load_be32(h + HDR_REFCOUNT_ORDER);
	q->header_length = load_be32(h + HDR_LENGTH);
	if (q->header_length < HDR_V3_LENGTH || q->header_length & 7 ||
	    q->header_length > q->cluster_size)
		return fail(e, EINVAL, "qcow2: header length %u is not in "
			    "%d to %u", q->header_length, HDR_V3_LENGTH,
			    q->cluster_size);
	if (order > 6)
		return fail(e, EINVAL, "qcow2: refcounts of 2^%u bits, and "
			    "the limit is 2^6", order);
	q->refcount_order = order;
	if (q->header_length > HDR_COMPRESSION)
		q->compression = h[HDR_COMPRESSION];
	if (q->compression > COMPRESSION_ZSTD)
		return fail(e, ENOTSUP, "qcow2: compression type %u is unknown",
			    q->compression);
	if (q->compression && !(q->incompatible & INCOMPAT_COMPRESSION))
		return fail(e, EINVAL, "qcow2: compression type %u without "
			    "its incompatible bit", q->compression);
	if (has_subclusters(q) && q->cluster_bits < 14)
		return fail(e, EINVAL, "qcow2: subclusters in clusters of %u "
			    "bytes, and they begin at 16384", q->cluster_size);
	return 0;
}

/* A table at `at`, inside what an offset can say, and aligned. */
static int check_table(const struct qcow2 *q, const char *what, uint64_t at,
		       uint64_t bytes, uint64_t limit, struct err *e)
{
	if (bytes > limit)
		return fail(e, EFBIG, "qcow2: %s of %llu bytes, and the limit "
			    "is %llu", what, (unsigned long long)bytes,
			    (unsigned long long)limit);
	if (at & (q->cluster_size - 1) || at >= MAX_HOST)
		return fail(e, EINVAL, "qcow2: %s at 0x%llx is not at a "
			    "cluster's start", what, (unsigned long long)at);
	return 0;
}

static int check_tables(struct qcow2 *q, const uint8_t *h, struct err *e)
{
	uint64_t clusters = load_be32(h + HDR_REFTABLE_CLUSTERS);
	int rc;

	q->size = load_be64(h + HDR_SIZE);
	q->l1_size = load_be32(h + HDR_L1_SIZE);
	q->l1_offset = load_be64(h + HDR_L1_OFFSET);
	q->reftable_offset = load_be64(h + HDR_REFTABLE_OFFSET);
	q->snapshot_count = load_be32(h + HDR_NB_SNAPSHOTS);
	q->snapshots_offset = load_be64(h + HDR_SNAPSHOTS_OFFSET);
	q->entry_size = has_subclusters(q) ? 16 : 8;
	q->l2_bits = q->cluster_bits - (has_subclusters(q) ? 4 : 3);
	q->block_bits = q->cluster_bits + 3 - q->refcount_order;

	if (q->size > INT64_MAX)
		return fail(e, EFBIG, "qcow2: size %llu is over 2^63",
			    (unsigned long long)q->size);
	rc = check_table(q, "L1 table", q->l1_offset, q->l1_size * 8ull,
			 MAX_L1_BYTES, e);
	if (!rc && l1_needed(q, q->size) > q->l1_size)
		rc = fail(e, EINVAL, "qcow2: an L1 table of %u entries is too "
			  "small for %llu bytes", q->l1_size,
			  (unsigned long long)q->size);
	if (!rc)
		rc = check_table(q, "refcount table", q->reftable_offset,
				 clusters << q->cluster_bits,
				 MAX_REFTABLE_BYTES, e);
	if (!rc && !clusters && !(q->im->flags & IMAGE_CHECK))
		rc = fail(e, EINVAL, "qcow2: there is no refcount table");
	q->reftable_size = (uint32_t)(clusters << q->cluster_bits) / 8;
	if (!rc && q->snapshot_count)
		rc = check_table(q, "snapshot table", q->snapshots_offset,
				 q->snapshot_count, MAX_SNAPSHOTS, e);
	return rc;
}

/* ---- read: extensions ---- */

static char *text_of(const uint8_t *p, uint32_t len)
{
	return xstrndup((const char *)p, len);
}

/* The name an image gives a feature bit, if its table has one. */
static const char *feature_name(const struct qcow2 *q, unsigned bit,
				char name[47])
{
	for (struct extension *x = q->extensions; x; x = x->next)
		for (uint32_t at = 0; x->type == EXT_FEATURE_NAMES &&
		     at + FEATURE_NAME_BYTES <= x->len;
		     at += FEATURE_NAME_BYTES)
			if (!x->data[at] && x->data[at + 1] == bit) {
				memcpy(name, x->data + at + 2, 46);
				name[46] = 0;
				return name;
			}
	return NULL;
}

static int check_features(const struct qcow2 *q, struct err *e)
{
	uint64_t unknown = q->incompatible & ~(uint64_t)INCOMPAT_KNOWN;
	const char *said;
	char name[47];
	unsigned bit;

	if (!unknown)
		return 0;
	bit = (unsigned)__builtin_ctzll(unknown);
	said = feature_name(q, bit, name);
	return fail(e, ENOTSUP, "qcow2: incompatible feature bit %u (%s) is "
		    "unknown", bit, said ? said : "unnamed");
}

static void keep(struct qcow2 *q, uint32_t type, const uint8_t *p,
		 uint32_t len)
{
	struct extension *x = xcalloc(1, sizeof(*x)), **at;

	x->type = type;
	x->len = len;
	x->data = xcalloc(1, len ? len : 1);
	memcpy(x->data, p, len);
	for (at = &q->extensions; *at; at = &(*at)->next)
		;
	*at = x;
}

static void take_extension(struct qcow2 *q, uint32_t type, const uint8_t *p,
			   uint32_t len)
{
	switch (type) {
	case (uint32_t)EXT_BACKING_FORMAT:
		free(q->im->backing_format);
		q->im->backing_format = text_of(p, len);
		break;
	case EXT_DATA_FILE:
		free(q->data_name);
		q->data_name = text_of(p, len);
		break;
	case EXT_BITMAPS:
		if (len >= 4 && q->autoclear & AUTOCLEAR_BITMAPS)
			q->bitmaps = load_be32(p);
		keep(q, type, p, len);
		break;
	default:
		keep(q, type, p, len);
	}
}

static int read_extensions(struct qcow2 *q, const uint8_t *h, uint32_t end,
			   struct err *e)
{
	uint32_t at = q->header_length;

	while (at + 8 <= end) {
		uint32_t type = load_be32(h + at), len = load_be32(h + at + 4);

		at += 8;
		if (type == EXT_END)
			return 0;
		if (len > end - at || len > MAX_EXTENSION)
			return fail(e, EINVAL, "qcow2: header extension 0x%x "
				    "of %u bytes passes the end", type, len);
		take_extension(q, type, h + at, len);
		len = (len + 7) & ~7u;
		at = len > end - at ? end : at + len;
	}
	return 0;
}

int header_read(struct qcow2 *q, struct err *e)
{
	uint8_t fields[HDR_LENGTH_NOW], *h;
	uint64_t at;
	uint32_t len;
	int rc = file_read(q->file, 0, fields, sizeof(fields));

	if (rc)
		return fail(e, -rc, "qcow2: cannot read the header: %s",
			    strerror(-rc));
	rc = check_version(q, fields, e);
	if (!rc)
		rc = check_v3(q, fields, e);
	if (!rc)
		rc = check_tables(q, fields, e);
	if (rc)
		return rc;
	at = load_be64(fields + HDR_BACKING_OFFSET);
	len = load_be32(fields + HDR_BACKING_SIZE);
	q->crypt = load_be32(fields + HDR_CRYPT);
	if (q->crypt > 2)
		return fail(e, EINVAL, "qcow2: encryption method %u is "
			    "unknown", q->crypt);
	if (at && (len > MAX_BACKING_NAME || at > q->cluster_size ||
		   len > q->cluster_size - at))
		return fail(e, EINVAL, "qcow2: the backing file's name (%u "
			    "bytes at %llu) is not inside the first cluster",
			    len, (unsigned long long)at);

	h = xcalloc(1, q->cluster_size);
	rc = file_read(q->file, 0, h, q->cluster_size);
	if (rc)
		rc = fail(e, -rc, "qcow2: cannot read the header: %s",
			  strerror(-rc));
	else
		rc = read_extensions(q, h, at ? (uint32_t)at : q->cluster_size,
				     e);
	if (!rc)
		rc = check_features(q, e);
	if (!rc && at && len)
		q->im->backing_name = text_of(h + at, len);
	free(h);
	return rc;
}

/* ---- write ---- */

/* A cluster under construction. */
struct build {
	uint8_t *bytes;
	uint32_t at, size;
	bool full;
};

static void add(struct build *b, uint32_t type, const void *data,
		uint32_t len)
{
	uint32_t padded = (len + 7) & ~7u;

	if (b->full || b->size - b->at < 8 || padded > b->size - b->at - 8) {
		b->full = true;
		return;
	}
	store_be32(b->bytes + b->at, type);
	store_be32(b->bytes + b->at + 4, len);
	if (len)
		memcpy(b->bytes + b->at + 8, data, len);
	b->at += 8 + padded;
}

/* A courtesy to older programs: only where `more` still fits behind them. */
static void add_feature_names(struct build *b, uint32_t more)
{
	uint8_t table[ARRAY_LEN(features) * FEATURE_NAME_BYTES] = { 0 };

	if (b->full || b->size - b->at < sizeof(table) + 8 + more)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(features); i++) {
		uint8_t *p = table + (size_t)i * FEATURE_NAME_BYTES;

		p[0] = features[i].type;
		p[1] = features[i].bit;
		memcpy(p + 2, features[i].name, strlen(features[i].name));
	}
	add(b, EXT_FEATURE_NAMES, table, sizeof(table));
}

static void put_fields(const struct qcow2 *q, uint8_t *h)
{
	store_be32(h + HDR_MAGIC, QCOW2_MAGIC);
	store_be32(h + HDR_VERSION, q->version);
	store_be32(h + HDR_CLUSTER_BITS, q->cluster_bits);
	store_be64(h + HDR_SIZE, q->size);
	store_be32(h + HDR_CRYPT, q->crypt);
	store_be32(h + HDR_L1_SIZE, q->l1_size);
	store_be64(h + HDR_L1_OFFSET, q->l1_offset);
	store_be64(h + HDR_REFTABLE_OFFSET, q->reftable_offset);
	store_be32(h + HDR_REFTABLE_CLUSTERS,
		   (uint32_t)clusters_of(q, q->reftable_size * 8ull));
	store_be32(h + HDR_NB_SNAPSHOTS, q->snapshot_count);
	store_be64(h + HDR_SNAPSHOTS_OFFSET, q->snapshots_offset);
	if (q->version == 2)
		return;
	store_be64(h + HDR_INCOMPATIBLE, q->incompatible);
	store_be64(h + HDR_COMPATIBLE, q->compatible);
	store_be64(h + HDR_AUTOCLEAR, q->autoclear);
	store_be32(h + HDR_REFCOUNT_ORDER, q->refcount_order);
	store_be32(h + HDR_LENGTH, q->header_length);
	if (q->header_length > HDR_COMPRESSION)
		h[HDR_COMPRESSION] = (uint8_t)q->compression;
}

static void put_extensions(const struct qcow2 *q, struct build *b)
{
	const char *format = q->im->backing_format;
	const char *backing = q->im->backing_name;

	if (format)
		add(b, (uint32_t)EXT_BACKING_FORMAT, format,
		    (uint32_t)strlen(format));
	if (q->data_name)
		add(b, EXT_DATA_FILE, q->data_name,
		    (uint32_t)strlen(q->data_name));
	for (struct extension *x = q->extensions; x; x = x->next)
		if (x->type != EXT_FEATURE_NAMES)
			add(b, x->type, x->data, x->len);
	if (q->version > 2)
		add_feature_names(b, 8 + (backing ?
					  (uint32_t)strlen(backing) : 0));
	add(b, EXT_END, NULL, 0);
}

static void put_backing(const struct qcow2 *q, struct build *b)
{
	const char *name = q->im->backing_name;
	uint32_t len = name ? (uint32_t)strlen(name) : 0;

	if (!len)
		return;
	if (len > b->size - b->at) {
		b->full = true;
		return;
	}
	memcpy(b->bytes + b->at, name, len);
	store_be64(b->bytes + HDR_BACKING_OFFSET, b->at);
	store_be32(b->bytes + HDR_BACKING_SIZE, len);
	b->at += len;
}

int header_write(struct qcow2 *q, struct err *e)
{
	struct build b = { .size = q->cluster_size, .at = q->header_length };
	int rc;

	if (q->im->backing_name &&
	    strlen(q->im->backing_name) > MAX_BACKING_NAME)
		return fail(e, EINVAL, "qcow2: the backing file's name has "
			    "%zu bytes, and the limit is %u",
			    strlen(q->im->backing_name), MAX_BACKING_NAME);
	b.bytes = xcalloc(1, b.size);
	put_fields(q, b.bytes);
	put_extensions(q, &b);
	put_backing(q, &b);
	if (b.full)
		rc = fail(e, ENOSPC, "qcow2: the header does not fit a "
			  "cluster of %u bytes", b.size);
	else
		rc = file_write(q->file, 0, b.bytes, (b.at + 511) & ~511u);
	if (rc && !b.full)
		rc = fail(e, -rc, "qcow2: cannot write the header: %s",
			  strerror(-rc));
	free(b.bytes);
	return rc;
}

int header_put(struct qcow2 *q, unsigned at, const void *bytes, unsigned len)
{
	int rc = file_write(q->file, at, bytes, len);

	return rc ? rc : file_flush(q->file);
}

int header_incompatible(struct qcow2 *q, uint64_t set, uint64_t clear)
{
	uint64_t want = (q->incompatible | set) & ~clear;
	uint8_t field[8];
	int rc;

	if (want == q->incompatible || q->version == 2)
		return 0;
	store_be64(field, want);
	rc = header_put(q, HDR_INCOMPATIBLE, field, sizeof(field));
	if (!rc)
		q->incompatible = want;
	return rc;
}

int corrupt(struct qcow2 *q, const char *what, uint64_t at)
{
	(void)what;
	(void)at;
	if (q->ready && q->im->writable && !q->broken) {
		q->broken = true;
		(void)header_incompatible(q, INCOMPAT_CORRUPT, 0);
	}
	return -EIO;
}
