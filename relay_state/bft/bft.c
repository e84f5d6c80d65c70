#include "relay_state/bft/engine.h"
#include "relay_state/bft/record.h"

#include <stdlib.h>
#include <string.h>

/*~ One step: the event is looked at by its handler; what will change the state goes into the log
 * first (bft_log), then acts, then the rules are asked until none fires (bft_settle). Effects are
 * collected in the order in which the shell must execute them. */

/* ---- effects ---- */

struct bft_effect *bft_emit(struct bft *bft, enum bft_effect_type type)
{
	struct bft_effect *effect = &bft->trash;
	if (!bft->replaying) {
		cs_assert(bft->effects.count < BFT_EFFECTS_MAX);
		effect = &bft->effects.items[bft->effects.count++];
	}
	memset(effect, 0, sizeof *effect);
	effect->type = type;
	effect->peer = BFT_PEER_NONE;
	return effect;
}

void bft_emit_timer(struct bft *bft, enum bft_timer timer, int64_t delay_ns)
{
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_TIMER);
	effect->timer = timer;
	effect->delay_ns = delay_ns;
	effect->height = bft->height;
	effect->round = bft->round;
}

bool bft_out_begin(struct bft *bft, struct cs_buf *buf, size_t size_max)
{
	size_t left = bft->out.size_max - bft->out.n;
	if (size_max > left)
		return false;
	cs_buf_init(buf, bft->out.p + bft->out.n, size_max);
	return true;
}

struct cs_bytes bft_out_end(struct bft *bft, const struct cs_buf *buf)
{
	cs_assert(cs_buf_end(buf) == CS_OK);
	bft->out.n += buf->n;
	return cs_buf_view(buf);
}

struct cs_bytes bft_out_copy(struct bft *bft, struct cs_bytes bytes)
{
	struct cs_buf buf;
	bool room = bft_out_begin(bft, &buf, bytes.n);
	cs_assert(room);
	cs_put(&buf, bytes);
	return bft_out_end(bft, &buf);
}

static size_t message_size_max(const struct bft_message *message)
{
	if (message->type == BFT_MESSAGE_BLOCK_ANSWER)
		return message->block_answer.block.n + message->block_answer.commit.n + 256;
	if (message->type == BFT_MESSAGE_EVIDENCE)
		return message->evidence.n + 16;
	if (message->type == BFT_MESSAGE_BLOCK_REQUEST)
		return 16;
	if (message->type == BFT_MESSAGE_PART)
		return message->part.part.bytes.n + CMT_PROOF_SIZE_MAX + 256;
	return 2 * (CMT_VOTE_SIZE_MAX(BFT_EXTENSION_SIZE_MAX)) + 512;
}

void bft_send(struct bft *bft, uint32_t peer, const struct bft_message *message)
{
	struct cs_buf buf;
	if (bft->replaying || peer == BFT_PEER_NONE ||
	    bft->effects.count + BFT_EFFECTS_RESERVE > BFT_EFFECTS_MAX)
		return;
	if (!bft_out_begin(bft, &buf, message_size_max(message)))
		return;
	bft_message_encode(&buf, message);
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_SEND);
	effect->peer = peer;
	effect->bytes = bft_out_end(bft, &buf);
}

void bft_fault(struct bft *bft, uint32_t peer, enum cs_err err, bool provable)
{
	/* Memory that we lack and a library that fails are nobody's fault but ours. */
	if (peer >= BFT_PEERS_MAX || err == CS_ERR_CRYPTO || err == CS_ERR_NO_MEMORY)
		return;
	struct bft_effect *effect = bft_emit(bft, BFT_EFFECT_PEER_FAULT);
	effect->peer = peer;
	effect->err = err;
	effect->provable = provable;
}

void bft_halt(struct bft *bft, const char *why)
{
	bft->halted = true;
	bft_emit(bft, BFT_EFFECT_HALT)->why = why;
}

void bft_log_as(struct bft *bft, const struct bft_event *event)
{
	struct cs_buf buf;
	if (bft->replaying || bft->is_logged)
		return;
	bft->is_logged = true;
	size_t size = BFT_RECORD_OVERHEAD + event->bytes.n + event->extension.n;
	bool room = bft_out_begin(bft, &buf, size);
	cs_assert(room);
	bft_record_encode(&buf, event, bft->height);
	bft_emit(bft, BFT_EFFECT_LOG)->bytes = bft_out_end(bft, &buf);
}

