/* dev/pci/testdev.c - pci-testdev: counts writes that arrive as announced.
 *
 * BAR 0 (memory, 4 KiB) and BAR 1 (ports, 256 bytes) start with the header of
 * the test that was selected last:
 *
 *   0  test    writing n selects test n of this BAR and zeroes its count;
 *              writing a number that does not exist selects none
 *   1  width   of the write to make, in bytes
 *   4  offset  in the BAR, 32 bits
 *   8  data    to write there
 *  12  count   how many such writes have come
 *  16  name    with a final 0
 *
 * While no test is selected all reads give 0.  BAR 2, 64-bit, is there with
 * membar=SIZE, for guests that want to place something big; nothing is in it.
 *
 * The three tests of each BAR differ in how a host kernel would be asked to
 * take the write; here every write takes the same way, so they differ in name
 * and in whether the data must match.
 *
 * Source: pci-testdev in QEMU's docs/specs, which defines the interface.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "dev/core/devices.h"
#include "dev/pci/pci.h"

#define NONE		0xff
#define MEMORY_LEN	4096u
#define PORTS_LEN	256u
#define MEMBAR_MAX	(1ull << 40)

static const struct {
	const char *name;
	uint8_t data;
	bool any_data;
} tests[] = {
	{ "no-eventfd", 0xfa, false },
	{ "wildcard-eventfd", 0xce, true },
	{ "datamatch-eventfd", 0xfa, false },
};
#define TESTS (unsigned)ARRAY_LEN(tests)

struct testdev {
	struct pci_device pci;
	uint64_t membar;		/* property */
	struct window memory, ports, big;
	uint8_t test;			/* tests[] or TESTS + tests[], or NONE */
	uint32_t count;
};

/* Tests aim at different bytes of the second half. */
static uint32_t target(uint8_t test)
{
	return (test < TESTS ? MEMORY_LEN / 2 : PORTS_LEN / 2) + test;
}

static size_t header(const struct testdev *t, uint8_t out[64])
{
	memset(out, 0, 64);
	out[0] = t->test;
	out[1] = 1;
	store_le32(out + 4, target(t->test));
	out[8] = tests[t->test % TESTS].data;
	store_le32(out + 12, t->count);
	return 16 + (size_t)snprintf((char *)out + 16, 48, "%s-%s",
				     t->test < TESTS ? "mmio" : "portio",
				     tests[t->test % TESTS].name);
}

static uint64_t testdev_read(void *dev, uint64_t off, unsigned size)
{
	const struct testdev *t = dev;
	uint8_t bytes[64];

	if (t->test == NONE || off >= header(t, bytes))
		return 0;
	return bytes[off];
}

static void write_bar(struct testdev *t, unsigned first, uint64_t off,
		      uint8_t val)
{
	if (off == 0) {
		t->test = val < TESTS ? (uint8_t)(first + val) : NONE;
		t->count = 0;
		return;
	}
	if (t->test == NONE || off != target(t->test))
		return;
	if (tests[t->test % TESTS].any_data ||
	    val == tests[t->test % TESTS].data)
		t->count++;
}

static void memory_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	write_bar(dev, 0, off, (uint8_t)val);
}

static void ports_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
	write_bar(dev, TESTS, off, (uint8_t)val);
}

static uint64_t big_read(void *dev, uint64_t off, unsigned size)
{
	return ~0ull;
}

static void big_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
}

static const struct io_ops memory_io = {
	.min_size = 1, .max_size = 1,
	.read = testdev_read, .write = memory_write,
};
static const struct io_ops ports_io = {
	.min_size = 1, .max_size = 1,
	.read = testdev_read, .write = ports_write,
};
static const struct io_ops big_io = {
	.min_size = 1, .max_size = 8, .read = big_read, .write = big_write,
};

static int testdev_attach(struct device *d, struct err *e)
{
	struct testdev *t = container_of(d, struct testdev, pci.dev);
	static const struct pci_ids ids = {
		.vendor = 0x1b36, .device = 0x0005, .class = 0x00ff,
		.subsystem_vendor = 0x1af4, .subsystem = 0x1100,
	};
	int r;

	if (t->membar && (!is_power_of_2(t->membar) || t->membar < 4096 ||
			  t->membar > MEMBAR_MAX))
		return fail(e, EINVAL, "pci-testdev.membar: %llu is not a"
			    " power of 2 from 4K to 1T",
			    (unsigned long long)t->membar);
	r = pci_register(&t->pci, &ids, e);
	if (r < 0)
		return r;
	t->memory = (struct window){ .name = "pci-testdev-memory",
				     .ops = &memory_io, .dev = t };
	t->ports = (struct window){ .name = "pci-testdev-ports",
				    .ops = &ports_io, .dev = t };
	t->big = (struct window){ .name = "pci-testdev-membar",
				  .ops = &big_io, .dev = t };
	pci_set_bar(&t->pci, 0, PCI_BAR_MEM32, MEMORY_LEN, &t->memory);
	pci_set_bar(&t->pci, 1, PCI_BAR_IO, PORTS_LEN, &t->ports);
	if (t->membar)
		pci_set_bar(&t->pci, 2, PCI_BAR_MEM64_PREFETCH, t->membar,
			    &t->big);
	return 0;
}

static void testdev_reset(struct device *d)
{
	struct testdev *t = container_of(d, struct testdev, pci.dev);

	pci_device_reset(&t->pci);
	t->test = NONE;
	t->count = 0;
}

static void testdev_detach(struct device *d)
{
	pci_unregister(container_of(d, struct pci_device, dev));
}

static const struct prop testdev_props[] = {
	PROP(struct testdev, membar, "membar", PROP_SIZE, 0, NULL),
	{ .name = NULL },
};

static const struct field testdev_state[] = {
	PCI_STATE, FIELD(struct testdev, test), FIELD(struct testdev, count),
	{ .name = NULL },
};

const struct device_class pci_testdev_class = {
	.name = "pci-testdev",
	.summary = "PCI Test Device",
	.category = DEVICE_MISC,
	.bus = BUS_PCI,
	.user_creatable = true,
	.size = sizeof(struct testdev),
	.props = testdev_props,
	.bus_props = pci_props,
	.state = testdev_state,
	.attach = testdev_attach,
	.reset = testdev_reset,
	.detach = testdev_detach,
};
