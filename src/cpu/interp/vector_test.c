/* cpu/interp/vector_test.c
 * SPDX-License-Identifier: MIT
 */
#include <xmmintrin.h>

#include "cpu/interp/thunk.h"
#include "cpu/interp/test_vector.h"
#include "cpu/x86/fault.h"

/* ---- results ---- */

struct sample {
	const char *bytes;
	unsigned len;
	void (*native)(void *a, const void *b, const void *c);
};

/* An instruction with op1 in XMM1, and XMM2, XMM3 as sources, twice: as bytes
 * for the guest, as text for the host's assembler. */
#define SAMPLES(X)                                                            \
	X(addps, "\x0f\x58\xca", "addps %%xmm2, %%xmm1")                      \
	X(divpd, "\x66\x0f\x5e\xca", "divpd %%xmm2, %%xmm1")                  \
	X(minss, "\xf3\x0f\x5d\xca", "minss %%xmm2, %%xmm1")                  \
	X(cmppd, "\x66\x0f\xc2\xca\x05", "cmppd $5, %%xmm2, %%xmm1")          \
	X(cvtps2dq, "\x66\x0f\x5b\xca", "cvtps2dq %%xmm2, %%xmm1")            \
	X(rsqrtps, "\x0f\x52\xca", "rsqrtps %%xmm2, %%xmm1")                  \
	X(pshufb, "\x66\x0f\x38\x00\xca", "pshufb %%xmm2, %%xmm1")            \
	X(pmaddwd, "\x66\x0f\xf5\xca", "pmaddwd %%xmm2, %%xmm1")              \
	X(psadbw, "\x66\x0f\xf6\xca", "psadbw %%xmm2, %%xmm1")                \
	X(pshufd, "\x66\x0f\x70\xca\x1b", "pshufd $0x1b, %%xmm2, %%xmm1")     \
	X(palignr, "\x66\x0f\x3a\x0f\xca\x05", "palignr $5, %%xmm2, %%xmm1")  \
	X(mpsadbw, "\x66\x0f\x3a\x42\xca\x03", "mpsadbw $3, %%xmm2, %%xmm1")  \
	X(dpps, "\x66\x0f\x3a\x40\xca\xf1", "dpps $0xf1, %%xmm2, %%xmm1")     \
	X(aesenc, "\x66\x0f\x38\xdc\xca", "aesenc %%xmm2, %%xmm1")            \
	X(pclmul, "\x66\x0f\x3a\x44\xca\x11",                                 \
	  "pclmulqdq $0x11, %%xmm2, %%xmm1")                                  \
	X(vaddps, "\xc5\xe8\x58\xcb", "vaddps %%xmm3, %%xmm2, %%xmm1")        \
	X(vpermd, "\xc4\xe2\x6d\x36\xcb", "vpermd %%ymm3, %%ymm2, %%ymm1")    \
	X(vfmadd, "\xc4\xe2\xe9\xb8\xcb",                                     \
	  "vfmadd231pd %%xmm3, %%xmm2, %%xmm1")                               \
	X(vpsrlvq, "\xc4\xe2\xed\x45\xcb", "vpsrlvq %%ymm3, %%ymm2, %%ymm1")  \
	X(vblendv, "\xc4\xe3\x6d\x4c\xcb\x20",                                \
	  "vpblendvb %%ymm2, %%ymm3, %%ymm2, %%ymm1")                         \
	X(vpsllw, "\xc5\xf1\x71\xf2\x03", "vpsllw $3, %%xmm2, %%xmm1")        \
	X(vextract, "\xc4\xe3\x7d\x39\xd1\x01",                               \
	  "vextracti128 $1, %%ymm2, %%xmm1")

