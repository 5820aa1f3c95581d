/* cpu/interp/string_test.c - REP: stopping, resuming, faulting half-way, and
 * string I/O.  What the elements do is compared with the host in
 * integer_test.c.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/test_guest.h"

#define REP_MOVSB "\xf3\xa4"
#define REP_STOSB "\xf3\xaa"
#define REP_INSB "\xf3\x6c"

static struct guest *with_registers(uint64_t rsi, uint64_t rdi, uint64_t rcx)
{
	struct guest *g = guest_new();

	g->c->gpr[RSI] = GUEST_DATA + rsi;
	g->c->gpr[RDI] = GUEST_DATA + rdi;
	g->c->gpr[RCX] = rcx;
	for (unsigned n = 0; n < GUEST_BYTES; n++)
		g->data[n] = (uint8_t)(n * 7);
	return g;
}

static void an_overlapping_copy_replicates(void **state)
{
	struct guest *g = with_registers(0x100, 0x101, 50);

	g->data[0x100] = 0x5a;
	assert_true(GUEST_RUN(g, REP_MOVSB));
	for (unsigned n = 0; n <= 50; n++)
		assert_int_equal(g->data[0x100 + n], 0x5a);
	assert_int_equal(g->c->gpr[RCX], 0);
	guest_free(g);
}

static void a_fault_leaves_the_registers_at_its_element(void **state)
{
	struct guest *g = with_registers(0, GUEST_BYTES - 10, 100);

	assert_false(GUEST_RUN(g, REP_MOVSB));
	assert_int_equal(g->c->fault.vector, VEC_PF);
	assert_int_equal(g->c->cr2, GUEST_DATA + GUEST_BYTES);
	assert_int_equal(g->c->rip, GUEST_CODE);
	assert_int_equal(g->c->gpr[RCX], 90);
	assert_int_equal(g->c->gpr[RSI], GUEST_DATA + 10);
	assert_int_equal(g->c->gpr[RDI], GUEST_DATA + GUEST_BYTES);
	guest_free(g);
}

static void an_element_over_two_pages_is_stored_whole_or_not(void **state)
{
	struct guest *g = with_registers(0, GUEST_BYTES - 12, 4);
	uint8_t last[4];

	memcpy(last, g->data + GUEST_BYTES - 4, 4);
	assert_false(GUEST_RUN(g, "\xf3\x48\xa5"));	/* rep movsq */
	assert_int_equal(g->c->gpr[RCX], 3);
	assert_memory_equal(g->data + GUEST_BYTES - 12, g->data, 8);
	assert_memory_equal(g->data + GUEST_BYTES - 4, last, 4);
	guest_free(g);
}

static void stepping_takes_one_element(void **state)
{
	struct guest *g = with_registers(0, 0x1000, 3);

	flags_set(g->c, FLAG_TF, FLAG_TF);
	assert_true(GUEST_RUN(g, REP_MOVSB));
	assert_int_equal(g->c->gpr[RCX], 2);
	assert_int_equal(g->c->rip, GUEST_CODE);
	assert_int_equal(g->c->gpr[RDI], GUEST_DATA + 0x1001);
	assert_true(GUEST_RUN(g, REP_MOVSB));
	assert_true(GUEST_RUN(g, REP_MOVSB));
	assert_int_equal(g->c->gpr[RCX], 0);
	assert_int_equal(g->c->rip, GUEST_CODE + 2);
	guest_free(g);
}

static void an_event_is_let_in_and_rf_covers_the_rest(void **state)
{
	struct guest *g = with_registers(0, 0x800, 0x2000);

	atomic_store(&g->c->port.events, VCPU_INTR);
	flags_set(g->c, FLAG_IF, FLAG_IF);
	assert_true(GUEST_RUN(g, REP_STOSB));
	assert_int_equal(g->c->rip, GUEST_CODE);
	assert_int_equal(g->c->gpr[RCX], 0x2000 - 0x800);
	assert_true(g->c->stop_block);
	assert_true(flags_get(g->c) & FLAG_RF);
	atomic_store(&g->c->port.events, 0);
	while (g->c->rip == GUEST_CODE)
		assert_true(GUEST_RUN(g, REP_STOSB));
	assert_int_equal(g->c->gpr[RCX], 0);
	assert_int_equal(g->data[0x27ff], 0);
	assert_int_not_equal(g->data[0x2801], 0);
	guest_free(g);
}

