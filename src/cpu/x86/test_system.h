/* cpu/x86/test_system.h - descriptor tables, task states and stacks in a test
 * vCPU's memory, in every mode, for tests of what walks them.
 *
 *   struct test_cpu *t = system_new();      32-bit protected mode, ring 0
 *   in_ring(t, 3); ... far_call(t->c, GATE, 0, 4); ...
 *   test_cpu_free(t);
 *
 * Paging is off throughout, also in "long mode": only EFER.LMA is set.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_TEST_SYSTEM_H
#define CPU_X86_TEST_SYSTEM_H
#include "cpu/x86/desc.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/sysreg.h"
#include "cpu/x86/test_cpu.h"

/* The least that task switches and LMSW need, where creg.c is not linked. */
WEAK void cr_write(struct cpu *c, unsigned n, uint64_t v)
{
	if (n == 3)
		c->cr3 = v;
	else
		c->cr0 = v;
}

/* Where things are, linear = physical. */
enum {
	AT_IVT = 0, AT_GDT = 0x1000, AT_LDT = 0x1800, AT_IDT = 0x2000,
	AT_TSS = 0x3000, AT_TSS_B = 0x3400, AT_TSS_16 = 0x3800,
	AT_CODE = 0x10000, AT_STACK0 = 0x20000, AT_STACK1 = 0x21000,
	AT_STACK3 = 0x22000, AT_IST = 0x23000, AT_STACK_B = 0x24000,
};

/* Selectors, RPL 0. */
enum {
	CODE_0 = 0x08, DATA_0 = 0x10, CODE_3 = 0x18, DATA_3 = 0x20,
	TSS_A = 0x28,		/* 16 bytes in long mode */
	CODE64_0 = 0x38, CODE64_3 = 0x40, CONFORMING = 0x48,
	EXEC_ONLY = 0x50, READ_ONLY = 0x58, DOWN = 0x60, ABSENT_DATA = 0x68,
	LDT_SEL = 0x70,		/* 16 bytes */
	GATE = 0x80,		/* 16 bytes: tests fill it in */
	TSS_B_SEL = 0x90, TSS_16_SEL = 0x98, TASK_GATE_SEL = 0xa0,
	CODE_1 = 0xa8, DATA_1 = 0xb0, ABSENT_CODE = 0xb8, CODE16_0 = 0xc0,
	DATA16_0 = 0xc8, SMALL_CODE = 0xd0, LD_CODE = 0xd8, ABSENT_LDT = 0xe0,
	SPARE = 0xf0, GDT_END = 0x100,
	LOCAL_DATA = 0x04,	/* entry 0 of the LDT */
};

/* Attributes as in struct segment. */
#define CODE_ATTR(dpl)	(0x9bu | (dpl) << 5)
#define DATA_ATTR(dpl)	(0x93u | (dpl) << 5)
#define FLAT32		(SEG_G | SEG_DB)

static inline void poke(struct test_cpu *t, uint64_t at, uint64_t v,
			unsigned size)
{
	memcpy(t->ram + at, &v, size);
}

static inline uint64_t peek(struct test_cpu *t, uint64_t at, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, t->ram + at, size);
	return v;
}

/* limit is the raw 20-bit field. */
static inline void put_desc(struct test_cpu *t, uint64_t at, uint32_t base,
			    uint32_t limit, uint32_t attr)
{
	poke(t, at, (limit & 0xffff) | base << 16, 4);
	poke(t, at + 4,
	     (base >> 16 & 0xff) | attr << 8 | (limit & 0xf0000) |
	     (base & 0xff000000), 4);
}

static inline void put_gate(struct test_cpu *t, uint64_t at, unsigned attr,
			    uint16_t selector, uint64_t offset, unsigned low)
{
	poke(t, at, (offset & 0xffff) | (uint32_t)selector << 16, 4);
	poke(t, at + 4, (offset & 0xffff0000) | attr << 8 | low, 4);
}

/* An interrupt gate as the mode has it; attr like 0x8e. */
static inline void put_idt(struct test_cpu *t, uint8_t vector, unsigned attr,
			   uint16_t selector, uint64_t offset, unsigned low)
{
	bool wide = cpu_long_mode(t->c);
	uint64_t at = AT_IDT + vector * (wide ? 16u : 8u);

	put_gate(t, at, attr, selector, offset, low);
	if (wide)
		poke(t, at + 8, offset >> 32, 8);
}

