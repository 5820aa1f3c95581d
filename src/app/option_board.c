/* app/option_board.c - options that say what the machine is and what it boots.
 *
 * Source: qemu-system-x86_64(1); the completion of -smp as QEMU has done it
 * since 6.2: what is missing is computed, cores before sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/options.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/num.h"
#include "base/optstr.h"
#include "cpu/x86/cpuid.h"

#define RAM_MIN		(1 * MiB)
#define RAM_MAX		(1024 * GiB)
#define PAGE		4096

/* ---- -machine ---- */

static const struct {
	const char *name, *help;	/* help NULL: not in this version */
} boards[] = {
	{ "pc", "Standard PC (i440FX + PIIX, 1996) (alias of pc-i440fx-7.2)" },
	{ "pc-i440fx-7.2", "Standard PC (i440FX + PIIX, 1996) (default)" },
	{ "q35", NULL },
	{ "microvm", NULL },
	{ "isapc", NULL },
	{ "none", NULL },
	{ "x-remote", NULL },
	{ "xenfv", NULL },
	{ "xenpv", NULL },
};

static int set_board(struct options *o, const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(boards); i++) {
		if (strcmp(boards[i].name, name))
			continue;
		if (!boards[i].help)
			return fail(e, ENOTSUP, "machine '%s': not in this "
				    "version", name);
		o->machine.board = "pc";
		return 0;
	}
	if (!strncmp(name, "pc-i440fx-", 10) || !strncmp(name, "pc-q35-", 7))
		return fail(e, ENOTSUP, "machine '%s': not in this version",
			    name);
	return fail(e, EINVAL, "machine '%s' is unknown, '-machine help' lists "
		    "them", name);
}

static void print_boards(struct options *o)
{
	fprintf(o->out, "Supported machines are:\n");
	for (size_t i = 0; i < ARRAY_LEN(boards); i++)
		if (boards[i].help)
			fprintf(o->out, "%-20s %s\n", boards[i].name,
				boards[i].help);
	o->done = true;
}

/* A property of QEMU's board that cannot be chosen here: the values that mean
 * what we do anyway are taken, others refused. */
static int check_fixed_prop(const char *key, const char *value, struct err *e)
{
	static const struct {
		const char *key, *values;	/* separated by blanks */
	} fixed[] = {
		{ "usb", "off" },
		{ "vmport", "off auto" },
		{ "smm", "off auto" },
		{ "graphics", "on off" },	/* there is no screen */
		{ "mem-merge", "off" },
		{ "dump-guest-core", "on" },
		{ "nvdimm", "off" },
		{ "suppress-vmdesc", "on off" },
		{ "i8042", "on" },
		{ "pit", "on" },
		{ "sata", "off" },
		{ "smbus", "on" },
		{ "hmat", "off" },
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		const char *at;
		size_t len = strlen(value);

		if (strcmp(fixed[i].key, key))
			continue;
		at = strstr(fixed[i].values, value);
		if (len && at && (at[len] == ' ' || !at[len]))
			return 0;
		return fail(e, ENOTSUP, "%s=%s: not in this version", key,
			    value);
	}
	return fail(e, ENOTSUP, "%s: not in this version, or unknown", key);
}

static int machine_props(struct options *o, struct optstr *s, struct err *e)
{
	const char *accel = optstr_get(s, "accel"), *key, *value;
	int r = accel ? accel_list(o, accel, e) : 0;

	if (!r)
		r = optstr_bool(s, "acpi", &o->machine.acpi, e);
	if (!r)
		r = optstr_bool(s, "hpet", &o->machine.hpet, e);
	for (size_t i = 0; !r && optstr_at(s, i, &key, &value); i++)
		if (strcmp(key, "type") && strcmp(key, "accel") &&
		    strcmp(key, "acpi") && strcmp(key, "hpet"))
			r = check_fixed_prop(key, value, e);
	return r;
}

int set_machine(struct options *o, const char *arg, struct err *e)
{
	struct optstr *s;
	const char *type;
	int r = optstr_parse(&s, arg, "type", e);

	if (r)
		return r;
	type = optstr_get(s, "type");
	if (optstr_wants_help(s))
		print_boards(o);
	else if (type)
		r = set_board(o, type, e);
	if (!r && !o->done)
		r = machine_props(o, s, e);
	optstr_free(s);
	return r;
}

/* ---- processors and memory ---- */

int set_cpu(struct options *o, const char *arg, struct err *e)
{
	if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
		cpu_model_print(o->out);
		o->done = true;
	}
	o->machine.cpu = arg;
	return 0;
}

/* 0: not given. */
static int smp_number(struct optstr *s, const char *key, unsigned *out,
		      struct err *e)
{
	uint64_t v = 0;
	int r = optstr_u64(s, key, 1, MACHINE_MAX_CPUS, &v, e);

	*out = (unsigned)v;
	return r;
}

