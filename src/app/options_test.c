/* app/options_test.c - good and bad command lines, words separated by blanks.
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "app/options.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/test.h"

#define MAX_WORDS 32

static FILE *nowhere;

/* The words stay allocated: options borrow them. */
static int parse(struct options *o, const char *line, struct err *e)
{
	static char text[512];
	char *argv[MAX_WORDS], *save;
	int argc = 0;

	assert_true(strlen(line) < sizeof(text));
	strcpy(text, line);
	for (char *w = strtok_r(text, " ", &save); w;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	options_init(o, nowhere);
	return options_parse(o, argc, argv, e);
}

static void good_lines_are_taken(void **state)
{
	static const char *const lines[] = {
		"",
		"-nographic -kernel /vmlinuz -initrd /i -append quiet",
		"--nographic --kernel /vmlinuz",
		"-M pc -machine pc-i440fx-7.2,accel=tcg,usb=off,vmport=off",
		"-machine type=pc,dump-guest-core=on,mem-merge=off",
		"-M accel=kvm:tcg",
		"-accel kvm -accel tcg,thread=multi",
		"-accel kvm,kernel-irqchip=split -accel jit -accel xen",
		"-accel tcg,tb-size=64,split-wx=on,one-insn-per-tb=off",
		"-accel jit,check=100,flags=exact -accel tcg,flags=lazy",
		"-accel interp,thread=single,one-insn-per-tb=on",
		"-m 1 -m 1.5G -m size=4096K -m 1T",
		"-smp 16",
		"-name guest=vm,,1,process=p,debug-threads=on -uuid "
			"00112233-4455-6677-8899-aAbBcCdDeEfF",
		"-display none -serial null -serial file:x,y -serial none",
		"-chardev socket,id=c,path=/s,server=on,wait=off -device "
			"isa-serial,chardev=c -serial chardev:c",
		"-vga none -net none -nic none -parallel none -monitor null",
		"-rtc base=localtime -rtc base=2006-06-17,clock=host,"
			"driftfix=none -rtc base=2006-06-17T16:01:21",
		"-boot cad -boot order=nc,once=d,menu=off",
		"-nodefaults -no-user-config -sandbox off -k fr",
		"-global kvm-pit.lost_tick_policy=delay",
		"-global driver=d,property=p,value=v",
		"-smbios type=1,manufacturer=x -smbios type=4,sock_pfx=y",
		"-action reboot=shutdown,shutdown=pause,panic=none",
		"-no-reboot -no-shutdown -S -s -gdb unix:/g -gdb none",
		"-device isa-debug-exit,iobase=0xf4 -debugcon stdio -echr 20",
		"-msg timestamp=off -L /a -L /b -bios b.bin",
		"-daemonize -display none -serial file:stdio",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct err e = { "" };
		struct options o;

		if (parse(&o, lines[i], &e))
			print_error("%s: %s\n", lines[i], e.text);
		assert_string_equal(e.text, "");
		assert_false(o.done);
		options_free(&o);
	}
}

static void bad_lines_name_the_option_the_value_and_the_limit(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "-bogus", "-bogus: invalid option" },
		{ "--bogus", "--bogus: invalid option" },
		{ "-kernel", "-kernel: requires an argument" },
		{ "-vnc :1", "-vnc: not in this version" },
		{ "-enable-kvm", "-enable-kvm: not in this version" },
		{ "--drive x", "--drive: not in this version" },
		{ "disk.img", "disk image 'disk.img': not in this version" },
		{ "-M q35", "-M q35: machine 'q35': not in this version" },
		{ "-M pc-i440fx-2.1", "not in this version" },
		{ "-M foo", "-M foo: machine 'foo' is unknown" },
		{ "-M pc,kernel_irqchip=on", "kernel_irqchip: not in this" },
		{ "-M pc,usb=on", "usb=on: not in this version" },
		{ "-M pc,smm=o", "smm=o: not in this version" },
		{ "-M pc,accel=foo", "accelerator 'foo' is unknown" },
		{ "-accel kvm", "accelerator 'kvm': not in this version" },
		{ "-accel interp,tb-size=1", "tb-size: not in this version" },
		{ "-accel kvm:tcg", "a list is for '-machine accel=kvm:tcg'" },
		{ "-accel tcg,thread=single -smp 2", "thread=single: with 2" },
		{ "-accel tcg,thread=x", "thread: 'x' is neither 'multi' nor" },
		{ "-accel tcg,tb-size=1025", "tb-size: 1025 is over 1024" },
		{ "-accel tcg,foo=1", "foo: not in this version, or unknown" },
		{ "-accel jit,flags=x", "flags: 'x' is neither 'lazy' nor" },
		{ "-smp 17", "-smp 17: cpus: 17 is over 16" },
		{ "-smp 0", "-smp 0: cpus: 0 is under 1" },
		{ "-smp x", "cpus: 'x' is not a number from 1 to 16" },
		{ "-smp 4,cores=3", "cores (3) * threads (1) is 3, not maxcpus"
		  " (4)" },
		{ "-smp 4,maxcpus=2", "cpus: 4 is over maxcpus (2)" },
		{ "-smp sockets=4,cores=4,threads=2", "32 is over 16" },
		{ "-smp 2,dies=2", "dies: 2 is over 1" },
		{ "-smp 2,bogus=1", "key 'bogus' is unknown" },
		{ "-m 0", "-m 0: size: 0 bytes is under 1M" },
		{ "-m 2T", "-m 2T: size: 2097152M is over 1T" },
		{ "-m 1x", "size: '1x' is not a size" },
		{ "-m 1G,slots=2,maxmem=2G", "slots and maxmem: not in this" },
		{ "-uuid 1234", "-uuid 1234: not a UUID" },
		{ "-uuid 00112233-4455-6677-8899-aabbccddeeffg", "not a" },
		{ "-append x", "-append: only allowed with -kernel" },
		{ "-initrd x", "-initrd: only allowed with -kernel" },
		{ "-display sdl", "-display sdl: not in this version" },
		{ "-vga std", "-vga std: not in this version" },
		{ "-nic user", "-nic user: not in this version" },
		{ "-monitor stdio", "-monitor stdio: not in this version" },
		{ "-serial a -serial b -serial c -serial d -serial e",
		  "only 4 serial ports" },
		{ "-device ,id=x", "driver= is empty" },
		{ "-device {}", "JSON: not in this version" },
		{ "-global foo", "-global foo: not driver.property=value" },
		{ "-echr 256", "code: 256 is over 255" },
		{ "-rtc base=foo", "base: 'foo' is none of utc" },
		{ "-rtc clock=vm", "clock=vm: not in this version" },
		{ "-boot order=z", "order: drive 'z' is none of a to p" },
		{ "-boot cc", "drive 'c' is given twice" },
		{ "-boot menu=on", "menu: not in this version" },
		{ "-smbios file=x", "file: not in this version" },
		{ "-smbios type=9", "type=9: not in this version" },
		{ "-action panic=foo", "panic: 'foo' is unknown" },
		{ "-action watchdog=none", "watchdog: not in this version" },
		{ "-d bogus", "log item 'bogus' is unknown" },
		{ "-d op", "log item 'op': not in this version" },
		{ "-D /nonexistent/x", "'/nonexistent/x': No such file" },
		{ "-trace bogus", "trace event 'bogus' is unknown" },
		{ "-name a,b=1", "key 'b' is unknown" },
		{ "-sandbox on", "-sandbox on: not in this version" },
		{ "-daemonize -nographic", "cannot be used with -daemonize" },
		{ "-daemonize -serial stdio", "cannot be used with" },
		{ "-daemonize -chardev stdio,id=s", "cannot be used with" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { "" };
		struct options o;

		assert_true(parse(&o, rows[i].line, &e) < 0);
		if (!strstr(e.text, rows[i].says))
			print_error("%s: %s\n", rows[i].line, e.text);
		assert_non_null(strstr(e.text, rows[i].says));
		assert_null(strchr(e.text, '\n'));
		options_free(&o);
	}
}

