/* ctl/gdb_regs.c - registers as gdb sees them, and the target description.
 *
 * A vCPU with long mode is described as x86-64, whatever mode it is in, one
 * without as i386; gdb cannot change its mind while connected.  Besides what
 * gdb asks of every x86 (org.gnu.gdb.i386.core, sse, segments, avx) there are
 * the control registers, under the names QEMU gives them.
 *
 * Registers are in the order of the list, which is that of the description.
 *
 * Source: Debugging with GDB, G.5.6 "i386 Features".
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/x86/seg.h"
#include "cpu/x86/sysreg.h"
#include "ctl/gdb_inside.h"

#define MSR_FS_BASE	0xc0000100
#define MSR_KERNEL_GS	0xc0000102
#define MSR_EFER	0xc0000080

enum kind {
	REG_GPR, REG_IP, REG_FLAGS, REG_SEG, REG_ST, REG_X87, REG_XMM,
	REG_MXCSR, REG_BASE, REG_KERNEL_GS, REG_CR, REG_EFER, REG_YMMH,
};

/* n of REG_X87 */
enum { FCTRL, FSTAT, FTAG, FISEG, FIOFF, FOSEG, FOOFF, FOP };

enum feature_group { CORE, SSE, SEGMENTS, AVX, GROUPS };

static const char *const group_names[GROUPS] = {
	"org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse",
	"org.gnu.gdb.i386.segments", "org.gnu.gdb.i386.avx",
};

/* ---- the list ---- */

static void add(struct gdb_regs *r, const char *name, enum kind kind,
		unsigned n, unsigned bytes, const char *type)
{
	struct gdb_reg *g = &r->at[r->count++];

	assert(r->count <= GDB_REGS_MAX);
	(void)snprintf(g->name, sizeof(g->name), "%s", name);
	g->kind = (uint8_t)kind;
	g->n = (uint8_t)n;
	g->bytes = (uint8_t)bytes;
	g->type = type;
	g->feature = kind == REG_XMM || kind == REG_MXCSR ? SSE
		     : kind == REG_BASE			  ? SEGMENTS
		     : kind == REG_YMMH			  ? AVX
							  : CORE;
}

static void add_numbered(struct gdb_regs *r, const char *fmt, enum kind kind,
			 unsigned from, unsigned to, unsigned bytes,
			 const char *type)
{
	char name[12];

	for (unsigned n = from; n < to; n++) {
		(void)snprintf(name, sizeof(name), fmt, n);
		add(r, name, kind, n, bytes, type);
	}
}

static void add_general64(struct gdb_regs *r)
{
	static const struct { const char *name; uint8_t n; } names[] = {
		{ "rax", RAX }, { "rbx", RBX }, { "rcx", RCX }, { "rdx", RDX },
		{ "rsi", RSI }, { "rdi", RDI }, { "rbp", RBP }, { "rsp", RSP },
	};

	for (unsigned i = 0; i < 8; i++)
		add(r, names[i].name, REG_GPR, names[i].n, 8,
		    i < 6 ? "int64" : "data_ptr");
	add_numbered(r, "r%u", REG_GPR, 8, 16, 8, "int64");
	add(r, "rip", REG_IP, 0, 8, "code_ptr");
}

static void add_general32(struct gdb_regs *r)
{
	static const char *const names[] = { "eax", "ecx", "edx", "ebx",
					     "esp", "ebp", "esi", "edi" };

	for (unsigned i = 0; i < 8; i++)
		add(r, names[i], REG_GPR, i, 4,
		    i == RSP || i == RBP ? "data_ptr" : "int32");
	add(r, "eip", REG_IP, 0, 4, "code_ptr");
}

static void add_system(struct gdb_regs *r, bool lm)
{
	unsigned bytes = lm ? 8 : 4;
	const char *type = lm ? "int64" : "int32";

	if (lm)
		add(r, "k_gs_base", REG_KERNEL_GS, 0, 8, "int64");
	add(r, "cr0", REG_CR, 0, bytes, type);
	add(r, "cr2", REG_CR, 2, bytes, type);
	add(r, "cr3", REG_CR, 3, bytes, type);
	add(r, "cr4", REG_CR, 4, bytes, type);
	if (lm)
		add(r, "cr8", REG_CR, 8, bytes, type);
	add(r, "efer", REG_EFER, 0, bytes, type);
}

