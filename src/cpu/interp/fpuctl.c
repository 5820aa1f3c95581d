/* cpu/interp/fpuctl.c - x87 control: control and status word, environment,
 * initialisation, FWAIT, EMMS.
 *
 * The environment has four layouts, by operand size and mode (SDM 1 figures
 * 8-9 to 8-12).  Fields are 2 or 4 bytes apart:
 *
 *   0 control  1 status  2 tags  3 instruction  4 its CS  5 operand  6 its DS
 *
 * In the paragraph modes 4 and 6 hold address bits above 15 from bit 12 up,
 * and the opcode is in 4.  In 32-bit protected layout the opcode is the upper
 * half of 4.
 *
 * Source: SDM 2A "FLDENV", "FSTENV", "FRSTOR", "FSAVE", SDM 1 8.1.10.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/fpu.h"
#include "cpu/interp/vector.h"

#define ENV_FIELDS	7
#define ENV_MAX		28
#define ST_BYTES	80
#define FOP_BITS	0x7ffu

static unsigned env_width(const struct insn *i)
{
	return i->opsize == 2 ? 2 : 4;
}

/* ---- control and status ---- */

void exec_fnstcw(struct cpu *c, const struct insn *i)
{
	if (fpu_ready(c, i))
		operand_write(c, i, 0, c->x87.fcw);
}

void exec_fldcw(struct cpu *c, const struct insn *i)
{
	if (fpu_ready(c, i))
		fpu_write_control(c, (uint16_t)operand_read(c, i, 0));
}

void exec_fnstsw(struct cpu *c, const struct insn *i)
{
	if (fpu_ready(c, i))
		operand_write(c, i, 0, c->x87.fsw);
}

void exec_fnclex(struct cpu *c, const struct insn *i)
{
	if (fpu_ready(c, i))
		c->x87.fsw &= (uint16_t)~(FSW_FLAGS | FSW_SF | FSW_ES |
					  FSW_BUSY);
}

void exec_fninit(struct cpu *c, const struct insn *i)
{
	if (fpu_ready(c, i))
		fpu_init(c);
}

/* FNENI, FNDISI, FNSETPM of earlier coprocessors. */
void exec_fpu_nop(struct cpu *c, const struct insn *i)
{
	(void)fpu_ready(c, i);
}

/* FWAIT alone heeds MP: #NM only if both MP and TS are set. */
void exec_fwait(struct cpu *c, const struct insn *i)
{
	const uint64_t both = CR0_MP | CR0_TS;

	if ((c->cr0 & both) == both)
		fault_raise(c, VEC_NM);
	(void)fpu_wait(c, i);
}

void exec_emms(struct cpu *c, const struct insn *i)
{
	vector_check(c, insn_how(i));
	mmx_enter(c);
	c->x87.ftw = 0;
}

/* ---- the environment ---- */

static void env_pointers(const struct cpu *c, unsigned width, uint32_t *f)
{
	uint32_t ip = (uint32_t)c->x87.fip, dp = (uint32_t)c->x87.fdp;
	uint32_t op = c->x87.fop & FOP_BITS;

	if (cpu_paragraph_mode(c)) {
		ip += (uint32_t)c->fcs << 4;
		dp += (uint32_t)c->fds << 4;
		f[3] = ip & 0xffff;
		f[4] = (ip >> 16) << 12 | op;
		f[5] = dp & 0xffff;
		f[6] = (dp >> 16) << 12;
		return;
	}
	f[3] = ip;
	f[4] = c->fcs | (width == 4 ? op << 16 : 0);
	f[5] = dp;
	f[6] = c->fds;
}

/* The reserved upper halves of the 32-bit layout read as ones. */
static void env_save(const struct cpu *c, unsigned width, uint8_t *to)
{
	const uint32_t ones = 0xffff0000;
	uint32_t f[ENV_FIELDS] = { c->x87.fcw | ones, c->x87.fsw | ones,
				   fpu_tags(c) | ones };

	env_pointers(c, width, f);
	if (!cpu_paragraph_mode(c))
		f[6] |= ones;
	for (unsigned n = 0; n < ENV_FIELDS; n++)
		if (width == 4)
			store_le32(to + 4 * n, f[n]);
		else
			store_le16(to + 2 * n, (uint16_t)f[n]);
}

