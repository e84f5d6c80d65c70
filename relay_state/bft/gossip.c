#include "relay_state/bft/engine.h"

#include <string.h>

/*~ Votes, proposals and parts are pushed once, to everybody. What got lost is found by STATUS: each
 * node says what it has, whoever has more answers. It is sent when a connection comes up, when a
 * block is missing, and by a slow timer while nothing moves. Nodes that are heights behind ask for
 * blocks. */

/* ---- status ---- */

static void status_votes(struct bft *bft, struct bft_status *status, int32_t round,
			 enum cmt_signed_type type, const struct cmt_block_id *id)
{
	struct bft_status_votes *v = &status->votes[status->votes_count];
	struct bft_round *r = bft_round_find(bft, round);
	if (round < 0 || status->votes_count == BFT_STATUS_VOTES_MAX)
		return;
	v->round = round;
	v->type = type;
	v->of_block = id != NULL;
	if (id != NULL)
		v->block_id = *id;
	v->have = 0;
	if (r != NULL)
		v->have = bft_votes_have(type == CMT_PREVOTE ? &r->prevotes : &r->precommits, id);
	status->votes_count++;
}

/* The block to collect: one that a quorum wants, else that of this round's proposal. */
static void status_parts(struct bft *bft, struct bft_status *status, const struct bft_round *r)
{
	const struct cmt_block_id *id = NULL;
	if (bft->has_wanted)
		id = &bft->wanted_id;
	const struct bft_slot *slot = id != NULL ? bft_slot_open(bft, id) : NULL;
	if ((slot == NULL || slot->complete) && r != NULL && r->has_proposal)
		slot = bft_slot_find(bft, &r->proposal.block_id);
	if (slot == NULL || slot->complete)
		return;
	status->has_parts = true;
	status->parts = slot->id.parts;
	status->parts_have = slot->have;
}

void bft_send_status(struct bft *bft, uint32_t peer)
{
	struct bft_message message = {.type = BFT_MESSAGE_STATUS};
	struct bft_status *status = &message.status;
	const struct bft_round *r = bft_round_find(bft, bft->round);
	status->height = bft->height;
	status->round = bft->round;
	status->step = (uint32_t)bft->step;
	status->has_proposal = r != NULL && r->has_proposal;
	if (bft->step != BFT_STEP_COMMIT) {
		status_parts(bft, status, r);
		status_votes(bft, status, bft->round, CMT_PREVOTE, NULL);
		status_votes(bft, status, bft->round, CMT_PRECOMMIT, NULL);
		if (status->has_proposal && r->proposal.pol_round >= 0)
			status_votes(bft, status, r->proposal.pol_round, CMT_PREVOTE,
				     &r->proposal.block_id);
		status_votes(bft, status, bft->round - 1, CMT_PRECOMMIT, NULL);
	}
	bft_send(bft, peer, &message);
}

static void send_vote(struct bft *bft, uint32_t peer, const struct cmt_vote *vote)
{
	struct bft_message message = {.type = BFT_MESSAGE_VOTE};
	message.vote = *vote;
	bft_send(bft, peer, &message);
}

static void send_missing(struct bft *bft, uint32_t peer, const struct bft_votes *votes,
			 uint32_t have, const struct cmt_block_id *id)
{
	for (size_t i = 0; i < bft_validators(bft)->count; i++) {
		const struct bft_vote *vote =
			id != NULL ? bft_votes_find(votes, i, id) : &votes->by[0][i];
		if ((have >> i & 1) == 0 && vote != NULL && vote->have)
			send_vote(bft, peer, &vote->vote);
	}
}

/* A peer in a lower round gets what brings it here: our own votes, and others of f + 1 send
 * theirs. */
static void send_own_votes(struct bft *bft, uint32_t peer, int32_t above)
{
	if (!bft_is_validator(bft))
		return;
	for (int32_t round = bft->round; round > above && round >= bft->round - 1; round--) {
		struct bft_round *r = bft_round_find(bft, round);
		if (r == NULL)
			continue;
		if (r->precommits.by[0][bft->own].have)
			send_vote(bft, peer, &r->precommits.by[0][bft->own].vote);
		if (r->prevotes.by[0][bft->own].have)
			send_vote(bft, peer, &r->prevotes.by[0][bft->own].vote);
	}
}

