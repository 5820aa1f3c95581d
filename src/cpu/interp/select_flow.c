/* cpu/interp/select_flow.c - selected functions of the stack, jumps, calls and
 * returns, for each width: 8 in 64-bit code, 4 and 2 in other code.
 *
 * Outside 64-bit code the stack pointer must have the operand's width, which
 * is asked when they run, as SS may change within a block.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu/interp/select.h"

ALWAYS_INLINE uint64_t cut(uint64_t v, unsigned width)
{
	return width == 8 ? v : width == 4 ? (uint32_t)v : (uint16_t)v;
}

/* May the code be at this offset, which is cut to the width? */
ALWAYS_INLINE bool code_holds(const struct cpu *c, uint64_t target,
			      unsigned width)
{
	return width == 8 ? gva_canonical(c, target)
			  : target <= c->seg[CS].limit;
}

/* Host memory at a stack pointer, or NULL. */
ALWAYS_INLINE void *stack_hit(struct cpu *c, uint64_t sp, unsigned width,
			      bool write)
{
	if (width == 8)
		return write ? mem_hit_write(c, sp, 8, c->tlb_index)
			     : mem_hit_read(c, sp, 8, c->tlb_index);
	if (unlikely(c->stack_size != width))
		return NULL;
	return segment_hit(c, SS, cut(sp, width), width, write);
}

/* The only operand, a register (form RI) or in memory; false: not here. */
ALWAYS_INLINE bool operand_get(struct cpu *c, const struct insn *i,
			       enum form form, unsigned width, uint64_t *v)
{
	const void *p;

	if (form == RI) {
		*v = gpr_read(c, i->op[0].reg, width);
		return true;
	}
	p = operand_hit(c, i, form, width, false);
	if (unlikely(!p))
		return false;
	*v = host_load(p, width);
	return true;
}

ALWAYS_INLINE bool push(struct cpu *c, uint64_t v, unsigned width)
{
	void *p = stack_hit(c, c->gpr[RSP] - width, width, true);

	if (unlikely(!p))
		return false;
	host_store(p, v, width);
	gpr_write(c, RSP, c->gpr[RSP] - width, width);
	return true;
}

ALWAYS_INLINE void push_operand(struct cpu *c, const struct insn *i,
				enum form form, unsigned width)
{
	uint64_t v;

	if (unlikely(!operand_get(c, i, form, width, &v) ||
		     !push(c, v, width)))
		run_general(c, i);
}

ALWAYS_INLINE void push_constant(struct cpu *c, const struct insn *i,
				 unsigned width)
{
	if (unlikely(!push(c, (uint64_t)i->imm, width)))
		run_general(c, i);
}

ALWAYS_INLINE void pop_register(struct cpu *c, const struct insn *i,
				unsigned width)
{
	const void *p = stack_hit(c, c->gpr[RSP], width, false);
	uint64_t v;

	if (unlikely(!p)) {
		run_general(c, i);
		return;
	}
	v = host_load(p, width);
	gpr_write(c, RSP, c->gpr[RSP] + width, width);
	gpr_write(c, i->op[0].reg, v, width);
}

ALWAYS_INLINE void leave_frame(struct cpu *c, const struct insn *i,
			       unsigned width)
{
	const void *p = stack_hit(c, c->gpr[RBP], width, false);

	if (unlikely(!p)) {
		run_general(c, i);
		return;
	}
	gpr_write(c, RSP, c->gpr[RBP] + width, width);
	gpr_write(c, RBP, host_load(p, width), width);
}

ALWAYS_INLINE void jump_if(struct cpu *c, const struct insn *i, bool taken,
			   unsigned width)
{
	uint64_t target = cut(c->rip + (uint64_t)i->imm, width);

	if (!taken)
		return;
	if (unlikely(!code_holds(c, target, width)))
		fault_gp0(c);
	c->rip = target;
}

ALWAYS_INLINE void jump_to(struct cpu *c, const struct insn *i,
			   enum form form, unsigned width)
{
	uint64_t target;

	if (likely(operand_get(c, i, form, width, &target) &&
		   code_holds(c, target, width)))
		c->rip = target;
	else
		run_general(c, i);
}

ALWAYS_INLINE void call(struct cpu *c, const struct insn *i, uint64_t target,
			unsigned width)
{
	if (likely(code_holds(c, target, width) && push(c, c->rip, width)))
		c->rip = target;
	else
		run_general(c, i);
}

ALWAYS_INLINE void call_relative(struct cpu *c, const struct insn *i,
				 unsigned width)
{
	call(c, i, cut(c->rip + (uint64_t)i->imm, width), width);
}

