/* Merkle-Patricia proofs (yellow paper, appendix D): that a trie with a given root holds a value
 * under a key, or nothing. Iterative, over views, without memory of its own; the proof must be
 * exactly the path, nothing more. */
#ifndef VERIFY_EVM_TRIE_H
#define VERIFY_EVM_TRIE_H

#include "core/rlp.h"

/* Keys are at most 32 bytes in every trie of a block; ethereum/tests go further. */
#define VERIFY_TRIE_KEY_SIZE_MAX 64u
/* A path has at most one node per nibble and one for the value. */
#define VERIFY_TRIE_NODES_MAX (2 * VERIFY_TRIE_KEY_SIZE_MAX + 1)

/* The proof, root first. Nodes of less than 32 bytes are inside their parents and not listed. */
struct verify_nodes {
	const struct cs_bytes *p;
	size_t n;
};

struct cs_hash verify_trie_empty_root(void);

/* OK: the answer is proven. *present tells which one; *value is a view into the proof, empty when
 * absent. BAD_PROOF: a node is not the one whose hash its parent (or the root) names, the path ends
 * before the answer, or nodes are left over. MALFORMED, NON_CANONICAL and the errors of rlp.h: a
 * node lacks the shape that a trie gives it. TOO_LARGE: key or nodes above the bounds. The empty
 * trie is proven by no node or by the one node 0x80. */
CS_NODISCARD enum cs_err verify_trie(bool *present, struct cs_bytes *value,
				     const struct cs_hash *root, struct cs_bytes key,
				     const struct verify_nodes *proof);

#endif
