/* main.c - compare Husk with the host's processor, instruction by instruction
 * or in blocks.
 *
 *   oracle [--accel ENGINE] [--block N] [--seed N] [--count N] [--row NAME]
 *          [--mode 16|32|64] [--all] [--missed] [--cut N]
 *
 * Case k of seed N is case 0 of seed N + k, so each difference is reported
 * with the command that shows it alone.  The first difference of each row and
 * mode is printed; --all prints all.  --missed lists the rows that no case ran
 * to its end.
 *
 * --block makes cases of up to N instructions, which both sides run as a whole,
 * ours by the engine that --accel names as husk's -accel does.  Without either
 * each case is one instruction, which the interpreter steps.  Of a block that
 * differs, the shortest beginning that still does is printed; --cut N takes the
 * first N instructions only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "cpu/x86/fault.h"
#include "accel.h"
#include "oracle.h"

#define PRINT_MAX	200
#define SWEEP_EVERY	1	/* cases between looks at all memory */
#define FLAGS_COMPARED	(FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_AC)

struct features oracle_features;

static struct {
	uint64_t seed, count, done, excused, differences;
	uint64_t insns, faults;	/* of blocks: reached, ended by one */
	const char *row;
	int mode;		/* -1: all in turn */
	unsigned block;		/* instructions of a case at most; 0: stepped */
	unsigned cut;		/* how many of them are left; 0: all */
	bool all, missed, quiet;
} run = { .mode = -1, .count = 1000000 };
static struct accel_options accel = { .exact_flags = true };
static const char *accel_text;

static uint16_t rows[3][4096];
static unsigned row_count[3];
static bool reported[4096][3];
static bool finished[4096][3];	/* some case of the row, in this mode */
static struct test test;
static unsigned printed;

/* ---- which rows ---- */

/* What user code may run, but two processors need not agree on, or that
 * changes what the next case stands on. */
static bool left_out(const struct insn_row *r)
{
	static const char *const names[] = {
		"rdtsc", "rdtscp", "cpuid", "rdrand", "rdseed", "rdpid",
		"xgetbv", "syscall", "sysenter", "sysexit", "int", "int1",
		"int3", "into", "sgdt", "sidt", "sldt", "str", "smsw", "lar",
		"lsl", "verr", "verw", "arpl", "lds", "les", "lss", "lfs", "lgs",
		"retf", "iret", "xsave", "xsaveopt", "xsavec", "xrstor", "in",
		"out", "ins", "outs", "rdpmc", "hlt", "cli", "sti",
	};

	if (r->how & (HOW_CPL0 | HOW_SYS | HOW_RFAULT))
		return true;
	for (unsigned n = 0; n < ARRAY_LEN(names); n++)
		if (!strcmp(r->name, names[n]))
			return true;
	for (unsigned n = 0; n < 4; n++)
		if (r->op[n] == Ap || r->op[n] == Mp)
			return true;
	return r->op[0] == Sw || r->op[0] == Cy || r->op[0] == Dy ||
	       r->op[1] == Cy || r->op[1] == Dy || r->op[0] == xDS ||
	       r->op[0] == xES || r->op[0] == xFS || r->op[0] == xGS ||
	       r->op[0] == xSS;
}

static void choose_rows(void)
{
	for (unsigned m = 0; m < 3; m++)
		for (unsigned n = 0; n < insn_row_count; n++) {
			const struct insn_row *r = &insn_rows[n];

			if (left_out(r) ||
			    r->how & (m == CODE64 ? HOW_NO64 : HOW_ONLY64))
				continue;
			if (r->feature != FEAT_ALWAYS &&
			    !feature_has(&oracle_features, r->feature))
				continue;
			if (run.row && strcmp(run.row, r->name))
				continue;
			rows[m][row_count[m]++] = (uint16_t)n;
		}
}

/* ---- printing ---- */

static const char *const mode_names[] = { "16", "32", "64" };

static void print_bytes(const uint8_t *p, unsigned n)
{
	while (n--)
		printf("%02x", p[n]);
}

