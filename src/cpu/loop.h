/* cpu/loop.h - the main loop of a vCPU, whatever engine runs its blocks.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_LOOP_H
#define CPU_LOOP_H
struct cpu;

/* Run on the vCPU's own thread until VCPU_PAUSE or VCPU_QUIT is raised; both
 * are left for the caller to see. */
void cpu_run(struct cpu *c);

/* As cpu_run(), but come back after so many blocks, single instructions or
 * faults, and when c is halted.  A caller that runs guest time by what the
 * guest executes gets the same run each time. */
void cpu_run_for(struct cpu *c, unsigned turns);

#endif
