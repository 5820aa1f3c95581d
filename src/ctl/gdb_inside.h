/* ctl/gdb_inside.h - what gdb.c, gdb_packet.c, gdb_regs.c and gdb_monitor.c
 * share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CTL_GDB_INSIDE_H
#define CTL_GDB_INSIDE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "char/stream.h"
#include "cpu/x86/debug.h"
#include "ctl/gdb.h"

/* ---- registers (gdb_regs.c) ---- */

#define GDB_REGS_MAX	104
#define GDB_REG_BYTES	16	/* the widest */
#define GDB_XML_MAX	(16 * 1024)

struct gdb_reg {
	char name[12];
	uint8_t kind, n;
	uint8_t bytes;
	const char *type;
	uint8_t feature;	/* which <feature> it is in */
};

struct gdb_regs {
	unsigned count;
	struct gdb_reg at[GDB_REGS_MAX];
	char xml[GDB_XML_MAX];	/* the target description */
};

/* The registers of a vCPU like c. */
void gdb_regs_init(struct gdb_regs *r, const struct cpu *c);
/* Little-endian, r->bytes of them. */
void gdb_reg_read(struct cpu *c, const struct gdb_reg *r, uint8_t *buf);
/* False: the processor would not take that value. */
bool gdb_reg_write(struct cpu *c, const struct gdb_reg *r, const uint8_t *buf);

/* ---- packets (gdb_packet.c) ---- */

#define GDB_PACKET_MAX	0x4000	/* of packet data, as we tell gdb */
#define GDB_INPUT_MAX	(2 * GDB_PACKET_MAX)

struct gdb_link {
	struct stream *stream;		/* borrowed */
	bool no_ack;
	char in[GDB_INPUT_MAX];		/* bytes not yet looked at */
	size_t in_len;
	char out[GDB_PACKET_MAX + 8];	/* the last packet sent, framed */
	size_t out_len;
	char reply[GDB_PACKET_MAX];	/* the one being composed */
	size_t reply_len;
};

enum gdb_input { GDB_NOTHING, GDB_PACKET, GDB_INTERRUPT };

/* Take the next packet out of the input: its data, unescaped and with a 0
 * behind it, in buf of GDB_PACKET_MAX + 1.  Sees to acknowledgements. */
enum gdb_input gdb_link_next(struct gdb_link *l, char *buf, size_t *len);

/* Compose, then send.  What does not fit is cut off. */
void gdb_put(struct gdb_link *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void gdb_put_hex(struct gdb_link *l, const void *bytes, size_t len);
void gdb_put_binary(struct gdb_link *l, const char *bytes, size_t len);
void gdb_send(struct gdb_link *l);

/* Hexadecimal text to bytes; false: not that many digits. */
bool gdb_unhex(const char *text, uint8_t *bytes, size_t len);

/* ---- the stub (gdb.c) ---- */

struct gdb {
	struct machine *machine;	/* borrowed */
	struct gdb_link link;
	struct gdb_regs regs;
	struct debug_points points;	/* all vCPUs look at it */
	bool hardware[DEBUG_POINTS_MAX];	/* asked for by Z1 */
	struct cpu *selected;		/* Hg: registers and memory */
	bool connected;
	bool running;			/* gdb waits for a stop */
	bool swbreak, hwbreak;		/* gdb wants to know the reason */
	bool physical;			/* m and M take physical addresses */
	bool posted;			/* look() is on its way */
};

/* ---- what needs the machine stopped, and helpers (gdb_command.c) ---- */

/* Answer a packet that is neither of stopping nor of going on; `len` bytes of
 * packet, with a 0 behind them. */
void gdb_command(struct gdb *g, const char *packet, size_t len);
void gdb_answer(struct gdb *g, const char *text);

unsigned gdb_cpu_count(const struct gdb *g);
struct cpu *gdb_cpu(const struct gdb *g, unsigned n);
unsigned gdb_thread_of(const struct cpu *c);
/* A thread id of a packet; -1: all. */
int64_t gdb_parse_thread(const char *s);
/* All vCPUs see the list as it now is. */
void gdb_points_changed(struct gdb *g);

/* ---- qRcmd (gdb_monitor.c) ---- */

/* Run `monitor <line>`; its output goes out in O packets. */
void gdb_monitor(struct gdb *g, const char *line);

#endif
