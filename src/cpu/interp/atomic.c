/* cpu/interp/atomic.c - XCHG, XADD and the compare-and-exchanges.
 *
 * CMPXCHG always writes its destination, the old value if nothing else, so it
 * needs the right to.  In plain host memory it always runs locked: that is as
 * fast, and more than the guest asked for does no harm.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

/* With memory it is locked without a prefix (SDM 2 "XCHG"). */
void exec_xchg(struct cpu *c, const struct insn *i)
{
	const struct operand *o = &i->op[0];
	unsigned reg = i->op[1].reg, size = o->size;
	uint64_t v = gpr_read(c, reg, size), old;

	if (o->kind == OP_GPR)
		old = rmw(c, i, alu_take, v);
	else
		old = rmw_at(c, insn_linear(c, i, size, ACCESS_RMW), size,
			     true, alu_take, v);
	gpr_write(c, reg, old, size);
}

void exec_xadd(struct cpu *c, const struct insn *i)
{
	const struct operand *o = &i->op[0];
	unsigned reg = i->op[1].reg, size = o->size;
	uint64_t b = gpr_read(c, reg, size), a;

	if (o->kind != OP_GPR) {
		gpr_write(c, reg, rmw(c, i, alu_add, b), size);
		return;
	}
	a = gpr_read(c, o->reg, size);
	gpr_write(c, reg, a, size);
	gpr_write(c, o->reg, alu_add(c, a, b, size), size);
}

/* ---- CMPXCHG ---- */

/* The host's CMPXCHG: the accumulator may change, and *dest. */
#define CMPXCHG_REG(m)                                                        \
	__asm__("cmpxchg %" m "[s], %" m "[d]\n\tmov %%rax, %[acc]"           \
		FLAGS_STORE                                                   \
		: "=a"(f), [acc] "=&r"(acc), [d] "+r"(*dest)                  \
		: [s] "r"(source), "a"(c->gpr[RAX]) : "cc")

/* Returns what RAX is to be. */
static uint64_t cmpxchg_reg(struct cpu *c, uint64_t *dest, uint64_t source,
			    unsigned size)
{
	uint64_t acc;
	unsigned f;

	switch (size) {
	case 1:	CMPXCHG_REG("b"); break;
	case 2:	CMPXCHG_REG("w"); break;
	case 4:	CMPXCHG_REG("k"); break;
	default: CMPXCHG_REG("q"); break;
	}
	flags_unpack(c, f);
	return acc;
}

#define CMPXCHG_MEM(m)                                                        \
	__asm__ volatile("lock cmpxchg %" m "[s], (%[p])\n\t"                 \
			 "mov %%rax, %[acc]" FLAGS_STORE                      \
			 : "=a"(f), [acc] "=&r"(acc)                          \
			 : [s] "r"(source), [p] "r"(p), "a"(c->gpr[RAX])      \
			 : "cc", "memory")

static uint64_t cmpxchg_host(struct cpu *c, void *p, uint64_t source,
			     unsigned size)
{
	uint64_t acc;
	unsigned f;

	switch (size) {
	case 1:	CMPXCHG_MEM("b"); break;
	case 2:	CMPXCHG_MEM("w"); break;
	case 4:	CMPXCHG_MEM("k"); break;
	default: CMPXCHG_MEM("q"); break;
	}
	flags_unpack(c, f);
	return acc;
}

static uint64_t cmpxchg_slow(struct cpu *c, gva_t at, uint64_t source,
			     unsigned size, bool lock)
{
	uint64_t v, acc;

	mem_probe(c, at, size, ACCESS_RMW);
	if (lock)
		mem_rmw_begin(c);
	v = mem_read(c, at, size);
	acc = cmpxchg_reg(c, &v, source, size);
	mem_write(c, at, v, size);
	if (lock)
		mem_rmw_end(c);
	return acc;
}

