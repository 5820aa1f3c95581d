/* machine/machine.c - the life of a machine: building, running, reset, power.
 *
 * The thread that builds a machine runs its event loop.  Every callback of the
 * loop has the bus lock; vCPUs are paused and resumed without it, because a
 * vCPU that is to park may be waiting for it.
 *
 * A guest's request (power off, reset, exit, panic) comes on a vCPU thread with
 * the bus lock held.  It is noted, all vCPUs are told to park at their next
 * block so that the guest does not run on, and the loop thread does the rest.
 *
 *   built --main--> running <--pause/resume--> paused
 *                      |  ^
 *     reset request    +--+          any of them --quit--> main returns
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "bus/clock.h"
#include "char/chardev.h"
#include "cpu/x86/cpuid.h"
#include "dev/pci/piix4_pm.h"
#include "host/loop.h"
#include "machine/inside.h"

/* ---- pausing ---- */

/* The lock is given up while vCPUs come to rest. */
static void park(struct machine *m)
{
	bool locked = bus_locked_by_me(m->bus);

	if (locked)
		bus_unlock(m->bus);
	vcpus_pause(m->vcpus);
	if (locked)
		bus_lock(m->bus);
}

/* Bus lock held. */
static void stop_clock(struct machine *m)
{
	if (clock_running(m->clock))
		clock_stop(m->clock);
}

bool machine_running(const struct machine *m)
{
	return m->running;
}

/* Runs fn with the bus lock, whoever has it now. */
static void with_lock(struct machine *m, void (*fn)(struct machine *m))
{
	bool locked = bus_locked_by_me(m->bus);

	if (!locked)
		bus_lock(m->bus);
	fn(m);
	if (!locked)
		bus_unlock(m->bus);
}

void machine_pause(struct machine *m)
{
	park(m);
	m->running = false;
	with_lock(m, stop_clock);
}

static void start_clock(struct machine *m)
{
	if (!clock_running(m->clock))
		clock_start(m->clock);
}

void machine_resume(struct machine *m)
{
	if (m->running)
		return;
	m->running = true;
	with_lock(m, start_clock);
	vcpus_resume(m->vcpus);
}

void machine_quit(struct machine *m, int status)
{
	loop_quit(m->loop, status);
}

/* ---- reset ---- */

static void reset_devices(struct machine *m)
{
	pci_bus_reset(m->pci);
	for (unsigned i = 0; i < m->device_count; i++)
		if (m->devices[i]->class->reset)
			m->devices[i]->class->reset(m->devices[i]);
}

int machine_reset(struct machine *m, struct err *e)
{
	bool locked = bus_locked_by_me(m->bus);
	int r;

	park(m);
	if (!locked)
		bus_lock(m->bus);
	m->power_pending = false;
	reset_devices(m);
	vcpus_reset(m->vcpus);
	r = pc_after_reset(m, e);
	if (!locked)
		bus_unlock(m->bus);
	if (r == 0 && m->running)
		vcpus_resume(m->vcpus);
	return r;
}

/* What a guest's request for a reset comes to. */
static void reset_or_quit(struct machine *m)
{
	struct err e;

	if (m->cfg->no_reboot) {
		machine_quit(m, 0);
	} else if (machine_reset(m, &e) < 0) {
		log_error("reset: %s", e.text);
		machine_quit(m, 1);
	}
}

/* ---- what the guest asks for ---- */

static void panicked(struct machine *m)
{
	log_warn("the guest has panicked");
	switch (m->cfg->panic) {
	case PANIC_SHUTDOWN:		machine_quit(m, 0); break;
	case PANIC_EXIT_FAILURE:	machine_quit(m, 1); break;
	case PANIC_PAUSE:		machine_pause(m); break;
	case PANIC_NONE:		vcpus_resume(m->vcpus); break;
	}
}

/* Loop thread: the request of request_power(). */
static void see_to_power(void *ctx)
{
	struct machine *m = ctx;

	if (!m->power_pending)
		return;			/* a reset has come between */
	park(m);
	m->power_pending = false;
	switch (m->power) {
	case POWER_OFF:
		if (m->cfg->no_shutdown)
			machine_pause(m);
		else
			machine_quit(m, 0);
		break;
	case POWER_RESET:
		reset_or_quit(m);
		break;
	case POWER_EXIT:
		machine_quit(m, m->power_status & 0xff);
		break;
	case POWER_PANICKED:
		panicked(m);
		break;
	}
}

