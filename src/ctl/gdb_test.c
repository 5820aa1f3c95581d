/* ctl/gdb_test.c - the gdb stub, packet by packet, on a machine of two vCPUs
 * that run a loop in RAM.
 *
 * The machine and the back end are the test's own; vCPUs, bus and event loop
 * are real.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/test.h"
#include "bus/test_bus.h"
#include "char/chardev.h"
#include "char/fake_guest.h"
#include "cpu/vcpu.h"
#include "cpu/x86/seg.h"
#include "ctl/gdb_inside.h"
#include "machine/machine.h"

#define RAM_BYTES	(64 * KiB)
#define CODE		0x1000u
#define STORED		0x2000u		/* where the code stores */

/* inc ax; mov [2000h], ax; jmp to the first */
static const uint8_t code[] = { 0x40, 0xa3, 0x00, 0x20, 0xeb, 0xfa };

/* ---- a machine of the test's own ---- */

struct machine {
	struct loop *loop;
	struct test_bus *bus;
	uint8_t *ram;
	struct vcpus *vcpus;
	struct stream stream;
	struct gdb *gdb;
	bool running;
	int quit_status;	/* -1: not asked */
	char sent[64 * 1024];	/* what the stub has put */
	size_t sent_len;
	void (*on_debug)(void *ctx, struct cpu *c);
	void *on_debug_ctx;
	struct cpu *debug_cpu;
};

static struct machine machine;

bool machine_running(const struct machine *m)
{
	return m->running;
}

void machine_pause(struct machine *m)
{
	vcpus_pause(m->vcpus);
	m->running = false;
}

void machine_resume(struct machine *m)
{
	m->running = true;
	vcpus_resume(m->vcpus);
}

int machine_reset(struct machine *m, struct err *e)
{
	(void)m;
	return fail(e, EINVAL, "this machine has no reset");
}

void machine_power_button(struct machine *m)
{
	(void)m;
}

void machine_quit(struct machine *m, int status)
{
	m->quit_status = status;
}

void machine_set_debug_handler(struct machine *m,
			       void (*fn)(void *ctx, struct cpu *c),
			       void *ctx)
{
	m->on_debug = fn;
	m->on_debug_ctx = ctx;
}

struct bus *machine_bus(struct machine *m)
{
	return m->bus->bus;
}

struct loop *machine_loop(struct machine *m)
{
	return m->loop;
}

struct vcpus *machine_vcpus(struct machine *m)
{
	return m->vcpus;
}

struct chardev_set *machine_chardevs(struct machine *m)
{
	(void)m;
	return NULL;
}

int chardev_open(struct chardev_set *set, const char *spec, const char *id,
		 struct stream **out, struct err *e)
{
	(void)set;
	(void)id;
	if (strcmp(spec, "tcp::1234,server=on,wait=off,nodelay=on"))
		return fail(e, EINVAL, "'%s' is not expected", spec);
	*out = &machine.stream;
	return 0;
}

static void debug_stopped(void *ctx)
{
	struct machine *m = ctx;

	machine_pause(m);
	if (m->on_debug)
		m->on_debug(m->on_debug_ctx, m->debug_cpu);
}

static void cpu_stopped(void *ctx, struct cpu *c, enum vcpu_stop why)
{
	struct machine *m = ctx;

	assert_int_equal(why, VCPU_STOP_DEBUG);
	m->debug_cpu = c;
	loop_post(m->loop, debug_stopped, m);
}

static void stream_out(struct stream *s, const uint8_t *buf, size_t len)
{
	struct machine *m = &machine;

	(void)s;
	assert_true(m->sent_len + len < sizeof(m->sent));
	memcpy(m->sent + m->sent_len, buf, len);
	m->sent_len += len;
	m->sent[m->sent_len] = 0;
}

static void start_vcpu(struct machine *m, unsigned n)
{
	struct cpu *c = vcpus_get(m->vcpus, n);

	seg_load_real(c, CS, 0);
	c->rip = CODE;
	c->halted = n != 0;
	c->wait_sipi = n != 0;
	cpu_derive(c);
}

static struct machine *machine_make(const char *model)
{
	struct machine *m = &machine;
	struct vcpu_config cfg = {
		.accel.name = ACCEL_PRESET, .model = model,
		.topology = { 2, 1, 2, 1 },
	};

