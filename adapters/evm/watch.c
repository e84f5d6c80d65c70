/*~ The watcher walks the chain header by header: each must name the one before it as its parent.
 * Where one does not, the fork is looked for downward, what hung on the old branch is withdrawn,
 * and the walk goes on from the fork. Logs are asked for only where the header's bloom allows one;
 * where it promises one and none comes, the receipts decide. Of a new block that may hold a message
 * the receipts are read at once: its proof needs them anyway, and they cannot keep anything back.
 * Polls, websocket messages and reconnections do the same thing: they make it look. */
#include "adapters/evm/inner.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 200
/* Headers that are compared at once when a fork is looked for. */
#define FORK_STEP 16
/* A stretch up to this length is live; a longer one is caught up with by ranges of logs. */
#define LIVE_MAX 4

struct slot {
	struct cs_hash hash;
	struct evm_header *header; /* NULL: from the cursor */
	size_t log_count;
	uint64_t look_round; /* of the reconciler, when it compares the block next */
	uint64_t look_pause; /* rounds from then on to the one after it */
};

struct evm_watch {
	struct evm *evm;
	struct slot slots[EVM_WATCH_WINDOW]; /* height modulo the window */
	uint64_t low;
	uint64_t next; /* to be reported; low == next: nothing is known */
	struct evm_header *head;
	struct host_timer *poll;
	struct host_timer *soon;
	uint64_t head_changed_ms;
	uint64_t poll_count;
	bool stalled;
	bool busy;
	bool again;
	/* the stretch at hand */
	size_t endpoint;
	struct evm_header *chunk[EVM_WATCH_CHUNK];
	struct evm_logs logs[EVM_WATCH_CHUNK];
	bool wanted[EVM_WATCH_CHUNK];        /* the bloom allows a log */
	bool from_receipts[EVM_WATCH_CHUNK]; /* and eth_getLogs is not asked for it */
	bool complete[EVM_WATCH_CHUNK];      /* all logs under the receipts root are there */
	size_t chunk_count;
	size_t checked; /* blocks whose logs are settled */
	/* the fork at hand */
	uint64_t fork_to;
	struct cs_hash fork_new_hash; /* at fork_to + 1 */
};

static void step(struct evm_watch *watch);
static void next_chunk(struct evm_watch *watch);
static void find_fork(struct evm_watch *watch, uint64_t to, const struct cs_hash *new_hash);

/* ---- what is remembered ---- */

static struct slot *slot_at(struct evm_watch *watch, uint64_t height)
{
	return &watch->slots[height % EVM_WATCH_WINDOW];
}

static void slot_clear(struct slot *slot)
{
	evm_header_unref(slot->header);
	*slot = (struct slot){.header = NULL};
}

