#include "relay_state/bft/engine.h"

#include <string.h>

/* ---- votes of others, and our own when they come back ---- */

enum cs_err bft_check_vote(struct bft *bft, const struct cmt_vote *vote,
			   const struct cmt_validator_set *set)
{
	if ((size_t)vote->index >= set->count ||
	    !cs_address_eq(&vote->validator, &set->list[vote->index].address))
		return CS_ERR_FOREIGN_SEAL;
	const struct cs_ed25519_key *key = &set->list[vote->index].key;
	bool demanded = bft_demands_extension(bft, vote);
	if (vote->extension_signature.some != demanded)
		return CS_ERR_INVALID;
	CS_TRY(cmt_vote_verify(vote, &bft->state.chain_id, key));
	if (!demanded)
		return CS_OK;
	size_t mark = cs_arena_mark(&bft->scratch);
	enum cs_err err = cmt_extension_verify(vote, &bft->state.chain_id, key, &bft->scratch);
	cs_arena_rewind(&bft->scratch, mark);
	return err;
}

static bool must_ask_application(const struct bft *bft, const struct cmt_vote *vote)
{
	return vote->extension_signature.some && (size_t)vote->index != bft->own;
}

void bft_ask_verify_extension(struct bft *bft, const struct cmt_vote *vote)
{
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_VERIFY_EXTENSION);
	effect->height = vote->height;
	effect->round = vote->round;
	effect->hash = vote->block_id.hash.hash;
	effect->index = (uint32_t)vote->index;
	effect->address = vote->validator;
	effect->bytes = vote->extension;
}

/* Precommits that come after the decision still go into the next block's commit. Those with
 * extensions would need the application's word first and are left out. */
static void add_late(struct bft *bft, uint32_t peer, const struct cmt_vote *vote,
		     struct bft_votes *votes, const struct cmt_validator_set *set)
{
	const struct cmt_vote *other;
	if (vote->type != CMT_PRECOMMIT || vote->round != votes->round ||
	    (size_t)vote->index >= set->count || vote->extension_signature.some ||
	    bft_votes_find(votes, (size_t)vote->index, &vote->block_id) != NULL)
		return;
	enum cs_err err = bft_check_vote(bft, vote, set);
	if (err != CS_OK) {
		bft_fault(bft, peer, err, true);
		return;
	}
	enum bft_votes_added added = bft_votes_add(votes, set, vote, true, &other);
	if (added != BFT_VOTES_CONFLICT && added != BFT_VOTES_CONFLICT_FULL)
		return;
	(void)bft_evidence_conflict(&bft->evidence, other, vote);
	/* Its height may be behind the one whose decision makes evidence of conflicts. */
	if (vote->height == bft->state.last_height)
		bft_ripen(bft);
	if (vote->height < bft->height)
		bft_tell_evidence(bft);
}

static void note_conflict(struct bft *bft, const struct cmt_vote *vote,
			  const struct cmt_vote *other)
{
	if ((size_t)vote->index == bft->own)
		bft_emit(bft, BFT_EFFECT_ALARM)->why =
			"our key has signed two votes: it runs elsewhere, or an old copy did";
	else
		(void)bft_evidence_conflict(&bft->evidence, other, vote);
}

/* A vote that changes nothing is neither verified nor logged: whoever signs without end would fill
 * the log of a height that does not end. Of rounds further up than are kept one of each validator
 * is enough until we come near it (line 55 takes the lowest of f + 1). */
static bool changes_nothing(const struct bft *bft, const struct bft_round *round,
			    const struct bft_votes *votes, const struct cmt_vote *vote)
{
	int32_t seen = bft->round_seen[vote->index];
	if (votes == NULL)
		return vote->round <= seen || seen > bft->round + BFT_ROUNDS_AHEAD;
	if (vote->extension_signature.some && (round->refused >> vote->index & 1) != 0)
		return true;
	return bft_votes_find(votes, (size_t)vote->index, &vote->block_id) != NULL ||
	       !bft_votes_has_room(votes, &bft->state.now.set, vote);
}

