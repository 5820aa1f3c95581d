/* cpu/interp/fpu.c - x87 instructions that the host's FPU runs for us, and the
 * upkeep of the x87 state.
 *
 * Two ways (thunk_x87.c).  The complete one loads the guest's whole FPU from an
 * FXSAVE image, runs the instruction, and saves it again, under the guest's own
 * control word; the save does not wait, so an exception that is unmasked stays
 * in the image as pending and is never signalled to us.  It is the guest's next
 * waiting instruction that reports it (fpu_ready), before the host sees the
 * state again.  The quick way is taken when all exceptions are masked and
 * neither the stack's top nor bottom is in the way: it runs the instruction on
 * the registers involved, and the stack and the status word are kept here.
 *
 * The last instruction's addresses and opcode are the guest's, kept here: they
 * are written by every instruction but the control ones (SDM 1 8.1.8).
 *
 * Source: SDM 1 chapter 8, SDM 2 (each instruction).
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus/bus.h"
#include "cpu/interp/fpu.h"
#include "cpu/interp/thunk.h"
#include "cpu/interp/vector.h"

#define IRQ_FERR	13
#define TAG_EMPTY	3

/* ---- registers ---- */

/* Move TOP; physical registers stay where they are, so the order changes. */
static void set_top(struct cpu *c, unsigned top)
{
	unsigned by = (top - fpu_top(c)) & 7;
	uint8_t old[8][16];

	if (!by)
		return;
	memcpy(old, c->x87.st, sizeof(old));
	for (unsigned k = 0; k < 8; k++)
		memcpy(c->x87.st[k], old[(k + by) & 7], 16);
	c->x87.fsw = (uint16_t)((c->x87.fsw & ~FSW_TOP) | top << 11);
}

/* Bit k: ST(k) is in use. */
static unsigned in_use(const struct cpu *c)
{
	return (uint8_t)(c->x87.ftw * 0x101u >> fpu_top(c));
}

static void pop(struct cpu *c)
{
	unsigned top = fpu_top(c);

	c->x87.ftw &= (uint8_t)~(1u << top);
	set_top(c, (top + 1) & 7);
}

/* ES and B follow from the flags and masks. */
static void summarize(struct cpu *c)
{
	c->x87.fsw &= (uint16_t)~(FSW_ES | FSW_BUSY);
	if (c->x87.fsw & ~c->x87.fcw & FSW_FLAGS)
		c->x87.fsw |= FSW_ES | FSW_BUSY;
}

void fpu_write_control(struct cpu *c, uint16_t fcw)
{
	c->x87.fcw = (fcw & FCW_BITS) | FCW_ONE;
	summarize(c);
}

void fpu_write_status(struct cpu *c, uint16_t fsw)
{
	set_top(c, fsw >> 11 & 7);
	c->x87.fsw = fsw;
	summarize(c);
}

void fpu_init(struct cpu *c)
{
	fpu_write_status(c, 0);
	fpu_write_control(c, FCW_INIT);
	c->x87.ftw = 0;
	c->x87.fop = 0;
	c->x87.fip = c->x87.fdp = 0;
	c->fcs = c->fds = 0;
}

/* 0 valid, 1 zero, 2 special. */
static unsigned tag_of(const uint8_t *st)
{
	uint64_t significand = load_le64(st);
	unsigned exponent = load_le16(st + 8) & 0x7fff;

	if (!exponent)
		return significand ? 2 : 1;
	return exponent == 0x7fff || !(significand >> 63) ? 2 : 0;
}

uint16_t fpu_tags(const struct cpu *c)
{
	unsigned tags = 0;

	for (unsigned n = 0; n < 8; n++) {
		unsigned tag = TAG_EMPTY;

		if (c->x87.ftw >> n & 1)
			tag = tag_of(c->x87.st[(n - fpu_top(c)) & 7]);
		tags |= tag << (2 * n);
	}
	return (uint16_t)tags;
}

void fpu_write_tags(struct cpu *c, uint16_t tags)
{
	unsigned used = 0;

	for (unsigned n = 0; n < 8; n++)
		if ((tags >> (2 * n) & 3) != TAG_EMPTY)
			used |= 1u << n;
	c->x87.ftw = (uint8_t)used;
}

