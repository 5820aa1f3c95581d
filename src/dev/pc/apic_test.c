/* dev/pc/apic_test.c - local APICs as kernels, devices and processors use them.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/test.h"
#include "bus/test_bus.h"
#include "dev/pc/apic.h"

#define APIC	0xfee00000u
#define ID	(APIC + 0x20)
#define TPR	(APIC + 0x80)
#define PPR	(APIC + 0xa0)
#define EOI	(APIC + 0xb0)
#define LDR	(APIC + 0xd0)
#define DFR	(APIC + 0xe0)
#define SVR	(APIC + 0xf0)
#define ISR	(APIC + 0x100)
#define TMR	(APIC + 0x180)
#define IRR	(APIC + 0x200)
#define ESR	(APIC + 0x280)
#define ICR	(APIC + 0x300)
#define ICR2	(APIC + 0x310)
#define LVTT	(APIC + 0x320)
#define LVT0	(APIC + 0x350)
#define LVT1	(APIC + 0x360)
#define LVTERR	(APIC + 0x370)
#define TMICT	(APIC + 0x380)
#define TMCCT	(APIC + 0x390)
#define TDCR	(APIC + 0x3e0)
#define BASE_MSR 0x1b
#define DEADLINE 0x6e0
#define CPUS	3

struct fixture {
	struct test_bus *t;
	struct device *apic;
	struct vcpu_port port[CPUS];
	struct irq lint0, lint1;
	int inta_vector;
	unsigned eois;
	uint8_t eoi_vector;
};

static void no_wake(struct vcpu_port *p)
{
}

static int fake_inta(void *ctx)
{
	struct fixture *f = ctx;

	irq_set(&f->lint0, false);
	return f->inta_vector;
}

static void note_eoi(void *ctx, uint8_t vector)
{
	struct fixture *f = ctx;

	assert_true(bus_locked_by_me(f->t->bus));
	f->eois++;
	f->eoi_vector = vector;
}

static struct fixture *set_up(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->t = test_bus_new();
	f->apic = device_new(&apic_class, f->t->bus);
	for (unsigned i = 0; i < CPUS; i++) {
		f->port[i].index = i;
		f->port[i].wake = no_wake;
		apic_add_cpu(f->apic, &f->port[i], i);
	}
	assert_int_equal(device_attach(f->apic, NULL), 0);
	apic_set_inta(f->apic, fake_inta, f);
	apic_add_eoi(f->apic, note_eoi, f);
	irq_connect(&f->lint0, apic_lint0(f->apic));
	irq_connect(&f->lint1, apic_lint1(f->apic));
	for (unsigned i = 0; i < CPUS; i++) {
		vcpu_set_current(i);
		writel(f->t, SVR, 0x1ff);
		writel(f->t, LDR, 1u << (24 + i));
	}
	vcpu_set_current(0);
	return f;
}

static void tear_down(struct fixture *f)
{
	device_free(f->apic);
	test_bus_free(f->t);
	free(f);
}

static int ack(struct fixture *f, unsigned cpu)
{
	return apic_intc_ops.ack(apic_intc(f->apic, cpu));
}

static bool intr(struct fixture *f, unsigned cpu)
{
	return f->port[cpu].events & VCPU_INTR;
}

static bool wrmsr(struct fixture *f, uint32_t msr, uint64_t v)
{
	return apic_intc_ops.msr_write(apic_intc(f->apic, 0), msr, v);
}

static bool rdmsr(struct fixture *f, uint32_t msr, uint64_t *v)
{
	return apic_intc_ops.msr_read(apic_intc(f->apic, 0), msr, v);
}

static uint64_t msr_of(struct fixture *f, uint32_t msr)
{
	uint64_t v;

	assert_true(rdmsr(f, msr, &v));
	return v;
}

static void fixed(struct fixture *f, uint8_t dest, uint8_t vector)
{
	apic_msi(f->apic, APIC | (uint32_t)dest << 12, vector);
}

static void reset_values_are_those_of_the_manual(void **state)
{
	struct fixture *f = set_up();

	f->apic->class->reset(f->apic);
	assert_int_equal(readl(f->t, ID), 0);
	assert_int_equal(readl(f->t, APIC + 0x30), 0x01050014);
	assert_int_equal(readl(f->t, SVR), 0xff);
	assert_int_equal(readl(f->t, DFR), 0xffffffff);
	assert_int_equal(readl(f->t, LVTT), 0x10000);
	assert_int_equal(readl(f->t, LVT0), 0x700);
	assert_int_equal(msr_of(f, BASE_MSR), 0xfee00900);
	vcpu_set_current(2);
	assert_int_equal(readl(f->t, ID), 0x02000000);
	assert_int_equal(readl(f->t, LVT0), 0x10000);
	vcpu_set_current(0);
	tear_down(f);
}

static void an_interrupt_goes_from_irr_to_isr_to_its_end(void **state)
{
	struct fixture *f = set_up();

	fixed(f, 0, 0x41);
	assert_true(intr(f, 0));
	assert_false(intr(f, 1));
	assert_int_equal(readl(f->t, IRR + 0x20), 2);
	assert_int_equal(ack(f, 0), 0x41);
	assert_false(intr(f, 0));
	assert_int_equal(readl(f->t, IRR + 0x20), 0);
	assert_int_equal(readl(f->t, ISR + 0x20), 2);
	assert_int_equal(readl(f->t, PPR), 0x40);
	assert_int_equal(ack(f, 0), -1);
	writel(f->t, EOI, 0);
	assert_int_equal(readl(f->t, ISR + 0x20), 0);
	assert_int_equal(f->eois, 0);
	tear_down(f);
}

static void priority_classes_nest(void **state)
{
	struct fixture *f = set_up();

	fixed(f, 0, 0x41);
	assert_int_equal(ack(f, 0), 0x41);
	fixed(f, 0, 0x4f);		/* same class */
	assert_false(intr(f, 0));
	fixed(f, 0, 0x51);
	assert_int_equal(ack(f, 0), 0x51);
	writel(f->t, EOI, 0);
	assert_false(intr(f, 0));
	writel(f->t, EOI, 0);
	assert_int_equal(ack(f, 0), 0x4f);
	tear_down(f);
}

