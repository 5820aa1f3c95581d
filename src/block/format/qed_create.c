/* block/format/qed_create.c - make a QED image, and name what is below it.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "block/format/qed.h"
#include "block/format/sector_table.h"

#define CLUSTER_MIN	(4 * KiB)
#define CLUSTER_MAX	(64 * MiB)
#define CLUSTER_PRESET	(64 * KiB)
#define TABLE_MAX	16u
#define TABLE_PRESET	4u

const struct image_option qed_options[] = {
	{ "size", "bytes of the disk", OPTION_SIZE, NULL },
	{ "backing_file", "name of the image below", OPTION_STRING, NULL },
	{ "backing_fmt", "format of the image below", OPTION_STRING, NULL },
	{ "cluster_size", "bytes of a cluster", OPTION_SIZE, "65536" },
	{ "table_size", "clusters of a table", OPTION_SIZE, NULL },
	{ NULL, NULL, 0, NULL },
};

int qed_check_sizes(uint64_t size, uint64_t cluster, uint64_t table,
		    struct err *e)
{
	uint64_t entries, max;

	if (!is_power_of_2(cluster) || cluster < CLUSTER_MIN ||
	    cluster > CLUSTER_MAX)
		return fail(e, EINVAL, "qed: cluster size %llu is no power of "
			    "2 from %llu to %llu", (unsigned long long)cluster,
			    CLUSTER_MIN, CLUSTER_MAX);
	if (!is_power_of_2(table) || table > TABLE_MAX)
		return fail(e, EINVAL, "qed: table size %llu is no power of 2 "
			    "up to %u", (unsigned long long)table, TABLE_MAX);
	entries = cluster * table / QED_ENTRY_BYTES;
	if (!checked_mul(entries, entries, &max) ||
	    !checked_mul(max, cluster, &max))
		max = INT64_MAX;
	if (size > max || size > INT64_MAX || size % SECTOR)
		return fail(e, EINVAL, "qed: size %llu is no multiple of 512 "
			    "up to %llu", (unsigned long long)size,
			    (unsigned long long)max);
	return 0;
}

/* Put the name behind the header's fields. */
static int put_name(struct image_file *f, uint8_t *head, uint64_t room,
		    const char *name, const char *format, struct err *e)
{
	uint64_t features = load_le64(head + Q_FEATURES);
	size_t len = name ? strlen(name) : 0;
	int rc;

	if (len > QED_NAME_MAX || QED_HEADER_BYTES + len > room)
		return fail(e, EINVAL, "qed: backing file name of %zu bytes "
			    "is over %u", len, QED_NAME_MAX);
	features &= ~(uint64_t)(QED_HAS_BACKING | QED_BACKING_IS_RAW);
	if (len)
		features |= QED_HAS_BACKING;
	if (len && format && !strcmp(format, "raw"))
		features |= QED_BACKING_IS_RAW;
	store_le64(head + Q_FEATURES, features);
	store_le32(head + Q_NAME_AT, len ? QED_HEADER_BYTES : 0);
	store_le32(head + Q_NAME_LEN, (uint32_t)len);
	rc = len ? sector_write(f, QED_HEADER_BYTES, name, len, e) : 0;
	return rc ? rc : sector_write(f, 0, head, QED_HEADER_BYTES, e);
}

int qed_set_backing(struct image *im, const char *name, const char *format,
		    struct err *e)
{
	struct qed *q = im->priv;

	return put_name(im->file, q->head, q->header, name, format, e);
}

int qed_create(struct image_file *f, struct optstr *opts, struct err *e)
{
	uint64_t size = 0, cluster = CLUSTER_PRESET, table = TABLE_PRESET;
	const char *below = optstr_get(opts, "backing_file");
	const char *format = optstr_get(opts, "backing_fmt");
	uint8_t head[QED_HEADER_BYTES] = "QED";
	int rc = sector_size_option(opts, &size, e);

	if (!rc)
		rc = optstr_size(opts, "cluster_size", 1, &cluster, e);
	if (!rc)
		rc = optstr_size(opts, "table_size", 1, &table, e);
	if (!rc)
		rc = qed_check_sizes(size, cluster, table, e);
	if (rc)
		return rc;
	store_le32(head + Q_CLUSTER, (uint32_t)cluster);
	store_le32(head + Q_TABLE, (uint32_t)table);
	store_le32(head + Q_HEADER, 1);
	store_le64(head + Q_L1, cluster);
	store_le64(head + Q_SIZE, size);
	rc = put_name(f, head, cluster, below, format, e);
	return rc ? rc : file_resize(f, cluster + table * cluster,
				     PREALLOC_OFF, e);
}
