/* dev/pc/apic.c - the local APICs of all processors: registers, MSRs, life.
 *
 * One device holds all of them, because they hear each other's messages.  The
 * register block at FEE00000h is that of the vCPU that touches it
 * (vcpu_current()); in x2APIC mode the same registers are MSRs 800h-83Fh, with
 * reserved bits that fault.  Writes to the window outside the first page, or
 * to its first 16 bytes, are interrupt messages, as devices send them.
 *
 * At reset the boot processor is in virtual wire mode: LINT0 passes the 8259's
 * interrupts on, as firmware would have set it.
 *
 * Locks: bus lock, then apic->lock.  MMIO comes with the bus lock; MSR writes
 * that may arm the timer take it.
 *
 * Limits: the register block does not move when IA32_APIC_BASE names another
 * address; LVT polarity is kept and does not invert (pins carry assertion).
 *
 * Source: SDM 3A chapter 10, table 10-6 (x2APIC register map).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "dev/pc/apic_inside.h"

#define MSR_APIC_BASE	 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC	 0x800

/* 14h: an integrated APIC of six LVT entries that can suppress broadcasts. */
#define VERSION 0x01050014u

/* Registers, numbered as x2APIC MSRs are: MMIO offset / 16. */
enum reg {
	REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_APR = 0x09,
	REG_PPR = 0x0a, REG_EOI = 0x0b, REG_RRD = 0x0c, REG_LDR = 0x0d,
	REG_DFR = 0x0e, REG_SVR = 0x0f, REG_ISR = 0x10, REG_TMR = 0x18,
	REG_IRR = 0x20, REG_ESR = 0x28, REG_ICR = 0x30, REG_ICR_HIGH = 0x31,
	REG_LVT = 0x32, REG_TMICT = 0x38, REG_TMCCT = 0x39, REG_TDCR = 0x3e,
	REG_SELF_IPI = 0x3f, REG_COUNT = 0x40,
};

/* Who may do what, and the bits that may be written.  x2APIC faults on all
 * else; xAPIC ignores, and notes accesses to registers that are not there. */
enum { R = 1, W = 2, XR = 4, XW = 8 };	/* x: in xAPIC mode; no x: in x2APIC */

static const struct rule {
	uint8_t may;
	uint32_t writable;
} rules[REG_COUNT] = {
	[REG_ID] = { R | XR | XW, 0xff000000 },
	[REG_VERSION] = { R | XR, 0 },
	[REG_TPR] = { R | W | XR | XW, 0xff },
	[REG_APR] = { XR, 0 },
	[REG_PPR] = { R | XR, 0 },
	[REG_EOI] = { W | XW, 0 },
	[REG_RRD] = { XR, 0 },
	[REG_LDR] = { R | XR | XW, 0xff000000 },
	[REG_DFR] = { XR | XW, 0xf0000000 },
	[REG_SVR] = { R | W | XR | XW, 0x11ff },
	[REG_ISR ... REG_ESR - 1] = { R | XR, 0 },
	[REG_ESR] = { R | W | XR | XW, 0 },
	[REG_ICR] = { R | W | XR | XW, 0x000cdfff },
	[REG_ICR_HIGH] = { XR | XW, 0xff000000 },
	[REG_LVT + LVT_TIMER] = { R | W | XR | XW, 0x000710ff },
	[REG_LVT + LVT_THERMAL] = { R | W | XR | XW, 0x000117ff },
	[REG_LVT + LVT_PERF] = { R | W | XR | XW, 0x000117ff },
	[REG_LVT + LVT_LINT0] = { R | W | XR | XW, 0x0001f7ff },
	[REG_LVT + LVT_LINT1] = { R | W | XR | XW, 0x0001f7ff },
	[REG_LVT + LVT_ERROR] = { R | W | XR | XW, 0x000110ff },
	[REG_TMICT] = { R | W | XR | XW, 0xffffffff },
	[REG_TMCCT] = { R | XR, 0 },
	[REG_TDCR] = { R | W | XR | XW, 0x0b },
	[REG_SELF_IPI] = { W, 0xff },
};

#define LVT_READ_ONLY	(LVT_REMOTE_IRR | 1u << 12)

/* ---- state ---- */

