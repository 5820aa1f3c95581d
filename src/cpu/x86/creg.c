/* cpu/x86/creg.c - control and debug registers and XCR0.
 *
 * A write is checked whole before anything changes.  What follows from it is
 * done here: long mode comes and goes with CR0.PG, PDPTEs are loaded, the TLB
 * is flushed where a cached right could now be wrong.
 *
 * Source: SDM 3A 2.5, 4.1, 4.4.1, 4.10.4 and 9.8.5; SDM 2 "MOV - Move to/from
 * Control Registers", "XSETBV", "INVPCID"; 17.2 for the debug registers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "bus/intc.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/paging.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/sysreg.h"

#define CR0_KNOWN	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | \
			 CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR3_NO_FLUSH	(1ull << 63)
#define CR3_PCID	0xfffull

#define TSS16_BUSY	0x3u		/* segment type, SDM 3A table 3-2 */

#define DR6_ONES	0xffff0ff0ull
#define DR6_WRITABLE	0x0000e00full	/* BT BS BD B3-B0 */
#define DR7_ONES	0x00000400ull
#define DR7_WRITABLE	0xffff23ffull
#define DR7_GD		(1u << 13)
#define DR7_ENABLES	0xffull

#define XCR0_X87	1ull
#define XCR0_SSE	2ull
#define XCR0_AVX	4ull

/* ---- CR0 ---- */

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

static bool may_enter_paging(const struct cpu *c)
{
	if (!(c->efer & EFER_LME))
		return true;
	return (c->cr4 & CR4_PAE) && !(c->seg[CS].attr & SEG_L) &&
	       (c->tr.attr & SEG_TYPE) != TSS16_BUSY;
}

static bool may_leave_paging(const struct cpu *c)
{
	return c->mode != CODE64 && !(c->cr4 & CR4_PCIDE);
}

static bool cr0_is_valid(const struct cpu *c, uint64_t v)
{
	uint64_t changed = v ^ c->cr0;

	if (v >> 32 || ((v & CR0_PG) && !(v & CR0_PE)) ||
	    ((v & CR0_NW) && !(v & CR0_CD)))
		return false;
	if (!(changed & CR0_PG))
		return true;
	return v & CR0_PG ? may_enter_paging(c) : may_leave_paging(c);
}

static bool cr0_put(struct cpu *c, uint64_t v)
{
	uint64_t changed, efer = c->efer & ~(uint64_t)EFER_LMA;

	if (!cr0_is_valid(c, v))
		return false;
	v = (v & CR0_KNOWN) | CR0_ET;
	changed = v ^ c->cr0;
	if ((v & CR0_PG) && (efer & EFER_LME))
		efer |= EFER_LMA;
	if (pae_paging(v, c->cr4, efer) &&
	    (changed & (CR0_PG | CR0_CD | CR0_NW)) &&
	    !paging_load_pdptes(c, c->cr3))
		return false;
	c->cr0 = v;
	c->efer = efer;
	c->stop_block = 1;
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		tlb_flush_all(c);
	cpu_derive(c);
	return true;
}

/* ---- CR3 ---- */

static bool cr3_put(struct cpu *c, uint64_t v)
{
	bool keep = false;

	if (cpu_long_mode(c)) {
		if (c->cr4 & CR4_PCIDE) {
			keep = v & CR3_NO_FLUSH;
			v &= ~CR3_NO_FLUSH;
		}
		if (v & (paging_reserved_bits(c) | 0xfffull << 52))
			return false;
	} else {
		v = (uint32_t)v;
	}
	if (pae_paging(c->cr0, c->cr4, c->efer) && !paging_load_pdptes(c, v))
		return false;
	c->cr3 = v;
	tlb_switch(c, keep);
	return true;
}

/* ---- CR4 ---- */

static const struct {
	uint32_t bit;
	uint8_t feature;
} cr4_bits[] = {
	{ CR4_VME, FEAT_VME },	       { CR4_PVI, FEAT_VME },
	{ CR4_TSD, FEAT_TSC },	       { CR4_DE, FEAT_DE },
	{ CR4_PSE, FEAT_PSE },	       { CR4_PAE, FEAT_PAE },
	{ CR4_MCE, FEAT_MCE },	       { CR4_PGE, FEAT_PGE },
	{ CR4_PCE, FEAT_ALWAYS },      { CR4_OSFXSR, FEAT_FXSR },
	{ CR4_OSXMMEXCPT, FEAT_SSE },  { CR4_UMIP, FEAT_UMIP },
	{ CR4_FSGSBASE, FEAT_FSGSBASE }, { CR4_PCIDE, FEAT_PCID },
	{ CR4_OSXSAVE, FEAT_XSAVE },   { CR4_SMEP, FEAT_SMEP },
	{ CR4_SMAP, FEAT_SMAP },
};

static uint64_t cr4_allowed(const struct cpu *c)
{
	uint64_t allowed = 0;

	for (unsigned i = 0; i < ARRAY_LEN(cr4_bits); i++)
		if (cr4_bits[i].feature == FEAT_ALWAYS ||
		    feature_has(&c->features,
				(enum feature)cr4_bits[i].feature))
			allowed |= cr4_bits[i].bit;
	return allowed;
}

