/* block/format/sector_table.c - see sector_table.h
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/format/sector_table.h"

/* Each page of a sector costs the allocator several more. */
#define LIMIT		(TABLE_CACHE_BYTES / 8)
#define WALK_ENTRIES	16384u

struct sector_table {
	struct image_file *file;
	struct table_cache *cache;
};

int sector_table_sync(struct sector_table *t)
{
	int rc = file_flush(t->file);

	if (rc || !table_cache_dirty(t->cache))
		return rc;
	rc = table_cache_write(t->cache);
	return rc ? rc : file_flush(t->file);
}

static int clean(void *ctx)
{
	return sector_table_sync(ctx);
}

struct sector_table *sector_table_new(struct image_file *f)
{
	struct sector_table *t = xcalloc(1, sizeof(*t));

	t->file = f;
	t->cache = table_cache_new(f, SECTOR, LIMIT, clean, t);
	return t;
}

void sector_table_free(struct sector_table *t)
{
	if (!t)
		return;
	table_cache_free(t->cache);
	free(t);
}

int sector_table_get(struct sector_table *t, uint64_t at, uint8_t out[4])
{
	uint8_t *page;
	int rc = table_cache_get(t->cache, at & ~(SECTOR - 1), &page);

	if (!rc)
		memcpy(out, page + (at & (SECTOR - 1)), 4);
	return rc;
}

int sector_table_set(struct sector_table *t, uint64_t at,
		     const uint8_t entry[4])
{
	uint8_t *page;
	int rc = table_cache_get(t->cache, at & ~(SECTOR - 1), &page);

	if (rc)
		return rc;
	memcpy(page + (at & (SECTOR - 1)), entry, 4);
	table_cache_mark(t->cache, page);
	return 0;
}

int sector_table_make(struct sector_table *t, uint64_t at)
{
	uint8_t *page;

	return table_cache_make(t->cache, at, &page);
}

int sector_table_walk(struct image_file *f, uint64_t at, uint64_t count,
		      int (*each)(void *ctx, uint64_t n, const uint8_t *entry),
		      void *ctx)
{
	uint8_t *some = xmalloc(WALK_ENTRIES * 4);
	uint64_t done = 0;
	int rc = 0;

	while (done < count && !rc) {
		size_t n = count - done < WALK_ENTRIES ?
			(size_t)(count - done) : WALK_ENTRIES;

		rc = file_read(f, at + done * 4, some, n * 4);
		for (size_t i = 0; i < n && !rc; i++)
			rc = each(ctx, done + i, some + i * 4);
		done += n;
	}
	free(some);
	return rc;
}

int sector_fill_to(struct image_file *f, uint64_t end)
{
	return end > f->size ? file_resize(f, end, PREALLOC_OFF, NULL) : 0;
}

/* ---- create ---- */

uint64_t sector_round_up(uint64_t v, uint64_t unit)
{
	return v % unit ? v + (unit - v % unit) : v;
}

int sector_size_option(struct optstr *opts, uint64_t *size, struct err *e)
{
	int rc = optstr_size(opts, "size", 1, size, e);

	if (!rc && *size > INT64_MAX - SECTOR)
		rc = fail(e, EFBIG, "size %llu is over 2^63",
			  (unsigned long long)*size);
	*size = rc ? 0 : sector_round_up(*size, SECTOR);
	return rc;
}

void sector_random(uint8_t *out, size_t len)
{
	struct timespec now;

	if (getrandom(out, len, 0) == (ssize_t)len)
		return;
	clock_gettime(CLOCK_REALTIME, &now);	/* unlike others, at least */
	memset(out, 0, len);
	memcpy(out, &now.tv_nsec, len < 4 ? len : 4);
}

void sector_uuid(uint8_t out[16])
{
	sector_random(out, 16);
	out[6] = (uint8_t)((out[6] & 0x0f) | 0x40);
	out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

int sector_write(struct image_file *f, uint64_t at, const void *buf,
		 size_t len, struct err *e)
{
	int rc = file_write(f, at, buf, len);

	return rc ? fail(e, -rc, "cannot write '%s': %s", f->name,
			 strerror(-rc)) : 0;
}

int sector_read(struct image_file *f, uint64_t at, void *buf, size_t len,
		struct err *e)
{
	int rc = file_read(f, at, buf, len);

	return rc ? fail(e, -rc, "cannot read '%s': %s", f->name,
			 strerror(-rc)) : 0;
}