#define NATIVE(name, bytes, text)                                             \
	static void __attribute__((target("avx2"))) native_##name(            \
		void *a, const void *b, const void *c)                        \
	{                                                                     \
		__asm__ volatile("vmovdqu (%0), %%ymm1\n"                     \
				 "vmovdqu (%1), %%ymm2\n"                     \
				 "vmovdqu (%2), %%ymm3\n" text "\n"           \
				 "vmovdqu %%ymm1, (%0)\n"                     \
				 "vzeroupper"                                 \
				 :                                            \
				 : "r"(a), "r"(b), "r"(c)                     \
				 : "memory", "xmm1", "xmm2", "xmm3");         \
	}
SAMPLES(NATIVE)

static const struct sample samples[] = {
#define SAMPLE(name, bytes, text) { bytes, sizeof(bytes) - 1, native_##name },
	SAMPLES(SAMPLE)
};

static void results_are_the_hosts(void **state)
{
	struct guest *g = vector_guest();
	union vreg want;

	for (unsigned round = 0; round < 50; round++)
		for (unsigned n = 0; n < ARRAY_LEN(samples); n++) {
			want = g->c->v[1];
			samples[n].native(&want, &g->c->v[2], &g->c->v[3]);
			assert_true(guest_run(g, samples[n].bytes,
					      samples[n].len));
			assert_memory_equal(&g->c->v[1], &want, 32);
			g->c->v[2].q[round & 3] += g->c->v[1].q[n & 3] * 77;
			g->c->v[3].q[n & 3] ^= g->c->v[2].q[round & 3];
		}
	guest_free(g);
}

static void sse_keeps_the_upper_half_and_vex_clears_it(void **state)
{
	struct guest *g = vector_guest();
	uint64_t upper = g->c->v[1].q[3];

	RUN(g, "\x0f\x58\xca");			/* addps xmm1, xmm2 */
	assert_int_equal(g->c->v[1].q[3], upper);
	RUN(g, "\xc5\xe8\x58\xcb");		/* vaddps xmm1, xmm2, xmm3 */
	assert_int_equal(g->c->v[1].q[2] | g->c->v[1].q[3], 0);
	RUN(g, "\xc5\xf8\x77");			/* vzeroupper */
	assert_int_equal(g->c->v[15].q[2], 0);
	assert_int_not_equal(g->c->v[15].q[1], 0);
	guest_free(g);
}

static void general_registers_and_flags_are_results_too(void **state)
{
	struct guest *g = vector_guest();

	set_doubles(g, 1, -7.9, 0);
	RUN(g, "\xf2\x48\x0f\x2c\xc1");		/* cvttsd2si rax, xmm1 */
	assert_int_equal(g->c->gpr[RAX], -7);
	RUN(g, "\xf2\x0f\x2c\xc1");		/* eax: upper half cleared */
	assert_int_equal(g->c->gpr[RAX], 0xfffffff9);
	g->c->gpr[RAX] = 0x123;
	RUN(g, "\xf2\x48\x0f\x2a\xd0");		/* cvtsi2sd xmm2, rax */
	assert_true(double_of(g, 2, 0) == 0x123);
	g->c->arith = 0xd7;
	g->c->of = 1;
	RUN(g, "\x66\x0f\x2f\xca");		/* comisd xmm1, xmm2: below */
	assert_int_equal(g->c->arith, FLAG_ONE | FLAG_CF);
	assert_int_equal(g->c->of, 0);
	guest_free(g);
}

static void string_compares_use_their_implicit_registers(void **state)
{
	struct guest *g = vector_guest();

	memcpy(g->c->v[1].b, "o\0xxxxxxxxxxxxxx", 16);
	memcpy(g->c->v[2].b, "hello\0zzzzzzzzzz", 16);
	g->c->gpr[RCX] = ~0ull;
	RUN(g, "\x66\x0f\x3a\x63\xca\x00");	/* pcmpistri xmm1, xmm2, 0 */
	assert_int_equal(g->c->gpr[RCX], 4);
	assert_true(g->c->arith & FLAG_CF);
	g->c->gpr[RAX] = 1;
	g->c->gpr[RDX] = 3;			/* "hel": not there */
	RUN(g, "\x66\x0f\x3a\x61\xca\x00");	/* pcmpestri */
	assert_int_equal(g->c->gpr[RCX], 16);
	assert_false(g->c->arith & FLAG_CF);
	g->c->gpr[RDX] = 5;
	RUN(g, "\x66\x0f\x3a\x60\xca\x40");	/* pcmpestrm, byte mask */
	assert_int_equal(g->c->v[0].b[4], 0xff);
	guest_free(g);
}

