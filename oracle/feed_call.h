/* How CaissonFeed (contracts/evm/src/ICaissonFeed.sol) is asked about a feed, and what it answers,
 * as bytes. Believes nothing that comes back: the one layout of the ABI, every number in its range.
 * */
#ifndef ORACLE_FEED_CALL_H
#define ORACLE_FEED_CALL_H

#include "core/abi.h"
#include "core/decimal.h"
#include "core/hash.h"

/* The contract's DESCRIPTION_MAX and DECIMALS_MAX. */
#define ORACLE_FEED_DESCRIPTION_MAX 64u
#define ORACLE_FEED_DECIMALS_MAX 36u
/* Of the longer one of both calls. */
#define ORACLE_FEED_CALL_SIZE (4u + 64u)

/* What the owner fixed, and whether the contract takes rounds. */
struct oracle_feed_info {
	struct cs_hash feed_id;
	struct cs_address feed;
	struct cs_address uptime;
	bool paused;
	struct cs_hash spec_hash;
	uint8_t decimals;
	uint32_t heartbeat_s;   /* 24 bits */
	uint32_t stale_after_s; /* 24 bits */
	uint32_t deviation_ppm;
	uint8_t history_bits;
	char description[ORACLE_FEED_DESCRIPTION_MAX + 1]; /* printable ASCII; others are '?' */
};
CS_NODISCARD enum cs_err oracle_feed_call_info(struct cs_buf *buf, uint64_t index);
CS_NODISCARD enum cs_err oracle_feed_read_info(struct oracle_feed_info *out, struct cs_bytes data);

/* The latest round. round 0: there is none. */
struct oracle_feed_round {
	uint64_t round;
	struct cs_int256 value;
	uint64_t observed_at_s;
};
CS_NODISCARD enum cs_err oracle_feed_call_round(struct cs_buf *buf, const struct cs_hash *feed_id,
						const struct cs_hash *spec_hash);
CS_NODISCARD enum cs_err oracle_feed_read_round(struct oracle_feed_round *out,
						struct cs_bytes data);
/* Whether this is how the call reverts before the first round. */
bool oracle_feed_is_no_round(struct cs_bytes data);

#endif
