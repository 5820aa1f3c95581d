/* cpu.c - a processor that runs random code in random states.
 *
 * A case ends when it has had its turns, halts with nothing to wake it, shuts
 * down, or asks for the power to go.  Guest time moves between turns, so that
 * timers and interrupts come in; now and then other things do: NMIs, stores by
 * "devices" into code, the processor's own INIT.
 *
 * After each stretch the state is checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "../oracle/random.h"
#include "chaos.h"
#include "cpu/loop.h"
#include "cpu/x86/debug.h"
#include "world.h"

#define STRETCHES	60
#define TURNS		24		/* blocks, or single instructions */
#define SLEEP_MAX_NS	(100 * 1000000ll)

/* ---- what comes from outside ---- */

/* Stores that are no vCPU's. */
static void write_memory(struct world *w, struct rig *g)
{
	uint64_t v = random_next(&w->r);
	uint32_t at = one_in(&w->r, 2) ? AT_CODE + below(&w->r, CODE_LEN)
				       : below(&w->r, RIG_RAM);

	(void)bus_write(g->bus, at, &v, 1 + below(&w->r, 8));
}

static void disturb(struct world *w, struct rig *g)
{
	switch (below(&w->r, 64)) {
	case 0:
		vcpu_raise_nmi(&g->c->port);
		break;
	case 1:
		vcpu_raise(&g->c->port, VCPU_SMI);
		break;
	case 2: case 3: case 4: case 5:
		write_memory(w, g);
		break;
	case 6:
		if (one_in(&w->r, 16))
			vcpu_raise(&g->c->port, VCPU_INIT);
		break;
	case 7:
		vcpu_raise(&g->c->port, VCPU_SYNC);
		break;
	default:
		break;
	}
}

/* ---- a case ---- */

/* Let the time go by that a halted processor sleeps; false: it sleeps on. */
static bool sleep_on(struct rig *g)
{
	int64_t ns = g->deadline_ns - g->now_ns;

	if (g->deadline_ns == CLOCK_NEVER || ns > SLEEP_MAX_NS)
		return false;
	rig_pass(g, ns > 0 ? ns : 1);
	return true;
}

static enum ending run(struct world *w, struct rig *g, const char **wrong)
{
	for (unsigned n = 0; n < STRETCHES; n++) {
		cpu_run_for(g->c, TURNS);
		*wrong = g->differs ? "the engines differ" : check_cpu(g->c);
		if (*wrong || g->shutdown)
			return END_SHUTDOWN;
		if (g->power)
			return END_POWER;
		if (g->c->halted && !g->c->port.events && !sleep_on(g))
			return END_HALT;
		rig_pass(g, below(&w->r, 20000));
		disturb(w, g);
	}
	return END_LIMIT;
}

static const char *some_model(uint64_t *r)
{
	static const char *const models[] = {
		"qemu64", "qemu32", "486", "pentium3", "Haswell", "EPYC",
		"Skylake-Server", "core2duo", "max,vendor=GenuineIntel",
		"max,vendor=AuthenticAMD", "max,-avx,-xsave", "max,phys-bits=36",
	};

	return one_in(r, 2) ? "max" : models[below(r, ARRAY_LEN(models))];
}

const char *chaos_cpu(uint64_t seed)
{
	uint64_t r = seed * 0xd1342543de82ef95ull;
	const char *model = some_model(&r), *wrong = NULL;
	struct world w;
	struct rig g;

	rig_open(&g, model, 1);
	for (unsigned n = 0; n < CASES && !wrong; n++) {
		uint64_t before;
		enum ending end;

		progress->at = n;
		rig_reset(&g);
		if (one_in(&r, 2))
			rig_wake_devices(&g, &r);
		world_make(&w, &g, random_next(&r));
		world_enter(&w, g.c);
		rig_resume(&g);
		snprintf(progress->what, sizeof(progress->what), "%s cpl %u %s",
			 shape_names[w.shape], w.cpl, model);
		before = g.c->insn_count;
		end = run(&w, &g, &wrong);
		progress->cases++;
		progress->endings[end]++;
		progress->insns += g.c->insn_count - before;
		if (verbose)
			fprintf(stderr, "# %u: %s: ending %u, %llu"
				" instructions\n", n, progress->what, end,
				(unsigned long long)(g.c->insn_count - before));
	}
	rig_close(&g);
	return wrong;
}
