/* cpu/interp/block.c - see block.h
 *
 * Memory.  Blocks come from one arena and are never freed singly; when the
 * arena is full the whole cache starts again, which costs less than keeping
 * books.  Dropped blocks leave the lists and wait for that.
 *
 * A block may be dropped while it runs (the guest patches itself): its memory
 * stays valid because a flush only happens in block_find(), between blocks,
 * and stop_block makes the main loop leave it after the storing instruction.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bus/bus.h"
#include "cpu/accel.h"
#include "cpu/code.h"
#include "cpu/interp/block.h"
#include "cpu/interp/exec.h"

#define ARENA_BYTES	(6 * MiB)
#define BLOCK_SLOTS	(1u << 14)
#define PAGE_SLOTS	(1u << 12)
#define INSN_MAX	15
#define HOST_LINE	64		/* bytes of its cache lines */

struct block_cache {
	struct block *slot[BLOCK_SLOTS];
	struct block *page[PAGE_SLOTS];	/* mixed pages; blocks say which */
	size_t used;
	uint8_t arena[ARENA_BYTES];
};
static_assert(sizeof(struct block) == HOST_LINE && sizeof(struct insn) == HOST_LINE,
	      "as block.h says");

static unsigned slot_of(const uint8_t *hva, unsigned mode)
{
	uintptr_t a = (uintptr_t)hva;

	return (a ^ a >> 13 ^ mode << 7) & (BLOCK_SLOTS - 1);
}

static unsigned page_slot_of(const uint8_t *hva)
{
	uintptr_t page = (uintptr_t)hva >> PAGE_BITS;

	return (page ^ page >> 12) & (PAGE_SLOTS - 1);
}

static void flush(struct block_cache *b)
{
	memset(b->slot, 0, sizeof(b->slot));
	memset(b->page, 0, sizeof(b->page));
	b->used = -(uintptr_t)b->arena & (HOST_LINE - 1);
}

struct block_cache *block_cache_new(void)
{
	struct block_cache *b = xcalloc(1, sizeof(*b));

	flush(b);
	return b;
}

void block_cache_free(struct block_cache *b)
{
	free(b);
}

void block_cache_flush(struct cpu *c)
{
	flush(c->blocks);
	c->last_block = NULL;
	c->code_epoch++;
}

/* ---- dropping ---- */

static void unlink_slot(struct block_cache *b, struct block *blk)
{
	struct block **p = &b->slot[slot_of(blk->hva, blk->mode)];

	while (*p != blk)
		p = &(*p)->next_in_slot;
	*p = blk->next_in_slot;
}

void block_drop(struct cpu *c, const uint8_t *hva, unsigned len)
{
	struct block **p = &c->blocks->page[page_slot_of(hva)];

	while (*p) {
		struct block *blk = *p;

		if (blk->hva < hva + len && hva < blk->hva + blk->bytes) {
			*p = blk->next_in_page;
			unlink_slot(c->blocks, blk);
			c->stop_block = 1;
			c->code_epoch++;
		} else {
			p = &blk->next_in_page;
		}
	}
}

uint8_t block_lines(struct cpu *c, const uint8_t *page)
{
	uint8_t lines = 0;

	for (struct block *b = c->blocks->page[page_slot_of(page)]; b;
	     b = b->next_in_page)
		if (b->hva >= page && b->hva < page + PAGE_SIZE)
			lines |= ram_code_lines((uintptr_t)b->hva, b->bytes);
	return lines;
}

/* ---- decoding ---- */

/* Fill blk from p; returns the number of instructions, 0 if not even one lies
 * wholly in [p, p+avail). */
