/* host/fd.h - reading and writing descriptors without waiting.
 *
 * Results are counts or -errno; an interrupted call is repeated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_FD_H
#define HOST_FD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* open(2) with O_CLOEXEC | O_NOCTTY and mode 0666; the error names the path. */
int fd_open(const char *path, int flags, struct err *e);
void fd_close(int fd);		/* below 0: nothing */

/* 0 is the end; -EAGAIN is not now.  A terminal's -EIO is the end too. */
ssize_t fd_read(int fd, void *buf, size_t len);
ssize_t fd_write(int fd, const void *buf, size_t len);

/* Wait until fd takes bytes, is broken, or the time is over (false). */
bool fd_wait_writable(int fd, int timeout_ms);
bool fd_wait_readable(int fd, int timeout_ms);

/* All others have closed the other end of this pty, pipe or socket. */
bool fd_hung_up(int fd);
int fd_copy(int fd);		/* close-on-exec */

int fd_set_nonblocking(int fd, struct err *e);

/* A non-blocking descriptor for what fd (0 or 1, shared with the shell and the
 * rest of the pipeline) is: a description of our own where Linux can make
 * one, because O_NONBLOCK belongs to the description and would trip the
 * others.  Where it cannot (sockets), fd itself is made non-blocking until
 * exit.  Regular files never block and are only duplicated. */
int fd_reopen_nonblocking(int fd, struct err *e);

bool fd_is_tty(int fd);

/* A new pseudo-terminal, raw; the master's end, non-blocking.  slave: room
 * for the path of the other end. */
int fd_open_pty(char *slave, size_t size, struct err *e);
#endif
