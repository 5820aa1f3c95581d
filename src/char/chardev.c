/* char/chardev.c - the table of back ends, and the set that holds open ones.
 *
 * Short forms are rewritten into the long form and opened the same way, so
 * there is one place that knows an option.
 *
 * Source: the option syntax of qemu-system-x86_64(1), -chardev and -serial.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/optstr.h"
#include "char/backend.h"
#include "char/chardev.h"
#include "host/fd.h"

#define FLUSH_MS	2000
#define CTRL_A		1

struct chardev_set {
	struct loop *loop;	/* borrowed */
	struct chardev *list;	/* owned, newest first */
	void (*quit)(void *ctx);
	void *quit_ctx;
	uint8_t escape;
};

static const struct chardev_class *const classes[] = {
	&null_class, &stdio_class,  &file_class,    &pipe_class,
	&pty_class,  &socket_class, &ringbuf_class,
};

static const struct {
	const char *name, *means;
} aliases[] = {
	{ "memory", "ringbuf" },
};

/* QEMU has these and this version does not. */
static const char *const absent[] = {
	"vc", "udp", "serial", "tty", "parallel", "parport", "msmouse",
	"wctablet", "braille", "testdev", "spicevmc", "spiceport",
	"qemu-vdagent", "dbus", "mux",
};

void chardev_print_help(FILE *to)
{
	fprintf(to, "Available chardev backend types: \n");
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		fprintf(to, "  %s\n", classes[i]->name);
}

static const struct chardev_class *class_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (!strcmp(aliases[i].name, name))
			name = aliases[i].means;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (!strcmp(classes[i]->name, name))
			return classes[i];
	return NULL;
}

static int refuse_class(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		if (!strcmp(absent[i], name))
			return fail(e, ENOTSUP, "back end '%s': not in this "
				    "version", name);
	return fail(e, EINVAL, "back end '%s' is unknown, '-chardev help' "
		    "lists them", name);
}

/* ---- between the two ends ---- */

size_t chardev_room(const struct chardev *c)
{
	const struct stream *s = &c->stream;

	return s->guest ? s->guest->room(s->dev) : 0;
}

void chardev_input(struct chardev *c, const uint8_t *buf, size_t len)
{
	struct stream *s = &c->stream;

	if (s->guest)
		s->guest->input(s->dev, buf, len);
}

void chardev_event(struct chardev *c, enum stream_event ev)
{
	struct stream *s = &c->stream;

	if (s->guest && s->guest->event)
		s->guest->event(s->dev, ev);
}

static void stream_to_class(struct stream *s, const uint8_t *buf, size_t len)
{
	struct chardev *c = container_of(s, struct chardev, stream);

	if (c->log_fd >= 0)
		(void)fd_write(c->log_fd, buf, len);	/* a copy, no more */
	if (c->class->put)
		c->class->put(c, buf, len);
}

static void ready_to_class(struct stream *s)
{
	struct chardev *c = container_of(s, struct chardev, stream);

	if (c->class->ready)
		c->class->ready(c);
}

/* ---- making one ---- */

static struct chardev *chardev_find(const struct chardev_set *set,
				    const char *id)
{
	struct chardev *c;

	for (c = set->list; c; c = c->next)
		if (!strcmp(c->id, id))
			break;
	return c;
}

/* As QEMU has it: a letter, then letters, digits and - . _ */
static bool id_is_good(const char *id)
{
	if (!isalpha((unsigned char)*id))
		return false;
	while (*++id)
		if (!isalnum((unsigned char)*id) && !strchr("-._", *id))
			return false;
	return true;
}

static int open_log(struct chardev *c, struct optstr *o, struct err *e)
{
	const char *path = optstr_get(o, "logfile");
	bool append = false;
	int r = optstr_bool(o, "logappend", &append, e);

	if (r || !path)
		return r;
	r = fd_open(path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC),
		    e);
	c->log_fd = r;
	return r < 0 ? r : 0;
}

