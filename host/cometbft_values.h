/* A chain's parts as CometBFT's RPC writes and takes them in JSON (types/block.go, vote.go, evidence.go): for a node that
 * answers, and for whoever brings evidence to one. Checks nothing of what it writes. New references. */
#ifndef HOST_COMETBFT_VALUES_H
#define HOST_COMETBFT_VALUES_H

#include "host/cometbft_text.h"
#include "verify/cometbft/evidence.h"

/* Base64; null for what Go would hold as nil. */
json_t *cometbft_json_bytes(struct cs_bytes bytes);
json_t *cometbft_json_key(const struct cs_ed25519_key *key);
json_t *cometbft_json_block_id(const struct cmt_block_id *id);
json_t *cometbft_json_header(const struct cmt_header *header);
json_t *cometbft_json_commit(const struct cmt_commit *commit);
json_t *cometbft_json_validator(const struct cmt_validator *validator);
json_t *cometbft_json_vote(const struct cmt_vote *vote);
/* What a block shows, and broadcast_evidence takes. */
json_t *cometbft_json_evidence(const struct cmt_evidence *evidence);

#endif
