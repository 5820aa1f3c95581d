/* host/socket.h - stream sockets of the Unix and internet families.
 *
 * All sockets are non-blocking and close-on-exec.  Errors name the address as
 * the user wrote it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_SOCKET_H
#define HOST_SOCKET_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

/* Where: a path or a host and port.  Strings are borrowed. */
struct socket_where {
	const char *path;	/* Unix; NULL: internet */
	bool abstract;		/* path is a name, not a file */
	const char *host;	/* "" or NULL: any (listen), local (connect) */
	uint16_t port;
	uint16_t last_port;	/* listen on the first free one; 0: port */
	bool no_ipv4, no_ipv6;
};

#define SOCKET_ADDRESSES 8

/* The same after names have been looked up. */
struct socket_addrs {
	char text[160];		/* "tcp:host:port", "unix:path" */
	unsigned count;
	struct {
		struct sockaddr_storage addr;
		socklen_t len;
	} at[SOCKET_ADDRESSES];
	bool is_unix, is_abstract;
	uint16_t port, last_port;
};

/* May wait for the name service. */
int socket_resolve(struct socket_addrs *a, const struct socket_where *w,
		   bool listen, struct err *e);

/* Returns the descriptor.  A Unix path left over by a dead listener, or by any
 * other, is replaced, as QEMU does; a->port is what was found free. */
int socket_listen(struct socket_addrs *a, struct err *e);
/* -EAGAIN when nobody is there. */
int socket_accept(int listen_fd, struct err *e);
/* Remove the file of a Unix listener. */
void socket_unlink(const struct socket_addrs *a);

/* Try each address for at most timeout_ms. */
int socket_connect(const struct socket_addrs *a, int timeout_ms,
		   struct err *e);
/* Begin with address n % count; writable when decided, then
 * socket_connected() says 0 or -errno. */
int socket_connect_start(const struct socket_addrs *a, unsigned n,
			 struct err *e);
int socket_connected(int fd);

/* Nagle's algorithm off; nothing happens on a Unix socket. */
void socket_set_nodelay(int fd);
/* The port a listener got. */
uint16_t socket_port(int fd);
#endif