static void answer_same_height(struct bft *bft, uint32_t peer, const struct bft_status *status)
{
	const struct bft_round *r = bft_round_find(bft, status->round);
	for (size_t i = 0; i < status->votes_count; i++) {
		const struct bft_status_votes *v = &status->votes[i];
		struct bft_round *of = bft_round_find(bft, v->round);
		if (of != NULL)
			send_missing(bft, peer,
				     v->type == CMT_PREVOTE ? &of->prevotes : &of->precommits,
				     v->have, v->of_block ? &v->block_id : NULL);
	}
	if (status->round < bft->round)
		send_own_votes(bft, peer, status->round);
	if (!status->has_proposal && r != NULL && r->has_proposal)
		bft_send_proposal(bft, peer, r);
	for (size_t i = 0; i < BFT_SLOTS && status->has_parts; i++) {
		const struct bft_slot *slot = &bft->slots[i];
		if (slot->used && slot->complete && slot->id.parts.total == status->parts.total &&
		    cmt_hash_eq(&slot->id.parts.hash, &status->parts.hash))
			bft_send_parts(bft, peer, slot, status->parts_have, status->round);
	}
}

void bft_on_status(struct bft *bft, uint32_t peer, const struct bft_status *status)
{
	bft_sync_claim(&bft->sync, peer, status->height);
	if (status->height == bft->height)
		answer_same_height(bft, peer, status);
	else if (status->height < bft->height)
		bft_send_status(bft, peer);
	else
		bft_pump_sync(bft);
}

/* ---- the slow timer ---- */

void bft_on_tick(struct bft *bft)
{
	bool moved = bft->height != bft->moved_height || bft->round != bft->moved_round ||
		     bft->step != bft->moved_step;
	bft->moved_height = bft->height;
	bft->moved_round = bft->round;
	bft->moved_step = bft->step;
	bft_emit_timer(bft, BFT_TIMER_STATUS, bft->config.status_ns);
	bft_sync_tick(&bft->sync);
	bft->ticks++;
	for (size_t p = 0; p < BFT_PEERS_MAX; p++) {
		int32_t *work = &bft->peers[p].evidence_work;
		*work = *work < 0 ? *work + BFT_EVIDENCE_WORK_MAX : BFT_EVIDENCE_WORK_MAX;
	}
	if (!bft->may_sign)
		bft_ask_own(bft, BFT_PEER_ALL);
	bft_check_may_sign(bft);
	if (!moved)
		bft_send_status(bft, BFT_PEER_ALL);
	bft_pump_sync(bft);
}

/* ---- what others hold of us ---- */

/* In front of a message of the stash: its peer (4), its size (4), and whose votes that peer may send
 * first (20): places in the table of peers are given anew. */
#define STASH_HEAD (8u + sizeof(struct cs_address))

void bft_ask_own(struct bft *bft, uint32_t peer)
{
	struct bft_message message = {.type = BFT_MESSAGE_OWN_ASK};
	if (!bft_is_validator(bft))
		return;
	message.own_ask.height = bft->height;
	message.own_ask.validator = bft->address;
	bft_send(bft, peer, &message);
}

static bool has_told(const struct bft *bft, const struct cs_address *address)
{
	for (size_t p = 0; p < BFT_PEERS_MAX; p++) {
		const struct bft_peer *peer = &bft->peers[p];
		if (peer->has_told && peer->is_validator && cs_address_eq(&peer->address, address))
			return true;
	}
	return false;
}

static int64_t told_height(const struct bft *bft, const struct cs_address *address)
{
	int64_t height = 0;
	for (size_t p = 0; p < BFT_PEERS_MAX; p++) {
		const struct bft_peer *peer = &bft->peers[p];
		if (peer->has_told && peer->is_validator && peer->told_height > height &&
		    cs_address_eq(&peer->address, address))
			height = peer->told_height;
	}
	return height;
}

/* Peers tell what they hold of their own height. Of heights that f + 1 have left nobody tells, and a
 * whole old backup that comes back may have signed there: it follows until it is where they were. */