static unsigned decode_run(struct cpu *c, struct block *blk, const uint8_t *p,
			   unsigned avail)
{
	unsigned most = c->accel->one_insn ? 1 : BLOCK_MAX, n = 0, at = 0;

	while (n < most && at < avail) {
		struct insn *i = &blk->insn[n];

		if (insn_decode(i, p + at, avail - at,
				(enum code_mode)c->mode,
				&c->features) != DECODE_OK)
			break;	/* raised when it is reached */
		insn_choose_exec(i, (enum code_mode)c->mode);
		at += i->len;
		i->end = (uint16_t)at;
		n++;
		if (insn_how(i) & HOW_END)
			break;
	}
	blk->bytes = (uint16_t)at;
	return n;
}

static void log_block(struct cpu *c, const struct block *blk)
{
	uint64_t rip = c->rip;
	char text[96];

	for (unsigned n = 0; n < blk->count; n++) {
		insn_format(&blk->insn[n], text, sizeof(text));
		log_write(LOG_IN_ASM, "0x%08llx:  %s", (unsigned long long)rip,
			  text);
		rip += blk->insn[n].len;
	}
}

static const struct block *block_make(struct cpu *c, const uint8_t *hva)
{
	unsigned avail = (unsigned)(PAGE_SIZE - ((uintptr_t)hva & ~PAGE_MASK));
	const size_t most = sizeof(struct block) +
			    BLOCK_MAX * sizeof(struct insn);
	struct block_cache *b = c->blocks;
	struct block *blk;
	struct ram_page page;
	uint64_t gpa;
	unsigned slot;

	if (!mem_fetch(c, code_linear(c, c->rip), &gpa) ||
	    !bus_ram_page(c->bus, gpa, &page))
		return NULL;
	if (b->used + most > ARENA_BYTES)
		block_cache_flush(c);
	/* Watch all lines a block can reach before reading the bytes: what we
	 * decode is then either older than any later store, and dropped by
	 * it, or sees it. */
	if (avail > BLOCK_MAX * INSN_MAX)
		avail = BLOCK_MAX * INSN_MAX;
	code_watch(c, &page, ram_code_lines((uintptr_t)hva, avail));
	blk = (struct block *)(void *)(b->arena + b->used);
	memset(blk, 0, sizeof(*blk));
	blk->hva = hva;
	blk->mode = c->mode;
	blk->count = (uint8_t)decode_run(c, blk, hva, avail);
	if (!blk->count)
		return NULL;
	b->used += sizeof(*blk) + blk->count * sizeof(struct insn);
	slot = slot_of(hva, c->mode);
	blk->next_in_slot = b->slot[slot];
	b->slot[slot] = blk;
	slot = page_slot_of(hva);
	blk->next_in_page = b->page[slot];
	b->page[slot] = blk;
	if (log_on(LOG_IN_ASM))
		log_block(c, blk);
	return blk;
}

static void set_link(struct cpu *c, const struct block *to)
{
	/* The cache owns the block and is ours to change. */
	struct block *last = (struct block *)c->last_block;

	if (!last)		/* nor where the cache has just been flushed */
		return;
	if (last->link_epoch != c->code_epoch)
		memset(last->link, 0, sizeof(last->link));
	last->link_epoch = c->code_epoch;
	last->link[1] = last->link[0];
	last->link[0] = (struct block_link){ to, to->hva };
}

const struct block *block_find(struct cpu *c)
{
	gva_t a = code_linear(c, c->rip);
	struct tlb_entry *e = &c->tlb.entry[c->tlb_index][tlb_slot(a)];
	const struct block *blk;
	const uint8_t *hva;

	if (likely((a ^ e->exec) < PAGE_SIZE)) {
		hva = (const uint8_t *)(e->host + (a ^ e->exec));
	} else {
		uint64_t gpa;

		hva = mem_fetch(c, a, &gpa);
		if (!hva)
			return NULL;
	}
	for (blk = c->blocks->slot[slot_of(hva, c->mode)]; blk;
	     blk = blk->next_in_slot)
		if (blk->hva == hva && blk->mode == c->mode)
			break;
	if (unlikely(!blk))
		blk = block_make(c, hva);
	if (unlikely(!blk || !block_within_limit(c, blk)))
		return NULL;
	set_link(c, blk);
	return blk;
}
