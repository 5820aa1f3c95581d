/* cpu/jit/cache.h - blocks: finding, linking and dropping them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CPU_JIT_CACHE_H
#define CPU_JIT_CACHE_H
#include "cpu/jit/jit.h"

/* Memory for the tables that find blocks, zeroed. */
size_t jit_table_bytes(void);
void jit_set_tables(struct jit *j, void *memory);

/* Is there room for one more block, however large? */
bool jit_has_room(const struct jit *j);

struct jit_block *jit_find(struct cpu *c, const uint8_t *hva, unsigned key);
unsigned jit_count(const struct jit *j);	/* of blocks that can be found */
void jit_insert(struct jit *j, struct jit_block *b);
/* x goes straight to `to` from now on; same key and place. */
void jit_link(struct jit *j, struct jit_exit *x, struct jit_block *to);

/* The engine's (cpu/engine.h). */
void jit_flush(struct cpu *c);
void jit_drop(struct cpu *c, const uint8_t *hva, unsigned len);
uint8_t jit_lines(struct cpu *c, const uint8_t *page);

#endif
