/* cpu/x86/feature.c - CPUID features: names, what the host has, and which need
 * which.
 *
 * Instructions that the host executes for the guest (decisions: vector, AES,
 * bit manipulation...) can only be offered if the host has them; paging,
 * timers and other system features are Husk's own and need nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cpuid.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/x86/feature.h"

static const struct feature_row rows[FEAT_COUNT] = {
#define FEATURE(id, name_, leaf_, subleaf_, reg_, bit_)                       \
	[FEAT_##id] = { .name = (name_), .leaf = (leaf_),                     \
			.subleaf = (subleaf_), .reg = (reg_),                 \
			.bit = (bit_) },
#include "cpu/x86/feature.def"
#undef FEATURE
};

const struct feature_row *feature_row(enum feature n)
{
	return &rows[n];
}

/* ---- names ---- */

static const struct {
	const char *name;
	uint8_t feature;
} aliases[] = {
	{ "sse3", FEAT_SSE3 },	    { "pni", FEAT_SSE3 },
	{ "sse4-1", FEAT_SSE41 },   { "sse4-2", FEAT_SSE42 },
	{ "xd", FEAT_NX },	    { "i64", FEAT_LM },
	{ "lzcnt", FEAT_ABM },	    { "cr8-legacy", FEAT_CR8LEGACY },
	{ "sha", FEAT_SHA_NI },	    { "tsc-deadline-timer", FEAT_TSC_DEADLINE },
};

/* Names QEMU's -cpu takes for what Husk's processors do not have: turning one
 * off is granted, turning it on gives a warning.  "kvm-" and "vmx-" names are
 * all of this kind. */
static const char foreign[] =
	" 3dnow 3dnowext ace2 ace2-en acpi amd-no-ssb amd-ssbd amd-stibp "
	"amx-bf16 amx-int8 amx-tile arch-lbr avic avx-vnni "
	"avx512-4fmaps avx512-4vnniw avx512-bf16 avx512-fp16 "
	"avx512-vp2intersect avx512-vpopcntdq avx512bitalg avx512bw avx512cd "
	"avx512dq avx512er avx512f avx512ifma avx512pf avx512vbmi "
	"avx512vbmi2 avx512vl avx512vnni bus-lock-detect cid cldemote clzero "
	"core-capability dca decodeassists ds ds-cpl dtes64 est extapic "
	"ffxsr flushbyasid fma4 full-width-write fxsr-opt hle ia64 ibpb ibrs "
	"ibrs-all ibs intel-pt intel-pt-lip kvmclock kvmclock-stable-bit lbrv "
	"lwp md-clear mds-no misalignsse movdir64b movdiri mpx nodeid-msr npt "
	"nrip-save osvw pause-filter pbe pcommit pdcm perfctr-core "
	"perfctr-nb pfthreshold phe phe-en pks pku pmm pmm-en pmu pn "
	"pschange-mc-no rdctl-no rsba rtm serialize sgx sgx-debug "
	"sgx-exinfo sgx-kss sgx-mode64 sgx-provisionkey sgx-tokenkey sgx1 "
	"sgx2 sgxlc skinit skip-l1dfl-vmentry smx spec-ctrl "
	"split-lock-detect ss ssb-no ssbd sse4a stibp svm svm-lock "
	"svme-addr-chk taa-no tbm tce tm tm2 tsc-scale tsx-ctrl tsx-ldtrk "
	"v-vmsave-vmload vgif virt-ssbd vmcb-clean vmx waitpkg wbnoinvd wdt "
	"xcrypt xcrypt-en xfd xop xsaveerptr xstore xstore-en xtpr ";

#define NAME_MAX_LEN 32

