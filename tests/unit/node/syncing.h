/* A chain of four validators made here, three of whom are peers over real connections and may lie, the
 * kvstore at both ends, and a state sync between them. */
#ifndef TESTS_UNIT_NODE_SYNCING_H
#define TESTS_UNIT_NODE_SYNCING_H

#include "core/hash.h"
#include "host/alloc.h"
#include "relay_state/abci/kvstore_snapshot.h"
#include "relay_state/node/statesync.h"
#include "tests/unit/bft/lab.h"
#include "tests/unit/support.h"
#include "verify/cometbft/light_block.h"

#include <stdio.h>

#define HEIGHTS 12
#define SERVERS 3
#define DEADLINE_MS 60000u
#define VALUE_SIZE (100u * 1024)
#define STORE_SIZE (4u * 1024 * 1024)
#define SNAPSHOTS_SIZE (16u * 1024 * 1024)
#define ALWAYS_S (50ull * 365 * 86400) /* the chain is of 2023 */

enum lie {
	HONEST = 0,
	LIE_CHUNK,    /* other bytes */
	LIE_NO_CHUNK, /* has none after all */
	LIE_SILENT,   /* no answer to chunks */
	LIE_AWAY,     /* leaves at the second chunk */
	LIE_LIGHT,    /* a light block with another application hash */
	LIE_ANCHOR,   /* another block at trust_height */
	LIE_NO_LIGHT, /* none above trust_height */
	LIE_STATE,    /* other priorities */
	LIE_STATE_HASH,
	LIE_BLOCK,
	LIE_CONTENT, /* a snapshot of another store */
	LIE_FORMAT,  /* a higher format */
	LIE_RUBBISH, /* bytes that are no message */
};

struct height {
	uint8_t *block, *commit, *state, *light;
	size_t block_size, commit_size, state_size, light_size;
	struct cs_pb_time time;
	struct cs_hash hash;
};

struct kv {
	struct abci_kvstore *store;
	struct abci_kvstore_snapshots snapshots;
	struct abci_app app;
	void *memory, *snapshot_memory;
};

struct scene;

struct server {
	struct scene *scene;
	struct node_key node_key, validator_key;
	struct node_peers *peers;
	enum lie lie;
	unsigned chunks, lies;
	bool is_gone;
};

struct scene {
	struct lab *lab;
	struct height heights[HEIGHTS + 1];
	int64_t evidence_at; /* this block carries two votes about the one two below; 0: none does */
	struct kv source, evil, target;
	struct host_loop *loop;
	struct server servers[SERVERS];
	struct node_key node_key;
	struct node_genesis genesis;
	struct node_application *application;
	struct node_statesync *sync;
	struct node_statesync_options options;
	struct cs_arena arena;
	uint8_t *memory;
	unsigned offers, applies;
	enum abci_offer_snapshot_result offer_result; /* not 0: the next answer */
	enum abci_apply_chunk_result apply_result;
	int64_t info_height;
	bool is_done;
	enum cs_err err;
	char why[160];
	int64_t done_height;
	struct cs_hash done_state;
};

/* ---- the chain ---- */

static inline void make_kv(struct kv *kv, int64_t interval)
{
	struct abci_kvstore_options options = {.memory_size = STORE_SIZE};
	struct abci_kvstore_snapshots_options snapshots = {.memory_size = SNAPSHOTS_SIZE,
							   .interval = interval};
	kv->store = host_alloc(sizeof *kv->store);
	kv->memory = options.memory = host_alloc(STORE_SIZE);
	kv->snapshot_memory = snapshots.memory = host_alloc(SNAPSHOTS_SIZE);
	assert_ok(abci_kvstore_init(kv->store, &options));
	assert_ok(abci_kvstore_snapshots_init(&kv->snapshots, &kv->app, kv->store, &snapshots));
}

static inline void end_kv(struct kv *kv)
{
	free(kv->store);
	free(kv->memory);
	free(kv->snapshot_memory);
}

static inline struct abci_response ask(struct scene *s, struct kv *kv,
				       const struct abci_request *request)
{
	struct abci_response response;
	assert_ok(abci_app_call(&kv->app, request, &response, &s->arena, NULL));
	return response;
}

static inline struct cs_bytes tx_of(int64_t height)
{
	static char tx[VALUE_SIZE];
	memset(tx, 'a' + (int)height, sizeof tx);
	(void)snprintf(tx, sizeof tx, "key%d=", (int)height);
	tx[strlen(tx)] = 'v';
	return cs_bytes(tx, sizeof tx);
}

