/* ctl/gdb_command.c - the packets that look and change while all is stopped:
 * registers, memory, breakpoints, threads, queries.
 *
 * Addresses are linear, translated by the selected vCPU's page tables, or
 * physical after "Qqemu.PhyMemMode:1".  Breakpoints are checked by the vCPUs
 * (cpu/x86/debug.h), so Z0 and Z1 are the same and guest memory is never
 * patched.
 *
 * Source: Debugging with GDB, appendix E "Remote Protocol".
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bus/bus.h"
#include "cpu/vcpu.h"
#include "ctl/gdb_inside.h"
#include "machine/machine.h"

#define MEMORY_MAX	(GDB_PACKET_MAX / 2 - 64)

/* ---- vCPUs and threads ---- */

unsigned gdb_cpu_count(const struct gdb *g)
{
	return vcpus_count(machine_vcpus(g->machine));
}

struct cpu *gdb_cpu(const struct gdb *g, unsigned n)
{
	return vcpus_get(machine_vcpus(g->machine), n);
}

unsigned gdb_thread_of(const struct cpu *c)
{
	return c->index + 1;
}

/* The vCPU of thread `id`; 0 and -1 (any, all): the selected one. */
static struct cpu *cpu_of(const struct gdb *g, int64_t id)
{
	if (id <= 0)
		return g->selected;
	return id <= gdb_cpu_count(g) ? gdb_cpu(g, (unsigned)id - 1) : NULL;
}

int64_t gdb_parse_thread(const char *s)
{
	return *s == '-' ? -1 : (int64_t)strtoull(s, NULL, 16);
}

/* ---- replies ---- */

void gdb_answer(struct gdb *g, const char *text)
{
	gdb_put(&g->link, "%s", text);
	gdb_send(&g->link);
}

static void answer_ok(struct gdb *g, bool ok)
{
	gdb_answer(g, ok ? "OK" : "E22");
}

/* ---- registers ---- */

static void read_registers(struct gdb *g)
{
	uint8_t buf[GDB_REG_BYTES];

	for (unsigned n = 0; n < g->regs.count; n++) {
		gdb_reg_read(g->selected, &g->regs.at[n], buf);
		gdb_put_hex(&g->link, buf, g->regs.at[n].bytes);
	}
	gdb_send(&g->link);
}

/* gdb writes all to change one; what is refused keeps its value. */
static void write_registers(struct gdb *g, const char *args)
{
	uint8_t buf[GDB_REG_BYTES];

	for (unsigned n = 0; n < g->regs.count; n++) {
		const struct gdb_reg *r = &g->regs.at[n];

		if (!gdb_unhex(args, buf, r->bytes))
			break;
		(void)gdb_reg_write(g->selected, r, buf);
		args += 2 * r->bytes;
	}
	gdb_answer(g, "OK");
}

static void read_register(struct gdb *g, const char *args)
{
	uint64_t n = strtoull(args, NULL, 16);
	uint8_t buf[GDB_REG_BYTES];

	if (n >= g->regs.count) {
		gdb_answer(g, "E22");
		return;
	}
	gdb_reg_read(g->selected, &g->regs.at[n], buf);
	gdb_put_hex(&g->link, buf, g->regs.at[n].bytes);
	gdb_send(&g->link);
}

static void write_register(struct gdb *g, const char *args)
{
	uint8_t buf[GDB_REG_BYTES];
	char *end;
	uint64_t n = strtoull(args, &end, 16);

	answer_ok(g, n < g->regs.count && *end == '=' &&
			     gdb_unhex(end + 1, buf, g->regs.at[n].bytes) &&
			     gdb_reg_write(g->selected, &g->regs.at[n], buf));
}

/* ---- memory ---- */

static bool to_physical(struct gdb *g, uint64_t a, uint64_t *gpa)
{
	*gpa = a;
	return g->physical || mem_debug_translate(g->selected, a, gpa);
}

/* Bytes moved, up to the first that is not there. */
static size_t move_memory(struct gdb *g, uint64_t a, uint8_t *buf, size_t len,
			  bool write)
{
	struct bus *b = machine_bus(g->machine);
	size_t done = 0;

	while (done < len) {
		size_t n = PAGE_SIZE - ((a + done) & ~PAGE_MASK);
		uint64_t gpa;
		int r;

		if (n > len - done)
			n = len - done;
		if (!to_physical(g, a + done, &gpa))
			break;
		r = write ? bus_write(b, gpa, buf + done, n)
			  : bus_read(b, gpa, buf + done, n);
		if (r)
			break;
		done += n;
	}
	return done;
}

/* "addr,len<after>"; *rest is what follows. */
static bool parse_range(const char *args, uint64_t *a, uint64_t *len,
			const char **rest)
{
	char *end;

	*a = strtoull(args, &end, 16);
	if (*end != ',')
		return false;
	*len = strtoull(end + 1, &end, 16);
	*rest = end;
	return true;
}

