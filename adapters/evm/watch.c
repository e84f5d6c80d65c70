/*~ The watcher walks the chain header by header: each must name the one before it as its parent.
 * Where one does not, the fork is looked for downward, what hung on the old branch is withdrawn,
 * and the walk goes on from the fork (fork.c). What a block holds its receipts tell, which are asked for
 * where the header's bloom allows an event. Where it allows nearly everything, on a long way, asking
 * for each block's receipts would be as much as following the chain in full: there eth_getLogs says
 * which blocks to look at, and the reconciler asks again elsewhere. Polls, websocket messages and
 * reconnections do the same thing: they make it look. */
#include "adapters/evm/watch_inner.h"
#include "host/alloc.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 200
/* Blocks whose receipts are asked for at the same time. */
#define RECEIPTS_AHEAD 8

static void step(struct evm_watch *watch);
static void next_chunk(struct evm_watch *watch);

/* ---- what is remembered ---- */

/* settled: what the block holds is known from its bloom or its receipts, which its hash covers. */
static void push(struct evm_watch *watch, const struct cs_hash *hash, struct evm_header *header,
		 bool settled)
{
	struct evm_watch_slot *slot = evm_watch_slot(watch, watch->next);

	if (slot->header != NULL)
		evm_header_cache_put(watch->evm->header_cache, slot->header);
	evm_watch_slot_clear(slot);
	*slot = (struct evm_watch_slot){.hash = *hash,
					.header = header,
					.look_round = settled ? UINT64_MAX : 0,
					.look_pause = 1};
	watch->next++;
	if (watch->next - watch->low > EVM_WATCH_WINDOW)
		watch->low = watch->next - EVM_WATCH_WINDOW;
}

bool evm_watch_hash(const struct evm_watch *watch, uint64_t height, struct cs_hash *hash)
{
	if (height < watch->low || height >= watch->next)
		return false;
	*hash = watch->slots[height % EVM_WATCH_WINDOW].hash;
	return true;
}

struct evm_header *evm_watch_header(const struct evm_watch *watch, uint64_t height)
{
	if (height < watch->low || height >= watch->next)
		return NULL;
	return watch->slots[height % EVM_WATCH_WINDOW].header;
}

void evm_watch_settle(struct evm_watch *watch, const struct adapter_block_id *id)
{
	struct evm_watch_slot *slot = evm_watch_slot(watch, id->height);

	if (id->height >= watch->low && id->height < watch->next &&
	    cs_hash_eq(&slot->hash, &id->hash))
		slot->look_round = UINT64_MAX;
}

bool evm_watch_wants_look(const struct evm_watch *watch, uint64_t height, uint64_t round)
{
	return height >= watch->low && height < watch->next &&
	       watch->slots[height % EVM_WATCH_WINDOW].look_round <= round;
}

void evm_watch_looked(struct evm_watch *watch, uint64_t height, uint64_t round)
{
	struct evm_watch_slot *slot = evm_watch_slot(watch, height);

	if (!evm_watch_wants_look(watch, height, round))
		return;
	slot->look_round = round + slot->look_pause;
	slot->look_pause *= 2;
}

const struct evm_header *evm_watch_head(const struct evm_watch *watch)
{
	return watch->head;
}

uint64_t evm_watch_low(const struct evm_watch *watch)
{
	return watch->low;
}

uint64_t evm_watch_next(const struct evm_watch *watch)
{
	return watch->next;
}

void evm_watch_tell_progress(struct evm_watch *watch)
{
	const struct adapter_listener *listener = &watch->evm->listener;
	struct adapter_cursor cursor = {.count = 0};
	uint64_t from = watch->next - watch->low > ADAPTER_CURSOR_BLOCKS
				? watch->next - ADAPTER_CURSOR_BLOCKS
				: watch->low;

	for (uint64_t height = from; height < watch->next; height++)
		cursor.recent[cursor.count++] =
			(struct adapter_block_id){height, evm_watch_slot(watch, height)->hash};
	if (listener->progress != NULL)
		listener->progress(listener->ctx, &cursor);
}

/* ---- the end of a step ---- */

static void drop_chunk(struct evm_watch *watch)
{
	for (size_t i = 0; i < watch->chunk_count; i++) {
		evm_header_unref(watch->chunk[i]);
		evm_logs_clear(&watch->logs[i]);
	}
	watch->chunk_count = 0;
}

void evm_watch_finish(struct evm_watch *watch, enum cs_err err)
{
	bool again = watch->again;

	drop_chunk(watch);
	watch->busy = false;
	watch->again = false;
	if (watch->evm->ending)
		return;
	if (err != CS_OK)
		host_timer_start(watch->soon, RETRY_MS, 0);
	else if (again)
		host_timer_start(watch->soon, 0, 0);
}

/* ---- reporting ---- */

