/* machine/aml.c - see aml.h
 *
 * A term that holds others begins with its length, in one to four bytes, and
 * the length counts itself.  So terms are written without it, and aml_end()
 * moves the contents up to put it in.
 *
 * Source: ACPI specification 6.4, chapter 20 (grammar), 6.4 (resources).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "machine/aml.h"

enum {
	OP_ZERO = 0x00, OP_ONE = 0x01, OP_NAME = 0x08, OP_BYTE = 0x0a,
	OP_WORD = 0x0b, OP_DWORD = 0x0c, OP_STRING = 0x0d, OP_QWORD = 0x0e,
	OP_SCOPE = 0x10, OP_BUFFER = 0x11, OP_PACKAGE = 0x12,
	OP_METHOD = 0x14, OP_EXT = 0x5b, OP_STORE = 0x70, OP_AND = 0x7b,
	OP_OR = 0x7d, OP_CREATE_DWORD_FIELD = 0x8a, OP_IF = 0xa0,
	OP_ELSE = 0xa1, OP_RETURN = 0xa4,
	EXT_REGION = 0x80, EXT_FIELD = 0x81, EXT_DEVICE = 0x82,
};

void aml_free(struct aml *a)
{
	free(a->bytes);
	*a = (struct aml){ 0 };
}

/* ---- bytes ---- */

static uint8_t *append(struct aml *a, size_t len)
{
	if (a->len + len > a->room) {
		a->room = 2 * (a->len + len);
		a->bytes = xrealloc(a->bytes, a->room);
	}
	a->len += len;
	return a->bytes + a->len - len;
}

void aml_byte(struct aml *a, uint8_t v)
{
	*append(a, 1) = v;
}

static void word(struct aml *a, uint16_t v)
{
	store_le16(append(a, 2), v);
}

static void dword(struct aml *a, uint32_t v)
{
	store_le32(append(a, 4), v);
}

static void qword(struct aml *a, uint64_t v)
{
	store_le64(append(a, 8), v);
}

/* ---- data ---- */

/* Four characters, padded with '_' (20.2.2). */
static const char *segment(struct aml *a, const char *s)
{
	uint8_t *to = append(a, 4);
	unsigned n = 0;

	for (; n < 4 && *s && *s != '.'; n++)
		to[n] = (uint8_t)*s++;
	while (n < 4)
		to[n++] = '_';
	return s;
}

void aml_path(struct aml *a, const char *path)
{
	unsigned segments = 1;

	if (*path == '\\')
		aml_byte(a, (uint8_t)*path++);
	for (const char *p = path; *p; p++)
		segments += *p == '.';
	if (segments == 2) {
		aml_byte(a, 0x2e);
	} else if (segments > 2) {
		aml_byte(a, 0x2f);
		aml_byte(a, (uint8_t)segments);
	}
	while (segments--) {
		path = segment(a, path);
		path += *path == '.';
	}
}

/* A name, or one of the AML_ARGs. */
static void operand(struct aml *a, const char *name)
{
	if (*name >= 0x60 && *name <= 0x6e)
		aml_byte(a, (uint8_t)*name);
	else
		aml_path(a, name);
}

void aml_integer(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		aml_byte(a, (uint8_t)v);	/* ZeroOp, OneOp */
	} else if (v <= UINT8_MAX) {
		aml_byte(a, OP_BYTE);
		aml_byte(a, (uint8_t)v);
	} else if (v <= UINT16_MAX) {
		aml_byte(a, OP_WORD);
		word(a, (uint16_t)v);
	} else if (v <= UINT32_MAX) {
		aml_byte(a, OP_DWORD);
		dword(a, (uint32_t)v);
	} else {
		aml_byte(a, OP_QWORD);
		qword(a, v);
	}
}

void aml_string(struct aml *a, const char *s)
{
	size_t len = strlen(s) + 1;

	aml_byte(a, OP_STRING);
	memcpy(append(a, len), s, len);
}

