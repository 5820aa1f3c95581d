/* cpu/x86/cpuid.h - CPU models, features and the CPUID instruction.
 *
 * A feature is one CPUID bit, named as QEMU's -cpu names it.  A model is a
 * named set of them; `max` is all that the host has and Husk covers, `host`
 * the same with the host's name.  The decoder refuses instructions whose
 * feature is not in the vCPU's set, so CPUID always tells the truth.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_CPUID_H
#define CPU_X86_CPUID_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* feature.def rows: FEATURE(id, "qemu-name", leaf, subleaf, register, bit). */
enum feature {
	FEAT_ALWAYS,		/* on every x86-64 processor of ours */
#define FEATURE(id, ...) FEAT_##id,
#include "cpu/x86/feature.def"
#undef FEATURE
	FEAT_COUNT
};

struct features {
	uint64_t bits[(FEAT_COUNT + 63) / 64];
};

static inline bool feature_has(const struct features *f, enum feature n)
{
	return f->bits[n / 64] >> (n % 64) & 1;
}

static inline void feature_put(struct features *f, enum feature n, bool on)
{
	uint64_t bit = 1ull << (n % 64);

	f->bits[n / 64] = on ? f->bits[n / 64] | bit : f->bits[n / 64] & ~bit;
}

struct cpu_model;
struct cpu;

struct cpu_topology {
	unsigned cpus, sockets, cores, threads;
};

/* What CPUID says besides features: of the model, changed by -cpu. */
struct cpu_identity {
	char vendor[13];
	char name[49];		/* the brand string of 80000002h-4h */
	unsigned family, model, stepping;
	uint32_t level, xlevel;	/* highest leaves */
	uint8_t phys_bits;	/* MAXPHYADDR */
	bool hypervisor_leaf;	/* 40000000h is there ("kvm=off" hides it) */
};

/* What the host's CPU has and Husk covers. */
void features_of_host(struct features *f);

/* "-cpu" argument: model[,+feat][,-feat][,feat=on|off][,vendor=..][,family=..]
 * [,level=..]...; sets c->model and c->features, or says what is wrong. */
int cpu_model_parse(struct cpu *c, const char *spec, struct err *e);
/* -cpu help. */
void cpu_model_print(FILE *to);

struct cpuid_regs { uint32_t eax, ebx, ecx, edx; };
struct cpuid_regs cpuid_query(struct cpu *c, uint32_t leaf, uint32_t subleaf);
/* EAX of leaf 1, and EDX after RESET: family, model and stepping. */
uint32_t cpu_signature(const struct cpu *c);
bool cpu_is_amd(const struct cpu *c);
/* The APIC id of vCPU `index`, as the topology leaves take it apart; the
 * machine gives these to the local APICs. */
uint32_t cpu_apic_id(const struct cpu_topology *t, unsigned index);

#endif