void bft_log(struct bft *bft)
{
	bft_log_as(bft, &bft->logged);
}

bool bft_is_validator(const struct bft *bft)
{
	return bft->own != SIZE_MAX;
}

const struct cmt_validator_set *bft_validators(const struct bft *bft)
{
	bool applied = bft->state.last_height == bft->height;
	return applied ? &bft->state.last.set : &bft->state.now.set;
}

bool bft_has_extensions(const struct bft *bft, int64_t height)
{
	return cmt_params_extensions_at(&bft->state.params, height);
}

bool bft_demands_extension(const struct bft *bft, const struct cmt_vote *vote)
{
	return vote->type == CMT_PRECOMMIT && !cmt_block_id_is_nil(&vote->block_id) &&
	       bft_has_extensions(bft, vote->height);
}

/* ---- a new engine ---- */

static bool config_fits(const struct bft_config *c)
{
	const struct bft_history *h = &c->history;
	return c->block_size_max <= BFT_BLOCK_SIZE_MAX && c->rounds_kept <= BFT_ROUNDS_KEPT_MAX &&
	       c->rounds_kept >= BFT_ROUNDS_KEPT_MIN && c->propose_ns > 0 && c->prevote_ns > 0 &&
	       c->precommit_ns > 0 && c->propose_delta_ns >= 0 && c->prevote_delta_ns >= 0 &&
	       c->precommit_delta_ns >= 0 && c->commit_ns >= 0 && c->status_ns > 0 &&
	       h->validators_at != NULL && h->time_at != NULL && h->is_committed != NULL &&
	       h->signed_header_at != NULL;
}

/* A node that refused what the others may decide would halt in the middle of the chain. */
static bool takes_blocks_of(const struct bft_config *c, const struct cmt_params *params)
{
	int64_t demanded = params->block_size_max;
	if (demanded < 0 || demanded > (int64_t)BFT_BLOCK_SIZE_MAX)
		demanded = BFT_BLOCK_SIZE_MAX;
	return (int64_t)c->block_size_max >= demanded;
}

/* Takes pieces off one block of memory, or only counts them where there is none yet. */
struct carving {
	uint8_t *base;
	size_t used;
};

static void *carve(struct carving *c, size_t size)
{
	void *at = c->base != NULL ? c->base + c->used : NULL;
	c->used += (size + 63) / 64 * 64;
	return at;
}

static void give_extensions(struct bft *bft, const struct bft_config *c, uint8_t *extensions)
{
	for (uint32_t i = 0; i < c->rounds_kept; i++)
		bft->rounds[i].precommits.extensions = extensions + i * BFT_VOTES_EXTENSIONS_SIZE;
	for (uint32_t i = 0; i < 2; i++)
		bft->commits[i].extensions =
			extensions + (c->rounds_kept + i) * BFT_VOTES_EXTENSIONS_SIZE;
}

/* Walked twice: bft NULL for the size, then for the pointers. */
static size_t lay_out(struct bft *bft, const struct bft_config *c)
{
	struct carving carving = {(uint8_t *)bft, 0};
	size_t out_size = 2 * c->block_size_max + BFT_OUT_SIZE;
	size_t scratch_size = BFT_SCRATCH_SIZE(c->block_size_max);
	size_t held_size = BFT_SYNC_HELD_BLOCKS * (c->block_size_max + BFT_COMMIT_SIZE_MAX);
	(void)carve(&carving, sizeof *bft);
	void *rounds = carve(&carving, c->rounds_kept * sizeof(struct bft_round));
	void *effects = carve(&carving, BFT_EFFECTS_MAX * sizeof(struct bft_effect));
	void *stash = carve(&carving, c->stash_size);
	void *extensions =
		carve(&carving, (c->rounds_kept + 2) * (size_t)BFT_VOTES_EXTENSIONS_SIZE);
	void *held = carve(&carving, held_size);
	void *out = carve(&carving, out_size);
	void *scratch = carve(&carving, scratch_size);
	for (size_t i = 0; i < BFT_SLOTS; i++) {
		void *bytes = carve(&carving, c->block_size_max);
		void *tree = carve(&carving, BFT_SLOT_TREE_SIZE);
		if (bft != NULL) {
			bft->slots[i].bytes = bytes;
			bft->slots[i].tree = tree;
		}
	}
	if (bft == NULL)
		return carving.used;
	bft->rounds = rounds;
	memset(rounds, 0, c->rounds_kept * sizeof(struct bft_round));
	bft->effects.items = effects;
	bft->stash = stash;
	bft_sync_init(&bft->sync, held, held_size);
	give_extensions(bft, c, extensions);
	cs_buf_init(&bft->out, out, out_size);
	cs_arena_init(&bft->scratch, scratch, scratch_size);
	return carving.used;
}

