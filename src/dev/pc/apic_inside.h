/* dev/pc/apic_inside.h - what apic.c, apic_message.c and apic_timer.c share.
 *
 * Functions that end in _locked expect the APIC lock.  Names of registers and
 * bits are those of SDM 3A chapter 10.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEV_PC_APIC_INSIDE_H
#define DEV_PC_APIC_INSIDE_H
#include <pthread.h>

#include "bus/clock.h"
#include "dev/pc/apic.h"

#define APIC_EOIS 4

/* IA32_APIC_BASE */
#define BASE_ADDRESS	0xfee00000ull
#define BASE_BSP	(1ull << 8)
#define BASE_EXTD	(1ull << 10)
#define BASE_EN		(1ull << 11)

#define SVR_ENABLE	(1u << 8)
#define SVR_NO_EOI_BROADCAST (1u << 12)

/* Local vector table; also the layout of ICR bits 0-15:
 *
 *   18..17  16    15    14     13      12      10..8   7..0
 *   timer   mask  trig  r.IRR  polar.  status  delmod  vector
 */
enum lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR,
	   LVT_COUNT };
#define LVT_VECTOR	0xffu
#define LVT_REMOTE_IRR	(1u << 14)
#define LVT_LEVEL	(1u << 15)
#define LVT_MASKED	(1u << 16)
#define LVT_TIMER_MODE	(3u << 17)
#define TIMER_ONE_SHOT	(0u << 17)
#define TIMER_PERIODIC	(1u << 17)
#define TIMER_DEADLINE	(2u << 17)

enum delmod { DM_FIXED, DM_LOWEST, DM_SMI, DM_RESERVED, DM_NMI, DM_INIT,
	      DM_STARTUP, DM_EXTINT };

#define ICR_LOGICAL	(1u << 11)
#define ICR_ASSERT	(1u << 14)
#define ICR_LEVEL	(1u << 15)

/* Error status register */
#define ESR_SEND_VECTOR	 (1u << 5)
#define ESR_RECV_VECTOR	 (1u << 6)
#define ESR_REGISTER	 (1u << 7)

/* What a snapshot keeps of one local APIC. */
struct apic_regs {
	uint64_t base;			/* IA32_APIC_BASE */
	uint64_t icr;			/* as x2APIC has it: high is 63..32 */
	uint64_t tsc_deadline, tsc_offset;
	int64_t start_ns;		/* when the count was `tmict` */
	uint32_t xapic_id;
	uint32_t tpr, ldr, dfr, svr;
	uint32_t esr, errors;		/* errors since ESR was written */
	uint32_t lvt[LVT_COUNT];
	uint32_t tmict, tdcr;
	uint32_t isr[8], tmr[8], irr[8];
	bool extint;			/* an ExtINT message is pending */
	bool expired;			/* one-shot: the count has reached 0 */
};

struct local {
	struct apic *apic;
	struct apic_regs *r;
	struct vcpu_port *port;		/* borrowed */
	uint32_t id;			/* x2APIC id, and xAPIC id at reset */
	struct clock_timer timer;	/* derived from r */
};

struct apic {
	struct device dev;
	bool x2apic;			/* property */
	struct window mmio;
	struct local *cpus[APIC_CPUS_MAX];	/* owned */
	unsigned cpu_count;
	int (*inta)(void *ctx);
	void *inta_ctx;
	struct {
		void (*eoi)(void *ctx, uint8_t vector);
		void *ctx;
	} eois[APIC_EOIS];
	unsigned eoi_count;

	pthread_mutex_t lock;		/* guards what follows */
	bool lint[2];			/* levels of the pins */
	struct apic_regs regs[APIC_CPUS_MAX];
};

static inline struct apic *apic_of(struct device *d)
{
	return container_of(d, struct apic, dev);
}

static inline void apic_lock(struct apic *a)
{
	pthread_mutex_lock(&a->lock);
}

static inline void apic_unlock(struct apic *a)
{
	pthread_mutex_unlock(&a->lock);
}

static inline bool is_on(const struct local *l)
{
	return l->r->base & BASE_EN;
}

static inline bool is_x2apic(const struct local *l)
{
	return l->r->base & BASE_EXTD;
}

static inline uint32_t local_id(const struct local *l)
{
	return is_x2apic(l) ? l->id : l->r->xapic_id;
}

/* ---- apic_message.c ---- */

/* Tell the processor whether it has an interrupt to fetch. */
void apic_update_locked(struct local *l);
uint8_t apic_ppr_locked(const struct local *l);
void apic_error_locked(struct local *l, uint32_t esr_bit);
void apic_accept_locked(struct local *l, uint8_t vector, bool level);
/* An event of the local vector table. */
void apic_lvt_locked(struct local *l, enum lvt n);
/* A LINT pin or its LVT entry has changed. */
void apic_lint_locked(struct local *l, unsigned pin, bool rises);
/* Send the IPI that r->icr describes. */
void apic_send_ipi_locked(struct local *l);
void apic_self_ipi_locked(struct local *l, uint8_t vector);
/* Returns the vector to broadcast to the I/O APICs, or -1. */
int apic_eoi_locked(struct local *l);
int apic_ack(void *intc);

/* ---- apic_timer.c; callers hold the bus lock as well ---- */

void apic_timer_init(struct local *l);
/* Let a count that has run out take effect; before any change below. */
void apic_timer_settle_locked(struct local *l);
/* Arm the clock for what the registers now say. */
void apic_timer_arm_locked(struct local *l);
uint32_t apic_timer_count_locked(const struct local *l);
void apic_timer_write_initial_locked(struct local *l, uint32_t v);
void apic_timer_write_divide_locked(struct local *l, uint32_t v);
void apic_timer_write_lvt_locked(struct local *l, uint32_t v);
void apic_timer_write_deadline_locked(struct local *l, uint64_t tsc);
uint64_t apic_timer_deadline_locked(struct local *l);
#endif
