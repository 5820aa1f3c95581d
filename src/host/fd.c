/* host/fd.c - see fd.h
 *
 * Source: open(2), proc(5) on /proc/self/fd, pts(4).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "host/fd.h"
#include "host/loop.h"

int fd_open(const char *path, int flags, struct err *e)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);

	if (fd < 0)
		return fail(e, errno, "'%s': %s", path, strerror(errno));
	return fd;
}

void fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

ssize_t fd_read(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EIO && isatty(fd))
		return 0;
	return n < 0 ? -errno : n;
}

ssize_t fd_write(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = write(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static bool wait_for(int fd, short events, int timeout_ms)
{
	int64_t end_ns = loop_now_ns() + timeout_ms * 1000000ll;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int n = poll(&p, 1, timeout_ms);

		if (n >= 0)
			return n > 0;
		if (errno != EINTR)
			return true;	/* the next call on fd will tell */
		if (timeout_ms >= 0) {
			int64_t left_ns = end_ns - loop_now_ns();

			timeout_ms = left_ns > 0 ? (int)(left_ns / 1000000) : 0;
		}
	}
}

bool fd_wait_writable(int fd, int timeout_ms)
{
	return wait_for(fd, POLLOUT, timeout_ms);
}

bool fd_wait_readable(int fd, int timeout_ms)
{
	return wait_for(fd, POLLIN, timeout_ms);
}

bool fd_hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

int fd_copy(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

int fd_set_nonblocking(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return fail(e, errno, "O_NONBLOCK: %s", strerror(errno));
	return 0;
}

/* ---- our own description of 0 and 1 ---- */

/* Flags of descriptors that could not be reopened, put back at exit. */
static struct {
	int fd, flags;
} borrowed[3];
static unsigned borrowed_count;

static void give_back(void)
{
	while (borrowed_count) {
		borrowed_count--;
		(void)fcntl(borrowed[borrowed_count].fd, F_SETFL,
			    borrowed[borrowed_count].flags);
	}
}

static int borrow(int fd, int flags, struct err *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return fail(e, errno, "fd %d: %s", fd, strerror(errno));
	if (flags & O_NONBLOCK || borrowed_count == 3)
		return copy;
	if (!borrowed_count)
		atexit(give_back);
	borrowed[borrowed_count].fd = fd;
	borrowed[borrowed_count++].flags = flags;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK)) {
		int r = fail(e, errno, "fd %d: %s", fd, strerror(errno));

		close(copy);
		return r;
	}
	return copy;
}

int fd_reopen_nonblocking(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL), own = -1;
	struct stat st;
	char path[32];

	if (flags < 0 || fstat(fd, &st))
		return fail(e, errno, "fd %d: %s", fd, strerror(errno));
	if (S_ISREG(st.st_mode)) {
		own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (own < 0)
			return fail(e, errno, "fd %d: %s", fd,
				    strerror(errno));
		return own;
	}
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY |
				 O_CLOEXEC);
	}
	return own >= 0 ? own : borrow(fd, flags, e);
}

bool fd_is_tty(int fd)
{
	return isatty(fd);
}

/* ---- pseudo-terminals ---- */

static int make_raw(const char *slave, struct err *e)
{
	struct termios t;
	int fd = fd_open(slave, O_RDWR, e), r = 0;

	if (fd < 0)
		return fd;
	if (tcgetattr(fd, &t)) {
		r = fail(e, errno, "'%s': %s", slave, strerror(errno));
	} else {
		cfmakeraw(&t);
		if (tcsetattr(fd, TCSANOW, &t))
			r = fail(e, errno, "'%s': %s", slave,
				 strerror(errno));
	}
	close(fd);
	return r;
}

int fd_open_pty(char *slave, size_t size, struct err *e)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), r;

	if (fd < 0)
		return fail(e, errno, "pty: %s", strerror(errno));
	if (grantpt(fd) || unlockpt(fd) || ptsname_r(fd, slave, size)) {
		r = fail(e, errno, "pty: %s", strerror(errno));
		goto close_fd;
	}
	r = make_raw(slave, e);
	if (r)
		goto close_fd;
	r = fd_set_nonblocking(fd, e);
	if (r)
		goto close_fd;
	return fd;
close_fd:
	close(fd);
	return r;
}
