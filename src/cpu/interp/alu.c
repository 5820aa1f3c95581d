/* cpu/interp/alu.c - addition, subtraction, logic, comparison.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

void exec_add(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_add, operand_read(c, i, 1));
}

void exec_or(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_or, operand_read(c, i, 1));
}

void exec_adc(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_adc, operand_read(c, i, 1));
}

void exec_sbb(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_sbb, operand_read(c, i, 1));
}

void exec_and(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_and, operand_read(c, i, 1));
}

void exec_sub(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_sub, operand_read(c, i, 1));
}

void exec_xor(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_xor, operand_read(c, i, 1));
}

void exec_inc(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_inc, 0);
}

void exec_dec(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_dec, 0);
}

void exec_neg(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_neg, 0);
}

void exec_not(struct cpu *c, const struct insn *i)
{
	rmw(c, i, alu_not, 0);
}

void exec_cmp(struct cpu *c, const struct insn *i)
{
	uint64_t a = operand_read(c, i, 0);

	alu_sub(c, a, operand_read(c, i, 1), i->op[0].size);
}

void exec_test(struct cpu *c, const struct insn *i)
{
	uint64_t a = operand_read(c, i, 0);

	alu_and(c, a, operand_read(c, i, 1), i->op[0].size);
}

/* ADCX and ADOX add with one flag as the carry and leave all others. */
static bool add_carry(struct cpu *c, const struct insn *i, bool carry)
{
	unsigned size = i->op[0].size;
	uint64_t b = operand_read(c, i, 1);
	uint64_t a = gpr_read(c, i->op[0].reg, size);
	unsigned __int128 sum = (unsigned __int128)a + b + carry;

	gpr_write(c, i->op[0].reg, (uint64_t)sum, size);
	return (sum >> (8 * size)) & 1;
}

void exec_adcx(struct cpu *c, const struct insn *i)
{
	bool carry = add_carry(c, i, c->arith & FLAG_CF);

	c->arith = (c->arith & ~FLAG_CF) | carry;
}

void exec_adox(struct cpu *c, const struct insn *i)
{
	c->of = add_carry(c, i, c->of);
}
