/* app/img/copy.c - see copy.h
 *
 * A span of data is at most a chunk: it is read in one go and written in as
 * few as its zeroes allow.  A cluster of the target is either written from its
 * first byte that is not zero to its last or left alone, as it is allocated
 * as a whole in any case.  Compressed clusters can only be written as wholes,
 * so spans then begin and end where clusters do.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/copy.h"
#include "app/img/walk.h"
#include "base/log.h"

#define SECTOR	512u

enum span_kind { SPAN_DATA, SPAN_ZERO };

struct job {
	const struct copy *c;
	uint64_t unit;		/* cluster of the target if compressed; or 1 */
};

static uint64_t in_sectors(uint64_t size)
{
	return (size + SECTOR - 1) / SECTOR * SECTOR;
}

uint64_t copy_total(struct image *const *sources, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += in_sectors(image_size(sources[i]));
	return total;
}

/* The source that has place `at` of the whole, which becomes a place in it. */
static struct image *source_at(const struct copy *c, uint64_t *at)
{
	size_t i = 0;

	*at += c->skip;
	for (; i + 1 < c->count; i++) {
		uint64_t size = in_sectors(image_size(c->sources[i]));

		if (*at < size)
			break;
		*at -= size;
	}
	return c->sources[i];
}

/* ---- what is there ---- */

static int status_at(const struct copy *c, uint64_t at, uint64_t max,
		     struct image_status *st)
{
	struct image *src = source_at(c, &at);
	struct image *base = c->above ? image_below(src) : NULL;
	uint64_t size = image_size(src);
	int r;

	if (at >= size) {
		/* The rest of a source's last sector. */
		*st = (struct image_status){ .bits = STATUS_ZERO |
							STATUS_ALLOCATED };
		st->len = in_sectors(size) - at;
		if (!st->len || st->len > max)
			st->len = max;
		return 0;
	}
	if (max > size - at)
		max = size - at;
	r = image_map_status(src, base, at, max, st);
	if (r && c->salvage) {
		st->bits = STATUS_DATA;
		st->len = max < SECTOR ? max : SECTOR;
		return 0;
	}
	if (r)
		log_error("error while reading block status at offset %" PRIu64
			  ": %s", at, strerror(-r));
	return r;
}

static void classify(const struct copy *c, uint64_t at,
		     const struct image_status *st, struct span *s)
{
	bool past_below = c->above && at >= c->below_size;

	s->len = st->len;
	s->kind = SPAN_DATA;
	if (c->above && !(st->bits & STATUS_ALLOCATED)) {
		s->skip = true;
	} else if (st->bits & STATUS_ZERO && c->sparse) {
		s->kind = SPAN_ZERO;
		s->whole = true;
		s->skip = (c->zeroed && !c->above) || past_below;
	}
}

/* Compressed: what is not a whole unit is data, so that it is read and packed
 * together with its neighbours. */
static void to_units(const struct job *j, uint64_t at, uint64_t max,
		     struct span *s)
{
	uint64_t over = (at + s->len) % j->unit;

	if (!over || s->len == max)
		return;
	if (s->kind == SPAN_DATA && !s->skip) {
		s->len += j->unit - over;
	} else if (s->len > over) {
		s->len -= over;
	} else {
		s->len += j->unit - over;
		s->kind = SPAN_DATA;
		s->skip = s->whole = false;
	}
	if (s->len > max)
		s->len = max;
}

static int look(void *ctx, uint64_t at, uint64_t max, struct span *s)
{
	const struct job *j = ctx;
	struct image_status st;
	int r = status_at(j->c, at, max, &st);

	if (r)
		return r;
	classify(j->c, at, &st, s);
	if (j->unit > 1)
		to_units(j, at, max, s);
	return 0;
}

/* ---- reading ---- */

static int read_some(struct image *src, uint64_t at, uint8_t *buf, size_t n)
{
	uint64_t size = image_size(src);
	size_t inside = at >= size ? 0 : n < size - at ? n :
			(size_t)(size - at);

	memset(buf + inside, 0, n - inside);
	return inside ? image_read(src, at, buf, inside) : 0;
}

static void salvage(struct image *src, uint64_t at, uint8_t *buf, size_t n)
{
	for (size_t i = 0; i < n; i += SECTOR) {
		size_t part = n - i < SECTOR ? n - i : SECTOR;
		int r = read_some(src, at + i, buf + i, part);

		if (!r)
			continue;
		log_warn("error while reading offset %" PRIu64 ": %s", at + i,
			 strerror(-r));
		memset(buf + i, 0, part);
	}
}

