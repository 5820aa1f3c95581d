/* cpu/vcpu.c - see vcpu.h
 *
 * One mutex (v->lock) guards who runs.  A vCPU is `active` from before it
 * looks at guest state until after; it gives that up while halted, parked, or
 * answering VCPU_SYNC.  Exclusive work waits until no other vCPU is active and
 * none may become so before it is done:
 *
 *   parked --resume--> active --halted--> idle --event--> active
 *     ^                  |  ^
 *     +----VCPU_PAUSE----+  +--VCPU_SYNC: idle while v->exclusive is another
 *
 * Whoever asks for exclusive work gives up its own activity while it waits for
 * a turn, so two that ask at once do not wait for each other.  A vCPU inside a
 * device's registers is active; devices never ask for exclusive work, so it
 * comes out again.
 *
 * Not being active is thus less than being parked: a halted vCPU, or one that
 * waits for its turn in the middle of an instruction, goes on by itself.
 * vcpus_pause() therefore waits until every thread is back in thread_main().
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "bus/bus.h"
#include "cpu/engine.h"
#include "cpu/interp/thunk.h"
#include "cpu/loop.h"
#include "cpu/vcpu.h"
#include "cpu/x86/mem.h"
#include "host/os.h"

#define WRITTEN_MAX 32
#define SPINS_PER_YIELD 32

/* Stores by others than vCPUs (DMA, loaders) that this vCPU has yet to see. */
struct written_list {
	unsigned count;		/* over WRITTEN_MAX: too many, drop all */
	struct {
		gpa_t at;
		uint64_t len;
	} range[WRITTEN_MAX];
};

struct vcpu {
	struct cpu *cpu;	/* owned */
	unsigned spins;		/* own thread */
	struct vcpus *all;
	pthread_t thread;
	bool started;
	pthread_cond_t woken;
	bool active;		/* all->lock */
	bool parked;		/* all->lock: in thread_main(), or no thread */
	struct written_list written;	/* all->lock */
};

struct vcpus {
	pthread_mutex_t lock;
	pthread_cond_t changed;	/* active, exclusive or paused moved */
	struct cpu *exclusive;	/* whose exclusive work is under way */
	bool paused;
	unsigned count;
	const struct engine *engine;
	struct bus *bus;
	struct accel_options accel;	/* fixed at creation */
	void (*on_stop)(void *ctx, struct cpu *c, enum vcpu_stop why);
	void *on_stop_ctx;
	struct vcpu vcpu[];
};

/* ---- waking and being woken ---- */

static void wake(struct vcpu_port *p)
{
	struct cpu *c = container_of(p, struct cpu, port);
	struct vcpu *u = c->vcpu;

	pthread_mutex_lock(&u->all->lock);
	pthread_cond_signal(&u->woken);
	pthread_mutex_unlock(&u->all->lock);
}

static bool may_wake(const struct cpu *c)
{
	uint32_t ev = c->port.events;

	if (ev & (VCPU_QUIT | VCPU_PAUSE | VCPU_SYNC | VCPU_INIT | VCPU_SIPI))
		return true;
	if (c->wait_sipi)
		return false;
	if ((ev & VCPU_NMI) && !c->nmi_blocked)
		return true;
	return (ev & VCPU_SMI) || ((ev & VCPU_INTR) && (c->rflags & FLAG_IF));
}

static void set_idle_locked(struct vcpu *u)
{
	u->active = false;
	pthread_cond_broadcast(&u->all->changed);
}

static void set_active_locked(struct vcpu *u)
{
	while (u->all->exclusive && u->all->exclusive != u->cpu)
		pthread_cond_wait(&u->all->changed, &u->all->lock);
	u->active = true;
}

void vcpu_wait(struct cpu *c)
{
	struct vcpu *u = c->vcpu;

	pthread_mutex_lock(&u->all->lock);
	set_idle_locked(u);
	while (!may_wake(c))
		pthread_cond_wait(&u->woken, &u->all->lock);
	set_active_locked(u);
	pthread_mutex_unlock(&u->all->lock);
}

void vcpu_spin(struct cpu *c)
{
	struct vcpu *u = c->vcpu;

	__builtin_ia32_pause();
	/* The host may have taken the other vCPU's CPU away, or have fewer. */
	if (vcpu_siblings(c) > 1 && ++u->spins % SPINS_PER_YIELD == 0)
		os_yield();
}

/* ---- exclusive work ---- */

unsigned vcpu_siblings(const struct cpu *c)
{
	return c->vcpu ? c->vcpu->all->count : 1;
}

static bool others_active_locked(const struct vcpus *v, const struct cpu *c)
{
	for (unsigned i = 0; i < v->count; i++)
		if (v->vcpu[i].active && v->vcpu[i].cpu != c)
			return true;
	return false;
}

static void kick_others_locked(struct vcpus *v, const struct cpu *c)
{
	for (unsigned i = 0; i < v->count; i++)
		if (v->vcpu[i].active && v->vcpu[i].cpu != c)
			atomic_fetch_or(&v->vcpu[i].cpu->port.events,
					VCPU_SYNC);
}

