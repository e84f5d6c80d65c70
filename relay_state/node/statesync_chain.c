#include "core/hash.h"
#include "host/alloc.h"
#include "host/log.h"
#include "relay_state/node/statesync_inner.h"

#include <stdlib.h>
#include <string.h>

/*~ What the chain says about a snapshot, before the application hears of it: the header after it by
 * the light client, the state that this header binds, the block below it. One peer at a time is
 * asked for a light block or a block, all at once for the state. */

static void ask_next(struct node_statesync *s);

const struct cmt_header *node_sync_header(const struct node_statesync *s)
{
	return &s->light[s->trusted].block.header;
}

static int64_t target(const struct node_statesync *s)
{
	return (int64_t)s->snapshot.height + 1;
}

/* ---- one peer at a time ---- */

static void nobody_has_it(struct node_statesync *s)
{
	if (s->stage == NODE_SYNC_LIGHT && !s->has_trusted && s->has_other_hash)
		return node_sync_fail(s, CS_ERR_ANCHOR_MISMATCH,
				      "no peer has the block of trust_hash at trust_height");
	if (s->stage == NODE_SYNC_LIGHT)
		return node_sync_skip(s, s->has_trusted ? "no peer has a light block for it"
							: "no peer has the block of trust_height");
	node_sync_skip(s, "no peer has its block");
}

static void send_ask(struct node_statesync *s, uint32_t peer)
{
	struct node_statesync_message light = {.type = NODE_LIGHT_REQUEST,
					       .height = (uint64_t)s->want};
	struct bft_message block = {.type = BFT_MESSAGE_BLOCK_REQUEST, .block_request = s->want};
	uint8_t bytes[64];
	struct cs_buf buf;
	if (s->stage == NODE_SYNC_LIGHT)
		return node_sync_send(s, peer, &light);
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_message_encode(&buf, &block);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	node_peers_send(s->peers, peer, cs_buf_view(&buf));
}

static void ask_next(struct node_statesync *s)
{
	s->ask.peer = BFT_PEER_NONE;
	for (uint32_t i = 1; i <= BFT_PEERS_MAX; i++) {
		uint32_t at = (s->ask.last + i) % BFT_PEERS_MAX;
		if (!s->peer[at].is_up || (s->ask.tried >> at & 1) != 0)
			continue;
		s->ask.peer = s->ask.last = at;
		s->ask.tried |= (uint64_t)1 << at;
		s->ask.deadline_ms = host_now_ms() + s->options.request_ms;
		return send_ask(s, at);
	}
	nobody_has_it(s);
}

static void begin_ask(struct node_statesync *s, int64_t height)
{
	s->want = height;
	s->ask.tried = 0;
	ask_next(s);
}

/* Was it this one, for this height? Then the question is answered. */
static bool is_asked(struct node_statesync *s, enum node_statesync_stage stage, uint32_t peer,
		     uint64_t height)
{
	if (s->stage != stage || s->ask.peer != peer || height != (uint64_t)s->want)
		return false;
	s->ask.peer = BFT_PEER_NONE;
	return true;
}

/* ---- light blocks ---- */

static void begin_state(struct node_statesync *s);

static struct verify_time now(void)
{
	uint64_t seconds = host_wall_ms() / 1000;
	return (struct verify_time){seconds, seconds};
}

static struct cmt_light_options light_options(const struct node_statesync *s)
{
	return (struct cmt_light_options){CMT_TRUST_LEVEL_DEFAULT, s->options.trust_period_s,
					  CMT_BLOCK_PROTOCOL, CMT_DRIFT_DEFAULT_S};
}

static void next_light(struct node_statesync *s)
{
	const struct cmt_header *trusted = node_sync_header(s);
	if (s->has_trusted && trusted->height == target(s))
		return begin_state(s);
	if (++s->steps > NODE_LIGHT_STEPS_MAX)
		return node_sync_skip(s, "too many light blocks between trust_height and it");
	begin_ask(s, s->has_trusted ? target(s) : s->options.trust_height);
}

void node_sync_begin_chain(struct node_statesync *s)
{
	s->stage = NODE_SYNC_LIGHT;
	s->steps = 0;
	/* The light client goes upwards only: from the anchor again, where it is above. */
	if (s->has_trusted && node_sync_header(s)->height > target(s))
		s->has_trusted = false;
	s->has_other_hash = false;
	next_light(s);
}