void mmx_enter(struct cpu *c)
{
	set_top(c, 0);
	c->x87.ftw = 0xff;
}

/* ---- exceptions ---- */

/* FERR# to the PC's interrupt controller.  The port F0h that the handler
 * writes lowers it there. */
static void raise_ferr(struct cpu *c)
{
	struct irq_sink s = bus_isa_irq(c->bus, IRQ_FERR);

	if (!s.changed)
		return;
	bus_lock(c->bus);
	s.changed(s.ctx, s.pin, true);
	bus_unlock(c->bus);
}

void fpu_check_pending(struct cpu *c)
{
	if (!fpu_pending(c))
		return;
	if (c->cr0 & CR0_NE)
		fault_raise(c, VEC_MF);
	raise_ferr(c);
}

/* With CR0.NE clear a waiting instruction stops until an interrupt comes, then
 * tries again. */
static void wait_for_interrupt(struct cpu *c, const struct insn *i)
{
	raise_ferr(c);
	c->rip -= i->len;
	if (c->mode != CODE64)
		c->rip = (uint32_t)c->rip;
	c->halted = true;
	c->stop_block = 1;
}

bool fpu_wait(struct cpu *c, const struct insn *i)
{
	if (likely(!fpu_pending(c)))
		return true;
	if (c->cr0 & CR0_NE)
		fault_raise(c, VEC_MF);
	wait_for_interrupt(c, i);
	return false;
}

bool fpu_ready(struct cpu *c, const struct insn *i)
{
	if (unlikely(c->cr0 & (CR0_EM | CR0_TS)))
		fault_raise(c, VEC_NM);
	return insn_how(i) & HOW_NOWAIT || fpu_wait(c, i);
}

/* ---- running ---- */

static void note_instruction(struct cpu *c, const struct insn *i)
{
	c->x87.fip = c->rip - i->len;
	if (c->mode != CODE64)
		c->x87.fip = (uint32_t)c->x87.fip;
	c->fcs = c->seg[CS].selector;
	c->x87.fop = (uint16_t)((i->opcode & 7) << 8 | i->modrm);
	if (i->prefix & PREFIX_MEM) {
		c->x87.fdp = insn_offset(c, i);
		c->fds = c->seg[i->seg].selector;
	}
}

static void run_complete(struct cpu *c, const struct thunk *t, void *memory)
{
	static _Thread_local struct fx_image image;

	image.x87 = c->x87;
	image.x87.mxcsr = MXCSR_MASKS;	/* the host's */
	t->run(&image, memory, NULL, NULL, c);
	c->x87.fsw = image.x87.fsw;
	c->x87.ftw = image.x87.ftw;
	memcpy(c->x87.st, image.x87.st, sizeof(c->x87.st));
}

/* Flags that stick in the host's FPU must be flags the guest has as well, as
 * they will be found after the instruction. */
static void forget_host_flags(const struct cpu *c)
{
	uint16_t fsw;

	__asm__ volatile("fnstsw %0" : "=a"(fsw));
	if (unlikely(fsw & ~c->x87.fsw & (FSW_FLAGS | FSW_SF)))
		__asm__ volatile("fnclex");
}

static void load_control(uint16_t fcw)
{
	__asm__ volatile("fldcw %0" : : "m"(fcw));
}

static bool run_quick(struct cpu *c, const struct thunk *t, void *memory)
{
	const struct quick *q = &t->quick;
	unsigned top = fpu_top(c), used = in_use(c);
	unsigned odd = c->x87.fcw ^ FCW_INIT;
	uint16_t fsw, take = q->conditions;

	if (!t->run_quick || ~c->x87.fcw & FSW_FLAGS ||
	    (q->st0 && !(used & 1)) || (q->sti && !(used >> q->i & 1)) ||
	    (q->push && used & 0x80))
		return false;
	forget_host_flags(c);
	if (q->push) {
		set_top(c, (top - 1) & 7);
		c->x87.ftw |= (uint8_t)(1u << fpu_top(c));
	}
	if (unlikely(odd))
		load_control(c->x87.fcw);
	fsw = t->run_quick(c->x87.st[0], memory, c->x87.st[q->i], NULL, c);
	if (unlikely(odd))
		load_control(FCW_INIT);
	c->x87.fsw = (uint16_t)((c->x87.fsw & ~take) | (fsw & take) |
				(fsw & FSW_FLAGS));
	for (unsigned n = 0; n < q->pops; n++)
		pop(c);
	return true;
}