static void the_task_priority_holds_back_its_class(void **state)
{
	struct fixture *f = set_up();
	void *intc = apic_intc(f->apic, 0);

	apic_intc_ops.cr8_write(intc, 5);
	assert_int_equal(readl(f->t, TPR), 0x50);
	fixed(f, 0, 0x5f);
	assert_false(intr(f, 0));
	writel(f->t, TPR, 0x4f);
	assert_int_equal(apic_intc_ops.cr8_read(intc), 4);
	assert_true(intr(f, 0));
	writel(f->t, TPR, 0x50);
	assert_false(intr(f, 0));
	assert_int_equal(ack(f, 0), -1);
	tear_down(f);
}

static void the_eoi_of_a_level_is_broadcast(void **state)
{
	struct fixture *f = set_up();

	apic_msi(f->apic, APIC, 0xc061);
	assert_int_equal(ack(f, 0), 0x61);
	assert_int_equal(readl(f->t, TMR + 0x30), 2);
	writel(f->t, EOI, 0);
	assert_int_equal(f->eois, 1);
	assert_int_equal(f->eoi_vector, 0x61);
	/* Unless SVR says otherwise. */
	writel(f->t, SVR, 0x11ff);
	apic_msi(f->apic, APIC, 0xc061);
	assert_int_equal(ack(f, 0), 0x61);
	writel(f->t, EOI, 0);
	assert_int_equal(f->eois, 1);
	tear_down(f);
}

static void the_8259_comes_through_lint0_of_the_boot_processor(void **state)
{
	struct fixture *f = set_up();

	f->inta_vector = 0x08;
	irq_set(&f->lint0, true);
	assert_true(intr(f, 0));
	assert_false(intr(f, 1));
	assert_int_equal(ack(f, 0), 0x08);
	assert_false(intr(f, 0));
	assert_int_equal(readl(f->t, ISR), 0);
	writel(f->t, LVT0, 0x10700);
	irq_set(&f->lint0, true);
	assert_false(intr(f, 0));
	writel(f->t, LVT0, 0x700);
	assert_true(intr(f, 0));
	/* A disabled APIC leaves the pin to the processor. */
	writel(f->t, LVT0, 0x10700);
	assert_true(wrmsr(f, BASE_MSR, 0xfee00100));
	assert_true(intr(f, 0));
	assert_int_equal(readl(f->t, SVR), 0xffffffff);
	tear_down(f);
}

