/* One node's shell over memory: executes effects in order, and dies between them when the dice say
 * so. The order and the durability of what it does are those that bft.h demands of a real node. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int64_t sim_node_clock(const struct sim *sim, const struct sim_node *node)
{
	return sim->now_ns + 1700000000000 * MS + node->clock_skew_ns;
}

/* ---- log ---- */

static void log_append(struct sim_node *node, struct cs_bytes bytes)
{
	struct sim_disk *disk = &node->disk;
	struct cs_buf buf;
	if (disk->log == NULL)
		disk->log = malloc(SIM_LOG_SIZE_MAX);
	cs_assert(disk->log != NULL);
	cs_buf_init(&buf, disk->log + disk->log_size, SIM_LOG_SIZE_MAX - disk->log_size);
	if (!disk->marked) {
		bft_wal_put_synced(&buf, disk->log_synced);
		disk->marked = true;
	}
	bft_wal_put(&buf, BFT_WAL_EVENT, bytes);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	disk->log_size += buf.n;
}

static void log_sync(struct sim_node *node)
{
	node->disk.log_synced = node->disk.log_size;
	node->disk.marked = false;
}

static void log_cut(struct sim_node *node, size_t size)
{
	node->disk.log_size = size;
	node->disk.log_synced = size;
	node->disk.marked = true;
}

/* ---- signer ---- */

static void sign_write(struct sim_node *node)
{
	node->signed_last.sequence++;
	bft_sign_state_encode(node->disk.slots[node->slot_next], &node->signed_last);
	node->slot_next = 1 - node->slot_next;
}

void sim_answer(struct sim *sim, struct sim_node *node, int64_t delay_ns,
		const struct bft_event *event, struct cs_bytes bytes)
{
	struct sim_happening h = {.type = SIM_ANSWER, .node = node->index, .life = node->life};
	h.event = *event;
	h.size = bytes.n;
	if (bytes.n > 0) {
		h.bytes = malloc(bytes.n);
		cs_assert(h.bytes != NULL);
		memcpy(h.bytes, bytes.p, bytes.n);
	}
	sim_schedule(sim, delay_ns, &h);
}

static void sign(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	struct bft_sign_state *s = &node->signed_last;
	struct bft_event event = {.type = BFT_EVENT_SIGNED,
				  .height = effect->height,
				  .round = effect->round,
				  .step = effect->sign.step};
	uint8_t signature[64], extension_signature[64] = {0};
	switch (bft_sign_state_may(s, &effect->sign)) {
	case BFT_SIGN_REFUSE:
		event.type = BFT_EVENT_SIGN_REFUSED;
		sim_answer(sim, node, 0, &event, CS_BYTES_NONE);
		return;
	case BFT_SIGN_NEW:
		cs_assert(cs_ed25519_sign(signature, &sim->secret[node->key], effect->sign_bytes) ==
			  CS_OK);
		if (effect->sign.has_extension)
			cs_assert(cs_ed25519_sign(extension_signature, &sim->secret[node->key],
						  effect->extension_sign_bytes) == CS_OK);
		bft_sign_state_record(s, &effect->sign, signature, extension_signature);
		sign_write(node);
		break;
	case BFT_SIGN_REPEAT:
		break;
	}
	event.time_ns = s->time_ns;
	memcpy(event.signature, s->signature, sizeof event.signature);
	memcpy(event.extension_signature, s->extension_signature, sizeof event.signature);
	sim_answer(sim, node, 0, &event, cs_bytes(s->extension, s->extension_size));
}

static void raise_signer(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	bool changed = false;
	enum cs_err err = bft_sign_state_raise(&node->signed_last, &changed, &effect->sign,
					       effect->signature, effect->extension_signature);
	if (err != CS_OK && node->role == SIM_HONEST)
		sim_fail(sim, "node %u: its own vote conflicts with its signer", node->index);
	if (changed)
		sign_write(node);
}

/* ---- history for evidence ---- */

static enum cs_err validators_at(void *context, const struct cmt_validator_set **set,
				 int64_t height)
{
	const struct sim_node *node = context;
	if (height < 1 || height >= SIM_HEIGHTS_MAX || node->disk.blocks[height].validators == NULL)
		return CS_ERR_NOT_FOUND;
	*set = &node->disk.blocks[height].validators->set;
	return CS_OK;
}

