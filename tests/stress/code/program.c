/* tests/stress/code/program.c - a compiler of random programs, each compared
 * with what an evaluator of the same programs says.
 *
 * A program is a list of operations on fourteen registers and sixteen
 * quadwords of memory, with jumps forward.  RDI points at both.  Flags are
 * read only where they are defined: `known` is false after operations that
 * leave some of them undefined.  A jump needs them, so they are known at its
 * target whenever they are on the way that does not jump.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/mman.h>

#include "code.h"

enum { OPS = 60, RSP = 4, RDI = 7, R12 = 12, MEMORY = 16 };

struct state {
	uint64_t reg[16], mem[MEMORY];
};

/* Arithmetic is ADD OR ADC SBB AND SUB XOR CMP, by its number. */
enum kind {
	ALU_REG, ALU_IMM, ALU_FROM_MEM, ALU_TO_MEM, COPY, CONSTANT, MULTIPLY,
	SHIFT, ADDRESS, SET, MOVE_IF, JUMP_IF,
	KINDS
};

struct op {
	enum kind kind;
	unsigned dst, src;	/* registers; mem: which quadword */
	unsigned mem;
	unsigned which;		/* arithmetic, shift or condition */
	int wide;		/* 64 bits */
	int locked;
	uint64_t imm;
	unsigned skip;		/* JUMP_IF: so many operations */
};

enum { ADD, OR, ADC, SBB, AND, SUB, XOR, CMP };
enum { ROL, ROR, SHL = 4, SHR, SAR = 7 };

struct flags {
	unsigned c, z, s, o;
};

/* ---- random programs ---- */

static unsigned a_register(uint64_t *random)
{
	unsigned r;

	do
		r = next_random(random) % 16;
	while (r == RSP || r == RDI);
	return r;
}

/* The conditions but for parity. */
static unsigned a_condition(uint64_t *random)
{
	unsigned n = next_random(random) % 14;

	return n < 10 ? n : n + 2;
}

static int reads_flags(const struct op *o)
{
	return o->kind >= SET ||
	       (o->kind <= ALU_TO_MEM && (o->which == ADC || o->which == SBB));
}

static void one(struct op *o, uint64_t *random)
{
	static const uint8_t shifts[] = { ROL, ROR, SHL, SHR, SAR };
	uint64_t bits = next_random(random);

	*o = (struct op){
		.kind = bits % KINDS, .dst = a_register(random),
		.src = a_register(random), .mem = bits >> 8 & (MEMORY - 1),
		.which = bits >> 16 & 7, .wide = bits >> 19 & 1,
		.locked = bits >> 20 & 1, .imm = next_random(random),
		.skip = 1 + (bits >> 24 & 3),
	};
	if (o->kind == SHIFT) {
		o->which = shifts[(bits >> 32) % sizeof(shifts)];
		o->imm = 1 + o->imm % 31;
	} else if (o->kind >= SET) {
		o->which = a_condition(random);
	}
	o->locked &= o->kind == ALU_TO_MEM && o->which != CMP;
	if (o->kind == ADDRESS && (o->src == R12))
		o->src = 0;		/* it would take one more byte */
}

static void make_program(struct op *ops, uint64_t *random)
{
	int known = 0;

	for (unsigned n = 0; n < OPS; n++) {
		struct op *o = &ops[n];

		do
			one(o, random);
		while (!known && reads_flags(o));
		if (o->kind <= ALU_TO_MEM)
			known = 1;
		else if (o->kind == MULTIPLY || o->kind == SHIFT)
			known = 0;
		if (o->kind == JUMP_IF && o->skip > OPS - 1 - n)
			o->skip = OPS - 1 - n;
	}
}

/* ---- what a program does ---- */

static uint64_t narrow(uint64_t v, int wide)
{
	return wide ? v : (uint32_t)v;
}

static uint64_t sign(uint64_t v, int wide)
{
	return v >> (wide ? 63 : 31) & 1;
}

static uint64_t arithmetic(unsigned which, uint64_t a, uint64_t b, int wide,
			   struct flags *f)
{
	unsigned carry = which == ADC || which == SBB ? f->c : 0;
	unsigned __int128 wider;
	uint64_t r;

	*f = (struct flags){ 0 };
	switch (which) {
	case ADD:
	case ADC:
		wider = (unsigned __int128)a + b + carry;
		r = narrow((uint64_t)wider, wide);
		f->c = (unsigned)(wider >> (wide ? 64 : 32)) & 1;
		f->o = (unsigned)sign((a ^ r) & (b ^ r), wide);
		break;
	case SUB:
	case SBB:
	case CMP:
		r = narrow(a - b - carry, wide);
		f->c = a < (unsigned __int128)b + carry;
		f->o = (unsigned)sign((a ^ b) & (a ^ r), wide);
		break;
	case OR:
		r = a | b;
		break;
	case AND:
		r = a & b;
		break;
	default:
		r = a ^ b;
	}
	f->z = !r;
	f->s = (unsigned)sign(r, wide);
	return r;
}

