/* cpu/x86/tlb.c - entering translations into the software TLB, and dropping
 * them.
 *
 * flags[] is nonzero exactly where an entry holds something, so flushes and
 * searches look at eight entries with one load.  A page over 4 KiB is entered
 * as the 4 KiB pieces that were touched; INVLPG inside the range where such
 * pages have been seen therefore drops everything.
 *
 * PCIDs are not told apart: every MOV to CR3 drops what is not global, which
 * the processor is always free to do.
 *
 * Source: SDM 3A 4.10.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/bytes.h"
#include "bus/bus.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/paging.h"

static_assert(TLB_SIZE % 8 == 0, "flags are searched by eight");

static void drop(struct tlb *t, unsigned table, unsigned slot)
{
	struct tlb_entry *e = &t->entry[table][slot];

	e->read = e->write = e->exec = tlb_no_tag(slot);
	t->flags[table][slot] = 0;
}

static void forget_large(struct tlb *t)
{
	for (unsigned i = 0; i < 2; i++) {
		t->large[i].low = ~0ull;
		t->large[i].high = 0;
	}
}

static void empty(struct tlb *t)
{
	for (unsigned table = 0; table < TLB_TABLES; table++)
		for (unsigned s = 0; s < TLB_SIZE; s++)
			drop(t, table, s);
	forget_large(t);
	t->ready = true;
}

/* Call fn for every entry in use. */
static inline void each(struct tlb *t,
			void (*fn)(struct tlb *t, unsigned table,
				   unsigned slot, const void *arg),
			const void *arg)
{
	for (unsigned table = 0; table < TLB_ALIGN; table++)
		for (unsigned s = 0; s < TLB_SIZE; s += 8) {
			if (!load_le64(&t->flags[table][s]))
				continue;
			for (unsigned i = s; i < s + 8; i++)
				if (t->flags[table][i])
					fn(t, table, i, arg);
		}
}

static void drop_any(struct tlb *t, unsigned table, unsigned slot,
		     const void *arg)
{
	drop(t, table, slot);
}

static void drop_nonglobal(struct tlb *t, unsigned table, unsigned slot,
			   const void *arg)
{
	if (!(t->flags[table][slot] & TLB_GLOBAL))
		drop(t, table, slot);
}

/* arg: the host page whose writes must be seen. */
static void untag_write(struct tlb *t, unsigned table, unsigned slot,
			const void *arg)
{
	if (t->back[table][slot].hva == arg)
		t->entry[table][slot].write = tlb_no_tag(slot);
}

/* Translations may be gone: of data and of the code that runs. */
static void changed(struct cpu *c)
{
	c->stop_block = 1;
	c->map_epoch++;
}

void tlb_flush_all(struct cpu *c)
{
	struct tlb *t = &c->tlb;

	changed(c);
	if (!t->ready) {
		empty(t);
		return;
	}
	each(t, drop_any, NULL);
	forget_large(t);
}

void tlb_flush_nonglobal(struct cpu *c)
{
	if (!c->tlb.ready || !(c->cr4 & CR4_PGE)) {
		tlb_flush_all(c);
		return;
	}
	changed(c);
	each(&c->tlb, drop_nonglobal, NULL);
}

static bool within_large(const struct tlb *t, gva_t a)
{
	unsigned half = a >> 63;

	return a >= t->large[half].low && a <= t->large[half].high;
}

void tlb_flush_page(struct cpu *c, gva_t a)
{
	struct tlb *t = &c->tlb;

	if (!t->ready || within_large(t, a)) {
		tlb_flush_all(c);
		return;
	}
	changed(c);
	for (unsigned table = 0; table < TLB_ALIGN; table++)
		if (t->back[table][tlb_slot(a)].page == (a & PAGE_MASK))
			drop(t, table, tlb_slot(a));
}

void tlb_protect_page(struct cpu *c, const uint8_t *hva_page)
{
	if (c->tlb.ready)
		each(&c->tlb, untag_write, hva_page);
}

