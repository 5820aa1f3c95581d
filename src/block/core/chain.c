/* block/core/chain.c - open a chain of images, and close it.
 *
 * A chain is opened from the top.  Each image says what is below it, by a name
 * relative to its own directory; that one is opened for reading.  A circle
 * would have no end, so no file may come twice: paths are compared after
 * realpath(3), and the depth has a limit for what that does not see.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "block/core/format.h"
#include "block/core/names.h"

#define MAX_DEPTH	200
#define PROBE_BYTES	2048

/* An image being opened, and those above it. */
struct above {
	const struct above *up;
	const char *name;	/* of its file */
	unsigned depth;
};

static int open_name(struct image **out, const char *name, const char *format,
		     unsigned flags, const struct above *up, struct err *e);
static int open_node(struct image **out, struct optstr *opts, unsigned flags,
		     const struct above *up, struct err *e);

/* ---- one image ---- */

static struct image *image_new(struct image_file *f,
			       const struct image_format *format,
			       unsigned flags)
{
	struct image *im = xcalloc(1, sizeof(*im));

	im->format = format;
	im->file = f;
	im->name = xstrdup(f->name);
	im->flags = flags;
	im->writable = flags & IMAGE_WRITE;
	pthread_mutex_init(&im->lock, NULL);
	pthread_mutex_init(&im->flushing, NULL);
	pthread_cond_init(&im->idle, NULL);
	return im;
}

static int close_one(struct image *im, bool opened, bool with_file)
{
	int rc = opened ? im->format->close(im) : 0;

	if (with_file)
		file_close(im->file);
	free(im->name);
	free(im->backing_name);
	free(im->backing_format);
	free(im->backing_path);
	pthread_mutex_destroy(&im->lock);
	pthread_mutex_destroy(&im->flushing);
	pthread_cond_destroy(&im->idle);
	free(im);
	return rc;
}

int image_close(struct image *im)
{
	int rc = 0;

	while (im) {
		struct image *below = im->below;
		int r = close_one(im, true, true);

		rc = rc ? rc : r;
		im = below;
	}
	return rc;
}

int image_open_file(struct image **out, struct image_file *f,
		    const struct image_format *format, unsigned flags,
		    struct err *e)
{
	struct image *im = image_new(f, format, flags);
	int rc = 0;

	if (im->writable && !format->allocate && !format->writes_in_place)
		rc = fail(e, EROFS, "format '%s' can only be read",
			  format->name);
	if (!rc)
		rc = format->open(im, e);
	if (!rc && im->size > INT64_MAX)
		rc = fail(e, EFBIG, "size %llu is over 2^63",
			  (unsigned long long)im->size);
	if (rc) {
		bool half_open = im->priv;

		(void)close_one(im, half_open, false);	/* the first counts */
		return rc;
	}
	*out = im;
	return 0;
}

/* ---- formats by name and by contents ---- */

static int format_of(const struct image_format **out, struct image_file *f,
		     const char *name, struct err *e)
{
	uint8_t head[PROBE_BYTES] = { 0 };
	size_t len = f->size < sizeof(head) ? (size_t)f->size : sizeof(head);
	int rc, sure = 0;

	if (name) {
		*out = image_format_find(name);
		return *out ? 0 : fail(e, EINVAL, "format '%s' is unknown",
				       name);
	}
	rc = file_read(f, 0, head, len);
	if (rc)
		return fail(e, -rc, "cannot read '%s': %s", f->name,
			    strerror(-rc));
	for (unsigned i = 0; image_formats[i]; i++) {
		int s = image_formats[i]->probe ?
			image_formats[i]->probe(head, len, f->name) : 0;

		if (s > sure) {
			sure = s;
			*out = image_formats[i];
		}
	}
	return 0;
}

/* ---- what is below ---- */

static bool same_file(const char *a, const char *b)
{
	char *ra = realpath(a, NULL), *rb = realpath(b, NULL);
	bool same = !strcmp(ra ? ra : a, rb ? rb : b);

	free(ra);
	free(rb);
	return same;
}

static int check_circle(const char *name, const struct above *up,
			struct err *e)
{
	if (up && up->depth >= MAX_DEPTH)
		return fail(e, ELOOP, "more than %d images in one chain",
			    MAX_DEPTH);
	for (; up; up = up->up)
		if (same_file(name, up->name))
			return fail(e, ELOOP, "'%s' is below itself", name);
	return 0;
}

static unsigned flags_below(unsigned flags)
{
	return flags & IMAGE_WRITE_BELOW ? flags | IMAGE_WRITE :
		flags & ~(unsigned)(IMAGE_WRITE | IMAGE_CHECK);
}

