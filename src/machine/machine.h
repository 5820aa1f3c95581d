/* machine/machine.h - run a machine from its description to its end.
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H
#include <stdio.h>

#include "base/err.h"

struct machine_config;

/* Set up, run, take down.  Returns the program's exit status (0 after power
 * off, what isa-debug-exit asked for, ...), or -errno if it never ran. */
int machine_run(const struct machine_config *cfg, struct err *e);

/* `-device help` (driver is "help" or "?") and `-device X,help`. */
int machine_device_help(const char *driver, FILE *to, struct err *e);
#endif
