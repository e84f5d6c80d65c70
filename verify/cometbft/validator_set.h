/* Validator sets: order, hash, whose turn it is to propose, and how they change, to the last bit as
 * CometBFT computes them (types/validator.go, types/validator_set.go;
 * spec/consensus/proposer-selection.md). Every change is made on a set of the caller's memory; no
 * set is shared.
 *
 * Keys are Ed25519. A set with a key of another kind (secp256k1, ML-DSA) is UNSUPPORTED. */
#ifndef CMT_VALIDATOR_SET_H
#define CMT_VALIDATOR_SET_H

#include "verify/cometbft/block_id.h"

/* The largest public chains have some two hundred; one signature check for each is 0.1 s.
 * CometBFT's own bound is 10,000 (types/vote_set.go MaxVotesCount). */
#define CMT_VALIDATORS_MAX 1024u
/* types/validator_set.go MaxTotalVotingPower, PriorityWindowSizeFactor. */
#define CMT_POWER_MAX (INT64_MAX / 8)
#define CMT_PRIORITY_WINDOW 2
/* tendermint.types.Validator: address, key, two numbers; as an element with its tag and length. */
#define CMT_VALIDATOR_SIZE_MAX 96u
#define CMT_VALIDATOR_SET_SIZE_MAX(count) (((count) + 1) * CMT_VALIDATOR_SIZE_MAX + 16u)

struct cmt_validator {
	struct cs_address address; /* always cmt_address(key) */
	struct cs_ed25519_key key;
	int64_t power; /* above 0 in a set; 0 in a change: remove */
	int64_t priority;
};

/* In the caller's order; sets that CometBFT made stand by power, highest first, then by address. */
struct cmt_validator_set {
	struct cmt_validator *list; /* count_max of them */
	uint16_t *by_address;       /* indices into list, count_max of them */
	size_t count;
	size_t count_max;
	int64_t power; /* of all, at most CMT_POWER_MAX */
	/* As it was when it was chosen; its place in the list may have moved on since. */
	struct cmt_validator proposer;
	bool has_proposer;
};

/* An empty set with room for count_max <= CMT_VALIDATORS_MAX. NO_MEMORY; TOO_LARGE. */
CS_NODISCARD enum cs_err cmt_validator_set_init(struct cmt_validator_set *set,
						struct cs_arena *arena, size_t count_max);
/* set gets what `from` holds; TOO_LARGE when its room is smaller. */
CS_NODISCARD enum cs_err cmt_validator_set_copy(struct cmt_validator_set *set,
						const struct cmt_validator_set *from);
/* A validator of a key, with priority 0. */
struct cmt_validator cmt_validator_of(const struct cs_ed25519_key *key, int64_t power);
/* Fills an initialized set with validators as they stand, priorities included, as one that was made
 * elsewhere; the proposer is the one of `proposer`'s address, and none when it is NULL. DUPLICATE
 * (an address), INVALID (a power below 1, an address that is not the key's, a proposer who is not
 * in it), OVERFLOW (the total power), TOO_LARGE, MISSING_FIELD (none). The set is empty on
 * failure. */
CS_NODISCARD enum cs_err cmt_validator_set_fill(struct cmt_validator_set *set,
						const struct cmt_validator *list, size_t count,
						const struct cmt_validator *proposer,
						struct cs_why *why);
/* The same from the initial validators of a chain, in any order: NewValidatorSet. */
CS_NODISCARD enum cs_err cmt_validator_set_make(struct cmt_validator_set *set,
						const struct cmt_validator *list, size_t count,
						struct cs_arena *arena, struct cs_why *why);

/* SIZE_MAX when nobody has the address. */
size_t cmt_validator_set_find(const struct cmt_validator_set *set,
			      const struct cs_address *address);
/* What a header's validators_hash is of: keys and powers in the list's order. */
struct cs_hash cmt_validator_set_hash(const struct cmt_validator_set *set);

/* `times` turns (>= 1): every priority grows by its power, the highest is the proposer and pays the
 * total. Rescales to the window and centres before. Of a set that is not empty. */
void cmt_validator_set_increment(struct cmt_validator_set *set, uint32_t times);
/* The one whose turn it is: has_proposer's, or the highest priority. */
const struct cmt_validator *cmt_validator_set_proposer(const struct cmt_validator_set *set);
/* The one with the lowest priority, who was the last proposer of a set that was read from a list
 * without one (RPC's validators). Sets has_proposer. */
void cmt_validator_set_guess_proposer(struct cmt_validator_set *set);

/* Changes by key: power 0 removes, any other sets or adds; UpdateWithChangeSet. Priorities are
 * CometBFT's: who comes gets −1.125 × the total before removals, then all are rescaled and centred,
 * and the list is sorted. Whoever was the proposer stays so until cmt_validator_set_increment. The
 * arena is given back. The set is as before on failure:
 * DUPLICATE (two changes of one key), INVALID (a negative power), NOT_FOUND (removes a stranger),
 * MISSING_FIELD (nobody would be left), OVERFLOW (the total power), TOO_LARGE (count_max, more than
 * CMT_VALIDATORS_MAX changes), NO_MEMORY. */
CS_NODISCARD enum cs_err cmt_validator_set_update(struct cmt_validator_set *set,
						  const struct cmt_validator *changes, size_t count,
						  struct cs_arena *arena, struct cs_why *why);

/* tendermint.types.Validator and ValidatorSet (without total_voting_power, which CometBFT never
 * writes). A set that is encoded has a proposer. */
void cmt_validator_encode(struct cs_buf *buf, const struct cmt_validator *validator);
CS_NODISCARD enum cs_err cmt_validator_decode(struct cmt_validator *validator,
					      struct cs_bytes bytes);
void cmt_validator_set_encode(struct cs_buf *buf, const struct cmt_validator_set *set);
/* The set's room, count_max of what came, is the arena's. The errors of cs_pb and of
 * cmt_validator_set_fill; UNSUPPORTED: a key that is not Ed25519. */
CS_NODISCARD enum cs_err cmt_validator_set_decode(struct cmt_validator_set *set,
						  struct cs_bytes bytes, struct cs_arena *arena,
						  struct cs_why *why);

/* By power, highest first, then by address: the order of sets and of evidence. */
bool cmt_validator_before(const struct cmt_validator *a, const struct cmt_validator *b);

#endif
