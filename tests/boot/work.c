/* tests/boot/work.c - arithmetic whose answers the host and the guest compare.
 *
 * Freestanding, so that one file makes a 64-bit and a 32-bit program without
 * any library.  Prints one line per kind of work: a name and a checksum.
 * Arguments: "avx" adds the AVX2 and FMA lines.
 *
 * SPDX-License-Identifier: MIT
 */
#define _MM_MALLOC_H_INCLUDED	/* it wants a C library */
#include <immintrin.h>
#include <stdint.h>

#ifdef __x86_64__
#define SYS_WRITE 1
#define SYS_EXIT 60
static long call3(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r)
			 : "0"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return r;
}
#else
#define SYS_WRITE 4
#define SYS_EXIT 1
static long call3(long n, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r)
			 : "0"(n), "b"(a), "c"(b), "d"(c) : "memory");
	return r;
}
#endif

static void print(const char *name, uint64_t v)
{
	char line[64], *p = line;

	while (*name)
		*p++ = *name++;
	*p++ = ' ';
	for (int s = 60; s >= 0; s -= 4)
		*p++ = "0123456789abcdef"[v >> s & 15];
	*p++ = '\n';
	call3(SYS_WRITE, 1, (long)line, p - line);
}

static uint64_t hash(uint64_t h, const void *data, unsigned len)
{
	const uint8_t *p = data;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

static uint32_t random_state = 12345;

static uint32_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static uint64_t sort(void)
{
	static uint32_t v[5000];
	enum { N = sizeof(v) / sizeof(v[0]) };

	for (unsigned i = 0; i < N; i++)
		v[i] = next_random();
	for (unsigned gap = N / 2; gap; gap /= 2)
		for (unsigned i = gap; i < N; i++)
			for (unsigned j = i; j >= gap && v[j - gap] > v[j];
			     j -= gap) {
				uint32_t t = v[j];

				v[j] = v[j - gap];
				v[j - gap] = t;
			}
	return hash(1, v, sizeof(v));
}

static uint64_t doubles(void)
{
	uint64_t h = 2;
	double x = 0.5, sum = 0;

	for (int i = 1; i < 50000; i++) {
		x = x * 1.000001 + 1.0 / i;
		sum += __builtin_sqrt(x) - x / (i + 0.25);
		h = hash(h, &sum, sizeof(sum));
	}
	return h;
}

static uint64_t mandelbrot(void)
{
	uint64_t h = 3;

	for (int y = 0; y < 60; y++)
		for (int x = 0; x < 60; x++) {
			float cr = x / 30.0f - 1.5f, ci = y / 30.0f - 1.0f;
			float zr = 0, zi = 0;
			int n = 0;

			for (; n < 100 && zr * zr + zi * zi < 4; n++) {
				float t = zr * zr - zi * zi + cr;

				zi = 2 * zr * zi + ci;
				zr = t;
			}
			h = hash(h, &n, sizeof(n));
		}
	return h;
}

/* The x87's own functions, by their instructions. */
static uint64_t x87(void)
{
	uint64_t h = 4;

	for (int i = 1; i < 2000; i++) {
		long double a = i / 7.0L, s, c, l, t;

		__asm__("fsincos" : "=t"(c), "=u"(s) : "0"(a));
		__asm__("fyl2x" : "=t"(l) : "0"(a), "u"(s) : "st(1)");
		__asm__("fpatan" : "=t"(t) : "0"(c), "u"(s) : "st(1)");
		h = hash(h, &s, 10);
		h = hash(h, &c, 10);
		h = hash(h, &l, 10);
		h = hash(h, &t, 10);
	}
	return h;
}

__attribute__((target("sse2"))) static uint64_t sse2(void)
{
	__m128d a = _mm_set_pd(1.5, 2.5), b = _mm_set_pd(0.75, 1.25);
	__m128i k = _mm_set1_epi16(77), m = _mm_set1_epi32(99);
	uint64_t h = 5;

	for (int i = 0; i < 20000; i++) {
		a = _mm_add_pd(_mm_mul_pd(a, b), _mm_sqrt_pd(a));
		a = _mm_sub_pd(a, _mm_div_pd(a, _mm_set1_pd(1.000003)));
		m = _mm_add_epi32(_mm_madd_epi16(m, k),
				  _mm_shuffle_epi32(m, 0x39));
		h = hash(h, &a, sizeof(a));
		h = hash(h, &m, sizeof(m));
	}
	return h;
}

__attribute__((target("avx2,fma"))) static uint64_t avx2(void)
{
	__m256d a = _mm256_set_pd(1, 2, 3, 4), b = _mm256_set1_pd(0.99);
	__m256i m = _mm256_set1_epi32(0x1234567);
	uint64_t h = 6;

	for (int i = 0; i < 20000; i++) {
		a = _mm256_fmadd_pd(a, b, _mm256_set1_pd(0.01 * (i & 7)));
		m = _mm256_mullo_epi32(m, _mm256_set1_epi32(i | 1));
		m = _mm256_xor_si256(m, _mm256_srli_epi32(m, 11));
		m = _mm256_permutevar8x32_epi32(m, _mm256_set_epi32(0, 7, 1, 6,
								2, 5, 3, 4));
		h = hash(h, &a, sizeof(a));
		h = hash(h, &m, sizeof(m));
	}
	return h;
}

__attribute__((used)) void work_main(long *stack)
{
	print("sort", sort());
	print("double", doubles());
	print("mandelbrot", mandelbrot());
	print("x87", x87());
	print("sse2", sse2());
	if (stack[0] > 1)
		print("avx2", avx2());
	call3(SYS_EXIT, 0, 0, 0);
}

#ifdef __x86_64__
__asm__(".globl _start\n_start:\tmov %rsp, %rdi\n\tand $-16, %rsp\n"
	"\tcall work_main\n");
#else
__asm__(".globl _start\n_start:\tmov %esp, %eax\n\tand $-16, %esp\n"
	"\tsub $12, %esp\n\tpush %eax\n\tcall work_main\n");
#endif
