/* CometBFT's Merkle trees: SHA-256 as in RFC 6962 section 2.1, leaves 0x00 ‖ item, nodes 0x01 ‖
 * left ‖ right, split at the largest power of two below the count, the empty tree SHA-256 of
 * nothing (crypto/merkle/{hash,tree,proof}.go). Never keeps the items.
 *
 * A root does not bind the number of leaves: whoever checks a proof says what it must be, or knows
 * that it is only the prover's word. */
#ifndef CMT_MERKLE_H
#define CMT_MERKLE_H

#include "core/hash.h"
#include "core/pb.h"

/* Of a tree of 2^63 - 1 leaves, the most that a proof can name. */
#define CMT_AUNTS_MAX 63u
/* tendermint.crypto.Proof: two numbers, the leaf, the aunts, each with tag and length. */
#define CMT_PROOF_SIZE_MAX (64u + 34u * CMT_AUNTS_MAX)

struct cs_hash cmt_leaf_hash(struct cs_bytes item);
struct cs_hash cmt_node_hash(const struct cs_hash *left, const struct cs_hash *right);

/* A root, from items one after the other. */
struct cmt_merkle {
	struct cs_hash stack[64]; /* one root for each bit of the count */
	uint64_t count;
};

void cmt_merkle_init(struct cmt_merkle *merkle);
void cmt_merkle_add(struct cmt_merkle *merkle, struct cs_bytes item);
struct cs_hash cmt_merkle_root(const struct cmt_merkle *merkle);

struct cmt_proof {
	int64_t total;
	int64_t index;
	struct cs_hash leaf;
	struct cs_hash aunts[CMT_AUNTS_MAX]; /* from the leaf's sibling up */
	size_t count;
};

/* A tree whose nodes are kept, for proofs of many leaves. */
struct cmt_tree {
	struct cs_hash *levels[CMT_AUNTS_MAX + 1]; /* [0]: the leaves' hashes */
	size_t counts[CMT_AUNTS_MAX + 1];
	size_t height; /* of the level that is the root; 0 for one leaf or none */
};

/* Over `count` hashes of leaves (cmt_leaf_hash), which the tree keeps and the caller leaves alone;
 * the rest is the arena's: less than 34 bytes a leaf and 16 a level. NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_tree_build(struct cmt_tree *tree, struct cs_arena *arena,
					struct cs_hash *leaves, size_t count);
struct cs_hash cmt_tree_root(const struct cmt_tree *tree);
/* index < the count of leaves. */
void cmt_tree_prove(struct cmt_proof *proof, const struct cmt_tree *tree, size_t index);

/* Whether the item is leaf `index` of `total` under the root. BAD_PROOF: another leaf, index or
 * total out of range, not exactly the aunts that they ask for, another root. */
CS_NODISCARD enum cs_err cmt_proof_check(const struct cmt_proof *proof, const struct cs_hash *root,
					 struct cs_bytes item);

/* tendermint.crypto.Proof. */
void cmt_proof_encode(struct cs_buf *buf, const struct cmt_proof *proof);
/* The errors of cs_pb; TOO_LARGE above CMT_AUNTS_MAX; INVALID: a hash that has not 32 bytes, a
 * number below 0. */
CS_NODISCARD enum cs_err cmt_proof_decode(struct cmt_proof *proof, struct cs_bytes bytes);

#endif
