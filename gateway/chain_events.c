/* What a chain tells: every callback writes the journal and nothing else. */
#include "gateway/gateway.h"

#include <stdlib.h>
#include <string.h>

#define CURSOR_NAME_SIZE 80u
/* Rows that a reorganisation undoes at a time. */
#define REORG_ROWS 256u

static void cursor_name(char name[CURSOR_NAME_SIZE], const struct gateway_chain *chain)
{
	snprintf(name, CURSOR_NAME_SIZE, "cursor:%s", chain->identity_hex);
}

/* ---- MessageCommitted ---- */

static void content_of(struct wire_message *content, const struct gateway_chain *chain,
		       const struct adapter_message *event)
{
	memset(content, 0, sizeof(*content));
	content->head.source = chain->identity;
	content->head.destination = event->destination;
	content->head.sequence = event->sequence;
	content->head.deadline = event->deadline;
	content->head.min_gas_limit = event->min_gas_limit;
	content->head.closer = event->closer;
	content->head.refund_to = event->refund_to;
	content->head.finality = event->finality;
	content->sender = event->sender;
	content->recipient = event->recipient;
	content->payload = event->payload;
	wire_message_seal(content);
}

static void place(struct gateway_message *message, const struct adapter_position *at)
{
	message->height = at->block.height;
	message->block = at->block.hash;
	message->tx = at->tx_hash;
	message->tx_index = at->tx_index;
	message->log_index = at->log_index_block;
	message->time_s = at->time_s;
}

/* Steps 1 to 4: of the REST request where there was one, else of the transaction itself. */
static enum cs_err write_first_steps(struct gateway_chain *chain, struct gateway_message *message,
				     const struct wire_message *content)
{
	struct gateway_journal *journal = chain->gateway->journal;
	struct gateway_request request = {0};
	enum cs_err err = gateway_journal_match_request(journal, &chain->identity, &message->tx,
							&content->head.payload_hash, &request);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	uint64_t block_ms = gateway_block_ms(message->time_s);
	struct gateway_step step = {
		.message = message->n, .chain = chain->config->id, .tx = &message->tx};
	step.step = RELAY_STEP_REQUESTED;
	step.time_ms = err == CS_OK ? request.created_ms : block_ms;
	step.detail = err == CS_OK ? request.mode : "the application's own transaction";
	if (err == CS_OK)
		step.tx = NULL;
	CS_TRY(gateway_journal_step(journal, &step));
	if (err == CS_OK && request.submission != 0) {
		step.step = RELAY_STEP_INVOKED;
		step.tx = &message->tx;
		step.detail = NULL;
		CS_TRY(gateway_journal_step(journal, &step));
	}
	if (err == CS_OK) {
		CS_TRY(gateway_journal_link_request(journal, request.n, message->n));
		message->request = request.n;
		CS_TRY(gateway_journal_save(journal, message));
	}
	step.step = RELAY_STEP_COMMITTED;
	step.tx = &message->tx;
	step.block = message->height;
	step.time_ms = block_ms;
	step.detail = NULL;
	CS_TRY(gateway_journal_step_again(journal, &step));
	step.step = RELAY_STEP_OBSERVED;
	step.time_ms = 0;
	return gateway_journal_step_again(journal, &step);
}

