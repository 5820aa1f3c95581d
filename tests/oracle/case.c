/* case.c - make a case from a seed: an instruction of some row, and a state
 * for it that is likely to be interesting.
 *
 * The bytes are made from the row's columns with prefixes, ModRM, SIB and
 * immediates at random, so they may turn out to be another instruction or
 * none; the decoder's opinion is part of what is compared.  Then the registers
 * of the memory operand are set so that it lies in the data pages, now and
 * then at their edges, and the bytes around it are made fresh.  A case depends
 * on its seed and rows alone.  Blocks of instructions are made in block.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/bytes.h"
#include "encode.h"
#include "oracle.h"
#include "random.h"

/* ---- values ---- */

/* Singles and doubles: zeroes, denormals, ones, halves, extremes, infinities,
 * quiet and signalling NaNs, powers of two about integer limits. */
static const uint32_t singles[] = {
	0, 0x80000000, 1, 0x807fffff, 0x00800000, 0x3f800000, 0xbf800000,
	0x3f000000, 0x40200000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
	0x7fc00000, 0x7f800001, 0xffc12345, 0x4f000000, 0xcf000000, 0x5f000000,
	0x4b7fffff, 0x33800000, 0x0d000000, 0x71000000,
};
static const uint64_t doubles[] = {
	0, 1ull << 63, 1, 0x800fffffffffffffull, 0x0010000000000000ull,
	0x3ff0000000000000ull, 0xbff0000000000000ull, 0x3fe0000000000000ull,
	0x4004000000000000ull, 0x7fefffffffffffffull, 0x7ff0000000000000ull,
	0xfff0000000000000ull, 0x7ff8000000000000ull, 0x7ff0000000000001ull,
	0xfff8123456789abcull, 0x41e0000000000000ull, 0xc1e0000000000000ull,
	0x43e0000000000000ull, 0x47efffffe0000000ull, 0x380fffffc0000000ull,
	0x3ca0000000000000ull, 0x1e60000000000000ull, 0x5fe0000000000000ull,
};

static uint32_t some_single(uint64_t *r)
{
	if (one_in(r, 2))
		return singles[below(r, ARRAY_LEN(singles))];
	/* exponents near that of 1 meet more often */
	return (uint32_t)((random_next(r) & 0x807fffff) |
			  (100 + below(r, 56)) << 23);
}

static uint64_t some_double(uint64_t *r)
{
	if (one_in(r, 2))
		return doubles[below(r, ARRAY_LEN(doubles))];
	return (random_next(r) & 0x800fffffffffffffull) |
	       (uint64_t)(1000 + below(r, 48)) << 52;
}

static void some_extended(uint64_t *r, uint8_t st[10])
{
	static const uint16_t exponents[] = { 0, 1, 0x3ffe, 0x3fff, 0x4000,
					      0x403e, 0x7ffe, 0x7fff };
	static const uint64_t significands[] = {
		0, 1, 1ull << 63, 3ull << 62, ~0ull, ~0ull >> 1,
		0xa000000000000000ull, (1ull << 63) + 1,
	};
	bool special = one_in(r, 3);
	uint64_t significand =
		special ? significands[below(r, ARRAY_LEN(significands))]
			: random_next(r) | 1ull << 63;
	unsigned exponent = special ? exponents[below(r,
						      ARRAY_LEN(exponents))]
				    : 0x3fd0 + below(r, 0x80);

	store_le64(st, significand);
	store_le16(st + 8, (uint16_t)(exponent | below(r, 2) << 15));
}

/* n is a multiple of 8. */
void case_bytes(uint64_t *r, uint8_t *p, unsigned n)
{
	unsigned style = below(r, 6);

	for (unsigned k = 0; k < n; k += 8) {
		uint64_t v;

		switch (style) {
		case 0:
			v = some_single(r) | (uint64_t)some_single(r) << 32;
			break;
		case 1:	 v = some_double(r); break;
		case 2:	 v = some_integer(r); break;
		case 3:	 v = random_next(r) & 0x8080808080808080ull; break;
		default: v = random_next(r); break;
		}
		store_le64(p + k, v);
	}
	if (one_in(r, 8))
		some_extended(r, p);
}

/* ---- the state before ---- */