static void lint1_is_an_nmi_if_the_guest_says_so(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, LVT1, 0x400);
	irq_set(&f->lint1, true);
	assert_true(f->port[0].events & VCPU_NMI);
	assert_false(f->port[1].events & VCPU_NMI);
	tear_down(f);
}

static void a_level_lint_waits_for_its_eoi(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, LVT1, 0x8071);
	irq_set(&f->lint1, true);
	assert_int_equal(readl(f->t, LVT1), 0xc071);
	assert_int_equal(ack(f, 0), 0x71);
	writel(f->t, EOI, 0);
	assert_int_equal(ack(f, 0), 0x71);
	irq_set(&f->lint1, false);
	writel(f->t, EOI, 0);
	assert_int_equal(ack(f, 0), -1);
	assert_int_equal(readl(f->t, LVT1), 0x8071);
	tear_down(f);
}

static void ipis_reach_whom_they_name(void **state)
{
	static const struct {
		uint32_t high, low;
		unsigned hits;	/* one bit per processor */
	} rows[] = {
		{ 0x01000000, 0x04031, 2 },	/* physical */
		{ 0x07000000, 0x04031, 0 },
		{ 0xff000000, 0x04031, 7 },	/* broadcast */
		{ 0x05000000, 0x04831, 5 },	/* logical flat */
		{ 0, 0x44031, 1 },		/* self */
		{ 0, 0x84031, 7 },		/* all */
		{ 0, 0xc4031, 6 },		/* all others */
		{ 0x06000000, 0x04931, 2 },	/* lowest priority: least id */
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f = set_up();

		writel(f->t, ICR2, rows[i].high);
		writel(f->t, ICR, rows[i].low);
		assert_int_equal(readl(f->t, ICR), rows[i].low);
		for (unsigned cpu = 0; cpu < CPUS; cpu++)
			assert_int_equal(ack(f, cpu),
					 rows[i].hits >> cpu & 1 ? 0x31 : -1);
		tear_down(f);
	}
}

static void cluster_destinations_match_cluster_and_member(void **state)
{
	struct fixture *f = set_up();

	for (unsigned i = 0; i < CPUS; i++) {
		vcpu_set_current(i);
		writel(f->t, DFR, 0x0fffffff);
		writel(f->t, LDR, i < 2 ? 0x11000000 << i : 0x21000000);
	}
	vcpu_set_current(1);
	writel(f->t, LDR, 0x12000000);
	vcpu_set_current(0);
	writel(f->t, ICR2, 0x12000000);
	writel(f->t, ICR, 0x4831);
	assert_int_equal(ack(f, 0), -1);
	assert_int_equal(ack(f, 1), 0x31);
	writel(f->t, ICR2, 0xf1000000);
	writel(f->t, ICR, 0x4832);
	assert_int_equal(ack(f, 0), 0x32);
	assert_int_equal(ack(f, 2), 0x32);
	tear_down(f);
}

static void lowest_priority_goes_to_the_idlest(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, TPR, 0x40);
	vcpu_set_current(1);
	writel(f->t, TPR, 0x20);
	vcpu_set_current(2);
	writel(f->t, TPR, 0x30);
	vcpu_set_current(0);
	apic_msi(f->apic, APIC | 0xff << 12 | 4, 0x151);
	assert_int_equal(ack(f, 1), 0x51);
	assert_int_equal(ack(f, 0), -1);
	tear_down(f);
}

static void init_and_sipi_start_a_processor(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, ICR2, 0x01000000);
	writel(f->t, ICR, 0xc500);
	assert_int_equal(f->port[1].events, VCPU_INIT);
	f->port[1].events = 0;
	writel(f->t, ICR, 0x8500);	/* de-assert */
	assert_int_equal(f->port[1].events, 0);
	writel(f->t, ICR, 0x4698);
	assert_int_equal(f->port[1].events, VCPU_SIPI);
	assert_int_equal(f->port[1].sipi_vector, 0x98);
	writel(f->t, ICR, 0x4400);
	assert_true(f->port[1].events & VCPU_NMI);
	writel(f->t, ICR, 0x4200);
	assert_true(f->port[1].events & VCPU_SMI);
	tear_down(f);
}

