/* cpu/x86/msr.c - model-specific registers, as one table.
 *
 * A row is there for a vCPU that has the row's feature and vendor; a register
 * without a row is #GP(0), as is every write the row does not allow.  Local
 * APIC registers are the interrupt controller's (bus/intc.h).
 *
 * Memory types and machine checks are kept for the guest to read back and have
 * no effect.  Registers that only say "nothing special here" read as constants
 * and, where firmware or kernels write them, swallow it.
 *
 * Source: SDM 4 chapter 2; SDM 3A 11.11 (MTRRs), 11.12 (PAT), 15.3 (machine
 * check), 17.17 (TSC); AMD APM 2 appendix A for C001xxxxh.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

#include "base/bytes.h"
#include "base/log.h"
#include "bus/bus.h"
#include "bus/clock.h"
#include "bus/intc.h"
#include "cpu/x86/paging.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/sysreg.h"

#define APIC_BASE	0x1b
#define APIC_BASE_EXTD	(1u << 10)	/* x2APIC mode */
#define TSC_DEADLINE	0x6e0
#define MC_BANKS	10
#define MTRR_PAIRS	8
#define MTRR_CAP	(0x500 | MTRR_PAIRS)	/* WC and fixed ranges */
#define MCG_CAP		(0x1000100 | MC_BANKS)	/* SER_P, MCG_CTL_P */
#define MTRR_MASK_VALID	0x800ull
#define MTRR_TYPE	0xffull
#define MTRR_ENABLED	0x800u		/* in the default type */
#define MTRR_FIXED_ENABLED 0x400u
#define WRITE_BACK	6u
#define RATIO		(CLOCK_TSC_HZ / 100000000)	/* of a 100 MHz bus */
#define HWCR_TSC_FIXED	0x1000000	/* TscFreqSel: counts at P0 */
#define LFENCE_SERIALIZES 2		/* in DE_CFG */

/* IA32_ARCH_CAPABILITIES: faults that are not there. */
#define RDCL_NO		(1u << 0)	/* reading ahead of the U/S check */
#define PSCHANGE_MC_NO	(1u << 6)	/* machine check at a resize */
#define TAA_NO		(1u << 8)	/* no TSX at all */

enum vendor { ANY_VENDOR, INTEL, AMD };

enum kind {
	FIELD,		/* a field of struct cpu; writes only bits of `mask` */
	CANONICAL,	/* a field that holds a linear address */
	CONSTANT,	/* reads `mask`; writes vanish */
	READONLY,	/* reads `mask`; writes are #GP */
	UNCHANGING,	/* reads `mask`; writes of anything else are #GP */
	CALL,
};

struct row {
	uint32_t first, count;
	uint8_t kind, feature, vendor;
	uint32_t offset;	/* of the first register's uint64_t */
	uint64_t mask;
	uint64_t (*read)(struct cpu *c, uint32_t n);
	bool (*write)(struct cpu *c, uint32_t n, uint64_t v);
};

uint64_t tsc_read(struct cpu *c)
{
	return clock_tsc(bus_clock(c->bus)) + (uint64_t)c->tsc_offset;
}

/* ---- time-stamp counter ---- */

static uint64_t read_tsc(struct cpu *c, uint32_t n)
{
	return tsc_read(c);
}

/* IA32_TSC_ADJUST moves with every write to the TSC, and moves it. */
static void move_tsc(struct cpu *c, uint64_t by)
{
	c->tsc_offset = (int64_t)((uint64_t)c->tsc_offset + by);
	c->tsc_adjust += by;
	if (c->intc_ops && c->intc_ops->tsc_offset)
		c->intc_ops->tsc_offset(c->intc, (uint64_t)c->tsc_offset);
}

static bool write_tsc(struct cpu *c, uint32_t n, uint64_t v)
{
	move_tsc(c, v - tsc_read(c));
	return true;
}

static uint64_t read_tsc_adjust(struct cpu *c, uint32_t n)
{
	return c->tsc_adjust;
}

static bool write_tsc_adjust(struct cpu *c, uint32_t n, uint64_t v)
{
	move_tsc(c, v - c->tsc_adjust);
	return true;
}

/* ---- long mode ---- */