/* A linear address of data: in the middle of things, or at an edge. */
uint32_t case_address(uint64_t *r)
{
	static const uint8_t writable[] = { 0, 1, 2, 3, 4, 7, 12, 13, 14 };
	uint32_t page = writable[below(r, ARRAY_LEN(writable))];
	uint32_t at = below(r, 4096);

	switch (below(r, 16)) {
	case 0:			/* across the end of some page */
		return DATA_AT + 4096 * below(r, DATA_PAGES) + 4096 - 1 -
		       below(r, 32);
	case 1:
		return DATA_AT + below(r, DATA_BYTES);
	case 2: case 3: case 4: case 5: case 6: case 7:
		at &= ~63u;
		break;
	case 8: case 9: case 10: case 11:
		at &= ~15u;
		break;
	default:
		break;
	}
	return DATA_AT + 4096 * page + at;
}

static void make_gprs(struct state *s, uint64_t *r)
{
	for (unsigned n = 0; n < 16; n++)
		s->gpr[n] = some_integer(r);
	for (unsigned n = RBX; n <= RDI; n++)
		if (!one_in(r, 8))
			s->gpr[n] = case_address(r);
	s->gpr[RSP] = (case_address(r) & ~7u) | (one_in(r, 8) ? 4 : 0);
}

static void make_flags(struct state *s, uint64_t *r)
{
	s->flags = (uint32_t)random_next(r) & FLAGS_ARITH;
	if (one_in(r, 4))
		s->flags |= FLAG_DF;
	if (one_in(r, 24))
		s->flags |= FLAG_AC;
	s->flags |= FLAG_ONE | FLAG_TF | FLAG_IF;
}

static void make_x87(struct state *s, uint64_t *r)
{
	s->fcw = 0x037f;
	s->fsw = (uint16_t)(random_next(r) & 0x7f7f);	/* no ES, no B */
	if (one_in(r, 2))
		s->fsw &= 0x4720;			/* top 0, inexact */
	if (one_in(r, 2))
		s->fcw = (uint16_t)((random_next(r) & 0x0f00) | 0x7f);
	if (one_in(r, 6))
		s->fcw = (uint16_t)((random_next(r) & 0x0f3f) | 0x40);
	if (!one_in(r, 16))			/* seldom pending */
		s->fsw &= (uint16_t)~(~s->fcw & 0x3f);
	if (s->fsw & ~s->fcw & 0x3f)
		s->fsw |= 0x8080;
	s->ftw = one_in(r, 2) ? 0xff : (uint8_t)random_next(r);
	for (unsigned k = 0; k < 8; k++)
		some_extended(r, s->st[k]);
}

static void make_vectors(struct state *s, uint64_t *r)
{
	s->mxcsr = 0x1f80;
	if (one_in(r, 3))
		s->mxcsr |= (uint32_t)random_next(r) & 0xe07f;
	if (one_in(r, 8))
		s->mxcsr &= (uint32_t)random_next(r) | 0xe07f;
	for (unsigned k = 0; k < 16; k++) {
		case_bytes(r, s->ymm[k], 32);
		if (one_in(r, 8))
			memset(s->ymm[k], 0, 32);
		if (k && one_in(r, 8))
			memcpy(s->ymm[k], s->ymm[k - 1], 32);
	}
}

static void make_places(struct test *t, uint64_t *r)
{
	static const uint8_t data[] = { LDT_STACK16, LDT_STACK32, LDT_SHORT,
					LDT_DOWN, LDT_READ_ONLY, LDT_HIGH,
					FLAT_DATA, NULL_DATA };

	t->places = (struct places){ FLAT_CODE64, FLAT_DATA, FLAT_DATA,
				     FLAT_DATA };
	if (t->mode == CODE64)
		return;
	t->places.cs = t->mode == CODE16 ? LDT_CODE16 : FLAT_CODE32;
	if (t->mode == CODE32 && one_in(r, 2))
		return;
	if (t->mode == CODE32)
		t->places.cs = LDT_CODE32;
	t->places.ss = one_in(r, 4) ? LDT_STACK32 : LDT_STACK16;
	if (t->mode == CODE32)
		t->places.ss = one_in(r, 4) ? LDT_STACK16 : LDT_STACK32;
	t->places.ds = one_in(r, 2) ? LDT_STACK32
				    : data[below(r, ARRAY_LEN(data))];
	t->places.es = one_in(r, 2) ? LDT_STACK32
				    : data[below(r, ARRAY_LEN(data))];
}