static void read_memory(struct gdb *g, const char *args)
{
	uint8_t buf[MEMORY_MAX];
	uint64_t a, len;
	const char *rest;
	size_t n;

	if (!parse_range(args, &a, &len, &rest)) {
		gdb_answer(g, "E22");
		return;
	}
	n = move_memory(g, a, buf, len < MEMORY_MAX ? len : MEMORY_MAX, false);
	if (n || !len)
		gdb_put_hex(&g->link, buf, n);
	else
		gdb_put(&g->link, "E14");
	gdb_send(&g->link);
}

static void write_memory_hex(struct gdb *g, const char *args)
{
	uint8_t buf[MEMORY_MAX];
	uint64_t a, len;
	const char *rest;

	gdb_answer(g, !parse_range(args, &a, &len, &rest) || *rest != ':' ||
			       len > MEMORY_MAX ||
			       !gdb_unhex(rest + 1, buf, len)
		       ? "E22"
		  : move_memory(g, a, buf, len, true) == len ? "OK"
							     : "E14");
}

/* X: the bytes themselves follow; `end` is where the packet ends. */
static void write_memory_binary(struct gdb *g, const char *args,
				const char *end)
{
	uint8_t buf[GDB_PACKET_MAX];
	uint64_t a, len;
	const char *rest;

	if (!parse_range(args, &a, &len, &rest) || *rest != ':' ||
	    len != (uint64_t)(end - rest - 1)) {
		gdb_answer(g, "E22");
		return;
	}
	memcpy(buf, rest + 1, len);
	gdb_answer(g, move_memory(g, a, buf, len, true) == len ? "OK" : "E14");
}

/* ---- breakpoints and watchpoints ---- */

void gdb_points_changed(struct gdb *g)
{
	for (unsigned n = 0; n < gdb_cpu_count(g); n++)
		debug_points_changed(gdb_cpu(g, n));
}

struct point_args {
	char type;
	struct debug_point point;
};

/* "type,addr,kind": kind is the length of a watchpoint. */
static bool parse_point(const char *args, struct point_args *p)
{
	static const enum debug_kind kinds[] = {
		DEBUG_EXEC, DEBUG_EXEC, DEBUG_WRITE, DEBUG_READ, DEBUG_ACCESS,
	};
	const char *rest;
	uint64_t len;

	p->type = *args;
	if (p->type < '0' || p->type > '4' || args[1] != ',' ||
	    !parse_range(args + 2, &p->point.at, &len, &rest))
		return false;
	p->point.kind = kinds[p->type - '0'];
	p->point.len = p->point.kind == DEBUG_EXEC ? 1 : (uint32_t)len;
	return p->point.len > 0;
}

static bool same_point(const struct gdb *g, unsigned n,
		       const struct point_args *p)
{
	const struct debug_point *q = &g->points.point[n];

	return q->kind == p->point.kind && q->at == p->point.at &&
	       q->len == p->point.len && g->hardware[n] == (p->type == '1');
}

static void insert_point(struct gdb *g, const char *args)
{
	struct point_args p;
	unsigned n = g->points.count;

	if (!parse_point(args, &p)) {
		gdb_answer(g, "");		/* a type we do not have */
		return;
	}
	if (n == DEBUG_POINTS_MAX) {
		gdb_answer(g, "E28");
		return;
	}
	g->points.point[n] = p.point;
	g->hardware[n] = p.type == '1';
	g->points.count++;
	gdb_points_changed(g);
	gdb_answer(g, "OK");
}

static void remove_point(struct gdb *g, const char *args)
{
	struct point_args p;
	unsigned last;

	if (!parse_point(args, &p)) {
		gdb_answer(g, "");
		return;
	}
	for (unsigned n = 0; n < g->points.count; n++) {
		if (!same_point(g, n, &p))
			continue;
		last = --g->points.count;
		g->points.point[n] = g->points.point[last];
		g->hardware[n] = g->hardware[last];
		gdb_points_changed(g);
		gdb_answer(g, "OK");
		return;
	}
	gdb_answer(g, "E22");
}

/* ---- threads ---- */

static void select_thread(struct gdb *g, const char *args)
{
	struct cpu *c = *args ? cpu_of(g, gdb_parse_thread(args + 1)) : NULL;

	if (!c) {
		gdb_answer(g, "E22");
		return;
	}
	if (*args == 'g')
		g->selected = c;
	gdb_answer(g, "OK");
}

static void thread_is_alive(struct gdb *g, const char *args)
{
	int64_t id = gdb_parse_thread(args);

	answer_ok(g, id > 0 && cpu_of(g, id));
}

