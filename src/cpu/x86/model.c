/* cpu/x86/model.c - the CPU models, and the -cpu argument.
 *
 * A model is an identity and a list of features by name, often another model's
 * and some more.  Lists hold only what feature.def knows; what QEMU's model of
 * that name has besides (TSX, MPX, AVX-512, speculation controls) is not
 * offered, so QEMU's variants by suffix (-v2, -IBRS, -noTSX...) are the same
 * here.  qemu64 has PCIDs besides, which spare guests TLB flushes.  What the host cannot execute is taken out with a warning, or refused
 * if `enforce` is given.
 *
 * Source: SDM 2A "CPUID" for the identities' form; families and models from
 * SDM 4 table 2-1 and AMD's revision guides.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "bus/clock.h"
#include "cpu/x86/feature.h"
#include "cpu/x86/model.h"
#include "cpu/x86/paging.h"

#define INTEL "GenuineIntel"
#define AMD   "AuthenticAMD"
#define DEFAULT_MODEL "qemu64"
#define LEAF_LEVEL_MAX	0x16u
#define FAMILY_MAX	(15 + 255)
#define MODEL_MAX	255
#define STEPPING_MAX	15

struct cpu_model {
	const char *name, *vendor;
	unsigned family, model, stepping;
	uint32_t level, xlevel;
	const char *id;		/* the brand string */
	const char *base;	/* a model whose features it has, or NULL */
	const char *features;	/* by name, separated by blanks */
	const char *less;	/* of the base's, NULL for none */
};

#define PPRO "fpu de pse tsc msr mce cx8 pge cmov pat fxsr mmx sse sse2 pae "  \
	     "sep apic "
#define LONG "syscall nx lm "
#define VIRTUAL "Husk Virtual CPU"