static uint64_t shifted(const struct op *o, uint64_t v)
{
	unsigned bits = o->wide ? 64 : 32, n = (unsigned)o->imm;

	switch (o->which) {
	case ROL:
		return v << n | v >> (bits - n);
	case ROR:
		return v >> n | v << (bits - n);
	case SHL:
		return v << n;
	case SHR:
		return v >> n;
	default:
		return o->wide ? (uint64_t)((int64_t)v >> n)
			       : (uint64_t)((int32_t)v >> n);
	}
}

static int holds(unsigned condition, const struct flags *f)
{
	const unsigned less = f->s ^ f->o;
	const unsigned yes[] = {
		f->o, f->c, f->z, f->c | f->z, f->s, 0, less, less | f->z,
	};

	return (yes[condition >> 1] ^ condition) & 1;
}

static void alu(const struct op *o, struct state *s, struct flags *f)
{
	uint64_t *to = o->kind == ALU_TO_MEM ? &s->mem[o->mem]
					     : &s->reg[o->dst];
	uint64_t a = narrow(*to, o->wide), b, r;

	switch (o->kind) {
	case ALU_IMM:
		b = (uint64_t)(int32_t)o->imm;
		break;
	case ALU_FROM_MEM:
		b = s->mem[o->mem];
		break;
	default:
		b = s->reg[o->src];
	}
	r = arithmetic(o->which, a, narrow(b, o->wide), o->wide, f);
	if (o->which == CMP)
		return;
	if (o->kind == ALU_TO_MEM && !o->wide)
		r |= *to & ~UINT64_C(0xffffffff);
	*to = r;
}

/* How many operations to pass by. */
static unsigned evaluate_one(const struct op *o, struct state *s,
			     struct flags *f)
{
	uint64_t *dst = &s->reg[o->dst], src = s->reg[o->src];

	switch (o->kind) {
	case COPY:
		*dst = narrow(src, o->wide);
		break;
	case CONSTANT:
		*dst = o->imm;
		break;
	case MULTIPLY:
		*dst = narrow(*dst * src, o->wide);
		break;
	case SHIFT:
		*dst = narrow(shifted(o, narrow(*dst, o->wide)), o->wide);
		break;
	case ADDRESS:
		*dst = src + (uint64_t)(int32_t)o->imm;
		break;
	case SET:
		s->mem[o->mem] &= ~UINT64_C(0xff);
		s->mem[o->mem] |= (unsigned)holds(o->which, f);
		break;
	case MOVE_IF:
		*dst = narrow(holds(o->which, f) ? src : *dst, o->wide);
		break;
	case JUMP_IF:
		return holds(o->which, f) ? o->skip : 0;
	default:
		alu(o, s, f);
	}
	return 0;
}

static void evaluate(const struct op *ops, struct state *s)
{
	struct flags f = { 0 };

	for (unsigned n = 0; n < OPS; n++)
		n += evaluate_one(&ops[n], s, &f);
}

/* ---- the compiler ---- */

static uint8_t *put(uint8_t *p, uint8_t a)
{
	*p = a;
	return p + 1;
}

static uint8_t *put_imm32(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	return p + 4;
}

static uint8_t *put_rex(uint8_t *p, int wide, unsigned reg, unsigned rm)
{
	return put(p, (uint8_t)(0x40 | (wide ? 8 : 0) | reg >> 3 << 2 |
				rm >> 3));
}

