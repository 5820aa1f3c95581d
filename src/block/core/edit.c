/* block/core/edit.c - everything about an image but its guest's bytes: create,
 * describe, check, resize, snapshots, and what it stands on.
 *
 * What a format does not have is refused here, in one place.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "block/core/io.h"

static int missing(const struct image_format *f, const char *what,
		   struct err *e)
{
	return fail(e, ENOTSUP, "format '%s' has no %s", f->name, what);
}

static int need_write(const struct image *im, struct err *e)
{
	return im->writable ? 0 : fail(e, EROFS, "'%s' is open for reading "
				       "only", im->name);
}

/* ---- formats ---- */

const struct image_format *image_format_find(const char *name)
{
	for (unsigned i = 0; image_formats[i]; i++)
		if (!strcmp(image_formats[i]->name, name))
			return image_formats[i];
	return NULL;
}

const char *image_format_at(unsigned n)
{
	return image_formats[n] ? image_formats[n]->name : NULL;
}

bool image_format_known(const char *format)
{
	return image_format_find(format);
}

bool image_format_creatable(const char *format)
{
	const struct image_format *f = image_format_find(format);

	return f && f->create;
}

bool image_format_compresses(const char *format)
{
	const struct image_format *f = image_format_find(format);

	return f && f->encode;
}

const struct image_option *image_create_options(const char *format)
{
	const struct image_format *f = image_format_find(format);

	return f && f->create ? f->create_options : NULL;
}

const struct image_option *image_amend_options(const char *format)
{
	const struct image_format *f = image_format_find(format);

	return f && f->amend ? f->amend_options : NULL;
}

int image_prealloc_parse(const char *s, enum image_prealloc *out,
			 struct err *e)
{
	static const char *const names[] = {
		[PREALLOC_OFF] = "off", [PREALLOC_METADATA] = "metadata",
		[PREALLOC_FALLOC] = "falloc", [PREALLOC_FULL] = "full",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(s, names[i])) {
			*out = (enum image_prealloc)i;
			return 0;
		}
	return fail(e, EINVAL, "preallocation '%s' is none of off, metadata, "
		    "falloc and full", s);
}

int image_create(const char *format, const char *name, struct optstr *opts,
		 struct err *e)
{
	const struct image_format *fmt = image_format_find(format);
	struct image_file *f;
	int rc;

	if (!fmt)
		return fail(e, EINVAL, "format '%s' is unknown", format);
	if (!fmt->create)
		return fail(e, ENOTSUP, "format '%s' cannot be created",
			    format);
	if (!optstr_get(opts, "size"))
		return fail(e, EINVAL, "no size is given");
	rc = file_create(&f, name, e);
	if (rc)
		return rc;
	rc = fmt->create(f, opts, e);
	file_close(f);
	return rc;
}

int image_measure(const char *format, struct optstr *opts, struct image *src,
		  struct image_measure *m, struct err *e)
{
	const struct image_format *fmt = image_format_find(format);

	if (!fmt)
		return fail(e, EINVAL, "format '%s' is unknown", format);
	if (!fmt->measure)
		return missing(fmt, "measure", e);
	*m = (struct image_measure){ 0 };
	return fmt->measure(opts, src, m, e);
}

/* ---- facts ---- */

static struct image_fact *fact_add(struct image_fact *in, const char *key,
				   enum fact_kind kind)
{
	struct image_fact *f = xcalloc(1, sizeof(*f)), **at;

	f->key = key ? xstrdup(key) : NULL;
	f->kind = kind;
	if (in) {
		for (at = &in->first; *at; at = &(*at)->next)
			;
		*at = f;
	}
	return f;
}

struct image_fact *fact_dict(struct image_fact *in, const char *key)
{
	return fact_add(in, key, FACT_DICT);
}

struct image_fact *fact_list(struct image_fact *in, const char *key)
{
	return fact_add(in, key, FACT_LIST);
}

void fact_bool(struct image_fact *in, const char *key, bool v)
{
	fact_add(in, key, FACT_BOOL)->number = v;
}

void fact_number(struct image_fact *in, const char *key, uint64_t v)
{
	fact_add(in, key, FACT_NUMBER)->number = v;
}

void fact_text(struct image_fact *in, const char *key, const char *v)
{
	fact_add(in, key, FACT_TEXT)->text = xstrdup(v);
}

static void fact_free(struct image_fact *f)
{
	while (f) {
		struct image_fact *next = f->next;

		fact_free(f->first);
		free(f->key);
		free(f->text);
		free(f);
		f = next;
	}
}

/* ---- info ---- */

