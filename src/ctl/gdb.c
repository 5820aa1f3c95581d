/* ctl/gdb.c - the gdb stub: gdb steers the machine over a character stream.
 *
 * vCPU n is thread n + 1.  All of them run or none does: gdb's wish to leave
 * some stopped while one steps is not met.  A machine that gdb connects to is
 * paused, and goes on when gdb says so; a machine whose gdb goes away without
 * detaching stays as it is, without breakpoints.
 *
 *   paused --c, s, vCont--> running --breakpoint, step, 03h--> paused
 *
 * Bytes arrive with the bus lock held inside a back end's callback; they are
 * kept, and packets are seen to in a callback of their own (look), because
 * pausing gives the lock up for a moment.
 *
 * Limits: DEBUG_POINTS_MAX points; no signals but the interrupt's.
 * Source: Debugging with GDB, appendix E "Remote Protocol".
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "char/chardev.h"
#include "ctl/gdb_inside.h"
#include "host/loop.h"
#include "machine/machine.h"

#define SIGNAL_INT	2
#define SIGNAL_TRAP	5

static gva_t pc_of(const struct cpu *c)
{
	return c->mode == CODE64 ? c->rip
				 : (uint32_t)(c->rip + c->seg[CS].base);
}

/* ---- stopping and going on ---- */

static const char *watch_name(const struct gdb *g, gva_t at)
{
	for (unsigned n = 0; n < g->points.count; n++) {
		const struct debug_point *p = &g->points.point[n];

		if (p->at == at && p->kind == DEBUG_READ)
			return "rwatch";
		if (p->at == at && p->kind == DEBUG_ACCESS)
			return "awatch";
	}
	return "watch";
}

static void put_reason(struct gdb *g, struct cpu *c)
{
	gva_t pc = pc_of(c);

	if (c->gdb_hit) {
		gdb_put(&g->link, "%s:%" PRIx64 ";",
			watch_name(g, c->gdb_hit_at), c->gdb_hit_at);
		return;
	}
	if (c->step & STEP_GDB)
		return;
	for (unsigned n = 0; n < g->points.count; n++) {
		const struct debug_point *p = &g->points.point[n];
		bool told = g->hardware[n] ? g->hwbreak : g->swbreak;

		if (p->kind == DEBUG_EXEC && p->at == pc && told) {
			gdb_put(&g->link, "%s:;",
				g->hardware[n] ? "hwbreak" : "swbreak");
			return;
		}
	}
}

static void report_stop(struct gdb *g, struct cpu *c, unsigned signal)
{
	gdb_put(&g->link, "T%02xthread:%x;", signal, gdb_thread_of(c));
	if (signal == SIGNAL_TRAP)
		put_reason(g, c);
	gdb_send(&g->link);
}

static void stop_stepping(struct gdb *g)
{
	for (unsigned n = 0; n < gdb_cpu_count(g); n++) {
		gdb_cpu(g, n)->step &= (uint8_t)~STEP_GDB;
		gdb_cpu(g, n)->gdb_hit = false;
	}
}

/* The machine has paused because of us; runs on the loop thread. */
static void stopped(void *ctx, struct cpu *c)
{
	struct gdb *g = ctx;

	if (!g->connected) {
		stop_stepping(g);
		machine_resume(g->machine);
		return;
	}
	if (g->running) {
		g->running = false;
		g->selected = c;
		report_stop(g, c, SIGNAL_TRAP);
	}
	stop_stepping(g);
}

static void interrupt(struct gdb *g)
{
	machine_pause(g->machine);
	if (!g->running)
		return;
	g->running = false;
	stop_stepping(g);
	report_stop(g, g->selected, SIGNAL_INT);
}

static void go_on(struct gdb *g)
{
	g->running = true;
	machine_resume(g->machine);
}

static void drop_points(struct gdb *g)
{
	g->points.count = 0;
	gdb_points_changed(g);
}

/* ---- c, s, C, S, vCont ---- */

/* "c", "c<addr>", "C<sig>", "C<sig>;<addr>"; signals mean nothing here. */
static void resume_command(struct gdb *g, const char *args, bool step,
			   bool has_signal)
{
	const char *at = args;

	if (has_signal) {
		at = strchr(args, ';');
		at = at ? at + 1 : "";
	}
	if (*at)
		g->selected->rip = strtoull(at, NULL, 16);
	if (step)
		g->selected->step |= STEP_GDB;
	go_on(g);
}

/* "vCont;action[:thread]...": the first action for a thread counts. */
static void cont_actions(struct gdb *g, const char *args)
{
	bool decided[256] = { false };

	for (const char *p = args; *p == ';'; p += strcspn(p, ";")) {
		bool step = p[1] == 's' || p[1] == 'S';
		const char *colon;
		int64_t id;

		p++;
		colon = memchr(p, ':', strcspn(p, ";"));
		id = colon ? gdb_parse_thread(colon + 1) : -1;
		for (unsigned n = 0; n < gdb_cpu_count(g); n++) {
			struct cpu *c = gdb_cpu(g, n);

			if (id > 0 && id != gdb_thread_of(c))
				continue;
			if (!decided[n % 256] && step)
				c->step |= STEP_GDB;
			decided[n % 256] = true;
		}
	}
	go_on(g);
}