static uint8_t *put_reg_rm(uint8_t *p, unsigned reg, unsigned rm)
{
	return put(p, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

/* [rdi + place of a quadword of struct state] */
static uint8_t *put_reg_mem(uint8_t *p, unsigned reg, unsigned quadword)
{
	p = put(p, (uint8_t)(0x80 | (reg & 7) << 3 | RDI));
	return put_imm32(p, quadword * 8);
}

static uint8_t *put_alu(uint8_t *p, const struct op *o)
{
	uint8_t base = (uint8_t)(o->which << 3);

	switch (o->kind) {
	case ALU_REG:
		p = put(put_rex(p, o->wide, o->src, o->dst), base | 1);
		return put_reg_rm(p, o->src, o->dst);
	case ALU_IMM:
		p = put(put_rex(p, o->wide, 0, o->dst), 0x81);
		return put_imm32(put_reg_rm(p, o->which, o->dst), o->imm);
	case ALU_FROM_MEM:
		p = put(put_rex(p, o->wide, o->dst, 0), base | 3);
		return put_reg_mem(p, o->dst, 16 + o->mem);
	default:
		if (o->locked)
			p = put(p, 0xf0);
		p = put(put_rex(p, o->wide, o->src, 0), base | 1);
		return put_reg_mem(p, o->src, 16 + o->mem);
	}
}

/* A jump's distance is for the caller to fill in. */
static uint8_t *put_op(uint8_t *p, const struct op *o)
{
	switch (o->kind) {
	case COPY:
		p = put(put_rex(p, o->wide, o->src, o->dst), 0x89);
		return put_reg_rm(p, o->src, o->dst);
	case CONSTANT:
		p = put(put_rex(p, 1, 0, o->dst), 0xb8 | (o->dst & 7));
		p = put_imm32(p, o->imm);
		return put_imm32(p, o->imm >> 32);
	case MULTIPLY:
		p = put(put_rex(p, o->wide, o->dst, o->src), 0x0f);
		return put_reg_rm(put(p, 0xaf), o->dst, o->src);
	case SHIFT:
		p = put(put_rex(p, o->wide, 0, o->dst), 0xc1);
		p = put_reg_rm(p, o->which, o->dst);
		return put(p, (uint8_t)o->imm);
	case ADDRESS:
		p = put(put_rex(p, 1, o->dst, o->src), 0x8d);
		p = put(p, (uint8_t)(0x80 | (o->dst & 7) << 3 | (o->src & 7)));
		return put_imm32(p, o->imm);
	case SET:
		p = put(put(p, 0x0f), (uint8_t)(0x90 | o->which));
		return put_reg_mem(p, 0, 16 + o->mem);
	case MOVE_IF:
		p = put(put_rex(p, o->wide, o->dst, o->src), 0x0f);
		p = put(p, (uint8_t)(0x40 | o->which));
		return put_reg_rm(p, o->dst, o->src);
	case JUMP_IF:
		p = put(put(p, 0x0f), (uint8_t)(0x80 | o->which));
		return put_imm32(p, 0);
	default:
		return put_alu(p, o);
	}
}

/* Load (8b) or store (89) all that programs use. */
static uint8_t *put_registers(uint8_t *p, uint8_t opcode)
{
	for (unsigned r = 0; r < 16; r++) {
		if (r == RSP || r == RDI)
			continue;
		p = put(put_rex(p, 1, r, 0), opcode);
		p = put_reg_mem(p, r, r);
	}
	return p;
}

/* What a C function must leave as it was. */
static const uint8_t saved[] = { 3, 5, 12, 13, 14, 15 };

static void compile(const struct op *ops, uint8_t *p)
{
	uint8_t *start[OPS + 1];

	for (unsigned n = 0; n < sizeof(saved); n++)	/* push */
		p = put(put_rex(p, 0, 0, saved[n]), 0x50 | (saved[n] & 7));
	p = put_registers(p, 0x8b);
	for (unsigned n = 0; n < OPS; n++) {
		start[n] = p;
		p = put_op(p, &ops[n]);
	}
	start[OPS] = p;
	for (unsigned n = 0; n < OPS; n++)
		if (ops[n].kind == JUMP_IF)
			put32(start[n + 1] - 4,
			      (uint32_t)(start[n + 1 + ops[n].skip] -
					 start[n + 1]));
	p = put_registers(p, 0x89);
	for (unsigned n = sizeof(saved); n--;)		/* pop */
		p = put(put_rex(p, 0, 0, saved[n]), 0x58 | (saved[n] & 7));
	put(p, 0xc3);
}

/* ---- both ---- */

static void compare(const struct state *got, const struct state *wanted)
{
	for (unsigned n = 0; n < 16; n++)
		check("program", "register", got->reg[n], wanted->reg[n]);
	for (unsigned n = 0; n < MEMORY; n++)
		check("program", "memory", got->mem[n], wanted->mem[n]);
}

static void program(uint64_t *random)
{
	const int prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	uint8_t *page = pages_map(PAGE, prot);
	struct op ops[OPS];
	struct state got, wanted;

	for (unsigned n = 0; n < sizeof(got) / 8; n++)
		((uint64_t *)&got)[n] = next_random(random);
	wanted = got;
	for (int n = 0; n < 20; n++) {
		uint8_t *p = page + next_random(random) % 1024;

		make_program(ops, random);
		compile(ops, p);
		for (int again = 0; again < 5; again++) {
			(void)as_fn(p)((uintptr_t)&got);
			evaluate(ops, &wanted);
			compare(&got, &wanted);
		}
	}
	pages_unmap(page, PAGE);
}

const struct row program_row = { "program", program };