static enum cs_err load_last_commit(struct bft *bft, struct cs_bytes bytes)
{
	struct cmt_commit commit;
	bft_votes_reset(bft->last_commit, -1, CMT_PRECOMMIT);
	if (bft->state.last_height == 0)
		return bytes.n == 0 ? CS_OK : CS_ERR_INVALID;
	size_t mark = cs_arena_mark(&bft->scratch);
	enum cs_err err = cmt_extended_commit_decode(&commit, bytes, &bft->scratch, NULL);
	if (err == CS_OK)
		err = cmt_commit_verify(&commit, &bft->state.last.set, &bft->state.chain_id,
					&bft->state.last_block_id, bft->state.last_height, NULL);
	if (err == CS_OK)
		bft_votes_of_commit(bft->last_commit, &commit, &bft->state.last.set);
	cs_arena_rewind(&bft->scratch, mark);
	return err;
}

enum cs_err bft_new(struct bft **out, const struct bft_config *config,
		    const struct bft_state *state, struct cs_bytes last_commit)
{
	struct bft_config c = *config;
	c.block_size_max = c.block_size_max != 0 ? c.block_size_max : BFT_BLOCK_SIZE_MAX;
	c.rounds_kept = c.rounds_kept != 0 ? c.rounds_kept : BFT_ROUNDS_KEPT_DEFAULT;
	c.stash_size = c.stash_size != 0 ? c.stash_size : BFT_STASH_SIZE_DEFAULT;
	if (!config_fits(&c) || !takes_blocks_of(&c, &state->params))
		return CS_ERR_INVALID;
	size_t size = lay_out(NULL, &c);
	struct bft *bft = aligned_alloc(64, size);
	if (bft == NULL)
		return CS_ERR_NO_MEMORY;
	memset(bft, 0, sizeof *bft);
	(void)lay_out(bft, &c);
	bft->config = c;
	bft_state_copy(&bft->state, state);
	bft->last_commit = &bft->commits[0];
	bft->decided = &bft->commits[1];
	bft_set_init(&bft->turn);
	bft_sign_state_init(&bft->signed_last);
	bft_evidence_init(&bft->evidence);
	for (size_t i = 0; i < BFT_PEERS_MAX; i++)
		bft->peers[i].evidence_work = BFT_EVIDENCE_WORK_MAX;
	if (c.has_key)
		bft->address = cmt_address(&c.key);
	bft_enter_height(bft);
	enum cs_err err = load_last_commit(bft, last_commit);
	if (err != CS_OK) {
		bft_free(bft);
		return err;
	}
	*out = bft;
	return CS_OK;
}

void bft_free(struct bft *bft)
{
	free(bft);
}

/* ---- events ---- */

static int64_t message_height(const struct bft_message *message)
{
	switch (message->type) {
	case BFT_MESSAGE_PROPOSAL:
		return message->proposal.height;
	case BFT_MESSAGE_PART:
		return message->part.height;
	case BFT_MESSAGE_VOTE:
		return message->vote.height;
	case BFT_MESSAGE_STATUS:
	case BFT_MESSAGE_OWN_ASK:
	case BFT_MESSAGE_OWN_VOTES:
	case BFT_MESSAGE_BLOCK_REQUEST:
	case BFT_MESSAGE_BLOCK_ANSWER:
	case BFT_MESSAGE_EVIDENCE:
		break;
	}
	return 0;
}

