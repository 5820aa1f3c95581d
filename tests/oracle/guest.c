/* guest.c - run cases with Husk, at CPL 3 under page tables.
 *
 * A single instruction is decoded by the decoder and executed by the exec
 * function that an engine would choose.  A block is run by the engine.  Every
 * other block is run twice, so that what the engine has kept of it is used.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/test_bus.h"
#include "cpu/engine.h"
#include "cpu/interp/exec.h"
#include "cpu/interp/fpu.h"
#include "cpu/interp/step.h"
#include "cpu/interp/thunk.h"
#include "host/os.h"
#include "oracle.h"

#define TABLES_AT	0x1000u		/* page tables grow from here */
#define FRAMES_AT	0x100000u	/* the data pages */
#define CODE_FRAME	0x1f0000u
#define RAM_BYTES	0x200000u

#define PTE_P		1u
#define PTE_W		2u
#define PTE_U		4u
#define PTE_AD		0x60u

uint8_t *guest_data;
volatile bool guest_running;

static struct cpu *cpu;
static uint8_t *ram, *guest_code;
static uint32_t tables_end = TABLES_AT + 0x1000;

static uint64_t *entry(uint32_t table, gva_t at, unsigned level)
{
	return (uint64_t *)(ram + table) + (at >> (12 + 9 * level) & 511);
}

static void map_page(gva_t at, uint32_t frame, bool writable)
{
	uint32_t table = TABLES_AT;

	for (unsigned level = 3; level > 0; level--) {
		uint64_t *e = entry(table, at, level);

		if (!*e) {
			*e = tables_end | PTE_P | PTE_W | PTE_U | PTE_AD;
			tables_end += 0x1000;
		}
		table = *e & ~0xfffu;
	}
	*entry(table, at, 0) = frame | PTE_P | PTE_U | PTE_AD |
			       (writable ? PTE_W : 0);
}

static void attach(const struct accel_options *accel)
{
	struct err e;

	cpu->accel = accel;
	cpu->engine = engine_find(accel->name, &e);
	if (!cpu->engine || thunks_prepare(&e) || cpu->engine->attach(cpu, &e)) {
		fprintf(stderr, "oracle: %s\n", e.text);
		exit(2);
	}
}

void guest_setup(const struct accel_options *accel)
{
	struct test_bus *bus = test_bus_new();
	struct err e;

	cpu = os_map_low(sizeof(*cpu), &e);
	if (!cpu) {
		fprintf(stderr, "oracle: %s\n", e.text);
		exit(2);
	}
	cpu->bus = bus->bus;
	cpu->bus_generation = bus_generation_word(cpu->bus);
	cpu->topology = (struct cpu_topology){ 1, 1, 1, 1 };
	cpu->features = oracle_features;
	ram = test_bus_ram(bus, 0, RAM_BYTES);
	guest_data = ram + FRAMES_AT;
	for (unsigned p = 0; p < DATA_PAGES; p++)
		if (data_page_mapped(p))
			map_page(DATA_AT + 4096 * p, FRAMES_AT + 4096 * p,
				 DATA_RIGHTS[p] == 'w');
	guest_code = ram + CODE_FRAME;
	memset(guest_code, HLT, 4096);
	map_page(CODE_AT, CODE_FRAME, true);
	cpu_reset(cpu, false);
	cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM |
		   CR0_PG;
	cpu->cr3 = TABLES_AT;
	cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE |
		   CR4_FSGSBASE;
	cpu->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
	cpu->xcr0 = 7;
	cpu->cpl = 3;
	cpu->delivering = -1;
	attach(accel);
	tlb_flush_all(cpu);
	tlb_check_generation(cpu);
}

static void set_segment(enum sreg n, unsigned name)
{
	const struct oracle_segment *s = &oracle_segments[name];

	cpu->seg[n] = (struct segment){ .selector = s->selector,
					.attr = s->attr, .limit = s->limit,
					.base = s->base };
}

static void put_state(const struct test *t)
{
	const struct state *s = &t->before;

	memcpy(cpu->gpr, s->gpr, sizeof(cpu->gpr));
	set_segment(CS, t->places.cs);
	set_segment(SS, t->places.ss);
	set_segment(DS, t->places.ds);
	set_segment(ES, t->places.es);
	set_segment(FS, NULL_DATA);
	set_segment(GS, NULL_DATA);
	cpu->seg[GS].base = GS_BASE;
	flags_set(cpu, s->flags | FLAG_IF | (t->count ? 0 : FLAG_TF), ~0u);
	cpu_derive(cpu);
	cpu->shadow = SHADOW_NONE;
	cpu->x87.fcw = s->fcw;
	cpu->x87.fsw = s->fsw;
	cpu->x87.ftw = s->ftw;
	cpu->x87.mxcsr = s->mxcsr;
	memset(cpu->x87.st, 0, sizeof(cpu->x87.st));
	for (unsigned k = 0; k < 8; k++)
		memcpy(cpu->x87.st[k], s->st[k], 10);
	for (unsigned k = 0; k < 16; k++)
		memcpy(cpu->v[k].b, s->ymm[k], 32);
	cpu->rip = s->rip;
}

