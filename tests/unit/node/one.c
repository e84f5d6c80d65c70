#include "tests/unit/node/one.h"

#include "core/hash.h"
#include "relay_state/bft/message.h"
#include "relay_state/bft/record.h"
#include "relay_state/bft/wal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW_NS 1700000000000000000ll

static void new_app(struct one *one)
{
	const struct abci_kvstore_options options = {.memory = one->app_memory,
						     .memory_size = sizeof one->app_memory,
						     .retain_blocks = one->retain_blocks};
	cs_assert(abci_kvstore_init(one->kvstore, &options) == CS_OK);
}

static void make_genesis(struct one *one)
{
	struct bft_genesis genesis = {.chain_id = cs_bytes_str("one"), .initial_height = 1};
	struct cmt_validator validator;
	memset(one->key.b, 7, sizeof one->key.b);
	cs_assert(cs_ed25519_public(&one->public_key, &one->key) == CS_OK);
	validator = cmt_validator_of(&one->public_key, 10);
	genesis.time = bft_time_pb(NOW_NS);
	genesis.params = cmt_params_default();
	genesis.params.block_size_max = 64 * 1024;
	genesis.params.evidence_size_max = 16 * 1024;
	genesis.params.extensions_from = 2;
	genesis.validators = &validator;
	genesis.count = 1;
	bft_state_init(&one->genesis);
	cs_assert(bft_state_genesis(&one->genesis, &genesis, &one->scratch, NULL) == CS_OK);
}

void one_init(struct one *one, uint64_t seed)
{
	static unsigned count;
	const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	memset(one, 0, sizeof *one);
	faulty_init(&one->disk_of, seed);
	(void)snprintf(one->index_path, sizeof one->index_path, "%s/caisson-node-%d-%u", folder,
		       (int)getpid(), count++);
	one_forget_index(one);
	one->kvstore = calloc(1, sizeof *one->kvstore);
	cs_assert(one->kvstore != NULL);
	cs_arena_init(&one->scratch, one->scratch_memory, sizeof one->scratch_memory);
	one->now_ns = NOW_NS;
	make_genesis(one);
}

void one_forget_index(struct one *one)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char path[128];
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		(void)snprintf(path, sizeof path, "%s%s", one->index_path, ends[i]);
		(void)unlink(path);
	}
}

void one_done(struct one *one)
{
	one_stop(one);
	one_forget_index(one);
	faulty_done(&one->disk_of);
	free(one->kvstore);
}

/* ---- the application ---- */

static enum cs_err finalize(struct one *one, struct cs_bytes bytes, bool is_replay)
{
	struct abci_app app = abci_kvstore_app(one->kvstore);
	struct abci_finalize_block_request request = {0};
	struct abci_finalize_block_response response = {0};
	struct cmt_tx_result results[8];
	struct cmt_block block;
	struct abci_call call = {&one->scratch, &one->why};
	cs_assert(cmt_block_decode(&block, bytes, &one->scratch, NULL) == CS_OK);
	request.height = block.header.height;
	request.txs.items = block.txs;
	request.txs.count = block.tx_count;
	cs_assert(app.finalize_block(app.state, &request, &response, &call) == CS_OK);
	cs_assert(response.tx_results.count <= CS_LEN(results));
	for (size_t i = 0; i < response.tx_results.count; i++) {
		const struct abci_tx_result *r = &response.tx_results.items[i];
		results[i] = (struct cmt_tx_result){r->code, r->data, r->gas_wanted, r->gas_used};
	}
	cs_assert(cmt_results_hash(&one->finalized.results_hash, results, response.tx_results.count,
				   &one->scratch) == CS_OK);
	cs_assert(response.app_hash.n <= sizeof one->app_hash);
	memcpy(one->app_hash, response.app_hash.p, response.app_hash.n);
	one->finalized.app_hash = cs_bytes(one->app_hash, response.app_hash.n);
	return is_replay ? CS_OK : node_disk_results(one->disk, block.header.height, &response);
}

static void commit(struct one *one)
{
	struct abci_app app = abci_kvstore_app(one->kvstore);
	struct abci_commit_response response = {0};
	struct abci_call call = {&one->scratch, &one->why};
	cs_assert(app.commit(app.state, &response, &call) == CS_OK);
	if (one->disk != NULL)
		node_disk_let_go(one->disk, response.retain_height);
}

