/* app/img/measure.c - measure: how large the file of a new image would be.
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/size.h"
#include "base/log.h"

struct measure {
	struct img_source src;
	const char *output, *target, *size, *snapshot;
	char *options;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', NULL, ARG_TEXT, offsetof(struct measure, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct measure, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct measure, src.share) },
	{ 'l', NULL, ARG_TEXT, offsetof(struct measure, snapshot) },
	{ 'o', NULL, ARG_LIST, offsetof(struct measure, options) },
	{ 'O', NULL, ARG_TEXT, offsetof(struct measure, target) },
	{ 0, "output", ARG_TEXT, offsetof(struct measure, output) },
	{ 0, "size", ARG_TEXT, offsetof(struct measure, size) },
	ARG_ROW_END,
};

static void print(const struct image_measure *m, bool json)
{
	struct json *j;

	if (!json) {
		printf("required size: %" PRIu64 "\nfully allocated size: %"
		       PRIu64 "\n", m->required, m->full);
		if (m->has_bitmaps)
			printf("bitmaps size: %" PRIu64 "\n", m->bitmaps);
		return;
	}
	j = json_new_object();
	json_put(j, "required", json_new_uint(m->required));
	json_put(j, "fully-allocated", json_new_uint(m->full));
	if (m->has_bitmaps)
		json_put(j, "bitmaps", json_new_uint(m->bitmaps));
	img_print_json(j);
}

static int measure(struct measure *a, struct image *src, bool json)
{
	const char *format = a->target ? a->target : "raw";
	struct image_measure m = { 0 };
	struct err e = { "" };
	struct optstr *opts;
	int status;

	if (a->snapshot && src && image_snapshot_load(src, a->snapshot, &e))
		return img_fail(&e, "Failed to load snapshot");
	status = img_options_parse(a->options, format, format, &opts);
	if (status)
		return status;
	if (image_measure(format, opts, src, &m, &e))
		status = img_fail(&e, "%s", format);
	else
		print(&m, json);
	optstr_free(opts);
	return status;
}

static int run(void *args, int n, char *operands[])
{
	struct measure *a = args;
	struct image *im = NULL;
	uint64_t size;
	bool json;

	if (!img_output_format(a->output, &json))
		return 1;
	if (a->size && !size_option("image size", a->size, 0, SIZE_LIMIT,
				    &size))
		return 1;
	if (n > 1)
		return img_usage("At most one filename argument is allowed");
	if (a->size && n) {
		log_error("--size N cannot be used together with a filename");
		return 1;
	}
	if (!a->size && !n) {
		log_error("either --size N or one filename must be specified");
		return 1;
	}
	if (!n) {
		img_option_add_size(&a->options, size);
		return measure(a, NULL, json);
	}
	a->src.name = operands[0];
	im = img_open(&a->src, 0);
	return im ? img_close(im, measure(a, im, json)) : 1;
}

const struct img_command img_measure = {
	"measure", "[-O FMT] [-o OPTIONS] [--output=human|json] "
	"[--size SIZE | [-f FMT | --image-opts] [-l SNAPSHOT] [-U] FILE]",
	rows, sizeof(struct measure), run, false,
};
