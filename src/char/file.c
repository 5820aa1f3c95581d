/* char/file.c - the back ends file and pipe.
 *
 * file: output to path= (emptied first unless append=on), input from
 * input-path= if given.
 * pipe: PATH.in and PATH.out if both exist, else PATH for both ways.  They are
 * opened for reading and writing, so that opening does not wait for the other
 * side and its absence is no end of file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/optstr.h"
#include "char/backend.h"
#include "char/pump.h"
#include "host/fd.h"

#define WAIT_MS 5000

struct file {
	struct chardev c;
	struct pump pump;
};

static int open_nonblocking(const char *path, int flags, struct err *e)
{
	int fd = fd_open(path, flags, e), r;

	if (fd < 0)
		return fd;
	r = fd_set_nonblocking(fd, e);
	if (r) {
		fd_close(fd);
		return r;
	}
	return fd;
}

static int file_open(struct chardev *c, struct optstr *o, struct err *e)
{
	struct file *f = container_of(c, struct file, c);
	const char *path, *input = optstr_get(o, "input-path");
	bool append = false;
	int in = -1, out, r = optstr_bool(o, "append", &append, e);

	pump_init(&f->pump, c, WAIT_MS);
	if (!r)
		r = optstr_need(o, "path", &path, e);
	if (r)
		return r;
	out = open_nonblocking(path, O_WRONLY | O_CREAT |
			       (append ? O_APPEND : O_TRUNC), e);
	if (out < 0)
		return out;
	if (input)
		in = open_nonblocking(input, O_RDONLY, e);
	if (input && in < 0) {
		fd_close(out);
		return in;
	}
	pump_connect(&f->pump, in, out);
	return 0;
}

static int open_suffixed(const char *path, const char *suffix)
{
	char *name = xasprintf("%s.%s", path, suffix);
	int fd = open_nonblocking(name, O_RDWR, NULL);

	free(name);
	return fd;
}

static int pipe_open(struct chardev *c, struct optstr *o, struct err *e)
{
	struct file *f = container_of(c, struct file, c);
	const char *path;
	int in, out, r = optstr_need(o, "path", &path, e);

	pump_init(&f->pump, c, WAIT_MS);
	if (r)
		return r;
	in = open_suffixed(path, "in");
	out = open_suffixed(path, "out");
	if (in < 0 || out < 0) {
		fd_close(in);
		fd_close(out);
		in = out = open_nonblocking(path, O_RDWR, e);
		if (in < 0)
			return in;
	}
	pump_connect(&f->pump, in, out);
	return 0;
}

static void file_put(struct chardev *c, const uint8_t *buf, size_t len)
{
	pump_put(&container_of(c, struct file, c)->pump, buf, len);
}

static void file_ready(struct chardev *c)
{
	pump_ready(&container_of(c, struct file, c)->pump);
}

static void file_flush(struct chardev *c, int timeout_ms)
{
	pump_flush(&container_of(c, struct file, c)->pump, timeout_ms);
}

static void file_close(struct chardev *c)
{
	pump_disconnect(&container_of(c, struct file, c)->pump);
}

const struct chardev_class file_class = {
	.name = "file",
	.help = "a file, and one to read from if given",
	.size = sizeof(struct file),
	.open = file_open,
	.put = file_put,
	.ready = file_ready,
	.flush = file_flush,
	.close = file_close,
};

const struct chardev_class pipe_class = {
	.name = "pipe",
	.help = "one named pipe, or two",
	.size = sizeof(struct file),
	.open = pipe_open,
	.put = file_put,
	.ready = file_ready,
	.flush = file_flush,
	.close = file_close,
};
