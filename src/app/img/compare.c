/* app/img/compare.c - compare: do two images hold the same disk.
 *
 * What one has beyond the other's end has to be zeroes.  -s wants the sizes
 * equal, and the same parts stored, too.
 *
 * Status: 0 they do, 1 they differ, 2 one cannot be opened, 3 or 4 one cannot
 * be mapped or read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/progress.h"
#include "app/img/walk.h"
#include "base/log.h"

#define SECTOR	512u

enum { SAME, DIFFERENT, NOT_OPENED, NOT_MAPPED, NOT_READ };

struct compare {
	struct img_source src;
	const char *second_format;
	bool progress, quiet, strict;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct compare, src.format) },
	{ 'F', NULL, ARG_TEXT, offsetof(struct compare, second_format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct compare, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct compare, src.share) },
	{ 'T', NULL, ARG_TEXT, offsetof(struct compare, src.cache) },
	{ 'p', NULL, ARG_FLAG, offsetof(struct compare, progress) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct compare, quiet) },
	{ 's', NULL, ARG_FLAG, offsetof(struct compare, strict) },
	ARG_ROW_END,
};

struct pair {
	struct image *im[2];
	bool strict;
	pthread_mutex_t lock;
	uint64_t differs_at;	/* guarded by lock: the lowest known */
	bool by_status;		/* guarded by lock: and why */
};

/* ---- the two ---- */

static int differ(struct pair *p, uint64_t at, bool by_status)
{
	pthread_mutex_lock(&p->lock);
	if (at < p->differs_at) {
		p->differs_at = at;
		p->by_status = by_status;
	}
	pthread_mutex_unlock(&p->lock);
	return DIFFERENT;
}

static int status_of(struct image *im, uint64_t at, uint64_t max,
		     struct image_status *st)
{
	uint64_t size = image_size(im);
	int r;

	*st = (struct image_status){ .bits = STATUS_ZERO, .len = max };
	if (at >= size)
		return 0;
	r = image_map_status(im, NULL, at, max < size - at ? max : size - at,
			     st);
	if (!r)
		return 0;
	log_error("cannot map '%s' at offset %" PRIu64 ": %s", image_name(im),
		  at, strerror(-r));
	return NOT_MAPPED;
}

/* The span's kind has bit i set if image i has to be read. */
static int look(void *ctx, uint64_t at, uint64_t max, struct span *s)
{
	const unsigned stored = STATUS_DATA | STATUS_ZERO | STATUS_ALLOCATED;
	struct pair *p = ctx;
	struct image_status st[2];

	s->len = max;
	for (int i = 0; i < 2; i++) {
		int r = status_of(p->im[i], at, max, &st[i]);

		if (r)
			return r;
		if (st[i].len < s->len)
			s->len = st[i].len;
		if (st[i].bits & STATUS_ALLOCATED &&
		    !(st[i].bits & STATUS_ZERO))
			s->kind |= 1 << i;
	}
	if (p->strict && (st[0].bits & stored) != (st[1].bits & stored))
		return differ(p, at, true);
	s->skip = !s->kind;
	return 0;
}

static int read_one(struct image *im, uint64_t at, uint8_t *buf, size_t n)
{
	int r = image_read(im, at, buf, n);

	if (!r)
		return 0;
	log_error("error while reading offset %" PRIu64 " of %s: %s", at,
		  image_name(im), strerror(-r));
	return NOT_READ;
}

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	while (i < n && !memcmp(a + i, b + i, n - i < SECTOR ? n - i : SECTOR))
		i += SECTOR;
	return i;
}

static size_t first_nonzero(const uint8_t *a, size_t n)
{
	size_t i = 0;

	while (i < n && walk_is_zero(a + i, n - i < SECTOR ? n - i : SECTOR))
		i += SECTOR;
	return i;
}

static int work(void *ctx, const struct span *s, uint8_t *buf)
{
	struct pair *p = ctx;
	uint8_t *half[2] = { buf, buf + WALK_CHUNK };
	size_t n = (size_t)s->len;

	for (int i = 0; i < 2; i++) {
		int r = s->kind & 1 << i ?
			read_one(p->im[i], s->start, half[i], n) : 0;

		if (r)
			return r;
	}
	if (s->kind == 3)
		return memcmp(half[0], half[1], n) ?
		       differ(p, s->start + first_difference(half[0], half[1],
							     n), false) : 0;
	buf = half[s->kind >> 1];
	return walk_is_zero(buf, n) ? 0 :
	       differ(p, s->start + first_nonzero(buf, n), false);
}

static int compare_range(struct pair *p, uint64_t from, uint64_t to,
			 uint64_t total)
{
	struct walk w = {
		.start = from, .end = to, .done_before = from, .total = total,
		.chunk = WALK_CHUNK, .buffer = 2 * WALK_CHUNK,
		.threads = WALK_THREADS, .look = look, .work = work, .ctx = p,
	};
	int r = walk_run(&w);

	if (r >= 0)
		return r;
	log_error("cannot compare: %s", strerror(-r));
	return NOT_READ;
}

static int compare(struct pair *p, bool quiet)
{
	uint64_t size[2] = { image_size(p->im[0]), image_size(p->im[1]) };
	int longer = size[1] > size[0], status;

	if (p->strict && size[0] != size[1]) {
		if (!quiet)
			puts("Strict mode: Image size mismatch!");
		return DIFFERENT;
	}
	status = compare_range(p, 0, size[!longer], size[longer]);
	if (!status && size[0] != size[1]) {
		if (!quiet)
			puts("Warning: Image size mismatch!");
		status = compare_range(p, size[!longer], size[longer],
				       size[longer]);
	}
	if (quiet || status > DIFFERENT)
		return status;
	if (!status)
		progress_complete();
	if (!status)
		puts("Images are identical.");
	else if (p->by_status)
		printf("Strict mode: Offset %" PRIu64 " block status "
		       "mismatch!\n", p->differs_at);
	else
		printf("Content mismatch at offset %" PRIu64 "!\n",
		       p->differs_at);
	return status;
}

static int run(void *args, int n, char *operands[])
{
	struct compare *a = args;
	struct img_source second = a->src;
	struct pair p = { .strict = a->strict, .differs_at = UINT64_MAX,
			  .lock = PTHREAD_MUTEX_INITIALIZER };
	int status = NOT_OPENED;

	if (n != 2) {
		(void)img_usage("Expecting two image file names");
		return 1;
	}
	a->src.name = operands[0];
	second.name = operands[1];
	second.format = a->second_format;
	progress_start(a->progress && !a->quiet);
	p.im[0] = img_open(&a->src, 0);
	if (p.im[0])
		p.im[1] = img_open(&second, 0);
	if (p.im[0] && p.im[1])
		status = compare(&p, a->quiet);
	progress_end(false);
	(void)image_close(p.im[1]);	/* nothing was written */
	(void)image_close(p.im[0]);
	return status;
}

const struct img_command img_compare = {
	"compare", "[-f FMT] [-F FMT] [--image-opts] [-s] [-T CACHE] [-pqU] "
	"FILE FILE",
	rows, sizeof(struct compare), run, false,
};
