/* cpu/x86/debug.h - debug registers and gdb's breakpoints, in one place.
 *
 * Instruction breakpoints set STEP_BREAK, so the main loop steps through
 * blocks that have one, and asks debug_check_exec() before each instruction.  Data watchpoints make their
 * pages take the slow path of mem.c, which calls debug_check_data().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_DEBUG_H
#define CPU_X86_DEBUG_H
#include "cpu/x86/mem.h"

/* DR6 (SDM 3B 17.2.3). */
#define DR6_POINTS	0xfull		/* B0-B3 */
#define DR6_BD		(1ull << 13)
#define DR6_BS		(1ull << 14)

enum debug_kind { DEBUG_EXEC, DEBUG_WRITE, DEBUG_READ, DEBUG_ACCESS };

#define DEBUG_POINTS_MAX 64

struct debug_point {
	enum debug_kind kind;
	gva_t at;
	uint32_t len;
};

/* gdb's points, shared by all vCPUs of a machine; set while parked. */
struct debug_points {
	unsigned count;
	struct debug_point point[DEBUG_POINTS_MAX];
};

/* DR7 or gdb's list changed: update STEP_BREAK and drop TLB entries. */
void debug_points_changed(struct cpu *c);

/* Before the instruction at linear address a: DR6 bits of matching enabled
 * instruction breakpoints (RF honoured by the caller), 0 for none. */
uint64_t debug_check_exec(struct cpu *c, gva_t a);
/* True if gdb has a breakpoint there. */
bool debug_gdb_exec(struct cpu *c, gva_t a);
/* Any instruction breakpoint, DR or gdb, in [a, a+len)? */
bool debug_exec_within(struct cpu *c, gva_t a, unsigned len);

/* Any watchpoint, DR or gdb, in this page? */
bool debug_page_watched(struct cpu *c, gva_t page);
/* After a data access: collects DR6 bits in c->pending_dr6 and sets
 * stop_block; a gdb hit is left in c->gdb_hit. */
void debug_check_data(struct cpu *c, gva_t a, unsigned size,
		      enum access access);
/* I/O breakpoints (CR4.DE). */
void debug_check_port(struct cpu *c, uint16_t port, unsigned size);

#endif
