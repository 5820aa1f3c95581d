/* cpu/x86/tlb.c - entering translations into the software TLB, and dropping
 * them.
 *
 * The first level holds 4 KiB pages of the current address space and global
 * ones; what it lacks comes from the second (stlb.h), else from a page walk.
 * A CR3 that leads elsewhere empties it of what is not global, by the bitmaps
 * of slots in use.  The second level hears of every flush and answers with the
 * address space's epoch.
 *
 * INVLPG of an address where large pages have been seen drops all pieces
 * within the largest size seen, which may be more than the page.
 *
 * Source: SDM 3A 4.10.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/bytes.h"
#include "bus/bus.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/journal.h"
#include "cpu/x86/paging.h"

#define CR3_PCID	0xfffu

static_assert(TLB_SIZE % 64 == 0, "slots in use are in words of 64");

/* ---- slots ---- */

static void drop(struct tlb *t, unsigned table, unsigned slot)
{
	struct tlb_entry *e = &t->entry[table][slot];
	uint64_t bit = 1ull << slot % 64;

	e->read = e->write = e->exec = tlb_no_tag(slot);
	t->flags[table][slot] = 0;
	t->live[0][table][slot / 64] &= ~bit;
	t->live[1][table][slot / 64] &= ~bit;
}

/* Call fn for every slot in use, of global pages or others. */
static inline void each(struct tlb *t, bool global,
			void (*fn)(struct tlb *t, unsigned table,
				   unsigned slot, const void *arg),
			const void *arg)
{
	for (unsigned table = 0; table < TLB_TABLES; table++)
		for (unsigned i = 0; i < TLB_SIZE / 64; i++) {
			uint64_t live = t->live[global][table][i];

			for (; live; live &= live - 1)
				fn(t, table,
				   i * 64 + (unsigned)__builtin_ctzll(live),
				   arg);
		}
}

static void drop_any(struct tlb *t, unsigned table, unsigned slot,
		     const void *arg)
{
	drop(t, table, slot);
}

static void drop_local(struct tlb *t)
{
	each(t, false, drop_any, NULL);
}

/* arg: the host page whose writes must be seen. */
static void untag_write(struct tlb *t, unsigned table, unsigned slot,
			const void *arg)
{
	if (table & TLB_WRITES && t->back[table][slot].hva == arg)
		t->entry[table][slot].write = tlb_no_tag(slot);
}

struct region {
	gva_t a;
	unsigned bits;
};

static void drop_large_in(struct tlb *t, unsigned table, unsigned slot,
			  const void *arg)
{
	const struct region *r = arg;

	if ((t->flags[table][slot] & TLB_LARGE) &&
	    !((t->back[table][slot].page ^ r->a) >> r->bits))
		drop(t, table, slot);
}

static void drop_page(struct cpu *c, gva_t a, bool global)
{
	const struct region r = { a, c->stlb.large_bits };
	struct tlb *t = &c->tlb;

	for (unsigned table = 0; table < TLB_TABLES; table++)
		if (t->back[table][tlb_slot(a)].page == (a & PAGE_MASK) &&
		    (global || !(t->flags[table][tlb_slot(a)] & TLB_GLOBAL)))
			drop(t, table, tlb_slot(a));
	if (!stlb_maybe_large(&c->stlb, a))
		return;
	each(t, false, drop_large_in, &r);
	if (global)
		each(t, true, drop_large_in, &r);
}

/* ---- flushes ---- */

static unsigned current_pcid(const struct cpu *c)
{
	return c->cr4 & CR4_PCIDE ? c->cr3 & CR3_PCID : 0;
}

/* After the second level has dropped something: blocks that run may have been
 * fetched through it. */
static void renew(struct cpu *c)
{
	uint32_t last = c->stlb.last;

	c->map_epoch = stlb_enter(&c->stlb, current_pcid(c));
	if (unlikely(c->stlb.last < last)) {	/* numbers started again */
		drop_local(&c->tlb);
		c->code_epoch++;
	}
	c->stop_block = 1;
}

static void empty(struct tlb *t)
{
	for (unsigned table = 0; table < TLB_TABLES; table++)
		for (unsigned s = 0; s < TLB_SIZE; s++)
			drop(t, table, s);
	t->ready = true;
}

void tlb_flush_all(struct cpu *c)
{
	struct tlb *t = &c->tlb;

	if (likely(t->ready)) {
		drop_local(t);
		each(t, true, drop_any, NULL);
	} else {
		empty(t);
	}
	stlb_drop_all(&c->stlb);
	renew(c);
}

void tlb_flush_nonglobal(struct cpu *c)
{
	drop_local(&c->tlb);
	stlb_drop_spaces(&c->stlb);
	renew(c);
}

void tlb_flush_page(struct cpu *c, gva_t a)
{
	drop_page(c, a, true);
	stlb_drop_page(&c->stlb, current_pcid(c), a, true);
	renew(c);
}

void tlb_flush_pcid(struct cpu *c, unsigned pcid)
{
	if (pcid == current_pcid(c))
		drop_local(&c->tlb);
	stlb_drop_space(&c->stlb, pcid);
	renew(c);
}

void tlb_flush_pcid_page(struct cpu *c, unsigned pcid, gva_t a)
{
	if (pcid == current_pcid(c))
		drop_page(c, a, false);
	stlb_drop_page(&c->stlb, pcid, a, false);
	renew(c);
}

void tlb_switch(struct cpu *c, bool keep)
{
	uint32_t before = c->stlb.space;

	if (!keep)
		stlb_drop_space(&c->stlb, current_pcid(c));
	renew(c);
	if (c->stlb.space != before)
		drop_local(&c->tlb);
}

