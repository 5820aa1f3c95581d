/* cpu/x86/sysreg_test.c - control, debug and model-specific registers.
 * SPDX-License-Identifier: MIT
 */
#include "bus/intc.h"
#include "cpu/x86/paging.h"
#include "cpu/x86/sysreg.h"
#include "cpu/x86/test_cpu.h"

#define GP(t, statement) ASSERT_FAULT(t, VEC_GP, 0, statement)
#define UD(t, statement) ASSERT_FAULT(t, VEC_UD, 0, statement)

static struct test_cpu *with_model(const char *spec)
{
	struct test_cpu *t = test_cpu_new();

	assert_int_equal(cpu_model_parse(t->c, spec, NULL), 0);
	cpu_reset(t->c, false);
	return t;
}

/* As a kernel does it: PAE, LME, then PG. */
static void enter_long_mode(struct test_cpu *t)
{
	cr_write(t->c, 4, CR4_PAE | CR4_PGE);
	cr_write(t->c, 3, 0x10000);
	msr_write(t->c, 0xc0000080, EFER_LME);
	cr_write(t->c, 0, CR0_PE | CR0_PG);
	t->c->seg[CS].attr |= SEG_L;
	cpu_derive(t->c);
}

static void cr0_refuses_what_cannot_be(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	GP(t, cr_write(t->c, 0, CR0_PG));
	GP(t, cr_write(t->c, 0, CR0_NW));
	GP(t, cr_write(t->c, 0, 1ull << 32));
	assert_int_equal(cr_read(t->c, 0), 0x60000010);
	cr_write(t->c, 0, CR0_PE | 0x40);	/* reserved bits are dropped */
	assert_int_equal(cr_read(t->c, 0), CR0_PE | CR0_ET);
	UD(t, cr_read(t->c, 1));
	UD(t, cr_write(t->c, 5, 0));
	test_cpu_free(t);
}

static void long_mode_comes_and_goes_with_pg(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	msr_write(t->c, 0xc0000080, EFER_LME);
	GP(t, cr_write(t->c, 0, CR0_PE | CR0_PG));	/* no PAE */
	enter_long_mode(t);
	assert_true(cpu_long_mode(t->c));
	assert_int_equal(t->c->mode, CODE64);
	GP(t, cr_write(t->c, 0, CR0_PE));		/* in 64-bit code */
	GP(t, cr_write(t->c, 4, 0));			/* PAE stays */
	GP(t, msr_write(t->c, 0xc0000080, 0));		/* LME stays */
	t->c->seg[CS].attr &= ~SEG_L;
	cpu_derive(t->c);
	cr_write(t->c, 0, CR0_PE);
	assert_false(cpu_long_mode(t->c));
	assert_true(t->c->efer & EFER_LME);
	test_cpu_free(t);
}

static void long_mode_is_refused_from_l_code_and_a_16_bit_task(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	cr_write(t->c, 4, CR4_PAE);
	msr_write(t->c, 0xc0000080, EFER_LME);
	t->c->tr.attr = SEG_P | 3;
	GP(t, cr_write(t->c, 0, CR0_PE | CR0_PG));
	t->c->tr.attr = SEG_P | 0xb;
	t->c->seg[CS].attr |= SEG_L;
	GP(t, cr_write(t->c, 0, CR0_PE | CR0_PG));
	test_cpu_free(t);
}

static void cr3_checks_address_bits_and_pdptes(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	*(uint64_t *)(void *)(t->ram + 0x2000) = 1 | 1 << 1;
	cr_write(t->c, 4, CR4_PAE);
	cr_write(t->c, 0, CR0_PE | CR0_PG);
	GP(t, cr_write(t->c, 3, 0x2000));
	assert_int_equal(t->c->cr3, 0);
	ASSERT_NO_FAULT(t, cr_write(t->c, 3, 0x2020));
	test_cpu_free(t);
	t = with_model("qemu64");
	enter_long_mode(t);
	GP(t, cr_write(t->c, 3, 1ull << 40));
	GP(t, cr_write(t->c, 3, 1ull << 63));
	ASSERT_NO_FAULT(t, cr_write(t->c, 3, 1ull << 39));
	test_cpu_free(t);
}