/* dies= and clusters= are for other boards: 1 or nothing. */
static int smp_ones(struct optstr *s, struct err *e)
{
	uint64_t v;
	int r = optstr_u64(s, "dies", 1, 1, &v, e);

	return r ? r : optstr_u64(s, "clusters", 1, 1, &v, e);
}

static unsigned or_one(unsigned v)
{
	return v ? v : 1;
}

static int smp_complete(struct smp_config *c, struct err *e)
{
	unsigned total, max = c->maxcpus ? c->maxcpus : c->cpus;

	if (!max) {
		c->sockets = or_one(c->sockets);
		c->cores = or_one(c->cores);
		c->threads = or_one(c->threads);
	} else if (!c->cores) {
		c->sockets = or_one(c->sockets);
		c->threads = or_one(c->threads);
		c->cores = max / (c->sockets * c->threads);
	} else if (!c->sockets) {
		c->threads = or_one(c->threads);
		c->sockets = max / (c->cores * c->threads);
	} else if (!c->threads) {
		c->threads = max / (c->sockets * c->cores);
	}
	total = c->sockets * c->cores * c->threads;
	c->maxcpus = max ? max : total;
	if (!c->cpus)
		c->cpus = c->maxcpus;
	if (total != c->maxcpus)
		return fail(e, EINVAL, "sockets (%u) * cores (%u) * threads "
			    "(%u) is %u, not maxcpus (%u)", c->sockets,
			    c->cores, c->threads, total, c->maxcpus);
	if (c->maxcpus > MACHINE_MAX_CPUS)
		return fail(e, ERANGE, "maxcpus: %u is over %u", c->maxcpus,
			    MACHINE_MAX_CPUS);
	if (c->cpus > c->maxcpus)
		return fail(e, EINVAL, "cpus: %u is over maxcpus (%u)",
			    c->cpus, c->maxcpus);
	return 0;
}

int set_smp(struct options *o, const char *arg, struct err *e)
{
	struct smp_config c;
	struct optstr *s;
	int r = optstr_parse(&s, arg, "cpus", e);

	if (r)
		return r;
	r = smp_number(s, "cpus", &c.cpus, e);
	if (!r)
		r = smp_number(s, "maxcpus", &c.maxcpus, e);
	if (!r)
		r = smp_number(s, "sockets", &c.sockets, e);
	if (!r)
		r = smp_number(s, "cores", &c.cores, e);
	if (!r)
		r = smp_number(s, "threads", &c.threads, e);
	if (!r)
		r = smp_ones(s, e);
	if (!r)
		r = optstr_finish(s, e);
	optstr_free(s);
	if (!r)
		r = smp_complete(&c, e);
	if (!r)
		o->machine.smp = c;
	return r;
}

int set_memory(struct options *o, const char *arg, struct err *e)
{
	uint64_t size = o->machine.ram_size;
	struct optstr *s;
	int r = optstr_parse(&s, arg, "size", e);

	if (r)
		return r;
	if (optstr_get(s, "slots") || optstr_get(s, "maxmem"))
		r = fail(e, ENOTSUP, "slots and maxmem: not in this version");
	if (!r)
		r = optstr_size(s, "size", MiB, &size, e);
	if (!r)
		r = optstr_finish(s, e);
	optstr_free(s);
	if (r)
		return r;
	if (size < RAM_MIN)
		return fail(e, ERANGE, "size: %" PRIu64 " bytes is under 1M",
			    size);
	if (size > RAM_MAX)
		return fail(e, ERANGE, "size: %" PRIu64 "M is over 1T",
			    (uint64_t)(size / MiB));
	o->machine.ram_size = (size + PAGE - 1) / PAGE * PAGE;
	return 0;
}

int set_no_acpi(struct options *o, const char *arg, struct err *e)
{
	o->machine.acpi = false;
	return 0;
}

int set_no_hpet(struct options *o, const char *arg, struct err *e)
{
	o->machine.hpet = false;
	return 0;
}

/* ---- identity ---- */

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx (RFC 4122 section 3) */
static bool parse_uuid(const char *s, uint8_t uuid[16])
{
	for (unsigned i = 0; i < 16; i++, s += 2) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *s++ != '-')
			return false;
		high = hex_digit(s[0]);
		low = high < 0 ? -1 : hex_digit(s[1]);
		if (low < 0)
			return false;
		uuid[i] = (uint8_t)(high << 4 | low);
	}
	return !*s;
}

int set_uuid(struct options *o, const char *arg, struct err *e)
{
	if (!parse_uuid(arg, o->machine.uuid))
		return fail(e, EINVAL, "not a UUID like "
			    "12345678-1234-1234-1234-123456789abc");
	o->machine.has_uuid = true;
	return 0;
}