static void run(struct cpu *c, const struct insn *i, void *memory)
{
	const struct thunk *t = thunk_of(i);

	if (!run_quick(c, t, memory))
		run_complete(c, t, memory);
	note_instruction(c, i);
}

void exec_fpu(struct cpu *c, const struct insn *i)
{
	uint8_t buffer[16];
	void *memory = buffer;

	if (!fpu_ready(c, i))
		return;
	if (i->prefix & PREFIX_MEM) {
		unsigned size = i->op[1].size;
		gva_t a = insn_linear(c, i, size, ACCESS_READ);

		check_alignment(c, a, size < 8 ? size : 8);
		memory = mem_hit_read(c, a, size, c->tlb_index);
		if (unlikely(!memory)) {
			mem_read_block(c, a, buffer, size);
			memory = buffer;
		}
	}
	run(c, i, memory);
}

/* An unmasked exception of these kinds keeps the store from being done. */
static bool store_prevented(const struct cpu *c)
{
	return c->x87.fsw & ~c->x87.fcw & (FSW_IE | FSW_OE | FSW_UE);
}

void exec_fpu_store(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size;
	uint8_t buffer[16];
	void *memory;
	gva_t a;

	if (!fpu_ready(c, i))
		return;
	a = insn_linear(c, i, size, ACCESS_WRITE);
	check_alignment(c, a, size < 8 ? size : 8);
	memory = mem_hit_write(c, a, size, c->tlb_index);
	if (likely(memory)) {
		run(c, i, memory);
		return;
	}
	mem_probe(c, a, size, ACCESS_WRITE);
	run(c, i, buffer);
	if (!store_prevented(c))
		mem_write_block(c, a, buffer, size);
}

/* ---- moves between registers, by hand ----
 * Only where no stack fault can come of it. */

static void moved(struct cpu *c, const struct insn *i)
{
	c->x87.fsw &= (uint16_t)~FSW_C1;
	note_instruction(c, i);
}

void exec_fxch(struct cpu *c, const struct insn *i)
{
	unsigned n = i->modrm & 7;
	uint8_t old[16];

	if (!(in_use(c) & 1) || !(in_use(c) >> n & 1)) {
		exec_fpu(c, i);
		return;
	}
	if (!fpu_ready(c, i))
		return;
	memcpy(old, c->x87.st[n], 16);
	memcpy(c->x87.st[n], c->x87.st[0], 16);
	memcpy(c->x87.st[0], old, 16);
	moved(c, i);
}

/* FLD ST(i) */
void exec_fld_register(struct cpu *c, const struct insn *i)
{
	unsigned n = i->modrm & 7;

	if (!(in_use(c) >> n & 1) || in_use(c) & 0x80) {
		exec_fpu(c, i);
		return;
	}
	if (!fpu_ready(c, i))
		return;
	set_top(c, (fpu_top(c) - 1) & 7);
	c->x87.ftw |= (uint8_t)(1u << fpu_top(c));
	memcpy(c->x87.st[0], c->x87.st[n + 1], 16);
	moved(c, i);
}

/* FST, FSTP ST(i) */
void exec_fst_register(struct cpu *c, const struct insn *i)
{
	unsigned n = i->modrm & 7;

	if (!(in_use(c) & 1)) {
		exec_fpu(c, i);
		return;
	}
	if (!fpu_ready(c, i))
		return;
	c->x87.ftw |= (uint8_t)(1u << ((fpu_top(c) + n) & 7));
	if (n)
		memcpy(c->x87.st[n], c->x87.st[0], 16);
	if (i->modrm & 8)
		pop(c);
	moved(c, i);
}
