/* char/pump.h - moves bytes between descriptors and a back end's stream.
 *
 * Input is read only as fast as the guest end takes it.  Output that the host
 * does not take at once waits in a ring of PUMP_ROOM bytes.  When the ring is
 * full the guest is held up until the host reads, for at most wait_ms; after
 * that, or when there is no peer at all, the oldest bytes give way to new ones
 * and are counted, and nobody waits again until the host has read something.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHAR_PUMP_H
#define CHAR_PUMP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "char/backend.h"
#include "host/loop.h"

#define PUMP_ROOM (64 * 1024)

struct pump {
	struct chardev *c;		/* borrowed */
	int in, out;			/* owned; -1: none; may be equal */
	struct loop_watch *in_watch, *out_watch;
	/* The peer has gone (end of input, hangup); loop thread.  NULL: only
	 * reading ends. */
	void (*ended)(struct chardev *c);
	int wait_ms;
	bool reading;			/* the guest end may take more */
	bool stalled;			/* waited in vain once */
	bool broken;			/* writing fails for good */
	size_t head, count;		/* of the ring */
	uint64_t dropped;
	uint8_t ring[PUMP_ROOM];
};

/* Nothing connected yet: output collects in the ring. */
void pump_init(struct pump *p, struct chardev *c, int wait_ms);
/* Takes non-blocking descriptors; writes what has collected. */
void pump_connect(struct pump *p, int in, int out);
/* Closes them; what is not written stays for the next peer. */
void pump_disconnect(struct pump *p);

void pump_put(struct pump *p, const uint8_t *buf, size_t len);
void pump_ready(struct pump *p);
void pump_flush(struct pump *p, int timeout_ms);
#endif
