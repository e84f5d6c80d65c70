#include "relay_state/bft/engine.h"

#include <string.h>

/*~ From the decision to the next height: STORE makes it durable, FINALIZE asks the application,
 * SAVE_STATE makes its answer durable, COMMIT lets the application persist. Whoever dies between
 * two of them is told by bft_recover where to go on. Nothing here is in the log: the store and the
 * state are the record. */

/* ---- commits ---- */

void bft_commit_of(struct cmt_commit *commit, struct cmt_commit_sig *sigs,
		   const struct bft_votes *votes, const struct cmt_validator_set *set,
		   int64_t height, const struct cmt_block_id *id)
{
	const struct cmt_block_id nil = {0};
	commit->height = height;
	commit->round = votes->round;
	commit->block_id = *id;
	commit->sigs = sigs;
	commit->count = set->count;
	for (size_t i = 0; i < set->count; i++) {
		const struct bft_vote *vote = bft_votes_find(votes, i, id);
		if (vote == NULL || !vote->counts)
			vote = bft_votes_find(votes, i, &nil);
		sigs[i] = cmt_commit_sig_of(vote != NULL ? &vote->vote : NULL);
	}
}

void bft_votes_of_commit(struct bft_votes *votes, const struct cmt_commit *commit,
			 const struct cmt_validator_set *set)
{
	const struct cmt_vote *other;
	bft_votes_reset(votes, commit->round, CMT_PRECOMMIT);
	for (size_t i = 0; i < commit->count && i < set->count; i++) {
		if (commit->sigs[i].flag == CMT_ABSENT)
			continue;
		struct cmt_vote vote = cmt_commit_vote(commit, i);
		vote.extension = commit->sigs[i].extension;
		vote.extension_signature = commit->sigs[i].extension_signature;
		if (vote.extension.n <= BFT_EXTENSION_SIZE_MAX)
			(void)bft_votes_add(votes, set, &vote, true, &other);
	}
}

/* ---- decision ---- */

static struct cs_bytes decided_commit(struct bft *bft, const struct bft_slot *slot)
{
	struct cmt_commit commit;
	struct cmt_commit_sig sigs[BFT_VALIDATORS_MAX];
	struct cs_buf buf;
	/* BFT_OUT_SIZE leaves room beside anything that a step that decides sends. */
	bool room = bft_out_begin(bft, &buf, BFT_COMMIT_SIZE_MAX);
	cs_assert(room);
	bft_commit_of(&commit, sigs, bft->decided, &bft->state.now.set, bft->height, &slot->id);
	cmt_extended_commit_encode(&buf, &commit);
	return bft_out_end(bft, &buf);
}

void bft_ask_finalize(struct bft *bft)
{
	const struct bft_slot *slot = &bft->slots[bft->decided_slot];
	struct bft_effect *effect;
	if (!bft->decided_stored) {
		effect = bft_emit(bft, BFT_EFFECT_STORE);
		effect->height = bft->height;
		effect->round = bft->decided->round;
		effect->bytes = cs_bytes(slot->bytes, slot->size);
		effect->block_id = slot->id;
		effect->commit = decided_commit(bft, slot);
	}
	effect = bft_emit(bft, BFT_EFFECT_FINALIZE);
	effect->height = bft->height;
	effect->bytes = cs_bytes(slot->bytes, slot->size);
	effect->block_id = slot->id;
	effect->hash = slot->id.hash.hash;
}

/* Lines 49 to 54; bft->decided holds the precommits. */
void bft_decide(struct bft *bft, struct bft_slot *slot)
{
	bft->step = BFT_STEP_COMMIT;
	bft->is_decided = true;
	bft->decided_slot = (size_t)(slot - bft->slots);
	bft_ask_finalize(bft);
}

/* Room for the block and everything it carries is the slot's; the slot is as good as voted for. */
static struct bft_slot *slot_for(struct bft *bft, const struct cmt_block_id *id,
				 struct cs_bytes bytes)
{
	struct bft_slot *slot = bft_slot_open(bft, id);
	if (slot == NULL) {
		/* All are needed; the decision needs none of the others. */
		slot = &bft->slots[0];
		bft_slot_free(slot);
		slot->used = true;
		slot->id = *id;
	}
	if (!slot->complete) {
		memcpy(slot->bytes, bytes.p, bytes.n);
		slot->size = bytes.n;
		slot->have = UINT64_MAX;
		bft_slot_complete(bft, slot);
	}
	return slot;
}