static void print_insn(const uint8_t *bytes, const struct insn *i)
{
	char text[96];

	insn_format(i, text, sizeof(text));
	for (unsigned n = 0; n < 15; n++)
		if (n < i->len)
			printf("%02x", bytes[n]);
		else
			printf("  ");
	printf("  %s", text);
}

static void print_code(const struct test *t)
{
	printf("\n%s-bit:", mode_names[t->mode]);
	for (unsigned n = 0; n < t->count; n++) {
		const struct block_insn *b = &t->block[n];
		struct insn i;

		/* Its displacement has been filled in since. */
		(void)insn_decode(&i, t->bytes + b->at, 15, t->mode,
				  &oracle_features);
		printf("\n  %4llx ", (unsigned long long)(t->before.rip +
							  b->at) & 0xffff);
		print_insn(t->bytes + b->at, &i);
		printf("%s", b->reached ? "" : "\t; not reached");
	}
	if (!t->count && t->decoded == DECODE_OK) {
		printf(" ");
		print_insn(t->bytes, &t->insn);
	} else if (!t->count) {
		printf(" (not decoded) ");
		for (unsigned n = 0; n < 15; n++)
			printf("%02x", t->bytes[n]);
	}
}

static void print_again(const struct test *t)
{
	printf("\n  again: oracle --accel %s --mode %s --seed %llu --count 1",
	       accel_text, mode_names[t->mode], (unsigned long long)t->seed);
	if (run.row)
		printf(" --row %s", run.row);
	if (run.block)
		printf(" --block %u", run.block);
	if (run.cut)
		printf(" --cut %u", run.cut);
	printf("\n");
}

static void print_case(const struct test *t)
{
	const struct state *s = &t->before;
	static const char *const names[16] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};

	print_code(t);
	print_again(t);
	printf("  segments cs %u ss %u ds %u es %u, flags %05x, fcw %04x fsw "
	       "%04x ftw %02x, mxcsr %04x\n ",
	       t->places.cs, t->places.ss, t->places.ds, t->places.es,
	       s->flags, s->fcw, s->fsw, s->ftw, s->mxcsr);
	for (unsigned n = 0; n < (t->mode == CODE64 ? 16u : 8u); n++)
		printf(" %s %llx", names[n], (unsigned long long)s->gpr[n]);
	if (t->count)
		printf("\n  after: rip %llx trap %d, husk rip %llx trap %d",
		       (unsigned long long)t->host.rip, t->host.trap,
		       (unsigned long long)t->guest.rip, t->guest.trap);
	printf("\n");
}

static void print_vectors(const struct test *t)
{
	for (unsigned n = 0; n < 4; n++) {
		const struct operand *o = &t->insn.op[n];

		if (t->decoded != DECODE_OK || o->kind != OP_VEC)
			continue;
		printf("  ymm%u before ", o->reg);
		print_bytes(t->before.ymm[o->reg], 32);
		printf("\n");
	}
}

/* ---- comparing ---- */

/* One difference of the case; false while it need not be printed. */
static bool differs(const struct test *t, const char *what)
{
	unsigned row = t->decoded == DECODE_OK ? t->insn.row : 4095;

	if (run.quiet)
		return false;
	if (!run.all && reported[row][t->mode])
		return false;
	if (printed++ >= PRINT_MAX)
		return false;
	print_case(t);
	print_vectors(t);
	printf("  %s: ", what);
	return true;
}

static bool compare_number(const struct test *t, const char *what,
			   uint64_t host, uint64_t guest)
{
	if (host == guest)
		return true;
	if (differs(t, what))
		printf("host %llx, husk %llx\n", (unsigned long long)host,
		       (unsigned long long)guest);
	return false;
}

static bool compare_bytes(const struct test *t, const char *what,
			  const uint8_t *host, const uint8_t *guest,
			  unsigned n)
{
	if (!memcmp(host, guest, n))
		return true;
	if (differs(t, what)) {
		printf("\n  host ");
		print_bytes(host, n);
		printf("\n  husk ");
		print_bytes(guest, n);
		printf("\n");
	}
	return false;
}

