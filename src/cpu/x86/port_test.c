/* cpu/x86/port_test.c - who may reach which port.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/test_system.h"

#define MAP	(AT_TSS + 0x100)

static uint32_t written;

static uint64_t port_in(void *dev, uint64_t off, unsigned size)
{
	return off < 4 ? 0x44332211u >> off * 8 : 0;
}

static void port_out(void *dev, uint64_t off, uint64_t v, unsigned size)
{
	written = (uint32_t)v;
}

static const struct io_ops ops = {
	.min_size = 1, .max_size = 4, .read = port_in, .write = port_out,
};
static struct window window;

static struct test_cpu *with_ports(void)
{
	struct test_cpu *t = system_new();

	window = (struct window){ .name = "ports", .ops = &ops };
	assert_int_equal(bus_map_ports(t->bus->bus, &window, 0x48, 8, NULL),
			 0);
	t->c->tr.limit = 0x1ff;
	return t;
}

static void iopl_or_real_mode_opens_all_ports(void **state)
{
	struct test_cpu *t = with_ports();

	assert_int_equal(port_read(t->c, 0x48, 4), 0x44332211);
	port_write(t->c, 0x48, 0x5566, 2);
	assert_int_equal(written, 0x5566);
	in_ring(t, 3);
	flags_set(t->c, FLAG_IOPL, FLAG_IOPL);
	ASSERT_NO_FAULT(t, port_read(t->c, 0x48, 1));
	in_real(t);
	ASSERT_NO_FAULT(t, port_read(t->c, 0x48, 1));
	test_cpu_free(t);
}

static void the_bit_map_decides_outside_iopl(void **state)
{
	struct test_cpu *t = with_ports();

	in_ring(t, 3);
	poke(t, MAP + 9, 0xf0, 1);		/* 4Ch-4Fh are closed */
	ASSERT_NO_FAULT(t, port_read(t->c, 0x48, 4));
	ASSERT_FAULT(t, VEC_GP, 0, port_read(t->c, 0x4c, 1));
	ASSERT_FAULT(t, VEC_GP, 0, port_read(t->c, 0x49, 4));
	ASSERT_FAULT(t, VEC_GP, 0, port_write(t->c, 0x4b, 0, 2));
	poke(t, MAP + 9, 0x0100, 2);		/* 50h is closed */
	ASSERT_NO_FAULT(t, port_read(t->c, 0x4f, 1));
	ASSERT_FAULT(t, VEC_GP, 0, port_read(t->c, 0x4f, 2));
	in_v86(t, 3);				/* IOPL does not help */
	ASSERT_FAULT(t, VEC_GP, 0, port_read(t->c, 0x50, 1));
	ASSERT_NO_FAULT(t, port_read(t->c, 0x48, 1));
	test_cpu_free(t);
}

static void the_map_must_be_inside_a_32_bit_tss(void **state)
{
	struct test_cpu *t = with_ports();

	in_ring(t, 3);
	t->c->tr.limit = 0x109;		/* bytes 9 and 10 are needed */
	ASSERT_FAULT(t, VEC_GP, 0, port_read(t->c, 0x48, 1));
	t->c->tr.limit = 0x10a;
	ASSERT_NO_FAULT(t, port_read(t->c, 0x48, 1));
	t->c->tr.attr = 0x83;
	ASSERT_FAULT(t, VEC_GP, 0, port_read(t->c, 0x48, 1));
	t->c->tr.attr = 0x8b;
	t->c->tr.limit = 0x66;
	ASSERT_FAULT(t, VEC_GP, 0, port_read(t->c, 0x48, 1));
	test_cpu_free(t);
}

TEST_MAIN("port", TEST(iopl_or_real_mode_opens_all_ports),
	  TEST(the_bit_map_decides_outside_iopl),
	  TEST(the_map_must_be_inside_a_32_bit_tss))
