/* maker.h - a block under construction (block.c), and what its makers share.
 *
 * The state is known in which the next instruction is going to run: each is
 * run at once by the interpreter's functions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAKER_H
#define MAKER_H
#include "cpu/interp/exec.h"
#include "encode.h"
#include "oracle.h"

/* An instruction that may become the next. */
struct candidate {
	struct encoding e;
	uint8_t bytes[15];
	struct insn insn;
};

/* A branch that was not taken, whose target is still to come. */
struct pending {
	uint16_t at;		/* of the displacement */
	uint8_t size;
	uint8_t target;		/* index in block[] */
};

struct maker {
	struct test *t;
	const struct cpu *c;	/* the state now */
	uint64_t r;
	const uint16_t *rows;
	unsigned row_count;
	unsigned most;		/* instructions */
	unsigned at;		/* bytes so far */
	bool ended;		/* by a fault */
	unsigned pendings;
	struct pending pending[BLOCK_MAX_INSNS];
};

extern struct maker m;	/* one at a time */

static inline uint64_t maker_rip(unsigned at)
{
	return m.t->before.rip + at;
}

static inline bool maker_room(void)
{
	return m.t->count < m.most;
}

/* ---- maker.c ---- */

/* All data is made anew for each case: it depends on nothing else. */
void maker_fill_memory(void);
bool maker_writable(uint64_t at, unsigned len);
/* Could an operand here reach memory that need not agree? */
bool maker_near_blur(uint64_t at);
/* May an operand be here without a fault? */
bool maker_in_data(uint64_t at);
/* A linear address for one. */
uint64_t maker_address(void);

bool candidate_decode(struct candidate *c);
/* MOV reg, v, in 32 bits where that is enough; returns where v is. */
unsigned candidate_mov(struct candidate *c, unsigned reg, uint64_t v);

void maker_flags_after(struct test *t, const struct insn *i);
struct block_insn *maker_append(const struct candidate *c, bool reached);
/* From the start to here once more, because the state before has changed or
 * an instruction is taken back.  False: it goes another way now. */
bool maker_replay(void);
/* Change the memory before, if nothing else comes of it. */
bool maker_poke(uint64_t at, uint64_t v, unsigned size);
/* Give the register that value before the next instruction; false: there is no
 * room for it. */
bool maker_set_register(unsigned reg, uint64_t v, unsigned size);

/* ---- aim.c ---- */

uint64_t maker_linear(uint64_t offset, unsigned seg);
uint64_t maker_linear_of(const struct insn *i);	/* the memory operand's */
bool insn_has_vector_index(const struct insn *i);
bool row_is_one_of(const struct insn_row *row, const char *const *names);
/* Have the memory operand in the data, by the displacement or by registers;
 * false: it cannot be. */
bool aim_operand(struct candidate *c);
/* Likewise a register that points to memory without being named. */
bool aim_pointer(unsigned reg, unsigned seg, unsigned size);
/* All those that the instruction uses. */
bool aim_implicit(const struct insn *i);

#endif