static void reset_locked(struct local *l)
{
	struct apic_regs *r = l->r;
	uint64_t base = r->base, offset = r->tsc_offset;
	uint32_t xapic_id = r->xapic_id;

	*r = (struct apic_regs){
		.base = base, .tsc_offset = offset, .xapic_id = xapic_id,
		.dfr = 0xffffffff, .svr = 0xff,
	};
	for (unsigned i = 0; i < LVT_COUNT; i++)
		r->lvt[i] = LVT_MASKED;
	if (base & BASE_BSP)
		r->lvt[LVT_LINT0] = DM_EXTINT << 8;
	apic_timer_arm_locked(l);
	apic_update_locked(l);
}

static uint32_t ldr_of(const struct local *l)
{
	/* x2APIC: cluster in 31..16, one bit of 16 in 15..0. */
	return l->id >> 4 << 16 | 1u << (l->id & 15);
}

/* ---- register reads ---- */

static uint32_t read_reg_locked(struct local *l, enum reg reg)
{
	const struct apic_regs *r = l->r;

	if (reg >= REG_ISR && reg < REG_TMR)
		return r->isr[reg - REG_ISR];
	if (reg >= REG_TMR && reg < REG_IRR)
		return r->tmr[reg - REG_TMR];
	if (reg >= REG_IRR && reg < REG_ESR)
		return r->irr[reg - REG_IRR];
	if (reg >= REG_LVT && reg < REG_LVT + LVT_COUNT)
		return r->lvt[reg - REG_LVT];
	switch (reg) {
	case REG_ID:
		return is_x2apic(l) ? l->id : r->xapic_id << 24;
	case REG_VERSION:	return VERSION;
	case REG_TPR:		return r->tpr;
	case REG_APR:
	case REG_PPR:		return apic_ppr_locked(l);
	case REG_LDR:		return r->ldr;
	case REG_DFR:		return r->dfr;
	case REG_SVR:		return r->svr;
	case REG_ESR:		return r->esr;
	case REG_ICR:		return (uint32_t)r->icr;
	case REG_ICR_HIGH:	return (uint32_t)(r->icr >> 32);
	case REG_TMICT:		return r->tmict;
	case REG_TMCCT:		return apic_timer_count_locked(l);
	case REG_TDCR:		return r->tdcr;
	default:		return 0;
	}
}

/* ---- register writes ---- */

static void write_svr_locked(struct local *l, uint32_t v)
{
	l->r->svr = v;
	if (v & SVR_ENABLE)
		return;
	apic_timer_settle_locked(l);
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->r->lvt[i] |= LVT_MASKED;
	apic_timer_arm_locked(l);
	apic_update_locked(l);
}

static void write_lvt_locked(struct local *l, enum lvt n, uint32_t v)
{
	uint32_t *lvt = &l->r->lvt[n];

	v = (v & ~LVT_READ_ONLY) | (*lvt & LVT_READ_ONLY);
	if (!(l->r->svr & SVR_ENABLE))
		v |= LVT_MASKED;
	if (n == LVT_TIMER) {
		apic_timer_write_lvt_locked(l, v);
		return;
	}
	if (!(v & LVT_LEVEL))
		v &= ~LVT_REMOTE_IRR;
	*lvt = v;
	if (n == LVT_LINT0 || n == LVT_LINT1)
		apic_lint_locked(l, n - LVT_LINT0, false);
}

/* Returns the vector of an EOI to broadcast, or -1. */
static int write_reg_locked(struct local *l, enum reg reg, uint32_t v)
{
	struct apic_regs *r = l->r;

	if (reg >= REG_LVT && reg < REG_LVT + LVT_COUNT) {
		write_lvt_locked(l, (enum lvt)(reg - REG_LVT), v);
		return -1;
	}
	switch (reg) {
	case REG_ID:	r->xapic_id = v >> 24; break;
	case REG_TPR:	r->tpr = v; apic_update_locked(l); break;
	case REG_EOI:	return apic_eoi_locked(l);
	case REG_LDR:	r->ldr = v; break;
	case REG_DFR:	r->dfr = v | 0x0fffffff; break;
	case REG_SVR:	write_svr_locked(l, v); break;
	case REG_ESR:	r->esr = r->errors; r->errors = 0; break;
	case REG_ICR:
		r->icr = (r->icr & ~0xffffffffull) | (v & ~(1u << 12));
		apic_send_ipi_locked(l);
		break;
	case REG_ICR_HIGH:
		r->icr = (r->icr & 0xffffffff) | (uint64_t)v << 32;
		break;
	case REG_TMICT:	apic_timer_write_initial_locked(l, v); break;
	case REG_TDCR:	apic_timer_write_divide_locked(l, v); break;
	case REG_SELF_IPI: apic_self_ipi_locked(l, (uint8_t)v); break;
	default: break;
	}
	return -1;
}

