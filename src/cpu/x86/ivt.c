/* cpu/x86/ivt.c - interrupts through the real-mode vector table, and the
 * virtual-8086 mode extensions that use it.
 *
 * With CR4.VME a bit map of 32 bytes just below the TSS's I/O bit map tells
 * which software interrupts go to the virtual-8086 program's own handlers (bit
 * clear) and which to the protected-mode monitor (bit set).  The program sees
 * IOPL 3 and its virtual interrupt flag in the pushed FLAGS.
 *
 * Source: SDM 3B 20.1.4; 20.3.3 and table 20-2.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/ivt.h"
#include "cpu/x86/desc.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/stack.h"

#define TSS_IO_BASE    0x66
#define REDIRECT_BYTES 32

void ivt_enter(struct cpu *c, uint8_t vector, uint64_t table, uint16_t flags)
{
	uint32_t entry =
		(uint32_t)mem_read_sys(c, (uint32_t)(table + vector * 4u), 4);
	uint16_t ip = (uint16_t)entry;
	struct stack s;

	stack_current(c, &s);
	stack_put(c, &s, flags, 2);
	stack_put(c, &s, c->seg[CS].selector, 2);
	stack_put(c, &s, (uint16_t)c->rip, 2);
	if (ip > c->seg[CS].limit)
		fault_gp0(c);
	seg_load_real(c, CS, entry >> 16);
	c->rip = ip;
	stack_set_pointer(c, &s);
	c->tf_trap = false;
	c->stop_block = 1;
}

static bool redirected(struct cpu *c, uint8_t vector)
{
	uint32_t at;
	uint8_t map;

	if (!(c->tr.attr & SYS_32) || c->tr.limit < TSS_IO_BASE + 1)
		fault_gp0(c);
	at = (uint32_t)mem_read_sys(c, table_linear(c, c->tr.base, TSS_IO_BASE),
				    2);
	if (at < REDIRECT_BYTES)
		fault_gp0(c);
	at = at - REDIRECT_BYTES + vector / 8;
	if (at > c->tr.limit)
		fault_gp0(c);
	map = (uint8_t)mem_read_sys(c, table_linear(c, c->tr.base, at), 1);
	return !(map >> (vector & 7) & 1);
}

bool ivt_int_v86(struct cpu *c, uint8_t vector)
{
	uint32_t flags = flags_get(c);

	if (c->cr4 & CR4_VME && redirected(c, vector)) {
		bool own_if = cpu_iopl(c) == 3;

		if (!own_if) {
			flags |= FLAG_IOPL;
			flags = (flags & ~FLAG_IF) |
				(flags & FLAG_VIF ? FLAG_IF : 0);
		}
		ivt_enter(c, vector, 0, (uint16_t)flags);
		flags_set(c, 0,
			  FLAG_TF | FLAG_RF | (own_if ? FLAG_IF : FLAG_VIF));
		cpu_derive(c);
		return true;
	}
	if (cpu_iopl(c) < 3)
		fault_gp0(c);
	return false;
}