/* Into buf of NAME_MAX_LEN, with '-' for '_'; false: too long. */
static bool normalize(char *buf, const char *name, size_t len)
{
	if (len >= NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		buf[i] = name[i] == '_' ? '-' : name[i];
	buf[len] = 0;
	return true;
}

enum feature feature_find(const char *name, size_t len)
{
	char key[NAME_MAX_LEN];

	if (!normalize(key, name, len))
		return FEAT_ALWAYS;
	for (unsigned i = FEAT_ALWAYS + 1; i < FEAT_COUNT; i++)
		if (!strcmp(rows[i].name, key))
			return (enum feature)i;
	for (unsigned i = 0; i < ARRAY_LEN(aliases); i++)
		if (!strcmp(aliases[i].name, key))
			return (enum feature)aliases[i].feature;
	return FEAT_ALWAYS;
}

bool feature_is_foreign(const char *name, size_t len)
{
	char key[NAME_MAX_LEN + 2] = " ";

	if (!len || !normalize(key + 1, name, len))
		return false;
	if (!strncmp(key + 1, "kvm-", 4) || !strncmp(key + 1, "vmx-", 4))
		return true;
	strcat(key, " ");
	return strstr(foreign, key) != NULL;
}

/* ---- sets ---- */

uint32_t features_word(const struct features *f, uint32_t leaf,
		       uint32_t subleaf, enum cpuid_register reg)
{
	uint32_t word = 0;

	for (unsigned i = FEAT_ALWAYS + 1; i < FEAT_COUNT; i++) {
		const struct feature_row *r = &rows[i];

		if (r->leaf == leaf && r->subleaf == subleaf &&
		    r->reg == reg && feature_has(f, (enum feature)i))
			word |= 1u << r->bit;
	}
	return word;
}

/* Made by Husk, whatever the host has. */
static bool is_own(enum feature n)
{
	switch (n) {
	case FEAT_VME: case FEAT_DE: case FEAT_PSE: case FEAT_PAE:
	case FEAT_MCE: case FEAT_APIC: case FEAT_SEP: case FEAT_MTRR:
	case FEAT_PGE: case FEAT_MCA: case FEAT_PAT: case FEAT_PSE36:
	case FEAT_TSC: case FEAT_MSR: case FEAT_PCID: case FEAT_X2APIC:
	case FEAT_TSC_DEADLINE: case FEAT_HYPERVISOR: case FEAT_ARAT:
	case FEAT_FSGSBASE: case FEAT_TSC_ADJUST: case FEAT_SMEP:
	case FEAT_SMAP: case FEAT_UMIP: case FEAT_INVPCID: case FEAT_RDPID:
	case FEAT_ERMS: case FEAT_FSRM: case FEAT_SYSCALL: case FEAT_NX:
	case FEAT_PDPE1GB: case FEAT_RDTSCP: case FEAT_LM:
	case FEAT_LAHF_LM: case FEAT_CR8LEGACY: case FEAT_PREFETCHW:
	case FEAT_CLFLUSH: case FEAT_CLFLUSHOPT: case FEAT_CLWB:
	case FEAT_INVTSC: case FEAT_MONITOR: case FEAT_HT:
	case FEAT_CMP_LEGACY: case FEAT_TOPOEXT:
	case FEAT_ARCH_CAPABILITIES:
		return true;
	default:
		return false;
	}
}

static bool host_bit(const struct feature_row *r)
{
	unsigned regs[4];

	if (!__get_cpuid_count(r->leaf, r->subleaf, &regs[0], &regs[1],
			       &regs[2], &regs[3]))
		return false;
	return regs[r->reg] >> r->bit & 1;
}

/* Does the host's kernel keep the upper halves of YMM registers? */
static bool host_keeps_ymm(void)
{
	unsigned a, b, c, d;
	uint32_t low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1))
		return false;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & 6) == 6;
}

static bool needs_ymm(enum feature n)
{
	return n == FEAT_AVX || n == FEAT_AVX2 || n == FEAT_FMA ||
	       n == FEAT_F16C || n == FEAT_VAES || n == FEAT_VPCLMULQDQ;
}

bool feature_is_offered(enum feature n)
{
	if (n == FEAT_LA57)
		return false;
	if (is_own(n))
		return true;
	return host_bit(&rows[n]) && (!needs_ymm(n) || host_keeps_ymm());
}

