/* cpu/jit/stubs.c - routines in code memory that all blocks use: entering and
 * leaving translated code, and calling C from it.
 *
 * While translated code runs the stack pointer is a multiple of 16: where enter
 * left it, and a frame less for each open call (flow.c); where code leaves for
 * good it may be anything below.  Guest registers are in the host's (tr.h) and
 * everything else of the guest in struct cpu, but for the vector registers,
 * which are in the host's while j->vectors is not 0.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/jit/tr.h"
#include "cpu/jit/vectors.h"
#include "cpu/vcpu.h"

/* enter's frame: what a return compares with where no call is open, and the
 * alignment; and the stack that open calls may fill. */
#define FRAME_BYTES	40
#define CALLS_BYTES	(256 * 1024)
#define NO_RIP		(1ull << 63)	/* not canonical */

/* The most that a copied instruction reads at once: a YMM register. */
#define READ_MAX	32

/* ---- what C does for them ---- */

/* True: leave translated code. */
static bool run_exec(struct cpu *c, const struct insn *i)
{
	uint64_t rip = c->jit->page_rip + i->end;
	unsigned key = c->mode | (unsigned)c->tlb_index << 2;

	c->insn = i;
	c->rip = c->mode == CODE64 ? rip : (uint32_t)rip;
	i->exec(c, i);
	c->insn = NULL;
	return c->stop_block ||
	       key != (c->mode | (unsigned)c->tlb_index << 2) ||
	       unlikely(*c->bus_generation != c->tlb.generation);
}

/* A read of [a, a + size) in two pages that the TLB knows: its bytes together,
 * else NULL.  The vector registers are the guest's: C must not touch them.  As
 * many bytes as can be wanted are copied from either side of the border. */
static __attribute__((target("general-regs-only"))) const uint8_t *
read_crossing(struct cpu *c, gva_t a, uint64_t size)
{
	const struct tlb_entry *table = c->tlb.entry[c->tlb_index];
	gva_t next = (a & PAGE_MASK) + PAGE_SIZE;
	const struct tlb_entry *e[2] = { &table[tlb_slot(a)] };
	uint64_t *to = c->jit->crossed, first = next - a;
	const uint64_t *low, *high;

	e[1] = &table[tlb_slot(next)];
	/* Past 4 GiB is past the limit outside 64-bit code. */
	if (first >= size || (c->mode != CODE64 && next >> 32) ||
	    (a ^ e[0]->read) >= PAGE_SIZE || e[1]->read != next)
		return NULL;
	low = (const uint64_t *)(e[0]->host + PAGE_SIZE - READ_MAX);
	high = (const uint64_t *)e[1]->host;
	for (unsigned n = 0; n < READ_MAX / 8; n++) {
		to[n] = low[n];
		to[n + READ_MAX / 8] = high[n];
	}
	return (const uint8_t *)to + READ_MAX - first;
}

/* ---- pieces ---- */

static void put_spill(struct code *k, struct cpu *c, bool load)
{
	for (unsigned r = 0; r < 16; r++)
		if (tr_home_of(r) != H_NONE)
			asm_abs(k, true, load ? OP_LOAD : OP_STORE,
				tr_home_of(r), low32(&c->gpr[r]));
}

static void put_call_c(struct code *k, const void *fn)
{
	asm_load_imm(k, H_RAX, (uintptr_t)fn);
	PUT(k, 0xff, 0xd0);				/* call rax */
}

static void put_sub_rsp(struct code *k, int n)
{
	asm_imm(k, true, n < 0 ? 0 : 5, H_RSP, n < 0 ? -n : n);
}

/* VMOVUPS of all registers. */
static void put_vectors(struct code *k, struct cpu *c, bool load, bool whole)
{
	for (unsigned n = 0; n < 16; n++) {
		PUT(k, 0xc5, (n & 8 ? 0x78 : 0xf8) | (whole ? 4 : 0),
		    load ? 0x10 : 0x11);
		put_absolute(k, n, low32(&c->v[n]));
	}
}

static void put_mxcsr(struct code *k, unsigned digit, const void *address)
{
	PUT(k, 0x0f, 0xae);
	put_absolute(k, digit, low32(address));
}

static void put_save_vectors(struct code *k, struct cpu *c, struct jit *j)
{
	put_vectors(k, c, false, true);
	put_mxcsr(k, 3, &c->x87.mxcsr);
	put_mxcsr(k, 2, &j->host_mxcsr);
	asm_store8_abs(k, low32(&j->vectors), 0);
	PUT(k, 0xc5, 0xf8, 0x77);			/* vzeroupper */
}

