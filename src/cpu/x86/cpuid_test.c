/* cpu/x86/cpuid_test.c - CPUID leaves, and their agreement with MSRs and
 * control registers.
 * SPDX-License-Identifier: MIT
 */
#include <cpuid.h>

#include "cpu/x86/sysreg.h"
#include "cpu/x86/test_cpu.h"

static struct test_cpu *with_model(const char *spec)
{
	struct test_cpu *t = test_cpu_new();

	assert_int_equal(cpu_model_parse(t->c, spec, NULL), 0);
	cpu_reset(t->c, false);
	return t;
}

static void text_of(struct cpuid_regs r, char *buf)
{
	store_le32(buf, r.ebx);
	store_le32(buf + 4, r.edx);
	store_le32(buf + 8, r.ecx);
	buf[12] = 0;
}

static void vendor_and_name_are_the_models(void **state)
{
	struct test_cpu *t = with_model("SandyBridge,model-id=Some name");
	char vendor[13], name[49] = "";

	text_of(cpuid_query(t->c, 0, 0), vendor);
	assert_string_equal(vendor, "GenuineIntel");
	for (unsigned i = 0; i < 3; i++) {
		struct cpuid_regs r = cpuid_query(t->c, 0x80000002 + i, 0);

		memcpy(name + 16 * i, &r, 16);
	}
	assert_string_equal(name, "Some name");
	assert_int_equal(cpuid_query(t->c, 1, 0).eax, 0x206a1);
	assert_int_equal(t->c->gpr[RDX], 0x206a1);
	test_cpu_free(t);
}

static void families_over_15_are_extended(void **state)
{
	struct test_cpu *t = with_model("EPYC");

	assert_int_equal(cpuid_query(t->c, 1, 0).eax, 0x800f12);
	test_cpu_free(t);
}

static void max_offers_only_instructions_the_host_has(void **state)
{
	struct test_cpu *t = with_model("max");
	struct cpuid_regs r = cpuid_query(t->c, 7, 0);
	unsigned a, b = 0, c, d;
	const unsigned by_host = 1 << 3 | 1 << 5 | 1 << 8 | 1 << 18 | 1 << 19 |
				 1 << 29;	/* BMI1 AVX2 BMI2 RDSEED... */

	assert_int_equal(__get_cpuid_count(7, 0, &a, &b, &c, &d), 1);
	assert_int_equal(r.ebx & by_host & ~b, 0);
	assert_int_equal(r.ecx & 1 << 16, 0);	/* no LA57 */
	test_cpu_free(t);
}

static void some_bits_follow_the_state(void **state)
{
	struct test_cpu *t = with_model("max");

	assert_int_equal(cpuid_query(t->c, 1, 0).ecx >> 27 & 1, 0);
	cr_write(t->c, 4, CR4_OSXSAVE);
	assert_int_equal(cpuid_query(t->c, 1, 0).ecx >> 27 & 1, 1);
	assert_int_equal(cpuid_query(t->c, 0xd, 0).ebx, 576);
	if (feature_has(&t->c->features, FEAT_AVX)) {
		xcr_write(t->c, 0, 7);
		assert_int_equal(cpuid_query(t->c, 0xd, 0).ebx, 832);
		assert_int_equal(cpuid_query(t->c, 0xd, 0).ecx, 832);
		assert_int_equal(cpuid_query(t->c, 0xd, 2).ebx, 576);
	}
	test_cpu_free(t);
}

static void topology_leaves_take_the_apic_id_apart(void **state)
{
	struct test_cpu *t = with_model("SandyBridge");
	struct cpuid_regs r;

	t->c->topology = (struct cpu_topology){ 12, 2, 3, 2 };
	t->c->index = 9;	/* socket 1, core 1, thread 1 */
	r = cpuid_query(t->c, 0xb, 0);
	assert_int_equal(r.eax, 1);
	assert_int_equal(r.ebx, 2);
	assert_int_equal(r.ecx, 0x100);
	assert_int_equal(r.edx, 1 << 3 | 1 << 1 | 1);
	r = cpuid_query(t->c, 0xb, 1);
	assert_int_equal(r.eax, 3);
	assert_int_equal(r.ebx, 6);
	assert_int_equal(r.ecx, 0x201);
	assert_int_equal(cpuid_query(t->c, 0xb, 2).ecx, 2);
	assert_int_equal(cpuid_query(t->c, 1, 0).ebx >> 24, 11);
	assert_int_equal(cpuid_query(t->c, 1, 0).ebx >> 16 & 255, 8);
	assert_int_equal(cpuid_query(t->c, 1, 0).edx >> 28 & 1, 1);
	assert_int_equal(cpuid_query(t->c, 4, 0).eax >> 26, 3);
	test_cpu_free(t);
}

