/* cpu/x86/format.c - a decoded instruction as a line of Intel syntax, for logs.
 *
 * Near enough to read, not to assemble: jumps show their displacement from the
 * next instruction ("jz $+5"), as the address is not in struct insn.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "cpu/x86/insn.h"

struct text {
	char *buf;
	size_t size, used;
};

static void __attribute__((format(printf, 2, 3)))
put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->used >= t->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->used, t->size - t->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->used += (size_t)n;
}

static void put_gpr(struct text *t, unsigned reg, unsigned size)
{
	static const char *const low[] = { "ax", "cx", "dx", "bx", "sp", "bp",
					   "si", "di" };
	static const char *const bytes[] = {
		"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b",
		"r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b", "ah",
		"ch", "dh", "bh",
	};

	if (size == 1 && reg < sizeof(bytes) / sizeof(bytes[0]))
		put(t, "%s", bytes[reg]);
	else if (reg < 8)
		put(t, "%s%s", size == 8 ? "r" : size == 4 ? "e" : "",
		    low[reg]);
	else
		put(t, "r%u%s", reg, size == 8 ? "" : size == 4 ? "d" : "w");
}

static const char *const sreg_names[] = { "es", "cs", "ss", "ds", "fs", "gs" };

static void put_displacement(struct text *t, int64_t disp, bool alone)
{
	if (alone)
		put(t, "0x%" PRIx64, (uint64_t)disp);
	else if (disp)
		put(t, "%c0x%" PRIx64, disp < 0 ? '-' : '+',
		    disp < 0 ? -(uint64_t)disp : (uint64_t)disp);
}

static void put_address(struct text *t, const struct insn *i, bool vector)
{
	bool any = false;

	put(t, "[");
	if (i->prefix & PREFIX_SEG)
		put(t, "%s:", sreg_names[i->seg]);
	if (i->prefix & PREFIX_RIP) {
		put(t, "%s", i->addrsize == 8 ? "rip" : "eip");
		any = true;
	}
	if (i->base != REG_NONE) {
		put_gpr(t, i->base, i->addrsize);
		any = true;
	}
	if (i->index != REG_NONE) {
		put(t, "%s", any ? "+" : "");
		if (vector)
			put(t, "v%u", i->index);
		else
			put_gpr(t, i->index, i->addrsize);
		if (i->scale)
			put(t, "*%u", 1u << i->scale);
		any = true;
	}
	put_displacement(t, i->disp, !any);
	put(t, "]");
}

static void put_memory(struct text *t, const struct insn *i,
		       const struct operand *o)
{
	static const char *const words[] = {
		[1] = "byte ", [2] = "word ", [4] = "dword ", [6] = "fword ",
		[8] = "qword ", [10] = "tword ", [16] = "oword ",
		[32] = "yword ",
	};
	bool string = o->code >= Xb && o->code <= Yz;

	if (o->size < sizeof(words) / sizeof(words[0]) && words[o->size])
		put(t, "%s", words[o->size]);
	if (!string) {
		put_address(t, i, o->code == VMx);
		return;
	}
	put(t, "[%s:", o->code >= Yb ? "es" : sreg_names[i->seg]);
	put_gpr(t, o->code >= Yb ? RDI : RSI, i->addrsize);
	put(t, "]");
}

static void put_immediate(struct text *t, const struct insn *i,
			  const struct operand *o)
{
	switch (o->code) {
	case Jb:
	case Jz:
		put(t, "$%+" PRId64, i->imm);
		break;
	case Ap:
		put(t, "0x%" PRIx64 ":0x%" PRIx64, (uint64_t)i->disp,
		    (uint64_t)i->imm);
		break;
	case I2:
		put(t, "%" PRId64, i->disp);
		break;
	default:
		put(t, "%s0x%" PRIx64, i->imm < 0 ? "-" : "",
		    i->imm < 0 ? -(uint64_t)i->imm : (uint64_t)i->imm);
		break;
	}
}

static void put_operand(struct text *t, const struct insn *i,
			const struct operand *o)
{
	switch (o->kind) {
	case OP_GPR:
		put_gpr(t, o->reg, o->size);
		break;
	case OP_MEM:
		put_memory(t, i, o);
		break;
	case OP_IMM:
		put_immediate(t, i, o);
		break;
	case OP_SREG:
		put(t, "%s", sreg_names[o->reg]);
		break;
	case OP_CR:
		put(t, "cr%u", o->reg);
		break;
	case OP_DR:
		put(t, "dr%u", o->reg);
		break;
	case OP_MM:
		put(t, "mm%u", o->reg);
		break;
	case OP_VEC:
		put(t, "%s%u", o->size == 32 ? "ymm" : "xmm", o->reg);
		break;
	case OP_ST:
		put(t, "st(%u)", o->reg);
		break;
	default:
		break;
	}
}

static void put_prefixes(struct text *t, const struct insn *i)
{
	if (i->prefix & PREFIX_LOCK)
		put(t, "lock ");
	if (!(insn_how(i) & HOW_REP))
		return;
	if (i->prefix & PREFIX_REP)
		put(t, "rep ");
	else if (i->prefix & PREFIX_REPNE)
		put(t, "repne ");
}

void insn_format(const struct insn *i, char *buf, size_t size)
{
	struct text t = { buf, size, 0 };

	if (size)
		buf[0] = 0;
	put_prefixes(&t, i);
	put(&t, "%s", insn_row_of(i)->name);
	for (unsigned n = 0; n < 4 && i->op[n].kind != OP_NONE; n++) {
		put(&t, "%s", n ? ", " : " ");
		put_operand(&t, i, &i->op[n]);
	}
}
