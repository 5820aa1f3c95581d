/* app/img/info.c - info: what an image is, or each image of a chain.
 *
 * A tree of facts becomes a JSON tree; the text for people is printed from the
 * same tree, so that both have their lines in the same order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/img/size.h"
#include "app/img/snapshot_list.h"
#include "base/bytes.h"

struct info {
	struct img_source src;
	const char *output;
	bool chain;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 'f', "format", ARG_TEXT, offsetof(struct info, src.format) },
	{ 0, "image-opts", ARG_FLAG, offsetof(struct info, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct info, src.share) },
	{ 0, "output", ARG_TEXT, offsetof(struct info, output) },
	{ 0, "backing-chain", ARG_FLAG, offsetof(struct info, chain) },
	ARG_ROW_END,
};

/* ---- as JSON ---- */

static struct json *from_fact(const struct image_fact *f)
{
	struct json *j;

	switch (f->kind) {
	case FACT_BOOL:
		return json_new_bool(f->number);
	case FACT_NUMBER:
		return json_new_uint(f->number);
	case FACT_TEXT:
		return json_new_string(f->text);
	case FACT_DICT:
		j = json_new_object();
		for (f = f->first; f; f = f->next)
			json_put(j, f->key, from_fact(f));
		return j;
	case FACT_LIST:
		break;
	}
	j = json_new_array();
	for (f = f->first; f; f = f->next)
		json_push(j, from_fact(f));
	return j;
}

static struct json *snapshot_json(const struct image_snapshot *s)
{
	struct json *j = json_new_object();

	json_put(j, "id", json_new_string(s->id));
	json_put(j, "name", json_new_string(s->name));
	json_put(j, "vm-state-size", json_new_uint(s->vm_state_size));
	json_put(j, "date-sec", json_new_uint(s->date_s));
	json_put(j, "date-nsec", json_new_uint(s->date_ns));
	json_put(j, "vm-clock-sec", json_new_uint(s->vm_clock_ns / 1000000000));
	json_put(j, "vm-clock-nsec",
		 json_new_uint(s->vm_clock_ns % 1000000000));
	if (s->icount != UINT64_MAX)
		json_put(j, "icount", json_new_uint(s->icount));
	return j;
}

static void put_text(struct json *j, const char *key, const char *text)
{
	if (text)
		json_put(j, key, json_new_string(text));
}

static struct json *specific_json(const struct image_info *info)
{
	struct json *j = json_new_object();

	json_put(j, "type", json_new_string(info->specific_type));
	json_put(j, "data", from_fact(info->specific));
	return j;
}

/* Formats of which QEMU never says whether they were closed cleanly. */
static bool tells_dirty(const char *format)
{
	static const char *const silent[] = { "parallels", "bochs", "cloop",
					      "dmg" };

	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		if (!strcmp(silent[i], format))
			return false;
	return true;
}

static struct json *info_json(const struct image_info *info)
{
	struct json *j = json_new_object(), *list;

	put_text(j, "filename", info->name);
	put_text(j, "format", info->format);
	json_put(j, "virtual-size", json_new_uint(info->size));
	if (info->has_disk_size)
		json_put(j, "actual-size", json_new_uint(info->disk_size));
	if (info->cluster_size)
		json_put(j, "cluster-size", json_new_uint(info->cluster_size));
	if (info->encrypted)
		json_put(j, "encrypted", json_new_bool(true));
	if (info->compressed)
		json_put(j, "compressed", json_new_bool(true));
	if (tells_dirty(info->format))
		json_put(j, "dirty-flag", json_new_bool(info->dirty));
	put_text(j, "backing-filename", info->backing_name);
	put_text(j, "full-backing-filename", info->backing_path);
	put_text(j, "backing-filename-format", info->backing_format);
	if (info->snapshot_count) {
		list = json_put(j, "snapshots", json_new_array());
		for (size_t i = 0; i < info->snapshot_count; i++)
			json_push(list, snapshot_json(info->snapshots + i));
	}
	if (info->specific)
		json_put(j, "format-specific", specific_json(info));
	return j;
}

