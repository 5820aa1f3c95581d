/* block/format/qcow2/qcow2.h - what the files of this folder share.
 *
 * The specification is the document "QCOW2 format" of the QEMU project; names
 * of fields and flags are its own.  All numbers in the file are big-endian.
 *
 *   guest offset -> L1 entry -> L2 table, one cluster -> host cluster
 *   host cluster -> refcount table -> refcount block, one cluster -> refcount
 *
 * The order on disk, whoever is killed: a cluster's refcount rises before
 * anything points at it, and falls after nothing does any more.  So what is
 * given up waits in `freed` until the tables that no longer name it are down
 * (tables.c), and a crash leaks clusters at worst.
 *
 * All calls: the image's lock is held, or nobody else is there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_FORMAT_QCOW2_QCOW2_H
#define BLOCK_FORMAT_QCOW2_QCOW2_H
#include "base/bytes.h"
#include "block/core/cache.h"
#include "block/core/format.h"
#include "block/format/formats.h"

#define QCOW2_MAGIC	0x514649fbu	/* "QFI\xfb" */

/* The header; lengths after the offsets are bytes. */
enum qcow2_header {
	HDR_MAGIC = 0,			/* 4 */
	HDR_VERSION = 4,		/* 4 */
	HDR_BACKING_OFFSET = 8,		/* 8 */
	HDR_BACKING_SIZE = 16,		/* 4 */
	HDR_CLUSTER_BITS = 20,		/* 4 */
	HDR_SIZE = 24,			/* 8 */
	HDR_CRYPT = 32,			/* 4 */
	HDR_L1_SIZE = 36,		/* 4, entries */
	HDR_L1_OFFSET = 40,		/* 8 */
	HDR_REFTABLE_OFFSET = 48,	/* 8 */
	HDR_REFTABLE_CLUSTERS = 56,	/* 4 */
	HDR_NB_SNAPSHOTS = 60,		/* 4 */
	HDR_SNAPSHOTS_OFFSET = 64,	/* 8 */
	HDR_V2_LENGTH = 72,
	HDR_INCOMPATIBLE = 72,		/* 8 */
	HDR_COMPATIBLE = 80,		/* 8 */
	HDR_AUTOCLEAR = 88,		/* 8 */
	HDR_REFCOUNT_ORDER = 96,	/* 4 */
	HDR_LENGTH = 100,		/* 4 */
	HDR_V3_LENGTH = 104,
	HDR_COMPRESSION = 104,		/* 1 */
	HDR_LENGTH_NOW = 112,
};

enum {	/* incompatible features */
	INCOMPAT_DIRTY = 1 << 0,
	INCOMPAT_CORRUPT = 1 << 1,
	INCOMPAT_DATA_FILE = 1 << 2,
	INCOMPAT_COMPRESSION = 1 << 3,
	INCOMPAT_EXTL2 = 1 << 4,
	INCOMPAT_KNOWN = 31,
};
enum {	/* compatible features */
	COMPAT_LAZY_REFCOUNTS = 1 << 0,
};
enum {	/* autoclear features */
	AUTOCLEAR_BITMAPS = 1 << 0,
	AUTOCLEAR_DATA_FILE_RAW = 1 << 1,
	AUTOCLEAR_KEPT = AUTOCLEAR_DATA_FILE_RAW,
};

enum {	/* header extensions */
	EXT_END = 0,
	EXT_BACKING_FORMAT = (int)0xe2792aca,
	EXT_FEATURE_NAMES = 0x6803f857,
	EXT_BITMAPS = 0x23852875,
	EXT_CRYPTO = 0x0537be77,
	EXT_DATA_FILE = 0x44415441,
};

enum { COMPRESSION_ZLIB = 0, COMPRESSION_ZSTD = 1 };

/* L1 and L2 entries */
#define OFLAG_COPIED		(1ull << 63)	/* refcount is exactly one */
#define OFLAG_COMPRESSED	(1ull << 62)
#define OFLAG_ZERO		(1ull << 0)
#define OFFSET_MASK		0x00fffffffffffe00ull	/* bits 9 to 55 */
#define MAX_HOST		(1ull << 56)

/* Named limits; a hostile image asks for more. */
#define MAX_L1_BYTES		(32 * MiB)
#define MAX_REFTABLE_BYTES	(8 * MiB)
#define MAX_SNAPSHOTS		65536u
#define MAX_SNAPSHOT_BYTES	(64 * MiB)	/* the table in the file */
#define MAX_BACKING_NAME	1023u
#define MAX_EXTENSION		(64 * KiB)

#define SUBCLUSTERS		32u	/* of an extended L2 entry */

