/* tests/bench/work/nbody.c - scalar double: bodies that attract each other.
 *
 * Five bodies, invented; leapfrog steps.  Built with multiply and add kept
 * apart, so every IEEE 754 machine gets the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "row.h"

enum { BODIES = 5 };

static struct body {
	double x, y, z, vx, vy, vz, mass;
} body[BODIES];

static void prepare(void)
{
	for (int i = 0; i < BODIES; i++) {
		body[i] = (struct body){
			.x = 3.5 * i, .y = 1.25 * i * i - 4, .z = 0.5 * i,
			.vx = 0.01 * i, .vy = 0.3 / (i + 1), .vz = -0.002 * i,
			.mass = i ? 0.004 / i : 4,
		};
	}
}

static void attract(struct body *a, struct body *b, double dt)
{
	double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
	double d2 = dx * dx + dy * dy + dz * dz + 0.01;
	double f = dt / (d2 * __builtin_sqrt(d2));

	a->vx -= dx * b->mass * f;
	a->vy -= dy * b->mass * f;
	a->vz -= dz * b->mass * f;
	b->vx += dx * a->mass * f;
	b->vy += dy * a->mass * f;
	b->vz += dz * a->mass * f;
}

static uint64_t run(uint64_t rounds)
{
	while (rounds--) {
		for (int i = 0; i < BODIES; i++)
			for (int j = i + 1; j < BODIES; j++)
				attract(&body[i], &body[j], 0.001);
		for (int i = 0; i < BODIES; i++) {
			body[i].x += 0.001 * body[i].vx;
			body[i].y += 0.001 * body[i].vy;
			body[i].z += 0.001 * body[i].vz;
		}
	}
	return mix_bytes(7, body, sizeof(body));
}

const struct row nbody_row = {
	.name = "nbody", .groups = "compute float", .rounds = 3000000,
	.prepare = prepare, .run = run,
};
