/* cpu/interp/fpu_test.c
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/test_vector.h"
#include "cpu/x86/fault.h"

/* FLD qword [rdi] of this. */
static void push_double(struct guest *g, double d)
{
	memcpy(g->data, &d, 8);
	RUN(g, "\xdd\x07");
}

static double pop_double(struct guest *g)
{
	double d;

	RUN(g, "\xdd\x1f");			/* fstp qword [rdi] */
	memcpy(&d, g->data, 8);
	return d;
}

static void the_stack_works_as_one(void **state)
{
	struct guest *g = vector_guest();

	push_double(g, 1.5);
	push_double(g, 4);
	assert_int_equal(fpu_top(g->c), 6);
	assert_int_equal(g->c->x87.ftw, 0xc0);
	RUN(g, "\xd9\xfa");			/* fsqrt */
	RUN(g, "\xd8\xc1");			/* fadd st0, st1 */
	RUN(g, "\xd9\xc9");			/* fxch */
	assert_true(pop_double(g) == 1.5);
	assert_true(pop_double(g) == 3.5);
	assert_int_equal(g->c->x87.ftw, 0);
	guest_free(g);
}

static void an_empty_register_is_a_stack_fault(void **state)
{
	struct guest *g = vector_guest();

	RUN(g, "\xd9\xfa");			/* fsqrt of nothing, masked */
	assert_int_equal(g->c->x87.fsw & 0x7f, FSW_IE | FSW_SF);
	assert_int_equal(g->c->x87.fsw & FSW_C1, 0);
	assert_int_equal(load_le64(g->c->x87.st[0]), 3ull << 62);
	guest_free(g);
}

static void a_pending_exception_waits_for_the_next_instruction(void **state)
{
	struct guest *g = vector_guest();

	fpu_write_control(g->c, 0x037b);	/* divide by zero unmasked */
	push_double(g, 0);
	push_double(g, 1);
	RUN(g, "\xd8\xf1");			/* fdiv st0, st1 */
	assert_true(fpu_pending(g->c));
	RUN(g, "\xdf\xe0");			/* fnstsw ax does not wait */
	assert_int_equal(g->c->gpr[RAX] & 0x8084, 0x8084);
	RAISES(g, "\xd9\xe8", VEC_MF);		/* fld1 */
	RAISES(g, "\x9b", VEC_MF);		/* fwait */
	RAISES(g, "\x0f\xfc\xca", VEC_MF);	/* paddb mm1, mm2 */
	assert_int_equal(fpu_top(g->c), 6);
	RUN(g, "\xdb\xe2");			/* fnclex */
	RUN(g, "\xd9\xe8");
	guest_free(g);
}

static void without_ne_the_exception_is_irq_13(void **state)
{
	struct guest *g = vector_guest();

	g->c->cr0 &= ~(uint64_t)CR0_NE;
	g->c->x87.fcw = 0x037e;
	g->c->x87.fsw = FSW_ES | FSW_BUSY | FSW_IE;
	RUN(g, "\xd9\xe8");			/* fld1 */
	assert_true(g->bus->isa[13].level);
	assert_true(g->c->halted);
	assert_int_equal(g->c->rip, GUEST_CODE);	/* tries again */
	assert_int_equal(fpu_top(g->c), 0);
	guest_free(g);
}

static void em_and_ts_are_nm_and_fwait_asks_mp_too(void **state)
{
	struct guest *g = vector_guest();

	g->c->cr0 |= CR0_EM;
	RAISES(g, "\xd9\xe8", VEC_NM);
	RUN(g, "\x9b");
	g->c->cr0 ^= CR0_EM | CR0_TS;
	RAISES(g, "\xdb\xe3", VEC_NM);		/* fninit */
	RAISES(g, "\x9b", VEC_NM);
	g->c->cr0 &= ~(uint64_t)CR0_MP;
	RUN(g, "\x9b");
	guest_free(g);
}

static void a_store_that_faults_does_not_pop(void **state)
{
	struct guest *g = vector_guest();

	push_double(g, 2);
	g->c->gpr[RDI] = GUEST_DATA + GUEST_BYTES - 4;
	RAISES(g, "\xdd\x1f", VEC_PF);		/* fstp qword */
	assert_int_equal(fpu_top(g->c), 7);
	RUN(g, "\xd9\x1f");			/* fstp dword fits */
	assert_int_equal(fpu_top(g->c), 0);
	guest_free(g);
}

