/* dev/pc/apic_message.c - interrupts on their way into a processor: who is
 * meant, what is accepted, what is fetched and when it ends.
 *
 * A fixed interrupt waits in the IRR until its class is above that of PPR; the
 * processor fetches it (apic_ack) into the ISR, and EOI ends it.  NMI, SMI,
 * INIT and start-up go straight to the processor's pins.
 *
 * Lowest priority goes to the destination with the lowest PPR, the lowest APIC
 * id of equals.
 *
 * Source: SDM 3A 10.6 to 10.8, 10.11, 10.12.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "dev/pc/apic_inside.h"

struct message {
	uint32_t dest;
	bool logical, broadcast;
	uint8_t vector;
	enum delmod mode;
	bool level;
	const struct local *except;	/* not this one; NULL: no exception */
};

/* ---- 256-bit registers ---- */

static bool test_bit(const uint32_t reg[8], uint8_t n)
{
	return reg[n >> 5] >> (n & 31) & 1;
}

static void set_bit(uint32_t reg[8], uint8_t n, bool on)
{
	uint32_t bit = 1u << (n & 31);

	reg[n >> 5] = on ? reg[n >> 5] | bit : reg[n >> 5] & ~bit;
}

/* -1 of none. */
static int highest(const uint32_t reg[8])
{
	for (int i = 7; i >= 0; i--)
		if (reg[i])
			return 32 * i + 31 - __builtin_clz(reg[i]);
	return -1;
}

/* ---- to the processor ---- */

uint8_t apic_ppr_locked(const struct local *l)
{
	int isrv = highest(l->r->isr);

	if (isrv < 0 || l->r->tpr >> 4 >= (uint32_t)isrv >> 4)
		return (uint8_t)l->r->tpr;
	return (uint8_t)(isrv & 0xf0);
}

/* The vector that the processor would fetch, or -1. */
static int deliverable(const struct local *l)
{
	int irrv = highest(l->r->irr);

	if (!is_on(l) || irrv >> 4 <= apic_ppr_locked(l) >> 4)
		return -1;
	return irrv;
}

static enum delmod delmod_of(uint32_t lvt)
{
	return (enum delmod)(lvt >> 8 & 7);
}

/* Does the 8259 have something for this processor?  Without the APIC, LINT0
 * is the INTR pin. */
static bool extint_pending(const struct local *l)
{
	if (!is_on(l))
		return l->apic->lint[0];
	if (l->r->extint)
		return true;
	for (unsigned pin = 0; pin < 2; pin++) {
		uint32_t lvt = l->r->lvt[LVT_LINT0 + pin];

		if (l->apic->lint[pin] && !(lvt & LVT_MASKED) &&
		    delmod_of(lvt) == DM_EXTINT)
			return true;
	}
	return false;
}

void apic_update_locked(struct local *l)
{
	if (extint_pending(l) || deliverable(l) >= 0)
		vcpu_raise(l->port, VCPU_INTR);
	else if (atomic_load(&l->port->events) & VCPU_INTR)
		vcpu_lower(l->port, VCPU_INTR);
}

static int fetch_locked(struct local *l)
{
	int vector = deliverable(l);

	if (vector >= 0) {
		set_bit(l->r->irr, (uint8_t)vector, false);
		set_bit(l->r->isr, (uint8_t)vector, true);
	}
	apic_update_locked(l);
	return vector;
}

/* The INTA cycle of an ExtINT runs on the bus, so its lock comes first. */
static int ack_extint(struct local *l)
{
	struct apic *a = l->apic;
	bool take = !bus_locked_by_me(a->dev.bus);
	int vector = -1;
	bool still;

	if (take)
		bus_lock(a->dev.bus);
	apic_lock(a);
	still = extint_pending(l);
	l->r->extint = false;
	if (!still)
		vector = fetch_locked(l);
	apic_unlock(a);
	if (still && a->inta)
		vector = a->inta(a->inta_ctx);
	apic_lock(a);
	apic_update_locked(l);
	apic_unlock(a);
	if (take)
		bus_unlock(a->dev.bus);
	return vector;
}

