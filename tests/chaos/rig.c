/* rig.c - see rig.h
 *
 * The machine starts from a ROM of HLTs, which nothing ever runs on purpose.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../oracle/random.h"
#include "base/bytes.h"
#include "cpu/vcpu.h"
#include "machine/inside.h"
#include "machine/machine.h"
#include "machine/pcisetup.h"
#include "rig.h"

#define ROM_LEN		(64 * KiB)
#define CLEARED_LOW	MEMMAP_VGA	/* RAM's first run */
#define CLEARED_HIGH	MiB

static const char *const serials[] = { "null", "null", "null", "null" };
static const char *const devices[] = {
	"isa-debug-exit", "pvpanic", "pc-testdev", "pci-testdev",
};

struct accel_options rig_accel = { .name = ACCEL_PRESET };

static _Noreturn void cannot(const char *why)
{
	fprintf(stderr, "chaos: %s\n", why);
	exit(2);
}

/* ---- what the machine calls ---- */

static int64_t now(void *ctx)
{
	return ((struct rig *)ctx)->now_ns;
}

static void wake(void *ctx, int64_t deadline_ns)
{
	((struct rig *)ctx)->deadline_ns = deadline_ns;
}

static void on_power(void *ctx, enum power_request r, int status)
{
	struct rig *g = ctx;

	g->power = true;
	for (unsigned n = 0; n < vcpus_count(g->vcpus); n++)
		atomic_fetch_or(&vcpus_get(g->vcpus, n)->port.events,
				VCPU_PAUSE);
}

static void on_stop(void *ctx, struct cpu *c, enum vcpu_stop why)
{
	struct rig *g = ctx;

	if (why == VCPU_STOP_SHUTDOWN)
		g->shutdown = true;
	else if (why == VCPU_STOP_CHECK)
		g->differs = true;
}

/* ---- building ---- */

/* Returns its name, good while the process lives. */
static const char *rom_file(void)
{
	static uint8_t image[ROM_LEN];
	static char name[64];
	int fd;

	if (*name)
		return name;
	memset(image, 0xf4, sizeof(image));
	fd = memfd_create("rom", MFD_CLOEXEC);
	if (fd < 0 || write(fd, image, sizeof(image)) != sizeof(image))
		cannot("no memory for a ROM");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return name;
}

void rig_open(struct rig *g, const char *cpu, unsigned cpus)
{
	struct ram_page page;
	struct err e;

	memset(g, 0, sizeof(*g));
	g->source = (struct clock_source){ now, wake, g };
	g->deadline_ns = CLOCK_NEVER;
	g->cfg = (struct machine_config){
		.board = "pc", .accel = rig_accel, .cpu = cpu,
		.smp = { cpus, cpus, cpus, 1, 1 },
		.ram_size = RIG_RAM, .acpi = true, .hpet = true,
		.bios = rom_file(), .clock = &g->source, .escape = -1,
		.debugcon = "null", .serial_count = ARRAY_LEN(serials),
		.devices = { (const char **)devices, ARRAY_LEN(devices) },
		.rtc_base = RTC_DATE, .rtc_date_s = 951782390,
	};
	memcpy(g->cfg.serials, serials, sizeof(serials));
	g->machine = machine_new(&g->cfg, &e);
	if (!g->machine)
		cannot(e.text);
	g->bus = machine_bus(g->machine);
	g->vcpus = machine_vcpus(g->machine);
	g->c = vcpus_get(g->vcpus, 0);
	bus_set_power_handler(g->bus, on_power, g);
	vcpus_set_stop_handler(g->vcpus, on_stop, g);
	if (!bus_ram_page(g->bus, 0, &page))
		cannot("no RAM");
	g->ram = page.hva;
}

void rig_start_threads(struct rig *g)
{
	struct err e;

	if (vcpus_start(g->vcpus, &e) < 0)
		cannot(e.text);
}

void rig_close(struct rig *g)
{
	machine_free(g->machine);
}

