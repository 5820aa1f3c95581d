/* app/img/create.c - create: a new, empty image.
 *
 * Its size is given, or is that of the image below.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/size.h"
#include "base/alloc.h"
#include "base/log.h"

struct create {
	const char *format, *backing, *backing_format;
	char *options;
	bool quiet, unsafe;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct create, format) },
	{ 'b', NULL, ARG_TEXT, offsetof(struct create, backing) },
	{ 'F', NULL, ARG_TEXT, offsetof(struct create, backing_format) },
	{ 'o', NULL, ARG_LIST, offsetof(struct create, options) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct create, quiet) },
	{ 'u', NULL, ARG_FLAG, offsetof(struct create, unsafe) },
	ARG_ROW_END,
};

/* The size of the image below, unless the options have one; also opens it to
 * see that it is there. */
static int ask_below(const char *name, struct optstr *opts, bool unsafe,
		     uint64_t *size)
{
	const char *below = optstr_get(opts, "backing_file");
	const char *format = optstr_get(opts, "backing_fmt");
	struct err e = { "" };
	struct image *im;
	char *path;
	int r;

	if (!below || !*below || unsafe)
		return 0;
	if (format && !image_format_known(format)) {
		log_error("%s: unknown backing file format '%s'", name,
			  format);
		return 1;
	}
	path = image_resolve_name(name, below);
	if (!strcmp(path, name)) {
		log_error("%s: it cannot be its own backing file", name);
		free(path);
		return 1;
	}
	r = image_open(&im, path, format, IMAGE_SHARE, &e);
	free(path);
	if (r)
		return img_fail(&e, "%s: Could not open backing image", name);
	*size = image_size(im);
	r = img_close(im, 0);
	if (!r && !format) {
		log_error("%s: backing file without backing format: give -F",
			  name);
		return 1;
	}
	return r;
}

static int create(const char *format, const char *name, const char *list,
		  const struct create *a)
{
	struct optstr *opts;
	struct err e = { "" };
	uint64_t below = UINT64_MAX;
	char *all;
	int status = img_options_parse(list, format, name, &opts);

	if (status)
		return status;
	status = ask_below(name, opts, a->unsafe, &below);
	if (!status && !optstr_get(opts, "size")) {
		if (below == UINT64_MAX) {
			log_error("%s: Image creation needs a size parameter",
				  name);
			status = 1;
		} else {
			all = list ? xstrdup(list) : NULL;
			optstr_free(opts);
			img_option_add_size(&all, below);
			(void)optstr_parse(&opts, all, NULL, NULL);
			free(all);
		}
	}
	if (!status) {
		if (!a->quiet)
			img_print_formatting(name, format, opts);
		if (image_create(format, name, opts, &e))
			status = img_fail(&e, "%s", name);
	}
	optstr_free(opts);
	return status;
}

static int run(void *args, int n, char *operands[])
{
	struct create *a = args;
	const char *format = a->format ? a->format : "raw";
	uint64_t size;

	if (img_options_want_help(a->options)) {
		return img_print_create_options(format, n > 0);
	}
	if (n < 1)
		return img_usage("Expecting image file name");
	if (n > 2)
		return img_usage("Unexpected argument: %s", operands[2]);
	if (n == 2) {
		if (!size_option("image size", operands[1], 0, SIZE_LIMIT,
				 &size))
			return 1;
		img_option_add_size(&a->options, size);
	}
	if ((a->backing || a->backing_format) && !img_takes_backing(format))
		return 1;
	if (a->backing)
		img_option_add(&a->options, "backing_file", a->backing);
	if (a->backing_format)
		img_option_add(&a->options, "backing_fmt", a->backing_format);
	return create(format, operands[0], a->options, a);
}

const struct img_command img_create = {
	"create", "[-f FMT] [-b FILE -F FMT] [-o OPTIONS] [-qu] FILE [SIZE]",
	rows, sizeof(struct create), run, false,
};