static enum cs_err verify_block(struct bft *bft, struct cmt_block_id *id, struct cmt_commit *commit,
				struct cs_bytes bytes, struct cs_bytes commit_bytes)
{
	struct cmt_block block;
	struct cmt_part_set parts;
	bool extensions = bft_has_extensions(bft, bft->height);
	if (bytes.n > bft_block_size_max(bft))
		return CS_ERR_TOO_LARGE;
	CS_TRY(cmt_block_decode(&block, bytes, &bft->scratch, NULL));
	CS_TRY(cmt_part_set_make(&parts, bytes, &bft->scratch));
	struct cs_hash hash = cmt_header_hash(&block.header);
	*id = (struct cmt_block_id){cmt_hash_of(&hash), parts.header};
	CS_TRY(cmt_extended_commit_decode(commit, commit_bytes, &bft->scratch, NULL));
	CS_TRY(cmt_extended_commit_check(commit, extensions, NULL));
	CS_TRY(bft_check_extensions(commit, extensions));
	if (extensions)
		return cmt_extended_commit_verify(commit, &bft->state.now.set, &bft->state.chain_id,
						  id, bft->height, &bft->scratch, NULL);
	return cmt_commit_verify(commit, &bft->state.now.set, &bft->state.chain_id, id, bft->height,
				 NULL);
}

enum cs_err bft_take_block(struct bft *bft, struct cs_bytes block, struct cs_bytes commit_bytes)
{
	struct cmt_commit commit;
	struct cmt_block_id id;
	size_t mark = cs_arena_mark(&bft->scratch);
	enum cs_err err = verify_block(bft, &id, &commit, block, commit_bytes);
	if (err == CS_OK)
		bft_votes_of_commit(bft->decided, &commit, &bft->state.now.set);
	cs_arena_rewind(&bft->scratch, mark);
	CS_TRY(err);
	struct bft_slot *slot = slot_for(bft, &id, block);
	if (slot->validity != BFT_VALID) {
		bft_halt(bft, "the others decided a block that this node finds invalid");
		return CS_OK;
	}
	bft_decide(bft, slot);
	return CS_OK;
}

/* ---- the application's answers ---- */

void bft_ripen(struct bft *bft)
{
	size_t first;
	bft_evidence_ripen(&bft->evidence, &first, &bft->state, &bft->scratch);
	for (size_t i = first; i < bft->evidence.count; i++)
		bft_emit(bft, BFT_EFFECT_EVIDENCE)->bytes =
			bft_out_copy(bft, bft_evidence_bytes(&bft->evidence, i));
}

void bft_tell_evidence(struct bft *bft)
{
	struct bft_message message = {.type = BFT_MESSAGE_EVIDENCE};
	for (size_t i = 0; i < bft->evidence.count; i++) {
		struct bft_evidence_entry *entry = &bft->evidence.entries[i];
		message.evidence = bft_evidence_bytes(&bft->evidence, i);
		if (!entry->is_told)
			bft_send(bft, BFT_PEER_ALL, &message);
		entry->is_told = true;
	}
}

static enum cs_err apply(struct bft *bft, const struct bft_slot *slot,
			 const struct bft_finalized *finalized, struct cs_why *why)
{
	struct cmt_block block;
	CS_TRY(bft_state_apply(&bft->state, &slot->id, &slot->header, finalized, &bft->scratch,
			       why));
	bft->proof_due = !cs_bytes_eq(cmt_header_app_hash(&slot->header),
				      cs_bytes(bft->state.app_hash, bft->state.app_hash_size));
	CS_TRY(cmt_block_decode(&block, cs_bytes(slot->bytes, slot->size), &bft->scratch, why));
	bft_evidence_update(&bft->evidence, block.evidence, block.evidence_count, &bft->state,
			    &bft->scratch);
	return CS_OK;
}

