/* machine/pc.c - the board `pc`: i440FX with PIIX3, as a table of parts.
 *
 * Parts are made and attached in the order of the table; what one needs of
 * another is joined by the functions its row names.  Interrupts:
 *
 *   ISA line n --+-- 8259 pair, input n --> LINT0 of all local APICs
 *                +-- I/O APIC, pin n (line 0: pin 2) --> local APICs
 *
 * Without -bios a kernel is loaded directly, and pc_after_reset() leaves the
 * machine as firmware would: tables at F0000h, PCI set up, the BIOS data area
 * saying where conventional memory ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "bus/clock.h"
#include "cpu/x86/sysreg.h"
#include "dev/core/devices.h"
#include "dev/pc/apic.h"
#include "dev/pc/hpet.h"
#include "dev/pc/i8254.h"
#include "dev/pc/i8259.h"
#include "dev/pc/ioapic.h"
#include "dev/pc/mc146818.h"
#include "dev/pci/i440fx.h"
#include "machine/acpi.h"
#include "machine/inside.h"
#include "machine/mptable.h"
#include "machine/pcisetup.h"

/* ---- memory ---- */

static int map_ram(struct machine *m, struct err *e)
{
	uint8_t *hva = m->ram.hva;
	uint64_t low = m->map.below_4g, first = low;
	int r;

	if (first > MEMMAP_VGA)
		first = MEMMAP_VGA;
	r = bus_map_ram(m->bus, 0, first, hva, false, e);
	if (r == 0 && low > SHADOW_BASE)
		r = bus_map_ram(m->bus, SHADOW_BASE, low - SHADOW_BASE,
				hva + SHADOW_BASE, false, e);
	if (r == 0 && m->map.above_4g)
		r = bus_map_ram(m->bus, MEMMAP_HIGH, m->map.above_4g,
				hva + low, false, e);
	return r;
}

/* ---- interrupt lines ---- */

static void isa_changed(void *ctx, unsigned pin, bool level)
{
	const struct isa_line *l = ctx;

	if (l->pic.changed)
		l->pic.changed(l->pic.ctx, l->pic.pin, level);
	if (l->ioapic.changed)
		l->ioapic.changed(l->ioapic.ctx, l->ioapic.pin, level);
}

/* Line 2 does not exist: it joins the two 8259s. */
static void connect_lines(struct machine *m)
{
	struct irq_sink isa[16] = { { 0 } }, gsi[IOAPIC_PINS];

	for (unsigned n = 0; n < 16; n++) {
		if (n == 2)
			continue;
		m->isa[n].pic = i8259_input(m->pic, n);
		m->isa[n].ioapic = ioapic_input(m->ioapic, n ? n : 2);
		isa[n] = (struct irq_sink){ isa_changed, &m->isa[n], n };
	}
	for (unsigned n = 0; n < IOAPIC_PINS; n++)
		gsi[n] = ioapic_input(m->ioapic, n);
	bus_set_isa_irqs(m->bus, isa);
	bus_set_gsis(m->bus, gsi, IOAPIC_PINS);
}

static void send_msi(void *ctx, uint64_t address, uint32_t data)
{
	apic_msi(ctx, (uint32_t)address, data);
}

/* ---- the parts ---- */

static void add_cpus(struct machine *m, struct device *d)
{
	for (unsigned n = 0; n < vcpus_count(m->vcpus); n++)
		apic_add_cpu(d, &vcpus_get(m->vcpus, n)->port,
			     m->apic_ids[n]);
}

static void wire_apic(struct machine *m, struct device *d)
{
	i8259_connect(m->pic, apic_lint0(d));
	apic_set_inta(d, i8259_inta, m->pic);
	ioapic_set_deliver(m->ioapic, apic_msi, d);
	apic_add_eoi(d, ioapic_eoi, m->ioapic);
	for (unsigned n = 0; n < vcpus_count(m->vcpus); n++)
		vcpus_set_intc(m->vcpus, n, &apic_intc_ops, apic_intc(d, n));
	pci_bus_set_msi(m->pci, send_msi, d);
	connect_lines(m);
}

static void wire_hpet(struct machine *m, struct device *d)
{
	i8254_connect(m->pit, hpet_i8254_input(d));
	mc146818_connect(m->rtc, hpet_rtc_input(d));
}

static int64_t rtc_start_ns(const struct machine_config *cfg)
{
	int64_t now = os_realtime_ns();

	switch (cfg->rtc_base) {
	case RTC_LOCALTIME:
		return now + NS_PER_S * os_local_offset_s(now / NS_PER_S);
	case RTC_DATE:
		return cfg->rtc_date_s * NS_PER_S;
	case RTC_UTC:
		break;
	}
	return now;
}

/* CMOS as firmware expects it: equipment (387 there), processors, and the boot
 * order in SeaBIOS's numbers, first device in the low half of 3Dh. */
static void wire_rtc(struct machine *m, struct device *d)
{
	static const char devices[] = "?acdn";
	const char *order = m->cfg->boot_order ? m->cfg->boot_order : "cad";
	unsigned code[3] = { 0 };

	for (unsigned i = 0; i < 3 && order[i]; i++) {
		const char *at = strchr(devices, order[i]);

		code[i] = at ? (unsigned)(at - devices) : 0;
	}
	mc146818_set_time(d, rtc_start_ns(m->cfg));
	mc146818_set_memory(d, m->map.below_4g, m->map.above_4g);
	mc146818_set_cmos(d, 0x14, 0x02);
	mc146818_set_cmos(d, 0x3d, (uint8_t)(code[1] << 4 | code[0]));
	mc146818_set_cmos(d, 0x38, (uint8_t)(code[2] << 4));
	mc146818_set_cmos(d, 0x5f, (uint8_t)(vcpus_count(m->vcpus) - 1));
}