/* As light/client.go's initializeWithTrustOptions: the hash, then the block's own commit. */
static enum cs_err check_anchor(struct node_statesync *s, const struct cmt_light_block *block,
				struct cs_why *why)
{
	struct cs_hash hash = cmt_header_hash(&block->header);
	struct verify_time time = now();
	if (!cs_hash_eq(&hash, &s->options.trust_hash)) {
		s->has_other_hash = true;
		return cs_fail(why, CS_ERR_ANCHOR_MISMATCH, "another block at trust_height");
	}
	if (!cmt_chain_id_eq(&block->header.chain_id, &s->genesis->chain_id))
		return cs_fail(why, CS_ERR_WRONG_CHAIN, "trust_hash is of another chain");
	CS_TRY(verify_time_fresh(&time,
				 block->header.time.s > 0 ? (uint64_t)block->header.time.s : 0,
				 s->options.trust_period_s));
	return cmt_commit_verify_light(&block->commit, &block->validators, &block->header.chain_id,
				       &block->commit.block_id, block->header.height, false, why);
}

static enum cs_err check_light(struct node_statesync *s, const struct cmt_light_block *block,
			       struct cs_why *why)
{
	const struct cmt_light_block *old = &s->light[s->trusted].block;
	const struct cmt_trusted trusted = {&old->header, &old->validators};
	struct cmt_light_options options = light_options(s);
	struct verify_time time = now();
	if (block->header.height != s->want)
		return cs_fail(why, CS_ERR_INVALID, "a light block of another height");
	if (!s->has_trusted)
		return check_anchor(s, block, why);
	return cmt_light_verify(&trusted, block, &options, &time, why);
}

static void light_refused(struct node_statesync *s, uint32_t peer, enum cs_err err, const char *why)
{
	int64_t pivot = s->has_trusted ? cmt_light_pivot(node_sync_header(s)->height, s->want) : 0;
	if (err == CS_ERR_ANCHOR_TOO_OLD)
		return node_sync_fail(s, err, "trust_hash's block is older than trust_period");
	if (err == CS_ERR_WRONG_CHAIN && !s->has_trusted)
		return node_sync_fail(s, err, why);
	if (err == CS_ERR_NOT_ENOUGH_TRUST && pivot != 0 && ++s->steps <= NODE_LIGHT_STEPS_MAX)
		return begin_ask(s, pivot);
	/* Whether the peer lies about the anchor or the configuration is wrong nobody knows. */
	if (err == CS_ERR_ANCHOR_MISMATCH)
		log_warn("statesync.other_anchor", LOG_U64("peer", peer));
	else
		node_sync_refuse(s, peer, err, "a light block");
	ask_next(s);
}

void node_sync_light_answer(struct node_statesync *s, uint32_t peer,
			    const struct node_statesync_message *m)
{
	struct node_light_slot *slot = &s->light[1 - s->trusted];
	struct cs_why why = {{0}};
	if (!is_asked(s, NODE_SYNC_LIGHT, peer, m->height))
		return;
	if (m->bytes.n == 0)
		return ask_next(s);
	cs_arena_init(&slot->arena, slot->memory, sizeof slot->memory);
	enum cs_err err = cmt_light_block_decode(&slot->block, m->bytes, &slot->arena, &why);
	if (err == CS_OK)
		err = check_light(s, &slot->block, &why);
	if (err != CS_OK)
		return light_refused(s, peer, err, why.text);
	s->trusted = 1 - s->trusted;
	s->has_trusted = true;
	log_debug("statesync.light", LOG_I64("height", slot->block.header.height));
	next_light(s);
}

/* ---- the state ---- */

static void begin_block(struct node_statesync *s);

static void ask_state(struct node_statesync *s, uint32_t peer)
{
	const struct node_statesync_message m = {.type = NODE_STATE_REQUEST,
						 .height = s->snapshot.height};
	if (s->peer[peer].is_up && !s->peer[peer].has_told)
		node_sync_send(s, peer, &m);
}

