/* cpu/log.c - what engines write to the log about what they run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "cpu/engine.h"

static void log_state(struct cpu *c)
{
	const uint64_t *r = c->gpr;

	log_write(LOG_CPU,
		  "RIP=%016llx RFL=%08x CS=%04x CPL=%u\n"
		  "RAX=%016llx RBX=%016llx RCX=%016llx RDX=%016llx\n"
		  "RSI=%016llx RDI=%016llx RBP=%016llx RSP=%016llx\n"
		  "R8 =%016llx R9 =%016llx R10=%016llx R11=%016llx\n"
		  "R12=%016llx R13=%016llx R14=%016llx R15=%016llx",
		  (unsigned long long)c->rip, flags_get(c),
		  c->seg[CS].selector, c->cpl,
#define Q(n) (unsigned long long)r[n]
		  Q(RAX), Q(RBX), Q(RCX), Q(RDX), Q(RSI), Q(RDI), Q(RBP),
		  Q(RSP), Q(R8), Q(R9), Q(R10), Q(R11), Q(R12), Q(R13),
		  Q(R14), Q(R15));
#undef Q
}

void engine_log_entry(struct cpu *c)
{
	log_write(LOG_EXEC, "Trace %u: %016llx", c->index,
		  (unsigned long long)c->rip);
	if (log_on(LOG_CPU))
		log_state(c);
}