static void init_resets_all_but_the_id(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, ID, 0x09000000);
	fixed(f, 9, 0x41);
	writel(f->t, TMICT, 1000);
	apic_intc_ops.init(apic_intc(f->apic, 0));
	assert_false(intr(f, 0));
	assert_int_equal(readl(f->t, ID), 0x09000000);
	assert_int_equal(readl(f->t, SVR), 0xff);
	assert_int_equal(readl(f->t, TMICT), 0);
	assert_int_equal(apic_intc_ops.id(apic_intc(f->apic, 0)), 0);
	tear_down(f);
}

static void illegal_vectors_and_registers_are_errors(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, LVTERR, 0xe1);
	fixed(f, 0, 0x0f);
	assert_int_equal(readl(f->t, ESR), 0);
	writel(f->t, ESR, 0);
	assert_int_equal(readl(f->t, ESR), 0x40);
	assert_int_equal(ack(f, 0), 0xe1);
	writel(f->t, EOI, 0);
	writel(f->t, ICR, 0x400f);
	(void)readl(f->t, APIC + 0x3f0);
	writel(f->t, ESR, 0);
	assert_int_equal(readl(f->t, ESR), 0xa0);
	writel(f->t, ESR, 0);
	assert_int_equal(readl(f->t, ESR), 0);
	/* An illegal vector in the error entry itself ends quietly. */
	writel(f->t, LVTERR, 0x01);
	fixed(f, 0, 0x0f);
	tear_down(f);
}

static void a_disabled_apic_accepts_nothing_and_masks_its_table(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, LVTT, 0x41);
	writel(f->t, SVR, 0xff);
	assert_int_equal(readl(f->t, LVTT), 0x10041);
	writel(f->t, LVTT, 0x41);
	assert_int_equal(readl(f->t, LVTT), 0x10041);
	fixed(f, 0, 0x41);
	assert_false(intr(f, 0));
	apic_msi(f->apic, APIC, 0x400);
	assert_true(f->port[0].events & VCPU_NMI);
	tear_down(f);
}

static void messages_arrive_by_the_window_too(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, APIC | 2 << 12, 0x91);
	assert_int_equal(ack(f, 2), 0x91);
	writel(f->t, APIC, 0x92);
	assert_int_equal(ack(f, 0), 0x92);
	tear_down(f);
}

/* ---- timer ---- */

static void the_one_shot_timer_fires_once(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, TDCR, 0x0b);	/* divide by 1 */
	writel(f->t, LVTT, 0x51);
	writel(f->t, TMICT, 100000);
	test_bus_run(f->t, 40000);
	assert_int_equal(readl(f->t, TMCCT), 60000);
	test_bus_run(f->t, 59999);
	assert_false(intr(f, 0));
	test_bus_run(f->t, 1);
	assert_int_equal(ack(f, 0), 0x51);
	writel(f->t, EOI, 0);
	assert_int_equal(readl(f->t, TMCCT), 0);
	test_bus_run(f->t, NS_PER_S);
	assert_false(intr(f, 0));
	tear_down(f);
}

static void the_divisor_slows_the_count(void **state)
{
	static const struct { uint32_t code, by; } rows[] = {
		{ 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 },
		{ 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f = set_up();

		writel(f->t, TDCR, rows[i].code);
		writel(f->t, TMICT, 1000);
		test_bus_run(f->t, 10 * rows[i].by);
		assert_int_equal(readl(f->t, TMCCT), 990);
		/* A new divisor goes on from the same count. */
		writel(f->t, TDCR, 11);
		test_bus_run(f->t, 10);
		assert_int_equal(readl(f->t, TMCCT), 980);
		tear_down(f);
	}
}

static void the_periodic_timer_keeps_its_beat(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, TDCR, 0x0b);
	writel(f->t, LVTT, 0x20051);
	writel(f->t, TMICT, 100000);
	for (unsigned i = 0; i < 5; i++) {
		test_bus_run(f->t, 99999);
		assert_false(intr(f, 0));
		test_bus_run(f->t, 1);
		assert_int_equal(ack(f, 0), 0x51);
		writel(f->t, EOI, 0);
	}
	assert_int_equal(readl(f->t, TMCCT), 100000);
	tear_down(f);
}

