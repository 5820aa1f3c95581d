/* machine/acpi.c - the ACPI tables of the pc board, built without firmware.
 *
 *   RSDP -> RSDT and XSDT -> FADT -> FACS, DSDT
 *                         -> MADT, HPET
 *
 * A table is assembled in a struct aml (a growing byte string), then copied
 * into the table area with its header and checksum.  The DSDT describes the
 * PCI root bridge with its windows and interrupt routing through the PIIX3's
 * links LNKA-LNKD, the ISA devices, the HPET and the processors.  Power button
 * and sleep are fixed hardware (FADT); \_S5 gives the sleep type.
 *
 * Limits: no hot-plug, no C or P states, no embedded controller.
 *
 * Source: ACPI specification 6.4, chapters 4.8, 5.2, 6; IA-PC HPET 1.0a, 3.2.4.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "dev/pci/pci.h"
#include "dev/pci/piix4_pm.h"
#include "machine/acpi.h"
#include "machine/aml.h"

#define HEADER_LEN	36
#define OEM_ID		"HUSK  "
#define OEM_TABLE_ID	"HUSKPC  "
#define CREATOR_ID	"HUSK"
#define IOAPIC_ID	0
#define PIC_LEVEL	0x0d	/* MPS INTI flags: active high, level */

/* ---- DSDT ---- */

static const uint32_t link_irqs[] = { 5, 10, 11 };

static void name_eisaid(struct aml *a, const char *name, const char *id)
{
	aml_name(a, name);
	aml_eisaid(a, id);
}

static void name_integer(struct aml *a, const char *name, uint64_t v)
{
	aml_name(a, name);
	aml_integer(a, v);
}

static void pci_resources(const struct acpi_config *c, struct aml *a)
{
	uint64_t high = memmap_pci64(&c->map);
	size_t open;

	aml_name(a, "_CRS");
	open = aml_resources(a);
	aml_res_bus_numbers(a, 0, 0xff);
	aml_res_io(a, 0xcf8, 8);
	aml_res_io_window(a, 0x0000, 0x0cf7);
	aml_res_io_window(a, 0x0d00, 0xffff);
	aml_res_memory_window(a, 0xa0000, 0xbffff);
	aml_res_memory_window(a, (uint32_t)memmap_pci32(&c->map),
			      MEMMAP_PCI_END - 1);
	aml_res_memory_window64(a, high, high + 32 * GiB - 1);
	aml_resources_end(a, open);
}

/* Every pin of every slot, by the rotation the bus is wired with. */
static void pci_routing(struct aml *a)
{
	static const char *const links[] = {
		"\\_SB.LNKA", "\\_SB.LNKB", "\\_SB.LNKC", "\\_SB.LNKD",
	};
	size_t all, one;

	aml_name(a, "_PRT");
	all = aml_package(a, 32 * 4);
	for (unsigned i = 0; i < 32 * 4; i++) {
		unsigned slot = i / 4, pin = i % 4;

		one = aml_package(a, 4);
		aml_integer(a, slot << 16 | 0xffff);
		aml_integer(a, pin);
		aml_path(a, links[pci_pirq_of((uint8_t)(slot << 3), pin + 1)]);
		aml_integer(a, 0);
		aml_end(a, one);
	}
	aml_end(a, all);
}

static void isa_device(struct aml *a, const char *name, const char *hid,
		       uint16_t port, uint8_t ports, int irq)
{
	size_t dev = aml_device(a, name), open;

	name_eisaid(a, "_HID", hid);
	aml_name(a, "_CRS");
	open = aml_resources(a);
	aml_res_io(a, port, ports);
	if (irq >= 0)
		aml_res_irq(a, (unsigned)irq);
	aml_resources_end(a, open);
	aml_end(a, dev);
}