size_t evm_report_block(struct evm *evm, const struct evm_header *header,
			const struct evm_logs *logs, bool late)
{
	struct adapter_event *events = host_calloc(logs->count + 1, sizeof(*events));
	struct evm_left_out left_out;
	size_t found =
		evm_events_decode(events, &left_out, &evm->contracts, logs->logs, logs->count);

	evm->counters.events += late ? 0 : found;
	evm->counters.foreign += late ? 0 : left_out.foreign;
	evm->counters.unstorable += late ? 0 : left_out.unstorable;
	if (left_out.unstorable > 0)
		log_error("adapter.unstorable_event", LOG_U64("chain_id", evm->config.chain_id),
			  LOG_U64("height", header->public.id.height),
			  LOG_HASH("block", &header->public.id.hash),
			  LOG_U64("events", left_out.unstorable));
	struct adapter_block block = {
		.header = header->public, .events = events, .event_count = found, .late = late};
	if (found > 0 && evm->listener.block != NULL)
		evm->listener.block(evm->listener.ctx, &block);
	free(events);
	return found;
}

static void report_chunk(struct evm_watch *watch)
{
	struct evm *evm = watch->evm;

	evm_watch_release(watch); /* what was reported goes on */
	for (size_t i = 0; i < watch->chunk_count; i++) {
		struct evm_header *header = watch->chunk[i];

		push(watch, &header->public.id.hash, evm_header_ref(header), !watch->skipped[i]);
		evm->counters.blocks++;
		if (watch->logs[i].count > 0)
			(void)evm_report_block(evm, header, &watch->logs[i], false);
	}
	drop_chunk(watch);
	evm_watch_tell_progress(watch);
	if (watch->head != NULL && watch->next <= watch->head->public.id.height)
		next_chunk(watch);
	else
		evm_watch_finish(watch, CS_OK);
}

/* ---- logs of the stretch ---- */

static void read_blocks(struct evm_watch *watch);

static void logs_done(void *ctx, enum cs_err err, const char *why, struct evm_logs *logs)
{
	struct evm_watch *watch = ctx;

	(void)why;
	if (err != CS_OK) {
		evm_watch_finish(watch, err);
		return;
	}
	watch->logs[watch->checked++] = *logs;
	*logs = (struct evm_logs){NULL, 0, 0};
	read_blocks(watch);
}

/* What cannot be asked for now is asked for when it is its turn. */
static void ask_ahead(struct evm_watch *watch)
{
	unsigned ahead = 0;

	for (size_t i = watch->checked + 1; i < watch->chunk_count && ahead < RECEIPTS_AHEAD; i++) {
		if (!watch->wanted[i])
			continue;
		ahead++;
		(void)!evm_receipts_get(watch->evm->receipts, watch->chunk[i], NULL, NULL);
	}
}

/* Block by block; the next ones are asked for meanwhile. */
static void read_blocks(struct evm_watch *watch)
{
	while (watch->checked < watch->chunk_count && !watch->wanted[watch->checked])
		watch->checked++;
	if (watch->checked == watch->chunk_count) {
		report_chunk(watch);
		return;
	}
	enum cs_err err = evm_logs_of(watch->evm, watch->chunk[watch->checked], logs_done, watch);
	if (err == CS_OK)
		ask_ahead(watch);
	else
		evm_watch_finish(watch, err);
}

/* What is named is looked at; of the others those whose bloom says nothing are not. */
static void candidates_done(void *ctx, enum cs_err err, const char *why,
			    const struct adapter_block_id *blocks, size_t count, size_t endpoint)
{
	struct evm_watch *watch = ctx;
	size_t next = 0;

	(void)why;
	(void)endpoint;
	if (err != CS_OK && err != CS_ERR_TOO_LARGE) {
		evm_watch_finish(watch, err);
		return;
	}
	for (size_t i = 0; err == CS_OK && i < watch->chunk_count; i++) {
		const struct adapter_block_id *id = &watch->chunk[i]->public.id;

		while (next < count && blocks[next].height < id->height)
			next++;
		bool named = next < count && blocks[next].height == id->height;
		if (named && !cs_hash_eq(&blocks[next].hash, &id->hash)) {
			evm_watch_finish(watch,
					 CS_ERR_REORGED); /* it changed meanwhile: look again */
			return;
		}
		watch->skipped[i] =
			watch->wanted[i] && !named && evm_bloom_is_full(watch->chunk[i]->bloom);
		watch->wanted[i] = watch->wanted[i] && !watch->skipped[i];
	}
	read_blocks(watch);
}

