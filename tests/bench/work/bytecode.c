/* tests/bench/work/bytecode.c - an interpreter's loop, as scripting languages
 * have one.
 *
 * A register machine with tagged values, windows for calls, and a jump per
 * instruction through a table of labels.  Its program sums greatest common
 * divisors with 840, by calls of a function, into a table of 251 entries, and
 * keeps a mean in floating point.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "row.h"

enum code { INT, MOVE, ADD, SUB, MUL, DIV, MOD, LESS, ZERO, JUMP, CALL, RET,
	GET, SET };

struct op {
	uint8_t code, a, b, c;
};

struct value {
	enum { INTEGER, FLOAT } tag;
	union {
		int64_t i;
		double f;
	};
};

enum { ENTRIES = 251, LOOP = 4, GCD = 18 };

/* r0 last i, r1 i, r2 sum, r3 one, r4 ENTRIES, r7 mean, r8... the callee's */
static const struct op program[] = {
	{ INT, 1, 0 }, { INT, 2, 0 }, { INT, 3, 1 }, { INT, 4, ENTRIES },
	/* LOOP: r8 = gcd(i, 840) */
	{ MOVE, 8, 1 }, { INT, 9, 840 & 255, 840 >> 8 }, { CALL, 8, GCD },
	{ ADD, 2, 2, 8 },
	/* table[i % ENTRIES] += sum */
	{ MOD, 5, 1, 4 }, { GET, 6, 5 }, { ADD, 6, 6, 2 }, { SET, 6, 5 },
	/* mean += (gcd - mean) / ENTRIES */
	{ SUB, 6, 8, 7 }, { DIV, 6, 6, 4 }, { ADD, 7, 7, 6 },
	{ ADD, 1, 1, 3 }, { LESS, 1, 0, LOOP }, { RET, 2 },
	/* GCD: of r0 and r1, in r0 */
	{ ZERO, 1, GCD + 5 }, { MOD, 2, 0, 1 }, { MOVE, 0, 1 },
	{ MOVE, 1, 2 }, { JUMP, GCD }, { RET, 0 },
};

static struct value table[ENTRIES];

static double number(struct value v)
{
	return v.tag == FLOAT ? v.f : (double)v.i;
}

static struct value arithmetic(enum code code, struct value x, struct value y)
{
	struct value v = { .tag = FLOAT };
	double p = number(x), q = number(y);

	v.f = code == ADD ? p + q : code == SUB ? p - q :
	      code == MUL ? p * q : p / q;
	return v;
}

#define NEXT                          \
	do {                          \
		op = *++at;           \
		goto *label[op.code]; \
	} while (0)

/* Integers in line, what has a float in a function of its own. */
#define ARITHMETIC(code, operator)                                    \
	do {                                                          \
		if (r[op.b].tag == INTEGER && r[op.c].tag == INTEGER) \
			r[op.a] = (struct value){                     \
				INTEGER, { r[op.b].i operator r[op.c].i } };  \
		else                                                  \
			r[op.a] = arithmetic(code, r[op.b], r[op.c]); \
		NEXT;                                                 \
	} while (0)

static struct value interpret(int64_t last)
{
	static const void *const label[] = {
		&&load, &&move, &&add, &&sub, &&mul, &&div, &&mod, &&less,
		&&zero, &&jump, &&call, &&ret, &&get, &&set,
	};
	struct value stack[64] = { { INTEGER, { last } } }, *r = stack;
	const struct op *back[8], *at = program;
	int windows[8], depth = 0;
	struct op op = *at;

	goto *label[op.code];
load:
	r[op.a] = (struct value){ INTEGER, { op.b | op.c << 8 } };
	NEXT;
move:
	r[op.a] = r[op.b];
	NEXT;
add:
	ARITHMETIC(ADD, +);
sub:
	ARITHMETIC(SUB, -);
mul:
	ARITHMETIC(MUL, *);
div:
	r[op.a] = arithmetic(DIV, r[op.b], r[op.c]);
	NEXT;
mod:
	if (r[op.b].tag != INTEGER || r[op.c].tag != INTEGER || !r[op.c].i)
		die("modulo");
	r[op.a] = (struct value){ INTEGER, { r[op.b].i % r[op.c].i } };
	NEXT;
less:
	if (number(r[op.a]) < number(r[op.b]))
		at = program + op.c - 1;
	NEXT;
zero:
	if (r[op.a].tag == INTEGER && r[op.a].i == 0)
		at = program + op.b - 1;
	NEXT;
jump:
	at = program + op.a - 1;
	NEXT;
call:
	if (depth == 8)
		die("too deep");
	back[depth] = at;
	windows[depth++] = op.a;
	r += op.a;
	at = program + op.b - 1;
	NEXT;
ret:
	r[0] = r[op.a];
	if (depth == 0)
		return r[0];
	at = back[--depth];
	r -= windows[depth];
	NEXT;
get:
	if (r[op.b].tag != INTEGER || (uint64_t)r[op.b].i >= ENTRIES)
		die("index");
	r[op.a] = table[r[op.b].i];
	NEXT;
set:
	if (r[op.b].tag != INTEGER || (uint64_t)r[op.b].i >= ENTRIES)
		die("index");
	table[r[op.b].i] = r[op.a];
	NEXT;
}

static uint64_t run(uint64_t rounds)
{
	uint64_t sum = mix(26, interpret(rounds).i);

	for (int i = 0; i < ENTRIES; i++)
		sum = mix(sum, table[i].i);
	return sum;
}

const struct row bytecode_row = {
	.name = "bytecode", .groups = "compute", .rounds = 3000000, .run = run,
};
