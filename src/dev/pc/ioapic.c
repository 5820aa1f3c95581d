/* dev/pc/ioapic.c - 82093AA I/O APIC: 24 pins, each with a redirection entry.
 *
 * An edge becomes a message at once, or is lost if its pin is masked.  A level
 * pin sends while it is asserted, unmasked and not already accepted (remote
 * IRR); the EOI of its vector clears remote IRR, and it sends again if still
 * asserted.  Messages have the form of MSI writes, which the local APICs take.
 *
 * Pins carry assertion, not volts: the board's wiring says which lines are
 * active low, and a guest programs the polarity to match, so the polarity bit
 * is kept and does not invert.
 *
 * Source: Intel 82093AA data sheet (290566-001) section 3; the EOI register of
 * version 20h is that of the ICH9 data sheet 13.5.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "dev/pc/ioapic.h"

#define IOAPIC_BASE	0xfec00000
#define IOREGSEL	0x00
#define IOWIN		0x10
#define IOAPIC_EOI	0x40
#define REG_ID		0x00
#define REG_VER		0x01
#define REG_ARB		0x02
#define REG_REDTBL	0x10

/* A redirection entry:
 *
 *   63..56       16    15    14     13      12      11       10..8    7..0
 *   destination  mask  trig  r.IRR  polar.  status  destmod  delmod   vector
 */
#define RTE_VECTOR	0xffull
#define RTE_DELMOD	(7ull << 8)
#define RTE_LOGICAL	(1ull << 11)
#define RTE_STATUS	(1ull << 12)
#define RTE_REMOTE_IRR	(1ull << 14)
#define RTE_LEVEL	(1ull << 15)
#define RTE_MASKED	(1ull << 16)
#define RTE_DEST_SHIFT	56
#define RTE_READ_ONLY	(RTE_STATUS | RTE_REMOTE_IRR)
#define RTE_WRITABLE	(0xff0000000001ffffull & ~RTE_READ_ONLY)

#define DELMOD_FIXED	0
#define DELMOD_LOWEST	1
#define MSI_ADDR	0xfee00000u
#define MSI_ASSERT	(1u << 14)

struct ioapic {
	struct device dev;
	uint8_t version;
	struct window mmio;
	void (*deliver)(void *ctx, uint32_t addr, uint32_t data);
	void *deliver_ctx;

	uint64_t rte[IOAPIC_PINS];
	uint32_t asserted;	/* one bit per pin */
	uint8_t select, id;
};

static struct ioapic *ioapic_of(struct device *d)
{
	return container_of(d, struct ioapic, dev);
}

static unsigned delmod_of(uint64_t rte)
{
	return (unsigned)(rte >> 8) & 7;
}

static void send(struct ioapic *io, uint64_t rte)
{
	uint32_t addr = MSI_ADDR | (uint32_t)(rte >> RTE_DEST_SHIFT) << 12;
	uint32_t data = (uint32_t)(rte & (RTE_VECTOR | RTE_DELMOD));

	if (rte & RTE_LOGICAL)
		addr |= 1 << 2;
	if (rte & RTE_LEVEL)
		data |= 1 << 15;
	if (io->deliver)
		io->deliver(io->deliver_ctx, addr, data | MSI_ASSERT);
}

/* Send what a level pin has to say. */
static void service(struct ioapic *io, unsigned pin)
{
	uint64_t rte = io->rte[pin];

	if (!(io->asserted >> pin & 1) || !(rte & RTE_LEVEL) ||
	    (rte & (RTE_MASKED | RTE_REMOTE_IRR)))
		return;
	/* Only vectored interrupts are ended by an EOI. */
	if (delmod_of(rte) == DELMOD_FIXED || delmod_of(rte) == DELMOD_LOWEST)
		io->rte[pin] |= RTE_REMOTE_IRR;
	send(io, rte);
}

static void pin_changed(void *ctx, unsigned pin, bool level)
{
	struct ioapic *io = ctx;
	uint32_t bit = 1u << pin;
	bool rises = level && !(io->asserted & bit);

	io->asserted = level ? io->asserted | bit : io->asserted & ~bit;
	if (!rises)
		return;
	if (io->rte[pin] & RTE_LEVEL)
		service(io, pin);
	else if (!(io->rte[pin] & RTE_MASKED))
		send(io, io->rte[pin]);
}

void ioapic_eoi(void *dev, uint8_t vector)
{
	struct ioapic *io = ioapic_of(dev);

	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t rte = io->rte[pin];

		if ((rte & RTE_VECTOR) != vector || !(rte & RTE_REMOTE_IRR))
			continue;
		io->rte[pin] &= ~RTE_REMOTE_IRR;
		service(io, pin);
	}
}

