/* block/core/block.h - disk images, as the image tool and the machine use them.
 *
 * An image is one file in one format; images stand on each other in a chain
 * (image_below), and every call here answers for the whole chain from the image
 * given downwards unless it says otherwise.
 *
 * All calls are synchronous.  image_read, image_write, image_write_compressed,
 * image_zero, image_discard, image_flush and image_map_status run in many
 * threads at once on one image; two that overlap are done in some order,
 * whole clusters never mixed up.  Every other call wants the image to itself.
 *
 * Offsets and lengths are bytes, of any alignment.  A call returns 0 or a
 * negative errno; where it takes a struct err, that says more.
 *
 * Who writes formats and protocols reads format.h besides.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_CORE_BLOCK_H
#define BLOCK_CORE_BLOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/optstr.h"

struct image;

/* ---- open and close ---- */

enum image_flags {
	IMAGE_WRITE = 1 << 0,		/* the top image; never those below */
	IMAGE_NO_BACKING = 1 << 1,	/* leave the image below unopened */
	IMAGE_SHARE = 1 << 2,		/* -U: take no lock, mind nobody's */
	IMAGE_UNSAFE = 1 << 3,		/* cache=unsafe: flushes do nothing */
	IMAGE_DIRECT = 1 << 4,		/* cache=none: past the page cache */
	IMAGE_WRITETHROUGH = 1 << 5,	/* every write is also flushed */
	IMAGE_UNMAP = 1 << 6,		/* give freed space back to the host */
	IMAGE_CHECK = 1 << 7,		/* open what is marked dirty or corrupt,
					 * as it is: image_check() follows */
	IMAGE_PROBED = 1 << 8,		/* for a machine: a raw image whose
					 * format nobody named: block 0 may
					 * not be given a format's header */
	IMAGE_WRITE_BELOW = 1 << 9,	/* those below, too (commit) */
	IMAGE_NO_WRITERS = 1 << 10,	/* refuse writers of a raw image, too,
					 * though it is only read (convert) */
};

/* Open a chain.  name: a path, "json:{...}", or "driver:rest" as nbd:... is.
 * format: NULL guesses it from the contents.  Names of images below are taken
 * relative to the directory of the one above, and may not form a circle. */
int image_open(struct image **out, const char *name, const char *format,
	       unsigned flags, struct err *e);
/* The same from --image-opts: driver=qcow2,file.filename=x,... */
int image_open_opts(struct image **out, const char *opts, unsigned flags,
		    struct err *e);
/* Writes back what a format holds in memory, then frees the chain.  An error
 * of that is returned, and all is freed nevertheless; im may be NULL. */
int image_close(struct image *im);

/* ---- what it is ---- */

uint64_t image_size(const struct image *im);		/* bytes the guest sees */
const char *image_name(const struct image *im);		/* as opened; borrowed */
const char *image_format_name(const struct image *im);
struct image *image_below(const struct image *im);	/* borrowed, or NULL */
bool image_writable(const struct image *im);
/* The unit of allocation in bytes, 0 where there is none (raw). */
uint32_t image_cluster_size(const struct image *im);
/* Fresh parts of a new image read as zeroes without being written. */
bool image_starts_zeroed(const struct image *im);
bool image_can_compress(const struct image *im);

/* ---- data ---- */

enum image_request {
	IMAGE_FUA = 1 << 0,		/* durable before the call returns */
	IMAGE_MAY_UNMAP = 1 << 1,	/* zero: may free what holds the data */
	IMAGE_NO_FALLBACK = 1 << 2,	/* zero: -ENOTSUP rather than writing
					 * zeroes out */
};

/* -EINVAL: not all of it lies inside the image. */
int image_read(struct image *im, uint64_t offset, void *buf, size_t len);
int image_write(struct image *im, uint64_t offset, const void *buf,
		size_t len, unsigned req);
/* One cluster, from its start, or the image's last part of one.  What does not
 * become smaller is written plainly.  -ENOTSUP: no such thing here. */
int image_write_compressed(struct image *im, uint64_t offset, const void *buf,
			   size_t len);
int image_zero(struct image *im, uint64_t offset, uint64_t len, unsigned req);
/* Advice: the contents are no longer wanted.  Parts of clusters stay. */
int image_discard(struct image *im, uint64_t offset, uint64_t len);
/* All that returned before this call is durable after it, unless UNSAFE. */
int image_flush(struct image *im);

enum image_prealloc { PREALLOC_OFF, PREALLOC_METADATA, PREALLOC_FALLOC,
		      PREALLOC_FULL };
int image_prealloc_parse(const char *s, enum image_prealloc *out,
			 struct err *e);
/* Shrinks as well; whether that is wanted is the caller's to ask. */
int image_resize(struct image *im, uint64_t size, enum image_prealloc how,
		 struct err *e);

/* ---- where the bytes are ---- */

enum image_status_bits {
	STATUS_DATA = 1 << 0,		/* bytes stored in some file */
	STATUS_ZERO = 1 << 1,		/* reads as zeroes */
	STATUS_ALLOCATED = 1 << 2,	/* decided by `owner`, not from below;
					 * unset: by no image of the chain */
	STATUS_AT = 1 << 3,		/* `at` is where, byte for byte */
	STATUS_COMPRESSED = 1 << 4,
	STATUS_PAST_END = 1 << 5,	/* image below is too short: zeroes */
};

struct image_status {
	unsigned bits;
	uint64_t len;		/* bytes from offset that are alike, never 0 */
	uint64_t at;		/* in the file `file`, with STATUS_AT */
	const char *file;	/* borrowed; NULL without STATUS_AT */
	struct image *owner;	/* borrowed: who decided; NULL: nobody */
	unsigned depth;		/* of owner, 0 is the image asked */
};

