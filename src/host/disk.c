/* host/disk.c - see disk.h
 *
 * Linux only: fallocate(2) modes, SEEK_DATA and SEEK_HOLE, the BLK* ioctls for
 * block devices, and OFD locks (fcntl(2)), which belong to the open file and
 * not to the process, so that two opens in one process exclude each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/disk.h"

/* One system call moves less than 2 GiB anyhow. */
#define MAX_TRANSFER	(1u << 30)

int disk_open(const char *path, unsigned flags, struct err *e)
{
	int how = O_CLOEXEC | O_NOCTTY;
	struct stat st;
	int fd;

	how |= flags & DISK_WRITE ? O_RDWR : O_RDONLY;
	if (flags & DISK_DIRECT)
		how |= O_DIRECT;
	if (flags & DISK_CREATE)
		how |= O_CREAT;
	do {
		fd = open(path, how, 0644);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return fail(e, errno, "cannot open '%s': %s", path,
			    strerror(errno));
	if (!fstat(fd, &st) && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) &&
	    !S_ISCHR(st.st_mode)) {
		close(fd);
		return fail(e, EINVAL, "'%s' is neither a file nor a block "
			    "device", path);
	}
	return fd;
}

void disk_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

bool disk_is_device(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISBLK(st.st_mode);
}

int disk_size(int fd, uint64_t *bytes)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return -errno;
	*bytes = (uint64_t)end;
	return 0;
}

int disk_usage(int fd, uint64_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*bytes = (uint64_t)st.st_blocks * 512;	/* stat(2): of 512 bytes */
	return 0;
}

int disk_read(int fd, uint64_t at, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		size_t want = len < MAX_TRANSFER ? len : MAX_TRANSFER;
		ssize_t n = pread(fd, to, want, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n) {
			memset(to, 0, len);
			return 0;
		}
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int disk_write(int fd, uint64_t at, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	while (len) {
		size_t want = len < MAX_TRANSFER ? len : MAX_TRANSFER;
		ssize_t n = pwrite(fd, from, want, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENOSPC;
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int disk_sync(int fd)
{
	return fdatasync(fd) ? -errno : 0;
}

int disk_resize(int fd, uint64_t bytes)
{
	uint64_t now = 0;

	if (!ftruncate(fd, (off_t)bytes))
		return 0;
	/* A device has the size it has: enough is good enough. */
	if (disk_is_device(fd) && !disk_size(fd, &now))
		return bytes <= now ? 0 : -ENOSPC;
	return -errno;
}

/* fallocate(2); -ENOTSUP for all its ways to say "not here". */
static int allocate_mode(int fd, int mode, uint64_t at, uint64_t len)
{
	int rc;

	do {
		rc = fallocate(fd, mode, (off_t)at, (off_t)len);
	} while (rc && errno == EINTR);
	if (!rc)
		return 0;
	if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ||
	    errno == ENODEV || errno == EPERM)
		return -ENOTSUP;
	return -errno;
}

int disk_allocate(int fd, uint64_t at, uint64_t len)
{
	return len ? allocate_mode(fd, 0, at, len) : 0;
}

static int device_range(int fd, unsigned long request, uint64_t at,
			uint64_t len)
{
	uint64_t range[2] = { at, len };

	if (!ioctl(fd, request, range))
		return 0;
	return errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL ?
		-ENOTSUP : -errno;
}

int disk_zero(int fd, uint64_t at, uint64_t len, bool unmap)
{
	int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int rc;

	if (!len)
		return 0;
	if (disk_is_device(fd))
		return device_range(fd, BLKZEROOUT, at, len);
	if (unmap) {
		rc = allocate_mode(fd, hole, at, len);
		if (rc != -ENOTSUP)
			return rc;
	}
	rc = allocate_mode(fd, FALLOC_FL_ZERO_RANGE, at, len);
	if (rc != -ENOTSUP)
		return rc;
	/* No such mode here (tmpfs, NFS): a hole, filled again. */
	rc = allocate_mode(fd, hole, at, len);
	return rc ? rc : allocate_mode(fd, 0, at, len);
}

int disk_discard(int fd, uint64_t at, uint64_t len)
{
	if (!len)
		return 0;
	if (disk_is_device(fd))
		return device_range(fd, BLKDISCARD, at, len);
	return allocate_mode(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     at, len);
}

int disk_stored(int fd, uint64_t at, uint64_t size, bool *data, uint64_t *len)
{
	off_t next = lseek(fd, (off_t)at, SEEK_DATA);

	*data = true;
	*len = at < size ? size - at : INT64_MAX - at;
	if (next < 0) {
		/* ENXIO: only a hole follows.  Else: no such map, all data. */
		*data = errno != ENXIO;
		return 0;
	}
	if ((uint64_t)next > at) {
		*data = false;
		*len = (uint64_t)next - at;
		return 0;
	}
	next = lseek(fd, (off_t)at, SEEK_HOLE);
	if (next > 0 && (uint64_t)next > at)
		*len = (uint64_t)next - at;
	return 0;
}

/* ---- locks ---- */

static struct flock byte_lock(short type, uint64_t at)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET,
			       .l_start = (off_t)at, .l_len = 1 };
}

int disk_lock_byte(int fd, uint64_t at, bool on)
{
	struct flock l = byte_lock(on ? F_RDLCK : F_UNLCK, at);

	return fcntl(fd, F_OFD_SETLK, &l) ? -errno : 0;
}

int disk_lock_probe(int fd, uint64_t at)
{
	struct flock l = byte_lock(F_WRLCK, at);

	if (fcntl(fd, F_OFD_GETLK, &l))
		return -errno;
	return l.l_type == F_UNLCK ? 0 : -EAGAIN;
}

/* The lock that a line of fdinfo shows, as proc(5) writes it:
 * "lock: 1: OFDLCK  ADVISORY  READ -1 08:01:1234 100 100". */
static bool line_locks(const char *line, const struct stat *st, uint64_t at)
{
	unsigned long long ino, start, end;
	unsigned major_no, minor_no;

	if (sscanf(line, "lock: %*s OFDLCK %*s %*s %*s %x:%x:%llu %llu %llu",
		   &major_no, &minor_no, &ino, &start, &end) != 5)
		return false;
	return ino == st->st_ino && start <= at && at <= end;
}

static bool process_locks(const char *pid, const struct stat *st, uint64_t at)
{
	char path[600], line[256];
	bool found = false;
	struct dirent *d;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%s/fdinfo", pid);
	dir = opendir(path);
	while (dir && !found && (d = readdir(dir))) {
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid,
			       d->d_name);
		f = *d->d_name == '.' ? NULL : fopen(path, "re");
		while (f && !found && fgets(line, sizeof(line), f))
			found = line_locks(line, st, at);
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* /proc/locks shows these locks with pid -1, so ask each process. */
int disk_lock_holder(int fd, uint64_t at)
{
	struct dirent *d;
	struct stat st;
	int pid = 0;
	DIR *dir;

	if (fstat(fd, &st))
		return 0;
	dir = opendir("/proc");
	while (dir && !pid && (d = readdir(dir)))
		if (*d->d_name >= '1' && *d->d_name <= '9' &&
		    process_locks(d->d_name, &st, at))
			pid = atoi(d->d_name);
	if (dir)
		closedir(dir);
	return pid;
}
