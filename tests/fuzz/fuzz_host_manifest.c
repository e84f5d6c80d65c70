/* Any bytes as the manifest that a host process reads: in bounds or refused, nothing written when
 * refused, and never another manifest than the one that an enclave reads in the same bytes. */
#include "enclave/manifest.h"
#include "host/manifest.h"
#include "tests/fuzz/fuzz.h"

static void check_bounds(const struct host_manifest *m)
{
	cs_assert(m->chain_count > 0 && m->chain_count <= CS_MANIFEST_CHAINS_MAX);
	cs_assert(m->batch_max <= CS_BATCH_MAX && strlen(m->name) < sizeof m->name);
	for (size_t i = 0; i < m->chain_count; i++) {
		cs_assert(m->chains[i].remote_count <= CS_MANIFEST_REMOTES_MAX);
		cs_assert(strlen(m->chains[i].caip2) < sizeof m->chains[i].caip2);
		cs_assert(host_manifest_chain(m, &m->chains[i].identity) != NULL);
	}
}

static void check_same(const struct host_manifest *ours, const struct manifest *theirs)
{
	cs_assert(cs_hash_eq(&ours->hash, &theirs->hash) && ours->number == theirs->number);
	cs_assert(ours->batch_max == theirs->batch_max);
	cs_assert(ours->chain_count == theirs->chain_count);
	for (size_t i = 0; i < ours->chain_count; i++) {
		cs_assert(cs_hash_eq(&ours->chains[i].identity, &theirs->chains[i].identity));
		cs_assert(ours->chains[i].remote_count == theirs->chains[i].remote_count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct host_manifest ours;
	static struct manifest theirs;
	/* Nobody need sign what follows it. */
	static const struct manifest before = {.number = 1, .hash = {{0x11}}};
	struct cs_why why = {""};
	fuzz_fill(&ours, sizeof ours);
	if (host_manifest_read(&ours, cs_bytes(data, size), &why) != CS_OK) {
		fuzz_untouched(&ours, sizeof ours);
		return 0;
	}
	check_bounds(&ours);
	for (size_t i = 0; i < 2; i++) {
		if (manifest_read(&theirs, fuzz_arena(), cs_bytes(data, size),
				  i == 0 ? NULL : &before, &why) == CS_OK)
			check_same(&ours, &theirs);
	}
	return 0;
}