static enum cs_err write_message(struct gateway_chain *chain, const struct adapter_event *event,
				 bool late)
{
	struct gateway_journal *journal = chain->gateway->journal;
	struct gateway_message message = {0};
	struct wire_message content;
	if (!gateway_route_of(chain, &event->message.destination)) {
		log_warn("message.no_route", LOG_TEXT("chain", chain->config->id),
			 LOG_HASH("id", &event->message.message_id));
		return CS_OK;
	}
	content_of(&content, chain, &event->message);
	enum cs_err err =
		gateway_journal_find(journal, &event->message.message_id, RELAY_SOURCE, &message);
	if (err == CS_OK) {
		/* Again: at its place, at another one after a reorganisation, or back from one. */
		bool moved = !cs_hash_eq(&message.block, &event->at.block.hash);
		/* One that was signed from a branch that was final and is gone is signed again from
		 * this one, once the manifest says that it is the one that counts. */
		bool observe = message.state == RELAY_ABANDONED ||
			       (moved && message.state == RELAY_SIGNED);
		if (!observe && !(moved && message.state == RELAY_OBSERVED))
			return CS_OK;
		place(&message, &event->at);
		if (observe)
			CS_TRY(gateway_journal_move(journal, &message, RELAY_ON_OBSERVE));
		else
			CS_TRY(gateway_journal_save(journal, &message));
		return write_first_steps(chain, &message, &content);
	}
	if (err != CS_ERR_NOT_FOUND)
		return err;
	message.id = event->message.message_id;
	message.side = RELAY_SOURCE;
	message.state = relay_first(RELAY_SOURCE);
	message.chain = chain->identity;
	message.remote = event->message.destination;
	message.sequence = event->message.sequence;
	message.deadline = event->message.deadline;
	message.min_gas_limit = event->message.min_gas_limit;
	message.finality = event->message.finality;
	message.closer = event->message.closer;
	message.refund_to = event->message.refund_to;
	message.next_ms = host_wall_ms();
	place(&message, &event->at);
	CS_TRY(gateway_journal_add(journal, &message, &content));
	log_info("message.observed", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("id", &message.id), LOG_U64("sequence", message.sequence),
		 LOG_U64("height", message.height), LOG_BOOL("late", late));
	return write_first_steps(chain, &message, &content);
}

/* ---- MessageStatus ---- */

static enum cs_err write_status(struct gateway_chain *chain, const struct adapter_event *event)
{
	struct gateway_journal *journal = chain->gateway->journal;
	struct gateway_message message;
	enum wire_status status = (enum wire_status)event->status.status;
	enum cs_err err = gateway_journal_find(journal, &event->status.message_id,
					       RELAY_DESTINATION, &message);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK; /* its envelope has not come yet: the status is looked at before
				 anything is sent */
	CS_TRY(err);
	if (message.status_height > event->at.block.height || relay_ends(message.state) ||
	    message.state == RELAY_OUTCOME_VERIFIED || message.state == RELAY_REFUNDING)
		return CS_OK; /* reported again */
	if (message.status == status && message.status_height == event->at.block.height)
		return CS_OK;
	message.status = status;
	message.status_height = event->at.block.height;
	message.status_tx = event->at.tx_hash;
	message.status_time_s = event->at.time_s;
	message.submission = 0;
	message.wish_retry = false;
	message.tries = 0;
	message.next_ms = host_wall_ms();
	message.why[0] = 0;
	enum relay_event move = status == WIRE_STATUS_FAILED ? RELAY_ON_FAIL : RELAY_ON_INCLUDE;
	if (relay_may_move(message.state, move))
		CS_TRY(gateway_journal_move(journal, &message, move));
	else
		CS_TRY(gateway_journal_save(journal, &message));
	struct gateway_step step = {.message = message.n,
				    .step = RELAY_STEP_EXECUTED,
				    .time_ms = gateway_block_ms(event->at.time_s),
				    .chain = chain->config->id,
				    .tx = &event->at.tx_hash,
				    .block = event->at.block.height,
				    .detail = relay_status_name(status)};
	CS_TRY(gateway_journal_step_again(journal, &step));
	step.step = RELAY_STEP_OUTCOME_OBSERVED;
	step.time_ms = 0;
	CS_TRY(gateway_journal_step_again(journal, &step));
	log_info("message.status", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("id", &message.id), LOG_TEXT("status", relay_status_name(status)),
		 LOG_U64("height", message.status_height));
	struct gateway_route *route = gateway_route_of(chain, &message.remote);
	return route ? gateway_post_item(route, GATEWAY_ITEM_NOTE, message.n) : CS_OK;
}

/* ---- MessageFinalized ---- */

