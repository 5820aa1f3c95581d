/* host/disk.h - files and block devices that hold disk images.
 *
 * Everything is by offset, in bytes, and returns 0 or -errno; an interrupted
 * or partial transfer is carried on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_DISK_H
#define HOST_DISK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum disk_open_flags {
	DISK_WRITE = 1 << 0,
	DISK_DIRECT = 1 << 1,		/* O_DIRECT */
	DISK_CREATE = 1 << 2,		/* make it, if there is none */
};

/* A descriptor, or -errno and a sentence with the path in it. */
int disk_open(const char *path, unsigned flags, struct err *e);
void disk_close(int fd);

int disk_size(int fd, uint64_t *bytes);
int disk_usage(int fd, uint64_t *bytes);	/* host blocks in use */
bool disk_is_device(int fd);

/* What lies past the end reads as zeroes. */
int disk_read(int fd, uint64_t at, void *buf, size_t len);
int disk_write(int fd, uint64_t at, const void *buf, size_t len);
int disk_sync(int fd);				/* fdatasync */
int disk_resize(int fd, uint64_t bytes);
/* Back the range with storage that reads as before; grows the file. */
int disk_allocate(int fd, uint64_t at, uint64_t len);
/* Zeroes without writing them, inside the file's size.  -ENOTSUP: the host
 * cannot.  unmap: the storage may be given back. */
int disk_zero(int fd, uint64_t at, uint64_t len, bool unmap);
int disk_discard(int fd, uint64_t at, uint64_t len);
/* Whether `at` is stored or in a hole, and for how many bytes (never 0). */
int disk_stored(int fd, uint64_t at, uint64_t size, bool *data,
		uint64_t *len);

/* Open-file-description locks on one byte.  Shared locks are all we take; -EAGAIN
 * from disk_lock_probe: somebody holds one there. */
int disk_lock_byte(int fd, uint64_t at, bool on);
int disk_lock_probe(int fd, uint64_t at);
/* A process that holds a lock on this file's byte `at`; 0: cannot be told. */
int disk_lock_holder(int fd, uint64_t at);
#endif
