/* block/core/format.h - the seams inside the block layer: formats and protocols.
 *
 * A protocol (struct image_proto) is where bytes are: a file, a server.  A
 * format (struct image_format) is an address translator above one: map() says
 * where the bytes at a guest offset live, and core moves them.
 *
 *   read   map(); then core reads that, fills zeroes, asks the image below, or
 *          calls decode() for an extent that is not stored byte for byte.
 *   write  map(); an extent that is `in_place` core simply writes.  Anything
 *          else: allocate() reserves file space for whole units around the
 *          request; core writes the data and, around it, what was there
 *          (copy-on-write); link() makes it visible, or unlink() gives the
 *          space back.  A kill anywhere between costs leaked space at most.
 *
 * Core holds im->lock around each call of map, allocate, link, unlink, zero,
 * discard and flush (but not of map where im->cluster is 0: such a map has no
 * state), and calls decode and encode without it.  While space is
 * allocated and not linked, or while zero and discard run, no other request is
 * inside the same units (image_cluster_size).  The calls of the rest happen with
 * nothing else going on in the image, and without the lock.
 *
 * Everything in a file is hostile until checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_CORE_FORMAT_H
#define BLOCK_CORE_FORMAT_H
#include <pthread.h>
#include <stdatomic.h>

#include "block/core/block.h"

/* ---- protocols ---- */

struct image_proto;

/* The bytes under an image.  Calls by any thread at any time. */
struct image_file {
	const struct image_proto *proto;
	char *name;			/* owned: for messages, and relative names */
	_Atomic uint64_t size;		/* bytes; kept by writes and resize */
	bool writable;
	unsigned flags;			/* enum image_flags */
	void *priv;			/* the protocol's own */
};

struct image_proto {
	const char *name;
	/* "nbd:" etc: names that begin so are its; NULL: none do. */
	const char *prefix;
	/* opts: keys of a driver=... or json: name, else only "filename". */
	int (*open)(struct image_file *f, struct optstr *opts, struct err *e);
	void (*close)(struct image_file *f);
	/* What lies past the end reads as zeroes. */
	int (*read)(struct image_file *f, uint64_t at, void *buf, size_t len);
	/* Optional from here on: NULL is -ENOTSUP. */
	int (*write)(struct image_file *f, uint64_t at, const void *buf,
		     size_t len);
	/* -ENOTSUP where zeroes would have to be written out. */
	int (*zero)(struct image_file *f, uint64_t at, uint64_t len,
		    bool unmap);
	int (*discard)(struct image_file *f, uint64_t at, uint64_t len);
	int (*flush)(struct image_file *f);
	int (*resize)(struct image_file *f, uint64_t size,
		      enum image_prealloc how, struct err *e);
	/* Is `at` stored (true) or a hole, and for how many bytes. */
	int (*stored)(struct image_file *f, uint64_t at, bool *data,
		      uint64_t *len);
	/* Bytes of host storage. */
	int (*usage)(struct image_file *f, uint64_t *bytes);
	/* Make a file of that name, if there is none. */
	int (*create)(const char *name, struct err *e);
	/* Keep other processes out as `flags` wants; see lock in file.c. */
	int (*lock)(struct image_file *f, bool writers_share, struct err *e);
};

extern const struct image_proto *const image_protos[];

/* Mostly the protocol's call of that name, with -ENOTSUP where it has none;
 * file_zero then writes the zeroes out. */
int file_open(struct image_file **out, const char *name, unsigned flags,
	      struct err *e);
int file_open_opts(struct image_file **out, struct optstr *opts,
		   unsigned flags, struct err *e);
/* An empty file, locked for us.  One that is there is emptied, but only if
 * nobody uses it. */
int file_create(struct image_file **out, const char *name, struct err *e);
void file_close(struct image_file *f);		/* f may be NULL */
int file_read(struct image_file *f, uint64_t at, void *buf, size_t len);
int file_write(struct image_file *f, uint64_t at, const void *buf, size_t len);
int file_zero(struct image_file *f, uint64_t at, uint64_t len, bool unmap);
/* Only if that costs no writing: else -ENOTSUP. */
int file_zero_fast(struct image_file *f, uint64_t at, uint64_t len,
		   bool unmap);
int file_discard(struct image_file *f, uint64_t at, uint64_t len);
int file_flush(struct image_file *f);		/* nothing with IMAGE_UNSAFE */
int file_resize(struct image_file *f, uint64_t size, enum image_prealloc how,
		struct err *e);
int file_stored(struct image_file *f, uint64_t at, bool *data, uint64_t *len);
/* writers_share: others may write, too (raw images opened for reading). */
int file_lock(struct image_file *f, bool writers_share, struct err *e);

/* ---- formats ---- */

enum extent_kind {
	EXTENT_DATA,	/* len bytes at `at` in `file` */
	EXTENT_ZERO,	/* reads as zeroes */
	EXTENT_BELOW,	/* not in this image: ask the image below */
	EXTENT_CODED,	/* decode() makes the bytes */
};

struct extent {
	enum extent_kind kind;
	bool in_place;		/* out: DATA that may be overwritten */
	bool sparse;		/* out: DATA may lie in holes of the file */
	uint64_t len;		/* in: wanted; out: never 0, may be more */
	uint64_t at;		/* out: DATA; CODED: the format's own */
	uint64_t coded;		/* out: CODED: the format's own */
	struct image_file *file;	/* out: borrowed; preset im->file */
};

