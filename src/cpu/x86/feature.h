/* cpu/x86/feature.h - the rows of feature.def, and what they say of a set.
 * Private to model.c, cpuid.c and feature.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_FEATURE_H
#define CPU_X86_FEATURE_H
#include <stddef.h>

#include "cpu/x86/cpuid.h"

enum cpuid_register { EAX, EBX, ECX, EDX };

struct feature_row {
	const char *name;
	uint32_t leaf, subleaf;
	uint8_t reg;		/* enum cpuid_register */
	uint8_t bit;
};

/* n from FEAT_ALWAYS + 1 to FEAT_COUNT - 1. */
const struct feature_row *feature_row(enum feature n);

/* By name or alias, '_' for '-' allowed; FEAT_ALWAYS: none of ours. */
enum feature feature_find(const char *name, size_t len);
/* A name that other emulators' -cpu knows and Husk's processors never have. */
bool feature_is_foreign(const char *name, size_t len);

/* The 32 bits of one CPUID register that features stand for. */
uint32_t features_word(const struct features *f, uint32_t leaf,
		       uint32_t subleaf, enum cpuid_register reg);

/* What Husk can do on this host, asked for by name or not: features_of_host()
 * and those that no model has by itself. */
bool feature_is_offered(enum feature n);

/* Take out one feature whose own needs are not in the set.  FEAT_ALWAYS: the
 * set is complete; else the one taken out, and *needs. */
enum feature features_drop_dependent(struct features *f, enum feature *needs);

#endif
