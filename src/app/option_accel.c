/* app/option_accel.c - -accel, and -machine's accel: which engine, and how.
 *
 * Each names one or more; the first that is here is taken, with what its own
 * -accel says of it, and the others stand back.  QEMU calls the engine that
 * needs no help from the host tcg: that is our translator.
 *
 * Two of QEMU's properties of tcg choose between ways of which we have one:
 * split-wx (translated code is always mapped twice, once to write and once to
 * run) and thread (each processor has one of its own, so "single" is right
 * where there is one processor).
 *
 * Source: qemu-system-x86_64(1), -accel; qemu's -accel tcg,help.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "app/options.h"
#include "base/bytes.h"
#include "base/optstr.h"

#define CHECK_MAX 1000000000u

static const struct accel_name {
	const char *name;
	const char *engine;	/* NULL: not in this version */
} names[] = {
	{ "jit", "jit" },
	{ "tcg", "jit" },
	{ "interp", "interp" },
	{ "kvm", NULL },
	{ "xen", NULL },
	{ "hax", NULL },
	{ "hvf", NULL },
	{ "nvmm", NULL },
	{ "whpx", NULL },
	{ "qtest", NULL },
};

static const struct accel_name *find(const char *name, size_t len,
				     struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i].name) == len &&
		    !memcmp(names[i].name, name, len))
			return &names[i];
	fail(e, EINVAL, "accelerator '%.*s' is unknown, '-accel help' lists "
	     "them", (int)len, name);
	return NULL;
}

/* One more to choose from, after those before it. */
static void offer(struct options *o, const struct accel_name *n,
		  const struct accel_options *how, bool single_thread)
{
	if (o->accel_chosen)
		return;
	if (!n->engine) {
		if (!o->accel_refused)
			o->accel_refused = n->name;
		return;
	}
	o->accel_chosen = true;
	o->single_thread = single_thread;
	o->machine.accel = *how;
	o->machine.accel.name = n->engine;
}

int accel_list(struct options *o, const char *list, struct err *e)
{
	const struct accel_options preset = { 0 };

	for (;; list++) {
		size_t len = strcspn(list, ":");
		const struct accel_name *n = find(list, len, e);

		if (!n)
			return -EINVAL;
		offer(o, n, &preset, false);
		list += len;
		if (!*list)
			return 0;
	}
}

/* key=one|other; a missing key leaves *is_other as it is. */
static int choice(struct optstr *s, const char *key, const char *one,
		  const char *other, bool *is_other, struct err *e)
{
	const char *v = optstr_get(s, key);

	if (!v)
		return 0;
	if (strcmp(v, one) && strcmp(v, other))
		return fail(e, EINVAL, "%s: '%s' is neither '%s' nor '%s'",
			    key, v, one, other);
	*is_other = !strcmp(v, other);
	return 0;
}

static int jit_props(struct optstr *s, struct accel_options *a, struct err *e)
{
	uint64_t tb_size = 0, check = 0;
	bool split_wx = true;
	int r = optstr_u64(s, "tb-size", 0, ACCEL_TB_SIZE_MAX, &tb_size, e);

	if (!r)
		r = optstr_u64(s, "check", 0, CHECK_MAX, &check, e);
	if (!r)
		r = optstr_bool(s, "split-wx", &split_wx, e);
	if (!r)
		r = choice(s, "flags", "lazy", "exact", &a->exact_flags, e);
	a->tb_size_mib = (unsigned)tb_size;
	a->check = (unsigned)check;
	return r;
}

static int set_one(struct options *o, const char *name, struct optstr *s,
		   struct err *e)
{
	const struct accel_name *n = find(name, strlen(name), e);
	struct accel_options how = { 0 };
	bool single_thread = false;
	int r;

	if (!n)
		return -EINVAL;
	if (!n->engine) {	/* nor do we know what it takes */
		offer(o, n, &how, false);
		return 0;
	}
	r = choice(s, "thread", "multi", "single", &single_thread, e);
	if (!r)
		r = optstr_bool(s, "one-insn-per-tb", &how.one_insn, e);
	if (!r && !strcmp(n->engine, "jit"))
		r = jit_props(s, &how, e);
	if (!r && optstr_unused(s))
		r = fail(e, ENOTSUP, "%s: not in this version, or unknown",
			 optstr_unused(s));
	if (!r)
		offer(o, n, &how, single_thread);
	return r;
}

static void print_names(struct options *o)
{
	fprintf(o->out, "Accelerators supported in QEMU binary:\n");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].engine)
			fprintf(o->out, "%s\n", names[i].name);
	o->done = true;
}

int set_accel(struct options *o, const char *arg, struct err *e)
{
	struct optstr *s;
	const char *name;
	int r = optstr_parse(&s, arg, "accel", e);

	if (r)
		return r;
	if (optstr_wants_help(s)) {
		print_names(o);
		goto out;
	}
	r = optstr_need(s, "accel", &name, e);
	if (!r && strchr(name, ':'))
		r = fail(e, EINVAL, "a list is for '-machine accel=%s', or "
			 "give -accel for each", name);
	if (!r)
		r = set_one(o, name, s, e);
out:
	optstr_free(s);
	return r;
}

int settle_accel(const struct options *o, struct err *e)
{
	if (o->accel_refused && !o->accel_chosen)
		return fail(e, ENOTSUP, "accelerator '%s': not in this version,"
			    " 'tcg' and 'interp' are", o->accel_refused);
	if (o->single_thread && o->machine.smp.cpus > 1)
		return fail(e, ENOTSUP, "-accel thread=single: with %u "
			    "processors not in this version, each has a thread",
			    o->machine.smp.cpus);
	return 0;
}