	*m = (struct machine){ .quit_status = -1 };
	m->loop = loop_new(NULL);
	m->bus = test_bus_new();
	m->ram = test_bus_ram(m->bus, 0, RAM_BYTES);
	memcpy(m->ram + CODE, code, sizeof(code));
	m->stream.put = stream_out;
	cfg.bus = m->bus->bus;
	m->vcpus = vcpus_new(&cfg, NULL);
	assert_non_null(m->vcpus);
	start_vcpu(m, 0);
	start_vcpu(m, 1);
	vcpus_set_stop_handler(m->vcpus, cpu_stopped, m);
	assert_int_equal(vcpus_start(m->vcpus, NULL), 0);
	m->gdb = gdb_open(m, "tcp::1234", NULL);
	assert_non_null(m->gdb);
	m->stream.guest->event(m->stream.dev, STREAM_OPENED);
	return m;
}

static void machine_destroy(struct machine *m)
{
	gdb_free(m->gdb);
	vcpus_free(m->vcpus);
	test_bus_free(m->bus);
	loop_free(m->loop);
}

/* ---- talking to the stub ---- */

static void put(struct machine *m, const char *bytes, size_t len)
{
	assert_true(m->stream.guest->room(m->stream.dev) >= len);
	m->stream.guest->input(m->stream.dev, (const uint8_t *)bytes, len);
}

static void put_packet(struct machine *m, const char *data, size_t len)
{
	uint8_t sum = 0;
	char tail[4];

	for (size_t i = 0; i < len; i++)
		sum += (uint8_t)data[i];
	put(m, "$", 1);
	put(m, data, len);
	(void)snprintf(tail, sizeof(tail), "#%02x", sum);
	put(m, tail, 3);
}

static bool has_packet(void *ctx)
{
	const char *hash = strrchr(((struct machine *)ctx)->sent, '#');

	return hash && hash[1] && hash[2];
}

/* The data of the last packet the stub sends from now on. */
static const char *await(struct machine *m)
{
	char *start;

	assert_true(run_until(m->loop, has_packet, m));
	start = strrchr(m->sent, '$');
	assert_non_null(start);
	*strrchr(m->sent, '#') = 0;
	return start + 1;
}

static const char *ask(struct machine *m, const char *packet)
{
	m->sent_len = 0;
	m->sent[0] = 0;
	put_packet(m, packet, strlen(packet));
	return await(m);
}

#define ASSERT_ANSWER(m, packet, wanted)                                      \
	assert_string_equal(ask(m, packet), wanted)

/* ---- tests ---- */

static void packets_are_acknowledged_and_bad_sums_refused(void **state)
{
	struct machine *m = machine_make("qemu64");

	ASSERT_ANSWER(m, "qAttached", "1");
	assert_int_equal(m->sent[0], '+');
	m->sent_len = 0;
	m->sent[0] = 0;
	put(m, "$qC#00$qC#b4", 12);
	assert_string_equal(await(m), "QC1");
	assert_memory_equal(m->sent, "-+$", 3);
	ASSERT_ANSWER(m, "QStartNoAckMode", "OK");
	ASSERT_ANSWER(m, "qAttached", "1");
	assert_int_equal(m->sent[0], '$');
	ASSERT_ANSWER(m, "vMustReplyEmpty", "");
	machine_destroy(m);
}

static void a_lost_answer_is_sent_again(void **state)
{
	struct machine *m = machine_make("qemu64");

	ASSERT_ANSWER(m, "qAttached", "1");
	m->sent_len = 0;
	m->sent[0] = 0;
	put(m, "-", 1);
	assert_string_equal(await(m), "1");
	machine_destroy(m);
}

/* Sum of the bitsize attributes: what a g packet must hold. */
static unsigned described_bits(const char *xml)
{
	unsigned bits = 0;

	while ((xml = strstr(xml, "bitsize=\""))) {
		xml += 9;
		bits += (unsigned)strtoul(xml, NULL, 10);
	}
	return bits;
}

