/* rig.h - a whole machine of the pc board in this process, without threads:
 * its vCPU and its guest time move when the rig says so, so the same seed is
 * the same run.
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

struct rig {
	struct machine_config cfg;
	struct clock_source source;
	struct machine *machine;
	struct bus *bus;
	struct vcpus *vcpus;
	struct cpu *c;		/* vCPU 0 */
	uint8_t *ram;		/* guest-physical 0; the VGA hole is a hole */
	int64_t now_ns;		/* guest time */
	int64_t deadline_ns;	/* of the next timer */
	bool power, shutdown;	/* asked for since rig_reset() */
};

/* cpu is -cpu's text.  Exits if the machine cannot be built. */
void rig_open(struct rig *g, const char *cpu, unsigned cpus);
void rig_close(struct rig *g);

/* As the reset button, with RAM cleared and PCI set up as firmware does. */
void rig_reset(struct rig *g);
/* Move guest time on and run the timers. */
void rig_pass(struct rig *g, int64_t ns);

#endif
