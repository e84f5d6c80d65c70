#include "host/alloc.h"
#include "host/log.h"
#include "relay_state/node/statesync_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*~ Peers come and go, and say again and again what they have. One snapshot at a time is tried: first
 * what the chain says of it (statesync_chain.c), then the application gets it, chunk by chunk in the
 * order of their indices, while the next ones are fetched. What fails is given up for the next best;
 * when there is none, everybody is asked again. */

#define TICK_MS 50u

static void pick_next(struct node_statesync *s);
static void fill(struct node_statesync *s);

/* ---- ends and beginnings ---- */

void node_sync_fail(struct node_statesync *s, enum cs_err err, const char *why)
{
	if (s->stage == NODE_SYNC_OVER)
		return;
	s->stage = NODE_SYNC_OVER;
	host_timer_stop(s->tick);
	s->events.failed(s->context, err, why);
}

void node_sync_send(struct node_statesync *s, uint32_t peer,
		    const struct node_statesync_message *message)
{
	uint8_t bytes[64];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	node_statesync_encode(&buf, message);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	/* What a full queue drops is asked of another when it is late. */
	(void)!node_peers_send_sync(s->peers, peer, cs_buf_view(&buf));
}

static void ask_snapshots(struct node_statesync *s, uint32_t peer)
{
	const struct node_statesync_message m = {.type = NODE_SNAPSHOTS_REQUEST};
	if (s->peer[peer].is_up)
		node_sync_send(s, peer, &m);
}

static void ask_all_snapshots(struct node_statesync *s)
{
	s->told_ms = host_now_ms();
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++)
		ask_snapshots(s, i);
}

static void discover(struct node_statesync *s)
{
	s->stage = NODE_SYNC_DISCOVER;
	s->deadline_ms = host_now_ms() + s->options.discovery_ms;
	node_pool_unskip(&s->pool);
	ask_all_snapshots(s);
}

static void drop_chunk(struct node_chunk_slot *slot)
{
	free(slot->bytes);
	*slot = (struct node_chunk_slot){.place = NODE_CHUNK_FREE};
}

static void drop_chunks(struct node_statesync *s)
{
	for (size_t i = 0; i < NODE_CHUNK_FETCHERS_MAX; i++)
		drop_chunk(&s->slots[i]);
	memset(s->done, 0, sizeof s->done);
	s->done_count = 0;
	s->applying = NULL;
}

static void pick_next(struct node_statesync *s)
{
	int64_t least = s->options.trust_height - 1 > s->genesis->initial_height
				? s->options.trust_height - 1
				: s->genesis->initial_height;
	const struct node_snapshot *best =
		node_pool_best(&s->pool, (uint64_t)least, (uint64_t)INT64_MAX - 2);
	drop_chunks(s);
	node_snapshot_done(&s->snapshot);
	if (best == NULL) {
		if (s->stage != NODE_SYNC_DISCOVER)
			log_info("statesync.no_snapshot_left");
		return discover(s);
	}
	node_snapshot_copy(&s->snapshot, best);
	s->chunk_retries = s->snapshot_retries = 0;
	log_info("statesync.snapshot", LOG_U64("height", best->height),
		 LOG_U64("format", best->format), LOG_U64("chunks", best->chunks),
		 LOG_U64("peers", node_pool_holders(&s->pool, &best->key)));
	node_sync_begin_chain(s);
}

void node_sync_skip(struct node_statesync *s, const char *why)
{
	log_info("statesync.skipped", LOG_U64("height", s->snapshot.height), LOG_TEXT("why", why));
	node_pool_skip(&s->pool, &s->snapshot.key);
	pick_next(s);
}

static void reject(struct node_statesync *s, const char *why)
{
	log_warn("statesync.rejected", LOG_U64("height", s->snapshot.height), LOG_TEXT("why", why));
	node_pool_reject(&s->pool, &s->snapshot.key);
	pick_next(s);
}

void node_sync_refuse(struct node_statesync *s, uint32_t peer, enum cs_err err, const char *what)
{
	log_warn("statesync.refused", LOG_U64("peer", peer), LOG_TEXT("what", what), LOG_ERR(err));
	node_peers_ban(s->peers, peer, err);
}

/* ---- the application takes the snapshot ---- */

static void begin_chunks(struct node_statesync *s)
{
	drop_chunks(s);
	s->stage = NODE_SYNC_CHUNKS;
	s->progress_ms = host_now_ms();
	fill(s);
}