static uint64_t efer_allowed(const struct cpu *c)
{
	uint64_t v = 0;

	if (feature_has(&c->features, FEAT_SYSCALL))
		v |= EFER_SCE;
	if (feature_has(&c->features, FEAT_NX))
		v |= EFER_NXE;
	if (feature_has(&c->features, FEAT_LM))
		v |= EFER_LME | EFER_LMA;
	return v;
}

static uint64_t read_efer(struct cpu *c, uint32_t n)
{
	return c->efer;
}

static bool write_efer(struct cpu *c, uint32_t n, uint64_t v)
{
	uint64_t changed = v ^ c->efer;

	if (v & ~efer_allowed(c))
		return false;
	if ((changed & EFER_LME) && (c->cr0 & CR0_PG))
		return false;
	c->efer = (v & ~(uint64_t)EFER_LMA) | (c->efer & EFER_LMA);
	if (changed & EFER_NXE)
		tlb_flush_all(c);
	c->stop_block = 1;
	return true;
}

static uint64_t read_base(struct cpu *c, uint32_t n)
{
	return c->seg[FS + n].base;
}

static bool write_base(struct cpu *c, uint32_t n, uint64_t v)
{
	if (!gva_canonical(c, v))
		return false;
	c->seg[FS + n].base = v;
	return true;
}

/* ---- memory types ---- */

static bool is_memory_type(uint8_t type)
{
	return type <= 6 && type != 2 && type != 3;
}

/* Each byte a type; `also` is one more that is allowed. */
static bool are_memory_types(uint64_t v, uint8_t also)
{
	for (unsigned i = 0; i < 8; i++, v >>= 8)
		if (!is_memory_type((uint8_t)v) && (uint8_t)v != also)
			return false;
	return true;
}

static uint64_t read_pat(struct cpu *c, uint32_t n)
{
	return c->pat;
}

static bool write_pat(struct cpu *c, uint32_t n, uint64_t v)
{
	if (!are_memory_types(v, 7))	/* 7: UC- */
		return false;
	c->pat = v;
	return true;
}

static uint64_t read_mtrr_var(struct cpu *c, uint32_t n)
{
	return c->mtrr_var[n];
}

/* Even: base and type.  Odd: mask and valid bit. */
static bool write_mtrr_var(struct cpu *c, uint32_t n, uint64_t v)
{
	uint64_t high = paging_reserved_bits(c) | 0xfffull << 52;
	uint64_t low = n & 1 ? 0xfff & ~MTRR_MASK_VALID : 0xfff & ~MTRR_TYPE;

	if (v & (high | low))
		return false;
	if (!(n & 1) && !is_memory_type((uint8_t)v))
		return false;
	c->mtrr_var[n] = v;
	return true;
}

/* 250h, 258h, 259h, 268h-26Fh are mtrr_fix[0] to [10]. */
static int mtrr_fix_index(uint32_t n)
{
	if (n == 0)
		return 0;
	if (n == 8 || n == 9)
		return (int)n - 7;
	return n >= 0x18 ? (int)n - 0x15 : -1;
}

static uint64_t read_mtrr_fix(struct cpu *c, uint32_t n)
{
	return c->mtrr_fix[mtrr_fix_index(n)];
}

static bool write_mtrr_fix(struct cpu *c, uint32_t n, uint64_t v)
{
	if (!are_memory_types(v, 0))
		return false;
	c->mtrr_fix[mtrr_fix_index(n)] = v;
	return true;
}

static uint64_t read_mtrr_def(struct cpu *c, uint32_t n)
{
	return c->mtrr_def_type;
}

static bool write_mtrr_def(struct cpu *c, uint32_t n, uint64_t v)
{
	if ((v & ~0xcffull) || !is_memory_type((uint8_t)v))
		return false;
	c->mtrr_def_type = v;
	return true;
}

