/* cpu/jit/tr.h - one block while it is translated, and what its parts of the
 * work share.
 *
 * Registers.  Guest RAX to R12 are in host registers, of the same number but
 * for RSP, which is in R13; guest R13, R14 and R15 stay in struct cpu.  The
 * host's RSP is C's stack; its R14 (TR_A) and R15 (TR_B) are scratch between
 * any two instructions.
 *
 * Flags.  `host_ok` and `cpu_ok` say where the arithmetic flags are right at
 * the point that code is being written for; where both are false, nobody
 * reads them.
 *
 * Cold code (what is seldom run) is written after the block's own: a struct
 * cold remembers the jump to it and where it comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_TR_H
#define CPU_JIT_TR_H
#include "cpu/jit/jit.h"
#include "cpu/jit/kind.h"
#include "cpu/jit/ops.h"

#define TR_A H_R14
#define TR_B H_R15

enum cold_kind {
	COLD_EXEC,	/* run the instruction's exec function, come back */
	COLD_EXEC_END,	/* run it and leave */
	COLD_VECTORS,	/* bring the vector registers in, come back */
	COLD_EXIT,	/* leave by an exit that can be linked */
	COLD_EVENT,	/* leave at a place of the page */
	COLD_STEP,	/* leave to have the instruction there stepped */
	COLD_LOOKUP,	/* a jump to another page */
	COLD_SECOND,	/* look for the RIP in the neighbour too */
	COLD_RELOAD,	/* lookup found the RIP with a wrong tag */
	COLD_MISS,	/* leave for the RIP in TR_A */
	COLD_CALL_MISS,	/* the same after a call's push */
	COLD_RETURN,	/* not where the last call came from */
	COLD_DEEP,	/* too many calls are open */
};

struct cold {
	uint8_t kind;
	uint8_t flags;		/* enum flags_at on the way */
	bool restore;		/* flags are wanted in the host's when back */
	uint8_t *site;		/* rel32 of the jump to here */
	uint8_t *back;
	const struct insn *insn;
	struct jit_exit *exit;
	int32_t target;		/* offset from the page's start */
	/* COLD_EXEC of a read: bytes that may lie in two pages, and where the
	 * instruction itself is; else 0. */
	uint8_t crossing;
	const uint8_t *itself;
	uint8_t base;		/* its operand is at base + TR_B + disp ... */
	int32_t disp;		/* ... or H_NONE: at TR_A + TR_B or TR_A */
	unsigned miss;		/* of lookups: the enum cold_kind to go on as */
	uint8_t why;		/* enum op_why of what runs insn */
	uint8_t at;		/* the instruction it belongs to */
	uint8_t *code;
};

#define INSN_LEN_MAX 15

/* A call's frame on the host's stack: the host's return address, the guest's
 * return RIP. */
#define TR_FRAME_RIP 8

/* An indirect call has most. */
#define TR_COLD_MAX (JIT_INSNS_MAX * 8)

/* A stretch of memory that several instructions access (group.c). */
struct group {
	int32_t low, high;	/* first byte, and after the last */
	bool write;
	unsigned count, head;	/* accesses; instruction of the first */
	unsigned align;		/* low is to be a multiple of it, or 0 */
	int32_t aligned_at;
};

struct in_group {
	int8_t group;		/* of the instruction's access, or -1 */
	int32_t at;		/* in the group's measure */
};

struct tr {
	struct cpu *c;
	struct jit *j;
	struct code k;
	struct jit_block *b;
	unsigned key, mode, table;
	bool flat;
	const uint8_t *page;		/* hva */
	const uint8_t *avail_end;	/* of what may be read */
	unsigned count;
	struct insn insn[JIT_INSNS_MAX];
	bool loop;			/* all of it is one (loop.c) */
	const uint8_t *again;		/* where it goes on from its end */
	unsigned lent;
	struct {
		uint8_t guest;		/* R13, R14 or R15 ... */
		uint8_t host;		/* ... is in this register ... */
	} lend[3];			/* ... of a guest register not used */
	uint8_t host[16];		/* where guest registers are, or H_NONE */
	/* Conditional jump n goes on, when taken, with instruction n + 1: a
	 * small loop is there several times. */
	bool follow[JIT_INSNS_MAX];
	uint32_t live[JIT_INSNS_MAX];	/* flags read after instruction n */
	uint32_t live_in;
	unsigned at;			/* the instruction being written */
	bool host_ok, cpu_ok;
	uint8_t vectors;		/* VEC_ bits known to be set */
	unsigned groups;
	struct group group[JIT_GROUPS];
	struct in_group in[JIT_INSNS_MAX];
	unsigned poll_after;		/* events are looked at after it */
	const struct insn *last_of;	/* what tr_keep() kept last, as what */
	struct insn *last_kept;
	/* Groups whose addresses TR_A and TR_B hold, -1: none. */
	int loaded, loaded_b;
	/* The operand is at base + index (TR_B or H_NONE) + disp.  The base is
	 * TR_A, TR_B, or the register that the guest's operand names. */
	unsigned base, index;
	int32_t disp;
	int32_t sp_ahead;		/* the guest's RSP is H_R13 + that */
	unsigned colds;
	struct cold cold[TR_COLD_MAX];
	/* Where the block's parts begin, for codelog.c. */
	uint8_t *hot, *cold_code, *hot_of[JIT_INSNS_MAX];
	unsigned written;		/* of the instructions decoded */
};

