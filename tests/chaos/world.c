/* world.c - see world.h: the registers.
 *
 * Control registers and MSRs are written as a guest would, so that the state
 * is one a guest can come to; segments are what loading their descriptors
 * would have left, had they been right.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <string.h>

#include "../oracle/random.h"
#include "cpu/engine.h"
#include "cpu/x86/desc.h"
#include "cpu/x86/sysreg.h"
#include "world.h"

#define MSR_EFER 0xc0000080u

const char *const shape_names[SHAPES] = {
	[REAL] = "real", [UNREAL] = "unreal", [PROT16] = "prot16",
	[PROT32] = "prot32", [PAGED32] = "paged32", [PAGED_PAE] = "pae",
	[V86] = "v86", [V86_PAGED] = "v86 paged", [LONG64] = "long64",
	[COMPAT32] = "compat32", [COMPAT16] = "compat16",
};

/* ---- values ---- */

static const uint32_t msrs[] = {
	0x10, 0x1b, 0x3a, 0x3b, 0x8b, 0xc1, 0xfe, 0x174, 0x175, 0x176, 0x179,
	0x17a, 0x17b, 0x1a0, 0x1d9, 0x200, 0x201, 0x20f, 0x250, 0x26f, 0x277,
	0x2ff, 0x400, 0x401, 0x427, 0x6e0, 0x802, 0x803, 0x808, 0x80b, 0x80f,
	0x828, 0x830, 0x832, 0x835, 0x838, 0x83e, 0x83f, 0xda0, MSR_EFER,
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101,
	0xc0000102, 0xc0000103, 0xc0010015, 0xc001001f, 0xc0010140, 0x40000000,
};

static const uint16_t ports[] = {
	0x20, 0x21, 0xa0, 0xa1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x60, 0x64, 0x70,
	0x71, 0x80, 0x92, 0xb2, 0xb3, 0xcf8, 0xcf9, 0xcfc, 0xcfe, 0x3f8, 0x3f9,
	0x3fb, 0x2f8, 0x4d0, 0x4d1, 0x501, 0x505, 0x600, 0x602, 0x604, 0x608,
	0xe0, 0xe4, 0xe9, 0x2000, 0x2004, 0xafe0, 0xb000, 0xc000,
};

static const uint64_t windows[] = {
	0xfee00000, 0xfec00000, 0xfed00000, 0xff000000, 0xc0000000, 0xa0000,
	0xfffffff0, 0x1fffff, 0x100000, 0xffff800000000000, 0x7fffffffffff,
};

uint32_t world_msr(struct world *w)
{
	if (one_in(&w->r, 8))
		return 0x800 + below(&w->r, 0x40);
	return msrs[below(&w->r, ARRAY_LEN(msrs))];
}

uint16_t world_port(struct world *w)
{
	return ports[below(&w->r, ARRAY_LEN(ports))];
}

uint64_t world_window(struct world *w)
{
	uint64_t at = windows[below(&w->r, ARRAY_LEN(windows))];

	return at + (below(&w->r, 0x400) & (one_in(&w->r, 4) ? ~0u : ~15u));
}

uint16_t world_selector(struct world *w)
{
	return (uint16_t)(below(&w->r, SEL_END / 4) * 4 + below(&w->r, 4));
}

uint64_t world_value(struct world *w)
{
	uint64_t *r = &w->r;

	switch (below(r, 16)) {
	case 0: case 1: case 2:
		return AT_DATA + below(r, DATA_LEN);
	case 3: case 4:
		return AT_STACK + below(r, STACK_LEN / 8) * 8;
	case 5: case 6:
		return AT_CODE + below(r, CODE_LEN);
	case 7:
		return below(r, SEL_END);
	case 8:
		return world_window(w);
	case 9:
		return one_in(r, 2) ? world_port(w) : world_msr(w);
	case 10:
		return below(r, 0x8000);	/* tables */
	case 11: case 12:
		return below(r, one_in(r, 2) ? 4 : 64);
	default:
		return some_integer(r);
	}
}

