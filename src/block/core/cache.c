/* block/core/cache.c - see cache.h
 *
 * A hash table finds a page; a list in order of use finds the one to replace.
 * Memory is taken page by page up to the limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/core/cache.h"

#define MIN_PAGES	16u

struct page {
	uint64_t at;
	bool dirty;
	struct page *chain;		/* next of the same hash */
	struct page *newer, *older;	/* order of use */
	uint8_t *bytes;			/* owned */
};

struct table_cache {
	struct image_file *file;
	uint32_t page_size;
	unsigned limit, count, dirty;	/* pages */
	int (*clean)(void *ctx);
	void *ctx;
	struct page *newest, *oldest;
	struct page **hash;
	unsigned hash_bits;
	struct page *last;		/* a repeated get is common */
};

static struct page **slot_of(struct table_cache *c, uint64_t at)
{
	uint64_t n = at / c->page_size * 0x9e3779b97f4a7c15ull;

	return &c->hash[n >> (64 - c->hash_bits)];
}

struct table_cache *table_cache_new(struct image_file *f, uint32_t page_size,
				    size_t limit, int (*clean)(void *ctx),
				    void *ctx)
{
	struct table_cache *c = xcalloc(1, sizeof(*c));

	c->file = f;
	c->page_size = page_size;
	c->limit = (unsigned)(limit / page_size);
	if (c->limit < MIN_PAGES)
		c->limit = MIN_PAGES;
	c->clean = clean;
	c->ctx = ctx;
	for (c->hash_bits = 4; 1u << c->hash_bits < c->limit; c->hash_bits++)
		;
	c->hash = xcalloc(1u << c->hash_bits, sizeof(c->hash[0]));
	return c;
}

void table_cache_free(struct table_cache *c)
{
	if (!c)
		return;
	while (c->newest) {
		struct page *p = c->newest;

		c->newest = p->older;
		free(p->bytes);
		free(p);
	}
	free(c->hash);
	free(c);
}

/* ---- the two orders ---- */

static void list_take(struct table_cache *c, struct page *p)
{
	*(p->newer ? &p->newer->older : &c->newest) = p->older;
	*(p->older ? &p->older->newer : &c->oldest) = p->newer;
}

static void list_put(struct table_cache *c, struct page *p)
{
	p->newer = NULL;
	p->older = c->newest;
	if (c->newest)
		c->newest->newer = p;
	else
		c->oldest = p;
	c->newest = p;
}

static void unhash(struct table_cache *c, struct page *p)
{
	struct page **at = slot_of(c, p->at);

	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	if (c->last == p)
		c->last = NULL;
}

static void set_dirty(struct table_cache *c, struct page *p, bool dirty)
{
	c->dirty += dirty;
	c->dirty -= p->dirty;
	p->dirty = dirty;
}

static struct page *find(struct table_cache *c, uint64_t at)
{
	struct page *p = c->last;

	if (p && p->at == at)
		return p;
	for (p = *slot_of(c, at); p && p->at != at; p = p->chain)
		;
	return p;
}

/* ---- room for one more ---- */

static struct page *page_new(struct table_cache *c)
{
	struct page *p = calloc(1, sizeof(*p));

	/* O_DIRECT wants whole blocks in memory, too. */
	if (p && posix_memalign((void **)&p->bytes, 4096, c->page_size)) {
		free(p);
		return NULL;
	}
	c->count += !!p;
	return p;
}

static int room(struct table_cache *c, struct page **out)
{
	struct page *p;
	int rc;

	if (c->count < c->limit) {
		*out = page_new(c);
		return *out ? 0 : -ENOMEM;
	}
	p = c->oldest;
	if (p->dirty) {
		rc = c->clean(c->ctx);
		if (rc)
			return rc;
		p = c->oldest;
	}
	list_take(c, p);
	unhash(c, p);
	*out = p;
	return 0;
}

static void insert(struct table_cache *c, struct page *p, uint64_t at)
{
	struct page **slot = slot_of(c, at);

	p->at = at;
	p->chain = *slot;
	*slot = p;
	list_put(c, p);
	c->last = p;
}

static void discard_page(struct table_cache *c, struct page *p)
{
	c->count--;
	free(p->bytes);
	free(p);
}

/* ---- for the user ---- */

int table_cache_get(struct table_cache *c, uint64_t at, uint8_t **page)
{
	struct page *p = find(c, at);
	int rc;

	if (!p) {
		rc = room(c, &p);
		if (rc)
			return rc;
		rc = file_read(c->file, at, p->bytes, c->page_size);
		if (rc) {
			discard_page(c, p);
			return rc;
		}
		insert(c, p, at);
	} else if (p != c->last) {
		list_take(c, p);
		list_put(c, p);
		c->last = p;
	}
	*page = p->bytes;
	return 0;
}

int table_cache_make(struct table_cache *c, uint64_t at, uint8_t **page)
{
	struct page *p = find(c, at);
	int rc;

	if (!p) {
		rc = room(c, &p);
		if (rc)
			return rc;
		insert(c, p, at);
	}
	memset(p->bytes, 0, c->page_size);
	set_dirty(c, p, true);
	*page = p->bytes;
	return 0;
}

void table_cache_mark(struct table_cache *c, uint8_t *page)
{
	struct page *p = c->newest;

	while (p->bytes != page)
		p = p->older;
	set_dirty(c, p, true);
}

bool table_cache_dirty(const struct table_cache *c)
{
	return c->dirty;
}

static int by_place(const void *a, const void *b)
{
	const struct page *const *pa = a, *const *pb = b;

	return ((*pa)->at > (*pb)->at) - ((*pa)->at < (*pb)->at);
}

int table_cache_write(struct table_cache *c)
{
	struct page **all;
	unsigned n = 0;
	int rc = 0;

	if (!c->dirty)
		return 0;
	all = malloc(c->dirty * sizeof(all[0]));
	if (!all)
		return -ENOMEM;
	for (struct page *p = c->newest; p; p = p->older)
		if (p->dirty)
			all[n++] = p;
	qsort(all, n, sizeof(all[0]), by_place);
	for (unsigned i = 0; i < n && !rc; i++) {
		rc = file_write(c->file, all[i]->at, all[i]->bytes,
				c->page_size);
		if (!rc)
			set_dirty(c, all[i], false);
	}
	free(all);
	return rc;
}

static void drop(struct table_cache *c, struct page *p)
{
	set_dirty(c, p, false);
	list_take(c, p);
	unhash(c, p);
	discard_page(c, p);
}

void table_cache_drop(struct table_cache *c, uint64_t at, uint64_t len)
{
	for (uint64_t end = at + len; at < end; at += c->page_size) {
		struct page *p = find(c, at);

		if (p)
			drop(c, p);
	}
}

void table_cache_drop_all(struct table_cache *c)
{
	while (c->newest)
		drop(c, c->newest);
}
