/* cpu/jit/names.c - what logs call the addresses in translated code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/bytes.h"
#include "cpu/jit/names.h"

/* ---- routines ---- */

#define STUB(field) { #field, offsetof(struct jit_stubs, field) }
static const struct {
	const char *name;
	size_t at;
} stubs[] = {
	STUB(enter), STUB(exec), STUB(exec_end), STUB(vec_enable),
	STUB(crossing),
	STUB(leave_host), STUB(leave_cpu), STUB(leave_rip),
};
#undef STUB
static_assert(ARRAY_LEN(stubs) * sizeof(uint8_t *) == sizeof(struct jit_stubs),
	      "each routine of struct jit_stubs has a name");

static const uint8_t *code_of(const struct jit *j, unsigned n)
{
	const uint8_t *code;

	memcpy(&code, (const uint8_t *)&j->stub + stubs[n].at, sizeof(code));
	return code;
}

bool jit_stub_at(const struct jit *j, unsigned n, struct stub_name *s)
{
	const uint8_t *end = j->hot_start;

	if (n >= ARRAY_LEN(stubs))
		return false;
	s->name = stubs[n].name;
	s->code = code_of(j, n);
	for (unsigned m = 0; m < ARRAY_LEN(stubs); m++)
		if (code_of(j, m) > s->code && code_of(j, m) < end)
			end = code_of(j, m);
	s->bytes = (size_t)(end - s->code);
	return true;
}

const char *jit_stub_name(const struct jit *j, const uint8_t *code)
{
	for (unsigned n = 0; n < ARRAY_LEN(stubs); n++)
		if (code_of(j, n) == code)
			return stubs[n].name;
	return NULL;
}

/* ---- data ---- */

#define FIELD(type, field)                                                    \
	{ #field, offsetof(struct type, field),                               \
	  sizeof(((struct type *)0)->field) }
static const struct field {
	const char *name;
	size_t at, bytes;
} cpu_fields[] = {
	FIELD(cpu, gpr), FIELD(cpu, rip), FIELD(cpu, arith), FIELD(cpu, of),
	FIELD(cpu, port), FIELD(cpu, seg), FIELD(cpu, tlb),
	FIELD(cpu, x87), FIELD(cpu, v),
}, jit_fields[] = {
	FIELD(jit, page_rip), FIELD(jit, host_rsp), FIELD(jit, rsp_limit),
	FIELD(jit, scratch), FIELD(jit, group), FIELD(jit, host_mxcsr),
	FIELD(jit, step), FIELD(jit, vectors), FIELD(jit, jump),
};
#undef FIELD

static void name_gpr(size_t off, char *buf, size_t size)
{
	static const char *const names[16] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};

	(void)snprintf(buf, size, "guest %s", names[off / 8]);
}

/* Entries of the TLB by what they hold, whichever they are. */
static void name_tlb(size_t off, char *buf, size_t size)
{
	const unsigned table = sizeof(((struct tlb *)0)->entry[0]);
	const char *part = "entry";

	switch (off % sizeof(struct tlb_entry)) {
	case offsetof(struct tlb_entry, read):	part = "read"; break;
	case offsetof(struct tlb_entry, write):
		part = off / table & TLB_WRITES ? "write" : "addend";
		break;
	case offsetof(struct tlb_entry, exec):	part = "exec"; break;
	case offsetof(struct tlb_entry, host):	part = "host"; break;
	default: break;
	}
	(void)snprintf(buf, size, "tlb %s", part);
}

static void name_jump(size_t off, char *buf, size_t size)
{
	const char *part = "tag";

	switch (off % sizeof(struct jump_entry)) {
	case offsetof(struct jump_entry, rip):	part = "rip"; break;
	case offsetof(struct jump_entry, page_rip): part = "page_rip"; break;
	case offsetof(struct jump_entry, code):	part = "code"; break;
	default: break;
	}
	(void)snprintf(buf, size, "jump %s", part);
}

static bool name_field(const struct field *f, uint64_t off, char *buf,
		       size_t size)
{
	if (off - f->at >= f->bytes)
		return false;
	off -= f->at;
	if (!strcmp(f->name, "gpr"))
		name_gpr(off, buf, size);
	else if (!strcmp(f->name, "tlb"))
		name_tlb(off, buf, size);
	else if (!strcmp(f->name, "jump"))
		name_jump(off, buf, size);
	else if (off)
		(void)snprintf(buf, size, "%s+%u", f->name, (unsigned)off);
	else
		(void)snprintf(buf, size, "%s", f->name);
	return true;
}

void jit_name_data(const struct cpu *c, uint64_t address, char *buf,
		   size_t size)
{
	buf[0] = '\0';
	for (unsigned n = 0; n < ARRAY_LEN(cpu_fields); n++)
		if (name_field(&cpu_fields[n], address - (uintptr_t)c, buf,
			       size))
			return;
	for (unsigned n = 0; n < ARRAY_LEN(jit_fields); n++)
		if (name_field(&jit_fields[n], address - (uintptr_t)c->jit,
			       buf, size))
			return;
}