static void the_description_covers_the_g_packet(void **state)
{
	static const struct { const char *model, *arch; } rows[] = {
		{ "qemu64", "<architecture>i386:x86-64<" },
		{ "max", "<architecture>i386:x86-64<" },
		{ "qemu32", "<architecture>i386<" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct machine *m = machine_make(rows[i].model);
		const char *xml = m->gdb->regs.xml;

		assert_non_null(strstr(xml, rows[i].arch));
		assert_int_equal(described_bits(xml) / 4,
				 strlen(ask(m, "g")));
		machine_destroy(m);
	}
}

static void the_description_comes_in_pieces(void **state)
{
	struct machine *m = machine_make("qemu64");

	assert_memory_equal(ask(m, "qXfer:features:read:target.xml:0,5"),
			    "m<?xml", 6);
	assert_int_equal(ask(m, "qXfer:features:read:target.xml:ffff,5")[0],
			 'l');
	ASSERT_ANSWER(m, "qXfer:features:read:other.xml:0,5", "E00");
	machine_destroy(m);
}

static void registers_are_read_and_written(void **state)
{
	struct machine *m = machine_make("qemu64");
	struct cpu *c = vcpus_get(m->vcpus, 0);
	char packet[4096];

	c->gpr[RBX] = 0x1122334455667788;
	ASSERT_ANSWER(m, "p1", "8877665544332211");
	ASSERT_ANSWER(m, "P1=0102030405060708", "OK");
	assert_int_equal(c->gpr[RBX], 0x0807060504030201);
	ASSERT_ANSWER(m, "p10", "0010000000000000");	/* rip */
	ASSERT_ANSWER(m, "P11=45000000", "OK");		/* eflags */
	assert_int_equal(flags_get(c), 0x47);
	ASSERT_ANSWER(m, "p11", "47000000");
	ASSERT_ANSWER(m, "pfff", "E22");
	ASSERT_ANSWER(m, "P1=01", "E22");
	(void)snprintf(packet, sizeof(packet), "G%s", ask(m, "g"));
	memcpy(packet + 1, "ff00000000000000", 16);
	ASSERT_ANSWER(m, packet, "OK");
	assert_int_equal(c->gpr[RAX], 0xff);
	assert_int_equal(c->gpr[RBX], 0x0807060504030201);
	machine_destroy(m);
}

static void memory_is_read_and_written_over_pages(void **state)
{
	struct machine *m = machine_make("qemu64");

	ASSERT_ANSWER(m, "M1fff,3:aabbcc", "OK");
	assert_int_equal(m->ram[0x2001], 0xcc);
	ASSERT_ANSWER(m, "m1fff,3", "aabbcc");
	ASSERT_ANSWER(m, "m100000,4", "E14");
	ASSERT_ANSWER(m, "mfffe,4", "0000");
	ASSERT_ANSWER(m, "M100000,1:00", "E14");
	ASSERT_ANSWER(m, "M1000,2:00", "E22");
	ASSERT_ANSWER(m, "X3000,0:", "OK");
	m->sent_len = 0;
	m->sent[0] = 0;
	put_packet(m, "X3000,3:a}\x03" "b", 12);
	assert_string_equal(await(m), "OK");
	assert_memory_equal(m->ram + 0x3000, "a#b", 3);
	ASSERT_ANSWER(m, "Qqemu.PhyMemMode:1", "OK");
	ASSERT_ANSWER(m, "m3000,1", "61");
	machine_destroy(m);
}

static void breakpoints_stop_before_the_instruction(void **state)
{
	struct machine *m = machine_make("qemu64");
	struct cpu *c = vcpus_get(m->vcpus, 0);

	(void)ask(m, "qSupported:swbreak+;hwbreak+");
	ASSERT_ANSWER(m, "Z0,1004,1", "OK");
	ASSERT_ANSWER(m, "c", "T05thread:1;swbreak:;");
	assert_int_equal(c->rip, 0x1004);
	assert_int_equal(c->gpr[RAX], 1);
	assert_false(m->running);
	ASSERT_ANSWER(m, "z0,1004,1", "OK");
	ASSERT_ANSWER(m, "z0,1004,1", "E22");
	ASSERT_ANSWER(m, "Z1,1001,1", "OK");
	ASSERT_ANSWER(m, "vCont;c", "T05thread:1;hwbreak:;");
	assert_int_equal(c->rip, 0x1001);
	ASSERT_ANSWER(m, "Z9,1001,1", "");
	machine_destroy(m);
}

static void a_step_is_one_instruction(void **state)
{
	struct machine *m = machine_make("qemu64");
	struct cpu *c = vcpus_get(m->vcpus, 0);

	ASSERT_ANSWER(m, "vCont?", "vCont;c;C;s;S");
	ASSERT_ANSWER(m, "vCont;s:1;c", "T05thread:1;");
	assert_int_equal(c->rip, 0x1001);
	ASSERT_ANSWER(m, "s", "T05thread:1;");
	assert_int_equal(c->rip, 0x1004);
	ASSERT_ANSWER(m, "s1001", "T05thread:1;");
	assert_int_equal(c->rip, 0x1004);
	assert_false(c->step & STEP_GDB);
	machine_destroy(m);
}

static void watchpoints_stop_after_the_access(void **state)
{
	struct machine *m = machine_make("qemu64");
	struct cpu *c = vcpus_get(m->vcpus, 0);

	ASSERT_ANSWER(m, "Z2,2000,2", "OK");
	ASSERT_ANSWER(m, "c", "T05thread:1;watch:2000;");
	assert_int_equal(c->rip, 0x1004);
	assert_int_equal(load_le16(m->ram + STORED), 1);
	ASSERT_ANSWER(m, "z2,2000,2", "OK");
	ASSERT_ANSWER(m, "Z3,2000,2", "OK");	/* nobody reads it */
	ASSERT_ANSWER(m, "Z4,2001,1", "OK");
	ASSERT_ANSWER(m, "c", "T05thread:1;awatch:2001;");
	assert_int_equal(load_le16(m->ram + STORED), 2);
	machine_destroy(m);
}

static void ctrl_c_stops_a_running_machine(void **state)
{
	struct machine *m = machine_make("qemu64");

	m->sent_len = 0;
	m->sent[0] = 0;
	put_packet(m, "c", 1);
	put(m, "\x03", 1);
	assert_string_equal(await(m), "T02thread:1;");
	assert_false(m->running);
	machine_destroy(m);
}

static void threads_are_vcpus(void **state)
{
	struct machine *m = machine_make("qemu64");

	ASSERT_ANSWER(m, "qfThreadInfo", "m1,2");
	ASSERT_ANSWER(m, "qsThreadInfo", "l");
	ASSERT_ANSWER(m, "T2", "OK");
	ASSERT_ANSWER(m, "T3", "E22");
	ASSERT_ANSWER(m, "Hg2", "OK");
	ASSERT_ANSWER(m, "qC", "QC2");
	ASSERT_ANSWER(m, "Hg3", "E22");
	ASSERT_ANSWER(m, "Hc-1", "OK");
	ASSERT_ANSWER(m, "qThreadExtraInfo,1",	/* CPU#0 [running] */
		      "4350552330205b72756e6e696e675d");
	machine_destroy(m);
}

static void monitor_answers_in_text(void **state)
{
	struct machine *m = machine_make("qemu64");

	ASSERT_ANSWER(m, "qRcmd,68656c70", "OK");	/* help */
	assert_non_null(strstr(m->sent, "$O"));
	ASSERT_ANSWER(m, "qRcmd,71756974", "OK");	/* quit */
	assert_int_equal(m->quit_status, 0);
	machine_destroy(m);
}

static void detaching_takes_breakpoints_out_and_goes_on(void **state)
{
	struct machine *m = machine_make("qemu64");

	ASSERT_ANSWER(m, "Z0,1004,1", "OK");
	ASSERT_ANSWER(m, "D", "OK");
	assert_true(m->running);
	assert_int_equal(m->gdb->points.count, 0);
	assert_false(vcpus_get(m->vcpus, 0)->step & STEP_BREAK);
	vcpus_pause(m->vcpus);
	machine_destroy(m);
}

TEST_MAIN("gdb",
	  TEST(packets_are_acknowledged_and_bad_sums_refused),
	  TEST(a_lost_answer_is_sent_again),
	  TEST(the_description_covers_the_g_packet),
	  TEST(the_description_comes_in_pieces),
	  TEST(registers_are_read_and_written),
	  TEST(memory_is_read_and_written_over_pages),
	  TEST(breakpoints_stop_before_the_instruction),
	  TEST(a_step_is_one_instruction),
	  TEST(watchpoints_stop_after_the_access),
	  TEST(ctrl_c_stops_a_running_machine),
	  TEST(threads_are_vcpus),
	  TEST(monitor_answers_in_text),
	  TEST(detaching_takes_breakpoints_out_and_goes_on))
