/* cpu/x86/cpuid.c - the CPUID instruction.
 *
 * Source: SDM 2A "CPUID".
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "cpu/x86/state.h"

/* SDM 2A figure 3-6: families over 15 and models over 15 have more bits. */
uint32_t cpu_signature(const struct cpu *c)
{
	unsigned family = c->id.family, extended = 0;

	if (family > 15) {
		extended = family - 15;
		family = 15;
	}
	return extended << 20 | (c->id.model >> 4 & 15) << 16 | family << 8 |
	       (c->id.model & 15) << 4 | (c->id.stepping & 15);
}

bool cpu_is_amd(const struct cpu *c)
{
	return !strcmp(c->id.vendor, "AuthenticAMD");
}