static enum cs_err time_at(void *context, struct cs_pb_time *time, int64_t height)
{
	const struct sim_node *node = context;
	if (height < 1 || height >= SIM_HEIGHTS_MAX || node->disk.blocks[height].bytes == NULL)
		return CS_ERR_NOT_FOUND;
	*time = node->disk.blocks[height].time;
	return CS_OK;
}

static enum cs_err signed_header_at(void *context, struct cmt_header *header,
				    struct cmt_commit *commit, int64_t height,
				    struct cs_arena *arena)
{
	const struct sim_node *node = context;
	const struct sim_block *blocks = node->disk.blocks;
	if (height < 1 || height + 1 >= SIM_HEIGHTS_MAX || blocks[height].validators == NULL ||
	    blocks[height + 1].validators == NULL)
		return CS_ERR_NOT_FOUND;
	CS_TRY(bft_block_header(header, cs_bytes(blocks[height].bytes, blocks[height].size)));
	return bft_block_last_commit(
		commit, cs_bytes(blocks[height + 1].bytes, blocks[height + 1].size), arena);
}

/* Of blocks that the state has applied: a block in the store alone does not count yet. */
bool sim_is_carried(const struct sim_node *node, const struct cs_hash *hash)
{
	for (int64_t h = 1; h <= node->disk.stored; h++) {
		const struct sim_block *block = &node->disk.blocks[h];
		if (block->validators == NULL)
			continue;
		for (size_t i = 0; i < block->evidence_count; i++) {
			if (cs_hash_eq(&block->evidence[i], hash))
				return true;
		}
	}
	return false;
}

static bool is_committed(void *context, const struct cs_hash *hash)
{
	return sim_is_carried(context, hash);
}

struct bft_history sim_history(struct sim_node *node)
{
	return (struct bft_history){node, validators_at, time_at, signed_header_at, is_committed};
}

/* ---- store ---- */

static void store(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	struct sim_block *block = &node->disk.blocks[effect->height];
	struct cmt_block decoded;
	size_t mark = cs_arena_mark(&sim->scratch);
	sim_check_store(sim, node, effect);
	free(block->bytes);
	free(block->commit);
	block->bytes = malloc(effect->bytes.n);
	block->commit = malloc(effect->commit.n);
	cs_assert(block->bytes != NULL && block->commit != NULL);
	memcpy(block->bytes, effect->bytes.p, effect->bytes.n);
	memcpy(block->commit, effect->commit.p, effect->commit.n);
	block->size = effect->bytes.n;
	block->commit_size = effect->commit.n;
	block->id = effect->block_id;
	cs_assert(cmt_block_decode(&decoded, effect->bytes, &sim->scratch, NULL) == CS_OK);
	block->time = decoded.header.time;
	/* 9: no evidence is carried twice. */
	for (size_t i = 0; i < decoded.evidence_count && node->role == SIM_HONEST; i++) {
		struct cs_hash hash;
		cs_assert(cmt_evidence_hash(&hash, &decoded.evidence[i], &sim->scratch) == CS_OK);
		if (sim_is_carried(node, &hash))
			sim_fail(sim, "node %u: a second block carries one piece of evidence",
				 node->index);
	}
	if (node->role == SIM_HONEST)
		sim_check_carried(sim, node, &decoded);
	sim->carried += decoded.evidence_count;
	free(block->evidence);
	block->evidence = NULL;
	block->evidence_count = decoded.evidence_count;
	if (decoded.evidence_count > 0) {
		block->evidence = calloc(decoded.evidence_count, sizeof *block->evidence);
		cs_assert(block->evidence != NULL);
		for (size_t i = 0; i < decoded.evidence_count; i++)
			cs_assert(cmt_evidence_hash(&block->evidence[i], &decoded.evidence[i],
						    &sim->scratch) == CS_OK);
	}
	cs_arena_rewind(&sim->scratch, mark);
	if (effect->height > node->disk.stored)
		node->disk.stored = effect->height;
}

static void save_state(struct sim *sim, struct sim_node *node)
{
	const struct bft_state *state = bft_state_view(node->bft);
	struct cs_buf buf;
	cs_buf_init(&buf, node->disk.state, sizeof node->disk.state);
	bft_state_encode(&buf, state);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	node->disk.state_size = buf.n;
	sim_check_state(sim, node, state);
	sim_check_logged(sim, node, state->last_height);
	struct sim_block *block = &node->disk.blocks[state->last_height];
	free(block->state);
	block->state = malloc(buf.n);
	cs_assert(block->state != NULL);
	memcpy(block->state, buf.p, buf.n);
	block->state_size = buf.n;
	if (block->validators == NULL) {
		block->validators = malloc(sizeof *block->validators);
		cs_assert(block->validators != NULL &&
			  bft_set_copy(block->validators, &state->last.set) == CS_OK);
	}
}