static void raise_sign_from(struct bft *bft)
{
	const struct cmt_validator_set *set = bft_validators(bft);
	for (size_t i = 0; i < set->count; i++) {
		int64_t power = 0, height = told_height(bft, &set->list[i].address);
		for (size_t k = 0; k < set->count && height > bft->sign_from; k++) {
			if (told_height(bft, &set->list[k].address) >= height)
				power += set->list[k].power;
		}
		if (bft_is_one_third(power, set->power))
			bft->sign_from = height;
	}
}

/* At once when more than two thirds of the others' power has told. When some are away, after a
 * while: when those who told make a quorum with us, so that one of them was in every quorum that
 * a vote of ours was part of. Whoever is alone asks nobody. */
void bft_check_may_sign(struct bft *bft)
{
	const struct cmt_validator_set *set = bft_validators(bft);
	int64_t told = 0, own = 0;
	if (bft->may_sign || !bft->started || !bft_is_validator(bft))
		return;
	for (size_t i = 0; i < set->count; i++) {
		if (i == bft->own)
			own = set->list[i].power;
		else if (has_told(bft, &set->list[i].address))
			told += set->list[i].power;
	}
	bool enough = own == set->power || bft_is_two_thirds(told, set->power - own);
	if (bft->ticks >= BFT_TOLD_PATIENCE)
		enough = enough || bft_is_two_thirds(told + own, set->power);
	if (!enough)
		return;
	bft->may_sign = true;
	bft_pump_signer(bft);
}

/* Of one validator: its last vote by place, and its last precommit for a block. */
struct own_found {
	bool has_newest, has_block;
	struct cmt_vote newest, block;
};

static bool is_later(const struct cmt_vote *a, const struct cmt_vote *b)
{
	if (a->height != b->height)
		return a->height > b->height;
	return a->round != b->round ? a->round > b->round : a->type > b->type;
}

static void consider(struct own_found *found, const struct cmt_vote *vote)
{
	if (!found->has_newest || is_later(vote, &found->newest)) {
		found->has_newest = true;
		found->newest = *vote;
	}
	if (vote->type == CMT_PRECOMMIT && !cmt_block_id_is_nil(&vote->block_id) &&
	    (!found->has_block || is_later(vote, &found->block))) {
		found->has_block = true;
		found->block = *vote;
	}
}

static void find_in_rounds(struct bft *bft, struct own_found *found, const struct cs_address *who)
{
	size_t index = cmt_validator_set_find(bft_validators(bft), who);
	if (index == SIZE_MAX)
		return;
	for (uint32_t i = 0; i < bft->config.rounds_kept; i++) {
		const struct bft_round *r = &bft->rounds[i];
		if (r->used && r->prevotes.by[0][index].have)
			consider(found, &r->prevotes.by[0][index].vote);
		if (r->used && r->precommits.by[0][index].have)
			consider(found, &r->precommits.by[0][index].vote);
	}
}

static void put_own(struct bft_message *answer, const struct own_found *found)
{
	if (found->has_newest)
		answer->own_votes.votes[answer->own_votes.count++] = found->newest;
	if (found->has_block && is_later(&found->newest, &found->block))
		answer->own_votes.votes[answer->own_votes.count++] = found->block;
}

/* Who may validate there: of the height in work, and of the next one. */
static const struct cmt_validator_set *set_of(const struct bft *bft, int64_t height)
{
	if (height == bft->height)
		return bft_validators(bft);
	bool applied = bft->state.last_height == bft->height;
	return applied ? &bft->state.now.set : &bft->state.next.set;
}

/* What a validator sent itself and waits for its height is told to it too: it was not verified. */
static void consider_stashed(struct bft *bft, struct own_found *found, struct cs_bytes bytes,
			     const struct cs_address *who)
{
	struct bft_message message;
	const struct cmt_vote *vote = &message.vote;
	if (bft_message_decode(&message, bytes) != CS_OK || message.type != BFT_MESSAGE_VOTE ||
	    vote->height < bft->height || !cs_address_eq(&vote->validator, who))
		return;
	const struct cmt_validator_set *set = set_of(bft, vote->height);
	if (bft_check_vote(bft, vote, set) == CS_OK)
		consider(found, vote);
}

