/* block/format/sector_table.h - the tables of the simple formats: 32-bit
 * entries, somewhere in whole sectors of the image's file.
 *
 * Changed entries stay in memory until sector_table_sync(), which makes the
 * data durable before what points at them.  Whoever is killed before that has
 * lost space, and nothing that a flush had promised.
 *
 * The image's lock is held around every call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_FORMAT_SECTOR_TABLE_H
#define BLOCK_FORMAT_SECTOR_TABLE_H
#include "block/core/cache.h"

#define SECTOR	512ull

struct sector_table;

/* f is borrowed. */
struct sector_table *sector_table_new(struct image_file *f);
void sector_table_free(struct sector_table *t);		/* writes nothing */

/* Four bytes at `at`, a multiple of 4, as they stand there. */
int sector_table_get(struct sector_table *t, uint64_t at, uint8_t out[4]);
int sector_table_set(struct sector_table *t, uint64_t at,
		     const uint8_t entry[4]);
/* A fresh sector of zeroes, unread. */
int sector_table_make(struct sector_table *t, uint64_t at);
/* Data, then tables, then durable. */
int sector_table_sync(struct sector_table *t);

/* What lies in count entries at `at`, one after the other, past all caches: for
 * open() and check().  each() ends it with anything but 0. */
int sector_table_walk(struct image_file *f, uint64_t at, uint64_t count,
		      int (*each)(void *ctx, uint64_t n, const uint8_t *entry),
		      void *ctx);

/* Make a file reach to `end`, where core left zeroes at the end unwritten.
 * With the lock held and no space given out beyond `end`. */
int sector_fill_to(struct image_file *f, uint64_t end);

/* ---- what create() of several formats repeats ---- */

uint64_t sector_round_up(uint64_t v, uint64_t unit);
/* The option "size" in whole sectors. */
int sector_size_option(struct optstr *opts, uint64_t *size, struct err *e);
/* Bytes nobody has seen before. */
void sector_random(uint8_t *out, size_t len);
/* A random UUID, version 4 of RFC 4122. */
void sector_uuid(uint8_t out[16]);
/* file_write, with a line that says what failed. */
int sector_write(struct image_file *f, uint64_t at, const void *buf,
		 size_t len, struct err *e);
int sector_read(struct image_file *f, uint64_t at, void *buf, size_t len,
		struct err *e);
#endif
