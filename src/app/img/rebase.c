/* app/img/rebase.c - rebase: put an image on another one.
 *
 * The disk it shows stays the same: what the new image below has otherwise
 * than the old one is written into it first.  With -u only the names change,
 * and the disk with them unless the contents agree.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/progress.h"
#include "app/img/walk.h"
#include "base/log.h"

struct rebase {
	struct img_source src;
	const char *below, *below_format, *below_cache;
	bool unsafe, progress, quiet;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct rebase, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct rebase, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct rebase, src.share) },
	{ 't', NULL, ARG_TEXT, offsetof(struct rebase, src.cache) },
	{ 'T', NULL, ARG_TEXT, offsetof(struct rebase, below_cache) },
	{ 'b', NULL, ARG_TEXT, offsetof(struct rebase, below) },
	{ 'F', NULL, ARG_TEXT, offsetof(struct rebase, below_format) },
	{ 'u', NULL, ARG_FLAG, offsetof(struct rebase, unsafe) },
	{ 'p', NULL, ARG_FLAG, offsetof(struct rebase, progress) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct rebase, quiet) },
	ARG_ROW_END,
};

struct job {
	struct image *im, *was, *will;	/* will: NULL for none */
	uint64_t unit;			/* written as a whole */
};

/* Does im read as zeroes at `at`, and for how many of *len bytes is that so or
 * not so.  No image, and what is past its end, is zeroes. */
static int zeroes(struct image *im, uint64_t at, uint64_t *len, bool *zero)
{
	uint64_t size = im ? image_size(im) : 0;
	struct image_status st;
	int r;

	*zero = true;
	if (at >= size)
		return 0;
	r = image_map_status(im, NULL, at, *len < size - at ? *len : size - at,
			     &st);
	if (r)
		return r;
	*len = st.len;
	*zero = st.bits & STATUS_ZERO || !(st.bits & STATUS_ALLOCATED);
	return 0;
}

/* Let a span end where a unit does, or with the run it is in. */
static void to_units(const struct job *j, uint64_t at, uint64_t run,
		     struct span *s)
{
	uint64_t over = (at + s->len) % j->unit;

	if (!over || s->len == run)
		return;
	if (s->skip && s->len > over) {
		s->len -= over;
		return;
	}
	s->len += j->unit - over;
	if (s->len > run)
		s->len = run;
	s->skip = false;
}

/* Only what the image does not hold itself can change, and only where one of
 * the two below holds something. */
static int look(void *ctx, uint64_t at, uint64_t max, struct span *s)
{
	const struct job *j = ctx;
	bool was_zero, will_zero;
	struct image_status st;
	int r = image_map_status(j->im, j->was, at, max, &st);

	if (r)
		return r;
	s->len = st.len;
	s->skip = st.bits & STATUS_ALLOCATED;
	if (s->skip)
		return 0;
	r = zeroes(j->was, at, &s->len, &was_zero);
	if (!r)
		r = zeroes(j->will, at, &s->len, &will_zero);
	s->skip = !r && was_zero && will_zero;
	to_units(j, at, st.len, s);
	return r;
}

/* n bytes at `at`, zeroes past the end and where there is no image. */
static int read_padded(struct image *im, uint64_t at, uint8_t *buf, size_t n)
{
	uint64_t size = im ? image_size(im) : 0;
	size_t inside = at >= size ? 0 : n < size - at ? n :
			(size_t)(size - at);

	memset(buf + inside, 0, n - inside);
	return inside ? image_read(im, at, buf, inside) : 0;
}

static int work(void *ctx, const struct span *s, uint8_t *buf)
{
	const struct job *j = ctx;
	uint8_t *was = buf, *will = buf + WALK_CHUNK;
	size_t n = (size_t)s->len, part;
	int r = read_padded(j->was, s->start, was, n);

	if (!r)
		r = read_padded(j->will, s->start, will, n);
	for (size_t i = 0; i < n && !r; i += part) {
		part = (size_t)(j->unit - (s->start + i) % j->unit);
		if (part > n - i)
			part = n - i;
		if (!memcmp(was + i, will + i, part))
			continue;
		/* Of part of a cluster, image_zero() would say that it is
		 * zeroes already, which is so only as long as the old image
		 * is below. */
		if (part == image_cluster_size(j->im) &&
		    walk_is_zero(was + i, part))
			r = image_zero(j->im, s->start + i, part, 0);
		else
			r = image_write(j->im, s->start + i, was + i, part, 0);
	}
	return r;
}

static int keep_contents(struct job *j)
{
	struct walk w = {
		.end = image_size(j->im), .chunk = WALK_CHUNK,
		.buffer = 2 * WALK_CHUNK, .threads = WALK_THREADS,
		.look = look, .work = work, .ctx = j,
	};
	int r;

	j->unit = image_cluster_size(j->im);
	if (!j->unit || j->unit > WALK_CHUNK)
		j->unit = 65536;
	r = walk_run(&w);
	if (!r)
		r = image_flush(j->im);
	if (r)
		log_error("error while copying what the new backing file "
			  "lacks: %s", strerror(-r));
	return r ? 1 : 0;
}

/* The image that is to be below.  False: said why. */
static bool open_new(const struct rebase *a, struct image **out)
{
	struct img_source src = { .format = a->below_format,
				  .cache = a->below_cache,
				  .share = a->src.share };
	char *path;

	*out = NULL;
	if (!a->below || !*a->below)
		return true;
	path = image_resolve_name(a->src.name, a->below);
	src.name = path;
	*out = img_open(&src, 0);
	free(path);
	return *out != NULL;
}

static int set_backing(struct image *im, const struct rebase *a)
{
	const char *name = a->below && *a->below ? a->below : NULL;
	struct err e = { "" };

	if (image_set_backing(im, name, name ? a->below_format : NULL, &e))
		return img_fail(&e, "Could not change the backing file to "
				"'%s'", name ? name : "");
	return 0;
}

static int safe(struct image *im, const struct rebase *a)
{
	struct job j = { .im = im, .was = image_below(im) };
	int status;

	if (!open_new(a, &j.will))
		return 1;
	progress_start(a->progress && !a->quiet);
	status = keep_contents(&j);
	if (!status)
		status = set_backing(im, a);
	progress_end(!status);
	(void)image_close(j.will);	/* nothing was written */
	return status;
}

static int check(const struct rebase *a)
{
	if (!a->below && !a->unsafe)
		return img_usage("Must specify backing file (-b) or use "
				 "unsafe mode (-u)");
	if (a->below && *a->below && !a->below_format) {
		log_error("Could not change the backing file to '%s': backing "
			  "format must be specified (-F)", a->below);
		return 1;
	}
	if (a->below_format && !image_format_known(a->below_format)) {
		log_error("Invalid format name: '%s'", a->below_format);
		return 1;
	}
	return 0;
}

static int run(void *args, int n, char *operands[])
{
	struct rebase *a = args;
	struct image *im;
	int status;

	if (n != 1)
		return img_usage("Expecting one image file name");
	status = check(a);
	if (status)
		return status;
	a->src.name = operands[0];
	im = img_open(&a->src, IMAGE_WRITE |
				       (a->unsafe ? IMAGE_NO_BACKING : 0));
	if (!im)
		return 1;
	return img_close(im, a->unsafe ? set_backing(im, a) : safe(im, a));
}

const struct img_command img_rebase = {
	"rebase", "[-f FMT | --image-opts] [-t CACHE] [-T CACHE] [-u] "
	"-b FILE -F FMT [-pqU] FILE",
	rows, sizeof(struct rebase), run, false,
};