void mtrr_set_up(struct cpu *c, uint64_t hole)
{
	enum { FIX_64K, FIX_16K_80000, FIX_16K_A0000, FIX_4K_C0000 };
	const uint64_t write_back = 0x0606060606060606;
	const uint64_t write_protected = 0x0505050505050505;
	uint64_t size = (1ull << 32) - hole;
	uint64_t bits = ~paging_reserved_bits(c) & 0xffffffffff000ull;

	c->mtrr_fix[FIX_64K] = c->mtrr_fix[FIX_16K_80000] = write_back;
	c->mtrr_fix[FIX_16K_A0000] = 0;		/* the VGA hole */
	for (unsigned i = FIX_4K_C0000; i < ARRAY_LEN(c->mtrr_fix); i++)
		c->mtrr_fix[i] = write_protected;
	c->mtrr_var[0] = hole;			/* uncached */
	c->mtrr_var[1] = (bits & ~(size - 1)) | MTRR_MASK_VALID;
	c->mtrr_def_type = MTRR_ENABLED | MTRR_FIXED_ENABLED | WRITE_BACK;
}

/* ---- machine check: CTL, STATUS, ADDR, MISC per bank ---- */

static uint64_t read_mc_bank(struct cpu *c, uint32_t n)
{
	return c->mc_bank[n];
}

static bool write_mc_bank(struct cpu *c, uint32_t n, uint64_t v)
{
	if (n % 4 == 0 && v && v != ~0ull)
		return false;
	if (n % 4 == 1 && v)
		return false;
	c->mc_bank[n] = v;
	return true;
}

static uint64_t read_mcg_ctl(struct cpu *c, uint32_t n)
{
	return c->mcg_ctl;
}

static bool write_mcg_ctl(struct cpu *c, uint32_t n, uint64_t v)
{
	if (v && v != ~0ull)
		return false;
	c->mcg_ctl = v;
	return true;
}

/* ---- what only some processors have ---- */

/* The upper half is the revision that CPUID leaf 1 would load (SDM 3A 9.11.7);
 * firmware and kernels write 0 first. */
static uint64_t read_ucode_rev(struct cpu *c, uint32_t n)
{
	return cpu_is_amd(c) ? 0x01000065 : 1ull << 32;
}

static bool write_ucode_rev(struct cpu *c, uint32_t n, uint64_t v)
{
	return true;
}

/* Branch trap and last-branch bits are accepted and do nothing: no CPUID bit
 * tells that they are missing. */
static uint64_t read_debugctl(struct cpu *c, uint32_t n)
{
	return 0;
}

static bool write_debugctl(struct cpu *c, uint32_t n, uint64_t v)
{
	return !(v & ~3ull);
}

/* ---- the table; what kernels touch often comes first ---- */

#define AT(field)	.offset = offsetof(struct cpu, field)
#define NEEDS(f)	.feature = FEAT_##f

