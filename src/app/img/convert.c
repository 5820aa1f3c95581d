/* app/img/convert.c - convert: the contents of images as another image.
 *
 * The target is made unless -n says that it is there.  Nothing of it is
 * flushed unless -t asks, as with qemu-img: who converts checks the status.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/copy.h"
#include "app/img/img.h"
#include "app/img/progress.h"
#include "app/img/size.h"
#include "app/img/walk.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/num.h"

#define SPARSE_MAX	(16u << 20)

struct convert {
	struct img_source src, to;
	const char *target, *backing, *backing_format, *snapshot, *sparse;
	const char *threads, *rate;
	char *options;
	bool offload, compress, progress, quiet, no_create, out_of_order;
	bool zeroed, bitmaps, skip_broken, salvage;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct convert, src.format) },
	{ 'O', NULL, ARG_TEXT, offsetof(struct convert, target) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct convert, src.is_opts) },
	{ 0, "target-image-opts", ARG_FLAG,
	  offsetof(struct convert, to.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct convert, src.share) },
	{ 'T', NULL, ARG_TEXT, offsetof(struct convert, src.cache) },
	{ 't', NULL, ARG_TEXT, offsetof(struct convert, to.cache) },
	{ 'B', NULL, ARG_TEXT, offsetof(struct convert, backing) },
	{ 'F', NULL, ARG_TEXT, offsetof(struct convert, backing_format) },
	{ 'l', NULL, ARG_TEXT, offsetof(struct convert, snapshot) },
	{ 'S', NULL, ARG_TEXT, offsetof(struct convert, sparse) },
	{ 'm', NULL, ARG_TEXT, offsetof(struct convert, threads) },
	{ 'r', NULL, ARG_TEXT, offsetof(struct convert, rate) },
	{ 'o', NULL, ARG_LIST, offsetof(struct convert, options) },
	{ 'C', NULL, ARG_FLAG, offsetof(struct convert, offload) },
	{ 'c', NULL, ARG_FLAG, offsetof(struct convert, compress) },
	{ 'p', NULL, ARG_FLAG, offsetof(struct convert, progress) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct convert, quiet) },
	{ 'n', NULL, ARG_FLAG, offsetof(struct convert, no_create) },
	{ 'W', NULL, ARG_FLAG, offsetof(struct convert, out_of_order) },
	{ 0, "target-is-zero", ARG_FLAG, offsetof(struct convert, zeroed) },
	{ 0, "bitmaps", ARG_FLAG, offsetof(struct convert, bitmaps) },
	{ 0, "skip-broken-bitmaps", ARG_FLAG,
	  offsetof(struct convert, skip_broken) },
	{ 0, "salvage", ARG_FLAG, offsetof(struct convert, salvage) },
	ARG_ROW_END,
};

/* ---- options ---- */

static bool read_sparse(const struct convert *a, struct copy *c)
{
	uint64_t v = 4096;

	if (a->sparse && !size_option("buffer size for sparse output",
				      a->sparse, 0, SPARSE_MAX, &v))
		return false;
	if (v % 512) {
		log_error("-S %s: not a multiple of 512 up to %u", a->sparse,
			  SPARSE_MAX);
		return false;
	}
	c->sparse = (uint32_t)v;
	return true;
}

static bool read_numbers(const struct convert *a, struct copy *c)
{
	uint64_t threads = WALK_THREADS;
	struct err e = { "" };

	if (a->threads && parse_u64("number of workers", a->threads, 1,
				    WALK_THREADS_MAX, &threads, &e)) {
		log_error("invalid %s", e.text);
		return false;
	}
	c->threads = (unsigned)threads;
	if (a->rate && !size_option("rate limit", a->rate, 0, SIZE_LIMIT,
				    &c->rate))
		return false;
	return read_sparse(a, c);
}

/* Options that exclude each other: what to say, or NULL. */
static const char *conflict(const struct convert *a)
{
	if (a->offload && a->sparse)
		return "Cannot enable copy offloading when -S is used";
	if (a->offload && a->compress)
		return "Cannot enable copy offloading when -c is used";
	if (a->offload && a->salvage)
		return "Cannot use copy offloading in salvaging mode";
	if (a->zeroed && !a->no_create)
		return "--target-is-zero requires use of -n flag";
	if (a->to.is_opts && !a->no_create)
		return "--target-image-opts requires use of -n flag";
	if (a->skip_broken && !a->bitmaps)
		return "Use of --skip-broken-bitmaps requires --bitmaps";
	if (a->no_create && a->options)
		return "-o has no effect when skipping image creation";
	if (a->bitmaps)
		return "--bitmaps: not in this version";
	return NULL;
}

/* ---- sources ---- */

/* "snapshot.id=1", "snapshot.name=x", or either without a key. */
static int load_snapshot(struct image *im, const char *text)
{
	struct optstr *opts = NULL;
	const char *which = text;
	struct err e = { "" };
	int r;

	if (!strncmp(text, "snapshot.", 9)) {
		if (optstr_parse(&opts, text, NULL, &e))
			return img_fail(&e, "Invalid snapshot option");
		which = optstr_get(opts, "snapshot.id");
		if (!which)
			which = optstr_get(opts, "snapshot.name");
		if (!which)
			which = "";
	}
	r = image_snapshot_load(im, which, &e);
	optstr_free(opts);
	return r ? img_fail(&e, "Failed to load snapshot") : 0;
}