static void ask_states(struct node_statesync *s)
{
	s->deadline_ms = host_now_ms() + s->options.request_ms;
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++)
		ask_state(s, i);
}

static void begin_state(struct node_statesync *s)
{
	s->stage = NODE_SYNC_STATE;
	s->tries = 0;
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++)
		s->peer[i].has_told = false;
	ask_states(s);
}

static bool is_hash_of(const struct cmt_hash *expected, struct cs_hash hash)
{
	struct cmt_hash given = cmt_hash_of(&hash);
	return cmt_hash_eq(expected, &given);
}

/* What the header after it binds; block and commit bind the rest but for priorities. */
static enum cs_err check_state(const struct node_statesync *s, const struct bft_state *state)
{
	const struct cmt_header *h = node_sync_header(s);
	if (state->last_height + 1 != h->height ||
	    state->initial_height != s->genesis->initial_height ||
	    !cmt_chain_id_eq(&state->chain_id, &s->genesis->chain_id))
		return CS_ERR_INVALID;
	if (!cmt_block_id_eq(&state->last_block_id, &h->last_block_id))
		return CS_ERR_UNLINKED;
	if (!cs_bytes_eq(cmt_header_app_hash(h), cs_bytes(state->app_hash, state->app_hash_size)) ||
	    !cmt_hash_eq(&h->last_results_hash, &state->last_results_hash) ||
	    !is_hash_of(&h->validators_hash, cmt_validator_set_hash(&state->now.set)) ||
	    !is_hash_of(&h->next_validators_hash, cmt_validator_set_hash(&state->next.set)) ||
	    !is_hash_of(&h->consensus_hash, cmt_params_hash(&state->params)) ||
	    h->app_version != state->params.app_version)
		return CS_ERR_BAD_PROOF;
	if (state->validators_changed > h->height + 1 || state->params_changed > h->height)
		return CS_ERR_INVALID;
	return CS_OK;
}

/* Each validator once, whoever else shows its key. */
static int64_t power_behind(const struct node_statesync *s, const struct cs_hash *hash)
{
	const struct cmt_validator_set *set = &s->light[s->trusted].block.validators;
	int64_t power = 0;
	for (size_t i = 0; i < set->count; i++) {
		for (uint32_t k = 0; k < BFT_PEERS_MAX; k++) {
			const struct node_sync_peer *p = &s->peer[k];
			if (!p->is_up || !p->is_validator || !p->has_told ||
			    !cs_hash_eq(&p->told, hash) ||
			    !cs_address_eq(&p->address, &set->list[i].address))
				continue;
			power += set->list[i].power;
			break;
		}
	}
	return power;
}

static int64_t total_power(const struct node_statesync *s)
{
	const struct cmt_validator_set *set = &s->light[s->trusted].block.validators;
	int64_t power = 0;
	for (size_t i = 0; i < set->count; i++)
		power += set->list[i].power;
	return power;
}

void node_sync_state_answer(struct node_statesync *s, uint32_t peer,
			    const struct node_statesync_message *m)
{
	struct node_sync_peer *p = &s->peer[peer];
	struct bft_state state;
	if (s->stage != NODE_SYNC_STATE || m->height != s->snapshot.height || p->has_told)
		return;
	/* Perhaps later: it is asked again. */
	if (m->bytes.n == 0)
		return;
	s->scratch.used = 0;
	enum cs_err err = bft_state_decode(&state, m->bytes, &s->scratch, NULL);
	if (err == CS_OK)
		err = check_state(s, &state);
	if (err != CS_OK)
		return node_sync_refuse(s, peer, err, "a state");
	p->has_told = true;
	p->told = cs_sha256(m->bytes);
	if (!bft_is_one_third(power_behind(s, &p->told), total_power(s)))
		return;
	bft_state_copy(&s->state, &state);
	begin_block(s);
}

static void state_late(struct node_statesync *s)
{
	if (++s->tries >= NODE_STATE_TRIES_MAX)
		return node_sync_skip(
			s, "validators with more than a third of the power do not tell one state");
	ask_states(s);
}

/* ---- block and commit ---- */

static void begin_block(struct node_statesync *s)
{
	s->stage = NODE_SYNC_BLOCK;
	begin_ask(s, s->state.last_height);
}

