/* host/loop.c - the event loop on epoll, eventfd, timerfd and signalfd.
 *
 * One epoll set holds the watched descriptors and three of our own: the
 * doorbell (an eventfd that loop_post and loop_quit ring), the alarm (a
 * timerfd) and the signals (a signalfd).  Our own are watches too, so that the loop is one
 * sentence: wait, then call whoever is ready.
 *
 * The alarm moves often, mostly later, when a guest re-arms its timer.  Only an
 * earlier deadline costs a system call; a later one is noticed when the timer
 * fires too soon and is set again.
 *
 * A watch that was unwatched stays in `dead` until the batch that may still
 * name it has been handled.  epoll refuses regular files, which are always
 * ready: those watches are called once each round.
 *
 * Locks: loop.lock guards what other threads may touch, is held for a few
 * instructions and never across a callback, so it is below every other lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "host/loop.h"

#define BATCH	32
#define NEVER	INT64_MAX

struct loop_watch {
	struct loop *loop;	/* borrowed */
	int fd;
	bool owned_fd;		/* a timer of ours: closed with the watch */
	bool dead;		/* loop thread only */
	void (*ready)(void *ctx, unsigned events);
	void (*tick)(void *ctx);
	void *ctx;
	/* Under loop.lock. */
	unsigned events;
	bool in_epoll;
	bool plain_file;	/* epoll refuses it */
	struct loop_watch *next;
};

struct post {
	void (*fn)(void *ctx);
	void *ctx;
};

struct signal_row {
	void (*fn)(void *ctx, int signo);
	void *ctx;
};

struct loop {
	int epoll_fd, bell_fd, alarm_fd, signal_fd;
	struct loop_watch *bell, *alarm, *signals;
	void (*enter)(void *ctx);
	void (*leave)(void *ctx);
	void *bracket_ctx;
	void (*alarm_fn)(void *ctx);
	void *alarm_ctx;
	struct signal_row signal_rows[NSIG];
	sigset_t signal_set;
	struct loop_watch *dead;	/* loop thread only */
	_Atomic bool quit;
	int status;			/* written before quit */

	pthread_mutex_t lock;		/* guards the rest */
	struct loop_watch *watches;
	unsigned plain_files;		/* of those, always ready ones */
	struct post *posts;
	size_t post_count, post_room;
	int64_t alarm_wanted_ns, alarm_armed_ns;
};

int64_t loop_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void ring_bell(struct loop *l)
{
	uint64_t one = 1;

	/* It can only fail when the counter is full, and then it rings. */
	(void)!write(l->bell_fd, &one, sizeof(one));
}

