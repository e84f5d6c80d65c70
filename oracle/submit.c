/* Calls of the operator's account: from a row in the journal to a settled transaction. The adapter owns
 * nonce, fees and the watch; the bytes are signed here, and are in the journal before they are sent.
 * Every call here does nothing the second time, so that it may be signed again. */
#include "adapters/evm/sign.h"
#include "host/alloc.h"
#include "oracle/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Submissions that one turn hands to the adapter. */
#define OPEN_ROWS 64u

struct oracle_tx {
	struct oracle_chain *chain;
	struct oracle_tx *next;
	struct adapter_tx *tx;
	struct oracle_submission row;
	struct adapter_terms terms;
	uint32_t attempts;
	struct cs_hash hash;
	uint8_t *raw;
	size_t raw_size;
	uint64_t deadline_s; /* the last one of what it brings; 0: it is of use at any time */
	bool late;           /* its cancellation was asked for */
	unsigned commits;    /* under way */
	bool gone;           /* the adapter has forgotten it */
	bool included;       /* does not count against in_flight_max */
};

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

static void note_included(struct oracle_tx *tx, bool included)
{
	if (tx->included == included)
		return;
	tx->included = included;
	tx->chain->open_txs += included ? -1u : 1u;
}

static void tx_free(struct oracle_tx *tx)
{
	struct oracle_tx **at = &tx->chain->txs;
	while (*at && *at != tx)
		at = &(*at)->next;
	if (*at)
		*at = tx->next;
	free(tx->raw);
	free(tx);
}

static void tx_gone(struct oracle_tx *tx)
{
	note_included(tx, true);
	tx->gone = true;
	tx->tx = NULL;
	if (tx->commits == 0)
		tx_free(tx);
}

/* True when the transaction still wants the answer. */
static bool tx_committed(struct oracle_tx *tx)
{
	tx->commits--;
	if (!tx->gone)
		return true;
	if (tx->commits == 0)
		tx_free(tx);
	return false;
}

void oracle_submit_free(struct oracle_chain *chain)
{
	while (chain->txs)
		tx_free(chain->txs);
}

/* ---- the attempt goes into the journal, then to the chain ---- */

static enum cs_err write_attempt(void *context)
{
	struct oracle_tx *tx = context;
	struct oracle_journal *journal = tx->chain->oracle->journal;
	struct oracle_attempt attempt = {.submission = tx->row.n,
					 .attempt = tx->attempts,
					 .nonce = tx->terms.nonce,
					 .gas_limit = tx->terms.gas_limit,
					 .max_fee_wei = tx->terms.max_fee_wei,
					 .max_priority_fee_wei = tx->terms.max_priority_fee_wei,
					 .legacy = tx->terms.legacy,
					 .cancel = tx->terms.cancel,
					 .hash = tx->hash,
					 .raw = cs_bytes(tx->raw, tx->raw_size)};
	CS_TRY(oracle_journal_add_attempt(journal, &attempt));
	tx->row.nonce = tx->terms.nonce;
	tx->row.hash = tx->hash;
	return oracle_journal_save_submission(journal, &tx->row);
}

static void attempt_committed(void *context, enum cs_err err)
{
	struct oracle_tx *tx = context;
	struct oracle *oracle = tx->chain->oracle;
	if (err != CS_OK)
		oracle_fail(oracle, err, "commit of an attempt");
	if (!tx_committed(tx))
		return;
	tx->attempts++;
	if (err == CS_OK)
		adapter_tx_signed(tx->chain->adapter, tx->tx, cs_bytes(tx->raw, tx->raw_size),
				  &tx->hash);
	oracle_wake(oracle);
}

static enum cs_err sign(struct oracle_tx *tx, const struct adapter_terms *terms)
{
	struct oracle_chain *chain = tx->chain;
	struct oracle *oracle = chain->oracle;
	struct oracle_submission row;
	struct cs_bytes data;
	uint8_t *raw = NULL;
	size_t raw_size = 0;
	struct cs_hash hash;
	CS_TRY(oracle_journal_submission(oracle->journal, tx->row.n, &row, &oracle->scratch,
					 &data));
	struct adapter_evm_call call = {.chain_id = chain->manifest->chain_id,
					.from = chain->operator,
					.to = row.to,
					.data = data};
	CS_TRY(adapter_evm_sign(&raw, &raw_size, &hash, oracle->sig, chain->operator_key, &call,
				terms));
	free(tx->raw);
	tx->raw = raw;
	tx->raw_size = raw_size;
	tx->hash = hash;
	tx->terms = *terms;
	return CS_OK;
}

