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
	atomic_fetch_or(&g->c->port.events, VCPU_PAUSE);
}

static void on_stop(void *ctx, struct cpu *c, enum vcpu_stop why)
{
	struct rig *g = ctx;

	if (why == VCPU_STOP_SHUTDOWN)
		g->shutdown = true;
	atomic_fetch_or(&g->c->port.events, VCPU_PAUSE);
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
		.board = "pc", .accel = "interp", .cpu = cpu,
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

void rig_close(struct rig *g)
{
	machine_free(g->machine);
}

void rig_reset(struct rig *g)
{
	struct err e;

	if (machine_reset(g->machine, &e) < 0)
		cannot(e.text);
	machine_resume(g->machine);
	memset(g->ram, 0, CLEARED_LOW);
	memset(g->ram + CLEARED_HIGH, 0, RIG_RAM - CLEARED_HIGH);
	bus_lock(g->bus);
	pcisetup_run(g->machine->pci, g->bus, &g->machine->map);
	bus_unlock(g->bus);
	g->power = g->shutdown = false;
	vcpu_lower(&g->c->port, VCPU_PAUSE);
}

void rig_pass(struct rig *g, int64_t ns)
{
	bus_lock(g->bus);
	g->now_ns += ns;
	clock_run(bus_clock(g->bus));
	bus_unlock(g->bus);
}
