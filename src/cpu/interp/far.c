/* cpu/interp/far.c - instructions that leave the code segment: far jumps,
 * calls and returns, software interrupts, system calls.
 *
 * Thin: what they do is in x86/farxfer.c, iret.c, event.c and syscall.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/exec.h"
#include "cpu/x86/ivt.h"

/* The far pointer an instruction holds or points at. */
static uint16_t far_pointer(struct cpu *c, const struct insn *i,
			    uint64_t *offset)
{
	gva_t a;

	if (i->op[0].code == Ap) {
		*offset = (uint64_t)i->imm;
		return (uint16_t)i->disp;
	}
	a = insn_linear(c, i, i->opsize + 2u, ACCESS_READ);
	*offset = mem_read(c, a, i->opsize);
	return mem_read16(c, a + i->opsize);
}

void exec_jmp_far(struct cpu *c, const struct insn *i)
{
	uint64_t offset;
	uint16_t selector = far_pointer(c, i, &offset);

	far_jmp(c, selector, offset, i->opsize);
}

void exec_call_far(struct cpu *c, const struct insn *i)
{
	uint64_t offset;
	uint16_t selector = far_pointer(c, i, &offset);

	far_call(c, selector, offset, i->opsize);
}

void exec_ret_far(struct cpu *c, const struct insn *i)
{
	far_ret(c, i->opsize, i->op[0].code == Iw ? (uint16_t)i->imm : 0);
}

void exec_iret(struct cpu *c, const struct insn *i)
{
	far_iret(c, i->opsize);
}

void exec_int(struct cpu *c, const struct insn *i)
{
	uint8_t vector = (uint8_t)i->imm;

	if (cpu_v86(c) && ivt_int_v86(c, vector))
		return;
	event_deliver(c, vector, EVENT_SOFTWARE, false, 0);
}

void exec_int3(struct cpu *c, const struct insn *i)
{
	event_deliver(c, VEC_BP, EVENT_SOFTWARE, false, 0);
}

void exec_into(struct cpu *c, const struct insn *i)
{
	if (c->of)
		event_deliver(c, VEC_OF, EVENT_SOFTWARE, false, 0);
}

void exec_int1(struct cpu *c, const struct insn *i)
{
	event_deliver(c, VEC_DB, EVENT_ICEBP, false, 0);
	/* This #DB also tells of the traps that MOV SS held off. */
	c->dr6 |= c->pending_dr6;
	c->pending_dr6 = 0;
}

void exec_syscall(struct cpu *c, const struct insn *i)
{
	sys_syscall(c);
}

void exec_sysret(struct cpu *c, const struct insn *i)
{
	sys_sysret(c, i->opsize);
}

void exec_sysenter(struct cpu *c, const struct insn *i)
{
	sys_sysenter(c);
}

void exec_sysexit(struct cpu *c, const struct insn *i)
{
	sys_sysexit(c, i->opsize);
}
