/* What a chain tells about its contracts: every callback writes the journal and nothing else. */
#include "host/log.h"
#include "oracle/chain_requests.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 80u
/* Rows that a reorganisation looks at, at a time. */
#define REORG_ROWS 64u

/* ---- OracleRequested ---- */

static void place(struct oracle_request *request, const struct adapter_position *at)
{
	request->height = at->block.height;
	request->block = at->block.hash;
	request->tx = at->tx_hash;
	request->tx_index = at->tx_index;
	request->log_index_block = at->log_index_block;
}

/* Seen again: at its place, or at another one after a reorganisation. */
static enum cs_err write_again(struct oracle_chain *chain, struct oracle_request *request,
			       const struct adapter_event *event)
{
	struct oracle_journal *journal = chain->oracle->journal;
	if (request->kind != ORACLE_CHAIN || cs_hash_eq(&request->block, &event->at.block.hash))
		return CS_OK;
	place(request, &event->at);
	/* What was open of another branch was final there; it becomes final again here. */
	if (request->state == ORACLE_OPEN)
		return oracle_journal_move(journal, request, ORACLE_OBSERVED);
	return oracle_journal_save(journal, request);
}

static enum cs_err write_requested(struct oracle_chain *chain, const struct adapter_event *event,
				   bool late)
{
	struct oracle_journal *journal = chain->oracle->journal;
	const struct adapter_oracle_request *asked = &event->requested;
	struct oracle_request request;
	enum cs_err err = oracle_journal_find(journal, &asked->request_id, &request);
	if (err == CS_OK)
		return write_again(chain, &request, event);
	if (err != CS_ERR_NOT_FOUND)
		return err;
	struct oracle_query query = {.spec = asked->spec,
				     .argument_count = asked->argument_count,
				     .secrets = asked->secrets};
	for (size_t i = 0; i < asked->argument_count; i++)
		query.arguments[i] = asked->arguments[i];
	request = (struct oracle_request){.kind = ORACLE_CHAIN,
					  .state = ORACLE_OBSERVED,
					  .id = asked->request_id,
					  .request_id = asked->request_id,
					  .chain = chain->identity,
					  .contract = event->contract,
					  .head = asked->head,
					  .next_ms = host_wall_ms()};
	place(&request, &event->at);
	CS_TRY(oracle_journal_add(journal, &request, &query));
	log_info("request.observed", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("id", &request.id), LOG_U64("counter", request.head.counter),
		 LOG_U64("height", request.height), LOG_BOOL("late", late));
	return CS_OK;
}

/* ---- how it ended ---- */

/* NOT_FOUND is CS_OK with n 0: a request from before our start, whoever answered it. */
static enum cs_err find_ours(struct oracle_chain *chain, const struct cs_hash *id,
			     struct oracle_request *request)
{
	enum cs_err err = oracle_journal_find(chain->oracle->journal, id, request);
	if (err == CS_ERR_NOT_FOUND || (err == CS_OK && request->kind != ORACLE_CHAIN)) {
		request->n = 0;
		return CS_OK;
	}
	return err;
}

static enum cs_err write_end(struct oracle_chain *chain, struct oracle_request *request,
			     const struct adapter_position *at, enum oracle_state to)
{
	request->end_height = at->block.height;
	request->end_tx = at->tx_hash;
	log_info("request.ended", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("id", &request->id), LOG_TEXT("state", oracle_state_name(to)),
		 LOG_U64("height", at->block.height));
	return request->state == to ? oracle_journal_save(chain->oracle->journal, request)
				    : oracle_journal_move(chain->oracle->journal, request, to);
}

static enum cs_err write_answered(struct oracle_chain *chain, const struct adapter_event *event)
{
	const struct adapter_oracle_answer *answer = &event->answered;
	struct oracle_request request;
	CS_TRY(find_ours(chain, &answer->request_id, &request));
	if (request.n == 0 || request.state == ORACLE_REFUNDED ||
	    (request.state == ORACLE_DONE && request.end_height == event->at.block.height))
		return CS_OK;
	request.why[0] = 0;
	/* Whoever brings a signed answer may: what counts is what the contract took. */
	if (request.statement == 0 || request.code != answer->code ||
	    request.observed_at != answer->observed_at)
		snprintf(request.why, sizeof(request.why), "the contract took another answer");
	request.code = answer->code;
	request.observed_at = answer->observed_at;
	return write_end(chain, &request, &event->at, ORACLE_DONE);
}

