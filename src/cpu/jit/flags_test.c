/* cpu/jit/flags_test.c - which flags are live where, and code that moves them.
 *
 * A block is the bytes of a test's case, at the start of a page or near its
 * end; what follows in the page are the case's too, then INT3s, which read
 * all flags.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "base/test.h"
#include "cpu/jit/tr.h"
#include "host/os.h"

#define ALL	FLAGS_ARITH
#define CF	FLAG_CF
#define ZF	FLAG_ZF

static uint8_t page[PAGE_SIZE] __attribute__((aligned(4096)));
static struct tr t;
static struct jit jit = { .watched = 0xff };
static struct jit_block a_block;
static struct cpu cpu;

/* The first `count` instructions of these are a block at `start`. */
static void block(unsigned start, const void *bytes, size_t len,
		  unsigned count)
{
	unsigned at = start;

	kinds_prepare();
	memset(&cpu.features, 0xff, sizeof(cpu.features));
	memset(page, 0xcc, sizeof(page));
	memcpy(page + start, bytes, len);
	memset(&t, 0, sizeof(t));
	t.c = &cpu;
	t.j = &jit;
	t.b = &a_block;
	a_block = (struct jit_block){ .look_low = PAGE_SIZE };
	t.page = page;
	t.mode = CODE64;
	t.flat = true;
	t.count = count;
	for (unsigned n = 0; n < count; n++) {
		assert_int_equal(insn_decode(&t.insn[n], page + at,
					     PAGE_SIZE - at, CODE64,
					     &cpu.features), DECODE_OK);
		at += t.insn[n].len;
		t.insn[n].end = (uint16_t)at;
	}
	tr_liveness(&t);
}

#define BLOCK(count, bytes) block(0, bytes, sizeof(bytes) - 1, count)

/* ---- liveness ---- */

static void flags_set_again_are_dead(void **state)
{
	BLOCK(2, "\x01\xc8\x01\xc8");		/* add; add */
	assert_int_equal(t.live[0], 0);
	assert_int_equal(t.live[1], ALL);	/* INT3 reads them */
	assert_int_equal(t.live_in, 0);
}

static void a_flag_that_is_read_is_live_up_to_there(void **state)
{
	/* add eax, ecx; mov eax, ecx; adc eax, ecx */
	BLOCK(3, "\x01\xc8\x89\xc8\x11\xc8");
	assert_int_equal(t.live[0], CF);
	assert_int_equal(t.live[1], CF);
	assert_int_equal(t.live_in, 0);
}

static void what_an_instruction_leaves_alone_stays_live_before_it(void **state)
{
	BLOCK(2, "\xff\xc0\x73\x00");		/* inc eax; jnc */
	assert_int_equal(t.live[0], ALL);
	assert_int_equal(t.live_in, CF);
}

static void a_shift_by_a_variable_count_may_leave_all_flags(void **state)
{
	/* shl eax, cl; then INT3 */
	BLOCK(1, "\xd3\xe0");
	assert_int_equal(t.live_in, ALL);
	/* shl eax, cl; cmp eax, ecx */
	BLOCK(2, "\xd3\xe0\x39\xc8");
	assert_int_equal(t.live_in, 0);
	/* shl eax, cl; setz al; cmp eax, ecx */
	BLOCK(3, "\xd3\xe0\x0f\x94\xc0\x39\xc8");
	assert_int_equal(t.live_in, ZF);
}

static void a_shift_by_a_constant_sets_all_flags(void **state)
{
	BLOCK(1, "\xc1\xe0\x03");		/* shl eax, 3 */
	assert_int_equal(t.live_in, 0);
	BLOCK(1, "\xc1\xe0\x20");		/* by 32, which is 0 */
	assert_int_equal(t.live_in, ALL);
	BLOCK(1, "\xc1\xd0\x01");		/* rcl reads CF */
	assert_int_equal(t.live_in & CF, CF);
}

static void both_ways_of_a_jump_count(void **state)
{
	/* add; jz +2; cmp; cmp */
	BLOCK(3, "\x01\xc8\x74\x02\x39\xc8\x39\xc8");
	assert_int_equal(t.live[0], ZF);
	assert_int_equal(t.live[1], 0);
	/* add; jz +2; cmp; adc: the target reads CF */
	BLOCK(3, "\x01\xc8\x74\x02\x39\xc8\x11\xc8");
	assert_int_equal(t.live[0], ZF | CF);
	/* add; jz +4; adc; cmp: what follows reads CF */
	BLOCK(3, "\x01\xc8\x74\x02\x11\xc8\x39\xc8");
	assert_int_equal(t.live[0], ZF | CF);
}

static void the_block_s_end_looks_at_what_follows(void **state)
{
	BLOCK(1, "\x01\xc8\x39\xc8");		/* add, then cmp */
	assert_int_equal(t.live[0], 0);
	BLOCK(1, "\x01\xc8\x11\xc8");		/* add, then adc */
	assert_int_equal(t.live[0], CF);
	BLOCK(2, "\x01\xc8\xeb\x02\xcc\xcc\x39\xc8"); /* add; jmp to cmp */
	assert_int_equal(t.live[0], 0);
	/* add, then a jump to cmp in the next block */
	BLOCK(1, "\x01\xc8\xeb\x02\xcc\xcc\x39\xc8");
	assert_int_equal(t.live[0], 0);
}