/* Everybody who has it. */
static void refuse_holders(struct node_statesync *s)
{
	struct cs_hash key = s->snapshot.key;
	uint32_t peer;
	while ((peer = node_pool_holder(&s->pool, &key, 0)) < BFT_PEERS_MAX)
		node_sync_refuse(s, peer, CS_ERR_APPLICATION, "a snapshot");
}

static void on_offered(void *context, enum cs_err err, const char *why,
		       const struct abci_response *response)
{
	struct node_statesync *s = context;
	if (s->stage == NODE_SYNC_OVER)
		return;
	if (err != CS_OK)
		return node_sync_fail(s, err, why);
	switch (response->offer_snapshot.result) {
	case ABCI_OFFER_ACCEPT:
		return begin_chunks(s);
	case ABCI_OFFER_ABORT:
		return node_sync_fail(s, CS_ERR_APPLICATION, "the application ends state sync");
	case ABCI_OFFER_REJECT:
		return reject(s, "the application");
	case ABCI_OFFER_REJECT_FORMAT:
		node_pool_reject_format(&s->pool, s->snapshot.format);
		return reject(s, "the application: its format");
	case ABCI_OFFER_REJECT_SENDER:
		refuse_holders(s);
		return reject(s, "the application: its senders");
	case ABCI_OFFER_UNKNOWN:
		break;
	}
	node_sync_fail(s, CS_ERR_APPLICATION, "no answer to OfferSnapshot that there is");
}

void node_sync_offer(struct node_statesync *s)
{
	struct abci_snapshot snapshot = node_snapshot_view(&s->snapshot);
	struct abci_request request = {.method = ABCI_OFFER_SNAPSHOT};
	s->stage = NODE_SYNC_OFFER;
	request.offer_snapshot.snapshot = &snapshot;
	request.offer_snapshot.app_hash = cs_bytes(s->state.app_hash, s->state.app_hash_size);
	node_application_call(s->application, &request, on_offered, s);
}

/* ---- the application tells what it has become ---- */

static void on_info(void *context, enum cs_err err, const char *why,
		    const struct abci_response *response)
{
	struct node_statesync *s = context;
	char text[128];
	if (s->stage == NODE_SYNC_OVER)
		return;
	if (err != CS_OK)
		return node_sync_fail(s, err, why);
	const struct abci_info_response *info = &response->info;
	struct cs_bytes expected = cs_bytes(s->state.app_hash, s->state.app_hash_size);
	if (info->last_block_height != s->state.last_height ||
	    info->app_version != s->state.params.app_version ||
	    !cs_bytes_eq(info->last_block_app_hash, expected)) {
		(void)snprintf(text, sizeof text,
			       "after the snapshot of height %" PRId64
			       " the application tells %" PRId64 ", or another hash or version",
			       s->state.last_height, info->last_block_height);
		return node_sync_fail(s, CS_ERR_APPLICATION, text);
	}
	const struct node_statesync_result result = {&s->state,
						     {s->state.last_height, s->state.last_block_id,
						      cs_bytes(s->block, s->block_size),
						      cs_bytes(s->commit, s->commit_size)}};
	s->stage = NODE_SYNC_OVER;
	host_timer_stop(s->tick);
	log_info("statesync.done", LOG_I64("height", s->state.last_height));
	s->events.done(s->context, &result);
}

static void ask_info(struct node_statesync *s)
{
	const struct abci_request info = {.method = ABCI_INFO,
					  .info = {.version = cs_bytes_str("0.38.26"),
						   .block_version = CMT_BLOCK_PROTOCOL,
						   .p2p_version = 8,
						   .abci_version = cs_bytes_str("2.0.0")}};
	s->stage = NODE_SYNC_INFO;
	drop_chunks(s);
	node_application_call(s->application, &info, on_info, s);
}

/* ---- chunks ---- */

static bool is_done(const struct node_statesync *s, uint32_t index)
{
	return (s->done[index / 64] >> index % 64 & 1) != 0;
}

static void set_done(struct node_statesync *s, uint32_t index, bool is)
{
	uint64_t bit = (uint64_t)1 << index % 64;
	if (is_done(s, index) == is)
		return;
	s->done[index / 64] ^= bit;
	s->done_count += is ? 1 : UINT32_MAX;
}

static struct node_chunk_slot *slot_of(struct node_statesync *s, uint32_t index)
{
	for (size_t i = 0; i < NODE_CHUNK_FETCHERS_MAX; i++) {
		if (s->slots[i].place != NODE_CHUNK_FREE && s->slots[i].index == index)
			return &s->slots[i];
	}
	return NULL;
}

