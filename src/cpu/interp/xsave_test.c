/* cpu/interp/xsave_test.c
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/test_vector.h"
#include "cpu/interp/xsave.h"
#include "cpu/x86/fault.h"

#define BV		512
#define XCOMP		520
#define AVX		576
#define COMPACT		(1ull << 63)

/* EDX:EAX = mask; the area at RDI is filled with 0xa5, its header zero. */
static struct guest *save_guest(uint64_t mask)
{
	struct guest *g = vector_guest();

	memset(g->data, 0xa5, 1024);
	memset(g->data + BV, 0, 64);
	g->c->gpr[RAX] = (uint32_t)mask;
	g->c->gpr[RDX] = mask >> 32;
	return g;
}

static void clear_vectors(struct guest *g)
{
	memset(g->c->v, 0, sizeof(g->c->v));
}

static void fxsave_and_fxrstor_carry_x87_and_sse(void **state)
{
	struct guest *g = vector_guest();
	union vreg before[16];

	memcpy(before, g->c->v, sizeof(before));
	RUN(g, "\xd9\xe8");			/* fld1 */
	g->c->x87.mxcsr = 0x9f80;
	memset(g->data, 0xa5, 512);
	RUN(g, "\x0f\xae\x07");			/* fxsave [rdi] */
	assert_int_equal(load_le16(g->data), FCW_INIT);
	assert_int_equal(load_le16(g->data + 2), 0x3800);
	assert_int_equal(g->data[4], 0x80);
	assert_int_equal(load_le32(g->data + 24), 0x9f80);
	assert_int_equal(load_le32(g->data + 28), 0xffff);
	assert_int_equal(g->data[416], 0xa5);
	clear_vectors(g);
	RUN(g, "\xdb\xe3");			/* fninit */
	g->c->x87.mxcsr = 0x1f80;
	RUN(g, "\x0f\xae\x0f");			/* fxrstor */
	for (unsigned n = 0; n < 16; n++)
		assert_memory_equal(g->c->v[n].b, before[n].b, 16);
	assert_int_equal(g->c->v[3].q[2], 0);
	assert_int_equal(g->c->x87.mxcsr, 0x9f80);
	assert_int_equal(fpu_top(g->c), 7);
	guest_free(g);
}

static void fxsave_refuses_what_the_manual_says(void **state)
{
	struct guest *g = vector_guest();

	g->c->gpr[RDI] += 8;
	RAISES(g, "\x0f\xae\x07", VEC_GP);
	g->c->gpr[RDI] -= 8;
	store_le32(g->data + 24, 0x10000);
	RAISES(g, "\x0f\xae\x0f", VEC_GP);	/* MXCSR */
	g->c->cr0 |= CR0_EM;
	RAISES(g, "\x0f\xae\x07", VEC_NM);
	guest_free(g);
}

static void xsave_writes_what_was_asked_for(void **state)
{
	struct guest *g = save_guest(4);	/* AVX alone */

	store_le64(g->data + BV, 3);
	RUN(g, "\x0f\xae\x27");			/* xsave [rdi] */
	assert_int_equal(load_le64(g->data + BV), 7);
	assert_int_equal(g->data[0], 0xa5);
	assert_int_equal(load_le32(g->data + 24), 0x1f80);
	assert_memory_equal(g->data + AVX + 16, g->c->v[1].b + 16, 16);
	g->c->gpr[RAX] = 7;
	clear_vectors(g);
	RUN(g, "\x0f\xae\x27");
	assert_int_equal(load_le64(g->data + BV), 0);	/* all initial */
	assert_int_equal(g->data[AVX + 16], 0);
	guest_free(g);
}

static void xsaveopt_leaves_out_initial_components(void **state)
{
	struct guest *g = save_guest(7);

	for (unsigned n = 0; n < 16; n++)
		g->c->v[n].q[2] = g->c->v[n].q[3] = 0;
	RUN(g, "\x0f\xae\x37");			/* xsaveopt [rdi] */
	assert_int_equal(load_le64(g->data + BV), 2);
	assert_int_equal(g->data[AVX], 0xa5);
	assert_memory_equal(g->data + 160 + 16, g->c->v[1].b, 16);
	clear_vectors(g);
	g->c->x87.mxcsr = 0x9f80;		/* written all the same */
	RUN(g, "\x0f\xae\x37");
	assert_int_equal(load_le64(g->data + BV), 0);
	assert_int_equal(load_le32(g->data + 24), 0x9f80);
	memset(g->data + BV, 0, 64);
	RUN(g, "\x0f\xc7\x27");			/* xsavec counts it as SSE */
	assert_int_equal(load_le64(g->data + BV), 2);
	guest_free(g);
}