static void list_registers(struct gdb_regs *r, const struct cpu *c)
{
	static const struct { const char *name; uint8_t n; } segs[] = {
		{ "cs", CS }, { "ss", SS }, { "ds", DS },
		{ "es", ES }, { "fs", FS }, { "gs", GS },
	};
	static const char *const x87[] = { "fctrl", "fstat", "ftag", "fiseg",
					   "fioff", "foseg", "fooff", "fop" };
	bool lm = feature_has(&c->features, FEAT_LM);
	unsigned vectors = lm ? 16 : 8;

	r->count = 0;
	if (lm)
		add_general64(r);
	else
		add_general32(r);
	add(r, "eflags", REG_FLAGS, 0, 4, "i386_eflags");
	for (unsigned i = 0; i < ARRAY_LEN(segs); i++)
		add(r, segs[i].name, REG_SEG, segs[i].n, 4, "int32");
	add_numbered(r, "st%u", REG_ST, 0, 8, 10, "i387_ext");
	for (unsigned i = 0; i < ARRAY_LEN(x87); i++)
		add(r, x87[i], REG_X87, i, 4, "int");
	add_system(r, lm);
	add_numbered(r, "xmm%u", REG_XMM, 0, vectors, 16, "vec128");
	add(r, "mxcsr", REG_MXCSR, 0, 4, "i386_mxcsr");
	if (lm) {
		add(r, "fs_base", REG_BASE, FS, 8, "int");
		add(r, "gs_base", REG_BASE, GS, 8, "int");
	}
	if (feature_has(&c->features, FEAT_AVX))
		add_numbered(r, "ymm%uh", REG_YMMH, 0, vectors, 16, "uint128");
}

/* ---- the description ---- */

struct text {
	char *at;
	size_t left;
};

static void put(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, t->left, fmt, ap);
	va_end(ap);
	assert(n >= 0 && (size_t)n < t->left);
	t->at += n;
	t->left -= (size_t)n;
}

/* "name bit name bit ..." */
static void put_flags(struct text *t, const char *id, const char *bits)
{
	char name[8];
	unsigned bit;
	int used;

	put(t, "<flags id=\"%s\" size=\"4\">", id);
	for (; sscanf(bits, "%7s %u%n", name, &bit, &used) == 2; bits += used)
		put(t, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", name,
		    bit, bit);
	put(t, "</flags>");
}

static void put_vec128(struct text *t)
{
	static const struct {
		const char *name, *type;
		unsigned count;
	} of[] = {
		{ "v4_float", "ieee_single", 4 },
		{ "v2_double", "ieee_double", 2 },
		{ "v16_int8", "int8", 16 },   { "v8_int16", "int16", 8 },
		{ "v4_int32", "int32", 4 },   { "v2_int64", "int64", 2 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		put(t, "<vector id=\"%s_t\" type=\"%s\" count=\"%u\"/>",
		    of[i].name, of[i].type, of[i].count);
	put(t, "<union id=\"vec128\">");
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		put(t, "<field name=\"%s\" type=\"%s_t\"/>", of[i].name,
		    of[i].name);
	put(t, "<field name=\"uint128\" type=\"uint128\"/></union>");
}

static void put_types(struct text *t, enum feature_group g)
{
	if (g == CORE)
		put_flags(t, "i386_eflags",
			  "CF 0 PF 2 AF 4 ZF 6 SF 7 TF 8 IF 9 DF 10 OF 11 "
			  "NT 14 RF 16 VM 17 AC 18 VIF 19 VIP 20 ID 21");
	if (g == SSE) {
		put_vec128(t);
		put_flags(t, "i386_mxcsr",
			  "IE 0 DE 1 ZE 2 OE 3 UE 4 PE 5 DAZ 6 IM 7 DM 8 "
			  "ZM 9 OM 10 UM 11 PM 12 FZ 15");
	}
}

static bool group_is_used(const struct gdb_regs *r, unsigned g)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->at[i].feature == g)
			return true;
	return false;
}

static void describe(struct gdb_regs *r, bool lm)
{
	struct text t = { r->xml, sizeof(r->xml) };

	put(&t, "<?xml version=\"1.0\"?>"
	    "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
	    "<target version=\"1.0\"><architecture>%s</architecture>",
	    lm ? "i386:x86-64" : "i386");
	for (unsigned g = 0; g < GROUPS; g++) {
		if (!group_is_used(r, g))
			continue;
		put(&t, "<feature name=\"%s\">", group_names[g]);
		put_types(&t, (enum feature_group)g);
		for (unsigned i = 0; i < r->count; i++)
			if (r->at[i].feature == g)
				put(&t, "<reg name=\"%s\" bitsize=\"%u\" "
				    "type=\"%s\" regnum=\"%u\"/>",
				    r->at[i].name, r->at[i].bytes * 8,
				    r->at[i].type, i);
		put(&t, "</feature>");
	}
	put(&t, "</target>");
}

void gdb_regs_init(struct gdb_regs *r, const struct cpu *c)
{
	list_registers(r, c);
	describe(r, feature_has(&c->features, FEAT_LM));
}

/* ---- x87 ---- */

/* The full tag of physical register n (SDM 1 8.1.7). */
static unsigned tag_of(const struct x87 *x, unsigned n)
{
	const uint8_t *st = x->st[(n - (x->fsw >> 11)) & 7];
	unsigned exponent = load_le16(st + 8) & 0x7fff;
	uint64_t mantissa = load_le64(st);

	if (!(x->ftw >> n & 1))
		return 3;
	if (exponent == 0 && mantissa == 0)
		return 1;
	return exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
}