/* Not by itself: MWAIT that never waits is worse than HLT, the next three
 * describe topologies, and the last is for Intel's processors (model.c). */
static bool on_request(enum feature n)
{
	return n == FEAT_MONITOR || n == FEAT_HT || n == FEAT_CMP_LEGACY ||
	       n == FEAT_TOPOEXT || n == FEAT_ARCH_CAPABILITIES;
}

void features_of_host(struct features *f)
{
	memset(f, 0, sizeof(*f));
	for (unsigned i = FEAT_ALWAYS + 1; i < FEAT_COUNT; i++)
		if (feature_is_offered((enum feature)i) &&
		    !on_request((enum feature)i))
			feature_put(f, (enum feature)i, true);
}

/* ---- which need which ---- */

static const struct {
	uint8_t feature, needs;
} needs[] = {
	{ FEAT_FXSR, FEAT_FPU },	{ FEAT_MMX, FEAT_FPU },
	{ FEAT_SSE, FEAT_FXSR },	{ FEAT_SSE2, FEAT_SSE },
	{ FEAT_SSE3, FEAT_SSE2 },	{ FEAT_SSSE3, FEAT_SSE3 },
	{ FEAT_SSE41, FEAT_SSSE3 },	{ FEAT_SSE42, FEAT_SSE41 },
	{ FEAT_PCLMULQDQ, FEAT_SSE2 },	{ FEAT_AES, FEAT_SSE2 },
	{ FEAT_SHA_NI, FEAT_SSE2 },	{ FEAT_GFNI, FEAT_SSE2 },
	{ FEAT_XSAVE, FEAT_FXSR },	{ FEAT_AVX, FEAT_XSAVE },
	{ FEAT_AVX, FEAT_SSE42 },	{ FEAT_AVX2, FEAT_AVX },
	{ FEAT_FMA, FEAT_AVX },		{ FEAT_F16C, FEAT_AVX },
	{ FEAT_VAES, FEAT_AVX },	{ FEAT_VPCLMULQDQ, FEAT_AVX },
	{ FEAT_XSAVEOPT, FEAT_XSAVE },	{ FEAT_XSAVEC, FEAT_XSAVE },
	{ FEAT_XGETBV1, FEAT_XSAVE },	{ FEAT_XSAVES, FEAT_XSAVEC },
	{ FEAT_MMXEXT, FEAT_MMX },	{ FEAT_PSE36, FEAT_PSE },
	{ FEAT_X2APIC, FEAT_APIC },	{ FEAT_TSC_DEADLINE, FEAT_APIC },
	{ FEAT_ARAT, FEAT_APIC },	{ FEAT_RDTSCP, FEAT_TSC },
	{ FEAT_TSC_ADJUST, FEAT_TSC },	{ FEAT_INVTSC, FEAT_TSC },
	{ FEAT_NX, FEAT_PAE },		{ FEAT_MCA, FEAT_MCE },
	{ FEAT_LM, FEAT_PAE },		{ FEAT_LM, FEAT_SSE2 },
	{ FEAT_LM, FEAT_MSR },		{ FEAT_LM, FEAT_SYSCALL },
	{ FEAT_LM, FEAT_CMOV },		{ FEAT_LAHF_LM, FEAT_LM },
	{ FEAT_CX16, FEAT_LM },		{ FEAT_PDPE1GB, FEAT_LM },
	{ FEAT_PCID, FEAT_LM },		{ FEAT_FSGSBASE, FEAT_LM },
};

enum feature features_drop_dependent(struct features *f, enum feature *need)
{
	for (unsigned i = 0; i < ARRAY_LEN(needs); i++) {
		enum feature n = (enum feature)needs[i].feature;

		*need = (enum feature)needs[i].needs;
		if (feature_has(f, n) && !feature_has(f, *need)) {
			feature_put(f, n, false);
			return n;
		}
	}
	return FEAT_ALWAYS;
}