static inline struct bft_finalized execute(struct scene *s, struct kv *kv, int64_t height,
					   struct cs_bytes tx)
{
	struct abci_request request = {.method = ABCI_FINALIZE_BLOCK};
	const struct abci_request commit = {.method = ABCI_COMMIT};
	struct bft_finalized finalized = {.updates = NULL};
	request.finalize_block.height = height;
	request.finalize_block.txs = (struct abci_bytes_list){&tx, 1};
	struct abci_response r = ask(s, kv, &request);
	const struct abci_tx_result *t = r.finalize_block.tx_results.items;
	const struct cmt_tx_result result = {t->code, t->data, t->gas_wanted, t->gas_used};
	assert_ok(cmt_results_hash(&finalized.results_hash, &result, 1, &s->arena));
	finalized.app_hash = r.finalize_block.app_hash;
	ask(s, kv, &commit);
	return finalized;
}

static inline void sign_commit(struct lab *lab, struct cmt_commit *commit,
			       struct cmt_commit_sig *sigs, int64_t height,
			       const struct cmt_block_id *id)
{
	*commit = (struct cmt_commit){height, 0, *id, sigs, LAB_KEYS};
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		struct cmt_vote vote = {.type = CMT_PRECOMMIT, .height = height, .block_id = *id};
		uint8_t bytes[CMT_SIGN_BYTES_MAX];
		struct cs_buf buf;
		vote.time = bft_time_pb(LAB_NOW + height * 1000000000ll);
		vote.validator = cmt_address(&lab->key[i]);
		vote.index = (int32_t)i;
		cs_buf_init(&buf, bytes, sizeof bytes);
		cmt_vote_sign_bytes(&buf, &vote, &lab->state.chain_id);
		vote.signature.some = true;
		assert_ok(cs_ed25519_sign(vote.signature.b, &lab->secret[i], cs_buf_view(&buf)));
		sigs[i] = cmt_commit_sig_of(&vote);
	}
}

static inline uint8_t *kept(const struct cs_buf *buf, size_t *size)
{
	assert_ok(cs_buf_end(buf));
	*size = buf->n;
	return host_copy(cs_buf_view(buf));
}

/* Two precommits of one validator for a height that is made, neither for its block. */
static inline void make_pair(struct scene *s, struct cmt_evidence *evidence, unsigned validator,
			     int64_t height)
{
	struct lab *lab = s->lab;
	struct cmt_vote votes[2];
	for (uint8_t i = 0; i < 2; i++) {
		struct cmt_vote *vote = &votes[i];
		uint8_t bytes[CMT_SIGN_BYTES_MAX];
		const struct cs_hash hash = cs_sha256(cs_bytes(&i, 1));
		struct cs_buf buf;
		*vote = (struct cmt_vote){.type = CMT_PRECOMMIT, .height = height};
		vote->block_id = (struct cmt_block_id){cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}};
		vote->time = s->heights[height].time;
		vote->validator = cmt_address(&lab->key[validator]);
		vote->index = (int32_t)validator;
		cs_buf_init(&buf, bytes, sizeof bytes);
		cmt_vote_sign_bytes(&buf, vote, &lab->state.chain_id);
		vote->signature.some = true;
		assert_ok(cs_ed25519_sign(vote->signature.b, &lab->secret[validator],
					  cs_buf_view(&buf)));
	}
	evidence->kind = CMT_DUPLICATE_VOTE;
	assert_ok(cmt_duplicate_vote_make(&evidence->duplicate_vote, &votes[0], &votes[1],
					  &lab->state.now.set, s->heights[height].time));
}

