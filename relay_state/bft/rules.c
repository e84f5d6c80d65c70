#include "relay_state/bft/engine.h"

#include <string.h>

/*~ Algorithm 1 of arXiv 1807.04938, rule by rule. bft_settle asks them all again until none fires:
 * a proposal, a vote, a block or an answer may each be what the others were waiting for. Whoever
 * has no key goes through the same steps and signs nothing. */

static const struct cmt_block_id nil_id;

static int64_t round_delay(int64_t base_ns, int64_t delta_ns, int32_t round)
{
	return base_ns + delta_ns * round;
}

/* Lines 11 to 21. The proposer waits for itself as the others do: its application may be slow. */
void bft_start_round(struct bft *bft, int32_t round)
{
	cs_assert(bft->step == BFT_STEP_NEW_HEIGHT || round > bft->round);
	bft->round = round;
	bft->step = BFT_STEP_PROPOSE;
	bft->prepare_asked = false;
	struct bft_round *r = bft_round_open(bft, round);
	cs_assert(r != NULL);
	bft_emit_timer(bft, BFT_TIMER_PROPOSE,
		       round_delay(bft->config.propose_ns, bft->config.propose_delta_ns, round));
	if (!bft_is_validator(bft) || bft_proposer(bft, round) != bft->own || r->has_proposal)
		return;
	if (bft->valid_round >= 0) {
		const struct bft_slot *slot = bft_slot_find(bft, &bft->valid_id);
		/* After a lost log the valid block may not be here: another one proposes it. */
		if (slot != NULL && slot->complete)
			bft_want(bft, BFT_SIGN_PROPOSAL, &bft->valid_id, bft->valid_round);
		return;
	}
	bft->prepare_asked = true;
	bft_ask_prepare(bft);
}

static void prevote(struct bft *bft, const struct cmt_block_id *id)
{
	bft->step = BFT_STEP_PREVOTE;
	bft_want(bft, BFT_SIGN_PREVOTE, id, 0);
}

static void precommit(struct bft *bft, const struct cmt_block_id *id)
{
	bft->step = BFT_STEP_PRECOMMIT;
	bft_want(bft, BFT_SIGN_PRECOMMIT, id, 0);
}

/* valid(v): the chain's rules, then the application's. */
static enum bft_verdict verdict_of(struct bft *bft, struct bft_slot *slot)
{
	if (slot->validity == BFT_INVALID)
		return BFT_REJECTED;
	if (slot->verdict == BFT_NOT_ASKED) {
		slot->verdict = BFT_ASKED;
		bft_ask_process(bft, slot);
	}
	return slot->verdict;
}

/* Lines 22 to 33. */
static bool rule_prevote(struct bft *bft)
{
	const struct bft_round *r = bft_round_find(bft, bft->round);
	if (bft->step != BFT_STEP_PROPOSE || r == NULL || !r->has_proposal)
		return false;
	const struct cmt_proposal *p = &r->proposal;
	struct bft_slot *slot = bft_slot_find(bft, &p->block_id);
	if (slot == NULL || !slot->complete)
		return false;
	bool free_to = bft->locked_round < 0 || cmt_block_id_eq(&bft->locked_id, &p->block_id);
	if (p->pol_round >= 0) {
		/* Line 28: the quorum that unlocks, from the round that the proposer names. */
		const struct bft_round *pol = bft_round_find(bft, p->pol_round);
		struct cmt_block_id id;
		if (pol == NULL || !bft_votes_quorum(&pol->prevotes, &bft->state.now.set, &id) ||
		    !cmt_block_id_eq(&id, &p->block_id))
			return false;
		free_to = free_to || bft->locked_round <= p->pol_round;
	}
	if (!free_to) {
		prevote(bft, &nil_id);
		return true;
	}
	enum bft_verdict verdict = verdict_of(bft, slot);
	if (verdict == BFT_ASKED)
		return false;
	prevote(bft, verdict == BFT_ACCEPTED ? &p->block_id : &nil_id);
	return true;
}