static enum cs_err replay_app(struct one *one, int64_t height)
{
	struct node_stored_block block;
	if (one->retain_blocks == 0)
		new_app(one);
	while (one->kvstore->height < height) {
		CS_TRY(node_store_block(node_disk_store(one->disk), &block,
					one->kvstore->height + 1, &one->why));
		one->scratch.used = 0;
		CS_TRY(finalize(one, block.block, true));
		commit(one);
	}
	return CS_OK;
}

/* ---- what was promised ---- */

static const char *check_blocks(struct one *one, bool is_tail_lost)
{
	struct node_store *store = node_disk_store(one->disk);
	struct node_store_found now = node_store_look(store);
	struct node_stored_block block;
	struct cs_bytes state, results;
	int64_t from = now.base > 0 ? now.base : 1;
	if (now.height < one->state_max)
		return "a state is missing";
	if (now.stored < one->stored_max && !is_tail_lost)
		return "a block is missing";
	for (int64_t h = from; h <= one->stored_max && h <= now.stored; h++) {
		if (node_store_block(store, &block, h, &one->why) != CS_OK)
			return "a block does not read";
		if (!cmt_block_id_eq(&block.id, &one->stored[h]))
			return "another block";
	}
	for (int64_t h = from; h <= one->state_max; h++) {
		if (node_store_outcome(store, &state, &results, h, &one->why) != CS_OK)
			return "a state does not read";
		struct cs_hash hash = cs_sha256(state);
		if (!cs_hash_eq(&hash, &one->state_hash[h]))
			return "another state";
	}
	return NULL;
}

struct reading {
	struct one *one;
	size_t at;
	bool is_other;
	bool is_learning; /* from now on this is what was promised */
};

static void read_log(struct reading *r, struct cs_bytes log)
{
	struct bft_wal_record record;
	size_t offset = 0;
	while (bft_wal_get(&record, &offset, log) == CS_OK) {
		struct bft_event event;
		int64_t height = 0;
		if (record.type != BFT_WAL_EVENT ||
		    bft_record_decode(&event, &height, record.bytes) != CS_OK ||
		    height != r->one->log_height)
			continue;
		struct cs_hash hash = cs_sha256(record.bytes);
		if (r->is_learning && r->at < ONE_RECORDS_MAX)
			r->one->records[r->at] = hash;
		if (r->at < r->one->synced_count && !cs_hash_eq(&hash, &r->one->records[r->at]))
			r->is_other = true;
		r->at++;
	}
}

static void read_logs(struct reading *r)
{
	for (uint32_t i = 1; i < 100; i++) {
		char name[NODE_FILE_NAME_MAX];
		node_file_name(name, "log-", i);
		read_log(r, faulty_look(&r->one->disk_of, name));
	}
}

static const char *check_log(struct one *one)
{
	struct reading r = {.one = one};
	if (node_store_look(node_disk_store(one->disk)).height >= one->log_height)
		return NULL;
	read_logs(&r);
	if (r.is_other)
		return "the log has other records";
	return r.at < one->synced_count ? "records of the log are missing" : NULL;
}

static const char *check_signed(struct one *one)
{
	const struct bft_sign_state *s = node_disk_signed(one->disk);
	const struct one_signed *last = &one->signed_last;
	bool is_there =
		s->height > last->height ||
		(s->height == last->height &&
		 (s->round > last->round || (s->round == last->round && s->step >= last->step)));
	if (is_there)
		return NULL;
	if (!one->is_bit_flipped || !node_disk_found(one->disk)->is_sign_slot_lost)
		return "the last-sign state is older than what was signed";
	/* The log has what left; has_signed_twice goes on watching. */
	return NULL;
}

static const char *check(struct one *one)
{
	/* With the power the marks behind the last sync may have gone, and then a bit that turned
	 * in front of them cannot be told from a torn tail: store.c. */
	bool is_tail_lost = one->is_bit_flipped && one->has_lost_power;
	const char *wrong = check_blocks(one, is_tail_lost);
	if (wrong == NULL && !is_tail_lost)
		wrong = check_log(one);
	if (wrong == NULL)
		wrong = check_signed(one);
	return wrong;
}

