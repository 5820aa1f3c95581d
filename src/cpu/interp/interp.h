/* cpu/interp/interp.h - the interpreter's main loop.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_INTERP_H
#define CPU_INTERP_INTERP_H
struct cpu;

/* Run on the vCPU's own thread until VCPU_PAUSE or VCPU_QUIT is raised; both
 * are left for the caller to see. */
void interp_run(struct cpu *c);

/* As interp_run(), but come back after so many blocks, single instructions or
 * faults, and when c is halted.  A caller that runs guest time by what the
 * guest executes gets the same run each time. */
void interp_run_for(struct cpu *c, unsigned turns);

#endif