/* Linux reports faults at its own half of the addresses as protection faults,
 * present or not. */
static uint32_t honest_code(const struct state *s)
{
	bool kernel = s->trap == VEC_PF && s->cr2 >> 47;

	return kernel ? s->code | 1 : s->code;
}

/* State images are read and written in pieces, whose order shows in CR2. */
static bool compare_cr2(const struct test *t)
{
	uint64_t apart = t->host.cr2 - t->guest.cr2;

	if (t->insn.op[0].code == Mo && apart + 4096 < 8192)
		return true;
	return compare_number(t, "CR2", t->host.cr2, t->guest.cr2);
}

static bool compare_outcome(const struct test *t)
{
	const struct state *h = &t->host, *g = &t->guest;

	if (!compare_number(t, "exception", (unsigned)h->trap,
			    (unsigned)g->trap))
		return false;
	if (h->trap == NO_TRAP)
		return true;
	return compare_number(t, "error code", honest_code(h),
			      honest_code(g)) &&
	       (h->trap != VEC_PF || compare_cr2(t));
}

/* The translator need not keep flags that are overwritten unread. */
static bool lazy_flags(void)
{
	return strcmp(accel.name, "interp") && !accel.exact_flags;
}

static bool compare_integer(const struct test *t)
{
	const struct state *h = &t->host, *g = &t->guest;
	uint32_t flags = FLAGS_COMPARED;
	uint64_t mask = t->mode == CODE64 ? ~0ull : 0xffffffff;
	char what[16];

	if (t->count)
		flags &= ~t->junk;
	else if (h->trap == NO_TRAP)
		flags &= ~insn_row_of(&t->insn)->junk;
	if (h->trap != NO_TRAP && lazy_flags())
		flags &= ~FLAGS_ARITH;
	for (unsigned n = 0; n < (t->mode == CODE64 ? 16u : 8u); n++) {
		snprintf(what, sizeof(what), "register %u", n);
		if (!compare_number(t, what, h->gpr[n] & mask,
				    g->gpr[n] & mask))
			return false;
	}
	return compare_number(t, "RIP", h->rip, g->rip) &&
	       compare_number(t, "flags", h->flags & flags, g->flags & flags);
}

static bool compare_fp(const struct test *t)
{
	const struct state *h = &t->host, *g = &t->guest;
	char what[16];

	if (!compare_number(t, "x87 control", h->fcw, g->fcw) ||
	    !compare_number(t, "x87 status", h->fsw, g->fsw) ||
	    !compare_number(t, "x87 tags", h->ftw, g->ftw) ||
	    !compare_number(t, "MXCSR", h->mxcsr, g->mxcsr))
		return false;
	for (unsigned n = 0; n < 8; n++) {
		snprintf(what, sizeof(what), "ST(%u)", n);
		if (!compare_bytes(t, what, h->st[n], g->st[n], 10))
			return false;
	}
	for (unsigned n = 0; n < 16; n++) {
		snprintf(what, sizeof(what), "YMM%u", n);
		if (!compare_bytes(t, what, h->ymm[n], g->ymm[n], 32))
			return false;
	}
	return true;
}

/* The instruction pointer and operand pointer that x87 images hold: the host
 * may have lost them to its kernel, and ours are not meant to agree. */
static void excuse_pointers(const struct test *t)
{
	const char *name = insn_row_of(&t->insn)->name;
	unsigned from = 0, len = 0;

	if (t->decoded != DECODE_OK)
		return;
	if (!strcmp(name, "fnstenv") || !strcmp(name, "fnsave")) {
		from = t->insn.opsize == 2 ? 6 : 12;
		len = t->insn.opsize == 2 ? 8 : 16;
	} else if (!strcmp(name, "fxsave")) {
		from = 6;
		len = 26;	/* and MXCSR_MASK, which AMD adds MM to */
	}
	for (unsigned k = 0; k < len; k++) {
		uint64_t o = test_linear(t) - DATA_AT + from + k;

		if (o < DATA_BYTES && data_page_mapped(o / 4096))
			guest_data[o] = host_data[o];
	}
}