static void thread_list(struct gdb *g, const char *args)
{
	for (unsigned n = 0; n < gdb_cpu_count(g); n++)
		gdb_put(&g->link, "%c%x", n ? ',' : 'm', n + 1);
	gdb_send(&g->link);
}

static void thread_list_end(struct gdb *g, const char *args)
{
	gdb_answer(g, "l");
}

static void thread_info(struct gdb *g, const char *args)
{
	struct cpu *c = cpu_of(g, gdb_parse_thread(args));
	char text[48];
	int n;

	if (!c) {
		gdb_answer(g, "E22");
		return;
	}
	n = snprintf(text, sizeof(text), "CPU#%u [%s]", c->index,
		     c->wait_sipi ? "waiting for start-up"
		     : c->halted  ? "halted "
				  : "running");
	gdb_put_hex(&g->link, text, (size_t)n);
	gdb_send(&g->link);
}

static void current_thread(struct gdb *g, const char *args)
{
	gdb_put(&g->link, "QC%x", gdb_thread_of(g->selected));
	gdb_send(&g->link);
}

/* ---- q and Q packets ---- */

static void supported(struct gdb *g, const char *args)
{
	g->swbreak = strstr(args, "swbreak+") != NULL;
	g->hwbreak = strstr(args, "hwbreak+") != NULL;
	gdb_put(&g->link,
		"PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;"
		"vContSupported+%s%s",
		GDB_PACKET_MAX - 8, g->swbreak ? ";swbreak+" : "",
		g->hwbreak ? ";hwbreak+" : "");
	gdb_send(&g->link);
}

static void no_ack_mode(struct gdb *g, const char *args)
{
	gdb_answer(g, "OK");
	g->link.no_ack = true;
}

/* "target.xml:offset,length" */
static void read_features(struct gdb *g, const char *args)
{
	size_t size = strlen(g->regs.xml);
	uint64_t off, len;
	const char *rest;

	if (strncmp(args, "target.xml:", 11) ||
	    !parse_range(args + 11, &off, &len, &rest)) {
		gdb_answer(g, "E00");
		return;
	}
	if (off > size)
		off = size;
	if (len > MEMORY_MAX)
		len = MEMORY_MAX;
	if (len > size - off)
		len = size - off;
	gdb_put(&g->link, "%c", off + len < size ? 'm' : 'l');
	gdb_put_binary(&g->link, g->regs.xml + off, len);
	gdb_send(&g->link);
}

static void attached(struct gdb *g, const char *args)
{
	gdb_answer(g, "1");
}

static void monitor_command(struct gdb *g, const char *args)
{
	uint8_t line[256];
	size_t len = strlen(args) / 2;

	if (len >= sizeof(line) || !gdb_unhex(args, line, len)) {
		gdb_answer(g, "E22");
		return;
	}
	line[len] = 0;
	gdb_monitor(g, (const char *)line);
	gdb_answer(g, "OK");
}

static void tell_physical(struct gdb *g, const char *args)
{
	gdb_answer(g, g->physical ? "1" : "0");
}

static void set_physical(struct gdb *g, const char *args)
{
	g->physical = *args == '1';
	gdb_answer(g, "OK");
}

/* ---- dispatch ---- */

static const struct command {
	const char *name;
	void (*run)(struct gdb *g, const char *args);
} commands[] = {
	{ "qSupported", supported },
	{ "qXfer:features:read:", read_features },
	{ "qfThreadInfo", thread_list },
	{ "qsThreadInfo", thread_list_end },
	{ "qThreadExtraInfo,", thread_info },
	{ "qAttached", attached },
	{ "qRcmd,", monitor_command },
	{ "qqemu.PhyMemMode", tell_physical },
	{ "Qqemu.PhyMemMode:", set_physical },
	{ "QStartNoAckMode", no_ack_mode },
	{ "qC", current_thread },
};

static void named_command(struct gdb *g, const char *packet)
{
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		size_t len = strlen(commands[i].name);

		if (!strncmp(packet, commands[i].name, len)) {
			commands[i].run(g, packet + len);
			return;
		}
	}
	gdb_answer(g, "");
}

void gdb_command(struct gdb *g, const char *packet, size_t len)
{
	const char *args = packet + 1;

	switch (*packet) {
	case 'g':	read_registers(g); break;
	case 'G':	write_registers(g, args); break;
	case 'p':	read_register(g, args); break;
	case 'P':	write_register(g, args); break;
	case 'm':	read_memory(g, args); break;
	case 'M':	write_memory_hex(g, args); break;
	case 'X':	write_memory_binary(g, args, packet + len); break;
	case 'Z':	insert_point(g, args); break;
	case 'z':	remove_point(g, args); break;
	case 'H':	select_thread(g, args); break;
	case 'T':	thread_is_alive(g, args); break;
	case 'q': case 'Q':
		named_command(g, packet);
		break;
	default:	gdb_answer(g, ""); break;
	}
}
