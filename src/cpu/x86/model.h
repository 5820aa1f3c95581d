/* cpu/x86/model.h - what model.c asks of the host's CPUID (cpuid.c).
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_MODEL_H
#define CPU_X86_MODEL_H
#include "cpu/x86/state.h"

/* Vendor, name, family, model and stepping of the host. */
void identity_of_host(struct cpu_identity *id);
uint8_t host_phys_bits(void);

#endif
