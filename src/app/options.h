/* app/options.h - the command line of qemu-system-x86_64.
 *
 * One table (options.c) has every option of QEMU 7.2, its arity, and for those
 * that exist here the function that reads it.  The others are refused by name,
 * never ignored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "machine/config.h"

struct options {
	struct machine_config machine;

	bool done;		/* help or the like was printed: exit 0 */
	const char *pidfile;
	const char *process;	/* -name process= */
	bool perfmap;
	bool nographic;
	bool display_chosen;	/* -nographic, -display or -vga none */
	bool nodefaults;
	bool accel_chosen;	/* one that exists here was named */
	const char *accel_refused;	/* the first before it that does not */
	bool single_thread;	/* asked for with it */
	FILE *out;		/* borrowed: where help goes */
	struct text_list owned;	/* strings made while parsing */
};

/* The presets, as QEMU's where they mean something here. */
void options_init(struct options *o, FILE *out);
void options_free(struct options *o);

/* argv without the program's name.  The error begins with the option as it was
 * written: "-smp 17: cpus: 17 is over 16". */
int options_parse(struct options *o, int argc, char *const argv[],
		  struct err *e);

/* Helpers of the functions that read options. */
void text_list_add(struct text_list *l, const char *s);
/* Takes s, which lives as long as o. */
const char *options_own(struct options *o, char *s);

/* option_accel.c: "kvm:tcg", the first that is there; and, when all is read,
 * whether there was one. */
int accel_list(struct options *o, const char *list, struct err *e);
int settle_accel(const struct options *o, struct err *e);

/* Rows of the table, in options.c's order of files. */
typedef int option_fn(struct options *o, const char *arg, struct err *e);

/* option_accel.c */
option_fn set_accel;
/* option_board.c */
option_fn set_machine, set_cpu, set_smp, set_memory, set_no_acpi, set_no_hpet,
	set_uuid, set_smbios, set_boot, set_rtc, set_kernel, set_initrd,
	set_append, set_bios, set_firmware_dir;
/* option_run.c */
option_fn set_nographic, set_display, set_vga, set_net, set_nic, set_serial,
	set_parallel, set_monitor, set_chardev, set_device, set_global,
	set_debugcon, set_echr, set_name, set_action, set_no_reboot,
	set_no_shutdown, set_paused, set_gdb, set_gdb_default, set_pidfile,
	set_daemonize, set_log_items, set_log_file, set_trace, set_msg,
	set_perfmap, set_sandbox, set_keyboard, set_nodefaults, set_no_user_config;

#endif