static void get_state(struct state *s)
{
	memcpy(s->gpr, cpu->gpr, sizeof(cpu->gpr));
	s->rip = cpu->rip;
	s->flags = flags_get(cpu);
	s->fcw = cpu->x87.fcw;
	s->fsw = cpu->x87.fsw;
	s->ftw = cpu->x87.ftw;
	s->mxcsr = cpu->x87.mxcsr;
	for (unsigned k = 0; k < 8; k++)
		memcpy(s->st[k], cpu->x87.st[k], 10);
	for (unsigned k = 0; k < 16; k++)
		memcpy(s->ymm[k], cpu->v[k].b, 32);
}

static void run_insn(const struct test *t)
{
	const struct insn *i = &t->insn;
	exec_fn exec = exec_select(i, (enum code_mode)cpu->mode);

	if (t->decoded == DECODE_UD)
		fault_ud(cpu);
	if (t->decoded != DECODE_OK || insn_how(i) & HOW_CPL0)
		fault_gp0(cpu);
	if (!exec)
		exec = exec_rows[i->row];
	/* With TF set a REP string does one round at a time. */
	do {
		cpu->insn = i;
		cpu->rip += i->len;
		exec(cpu, i);
	} while (insn_how(i) & HOW_REP && cpu->rip == t->before.rip);
}

/* Where a run ended with a fault, as the main loop does it. */
static void take_fault(struct state *s)
{
	mem_rmw_abort(cpu);
	s->trap = cpu->fault.vector;
	s->code = cpu->fault.has_code ? cpu->fault.code : 0;
	s->cr2 = cpu->cr2;
	if (cpu->insn) {
		cpu->rip -= cpu->insn->len;
		if (cpu->mode != CODE64)
			cpu->rip = (uint32_t)cpu->rip;
	}
	cpu->insn = NULL;
}

static void run_single(struct test *t)
{
	struct state *s = &t->guest;

	put_state(t);
	memcpy(guest_code + CODE_IP, t->bytes, sizeof(t->bytes));
	if (!sigsetjmp(cpu->on_fault, 0)) {
		run_insn(t);
		s->trap = NO_TRAP;
	} else {
		take_fault(s);
		cpu->rip = t->before.rip;
	}
	get_state(s);
}

/* ---- blocks ---- */

static void copy_memory(void)
{
	for (unsigned p = 0; p < DATA_PAGES; p++)
		if (data_page_mapped(p))
			memcpy(guest_data + 4096 * p, host_data + 4096 * p,
			       4096);
}

static void step(void)
{
	static struct insn i;

	step_decode(cpu, &i);
	cpu->insn = &i;
	cpu->rip += i.len;
	if (cpu->mode != CODE64)
		cpu->rip = (uint32_t)cpu->rip;
	i.exec(cpu, &i);
	cpu->insn = NULL;
}

static void run_engine(struct test *t)
{
	put_state(t);
	cpu->insn = NULL;
	if (sigsetjmp(cpu->on_fault, 0)) {
		take_fault(&t->guest);
		get_state(&t->guest);
		block_settle(t, &t->guest);
		return;
	}
	for (;;)		/* a HLT ends it */
		if (!cpu->engine->run(cpu))
			step();
}

static void run_block(struct test *t)
{
	/* A store that the engine hears of from us alone. */
	memcpy(guest_code + CODE_IP, t->bytes, sizeof(t->bytes));
	cpu->engine->drop(cpu, guest_code + CODE_IP, sizeof(t->bytes));
	copy_memory();
	run_engine(t);
	if (t->seed & 1) {
		copy_memory();
		run_engine(t);
	}
}

const struct cpu *guest_begin(const struct test *t)
{
	copy_memory();
	put_state(t);
	return cpu;
}

int guest_step(struct insn *i, uint64_t rip)
{
	struct state s = { .trap = NO_TRAP };

	insn_choose_exec(i, (enum code_mode)cpu->mode);
	guest_running = true;
	cpu->rip = rip;
	if (!sigsetjmp(cpu->on_fault, 0)) {
		do {		/* a REP string may come back for more */
			cpu->insn = i;
			cpu->rip = rip + i->len;
			i->exec(cpu, i);
		} while (insn_how(i) & HOW_REP && cpu->rip == rip);
	} else {
		take_fault(&s);
	}
	cpu->insn = NULL;
	guest_running = false;
	return s.trap;
}

void guest_run(struct test *t)
{
	guest_running = true;
	if (t->count)
		run_block(t);
	else
		run_single(t);
	guest_running = false;
}
