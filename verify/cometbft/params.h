/* Consensus parameters (types/params.go; tendermint.types.ConsensusParams): their hash in the
 * header covers the size and the gas of blocks only. */
#ifndef CMT_PARAMS_H
#define CMT_PARAMS_H

#include "verify/cometbft/block_id.h"

/* The kinds of validator keys that CometBFT v0.38 knows. Only Ed25519 can be verified here. */
enum cmt_key_type {
	CMT_KEY_ED25519 = 1,
	CMT_KEY_SECP256K1 = 2,
	CMT_KEY_MLDSA65 = 3,
};
#define CMT_KEY_TYPES_MAX 3u
#define CMT_PARAMS_SIZE_MAX 192u

struct cmt_params {
	int64_t block_size_max; /* bytes; -1: CMT_BLOCK_SIZE_MAX */
	int64_t block_gas_max;  /* -1: no bound */
	int64_t evidence_age_blocks;
	int64_t evidence_age_ns; /* evidence is too old when it is older than both */
	int64_t evidence_size_max;
	enum cmt_key_type key_types[CMT_KEY_TYPES_MAX]; /* in the order of the message */
	size_t key_type_count;
	uint64_t app_version;
	int64_t extensions_from; /* the first height whose precommits have extensions; 0: never */
};

/* DefaultConsensusParams. */
struct cmt_params cmt_params_default(void);
/* INVALID: anything that ValidateBasic refuses; DUPLICATE: a key type twice. */
CS_NODISCARD enum cs_err cmt_params_check(const struct cmt_params *params, struct cs_why *why);
struct cs_hash cmt_params_hash(const struct cmt_params *params);
/* All five parts are written, as ToProto does. */
void cmt_params_encode(struct cs_buf *buf, const struct cmt_params *params);
/* All five must be there. MISSING_FIELD, UNSUPPORTED (an unknown kind of key), the
 * errors of cs_pb and of cmt_params_check. */
CS_NODISCARD enum cs_err cmt_params_decode(struct cmt_params *params, struct cs_bytes bytes,
					   struct cs_why *why);
/* What an application's update (a ConsensusParams whose parts may be missing, which then stay)
 * makes of them after a block of this height. CONFLICT: vote extensions that are in force end or
 * move; INVALID: they begin at a height that is not to come; and the errors of
 * cmt_params_decode. */
CS_NODISCARD enum cs_err cmt_params_update(struct cmt_params *params, struct cs_bytes update,
					   int64_t height, struct cs_why *why);
/* Whether precommits of this height (>= 1) carry extensions. */
bool cmt_params_extensions_at(const struct cmt_params *params, int64_t height);

#endif
