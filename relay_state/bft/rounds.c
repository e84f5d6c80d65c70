#include "relay_state/bft/engine.h"

#include <string.h>

/* ---- rounds ---- */

struct bft_round *bft_round_find(struct bft *bft, int32_t round)
{
	for (uint32_t i = 0; i < bft->config.rounds_kept; i++) {
		if (bft->rounds[i].used && bft->rounds[i].round == round)
			return &bft->rounds[i];
	}
	return NULL;
}

/* What a rule may still ask for. */
static bool is_needed(struct bft *bft, int32_t round)
{
	const struct bft_round *now = bft_round_find(bft, bft->round);
	return round >= bft->round - 1 || round == bft->locked_round || round == bft->valid_round ||
	       (now != NULL && now->has_proposal && round == now->proposal.pol_round);
}

/* Nothing goes for a round that no rule asks for: old votes, sent again and again, would take each
 * other's place without end. */
static struct bft_round *free_round(struct bft *bft, int32_t round)
{
	struct bft_round *oldest = NULL;
	for (uint32_t i = 0; i < bft->config.rounds_kept; i++) {
		struct bft_round *r = &bft->rounds[i];
		if (!r->used)
			return r;
		if (!is_needed(bft, r->round) && (oldest == NULL || r->round < oldest->round))
			oldest = r;
	}
	return is_needed(bft, round) ? oldest : NULL;
}

struct bft_round *bft_round_open(struct bft *bft, int32_t round)
{
	struct bft_round *r = bft_round_find(bft, round);
	if (r != NULL)
		return r;
	r = free_round(bft, round);
	if (r == NULL)
		return NULL;
	r->used = true;
	r->round = round;
	r->has_proposal = false;
	r->prevote_wait = r->precommit_wait = r->polka_done = false;
	r->refused = 0;
	bft_votes_reset(&r->prevotes, round, CMT_PREVOTE);
	bft_votes_reset(&r->precommits, round, CMT_PRECOMMIT);
	return r;
}

/* ---- proposers ---- */

/* CometBFT: the set of the height has the proposer of round 0; each round is one more turn. One
 * turn at a time, so that a node that skipped rounds comes to the same as one that did not. */
static size_t proposer_by_priority(struct bft *bft, int32_t round)
{
	if (bft->turn_round > round || bft->turn_round < 0) {
		enum cs_err err = bft_set_copy(&bft->turn, &bft->state.now.set);
		cs_assert(err == CS_OK);
		bft->turn_round = 0;
	}
	for (; bft->turn_round < round; bft->turn_round++)
		cmt_validator_set_increment(&bft->turn.set, 1);
	const struct cmt_validator *proposer = cmt_validator_set_proposer(&bft->turn.set);
	return cmt_validator_set_find(&bft->state.now.set, &proposer->address);
}

size_t bft_proposer(struct bft *bft, int32_t round)
{
	if (bft->config.proposer != NULL)
		return bft->config.proposer(bft->config.proposer_context, &bft->state.now.set,
					    bft->height, round);
	return proposer_by_priority(bft, round);
}

/* ---- blocks in memory ---- */

size_t bft_block_size_max(const struct bft *bft)
{
	int64_t params = bft->state.params.block_size_max;
	if (params < 0 || (uint64_t)params > bft->config.block_size_max)
		return bft->config.block_size_max;
	return (size_t)params;
}

struct bft_slot *bft_slot_find(struct bft *bft, const struct cmt_block_id *id)
{
	for (size_t i = 0; i < BFT_SLOTS; i++) {
		if (bft->slots[i].used && cmt_block_id_eq(&bft->slots[i].id, id))
			return &bft->slots[i];
	}
	return NULL;
}

