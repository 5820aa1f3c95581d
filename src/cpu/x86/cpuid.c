/* cpu/x86/cpuid.c - the CPUID instruction.
 *
 * Feature bits come from the vCPU's set by way of feature.def; the rest is
 * composed here from identity and topology.  A few bits follow the state:
 * OSXSAVE, the APIC bit, the size of the enabled XSAVE area.
 *
 * APIC ids have a field of bits for thread, core and socket, each wide enough
 * for its count, so ids have gaps where a count is no power of two.
 *
 * The caches described are those of a plain server processor and stand for
 * nothing.  The hypervisor leaves give our name, and at 40000010h the TSC and
 * APIC timer frequencies in kHz, where other hypervisors have them too.
 *
 * Source: SDM 2A "CPUID"; AMD APM 3 appendix E.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cpuid.h>
#include <string.h>

#include "base/bytes.h"
#include "bus/clock.h"
#include "bus/intc.h"
#include "cpu/x86/feature.h"
#include "cpu/x86/model.h"
#include "cpu/x86/sysreg.h"

#define LINE		64u		/* bytes of a cache line */
#define APIC_BASE	0x1b
#define APIC_ENABLED	(1u << 11)
#define BIT_APIC	(1u << 9)	/* leaf 1 EDX */
#define BIT_HT		(1u << 28)
#define BIT_OSXSAVE	(1u << 27)	/* leaf 1 ECX */
#define AMD_COPIED	0x0183f3ffu	/* leaf 1 EDX bits also in 80000001h */
#define BIT_CMP_LEGACY	(1u << 1)

#define XSAVE_LEGACY	576u		/* with the header */
#define XSAVE_AVX	256u
#define XCR0_AVX	4u

#define HYPERVISOR_FIRST 0x40000000u
#define HYPERVISOR_LAST	0x40000010u
#define KHZ		1000u

/* ---- identity ---- */

/* SDM 2A figure 3-6: families over 15 and models over 15 have more bits. */
uint32_t cpu_signature(const struct cpu *c)
{
	unsigned family = c->id.family, extended = 0;

	if (family > 15) {
		extended = family - 15;
		family = 15;
	}
	return extended << 20 | (c->id.model >> 4 & 15) << 16 | family << 8 |
	       (c->id.model & 15) << 4 | (c->id.stepping & 15);
}

bool cpu_is_amd(const struct cpu *c)
{
	return !strcmp(c->id.vendor, "AuthenticAMD");
}

void identity_of_host(struct cpu_identity *id)
{
	uint32_t a, b, c, d, name[12] = { 0 };

	__cpuid(0, a, b, c, d);
	memcpy(id->vendor, &b, 4);
	memcpy(id->vendor + 4, &d, 4);
	memcpy(id->vendor + 8, &c, 4);
	id->vendor[12] = 0;
	__cpuid(1, a, b, c, d);
	id->family = a >> 8 & 15;
	id->model = a >> 4 & 15;
	id->stepping = a & 15;
	if (id->family == 6 || id->family == 15)
		id->model |= a >> 12 & 0xf0;
	if (id->family == 15)
		id->family += a >> 20 & 255;
	if (__get_cpuid_max(0x80000000, NULL) >= 0x80000004)
		for (unsigned i = 0; i < 3; i++)
			__cpuid(0x80000002 + i, name[4 * i], name[4 * i + 1],
				name[4 * i + 2], name[4 * i + 3]);
	memcpy(id->name, name, sizeof(name));
	id->name[sizeof(name)] = 0;
}

uint8_t host_phys_bits(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(0x80000008, &a, &b, &c, &d))
		return 36;
	return (uint8_t)a;
}

/* ---- topology ---- */