ALWAYS_INLINE void call_to(struct cpu *c, const struct insn *i,
			   enum form form, unsigned width)
{
	uint64_t target;

	if (likely(operand_get(c, i, form, width, &target)))
		call(c, i, target, width);
	else
		run_general(c, i);
}

ALWAYS_INLINE void return_near(struct cpu *c, const struct insn *i,
			       unsigned width)
{
	const void *p = stack_hit(c, c->gpr[RSP], width, false);
	uint64_t target = p ? host_load(p, width) : 0;
	uint16_t arguments = i->op[0].kind == OP_IMM ? (uint16_t)i->imm : 0;

	if (unlikely(!p || !code_holds(c, target, width))) {
		run_general(c, i);
		return;
	}
	gpr_write(c, RSP, c->gpr[RSP] + width + arguments, width);
	c->rip = target;
}

/* ---- stamped out: <name>_<width>() ---- */

struct flow {
	exec_fn push_reg, push_mem, push_imm, pop_reg, leave;
	exec_fn jmp, jmp_reg, jmp_mem, call, call_reg, call_mem, ret;
	exec_fn jcc[16];
};

#define STAMP(name, width, body)                                              \
	static void name##_##width(struct cpu *c, const struct insn *i)       \
	{                                                                     \
		body;                                                         \
	}
#define JCC8(cc) STAMP(jcc_##cc, 8, jump_if(c, i, condition(c, cc), 8))
#define JCC4(cc) STAMP(jcc_##cc, 4, jump_if(c, i, condition(c, cc), 4))
#define JCC2(cc) STAMP(jcc_##cc, 2, jump_if(c, i, condition(c, cc), 2))
EACH_CONDITION(JCC8)
EACH_CONDITION(JCC4)
EACH_CONDITION(JCC2)
#define NAME8(cc) jcc_##cc##_8,
#define NAME4(cc) jcc_##cc##_4,
#define NAME2(cc) jcc_##cc##_2,

/* memory: the form of operands there. */
#define OF_WIDTH(width, memory)                                               \
	STAMP(push_reg, width, push_operand(c, i, RI, width))                 \
	STAMP(push_mem, width, push_operand(c, i, memory, width))             \
	STAMP(push_imm, width, push_constant(c, i, width))                    \
	STAMP(pop_reg, width, pop_register(c, i, width))                      \
	STAMP(leave, width, leave_frame(c, i, width))                         \
	STAMP(jmp, width, jump_if(c, i, true, width))                         \
	STAMP(jmp_reg, width, jump_to(c, i, RI, width))                       \
	STAMP(jmp_mem, width, jump_to(c, i, memory, width))                   \
	STAMP(call, width, call_relative(c, i, width))                        \
	STAMP(call_reg, width, call_to(c, i, RI, width))                      \
	STAMP(call_mem, width, call_to(c, i, memory, width))                  \
	STAMP(ret, width, return_near(c, i, width))                           \
	static const struct flow flow_##width = {                             \
		push_reg_##width, push_mem_##width, push_imm_##width,         \
		pop_reg_##width, leave_##width, jmp_##width,                  \
		jmp_reg_##width, jmp_mem_##width, call_##width,               \
		call_reg_##width, call_mem_##width, ret_##width,              \
		{ EACH_CONDITION(NAME##width) } };
OF_WIDTH(8, MI)
OF_WIDTH(4, SI)
OF_WIDTH(2, SI)

static exec_fn select_push(const struct insn *i, const struct flow *f,
			   enum form form)
{
	if (i->op[0].kind == OP_IMM)
		return f->push_imm;
	return form == FORMS ? NULL : form == RI ? f->push_reg : f->push_mem;
}

exec_fn select_flow(const struct insn *i, exec_fn general, enum form form,
		    enum code_mode mode)
{
	const struct flow *f = i->opsize == 8 ? &flow_8
			       : i->opsize == 4 ? &flow_4 : &flow_2;

	if ((mode == CODE64) != (i->opsize == 8))
		return NULL;
	if (general == exec_jcc)
		return f->jcc[i->opcode & 15];
	if (general == exec_jmp)
		return f->jmp;
	if (general == exec_call)
		return f->call;
	if (general == exec_ret)
		return f->ret;
	if (general == exec_push)
		return select_push(i, f, form);
	if (general == exec_pop)
		return form == RI ? f->pop_reg : NULL;
	if (general == exec_leave)
		return f->leave;
	if (form == FORMS)
		return NULL;
	if (general == exec_jmp_near)
		return form == RI ? f->jmp_reg : f->jmp_mem;
	if (general == exec_call_near)
		return form == RI ? f->call_reg : f->call_mem;
	return NULL;
}
