/* rig.h - a whole machine of the pc board in this process.
 *
 * Without rig_start_threads() its vCPUs and its guest time move when the rig
 * says so, and the same seed is the same run.
 *
 * Built by machine_new(), with every device there is.  What the guest asks of
 * the machine (power off, reset, ...) and a triple fault are noted, not done.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RIG_H
#define RIG_H
#include <stdbool.h>
#include <stdint.h>

#include "bus/bus.h"
#include "bus/clock.h"
#include "cpu/x86/state.h"
#include "machine/config.h"

#define RIG_RAM		(2 * MiB)

/* The engine of the next rig_open(). */
extern struct accel_options rig_accel;

struct rig {
	struct machine_config cfg;
	struct clock_source source;
	struct machine *machine;
	struct bus *bus;
	struct vcpus *vcpus;
	struct cpu *c;		/* vCPU 0 */
	uint8_t *ram;		/* guest-physical 0; the VGA hole is a hole */
	_Atomic int64_t now_ns;	/* host time, as far as the machine knows */
	int64_t deadline_ns;	/* of the next timer */
	/* Asked for since rig_reset(), by any vCPU. */
	_Atomic bool power, shutdown;
	bool differs;		/* translated code is wrong (check=N) */
};

/* cpu is -cpu's text.  Exits if the machine cannot be built. */
void rig_open(struct rig *g, const char *cpu, unsigned cpus);
void rig_close(struct rig *g);

/* Afterwards vCPUs run by themselves between rig_resume() and rig_reset(). */
void rig_start_threads(struct rig *g);

/* As the reset button, with RAM cleared and PCI set up as firmware does; left
 * paused. */
void rig_reset(struct rig *g);
void rig_resume(struct rig *g);
void rig_pause(struct rig *g);
/* Switch the devices on as a system does: interrupts unmasked, timers ticking;
 * *r is the state of random.h. */
void rig_wake_devices(struct rig *g, uint64_t *r);
/* Move guest time on and run the timers. */
void rig_pass(struct rig *g, int64_t ns);

#endif