static inline void put_gdt(struct test_cpu *t)
{
	static const struct {
		uint16_t selector;
		uint32_t base, limit, attr;
	} rows[] = {
		{ CODE_0, 0, 0xfffff, FLAT32 | CODE_ATTR(0) },
		{ DATA_0, 0, 0xfffff, FLAT32 | DATA_ATTR(0) },
		{ CODE_3, 0, 0xfffff, FLAT32 | CODE_ATTR(3) },
		{ DATA_3, 0, 0xfffff, FLAT32 | DATA_ATTR(3) },
		{ TSS_A, AT_TSS, 0xff, 0x8b },
		{ CODE64_0, 0, 0xfffff, SEG_G | SEG_L | CODE_ATTR(0) },
		{ CODE64_3, 0, 0xfffff, SEG_G | SEG_L | CODE_ATTR(3) },
		{ CONFORMING, 0, 0xfffff, FLAT32 | 0x9e },
		{ EXEC_ONLY, AT_CODE, 0xfff, SEG_DB | 0x98 },
		{ READ_ONLY, AT_CODE, 0xfff, SEG_DB | 0xf0 },
		{ DOWN, AT_CODE, 0xfff, SEG_DB | 0x96 },
		{ ABSENT_DATA, 0, 0xfffff, FLAT32 | 0x12 },
		{ LDT_SEL, AT_LDT, 0xff, 0x82 },
		{ TSS_B_SEL, AT_TSS_B, 0x67, 0x89 },
		{ TSS_16_SEL, AT_TSS_16, 0x2b, 0x81 },
		{ CODE_1, 0, 0xfffff, FLAT32 | CODE_ATTR(1) },
		{ DATA_1, 0, 0xfffff, FLAT32 | DATA_ATTR(1) },
		{ ABSENT_CODE, 0, 0xfffff, FLAT32 | 0x1a },
		{ CODE16_0, AT_CODE, 0xffff, 0x9a },
		{ DATA16_0, AT_STACK0, 0xffff, 0x92 },
		{ SMALL_CODE, 0, 0xff, SEG_DB | 0x9a },
		{ LD_CODE, 0, 0xfffff, SEG_L | FLAT32 | CODE_ATTR(0) },
		{ ABSENT_LDT, AT_LDT, 0xff, 0x02 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		put_desc(t, AT_GDT + rows[i].selector, rows[i].base,
			 rows[i].limit, rows[i].attr);
	put_gate(t, AT_GDT + TASK_GATE_SEL, 0xe5, TSS_B_SEL, 0, 0);
	put_desc(t, AT_LDT, 0, 0xfffff, FLAT32 | DATA_ATTR(0));
}

/* Load all registers from table entries as if long ago, at this ring. */
static inline void in_segments(struct test_cpu *t, uint16_t cs, uint16_t data,
			       unsigned ring)
{
	struct cpu *c = t->c;
	struct desc d;

	for (unsigned s = 0; s < SREG_COUNT; s++) {
		uint16_t selector = s == CS ? cs : data;

		d.at = AT_GDT + selector;
		d.lo = (uint32_t)peek(t, d.at, 4);
		d.hi = (uint32_t)peek(t, d.at + 4, 4);
		d.top = 0;
		c->seg[s] = desc_segment(&d, selector | ring);
	}
	c->gpr[RSP] = ring == 3 ? AT_STACK3 + 0x800 : AT_STACK0 + 0x800;
	c->rip = AT_CODE;
	cpu_derive(c);
}

/* 32-bit (or, in long mode, 64-bit) code in this ring: 0, 1 or 3. */
static inline void in_ring(struct test_cpu *t, unsigned ring)
{
	bool wide = cpu_long_mode(t->c);

	if (ring == 1)
		in_segments(t, CODE_1, DATA_1, 1);
	else if (ring == 3)
		in_segments(t, wide ? CODE64_3 : CODE_3, DATA_3, 3);
	else
		in_segments(t, wide ? CODE64_0 : CODE_0, DATA_0, 0);
}

static inline struct test_cpu *system_new(void)
{
	struct test_cpu *t = test_cpu_new();
	struct cpu *c = t->c;

	put_gdt(t);
	c->cr0 |= CR0_PE;
	c->gdtr = (struct table_register){ AT_GDT, GDT_END - 1 };
	c->idtr = (struct table_register){ AT_IDT, 0x7ff };
	c->tr = (struct segment){ TSS_A, 0x8b, 0xff, AT_TSS };
	c->ldtr = (struct segment){ LDT_SEL, 0x82, 0xff, AT_LDT };
	poke(t, AT_TSS + 4, AT_STACK0 + 0x400, 4);
	poke(t, AT_TSS + 8, DATA_0, 2);
	poke(t, AT_TSS + 12, AT_STACK1 + 0x400, 4);
	poke(t, AT_TSS + 16, DATA_1 | 1, 2);
	poke(t, AT_TSS + 0x66, 0x100, 2);
	in_ring(t, 0);
	return t;
}

/* 64-bit code in ring 0, with RSP0 and IST1 in the TSS. */
static inline struct test_cpu *system_new_long(void)
{
	struct test_cpu *t = system_new();

	t->c->efer |= EFER_LME | EFER_LMA | EFER_SCE;
	t->c->idtr.limit = 0xfff;
	poke(t, AT_TSS + 4, AT_STACK0 + 0x408, 8);
	poke(t, AT_TSS + 36, AT_IST + 0x400, 8);
	in_ring(t, 0);
	return t;
}

/* A virtual-8086 program at 1000h:0100h, stack 2200h:0800h. */
static inline void in_v86(struct test_cpu *t, unsigned iopl)
{
	static const uint16_t selector[SREG_COUNT] = {
		0x1111, 0x1000, 0x2200, 0x2222, 0x3333, 0x4444,
	};
	struct cpu *c = t->c;

	flags_set(c, FLAG_VM | iopl << 12, FLAG_VM | FLAG_IOPL);
	for (unsigned s = 0; s < SREG_COUNT; s++)
		seg_load_real(c, (enum sreg)s, selector[s]);
	c->rip = 0x100;
	c->gpr[RSP] = 0x800;
	cpu_derive(c);
}

static inline void in_real(struct test_cpu *t)
{
	struct cpu *c = t->c;

	c->cr0 &= ~(uint64_t)CR0_PE;
	for (unsigned s = 0; s < SREG_COUNT; s++) {
		c->seg[s] = (struct segment){ .attr = 0x93, .limit = 0xffff };
		seg_load_real(c, (enum sreg)s, 0x1000);
	}
	c->idtr = (struct table_register){ AT_IVT, 0x3ff };
	c->rip = 0x100;
	c->gpr[RSP] = 0x8000;
	cpu_derive(c);
}

/* What a faulting statement must leave as it was. */
struct registers {
	uint64_t rip, rsp;
	uint32_t flags;
	struct segment seg[SREG_COUNT], ldtr, tr;
	struct reach reach[SREG_COUNT];
	uint8_t cpl, mode;
};

static inline struct registers registers(const struct test_cpu *t)
{
	const struct cpu *c = t->c;
	struct registers r;

	memset(&r, 0, sizeof(r));
	r.rip = c->rip;
	r.rsp = c->gpr[RSP];
	r.flags = flags_get(c);
	memcpy(r.seg, c->seg, sizeof(r.seg));
	memcpy(r.reach, c->reach, sizeof(r.reach));
	r.ldtr = c->ldtr;
	r.tr = c->tr;
	r.cpl = c->cpl;
	r.mode = c->mode;
	return r;
}

/* The statement raises exactly this and changes nothing of the above. */
#define ASSERT_REFUSED(t, vec, error, statement)                              \
	do {                                                                  \
		struct registers before_ = registers(t), after_;              \
									      \
		ASSERT_FAULT(t, vec, error, statement);                       \
		after_ = registers(t);                                        \
		assert_memory_equal(&before_, &after_, sizeof(before_));      \
	} while (0)

/* Whoever loaded segments has derived what follows from them. */
static inline void assert_derived(const struct test_cpu *t)
{
	struct cpu *c = t->c;
	struct reach was[SREG_COUNT];

	memcpy(was, c->reach, sizeof(was));
	for (unsigned s = 0; s < SREG_COUNT; s++)
		seg_derive(c, (enum sreg)s);
	if (c->mode != CODE64)
		assert_memory_equal(was, c->reach, sizeof(was));
}

#define ASSERT_AT(t, selector_, rip_)                                         \
	do {                                                                  \
		assert_int_equal((t)->c->seg[CS].selector, selector_);        \
		assert_int_equal((t)->c->rip, rip_);                          \
		assert_derived(t);                                            \
	} while (0)

#endif