/* "Any 2f + 1" of lines 34 and 47: who has voted here, and who has left this round behind. The
 * paper has no such second part, because nobody there leaves a round early; a node that lost its
 * log does (bft_skip_signed), and to wait for it would be for ever. A liar gains nothing: it
 * could as well vote. */
static bool enough_to_wait(const struct bft *bft, const struct bft_votes *votes)
{
	const struct cmt_validator_set *set = &bft->state.now.set;
	int64_t power = 0;
	for (size_t i = 0; i < set->count; i++) {
		bool voted = (votes->by[0][i].have && votes->by[0][i].counts) ||
			     (votes->by[1][i].have && votes->by[1][i].counts);
		if (voted || bft->round_seen[i] > votes->round)
			power += set->list[i].power;
	}
	return bft_is_two_thirds(power, set->power);
}

/* Line 34. */
static bool rule_prevote_wait(struct bft *bft)
{
	struct bft_round *r = bft_round_find(bft, bft->round);
	if (bft->step != BFT_STEP_PREVOTE || r == NULL || r->prevote_wait ||
	    !enough_to_wait(bft, &r->prevotes))
		return false;
	r->prevote_wait = true;
	bft_emit_timer(
		bft, BFT_TIMER_PREVOTE,
		round_delay(bft->config.prevote_ns, bft->config.prevote_delta_ns, bft->round));
	return true;
}

/* A quorum of others voted for a block that is not here: its parts are asked for. */
static void want_block(struct bft *bft, const struct cmt_block_id *id)
{
	if (bft->has_wanted && cmt_block_id_eq(&bft->wanted_id, id))
		return;
	bft->has_wanted = true;
	bft->wanted_id = *id;
	if (bft_slot_open(bft, id) != NULL)
		bft_send_status(bft, BFT_PEER_ALL);
}

/* Lines 36 to 46. */
static bool rule_polka(struct bft *bft)
{
	struct bft_round *r = bft_round_find(bft, bft->round);
	struct cmt_block_id id;
	if ((bft->step != BFT_STEP_PREVOTE && bft->step != BFT_STEP_PRECOMMIT) || r == NULL ||
	    r->polka_done || !bft_votes_quorum(&r->prevotes, &bft->state.now.set, &id))
		return false;
	if (cmt_block_id_is_nil(&id)) {
		r->polka_done = true;
		if (bft->step == BFT_STEP_PREVOTE)
			precommit(bft, &nil_id);
		return true;
	}
	struct bft_slot *slot = bft_slot_find(bft, &id);
	if (slot == NULL || !slot->complete) {
		want_block(bft, &id);
		return false;
	}
	if (slot->validity != BFT_VALID)
		return false;
	r->polka_done = true;
	if (bft->step == BFT_STEP_PREVOTE) {
		bft->locked_round = bft->round;
		bft->locked_id = id;
	}
	bft->valid_round = bft->round;
	bft->valid_id = id;
	if (bft->step == BFT_STEP_PREVOTE)
		precommit(bft, &id);
	return true;
}

/* Line 47. */
static bool rule_precommit_wait(struct bft *bft)
{
	struct bft_round *r = bft_round_find(bft, bft->round);
	if (bft->step == BFT_STEP_NEW_HEIGHT || r == NULL || r->precommit_wait ||
	    !enough_to_wait(bft, &r->precommits))
		return false;
	r->precommit_wait = true;
	bft_emit_timer(
		bft, BFT_TIMER_PRECOMMIT,
		round_delay(bft->config.precommit_ns, bft->config.precommit_delta_ns, bft->round));
	return true;
}

/* Line 49, for every round that is kept, past ones too. */
static bool rule_decide(struct bft *bft)
{
	for (uint32_t i = 0; i < bft->config.rounds_kept; i++) {
		const struct bft_round *r = &bft->rounds[i];
		struct cmt_block_id id;
		if (!r->used || !bft_votes_quorum(&r->precommits, &bft->state.now.set, &id) ||
		    cmt_block_id_is_nil(&id))
			continue;
		struct bft_slot *slot = bft_slot_find(bft, &id);
		if (slot == NULL || !slot->complete) {
			want_block(bft, &id);
			continue;
		}
		if (slot->validity != BFT_VALID) {
			bft_halt(bft, "the others decided a block that this node finds invalid");
			return false;
		}
		bft_votes_copy(bft->decided, &r->precommits);
		bft_decide(bft, slot);
		return true;
	}
	return false;
}