static void load(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	const struct sim_block *block = &node->disk.blocks[effect->height];
	struct bft_event event = {.type = BFT_EVENT_BLOCK_LOADED,
				  .height = effect->height,
				  .peer = effect->peer,
				  .accepted = block->bytes != NULL};
	uint8_t *both = malloc(block->size + block->commit_size + 1);
	cs_assert(both != NULL);
	if (block->bytes != NULL) {
		memcpy(both, block->bytes, block->size);
		memcpy(both + block->size, block->commit, block->commit_size);
	}
	/* Block and commit in one piece; happen() takes them apart by `round`, which LOAD has
	 * not. */
	event.round = (int32_t)block->size;
	sim_answer(sim, node, (int64_t)sim_below(&sim->rng, 3) * MS, &event,
		   cs_bytes(both, block->size + block->commit_size));
	free(both);
	sim->syncs++;
}

/* ---- effects ---- */

static void set_timer(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	struct sim_happening h = {.type = SIM_TIMER, .node = node->index, .life = node->life};
	h.generation = ++node->timer_generation[effect->timer];
	h.event = (struct bft_event){.type = BFT_EVENT_TIMEOUT,
				     .height = effect->height,
				     .round = effect->round,
				     .timer = effect->timer};
	sim_schedule(sim, effect->delay_ns, &h);
}

static void send(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	sim_check_send(sim, node, effect->bytes);
	if (sim_lie(sim, node, effect->peer, effect->bytes))
		return;
	for (unsigned to = 0; to < sim->nodes; to++) {
		if (to != node->index && (effect->peer == BFT_PEER_ALL || effect->peer == to))
			sim_network(sim, node->index, to, effect->bytes);
	}
}

static void halt(struct sim *sim, struct sim_node *node, const char *why)
{
	sim_trace(sim, "%8.3f node %u HALT %s\n", (double)sim->now_ns / 1e9, node->index, why);
	node->halted = true;
	if (node->role == SIM_HONEST && !sim->above_f)
		sim_fail(sim, "node %u halted: %s", node->index, why);
}

/* The mempool has something, sooner or later. */
static void offer_txs(struct sim *sim, struct sim_node *node)
{
	struct bft_event event = {.type = BFT_EVENT_TXS_AVAILABLE};
	if (sim->config.wait_for_txs)
		sim_answer(sim, node, (int64_t)(5 + sim_below(&sim->rng, 300)) * MS, &event,
			   CS_BYTES_NONE);
}

static void execute(struct sim *sim, struct sim_node *node, const struct bft_effect *effect)
{
	struct bft_event again = {.type = BFT_EVENT_CONTINUE};
	switch (effect->type) {
	case BFT_EFFECT_LOG:
		return log_append(node, effect->bytes);
	case BFT_EFFECT_SYNC:
		return log_sync(node);
	case BFT_EFFECT_SEND:
		return send(sim, node, effect);
	case BFT_EFFECT_TIMER:
		return set_timer(sim, node, effect);
	case BFT_EFFECT_SIGN:
		return sign(sim, node, effect);
	case BFT_EFFECT_RAISE:
		return raise_signer(sim, node, effect);
	case BFT_EFFECT_PREPARE:
	case BFT_EFFECT_PROCESS:
	case BFT_EFFECT_EXTEND:
	case BFT_EFFECT_VERIFY_EXTENSION:
	case BFT_EFFECT_FINALIZE:
		return sim_app_answer(sim, node, effect);
	case BFT_EFFECT_COMMIT:
		sim_evidence_committed(node);
		/* Evidence of a block that a crash kept from being applied was too early. */
		if (effect->height == node->stored_at_start)
			sim_evidence_bring(sim, node);
		log_cut(node, 0);
		return sim_app_answer(sim, node, effect);
	case BFT_EFFECT_STORE:
		return store(sim, node, effect);
	case BFT_EFFECT_SAVE_STATE:
		return save_state(sim, node);
	case BFT_EFFECT_LOAD:
		return load(sim, node, effect);
	case BFT_EFFECT_PEER_FAULT:
		if (effect->provable && node->role == SIM_HONEST &&
		    sim->node[effect->peer].role == SIM_HONEST)
			sim_fail(sim, "node %u blames honest node %u: %s", node->index,
				 effect->peer, cs_err_name(effect->err));
		return;
	case BFT_EFFECT_EVIDENCE:
		return sim_evidence_found(sim, node, effect->bytes);
	case BFT_EFFECT_ALARM:
		sim_trace(sim, "%8.3f node %u ALARM %s\n", (double)sim->now_ns / 1e9, node->index,
			  effect->why);
		return;
	case BFT_EFFECT_HALT:
		return halt(sim, node, effect->why);
	case BFT_EFFECT_CONTINUE:
		return sim_answer(sim, node, 0, &again, CS_BYTES_NONE);
	}
}

