/* char/socket.c - the back end socket: one stream connection, made or awaited.
 *
 *   server=on     listen; wait=on (the preset) holds set-up until somebody has
 *                 connected.  One peer at a time: others wait in the kernel's
 *                 queue until the first has gone.
 *   server=off    connect; with reconnect=N a lost or refused connection is
 *                 tried again every N seconds, each time at the next address.
 *
 * What the guest writes while nobody is there, as far as the ring holds it,
 * goes to the next peer.
 *
 * telnet, websocket and TLS are refused by name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "base/optstr.h"
#include "char/backend.h"
#include "char/pump.h"
#include "host/fd.h"
#include "host/socket.h"

#define WAIT_MS		2000
#define CONNECT_MS	10000

struct sock {
	struct chardev c;
	struct pump pump;
	struct socket_addrs addrs;
	bool server, nodelay;
	unsigned reconnect_s;		/* 0: never */
	unsigned tries;
	int listen_fd;			/* owned; -1: not a server */
	struct loop_watch *listen_watch;
	int trying_fd;			/* owned; a connection in the making */
	struct loop_watch *trying_watch;
	struct loop_watch *retry;	/* while we wait to try again */
};

/* ---- a peer comes ---- */

static void connected(struct sock *s, int fd)
{
	if (s->nodelay)
		socket_set_nodelay(fd);
	pump_connect(&s->pump, fd, fd);
	chardev_event(&s->c, STREAM_OPENED);
}

static void on_listen(void *ctx, unsigned events)
{
	struct sock *s = ctx;
	int fd = socket_accept(s->listen_fd, NULL);

	if (fd < 0)
		return;
	loop_watch_change(s->listen_watch, 0);
	connected(s, fd);
}

static void try_later(struct sock *s);

static void on_decided(void *ctx, unsigned events)
{
	struct sock *s = ctx;
	int fd = s->trying_fd, r = socket_connected(fd);

	loop_unwatch(s->trying_watch);
	s->trying_watch = NULL;
	s->trying_fd = -1;
	if (!r) {
		connected(s, fd);
		return;
	}
	fd_close(fd);
	try_later(s);
}

static void try_now(void *ctx)
{
	struct sock *s = ctx;

	loop_unwatch(s->retry);
	s->retry = NULL;
	s->trying_fd = socket_connect_start(&s->addrs, s->tries++, NULL);
	if (s->trying_fd < 0)
		try_later(s);
	else
		s->trying_watch = loop_watch(s->c.loop, s->trying_fd,
					     LOOP_WRITE, on_decided, s);
}

static void try_later(struct sock *s)
{
	s->retry = loop_every(s->c.loop, s->reconnect_s * 1000, try_now, s);
}

/* ---- a peer goes ---- */

static void sock_ended(struct chardev *c)
{
	struct sock *s = container_of(c, struct sock, c);

	pump_disconnect(&s->pump);
	chardev_event(c, STREAM_CLOSED);
	if (s->server)
		loop_watch_change(s->listen_watch, LOOP_READ);
	else if (s->reconnect_s)
		try_later(s);
}

/* ---- set-up ---- */

