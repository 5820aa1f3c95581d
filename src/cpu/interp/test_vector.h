/* cpu/interp/test_vector.h - a guest with its vector units switched on.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_INTERP_TEST_VECTOR_H
#define CPU_INTERP_TEST_VECTOR_H
#include "cpu/interp/fpu.h"
#include "cpu/interp/test_guest.h"

#define RUN(g, bytes) assert_true(GUEST_RUN(g, bytes))
/* The instruction raises this vector, and this error code if it has one. */
#define RAISES(g, bytes, v)                                                   \
	do {                                                                  \
		assert_false(GUEST_RUN(g, bytes));                            \
		assert_int_equal((g)->c->fault.vector, v);                    \
	} while (0)

/* RDI points to the data. */
static inline struct guest *vector_guest(void)
{
	struct guest *g = guest_new();
	struct cpu *c = g->c;

	c->cr0 |= CR0_NE | CR0_MP;
	c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	c->xcr0 = 7;
	fpu_init(c);
	c->gpr[RDI] = GUEST_DATA;
	for (unsigned n = 0; n < 16; n++)
		for (unsigned k = 0; k < 32; k++)
			c->v[n].b[k] = (uint8_t)(n * 37 + k * 11 + 1);
	return g;
}

static inline void set_doubles(struct guest *g, unsigned reg, double lo,
			       double hi)
{
	memcpy(g->c->v[reg].b, &lo, 8);
	memcpy(g->c->v[reg].b + 8, &hi, 8);
}

static inline double double_of(const struct guest *g, unsigned reg, unsigned n)
{
	double d;

	memcpy(&d, g->c->v[reg].b + 8 * n, 8);
	return d;
}
#endif
