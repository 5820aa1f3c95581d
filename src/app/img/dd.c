/* app/img/dd.c - dd: blocks of an image as a new image, in dd(1)'s words.
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "app/img/copy.h"
#include "app/img/img.h"
#include "app/img/size.h"
#include "app/img/walk.h"
#include "base/log.h"
#include "base/num.h"

struct dd {
	struct img_source src, to;
	const char *target;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	{ 'f', NULL, ARG_TEXT, offsetof(struct dd, src.format) },
	{ 'O', NULL, ARG_TEXT, offsetof(struct dd, target) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct dd, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct dd, src.share) },
	ARG_ROW_END,
};

struct blocks {
	uint64_t size, count, skip;
	bool counted;
};

/* One "key=value"; false, and said, if it is none. */
static bool operand(char *word, struct dd *a, struct blocks *b)
{
	char *value = strchr(word, '=');

	if (!value) {
		log_error("unrecognized operand %s", word);
		return false;
	}
	*value++ = '\0';
	if (!strcmp(word, "if")) {
		a->src.name = value;
		return true;
	}
	if (!strcmp(word, "of")) {
		a->to.name = value;
		return true;
	}
	if (!strcmp(word, "bs"))
		return size_option("bs", value, 1, INT32_MAX, &b->size);
	if (!strcmp(word, "skip"))
		return size_option("skip", value, 0, SIZE_LIMIT, &b->skip);
	if (!strcmp(word, "count")) {
		b->counted = true;
		return size_option("count", value, 0, SIZE_LIMIT, &b->count);
	}
	log_error("unrecognized operand %s", word);
	return false;
}

/* Which bytes of size are meant; none if the first is past the end.  As with
 * qemu-img, the count begins at the first block, not behind those skipped. */
static void select_bytes(const struct blocks *b, uint64_t size,
			 struct copy *c)
{
	uint64_t end;

	if (!b->counted || !checked_mul(b->count, b->size, &end) || end > size)
		end = size;
	if (!checked_mul(b->skip, b->size, &c->skip) || c->skip > end)
		c->skip = end;
	c->size = end - c->skip;
}

static int create(const struct dd *a, const char *format, uint64_t size)
{
	struct err e = { "" };
	struct optstr *opts;
	char text[32];
	int status;

	snprintf(text, sizeof(text), "size=%llu", (unsigned long long)size);
	status = img_options_parse(text, format, a->to.name, &opts);
	if (status)
		return status;
	if (image_create(format, a->to.name, opts, &e))
		status = img_fail(&e, "%s: error while creating output image "
				  "of type '%s'", a->to.name, format);
	optstr_free(opts);
	return status;
}

static int copy(struct dd *a, struct image *src, const struct blocks *b)
{
	const char *format = a->target ? a->target : "raw";
	struct copy c = { .sources = &src, .count = 1, .sparse = 4096,
			  .threads = WALK_THREADS };

	select_bytes(b, image_size(src), &c);
	if (create(a, format, c.size))
		return 1;
	a->to.format = format;
	c.to = img_open(&a->to, IMAGE_WRITE);
	if (!c.to)
		return 1;
	if (b->skip && !c.size)
		log_warn("%s: cannot skip to specified offset", a->src.name);
	c.zeroed = image_starts_zeroed(c.to);
	return img_close(c.to, copy_run(&c));
}

static int run(void *args, int n, char *operands[])
{
	struct dd *a = args;
	struct blocks b = { .size = 512 };
	struct image *src;
	int status;

	if (a->target && !image_format_known(a->target)) {
		log_error("Unknown file format '%s'", a->target);
		return 1;
	}
	for (int i = 0; i < n; i++)
		if (!operand(operands[i], a, &b))
			return 1;
	if (!a->src.name || !a->to.name) {
		log_error("Must specify both input and output files");
		return 1;
	}
	src = img_open(&a->src, IMAGE_NO_WRITERS);
	if (!src)
		return 1;
	status = copy(a, src, &b);
	(void)image_close(src);		/* nothing was written */
	return status;
}

const struct img_command img_dd = {
	"dd", "[-f FMT | --image-opts] [-O FMT] [-U] [bs=SIZE] [count=N] "
	"[skip=N] if=FILE of=FILE",
	rows, sizeof(struct dd), run, false,
};
