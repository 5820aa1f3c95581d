/* app/img/amend.c - amend: change options of an image that exists.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/progress.h"
#include "base/alloc.h"
#include "base/log.h"

struct amend {
	struct img_source src;
	char *options;
	bool progress, quiet, force;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct amend, src.format) },
	{ 't', NULL, ARG_TEXT, offsetof(struct amend, src.cache) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct amend, src.is_opts) },
	{ 0, "force", ARG_FLAG, offsetof(struct amend, force) },
	{ 'o', NULL, ARG_LIST, offsetof(struct amend, options) },
	{ 'p', NULL, ARG_FLAG, offsetof(struct amend, progress) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct amend, quiet) },
	ARG_ROW_END,
};

static int print_options(const char *format)
{
	const struct image_option *options = image_amend_options(format);
	char *title;

	if (!options) {
		log_error("format '%s' has no options to amend", format);
		return 1;
	}
	title = xasprintf("Amend options for '%s':", format);
	img_print_options(title, options);
	free(title);
	return 0;
}

static bool knows(const char *format, struct optstr *opts)
{
	const struct image_option *o;
	const char *key, *value;

	for (size_t i = 0; optstr_at(opts, i, &key, &value); i++) {
		o = image_amend_options(format);
		while (o->name && strcmp(o->name, key))
			o++;
		if (!o->name) {
			log_error("option '%s' cannot be amended, '-o help' "
				  "lists those that can", key);
			return false;
		}
	}
	return true;
}

static bool is_same(struct optstr *opts, const char *key, const char *now)
{
	const char *wanted = optstr_get(opts, key);

	return !wanted || (now && !strcmp(wanted, now));
}

/* Another image below is rebase's business, which looks at the contents. */
static bool keeps_backing(struct image *im, struct optstr *opts)
{
	struct image_info info;
	bool same;

	if (image_info(im, &info, NULL))
		return false;
	same = is_same(opts, "backing_file", info.backing_name) &&
	       is_same(opts, "backing_fmt", info.backing_format);
	image_info_free(&info);
	if (!same)
		log_error("amend cannot change the backing file, rebase does");
	return same;
}

static int amend(struct image *im, const struct amend *a)
{
	const char *format = image_format_name(im);
	struct err e = { "" };
	struct optstr *opts;
	int status = 1;

	if (img_options_want_help(a->options))
		return print_options(format);
	if (!image_amend_options(format)) {
		log_error("format '%s' has no options to amend", format);
		return 1;
	}
	if (optstr_parse(&opts, a->options, NULL, &e))
		return img_fail(&e, "invalid option list");
	if (knows(format, opts) && keeps_backing(im, opts)) {
		progress_start(a->progress && !a->quiet);
		status = image_amend(im, opts, &e) ?
			 img_fail(&e, "cannot amend") : 0;
		progress_end(!status);
	}
	optstr_free(opts);
	return status;
}

static int run(void *args, int n, char *operands[])
{
	struct amend *a = args;
	struct image *im;

	if (!a->options)
		return img_usage("Must specify options (-o)");
	if (!n && a->src.format && img_options_want_help(a->options))
		return print_options(a->src.format);
	if (n != 1)
		return img_usage("Expecting one image file name");
	a->src.name = operands[0];
	im = img_open(&a->src, IMAGE_WRITE);
	return im ? img_close(im, amend(im, a)) : 1;
}

const struct img_command img_amend = {
	"amend", "[-f FMT | --image-opts] [-t CACHE] [--force] [-pq] "
	"-o OPTIONS FILE",
	rows, sizeof(struct amend), run, false,
};
