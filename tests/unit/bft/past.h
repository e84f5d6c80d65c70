/* A chain that was decided up to a height, as a node remembers it, and attacks on its light clients:
 * headers, commits, validators of real keys. Four validators of power 10, of the keys 1 to 4. */
#ifndef TESTS_UNIT_BFT_PAST_H
#define TESTS_UNIT_BFT_PAST_H

#include "relay_state/bft/evidence.h"
#include "tests/unit/cometbft/made.h"

#define PAST_HEIGHT 9
#define PAST_SCRATCH_SIZE (4u * 1024 * 1024)

struct past {
	struct cmt_validator_set set;
	struct cmt_light_block blocks[PAST_HEIGHT + 1]; /* from 1 on */
	struct bft_state state;
	bool is_committed;
	struct cs_arena scratch;
};

static inline enum cs_err past_set_at(void *context, const struct cmt_validator_set **set,
				      int64_t height)
{
	struct past *past = context;
	if (height < 1 || height > past->state.last_height)
		return CS_ERR_NOT_FOUND;
	*set = &past->set;
	return CS_OK;
}

static inline enum cs_err past_time_at(void *context, struct cs_pb_time *time, int64_t height)
{
	struct past *past = context;
	if (height < 1 || height > past->state.last_height)
		return CS_ERR_NOT_FOUND;
	*time = past->blocks[height].header.time;
	return CS_OK;
}

static inline enum cs_err past_signed_header_at(void *context, struct cmt_header *header,
						struct cmt_commit *commit, int64_t height,
						struct cs_arena *arena)
{
	struct past *past = context;
	(void)arena;
	/* The engine never asks for the last one, of which no block has a commit. */
	cs_assert(height < past->state.last_height);
	if (height < 1)
		return CS_ERR_NOT_FOUND;
	*header = past->blocks[height].header;
	*commit = past->blocks[height].commit;
	return CS_OK;
}

static inline bool past_is_committed(void *context, const struct cs_hash *hash)
{
	(void)hash;
	return ((const struct past *)context)->is_committed;
}

static inline struct bft_history past_history(struct past *past)
{
	return (struct bft_history){past, past_set_at, past_time_at, past_signed_header_at,
				    past_is_committed};
}

static inline void past_grow(struct past *past, int64_t height)
{
	past->state.last_height = height;
	past->state.last_time = past->blocks[height].header.time;
}

static inline void past_init(struct past *past)
{
	memset(past, 0, sizeof *past);
	past->set = made_set(1, 4, 10);
	for (int64_t h = 1; h <= PAST_HEIGHT; h++)
		past->blocks[h] = made_block(h, &past->set, &past->set);
	bft_state_init(&past->state);
	past->state.chain_id = past->blocks[1].header.chain_id;
	past->state.params = cmt_params_default();
	assert_int_equal(bft_set_copy(&past->state.last, &past->set), CS_OK);
	assert_int_equal(bft_set_copy(&past->state.now, &past->set), CS_OK);
	past_grow(past, PAST_HEIGHT - 1);
	cs_arena_init(&past->scratch, malloc(PAST_SCRATCH_SIZE), PAST_SCRATCH_SIZE);
}

/* ---- blocks that are not the chain's ---- */

/* Signed by `count` of the chain's validators from the key `first` on, as their own set, with an
 * application's hash that nobody computes. */
static inline struct cmt_light_block past_lunatic(int64_t height, uint32_t first, size_t count)
{
	struct cmt_validator_set own = made_set(first, count, 10);
	struct cmt_light_block block = made_block(height, &own, &own);
	memset(block.header.app_hash.b, 9, 32);
	block.header.app_hash.n = 32;
	made_seal(&block);
	return block;
}

/* The same state, other transactions: a second block of its height, in this round, without the
 * signature of the last validator. */
static inline struct cmt_light_block past_twin(const struct past *past, int64_t height,
					       int32_t round)
{
	struct cmt_light_block block = past->blocks[height];
	struct cs_hash other = cs_sha256(cs_bytes_str("other transactions"));
	block.header.data_hash = cmt_hash_of(&other);
	block.commit.round = round;
	made_seal(&block);
	block.commit.sigs[3] = CMT_SIG_ABSENT;
	return block;
}

/* Of this block, both chains traced back to `common`; trusted is what the node compares with. */
static inline struct cmt_evidence past_attack(const struct past *past,
					      const struct cmt_light_block *block, int64_t trusted,
					      int64_t common)
{
	struct cmt_evidence e = {.kind = CMT_LIGHT_ATTACK};
	assert_int_equal(cmt_light_attack_make(&e.light_attack, block, &past->blocks[trusted],
					       &past->blocks[common], test_arena()),
			 CS_OK);
	return e;
}

#endif
