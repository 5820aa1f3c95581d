/* cpu/interp/xsave.h - which state components are in use.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_XSAVE_H
#define CPU_INTERP_XSAVE_H
#include <stdint.h>

struct cpu;

/* XINUSE: XCR0 bits of the components that are not in their initial state;
 * XGETBV with ECX = 1 returns it, masked by XCR0 (SDM 1 13.6). */
uint64_t xinuse(const struct cpu *c);

#endif
