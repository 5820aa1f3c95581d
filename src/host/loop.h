/* host/loop.h - the event loop: one thread that owns devices and back ends.
 *
 * File descriptors, one-shot wake-ups and work posted by other threads all end
 * as plain calls on the loop thread.  Before each call the loop runs `enter`
 * and after it `leave`, which the machine sets to take and give the bus lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_LOOP_H
#define HOST_LOOP_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_watch;

struct loop *loop_new(struct err *e);
void loop_free(struct loop *l);

/* Bracket every callback; either may be NULL. */
void loop_set_bracket(struct loop *l, void (*enter)(void *ctx),
		      void (*leave)(void *ctx), void *ctx);

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };

/* Call ready(ctx, events) when fd has one of `events`.  Any thread.  A hangup
 * or an error also counts as readable and writable, if those were asked for,
 * so that the next read() or write() tells.  A regular file is always ready.
 * Watch an fd once; with events 0 the watch sleeps. */
struct loop_watch *loop_watch(struct loop *l, int fd, unsigned events,
			      void (*ready)(void *ctx, unsigned events),
			      void *ctx);
void loop_watch_change(struct loop_watch *w, unsigned events);
/* Call tick(ctx) every period_ms.  loop_unwatch() ends it. */
struct loop_watch *loop_every(struct loop *l, unsigned period_ms,
			      void (*tick)(void *ctx), void *ctx);
/* No callback after this returns; loop thread only, or while the loop does not
 * run.  Does not close fd.  w may be NULL. */
void loop_unwatch(struct loop_watch *w);

/* Monotonic host time in ns (CLOCK_MONOTONIC). */
int64_t loop_now_ns(void);

/* The one deadline the guest clock needs: fn(ctx) at or after host time
 * deadline_ns (INT64_MAX: never).  Any thread; replaces the one before. */
void loop_set_alarm_handler(struct loop *l, void (*fn)(void *ctx), void *ctx);
void loop_set_alarm(struct loop *l, int64_t deadline_ns);

/* Run fn(ctx) on the loop thread soon.  Any thread; not from a signal handler. */
void loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* SIGINT, SIGTERM, SIGHUP, SIGCHLD or SIGCONT arrive as calls on the loop
 * thread.  Blocks the signal: call it before there are other threads. */
int loop_on_signal(struct loop *l, int signo, void (*fn)(void *ctx, int signo),
		   void *ctx, struct err *e);

/* Until loop_quit(); returns what loop_quit() was given.  Can run again. */
int loop_run(struct loop *l);
/* Any thread; the first call's status stands. */
void loop_quit(struct loop *l, int status);
#endif
