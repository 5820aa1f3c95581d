/* app/img/check.c - check: is an image's metadata sound, and -r: make it so.
 *
 * Status: 0 sound, 1 it could not be checked, 2 corruptions, 3 only leaks,
 * 63 the format has nothing to check.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "app/img/img.h"
#include "base/log.h"

struct check {
	struct img_source src;
	const char *output, *repair;
	bool quiet;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', "format", ARG_TEXT, offsetof(struct check, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct check, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct check, src.share) },
	{ 'T', NULL, ARG_TEXT, offsetof(struct check, src.cache) },
	{ 'r', "repair", ARG_TEXT, offsetof(struct check, repair) },
	{ 0, "output", ARG_TEXT, offsetof(struct check, output) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct check, quiet) },
	ARG_ROW_END,
};

static void say(void *ctx, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void put(struct json *j, const char *key, uint64_t v)
{
	if (v)
		json_put(j, key, json_new_uint(v));
}

static void print_json(const struct image_check *c, struct image *im)
{
	struct json *j = json_new_object();

	json_put(j, "filename", json_new_string(image_name(im)));
	json_put(j, "format", json_new_string(image_format_name(im)));
	json_put(j, "check-errors", json_new_uint(c->check_errors));
	put(j, "image-end-offset", c->image_end_offset);
	put(j, "corruptions", c->corruptions);
	put(j, "leaks", c->leaks);
	put(j, "corruptions-fixed", c->corruptions_fixed);
	put(j, "leaks-fixed", c->leaks_fixed);
	put(j, "total-clusters", c->total_clusters);
	put(j, "allocated-clusters", c->allocated_clusters);
	put(j, "fragmented-clusters", c->fragmented_clusters);
	put(j, "compressed-clusters", c->compressed_clusters);
	img_print_json(j);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? (double)part * 100 / (double)whole : 0;
}

static void print_human(const struct image_check *c)
{
	if (!c->corruptions && !c->leaks && !c->check_errors)
		printf("No errors were found on the image.\n");
	if (c->corruptions)
		printf("\n%" PRIu64 " errors were found on the image.\n"
		       "Data may be corrupted, or further writes to the image "
		       "may corrupt it.\n", c->corruptions);
	if (c->leaks)
		printf("\n%" PRIu64 " leaked clusters were found on the image."
		       "\nThis means waste of disk space, but no harm to "
		       "data.\n", c->leaks);
	if (c->check_errors)
		printf("\n%" PRIu64 " internal errors have occurred during "
		       "the check.\n", c->check_errors);
	if (c->total_clusters && c->allocated_clusters)
		printf("%" PRIu64 "/%" PRIu64 " = %0.2f%% allocated, "
		       "%0.2f%% fragmented, %0.2f%% compressed clusters\n",
		       c->allocated_clusters, c->total_clusters,
		       percent(c->allocated_clusters, c->total_clusters),
		       percent(c->fragmented_clusters, c->allocated_clusters),
		       percent(c->compressed_clusters, c->allocated_clusters));
	if (c->image_end_offset)
		printf("Image end offset: %" PRIu64 "\n", c->image_end_offset);
}

static int status_of(const struct image_check *c)
{
	return c->check_errors ? 1 : c->corruptions ? 2 : c->leaks ? 3 : 0;
}

static int once(struct image *im, unsigned fix, struct image_check *c)
{
	struct err e = { "" };
	int r;

	*c = (struct image_check){ .say = say };
	r = image_check(im, fix, c, &e);
	if (r == -ENOTSUP) {
		log_error("This image format does not support checks");
		return 63;
	}
	return r ? img_fail(&e, "Check failed") : 0;
}

/* What was repaired is checked again, so that what is told last is true. */
static int again(struct image *im, struct image_check *c, bool tell)
{
	struct image_check before = *c;
	int status;

	if (!c->corruptions_fixed && !c->leaks_fixed)
		return 0;
	if (tell)
		printf("The following inconsistencies were found and repaired:"
		       "\n\n    %" PRIu64 " leaked clusters\n    %" PRIu64
		       " corruptions\n\nDouble checking the fixed image "
		       "now...\n", c->leaks_fixed, c->corruptions_fixed);
	status = once(im, 0, c);
	c->leaks_fixed = before.leaks_fixed;
	c->corruptions_fixed = before.corruptions_fixed;
	return status;
}

static int check(struct image *im, unsigned fix, const struct check *a,
		 bool json)
{
	struct image_check c;
	int status = once(im, fix, &c);

	if (!status)
		status = again(im, &c, !json && !a->quiet);
	if (status)
		return status;
	if (json)
		print_json(&c, im);
	else if (!a->quiet)
		print_human(&c);
	return status_of(&c);
}

static bool what_to_fix(const char *s, unsigned *fix)
{
	*fix = 0;
	if (!s)
		return true;
	*fix = FIX_LEAKS;
	if (!strcmp(s, "leaks"))
		return true;
	*fix |= FIX_ERRORS;
	if (!strcmp(s, "all"))
		return true;
	log_error("-r %s: neither 'leaks' nor 'all'", s);
	return false;
}

static int run(void *args, int n, char *operands[])
{
	struct check *a = args;
	struct image *im;
	unsigned fix;
	bool json;

	if (!what_to_fix(a->repair, &fix) ||
	    !img_output_format(a->output, &json))
		return 1;
	if (n != 1)
		return img_usage("Expecting one image file name");
	a->src.name = operands[0];
	im = img_open(&a->src, IMAGE_CHECK | (fix ? IMAGE_WRITE : 0));
	if (!im)
		return 1;
	return img_close(im, check(im, fix, a, json));
}

const struct img_command img_check = {
	"check", "[-f FMT | --image-opts] [-r leaks|all] "
	"[--output=human|json] [-T CACHE] [-qU] FILE",
	rows, sizeof(struct check), run, false,
};