static bool compare_pages(const struct test *t, unsigned first, unsigned last)
{
	for (unsigned p = first; p <= last && p < DATA_PAGES; p++) {
		const uint8_t *h = host_data + 4096 * p;
		const uint8_t *g = guest_data + 4096 * p;
		unsigned k = 0;

		if (!data_page_mapped(p) || !memcmp(h, g, 4096))
			continue;
		while (h[k] == g[k])
			k++;
		if (differs(t, "memory"))
			printf("at %x, host %02x, husk %02x\n",
			       DATA_AT + 4096 * p + k, h[k], g[k]);
		memcpy(guest_data + 4096 * p, h, 4096);
		return false;
	}
	return true;
}

static void excuse_blurs(const struct test *t)
{
	for (unsigned n = 0; n < t->blurs; n++)
		for (unsigned k = 0; k < t->blur[n].len; k++) {
			uint32_t o = t->blur[n].at - DATA_AT + k;

			if (o < DATA_BYTES && data_page_mapped(o / 4096))
				guest_data[o] = host_data[o];
		}
}

static bool compare_memory(const struct test *t)
{
	if (t->count)
		excuse_blurs(t);
	else
		excuse_pointers(t);
	if (run.done % SWEEP_EVERY == 0 || run.count == 1)
		return compare_pages(t, 0, DATA_PAGES - 1);
	return compare_pages(t, t->window / 4096, t->window / 4096);
}

static void copy_memory(void)
{
	for (unsigned p = 0; p < DATA_PAGES; p++)
		if (data_page_mapped(p))
			memcpy(guest_data + 4096 * p, host_data + 4096 * p,
			       4096);
}

static bool compare(const struct test *t)
{
	bool same = compare_outcome(t) && compare_integer(t) && compare_fp(t);

	return compare_memory(t) && same;
}

static void note_difference(const struct test *t)
{
	copy_memory();
	run.differences++;
	reported[t->decoded == DECODE_OK ? t->insn.row : 4095][t->mode] = true;
}

/* ---- cases ---- */

static enum code_mode mode_of(uint64_t seed)
{
	return run.mode >= 0 ? (enum code_mode)run.mode
			     : (enum code_mode)(seed % 3);
}

static void run_single(uint64_t seed)
{
	enum code_mode mode = mode_of(seed);

	test_make(&test, seed, mode, rows[mode], row_count[mode]);
	guest_run(&test);
	host_run(&test);
	if (excuse_single(&test)) {
		run.excused++;
		copy_memory();
		return;
	}
	if (test.host.trap == NO_TRAP && test.decoded == DECODE_OK)
		finished[test.insn.row][mode] = true;
	if (!compare(&test))
		note_difference(&test);
}

/* The first n instructions of the case; 0: all. */
static bool block_agrees(uint64_t seed, unsigned n)
{
	enum code_mode mode = mode_of(seed);

	block_make(&test, seed, mode, run.block, rows[mode], row_count[mode]);
	if (n)
		block_cut(&test, n);
	guest_run(&test);
	host_run(&test);
	if (excuse_block(&test)) {
		copy_memory();
		return true;
	}
	return compare(&test);
}

static void count_insns(const struct test *t)
{
	for (unsigned n = 0; n < t->count; n++) {
		if (!t->block[n].reached)
			continue;
		finished[t->block[n].insn.row][t->mode] = true;
		run.insns++;
	}
	run.faults += t->host.trap != NO_TRAP;
}

static void run_block(uint64_t seed)
{
	unsigned count, n = 1;

	run.quiet = true;
	if (block_agrees(seed, run.cut)) {
		count_insns(&test);
		return;
	}
	if (!run.cut) {
		for (count = test.count; n < count; n++)
			if (!block_agrees(seed, n))
				break;
		run.cut = n;
	}
	run.quiet = false;
	if (block_agrees(seed, run.cut) && !run.all)
		printf("seed %llu differs not always\n",
		       (unsigned long long)seed);
	run.cut = 0;
	note_difference(&test);
}