static uint32_t x87_read(const struct x87 *x, unsigned n)
{
	uint32_t tags = 0;

	switch (n) {
	case FCTRL:	return x->fcw;
	case FSTAT:	return x->fsw;
	case FTAG:
		for (unsigned i = 0; i < 8; i++)
			tags |= tag_of(x, i) << 2 * i;
		return tags;
	case FISEG:	return x->fip >> 32 & 0xffff;
	case FIOFF:	return (uint32_t)x->fip;
	case FOSEG:	return x->fdp >> 32 & 0xffff;
	case FOOFF:	return (uint32_t)x->fdp;
	default:	return x->fop;
	}
}

static void put_half(uint64_t *v, unsigned shift, uint32_t half)
{
	*v = (*v & ~(0xffffffffull << shift)) | (uint64_t)half << shift;
}

static void x87_write(struct x87 *x, unsigned n, uint32_t v)
{
	switch (n) {
	case FCTRL:	x->fcw = (uint16_t)v; break;
	case FSTAT:	x->fsw = (uint16_t)v; break;
	case FTAG:
		x->ftw = 0;
		for (unsigned i = 0; i < 8; i++)
			if ((v >> 2 * i & 3) != 3)
				x->ftw |= (uint8_t)(1u << i);
		break;
	case FISEG:	put_half(&x->fip, 32, v); break;
	case FIOFF:	put_half(&x->fip, 0, v); break;
	case FOSEG:	put_half(&x->fdp, 32, v); break;
	case FOOFF:	put_half(&x->fdp, 0, v); break;
	default:	x->fop = (uint16_t)v; break;
	}
}

/* ---- reading ---- */

static uint64_t value_of(struct cpu *c, const struct gdb_reg *r)
{
	switch ((enum kind)r->kind) {
	case REG_GPR:		return c->gpr[r->n];
	case REG_IP:		return c->rip;
	case REG_FLAGS:		return flags_get(c);
	case REG_SEG:		return c->seg[r->n].selector;
	case REG_X87:		return x87_read(&c->x87, r->n);
	case REG_MXCSR:		return c->x87.mxcsr;
	case REG_BASE:		return c->seg[r->n].base;
	case REG_KERNEL_GS:	return c->kernel_gs_base;
	case REG_CR:		return cr_read(c, r->n);
	case REG_EFER:		return c->efer;
	case REG_ST: case REG_XMM: case REG_YMMH: break;
	}
	return 0;
}

/* The bytes of a register wider than 8, or NULL. */
static uint8_t *wide(struct cpu *c, const struct gdb_reg *r)
{
	switch ((enum kind)r->kind) {
	case REG_ST:	return c->x87.st[r->n];
	case REG_XMM:	return c->v[r->n].b;
	case REG_YMMH:	return c->v[r->n].b + 16;
	default:	return NULL;
	}
}

void gdb_reg_read(struct cpu *c, const struct gdb_reg *r, uint8_t *buf)
{
	const uint8_t *w = wide(c, r);
	uint64_t v;

	if (w) {
		memcpy(buf, w, r->bytes);
		return;
	}
	v = value_of(c, r);
	memcpy(buf, &v, r->bytes);
}

/* ---- writing ---- */

/* A selector can be changed where it says all there is: real and v86 mode. */
static bool selector_write(struct cpu *c, enum sreg s, uint64_t v)
{
	if (v == c->seg[s].selector)
		return true;
	if (!cpu_paragraph_mode(c) || v > 0xffff)
		return false;
	seg_load_real(c, s, (uint16_t)v);
	cpu_derive(c);
	return true;
}

static void flags_write(struct cpu *c, uint32_t v)
{
	const uint32_t known = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF |
			       FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM |
			       FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID;

	flags_set(c, v, known);
	cpu_derive(c);
}

static bool value_write(struct cpu *c, const struct gdb_reg *r, uint64_t v)
{
	if (v == value_of(c, r))
		return true;
	switch ((enum kind)r->kind) {
	case REG_GPR:		c->gpr[r->n] = v; break;
	case REG_IP:
		c->rip = c->mode == CODE64 ? v : (uint32_t)v;
		break;
	case REG_FLAGS:		flags_write(c, (uint32_t)v); break;
	case REG_SEG:		return selector_write(c, (enum sreg)r->n, v);
	case REG_X87:		x87_write(&c->x87, r->n, (uint32_t)v); break;
	case REG_MXCSR:
		if (v & ~(uint64_t)c->x87.mxcsr_mask)
			return false;
		c->x87.mxcsr = (uint32_t)v;
		break;
	case REG_BASE:
		return msr_try_write(c, MSR_FS_BASE + r->n - FS, v);
	case REG_KERNEL_GS:	return msr_try_write(c, MSR_KERNEL_GS, v);
	case REG_CR:		return cr_try_write(c, r->n, v);
	case REG_EFER:		return msr_try_write(c, MSR_EFER, v);
	case REG_ST: case REG_XMM: case REG_YMMH: break;
	}
	return true;
}

bool gdb_reg_write(struct cpu *c, const struct gdb_reg *r, const uint8_t *buf)
{
	uint8_t *w = wide(c, r);
	uint64_t v = 0;

	if (w) {
		memcpy(w, buf, r->bytes);
		return true;
	}
	memcpy(&v, buf, r->bytes);
	return value_write(c, r, v);
}