static void a_count_of_zero_touches_nothing(void **state)
{
	struct guest *g = with_registers(0x10000000, 0x20000000, 1ull << 32);

	assert_true(GUEST_RUN(g, "\x67\xf3\xa4"));	/* by ECX */
	assert_int_equal(g->c->gpr[RCX], 1ull << 32);
	assert_int_equal(g->c->rip, GUEST_CODE + 3);
	guest_free(g);
}

static void offsets_wrap_at_64k_and_the_segment_limit_holds(void **state)
{
	struct guest *g = with_registers(0, 0, 4);

	guest_mode(g, CODE16);
	g->c->seg[ES].base = GUEST_DATA;
	g->c->seg[ES].limit = 0x1fff;
	cpu_derive(g->c);
	g->c->gpr[RDI] = 0x1ffe;
	g->c->gpr[RAX] = 0xee;
	assert_false(GUEST_RUN(g, REP_STOSB));
	assert_int_equal(g->c->fault.vector, VEC_GP);
	assert_int_equal(g->c->gpr[RDI], 0x2000);
	assert_int_equal(g->c->gpr[RCX], 2);
	assert_int_equal(g->data[0x1fff], 0xee);
	assert_int_not_equal(g->data[0x2000], 0xee);
	g->c->seg[ES].base = GUEST_DATA - 0xe000;
	g->c->seg[ES].limit = 0xffff;
	cpu_derive(g->c);
	g->c->gpr[RDI] = 0xfffe;
	g->c->gpr[RCX] = 2;
	assert_true(GUEST_RUN(g, REP_STOSB));
	assert_int_equal(g->c->gpr[RDI], 0);
	assert_int_equal(g->data[0x1ffe], 0xee);
	guest_free(g);
}

/* ---- I/O ---- */

static unsigned reads;

static uint64_t port_in(void *dev, uint64_t off, unsigned size)
{
	return 0x40 + reads++;
}

static void port_out(void *dev, uint64_t off, uint64_t v, unsigned size)
{
}

static const struct io_ops port_ops = {
	.min_size = 1, .max_size = 4, .read = port_in, .write = port_out,
};

static void input_is_not_lost_to_a_page_fault(void **state)
{
	static struct window w = { .name = "port", .ops = &port_ops };
	struct guest *g = with_registers(0, GUEST_BYTES - 2, 4);

	assert_int_equal(bus_map_ports(g->bus->bus, &w, 0x300, 4, NULL), 0);
	reads = 0;
	flags_set(g->c, FLAG_IOPL, FLAG_IOPL);
	g->c->gpr[RDX] = 0x300;
	assert_false(GUEST_RUN(g, REP_INSB));
	assert_int_equal(g->c->fault.vector, VEC_PF);
	assert_int_equal(reads, 2);
	assert_int_equal(g->c->gpr[RCX], 2);
	assert_int_equal(load_le16(g->data + GUEST_BYTES - 2), 0x4140);
	g->c->gpr[RDI] = GUEST_DATA;
	assert_true(GUEST_RUN(g, REP_INSB));
	assert_int_equal(load_le16(g->data), 0x4342);
	guest_free(g);
}

static void ports_are_refused_before_memory_is_looked_at(void **state)
{
	struct guest *g = with_registers(0, GUEST_BYTES, 4);

	g->c->tr.limit = 0;		/* no bitmap, and IOPL is 0 */
	g->c->gpr[RDX] = 0x300;
	assert_false(GUEST_RUN(g, REP_INSB));
	assert_int_equal(g->c->fault.vector, VEC_GP);
	guest_free(g);
}

TEST_MAIN("string",
	TEST(an_overlapping_copy_replicates),
	TEST(a_fault_leaves_the_registers_at_its_element),
	TEST(an_element_over_two_pages_is_stored_whole_or_not),
	TEST(stepping_takes_one_element),
	TEST(an_event_is_let_in_and_rf_covers_the_rest),
	TEST(a_count_of_zero_touches_nothing),
	TEST(offsets_wrap_at_64k_and_the_segment_limit_holds),
	TEST(input_is_not_lost_to_a_page_fault),
	TEST(ports_are_refused_before_memory_is_looked_at))