int set_smbios(struct options *o, const char *arg, struct err *e)
{
	static const uint8_t types[] = { 0, 1, 2, 3, 4, 17 };
	struct optstr *s;
	const char *text;
	uint64_t type = 0;
	int r = optstr_parse(&s, arg, NULL, e);

	if (r)
		return r;
	if (optstr_get(s, "file"))
		r = fail(e, ENOTSUP, "file: not in this version");
	if (!r)
		r = optstr_need(s, "type", &text, e);
	if (!r)
		r = parse_u64("type", text, 0, 255, &type, e);
	optstr_free(s);
	if (r)
		return r;
	if (!memchr(types, (int)type, sizeof(types)))
		return fail(e, ENOTSUP, "type=%" PRIu64 ": not in this "
			    "version", type);
	text_list_add(&o->machine.smbios, arg);
	return 0;
}

/* ---- what it boots ---- */

/* a, b: floppy; c: disk; d: CD; n to p: network.  Each once. */
static int check_drives(const char *key, const char *drives, struct err *e)
{
	uint32_t seen = 0;

	for (const char *p = drives; *p; p++) {
		uint32_t bit;

		if (*p < 'a' || *p > 'p')
			return fail(e, EINVAL, "%s: drive '%c' is none of a "
				    "to p", key, *p);
		bit = 1u << (*p - 'a');
		if (seen & bit)
			return fail(e, EINVAL, "%s: drive '%c' is given "
				    "twice", key, *p);
		seen |= bit;
	}
	return 0;
}

static int boot_drives(struct options *o, struct optstr *s, const char *key,
		       const char **out, struct err *e)
{
	const char *drives = optstr_get(s, key);
	int r;

	if (!drives)
		return 0;
	r = check_drives(key, drives, e);
	if (!r)
		*out = options_own(o, xstrdup(drives));
	return r;
}

int set_boot(struct options *o, const char *arg, struct err *e)
{
	bool menu = false;
	struct optstr *s;
	int r = optstr_parse(&s, arg, "order", e);

	if (r)
		return r;
	r = boot_drives(o, s, "order", &o->machine.boot_order, e);
	if (!r)
		r = boot_drives(o, s, "once", &o->machine.boot_once, e);
	if (!r)
		r = optstr_bool(s, "menu", &menu, e);
	if (!r && menu)
		r = fail(e, ENOTSUP, "menu: not in this version");
	if (!r && optstr_unused(s))
		r = fail(e, ENOTSUP, "%s: not in this version, or unknown",
			 optstr_unused(s));
	optstr_free(s);
	return r;
}

int set_kernel(struct options *o, const char *arg, struct err *e)
{
	o->machine.kernel = arg;
	return 0;
}

int set_initrd(struct options *o, const char *arg, struct err *e)
{
	o->machine.initrd = arg;
	return 0;
}

int set_append(struct options *o, const char *arg, struct err *e)
{
	o->machine.append = arg;
	return 0;
}

int set_bios(struct options *o, const char *arg, struct err *e)
{
	o->machine.bios = arg;
	return 0;
}

int set_firmware_dir(struct options *o, const char *arg, struct err *e)
{
	text_list_add(&o->machine.firmware_dirs, arg);
	return 0;
}

/* ---- the clock ---- */

static int parse_date(const char *s, int64_t *out, struct err *e)
{
	struct tm tm = { 0 };
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!end || *end) {
		tm = (struct tm){ 0 };
		end = strptime(s, "%Y-%m-%d", &tm);
	}
	if (!end || *end)
		return fail(e, EINVAL, "base: '%s' is none of utc, localtime, "
			    "2006-06-17T16:01:21, 2006-06-17", s);
	*out = timegm(&tm);
	return 0;
}

static int rtc_base(struct machine_config *m, const char *base, struct err *e)
{
	if (!strcmp(base, "utc"))
		m->rtc_base = RTC_UTC;
	else if (!strcmp(base, "localtime"))
		m->rtc_base = RTC_LOCALTIME;
	else {
		m->rtc_base = RTC_DATE;
		return parse_date(base, &m->rtc_date_s, e);
	}
	return 0;
}

/* A key whose only value in this version is `only`. */
static int one_value(struct optstr *s, const char *key, const char *only,
		     struct err *e)
{
	const char *v = optstr_get(s, key);

	if (!v || !strcmp(v, only))
		return 0;
	return fail(e, ENOTSUP, "%s=%s: not in this version, only %s is", key,
		    v, only);
}

int set_rtc(struct options *o, const char *arg, struct err *e)
{
	const char *base;
	struct optstr *s;
	int r = optstr_parse(&s, arg, NULL, e);

	if (r)
		return r;
	base = optstr_get(s, "base");
	if (base)
		r = rtc_base(&o->machine, base, e);
	if (!r)
		r = one_value(s, "clock", "host", e);
	if (!r)
		r = one_value(s, "driftfix", "none", e);
	if (!r)
		r = optstr_finish(s, e);
	optstr_free(s);
	return r;
}
