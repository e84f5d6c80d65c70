/* Refunds by the operator's account of what nobody answered in time. The first is written when the
 * request expires. One whose call failed is tried again after a pause, when the contract says that the
 * request is still open; somebody else's refund, or too many failures, end it. */
#include "host/alloc.h"
#include "oracle/calls.h"
#include "oracle/chain_requests.h"
#include "oracle/worth.h"

#include <stdio.h>
#include <stdlib.h>

/* Rows that one turn looks at. */
#define DUE_ROWS 16u

/* stateOf of one request, before gas is spent for it again. */
struct look {
	struct oracle_contract *contract;
	uint64_t n;
	enum oracle_contract_state at_contract;
	enum cs_err err;
	const char *why;
};

/* ---- the call ---- */

/* Estimated: one that somebody else was faster with reverts there, and costs nothing. */
static enum cs_err write_call(struct oracle_contract *contract, struct oracle_request *request)
{
	struct oracle *oracle = contract->chain->oracle;
	uint8_t bytes[ORACLE_CALL_REFUND_SIZE];
	struct oracle_call_wish wish = {.contract = contract, .call = ORACLE_CALL_REFUND};
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof(bytes));
	CS_TRY(oracle_call_refund(&buf, &request->head));
	wish.data = cs_buf_view(&buf);
	CS_TRY(oracle_submit(oracle, &wish, &request->submission));
	request->next_ms = 0;
	return oracle_journal_save(oracle->journal, request);
}

enum cs_err oracle_refund_write(struct oracle_contract *contract, struct oracle_request *request)
{
	const char *why = NULL;
	CS_TRY(oracle_unpaid_take(contract->chain, request, 0, ORACLE_WORTH_REFUND_GAS, &why));
	if (!why)
		return write_call(contract, request);
	request->next_ms = 0;
	snprintf(request->why, sizeof(request->why), "%s", why);
	return oracle_journal_save(contract->chain->oracle->journal, request);
}

/* What was never sent spent nothing of what was noted for it. */
static enum cs_err write_again(struct oracle_contract *contract, struct oracle_request *request)
{
	struct oracle_submission last;
	enum cs_err err = oracle_journal_submission(contract->chain->oracle->journal,
						    request->submission, &last, NULL, NULL);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	request->why[0] = 0;
	return err == CS_OK && last.state == ORACLE_SUBMISSION_FAILED
		       ? write_call(contract, request)
		       : oracle_refund_write(contract, request);
}

/* ---- after a failure ---- */

static enum cs_err write_failed(struct oracle *oracle, struct oracle_request *request,
				const char *why)
{
	request->tries++;
	bool last = request->tries >= ORACLE_REFUND_TRIES;
	request->next_ms = last ? 0 : oracle_backoff(oracle, request->tries);
	snprintf(request->why, sizeof(request->why), "refund %u of %u%s: %.120s", request->tries,
		 ORACLE_REFUND_TRIES, last ? ", the last of ours" : "", why);
	log_warn(last ? "refund.given_up" : "refund.failed", LOG_HASH("id", &request->id),
		 LOG_U64("tries", request->tries), LOG_TEXT("why", why));
	return oracle_journal_save(oracle->journal, request);
}

static enum cs_err write_overtaken(struct oracle *oracle, struct oracle_request *request)
{
	request->next_ms = 0;
	snprintf(request->why, sizeof(request->why), "somebody else has ended it");
	log_info("refund.overtaken", LOG_HASH("id", &request->id));
	return oracle_journal_save(oracle->journal, request);
}

enum cs_err oracle_refund_reported(struct oracle_chain *chain,
				   const struct oracle_submission *submission)
{
	struct oracle *oracle = chain->oracle;
	struct oracle_request request;
	size_t count = 0;
	bool failed = submission->state == ORACLE_SUBMISSION_FAILED ||
		      (submission->state == ORACLE_SUBMISSION_SETTLED && !submission->succeeded);
	if (!failed)
		return CS_OK; /* of its success the event tells */
	CS_TRY(oracle_journal_of_submission(oracle->journal, submission->n, &request, 1, &count));
	if (count == 0)
		return CS_OK;
	return request.state == ORACLE_EXPIRED ? write_failed(oracle, &request, submission->why)
					       : write_overtaken(oracle, &request);
}

/* ---- looking before paying again ---- */

static enum cs_err write_look(void *context)
{
	const struct look *look = context;
	struct oracle *oracle = look->contract->chain->oracle;
	struct oracle_request request;
	CS_TRY(oracle_journal_row(oracle->journal, look->n, &request));
	if (request.state != ORACLE_EXPIRED)
		return CS_OK; /* its event came meanwhile */
	if (look->err != CS_OK) {
		/* That a node does not answer says nothing about the refund. */
		request.next_ms = oracle_backoff(oracle, request.tries);
		oracle_why(request.why, look->err, look->why);
		return oracle_journal_save(oracle->journal, &request);
	}
	switch (look->at_contract) {
	case ORACLE_AT_CONTRACT_OPEN:
		return write_again(look->contract, &request);
	case ORACLE_AT_CONTRACT_ANSWERED:
	case ORACLE_AT_CONTRACT_REFUNDED:
		return write_overtaken(oracle, &request);
	case ORACLE_AT_CONTRACT_UNKNOWN:
		return write_failed(oracle, &request, "the contract does not know the request");
	}
	return CS_OK;
}

static void look_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct look *look = ctx;
	struct oracle_chain *chain = look->contract->chain;
	uint8_t code;
	look->err = err == CS_OK ? oracle_call_read_state(&look->at_contract, &code, data) : err;
	look->why = why ? why : "";
	chain->listening->refund_looks--;
	oracle_end_under_way(&chain->listening->brought, look->n);
	if (!chain->oracle->stopping && oracle_write(chain->oracle, write_look, look) != CS_OK)
		log_error("refund.not_written", LOG_TEXT("chain", chain->config->id));
	free(look);
}

static void look_begin(struct oracle_contract *contract, const struct oracle_request *request)
{
	struct oracle_chain *chain = contract->chain;
	uint8_t bytes[ORACLE_CALL_STATE_OF_SIZE];
	struct cs_buf buf;
	if (!oracle_take_under_way(&chain->listening->brought, request))
		return;
	struct look *look = host_alloc(sizeof(*look));
	*look = (struct look){.contract = contract, .n = request->n};
	chain->listening->refund_looks++;
	cs_buf_init(&buf, bytes, sizeof(bytes));
	enum cs_err err = oracle_call_state_of(&buf, &request->request_id);
	if (err == CS_OK)
		err = adapter_call(chain->adapter, NULL, &contract->address, cs_buf_view(&buf),
				   look_done, look);
	if (err != CS_OK)
		look_done(look, err, NULL, CS_BYTES_NONE);
}

void oracle_refunds_pump(struct oracle_chain *chain)
{
	struct oracle_request due[DUE_ROWS];
	size_t count = 0;
	if (!chain->own->refund || !chain->has_operator ||
	    oracle_journal_pick_refunds(chain->oracle->journal, &chain->identity, host_wall_ms(),
					due, DUE_ROWS, &count) != CS_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		struct oracle_contract *contract =
			oracle_contract_of(chain->oracle, &due[i].contract);
		if (contract && !oracle_is_under_way(chain->listening, due[i].n) &&
		    chain->listening->refund_looks < oracle_submit_room(chain))
			look_begin(contract, &due[i]);
	}
}
