/* cpu/interp/vecstate.c - MXCSR and the upper halves: LDMXCSR, STMXCSR,
 * VZEROUPPER, VZEROALL.
 *
 * Source: SDM 2 (each instruction).
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/vector.h"

void exec_ldmxcsr(struct cpu *c, const struct insn *i)
{
	uint32_t v;

	vector_check(c, insn_how(i));
	v = (uint32_t)operand_read(c, i, 0);
	if (v & ~MXCSR_MASK)
		fault_gp0(c);
	c->x87.mxcsr = v;
}

void exec_stmxcsr(struct cpu *c, const struct insn *i)
{
	vector_check(c, insn_how(i));
	operand_write(c, i, 0, c->x87.mxcsr);
}

/* Outside 64-bit code registers 8-15 are left alone. */
static unsigned registers(const struct cpu *c)
{
	return c->mode == CODE64 ? 16 : 8;
}

void exec_vzeroupper(struct cpu *c, const struct insn *i)
{
	vector_check(c, HOW_AVX);
	for (unsigned n = 0; n < registers(c); n++)
		memset(c->v[n].b + 16, 0, 16);
}

void exec_vzeroall(struct cpu *c, const struct insn *i)
{
	vector_check(c, HOW_AVX);
	memset(c->v, 0, registers(c) * sizeof(c->v[0]));
}