static void a_masked_one_shot_runs_out_in_silence(void **state)
{
	struct fixture *f = set_up();

	writel(f->t, TDCR, 0x0b);
	writel(f->t, LVTT, 0x10051);
	writel(f->t, TMICT, 1000);
	test_bus_run(f->t, 2000);
	writel(f->t, TDCR, 0x0a);
	assert_int_equal(readl(f->t, TMCCT), 0);
	writel(f->t, LVTT, 0x51);
	test_bus_run(f->t, NS_PER_S);
	assert_false(intr(f, 0));
	tear_down(f);
}

static void the_tsc_deadline_fires_at_the_guests_tsc(void **state)
{
	struct fixture *f = set_up();
	void *intc = apic_intc(f->apic, 0);

	assert_true(wrmsr(f, DEADLINE, 5000));	/* not in that mode: ignored */
	assert_int_equal(msr_of(f, DEADLINE), 0);
	writel(f->t, LVTT, 0x40051);
	assert_true(wrmsr(f, DEADLINE, 5000));
	assert_int_equal(msr_of(f, DEADLINE), 5000);
	apic_intc_ops.tsc_offset(intc, 1000);
	test_bus_run(f->t, 3999);
	assert_false(intr(f, 0));
	test_bus_run(f->t, 1);
	assert_int_equal(ack(f, 0), 0x51);
	assert_int_equal(msr_of(f, DEADLINE), 0);
	writel(f->t, EOI, 0);
	/* One that is past fires at once; 0 disarms. */
	assert_true(wrmsr(f, DEADLINE, 1));
	assert_int_equal(ack(f, 0), 0x51);
	writel(f->t, EOI, 0);
	assert_true(wrmsr(f, DEADLINE, 100000));
	assert_true(wrmsr(f, DEADLINE, 0));
	test_bus_run(f->t, NS_PER_S);
	assert_false(intr(f, 0));
	assert_true(wrmsr(f, DEADLINE, ~0ull));
	tear_down(f);
}

static void a_timer_of_tiny_period_does_not_storm(void **state)
{
	struct fixture *f = set_up();
	unsigned fires = 0;

	writel(f->t, TDCR, 0x0b);
	writel(f->t, LVTT, 0x20051);
	writel(f->t, TMICT, 1);
	for (unsigned i = 0; i < 1000; i++) {
		test_bus_run(f->t, 1000);
		if (ack(f, 0) == 0x51) {
			fires++;
			writel(f->t, EOI, 0);
		}
	}
	assert_in_range(fires, 40, 60);
	tear_down(f);
}

/* ---- x2APIC ---- */

static void x2apic_is_entered_and_left_as_the_manual_allows(void **state)
{
	struct fixture *f = set_up();
	uint64_t v;

	assert_false(rdmsr(f, 0x802, &v));
	assert_false(wrmsr(f, BASE_MSR, 0xfee00500));	/* EXTD without EN */
	assert_true(wrmsr(f, BASE_MSR, 0xfee00d00));
	assert_int_equal(msr_of(f, 0x802), 0);
	assert_false(wrmsr(f, BASE_MSR, 0xfee00900));	/* back to xAPIC */
	assert_int_equal(readl(f->t, SVR), 0xffffffff);
	assert_true(wrmsr(f, BASE_MSR, 0xfee00100));
	assert_false(wrmsr(f, BASE_MSR, 0xfee00d00));	/* off to x2APIC */
	assert_true(wrmsr(f, BASE_MSR, 0xfee00900));
	assert_false(wrmsr(f, BASE_MSR, 0xfee00901));
	tear_down(f);
}