static void help_of_each_kind_is_done_without_a_machine(void **state)
{
	static const char *const lines[] = {
		"-h", "--help", "-version", "--version", "-M help",
		"-machine ?", "-accel help", "-cpu help", "-device help",
		"-device isa-serial,help", "-chardev help", "-d help",
		"-trace help", "-d trace:help", "-display help",
		"-append x -help",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct options o;

		assert_int_equal(parse(&o, lines[i], NULL), 0);
		assert_true(o.done);
		options_free(&o);
	}
}

static void missing_parts_of_the_topology_are_computed(void **state)
{
	static const struct {
		const char *line;
		unsigned cpus, maxcpus, sockets, cores, threads;
	} rows[] = {
		{ "", 1, 1, 1, 1, 1 },
		{ "-smp 8", 8, 8, 1, 8, 1 },
		{ "-smp 8,sockets=2", 8, 8, 2, 4, 1 },
		{ "-smp 8,cores=2", 8, 8, 4, 2, 1 },
		{ "-smp 8,sockets=2,cores=2", 8, 8, 2, 2, 2 },
		{ "-smp 2,maxcpus=8", 2, 8, 1, 8, 1 },
		{ "-smp sockets=2,threads=2", 4, 4, 2, 1, 2 },
		{ "-smp maxcpus=4,threads=2", 4, 4, 1, 2, 2 },
		{ "-smp 2 -smp cpus=4,dies=1,clusters=1", 4, 4, 1, 4, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct options o;

		assert_int_equal(parse(&o, rows[i].line, NULL), 0);
		assert_int_equal(o.machine.smp.cpus, rows[i].cpus);
		assert_int_equal(o.machine.smp.maxcpus, rows[i].maxcpus);
		assert_int_equal(o.machine.smp.sockets, rows[i].sockets);
		assert_int_equal(o.machine.smp.cores, rows[i].cores);
		assert_int_equal(o.machine.smp.threads, rows[i].threads);
		options_free(&o);
	}
}

static void values_arrive_in_the_configuration(void **state)
{
	static const uint8_t uuid[16] = {
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
		0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
	};
	const struct machine_config *m;
	struct options o;

	assert_int_equal(parse(&o, "-m 1.5G -uuid 00112233-4455-6677-8899-"
			       "aabbccddeeff -name vm,,1 -rtc base=1970-01-02 "
			       "-no-hpet -M acpi=off -boot once=d -L /a -echr "
			       "2 -action panic=pause -cpu max,-avx", NULL), 0);
	m = &o.machine;
	assert_true(m->ram_size == 1536 * MiB);
	assert_memory_equal(m->uuid, uuid, 16);
	assert_true(m->has_uuid);
	assert_string_equal(m->name, "vm,1");
	assert_int_equal(m->rtc_base, RTC_DATE);
	assert_int_equal(m->rtc_date_s, 86400);
	assert_false(m->hpet);
	assert_false(m->acpi);
	assert_null(m->boot_order);
	assert_string_equal(m->boot_once, "d");
	assert_string_equal(m->firmware_dirs.at[0], "/a");
	assert_int_equal(m->escape, 2);
	assert_int_equal(m->panic, PANIC_PAUSE);
	assert_string_equal(m->cpu, "max,-avx");
	assert_string_equal(m->accel.name, ACCEL_PRESET);
	options_free(&o);
}

static void the_first_accelerator_that_is_here_is_taken(void **state)
{
	static const struct {
		const char *line;
		struct accel_options taken;
		const char *refused;
	} rows[] = {
		{ "-accel interp", { .name = "interp" }, NULL },
		{ "-accel tcg", { .name = "jit" }, NULL },
		{ "-accel jit,tb-size=8 -accel interp",
		  { .name = "jit", .tb_size_mib = 8 }, NULL },
		{ "-accel interp -accel jit,tb-size=8",
		  { .name = "interp" }, NULL },
		{ "-accel kvm -accel tcg,check=3,flags=exact",
		  { .name = "jit", .check = 3, .exact_flags = true }, "kvm" },
		{ "-M accel=xen:kvm:interp:tcg", { .name = "interp" }, "xen" },
		{ "-accel tcg,one-insn-per-tb=on -accel kvm",
		  { .name = "jit", .one_insn = true }, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct accel_options *want = &rows[i].taken, *got;
		struct options o;

		assert_int_equal(parse(&o, rows[i].line, NULL), 0);
		got = &o.machine.accel;
		assert_string_equal(got->name, want->name);
		assert_int_equal(got->tb_size_mib, want->tb_size_mib);
		assert_int_equal(got->check, want->check);
		assert_int_equal(got->exact_flags, want->exact_flags);
		assert_int_equal(got->one_insn, want->one_insn);
		assert_true(o.accel_chosen);
		assert_int_equal(!o.accel_refused, !rows[i].refused);
		if (rows[i].refused)
			assert_string_equal(o.accel_refused, rows[i].refused);
		options_free(&o);
	}
}

static void the_first_serial_port_depends(void **state)
{
	static const struct {
		const char *line, *first;
	} rows[] = {
		{ "", "null" },
		{ "-nographic", "mon:stdio" },
		{ "-nographic -serial pty", "pty" },
		{ "-display none", "null" },
		{ "-nodefaults -nographic", NULL },
		{ "-nographic -device isa-serial,chardev=c", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct options o;

		assert_int_equal(parse(&o, rows[i].line, NULL), 0);
		assert_int_equal(o.machine.serial_count, rows[i].first != NULL);
		if (rows[i].first)
			assert_string_equal(o.machine.serials[0],
					    rows[i].first);
		options_free(&o);
	}
}

static int open_nowhere(void **state)
{
	nowhere = fopen("/dev/null", "w");
	return nowhere ? 0 : -1;
}

static int close_nowhere(void **state)
{
	return fclose(nowhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_lines_are_taken),
		TEST(bad_lines_name_the_option_the_value_and_the_limit),
		TEST(help_of_each_kind_is_done_without_a_machine),
		TEST(missing_parts_of_the_topology_are_computed),
		TEST(values_arrive_in_the_configuration),
		TEST(the_first_accelerator_that_is_here_is_taken),
		TEST(the_first_serial_port_depends),
	};

	return cmocka_run_group_tests_name("options", tests, open_nowhere,
					   close_nowhere);
}