static void add_vote(struct bft *bft, uint32_t peer, const struct cmt_vote *vote)
{
	const struct cmt_validator_set *set = &bft->state.now.set;
	const struct cmt_vote *other = NULL;
	struct bft_round *r = NULL;
	bool near = vote->round <= bft->round + BFT_ROUNDS_AHEAD;
	if ((size_t)vote->index >= set->count)
		return bft_fault(bft, peer, CS_ERR_FOREIGN_SEAL, true);
	if (near)
		r = bft_round_open(bft, vote->round);
	struct bft_votes *votes = r == NULL                   ? NULL
				  : vote->type == CMT_PREVOTE ? &r->prevotes
							      : &r->precommits;
	if (changes_nothing(bft, r, votes, vote))
		return;
	/* Our own signer's is not verified: it has left already. */
	enum cs_err err = peer == BFT_PEER_NONE ? CS_OK : bft_check_vote(bft, vote, set);
	if (err != CS_OK)
		return bft_fault(bft, peer, err, true);
	bft_log(bft);
	if (vote->round > bft->round_seen[vote->index])
		bft->round_seen[vote->index] = vote->round;
	if (votes != NULL) {
		bool ask = must_ask_application(bft, vote);
		enum bft_votes_added added = bft_votes_add(votes, set, vote, !ask, &other);
		if (added == BFT_VOTES_CONFLICT || added == BFT_VOTES_CONFLICT_FULL)
			note_conflict(bft, vote, other);
		/* The kept copy: effects outlive the event. */
		if (ask && added != BFT_VOTES_CONFLICT_FULL)
			bft_ask_verify_extension(
				bft,
				&bft_votes_find(votes, (size_t)vote->index, &vote->block_id)->vote);
	}
	bft_settle(bft);
}

void bft_on_vote(struct bft *bft, uint32_t peer, const struct cmt_vote *vote)
{
	if (vote->height == bft->height && bft->step == BFT_STEP_COMMIT)
		add_late(bft, peer, vote, bft->decided, bft_validators(bft));
	else if (vote->height == bft->height)
		add_vote(bft, peer, vote);
	else if (vote->height == bft->state.last_height && bft->last_commit->round >= 0)
		add_late(bft, peer, vote, bft->last_commit, &bft->state.last.set);
}

void bft_on_extension_verified(struct bft *bft, const struct bft_event *event)
{
	struct bft_round *r = bft_round_find(bft, event->round);
	if (event->height != bft->height || r == NULL || bft->step == BFT_STEP_COMMIT ||
	    event->index >= bft->state.now.set.count)
		return;
	for (size_t k = 0; k < 2; k++) {
		const struct bft_vote *slot = &r->precommits.by[k][event->index];
		if (!slot->have || slot->counts || !slot->vote.block_id.hash.some ||
		    !cs_hash_eq(&slot->vote.block_id.hash.hash, &event->hash))
			continue;
		struct cmt_block_id id = slot->vote.block_id;
		bft_log(bft);
		if (!event->accepted)
			r->refused |= 1u << event->index;
		(void)bft_votes_judge(&r->precommits, event->index, &id, event->accepted);
		bft_settle(bft);
		return;
	}
}

/* ---- what we sign ---- */

/* A vote's time lies behind its block's and behind the last block's, whatever our clock says, so
 * that the median of honest votes always moves on (state/consensus voteTime). */
static int64_t vote_time(struct bft *bft, enum bft_sign_step step, const struct cmt_block_id *id)
{
	int64_t time = bft->now_ns, block_time;
	if (step == BFT_SIGN_PROPOSAL)
		return time;
	if (bft_time_ns(&block_time, bft->state.last_time) == CS_OK &&
	    time < block_time + BFT_TIME_IOTA_NS)
		time = block_time + BFT_TIME_IOTA_NS;
	const struct bft_slot *slot = bft_slot_find(bft, id);
	if (slot != NULL && slot->complete && bft_time_ns(&block_time, slot->time) == CS_OK &&
	    time < block_time + BFT_TIME_IOTA_NS)
		time = block_time + BFT_TIME_IOTA_NS;
	return time;
}