/* Each costs what a signature of evidence does: who fills the stash and asks again and again is left
 * without. */
static void find_in_stash(struct bft *bft, struct own_found *found, uint32_t peer)
{
	struct bft_peer *from = &bft->peers[peer];
	size_t at = bft->stash_begin;
	from->evidence_work -= from->evidence_work > 0;
	while (at < bft->stash_end && from->evidence_work > 0) {
		const uint8_t *head = bft->stash + at;
		size_t size = cs_be32(head + 4);
		at += STASH_HEAD + size;
		if (memcmp(head + 8, from->address.b, sizeof(struct cs_address)) != 0)
			continue;
		from->evidence_work--;
		consider_stashed(bft, found, cs_bytes(head + STASH_HEAD, size), &from->address);
	}
}

void bft_on_own_ask(struct bft *bft, uint32_t peer, const struct bft_message *message)
{
	struct bft_message answer = {.type = BFT_MESSAGE_OWN_VOTES};
	struct own_found found = {0};
	const struct cs_address *who = &message->own_ask.validator;
	const struct bft_peer *from = &bft->peers[peer];
	answer.own_votes.height = bft->height;
	find_in_rounds(bft, &found, who);
	if (from->is_validator && cs_address_eq(&from->address, who))
		find_in_stash(bft, &found, peer);
	put_own(&answer, &found);
	bft_send(bft, peer, &answer);
}

/* Whether votes have extensions is certain of the height in work alone. The address is the key's, or
 * cmt_vote_verify refuses it. */
static enum cs_err check_own(struct bft *bft, const struct cmt_vote *vote)
{
	if (vote->height == bft->height &&
	    vote->extension_signature.some != bft_demands_extension(bft, vote))
		return CS_ERR_INVALID;
	CS_TRY(cmt_vote_verify(vote, &bft->state.chain_id, &bft->config.key));
	size_t mark = cs_arena_mark(&bft->scratch);
	enum cs_err err = vote->extension_signature.some
				  ? cmt_extension_verify(vote, &bft->state.chain_id,
							 &bft->config.key, &bft->scratch)
				  : CS_OK;
	cs_arena_rewind(&bft->scratch, mark);
	return err;
}

/* Once for a peer and a height: the same vote may be told without end. */
static void alarm_contradiction(struct bft *bft, uint32_t peer, int64_t height)
{
	if (peer < BFT_PEERS_MAX) {
		if (height <= bft->peers[peer].alarm_height)
			return;
		bft->peers[peer].alarm_height = height;
	}
	bft_emit(bft, BFT_EFFECT_ALARM)->why =
		"a peer holds a vote of our key that its signer's memory contradicts";
}

/* RAISE, and the engine's own copy with it: the vote may be of a height that is yet to come. */
static void raise_signer(struct bft *bft, uint32_t peer, const struct cmt_vote *vote)
{
	int64_t time_ns;
	bool changed;
	if (bft_time_ns(&time_ns, vote->time) != CS_OK)
		return;
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_RAISE);
	effect->sign.step = vote->type == CMT_PREVOTE ? BFT_SIGN_PREVOTE : BFT_SIGN_PRECOMMIT;
	effect->sign.height = vote->height;
	effect->sign.round = vote->round;
	effect->sign.block_id = vote->block_id;
	effect->sign.time_ns = time_ns;
	effect->sign.has_extension = vote->extension_signature.some;
	effect->sign.extension = bft_out_copy(bft, vote->extension);
	memcpy(effect->signature, vote->signature.b, BFT_SIGNATURE_SIZE);
	memcpy(effect->extension_signature, vote->extension_signature.b, BFT_SIGNATURE_SIZE);
	if (!bft->replaying &&
	    bft_sign_state_raise(&bft->signed_last, &changed, &effect->sign, effect->signature,
				 effect->extension_signature) != CS_OK)
		alarm_contradiction(bft, peer, vote->height);
}

