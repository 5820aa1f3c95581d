/* char/pty.c - the back end pty: a new pseudo-terminal, its name printed.
 *
 * Linux tells a master that the last slave was closed (a hangup that lasts)
 * but not that one was opened, so while nobody is there we look once a second.
 * What the guest wrote meanwhile, as far as the ring holds it, is shown then.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/optstr.h"
#include "char/backend.h"
#include "char/pump.h"
#include "host/fd.h"

#define WAIT_MS	1000
#define LOOK_MS	1000

struct pty {
	struct chardev c;
	struct pump pump;
	int master;		/* owned; the pump has a copy while open */
	struct loop_watch *look;	/* while nobody is there */
};

static void look(void *ctx)
{
	struct pty *p = ctx;
	int fd;

	if (fd_hung_up(p->master))
		return;
	fd = fd_copy(p->master);
	if (fd < 0)
		return;		/* out of descriptors: look again later */
	loop_unwatch(p->look);
	p->look = NULL;
	pump_connect(&p->pump, fd, fd);
	chardev_event(&p->c, STREAM_OPENED);
}

static void pty_ended(struct chardev *c)
{
	struct pty *p = container_of(c, struct pty, c);

	pump_disconnect(&p->pump);
	p->look = loop_every(c->loop, LOOK_MS, look, p);
	chardev_event(c, STREAM_CLOSED);
}

static int pty_open(struct chardev *c, struct optstr *o, struct err *e)
{
	struct pty *p = container_of(c, struct pty, c);
	char name[64];

	pump_init(&p->pump, c, WAIT_MS);
	p->pump.ended = pty_ended;
	p->master = fd_open_pty(name, sizeof(name), e);
	if (p->master < 0)
		return p->master;
	/* QEMU's words: scripts read the name from this line. */
	printf("char device redirected to %s (label %s)\n", name, c->id);
	fflush(stdout);
	p->look = loop_every(c->loop, LOOK_MS, look, p);
	return 0;
}

static void pty_put(struct chardev *c, const uint8_t *buf, size_t len)
{
	pump_put(&container_of(c, struct pty, c)->pump, buf, len);
}

static void pty_ready(struct chardev *c)
{
	pump_ready(&container_of(c, struct pty, c)->pump);
}

static void pty_flush(struct chardev *c, int timeout_ms)
{
	pump_flush(&container_of(c, struct pty, c)->pump, timeout_ms);
}

static void pty_close(struct chardev *c)
{
	struct pty *p = container_of(c, struct pty, c);

	loop_unwatch(p->look);
	pump_disconnect(&p->pump);
	fd_close(p->master);
}

const struct chardev_class pty_class = {
	.name = "pty",
	.help = "a new pseudo-terminal",
	.size = sizeof(struct pty),
	.open = pty_open,
	.put = pty_put,
	.ready = pty_ready,
	.flush = pty_flush,
	.close = pty_close,
};
