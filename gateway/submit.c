/* Submissions: from a row in the journal to a settled transaction. The adapter owns nonce, fees and
 * the watch, adapters/sender what lies between it and the journal; the bytes come from the enclave, or
 * from the operator's key. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* What a call needs beside the recipient's own gas: measured in
 * contracts/evm/GAS.md, rounded up. */
#define GAS_PER_MESSAGE 110000u
#define GAS_PER_EXPIRY 70000u
/* An application's onOutcome gets up to 150,000; most take a third. The contract stops where too
 * little is left for one more, and what is over goes alone. GATEWAY_GAS_BASE covers the last one in
 * full. */
#define GAS_PER_OUTCOME 130000u
#define GAS_PER_BYTE 24u
#define GAS_ENVELOPE_BYTES 700u
#define GAS_CANCEL 21000u
/* Messages of one submission from which on the source is not told that it was sent: what it did is
 * told a block later, with everything before it. */
#define SENT_NOTES_MAX 8u

struct gateway_tx {
	struct adapter_sent sent;
	struct gateway_chain *chain;
	struct gateway_submission row;
	struct gateway_account *account; /* NULL: not the enclave's any more */
	bool accepted;                   /* a node took it */
	bool leaves;                     /* its account cannot pay, another can */
};

uint64_t gateway_gas(enum gateway_kind kind, uint64_t min_gas_limit, size_t payload_size)
{
	uint64_t bytes = (GAS_ENVELOPE_BYTES + payload_size) * GAS_PER_BYTE;
	switch (kind) {
	case GATEWAY_DELIVER:
	case GATEWAY_RETRY:
		if (min_gas_limit > UINT64_MAX / 4)
			return UINT64_MAX / 2;
		return GAS_PER_MESSAGE + min_gas_limit + min_gas_limit / 16 + bytes;
	case GATEWAY_EXPIRE:
		return GAS_PER_EXPIRY + bytes;
	case GATEWAY_FINALIZE:
		return GAS_PER_OUTCOME;
	case GATEWAY_ROTATION:
	case GATEWAY_SWEEP:
	case GATEWAY_SPONSORED:
	case GATEWAY_SUBMITTED:
		return GAS_PER_MESSAGE;
	}
	return GAS_PER_MESSAGE;
}

uint64_t gateway_gas_max(const struct gateway_chain *chain)
{
	uint64_t max = chain->gateway->config.batch_gas_max;
	return max < chain->manifest->gas_limit_max ? max : chain->manifest->gas_limit_max;
}

bool gateway_may_submit(const struct gateway_chain *chain, enum gateway_kind kind,
			enum gateway_lane lane)
{
	const struct gateway_account *payer = &chain->accounts[GATEWAY_ACCOUNT_OPERATOR];
	if (kind == GATEWAY_SPONSORED)
		return payer->is_there && payer->open < chain->config->in_flight_max;
	return gateway_pool_now(chain, lane) != GATEWAY_POOL_NONE;
}

static struct gateway_tx *tx_of(struct adapter_sent *sent)
{
	return (struct gateway_tx *)sent;
}

static struct gateway_chain *chain_of(const struct adapter_sent *sent)
{
	return sent->sender->context;
}

const char *gateway_kind_name(enum gateway_kind kind)
{
	switch (kind) {
	case GATEWAY_DELIVER:
		return "deliver";
	case GATEWAY_RETRY:
		return "retry";
	case GATEWAY_EXPIRE:
		return "expire";
	case GATEWAY_FINALIZE:
		return "finalize";
	case GATEWAY_ROTATION:
		return "announceRotation";
	case GATEWAY_SWEEP:
		return "sweep";
	case GATEWAY_SPONSORED:
		return "sponsored";
	case GATEWAY_SUBMITTED:
		return "submitted";
	}
	return "";
}

/* ---- the request to the enclave ---- */

