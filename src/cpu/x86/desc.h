/* cpu/x86/desc.h - descriptors as they lie in the GDT, the LDT and the IDT.
 *
 *   high dword: 31:24 base, 23 G, 22 D/B, 21 L, 20 AVL, 19:16 limit, 15 P,
 *               14:13 DPL, 12 S, 11:8 type, 7:0 base      (SDM 3A 3.4.5)
 *   gates:      31:16 offset, 15 P, 14:13 DPL, 12 S=0, 11:8 type,
 *               4:0 parameters or 2:0 IST                 (SDM 3A 5.8.3)
 * In long mode system descriptors are 16 bytes; the third dword is the upper
 * half of the base or offset (SDM 3A 7.2.3).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_X86_DESC_H
#define CPU_X86_DESC_H
#include "cpu/x86/fault.h"
#include "cpu/x86/state.h"

enum system_type {
	SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4,
	SYS_TASK_GATE = 5, SYS_INT16 = 6, SYS_TRAP16 = 7, SYS_TSS32 = 9,
	SYS_TSS32_BUSY = 11, SYS_CALL32 = 12, SYS_INT32 = 14, SYS_TRAP32 = 15,
};
#define SYS_BUSY	2u	/* the bit that tells a busy TSS */
#define SYS_32		8u	/* the bit that tells 32-bit TSSs and gates */

struct desc {
	gva_t at;		/* where it was read */
	uint32_t lo, hi;
	uint32_t top;		/* third dword of a 16-byte one, else 0 */
};

static inline unsigned desc_type(const struct desc *d)
{
	return d->hi >> 8 & 15;
}

static inline unsigned desc_dpl(const struct desc *d)
{
	return d->hi >> 13 & 3;
}

static inline bool desc_present(const struct desc *d)
{
	return d->hi >> 15 & 1;
}

/* Code or data, as opposed to a system segment or gate. */
static inline bool desc_memory(const struct desc *d)
{
	return d->hi >> 12 & 1;
}

static inline bool desc_code(const struct desc *d)
{
	return desc_memory(d) && desc_type(d) & SEG_CODE;
}

static inline bool desc_conforming(const struct desc *d)
{
	return desc_code(d) && desc_type(d) & SEG_EXPAND_DOWN;
}

static inline bool desc_writable(const struct desc *d)
{
	return desc_memory(d) && !desc_code(d) && desc_type(d) & SEG_WRITABLE;
}

/* Data, or code that may be read. */
static inline bool desc_readable(const struct desc *d)
{
	return desc_memory(d) &&
	       (!desc_code(d) || desc_type(d) & SEG_WRITABLE);
}

static inline bool selector_null(uint16_t selector)
{
	return !(selector & 0xfffc);
}

/* Does code run in 64-bit mode in this segment? */
static inline bool segment_code64(const struct cpu *c, const struct segment *cs)
{
	return cpu_long_mode(c) && cs->attr & SEG_L;
}

static inline unsigned segment_dpl(const struct segment *s)
{
	return s->attr >> SEG_DPL_SHIFT & 3;
}

/* A table's linear address plus an offset; wraps at 4 GiB outside long mode. */
static inline gva_t table_linear(const struct cpu *c, uint64_t base,
				 uint32_t offset)
{
	return cpu_long_mode(c) ? base + offset : (uint32_t)(base + offset);
}

/* Raise v with the selector as error code (EXT is fault_raise_code's). */
_Noreturn void fault_selector(struct cpu *c, enum vector v, uint16_t selector);

/* Read the descriptor of a selector; false if it is outside its table.  The
 * null selector reads GDT entry 0: callers ask selector_null() first. */
bool desc_read(struct cpu *c, uint16_t selector, struct desc *d);
/* A system descriptor read by desc_read() becomes 16 bytes long in long mode:
 * read the rest.  False if that is outside the table or not of type 0. */
bool desc_widen(struct cpu *c, uint16_t selector, struct desc *d);
/* Set the accessed bit in memory and in *d. */
void desc_touch(struct cpu *c, struct desc *d);
/* Write another system type over the one in memory (TSS busy). */
void desc_set_type(struct cpu *c, struct desc *d, unsigned type);

struct segment desc_segment(const struct desc *d, uint16_t selector);
/* What loading a null selector leaves; DPL is kept for SS (it is the CPL). */
struct segment segment_null(uint16_t selector, unsigned dpl);

/* rip may be `ip` in the code segment *cs, or #GP(0). */
void code_check_ip(struct cpu *c, const struct segment *cs, uint64_t ip);
/* Long mode: L and D both set is reserved: #GP(selector). */
void code_check_size(struct cpu *c, const struct desc *d, uint16_t selector);
/* CS becomes *cs at privilege cpl, rip becomes ip; SS is already right. */
void code_enter(struct cpu *c, const struct segment *cs, unsigned cpl,
		uint64_t ip);

/* A value of opsize 2, 4 or 8 bytes. */
static inline uint64_t narrow(uint64_t v, unsigned size)
{
	return size == 2 ? (uint16_t)v : size == 4 ? (uint32_t)v : v;
}

#endif