static void xsavec_says_so_and_xrstor_takes_it_back(void **state)
{
	struct guest *g = save_guest(7);
	union vreg before[16];

	memcpy(before, g->c->v, sizeof(before));
	RUN(g, "\xd9\xeb");			/* fldpi */
	RUN(g, "\x0f\xc7\x27");			/* xsavec [rdi] */
	assert_int_equal(load_le64(g->data + BV), 7);
	assert_int_equal(load_le64(g->data + XCOMP), 7 | COMPACT);
	clear_vectors(g);
	fpu_init(g->c);
	RUN(g, "\x0f\xae\x2f");			/* xrstor [rdi] */
	assert_memory_equal(g->c->v, before, sizeof(before));
	assert_int_equal(fpu_top(g->c), 7);
	/* what is not in XSTATE_BV becomes initial, MXCSR too */
	store_le64(g->data + BV, 4);
	g->c->x87.mxcsr = 0x9f80;
	RUN(g, "\x0f\xae\x2f");
	assert_int_equal(g->c->v[1].q[0], 0);
	assert_int_equal(g->c->v[1].q[2], before[1].q[2]);
	assert_int_equal(g->c->x87.mxcsr, 0x1f80);
	assert_int_equal(g->c->x87.ftw, 0);
	guest_free(g);
}

static void standard_xrstor_always_loads_mxcsr(void **state)
{
	struct guest *g = save_guest(6);

	store_le32(g->data + 24, 0x7f80);
	RUN(g, "\x0f\xae\x2f");			/* xrstor, XSTATE_BV = 0 */
	assert_int_equal(g->c->x87.mxcsr, 0x7f80);
	assert_int_equal(g->c->v[1].q[0] | g->c->v[1].q[3], 0);
	store_le32(g->data + 24, 0x10000);
	RAISES(g, "\x0f\xae\x2f", VEC_GP);
	guest_free(g);
}

static void bad_headers_are_refused(void **state)
{
	static const struct { unsigned at; uint64_t v; } bad[] = {
		{ BV, 8 },			/* not in XCR0 */
		{ XCOMP, 1 },			/* standard, but not zero */
		{ BV + 16, 1 },
		{ XCOMP, COMPACT | 8 },
		{ BV + 24, 0 },			/* with XCOMP below */
	};

	for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
		struct guest *g = save_guest(7);

		if (bad[n].at == BV + 24) {	/* BV not within XCOMP_BV */
			store_le64(g->data + BV, 4);
			store_le64(g->data + XCOMP, COMPACT | 3);
		} else {
			store_le64(g->data + bad[n].at, bad[n].v);
		}
		RAISES(g, "\x0f\xae\x2f", VEC_GP);
		guest_free(g);
	}
}

static void xsave_needs_osxsave_and_alignment(void **state)
{
	struct guest *g = save_guest(7);

	g->c->gpr[RDI] += 32;
	RAISES(g, "\x0f\xae\x27", VEC_GP);
	g->c->cr0 |= CR0_TS;
	RAISES(g, "\x0f\xae\x27", VEC_NM);
	g->c->cr4 &= ~(uint64_t)CR4_OSXSAVE;
	RAISES(g, "\x0f\xae\x27", VEC_UD);
	guest_free(g);
}

static void in_use_means_not_initial(void **state)
{
	struct guest *g = vector_guest();

	assert_int_equal(xinuse(g->c), 6);
	clear_vectors(g);
	memset(g->c->x87.st, 0, sizeof(g->c->x87.st));
	assert_int_equal(xinuse(g->c), 0);
	RUN(g, "\xd9\xe8");			/* fld1 */
	assert_int_equal(xinuse(g->c), 1);
	guest_free(g);
}

/* The same area restored by the host's XRSTOR and saved again by its XSAVE. */
static void the_host_understands_our_area(void **state)
{
	static uint8_t area[1024] __attribute__((aligned(64)));
	struct guest *g = save_guest(6);
	union vreg ymm1;

	RUN(g, "\x0f\xae\x27");
	memcpy(area, g->data, sizeof(area));
	__asm__ volatile("xrstor64 (%1)\n"
			 "vmovdqu %%ymm1, (%0)\n"
			 "vzeroupper"
			 :
			 : "r"(&ymm1), "r"(area), "a"(6), "d"(0)
			 : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
			   "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			   "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	assert_memory_equal(&ymm1, &g->c->v[1], 32);
	guest_free(g);
}

TEST_MAIN("xsave",
	TEST(fxsave_and_fxrstor_carry_x87_and_sse),
	TEST(fxsave_refuses_what_the_manual_says),
	TEST(xsave_writes_what_was_asked_for),
	TEST(xsaveopt_leaves_out_initial_components),
	TEST(xsavec_says_so_and_xrstor_takes_it_back),
	TEST(standard_xrstor_always_loads_mxcsr),
	TEST(bad_headers_are_refused),
	TEST(xsave_needs_osxsave_and_alignment),
	TEST(in_use_means_not_initial),
	TEST(the_host_understands_our_area))