static void on_evidence(struct bft *bft, uint32_t peer, struct cs_bytes bytes)
{
	struct bft_evidence_added added;
	struct bft_peer *from = peer < BFT_PEERS_MAX ? &bft->peers[peer] : NULL;
	if (from != NULL && from->evidence_work <= 0)
		return;
	enum cs_err err = bft_evidence_add(&bft->evidence, &added, bytes, &bft->state,
					   &bft->config.history, &bft->scratch, NULL);
	if (from != NULL)
		from->evidence_work -= added.work;
	/* A peer may be a height ahead or behind: what does not verify at this one is no fault. */
	if (err != CS_OK && added.is_false)
		return bft_fault(bft, peer, err, true);
	if (err != CS_OK || added.is_known)
		return;
	bft_emit(bft, BFT_EFFECT_EVIDENCE)->bytes = bft_out_copy(bft, bytes);
	bft_tell_evidence(bft);
}

static void dispatch_message(struct bft *bft, uint32_t peer, const struct bft_message *message)
{
	switch (message->type) {
	case BFT_MESSAGE_PROPOSAL:
		return bft_on_proposal(bft, peer, &message->proposal);
	case BFT_MESSAGE_PART:
		return bft_on_part(bft, peer, message);
	case BFT_MESSAGE_VOTE:
		return bft_on_vote(bft, peer, &message->vote);
	case BFT_MESSAGE_STATUS:
		return bft_on_status(bft, peer, &message->status);
	case BFT_MESSAGE_OWN_ASK:
		return bft_on_own_ask(bft, peer, message);
	case BFT_MESSAGE_OWN_VOTES:
		return bft_on_own_votes(bft, peer, message);
	case BFT_MESSAGE_BLOCK_REQUEST:
		return bft_on_block_request(bft, peer, message->block_request);
	case BFT_MESSAGE_BLOCK_ANSWER:
		return bft_on_block_answer(bft, peer, message);
	case BFT_MESSAGE_EVIDENCE:
		return on_evidence(bft, peer, message->evidence);
	}
}

static void on_message(struct bft *bft, const struct bft_event *event)
{
	struct bft_message message;
	enum cs_err err = bft_message_decode(&message, event->bytes);
	if (err != CS_OK)
		return bft_fault(bft, event->peer, err, true);
	if (!bft->started && !bft->replaying && message.type != BFT_MESSAGE_OWN_ASK)
		return;
	int64_t height = message_height(&message);
	if (height > bft->height && !bft->replaying) {
		bft_sync_claim(&bft->sync, event->peer, height);
		if (height == bft->height + 1)
			bft_stash(bft, event->peer, event->bytes);
		else
			bft_pump_sync(bft);
		return;
	}
	dispatch_message(bft, event->peer, &message);
}

void bft_remember_signed(struct bft *bft)
{
	const struct bft_sign_state *s = &bft->signed_last;
	uint8_t bytes[4 + BFT_BLOCK_ID_SIZE + 5];
	if (s->height != bft->height || bft->step == BFT_STEP_COMMIT)
		return;
	cs_put_be32(bytes, (uint32_t)s->lock_round);
	bft_block_id_encode(bytes + 4, &s->lock_id);
	cs_put_be32(bytes + 4 + BFT_BLOCK_ID_SIZE, (uint32_t)s->round);
	bytes[sizeof bytes - 1] = (uint8_t)s->step;
	struct bft_event event = {.type = BFT_EVENT_START,
				  .now_ns = bft->now_ns,
				  .height = bft->height,
				  .bytes = CS_BYTES_OF(bytes)};
	bft->is_logged = false;
	bft_log_as(bft, &event);
	bft_adopt_lock(bft, s->lock_round, &s->lock_id);
	if (s->step != BFT_SIGN_NONE)
		bft_skip_signed(bft, s->round, s->step);
	bft_settle(bft);
}

