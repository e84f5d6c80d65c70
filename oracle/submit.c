/* Calls of the operator's account: from a row in the journal to a settled transaction. The adapter owns
 * nonce, fees and the watch, adapters/sender what lies between it and the journal; the bytes are signed
 * here. Every call here does nothing the second time, so that it may be signed again. */
#include "adapters/evm/contract_error.h"
#include "host/alloc.h"
#include "oracle/oracle.h"

#include <stdlib.h>

/* Rows that count as written and not taken up: in_flight_max is at most as many. */
#define OPEN_ROWS 64u

struct oracle_tx {
	struct adapter_sent sent;
	struct oracle_submission row;
	uint64_t deadline_s; /* the last one of what it brings; 0: it is of use at any time */
	bool late;           /* its cancellation was asked for */
};

static struct oracle_tx *tx_of(struct adapter_sent *sent)
{
	return (struct oracle_tx *)sent;
}

static struct oracle_chain *chain_of(const struct adapter_sent *sent)
{
	return sent->sender->context;
}

static struct oracle_journal *journal_of(const struct adapter_sent *sent)
{
	return chain_of(sent)->oracle->journal;
}

static const char *call_name(enum oracle_call call)
{
	switch (call) {
	case ORACLE_CALL_FULFIL:
		return "fulfil";
	case ORACLE_CALL_REFUND:
		return "refund";
	case ORACLE_CALL_SUBMIT:
		return "submit";
	case ORACLE_CALL_ANNOUNCE:
		return "announceRotation";
	}
	return "";
}

/* ---- what the sender asks for ---- */

static enum cs_err open_rows(void *context, uint64_t after, uint64_t *rows, size_t count_max,
			     size_t *count)
{
	const struct oracle_chain *chain = context;
	return oracle_journal_open_submissions(chain->oracle->journal, &chain->identity, after,
					       rows, count_max, count);
}

static enum cs_err attempts(void *context, uint64_t n, struct adapter_attempt *out,
			    size_t count_max, size_t *count)
{
	const struct oracle_chain *chain = context;
	return oracle_journal_attempts(chain->oracle->journal, n, &chain->oracle->scratch, out,
				       count_max, count);
}

static enum cs_err load(struct adapter_sent *sent, struct adapter_submission *submission)
{
	struct oracle_tx *tx = tx_of(sent);
	struct oracle_chain *chain = chain_of(sent);
	struct oracle *oracle = chain->oracle;
	tx->row.n = sent->n;
	CS_TRY(oracle_journal_submission(oracle->journal, sent->n, &tx->row, &oracle->scratch,
					 &submission->data));
	/* Of an account whose key was exchanged: nothing more can be signed for it. */
	if (!cs_address_eq(&tx->row.account, &chain->operator))
		return CS_ERR_NO_KEY;
	CS_TRY(oracle_journal_submission_deadline(oracle->journal, sent->n, &tx->deadline_s));
	sent->call = call_name(tx->row.call);
	sent->open = &chain->open_txs;
	submission->from = tx->row.account;
	submission->may_repeat = true;
	submission->gas_limit = tx->row.gas_limit;
	submission->to = tx->row.to;
	return CS_OK;
}

static enum cs_err sign(struct adapter_sent *sent)
{
	struct oracle_chain *chain = chain_of(sent);
	struct oracle *oracle = chain->oracle;
	struct oracle_submission row;
	struct cs_bytes data;
	uint8_t *raw = NULL;
	size_t raw_size = 0;
	struct cs_hash hash;
	CS_TRY(oracle_journal_submission(oracle->journal, sent->n, &row, &oracle->scratch, &data));
	struct adapter_signing call = {.from = chain->operator, .to = row.to, .data = data};
	CS_TRY(adapter_sign(chain->adapter, &raw, &raw_size, &hash, oracle->sig,
			    chain->operator_key, &call, &sent->terms));
	adapter_sent_signed(sent, raw, raw_size, &hash);
	return CS_OK;
}

static enum cs_err store_attempt(struct adapter_sent *sent, const struct adapter_attempt *attempt)
{
	struct oracle_tx *tx = tx_of(sent);
	CS_TRY(oracle_journal_add_attempt(journal_of(sent), attempt));
	tx->row.nonce = attempt->terms.nonce;
	tx->row.hash = attempt->hash;
	return oracle_journal_save_submission(journal_of(sent), &tx->row);
}

