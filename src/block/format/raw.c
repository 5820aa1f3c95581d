/* block/format/raw.c - the file is the disk.
 *
 * A file whose length is no multiple of 512 is a disk with a last sector that
 * ends in zeroes, since disks have whole sectors.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "block/format/formats.h"

#define SECTOR		512ull

static int raw_probe(const uint8_t *head, size_t len, const char *name)
{
	(void)head;
	(void)len;
	(void)name;
	return 1;
}

static uint64_t whole_sectors(uint64_t bytes)
{
	return (bytes + SECTOR - 1) & ~(SECTOR - 1);
}

static int raw_open(struct image *im, struct err *e)
{
	uint64_t size = im->file->size;

	if (size > INT64_MAX - SECTOR)
		return fail(e, EFBIG, "raw: size %llu is over 2^63",
			    (unsigned long long)size);
	im->size = whole_sectors(size);
	return 0;
}

static int raw_close(struct image *im)
{
	(void)im;
	return 0;
}

static int raw_map(struct image *im, uint64_t offset, struct extent *x)
{
	x->kind = EXTENT_DATA;
	x->in_place = true;
	x->sparse = true;
	x->at = offset;
	x->len = im->size - offset;
	return 0;
}

static int raw_resize(struct image *im, uint64_t size,
		      enum image_prealloc how, struct err *e)
{
	int rc;

	if (how == PREALLOC_METADATA)
		return fail(e, ENOTSUP, "raw: there is no metadata to "
			    "preallocate");
	rc = file_resize(im->file, size, how, e);
	if (!rc)
		im->size = whole_sectors(size);
	return rc;
}

/* ---- create ---- */

static const struct image_option raw_options[] = {
	{ "size", "bytes of the disk", OPTION_SIZE, NULL },
	{ "preallocation", "off, falloc or full", OPTION_STRING, NULL },
	{ "nocow", "switch copy-on-write of the file system off",
	  OPTION_BOOL, NULL },
	{ NULL, NULL, 0, NULL },
};

/* What create and measure share. */
static int raw_size(struct optstr *opts, uint64_t *size, struct err *e)
{
	int rc = optstr_size(opts, "size", 1, size, e);

	*size = whole_sectors(*size);
	return rc;
}

static int raw_create(struct image_file *f, struct optstr *opts,
		      struct err *e)
{
	const char *how = optstr_get(opts, "preallocation");
	enum image_prealloc prealloc = PREALLOC_OFF;
	bool nocow = false;	/* btrfs alone has it, and it is only speed */
	uint64_t size = 0;
	int rc = raw_size(opts, &size, e);

	if (!rc)
		rc = optstr_bool(opts, "nocow", &nocow, e);
	if (!rc && how)
		rc = image_prealloc_parse(how, &prealloc, e);
	if (!rc && prealloc == PREALLOC_METADATA)
		rc = fail(e, EINVAL, "raw: there is no metadata to "
			  "preallocate");
	return rc ? rc : file_resize(f, size, prealloc, e);
}

static int raw_measure(struct optstr *opts, struct image *src,
		       struct image_measure *m, struct err *e)
{
	uint64_t size = src ? src->size : 0;
	int rc = src ? 0 : raw_size(opts, &size, e);

	m->required = m->full = size;
	return rc;
}

const struct image_format raw_format = {
	.name = "raw", .zero_init = true, .no_metadata = true,
	.writes_in_place = true, .probe = raw_probe, .open = raw_open,
	.close = raw_close, .map = raw_map, .resize = raw_resize,
	.create = raw_create, .create_options = raw_options,
	.measure = raw_measure,
};
