/* The small values that CometBFT's messages are made of: hashes that may be empty, chain ids,
 * addresses of keys, signatures, block ids. Everything is held by value; nothing is allocated.
 *
 * Every decoder of this folder takes exactly the bytes that its encoder gives (core/pb.h: what the
 * field order of CometBFT's .proto files and gogoproto make of a message), leaves its output alone
 * on failure, and has done what CometBFT calls ValidateBasic when it succeeds: cmt_…_check does that
 * alone for values made by hand. What a decoder that fails took of its arena is the caller's to give
 * back (cs_arena_mark). Names and rules: github.com/cometbft/cometbft v0.38.26. */
#ifndef CMT_BLOCK_ID_H
#define CMT_BLOCK_ID_H

#include "core/ed25519.h"
#include "core/pb.h"

/* types/genesis.go MaxChainIDLen. */
#define CMT_CHAIN_ID_SIZE_MAX 50u
/* types/params.go: BlockPartSizeBytes, MaxBlockSizeBytes and the parts of it. */
#define CMT_PART_SIZE 65536u
#define CMT_BLOCK_SIZE_MAX (100u * 1024 * 1024)
#define CMT_PARTS_MAX (CMT_BLOCK_SIZE_MAX / CMT_PART_SIZE + 1)
/* tendermint.types.BlockID as a field's body: two hashes, a number, their tags and lengths. */
#define CMT_BLOCK_ID_SIZE_MAX 80u

/* Empty or 32 bytes. */
struct cmt_hash {
	bool some;
	struct cs_hash hash; /* zero when empty, so that equal values are equal bytes */
};

/* Not terminated. */
struct cmt_chain_id {
	uint8_t n;
	char text[CMT_CHAIN_ID_SIZE_MAX];
};

/* Of Ed25519 keys: empty or exactly 64 bytes; nothing else can verify. */
struct cmt_signature {
	bool some;
	uint8_t b[CS_ED25519_SIGNATURE_SIZE];
};

struct cmt_part_set_header {
	uint32_t total;
	struct cmt_hash hash;
};

/* Of a block; all empty: of no block (nil). */
struct cmt_block_id {
	struct cmt_hash hash;
	struct cmt_part_set_header parts;
};

struct cmt_hash cmt_hash_of(const struct cs_hash *hash);
bool cmt_hash_eq(const struct cmt_hash *a, const struct cmt_hash *b);
struct cs_bytes cmt_hash_bytes(const struct cmt_hash *hash);

/* TOO_LARGE above CMT_CHAIN_ID_SIZE_MAX; INVALID when it is empty. */
CS_NODISCARD enum cs_err cmt_chain_id_set(struct cmt_chain_id *id, struct cs_bytes text);
bool cmt_chain_id_eq(const struct cmt_chain_id *a, const struct cmt_chain_id *b);
struct cs_bytes cmt_chain_id_bytes(const struct cmt_chain_id *id);

/* The first 20 bytes of the key's SHA-256 (crypto/ed25519 Address). */
struct cs_address cmt_address(const struct cs_ed25519_key *key);
struct cs_bytes cmt_signature_bytes(const struct cmt_signature *signature);

bool cmt_block_id_eq(const struct cmt_block_id *a, const struct cmt_block_id *b);
bool cmt_block_id_is_nil(const struct cmt_block_id *id);
/* Of a block, with nothing missing: both hashes, at least one part. */
bool cmt_block_id_is_complete(const struct cmt_block_id *id);
/* The order of BlockID.Key(), in which the votes of evidence stand: -1, 0, 1. */
int cmt_block_id_cmp(const struct cmt_block_id *a, const struct cmt_block_id *b);

/* BlockID and CanonicalBlockID are the same bytes. */
void cmt_block_id_encode(struct cs_buf *buf, const struct cmt_block_id *id);
/* The errors of cs_pb; INVALID: a hash that is neither empty nor of 32 bytes. */
CS_NODISCARD enum cs_err cmt_block_id_decode(struct cmt_block_id *id, struct cs_bytes bytes);

/* ---- as fields of other messages (core/pb.h's manner) ---- */

void cmt_put_block_id(struct cs_buf *buf, uint32_t field, const struct cmt_block_id *id);
void cmt_put_part_set_header(struct cs_buf *buf, uint32_t field,
			     const struct cmt_part_set_header *parts);
struct cmt_hash cmt_get_hash(struct cs_pb *pb, uint32_t field);
struct cmt_signature cmt_get_signature(struct cs_pb *pb, uint32_t field);
/* Exactly 20 bytes, or with may_be_empty none: zeros and false. */
bool cmt_get_address(struct cs_pb *pb, uint32_t field, struct cs_address *address,
		     bool may_be_empty);
/* Not nullable: MISSING_FIELD. */
struct cmt_block_id cmt_get_block_id(struct cs_pb *pb, uint32_t field);

#endif
