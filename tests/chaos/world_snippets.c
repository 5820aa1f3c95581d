/* world_snippets.c - short runs of instructions that go together: a register
 * loaded with something that the next instruction takes seriously.
 *
 * Single random instructions seldom write an MSR that exists, reach a device
 * or return through a frame that is nearly right.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../oracle/random.h"
#include "world.h"

struct snippet {
	struct world *w;
	uint8_t *at;
	unsigned len;
};

static void put(struct snippet *s, const char *bytes, unsigned n)
{
	memcpy(s->at + s->len, bytes, n);
	s->len += n;
}

#define PUT(s, bytes) put(s, bytes, sizeof(bytes) - 1)

static void put32(struct snippet *s, uint64_t v)
{
	store_le32(s->at + s->len, (uint32_t)v);
	s->len += 4;
}

/* MOV reg, v: 32 bits of it, now and then 64. */
static void mov(struct snippet *s, unsigned reg, uint64_t v)
{
	bool wide = s->w->mode == CODE64 && one_in(&s->w->r, 4);

	if (s->w->mode == CODE16)
		PUT(s, "\x66");
	if (wide)
		PUT(s, "\x48");
	s->at[s->len++] = (uint8_t)(0xb8 + reg);
	put32(s, v);
	if (wide)
		put32(s, v >> 32);
}

/* One of some byte strings of two bytes. */
static void choose2(struct snippet *s, const char *from, unsigned count)
{
	put(s, from + 2 * below(&s->w->r, count), 2);
}

/* ---- the snippets ---- */

static void msr(struct snippet *s)
{
	mov(s, RCX, world_msr(s->w));
	mov(s, RDX, one_in(&s->w->r, 2) ? 0 : world_value(s->w));
	mov(s, RAX, world_value(s->w));
	choose2(s, "\x0f\x30\x0f\x32", 2);
}

static void cpuid(struct snippet *s)
{
	static const uint32_t ranges[] = { 0, 0x40000000, 0x80000000 };

	mov(s, RAX, ranges[below(&s->w->r, 3)] + below(&s->w->r, 40));
	mov(s, RCX, below(&s->w->r, 8));
	PUT(s, "\x0f\xa2");
}

static void xsetbv(struct snippet *s)
{
	mov(s, RCX, one_in(&s->w->r, 8));
	mov(s, RDX, 0);
	mov(s, RAX, below(&s->w->r, 8));
	PUT(s, "\x0f\x01\xd1");
}

static void port(struct snippet *s)
{
	static const char codes[] = { '\xec', '\xed', '\xee', '\xef', '\x6c',
				      '\x6d', '\x6e', '\x6f' };

	mov(s, RDX, world_port(s->w));
	mov(s, RAX, world_value(s->w));
	put(s, codes + below(&s->w->r, sizeof(codes)), 1);
}

/* An access of 32-bit registers' worth of memory at [EDI]. */
static void at_edi(struct snippet *s, uint64_t address)
{
	mov(s, RDI, address);
	if (s->w->mode == CODE16)
		PUT(s, "\x67");
}

static void window(struct snippet *s)
{
	mov(s, RAX, world_value(s->w));
	at_edi(s, world_window(s->w));
	choose2(s, "\x89\x07\x8b\x07\x88\x07\x8a\x07\x87\x07", 5);
}

static void state_area(struct snippet *s)
{
	uint64_t at = AT_DATA + below(&s->w->r, 16) * 0x1000u;

	mov(s, RAX, below(&s->w->r, 8));
	mov(s, RDX, 0);
	at_edi(s, at + (one_in(&s->w->r, 8) ? below(&s->w->r, 64) : 0));
	if (s->w->mode == CODE64 && one_in(&s->w->r, 2))
		PUT(s, "\x48");
	s->at[s->len++] = 0x0f;
	s->at[s->len++] = one_in(&s->w->r, 3) ? 0xc7 : 0xae;
	s->at[s->len++] = (uint8_t)(0x07 | below(&s->w->r, 8) << 3);
}

