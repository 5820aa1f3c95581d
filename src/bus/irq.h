/* bus/irq.h - an interrupt line: a level, and whoever listens to it.
 *
 * The device owns the struct irq and drives it with irq_set(); the listener
 * is joined once, at set-up, by irq_connect().  Runs under the bus lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BUS_IRQ_H
#define BUS_IRQ_H
#include <stdbool.h>
#include <stddef.h>

/* The listening end of a line: an input pin of an interrupt controller. */
struct irq_sink {
	void (*changed)(void *ctx, unsigned pin, bool level);
	void *ctx;
	unsigned pin;
};

struct irq {
	bool level;
	struct irq_sink sink;
};

static inline void irq_connect(struct irq *i, struct irq_sink sink)
{
	i->sink = sink;
}

static inline void irq_set(struct irq *i, bool level)
{
	if (i->level == level)
		return;
	i->level = level;
	if (i->sink.changed)
		i->sink.changed(i->sink.ctx, i->sink.pin, level);
}

/* An edge-triggered source's pulse. */
static inline void irq_pulse(struct irq *i)
{
	irq_set(i, true);
	irq_set(i, false);
}
#endif