static void an_unmasked_exception_keeps_the_store_away(void **state)
{
	struct guest *g = vector_guest();

	push_double(g, 1e300);
	fpu_write_control(g->c, 0x0377);	/* overflow unmasked */
	store_le32(g->data, 0x11223344);
	RUN(g, "\xd9\x1f");			/* fstp dword: too large */
	assert_int_equal(load_le32(g->data), 0x11223344);
	assert_int_equal(fpu_top(g->c), 7);
	assert_true(fpu_pending(g->c));
	guest_free(g);
}

static void flags_come_and_go(void **state)
{
	struct guest *g = vector_guest();

	push_double(g, 2);
	push_double(g, 1);
	RUN(g, "\xdb\xf1");			/* fcomi: below */
	assert_int_equal(g->c->arith & (FLAG_CF | FLAG_ZF | FLAG_PF), FLAG_CF);
	RUN(g, "\xda\xc1");			/* fcmovb st0, st1 */
	assert_true(pop_double(g) == 2);
	guest_free(g);
}

static void pointers_are_the_guests(void **state)
{
	struct guest *g = vector_guest();

	push_double(g, 2);
	assert_int_equal(g->c->x87.fip, GUEST_CODE);
	assert_int_equal(g->c->x87.fdp, GUEST_DATA);
	assert_int_equal(g->c->x87.fop, 0x507);	/* DD 07 */
	RUN(g, "\xd9\x3f");			/* fnstcw leaves them */
	assert_int_equal(g->c->x87.fop, 0x507);
	guest_free(g);
}

static void the_environment_has_a_layout_per_mode(void **state)
{
	struct guest *g = vector_guest();
	struct cpu *c = g->c;

	push_double(g, 0);
	c->x87.fip = 0x12345;
	c->fcs = 0x7c;
	c->x87.fdp = 0xabcde;
	c->fds = 0x1f;
	RUN(g, "\xd9\x37");			/* fnstenv [rdi], 32-bit */
	assert_int_equal(load_le32(g->data), 0xffff037f);
	assert_int_equal(load_le32(g->data + 4), 0xffff3800);
	assert_int_equal(load_le32(g->data + 8), 0xffff7fff);	/* R7 zero */
	assert_int_equal(load_le32(g->data + 12), 0x12345);
	assert_int_equal(load_le32(g->data + 16), 0x0507007c);
	assert_int_equal(load_le32(g->data + 24), 0xffff001f);
	RUN(g, "\x66\xd9\x37");			/* 16-bit protected */
	assert_int_equal(load_le16(g->data + 6), 0x2345);
	assert_int_equal(load_le16(g->data + 8), 0x7c);
	c->rflags |= FLAG_VM;
	RUN(g, "\x66\xd9\x37");			/* 16-bit real: linear */
	assert_int_equal(load_le16(g->data + 6), 0x2b05);
	assert_int_equal(load_le16(g->data + 8), 0x1507);
	guest_free(g);
}

static void fnsave_and_frstor_carry_everything(void **state)
{
	struct guest *g = vector_guest();
	struct x87 before;

	push_double(g, 3.25);
	push_double(g, -1);
	before = g->c->x87;
	RUN(g, "\xdd\x37");			/* fnsave */
	assert_int_equal(g->c->x87.fcw, FCW_INIT);
	assert_int_equal(g->c->x87.fsw | g->c->x87.ftw, 0);
	RUN(g, "\xdd\x27");			/* frstor */
	assert_int_equal(g->c->x87.fsw, before.fsw);
	assert_int_equal(g->c->x87.ftw, before.ftw);
	assert_memory_equal(g->c->x87.st, before.st, sizeof(before.st));
	guest_free(g);
}

static void our_own_fpu_stays_clean(void **state)
{
	struct guest *g = vector_guest();
	uint16_t fcw;
	volatile long double x = 1;

	fpu_write_control(g->c, 0x0040);	/* everything unmasked */
	push_double(g, 1);
	__asm__ volatile("fnstcw %0" : "=m"(fcw));
	assert_int_equal(fcw, 0x37f);
	x = x / 3;
	assert_true(x > 0.3L && x < 0.34L);
	guest_free(g);
}

TEST_MAIN("fpu",
	TEST(the_stack_works_as_one),
	TEST(an_empty_register_is_a_stack_fault),
	TEST(a_pending_exception_waits_for_the_next_instruction),
	TEST(without_ne_the_exception_is_irq_13),
	TEST(em_and_ts_are_nm_and_fwait_asks_mp_too),
	TEST(a_store_that_faults_does_not_pop),
	TEST(an_unmasked_exception_keeps_the_store_away),
	TEST(flags_come_and_go),
	TEST(pointers_are_the_guests),
	TEST(the_environment_has_a_layout_per_mode),
	TEST(fnsave_and_frstor_carry_everything),
	TEST(our_own_fpu_stays_clean))