static void describe(struct sim *sim, const struct sim_node *node, const struct bft_event *event)
{
	struct bft_view view = bft_look(node->bft);
	printf("%8.3f node %u %" PRId64 "/%d/%d L%d:%02x V%d:%02x event %d",
	       (double)sim->now_ns / 1e9, node->index, view.height, view.round, (int)view.step,
	       view.locked_round, view.locked_id.hash.hash.b[0], view.valid_round,
	       view.valid_id.hash.hash.b[0], (int)event->type);
	if (event->type == BFT_EVENT_MESSAGE) {
		struct bft_message m;
		if (bft_message_decode(&m, event->bytes) == CS_OK) {
			printf(" from %u message %d", event->peer, (int)m.type);
			if (m.type == BFT_MESSAGE_VOTE)
				printf(" vote %" PRId64 "/%d type %d index %d %02x%02x",
				       m.vote.height, m.vote.round, (int)m.vote.type, m.vote.index,
				       m.vote.block_id.hash.hash.b[0],
				       m.vote.block_id.hash.hash.b[1]);
			if (m.type == BFT_MESSAGE_PROPOSAL)
				printf(" proposal %" PRId64 "/%d pol %d %02x", m.proposal.height,
				       m.proposal.round, m.proposal.pol_round,
				       m.proposal.block_id.hash.hash.b[0]);
			if (m.type == BFT_MESSAGE_STATUS)
				printf(" status %" PRId64 "/%d/%u", m.status.height, m.status.round,
				       m.status.step);
		}
	}
	if (event->type == BFT_EVENT_TIMEOUT)
		printf(" timer %d %" PRId64 "/%d", (int)event->timer, event->height, event->round);
	printf("\n");
}

/* Between evidence and the state behind it a crash is too seldom by chance alone. */
#define CRASH_BEHIND_EVIDENCE 3000u

static unsigned crash_chance(const struct sim *sim, const struct bft_effects *effects, size_t index)
{
	bool behind = index > 0 && effects->items[index - 1].type == BFT_EFFECT_EVIDENCE;
	return behind && sim->faults.crash > 0 ? CRASH_BEHIND_EVIDENCE : sim->faults.crash;
}

void sim_node_event(struct sim *sim, struct sim_node *node, const struct bft_event *given)
{
	const struct bft_effects *effects;
	struct bft_event event = *given;
	uint32_t life = node->life;
	event.now_ns = sim_node_clock(sim, node);
	if (sim->trace)
		describe(sim, node, &event);
	if (bft_step(node->bft, &event, &effects) != CS_OK) {
		if (!node->halted)
			sim_fail(sim, "node %u refused event %d", node->index, (int)event.type);
		return;
	}
	sim_check_view(sim, node);
	for (size_t i = 0; i < effects->count && node->up && node->life == life; i++) {
		if (sim_chance(&sim->rng, crash_chance(sim, effects, i))) {
			sim_node_crash(sim, node);
			return;
		}
		execute(sim, node, &effects->items[i]);
	}
	if (event.type == BFT_EVENT_COMMITTED && node->up)
		offer_txs(sim, node);
}

/* ---- death and birth ---- */

static void tell_peers(struct sim *sim, struct sim_node *node, enum bft_event_type type)
{
	for (unsigned i = 0; i < sim->nodes; i++) {
		struct sim_node *other = &sim->node[i];
		if (i == node->index || !other->up)
			continue;
		struct bft_event event = {.type = type,
					  .peer = node->index,
					  .is_validator = true,
					  .address = sim->address[node->key]};
		sim_answer(sim, other, 0, &event, CS_BYTES_NONE);
		if (type != BFT_EVENT_PEER_UP)
			continue;
		event.peer = i;
		event.address = sim->address[other->key];
		sim_answer(sim, node, 0, &event, CS_BYTES_NONE);
	}
}