static inline void make_height(struct scene *s, int64_t height, struct cmt_commit *last)
{
	static uint8_t bytes[1024 * 1024];
	struct lab *lab = s->lab;
	struct height *h = &s->heights[height];
	struct cmt_block block = {.last_commit = *last};
	struct cs_bytes tx = tx_of(height);
	struct cmt_part_set parts;
	struct cmt_evidence evidence;
	struct cs_address proposer = cmt_address(&lab->key[0]);
	struct cs_buf buf;
	assert_ok(bft_state_header(&block.header, &lab->state, last, &proposer));
	block.txs = &tx;
	block.tx_count = 1;
	if (height == s->evidence_at) {
		make_pair(s, &evidence, 1, height - 2);
		block.evidence = &evidence;
		block.evidence_count = 1;
	}
	assert_ok(cmt_block_fill_hashes(&block, &s->arena));
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_block_encode(&buf, &block);
	h->block = kept(&buf, &h->block_size);
	assert_ok(cmt_part_set_make(&parts, cs_bytes(h->block, h->block_size), &s->arena));
	h->hash = cmt_header_hash(&block.header);
	h->time = block.header.time;
	const struct cmt_block_id id = {cmt_hash_of(&h->hash), parts.header};
	sign_commit(lab, last, last->sigs, height, &id);
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_extended_commit_encode(&buf, last);
	h->commit = kept(&buf, &h->commit_size);
	const struct cmt_light_block light = {block.header, *last, lab->state.now.set};
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_light_block_encode(&buf, &light);
	h->light = kept(&buf, &h->light_size);
	struct bft_finalized finalized = execute(s, &s->source, height, tx);
	(void)execute(s, &s->evil, height, cs_bytes_str("evil=yes"));
	assert_ok(bft_state_apply(&lab->state, &id, &block.header, &finalized, &s->arena, NULL));
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_state_encode(&buf, &lab->state);
	h->state = kept(&buf, &h->state_size);
}

static inline void make_chain(struct scene *s)
{
	static struct cmt_commit_sig sigs[LAB_KEYS];
	struct cmt_commit last = {.sigs = sigs};
	s->lab->state.params.app_version = 1; /* as the kvstore's Info says */
	/* One more transaction than the chain has: another application hash. */
	(void)execute(s, &s->evil, 1, cs_bytes_str("more=1"));
	for (int64_t height = 1; height <= HEIGHTS; height++) {
		s->arena.used = 0;
		make_height(s, height, &last);
	}
}

/* ---- a peer ---- */

static inline void answer(struct server *server, uint32_t peer,
			  const struct node_statesync_message *m)
{
	struct cs_buf buf;
	size_t size = node_statesync_size_max(m);
	uint8_t *bytes = host_alloc(size);
	cs_buf_init(&buf, bytes, size);
	node_statesync_encode(&buf, m);
	assert_ok(cs_buf_end(&buf));
	assert_ok(node_peers_send_sync(server->peers, peer, cs_buf_view(&buf)));
	free(bytes);
}

static inline struct kv *kv_of(struct server *server)
{
	return server->lie == LIE_CONTENT ? &server->scene->evil : &server->scene->source;
}

static inline void answer_snapshots(struct server *server, uint32_t peer)
{
	struct node_statesync_message m = {.type = NODE_SNAPSHOTS_ANSWER};
	const struct abci_request request = {.method = ABCI_LIST_SNAPSHOTS};
	struct abci_response r = ask(server->scene, kv_of(server), &request);
	for (size_t i = 0; i < r.list_snapshots.snapshots.count; i++) {
		m.snapshots[i] = r.list_snapshots.snapshots.items[i];
		if (server->lie == LIE_FORMAT)
			m.snapshots[i].format = 7;
	}
	server->lies += server->lie == LIE_FORMAT;
	m.snapshot_count = r.list_snapshots.snapshots.count;
	answer(server, peer, &m);
}

static inline void answer_chunk(struct server *server, uint32_t peer,
				struct node_statesync_message m)
{
	struct abci_request request = {.method = ABCI_LOAD_SNAPSHOT_CHUNK};
	request.load_snapshot_chunk.height = m.height;
	request.load_snapshot_chunk.format = m.format;
	request.load_snapshot_chunk.chunk = m.index;
	m.type = NODE_CHUNK_ANSWER;
	m.bytes = ask(server->scene, kv_of(server), &request).load_snapshot_chunk.chunk;
	server->chunks++;
	server->lies += server->lie == LIE_CHUNK || server->lie == LIE_NO_CHUNK ||
			server->lie == LIE_SILENT;
	if (server->lie == LIE_CHUNK)
		m.bytes = cs_bytes_str("not what it was");
	if (server->lie == LIE_NO_CHUNK)
		m.bytes = CS_BYTES_NONE;
	m.is_missing = m.bytes.n == 0;
	if (server->lie == LIE_AWAY && server->chunks == 2) {
		server->is_gone = true;
		server->lies++;
	}
	if (server->lie != LIE_SILENT && !server->is_gone)
		answer(server, peer, &m);
}

