/* cpu/interp/thunk_x87.c - thunks of x87 instructions, in two sorts.
 *
 * The complete one loads the FPU from an FXSAVE image, runs the instruction,
 * and saves it again, which costs some 300 cycles and is right for everything.
 *
 * The quick one has the host's FPU empty, as C code leaves it, and loads only
 * ST(i) and ST(0), which become ST(1) and ST(0).  The 80-bit loads and stores
 * change no bit of a value and raise nothing.  Most arithmetic, loads, stores
 * and comparisons can be run so:
 *
 *   source      from memory, or from ST(i)
 *   result      none, ST(0), ST(i), or pushed
 *
 * Source: SDM 2 appendix A.5 (escape opcodes).
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "cpu/interp/emit.h"
#include "cpu/interp/fpu.h"
#include "cpu/interp/thunk.h"

enum result { IN_NOTHING, IN_ST0, IN_STI };

struct shape {
	bool ok;		/* else there is no quick way */
	enum result result;
	struct quick q;
};

static struct shape no_shape(void)
{
	return (struct shape){ .ok = false };
}

/* On ST(0), or ST(0) with something, the result in ST(0). */
static struct shape operation(void)
{
	return (struct shape){ true, IN_ST0,
			       { .st0 = true, .conditions = FSW_C1 } };
}

static struct shape push(void)
{
	return (struct shape){ true, IN_ST0,
			       { .push = true, .conditions = FSW_C1 } };
}

static struct shape store(unsigned pops)
{
	return (struct shape){ true, IN_NOTHING,
			       { .st0 = true, .pops = (uint8_t)pops,
				 .conditions = FSW_C1 } };
}

static struct shape compare(unsigned pops)
{
	struct shape s = store(pops);

	s.q.conditions = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3;
	return s;
}

/* /digit 0-7 of D8, and of DA, DC, DE with memory: fadd fmul fcom fcomp fsub
 * fsubr fdiv fdivr. */
static struct shape arithmetic(unsigned digit)
{
	return digit == 2 || digit == 3 ? compare(digit - 2) : operation();
}

static struct shape memory_shape(unsigned opcode, unsigned digit)
{
	if (!(opcode & 1))
		return arithmetic(digit);
	switch (digit) {
	case 0:	 return push();
	case 1:	 return opcode == 0xd9 ? no_shape() : store(1);	/* fisttp */
	case 2:	 return store(0);
	case 3:	 return store(1);
	case 4:	 return opcode == 0xdf ? push() : no_shape();	/* fbld */
	case 5:	 return opcode == 0xdb || opcode == 0xdf ? push() : no_shape();
	case 6:	 return opcode == 0xdf ? store(1) : no_shape();	/* fbstp */
	default: return opcode == 0xdb || opcode == 0xdf ? store(1)
							 : no_shape();
	}
}

/* D9 C0-FF: operations on ST(0), some with ST(1). */
static struct shape d9_shape(unsigned modrm)
{
	struct shape s = operation();

	switch (modrm) {
	case 0xe0: case 0xe1:				/* fchs fabs */
	case 0xf0: case 0xfa: case 0xfc:		/* f2xm1 fsqrt frndint */
		return s;
	case 0xe4: case 0xe5:				/* ftst fxam */
		return compare(0);
	case 0xe8: case 0xe9: case 0xea: case 0xeb: case 0xec: case 0xed:
	case 0xee:					/* constants */
		return push();
	case 0xfe: case 0xff:				/* fsin fcos */
		s.q.conditions |= FSW_C2;
		return s;
	case 0xfd:					/* fscale */
		break;
	case 0xf1: case 0xf3: case 0xf9:	/* fyl2x fpatan fyl2xp1 */
		s.result = IN_STI;
		s.q.pops = 1;
		break;
	default:	/* also fprem: what it sets depends on its operands */
		return no_shape();
	}
	s.q.sti = true;
	s.q.i = 1;
	return s;
}

static struct shape register_shape(unsigned opcode, unsigned modrm)
{
	unsigned digit = modrm >> 3 & 7;
	struct shape s = no_shape();