static void env_load_pointers(struct cpu *c, unsigned width, const uint32_t *f)
{
	if (cpu_paragraph_mode(c)) {
		c->x87.fip = f[3] | (f[4] >> 12) << 16;
		c->x87.fdp = f[5] | (f[6] >> 12) << 16;
		c->x87.fop = f[4] & FOP_BITS;
		c->fcs = c->fds = 0;
		return;
	}
	c->x87.fip = f[3];
	c->x87.fdp = f[5];
	c->fcs = (uint16_t)f[4];
	c->fds = (uint16_t)f[6];
	c->x87.fop = width == 4 ? f[4] >> 16 & FOP_BITS : 0;
}

static void env_load(struct cpu *c, unsigned width, const uint8_t *from)
{
	uint32_t f[ENV_FIELDS];

	for (unsigned n = 0; n < ENV_FIELDS; n++)
		f[n] = width == 4 ? load_le32(from + 4 * n)
				  : load_le16(from + 2 * n);
	f[3] &= cpu_paragraph_mode(c) ? 0xffff : ~0u;
	f[5] &= cpu_paragraph_mode(c) ? 0xffff : ~0u;
	fpu_write_control(c, (uint16_t)f[0]);
	fpu_write_status(c, (uint16_t)f[1]);
	fpu_write_tags(c, (uint16_t)f[2]);
	env_load_pointers(c, width, f);
}

/* Address of an environment with `more` bytes after it. */
static gva_t env_linear(struct cpu *c, const struct insn *i, unsigned more,
			enum access access)
{
	unsigned width = env_width(i);
	gva_t a = insn_linear(c, i, ENV_FIELDS * width + more, access);

	check_alignment(c, a, width);
	return a;
}

void exec_fnstenv(struct cpu *c, const struct insn *i)
{
	unsigned width = env_width(i);
	uint8_t env[ENV_MAX];

	if (!fpu_ready(c, i))
		return;
	env_save(c, width, env);
	mem_write_block(c, env_linear(c, i, 0, ACCESS_WRITE), env,
			ENV_FIELDS * width);
	fpu_write_control(c, c->x87.fcw | FSW_FLAGS);	/* masks all */
}

void exec_fldenv(struct cpu *c, const struct insn *i)
{
	unsigned width = env_width(i);
	uint8_t env[ENV_MAX];

	if (!fpu_ready(c, i))
		return;
	mem_read_block(c, env_linear(c, i, 0, ACCESS_READ), env,
		       ENV_FIELDS * width);
	env_load(c, width, env);
}

void exec_fnsave(struct cpu *c, const struct insn *i)
{
	unsigned width = env_width(i), env = ENV_FIELDS * width;
	uint8_t image[ENV_MAX + ST_BYTES];

	if (!fpu_ready(c, i))
		return;
	env_save(c, width, image);
	for (unsigned k = 0; k < 8; k++)
		memcpy(image + env + 10 * k, c->x87.st[k], 10);
	mem_write_block(c, env_linear(c, i, ST_BYTES, ACCESS_WRITE), image,
			env + ST_BYTES);
	fpu_init(c);
}

void exec_frstor(struct cpu *c, const struct insn *i)
{
	unsigned width = env_width(i), env = ENV_FIELDS * width;
	uint8_t image[ENV_MAX + ST_BYTES];

	if (!fpu_ready(c, i))
		return;
	mem_read_block(c, env_linear(c, i, ST_BYTES, ACCESS_READ), image,
		       env + ST_BYTES);
	env_load(c, width, image);
	for (unsigned k = 0; k < 8; k++)
		memcpy(c->x87.st[k], image + env + 10 * k, 10);
}
