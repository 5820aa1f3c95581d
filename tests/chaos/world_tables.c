/* world_tables.c - what the processor of a world reads by itself: descriptor
 * tables, gates, task states, page tables; mostly right, here and there wrong.
 *
 * Pages map to themselves as far as there is RAM; the rest leads to register
 * windows, holes and tables seen once more.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../oracle/random.h"
#include "world.h"

#define P	0x01u
#define RW	0x02u
#define US	0x04u
#define PS	0x80u
#define G	0x100u
#define NX	(1ull << 63)

static const uint64_t frames[] = {
	0xfee00000, 0xfec00000, 0xfed00000, 0xff000000, 0xfffff000, 0xa0000,
	0xc0000000, 0xc0001000, 0xe0000, 0xf0000, 0x100000000, 0xffffff000,
	AT_GDT, AT_IDT, AT_TOP, AT_PD, AT_PT, AT_CODE, AT_STACK, AT_DATA,
};

/* ---- descriptors ---- */

static void put_desc(uint8_t *at, uint32_t base, uint32_t limit, uint32_t attr)
{
	store_le32(at, (limit & 0xffff) | base << 16);
	store_le32(at + 4, (base >> 16 & 0xff) | attr << 8 |
				   (limit & 0xf0000) | (base & 0xff000000));
}

static void put_gate(uint8_t *at, unsigned attr, uint16_t selector,
		     uint64_t offset, unsigned low)
{
	store_le32(at, (uint32_t)((offset & 0xffff) |
				  (uint32_t)selector << 16));
	store_le32(at + 4, (uint32_t)((offset & 0xffff0000) | attr << 8 | low));
}

/* Spoil a byte of one table entry in so many. */
static void spoil(struct world *w, uint8_t *at, unsigned len, unsigned entry,
		  unsigned one_of)
{
	for (unsigned n = 0; n < len; n += entry)
		if (one_in(&w->r, one_of))
			at[n + below(&w->r, entry)] = (uint8_t)random_next(&w->r);
}

static void put_gdt(struct world *w, uint8_t *gdt)
{
	static const struct {
		uint16_t selector;
		uint32_t base, limit, attr;
	} rows[] = {
		{ SEL_CODE0, 0, 0xfffff, 0xc09b },
		{ SEL_DATA0, 0, 0xfffff, 0xc093 },
		{ SEL_CODE3, 0, 0xfffff, 0xc0fb },
		{ SEL_DATA3, 0, 0xfffff, 0xc0f3 },
		{ SEL_LONG0, 0, 0xfffff, 0xa09b },
		{ SEL_LONG3, 0, 0xfffff, 0xa0fb },
		{ SEL_CODE16, AT_CODE, 0xffff, 0x009b },
		{ SEL_DATA16, AT_STACK, 0xffff, 0x0093 },
		{ SEL_LDT, AT_LDT, 0x3ff, 0x82 },
		{ SEL_TSS_16, AT_TSS_16, 0x2b, 0x81 },
		{ SEL_CODE1, 0, 0xfffff, 0xc0bb },
		{ SEL_DATA1, 0, 0xfffff, 0xc0b3 },
		{ SEL_CODE16_3, AT_CODE, 0xffff, 0x00fb },
		{ SEL_DATA16_3, AT_STACK, 0xffff, 0x00f3 },
	};
	uint16_t to = shape_long(w->shape) ? SEL_LONG0 : SEL_CODE0;

	for (unsigned n = SEL_RANDOM; n < 0x400; n += 8)
		store_le64(gdt + n, random_next(&w->r));
	for (unsigned n = 0; n < ARRAY_LEN(rows); n++)
		put_desc(gdt + rows[n].selector, rows[n].base, rows[n].limit,
			 rows[n].attr);
	/* The busy bit is what LTR would have left. */
	put_desc(gdt + SEL_TSS, AT_TSS, 0x1ff, 0x8b);
	put_desc(gdt + SEL_TSS_B, AT_TSS_B, 0x1ff, 0x89);
	put_gate(gdt + SEL_GATE, 0xec, to, AT_CODE + below(&w->r, CODE_LEN),
		 below(&w->r, 32));
	put_gate(gdt + SEL_TASK_GATE, 0xe5, SEL_TSS_B, 0, 0);
	spoil(w, gdt, SEL_RANDOM, 8, 24);
}

static void put_ldt(struct world *w, uint8_t *ldt)
{
	for (unsigned n = 0; n < 0x400; n += 8)
		if (one_in(&w->r, 2))
			store_le64(ldt + n, random_next(&w->r));
		else
			put_desc(ldt + n, (uint32_t)world_value(w),
				 (uint32_t)random_next(&w->r) & 0xfffff,
				 0x80 | ((uint32_t)random_next(&w->r) &
					 0xd07f));
}

/* ---- gates ---- */

