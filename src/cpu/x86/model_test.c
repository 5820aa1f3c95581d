/* cpu/x86/model_test.c - the -cpu argument.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/x86/feature.h"
#include "cpu/x86/test_cpu.h"

/* A vCPU that says no warnings (only vCPU 0 does). */
static struct test_cpu *quiet(void)
{
	struct test_cpu *t = test_cpu_new();

	t->c->index = 1;
	return t;
}

static bool has(struct test_cpu *t, const char *name)
{
	enum feature n = feature_find(name, strlen(name));

	assert_int_not_equal(n, FEAT_ALWAYS);
	return feature_has(&t->c->features, n);
}

/* Words of `names` are there, those with '!' in front are not. */
static void check_features(struct test_cpu *t, const char *spec,
			   const char *names)
{
	char copy[256], *rest = copy, *name;

	assert_true(strlen(names) < sizeof(copy));
	strcpy(copy, names);
	while ((name = strsep(&rest, " "))) {
		bool wanted = *name != '!';

		if (*name && has(t, wanted ? name : name + 1) != wanted)
			TEST_FAIL("%s: %s", spec, name);
	}
}

static const struct good {
	const char *spec, *features;
	unsigned family, model, stepping;
	const char *vendor;
} good[] = {
	{ NULL, "lm sse3 cx16 nx pcid hypervisor !avx !ssse3", 15, 107, 1,
	  "AuthenticAMD" },
	{ "", "lm !avx", 15, 107, 1, "AuthenticAMD" },
	{ "qemu64", "lm", 15, 107, 1, "AuthenticAMD" },
	{ "qemu64,", "lm", 15, 107, 1, "AuthenticAMD" },
	{ "qemu32", "pae sse3 !lm", 6, 6, 3, "GenuineIntel" },
	{ "kvm64,+smep,-nx,smap=on,sse3=off", "smep smap !nx !sse3", 15, 6, 1,
	  "GenuineIntel" },
	{ "486", "fpu !tsc !mmx", 4, 8, 0, "GenuineIntel" },
	{ "pentium3", "sse mmx fxsr !sse2 !lm", 6, 7, 3, "GenuineIntel" },
	{ "Nehalem,+sse4_1,-sse4_2", "sse4.1 !sse4.2", 6, 26, 3,
	  "GenuineIntel" },
	{ "Haswell-noTSX-IBRS", "pcid invpcid smep", 6, 60, 4,
	  "GenuineIntel" },
	{ "Skylake-Client-v3", "smap", 6, 94, 3, "GenuineIntel" },
	{ "EPYC-v2", "topoext cr8legacy", 23, 1, 2, "AuthenticAMD" },
	{ "max,-avx", "!avx !avx2 !fma !f16c sse2 lm invtsc", 0, 0, 0, NULL },
	{ "max,-xsave", "!xsave !avx !xsaveopt", 0, 0, 0, NULL },
	{ "host,-vmx,-svm,migratable=off", "lm", 0, 0, 0, NULL },
	{ "base,+fpu", "fpu !hypervisor !lm", 6, 6, 3, "AuthenticAMD" },
	{ "qemu64,vendor=GenuineIntel,family=6,model=0x3c,stepping=7", "lm", 6,
	  60, 7, "GenuineIntel" },
	{ "qemu64,+pni,-i64,xd=off", "sse3 !lm !nx", 15, 107, 1,
	  "AuthenticAMD" },
	{ "qemu64,-hypervisor,kvm=off,tsc-frequency=1000000000", "!hypervisor",
	  15, 107, 1, "AuthenticAMD" },
	{ "qemu64,tsc_freq=1G,+vmx,+avx512f,pmu=off,check=off", "lm", 15, 107,
	  1, "AuthenticAMD" },
};

static void models_and_features_are_taken(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		const struct good *g = &good[i];
		struct test_cpu *t = quiet();
		struct err e;

		if (cpu_model_parse(t->c, g->spec, &e))
			TEST_FAIL("%s: %s", g->spec, e.text);
		check_features(t, g->spec, g->features);
		if (g->vendor) {
			assert_string_equal(t->c->id.vendor, g->vendor);
			assert_int_equal(t->c->id.family, g->family);
			assert_int_equal(t->c->id.model, g->model);
			assert_int_equal(t->c->id.stepping, g->stepping);
		}
		test_cpu_free(t);
	}
}