static void drain(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

/* ---- watches ---- */

static uint32_t epoll_bits(unsigned events)
{
	return (events & LOOP_READ ? EPOLLIN : 0) |
	       (events & LOOP_WRITE ? EPOLLOUT : 0);
}

static unsigned loop_bits(uint32_t bits, unsigned wanted)
{
	unsigned events = 0;

	if (bits & EPOLLIN)
		events |= LOOP_READ;
	if (bits & EPOLLOUT)
		events |= LOOP_WRITE;
	if (bits & (EPOLLHUP | EPOLLERR))
		events |= LOOP_READ | LOOP_WRITE | LOOP_HANGUP;
	return events & wanted;
}

static void sync_plain_file(struct loop_watch *w, unsigned events)
{
	bool was = w->events & (LOOP_READ | LOOP_WRITE);
	bool is = events & (LOOP_READ | LOOP_WRITE);

	if (is && !was) {
		w->loop->plain_files++;
		ring_bell(w->loop);
	}
	if (was && !is)
		w->loop->plain_files--;
	w->events = events;
}

static void set_events_locked(struct loop_watch *w, unsigned events)
{
	struct epoll_event ev = { epoll_bits(events), { .ptr = w } };
	int op = EPOLL_CTL_MOD, r;

	if (w->plain_file) {
		sync_plain_file(w, events);
		return;
	}
	if (!events && !w->in_epoll)
		return;
	if (!events)
		op = EPOLL_CTL_DEL;	/* else EPOLLHUP would still wake us */
	else if (!w->in_epoll)
		op = EPOLL_CTL_ADD;
	r = epoll_ctl(w->loop->epoll_fd, op, w->fd, &ev);
	if (r && errno == EPERM && op == EPOLL_CTL_ADD) {
		w->plain_file = true;
		sync_plain_file(w, events);
		return;
	}
	/* A closed fd or one watched twice is our own mistake. */
	assert(!r);
	w->in_epoll = events != 0;
	w->events = events;
}

static struct loop_watch *watch_new(struct loop *l, int fd, void *ctx)
{
	struct loop_watch *w = xcalloc(1, sizeof(*w));

	w->loop = l;
	w->fd = fd;
	w->ctx = ctx;
	return w;
}

static void watch_start(struct loop_watch *w, unsigned events)
{
	struct loop *l = w->loop;

	pthread_mutex_lock(&l->lock);
	w->next = l->watches;
	l->watches = w;
	set_events_locked(w, events);
	pthread_mutex_unlock(&l->lock);
}

struct loop_watch *loop_watch(struct loop *l, int fd, unsigned events,
			      void (*ready)(void *ctx, unsigned events),
			      void *ctx)
{
	struct loop_watch *w = watch_new(l, fd, ctx);

	w->ready = ready;
	watch_start(w, events);
	return w;
}

void loop_watch_change(struct loop_watch *w, unsigned events)
{
	pthread_mutex_lock(&w->loop->lock);
	if (w->events != events)
		set_events_locked(w, events);
	pthread_mutex_unlock(&w->loop->lock);
}

struct loop_watch *loop_every(struct loop *l, unsigned period_ms,
			      void (*tick)(void *ctx), void *ctx)
{
	struct timespec t = { period_ms / 1000, period_ms % 1000 * 1000000l };
	struct itimerspec every = { t, t };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct loop_watch *w;

	assert(fd >= 0);
	timerfd_settime(fd, 0, &every, NULL);
	w = watch_new(l, fd, ctx);
	w->owned_fd = true;
	w->tick = tick;
	watch_start(w, LOOP_READ);
	return w;
}

void loop_unwatch(struct loop_watch *w)
{
	struct loop_watch **at;
	struct loop *l;

	if (!w)
		return;
	l = w->loop;
	pthread_mutex_lock(&l->lock);
	set_events_locked(w, 0);
	for (at = &l->watches; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	pthread_mutex_unlock(&l->lock);
	w->dead = true;
	w->next = l->dead;
	l->dead = w;
}

static void bury(struct loop *l)
{
	while (l->dead) {
		struct loop_watch *w = l->dead;

		l->dead = w->next;
		if (w->owned_fd)
			close(w->fd);
		free(w);
	}
}

/* ---- calls on the loop thread ---- */

static void enter(struct loop *l)
{
	if (l->enter)
		l->enter(l->bracket_ctx);
}

static void leave(struct loop *l)
{
	if (l->leave)
		l->leave(l->bracket_ctx);
}

static void call_watch(struct loop_watch *w, unsigned events)
{
	struct loop *l = w->loop;

	if (w->dead || !events)
		return;
	enter(l);
	/* Whoever held the bus lock until now may have put it to sleep. */
	events &= w->events;
	if (events && w->tick) {
		drain(w->fd);
		w->tick(w->ctx);
	} else if (events) {
		w->ready(w->ctx, events);
	}
	leave(l);
}

static void run_posts(struct loop *l)
{
	struct post *posts;
	size_t n;

	pthread_mutex_lock(&l->lock);
	posts = l->posts;
	n = l->post_count;
	l->posts = NULL;
	l->post_count = l->post_room = 0;
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < n; i++) {
		enter(l);
		posts[i].fn(posts[i].ctx);
		leave(l);
	}
	free(posts);
}

static void arm_locked(struct loop *l, int64_t deadline_ns)
{
	struct itimerspec at = { .it_value = { deadline_ns / 1000000000,
					       deadline_ns % 1000000000 } };

	/* An all-zero value would disarm. */
	if (deadline_ns <= 0)
		at.it_value = (struct timespec){ 0, 1 };
	timerfd_settime(l->alarm_fd, TFD_TIMER_ABSTIME, &at, NULL);
	l->alarm_armed_ns = deadline_ns;
}

static void run_alarm(struct loop *l)
{
	bool due;

	drain(l->alarm_fd);
	pthread_mutex_lock(&l->lock);
	l->alarm_armed_ns = NEVER;
	due = loop_now_ns() >= l->alarm_wanted_ns;
	if (due)
		l->alarm_wanted_ns = NEVER;
	else if (l->alarm_wanted_ns != NEVER)
		arm_locked(l, l->alarm_wanted_ns);
	pthread_mutex_unlock(&l->lock);
	if (!due || !l->alarm_fn)
		return;
	enter(l);
	l->alarm_fn(l->alarm_ctx);
	leave(l);
}

static void run_signals(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		const struct signal_row *row = &l->signal_rows[info.ssi_signo];

		enter(l);
		row->fn(row->ctx, (int)info.ssi_signo);
		leave(l);
	}
}

static void dispatch(struct loop *l, struct loop_watch *w, uint32_t bits)
{
	if (w == l->bell) {
		drain(l->bell_fd);
		run_posts(l);
	} else if (w == l->alarm) {
		run_alarm(l);
	} else if (w == l->signals) {
		run_signals(l);
	} else {
		call_watch(w, loop_bits(bits, w->events));
	}
}