void bft_on_finalized(struct bft *bft, const struct bft_event *event)
{
	struct cs_why why = {{0}};
	if (!bft->is_decided || event->height != bft->height || event->finalized == NULL ||
	    bft->state.last_height == bft->height)
		return;
	size_t mark = cs_arena_mark(&bft->scratch);
	enum cs_err err = apply(bft, &bft->slots[bft->decided_slot], event->finalized, &why);
	cs_arena_rewind(&bft->scratch, mark);
	if (err != CS_OK) {
		bft_halt(bft, "the application's answer to FinalizeBlock makes no state");
		return;
	}
	/* Here and not after the commit: what the log holds of the conflict, a crash behind this state
	 * would pass over. */
	bft_ripen(bft);
	bft_emit(bft, BFT_EFFECT_SAVE_STATE)->height = bft->height;
	bft_emit(bft, BFT_EFFECT_COMMIT)->height = bft->height;
}

/* ---- the next height ---- */

void bft_enter_height(struct bft *bft)
{
	bft->height = bft_state_height(&bft->state);
	bft->round = 0;
	bft->step = BFT_STEP_NEW_HEIGHT;
	bft->own = bft->config.has_key ? cmt_validator_set_find(&bft->state.now.set, &bft->address)
				       : SIZE_MAX;
	bft->locked_round = bft->valid_round = -1;
	memset(&bft->locked_id, 0, sizeof bft->locked_id);
	memset(&bft->valid_id, 0, sizeof bft->valid_id);
	for (uint32_t i = 0; i < bft->config.rounds_kept; i++)
		bft->rounds[i].used = false;
	for (size_t i = 0; i < BFT_VALIDATORS_MAX; i++)
		bft->round_seen[i] = -1;
	for (size_t i = 0; i < BFT_SLOTS; i++)
		bft_slot_free(&bft->slots[i]);
	bft->has_wanted = bft->prepare_asked = bft->txs_available = false;
	bft->is_decided = bft->decided_stored = false;
	bft->queue_count = 0;
	bft->turn_round = -1;
}

static bool all_precommitted(const struct bft *bft)
{
	return bft_votes_power_for(bft->last_commit, &bft->state.last.set,
				   &bft->state.last_block_id) == bft->state.last.set.power;
}

/* Everybody's precommit is here: there is nothing to wait for (CometBFT's skip_timeout_commit). */
void bft_begin_height(struct bft *bft)
{
	if (bft->config.wait_for_txs && !bft->txs_available && !bft->proof_due &&
	    bft->state.last_height > 0) {
		if (bft->config.empty_ns > 0)
			bft_emit_timer(bft, BFT_TIMER_COMMIT, bft->config.empty_ns);
		return;
	}
	if (bft->config.commit_ns > 0 && !all_precommitted(bft)) {
		bft_emit_timer(bft, BFT_TIMER_COMMIT, bft->config.commit_ns);
		return;
	}
	struct bft_event event = {.type = BFT_EVENT_TIMEOUT,
				  .now_ns = bft->now_ns,
				  .height = bft->height,
				  .timer = BFT_TIMER_COMMIT};
	bft_handle(bft, &event);
}

void bft_on_committed(struct bft *bft, const struct bft_event *event)
{
	if (!bft->is_decided || event->height != bft->height ||
	    bft->state.last_height != bft->height)
		return;
	struct bft_votes *spare = bft->last_commit;
	bft->last_commit = bft->decided;
	bft->decided = spare;
	bft_enter_height(bft);
	bft_remember_signed(bft);
	bft_tell_evidence(bft);
	bft_check_may_sign(bft);
	if (!bft->may_sign)
		bft_ask_own(bft, BFT_PEER_ALL);
	if (bft->step == BFT_STEP_NEW_HEIGHT)
		bft_begin_height(bft);
	bft_pump_sync(bft);
	/* A block that is here already, or early messages, in a step of their own. */
	if (bft->sync.held_count > 0 || bft->stash_end > bft->stash_begin)
		(void)bft_emit(bft, BFT_EFFECT_CONTINUE);
}