/* The stretch is in watch->chunk and links to what was reported. */
static void want_logs(struct evm_watch *watch)
{
	struct adapter_rpc_options options = {.pin = watch->endpoint};
	size_t first = watch->chunk_count;
	size_t last = 0;

	watch->checked = 0;
	for (size_t i = 0; i < watch->chunk_count; i++) {
		watch->wanted[i] =
			evm_contracts_may_be_in(&watch->evm->contracts, watch->chunk[i]->bloom);
		watch->skipped[i] = false;
		if (!watch->wanted[i] || !evm_bloom_is_full(watch->chunk[i]->bloom))
			continue;
		first = first < i ? first : i;
		last = i;
	}
	if (first >= last) { /* none, or a single one: its receipts tell at once */
		read_blocks(watch);
		return;
	}
	enum cs_err err =
		evm_candidates_fetch(watch->evm, &options, watch->chunk[first]->public.id.height,
				     watch->chunk[last]->public.id.height, candidates_done, watch);
	if (err != CS_OK)
		evm_watch_finish(watch, err);
}

/* ---- a step ---- */

static void chunk_done(void *ctx, enum cs_err err, const char *why,
		       struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct evm_watch *watch = ctx;
	struct cs_hash tip;

	(void)why;
	if (err != CS_OK || count == 0) {
		evm_watch_finish(watch, err);
		return;
	}
	watch->endpoint = endpoint;
	if (evm_watch_hash(watch, watch->next - 1, &tip) &&
	    !cs_hash_eq(&headers[0]->public.parent, &tip)) {
		evm_watch_find_fork(watch, watch->next - 1, &headers[0]->public.id.hash);
		return;
	}
	watch->chunk_count = count;
	for (size_t i = 0; i < count; i++) {
		watch->chunk[i] = evm_header_ref(headers[i]);
		watch->logs[i] = (struct evm_logs){NULL, 0, 0};
	}
	want_logs(watch);
}

/* The next heights up to the head. */
static void next_chunk(struct evm_watch *watch)
{
	struct adapter_rpc_options options = {.pin = watch->endpoint,
					      .height_min = watch->head->public.id.height};
	uint64_t left = watch->head->public.id.height - watch->next + 1;

	if (left == 1) {
		chunk_done(watch, CS_OK, "", &watch->head, 1, watch->endpoint);
		return;
	}
	enum cs_err err = evm_fetch_headers(watch->evm->rpc, &options, watch->next,
					    left < EVM_WATCH_CHUNK ? (size_t)left : EVM_WATCH_CHUNK,
					    chunk_done, watch);
	if (err != CS_OK)
		evm_watch_finish(watch, err);
}

static void saw_head(struct evm_watch *watch, struct evm_header *header)
{
	struct evm *evm = watch->evm;

	if (watch->head != NULL &&
	    cs_hash_eq(&watch->head->public.id.hash, &header->public.id.hash))
		return;
	/* a node that lags, on the same chain, does not take the head back; one of a fork may not stay */
	struct cs_hash known;
	if (watch->head != NULL && !watch->is_held &&
	    header->public.id.height < watch->head->public.id.height &&
	    evm_watch_hash(watch, header->public.id.height, &known) &&
	    cs_hash_eq(&known, &header->public.id.hash))
		return;
	evm_header_unref(watch->head);
	watch->head = evm_header_ref(header);
	watch->head_changed_ms = host_now_ms();
	adapter_hint_saw_head(evm->hint);
	if (watch->stalled) {
		watch->stalled = false;
		if (evm->listener.stalled != NULL)
			evm->listener.stalled(evm->listener.ctx, 0);
	}
	if (evm->listener.head != NULL)
		evm->listener.head(evm->listener.ctx, &header->public);
	evm_submit_saw_head(evm->submit);
}

/* From what was reported to what the node has as its head. */
static void go_on(struct evm_watch *watch, const struct evm_header *told)
{
	uint64_t height = told->public.id.height;
	struct cs_hash known;

	if (height >= watch->next) {
		if (watch->head->public.id.height < watch->next)
			evm_watch_finish(watch, CS_OK);
		else
			next_chunk(watch);
		return;
	}
	bool is_known = evm_watch_hash(watch, height, &known);
	if (is_known && !cs_hash_eq(&known, &told->public.id.hash)) {
		if (height == watch->low)
			evm_watch_forked(watch,
					 &(struct evm_fork){height, true, told->public.id.hash});
		else
			evm_watch_find_fork(watch, height - 1, &told->public.id.hash);
		return;
	}
	if (is_known && watch->is_held && height >= watch->held.from)
		evm_watch_release(watch);
	evm_watch_finish(watch, CS_OK);
}

/* One header tells whether it is still the fork that waits. */
static void held_done(void *ctx, enum cs_err err, const char *why,
		      struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct evm_watch *watch = ctx;
	struct evm_fork held = watch->held;

	(void)why;
	(void)endpoint;
	if (err != CS_OK)
		evm_watch_finish(watch, err);
	else if (count > 0 && cs_hash_eq(&headers[0]->public.id.hash, &held.new_hash))
		evm_watch_forked(watch, &held);
	else
		go_on(watch, watch->head);
}

