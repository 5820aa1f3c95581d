/* cpu/interp/block.h - decoded instructions, kept by physical address.
 *
 * A block is a run of instructions within one 4 KiB page that ends at the
 * first HOW_END row, before a page end, or at BLOCK_MAX instructions.  It is
 * found by physical address and code mode.  Writes to a page that has blocks
 * come through code_written(), which drops the blocks that overlap the bytes.
 *
 * Each vCPU has its own cache; other vCPUs' stores reach it by
 * code_written() posting a request (cpu/vcpu.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_BLOCK_H
#define CPU_INTERP_BLOCK_H
#include "cpu/x86/insn.h"

#define BLOCK_MAX 32

struct block {
	uint64_t gpa;		/* of the first byte */
	uint8_t mode;		/* enum code_mode */
	uint8_t count;		/* instructions; 0 = dropped */
	uint16_t bytes;
	struct block *next_in_page;
	struct insn insn[];
};

struct block_cache *block_cache_new(void);
void block_cache_free(struct block_cache *b);
void block_cache_flush(struct block_cache *b);

/* The block at c->rip, decoded now if need be; raises what fetching raises. */
const struct block *block_find(struct cpu *c);
/* Decode the one instruction at c->rip into *out, uncached; raises likewise. */
void block_decode_one(struct cpu *c, struct insn *out);

#endif
