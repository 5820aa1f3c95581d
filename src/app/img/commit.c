/* app/img/commit.c - commit: what an image holds goes into one below it.
 *
 * Without -b that is the next one below, and the image is empty afterwards
 * unless -d is given.  With -b, images between stay as they are, and hide
 * nothing only because the image above them keeps its contents.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/progress.h"
#include "app/img/size.h"
#include "app/img/walk.h"
#include "base/log.h"

struct commit {
	struct img_source src;
	const char *base, *rate;
	bool drop, progress, quiet;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct commit, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct commit, src.is_opts) },
	{ 't', NULL, ARG_TEXT, offsetof(struct commit, src.cache) },
	{ 'b', NULL, ARG_TEXT, offsetof(struct commit, base) },
	{ 'r', NULL, ARG_TEXT, offsetof(struct commit, rate) },
	{ 'd', NULL, ARG_FLAG, offsetof(struct commit, drop) },
	{ 'p', NULL, ARG_FLAG, offsetof(struct commit, progress) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct commit, quiet) },
	ARG_ROW_END,
};

struct job {
	struct image *top, *base;
};

static bool same_file(const char *a, const char *b)
{
	char *x = realpath(a, NULL), *y = realpath(b, NULL);
	bool same = !strcmp(a, b) || (x && y && !strcmp(x, y));

	free(x);
	free(y);
	return same;
}

/* name: as it would be opened, or as it is written in the image above it. */
static struct image *find_base(struct image *top, const char *name)
{
	for (struct image *at = top; image_below(at); at = image_below(at)) {
		char *path = image_resolve_name(image_name(at), name);
		bool found = same_file(image_name(image_below(at)), name) ||
			     same_file(image_name(image_below(at)), path);

		free(path);
		if (found)
			return image_below(at);
	}
	return NULL;
}

static int look(void *ctx, uint64_t at, uint64_t max, struct span *s)
{
	const struct job *j = ctx;
	struct image_status st;
	int r = image_map_status(j->top, j->base, at, max, &st);

	if (r)
		return r;
	s->len = st.len;
	s->skip = !(st.bits & STATUS_ALLOCATED);
	s->whole = st.bits & STATUS_ZERO;
	return 0;
}

static int work(void *ctx, const struct span *s, uint8_t *buf)
{
	const struct job *j = ctx;
	int r;

	if (s->whole)
		return image_zero(j->base, s->start, s->len, IMAGE_MAY_UNMAP);
	r = image_read(j->top, s->start, buf, (size_t)s->len);
	return r ? r : image_write(j->base, s->start, buf, (size_t)s->len, 0);
}

static int copy_down(struct job *j, uint64_t rate)
{
	struct walk w = {
		.end = image_size(j->top), .chunk = WALK_CHUNK,
		.buffer = WALK_CHUNK, .threads = WALK_THREADS, .rate = rate,
		.look = look, .work = work, .ctx = j,
	};
	int r = walk_run(&w);

	if (!r)
		r = image_flush(j->base);
	if (r)
		log_error("error while committing: %s", strerror(-r));
	return r;
}

static int commit(struct image *top, struct image *base,
		  const struct commit *a, uint64_t rate)
{
	struct job j = { top, base };
	struct err e = { "" };
	int r;

	if (image_size(base) < image_size(top) &&
	    image_resize(base, image_size(top), PREALLOC_OFF, &e))
		return img_fail(&e, "cannot resize '%s'", image_name(base));
	if (copy_down(&j, rate))
		return 1;
	if (a->drop || a->base)
		return 0;
	r = image_make_empty(top, &e);
	if (r && r != -ENOTSUP)
		return img_fail(&e, "committed, but '%s' cannot be emptied",
				image_name(top));
	return 0;
}

static int run_on(struct image *top, const struct commit *a, uint64_t rate)
{
	struct image *base = image_below(top);
	int status;

	if (!base) {
		log_error("Image does not have a backing file");
		return 1;
	}
	if (a->base)
		base = find_base(top, a->base);
	if (!base) {
		log_error("Did not find '%s' in the backing chain of '%s'",
			  a->base, image_name(top));
		return 1;
	}
	progress_start(a->progress && !a->quiet);
	status = commit(top, base, a, rate);
	progress_end(!status);
	if (!status && !a->quiet)
		puts("Image committed.");
	return status;
}

static int run(void *args, int n, char *operands[])
{
	struct commit *a = args;
	struct image *im;
	uint64_t rate = 0;

	if (a->rate && !size_option("rate limit", a->rate, 0, SIZE_LIMIT,
				    &rate))
		return 1;
	if (n != 1)
		return img_usage("Expecting one image file name");
	a->src.name = operands[0];
	im = img_open(&a->src, IMAGE_WRITE | IMAGE_WRITE_BELOW | IMAGE_UNMAP);
	return im ? img_close(im, run_on(im, a, rate)) : 1;
}

const struct img_command img_commit = {
	"commit", "[-f FMT | --image-opts] [-t CACHE] [-b BASE] [-r RATE] "
	"[-d] [-pq] FILE",
	rows, sizeof(struct commit), run, false,
};
