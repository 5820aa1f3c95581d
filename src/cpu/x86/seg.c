/* cpu/x86/seg.c - segment registers: addresses through them, loading them,
 * and what follows from them (cpu_derive).
 *
 * Protected mode checks each access against the cached descriptor: type,
 * limit (upwards or expand-down) and the null selector.  Real mode uses the
 * same cached limit but no types, and loading a register there changes only
 * selector and base: that is what makes "unreal" mode work.
 *
 * The CPL is SS.DPL, also for a null SS in 64-bit code, as VMX has it (SDM 3C
 * 24.4.1); so all code that changes privilege loads SS first.
 *
 * Limits: an access that wraps past 4 GiB in a 4 GiB segment faults, which SDM
 * 3A 5.3 leaves to the implementation.  A null selector clears FS and GS bases,
 * as Intel's processors do.
 *
 * Source: SDM 3A 3.4, 5.3-5.6; SDM 2 "MOV", "LLDT", "LTR", "LAR", "LSL",
 * "VERR/VERW".
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/seg.h"
#include "cpu/x86/desc.h"

#define REAL_ATTR (SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED)
#define V86_ATTR  (REAL_ATTR | 3u << SEG_DPL_SHIFT)

bool segment_holds(const struct segment *g, uint64_t offset, unsigned size)
{
	uint64_t last = offset + size - 1;
	bool data = !(g->attr & SEG_CODE);

	if (g->attr & SEG_UNUSABLE)
		return false;
	if (data && g->attr & SEG_EXPAND_DOWN)
		return offset > g->limit &&
		       last <= (g->attr & SEG_DB ? 0xffffffff : 0xffff);
	return last <= g->limit;
}

static bool type_allows(const struct segment *g, enum access access)
{
	bool writes = access == ACCESS_WRITE || access == ACCESS_RMW;

	if (g->attr & SEG_CODE)
		return access == ACCESS_EXEC ||
		       (!writes && g->attr & SEG_WRITABLE);
	return !writes || g->attr & SEG_WRITABLE;
}

gva_t seg_linear_checked(struct cpu *c, enum sreg s, uint64_t offset,
			 unsigned size, enum access access)
{
	const struct segment *g = &c->seg[s];

	if (unlikely(!segment_holds(g, offset, size) ||
		     (!type_allows(g, access) && !cpu_paragraph_mode(c))))
		fault_raise_code(c, s == SS ? VEC_SS : VEC_GP, 0);
	return (uint32_t)(g->base + offset);
}

/* A segment that ends at its limit may be addressed up to there; one that
 * expands down is left to seg_linear_checked(). */
void seg_derive(struct cpu *c, enum sreg s)
{
	const struct segment *g = &c->seg[s];
	bool any_type = cpu_paragraph_mode(c);
	struct reach *r = &c->reach[s];
	uint64_t all = (uint64_t)g->limit + 1;

	*r = (struct reach){ 0, 0 };
	if (g->attr & SEG_UNUSABLE ||
	    (g->attr & (SEG_CODE | SEG_EXPAND_DOWN)) == SEG_EXPAND_DOWN)
		return;
	if (any_type || type_allows(g, ACCESS_READ))
		r->read = all;
	if (any_type || type_allows(g, ACCESS_WRITE))
		r->write = all;
}

void seg_load_real(struct cpu *c, enum sreg s, uint16_t selector)
{
	struct segment *g = &c->seg[s];

	if (cpu_v86(c)) {
		g->attr = V86_ATTR;
		g->limit = 0xffff;
	} else if (g->attr & SEG_UNUSABLE) {
		g->attr = REAL_ATTR;
		g->limit = 0xffff;
	}
	g->selector = selector;
	g->base = (uint32_t)selector << 4;
	seg_derive(c, s);
}

/* May a segment of this descriptor be addressed from here with this RPL? */
static bool reachable(const struct cpu *c, const struct desc *d, unsigned rpl)
{
	unsigned dpl = desc_dpl(d);

	return desc_conforming(d) || (rpl <= dpl && c->cpl <= dpl);
}

