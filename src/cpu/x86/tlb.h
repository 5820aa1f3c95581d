/* cpu/x86/tlb.h - the software TLB: guest-virtual page to host address.
 *
 * Direct-mapped.  An entry has one tag per kind of access; a tag equals the
 * page's linear address when that access may go straight to memory at
 * gva + addend, and has low bits set (so never equals) when it must take the
 * slow path: no right, MMIO, a page with decoded code (writes), a watchpoint,
 * a dirty bit still to be set.
 *
 * One table per kind of rights, so that SYSCALL, IRET, STAC and CLAC switch
 * tables instead of flushing:
 *   0 supervisor, user pages refused by SMAP
 *   1 supervisor, user pages allowed (no SMAP, or RFLAGS.AC)
 *   2 user
 *   3 user with alignment checking on: never filled, so always slow
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_TLB_H
#define CPU_X86_TLB_H
#include <stdint.h>

#define TLB_BITS	10
#define TLB_SIZE	(1u << TLB_BITS)
#define TLB_TABLES	4
#define TLB_NONE	(~0ull)		/* a tag no address equals */
#define PAGE_BITS	12
#define PAGE_SIZE	4096ull
#define PAGE_MASK	(~(PAGE_SIZE - 1))

typedef uint64_t gva_t;			/* linear address */

enum tlb_table { TLB_SMAP, TLB_SUPERVISOR, TLB_USER, TLB_ALIGN };

struct tlb_entry {
	uint64_t read, write, exec;	/* tags */
	uintptr_t addend;		/* hva - gva */
};

struct tlb {
	struct tlb_entry entry[TLB_TABLES][TLB_SIZE];
};

static inline unsigned tlb_slot(gva_t a)
{
	return a >> PAGE_BITS & (TLB_SIZE - 1);
}
#endif
