/* The votes of one type in one round: each validator once, and one more where it votes twice.
 * Counts power; checks no signature and knows no rule. */
#ifndef BFT_VOTES_H
#define BFT_VOTES_H

#include "relay_state/bft/types.h"
#include "verify/cometbft/validator_set.h"
#include "verify/cometbft/vote.h"

struct bft_vote {
	bool have;
	bool counts; /* false until the application has judged the extension */
	struct cmt_vote vote;
};

struct bft_votes {
	int32_t round;
	enum cmt_signed_type type;
	/* [0] the first vote of each validator, [1] one for something else. Both count, each for
	 * its block: a quorum that others saw with either of them must be seen here too. */
	struct bft_vote by[2][BFT_VALIDATORS_MAX];
	uint8_t *extensions; /* of precommits: [2][BFT_VALIDATORS_MAX][BFT_EXTENSION_SIZE_MAX] */
};

enum bft_votes_added {
	BFT_VOTES_NEW = 1,
	BFT_VOTES_KNOWN = 2,
	BFT_VOTES_CONFLICT = 3,      /* a second one of this validator, kept */
	BFT_VOTES_CONFLICT_FULL = 4, /* and there was no room for it */
};

#define BFT_VOTES_EXTENSIONS_SIZE (2u * BFT_VALIDATORS_MAX * BFT_EXTENSION_SIZE_MAX)

void bft_votes_reset(struct bft_votes *votes, int32_t round, enum cmt_signed_type type);
/* All of them, extensions too; `to` keeps its own memory. */
void bft_votes_copy(struct bft_votes *to, const struct bft_votes *from);
/* vote->index is below the count of the set; its signature was checked. *other: on a conflict, the
 * vote that it conflicts with. A third vote takes the place of the second when its block has more
 * power behind it. */
enum bft_votes_added bft_votes_add(struct bft_votes *votes, const struct cmt_validator_set *set,
				   const struct cmt_vote *vote, bool counts,
				   const struct cmt_vote **other);
/* Whether a vote that is not known yet would be kept. */
bool bft_votes_has_room(const struct bft_votes *votes, const struct cmt_validator_set *set,
			const struct cmt_vote *vote);
/* The vote of this validator for this block (nil included), NULL when there is none. */
const struct bft_vote *bft_votes_find(const struct bft_votes *votes, size_t index,
				      const struct cmt_block_id *id);
/* The application's verdict on an extension: it counts, or the vote goes. False: no such vote. */
bool bft_votes_judge(struct bft_votes *votes, size_t index, const struct cmt_block_id *id,
		     bool accepted);

/* Power of the validators that voted at all, and for one block. */
int64_t bft_votes_power(const struct bft_votes *votes, const struct cmt_validator_set *set);
int64_t bft_votes_power_for(const struct bft_votes *votes, const struct cmt_validator_set *set,
			    const struct cmt_block_id *id);
/* The block (or nil) that more than 2/3 voted for. */
bool bft_votes_quorum(const struct bft_votes *votes, const struct cmt_validator_set *set,
		      struct cmt_block_id *id);
/* Bit i: there is a vote of validator i, of this block when id is not NULL. */
uint32_t bft_votes_have(const struct bft_votes *votes, const struct cmt_block_id *id);

#endif