/* ---- for people ---- */

static void print_tree(const struct json *j, int depth);

static void print_leaf(const struct json *j)
{
	char *text;

	switch (json_kind(j)) {
	case JSON_STRING:
		printf(" %s\n", json_text(j));
		break;
	default:
		text = json_print(j, JSON_COMPACT);
		printf(" %s\n", text);
		free(text);
	}
}

static void print_item(const struct json *j, size_t n, int depth)
{
	bool composite = json_kind(j) == JSON_OBJECT ||
			 json_kind(j) == JSON_ARRAY;

	printf("%*s", depth * 4, "");
	if (json_key(j))
		for (const char *c = json_key(j); *c; c++)
			putchar(*c == '-' ? ' ' : *c);
	else
		printf("[%zu]", n);
	putchar(':');
	if (composite) {
		putchar('\n');
		print_tree(j, depth + 1);
	} else {
		print_leaf(j);
	}
}

static void print_tree(const struct json *j, int depth)
{
	for (size_t i = 0; i < json_count(j); i++)
		print_item(json_at(j, i), i, depth);
}

static void print_backing(const struct image_info *info)
{
	printf("backing file: %s", info->backing_name);
	if (!info->backing_path)
		printf(" (cannot determine actual path)");
	else if (strcmp(info->backing_name, info->backing_path))
		printf(" (actual path: %s)", info->backing_path);
	putchar('\n');
	if (info->backing_format)
		printf("backing file format: %s\n", info->backing_format);
}

static void print_human(const struct image_info *info)
{
	char size[SIZE_TEXT], disk[SIZE_TEXT] = "unavailable";
	struct json *specific;

	if (info->has_disk_size)
		size_human(info->disk_size, disk);
	printf("image: %s\nfile format: %s\nvirtual size: %s (%" PRIu64
	       " bytes)\ndisk size: %s\n", info->name, info->format,
	       size_human(info->size, size), info->size, disk);
	if (info->encrypted)
		printf("encrypted: yes\n");
	if (info->cluster_size)
		printf("cluster_size: %u\n", info->cluster_size);
	if (info->dirty)
		printf("cleanly shut down: no\n");
	if (info->backing_name)
		print_backing(info);
	snapshot_list_print(info);
	if (info->specific) {
		printf("Format specific information:\n");
		specific = from_fact(info->specific);
		json_sort(specific);
		print_tree(specific, 1);
		json_free(specific);
	}
}

/* ---- the chain ---- */

/* One image more: into list, or printed. */
static int tell(struct image *im, struct json **list, bool json, bool first)
{
	struct image_info info;
	struct err e = { "" };

	if (image_info(im, &info, &e))
		return img_fail(&e, "'%s'", image_name(im));
	if (json) {
		json_push(*list, info_json(&info));
	} else {
		if (!first)
			putchar('\n');
		print_human(&info);
	}
	image_info_free(&info);
	return 0;
}

static int tell_all(struct image *im, bool json, bool chain)
{
	struct json *list = json ? json_new_array() : NULL;
	struct image *at = im;
	int status = 0;

	for (; at && !status; at = chain ? image_below(at) : NULL)
		status = tell(at, &list, json, at == im);
	if (!status && json && chain)
		img_print_json(json_copy(list));
	else if (!status && json)
		img_print_json(json_copy(json_at(list, 0)));
	json_free(list);
	return status;
}

static int run(void *args, int n, char *operands[])
{
	struct info *a = args;
	struct image *im;
	bool json;

	if (!img_output_format(a->output, &json))
		return 1;
	if (n != 1)
		return img_usage("Expecting one image file name");
	a->src.name = operands[0];
	im = img_open(&a->src, a->chain ? 0 : IMAGE_NO_BACKING);
	if (!im)
		return 1;
	return img_close(im, tell_all(im, json, a->chain));
}

const struct img_command img_info = {
	"info", "[-f FMT | --image-opts] [--output=human|json] "
	"[--backing-chain] [-U] FILE",
	rows, sizeof(struct info), run, false,
};
