/* cpu/interp/test_guest.h - a vCPU in long mode at CPL 3 with a little memory,
 * for unit tests that run single instructions.
 *
 *   struct guest *g = guest_new();
 *   guest_mode(g, CODE64);
 *   assert_true(guest_run(g, "\x90", 1));		// nop, no fault
 *   guest_free(g);
 *
 * Linear addresses are physical; only the data region is mapped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_TEST_GUEST_H
#define CPU_INTERP_TEST_GUEST_H
#include <stdlib.h>

#include "base/bytes.h"
#include "base/test.h"
#include "bus/test_bus.h"
#include "cpu/interp/exec.h"

/* Below 4 GiB, for 32-bit code's sake, and where a host program has nothing,
 * so that native code can have the same addresses. */
#define GUEST_CODE	0x0f000000ull	/* where rip says it is */
#define GUEST_DATA	0x10000000ull
#define GUEST_BYTES	0x4000ull	/* of data, nothing around */
#define GUEST_TABLES	0x1000		/* paging structures */

struct guest {
	struct cpu *c;
	struct test_bus *bus;
	uint8_t *data;
	uint8_t *tables;	/* the last of the four maps the data's pages */
};

static inline void guest_map(uint8_t *tables)
{
	unsigned slot = GUEST_DATA >> 21;

	store_le64(tables, (GUEST_TABLES + 0x1000) | 7);
	store_le64(tables + 0x1000, (GUEST_TABLES + 0x2000) | 7);
	store_le64(tables + 0x2000 + 8 * slot, (GUEST_TABLES + 0x3000) | 7);
	for (unsigned i = 0; i < GUEST_BYTES / PAGE_SIZE; i++)
		store_le64(tables + 0x3000 + 8 * i,
			   (GUEST_DATA + i * PAGE_SIZE) | 7);
}

/* Flat segments; 16 and 32-bit code are in compatibility mode. */
static inline void guest_mode(struct guest *g, enum code_mode mode)
{
	uint32_t data = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED | SEG_DB |
			SEG_G | 3 << SEG_DPL_SHIFT;

	for (unsigned s = 0; s < SREG_COUNT; s++)
		g->c->seg[s] = (struct segment){ 0x2b, data, 0xffffffff, 0 };
	g->c->seg[CS].attr |= SEG_CODE;
	if (mode != CODE32)
		g->c->seg[CS].attr &= ~SEG_DB;
	if (mode == CODE64)
		g->c->seg[CS].attr |= SEG_L;
	cpu_derive(g->c);
}

static inline struct guest *guest_new(void)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ull);

	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	g->c = c;
	g->bus = test_bus_new();
	g->tables = test_bus_ram(g->bus, 0, 1 * MiB) + GUEST_TABLES;
	g->data = test_bus_ram(g->bus, GUEST_DATA, GUEST_BYTES);
	guest_map(g->tables);
	c->bus = g->bus->bus;
	c->topology = (struct cpu_topology){ 1, 1, 1, 1 };
	features_of_host(&c->features);
	cpu_reset(c, false);
	c->cr3 = GUEST_TABLES;
	c->cr4 = CR4_PAE;
	c->efer = EFER_LME | EFER_LMA;
	c->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
	c->cpl = 3;
	guest_mode(g, CODE64);
	return g;
}

static inline void guest_free(struct guest *g)
{
	free(g->c);
	test_bus_free(g->bus);
	free(g);
}

/* What an instruction may change, where it counts here. */
struct guest_state {
	uint64_t gpr[16], rip;
	uint32_t flags;
	bool faulted;
	uint8_t vector;		/* if it faulted */
	uint8_t data[GUEST_BYTES];
};

static inline void guest_save(const struct guest *g, struct guest_state *s)
{
	memcpy(s->gpr, g->c->gpr, sizeof(s->gpr));
	s->rip = g->c->rip;
	s->flags = flags_get(g->c);
	memcpy(s->data, g->data, GUEST_BYTES);
}

static inline void guest_restore(struct guest *g, const struct guest_state *s)
{
	memcpy(g->c->gpr, s->gpr, sizeof(s->gpr));
	g->c->rip = s->rip;
	flags_set(g->c, s->flags, ~FLAG_ONE);
	memcpy(g->data, s->data, GUEST_BYTES);
}

/* From the state that there is to *after. */
static inline void guest_run_one(struct guest *g, const struct insn *i,
				 exec_fn exec, struct guest_state *after)
{
	g->c->rip = GUEST_CODE + i->len;
	g->c->insn = i;
	g->c->stop_block = 0;
	after->faulted = sigsetjmp(g->c->on_fault, 0);
	if (after->faulted)
		g->c->rip -= i->len;
	else
		exec(g->c, i);
	after->vector = after->faulted ? g->c->fault.vector : 0;
	guest_save(g, after);
}

/* One run of the row's function for the instruction in these bytes, from rip =
 * GUEST_CODE; false: it faulted.  The function that exec_select() gives, if
 * any, must do the same to the same state, and is the one seen to do it. */
static inline bool guest_run(struct guest *g, const char *bytes, unsigned n)
{
	static struct guest_state before, general, fast;
	static struct insn i;
	exec_fn exec;

	assert_int_equal(insn_decode(&i, (const uint8_t *)bytes, n,
				     g->c->mode, &g->c->features), DECODE_OK);
	assert_int_equal(i.len, n);
	guest_save(g, &before);
	guest_run_one(g, &i, exec_rows[i.row], &general);
	exec = exec_select(&i, (enum code_mode)g->c->mode);
	if (!exec)
		return !general.faulted;
	guest_restore(g, &before);
	guest_run_one(g, &i, exec, &fast);
	assert_int_equal(general.faulted, fast.faulted);
	assert_int_equal(general.vector, fast.vector);
	assert_int_equal(general.rip, fast.rip);
	assert_int_equal(general.flags, fast.flags);
	assert_memory_equal(general.gpr, fast.gpr, sizeof(fast.gpr));
	assert_memory_equal(general.data, fast.data, sizeof(fast.data));
	return !fast.faulted;
}

#define GUEST_RUN(g, bytes) guest_run(g, bytes, sizeof(bytes) - 1)
#endif