/* ---- registers ---- */

static uint32_t read_reg(const struct ioapic *io, uint8_t reg)
{
	unsigned pin = (reg - REG_REDTBL) / 2u;

	switch (reg) {
	case REG_ID:
	case REG_ARB:		/* loaded from the id */
		return (uint32_t)io->id << 24;
	case REG_VER:
		return (IOAPIC_PINS - 1) << 16 | io->version;
	}
	if (reg < REG_REDTBL || pin >= IOAPIC_PINS)
		return 0;
	return (uint32_t)(io->rte[pin] >> (reg & 1 ? 32 : 0));
}

static void write_rte(struct ioapic *io, unsigned pin, bool high, uint32_t v)
{
	uint64_t old = io->rte[pin];
	uint64_t rte = high ? (old & 0xffffffff) | (uint64_t)v << 32 :
			      (old & ~0xffffffffull) | v;

	rte = (rte & RTE_WRITABLE) | (old & RTE_READ_ONLY);
	/* Remote IRR means nothing for edges; kernels that know of no EOI
	 * register clear it by a turn to edge and back. */
	if (!(rte & RTE_LEVEL))
		rte &= ~RTE_REMOTE_IRR;
	io->rte[pin] = rte;
	service(io, pin);
}

static void write_reg(struct ioapic *io, uint8_t reg, uint32_t v)
{
	unsigned pin = (reg - REG_REDTBL) / 2u;

	if (reg == REG_ID)
		io->id = v >> 24 & 0xf;
	else if (reg >= REG_REDTBL && pin < IOAPIC_PINS)
		write_rte(io, pin, reg & 1, v);
	else if (log_on(LOG_GUEST_ERRORS))
		log_write(LOG_GUEST_ERRORS, "ioapic: register %02xh written",
			  reg);
}

static uint64_t ioapic_read(void *dev, uint64_t off, unsigned size)
{
	const struct ioapic *io = dev;

	switch (off) {
	case IOREGSEL:	return io->select;
	case IOWIN:	return read_reg(io, io->select);
	}
	return 0;
}

static void ioapic_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct ioapic *io = dev;

	switch (off) {
	case IOREGSEL:
		io->select = (uint8_t)val;
		break;
	case IOWIN:
		write_reg(io, io->select, (uint32_t)val);
		break;
	case IOAPIC_EOI:
		if (io->version >= 0x20)
			ioapic_eoi(&io->dev, (uint8_t)val);
		break;
	}
}

static const struct io_ops ioapic_io = {
	.min_size = 4, .max_size = 4, .widen = true,
	.read = ioapic_read, .write = ioapic_write,
};

/* ---- wiring and life ---- */

struct irq_sink ioapic_input(struct device *io, unsigned pin)
{
	if (pin >= IOAPIC_PINS)
		return (struct irq_sink){ 0 };
	return (struct irq_sink){ pin_changed, ioapic_of(io), pin };
}

void ioapic_set_deliver(struct device *io,
			void (*deliver)(void *ctx, uint32_t addr,
					uint32_t data),
			void *ctx)
{
	ioapic_of(io)->deliver = deliver;
	ioapic_of(io)->deliver_ctx = ctx;
}

static int ioapic_attach(struct device *d, struct err *e)
{
	struct ioapic *io = ioapic_of(d);

	io->mmio.name = "ioapic";
	io->mmio.ops = &ioapic_io;
	io->mmio.dev = io;
	return bus_map_mmio(d->bus, &io->mmio, IOAPIC_BASE, 0x1000, e);
}

static void ioapic_detach(struct device *d)
{
	bus_unmap_mmio(d->bus, &ioapic_of(d)->mmio);
}

static void ioapic_reset(struct device *d)
{
	struct ioapic *io = ioapic_of(d);

	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		io->rte[i] = RTE_MASKED;
	io->select = io->id = 0;
}

static const struct prop ioapic_props[] = {
	PROP(struct ioapic, version, "version", PROP_U8, 0x20,
	     "0x11 as the 82093AA has it, or 0x20 with an EOI register"),
	{ .name = NULL },
};

static const struct field ioapic_state[] = {
	FIELD(struct ioapic, rte), FIELD(struct ioapic, asserted),
	FIELD(struct ioapic, select), FIELD(struct ioapic, id),
	{ .name = NULL },
};

const struct device_class ioapic_class = {
	.name = "ioapic",
	.summary = "82093AA I/O APIC",
	.category = DEVICE_BRIDGE,
	.size = sizeof(struct ioapic),
	.props = ioapic_props,
	.state = ioapic_state,
	.attach = ioapic_attach,
	.reset = ioapic_reset,
	.detach = ioapic_detach,
};
