/* machine/tables.h - the area below 1 MiB that firmware would fill: a bump
 * allocator over a copy that is written to guest memory at every reset.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_TABLES_H
#define MACHINE_TABLES_H
#include <errno.h>

#include "base/bytes.h"
#include "base/err.h"
#include "bus/bus.h"

struct tables {
	gpa_t base;
	uint8_t *bytes;		/* borrowed, `room` bytes, zeroed */
	size_t len, room;
};

/* `len` zeroed bytes at a multiple of `align`; NULL when they do not fit. */
static inline uint8_t *tables_take(struct tables *t, size_t len, size_t align,
				   gpa_t *at, struct err *e)
{
	size_t off = (t->len + align - 1) & ~(align - 1);

	if (off > t->room || len > t->room - off) {
		fail(e, ENOSPC, "firmware tables need more than the %zu bytes"
		     " below 1 MiB", t->room);
		return NULL;
	}
	t->len = off + len;
	*at = t->base + off;
	return t->bytes + off;
}

/* What makes the bytes sum up to 0. */
static inline uint8_t tables_checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}
#endif
