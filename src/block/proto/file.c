/* block/proto/file.c - the protocol file: a file or a block device of the host.
 *
 * host_device and host_cdrom are the same thing under the names QEMU has for
 * it; only a real device makes a difference, and disk.c asks for that.
 *
 * With IMAGE_DIRECT the kernel wants addresses, offsets and lengths in blocks
 * (open(2), O_DIRECT).  What is not goes through a buffer of whole blocks; a
 * write of part of a block reads it first, one such write at a time.
 *
 * Locks.  Other programs that open the same image are told apart by shared OFD
 * locks on single bytes, as QEMU lays them: byte 100 + n, somebody does n; byte
 * 200 + n, somebody minds others doing n.  n is 0 for reading what must be
 * consistent, 1 for writing, 3 for resizing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "block/proto/protos.h"
#include "host/disk.h"

#define BLOCK		4096u		/* good for O_DIRECT everywhere */
#define BOUNCE_MAX	(1 * MiB)

#define LOCK_DOES	100
#define LOCK_MINDS	200
enum { DOES_READ = 0, DOES_WRITE = 1, DOES_RESIZE = 3, LOCKS = 4 };

struct host_file {
	int fd;
	bool direct;
	pthread_mutex_t part;	/* held while part of a block is written */
};

static int host_open(struct image_file *f, struct optstr *opts, struct err *e)
{
	unsigned how = f->writable ? DISK_WRITE : 0;
	struct host_file *h;
	const char *path;
	uint64_t size;
	int rc;

	rc = optstr_need(opts, "filename", &path, e);
	if (rc)
		return rc;
	if (f->flags & IMAGE_DIRECT)
		how |= DISK_DIRECT;
	h = xcalloc(1, sizeof(*h));
	h->direct = f->flags & IMAGE_DIRECT;
	pthread_mutex_init(&h->part, NULL);
	f->priv = h;
	h->fd = disk_open(path, how, e);
	if (h->fd < 0)
		return h->fd;
	rc = disk_size(h->fd, &size);
	if (rc)
		return fail(e, -rc, "cannot tell the size of '%s': %s", path,
			    strerror(-rc));
	f->size = size;
	return 0;
}

static void host_close(struct image_file *f)
{
	struct host_file *h = f->priv;

	if (!h)
		return;
	disk_close(h->fd);
	pthread_mutex_destroy(&h->part);
	free(h);
}

static int host_create(const char *name, struct err *e)
{
	int fd = disk_open(name, DISK_WRITE | DISK_CREATE, e);

	disk_close(fd);
	return fd < 0 ? fd : 0;
}

/* ---- transfers ---- */

static bool in_blocks(const struct host_file *h, uint64_t at, const void *buf,
		      size_t len)
{
	return !h->direct || !((at | len | (uintptr_t)buf) & (BLOCK - 1));
}

/* One piece through whole blocks; *done bytes of it were moved. */
static int bounce(struct host_file *h, uint64_t at, void *to, const void *from,
		  size_t len, size_t *done)
{
	uint64_t start = at & ~(uint64_t)(BLOCK - 1);
	size_t skip = (size_t)(at - start), whole;
	void *blocks;
	int rc;

	if (len > BOUNCE_MAX - skip)
		len = BOUNCE_MAX - skip;
	whole = (skip + len + BLOCK - 1) & ~(size_t)(BLOCK - 1);
	if (posix_memalign(&blocks, BLOCK, whole))
		return -ENOMEM;
	rc = disk_read(h->fd, start, blocks, whole);
	if (!rc && to)
		memcpy(to, (uint8_t *)blocks + skip, len);
	if (!rc && from) {
		memcpy((uint8_t *)blocks + skip, from, len);
		rc = disk_write(h->fd, start, blocks, whole);
	}
	free(blocks);
	*done = len;
	return rc;
}

static int host_read(struct image_file *f, uint64_t at, void *buf, size_t len)
{
	struct host_file *h = f->priv;
	int rc = 0;

	if (in_blocks(h, at, buf, len))
		return disk_read(h->fd, at, buf, len);
	for (size_t n; len && !rc; len -= n, at += n, buf = (char *)buf + n)
		rc = bounce(h, at, buf, NULL, len, &n);
	return rc;
}

static void grown(struct image_file *f, uint64_t end)
{
	uint64_t now = atomic_load(&f->size);

	while (end > now && !atomic_compare_exchange_weak(&f->size, &now, end))
		;
}

static int host_write(struct image_file *f, uint64_t at, const void *buf,
		      size_t len)
{
	struct host_file *h = f->priv;
	uint64_t end = at + len;
	int rc = 0;

	if (in_blocks(h, at, buf, len)) {
		rc = disk_write(h->fd, at, buf, len);
	} else {
		pthread_mutex_lock(&h->part);
		for (size_t n; len && !rc; len -= n, at += n,
		     buf = (const char *)buf + n)
			rc = bounce(h, at, NULL, buf, len, &n);
		pthread_mutex_unlock(&h->part);
	}
	if (!rc)
		grown(f, end);
	return rc;
}