static void serial_device(struct aml *a, unsigned n)
{
	static const uint16_t ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
	static const uint8_t irqs[] = { 4, 3, 4, 3 };
	char name[5] = "COM1";
	size_t dev, open;

	name[3] = (char)('1' + n);
	dev = aml_device(a, name);
	name_eisaid(a, "_HID", "PNP0501");
	name_integer(a, "_UID", n + 1);
	aml_name(a, "_CRS");
	open = aml_resources(a);
	aml_res_io(a, ports[n], 8);
	aml_res_irq(a, irqs[n]);
	aml_resources_end(a, open);
	aml_end(a, dev);
}

static void keyboard_device(struct aml *a)
{
	size_t dev = aml_device(a, "KBD"), open;

	name_eisaid(a, "_HID", "PNP0303");
	aml_name(a, "_CRS");
	open = aml_resources(a);
	aml_res_io(a, 0x60, 1);
	aml_res_io(a, 0x64, 1);
	aml_res_irq(a, 1);
	aml_resources_end(a, open);
	aml_end(a, dev);
}

/* The bridge's PIRQRC registers are what the links program. */
static void isa_bridge(const struct acpi_config *c, struct aml *a)
{
	size_t dev = aml_device(a, "ISA"), open;

	name_integer(a, "_ADR", 0x00010000);
	aml_region(a, "PIRR", AML_PCI_CONFIG, 0x60, 4);
	open = aml_field(a, "PIRR");
	aml_field_unit(a, "PRQA", 8);
	aml_field_unit(a, "PRQB", 8);
	aml_field_unit(a, "PRQC", 8);
	aml_field_unit(a, "PRQD", 8);
	aml_end(a, open);
	isa_device(a, "RTC", "PNP0B00", 0x70, 2, 8);
	keyboard_device(a);
	for (unsigned n = 0; n < 4; n++)
		if (c->serials >> n & 1)
			serial_device(a, n);
	aml_end(a, dev);
}

static void link_status(struct aml *a, const char *reg)
{
	size_t method = aml_method(a, "_STA", 0), open = aml_if(a);

	aml_and(a, reg, 0x80, NULL);
	aml_return(a);
	aml_integer(a, 0x09);		/* present, not enabled */
	aml_end(a, open);
	aml_return(a);
	aml_integer(a, 0x0b);
	aml_end(a, method);
}

/* BUF is one Interrupt(); its number is at byte 5. */
static void link_current(struct aml *a, const char *reg)
{
	const uint32_t none = 0;
	size_t method, open;

	aml_name(a, "BUF");
	open = aml_resources(a);
	aml_res_interrupts(a, &none, 1);
	aml_resources_end(a, open);
	method = aml_method(a, "_CRS", 0);
	aml_dword_field(a, "BUF", 5, "IRQN");
	aml_and(a, reg, 0x8f, "IRQN");
	open = aml_if(a);
	aml_and(a, "IRQN", 0x80, NULL);
	aml_set(a, "IRQN", 0);
	aml_end(a, open);
	aml_return(a);
	aml_path(a, "BUF");
	aml_end(a, method);
}

static void link_device(struct aml *a, unsigned n)
{
	char name[5] = "LNKA", reg[] = "\\_SB.PCI0.ISA.PRQA";
	size_t dev, open, method;

	name[3] = reg[sizeof(reg) - 2] = (char)('A' + n);
	dev = aml_device(a, name);
	name_eisaid(a, "_HID", "PNP0C0F");
	name_integer(a, "_UID", n + 1);
	aml_name(a, "_PRS");
	open = aml_resources(a);
	aml_res_interrupts(a, link_irqs, ARRAY_LEN(link_irqs));
	aml_resources_end(a, open);
	link_status(a, reg);
	link_current(a, reg);
	method = aml_method(a, "_DIS", 0);
	aml_or(a, reg, 0x80, reg);
	aml_end(a, method);
	method = aml_method(a, "_SRS", 1);
	aml_dword_field(a, AML_ARG0, 5, "IRQN");
	aml_store(a, "IRQN", reg);
	aml_end(a, method);
	aml_end(a, dev);
}

