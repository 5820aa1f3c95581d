/* cpu/x86/paging.c - the page walk: none, 32-bit, PAE and 4-level paging.
 *
 * Table entries are read with one load and their accessed and dirty bits set
 * with one compare-and-exchange, so that vCPUs and the guest's own locked
 * updates never lose each other's bits; an entry that changed meanwhile starts
 * the walk again.  Tables outside RAM (the guest's mistake) are read and
 * written through the bus; bits in ROM stay as they are.
 *
 * The dirty bit is set before a write is allowed, and a translation entered
 * while it was clear allows reads only.
 *
 * Limits: no 5-level paging, no protection keys; memory types are ignored.
 * Source: SDM 3A chapter 4.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "bus/bus.h"
#include "cpu/x86/fault.h"
#include "cpu/x86/journal.h"
#include "cpu/x86/paging.h"

/* Entry bits, all formats (SDM 3A figure 4-4, tables 4-8 to 4-20). */
#define PTE_P		(1ull << 0)
#define PTE_W		(1ull << 1)
#define PTE_U		(1ull << 2)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)	/* not in the last level: large page */
#define PTE_G		(1ull << 8)
#define PTE_NX		(1ull << 63)
#define PTE_ADDRESS	0x000ffffffffff000ull

#define BITS(high, low)	((~0ull >> (63 - (high))) & (~0ull << (low)))

struct entry {
	uint64_t v;
	uint64_t gpa;
	uint8_t *host;		/* NULL: not in RAM */
	uint8_t *code;
	unsigned size;		/* 4 or 8 */
	bool readonly;
};

struct request {
	gva_t a;
	enum tlb_table table;
	enum access access;
	bool peek;		/* the debugger's: no rights, no bits */
};

enum step {
	WALK_DONE,
	WALK_AGAIN,		/* an entry changed under us */
	WALK_MISSING,		/* #PF: not present */
	WALK_RESERVED,		/* #PF: reserved bit set */
	WALK_DENIED,		/* #PF: no right */
};

/* ---- entries ---- */

static void load(struct cpu *c, uint64_t gpa, unsigned size, struct entry *e)
{
	struct ram_page page;
	void *p;

	gpa &= bus_a20_mask(c->bus);
	*e = (struct entry){ .gpa = gpa, .size = size };
	if (!bus_ram_page(c->bus, gpa, &page)) {
		trial_refuse(c, REFUSED_WINDOW);
		e->v = bus_mmio_read(c->bus, gpa, size);
		return;
	}
	p = page.hva + (gpa & ~PAGE_MASK);
	if (on_trial(c) && journal_covers(c->journal, p, size))
		journal_refuse(c, REFUSED_TABLES);
	e->host = p;
	e->code = page.code;
	e->readonly = page.readonly;
	e->v = size == 8 ? __atomic_load_n((uint64_t *)p, __ATOMIC_RELAXED)
			 : __atomic_load_n((uint32_t *)p, __ATOMIC_RELAXED);
}