/* The lowest chunk from here on that is not applied; the count: none. */
static uint32_t next_index(const struct node_statesync *s, uint32_t from)
{
	while (from < s->snapshot.chunks && is_done(s, from))
		from++;
	return from;
}

static bool ask_chunk(struct node_statesync *s, struct node_chunk_slot *slot, uint32_t index)
{
	const struct node_statesync_message m = {.type = NODE_CHUNK_REQUEST,
						 .height = s->snapshot.height,
						 .format = s->snapshot.format,
						 .index = index};
	uint32_t peer = node_pool_holder(&s->pool, &s->snapshot.key, s->holder);
	const struct node_peer_info *info = node_peers_info(s->peers, peer);
	if (info == NULL)
		return false;
	s->holder = peer;
	*slot = (struct node_chunk_slot){.place = NODE_CHUNK_ASKED,
					 .index = index,
					 .peer = peer,
					 .deadline_ms = host_now_ms() + s->options.request_ms,
					 .sender = info->id};
	node_sync_send(s, peer, &m);
	return true;
}

/* Every slot works on one of the lowest chunks that are missing. */
static void fill(struct node_statesync *s)
{
	uint32_t index = 0;
	if (s->stage != NODE_SYNC_CHUNKS)
		return;
	for (size_t i = 0; i < s->options.chunk_fetchers; i++) {
		struct node_chunk_slot *slot = &s->slots[i];
		if (slot->place != NODE_CHUNK_FREE)
			continue;
		index = next_index(s, index);
		while (index < s->snapshot.chunks && slot_of(s, index) != NULL)
			index = next_index(s, index + 1);
		if (index >= s->snapshot.chunks)
			return;
		if (!ask_chunk(s, slot, index))
			return s->applying == NULL ? node_sync_skip(s, "no peer has it any more")
						   : (void)0;
	}
}

static void apply_next(struct node_statesync *s);

static void discard(struct node_statesync *s, uint32_t index)
{
	struct node_chunk_slot *slot = slot_of(s, index);
	if (slot != NULL)
		drop_chunk(slot);
	set_done(s, index, false);
}

/* By their ids, as the application was told them. */
static void refuse_senders(struct node_statesync *s, const struct abci_bytes_list *senders)
{
	for (size_t i = 0; i < senders->count; i++) {
		struct cs_address id;
		if (cs_unhex(id.b, sizeof id.b, senders->items[i]) != CS_OK)
			continue;
		for (size_t k = 0; k < NODE_CHUNK_FETCHERS_MAX; k++) {
			if (s->slots[k].place == NODE_CHUNK_HERE &&
			    cs_address_eq(&s->slots[k].sender, &id))
				drop_chunk(&s->slots[k]);
		}
		for (uint32_t peer = 0; peer < BFT_PEERS_MAX; peer++) {
			const struct node_peer_info *info = node_peers_info(s->peers, peer);
			if (info != NULL && cs_address_eq(&info->id, &id))
				node_sync_refuse(s, peer, CS_ERR_APPLICATION, "a chunk");
		}
	}
}

static void take_verdict(struct node_statesync *s, enum abci_apply_chunk_result result,
			 uint32_t index)
{
	switch (result) {
	case ABCI_APPLY_ACCEPT:
		s->progress_ms = host_now_ms();
		return s->done_count == s->snapshot.chunks ? ask_info(s) : apply_next(s);
	case ABCI_APPLY_ABORT:
		return node_sync_fail(s, CS_ERR_APPLICATION, "the application ends state sync");
	case ABCI_APPLY_RETRY:
		set_done(s, index, false);
		if (++s->chunk_retries > NODE_CHUNK_RETRIES_MAX)
			return reject(s, "its chunks are never right");
		return apply_next(s);
	case ABCI_APPLY_RETRY_SNAPSHOT:
		if (++s->snapshot_retries > NODE_SNAPSHOT_RETRIES_MAX)
			return reject(s, "it was tried too often");
		drop_chunks(s);
		return node_sync_offer(s);
	case ABCI_APPLY_REJECT_SNAPSHOT:
		return reject(s, "the application: what its chunks say");
	case ABCI_APPLY_UNKNOWN:
		break;
	}
	node_sync_fail(s, CS_ERR_APPLICATION, "no answer to ApplySnapshotChunk that there is");
}