static void chardev_free(struct chardev *c)
{
	mux_free(c->mux);
	if (c->opened && c->class->close)
		c->class->close(c);
	fd_close(c->log_fd);
	free(c->id);
	free(c);
}

static struct chardev *chardev_new(struct chardev_set *set,
				   const struct chardev_class *class,
				   const char *id)
{
	struct chardev *c = xcalloc(1, class->size);

	c->class = class;
	c->set = set;
	c->loop = set->loop;
	c->id = xstrdup(id);
	c->log_fd = -1;
	c->stream.id = c->id;
	c->stream.put = stream_to_class;
	c->stream.ready = ready_to_class;
	return c;
}

static int add_parsed(struct chardev_set *set, struct optstr *o,
		      const char *id, struct err *e)
{
	const struct chardev_class *class;
	const char *name;
	struct chardev *c;
	bool mux = false;
	int r = optstr_need(o, "backend", &name, e);

	if (r)
		return r;
	class = class_find(name);
	if (!class)
		return refuse_class(name, e);
	if (!id_is_good(id))
		return fail(e, EINVAL, "id '%s': a letter, then letters, "
			    "digits, '-', '.' and '_' are possible", id);
	if (chardev_find(set, id))
		return fail(e, EEXIST, "id '%s' is taken", id);
	c = chardev_new(set, class, id);
	r = optstr_bool(o, "mux", &mux, e);
	if (!r)
		r = open_log(c, o, e);
	if (!r) {
		c->opened = true;
		r = class->open(c, o, e);
	}
	if (!r)
		r = optstr_finish(o, e);
	if (r) {
		chardev_free(c);
		return r;
	}
	if (mux)
		c->mux = mux_new(c);
	c->next = set->list;
	set->list = c;
	return 0;
}

int chardev_add(struct chardev_set *set, const char *spec, struct err *e)
{
	struct optstr *o;
	const char *id;
	int r = optstr_parse(&o, spec, "backend", e);

	if (r)
		return r;
	r = optstr_need(o, "id", &id, e);
	if (!r)
		r = add_parsed(set, o, id, e);
	optstr_free(o);
	return r;
}

int chardev_take(struct chardev_set *set, const char *id, struct stream **out,
		 struct err *e)
{
	struct chardev *c = chardev_find(set, id);

	if (!c)
		return fail(e, ENOENT, "chardev '%s' does not exist", id);
	if (c->mux) {
		*out = mux_add(c->mux);
		return *out ? 0 : fail(e, EBUSY, "chardev '%s' has as many "
				       "users as a mux can have", id);
	}
	if (c->taken)
		return fail(e, EBUSY, "chardev '%s' is in use, mux=on would "
			    "share it", id);
	c->taken = true;
	*out = &c->stream;
	return 0;
}

/* ---- short forms ---- */

/* text with its commas doubled, up to `end` */
static char *escape(const char *text, const char *end)
{
	char *s = xmalloc(2 * (size_t)(end - text) + 1), *to = s;

	for (; text < end; text++) {
		*to++ = *text;
		if (*text == ',')
			*to++ = ',';
	}
	*to = '\0';
	return s;
}

/* "host:port,rest" and "[v6::host]:port,rest" */
static char *long_tcp(const char *s, struct err *e)
{
	const char *host = s, *host_end, *port;

	if (*s == '[') {
		host = s + 1;
		host_end = strchr(host, ']');
		port = host_end ? host_end + 1 : NULL;
	} else {
		host_end = port = strchr(s, ':');
	}
	if (!port || *port != ':') {
		(void)fail(e, EINVAL, "'%s' is not HOST:PORT", s);
		return NULL;
	}
	return xasprintf("socket,host=%.*s,port=%s", (int)(host_end - host),
			 host, port + 1);
}

static char *long_path(const char *backend, const char *path)
{
	char *escaped = escape(path, path + strlen(path));
	char *s = xasprintf("%s,path=%s", backend, escaped);

	free(escaped);
	return s;
}

