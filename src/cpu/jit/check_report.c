/* cpu/jit/check_report.c - what a check has found, in words.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "cpu/jit/check.h"

#define BYTES_SHOWN 32

static void say_code(uint64_t rip, const struct check_code *x)
{
	char text[96];

	for (unsigned n = 0; n < x->count; n++) {
		const struct insn *i = &x->insn[n];

		insn_format(i, text, sizeof(text));
		log_error("check:   %016" PRIx64 "  %s",
			  rip + i->end - i->len, text);
	}
}

/* ---- registers ---- */

static void say(const char *name, uint64_t translated, uint64_t interpreted)
{
	if (translated != interpreted)
		log_error("check: %s: translated %" PRIx64
			  ", interpreted %" PRIx64,
			  name, translated, interpreted);
}

static void say_flags(uint32_t translated, uint32_t interpreted)
{
	static const struct { uint32_t bit; const char *name; } flags[] = {
		{ FLAG_CF, "CF" }, { FLAG_PF, "PF" }, { FLAG_AF, "AF" },
		{ FLAG_ZF, "ZF" }, { FLAG_SF, "SF" }, { FLAG_OF, "OF" },
	};

	for (unsigned n = 0; n < ARRAY_LEN(flags); n++)
		say(flags[n].name, !!(translated & flags[n].bit),
		    !!(interpreted & flags[n].bit));
}

static void say_gprs(const struct check_regs *t, const struct check_regs *i)
{
	static const char *const names[16] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};

	for (unsigned n = 0; n < 16; n++)
		say(names[n], t->gpr[n], i->gpr[n]);
	say("rip", t->rip, i->rip);
}

static void say_bytes(const char *name, const uint8_t *t, const uint8_t *i,
		      unsigned len)
{
	char text[2][2 * BYTES_SHOWN + 1];

	if (!memcmp(t, i, len))
		return;
	if (len > BYTES_SHOWN)
		len = BYTES_SHOWN;
	for (unsigned n = 0; n < len; n++) {
		snprintf(text[0] + 2 * n, 3, "%02x", t[n]);
		snprintf(text[1] + 2 * n, 3, "%02x", i[n]);
	}
	log_error("check: %s: translated %s, interpreted %s", name, text[0],
		  text[1]);
}

/* As bytes in memory order. */
static void say_vectors(const struct check_regs *t, const struct check_regs *i)
{
	char name[16];

	for (unsigned n = 0; n < 16; n++) {
		snprintf(name, sizeof(name), "ymm%u", n);
		say_bytes(name, t->v[n].b, i->v[n].b, sizeof(t->v[n]));
	}
	for (unsigned n = 0; n < 8; n++) {
		snprintf(name, sizeof(name), "st(%u)", n);
		say_bytes(name, t->x87.st[n], i->x87.st[n], 10);
	}
	say("mxcsr", t->x87.mxcsr, i->x87.mxcsr);
	say("fcw", t->x87.fcw, i->x87.fcw);
	say("fsw", t->x87.fsw, i->x87.fsw);
	say("ftw", t->x87.ftw, i->x87.ftw);
	say("fop", t->x87.fop, i->x87.fop);
	say("fip", t->x87.fip, i->x87.fip);
	say("fdp", t->x87.fdp, i->x87.fdp);
	say("fcs", t->fcs, i->fcs);
	say("fds", t->fds, i->fds);
}

static void say_system(const struct check_regs *t, const struct check_regs *i)
{
	say("rflags", t->rflags, i->rflags);
	say("cr2", t->cr2, i->cr2);
	say("fs base", t->fs_base, i->fs_base);
	say("gs base", t->gs_base, i->gs_base);
	say("kernel gs base", t->kernel_gs_base, i->kernel_gs_base);
	say("pending dr6", t->pending_dr6, i->pending_dr6);
	say("code mode", t->mode, i->mode);
	say("cpl", t->cpl, i->cpl);
	say("stack size", t->stack_size, i->stack_size);
	say("tlb table", t->tlb_index, i->tlb_index);
	say("step", t->step, i->step);
	say("interrupt shadow", t->shadow, i->shadow);
	say("halted", t->halted, i->halted);
}

/* ---- the rest ---- */

static void say_fault(const char *who, const struct check_outcome *o)
{
	if (o->faulted)
		log_error("check: %s: fault %u, error code %x at %016" PRIx64,
			  who, o->fault.vector, o->fault.code, o->regs.rip);
}

static void say_memory(const struct journal *j)
{
	char name[40];

	for (unsigned n = 0; n < j->stores; n++) {
		const struct journal_store *s = &j->store[n];

		snprintf(name, sizeof(name), "memory at physical %" PRIx64,
			 s->gpa);
		say_bytes(name, s->hva, j->after + s->at, s->len);
	}
}

static void say_lost(const struct check *k)
{
	if (!k->lost)
		return;
	log_error("check: flags %x are read at %016" PRIx64 ", but were "
		  "left wrong by the block at %016" PRIx64 ":",
		  k->lost, k->lost_rip, k->open_rip);
	say_flags(k->start.arith & k->lost, ~k->start.arith & k->lost);
}

void check_report(const struct check *k, const struct check_code *x)
{
	const struct check_outcome *t = &k->translated, *i = &k->interpreted;

	log_error("check: translated and interpreted code differ after:");
	say_code(k->start.rip, x);
	say_fault("translated", t);
	say_fault("interpreted", i);
	say_gprs(&t->regs, &i->regs);
	say_flags(t->regs.arith & k->flags_checked & ~i->junk,
		  i->regs.arith & k->flags_checked & ~i->junk);
	say_vectors(&t->regs, &i->regs);
	say_system(&t->regs, &i->regs);
	say_memory(&k->journal);
	say_lost(k);
}

void check_report_lost(const struct check *k, const struct check_code *x)
{
	say_lost(k);
	say_code(k->start.rip, x);
}

void check_report_counts(const struct check *k)
{
	const uint64_t *refused = k->count.refused;

	log_info("check: %" PRIu64 " blocks run by both engines, %" PRIu64
		 " of them left early, %" PRIu64 " raced with a device, %"
		 PRIu64 " read undefined flags",
		 k->count.checked, k->count.early, k->count.raced,
		 k->count.undefined);
	log_info("check: not run by both: %" PRIu64 " system instructions, "
		 "%" PRIu64 " MMIO, %" PRIu64 " stores to code, %" PRIu64
		 " page tables, %" PRIu64 " too many stores",
		 k->count.unrepeatable, refused[REFUSED_WINDOW],
		 refused[REFUSED_CODE], refused[REFUSED_TABLES],
		 refused[REFUSED_FULL]);
}
