/* cpu/x86/mem.h - how instructions reach memory, by linear address.
 *
 * The inline functions serve TLB hits; all else - misses, page crossings,
 * MMIO, faults, watchpoints, code pages - is in mem.c.  All may raise #PF or
 * #AC; a crossing write checks both pages before it stores a byte.
 *
 * "sys" accesses are the processor's own (descriptor tables, TSS, IDT): always
 * with supervisor rights, whatever the CPL, and never alignment-checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_MEM_H
#define CPU_X86_MEM_H
#include <string.h>

#include "base/bytes.h"
#include "cpu/x86/state.h"

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC, ACCESS_RMW };

/* table is enum tlb_table: whose rights. */
uint64_t mem_read_slow(struct cpu *c, gva_t a, unsigned size, unsigned table);
void mem_write_slow(struct cpu *c, gva_t a, uint64_t v, unsigned size,
		    unsigned table);

/* Host address of [a, a+size) if a TLB hit within one page, else NULL. */
static inline void *mem_hit_read(struct cpu *c, gva_t a, unsigned size,
				 unsigned table)
{
	const struct tlb_entry *e = &c->tlb.entry[table][tlb_slot(a)];
	uint64_t off = a ^ e->read;

	if (likely(off <= PAGE_SIZE - size))
		return (void *)(e->host + off);
	return NULL;
}

static inline void *mem_hit_write(struct cpu *c, gva_t a, unsigned size,
				  unsigned table)
{
	const struct tlb_entry *e =
		&c->tlb.entry[table | TLB_WRITES][tlb_slot(a)];
	uint64_t off = a ^ e->write;

	if (likely(off <= PAGE_SIZE - size))
		return (void *)(e->host + off);
	return NULL;
}

#define MEM_FUNCTIONS(bits)                                                   \
	static inline uint##bits##_t mem_read##bits(struct cpu *c, gva_t a)   \
	{                                                                     \
		void *p = mem_hit_read(c, a, bits / 8, c->tlb_index);         \
		uint##bits##_t v;                                             \
									      \
		if (unlikely(!p))                                             \
			return (uint##bits##_t)mem_read_slow(                 \
				c, a, bits / 8, c->tlb_index);                \
		memcpy(&v, p, sizeof(v));                                     \
		return v;                                                     \
	}                                                                     \
	static inline void mem_write##bits(struct cpu *c, gva_t a,            \
					   uint##bits##_t v)                  \
	{                                                                     \
		void *p = mem_hit_write(c, a, bits / 8, c->tlb_index);        \
									      \
		if (unlikely(!p))                                             \
			mem_write_slow(c, a, v, bits / 8, c->tlb_index);      \
		else                                                          \
			memcpy(p, &v, sizeof(v));                             \
	}
MEM_FUNCTIONS(8)
MEM_FUNCTIONS(16)
MEM_FUNCTIONS(32)
MEM_FUNCTIONS(64)
#undef MEM_FUNCTIONS

/* size is 1, 2, 4 or 8. */
uint64_t mem_read(struct cpu *c, gva_t a, unsigned size);
void mem_write(struct cpu *c, gva_t a, uint64_t v, unsigned size);
uint64_t mem_read_sys(struct cpu *c, gva_t a, unsigned size);
void mem_write_sys(struct cpu *c, gva_t a, uint64_t v, unsigned size);
/* As if at this privilege (0-3): stacks of gates and far returns. */
uint64_t mem_read_as(struct cpu *c, gva_t a, unsigned size, unsigned cpl);
void mem_write_as(struct cpu *c, gva_t a, uint64_t v, unsigned size,
		  unsigned cpl);

/* Any length up to a page (vectors, x87, FXSAVE).  A block write checks every
 * page before it stores. */
void mem_read_block(struct cpu *c, gva_t a, void *buf, unsigned len);
void mem_write_block(struct cpu *c, gva_t a, const void *buf, unsigned len);

/* Raise whatever accessing [a, a+len) would raise, and do nothing else. */
void mem_probe(struct cpu *c, gva_t a, unsigned len, enum access access);

/* Host address for a read-modify-write (checks write permission, sets A and D
 * bits) of `size` bytes, or NULL where host memory cannot serve: MMIO, ROM, a
 * page crossing, a watched page.  Then use the read and write calls under
 * mem_rmw_begin()/end(), which make the pair atomic against other vCPUs' own
 * slow pairs.  mem_rmw_* nest no further.
 *
 * A page with code is served too: only a host atomic is atomic against other
 * vCPUs' plain stores.  The engine is told by mem_rmw_tell(), for which this
 * raises VCPU_SYNC and ends the block. */
void *mem_rmw_host(struct cpu *c, gva_t a, unsigned size);
void mem_rmw_tell(struct cpu *c);	/* the main loop, on VCPU_SYNC */
void mem_rmw_begin(struct cpu *c);
void mem_rmw_end(struct cpu *c);
/* code_written(), which waits for mem_rmw_end() in between. */
void mem_tell_code(struct cpu *c, uint64_t gpa, unsigned len);
/* The main loop, when a fault has jumped out: ends a pair left open. */
void mem_rmw_abort(struct cpu *c);

/* Like the hit functions, but fill the TLB on a miss (may raise), and tell how
 * many bytes from `a` may be touched directly (to the end of the page); NULL:
 * not plain memory, go byte by byte.  For REP string runs. */
uint8_t *mem_run(struct cpu *c, gva_t a, enum access access, uint64_t *len);

/* Fetch: host address and physical address of the code at a, to the end of the
 * page; raises #PF with the fetch bit.  NULL for code outside RAM: then
 * mem_fetch_byte() reads it through the bus. */
const uint8_t *mem_fetch(struct cpu *c, gva_t a, uint64_t *gpa);
uint8_t mem_fetch_byte(struct cpu *c, gva_t a);

/* Debugger's eye: translate with current CR3, no rights checked, no bits set,
 * nothing raised.  False: not mapped. */
bool mem_debug_translate(struct cpu *c, gva_t a, uint64_t *gpa);

/* ---- TLB upkeep (tlb.c) ---- */
void tlb_flush_all(struct cpu *c);		/* every PCID, global pages */
void tlb_flush_nonglobal(struct cpu *c);	/* every PCID */
void tlb_flush_page(struct cpu *c, gva_t a);	/* INVLPG */
void tlb_flush_pcid(struct cpu *c, unsigned pcid);	/* nonglobal pages */
void tlb_flush_pcid_page(struct cpu *c, unsigned pcid, gva_t a);
/* CR3 has been loaded; keep: with what is cached of its PCID. */
void tlb_switch(struct cpu *c, bool keep);
/* Writes to this RAM page (by its code byte's page) must be seen from now on:
 * drop write tags that reach it.  Own thread, or a parked vCPU. */
void tlb_protect_page(struct cpu *c, const uint8_t *hva_page);
/* The bus map or the A20 gate may have changed: flush if so.  For the main
 * loop, between blocks. */
void tlb_check_generation(struct cpu *c);

/* Called by mem.c after a store to a RAM page whose code byte is not 0; the
 * engines drop what they made from those bytes (cpu/code.c).  May wait for
 * other vCPUs: the caller holds no lock. */
void code_written(struct cpu *c, uint64_t gpa, unsigned len);

#endif
