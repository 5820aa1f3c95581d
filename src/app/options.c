/* app/options.c - the table of options, and the walk along a command line.
 *
 * Source: the names and arguments of qemu-system-x86_64(1), version 7.2.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/options.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"

#define PRESET_RAM (128 * MiB)

struct option {
	const char *name;
	bool has_arg;
	option_fn *set;		/* NULL: not in this version */
	const char *arg, *help;	/* for -help; help NULL: not listed */
};

#define ABSENT(name)	      { name, false, NULL, NULL, NULL }
#define ABSENT_WITH_ARG(name) { name, true, NULL, NULL, NULL }

static option_fn print_help, print_version;

static const struct option options[] = {
	{ "h", false, print_help, NULL, NULL },
	{ "help", false, print_help, NULL, "print this and exit" },
	{ "version", false, print_version, NULL,
	  "print the version and exit" },

	{ "machine", true, set_machine, "[type=]pc[,acpi=on|off][,hpet=on|off]"
	  "[,accel=name[:name...]]", "the board; 'help' lists them" },
	{ "M", true, set_machine, NULL, NULL },
	{ "accel", true, set_accel, "jit|interp[,tb-size=n][,check=n]"
	  "[,flags=exact][,one-insn-per-tb=on]",
	  "the CPU engine, preset jit, which is also called tcg; given again: "
	  "the next if this one is not here" },
	{ "cpu", true, set_cpu, "model[,+feature][,-feature]",
	  "the processor; 'help' lists them" },
	{ "smp", true, set_smp, "[cpus=]n[,maxcpus=n][,sockets=n][,cores=n]"
	  "[,threads=n]", "processors, 1 to 16" },
	{ "m", true, set_memory, "[size=]megabytes",
	  "RAM, or a size with K, M, G or T; preset 128M" },
	{ "name", true, set_name, "guest[,process=name][,debug-threads=on]",
	  "what the guest is called" },
	{ "uuid", true, set_uuid, "uuid", "the machine's UUID (SMBIOS)" },
	{ "rtc", true, set_rtc, "[base=utc|localtime|date][,clock=host]",
	  "what the real-time clock starts with" },
	{ "no-acpi", false, set_no_acpi, NULL, "no ACPI tables" },
	{ "no-hpet", false, set_no_hpet, NULL, "no HPET" },
	{ "smbios", true, set_smbios, "type=n[,field=value...]",
	  "SMBIOS fields" },

	{ "kernel", true, set_kernel, "file",
	  "Linux (bzImage), PVH or multiboot kernel" },
	{ "initrd", true, set_initrd, "file",
	  "its initial RAM disk, or multiboot modules 'file args,file2'" },
	{ "append", true, set_append, "text", "its command line" },
	{ "bios", true, set_bios, "file", "firmware instead of the preset" },
	{ "L", true, set_firmware_dir, "dir", "where firmware is found" },
	{ "boot", true, set_boot, "[order=]drives[,once=drives]",
	  "what firmware boots from" },

	{ "serial", true, set_serial, "backend",
	  "the next serial port: none, null, stdio, mon:stdio, file:PATH, "
	  "pipe:PATH, pty, unix:PATH[,server,nowait], tcp:HOST:PORT[,server,"
	  "nowait], chardev:ID" },
	{ "chardev", true, set_chardev, "backend,id=id[,option...]",
	  "a back end by name; 'help' lists them" },
	{ "device", true, set_device, "driver[,property=value...]",
	  "add a device; 'help' and 'driver,help' list" },
	{ "global", true, set_global, "driver.property=value",
	  "another preset for a device's property" },
	{ "debugcon", true, set_debugcon, "backend",
	  "a debug console at port E9h" },
	{ "echr", true, set_echr, "code", "another key than Ctrl-A" },
	{ "nographic", false, set_nographic, NULL,
	  "no screen; the first serial port on this terminal" },
	{ "display", true, set_display, "none", "no screen" },
	{ "vga", true, set_vga, "none", "no graphics card" },
	{ "net", true, set_net, "none", "no network card" },
	{ "nic", true, set_nic, "none", "no network card" },
	{ "parallel", true, set_parallel, "none", "no parallel port" },
	{ "monitor", true, set_monitor, "none", "no monitor" },
	{ "nodefaults", false, set_nodefaults, NULL,
	  "only the devices that are asked for" },
	{ "no-user-config", false, set_no_user_config, NULL,
	  "nothing: there are no such files" },
	{ "k", true, set_keyboard, "language",
	  "nothing: there is no screen to type at" },

	{ "S", false, set_paused, NULL, "start paused, for gdb to go on" },
	{ "s", false, set_gdb_default, NULL, "as -gdb tcp::1234" },
	{ "gdb", true, set_gdb, "backend", "wait for gdb, as -serial names "
	  "it" },
	{ "no-reboot", false, set_no_reboot, NULL, "exit when it reboots" },
	{ "no-shutdown", false, set_no_shutdown, NULL,
	  "pause when it powers off" },
	{ "action", true, set_action, "reboot=reset|shutdown,shutdown=poweroff"
	  "|pause,panic=pause|shutdown|exit-failure|none",
	  "what to do then" },
	{ "pidfile", true, set_pidfile, "file", "write our process id there" },
	{ "daemonize", false, set_daemonize, NULL,
	  "go to the background once set up" },
	{ "d", true, set_log_items, "item,...", "log these; 'help' lists "
	  "them" },
	{ "D", true, set_log_file, "file", "log there, not to stderr" },
	{ "trace", true, set_trace, "[enable=]pattern[,file=file]",
	  "log these events; 'help' lists them" },
	{ "msg", true, set_msg, "timestamp=on|off",
	  "the time in front of messages" },
	{ "perfmap", false, set_perfmap, NULL,
	  "names of translated code for perf, in /tmp/perf-PID.map" },
	{ "sandbox", true, set_sandbox, "off", "no system call filter" },

	/* QEMU has these and this version does not. */
	ABSENT_WITH_ARG("acpitable"), ABSENT_WITH_ARG("add-fd"),
	ABSENT("async-teardown"), ABSENT_WITH_ARG("audio"),
	ABSENT("audio-help"), ABSENT_WITH_ARG("audiodev"),
	ABSENT_WITH_ARG("blockdev"), ABSENT_WITH_ARG("cdrom"),
	ABSENT_WITH_ARG("chroot"), ABSENT_WITH_ARG("compat"),
	ABSENT_WITH_ARG("dfilter"), ABSENT_WITH_ARG("drive"),
	ABSENT_WITH_ARG("dtb"), ABSENT_WITH_ARG("dump-vmstate"),
	ABSENT("enable-kvm"), ABSENT("enable-sync-profile"),
	ABSENT_WITH_ARG("fda"), ABSENT_WITH_ARG("fdb"),
	ABSENT_WITH_ARG("fsdev"), ABSENT("full-screen"),
	ABSENT_WITH_ARG("fw_cfg"), ABSENT_WITH_ARG("g"),
	ABSENT_WITH_ARG("hda"), ABSENT_WITH_ARG("hdb"), ABSENT_WITH_ARG("hdc"),
	ABSENT_WITH_ARG("hdd"), ABSENT_WITH_ARG("icount"),
	ABSENT_WITH_ARG("incoming"), ABSENT_WITH_ARG("iscsi"),
	ABSENT_WITH_ARG("loadvm"), ABSENT_WITH_ARG("mem-path"),
	ABSENT("mem-prealloc"), ABSENT_WITH_ARG("mon"),
	ABSENT_WITH_ARG("mtdblock"), ABSENT_WITH_ARG("netdev"),
	ABSENT("no-fd-bootchk"), ABSENT_WITH_ARG("numa"),
	ABSENT_WITH_ARG("object"), ABSENT("old-param"),
	ABSENT("only-migratable"), ABSENT_WITH_ARG("option-rom"),
	ABSENT_WITH_ARG("overcommit"), ABSENT_WITH_ARG("pflash"),
	ABSENT_WITH_ARG("plugin"), ABSENT("portrait"), ABSENT("preconfig"),
	ABSENT_WITH_ARG("prom-env"), ABSENT_WITH_ARG("qmp"),
	ABSENT_WITH_ARG("qmp-pretty"), ABSENT_WITH_ARG("qtest"),
	ABSENT_WITH_ARG("qtest-log"), ABSENT_WITH_ARG("readconfig"),
	ABSENT_WITH_ARG("rotate"), ABSENT_WITH_ARG("runas"),
	ABSENT_WITH_ARG("sd"), ABSENT_WITH_ARG("seed"), ABSENT("semihosting"),
	ABSENT_WITH_ARG("semihosting-config"), ABSENT_WITH_ARG("set"),
	ABSENT("singlestep"), ABSENT("snapshot"), ABSENT_WITH_ARG("spice"),
	ABSENT_WITH_ARG("tpmdev"), ABSENT("usb"), ABSENT_WITH_ARG("usbdevice"),
	ABSENT_WITH_ARG("virtfs"), ABSENT_WITH_ARG("vnc"),
	ABSENT_WITH_ARG("watchdog-action"), ABSENT("win2k-hack"),
	ABSENT_WITH_ARG("writeconfig"), ABSENT("xen-attach"),
	ABSENT_WITH_ARG("xen-domid"), ABSENT("xen-domid-restrict"),
};

