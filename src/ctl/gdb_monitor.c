/* ctl/gdb_monitor.c - what gdb's `monitor` command can ask for.
 *
 * One row per command; more will come with the monitor, whose table this then
 * becomes part of.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/jit/info.h"
#include "cpu/vcpu.h"
#include "ctl/gdb_inside.h"
#include "machine/machine.h"

#define SAY_MAX 512		/* bytes of one packet's text, with NUL */

static void say(struct gdb *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* One O packet, which gdb prints. */
static void say(struct gdb *g, const char *fmt, ...)
{
	char text[SAY_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	gdb_put(&g->link, "O");
	gdb_put_hex(&g->link, text,
		    (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	gdb_send(&g->link);
}

static void say_segment(struct gdb *g, const char *name,
			const struct segment *s)
{
	say(g, "%-4s=%04x %016llx %08x %05x\n", name, s->selector,
	    (unsigned long long)s->base, s->limit, s->attr);
}

static void say_table(struct gdb *g, const char *name,
		      const struct table_register *t)
{
	say(g, "%-4s=     %016llx %08x\n", name, (unsigned long long)t->base,
	    t->limit);
}

static void say_segments(struct gdb *g, struct cpu *c)
{
	static const char *const names[SREG_COUNT] = { "ES", "CS", "SS",
						       "DS", "FS", "GS" };

	for (unsigned s = 0; s < SREG_COUNT; s++)
		say_segment(g, names[s], &c->seg[s]);
	say_segment(g, "LDT", &c->ldtr);
	say_segment(g, "TR", &c->tr);
	say_table(g, "GDT", &c->gdtr);
	say_table(g, "IDT", &c->idtr);
}

static void info_registers(struct gdb *g)
{
	static const char *const names[16] = {
		"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
		"R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15",
	};
	struct cpu *c = g->selected;

	say(g, "CPU#%u\n", c->index);
	for (unsigned n = 0; n < 16; n++)
		say(g, "%s=%016llx%s", names[n],
		    (unsigned long long)c->gpr[n], n % 4 == 3 ? "\n" : " ");
	say(g, "RIP=%016llx RFL=%08x CPL=%u HLT=%d\n",
	    (unsigned long long)c->rip, flags_get(c), c->cpl, c->halted);
	say_segments(g, c);
	say(g, "CR0=%08llx CR2=%016llx CR3=%016llx CR4=%08llx EFER=%llx\n",
	    (unsigned long long)c->cr0, (unsigned long long)c->cr2,
	    (unsigned long long)c->cr3, (unsigned long long)c->cr4,
	    (unsigned long long)c->efer);
	say(g, "DR6=%llx DR7=%llx\n", (unsigned long long)c->dr6,
	    (unsigned long long)c->dr7);
}

static void info_cpus(struct gdb *g)
{
	struct vcpus *v = machine_vcpus(g->machine);

	for (unsigned n = 0; n < vcpus_count(v); n++) {
		struct cpu *c = vcpus_get(v, n);

		say(g, "%c CPU #%u: thread %u%s\n",
		    c == g->selected ? '*' : ' ', n, n + 1,
		    c->halted ? " (halted)" : "");
	}
}

/* Whole lines at a time, as many as a packet takes. */
static void say_text(struct gdb *g, const char *text)
{
	while (*text) {
		const char *end = text, *next;

		while ((next = strchr(end, '\n')) &&
		       next + 1 - text < SAY_MAX)
			end = next + 1;
		if (end == text)
			end = text + strnlen(text, SAY_MAX - 1);
		say(g, "%.*s", (int)(end - text), text);
		text = end;
	}
}

static void info_jit(struct gdb *g)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	jit_info(machine_vcpus(g->machine), out);
	if (!fclose(out))
		say_text(g, text);
	free(text);
}

static void quit(struct gdb *g)
{
	machine_quit(g->machine, 0);
}

static void system_reset(struct gdb *g)
{
	struct err e;

	if (machine_reset(g->machine, &e) < 0)
		say(g, "%s\n", e.text);
}

static void system_powerdown(struct gdb *g)
{
	machine_power_button(g->machine);
}

static void help(struct gdb *g);

static const struct command {
	const char *name, *help;
	void (*run)(struct gdb *g);
} commands[] = {
	{ "help", "these lines", help },
	{ "info cpus", "the processors and what they do", info_cpus },
	{ "info jit", "what the translator has done so far", info_jit },
	{ "info registers", "registers of the selected thread's processor",
	  info_registers },
	{ "quit", "end the machine", quit },
	{ "system_powerdown", "press the power button", system_powerdown },
	{ "system_reset", "reset the machine", system_reset },
};

static void help(struct gdb *g)
{
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		say(g, "%-18s %s\n", commands[i].name, commands[i].help);
}

void gdb_monitor(struct gdb *g, const char *line)
{
	if (!*line || !strcmp(line, "?"))
		line = "help";
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		if (!strcmp(line, commands[i].name)) {
			commands[i].run(g);
			return;
		}
	}
	say(g, "unknown command: '%s'\n", line);
}
