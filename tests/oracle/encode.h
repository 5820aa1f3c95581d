/* encode.h - making the bytes of an instruction from its row of the table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ENCODE_H
#define ENCODE_H
#include "cpu/x86/insn.h"

struct encoding {
	uint8_t *bytes;		/* 15 of them, all written */
	unsigned len;
	unsigned disp_at;	/* where a displacement would be */
	bool wide_address;	/* 32 or 64 bits */
};

/* e->bytes is the caller's; *r is the state of random.h. */
void encode_row(struct encoding *e, const struct insn_row *row,
		enum code_mode mode, uint64_t *r);

#endif