static enum cs_err put_messages(struct gateway_tx *tx, const struct gateway_statement *statement,
				Caisson__Wire__SignTransactionRequest *request,
				struct cs_arena *arena)
{
	Caisson__Wire__MessageFull *all = cs_arena_calloc(arena, tx->row.count, sizeof(*all));
	request->messages = cs_arena_calloc(arena, tx->row.count, sizeof(*request->messages));
	if (!all || !request->messages)
		return CS_ERR_NO_MEMORY;
	for (uint32_t i = 0; i < tx->row.count; i++) {
		struct gateway_message message;
		struct wire_message content;
		CS_TRY(gateway_journal_find(tx->chain->gateway->journal,
					    &statement->ids[tx->row.first + i], RELAY_DESTINATION,
					    &message));
		CS_TRY(gateway_journal_content(tx->chain->gateway->journal, &message, arena,
					       &content));
		CS_TRY(wire_message_to_pb(&all[i], &content, arena));
		request->messages[i] = &all[i];
	}
	request->n_messages = tx->row.count;
	return CS_OK;
}

static enum cs_err put_outcomes(struct gateway_tx *tx, const struct gateway_statement *statement,
				Caisson__Wire__SignTransactionRequest *request,
				struct cs_arena *arena)
{
	Caisson__Wire__Outcome *all = cs_arena_calloc(arena, tx->row.count, sizeof(*all));
	request->outcomes = cs_arena_calloc(arena, tx->row.count, sizeof(*request->outcomes));
	if (!all || !request->outcomes)
		return CS_ERR_NO_MEMORY;
	for (uint32_t i = 0; i < tx->row.count; i++) {
		uint32_t leaf = tx->row.first + i;
		const struct wire_outcome outcome = {statement->ids[leaf],
						     (enum wire_status)statement->statuses[leaf]};
		CS_TRY(wire_outcome_to_pb(&all[i], &outcome, arena));
		request->outcomes[i] = &all[i];
	}
	request->n_outcomes = tx->row.count;
	return CS_OK;
}

static enum cs_err put_sweep(const struct gateway_tx *tx,
			     Caisson__Wire__SignTransactionRequest *request, struct cs_arena *arena)
{
	request->action = CAISSON__WIRE__ACTION__ACTION_SWEEP;
	request->sweep_to = wire_pb_bytes(arena, CS_BYTES_OF(tx->row.to.b));
	request->sweep_value = wire_pb_bytes(arena, CS_BYTES_OF(tx->row.value.b));
	return request->sweep_to.data && request->sweep_value.data ? CS_OK : CS_ERR_NO_MEMORY;
}

static enum cs_err put_call(struct gateway_tx *tx, Caisson__Wire__SignTransactionRequest *request,
			    struct cs_arena *arena)
{
	static const Caisson__Wire__Action actions[] = {
		[GATEWAY_DELIVER] = CAISSON__WIRE__ACTION__ACTION_DELIVER,
		[GATEWAY_RETRY] = CAISSON__WIRE__ACTION__ACTION_RETRY,
		[GATEWAY_EXPIRE] = CAISSON__WIRE__ACTION__ACTION_EXPIRE,
		[GATEWAY_FINALIZE] = CAISSON__WIRE__ACTION__ACTION_FINALIZE,
		[GATEWAY_ROTATION] = CAISSON__WIRE__ACTION__ACTION_ANNOUNCE_ROTATION};
	struct gateway_statement statement;
	struct wire_signed part;
	if (tx->row.kind == GATEWAY_SWEEP)
		return put_sweep(tx, request, arena);
	if (tx->row.kind > GATEWAY_ROTATION)
		return CS_ERR_UNSUPPORTED;
	CS_TRY(gateway_journal_statement(tx->chain->gateway->journal, tx->row.statement,
					 &statement));
	gateway_part_signed(&part, &statement, tx->row.first, tx->row.count);
	request->action = actions[tx->row.kind];
	request->statement = cs_arena_alloc(arena, sizeof(*request->statement));
	if (!request->statement)
		return CS_ERR_NO_MEMORY;
	CS_TRY(wire_signed_to_pb(request->statement, &part, arena));
	if (tx->row.kind == GATEWAY_ROTATION) {
		request->new_epoch = statement.statement.epoch + 1;
		request->new_key = wire_pb_bytes(arena, CS_BYTES_OF(statement.ids[0].b));
		return request->new_key.data ? CS_OK : CS_ERR_NO_MEMORY;
	}
	if (tx->row.kind == GATEWAY_FINALIZE)
		return put_outcomes(tx, &statement, request, arena);
	return put_messages(tx, &statement, request, arena);
}

static void enclave_signed(void *context, enum cs_err err, const char *why, struct cs_bytes body);

