/* cpu/jit/cache.c - blocks: finding, linking and dropping them.
 *
 * Hot code, cold code, blocks and kept instructions come from four stretches
 * of memory that only grow; when one is full everything starts again.  A
 * dropped block leaves the lists, and the jumps into it and out of it are put
 * back, but its code stays: it may be running (stop_block makes it leave at the
 * next chance).
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus/bus.h"
#include "cpu/jit/cache.h"
#include "cpu/jit/tr.h"

#define SLOT_BITS	16
#define PAGE_SLOT_BITS	12

/* The most that one block can take. */
#define HOT_MAX		(JIT_INSNS_MAX * 320u)
#define COLD_MAX	(JIT_INSNS_MAX * 640u)

static unsigned slot_of(const uint8_t *hva, unsigned key)
{
	uint64_t a = (uintptr_t)hva + key;

	return (unsigned)(a * 0x9e3779b97f4a7c15 >> (64 - SLOT_BITS));
}

static unsigned page_slot_of(const uint8_t *hva)
{
	uint64_t page = (uintptr_t)hva >> PAGE_BITS;

	return (unsigned)(page * 0x9e3779b97f4a7c15 >> (64 - PAGE_SLOT_BITS));
}

size_t jit_table_bytes(void)
{
	return ((1u << SLOT_BITS) + (2u << PAGE_SLOT_BITS)) *
	       sizeof(struct jit_block *);
}

void jit_set_tables(struct jit *j, void *memory)
{
	j->slot = memory;
	j->page = j->slot + (1u << SLOT_BITS);
	j->page2 = j->page + (1u << PAGE_SLOT_BITS);
}

bool jit_has_room(const struct jit *j)
{
	return j->hot + HOT_MAX <= j->hot_end &&
	       j->cold + COLD_MAX <= j->cold_end &&
	       j->insns_used + 4 * JIT_INSNS_MAX <= j->insns_max &&
	       j->blocks_used + sizeof(struct jit_block) +
			       JIT_EXITS_MAX * sizeof(struct jit_exit) <=
		       j->blocks_max;
}

struct jit_block *jit_find(struct cpu *c, const uint8_t *hva, unsigned key)
{
	struct jit_block *b = c->jit->slot[slot_of(hva, key)];

	while (b && (b->hva != hva || b->key != key))
		b = b->next_in_slot;
	return b;
}

unsigned jit_count(const struct jit *j)
{
	unsigned count = 0;

	for (unsigned n = 0; n < 1u << SLOT_BITS; n++)
		for (const struct jit_block *b = j->slot[n]; b;
		     b = b->next_in_slot)
			count++;
	return count;
}

void jit_insert(struct jit *j, struct jit_block *b)
{
	struct jit_block **slot = &j->slot[slot_of(b->hva, b->key)];
	struct jit_block **page = &j->page[page_slot_of(b->hva)];

	b->next_in_slot = *slot;
	*slot = b;
	b->next_in_page = *page;
	*page = b;
	if (b->hva2) {
		page = &j->page2[page_slot_of(b->hva2)];
		b->next_in_page2 = *page;
		*page = b;
	}
}

/* ---- links ---- */

void jit_link(struct jit *j, struct jit_exit *x, struct jit_block *to)
{
	x->to = to;
	x->next_incoming = to->incoming;
	to->incoming = x;
	asm_patch(x->site, x->flags == FLAGS_CPU ? to->entry_cpu
						 : to->entry_host);
	j->stats.links++;
}

static void unlink_incoming(struct jit_block *b)
{
	for (struct jit_exit *x = b->incoming; x; x = x->next_incoming) {
		asm_patch(x->site, x->stub);
		x->to = NULL;
	}
	b->incoming = NULL;
}

static void unlink_exits(struct jit_block *b)
{
	for (unsigned n = 0; n < b->exits; n++) {
		struct jit_exit **p;

		if (!b->exit[n].to)
			continue;
		p = &b->exit[n].to->incoming;
		while (*p != &b->exit[n])
			p = &(*p)->next_incoming;
		*p = b->exit[n].next_incoming;
		b->exit[n].to = NULL;
		/* It may be running, and must leave by this jump. */
		asm_patch(b->exit[n].site, b->exit[n].stub);
	}
}