struct snapshot {
	uint64_t l1_offset;
	uint32_t l1_size;		/* entries */
	uint32_t date_s, date_ns;
	uint64_t vm_clock_ns, vm_state_size, disk_size, icount;
	char *id, *name;		/* owned */
	uint8_t *extra;			/* owned: what we do not know of */
	uint32_t extra_size;
};

/* Header extensions we carry along unread. */
struct extension {
	uint32_t type, len;
	uint8_t *data;			/* owned */
	struct extension *next;
};

/* A range of host bytes whose refcounts fall by one, later. */
struct freed {
	uint64_t at, len;
};

struct qcow2 {
	struct image *im;
	struct image_file *file;	/* im->file */
	struct image_file *data;	/* owned: external data file; NULL */
	char *data_name;		/* owned; as written */
	unsigned version, cluster_bits;
	uint32_t cluster_size;
	uint64_t size;
	uint64_t incompatible, compatible, autoclear;
	unsigned compression;
	uint32_t crypt, header_length;
	struct extension *extensions;
	uint32_t bitmaps;		/* how many the extension counts */

	unsigned l2_bits;		/* log2 of entries in a table */
	unsigned entry_size;		/* 8, or 16 with subclusters */
	uint32_t page_size;		/* of both caches */
	uint64_t *l1;			/* owned, host byte order */
	uint32_t l1_size;		/* entries */
	uint64_t l1_offset;
	uint32_t l1_from, l1_to;	/* entries changed since written */
	struct table_cache *l2;

	unsigned refcount_order;	/* log2 of bits */
	unsigned block_bits;		/* log2 of entries in a block */
	uint64_t *reftable;		/* owned, host byte order */
	uint32_t reftable_size;		/* entries: whole clusters of them */
	uint64_t reftable_offset;
	uint32_t reftable_from, reftable_to;	/* changed since written */
	struct table_cache *refs;
	uint64_t free_hint;		/* no free cluster below this one */
	uint64_t packed_at;		/* next byte for compressed data; 0 */

	struct freed *freed;		/* owned */
	size_t freed_count, freed_room;

	struct snapshot *snapshots;	/* owned */
	uint32_t snapshot_count;
	uint64_t snapshots_offset;
	uint64_t snapshots_bytes;

	bool ready;			/* open() went through */
	bool broken;			/* found corrupt: no more writes */
	bool lazy;			/* the dirty bit is set on disk */
};

static inline uint64_t cluster_down(const struct qcow2 *q, uint64_t v)
{
	return v & ~(uint64_t)(q->cluster_size - 1);
}

static inline uint64_t cluster_up(const struct qcow2 *q, uint64_t v)
{
	return cluster_down(q, v + q->cluster_size - 1);
}

static inline uint64_t clusters_of(const struct qcow2 *q, uint64_t bytes)
{
	return (bytes >> q->cluster_bits) +
	       !!(bytes & (q->cluster_size - 1));
}

static inline bool has_subclusters(const struct qcow2 *q)
{
	return q->incompatible & INCOMPAT_EXTL2;
}

static inline unsigned subcluster_bits(const struct qcow2 *q)
{
	return has_subclusters(q) ? q->cluster_bits - 5 : q->cluster_bits;
}

/* L1 entries that a disk of this size needs. */
static inline uint64_t l1_needed(const struct qcow2 *q, uint64_t size)
{
	return clusters_of(q, size) ? ((clusters_of(q, size) - 1) >>
				       q->l2_bits) + 1 : 0;
}

/* ---- header.c ---- */

int header_read(struct qcow2 *q, struct err *e);
/* All of cluster 0: fields, extensions, backing name. */
int header_write(struct qcow2 *q, struct err *e);
/* One field of the file, at once and durable. */
int header_put(struct qcow2 *q, unsigned at, const void *bytes, unsigned len);
/* Set and clear incompatible feature bits, on disk and durable. */
int header_incompatible(struct qcow2 *q, uint64_t set, uint64_t clear);
/* This image contradicts itself: -EIO, and nothing is written from now on. */
int corrupt(struct qcow2 *q, const char *what, uint64_t at);

/* ---- tables.c ---- */

/* Write what is dirty in the order above; what waits is freed after it. */
int tables_flush(struct qcow2 *q);
/* The same without a last flush: what close does. */
int tables_clean_l2(void *q);		/* for the caches: see cache.h */
int tables_clean_refs(void *q);
/* Refcounts of these host bytes fall by one once that is safe. */
int free_later(struct qcow2 *q, uint64_t at, uint64_t len);
/* Read a table of n 64-bit numbers into memory. */
int table_read(struct qcow2 *q, uint64_t at, uint32_t n, uint64_t **out);
int table_write(struct qcow2 *q, uint64_t at, const uint64_t *table,
		uint32_t from, uint32_t to);

