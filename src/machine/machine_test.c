/* machine/machine_test.c - whole machines, run by kernels of a few bytes.
 *
 * Each kernel is a multiboot image of 512 bytes: header, then code at 20h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/test.h"
#include "machine/config.h"
#include "machine/machine.h"

#define LOAD	0x100000u
#define CODE	0x20
#define STOP	"\xf4\xeb\xfd"			/* hlt, for ever */
#define DX(port) "\x66\xba" port		/* mov dx, port */
#define EXIT(v)	DX("\x01\x05") "\xb0" v "\xee" STOP
#define CODE_OF(s) (s), sizeof(s) - 1

struct rig {
	char dir[32];
	char kernel[64], rom[64], out[64], serial[80], chardev[96];
	struct machine_config cfg;
	struct err e;
};

static int rig_up(void **state)
{
	struct rig *r = test_calloc(1, sizeof(*r));

	strcpy(r->dir, "/tmp/husk-machine-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->kernel, sizeof(r->kernel), "%s/kernel", r->dir);
	snprintf(r->rom, sizeof(r->rom), "%s/rom", r->dir);
	snprintf(r->out, sizeof(r->out), "%s/out", r->dir);
	snprintf(r->serial, sizeof(r->serial), "file:%s", r->out);
	snprintf(r->chardev, sizeof(r->chardev), "file,id=c,path=%s", r->out);
	r->cfg = (struct machine_config){
		.board = "pc", .accel.name = ACCEL_PRESET,
		.smp = { .cpus = 1, .maxcpus = 1, .sockets = 1, .cores = 1,
			 .threads = 1 },
		.ram_size = 16 * MiB, .acpi = true, .hpet = true,
		.escape = -1,
	};
	*state = r;
	return 0;
}

static int rig_down(void **state)
{
	struct rig *r = *state;

	(void)unlink(r->kernel);
	(void)unlink(r->rom);
	(void)unlink(r->out);
	assert_int_equal(rmdir(r->dir), 0);
	test_free(r);
	return 0;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void give_kernel(struct rig *r, const char *code, size_t len)
{
	uint8_t image[512] = { 0 };

	assert_true(len <= sizeof(image) - CODE);
	store_le32(image, 0x1badb002);
	store_le32(image + 4, 0x10000);	/* addresses follow */
	store_le32(image + 8, 0u - 0x1badb002 - 0x10000);
	store_le32(image + 12, LOAD);
	store_le32(image + 16, LOAD);
	store_le32(image + 28, LOAD + CODE);
	memcpy(image + CODE, code, len);
	write_file(r->kernel, image, sizeof(image));
	r->cfg.kernel = r->kernel;
}

/* A ROM of 64 KiB with code at its start, which the reset vector jumps to. */
static void give_rom(struct rig *r, const char *code, size_t len)
{
	static uint8_t image[0x10000];

	memset(image, 0x90, sizeof(image));
	memcpy(image, code, len);
	memcpy(image + 0xfff0, "\xea\x00\x00\x00\xf0", 5);
	write_file(r->rom, image, sizeof(image));
	r->cfg.bios = r->rom;
}

static void give_device(struct rig *r, const char *text)
{
	static const char *list[4];

	list[r->cfg.devices.count++] = text;
	r->cfg.devices.at = list;
}

static int run(struct rig *r)
{
	struct machine *m = machine_new(&r->cfg, &r->e);
	int status;

	if (!m)
		return -1;
	status = machine_main(m, &r->e);
	machine_free(m);
	return status;
}

static void a_kernel_ends_with_the_status_it_asks_for(void **state)
{
	struct rig *r = *state;

	give_kernel(r, CODE_OF(EXIT("\x05")));
	give_device(r, "isa-debug-exit,id=x");
	assert_int_equal(run(r), 11);
}

static void what_a_kernel_sends_arrives_before_it_powers_off(void **state)
{
	static const char *serials[1];
	struct rig *r = *state;
	char text[8] = "";
	FILE *f;

	give_kernel(r, CODE_OF(DX("\xf8\x03") "\xb0h\xee\xb0i\xee"
		    DX("\x04\x06") "\x66\xb8\x00\x20\x66\xef" STOP));
	serials[0] = r->serial;
	r->cfg.serials[0] = serials[0];
	r->cfg.serial_count = 1;
	assert_int_equal(run(r), 0);
	f = fopen(r->out, "rb");
	assert_non_null(f);
	assert_int_equal(fread(text, 1, sizeof(text), f), 2);
	assert_string_equal(text, "hi");
	fclose(f);
}

static void a_device_takes_the_chardev_it_names(void **state)
{
	static const char *chardevs[1];
	struct rig *r = *state;
	FILE *f;

	give_kernel(r, CODE_OF("\xb0!\xe6\xe9" EXIT("\x00")));
	chardevs[0] = r->chardev;
	r->cfg.chardevs = (struct text_list){ chardevs, 1 };
	give_device(r, "isa-debugcon,chardev=c");
	give_device(r, "isa-debug-exit");
	assert_int_equal(run(r), 1);
	f = fopen(r->out, "rb");
	assert_non_null(f);
	assert_int_equal(fgetc(f), '!');
	fclose(f);
}

/* First boot: CMOS 50h is 0.  Spoil the byte at LOAD + 100h, set CMOS 50h,
 * reset.  Second boot: exit with that byte, which was loaded again. */
static void a_reset_loads_the_kernel_again(void **state)
{
	struct rig *r = *state;

	give_kernel(r, CODE_OF(
		"\xb0\x50\xe6\x70\xe4\x71\x84\xc0\x75\x19"
		"\xc6\x05\x00\x01\x10\x00\x79"
		"\xb0\x50\xe6\x70\xb0\x01\xe6\x71"
		DX("\xf9\x0c") "\xb0\x06\xee" STOP
		"\xa0\x00\x01\x10\x00" DX("\x01\x05") "\xee" STOP));
	give_device(r, "isa-debug-exit");
	assert_int_equal(run(r), 1);
}

static void no_reboot_turns_a_reset_into_the_end(void **state)
{
	struct rig *r = *state;

	r->cfg.no_reboot = true;
	give_kernel(r, CODE_OF("\xb0\xfe\xe6\x64" STOP));
	assert_int_equal(run(r), 0);
}

static void a_triple_fault_is_a_reset(void **state)
{
	struct rig *r = *state;

	r->cfg.no_reboot = true;
	give_kernel(r, CODE_OF("\x0f\x01\x1d\x00\x06\x00\x00\xcc" STOP));
	assert_int_equal(run(r), 0);
}

static void a_panic_ends_as_configured(void **state)
{
	struct rig *r = *state;

	r->cfg.panic = PANIC_EXIT_FAILURE;
	give_kernel(r, CODE_OF(DX("\x05\x05") "\xb0\x01\xee" STOP));
	give_device(r, "pvpanic");
	assert_int_equal(run(r), 1);
}

/* Ends in 0 only if a store to F0000h was dropped by the ROM. */
static void a_rom_runs_from_the_reset_vector(void **state)
{
	struct rig *r = *state;

	give_rom(r, CODE_OF("\xb8\x00\xf0\x8e\xd8"	/* ds = F000h */
			    "\xc6\x06\x00\x00\x00"	/* [0] = 0 */
			    "\xa0\x00\x00\x2c\xb8"	/* al = [0] - B8h */
			    "\xba\x01\x05\xee" STOP));
	give_device(r, "isa-debug-exit");
	assert_int_equal(run(r), 1);
}

static void the_kernel_finds_pci_and_tables(void **state)
{
	struct rig *r = *state;

	/* eax = config 0:0.0 register 0; al - 86h.  Then the byte at RSDP's
	 * place would need a search: look for 'D' of "DSDT" at F0040h. */
	give_kernel(r, CODE_OF(DX("\xf8\x0c") "\xb8\x00\x00\x00\x80\xef"
		    DX("\xfc\x0c") "\xed\x2c\x86"
		    "\x02\x05\x40\x00\x0f\x00\x2c" "D"
		    DX("\x01\x05") "\xee" STOP));
	give_device(r, "isa-debug-exit");
	assert_int_equal(run(r), 1);
}

static void a_global_changes_what_a_device_starts_with(void **state)
{
	static const char *globals[] = {
		"isa-debug-exit.iobase=0xf4", "bogus.x=1",
	};
	struct rig *r = *state;

	give_kernel(r, CODE_OF("\xb0\x03\xe6\xf4" STOP));
	r->cfg.globals = (struct text_list){ globals, 2 };
	give_device(r, "isa-debug-exit");
	assert_int_equal(run(r), 7);
	globals[0] = "isa-debug-exit.bogus=1";
	assert_true(run(r) < 0);
	assert_non_null(strstr(r->e.text, "no property 'bogus'"));
}

static void what_cannot_be_is_refused_by_name(void **state)
{
	static const char *const bad[][2] = {
		{ "bogus", "device 'bogus' is unknown" },
		{ "i8042", "device 'i8042' is unknown" },
		{ "pvpanic,bogus=1", "pvpanic has no property 'bogus'" },
		{ "pvpanic,bus=pci.0", "pvpanic goes on isa.0" },
		{ "isa-serial,chardev=zz", "zz" },
		{ "pci-testdev,addr=1", "01.0 is taken by PIIX3" },
		{ "isa-serial,index=7", "over the limit of 3" },
	};
	struct rig *r = *state;

	give_kernel(r, CODE_OF(STOP));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		r->cfg.devices.count = 0;
		give_device(r, bad[i][0]);
		assert_true(run(r) < 0);
		assert_non_null(strstr(r->e.text, bad[i][1]));
	}
}

static void nothing_to_boot_is_refused(void **state)
{
	struct rig *r = *state;

	assert_true(run(r) < 0);
	assert_non_null(strstr(r->e.text, "nothing to boot"));
	r->cfg.bios = r->rom;
	assert_true(run(r) < 0);
	assert_non_null(strstr(r->e.text, "No such file"));
	write_file(r->rom, "x", 1);
	assert_true(run(r) < 0);
	assert_non_null(strstr(r->e.text, "64, 128, 192 or 256 KiB"));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_up, rig_down)

TEST_MAIN("machine",
	T(a_kernel_ends_with_the_status_it_asks_for),
	T(what_a_kernel_sends_arrives_before_it_powers_off),
	T(a_device_takes_the_chardev_it_names),
	T(a_reset_loads_the_kernel_again),
	T(no_reboot_turns_a_reset_into_the_end),
	T(a_triple_fault_is_a_reset),
	T(a_panic_ends_as_configured),
	T(a_rom_runs_from_the_reset_vector),
	T(the_kernel_finds_pci_and_tables),
	T(a_global_changes_what_a_device_starts_with),
	T(what_cannot_be_is_refused_by_name),
	T(nothing_to_boot_is_refused))