static bool exchange(struct entry *e, uint64_t v)
{
	uint32_t old32 = (uint32_t)e->v;
	uint64_t old64 = e->v;

	if (e->size == 8)
		return __atomic_compare_exchange_n(
			(uint64_t *)(void *)e->host, &old64, v, false,
			__ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint32_t *)(void *)e->host, &old32,
					   (uint32_t)v, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Set bits in the entry; false: it changed, walk again. */
static bool mark(struct cpu *c, struct entry *e, uint64_t bits)
{
	uint64_t v = e->v | bits;

	if (v == e->v)
		return true;
	if (!e->host) {
		trial_refuse(c, REFUSED_WINDOW);
		bus_mmio_write(c->bus, e->gpa, v, e->size);
		return true;
	}
	if (e->readonly)
		return true;
	if (e->code && __atomic_load_n(e->code, __ATOMIC_RELAXED))
		trial_refuse(c, REFUSED_TABLES);
	if (!exchange(e, v))
		return false;
	e->v = v;
	if (e->code && __atomic_load_n(e->code, __ATOMIC_RELAXED))
		mem_tell_code(c, e->gpa, e->size);
	return true;
}

/* ---- reserved bits (SDM 3A 4.7, tables 4-4 to 4-20) ---- */

uint64_t paging_reserved_bits(const struct cpu *c)
{
	unsigned bits = c->id.phys_bits ? c->id.phys_bits : PHYS_BITS_DEFAULT;

	return BITS(51, 0) & (~0ull << bits);
}

static uint64_t reserved64(const struct cpu *c, uint64_t v, unsigned shift)
{
	uint64_t r = paging_reserved_bits(c);

	if (!(c->efer & EFER_NXE))
		r |= PTE_NX;
	if (!cpu_long_mode(c))
		r |= BITS(62, 52);
	if (shift == 39)
		return r | PTE_PS;
	if (shift == 12 || !(v & PTE_PS))
		return r;
	if (shift == 30 && !feature_has(&c->features, FEAT_PDPE1GB))
		return r | PTE_PS;
	return r | BITS(shift - 1, 13);
}

/* A 4 MiB page's bits 20:13 are address bits 39:32 with PSE-36. */
static uint64_t reserved_large32(const struct cpu *c)
{
	unsigned bits = c->id.phys_bits ? c->id.phys_bits : PHYS_BITS_DEFAULT;

	if (!feature_has(&c->features, FEAT_PSE36) || bits <= 32)
		return BITS(21, 13);
	return bits >= 40 ? BITS(21, 21) : BITS(21, bits - 19);
}

bool paging_load_pdptes(struct cpu *c, uint64_t cr3)
{
	uint64_t r = paging_reserved_bits(c) | BITS(63, 52) | BITS(8, 5) |
		     BITS(2, 1);
	uint64_t pdpte[4];

	for (unsigned i = 0; i < 4; i++) {
		struct entry e;

		load(c, (cr3 & BITS(31, 5)) + i * 8, 8, &e);
		if ((e.v & PTE_P) && (e.v & r))
			return false;
		pdpte[i] = e.v;
	}
	memcpy(c->pdpte, pdpte, sizeof(pdpte));
	return true;
}

/* ---- rights (SDM 3A 4.6) ---- */

/* Without regard to the dirty bit. */
static uint8_t rights_of(const struct cpu *c, uint8_t flags,
			 enum tlb_table table)
{
	bool user_page = flags & MAP_USER, writable = flags & MAP_WRITE;
	bool nx = flags & MAP_NX;
	uint8_t r = 0;

	if (unlikely(!(c->cr0 & CR0_PG)))
		return TLB_READ | TLB_WRITE | TLB_EXEC;
	if (table == TLB_USER) {
		if (!user_page)
			return 0;
		return TLB_READ | (writable ? TLB_WRITE : 0) |
		       (nx ? 0 : TLB_EXEC);
	}
	if (!(table == TLB_SMAP && user_page)) {
		r = TLB_READ;
		if (writable || !(c->cr0 & CR0_WP))
			r |= TLB_WRITE;
	}
	if (!nx && !(user_page && (c->cr4 & CR4_SMEP)))
		r |= TLB_EXEC;
	return r;
}

uint8_t paging_rights(const struct cpu *c, uint8_t flags,
		      enum tlb_table table)
{
	uint8_t r = rights_of(c, flags, table);

	return flags & MAP_DIRTY ? r : r & ~TLB_WRITE;
}

static uint8_t right_for(enum access access)
{
	switch (access) {
	case ACCESS_READ:	return TLB_READ;
	case ACCESS_EXEC:	return TLB_EXEC;
	case ACCESS_WRITE:
	case ACCESS_RMW:	break;
	}
	return TLB_WRITE;
}

static_assert(PTE_U >> 2 == MAP_USER && PTE_W == MAP_WRITE,
	      "flags are made by shifts");

/* The entry that maps the page: check rights, set A and D.  path is the AND of
 * all entries' U and W, nx the OR of their XD. */
static enum step leaf(struct cpu *c, const struct request *q, struct entry *e,
		      uint64_t path, bool nx, struct walk *w)
{
	uint8_t need = right_for(q->access);

	if (q->peek)
		return WALK_DONE;
	w->flags = (path & PTE_U) >> 2 | (path & PTE_W) | (nx ? MAP_NX : 0) |
		   (w->page_bits > PAGE_BITS ? TLB_LARGE : 0);
	if ((e->v & PTE_G) && (c->cr4 & CR4_PGE))
		w->flags |= TLB_GLOBAL;
	if (!(rights_of(c, w->flags, q->table) & need))
		return WALK_DENIED;
	if (!mark(c, e, need == TLB_WRITE ? PTE_A | PTE_D : PTE_A))
		return WALK_AGAIN;
	if ((e->v & PTE_D) || e->readonly || need == TLB_WRITE)
		w->flags |= MAP_DIRTY;
	return WALK_DONE;
}

/* ---- the formats ---- */

static enum step walk32(struct cpu *c, const struct request *q, struct walk *w)
{
	struct entry e;
	uint64_t path;

	load(c, (c->cr3 & BITS(31, 12)) + (q->a >> 22 & 1023) * 4, 4, &e);
	if (!(e.v & PTE_P))
		return WALK_MISSING;
	path = e.v;
	if ((e.v & PTE_PS) && (c->cr4 & CR4_PSE)) {
		if (e.v & reserved_large32(c))
			return WALK_RESERVED;
		w->page_bits = 22;
		w->gpa = (e.v & BITS(31, 22)) | (e.v & BITS(20, 13)) << 19 |
			 (q->a & BITS(21, 0));
		return leaf(c, q, &e, path, false, w);
	}
	if (!q->peek && !mark(c, &e, PTE_A))
		return WALK_AGAIN;
	load(c, (e.v & BITS(31, 12)) + (q->a >> 12 & 1023) * 4, 4, &e);
	if (!(e.v & PTE_P))
		return WALK_MISSING;
	w->page_bits = 12;
	w->gpa = (e.v & BITS(31, 12)) | (q->a & BITS(11, 0));
	return leaf(c, q, &e, path & e.v, false, w);
}

/* From the table at `table`, indexed by 9 bits from `shift`, downwards. */
static enum step walk64(struct cpu *c, const struct request *q, struct walk *w,
			uint64_t table, unsigned shift)
{
	uint64_t path = PTE_U | PTE_W;
	bool nx = false;
	struct entry e;

	for (;; shift -= 9) {
		load(c, table + (q->a >> shift & 511) * 8, 8, &e);
		if (!(e.v & PTE_P))
			return WALK_MISSING;
		if (e.v & reserved64(c, e.v, shift))
			return WALK_RESERVED;
		path &= e.v;
		nx |= e.v >> 63;
		if (shift == 12 || (e.v & PTE_PS))
			break;
		if (!q->peek && !mark(c, &e, PTE_A))
			return WALK_AGAIN;
		table = e.v & PTE_ADDRESS;
	}
	w->page_bits = (uint8_t)shift;
	w->gpa = (e.v & PTE_ADDRESS & ~BITS(shift - 1, 0)) |
		 (q->a & BITS(shift - 1, 0));
	return leaf(c, q, &e, path, nx, w);
}

static enum step walk_pae(struct cpu *c, const struct request *q,
			  struct walk *w)
{
	uint64_t pdpte = c->pdpte[q->a >> 30 & 3];

	if (!(pdpte & PTE_P))
		return WALK_MISSING;
	return walk64(c, q, w, pdpte & PTE_ADDRESS, 21);
}

static enum step walk(struct cpu *c, const struct request *q, struct walk *w)
{
	enum step s;

	if (!(c->cr0 & CR0_PG)) {
		*w = (struct walk){
			.gpa = (uint32_t)q->a,
			.page_bits = 12,
			.flags = MAP_DIRTY,
		};
		return WALK_DONE;
	}
	do {
		if (!(c->cr4 & CR4_PAE))
			s = walk32(c, q, w);
		else if (!cpu_long_mode(c))
			s = walk_pae(c, q, w);
		else
			s = walk64(c, q, w, c->cr3 & PTE_ADDRESS, 39);
	} while (s == WALK_AGAIN);
	return s;
}

static bool canonical(const struct cpu *c, gva_t a)
{
	return !cpu_long_mode(c) || (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

static uint32_t error_code(const struct cpu *c, const struct request *q,
			   enum step s)
{
	bool fetch_told = (c->cr4 & CR4_SMEP) ||
			  ((c->cr4 & CR4_PAE) && (c->efer & EFER_NXE));
	uint32_t code = 0;

	if (s != WALK_MISSING)
		code |= PF_PRESENT;
	if (s == WALK_RESERVED)
		code |= PF_RESERVED;
	if (q->access == ACCESS_WRITE || q->access == ACCESS_RMW)
		code |= PF_WRITE;
	if (q->table == TLB_USER)
		code |= PF_USER;
	if (q->access == ACCESS_EXEC && fetch_told)
		code |= PF_FETCH;
	return code;
}

void paging_walk(struct cpu *c, gva_t a, enum tlb_table table,
		 enum access access, struct walk *out)
{
	const struct request q = { .a = a, .table = table, .access = access };
	enum step s;

	/* Segmentation has checked all but the second half of an access that
	 * crosses into the hole, and the processor's own tables there. */
	if (!canonical(c, a))
		fault_gp0(c);
	s = walk(c, &q, out);
	if (s != WALK_DONE)
		fault_raise_pf(c, a, error_code(c, &q, s));
	out->gpa &= bus_a20_mask(c->bus);
}

bool paging_peek(struct cpu *c, gva_t a, uint64_t *gpa)
{
	const struct request q = { .a = a, .peek = true };
	struct walk w;

	if (!canonical(c, a) || walk(c, &q, &w) != WALK_DONE)
		return false;
	*gpa = w.gpa & bus_a20_mask(c->bus);
	return true;
}

bool mem_debug_translate(struct cpu *c, gva_t a, uint64_t *gpa)
{
	return paging_peek(c, a, gpa);
}