static void pcids_need_long_mode_and_a_clean_cr3(void **state)
{
	struct test_cpu *t = with_model("qemu64,+pcid,+invpcid");

	GP(t, cr_write(t->c, 4, CR4_PAE | CR4_PCIDE));
	enter_long_mode(t);
	cr_write(t->c, 3, 0x10001);
	GP(t, cr_write(t->c, 4, CR4_PAE | CR4_PCIDE));
	GP(t, invpcid(t->c, 0, 1, 0));
	cr_write(t->c, 3, 0x10000);
	cr_write(t->c, 4, CR4_PAE | CR4_PCIDE);
	cr_write(t->c, 3, 1ull << 63 | 0x10005);
	assert_int_equal(cr_read(t->c, 3), 0x10005);
	GP(t, invpcid(t->c, 4, 0, 0));
	GP(t, invpcid(t->c, 0, 0x1000, 0));
	GP(t, invpcid(t->c, 0, 1, 1ull << 47));
	for (unsigned type = 0; type < 4; type++)
		ASSERT_NO_FAULT(t, invpcid(t->c, type, 1, 0));
	test_cpu_free(t);
}

static void cr4_has_only_bits_of_features(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	GP(t, cr_write(t->c, 4, CR4_SMEP));
	GP(t, cr_write(t->c, 4, CR4_LA57));
	GP(t, cr_write(t->c, 4, 1ull << 32));
	ASSERT_NO_FAULT(t, cr_write(t->c, 4, CR4_PSE | CR4_PGE | CR4_OSFXSR));
	test_cpu_free(t);
}

static void cr8_is_four_bits(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	GP(t, cr_write(t->c, 8, 16));
	ASSERT_NO_FAULT(t, cr_write(t->c, 8, 15));
	test_cpu_free(t);
}

static void wp_changes_reach_cached_translations(void **state)
{
	struct test_cpu *t = with_model("qemu64");
	uint32_t *pd = (uint32_t *)(void *)(t->ram + 0x10000);
	uint32_t *pt = (uint32_t *)(void *)(t->ram + 0x11000);

	pd[0] = 0x11003;
	pt[5] = 0x5001;
	cr_write(t->c, 3, 0x10000);
	cr_write(t->c, 0, CR0_PE | CR0_PG);
	ASSERT_NO_FAULT(t, mem_write8(t->c, 0x5000, 1));
	cr_write(t->c, 0, CR0_PE | CR0_PG | CR0_WP);
	ASSERT_FAULT(t, VEC_PF, PF_PRESENT | PF_WRITE,
		     mem_write8(t->c, 0x5000, 1));
	test_cpu_free(t);
}

static void debug_registers_have_aliases_ones_and_a_guard(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	dr_write(t->c, 4, 0xf);
	assert_int_equal(dr_read(t->c, 6), 0xffff0fff);
	dr_write(t->c, 7, 0xdc00);
	assert_int_equal(dr_read(t->c, 5), 0x400);
	GP(t, dr_write(t->c, 7, 1ull << 32));
	cr_write(t->c, 4, CR4_DE);
	UD(t, dr_read(t->c, 4));
	UD(t, dr_write(t->c, 5, 0));
	UD(t, dr_read(t->c, 8));
	dr_write(t->c, 7, 1 << 13);
	ASSERT_FAULT(t, VEC_DB, 0, dr_read(t->c, 0));
	assert_true(t->c->dr6 & 1 << 13);
	test_cpu_free(t);
}

static void dr7_switches_stepping_for_instruction_breakpoints(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	dr_write(t->c, 0, 0x1000);
	dr_write(t->c, 7, 1);
	assert_true(t->c->step & STEP_BREAK);
	dr_write(t->c, 7, 0);
	assert_false(t->c->step & STEP_BREAK);
	test_cpu_free(t);
}

static void xcr0_takes_only_whole_states(void **state)
{
	struct test_cpu *t = with_model("max");
	bool avx = feature_has(&t->c->features, FEAT_AVX);

	GP(t, xcr_write(t->c, 1, 1));
	GP(t, xcr_write(t->c, 0, 2));
	GP(t, xcr_write(t->c, 0, 5));
	GP(t, xcr_write(t->c, 0, 1 << 5));
	ASSERT_NO_FAULT(t, xcr_write(t->c, 0, avx ? 7 : 3));
	test_cpu_free(t);
}