	if (opcode == 0xd9)
		return d9_shape(modrm);
	if (opcode == 0xd8) {
		s = arithmetic(digit);
	} else if ((opcode == 0xdc || opcode == 0xde) &&
		   (digit < 2 || digit >= 4)) {
		s = operation();
		s.result = IN_STI;
		s.q.pops = opcode == 0xde;
	} else if (opcode == 0xde && modrm == 0xd9) {
		s = compare(2);				/* fcompp */
	} else if (opcode == 0xda && modrm == 0xe9) {
		s = compare(2);				/* fucompp */
	} else if (opcode == 0xdd && (digit == 4 || digit == 5)) {
		s = compare(digit - 4);			/* fucom fucomp */
	} else if ((opcode == 0xdb || opcode == 0xdf) &&
		   (digit == 5 || digit == 6)) {
		s = store(opcode == 0xdf);	/* fcomi, fucomi: to flags */
		s.q.conditions = 0;
	}
	s.q.sti = true;
	s.q.i = modrm & 7;
	/* ST(0) with itself would be popped before it is stored. */
	if (s.q.i == 0 && s.q.pops)
		s.ok = false;
	return s;
}

/* ---- emitting ---- */

/* The whole FPU is loaded from the image, and given back clean. */
void emit_x87(struct emitter *e, const struct insn *i)
{
	const struct insn_row *row = insn_row_of(i);

	EMIT(e, 0x48, 0x0f, 0xae, 0x0f);	/* fxrstor64 [rdi] */
	if (row->uses || row->sets)
		emit_load_flags(e);
	EMIT(e, i->opcode,
	     i->prefix & PREFIX_MEM ? (uint8_t)((i->modrm & 0x38) | H_RSI)
				    : i->modrm);
	if (row->sets)
		emit_store_flags(e);
	EMIT(e, 0x48, 0x0f, 0xae, 0x07,		/* fxsave64 [rdi] */
	     0xdb, 0xe3);			/* fninit */
}

static void emit_pop(struct emitter *e)
{
	EMIT(e, 0xdd, 0xd8);			/* fstp st(0) */
}

/* Returns how deep the host's stack is afterwards. */
static unsigned emit_quick_run(struct emitter *e, const struct insn *i,
			       const struct quick *q)
{
	bool memory = i->prefix & PREFIX_MEM, both = q->sti && q->i;
	uint8_t modrm = i->modrm;

	if (memory)
		modrm = (modrm & 0x38) | H_RSI;
	else if (q->sti && q->i == (modrm & 7) && insn_row_of(i)->op[0] != __)
		modrm = (modrm & ~7) | both;
	if (both)
		EMIT(e, 0xdb, 0x2a);		/* fld tword [rdx] */
	if (q->st0)
		EMIT(e, 0xdb, 0x2f);		/* fld tword [rdi] */
	if (insn_row_of(i)->sets)
		emit_load_flags(e);
	EMIT(e, i->opcode, modrm);
	if (insn_row_of(i)->sets)
		emit_store_flags(e);
	EMIT(e, 0xdf, 0xe0);			/* fnstsw ax */
	return both + q->st0 + q->push - q->pops;
}

bool emit_x87_quick(struct emitter *e, const struct insn *i, struct quick *q)
{
	struct shape s = i->prefix & PREFIX_MEM
				 ? memory_shape(i->opcode, i->modrm >> 3 & 7)
				 : register_shape(i->opcode, i->modrm);
	unsigned depth;

	if (!s.ok)
		return false;
	*q = s.q;
	depth = emit_quick_run(e, i, q);
	if (s.result == IN_STI && q->i && !q->pops) {
		emit_pop(e);
		depth--;
	}
	if (s.result == IN_STI && q->i) {
		EMIT(e, 0xdb, 0x3a);		/* fstp tword [rdx] */
		depth--;
	} else if (s.result != IN_NOTHING) {
		EMIT(e, 0xdb, 0x3f);		/* fstp tword [rdi] */
		depth--;
	}
	while (depth--)
		emit_pop(e);
	return true;
}