/* al: VEC_ bits.  Where all upper halves are 0 the host shall know it: else
 * each SSE instruction waits for the upper half it leaves alone. */
static void put_load_vectors(struct code *k, struct cpu *c, struct jit *j)
{
	uint8_t *upper, *done;

	put1(k, 0x88);					/* mov [], al */
	put_absolute(k, H_RAX, low32(&j->vectors));
	PUT(k, 0xa8, VEC_UPPER);			/* test al, 4 */
	upper = asm_jcc(k, CC_NE, NULL);
	put_vectors(k, c, true, false);
	done = asm_jmp(k, NULL);
	asm_patch(upper, k->p);
	put_vectors(k, c, true, true);
	asm_patch(done, k->p);
	put_mxcsr(k, 2, &c->x87.mxcsr);
}

static void put_save_vectors_if_in(struct code *k, struct cpu *c,
				   struct jit *j)
{
	uint8_t *skip;

	asm_cmp8_abs(k, low32(&j->vectors), 0);
	skip = asm_jcc(k, CC_E, NULL);
	put_save_vectors(k, c, j);
	asm_patch(skip, k->p);
}

/* Back to C, which gets TR_A; what is on the stack is forgotten. */
static void put_return(struct code *k, struct jit *j)
{
	asm_mov(k, H_RAX, TR_A);
	asm_abs(k, true, OP_LOAD, H_RSP, low32(&j->host_rsp));
	put_sub_rsp(k, -FRAME_BYTES);
	PUT(k, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b,
	    0xc3);				/* pop r15...rbx; ret */
}

/* ---- the routines ---- */

static void put_enter(struct code *k, struct cpu *c, struct jit *j,
		      const uint8_t *no_call)
{
	PUT(k, 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57);
	put_sub_rsp(k, FRAME_BYTES);
	asm_abs(k, true, OP_STORE, H_RSP, low32(&j->host_rsp));
	asm_lea(k, true, H_RAX, H_RSP, H_NONE, 0, -CALLS_BYTES);
	asm_abs(k, true, OP_STORE, H_RAX, low32(&j->rsp_limit));
	asm_load_imm(k, H_RAX, NO_RIP);
	asm_mem(k, true, OP_STORE, H_RAX, H_RSP, TR_FRAME_RIP);
	/* A guest may have that on its stack: the return then comes here. */
	asm_load_imm(k, H_RAX, (uintptr_t)jit_run_address(j, no_call));
	asm_mem(k, true, OP_STORE, H_RAX, H_RSP, 0);
	asm_mov(k, TR_A, H_RDI);
	put_spill(k, c, true);
	PUT(k, 0x41, 0xff, 0xe6);			/* jmp r14 */
}

/* Nothing more to say to C. */
static void put_leave_empty(struct code *k, struct jit *j)
{
	asm_load_imm(k, TR_A, 0);
	put_return(k, j);
}

static void put_run_exec(struct code *k, struct cpu *c)
{
	asm_load_imm(k, H_RDI, low32(c));
	asm_mov(k, H_RSI, TR_A);
	put_call_c(k, (const void *)run_exec);
}

static void put_test_leave(struct code *k, struct jit *j)
{
	uint8_t *on;

	PUT(k, 0x84, 0xc0);				/* test al, al */
	on = asm_jcc(k, CC_E, NULL);
	put_leave_empty(k, j);
	asm_patch(on, k->p);
}

/* The vectors are in the host's: they are saved, and come back if they may. */
static void put_exec_with_vectors(struct code *k, struct cpu *c,
				  struct jit *j)
{
	uint8_t *allowed;

	put1(k, 0x0f);					/* movzx eax */
	put1(k, 0xb6);
	put_absolute(k, H_RAX, low32(&j->vectors));
	asm_mem(k, true, OP_STORE, H_RAX, H_RSP, 0);
	put_save_vectors(k, c, j);
	put_run_exec(k, c);
	put_test_leave(k, j);
	asm_load_imm(k, H_RDI, low32(c));
	asm_mem(k, true, OP_LOAD, H_RSI, H_RSP, 0);
	put_call_c(k, (const void *)jit_vectors_again);
	PUT(k, 0x84, 0xc0);				/* test al, al */
	allowed = asm_jcc(k, CC_NE, NULL);
	put_leave_empty(k, j);
	asm_patch(allowed, k->p);
	put_load_vectors(k, c, j);
}