/* n bytes at place `at` of the whole, from as many sources as that takes. */
static int read_all(const struct copy *c, uint64_t at, uint8_t *buf, size_t n)
{
	while (n) {
		uint64_t from = at, left;
		struct image *src = source_at(c, &from);
		size_t part;
		int r;

		left = in_sectors(image_size(src)) - from;
		part = left && left < n ? (size_t)left : n;
		r = read_some(src, from, buf, part);
		if (r && c->salvage) {
			salvage(src, from, buf, part);
		} else if (r) {
			log_error("error while reading at offset %" PRIu64
				  ": %s", from, strerror(-r));
			return r;
		}
		at += part;
		buf += part;
		n -= part;
	}
	return 0;
}

/* ---- writing ---- */

static int say_write(uint64_t at, int r)
{
	if (r)
		log_error("error while writing at offset %" PRIu64 ": %s", at,
			  strerror(-r));
	return r;
}

static int make_zero(const struct copy *c, uint64_t at, uint64_t n)
{
	if (c->zeroed && !c->above)
		return 0;
	return say_write(at, image_zero(c->to, at, n, IMAGE_MAY_UNMAP));
}

static int write_packed(const struct job *j, uint64_t at, const uint8_t *buf,
			size_t n)
{
	int r = 0;

	while (n && !r) {
		size_t part = n < j->unit ? n : (size_t)j->unit;

		if (j->c->sparse && walk_is_zero(buf, part))
			r = make_zero(j->c, at, part);
		else
			r = say_write(at, image_write_compressed(j->c->to, at,
								 buf, part));
		at += part;
		buf += part;
		n -= part;
	}
	return r;
}

/* How many of n bytes at `at` belong to the block of `unit` that begins or goes
 * on there. */
static size_t block_part(uint64_t at, size_t n, uint64_t unit)
{
	uint64_t most = unit - at % unit;

	return most < n ? (size_t)most : n;
}

/* Bytes from `at` on that are alike: all zero, or blocks that are not. */
static size_t run_length(const struct copy *c, uint64_t at,
			 const uint8_t *buf, size_t n, uint64_t unit,
			 bool *zero)
{
	size_t len = block_part(at, n, unit);

	*zero = walk_is_zero(buf, len);
	while (len < n) {
		size_t part = block_part(at + len, n - len, unit);

		if (walk_is_zero(buf + len, part) != *zero)
			break;
		len += part;
	}
	return len;
}

static int write_sparse(const struct copy *c, uint64_t at, const uint8_t *buf,
			size_t n)
{
	uint64_t cluster = image_cluster_size(c->to), unit = c->sparse;
	int r = 0;

	if (cluster > unit && c->zeroed && !c->above)
		unit = cluster;
	while (n && !r) {
		bool zero;
		size_t len = run_length(c, at, buf, n, unit, &zero);

		if (zero)
			r = make_zero(c, at, len);
		else
			r = say_write(at, image_write(c->to, at, buf, len, 0));
		at += len;
		buf += len;
		n -= len;
	}
	return r;
}

static int work(void *ctx, const struct span *s, uint8_t *buf)
{
	const struct job *j = ctx;
	const struct copy *c = j->c;
	size_t n = (size_t)s->len;
	int r;

	if (s->kind == SPAN_ZERO)
		return make_zero(c, s->start, s->len);
	r = read_all(c, s->start, buf, n);
	if (r)
		return r;
	if (c->compress)
		return write_packed(j, s->start, buf, n);
	if (c->sparse)
		return write_sparse(c, s->start, buf, n);
	return say_write(s->start, image_write(c->to, s->start, buf, n, 0));
}

int copy_run(const struct copy *c)
{
	struct job j = { .c = c, .unit = 1 };
	struct walk w = {
		.end = c->size, .chunk = WALK_CHUNK, .buffer = WALK_CHUNK,
		.threads = c->threads, .rate = c->rate, .look = look,
		.work = work, .ctx = &j,
	};

	/* No two workers are to be in one cluster of the target. */
	if (image_cluster_size(c->to) > w.chunk)
		w.chunk = w.buffer = image_cluster_size(c->to);
	if (c->compress && image_cluster_size(c->to))
		j.unit = image_cluster_size(c->to);
	return walk_run(&w) ? 1 : 0;
}
