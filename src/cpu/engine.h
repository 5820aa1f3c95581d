/* cpu/engine.h - what runs a vCPU's instructions: the face of the interpreter
 * and the translator.
 *
 * The main loop (loop.h) looks for events, delivers faults and traps, halts
 * and steps single instructions; for the rest it calls run().  Code bytes and
 * the stores that reach them are code.h's, which asks each vCPU's engine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_ENGINE_H
#define CPU_ENGINE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "cpu/x86/state.h"

struct vcpus;

struct engine {
	const char *name;
	/* Make what a vCPU needs; 0 or -errno.  The rest of *c is there, and
	 * c->accel has what the operator asked for. */
	int (*attach)(struct cpu *c, struct err *e);
	void (*detach)(struct cpu *c);	/* also after a failed attach() */

	/* Run blocks of instructions from c->rip on, at least one instruction;
	 * back at an instruction boundary as soon as engine_must_leave() at the
	 * end of a block.  False: no block can begin at the rip that there is
	 * now (code outside RAM, a page crossing, past the limit, a breakpoint
	 * inside), step that instruction.  Faults jump to c->on_fault. */
	bool (*run)(struct cpu *c);

	/* Forget what was made from these bytes of a page; own thread, or c
	 * held (vcpu_exclusive).  Whoever runs such a block leaves it after
	 * the instruction under way (stop_block). */
	void (*drop)(struct cpu *c, const uint8_t *hva, unsigned len);
	/* The lines of the page that c has code of (bus.h, ram_code_lines). */
	uint8_t (*lines)(struct cpu *c, const uint8_t *page_hva);
	void (*flush)(struct cpu *c);	/* forget everything */
	/* The threads have ended: log what was counted.  May be NULL. */
	void (*end)(struct vcpus *v);
};

extern const struct engine engine_interp, engine_jit;

/* log.c: the block about to run, for -d exec and -d cpu. */
void engine_log_entry(struct cpu *c);

/* By the name in struct accel_options (vcpu.c); NULL and *e if there is none. */
const struct engine *engine_find(const char *name, struct err *e);

/* Does anything want the main loop before the next block? */
static inline bool engine_must_leave(const struct cpu *c)
{
	return unlikely(c->port.events) | unlikely(c->halted) |
	       unlikely(*c->bus_generation != c->tlb.generation) |
	       unlikely((c->step & ~STEP_BREAK) | c->shadow |
			(c->rflags & FLAG_RF)) |
	       unlikely(c->gdb_hit) | unlikely(c->pending_dr6 != 0);
}

#endif