/* What was found may be more than what was confirmed, and is durable now. */
static void learn(struct one *one)
{
	struct reading r = {.one = one, .is_learning = true};
	struct node_store *store = node_disk_store(one->disk);
	struct node_store_found now = node_store_look(store);
	struct node_stored_block block;
	struct cs_bytes state, results;
	while (one->stored_max < now.stored) {
		cs_assert(node_store_block(store, &block, ++one->stored_max, NULL) == CS_OK);
		one->stored[one->stored_max] = block.id;
	}
	while (one->state_max < now.height) {
		cs_assert(node_store_outcome(store, &state, &results, ++one->state_max, NULL) ==
			  CS_OK);
		one->state_hash[one->state_max] = cs_sha256(state);
	}
	const struct bft_sign_state *signed_last = node_disk_signed(one->disk);
	one->signed_last = (struct one_signed){signed_last->step, signed_last->height,
					       signed_last->round, signed_last->block_id};
	one->stored_max = now.stored;
	one->synced_count = 0;
	one->log_height = now.height + 1;
	read_logs(&r);
	one->record_count = one->synced_count = r.at;
}

/* ---- one life ---- */

static void answer(struct one *one, const struct bft_event *event, struct cs_bytes bytes)
{
	cs_assert(one->queue_end - one->queue_begin < ONE_QUEUE_MAX);
	struct one_answer *a = &one->queue[one->queue_end++ % ONE_QUEUE_MAX];
	a->event = *event;
	a->n = bytes.n;
	cs_assert(bytes.n <= sizeof a->bytes);
	if (bytes.n > 0)
		memcpy(a->bytes, bytes.p, bytes.n);
}

static void note_sent(struct one *one, const struct one_signed *new)
{
	for (size_t i = 0; i < one->sent_count; i++) {
		const struct one_signed *s = &one->sent[i];
		if (s->height == new->height && s->round == new->round && s->step == new->step) {
			if (!cmt_block_id_eq(&s->id, &new->id))
				one->has_signed_twice = true;
			return;
		}
	}
	cs_assert(one->sent_count < ONE_SENT_MAX);
	one->sent[one->sent_count++] = *new;
}

static void send(struct one *one, const struct bft_effect *effect)
{
	struct bft_message m;
	cs_assert(bft_message_decode(&m, effect->bytes) == CS_OK);
	if (m.type == BFT_MESSAGE_VOTE)
		note_sent(one, &(struct one_signed){m.vote.type == CMT_PREVOTE ? BFT_SIGN_PREVOTE
									       : BFT_SIGN_PRECOMMIT,
						    m.vote.height, m.vote.round, m.vote.block_id});
	if (m.type == BFT_MESSAGE_PROPOSAL)
		note_sent(one, &(struct one_signed){BFT_SIGN_PROPOSAL, m.proposal.height,
						    m.proposal.round, m.proposal.block_id});
}

static enum cs_err sign(struct one *one, const struct bft_effect *effect)
{
	struct bft_event event;
	CS_TRY(node_disk_sign(one->disk, &event, effect, &one->key, &one->why));
	if (event.type == BFT_EVENT_SIGNED)
		one->signed_last = (struct one_signed){effect->sign.step, effect->sign.height,
						       effect->sign.round, effect->sign.block_id};
	answer(one, &event, event.extension);
	return CS_OK;
}

static void note_promise(struct one *one, const struct bft_effect *effect)
{
	int64_t h = effect->height;
	struct cs_bytes state, results;
	struct bft_view view = bft_look(one->bft);
	switch ((int)effect->type) {
	case BFT_EFFECT_LOG:
		if (one->log_height != view.height) {
			one->log_height = view.height;
			one->record_count = one->synced_count = 0;
		}
		cs_assert(one->record_count < ONE_RECORDS_MAX);
		one->records[one->record_count++] = cs_sha256(effect->bytes);
		break;
	case BFT_EFFECT_SYNC:
		one->synced_count = one->record_count;
		break;
	case BFT_EFFECT_STORE:
		one->stored_max = h;
		one->stored[h] = effect->block_id;
		break;
	case BFT_EFFECT_SAVE_STATE:
		cs_assert(node_store_outcome(node_disk_store(one->disk), &state, &results, h,
					     NULL) == CS_OK);
		one->state_max = h;
		one->state_hash[h] = cs_sha256(state);
		break;
	default:
		break;
	}
}

