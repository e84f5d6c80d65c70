/* Any bytes as a manifest: read or refused, and nothing written when refused. */
#include "enclave/manifest.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE (8u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *block;
	static struct manifest m;
	struct cs_arena arena;
	struct cs_why why = {""};
	if (block == NULL)
		block = malloc(ARENA_SIZE);
	cs_assert(block != NULL);
	cs_arena_init(&arena, block, ARENA_SIZE);
	memset(&m, 0x5a, sizeof m);
	if (manifest_read(&m, &arena, cs_bytes(data, size), NULL, &why) == CS_OK) {
		cs_assert(m.number == 1 && m.chain_count > 0 &&
			  m.chain_count <= MANIFEST_CHAINS_MAX);
		cs_assert(cs_hash_eq(&m.hash, &m.lineage));
		return 0;
	}
	for (size_t i = 0; i < sizeof m; i++)
		cs_assert(((const uint8_t *)&m)[i] == 0x5a);
	return 0;
}