void bft_want(struct bft *bft, enum bft_sign_step step, const struct cmt_block_id *id,
	      int32_t pol_round)
{
	if (!bft_is_validator(bft))
		return;
	if (bft->queue_count == BFT_SIGN_QUEUE) {
		/* The oldest was never signed: as if the message had been lost. */
		memmove(&bft->queue[0], &bft->queue[1],
			(BFT_SIGN_QUEUE - 1) * sizeof bft->queue[0]);
		bft->queue_count--;
	}
	struct bft_to_sign *entry = &bft->queue[bft->queue_count++];
	memset(&entry->request, 0, sizeof entry->request);
	entry->request.step = step;
	entry->request.height = bft->height;
	entry->request.round = bft->round;
	entry->request.pol_round = pol_round;
	entry->request.block_id = *id;
	entry->request.time_ns = vote_time(bft, step, id);
	entry->request.has_extension = step == BFT_SIGN_PRECOMMIT && !cmt_block_id_is_nil(id) &&
				       bft_has_extensions(bft, bft->height);
	entry->needs_extension = entry->request.has_extension;
	entry->asked = false;
	if (entry->needs_extension)
		bft_ask_extension(bft, entry);
	bft_pump_signer(bft);
}

void bft_ask_extension(struct bft *bft, const struct bft_to_sign *entry)
{
	const struct bft_slot *slot = bft_slot_find(bft, &entry->request.block_id);
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_EXTEND);
	effect->height = entry->request.height;
	effect->round = entry->request.round;
	effect->hash = entry->request.block_id.hash.hash;
	if (slot != NULL && slot->complete)
		effect->bytes = cs_bytes(slot->bytes, slot->size);
}

void bft_on_extended(struct bft *bft, const struct bft_event *event)
{
	for (size_t i = 0; i < bft->queue_count; i++) {
		struct bft_to_sign *entry = &bft->queue[i];
		if (!entry->needs_extension || event->height != entry->request.height ||
		    event->round != entry->request.round)
			continue;
		if (event->bytes.n > BFT_EXTENSION_SIZE_MAX) {
			bft_emit(bft, BFT_EFFECT_ALARM)->why =
				"the application's vote extension is too large";
			return;
		}
		bft_log(bft);
		if (event->bytes.n > 0)
			memcpy(entry->extension, event->bytes.p, event->bytes.n);
		entry->request.extension = cs_bytes(entry->extension, event->bytes.n);
		entry->needs_extension = false;
		bft_pump_signer(bft);
		return;
	}
}

static struct cmt_vote vote_of(const struct bft *bft, const struct bft_sign_request *request)
{
	struct cmt_vote vote;
	memset(&vote, 0, sizeof vote);
	vote.type = request->step == BFT_SIGN_PREVOTE ? CMT_PREVOTE : CMT_PRECOMMIT;
	vote.height = request->height;
	vote.round = request->round;
	vote.block_id = request->block_id;
	vote.time = bft_time_pb(request->time_ns);
	vote.validator = bft->address;
	vote.index = (int32_t)bft->own;
	if (request->has_extension)
		vote.extension = request->extension;
	return vote;
}

static struct cmt_proposal proposal_of(const struct bft_sign_request *request)
{
	struct cmt_proposal proposal;
	memset(&proposal, 0, sizeof proposal);
	proposal.height = request->height;
	proposal.round = request->round;
	proposal.pol_round = request->pol_round;
	proposal.block_id = request->block_id;
	proposal.time = bft_time_pb(request->time_ns);
	return proposal;
}

static void ask_signer(struct bft *bft, struct bft_to_sign *entry)
{
	struct cs_buf buf;
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_SIGN);
	/* A moved queue entry carries a view of where it was. */
	entry->request.extension = cs_bytes(entry->extension, entry->request.extension.n);
	effect->sign = entry->request;
	effect->height = entry->request.height;
	effect->round = entry->request.round;
	if (!bft_out_begin(bft, &buf, CMT_SIGN_BYTES_MAX))
		return;
	if (entry->request.step == BFT_SIGN_PROPOSAL) {
		struct cmt_proposal proposal = proposal_of(&entry->request);
		cmt_proposal_sign_bytes(&buf, &proposal, &bft->state.chain_id);
	} else {
		struct cmt_vote vote = vote_of(bft, &entry->request);
		cmt_vote_sign_bytes(&buf, &vote, &bft->state.chain_id);
	}
	effect->sign_bytes = bft_out_end(bft, &buf);
	if (entry->request.has_extension &&
	    bft_out_begin(bft, &buf, CMT_EXTENSION_SIGN_BYTES_MAX(BFT_EXTENSION_SIZE_MAX))) {
		struct cmt_vote vote = vote_of(bft, &entry->request);
		cmt_extension_sign_bytes(&buf, &vote, &bft->state.chain_id);
		effect->extension_sign_bytes = bft_out_end(bft, &buf);
	}
}

