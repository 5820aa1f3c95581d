/* char/stdio.c - the back ends null and stdio.
 *
 * stdio's terminal is raw while we run.  With signal=on (the preset, except
 * under mon:stdio) Ctrl-C and Ctrl-Z still act on Husk; after Ctrl-Z and fg
 * the terminal is made raw again.  The end of standard input ends input only.
 *
 * Both descriptors are opened anew, see fd_reopen_nonblocking().
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>

#include "base/bytes.h"
#include "base/optstr.h"
#include "char/backend.h"
#include "char/pump.h"
#include "host/fd.h"
#include "host/os.h"

#define WAIT_PIPE_MS	5000
#define WAIT_TTY_MS	2000	/* a terminal stopped with Ctrl-S */

/* ---- null ---- */

static int null_open(struct chardev *c, struct optstr *o, struct err *e)
{
	return 0;
}

const struct chardev_class null_class = {
	.name = "null",
	.help = "nothing comes in, what goes out is gone",
	.size = sizeof(struct chardev),
	.open = null_open,
};

/* ---- stdio ---- */

struct stdio {
	struct chardev c;
	struct pump pump;
	bool has_terminal;
};

static bool in_use;	/* a process has one standard input */

static void on_continue(void *ctx, int signo)
{
	os_tty_raw_again();
}

static int take_terminal(struct stdio *s, bool signals, struct err *e)
{
	int r = os_tty_raw(0, signals, e);

	if (r)
		return r;
	s->has_terminal = true;
	return loop_on_signal(s->c.loop, SIGCONT, on_continue, NULL, e);
}

static int stdio_open(struct chardev *c, struct optstr *o, struct err *e)
{
	struct stdio *s = container_of(c, struct stdio, c);
	bool signals = true;
	int in, out, r = optstr_bool(o, "signal", &signals, e);

	pump_init(&s->pump, c, fd_is_tty(1) ? WAIT_TTY_MS : WAIT_PIPE_MS);
	if (r)
		return r;
	if (in_use)
		return fail(e, EBUSY, "stdio is in use by another back end, "
			    "mux=on would share it");
	in = fd_reopen_nonblocking(0, e);
	if (in < 0)
		return in;
	out = fd_reopen_nonblocking(1, e);
	if (out < 0) {
		fd_close(in);
		return out;
	}
	in_use = true;
	pump_connect(&s->pump, in, out);
	return fd_is_tty(0) ? take_terminal(s, signals, e) : 0;
}

static void stdio_put(struct chardev *c, const uint8_t *buf, size_t len)
{
	pump_put(&container_of(c, struct stdio, c)->pump, buf, len);
}

static void stdio_ready(struct chardev *c)
{
	pump_ready(&container_of(c, struct stdio, c)->pump);
}

static void stdio_flush(struct chardev *c, int timeout_ms)
{
	pump_flush(&container_of(c, struct stdio, c)->pump, timeout_ms);
}

static void stdio_close(struct chardev *c)
{
	struct stdio *s = container_of(c, struct stdio, c);

	if (s->pump.in >= 0)
		in_use = false;
	if (s->has_terminal)
		os_tty_restore();
	pump_disconnect(&s->pump);
}

const struct chardev_class stdio_class = {
	.name = "stdio",
	.help = "standard input and output",
	.size = sizeof(struct stdio),
	.open = stdio_open,
	.put = stdio_put,
	.ready = stdio_ready,
	.flush = stdio_flush,
	.close = stdio_close,
};