void rig_reset(struct rig *g)
{
	struct err e;

	machine_pause(g->machine);
	if (machine_reset(g->machine, &e) < 0)
		cannot(e.text);
	memset(g->ram, 0, CLEARED_LOW);
	memset(g->ram + CLEARED_HIGH, 0, RIG_RAM - CLEARED_HIGH);
	bus_lock(g->bus);
	pcisetup_run(g->machine->pci, g->bus, &g->machine->map);
	bus_unlock(g->bus);
	g->power = g->shutdown = false;
}

void rig_resume(struct rig *g)
{
	machine_resume(g->machine);
}

void rig_pause(struct rig *g)
{
	machine_pause(g->machine);
}

/* ---- devices ---- */

static void outb(struct rig *g, uint16_t port, unsigned v)
{
	bus_port_write(g->bus, port, v & 0xff, 1);
}

static void writel(struct rig *g, gpa_t at, uint64_t v)
{
	bus_mmio_write(g->bus, at, (uint32_t)v, 4);
}

static void wake_pics(struct rig *g, uint64_t *r)
{
	static const uint16_t ports[] = { 0x20, 0xa0 };

	for (unsigned n = 0; n < 2; n++) {
		outb(g, ports[n], 0x11);
		outb(g, ports[n] + 1, 0x20 + 8 * n);
		outb(g, ports[n] + 1, n ? 2 : 4);
		outb(g, ports[n] + 1, one_in(r, 4) ? 3 : 1);
		outb(g, ports[n] + 1, (unsigned)random_next(r) & 0x40);
	}
}

static void wake_timers(struct rig *g, uint64_t *r)
{
	for (unsigned n = 0; n < 3; n++) {
		outb(g, 0x43, n << 6 | 0x30 | below(r, 6) << 1);
		outb(g, 0x40 + n, (unsigned)random_next(r));
		outb(g, 0x40 + n, below(r, 4));
	}
	for (unsigned n = 0; n < 3; n++) {
		writel(g, MEMMAP_HPET + 0x100 + 0x20 * n,
		       random_next(r) & 0x3f4e);
		writel(g, MEMMAP_HPET + 0x108 + 0x20 * n, below(r, 100000));
		writel(g, MEMMAP_HPET + 0x108 + 0x20 * n, below(r, 100000));
	}
	writel(g, MEMMAP_HPET + 0x10, 1 + 2 * one_in(r, 4));
	outb(g, 0x70, 0x0a);
	outb(g, 0x71, 0x20 + below(r, 16));
	outb(g, 0x70, 0x0b);
	outb(g, 0x71, (unsigned)random_next(r) & 0x7f);
}

static void wake_apics(struct rig *g, uint64_t *r)
{
	static const uint16_t lvts[] = { 0x320, 0x340, 0x350, 0x360, 0x370 };

	writel(g, MEMMAP_LAPIC + 0xf0, 0x1ff);
	for (unsigned n = 0; n < ARRAY_LEN(lvts); n++)
		writel(g, MEMMAP_LAPIC + lvts[n],
		       random_next(r) & (one_in(r, 2) ? 0x6a7ff : 0xff));
	writel(g, MEMMAP_LAPIC + 0x3e0, below(r, 16));
	writel(g, MEMMAP_LAPIC + 0x380, below(r, 1000000));
	for (unsigned n = 0; n < 24; n++) {
		writel(g, MEMMAP_IOAPIC, 0x11 + 2 * n);
		writel(g, MEMMAP_IOAPIC + 16, one_in(r, 2) ? 0
						: below(r, 8) << 24);
		writel(g, MEMMAP_IOAPIC, 0x10 + 2 * n);
		writel(g, MEMMAP_IOAPIC + 16,
		       random_next(r) & (one_in(r, 2) ? 0xffff : 0xa0ff));
	}
}

void rig_wake_devices(struct rig *g, uint64_t *r)
{
	wake_pics(g, r);
	wake_timers(g, r);
	wake_apics(g, r);
}

void rig_pass(struct rig *g, int64_t ns)
{
	bus_lock(g->bus);
	g->now_ns += ns;
	clock_run(bus_clock(g->bus));
	bus_unlock(g->bus);
}