static void put_exec(struct code *k, struct cpu *c, struct jit *j)
{
	uint8_t *with, *done;

	put_spill(k, c, false);
	put_sub_rsp(k, 8);
	asm_cmp8_abs(k, low32(&j->vectors), 0);
	with = asm_jcc(k, CC_NE, NULL);
	put_run_exec(k, c);
	put_test_leave(k, j);
	done = k->p;
	put_spill(k, c, true);
	put_sub_rsp(k, -8);
	put1(k, 0xc3);
	asm_patch(with, k->p);
	put_exec_with_vectors(k, c, j);
	asm_jmp(k, done);
}

static void put_exec_end(struct code *k, struct cpu *c, struct jit *j)
{
	asm_abs(k, true, OP_LOAD, H_RSP, low32(&j->host_rsp));
	put_spill(k, c, false);
	put_save_vectors_if_in(k, c, j);
	put_run_exec(k, c);
	put_leave_empty(k, j);
}

/* Not allowed: the instruction itself says what is wrong, or runs by the
 * interpreter, and the block ends. */
static void put_vec_enable(struct code *k, struct cpu *c, struct jit *j)
{
	uint8_t *refused;

	put_spill(k, c, false);
	put_sub_rsp(k, 8);
	put_save_vectors_if_in(k, c, j);
	asm_load_imm(k, H_RDI, low32(c));
	asm_mov(k, H_RSI, TR_A);
	put_call_c(k, (const void *)jit_vectors_for);
	PUT(k, 0x84, 0xc0);				/* test al, al */
	refused = asm_jcc(k, CC_E, NULL);
	put_load_vectors(k, c, j);
	put_spill(k, c, true);
	put_sub_rsp(k, -8);
	put1(k, 0xc3);
	asm_patch(refused, k->p);
	put_run_exec(k, c);
	put_leave_empty(k, j);
}

/* What a C function may destroy, but for TR_A and TR_B. */
static void put_push_scratch(struct code *k, bool pop)
{
	static const uint8_t regs[] = { H_RAX, H_RCX, H_RDX, H_RSI, H_RDI,
					H_R8, H_R9, H_R10, H_R11 };
	const unsigned count = sizeof(regs);

	for (unsigned n = 0; n < count; n++) {
		unsigned r = regs[pop ? count - 1 - n : n];

		put_rex(k, false, 0, 0, r, false);
		put1(k, (pop ? 0x58 : 0x50) | (r & 7));
	}
}

static void put_crossing(struct code *k, struct cpu *c)
{
	put_push_scratch(k, false);
	asm_load_imm(k, H_RDI, low32(c));
	asm_mov(k, H_RSI, TR_A);
	asm_mov(k, H_RDX, TR_B);
	put_call_c(k, (const void *)read_crossing);
	asm_mov(k, TR_A, H_RAX);
	put_push_scratch(k, true);
	put1(k, 0xc3);
}

static void put_leaves(struct code *k, struct cpu *c, struct jit *j,
		       struct jit_stubs *s)
{
	uint8_t *common, *by_rip;

	s->leave_host = k->p;
	put_spill(k, c, false);
	tr_put_store_flags(k, c);
	common = asm_jmp(k, NULL);
	s->leave_rip = k->p;
	put_spill(k, c, false);
	asm_mov(k, TR_B, TR_A);
	asm_load_imm(k, TR_A, 0);
	by_rip = asm_jmp(k, NULL);
	s->leave_cpu = k->p;
	put_spill(k, c, false);
	asm_patch(common, k->p);
	asm_abs(k, true, 0x03, TR_B, low32(&j->page_rip));
	asm_patch(by_rip, k->p);
	asm_abs(k, true, OP_STORE, TR_B, low32(&c->rip));
	put_save_vectors_if_in(k, c, j);
	put_return(k, j);
}

static const uint8_t *align(struct code *k)
{
	while ((uintptr_t)k->p & 15)
		put1(k, 0x90);
	return k->p;
}

void jit_make_stubs(struct cpu *c, struct jit *j)
{
	struct code k = { j->hot };
	struct jit_stubs *s = &j->stub;
	const uint8_t *no_call;

	put_leaves(&k, c, j, s);
	no_call = align(&k);
	asm_jmp(&k, s->leave_rip);	/* TR_A is NO_RIP */
	s->enter = align(&k);
	put_enter(&k, c, j, no_call);
	s->exec = align(&k);
	put_exec(&k, c, j);
	s->exec_end = align(&k);
	put_exec_end(&k, c, j);
	s->vec_enable = align(&k);
	put_vec_enable(&k, c, j);
	s->crossing = align(&k);
	put_crossing(&k, c);
	j->hot = j->hot_start = (uint8_t *)(uintptr_t)align(&k);
}
