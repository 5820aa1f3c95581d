/* ctl/gdb.h - the gdb stub: -gdb and -s.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CTL_GDB_H
#define CTL_GDB_H
#include "base/err.h"

struct gdb;
struct machine;

/* Answer gdb on `spec`, a back end in the short form of -serial; "tcp:" waits
 * for gdb to come without holding the machine up.  Before machine_main(), or on
 * the loop thread.  NULL: refused. */
struct gdb *gdb_open(struct machine *m, const char *spec, struct err *e);
/* After machine_main() and before machine_free(); NULL is fine. */
void gdb_free(struct gdb *g);

#endif
