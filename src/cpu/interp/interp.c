/* cpu/interp/interp.c - the interpreter as an engine: runs blocks of decoded
 * instructions back to back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "cpu/engine.h"
#include "cpu/interp/block.h"
#include "cpu/interp/exec.h"
#include "cpu/x86/debug.h"

static inline void run_block(struct cpu *c, const struct block *b)
{
	const struct insn *i = b->insn, *end = i + b->count;
	uint64_t start = c->rip;	/* rip itself is slow to add to */

	c->stop_block = 0;
	if (likely(c->mode == CODE64)) {
		do {
			c->insn = i;
			c->rip = start + i->end;
			i->exec(c, i);
		} while (++i != end && likely(!c->stop_block));
	} else {
		do {
			c->insn = i;
			c->rip = (uint32_t)(start + i->end);
			i->exec(c, i);
		} while (++i != end && likely(!c->stop_block));
	}
	c->insn = NULL;
	c->last_block = b;
	c->insn_count += (uint64_t)(i - b->insn);
}

static inline bool breaks_within(struct cpu *c, const struct block *b)
{
	return unlikely(c->step & STEP_BREAK) &&
	       debug_exec_within(c, code_linear(c, c->rip), b->bytes);
}

/* The block at rip, if it may run from end to end. */
static inline const struct block *next(struct cpu *c)
{
	const struct block *b = block_next(c);

	return unlikely(!b || breaks_within(c, b)) ? NULL : b;
}

static bool run(struct cpu *c)
{
	const struct block *b;

	while ((b = next(c))) {
		if (unlikely(log_mask & (LOG_EXEC | LOG_CPU)))
			engine_log_entry(c);
		run_block(c, b);
		if (engine_must_leave(c))
			return true;
	}
	return false;
}

static int attach(struct cpu *c, struct err *e)
{
	c->blocks = block_cache_new();
	return 0;
}

static void detach(struct cpu *c)
{
	block_cache_free(c->blocks);
	c->blocks = NULL;
}

const struct engine engine_interp = {
	.name = "interp",
	.attach = attach,
	.detach = detach,
	.run = run,
	.drop = block_drop,
	.lines = block_lines,
	.flush = block_cache_flush,
};
