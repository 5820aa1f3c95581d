/* world.h - one random state of a processor and the memory it finds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORLD_H
#define WORLD_H
#include "rig.h"

enum shape {
	REAL, UNREAL,		/* unreal: with a limit of 4 GiB */
	PROT16, PROT32, PAGED32, PAGED_PAE, V86, V86_PAGED,
	LONG64, COMPAT32, COMPAT16,
	SHAPES
};

extern const char *const shape_names[SHAPES];

struct world {
	enum shape shape;
	unsigned cpl;
	enum code_mode mode;
	uint64_t r;		/* random.h */
};

/* Choose a shape and fill the rig's memory, which was reset before.  Depends on
 * seed and the processors' features alone. */
void world_make(struct world *w, struct rig *g, uint64_t seed);
/* Put one processor into it, the same shape each time. */
void world_enter(struct world *w, struct cpu *c);

/* world_code.c: instructions from AT_CODE on, and the handlers. */
void world_code(struct world *w, struct rig *g);
/* world_snippets.c: some instructions that go together; at most SNIPPET_MAX
 * bytes. */
#define SNIPPET_MAX 64
unsigned world_snippet(struct world *w, uint8_t *at);
/* world_tables.c: descriptors, gates, task states, page tables. */
void world_tables(struct world *w, struct rig *g);

/* What may stand in a register: an address of something, a selector, a port,
 * the number of an MSR, or any integer. */
uint64_t world_value(struct world *w);
uint32_t world_msr(struct world *w);
uint16_t world_port(struct world *w);
uint64_t world_window(struct world *w);
uint16_t world_selector(struct world *w);

/* Guest-physical places; linear ones too, as far as mapped. */
enum {
	AT_GDT = 0x1000, AT_LDT = 0x1400,
	AT_TSS = 0x1800, AT_TSS_B = 0x1a00, AT_TSS_16 = 0x1c00,
	AT_IDT = 0x2000, AT_TOP = 0x4000, AT_PDPT = 0x5000, AT_PD = 0x6000,
	AT_PT = 0x7000,		/* two pages */
	AT_CODE = 0x10000, CODE_LEN = 0x4000,
	AT_HANDLERS = 0x14000,
	AT_STACK = 0x18000, STACK_LEN = 0x4000,
	AT_DATA = 0x20000, DATA_LEN = 0x10000,
};

/* Selectors, RPL 0. */
enum {
	SEL_CODE0 = 0x08, SEL_DATA0 = 0x10, SEL_CODE3 = 0x18, SEL_DATA3 = 0x20,
	SEL_TSS = 0x28,		/* 16 bytes in long mode */
	SEL_LONG0 = 0x38, SEL_LONG3 = 0x40, SEL_CODE16 = 0x48,
	SEL_DATA16 = 0x50,
	SEL_LDT = 0x58,		/* 16 bytes in long mode */
	SEL_GATE = 0x68,	/* likewise */
	SEL_TSS_B = 0x78,	/* likewise */
	SEL_TSS_16 = 0x88, SEL_TASK_GATE = 0x90, SEL_CODE1 = 0x98,
	SEL_DATA1 = 0xa0, SEL_CODE16_3 = 0xa8, SEL_DATA16_3 = 0xb0,
	SEL_RANDOM = 0xb8,	/* from here on anything */
	SEL_END = 0x100,
};

static inline bool shape_long(enum shape s)
{
	return s >= LONG64;
}

static inline bool shape_paged(enum shape s)
{
	return s == PAGED32 || s == PAGED_PAE || s == V86_PAGED ||
	       shape_long(s);
}

static inline bool shape_protected(enum shape s)
{
	return s > UNREAL;
}

/* Handlers: one of each kind per code size, HANDLER_LEN apart. */
enum handler { SKIP_SOME, SKIP_WITH_CODE, RETURN, JUMP_AWAY, HANDLERS };
#define HANDLER_LEN 32

static inline uint32_t handler_at(enum code_mode mode, enum handler h)
{
	return AT_HANDLERS + (mode * HANDLERS + h) * HANDLER_LEN;
}

#endif
