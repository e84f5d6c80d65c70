#include "adapters/sender.h"

#include "host/alloc.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>

/* Submissions that one turn hands to the adapter. */
#define OPEN_ROWS 64u

static void note_included(struct adapter_sent *sent, bool included)
{
	if (sent->included == included)
		return;
	sent->included = included;
	*sent->open += included ? -1u : 1u;
}

static void sent_free(struct adapter_sent *sent)
{
	struct adapter_sent **at = &sent->sender->list;
	while (*at && *at != sent)
		at = &(*at)->next;
	if (*at)
		*at = sent->next;
	free(sent->raw);
	free(sent);
}

static void sent_gone(struct adapter_sent *sent)
{
	note_included(sent, true);
	sent->gone = true;
	sent->tx = NULL;
	if (sent->answers == 0)
		sent_free(sent);
}

/* True when the transaction still wants the answer. */
static bool sent_answered(struct adapter_sent *sent)
{
	sent->answers--;
	if (!sent->gone)
		return true;
	if (sent->answers == 0)
		sent_free(sent);
	return false;
}

enum cs_err adapter_sender_raise(struct adapter_sender *sender, uint64_t n)
{
	for (const struct adapter_sent *sent = sender->list; sent; sent = sent->next)
		if (sent->n == n && !sent->gone && sent->tx)
			return adapter_tx_raise(sender->adapter, sent->tx);
	return CS_ERR_CONFLICT;
}

void adapter_sender_move(struct adapter_sender *sender, struct adapter *adapter)
{
	for (struct adapter_sent *next, *sent = sender->list; sent; sent = next) {
		next = sent->next;
		sent_gone(sent);
	}
	sender->adapter = adapter;
	sender->resumed_to = 0;
}

void adapter_sender_done(struct adapter_sender *sender)
{
	while (sender->list)
		sent_free(sender->list);
}

/* ---- the attempt goes into the journal, then to the chain ---- */

static enum cs_err write_attempt(void *context)
{
	struct adapter_sent *sent = context;
	struct adapter_attempt attempt = {.submission = sent->n,
					  .terms = sent->terms,
					  .hash = sent->hash,
					  .raw = cs_bytes(sent->raw, sent->raw_size)};
	attempt.terms.attempt = sent->attempts;
	return sent->sender->ops->store_attempt(sent, &attempt);
}

static void attempt_committed(void *context, enum cs_err err)
{
	struct adapter_sent *sent = context;
	struct adapter_sender *sender = sent->sender;
	if (err != CS_OK)
		sender->owner->fail(sender->context, err, "commit of an attempt");
	if (!sent_answered(sent))
		return;
	sent->attempts++;
	if (err == CS_OK)
		adapter_tx_signed(sender->adapter, sent->tx, cs_bytes(sent->raw, sent->raw_size),
				  &sent->hash);
	sender->owner->wake(sender->context);
}

void adapter_sent_signed(struct adapter_sent *sent, uint8_t *raw, size_t raw_size,
			 const struct cs_hash *hash)
{
	struct adapter_sender *sender = sent->sender;
	if (!sent_answered(sent)) {
		free(raw);
		return;
	}
	free(sent->raw);
	sent->raw = raw;
	sent->raw_size = raw_size;
	sent->hash = *hash;
	sent->answers++;
	enum cs_err err =
		sender->owner->write(sender->context, write_attempt, sent, attempt_committed);
	if (err != CS_OK)
		adapter_sent_refused(sent, err, "the attempt could not be stored");
}

void adapter_sent_refused(struct adapter_sent *sent, enum cs_err err, const char *why)
{
	if (sent_answered(sent))
		adapter_tx_refused(sent->sender->adapter, sent->tx, err, why);
}

static void on_sign(void *ctx, struct adapter_tx *tx, const struct adapter_terms *terms)
{
	struct adapter_sent *sent = ctx;
	struct adapter_sender *sender = sent->sender;
	size_t mark = cs_arena_mark(sender->scratch);
	sent->tx = tx;
	sent->terms = *terms;
	sent->answers++;
	enum cs_err err = sender->ops->sign(sent);
	cs_arena_rewind(sender->scratch, mark);
	if (err != CS_OK)
		adapter_sent_refused(sent, err, "");
}

/* ---- reports ---- */

struct report_write {
	struct adapter_sent *sent;
	const struct adapter_tx_report *report;
};

static enum cs_err write_report(void *context)
{
	struct report_write *write = context;
	return write->sent->sender->ops->store_report(write->sent, write->report);
}

