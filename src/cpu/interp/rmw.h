/* cpu/interp/rmw.h - operands that are read, changed and written back.
 *
 * The destination is checked for writing before anything changes.  In plain
 * memory the host's memory is changed directly: by a load and a store, or,
 * locked, by a loop around the host's LOCK CMPXCHG, so guest atomics are host
 * atomics.  Elsewhere (MMIO, page crossings, pages with code) it is a pair of
 * slow accesses, atomic against other vCPUs' slow pairs only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_RMW_H
#define CPU_INTERP_RMW_H
#include "cpu/interp/alu.h"
#include "cpu/interp/exec.h"

/* The new value of `size` bytes, made of the old one and an operand; sets
 * flags.  May be run again, with the flags put back, when another vCPU got in
 * between. */
typedef uint64_t (*rmw_fn)(struct cpu *c, uint64_t old, uint64_t operand,
			   unsigned size);

/* Like rmw_at() below, for memory that must go the slow way. */
uint64_t rmw_slow(struct cpu *c, gva_t at, unsigned size, bool lock, rmw_fn fn,
		  uint64_t operand);
/* Atomically, in host memory. */
uint64_t rmw_locked(struct cpu *c, void *p, unsigned size, rmw_fn fn,
		    uint64_t operand);

ALWAYS_INLINE uint64_t host_load(const void *p, unsigned size)
{
	switch (size) {
	case 1:	return *(const uint8_t *)p;
	case 2:	return load_le16(p);
	case 4:	return load_le32(p);
	default: return load_le64(p);
	}
}

ALWAYS_INLINE void host_store(void *p, uint64_t v, unsigned size)
{
	switch (size) {
	case 1:	*(uint8_t *)p = (uint8_t)v; break;
	case 2:	store_le16(p, (uint16_t)v); break;
	case 4:	store_le32(p, (uint32_t)v); break;
	default: store_le64(p, v); break;
	}
}

/* Host memory for a read-modify-write at a linear address, or NULL. */
ALWAYS_INLINE void *rmw_host(struct cpu *c, gva_t at, unsigned size)
{
	void *p = mem_hit_write(c, at, size, c->tlb_index);

	return likely(p) ? p : mem_rmw_host(c, at, size);
}

/* Change `size` bytes at a linear address; returns what was there. */
ALWAYS_INLINE uint64_t rmw_at(struct cpu *c, gva_t at, unsigned size,
			      bool lock, rmw_fn fn, uint64_t operand)
{
	void *p = rmw_host(c, at, size);
	uint64_t old;

	if (unlikely(!p))
		return rmw_slow(c, at, size, lock, fn, operand);
	if (lock)
		return rmw_locked(c, p, size, fn, operand);
	old = host_load(p, size);
	host_store(p, fn(c, old, operand, size), size);
	return old;
}

/* Change the instruction's first operand; returns what it was. */
ALWAYS_INLINE uint64_t rmw(struct cpu *c, const struct insn *i, rmw_fn fn,
			   uint64_t operand)
{
	const struct operand *o = &i->op[0];
	uint64_t old;

	if (o->kind != OP_GPR)
		return rmw_at(c, insn_linear(c, i, o->size, ACCESS_RMW),
			      o->size, i->prefix & PREFIX_LOCK, fn, operand);
	old = gpr_read(c, o->reg, o->size);
	gpr_write(c, o->reg, fn(c, old, operand, o->size), o->size);
	return old;
}
#endif