void seg_check_stack(struct cpu *c, uint16_t selector, unsigned cpl,
		     enum vector wrong, struct segment *out)
{
	struct desc d;

	if (!desc_read(c, selector, &d) || (selector & 3u) != cpl ||
	    !desc_writable(&d) || desc_dpl(&d) != cpl)
		fault_selector(c, wrong, selector);
	if (!desc_present(&d))
		fault_selector(c, VEC_SS, selector);
	desc_touch(c, &d);
	*out = desc_segment(&d, selector);
}

void seg_check_data(struct cpu *c, uint16_t selector, enum vector wrong,
		    struct segment *out)
{
	struct desc d;

	if (selector_null(selector)) {
		*out = segment_null(selector, 0);
		return;
	}
	if (!desc_read(c, selector, &d) || !desc_readable(&d) ||
	    !reachable(c, &d, selector & 3))
		fault_selector(c, wrong, selector);
	if (!desc_present(&d))
		fault_selector(c, VEC_NP, selector);
	desc_touch(c, &d);
	*out = desc_segment(&d, selector);
}

static void load_stack(struct cpu *c, uint16_t selector)
{
	struct segment ss;

	if (selector_null(selector)) {
		if (c->mode != CODE64 || c->cpl == 3 || selector != c->cpl)
			fault_gp0(c);
		ss = segment_null(selector, c->cpl);
	} else {
		seg_check_stack(c, selector, c->cpl, VEC_GP, &ss);
	}
	c->seg[SS] = ss;
	cpu_derive(c);
}

void seg_load(struct cpu *c, enum sreg s, uint16_t selector)
{
	struct segment g;

	if (cpu_paragraph_mode(c)) {
		seg_load_real(c, s, selector);
	} else if (s == SS) {
		load_stack(c, selector);
	} else {
		seg_check_data(c, selector, VEC_GP, &g);
		c->seg[s] = g;
		seg_derive(c, s);
	}
}

void seg_drop_privileged(struct cpu *c)
{
	static const enum sreg data[] = {ES, DS, FS, GS};

	for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
		struct segment *g = &c->seg[data[i]];
		uint32_t conforming = SEG_CODE | SEG_EXPAND_DOWN;

		if (g->attr & SEG_UNUSABLE || segment_dpl(g) >= c->cpl ||
		    (g->attr & conforming) == conforming)
			continue;
		g->selector = 0;
		g->attr = SEG_UNUSABLE;
		seg_derive(c, data[i]);
	}
}

/* ---- LDTR and TR ---- */

void seg_check_ldt(struct cpu *c, uint16_t selector, enum vector wrong,
		   enum vector absent, struct segment *out)
{
	struct desc d;

	if (selector_null(selector)) {
		*out = segment_null(selector, 0);
		return;
	}
	if (selector & 4 || !desc_read(c, selector, &d) || desc_memory(&d) ||
	    desc_type(&d) != SYS_LDT || !desc_widen(c, selector, &d))
		fault_selector(c, wrong, selector);
	if (!desc_present(&d))
		fault_selector(c, absent, selector);
	*out = desc_segment(&d, selector);
	if (!gva_canonical(c, out->base))
		fault_selector(c, wrong, selector);
}

void seg_load_ldtr(struct cpu *c, uint16_t selector)
{
	struct segment ldt;

	seg_check_ldt(c, selector, VEC_GP, VEC_NP, &ldt);
	c->ldtr = ldt;
}

