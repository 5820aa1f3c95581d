/* cpu/interp/select_test.c - selected functions against the general ones, in
 * code of all three modes, through segments of all sorts.
 *
 * Each case is a random encoding of one of the instructions below; guest_run()
 * runs it both ways from the same state and compares.  Offsets lie around the
 * ends of pages, of limits, of the data and of 4 GiB.  What is compared with
 * the host's processor is in integer_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/test_guest.h"

#define CASES 60000		/* of each mode */

/* An instruction: one or two opcode bytes, how many low bits of the last are
 * free, ModRM.reg (-1: no ModRM, 8: any). */
static const struct shape {
	uint8_t op[2], free;
	int8_t reg;
} shapes[] = {
	/* jumps, calls, the stack */
	{ { 0x70 }, 4, -1 }, { { 0x0f, 0x80 }, 4, -1 },
	{ { 0xe9 }, 0, -1 }, { { 0xeb }, 0, -1 },
	{ { 0xe8 }, 0, -1 }, { { 0xc3 }, 0, -1 },
	{ { 0xc2 }, 0, -1 }, { { 0xff }, 0, 2 }, { { 0xff }, 0, 4 },
	{ { 0xff }, 0, 6 }, { { 0x50 }, 4, -1 },
	{ { 0x50 }, 4, -1 }, { { 0x68 }, 0, -1 },
	{ { 0x6a }, 0, -1 }, { { 0xc9 }, 0, -1 }, { { 0x8f }, 0, 0 },
	/* operands of one size */
	{ { 0x88 }, 2, 8 }, { { 0x88 }, 2, 8 }, { { 0xa0 }, 2, -1 },
	{ { 0xc7 }, 0, 0 }, { { 0x00 }, 2, 8 }, { { 0x10 }, 2, 8 },
	{ { 0x28 }, 2, 8 }, { { 0x38 }, 2, 8 }, { { 0x84 }, 1, 8 },
	{ { 0x80 }, 0, 8 }, { { 0x83 }, 0, 8 }, { { 0xc0 }, 1, 8 },
	{ { 0xd0 }, 2, 8 }, { { 0xd2 }, 1, 8 }, { { 0xfe }, 1, 0 },
	{ { 0xf6 }, 1, 2 }, { { 0xf6 }, 1, 3 },
	/* the rest */
	{ { 0x0f, 0xb6 }, 1, 8 }, { { 0x0f, 0xbe }, 1, 8 },
	{ { 0x0f, 0xaf }, 0, 8 }, { { 0x69 }, 0, 8 },
	{ { 0x6b }, 0, 8 }, { { 0x0f, 0x90 }, 4, 0 },
	{ { 0x0f, 0x40 }, 4, 8 }, { { 0x8d }, 0, 8 },
};

/* Data segments: the attributes in which each differs from a writable one that
 * expands up, and the limit. */
static const struct sort {
	uint32_t attr, limit;
} sorts[] = {
	{ 0, 0xffffffff },
	{ 0, 0x17ff },
	{ 0, GUEST_BYTES - 1 },
	{ SEG_EXPAND_DOWN, 0x17ff },
	{ SEG_WRITABLE, 0xffffffff },		/* read-only */
	{ SEG_CODE, 0xffffffff },
	{ SEG_CODE | SEG_WRITABLE, 0xffffffff },	/* execute-only */
	{ SEG_UNUSABLE, 0xffffffff },
	{ SEG_DB, 0xffff },			/* a 16-bit stack */
};

static uint64_t seed = 1;

static unsigned below(unsigned n)	/* xorshift64*, Vigna 2016 */
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)(seed * 0x2545f4914f6cdd1d >> 32) % n;
}

static uint8_t *put_modrm(uint8_t *p, int reg, enum code_mode mode)
{
	unsigned mod = below(4), rm = below(8);

	if (reg == 8)
		reg = (int)below(8);
	*p++ = (uint8_t)(mod << 6 | (unsigned)reg << 3 | rm);
	if (rm == 4 && mod != 3 && mode != CODE16)
		*p++ = (uint8_t)below(256);	/* SIB */
	return p;
}