void exec_cmpxchg(struct cpu *c, const struct insn *i)
{
	const struct operand *o = &i->op[0];
	unsigned size = o->size;
	uint64_t source = gpr_read(c, i->op[1].reg, size), dest;
	gva_t at;
	void *p;

	if (o->kind == OP_GPR) {
		dest = gpr_whole(c, o->reg, size);
		c->gpr[RAX] = cmpxchg_reg(c, &dest, source, size);
		gpr_put_whole(c, o->reg, dest, size);
		return;
	}
	at = insn_linear(c, i, size, ACCESS_RMW);
	p = rmw_host(c, at, size);
	c->gpr[RAX] = p ? cmpxchg_host(c, p, source, size)
			: cmpxchg_slow(c, at, source, size,
				       i->prefix & PREFIX_LOCK);
}

/* ---- CMPXCHG8B, CMPXCHG16B ---- */

static void zf_set(struct cpu *c, bool zf)
{
	c->arith = (uint8_t)((c->arith & ~FLAG_ZF) | (zf ? FLAG_ZF : 0));
}

void exec_cmpxchg8b(struct cpu *c, const struct insn *i)
{
	uint64_t want = c->gpr[RDX] << 32 | (uint32_t)c->gpr[RAX];
	uint64_t next = c->gpr[RCX] << 32 | (uint32_t)c->gpr[RBX];
	gva_t at = insn_linear(c, i, 8, ACCESS_RMW);
	bool lock = i->prefix & PREFIX_LOCK, same;
	void *p = rmw_host(c, at, 8);
	uint64_t old = want;

	if (p) {
		__asm__ volatile("lock cmpxchgq %[n], (%[p])"
				 : "+a"(old), "=@ccz"(same)
				 : [n] "r"(next), [p] "r"(p) : "memory");
	} else {
		mem_probe(c, at, 8, ACCESS_RMW);
		if (lock)
			mem_rmw_begin(c);
		old = mem_read(c, at, 8);
		same = old == want;
		mem_write(c, at, same ? next : old, 8);
		if (lock)
			mem_rmw_end(c);
	}
	zf_set(c, same);
	if (!same) {
		c->gpr[RAX] = (uint32_t)old;
		c->gpr[RDX] = old >> 32;
	}
}

/* Not in host memory: the two halves, as a pair. */
static bool cmpxchg16b_slow(struct cpu *c, gva_t at, uint64_t old[2],
			    bool lock)
{
	uint64_t lo, hi;
	bool same;

	mem_probe(c, at, 16, ACCESS_RMW);
	if (lock)
		mem_rmw_begin(c);
	lo = mem_read(c, at, 8);
	hi = mem_read(c, at + 8, 8);
	same = lo == old[0] && hi == old[1];
	mem_write(c, at, same ? c->gpr[RBX] : lo, 8);
	mem_write(c, at + 8, same ? c->gpr[RCX] : hi, 8);
	if (lock)
		mem_rmw_end(c);
	old[0] = lo;
	old[1] = hi;
	return same;
}

void exec_cmpxchg16b(struct cpu *c, const struct insn *i)
{
	uint64_t old[2] = { c->gpr[RAX], c->gpr[RDX] };
	gva_t at = insn_offset(c, i) + (i->seg >= FS ? c->seg[i->seg].base : 0);
	bool same;
	void *p;

	if (at & 15)		/* before it is found not canonical */
		fault_gp0(c);
	at = insn_linear(c, i, 16, ACCESS_RMW);
	p = rmw_host(c, at, 16);
	if (p)
		__asm__ volatile("lock cmpxchg16b (%[p])"
				 : "+a"(old[0]), "+d"(old[1]), "=@ccz"(same)
				 : [p] "r"(p), "b"(c->gpr[RBX]),
				   "c"(c->gpr[RCX])
				 : "memory");
	else
		same = cmpxchg16b_slow(c, at, old, i->prefix & PREFIX_LOCK);
	zf_set(c, same);
	if (!same) {
		c->gpr[RAX] = old[0];
		c->gpr[RDX] = old[1];
	}
}