/* ---- dropping ---- */

void jit_flush(struct cpu *c)
{
	struct jit *j = c->jit;

	memset(j->slot, 0, jit_table_bytes());
	j->hot = j->hot_start;
	j->cold = j->cold_start;
	j->insns_used = j->blocks_used = 0;
	j->code_epoch++;
	j->stats.flushes++;
	c->stop_block = 1;
	c->port.tag = 0;
}

static bool in_first_page(const struct jit_block *b, const uint8_t *hva,
			  unsigned len)
{
	unsigned bytes = b->bytes;

	if (b->hva2)
		bytes = (unsigned)(PAGE_SIZE - ((uintptr_t)b->hva & ~PAGE_MASK));
	return b->hva < hva + len && hva < b->hva + bytes;
}

/* Does it rest on these bytes without having them? */
static bool looked_at(const struct jit_block *b, const uint8_t *hva,
		      unsigned len)
{
	const uint8_t *page =
		(const uint8_t *)((uintptr_t)b->hva & PAGE_MASK);

	return page + b->look_low < hva + len && hva < page + b->look_high;
}

static bool in_second_page(const struct jit_block *b, const uint8_t *hva,
			   unsigned len)
{
	return b->hva2 && b->hva2 < hva + len &&
	       hva < b->hva2 + (b->bytes - (PAGE_SIZE -
					    ((uintptr_t)b->hva & ~PAGE_MASK)));
}

static void drop_one(struct cpu *c, struct jit_block *b)
{
	struct jit *j = c->jit;
	struct jit_block **p = &j->slot[slot_of(b->hva, b->key)];

	while (*p != b)
		p = &(*p)->next_in_slot;
	*p = b->next_in_slot;
	for (p = &j->page[page_slot_of(b->hva)]; *p != b;)
		p = &(*p)->next_in_page;
	*p = b->next_in_page;
	if (b->hva2) {
		for (p = &j->page2[page_slot_of(b->hva2)]; *p != b;)
			p = &(*p)->next_in_page2;
		*p = b->next_in_page2;
	}
	unlink_exits(b);
	unlink_incoming(b);
	j->stats.drops++;
	j->code_epoch++;
	c->stop_block = 1;
	c->port.tag = 0;
}

void jit_drop(struct cpu *c, const uint8_t *hva, unsigned len)
{
	struct jit *j = c->jit;
	struct jit_block *b, *next;

	for (b = j->page[page_slot_of(hva)]; b; b = next) {
		next = b->next_in_page;
		if (in_first_page(b, hva, len) || looked_at(b, hva, len))
			drop_one(c, b);
	}
	for (b = j->page2[page_slot_of(hva)]; b; b = next) {
		next = b->next_in_page2;
		if (in_second_page(b, hva, len))
			drop_one(c, b);
	}
}

/* Of a page that a block crosses out of only the last line holds it. */
static uint8_t lines_of(const struct jit_block *b)
{
	uint8_t lines = ram_code_lines((uintptr_t)b->hva,
				       b->hva2 ? 1 : b->bytes);

	if (b->look_high > b->look_low)
		lines |= ram_code_lines(b->look_low,
					b->look_high - b->look_low);
	return lines;
}

uint8_t jit_lines(struct cpu *c, const uint8_t *page)
{
	struct jit *j = c->jit;
	uint8_t lines = 0;

	for (struct jit_block *b = j->page[page_slot_of(page)]; b;
	     b = b->next_in_page)
		if (b->hva >= page && b->hva < page + PAGE_SIZE)
			lines |= lines_of(b);
	for (struct jit_block *b = j->page2[page_slot_of(page)]; b;
	     b = b->next_in_page2)
		if (b->hva2 == page)
			lines |= ram_code_lines(0, INSN_LEN_MAX);
	return lines;
}