/* Any thread, bus lock held. */
static void request_power(void *ctx, enum power_request r, int status)
{
	struct machine *m = ctx;

	if (m->power_pending)
		return;
	m->power_pending = true;
	m->power = r;
	m->power_status = status;
	for (unsigned n = 0; n < vcpus_count(m->vcpus); n++)
		atomic_fetch_or(&vcpus_get(m->vcpus, n)->port.events,
				VCPU_PAUSE);
	loop_post(m->loop, see_to_power, m);
}

static void check_failed(void *ctx)
{
	machine_quit(ctx, 1);
}

static void triple_fault(void *ctx)
{
	struct machine *m = ctx;

	log_write(LOG_CPU_RESET, "machine: triple fault");
	park(m);
	reset_or_quit(m);
}

/* Pairs with cpu_stopped(). */
static void debug_stopped(void *ctx)
{
	struct machine *m = ctx;
	struct cpu *c = atomic_exchange(&m->debug_cpu, NULL);

	if (!c)
		return;
	machine_pause(m);
	if (m->on_debug)
		m->on_debug(m->on_debug_ctx, c);
}

/* On the thread of the vCPU. */
static void cpu_stopped(void *ctx, struct cpu *c, enum vcpu_stop why)
{
	struct machine *m = ctx;

	if (why == VCPU_STOP_SHUTDOWN) {
		loop_post(m->loop, triple_fault, m);
		return;
	}
	if (why == VCPU_STOP_CHECK) {
		loop_post(m->loop, check_failed, m);
		return;
	}
	atomic_store(&m->debug_cpu, c);
	loop_post(m->loop, debug_stopped, m);
}

void machine_power_button(struct machine *m)
{
	pm_power_button(m->pm);
}

void machine_set_debug_handler(struct machine *m,
			       void (*fn)(void *ctx, struct cpu *c), void *ctx)
{
	m->on_debug = fn;
	m->on_debug_ctx = ctx;
}

/* ---- the loop ---- */

static void enter(void *ctx)
{
	bus_lock(((struct machine *)ctx)->bus);
}

static void leave(void *ctx)
{
	bus_unlock(((struct machine *)ctx)->bus);
}

static void run_timers(void *ctx)
{
	clock_run(((struct machine *)ctx)->clock);
}

static int64_t host_now(void *ctx)
{
	return loop_now_ns();
}

static void set_alarm(void *ctx, int64_t host_deadline_ns)
{
	loop_set_alarm(((struct machine *)ctx)->loop, host_deadline_ns);
}

static void on_signal(void *ctx, int signo)
{
	log_info("terminating on signal %d", signo);
	machine_quit(ctx, 0);
}

static void on_quit_key(void *ctx)
{
	machine_quit(ctx, 0);
}

static int set_up_loop(struct machine *m, struct err *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct clock_source host = { host_now, set_alarm, m };
	int r = 0;

	m->loop = loop_new(e);
	if (!m->loop)
		return -EIO;
	for (unsigned i = 0; i < ARRAY_LEN(signals) && r == 0; i++)
		r = loop_on_signal(m->loop, signals[i], on_signal, m, e);
	m->clock = clock_new(m->cfg->clock ? *m->cfg->clock : host);
	m->bus = bus_new(m->clock);
	bus_set_power_handler(m->bus, request_power, m);
	loop_set_bracket(m->loop, enter, leave, m);
	loop_set_alarm_handler(m->loop, run_timers, m);
	return r;
}

/* ---- building ---- */

static int make_vcpus(struct machine *m, struct err *e)
{
	const struct smp_config *s = &m->cfg->smp;
	const char *preset = m->cfg->i386 ? "qemu32" : "qemu64";
	struct vcpu_config c = {
		.accel = m->cfg->accel,
		.model = m->cfg->cpu ? m->cfg->cpu : preset,
		.topology = { s->cpus, s->sockets, s->cores, s->threads },
		.bus = m->bus,
	};

	m->vcpus = vcpus_new(&c, e);
	if (!m->vcpus)
		return -EINVAL;
	for (unsigned n = 0; n < s->cpus; n++)
		m->apic_ids[n] = cpu_apic_id(&c.topology, n);
	vcpus_set_stop_handler(m->vcpus, cpu_stopped, m);
	return 0;
}