void seg_load_tr(struct cpu *c, uint16_t selector)
{
	struct segment tss;
	struct desc d;

	if (selector_null(selector))
		fault_gp0(c);
	if (selector & 4 || !desc_read(c, selector, &d) || desc_memory(&d) ||
	    !(desc_type(&d) == SYS_TSS32 ||
	      (desc_type(&d) == SYS_TSS16 && !cpu_long_mode(c))) ||
	    !desc_widen(c, selector, &d))
		fault_selector(c, VEC_GP, selector);
	if (!desc_present(&d))
		fault_selector(c, VEC_NP, selector);
	tss = desc_segment(&d, selector);
	if (!gva_canonical(c, tss.base))
		fault_selector(c, VEC_GP, selector);
	desc_set_type(c, &d, desc_type(&d) | SYS_BUSY);
	tss.attr |= SYS_BUSY;
	c->tr = tss;
}

/* ---- LAR, LSL, VERR, VERW ---- */

#define TYPE(n)	       (1u << (n))
#define LSL_TYPES_LONG (TYPE(SYS_LDT) | TYPE(SYS_TSS32) | TYPE(SYS_TSS32_BUSY))
#define LAR_TYPES_LONG (LSL_TYPES_LONG | TYPE(SYS_CALL32))
#define LSL_TYPES      (LSL_TYPES_LONG | TYPE(SYS_TSS16) | TYPE(SYS_TSS16_BUSY))
#define LAR_TYPES                                                              \
	(LSL_TYPES | TYPE(SYS_CALL16) | TYPE(SYS_TASK_GATE) | TYPE(SYS_CALL32))

/* Read a descriptor that may be asked about; system_types is the set of
 * system types that the question makes sense for. */
static bool visible(struct cpu *c, uint16_t selector, uint32_t system_types,
		    struct desc *d)
{
	if (selector_null(selector) || !desc_read(c, selector, d))
		return false;
	if (!desc_memory(d) && !(system_types & TYPE(desc_type(d))))
		return false;
	return reachable(c, d, selector & 3);
}

bool seg_lar(struct cpu *c, uint16_t selector, uint32_t *rights)
{
	struct desc d;

	if (!visible(c, selector, cpu_long_mode(c) ? LAR_TYPES_LONG : LAR_TYPES,
		     &d))
		return false;
	*rights = d.hi & 0x00ffff00;
	return true;
}

bool seg_lsl(struct cpu *c, uint16_t selector, uint32_t *limit)
{
	struct desc d;

	if (!visible(c, selector, cpu_long_mode(c) ? LSL_TYPES_LONG : LSL_TYPES,
		     &d))
		return false;
	*limit = desc_segment(&d, selector).limit;
	return true;
}

bool seg_verify(struct cpu *c, uint16_t selector, bool for_write)
{
	struct desc d;

	if (!visible(c, selector, 0, &d))
		return false;
	return for_write ? desc_writable(&d) : desc_readable(&d);
}

/* ---- derived state ---- */

static uint8_t privilege(const struct cpu *c)
{
	if (cpu_real_mode(c))
		return 0;
	return cpu_v86(c) ? 3 : segment_dpl(&c->seg[SS]);
}

static uint8_t data_table(const struct cpu *c)
{
	bool ac = c->rflags & FLAG_AC;

	if (c->cpl == 3)
		return ac && c->cr0 & CR0_AM ? TLB_ALIGN : TLB_USER;
	return c->cr4 & CR4_SMAP && !ac ? TLB_SMAP : TLB_SUPERVISOR;
}

void cpu_derive(struct cpu *c)
{
	const struct segment *cs = &c->seg[CS];
	uint8_t mode = segment_code64(c, cs) ? CODE64
		       : cs->attr & SEG_DB   ? CODE32
					     : CODE16;
	uint8_t cpl = privilege(c);

	if (mode != c->mode || cpl != c->cpl)
		c->stop_block = 1;
	c->mode = mode;
	c->cpl = cpl;
	c->stack_size = mode == CODE64 ? 8 : c->seg[SS].attr & SEG_DB ? 4 : 2;
	c->tlb_index = data_table(c);
	c->step &= ~STEP_TF;
	c->step |= c->rflags & FLAG_TF ? STEP_TF : 0;
	if (mode != CODE64)
		for (unsigned s = 0; s < SREG_COUNT; s++)
			seg_derive(c, (enum sreg)s);
}
