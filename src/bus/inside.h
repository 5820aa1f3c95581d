/* bus/inside.h - what bus.c, windows.c and ram.c share; nobody else's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BUS_INSIDE_H
#define BUS_INSIDE_H
#include <pthread.h>
#include <stdatomic.h>

#include "bus/bus.h"

/* A board has a dozen runs of RAM and ROM, a PAM-happy guest perhaps 40. */
#define RAM_RUNS_MAX	 64
#define RAM_BACKINGS_MAX 32
#define GSI_MAX		 64
#define PAGE_BITS	 12
#define PAGE_SIZE	 (1ull << PAGE_BITS)

/* Host memory that was mapped once; its code bytes are shared by all runs that
 * show a part of it, so that an alias knows of the other's decoded code. */
struct backing {
	uint8_t *hva;
	uint64_t len;
	uint8_t *code;		/* owned: one byte per page */
};

/* One run of guest-physical addresses that shows a backing. */
struct ram_run {
	gpa_t base;
	uint64_t len;
	uint8_t *hva;
	uint8_t *code;		/* of the first page */
	bool readonly;
};

/* The RAM map.  Writers hold `lock`, make seq odd, change runs, make it even;
 * readers (ram_find) start again when seq was odd or has moved. */
struct ram_map {
	pthread_mutex_t lock;
	_Atomic uint32_t seq;
	unsigned count;
	struct ram_run runs[RAM_RUNS_MAX];	/* sorted, disjoint */
	unsigned backing_count;
	struct backing backings[RAM_BACKINGS_MAX];
};

/* Windows in the order of mapping; guarded by the bus lock. */
struct window_list {
	struct window **at;	/* owned array of borrowed windows */
	unsigned count, room;
};

struct bus {
	struct clock *clock;	/* borrowed */
	pthread_mutex_t lock;
	/* The thread that holds lock, as the address of a thread-local. */
	_Atomic uintptr_t owner;

	struct window_list ports, mmio;
	struct window **port_map;	/* owned: who answers each port */
	struct ram_map ram;
	_Atomic uint32_t generation;
	_Atomic uint64_t a20_mask;

	void (*code_hook)(void *ctx, gpa_t at, uint64_t len);
	void *code_hook_ctx;
	void (*power)(void *ctx, enum power_request r, int status);
	void *power_ctx;

	struct irq_sink isa[16];
	struct irq_sink gsi[GSI_MAX];
	unsigned gsi_count;
};

void bus_bump_generation(struct bus *b);
/* Take the lock unless this thread has it; true if it was taken. */
bool bus_enter(struct bus *b);
void bus_leave(struct bus *b, bool entered);

void ram_map_init(struct ram_map *m);
void ram_map_free(struct ram_map *m);
#endif