/* ---- flags.c ---- */

/* Flags that i reads if `live` of those it sets are read after it. */
uint32_t tr_flags_used(const struct insn *i, uint32_t live);
uint32_t tr_flags_set(const struct insn *i);
/* Fill live[], live_in. */
void tr_liveness(struct tr *t);
/* Flags read from this place of the page on. */
uint32_t tr_live_at(const struct tr *t, int32_t target);
/* Where the block wants its flags on entry. */
enum flags_at tr_flags_wanted(const struct tr *t);
/* The host's flags go to struct cpu; destroys RAX. */
void tr_put_store_flags(struct code *k, const struct cpu *c);
/* Code that saves, brings back. */
void tr_put_save_flags(struct tr *t);
void tr_put_load_flags(struct tr *t);
/* The next code destroys the host's flags, of which `live` are still wanted. */
void tr_clobber_flags(struct tr *t, uint32_t live);
void tr_flags_to_host(struct tr *t);
/* All that is live must be in struct cpu. */
void tr_flags_to_cpu(struct tr *t, uint32_t live);

/* ---- encode.c ---- */

/* Where the operands of an instruction go. */
struct places {
	uint8_t reg, rm, vvvv, low;	/* enum host_reg; low: in the opcode */
	bool memory;			/* rm is the base of the operand ... */
	uint8_t index;			/* ... and that its index, if not 0 */
	uint8_t flip;			/* XORed with the opcode */
	int32_t disp;
};

enum place { PLACE_NONE, PLACE_REG, PLACE_RM, PLACE_VVVV, PLACE_LOW,
	     PLACE_LAST, PLACE_FIXED, PLACE_IMM };

enum place tr_place_of(enum operand_code code);
void tr_put_insn(struct code *k, const struct insn *i,
		 const struct places *p);

/* Where a guest register is between blocks. */
static inline unsigned tr_home_of(unsigned gpr)
{
	if (gpr == RSP)
		return H_R13;
	return gpr < R13 ? gpr : H_NONE;
}

static inline void tr_forget_scratch(struct tr *t)
{
	t->loaded = t->loaded_b = -1;
}

static inline uint32_t tr_gpr_address(const struct tr *t, unsigned gpr)
{
	return low32(&t->c->gpr[gpr]);
}

/* ---- access.c ---- */

/* A guest register's value in a host register: its own, or `scratch`. */
unsigned tr_get(struct tr *t, unsigned gpr, unsigned scratch);
void tr_put_effective_address(struct tr *t, const struct insn *i,
			      unsigned to, int64_t more, bool wide);
/* Can the operand's address be made here? */
bool tr_address_ok(const struct tr *t, const struct insn *i);
/* Afterwards the operand is at the host's [TR_A + t->disp].  What misses goes to
 * cold code that runs i and comes back to tr_cold_back(); NULL: there is none.
 * align: 0, 16 or 32.  The first for memory operand n of i, the second for the
 * stack, at a host register + disp.  With `both` TR_B may be part of the
 * address too: see t->base. */
struct cold *tr_put_operand(struct tr *t, const struct insn *i, unsigned n,
			    enum access access, unsigned align, bool both);
struct cold *tr_put_stack(struct tr *t, const struct insn *i, unsigned base,
			  int32_t disp, enum access access);
/* TR_B = the host's address of the RCX elements at the guest's `base`.  Destroys
 * TR_A and the flags; if they do not end in their page, or the TLB has it not,
 * cold code runs i. */
