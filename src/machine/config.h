/* machine/config.h - what the command line asks for, as plain data.
 *
 * Filled in by app/options.c, read by the board.  Strings are borrowed from the
 * command line or owned by the config; either way they live as long as it does.
 * What is not plain here stays the text that followed the option, for the part
 * that knows how to read it (devices, back ends, the CPU model).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MACHINE_CONFIG_H
#define MACHINE_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/accel.h"

struct clock_source;

#define MACHINE_MAX_CPUS	16
#define MACHINE_MAX_SERIALS	4

/* Arguments of an option that may be given more than once, in order. */
struct text_list {
	const char **at;
	size_t count;
};

/* The product of sockets, cores and threads is maxcpus. */
struct smp_config {
	unsigned cpus;		/* running from the start: 1..maxcpus */
	unsigned maxcpus;	/* 1..MACHINE_MAX_CPUS */
	unsigned sockets, cores, threads;
};

enum rtc_base { RTC_UTC, RTC_LOCALTIME, RTC_DATE };

/* -action panic= */
enum panic_action { PANIC_SHUTDOWN, PANIC_PAUSE, PANIC_EXIT_FAILURE,
		    PANIC_NONE };

struct machine_config {
	/* Board and processor. */
	const char *board;	/* "pc" */
	struct accel_options accel;
	const char *cpu;	/* -cpu's text; NULL: the board's preset */
	struct smp_config smp;
	uint64_t ram_size;	/* bytes, a multiple of 4 KiB, not 0 */
	bool acpi, hpet;
	bool i386;		/* called as qemu-system-i386: no long mode
				 * unless cpu says otherwise */

	/* What to boot. */
	const char *kernel;	/* NULL: firmware */
	const char *initrd, *append;	/* only with kernel; may be NULL */
	const char *bios;	/* -bios file; NULL: the preset */
	struct text_list firmware_dirs;	/* -L, searched in order */
	const char *boot_order;	/* letters a c d n; NULL: the preset */
	const char *boot_once;	/* likewise, for the first boot only */

	/* Who it says it is. */
	const char *name;	/* -name guest=; NULL */
	bool thread_names;	/* -name debug-threads=on */
	bool has_uuid;
	uint8_t uuid[16];	/* in the order it is written */
	struct text_list smbios;	/* "type=1,manufacturer=x,..." */

	/* Devices.  serials[n] is the text of char/chardev.h's chardev_open()
	 * for COM<n+1>; "none" leaves the port out. */
	const char *serials[MACHINE_MAX_SERIALS];
	unsigned serial_count;
	struct text_list chardevs;	/* for chardev_add() */
	struct text_list devices;	/* "isa-debug-exit,iobase=0xf4" */
	struct text_list globals;	/* "driver.property=value" */
	const char *debugcon;	/* as serials; NULL */
	int escape;		/* -echr; -1: Ctrl-A */

	/* The clock. */
	enum rtc_base rtc_base;
	int64_t rtc_date_s;	/* RTC_DATE: what the RTC starts with,
				 * seconds since 1970 */
	const struct clock_source *clock;	/* NULL: the host's; else
				 * the caller runs expired timers */

	/* Running. */
	bool no_reboot;		/* a reset ends the program */
	bool no_shutdown;	/* a power-off pauses the machine */
	enum panic_action panic;
	bool start_paused;	/* -S */
	const char *gdb;	/* "tcp::1234", as serials; NULL */
	bool daemonize;		/* call os_daemonize_ready() once set up */
};
#endif