static void replay_start(struct bft *bft, struct cs_bytes bytes)
{
	struct bft_sign_state s;
	bft_sign_state_init(&s);
	if (bytes.n != 4 + BFT_BLOCK_ID_SIZE + 5 ||
	    bft_block_id_decode(&s.lock_id, bytes.p + 4) != CS_OK)
		return;
	bft_adopt_lock(bft, (int32_t)cs_be32(bytes.p), &s.lock_id);
	if (bytes.p[bytes.n - 1] != BFT_SIGN_NONE)
		bft_skip_signed(bft, (int32_t)cs_be32(bytes.p + 4 + BFT_BLOCK_ID_SIZE),
				(enum bft_sign_step)bytes.p[bytes.n - 1]);
	bft_settle(bft);
}

/* Timers and questions that the replay left open are asked again. */
static void resume(struct bft *bft)
{
	const struct bft_round *r = bft_round_find(bft, bft->round);
	const struct bft_config *c = &bft->config;
	if (bft->is_decided)
		return bft_ask_finalize(bft);
	if (bft->step == BFT_STEP_PROPOSE)
		bft_emit_timer(bft, BFT_TIMER_PROPOSE,
			       c->propose_ns + c->propose_delta_ns * bft->round);
	if (bft->step == BFT_STEP_PREVOTE && r != NULL && r->prevote_wait)
		bft_emit_timer(bft, BFT_TIMER_PREVOTE,
			       c->prevote_ns + c->prevote_delta_ns * bft->round);
	if (r != NULL && r->precommit_wait)
		bft_emit_timer(bft, BFT_TIMER_PRECOMMIT,
			       c->precommit_ns + c->precommit_delta_ns * bft->round);
	if (bft->prepare_asked)
		bft_ask_prepare(bft);
	for (size_t i = 0; i < BFT_SLOTS; i++) {
		if (bft->slots[i].used && bft->slots[i].verdict == BFT_ASKED)
			bft_ask_process(bft, &bft->slots[i]);
	}
	for (size_t i = 0; i < bft->queue_count; i++) {
		bft->queue[i].asked = false;
		if (bft->queue[i].needs_extension)
			bft_ask_extension(bft, &bft->queue[i]);
	}
	if (r == NULL)
		return;
	for (size_t i = 0; i < bft->state.now.set.count; i++) {
		if (r->precommits.by[0][i].have && !r->precommits.by[0][i].counts)
			bft_ask_verify_extension(bft, &r->precommits.by[0][i].vote);
	}
}

static void on_start(struct bft *bft)
{
	bft->started = true;
	bft_raise_from_log(bft);
	bft_remember_signed(bft);
	resume(bft);
	bft_emit_timer(bft, BFT_TIMER_STATUS, bft->config.status_ns);
	bft_check_may_sign(bft);
	bft_pump_signer(bft);
	if (!bft->may_sign)
		bft_ask_own(bft, BFT_PEER_ALL);
	bft_send_status(bft, BFT_PEER_ALL);
	if (bft->step == BFT_STEP_NEW_HEIGHT)
		bft_begin_height(bft);
}

static void on_txs_available(struct bft *bft)
{
	if (bft->txs_available || bft->step != BFT_STEP_NEW_HEIGHT)
		return;
	bft->txs_available = true;
	bft_begin_height(bft);
}

void bft_handle(struct bft *bft, const struct bft_event *event)
{
	bft->logged = *event;
	bft->is_logged = false;
	switch (event->type) {
	case BFT_EVENT_START:
		if (bft->replaying)
			return replay_start(bft, event->bytes);
		return on_start(bft);
	case BFT_EVENT_TIMEOUT:
		if (event->timer == BFT_TIMER_STATUS)
			return bft_on_tick(bft);
		return bft_on_timeout(bft, event);
	case BFT_EVENT_MESSAGE:
		return on_message(bft, event);
	case BFT_EVENT_PEER_UP:
		return bft_on_peer_up(bft, event);
	case BFT_EVENT_PEER_DOWN:
		return bft_on_peer_down(bft, event);
	case BFT_EVENT_TXS_AVAILABLE:
		return on_txs_available(bft);
	case BFT_EVENT_PREPARED:
		return bft_on_prepared(bft, event);
	case BFT_EVENT_PROCESSED:
		return bft_on_processed(bft, event);
	case BFT_EVENT_EXTENDED:
		return bft_on_extended(bft, event);
	case BFT_EVENT_EXTENSION_VERIFIED:
		return bft_on_extension_verified(bft, event);
	case BFT_EVENT_FINALIZED:
		return bft_on_finalized(bft, event);
	case BFT_EVENT_COMMITTED:
		return bft_on_committed(bft, event);
	case BFT_EVENT_SIGNED:
		return bft_on_signed(bft, event);
	case BFT_EVENT_SIGN_REFUSED:
		return bft_on_sign_refused(bft, event);
	case BFT_EVENT_BLOCK_LOADED:
		return bft_on_block_loaded(bft, event);
	case BFT_EVENT_CONTINUE:
		bft_take_held(bft);
		return bft_unstash(bft);
	case BFT_EVENT_EVIDENCE:
		if (bft->started)
			on_evidence(bft, BFT_PEER_NONE, event->bytes);
		return;
	case BFT_EVENT_END:
		break;
	}
}

