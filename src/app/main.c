/* app/main.c - which program were we called as, and what is to be done.
 *
 * `husk run OPTIONS` and `husk OPTIONS` are qemu-system-x86_64; so are the
 * names of QEMU's system emulators that link here.  `husk img` is qemu-img,
 * `husk io` qemu-io.  The only file that exits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/img/img.h"
#include "app/io/io.h"
#include "app/options.h"
#include "base/bytes.h"
#include "base/log.h"
#include "ctl/gdb.h"
#include "host/os.h"
#include "host/perfmap.h"
#include "machine/config.h"
#include "machine/machine.h"

/* Programs that are to come, as subcommands and under QEMU's names. */
static const char *const absent[] = {
	"nbd", "net", "vpn", "storage-daemon", "ga",
};

static bool is_absent(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		if (!strcmp(absent[i], name))
			return true;
	return false;
}

static int refuse(const struct err *e)
{
	log_error("%s", e->text);
	return 1;
}

/* What is done in another way than was asked: said once it runs, so that an
 * error is one line. */
static void warn(const struct options *o)
{
	if (o->accel_refused)
		log_warn("accelerator '%s': not in this version, falling back "
			 "to '%s'", o->accel_refused, o->machine.accel.name);
	if (!o->display_chosen)
		log_warn("there is no screen in this version: running as with "
			 "-display none; -nographic puts the serial console "
			 "on this terminal");
}

/* Between the command line and the machine. */
static int run_machine(const struct options *o)
{
	struct err e = { "" };
	struct gdb *g = NULL;
	struct machine *m;
	int status = 1, r;

	if (o->process)
		os_process_name(o->process);
	if (o->machine.daemonize) {
		r = os_daemonize(&status, &e);
		if (r > 0)
			return status;
		if (r < 0)
			return refuse(&e);
	}
	if (o->pidfile && os_pidfile(o->pidfile, &e)) {
		err_prefix(&e, "-pidfile");
		return refuse(&e);
	}
	if (o->perfmap && perfmap_open(&e)) {
		err_prefix(&e, "-perfmap");
		return refuse(&e);
	}
	m = machine_new(&o->machine, &e);
	if (!m)
		return refuse(&e);
	if (o->machine.gdb) {
		g = gdb_open(m, o->machine.gdb, &e);
		if (!g) {
			machine_free(m);
			return refuse(&e);
		}
	}
	warn(o);
	r = machine_main(m, &e);
	gdb_free(g);
	machine_free(m);
	return r < 0 ? refuse(&e) : r;
}

static int run(int argc, char *const argv[], bool as_i386, bool as_kvm)
{
	struct options o;
	struct err e = { "" };
	int r;

	options_init(&o, stdout);
	o.machine.i386 = as_i386;
	/* The program kvm means KVM; without it, it runs all the same. */
	if (as_kvm) {
		o.accel_refused = "kvm";
		o.accel_chosen = true;
	}
	r = options_parse(&o, argc, argv, &e);
	if (r)
		r = refuse(&e);
	else if (!o.done)
		r = run_machine(&o);
	options_free(&o);
	return r;
}

static int run_subcommand(int argc, char *argv[])
{
	if (argc < 2) {
		fprintf(stderr, "usage: husk [run] [options], 'husk -help' "
			"lists them\n");
		return 1;
	}
	if (is_absent(argv[1])) {
		log_error("%s: not in this version", argv[1]);
		return 1;
	}
	if (!strcmp(argv[1], "img")) {
		log_set_program("husk img");
		return img_main(argc - 1, argv + 1);
	}
	if (!strcmp(argv[1], "io")) {
		log_set_program("husk io");
		return io_main(argc - 1, argv + 1);
	}
	if (!strcmp(argv[1], "run"))
		return run(argc - 2, argv + 2, false, false);
	return run(argc - 1, argv + 1, false, false);
}

int main(int argc, char *argv[])
{
	const char *name = argc ? basename(argv[0]) : "husk";
	const char *program = !strncmp(name, "qemu-", 5) ? name + 5 : name;

	os_init();
	log_set_program(name);
	if (!strcmp(name, "husk"))
		return run_subcommand(argc, argv);
	if (!strcmp(program, "img") || !strcmp(name, "kvm-img"))
		return img_main(argc, argv);
	if (!strcmp(program, "io"))
		return io_main(argc, argv);
	if (is_absent(program)) {
		log_error("not in this version");
		return 1;
	}
	return run(argc - 1, argv + 1, !strcmp(program, "system-i386"),
		   !strcmp(program, "kvm"));
}