void tr_put_stretch(struct tr *t, const struct insn *i, unsigned base,
		    unsigned scale, enum access access);
/* The beginning of cold code with x->crossing. */
void tr_put_cold_crossing(struct tr *t, const struct cold *x);
/* TR_A holds the linear address of a page: leaves as `miss` with `target`
 * unless the code of the page is at this host address. */
void tr_put_fetch_check(struct tr *t, uint64_t hva, enum cold_kind miss,
			int32_t target);

/* ---- group.c ---- */

/* Fill t->group and t->in. */
void tr_find_groups(struct tr *t);

/* ---- loop.c ---- */

/* After the last instruction that was decoded, of a block at offset `start`:
 * a small loop that ends there is written several times.  True: the block
 * ends, perhaps before. */
bool tr_loop(struct tr *t, unsigned start);
/* May guest registers that have none be in host registers, in the loop? */
void tr_choose_lent(struct tr *t);
/* Code that brings them there, and back to where others look for them.  Leaves
 * the flags alone. */
void tr_put_lend(struct tr *t);
void tr_put_lent_back(struct tr *t);

/* ---- translate.c ---- */

struct cold *tr_cold(struct tr *t, enum cold_kind kind, uint8_t *site);
/* i's fast path is done: cold code comes back here. */
void tr_cold_back(struct tr *t, struct cold *x);	/* x may be NULL */
/* i kept for as long as the code. */
struct insn *tr_keep(struct tr *t, const struct insn *i);
void tr_put_exec(struct tr *t, const struct insn *i);
void tr_put_exec_end(struct tr *t, const struct insn *i);
static inline const struct insn *tr_insn(const struct tr *t)
{
	return &t->insn[t->at];
}

/* Flags that are read after instruction `at` and not set by it. */
static inline uint32_t tr_live_over(const struct tr *t)
{
	return t->live[t->at] & ~tr_flags_set(tr_insn(t));
}

/* Flags that must be right when instruction `at` begins. */
static inline uint32_t tr_live_before(const struct tr *t)
{
	if (t->j->exact_flags)
		return FLAGS_ARITH;
	return tr_live_over(t) | tr_flags_used(tr_insn(t), t->live[t->at]);
}

/* Code that runs at privilege 0 to 2, as far as the block knows. */
static inline bool tr_in_kernel(const struct tr *t)
{
	return t->flat && t->table < TLB_USER;
}

/* ---- copy.c, stack.c, flow.c, intflag.c: false: not of a form they know, and
 * nothing has been written ---- */

bool tr_copy_possible(const struct tr *t, const struct insn *i,
		      enum kind kind);
bool tr_copy(struct tr *t, const struct insn *i, enum kind kind);
/* Number of the operand in memory, -1 if there is none. */
int tr_memory_operand(const struct insn *i);
enum access tr_access_of(const struct insn *i, enum kind kind, unsigned n);
bool tr_divide(struct tr *t, const struct insn *i, bool is_signed);
bool tr_lea(struct tr *t, const struct insn *i);
bool tr_push(struct tr *t, const struct insn *i);
bool tr_pop(struct tr *t, const struct insn *i);
bool tr_leave(struct tr *t, const struct insn *i);
/* Before i is written: H_R13 becomes RSP, unless i can do without. */
void tr_settle_sp_for(struct tr *t, const struct insn *i);
void tr_settle_sp(struct tr *t);
bool tr_vector(struct tr *t, const struct insn *i);
bool tr_string(struct tr *t, const struct insn *i);
bool tr_cli(struct tr *t, const struct insn *i);
bool tr_sti(struct tr *t, const struct insn *i);
bool tr_swapgs(struct tr *t, const struct insn *i);
bool tr_pushf(struct tr *t, const struct insn *i);
/* Has tr_flow() code for i? */
bool tr_flow_ok(const struct tr *t, const struct insn *i);
bool tr_flow(struct tr *t, const struct insn *i, enum kind kind);
/* Leave for C at a place of the page if there are events; `live` flags stay. */
void tr_put_poll(struct tr *t, int32_t target, uint32_t live);
/* Go on at an offset from the page's start. */
void tr_put_goto(struct tr *t, int32_t target);
/* The cold places from this one on lead to a plain block instead. */
void tr_cold_plain(struct tr *t, unsigned first);
/* Cold code of jumps. */
void tr_put_cold_flow(struct tr *t, struct cold *x);

#endif
