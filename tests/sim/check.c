/* The invariants, asked after every step (numbers of the research notes in docs/ledger-engine.md).
 * A node is honest when its key is used by one honest engine. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool sim_is_guilty(const struct sim *sim, unsigned key)
{
	for (unsigned i = 0; i < sim->nodes; i++) {
		if (sim->node[i].key == key && sim->node[i].role != SIM_HONEST)
			return true;
	}
	return false;
}

unsigned sim_key_of(const struct sim *sim, const struct cs_address *address)
{
	for (unsigned i = 0; i < sim->keys; i++) {
		if (cs_address_eq(&sim->address[i], address))
			return i;
	}
	return UINT32_MAX;
}

static const struct cmt_validator_set *set_at(const struct sim_node *node, int64_t height)
{
	const struct bft_state *state = bft_state_view(node->bft);
	if (height == state->last_height)
		return &state->last.set;
	return height == bft_state_height(state) ? &state->now.set : NULL;
}

/* ---- votes ---- */

static void remember(struct sim *sim, const struct sim_vote *vote)
{
	if (sim->vote_count == sim->vote_max) {
		sim->vote_max = sim->vote_max == 0 ? 1024 : 2 * sim->vote_max;
		sim->votes = realloc(sim->votes, sim->vote_max * sizeof *sim->votes);
		cs_assert(sim->votes != NULL);
	}
	sim->votes[sim->vote_count++] = *vote;
}

/* 6: nobody honest ever signs two things in one place. False: this vote is an old one. */
static bool is_new_vote(struct sim *sim, const struct sim_vote *vote)
{
	for (size_t i = sim->vote_count; i-- > 0;) {
		const struct sim_vote *other = &sim->votes[i];
		if (other->height + 3 < vote->height)
			break;
		if (other->height != vote->height || other->round != vote->round ||
		    other->type != vote->type || other->key != vote->key)
			continue;
		if (cmt_block_id_eq(&other->id, &vote->id))
			return false;
		if (sim->node[vote->key].role == SIM_RESTORED)
			sim->restored_twice++;
		if (!sim_is_guilty(sim, vote->key))
			sim_fail(sim, "self-equivocation of key %u at %" PRId64 "/%d type %d",
				 vote->key, vote->height, vote->round, (int)vote->type);
	}
	return true;
}

/* The newest precommit for a block of this key below the round, and its height: NULL for none. */
static const struct sim_vote *lock_of(const struct sim *sim, const struct sim_vote *vote)
{
	const struct sim_vote *lock = NULL;
	for (size_t i = 0; i < sim->vote_count; i++) {
		const struct sim_vote *v = &sim->votes[i];
		if (v->key == vote->key && v->height == vote->height && v->type == CMT_PRECOMMIT &&
		    !cmt_block_id_is_nil(&v->id) && v->round < vote->round &&
		    (lock == NULL || v->round > lock->round))
			lock = v;
	}
	return lock;
}

/* Whether prevotes for the block were sent by a quorum in one round since the lock; the guilty
 * count as if they had voted for anything. */
static bool is_unlocked(const struct sim *sim, const struct cmt_validator_set *set,
			const struct sim_vote *vote, int32_t since, bool guilty_count)
{
	for (int32_t round = since; round < vote->round; round++) {
		int64_t power = 0;
		for (size_t k = 0; k < set->count; k++) {
			unsigned key = sim_key_of(sim, &set->list[k].address);
			bool voted = guilty_count && sim_is_guilty(sim, key);
			for (size_t i = 0; i < sim->vote_count && !voted; i++) {
				const struct sim_vote *v = &sim->votes[i];
				voted = v->key == key && v->height == vote->height &&
					v->round == round && v->type == CMT_PREVOTE &&
					cmt_block_id_eq(&v->id, &vote->id);
			}
			power += voted ? set->list[k].power : 0;
		}
		if (bft_is_two_thirds(power, set->power))
			return true;
	}
	return false;
}

/* 4: a prevote against one's lock needs a quorum of a round since. */
static void check_lock(struct sim *sim, const struct sim_node *node, const struct sim_vote *vote)
{
	const struct cmt_validator_set *set = set_at(node, vote->height);
	if (vote->type != CMT_PREVOTE || cmt_block_id_is_nil(&vote->id) || set == NULL)
		return;
	const struct sim_vote *lock = lock_of(sim, vote);
	if (lock == NULL || cmt_block_id_eq(&lock->id, &vote->id) ||
	    is_unlocked(sim, set, vote, lock->round, true))
		return;
	sim_fail(sim, "key %u locked in round %d prevotes another block in %" PRId64 "/%d",
		 vote->key, lock->round, vote->height, vote->round);
}

