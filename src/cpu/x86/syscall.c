/* cpu/x86/syscall.c - SYSCALL, SYSRET, SYSENTER and SYSEXIT.
 *
 * These load flat segments without reading descriptors.  Where the makers
 * differ the vCPU's CPUID vendor decides: AMD's processors take SYSCALL and
 * SYSRET outside 64-bit code and refuse SYSENTER and SYSEXIT in long mode,
 * Intel's the other way round; and AMD's SYSRET does not check the address it
 * returns to.
 *
 * Source: SDM 2 (each instruction); APM 3 "SYSCALL", "SYSRET", "SYSENTER".
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/cpuid.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/desc.h"
#include "cpu/x86/seg.h"

#define FLAT_DATA (SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED | SEG_DB | SEG_G)
#define FLAT_CODE                                                              \
	(SEG_P | SEG_S | SEG_CODE | SEG_WRITABLE | SEG_ACCESSED | SEG_G)
#define SYSRET_FLAGS 0x3c7fd7u

static struct segment flat(uint16_t selector, unsigned dpl, uint32_t attr)
{
	return (struct segment){
		.selector = (selector & 0xfffc) | dpl,
		.attr = attr | dpl << SEG_DPL_SHIFT,
		.limit = 0xffffffff,
	};
}

/* size: 8 for 64-bit code, 4 for 32-bit code. */
static void enter_flat(struct cpu *c, uint16_t cs_selector,
		       uint16_t ss_selector, unsigned cpl, unsigned size,
		       uint64_t ip)
{
	struct segment cs = flat(cs_selector, cpl,
				 FLAT_CODE | (size == 8 ? SEG_L : SEG_DB));

	c->seg[SS] = flat(ss_selector, cpl, FLAT_DATA);
	code_enter(c, &cs, cpl, ip);
}

void sys_syscall(struct cpu *c)
{
	uint16_t selector = c->star >> 32 & 0xfffc;
	bool from64 = c->mode == CODE64;

	if (!(c->efer & EFER_SCE) || (!from64 && !cpu_is_amd(c)))
		fault_ud(c);
	c->gpr[RCX] = c->rip;
	if (cpu_long_mode(c)) {
		c->gpr[R11] = flags_get(c) & ~FLAG_RF;
		flags_set(c, 0, (uint32_t)c->fmask | FLAG_RF);
		enter_flat(c, selector, selector + 8, 0, 8,
			   from64 ? c->lstar : c->cstar);
	} else {
		flags_set(c, 0, FLAG_VM | FLAG_IF | FLAG_RF);
		enter_flat(c, selector, selector + 8, 0, 4, (uint32_t)c->star);
	}
	/* TF counts as masked already: no trap in the kernel. */
	c->tf_trap = c->tf_trap && (c->rflags & FLAG_TF);
}

void sys_sysret(struct cpu *c, unsigned opsize)
{
	uint16_t selector = c->star >> 48;
	unsigned size = opsize == 8 && c->mode == CODE64 ? 8 : 4;
	uint64_t ip = narrow(c->gpr[RCX], size);

	if (!(c->efer & EFER_SCE) || (c->mode != CODE64 && !cpu_is_amd(c)))
		fault_ud(c);
	if (cpu_real_mode(c) || c->cpl != 0)
		fault_gp0(c);
	if (size == 8 && !gva_canonical(c, ip) && !cpu_is_amd(c))
		fault_gp0(c);
	if (cpu_long_mode(c))
		flags_set(c, (uint32_t)c->gpr[R11] & SYSRET_FLAGS, ~FLAG_ONE);
	else
		flags_set(c, FLAG_IF, FLAG_IF);
	enter_flat(c, size == 8 ? selector + 16 : selector, selector + 8, 3,
		   size, ip);
	/* Unlike IRET's, the TF of SYSRET traps before the next instruction,
	 * as if SYSCALL had just ended. */
	c->tf_trap = false;
	if (c->rflags & FLAG_TF)
		c->pending_dr6 |= DR6_BS;
}

void sys_sysenter(struct cpu *c)
{
	uint16_t selector = c->sysenter_cs & 0xfffc;
	unsigned size = cpu_long_mode(c) ? 8 : 4;

	if (size == 8 && cpu_is_amd(c))
		fault_ud(c);
	if (cpu_real_mode(c) || !selector)
		fault_gp0(c);
	flags_set(c, 0, FLAG_VM | FLAG_IF | FLAG_RF);
	c->gpr[RSP] = narrow(c->sysenter_esp, size);
	enter_flat(c, selector, selector + 8, 0, size,
		   narrow(c->sysenter_eip, size));
}

void sys_sysexit(struct cpu *c, unsigned opsize)
{
	uint16_t selector = c->sysenter_cs & 0xfffc;
	unsigned size = opsize == 8 && c->mode == CODE64 ? 8 : 4;
	uint64_t ip = narrow(c->gpr[RDX], size);
	uint64_t sp = narrow(c->gpr[RCX], size);
	uint16_t first = selector + (size == 8 ? 32 : 16);

	if (cpu_long_mode(c) && cpu_is_amd(c))
		fault_ud(c);
	if (cpu_real_mode(c) || c->cpl != 0 || !selector)
		fault_gp0(c);
	if (size == 8 && (!gva_canonical(c, ip) || !gva_canonical(c, sp)))
		fault_gp0(c);
	c->gpr[RSP] = sp;
	enter_flat(c, first, first + 8, 3, size, ip);
}
