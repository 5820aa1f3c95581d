/* bus/bus.h - the guest-physical address space and the I/O ports.
 *
 * RAM and ROM are runs of host memory; everything else is register windows.
 * The bus checks range and width, splits or refuses, and only then calls a
 * device, which therefore never sees an access it did not declare.  Nobody
 * answers: reads give all ones, writes vanish (and -d guest_errors says so).
 *
 * Locks: one bus lock for all devices (docs/internals/locks.md).  bus_port_*
 * and bus_mmio_* take it; device code, timers and back-end callbacks run with
 * it held; called with it held, they do not take it again.  RAM lookups need
 * no lock, and bus_generation tells caches of them to start again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/irq.h"

typedef uint64_t gpa_t;

struct bus;
struct clock;

/* ---- register windows ---- */

struct io_ops {
	/* Access sizes the device takes: 1, 2, 4 or 8.  A wider access is
	 * split into max_size pieces, low address first; a narrower one is
	 * refused, unless widen is set: then a narrow read is taken out of an
	 * aligned min_size read and a narrow write is widened with zeroes. */
	unsigned min_size, max_size;
	bool widen;
	/* off counts from the start of the window. */
	uint64_t (*read)(void *dev, uint64_t off, unsigned size);
	void (*write)(void *dev, uint64_t off, uint64_t val, unsigned size);
};

/* One mapped window.  Owned by the device, which keeps it until unmapped. */
struct window {
	const char *name;
	const struct io_ops *ops;
	void *dev;
	uint64_t base, len;	/* filled in by the map calls */
	bool mapped;
};

/* Windows may overlap: the one mapped last answers (PCI BARs over holes). */
int bus_map_ports(struct bus *b, struct window *w, uint16_t first,
		  uint32_t count, struct err *e);
int bus_map_mmio(struct bus *b, struct window *w, gpa_t base, uint64_t len,
		 struct err *e);
void bus_unmap_ports(struct bus *b, struct window *w);
void bus_unmap_mmio(struct bus *b, struct window *w);

/* vCPU side; size 1, 2, 4 (ports) or up to 8 (MMIO).  Take the bus lock. */
uint32_t bus_port_read(struct bus *b, uint16_t port, unsigned size);
void bus_port_write(struct bus *b, uint16_t port, uint32_t v, unsigned size);
uint64_t bus_mmio_read(struct bus *b, gpa_t at, unsigned size);
void bus_mmio_write(struct bus *b, gpa_t at, uint64_t v, unsigned size);

/* ---- RAM and ROM ---- */

/* Join `len` bytes at `hva` (page-aligned, borrowed until bus_free) to the
 * map, in place of what was there.  readonly: guest writes are dropped. */
int bus_map_ram(struct bus *b, gpa_t base, uint64_t len, uint8_t *hva,
		bool readonly, struct err *e);
/* Leave a hole there (which MMIO windows may answer). */
int bus_unmap_ram(struct bus *b, gpa_t base, uint64_t len, struct err *e);

struct ram_page {
	uint8_t *hva;		/* of the 4 KiB page */
	uint8_t *code;		/* see below */
	bool readonly;
};

/* The bits in a page's code byte of [at, at+len), which is within a page; at is
 * an address of any kind. */
static inline uint8_t ram_code_lines(uint64_t at, unsigned len)
{
	unsigned first = (at & 4095) >> 9, last = ((at & 4095) + len - 1) >> 9;

	return (uint8_t)((0xffu << first) & (0xffu >> (7 - last)));
}

/* The RAM behind a page; false where there is none (MMIO, a hole). */
bool bus_ram_page(const struct bus *b, gpa_t at, struct ram_page *out);

/* Every RAM page has one byte, *code, in which a CPU engine sets bit n
 * (atomically) when it keeps decoded instructions of bytes 512n to 512n+511.
 * Whoever writes such a page by another way than the engine's own stores (DMA,
 * loaders, gdb) goes through bus_write(), which calls the hook so that engines
 * drop what they decoded. */
void bus_set_code_hook(struct bus *b,
		       void (*hook)(void *ctx, gpa_t at, uint64_t len),
		       void *ctx);

/* Device and loader access to guest memory, any length, any thread, crossing
 * pages freely.  Return 0, or -EFAULT if any byte is not RAM (what could be
 * done has been done; holes read as ones).  bus_write skips ROM. */
int bus_read(struct bus *b, gpa_t at, void *buf, uint64_t len);
int bus_write(struct bus *b, gpa_t at, const void *buf, uint64_t len);

/* Changes whenever the RAM or MMIO map does; vCPUs flush their TLBs then. */
uint32_t bus_generation(const struct bus *b);
/* Where it is kept, for those who look often. */
const _Atomic uint32_t *bus_generation_word(const struct bus *b);

/* ---- the A20 gate (port 92h, 8042): bit 20 of every physical address ---- */
uint64_t bus_a20_mask(const struct bus *b);
void bus_set_a20(struct bus *b, bool open);

/* ---- what devices find on the bus ---- */

struct clock *bus_clock(const struct bus *b);
/* The sink of ISA interrupt line n (0-15) / global system interrupt n. */
struct irq_sink bus_isa_irq(const struct bus *b, unsigned n);
struct irq_sink bus_gsi(const struct bus *b, unsigned n);

/* The board installs these before any device is attached. */
void bus_set_isa_irqs(struct bus *b, const struct irq_sink sinks[16]);
void bus_set_gsis(struct bus *b, const struct irq_sink *sinks, unsigned count);

/* Things a guest may ask of the machine through a device. */
enum power_request {
	POWER_OFF,		/* ACPI S5: husk exits 0 */
	POWER_RESET,
	POWER_EXIT,		/* isa-debug-exit: husk exits with `status` */
	POWER_PANICKED,		/* pvpanic */
};
/* Queues the request for the loop thread; returns at once. */
void bus_request_power(struct bus *b, enum power_request r, int status);
void bus_set_power_handler(struct bus *b,
			   void (*handler)(void *ctx, enum power_request r,
					   int status),
			   void *ctx);

void bus_lock(struct bus *b);
void bus_unlock(struct bus *b);
bool bus_locked_by_me(const struct bus *b);

/* k is borrowed. */
struct bus *bus_new(struct clock *k);
void bus_free(struct bus *b);
#endif