static enum cs_err write_finalized(struct gateway_chain *chain, const struct adapter_event *event)
{
	struct gateway_journal *journal = chain->gateway->journal;
	struct gateway_message message;
	enum wire_status outcome = (enum wire_status)event->finalized.status;
	enum cs_err err =
		gateway_journal_find(journal, &event->finalized.message_id, RELAY_SOURCE, &message);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	CS_TRY(err);
	if (relay_ends(message.state) || message.end_height == event->at.block.height)
		return CS_OK;
	message.end_height = event->at.block.height;
	message.end_tx = event->at.tx_hash;
	message.end_time_s = event->at.time_s;
	message.submission = 0;
	message.outcome = outcome;
	message.why[0] = 0;
	/* Somebody else finalized it: the contract checked the statement, we never saw it. */
	if (relay_may_move(message.state, RELAY_ON_VERIFY_OUTCOME))
		CS_TRY(gateway_journal_move(journal, &message, RELAY_ON_VERIFY_OUTCOME));
	if (outcome == WIRE_STATUS_DEAD && relay_may_move(message.state, RELAY_ON_BEGIN_REFUND))
		CS_TRY(gateway_journal_move(journal, &message, RELAY_ON_BEGIN_REFUND));
	CS_TRY(gateway_journal_save(journal, &message));
	struct gateway_step step = {.message = message.n,
				    .step = RELAY_STEP_FINALIZED,
				    .time_ms = gateway_block_ms(event->at.time_s),
				    .chain = chain->config->id,
				    .tx = &event->at.tx_hash,
				    .block = event->at.block.height,
				    .detail = relay_status_name(outcome)};
	return gateway_journal_step_again(journal, &step);
}

/* ---- blocks ---- */

struct block_write {
	struct gateway_chain *chain;
	const struct adapter_block *block;
};

static enum cs_err write_block(void *context)
{
	struct block_write *write = context;
	for (size_t i = 0; i < write->block->event_count; i++) {
		const struct adapter_event *event = &write->block->events[i];
		switch (event->kind) {
		case ADAPTER_EVENT_MESSAGE:
			CS_TRY(write_message(write->chain, event, write->block->late));
			break;
		case ADAPTER_EVENT_STATUS:
			CS_TRY(write_status(write->chain, event));
			break;
		case ADAPTER_EVENT_FINALIZED:
			CS_TRY(write_finalized(write->chain, event));
			break;
		case ADAPTER_EVENT_ORACLE_REQUESTED: /* contracts that no gateway watches */
		case ADAPTER_EVENT_ORACLE_ANSWERED:
		case ADAPTER_EVENT_ORACLE_REFUNDED:
		case ADAPTER_EVENT_CALLBACK_FAILED:
		case ADAPTER_EVENT_FEED_ADDED:
		case ADAPTER_EVENT_FEED_UPDATED:
		case ADAPTER_EVENT_FEED_PAUSED:
			break;
		}
	}
	return CS_OK;
}

static void on_block(void *ctx, const struct adapter_block *block)
{
	struct gateway_chain *chain = ctx;
	struct block_write write = {chain, block};
	enum cs_err err = gateway_write(chain->gateway, write_block, &write);
	/* The cursor must not pass what is not in the journal. */
	if (err != CS_OK)
		gateway_fail(chain->gateway, err, "a block's events cannot be written");
}

struct cursor_write {
	struct gateway_chain *chain;
	const struct adapter_cursor *cursor;
};

static enum cs_err write_cursor(void *context)
{
	struct cursor_write *write = context;
	uint8_t bytes[ADAPTER_CURSOR_SIZE_MAX];
	char name[CURSOR_NAME_SIZE];
	size_t size = 0;
	CS_TRY(adapter_cursor_encode(bytes, sizeof(bytes), &size, write->cursor));
	cursor_name(name, write->chain);
	return gateway_journal_put(write->chain->gateway->journal, name, cs_bytes(bytes, size));
}

static void on_progress(void *ctx, const struct adapter_cursor *cursor)
{
	struct gateway_chain *chain = ctx;
	struct cursor_write write = {chain, cursor};
	if (cursor->count == 0)
		return;
	if (gateway_write(chain->gateway, write_cursor, &write) != CS_OK)
		log_warn("chain.cursor_not_stored", LOG_TEXT("chain", chain->config->id));
	adapter_follow_progress(&chain->follow, cursor);
}

static void on_head(void *ctx, const struct adapter_header *head)
{
	struct gateway_chain *chain = ctx;
	adapter_follow_head(&chain->follow, head);
}