static void hpet_device(struct aml *a)
{
	size_t dev = aml_device(a, "HPET"), open;

	name_eisaid(a, "_HID", "PNP0103");
	name_integer(a, "_UID", 0);
	aml_name(a, "_CRS");
	open = aml_resources(a);
	aml_res_memory(a, false, MEMMAP_HPET, 0x400);
	aml_resources_end(a, open);
	aml_end(a, dev);
}

/* The ports of the power management function, which no BAR describes. */
static void pm_device(struct aml *a)
{
	size_t dev = aml_device(a, "PMIO"), open;

	name_eisaid(a, "_HID", "PNP0C02");
	name_integer(a, "_UID", 1);
	aml_name(a, "_CRS");
	open = aml_resources(a);
	aml_res_io(a, PM_IO_BASE, PM_IO_LEN);
	aml_res_io(a, PM_GPE0_BASE, PM_GPE0_LEN);
	aml_res_io(a, PM_SMI_CMD, 2);
	aml_resources_end(a, open);
	aml_end(a, dev);
}

static void processor_device(struct aml *a, unsigned n)
{
	char name[5];
	size_t dev;

	snprintf(name, sizeof(name), "C%03X", n & 0xfff);
	dev = aml_device(a, name);
	aml_name(a, "_HID");
	aml_string(a, "ACPI0007");
	name_integer(a, "_UID", n);
	aml_end(a, dev);
}

void acpi_build_dsdt(const struct acpi_config *c, struct aml *a)
{
	size_t sb = aml_scope(a, "\\_SB"), pci = aml_device(a, "PCI0"), s5;

	name_eisaid(a, "_HID", "PNP0A03");
	name_integer(a, "_UID", 0);
	pci_resources(c, a);
	pci_routing(a);
	isa_bridge(c, a);
	pm_device(a);
	aml_end(a, pci);
	for (unsigned n = 0; n < 4; n++)
		link_device(a, n);
	if (c->hpet)
		hpet_device(a);
	for (unsigned n = 0; n < c->cpus; n++)
		processor_device(a, n);
	aml_end(a, sb);
	aml_name(a, "\\_S5");
	s5 = aml_package(a, 4);
	aml_integer(a, PM_S5_TYPE);
	aml_integer(a, PM_S5_TYPE);
	aml_integer(a, 0);
	aml_integer(a, 0);
	aml_end(a, s5);
}

/* ---- the tables that are plain structures ---- */

static uint8_t *bytes(struct aml *a, size_t len)
{
	size_t at = a->len;

	for (size_t i = 0; i < len; i++)
		aml_byte(a, 0);
	return a->bytes + at;
}

/* Copy `body` behind a header; returns the address, 0 if there is no room. */
static gpa_t place(struct tables *t, const char *signature, uint8_t revision,
		   const struct aml *body, struct err *e)
{
	size_t len = HEADER_LEN + body->len;
	gpa_t at;
	uint8_t *p = tables_take(t, len, 16, &at, e);

	if (!p)
		return 0;
	memcpy(p, signature, 4);
	store_le32(p + 4, (uint32_t)len);
	p[8] = revision;
	memcpy(p + 10, OEM_ID, 6);
	memcpy(p + 16, OEM_TABLE_ID, 8);
	store_le32(p + 24, 1);		/* OEM revision */
	memcpy(p + 28, CREATOR_ID, 4);
	store_le32(p + 32, 1);
	memcpy(p + HEADER_LEN, body->bytes, body->len);
	p[9] = tables_checksum(p, len);
	return at;
}

