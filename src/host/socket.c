/* host/socket.c - see socket.h
 *
 * Source: unix(7), tcp(7), getaddrinfo(3).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/fd.h"
#include "host/socket.h"

static int resolve_unix(struct socket_addrs *a, const struct socket_where *w,
			struct err *e)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->at[0].addr;
	size_t len = strlen(w->path), room = sizeof(un->sun_path) - 1;

	snprintf(a->text, sizeof(a->text), "unix:%s%s",
		 w->abstract ? "@" : "", w->path);
	if (!len || len > room)
		return fail(e, EINVAL, "%s: the path has %zu bytes, 1 to %zu "
			    "are possible", a->text, len, room);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + w->abstract, w->path, len);
	a->at[0].len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				   len + 1);
	a->count = 1;
	a->is_unix = true;
	a->is_abstract = w->abstract;
	return 0;
}

static int family(const struct socket_where *w)
{
	if (w->no_ipv6)
		return AF_INET;
	return w->no_ipv4 ? AF_INET6 : AF_UNSPEC;
}

int socket_resolve(struct socket_addrs *a, const struct socket_where *w,
		   bool listen_side, struct err *e)
{
	struct addrinfo hints = {
		.ai_family = family(w),
		.ai_socktype = SOCK_STREAM,
		.ai_flags = listen_side ? AI_PASSIVE : 0,
	}, *list;
	const char *host = w->host && *w->host ? w->host : NULL;
	char port[8];
	int r;

	memset(a, 0, sizeof(*a));
	if (w->path)
		return resolve_unix(a, w, e);
	snprintf(a->text, sizeof(a->text), "tcp:%s:%u", host ? host : "",
		 w->port);
	snprintf(port, sizeof(port), "%u", w->port);
	r = getaddrinfo(host, port, &hints, &list);
	if (r)
		return fail(e, EINVAL, "%s: %s", a->text, gai_strerror(r));
	for (struct addrinfo *i = list; i; i = i->ai_next) {
		if (a->count == SOCKET_ADDRESSES)
			break;
		memcpy(&a->at[a->count].addr, i->ai_addr, i->ai_addrlen);
		a->at[a->count++].len = i->ai_addrlen;
	}
	freeaddrinfo(list);
	a->port = w->port;
	a->last_port = w->last_port ? w->last_port : w->port;
	return 0;
}

static int socket_new(const struct socket_addrs *a, unsigned n)
{
	int fd = socket(a->at[n].addr.ss_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static void set_port(struct sockaddr_storage *addr, uint16_t port)
{
	if (addr->ss_family == AF_INET)
		((struct sockaddr_in *)addr)->sin_port = htons(port);
	if (addr->ss_family == AF_INET6)
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
}

/* The listening socket or -errno. */
static int listen_at(struct socket_addrs *a, unsigned n)
{
	int fd = socket_new(a, n), on = 1, code;

	if (fd < 0)
		return fd;
	if (a->is_unix)
		socket_unlink(a);
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, (struct sockaddr *)&a->at[n].addr, a->at[n].len) &&
	    !listen(fd, 1))
		return fd;
	code = errno;
	close(fd);
	return -code;
}

int socket_listen(struct socket_addrs *a, struct err *e)
{
	int r = -EADDRNOTAVAIL;

	for (unsigned port = a->port; port <= a->last_port; port++) {
		for (unsigned n = 0; n < a->count; n++) {
			set_port(&a->at[n].addr, (uint16_t)port);
			r = listen_at(a, n);
			if (r < 0)
				continue;
			a->port = socket_port(r);
			set_port(&a->at[n].addr, a->port);
			return r;
		}
		if (r != -EADDRINUSE)
			break;
	}
	return fail(e, -r, "%s: %s", a->text, strerror(-r));
}

int socket_accept(int listen_fd, struct err *e)
{
	int fd;

	do
		fd = accept4(listen_fd, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	return fd < 0 ? fail(e, errno, "accept: %s", strerror(errno)) : fd;
}

void socket_unlink(const struct socket_addrs *a)
{
	if (a->is_unix && !a->is_abstract)
		unlink(((struct sockaddr_un *)&a->at[0].addr)->sun_path);
}

int socket_connect_start(const struct socket_addrs *a, unsigned n,
			 struct err *e)
{
	int fd = socket_new(a, n % a->count), code;

	n %= a->count;
	if (fd < 0)
		return fail(e, -fd, "%s: %s", a->text, strerror(-fd));
	if (!connect(fd, (const struct sockaddr *)&a->at[n].addr,
		     a->at[n].len) || errno == EINPROGRESS)
		return fd;
	code = errno;
	close(fd);
	return fail(e, code, "%s: %s", a->text, strerror(code));
}

int socket_connected(int fd)
{
	int code = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len))
		return -errno;
	return -code;
}

int socket_connect(const struct socket_addrs *a, int timeout_ms,
		   struct err *e)
{
	int r = -EADDRNOTAVAIL;

	for (unsigned n = 0; n < a->count; n++) {
		int fd = socket_connect_start(a, n, e);

		r = fd;
		if (fd < 0)
			continue;
		r = fd_wait_writable(fd, timeout_ms) ? socket_connected(fd)
						     : -ETIMEDOUT;
		if (!r)
			return fd;
		close(fd);
	}
	return fail(e, -r, "%s: %s", a->text, strerror(-r));
}

void socket_set_nodelay(int fd)
{
	int on = 1;

	/* Not for Unix sockets, which say ENOPROTOOPT. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

uint16_t socket_port(int fd)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof(s);

	if (getsockname(fd, (struct sockaddr *)&s, &len))
		return 0;
	if (s.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&s)->sin_port);
	if (s.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&s)->sin6_port);
	return 0;
}