static void log_report(const struct adapter_sent *sent, const struct adapter_tx_report *report)
{
	const char *chain = sent->sender->name;
	const char *state = adapter_tx_state_name(report->state);
	bool bad = report->state == ADAPTER_TX_FAILED || report->state == ADAPTER_TX_STUCK ||
		   report->state == ADAPTER_TX_UNKNOWN ||
		   (report->state == ADAPTER_TX_INCLUDED && !report->succeeded);
	if (bad)
		log_warn("tx.failed", LOG_TEXT("chain", chain), LOG_U64("submission", sent->n),
			 LOG_TEXT("call", sent->call), LOG_TEXT("state", state),
			 LOG_ERR(report->err), LOG_TEXT("why", report->why),
			 LOG_HASH("hash", &report->hash));
	else
		log_info("tx.report", LOG_TEXT("chain", chain), LOG_U64("submission", sent->n),
			 LOG_TEXT("call", sent->call), LOG_TEXT("state", state),
			 LOG_HASH("hash", &report->hash), LOG_U64("height", report->block.height),
			 LOG_BOOL("succeeded", report->succeeded),
			 LOG_U64("gas", report->gas_used));
}

static void on_report(void *ctx, struct adapter_tx *tx, const struct adapter_tx_report *report)
{
	struct adapter_sent *sent = ctx;
	struct adapter_sender *sender = sent->sender;
	struct report_write write = {sent, report};
	bool ends = report->state == ADAPTER_TX_SETTLED || report->state == ADAPTER_TX_FAILED;
	(void)tx;
	/* The cursor is written to the end, and a ledger tells of no block twice. */
	if (*sender->stopping && report->state != ADAPTER_TX_INCLUDED) {
		if (ends)
			sent_gone(sent);
		return;
	}
	log_report(sent, report);
	enum cs_err err = sender->owner->write(sender->context, write_report, &write, NULL);
	if (err != CS_OK)
		sender->owner->fail(sender->context, err, "a report cannot be written");
	if (report->state == ADAPTER_TX_INCLUDED || report->state == ADAPTER_TX_UNKNOWN)
		note_included(sent, true);
	if (report->state == ADAPTER_TX_UNINCLUDED)
		note_included(sent, false);
	if (ends)
		sent_gone(sent);
}

/* ---- handing over ---- */

static enum cs_err take_resume(struct adapter_sent *sent, struct adapter_tx_resume *resume)
{
	struct adapter_attempt attempts[ADAPTER_TX_ATTEMPTS_MAX];
	size_t count = 0;
	CS_TRY(sent->sender->ops->attempts(sent->sender->context, sent->n, attempts,
					   ADAPTER_TX_ATTEMPTS_MAX, &count));
	memset(resume, 0, sizeof(*resume));
	sent->attempts = (unsigned)count;
	resume->count = count;
	resume->included = sent->known;
	for (size_t i = 0; i < count; i++) {
		resume->hashes[i] = attempts[i].hash;
		resume->cancels[i] = attempts[i].terms.cancel;
		resume->terms = attempts[i].terms;
		resume->raw = attempts[i].raw;
	}
	return CS_OK;
}

static enum cs_err hand_over(struct adapter_sent *sent)
{
	struct adapter_submission submission = {.ctx = sent, .sign = on_sign, .report = on_report};
	struct adapter_tx_resume resume;
	CS_TRY(sent->sender->ops->load(sent, &submission));
	CS_TRY(take_resume(sent, &resume));
	if (resume.count > 0)
		submission.resume = &resume;
	return adapter_submit(sent->sender->adapter, &sent->tx, &submission);
}

struct refused_write {
	struct adapter_sent *sent;
	enum cs_err err;
};

static enum cs_err write_refused(void *context)
{
	struct refused_write *write = context;
	return write->sent->sender->ops->store_refused(write->sent, write->err);
}

/* False: tried again with the next turn. */
static bool take_up(struct adapter_sender *sender, uint64_t n)
{
	size_t mark = cs_arena_mark(sender->scratch);
	struct adapter_sent *sent = host_alloc(sender->sent_size);
	sent->sender = sender;
	sent->n = n;
	enum cs_err err = hand_over(sent);
	cs_arena_rewind(sender->scratch, mark);
	if (err == CS_OK) {
		sent->next = sender->list;
		sender->list = sent;
		(*sent->open)++;
		return true;
	}
	if (!cs_err_may_retry(err)) {
		/* One that can never be sent must not hold up the others. */
		struct refused_write write = {sent, err};
		log_error("tx.refused", LOG_TEXT("chain", sender->name), LOG_U64("submission", n),
			  LOG_ERR(err));
		err = sender->owner->write(sender->context, write_refused, &write, NULL);
	}
	free(sent);
	return err == CS_OK;
}

void adapter_sender_take_up(struct adapter_sender *sender)
{
	uint64_t rows[OPEN_ROWS];
	size_t count = 0;
	if (sender->ops->rows(sender->context, sender->resumed_to, rows, OPEN_ROWS, &count) !=
	    CS_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!take_up(sender, rows[i]))
			return;
		sender->resumed_to = rows[i];
	}
}
