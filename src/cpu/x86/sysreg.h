/* cpu/x86/sysreg.h - control, debug and model-specific registers.
 *
 * Writes check what the processor checks and raise #GP(0) or #UD; side effects
 * (TLB flush, mode change, cpu_derive) are done here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_SYSREG_H
#define CPU_X86_SYSREG_H
#include "cpu/x86/state.h"

uint64_t cr_read(struct cpu *c, unsigned n);		/* 0 2 3 4 8 */
void cr_write(struct cpu *c, unsigned n, uint64_t v);
/* The same without raising, for gdb and tests; false: #GP(0). */
bool cr_try_write(struct cpu *c, unsigned n, uint64_t v);
uint64_t dr_read(struct cpu *c, unsigned n);
void dr_write(struct cpu *c, unsigned n, uint64_t v);
void xcr_write(struct cpu *c, uint32_t n, uint64_t v);
/* What XCR0 may hold (CPUID leaf 0Dh). */
uint64_t xcr0_allowed(const struct cpu *c);

uint64_t msr_read(struct cpu *c, uint32_t msr);
void msr_write(struct cpu *c, uint32_t msr, uint64_t v);
/* The same without raising, for gdb and tests. */
bool msr_try_read(struct cpu *c, uint32_t msr, uint64_t *v);
bool msr_try_write(struct cpu *c, uint32_t msr, uint64_t v);

/* Memory types as firmware leaves them: write-back, but for the VGA hole, ROM,
 * and the registers from `hole` to 4 GiB (a power of 2 bytes). */
void mtrr_set_up(struct cpu *c, uint64_t hole);

uint64_t tsc_read(struct cpu *c);

/* INVPCID (SDM 2); descriptor is already read. */
void invpcid(struct cpu *c, uint64_t type, uint64_t pcid, gva_t a);

#endif