/* What was not synced may be there up to any byte. */
static void lose_tail(struct sim *sim, struct sim_disk *disk)
{
	size_t unsynced = disk->log_size - disk->log_synced;
	disk->log_size = disk->log_synced + (size_t)sim_below(&sim->rng, unsynced + 1);
	if (disk->log_size > disk->log_synced && sim_chance(&sim->rng, 3000))
		disk->log[disk->log_size - 1] ^= 0x55;
}

void sim_node_crash(struct sim *sim, struct sim_node *node)
{
	struct sim_happening again = {.type = SIM_RESTART, .node = node->index};
	sim_trace(sim, "%8.3f node %u crashes\n", (double)sim->now_ns / 1e9, node->index);
	sim->crashes++;
	node->up = false;
	node->life++;
	bft_free(node->bft);
	node->bft = NULL;
	lose_tail(sim, &node->disk);
	tell_peers(sim, node, BFT_EVENT_PEER_DOWN);
	sim_schedule(sim, (int64_t)sim_below(&sim->rng, 2000) * MS, &again);
}

static void recover_app(struct sim *sim, struct sim_node *node, int64_t state_height)
{
	struct sim_disk *disk = &node->disk;
	enum bft_recovery what = bft_recover(state_height, disk->stored, disk->app.height);
	if (what == BFT_RECOVER_IMPOSSIBLE)
		sim_fail(sim, "node %u: state %" PRId64 " store %" PRId64 " app %" PRId64,
			 node->index, state_height, disk->stored, disk->app.height);
	while (sim->failure[0] == 0 && disk->app.height < state_height) {
		const struct sim_block *block = &disk->blocks[disk->app.height + 1];
		sim_app_commit(sim, node, cs_bytes(block->bytes, block->size));
		sim_check_app(sim, node, disk->app.height, &disk->app.hash);
	}
}

static void load_signer(struct sim *sim, struct sim_node *node)
{
	bool damaged = false;
	enum cs_err err = bft_sign_state_load(&node->signed_last, &node->slot_next, &damaged,
					      CS_BYTES_OF(node->disk.slots[0]),
					      CS_BYTES_OF(node->disk.slots[1]));
	if (err == CS_ERR_NOT_FOUND) {
		bft_sign_state_init(&node->signed_last);
		node->slot_next = 0;
	} else if (err != CS_OK) {
		sim_fail(sim, "node %u: the signer's state does not load", node->index);
	}
}

/* A damaged log is what a person is asked about; here the person takes it away, and the signer's
 * lock and the peers must do. */
static void replay_log(struct sim *sim, struct sim_node *node)
{
	struct sim_disk *disk = &node->disk;
	struct bft_wal_record record;
	size_t good = 0, offset = 0;
	struct cs_bytes log = cs_bytes(disk->log, disk->log_size);
	enum bft_wal_verdict verdict = bft_wal_check(&good, log);
	if (verdict == BFT_WAL_DAMAGED) {
		sim_trace(sim, "%8.3f node %u log damaged at %zu\n", (double)sim->now_ns / 1e9,
			  node->index, good);
		good = 0;
	}
	log_cut(node, good);
	log.n = good;
	while (bft_wal_get(&record, &offset, log) == CS_OK) {
		if (record.type != BFT_WAL_EVENT)
			continue;
		enum cs_err err = bft_replay(node->bft, record.bytes);
		if (err != CS_OK)
			sim_fail(sim, "node %u: replay: %s", node->index, cs_err_name(err));
	}
}

static void forget_block(struct sim_block *block)
{
	free(block->bytes);
	free(block->commit);
	free(block->validators);
	free(block->state);
	free(block->evidence);
	*block = (struct sim_block){0};
}

/* One to three heights back, without a log; what the key has signed stays known. */
static void roll_back(struct sim *sim, struct sim_node *node)
{
	struct sim_disk *disk = &node->disk;
	int64_t to = disk->stored - 1 - (int64_t)sim_below(&sim->rng, 3);
	if (to < 0)
		return;
	const struct sim_block *last = &disk->blocks[to];
	cs_assert(to == 0 || (last->state != NULL && sim->has_app_hash[to]));
	sim_trace(sim, "%8.3f node %u goes back to %" PRId64 "\n", (double)sim->now_ns / 1e9,
		  node->index, to);
	sim->restores++;
	for (int64_t height = to + 1; height <= disk->stored; height++)
		forget_block(&disk->blocks[height]);
	if (to > 0)
		memcpy(disk->state, last->state, last->state_size);
	disk->state_size = last->state_size;
	disk->stored = to;
	sim_app_take_back(sim, node, to);
	log_cut(node, 0);
}