static enum cs_err ask_enclave(struct gateway_tx *tx)
{
	struct cs_arena *arena = &tx->chain->gateway->scratch;
	Caisson__Wire__SignTransactionRequest request =
		CAISSON__WIRE__SIGN_TRANSACTION_REQUEST__INIT;
	const size_t index = gateway_pool_index(tx->chain, &tx->row.account);
	if (index == GATEWAY_POOL_NONE)
		return CS_ERR_NO_KEY;
	request.gas_account = (uint32_t)index;
	request.chain = wire_pb_bytes(arena, CS_BYTES_OF(tx->chain->identity.b));
	request.nonce = tx->sent.terms.nonce;
	request.gas_limit = tx->sent.terms.cancel ? GAS_CANCEL : tx->sent.terms.gas_limit;
	request.max_fee_wei = tx->sent.terms.max_fee_wei;
	request.max_priority_fee_wei =
		tx->sent.terms.legacy ? 0 : tx->sent.terms.max_priority_fee_wei;
	request.legacy = tx->sent.terms.legacy;
	request.valid_until_s = tx->sent.terms.valid_until_s;
	if (tx->sent.terms.cancel)
		request.action = CAISSON__WIRE__ACTION__ACTION_CANCEL;
	else
		CS_TRY(put_call(tx, &request, arena));
	return gateway_enclave_call(tx->chain->gateway, WIRE_SIGN_TRANSACTION, &request.base,
				    enclave_signed, tx);
}

static void enclave_signed(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct gateway_tx *tx = context;
	struct cs_arena *arena = &tx->chain->gateway->scratch;
	size_t mark = cs_arena_mark(arena);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = gateway_enclave_reply(
			arena, body, &caisson__wire__sign_transaction_reply__descriptor, &message);
	if (err == CS_OK) {
		const Caisson__Wire__SignTransactionReply *reply =
			(const Caisson__Wire__SignTransactionReply *)message;
		struct cs_hash hash = wire_pb_hash(reply->hash);
		adapter_sent_signed(&tx->sent, host_copy(wire_pb_view(reply->raw)), reply->raw.len,
				    &hash);
	} else {
		adapter_sent_refused(&tx->sent, err, why);
	}
	cs_arena_rewind(arena, mark);
}

static enum cs_err sign_operator(struct gateway_tx *tx)
{
	struct gateway *gateway = tx->chain->gateway;
	struct gateway_submission row;
	struct cs_bytes data;
	uint8_t *raw = NULL;
	size_t raw_size = 0;
	struct cs_hash hash;
	CS_TRY(gateway_journal_submission(gateway->journal, tx->row.n, &row, &gateway->scratch,
					  &data));
	CS_TRY(gateway_sign_operator(tx->chain, &tx->row, data, &tx->sent.terms, &raw, &raw_size,
				     &hash));
	adapter_sent_signed(&tx->sent, raw, raw_size, &hash);
	return CS_OK;
}

static enum cs_err sign(struct adapter_sent *sent)
{
	struct gateway_tx *tx = tx_of(sent);
	if (tx->row.kind == GATEWAY_SPONSORED)
		return sign_operator(tx);
	return tx->chain->gateway->enclave_ready ? ask_enclave(tx) : CS_ERR_UNAVAILABLE;
}

/* ---- the attempt goes into the journal, then to the chain ---- */

static enum cs_err write_attempt_steps(struct gateway_tx *tx)
{
	struct gateway_journal *journal = tx->chain->gateway->journal;
	struct gateway_message messages[CS_BATCH_MAX];
	size_t count = 0;
	bool finalize = tx->row.kind == GATEWAY_FINALIZE;
	CS_TRY(gateway_journal_of_submission(journal, tx->row.n, messages, CS_BATCH_MAX, &count));
	for (size_t i = 0; i < count; i++) {
		struct gateway_step step = {.message = messages[i].n,
					    .step = finalize ? RELAY_STEP_FINALIZATION_CHECKED
							     : RELAY_STEP_CHECKED,
					    .chain = tx->chain->config->id,
					    .tx = &tx->row.hash};
		CS_TRY(gateway_journal_step_again(journal, &step));
		step.step = finalize ? RELAY_STEP_FINALIZATION_RECEIVED : RELAY_STEP_RECEIVED;
		CS_TRY(gateway_journal_step_again(journal, &step));
	}
	return CS_OK;
}