/* The nth plain file, because a callback may change the list. */
static struct loop_watch *plain_file_at(struct loop *l, unsigned n)
{
	struct loop_watch *w;

	pthread_mutex_lock(&l->lock);
	for (w = l->watches; w; w = w->next)
		if (w->plain_file && !n--)
			break;
	pthread_mutex_unlock(&l->lock);
	return w;
}

static void run_plain_files(struct loop *l)
{
	struct loop_watch *w;

	for (unsigned n = 0; (w = plain_file_at(l, n)); n++)
		call_watch(w, w->events & (LOOP_READ | LOOP_WRITE));
}

int loop_run(struct loop *l)
{
	struct epoll_event evs[BATCH];

	while (!atomic_load(&l->quit)) {
		bool busy;
		int n;

		pthread_mutex_lock(&l->lock);
		busy = l->plain_files != 0;
		pthread_mutex_unlock(&l->lock);
		n = epoll_wait(l->epoll_fd, evs, BATCH, busy ? 0 : -1);
		for (int i = 0; i < n && !atomic_load(&l->quit); i++)
			dispatch(l, evs[i].data.ptr, evs[i].events);
		if (busy && !atomic_load(&l->quit))
			run_plain_files(l);
		bury(l);
	}
	atomic_store(&l->quit, false);
	return l->status;
}

void loop_quit(struct loop *l, int status)
{
	pthread_mutex_lock(&l->lock);
	if (!atomic_load(&l->quit)) {
		l->status = status;
		atomic_store(&l->quit, true);	/* pairs with loop_run */
	}
	pthread_mutex_unlock(&l->lock);
	ring_bell(l);
}

void loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	bool first;

	pthread_mutex_lock(&l->lock);
	first = !l->post_count;
	if (l->post_count == l->post_room) {
		l->post_room = l->post_room ? 2 * l->post_room : 8;
		l->posts = xrealloc(l->posts,
				    l->post_room * sizeof(*l->posts));
	}
	l->posts[l->post_count++] = (struct post){ fn, ctx };
	pthread_mutex_unlock(&l->lock);
	if (first)
		ring_bell(l);
}

void loop_set_bracket(struct loop *l, void (*enter_fn)(void *ctx),
		      void (*leave_fn)(void *ctx), void *ctx)
{
	l->enter = enter_fn;
	l->leave = leave_fn;
	l->bracket_ctx = ctx;
}

void loop_set_alarm_handler(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	l->alarm_fn = fn;
	l->alarm_ctx = ctx;
}

void loop_set_alarm(struct loop *l, int64_t deadline_ns)
{
	pthread_mutex_lock(&l->lock);
	l->alarm_wanted_ns = deadline_ns;
	if (deadline_ns < l->alarm_armed_ns)
		arm_locked(l, deadline_ns);
	pthread_mutex_unlock(&l->lock);
}

int loop_on_signal(struct loop *l, int signo, void (*fn)(void *ctx, int signo),
		   void *ctx, struct err *e)
{
	sigset_t one;
	int r;

	assert(signo > 0 && signo < NSIG);
	sigemptyset(&one);
	sigaddset(&one, signo);
	r = pthread_sigmask(SIG_BLOCK, &one, NULL);
	if (r)
		return fail(e, r, "signal %d: %s", signo, strerror(r));
	l->signal_rows[signo] = (struct signal_row){ fn, ctx };
	sigaddset(&l->signal_set, signo);
	if (signalfd(l->signal_fd, &l->signal_set, 0) < 0)
		return fail(e, errno, "signal %d: %s", signo, strerror(errno));
	return 0;
}

struct loop *loop_new(struct err *e)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	pthread_mutex_init(&l->lock, NULL);
	sigemptyset(&l->signal_set);
	l->alarm_wanted_ns = l->alarm_armed_ns = NEVER;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->alarm_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	l->signal_fd = signalfd(-1, &l->signal_set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->bell_fd < 0 || l->alarm_fd < 0 ||
	    l->signal_fd < 0) {
		(void)fail(e, errno, "event loop: %s", strerror(errno));
		loop_free(l);
		return NULL;
	}
	l->bell = loop_watch(l, l->bell_fd, LOOP_READ, NULL, NULL);
	l->alarm = loop_watch(l, l->alarm_fd, LOOP_READ, NULL, NULL);
	l->signals = loop_watch(l, l->signal_fd, LOOP_READ, NULL, NULL);
	return l;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->watches) {
		struct loop_watch *w = l->watches;

		/* Their descriptors may be closed already: no epoll_ctl. */
		l->watches = w->next;
		w->next = l->dead;
		l->dead = w;
	}
	bury(l);
	close_if_open(l->signal_fd);
	close_if_open(l->alarm_fd);
	close_if_open(l->bell_fd);
	close_if_open(l->epoll_fd);
	free(l->posts);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