/* ---- refcount.c ---- */

uint64_t refcount_max(const struct qcow2 *q);
int refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *v);
int refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t v);
/* All clusters the range touches; by +1 (all or none of them) or -1. */
int refcount_add(struct qcow2 *q, uint64_t at, uint64_t len, int by);
/* n clusters in a row; or at least one, if got is there to say how many. */
int clusters_alloc(struct qcow2 *q, uint64_t n, uint64_t *at, uint64_t *got);
/* Room for compressed data, beside other such data if possible. */
int bytes_alloc(struct qcow2 *q, uint64_t len, uint64_t *at);

/* ---- l2.c ---- */

struct l2_entry {
	uint64_t entry;
	uint64_t bitmap;	/* with subclusters: allocated, zero << 32 */
};

enum cluster_kind {
	CLUSTER_NONE,		/* nothing said */
	CLUSTER_ZERO,		/* zero, no host cluster */
	CLUSTER_ZERO_KEPT,	/* zero, with a host cluster */
	CLUSTER_DATA,
	CLUSTER_PACKED,
};

/* What kind it is; with subclusters DATA may hold any mixture, and NONE may
 * have zero bits. */
enum cluster_kind entry_kind(const struct qcow2 *q, const struct l2_entry *l);
/* Host bytes of a PACKED entry: whole sectors. */
void packed_range(const struct qcow2 *q, uint64_t entry, uint64_t *at,
		  uint64_t *len);
/* The entry for a guest offset; all zeroes if there is no table. */
int l2_get(struct qcow2 *q, uint64_t offset, struct l2_entry *l);
/* Replace it; there is a table of our own after that. */
int l2_set(struct qcow2 *q, uint64_t offset, const struct l2_entry *l);
/* Make sure of a table that is this image's alone. */
int l2_own(struct qcow2 *q, uint64_t offset);
/* Decode and encode the entry at p. */
void l2_load(const struct qcow2 *q, const uint8_t *p, struct l2_entry *l);
void l2_store(const struct qcow2 *q, uint8_t *p, const struct l2_entry *l);
/* Give up what an entry holds: for later, or at once. */
int entry_free(struct qcow2 *q, const struct l2_entry *l);

/* ---- map.c, write.c, coding.c ---- */

int qcow2_map(struct image *im, uint64_t offset, struct extent *x);
int qcow2_allocate(struct image *im, uint64_t offset, uint64_t len,
		   struct reserve *r);
int qcow2_link(struct image *im, const struct reserve *r);
void qcow2_unlink(struct image *im, const struct reserve *r);
int qcow2_zero(struct image *im, uint64_t offset, uint64_t len, unsigned req);
int qcow2_discard(struct image *im, uint64_t offset, uint64_t len);
int qcow2_allocate_packed(struct image *im, uint64_t offset, size_t packed,
			  struct reserve *r);
/* Called first by all that changes anything. */
int may_change(struct qcow2 *q);
int qcow2_decode(struct image *im, const struct extent *x, uint64_t offset,
		 void *buf, size_t len);
size_t qcow2_encode(struct image *im, const void *in, size_t len, void *out);

/* ---- the rest ---- */

int qcow2_create(struct image_file *f, struct optstr *opts, struct err *e);
extern const struct image_option qcow2_options[], qcow2_amend_options[];
int qcow2_measure(struct optstr *opts, struct image *src,
		  struct image_measure *m, struct err *e);
int qcow2_resize(struct image *im, uint64_t size, enum image_prealloc how,
		 struct err *e);
int qcow2_info(struct image *im, struct image_info *info, struct err *e);
int qcow2_check(struct image *im, unsigned fix, struct image_check *c,
		struct err *e);
int qcow2_set_backing(struct image *im, const char *name, const char *format,
		      struct err *e);
int qcow2_make_empty(struct image *im, struct err *e);
int qcow2_amend(struct image *im, struct optstr *opts, struct err *e);

int snapshots_read(struct qcow2 *q, struct err *e);
void snapshots_free(struct qcow2 *q);
int qcow2_snapshot_create(struct image *im, const char *name, struct err *e);
int qcow2_snapshot_apply(struct image *im, const char *which, struct err *e);
int qcow2_snapshot_delete(struct image *im, const char *which,
			  struct err *e);
int qcow2_snapshot_load(struct image *im, const char *which, struct err *e);
/* L1 table into memory grown to n entries, on disk too. */
int l1_grow(struct qcow2 *q, uint64_t n, struct err *e);
/* Set each COPIED flag of the active tables to what refcounts say. */
int copied_refresh(struct qcow2 *q);

#endif
