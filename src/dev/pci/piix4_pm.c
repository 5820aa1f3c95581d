/* dev/pci/piix4_pm.c - the PIIX4's power management function: the ACPI fixed
 * hardware.
 *
 *   PMBA + 0  PM1_STS  16 bits, cleared by writing ones
 *        + 2  PM1_EN
 *        + 4  PM1_CNT  SCI_EN, and SLP_TYP with SLP_EN
 *        + 8  PM_TMR   24 bits at 3.579545 MHz, read-only
 *   AFE0h     GPE0_STS and GPE0_EN, 16 bits each
 *   B2h       SMI command: F1h switches ACPI on, F0h off;  B3h  a spare byte
 *
 * The SCI (ISA irq 9) is asserted while a status bit and its enable bit are
 * both set.  The timer is computed from guest time; TMR_STS is set when its
 * bit 23 changes, found out when somebody looks or, if enabled, by a timer.
 *
 * Limits: no system management mode, so the SMI command is obeyed directly; no
 * sleep state but S5; no SMBus.
 *
 * Source: Intel 82371AB PIIX4 data sheet (290562), chapter 7; ACPI 6.4, 4.8.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "bus/clock.h"
#include "dev/core/devices.h"
#include "dev/pci/pci.h"
#include "dev/pci/piix4_pm.h"

#define PM_TMR_HZ	3579545
#define PM_TMR_MASK	0xffffffu
#define TOGGLE_BIT	23

#define TMR		0x0001	/* bits of PM1_STS and PM1_EN */
#define GBL		0x0020
#define PWRBTN		0x0100
#define RTC		0x0400
#define PM1_STS_BITS	0x8d31
#define PM1_EN_BITS	(TMR | GBL | PWRBTN | RTC)

#define CNT_SCI_EN	0x0001
#define CNT_KEPT	0x1c03	/* SLP_TYP, BM_RLD, SCI_EN */
#define CNT_SLP_EN	0x2000

#define DEVACTB_APMC	0x02	/* of byte 5Bh: writes of B2h make an SMI */

struct piix4_pm {
	struct pci_device pci;
	struct window pm, gpe, smi;
	struct irq sci;			/* derived by update_sci() */
	struct clock_timer timer;	/* derived by update_sci() */

	uint16_t status, enable, control;
	uint16_t gpe_status, gpe_enable;
	uint64_t toggle_tick;		/* when bit 23 changes next */
	uint8_t smi_command, smi_status;
};

/* ---- the timer and the SCI ---- */

static uint64_t ticks(const struct piix4_pm *x)
{
	int64_t now = clock_now(bus_clock(x->pci.dev.bus));

	return clock_ns_to_ticks((uint64_t)now, PM_TMR_HZ);
}

static void catch_up(struct piix4_pm *x)
{
	uint64_t now = ticks(x);

	if (now < x->toggle_tick)
		return;
	x->status |= TMR;
	x->toggle_tick = ((now >> TOGGLE_BIT) + 1) << TOGGLE_BIT;
}

static void update_sci(struct piix4_pm *x)
{
	struct clock *k = bus_clock(x->pci.dev.bus);

	irq_set(&x->sci, (x->status & x->enable & PM1_EN_BITS) ||
			 (x->gpe_status & x->gpe_enable));
	if ((x->enable & TMR) && !(x->status & TMR))
		timer_arm(k, &x->timer,
			  clock_ticks_to_ns(x->toggle_tick, PM_TMR_HZ) + 1);
	else
		timer_cancel(k, &x->timer);
}

static void toggled(void *ctx)
{
	struct piix4_pm *x = ctx;

	catch_up(x);
	update_sci(x);
}

void pm_power_button(struct device *d)
{
	struct piix4_pm *x = container_of(d, struct piix4_pm, pci.dev);

	x->status |= PWRBTN;
	update_sci(x);
}

/* ---- the PM block ---- */