void vcpu_exclusive(struct cpu *c, void (*fn)(struct cpu *other, void *arg),
		    void *arg)
{
	struct vcpu *u = c->vcpu;
	struct vcpus *v;

	if (vcpu_siblings(c) == 1) {
		fn(c, arg);
		return;
	}
	v = u->all;
	pthread_mutex_lock(&v->lock);
	set_idle_locked(u);
	set_active_locked(u);		/* waits for its turn */
	v->exclusive = c;
	kick_others_locked(v, c);
	while (others_active_locked(v, c))
		pthread_cond_wait(&v->changed, &v->lock);
	for (unsigned i = 0; i < v->count; i++)
		fn(v->vcpu[i].cpu, arg);
	v->exclusive = NULL;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->lock);
}

static void drop_range(struct cpu *c, gpa_t at, uint64_t len)
{
	while (len) {
		unsigned n = (unsigned)(PAGE_SIZE - (at & ~PAGE_MASK));
		struct ram_page page;

		if (n > len)
			n = (unsigned)len;
		if (bus_ram_page(c->bus, at, &page))
			c->engine->drop(c, page.hva + (at & ~PAGE_MASK), n);
		at += n;
		len -= n;
	}
}

static void drop_written_locked(struct vcpu *u)
{
	struct written_list *w = &u->written;

	if (w->count > WRITTEN_MAX)
		u->cpu->engine->flush(u->cpu);
	else
		for (unsigned i = 0; i < w->count; i++)
			drop_range(u->cpu, w->range[i].at, w->range[i].len);
	w->count = 0;
}

void vcpu_sync(struct cpu *c)
{
	struct vcpu *u = c->vcpu;

	pthread_mutex_lock(&u->all->lock);
	vcpu_lower(&c->port, VCPU_SYNC);
	drop_written_locked(u);
	set_idle_locked(u);
	set_active_locked(u);
	pthread_mutex_unlock(&u->all->lock);
}

/* The bus's code hook: somebody who is no vCPU stored to a page with code.
 * Does not wait, because the bus lock is held: the vCPUs see the new code from
 * their next event check on, before any interrupt that announces it. */
static void code_changed(void *ctx, gpa_t at, uint64_t len)
{
	struct vcpus *v = ctx;

	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < v->count; i++) {
		struct written_list *w = &v->vcpu[i].written;

		if (w->count < WRITTEN_MAX) {
			w->range[w->count].at = at;
			w->range[w->count].len = len;
		}
		if (w->count <= WRITTEN_MAX)
			w->count++;
		atomic_fetch_or(&v->vcpu[i].cpu->port.events, VCPU_SYNC);
		pthread_cond_signal(&v->vcpu[i].woken);
	}
	pthread_mutex_unlock(&v->lock);
}

/* ---- threads ---- */

void vcpu_stopped(struct cpu *c, enum vcpu_stop why)
{
	atomic_fetch_or(&c->port.events, VCPU_PAUSE);
	if (c->vcpu && c->vcpu->all->on_stop)
		c->vcpu->all->on_stop(c->vcpu->all->on_stop_ctx, c, why);
}

/* Until the vCPU may run, or its thread is to end. */
static void wait_parked_locked(struct vcpu *u)
{
	u->parked = true;
	pthread_cond_broadcast(&u->all->changed);
	while (u->cpu->port.events & VCPU_PAUSE &&
	       !(u->cpu->port.events & VCPU_QUIT))
		pthread_cond_wait(&u->woken, &u->all->lock);
	u->parked = false;
}