static int make_chardevs(struct machine *m, struct err *e)
{
	int r = 0;

	m->chardevs = chardev_set_new(m->loop);
	chardev_set_on_quit(m->chardevs, on_quit_key, m);
	if (m->cfg->escape >= 0)
		chardev_set_escape(m->chardevs, (uint8_t)m->cfg->escape);
	for (size_t i = 0; i < m->cfg->chardevs.count && r == 0; i++) {
		r = chardev_add(m->chardevs, m->cfg->chardevs.at[i], e);
		if (r < 0)
			err_prefix(e, "-chardev %s", m->cfg->chardevs.at[i]);
	}
	return r;
}

static int open_kernel(struct machine *m, struct err *e)
{
	const struct machine_config *cfg = m->cfg;
	struct boot_config b = {
		.kernel = cfg->kernel, .initrd = cfg->initrd,
		.append = cfg->append,
		.low_ram = m->map.below_4g, .high_ram = m->map.above_4g,
		.e820 = m->e820, .e820_count = m->e820_count,
		.rsdp = m->rsdp,
		.long_mode = feature_has(&vcpus_get(m->vcpus, 0)->features,
					 FEAT_LM),
	};

	if (!cfg->kernel)
		return 0;
	m->boot = boot_open(&b, e);
	return m->boot ? 0 : -EINVAL;
}

static int check_config(const struct machine_config *cfg, struct err *e)
{
	if (cfg->kernel && cfg->bios)
		return fail(e, ENOTSUP, "-kernel and -bios together are not in"
			    " this version");
	if (!cfg->kernel && !cfg->bios)
		return fail(e, EINVAL, "nothing to boot: give -kernel or -bios"
			    " (disks are not in this version)");
	return 0;
}

/* Bus lock held from here on: devices and back ends expect it. */
static int build_locked(struct machine *m, struct err *e)
{
	int r = make_vcpus(m, e);

	if (r == 0)
		r = make_chardevs(m, e);
	if (r == 0)
		r = pc_build(m, e);
	if (r == 0)
		r = plug_configured(m, e);
	if (r == 0)
		r = pc_build_tables(m, e);
	return r == 0 ? open_kernel(m, e) : r;
}

static int build(struct machine *m, struct err *e)
{
	int r = check_config(m->cfg, e);

	if (r == 0)
		r = set_up_loop(m, e);
	if (r < 0)
		return r;
	r = os_ram_alloc(&m->ram, m->cfg->ram_size, "ram", e);
	if (r < 0) {
		err_prefix(e, "-m");
		return r;
	}
	m->map = memmap_split(m->cfg->ram_size);
	m->e820_count = memmap_e820(&m->map, m->e820);
	bus_lock(m->bus);
	r = build_locked(m, e);
	bus_unlock(m->bus);
	return r == 0 ? machine_reset(m, e) : r;
}

struct machine *machine_new(const struct machine_config *cfg, struct err *e)
{
	struct machine *m = xcalloc(1, sizeof(*m));

	m->cfg = cfg;
	if (build(m, e) < 0) {
		machine_free(m);
		return NULL;
	}
	return m;
}

int machine_main(struct machine *m, struct err *e)
{
	int r = vcpus_start(m->vcpus, e);

	if (r == 0 && m->cfg->daemonize)
		r = os_daemonize_ready(e);
	if (r < 0)
		return r;
	if (!m->cfg->start_paused)
		machine_resume(m);
	r = loop_run(m->loop);
	machine_pause(m);
	return r;
}

static void free_devices(struct machine *m)
{
	while (m->device_count)
		device_free(m->devices[--m->device_count]);
	pci_bus_free(m->pci);
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	vcpus_free(m->vcpus);
	if (m->bus)
		with_lock(m, free_devices);
	chardev_set_free(m->chardevs);
	boot_free(m->boot);
	smbios_free(&m->smbios);
	free(m->tables);
	bus_free(m->bus);
	clock_free(m->clock);
	free(m->rom);
	if (m->ram.hva)
		os_ram_free(&m->ram);
	if (m->loop)
		loop_free(m->loop);
	free(m);
}

struct bus *machine_bus(struct machine *m)
{
	return m->bus;
}

struct loop *machine_loop(struct machine *m)
{
	return m->loop;
}

struct vcpus *machine_vcpus(struct machine *m)
{
	return m->vcpus;
}

struct chardev_set *machine_chardevs(struct machine *m)
{
	return m->chardevs;
}