static enum cs_err ask_app(struct one *one, const struct bft_effect *effect)
{
	struct bft_event event = {
		.height = effect->height, .round = effect->round, .hash = effect->hash};
	one->scratch.used = 0;
	switch ((int)effect->type) {
	case BFT_EFFECT_PREPARE:
		(void)snprintf(one->tx, sizeof one->tx, "k%d=v%u", (int)effect->height, one->life);
		one->tx_view = cs_bytes_str(one->tx);
		event.type = BFT_EVENT_PREPARED;
		event.txs = &one->tx_view;
		event.tx_count = 1;
		break;
	case BFT_EFFECT_PROCESS:
		event.type = BFT_EVENT_PROCESSED;
		event.accepted = true;
		break;
	case BFT_EFFECT_EXTEND:
		event.type = BFT_EVENT_EXTENDED;
		answer(one, &event, cs_bytes_str("extension"));
		return CS_OK;
	case BFT_EFFECT_VERIFY_EXTENSION:
		event.type = BFT_EVENT_EXTENSION_VERIFIED;
		event.index = effect->index;
		event.accepted = true;
		break;
	case BFT_EFFECT_FINALIZE:
		event.type = BFT_EVENT_FINALIZED;
		event.finalized = &one->finalized;
		CS_TRY(finalize(one, effect->bytes, false));
		break;
	default:
		event.type = BFT_EVENT_COMMITTED;
		commit(one);
		break;
	}
	answer(one, &event, CS_BYTES_NONE);
	return CS_OK;
}

static enum cs_err execute(struct one *one, const struct bft_effect *effect)
{
	if (node_disk_takes(effect->type)) {
		CS_TRY(node_disk_execute(one->disk, effect, one->bft, &one->why));
		note_promise(one, effect);
	}
	switch (effect->type) {
	case BFT_EFFECT_SIGN:
		return sign(one, effect);
	case BFT_EFFECT_PREPARE:
	case BFT_EFFECT_PROCESS:
	case BFT_EFFECT_EXTEND:
	case BFT_EFFECT_VERIFY_EXTENSION:
	case BFT_EFFECT_FINALIZE:
	case BFT_EFFECT_COMMIT:
		return ask_app(one, effect);
	case BFT_EFFECT_HALT:
		return cs_fail(&one->why, CS_ERR_CLOSED, "halt: %s", effect->why);
	case BFT_EFFECT_CONTINUE:
		answer(one, &(struct bft_event){.type = BFT_EVENT_CONTINUE}, CS_BYTES_NONE);
		return CS_OK;
	case BFT_EFFECT_SEND:
		send(one, effect);
		return CS_OK;
	case BFT_EFFECT_TIMER:
		one->timers[effect->timer] = *effect;
		return CS_OK;
	case BFT_EFFECT_LOG:
	case BFT_EFFECT_SYNC:
	case BFT_EFFECT_RAISE:
	case BFT_EFFECT_STORE:
	case BFT_EFFECT_SAVE_STATE:
	case BFT_EFFECT_LOAD:
	case BFT_EFFECT_PEER_FAULT:
	case BFT_EFFECT_EVIDENCE:
	case BFT_EFFECT_ALARM:
		return CS_OK;
	}
	return CS_OK;
}

static enum cs_err step(struct one *one, const struct bft_event *given)
{
	const struct bft_effects *effects;
	struct bft_event event = *given;
	event.now_ns = one->now_ns += 1000000;
	CS_TRY(bft_step(one->bft, &event, &effects));
	for (size_t i = 0; i < effects->count; i++)
		CS_TRY(execute(one, &effects->items[i]));
	return CS_OK;
}

/* Nothing else is to come: the shortest timer but that of the status, which brings nothing to one
 * who is alone. */
