/* What a chain tells about its contracts, in the journal (adapters/listen brings it there). */
#include "host/log.h"
#include "oracle/chain_requests.h"

#include <stdio.h>
#include <string.h>

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
	case ADAPTER_EVENT_FEED_ADDED:
		oracle_feeds_announced(contract, &event->feed_added, late);
		return CS_OK;
	case ADAPTER_EVENT_FEED_PAUSED:
		return oracle_feeds_paused(contract, event->feed_paused.index,
					   event->feed_paused.paused, late);
	case ADAPTER_EVENT_MESSAGE: /* of gateways */
	case ADAPTER_EVENT_STATUS:
	case ADAPTER_EVENT_FINALIZED:
		return CS_OK;
	}
	return CS_OK;
}

static enum cs_err write_block(void *context, const struct adapter_block *block)
{
	struct oracle_chain *chain = context;
	for (size_t i = 0; i < block->event_count; i++)
		CS_TRY(write_event(chain, &block->events[i], block->late));
	return CS_OK;
}

/* ---- reorganisations ---- */

/* What was final stays: that it is there no more is a node's word against the enclave's, and what
 * really is gone ends at its deadline. */
static enum cs_err undo_request(struct oracle_chain *chain, struct oracle_request *request)
{
	if (request->state != ORACLE_OBSERVED)
		return CS_OK;
	log_info("request.vanished", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("id", &request->id));
	return oracle_journal_forget(chain->oracle->journal, request);
}

/* To where it would be without its end. */
static enum cs_err state_before(struct oracle_chain *chain, const struct oracle_request *request,
				enum oracle_state *state, uint64_t *next_ms)
{
	struct oracle_journal *journal = chain->oracle->journal;
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

static enum cs_err undo_end(struct oracle_chain *chain, struct oracle_request *request)
{
	enum oracle_state before;
	uint64_t next_ms;
	if (request->state != ORACLE_DONE && request->state != ORACLE_REFUNDED)
		return CS_OK;
	CS_TRY(state_before(chain, request, &before, &next_ms));
	request->end_height = 0;
	memset(&request->end_tx, 0, sizeof(request->end_tx));
	request->next_ms = next_ms;
	request->why[0] = 0;
	return oracle_journal_move(chain->oracle->journal, request, before);
}

static enum cs_err undo(void *context, uint64_t from)
{
	static struct oracle_request page[REORG_ROWS];
	struct oracle_chain *chain = context;
	/* Ends first: a request that is back to observed may be of a block that is gone too. */
	for (int ends = 1; ends >= 0; ends--) {
		uint64_t after = 0;
		size_t count;
		do {
			CS_TRY(oracle_journal_above(chain->oracle->journal, &chain->identity,
						    ends != 0, from, after, page, REORG_ROWS,
						    &count));
			for (size_t i = 0; i < count; i++)
				CS_TRY(ends ? undo_end(chain, &page[i])
					    : undo_request(chain, &page[i]));
			after = count > 0 ? page[count - 1].n : 0;
		} while (count == REORG_ROWS);
	}
	return CS_OK;
}

/* ---- starting ---- */

static enum cs_err get(void *context, const char *name, struct cs_bytes *value)
{
	struct oracle *oracle = ((struct oracle_chain *)context)->oracle;
	return oracle_journal_get(oracle->journal, name, &oracle->scratch, value);
}

static enum cs_err put(void *context, const char *name, struct cs_bytes value)
{
	const struct oracle_chain *chain = context;
	return oracle_journal_put(chain->oracle->journal, name, value);
}

enum cs_err oracle_chain_start(struct oracle_chain *chain, struct cs_why *why)
{
	static const struct adapter_listen_ops ops = {
		.block = write_block, .undo = undo, .get = get, .put = put};
	struct adapter_contracts contracts = {0};
	if (chain->contract_count == 0)
		return CS_OK;
	for (size_t i = 0; i < chain->contract_count; i++) {
		const struct oracle_contract *contract = &chain->contracts[i];
		if (contract->feeds)
			contracts.feeds[contracts.feed_count++] = contract->address;
		else
			contracts.oracles[contracts.oracle_count++] = contract->address;
	}
	chain->listen = (struct adapter_listen){.ops = &ops,
						.owner = &oracle_owner,
						.context = chain,
						.follow = &chain->follow,
						.config = chain->config,
						.manifest = chain->manifest,
						.identity_hex = chain->identity_hex};
	chain->listening = oracle_listening_new();
	CS_TRY(adapter_listen_start(&chain->listen, &chain->adapter, chain->oracle->loop,
				    &contracts, why));
	oracle_submit_start(chain);
	return CS_OK;
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