/* Whatever the clock says: honest votes lie behind the last block, or their median would stand still. */
static void check_time(struct sim *sim, const struct sim_node *node, const struct cmt_vote *vote)
{
	const struct bft_state *state = bft_state_view(node->bft);
	if (vote->height == bft_state_height(state) &&
	    cs_pb_time_cmp(vote->time, state->last_time) <= 0)
		sim_fail(sim, "node %u votes at %" PRId64 "/%d with a time that has passed",
			 node->index, vote->height, vote->round);
}

/* Equivocation by two votes for one place, amnesia by a prevote against one's lock that nothing
 * excuses (the theorems of accountable Tendermint). */
static bool is_convicted(const struct sim *sim, unsigned key)
{
	for (size_t i = 0; i < sim->vote_count; i++) {
		const struct sim_vote *a = &sim->votes[i];
		if (a->key != key)
			continue;
		for (size_t j = i + 1; j < sim->vote_count; j++) {
			const struct sim_vote *b = &sim->votes[j];
			if (b->key == key && b->height == a->height && b->round == a->round &&
			    b->type == a->type && !cmt_block_id_eq(&a->id, &b->id))
				return true;
		}
		const struct sim_vote *lock = lock_of(sim, a);
		if (a->type == CMT_PREVOTE && !cmt_block_id_is_nil(&a->id) && lock != NULL &&
		    !cmt_block_id_eq(&lock->id, &a->id) &&
		    !is_unlocked(sim, &sim->genesis.now.set, a, lock->round, false))
			return true;
	}
	return false;
}

void sim_check_fork(struct sim *sim)
{
	unsigned convicted = 0;
	for (unsigned key = 0; key < sim->keys; key++) {
		if (!is_convicted(sim, key))
			continue;
		convicted++;
		if (!sim_is_guilty(sim, key))
			sim_fail(sim, "the fork convicts the honest key %u", key);
	}
	sim_trace(sim, "a fork, %u of %u keys convicted\n", convicted, sim->keys);
	if (convicted < (sim->keys - 1) / 3 + 1)
		sim_fail(sim, "a fork convicts %u of %u keys only", convicted, sim->keys);
}

/* Whether the signature is among what an fsync has promised to keep. */
static bool is_in_log(const struct sim_node *node, const struct sim_vote *vote)
{
	struct bft_wal_record record;
	struct bft_event event;
	size_t offset = 0;
	int64_t height;
	struct cs_bytes synced = cs_bytes(node->disk.log, node->disk.log_synced);
	enum bft_sign_step step = vote->type == CMT_PREVOTE ? BFT_SIGN_PREVOTE : BFT_SIGN_PRECOMMIT;
	while (bft_wal_get(&record, &offset, synced) == CS_OK) {
		if (record.type == BFT_WAL_EVENT &&
		    bft_record_decode(&event, &height, record.bytes) == CS_OK &&
		    event.type == BFT_EVENT_SIGNED && height == vote->height &&
		    event.round == vote->round && event.step == step)
			return true;
	}
	return false;
}

void sim_check_send(struct sim *sim, struct sim_node *node, struct cs_bytes bytes)
{
	struct bft_message m;
	if (bft_message_decode(&m, bytes) != CS_OK) {
		sim_fail(sim, "node %u sends what it cannot read", node->index);
		return;
	}
	if (m.type != BFT_MESSAGE_VOTE ||
	    !cs_address_eq(&m.vote.validator, &sim->address[node->key]))
		return;
	struct sim_vote vote = {m.vote.height, m.vote.round, m.vote.type, node->key,
				m.vote.block_id};
	if (vote.round > (int32_t)sim->rounds_max)
		sim->rounds_max = (uint64_t)vote.round;
	if (!is_new_vote(sim, &vote))
		return;
	/* 7: what leaves for the first time is in the synced log, or its height is over and
	 * stored. */
	if (vote.height > node->disk.stored && !is_in_log(node, &vote))
		sim_fail(sim, "node %u sends a vote before its log is synced", node->index);
	if (node->role == SIM_HONEST) {
		check_lock(sim, node, &vote);
		check_time(sim, node, &m.vote);
	}
	remember(sim, &vote);
}

/* ---- decisions ---- */