/* ---- the instruction ---- */

static void decode(struct test *t)
{
	t->decoded = insn_decode(&t->insn, t->bytes, 15, t->mode,
				 &oracle_features);
}

/* ---- the memory operand ---- */

uint32_t case_segment_base(const struct test *t, unsigned seg)
{
	const struct places *p = &t->places;

	if (t->mode == CODE64)
		return seg == GS ? GS_BASE : 0;
	switch (seg) {
	case CS: return oracle_segments[p->cs].base;
	case SS: return oracle_segments[p->ss].base;
	case DS: return oracle_segments[p->ds].base;
	case ES: return oracle_segments[p->es].base;
	default: return 0;
	}
}

uint64_t test_linear(const struct test *t)
{
	const struct insn *i = &t->insn;
	const uint64_t *gpr = t->before.gpr;
	uint64_t a = (uint64_t)i->disp;

	if (i->base != REG_NONE)
		a += gpr[i->base];
	if (i->index != REG_NONE && insn_rows[i->row].op[1] != VMx)
		a += gpr[i->index] << i->scale;
	if (i->prefix & PREFIX_RIP)
		a += t->before.rip + i->len;
	if (i->addrsize < 8)
		a &= i->addrsize == 4 ? 0xffffffff : 0xffff;
	a += case_segment_base(t, i->seg);
	return t->mode == CODE64 ? a : (uint32_t)a;
}

uint64_t case_join(uint64_t old, uint64_t v, unsigned size)
{
	return size == 8   ? v
	       : size == 4 ? (old & ~0xffffffffull) | (uint32_t)v
			   : (old & ~0xffffull) | (uint16_t)v;
}

/* Small offsets, for indices that count from the operand. */
static void tame_vector_index(struct test *t, uint64_t *r)
{
	uint8_t *v = t->before.ymm[t->insn.index];
	unsigned wide = t->insn.opcode & 1 ? 8 : 4;

	for (unsigned k = 0; k < 32; k += wide) {
		int64_t x = (int64_t)below(r, 512) - 128;

		memcpy(v + k, &x, wide);
	}
}

/* Registers so that the operand is at offset; false: its displacement must
 * be changed instead. */
static bool aim_registers(struct test *t, uint64_t offset)
{
	const struct insn *i = &t->insn;
	uint64_t *gpr = t->before.gpr, v = offset - (uint64_t)i->disp;
	bool vsib = insn_rows[i->row].op[1] == VMx;

	if (i->base == REG_NONE && i->index == REG_NONE)
		return false;
	if (i->base == REG_NONE) {
		if (!vsib)
			gpr[i->index] = case_join(gpr[i->index], v >> i->scale,
					     i->addrsize);
		return true;
	}
	if (i->index != REG_NONE && !vsib) {
		if (i->index == i->base)
			v /= 1 + (1u << i->scale);
		else
			v -= gpr[i->index] << i->scale;
	}
	gpr[i->base] = case_join(gpr[i->base], v, i->addrsize);
	return true;
}

static void aim_displacement(struct test *t, const struct encoding *e,
			     uint64_t offset)
{
	unsigned size = e->wide_address ? 4 : 2;

	if (t->insn.prefix & PREFIX_RIP)
		offset -= t->before.rip + t->insn.len;
	if (e->disp_at + size <= 15 && t->insn.base == REG_NONE &&
	    t->insn.index == REG_NONE)
		memcpy(t->bytes + e->disp_at, &offset, size);
	decode(t);
}

/* Fresh bytes about a linear address, the same on both sides. */
static void refresh(uint64_t *r, uint32_t at, unsigned len)
{
	uint32_t from = (at - DATA_AT - 32) & ~7u;

	for (unsigned k = 0; k < len; k += 32) {
		uint32_t o = from + k;
		uint8_t bytes[32];

		case_bytes(r, bytes, 32);
		if (o >= DATA_BYTES - 32 || DATA_RIGHTS[o / 4096] != 'w' ||
		    DATA_RIGHTS[(o + 31) / 4096] != 'w')
			continue;
		memcpy(host_data + o, bytes, 32);
		memcpy(guest_data + o, bytes, 32);
	}
}