int image_info(struct image *im, struct image_info *info, struct err *e)
{
	*info = (struct image_info){
		.name = im->name, .format = im->format->name,
		.backing_name = im->backing_name,
		.backing_path = im->backing_path,
		.backing_format = im->backing_format,
		.size = im->size, .file_size = im->file->size,
		.cluster_size = im->cluster,
	};
	if (im->file->proto->usage)
		info->has_disk_size = !im->file->proto->usage(im->file,
							&info->disk_size);
	return im->format->info ? im->format->info(im, info, e) : 0;
}

void image_info_free(struct image_info *info)
{
	for (size_t i = 0; i < info->snapshot_count; i++) {
		free(info->snapshots[i].id);
		free(info->snapshots[i].name);
	}
	free(info->snapshots);
	fact_free(info->specific);
	*info = (struct image_info){ 0 };
}

/* ---- the rest ---- */

int image_check(struct image *im, unsigned fix, struct image_check *c,
		struct err *e)
{
	if (!im->format->check)
		return missing(im->format, "check", e);
	return im->format->check(im, fix, c, e);
}

/* What a disk grew by reads as zeroes, whatever lies below it or was left of
 * the last unit when it once shrank. */
static int clear_growth(struct image *im, uint64_t old, struct err *e)
{
	uint64_t end = im->cluster ? unit_up(im, old) : old;
	int rc;

	if (im->below && im->below->size > end)
		end = im->below->size;
	if (end > im->size)
		end = im->size;
	if (end <= old)
		return 0;
	rc = image_zero(im, old, end - old, 0);
	return rc ? fail(e, -rc, "cannot clear what '%s' grew by: %s",
			 im->name, strerror(-rc)) : 0;
}

int image_resize(struct image *im, uint64_t size, enum image_prealloc how,
		 struct err *e)
{
	uint64_t old = im->size;
	int rc = need_write(im, e);

	if (rc)
		return rc;
	if (!im->format->resize)
		return missing(im->format, "resize", e);
	if (size > INT64_MAX)
		return fail(e, EFBIG, "size %llu is over 2^63",
			    (unsigned long long)size);
	atomic_store(&im->dirty, true);
	rc = im->format->resize(im, size, how, e);
	return rc ? rc : clear_growth(im, old, e);
}

int image_snapshot_create(struct image *im, const char *name, struct err *e)
{
	int rc = need_write(im, e);

	if (rc)
		return rc;
	if (!im->format->snapshot_create)
		return missing(im->format, "snapshots", e);
	return im->format->snapshot_create(im, name, e);
}

int image_snapshot_apply(struct image *im, const char *which, struct err *e)
{
	int rc = need_write(im, e);

	if (rc)
		return rc;
	if (!im->format->snapshot_apply)
		return missing(im->format, "snapshots", e);
	return im->format->snapshot_apply(im, which, e);
}

int image_snapshot_delete(struct image *im, const char *which, struct err *e)
{
	int rc = need_write(im, e);

	if (rc)
		return rc;
	if (!im->format->snapshot_delete)
		return missing(im->format, "snapshots", e);
	return im->format->snapshot_delete(im, which, e);
}

int image_snapshot_load(struct image *im, const char *which, struct err *e)
{
	if (im->writable)
		return fail(e, EBUSY, "'%s' is open for writing", im->name);
	if (!im->format->snapshot_load)
		return missing(im->format, "snapshots", e);
	return im->format->snapshot_load(im, which, e);
}

static void replace(char **text, const char *with)
{
	char *copy = with ? xstrdup(with) : NULL;

	free(*text);
	*text = copy;
}

int image_set_backing(struct image *im, const char *name, const char *format,
		      struct err *e)
{
	int rc = need_write(im, e);

	if (rc)
		return rc;
	if (!im->format->set_backing)
		return missing(im->format, "backing file", e);
	rc = im->format->set_backing(im, name, format, e);
	if (rc)
		return rc;
	replace(&im->backing_name, name);
	replace(&im->backing_format, name ? format : NULL);
	free(im->backing_path);
	im->backing_path = name ?
		image_resolve_name(im->file->name, name) : NULL;
	return 0;
}

int image_make_empty(struct image *im, struct err *e)
{
	int rc = need_write(im, e);

	if (rc)
		return rc;
	if (!im->format->make_empty)
		return missing(im->format, "way to be emptied", e);
	return im->format->make_empty(im, e);
}

int image_amend(struct image *im, struct optstr *opts, struct err *e)
{
	int rc = need_write(im, e);

	if (rc)
		return rc;
	if (!im->format->amend)
		return missing(im->format, "options to amend", e);
	return im->format->amend(im, opts, e);
}
