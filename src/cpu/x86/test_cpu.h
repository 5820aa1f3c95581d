/* cpu/x86/test_cpu.h - one vCPU on a test bus, without an engine: for unit
 * tests of paging, system registers and the like.
 *
 *   struct test_cpu *t = test_cpu_new();
 *   ... mem_write(t->c, 0x1000, 1, 4);
 *   ASSERT_FAULT(t, VEC_PF, PF_WRITE, mem_write(t->c, 0x2000, 1, 4));
 *
 * The code that raises and derives is replaced by the least that will do, so
 * that a test links only what it tests; a test that links the real code gets
 * that (these are weak).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_TEST_CPU_H
#define CPU_X86_TEST_CPU_H
#include <stdlib.h>

#include "base/test.h"
#include "bus/test_bus.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/fault.h"
#include "cpu/x86/state.h"

#define TEST_RAM_BYTES (4 * MiB)
#define WEAK __attribute__((weak))

struct test_cpu {
	struct cpu *c;
	struct test_bus *bus;
	uint8_t *ram;		/* TEST_RAM_BYTES at 0 */
	unsigned code_calls;	/* of code_written() */
	uint64_t code_gpa;
	unsigned code_len;
};

static struct test_cpu test_cpu;

WEAK _Noreturn void fault_raise(struct cpu *c, enum vector v)
{
	c->fault = (struct fault){ .vector = (uint8_t)v };
	siglongjmp(c->on_fault, 1);
}

WEAK _Noreturn void fault_raise_code(struct cpu *c, enum vector v,
				     uint32_t code)
{
	c->fault = (struct fault){ (uint8_t)v, true, code };
	siglongjmp(c->on_fault, 1);
}

WEAK _Noreturn void fault_raise_pf(struct cpu *c, uint64_t gva, uint32_t code)
{
	c->cr2 = gva;
	fault_raise_code(c, VEC_PF, code);
}

WEAK _Noreturn void fault_raise_db(struct cpu *c, uint64_t dr6)
{
	c->dr6 |= dr6;
	fault_raise(c, VEC_DB);
}

WEAK void code_written(struct cpu *c, uint64_t gpa, unsigned len)
{
	(void)c;
	test_cpu.code_calls++;
	test_cpu.code_gpa = gpa;
	test_cpu.code_len = len;
}

WEAK void cpu_derive(struct cpu *c)
{
	bool ac = c->rflags & FLAG_AC;

	c->mode = (c->efer & EFER_LMA) && (c->seg[CS].attr & SEG_L) ? CODE64
		  : c->seg[CS].attr & SEG_DB			    ? CODE32
								    : CODE16;
	if (c->cpl == 3)
		c->tlb_index = ac && (c->cr0 & CR0_AM) ? TLB_ALIGN : TLB_USER;
	else
		c->tlb_index = (c->cr4 & CR4_SMAP) && !ac ? TLB_SMAP
							   : TLB_SUPERVISOR;
}

static inline struct test_cpu *test_cpu_new(void)
{
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ull);
	struct test_cpu *t = &test_cpu;

	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	*t = (struct test_cpu){ .c = c, .bus = test_bus_new() };
	t->ram = test_bus_ram(t->bus, 0, TEST_RAM_BYTES);
	c->bus = t->bus->bus;
	c->topology = (struct cpu_topology){ 1, 1, 1, 1 };
	memset(&c->features, 0xff, sizeof(c->features));
	cpu_reset(c, false);
	return t;
}

static inline void test_cpu_free(struct test_cpu *t)
{
	free(t->c);
	test_bus_free(t->bus);
}

#define TEST_FAIL(...)                                                        \
	do {                                                                  \
		print_error(__VA_ARGS__);                                     \
		_fail(__FILE__, __LINE__);                                    \
	} while (0)

/* The statement raises exactly this. */
#define ASSERT_FAULT(t, vec, error, statement)                                \
	do {                                                                  \
		if (!sigsetjmp((t)->c->on_fault, 0)) {                        \
			statement;                                            \
			TEST_FAIL("nothing was raised");                       \
		}                                                             \
		assert_int_equal((t)->c->fault.vector, vec);                  \
		assert_int_equal((t)->c->fault.code, error);                  \
	} while (0)

/* The statement raises nothing. */
#define ASSERT_NO_FAULT(t, statement)                                         \
	do {                                                                  \
		if (!sigsetjmp((t)->c->on_fault, 0))                          \
			statement;                                            \
		else                                                          \
			TEST_FAIL("vector %u, code %x was raised",             \
				 (t)->c->fault.vector, (t)->c->fault.code);   \
	} while (0)

#endif
