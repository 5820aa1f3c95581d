/* cpu/interp/emit.h - writing host code, as far as thunks need it.
 *
 * A thunk's arguments (System V ABI): rdi, rsi, rdx, rcx point to operands, r8
 * to the struct cpu.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_EMIT_H
#define CPU_INTERP_EMIT_H
#include <string.h>

#include "cpu/x86/insn.h"

#define THUNK_BYTES_MAX	128

/* Host register numbers, as they are encoded. */
enum { H_RAX = 0, H_RCX = 1, H_RDX = 2, H_RSI = 6, H_RDI = 7 };

struct emitter {
	uint8_t bytes[THUNK_BYTES_MAX];
	unsigned len;
};

static inline void emit(struct emitter *e, const void *bytes, unsigned n)
{
	memcpy(e->bytes + e->len, bytes, n);
	e->len += n;
}

static inline void emit1(struct emitter *e, uint8_t byte)
{
	emit(e, &byte, 1);
}

#define EMIT(e, ...)                                                          \
	emit(e, (const uint8_t[]){ __VA_ARGS__ },                             \
	     sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* modrm for [pointer], no displacement. */
static inline uint8_t at(unsigned reg, unsigned pointer)
{
	return (uint8_t)(reg << 3 | pointer);
}

/* op with a field of struct cpu (r8) as its memory operand; the bytes are
 * prefixes (a REX with B set among them) and the opcode. */
static inline void emit_cpu_field(struct emitter *e, unsigned reg, size_t offset)
{
	uint32_t disp = (uint32_t)offset;

	emit1(e, (uint8_t)(0x80 | reg << 3));
	emit(e, &disp, 4);
}

static inline void emit_load_gpr(struct emitter *e, unsigned reg, size_t offset)
{
	EMIT(e, 0x49, 0x8b);			/* mov reg, [r8 + offset] */
	emit_cpu_field(e, reg, offset);
}

static inline void emit_store_gpr(struct emitter *e, unsigned reg, size_t offset)
{
	EMIT(e, 0x49, 0x89);
	emit_cpu_field(e, reg, offset);
}

/* Host flags from c->arith and c->of: 7F + 1 overflows, 7F + 0 does not. */
static inline void emit_load_flags(struct emitter *e)
{
	EMIT(e, 0x66, 0x41, 0x8b);		/* mov ax, [of, arith] */
	emit_cpu_field(e, H_RAX, offsetof(struct cpu, of));
	EMIT(e, 0x04, 0x7f,			/* add al, 7fh */
	     0x9e);				/* sahf */
}

static inline void emit_store_flags(struct emitter *e)
{
	EMIT(e, 0x9f,				/* lahf */
	     0x0f, 0x90, 0xc0,			/* seto al */
	     0x66, 0x41, 0x89);			/* mov [of, arith], ax */
	emit_cpu_field(e, H_RAX, offsetof(struct cpu, of));
}

struct quick;

/* thunk_x87.c: the instruction on the whole FPU; and on the one or two
 * registers that it touches, if it is of a kind that can be run so. */
void emit_x87(struct emitter *e, const struct insn *i);
bool emit_x87_quick(struct emitter *e, const struct insn *i, struct quick *q);

#endif
