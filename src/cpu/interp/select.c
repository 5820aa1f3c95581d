/* cpu/interp/select.c - faster functions for the commonest instructions.
 *
 * The general functions ask at each run what their operands are.  Here that is
 * asked once, when the instruction is decoded: a function exists for each
 * operation with its operand size and the form of its operands, all three
 * constant, so that little is left but the operation.
 *
 * Forms with memory serve what the TLB serves and, outside 64-bit code, what
 * lies within the reach of the segment (struct reach); for the rest they run
 * the general function instead, before anything has changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/select.h"

/* The three kinds of memory a form may have. */
struct forms {
	enum form base, any, segment;
};

static enum form memory_form(const struct insn *i, enum code_mode mode,
			     struct forms f)
{
	if (mode != CODE64)
		return f.segment;
	if (i->addrsize != 8)
		return FORMS;
	return i->base != REG_NONE && i->index == REG_NONE && i->seg < FS
		       ? f.base : f.any;
}

static enum form form_of(const struct insn *i, enum code_mode mode)
{
	unsigned to = i->op[0].kind, from = i->op[1].kind;
	bool constant = from == OP_IMM || from == OP_NONE;

	if (to == OP_GPR && from == OP_MEM)
		return memory_form(i, mode, (struct forms){ RB, RM, RS });
	if (to == OP_GPR)
		return from == OP_GPR ? RR : constant ? RI : FORMS;
	if (to != OP_MEM)
		return FORMS;
	if (from == OP_GPR)
		return memory_form(i, mode, (struct forms){ BR, MR, SR });
	return constant ? memory_form(i, mode, (struct forms){ BI, MI, SI })
			: FORMS;
}

exec_fn exec_select(const struct insn *i, enum code_mode mode)
{
	exec_fn general = exec_rows[i->row], fast;
	enum form form = form_of(i, mode);

	if (i->prefix & PREFIX_LOCK)
		return NULL;
	fast = select_operands(i, general, form);
	if (!fast)
		fast = select_move(i, general, form);
	return fast ? fast : select_flow(i, general, form, mode);
}

/* Checks that wait until the instruction runs, because they depend on more
 * than its bytes and the code mode. */
static void exec_guarded(struct cpu *c, const struct insn *i)
{
	uint32_t how = insn_how(i);

	if ((how & HOW_PROT) && cpu_paragraph_mode(c))
		fault_ud(c);
	if ((how & HOW_CPL0) && c->cpl)
		fault_gp0(c);
	exec_rows[i->row](c, i);
}

void insn_choose_exec(struct insn *i, enum code_mode mode)
{
	if (insn_how(i) & (HOW_CPL0 | HOW_PROT))
		i->exec = exec_guarded;
	else if (!(i->exec = exec_select(i, mode)))
		i->exec = exec_rows[i->row];
}
