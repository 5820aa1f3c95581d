/* cpu/interp/vector.c - MMX, SSE and AVX instructions that the host runs for
 * us: operands, faults, MXCSR.
 *
 * A memory operand is used where it is, if the TLB knows the page, or through
 * a buffer.  All faults of loads and stores come before the instruction runs;
 * an unmasked SIMD exception comes from running it, with nothing changed.
 *
 * MXCSR.  The guest's control bits are nearly always the host's own, so
 * MXCSR is only written when it differs, and put back when its control bits
 * would disturb C code.  Flags that stay set in the host's MXCSR disturb
 * nobody.  With an exception unmasked the thunk runs under fptrap_call().
 *
 * MMX registers are the significands of the x87's: each instruction runs on
 * copies, after the x87 has been put into MMX mode (TOP 0, all tags valid; it
 * stays so if the instruction raises #XM), and then the result is stored with
 * an exponent of ones (SDM 1 9.6.2).
 *
 * Source: SDM 2 (each instruction), SDM 1 11.5, SDM 2A 2.4 to 2.7.
 *
 * SPDX-License-Identifier: MIT
 */
#include <xmmintrin.h>

#include "cpu/interp/thunk.h"
#include "cpu/interp/vector.h"
#include "host/fptrap.h"

/* Operands of one run, by place in the encoding. */
struct operands {
	void *at[THUNK_PLACES];
	uint8_t buffer[32] __attribute__((aligned(32)));
	uint64_t mm[2];			/* copies of MMX registers, by operand */
	gva_t store_at;			/* where buffer goes afterwards... */
	unsigned store_size;		/* ... if not 0 */
};

void vector_check_slow(struct cpu *c, uint32_t how)
{
	if (how & HOW_AVX) {
		if (cpu_paragraph_mode(c) || !(c->cr4 & CR4_OSXSAVE) ||
		    (c->xcr0 & (XCR0_SSE | XCR0_AVX)) != (XCR0_SSE | XCR0_AVX))
			fault_ud(c);
	} else if (c->cr0 & CR0_EM ||
		   (how & HOW_SSE && !(c->cr4 & CR4_OSFXSR))) {
		fault_ud(c);
	}
	if (c->cr0 & CR0_TS)
		fault_raise(c, VEC_NM);
	if (how & HOW_MMX)
		fpu_check_pending(c);
}

/* ---- operands ---- */

static void load_memory(struct cpu *c, const struct insn *i, unsigned n,
			struct operands *o)
{
	unsigned size = i->op[n].size;
	gva_t a = vector_linear(c, i, n, ACCESS_READ);
	void *p = mem_hit_read(c, a, size, c->tlb_index);

	if (unlikely(!p)) {
		mem_read_block(c, a, o->buffer, size);
		p = o->buffer;
	}
	o->at[THUNK_RM] = p;
}

/* A destination in memory: where the thunk may store to. */
static void store_memory(struct cpu *c, const struct insn *i, unsigned n,
			 struct operands *o)
{
	unsigned size = i->op[n].size;
	gva_t a = vector_linear(c, i, n, ACCESS_WRITE);
	void *p = mem_hit_write(c, a, size, c->tlb_index);

	if (unlikely(!p)) {
		mem_probe(c, a, size, ACCESS_WRITE);
		o->store_at = a;
		o->store_size = size;
		p = o->buffer;
	}
	o->at[THUNK_RM] = p;
}

static inline void locate(struct cpu *c, const struct insn *i,
			  const struct thunk *t, struct operands *o)
{
	o->store_size = 0;
	for (unsigned p = 0; p < THUNK_PLACES; p++)
		o->at[p] = (uint8_t *)c + t->base[p] +
			   ((size_t)i->op[t->op[p]].reg << t->shift[p]);
	if (t->memory < 0)
		return;
	if (t->store)
		store_memory(c, i, (unsigned)t->memory, o);
	else
		load_memory(c, i, (unsigned)t->memory, o);
}

/* MMX registers take part as copies. */
static void copy_mmx(struct cpu *c, const struct insn *i, struct operands *o)
{
	for (unsigned n = 0; n < 2; n++) {
		if (i->op[n].kind != OP_MM)
			continue;
		o->mm[n] = *mmx_slot(c, i->op[n].reg);
		o->at[thunk_place_of(i->op[n].code)] = &o->mm[n];
	}
}

/* ---- running ---- */

struct trapping {
	struct cpu *cpu;
	const struct thunk *thunk;
	struct operands *operands;
};

static inline void run(struct cpu *c, const struct thunk *t,
		       struct operands *o)
{
	t->run(o->at[THUNK_REG], o->at[THUNK_RM], o->at[THUNK_VVVV],
	       o->at[THUNK_LAST], c);
}

static void run_trapping(void *ctx)
{
	struct trapping *t = ctx;

	run(t->cpu, t->thunk, t->operands);
}

/* Some exception is unmasked. */
static void run_unmasked(struct cpu *c, const struct thunk *t,
			 struct operands *o)
{
	struct trapping ctx = { c, t, o };
	uint32_t mxcsr = c->x87.mxcsr;
	bool trapped = fptrap_call(run_trapping, &ctx, &mxcsr);

	c->x87.mxcsr = mxcsr;
	if (trapped)
		fault_raise(c, c->cr4 & CR4_OSXMMEXCPT ? VEC_XM : VEC_UD);
}

static void run_fp(struct cpu *c, const struct thunk *t, struct operands *o)
{
	uint32_t own = _mm_getcsr(), guest = c->x87.mxcsr;

	if (unlikely(~guest & MXCSR_MASKS)) {
		run_unmasked(c, t, o);
		return;
	}
	if (own != guest)
		_mm_setcsr(guest);
	run(c, t, o);
	c->x87.mxcsr = _mm_getcsr();
	if (unlikely((own ^ guest) & ~MXCSR_FLAGS))
		_mm_setcsr(own);
}

static inline void run_any(struct cpu *c, const struct thunk *t,
			   struct operands *o)
{
	if (t->how & HOW_FP)
		run_fp(c, t, o);
	else
		run(c, t, o);
	if (unlikely(o->store_size))
		mem_write_block(c, o->store_at, o->buffer, o->store_size);
}

void exec_vector(struct cpu *c, const struct insn *i)
{
	const struct thunk *t = thunk_of(i);
	struct operands o;

	vector_check(c, t->how);
	locate(c, i, t, &o);
	run_any(c, t, &o);
}

/* PCMPxSTRx: the thunk reads and writes the implicit registers itself. */
void exec_vector_str(struct cpu *c, const struct insn *i)
{
	exec_vector(c, i);
}

void exec_vector_mmx(struct cpu *c, const struct insn *i)
{
	const struct thunk *t = thunk_of(i);
	struct operands o;

	vector_check(c, t->how);
	locate(c, i, t, &o);
	copy_mmx(c, i, &o);
	mmx_enter(c);
	run_any(c, t, &o);
	if (i->op[0].kind == OP_MM)
		mmx_write(c, i->op[0].reg, o.mm[0]);
}
