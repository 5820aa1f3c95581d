/* cpu/interp/system.c - descriptor-table registers, the machine status word,
 * interrupt flag, HLT, port I/O and the small system instructions.
 *
 * User-mode instruction prevention (CR4.UMIP) refuses SGDT, SIDT, SLDT, SMSW
 * and STR above ring 0 with #GP(0).
 *
 * Source: SDM 2, the instructions' own pages.
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/exec.h"
#include "cpu/x86/flags.h"
#include "cpu/x86/sysreg.h"

static void check_umip(struct cpu *c)
{
	if (c->cr4 & CR4_UMIP && c->cpl > 0)
		fault_gp0(c);
}

/* ---- table registers ---- */

void exec_lldt(struct cpu *c, const struct insn *i)
{
	seg_load_ldtr(c, (uint16_t)operand_read(c, i, 0));
}

void exec_ltr(struct cpu *c, const struct insn *i)
{
	seg_load_tr(c, (uint16_t)operand_read(c, i, 0));
}

void exec_sldt(struct cpu *c, const struct insn *i)
{
	check_umip(c);
	operand_write(c, i, 0, c->ldtr.selector);
}

void exec_str(struct cpu *c, const struct insn *i)
{
	check_umip(c);
	operand_write(c, i, 0, c->tr.selector);
}

/* Bytes of the base in the memory image of GDTR and IDTR. */
static unsigned base_size(const struct cpu *c)
{
	return c->mode == CODE64 ? 8 : 4;
}

static struct table_register table_read(struct cpu *c, const struct insn *i)
{
	unsigned size = base_size(c);
	gva_t a = insn_linear(c, i, 2 + size, ACCESS_READ);
	struct table_register t = {.limit = mem_read16(c, a)};

	t.base = mem_read(c, a + 2, size);
	if (c->mode != CODE64 && i->opsize == 2)
		t.base &= 0xffffff;
	if (!gva_canonical(c, t.base))
		fault_gp0(c);
	return t;
}

static void table_write(struct cpu *c, const struct insn *i,
			const struct table_register *t)
{
	unsigned size = base_size(c);
	uint8_t image[10];

	check_umip(c);
	store_le16(image, t->limit);
	store_le64(image + 2, t->base);
	mem_write_block(c, insn_linear(c, i, 2 + size, ACCESS_WRITE), image,
			2 + size);
}

void exec_lgdt(struct cpu *c, const struct insn *i)
{
	c->gdtr = table_read(c, i);
}

void exec_lidt(struct cpu *c, const struct insn *i)
{
	c->idtr = table_read(c, i);
}

void exec_sgdt(struct cpu *c, const struct insn *i)
{
	table_write(c, i, &c->gdtr);
}

void exec_sidt(struct cpu *c, const struct insn *i)
{
	table_write(c, i, &c->idtr);
}

/* ---- the low half of CR0, as the 286 had it ---- */

void exec_smsw(struct cpu *c, const struct insn *i)
{
	check_umip(c);
	operand_write(c, i, 0, c->cr0);
}

void exec_lmsw(struct cpu *c, const struct insn *i)
{
	uint32_t keep = CR0_MP | CR0_EM | CR0_TS;
	uint64_t v = operand_read(c, i, 0) & (keep | CR0_PE);

	/* PE can be set this way, but not cleared. */
	cr_write(c, 0, (c->cr0 & ~(uint64_t)keep) | v);
}

/* ---- flags ---- */

void exec_cli(struct cpu *c, const struct insn *i)
{
	flags_cli(c);
}

void exec_sti(struct cpu *c, const struct insn *i)
{
	flags_sti(c);
}

void exec_pushf(struct cpu *c, const struct insn *i)
{
	stack_push(c, flags_pushed(c, i->opsize), i->opsize);
}

void exec_popf(struct cpu *c, const struct insn *i)
{
	flags_check_pop(c, i->opsize);
	flags_popped(c, stack_peek(c, 0, i->opsize), i->opsize);
	stack_add(c, i->opsize);
}

static void set_ac(struct cpu *c, uint32_t ac)
{
	if (c->cpl > 0)
		fault_ud(c);
	flags_set(c, ac, FLAG_AC);
	cpu_derive(c);
}

void exec_clac(struct cpu *c, const struct insn *i)
{
	set_ac(c, 0);
}

void exec_stac(struct cpu *c, const struct insn *i)
{
	set_ac(c, FLAG_AC);
}

/* ---- the rest ---- */

void exec_swapgs(struct cpu *c, const struct insn *i)
{
	uint64_t base = c->seg[GS].base;

	c->seg[GS].base = c->kernel_gs_base;
	c->kernel_gs_base = base;
}

void exec_hlt(struct cpu *c, const struct insn *i)
{
	c->halted = true;
	c->stop_block = 1;
}

/* The port is DX or a byte in the code. */
static uint16_t port_operand(struct cpu *c, const struct insn *i, unsigned n)
{
	return (uint16_t)operand_read(c, i, n);
}

void exec_in(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[0].size;

	gpr_write(c, RAX, port_read(c, port_operand(c, i, 1), size), size);
}

void exec_out(struct cpu *c, const struct insn *i)
{
	unsigned size = i->op[1].size;

	port_write(c, port_operand(c, i, 0), (uint32_t)gpr_read(c, RAX, size),
		   size);
}
