/* cpu/x86/reset.c - the state after RESET and after INIT.
 *
 * INIT keeps the time-stamp counter, x87 and vector registers, MTRRs, machine
 * check banks and most other MSRs, and of CR0 the cache bits.
 *
 * The TSC restarts with the guest clock only: a reset that moved it for one
 * vCPU at a time would leave them apart.
 *
 * Source: SDM 3A table 9-1 and 9.1.1 to 9.1.4.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "cpu/x86/debug.h"
#include "cpu/x86/state.h"

#define DR6_RESET	0xffff0ff0u
#define DR7_RESET	0x400u
#define PAT_RESET	0x0007040600070406ull
#define RESET_SEGMENT	0xf000u

static void reset_segments(struct cpu *c)
{
	const struct segment data = {
		.attr = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED,
		.limit = 0xffff,
	};

	for (unsigned s = 0; s < SREG_COUNT; s++)
		c->seg[s] = data;
	c->seg[CS].attr |= SEG_CODE;
	c->seg[CS].selector = RESET_SEGMENT;
	c->seg[CS].base = 0xffff0000;
	c->ldtr = (struct segment){ .attr = SEG_P | 0x2, .limit = 0xffff };
	c->tr = (struct segment){ .attr = SEG_P | 0xb, .limit = 0xffff };
	c->gdtr = (struct table_register){ .limit = 0xffff };
	c->idtr = (struct table_register){ .limit = 0xffff };
}

static void reset_x87(struct cpu *c)
{
	memset(&c->x87, 0, sizeof(c->x87));
	c->x87.fcw = 0x40;
	c->x87.ftw = 0xff;	/* all in use, holding +0 */
	c->x87.mxcsr = 0x1f80;
	c->x87.mxcsr_mask = 0xffff;
	memset(c->v, 0, sizeof(c->v));
	c->fcs = c->fds = 0;
	c->xcr0 = 1;
}

static void reset_msrs(struct cpu *c)
{
	c->star = c->lstar = c->cstar = c->fmask = 0;
	c->kernel_gs_base = c->tsc_aux = c->xss = 0;
	c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = 0;
	c->pat = PAT_RESET;
	c->misc_enable = 1;	/* fast strings */
	c->mtrr_def_type = 0;
	memset(c->mtrr_var, 0, sizeof(c->mtrr_var));
	memset(c->mtrr_fix, 0, sizeof(c->mtrr_fix));
	c->mcg_status = c->mcg_ctl = 0;
	memset(c->mc_bank, 0, sizeof(c->mc_bank));
	c->tsc_offset = 0;
	c->tsc_adjust = 0;
}

void cpu_reset(struct cpu *c, bool init)
{
	memset(c->gpr, 0, sizeof(c->gpr));
	c->gpr[RDX] = cpu_signature(c);
	c->rip = 0xfff0;
	flags_set(c, 0, ~0u);
	reset_segments(c);
	c->cr0 = CR0_ET | (init ? c->cr0 & (CR0_CD | CR0_NW)
				: CR0_CD | CR0_NW);
	c->cr2 = c->cr3 = c->cr4 = c->efer = 0;
	memset(c->pdpte, 0, sizeof(c->pdpte));
	memset(c->dr, 0, sizeof(c->dr));
	c->dr6 = DR6_RESET;
	c->dr7 = DR7_RESET;
	c->pending_dr6 = 0;
	if (!init) {
		reset_x87(c);
		reset_msrs(c);
	}
	c->cpl = 0;
	c->shadow = SHADOW_NONE;
	c->nmi_blocked = c->smm = false;
	c->delivering = -1;
	c->delivering_ext = false;
	c->wait_sipi = c->halted = c->index != 0;
	cpu_derive(c);
	debug_points_changed(c);	/* flushes the TLB too */
}
