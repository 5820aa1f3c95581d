/* cpu/interp/select_operands.c - selected functions of instructions with two
 * operands of one size, or with one: moves, arithmetic, shifts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/select.h"

/* op1 = fn(op1, op2), or with `writes` false fn(op1, op2) for its flags. */
ALWAYS_INLINE void two_operands(struct cpu *c, const struct insn *i,
				enum form form, rmw_fn fn, unsigned size,
				bool writes)
{
	bool to_mem = form_in(form, TO_MEM);
	uint64_t a, b = (uint64_t)i->imm;
	void *p = NULL;

	if (to_mem || form_in(form, FROM_MEM)) {
		p = operand_hit(c, i, form, size, to_mem && writes);
		if (unlikely(!p)) {
			run_general(c, i);
			return;
		}
	}
	if (form_in(form, FROM_MEM))
		b = host_load(p, size);
	else if (!form_in(form, WITH_IMM))
		b = gpr_read(c, i->op[1].reg, size);
	a = to_mem ? host_load(p, size) : gpr_read(c, i->op[0].reg, size);
	a = fn(c, a, b, size);
	if (writes && to_mem)
		host_store(p, a, size);
	else if (writes)
		gpr_write(c, i->op[0].reg, a, size);
}

/* Stamped out: <op>_<form>_<size>(), and the table <op>_functions.  Outside
 * 64-bit code nothing has 8 bytes. */
#define ONE_SIZE(op, fn, writes, form, size)                                  \
	static void op##_##form##_##size(struct cpu *c, const struct insn *i) \
	{                                                                     \
		two_operands(c, i, form, fn, size, writes);                   \
	}
#define TO_FOUR(op, fn, writes, form)                                         \
	ONE_SIZE(op, fn, writes, form, 1) ONE_SIZE(op, fn, writes, form, 2)   \
	ONE_SIZE(op, fn, writes, form, 4)
#define TO_EIGHT(op, fn, writes, form)                                        \
	TO_FOUR(op, fn, writes, form) ONE_SIZE(op, fn, writes, form, 8)
#define ROW4(op, form)                                                        \
	[form] = { op##_##form##_1, op##_##form##_2, op##_##form##_4 }
#define ROW8(op, form)                                                        \
	[form] = { op##_##form##_1, op##_##form##_2, op##_##form##_4,         \
		   op##_##form##_8 }

/* Any operand from any: the eleven forms. */
#define BINARY(op, fn, writes)                                                \
	TO_EIGHT(op, fn, writes, RR) TO_EIGHT(op, fn, writes, RI)             \
	TO_EIGHT(op, fn, writes, RB) TO_EIGHT(op, fn, writes, RM)             \
	TO_EIGHT(op, fn, writes, BR) TO_EIGHT(op, fn, writes, MR)             \
	TO_EIGHT(op, fn, writes, BI) TO_EIGHT(op, fn, writes, MI)             \
	TO_FOUR(op, fn, writes, RS) TO_FOUR(op, fn, writes, SR)               \
	TO_FOUR(op, fn, writes, SI)                                           \
	static const exec_fn op##_functions[FORMS][SIZES] = {                 \
		ROW8(op, RR), ROW8(op, RI), ROW8(op, RB), ROW8(op, RM),       \
		ROW8(op, BR), ROW8(op, MR), ROW8(op, BI), ROW8(op, MI),       \
		ROW4(op, RS), ROW4(op, SR), ROW4(op, SI) };
/* One operand; what the second would be is not looked at. */
#define UNARY(op, fn)                                                         \
	TO_EIGHT(op, fn, true, RI) TO_EIGHT(op, fn, true, BI)                 \
	TO_EIGHT(op, fn, true, MI) TO_FOUR(op, fn, true, SI)                  \
	static const exec_fn op##_functions[FORMS][SIZES] = {                 \
		ROW8(op, RI), ROW8(op, BI), ROW8(op, MI), ROW4(op, SI) };
/* By an immediate, or a register by CL: read as a register of the operand's
 * size, of which the host takes the low bits. */
#define SHIFT(op, fn)                                                         \
	TO_EIGHT(op, fn, true, RR) TO_EIGHT(op, fn, true, RI)                 \
	TO_EIGHT(op, fn, true, BI) TO_EIGHT(op, fn, true, MI)                 \
	TO_FOUR(op, fn, true, SI)                                             \
	static const exec_fn op##_functions[FORMS][SIZES] = {                 \
		ROW8(op, RR), ROW8(op, RI), ROW8(op, BI), ROW8(op, MI),       \
		ROW4(op, SI) };

BINARY(mov, alu_take, true)
BINARY(add, alu_add, true)
BINARY(or, alu_or, true)
BINARY(adc, alu_adc, true)
BINARY(sbb, alu_sbb, true)
BINARY(and, alu_and, true)
BINARY(sub, alu_sub, true)
BINARY(xor, alu_xor, true)
BINARY(cmp, alu_sub, false)
BINARY(test, alu_and, false)
UNARY(inc, alu_inc)
UNARY(dec, alu_dec)
UNARY(neg, alu_neg)
UNARY(not, alu_not)
SHIFT(rol, alu_rol)
SHIFT(ror, alu_ror)
SHIFT(shl, alu_shl)
SHIFT(shr, alu_shr)
SHIFT(sar, alu_sar)

exec_fn select_operands(const struct insn *i, exec_fn general, enum form form)
{
	static const struct {
		exec_fn general;
		const exec_fn (*functions)[SIZES];
	} families[] = {
		{ exec_mov, mov_functions }, { exec_add, add_functions },
		{ exec_cmp, cmp_functions }, { exec_test, test_functions },
		{ exec_and, and_functions }, { exec_sub, sub_functions },
		{ exec_xor, xor_functions }, { exec_or, or_functions },
		{ exec_adc, adc_functions }, { exec_sbb, sbb_functions },
		{ exec_inc, inc_functions }, { exec_dec, dec_functions },
		{ exec_neg, neg_functions }, { exec_not, not_functions },
		{ exec_rol, rol_functions }, { exec_ror, ror_functions },
		{ exec_shl, shl_functions }, { exec_shr, shr_functions },
		{ exec_sar, sar_functions },
	};

	if (form == FORMS)
		return NULL;
	for (unsigned n = 0; n < ARRAY_LEN(families); n++)
		if (families[n].general == general)
			return families[n].functions
				[form][__builtin_ctz(i->op[0].size)];
	return NULL;
}
