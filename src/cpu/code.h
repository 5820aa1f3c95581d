/* cpu/code.h - code bytes: which lines of a page engines have code of
 * (bus.h), and the stores that reach those.
 *
 * Before a vCPU reads code from a 512-byte line that no engine has code of, it
 * sets the line's bit in the page's code byte and makes every vCPU drop its
 * direct write access to the page; from then on stores there come through
 * code_written() (x86/mem.h), which has every vCPU's engine drop what it made
 * from them.  Both use vcpu_exclusive(), so no store slips in between.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_CODE_H
#define CPU_CODE_H
#include <stdint.h>

struct cpu;
struct ram_page;

/* From here on, stores to these lines reach code_written().  Watch first, then
 * read the bytes: what is made is then either older than any later store, and
 * dropped by it, or sees it.  On c's thread, with no lock held; others may run
 * exclusive work meanwhile, which may drop c's code. */
void code_watch(struct cpu *c, const struct ram_page *page, uint8_t lines);

#endif