/* What a write does: refused, or read back as. */
static const struct write {
	const char *model;
	uint32_t msr;
	uint64_t value;
	bool refused;
	uint64_t then;
} writes[] = {
	{ "qemu64", 0xc0000082, 0xffff800000000000, false,
	  0xffff800000000000 },
	{ "qemu64", 0xc0000082, 0x0000800000000000, true, 0 },
	{ "qemu64", 0xc0000100, 1ull << 63, true, 0 },
	{ "qemu64", 0xc0000101, 0x1234, false, 0x1234 },
	{ "qemu64", 0x175, 0x800000000000, true, 0 },
	{ "qemu64", 0xc0000080, 1ull << 12, true, 0 },
	{ "qemu64", 0xc0000080, EFER_SCE | EFER_NXE, false,
	  EFER_SCE | EFER_NXE },
	{ "qemu64,-nx", 0xc0000080, EFER_NXE, true, 0 },
	{ "qemu64,+rdtscp", 0xc0000103, 1ull << 32, true, 0 },
	{ "qemu64,+rdtscp", 0xc0000103, 7, false, 7 },
	{ "qemu64", 0xc0000103, 7, true, 0 },
	{ "qemu64", 0x277, 0x0007040600070406, false, 0x0007040600070406 },
	{ "qemu64", 0x277, 0x02, true, 0x0007040600070406 },
	{ "qemu64", 0x277, 0x08, true, 0x0007040600070406 },
	{ "qemu64", 0xfe, 0, true, 0x508 },
	{ "qemu64", 0x200, 0x80000006, false, 0x80000006 },
	{ "qemu64", 0x200, 0x80000002, true, 0 },
	{ "qemu64", 0x201, 0xff80000800, false, 0xff80000800 },
	{ "qemu64", 0x201, 0x1ff80000800, true, 0 },
	{ "qemu64", 0x210, 0, true, 0 },
	{ "qemu64", 0x250, 0x0606060606060606, false, 0x0606060606060606 },
	{ "qemu64", 0x26f, 0x0606060606060605, false, 0x0606060606060605 },
	{ "qemu64", 0x251, 0, true, 0 },
	{ "qemu64", 0x2ff, 0xc06, false, 0xc06 },
	{ "qemu64", 0x2ff, 0x1000, true, 0 },
	{ "qemu64", 0x400, ~0ull, false, ~0ull },
	{ "qemu64", 0x400, 1, true, 0 },
	{ "qemu64", 0x401, 1, true, 0 },
	{ "qemu64", 0x428, 0, true, 0 },
	{ "qemu64", 0xc0010015, 1 << 4, false, 0x1000000 },
	{ "kvm64", 0xc0010015, 0, true, 0 },
	{ "kvm64", 0x3a, 5, true, 1 },
	{ "kvm64", 0x140, 0, false, 0 },
	{ "kvm64", 0x140, 1, true, 0 },
	{ "kvm64", 0x10a, 0, true, 0x141 },
	{ "qemu64", 0x10a, 0, true, 0 },
	{ "qemu64", 0x3a, 5, true, 0 },
	{ "qemu64", 0x48, 0, true, 0 },
	{ "qemu64", 0xdeadbeef, 0, true, 0 },
};

static void msr_writes_are_checked(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(writes); i++) {
		const struct write *w = &writes[i];
		struct test_cpu *t = with_model(w->model);
		uint64_t v = 0;

		if (msr_try_write(t->c, w->msr, w->value) == w->refused)
			TEST_FAIL("row %u: %x", i, w->msr);
		(void)msr_try_read(t->c, w->msr, &v);
		if (v != w->then)
			TEST_FAIL("row %u: %x reads %llx", i, w->msr,
				  (unsigned long long)v);
		test_cpu_free(t);
	}
}