static void run_all(void)
{
	for (; run.done < run.count; run.done++) {
		uint64_t seed = run.seed + run.done;

		host_watch = seed;
		if (run.block)
			run_block(seed);
		else
			run_single(seed);
	}
}

static void print_missed(void)
{
	for (unsigned m = 0; m < 3; m++)
		for (unsigned n = 0; n < row_count[m]; n++)
			if (!finished[rows[m][n]][m] &&
			    (run.mode < 0 || run.mode == (int)m))
				printf("missed: %s-bit %s (row %u)\n",
				       mode_names[m],
				       insn_rows[rows[m][n]].name,
				       rows[m][n]);
}

/* ---- the command line ---- */

static void usage(void)
{
	fprintf(stderr, "usage: oracle [--accel ENGINE] [--block N] [--seed N]"
			" [--count N] [--row NAME] [--mode 16|32|64] [--all]"
			" [--missed] [--cut N]\n");
	exit(2);
}

static unsigned number(const char *text)
{
	unsigned long n = strtoul(text, NULL, 0);

	if (!n || n > BLOCK_MAX_INSNS)
		usage();
	return (unsigned)n;
}

/* Flags at a fault are compared, so exact ones are asked for. */
static void choose_accel(const char *text)
{
	if (!accel_parse(text, &accel))
		usage();
	accel_text = text;
	if (!strstr(text, "flags="))
		accel.exact_flags = true;
}

static void take_option(int argc, char **argv, int *n)
{
	const char *name = argv[*n], *value;

	if (!strcmp(name, "--all") || !strcmp(name, "--missed")) {
		run.all |= name[2] == 'a';
		run.missed |= name[2] == 'm';
		return;
	}
	if (++*n >= argc)
		usage();
	value = argv[*n];
	if (!strcmp(name, "--seed"))
		run.seed = strtoull(value, NULL, 0);
	else if (!strcmp(name, "--count"))
		run.count = strtoull(value, NULL, 0);
	else if (!strcmp(name, "--row"))
		run.row = value;
	else if (!strcmp(name, "--block"))
		run.block = number(value);
	else if (!strcmp(name, "--cut"))
		run.cut = number(value);
	else if (!strcmp(name, "--accel"))
		choose_accel(value);
	else if (!strcmp(name, "--mode") && !strcmp(value, "16"))
		run.mode = CODE16;
	else if (!strcmp(name, "--mode") && !strcmp(value, "32"))
		run.mode = CODE32;
	else if (!strcmp(name, "--mode") && !strcmp(value, "64"))
		run.mode = CODE64;
	else
		usage();
}

int main(int argc, char **argv)
{
	run.seed = (uint64_t)time(NULL) * 1000003;
	for (int n = 1; n < argc; n++)
		take_option(argc, argv, &n);
	if (!accel_text)
		accel_text = accel.name = run.block ? ACCEL_PRESET : "interp";
	if (strcmp(accel.name, "interp") && !run.block)
		run.block = BLOCK_MAX_INSNS;	/* it does not step */
	features_of_host(&oracle_features);
	choose_rows();
	for (unsigned m = 0; m < 3; m++)
		if ((run.mode < 0 || run.mode == (int)m) && !row_count[m]) {
			fprintf(stderr, "oracle: no row %s\n",
				run.row ? run.row : "");
			return 2;
		}
	printf("seed %llu\n", (unsigned long long)run.seed);
	host_setup();
	guest_setup(&accel);
	run_all();
	if (run.missed)
		print_missed();
	if (run.block)
		printf("%llu instructions, %llu faults\n",
		       (unsigned long long)run.insns,
		       (unsigned long long)run.faults);
	printf("%llu cases, %llu not compared, %llu differences\n",
	       (unsigned long long)run.done, (unsigned long long)run.excused,
	       (unsigned long long)run.differences);
	return run.differences != 0;
}