static const struct cpu_model models[] = {
	{ "486", INTEL, 4, 8, 0, 1, 0, "", NULL, "fpu vme pse", NULL },
	{ "pentium", INTEL, 5, 4, 3, 1, 0, "", "486",
	  "de tsc msr mce cx8 mmx apic", NULL },
	{ "pentium2", INTEL, 6, 5, 2, 2, 0, "", "pentium",
	  "pae sep mtrr pge mca cmov pat pse36 fxsr", NULL },
	{ "pentium3", INTEL, 6, 7, 3, 3, 0, "", "pentium2", "sse", NULL },
	{ "qemu32", INTEL, 6, 6, 3, 4, 0x80000004, VIRTUAL, NULL,
	  PPRO "sse3", NULL },
	{ "kvm32", INTEL, 15, 6, 1, 5, 0x80000008,
	  "Common 32-bit KVM processor", NULL,
	  PPRO "vme mtrr clflush mca pse36 sse3", NULL },
	{ "qemu64", AMD, 15, 107, 1, 0xd, 0x8000000a, VIRTUAL, NULL,
	  PPRO LONG "mtrr clflush mca pse36 sse3 cx16 lahf-lm pcid invpcid",
	  NULL },
	{ "kvm64", INTEL, 15, 6, 1, 0xd, 0x80000008, "Common KVM processor",
	  NULL, PPRO LONG "vme mtrr clflush mca pse36 sse3 cx16", NULL },
	{ "Conroe", INTEL, 6, 15, 3, 10, 0x80000008,
	  "Intel Celeron_4x0 (Conroe/Merom Class Core 2)", NULL,
	  PPRO LONG "vme mtrr clflush mca pse36 sse3 ssse3 lahf-lm", NULL },
	{ "core2duo", INTEL, 6, 15, 11, 10, 0x80000008,
	  "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz", "Conroe", "cx16",
	  NULL },
	{ "Penryn", INTEL, 6, 23, 3, 10, 0x80000008,
	  "Intel Core 2 Duo P9xxx (Penryn Class Core 2)", "Conroe",
	  "cx16 sse4.1", NULL },
	{ "Nehalem", INTEL, 6, 26, 3, 11, 0x80000008,
	  "Intel Core i7 9xx (Nehalem Class Core i7)", "Penryn",
	  "sse4.2 popcnt", NULL },
	{ "Westmere", INTEL, 6, 44, 1, 11, 0x80000008,
	  "Westmere E56xx/L56xx/X56xx (Nehalem-C)", "Nehalem",
	  "aes pclmulqdq arat", NULL },
	{ "SandyBridge", INTEL, 6, 42, 1, 0xd, 0x80000008,
	  "Intel Xeon E312xx (Sandy Bridge)", "Westmere",
	  "avx xsave xsaveopt tsc-deadline x2apic rdtscp", NULL },
	{ "IvyBridge", INTEL, 6, 58, 9, 0xd, 0x80000008,
	  "Intel Xeon E3-12xx v2 (Ivy Bridge)", "SandyBridge",
	  "f16c rdrand smep fsgsbase erms", NULL },
	{ "Haswell", INTEL, 6, 60, 4, 0xd, 0x80000008,
	  "Intel Core Processor (Haswell)", "IvyBridge",
	  "movbe fma pcid bmi1 avx2 bmi2 invpcid abm", NULL },
	{ "Broadwell", INTEL, 6, 61, 2, 0xd, 0x80000008,
	  "Intel Core Processor (Broadwell)", "Haswell",
	  "rdseed adx smap 3dnowprefetch", NULL },
	{ "Skylake-Client", INTEL, 6, 94, 3, 0xd, 0x80000008,
	  "Intel Core Processor (Skylake)", "Broadwell", "xsavec xgetbv1",
	  NULL },
	{ "Skylake-Server", INTEL, 6, 85, 4, 0xd, 0x80000008,
	  "Intel Xeon Processor (Skylake)", "Skylake-Client", "pdpe1gb clwb",
	  NULL },
	{ "Cascadelake-Server", INTEL, 6, 85, 6, 0xd, 0x80000008,
	  "Intel Xeon Processor (Cascadelake)", "Skylake-Server", "", NULL },
	{ "Icelake-Server", INTEL, 6, 134, 0, 0xd, 0x80000008,
	  "Intel Xeon Processor (Icelake)", "Cascadelake-Server",
	  "sha-ni umip gfni vaes vpclmulqdq rdpid fsrm", NULL },
	{ "Denverton", INTEL, 6, 95, 1, 21, 0x80000008,
	  "Intel Atom Processor (Denverton)", NULL,
	  PPRO LONG "vme mtrr clflush mca pse36 sse3 pclmulqdq ssse3 cx16 "
		    "sse4.1 sse4.2 movbe popcnt tsc-deadline aes xsave rdrand "
		    "x2apic fsgsbase smep erms rdseed smap clflushopt sha-ni "
		    "pdpe1gb rdtscp lahf-lm 3dnowprefetch xsaveopt xsavec "
		    "xgetbv1 arat", NULL },
	{ "Opteron_G1", AMD, 15, 6, 1, 5, 0x80000008,
	  "AMD Opteron 240 (Gen 1 Class Opteron)", "kvm64", "", "cx16" },
	{ "Opteron_G2", AMD, 15, 6, 1, 5, 0x80000008,
	  "AMD Opteron 22xx (Gen 2 Class Opteron)", "kvm64", "lahf-lm",
	  NULL },
	{ "Opteron_G3", AMD, 16, 2, 3, 5, 0x80000008,
	  "AMD Opteron 23xx (Gen 3 Class Opteron)", "Opteron_G2",
	  "popcnt abm rdtscp", NULL },
	{ "EPYC", AMD, 23, 1, 2, 0xd, 0x8000001e, "AMD EPYC Processor", NULL,
	  PPRO LONG "vme mtrr clflush mca pse36 sse3 pclmulqdq ssse3 fma cx16 "
		    "sse4.1 sse4.2 movbe popcnt aes xsave avx f16c rdrand "
		    "mmxext pdpe1gb rdtscp lahf-lm cr8legacy abm "
		    "3dnowprefetch topoext fsgsbase bmi1 avx2 smep bmi2 "
		    "rdseed adx smap clflushopt sha-ni xsaveopt xsavec "
		    "xgetbv1 arat", NULL },
	{ "EPYC-Rome", AMD, 23, 49, 0, 0xd, 0x8000001e,
	  "AMD EPYC-Rome Processor", "EPYC", "clwb umip rdpid", NULL },
	{ "EPYC-Milan", AMD, 25, 1, 1, 0xd, 0x8000001e,
	  "AMD EPYC-Milan Processor", "EPYC-Rome",
	  "pcid invpcid erms fsrm vaes vpclmulqdq", NULL },
	{ "base", AMD, 6, 6, 3, 0xd, 0x80000008, VIRTUAL, NULL, "", NULL },
	{ "max", NULL, 0, 0, 0, LEAF_LEVEL_MAX, 0x8000001e, NULL, NULL, NULL,
	  NULL },
	{ "host", NULL, 0, 0, 0, LEAF_LEVEL_MAX, 0x8000001e, NULL, NULL, NULL,
	  NULL },
};

