/* cpu/accel.h - which engine runs the vCPUs, and how: what -accel says.
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_ACCEL_H
#define CPU_ACCEL_H
#include <stdbool.h>

#define ACCEL_PRESET	  "jit"	/* without -accel */
#define ACCEL_TB_SIZE_MAX 1024		/* MiB */

struct accel_options {
	const char *name;	/* "interp", "jit" */
	unsigned tb_size_mib;	/* translated code; 0: the preset */
	/* Run every Nth block by the interpreter too, and compare; 0: none. */
	unsigned check;
	/* Keep arithmetic flags that are overwritten before they are read, so
	 * that those a fault shows are right as well. */
	bool exact_flags;
	bool one_insn;		/* a block is one instruction */
};

#endif
