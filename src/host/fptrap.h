/* host/fptrap.h - run code that may take an unmasked SIMD exception.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_FPTRAP_H
#define HOST_FPTRAP_H
#include <stdbool.h>
#include <stdint.h>

/* Call fn(ctx) with MXCSR = *mxcsr, and put the caller's back afterwards.  On
 * return *mxcsr is what fn left.  True: fn ended early by SIGFPE, and *mxcsr
 * has the flags that the processor raised.  fn must hold nothing that needs
 * to be given back. */
bool fptrap_call(void (*fn)(void *ctx), void *ctx, uint32_t *mxcsr);
#endif