static inline void answer_light(struct server *server, uint32_t peer,
				struct node_statesync_message m)
{
	struct scene *s = server->scene;
	struct cmt_light_block block;
	uint8_t bytes[NODE_LIGHT_BLOCK_SIZE_MAX];
	struct cs_buf buf;
	uint64_t at = m.height;
	m.type = NODE_LIGHT_ANSWER;
	server->lies += server->lie == LIE_NO_LIGHT;
	if (at <= HEIGHTS &&
	    (server->lie != LIE_NO_LIGHT || at == (uint64_t)s->options.trust_height))
		m.bytes = cs_bytes(s->heights[at].light, s->heights[at].light_size);
	enum lie false_here = at == (uint64_t)s->options.trust_height ? LIE_ANCHOR : LIE_LIGHT;
	if (server->lie == false_here && m.bytes.n > 0) {
		server->lies++;
		assert_ok(cmt_light_block_decode(&block, m.bytes, &s->arena, NULL));
		assert_ok(cmt_header_set_app_hash(&block.header, cs_bytes_str("12345678")));
		struct cs_hash hash = cmt_header_hash(&block.header);
		block.commit.block_id.hash = cmt_hash_of(&hash);
		cs_buf_init(&buf, bytes, sizeof bytes);
		cmt_light_block_encode(&buf, &block);
		m.bytes = cs_buf_view(&buf);
	}
	answer(server, peer, &m);
}

static inline void answer_state(struct server *server, uint32_t peer,
				struct node_statesync_message m)
{
	struct scene *s = server->scene;
	const struct height *h = &s->heights[m.height];
	struct bft_state state;
	uint8_t bytes[BFT_STATE_SIZE_MAX];
	struct cs_buf buf;
	m.type = NODE_STATE_ANSWER;
	m.bytes = cs_bytes(h->state, h->state_size);
	if (server->lie == LIE_STATE || server->lie == LIE_STATE_HASH) {
		server->lies++;
		assert_ok(bft_state_decode(&state, m.bytes, &s->arena, NULL));
		if (server->lie == LIE_STATE)
			cmt_validator_set_increment(&state.now.set, 1);
		else
			state.app_hash[0] ^= 2;
		cs_buf_init(&buf, bytes, sizeof bytes);
		bft_state_encode(&buf, &state);
		m.bytes = cs_buf_view(&buf);
	}
	answer(server, peer, &m);
}

static inline void on_sync(void *context, uint32_t peer, struct cs_bytes bytes)
{
	struct server *server = context;
	struct node_statesync_message m;
	assert_ok(node_statesync_decode(&m, bytes));
	size_t mark = cs_arena_mark(&server->scene->arena);
	server->lies += server->lie == LIE_RUBBISH;
	if (server->lie == LIE_RUBBISH && m.type == NODE_SNAPSHOTS_REQUEST)
		assert_ok(node_peers_send_sync(server->peers, peer, cs_bytes_str("rubbish")));
	else if (m.type == NODE_SNAPSHOTS_REQUEST)
		answer_snapshots(server, peer);
	else if (m.type == NODE_CHUNK_REQUEST)
		answer_chunk(server, peer, m);
	else if (m.type == NODE_LIGHT_REQUEST)
		answer_light(server, peer, m);
	else if (m.type == NODE_STATE_REQUEST)
		answer_state(server, peer, m);
	cs_arena_rewind(&server->scene->arena, mark);
}

static inline void on_consensus(void *context, uint32_t peer, struct cs_bytes bytes)
{
	struct server *server = context;
	struct bft_message m, out = {.type = BFT_MESSAGE_BLOCK_ANSWER};
	static uint8_t encoded[1024 * 1024];
	struct cs_buf buf;
	assert_ok(bft_message_decode(&m, bytes));
	assert_int_equal(m.type, BFT_MESSAGE_BLOCK_REQUEST);
	server->lies += server->lie == LIE_BLOCK;
	int64_t at = server->lie == LIE_BLOCK ? m.block_request - 1 : m.block_request;
	const struct height *h = &server->scene->heights[at];
	out.block_answer.height = m.block_request;
	out.block_answer.block = cs_bytes(h->block, h->block_size);
	out.block_answer.commit = cs_bytes(h->commit, h->commit_size);
	cs_buf_init(&buf, encoded, sizeof encoded);
	bft_message_encode(&buf, &out);
	assert_ok(cs_buf_end(&buf));
	node_peers_send(server->peers, peer, cs_buf_view(&buf));
}