static void what_cannot_be_seen_reads_all(void **state)
{
	BLOCK(2, "\x01\xc8\xc3");		/* ret */
	assert_int_equal(t.live[0], ALL);
	BLOCK(2, "\x01\xc8\xff\xe0");		/* jmp rax */
	assert_int_equal(t.live[0], ALL);
	BLOCK(2, "\x01\xc8\xe9\x00\x20\x00\x00"); /* another page */
	assert_int_equal(t.live[0], ALL);
	BLOCK(2, "\x01\xc8\x0f\x05\x39\xc8");	/* syscall keeps them in R11 */
	assert_int_equal(t.live[0], ALL);
	block(PAGE_SIZE - 2, "\x01\xc8", 2, 1);	/* the page's end */
	assert_int_equal(t.live[0], ALL);
}

static void code_whose_stores_nobody_tells_is_not_looked_at(void **state)
{
	static const uint8_t code[] = { 0x01, 0xc8, 0xe9, 0xf9, 0x03, 0, 0 };

	block(0, code, sizeof(code), 2);	/* add; jmp 400h */
	memcpy(page + 0x400, "\x39\xc8", 2);	/* cmp */
	tr_liveness(&t);
	assert_int_equal(t.live[0], 0);
	assert_int_equal(a_block.look_low, 0x400);
	assert_int_equal(a_block.look_high, 0x402);
	jit.watched = 0x01;
	tr_liveness(&t);
	assert_int_equal(t.live[0], ALL);
	jit.watched = 0xff;
}

static void a_jump_that_is_not_translated_reads_all(void **state)
{
	BLOCK(2, "\x01\xc8\xeb\x00\x39\xc8");
	assert_int_equal(t.live[0], 0);
	t.flat = false;
	tr_liveness(&t);
	assert_int_equal(t.live[0], ALL);
}

static void exact_flags_are_always_live(void **state)
{
	jit.exact_flags = true;
	BLOCK(2, "\x01\xc8\x39\xc8");
	assert_int_equal(t.live[0], ALL);
	assert_int_equal(t.live_in, ALL);
	jit.exact_flags = false;
}

static void a_block_wants_its_flags_where_it_uses_them(void **state)
{
	BLOCK(1, "\x01\xc8");			/* sets all */
	assert_int_equal(tr_flags_wanted(&t), FLAGS_DEAD);
	BLOCK(1, "\x11\xc8");			/* adc eax, ecx */
	assert_int_equal(tr_flags_wanted(&t), FLAGS_HOST);
	BLOCK(1, "\x11\x08");			/* adc [rax], ecx: the TLB */
	assert_int_equal(tr_flags_wanted(&t), FLAGS_CPU);
}

/* ---- moving them ---- */

/* Code in a page that C can call. */
static void run(void (*put)(struct tr *t), bool load, uint32_t flags,
		uint64_t *now, uint64_t *rax)
{
	struct codemem m;
	struct err e;
	struct code *k = &t.k;
	uint64_t before = flags | FLAG_ONE, a = 0x1122334455667788;

	assert_int_equal(codemem_map(&m, 65536, &e), 0);
	memset(&t, 0, sizeof(t));
	t.c = os_map_low(sizeof(*t.c), &e);
	assert_non_null(t.c);
	if (load) {
		t.c->arith = (uint8_t)(flags & FLAGS_LAHF) | FLAG_ONE;
		t.c->of = !!(flags & FLAG_OF);
		before = FLAG_ONE;
	}
	k->p = m.write;
	PUT(k, 0x41, 0x57, 0x57, 0x9d);		/* push r15; push rdi; popf */
	PUT(k, 0x48, 0x8b, 0x06);		/* mov rax, [rsi] */
	put(&t);
	PUT(k, 0x48, 0x89, 0x06, 0x9c, 0x58);	/* mov [rsi], rax; pushf; pop */
	PUT(k, 0x41, 0x5f, 0xc3);		/* pop r15; ret */
	*now = ((uint64_t (*)(uint64_t, uint64_t *))(uintptr_t)m.run)(before,
								      &a);
	*now = load ? *now & FLAGS_ARITH : flags_get(t.c) & FLAGS_ARITH;
	*rax = a;
	os_unmap_low(t.c, sizeof(*t.c));
	codemem_unmap(&m);
}

static void moving_flags_keeps_all_of_them_and_rax(void **state)
{
	static const uint32_t bits[] = { FLAG_CF, FLAG_PF, FLAG_AF, FLAG_ZF,
					 FLAG_SF, FLAG_OF };

	for (unsigned n = 0; n < 64; n++) {
		uint32_t flags = 0;
		uint64_t now, rax;

		for (unsigned b = 0; b < ARRAY_LEN(bits); b++)
			flags |= n >> b & 1 ? bits[b] : 0;
		run(tr_put_save_flags, false, flags, &now, &rax);
		assert_int_equal(now, flags);
		assert_int_equal(rax, 0x1122334455667788);
		run(tr_put_load_flags, true, flags, &now, &rax);
		assert_int_equal(now, flags);
		assert_int_equal(rax, 0x1122334455667788);
	}
}

TEST_MAIN("flags", TEST(flags_set_again_are_dead),
	  TEST(a_flag_that_is_read_is_live_up_to_there),
	  TEST(what_an_instruction_leaves_alone_stays_live_before_it),
	  TEST(a_shift_by_a_variable_count_may_leave_all_flags),
	  TEST(a_shift_by_a_constant_sets_all_flags),
	  TEST(both_ways_of_a_jump_count),
	  TEST(the_block_s_end_looks_at_what_follows),
	  TEST(what_cannot_be_seen_reads_all),
	  TEST(code_whose_stores_nobody_tells_is_not_looked_at),
	  TEST(a_jump_that_is_not_translated_reads_all),
	  TEST(exact_flags_are_always_live),
	  TEST(a_block_wants_its_flags_where_it_uses_them),
	  TEST(moving_flags_keeps_all_of_them_and_rax))
