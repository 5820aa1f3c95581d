/* dev/pc/pctestdev.c - pc-testdev: what CPU and interrupt test kernels poke.
 *
 *   ports E0h-E3h     four bytes of memory, in accesses of 1, 2 or 4 bytes
 *   ports E4h-E7h     a 4-byte write of a physical address: the host is to
 *                     forget how that page is mapped
 *   ports E8h-EBh     the same four bytes, in accesses of one byte each
 *   ports 2000h-2017h byte n drives interrupt line n to the written value
 *   FF000000h, 64 KiB memory reached as registers, in 1 to 8 bytes
 *
 * Lines 0 to 15 are the ISA lines, the rest global system interrupts.  There
 * is no host mapping to forget, but what engines decoded from the page is
 * dropped.
 *
 * Source: the x86 part of kvm-unit-tests, which drives it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dev/core/devices.h"

#define LINES		24
#define MMIO_BASE	0xff000000u
#define MMIO_LEN	0x10000u

enum { WIDE, FLUSH, BYTES, IRQS, PORT_WINDOWS };

struct pctestdev {
	struct device dev;
	struct window ports[PORT_WINDOWS], mmio;
	struct irq lines[LINES];	/* at levels[] */
	uint8_t levels[LINES];
	uint8_t latch[4];
	uint8_t memory[MMIO_LEN];
};

static uint64_t latch_read(void *dev, uint64_t off, unsigned size)
{
	const struct pctestdev *t = dev;
	uint64_t v = 0;

	memcpy(&v, t->latch + off, size);
	return v;
}

static void latch_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pctestdev *t = dev;

	memcpy(t->latch + off, &val, size);
}

static uint64_t read_nothing(void *dev, uint64_t off, unsigned size)
{
	return 0;
}

static void flush_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pctestdev *t = dev;
	uint8_t byte;

	/* Writing a byte back over itself is what drops decoded code. */
	if (!bus_read(t->dev.bus, val & ~0xfffull, &byte, 1))
		(void)bus_write(t->dev.bus, val & ~0xfffull, &byte, 1);
}

static void set_line(struct pctestdev *t, unsigned n, bool level)
{
	t->levels[n] = level;
	irq_set(&t->lines[n], level);
}

static void irq_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	set_line(dev, (unsigned)off, val != 0);
}

static uint64_t memory_read(void *dev, uint64_t off, unsigned size)
{
	const struct pctestdev *t = dev;
	uint64_t v = 0;

	memcpy(&v, t->memory + off, size);
	return v;
}

static void memory_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	struct pctestdev *t = dev;

	memcpy(t->memory + off, &val, size);
}

static const struct io_ops wide_io = {
	.min_size = 1, .max_size = 4, .read = latch_read, .write = latch_write,
};
static const struct io_ops flush_io = {
	.min_size = 4, .max_size = 4,
	.read = read_nothing, .write = flush_write,
};
static const struct io_ops bytes_io = {
	.min_size = 1, .max_size = 1, .read = latch_read, .write = latch_write,
};
static const struct io_ops irq_io = {
	.min_size = 1, .max_size = 1,
	.read = read_nothing, .write = irq_write,
};
static const struct io_ops memory_io = {
	.min_size = 1, .max_size = 8,
	.read = memory_read, .write = memory_write,
};

static const struct {
	const char *name;
	const struct io_ops *ops;
	uint16_t first, count;
} port_rows[PORT_WINDOWS] = {
	[WIDE] = { "testdev-ports", &wide_io, 0xe0, 4 },
	[FLUSH] = { "testdev-flush", &flush_io, 0xe4, 4 },
	[BYTES] = { "testdev-bytes", &bytes_io, 0xe8, 4 },
	[IRQS] = { "testdev-irqs", &irq_io, 0x2000, LINES },
};

static void pctestdev_detach(struct device *d)
{
	struct pctestdev *t = container_of(d, struct pctestdev, dev);

	for (unsigned i = 0; i < PORT_WINDOWS; i++)
		bus_unmap_ports(d->bus, &t->ports[i]);
	bus_unmap_mmio(d->bus, &t->mmio);
}

static int pctestdev_attach(struct device *d, struct err *e)
{
	struct pctestdev *t = container_of(d, struct pctestdev, dev);
	int r = 0;

	for (unsigned i = 0; i < LINES; i++)
		irq_connect(&t->lines[i], i < 16 ? bus_isa_irq(d->bus, i) :
						   bus_gsi(d->bus, i));
	for (unsigned i = 0; i < PORT_WINDOWS && r >= 0; i++) {
		t->ports[i] = (struct window){
			.name = port_rows[i].name, .ops = port_rows[i].ops,
			.dev = t,
		};
		r = bus_map_ports(d->bus, &t->ports[i], port_rows[i].first,
				  port_rows[i].count, e);
	}
	t->mmio = (struct window){
		.name = "testdev-memory", .ops = &memory_io, .dev = t,
	};
	if (r >= 0)
		r = bus_map_mmio(d->bus, &t->mmio, MMIO_BASE, MMIO_LEN, e);
	if (r < 0)
		pctestdev_detach(d);
	return r;
}

static void pctestdev_reset(struct device *d)
{
	struct pctestdev *t = container_of(d, struct pctestdev, dev);

	for (unsigned i = 0; i < LINES; i++)
		set_line(t, i, false);
}

static const struct field pctestdev_state[] = {
	FIELD(struct pctestdev, latch), FIELD(struct pctestdev, memory),
	FIELD(struct pctestdev, levels),
	{ .name = NULL },
};

const struct device_class pc_testdev_class = {
	.name = "pc-testdev",
	.category = DEVICE_MISC,
	.bus = BUS_ISA,
	.user_creatable = true,
	.size = sizeof(struct pctestdev),
	.state = pctestdev_state,
	.attach = pctestdev_attach,
	.reset = pctestdev_reset,
	.detach = pctestdev_detach,
};