/* The long form of a short one, owned by the caller; NULL: refused. */
static char *long_form(const char *s, struct err *e)
{
	static const char *const not_here[] = {
		"udp:", "telnet:", "websocket:", "vc:", "con:", "/dev/",
		"msmouse", "wctablet", "braille", "testdev", "spicevmc",
	};

	if (!strcmp(s, "stdio") || !strcmp(s, "null") || !strcmp(s, "pty"))
		return xstrdup(s);
	if (!strcmp(s, "vc")) {
		log_warn("serial console 'vc' goes nowhere: there is no "
			 "screen in this version");
		return xstrdup("null");
	}
	if (!strncmp(s, "file:", 5))
		return long_path("file", s + 5);
	if (!strncmp(s, "pipe:", 5))
		return long_path("pipe", s + 5);
	if (!strncmp(s, "unix:", 5))
		return xasprintf("socket,path=%s", s + 5);
	if (!strncmp(s, "tcp:", 4))
		return long_tcp(s + 4, e);
	for (size_t i = 0; i < ARRAY_LEN(not_here); i++) {
		if (!strncmp(s, not_here[i], strlen(not_here[i]))) {
			(void)fail(e, ENOTSUP, "'%s': not in this version", s);
			return NULL;
		}
	}
	(void)fail(e, EINVAL, "'%s' is none of none, null, stdio, mon:stdio, "
		   "file:, pipe:, pty, unix:, tcp:, chardev:", s);
	return NULL;
}

/* "mon:" shares the back end with the monitor-to-be, and keeps Ctrl-C for the
 * guest. */
static char *shared_form(char *s)
{
	char *shared = xasprintf("%s,mux=on%s", s,
				 !strcmp(s, "stdio") ? ",signal=off" : "");

	free(s);
	return shared;
}

int chardev_open(struct chardev_set *set, const char *spec, const char *id,
		 struct stream **out, struct err *e)
{
	bool shared = !strncmp(spec, "mon:", 4);
	struct optstr *o;
	char *s;
	int r;

	*out = NULL;
	if (!strcmp(spec, "none"))
		return 0;
	if (!strncmp(spec, "chardev:", 8))
		return chardev_take(set, spec + 8, out, e);
	s = long_form(shared ? spec + 4 : spec, e);
	if (!s)
		return -EINVAL;
	if (shared)
		s = shared_form(s);
	r = optstr_parse(&o, s, "backend", e);
	free(s);
	if (r)
		return r;
	r = add_parsed(set, o, id, e);
	optstr_free(o);
	return r ? r : chardev_take(set, id, out, e);
}

/* ---- the set ---- */

struct chardev_set *chardev_set_new(struct loop *l)
{
	struct chardev_set *set = xcalloc(1, sizeof(*set));

	set->loop = l;
	set->escape = CTRL_A;
	return set;
}

void chardev_set_free(struct chardev_set *set)
{
	if (!set)
		return;
	while (set->list) {
		struct chardev *c = set->list;

		set->list = c->next;
		if (c->class->flush)
			c->class->flush(c, FLUSH_MS);
		chardev_free(c);
	}
	free(set);
}

void chardev_set_on_quit(struct chardev_set *set, void (*quit)(void *ctx),
			 void *ctx)
{
	set->quit = quit;
	set->quit_ctx = ctx;
}

void chardev_set_quit(struct chardev_set *set)
{
	if (set->quit)
		set->quit(set->quit_ctx);
}

void chardev_set_escape(struct chardev_set *set, uint8_t ch)
{
	set->escape = ch;
}

uint8_t chardev_set_escape_char(const struct chardev_set *set)
{
	return set->escape;
}

int chardev_ring_read(struct chardev_set *set, const char *id, uint8_t *buf,
		      size_t room, struct err *e)
{
	struct chardev *c = chardev_find(set, id);

	if (!c || c->class != &ringbuf_class)
		return fail(e, ENOENT, "ring buffer '%s' does not exist", id);
	return (int)ringbuf_read(c, buf, room);
}
