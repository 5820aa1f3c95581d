/* cpu/interp/sysreg.c - instructions on control, debug and model-specific
 * registers, the TSC, CPUID, and the translation caches.
 *
 * MONITOR and MWAIT: nothing watches the address, so MWAIT returns at once, as
 * the processor may do for any reason of its own; no model offers them unless
 * asked to.  WBINVD and INVD have nothing to write back.
 *
 * Source: SDM 2, the instructions' own pages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/exec.h"
#include "cpu/interp/xsave.h"
#include "cpu/x86/sysreg.h"

static uint64_t edx_eax(const struct cpu *c)
{
	return c->gpr[RDX] << 32 | (uint32_t)c->gpr[RAX];
}

static void set_edx_eax(struct cpu *c, uint64_t v)
{
	c->gpr[RAX] = (uint32_t)v;
	c->gpr[RDX] = v >> 32;
}

/* ---- control and debug registers ---- */

void exec_mov_from_cr(struct cpu *c, const struct insn *i)
{
	gpr_write(c, i->op[0].reg, cr_read(c, i->op[1].reg), i->op[0].size);
}

void exec_mov_to_cr(struct cpu *c, const struct insn *i)
{
	cr_write(c, i->op[0].reg,
		 gpr_read(c, i->op[1].reg, i->op[1].size));
}

void exec_mov_from_dr(struct cpu *c, const struct insn *i)
{
	gpr_write(c, i->op[0].reg, dr_read(c, i->op[1].reg), i->op[0].size);
}

void exec_mov_to_dr(struct cpu *c, const struct insn *i)
{
	dr_write(c, i->op[0].reg,
		 gpr_read(c, i->op[1].reg, i->op[1].size));
}

void exec_clts(struct cpu *c, const struct insn *i)
{
	c->cr0 &= ~(uint64_t)CR0_TS;
	c->stop_block = 1;
}

static void check_osxsave(struct cpu *c)
{
	if (!(c->cr4 & CR4_OSXSAVE))
		fault_ud(c);
}

/* XCR1 reads as the components that are not in their initial state
 * (SDM 1 13.6). */
void exec_xgetbv(struct cpu *c, const struct insn *i)
{
	uint32_t n = (uint32_t)c->gpr[RCX];

	check_osxsave(c);
	if (n > 1 || (n == 1 && !feature_has(&c->features, FEAT_XGETBV1)))
		fault_gp0(c);
	set_edx_eax(c, n ? c->xcr0 & xinuse(c) : c->xcr0);
}

void exec_xsetbv(struct cpu *c, const struct insn *i)
{
	check_osxsave(c);
	xcr_write(c, (uint32_t)c->gpr[RCX], edx_eax(c));
}

/* ---- model-specific registers, time, identity ---- */

void exec_rdmsr(struct cpu *c, const struct insn *i)
{
	set_edx_eax(c, msr_read(c, (uint32_t)c->gpr[RCX]));
}

void exec_wrmsr(struct cpu *c, const struct insn *i)
{
	msr_write(c, (uint32_t)c->gpr[RCX], edx_eax(c));
}

static void check_tsd(struct cpu *c)
{
	if ((c->cr4 & CR4_TSD) && c->cpl > 0)
		fault_gp0(c);
}

void exec_rdtsc(struct cpu *c, const struct insn *i)
{
	check_tsd(c);
	set_edx_eax(c, tsc_read(c));
}

void exec_rdtscp(struct cpu *c, const struct insn *i)
{
	check_tsd(c);
	set_edx_eax(c, tsc_read(c));
	c->gpr[RCX] = (uint32_t)c->tsc_aux;
}

/* There are no counters, so every number is wrong. */
void exec_rdpmc(struct cpu *c, const struct insn *i)
{
	fault_gp0(c);
}

void exec_rdpid(struct cpu *c, const struct insn *i)
{
	gpr_write(c, i->op[0].reg, (uint32_t)c->tsc_aux, i->op[0].size);
}

void exec_cpuid(struct cpu *c, const struct insn *i)
{
	struct cpuid_regs r = cpuid_query(c, (uint32_t)c->gpr[RAX],
					  (uint32_t)c->gpr[RCX]);

	c->gpr[RAX] = r.eax;
	c->gpr[RBX] = r.ebx;
	c->gpr[RCX] = r.ecx;
	c->gpr[RDX] = r.edx;
}

/* ---- FS and GS base ---- */

static struct segment *base_segment(struct cpu *c, enum sreg s)
{
	if (!(c->cr4 & CR4_FSGSBASE))
		fault_ud(c);
	return &c->seg[s];
}

static void base_read(struct cpu *c, const struct insn *i, enum sreg s)
{
	gpr_write(c, i->op[0].reg, base_segment(c, s)->base, i->op[0].size);
}

static void base_write(struct cpu *c, const struct insn *i, enum sreg s)
{
	struct segment *g = base_segment(c, s);
	uint64_t v = gpr_read(c, i->op[0].reg, i->op[0].size);

	if (!gva_canonical(c, v))
		fault_gp0(c);
	g->base = v;
}

void exec_rdfsbase(struct cpu *c, const struct insn *i)
{
	base_read(c, i, FS);
}

void exec_rdgsbase(struct cpu *c, const struct insn *i)
{
	base_read(c, i, GS);
}

void exec_wrfsbase(struct cpu *c, const struct insn *i)
{
	base_write(c, i, FS);
}

void exec_wrgsbase(struct cpu *c, const struct insn *i)
{
	base_write(c, i, GS);
}

/* ---- caches ---- */

/* No limit and no canonical check: INVLPG takes any address. */
void exec_invlpg(struct cpu *c, const struct insn *i)
{
	gva_t a = insn_offset(c, i);

	if (c->mode != CODE64)
		a = (uint32_t)(a + c->seg[i->seg].base);
	else if (i->seg >= FS)
		a += c->seg[i->seg].base;
	if (gva_canonical(c, a))
		tlb_flush_page(c, a);
}

void exec_invpcid(struct cpu *c, const struct insn *i)
{
	gva_t at = insn_linear(c, i, 16, ACCESS_READ);
	uint64_t type = gpr_read(c, i->op[0].reg, i->op[0].size);
	uint64_t pcid = mem_read64(c, at);

	invpcid(c, type, pcid, mem_read64(c, at + 8));
}

void exec_wbinvd(struct cpu *c, const struct insn *i)
{
}

void exec_invd(struct cpu *c, const struct insn *i)
{
}

/* ---- MONITOR and MWAIT ---- */

void exec_monitor(struct cpu *c, const struct insn *i)
{
	uint64_t a = gpr_read(c, RAX, i->addrsize);

	if (c->cpl)
		fault_ud(c);
	if ((uint32_t)c->gpr[RCX])
		fault_gp0(c);
	mem_probe(c, seg_linear(c, (enum sreg)i->seg, a, 1, ACCESS_READ), 1,
		  ACCESS_READ);
}

void exec_mwait(struct cpu *c, const struct insn *i)
{
	if (c->cpl)
		fault_ud(c);
	if ((uint32_t)c->gpr[RCX] & ~1u)
		fault_gp0(c);
	c->stop_block = 1;
}
