/* cpu/interp/fpu.c - x87 instructions that the host's FPU runs for us, and the
 * upkeep of the x87 state.
 *
 * Each instruction loads the guest's whole FPU from an FXSAVE image, runs, and
 * saves it again, under the guest's own control word; the save does not wait,
 * so an exception that is unmasked stays in the image as pending and is never
 * signalled to us.  It is the guest's next waiting instruction that reports it
 * (fpu_ready), before the host sees the state again.
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

static void run(struct cpu *c, const struct insn *i, uint8_t *memory)
{
	static _Thread_local struct fx_image image;

	image.x87 = c->x87;
	image.x87.mxcsr = MXCSR_MASKS;	/* the host's */
	thunk_of(i)->run(&image, memory, NULL, NULL, c);
	c->x87.fsw = image.x87.fsw;
	c->x87.ftw = image.x87.ftw;
	memcpy(c->x87.st, image.x87.st, sizeof(c->x87.st));
	note_instruction(c, i);
}

void exec_fpu(struct cpu *c, const struct insn *i)
{
	uint8_t memory[16];

	if (!fpu_ready(c, i))
		return;
	if (i->prefix & PREFIX_MEM) {
		unsigned size = i->op[1].size;
		gva_t a = insn_linear(c, i, size, ACCESS_READ);

		check_alignment(c, a, size < 8 ? size : 8);
		mem_read_block(c, a, memory, size);
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
	uint8_t memory[16];
	gva_t a;

	if (!fpu_ready(c, i))
		return;
	a = insn_linear(c, i, size, ACCESS_WRITE);
	check_alignment(c, a, size < 8 ? size : 8);
	mem_probe(c, a, size, ACCESS_WRITE);
	run(c, i, memory);
	if (!store_prevented(c))
		mem_write_block(c, a, memory, size);
}
