/* block/format/qed.h - what the files of the QED format share.
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_FORMAT_QED_H
#define BLOCK_FORMAT_QED_H
#include "block/core/cache.h"

#define QED_HEADER_BYTES	64u
#define QED_ENTRY_BYTES		8u
#define QED_ZERO		1u	/* an L2 entry: reads as zeroes */
#define QED_NAME_MAX		1023u

enum {				/* places in the header */
	Q_MAGIC = 0, Q_CLUSTER = 4, Q_TABLE = 8, Q_HEADER = 12,
	Q_FEATURES = 16, Q_COMPAT = 24, Q_AUTOCLEAR = 32, Q_L1 = 40,
	Q_SIZE = 48, Q_NAME_AT = 56, Q_NAME_LEN = 60,
};
enum {
	QED_HAS_BACKING = 1 << 0,
	QED_NEED_CHECK = 1 << 1,
	QED_BACKING_IS_RAW = 1 << 2,	/* no format is to be guessed */
	QED_FEATURES = 7,
};

struct qed {
	uint8_t head[QED_HEADER_BYTES];
	uint32_t cluster;	/* bytes */
	uint64_t table;		/* bytes of an L1 or L2 table */
	uint64_t entries;	/* of one table */
	uint64_t header;	/* bytes before anything else may be */
	uint64_t l1;
	uint64_t next;		/* where the next cluster goes */
	struct table_cache *l1_cache, *l2_cache;
};

/* One entry in the file. */
int qed_entry(struct table_cache *c, uint64_t at, uint64_t *out);
int qed_set_entry(struct table_cache *c, uint64_t at, uint64_t v);
/* Can n bytes of clusters lie there? */
bool qed_offset_ok(const struct image *im, uint64_t at, uint64_t n);
int qed_write_header(struct image *im);
int qed_flush(struct image *im);
int qed_check(struct image *im, unsigned fix, struct image_check *c,
	      struct err *e);

/* Are these a size, a cluster size and a table size (in clusters) QED has? */
int qed_check_sizes(uint64_t size, uint64_t cluster, uint64_t table,
		    struct err *e);
extern const struct image_option qed_options[];
int qed_create(struct image_file *f, struct optstr *opts, struct err *e);
int qed_set_backing(struct image *im, const char *name, const char *format,
		    struct err *e);
#endif
