/* block/format/vmdk/vmdk.h - what the files of the VMDK format share.
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_FORMAT_VMDK_VMDK_H
#define BLOCK_FORMAT_VMDK_VMDK_H
#include "block/format/sector_table.h"

#define VMDK_HEADER_BYTES	512u
#define VMDK_TEXT_MAX		(20u * 512)	/* of a descriptor we make */
#define VMDK_READ_MAX		(1u << 20)	/* of one we read */
#define VMDK_MARKER_BYTES	12u		/* before a packed grain */
#define VMDK_ENTRIES		512u		/* of a grain table we make */
#define VMDK_GRAIN		65536u		/* bytes of a grain we make */
#define VMDK_NO_PARENT		0xffffffffu

enum {				/* places in a sparse extent's header */
	V_MAGIC = 0, V_VERSION = 4, V_FLAGS = 8, V_CAPACITY = 12,
	V_GRAIN = 20, V_TEXT_AT = 28, V_TEXT_LEN = 36, V_ENTRIES = 44,
	V_RGD = 48, V_GD = 56, V_OVERHEAD = 64, V_NEWLINES = 73,
	V_COMPRESSION = 77,
};
enum {
	VMDK_HAS_NEWLINES = 1 << 0,
	VMDK_HAS_RGD = 1 << 1,
	VMDK_ZEROED = 1 << 2,		/* an entry 1 reads as zeroes */
	VMDK_COMPRESSED = 1 << 16,
	VMDK_MARKERS = 1 << 17,
};

/* One file of the disk, or a part of one. */
struct vmdk_extent {
	struct image_file *file;	/* owned unless it is the image's */
	char type[12];			/* "FLAT", "SPARSE", "ZERO"; or "" */
	bool flat, zero;
	uint64_t start, len;		/* of the disk */
	uint64_t flat_at;
	uint32_t grain;			/* bytes; 0 if flat */
	uint32_t entries;		/* of a grain table */
	uint64_t tables;		/* entries of the grain directory */
	uint64_t gd, rgd, overhead;	/* bytes; rgd 0: none */
	uint32_t flags;
	uint64_t next;			/* where the next grain goes */
	uint64_t had;			/* the same at open */
	struct sector_table *table;
};

struct vmdk {
	struct vmdk_extent *extents;	/* owned */
	unsigned count;
	char *type;			/* createType; owned */
	uint32_t cid, parent_cid;
	uint64_t text_at, cid_at;	/* in im->file; cid_at 0: no CID */
	bool cid_new;			/* changed since the image is open */
};

/* ---- descriptors ---- */

/* The text of the descriptor in f, the caller's to free; *at: where it is. */
int vmdk_read_text(struct image_file *f, char **text, uint64_t *at,
		   struct err *e);
/* The value of key without quotes, the caller's to free; NULL: not there. */
char *vmdk_text_value(const char *text, const char *key);
/* CID=, parentCID=; `none` if not there. */
uint32_t vmdk_text_cid(const char *text, const char *key, uint32_t none);

/* ---- extents ---- */

int vmdk_open_sparse(struct image *im, struct vmdk_extent *x, struct err *e);
/* Tell where the entry of a place in the extent is: *at 0: no grain table.
 * *table: its number. */
int vmdk_entry_at(struct vmdk_extent *x, uint64_t inside, uint64_t *at,
		  uint64_t *table);
int vmdk_get(struct vmdk_extent *x, uint64_t inside, uint32_t *sector);
int vmdk_set(struct vmdk_extent *x, uint64_t inside, uint32_t sector);

int vmdk_decode(struct image *im, const struct extent *x, uint64_t offset,
		void *buf, size_t len);
size_t vmdk_encode(struct image *im, const void *in, size_t len, void *out);

/* ---- create ---- */

extern const struct image_option vmdk_options[];
int vmdk_create(struct image_file *f, struct optstr *opts, struct err *e);
#endif
