/* cpu/x86/tlb.h - the first level of the software TLB: linear page to host
 * address, for the current address space.  Behind it stands stlb.h.
 *
 * Direct-mapped.  An entry has one tag per kind of access; a tag is the page's
 * linear address when that access may go straight to memory in the page at
 * `host`, else tlb_no_tag(): no right, MMIO, a page with decoded code (writes),
 * a watchpoint, a dirty bit still to be set.  So (a ^ tag) is the offset in the
 * page on a hit, and at least PAGE_SIZE on a miss: one unsigned compare with
 * PAGE_SIZE - size finds both misses and page crossings.
 *
 * One table per kind of rights, so that SYSCALL, IRET, STAC and CLAC switch
 * tables instead of flushing:
 *   0 supervisor, user pages refused by SMAP
 *   1 supervisor, user pages allowed (no SMAP, or RFLAGS.AC)
 *   2 user
 *   3 user with alignment checking on: never filled, so always slow
 * and each of them twice, once more for stores: so that a copy between places
 * that share a slot does not change its entry at every access.
 *
 * Beside each entry, out of the fast path's way, stands what the slow path
 * needs of the translation (struct tlb_back) and a byte of flags, so that a
 * page the fast path may not touch still costs one walk only.  Bitmaps of the
 * slots in use make a flush cost what was used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_TLB_H
#define CPU_X86_TLB_H
#include <stdbool.h>
#include <stdint.h>

#define TLB_BITS	12
#define TLB_SIZE	(1u << TLB_BITS)
#define TLB_TABLES	8
#define PAGE_BITS	12
#define PAGE_SIZE	4096ull
#define PAGE_MASK	(~(PAGE_SIZE - 1))

typedef uint64_t gva_t;			/* linear address */

enum tlb_table { TLB_SMAP, TLB_SUPERVISOR, TLB_USER, TLB_ALIGN };
#define TLB_WRITES	4u	/* | enum tlb_table: the table that stores use */

struct tlb_entry {
	uint64_t read;			/* tags: read, */
	union {
		uint64_t write;		/* write: in tables of TLB_WRITES */
		uint64_t addend;	/* in others: host minus linear */
	};
	uint64_t exec;			/* and exec */
	uintptr_t host;			/* address of the page */
};

/* flags[] of an entry; 0: empty. */
#define TLB_READ	0x01u	/* the translation allows it ... */
#define TLB_WRITE	0x02u	/* ... (and the dirty bit is set) */
#define TLB_EXEC	0x04u
#define TLB_GLOBAL	0x08u	/* stays over MOV to CR3 */
#define TLB_ROM		0x10u	/* writes are dropped */
#define TLB_WATCHED	0x20u	/* a data watchpoint is in the page */
#define TLB_LARGE	0x40u	/* part of a page over 4 KiB */
#define TLB_VALID	0x80u

struct tlb_back {
	gva_t page;
	uint64_t gpa;		/* of the page */
	uint8_t *hva;		/* of the page; NULL: not RAM or ROM */
	uint8_t *code;		/* its code byte (bus.h), or NULL */
};

struct tlb {
	struct tlb_entry entry[TLB_TABLES][TLB_SIZE];
	uint8_t flags[TLB_TABLES][TLB_SIZE];
	struct tlb_back back[TLB_TABLES][TLB_SIZE];
	/* Slots in use; [1] those with TLB_GLOBAL. */
	uint64_t live[2][TLB_TABLES][TLB_SIZE / 64];
	uint32_t generation;	/* of the bus map the entries are from */
	bool ready;		/* has been emptied once */
};

static inline unsigned tlb_slot(gva_t a)
{
	return a >> PAGE_BITS & (TLB_SIZE - 1);
}

/* A tag that no address of the slot hits, canonical or not. */
static inline uint64_t tlb_no_tag(unsigned slot)
{
	return ~((uint64_t)slot << PAGE_BITS);
}
#endif
