/* cpu/x86/stlb.h - the second-level TLB: translations of several address
 * spaces, as the page tables have them.
 *
 * What the first level (tlb.h) has no room for, or loses when CR3 changes,
 * comes back from here without a page walk.  Set-associative.  A translation
 * says what the tables say; what that lets an access do follows from CR0, CR4
 * and who asks (paging_rights), so user and supervisor share it.
 *
 * Address spaces have numbers.  Each PCID has one, global pages have one in
 * common; a line holds while its number is the PCID's or the common one.  To
 * flush is to give out a new number, whatever the size.  A second number per
 * PCID, its epoch, is for what is kept elsewhere by linear address (struct cpu,
 * map_epoch): it also moves when one page is flushed.  Numbers below a floor
 * no longer hold, so that all PCIDs are flushed at once.
 *
 * Pages over 4 KiB are kept in pieces of 2 MiB (4 MiB pages two, 1 GiB pages
 * those that were touched) without the host's address, which is looked up for
 * the 4 KiB that the first level takes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_STLB_H
#define CPU_X86_STLB_H
#include <stdbool.h>
#include <stdint.h>

#include "cpu/x86/tlb.h"

#define STLB_WAYS	4
#define STLB_SETS	1024u
#define STLB_LARGE_SETS	64u
#define STLB_LARGE_BITS	21
#define PCID_COUNT	4096u

/* flags of a translation; besides TLB_GLOBAL, _ROM, _WATCHED and _LARGE. */
#define MAP_USER	0x01u	/* all entries on the way have U/S set ... */
#define MAP_WRITE	0x02u	/* ... R/W set */
#define MAP_NX		0x04u	/* one has XD set */
#define MAP_DIRTY	0x80u	/* writes need not set the dirty bit */

struct translation {
	uint64_t gpa;		/* of the page */
	uint8_t *hva;		/* of the page; NULL: not RAM or ROM */
	uint8_t *code;		/* its code byte (bus.h), or NULL */
	uint8_t flags;
};

struct stlb_set {
	gva_t page[STLB_WAYS];
	uint32_t space[STLB_WAYS];	/* 0: empty */
	uint8_t next;			/* way to replace */
	struct translation to[STLB_WAYS];
} __attribute__((aligned(64)));		/* a search looks at one line */

struct gva_range {
	gva_t low, high;		/* both within; low > high: empty */
};

struct stlb {
	struct stlb_set small[STLB_SETS], large[STLB_LARGE_SETS];
	struct { uint32_t space, epoch; } pcid[PCID_COUNT];
	uint32_t last;			/* the last number given out */
	uint32_t space_floor, epoch_floor;
	uint32_t space, global;		/* of the current PCID, of global pages */
	/* Where large and global pages have been seen since all was dropped,
	 * in the lower and upper half of the addresses, and the largest. */
	struct gva_range large_seen[2], global_seen[2];
	uint8_t large_bits;
};

/* Make `pcid` the current one; returns its epoch.  Also after each drop. */
uint32_t stlb_enter(struct stlb *s, unsigned pcid);

/* The 4 KiB page at a, or (TLB_LARGE in flags) the 2 MiB piece around it. */
bool stlb_find(const struct stlb *s, gva_t a, struct translation *out);
/* Enter into the current space: page_bits is the page's, what `t` says of 4 KiB
 * or of the 2 MiB piece. */
void stlb_add(struct stlb *s, gva_t a, unsigned page_bits,
	      const struct translation *t);

void stlb_drop_all(struct stlb *s);
void stlb_drop_spaces(struct stlb *s);	/* all but global pages */
void stlb_drop_space(struct stlb *s, unsigned pcid);
/* The page of that size at a; `global`: also if it is global. */
void stlb_drop_page(struct stlb *s, unsigned pcid, gva_t a, bool global);

/* May the page at a be part of a large one that is kept here? */
static inline bool stlb_maybe_large(const struct stlb *s, gva_t a)
{
	const struct gva_range *r = &s->large_seen[a >> 63];

	return a >= r->low && a <= r->high;
}
#endif