static void look_at_held(struct evm_watch *watch)
{
	struct adapter_rpc_options options = {.pin = watch->endpoint, .only_pin = true};
	enum cs_err err =
		evm_fetch_headers(watch->evm->rpc, &options, watch->held.from, 1, held_done, watch);

	if (err != CS_OK)
		evm_watch_finish(watch, err);
}

static void head_done(void *ctx, enum cs_err err, const char *why,
		      struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct evm_watch *watch = ctx;

	(void)why;
	if (err != CS_OK || count == 0) {
		evm_watch_finish(watch,
				 CS_OK); /* the next poll asks again, perhaps another endpoint */
		return;
	}
	watch->endpoint = endpoint;
	saw_head(watch, headers[0]);
	if (watch->is_held)
		look_at_held(watch);
	else
		go_on(watch, headers[0]);
}

static void step(struct evm_watch *watch)
{
	watch->busy = true;
	enum cs_err err = evm_fetch_head(watch->evm->rpc, ADAPTER_RPC_DEFAULT, head_done, watch);
	if (err != CS_OK)
		evm_watch_finish(watch, CS_OK);
}

void evm_watch_kick(struct evm_watch *watch)
{
	if (watch->busy)
		watch->again = true;
	else if (adapter_rpc_is_ready(watch->evm->rpc) && !watch->evm->ending)
		step(watch);
}

/* ---- life ---- */

/* How long it stands still that should not; 0: all is well. */
static uint64_t stall_ms(const struct evm_watch *watch)
{
	const struct evm *evm = watch->evm;
	uint64_t still_ms = host_now_ms() - watch->head_changed_ms;

	if (still_ms < evm->config.stalled_ms)
		return 0;
	bool idle = evm->config.blocks_on_demand &&
		    adapter_rpc_silent_ms(evm->rpc) < evm->config.stalled_ms &&
		    evm_submit_waits_ms(evm->submit) < evm->config.stalled_ms;
	return idle ? 0 : still_ms;
}

static void look_for_stall(struct evm_watch *watch)
{
	const struct adapter_listener *listener = &watch->evm->listener;
	uint64_t ms = stall_ms(watch);

	if ((ms != 0) == watch->stalled)
		return;
	watch->stalled = ms != 0;
	if (listener->stalled != NULL)
		listener->stalled(listener->ctx, ms);
}

static void on_poll(void *ctx)
{
	struct evm_watch *watch = ctx;
	struct evm *evm = watch->evm;
	/* while the websocket talks, polling is only the safety net */
	if (watch->poll_count++ % 2 == 0 || !adapter_hint_is_alive(evm->hint))
		evm_watch_kick(watch);
	look_for_stall(watch);
}

static void on_soon(void *ctx)
{
	evm_watch_kick(ctx);
}

struct evm_watch *evm_watch_new(struct evm *evm)
{
	struct evm_watch *watch = host_alloc(sizeof(*watch));

	watch->evm = evm;
	watch->low = watch->next = evm->config.start_height;
	watch->poll = host_timer_new(evm->loop, on_poll, watch);
	watch->soon = host_timer_new(evm->loop, on_soon, watch);
	return watch;
}

enum cs_err evm_watch_load(struct evm_watch *watch, const struct adapter_cursor *cursor)
{
	if (cursor == NULL || cursor->count == 0)
		return CS_OK;
	if (cursor->count > ADAPTER_CURSOR_BLOCKS)
		return CS_ERR_INVALID;
	for (size_t i = 1; i < cursor->count; i++)
		if (cursor->recent[i].height != cursor->recent[0].height + i)
			return CS_ERR_INVALID;
	watch->low = watch->next = cursor->recent[0].height;
	for (size_t i = 0; i < cursor->count; i++)
		push(watch, &cursor->recent[i].hash, NULL, false);
	return CS_OK;
}

void evm_watch_final(struct evm_watch *watch, const struct adapter_block_id *block)
{
	watch->final = *block;
}

void evm_watch_start(struct evm_watch *watch)
{
	watch->head_changed_ms = host_now_ms();
	host_timer_start(watch->poll, watch->evm->config.poll_ms, watch->evm->config.poll_ms);
	evm_watch_kick(watch);
}

void evm_watch_free(struct evm_watch *watch)
{
	if (watch == NULL)
		return;
	host_timer_free(watch->poll);
	host_timer_free(watch->soon);
	drop_chunk(watch);
	for (size_t i = 0; i < EVM_WATCH_WINDOW; i++)
		evm_watch_slot_clear(&watch->slots[i]);
	evm_header_unref(watch->head);
	free(watch);
}