static void on_sign(void *ctx, struct adapter_tx *adapter_tx, const struct adapter_terms *terms)
{
	struct oracle_tx *tx = ctx;
	struct oracle *oracle = tx->chain->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	tx->tx = adapter_tx;
	enum cs_err err = sign(tx, terms);
	cs_arena_rewind(&oracle->scratch, mark);
	if (err == CS_OK) {
		tx->commits++;
		err = oracle_write_then(oracle, write_attempt, tx, attempt_committed, tx);
		if (err != CS_OK && !tx_committed(tx))
			return;
	}
	if (err != CS_OK)
		adapter_tx_refused(tx->chain->adapter, adapter_tx, err,
				   "the attempt could not be signed or stored");
}

/* ---- reports ---- */

struct report_write {
	struct oracle_tx *tx;
	const struct adapter_tx_report *report;
};

/* Whoever wanted the call hears what became of it. */
static enum cs_err tell(struct oracle_tx *tx, bool cancelled)
{
	switch (tx->row.call) {
	case ORACLE_CALL_FULFIL:
		return oracle_requests_reported(tx->chain, &tx->row, cancelled);
	case ORACLE_CALL_REFUND:
		return oracle_refund_reported(tx->chain, &tx->row);
	case ORACLE_CALL_SUBMIT:
		return oracle_feeds_reported(tx->chain, &tx->row);
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
	if (!report->succeeded)
		oracle_why(row->why, CS_ERR_REVERTED, "the transaction reverted");
	else if (report->cancelled)
		oracle_why(row->why, CS_ERR_CLOSED, "the transaction was cancelled");
	else
		row->why[0] = 0;
}

static enum cs_err write_report(void *context)
{
	struct report_write *write = context;
	struct oracle_submission *row = &write->tx->row;
	const struct adapter_tx_report *report = write->report;
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
	CS_TRY(oracle_journal_save_submission(write->tx->chain->oracle->journal, row));
	return tell(write->tx, report->cancelled);
}

static void log_report(const struct oracle_tx *tx, const struct adapter_tx_report *report)
{
	bool bad = report->state == ADAPTER_TX_FAILED || report->state == ADAPTER_TX_STUCK ||
		   report->state == ADAPTER_TX_UNKNOWN ||
		   (report->state == ADAPTER_TX_INCLUDED && !report->succeeded);
	if (bad)
		log_warn("tx.failed", LOG_TEXT("chain", tx->chain->config->id),
			 LOG_U64("submission", tx->row.n),
			 LOG_TEXT("call", call_name(tx->row.call)),
			 LOG_TEXT("state", adapter_tx_state_name(report->state)),
			 LOG_ERR(report->err), LOG_TEXT("why", report->why),
			 LOG_HASH("hash", &report->hash));
	else
		log_info(
			"tx.report", LOG_TEXT("chain", tx->chain->config->id),
			LOG_U64("submission", tx->row.n), LOG_TEXT("call", call_name(tx->row.call)),
			LOG_TEXT("state", adapter_tx_state_name(report->state)),
			LOG_HASH("hash", &report->hash), LOG_U64("height", report->block.height),
			LOG_BOOL("succeeded", report->succeeded), LOG_U64("gas", report->gas_used));
}

static void on_report(void *ctx, struct adapter_tx *adapter_tx,
		      const struct adapter_tx_report *report)
{
	struct oracle_tx *tx = ctx;
	struct oracle *oracle = tx->chain->oracle;
	struct report_write write = {tx, report};
	bool ends = report->state == ADAPTER_TX_SETTLED || report->state == ADAPTER_TX_FAILED;
	(void)adapter_tx;
	/* What the adapter ends while we stop is open in the journal, and is taken up again. */
	if (oracle->stopping) {
		if (ends)
			tx_gone(tx);
		return;
	}
	log_report(tx, report);
	enum cs_err err = oracle_write(oracle, write_report, &write);
	if (err != CS_OK)
		oracle_fail(oracle, err, "a report cannot be written");
	if (report->state == ADAPTER_TX_INCLUDED || report->state == ADAPTER_TX_UNKNOWN)
		note_included(tx, true);
	if (report->state == ADAPTER_TX_UNINCLUDED)
		note_included(tx, false);
	if (ends)
		tx_gone(tx);
}

/* ---- handing over ---- */

unsigned oracle_submit_room(const struct oracle_chain *chain)
{
	uint64_t rows[OPEN_ROWS];
	size_t written = 0;
	if (!chain->has_operator || chain->open_txs >= chain->config->in_flight_max ||
	    oracle_journal_open_submissions(chain->oracle->journal, &chain->identity,
					    chain->resumed_to, rows, OPEN_ROWS, &written) != CS_OK)
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

static enum cs_err take_resume(struct oracle_tx *tx, struct cs_arena *arena,
			       struct adapter_tx_resume *resume, bool *has)
{
	struct oracle_attempt attempts[ADAPTER_TX_ATTEMPTS_MAX];
	size_t count = 0;
	CS_TRY(oracle_journal_attempts(tx->chain->oracle->journal, tx->row.n, arena, attempts,
				       ADAPTER_TX_ATTEMPTS_MAX, &count));
	*has = count > 0;
	tx->attempts = (uint32_t)count;
	if (count == 0)
		return CS_OK;
	memset(resume, 0, sizeof(*resume));
	for (size_t i = 0; i < count; i++) {
		resume->hashes[i] = attempts[i].hash;
		resume->cancels[i] = attempts[i].cancel;
	}
	const struct oracle_attempt *newest = &attempts[count - 1];
	resume->count = count;
	resume->raw = newest->raw;
	resume->terms = (struct adapter_terms){.nonce = newest->nonce,
					       .gas_limit = newest->gas_limit,
					       .max_fee_wei = newest->max_fee_wei,
					       .max_priority_fee_wei = newest->max_priority_fee_wei,
					       .legacy = newest->legacy,
					       .cancel = newest->cancel,
					       .attempt = newest->attempt};
	return CS_OK;
}

static enum cs_err hand_over(struct oracle_tx *tx, struct cs_arena *arena)
{
	struct adapter_tx_resume resume;
	struct cs_bytes data = CS_BYTES_NONE;
	bool has = false;
	uint64_t n = tx->row.n;
	CS_TRY(oracle_journal_submission(tx->chain->oracle->journal, n, &tx->row, arena, &data));
	/* Of an account whose key was exchanged: nothing more can be signed for it. */
	if (!cs_address_eq(&tx->row.account, &tx->chain->operator))
		return CS_ERR_NO_KEY;
	CS_TRY(take_resume(tx, arena, &resume, &has));
	CS_TRY(oracle_journal_submission_deadline(tx->chain->oracle->journal, n, &tx->deadline_s));
	struct adapter_submission submission = {.from = tx->row.account,
						.may_repeat = true,
						.gas_limit = tx->row.gas_limit,
						.to = tx->row.to,
						.data = data,
						.resume = has ? &resume : NULL,
						.ctx = tx,
						.sign = on_sign,
						.report = on_report};
	return adapter_submit(tx->chain->adapter, &tx->tx, &submission);
}

static enum cs_err write_refused(void *context)
{
	struct oracle_tx *tx = context;
	tx->row.state = ORACLE_SUBMISSION_FAILED;
	CS_TRY(oracle_journal_save_submission(tx->chain->oracle->journal, &tx->row));
	return tell(tx, false);
}

/* False: tried again with the next turn, in order. */
static bool take_up(struct oracle_chain *chain, uint64_t n)
{
	struct oracle *oracle = chain->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	struct oracle_tx *tx = host_alloc(sizeof(*tx));
	tx->chain = chain;
	tx->row.n = n;
	enum cs_err err = hand_over(tx, &oracle->scratch);
	cs_arena_rewind(&oracle->scratch, mark);
	if (err == CS_OK) {
		tx->next = chain->txs;
		chain->txs = tx;
		chain->open_txs++;
		return true;
	}
	if (!cs_err_may_retry(err)) {
		/* One that can never be sent must not hold up the others. */
		log_error("tx.refused", LOG_TEXT("chain", chain->config->id),
			  LOG_U64("submission", n), LOG_ERR(err));
		oracle_why(tx->row.why, err, "refused by the adapter");
		err = oracle_write(oracle, write_refused, tx);
	}
	free(tx);
	return err == CS_OK;
}

void oracle_submit_resume(struct oracle_chain *chain)
{
	uint64_t rows[OPEN_ROWS];
	size_t count = 0;
	if (!chain->has_operator || !chain->adapter || chain->follow.head_height == 0)
		return;
	if (oracle_journal_open_submissions(chain->oracle->journal, &chain->identity,
					    chain->resumed_to, rows, OPEN_ROWS, &count) != CS_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!take_up(chain, rows[i]))
			return;
		chain->resumed_to = rows[i];
	}
}

void oracle_submit_cancel_late(struct oracle_chain *chain, uint64_t next_block_s)
{
	for (struct oracle_tx *tx = chain->txs; tx; tx = tx->next) {
		if (tx->deadline_s == 0 || next_block_s < tx->deadline_s || tx->late ||
		    tx->included || tx->gone)
			continue;
		enum cs_err err = adapter_tx_cancel(chain->adapter, tx->tx);
		if (err != CS_OK)
			continue; /* a block has it: its report comes */
		tx->late = true;
		log_info("tx.late", LOG_TEXT("chain", chain->config->id),
			 LOG_U64("submission", tx->row.n), LOG_U64("deadline", tx->deadline_s));
	}
}