static void write_control(struct piix4_pm *x, uint16_t v)
{
	x->control = v & CNT_KEPT;
	if (!(v & CNT_SLP_EN))
		return;
	if ((v >> 10 & 7) == PM_S5_TYPE)
		bus_request_power(x->pci.dev.bus, POWER_OFF, 0);
	else if (log_on(LOG_UNIMP))
		log_write(LOG_UNIMP, "PIIX4_PM: sleep type %u", v >> 10 & 7);
}

static uint32_t pm_register(struct piix4_pm *x, uint64_t off)
{
	switch (off & ~3ull) {
	case PM1_EVT:
		catch_up(x);
		return x->status | (uint32_t)x->enable << 16;
	case PM1_CNT:
		return x->control;
	case PM_TMR:
		return ticks(x) & PM_TMR_MASK;
	}
	return 0;
}

static uint64_t pm_read(void *dev, uint64_t off, unsigned size)
{
	return pm_register(dev, off) >> 8 * (off & 3);
}

static void pm_write_byte(struct piix4_pm *x, uint64_t off, uint8_t v)
{
	unsigned shift = 8 * (off & 1);
	uint16_t mask = (uint16_t)(0xff << shift);
	uint16_t value = (uint16_t)(v << shift);

	switch (off & ~1ull) {
	case PM1_EVT:
		x->status &= (uint16_t)~value;
		break;
	case PM1_EVT + 2:
		x->enable = (uint16_t)((x->enable & ~mask) | value);
		break;
	case PM1_CNT:
		write_control(x, (uint16_t)((x->control & ~mask) | value));
		break;
	default:
		break;		/* the timer is read-only, the rest is not here */
	}
}

static void pm_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct piix4_pm *x = dev;

	catch_up(x);
	for (unsigned i = 0; i < size; i++)
		pm_write_byte(x, off + i, (uint8_t)(val >> 8 * i));
	update_sci(x);
}

/* ---- general purpose events, and the SMI command ---- */

static uint64_t gpe_read(void *dev, uint64_t off, unsigned size)
{
	const struct piix4_pm *x = dev;
	uint32_t v = x->gpe_status | (uint32_t)x->gpe_enable << 16;

	return v >> 8 * off;
}

static void gpe_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct piix4_pm *x = dev;
	uint16_t mask = (uint16_t)(0xff << 8 * (off & 1));
	uint16_t value = (uint16_t)(val << 8 * (off & 1));

	if (off < 2)
		x->gpe_status &= (uint16_t)~value;
	else
		x->gpe_enable = (uint16_t)((x->gpe_enable & ~mask) | value);
	update_sci(x);
}

static uint64_t smi_read(void *dev, uint64_t off, unsigned size)
{
	const struct piix4_pm *x = dev;

	return off ? x->smi_status : x->smi_command;
}

static void smi_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct piix4_pm *x = dev;

	if (off) {
		x->smi_status = (uint8_t)val;
		return;
	}
	x->smi_command = (uint8_t)val;
	if (val == PM_ACPI_ENABLE)
		x->control |= CNT_SCI_EN;
	else if (val == PM_ACPI_DISABLE)
		x->control &= (uint16_t)~CNT_SCI_EN;
}

static const struct io_ops pm_io = {
	.min_size = 1, .max_size = 4, .read = pm_read, .write = pm_write,
};
static const struct io_ops gpe_io = {
	.min_size = 1, .max_size = 1, .read = gpe_read, .write = gpe_write,
};
static const struct io_ops smi_io = {
	.min_size = 1, .max_size = 1, .read = smi_read, .write = smi_write,
};

/* ---- the PCI function ---- */

static void update_block(struct piix4_pm *x)
{
	uint16_t base = load_le16(x->pci.config + PM_CONFIG_BASE) & 0xffc0;
	bool on = base && (x->pci.config[PM_CONFIG_MISC] & 1);
	struct bus *b = x->pci.dev.bus;

	if (x->pm.mapped && (!on || x->pm.base != base))
		bus_unmap_ports(b, &x->pm);
	if (on && !x->pm.mapped)	/* an aligned block always fits */
		(void)bus_map_ports(b, &x->pm, base, PM_IO_LEN, NULL);
}

