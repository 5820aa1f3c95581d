/* dev/pci/piix4_pm_test.c - the ACPI fixed hardware as a kernel drives it.
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"
#include "dev/pci/piix4_pm.h"
#include "dev/pci/test_pci.h"

#define DEVFN	((1 << 3) + 3)
#define STS	0x600
#define EN	0x602
#define CNT	0x604
#define TIMER	0x608

static int up(void **state)
{
	struct test_pci *p = test_pci_up();

	p->d = test_pci_new(p, &piix4_pm_class);
	device_set_prop(p->d, "addr", "1.3", NULL);
	test_pci_attach(p, p->d);
	config_write(p, DEVFN, 0x40, 0x601, 4);
	config_write(p, DEVFN, 0x80, 1, 1);
	*state = p;
	return 0;
}

static int down(void **state)
{
	test_pci_down(*state);
	return 0;
}

static bool sci(const struct test_pci *p)
{
	return p->t->isa[9].level;
}

static void the_block_is_where_firmware_puts_it(void **state)
{
	struct test_pci *p = *state;

	assert_int_equal(config_read(p, DEVFN, 0, 4), 0x71138086);
	assert_int_equal(config_read(p, DEVFN, 0x40, 4), 0x601);
	assert_int_equal(inw(p->t, CNT), 0);
	config_write(p, DEVFN, 0x40, 0xb000, 4);
	assert_int_equal(inw(p->t, CNT), 0xffff);
	assert_int_equal(inw(p->t, 0xb004), 0);
	config_write(p, DEVFN, 0x80, 0, 1);
	assert_int_equal(inw(p->t, 0xb004), 0xffff);
}

static void the_timer_counts_at_its_rate(void **state)
{
	struct test_pci *p = *state;
	uint32_t before = inl(p->t, TIMER);

	test_bus_run(p->t, NS_PER_S);
	assert_int_equal((inl(p->t, TIMER) - before) & 0xffffff, 3579545);
	test_bus_run(p->t, 9 * NS_PER_S);
	assert_true(inl(p->t, TIMER) < 1 << 24);
}

static void the_timer_status_follows_bit_23(void **state)
{
	struct test_pci *p = *state;

	assert_int_equal(inw(p->t, STS), 0);
	test_bus_run(p->t, 2343500000);		/* 2^23 ticks: 2.34347 s */
	assert_int_equal(inw(p->t, STS), 1);
	assert_false(sci(p));
	outw(p->t, EN, 1);
	assert_true(sci(p));
	outw(p->t, STS, 1);
	assert_false(sci(p));
	assert_int_equal(inw(p->t, STS), 0);
	test_bus_run(p->t, 2343500000);
	assert_true(sci(p));
}

static void the_power_button_raises_the_sci_if_enabled(void **state)
{
	struct test_pci *p = *state;

	bus_lock(p->t->bus);
	pm_power_button(p->d);
	bus_unlock(p->t->bus);
	assert_false(sci(p));
	assert_int_equal(inw(p->t, STS), 0x100);
	outb(p->t, EN + 1, 0x01);
	assert_true(sci(p));
	outw(p->t, STS, 0x100);
	assert_false(sci(p));
}

static void s5_powers_off(void **state)
{
	struct test_pci *p = *state;

	outw(p->t, CNT, 0x2001 | 1 << 10);	/* S3 is not there */
	assert_int_equal(p->t->power_count, 0);
	assert_int_equal(inw(p->t, CNT), 0x0401);
	outw(p->t, CNT, 0x2001 | PM_S5_TYPE << 10);
	assert_int_equal(p->t->power_count, 1);
	assert_int_equal(p->t->power, POWER_OFF);
	assert_int_equal(inw(p->t, CNT), 0x0001);
}

static void the_smi_command_switches_acpi(void **state)
{
	struct test_pci *p = *state;

	outb(p->t, PM_SMI_CMD, PM_ACPI_ENABLE);
	assert_int_equal(inw(p->t, CNT) & 1, 1);
	outb(p->t, PM_SMI_CMD, PM_ACPI_DISABLE);
	assert_int_equal(inw(p->t, CNT) & 1, 0);
	outb(p->t, 0xb3, 0x5a);
	assert_int_equal(inb(p->t, 0xb3), 0x5a);
}

static void gpe_enables_are_kept(void **state)
{
	struct test_pci *p = *state;

	outw(p->t, PM_GPE0_BASE + 2, 0x1234);
	assert_int_equal(inl(p->t, PM_GPE0_BASE), 0x12340000);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, up, down)

TEST_MAIN("piix4_pm",
	T(the_block_is_where_firmware_puts_it),
	T(the_timer_counts_at_its_rate),
	T(the_timer_status_follows_bit_23),
	T(the_power_button_raises_the_sci_if_enabled),
	T(s5_powers_off),
	T(the_smi_command_switches_acpi),
	T(gpe_enables_are_kept))