static void broadcast_eoi(struct apic *a, int vector)
{
	bool take = vector >= 0 && !bus_locked_by_me(a->dev.bus);

	if (take)
		bus_lock(a->dev.bus);
	for (unsigned i = 0; vector >= 0 && i < a->eoi_count; i++)
		a->eois[i].eoi(a->eois[i].ctx, (uint8_t)vector);
	if (take)
		bus_unlock(a->dev.bus);
}

/* ---- MMIO ---- */

static struct local *local_here(struct apic *a)
{
	unsigned i = vcpu_current();

	return i < a->cpu_count ? a->cpus[i] : NULL;
}

static uint64_t apic_read(void *dev, uint64_t off, unsigned size)
{
	struct apic *a = dev;
	struct local *l = local_here(a);
	enum reg reg = (enum reg)(off >> 4);
	uint32_t v = 0;

	if (off >= 0x1000 || !l)
		return 0xffffffff;
	apic_lock(a);
	if (!is_on(l) || is_x2apic(l))
		v = 0xffffffff;
	else if (reg >= REG_COUNT || !(rules[reg].may & (XR | XW)))
		apic_error_locked(l, ESR_REGISTER);
	else if (!(off & 15) && (rules[reg].may & XR))
		v = read_reg_locked(l, reg);
	apic_unlock(a);
	return v;
}

static void apic_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct apic *a = dev;
	struct local *l = local_here(a);
	enum reg reg = (enum reg)(off >> 4);
	int ended = -1;

	if (off >= 0x1000 || off < 0x10) {
		apic_msi(&a->dev, (uint32_t)(BASE_ADDRESS + off),
			 (uint32_t)val);
		return;
	}
	if (!l)
		return;
	apic_lock(a);
	if (!is_on(l) || is_x2apic(l))
		;	/* nobody answers */
	else if (reg >= REG_COUNT || !(rules[reg].may & (XR | XW)))
		apic_error_locked(l, ESR_REGISTER);
	else if (!(off & 15) && (rules[reg].may & XW))
		ended = write_reg_locked(l, reg,
					 (uint32_t)val & rules[reg].writable);
	apic_unlock(a);
	broadcast_eoi(a, ended);
}

static const struct io_ops apic_io = {
	.min_size = 4, .max_size = 4, .read = apic_read, .write = apic_write,
};

/* ---- MSRs ---- */

/* The timer's registers want the bus lock; so does disabling it. */
static bool wants_bus(uint32_t msr)
{
	switch (msr) {
	case MSR_APIC_BASE:
	case MSR_TSC_DEADLINE:
	case MSR_X2APIC + REG_SVR:
	case MSR_X2APIC + REG_LVT + LVT_TIMER:
	case MSR_X2APIC + REG_TMICT:
	case MSR_X2APIC + REG_TDCR:
		return true;
	}
	return false;
}

static bool lock_for(struct local *l, bool wants)
{
	struct bus *b = l->apic->dev.bus;
	bool take = wants && !bus_locked_by_me(b);

	if (take)
		bus_lock(b);
	apic_lock(l->apic);
	return take;
}

static void unlock_for(struct local *l, bool took)
{
	apic_unlock(l->apic);
	if (took)
		bus_unlock(l->apic->dev.bus);
}