static bool slot_is_needed(struct bft *bft, const struct bft_slot *slot)
{
	if (bft->locked_round >= 0 && cmt_block_id_eq(&slot->id, &bft->locked_id))
		return true;
	if (bft->valid_round >= 0 && cmt_block_id_eq(&slot->id, &bft->valid_id))
		return true;
	if (bft->has_wanted && cmt_block_id_eq(&slot->id, &bft->wanted_id))
		return true;
	for (uint32_t i = 0; i < bft->config.rounds_kept; i++) {
		const struct bft_round *r = &bft->rounds[i];
		if (r->used && r->round >= bft->round && r->has_proposal &&
		    cmt_block_id_eq(&slot->id, &r->proposal.block_id))
			return true;
	}
	return false;
}

void bft_slot_free(struct bft_slot *slot)
{
	slot->used = false;
	slot->complete = false;
	slot->have = 0;
	slot->size = 0;
	slot->validity = BFT_UNKNOWN;
	slot->verdict = BFT_NOT_ASKED;
}

struct bft_slot *bft_slot_open(struct bft *bft, const struct cmt_block_id *id)
{
	struct bft_slot *slot = bft_slot_find(bft, id);
	size_t parts_max = (bft_block_size_max(bft) + CMT_PART_SIZE - 1) / CMT_PART_SIZE;
	if (slot != NULL)
		return slot;
	if (id->parts.total == 0 || id->parts.total > parts_max)
		return NULL;
	for (size_t i = 0; i < BFT_SLOTS && slot == NULL; i++) {
		if (!bft->slots[i].used)
			slot = &bft->slots[i];
	}
	for (size_t i = 0; i < BFT_SLOTS && slot == NULL; i++) {
		if (!slot_is_needed(bft, &bft->slots[i]))
			slot = &bft->slots[i];
	}
	if (slot == NULL)
		return NULL;
	bft_slot_free(slot);
	slot->used = true;
	slot->id = *id;
	return slot;
}

/* Header and hash, then everything that the chain's state asks. */
static enum cs_err judge(struct bft *bft, struct bft_slot *slot, struct cs_why *why)
{
	struct cmt_block block;
	if (slot->size > bft_block_size_max(bft))
		return cs_fail(why, CS_ERR_TOO_LARGE, "a block of %zu bytes", slot->size);
	CS_TRY(cmt_block_decode(&block, cs_bytes(slot->bytes, slot->size), &bft->scratch, why));
	struct cs_hash hash = cmt_header_hash(&block.header);
	if (!cs_hash_eq(&hash, &slot->id.hash.hash))
		return cs_fail(why, CS_ERR_WRONG_BLOCK, "another header than was proposed");
	slot->header = block.header;
	slot->time = block.header.time;
	CS_TRY(bft_state_validate(&bft->state, &block, bft->last_commit, &bft->scratch, why));
	return bft_evidence_check_list(block.evidence, block.evidence_count, &bft->state,
				       &bft->config.history, &bft->scratch, why);
}

void bft_slot_complete(struct bft *bft, struct bft_slot *slot)
{
	struct cs_why why = {{0}};
	struct cs_arena tree;
	size_t mark = cs_arena_mark(&bft->scratch);
	enum cs_err err;
	slot->complete = true;
	slot->time = bft->state.last_time;
	cs_arena_init(&tree, slot->tree, BFT_SLOT_TREE_SIZE);
	err = cmt_part_set_make(&slot->parts, cs_bytes(slot->bytes, slot->size), &tree);
	cs_assert(err == CS_OK);
	err = judge(bft, slot, &why);
	cs_arena_rewind(&bft->scratch, mark);
	slot->validity = err == CS_OK ? BFT_VALID : BFT_INVALID;
	/* Safe, and if the others decide it, a halt: the log must say that the block was not the cause. */
	if (err == CS_ERR_CRYPTO || err == CS_ERR_NO_MEMORY)
		bft_emit(bft, BFT_EFFECT_ALARM)->why =
			"a block could not be judged, for want of memory or by a failure of the "
			"cryptographic library: here it counts as invalid";
}
