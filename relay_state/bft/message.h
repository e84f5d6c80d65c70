/* What engines say to each other. Proposal, block part and vote are CometBFT's consensus messages
 * (proto/tendermint/consensus/types.proto, fields 3, 5, 6 of Message); the rest is ours, in the
 * same oneof from field 32. One bounded decoder for all; nothing is allocated, views point into
 * the input. */
#ifndef BFT_MESSAGE_H
#define BFT_MESSAGE_H

#include "relay_state/bft/types.h"
#include "verify/cometbft/part_set.h"
#include "verify/cometbft/vote.h"

#define BFT_PARTS_MAX (BFT_BLOCK_SIZE_MAX / CMT_PART_SIZE)
/* Sets of votes that a STATUS tells about: both of its round, precommits of the round before, the
 * prevotes of a proposal's POL. */
#define BFT_STATUS_VOTES_MAX 4u
/* The last vote of a validator by place, and its last precommit for a block. */
#define BFT_OWN_VOTES_MAX 2u
/* A part with its proof and the fields around; everything but a block answer is smaller. */
#define BFT_MESSAGE_SIZE_MAX (CMT_PART_ENCODED_SIZE_MAX + 256u)
/* A commit of BFT_VALIDATORS_MAX with extensions. */
#define BFT_COMMIT_SIZE_MAX (BFT_VALIDATORS_MAX * (BFT_EXTENSION_SIZE_MAX + 256u) + 256u)
#define BFT_MESSAGE_BLOCK_SIZE_MAX (BFT_BLOCK_SIZE_MAX + BFT_COMMIT_SIZE_MAX + 256u)

enum bft_message_type {
	BFT_MESSAGE_PROPOSAL = 3,
	BFT_MESSAGE_PART = 5,
	BFT_MESSAGE_VOTE = 6,
	BFT_MESSAGE_STATUS = 32,
	BFT_MESSAGE_OWN_ASK = 33,   /* what do you hold that I signed? */
	BFT_MESSAGE_OWN_VOTES = 34, /* this, at my height */
	BFT_MESSAGE_BLOCK_REQUEST = 35,
	BFT_MESSAGE_BLOCK_ANSWER = 36, /* no block: not stored here */
	BFT_MESSAGE_EVIDENCE = 37,
};

/* Which votes of one set a node has. */
struct bft_status_votes {
	int32_t round;
	enum cmt_signed_type type;
	bool of_block; /* only votes for block_id are asked for */
	struct cmt_block_id block_id;
	uint32_t have; /* bit i: of validator i */
};

struct bft_status {
	int64_t height; /* that it works on: the one below is its last block */
	int32_t round;
	uint32_t step;
	bool has_proposal; /* of its round */
	bool has_parts;    /* it collects this block: */
	struct cmt_part_set_header parts;
	uint64_t parts_have;
	size_t votes_count;
	struct bft_status_votes votes[BFT_STATUS_VOTES_MAX];
};

struct bft_message {
	enum bft_message_type type;
	union {
		struct cmt_proposal proposal;
		struct {
			int64_t height;
			int32_t round;
			struct cmt_part part;
		} part;
		struct cmt_vote vote;
		struct bft_status status;
		struct {
			int64_t height;
			struct cs_address validator;
		} own_ask;
		struct {
			int64_t height;
			size_t count;
			struct cmt_vote votes[BFT_OWN_VOTES_MAX];
		} own_votes;
		int64_t block_request; /* height */
		struct {
			int64_t height;
			struct cs_bytes block;  /* empty: not here */
			struct cs_bytes commit; /* tendermint.types.ExtendedCommit */
		} block_answer;
		struct cs_bytes evidence; /* tendermint.types.Evidence */
	};
};

_Static_assert(BFT_PARTS_MAX <= 64 && BFT_VALIDATORS_MAX <= 32, "bitmaps");

void bft_message_encode(struct cs_buf *buf, const struct bft_message *message);
/* The errors of cs_pb and of the checks of what is inside: MALFORMED, NON_CANONICAL, INVALID,
 * TOO_LARGE, MISSING_FIELD, BAD_PROOF (a part whose proof is another's), UNSUPPORTED (a type that is
 * not known). */
CS_NODISCARD enum cs_err bft_message_decode(struct bft_message *message, struct cs_bytes bytes);

#endif