/* Whoever wanted the call hears what became of it. */
static enum cs_err tell(struct adapter_sent *sent, bool cancelled)
{
	const struct oracle_submission *row = &tx_of(sent)->row;
	switch (row->call) {
	case ORACLE_CALL_FULFIL:
		return oracle_requests_reported(chain_of(sent), row, cancelled);
	case ORACLE_CALL_REFUND:
		return oracle_refund_reported(chain_of(sent), row);
	case ORACLE_CALL_SUBMIT:
		return oracle_feeds_reported(chain_of(sent), row);
	case ORACLE_CALL_ANNOUNCE: /* the contract tells; the journal has the outcome */
		return CS_OK;
	}
	return CS_OK;
}

static void take_inclusion(struct oracle_submission *row, const struct adapter_tx_report *report)
{
	row->state = report->state == ADAPTER_TX_SETTLED ? ORACLE_SUBMISSION_SETTLED
							 : ORACLE_SUBMISSION_INCLUDED;
	row->height = report->block.height;
	row->succeeded = report->succeeded && !report->cancelled;
	row->gas_used = report->gas_used;
	row->gas_price_wei = report->gas_price_wei;
	/* Once it is settled, why it reverted may have a name already. */
	if (!report->succeeded && (report->state == ADAPTER_TX_INCLUDED || row->why[0] == 0))
		oracle_why(row->why, CS_ERR_REVERTED, "the transaction reverted");
	else if (!report->succeeded)
		return;
	else if (report->cancelled)
		oracle_why(row->why, CS_ERR_CLOSED, "the transaction was cancelled");
	else
		row->why[0] = 0;
}

/* ---- why it reverted ---- */

struct naming {
	struct oracle_chain *chain;
	uint64_t submission;
	const char *why;
};

static enum cs_err write_name(void *context)
{
	const struct naming *naming = context;
	struct oracle_chain *chain = naming->chain;
	struct oracle_submission row;
	struct adapter_sent *sent = chain->sender.list;
	CS_TRY(oracle_journal_submission(chain->oracle->journal, naming->submission, &row, NULL,
					 NULL));
	/* A reorganisation was faster. */
	if (row.succeeded || row.height == 0)
		return CS_OK;
	oracle_why(row.why, CS_ERR_REVERTED, naming->why);
	while (sent && sent->n != row.n)
		sent = sent->next;
	if (sent)
		tx_of(sent)->row = row;
	CS_TRY(oracle_journal_save_submission(chain->oracle->journal, &row));
	return row.call == ORACLE_CALL_SUBMIT ? oracle_feeds_reported(chain, &row) : CS_OK;
}

static void named(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct naming *naming = ctx;
	struct oracle_chain *chain = naming->chain;
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	(void)why;
	if (err == CS_ERR_REVERTED && data.n >= 4 && !chain->oracle->stopping) {
		(void)adapter_contract_refusal(text, data);
		naming->why = text;
		log_warn("tx.reverted", LOG_TEXT("chain", chain->config->id),
			 LOG_U64("submission", naming->submission), LOG_TEXT("why", text));
		if (oracle_write(chain->oracle, write_name, naming) != CS_OK)
			log_warn("tx.reason_not_written",
				 LOG_U64("submission", naming->submission));
	}
	free(naming);
}

/* A receipt has no reason. What the same call reverts with at the newest block is mostly it; where
 * it would succeed now, nothing is known. */
static void ask_why(const struct adapter_sent *sent)
{
	struct oracle_chain *chain = chain_of(sent);
	struct cs_arena *arena = &chain->oracle->scratch;
	size_t mark = cs_arena_mark(arena);
	struct oracle_submission row;
	struct cs_bytes data;
	struct naming *naming = host_alloc(sizeof(*naming));
	*naming = (struct naming){.chain = chain, .submission = sent->n};
	enum cs_err err =
		oracle_journal_submission(chain->oracle->journal, sent->n, &row, arena, &data);
	if (err == CS_OK)
		err = adapter_call(chain->adapter, &row.account, &row.to, data, named, naming);
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		free(naming);
}

/* ---- reports ---- */