static bool pushes_code(unsigned vector)
{
	return vector == 8 || vector == 17 || (vector >= 10 && vector <= 14);
}

static uint32_t some_handler(struct world *w, enum code_mode mode,
			     bool with_code)
{
	if (one_in(&w->r, 8))
		return AT_CODE + below(&w->r, CODE_LEN);
	if (one_in(&w->r, 4))
		return handler_at(mode, JUMP_AWAY);
	if (one_in(&w->r, 8))
		return handler_at(mode, RETURN);
	return handler_at(mode, with_code ? SKIP_WITH_CODE : SKIP_SOME);
}

static void put_idt(struct world *w, uint8_t *idt)
{
	static const uint8_t attrs[] = { 0x8e, 0xee, 0x8f, 0xef, 0x86, 0xe5 };
	bool wide = shape_long(w->shape);
	unsigned size = wide ? 16 : 8;

	for (unsigned v = 0; v < 256; v++) {
		enum code_mode mode = wide ? CODE64 : CODE32;
		unsigned attr = attrs[below(&w->r, one_in(&w->r, 8) ? 6 : 4)];
		uint16_t selector = wide ? SEL_LONG0 : SEL_CODE0;

		if (attr == 0xe5)
			selector = SEL_TSS_B;
		put_gate(idt + v * size, attr, selector,
			 some_handler(w, mode, pushes_code(v)),
			 wide && one_in(&w->r, 4) ? below(&w->r, 8) : 0);
		if (wide)
			store_le64(idt + v * size + 8, 0);
	}
	spoil(w, idt, 256 * size, size, 64);
}

static void put_ivt(struct world *w, uint8_t *ivt)
{
	for (unsigned v = 0; v < 256; v++) {
		uint32_t to = some_handler(w, CODE16, false);

		store_le16(ivt + 4 * v, (uint16_t)(to - (AT_CODE & ~0xffff)));
		store_le16(ivt + 4 * v + 2, AT_CODE >> 4);
	}
	spoil(w, ivt, 1024, 4, 64);
}

/* ---- task states ---- */

static void put_tss32(struct world *w, uint8_t *t)
{
	static const uint16_t data[] = { SEL_DATA0, SEL_DATA3, SEL_CODE0,
					 SEL_DATA16 };

	for (unsigned n = 0; n < 3; n++) {
		store_le32(t + 4 + 8 * n, AT_STACK + 0x1000 * (n + 1));
		store_le32(t + 8 + 8 * n, n == 1 ? SEL_DATA1 | 1 : SEL_DATA0);
	}
	store_le32(t + 0x1c, AT_TOP);
	store_le32(t + 0x20, AT_CODE + below(&w->r, CODE_LEN));
	store_le32(t + 0x24, (uint32_t)random_next(&w->r) & 0x3fffff);
	for (unsigned n = 0x28; n < 0x48; n += 4)
		store_le32(t + n, (uint32_t)world_value(w));
	for (unsigned n = 0x48; n < 0x60; n += 4)
		store_le32(t + n, data[below(&w->r, ARRAY_LEN(data))]);
	store_le32(t + 0x4c, SEL_CODE0);
	store_le32(t + 0x50, SEL_DATA0);
	store_le32(t + 0x60, one_in(&w->r, 4) ? SEL_LDT : 0);
}

static void put_tss(struct world *w, uint8_t *t)
{
	if (shape_long(w->shape)) {
		for (unsigned n = 4; n < 0x5c; n += 8)
			store_le64(t + n, AT_STACK + STACK_LEN -
						  below(&w->r, 16) * 64);
	} else {
		put_tss32(w, t);
	}
	store_le32(t + 0x64, one_in(&w->r, 8) ? 1 : 0);
	store_le16(t + 0x66, one_in(&w->r, 4) ? 0x1fe : 0x88);
	for (unsigned n = 0x68; n < 0x200; n++)
		t[n] = (uint8_t)(random_next(&w->r) & random_next(&w->r));
	spoil(w, t, 0x68, 8, 16);
}

static void put_tss16(struct world *w, uint8_t *t)
{
	for (unsigned n = 0; n < 0x2c; n += 2)
		store_le16(t + n, (uint16_t)world_value(w));
	store_le16(t + 4, SEL_DATA0);
	store_le16(t + 0x24, SEL_CODE16);	/* 22h: CS comes after ES */
	store_le16(t + 0x26, SEL_DATA16);
}

/* ---- page tables ---- */

static uint64_t some_flags(struct world *w, unsigned wrong_one_of)
{
	uint64_t v = P | RW | US;

	if (!one_in(&w->r, wrong_one_of))
		return v;
	switch (below(&w->r, 6)) {
	case 0:	 return v & ~(uint64_t)P;
	case 1:	 return v & ~(uint64_t)RW;
	case 2:	 return v & ~(uint64_t)US;
	case 3:	 return v | NX;
	case 4:	 return v | (random_next(&w->r) & 0xff8);
	default: return v | random_next(&w->r) << below(&w->r, 63);
	}
}