/* Suffixes of QEMU's variants that make no difference here; "-v" is followed
 * by digits. */
static const char *const variant_suffixes[] = { "-noTSX", "-IBRS", "-IBPB" };

/* ---- finding a model ---- */

static size_t without_variant(const char *name, size_t len)
{
	size_t n = len;

	for (unsigned i = 0; i < ARRAY_LEN(variant_suffixes); i++) {
		size_t s = strlen(variant_suffixes[i]);

		if (len > s && !memcmp(name + len - s, variant_suffixes[i], s))
			return len - s;
	}
	while (n && name[n - 1] >= '0' && name[n - 1] <= '9')
		n--;
	if (n < len && n > 2 && name[n - 1] == 'v' && name[n - 2] == '-')
		return n - 2;
	return len;
}

static const struct cpu_model *find_model(const char *name, size_t len)
{
	for (;;) {
		size_t shorter;

		for (unsigned i = 0; i < ARRAY_LEN(models); i++)
			if (strlen(models[i].name) == len &&
			    !memcmp(models[i].name, name, len))
				return &models[i];
		shorter = without_variant(name, len);
		if (shorter == len)
			return NULL;
		len = shorter;
	}
}

/* ---- what a model has ---- */

static void put_names(struct features *f, const char *names, bool on)
{
	while (names && *names) {
		size_t len = strcspn(names, " ");

		feature_put(f, feature_find(names, len), on);
		names += len;
		names += strspn(names, " ");
	}
}

static void model_features(const struct cpu_model *m, struct features *f)
{
	if (m->base)
		model_features(find_model(m->base, strlen(m->base)), f);
	put_names(f, m->features, true);
	put_names(f, m->less, false);
}

static void take_identity(struct cpu *c, const struct cpu_model *m)
{
	struct cpu_identity *id = &c->id;

	*id = (struct cpu_identity){
		.family = m->family, .model = m->model,
		.stepping = m->stepping, .level = m->level,
		.xlevel = m->xlevel, .phys_bits = PHYS_BITS_DEFAULT,
		.hypervisor_leaf = true,
	};
	if (m->vendor) {
		strcpy(id->vendor, m->vendor);
		strcpy(id->name, m->id);
		return;
	}
	identity_of_host(id);
	if (!strcmp(m->name, "max"))
		strcpy(id->name, VIRTUAL);
}

/* Facts of our processors that spare a guest a slower way: the TSC is
 * invariant, and Intel's fault of reading the supervisor's memory ahead of the
 * check is not there (else Linux has page tables of its own for user code). */
static void add_what_is_true(struct cpu *c)
{
	bool lm = feature_has(&c->features, FEAT_LM);

	feature_put(&c->features, FEAT_HYPERVISOR, true);
	if (lm)
		feature_put(&c->features, FEAT_INVTSC, true);
	if (lm && !cpu_is_amd(c))
		feature_put(&c->features, FEAT_ARCH_CAPABILITIES, true);
}

