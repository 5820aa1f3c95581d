/* block/core/file.c - the bytes under an image: open by name or options, and
 * what every protocol would otherwise repeat.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/core/format.h"
#include "block/core/names.h"

#define ZEROES_MAX	(1 * MiB)	/* of one write of zeroes */

static const struct image_proto *proto_find(const char *name)
{
	for (unsigned i = 0; image_protos[i]; i++)
		if (!strcmp(image_protos[i]->name, name))
			return image_protos[i];
	return NULL;
}

bool image_proto_known(const char *name)
{
	return proto_find(name);
}

/* The protocol a name's prefix stands for, and the rest of the name. */
static const struct image_proto *proto_of(const char *name, const char **rest)
{
	for (unsigned i = 0; image_protos[i]; i++) {
		const char *p = image_protos[i]->prefix;

		if (p && !strncmp(name, p, strlen(p))) {
			*rest = name + strlen(p);
			return image_protos[i];
		}
	}
	*rest = name;
	return image_protos[0];
}

static int open_with(struct image_file **out, const struct image_proto *proto,
		     struct optstr *opts, unsigned flags, struct err *e)
{
	const char *name = optstr_get(opts, "filename");
	struct image_file *f = xcalloc(1, sizeof(*f));
	int rc;

	f->proto = proto;
	f->name = xstrdup(name ? name : proto->name);
	f->flags = flags;
	f->writable = flags & IMAGE_WRITE;
	rc = proto->open(f, opts, e);
	if (!rc && f->writable && !proto->write)
		rc = fail(e, EROFS, "%s cannot be written", proto->name);
	if (rc) {
		file_close(f);
		return rc;
	}
	*out = f;
	return 0;
}

int file_open(struct image_file **out, const char *name, unsigned flags,
	      struct err *e)
{
	const struct image_proto *proto;
	struct optstr *opts;
	const char *rest;
	char *text;
	int rc;

	proto = proto_of(name, &rest);
	text = option_text("filename", rest);
	rc = optstr_parse(&opts, text, NULL, e);
	free(text);
	if (rc)
		return rc;
	rc = open_with(out, proto, opts, flags, e);
	optstr_free(opts);
	if (!rc && rest != name) {
		free((*out)->name);
		(*out)->name = xstrdup(proto == image_protos[0] ? rest : name);
	}
	return rc;
}

int file_open_opts(struct image_file **out, struct optstr *opts,
		   unsigned flags, struct err *e)
{
	const char *driver = optstr_get(opts, "driver");
	const struct image_proto *proto;

	proto = driver ? proto_find(driver) : image_protos[0];
	if (!proto)
		return fail(e, EINVAL, "driver '%s' is unknown", driver);
	return open_with(out, proto, opts, flags, e);
}

int file_create(struct image_file **out, const char *name, struct err *e)
{
	const struct image_proto *proto;
	struct image_file *f;
	const char *rest;
	int rc;

	proto = proto_of(name, &rest);
	if (!proto->create)
		return fail(e, ENOTSUP, "protocol '%s' cannot create '%s'",
			    proto->name, name);
	rc = proto->create(rest, e);
	if (!rc)
		rc = file_open(&f, name, IMAGE_WRITE, e);
	if (rc)
		return rc;
	rc = file_lock(f, false, e);
	if (!rc && f->size)
		rc = file_resize(f, 0, PREALLOC_OFF, e);
	if (rc) {
		file_close(f);
		return rc;
	}
	*out = f;
	return 0;
}

void file_close(struct image_file *f)
{
	if (!f)
		return;
	f->proto->close(f);
	free(f->name);
	free(f);
}

/* ---- what may be missing ---- */

int file_read(struct image_file *f, uint64_t at, void *buf, size_t len)
{
	return f->proto->read(f, at, buf, len);
}

int file_write(struct image_file *f, uint64_t at, const void *buf, size_t len)
{
	uint64_t end;

	if (!f->writable)
		return -EROFS;
	if (__builtin_add_overflow(at, len, &end) || end > INT64_MAX)
		return -EFBIG;
	return f->proto->write(f, at, buf, len);
}

int file_zero_fast(struct image_file *f, uint64_t at, uint64_t len, bool unmap)
{
	if (!f->writable)
		return -EROFS;
	return f->proto->zero ? f->proto->zero(f, at, len, unmap) : -ENOTSUP;
}

int file_zero(struct image_file *f, uint64_t at, uint64_t len, bool unmap)
{
	int rc = file_zero_fast(f, at, len, unmap);
	uint8_t *zeroes;
	size_t size;

	if (rc != -ENOTSUP)
		return rc;
	size = len < ZEROES_MAX ? (size_t)len : ZEROES_MAX;
	zeroes = xcalloc(1, size ? size : 1);
	for (rc = 0; len && !rc; at += size, len -= size) {
		if (size > len)
			size = (size_t)len;
		rc = file_write(f, at, zeroes, size);
	}
	free(zeroes);
	return rc;
}

int file_discard(struct image_file *f, uint64_t at, uint64_t len)
{
	if (!f->writable)
		return -EROFS;
	return f->proto->discard ? f->proto->discard(f, at, len) : -ENOTSUP;
}

int file_flush(struct image_file *f)
{
	if (f->flags & IMAGE_UNSAFE || !f->writable || !f->proto->flush)
		return 0;
	return f->proto->flush(f);
}

int file_resize(struct image_file *f, uint64_t size, enum image_prealloc how,
		struct err *e)
{
	if (!f->writable)
		return fail(e, EROFS, "'%s' is read-only", f->name);
	if (!f->proto->resize)
		return fail(e, ENOTSUP, "%s cannot be resized",
			    f->proto->name);
	if (size > INT64_MAX)
		return fail(e, EFBIG, "size %llu is over 2^63",
			    (unsigned long long)size);
	return f->proto->resize(f, size, how, e);
}

int file_stored(struct image_file *f, uint64_t at, bool *data, uint64_t *len)
{
	if (f->proto->stored)
		return f->proto->stored(f, at, data, len);
	*data = true;
	*len = f->size > at ? f->size - at : 1;
	return 0;
}

int file_lock(struct image_file *f, bool writers_share, struct err *e)
{
	if (f->flags & IMAGE_SHARE || !f->proto->lock)
		return 0;
	return f->proto->lock(f, writers_share, e);
}
