/* dev/pci/i440fx_test.c - ROM and its shadow, as firmware switches them.
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"
#include "dev/pci/i440fx.h"
#include "dev/pci/test_pci.h"

static uint8_t rom[SHADOW_LEN] __attribute__((aligned(4096)));

static struct test_pci *up_with_rom(void)
{
	struct test_pci *p = test_pci_up();
	uint8_t *ram = test_bus_ram(p->t, 0, 1 << 20);

	memset(rom, 0x5a, sizeof(rom));
	p->d = test_pci_new(p, &i440fx_class);
	i440fx_set_shadow(p->d, ram + SHADOW_BASE, rom);
	test_pci_attach(p, p->d);
	return p;
}

static uint8_t peek(struct test_pci *p, gpa_t at)
{
	uint8_t v;

	assert_int_equal(bus_read(p->t->bus, at, &v, 1), 0);
	return v;
}

static void poke(struct test_pci *p, gpa_t at, uint8_t v)
{
	(void)bus_write(p->t->bus, at, &v, 1);
}

static void it_is_an_82441fx(void **state)
{
	struct test_pci *p = up_with_rom();

	assert_int_equal(config_read(p, 0, 0, 4), 0x12378086);
	assert_int_equal(config_read(p, 0, 8, 4), 0x06000002);
	test_pci_down(p);
}

static void rom_answers_and_drops_writes_after_reset(void **state)
{
	struct test_pci *p = up_with_rom();

	poke(p, 0xfffff, 1);
	poke(p, 0xc0000, 1);
	assert_int_equal(peek(p, 0xfffff), 0x5a);
	assert_int_equal(peek(p, 0xc0000), 0x5a);
	poke(p, 0xbffff, 1);
	assert_int_equal(peek(p, 0xbffff), 1);
	test_pci_down(p);
}

static void a_shadow_is_filled_then_locked(void **state)
{
	struct test_pci *p = up_with_rom();

	config_write(p, 0, 0x59, 0x20, 1);	/* F0000h: write only */
	for (unsigned i = 0; i < 16; i++)
		poke(p, 0xf0000 + i, peek(p, 0xf0000 + i));
	poke(p, 0xf0005, 0x77);
	config_write(p, 0, 0x59, 0x10, 1);	/* read only */
	assert_int_equal(peek(p, 0xf0004), 0x5a);
	assert_int_equal(peek(p, 0xf0005), 0x77);
	poke(p, 0xf0005, 0x11);
	assert_int_equal(peek(p, 0xf0005), 0x77);
	config_write(p, 0, 0x59, 0x30, 1);
	poke(p, 0xf0005, 0x11);
	assert_int_equal(peek(p, 0xf0005), 0x11);
	config_write(p, 0, 0x59, 0x00, 1);
	assert_int_equal(peek(p, 0xf0005), 0x5a);
	test_pci_down(p);
}

static void each_nibble_is_a_segment_of_its_own(void **state)
{
	static const struct { uint8_t reg, val; gpa_t at; } rows[] = {
		{ 0x5a, 0x03, 0xc0000 }, { 0x5a, 0x30, 0xc4000 },
		{ 0x5b, 0x03, 0xc8000 }, { 0x5d, 0x30, 0xdc000 },
		{ 0x5e, 0x03, 0xe0000 }, { 0x5f, 0x30, 0xec000 },
	};
	struct test_pci *p = up_with_rom();

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		config_write(p, 0, rows[i].reg, rows[i].val, 1);
		assert_int_equal(peek(p, rows[i].at), 0);
		assert_int_equal(peek(p, rows[i].at + 0x3fff), 0);
		assert_int_equal(peek(p, rows[i].at - 0x4000 < 0xc0000 ?
				 0xf0000 : rows[i].at + 0x4000), 0x5a);
		config_write(p, 0, rows[i].reg, 0, 1);
		assert_int_equal(peek(p, rows[i].at), 0x5a);
	}
	test_pci_down(p);
}

static void without_a_rom_pam_moves_nothing(void **state)
{
	struct test_pci *p = test_pci_up();

	test_bus_ram(p->t, 0, 1 << 20);
	p->d = test_pci_new(p, &i440fx_class);
	test_pci_attach(p, p->d);
	poke(p, 0xf0000, 7);
	config_write(p, 0, 0x59, 0x10, 1);
	assert_int_equal(config_read(p, 0, 0x59, 1), 0x10);
	poke(p, 0xf0000, 8);
	assert_int_equal(peek(p, 0xf0000), 8);
	test_pci_down(p);
}

static void smram_stays_as_it_was_locked(void **state)
{
	struct test_pci *p = up_with_rom();

	config_write(p, 0, 0x72, 0x1a, 1);
	config_write(p, 0, 0x72, 0x4a, 1);
	assert_int_equal(config_read(p, 0, 0x72, 1), 0x1a);
	test_pci_down(p);
}

TEST_MAIN("i440fx",
	TEST(it_is_an_82441fx),
	TEST(rom_answers_and_drops_writes_after_reset),
	TEST(a_shadow_is_filled_then_locked),
	TEST(each_nibble_is_a_segment_of_its_own),
	TEST(without_a_rom_pam_moves_nothing),
	TEST(smram_stays_as_it_was_locked))
