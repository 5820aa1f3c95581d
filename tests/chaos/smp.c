/* smp.c - several processors that run random code in one memory, each on its
 * thread.
 *
 * They write each other's code, tables and stacks, send each other interrupts
 * and start-up messages, and reset each other; this thread passes guest time,
 * writes memory as devices do, and raises NMIs.  Then all are paused, which
 * must come to an end, and checked.  The seed tells the states, not who is
 * first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../oracle/random.h"
#include "chaos.h"
#include "cpu/vcpu.h"
#include "world.h"

#define CPUS_MAX	4
#define SLICES		20
#define SLICE_US	100

static void disturb(struct world *w, struct rig *g, unsigned cpus)
{
	uint64_t v = random_next(&w->r);

	switch (below(&w->r, 8)) {
	case 0:
		(void)bus_write(g->bus, AT_CODE + below(&w->r, CODE_LEN), &v,
				8);
		break;
	case 1:
		vcpu_raise_nmi(&vcpus_get(g->vcpus,
					  below(&w->r, cpus))->port);
		break;
	default:
		break;
	}
}

static const char *run(struct world *w, struct rig *g, unsigned cpus)
{
	const char *wrong = NULL;

	rig_resume(g);
	for (unsigned n = 0; n < SLICES && !g->power; n++) {
		(void)usleep(SLICE_US);
		rig_pass(g, SLICE_US * 1000);
		disturb(w, g, cpus);
	}
	rig_pause(g);
	for (unsigned n = 0; n < cpus && !wrong; n++) {
		struct cpu *c = vcpus_get(g->vcpus, n);

		wrong = check_cpu(c);
		progress->insns += c->insn_count;
		c->insn_count = 0;
	}
	return wrong;
}

static void wake_all(struct rig *g, uint64_t *r, unsigned cpus)
{
	for (unsigned n = 0; n < cpus; n++) {
		vcpu_set_current(n);
		rig_wake_devices(g, r);
	}
	vcpu_set_current(0);
}

const char *chaos_smp(uint64_t seed)
{
	uint64_t r = seed * 0xd1342543de82ef95ull;
	unsigned cpus = 2 + below(&r, CPUS_MAX - 1);
	const char *wrong = NULL;
	struct world w;
	struct rig g;

	rig_open(&g, one_in(&r, 4) ? "qemu64" : "max", cpus);
	rig_start_threads(&g);
	for (unsigned n = 0; n < CASES && !wrong; n++) {
		progress->at = n;
		rig_reset(&g);
		if (!one_in(&r, 4))
			wake_all(&g, &r, cpus);
		world_make(&w, &g, random_next(&r));
		for (unsigned k = 0; k < cpus; k++)
			world_enter(&w, vcpus_get(g.vcpus, k));
		snprintf(progress->what, sizeof(progress->what),
			 "%s cpl %u, %u vcpus", shape_names[w.shape], w.cpl,
			 cpus);
		wrong = run(&w, &g, cpus);
		progress->cases++;
		progress->endings[g.power      ? END_POWER
				  : g.shutdown ? END_SHUTDOWN
					       : END_LIMIT]++;
	}
	rig_close(&g);
	return wrong;
}
