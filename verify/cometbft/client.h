/* The light client of a CometBFT chain as verify.h offers it: which headers are trusted, kept over
 * any number of updates and sealed between them. What follows from what is light.h's matter; state
 * under a header's application hash is ics23.h's.
 *
 * An update is an array of light blocks (tendermint.types.LightBlock: header, commit, validator set),
 * each at any height, and each is judged by one rule (cmt_light_verify) from the closest trusted
 * header below it:
 *
 * - above the newest: adjacent or by skipping; NOT_ENOUGH_TRUST asks for a height in between first;
 * - at a trusted height: the same header is passed over; another that follows by the rule, or that
 *   the validators of the trusted one signed, is a conflict and freezes the client;
 * - between trusted heights: taken too, whatever the one above says of its parent and time: the header
 *   above may be the forged one, and this the way to the proof of it;
 * - below all trusted heights: STALE_HEADER, for nothing trusted says who may sign there.
 *
 * verify_client_ancestors is UNSUPPORTED: proofs are made under the newest header, and any older one
 * comes by an update. A block's state root is its header's application hash: the state after the
 * block below (verify.h). */
#ifndef CMT_CLIENT_H
#define CMT_CLIENT_H

#include "verify/cometbft/light.h"

/* The largest public chains have 200 validators. */
#define CMT_CLIENT_VALIDATORS_MAX 256u
#define CMT_CLIENT_BLOCK_SIZE_MAX CMT_LIGHT_BLOCK_SIZE_MAX(CMT_CLIENT_VALIDATORS_MAX)
/* Trusted headers that are kept. One is enough to go on; the others find conflicts and proofs that
 * were made a little ago. */
#define CMT_CLIENT_WINDOW_MAX 256u
#define CMT_CLIENT_WINDOW_DEFAULT 128u
/* Validator sets that are kept, those of the highest headers: from others only the next height
 * follows. */
#define CMT_CLIENT_SETS_MAX 4u
/* Light blocks kept for the export of a conflict, a ring: twelve of 175 validators. */
#define CMT_CLIENT_RAW_SIZE (512u * 1024)
/* Of these, as many of the newest as fit into this go into the sealed state: one of the largest. */
#define CMT_CLIENT_RAW_SEALED_SIZE (64u * 1024)

/* 0 stands for the default where one is named. */
struct cmt_client_config {
	struct cs_hash chain; /* bound into the encoded state: identity of the gateway */
	struct cmt_chain_id chain_id;
	uint64_t anchor_height;
	struct cs_hash anchor_hash;      /* of its header */
	uint64_t anchor_age_max_s;       /* not 0: an older anchor begins no client */
	uint64_t trusting_period_s;      /* not 0: shorter than the chain's unbonding period */
	uint64_t drift_max_s;            /* default CMT_DRIFT_DEFAULT_S */
	struct cmt_fraction trust_level; /* default CMT_TRUST_LEVEL_DEFAULT */
	size_t window;                   /* trusted headers kept, 2 to the maximum; default 128 */
};

/* About 0.9 MiB; opaque. */
struct cmt_client;

size_t cmt_client_size(void);

/* Checks the configuration, makes `state` (cmt_client_size() bytes, 16-aligned, of the caller) an
 * empty client and fills *client. INVALID, TOO_LARGE. Beside the refusals of verify.h there are those
 * of cmt_light_verify, and TOO_LARGE for a set of more than CMT_CLIENT_VALIDATORS_MAX. */
CS_NODISCARD enum cs_err cmt_client_open(struct verify_client *client, void *state,
					 const struct cmt_client_config *config,
					 struct cs_why *why);

#endif