static const struct row rows[] = {
	{ 0xc0000100, 2, CALL, NEEDS(LM),
	  .read = read_base, .write = write_base },
	{ 0xc0000102, 1, CANONICAL, NEEDS(LM), AT(kernel_gs_base) },
	{ 0x10, 1, CALL, NEEDS(TSC), .read = read_tsc, .write = write_tsc },
	{ 0xc0000080, 1, CALL, NEEDS(ALWAYS),
	  .read = read_efer, .write = write_efer },
	{ 0xc0000081, 1, FIELD, NEEDS(SYSCALL), AT(star), .mask = ~0ull },
	{ 0xc0000082, 1, CANONICAL, NEEDS(LM), AT(lstar) },
	{ 0xc0000083, 1, CANONICAL, NEEDS(LM), AT(cstar) },
	{ 0xc0000084, 1, FIELD, NEEDS(SYSCALL), AT(fmask),
	  .mask = 0xffffffff },
	{ 0xc0000103, 1, FIELD, NEEDS(RDTSCP), AT(tsc_aux),
	  .mask = 0xffffffff },
	{ 0xc0000103, 1, FIELD, NEEDS(RDPID), AT(tsc_aux),
	  .mask = 0xffffffff },
	{ 0x174, 1, FIELD, NEEDS(SEP), AT(sysenter_cs), .mask = ~0ull },
	{ 0x175, 1, CANONICAL, NEEDS(SEP), AT(sysenter_esp) },
	{ 0x176, 1, CANONICAL, NEEDS(SEP), AT(sysenter_eip) },
	{ 0x277, 1, CALL, NEEDS(PAT), .read = read_pat, .write = write_pat },
	{ 0x3b, 1, CALL, NEEDS(TSC_ADJUST),
	  .read = read_tsc_adjust, .write = write_tsc_adjust },
	{ 0xda0, 1, FIELD, NEEDS(XSAVES), AT(xss), .mask = 0 },

	{ 0xfe, 1, READONLY, NEEDS(MTRR), .mask = MTRR_CAP },
	{ 0x200, 2 * MTRR_PAIRS, CALL, NEEDS(MTRR),
	  .read = read_mtrr_var, .write = write_mtrr_var },
	{ 0x250, 0x20, CALL, NEEDS(MTRR),
	  .read = read_mtrr_fix, .write = write_mtrr_fix },
	{ 0x2ff, 1, CALL, NEEDS(MTRR),
	  .read = read_mtrr_def, .write = write_mtrr_def },

	{ 0x0, 2, READONLY, NEEDS(MCE), .mask = 0 },	/* P5_MC_ADDR, TYPE */
	{ 0x179, 1, READONLY, NEEDS(MCA), .mask = MCG_CAP },
	{ 0x17a, 1, FIELD, NEEDS(MCA), AT(mcg_status), .mask = 7 },
	{ 0x17b, 1, CALL, NEEDS(MCA),
	  .read = read_mcg_ctl, .write = write_mcg_ctl },
	{ 0x400, 4 * MC_BANKS, CALL, NEEDS(MCA),
	  .read = read_mc_bank, .write = write_mc_bank },

	{ 0x8b, 1, CALL, NEEDS(ALWAYS),
	  .read = read_ucode_rev, .write = write_ucode_rev },
	{ 0x1a0, 1, FIELD, NEEDS(ALWAYS), AT(misc_enable),
	  .mask = 0x1 | 1 << 3 | 1 << 16 | 1 << 18 | 3 << 22 | 1ull << 34 },
	{ 0x1d9, 1, CALL, NEEDS(ALWAYS),
	  .read = read_debugctl, .write = write_debugctl },
	{ 0x1db, 4, READONLY, NEEDS(ALWAYS), .mask = 0 },  /* last branch */

	{ 0x17, 1, READONLY, NEEDS(ALWAYS), INTEL, .mask = 0 },
	{ 0x2a, 1, CONSTANT, NEEDS(ALWAYS), INTEL, .mask = 0 },
	/* FEATURE_CONTROL: locked, nothing enabled. */
	{ 0x3a, 1, READONLY, NEEDS(ALWAYS), INTEL, .mask = 1 },
	{ 0x79, 1, CONSTANT, NEEDS(ALWAYS), INTEL, .mask = 0 },
	{ 0xce, 1, READONLY, NEEDS(ALWAYS), INTEL, .mask = RATIO << 8 },
	{ 0x10a, 1, READONLY, NEEDS(ARCH_CAPABILITIES),
	  .mask = RDCL_NO | PSCHANGE_MC_NO | TAA_NO },
	/* MISC_FEATURES_ENABLES */
	{ 0x140, 1, UNCHANGING, NEEDS(ALWAYS), INTEL, .mask = 0 },
	{ 0x198, 1, READONLY, NEEDS(ALWAYS), INTEL, .mask = RATIO << 8 },
	{ 0x199, 1, CONSTANT, NEEDS(ALWAYS), INTEL, .mask = RATIO << 8 },
	{ 0x19c, 1, CONSTANT, NEEDS(ALWAYS), INTEL, .mask = 0 },

	/* Performance events and counters of K7: never count. */
	{ 0xc0010000, 8, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	{ 0xc0010010, 1, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	{ 0xc0010015, 1, CONSTANT, NEEDS(ALWAYS), AMD,
	  .mask = HWCR_TSC_FIXED },
	/* IORRs, TOP_MEM, TOP_MEM2, NB_CFG. */
	{ 0xc0010016, 5, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	{ 0xc001001d, 1, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	{ 0xc001001f, 1, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	/* Interrupt pending message, MMIO configuration base. */
	{ 0xc0010055, 1, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	{ 0xc0010058, 1, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	{ 0xc0010061, 11, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	{ 0xc0010114, 1, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	/* LS, IC, DC and BU configuration; DE_CFG; BU_CFG2. */
	{ 0xc0011020, 4, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
	{ 0xc0011029, 1, CONSTANT, NEEDS(ALWAYS), AMD,
	  .mask = LFENCE_SERIALIZES },
	{ 0xc001102a, 1, CONSTANT, NEEDS(ALWAYS), AMD, .mask = 0 },
};

/* ---- finding and running rows ---- */

static bool row_is_there(const struct cpu *c, const struct row *r, uint32_t n)
{
	if (r->feature != FEAT_ALWAYS &&
	    !feature_has(&c->features, (enum feature)r->feature))
		return false;
	if (r->vendor && cpu_is_amd(c) != (r->vendor == AMD))
		return false;
	if (r->read == read_efer)
		return efer_allowed(c) != 0;
	return r->read != read_mtrr_fix || mtrr_fix_index(n) >= 0;
}

static const struct row *find(const struct cpu *c, uint32_t msr)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (msr - rows[i].first < rows[i].count &&
		    row_is_there(c, &rows[i], msr - rows[i].first))
			return &rows[i];
	return NULL;
}

static bool belongs_to_intc(const struct cpu *c, uint32_t msr)
{
	const struct features *f = &c->features;

	if (!c->intc_ops || !feature_has(f, FEAT_APIC))
		return false;
	return msr == APIC_BASE ||
	       (msr == TSC_DEADLINE && feature_has(f, FEAT_TSC_DEADLINE)) ||
	       (msr >> 8 == 8 && feature_has(f, FEAT_X2APIC));
}

/* What the processor lacks; the rest is for the APIC to judge. */
static uint64_t apic_base_reserved(const struct cpu *c)
{
	uint64_t r = paging_reserved_bits(c);

	if (!feature_has(&c->features, FEAT_X2APIC))
		r |= APIC_BASE_EXTD;
	return r;
}

static uint64_t *field_of(struct cpu *c, const struct row *r, uint32_t n)
{
	return (uint64_t *)(void *)((uint8_t *)c + r->offset) + n;
}

static bool row_write(struct cpu *c, const struct row *r, uint32_t n,
		      uint64_t v)
{
	switch ((enum kind)r->kind) {
	case FIELD:
		if (v & ~r->mask)
			return false;
		break;
	case CANONICAL:
		if (!gva_canonical(c, v))
			return false;
		break;
	case CONSTANT:	return true;
	case READONLY:	return false;
	case UNCHANGING: return v == r->mask;
	case CALL:	return r->write(c, n, v);
	}
	*field_of(c, r, n) = v;
	return true;
}

bool msr_try_read(struct cpu *c, uint32_t msr, uint64_t *v)
{
	const struct row *r;

	if (belongs_to_intc(c, msr))
		return c->intc_ops->msr_read(c->intc, msr, v);
	r = find(c, msr);
	if (!r)
		return false;
	if (r->kind == CALL)
		*v = r->read(c, msr - r->first);
	else if (r->kind == FIELD || r->kind == CANONICAL)
		*v = *field_of(c, r, msr - r->first);
	else
		*v = r->mask;
	return true;
}

bool msr_try_write(struct cpu *c, uint32_t msr, uint64_t v)
{
	const struct row *r;

	if (msr == APIC_BASE && (v & apic_base_reserved(c)))
		return false;
	if (belongs_to_intc(c, msr))
		return c->intc_ops->msr_write(c->intc, msr, v);
	r = find(c, msr);
	return r && row_write(c, r, msr - r->first, v);
}

uint64_t msr_read(struct cpu *c, uint32_t msr)
{
	uint64_t v;

	if (!msr_try_read(c, msr, &v)) {
		log_guest("cpu %u: rdmsr of unknown register %xh", c->index,
			  msr);
		fault_gp0(c);
	}
	return v;
}

void msr_write(struct cpu *c, uint32_t msr, uint64_t v)
{
	if (!msr_try_write(c, msr, v)) {
		log_guest("cpu %u: wrmsr %xh refuses %llxh", c->index, msr,
			  (unsigned long long)v);
		fault_gp0(c);
	}
}