static void *thread_main(void *arg)
{
	struct vcpu *u = arg;
	struct vcpus *v = u->all;
	struct cpu *c = u->cpu;

	os_thread_name("vcpu%u", c->index);
	vcpu_set_current(c->index);
	pthread_mutex_lock(&v->lock);
	for (;;) {
		wait_parked_locked(u);
		if (c->port.events & VCPU_QUIT)
			break;
		set_active_locked(u);
		pthread_mutex_unlock(&v->lock);
		cpu_run(c);
		pthread_mutex_lock(&v->lock);
		set_idle_locked(u);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

static bool all_parked_locked(const struct vcpus *v)
{
	for (unsigned i = 0; i < v->count; i++)
		if (!v->vcpu[i].parked)
			return false;
	return true;
}

void vcpus_pause(struct vcpus *v)
{
	pthread_mutex_lock(&v->lock);
	v->paused = true;
	for (unsigned i = 0; i < v->count; i++) {
		atomic_fetch_or(&v->vcpu[i].cpu->port.events, VCPU_PAUSE);
		pthread_cond_signal(&v->vcpu[i].woken);
	}
	while (!all_parked_locked(v))
		pthread_cond_wait(&v->changed, &v->lock);
	pthread_mutex_unlock(&v->lock);
}

void vcpus_resume(struct vcpus *v)
{
	pthread_mutex_lock(&v->lock);
	v->paused = false;
	for (unsigned i = 0; i < v->count; i++) {
		vcpu_lower(&v->vcpu[i].cpu->port, VCPU_PAUSE);
		pthread_cond_signal(&v->vcpu[i].woken);
	}
	pthread_mutex_unlock(&v->lock);
}

bool vcpus_paused(const struct vcpus *v)
{
	return v->paused;
}

static void reset_one(struct cpu *c)
{
	vcpu_lower(&c->port, VCPU_INIT | VCPU_SIPI | VCPU_NMI | VCPU_NMI2 |
				     VCPU_SMI | VCPU_SYNC);
	cpu_reset(c, false);
	c->wait_sipi = c->halted = c->index != 0;
	c->delivering = -1;
	tlb_flush_all(c);
	c->engine->flush(c);
}

void vcpus_reset(struct vcpus *v)
{
	for (unsigned i = 0; i < v->count; i++) {
		v->vcpu[i].written.count = 0;
		reset_one(v->vcpu[i].cpu);
	}
}

int vcpus_start(struct vcpus *v, struct err *e)
{
	for (unsigned i = 0; i < v->count; i++) {
		int rc = pthread_create(&v->vcpu[i].thread, NULL, thread_main,
					&v->vcpu[i]);

		if (rc)
			return fail(e, rc, "vcpu %u: no thread: %s", i,
				    strerror(rc));
		v->vcpu[i].started = true;
	}
	return 0;
}

/* ---- making and freeing ---- */

static const struct {
	const char *name;	/* of struct accel_options */
	const struct engine *engine;
} engines[] = {
	{ "interp", &engine_interp },
	{ "jit", &engine_jit },
};

const struct engine *engine_find(const char *name, struct err *e)
{
	for (unsigned i = 0; i < ARRAY_LEN(engines); i++)
		if (!strcmp(engines[i].name, name))
			return engines[i].engine;
	fail(e, EINVAL, "accelerator '%s' is unknown", name);
	return NULL;
}

static int cpu_make(struct vcpus *v, unsigned n, const struct vcpu_config *cfg,
		    const struct engine *engine, struct err *e)
{
	/* Low, so that translated code can name its fields. */
	struct cpu *c = os_map_low(sizeof(*c), e);
	struct vcpu *u = &v->vcpu[n];
	int r;

	u->cpu = c;
	if (!c) {
		err_prefix(e, "vcpu %u", n);
		return -ENOMEM;
	}
	u->all = v;
	u->parked = true;
	pthread_cond_init(&u->woken, NULL);
	c->vcpu = u;
	c->bus = cfg->bus;
	c->bus_generation = bus_generation_word(c->bus);
	c->index = n;
	c->topology = cfg->topology;
	c->port.index = n;
	c->port.wake = wake;
	c->port.events = VCPU_PAUSE;
	if (cpu_model_parse(c, cfg->model, e))
		return -EINVAL;
	c->accel = &v->accel;
	c->engine = engine;
	r = engine->attach(c, e);
	if (r)
		return r;
	reset_one(c);
	return 0;
}

struct vcpus *vcpus_new(const struct vcpu_config *cfg, struct err *e)
{
	unsigned count = cfg->topology.cpus;
	const struct engine *engine = engine_find(cfg->accel.name, e);
	struct vcpus *v;

	if (!engine)
		return NULL;
	if (thunks_prepare(e))
		return NULL;
	v = xcalloc(1, sizeof(*v) + count * sizeof(v->vcpu[0]));
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->changed, NULL);
	v->paused = true;
	v->bus = cfg->bus;
	v->accel = cfg->accel;
	v->engine = engine;
	for (v->count = 0; v->count < count; v->count++)
		if (cpu_make(v, v->count, cfg, engine, e)) {
			v->count++;
			vcpus_free(v);
			return NULL;
		}
	bus_set_code_hook(v->bus, code_changed, v);
	return v;
}

void vcpus_free(struct vcpus *v)
{
	if (!v)
		return;
	bus_set_code_hook(v->bus, NULL, NULL);
	for (unsigned i = 0; i < v->count; i++)
		if (v->vcpu[i].started)
			vcpu_raise(&v->vcpu[i].cpu->port, VCPU_QUIT);
	for (unsigned i = 0; i < v->count; i++)
		if (v->vcpu[i].started)
			pthread_join(v->vcpu[i].thread, NULL);
	if (v->engine->end)
		v->engine->end(v);
	for (unsigned i = 0; i < v->count; i++) {
		struct cpu *c = v->vcpu[i].cpu;

		if (c && c->engine)
			c->engine->detach(c);
		os_unmap_low(c, sizeof(*c));
	}
	free(v);
}

unsigned vcpus_count(const struct vcpus *v)
{
	return v->count;
}

struct cpu *vcpus_get(struct vcpus *v, unsigned n)
{
	return v->vcpu[n].cpu;
}

void vcpus_set_intc(struct vcpus *v, unsigned n, const struct intc_ops *ops,
		    void *intc)
{
	v->vcpu[n].cpu->intc_ops = ops;
	v->vcpu[n].cpu->intc = intc;
}

void vcpus_set_stop_handler(struct vcpus *v,
			    void (*fn)(void *ctx, struct cpu *c,
				       enum vcpu_stop why),
			    void *ctx)
{
	v->on_stop = fn;
	v->on_stop_ctx = ctx;
}
