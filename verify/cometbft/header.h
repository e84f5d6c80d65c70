/* A block's header: what CometBFT v0.38 encodes and hashes (types/block.go Header; proto
 * tendermint.types.Header; spec/core/data_structures.md). Whether anybody signed it is commit.h's
 * matter. */
#ifndef CMT_HEADER_H
#define CMT_HEADER_H

#include "verify/cometbft/block_id.h"
#include "verify/cometbft/merkle.h"

/* version.BlockProtocol of v0.34 to v0.38. */
#define CMT_BLOCK_PROTOCOL 11u
/* Of any length for CometBFT; applications have 8 (kvstore) to 32 bytes. */
#define CMT_APP_HASH_SIZE_MAX 64u
/* An encoded header: CometBFT's MaxHeaderBytes is 626 with a 32-byte application hash. */
#define CMT_HEADER_SIZE_MAX 768u

struct cmt_header {
	uint64_t block_protocol;
	uint64_t app_version;
	struct cmt_chain_id chain_id;
	int64_t height;
	struct cs_pb_time time;
	struct cmt_block_id last_block_id; /* nil in the first block */
	struct cmt_hash last_commit_hash;
	struct cmt_hash data_hash;
	struct cmt_hash validators_hash;
	struct cmt_hash next_validators_hash;
	struct cmt_hash consensus_hash;
	struct {
		uint8_t n;
		uint8_t b[CMT_APP_HASH_SIZE_MAX];
	} app_hash;
	struct cmt_hash last_results_hash;
	struct cmt_hash evidence_hash;
	struct cs_address proposer;
};

/* TOO_LARGE above CMT_APP_HASH_SIZE_MAX. */
CS_NODISCARD enum cs_err cmt_header_set_app_hash(struct cmt_header *header, struct cs_bytes hash);
struct cs_bytes cmt_header_app_hash(const struct cmt_header *header);

/* INVALID: a height below 1, no chain id, a time that cannot be encoded; MISSING_FIELD: no
 * validators hash, without which CometBFT has no hash of it. */
CS_NODISCARD enum cs_err cmt_header_check(const struct cmt_header *header, struct cs_why *why);
/* UNSUPPORTED: the header is of another block protocol than this. */
CS_NODISCARD enum cs_err cmt_header_check_protocol(const struct cmt_header *header,
						   uint64_t protocol, struct cs_why *why);
void cmt_header_encode(struct cs_buf *buf, const struct cmt_header *header);
/* The errors of cs_pb and of cmt_header_check; INVALID: a hash or address of a wrong size. */
CS_NODISCARD enum cs_err cmt_header_decode(struct cmt_header *header, struct cs_bytes bytes,
					   struct cs_why *why);
/* The root over its 14 fields. Of a header that passes cmt_header_check. */
struct cs_hash cmt_header_hash(const struct cmt_header *header);

#endif
