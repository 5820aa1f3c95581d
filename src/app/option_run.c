/* app/option_run.c - options about back ends, devices and the run itself.
 *
 * Some parts of QEMU's machine have no counterpart here yet (screen, network,
 * monitor, parallel port).  The value that asks for none of them is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "app/options.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "base/optstr.h"
#include "base/trace.h"
#include "char/chardev.h"
#include "machine/machine.h"

/* ---- what is not there ---- */

static int only_none(const char *arg, struct err *e)
{
	if (!strcmp(arg, "none"))
		return 0;
	return fail(e, ENOTSUP, "not in this version, only none is");
}

int set_nographic(struct options *o, const char *arg, struct err *e)
{
	o->nographic = true;
	o->display_chosen = true;
	return 0;
}

int set_display(struct options *o, const char *arg, struct err *e)
{
	if (!strcmp(arg, "help")) {
		fprintf(o->out, "Available display backend types:\nnone\n");
		o->done = true;
		return 0;
	}
	o->display_chosen = true;
	return only_none(arg, e);
}

int set_vga(struct options *o, const char *arg, struct err *e)
{
	return only_none(arg, e);
}

int set_net(struct options *o, const char *arg, struct err *e)
{
	return only_none(arg, e);
}

int set_nic(struct options *o, const char *arg, struct err *e)
{
	return only_none(arg, e);
}

static int none_or_null(const char *arg, struct err *e)
{
	return strcmp(arg, "null") ? only_none(arg, e) : 0;
}

int set_parallel(struct options *o, const char *arg, struct err *e)
{
	return none_or_null(arg, e);
}

int set_monitor(struct options *o, const char *arg, struct err *e)
{
	return none_or_null(arg, e);
}

int set_keyboard(struct options *o, const char *arg, struct err *e)
{
	return 0;
}

int set_sandbox(struct options *o, const char *arg, struct err *e)
{
	if (!strcmp(arg, "off"))
		return 0;
	return fail(e, ENOTSUP, "not in this version, only off is");
}

int set_no_user_config(struct options *o, const char *arg, struct err *e)
{
	return 0;
}

int set_nodefaults(struct options *o, const char *arg, struct err *e)
{
	o->nodefaults = true;
	return 0;
}

/* ---- back ends and devices ---- */

int set_serial(struct options *o, const char *arg, struct err *e)
{
	struct machine_config *m = &o->machine;

	if (m->serial_count == MACHINE_MAX_SERIALS)
		return fail(e, ERANGE, "there are only %u serial ports",
			    MACHINE_MAX_SERIALS);
	m->serials[m->serial_count++] = arg;
	return 0;
}

int set_chardev(struct options *o, const char *arg, struct err *e)
{
	if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
		chardev_print_help(o->out);
		o->done = true;
		return 0;
	}
	text_list_add(&o->machine.chardevs, arg);
	return 0;
}

int set_device(struct options *o, const char *arg, struct err *e)
{
	struct optstr *s;
	const char *driver;
	int r;

	if (arg[0] == '{')
		return fail(e, ENOTSUP, "JSON: not in this version");
	r = optstr_parse(&s, arg, "driver", e);
	if (r)
		return r;
	r = optstr_need(s, "driver", &driver, e);
	if (!r && optstr_wants_help(s)) {
		r = machine_device_help(driver, o->out, e);
		o->done = true;
	}
	optstr_free(s);
	if (!r)
		text_list_add(&o->machine.devices, arg);
	return r;
}

/* driver=d,property=p,value=v is the long way to say d.p=v. */
static int long_global(struct options *o, const char *arg, struct err *e)
{
	const char *driver, *property, *value;
	struct optstr *s;
	int r = optstr_parse(&s, arg, NULL, e);

	if (r)
		return r;
	r = optstr_need(s, "driver", &driver, e);
	if (!r)
		r = optstr_need(s, "property", &property, e);
	if (!r)
		r = optstr_need(s, "value", &value, e);
	if (!r)
		r = optstr_finish(s, e);
	if (!r)
		text_list_add(&o->machine.globals,
			      options_own(o, xasprintf("%s.%s=%s", driver,
						       property, value)));
	optstr_free(s);
	return r;
}

int set_global(struct options *o, const char *arg, struct err *e)
{
	const char *dot = strchr(arg, '.'), *equals = strchr(arg, '=');

	if (!strncmp(arg, "driver=", 7))
		return long_global(o, arg, e);
	if (!dot || !equals || dot == arg || equals < dot + 2)
		return fail(e, EINVAL, "not driver.property=value");
	text_list_add(&o->machine.globals, arg);
	return 0;
}

int set_debugcon(struct options *o, const char *arg, struct err *e)
{
	o->machine.debugcon = arg;
	return 0;
}

int set_echr(struct options *o, const char *arg, struct err *e)
{
	uint64_t v;
	int r = parse_u64("code", arg, 0, 255, &v, e);

	if (!r)
		o->machine.escape = (int)v;
	return r;
}

/* ---- the run ---- */