/* Comes with an answer whose code pays nothing as well: that request is answered. */
static enum cs_err write_refunded(struct oracle_chain *chain, const struct adapter_event *event)
{
	struct oracle_request request;
	CS_TRY(find_ours(chain, &event->refunded.request_id, &request));
	if (request.n == 0 || request.state == ORACLE_DONE ||
	    (request.state == ORACLE_REFUNDED && request.end_height == event->at.block.height))
		return CS_OK;
	if (request.state == ORACLE_EXPIRED && request.next_ms > 0)
		snprintf(request.why, sizeof(request.why), "somebody else refunded it");
	return write_end(chain, &request, &event->at, ORACLE_REFUNDED);
}

static enum cs_err write_callback_failed(struct oracle_chain *chain,
					 const struct adapter_event *event)
{
	struct oracle_request request;
	CS_TRY(find_ours(chain, &event->callback_failed.request_id, &request));
	if (request.n == 0)
		return CS_OK;
	snprintf(request.why, sizeof(request.why), "the callback failed");
	return oracle_journal_save(chain->oracle->journal, &request);
}

/* ---- blocks ---- */

struct block_write {
	struct oracle_chain *chain;
	const struct adapter_block *block;
};

static enum cs_err write_event(struct oracle_chain *chain, const struct adapter_event *event,
			       bool late)
{
	struct oracle_contract *contract = oracle_contract_of(chain->oracle, &event->contract);
	cs_assert(contract != NULL); /* the adapter watches none but ours */
	switch (event->kind) {
	case ADAPTER_EVENT_ORACLE_REQUESTED:
		return write_requested(chain, event, late);
	case ADAPTER_EVENT_ORACLE_ANSWERED:
		return write_answered(chain, event);
	case ADAPTER_EVENT_ORACLE_REFUNDED:
		return write_refunded(chain, event);
	case ADAPTER_EVENT_CALLBACK_FAILED:
		return write_callback_failed(chain, event);
	case ADAPTER_EVENT_FEED_UPDATED:
		return oracle_feeds_updated(
			contract, event->feed_updated.index, &event->feed_updated.value,
			event->feed_updated.observed_at, event->at.block.height);
	case ADAPTER_EVENT_FEED_ADDED: /* an operator lists what it serves */
	case ADAPTER_EVENT_FEED_PAUSED:
	case ADAPTER_EVENT_MESSAGE: /* of gateways */
	case ADAPTER_EVENT_STATUS:
	case ADAPTER_EVENT_FINALIZED:
		return CS_OK;
	}
	return CS_OK;
}

static enum cs_err write_block(void *context)
{
	struct block_write *write = context;
	for (size_t i = 0; i < write->block->event_count; i++)
		CS_TRY(write_event(write->chain, &write->block->events[i], write->block->late));
	return CS_OK;
}

static void on_block(void *ctx, const struct adapter_block *block)
{
	struct oracle_chain *chain = ctx;
	struct block_write write = {chain, block};
	enum cs_err err = oracle_write(chain->oracle, write_block, &write);
	/* The cursor must not pass what is not in the journal. */
	if (err != CS_OK)
		oracle_fail(chain->oracle, err, "a block's events cannot be written");
}

struct cursor_write {
	struct oracle_chain *chain;
	const struct adapter_cursor *cursor;
};

static enum cs_err write_cursor(void *context)
{
	struct cursor_write *write = context;
	uint8_t bytes[ADAPTER_CURSOR_SIZE_MAX];
	char name[NAME_SIZE];
	size_t size = 0;
	CS_TRY(adapter_cursor_encode(bytes, sizeof(bytes), &size, write->cursor));
	snprintf(name, sizeof(name), "cursor:%s", write->chain->identity_hex);
	return oracle_journal_put(write->chain->oracle->journal, name, cs_bytes(bytes, size));
}

/* Writers of one turn are one transaction: the blocks before it and their cursor. */
static void on_progress(void *ctx, const struct adapter_cursor *cursor)
{
	struct oracle_chain *chain = ctx;
	struct cursor_write write = {chain, cursor};
	if (cursor->count == 0)
		return;
	if (oracle_write(chain->oracle, write_cursor, &write) != CS_OK)
		log_warn("chain.cursor_not_stored", LOG_TEXT("chain", chain->config->id));
	adapter_follow_progress(&chain->follow, cursor);
}

static void on_head(void *ctx, const struct adapter_header *head)
{
	struct oracle_chain *chain = ctx;
	adapter_follow_head(&chain->follow, head);
}

static void on_stalled(void *ctx, uint64_t stalled_ms)
{
	struct oracle_chain *chain = ctx;
	adapter_follow_stalled(&chain->follow, stalled_ms);
}

static void on_endpoint(void *ctx, const struct adapter_endpoint *endpoint)
{
	const struct oracle_chain *chain = ctx;
	adapter_follow_endpoint(&chain->follow, endpoint);
}

/* ---- reorganisations ---- */

struct reorg_write {
	struct oracle_chain *chain;
	uint64_t from;
};