static bool write_base_locked(struct local *l, uint64_t v)
{
	uint64_t old = l->r->base;
	uint64_t mode = v & (BASE_EN | BASE_EXTD);

	/* 51..12 are the address; what the processor lacks of it faults in
	 * the processor. */
	if (v & ~(0x000ffffffffff000ull | BASE_BSP | BASE_EN | BASE_EXTD))
		return false;
	if ((v & BASE_EXTD) && !l->apic->x2apic)
		return false;
	/* SDM 3A figure 10-27: only from xAPIC to x2APIC, only off from it. */
	if (mode == BASE_EXTD || (mode == BASE_EN && (old & BASE_EXTD)) ||
	    (mode == (BASE_EN | BASE_EXTD) && !(old & BASE_EN)))
		return false;
	l->r->base = v;
	if (!(v & BASE_EN) && (old & BASE_EN)) {
		l->r->xapic_id = l->id;
		reset_locked(l);
	} else if ((v & BASE_EXTD) && !(old & BASE_EXTD)) {
		l->r->ldr = ldr_of(l);
		l->r->icr &= 0xffffffff;
	}
	apic_update_locked(l);
	return true;
}

static const struct rule *x2apic_rule(const struct local *l, uint32_t msr)
{
	uint32_t reg = msr - MSR_X2APIC;

	return is_x2apic(l) && reg < REG_COUNT ? &rules[reg] : NULL;
}

static bool read_msr_locked(struct local *l, uint32_t msr, uint64_t *value)
{
	const struct rule *rule;

	switch (msr) {
	case MSR_APIC_BASE:
		*value = l->r->base;
		return true;
	case MSR_TSC_DEADLINE:
		*value = apic_timer_deadline_locked(l);
		return true;
	}
	rule = x2apic_rule(l, msr);
	if (!rule || !(rule->may & R))
		return false;
	*value = msr == MSR_X2APIC + REG_ICR ? l->r->icr :
			read_reg_locked(l, (enum reg)(msr - MSR_X2APIC));
	return true;
}

static bool write_msr_locked(struct local *l, uint32_t msr, uint64_t v,
			     int *ended)
{
	enum reg reg = (enum reg)(msr - MSR_X2APIC);
	const struct rule *rule;

	switch (msr) {
	case MSR_APIC_BASE:
		return write_base_locked(l, v);
	case MSR_TSC_DEADLINE:
		apic_timer_write_deadline_locked(l, v);
		return true;
	}
	rule = x2apic_rule(l, msr);
	if (!rule || !(rule->may & W))
		return false;
	if (reg == REG_ICR) {
		if ((uint32_t)v & ~rule->writable)
			return false;
		l->r->icr = v & ~0xffffffffull;
	} else if (v & ~(uint64_t)rule->writable) {
		return false;
	}
	*ended = write_reg_locked(l, reg, (uint32_t)v);
	return true;
}

static bool msr_read(void *intc, uint32_t msr, uint64_t *value)
{
	struct local *l = intc;
	bool took = lock_for(l, wants_bus(msr));
	bool ok = read_msr_locked(l, msr, value);

	unlock_for(l, took);
	return ok;
}

static bool msr_write(void *intc, uint32_t msr, uint64_t value)
{
	struct local *l = intc;
	bool took = lock_for(l, wants_bus(msr));
	int ended = -1;
	bool ok = write_msr_locked(l, msr, value, &ended);

	unlock_for(l, took);
	broadcast_eoi(l->apic, ended);
	return ok;
}

/* ---- the other calls of the processor ---- */

static uint8_t cr8_read(void *intc)
{
	struct local *l = intc;
	uint8_t v;

	apic_lock(l->apic);
	v = (uint8_t)(l->r->tpr >> 4);
	apic_unlock(l->apic);
	return v;
}

static void cr8_write(void *intc, uint8_t v)
{
	struct local *l = intc;

	apic_lock(l->apic);
	l->r->tpr = (uint32_t)(v & 15) << 4;
	apic_update_locked(l);
	apic_unlock(l->apic);
}

/* INIT leaves the APIC id and IA32_APIC_BASE alone. */
static void local_init(void *intc)
{
	struct local *l = intc;
	bool took = lock_for(l, true);

	reset_locked(l);
	if (is_x2apic(l))
		l->r->ldr = ldr_of(l);
	unlock_for(l, took);
}

static uint32_t initial_id(void *intc)
{
	return ((struct local *)intc)->id;
}

static void tsc_offset(void *intc, uint64_t offset)
{
	struct local *l = intc;
	bool took = lock_for(l, true);

	apic_timer_settle_locked(l);
	l->r->tsc_offset = offset;
	apic_timer_arm_locked(l);
	unlock_for(l, took);
}