static int host_zero(struct image_file *f, uint64_t at, uint64_t len,
		     bool unmap)
{
	struct host_file *h = f->priv;
	uint64_t end = at + len;
	int rc;

	if (end > f->size) {
		rc = disk_resize(h->fd, end);
		if (rc)
			return rc;
		grown(f, end);
	}
	return disk_zero(h->fd, at, len, unmap);
}

static int host_discard(struct image_file *f, uint64_t at, uint64_t len)
{
	return disk_discard(((struct host_file *)f->priv)->fd, at, len);
}

static int host_flush(struct image_file *f)
{
	return disk_sync(((struct host_file *)f->priv)->fd);
}

/* ---- size and storage ---- */

/* Storage for what lies between the old end and the new. */
static int fill(struct image_file *f, uint64_t from, uint64_t to,
		enum image_prealloc how)
{
	struct host_file *h = f->priv;
	static const uint8_t zeroes[64 * KiB];
	int rc = 0;

	if (how == PREALLOC_FALLOC)
		return disk_allocate(h->fd, from, to - from);
	while (how == PREALLOC_FULL && !rc && from < to) {
		size_t n = to - from < sizeof(zeroes) ? (size_t)(to - from) :
			sizeof(zeroes);

		rc = disk_write(h->fd, from, zeroes, n);
		from += n;
	}
	return rc;
}

static int host_resize(struct image_file *f, uint64_t size,
		       enum image_prealloc how, struct err *e)
{
	struct host_file *h = f->priv;
	uint64_t old = f->size;
	int rc = disk_resize(h->fd, size);

	if (rc)
		return fail(e, -rc, "cannot resize '%s' to %llu bytes: %s",
			    f->name, (unsigned long long)size, strerror(-rc));
	f->size = disk_is_device(h->fd) ? old : size;
	if (size > old)
		rc = fill(f, old, size, how);
	if (rc)
		return fail(e, -rc, "cannot allocate %llu bytes for '%s': %s",
			    (unsigned long long)(size - old), f->name,
			    strerror(-rc));
	return 0;
}

static int host_stored(struct image_file *f, uint64_t at, bool *data,
		       uint64_t *len)
{
	return disk_stored(((struct host_file *)f->priv)->fd, at, f->size,
			   data, len);
}

static int host_usage(struct image_file *f, uint64_t *bytes)
{
	return disk_usage(((struct host_file *)f->priv)->fd, bytes);
}

/* ---- locks ---- */

static int held_by_other(struct image_file *f, int fd, unsigned byte,
			 const char *what, struct err *e)
{
	int pid;

	if (disk_lock_probe(fd, byte) != -EAGAIN)
		return 0;
	pid = disk_lock_holder(fd, byte);
	if (pid)
		return fail(e, EAGAIN, "'%s' cannot be locked for %s: process "
			    "%d uses the image", f->name, what, pid);
	return fail(e, EAGAIN, "'%s' cannot be locked for %s: another process "
		    "uses the image", f->name, what);
}

static int host_lock(struct image_file *f, bool writers_share, struct err *e)
{
	static const char *const what[LOCKS] = {
		"reading", "writing", NULL, "resizing",
	};
	int fd = ((struct host_file *)f->priv)->fd, rc = 0;
	bool does[LOCKS] = { [DOES_READ] = true, [DOES_WRITE] = f->writable,
			     [DOES_RESIZE] = f->writable };
	bool minds[LOCKS] = { [DOES_WRITE] = !writers_share,
			      [DOES_RESIZE] = !writers_share };

	for (unsigned n = 0; n < LOCKS; n++) {
		if (does[n])
			rc = disk_lock_byte(fd, LOCK_DOES + n, true);
		if (!rc && minds[n])
			rc = disk_lock_byte(fd, LOCK_MINDS + n, true);
		if (rc)		/* a file system without locks */
			return 0;
	}
	/* Ours do not show in a probe through the same open file. */
	for (unsigned n = 0; n < LOCKS && !rc; n++) {
		if (does[n])
			rc = held_by_other(f, fd, LOCK_MINDS + n, what[n], e);
		if (!rc && minds[n])
			rc = held_by_other(f, fd, LOCK_DOES + n, what[n], e);
	}
	return rc;
}

#define HOST_CALLS                                                            \
	.open = host_open, .close = host_close, .read = host_read,            \
	.write = host_write, .zero = host_zero, .discard = host_discard,      \
	.flush = host_flush, .resize = host_resize, .stored = host_stored,    \
	.usage = host_usage, .lock = host_lock

const struct image_proto file_proto = {
	.name = "file", .prefix = "file:", .create = host_create, HOST_CALLS,
};
const struct image_proto host_device_proto = {
	.name = "host_device", .prefix = "host_device:", HOST_CALLS,
};
const struct image_proto host_cdrom_proto = {
	.name = "host_cdrom", .prefix = "host_cdrom:", HOST_CALLS,
};