static void give_shadow(struct machine *m, struct device *d)
{
	if (m->rom)
		i440fx_set_shadow(d, m->ram.hva + SHADOW_BASE, m->rom);
}

static const struct part {
	const struct device_class *class;
	const char *addr;		/* PCI slot and function */
	size_t keep;			/* offset of the pointer to keep; 0 */
	void (*prepare)(struct machine *m, struct device *d);	/* before */
	void (*wire)(struct machine *m, struct device *d);	/* and after */
} parts[] = {
#define KEEP(member) .keep = offsetof(struct machine, member)
	{ .class = &i8259_class, KEEP(pic) },
	{ .class = &ioapic_class, KEEP(ioapic) },
	{ .class = &apic_class, KEEP(apic),
	  .prepare = add_cpus, .wire = wire_apic },
	{ .class = &i8254_class, KEEP(pit) },
	{ .class = &mc146818_class, KEEP(rtc), .wire = wire_rtc },
	{ .class = &hpet_class, KEEP(hpet), .wire = wire_hpet },
	{ .class = &i8042_class },
	{ .class = &port80_class },
	{ .class = &port92_class },
	{ .class = &i440fx_class, .addr = "0", .prepare = give_shadow },
	{ .class = &piix3_class, .addr = "1" },
	{ .class = &piix4_pm_class, .addr = "1.3", KEEP(pm) },
#undef KEEP
};

static int add_part(struct machine *m, const struct part *p, struct err *e)
{
	struct device *d = plug_new(m, p->class, e);
	int r;

	if (!d)
		return -EINVAL;
	if (p->addr)
		(void)device_set_prop(d, "addr", p->addr, NULL);
	if (p->prepare)
		p->prepare(m, d);
	r = plug_attach(m, d, e);
	if (r < 0)
		return r;
	if (p->keep)
		memcpy((char *)m + p->keep, &d, sizeof(d));
	if (p->wire)
		p->wire(m, d);
	return 0;
}

int pc_build(struct machine *m, struct err *e)
{
	int r = map_ram(m, e);

	if (r == 0 && m->cfg->bios)
		r = rom_load(m, e);
	if (r < 0)
		return r;
	m->pci = pci_bus_new(m->bus, e);
	if (!m->pci)
		return -EINVAL;
	for (unsigned i = 0; i < ARRAY_LEN(parts) && r == 0; i++)
		if (parts[i].class != &hpet_class || m->cfg->hpet)
			r = add_part(m, &parts[i], e);
	return r;
}

/* ---- what firmware would do ---- */

static int fill_smbios(struct machine *m, struct err *e)
{
	const struct machine_config *cfg = m->cfg;
	int r = 0;

	m->smbios.sockets = cfg->smp.sockets;
	m->smbios.cores = cfg->smp.cores;
	m->smbios.threads = cfg->smp.threads;
	m->smbios.map = m->map;
	m->smbios.has_uuid = cfg->has_uuid;
	memcpy(m->smbios.uuid, cfg->uuid, sizeof(cfg->uuid));
	for (size_t i = 0; i < cfg->smbios.count && r == 0; i++)
		r = smbios_option(&m->smbios, cfg->smbios.at[i], e);
	return r;
}

int pc_build_tables(struct machine *m, struct err *e)
{
	const unsigned cpus = vcpus_count(m->vcpus);
	struct acpi_config acpi = {
		.cpus = cpus, .apic_ids = m->apic_ids, .map = m->map,
		.hpet = m->cfg->hpet, .serials = m->serials,
	};
	struct mptable_config mp = { cpus, m->apic_ids, pcisetup_irqs };
	struct tables t = { .base = MEMMAP_TABLES, .room = MEMMAP_TABLES_LEN };
	int r = fill_smbios(m, e);

	if (r < 0 || m->rom)
		return r;
	m->tables = xcalloc(1, MEMMAP_TABLES_LEN);
	t.bytes = m->tables;
	if (m->cfg->acpi) {
		m->rsdp = acpi_build(&acpi, &t, e);
		if (!m->rsdp)
			return -ENOSPC;
	}
	return mptable_build(&mp, &t, e) && smbios_build(&m->smbios, &t, e) ?
		       0 : -ENOSPC;
}

/* BIOS data area: KiB of conventional memory, and the extended BIOS data
 * area's segment, where systems stop and start looking for tables. */
static void write_bda(struct machine *m)
{
	uint8_t ebda[2], kib[2];

	store_le16(ebda, MEMMAP_EBDA >> 4);
	store_le16(kib, MEMMAP_EBDA / KiB);
	(void)bus_write(m->bus, 0x40e, ebda, 2);
	(void)bus_write(m->bus, 0x413, kib, 2);
}

int pc_after_reset(struct machine *m, struct err *e)
{
	int r;

	if (m->rom)
		return 0;
	/* A machine with less than 1 MiB goes without tables. */
	(void)bus_write(m->bus, MEMMAP_TABLES, m->tables, MEMMAP_TABLES_LEN);
	write_bda(m);
	for (unsigned n = 0; n < vcpus_count(m->vcpus); n++)
		mtrr_set_up(vcpus_get(m->vcpus, n), memmap_pci32(&m->map));
	pcisetup_run(m->pci, m->bus, &m->map);
	r = boot_load(m->boot, m->bus, e);
	if (r == 0)
		boot_start(m->boot, vcpus_get(m->vcpus, 0));
	return r;
}