static void damage(struct sim *sim, struct sim_node *node)
{
	struct sim_disk *disk = &node->disk;
	struct sim_backup *backup = &node->backup;
	if (!node->bad_disk)
		return;
	if (node->disk_fault == SIM_DISK_OLD_DATA) {
		if (sim_chance(&sim->rng, sim->faults.roll_back))
			roll_back(sim, node);
		return;
	}
	if (node->disk_fault == SIM_DISK_FLIPS && disk->log_size > 0 &&
	    sim_chance(&sim->rng, sim->faults.flip)) {
		size_t at = (size_t)sim_below(&sim->rng, disk->log_size);
		disk->log[at] ^= (uint8_t)(1u << sim_below(&sim->rng, 8));
	}
	if (node->disk_fault != SIM_DISK_FLIPS && backup->taken &&
	    sim_chance(&sim->rng, sim->faults.restore)) {
		sim->restores++;
		sim_trace(sim, "%8.3f node %u restores a backup\n", (double)sim->now_ns / 1e9,
			  node->index);
		if (node->disk_fault != SIM_DISK_OLD_LOG)
			memcpy(disk->slots, backup->slots, sizeof disk->slots);
		if (node->disk_fault != SIM_DISK_OLD_SLOTS && disk->log != NULL) {
			memcpy(disk->log, backup->log, backup->log_size);
			log_cut(node, backup->log_size);
		}
	}
	if (!backup->taken && sim->faults.restore > 0 && disk->log_size > 0) {
		backup->taken = true;
		memcpy(backup->slots, disk->slots, sizeof backup->slots);
		backup->log = malloc(disk->log_size);
		cs_assert(backup->log != NULL);
		memcpy(backup->log, disk->log, disk->log_size);
		backup->log_size = disk->log_size;
	}
}

void sim_node_start(struct sim *sim, struct sim_node *node)
{
	struct bft_state state;
	struct bft_config config = sim->config;
	struct sim_disk *disk = &node->disk;
	damage(sim, node);
	bft_state_init(&state);
	if (disk->state_size == 0)
		bft_state_copy(&state, &sim->genesis);
	else
		cs_assert(bft_state_decode(&state, cs_bytes(disk->state, disk->state_size),
					   &sim->scratch, NULL) == CS_OK);
	const struct sim_block *last = &disk->blocks[state.last_height];
	sim_app_start(sim, node);
	recover_app(sim, node, state.last_height);
	config.has_key = true;
	config.key = sim->key[node->key];
	config.history = sim_history(node);
	enum cs_err err =
		bft_new(&node->bft, &config, &state, cs_bytes(last->commit, last->commit_size));
	if (err != CS_OK) {
		sim_fail(sim, "node %u does not start: %s", node->index, cs_err_name(err));
		return;
	}
	node->up = true;
	load_signer(sim, node);
	replay_log(sim, node);
	if (!node->bad_disk)
		sim_check_replay(sim, node);
	bft_set_sign_state(node->bft, &node->signed_last);
	struct bft_view view = bft_look(node->bft);
	sim_trace(sim, "%8.3f node %u starts at %" PRId64 "/%d/%d locked %d\n",
		  (double)sim->now_ns / 1e9, node->index, view.height, view.round, (int)view.step,
		  view.locked_round);
	struct bft_event event = {.type = BFT_EVENT_START};
	tell_peers(sim, node, BFT_EVENT_PEER_UP);
	sim_node_event(sim, node, &event);
	offer_txs(sim, node);
	if (node->up && disk->stored > state.last_height) {
		struct bft_effect own = {.height = disk->stored, .peer = BFT_PEER_NONE};
		load(sim, node, &own);
	}
	node->stored_at_start = disk->stored;
	if (node->up)
		sim_evidence_bring(sim, node);
}

void sim_node_free(struct sim_node *node)
{
	bft_free(node->bft);
	sim_app_free(node);
	free(node->disk.log);
	free(node->backup.log);
	sim_evidence_free(&node->disk);
	for (size_t i = 0; i < SIM_HEIGHTS_MAX; i++)
		forget_block(&node->disk.blocks[i]);
}