const struct intc_ops apic_intc_ops = {
	.ack = apic_ack,
	.cr8_read = cr8_read,
	.cr8_write = cr8_write,
	.msr_read = msr_read,
	.msr_write = msr_write,
	.init = local_init,
	.id = initial_id,
	.tsc_offset = tsc_offset,
};

/* ---- wiring ---- */

void apic_add_cpu(struct device *d, struct vcpu_port *port, uint32_t apic_id)
{
	struct apic *a = apic_of(d);
	struct local *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	assert(port->index == a->cpu_count && port->index < APIC_CPUS_MAX);
	assert(apic_id < APIC_CPUS_MAX);
	l->apic = a;
	l->r = &a->regs[port->index];
	l->port = port;
	l->id = apic_id;
	apic_timer_init(l);
	a->cpus[a->cpu_count++] = l;
}

void *apic_intc(struct device *d, unsigned index)
{
	struct apic *a = apic_of(d);

	return index < a->cpu_count ? a->cpus[index] : NULL;
}

static void lint_changed(void *ctx, unsigned pin, bool level)
{
	struct apic *a = ctx;
	bool rises;

	apic_lock(a);
	rises = level && !a->lint[pin];
	a->lint[pin] = level;
	for (unsigned i = 0; i < a->cpu_count; i++)
		apic_lint_locked(a->cpus[i], pin, rises);
	apic_unlock(a);
}

struct irq_sink apic_lint0(struct device *d)
{
	return (struct irq_sink){ lint_changed, apic_of(d), 0 };
}

struct irq_sink apic_lint1(struct device *d)
{
	return (struct irq_sink){ lint_changed, apic_of(d), 1 };
}

void apic_set_inta(struct device *d, int (*inta)(void *ctx), void *ctx)
{
	apic_of(d)->inta = inta;
	apic_of(d)->inta_ctx = ctx;
}

void apic_add_eoi(struct device *d, void (*eoi)(void *ctx, uint8_t vector),
		  void *ctx)
{
	struct apic *a = apic_of(d);

	assert(a->eoi_count < APIC_EOIS);
	a->eois[a->eoi_count].eoi = eoi;
	a->eois[a->eoi_count++].ctx = ctx;
}

/* ---- life ---- */

static int apic_attach(struct device *d, struct err *e)
{
	struct apic *a = apic_of(d);

	pthread_mutex_init(&a->lock, NULL);
	a->mmio.name = "apic";
	a->mmio.ops = &apic_io;
	a->mmio.dev = a;
	return bus_map_mmio(d->bus, &a->mmio, BASE_ADDRESS, 0x100000, e);
}

static void apic_reset(struct device *d)
{
	struct apic *a = apic_of(d);

	apic_lock(a);
	for (unsigned i = 0; i < a->cpu_count; i++) {
		struct local *l = a->cpus[i];

		l->r->base = BASE_ADDRESS | BASE_EN | (i ? 0 : BASE_BSP);
		l->r->xapic_id = l->id;
		l->r->tsc_offset = 0;
		reset_locked(l);
	}
	apic_unlock(a);
}

static void apic_detach(struct device *d)
{
	struct apic *a = apic_of(d);

	bus_unmap_mmio(d->bus, &a->mmio);
	for (unsigned i = 0; i < a->cpu_count; i++) {
		timer_cancel(bus_clock(d->bus), &a->cpus[i]->timer);
		free(a->cpus[i]);
	}
	pthread_mutex_destroy(&a->lock);
}

static const struct prop apic_props[] = {
	PROP(struct apic, x2apic, "x2apic", PROP_BOOL, 1,
	     "whether IA32_APIC_BASE may switch to x2APIC mode"),
	{ .name = NULL },
};

static const struct field apic_state[] = {
	FIELD(struct apic, lint), FIELD(struct apic, regs),
	{ .name = NULL },
};

const struct device_class apic_class = {
	.name = "apic",
	.summary = "local APICs of the processors",
	.category = DEVICE_BRIDGE,
	.size = sizeof(struct apic),
	.props = apic_props,
	.state = apic_state,
	.attach = apic_attach,
	.reset = apic_reset,
	.detach = apic_detach,
};
