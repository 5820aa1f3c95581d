/* block/core/cache.h - a bounded cache of table pages of an image file.
 *
 * Pages have one size (a power of two) and lie at multiples of it in the file.
 * The owner writes them back in an order of its own: when a dirty page has to
 * make room, clean() is called and shall leave no page of this cache dirty.
 *
 * One thread at a time: the image's lock is held.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCK_CORE_CACHE_H
#define BLOCK_CORE_CACHE_H
#include "block/core/format.h"

struct table_cache;

#define TABLE_CACHE_BYTES	(32u << 20)	/* the preset limit */
/* So many of the pages last got stay valid; more are given out by a get. */
#define TABLE_CACHE_KEEP	4

/* f is borrowed.  limit: bytes, rounded to no less than 16 pages. */
struct table_cache *table_cache_new(struct image_file *f, uint32_t page_size,
				    size_t limit, int (*clean)(void *ctx),
				    void *ctx);
void table_cache_free(struct table_cache *c);	/* writes nothing */

/* The page at `at`, read if need be. */
int table_cache_get(struct table_cache *c, uint64_t at, uint8_t **page);
/* A page of zeroes for `at`, dirty, whatever the file holds there. */
int table_cache_make(struct table_cache *c, uint64_t at, uint8_t **page);
/* page is one that get or make gave. */
void table_cache_mark(struct table_cache *c, uint8_t *page);
bool table_cache_dirty(const struct table_cache *c);
/* Write all dirty pages, by rising place; no flush. */
int table_cache_write(struct table_cache *c);
/* Forget the pages of this range, changed or not. */
void table_cache_drop(struct table_cache *c, uint64_t at, uint64_t len);
void table_cache_drop_all(struct table_cache *c);

#endif