/* What was final stays: that it is there no more is a node's word against the enclave's, and what
 * really is gone ends at its deadline. */
static enum cs_err undo_request(struct reorg_write *write, struct oracle_request *request)
{
	if (request->state != ORACLE_OBSERVED)
		return CS_OK;
	log_info("request.vanished", LOG_TEXT("chain", write->chain->config->id),
		 LOG_HASH("id", &request->id));
	return oracle_journal_forget(write->chain->oracle->journal, request);
}

/* To where it would be without its end. */
static enum cs_err state_before(struct reorg_write *write, const struct oracle_request *request,
				enum oracle_state *state, uint64_t *next_ms)
{
	struct oracle_journal *journal = write->chain->oracle->journal;
	struct oracle_submission submission;
	*state = request->statement == 0 ? ORACLE_OBSERVED : ORACLE_ANSWERED;
	*next_ms = host_wall_ms();
	if (request->submission == 0)
		return CS_OK;
	enum cs_err err =
		oracle_journal_submission(journal, request->submission, &submission, NULL, NULL);
	if (err == CS_ERR_NOT_FOUND) /* settled long ago, and forgotten */
		return CS_OK;
	CS_TRY(err);
	/* Its transaction is still watched, and sent again where it is gone. */
	bool watched = submission.state == ORACLE_SUBMISSION_OPEN ||
		       submission.state == ORACLE_SUBMISSION_INCLUDED;
	if (submission.call == ORACLE_CALL_REFUND) {
		*state = ORACLE_EXPIRED;
		*next_ms = watched ? 0 : *next_ms;
	} else if (watched) {
		*state = ORACLE_SUBMITTED;
	}
	return CS_OK;
}

static enum cs_err undo_end(struct reorg_write *write, struct oracle_request *request)
{
	enum oracle_state before;
	uint64_t next_ms;
	if (request->state != ORACLE_DONE && request->state != ORACLE_REFUNDED)
		return CS_OK;
	CS_TRY(state_before(write, request, &before, &next_ms));
	request->end_height = 0;
	memset(&request->end_tx, 0, sizeof(request->end_tx));
	request->next_ms = next_ms;
	request->why[0] = 0;
	return oracle_journal_move(write->chain->oracle->journal, request, before);
}

static enum cs_err write_reorg(void *context)
{
	static struct oracle_request page[REORG_ROWS];
	struct reorg_write *write = context;
	/* Ends first: a request that is back to observed may be of a block that is gone too. */
	for (int ends = 1; ends >= 0; ends--) {
		uint64_t after = 0;
		size_t count;
		do {
			CS_TRY(oracle_journal_above(write->chain->oracle->journal,
						    &write->chain->identity, ends != 0, write->from,
						    after, page, REORG_ROWS, &count));
			for (size_t i = 0; i < count; i++)
				CS_TRY(ends ? undo_end(write, &page[i])
					    : undo_request(write, &page[i]));
			after = count > 0 ? page[count - 1].n : 0;
		} while (count == REORG_ROWS);
	}
	return CS_OK;
}

static void on_reorg(void *ctx, const struct adapter_reorg *reorg)
{
	struct oracle_chain *chain = ctx;
	struct reorg_write write = {.chain = chain, .from = reorg->from};
	log_warn("chain.reorg", LOG_TEXT("chain", chain->config->id), LOG_U64("from", reorg->from),
		 LOG_U64("old_tip", reorg->old_tip),
		 LOG_BOOL("beyond_window", reorg->beyond_window),
		 LOG_BOOL("diverged", reorg->diverged));
	if (oracle_write(chain->oracle, write_reorg, &write) != CS_OK) {
		oracle_fail(chain->oracle, CS_ERR_IO, "a reorganisation cannot be written");
		return;
	}
	adapter_follow_reorg(&chain->follow, reorg);
}

/* ---- starting ---- */

static enum cs_err load_cursor(struct oracle_chain *chain, struct adapter_cursor *cursor)
{
	struct cs_arena *arena = &chain->oracle->scratch;
	size_t mark = cs_arena_mark(arena);
	struct cs_bytes bytes;
	char name[NAME_SIZE];
	memset(cursor, 0, sizeof(*cursor));
	snprintf(name, sizeof(name), "cursor:%s", chain->identity_hex);
	enum cs_err err = oracle_journal_get(chain->oracle->journal, name, arena, &bytes);
	if (err == CS_OK)
		err = adapter_cursor_decode(cursor, bytes);
	else if (err == CS_ERR_NOT_FOUND)
		err = CS_OK;
	cs_arena_rewind(arena, mark);
	return err;
}

/* A manifest decided a conflict: what is not final from its height on may be of the other branch, and
 * those blocks are read again, once for each decision. */