static void take_model(struct cpu *c, const struct cpu_model *m)
{
	c->model = m;
	take_identity(c, m);
	memset(&c->features, 0, sizeof(c->features));
	if (m->features)
		model_features(m, &c->features);
	else
		features_of_host(&c->features);
	if (strcmp(m->name, "base"))
		add_what_is_true(c);
}

/* ---- properties ---- */

/* What the argument says besides features. */
struct choice {
	struct cpu *c;
	struct features plus;	/* asked for by name */
	bool check, enforce;
	bool level_given, phys_bits_given, host_phys_bits;
};

static int put_vendor(struct choice *o, const char *v, struct err *e)
{
	if (strlen(v) != 12)
		return fail(e, EINVAL, "cpu property 'vendor': '%s' has %zu "
			    "characters, not 12", v, strlen(v));
	strcpy(o->c->id.vendor, v);
	return 0;
}

static int put_name(struct choice *o, const char *v, struct err *e)
{
	if (strlen(v) >= sizeof(o->c->id.name))
		return fail(e, EINVAL, "cpu property 'model-id': %zu "
			    "characters are over 48", strlen(v));
	strcpy(o->c->id.name, v);
	return 0;
}

static int put_number(const char *key, const char *v, uint64_t min,
		      uint64_t max, uint64_t *out, struct err *e)
{
	char what[64];

	(void)snprintf(what, sizeof(what), "cpu property '%s'", key);
	return parse_u64(what, v, min, max, out, e);
}

/* Sizes of frequencies are decimal: 1G is 10^9. */
static int put_frequency(struct choice *o, const char *v, struct err *e)
{
	char *end;
	double hz = strtod(v, &end);

	switch (*end) {
	case 'k': case 'K': hz *= 1e3; end++; break;
	case 'm': case 'M': hz *= 1e6; end++; break;
	case 'g': case 'G': hz *= 1e9; end++; break;
	}
	if (end == v || *end)
		return fail(e, EINVAL, "cpu property 'tsc-frequency': '%s' is "
			    "not a frequency", v);
	if (hz != (double)CLOCK_TSC_HZ)
		return fail(e, ENOTSUP, "cpu property 'tsc-frequency': %s is "
			    "not in this version, only %llu", v, CLOCK_TSC_HZ);
	return 0;
}

static const struct number {
	const char *key;
	uint64_t min, max;
	uint8_t size;
	size_t offset;
} numbers[] = {
#define AT(field) sizeof(((struct cpu_identity *)0)->field),                  \
		  offsetof(struct cpu_identity, field)
	{ "family", 0, FAMILY_MAX, AT(family) },
	{ "model", 0, MODEL_MAX, AT(model) },
	{ "stepping", 0, STEPPING_MAX, AT(stepping) },
	{ "level", 0, LEAF_LEVEL_MAX, AT(level) },
	{ "min-level", 0, LEAF_LEVEL_MAX, AT(level) },
	{ "xlevel", 0, 0x8000001e, AT(xlevel) },
	{ "min-xlevel", 0, 0x8000001e, AT(xlevel) },
	{ "phys-bits", 32, 52, AT(phys_bits) },
#undef AT
};

static const struct number *find_number(const char *key)
{
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
		if (!strcmp(numbers[i].key, key))
			return &numbers[i];
	return NULL;
}

static int put_identity_number(struct choice *o, const struct number *n,
			       const char *v, struct err *e)
{
	uint64_t value;
	int rc = put_number(n->key, v, n->min, n->max, &value, e);

	if (strstr(n->key, "level"))
		o->level_given = true;
	if (!strcmp(n->key, "phys-bits"))
		o->phys_bits_given = true;
	if (!rc)
		memcpy((char *)&o->c->id + n->offset, &value, n->size);
	return rc;
}

/* Switches that are neither features nor numbers.  `only`: the value that is
 * granted because it changes nothing, or -1 for both. */
