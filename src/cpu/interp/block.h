/* cpu/interp/block.h - decoded instructions, kept by where their bytes are.
 *
 * A block is a run of instructions within one 4 KiB page that ends at the
 * first HOW_END row, before the first instruction that crosses the page's end,
 * or at BLOCK_MAX instructions.  It is found by host address of its first byte
 * and code mode, so all linear addresses of a page share it.
 *
 * Each vCPU has a cache of its own, so lookups need no lock.  Before a vCPU
 * decodes from a 512-byte line that no cache has code of, it sets the line's
 * bit in the page's code byte (bus.h) and makes every vCPU drop its direct
 * write access to the page; from then on stores there come through
 * code_written(), which drops the blocks they touch in every cache.  Both use
 * vcpu_exclusive() (cpu/vcpu.h), so no store slips in between.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_BLOCK_H
#define CPU_INTERP_BLOCK_H
#include "cpu/x86/insn.h"

#define BLOCK_MAX 32

/* Where a block went last time, and the circumstances in which that holds. */
struct block_link {
	const struct block *to;
	uint64_t linear, epoch;
	uint8_t mode, tlb_index;
};

struct block {
	const uint8_t *hva;	/* of the first byte */
	struct block *next_in_slot, *next_in_page;
	uint16_t bytes;
	uint8_t mode;		/* enum code_mode */
	uint8_t count;		/* instructions */
	uint8_t next_link;	/* which link to replace next */
	struct block_link link[2];
	struct insn insn[];
};

struct block_cache *block_cache_new(void);
void block_cache_free(struct block_cache *b);
void block_cache_flush(struct cpu *c);

/* The block at c->rip, decoded now if need be; raises what fetching raises.
 * NULL: step this one (code outside RAM, a page crossing, past the limit). */
const struct block *block_find(struct cpu *c);
/* The same, trying first where c->last_block led before. */
const struct block *block_next(struct cpu *c);

/* Decode the one instruction at c->rip into *out, uncached; raises what
 * fetching and decoding it raise. */
void block_decode_one(struct cpu *c, struct insn *out);

/* Drop blocks that overlap [hva, hva+len); on c's own thread or with c held
 * (vcpu_exclusive). */
void block_drop(struct cpu *c, const uint8_t *hva, unsigned len);

#endif