static void on_stalled(void *ctx, uint64_t stalled_ms)
{
	struct gateway_chain *chain = ctx;
	adapter_follow_stalled(&chain->follow, stalled_ms);
}

static void on_endpoint(void *ctx, const struct adapter_endpoint *endpoint)
{
	const struct gateway_chain *chain = ctx;
	adapter_follow_endpoint(&chain->follow, endpoint);
}

/* ---- reorganisations ---- */

struct reorg_write {
	struct gateway_chain *chain;
	uint64_t from;
};

static enum cs_err undo_source(struct reorg_write *write, struct gateway_message *message)
{
	struct gateway_journal *journal = write->chain->gateway->journal;
	if (!relay_may_move(message->state, RELAY_ON_VANISH))
		return CS_OK;
	log_info("message.vanished", LOG_TEXT("chain", write->chain->config->id),
		 LOG_HASH("id", &message->id));
	CS_TRY(gateway_journal_steps_undo(journal, message->n, RELAY_STEP_COMMITTED,
					  RELAY_STEP_FINAL));
	return gateway_journal_move(journal, message, RELAY_ON_VANISH);
}

static enum cs_err undo_status(struct reorg_write *write, struct gateway_message *message)
{
	struct gateway_journal *journal = write->chain->gateway->journal;
	if (!relay_may_move(message->state, RELAY_ON_DROP))
		return CS_OK;
	message->status = WIRE_STATUS_NONE;
	message->status_height = 0;
	memset(&message->status_tx, 0, sizeof(message->status_tx));
	message->status_time_s = 0;
	message->next_ms = host_wall_ms();
	CS_TRY(gateway_journal_steps_undo(journal, message->n, RELAY_STEP_EXECUTED,
					  RELAY_STEP_OUTCOME_FINAL));
	return gateway_journal_move(journal, message, RELAY_ON_DROP);
}

static enum cs_err undo_end(struct reorg_write *write, struct gateway_message *message)
{
	struct gateway_journal *journal = write->chain->gateway->journal;
	if (relay_ends(message->state))
		return CS_OK;
	message->end_height = 0;
	memset(&message->end_tx, 0, sizeof(message->end_tx));
	message->end_time_s = 0;
	message->next_ms = host_wall_ms();
	CS_TRY(gateway_journal_steps_undo(journal, message->n, RELAY_STEP_FINALIZED,
					  RELAY_STEP_NOTIFIED));
	return gateway_journal_save(journal, message);
}

static enum cs_err write_reorg(void *context)
{
	static enum cs_err (*const undo[])(struct reorg_write *, struct gateway_message *) = {
		[GATEWAY_PLACE_SOURCE] = undo_source,
		[GATEWAY_PLACE_STATUS] = undo_status,
		[GATEWAY_PLACE_END] = undo_end};
	static struct gateway_message page[REORG_ROWS];
	struct reorg_write *write = context;
	for (unsigned kind = 0; kind < CS_LEN(undo); kind++) {
		uint64_t after = 0;
		size_t count;
		do {
			CS_TRY(gateway_journal_above(write->chain->gateway->journal,
						     &write->chain->identity,
						     (enum gateway_place)kind, write->from, after,
						     page, REORG_ROWS, &count));
			for (size_t i = 0; i < count; i++)
				CS_TRY(undo[kind](write, &page[i]));
			after = count > 0 ? page[count - 1].n : 0;
		} while (count == REORG_ROWS);
	}
	char detail[160];
	snprintf(detail, sizeof(detail), "%s: from %llu", write->chain->config->id,
		 (unsigned long long)write->from);
	return gateway_journal_event(write->chain->gateway->journal, "chain.reorg", NULL, detail);
}

static void on_reorg(void *ctx, const struct adapter_reorg *reorg)
{
	struct gateway_chain *chain = ctx;
	struct reorg_write write = {.chain = chain, .from = reorg->from};
	log_warn("chain.reorg", LOG_TEXT("chain", chain->config->id), LOG_U64("from", reorg->from),
		 LOG_U64("old_tip", reorg->old_tip),
		 LOG_BOOL("beyond_window", reorg->beyond_window),
		 LOG_BOOL("diverged", reorg->diverged));
	if (gateway_write(chain->gateway, write_reorg, &write) != CS_OK) {
		gateway_fail(chain->gateway, CS_ERR_IO, "a reorganisation cannot be written");
		return;
	}
	adapter_follow_reorg(&chain->follow, reorg);
}