static enum cs_err store_attempt(struct adapter_sent *sent, const struct adapter_attempt *attempt)
{
	struct gateway_tx *tx = tx_of(sent);
	struct gateway_journal *journal = tx->chain->gateway->journal;
	CS_TRY(gateway_journal_add_attempt(journal, attempt));
	tx->row.nonce = attempt->terms.nonce;
	tx->row.hash = attempt->hash;
	CS_TRY(gateway_journal_save_submission(journal, &tx->row, NULL));
	return write_attempt_steps(tx);
}

/* ---- reports ---- */

static enum cs_err write_sent_steps(struct gateway_tx *tx)
{
	struct gateway_journal *journal = tx->chain->gateway->journal;
	struct gateway_message messages[CS_BATCH_MAX];
	size_t count = 0;
	if (tx->row.kind == GATEWAY_FINALIZE || tx->row.kind == GATEWAY_SPONSORED)
		return CS_OK;
	CS_TRY(gateway_journal_of_submission(journal, tx->row.n, messages, CS_BATCH_MAX, &count));
	for (size_t i = 0; i < count; i++) {
		struct gateway_step step = {.message = messages[i].n,
					    .step = RELAY_STEP_SUBMITTED,
					    .chain = tx->chain->config->id,
					    .tx = &tx->row.hash};
		CS_TRY(gateway_journal_step_again(journal, &step));
		struct gateway_route *route = gateway_route_of(tx->chain, &messages[i].remote);
		if (route && count <= SENT_NOTES_MAX)
			CS_TRY(gateway_post_item(route, GATEWAY_ITEM_NOTE, messages[i].n));
	}
	return CS_OK;
}

static enum cs_err tell_released(struct gateway_tx *tx, uint64_t n)
{
	struct gateway_message message;
	CS_TRY(gateway_journal_row(tx->chain->gateway->journal, n, &message));
	return message.why[0] ? gateway_tell_refused(tx->chain, &message) : CS_OK;
}

/* What the transaction was for and did not happen: the rows are free for another try, alone. */
static enum cs_err write_released(struct gateway_tx *tx, enum cs_err reason, const char *why)
{
	struct gateway *gateway = tx->chain->gateway;
	struct gateway_message messages[CS_BATCH_MAX];
	size_t count = 0;
	CS_TRY(gateway_journal_of_submission(gateway->journal, tx->row.n, messages, CS_BATCH_MAX,
					     &count));
	for (size_t i = 0; i < count; i++) {
		struct gateway_message *message = &messages[i];
		message->submission = 0;
		message->wish_retry = false;
		if (message->state == RELAY_SUBMITTED)
			CS_TRY(gateway_journal_move(gateway->journal, message, RELAY_ON_DROP));
		else
			CS_TRY(gateway_journal_save(gateway->journal, message));
		if (message->end_height != 0 || relay_ends(message->state))
			continue;
		CS_TRY(gateway_postpone(gateway, message->n, message->state, reason, why));
		if (count <= SENT_NOTES_MAX)
			CS_TRY(tell_released(tx, message->n));
	}
	return CS_OK;
}

/* The same for what is tried again at once, by another account: nothing failed. */
static enum cs_err write_left(struct gateway_tx *tx)
{
	struct gateway *gateway = tx->chain->gateway;
	struct gateway_message messages[CS_BATCH_MAX];
	size_t count = 0;
	CS_TRY(gateway_journal_of_submission(gateway->journal, tx->row.n, messages, CS_BATCH_MAX,
					     &count));
	for (size_t i = 0; i < count; i++) {
		messages[i].submission = 0;
		CS_TRY(messages[i].state == RELAY_SUBMITTED
			       ? gateway_journal_move(gateway->journal, &messages[i], RELAY_ON_DROP)
			       : gateway_journal_save(gateway->journal, &messages[i]));
	}
	return CS_OK;
}