static void piix4_pm_config_written(struct pci_device *d, unsigned off,
				    unsigned len)
{
	update_block(container_of(d, struct piix4_pm, pci));
}

static void set_registers(struct pci_device *d)
{
	store_le16(d->config + PCI_STATUS, 0x0280);	/* medium, fast */
	d->config[PCI_INTERRUPT_LINE] = PM_SCI_IRQ;
	d->config[PM_CONFIG_BASE] = 1;
	store_le16(d->writable + PM_CONFIG_BASE, 0xffc0);
	memset(d->writable + 0x44, 0xff, PM_CONFIG_MISC - 0x44);
	d->writable[PM_CONFIG_MISC] = 0x01;
	/* Firmware takes this as "system management mode is set up already"
	 * and leaves it alone. */
	d->config[0x5b] = DEVACTB_APMC;
}

static void piix4_pm_detach(struct device *d)
{
	struct piix4_pm *x = container_of(d, struct piix4_pm, pci.dev);

	timer_cancel(bus_clock(d->bus), &x->timer);
	bus_unmap_ports(d->bus, &x->pm);
	bus_unmap_ports(d->bus, &x->gpe);
	bus_unmap_ports(d->bus, &x->smi);
	pci_unregister(&x->pci);
}

static int piix4_pm_attach(struct device *d, struct err *e)
{
	struct piix4_pm *x = container_of(d, struct piix4_pm, pci.dev);
	static const struct pci_ids ids = {
		.vendor = 0x8086, .device = 0x7113, .revision = 3,
		.class = 0x0680,
		.subsystem_vendor = 0x1af4, .subsystem = 0x1100,
		.interrupt_pin = 1,
	};
	int r = pci_register(&x->pci, &ids, e);

	if (r < 0)
		return r;
	set_registers(&x->pci);
	x->pci.config_written = piix4_pm_config_written;
	timer_init(&x->timer, toggled, x);
	irq_connect(&x->sci, bus_isa_irq(d->bus, PM_SCI_IRQ));
	x->pm = (struct window){ .name = "acpi-pm", .ops = &pm_io, .dev = x };
	x->gpe = (struct window){ .name = "acpi-gpe0", .ops = &gpe_io,
				  .dev = x };
	x->smi = (struct window){ .name = "smi-command", .ops = &smi_io,
				  .dev = x };
	r = bus_map_ports(d->bus, &x->gpe, PM_GPE0_BASE, PM_GPE0_LEN, e);
	if (r == 0)
		r = bus_map_ports(d->bus, &x->smi, PM_SMI_CMD, 2, e);
	if (r < 0)
		piix4_pm_detach(d);
	return r;
}

static void piix4_pm_reset(struct device *d)
{
	struct piix4_pm *x = container_of(d, struct piix4_pm, pci.dev);

	pci_device_reset(&x->pci);
	update_block(x);
	x->status = x->enable = x->control = 0;
	x->gpe_status = x->gpe_enable = 0;
	x->smi_command = x->smi_status = 0;
	x->toggle_tick = ((ticks(x) >> TOGGLE_BIT) + 1) << TOGGLE_BIT;
	update_sci(x);
}

static const struct field piix4_pm_state[] = {
	PCI_STATE,
	FIELD(struct piix4_pm, status), FIELD(struct piix4_pm, enable),
	FIELD(struct piix4_pm, control), FIELD(struct piix4_pm, gpe_status),
	FIELD(struct piix4_pm, gpe_enable),
	FIELD(struct piix4_pm, toggle_tick),
	FIELD(struct piix4_pm, smi_command),
	FIELD(struct piix4_pm, smi_status),
	{ .name = NULL },
};

const struct device_class piix4_pm_class = {
	.name = "PIIX4_PM",
	.summary = "PM",
	.category = DEVICE_BRIDGE,
	.bus = BUS_PCI,
	.size = sizeof(struct piix4_pm),
	.bus_props = pci_props,
	.state = piix4_pm_state,
	.attach = piix4_pm_attach,
	.reset = piix4_pm_reset,
	.detach = piix4_pm_detach,
};