/* The first line is in the form that callers of QEMU parse. */
static int print_version(struct options *o, const char *arg, struct err *e)
{
	fprintf(o->out, "QEMU emulator version 7.2.0 (husk 0.1.0)\n"
		"This is Husk, which takes QEMU's command line and shares "
		"none of its code\n");
	o->done = true;
	return 0;
}

static int print_help(struct options *o, const char *arg, struct err *e)
{
	print_version(o, NULL, NULL);
	fprintf(o->out, "usage: %s [options]\n\n"
		"Each option can be written with one dash or two.\n\n",
		log_program());
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *r = &options[i];

		if (r->help)
			fprintf(o->out, "-%s%s%s\n                %s\n",
				r->name, r->arg ? " " : "",
				r->arg ? r->arg : "", r->help);
	}
	fprintf(o->out, "\nIn -nographic, Ctrl-A h lists the keys.\n"
		"QEMU's other options are refused by name: they are not in "
		"this version.\n");
	o->done = true;
	return 0;
}

/* ---- the walk ---- */

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (!strcmp(options[i].name, name))
			return &options[i];
	return NULL;
}

/* Reads the option at argv[0]; returns how many words it took, or -errno. */
static int parse_one(struct options *o, int argc, char *const argv[],
		     struct err *e)
{
	const char *word = argv[0], *arg;
	const struct option *row;
	int r;

