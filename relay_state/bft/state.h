/* The chain after its last block, as CometBFT keeps it (state/state.go): who validates, what the
 * next header must say, and the checks of a block against it (state/validation.go). Values in,
 * values out; changes of validators decided at height H are in force at H + 2. */
#ifndef BFT_STATE_H
#define BFT_STATE_H

#include "relay_state/bft/votes.h"
#include "verify/cometbft/block.h"

/* A block, and every vote for one, is at least so much later than the block before
 * (consensus/state.go voteTime, timeIota). */
#define BFT_TIME_IOTA_NS 1000000

/* Changes of validators that one block may bring. */
#define BFT_UPDATES_MAX BFT_VALIDATORS_MAX
/* tendermint.state.State: three sets and a kilobyte. */
#define BFT_STATE_SIZE_MAX (3u * CMT_VALIDATOR_SET_SIZE_MAX(BFT_VALIDATORS_MAX) + 2048u)
/* Arena for reading a block of this size and for what the functions here use and give back: a
 * table of its transactions, a commit's signatures (foreign ones too, to be refused by count),
 * evidence. */
#define BFT_SCRATCH_SIZE(block_size)              \
	(1024u * 1024 + sizeof(struct cs_bytes) * \
				((block_size) / 2 < CMT_TXS_MAX ? (block_size) / 2 : CMT_TXS_MAX))

/* A validator set with its own memory. */
struct bft_set {
	struct cmt_validator_set set;
	struct cmt_validator list[BFT_VALIDATORS_MAX];
	uint16_t by_address[BFT_VALIDATORS_MAX];
};

/* Empty, its pointers its own: a bft_set is never copied by assignment. */
void bft_set_init(struct bft_set *set);
/* TOO_LARGE above BFT_VALIDATORS_MAX. */
CS_NODISCARD enum cs_err bft_set_copy(struct bft_set *set, const struct cmt_validator_set *from);

struct bft_state {
	struct cmt_chain_id chain_id;
	int64_t initial_height;
	int64_t last_height; /* 0 before the first block, whatever the initial height */
	struct cmt_block_id last_block_id;
	struct cs_pb_time last_time; /* the genesis time before the first block */
	struct bft_set last;         /* validators of last_height; empty before the first block */
	struct bft_set now;          /* of the next block */
	struct bft_set next;         /* of the one after it */
	int64_t validators_changed;  /* the first height of the newest set */
	struct cmt_params params;
	int64_t params_changed;
	struct cmt_hash last_results_hash;
	uint8_t app_hash_size;
	uint8_t app_hash[CMT_APP_HASH_SIZE_MAX];
};

struct bft_genesis {
	struct cs_bytes chain_id;
	int64_t initial_height; /* >= 1 */
	struct cs_pb_time time;
	struct cmt_params params;
	const struct cmt_validator *validators;
	size_t count;
	struct cs_bytes app_hash; /* of InitChain's answer */
};

/* What FinalizeBlock answered. */
struct bft_finalized {
	struct cs_bytes app_hash;
	struct cs_hash results_hash;         /* cmt_results_hash */
	const struct cmt_validator *updates; /* power 0 removes */
	size_t updates_count;
	const struct cmt_params *params; /* NULL: as before */
};

/* Header, the commit of so many validators, and the tags and lengths around them, at their largest:
 * what is above it in a block is left to evidence and transactions. */
size_t bft_block_size_min(size_t validators);

void bft_state_init(struct bft_state *state);
/* INVALID, TOO_LARGE, DUPLICATE, OVERFLOW as of cmt_validator_set_make. INVALID: block_size_max below
 * bft_block_size_min. */
CS_NODISCARD enum cs_err bft_state_genesis(struct bft_state *state,
					   const struct bft_genesis *genesis,
					   struct cs_arena *scratch, struct cs_why *why);
void bft_state_copy(struct bft_state *state, const struct bft_state *from);
/* The height of the next block. */
int64_t bft_state_height(const struct bft_state *state);

/* The time of the next block: the genesis time, then the median of the last commit, or
 * BFT_TIME_IOTA_NS after the block before where that is not later (ADR 32). The errors of
 * cmt_median_time. */
CS_NODISCARD enum cs_err bft_state_time(struct cs_pb_time *time, const struct bft_state *state,
					const struct cmt_commit *last_commit);
/* The header that the next block must have, but for the hashes of what it carries: time from the
 * commit, proposer's address as given. The errors of cmt_median_time. */
CS_NODISCARD enum cs_err bft_state_header(struct cmt_header *header, const struct bft_state *state,
					  const struct cmt_commit *last_commit,
					  const struct cs_address *proposer);
/* Everything that CometBFT asks of the next block, the signatures of its last commit included, but
 * not its evidence (evidence.h). INVALID: version, height, sizes; ANCHOR_MISMATCH: another chain;
 * UNLINKED: the block before; BAD_PROOF: a hash that is not the state's; BAD_TIME; WRONG_KEY: the
 * proposer is no validator; the errors of cmt_commit_verify. known: precommits of the block before
 * whose signatures were verified, NULL where there are none; they are not verified again. */
CS_NODISCARD enum cs_err bft_state_validate(const struct bft_state *state,
					    const struct cmt_block *block,
					    const struct bft_votes *known, struct cs_arena *scratch,
					    struct cs_why *why);
/* Of a commit that a peer sent, whose extensions are in force or not: what nobody signed at a height
 * without (INVALID), and what no vote here can have (TOO_LARGE, above BFT_EXTENSION_SIZE_MAX). Kept,
 * they would cost votes their place in our commit, or come to the application. */
CS_NODISCARD enum cs_err bft_check_extensions(const struct cmt_commit *commit, bool extensions);
/* The state after this block, which was validated. The state is as before on failure: what
 * cmt_validator_set_update and cmt_params_check refuse. */
CS_NODISCARD enum cs_err bft_state_apply(struct bft_state *state,
					 const struct cmt_block_id *block_id,
					 const struct cmt_header *header,
					 const struct bft_finalized *finalized,
					 struct cs_arena *scratch, struct cs_why *why);

/* tendermint.state.State. */
void bft_state_encode(struct cs_buf *buf, const struct bft_state *state);
CS_NODISCARD enum cs_err bft_state_decode(struct bft_state *state, struct cs_bytes bytes,
					  struct cs_arena *scratch, struct cs_why *why);

/* ---- a start ---- */

/* What to do first, by what is durable: the state, the newest stored block, the application. */
enum bft_recovery {
	BFT_RECOVER_NOTHING = 1,
	BFT_RECOVER_REPLAY_APP,  /* give the application its missing blocks up to the state's
				    height: FINALIZE and COMMIT each, compare application hashes */
	BFT_RECOVER_APPLY_BLOCK, /* the store is one block ahead: START, then BLOCK_LOADED with it */
	BFT_RECOVER_IMPOSSIBLE,  /* the application or the store is ahead of what was promised, or
				    the store lacks what the state has */
};

enum bft_recovery bft_recover(int64_t state_height, int64_t store_height, int64_t app_height);

#endif