static void firmware_memory_types_leave_the_hole_uncached(void **state)
{
	struct test_cpu *t = with_model("qemu64");
	uint64_t base, mask;

	mtrr_set_up(t->c, 0xe0000000);
	base = msr_read(t->c, 0x200);
	mask = msr_read(t->c, 0x201);
	assert_true((0xfee00000 & mask & ~0xfffull) == base);
	assert_false((0xdffff000 & mask & ~0xfffull) == base);
	for (uint32_t n = 0x200; n < 0x202; n++)
		assert_true(msr_try_write(t->c, n, msr_read(t->c, n)));
	assert_true(msr_try_write(t->c, 0x268, msr_read(t->c, 0x268)));
	assert_true(msr_try_write(t->c, 0x2ff, msr_read(t->c, 0x2ff)));
	test_cpu_free(t);
}

static void unknown_registers_are_gp(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	GP(t, msr_read(t->c, 0xdeadbeef));
	GP(t, msr_write(t->c, 0xdeadbeef, 0));
	test_cpu_free(t);
}

static void the_tsc_follows_the_clock_and_both_its_registers(void **state)
{
	struct test_cpu *t = with_model("max");
	uint64_t v;

	test_bus_run(t->bus, 1000);
	assert_int_equal(tsc_read(t->c), 1000);
	msr_write(t->c, 0x10, 5000);
	assert_int_equal(tsc_read(t->c), 5000);
	assert_true(msr_try_read(t->c, 0x3b, &v));
	assert_int_equal(v, 4000);
	test_bus_run(t->bus, 10);
	msr_write(t->c, 0x3b, 0);
	assert_int_equal(msr_read(t->c, 0x10), 1010);
	/* It wraps; so do what it is ahead by, and its adjustment. */
	msr_write(t->c, 0x3b, (uint64_t)INT64_MAX);
	msr_write(t->c, 0x10, 0);
	msr_write(t->c, 0x10, 1ull << 63);
	assert_int_equal(msr_read(t->c, 0x3b), (1ull << 63) - 1010);
	test_cpu_free(t);
}

static void init_keeps_what_the_manual_says(void **state)
{
	struct test_cpu *t = with_model("qemu64");

	t->c->x87.fcw = 0x37f;
	t->c->v[3].q[0] = 7;
	msr_write(t->c, 0x2ff, 0xc06);
	msr_write(t->c, 0xc0000080, EFER_SCE);
	cr_write(t->c, 0, CR0_PE | CR0_CD);
	t->c->gpr[RBX] = 1;
	cpu_reset(t->c, true);
	assert_int_equal(t->c->x87.fcw, 0x37f);
	assert_int_equal(t->c->v[3].q[0], 7);
	assert_int_equal(t->c->mtrr_def_type, 0xc06);
	assert_int_equal(t->c->efer, 0);
	assert_int_equal(t->c->cr0, CR0_CD | CR0_ET);
	assert_int_equal(t->c->gpr[RBX], 0);
	assert_int_equal(t->c->rip, 0xfff0);
	assert_int_equal(t->c->seg[CS].base, 0xffff0000);
	cpu_reset(t->c, false);
	assert_int_equal(t->c->x87.fcw, 0x40);
	assert_int_equal(t->c->v[3].q[0], 0);
	assert_int_equal(t->c->mtrr_def_type, 0);
	test_cpu_free(t);
}

TEST_MAIN("sysreg",
	  TEST(cr0_refuses_what_cannot_be),
	  TEST(long_mode_comes_and_goes_with_pg),
	  TEST(long_mode_is_refused_from_l_code_and_a_16_bit_task),
	  TEST(cr3_checks_address_bits_and_pdptes),
	  TEST(pcids_need_long_mode_and_a_clean_cr3),
	  TEST(cr4_has_only_bits_of_features),
	  TEST(cr8_is_four_bits),
	  TEST(wp_changes_reach_cached_translations),
	  TEST(debug_registers_have_aliases_ones_and_a_guard),
	  TEST(dr7_switches_stepping_for_instruction_breakpoints),
	  TEST(xcr0_takes_only_whole_states),
	  TEST(msr_writes_are_checked),
	  TEST(firmware_memory_types_leave_the_hole_uncached),
	  TEST(unknown_registers_are_gp),
	  TEST(the_tsc_follows_the_clock_and_both_its_registers),
	  TEST(init_keeps_what_the_manual_says))