static enum cs_err check_commit(struct node_statesync *s, struct cs_bytes bytes)
{
	const struct bft_state *state = &s->state;
	struct cmt_commit commit;
	bool extensions = cmt_params_extensions_at(&state->params, state->last_height);
	CS_TRY(cmt_extended_commit_decode(&commit, bytes, &s->scratch, NULL));
	CS_TRY(cmt_extended_commit_check(&commit, extensions, NULL));
	CS_TRY(bft_check_extensions(&commit, extensions));
	if (extensions)
		return cmt_extended_commit_verify(&commit, &state->last.set, &state->chain_id,
						  &state->last_block_id, state->last_height,
						  &s->scratch, NULL);
	return cmt_commit_verify(&commit, &state->last.set, &state->chain_id, &state->last_block_id,
				 state->last_height, NULL);
}

static enum cs_err check_block(struct node_statesync *s, struct cs_bytes bytes)
{
	const struct bft_state *state = &s->state;
	struct cmt_block block;
	struct cmt_part_set parts;
	if (bytes.n > BFT_BLOCK_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	CS_TRY(cmt_block_decode(&block, bytes, &s->scratch, NULL));
	CS_TRY(cmt_part_set_make(&parts, bytes, &s->scratch));
	struct cs_hash hash = cmt_header_hash(&block.header);
	struct cmt_block_id id = {cmt_hash_of(&hash), parts.header};
	if (!cmt_block_id_eq(&id, &state->last_block_id))
		return CS_ERR_WRONG_BLOCK;
	return CS_OK;
}

/* The block is the right one: what the state says of it must be so too. */
static enum cs_err check_last(struct node_statesync *s, struct cs_bytes bytes)
{
	struct cmt_block block;
	s->scratch.used = 0;
	CS_TRY(cmt_block_decode(&block, bytes, &s->scratch, NULL));
	if (block.header.height != s->state.last_height ||
	    cs_pb_time_cmp(block.header.time, s->state.last_time) != 0 ||
	    !is_hash_of(&block.header.validators_hash, cmt_validator_set_hash(&s->state.last.set)))
		return CS_ERR_BAD_PROOF;
	return CS_OK;
}

void node_sync_block_answer(struct node_statesync *s, uint32_t peer, int64_t height,
			    struct cs_bytes block, struct cs_bytes commit)
{
	if (!is_asked(s, NODE_SYNC_BLOCK, peer, (uint64_t)height))
		return;
	if (block.n == 0)
		return ask_next(s);
	s->scratch.used = 0;
	enum cs_err err = check_block(s, block);
	if (err == CS_OK && check_last(s, block) != CS_OK)
		/* More than a third of the power has told it. */
		return node_sync_fail(s, CS_ERR_BAD_PROOF,
				      "the validators' state is not that of its own block");
	if (err == CS_OK)
		err = check_commit(s, commit);
	if (err != CS_OK) {
		node_sync_refuse(s, peer, err, "a block");
		return ask_next(s);
	}
	free(s->block);
	free(s->commit);
	s->block = host_copy(block);
	s->block_size = block.n;
	s->commit = host_copy(commit);
	s->commit_size = commit.n;
	node_sync_offer(s);
}

/* ---- peers and time ---- */

void node_sync_chain_peer_up(struct node_statesync *s, uint32_t peer)
{
	if (s->stage == NODE_SYNC_STATE)
		ask_state(s, peer);
}

void node_sync_chain_peer_down(struct node_statesync *s, uint32_t peer)
{
	s->ask.tried &= ~((uint64_t)1 << peer);
	if ((s->stage == NODE_SYNC_LIGHT || s->stage == NODE_SYNC_BLOCK) && s->ask.peer == peer)
		ask_next(s);
}

void node_sync_chain_tick(struct node_statesync *s, uint64_t now_ms)
{
	if ((s->stage == NODE_SYNC_LIGHT || s->stage == NODE_SYNC_BLOCK) &&
	    s->ask.peer != BFT_PEER_NONE && now_ms >= s->ask.deadline_ms)
		ask_next(s);
	else if (s->stage == NODE_SYNC_STATE && now_ms >= s->deadline_ms)
		state_late(s);
}
