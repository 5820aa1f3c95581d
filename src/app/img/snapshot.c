/* app/img/snapshot.c - snapshot: list, make, return to, drop.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/img/img.h"
#include "app/img/size.h"
#include "app/img/snapshot_list.h"
#include "base/log.h"

struct snapshot {
	struct img_source src;
	bool list, quiet;
	const char *apply, *create, *remove;
};

static const struct arg_row rows[] = {
	ARG_ROW_HELP,
	ARG_ROW_OBJECT,
	{ 0, "image-opts", ARG_FLAG, offsetof(struct snapshot, src.is_opts) },
	{ 'U', "force-share", ARG_FLAG, offsetof(struct snapshot, src.share) },
	{ 'l', NULL, ARG_FLAG, offsetof(struct snapshot, list) },
	{ 'a', NULL, ARG_TEXT, offsetof(struct snapshot, apply) },
	{ 'c', NULL, ARG_TEXT, offsetof(struct snapshot, create) },
	{ 'd', NULL, ARG_TEXT, offsetof(struct snapshot, remove) },
	{ 'q', NULL, ARG_FLAG, offsetof(struct snapshot, quiet) },
	ARG_ROW_END,
};

static void print_row(const struct image_snapshot *s)
{
	uint64_t seconds = s->vm_clock_ns / 1000000000;
	time_t at = s->date_s;
	char date[32], clock[40], icount[24] = "", size[SIZE_TEXT];
	struct tm tm;

	localtime_r(&at, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(clock, sizeof(clock), "%02" PRIu64 ":%02u:%02u.%03u",
		 seconds / 3600, (unsigned)(seconds / 60 % 60),
		 (unsigned)(seconds % 60),
		 (unsigned)(s->vm_clock_ns / 1000000 % 1000));
	if (s->icount != UINT64_MAX)
		snprintf(icount, sizeof(icount), "%" PRIu64, s->icount);
	printf("%-9s %-16s %8s%20s%13s%11s\n", s->id, s->name,
	       size_human(s->vm_state_size, size), date, clock, icount);
}

void snapshot_list_print(const struct image_info *info)
{
	if (!info->snapshot_count)
		return;
	printf("Snapshot list:\n%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG",
	       "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
	for (size_t i = 0; i < info->snapshot_count; i++)
		print_row(info->snapshots + i);
}

static int list(struct image *im)
{
	struct image_info info;
	struct err e = { "" };

	if (image_info(im, &info, &e))
		return img_fail(&e, "cannot list the snapshots");
	snapshot_list_print(&info);
	image_info_free(&info);
	return 0;
}

static int act(struct image *im, const struct snapshot *a)
{
	struct err e = { "" };

	if (a->create && image_snapshot_create(im, a->create, &e))
		return img_fail(&e, "Could not create snapshot '%s'",
				a->create);
	if (a->apply && image_snapshot_apply(im, a->apply, &e))
		return img_fail(&e, "Could not apply snapshot '%s'", a->apply);
	if (a->remove && image_snapshot_delete(im, a->remove, &e))
		return img_fail(&e, "Could not delete snapshot '%s'",
				a->remove);
	return 0;
}

static int run(void *args, int n, char *operands[])
{
	struct snapshot *a = args;
	bool writes = a->apply || a->create || a->remove;
	struct image *im;
	int status;

	if (a->list + !!a->apply + !!a->create + !!a->remove > 1)
		return img_usage("Cannot mix '-l', '-a', '-c', '-d'");
	if (n != 1)
		return img_usage("Expecting one image file name");
	a->src.name = operands[0];
	im = img_open(&a->src, writes ? IMAGE_WRITE | IMAGE_UNMAP : 0);
	if (!im)
		return 1;
	if (writes)
		status = act(im, a);
	else
		status = a->list ? list(im) : 0;
	return img_close(im, status);
}

const struct img_command img_snapshot = {
	"snapshot", "[-l | -a NAME | -c NAME | -d NAME] [--image-opts] [-qU] "
	"FILE",
	rows, sizeof(struct snapshot), run, false,
};