/* ---- system registers ---- */

static void try_cr(struct world *w, struct cpu *c, unsigned n, uint64_t must,
		   uint64_t may)
{
	for (unsigned tries = 0; tries < 4; tries++)
		if (cr_try_write(c, n, must | (random_next(&w->r) & may)))
			return;
	(void)cr_try_write(c, n, must);
}

/* A write that may raise is left at that. */
static void put_dr(struct cpu *c, unsigned n, uint64_t v)
{
	if (!sigsetjmp(c->on_fault, 0))
		dr_write(c, n, v);
}

static void put_msrs(struct world *w, struct cpu *c)
{
	unsigned n = one_in(&w->r, 4) ? below(&w->r, 24) : 0;

	while (n--) {
		uint32_t msr = world_msr(w);

		if (msr != MSR_EFER)
			(void)msr_try_write(c, msr, world_value(w));
	}
	/* Where SYSCALL and SYSENTER lead. */
	c->star = (uint64_t)(SEL_LONG0 | 0x10ull << 16) << 32;
	c->lstar = AT_CODE + below(&w->r, CODE_LEN);
	c->sysenter_cs = one_in(&w->r, 8) ? world_value(w) : SEL_CODE0;
	c->sysenter_eip = AT_CODE + below(&w->r, CODE_LEN);
	c->sysenter_esp = AT_STACK + STACK_LEN;
}

static void put_control(struct world *w, struct cpu *c)
{
	const uint64_t cr4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE |
			     CR4_MCE | CR4_PGE | CR4_PCE | CR4_UMIP |
			     CR4_FSGSBASE;
	uint64_t must = CR4_OSFXSR | CR4_OSXMMEXCPT, efer = 0;
	uint64_t cr0 = CR0_NE | CR0_MP;

	if (shape_long(w->shape) || w->shape == PAGED_PAE)
		must |= CR4_PAE;
	if (!shape_long(w->shape) && w->shape != PAGED_PAE && one_in(&w->r, 2))
		must |= CR4_PSE;
	try_cr(w, c, 4, must, one_in(&w->r, 2) ? cr4 : 0);
	(void)cr_try_write(c, 4, c->cr4 | CR4_OSXSAVE);
	(void)cr_try_write(c, 3, AT_TOP);
	if (one_in(&w->r, 2))
		efer = EFER_SCE | EFER_NXE;
	if (shape_long(w->shape))
		efer |= EFER_LME;
	(void)msr_try_write(c, MSR_EFER, efer);
	if (shape_protected(w->shape))
		cr0 |= CR0_PE;
	if (shape_paged(w->shape))
		cr0 |= CR0_PG;
	try_cr(w, c, 0, cr0, one_in(&w->r, 4) ? CR0_EM | CR0_TS | CR0_WP |
		CR0_AM | CR0_CD | CR0_NW : CR0_WP | CR0_AM);
	if (shape_paged(w->shape) && one_in(&w->r, 4))
		(void)cr_try_write(c, 4, c->cr4 | CR4_SMEP);
	if (shape_paged(w->shape) && one_in(&w->r, 4))
		(void)cr_try_write(c, 4, c->cr4 | CR4_SMAP);
	if (w->shape == LONG64 && one_in(&w->r, 4))
		(void)cr_try_write(c, 4, c->cr4 | CR4_PCIDE);
	if (feature_has(&c->features, FEAT_XSAVE))
		c->xcr0 = xcr0_allowed(c) & (one_in(&w->r, 8) ? 1 : 7);
}

static void put_debug(struct world *w, struct cpu *c)
{
	if (!one_in(&w->r, 6))
		return;
	for (unsigned n = 0; n < 4; n++)
		put_dr(c, n, world_value(w));
	put_dr(c, 7, random_next(&w->r) & (one_in(&w->r, 8) ? 0xffffffff
							     : 0xffffdfff));
}