/* A signer whose memory is older than the log learns what the log knows. */
void bft_raise_from_log(struct bft *bft)
{
	struct bft_message own = {.type = BFT_MESSAGE_OWN_VOTES};
	struct own_found found = {0};
	if (!bft_is_validator(bft))
		return;
	find_in_rounds(bft, &found, &bft->address);
	put_own(&own, &found);
	for (size_t i = 0; i < own.own_votes.count; i++)
		raise_signer(bft, BFT_PEER_NONE, &own.own_votes.votes[i]);
}

/* A vote of ours that this node does not remember: the lock counts, and what was signed is past.
 * Each part logs what it changes: one that is told again and again must not fill the log. */
static void respect(struct bft *bft, uint32_t peer, const struct cmt_vote *vote)
{
	struct bft_round *r = bft_round_find(bft, vote->round);
	if (vote->height != bft->height || bft->step == BFT_STEP_COMMIT || !bft_is_validator(bft) ||
	    (size_t)vote->index != bft->own)
		return;
	if (r != NULL && bft_votes_find(vote->type == CMT_PREVOTE ? &r->prevotes : &r->precommits,
					bft->own, &vote->block_id) != NULL)
		return;
	if (vote->type == CMT_PRECOMMIT && !cmt_block_id_is_nil(&vote->block_id))
		bft_adopt_lock(bft, vote->round, &vote->block_id);
	bft_skip_signed(bft, vote->round,
			vote->type == CMT_PREVOTE ? BFT_SIGN_PREVOTE : BFT_SIGN_PRECOMMIT);
	bft_on_vote(bft, peer, vote);
}

void bft_on_own_votes(struct bft *bft, uint32_t peer, const struct bft_message *message)
{
	if (!bft->config.has_key)
		return;
	for (size_t i = 0; i < message->own_votes.count; i++) {
		enum cs_err err = check_own(bft, &message->own_votes.votes[i]);
		if (err != CS_OK)
			return bft_fault(bft, peer, err, true);
	}
	for (size_t i = 0; i < message->own_votes.count; i++)
		raise_signer(bft, peer, &message->own_votes.votes[i]);
	for (size_t i = message->own_votes.count; i-- > 0;)
		respect(bft, peer, &message->own_votes.votes[i]);
	if (bft->replaying)
		return;
	bft->peers[peer].has_told = true;
	bft->peers[peer].told_height = message->own_votes.height;
	raise_sign_from(bft);
	bft_check_may_sign(bft);
}

/* ---- peers ---- */

void bft_on_peer_up(struct bft *bft, const struct bft_event *event)
{
	struct bft_peer *peer = &bft->peers[event->peer];
	bft_sync_drop(&bft->sync, event->peer);
	peer->has_told = false;
	peer->is_validator = event->is_validator;
	peer->address = event->address;
	bft_send_status(bft, event->peer);
	if (!bft->may_sign)
		bft_ask_own(bft, event->peer);
}

void bft_on_peer_down(struct bft *bft, const struct bft_event *event)
{
	bft_sync_drop(&bft->sync, event->peer);
	bft_pump_sync(bft);
}

/* ---- messages that came a height too early ---- */

void bft_stash(struct bft *bft, uint32_t peer, struct cs_bytes bytes)
{
	size_t size = STASH_HEAD + bytes.n;
	struct bft_peer *from = &bft->peers[peer];
	/* No peer fills it alone. */
	if (from->stashed + size > bft->config.stash_size / 4)
		return;
	if (size > bft->config.stash_size - bft->stash_end) {
		memmove(bft->stash, bft->stash + bft->stash_begin,
			bft->stash_end - bft->stash_begin);
		bft->stash_end -= bft->stash_begin;
		bft->stash_begin = 0;
	}
	if (size > bft->config.stash_size - bft->stash_end)
		return;
	uint8_t *p = bft->stash + bft->stash_end;
	cs_put_be32(p, peer);
	cs_put_be32(p + 4, (uint32_t)bytes.n);
	memcpy(p + 8, from->address.b, sizeof(struct cs_address));
	memcpy(p + STASH_HEAD, bytes.p, bytes.n);
	bft->stash_end += size;
	from->stashed += size;
}