/* ---- starting ---- */

static enum cs_err load_cursor(struct gateway_chain *chain, struct adapter_cursor *cursor)
{
	struct cs_arena *arena = &chain->gateway->scratch;
	size_t mark = cs_arena_mark(arena);
	struct cs_bytes bytes;
	char name[CURSOR_NAME_SIZE];
	memset(cursor, 0, sizeof(*cursor));
	cursor_name(name, chain);
	enum cs_err err = gateway_journal_get(chain->gateway->journal, name, arena, &bytes);
	if (err == CS_OK)
		err = adapter_cursor_decode(cursor, bytes);
	else if (err == CS_ERR_NOT_FOUND)
		err = CS_OK;
	cs_arena_rewind(arena, mark);
	return err;
}

/* A manifest decided a conflict: what the journal has from its height on may be of the other branch.
 * It is undone as after any reorganisation, and those blocks are read again, once for each
 * decision. The node may have changed branches while nobody looked, and that is no reason to
 * freeze the chain anew. */
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
	return gateway_journal_put(write->reorg.chain->gateway->journal, write->name,
				   write->decision);
}

static enum cs_err take_decision(struct gateway_chain *chain, struct adapter_cursor *cursor)
{
	const struct host_manifest_chain *manifest = chain->manifest;
	struct cs_arena *arena = &chain->gateway->scratch;
	size_t mark = cs_arena_mark(arena);
	uint8_t decision[8 + 32];
	struct cs_bytes taken;
	char name[CURSOR_NAME_SIZE];
	snprintf(name, sizeof(name), "decided:%s", chain->identity_hex);
	cs_put_be64(decision, manifest->abandoned_height);
	memcpy(decision + 8, manifest->anchor_hash.b, 32);
	enum cs_err err = gateway_journal_get(chain->gateway->journal, name, arena, &taken);
	bool known = manifest->abandoned_height == 0 ||
		     (err == CS_OK && cs_bytes_eq(taken, CS_BYTES_OF(decision)));
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
	return gateway_write(chain->gateway, write_decision, &write);
}

enum cs_err gateway_chain_start(struct gateway_chain *chain, struct cs_why *why)
{
	const struct host_chain_config *from = chain->config;
	struct adapter_evm_config config = {.http_count = from->http_count,
					    .ws_count = from->ws_count,
					    .chain_id = chain->manifest->chain_id,
					    .genesis_hash = chain->manifest->genesis,
					    .gateway = chain->manifest->gateway,
					    .start_height = from->start_height,
					    .block_time_ms = from->block_time_ms,
					    .settle_blocks = from->settle_blocks,
					    .replace_blocks = from->replace_blocks,
					    .in_flight_max = from->in_flight_max,
					    .max_fee_cap_wei = from->max_fee_wei,
					    .min_priority_fee_wei = from->min_priority_fee_wei};
	const struct adapter_listener listener = {.ctx = chain,
						  .head = on_head,
						  .block = on_block,
						  .progress = on_progress,
						  .reorg = on_reorg,
						  .stalled = on_stalled,
						  .endpoint = on_endpoint};
	struct adapter_cursor cursor;
	for (size_t i = 0; i < from->http_count; i++)
		config.http[i] = from->http[i];
	for (size_t i = 0; i < from->ws_count; i++)
		config.ws[i] = from->ws[i];
	enum cs_err err = load_cursor(chain, &cursor);
	if (err != CS_OK)
		return cs_fail(why, err, "the cursor of %s is broken", from->id);
	CS_TRY(take_decision(chain, &cursor));
	adapter_follow_progress(&chain->follow, &cursor);
	CS_TRY(adapter_evm_new(&chain->adapter, chain->gateway->loop, &config, &listener, why));
	chain->follow.adapter = chain->adapter;
	gateway_submit_start(chain);
	return adapter_start(chain->adapter, &cursor);
}
