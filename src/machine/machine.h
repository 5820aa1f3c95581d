/* machine/machine.h - a machine from its description to its end.
 *
 * machine_new() builds it, reset and paused; machine_main() runs the event loop
 * until the guest powers off or somebody ends it.  Everything but
 * machine_quit() is called on the loop thread, which is the one that called
 * machine_new(), inside a loop callback or while the loop does not run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

struct bus;
struct chardev_set;
struct cpu;
struct loop;
struct machine;
struct machine_config;
struct vcpus;

/* cfg is borrowed. */
struct machine *machine_new(const struct machine_config *cfg, struct err *e);
/* Starts it unless cfg->start_paused; returns the program's exit status (0
 * after power off, what isa-debug-exit asked for, ...), or -errno if it never
 * ran. */
int machine_main(struct machine *m, struct err *e);
void machine_free(struct machine *m);

bool machine_running(const struct machine *m);
void machine_pause(struct machine *m);
void machine_resume(struct machine *m);
/* As the reset button: devices, processors, and the kernel is loaded again.
 * Fails if its files cannot be read any more. */
int machine_reset(struct machine *m, struct err *e);
void machine_power_button(struct machine *m);
/* machine_main() returns status; any thread, the first call's stands. */
void machine_quit(struct machine *m, int status);

/* Told when a breakpoint, watchpoint or step of gdb has stopped a vCPU; the
 * machine is paused by then. */
void machine_set_debug_handler(struct machine *m,
			       void (*fn)(void *ctx, struct cpu *c),
			       void *ctx);

/* All borrowed. */
struct bus *machine_bus(struct machine *m);
struct loop *machine_loop(struct machine *m);
struct vcpus *machine_vcpus(struct machine *m);
struct chardev_set *machine_chardevs(struct machine *m);

/* `-device help` (driver is "help" or "?") and `-device X,help`. */
int machine_device_help(const char *driver, FILE *to, struct err *e);
#endif