static void on_applied(void *context, enum cs_err err, const char *why,
		       const struct abci_response *response)
{
	struct node_statesync *s = context;
	if (s->stage == NODE_SYNC_OVER)
		return;
	if (err != CS_OK)
		return node_sync_fail(s, err, why);
	const struct abci_apply_snapshot_chunk_response *r = &response->apply_snapshot_chunk;
	struct node_chunk_slot *slot = s->applying;
	uint32_t index = slot->index;
	s->applying = NULL;
	set_done(s, index, true);
	if (r->result != ABCI_APPLY_RETRY)
		drop_chunk(slot);
	for (size_t i = 0; i < r->refetch_chunks.count; i++) {
		if (r->refetch_chunks.items[i] < s->snapshot.chunks)
			discard(s, r->refetch_chunks.items[i]);
	}
	refuse_senders(s, &r->reject_senders);
	/* Whoever was refused may have been the last one. */
	if (s->stage == NODE_SYNC_CHUNKS)
		take_verdict(s, r->result, index);
}

static void apply_next(struct node_statesync *s)
{
	char sender[NODE_ID_SIZE];
	struct abci_request request = {.method = ABCI_APPLY_SNAPSHOT_CHUNK};
	fill(s);
	if (s->stage != NODE_SYNC_CHUNKS || s->applying != NULL)
		return;
	struct node_chunk_slot *slot = slot_of(s, next_index(s, 0));
	if (slot == NULL || slot->place != NODE_CHUNK_HERE)
		return;
	s->applying = slot;
	node_id_text(sender, &slot->sender);
	request.apply_snapshot_chunk.index = slot->index;
	request.apply_snapshot_chunk.chunk = cs_bytes(slot->bytes, slot->size);
	request.apply_snapshot_chunk.sender = cs_bytes_str(sender);
	node_application_call(s->application, &request, on_applied, s);
}

static void on_chunk(struct node_statesync *s, uint32_t peer,
		     const struct node_statesync_message *m)
{
	if (s->stage != NODE_SYNC_CHUNKS || m->height != s->snapshot.height ||
	    m->format != s->snapshot.format)
		return;
	struct node_chunk_slot *slot = slot_of(s, m->index);
	if (slot == NULL || slot->place != NODE_CHUNK_ASKED || slot->peer != peer)
		return;
	if (m->is_missing) {
		node_pool_drop(&s->pool, peer, &s->snapshot.key);
		drop_chunk(slot);
		return fill(s);
	}
	slot->place = NODE_CHUNK_HERE;
	slot->bytes = host_copy(m->bytes);
	slot->size = m->bytes.n;
	apply_next(s);
}

/* It is asked of another; of this one again only when it says once more that it has the snapshot. */
static void chunks_late(struct node_statesync *s, uint64_t now_ms)
{
	bool is_late = false;
	if (s->applying == NULL && now_ms - s->progress_ms > NODE_SNAPSHOT_STALL_MS)
		return reject(s, "no chunk came for too long");
	for (size_t i = 0; i < NODE_CHUNK_FETCHERS_MAX; i++) {
		struct node_chunk_slot *slot = &s->slots[i];
		if (slot->place != NODE_CHUNK_ASKED || now_ms < slot->deadline_ms)
			continue;
		node_pool_drop(&s->pool, slot->peer, &s->snapshot.key);
		drop_chunk(slot);
		is_late = true;
	}
	if (is_late)
		fill(s);
}

/* ---- peers ---- */

static void on_up(void *context, uint32_t peer, const struct cs_address *validator)
{
	struct node_statesync *s = context;
	s->peer[peer] = (struct node_sync_peer){.is_up = true, .is_validator = validator != NULL};
	if (validator != NULL)
		s->peer[peer].address = *validator;
	ask_snapshots(s, peer);
	node_sync_chain_peer_up(s, peer);
}

static void on_down(void *context, uint32_t peer)
{
	struct node_statesync *s = context;
	bool had_chunk = false;
	s->peer[peer].is_up = false;
	node_pool_drop_peer(&s->pool, peer);
	for (size_t i = 0; i < NODE_CHUNK_FETCHERS_MAX; i++) {
		struct node_chunk_slot *slot = &s->slots[i];
		if (slot->place == NODE_CHUNK_ASKED && slot->peer == peer) {
			drop_chunk(slot);
			had_chunk = true;
		}
	}
	if (had_chunk && s->applying == NULL)
		fill(s);
	node_sync_chain_peer_down(s, peer);
}

/* Another node that syncs too asks in vain. */
static void answer_nothing(struct node_statesync *s, uint32_t peer,
			   const struct node_statesync_message *m)
{
	struct node_statesync_message answer;
	if (node_statesync_nothing(&answer, m))
		node_sync_send(s, peer, &answer);
}

