/* cpu/jit/names.h - what logs call the addresses in translated code.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_NAMES_H
#define CPU_JIT_NAMES_H
#include <stdio.h>

#include "cpu/jit/jit.h"

struct stub_name {
	const char *name;
	const uint8_t *code;	/* as written */
	size_t bytes;
};

/* The nth routine that all blocks share; false past the last. */
bool jit_stub_at(const struct jit *j, unsigned n, struct stub_name *s);
/* The one that begins there, or NULL. */
const char *jit_stub_name(const struct jit *j, const uint8_t *code);

/* A field of struct cpu or struct jit, or an empty text. */
void jit_name_data(const struct cpu *c, uint64_t address, char *buf,
		   size_t size);

#endif
