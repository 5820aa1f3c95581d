/* host/perfmap.h - /tmp/perf-PID.map, where `perf report` looks up the names of
 * code that was made at run time.
 *
 * One file per process, written by all vCPU threads; lines are only added, so
 * where code memory was used again it has several names.
 *
 * Source: Linux, tools/perf/Documentation/jit-interface.txt.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_PERFMAP_H
#define HOST_PERFMAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Begin the file of this process, in its last incarnation (os_daemonize), and
 * before there are threads. */
int perfmap_open(struct err *e);
void perfmap_close(void);		/* nothing to do is fine */
bool perfmap_is_open(void);
/* Nothing happens while it is not open. */
void perfmap_add(const uint8_t *code, size_t bytes, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