static const struct bad {
	const char *spec, *says;
} bad[] = {
	{ "Zen9", "'Zen9'" },
	{ "qemu64,+frobnicate", "'frobnicate'" },
	{ "qemu64,frobnicate", "'frobnicate'" },
	{ "qemu64,frobnicate=on", "'frobnicate'" },
	{ "qemu64,frob=7", "'frob'" },
	{ "qemu64,sse2=maybe", "'sse2'" },
	{ "qemu64,vendor=abc", "'abc'" },
	{ "qemu64,family=99999", "over 270" },
	{ "qemu64,stepping=16", "over 15" },
	{ "qemu64,phys-bits=53", "over 52" },
	{ "qemu64,tsc-frequency=2000000000", "2000000000" },
	{ "qemu64,model-id=123456789012345678901234567890123456789012345678"
	  "9", "over 48" },
	{ "qemu64,+vmx,enforce", "'vmx'" },
	{ "qemu64,enforce,+avx512f", "'avx512f'" },
	{ "qemu64,-xsave,+avx,enforce", "'avx'" },
	{ "qemu64,hv-relaxed", "'hv-relaxed'" },
	{ "qemu64,hv_spinlocks=0x1fff", "'hv-spinlocks'" },
	{ "qemu64,+la57,enforce", "'la57'" },
	{ "qemu64,lmce=on", "'lmce'" },
};

static void mistakes_are_refused_by_name(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct test_cpu *t = quiet();
		struct err e = { "" };

		if (!cpu_model_parse(t->c, bad[i].spec, &e))
			TEST_FAIL("%s was taken", bad[i].spec);
		if (!strstr(e.text, bad[i].says))
			TEST_FAIL("%s: %s", bad[i].spec, e.text);
		test_cpu_free(t);
	}
}

static void max_has_what_the_host_has(void **state)
{
	struct test_cpu *t = quiet();
	struct features host;

	features_of_host(&host);
	assert_int_equal(cpu_model_parse(t->c, "max", NULL), 0);
	feature_put(&host, FEAT_ARCH_CAPABILITIES, !cpu_is_amd(t->c));
	assert_memory_equal(&host, &t->c->features, sizeof(host));
	assert_false(has(t, "monitor"));
	assert_int_equal(cpu_model_parse(t->c, "max,+monitor", NULL), 0);
	assert_true(has(t, "monitor"));
	test_cpu_free(t);
}

static void address_bits_follow_the_paging_modes(void **state)
{
	static const struct {
		const char *spec;
		unsigned bits;
	} rows[] = {
		{ "qemu64", 40 }, { "qemu32", 32 }, { "kvm32", 36 },
		{ "qemu64,phys-bits=46", 46 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_cpu *t = quiet();

		assert_int_equal(cpu_model_parse(t->c, rows[i].spec, NULL), 0);
		assert_int_equal(t->c->id.phys_bits, rows[i].bits);
		test_cpu_free(t);
	}
}

static void the_highest_leaf_rises_to_the_features(void **state)
{
	struct test_cpu *t = quiet();

	assert_int_equal(cpu_model_parse(t->c, "Conroe,+smep", NULL), 0);
	assert_int_equal(t->c->id.level, 10);
	assert_int_equal(cpu_model_parse(t->c, "qemu32,+smep", NULL), 0);
	assert_int_equal(t->c->id.level, 7);
	assert_int_equal(cpu_model_parse(t->c, "qemu32,+smep,level=5", NULL),
			 0);
	assert_int_equal(t->c->id.level, 5);
	test_cpu_free(t);
}

TEST_MAIN("model",
	  TEST(models_and_features_are_taken),
	  TEST(mistakes_are_refused_by_name),
	  TEST(max_has_what_the_host_has),
	  TEST(address_bits_follow_the_paging_modes),
	  TEST(the_highest_leaf_rises_to_the_features))