static const struct {
	const char *key;
	int only;
} ignored_switches[] = {
	{ "migratable", -1 },	{ "full-cpuid-auto-level", -1 },
	{ "host-cache-info", -1 }, { "l3-cache", -1 },
	{ "fill-mtrr-mask", -1 }, { "tcg-cpuid", -1 },
	{ "legacy-cache", -1 }, { "kvm-no-smi-migration", -1 },
	{ "vmware-cpuid-freq", -1 }, { "start-powered-off", 0 },
	{ "lmce", 0 },
};

static int put_switch(struct choice *o, const char *key, bool on,
		      struct err *e)
{
	if (!strcmp(key, "check"))
		o->check = on;
	else if (!strcmp(key, "enforce"))
		o->enforce = on;
	else if (!strcmp(key, "kvm"))
		o->c->id.hypervisor_leaf = on;
	else if (!strcmp(key, "host-phys-bits"))
		o->host_phys_bits = on;
	else {
		for (unsigned i = 0; i < ARRAY_LEN(ignored_switches); i++)
			if (!strcmp(ignored_switches[i].key, key) &&
			    (ignored_switches[i].only < 0 || !on))
				return 0;
		if (!strncmp(key, "hv-", 3) && !on)
			return 0;
		return fail(e, ENOTSUP, "cpu property '%s' is not in this "
			    "version", key);
	}
	return 0;
}

static int warn_or_refuse(struct choice *o, struct err *e, const char *what,
			  size_t len, const char *why)
{
	if (o->enforce)
		return fail(e, ENOTSUP, "cpu feature '%.*s' %s", (int)len,
			    what, why);
	if (o->check && o->c->index == 0)
		log_warn("cpu feature '%.*s' %s and is left out", (int)len,
			 what, why);
	return 0;
}

/* 1: not a feature of any kind. */
static int put_feature(struct choice *o, const char *key, size_t len, bool on,
		       struct err *e)
{
	enum feature n = feature_find(key, len);

	if (n != FEAT_ALWAYS) {
		feature_put(&o->c->features, n, on);
		feature_put(&o->plus, n, on);
		return 0;
	}
	if (!feature_is_foreign(key, len))
		return 1;
	return on ? warn_or_refuse(o, e, key, len, "is not one of ours") : 0;
}

static int put_key_value(struct choice *o, const char *key, const char *v,
			 struct err *e)
{
	const struct number *n = find_number(key);
	char what[64];
	bool on;
	int rc;

	if (n)
		return put_identity_number(o, n, v, e);
	if (!strcmp(key, "vendor"))
		return put_vendor(o, v, e);
	if (!strcmp(key, "model-id"))
		return put_name(o, v, e);
	if (!strcmp(key, "tsc-frequency") || !strcmp(key, "tsc-freq"))
		return put_frequency(o, v, e);
	if (!strncmp(key, "hv-", 3) && strcmp(v, "off"))
		return fail(e, ENOTSUP, "cpu property '%s' is not in this "
			    "version", key);
	if (feature_find(key, strlen(key)) == FEAT_ALWAYS &&
	    !feature_is_foreign(key, strlen(key)))
		return parse_bool("cpu property", v, &on, NULL)
			       ? fail(e, EINVAL, "cpu property '%s' is unknown",
				      key)
			       : put_switch(o, key, on, e);
	(void)snprintf(what, sizeof(what), "cpu feature '%s'", key);
	rc = parse_bool(what, v, &on, e);
	return rc ? rc : put_feature(o, key, strlen(key), on, e);
}

/* One item between commas, writable. */
static int put_item(struct choice *o, char *item, struct err *e)
{
	char *value = strchr(item, '=');
	int rc;

	if (*item == '+' || *item == '-') {
		rc = put_feature(o, item + 1, strlen(item + 1), *item == '+',
				 e);
		return rc > 0 ? fail(e, EINVAL, "cpu feature '%s' is unknown, "
				     "'-cpu help' lists them", item + 1)
			      : rc;
	}
	if (value)
		*value++ = 0;
	for (char *p = item; *p; p++)
		if (*p == '_')
			*p = '-';
	return put_key_value(o, item, value ? value : "on", e);
}

/* ---- the argument ---- */