static void put_entry(uint8_t *table, unsigned n, uint64_t v, unsigned size)
{
	if (size == 8)
		store_le64(table + 8 * n, v);
	else
		store_le32(table + 4 * n, (uint32_t)v);
}

static void put_pages(struct world *w, uint8_t *ram, unsigned size)
{
	for (unsigned n = 0; n < 0x2000 / size; n++) {
		uint64_t frame = (uint64_t)n << 12;
		bool vital = frame < AT_DATA;

		if (frame >= RIG_RAM || one_in(&w->r, vital ? 2048 : 64))
			frame = frames[below(&w->r, ARRAY_LEN(frames))];
		put_entry(ram + AT_PT, n,
			  frame | some_flags(w, vital ? 512 : 8), size);
	}
}

static void put_directory(struct world *w, uint8_t *pd, unsigned size)
{
	for (unsigned n = 0; n < 0x1000 / size; n++) {
		uint64_t v = AT_PT + (size == 8 ? (n & 1) << 12 : 0);

		if (n > 1 && one_in(&w->r, 2))
			v = frames[below(&w->r, ARRAY_LEN(frames))] |
			    (one_in(&w->r, 2) ? PS : 0);
		if (n > 1 && one_in(&w->r, 4))
			v = ((uint64_t)n << (size == 8 ? 21 : 22)) | PS | G;
		put_entry(pd, n, v | (n ? some_flags(w, 16) : P | RW | US), size);
	}
}

static void put_upper(struct world *w, uint8_t *table, uint64_t below_it)
{
	for (unsigned n = 0; n < 512; n++) {
		uint64_t v = below_it;

		if (n && one_in(&w->r, 2))
			v = frames[below(&w->r, ARRAY_LEN(frames))] |
			    (one_in(&w->r, 4) ? PS : 0);
		put_entry(table, n, v | (n ? some_flags(w, 16) : P | RW | US), 8);
	}
}

/* CR3 is AT_TOP in every shape. */
static void put_paging(struct world *w, uint8_t *ram)
{
	if (shape_long(w->shape)) {
		put_upper(w, ram + AT_TOP, AT_PDPT);
		put_upper(w, ram + AT_PDPT, AT_PD);
		put_directory(w, ram + AT_PD, 8);
		put_pages(w, ram, 8);
	} else if (w->shape == PAGED_PAE) {
		for (unsigned n = 0; n < 4; n++)
			put_entry(ram + AT_TOP, n,
				  one_in(&w->r, 8) && n ? 0 : AT_PD | P, 8);
		put_directory(w, ram + AT_PD, 8);
		put_pages(w, ram, 8);
	} else {
		put_directory(w, ram + AT_TOP, 4);
		put_pages(w, ram, 4);
	}
}

/* Values, far pointers, and at the start of every other page an image for
 * FXRSTOR and XRSTOR that is nearly right. */
static void put_data(struct world *w, uint8_t *data)
{
	for (unsigned n = 0; n < DATA_LEN; n += 8) {
		uint64_t v = world_value(w);

		if (one_in(&w->r, 4))
			v = (AT_CODE + below(&w->r, CODE_LEN)) |
			    (uint64_t)world_selector(w) << 32;
		store_le64(data + n, v);
	}
	for (unsigned n = 0; n < DATA_LEN; n += 0x2000) {
		uint64_t compact = one_in(&w->r, 2) ? 7 | 1ull << 63 : 0;

		store_le32(data + n + 24, 0x1f80);
		memset(data + n + 512, 0, 64);
		store_le64(data + n + 512, below(&w->r, 8));
		store_le64(data + n + 520, compact);
	}
}

void world_tables(struct world *w, struct rig *g)
{
	if (shape_protected(w->shape)) {
		put_gdt(w, g->ram + AT_GDT);
		put_ldt(w, g->ram + AT_LDT);
		put_idt(w, g->ram + AT_IDT);
		put_tss(w, g->ram + AT_TSS);
		put_tss(w, g->ram + AT_TSS_B);
		put_tss16(w, g->ram + AT_TSS_16);
		put_paging(w, g->ram);
	}
	if (w->shape <= UNREAL || w->shape == V86 || w->shape == V86_PAGED)
		put_ivt(w, g->ram);
	/* A stack that returns somewhere. */
	for (unsigned n = 0; n < STACK_LEN; n += 8) {
		uint64_t v = world_value(w);

		if (one_in(&w->r, 3))
			v = world_selector(w);
		if (one_in(&w->r, 3))
			v = AT_CODE + below(&w->r, CODE_LEN);
		if (w->mode != CODE64 && one_in(&w->r, 2))
			v |= (uint64_t)world_selector(w) << 32;
		store_le64(g->ram + AT_STACK + n, v);
	}
	put_data(w, g->ram + AT_DATA);
}