void tlb_protect_page(struct cpu *c, const uint8_t *hva_page)
{
	each(&c->tlb, false, untag_write, hva_page);
	each(&c->tlb, true, untag_write, hva_page);
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

/* A page's code byte leaves 0 only while this vCPU stands still, and
 * tlb_protect_page() follows at once. */
static void tag_write(struct cpu *c, unsigned table, gva_t page,
		      const uint8_t *code)
{
	struct tlb_entry *e = &c->tlb.entry[table][tlb_slot(page)];

	if (unlikely(c->journal) && !journal_tag(c, page, table))
		return;
	if (!code || !__atomic_load_n(code, __ATOMIC_RELAXED))
		e->write = page;
}

static void set_tags(struct cpu *c, unsigned table, const struct tlb_back *b,
		     uint8_t flags)
{
	struct tlb_entry *e = &c->tlb.entry[table][tlb_slot(b->page)];
	bool direct = b->hva && !(flags & TLB_WATCHED);
	uint64_t none = tlb_no_tag(tlb_slot(b->page));

	e->host = (uintptr_t)b->hva;
	e->read = direct && (flags & TLB_READ) ? b->page : none;
	e->exec = b->hva && (flags & TLB_EXEC) ? b->page : none;
	if (!(table & TLB_WRITES)) {
		e->addend = e->host - b->page;
		return;
	}
	e->write = none;
	if (direct && (flags & TLB_WRITE) && !(flags & TLB_ROM))
		tag_write(c, table, b->page, b->code);
}

static enum tlb_table rights_of(unsigned table)
{
	return (enum tlb_table)(table & ~TLB_WRITES);
}

static struct tlb_ref enter(struct cpu *c, gva_t a, unsigned table,
			    const struct translation *m)
{
	const uint8_t kept = TLB_GLOBAL | TLB_ROM | TLB_WATCHED | TLB_LARGE;
	struct tlb *t = &c->tlb;
	unsigned slot = tlb_slot(a);
	struct tlb_back *b = &t->back[table][slot];
	uint64_t bit = 1ull << slot % 64;
	bool global = m->flags & TLB_GLOBAL;
	uint8_t flags = TLB_VALID | (m->flags & kept) |
			paging_rights(c, m->flags, rights_of(table));

	*b = (struct tlb_back){ a & PAGE_MASK, m->gpa, m->hva, m->code };
	t->flags[table][slot] = flags;
	t->live[global][table][slot / 64] |= bit;
	t->live[!global][table][slot / 64] &= ~bit;
	set_tags(c, table, b, flags);
	return (struct tlb_ref){ b, flags };
}

/* What of the page at m->gpa the page tables do not say. */
static void complete(struct cpu *c, gva_t a, struct translation *m)
{
	struct ram_page page;

	if (bus_ram_page(c->bus, m->gpa, &page)) {
		m->hva = page.hva;
		m->code = page.code;
		m->flags |= page.readonly ? TLB_ROM : 0;
	}
	if (debug_page_watched(c, a & PAGE_MASK))
		m->flags |= TLB_WATCHED;
}

/* m is the piece of a large page around a: make it the 4 KiB at a. */
static void cut(struct cpu *c, gva_t a, struct translation *m)
{
	m->gpa |= a & ~(~0ull << STLB_LARGE_BITS) & PAGE_MASK;
	m->gpa &= bus_a20_mask(c->bus);
	complete(c, a, m);
}

static void walk(struct cpu *c, gva_t a, unsigned table, enum access access,
		 struct translation *m)
{
	struct walk w;

	paging_walk(c, a, rights_of(table), access, &w);
	*m = (struct translation){ .gpa = w.gpa & PAGE_MASK,
				   .flags = w.flags };
	if (!(w.flags & TLB_LARGE)) {
		complete(c, a, m);
		stlb_add(&c->stlb, a, w.page_bits, m);
		return;
	}
	m->gpa &= ~0ull << STLB_LARGE_BITS;
	stlb_add(&c->stlb, a, w.page_bits, m);
	cut(c, a, m);
}

struct tlb_ref tlb_find(struct cpu *c, gva_t a, unsigned table,
			enum access access)
{
	static const uint8_t need[] = {
		[ACCESS_READ] = TLB_READ, [ACCESS_WRITE] = TLB_WRITE,
		[ACCESS_EXEC] = TLB_EXEC, [ACCESS_RMW] = TLB_WRITE,
	};
	bool store = access == ACCESS_WRITE || access == ACCESS_RMW;
	struct translation m;
	struct tlb_back *b;
	uint8_t flags;

	table |= store ? TLB_WRITES : 0;
	b = &c->tlb.back[table][tlb_slot(a)];
	flags = c->tlb.flags[table][tlb_slot(a)];
	if (b->page == (a & PAGE_MASK) && (flags & need[access]))
		return (struct tlb_ref){ b, flags };
	if (unlikely(!c->tlb.ready))
		tlb_flush_all(c);
	if (!stlb_find(&c->stlb, a, &m) ||
	    !(paging_rights(c, m.flags, rights_of(table)) & need[access]))
		walk(c, a, table, access, &m);
	else if (m.flags & TLB_LARGE)
		cut(c, a, &m);
	return enter(c, a, table, &m);
}

void tlb_retag_write(struct cpu *c, gva_t a, unsigned rights)
{
	unsigned table = rights | TLB_WRITES;
	const struct tlb_back *b = &c->tlb.back[table][tlb_slot(a)];
	uint8_t flags = c->tlb.flags[table][tlb_slot(a)];

	if (b->page == (a & PAGE_MASK) && b->hva && (flags & TLB_WRITE) &&
	    !(flags & (TLB_ROM | TLB_WATCHED)))
		tag_write(c, table, b->page, b->code);
}
