/* host/codemem.h - memory for machine code made at run time.
 *
 * Shared memory mapped twice: written through `write`, executed through `run`,
 * so that no page is ever writable and executable at one address (W^X).  A
 * byte at write + n is the byte at run + n; x86 keeps the two coherent for
 * code that has not run yet (SDM 3A 11.6).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_CODEMEM_H
#define HOST_CODEMEM_H
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct codemem {
	uint8_t *write;
	const uint8_t *run;
	size_t size;
};

/* Pages are taken from the host when first written. */
int codemem_map(struct codemem *m, size_t size, struct err *e);
void codemem_unmap(struct codemem *m);
#endif