static unsigned width(unsigned count)
{
	unsigned bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

static unsigned core_shift(const struct cpu_topology *t)
{
	return width(t->threads);
}

static unsigned socket_shift(const struct cpu_topology *t)
{
	return width(t->threads) + width(t->cores);
}

uint32_t cpu_apic_id(const struct cpu_topology *t, unsigned index)
{
	unsigned threads = t->threads ? t->threads : 1;
	unsigned cores = t->cores ? t->cores : 1;

	return index / (threads * cores) << socket_shift(t) |
	       index / threads % cores << core_shift(t) | index % threads;
}

static uint32_t apic_id(const struct cpu *c)
{
	return c->intc_ops ? c->intc_ops->id(c->intc)
			   : cpu_apic_id(&c->topology, c->index);
}

/* vCPUs of one socket. */
static unsigned per_socket(const struct cpu *c)
{
	return c->topology.cores * c->topology.threads;
}

/* ---- basic leaves ---- */

static uint32_t word(const struct cpu *c, uint32_t leaf, uint32_t subleaf,
		     enum cpuid_register reg)
{
	return features_word(&c->features, leaf, subleaf, reg);
}

static struct cpuid_regs vendor_leaf(const struct cpu *c, uint32_t max)
{
	const char *v = c->id.vendor;

	return (struct cpuid_regs){ max, load_le32(v), load_le32(v + 8),
				    load_le32(v + 4) };
}

static bool apic_is_on(struct cpu *c)
{
	uint64_t base;

	return !msr_try_read(c, APIC_BASE, &base) || (base & APIC_ENABLED);
}

static struct cpuid_regs leaf_1(struct cpu *c)
{
	struct cpuid_regs r = {
		.eax = cpu_signature(c),
		.ebx = apic_id(c) << 24 |
		       1u << (socket_shift(&c->topology) + 16),
		.ecx = word(c, 1, 0, ECX),
		.edx = word(c, 1, 0, EDX),
	};

	if (feature_has(&c->features, FEAT_CLFLUSH))
		r.ebx |= LINE / 8 << 8;
	if (c->cr4 & CR4_OSXSAVE)
		r.ecx |= BIT_OSXSAVE;
	if (per_socket(c) > 1)
		r.edx |= BIT_HT;
	if (!apic_is_on(c))
		r.edx &= ~BIT_APIC;
	return r;
}

/* Leaf 4 and 8000001Dh; leaf 2 and 80000005h-6h say the same in short. */
static const struct cache {
	uint8_t type;		/* 1 data, 2 instruction, 3 both */
	uint8_t level;
	uint8_t ways;
	uint32_t bytes;
} caches[] = {
	{ 1, 1, 8, 32 * KiB },
	{ 2, 1, 8, 32 * KiB },
	{ 3, 2, 8, 2 * MiB },
	{ 3, 3, 16, 16 * MiB },
};

static struct cpuid_regs cache_leaf(const struct cpu *c, uint32_t n)
{
	const struct cpu_topology *t = &c->topology;
	const struct cache *k = &caches[n % ARRAY_LEN(caches)];
	unsigned sharing = k->level == 3 ? socket_shift(t) : core_shift(t);

	if (n >= ARRAY_LEN(caches))
		return (struct cpuid_regs){ 0 };
	return (struct cpuid_regs){
		.eax = k->type | (uint32_t)k->level << 5 | 1u << 8 |
		       ((1u << sharing) - 1) << 14 |
		       (cpu_is_amd(c) ? 0 : ((1u << width(t->cores)) - 1)
						    << 26),
		.ebx = (LINE - 1) | (uint32_t)(k->ways - 1) << 22,
		.ecx = k->bytes / LINE / k->ways - 1,
	};
}

static struct cpuid_regs leaf_b(const struct cpu *c, uint32_t n)
{
	const struct cpu_topology *t = &c->topology;
	struct cpuid_regs r = { .ecx = n & 0xff, .edx = apic_id(c) };

	if (n == 0) {			/* threads of a core */
		r.eax = core_shift(t);
		r.ebx = t->threads;
		r.ecx |= 1 << 8;
	} else if (n == 1) {		/* cores of a socket */
		r.eax = socket_shift(t);
		r.ebx = per_socket(c);
		r.ecx |= 2 << 8;
	}
	return r;
}

static uint32_t xsave_size(uint64_t components)
{
	return XSAVE_LEGACY + (components & XCR0_AVX ? XSAVE_AVX : 0);
}

static struct cpuid_regs leaf_d(const struct cpu *c, uint32_t n)
{
	uint64_t allowed = xcr0_allowed(c);

	if (!feature_has(&c->features, FEAT_XSAVE))
		return (struct cpuid_regs){ 0 };
	if (n == 0)
		return (struct cpuid_regs){ .eax = (uint32_t)allowed,
					    .ebx = xsave_size(c->xcr0),
					    .ecx = xsave_size(allowed) };
	if (n == 1)
		return (struct cpuid_regs){ .eax = word(c, 0xd, 1, EAX),
					    .ebx = xsave_size(c->xcr0) };
	if (n == 2 && (allowed & XCR0_AVX))
		return (struct cpuid_regs){ .eax = XSAVE_AVX,
					    .ebx = XSAVE_LEGACY };
	return (struct cpuid_regs){ 0 };
}

static struct cpuid_regs basic_leaf(struct cpu *c, uint32_t leaf,
				    uint32_t subleaf)
{
	const uint32_t mhz = (uint32_t)(CLOCK_TSC_HZ / 1000000);
	bool amd = cpu_is_amd(c);

	switch (leaf) {
	case 0:
		return vendor_leaf(c, c->id.level);
	case 1:
		return leaf_1(c);
	case 2:		/* L1 data, L1 code, L2, L3 (SDM table 3-12) */
		if (amd)
			break;
		return (struct cpuid_regs){ .eax = 1, .ecx = 0x4d,
					    .edx = 0x2c307d };
	case 4:
		if (amd)
			break;
		return cache_leaf(c, subleaf);
	case 5:
		if (!feature_has(&c->features, FEAT_MONITOR))
			break;
		return (struct cpuid_regs){ LINE, LINE, 3, 0 };
	case 6:
		return (struct cpuid_regs){ .eax = word(c, 6, 0, EAX) };
	case 7:
		return (struct cpuid_regs){ word(c, 7, subleaf, EAX),
					    word(c, 7, subleaf, EBX),
					    word(c, 7, subleaf, ECX),
					    word(c, 7, subleaf, EDX) };
	case 0xb:
		return leaf_b(c, subleaf);
	case 0xd:
		return leaf_d(c, subleaf);
	case 0x15:	/* TSC = crystal * 1 / 1; the APIC timer's input too */
		if (amd)
			break;
		return (struct cpuid_regs){ 1, 1, (uint32_t)CLOCK_TSC_HZ, 0 };
	case 0x16:
		if (amd)
			break;
		return (struct cpuid_regs){ mhz, mhz, 100, 0 };
	default:
		break;
	}
	return (struct cpuid_regs){ 0 };
}

/* ---- hypervisor leaves ---- */

static struct cpuid_regs hypervisor_leaf(uint32_t leaf)
{
	static const char name[] = "HuskHuskHusk";

	if (leaf == HYPERVISOR_FIRST)
		return (struct cpuid_regs){ HYPERVISOR_LAST, load_le32(name),
					    load_le32(name + 4),
					    load_le32(name + 8) };
	if (leaf == HYPERVISOR_LAST)
		return (struct cpuid_regs){
			(uint32_t)(CLOCK_TSC_HZ / KHZ), NS_PER_S / KHZ, 0, 0,
		};
	return (struct cpuid_regs){ 0 };
}

/* ---- extended leaves ---- */

static struct cpuid_regs leaf_80000001(struct cpu *c)
{
	struct cpuid_regs r = {
		.ecx = word(c, 0x80000001, 0, ECX),
		.edx = word(c, 0x80000001, 0, EDX),
	};

	if (!cpu_is_amd(c))
		return r;
	r.eax = cpu_signature(c);
	r.edx |= leaf_1(c).edx & AMD_COPIED;
	if (per_socket(c) > 1)
		r.ecx |= BIT_CMP_LEGACY;
	return r;
}

static struct cpuid_regs name_leaf(const struct cpu *c, unsigned n)
{
	const char *s = c->id.name + 16 * n;

	return (struct cpuid_regs){ load_le32(s), load_le32(s + 4),
				    load_le32(s + 8), load_le32(s + 12) };
}

/* L2 and L3; AMD's codes for 8 ways and 16 ways are 6 and 8. */
static struct cpuid_regs leaf_80000006(const struct cpu *c)
{
	struct cpuid_regs r = {
		.ecx = (uint32_t)(caches[2].bytes / KiB) << 16 | 6 << 12 | LINE,
	};

	if (cpu_is_amd(c)) {
		r.ecx |= 1 << 8;
		r.edx = (uint32_t)(caches[3].bytes / (512 * KiB)) << 18 |
			8 << 12 | 1 << 8 | LINE;
	}
	return r;
}

static struct cpuid_regs leaf_80000008(const struct cpu *c)
{
	bool lm = feature_has(&c->features, FEAT_LM);
	struct cpuid_regs r = { .eax = c->id.phys_bits |
				       (lm ? 48u : 32u) << 8 };

	if (cpu_is_amd(c) && per_socket(c) > 1)
		r.ecx = socket_shift(&c->topology) << 12 | (per_socket(c) - 1);
	return r;
}

/* Core and node of this thread, for TOPOEXT. */
static struct cpuid_regs leaf_8000001e(const struct cpu *c)
{
	const struct cpu_topology *t = &c->topology;
	uint32_t id = apic_id(c);

	return (struct cpuid_regs){
		.eax = id,
		.ebx = (t->threads - 1) << 8 |
		       (id >> core_shift(t) & ((1u << width(t->cores)) - 1)),
		.ecx = id >> socket_shift(t),
	};
}

static struct cpuid_regs extended_leaf(struct cpu *c, uint32_t leaf,
				       uint32_t subleaf)
{
	const uint32_t l1 = 32u << 24 | 8 << 16 | 1 << 8 | LINE;
	bool amd = cpu_is_amd(c);
	bool topoext = amd && feature_has(&c->features, FEAT_TOPOEXT);

	switch (leaf) {
	case 0x80000000:
		if (amd)
			return vendor_leaf(c, c->id.xlevel);
		return (struct cpuid_regs){ .eax = c->id.xlevel };
	case 0x80000001:
		return leaf_80000001(c);
	case 0x80000002: case 0x80000003: case 0x80000004:
		return name_leaf(c, leaf - 0x80000002);
	case 0x80000005:
		if (!amd)
			break;
		return (struct cpuid_regs){ .ecx = l1, .edx = l1 };
	case 0x80000006:
		return leaf_80000006(c);
	case 0x80000007:
		return (struct cpuid_regs){ .edx = word(c, leaf, 0, EDX) };
	case 0x80000008:
		return leaf_80000008(c);
	case 0x8000001d:
		if (!topoext)
			break;
		return cache_leaf(c, subleaf);
	case 0x8000001e:
		if (!topoext)
			break;
		return leaf_8000001e(c);
	default:
		break;
	}
	return (struct cpuid_regs){ 0 };
}

/* ---- all of them ---- */

/* Past the last leaf Intel's processors answer with the last basic one, AMD's
 * with zeroes. */
struct cpuid_regs cpuid_query(struct cpu *c, uint32_t leaf, uint32_t subleaf)
{
	bool hypervisor = feature_has(&c->features, FEAT_HYPERVISOR) &&
			  c->id.hypervisor_leaf;

	if (leaf >= HYPERVISOR_FIRST && leaf <= HYPERVISOR_LAST && hypervisor)
		return hypervisor_leaf(leaf);
	if (leaf >> 31 && leaf <= c->id.xlevel)
		return extended_leaf(c, leaf, subleaf);
	if (leaf <= c->id.level)
		return basic_leaf(c, leaf, subleaf);
	if (cpu_is_amd(c))
		return (struct cpuid_regs){ 0 };
	return basic_leaf(c, c->id.level, subleaf);
}