struct decision_write {
	struct reorg_write reorg;
	struct adapter_cursor *cursor;
	const char *name;
	struct cs_bytes decision;
};

static enum cs_err write_decision(void *context)
{
	struct decision_write *write = context;
	struct cursor_write cursor = {write->reorg.chain, write->cursor};
	CS_TRY(write_reorg(&write->reorg));
	CS_TRY(write_cursor(&cursor));
	return oracle_journal_put(write->reorg.chain->oracle->journal, write->name,
				  write->decision);
}

static enum cs_err take_decision(struct oracle_chain *chain, struct adapter_cursor *cursor)
{
	const struct host_manifest_chain *manifest = chain->manifest;
	struct cs_arena *arena = &chain->oracle->scratch;
	size_t mark = cs_arena_mark(arena);
	uint8_t decision[8 + 32];
	struct cs_bytes taken;
	char name[NAME_SIZE];
	if (manifest->abandoned_height == 0)
		return CS_OK;
	snprintf(name, sizeof(name), "decided:%s", chain->identity_hex);
	cs_put_be64(decision, manifest->abandoned_height);
	memcpy(decision + 8, manifest->anchor_hash.b, 32);
	enum cs_err err = oracle_journal_get(chain->oracle->journal, name, arena, &taken);
	bool known = err == CS_OK && cs_bytes_eq(taken, CS_BYTES_OF(decision));
	cs_arena_rewind(arena, mark);
	if (known || (err != CS_OK && err != CS_ERR_NOT_FOUND))
		return known ? CS_OK : err;
	while (cursor->count > 0 &&
	       cursor->recent[cursor->count - 1].height >= manifest->abandoned_height)
		cursor->count--;
	log_warn("chain.decided", LOG_TEXT("chain", chain->config->id),
		 LOG_U64("from", manifest->abandoned_height));
	struct decision_write write = {{.chain = chain, .from = manifest->abandoned_height},
				       cursor,
				       name,
				       CS_BYTES_OF(decision)};
	return oracle_write(chain->oracle, write_decision, &write);
}

static void fill_config(struct adapter_evm_config *config, const struct oracle_chain *chain)
{
	const struct host_chain_config *from = chain->config;
	*config = (struct adapter_evm_config){.http_count = from->http_count,
					      .ws_count = from->ws_count,
					      .chain_id = chain->manifest->chain_id,
					      .genesis_hash = chain->manifest->genesis,
					      .start_height = from->start_height,
					      .block_time_ms = from->block_time_ms,
					      .settle_blocks = from->settle_blocks,
					      .replace_blocks = from->replace_blocks,
					      .in_flight_max = from->in_flight_max,
					      .max_fee_cap_wei = from->max_fee_wei,
					      .min_priority_fee_wei = from->min_priority_fee_wei};
	for (size_t i = 0; i < from->http_count; i++)
		config->http[i] = from->http[i];
	for (size_t i = 0; i < from->ws_count; i++)
		config->ws[i] = from->ws[i];
	for (size_t i = 0; i < chain->contract_count; i++) {
		const struct oracle_contract *contract = &chain->contracts[i];
		if (contract->feeds)
			config->feeds[config->feed_count++] = contract->address;
		else
			config->oracles[config->oracle_count++] = contract->address;
	}
}

enum cs_err oracle_chain_start(struct oracle_chain *chain, struct cs_why *why)
{
	const struct adapter_listener listener = {.ctx = chain,
						  .head = on_head,
						  .block = on_block,
						  .progress = on_progress,
						  .reorg = on_reorg,
						  .stalled = on_stalled,
						  .endpoint = on_endpoint};
	struct adapter_evm_config config;
	struct adapter_cursor cursor;
	if (chain->contract_count == 0)
		return CS_OK;
	fill_config(&config, chain);
	enum cs_err err = load_cursor(chain, &cursor);
	if (err != CS_OK)
		return cs_fail(why, err, "the cursor of %s is broken", chain->config->id);
	CS_TRY(take_decision(chain, &cursor));
	adapter_follow_progress(&chain->follow, &cursor);
	chain->listening = oracle_listening_new();
	CS_TRY(adapter_evm_new(&chain->adapter, chain->oracle->loop, &config, &listener, why));
	chain->follow.adapter = chain->adapter;
	oracle_submit_start(chain);
	return adapter_start(chain->adapter, &cursor);
}

void oracle_chain_stop(struct oracle_chain *chain)
{
	if (chain->adapter)
		adapter_free(chain->adapter);
	chain->adapter = NULL;
	chain->follow.adapter = NULL;
	adapter_sender_done(&chain->sender);
	oracle_listening_free(chain->listening);
	chain->listening = NULL;
}
