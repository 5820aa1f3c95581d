/* cpu/x86/journal.c - see journal.h
 *
 * Only the bytes of the stores are put back, so what devices store beside
 * them meanwhile stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "cpu/x86/journal.h"
#include "cpu/x86/paging.h"

static void untag(struct cpu *c, unsigned n)
{
	const struct journal *j = c->journal;
	unsigned slot = tlb_slot(j->tag[n].page);

	c->tlb.entry[j->tag[n].table][slot].write = tlb_no_tag(slot);
}

static bool is_listed(const struct journal *j, gva_t page, unsigned table)
{
	for (unsigned n = 0; n < j->tags; n++)
		if (j->tag[n].page == page && j->tag[n].table == table)
			return true;
	return false;
}

bool journal_tag(struct cpu *c, gva_t page, unsigned table)
{
	struct journal *j = c->journal;
	unsigned n = j->tags;

	if (!(table & TLB_WRITES) || j->retagging)
		return true;
	if (is_listed(j, page, table))
		return !j->on;
	if (n < JOURNAL_TAGS) {
		j->tags++;
	} else {
		n = j->oldest;
		j->oldest = (n + 1) % JOURNAL_TAGS;
		untag(c, n);
	}
	j->tag[n].page = page;
	j->tag[n].table = table;
	return !j->on;
}

void journal_refuse(struct cpu *c, enum refusal why)
{
	c->journal->refused = why;
	siglongjmp(c->on_fault, 1);
}

void journal_note(struct cpu *c, uint64_t gpa, uint8_t *hva, unsigned len)
{
	struct journal *j = c->journal;

	if (j->stores == JOURNAL_STORES || len > JOURNAL_BYTES - j->bytes)
		journal_refuse(c, REFUSED_FULL);
	j->store[j->stores++] =
		(struct journal_store){ hva, gpa, j->bytes, len };
	memcpy(j->before + j->bytes, hva, len);
	j->bytes += len;
}

bool journal_covers(const struct journal *j, const uint8_t *hva, unsigned len)
{
	for (unsigned n = 0; n < j->stores; n++)
		if (j->store[n].hva < hva + len &&
		    hva < j->store[n].hva + j->store[n].len)
			return true;
	return false;
}

bool journal_matches(const struct journal *j)
{
	for (unsigned n = 0; n < j->stores; n++)
		if (memcmp(j->store[n].hva, j->after + j->store[n].at,
			   j->store[n].len))
			return false;
	return true;
}

void journal_begin(struct cpu *c)
{
	struct journal *j = c->journal;

	for (unsigned n = 0; n < j->tags; n++)
		untag(c, n);
	j->stores = j->bytes = 0;
	j->refused = REFUSED_NOT;
	j->on = true;
}

void journal_end(struct cpu *c)
{
	struct journal *j = c->journal;

	j->on = false;
	for (unsigned n = 0; n < j->stores; n++)
		memcpy(j->after + j->store[n].at, j->store[n].hva,
		       j->store[n].len);
	for (unsigned n = j->stores; n-- > 0;)
		memcpy(j->store[n].hva, j->before + j->store[n].at,
		       j->store[n].len);
	j->retagging = true;
	for (unsigned n = 0; n < j->tags; n++)
		tlb_retag_write(c, j->tag[n].page,
				j->tag[n].table & ~TLB_WRITES);
	j->retagging = false;
}