/* may_have_more: false where bloom or receipts, which the hash covers, exclude another event. */
static void push(struct evm_watch *watch, const struct cs_hash *hash, struct evm_header *header,
		 size_t log_count, bool may_have_more)
{
	struct slot *slot = slot_at(watch, watch->next);

	slot_clear(slot);
	*slot = (struct slot){.hash = *hash,
			      .header = header,
			      .log_count = log_count,
			      .look_round = may_have_more ? 0 : UINT64_MAX,
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

size_t evm_watch_log_count(const struct evm_watch *watch, uint64_t height)
{
	if (height < watch->low || height >= watch->next)
		return EVM_WATCH_COUNT_UNKNOWN;
	return watch->slots[height % EVM_WATCH_WINDOW].log_count;
}

void evm_watch_set_log_count(struct evm_watch *watch, uint64_t height, size_t count)
{
	if (height >= watch->low && height < watch->next)
		slot_at(watch, height)->log_count = count;
}

bool evm_watch_wants_look(const struct evm_watch *watch, uint64_t height, uint64_t round)
{
	return height >= watch->low && height < watch->next &&
	       watch->slots[height % EVM_WATCH_WINDOW].look_round <= round;
}

void evm_watch_looked(struct evm_watch *watch, uint64_t height, uint64_t round)
{
	struct slot *slot = slot_at(watch, height);

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

static void tell_progress(struct evm_watch *watch)
{
	const struct adapter_listener *listener = &watch->evm->listener;
	struct adapter_cursor cursor = {.count = 0};
	uint64_t from = watch->next - watch->low > ADAPTER_CURSOR_BLOCKS
				? watch->next - ADAPTER_CURSOR_BLOCKS
				: watch->low;

	for (uint64_t height = from; height < watch->next; height++)
		cursor.recent[cursor.count++] =
			(struct adapter_block_id){height, slot_at(watch, height)->hash};
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

static void finish(struct evm_watch *watch, enum cs_err err)
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

void evm_report_block(struct evm *evm, const struct evm_header *header, struct evm_log *logs,
		      size_t count, bool late)
{
	struct adapter_event *events = host_calloc(count + 1, sizeof(*events));
	size_t foreign;

	for (size_t i = 0; i < count; i++)
		logs[i].at.time_s = header->public.time_s;
	size_t found =
		evm_events_decode(events, &foreign, &evm->topics, logs, count, &evm->identity);
	evm->counters.events += late ? 0 : found;
	evm->counters.foreign += late ? 0 : foreign;
	struct adapter_block block = {
		.header = header->public, .events = events, .event_count = found, .late = late};
	if (found > 0 && evm->listener.block != NULL)
		evm->listener.block(evm->listener.ctx, &block);
	free(events);
}

static bool has_message(const struct evm_watch *watch, const struct evm_logs *logs)
{
	for (size_t i = 0; i < logs->count; i++)
		if (logs->logs[i].topic_count > 0 &&
		    cs_hash_eq(&logs->logs[i].topics[0], &watch->evm->topics.committed))
			return true;
	return false;
}

static void report_chunk(struct evm_watch *watch)
{
	struct evm *evm = watch->evm;

	for (size_t i = 0; i < watch->chunk_count; i++) {
		struct evm_header *header = watch->chunk[i];
		struct evm_logs *logs = &watch->logs[i];

		push(watch, &header->public.id.hash, evm_header_ref(header), logs->count,
		     watch->wanted[i] && !watch->complete[i]);
		evm->counters.blocks++;
		if (logs->count == 0)
			continue;
		/* its proofs will be asked for when it is final: the trie is made now. If not now,
		 * then then */
		if (has_message(watch, logs))
			(void)!evm_receipts_get(evm->receipts, header, NULL, NULL);
		evm_report_block(evm, header, logs->logs, logs->count, false);
	}
	drop_chunk(watch);
	tell_progress(watch);
	if (watch->head != NULL && watch->next <= watch->head->public.id.height)
		next_chunk(watch);
	else
		finish(watch, CS_OK);
}

/* ---- logs of the stretch ---- */

static void settle_logs(struct evm_watch *watch);
static enum cs_err ask_logs(struct evm_watch *watch, size_t first, size_t last);

/* All logs of the gateway in the receipts of a block: what is under the receipts root is complete. */
static enum cs_err logs_from_receipts(struct evm_watch *watch, struct evm_logs *logs,
				      const struct evm_header *header, const struct evm_trie *trie)
{
	struct adapter_position at = {.block = header->public.id};
	uint32_t first_log = 0;

	for (size_t i = 0; i < evm_trie_count(trie); i++) {
		size_t count;

		at.tx_index = (uint32_t)i;
		CS_TRY(evm_events_receipt_logs(logs, &count, evm_trie_value(trie, i), &at,
					       first_log, &watch->evm->config.gateway));
		first_log += (uint32_t)count;
	}
	return CS_OK;
}

/* The hash of a transaction is not in its receipt. */
static void hashes_done(void *ctx, const struct evm_rpc_reply *replies, size_t count)
{
	struct evm_watch *watch = ctx;
	struct evm_logs *logs = &watch->logs[watch->checked];
	const json_t *hashes = json_object_get(replies[0].result, "transactions");

	(void)count;
	if (replies[0].class != EVM_RPC_FINE) {
		finish(watch, replies[0].err);
		return;
	}
	for (size_t i = 0; i < logs->count; i++) {
		struct adapter_position *at = &logs->logs[i].at;

		if (evm_json_hash(&at->tx_hash, json_array_get(hashes, at->tx_index)) != CS_OK) {
			evm_rpc_lied(watch->evm->rpc, replies[0].endpoint,
				     "a block without its transactions");
			finish(watch, CS_ERR_RPC_LIE);
			return;
		}
	}
	watch->checked++;
	settle_logs(watch);
}

static void receipts_done(void *ctx, enum cs_err err, const char *why, const struct evm_trie *trie)
{
	struct evm_watch *watch = ctx;
	struct evm_header *header = watch->chunk[watch->checked];
	struct evm_logs *logs = &watch->logs[watch->checked];

	(void)why;
	if (err == CS_OK)
		err = logs_from_receipts(watch, logs, header, trie);
	if (err != CS_OK) {
		bool can_ask = watch->from_receipts[watch->checked] && !watch->evm->ending;

		evm_logs_clear(logs);
		watch->from_receipts[watch->checked] = false;
		if (can_ask)
			err = ask_logs(watch, watch->checked, watch->checked);
		if (!can_ask || err != CS_OK)
			finish(watch, err);
		return;
	}
	watch->complete[watch->checked] = true;
	if (logs->count == 0) {
		watch->checked++;
		settle_logs(watch);
		return;
	}
	json_t *params = json_array();
	json_array_append_new(params, evm_json_from_hash(&header->public.id.hash));
	json_array_append_new(params, json_false());
	err = evm_rpc_call(watch->evm->rpc, EVM_RPC_DEFAULT, "eth_getBlockByHash", params,
			   hashes_done, watch);
	if (err != CS_OK)
		finish(watch, err);
}

/* Block by block: has what the bloom promises come? */
static void settle_logs(struct evm_watch *watch)
{
	while (watch->checked < watch->chunk_count &&
	       (!watch->wanted[watch->checked] || watch->logs[watch->checked].count > 0))
		watch->checked++;
	if (watch->checked == watch->chunk_count) {
		report_chunk(watch);
		return;
	}
	if (!watch->from_receipts[watch->checked])
		watch->evm->counters.logs_refetched++;
	enum cs_err err = evm_receipts_get(watch->evm->receipts, watch->chunk[watch->checked],
					   receipts_done, watch);
	if (err != CS_OK)
		finish(watch, err);
}

static void logs_done(void *ctx, enum cs_err err, const char *why, struct evm_logs *logs,
		      size_t endpoint)
{
	struct evm_watch *watch = ctx;

	(void)why;
	(void)endpoint;
	if (err != CS_OK && err != CS_ERR_TOO_LARGE) {
		finish(watch, err);
		return;
	}
	for (size_t i = 0; err == CS_OK && i < logs->count; i++) {
		const struct evm_log *log = &logs->logs[i];
		size_t at = (size_t)(log->at.block.height - watch->chunk[0]->public.id.height);

		if (!cs_hash_eq(&log->at.block.hash, &watch->chunk[at]->public.id.hash)) {
			finish(watch, CS_ERR_REORGED); /* it changed meanwhile: look again */
			return;
		}
		if (!watch->from_receipts[at])
			evm_logs_append(&watch->logs[at], log);
	}
	settle_logs(watch);
}

static enum cs_err ask_logs(struct evm_watch *watch, size_t first, size_t last)
{
	struct evm_rpc_options options = {.pin = watch->endpoint};

	return evm_logs_fetch(watch->evm, &options, watch->chunk[first]->public.id.height,
			      watch->chunk[last]->public.id.height, logs_done, watch);
}

static bool may_have(const struct evm_header *header, const struct cs_hash *topic)
{
	return evm_bloom_may_have(header->bloom, CS_BYTES_OF(topic->b));
}

/* The stretch is in watch->chunk and links to what was reported. */
static void want_logs(struct evm_watch *watch)
{
	const struct evm_topics *topics = &watch->evm->topics;
	size_t first = watch->chunk_count;
	size_t last = 0;

	for (size_t i = 0; i < watch->chunk_count; i++) {
		const struct evm_header *header = watch->chunk[i];
		bool ours = evm_bloom_may_have(header->bloom,
					       CS_BYTES_OF(watch->evm->config.gateway.b));
		bool message = ours && may_have(header, &topics->committed);

		watch->wanted[i] = message || (ours && (may_have(header, &topics->status) ||
							may_have(header, &topics->finalized)));
		watch->from_receipts[i] = message && watch->chunk_count <= LIVE_MAX;
		watch->complete[i] = false;
		if (!watch->wanted[i] || watch->from_receipts[i])
			continue;
		first = first < i ? first : i;
		last = i;
	}
	watch->checked = 0;
	if (first == watch->chunk_count) {
		settle_logs(watch);
		return;
	}
	enum cs_err err = ask_logs(watch, first, last);
	if (err != CS_OK)
		finish(watch, err);
}

/* ---- forks ---- */

/* `from`: the lowest height that is no longer what was reported. */
static void withdraw(struct evm_watch *watch, uint64_t from, bool beyond,
		     const struct cs_hash *new_hash)
{
	struct evm *evm = watch->evm;
	struct adapter_reorg reorg = {
		.from = from,
		.old_tip = watch->next - 1,
		.old_hash = slot_at(watch, from)->hash,
		.new_hash = *new_hash,
		.beyond_window = beyond,
	};

	for (uint64_t height = from; height < watch->next; height++)
		slot_clear(slot_at(watch, height));
	watch->next = from;
	evm->counters.reorgs++;
	if (reorg.old_tip - from + 1 > evm->counters.reorg_depth_max)
		evm->counters.reorg_depth_max = reorg.old_tip - from + 1;
	if (evm->listener.reorg != NULL)
		evm->listener.reorg(evm->listener.ctx, &reorg);
	tell_progress(watch);
	watch->again = true;
	finish(watch, CS_OK);
}

static void fork_done(void *ctx, enum cs_err err, const char *why,
		      struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct evm_watch *watch = ctx;
	struct cs_hash zero = {{0}};

	(void)why;
	(void)endpoint;
	if (err != CS_OK || count == 0) {
		finish(watch, err == CS_OK ? CS_ERR_REORGED : err);
		return;
	}
	uint64_t from = headers[0]->public.id.height;
	for (size_t i = count; i-- > 0;) {
		uint64_t height = from + i;

		if (!cs_hash_eq(&slot_at(watch, height)->hash, &headers[i]->public.id.hash))
			continue;
		if (height + 1 >= watch->next) {
			finish(watch, CS_ERR_REORGED); /* no fork after all: it was in motion */
			return;
		}
		withdraw(watch, height + 1, false,
			 i + 1 < count              ? &headers[i + 1]->public.id.hash
			 : height == watch->fork_to ? &watch->fork_new_hash
						    : &zero);
		return;
	}
	if (from == watch->low)
		withdraw(watch, from, true, &headers[0]->public.id.hash);
	else
		find_fork(watch, from - 1, &headers[0]->public.id.hash);
}

/* The fork is at `to` or below. new_hash: of the block that is at to + 1 now. */
static void find_fork(struct evm_watch *watch, uint64_t to, const struct cs_hash *new_hash)
{
	struct evm_rpc_options options = {.pin = watch->endpoint, .only_pin = true};
	uint64_t from = to - watch->low < FORK_STEP ? watch->low : to - FORK_STEP + 1;

	watch->fork_to = to;
	watch->fork_new_hash = *new_hash;
	enum cs_err err = evm_fetch_headers(watch->evm->rpc, &options, from,
					    (size_t)(to - from + 1), fork_done, watch);
	if (err != CS_OK)
		finish(watch, err);
}

/* ---- a step ---- */

static void chunk_done(void *ctx, enum cs_err err, const char *why,
		       struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct evm_watch *watch = ctx;
	struct cs_hash tip;

	(void)why;
	if (err != CS_OK || count == 0) {
		finish(watch, err);
		return;
	}
	watch->endpoint = endpoint;
	if (evm_watch_hash(watch, watch->next - 1, &tip) &&
	    !cs_hash_eq(&headers[0]->public.parent, &tip)) {
		find_fork(watch, watch->next - 1, &headers[0]->public.id.hash);
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
	struct evm_rpc_options options = {.pin = watch->endpoint,
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
		finish(watch, err);
}

static void saw_head(struct evm_watch *watch, struct evm_header *header)
{
	struct evm *evm = watch->evm;

	if (watch->head != NULL &&
	    cs_hash_eq(&watch->head->public.id.hash, &header->public.id.hash))
		return;
	/* a node that lags, on the same chain, does not take the head back */
	struct cs_hash known;
	if (watch->head != NULL && header->public.id.height < watch->head->public.id.height &&
	    evm_watch_hash(watch, header->public.id.height, &known) &&
	    cs_hash_eq(&known, &header->public.id.hash))
		return;
	evm_header_unref(watch->head);
	watch->head = evm_header_ref(header);
	watch->head_changed_ms = host_now_ms();
	evm_hint_saw_head(evm->hint);
	if (watch->stalled) {
		watch->stalled = false;
		if (evm->listener.stalled != NULL)
			evm->listener.stalled(evm->listener.ctx, 0);
	}
	if (evm->listener.head != NULL)
		evm->listener.head(evm->listener.ctx, &header->public);
	evm_submit_saw_head(evm->submit);
}

static void head_done(void *ctx, enum cs_err err, const char *why,
		      struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct evm_watch *watch = ctx;
	struct cs_hash known;

	(void)why;
	if (err != CS_OK || count == 0) {
		finish(watch, CS_OK); /* the next poll asks again, perhaps another endpoint */
		return;
	}
	uint64_t height = headers[0]->public.id.height;
	watch->endpoint = endpoint;
	saw_head(watch, headers[0]);
	if (height >= watch->next) {
		if (watch->head->public.id.height < watch->next)
			finish(watch, CS_OK);
		else
			next_chunk(watch);
		return;
	}
	if (evm_watch_hash(watch, height, &known) &&
	    !cs_hash_eq(&known, &headers[0]->public.id.hash)) {
		if (height == watch->low)
			withdraw(watch, height, true, &headers[0]->public.id.hash);
		else
			find_fork(watch, height - 1, &headers[0]->public.id.hash);
		return;
	}
	finish(watch, CS_OK);
}

static void step(struct evm_watch *watch)
{
	watch->busy = true;
	enum cs_err err = evm_fetch_head(watch->evm->rpc, EVM_RPC_DEFAULT, head_done, watch);
	if (err != CS_OK)
		finish(watch, CS_OK);
}

void evm_watch_kick(struct evm_watch *watch)
{
	if (watch->busy)
		watch->again = true;
	else if (evm_rpc_is_ready(watch->evm->rpc) && !watch->evm->ending)
		step(watch);
}

/* ---- life ---- */

static void on_poll(void *ctx)
{
	struct evm_watch *watch = ctx;
	struct evm *evm = watch->evm;
	uint64_t silent_ms = host_now_ms() - watch->head_changed_ms;

	/* while the websocket talks, polling is only the safety net */
	if (watch->poll_count++ % 2 == 0 || !evm_hint_is_alive(evm->hint))
		evm_watch_kick(watch);
	if (silent_ms >= evm->config.stalled_ms && !watch->stalled) {
		watch->stalled = true;
		if (evm->listener.stalled != NULL)
			evm->listener.stalled(evm->listener.ctx, silent_ms);
	}
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
		push(watch, &cursor->recent[i].hash, NULL, EVM_WATCH_COUNT_UNKNOWN, true);
	return CS_OK;
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
		slot_clear(&watch->slots[i]);
	evm_header_unref(watch->head);
	free(watch);
}