void bft_unstash(struct bft *bft)
{
	if (bft->stash_end == bft->stash_begin)
		return;
	const uint8_t *p = bft->stash + bft->stash_begin;
	struct bft_event event = {.type = BFT_EVENT_MESSAGE, .now_ns = bft->now_ns};
	event.peer = cs_be32(p);
	event.bytes = cs_bytes(p + STASH_HEAD, cs_be32(p + 4));
	bft->stash_begin += STASH_HEAD + event.bytes.n;
	bft->peers[event.peer].stashed -= STASH_HEAD + event.bytes.n;
	/* Its bytes stay where they are: the stash only moves when something is put into it, and
	 * what is handled now is of this height or dropped. */
	bft_handle(bft, &event);
	if (bft->stash_end > bft->stash_begin)
		(void)bft_emit(bft, BFT_EFFECT_CONTINUE);
}

/* ---- blocks for others and from others ---- */

void bft_on_block_request(struct bft *bft, uint32_t peer, int64_t height)
{
	struct bft_message answer = {.type = BFT_MESSAGE_BLOCK_ANSWER};
	if (height <= bft->state.last_height) {
		struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_LOAD);
		effect->height = height;
		effect->peer = peer;
		return;
	}
	answer.block_answer.height = height;
	bft_send(bft, peer, &answer);
}

void bft_on_block_loaded(struct bft *bft, const struct bft_event *event)
{
	if (event->peer == BFT_PEER_NONE) {
		/* Ours, of a start: the store was one block ahead of the state. */
		if (!event->accepted || event->height != bft->height || bft->is_decided)
			return;
		bft->decided_stored = true;
		if (bft_take_block(bft, event->bytes, event->commit) != CS_OK)
			bft_halt(bft, "the stored block is not what the chain decided");
		return;
	}
	struct bft_message answer = {.type = BFT_MESSAGE_BLOCK_ANSWER};
	answer.block_answer.height = event->height;
	if (event->accepted) {
		answer.block_answer.block = event->bytes;
		answer.block_answer.commit = event->commit;
	}
	bft_send(bft, event->peer, &answer);
}

/* No honest engine sends a block that its commit does not prove. */
static void take(struct bft *bft, uint32_t peer, struct cs_bytes block, struct cs_bytes commit)
{
	enum cs_err err = bft_take_block(bft, block, commit);
	if (err == CS_OK)
		return;
	bft_fault(bft, peer, err, true);
	bft_sync_drop(&bft->sync, peer);
}

void bft_on_block_answer(struct bft *bft, uint32_t peer, const struct bft_message *message)
{
	int64_t height = message->block_answer.height;
	struct cs_bytes block = message->block_answer.block, commit = message->block_answer.commit;
	/* Unasked, or once more, is no fault: it does nothing. */
	if (!bft_sync_answered(&bft->sync, peer, height, block.n + commit.n))
		return;
	if (block.n == 0)
		bft_sync_lacks(&bft->sync, peer);
	else if (height > bft->height)
		bft_sync_hold(&bft->sync, peer, height, block, commit);
	else if (height == bft->height && bft->step != BFT_STEP_COMMIT)
		take(bft, peer, block, commit);
	bft_pump_sync(bft);
}

void bft_take_held(struct bft *bft)
{
	struct cs_bytes block, commit;
	uint32_t peer;
	if (!bft->started || bft->step == BFT_STEP_COMMIT ||
	    !bft_sync_find(&bft->sync, &peer, &block, &commit, bft->height))
		return;
	take(bft, peer, block, commit);
	bft_pump_sync(bft);
}

/* While a block is executed those above it are on their way. */
void bft_pump_sync(struct bft *bft)
{
	struct bft_message message = {.type = BFT_MESSAGE_BLOCK_REQUEST};
	int64_t from = bft->step == BFT_STEP_COMMIT ? bft->height + 1 : bft->height;
	uint32_t peer;
	if (!bft->started || bft->halted)
		return;
	bft_sync_pass(&bft->sync, from);
	while (bft_sync_ask(&bft->sync, &peer, &message.block_request, from))
		bft_send(bft, peer, &message);
}
