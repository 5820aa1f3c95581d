/* cpu/interp/block.h - decoded instructions, kept by where their bytes are.
 *
 * A block is a run of instructions within one 4 KiB page that ends at the
 * first HOW_END row, before the first instruction that crosses the page's end,
 * or at BLOCK_MAX instructions.  It is found by host address of its first byte
 * and code mode, so all linear addresses of a page share it.
 *
 * Each vCPU has a cache of its own, so lookups need no lock.  Stores that
 * change the bytes of a block drop it (cpu/code.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_BLOCK_H
#define CPU_INTERP_BLOCK_H
#include "cpu/x86/insn.h"
#include "cpu/x86/seg.h"

#define BLOCK_MAX 32

/* Where a block went before. */
struct block_link {
	const struct block *to;
	const uint8_t *hva;	/* to's */
};

/* The links, last first, hold while c->code_epoch is link_epoch, whatever has
 * become of linear addresses: they are found by the host's.  The head and each
 * instruction fill a cache line of the host. */
struct block {
	const uint8_t *hva;	/* of the first byte */
	struct block *next_in_slot, *next_in_page;
	struct block_link link[2];
	uint32_t link_epoch;
	uint16_t bytes;
	uint8_t mode;		/* enum code_mode */
	uint8_t count;		/* instructions */
	struct insn insn[];
};

struct block_cache *block_cache_new(void);
void block_cache_free(struct block_cache *b);
void block_cache_flush(struct cpu *c);

/* The block at c->rip, decoded now if need be; raises what fetching raises.
 * NULL: step this one (code outside RAM, a page crossing, past the limit).
 * Becomes a link of c->last_block. */
const struct block *block_find(struct cpu *c);

/* Does the code segment hold all of it from c->rip on? */
static inline bool block_within_limit(const struct cpu *c,
				      const struct block *b)
{
	return likely(c->mode == CODE64) ||
	       c->rip + b->bytes <= (uint64_t)c->seg[CS].limit + 1;
}

/* The same as block_find(), trying first where c->last_block led before. */
static inline const struct block *block_next(struct cpu *c)
{
	gva_t a = code_linear(c, c->rip);
	const struct tlb_entry *e = &c->tlb.entry[c->tlb_index][tlb_slot(a)];
	uint64_t off = a ^ e->exec;
	const uint8_t *hva = (const uint8_t *)(e->host + off);
	const struct block *last = c->last_block;

	if (unlikely(!last || last->link_epoch != c->code_epoch ||
		     off >= PAGE_SIZE))
		return block_find(c);
	for (unsigned n = 0; n < 2; n++) {
		const struct block_link *l = &last->link[n];

		if (l->hva == hva && l->to->mode == c->mode)
			return block_within_limit(c, l->to) ? l->to : NULL;
	}
	return block_find(c);
}

/* Drop blocks that overlap [hva, hva+len); on c's own thread or with c held
 * (vcpu_exclusive). */
void block_drop(struct cpu *c, const uint8_t *hva, unsigned len);
/* The lines of the page (bus.h) that there are blocks of. */
uint8_t block_lines(struct cpu *c, const uint8_t *page);

#endif