/* ---- segments ---- */

static void put_paragraph(struct segment *s, uint16_t selector, uint32_t limit,
			  uint32_t attr)
{
	*s = (struct segment){ selector, attr, limit,
			       (uint64_t)selector << 4 };
}

static uint16_t code_selector(const struct world *w)
{
	switch (w->shape) {
	case LONG64:
		return w->cpl ? SEL_LONG3 : SEL_LONG0;
	case PROT16:
	case COMPAT16:
		return w->cpl ? SEL_CODE16_3 : SEL_CODE16;
	default:
		return w->cpl == 3 ? SEL_CODE3
		       : w->cpl	   ? SEL_CODE1
				   : SEL_CODE0;
	}
}

static uint16_t data_selector(struct world *w)
{
	bool sixteen = w->mode == CODE16 || one_in(&w->r, 16);

	if (w->cpl == 1)
		return SEL_DATA1;
	if (sixteen)
		return w->cpl ? SEL_DATA16_3 : SEL_DATA16;
	return w->cpl ? SEL_DATA3 : SEL_DATA0;
}

/* The loaded copies are right even where the table is spoilt. */
static void put_protected(struct world *w, struct cpu *c)
{
	static const uint32_t code[] = { 0x009b, 0xc09b, 0xa09b };
	for (unsigned s = 0; s < SREG_COUNT; s++) {
		uint16_t selector = s == CS ? code_selector(w)
					    : data_selector(w);
		bool sixteen = selector == SEL_DATA16_3 ||
			       selector == SEL_DATA16;

		c->seg[s].selector = (uint16_t)(selector | w->cpl);
		c->seg[s].attr = (s == CS ? code[w->mode]
				  : sixteen ? 0x0093 : 0xc093) |
				 w->cpl << SEG_DPL_SHIFT;
		c->seg[s].limit = c->seg[s].attr & SEG_G ? ~0u : 0xffff;
		c->seg[s].base = c->seg[s].attr & SEG_G ? 0
				 : s == CS		? AT_CODE
							: AT_STACK;
		if (s != CS && s != SS && one_in(&w->r, 16))
			c->seg[s] = segment_null(0, 0);
	}
}

static void put_paragraphs(struct world *w, struct cpu *c)
{
	bool v86 = w->shape == V86 || w->shape == V86_PAGED;
	uint32_t attr = v86 ? 0xf3 : 0x93;

	for (unsigned s = 0; s < SREG_COUNT; s++) {
		uint16_t selector = s == CS   ? AT_CODE >> 4
				    : s == SS ? AT_STACK >> 4
				    : one_in(&w->r, 4)
					    ? (uint16_t)random_next(&w->r)
					    : AT_DATA >> 4;

		put_paragraph(&c->seg[s], selector,
			      w->shape == UNREAL && s != CS ? ~0u : 0xffff,
			      attr | (s == CS ? SEG_CODE : 0));
	}
	if (v86)
		c->rflags |= FLAG_VM;
}

static void put_segments(struct world *w, struct cpu *c)
{
	c->gdtr = (struct table_register){ AT_GDT, SEL_END - 1 };
	c->idtr = (struct table_register){
		shape_protected(w->shape) ? AT_IDT : 0, 0xfff };
	if (one_in(&w->r, 16))
		c->idtr.limit = (uint16_t)random_next(&w->r);
	if (one_in(&w->r, 32))
		c->idtr.base = world_value(w);
	if (shape_protected(w->shape)) {
		c->tr = (struct segment){ SEL_TSS, 0x8b, 0x1ff, AT_TSS };
		c->ldtr = (struct segment){ SEL_LDT, 0x82, 0x3ff, AT_LDT };
	}
	if (w->shape <= UNREAL || w->shape == V86 || w->shape == V86_PAGED)
		put_paragraphs(w, c);
	else
		put_protected(w, c);
	c->cpl = (uint8_t)w->cpl;
}

