/* cpu/loop.c - see loop.h
 *
 * Two gears.  Normally the engine runs blocks of instructions back to back,
 * and comes back when something wants to be looked at between two of them.
 * When c->step or c->shadow says so (TF, gdb stepping, the instruction after
 * MOV SS or STI), or where the engine has no block (code in ROM windows, page
 * crossings, breakpoints), one instruction runs at a time, by the
 * interpreter's functions, and traps are looked at after each.
 *
 * Faults arrive by siglongjmp() at the top of cpu_run() or cpu_run_for(),
 * which put rip back and deliver.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "cpu/engine.h"
#include "cpu/interp/step.h"
#include "cpu/loop.h"
#include "cpu/vcpu.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/fault.h"
#include "cpu/x86/insn.h"
#include "cpu/x86/mem.h"
#include "cpu/x86/seg.h"

/* #AC on the stack of #AC's own handler goes on for ever: benign exceptions
 * make no double fault.  The processor hangs in it until RESET; we shut down
 * instead, so as to hear those who want to park us. */
#define FAULT_CHAIN_MAX	100

static uint64_t truncate_rip(const struct cpu *c, uint64_t rip)
{
	return c->mode == CODE64 ? rip : (uint32_t)rip;
}

/* ---- faults and events ---- */

static void shutdown(struct cpu *c)
{
	c->delivering = -1;
	c->delivering_ext = false;
	log_write(LOG_INT, "cpu %u: triple fault", c->index);
	vcpu_stopped(c, VCPU_STOP_SHUTDOWN);
}

static void deliver(struct cpu *c, uint8_t vector, enum event_kind kind,
		    bool has_code, uint32_t code)
{
	c->insn = NULL;		/* rip is where it must be if this faults */
	event_deliver(c, vector, kind, has_code, code);
}

/* After a jump to on_fault: undo the unfinished instruction and deliver. */
static void take_fault(struct cpu *c)
{
	struct fault f = c->fault;

	mem_rmw_abort(c);
	if (c->insn)
		c->rip = truncate_rip(c, c->rip - c->insn->len);
	c->insn = NULL;
	c->shadow = SHADOW_NONE;
	if (c->delivering < 0)
		c->fault_chain = 0;
	else if (!event_merge(c->delivering, &f) ||
		 ++c->fault_chain == FAULT_CHAIN_MAX) {
		shutdown(c);
		return;
	}
	deliver(c, f.vector, EVENT_FAULT, f.has_code, f.code);
	if (c->step & STEP_GDB)	/* at the handler's first instruction */
		vcpu_stopped(c, VCPU_STOP_DEBUG);
}

/* #DB traps that the last instruction earned. */
static void take_traps(struct cpu *c, bool single_step)
{
	uint64_t dr6 = c->pending_dr6 | (single_step ? DR6_BS : 0);

	if (!dr6)
		return;
	c->pending_dr6 = 0;
	c->dr6 = (c->dr6 & ~DR6_POINTS) | dr6;
	deliver(c, VEC_DB, EVENT_TRAP, false, 0);
}

/* A watchpoint of gdb's was hit (gdb_hit stays until gdb has told why), or its
 * single step is done. */
static void stop_for_gdb(struct cpu *c)
{
	vcpu_stopped(c, VCPU_STOP_DEBUG);
}

/* A SIPI that is there already came after the INIT (the sender of INIT takes
 * an earlier one away) and is still to be taken. */
static void take_init(struct cpu *c)
{
	vcpu_lower(&c->port, VCPU_INIT | VCPU_NMI | VCPU_NMI2 | VCPU_SMI);
	cpu_reset(c, true);
	c->intc_ops->init(c->intc);
	tlb_flush_all(c);
	if (c->index) {
		c->wait_sipi = true;
		c->halted = true;
	}
}

static void take_sipi(struct cpu *c)
{
	vcpu_lower(&c->port, VCPU_SIPI);
	if (!c->wait_sipi)
		return;
	c->wait_sipi = false;
	c->halted = false;
	seg_load_real(c, CS, (uint16_t)(c->port.sipi_vector << 8));
	c->rip = 0;
	cpu_derive(c);
}

static void take_interrupt(struct cpu *c)
{
	int vector = c->intc_ops->ack(c->intc);

	if (vector >= 0)
		deliver(c, (uint8_t)vector, EVENT_EXTERNAL, false, 0);
}

/* Neither NMI nor INTR now.  STI holds off NMIs as well on most processors
 * (SDM 3A 6.8.1).  gdb's single step shows the program it steps, not the
 * handlers of a clock that ran on meanwhile. */
static bool interrupts_held(const struct cpu *c)
{
	return c->wait_sipi || c->shadow ||
	       ((c->step & STEP_GDB) && !c->halted);
}