static void x2apic_registers_fault_on_what_they_lack(void **state)
{
	struct fixture *f = set_up();
	uint64_t v;

	assert_true(wrmsr(f, BASE_MSR, 0xfee00d00));
	assert_int_equal(msr_of(f, 0x80d), 1);
	assert_int_equal(msr_of(f, 0x80f), 0x1ff);
	assert_false(wrmsr(f, 0x802, 0));	/* read-only */
	assert_false(wrmsr(f, 0x80d, 0));
	assert_false(rdmsr(f, 0x80b, &v));	/* write-only */
	assert_false(rdmsr(f, 0x83f, &v));
	assert_false(rdmsr(f, 0x80e, &v));	/* no DFR */
	assert_false(rdmsr(f, 0x831, &v));
	assert_false(rdmsr(f, 0x840, &v));
	assert_false(wrmsr(f, 0x80b, 1));
	assert_true(wrmsr(f, 0x80b, 0));
	assert_false(wrmsr(f, 0x828, 1));
	assert_false(wrmsr(f, 0x808, 0x100));
	assert_false(wrmsr(f, 0x80f, 1ull << 32));
	assert_false(wrmsr(f, 0x830, 0x100000));
	tear_down(f);
}

static void x2apic_ipis_have_32_bit_destinations(void **state)
{
	struct fixture *f = set_up();

	assert_true(wrmsr(f, BASE_MSR, 0xfee00d00));
	assert_true(wrmsr(f, 0x830, 1ull << 32 | 0x4031));
	assert_int_equal(msr_of(f, 0x830), 1ull << 32 | 0x4031);
	assert_int_equal(ack(f, 1), 0x31);
	assert_true(wrmsr(f, 0x830, 0xffffffffull << 32 | 0x4042));
	assert_int_equal(ack(f, 0), 0x42);
	assert_int_equal(ack(f, 1), 0x42);
	assert_true(wrmsr(f, 0x830, 0x10001ull << 32 | 0x4831));
	assert_int_equal(ack(f, 1), -1);
	assert_true(wrmsr(f, 0x80b, 0));
	assert_true(wrmsr(f, 0x83f, 0x61));
	assert_int_equal(ack(f, 0), 0x61);
	/* MSIs name it by 8 bits, physical and logical. */
	assert_true(wrmsr(f, 0x80b, 0));
	apic_msi(f->apic, APIC | 1 << 12 | 4, 0x62);
	assert_int_equal(ack(f, 0), 0x62);
	tear_down(f);
}

static void x2apic_may_be_switched_off(void **state)
{
	struct fixture *f = set_up();

	assert_int_equal(device_set_prop(f->apic, "x2apic", "off", NULL), 0);
	assert_false(wrmsr(f, BASE_MSR, 0xfee00d00));
	tear_down(f);
}

TEST_MAIN("apic",
	TEST(reset_values_are_those_of_the_manual),
	TEST(an_interrupt_goes_from_irr_to_isr_to_its_end),
	TEST(priority_classes_nest),
	TEST(the_task_priority_holds_back_its_class),
	TEST(the_eoi_of_a_level_is_broadcast),
	TEST(the_8259_comes_through_lint0_of_the_boot_processor),
	TEST(lint1_is_an_nmi_if_the_guest_says_so),
	TEST(a_level_lint_waits_for_its_eoi),
	TEST(ipis_reach_whom_they_name),
	TEST(cluster_destinations_match_cluster_and_member),
	TEST(lowest_priority_goes_to_the_idlest),
	TEST(init_and_sipi_start_a_processor),
	TEST(init_resets_all_but_the_id),
	TEST(illegal_vectors_and_registers_are_errors),
	TEST(a_disabled_apic_accepts_nothing_and_masks_its_table),
	TEST(messages_arrive_by_the_window_too),
	TEST(the_one_shot_timer_fires_once),
	TEST(the_divisor_slows_the_count),
	TEST(the_periodic_timer_keeps_its_beat),
	TEST(a_masked_one_shot_runs_out_in_silence),
	TEST(the_tsc_deadline_fires_at_the_guests_tsc),
	TEST(a_timer_of_tiny_period_does_not_storm),
	TEST(x2apic_is_entered_and_left_as_the_manual_allows),
	TEST(x2apic_registers_fault_on_what_they_lack),
	TEST(x2apic_ipis_have_32_bit_destinations),
	TEST(x2apic_may_be_switched_off))
