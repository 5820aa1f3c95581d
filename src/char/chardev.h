/* char/chardev.h - character back ends: what -chardev, -serial and so on name.
 *
 * A set holds the back ends of one machine.  Each is made from text, has an id,
 * and gives a struct stream to the one device that asks for it; a back end with
 * mux=on gives a stream to each of several.
 *
 * The loop thread owns them; streams are used with the bus lock held.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHAR_CHARDEV_H
#define CHAR_CHARDEV_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "char/stream.h"

struct loop;
struct chardev_set;

struct chardev_set *chardev_set_new(struct loop *l);
/* Writes what is buffered first, for at most two seconds.  Before loop_free();
 * NULL is fine. */
void chardev_set_free(struct chardev_set *set);

/* What Ctrl-A x does. */
void chardev_set_on_quit(struct chardev_set *set, void (*quit)(void *ctx),
			 void *ctx);
/* -echr: what stands for Ctrl-A. */
void chardev_set_escape(struct chardev_set *set, uint8_t ch);

/* -chardev: "socket,id=c,path=/x,server=on,wait=off".  May wait for a peer. */
int chardev_add(struct chardev_set *set, const char *spec, struct err *e);
/* The stream of back end `id`.  Refused if another device has it. */
int chardev_take(struct chardev_set *set, const char *id, struct stream **out,
		 struct err *e);
/* The short form of -serial, -debugcon and -gdb: "stdio", "mon:stdio",
 * "file:x", "unix:path,server,nowait", "tcp:host:port", "chardev:ID" ....  The
 * back end gets the given id.  *out is NULL for "none". */
int chardev_open(struct chardev_set *set, const char *spec, const char *id,
		 struct stream **out, struct err *e);

/* Oldest bytes of ring buffer `id`, which forgets them. */
int chardev_ring_read(struct chardev_set *set, const char *id, uint8_t *buf,
		      size_t room, struct err *e);

/* -chardev help. */
void chardev_print_help(FILE *to);
#endif