	if (word[0] != '-' || !word[1])
		return fail(e, ENOTSUP, "disk image '%s': not in this version",
			    word);
	row = find(word + (word[1] == '-' ? 2 : 1));
	if (!row)
		return fail(e, EINVAL, "%s: invalid option", word);
	if (!row->set)
		return fail(e, ENOTSUP, "%s: not in this version", word);
	if (!row->has_arg) {
		r = row->set(o, NULL, e);
		if (r)
			err_prefix(e, "%s", word);
		return r ? r : 1;
	}
	if (argc < 2)
		return fail(e, EINVAL, "%s: requires an argument", word);
	arg = argv[1];
	r = row->set(o, arg, e);
	if (r)
		err_prefix(e, "%s %s", word, arg);
	return r ? r : 2;
}

/* ---- what can only be said at the end ---- */

static int check_together(const struct options *o, struct err *e)
{
	const struct machine_config *m = &o->machine;

	if (m->append && !m->kernel)
		return fail(e, EINVAL, "-append: only allowed with -kernel");
	if (m->initrd && !m->kernel)
		return fail(e, EINVAL, "-initrd: only allowed with -kernel");
	if (m->daemonize && o->nographic)
		return fail(e, EINVAL, "-nographic: cannot be used with "
			    "-daemonize");
	for (unsigned i = 0; i < m->serial_count && m->daemonize; i++)
		if (!strcmp(m->serials[i], "stdio") ||
		    !strcmp(m->serials[i], "mon:stdio"))
			return fail(e, EINVAL, "-serial %s: cannot be used "
				    "with -daemonize", m->serials[i]);
	for (size_t i = 0; i < m->chardevs.count && m->daemonize; i++)
		if (!strncmp(m->chardevs.at[i], "stdio", 5))
			return fail(e, EINVAL, "-chardev %s: cannot be used "
				    "with -daemonize", m->chardevs.at[i]);
	return 0;
}

/* A board has one serial port unless told otherwise. */
static void settle_serial(struct options *o)
{
	struct machine_config *m = &o->machine;

	if (m->serial_count || o->nodefaults)
		return;
	for (size_t i = 0; i < m->devices.count; i++)
		if (!strncmp(m->devices.at[i], "isa-serial", 10))
			return;
	m->serials[m->serial_count++] = o->nographic ? "mon:stdio" : "null";
}

int options_parse(struct options *o, int argc, char *const argv[],
		  struct err *e)
{
	int r;

	for (int i = 0; i < argc && !o->done; i += r) {
		r = parse_one(o, argc - i, argv + i, e);
		if (r < 0)
			return r;
	}
	if (o->done)
		return 0;
	r = check_together(o, e);
	if (!r)
		r = settle_accel(o, e);
	if (!r)
		settle_serial(o);
	return r;
}

/* ---- the options themselves ---- */

void text_list_add(struct text_list *l, const char *s)
{
	l->at = xrealloc(l->at, (l->count + 1) * sizeof(*l->at));
	l->at[l->count++] = s;
}

const char *options_own(struct options *o, char *s)
{
	text_list_add(&o->owned, s);
	return s;
}

void options_init(struct options *o, FILE *out)
{
	*o = (struct options){
		.out = out,
		.machine = {
			.board = "pc",
			.accel.name = ACCEL_PRESET,
			.smp = { 1, 1, 1, 1, 1 },
			.ram_size = PRESET_RAM,
			.acpi = true,
			.hpet = true,
			.escape = -1,
			.panic = PANIC_SHUTDOWN,
		},
	};
}

void options_free(struct options *o)
{
	struct machine_config *m = &o->machine;

	for (size_t i = 0; i < o->owned.count; i++)
		free((char *)o->owned.at[i]);
	free(o->owned.at);
	free(m->firmware_dirs.at);
	free(m->smbios.at);
	free(m->chardevs.at);
	free(m->devices.at);
	free(m->globals.at);
}
