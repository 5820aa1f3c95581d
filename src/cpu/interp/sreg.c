/* cpu/interp/sreg.c - instructions on segment registers and selectors.
 *
 * MOV SS and POP SS hold off interrupts and debug traps until the next
 * instruction has run (SDM 3A 6.8.3); LSS does not.
 *
 * PUSH of a segment register writes the whole operand size, zero-extended,
 * which SDM 2 "PUSH" allows; POP reads it all and uses 16 bits.
 *
 * Source: SDM 2, the instructions' own pages.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/exec.h"

static void hold_off(struct cpu *c)
{
	c->shadow = SHADOW_MOV_SS;
	c->stop_block = 1;
}

void exec_mov_to_sreg(struct cpu *c, const struct insn *i)
{
	enum sreg s = (enum sreg)i->op[0].reg;

	if (s == CS || s >= SREG_COUNT)
		fault_ud(c);
	seg_load(c, s, (uint16_t)operand_read(c, i, 1));
	if (s == SS)
		hold_off(c);
}

void exec_mov_from_sreg(struct cpu *c, const struct insn *i)
{
	operand_write(c, i, 0, c->seg[i->op[1].reg].selector);
}

void exec_push_sreg(struct cpu *c, const struct insn *i)
{
	stack_push(c, c->seg[i->op[0].reg].selector, i->opsize);
}

void exec_pop_sreg(struct cpu *c, const struct insn *i)
{
	enum sreg s = (enum sreg)i->op[0].reg;
	uint64_t before = c->gpr[RSP], after;
	uint16_t selector = (uint16_t)stack_pop(c, i->opsize);

	/* RSP moves by the old stack's size, but not if the load faults. */
	after = c->gpr[RSP];
	c->gpr[RSP] = before;
	seg_load(c, s, selector);
	c->gpr[RSP] = after;
	if (s == SS)
		hold_off(c);
}

static enum sreg far_load_target(uint8_t opcode)
{
	switch (opcode) {
	case 0xc4:
		return ES;
	case 0xc5:
		return DS;
	case 0xb2:
		return SS;
	case 0xb4:
		return FS;
	default:
		return GS;
	}
}

/* LDS, LES, LFS, LGS, LSS */
void exec_load_far(struct cpu *c, const struct insn *i)
{
	gva_t a = insn_linear(c, i, i->opsize + 2u, ACCESS_READ);
	uint64_t offset = mem_read(c, a, i->opsize);

	seg_load(c, far_load_target(i->opcode), mem_read16(c, a + i->opsize));
	gpr_write(c, i->op[0].reg, offset, i->opsize);
}

static void set_zf(struct cpu *c, bool on)
{
	flags_set(c, on ? FLAG_ZF : 0, FLAG_ZF);
}

void exec_lar(struct cpu *c, const struct insn *i)
{
	uint16_t selector = (uint16_t)operand_read(c, i, 1);
	uint32_t rights;
	bool good = seg_lar(c, selector, &rights);

	if (good)
		gpr_write(c, i->op[0].reg, rights, i->op[0].size);
	set_zf(c, good);
}

void exec_lsl(struct cpu *c, const struct insn *i)
{
	uint16_t selector = (uint16_t)operand_read(c, i, 1);
	uint32_t limit;
	bool good = seg_lsl(c, selector, &limit);

	if (good)
		gpr_write(c, i->op[0].reg, limit, i->op[0].size);
	set_zf(c, good);
}

void exec_verr(struct cpu *c, const struct insn *i)
{
	set_zf(c, seg_verify(c, (uint16_t)operand_read(c, i, 0), false));
}

void exec_verw(struct cpu *c, const struct insn *i)
{
	set_zf(c, seg_verify(c, (uint16_t)operand_read(c, i, 0), true));
}

void exec_arpl(struct cpu *c, const struct insn *i)
{
	uint16_t to = (uint16_t)operand_read(c, i, 0);
	uint16_t from = (uint16_t)operand_read(c, i, 1);
	bool raise = (to & 3) < (from & 3);

	if (raise)
		operand_write(c, i, 0, (to & 0xfffc) | (from & 3));
	set_zf(c, raise);
}