static bool fire(struct one *one)
{
	struct bft_effect *first = NULL;
	for (int i = BFT_TIMER_COMMIT; i < BFT_TIMER_STATUS; i++) {
		struct bft_effect *timer = &one->timers[i];
		if ((int)timer->type != 0 && (first == NULL || timer->delay_ns < first->delay_ns))
			first = timer;
	}
	if (first == NULL)
		return false;
	struct bft_event event = {.type = BFT_EVENT_TIMEOUT,
				  .height = first->height,
				  .round = first->round,
				  .timer = first->timer};
	first->type = 0;
	answer(one, &event, CS_BYTES_NONE);
	return true;
}

enum cs_err one_run(struct one *one, int64_t height)
{
	enum cs_err err = CS_OK;
	/* Two rounds' worth of steps for each height are more than one validator takes. */
	for (size_t steps = 0; err == CS_OK && one->state_max < height; steps++) {
		if ((one->queue_begin == one->queue_end && !fire(one)) || steps > 4096)
			return cs_fail(&one->why, CS_ERR_TIMEOUT, "the engine waits");
		struct one_answer a = one->queue[one->queue_begin++ % ONE_QUEUE_MAX];
		if (a.event.type == BFT_EVENT_EXTENDED)
			a.event.bytes = cs_bytes(a.bytes, a.n);
		if (a.event.type == BFT_EVENT_SIGNED)
			a.event.extension = cs_bytes(a.bytes, a.n);
		err = step(one, &a.event);
	}
	return err;
}

static enum cs_err new_engine(struct one *one)
{
	const struct node_disk_found *found = node_disk_found(one->disk);
	struct bft_config config = {
		.block_size_max = 64 * 1024,
		.propose_ns = 1000,
		.prevote_ns = 1000,
		.precommit_ns = 1000,
		.status_ns = 1000,
		.has_key = true,
		.key = one->public_key,
		.history = node_disk_history(one->disk),
	};
	CS_TRY(bft_new(&one->bft, &config, found->has_state ? found->state : &one->genesis,
		       found->last_commit));
	return node_disk_restore(one->disk, one->bft, &one->why);
}

static enum cs_err start(struct one *one)
{
	const struct node_disk_options options = {.folder = &one->disk_of.folder,
						  .index_path = one->index_path,
						  .initial_height = 1,
						  .chain_id = &one->genesis.chain_id,
						  .genesis_hash = &one->genesis_hash,
						  .segment_size = one->segment_size,
						  .log_size = one->log_size,
						  .log_size_max = one->log_size_max,
						  .check_all = one->check_all};
	CS_TRY(node_disk_open(&one->disk, &options, &one->why));
	one->wrong = check(one);
	learn(one);
	const struct node_disk_found *found = node_disk_found(one->disk);
	CS_TRY(replay_app(one, found->has_state ? found->state->last_height : 0));
	if (found->has_state &&
	    !cs_bytes_eq(cs_bytes(found->state->app_hash, found->state->app_hash_size),
			 one->finalized.app_hash) &&
	    one->retain_blocks == 0)
		return cs_fail(&one->why, CS_ERR_CONFLICT, "another application hash");
	return new_engine(one);
}

enum cs_err one_start(struct one *one)
{
	struct bft_event event = {.type = BFT_EVENT_START};
	if (one->life++ == 0)
		new_app(one);
	one->queue_begin = one->queue_end = 0;
	memset(one->timers, 0, sizeof one->timers);
	enum cs_err err = start(one);
	if (err != CS_OK) {
		one_stop(one);
		return err;
	}
	answer(one, &event, CS_BYTES_NONE);
	int64_t height = bft_state_view(one->bft)->last_height;
	int64_t stored = node_disk_found(one->disk)->stored;
	if (stored <= height)
		return CS_OK;
	/* The block is larger than an answer of the queue: both steps at once. */
	one->queue_begin++;
	err = step(one, &event);
	if (err == CS_OK)
		err = node_disk_load(one->disk, &event, stored, BFT_PEER_NONE, &one->why);
	if (err == CS_OK)
		err = step(one, &event);
	if (err != CS_OK)
		one_stop(one);
	return err;
}

void one_stop(struct one *one)
{
	bft_free(one->bft);
	node_disk_close(one->disk);
	one->bft = NULL;
	one->disk = NULL;
}
