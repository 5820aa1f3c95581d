/* cpu/jit/jit.h - the translator: guest code run as host code of the same
 * instruction set.
 *
 * One struct jit per vCPU, touched by its own thread, or by whoever holds the
 * vCPU (vcpu_exclusive): no locks.
 *
 * A block is a run of instructions within one 4 KiB page, with jumps out of it
 * on the way, or one instruction that crosses into the next page.  It is found
 * by the host address of its first byte and a key of what else it was
 * translated for, so all linear addresses of a page share it: translated code
 * knows its own address only as an offset into the page at `page_rip`.
 *
 * docs/internals/jit.md tells how it all works.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_JIT_H
#define CPU_JIT_JIT_H
#include "cpu/interp/exec.h"
#include "cpu/jit/asm.h"
#include "host/codemem.h"

#define JIT_INSNS_MAX	64		/* of a block */
#define JIT_GROUPS	16
#define JIT_EXITS_MAX	(JIT_INSNS_MAX + 2 * JIT_GROUPS + 2)

/* Where the arithmetic flags are. */
enum flags_at {
	FLAGS_DEAD,		/* nobody will read them */
	FLAGS_HOST,		/* in the host's flags */
	FLAGS_CPU,		/* in c->arith and c->of */
};

/* What a block depends on besides its bytes. */
#define KEY_MODE	0x03u	/* enum code_mode */
#define KEY_TABLE	0x0cu	/* enum tlb_table of data accesses << 2 */
#define KEY_FLAT	0x10u	/* CS, DS, ES, SS span all addresses from 0 */
#define KEY_PLAIN	0x20u	/* no groups of accesses (group.c) */
#define KEY_COUNT	0x40u

struct check;
struct jit_block;

/* A way out of a block to another place of the page. */
struct jit_exit {
	struct jit_block *from, *to;	/* to: NULL while not linked */
	struct jit_exit *next_incoming;	/* in to->incoming */
	uint8_t *site;			/* the jump's rel32 */
	const uint8_t *stub;		/* where it goes unlinked */
	uint16_t target;		/* offset in the page */
	uint8_t flags;			/* enum flags_at */
	bool plain;			/* to a KEY_PLAIN block */
};

struct jit_block {
	const uint8_t *hva;
	/* Of the part in the next page, if the block is one instruction that
	 * crosses into it; else NULL. */
	const uint8_t *hva2;
	struct jit_block *next_in_slot, *next_in_page, *next_in_page2;
	struct jit_exit *incoming;
	const uint8_t *entry_host;	/* with flags in the host's */
	const uint8_t *entry_cpu;	/* with flags in c->arith */
	uint16_t bytes;
	/* Offsets in the page of the code behind its jumps that says which
	 * flags are dead: [look_low, look_high). */
	uint16_t look_low, look_high;
	uint8_t key;
	uint8_t exits;
	struct jit_exit exit[];
};

/* Targets of indirect jumps and jumps between pages, by RIP: in one of two
 * neighbours. */
struct jump_entry {
	uint64_t rip;
	uint64_t page_rip;		/* of rip's page */
	const uint8_t *code;		/* where it runs: entry_cpu */
	uint64_t tag;			/* see struct vcpu_port */
};

#define JIT_TAGS	256		/* a power of two */

#define JUMP_BITS	13
#define JUMP_SIZE	(1u << JUMP_BITS)
/* Which entry a RIP has depends on the tag, for the kernel's RIPs are the same
 * in each address space, but not their tags.  An entry's offset in the table
 * is a CRC of the RIP that starts from the tag; on a host without that
 * instruction (RIP ^ RIP >> JUMP_SHIFT ^ tag) * 32; cut to JUMP_OFFSETS. */
#define JUMP_SHIFT	PAGE_BITS
#define JUMP_OFFSETS	((JUMP_SIZE - 1) * (uint32_t)sizeof(struct jump_entry))

/* Routines that all blocks call, in code memory (stubs.c). */
struct jit_stubs {
	const uint8_t *enter;		/* jit_enter() calls it */
	/* r14: insn.  Runs its exec function; comes back, or leaves. */
	const uint8_t *exec;
	const uint8_t *exec_end;	/* jumped to; always leaves */
	const uint8_t *vec_enable;	/* r14: insn */
	/* r14: linear address, r15: size.  r14 = where a copy is, or 0. */
	const uint8_t *crossing;
	/* Leave.  r14: exit or 0; r15: offset of rip in the page. */
	const uint8_t *leave_host;	/* flags are in the host's */
	const uint8_t *leave_cpu;
	const uint8_t *leave_rip;	/* r14: rip; flags in c */
};

struct jit_stats {
	uint64_t blocks, insns, flushes, drops, links, enters, misses;
};

struct jit {
	/* ---- read by translated code, by absolute address ---- */
	uint64_t page_rip;	/* RIP of the page that runs */
	uint64_t host_rsp;	/* of enter's frame */
	uint64_t rsp_limit;	/* calls below it forget where to return */
	uint64_t scratch;
	uint64_t group[JIT_GROUPS];	/* host addresses (group.c) */
	uint32_t host_mxcsr;	/* C's */
	uint8_t step;		/* the instruction at rip is to be stepped */
	uint8_t vectors;	/* VEC_ bits: the guest's are in the host's */
	uint64_t crossed[8] __attribute__((aligned(64)));
	struct jump_entry jump[JUMP_SIZE];
	/* ---- the rest ---- */
	struct codemem mem;
	struct jit_stubs stub;
	uint8_t *hot, *hot_end, *cold, *cold_end;	/* code yet free */
	uint8_t *hot_start, *cold_start;
	struct insn *insns;	/* kept for exec functions: low memory */
	size_t insns_used, insns_max;
	uint8_t *blocks;	/* struct jit_block, one after another */
	size_t blocks_used, blocks_max;
	struct jit_block **slot, **page, **page2;
	uint32_t tag_counter;
	struct jit_tag {
		uint32_t map_epoch, code_epoch, key, tag;
	} tag[JIT_TAGS];
	uint32_t code_epoch;	/* moves when a block is dropped */
	uint8_t watched;	/* lines of the page of the block being made,
				 * whose stores are told (cpu/code.h) */
	struct jit_stats stats;
	struct jit_ops *ops;	/* -d op_stats; else NULL */
	struct check *check;	/* of check=N, or NULL (check.h) */
	bool bmi2, avx, crc;	/* the host has it */
	bool apart;		/* blocks always come back to C */
	bool exact_flags;
};

#define VEC_SSE	1u		/* vector registers are in the host's ... */
#define VEC_AVX	2u		/* ... and AVX instructions may run */
#define VEC_UPPER	4u		/* upper halves were not all 0 when loaded */

static inline uint32_t low32(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

/* Where the host executes what is written at w. */
static inline const uint8_t *jit_run_address(const struct jit *j,
					     const uint8_t *w)
{
	return j->mem.run + (w - j->mem.write);
}

/* jit.c: run the code, of the block at c->rip, until it comes back. */
struct jit_exit *jit_enter(struct cpu *c, const uint8_t *code);

/* stubs.c */
void jit_make_stubs(struct cpu *c, struct jit *j);

/* translate.c: the block at hva, of which [hva, hva + avail) may be read; NULL
 * if not one instruction lies in it whole.  With hva2, the one instruction
 * that begins with the `avail` bytes at hva and goes on at hva2; NULL if there
 * is no such one. */
struct jit_block *jit_translate(struct cpu *c, const uint8_t *hva,
				unsigned avail, const uint8_t *hva2,
				unsigned key);

#endif