/* Local APIC (type 0), or x2APIC (type 9) for ids that do not fit. */
static void madt_cpu(struct aml *a, unsigned n, uint32_t id)
{
	uint8_t *p;

	if (id < 255) {
		p = bytes(a, 8);
		p[1] = 8;
		p[2] = (uint8_t)n;
		p[3] = (uint8_t)id;
		p[4] = 1;		/* enabled */
		return;
	}
	p = bytes(a, 16);
	p[0] = 9;
	p[1] = 16;
	store_le32(p + 4, id);
	p[8] = 1;
	store_le32(p + 12, n);
}

static void madt_override(struct aml *a, uint8_t irq, uint8_t gsi,
			  uint16_t flags)
{
	uint8_t *p = bytes(a, 10);

	p[0] = 2;
	p[1] = 10;
	p[3] = irq;
	p[4] = gsi;
	store_le16(p + 8, flags);
}

static void build_madt(const struct acpi_config *c, struct aml *a)
{
	uint8_t *p = bytes(a, 8);

	store_le32(p, MEMMAP_LAPIC);
	p[4] = 1;			/* 8259s are there too */
	for (unsigned n = 0; n < c->cpus; n++)
		madt_cpu(a, n, c->apic_ids[n]);
	p = bytes(a, 12);
	p[0] = 1;
	p[1] = 12;
	p[2] = IOAPIC_ID;
	store_le32(p + 4, MEMMAP_IOAPIC);
	madt_override(a, 0, 2, 0);
	madt_override(a, PM_SCI_IRQ, PM_SCI_IRQ, PIC_LEVEL);
	for (unsigned i = 0; i < ARRAY_LEN(link_irqs); i++)
		madt_override(a, (uint8_t)link_irqs[i], (uint8_t)link_irqs[i],
			      PIC_LEVEL);
	p = bytes(a, 6);
	p[0] = 4;			/* NMI: LINT1 of all processors */
	p[1] = 6;
	p[2] = 0xff;
	p[5] = 1;
}

/* A generic address in I/O space. */
static void io_address(uint8_t *p, uint64_t port, uint8_t bits, uint8_t access)
{
	p[0] = 1;
	p[1] = bits;
	p[3] = access;
	store_le64(p + 4, port);
}

#define FADT_LEN	244	/* revision 3 */
#define FADT_FLAGS	0x0425	/* WBINVD, C1, no fixed sleep button (5),
				 * reset register (10) */

/* Offsets are the specification's (table 5.9), less the header's. */
static void build_fadt(gpa_t facs, gpa_t dsdt, struct aml *a)
{
	uint8_t *p = bytes(a, FADT_LEN - HEADER_LEN) - HEADER_LEN;

	store_le32(p + 36, (uint32_t)facs);
	store_le32(p + 40, (uint32_t)dsdt);
	store_le16(p + 46, PM_SCI_IRQ);
	store_le32(p + 48, PM_SMI_CMD);
	p[52] = PM_ACPI_ENABLE;
	p[53] = PM_ACPI_DISABLE;
	store_le32(p + 56, PM_IO_BASE + PM1_EVT);
	store_le32(p + 64, PM_IO_BASE + PM1_CNT);
	store_le32(p + 76, PM_IO_BASE + PM_TMR);
	store_le32(p + 80, PM_GPE0_BASE);
	p[88] = 4;			/* PM1_EVT_LEN */
	p[89] = 2;			/* PM1_CNT_LEN */
	p[91] = 4;			/* PM_TMR_LEN */
	p[92] = PM_GPE0_LEN;
	store_le16(p + 96, 0x0fff);	/* no C2 */
	store_le16(p + 98, 0x0fff);	/* no C3 */
	p[108] = 0x32;			/* CMOS index of the century */
	store_le16(p + 109, 0x0007);	/* ISA devices, 8042, no VGA */
	store_le32(p + 112, FADT_FLAGS);
	io_address(p + 116, 0xcf9, 8, 1);
	p[128] = 0x0f;			/* hard reset */
	store_le64(p + 132, facs);
	store_le64(p + 140, dsdt);
	io_address(p + 148, PM_IO_BASE + PM1_EVT, 32, 2);
	io_address(p + 172, PM_IO_BASE + PM1_CNT, 16, 2);
	io_address(p + 208, PM_IO_BASE + PM_TMR, 32, 3);
	io_address(p + 220, PM_GPE0_BASE, 32, 1);
}