static void take_interrupts(struct cpu *c, uint32_t ev)
{
	if ((ev & VCPU_NMI) && !c->nmi_blocked) {
		vcpu_take_nmi(&c->port);
		c->nmi_blocked = true;
		deliver(c, VEC_NMI, EVENT_EXTERNAL, false, 0);
	} else if ((ev & VCPU_INTR) && (c->rflags & FLAG_IF)) {
		take_interrupt(c);
	}
}

/* Outside events between two instructions, most urgent first.  False: leave
 * the main loop. */
static bool take_events(struct cpu *c)
{
	uint32_t ev = c->port.events;

	if (ev & (VCPU_QUIT | VCPU_PAUSE))
		return false;
	if (ev & VCPU_SYNC) {
		mem_rmw_tell(c);
		vcpu_sync(c);
	}
	if (ev & VCPU_INIT)
		take_init(c);
	if (ev & VCPU_SIPI)
		take_sipi(c);
	if (ev & VCPU_SMI)
		vcpu_lower(&c->port, VCPU_SMI);	/* no SMM in this version */
	if (!(ev & VCPU_INIT) && !interrupts_held(c))
		take_interrupts(c, ev);
	return true;
}

/* ---- running ---- */

static inline void run_insn(struct cpu *c, const struct insn *i)
{
	c->insn = i;
	c->rip = truncate_rip(c, c->rip + i->len);
	i->exec(c, i);
	c->insn = NULL;
	c->insn_count++;
}

/* Instruction breakpoints at rip: true if gdb wants it. */
static bool check_breakpoints(struct cpu *c)
{
	gva_t a = code_linear(c, c->rip);
	uint64_t dr6;

	if (debug_gdb_exec(c, a) && !c->gdb_resumed) {
		vcpu_stopped(c, VCPU_STOP_DEBUG);
		return true;
	}
	if (!(c->rflags & FLAG_RF) && (dr6 = debug_check_exec(c, a)))
		fault_raise_db(c, dr6);
	return false;
}

static void step_one(struct cpu *c)
{
	uint8_t shadow = c->shadow;
	/* Outlives a fault's jump out of here: take_fault() reads its length. */
	static _Thread_local struct insn i;

	/* Intel's processors hold off instruction breakpoints after MOV SS
	 * (SDM 3A 6.8.3), AMD's do not. */
	if ((c->step & STEP_BREAK) &&
	    (shadow != SHADOW_MOV_SS || cpu_is_amd(c)) && check_breakpoints(c))
		return;
	c->gdb_resumed = false;
	c->stop_block = 0;
	c->shadow = SHADOW_NONE;
	step_decode(c, &i);
	c->rflags &= ~FLAG_RF;	/* before: IRET may set it for the next */
	c->tf_trap = c->rflags & FLAG_TF;
	run_insn(c, &i);
	if (c->gdb_hit || (c->step & STEP_GDB))
		stop_for_gdb(c);
	if (c->shadow != SHADOW_MOV_SS)
		take_traps(c, c->tf_trap);
}

static inline void run_next(struct cpu *c)
{
	c->insn = NULL;
	if (unlikely((c->step & ~STEP_BREAK) | c->shadow |
		     (c->rflags & FLAG_RF)) ||
	    !c->engine->run(c)) {
		step_one(c);
		return;
	}
	if (unlikely(c->gdb_hit))
		stop_for_gdb(c);
	if (unlikely(c->pending_dr6) && c->shadow != SHADOW_MOV_SS)
		take_traps(c, false);
}

/* Until an event asks to leave.  Not in cpu_run(): little is kept in registers
 * where sigsetjmp() may come back. */
static __attribute__((noinline)) void run(struct cpu *c)
{
	for (;;) {
		if (unlikely(c->port.events) && !take_events(c))
			return;
		if (unlikely(c->halted)) {
			vcpu_wait(c);
			continue;
		}
		if (unlikely(*c->bus_generation != c->tlb.generation))
			tlb_check_generation(c);
		run_next(c);
	}
}

void cpu_run(struct cpu *c)
{
	if (sigsetjmp(c->on_fault, 0))
		take_fault(c);
	run(c);
}

void cpu_run_for(struct cpu *c, unsigned turns)
{
	volatile unsigned left = turns;	/* kept over jumps to on_fault */

	/* So that the engine comes back after each block. */
	atomic_fetch_or(&c->port.events, VCPU_TURN);
	if (sigsetjmp(c->on_fault, 0))
		take_fault(c);
	while (left) {
		left--;		/* first: the turn may end in a jump */
		if (!take_events(c) || c->halted)
			break;
		tlb_check_generation(c);
		run_next(c);
	}
	vcpu_lower(&c->port, VCPU_TURN);
}