void tlb_check_generation(struct cpu *c)
{
	uint32_t now = bus_generation(c->bus);

	if (likely(c->tlb.generation == now && c->tlb.ready))
		return;
	c->tlb.generation = now;
	tlb_flush_all(c);
}

/* ---- entering ---- */

static void note_large(struct tlb *t, gva_t a, unsigned page_bits)
{
	gva_t low = a & (~0ull << page_bits);
	gva_t high = low + ((1ull << page_bits) - 1);
	unsigned half = a >> 63;

	if (page_bits == PAGE_BITS)
		return;
	if (low < t->large[half].low)
		t->large[half].low = low;
	if (high > t->large[half].high)
		t->large[half].high = high;
}

/* Pairs with the engine that sets the code byte and then makes us drop write
 * tags: the tag is there before the byte is looked at, so one of the two sees
 * the other. */
static void tag_write(struct tlb_entry *e, gva_t page, const uint8_t *code)
{
	e->write = page;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (code && __atomic_load_n(code, __ATOMIC_RELAXED))
		e->write = tlb_no_tag(tlb_slot(page));
}

static void set_tags(struct tlb_entry *e, const struct tlb_back *b,
		     uint8_t flags)
{
	bool direct = b->hva && !(flags & TLB_WATCHED);
	uint64_t none = tlb_no_tag(tlb_slot(b->page));

	e->host = (uintptr_t)b->hva;
	e->read = direct && (flags & TLB_READ) ? b->page : none;
	e->exec = b->hva && (flags & TLB_EXEC) ? b->page : none;
	e->write = none;
	if (direct && (flags & TLB_WRITE) && !(flags & TLB_ROM))
		tag_write(e, b->page, b->code);
}

static struct tlb_ref enter(struct cpu *c, gva_t a, unsigned table,
			    const struct walk *w)
{
	struct tlb_back *b = &c->tlb.back[table][tlb_slot(a)];
	uint8_t *flags = &c->tlb.flags[table][tlb_slot(a)];
	struct ram_page page;

	*b = (struct tlb_back){ a & PAGE_MASK, w->gpa & PAGE_MASK, NULL, NULL };
	*flags = TLB_VALID | w->rights | (w->global ? TLB_GLOBAL : 0);
	if (bus_ram_page(c->bus, w->gpa, &page)) {
		b->hva = page.hva;
		b->code = page.code;
		*flags |= page.readonly ? TLB_ROM : 0;
	}
	if (debug_page_watched(c, b->page))
		*flags |= TLB_WATCHED;
	set_tags(&c->tlb.entry[table][tlb_slot(a)], b, *flags);
	note_large(&c->tlb, a, w->page_bits);
	return (struct tlb_ref){ b, *flags };
}

struct tlb_ref tlb_find(struct cpu *c, gva_t a, unsigned table,
			enum access access)
{
	static const uint8_t need[] = {
		[ACCESS_READ] = TLB_READ, [ACCESS_WRITE] = TLB_WRITE,
		[ACCESS_EXEC] = TLB_EXEC, [ACCESS_RMW] = TLB_WRITE,
	};
	const struct tlb_back *b = &c->tlb.back[table][tlb_slot(a)];
	uint8_t flags = c->tlb.flags[table][tlb_slot(a)];
	struct walk w;

	if (b->page == (a & PAGE_MASK) && (flags & need[access]))
		return (struct tlb_ref){ b, flags };
	if (unlikely(!c->tlb.ready))
		empty(&c->tlb);
	paging_walk(c, a, (enum tlb_table)table, access, &w);
	return enter(c, a, table, &w);
}

void tlb_retag_write(struct cpu *c, gva_t a, unsigned table)
{
	const struct tlb_back *b = &c->tlb.back[table][tlb_slot(a)];
	struct tlb_entry *e = &c->tlb.entry[table][tlb_slot(a)];
	uint8_t flags = c->tlb.flags[table][tlb_slot(a)];

	if (b->page == (a & PAGE_MASK) && b->hva && (flags & TLB_WRITE) &&
	    !(flags & (TLB_ROM | TLB_WATCHED)))
		tag_write(e, b->page, b->code);
}