enum cs_err gateway_tell_request_failed(struct gateway *gateway, uint64_t submission,
					const char *why)
{
	struct gateway_journal *journal = gateway->journal;
	struct gateway_request request;
	char detail[sizeof(request.id) + GATEWAY_WHY_MAX + 2];
	char plain[GATEWAY_WHY_MAX + 1];
	enum cs_err err = gateway_journal_request_of(journal, submission, &request);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK; /* an approval: what follows it tells */
	CS_TRY(err);
	host_plain_text(plain, sizeof(plain), why, strlen(why));
	snprintf(detail, sizeof(detail), "%s %s", request.id, plain);
	log_warn("request.failed", LOG_TEXT("request", request.id), LOG_TEXT("why", plain),
		 gateway_log_trace(&request.trace));
	return gateway_journal_event(journal, GATEWAY_EVENT_REQUEST_FAILED, NULL, detail);
}

static enum cs_err write_request_failed(struct gateway_tx *tx, const char *why)
{
	if (tx->row.kind != GATEWAY_SPONSORED)
		return CS_OK;
	return gateway_tell_request_failed(tx->chain->gateway, tx->row.n, why);
}

/* A refusal of the key may mean that it changed: it is learned again before the next try. */
static void look_at_refusal(struct gateway_tx *tx, enum cs_err err)
{
	struct gateway_statement statement;
	if (err != CS_ERR_WRONG_EPOCH && err != CS_ERR_WRONG_KEY && err != CS_ERR_NO_KEY)
		return;
	if (gateway_journal_statement(tx->chain->gateway->journal, tx->row.statement, &statement) !=
	    CS_OK)
		return;
	struct gateway_route *route = gateway_route_of(tx->chain, &statement.statement.signer);
	if (route)
		gateway_key_forget(route, statement.statement.epoch);
}

/* It is given up where it is, for another account. What no node took is all that leaves: the rest has
 * its nonce. A call of the contract is done once at most, wherever its bytes are kept. */
static void leave(struct gateway_tx *tx)
{
	if (tx->accepted || tx->row.kind == GATEWAY_SWEEP || tx->row.kind == GATEWAY_SPONSORED ||
	    !gateway_pool_has_better(tx->chain, tx->account))
		return;
	tx->leaves = adapter_tx_cancel(tx->chain->adapter, tx->sent.tx) == CS_OK;
}

/* What a node wants to see on the account; before there are terms: anything. */
static struct cs_u256 upfront(const struct gateway_tx *tx)
{
	const struct cs_u256 gas = cs_u256_u64(tx->sent.terms.gas_limit);
	const struct cs_u256 price = cs_u256_u64(tx->sent.terms.max_fee_wei);
	const struct cs_u256 value = cs_u256_from_word(&tx->row.value);
	struct cs_u256 sum;
	if (cs_u256_mul(&sum, &gas, &price) != CS_OK || cs_u256_is_zero(&sum) ||
	    cs_u256_add(&sum, &sum, &value) != CS_OK)
		return cs_u256_u64(1);
	return sum;
}

static void note_out(struct gateway_tx *tx)
{
	char name[GATEWAY_ACCOUNT_NAME_SIZE];
	if (!tx->account->is_out)
		log_warn("account.out", LOG_TEXT("chain", tx->chain->config->id),
			 LOG_TEXT("account",
				  gateway_account_name(
					  name, (size_t)(tx->account - tx->chain->accounts))));
	if (!tx->account->is_out)
		tx->account->asked_ms = 0; /* what is told of it is older */
	tx->account->is_out = true;
	tx->account->out_ms = host_now_ms();
	tx->account->need = upfront(tx);
}

/* The adapter goes on trying what is held up: once the account has something, it is sent. */
static void look_at_account(struct gateway_tx *tx, const struct adapter_tx_report *report)
{
	if (!tx->account)
		return;
	switch (report->state) {
	case ADAPTER_TX_STUCK:
		if (report->err != CS_ERR_NO_FUNDS)
			return;
		note_out(tx);
		leave(tx);
		return;
	case ADAPTER_TX_INCLUDED:
		tx->account->moved_ms = host_now_ms();
		tx->account->is_out = false;
		return;
	case ADAPTER_TX_SENT:
	case ADAPTER_TX_SETTLED:
		tx->account->is_out = false;
		return;
	case ADAPTER_TX_FAILED: /* nothing of it is tried any more: the next one tells */
		if (!tx->leaves)
			tx->account->is_out = false;
		return;
	case ADAPTER_TX_QUEUED:
	case ADAPTER_TX_UNINCLUDED:
	case ADAPTER_TX_UNKNOWN:
		return;
	}
}