/* ---- memory ---- */

static void a_misaligned_operand_is_gp_where_the_manual_says_so(void **state)
{
	struct guest *g = vector_guest();

	RUN(g, "\x66\x0f\xfe\x0f");		/* paddd xmm1, [rdi] */
	g->c->gpr[RDI]++;
	RAISES(g, "\x66\x0f\xfe\x0f", VEC_GP);
	assert_int_equal(g->c->fault.code, 0);
	RAISES(g, "\x0f\x29\x0f", VEC_GP);	/* movaps [rdi], xmm1 */
	RAISES(g, "\xc5\xfc\x28\x0f", VEC_GP);	/* vmovaps ymm1, [rdi] */
	RUN(g, "\x0f\x10\x0f");			/* movups */
	RUN(g, "\xc5\xe9\xfe\x0f");		/* vpaddd xmm1, xmm2, [rdi] */
	RUN(g, "\xf2\x0f\x58\x0f");		/* addsd xmm1, [rdi] */
	guest_free(g);
}

static void a_store_across_a_bad_page_changes_nothing(void **state)
{
	struct guest *g = vector_guest();
	uint8_t *end = g->data + GUEST_BYTES;

	g->c->gpr[RDI] = GUEST_DATA + GUEST_BYTES - 8;
	memset(end - 8, 0x5a, 8);
	RAISES(g, "\x0f\x11\x0f", VEC_PF);	/* movups [rdi], xmm1 */
	assert_int_equal(g->c->cr2, GUEST_DATA + GUEST_BYTES);
	assert_int_equal(end[-8], 0x5a);
	RUN(g, "\x0f\x13\x0f");			/* movlps: 8 bytes fit */
	assert_memory_equal(end - 8, g->c->v[1].b, 8);
	guest_free(g);
}

static void masked_moves_touch_only_what_is_selected(void **state)
{
	struct guest *g = vector_guest();
	uint8_t *end = g->data + GUEST_BYTES;

	g->c->gpr[RDI] = GUEST_DATA + GUEST_BYTES - 8;
	memset(&g->c->v[2], 0, 32);
	g->c->v[2].d[1] = 0x80000000;
	store_le32(end - 4, 0x12345678);
	RUN(g, "\xc4\xe2\x69\x2c\x0f");		/* vmaskmovps xmm1, xmm2, [] */
	assert_int_equal(g->c->v[1].d[0], 0);
	assert_int_equal(g->c->v[1].d[1], 0x12345678);
	g->c->v[2].d[2] = 0x80000000;		/* in the bad page */
	RAISES(g, "\xc4\xe2\x69\x2e\x0f", VEC_PF);	/* store */
	assert_int_equal(load_le32(end - 4), 0x12345678);
	guest_free(g);
}

static void a_gather_keeps_what_it_had_before_a_fault(void **state)
{
	struct guest *g = vector_guest();
	struct cpu *c = g->c;

	c->v[2] = (union vreg){ .d = { 0, 1, GUEST_BYTES / 4, 2 } };
	memset(&c->v[3], 0xff, 32);
	store_le32(g->data, 11);
	store_le32(g->data + 4, 22);
	/* vpgatherdd xmm1, [rdi + xmm2 * 4], xmm3 */
	RAISES(g, "\xc4\xe2\x61\x90\x0c\x97", VEC_PF);
	assert_int_equal(c->v[1].d[0], 11);
	assert_int_equal(c->v[1].d[1], 22);
	assert_int_equal(c->v[3].d[1], 0);
	assert_int_equal(c->v[3].d[2], 0xffffffff);
	c->v[2].d[2] = 0;
	RUN(g, "\xc4\xe2\x61\x90\x0c\x97");
	assert_int_equal(c->v[1].d[1], 22);
	assert_int_equal(c->v[1].d[2], 11);
	assert_int_equal(c->v[1].q[2] | c->v[3].q[0] | c->v[3].q[1], 0);
	guest_free(g);
}

