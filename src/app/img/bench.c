/* app/img/bench.c - bench: many requests of one size, and the time they took.
 *
 * As many threads as requests are to be in flight take the next offset each,
 * beginning again at 0 where the image ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/img/img.h"
#include "app/img/size.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/num.h"

#define DEPTH_MAX	1024
#define REQUEST_MAX	(64u << 20)
#define BUFFER_ALIGN	4096

struct bench {
	struct img_source src;
	const char *count, *depth, *aio, *offset, *size, *step;
	const char *flush_interval, *pattern;
	bool nocache, no_drain, quiet, write;	/* quiet is without effect,
						 * as with qemu-img */
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct bench, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct bench, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct bench, src.share) },
	{ 't', NULL, ARG_TEXT, offsetof(struct bench, src.cache) },
	{ 'c', NULL, ARG_TEXT, offsetof(struct bench, count) },
	{ 'd', NULL, ARG_TEXT, offsetof(struct bench, depth) },
	{ 'i', NULL, ARG_TEXT, offsetof(struct bench, aio) },
	{ 'o', NULL, ARG_TEXT, offsetof(struct bench, offset) },
	{ 's', NULL, ARG_TEXT, offsetof(struct bench, size) },
	{ 'S', NULL, ARG_TEXT, offsetof(struct bench, step) },
	{ 0, "flush-interval", ARG_TEXT,
	  offsetof(struct bench, flush_interval) },
	{ 0, "pattern", ARG_TEXT, offsetof(struct bench, pattern) },
	{ 'n', NULL, ARG_FLAG, offsetof(struct bench, nocache) },
	{ 0, "no-drain", ARG_FLAG, offsetof(struct bench, no_drain) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct bench, quiet) },
	{ 'w', NULL, ARG_FLAG, offsetof(struct bench, write) },
	ARG_ROW_END,
};

struct plan {
	struct image *im;
	uint64_t count, depth, offset, size, step, flush_interval, pattern;
	bool write;
	atomic_uint_fast64_t next;
	_Atomic int result;
};

/* ---- options ---- */

static bool number(const char *what, const char *s, uint64_t min,
		   uint64_t max, uint64_t *out)
{
	struct err e = { "" };

	if (!s || !parse_u64(what, s, min, max, out, &e))
		return true;
	log_error("invalid %s", e.text);
	return false;
}

static bool read_options(const struct bench *a, struct plan *p)
{
	*p = (struct plan){ .count = 75000, .depth = 64, .size = 4096,
			    .write = a->write };
	if (!number("request count", a->count, 0, INT32_MAX, &p->count) ||
	    !number("queue depth", a->depth, 1, DEPTH_MAX, &p->depth) ||
	    !number("flush interval", a->flush_interval, 0, INT32_MAX,
		    &p->flush_interval) ||
	    !number("pattern byte", a->pattern, 0, 255, &p->pattern))
		return false;
	if ((a->offset && !size_option("offset", a->offset, 0, SIZE_LIMIT,
				       &p->offset)) ||
	    (a->size && !size_option("buffer size", a->size, 1, REQUEST_MAX,
				     &p->size)))
		return false;
	p->step = p->size;
	if (a->step && !size_option("step size", a->step, 0, SIZE_LIMIT,
				    &p->step))
		return false;
	if (!p->step)
		p->step = p->size;
	if (a->aio && strcmp(a->aio, "threads") && strcmp(a->aio, "native") &&
	    strcmp(a->aio, "io_uring")) {
		log_error("Invalid aio option: %s", a->aio);
		return false;
	}
	return true;
}

/* Options that make no sense together: what to say, or NULL. */
static const char *conflict(const struct bench *a, const struct plan *p)
{
	if (!a->write && p->flush_interval)
		return "--flush-interval is only available in write tests";
	if (p->flush_interval && p->flush_interval < p->depth)
		return "Flush interval can't be smaller than depth";
	if (!a->write && a->pattern)
		return "--pattern is only available in write tests";
	return NULL;
}

/* ---- running ---- */

static int request(struct plan *p, uint64_t n, uint8_t *buf)
{
	uint64_t room = image_size(p->im) - p->size + 1;
	uint64_t at = (p->offset + n * p->step) % room;
	int r;

	if (!p->write)
		return image_read(p->im, at, buf, (size_t)p->size);
	r = image_write(p->im, at, buf, (size_t)p->size, 0);
	if (!r && p->flush_interval && (n + 1) % p->flush_interval == 0)
		r = image_flush(p->im);
	return r;
}

static void *worker(void *ctx)
{
	struct plan *p = ctx;
	void *buf = NULL;
	uint64_t n;
	int r = posix_memalign(&buf, BUFFER_ALIGN, (size_t)p->size) ?
		-ENOMEM : 0;

	if (!r)
		memset(buf, (int)p->pattern, (size_t)p->size);
	while (!r && !p->result &&
	       (n = atomic_fetch_add(&p->next, 1)) < p->count)
		r = request(p, n, buf);
	if (r)
		p->result = r;
	free(buf);
	return NULL;
}

static void run_all(struct plan *p)
{
	pthread_t *threads = xcalloc(p->depth, sizeof(*threads));
	uint64_t n = 0;

	while (n + 1 < p->depth && n + 1 < p->count &&
	       !pthread_create(threads + n, NULL, worker, p))
		n++;
	worker(p);
	while (n)
		pthread_join(threads[--n], NULL);
	free(threads);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void announce(const struct plan *p)
{
	printf("Sending %llu %s requests, %llu bytes each, %llu in parallel "
	       "(starting at offset %llu, step size %llu)\n",
	       (unsigned long long)p->count, p->write ? "write" : "read",
	       (unsigned long long)p->size, (unsigned long long)p->depth,
	       (unsigned long long)p->offset, (unsigned long long)p->step);
	if (p->flush_interval)
		printf("Sending flush every %llu requests\n",
		       (unsigned long long)p->flush_interval);
	fflush(stdout);
}

static int bench(struct image *im, struct plan *p)
{
	double start;

	p->im = im;
	announce(p);
	if (p->count && image_size(im) < p->size) {
		log_error("Failed request: the image is smaller than one");
		return 1;
	}
	start = seconds();
	run_all(p);
	if (p->result) {
		log_error("Failed request: %s", strerror(-p->result));
		return 1;
	}
	printf("Run completed in %3.3f seconds.\n", seconds() - start);
	return 0;
}

static int run(void *args, int n, char *operands[])
{
	struct bench *a = args;
	struct plan p;
	const char *wrong;
	struct image *im;

	if (!read_options(a, &p))
		return 1;
	if (n != 1)
		return img_usage("Expecting one image file name");
	wrong = conflict(a, &p);
	if (wrong) {
		log_error("%s", wrong);
		return 1;
	}
	a->src.name = operands[0];
	im = img_open(&a->src, (a->write ? IMAGE_WRITE : 0) |
				       (a->nocache ? IMAGE_DIRECT : 0));
	return im ? img_close(im, bench(im, &p)) : 1;
}

const struct img_command img_bench = {
	"bench", "[-c COUNT] [-d DEPTH] [-s SIZE] [-S STEP] [-o OFFSET] [-w "
	"[--pattern=BYTE]\n      [--flush-interval=N] [--no-drain]] [-i AIO] "
	"[-n] [-t CACHE] [-f FMT | --image-opts] [-qU] FILE",
	rows, sizeof(struct bench), run, false,
};