/* Into an array of zeroes, longer than any instruction. */
static void make_bytes(enum code_mode mode, uint8_t *bytes)
{
	const struct shape *s = &shapes[below(ARRAY_LEN(shapes))];
	uint8_t *p = bytes, low = (uint8_t)below(1u << s->free);

	if (!below(6))
		*p++ = 0x66;
	if (!below(8))
		*p++ = 0x67;
	if (!below(6))
		*p++ = below(2) ? 0x64 : 0x36;	/* FS, SS */
	if (mode == CODE64 && below(2))
		*p++ = 0x40 | (uint8_t)below(16);
	*p++ = s->op[0] | (s->op[1] ? 0 : low);
	if (s->op[1])
		*p++ = s->op[1] | low;
	if (s->reg >= 0)
		p = put_modrm(p, s->reg, mode);
	if (below(2))		/* displacement or constant */
		p[0] = (uint8_t)below(256);
	if (!below(4))
		p[1] = (uint8_t)below(256);
}

static uint64_t any_offset(void)
{
	static const uint32_t edges[] = {
		0, 0x1000, 0x1800, GUEST_BYTES, 0x10000, 0x80, 0x2000, 0x2800,
	};

	if (!below(3))
		return (uint32_t)(edges[below(ARRAY_LEN(edges))] + below(17) -
				  8);
	return below(GUEST_BYTES);
}

/* Offsets in 64-bit code are linear; elsewhere the data is at base. */
static void any_registers(struct guest *g, enum code_mode mode)
{
	for (unsigned n = 0; n < 16; n++) {
		uint64_t v = any_offset();

		if (n == RCX || n == RSI)
			v = below(64);
		else if (mode == CODE64 && below(8))
			v += GUEST_DATA;
		else if (mode == CODE64)
			v |= 1ull << (40 + below(24));
		else if (mode == CODE16 && below(2))
			v |= below(2) << 16;
		g->c->gpr[n] = mode == CODE64 ? v : (uint32_t)v;
		if (mode != CODE64 && n >= 8)
			g->c->gpr[n] = 0;
	}
	flags_set(g->c, below(0x1000), FLAGS_ARITH);
}

static void any_segments(struct guest *g, enum code_mode mode)
{
	const struct sort *s = &sorts[below(3) ? 0 : below(ARRAY_LEN(sorts))];
	struct cpu *c = g->c;

	guest_mode(g, mode);
	for (unsigned n = 0; n < SREG_COUNT; n++) {
		if (n == CS)
			continue;
		c->seg[n].base = n == FS ? GUEST_DATA + 0x100 : GUEST_DATA;
		if (!below(3))
			continue;
		c->seg[n].limit = s->limit;
		c->seg[n].attr ^= s->attr;
	}
	if (mode == CODE64)
		c->seg[FS].base = 0x100;
	if (mode == CODE16 && below(4)) {
		c->seg[SS].attr &= ~SEG_DB;
		c->seg[SS].limit &= 0xffff;
	}
	if (mode != CODE64 && !below(3))
		c->seg[CS].limit = mode == CODE16 ? 0x40 : GUEST_CODE + 0x40;
	cpu_derive(c);
}

/* Half of the words are small, to be pointers and jump targets. */
static void any_data(struct guest *g)
{
	for (unsigned n = 0; n < GUEST_BYTES; n += 8)
		store_le64(g->data + n, below(2) ? below(0x10000) :
			   (uint64_t)below(~0u) << 32 | below(~0u));
}

static void try_mode(enum code_mode mode)
{
	struct guest *g = guest_new();
	unsigned ran = 0, faulted = 0;

	for (unsigned n = 0; n < CASES; n++) {
		uint8_t bytes[32] = { 0 };
		struct insn i;

		any_segments(g, mode);
		make_bytes(mode, bytes);
		if (insn_decode(&i, bytes, 31, mode, &g->c->features) !=
		    DECODE_OK || !exec_select(&i, mode))
			continue;
		any_registers(g, mode);
		if (n % 64 == 0)
			any_data(g);
		if (guest_run(g, (const char *)bytes, i.len))
			ran++;
		else
			faulted++;
	}
	print_message("%u ran, %u faulted\n", ran, faulted);
	assert_true(ran > CASES / 4 && faulted > CASES / 20);
	guest_free(g);
}

static void selected_functions_of_16_bit_code_do_what_the_rows_do(void **state)
{
	try_mode(CODE16);
}

static void selected_functions_of_32_bit_code_do_what_the_rows_do(void **state)
{
	try_mode(CODE32);
}

static void selected_functions_of_64_bit_code_do_what_the_rows_do(void **state)
{
	try_mode(CODE64);
}

TEST_MAIN("select",
	TEST(selected_functions_of_16_bit_code_do_what_the_rows_do),
	TEST(selected_functions_of_32_bit_code_do_what_the_rows_do),
	TEST(selected_functions_of_64_bit_code_do_what_the_rows_do))
