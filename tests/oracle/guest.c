/* guest.c - run cases with the interpreter: decoded by the decoder, executed by
 * the exec function an engine would choose, at CPL 3 under page tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "bus/test_bus.h"
#include "cpu/interp/exec.h"
#include "cpu/interp/fpu.h"
#include "oracle.h"

#define TABLES_AT	0x1000u		/* page tables grow from here */
#define FRAMES_AT	0x100000u	/* the data pages */
#define CODE_FRAME	0x1f0000u
#define RAM_BYTES	0x200000u

#define PTE_P		1u
#define PTE_W		2u
#define PTE_U		4u
#define PTE_AD		0x60u

uint8_t *guest_data, *guest_code;
volatile bool guest_running;

static struct cpu *cpu;
static uint8_t *ram;
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

void guest_setup(void)
{
	struct test_bus *bus = test_bus_new();

	cpu = aligned_alloc(64, (sizeof(*cpu) + 63) & ~63ull);
	memset(cpu, 0, sizeof(*cpu));
	cpu->bus = bus->bus;
	cpu->topology = (struct cpu_topology){ 1, 1, 1, 1 };
	cpu->features = oracle_features;
	ram = test_bus_ram(bus, 0, RAM_BYTES);
	guest_data = ram + FRAMES_AT;
	for (unsigned p = 0; p < DATA_PAGES; p++)
		if (data_page_mapped(p))
			map_page(DATA_AT + 4096 * p, FRAMES_AT + 4096 * p,
				 DATA_RIGHTS[p] == 'w');
	guest_code = ram + CODE_FRAME;
	memset(guest_code, 0xcc, 4096);
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
	tlb_flush_all(cpu);
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
	flags_set(cpu, s->flags | FLAG_TF | FLAG_IF, ~0u);
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

void guest_run(struct test *t)
{
	struct state *s = &t->guest;

	put_state(t);
	memcpy(guest_code + CODE_IP, t->bytes, sizeof(t->bytes));
	guest_running = true;
	if (!sigsetjmp(cpu->on_fault, 0)) {
		run_insn(t);
		s->trap = NO_TRAP;
	} else {
		mem_rmw_abort(cpu);
		s->trap = cpu->fault.vector;
		s->code = cpu->fault.has_code ? cpu->fault.code : 0;
		s->cr2 = cpu->cr2;
		cpu->rip = t->before.rip;
	}
	guest_running = false;
	get_state(s);
}