/* In order, one at a time: the signer refuses what comes before what it has signed. */
void bft_pump_signer(struct bft *bft)
{
	if (!bft->may_sign || bft->height < bft->sign_from || !bft->started ||
	    bft->queue_count == 0)
		return;
	struct bft_to_sign *head = &bft->queue[0];
	if (head->asked || head->needs_extension)
		return;
	head->asked = true;
	ask_signer(bft, head);
}

static bool take_entry(struct bft *bft, struct bft_to_sign *out, const struct bft_event *event)
{
	for (size_t i = 0; i < bft->queue_count; i++) {
		if (bft->queue[i].request.height != event->height ||
		    bft->queue[i].request.round != event->round ||
		    bft->queue[i].request.step != event->step || bft->queue[i].needs_extension)
			continue;
		*out = bft->queue[i];
		bft->queue_count -= i + 1;
		memmove(&bft->queue[0], &bft->queue[i + 1],
			bft->queue_count * sizeof bft->queue[0]);
		return true;
	}
	return false;
}

static void signed_proposal(struct bft *bft, const struct bft_sign_request *request,
			    const struct bft_event *event)
{
	struct bft_round *r = bft_round_open(bft, request->round);
	const struct bft_slot *slot = bft_slot_find(bft, &request->block_id);
	if (r == NULL || r->has_proposal || request->round < bft->round)
		return;
	r->has_proposal = true;
	r->proposal = proposal_of(request);
	r->proposal.time = bft_time_pb(event->time_ns);
	r->proposal.signature.some = true;
	memcpy(r->proposal.signature.b, event->signature, BFT_SIGNATURE_SIZE);
	bft_send_proposal(bft, BFT_PEER_ALL, r);
	if (slot != NULL)
		bft_send_parts(bft, BFT_PEER_ALL, slot, 0, request->round);
}

static void signed_vote(struct bft *bft, const struct bft_sign_request *request,
			const struct bft_event *event)
{
	struct bft_message message = {.type = BFT_MESSAGE_VOTE};
	struct cmt_vote *vote = &message.vote;
	*vote = vote_of(bft, request);
	vote->time = bft_time_pb(event->time_ns);
	vote->signature.some = true;
	memcpy(vote->signature.b, event->signature, BFT_SIGNATURE_SIZE);
	if (request->has_extension) {
		vote->extension = event->extension;
		vote->extension_signature.some = true;
		memcpy(vote->extension_signature.b, event->extension_signature, BFT_SIGNATURE_SIZE);
	}
	bft_send(bft, BFT_PEER_ALL, &message);
	bft_on_vote(bft, BFT_PEER_NONE, vote);
}

void bft_on_signed(struct bft *bft, const struct bft_event *event)
{
	struct bft_to_sign entry;
	if (event->height != bft->height || event->extension.n > BFT_EXTENSION_SIZE_MAX ||
	    !take_entry(bft, &entry, event))
		return;
	bft_log(bft);
	(void)bft_emit(bft, BFT_EFFECT_SYNC);
	if (entry.request.step == BFT_SIGN_PROPOSAL)
		signed_proposal(bft, &entry.request, event);
	else
		signed_vote(bft, &entry.request, event);
	bft_settle(bft);
	bft_pump_signer(bft);
}

/* The signer remembers something else, or something later: this message is never sent. */
void bft_on_sign_refused(struct bft *bft, const struct bft_event *event)
{
	struct bft_to_sign entry;
	if (event->height != bft->height || !take_entry(bft, &entry, event))
		return;
	bft_log(bft);
	bft_settle(bft);
	bft_pump_signer(bft);
}
