/* app/no_machine.c - stands in for the board and the CPU models until
 * they are there.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "cpu/x86/cpuid.h"
#include "machine/machine.h"

int machine_run(const struct machine_config *cfg, struct err *e)
{
	return fail(e, ENOTSUP, "the machine is not in this version");
}

void cpu_model_print(FILE *to)
{
	fprintf(to, "Available CPUs:\n");
}