int apic_ack(void *intc)
{
	struct local *l = intc;
	bool extint;
	int vector = -1;

	apic_lock(l->apic);
	extint = extint_pending(l);
	if (!extint)
		vector = fetch_locked(l);
	apic_unlock(l->apic);
	return extint ? ack_extint(l) : vector;
}

int apic_eoi_locked(struct local *l)
{
	int vector = highest(l->r->isr);
	bool level;

	if (vector < 0)
		return -1;
	level = test_bit(l->r->tmr, (uint8_t)vector);
	set_bit(l->r->isr, (uint8_t)vector, false);
	for (unsigned pin = 0; level && pin < 2; pin++) {
		uint32_t *lvt = &l->r->lvt[LVT_LINT0 + pin];

		if ((*lvt & LVT_VECTOR) != (uint32_t)vector)
			continue;
		*lvt &= ~LVT_REMOTE_IRR;
		apic_lint_locked(l, pin, false);
	}
	apic_update_locked(l);
	return level && !(l->r->svr & SVR_NO_EOI_BROADCAST) ? vector : -1;
}

/* ---- from its own sources ---- */

void apic_error_locked(struct local *l, uint32_t esr_bit)
{
	bool seen = l->r->errors & esr_bit;

	l->r->errors |= esr_bit;
	/* Once per bit: the error entry itself may hold an illegal vector. */
	if (!seen)
		apic_lvt_locked(l, LVT_ERROR);
}

void apic_accept_locked(struct local *l, uint8_t vector, bool level)
{
	if (!is_on(l) || !(l->r->svr & SVR_ENABLE))
		return;
	if (vector < 16) {
		apic_error_locked(l, ESR_RECV_VECTOR);
		return;
	}
	set_bit(l->r->irr, vector, true);
	set_bit(l->r->tmr, vector, level);
	apic_update_locked(l);
}

/* The modes that local and bus interrupts have in common. */
static void deliver_locked(struct local *l, enum delmod mode, uint8_t vector,
			   bool level)
{
	switch (mode) {
	case DM_FIXED:
	case DM_LOWEST:
		apic_accept_locked(l, vector, level);
		break;
	case DM_SMI:
		vcpu_raise(l->port, VCPU_SMI);
		break;
	case DM_NMI:
		vcpu_raise_nmi(l->port);
		break;
	case DM_INIT:
		vcpu_lower(l->port, VCPU_SIPI);	/* not for after this INIT */
		vcpu_raise(l->port, VCPU_INIT);
		break;
	case DM_STARTUP:
		atomic_store(&l->port->sipi_vector, vector);
		vcpu_raise(l->port, VCPU_SIPI);
		break;
	case DM_EXTINT:
		l->r->extint = true;
		apic_update_locked(l);
		break;
	case DM_RESERVED:
		break;
	}
}

void apic_lvt_locked(struct local *l, enum lvt n)
{
	uint32_t lvt = l->r->lvt[n];

	if (lvt & LVT_MASKED)
		return;
	if (n == LVT_TIMER || n == LVT_ERROR)
		lvt &= LVT_VECTOR;	/* always fixed */
	deliver_locked(l, delmod_of(lvt), (uint8_t)lvt, false);
}

void apic_lint_locked(struct local *l, unsigned pin, bool rises)
{
	uint32_t *lvt = &l->r->lvt[LVT_LINT0 + pin];
	enum delmod mode = delmod_of(*lvt);

	if (!is_on(l)) {
		if (pin == 1 && rises)
			vcpu_raise_nmi(l->port);
	} else if (!(*lvt & LVT_MASKED) && mode != DM_EXTINT) {
		if (mode != DM_FIXED || !(*lvt & LVT_LEVEL)) {
			if (rises)
				apic_lvt_locked(l, LVT_LINT0 + pin);
		} else if (l->apic->lint[pin] && !(*lvt & LVT_REMOTE_IRR)) {
			*lvt |= LVT_REMOTE_IRR;
			apic_accept_locked(l, (uint8_t)*lvt, true);
		}
	}
	apic_update_locked(l);
}