static bool cr4_is_valid(const struct cpu *c, uint64_t v)
{
	if (v & ~cr4_allowed(c))
		return false;
	if (cpu_long_mode(c) && !(v & CR4_PAE))
		return false;
	if (v & ~c->cr4 & CR4_PCIDE)
		return cpu_long_mode(c) && !(c->cr3 & CR3_PCID);
	return true;
}

static bool cr4_put(struct cpu *c, uint64_t v)
{
	const uint64_t paging = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP;
	uint64_t changed = v ^ c->cr4;

	if (!cr4_is_valid(c, v))
		return false;
	if (pae_paging(c->cr0, v, c->efer) && (changed & paging) &&
	    !paging_load_pdptes(c, c->cr3))
		return false;
	c->cr4 = v;
	c->stop_block = 1;
	if (changed & (paging | CR4_PCIDE | CR4_SMAP))
		tlb_flush_all(c);
	cpu_derive(c);
	return true;
}

/* ---- all of them ---- */

uint64_t cr_read(struct cpu *c, unsigned n)
{
	switch (n) {
	case 0:	return c->cr0;
	case 2:	return c->cr2;
	case 3:	return c->cr3;
	case 4:	return c->cr4;
	case 8:	return c->intc_ops ? c->intc_ops->cr8_read(c->intc) : 0;
	default: fault_ud(c);
	}
}

bool cr_try_write(struct cpu *c, unsigned n, uint64_t v)
{
	switch (n) {
	case 0:	return cr0_put(c, v);
	case 2:	c->cr2 = v; return true;
	case 3:	return cr3_put(c, v);
	case 4:	return cr4_put(c, v);
	case 8:
		if (v > 15)
			return false;
		if (c->intc_ops)
			c->intc_ops->cr8_write(c->intc, (uint8_t)v);
		return true;
	default: return false;
	}
}

void cr_write(struct cpu *c, unsigned n, uint64_t v)
{
	if (n == 1 || (n > 4 && n != 8))
		fault_ud(c);
	if (!cr_try_write(c, n, v))
		fault_gp0(c);
}

/* ---- debug registers ---- */

/* 4 and 5 are other names of 6 and 7, unless CR4.DE is set. */
static unsigned dr_number(struct cpu *c, unsigned n)
{
	if (n > 7 || ((n == 4 || n == 5) && (c->cr4 & CR4_DE)))
		fault_ud(c);
	return n == 4 || n == 5 ? n + 2 : n;
}

static void check_general_detect(struct cpu *c)
{
	if (c->dr7 & DR7_GD)
		fault_raise_db(c, DR6_BD);
}

uint64_t dr_read(struct cpu *c, unsigned n)
{
	n = dr_number(c, n);
	check_general_detect(c);
	if (n < 4)
		return c->dr[n];
	return n == 6 ? c->dr6 : c->dr7;
}

void dr_write(struct cpu *c, unsigned n, uint64_t v)
{
	uint64_t old7 = c->dr7;

	n = dr_number(c, n);
	check_general_detect(c);
	if (n >= 6 && v >> 32)
		fault_gp0(c);
	c->stop_block = 1;
	if (n == 6) {
		c->dr6 = (v & DR6_WRITABLE) | DR6_ONES;
		return;
	}
	if (n == 7)
		c->dr7 = (v & DR7_WRITABLE) | DR7_ONES;
	else
		c->dr[n] = v;
	if ((old7 | c->dr7) & DR7_ENABLES)
		debug_points_changed(c);
}

/* ---- XCR0 ---- */

uint64_t xcr0_allowed(const struct cpu *c)
{
	uint64_t v = XCR0_X87 | XCR0_SSE;

	if (feature_has(&c->features, FEAT_AVX))
		v |= XCR0_AVX;
	return v;
}

void xcr_write(struct cpu *c, uint32_t n, uint64_t v)
{
	if (n != 0 || (v & ~xcr0_allowed(c)) || !(v & XCR0_X87) ||
	    ((v & XCR0_AVX) && !(v & XCR0_SSE)))
		fault_gp0(c);
	c->xcr0 = v;
	c->stop_block = 1;
}

/* ---- INVPCID ---- */

void invpcid(struct cpu *c, uint64_t type, uint64_t pcid, gva_t a)
{
	enum { ADDRESS, CONTEXT, ALL, ALL_NONGLOBAL };

	if (type > ALL_NONGLOBAL)
		fault_gp0(c);
	if (type <= CONTEXT &&
	    (pcid > CR3_PCID || (pcid && !(c->cr4 & CR4_PCIDE))))
		fault_gp0(c);
	if (type == ADDRESS && !gva_canonical(c, a))
		fault_gp0(c);
	switch (type) {
	case ADDRESS:	tlb_flush_pcid_page(c, (unsigned)pcid, a); break;
	case CONTEXT:	tlb_flush_pcid(c, (unsigned)pcid); break;
	case ALL:	tlb_flush_all(c); break;
	case ALL_NONGLOBAL: tlb_flush_nonglobal(c); break;
	}
}