/* About offset, and at most len bytes on.  base: the first image of the chain
 * not to ask (borrowed), NULL to ask them all.  A hole that the host file
 * system shows in a file is ZERO, and in a raw image not DATA. */
int image_map_status(struct image *im, struct image *base, uint64_t offset,
		     uint64_t len, struct image_status *st);

/* ---- create ---- */

/* One option of `-o help`, in the order of the help and of the line that
 * create prints. */
struct image_option {
	const char *name, *help;
	enum { OPTION_STRING, OPTION_BOOL, OPTION_NUMBER, OPTION_SIZE } kind;
	const char *preset;	/* printed value when not given; NULL: none */
};

/* Makes the file and writes an empty image into it.  opts holds the options by
 * name: size (bytes; wanted), backing_file, backing_fmt, preallocation, ...
 * The keys used are marked; the caller refuses others by optstr_finish().
 * backing_file is written as given and not opened. */
int image_create(const char *format, const char *name, struct optstr *opts,
		 struct err *e);
/* Rows up to one with a NULL name; NULL: no such format, or not creatable. */
const struct image_option *image_create_options(const char *format);

/* The nth format there is, in the order of help; NULL past the last. */
const char *image_format_at(unsigned n);
bool image_format_creatable(const char *format);
bool image_format_known(const char *format);
bool image_format_compresses(const char *format);

struct image_measure {
	uint64_t required, full;	/* bytes of the file */
	uint64_t bitmaps;		/* bytes more for persistent bitmaps */
	bool has_bitmaps;
};
/* What a file of that format and these options would take: src's contents
 * (src != NULL), or opts' size. */
int image_measure(const char *format, struct optstr *opts, struct image *src,
		  struct image_measure *m, struct err *e);

/* ---- info ---- */

/* A tree of named values, for "Format specific information" and for JSON.
 * Keys are QEMU's JSON keys ("lazy-refcounts"). */
enum fact_kind { FACT_BOOL, FACT_NUMBER, FACT_TEXT, FACT_DICT, FACT_LIST };
struct image_fact {
	char *key;			/* owned; NULL inside a list */
	enum fact_kind kind;
	uint64_t number;		/* also 0 and 1 of a bool */
	char *text;			/* owned */
	struct image_fact *first, *next;	/* owned: children, and siblings */
};

struct image_snapshot {
	char *id, *name;		/* owned */
	uint64_t vm_state_size;		/* bytes */
	uint64_t disk_size;		/* bytes, at that time */
	uint32_t date_s, date_ns;	/* since 1970 */
	uint64_t vm_clock_ns;
	uint64_t icount;		/* UINT64_MAX: not recorded */
};

struct image_info {
	const char *name, *format;	/* borrowed from the image, as are: */
	const char *backing_name;	/* as written in the image; NULL */
	const char *backing_path;	/* what that resolves to; NULL */
	const char *backing_format;	/* as written in the image; NULL */
	uint64_t size;			/* bytes the guest sees */
	uint64_t disk_size;		/* bytes of host blocks in use */
	uint64_t file_size;		/* bytes, holes counted */
	bool has_disk_size;
	uint32_t cluster_size;		/* 0: none */
	bool encrypted, compressed, dirty;
	struct image_snapshot *snapshots;	/* owned by the info */
	size_t snapshot_count;
	struct image_fact *specific;	/* owned: a DICT, or NULL */
	const char *specific_type;	/* "qcow2": JSON's "type"; or NULL */
};

/* About this image alone.  Free with image_info_free(). */
int image_info(struct image *im, struct image_info *info, struct err *e);
void image_info_free(struct image_info *info);

/* ---- check ---- */

enum image_fix { FIX_LEAKS = 1 << 0, FIX_ERRORS = 1 << 1 };

struct image_check {
	uint64_t corruptions, leaks, check_errors;	/* still there */
	uint64_t corruptions_fixed, leaks_fixed;
	uint64_t image_end_offset;			/* 0: not known */
	/* Clusters of the guest's view; total 0: not counted. */
	uint64_t total_clusters, allocated_clusters;
	uint64_t fragmented_clusters, compressed_clusters;
	/* Told of each fault, one line without newline; may be NULL. */
	void (*say)(void *ctx, const char *line);
	void *say_ctx;
};

/* -ENOTSUP: this format has nothing to check.  Zero *c but say and say_ctx. */
int image_check(struct image *im, unsigned fix, struct image_check *c,
		struct err *e);

/* ---- snapshots inside an image ---- */

/* which: an id, else a name.  -ENOENT: none such; -ENOTSUP: no snapshots in
 * this format.  The list is image_info()'s. */
int image_snapshot_create(struct image *im, const char *name, struct err *e);
int image_snapshot_apply(struct image *im, const char *which, struct err *e);
int image_snapshot_delete(struct image *im, const char *which, struct err *e);
/* Read as of the snapshot from now on; the image must not be writable. */
int image_snapshot_load(struct image *im, const char *which, struct err *e);

/* ---- change an image ---- */

/* Write other names of the image below; NULL name: none.  Nothing is opened:
 * the chain in memory stays. */
int image_set_backing(struct image *im, const char *name, const char *format,
		      struct err *e);
/* Make this image store nothing: all comes from below again (commit). */
int image_make_empty(struct image *im, struct err *e);
/* amend -o: as far as the format can change what it is. */
int image_amend(struct image *im, struct optstr *opts, struct err *e);
const struct image_option *image_amend_options(const char *format);

/* What a backing name written in the image called `above` stands for: the
 * caller's to free. */
char *image_resolve_name(const char *above, const char *name);
#endif
