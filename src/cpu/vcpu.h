/* cpu/vcpu.h - virtual processors as the machine sees them: an engine, a
 * thread each, parking and kicking.
 *
 * The machine creates all vCPUs parked, then vcpus_resume().  Parked vCPUs are
 * at an instruction boundary and their struct cpu may be read and written by
 * the parker.  AP vCPUs wait for SIPI after reset.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_VCPU_H
#define CPU_VCPU_H
#include "base/err.h"
#include "bus/intc.h"
#include "cpu/accel.h"
#include "cpu/x86/state.h"

struct vcpus;

/* Why a vCPU stops by itself. */
enum vcpu_stop {
	VCPU_STOP_SHUTDOWN,	/* triple fault */
	VCPU_STOP_DEBUG,	/* breakpoint, watchpoint or step of gdb */
	VCPU_STOP_CHECK,	/* the engines differ (-accel jit,check=N) */
};

struct vcpu_config {
	struct accel_options accel;
	const char *model;	/* the -cpu argument */
	struct cpu_topology topology;
	struct bus *bus;	/* borrowed */
};

/* All vCPUs of a machine, parked and reset; no threads yet. */
struct vcpus *vcpus_new(const struct vcpu_config *cfg, struct err *e);
void vcpus_free(struct vcpus *v);		/* ends the threads first */
unsigned vcpus_count(const struct vcpus *v);
struct cpu *vcpus_get(struct vcpus *v, unsigned n);
/* Join vCPU n to its interrupt controller, before the first resume. */
void vcpus_set_intc(struct vcpus *v, unsigned n, const struct intc_ops *ops,
		    void *intc);

/* Start the threads, parked. */
int vcpus_start(struct vcpus *v, struct err *e);
/* Returns when every vCPU is parked.  Not on a vCPU thread, not with the bus
 * lock held (a vCPU may be waiting for it). */
void vcpus_pause(struct vcpus *v);
void vcpus_resume(struct vcpus *v);
bool vcpus_paused(const struct vcpus *v);
/* The RESET state for all; caller has paused them. */
void vcpus_reset(struct vcpus *v);

/* Run fn(other, arg) for every vCPU, c too, while all others stand between two
 * blocks of instructions.  On c's thread, with no lock held. */
void vcpu_exclusive(struct cpu *c, void (*fn)(struct cpu *other, void *arg),
		    void *arg);
/* How many vCPUs share c's machine (1 without a machine, in tests). */
unsigned vcpu_siblings(const struct cpu *c);
/* The engine's side: c is about to wait or may run again. */
void vcpu_sync(struct cpu *c);		/* answer VCPU_SYNC */
void vcpu_wait(struct cpu *c);		/* halted: until an event wakes it */
/* c executes PAUSE: most likely it spins until another vCPU does something. */
void vcpu_spin(struct cpu *c);
/* c stops by itself: tell the machine, and park at the next event check. */
void vcpu_stopped(struct cpu *c, enum vcpu_stop why);

/* Told on the vCPU thread when it stops by itself. */
void vcpus_set_stop_handler(struct vcpus *v,
			    void (*fn)(void *ctx, struct cpu *c,
				       enum vcpu_stop why),
			    void *ctx);

#endif
