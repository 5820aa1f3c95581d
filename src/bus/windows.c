/* bus/windows.c - register windows: which device answers, in which pieces.
 *
 * An access is cut into naturally aligned pieces no wider than the window's
 * max_size, low address first, each of which may belong to another window;
 * this is what the byte enables of a real bus come to.  A piece narrower than
 * min_size goes through an aligned min_size access if the window widens, and
 * unanswered otherwise: ones are read, writes vanish.
 *
 * Ports have a table of who answers each of them; MMIO windows are few, and
 * searched from the last mapped to the first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/trace.h"
#include "bus/inside.h"

/* ---- the lists ---- */

static void append(struct window_list *l, struct window *w)
{
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->at = reallocarray(l->at, l->room, sizeof(*l->at));
		if (!l->at)
			abort();
	}
	l->at[l->count++] = w;
}

static void discard(struct window_list *l, const struct window *w)
{
	unsigned i = 0;

	while (i < l->count && l->at[i] != w)
		i++;
	assert(i < l->count);
	for (l->count--; i < l->count; i++)
		l->at[i] = l->at[i + 1];
}

static struct window *lookup(const struct window_list *l, uint64_t at)
{
	for (unsigned i = l->count; i-- > 0;)
		if (at - l->at[i]->base < l->at[i]->len)
			return l->at[i];
	return NULL;
}

static void check_ops(const struct window *w)
{
	const struct io_ops *o = w->ops;

	assert(!w->mapped && o->min_size && o->min_size <= o->max_size);
	assert(o->max_size <= 8);
}

int bus_map_ports(struct bus *b, struct window *w, uint16_t first,
		  uint32_t count, struct err *e)
{
	bool entered;

	check_ops(w);
	if (!count || first + (uint64_t)count > 0x10000)
		return fail(e, EINVAL,
			    "%s: %" PRIu32 " ports from 0x%x end past 0xffff",
			    w->name, count, first);
	entered = bus_enter(b);
	w->base = first;
	w->len = count;
	w->mapped = true;
	append(&b->ports, w);
	for (uint32_t i = 0; i < count; i++)
		b->port_map[first + i] = w;
	bus_leave(b, entered);
	return 0;
}

void bus_unmap_ports(struct bus *b, struct window *w)
{
	bool entered = bus_enter(b);

	if (w->mapped) {
		discard(&b->ports, w);
		w->mapped = false;
		for (uint64_t p = w->base; p < w->base + w->len; p++)
			if (b->port_map[p] == w)
				b->port_map[p] = lookup(&b->ports, p);
	}
	bus_leave(b, entered);
}

int bus_map_mmio(struct bus *b, struct window *w, gpa_t base, uint64_t len,
		 struct err *e)
{
	bool entered;

	check_ops(w);
	if (!len || base + len - 1 < base)
		return fail(e, EINVAL,
			    "%s: %" PRIu64 " bytes at 0x%" PRIx64
			    " pass the end of the address space",
			    w->name, len, base);
	entered = bus_enter(b);
	w->base = base;
	w->len = len;
	w->mapped = true;
	append(&b->mmio, w);
	bus_leave(b, entered);
	bus_bump_generation(b);
	return 0;
}

void bus_unmap_mmio(struct bus *b, struct window *w)
{
	bool entered = bus_enter(b);

	if (w->mapped) {
		discard(&b->mmio, w);
		w->mapped = false;
		bus_bump_generation(b);
	}
	bus_leave(b, entered);
}

/* ---- one access ---- */

static uint64_t ones(unsigned size)
{
	return size >= 8 ? ~0ull : (1ull << 8 * size) - 1;
}

/* The widest aligned piece at `at`, of at most `left` bytes, w can take. */
static unsigned piece_size(const struct window *w, uint64_t at, unsigned left)
{
	unsigned size = w ? w->ops->max_size : 8;
	uint64_t room = w ? w->base + w->len - at : 8;

	while (size > left || size > room || (at & (size - 1)))
		size /= 2;
	return size;
}

static uint64_t read_piece(const struct window *w, uint64_t at, unsigned size)
{
	uint64_t off, v;
	unsigned skip;

	if (size >= w->ops->min_size)
		return w->ops->read(w->dev, at - w->base, size) & ones(size);
	if (!w->ops->widen)
		return ones(size);
	off = (at - w->base) & ~(uint64_t)(w->ops->min_size - 1);
	skip = (unsigned)(at - w->base - off);
	v = w->ops->read(w->dev, off, w->ops->min_size);
	return v >> 8 * skip & ones(size);
}

static void write_piece(const struct window *w, uint64_t at, uint64_t v,
			unsigned size)
{
	uint64_t off;
	unsigned skip;

	v &= ones(size);
	if (size >= w->ops->min_size) {
		w->ops->write(w->dev, at - w->base, v, size);
		return;
	}
	if (!w->ops->widen)
		return;
	off = (at - w->base) & ~(uint64_t)(w->ops->min_size - 1);
	skip = (unsigned)(at - w->base - off);
	w->ops->write(w->dev, off, v << 8 * skip, w->ops->min_size);
}

static void note_unanswered(const char *what, uint64_t at, unsigned size)
{
	log_guest("bus: nobody answers a %u-byte %s 0x%" PRIx64, size, what,
		  at);
}

uint32_t bus_port_read(struct bus *b, uint16_t port, unsigned size)
{
	bool entered = bus_enter(b);
	uint32_t v = 0;

	for (unsigned done = 0, n; done < size; done += n) {
		uint16_t at = (uint16_t)(port + done);
		const struct window *w = b->port_map[at];
		uint64_t piece;

		n = piece_size(w, at, size - done);
		piece = w ? read_piece(w, at, n) : ones(n);
		if (!w)
			note_unanswered("read of port", at, n);
		v |= (uint32_t)(piece << 8 * done);
	}
	trace_bus_port_read(port, size, v);
	bus_leave(b, entered);
	return v;
}

void bus_port_write(struct bus *b, uint16_t port, uint32_t v, unsigned size)
{
	bool entered = bus_enter(b);

	trace_bus_port_write(port, size, v);
	for (unsigned done = 0, n; done < size; done += n) {
		uint16_t at = (uint16_t)(port + done);
		const struct window *w = b->port_map[at];

		n = piece_size(w, at, size - done);
		if (w)
			write_piece(w, at, v >> 8 * done, n);
		else
			note_unanswered("write to port", at, n);
	}
	bus_leave(b, entered);
}

uint64_t bus_mmio_read(struct bus *b, gpa_t at, unsigned size)
{
	bool entered = bus_enter(b);
	uint64_t v = 0;

	for (unsigned done = 0, n; done < size; done += n) {
		const struct window *w = lookup(&b->mmio, at + done);
		uint64_t piece;

		n = piece_size(w, at + done, size - done);
		piece = w ? read_piece(w, at + done, n) : ones(n);
		if (!w)
			note_unanswered("read of address", at + done, n);
		v |= piece << 8 * done;
	}
	trace_bus_mmio_read(at, size, v);
	bus_leave(b, entered);
	return v;
}

void bus_mmio_write(struct bus *b, gpa_t at, uint64_t v, unsigned size)
{
	bool entered = bus_enter(b);

	trace_bus_mmio_write(at, size, v);
	for (unsigned done = 0, n; done < size; done += n) {
		const struct window *w = lookup(&b->mmio, at + done);

		n = piece_size(w, at + done, size - done);
		if (w)
			write_piece(w, at + done, v >> 8 * done, n);
		else
			note_unanswered("write to address", at + done, n);
	}
	bus_leave(b, entered);
}
