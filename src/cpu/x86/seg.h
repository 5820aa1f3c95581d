/* cpu/x86/seg.h - segments: addresses through them, and loading them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_SEG_H
#define CPU_X86_SEG_H
#include "cpu/x86/fault.h"
#include "cpu/x86/mem.h"

static inline bool gva_canonical(const struct cpu *c, gva_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* Offset to linear with limit and type checks for protected and real mode;
 * raises #SS(0) for SS and #GP(0) else.  seg.c. */
gva_t seg_linear_checked(struct cpu *c, enum sreg s, uint64_t offset,
			 unsigned size, enum access access);

/* Bytes from offset 0 on that need no more checks for this access. */
static inline uint64_t seg_reach(const struct cpu *c, enum sreg s,
				 enum access access)
{
	switch (access) {
	case ACCESS_READ: return c->reach[s].read;
	case ACCESS_EXEC: return 0;
	default: return c->reach[s].write;
	}
}

static inline gva_t seg_linear(struct cpu *c, enum sreg s, uint64_t offset,
			       unsigned size, enum access access)
{
	if (likely(c->mode == CODE64)) {
		gva_t a = offset + (s >= FS ? c->seg[s].base : 0);

		if (unlikely(!gva_canonical(c, a)))
			fault_raise_code(c, s == SS ? VEC_SS : VEC_GP, 0);
		return a;
	}
	if (likely(offset + size <= seg_reach(c, s, access)))
		return (uint32_t)(c->seg[s].base + offset);
	return seg_linear_checked(c, s, offset, size, access);
}

/* Linear address of code at rip, unchecked. */
static inline gva_t code_linear(const struct cpu *c, uint64_t rip)
{
	return c->mode == CODE64 ? rip : (uint32_t)(c->seg[CS].base + rip);
}

/* Load a data or stack segment register, as MOV, POP, LDS...: all checks and
 * faults of SDM 2 "MOV"; real and v86 mode just set the base. */
void seg_load(struct cpu *c, enum sreg s, uint16_t selector);
/* For real mode, v86, reset, and loaders: base = selector << 4. */
void seg_load_real(struct cpu *c, enum sreg s, uint16_t selector);
/* After writing a data segment register by other ways than these: what is
 * derived from it. */
void seg_derive(struct cpu *c, enum sreg s);
void seg_load_ldtr(struct cpu *c, uint16_t selector);	/* LLDT */
void seg_load_tr(struct cpu *c, uint16_t selector);	/* LTR */

/* ---- for those who judge several segments before any takes effect ---- */

/* Limit check alone: may [offset, offset + size) be addressed? */
bool segment_holds(const struct segment *g, uint64_t offset, unsigned size);

/* Judge a selector and fill *out with what loading it would leave, the
 * accessed bit being set; nothing in the vCPU changes.  `wrong` is raised with
 * the selector for all but a descriptor that is not present. */
/* Not null; for SS at privilege cpl; #SS(selector) if absent. */
void seg_check_stack(struct cpu *c, uint16_t selector, unsigned cpl,
		     enum vector wrong, struct segment *out);
/* For DS, ES, FS, GS at c->cpl; #NP(selector) if absent. */
void seg_check_data(struct cpu *c, uint16_t selector, enum vector wrong,
		    struct segment *out);
void seg_check_ldt(struct cpu *c, uint16_t selector, enum vector wrong,
		   enum vector absent, struct segment *out);

/* After a return outwards: data segments the new CPL may not have are made
 * null (SDM 2 "RET"). */
void seg_drop_privileged(struct cpu *c);

/* ---- far transfers ---- */

/* Far transfers with all their gates, privilege changes and task switches.
 * opsize is 2, 4 or 8. */
void far_jmp(struct cpu *c, uint16_t selector, uint64_t offset,
	     unsigned opsize);
void far_call(struct cpu *c, uint16_t selector, uint64_t offset,
	      unsigned opsize);
void far_ret(struct cpu *c, unsigned opsize, uint16_t pop_bytes);
void far_iret(struct cpu *c, unsigned opsize);

enum task_switch { TASK_JMP, TASK_CALL, TASK_IRET, TASK_GATE };
void task_switch(struct cpu *c, uint16_t selector, enum task_switch how,
		 bool has_code, uint32_t code);

/* SDM 2: SYSCALL, SYSRET, SYSENTER, SYSEXIT, with their #UD and #GP. */
void sys_syscall(struct cpu *c);
void sys_sysret(struct cpu *c, unsigned opsize);
void sys_sysenter(struct cpu *c);
void sys_sysexit(struct cpu *c, unsigned opsize);

/* LAR, LSL, VERR, VERW: true and the value (ZF=1), or false (ZF=0). */
bool seg_lar(struct cpu *c, uint16_t selector, uint32_t *rights);
bool seg_lsl(struct cpu *c, uint16_t selector, uint32_t *limit);
bool seg_verify(struct cpu *c, uint16_t selector, bool for_write);

/* Near transfers: set rip within the code segment, or raise #GP(0) (limit in
 * 16 and 32-bit code, canonical in 64-bit).  opsize truncates the target. */
static inline void near_jump(struct cpu *c, uint64_t target, unsigned opsize)
{
	if (likely(c->mode == CODE64)) {
		if (unlikely(!gva_canonical(c, target)))
			fault_gp0(c);
		c->rip = target;
		return;
	}
	target &= opsize == 2 ? 0xffff : 0xffffffff;
	if (unlikely(target > c->seg[CS].limit))
		fault_gp0(c);
	c->rip = target;
}

/* Stack: through SS with its size and limits; size 2, 4 or 8.  push stores
 * before it moves RSP, so a fault leaves RSP alone. */
void stack_push(struct cpu *c, uint64_t v, unsigned size);
uint64_t stack_pop(struct cpu *c, unsigned size);
/* Read at RSP + offset, without popping. */
uint64_t stack_peek(struct cpu *c, uint64_t offset, unsigned size);
/* RSP += n within the stack size. */
static inline void stack_add(struct cpu *c, int64_t n)
{
	uint64_t sp = c->gpr[RSP] + n;

	if (c->stack_size == 8)
		c->gpr[RSP] = sp;
	else if (c->stack_size == 4)
		c->gpr[RSP] = (uint32_t)sp;
	else
		c->gpr[RSP] = (c->gpr[RSP] & ~0xffffull) | (sp & 0xffff);
}

/* I/O with the IOPL and TSS bitmap checks (SDM 1 18.5), and I/O breakpoints. */
uint32_t port_read(struct cpu *c, uint16_t port, unsigned size);
void port_write(struct cpu *c, uint16_t port, uint32_t v, unsigned size);
void port_check(struct cpu *c, uint16_t port, unsigned size);

#endif