static void on_sync(void *context, uint32_t peer, struct cs_bytes bytes)
{
	struct node_statesync *s = context;
	struct node_statesync_message m;
	enum cs_err err = node_statesync_decode(&m, bytes);
	if (s->stage == NODE_SYNC_OVER)
		return;
	if (err != CS_OK)
		return node_sync_refuse(s, peer, err, "a message");
	switch (m.type) {
	case NODE_SNAPSHOTS_ANSWER:
		return node_pool_put(&s->pool, peer, &m);
	case NODE_CHUNK_ANSWER:
		return on_chunk(s, peer, &m);
	case NODE_LIGHT_ANSWER:
		return node_sync_light_answer(s, peer, &m);
	case NODE_STATE_ANSWER:
		return node_sync_state_answer(s, peer, &m);
	case NODE_SNAPSHOTS_REQUEST:
	case NODE_CHUNK_REQUEST:
	case NODE_LIGHT_REQUEST:
	case NODE_STATE_REQUEST:
		return answer_nothing(s, peer, &m);
	}
}

/* Of what engines say only the block that was asked for. */
static void on_consensus(void *context, uint32_t peer, struct cs_bytes bytes)
{
	struct node_statesync *s = context;
	struct bft_message m;
	if (s->stage != NODE_SYNC_BLOCK)
		return;
	enum cs_err err = bft_message_decode(&m, bytes);
	if (err != CS_OK)
		return node_sync_refuse(s, peer, err, "a message");
	if (m.type == BFT_MESSAGE_BLOCK_ANSWER)
		node_sync_block_answer(s, peer, m.block_answer.height, m.block_answer.block,
				       m.block_answer.commit);
}

static void on_tx(void *context, uint32_t peer, struct cs_bytes tx)
{
	(void)context;
	(void)peer;
	(void)tx;
}

static void on_drained(void *context, uint32_t peer)
{
	(void)context;
	(void)peer;
}

static void on_tick(void *context)
{
	struct node_statesync *s = context;
	uint64_t now_ms = host_now_ms();
	if (now_ms - s->told_ms >= NODE_STATESYNC_TELL_MS)
		ask_all_snapshots(s);
	if (s->stage == NODE_SYNC_DISCOVER && now_ms >= s->deadline_ms) {
		log_info("statesync.discovered", LOG_U64("snapshots", node_pool_count(&s->pool)),
			 LOG_U64("peers", node_peers_count(s->peers)));
		pick_next(s);
	} else if (s->stage == NODE_SYNC_CHUNKS) {
		chunks_late(s, now_ms);
	} else {
		node_sync_chain_tick(s, now_ms);
	}
}

/* ---- the sync itself ---- */

enum cs_err node_statesync_new(struct node_statesync **out, struct host_loop *loop,
			       const struct node_statesync_needs *needs,
			       const struct node_statesync_events *events, void *context,
			       struct cs_why *why)
{
	static const struct node_peers_events peer_events = {on_up, on_down,    on_consensus,
							     on_tx, on_drained, on_sync};
	struct node_statesync *s = host_alloc(sizeof *s);
	struct node_peers_options own = *needs->peers;
	size_t size = BFT_SCRATCH_SIZE(BFT_BLOCK_SIZE_MAX);
	own.takes_chunks = true;
	s->loop = loop;
	s->options = *needs->options;
	s->genesis = needs->genesis;
	s->application = needs->application;
	s->events = *events;
	s->context = context;
	s->memory = host_alloc(size);
	cs_arena_init(&s->scratch, s->memory, size);
	node_pool_init(&s->pool);
	bft_state_init(&s->state);
	s->ask.peer = BFT_PEER_NONE;
	s->tick = host_timer_new(loop, on_tick, s);
	enum cs_err err = node_peers_new(&s->peers, loop, &own, &peer_events, s, why);
	if (err != CS_OK) {
		node_statesync_free(s);
		return err;
	}
	host_timer_start(s->tick, TICK_MS, TICK_MS);
	discover(s);
	*out = s;
	return CS_OK;
}

uint16_t node_statesync_port(const struct node_statesync *s)
{
	return node_peers_port(s->peers);
}

void node_statesync_free(struct node_statesync *s)
{
	if (s == NULL)
		return;
	node_peers_free(s->peers);
	host_timer_free(s->tick);
	node_pool_done(&s->pool);
	node_snapshot_done(&s->snapshot);
	drop_chunks(s);
	free(s->block);
	free(s->commit);
	free(s->memory);
	free(s);
}
