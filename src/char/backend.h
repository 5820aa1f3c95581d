/* char/backend.h - what a back end is to chardev.c; only src/char includes it.
 * SPDX-License-Identifier: MIT
 */
#ifndef CHAR_BACKEND_H
#define CHAR_BACKEND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "char/stream.h"

struct loop;
struct mux;
struct optstr;
struct chardev_set;

struct chardev {
	struct stream stream;	/* what the guest end holds */
	const struct chardev_class *class;
	struct chardev_set *set;	/* borrowed */
	struct loop *loop;	/* borrowed */
	char *id;		/* owned */
	struct mux *mux;	/* owned; NULL without mux=on */
	int log_fd;		/* logfile=; -1: none */
	bool opened;		/* or tried: class->close is due */
	bool taken;
	struct chardev *next;
};

/* One per kind, one row in chardev.c.  The core allocates `size` zeroed bytes
 * that begin with struct chardev. */
struct chardev_class {
	const char *name;
	const char *help;
	size_t size;
	int (*open)(struct chardev *c, struct optstr *o, struct err *e);
	/* These three may be NULL. */
	void (*put)(struct chardev *c, const uint8_t *buf, size_t len);
	void (*ready)(struct chardev *c);
	void (*flush)(struct chardev *c, int timeout_ms);
	/* Also after a failed open. */
	void (*close)(struct chardev *c);
};

extern const struct chardev_class null_class, stdio_class, file_class,
	pipe_class, pty_class, socket_class, ringbuf_class;

/* Host end to guest end. */
size_t chardev_room(const struct chardev *c);
void chardev_input(struct chardev *c, const uint8_t *buf, size_t len);
void chardev_event(struct chardev *c, enum stream_event ev);

/* ringbuf.c */
size_t ringbuf_read(struct chardev *c, uint8_t *buf, size_t room);

/* mux.c */
struct mux *mux_new(struct chardev *base);
void mux_free(struct mux *m);
/* NULL when all places are taken. */
struct stream *mux_add(struct mux *m);
/* chardev.c, for the mux */
void chardev_set_quit(struct chardev_set *set);
uint8_t chardev_set_escape_char(const struct chardev_set *set);
#endif