static enum cs_err store_report(struct adapter_sent *sent, const struct adapter_tx_report *report)
{
	struct gateway_tx *tx = tx_of(sent);
	struct gateway_journal *journal = tx->chain->gateway->journal;
	tx->row.nonce = report->nonce;
	if (!cs_hash_is_zero(&report->hash))
		tx->row.hash = report->hash;
	look_at_refusal(tx, report->err);
	look_at_account(tx, report);
	switch (report->state) {
	case ADAPTER_TX_QUEUED:
	case ADAPTER_TX_STUCK:
		return CS_OK;
	case ADAPTER_TX_SENT:
		tx->accepted = true;
		CS_TRY(gateway_journal_save_submission(journal, &tx->row, NULL));
		return write_sent_steps(tx);
	case ADAPTER_TX_UNKNOWN:
		tx->row.state = GATEWAY_SUBMISSION_UNKNOWN;
		return gateway_journal_save_submission(journal, &tx->row, report->why);
	case ADAPTER_TX_UNINCLUDED:
		tx->row.state = GATEWAY_SUBMISSION_OPEN;
		tx->row.height = 0;
		return gateway_journal_save_submission(journal, &tx->row, "its block is gone");
	case ADAPTER_TX_INCLUDED:
	case ADAPTER_TX_SETTLED:
		tx->row.state = report->state == ADAPTER_TX_SETTLED ? GATEWAY_SUBMISSION_SETTLED
								    : GATEWAY_SUBMISSION_INCLUDED;
		tx->row.height = report->block.height;
		tx->row.succeeded = report->succeeded;
		tx->row.gas_used = report->gas_used;
		tx->row.gas_price_wei = report->gas_price_wei;
		CS_TRY(gateway_journal_save_submission(journal, &tx->row, report->why));
		if (report->state == ADAPTER_TX_INCLUDED)
			return CS_OK; /* its events tell what it did; until it is settled it may do
					 it elsewhere */
		if (!report->succeeded)
			CS_TRY(write_request_failed(tx, "its transaction reverted"));
		return write_released(tx, CS_ERR_REVERTED,
				      report->succeeded ? "the transaction did nothing for it"
							: "the transaction reverted");
	case ADAPTER_TX_FAILED:
		tx->row.state = GATEWAY_SUBMISSION_FAILED;
		CS_TRY(gateway_journal_save_submission(
			journal, &tx->row,
			tx->leaves ? "its account could not pay: another does it" : report->why));
		if (tx->leaves)
			return write_left(tx);
		CS_TRY(write_request_failed(tx, report->why && report->why[0]
							? report->why
							: cs_err_sentence(report->err)));
		return write_released(tx, report->err, report->why);
	}
	return CS_OK;
}

/* ---- handing over ---- */

static enum cs_err open_rows(void *context, uint64_t after, uint64_t *rows, size_t count_max,
			     size_t *count)
{
	const struct gateway_chain *chain = context;
	return gateway_journal_open_submissions(chain->gateway->journal, &chain->identity, after,
						rows, count_max, count);
}

static enum cs_err attempts(void *context, uint64_t n, struct adapter_attempt *out,
			    size_t count_max, size_t *count)
{
	const struct gateway_chain *chain = context;
	return gateway_journal_attempts(chain->gateway->journal, n, &chain->gateway->scratch, out,
					count_max, count);
}

static void take_account(struct gateway_tx *tx, size_t index)
{
	if (index == GATEWAY_POOL_NONE) {
		tx->sent.open = &tx->chain->open_elsewhere;
		return;
	}
	tx->account = &tx->chain->accounts[index];
	tx->sent.open = &tx->account->open;
	if (tx->account->open == 0)
		tx->account->moved_ms = host_now_ms();
}

/* A call that brings nothing but old messages lets others go first. */
static bool is_urgent(struct gateway_tx *tx)
{
	struct gateway_message message;
	size_t count = 0;
	if (gateway_journal_of_submission(tx->chain->gateway->journal, tx->row.n, &message, 1,
					  &count) != CS_OK ||
	    count == 0)
		return true;
	const struct gateway_route *route = gateway_route_of(tx->chain, &message.remote);
	return route && gateway_stage_is_new(tx->row.kind == GATEWAY_FINALIZE ? &route->finalize
									      : &route->deliver,
					     &message, host_wall_ms());
}