static int open_sources(struct convert *a, struct copy *c, char *names[],
			size_t n)
{
	c->sources = xcalloc(n, sizeof(struct image *));
	for (; c->count < n; c->count++) {
		a->src.name = names[c->count];
		c->sources[c->count] = img_open(&a->src, IMAGE_NO_WRITERS);
		if (!c->sources[c->count])
			return 1;
	}
	if (a->snapshot && n > 1) {
		log_error("No support for concatenating multiple snapshots");
		return 1;
	}
	return a->snapshot ? load_snapshot(c->sources[0], a->snapshot) : 0;
}

static void close_sources(struct copy *c)
{
	for (size_t i = 0; i < c->count; i++)
		(void)img_close(c->sources[i], 1);	/* nothing was written */
	free(c->sources);
}

/* ---- the target ---- */

static int create_target(const char *format, const char *name,
			 struct optstr *opts)
{
	struct err e = { "" };

	if (image_create(format, name, opts, &e))
		return img_fail(&e, "%s: error while converting %s", name,
				format);
	return 0;
}

static int check_options(const struct convert *a, struct optstr *opts)
{
	const char *prealloc = optstr_get(opts, "preallocation");
	const char *below = optstr_get(opts, "backing_file");

	if (below && !optstr_get(opts, "backing_fmt")) {
		log_error("Use of backing file requires explicit backing "
			  "format");
		return 1;
	}
	if (a->compress && prealloc && strcmp(prealloc, "off")) {
		log_error("Compression and preallocation not supported at the "
			  "same time");
		return 1;
	}
	return 0;
}

static int make_target(struct convert *a, const struct copy *c,
		       const char *format)
{
	struct optstr *opts;
	int status;

	if (a->compress && !image_format_compresses(format)) {
		log_error("Compression not supported for this file format");
		return 1;
	}
	if (a->backing && !img_takes_backing(format))
		return 1;
	if (a->backing)
		img_option_add(&a->options, "backing_file", a->backing);
	if (a->backing_format)
		img_option_add(&a->options, "backing_fmt", a->backing_format);
	img_option_add_size(&a->options, c->size);
	status = img_options_parse(a->options, format, a->to.name, &opts);
	if (status)
		return status;
	status = check_options(a, opts);
	if (!status)
		status = create_target(format, a->to.name, opts);
	optstr_free(opts);
	return status;
}

static int check_target(const struct convert *a, struct copy *c)
{
	struct image *below = image_below(c->to);

	if (image_size(c->to) < c->size) {
		log_error("output file is smaller than input file");
		return 1;
	}
	if (a->compress && !image_can_compress(c->to)) {
		log_error("Compression not supported for this file format");
		return 1;
	}
	c->above = below && (!a->no_create || a->backing);
	c->below_size = below ? image_size(below) : 0;
	c->zeroed = a->zeroed || (!a->no_create && !below &&
				  image_starts_zeroed(c->to));
	return 0;
}

static int convert(const struct convert *a, struct copy *c)
{
	int status = check_target(a, c), r;

	if (status)
		return status;
	progress_start(a->progress && !a->quiet);
	status = copy_run(c);
	r = status ? 0 : image_flush(c->to);
	if (r) {
		log_error("cannot flush '%s': %s", a->to.name, strerror(-r));
		status = 1;
	}
	progress_end(!status);
	return status;
}

static int run_on(struct convert *a, struct copy *c, char *names[], size_t n)
{
	const char *format = a->target ? a->target : "raw";
	int status = open_sources(a, c, names, n);

	if (status)
		return status;
	c->size = copy_total(c->sources, c->count);
	if (!a->no_create) {
		status = make_target(a, c, format);
		if (status)
			return status;
	}
	if (!a->to.is_opts)
		a->to.format = a->no_create && !a->target ? NULL : format;
	if (!a->to.cache)
		a->to.cache = "unsafe";
	c->to = img_open(&a->to, IMAGE_WRITE | IMAGE_UNMAP);
	if (!c->to)
		return 1;
	return img_close(c->to, convert(a, c));
}

static int run(void *args, int n, char *operands[])
{
	struct convert *a = args;
	struct copy c = { .compress = a->compress, .salvage = a->salvage };
	const char *wrong = conflict(a);
	int status;

	if (wrong) {
		log_error("%s", wrong);
		return 1;
	}
	if (!read_numbers(a, &c))
		return 1;
	if (img_options_want_help(a->options))
		return img_print_create_options(a->target ? a->target : "raw",
						n > 0);
	if (n < 2)
		return img_usage("Must specify image file name");
	a->to.name = operands[n - 1];
	status = run_on(a, &c, operands, (size_t)n - 1);
	close_sources(&c);
	return status;
}

const struct img_command img_convert = {
	"convert", "[-f FMT | --image-opts] [-O FMT] [-o OPTIONS] [-c] "
	"[-B FILE -F FMT]\n      [-S SIZE] [-m N] [-W] [-C] [-n "
	"[--target-is-zero] [--target-image-opts]]\n      [-l SNAPSHOT] "
	"[-r RATE] [--salvage] [-t CACHE] [-T CACHE] [-pqU]\n      FILE... "
	"TARGET",
	rows, sizeof(struct convert), run, false,
};
