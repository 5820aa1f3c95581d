/* cpu/x86/port.c - I/O instructions' right to their ports, and the way there.
 *
 * In protected mode below IOPL, and always in virtual-8086 mode, the TSS's bit
 * map decides.  It is read as two bytes, and both must be inside the TSS limit.
 *
 * A write ends the block of instructions: it may have opened the A20 gate or
 * moved a window, which the main loop looks at between blocks.
 *
 * Source: SDM 1 18.5.2 (19.5.2 in later editions).
 * SPDX-License-Identifier: MIT
 */
#include "bus/bus.h"
#include "cpu/x86/debug.h"
#include "cpu/x86/desc.h"
#include "cpu/x86/seg.h"

#define TSS_IO_BASE 0x66

static bool map_allows(struct cpu *c, uint16_t port, unsigned size)
{
	uint32_t at;
	uint16_t map;

	if (!(c->tr.attr & SYS_32) || c->tr.limit < TSS_IO_BASE + 1)
		return false;
	at = (uint32_t)mem_read_sys(c, table_linear(c, c->tr.base, TSS_IO_BASE),
				    2);
	at += port / 8;
	if (at + 1 > c->tr.limit)
		return false;
	map = (uint16_t)mem_read_sys(c, table_linear(c, c->tr.base, at), 2);
	return !(map >> (port & 7) & ((1u << size) - 1));
}

void port_check(struct cpu *c, uint16_t port, unsigned size)
{
	if (cpu_real_mode(c) || (!cpu_v86(c) && c->cpl <= cpu_iopl(c)))
		return;
	if (!map_allows(c, port, size))
		fault_gp0(c);
}

uint32_t port_read(struct cpu *c, uint16_t port, unsigned size)
{
	port_check(c, port, size);
	debug_check_port(c, port, size);
	return bus_port_read(c->bus, port, size);
}

void port_write(struct cpu *c, uint16_t port, uint32_t v, unsigned size)
{
	port_check(c, port, size);
	debug_check_port(c, port, size);
	bus_port_write(c->bus, port, v, size);
	c->stop_block = 1;
}