/* Line 55: f + 1 have been in this round or a higher one, so at least one honest node is there. */
static bool rule_skip(struct bft *bft)
{
	const struct cmt_validator_set *set = &bft->state.now.set;
	int32_t best = bft->step == BFT_STEP_NEW_HEIGHT ? 0 : bft->round;
	for (size_t i = 0; i < set->count; i++) {
		int64_t power = 0;
		if (bft->round_seen[i] <= best)
			continue;
		for (size_t j = 0; j < set->count; j++) {
			if (bft->round_seen[j] >= bft->round_seen[i])
				power += set->list[j].power;
		}
		if (bft_is_one_third(power, set->power))
			best = bft->round_seen[i];
	}
	if (best == 0 || best <= bft->round)
		return false;
	bft_start_round(bft, best);
	return true;
}

/* Somebody had transactions to propose. */
static bool rule_wake(struct bft *bft)
{
	const struct bft_round *r = bft_round_find(bft, 0);
	if (bft->step != BFT_STEP_NEW_HEIGHT || !bft->config.wait_for_txs || r == NULL ||
	    !r->has_proposal)
		return false;
	bft_start_round(bft, 0);
	return true;
}

void bft_settle(struct bft *bft)
{
	bool again = true;
	while (again && !bft->halted && bft->step != BFT_STEP_COMMIT) {
		again = rule_decide(bft);
		again = !again &&
			(rule_skip(bft) || rule_wake(bft) || rule_prevote(bft) || rule_polka(bft) ||
			 rule_prevote_wait(bft) || rule_precommit_wait(bft));
	}
}

/* A precommit of ours that the log lost and signer or peers remember: locked as if we knew. */
void bft_adopt_lock(struct bft *bft, int32_t round, const struct cmt_block_id *id)
{
	if (round <= bft->locked_round)
		return;
	bft_log(bft);
	bft->locked_round = round;
	bft->locked_id = *id;
	if (round > bft->valid_round) {
		bft->valid_round = round;
		bft->valid_id = *id;
	}
	want_block(bft, id);
}

void bft_skip_signed(struct bft *bft, int32_t round, enum bft_sign_step step)
{
	enum bft_step_name reached = step == BFT_SIGN_PROPOSAL  ? BFT_STEP_PROPOSE
				     : step == BFT_SIGN_PREVOTE ? BFT_STEP_PREVOTE
								: BFT_STEP_PRECOMMIT;
	if (bft->step == BFT_STEP_COMMIT || round < bft->round ||
	    (round == bft->round && bft->step != BFT_STEP_NEW_HEIGHT && bft->step >= reached))
		return;
	bft_log(bft);
	bft_start_round(bft, round + 1);
}

/* Lines 57 to 67: only where it was set, in the same step; NEW_HEIGHT's own timer begins round 0. */
void bft_on_timeout(struct bft *bft, const struct bft_event *event)
{
	if (event->height != bft->height || event->round != bft->round)
		return;
	switch (event->timer) {
	case BFT_TIMER_COMMIT:
		if (bft->step != BFT_STEP_NEW_HEIGHT)
			return;
		bft_log(bft);
		bft_start_round(bft, 0);
		break;
	case BFT_TIMER_PROPOSE:
		if (bft->step != BFT_STEP_PROPOSE)
			return;
		bft_log(bft);
		prevote(bft, &nil_id);
		break;
	case BFT_TIMER_PREVOTE:
		if (bft->step != BFT_STEP_PREVOTE)
			return;
		bft_log(bft);
		precommit(bft, &nil_id);
		break;
	case BFT_TIMER_PRECOMMIT:
		if (bft->step == BFT_STEP_NEW_HEIGHT || bft->step == BFT_STEP_COMMIT)
			return;
		bft_log(bft);
		bft_start_round(bft, bft->round + 1);
		break;
	case BFT_TIMER_STATUS:
	case BFT_TIMER_END:
		return;
	}
	bft_settle(bft);
}