/* ---- the rest ---- */

static void put_flags(struct world *w, struct cpu *c)
{
	uint32_t may = FLAGS_ARITH | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT |
		       FLAG_AC | FLAG_ID | FLAG_RF;

	if (one_in(&w->r, 8))
		may |= FLAG_TF;
	if (w->shape == V86 || w->shape == V86_PAGED)
		may |= FLAG_VIF | FLAG_VIP;
	flags_set(c, (uint32_t)(random_next(&w->r) & random_next(&w->r)),
		  may);
}

static void put_vectors(struct world *w, struct cpu *c)
{
	struct x87 *x = &c->x87;

	x->fcw = one_in(&w->r, 2) ? 0x37f
				  : (uint16_t)(random_next(&w->r) & 0xf7f);
	x->fsw = (uint16_t)random_next(&w->r);
	if (x->fsw & ~x->fcw & 0x3f)
		x->fsw |= 0x8080;
	else
		x->fsw &= 0x7f7f;
	x->ftw = (uint8_t)random_next(&w->r);
	x->mxcsr = one_in(&w->r, 2)
			   ? 0x1f80
			   : (uint32_t)random_next(&w->r) & x->mxcsr_mask;
	for (unsigned n = 0; n < 8; n++) {
		store_le64(x->st[n], some_integer(&w->r));
		store_le16(x->st[n] + 8, (uint16_t)some_integer(&w->r));
	}
	for (unsigned n = 0; n < 16; n++)
		for (unsigned k = 0; k < 4; k++)
			c->v[n].q[k] = some_integer(&w->r);
}

static void put_gprs(struct world *w, struct cpu *c)
{
	for (unsigned n = 0; n < 16; n++) {
		c->gpr[n] = world_value(w);
		if (w->mode != CODE64)
			c->gpr[n] = n < 8 ? (uint32_t)c->gpr[n] : 0;
	}
	c->gpr[RSP] = AT_STACK + below(&w->r, STACK_LEN / 8) * 8;
	c->rip = AT_CODE + below(&w->r, CODE_LEN);
	if (w->mode == CODE16) {
		c->gpr[RSP] -= AT_STACK;
		c->rip -= AT_CODE;
	}
}

static enum code_mode mode_of(enum shape s)
{
	switch (s) {
	case LONG64:
		return CODE64;
	case PROT32:
	case PAGED32:
	case PAGED_PAE:
	case COMPAT32:
		return CODE32;
	default:
		return CODE16;
	}
}

static unsigned some_cpl(struct world *w)
{
	switch (w->shape) {
	case REAL:
	case UNREAL:
		return 0;
	case V86:
	case V86_PAGED:
		return 3;
	case PROT16:
	case COMPAT16:
	case LONG64:
		return one_in(&w->r, 2) ? 3 : 0;
	default:
		return one_in(&w->r, 8) ? 1 : one_in(&w->r, 2) ? 3 : 0;
	}
}

void world_make(struct world *w, struct rig *g, uint64_t seed)
{
	w->r = seed;
	do
		w->shape = (enum shape)below(&w->r, SHAPES);
	while ((shape_long(w->shape) &&
		!feature_has(&g->c->features, FEAT_LM)) ||
	       (w->shape == PAGED_PAE &&
		!feature_has(&g->c->features, FEAT_PAE)));
	w->mode = mode_of(w->shape);
	w->cpl = some_cpl(w);
	world_tables(w, g);
	world_code(w, g);
}

void world_enter(struct world *w, struct cpu *c)
{
	put_msrs(w, c);
	put_control(w, c);
	put_segments(w, c);
	put_flags(w, c);
	cpu_derive(c);
	put_debug(w, c);
	put_vectors(w, c);
	put_gprs(w, c);
	c->halted = c->wait_sipi = false;
	cpu_derive(c);
	c->engine->flush(c);	/* what led here went by other ways */
}