/* MXCSR and XSAVE fields in memory that random bytes seldom get right. */
static void tame_image(const struct test *t, uint32_t at)
{
	const char *name = insn_row_of(&t->insn)->name;
	uint32_t o = at - DATA_AT, keep = 0xffff;

	if (!strcmp(name, "fxrstor"))
		o += 24;
	else if (!strstr(name, "ldmxcsr"))
		return;
	if (o > DATA_BYTES - 4 || DATA_RIGHTS[o / 4096] != 'w' ||
	    DATA_RIGHTS[(o + 3) / 4096] != 'w')
		return;
	if (!(t->seed & 7))
		keep = 0xfffdffff;	/* bit 17 is AMD's, not offered */
	keep &= load_le32(host_data + o);
	store_le32(host_data + o, keep);
	store_le32(guest_data + o, keep);
}

static void aim(struct test *t, const struct encoding *e, uint64_t *r)
{
	uint32_t at = case_address(r);
	uint64_t offset = at - case_segment_base(t, t->insn.seg);

	if (t->mode == CODE64 && one_in(r, 200))
		offset |= 0x7ff0ull << 48;	/* not canonical */
	if (insn_rows[t->insn.row].op[1] == VMx)
		tame_vector_index(t, r);
	if (!aim_registers(t, offset))
		aim_displacement(t, e, offset);
	t->window = at - DATA_AT;
	refresh(r, at, 640);
	if (t->decoded == DECODE_OK)
		tame_image(t, at);
}

/* Registers that an instruction uses without naming them. */
static void tame_implicit(struct test *t, uint64_t *r)
{
	const struct insn_row *row = &insn_rows[t->insn.row];
	uint64_t *gpr = t->before.gpr;
	bool bit_test = !strncmp(row->name, "bt", 2) && row->op[1] == Gv;

	if (row->how & HOW_REP)
		gpr[RCX] = case_join(gpr[RCX], below(r, 24), t->insn.addrsize);
	if (t->insn.addrsize == 2 && row->how & HOW_REP && one_in(r, 2))
		gpr[RCX] |= 0x10000;
	if (bit_test && t->insn.op[1].kind == OP_GPR)
		gpr[t->insn.op[1].reg] =
			(uint64_t)((int64_t)below(r, 4096) - 2048);
	if (t->mode == CODE64)
		return;
	/* Offsets of the segments they are used with. */
	for (unsigned n = RSP; n <= RDI; n++) {
		unsigned seg = n == RSP || n == RBP ? SS : n == RSI ? DS : ES;

		if (gpr[n] >> 16 == DATA_AT >> 16)
			gpr[n] -= case_segment_base(t, seg);
	}
	if (t->places.ss == LDT_STACK16)
		gpr[RSP] |= random_next(r) & 0xffff0000;
}

void case_clip_registers(struct test *t)
{
	if (t->mode == CODE64)
		return;
	for (unsigned n = 0; n < 16; n++)
		t->before.gpr[n] = n < 8 ? (uint32_t)t->before.gpr[n] : 0;
}

void case_state(struct test *t, uint64_t *r)
{
	make_places(t, r);
	make_gprs(&t->before, r);
	make_flags(&t->before, r);
	make_x87(&t->before, r);
	make_vectors(&t->before, r);
	t->before.rip = oracle_segments[t->places.cs].base ? CODE_IP
							   : CODE_AT + CODE_IP;
}

void test_make(struct test *t, uint64_t seed, enum code_mode mode,
	       const uint16_t *rows, unsigned count)
{
	uint64_t r = seed * 0xd1342543de82ef95ull;
	struct state *s = &t->before;
	struct encoding e;

	t->seed = seed;
	t->mode = mode;
	t->window = 0;
	t->count = 0;
	case_state(t, &r);
	memset(t->bytes, 0xcc, sizeof(t->bytes));
	e.bytes = t->bytes;
	encode_row(&e, &insn_rows[rows[below(&r, count)]], mode, &r);
	decode(t);
	if (t->decoded == DECODE_OK) {
		tame_implicit(t, &r);
		if (t->insn.prefix & PREFIX_MEM)
			aim(t, &e, &r);
	}
	case_clip_registers(t);
	for (unsigned n = RSP; n <= RDI; n++)
		if (n != RBX)
			refresh(&r, (uint32_t)s->gpr[n] +
					    case_segment_base(t, n == RSP ? SS
									  : DS),
				96);
}
