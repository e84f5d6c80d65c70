/* What a chain tells about its gateway, in the journal (adapters/listen brings it there). */
#include "gateway/operator.h"

#include <stdlib.h>
#include <string.h>

/* Rows that a reorganisation undoes at a time. */
#define REORG_ROWS 256u

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
		CS_TRY(gateway_journal_add_trace(journal, message->n, &request.trace));
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
	struct host_trace trace;
	if (!gateway_route_of(chain, &event->message.destination))
		return gateway_unrouted_note(chain, event);
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
		gateway_proofs_look_from(chain, message.height);
		/* The signature that stands was for the branch that is gone. */
		if (message.state == RELAY_SIGNED)
			CS_TRY(gateway_journal_steps_undo(journal, message.n, RELAY_STEP_FINAL,
							  RELAY_STEP_SIGNED));
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
	place(&message, &event->at);
	message.next_ms = gateway_turn_ms(&message, host_wall_ms());
	gateway_proofs_look_from(chain, message.height);
	CS_TRY(gateway_journal_add(journal, &message, &content));
	CS_TRY(write_first_steps(chain, &message, &content));
	log_info("message.observed", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("id", &message.id), LOG_U64("sequence", message.sequence),
		 LOG_U64("height", message.height), LOG_BOOL("late", late),
		 gateway_log_message_trace(chain->gateway, message.n, &trace));
	return CS_OK;
}

/* ---- MessageStatus ---- */

static enum cs_err write_status(struct gateway_chain *chain, const struct adapter_event *event)
{
	struct host_trace trace;
	struct gateway_journal *journal = chain->gateway->journal;
	struct gateway_message message;
	enum wire_status status = (enum wire_status)event->status.status;
	enum cs_err err = gateway_journal_find(journal, &event->status.message_id,
					       RELAY_DESTINATION, &message);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK; /* its envelope has not come yet: the status is looked at before
				 anything is sent */
	CS_TRY(err);
	/* A ledger's state shows a status by source and sequence: of another message it says nothing. */
	if (message.sequence != event->status.sequence ||
	    !cs_hash_eq(&message.remote, &event->status.source))
		return CS_OK;
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
		 LOG_U64("height", message.status_height),
		 gateway_log_message_trace(chain->gateway, message.n, &trace));
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
	/* Where somebody else finalized it, the contract checked a statement that we may never see: the
	 * state waits for the block to be final, and goes on as if nothing had been if it vanishes. */
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

static enum cs_err write_block(void *context, const struct adapter_block *block)
{
	struct gateway_chain *chain = context;
	for (size_t i = 0; i < block->event_count; i++) {
		const struct adapter_event *event = &block->events[i];
		if (block->late)
			gateway_observe_event(chain, event, false);
		switch (event->kind) {
		case ADAPTER_EVENT_MESSAGE:
			CS_TRY(write_message(chain, event, block->late));
			break;
		case ADAPTER_EVENT_STATUS:
			CS_TRY(write_status(chain, event));
			break;
		case ADAPTER_EVENT_FINALIZED:
			CS_TRY(write_finalized(chain, event));
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
		if (block->late)
			gateway_observe_event(chain, event, true);
	}
	return CS_OK;
}

/* ---- reorganisations ---- */

static enum cs_err undo_source(struct gateway_chain *chain, struct gateway_message *message)
{
	struct gateway_journal *journal = chain->gateway->journal;
	if (!relay_may_move(message->state, RELAY_ON_VANISH))
		return CS_OK;
	log_info("message.vanished", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("id", &message->id));
	CS_TRY(gateway_journal_steps_undo(journal, message->n, RELAY_STEP_COMMITTED,
					  RELAY_STEP_FINAL));
	return gateway_journal_move(journal, message, RELAY_ON_VANISH);
}

static enum cs_err undo_status(struct gateway_chain *chain, struct gateway_message *message)
{
	struct gateway_journal *journal = chain->gateway->journal;
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

static enum cs_err undo_end(struct gateway_chain *chain, struct gateway_message *message)
{
	struct gateway_journal *journal = chain->gateway->journal;
	if (relay_ends(message->state) && message->state != RELAY_ABANDONED)
		return CS_OK;
	if (message->outcome_statement == 0)
		message->outcome = WIRE_STATUS_NONE;
	message->end_height = 0;
	memset(&message->end_tx, 0, sizeof(message->end_tx));
	message->end_time_s = 0;
	message->next_ms = host_wall_ms();
	CS_TRY(gateway_journal_steps_undo(journal, message->n, RELAY_STEP_FINALIZED,
					  RELAY_STEP_NOTIFIED));
	return gateway_journal_save(journal, message);
}

static enum cs_err undo(void *context, uint64_t from)
{
	static enum cs_err (*const undo_row[])(struct gateway_chain *, struct gateway_message *) = {
		[GATEWAY_PLACE_SOURCE] = undo_source,
		[GATEWAY_PLACE_STATUS] = undo_status,
		[GATEWAY_PLACE_END] = undo_end};
	static struct gateway_message page[REORG_ROWS];
	struct gateway_chain *chain = context;
	for (unsigned kind = 0; kind < CS_LEN(undo_row); kind++) {
		uint64_t after = 0;
		size_t count;
		do {
			CS_TRY(gateway_journal_above(chain->gateway->journal, &chain->identity,
						     (enum gateway_place)kind, from, after, page,
						     REORG_ROWS, &count));
			for (size_t i = 0; i < count; i++)
				CS_TRY(undo_row[kind](chain, &page[i]));
			after = count > 0 ? page[count - 1].n : 0;
		} while (count == REORG_ROWS);
	}
	char detail[160];
	snprintf(detail, sizeof(detail), "%s: from %llu", chain->config->id,
		 (unsigned long long)from);
	return gateway_journal_event(chain->gateway->journal, "chain.reorg", NULL, detail);
}

/* ---- starting ---- */

static enum cs_err write_evidence(void *context, const struct adapter_evidence *evidence)
{
	return gateway_evidence_note(context, evidence);
}

static enum cs_err get(void *context, const char *name, struct cs_bytes *value)
{
	struct gateway *gateway = ((struct gateway_chain *)context)->gateway;
	return gateway_journal_get(gateway->journal, name, &gateway->scratch, value);
}

static enum cs_err put(void *context, const char *name, struct cs_bytes value)
{
	const struct gateway_chain *chain = context;
	return gateway_journal_put(chain->gateway->journal, name, value);
}

enum cs_err gateway_chain_start(struct gateway_chain *chain, struct cs_why *why)
{
	static const struct adapter_listen_ops ops = {.block = write_block,
						      .undo = undo,
						      .evidence = write_evidence,
						      .get = get,
						      .put = put};
	const struct adapter_contracts contracts = {.gateway = chain->manifest->gateway};
	chain->listen = (struct adapter_listen){.ops = &ops,
						.owner = &gateway_owner,
						.context = chain,
						.follow = &chain->follow,
						.config = chain->config,
						.manifest = chain->manifest,
						.identity_hex = chain->identity_hex};
	CS_TRY(adapter_listen_start(&chain->listen, &chain->adapter, chain->gateway->loop,
				    &contracts, why));
	gateway_submit_start(chain);
	return CS_OK;
}