/* File space for guest bytes start to end, of which the request writes a part.
 * Core fills in all of it before link(), unless `zeroed` says that it reads as
 * zeroes by itself. */
struct reserve {
	uint64_t start, end;	/* guest bytes; end may pass im->size */
	uint64_t at;		/* of start, in `file` */
	struct image_file *file;	/* preset im->file */
	bool zeroed;		/* the space reads as zeroes already */
	uint64_t note;		/* the format's own */
};

struct image {
	const struct image_format *format;
	struct image_file *file;	/* owned */
	struct image *below;		/* owned; NULL at the bottom */
	char *name;			/* owned: as opened */
	unsigned flags;			/* enum image_flags */
	bool writable;
	_Atomic uint64_t size;		/* bytes the guest sees; open() sets */
	uint32_t cluster;		/* unit of allocation; 0: none */
	bool packs;			/* every write is packed: no allocate() */
	/* What open() found written in the file; owned; NULL: nothing. */
	char *backing_name, *backing_format;
	char *backing_path;		/* owned: backing_name resolved */
	void *priv;			/* the format's own; close() frees it */

	pthread_mutex_t lock;		/* metadata, and what follows */
	pthread_cond_t idle;		/* some request of `busy` has ended */
	struct request *busy;		/* in flight; they live on stacks */
	unsigned waiters;
	_Atomic bool dirty;		/* written since the last flush began */
	pthread_mutex_t flushing;	/* one at a time; taken before `lock` */
};

/* Unset entries are NULL; only name, open, close and map must be there. */
struct image_format {
	const char *name;
	/* How sure the first len bytes (and the name) make us: 0 not mine,
	 * 100 certain. */
	int (*probe)(const uint8_t *head, size_t len, const char *name);
	bool zero_init;			/* image_starts_zeroed() */
	bool no_metadata;		/* the file is the disk (raw) */
	bool writes_in_place;		/* writable without allocate() */

	/* im->file is open, all else is to be set. */
	int (*open)(struct image *im, struct err *e);
	/* May write; its error is that of image_close(). */
	int (*close)(struct image *im);
	/* offset < im->size holds. */
	int (*map)(struct image *im, uint64_t offset, struct extent *x);
	/* Bytes offset to offset + len of what map() gave as x; offset and
	 * len lie inside the extent and one cluster.  Many threads. */
	int (*decode)(struct image *im, const struct extent *x,
		      uint64_t offset, void *buf, size_t len);

	/* Reserve for the units that hold offset, and up to len bytes on;
	 * may give less.  r->start <= offset < r->end. */
	int (*allocate)(struct image *im, uint64_t offset, uint64_t len,
			struct reserve *r);
	int (*link)(struct image *im, const struct reserve *r);
	void (*unlink)(struct image *im, const struct reserve *r);
	/* Make whole units read as zeroes; offset and len are multiples of
	 * the cluster or reach the image's end.  -ENOTSUP: write zeroes. */
	int (*zero)(struct image *im, uint64_t offset, uint64_t len,
		    unsigned req);
	int (*discard)(struct image *im, uint64_t offset, uint64_t len);
	/* Order and write all metadata; ends with file_flush(). */
	int (*flush)(struct image *im);

	/* Pack one cluster into out, which has room for an eighth more: the
	 * packed length, or 0 to have it written plainly, as what does not
	 * become smaller.  Without the lock. */
	size_t (*encode)(struct image *im, const void *in, size_t len,
			 void *out);
	/* Reserve `packed` bytes for the cluster at offset: r->at; core writes
	 * them and calls link(). */
	int (*allocate_packed)(struct image *im, uint64_t offset,
			       size_t packed, struct reserve *r);

	int (*resize)(struct image *im, uint64_t size,
		      enum image_prealloc how, struct err *e);
	/* f is empty and writable; borrowed. */
	int (*create)(struct image_file *f, struct optstr *opts,
		      struct err *e);
	const struct image_option *create_options, *amend_options;
	int (*measure)(struct optstr *opts, struct image *src,
		       struct image_measure *m, struct err *e);
	/* Fill in what is the format's: specific, snapshots, dirty ... */
	int (*info)(struct image *im, struct image_info *info, struct err *e);
	int (*check)(struct image *im, unsigned fix, struct image_check *c,
		     struct err *e);
	int (*snapshot_create)(struct image *im, const char *name,
			       struct err *e);
	int (*snapshot_apply)(struct image *im, const char *which,
			      struct err *e);
	int (*snapshot_delete)(struct image *im, const char *which,
			       struct err *e);
	int (*snapshot_load)(struct image *im, const char *which,
			     struct err *e);
	int (*set_backing)(struct image *im, const char *name,
			   const char *format, struct err *e);
	int (*make_empty)(struct image *im, struct err *e);
	int (*amend)(struct image *im, struct optstr *opts, struct err *e);
};

extern const struct image_format *const image_formats[];
const struct image_format *image_format_find(const char *name);

/* One image on a file that is open already, without what is below it.  The file
 * is taken, unless this fails.  For create(). */
int image_open_file(struct image **out, struct image_file *f,
		    const struct image_format *format, unsigned flags,
		    struct err *e);

/* ---- facts for info ---- */

struct image_fact *fact_dict(struct image_fact *in, const char *key);
struct image_fact *fact_list(struct image_fact *in, const char *key);
void fact_bool(struct image_fact *in, const char *key, bool v);
void fact_number(struct image_fact *in, const char *key, uint64_t v);
void fact_text(struct image_fact *in, const char *key, const char *v);
#endif