static bool names_peer(const struct bft_event *event)
{
	return event->type == BFT_EVENT_MESSAGE || event->type == BFT_EVENT_PEER_UP ||
	       event->type == BFT_EVENT_PEER_DOWN;
}

enum cs_err bft_step(struct bft *bft, const struct bft_event *event,
		     const struct bft_effects **effects)
{
	if (bft->halted)
		return CS_ERR_CLOSED;
	if (event->type < BFT_EVENT_START || event->type >= BFT_EVENT_END ||
	    (names_peer(event) && event->peer >= BFT_PEERS_MAX) ||
	    (event->type == BFT_EVENT_START && bft->started))
		return CS_ERR_INVALID;
	bft->effects.count = 0;
	bft->out.n = 0;
	bft->now_ns = event->now_ns;
	bft_handle(bft, event);
	*effects = &bft->effects;
	return CS_OK;
}

enum cs_err bft_replay(struct bft *bft, struct cs_bytes record)
{
	struct bft_event event;
	int64_t height;
	cs_assert(!bft->started);
	CS_TRY(bft_record_decode(&event, &height, record));
	if (height != bft->height)
		return CS_OK;
	bft->replaying = true;
	bft->out.n = 0;
	bft->now_ns = event.now_ns;
	bft_handle(bft, &event);
	bft->replaying = false;
	return bft->halted ? CS_ERR_CONFLICT : CS_OK;
}

void bft_set_sign_state(struct bft *bft, const struct bft_sign_state *signed_last)
{
	cs_assert(!bft->started);
	bft->signed_last = *signed_last;
}

struct bft_view bft_look(const struct bft *bft)
{
	return (struct bft_view){bft->height,       bft->round,     bft->step,
				 bft->locked_round, bft->locked_id, bft->valid_round,
				 bft->valid_id,     bft->may_sign,  bft->halted};
}

static const struct bft_round *look_round(const struct bft *bft, int32_t round)
{
	for (uint32_t i = 0; i < bft->config.rounds_kept; i++) {
		if (bft->rounds[i].used && bft->rounds[i].round == round)
			return &bft->rounds[i];
	}
	return NULL;
}

const struct bft_votes *bft_look_votes(const struct bft *bft, int32_t round,
				       enum cmt_signed_type type)
{
	const struct bft_round *r = look_round(bft, round);
	if (r == NULL)
		return NULL;
	return type == CMT_PREVOTE ? &r->prevotes : &r->precommits;
}

bool bft_look_proposal(const struct bft *bft, struct cmt_block_id *id)
{
	const struct bft_round *r = look_round(bft, bft->round);
	if (r == NULL || !r->has_proposal)
		return false;
	*id = r->proposal.block_id;
	return true;
}

size_t bft_look_proposer(struct bft *bft)
{
	return bft_proposer(bft, bft->round);
}

const struct cmt_validator_set *bft_look_set(const struct bft *bft)
{
	return bft_validators(bft);
}

const struct bft_state *bft_state_view(const struct bft *bft)
{
	return &bft->state;
}

size_t bft_evidence_waiting(const struct bft *bft)
{
	return bft->evidence.count;
}

struct cs_bytes bft_evidence_at(const struct bft *bft, size_t index)
{
	return bft_evidence_bytes(&bft->evidence, index);
}

bool bft_evidence_waits(const struct bft *bft, const struct cs_hash *hash)
{
	return bft_evidence_is_kept(&bft->evidence, hash);
}