int set_name(struct options *o, const char *arg, struct err *e)
{
	struct machine_config *m = &o->machine;
	const char *guest, *process;
	struct optstr *s;
	int r = optstr_parse(&s, arg, "guest", e);

	if (r)
		return r;
	guest = optstr_get(s, "guest");
	process = optstr_get(s, "process");
	r = optstr_bool(s, "debug-threads", &m->thread_names, e);
	if (!r)
		r = optstr_finish(s, e);
	if (!r && guest)
		m->name = options_own(o, xstrdup(guest));
	if (!r && process)
		o->process = options_own(o, xstrdup(process));
	optstr_free(s);
	return r;
}

/* Which of `words` key= says; *out stays without it. */
static int one_of(struct optstr *s, const char *key,
		  const char *const words[], unsigned *out, struct err *e)
{
	const char *v = optstr_get(s, key);

	for (unsigned i = 0; v && words[i]; i++) {
		if (!strcmp(words[i], v)) {
			*out = i;
			return 0;
		}
	}
	return v ? fail(e, EINVAL, "%s: '%s' is unknown", key, v) : 0;
}

int set_action(struct options *o, const char *arg, struct err *e)
{
	static const char *const reboots[] = { "reset", "shutdown", NULL };
	static const char *const shutdowns[] = { "poweroff", "pause", NULL };
	static const char *const panics[] = {	/* enum panic_action */
		"shutdown", "pause", "exit-failure", "none", NULL,
	};
	struct machine_config *m = &o->machine;
	unsigned reboot = m->no_reboot, off = m->no_shutdown, panic = m->panic;
	struct optstr *s;
	int r = optstr_parse(&s, arg, NULL, e);

	if (r)
		return r;
	r = one_of(s, "reboot", reboots, &reboot, e);
	if (!r)
		r = one_of(s, "shutdown", shutdowns, &off, e);
	if (!r)
		r = one_of(s, "panic", panics, &panic, e);
	if (!r && optstr_unused(s))
		r = fail(e, ENOTSUP, "%s: not in this version, or unknown",
			 optstr_unused(s));
	optstr_free(s);
	if (r)
		return r;
	m->no_reboot = reboot;
	m->no_shutdown = off;
	m->panic = (enum panic_action)panic;
	return 0;
}

int set_no_reboot(struct options *o, const char *arg, struct err *e)
{
	o->machine.no_reboot = true;
	return 0;
}

int set_no_shutdown(struct options *o, const char *arg, struct err *e)
{
	o->machine.no_shutdown = true;
	return 0;
}

int set_paused(struct options *o, const char *arg, struct err *e)
{
	o->machine.start_paused = true;
	return 0;
}

int set_gdb(struct options *o, const char *arg, struct err *e)
{
	o->machine.gdb = strcmp(arg, "none") ? arg : NULL;
	return 0;
}

int set_gdb_default(struct options *o, const char *arg, struct err *e)
{
	o->machine.gdb = "tcp::1234";
	return 0;
}

int set_pidfile(struct options *o, const char *arg, struct err *e)
{
	o->pidfile = arg;
	return 0;
}

int set_daemonize(struct options *o, const char *arg, struct err *e)
{
	o->machine.daemonize = true;
	return 0;
}

/* ---- logging ---- */

static void print_log_items(FILE *to)
{
	const char *name, *help;

	fprintf(to, "Log items (comma separated):\n");
	for (unsigned n = 0; log_category_row(n, &name, &help); n++)
		fprintf(to, "%-15s %s\n", name, help);
	fprintf(to, "%-15s %s\n", "trace:PATTERN", "trace events");
}

int set_log_items(struct options *o, const char *arg, struct err *e)
{
	if (!strcmp(arg, "help") || !strcmp(arg, "?"))
		print_log_items(o->out);
	else if (!strcmp(arg, "trace:help"))
		trace_print(o->out);
	else
		return log_set_categories(arg, e);
	o->done = true;
	return 0;
}

int set_log_file(struct options *o, const char *arg, struct err *e)
{
	return log_set_file(arg, e);
}

int set_trace(struct options *o, const char *arg, struct err *e)
{
	const char *pattern, *events, *file;
	struct optstr *s;
	int r = optstr_parse(&s, arg, "enable", e);

	if (r)
		return r;
	pattern = optstr_get(s, "enable");
	events = optstr_get(s, "events");
	file = optstr_get(s, "file");
	if (optstr_wants_help(s)) {
		trace_print(o->out);
		o->done = true;
		goto out;
	}
	if (pattern)
		r = trace_enable(pattern, e);
	if (!r && events)
		r = trace_enable_file(events, e);
	if (!r && file)
		r = log_set_file(file, e);
	if (!r)
		r = optstr_finish(s, e);
out:
	optstr_free(s);
	return r;
}

int set_perfmap(struct options *o, const char *arg, struct err *e)
{
	o->perfmap = true;
	return 0;
}

int set_msg(struct options *o, const char *arg, struct err *e)
{
	bool timestamp = false, name = false;
	struct optstr *s;
	int r = optstr_parse(&s, arg, NULL, e);

	if (r)
		return r;
	r = optstr_bool(s, "timestamp", &timestamp, e);
	if (!r)
		r = optstr_bool(s, "guest-name", &name, e);
	if (!r && name)
		r = fail(e, ENOTSUP, "guest-name: not in this version");
	if (!r)
		r = optstr_finish(s, e);
	optstr_free(s);
	if (!r)
		log_set_timestamps(timestamp);
	return r;
}
