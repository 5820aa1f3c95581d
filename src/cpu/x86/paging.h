/* cpu/x86/paging.h - the page walk, and what it feeds: private to paging.c,
 * tlb.c and mem.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_PAGING_H
#define CPU_X86_PAGING_H
#include "cpu/x86/mem.h"

/* Page-fault error code (SDM 3A 4.7). */
#define PF_PRESENT	(1u << 0)
#define PF_WRITE	(1u << 1)
#define PF_USER		(1u << 2)
#define PF_RESERVED	(1u << 3)
#define PF_FETCH	(1u << 4)

#define PHYS_BITS_DEFAULT 40

/* Where one access leads. */
struct walk {
	uint64_t gpa;
	uint8_t page_bits;	/* 12, 21, 22 or 30 */
	uint8_t flags;		/* MAP_*, TLB_GLOBAL, TLB_LARGE */
};

/* Translate for this access by `table`'s rights; sets accessed and dirty
 * bits; raises #PF. */
void paging_walk(struct cpu *c, gva_t a, enum tlb_table table,
		 enum access access, struct walk *out);
/* The same without rights, bits or faults; false: not mapped. */
bool paging_peek(struct cpu *c, gva_t a, uint64_t *gpa);

/* What a translation with these flags lets `table` do: TLB_READ, _WRITE,
 * _EXEC. */
uint8_t paging_rights(const struct cpu *c, uint8_t flags,
		      enum tlb_table table);

/* Load PDPTEs for PAE paging from where `cr3` points (SDM 3A 4.4.1).  False:
 * one has reserved bits set, and nothing has changed. */
bool paging_load_pdptes(struct cpu *c, uint64_t cr3);

/* Physical address bits from MAXPHYADDR up to 51: reserved everywhere. */
uint64_t paging_reserved_bits(const struct cpu *c);

/* The TLB's entry for an access, filled if need be (may raise).  Never for
 * TLB_ALIGN.  Valid until the next fill or flush. */
struct tlb_ref {
	const struct tlb_back *back;
	uint8_t flags;
};
struct tlb_ref tlb_find(struct cpu *c, gva_t a, unsigned table,
			enum access access);
/* After a slow store: the page's code may be gone, let writes go straight. */
void tlb_retag_write(struct cpu *c, gva_t a, unsigned table);

/* The table whose rights the processor's own accesses have. */
static inline unsigned tlb_sys_table(const struct cpu *c)
{
	return c->cr4 & CR4_SMAP ? TLB_SMAP : TLB_SUPERVISOR;
}

#endif