/* ---- from the bus ---- */

static bool match_logical(const struct local *l, uint32_t dest)
{
	uint32_t ldr = l->r->ldr >> 24;

	if (is_x2apic(l)) {
		ldr = l->r->ldr;
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	}
	if (dest > 0xff)
		return false;
	if (l->r->dfr >> 28 == 0xf)	/* flat model */
		return ldr & dest;
	return (ldr >> 4 == dest >> 4 || dest >> 4 == 0xf) &&
	       (ldr & dest & 0xf);
}

static bool match(const struct local *l, const struct message *m)
{
	if (!is_on(l) || l == m->except)
		return false;
	if (m->broadcast)
		return true;
	return m->logical ? match_logical(l, m->dest) :
			    local_id(l) == m->dest;
}

static void post_lowest_locked(struct apic *a, const struct message *m)
{
	struct local *best = NULL;

	for (unsigned i = 0; i < a->cpu_count; i++) {
		struct local *l = a->cpus[i];
		unsigned ppr, least;

		if (!match(l, m) || !(l->r->svr & SVR_ENABLE))
			continue;
		ppr = apic_ppr_locked(l);
		least = best ? apic_ppr_locked(best) : 0x100;
		if (ppr < least ||
		    (ppr == least && local_id(l) < local_id(best)))
			best = l;
	}
	if (best)
		deliver_locked(best, m->mode, m->vector, m->level);
}

static void post_locked(struct apic *a, const struct message *m)
{
	if (m->mode == DM_LOWEST) {
		post_lowest_locked(a, m);
		return;
	}
	for (unsigned i = 0; i < a->cpu_count; i++)
		if (match(a->cpus[i], m))
			deliver_locked(a->cpus[i], m->mode, m->vector,
				       m->level);
}

void apic_msi(void *dev, uint32_t addr, uint32_t data)
{
	struct apic *a = apic_of(dev);
	struct message m = {
		.dest = addr >> 12 & 0xff,
		.logical = addr >> 2 & 1,
		.broadcast = (addr >> 12 & 0xff) == 0xff,
		.vector = (uint8_t)data,
		.mode = delmod_of(data),
		.level = data >> 15 & 1,
	};

	/* A level's other edge says nothing that the EOI does not. */
	if (m.level && !(data & ICR_ASSERT))
		return;
	/* The redirection hint asks for one processor of several. */
	if ((addr >> 3 & 1) && m.mode == DM_FIXED)
		m.mode = DM_LOWEST;
	apic_lock(a);
	post_locked(a, &m);
	apic_unlock(a);
}

void apic_self_ipi_locked(struct local *l, uint8_t vector)
{
	if (vector < 16)
		apic_error_locked(l, ESR_SEND_VECTOR);
	else
		apic_accept_locked(l, vector, false);
}

void apic_send_ipi_locked(struct local *l)
{
	uint32_t low = (uint32_t)l->r->icr;
	uint32_t high = (uint32_t)(l->r->icr >> 32);
	struct message m = {
		.dest = is_x2apic(l) ? high : high >> 24,
		.logical = low & ICR_LOGICAL,
		.vector = (uint8_t)low,
		.mode = delmod_of(low),
	};

	m.broadcast = m.dest == (is_x2apic(l) ? 0xffffffff : 0xff);
	/* INIT level de-assert only ever set arbitration ids. */
	if (m.mode == DM_INIT && (low & ICR_LEVEL) && !(low & ICR_ASSERT))
		return;
	if ((m.mode == DM_FIXED || m.mode == DM_LOWEST) && m.vector < 16) {
		apic_error_locked(l, ESR_SEND_VECTOR);
		return;
	}
	if (m.mode == DM_EXTINT || m.mode == DM_RESERVED)
		return;
	switch (low >> 18 & 3) {	/* shorthand */
	case 1:
		if (m.mode == DM_FIXED)
			apic_self_ipi_locked(l, m.vector);
		return;
	case 2:
		m.broadcast = true;
		break;
	case 3:
		m.broadcast = true;
		m.except = l;
		break;
	}
	post_locked(l->apic, &m);
}
