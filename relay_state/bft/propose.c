#include "relay_state/bft/engine.h"

#include <string.h>

/* ---- own blocks ---- */

/* What of a block is left to evidence: a quarter, so that misbehaviour does not stop
 * transactions. */
static size_t evidence_room(const struct bft *bft)
{
	int64_t quarter = (int64_t)(bft_block_size_max(bft) / 4);
	int64_t params = bft->state.params.evidence_size_max;
	return (size_t)(params < quarter ? params : quarter);
}

static struct cs_bytes evidence_list(struct bft *bft, size_t *size)
{
	struct cs_buf buf;
	bft->prepare_evidence = bft_evidence_fit(size, &bft->evidence, evidence_room(bft));
	bool room = bft_out_begin(bft, &buf, *size);
	cs_assert(room);
	bft_evidence_encode_list(&buf, &bft->evidence, bft->prepare_evidence);
	return bft_out_end(bft, &buf);
}

static struct cs_bytes last_extended_commit(struct bft *bft)
{
	struct cmt_commit commit;
	struct cmt_commit_sig sigs[BFT_VALIDATORS_MAX];
	struct cs_buf buf;
	if (bft->last_commit->round < 0)
		return CS_BYTES_NONE;
	bool room = bft_out_begin(bft, &buf, BFT_COMMIT_SIZE_MAX);
	cs_assert(room);
	bft_commit_of(&commit, sigs, bft->last_commit, &bft->state.last.set, bft->state.last_height,
		      &bft->state.last_block_id);
	cmt_extended_commit_encode(&buf, &commit);
	return bft_out_end(bft, &buf);
}

static size_t data_room(const struct bft *bft, size_t evidence_size)
{
	size_t around = bft_block_size_min(bft->state.last.set.count) + evidence_size;
	size_t room = bft_block_size_max(bft);
	return room > around ? room - around : 0;
}

size_t bft_look_data_room(const struct bft *bft)
{
	return data_room(bft, 0);
}

void bft_ask_prepare(struct bft *bft)
{
	size_t evidence_size;
	struct cs_bytes evidence = evidence_list(bft, &evidence_size);
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_PREPARE);
	effect->evidence = evidence;
	effect->height = bft->height;
	effect->round = bft->round;
	effect->size_max = data_room(bft, evidence_size);
	effect->bytes = last_extended_commit(bft);
}

void bft_ask_process(struct bft *bft, struct bft_slot *slot)
{
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_PROCESS);
	effect->height = bft->height;
	effect->round = bft->round;
	effect->bytes = cs_bytes(slot->bytes, slot->size);
	effect->hash = slot->id.hash.hash;
	effect->block_id = slot->id;
}

static enum cs_err build_block(struct bft *bft, struct cs_buf *buf, const struct bft_event *event)
{
	struct cmt_block block;
	struct cmt_commit_sig sigs[BFT_VALIDATORS_MAX];
	memset(&block, 0, sizeof block);
	if (bft->last_commit->round >= 0)
		bft_commit_of(&block.last_commit, sigs, bft->last_commit, &bft->state.last.set,
			      bft->state.last_height, &bft->state.last_block_id);
	CS_TRY(bft_state_header(&block.header, &bft->state, &block.last_commit, &bft->address));
	/* What the application was told, and the room that it was given, go by the question: evidence
	 * that came since stands behind. */
	block.evidence_count = bft->prepare_evidence;
	CS_TRY(bft_evidence_pick(&block.evidence, &bft->evidence, block.evidence_count,
				 &bft->scratch));
	block.tx_count = event->tx_count;
	block.txs = cs_arena_calloc(&bft->scratch, event->tx_count, sizeof *block.txs);
	if (block.txs == NULL)
		return CS_ERR_NO_MEMORY;
	if (event->tx_count > 0)
		memcpy(block.txs, event->txs, event->tx_count * sizeof *block.txs);
	CS_TRY(cmt_block_fill_hashes(&block, &bft->scratch));
	cmt_block_encode(buf, &block);
	return cs_buf_end(buf);
}

/* The block is complete here before anybody else has heard of it. */
static struct bft_slot *install_block(struct bft *bft, struct cs_bytes bytes)
{
	struct cmt_block block;
	struct cmt_part_set parts;
	struct cmt_block_id id;
	size_t mark = cs_arena_mark(&bft->scratch);
	bool good = cmt_block_decode(&block, bytes, &bft->scratch, NULL) == CS_OK &&
		    cmt_part_set_make(&parts, bytes, &bft->scratch) == CS_OK;
	struct cs_hash hash = good ? cmt_header_hash(&block.header) : (struct cs_hash){{0}};
	cs_arena_rewind(&bft->scratch, mark);
	if (!good)
		return NULL;
	id = (struct cmt_block_id){cmt_hash_of(&hash), parts.header};
	struct bft_slot *slot = bft_slot_open(bft, &id);
	if (slot == NULL)
		return NULL;
	if (!slot->complete) {
		memcpy(slot->bytes, bytes.p, bytes.n);
		slot->size = bytes.n;
		slot->have = UINT64_MAX;
		bft_slot_complete(bft, slot);
	}
	return slot;
}