void sim_check_store(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	const struct bft_state *state = bft_state_view(node->bft);
	struct cmt_commit commit;
	int64_t h = effect->height;
	size_t mark = cs_arena_mark(&sim->scratch);
	if (node->role != SIM_HONEST)
		return;
	sim_mix(sim, effect->hash.b, sizeof effect->hash.b);
	sim_mix(sim, effect->block_id.hash.hash.b, 32);
	sim->decisions++;
	sim_trace(sim, "%8.3f node %u DECIDES %" PRId64 "/%d %02x%02x\n", (double)sim->now_ns / 1e9,
		  node->index, h, effect->round, effect->block_id.hash.hash.b[0],
		  effect->block_id.hash.hash.b[1]);
	/* 3: heights without gaps, none twice but for the same block. */
	if (h > node->disk.stored + 1 ||
	    (h <= node->disk.stored &&
	     !cmt_block_id_eq(&node->disk.blocks[h].id, &effect->block_id)))
		sim_fail(sim, "node %u stores %" PRId64 " after %" PRId64, node->index, h,
			 node->disk.stored);
	/* 1: agreement. */
	if (sim->is_decided[h] && !cmt_block_id_eq(&sim->decided[h], &effect->block_id)) {
		sim->forked = true;
		if (!sim->above_f)
			sim_fail(sim, "two blocks at height %" PRId64, h);
	}
	/* 2: some honest application has accepted it, and they all judge alike. */
	if (!sim->above_f && !sim_app_accepts(sim, node, effect->bytes))
		sim_fail(sim, "a block that every application rejects is decided at %" PRId64, h);
	sim->is_decided[h] = true;
	sim->decided[h] = effect->block_id;
	/* 10: the commit convinces a stranger who knows the set. */
	enum cs_err err = cmt_extended_commit_decode(&commit, effect->commit, &sim->scratch, NULL);
	if (err == CS_OK)
		err = cmt_commit_verify(&commit, &state->now.set, &state->chain_id,
					&effect->block_id, h, NULL);
	if (err != CS_OK)
		sim_fail(sim, "node %u stores a commit that does not verify: %s", node->index,
			 cs_err_name(err));
	cs_arena_rewind(&sim->scratch, mark);
}

static void check_update(struct sim *sim, const struct sim_node *node, int64_t height,
			 const struct cmt_validator_set *set)
{
	struct cmt_validator updates[BFT_UPDATES_MAX];
	const size_t count = height < 1 ? 0 : sim_app_updates(sim, height, updates);
	for (size_t i = 0; i < count; i++) {
		size_t at = cmt_validator_set_find(set, &updates[i].address);
		int64_t power = at == SIZE_MAX ? 0 : set->list[at].power;
		if (power != updates[i].power)
			sim_fail(sim, "node %u: a change of %" PRId64 " is not in force",
				 node->index, height);
	}
}

void sim_check_state(struct sim *sim, struct sim_node *node, const struct bft_state *state)
{
	check_update(sim, node, state->last_height - 1, &state->now.set);
	check_update(sim, node, state->last_height, &state->next.set);
}

/* 11: one application hash at each height. */
void sim_check_app(struct sim *sim, struct sim_node *node, int64_t height,
		   const struct cs_hash *hash)
{
	if (node->role != SIM_HONEST || sim->forked)
		return;
	if (sim->has_app_hash[height] && !cs_hash_eq(&sim->app_hash[height], hash))
		sim_fail(sim, "node %u has another application hash at %" PRId64, node->index,
			 height);
	sim->has_app_hash[height] = true;
	sim->app_hash[height] = *hash;
}

/* 5: never locked above what is valid. */
void sim_check_view(struct sim *sim, struct sim_node *node)
{
	struct bft_view view = bft_look(node->bft);
	if (view.locked_round > view.valid_round || view.locked_round > view.round)
		sim_fail(sim, "node %u: locked %d, valid %d, round %d", node->index,
			 view.locked_round, view.valid_round, view.round);
}

/* 5, 7: a vote that was sent was logged with all that led to it, so the lock is there again,
 * without the signer's help. */
void sim_check_replay(struct sim *sim, struct sim_node *node)
{
	struct bft_view view = bft_look(node->bft);
	struct sim_vote end = {.height = view.height, .round = INT32_MAX, .key = node->key};
	const struct sim_vote *lock = lock_of(sim, &end);
	if (node->role != SIM_HONEST || lock == NULL || view.height <= node->disk.stored)
		return;
	if (view.locked_round < lock->round)
		sim_fail(sim, "node %u replays to lock %d, not %d", node->index, view.locked_round,
			 lock->round);
}