static void v_cont(struct gdb *g, const char *args)
{
	if (*args == '?')
		gdb_answer(g, "vCont;c;C;s;S");
	else
		cont_actions(g, args);
}

/* ---- leaving ---- */

static void detach(struct gdb *g)
{
	drop_points(g);
	gdb_answer(g, "OK");
	machine_resume(g->machine);
}

static void kill_machine(struct gdb *g)
{
	gdb_answer(g, "OK");
	machine_quit(g->machine, 0);
}

/* ---- dispatch ---- */

static void packet_command(struct gdb *g, const char *packet, size_t len)
{
	const char *args = packet + 1;

	switch (*packet) {
	case '?':	report_stop(g, g->selected, SIGNAL_TRAP); return;
	case 'c':	resume_command(g, args, false, false); return;
	case 'C':	resume_command(g, args, false, true); return;
	case 's':	resume_command(g, args, true, false); return;
	case 'S':	resume_command(g, args, true, true); return;
	case 'D':	detach(g); return;
	case 'k':	machine_quit(g->machine, 0); return;
	default:	break;
	}
	if (!strncmp(packet, "vCont", 5))
		v_cont(g, packet + 5);
	else if (!strncmp(packet, "vKill", 5))
		kill_machine(g);
	else
		gdb_command(g, packet, len);
}

/* On the loop thread: packets that have come. */
static void look(void *ctx)
{
	struct gdb *g = ctx;
	char packet[GDB_PACKET_MAX + 1];
	enum gdb_input got;
	size_t len;

	g->posted = false;
	while ((got = gdb_link_next(&g->link, packet, &len)) != GDB_NOTHING) {
		if (got == GDB_INTERRUPT)
			interrupt(g);
		else if (!g->running)
			packet_command(g, packet, len);
	}
	stream_ready(g->link.stream);
}

/* ---- the stream's guest end ---- */

static size_t gdb_room(void *dev)
{
	struct gdb *g = dev;

	return sizeof(g->link.in) - g->link.in_len;
}

static void gdb_input(void *dev, const uint8_t *buf, size_t len)
{
	struct gdb *g = dev;

	memcpy(g->link.in + g->link.in_len, buf, len);
	g->link.in_len += len;
	if (g->posted)
		return;
	g->posted = true;
	loop_post(machine_loop(g->machine), look, g);
}

static void arrive(void *ctx)
{
	struct gdb *g = ctx;

	machine_pause(g->machine);
	stop_stepping(g);
	g->running = false;
	g->selected = gdb_cpu(g, 0);
	g->physical = g->swbreak = g->hwbreak = false;
}

static void leave(void *ctx)
{
	struct gdb *g = ctx;
	bool was_running = machine_running(g->machine);

	machine_pause(g->machine);
	stop_stepping(g);
	drop_points(g);
	if (was_running)
		machine_resume(g->machine);
}

static void gdb_event(void *dev, enum stream_event ev)
{
	struct gdb *g = dev;

	if (ev == STREAM_BREAK)
		return;
	g->connected = ev == STREAM_OPENED;
	g->link.no_ack = false;
	g->link.in_len = g->link.out_len = 0;
	loop_post(machine_loop(g->machine), g->connected ? arrive : leave, g);
}

static const struct stream_guest guest_end = {
	.room = gdb_room, .input = gdb_input, .event = gdb_event,
};

/* ---- opening ---- */

static struct stream *open_stream(struct machine *m, const char *spec,
				  struct err *e)
{
	bool plain = !strncmp(spec, "tcp:", 4) && !strchr(spec, ',');
	char *full = plain ? xasprintf("%s,server=on,wait=off,nodelay=on",
				       spec)
			   : xstrdup(spec);
	struct stream *s;
	int r = chardev_open(machine_chardevs(m), full, "gdb", &s, e);

	free(full);
	if (r)
		err_prefix(e, "gdb");
	return r ? NULL : s;
}

struct gdb *gdb_open(struct machine *m, const char *spec, struct err *e)
{
	struct stream *s = open_stream(m, spec, e);
	struct gdb *g;

	if (!s)
		return NULL;
	g = xcalloc(1, sizeof(*g));
	g->machine = m;
	g->link.stream = s;
	g->selected = gdb_cpu(g, 0);
	gdb_regs_init(&g->regs, g->selected);
	for (unsigned n = 0; n < gdb_cpu_count(g); n++)
		gdb_cpu(g, n)->debug = &g->points;
	machine_set_debug_handler(m, stopped, g);
	if (!stream_attach(s, &guest_end, g)) {
		(void)fail(e, EBUSY, "gdb: '%s' is taken by a device", spec);
		gdb_free(g);
		return NULL;
	}
	return g;
}

void gdb_free(struct gdb *g)
{
	if (!g)
		return;
	machine_set_debug_handler(g->machine, NULL, NULL);
	stop_stepping(g);
	for (unsigned n = 0; n < gdb_cpu_count(g); n++)
		gdb_cpu(g, n)->debug = NULL;
	if (g->link.stream->dev == g) {
		g->link.stream->guest = NULL;
		g->link.stream->dev = NULL;
	}
	free(g);
}