void bft_on_prepared(struct bft *bft, const struct bft_event *event)
{
	struct cs_buf buf;
	struct cs_bytes bytes = event->bytes;
	if (event->height != bft->height || event->round != bft->round ||
	    bft->step != BFT_STEP_PROPOSE || !bft->prepare_asked)
		return;
	bft->prepare_asked = false;
	if (!bft->replaying) {
		if (!bft_out_begin(bft, &buf, bft_block_size_max(bft)))
			return;
		size_t mark = cs_arena_mark(&bft->scratch);
		enum cs_err err = build_block(bft, &buf, event);
		cs_arena_rewind(&bft->scratch, mark);
		if (err != CS_OK) {
			bft_emit(bft, BFT_EFFECT_ALARM)->why =
				"the application's transactions make no block";
			return;
		}
		bytes = bft_out_end(bft, &buf);
		struct bft_event logged = *event;
		logged.bytes = bytes;
		bft_log_as(bft, &logged);
	}
	const struct bft_slot *slot = install_block(bft, bytes);
	if (slot != NULL && slot->validity == BFT_VALID)
		bft_want(bft, BFT_SIGN_PROPOSAL, &slot->id, -1);
	else
		bft_emit(bft, BFT_EFFECT_ALARM)->why = "a block of our own is not valid";
}

void bft_on_processed(struct bft *bft, const struct bft_event *event)
{
	for (size_t i = 0; i < BFT_SLOTS; i++) {
		struct bft_slot *slot = &bft->slots[i];
		if (!slot->used || !slot->complete || slot->verdict != BFT_ASKED ||
		    event->height != bft->height || !cs_hash_eq(&slot->id.hash.hash, &event->hash))
			continue;
		bft_log(bft);
		slot->verdict = event->accepted ? BFT_ACCEPTED : BFT_REJECTED;
		bft_settle(bft);
		return;
	}
}

/* ---- proposals and parts of others ---- */

static enum cs_err check_proposal(struct bft *bft, const struct cmt_proposal *p)
{
	size_t proposer = bft_proposer(bft, p->round);
	size_t parts_max = (bft_block_size_max(bft) + CMT_PART_SIZE - 1) / CMT_PART_SIZE;
	if (p->block_id.parts.total > parts_max)
		return CS_ERR_TOO_LARGE;
	return cmt_proposal_verify(p, &bft->state.chain_id, &bft->state.now.set.list[proposer].key);
}

void bft_on_proposal(struct bft *bft, uint32_t peer, const struct cmt_proposal *p)
{
	if (p->height != bft->height || p->round < bft->round ||
	    p->round > bft->round + BFT_ROUNDS_AHEAD || bft->step == BFT_STEP_COMMIT)
		return;
	struct bft_round *r = bft_round_open(bft, p->round);
	/* A second one of the same round is the proposer's lie; the first stays, and a quorum for
	 * the other brings its block by the votes. */
	if (r == NULL || r->has_proposal)
		return;
	enum cs_err err = check_proposal(bft, p);
	if (err != CS_OK) {
		bft_fault(bft, peer, err, true);
		return;
	}
	bft_log(bft);
	r->has_proposal = true;
	r->proposal = *p;
	if (bft_slot_open(bft, &p->block_id) == NULL)
		r->has_proposal = false;
	else if (p->pol_round >= 0)
		(void)bft_round_open(bft, p->pol_round);
	bft_settle(bft);
}

void bft_on_part(struct bft *bft, uint32_t peer, const struct bft_message *message)
{
	const struct cmt_part *part = &message->part.part;
	bool fits = false;
	if (message->part.height != bft->height || bft->step == BFT_STEP_COMMIT)
		return;
	for (size_t i = 0; i < BFT_SLOTS; i++) {
		struct bft_slot *slot = &bft->slots[i];
		if (!slot->used || part->index >= slot->id.parts.total)
			continue;
		bool have = slot->complete || (slot->have >> part->index & 1) != 0;
		if (cmt_part_check(part, &slot->id.parts) != CS_OK)
			continue;
		fits = true;
		size_t begin = (size_t)part->index * CMT_PART_SIZE;
		if (have || part->bytes.n > bft->config.block_size_max - begin)
			continue;
		bft_log(bft);
		memcpy(slot->bytes + begin, part->bytes.p, part->bytes.n);
		slot->have |= 1ull << part->index;
		slot->size += part->bytes.n;
		if ((uint32_t)__builtin_popcountll(slot->have) == slot->id.parts.total)
			bft_slot_complete(bft, slot);
	}
	/* One that fits nothing may be of a proposal that did not come yet: no fault. */
	(void)peer;
	if (fits)
		bft_settle(bft);
}

void bft_send_proposal(struct bft *bft, uint32_t peer, const struct bft_round *round)
{
	struct bft_message message = {.type = BFT_MESSAGE_PROPOSAL};
	message.proposal = round->proposal;
	bft_send(bft, peer, &message);
}

void bft_send_parts(struct bft *bft, uint32_t peer, const struct bft_slot *slot, uint64_t have,
		    int32_t round)
{
	struct bft_message message = {.type = BFT_MESSAGE_PART};
	if (!slot->complete)
		return;
	for (uint32_t i = 0; i < slot->id.parts.total; i++) {
		if ((have >> i & 1) != 0)
			continue;
		message.part.height = bft->height;
		message.part.round = round;
		cmt_part_get(&message.part.part, &slot->parts, i);
		bft_send(bft, peer, &message);
	}
}
