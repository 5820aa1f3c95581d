/* app/img/bitmap.c - bitmap: dirty bitmaps kept in an image.
 *
 * The block core has none yet, so this checks its command line and says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include "app/img/img.h"
#include "base/log.h"

struct bitmap {
	struct img_source src;
	bool add, remove, clear, enable, disable;
	const char *merge, *source, *source_format, *granularity;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct bitmap, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct bitmap, src.is_opts) },
	{ 0, "add", ARG_FLAG, offsetof(struct bitmap, add) },
	{ 0, "remove", ARG_FLAG, offsetof(struct bitmap, remove) },
	{ 0, "clear", ARG_FLAG, offsetof(struct bitmap, clear) },
	{ 0, "enable", ARG_FLAG, offsetof(struct bitmap, enable) },
	{ 0, "disable", ARG_FLAG, offsetof(struct bitmap, disable) },
	{ 0, "merge", ARG_TEXT, offsetof(struct bitmap, merge) },
	{ 'b', NULL, ARG_TEXT, offsetof(struct bitmap, source) },
	{ 'F', NULL, ARG_TEXT, offsetof(struct bitmap, source_format) },
	{ 'g', "granularity", ARG_TEXT, offsetof(struct bitmap, granularity) },
	ARG_ROW_END,
};

static int run(void *args, int n, char *operands[])
{
	struct bitmap *a = args;

	if (!a->add && !a->remove && !a->clear && !a->enable && !a->disable &&
	    !a->merge)
		return img_usage("Need at least one of --add, --remove, "
				 "--clear, --enable, --disable, or --merge");
	if (n != 2)
		return img_usage("Expecting filename and bitmap name");
	log_error("bitmap: not in this version");
	return 1;
}

const struct img_command img_bitmap = {
	"bitmap", "(--merge SOURCE | --add | --remove | --clear | --enable | "
	"--disable)... [-b FILE [-F FMT]] [-g SIZE] [-f FMT | --image-opts] "
	"FILE BITMAP",
	rows, sizeof(struct bitmap), run, false,
};
