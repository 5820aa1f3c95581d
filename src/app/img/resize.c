/* app/img/resize.c - resize: the disk becomes larger or, if asked, smaller.
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "app/img/img.h"
#include "app/img/size.h"
#include "base/log.h"
#include "base/num.h"

struct resize {
	struct img_source src;
	const char *prealloc;
	bool quiet, shrink;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct resize, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct resize, src.is_opts) },
	{ 0, "preallocation", ARG_TEXT, offsetof(struct resize, prealloc) },
	{ 0, "shrink", ARG_FLAG, offsetof(struct resize, shrink) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct resize, quiet) },
	ARG_ROW_END,
};

/* "+1G" and "-1G" count from the size it has. */
static bool new_size(const char *s, uint64_t now, uint64_t *out)
{
	uint64_t v;
	char sign = *s;

	if (sign == '+' || sign == '-')
		s++;
	if (!size_option("size", s, 0, SIZE_LIMIT, &v))
		return false;
	if (sign == '+' && !checked_add(now, v, &v))
		v = UINT64_MAX;
	else if (sign == '-')
		v = v < now ? now - v : 0;
	if (!v || v > SIZE_LIMIT) {
		log_error("the new image size has to be positive and below "
			  "8 EiB");
		return false;
	}
	*out = v;
	return true;
}

static int resize(struct image *im, const struct resize *a,
		  const char *size_text, enum image_prealloc how)
{
	uint64_t now = image_size(im), size;
	struct err e = { "" };

	if (!new_size(size_text, now, &size))
		return 1;
	if (size <= now && how != PREALLOC_OFF) {
		log_error("Preallocation can only be used for growing images");
		return 1;
	}
	if (size < now && !a->shrink) {
		log_error("the image would lose all data behind its new end: "
			  "--shrink says that this is meant");
		return 1;
	}
	if (image_resize(im, size, how, &e))
		return img_fail(&e, "cannot resize");
	if (!a->quiet)
		puts("Image resized.");
	return 0;
}

/* A size that is none is told before an image that is not there. */
static bool is_size(const char *s)
{
	uint64_t v;

	return size_option("size", s + (*s == '+' || *s == '-'), 0,
			   SIZE_LIMIT, &v);
}

static int run(void *args, int n, char *operands[])
{
	struct resize *a = args;
	enum image_prealloc how = PREALLOC_OFF;
	struct err e = { "" };
	struct image *im;

	if (n != 2)
		return img_usage("Expecting image file name and size");
	if (a->prealloc && image_prealloc_parse(a->prealloc, &how, &e)) {
		log_error("%s", e.text);
		return 1;
	}
	if (!is_size(operands[1]))
		return 1;
	a->src.name = operands[0];
	im = img_open(&a->src, IMAGE_WRITE);
	return im ? img_close(im, resize(im, a, operands[1], how)) : 1;
}

const struct img_command img_resize = {
	"resize", "[-f FMT | --image-opts] [--preallocation=MODE] [--shrink] "
	"[-q] FILE [+ | -]SIZE",
	rows, sizeof(struct resize), run, true,
};