static uint32_t hex(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four hex digits, in big-endian order. */
void aml_eisaid(struct aml *a, const char id[7])
{
	uint32_t v = (uint32_t)(id[0] - '@') << 26 |
		     (uint32_t)(id[1] - '@') << 21 |
		     (uint32_t)(id[2] - '@') << 16 | hex(id[3]) << 12 |
		     hex(id[4]) << 8 | hex(id[5]) << 4 | hex(id[6]);

	aml_byte(a, OP_DWORD);
	dword(a, __builtin_bswap32(v));
}

/* ---- terms that hold others ---- */

static size_t open_term(struct aml *a, uint8_t op)
{
	aml_byte(a, op);
	return a->len;
}

static size_t open_ext(struct aml *a, uint8_t op)
{
	aml_byte(a, OP_EXT);
	return open_term(a, op);
}

/* PkgLength (20.2.4): bits 7:6 of the first byte count the bytes that follow,
 * which hold bits 4 and up; alone, the first holds 6 bits. */
static unsigned encode_length(size_t body, uint8_t out[4])
{
	unsigned more = 0;
	size_t v;

	if (body + 1 < 0x40) {
		out[0] = (uint8_t)(body + 1);
		return 1;
	}
	do
		v = body + 1 + ++more;
	while (v >> (4 + 8 * more));
	assert(more <= 3);
	out[0] = (uint8_t)(more << 6 | (v & 15));
	for (unsigned i = 1; i <= more; i++)
		out[i] = (uint8_t)(v >> (8 * i - 4));
	return more + 1;
}

void aml_end(struct aml *a, size_t open)
{
	size_t body = a->len - open;
	uint8_t length[4];
	unsigned n = encode_length(body, length);

	(void)append(a, n);
	memmove(a->bytes + open + n, a->bytes + open, body);
	memcpy(a->bytes + open, length, n);
}

size_t aml_scope(struct aml *a, const char *path)
{
	size_t open = open_term(a, OP_SCOPE);

	aml_path(a, path);
	return open;
}

size_t aml_device(struct aml *a, const char *name)
{
	size_t open = open_ext(a, EXT_DEVICE);

	aml_path(a, name);
	return open;
}

size_t aml_method(struct aml *a, const char *name, unsigned args)
{
	size_t open = open_term(a, OP_METHOD);

	aml_path(a, name);
	aml_byte(a, (uint8_t)(args | 8));	/* serialized */
	return open;
}

size_t aml_package(struct aml *a, unsigned count)
{
	size_t open = open_term(a, OP_PACKAGE);

	aml_byte(a, (uint8_t)count);
	return open;
}

size_t aml_if(struct aml *a)
{
	return open_term(a, OP_IF);
}

size_t aml_else(struct aml *a)
{
	return open_term(a, OP_ELSE);
}

size_t aml_field(struct aml *a, const char *region)
{
	size_t open = open_ext(a, EXT_FIELD);

	aml_path(a, region);
	aml_byte(a, 0x01);	/* ByteAcc, NoLock, Preserve */
	return open;
}

/* ---- declarations ---- */

void aml_name(struct aml *a, const char *name)
{
	aml_byte(a, OP_NAME);
	aml_path(a, name);
}

void aml_region(struct aml *a, const char *name, uint8_t space, uint64_t at,
		uint64_t len)
{
	aml_byte(a, OP_EXT);
	aml_byte(a, EXT_REGION);
	aml_path(a, name);
	aml_byte(a, space);
	aml_integer(a, at);
	aml_integer(a, len);
}

void aml_field_unit(struct aml *a, const char *name, unsigned bits)
{
	assert(bits < 0x40);
	aml_path(a, name);
	aml_byte(a, (uint8_t)bits);
}

void aml_dword_field(struct aml *a, const char *buffer, uint8_t at,
		     const char *name)
{
	aml_byte(a, OP_CREATE_DWORD_FIELD);
	operand(a, buffer);
	aml_integer(a, at);
	aml_path(a, name);
}

/* ---- statements and expressions ---- */

void aml_return(struct aml *a)
{
	aml_byte(a, OP_RETURN);
}

static void binary(struct aml *a, uint8_t op, const char *name, uint64_t v,
		   const char *target)
{
	aml_byte(a, op);
	operand(a, name);
	aml_integer(a, v);
	if (target)
		operand(a, target);
	else
		aml_byte(a, OP_ZERO);	/* no target */
}

void aml_and(struct aml *a, const char *name, uint64_t v, const char *target)
{
	binary(a, OP_AND, name, v, target);
}

void aml_or(struct aml *a, const char *name, uint64_t v, const char *target)
{
	binary(a, OP_OR, name, v, target);
}

void aml_store(struct aml *a, const char *name, const char *target)
{
	aml_byte(a, OP_STORE);
	operand(a, name);
	operand(a, target);
}

void aml_set(struct aml *a, const char *target, uint64_t v)
{
	aml_byte(a, OP_STORE);
	aml_integer(a, v);
	operand(a, target);
}

/* ---- resource templates ---- */

/* The buffer's size comes before its bytes; it is always written as a word so
 * that aml_resources_end() can fill it in. */
size_t aml_resources(struct aml *a)
{
	size_t open = open_term(a, OP_BUFFER);

	aml_byte(a, OP_WORD);
	word(a, 0);
	return open;
}

void aml_resources_end(struct aml *a, size_t open)
{
	word(a, 0x0079);	/* end tag, checksum not used */
	store_le16(a->bytes + open + 1, (uint16_t)(a->len - open - 3));
	aml_end(a, open);
}

void aml_res_io(struct aml *a, uint16_t base, uint8_t len)
{
	aml_byte(a, 0x47);
	aml_byte(a, 1);		/* decodes 16 bits */
	word(a, base);
	word(a, base);
	aml_byte(a, 1);		/* alignment */
	aml_byte(a, len);
}

void aml_res_irq(struct aml *a, unsigned irq)
{
	aml_byte(a, 0x22);	/* without flags: edge, high, exclusive */
	word(a, (uint16_t)(1u << irq));
}

void aml_res_interrupts(struct aml *a, const uint32_t *irqs, uint8_t count)
{
	aml_byte(a, 0x89);
	word(a, (uint16_t)(2 + 4 * count));
	aml_byte(a, 0x09);	/* consumer, level, high, shared */
	aml_byte(a, count);
	for (unsigned i = 0; i < count; i++)
		dword(a, irqs[i]);
}

void aml_res_memory(struct aml *a, bool writable, uint32_t base, uint32_t len)
{
	aml_byte(a, 0x86);
	word(a, 9);
	aml_byte(a, writable);
	dword(a, base);
	dword(a, len);
}

/* A window the bridge passes on: minimum and maximum are fixed (0Ch). */
static void window_head(struct aml *a, uint8_t tag, uint16_t len, uint8_t type,
			uint8_t flags)
{
	aml_byte(a, tag);
	word(a, len);
	aml_byte(a, type);
	aml_byte(a, 0x0c);
	aml_byte(a, flags);
}

static void word_window(struct aml *a, uint8_t type, uint8_t flags,
			uint16_t first, uint16_t last)
{
	window_head(a, 0x88, 13, type, flags);
	word(a, 0);		/* granularity */
	word(a, first);
	word(a, last);
	word(a, 0);		/* translation */
	word(a, (uint16_t)(last - first + 1));
}

void aml_res_bus_numbers(struct aml *a, uint16_t first, uint16_t last)
{
	word_window(a, 2, 0, first, last);
}

void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last)
{
	word_window(a, 1, 3, first, last);	/* the entire range */
}

void aml_res_memory_window(struct aml *a, uint32_t first, uint32_t last)
{
	window_head(a, 0x87, 23, 0, 0x01);	/* writable, not cacheable */
	dword(a, 0);
	dword(a, first);
	dword(a, last);
	dword(a, 0);
	dword(a, last - first + 1);
}

void aml_res_memory_window64(struct aml *a, uint64_t first, uint64_t last)
{
	window_head(a, 0x8a, 43, 0, 0x03);	/* writable, cacheable */
	qword(a, 0);
	qword(a, first);
	qword(a, last);
	qword(a, 0);
	qword(a, last - first + 1);
}
