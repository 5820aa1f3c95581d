/* cpu/x86/debug.c - see debug.h
 *
 * DR7 (SDM 3B 17.2.4): bits 2n and 2n+1 enable point n locally and globally,
 * and from bit 16 each point has two bits of kind and two of length:
 *   kind    00 execute, 01 write, 10 I/O (with CR4.DE), 11 read or write
 *   length  00 one byte, 01 two, 10 eight, 11 four
 * A data point covers the bytes from its address rounded down to its length.
 * B0-B3 of DR6 are set for enabled points only.
 *
 * Source: SDM 3B 17.2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/debug.h"

enum dr7_kind { DR_EXEC, DR_WRITE, DR_IO, DR_ACCESS };

static bool enabled(const struct cpu *c, unsigned n)
{
	return c->dr7 >> (2 * n) & 3;
}

static enum dr7_kind kind_of(const struct cpu *c, unsigned n)
{
	return (enum dr7_kind)(c->dr7 >> (16 + 4 * n) & 3);
}

static unsigned length_of(const struct cpu *c, unsigned n)
{
	static const uint8_t lengths[] = { 1, 2, 8, 4 };

	return lengths[c->dr7 >> (18 + 4 * n) & 3];
}

/* Start of the bytes that point n covers. */
static gva_t start_of(const struct cpu *c, unsigned n)
{
	gva_t a = c->dr[n] & ~(gva_t)(length_of(c, n) - 1);

	return cpu_long_mode(c) ? a : (uint32_t)a;
}

static bool overlap(gva_t a, uint64_t a_len, gva_t b, uint64_t b_len)
{
	return a - b < b_len || b - a < a_len;
}

static bool gdb_is_data(const struct debug_point *p)
{
	return p->kind != DEBUG_EXEC;
}

static bool any_exec(const struct cpu *c)
{
	for (unsigned n = 0; n < 4; n++)
		if (enabled(c, n) && kind_of(c, n) == DR_EXEC)
			return true;
	for (unsigned n = 0; c->debug && n < c->debug->count; n++)
		if (!gdb_is_data(&c->debug->point[n]))
			return true;
	return false;
}

void debug_points_changed(struct cpu *c)
{
	c->step &= ~STEP_BREAK;
	if (any_exec(c))
		c->step |= STEP_BREAK;
	tlb_flush_all(c);
}

uint64_t debug_check_exec(struct cpu *c, gva_t a)
{
	uint64_t dr6 = 0;

	for (unsigned n = 0; n < 4; n++)
		if (enabled(c, n) && kind_of(c, n) == DR_EXEC &&
		    start_of(c, n) == a)
			dr6 |= 1u << n;
	return dr6;
}

bool debug_gdb_exec(struct cpu *c, gva_t a)
{
	for (unsigned n = 0; c->debug && n < c->debug->count; n++)
		if (c->debug->point[n].kind == DEBUG_EXEC &&
		    c->debug->point[n].at == a)
			return true;
	return false;
}

bool debug_exec_within(struct cpu *c, gva_t a, unsigned len)
{
	for (unsigned n = 0; n < 4; n++)
		if (enabled(c, n) && kind_of(c, n) == DR_EXEC &&
		    start_of(c, n) - a < len)
			return true;
	for (unsigned n = 0; c->debug && n < c->debug->count; n++)
		if (c->debug->point[n].kind == DEBUG_EXEC &&
		    c->debug->point[n].at - a < len)
			return true;
	return false;
}

bool debug_page_watched(struct cpu *c, gva_t page)
{
	for (unsigned n = 0; n < 4; n++) {
		enum dr7_kind kind = kind_of(c, n);

		if (enabled(c, n) && (kind == DR_WRITE || kind == DR_ACCESS) &&
		    overlap(start_of(c, n), length_of(c, n), page, PAGE_SIZE))
			return true;
	}
	for (unsigned n = 0; c->debug && n < c->debug->count; n++) {
		const struct debug_point *p = &c->debug->point[n];

		if (gdb_is_data(p) && overlap(p->at, p->len, page, PAGE_SIZE))
			return true;
	}
	return false;
}

static bool gdb_wants(const struct debug_point *p, enum access access)
{
	switch (p->kind) {
	case DEBUG_EXEC:	return false;
	case DEBUG_ACCESS:	return true;
	case DEBUG_READ:	return access != ACCESS_WRITE;
	case DEBUG_WRITE:	break;
	}
	return access != ACCESS_READ;
}

static void check_gdb(struct cpu *c, gva_t a, unsigned size,
		      enum access access)
{
	for (unsigned n = 0; c->debug && n < c->debug->count; n++) {
		const struct debug_point *p = &c->debug->point[n];

		if (gdb_wants(p, access) && overlap(a, size, p->at, p->len)) {
			c->gdb_hit = true;
			c->gdb_hit_at = p->at;
			c->stop_block = 1;
			return;
		}
	}
}

void debug_check_data(struct cpu *c, gva_t a, unsigned size,
		      enum access access)
{
	for (unsigned n = 0; n < 4; n++) {
		enum dr7_kind kind = kind_of(c, n);
		bool wanted = kind == DR_ACCESS ||
			      (kind == DR_WRITE && access != ACCESS_READ);

		if (!enabled(c, n) || !wanted ||
		    !overlap(a, size, start_of(c, n), length_of(c, n)))
			continue;
		c->pending_dr6 |= 1u << n;
		c->stop_block = 1;
	}
	check_gdb(c, a, size, access);
}

void debug_check_port(struct cpu *c, uint16_t port, unsigned size)
{
	if (!(c->cr4 & CR4_DE))
		return;
	for (unsigned n = 0; n < 4; n++) {
		if (!enabled(c, n) || kind_of(c, n) != DR_IO ||
		    !overlap(port, size, start_of(c, n), length_of(c, n)))
			continue;
		c->pending_dr6 |= 1u << n;
		c->stop_block = 1;
	}
}