/* Take out what the host cannot do, and what needs what is not there. */
static int settle_features(struct choice *o, struct err *e)
{
	struct features *f = &o->c->features;
	enum feature dropped, need;
	char why[80];

	for (unsigned i = FEAT_ALWAYS + 1; i < FEAT_COUNT; i++) {
		enum feature n = (enum feature)i;
		const char *name = feature_row(n)->name;

		if (!feature_has(f, n) || feature_is_offered(n))
			continue;
		feature_put(f, n, false);
		if (warn_or_refuse(o, e, name, strlen(name),
				   "cannot be had on this host"))
			return -ENOTSUP;
	}
	while ((dropped = features_drop_dependent(f, &need)) != FEAT_ALWAYS) {
		const char *name = feature_row(dropped)->name;

		(void)snprintf(why, sizeof(why), "needs '%s'",
			       feature_row(need)->name);
		if (feature_has(&o->plus, dropped) &&
		    warn_or_refuse(o, e, name, strlen(name), why))
			return -ENOTSUP;
	}
	return 0;
}

/* Physical address bits follow from what paging can reach. */
static void settle_phys_bits(struct choice *o)
{
	struct cpu *c = o->c;

	if (o->host_phys_bits)
		c->id.phys_bits = host_phys_bits();
	else if (!o->phys_bits_given && !feature_has(&c->features, FEAT_LM))
		c->id.phys_bits = feature_has(&c->features, FEAT_PSE36) ? 36
									 : 32;
}

/* A feature is of no use below its leaf. */
static void settle_levels(struct cpu *c)
{
	for (unsigned i = FEAT_ALWAYS + 1; i < FEAT_COUNT; i++) {
		uint32_t leaf = feature_row((enum feature)i)->leaf;
		uint32_t *level = leaf >> 31 ? &c->id.xlevel : &c->id.level;

		if (feature_has(&c->features, (enum feature)i) &&
		    leaf > *level)
			*level = leaf;
	}
	if (feature_has(&c->features, FEAT_LM) && c->id.xlevel < 0x80000008)
		c->id.xlevel = 0x80000008;
}

int cpu_model_parse(struct cpu *c, const char *spec, struct err *e)
{
	struct choice o = { .c = c, .check = true };
	size_t len = spec ? strcspn(spec, ",") : 0;
	const struct cpu_model *m;
	char *copy, *item, *rest;
	int rc = 0;

	if (!len) {
		spec = spec ? spec : "";
		m = find_model(DEFAULT_MODEL, strlen(DEFAULT_MODEL));
	} else {
		m = find_model(spec, len);
	}
	if (!m)
		return fail(e, EINVAL, "cpu model '%.*s' is unknown, '-cpu "
			    "help' lists them", (int)len, spec);
	take_model(c, m);
	/* Switches first: they say what becomes of features we lack. */
	o.enforce = strstr(spec, ",enforce") &&
		    !strstr(spec, ",enforce=off");
	copy = xstrdup(spec[len] ? spec + len + 1 : "");
	for (rest = copy; !rc && (item = strsep(&rest, ","));)
		if (*item)
			rc = put_item(&o, item, e);
	free(copy);
	if (!rc)
		rc = settle_features(&o, e);
	if (rc)
		return rc;
	settle_phys_bits(&o);
	if (!o.level_given)
		settle_levels(c);
	return 0;
}

void cpu_model_print(FILE *to)
{
	unsigned column = 80;

	fprintf(to, "Available CPUs:\n");
	for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
		const struct cpu_model *m = &models[i];

		fprintf(to, "x86 %-20s  %s\n", m->name,
			m->id ? m->id
			      : "all that this host has and Husk covers");
	}
	fprintf(to, "\nRecognized CPUID flags:");
	for (unsigned i = FEAT_ALWAYS + 1; i < FEAT_COUNT; i++) {
		const char *name = feature_row((enum feature)i)->name;

		if (column + strlen(name) >= 78) {
			fprintf(to, "\n ");
			column = 1;
		}
		column += (unsigned)fprintf(to, " %s", name);
	}
	fprintf(to, "\n");
}