/* opts: the node's own options, where "backing" may overrule; may be NULL. */
static int open_below(struct image *im, struct optstr *opts, unsigned flags,
		      const struct above *up, struct err *e)
{
	struct above here = { .up = up, .name = im->file->name,
			      .depth = up ? up->depth + 1 : 0 };
	struct optstr *other = NULL;
	const char *none;
	int rc = 0;

	if (im->backing_name)
		im->backing_path = image_resolve_name(im->file->name,
						      im->backing_name);
	if (opts) {
		none = optstr_get(opts, "backing");
		if (none && !*none)	/* json:'s null */
			return 0;
		rc = options_below(&other, opts, "backing.", e);
	}
	if (rc || flags & IMAGE_NO_BACKING) {
		optstr_free(other);
		return rc;
	}
	flags = flags_below(flags);
	if (other)
		rc = open_node(&im->below, other, flags, &here, e);
	else if (im->backing_path)
		rc = open_name(&im->below, im->backing_path,
			       im->backing_format, flags, &here, e);
	optstr_free(other);
	if (rc)
		err_prefix(e, "backing file of '%s'", im->file->name);
	return rc;
}

/* f is taken. */
static int open_image(struct image **out, struct image_file *f,
		      const char *format, struct optstr *opts, unsigned flags,
		      const struct above *up, struct err *e)
{
	const struct image_format *fmt = NULL;
	struct image *im;
	int rc;

	rc = check_circle(f->name, up, e);
	if (!rc)
		rc = format_of(&fmt, f, format, e);
	if (!rc)
		rc = file_lock(f, !f->writable && fmt->no_metadata &&
			       !(flags & IMAGE_NO_WRITERS), e);
	if (!rc)
		rc = image_open_file(&im, f, fmt, flags, e);
	if (rc) {
		file_close(f);
		return rc;
	}
	rc = open_below(im, opts, flags, up, e);
	if (rc) {
		(void)image_close(im);	/* the first error counts */
		return rc;
	}
	*out = im;
	return 0;
}

/* ---- by options ---- */

/* driver=FORMAT,file.driver=...,file.filename=... or a protocol's own options,
 * which make a raw image. */
static int open_node(struct image **out, struct optstr *opts, unsigned flags,
		     const struct above *up, struct err *e)
{
	const char *driver = optstr_get(opts, "driver");
	bool read_only = !(flags & IMAGE_WRITE);
	struct optstr *file = NULL;
	struct image_file *f;
	int rc;

	rc = optstr_bool(opts, "read-only", &read_only, e);
	if (rc)
		return rc;
	(void)optstr_get(opts, "node-name");
	if (driver && image_proto_known(driver)) {
		rc = file_open_opts(&f, opts, flags, e);
		driver = "raw";
	} else {
		rc = options_below(&file, opts, "file.", e);
		if (rc)
			return rc;
		if (file)
			rc = file_open_opts(&f, file, flags, e);
		else if (optstr_get(opts, "filename"))
			rc = file_open(&f, optstr_get(opts, "filename"), flags,
				       e);
		else
			rc = fail(e, EINVAL, "no file is named");
		if (!rc && file)
			rc = optstr_finish(file, e);
	}
	optstr_free(file);
	if (rc)
		return rc;
	rc = open_image(out, f, driver, opts, flags, up, e);
	if (!rc && optstr_finish(opts, e)) {
		(void)image_close(*out);	/* nothing was written */
		rc = -EINVAL;
	}
	return rc;
}

static int open_text(struct image **out, const char *text, unsigned flags,
		     const struct above *up, struct err *e)
{
	struct optstr *opts;
	int rc = optstr_parse(&opts, text, NULL, e);

	if (rc)
		return rc;
	rc = open_node(out, opts, flags, up, e);
	optstr_free(opts);
	return rc;
}

static int open_name(struct image **out, const char *name, const char *format,
		     unsigned flags, const struct above *up, struct err *e)
{
	struct image_file *f;
	char *text;
	int rc;

	if (strncmp(name, "json:", 5)) {
		rc = file_open(&f, name, flags, e);
		return rc ? rc : open_image(out, f, format, NULL, flags, up,
					    e);
	}
	rc = options_from_json(&text, name + 5, e);
	if (rc)
		return rc;
	rc = open_text(out, text, flags, up, e);
	free(text);
	return rc;
}

/* ---- for the user ---- */

int image_open(struct image **out, const char *name, const char *format,
	       unsigned flags, struct err *e)
{
	int rc = open_name(out, name, format, flags, NULL, e);

	/* A json: name is called by the file it leads to. */
	if (!rc && strncmp(name, "json:", 5)) {
		free((*out)->name);
		(*out)->name = xstrdup(name);
	}
	return rc;
}

int image_open_opts(struct image **out, const char *opts, unsigned flags,
		    struct err *e)
{
	return open_text(out, opts, flags, NULL, e);
}

uint64_t image_size(const struct image *im)
{
	return im->size;
}

const char *image_name(const struct image *im)
{
	return im->name;
}

const char *image_format_name(const struct image *im)
{
	return im->format->name;
}

struct image *image_below(const struct image *im)
{
	return im->below;
}

bool image_writable(const struct image *im)
{
	return im->writable;
}

uint32_t image_cluster_size(const struct image *im)
{
	return im->cluster;
}

bool image_starts_zeroed(const struct image *im)
{
	return im->format->zero_init && !im->below;
}

bool image_can_compress(const struct image *im)
{
	return im->format->encode;
}
