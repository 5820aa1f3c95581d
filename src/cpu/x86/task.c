/* cpu/x86/task.c - hardware task switches, 16 and 32-bit.
 *
 * First everything that can fail in the old task: the new TSS's descriptor is
 * judged, its contents are read, and all that will be written is touched.  Then
 * the old task is saved, the busy and back-link bookkeeping done, and TR,
 * registers and CR3 are those of the new task.  From there on faults belong to
 * the new task: c->insn is cleared so that its EIP is not moved back, and
 * segments not yet loaded have their selectors and cannot be used.
 *
 *            old busy  new busy  back link  NT in old image  NT in new flags
 *   JMP      cleared   set       -          -                as in TSS
 *   CALL     stays     set       set        -                set
 *   IRET     cleared   was set   -          cleared          as in TSS
 *
 * Limits: with a 16-bit TSS the upper halves of the general registers stay as
 * they were, which the manual leaves open.
 *
 * Source: SDM 3A 7.2-7.3 and table 7-1; SDM 3B 17.3.1.5 (T bit).
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/debug.h"
#include "cpu/x86/desc.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/sysreg.h"

#define DR6_BT	  (1u << 15)
#define DR7_LOCAL 0x155u /* L0-L3, LE */
#define ALL_FLAGS (~(uint32_t)FLAG_ONE & 0x3f7fd7)

/* Where a TSS keeps things (SDM 3A figures 7-2, 7-10). */
struct tss_layout {
	uint8_t size;				      /* of registers */
	uint8_t cr3, ip, flags, gpr, sreg, ldt, trap; /* 0: not there */
	uint8_t sregs, sreg_stride;
	uint32_t limit; /* least it must be */
};

static const struct tss_layout layout16 = {
	.size = 2,
	.ip = 0x0e,
	.flags = 0x10,
	.gpr = 0x12,
	.sreg = 0x22,
	.ldt = 0x2a,
	.sregs = 4,
	.sreg_stride = 2,
	.limit = 0x2b,
};

static const struct tss_layout layout32 = {
	.size = 4,
	.cr3 = 0x1c,
	.ip = 0x20,
	.flags = 0x24,
	.gpr = 0x28,
	.sreg = 0x48,
	.ldt = 0x60,
	.trap = 0x64,
	.sregs = 6,
	.sreg_stride = 4,
	.limit = 0x67,
};

struct task_image {
	uint32_t cr3, ip, flags, gpr[8];
	uint16_t sreg[SREG_COUNT], ldt;
	bool trap;
};

static const struct tss_layout *layout_of(const struct segment *tss)
{
	return tss->attr & SYS_32 ? &layout32 : &layout16;
}

static uint32_t tss_get(struct cpu *c, const struct segment *tss, unsigned at,
			unsigned size)
{
	return (uint32_t)mem_read_sys(c, (uint32_t)(tss->base + at), size);
}

static void tss_put(struct cpu *c, const struct segment *tss, unsigned at,
		    uint32_t v, unsigned size)
{
	mem_write_sys(c, (uint32_t)(tss->base + at), v, size);
}

static void read_image(struct cpu *c, const struct segment *tss,
		       struct task_image *t)
{
	const struct tss_layout *l = layout_of(tss);

	*t = (struct task_image){.ip = tss_get(c, tss, l->ip, l->size)};
	t->flags = tss_get(c, tss, l->flags, l->size);
	for (unsigned i = 0; i < 8; i++)
		t->gpr[i] = tss_get(c, tss, l->gpr + i * l->size, l->size);
	for (unsigned i = 0; i < l->sregs; i++)
		t->sreg[i] = (uint16_t)tss_get(c, tss,
					       l->sreg + i * l->sreg_stride, 2);
	t->ldt = (uint16_t)tss_get(c, tss, l->ldt, 2);
	if (l->cr3)
		t->cr3 = tss_get(c, tss, l->cr3, 4);
	if (l->trap)
		t->trap = tss_get(c, tss, l->trap, 2) & 1;
}

/* The outgoing task's registers into its TSS. */
static void save_image(struct cpu *c, uint32_t flags)
{
	const struct tss_layout *l = layout_of(&c->tr);

	tss_put(c, &c->tr, l->ip, (uint32_t)c->rip, l->size);
	tss_put(c, &c->tr, l->flags, flags, l->size);
	for (unsigned i = 0; i < 8; i++)
		tss_put(c, &c->tr, l->gpr + i * l->size, (uint32_t)c->gpr[i],
			l->size);
	for (unsigned i = 0; i < l->sregs; i++)
		tss_put(c, &c->tr, l->sreg + i * l->sreg_stride,
			c->seg[i].selector, 2);
}

/* The incoming TSS's descriptor, judged. */
static void find_tss(struct cpu *c, uint16_t selector, enum task_switch how,
		     struct desc *d)
{
	bool back = how == TASK_IRET;
	enum vector wrong = back ? VEC_TS : VEC_GP;
	unsigned type;

