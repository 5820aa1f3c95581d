/* cpu/interp/integer_test.c - the integer instructions against the host's
 * processor: every row of insn.def that user code may run, many times, with
 * random encodings, registers and memory.
 *
 * Each case runs three times: natively, by the row's function and, where there
 * is one, by the function exec_select() gives.  Registers, all flags (the
 * undefined ones too, as both are one processor's) and memory must be equal;
 * where the host faults the guest must, with the registers as they were.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/test.h"
#include "cpu/interp/exec.h"
#include "cpu/interp/test_guest.h"
#include "cpu/interp/test_native.h"

#define CASES 400		/* of each row */

struct trial {
	const struct insn_row *row;
	enum code_mode mode;
	uint8_t bytes[32];
	struct insn insn;
	struct native before;
	uint8_t data[GUEST_BYTES];
};

static struct guest *guest;
static struct cpu *cpu;			/* guest's */
static uint64_t seed = 1;

/* ---- random numbers (xorshift64*, Vigna 2016) ---- */

static uint64_t any(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

static unsigned below(unsigned n)
{
	return (unsigned)(any() >> 32) % n;
}

/* Numbers where carries, signs and zeroes are. */
static uint64_t any_value(void)
{
	static const uint64_t edges[] = {
		0, 1, ~0ull, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
		0x8000000000000000,
	};

	switch (below(4)) {
	case 0:	return edges[below(ARRAY_LEN(edges))];
	case 1:	return below(256);
	case 2:	return edges[below(ARRAY_LEN(edges))] + below(17) - 8;
	default: return any();
	}
}

/* ---- running ---- */

static void load_guest(const struct trial *t)
{
	guest_mode(guest, t->mode);
	memcpy(cpu->gpr, t->before.gpr, sizeof(cpu->gpr));
	flags_set(cpu, (uint32_t)t->before.flags, ~FLAG_ONE);
	memcpy(guest->data, t->data, GUEST_BYTES);
	cpu->rip = GUEST_CODE + t->insn.len;
	cpu->insn = &t->insn;
}

/* Runs to the end of a repetition; false: it faulted. */
static bool run_guest(const struct trial *t, exec_fn exec)
{
	load_guest(t);
	if (sigsetjmp(cpu->on_fault, 0))
		return false;
	for (;;) {
		cpu->stop_block = 0;
		exec(cpu, &t->insn);
		if (cpu->rip != GUEST_CODE)
			return true;
		cpu->rip += t->insn.len;
	}
}

/* ---- making a case ---- */

static bool is_code(const struct insn_row *r, unsigned first, unsigned last)
{
	for (unsigned n = 0; n < 4; n++)
		if (r->op[n] >= first && r->op[n] <= last)
			return true;
	return false;
}

/* A displacement of 8 bits keeps memory operands near their base register. */
static uint8_t any_modrm(const struct insn_row *r)
{
	unsigned kind = r->modrm >> 8, value = r->modrm & 0xff;
	unsigned reg = below(8), mod = below(2) ? 3 : 1;

	if (r->modrm == B(value))
		return (uint8_t)value;
	if (kind == E(0) >> 8 || kind == M(0) >> 8 || kind == R(0) >> 8)
		reg = value;
	if (kind == M(0) >> 8 || r->modrm == MEM)
		mod = 1;
	if (kind == R(0) >> 8 || r->modrm == REG)
		mod = 3;
	return (uint8_t)(mod << 6 | reg << 3 | below(8));
}

static uint8_t *put_prefixes(struct trial *t, uint8_t *p)
{
	const struct insn_row *r = t->row;
	bool vex = r->map >= V1;
	uint8_t rex = t->mode == CODE64 ? (uint8_t)below(16) : 0;

	if (r->how & HOW_W0)
		rex &= 7;
	if (r->how & HOW_W1)
		rex |= 8;
	if (vex) {
		*p++ = 0xc4;
		*p++ = (uint8_t)((t->mode == CODE64 ? below(8) << 5 : 0xe0) |
				 (r->map - V1 + 1));
		*p++ = (uint8_t)((rex & 8) << 4 |
				 (t->mode == CODE64 && !(r->how & HOW_NDS0)
					  ? below(16) << 3 : 0x78) |
				 (r->prefix == P66 ? 1 : r->prefix == PF3 ? 2 :
				  r->prefix == PF2 ? 3 : 0));
		return p;
	}
	if (r->prefix == P66 || (r->prefix == PANY && !below(4)))
		*p++ = 0x66;
	if (r->prefix == PF3 || r->prefix == PF2)
		*p++ = r->prefix == PF3 ? 0xf3 : 0xf2;
	else if ((r->how & HOW_REP) && below(3))
		*p++ = below(2) ? 0xf3 : 0xf2;
	if ((r->how & HOW_LOCK) && !below(4))
		*p++ = 0xf0;
	if (t->mode == CODE64 && !below(8) && !is_code(r, Ob, Ov))
		*p++ = 0x67;
	if (rex && below(4))
		*p++ = 0x40 | rex;
	else if (r->how & HOW_W1)
		*p++ = 0x48;
	return p;
}

/* Absolute addresses (moffs) go to the data; ENTER stays on the stack. */
static void tame_constants(struct trial *t)
{
	struct insn *i = &t->insn;

	if (exec_rows[i->row] == exec_enter) {
		t->bytes[i->len - 2] &= 7;
		i->imm &= 0x7ff;
	}
	if (!is_code(t->row, Ob, Ov))
		return;
	i->disp = (int64_t)GUEST_DATA + below(GUEST_BYTES - 8);
	memcpy(t->bytes + i->len - i->addrsize, &i->disp, i->addrsize);
}

/* Bytes of the row, as yet without sense in registers; false: the decoder
 * finds another row there. */
static bool make_bytes(struct trial *t)
{
	const struct insn_row *r = t->row;
	uint8_t *p = put_prefixes(t, t->bytes);

	if (r->map == TWO || r->map == T38 || r->map == T3A)
		*p++ = 0x0f;
	if (r->map == T38 || r->map == T3A)
		*p++ = r->map == T38 ? 0x38 : 0x3a;
	*p++ = r->opcode;
	if (r->modrm != ANY || is_code(r, Eb, Gz))
		*p++ = any_modrm(r);
	while (p < t->bytes + 31)
		*p++ = (uint8_t)any();
	if (insn_decode(&t->insn, t->bytes, 31, t->mode, &cpu->features) !=
	    DECODE_OK)
		return false;
	tame_constants(t);
	return insn_row_of(&t->insn) == r;
}

/* Somewhere in the data, now and then over its end. */
static uint64_t data_pointer(void)
{
	if (!below(16))
		return GUEST_DATA + GUEST_BYTES - below(16);
	return GUEST_DATA + GUEST_BYTES / 2 + below(256);
}

static void aim_registers(struct trial *t)
{
	const struct insn *i = &t->insn;
	uint64_t *r = t->before.gpr;
	bool memory = i->prefix & PREFIX_MEM;

	if (is_code(t->row, Xb, Yz) || exec_rows[i->row] == exec_xlat) {
		r[RSI] = data_pointer();
		r[RDI] = below(2) ? data_pointer() : r[RSI] + below(32) - 16;
		r[RCX] = below(100);
		r[RBX] = data_pointer();
	}
	if (exec_rows[i->row] == exec_leave || exec_rows[i->row] == exec_enter)
		r[RBP] = data_pointer();
	if (memory && i->op[1].kind == OP_GPR &&
	    (insn_row_of(i)->sets & FLAG_CF))	/* BT: a bit number */
		r[i->op[1].reg] = (uint64_t)(int64_t)((int)below(4096) - 2048);
	if (memory && i->index != REG_NONE)
		r[i->index] = below(64);
	if (memory && i->base != REG_NONE)
		r[i->base] = data_pointer();
}

/* What a compare-and-exchange is to find equal. */
static void aim_accumulator(struct trial *t)
{
	const struct insn *i = &t->insn;
	uint64_t *r = t->before.gpr, at;

	if (!(i->prefix & PREFIX_MEM) || i->base == REG_NONE || below(2))
		return;
	at = r[i->base] + (uint64_t)i->disp - GUEST_DATA;
	if (i->index != REG_NONE)
		at += r[i->index] << i->scale;
	if (exec_rows[i->row] == exec_cmpxchg16b)
		r[i->base] -= at & 15;
	if ((at &= ~15ull) >= GUEST_BYTES - 32 || i->base == RAX ||
	    i->base == RDX || i->index == RAX || i->index == RDX)
		return;
	if (exec_rows[i->row] == exec_cmpxchg8b)
		r[i->base] -= r[i->base] & 15;
	r[RAX] = load_le64(t->data + at);
	r[RDX] = load_le64(t->data + at + 8);
}

static bool make_trial(struct trial *t)
{
	if (!make_bytes(t))
		return false;
	for (unsigned n = 0; n < GUEST_BYTES; n += 8)
		store_le64(t->data + n, n & 64 ? any() : 0x4142434445464748);
	for (unsigned n = 0; n < 16; n++)
		t->before.gpr[n] = any_value();
	t->before.gpr[RSP] = GUEST_DATA + GUEST_BYTES - 0x800 +
			     8 * below(16);
	aim_registers(t);
	aim_accumulator(t);
	if (t->mode != CODE64)
		for (unsigned n = 0; n < 16; n++)
			t->before.gpr[n] = n < 8 ? (uint32_t)t->before.gpr[n]
						 : 0;
	t->before.flags = (any() & (FLAGS_ARITH | FLAG_DF)) | FLAG_ONE |
			  FLAG_IF;
	return true;
}

/* ---- comparing ---- */

static void print_trial(const struct trial *t, const char *who)
{
	char text[80];

	insn_format(&t->insn, text, sizeof(text));
	print_error("%s: %s:", who, text);
	for (unsigned n = 0; n < t->insn.len; n++)
		print_error(" %02x", t->bytes[n]);
	print_error("\n");
}

static bool compare(const struct trial *t, const struct native *after,
		    bool faulted, const char *who)
{
	uint64_t known = FLAGS_ARITH | FLAG_DF;
	bool same = true;

	if (t->mode != CODE64)		/* decimal: not done by the host */
		known &= ~(uint64_t)t->row->junk;
	if (faulted != !!after->signal) {
		print_error("native signal %d, guest %s %u\n", after->signal,
			    faulted ? "vector" : "no fault",
			    cpu->fault.vector);
		same = false;
	}
	for (unsigned n = 0; n < (t->mode == CODE64 ? 16 : 8); n++)
		if (cpu->gpr[n] != after->gpr[n]) {
			print_error("register %u was %llx: native %llx, "
				    "guest %llx\n", n,
				    (unsigned long long)t->before.gpr[n],
				    (unsigned long long)after->gpr[n],
				    (unsigned long long)cpu->gpr[n]);
			same = false;
		}
	if (!faulted && (flags_get(cpu) ^ after->flags) & known) {
		print_error("flags were %llx: native %llx, guest %x\n",
			    (unsigned long long)t->before.flags,
			    (unsigned long long)after->flags, flags_get(cpu));
		same = false;
	}
	if (!faulted && memcmp(guest->data, (void *)GUEST_DATA, GUEST_BYTES)) {
		print_error("memory differs\n");
		same = false;
	}
	if (!same)
		print_trial(t, who);
	return same;
}

static unsigned try_row(const struct insn_row *row, enum code_mode mode)
{
	static struct trial t;
	unsigned bad = 0;

	t.row = row;
	t.mode = mode;
	for (unsigned n = 0; n < CASES && bad < 3; n++) {
		struct native after;
		exec_fn fast;

		if (!make_trial(&t))
			continue;
		memcpy((void *)GUEST_DATA, t.data, GUEST_BYTES);
		after = t.before;
		native_run(&after, t.bytes, t.insn.len, mode);
		bad += !compare(&t, &after,
				!run_guest(&t, exec_rows[t.insn.row]),
				"general");
		fast = exec_select(&t.insn, mode);
		if (fast)
			bad += !compare(&t, &after, !run_guest(&t, fast),
					"selected");
	}
	return bad;
}

/* What reads selectors or descriptors, which are not the host's here. */
static bool is_system(const struct insn_row *r)
{
	static const exec_fn system[] = {
		exec_mov_from_sreg, exec_push_sreg, exec_lar, exec_lsl,
		exec_verr, exec_verw, exec_arpl, exec_sldt, exec_str,
		exec_smsw, exec_sgdt, exec_sidt,
	};

	for (unsigned n = 0; n < ARRAY_LEN(system); n++)
		if (exec_rows[r - insn_rows] == system[n])
			return true;
	return false;
}

/* Ends of blocks leave the line; what comes from outside is not repeatable. */
static bool row_is_tried(const struct insn_row *r, enum code_mode mode)
{
	uint32_t not_here = mode == CODE64 ? HOW_NO64 : HOW_ONLY64;

	return !(r->how & (HOW_END | HOW_RFAULT | HOW_CPL0 | HOW_SYS |
			   not_here)) && !is_system(r) &&
	       feature_has(&cpu->features, r->feature);
}

static void try_all(enum code_mode mode)
{
	unsigned bad = 0;

	native_catch_all();
	/* The x87 and vector rows come last. */
	for (unsigned n = 0; !(insn_rows[n].how & HOW_X87); n++)
		if (row_is_tried(&insn_rows[n], mode))
			bad += try_row(&insn_rows[n], mode);
	assert_int_equal(bad, 0);
}

static void instructions_of_64_bit_code_do_what_the_host_does(void **state)
{
	try_all(CODE64);
}

static void instructions_of_32_bit_code_do_what_the_host_does(void **state)
{
	try_all(CODE32);
}

static int open_both(void **state)
{
	guest = guest_new();
	cpu = guest->c;
	native_open();
	return 0;
}

static int close_both(void **state)
{
	guest_free(guest);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(instructions_of_64_bit_code_do_what_the_host_does),
		TEST(instructions_of_32_bit_code_do_what_the_host_does),
	};

	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	print_message("integer: seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests_name("integer", tests, open_both,
					   close_both);
}
