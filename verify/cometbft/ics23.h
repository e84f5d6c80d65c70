/* ICS-23 proofs: that a key has a value under a root, or that it has none (cosmos/ics23
 * go/{proof,ops}.go and proto/cosmos/ics23/v1/proofs.proto at 7f2c2d09; ICS 23 of cosmos/ibc). Reads
 * CommitmentProof strictly, never allocates, and knows nothing of where the root comes from.
 *
 * A proof brings the operations that lead from the leaf to the root; the spec of the tree says which
 * of them may be. Where the reference takes more than any tree of the spec has, this refuses: a
 * leaf's prefix that goes on after the spec's (but for IAVL, where it is read to its end), a varint
 * with more bytes than it needs, a second child's worth of suffix, protobuf that is not canonical.
 * An empty key or value cannot be proven, as in the reference. */
#ifndef CMT_ICS23_H
#define CMT_ICS23_H

#include "core/hash.h"

/* An absence proof has two neighbours, each with its value (the ledger's longest is 20 KiB) and at
 * most 256 steps of 41 bytes. */
#define CMT_ICS23_PROOF_SIZE_MAX 65536u
/* Steps from leaf to root: one for each bit of a hash. */
#define CMT_ICS23_DEPTH_MAX 256u
/* Where a spec names no greatest depth, as the reference. */
#define CMT_ICS23_DEPTH_DEFAULT 128u
#define CMT_ICS23_KEY_SIZE_MAX 1024u
/* Of a step's prefix and suffix: IAVL's numbers and one child. */
#define CMT_ICS23_AFFIX_SIZE_MAX 64u

/* What an operation of the proof must be. All hashes are SHA-256, inner nodes have two children. */
struct cmt_ics23_spec {
	const char *op_type;         /* of Cosmos SDK's ProofOp */
	bool is_iavl;                /* prefixes are height, size and version, as varints */
	struct cs_bytes leaf_prefix; /* no inner node's prefix begins with it */
	bool prehash_key;
	bool prehash_value;
	bool length_prefix; /* key and value, as hashed, have their length before them */
	size_t child_size;  /* 32, or 33 with a byte of length */
	size_t prefix_min;  /* of inner nodes, without a child */
	size_t prefix_max;
	const uint8_t *empty_child; /* 32 bytes: where no subtree is; NULL: there is always one */
	size_t depth_min;
	size_t depth_max;  /* 0: CMT_ICS23_DEPTH_DEFAULT */
	bool hashed_order; /* leaves stand in the order of their keys' hashes */
};

/* A Cosmos SDK store; CometBFT's own trees, as of an SDK's stores; the ledger's state tree. */
extern const struct cmt_ics23_spec cmt_ics23_iavl;
extern const struct cmt_ics23_spec cmt_ics23_tendermint;
extern const struct cmt_ics23_spec cmt_ics23_smt;

/* All of them refuse with BAD_PROOF (an operation that the spec has not, another key, value or root,
 * neighbours that are none), UNSUPPORTED (a batch, compressed or not), TOO_LARGE, INVALID (an empty
 * key) and the errors of cs_pb. */

/* What the proof says of the key: *found and the value, a view into the proof; or not. */
CS_NODISCARD enum cs_err cmt_ics23_lookup(bool *found, struct cs_bytes *value,
					  const struct cmt_ics23_spec *spec,
					  const struct cs_hash *root, struct cs_bytes proof,
					  struct cs_bytes key);
CS_NODISCARD enum cs_err cmt_ics23_membership(const struct cmt_ics23_spec *spec,
					      const struct cs_hash *root, struct cs_bytes proof,
					      struct cs_bytes key, struct cs_bytes value);
CS_NODISCARD enum cs_err cmt_ics23_absence(const struct cmt_ics23_spec *spec,
					   const struct cs_hash *root, struct cs_bytes proof,
					   struct cs_bytes key);

/* Of a Cosmos SDK chain: the proof of the key under its store's root, and that root's under the
 * application hash ("ics23:iavl" and "ics23:simple", in this order in its answers). */
struct cmt_ics23_store {
	struct cs_bytes name; /* "bank" */
	struct cs_bytes key_proof;
	struct cs_bytes store_proof;
};
CS_NODISCARD enum cs_err cmt_ics23_lookup_store(bool *found, struct cs_bytes *value,
						const struct cs_hash *app_hash,
						const struct cmt_ics23_store *store,
						struct cs_bytes key);

#endif