static inline void on_up(void *context, uint32_t peer, const struct cs_address *validator)
{
	(void)context, (void)peer, (void)validator;
}

static inline void on_peer(void *context, uint32_t peer)
{
	(void)context, (void)peer;
}

static inline void on_tx(void *context, uint32_t peer, struct cs_bytes tx)
{
	(void)context, (void)peer, (void)tx;
}

static inline struct node_peers_options peers_options(struct scene *s, const struct node_key *key)
{
	return (struct node_peers_options){.listen = "tcp://127.0.0.1:0",
					   .unknown_max = 4,
					   .node_key = key,
					   .chain_id = &s->genesis.chain_id,
					   .genesis_hash = &s->genesis.hash,
					   .moniker = "test"};
}

static inline void open_server(struct scene *s, unsigned i)
{
	static const struct node_peers_events events = {on_up, on_peer, on_consensus,
							on_tx, on_peer, on_sync};
	struct server *server = &s->servers[i];
	struct node_peers_options options = peers_options(s, &server->node_key);
	server->scene = s;
	assert_ok(node_key_make(&server->node_key, NULL));
	server->validator_key =
		(struct node_key){s->lab->secret[i], s->lab->key[i], cmt_address(&s->lab->key[i])};
	options.validator_key = &server->validator_key;
	assert_ok(node_peers_new(&server->peers, s->loop, &options, &events, server, NULL));
}

/* ---- the application under test ---- */

static struct scene *current;

static inline enum cs_err offer_snapshot(void *state,
					 const struct abci_offer_snapshot_request *request,
					 struct abci_offer_snapshot_response *response,
					 const struct abci_call *call)
{
	struct scene *s = current;
	s->offers++;
	if (s->offer_result == 0)
		return s->target.app.offer_snapshot(state, request, response, call);
	response->result = s->offer_result;
	s->offer_result = ABCI_OFFER_UNKNOWN;
	return CS_OK;
}

static inline enum cs_err
apply_snapshot_chunk(void *state, const struct abci_apply_snapshot_chunk_request *request,
		     struct abci_apply_snapshot_chunk_response *response,
		     const struct abci_call *call)
{
	struct scene *s = current;
	s->applies++;
	if (s->apply_result == 0)
		return s->target.app.apply_snapshot_chunk(state, request, response, call);
	response->result = s->apply_result;
	s->apply_result = ABCI_APPLY_UNKNOWN;
	return CS_OK;
}

static inline enum cs_err info(void *state, const struct abci_info_request *request,
			       struct abci_info_response *response, const struct abci_call *call)
{
	struct scene *s = current;
	CS_TRY(s->target.app.info(state, request, response, call));
	if (s->info_height != 0)
		response->last_block_height = s->info_height;
	return CS_OK;
}

static inline void on_ready(void *context)
{
	(void)context;
}

static inline void on_app_failed(void *context, enum cs_err err, const char *why)
{
	(void)context;
	fail_msg("%d %s", (int)err, why);
}

/* ---- a sync ---- */

static inline void on_done(void *context, const struct node_statesync_result *result)
{
	struct scene *s = context;
	static uint8_t bytes[BFT_STATE_SIZE_MAX];
	struct cs_buf buf;
	s->is_done = true;
	s->done_height = result->block.height;
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_state_encode(&buf, result->state);
	s->done_state = cs_sha256(cs_buf_view(&buf));
	const struct height *h = &s->heights[s->done_height];
	assert_bytes(result->block.block, cs_bytes(h->block, h->block_size));
	assert_bytes(result->block.commit, cs_bytes(h->commit, h->commit_size));
}

static inline void on_failed(void *context, enum cs_err err, const char *why)
{
	struct scene *s = context;
	s->is_done = true;
	s->err = err;
	(void)snprintf(s->why, sizeof s->why, "%s", why);
}