static void far(struct snippet *s)
{
	if (s->w->mode == CODE64) {
		at_edi(s, AT_DATA + below(&s->w->r, DATA_LEN / 8) * 8);
		choose2(s, "\xff\x1f\xff\x2f", 2);
		return;
	}
	if (s->w->mode == CODE16)
		PUT(s, "\x66");
	s->at[s->len++] = one_in(&s->w->r, 2) ? 0x9a : 0xea;
	put32(s, AT_CODE + below(&s->w->r, CODE_LEN));
	store_le16(s->at + s->len, world_selector(s->w));
	s->len += 2;
}

static void control(struct snippet *s)
{
	static const struct {
		uint8_t n;
		uint32_t v;
	} rows[] = {
		{ 0, CR0_PE | CR0_PG | CR0_NE | CR0_ET }, { 0, CR0_PE | CR0_ET },
		{ 0, CR0_ET }, { 2, 0 }, { 3, AT_TOP }, { 4, CR4_PAE },
		{ 4, CR4_OSFXSR | CR4_OSXSAVE | CR4_PAE }, { 4, 0 }, { 8, 0 },
	};
	unsigned n = below(&s->w->r, ARRAY_LEN(rows));
	uint64_t v = rows[n].v;

	if (!one_in(&s->w->r, 4))
		v ^= 1ull << below(&s->w->r, rows[n].n == 8 ? 5 : 32);
	mov(s, RAX, v);
	if (rows[n].n == 8)
		PUT(s, "\x44");
	PUT(s, "\x0f\x22");
	s->at[s->len++] = (uint8_t)(0xc0 | (rows[n].n & 7) << 3);
}

static void interrupt_return(struct snippet *s)
{
	bool wide = s->w->mode == CODE64;

	for (unsigned n = wide ? 5 : 3 + 2 * below(&s->w->r, 2); n-- > 0; ) {
		uint64_t v = world_value(s->w);

		if (n == 0)
			v = AT_CODE + below(&s->w->r, CODE_LEN);
		else if (n == 2)
			v = random_next(&s->w->r) & 0x3f7fd7;
		else if (n == 1 || n == 4)
			v = world_selector(s->w);
		mov(s, RAX, v);
		if (s->w->mode == CODE16)
			PUT(s, "\x66");
		PUT(s, "\x50");
	}
	if (wide)
		PUT(s, "\x48");
	else if (s->w->mode == CODE16)
		PUT(s, "\x66");
	PUT(s, "\xcf");
}

/* A long string operation, from and to anywhere. */
static void repeat(struct snippet *s)
{
	static const char codes[] = { '\xa4', '\xa5', '\xa6', '\xa7', '\xaa',
				      '\xab', '\xac', '\xae', '\x6c', '\x6f' };

	mov(s, RCX, one_in(&s->w->r, 2) ? below(&s->w->r, 0x4000)
					: world_value(s->w));
	mov(s, RSI, world_value(s->w));
	at_edi(s, world_value(s->w));
	s->at[s->len++] = one_in(&s->w->r, 4) ? 0xf2 : 0xf3;
	put(s, codes + below(&s->w->r, sizeof(codes)), 1);
}

static void fresh_registers(struct snippet *s)
{
	for (unsigned n = 0; n < 3; n++)
		mov(s, below(&s->w->r, 8), world_value(s->w));
}

unsigned world_snippet(struct world *w, uint8_t *at)
{
	static void (*const kinds[])(struct snippet *s) = {
		msr, cpuid, xsetbv, port, window, state_area, far, control,
		interrupt_return, repeat, fresh_registers, fresh_registers,
	};
	struct snippet s = { w, at, 0 };

	kinds[below(&w->r, ARRAY_LEN(kinds))](&s);
	return s.len;
}
