/* Any bytes as a manifest, a first and a second one: read or refused, and nothing written when
 * refused. */
#include "enclave/manifest.h"
#include "tests/fuzz/fuzz.h"

/* What it says of abandoned branches is in bounds and in order. */
static void check_abandoned(const struct manifest *m)
{
	size_t count = 0;
	for (size_t i = 0; i < m->chain_count; i++) {
		const struct manifest_abandoned *a = &m->chains[i].abandoned;
		if (a->height == 0)
			continue;
		cs_assert(a->first == count && a->since >= 2 && a->since <= m->number);
		cs_assert(m->chains[i].finality.anchor_height >= a->height);
		count += a->count;
		cs_assert(count <= MANIFEST_ABANDONED_MAX);
		for (size_t k = 1; k < a->count; k++)
			cs_assert(memcmp(m->abandoned[a->first + k - 1].b,
					 m->abandoned[a->first + k].b, 32) < 0);
	}
	cs_assert(count == m->abandoned_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct manifest m;
	/* Nobody need sign what follows it. */
	static const struct manifest before = {.number = 1, .hash = {{0x11}}};
	struct cs_why why = {""};
	fuzz_fill(&m, sizeof m);
	if (manifest_read(&m, fuzz_arena(), cs_bytes(data, size), NULL, &why) == CS_OK) {
		cs_assert(m.number == 1 && m.chain_count > 0 &&
			  m.chain_count <= CS_MANIFEST_CHAINS_MAX);
		cs_assert(cs_hash_eq(&m.hash, &m.lineage) && m.abandoned_count == 0);
		return 0;
	}
	fuzz_untouched(&m, sizeof m);
	if (manifest_read(&m, fuzz_arena(), cs_bytes(data, size), &before, &why) == CS_OK) {
		cs_assert(m.number == 2 && m.chain_count > 0);
		check_abandoned(&m);
		return 0;
	}
	fuzz_untouched(&m, sizeof m);
	return 0;
}
