/* cpu/interp/rmw.c - the uncommon ways of a read-modify-write.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/rmw.h"

uint64_t rmw_slow(struct cpu *c, gva_t at, unsigned size, bool lock, rmw_fn fn,
		  uint64_t operand)
{
	uint64_t old;

	mem_probe(c, at, size, ACCESS_RMW);
	if (lock)
		mem_rmw_begin(c);
	old = mem_read(c, at, size);
	mem_write(c, at, fn(c, old, operand, size), size);
	if (lock)
		mem_rmw_end(c);
	return old;
}

/* Store `next` if *p is still *old, else load *old; true: stored.  By hand,
 * since the guest may misalign what it locks. */
static bool compare_exchange(void *p, uint64_t *old, uint64_t next,
			     unsigned size)
{
	bool same;

	switch (size) {
	case 1:
		__asm__ volatile("lock cmpxchgb %b[n], (%[p])"
				 : "+a"(*old), "=@ccz"(same)
				 : [n] "r"(next), [p] "r"(p) : "memory");
		break;
	case 2:
		__asm__ volatile("lock cmpxchgw %w[n], (%[p])"
				 : "+a"(*old), "=@ccz"(same)
				 : [n] "r"(next), [p] "r"(p) : "memory");
		break;
	case 4:
		__asm__ volatile("lock cmpxchgl %k[n], (%[p])"
				 : "+a"(*old), "=@ccz"(same)
				 : [n] "r"(next), [p] "r"(p) : "memory");
		break;
	default:
		__asm__ volatile("lock cmpxchgq %[n], (%[p])"
				 : "+a"(*old), "=@ccz"(same)
				 : [n] "r"(next), [p] "r"(p) : "memory");
		break;
	}
	return same;
}

uint64_t rmw_locked(struct cpu *c, void *p, unsigned size, rmw_fn fn,
		    uint64_t operand)
{
	uint8_t arith = c->arith, of = c->of;
	uint64_t old = host_load(p, size);

	while (!compare_exchange(p, &old, fn(c, old, operand, size), size)) {
		c->arith = arith;
		c->of = of;
	}
	return old;
}