static void build_hpet(struct aml *a)
{
	uint8_t *p = bytes(a, 20);

	store_le32(p, 0x8086a201);	/* Intel, legacy, 64 bit, 3 timers */
	p[4 + 1] = 64;			/* generic address in memory */
	store_le64(p + 8, MEMMAP_HPET);
	store_le16(p + 17, 100);	/* least periodic tick */
}

static gpa_t place_facs(struct tables *t, struct err *e)
{
	gpa_t at;
	uint8_t *p = tables_take(t, 64, 64, &at, e);

	if (!p)
		return 0;
	memcpy(p, "FACS", 4);
	store_le32(p + 4, 64);
	p[32] = 1;			/* version */
	return at;
}

static gpa_t place_rsdp(struct tables *t, gpa_t rsdt, gpa_t xsdt,
			struct err *e)
{
	gpa_t at;
	uint8_t *p = tables_take(t, 36, 16, &at, e);

	if (!p)
		return 0;
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, OEM_ID, 6);
	p[15] = 2;
	store_le32(p + 16, (uint32_t)rsdt);
	store_le32(p + 20, 36);
	store_le64(p + 24, xsdt);
	p[8] = tables_checksum(p, 20);
	p[32] = tables_checksum(p, 36);
	return at;
}

/* Build one table by `build` and put it in; 0 on failure. */
static gpa_t place_built(struct tables *t, const char *signature, uint8_t rev,
			 void (*build)(const struct acpi_config *c,
				       struct aml *a),
			 const struct acpi_config *c, struct err *e)
{
	struct aml a = { 0 };
	gpa_t at;

	build(c, &a);
	at = place(t, signature, rev, &a, e);
	aml_free(&a);
	return at;
}

static gpa_t place_fadt(struct tables *t, gpa_t facs, gpa_t dsdt,
			struct err *e)
{
	struct aml a = { 0 };
	gpa_t at;

	build_fadt(facs, dsdt, &a);
	at = place(t, "FACP", 3, &a, e);
	aml_free(&a);
	return at;
}

static void build_hpet_row(const struct acpi_config *c, struct aml *a)
{
	build_hpet(a);
}

/* RSDT (entries of 4 bytes) or XSDT (8). */
static gpa_t place_root(struct tables *t, unsigned size, const gpa_t *entries,
			struct err *e)
{
	struct aml a = { 0 };
	gpa_t at;

	for (unsigned i = 0; entries[i]; i++)
		memcpy(bytes(&a, size), &entries[i], size);
	at = place(t, size == 4 ? "RSDT" : "XSDT", 1, &a, e);
	aml_free(&a);
	return at;
}

gpa_t acpi_build(const struct acpi_config *c, struct tables *t, struct err *e)
{
	gpa_t facs = place_facs(t, e), dsdt, rsdt, xsdt, all[4] = { 0 };

	dsdt = place_built(t, "DSDT", 2, acpi_build_dsdt, c, e);
	if (!facs || !dsdt)
		return 0;
	all[0] = place_fadt(t, facs, dsdt, e);
	all[1] = place_built(t, "APIC", 3, build_madt, c, e);
	if (c->hpet)
		all[2] = place_built(t, "HPET", 1, build_hpet_row, c, e);
	if (!all[0] || !all[1] || (c->hpet && !all[2]))
		return 0;
	rsdt = place_root(t, 4, all, e);
	xsdt = place_root(t, 8, all, e);
	return rsdt && xsdt ? place_rsdp(t, rsdt, xsdt, e) : 0;
}