static int refuse_absent(struct optstr *o, struct err *e)
{
	static const char *const flags[] = { "telnet", "websocket", "tn3270" };
	static const char *const keys[] = { "tls-creds", "tls-authz", "fd" };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		bool on = false;
		int r = optstr_bool(o, flags[i], &on, e);

		if (r)
			return r;
		if (on)
			return fail(e, ENOTSUP, "%s: not in this version",
				    flags[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (optstr_get(o, keys[i]))
			return fail(e, ENOTSUP, "%s: not in this version",
				    keys[i]);
	return 0;
}

/* port= and to= */
static int parse_ports(struct optstr *o, struct socket_where *w,
		       struct err *e)
{
	const char *text;
	uint64_t port = 0, last = 0;
	int r = optstr_need(o, "port", &text, e);

	if (!r)
		r = parse_u64("port", text, 0, 65535, &port, e);
	if (!r)
		r = optstr_u64(o, "to", port, 65535, &last, e);
	w->port = (uint16_t)port;
	w->last_port = (uint16_t)last;
	return r;
}

static int parse_where(struct optstr *o, struct socket_where *w,
		       struct err *e)
{
	bool ipv4 = true, ipv6 = true;
	int r;

	w->path = optstr_get(o, "path");
	w->host = optstr_get(o, "host");
	if (w->path && w->host)
		return fail(e, EINVAL, "path= and host= exclude each other");
	if (w->path)
		return optstr_bool(o, "abstract", &w->abstract, e);
	r = parse_ports(o, w, e);
	if (!r)
		r = optstr_bool(o, "ipv4", &ipv4, e);
	if (!r)
		r = optstr_bool(o, "ipv6", &ipv6, e);
	/* ipv4=on without ipv6= means only that one, and the reverse. */
	w->no_ipv4 = !ipv4 || (!optstr_get(o, "ipv4") &&
			       optstr_get(o, "ipv6") && ipv6);
	w->no_ipv6 = !ipv6 || (!optstr_get(o, "ipv6") &&
			       optstr_get(o, "ipv4") && ipv4);
	if (!r && w->no_ipv4 && w->no_ipv6)
		return fail(e, EINVAL, "ipv4=off and ipv6=off leave nothing");
	return r;
}

static int start_server(struct sock *s, bool wait, struct err *e)
{
	int fd;

	s->listen_fd = socket_listen(&s->addrs, e);
	if (s->listen_fd < 0)
		return s->listen_fd;
	s->listen_watch = loop_watch(s->c.loop, s->listen_fd, LOOP_READ,
				     on_listen, s);
	if (!wait)
		return 0;
	log_info("chardev '%s': waiting for a connection on %s", s->c.id,
		 s->addrs.text);
	do {
		(void)fd_wait_readable(s->listen_fd, -1);
		fd = socket_accept(s->listen_fd, e);
	} while (fd == -EAGAIN);
	if (fd < 0)
		return fd;
	loop_watch_change(s->listen_watch, 0);
	connected(s, fd);
	return 0;
}

static int start_client(struct sock *s, struct err *e)
{
	int fd;

	if (s->reconnect_s) {
		try_now(s);
		return 0;
	}
	fd = socket_connect(&s->addrs, CONNECT_MS, e);
	if (fd < 0)
		return fd;
	connected(s, fd);
	return 0;
}

static int sock_open(struct chardev *c, struct optstr *o, struct err *e)
{
	struct sock *s = container_of(c, struct sock, c);
	struct socket_where w = { 0 };
	uint64_t reconnect_s = 0;
	bool wait = true, delay = true;
	int r = refuse_absent(o, e);

	pump_init(&s->pump, c, WAIT_MS);
	s->pump.ended = sock_ended;
	s->listen_fd = s->trying_fd = -1;
	if (!r)
		r = optstr_bool(o, "server", &s->server, e);
	if (!r)
		r = optstr_bool(o, "wait", &wait, e);
	if (!r)
		r = optstr_bool(o, "delay", &delay, e);
	s->nodelay = !delay;
	if (!r && delay)
		r = optstr_bool(o, "nodelay", &s->nodelay, e);
	if (!r)
		r = optstr_u64(o, "reconnect", 0, 3600, &reconnect_s, e);
	s->reconnect_s = (unsigned)reconnect_s;
	if (!r)
		r = parse_where(o, &w, e);
	if (r)
		return r;
	if (s->server && s->reconnect_s)
		return fail(e, EINVAL, "reconnect= is not for a server");
	if (!s->server && optstr_get(o, "wait"))
		return fail(e, EINVAL, "wait= is only for server=on");
	r = optstr_finish(o, e);	/* before we wait for anybody */
	if (!r)
		r = socket_resolve(&s->addrs, &w, s->server, e);
	if (r)
		return r;
	return s->server ? start_server(s, wait, e) : start_client(s, e);
}

static void sock_put(struct chardev *c, const uint8_t *buf, size_t len)
{
	pump_put(&container_of(c, struct sock, c)->pump, buf, len);
}

static void sock_ready(struct chardev *c)
{
	pump_ready(&container_of(c, struct sock, c)->pump);
}

static void sock_flush(struct chardev *c, int timeout_ms)
{
	pump_flush(&container_of(c, struct sock, c)->pump, timeout_ms);
}

static void sock_close(struct chardev *c)
{
	struct sock *s = container_of(c, struct sock, c);

	loop_unwatch(s->listen_watch);
	loop_unwatch(s->trying_watch);
	loop_unwatch(s->retry);
	pump_disconnect(&s->pump);
	fd_close(s->trying_fd);
	if (s->listen_fd >= 0)
		socket_unlink(&s->addrs);
	fd_close(s->listen_fd);
}

const struct chardev_class socket_class = {
	.name = "socket",
	.help = "a Unix or TCP connection, made or awaited",
	.size = sizeof(struct sock),
	.open = sock_open,
	.put = sock_put,
	.ready = sock_ready,
	.flush = sock_flush,
	.close = sock_close,
};