static void past_the_last_leaf_each_vendor_has_its_answer(void **state)
{
	struct test_cpu *t = with_model("SandyBridge,level=0xb");
	struct cpuid_regs past = cpuid_query(t->c, 0x12345, 1);
	struct cpuid_regs last = cpuid_query(t->c, 0xb, 1);

	assert_memory_equal(&past, &last, sizeof(past));
	test_cpu_free(t);
	t = with_model("qemu64");
	past = cpuid_query(t->c, 0x12345, 1);
	assert_int_equal(past.eax | past.ebx | past.ecx | past.edx, 0);
	test_cpu_free(t);
}

static void the_hypervisor_names_itself_unless_hidden(void **state)
{
	struct test_cpu *t = with_model("qemu64");
	struct cpuid_regs r = cpuid_query(t->c, 0x40000000, 0);

	assert_int_equal(r.eax, 0x40000010);
	assert_memory_equal(&r.ebx, "Husk", 4);
	r = cpuid_query(t->c, 0x40000010, 0);
	assert_int_equal(r.eax, 1000000);
	assert_int_equal(r.ebx, 1000000);
	test_cpu_free(t);
	t = with_model("qemu64,kvm=off");
	assert_int_equal(cpuid_query(t->c, 0x40000000, 0).eax, 0);
	test_cpu_free(t);
}

/* A feature, and a register or control bit that is there with it only. */
static const struct pair {
	const char *name;
	uint32_t msr;		/* 0: cr4 */
	uint64_t value;
} pairs[] = {
	{ "mtrr", 0xfe, 0 },	     { "pat", 0x277, 0 },
	{ "mca", 0x179, 0 },	     { "sep", 0x174, 0 },
	{ "tsc", 0x10, 0 },	     { "tsc-adjust", 0x3b, 0 },
	{ "rdtscp", 0xc0000103, 0 }, { "syscall", 0xc0000081, 0 },
	{ "lm", 0xc0000102, 0 },     { "xsaves", 0xda0, 0 },
	{ "smep", 0, CR4_SMEP },     { "smap", 0, CR4_SMAP },
	{ "umip", 0, CR4_UMIP },     { "fsgsbase", 0, CR4_FSGSBASE },
	{ "xsave", 0, CR4_OSXSAVE }, { "pge", 0, CR4_PGE },
	{ "de", 0, CR4_DE },	     { "vme", 0, CR4_VME | CR4_PVI },
	{ "fxsr", 0, CR4_OSFXSR },   { "mce", 0, CR4_MCE },
};

static bool answers(struct test_cpu *t, const struct pair *p)
{
	uint64_t v;

	if (p->msr)
		return msr_try_read(t->c, p->msr, &v);
	return cr_try_write(t->c, 4, p->value);
}

static void registers_agree_with_cpuid(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(pairs); i++) {
		struct test_cpu *t;
		char spec[64];

		(void)snprintf(spec, sizeof(spec), "max,-rdpid,-%s",
			       pairs[i].name);
		t = with_model(spec);
		if (answers(t, &pairs[i]))
			TEST_FAIL("%s is there", spec);
		test_cpu_free(t);
		t = with_model("max");
		if (!answers(t, &pairs[i]) && strcmp(pairs[i].name, "xsaves"))
			TEST_FAIL("%s is not there", pairs[i].name);
		test_cpu_free(t);
	}
}

TEST_MAIN("cpuid",
	  TEST(vendor_and_name_are_the_models),
	  TEST(families_over_15_are_extended),
	  TEST(max_offers_only_instructions_the_host_has),
	  TEST(some_bits_follow_the_state),
	  TEST(topology_leaves_take_the_apic_id_apart),
	  TEST(past_the_last_leaf_each_vendor_has_its_answer),
	  TEST(the_hypervisor_names_itself_unless_hidden),
	  TEST(registers_agree_with_cpuid))