static enum cs_err store_report(struct adapter_sent *sent, const struct adapter_tx_report *report)
{
	struct oracle_submission *row = &tx_of(sent)->row;
	row->nonce = report->nonce;
	if (!cs_hash_is_zero(&report->hash))
		row->hash = report->hash;
	switch (report->state) {
	case ADAPTER_TX_QUEUED:
	case ADAPTER_TX_STUCK:
		return CS_OK;
	case ADAPTER_TX_SENT:
		break;
	case ADAPTER_TX_UNKNOWN:
		row->state = ORACLE_SUBMISSION_UNKNOWN;
		oracle_why(row->why, report->err, report->why);
		break;
	case ADAPTER_TX_UNINCLUDED:
		row->state = ORACLE_SUBMISSION_OPEN;
		row->height = 0;
		oracle_why(row->why, report->err, report->why);
		break;
	case ADAPTER_TX_INCLUDED:
	case ADAPTER_TX_SETTLED:
		take_inclusion(row, report);
		break;
	case ADAPTER_TX_FAILED:
		row->state = ORACLE_SUBMISSION_FAILED;
		oracle_why(row->why, report->err, report->why);
		break;
	}
	if (report->state == ADAPTER_TX_INCLUDED && !report->succeeded && !report->cancelled)
		ask_why(sent);
	CS_TRY(oracle_journal_save_submission(journal_of(sent), row));
	return tell(sent, report->cancelled);
}

static enum cs_err store_refused(struct adapter_sent *sent, enum cs_err err)
{
	struct oracle_submission *row = &tx_of(sent)->row;
	row->state = ORACLE_SUBMISSION_FAILED;
	oracle_why(row->why, err, "refused by the adapter");
	CS_TRY(oracle_journal_save_submission(journal_of(sent), row));
	return tell(sent, false);
}

void oracle_submit_start(struct oracle_chain *chain)
{
	static const struct adapter_sender_ops ops = {.rows = open_rows,
						      .load = load,
						      .attempts = attempts,
						      .sign = sign,
						      .store_attempt = store_attempt,
						      .store_report = store_report,
						      .store_refused = store_refused};
	chain->sender = (struct adapter_sender){.ops = &ops,
						.owner = &oracle_owner,
						.context = chain,
						.sent_size = sizeof(struct oracle_tx),
						.scratch = &chain->oracle->scratch,
						.name = chain->config->id,
						.adapter = chain->adapter,
						.stopping = &chain->oracle->stopping};
}

/* ---- calls ---- */

unsigned oracle_submit_room(const struct oracle_chain *chain)
{
	uint64_t rows[OPEN_ROWS];
	size_t written = 0;
	if (!chain->has_operator || chain->open_txs >= chain->config->in_flight_max ||
	    oracle_journal_open_submissions(chain->oracle->journal, &chain->identity,
					    chain->sender.resumed_to, rows, OPEN_ROWS,
					    &written) != CS_OK)
		return 0;
	size_t taken = chain->open_txs + written;
	return taken < chain->config->in_flight_max ? chain->config->in_flight_max - (unsigned)taken
						    : 0;
}

bool oracle_may_submit(const struct oracle_chain *chain)
{
	return oracle_submit_room(chain) > 0;
}

enum cs_err oracle_submit(struct oracle *oracle, const struct oracle_call_wish *wish,
			  uint64_t *submission)
{
	struct oracle_chain *chain = wish->contract->chain;
	struct oracle_submission row = {.chain = chain->identity,
					.contract = wish->contract->identity,
					.call = wish->call,
					.account = chain->operator,
					.statement = wish->statement,
					.to = wish->contract->address,
					.gas_limit = wish->gas_limit};
	if (!chain->has_operator)
		return CS_ERR_NO_KEY;
	CS_TRY(oracle_journal_add_submission(oracle->journal, &row, wish->data));
	*submission = row.n;
	return CS_OK;
}

void oracle_submit_resume(struct oracle_chain *chain)
{
	if (chain->has_operator && chain->adapter && chain->follow.head_height != 0)
		adapter_sender_take_up(&chain->sender);
}

void oracle_submit_cancel_late(struct oracle_chain *chain, uint64_t next_block_s)
{
	for (struct adapter_sent *sent = chain->sender.list; sent; sent = sent->next) {
		struct oracle_tx *tx = tx_of(sent);
		if (tx->deadline_s == 0 || next_block_s < tx->deadline_s || tx->late ||
		    sent->included || sent->gone)
			continue;
		if (adapter_tx_cancel(chain->adapter, sent->tx) != CS_OK)
			continue; /* a block has it: its report comes */
		tx->late = true;
		log_info("tx.late", LOG_TEXT("chain", chain->config->id),
			 LOG_U64("submission", sent->n), LOG_U64("deadline", tx->deadline_s));
	}
}