/* ---- MXCSR ---- */

static void flags_gather_in_the_guests_mxcsr_alone(void **state)
{
	struct guest *g = vector_guest();
	uint32_t own;

	_mm_setcsr(0x1f80 | 0x20);		/* inexact, not the guest's */
	own = _mm_getcsr();
	set_doubles(g, 1, 1, 1);
	set_doubles(g, 2, 0, 0);
	RUN(g, "\xf2\x0f\x5e\xca");		/* divsd: by zero */
	assert_int_equal(g->c->x87.mxcsr, 0x1f84);
	g->c->x87.mxcsr = 0x7f80;		/* toward zero */
	set_doubles(g, 1, 1, 1);
	set_doubles(g, 2, 3, 3);
	RUN(g, "\xf2\x0f\x5e\xca");
	assert_int_equal(g->c->x87.mxcsr, 0x7fa0);
	assert_int_equal(g->c->v[1].q[0], 0x3fd5555555555555);
	assert_int_equal(_mm_getcsr() & ~0x3fu, own & ~0x3fu);
	guest_free(g);
}

static void an_unmasked_exception_is_xm_and_changes_nothing(void **state)
{
	struct guest *g = vector_guest();

	set_doubles(g, 1, 1, 1);
	set_doubles(g, 2, 0, 1);
	g->c->x87.mxcsr = 0x1d80;		/* divide by zero unmasked */
	RAISES(g, "\x66\x0f\x5e\xca", VEC_XM);	/* divpd xmm1, xmm2 */
	assert_true(double_of(g, 1, 0) == 1);
	assert_int_equal(g->c->x87.mxcsr, 0x1d84);
	g->c->cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
	RAISES(g, "\x66\x0f\x5e\xca", VEC_UD);
	set_doubles(g, 2, 4, 1);		/* a flag already set is none */
	RUN(g, "\x66\x0f\x5e\xca");
	assert_true(double_of(g, 1, 0) == 0.25);
	assert_int_equal(_mm_getcsr() & 0xffc0, 0x1f80);
	guest_free(g);
}

static void ldmxcsr_refuses_bits_that_are_not_there(void **state)
{
	struct guest *g = vector_guest();

	store_le32(g->data, 0x9fc0);
	RUN(g, "\x0f\xae\x17");			/* ldmxcsr [rdi] */
	assert_int_equal(g->c->x87.mxcsr, 0x9fc0);
	store_le32(g->data, 0x21f80);		/* AMD's misaligned mode */
	RAISES(g, "\x0f\xae\x17", VEC_GP);
	RUN(g, "\xc5\xf8\xae\x1f");		/* vstmxcsr [rdi] */
	assert_int_equal(load_le32(g->data), 0x9fc0);
	guest_free(g);
}

/* ---- when they may run ---- */

