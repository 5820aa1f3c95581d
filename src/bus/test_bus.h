/* bus/test_bus.h - a bus with a clock that tests set, for device unit tests.
 *
 * The device is driven exactly as a CPU would drive it: no test reaches into
 * a device's struct.  Interrupt lines end in the recorder below; a test of an
 * interrupt controller connects its own.  Time stands still until test_bus_run
 * moves it.
 *
 *   struct test_bus *t = test_bus_new();
 *   struct device *d = device_new(&uart_class, t->bus);
 *   ... device_attach(d, NULL); outb(t, 0x3f9, 2); assert_true(t->isa[4].level)
 *   device_free(d); test_bus_free(t);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BUS_TEST_BUS_H
#define BUS_TEST_BUS_H
#include "bus/bus.h"
#include "bus/clock.h"

#define TEST_GSIS 24

/* What an interrupt pin has seen. */
struct test_pin {
	bool level;
	unsigned rises;
	int64_t rise_ns;	/* guest time of the last */
	struct clock *clock;
};

struct test_bus {
	struct bus *bus;
	struct clock *clock;
	int64_t host_ns;
	int64_t deadline_ns;	/* what the clock asked its loop for */
	struct test_pin isa[16], gsi[TEST_GSIS];
	unsigned power_count;
	enum power_request power;
	int power_status;
};

/* The clock runs, at guest time 0. */
struct test_bus *test_bus_new(void);
void test_bus_free(struct test_bus *t);

/* Move guest time on, stopping at each timer's deadline on the way. */
void test_bus_run(struct test_bus *t, int64_t ns);

/* 4 KiB-aligned RAM of `len` bytes at `base`, zeroed, freed with the bus. */
uint8_t *test_bus_ram(struct test_bus *t, gpa_t base, uint64_t len);

static inline uint8_t inb(struct test_bus *t, uint16_t port)
{
	return (uint8_t)bus_port_read(t->bus, port, 1);
}

static inline uint16_t inw(struct test_bus *t, uint16_t port)
{
	return (uint16_t)bus_port_read(t->bus, port, 2);
}

static inline uint32_t inl(struct test_bus *t, uint16_t port)
{
	return bus_port_read(t->bus, port, 4);
}

static inline void outb(struct test_bus *t, uint16_t port, uint8_t v)
{
	bus_port_write(t->bus, port, v, 1);
}

static inline void outw(struct test_bus *t, uint16_t port, uint16_t v)
{
	bus_port_write(t->bus, port, v, 2);
}

static inline void outl(struct test_bus *t, uint16_t port, uint32_t v)
{
	bus_port_write(t->bus, port, v, 4);
}

static inline uint32_t readl(struct test_bus *t, gpa_t at)
{
	return (uint32_t)bus_mmio_read(t->bus, at, 4);
}

static inline void writel(struct test_bus *t, gpa_t at, uint32_t v)
{
	bus_mmio_write(t->bus, at, v, 4);
}
#endif
