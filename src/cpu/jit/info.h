/* cpu/jit/info.h - what the translator has done so far, as text: `info jit`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_INFO_H
#define CPU_JIT_INFO_H
#include <stdio.h>

struct vcpus;

/* Of all vCPUs, which are parked. */
void jit_info(struct vcpus *v, FILE *out);

#endif