static inline int set_up(void **state)
{
	struct scene *s = host_alloc(sizeof *s);
	s->memory = host_alloc(16u * 1024 * 1024);
	cs_arena_init(&s->arena, s->memory, 16u * 1024 * 1024);
	s->lab = lab_make(0, 0);
	make_kv(&s->source, 4);
	make_kv(&s->evil, 5);
	make_kv(&s->target, 0);
	make_chain(s);
	s->loop = host_loop_new();
	s->genesis.chain_id = s->lab->state.chain_id;
	s->genesis.initial_height = 1;
	for (unsigned i = 0; i < SERVERS; i++)
		open_server(s, i);
	assert_ok(node_key_make(&s->node_key, NULL));
	s->options = (struct node_statesync_options){.enable = true,
						     .trust_height = 2,
						     .trust_hash = s->heights[2].hash,
						     .trust_period_s = ALWAYS_S,
						     .discovery_ms = 300,
						     .request_ms = 1000,
						     .chunk_fetchers = 3};
	current = s;
	*state = s;
	return 0;
}

static inline bool is_over(void *context)
{
	struct scene *s = context;
	for (unsigned i = 0; i < SERVERS; i++) {
		if (!s->servers[i].is_gone || s->servers[i].peers == NULL)
			continue;
		node_peers_free(s->servers[i].peers);
		s->servers[i].peers = NULL;
	}
	return s->is_done;
}

static inline void begin(struct scene *s)
{
	static const struct node_statesync_events events = {on_done, on_failed};
	static const struct abci_client_events app_events = {on_ready, on_app_failed};
	static struct abci_app app;
	static char texts[SERVERS][96];
	const char *dial[SERVERS];
	char id[NODE_ID_SIZE];
	struct node_peers_options options = peers_options(s, &s->node_key);
	app = s->target.app;
	app.offer_snapshot = offer_snapshot;
	app.apply_snapshot_chunk = apply_snapshot_chunk;
	app.info = info;
	const struct node_application_options application = {.app = &app};
	for (unsigned i = 0; i < SERVERS; i++) {
		node_id_text(id, &s->servers[i].node_key.address);
		(void)snprintf(texts[i], sizeof texts[i], "%s@127.0.0.1:%u", id,
			       node_peers_port(s->servers[i].peers));
		dial[i] = texts[i];
	}
	options.dial = dial;
	options.dial_count = SERVERS;
	assert_ok(
		node_application_new(&s->application, s->loop, &application, &app_events, s, NULL));
	const struct node_statesync_needs needs = {&s->options, &options, &s->genesis,
						   s->application};
	assert_ok(node_statesync_new(&s->sync, s->loop, &needs, &events, s, NULL));
}

static inline void run(struct scene *s)
{
	begin(s);
	assert_ok(host_loop_run_until(s->loop, is_over, s, DEADLINE_MS));
}

static inline void run_to(struct scene *s, int64_t height)
{
	run(s);
	if (s->err != CS_OK)
		fail_msg("%s: %s", cs_err_name(s->err), s->why);
	const struct height *h = &s->heights[height];
	struct cs_hash state = cs_sha256(cs_bytes(h->state, h->state_size));
	assert_int_equal(s->done_height, height);
	assert_true(cs_hash_eq(&state, &s->done_state));
	struct cs_bytes value, expected;
	assert_int_equal(s->target.store->height, height);
	assert_int_equal(s->target.store->pair_count, height);
	for (int64_t i = 1; i <= height; i++) {
		char key[16];
		(void)snprintf(key, sizeof key, "key%d", (int)i);
		assert_ok(abci_kvstore_get(s->target.store, cs_bytes_str(key), &value));
		assert_ok(abci_kvstore_get(s->source.store, cs_bytes_str(key), &expected));
		assert_bytes(value, expected);
	}
}

static inline void run_fails(struct scene *s, enum cs_err err, const char *word)
{
	run(s);
	if (s->err != err || strstr(s->why, word) == NULL)
		fail_msg("%s: %s", cs_err_name(s->err), s->why);
}

static inline int tear_down(void **state)
{
	struct scene *s = *state;
	node_application_free(s->application);
	node_statesync_free(s->sync);
	for (unsigned i = 0; i < SERVERS; i++)
		node_peers_free(s->servers[i].peers);
	host_loop_free(s->loop);
	for (int i = 0; i <= HEIGHTS; i++) {
		free(s->heights[i].block);
		free(s->heights[i].commit);
		free(s->heights[i].state);
		free(s->heights[i].light);
	}
	end_kv(&s->source);
	end_kv(&s->evil);
	end_kv(&s->target);
	lab_end(s->lab);
	free(s->memory);
	free(s);
	return 0;
}

#endif
