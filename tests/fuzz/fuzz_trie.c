/* A key and nodes, each with its size before it. The root is the first one's hash, and wherever a
 * node holds 32 times 0xEE it gets the hash of the next node: so the fuzzer writes tries without
 * inverting Keccak. */
#include "core/hash.h"
#include "core/reader.h"
#include "tests/fuzz/fuzz.h"
#include "verify/evm/trie.h"

#define NODES_MAX 24u
#define MARK 0xee

static void link_to(uint8_t *node, size_t n, const struct cs_hash *next)
{
	for (size_t at = 0; at + 32 <= n; at++) {
		size_t same = 0;
		while (same < 32 && node[at + same] == MARK)
			same++;
		if (same == 32) {
			memcpy(node + at, next->b, 32);
			return;
		}
	}
}

static bool inside(struct cs_bytes value, const struct verify_nodes *proof)
{
	for (size_t i = 0; i < proof->n; i++)
		if (value.p >= proof->p[i].p && value.p + value.n <= proof->p[i].p + proof->p[i].n)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes nodes[NODES_MAX], key, value = CS_BYTES_NONE;
	struct verify_nodes proof = {nodes, 0};
	struct cs_arena *arena = fuzz_arena();
	struct cs_hash root = {{0}};
	struct cs_reader reader;
	bool present = false;
	cs_reader_init(&reader, cs_bytes(data, size));
	key = cs_get(&reader, cs_get_u8(&reader));
	while (!reader.failed && reader.left > 0 && proof.n < NODES_MAX) {
		struct cs_bytes node = cs_get(&reader, cs_get_u16(&reader));
		if (!reader.failed)
			nodes[proof.n++] = cs_arena_copy(arena, node);
	}
	for (size_t i = proof.n; i-- > 0;) {
		if (i + 1 < proof.n)
			link_to(arena->block + (nodes[i].p - arena->block), nodes[i].n, &root);
		root = cs_keccak256(nodes[i]);
	}
	if (verify_trie(&present, &value, &root, key, &proof) != CS_OK) {
		cs_assert(!present && value.n == 0);
		return 0;
	}
	cs_assert(present == (value.n > 0) && (!present || inside(value, &proof)));
	/* Exactly these nodes: with one less nothing is proven, unless it was nothing itself. */
	if (proof.n > 1) {
		proof.n--;
		cs_assert(verify_trie(&present, &value, &root, key, &proof) != CS_OK);
	}
	return 0;
}