static void control_registers_decide_who_may_run(void **state)
{
	static const struct {
		uint64_t cr0_set, cr4_clear, xcr0;
		int mmx, sse, avx;		/* vectors, -1 for none */
	} cases[] = {
		{ 0, 0, 7, -1, -1, -1 },
		{ CR0_EM, 0, 7, VEC_UD, VEC_UD, -1 },
		{ CR0_TS, 0, 7, VEC_NM, VEC_NM, VEC_NM },
		{ CR0_EM | CR0_TS, 0, 7, VEC_UD, VEC_UD, VEC_NM },
		{ 0, CR4_OSFXSR, 7, -1, VEC_UD, -1 },
		{ 0, CR4_OSXSAVE, 7, -1, -1, VEC_UD },
		{ CR0_TS, CR4_OSXSAVE, 7, VEC_NM, VEC_NM, VEC_UD },
		{ 0, 0, 3, -1, -1, VEC_UD },
	};
	static const char *const bytes[3] = { "\x0f\xfc\xca", "\x0f\x57\xca",
					      "\xc5\xe8\x57\xca" };

	for (unsigned n = 0; n < ARRAY_LEN(cases); n++) {
		const int want[3] = { cases[n].mmx, cases[n].sse,
				      cases[n].avx };
		struct guest *g = vector_guest();

		g->c->cr0 |= cases[n].cr0_set;
		g->c->cr4 &= ~cases[n].cr4_clear;
		g->c->xcr0 = cases[n].xcr0;
		for (unsigned k = 0; k < 3; k++) {
			bool ok = guest_run(g, bytes[k],
					    (unsigned)strlen(bytes[k]));

			assert_int_equal(ok ? -1 : g->c->fault.vector,
					 want[k]);
		}
		guest_free(g);
	}
}

static void vex_is_not_there_in_virtual_8086_mode(void **state)
{
	struct guest *g = vector_guest();

	g->c->rflags |= FLAG_VM;
	RAISES(g, "\xc5\xe8\x57\xca", VEC_UD);
	RUN(g, "\x0f\x57\xca");
	guest_free(g);
}

/* ---- MMX ---- */

static void mmx_lives_in_the_x87(void **state)
{
	struct guest *g = vector_guest();
	struct cpu *c = g->c;

	c->x87.fsw = 3 << 11;			/* R3 is ST(0) */
	store_le64(c->x87.st[6], 0x0102030405060708);	/* R1 */
	store_le64(c->x87.st[7], 0x1010101010101010);	/* R2 */
	RUN(g, "\x0f\xfc\xca");			/* paddb mm1, mm2 */
	assert_int_equal(load_le64(c->x87.st[1]), 0x1112131415161718);
	assert_int_equal(load_le16(c->x87.st[1] + 8), 0xffff);
	assert_int_equal(load_le16(c->x87.st[2] + 8), 0);
	assert_int_equal(fpu_top(c), 0);
	assert_int_equal(c->x87.ftw, 0xff);
	RUN(g, "\x0f\x77");			/* emms */
	assert_int_equal(c->x87.ftw, 0);
	c->x87.fsw |= FSW_ES | FSW_IE;
	RAISES(g, "\x0f\xfc\xca", VEC_MF);
	guest_free(g);
}

static void one_form_has_one_thunk(void **state)
{
	struct features all;
	struct insn a, b;

	features_of_host(&all);
	(void)insn_decode(&a, (const uint8_t *)"\x0f\x58\xca", 3, CODE64, &all);
	(void)insn_decode(&b, (const uint8_t *)"\x0f\x58\xe7", 3, CODE64, &all);
	assert_ptr_equal(thunk_find(&a), thunk_find(&b));
	(void)insn_decode(&b, (const uint8_t *)"\x0f\x58\x0f", 3, CODE64, &all);
	assert_ptr_not_equal(thunk_find(&a), thunk_find(&b));
}

TEST_MAIN("vector",
	TEST(results_are_the_hosts),
	TEST(sse_keeps_the_upper_half_and_vex_clears_it),
	TEST(general_registers_and_flags_are_results_too),
	TEST(string_compares_use_their_implicit_registers),
	TEST(a_misaligned_operand_is_gp_where_the_manual_says_so),
	TEST(a_store_across_a_bad_page_changes_nothing),
	TEST(masked_moves_touch_only_what_is_selected),
	TEST(a_gather_keeps_what_it_had_before_a_fault),
	TEST(flags_gather_in_the_guests_mxcsr_alone),
	TEST(an_unmasked_exception_is_xm_and_changes_nothing),
	TEST(ldmxcsr_refuses_bits_that_are_not_there),
	TEST(control_registers_decide_who_may_run),
	TEST(vex_is_not_there_in_virtual_8086_mode),
	TEST(mmx_lives_in_the_x87),
	TEST(one_form_has_one_thunk))