	if (selector & 4 || selector_null(selector) ||
	    !desc_read(c, selector, d))
		fault_selector(c, wrong, selector);
	type = desc_type(d) & ~SYS_32;
	if (desc_memory(d) || type != (back ? SYS_TSS16_BUSY : SYS_TSS16))
		fault_selector(c, wrong, selector);
	if (!desc_present(d))
		fault_selector(c, VEC_NP, selector);
}

/* Make sure writing the descriptor's type byte will not fault. */
static void touch_type(struct cpu *c, struct desc *d)
{
	desc_set_type(c, d, desc_type(d));
}

/* Segments the new task may not use until they have been loaded. */
static void set_selectors(struct cpu *c, const struct task_image *t)
{
	unsigned cpl = t->sreg[CS] & 3;

	for (unsigned i = 0; i < SREG_COUNT; i++)
		c->seg[i] = segment_null(t->sreg[i], cpl);
	c->ldtr = segment_null(t->ldt, 0);
	cpu_derive(c);
}

static void load_code(struct cpu *c, uint16_t selector)
{
	unsigned rpl = selector & 3;
	struct segment cs;
	struct desc d;

	if (selector_null(selector) || !desc_read(c, selector, &d) ||
	    !desc_code(&d) ||
	    (desc_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl))
		fault_selector(c, VEC_TS, selector);
	if (!desc_present(&d))
		fault_selector(c, VEC_NP, selector);
	desc_touch(c, &d);
	cs = desc_segment(&d, selector);
	c->seg[CS] = cs;
	cpu_derive(c);
}

static void load_segments(struct cpu *c, const struct task_image *t)
{
	static const enum sreg data[] = {ES, DS, FS, GS};
	struct segment g;

	seg_check_ldt(c, t->ldt, VEC_TS, VEC_TS, &g);
	c->ldtr = g;
	if (cpu_v86(c)) {
		for (unsigned i = 0; i < SREG_COUNT; i++)
			seg_load_real(c, (enum sreg)i, t->sreg[i]);
		cpu_derive(c);
		return;
	}
	load_code(c, t->sreg[CS]);
	if (selector_null(t->sreg[SS]))
		fault_selector(c, VEC_TS, t->sreg[SS]);
	seg_check_stack(c, t->sreg[SS], c->cpl, VEC_TS, &g);
	c->seg[SS] = g;
	cpu_derive(c);
	for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
		seg_check_data(c, t->sreg[data[i]], VEC_TS, &g);
		c->seg[data[i]] = g;
		seg_derive(c, data[i]);
	}
}

/* Registers and address space of the new task; its CR3 may be refused. */
static void load_registers(struct cpu *c, const struct task_image *t,
			   unsigned size)
{
	c->rip = t->ip;
	for (unsigned i = 0; i < 8; i++)
		c->gpr[i] = size == 4 ? t->gpr[i]
				      : (c->gpr[i] & ~0xffffull) | t->gpr[i];
	flags_set(c, t->flags, ALL_FLAGS);
	c->cr0 |= CR0_TS;
	if (c->dr7 & DR7_LOCAL) {
		c->dr7 &= ~(uint64_t)DR7_LOCAL;
		debug_points_changed(c);
	}
	set_selectors(c, t);
	if (size == 4 && c->cr0 & CR0_PG)
		cr_write(c, 3, t->cr3);
}

static void leave_old(struct cpu *c, enum task_switch how)
{
	uint32_t flags = flags_get(c);
	struct desc old;

	if (how == TASK_IRET)
		flags &= ~FLAG_NT;
	save_image(c, flags);
	if ((how == TASK_JMP || how == TASK_IRET) &&
	    desc_read(c, c->tr.selector, &old))
		desc_set_type(c, &old, desc_type(&old) & ~SYS_BUSY);
}

void task_switch(struct cpu *c, uint16_t selector, enum task_switch how,
		 bool has_code, uint32_t code)
{
	bool nested = how == TASK_CALL || how == TASK_GATE;
	struct task_image t;
	struct segment tss;
	struct desc d;
	unsigned size;

	find_tss(c, selector, how, &d);
	tss = desc_segment(&d, selector);
	size = layout_of(&tss)->size;
	if (tss.limit < layout_of(&tss)->limit)
		fault_selector(c, VEC_TS, selector);
	read_image(c, &tss, &t);
	touch_type(c, &d);
	if (nested)
		tss_put(c, &tss, 0, c->tr.selector, 2);
	leave_old(c, how);

	desc_set_type(c, &d, desc_type(&d) | SYS_BUSY);
	tss.attr |= SYS_BUSY;
	c->tr = tss;
	c->insn = NULL;
	if (nested)
		t.flags |= FLAG_NT;
	load_registers(c, &t, size);
	load_segments(c, &t);
	if (t.trap)
		c->pending_dr6 |= DR6_BT;
	c->stop_block = 1;
	if (has_code)
		stack_push(c, code, size);
	code_check_ip(c, &c->seg[CS], c->rip);
}