static enum cs_err load(struct adapter_sent *sent, struct adapter_submission *submission)
{
	struct gateway_tx *tx = tx_of(sent);
	struct gateway_chain *chain = chain_of(sent);
	tx->chain = chain;
	tx->row.n = sent->n;
	CS_TRY(gateway_journal_submission(chain->gateway->journal, sent->n, &tx->row,
					  &chain->gateway->scratch, &submission->data));
	bool sponsored = tx->row.kind == GATEWAY_SPONSORED;
	sent->call = gateway_kind_name(tx->row.kind);
	take_account(tx, sponsored ? GATEWAY_ACCOUNT_OPERATOR
				   : gateway_pool_index(chain, &tx->row.account));
	submission->from = tx->row.account;
	/* The contract does what the gas account calls once at most; what the operator pays for is
	 * any call, and a sweep takes what is there each time. */
	submission->may_repeat = !sponsored && tx->row.kind != GATEWAY_SWEEP;
	submission->is_urgent = is_urgent(tx);
	submission->gas_limit = tx->row.gas_limit;
	submission->to = tx->row.to;
	if (tx->row.state == GATEWAY_SUBMISSION_INCLUDED)
		sent->known = (struct adapter_tx_report){.state = ADAPTER_TX_INCLUDED,
							 .nonce = tx->row.nonce,
							 .hash = tx->row.hash,
							 .succeeded = tx->row.succeeded,
							 .block.height = tx->row.height,
							 .gas_used = tx->row.gas_used,
							 .gas_price_wei = tx->row.gas_price_wei};
	return CS_OK;
}

static enum cs_err store_refused(struct adapter_sent *sent, enum cs_err err)
{
	struct gateway_tx *tx = tx_of(sent);
	(void)err;
	tx->row.state = GATEWAY_SUBMISSION_FAILED;
	CS_TRY(gateway_journal_save_submission(tx->chain->gateway->journal, &tx->row,
					       "refused by the adapter"));
	CS_TRY(write_request_failed(tx, "refused by the adapter"));
	return write_released(tx, CS_ERR_INVALID, "the transaction was refused");
}

const char *gateway_sponsored_why(const struct gateway_chain *chain, uint64_t n, char *text,
				  size_t size)
{
	const struct gateway_tx *tx = NULL;
	unsigned before = 0;
	for (struct adapter_sent *sent = chain->sender.list; sent; sent = sent->next) {
		const struct gateway_tx *other = tx_of(sent);
		if (sent->gone || sent->included || other->row.kind != GATEWAY_SPONSORED)
			continue;
		if (sent->n == n)
			tx = other;
		before += sent->n < n;
	}
	if (!tx || tx->accepted)
		return NULL;
	if (chain->accounts[GATEWAY_ACCOUNT_OPERATOR].is_out)
		return gateway_no_funds_why(chain, GATEWAY_ACCOUNT_OPERATOR,
					    "the operator's account cannot pay", text, size);
	if (before == 0 || tx->sent.attempts > 0)
		return NULL;
	(void)snprintf(text, size, "it waits for its turn behind %u of the operator's account",
		       before);
	return text;
}

void gateway_submit_start(struct gateway_chain *chain)
{
	static const struct adapter_sender_ops ops = {.rows = open_rows,
						      .load = load,
						      .attempts = attempts,
						      .sign = sign,
						      .store_attempt = store_attempt,
						      .store_report = store_report,
						      .store_refused = store_refused};
	chain->sender = (struct adapter_sender){.ops = &ops,
						.owner = &gateway_owner,
						.context = chain,
						.sent_size = sizeof(struct gateway_tx),
						.scratch = &chain->gateway->scratch,
						.name = chain->config->id,
						.adapter = chain->adapter,
						.stopping = &chain->gateway->stopping};
}

void gateway_submit_new(struct gateway_chain *chain)
{
	if (!chain->accounts[0].is_there || chain->follow.head_height == 0)
		return;
	adapter_sender_take_up(&chain->sender);
	for (size_t i = 0; i < GATEWAY_ACCOUNT_COUNT; i++)
		chain->accounts[i].promised = 0;
}
