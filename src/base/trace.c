/* base/trace.c - see trace.h
 *
 * Events are switched at set-up, before there are other threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>

#include "base/bytes.h"
#include "base/trace.h"

static const char *const names[] = {
	[TRACE_BUS_PORT_READ] = "bus_port_read",
	[TRACE_BUS_PORT_WRITE] = "bus_port_write",
	[TRACE_BUS_MMIO_READ] = "bus_mmio_read",
	[TRACE_BUS_MMIO_WRITE] = "bus_mmio_write",
	[TRACE_PORT80_WRITE] = "port80_write",
};
_Static_assert(ARRAY_LEN(names) == TRACE_EVENTS, "a name for each event");

static bool on[TRACE_EVENTS];

int trace_enable(const char *pattern, struct err *e)
{
	bool value = pattern[0] != '-', matched = false, any = false;
	const char *glob = pattern + !value;

	for (unsigned i = 0; i < TRACE_EVENTS; i++) {
		if (!fnmatch(glob, names[i], 0)) {
			on[i] = value;
			matched = true;
		}
		any |= on[i];
	}
	if (!matched)
		return fail(e, EINVAL, "trace event '%s' is unknown, '-trace "
			    "help' lists them", glob);
	log_mask = any ? log_mask | LOG_TRACE : log_mask & ~LOG_TRACE;
	return 0;
}

int trace_enable_file(const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	char line[128];
	int r = 0;

	if (!f)
		return fail(e, errno, "trace events '%s': %s", path,
			    strerror(errno));
	while (!r && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] && line[0] != '#')
			r = trace_enable(line, e);
	}
	fclose(f);
	return r;
}

void trace_print(FILE *to)
{
	for (unsigned i = 0; i < TRACE_EVENTS; i++)
		fprintf(to, "%s\n", names[i]);
}

void trace_write(enum trace_event ev, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!on[ev])
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_write(LOG_TRACE, "%s %s", names[ev], text);
}
