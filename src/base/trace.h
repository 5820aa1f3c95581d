/* base/trace.h - what -trace and -d trace: show: one line per event.
 *
 * An event is a row of the table in trace.c and a typed function here, which
 * costs one test of log_mask while no event is on.
 *
 * To add one: a name in enum trace_event, a row in trace.c, a function here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"

enum trace_event {
	TRACE_BUS_PORT_READ,
	TRACE_BUS_PORT_WRITE,
	TRACE_BUS_MMIO_READ,
	TRACE_BUS_MMIO_WRITE,
	TRACE_PORT80_WRITE,
	TRACE_EVENTS
};

/* Switch on what matches: a name with * and ? (QEMU's form); a leading '-'
 * switches off.  A pattern that matches nothing is refused. */
int trace_enable(const char *pattern, struct err *e);
/* One pattern a line; blank lines and those with # are skipped. */
int trace_enable_file(const char *path, struct err *e);
/* -trace help. */
void trace_print(FILE *to);

/* The functions below call this. */
void trace_write(enum trace_event ev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline void trace_bus_port_read(uint16_t port, unsigned size,
				       uint32_t v)
{
	if (log_on(LOG_TRACE))
		trace_write(TRACE_BUS_PORT_READ, "port 0x%x size %u = 0x%x",
			    port, size, v);
}

static inline void trace_bus_port_write(uint16_t port, unsigned size,
					uint32_t v)
{
	if (log_on(LOG_TRACE))
		trace_write(TRACE_BUS_PORT_WRITE, "port 0x%x size %u = 0x%x",
			    port, size, v);
}

static inline void trace_bus_mmio_read(uint64_t gpa, unsigned size, uint64_t v)
{
	if (log_on(LOG_TRACE))
		trace_write(TRACE_BUS_MMIO_READ, "gpa 0x%llx size %u = 0x%llx",
			    (unsigned long long)gpa, size,
			    (unsigned long long)v);
}

static inline void trace_bus_mmio_write(uint64_t gpa, unsigned size,
					uint64_t v)
{
	if (log_on(LOG_TRACE))
		trace_write(TRACE_BUS_MMIO_WRITE,
			    "gpa 0x%llx size %u = 0x%llx",
			    (unsigned long long)gpa, size,
			    (unsigned long long)v);
}

static inline void trace_port80_write(uint8_t code)
{
	if (log_on(LOG_TRACE))
		trace_write(TRACE_PORT80_WRITE, "code 0x%02x", code);
}
#endif
