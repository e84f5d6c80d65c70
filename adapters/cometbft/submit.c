/*~ One writer per account: transactions are simulated, priced, given a sequence, signed and sent one
 * after the other. What becomes of them the blocks themselves tell: the watcher reports every one with
 * its transactions, so that "not included so far" is a fact and not a node's word. Each attempt has an
 * end (valid until): once a block of a later time is reported without it, it can never happen, and
 * another attempt may be signed, whatever nodes did with the first one. So nothing ends as unknown,
 * and what may not repeat never does. */
#include "adapters/cometbft/submit_inner.h"
#include "host/alloc.h"
#include "host/cometbft_text.h"
#include "relay_state/ledger/tx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Heads between two tries of what an empty account or a fee cap stops. */
#define STUCK_PAUSE_BLOCKS 5
/* A simulation says what is used. The gateway asks besides that what a message promises its recipient
 * is at hand before it calls it (`minGasLimit`; routes rarely allow more than 2,000,000), and 1/64 of it
 * stays behind. What is not used is given back. */
#define RECIPIENT_GAS 2500000u
static void sender_work(struct sender *sender);
static void price(struct adapter_tx *tx);

uint64_t comet_head_height(const struct comet *comet)
{
	const struct comet_header *head = comet_watch_done(comet->watch);

	return head == NULL ? 0 : head->public.id.height;
}

static uint64_t cap_of(const struct adapter_tx *tx)
{
	uint64_t own = tx->submission.max_fee_cap_wei;
	uint64_t general = tx->comet->config.max_fee_cap_wei;

	return own != 0 && own < general ? own : general;
}

/* ---- reports ---- */

void comet_tx_report(struct adapter_tx *tx, enum adapter_tx_state state, enum cs_err err,
		     const char *why)
{
	struct adapter_tx_report out = {.nonce = tx->terms.nonce};

	if (state == ADAPTER_TX_INCLUDED || state == ADAPTER_TX_SETTLED)
		out = tx->included;
	else if (tx->attempt_count > 0)
		out.hash = tx->hashes[tx->attempt_count - 1];
	out.state = state;
	out.err = err;
	out.why = why;
	out.attempts = (unsigned)tx->attempt_count;
	tx->submission.report(tx->submission.ctx, tx, &out);
}

void comet_tx_fail(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	tx->phase = TX_ENDED;
	tx->work = TX_IDLE;
	comet_tx_report(tx, ADAPTER_TX_FAILED, err, why);
}

/* Not its turn any more; what has bytes stays watched. */
static void step_back(struct adapter_tx *tx)
{
	if (tx->phase == TX_FRONT)
		tx->phase = tx->has_nonce && tx->attempt_count > 0 ? TX_SENT : TX_WAITING;
}

/* Told once; it is tried again some heads later. */
static void stuck(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	tx->work = TX_IDLE;
	tx->wait_height = comet_head_height(tx->comet) + STUCK_PAUSE_BLOCKS;
	step_back(tx);
	if (tx->stuck_told)
		return;
	tx->stuck_told = true;
	comet_tx_report(tx, ADAPTER_TX_STUCK, err, why);
}

static void sweep(struct sender *sender)
{
	struct adapter_tx **at = &sender->txs;

	while (*at != NULL) {
		struct adapter_tx *tx = *at;

		if (tx->phase != TX_ENDED || tx->calls > 0) {
			at = &tx->next;
			continue;
		}
		*at = tx->next;
		sender->tx_count--;
		free(tx->data);
		free(tx->raw);
		free(tx);
	}
}

uint64_t comet_submit_waits_ms(const struct comet_submit *submit)
{
	uint64_t now_ms = host_now_ms();
	uint64_t longest_ms = 0;

	for (size_t i = 0; i < CS_LEN(submit->senders); i++)
		for (const struct adapter_tx *tx = submit->senders[i].txs; tx != NULL;
		     tx = tx->next)
			if (tx->phase == TX_SENT && tx->taken_ms != 0 &&
			    now_ms - tx->taken_ms > longest_ms)
				longest_ms = now_ms - tx->taken_ms;
	return longest_ms;
}

/* The sender's next moves come in a later turn. */
void comet_submit_wake(struct comet *comet)
{
	if (!comet->ending)
		host_timer_start(comet->submit->timer, 0, comet->config.block_time_ms);
}

bool comet_tx_is_over(const struct adapter_tx *tx)
{
	return tx->phase == TX_INCLUDED || tx->phase == TX_ENDED;
}

/* ---- sending ---- */

static void sent(struct adapter_tx *tx)
{
	tx->work = TX_IDLE;
	tx->phase = TX_SENT;
	tx->sent_height = comet_head_height(tx->comet);
}

static void taken(struct adapter_tx *tx)
{
	bool first = !tx->accepted;

	sent(tx);
	tx->accepted = true;
	if (tx->taken_ms == 0)
		tx->taken_ms = host_now_ms();
	tx->stuck_told = false;
	tx->refused = CS_ERR_OK;
	if (!first)
		return;
	tx->comet->counters.txs_sent++;
	comet_tx_report(tx, ADAPTER_TX_SENT, CS_OK, "");
}

/* No honest node takes these bytes. Whoever refused them may have sent them on: they end when they have
 * expired, unless another execution would do no harm. */
static void refused_for_good(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	if (tx->submission.may_repeat && tx->attempt_count == 1) {
		comet_tx_fail(tx, err, why);
		return;
	}
	tx->refused = err;
	snprintf(tx->why, sizeof(tx->why), "%.119s", why);
	sent(tx);
}

static void answered(struct adapter_tx *tx, uint32_t code)
{
	const char *why = comet_code_sentence(code);

	switch (code) {
	case CODE_OK:
		taken(tx);
		return;
	case CODE_PRICE_TOO_LOW: /* under the same sequence, so that one of them at most happens */
		tx->work = TX_IDLE;
		tx->comet->submit->have_fees = false;
		if (tx->attempt_count < ADAPTER_TX_ATTEMPTS_MAX)
			price(tx);
		else
			stuck(tx, CS_ERR_FULL, "the last attempt was made");
		return;
	case CODE_NO_FUNDS:
		sent(tx);
		stuck(tx, CS_ERR_NO_FUNDS, why);
		return;
	case CODE_WRONG_SEQUENCE: /* behind what it waits for, or overtaken: the heads tell */
		tx->sender->synced = false;
		comet_sender_sync(tx->sender);
		sent(tx);
		return;
	case CODE_EXPIRED:
	case CODE_BUSY:
		sent(tx);
		return;
	default:
		refused_for_good(tx, comet_code_err(code), why);
	}
}

static void send_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct adapter_tx *tx = ctx;
	const json_t *code = json_object_get(replies[0].result, "code");

	(void)count;
	tx->calls--;
	tx->endpoint = replies[0].endpoint;
	if (tx->comet->ending || tx->work != TX_SENDING)
		return;
	if (comet_tx_is_over(tx))
		tx->work = TX_IDLE; /* it was included while this was on its way */
	else if (replies[0].class == ADAPTER_RPC_KNOWN)
		taken(tx);
	else if (replies[0].class == ADAPTER_RPC_FINE && json_is_integer(code))
		answered(tx, (uint32_t)json_integer_value(code));
	else
		sent(tx); /* nobody knows whether it arrived: followed, and sent again */
	comet_submit_wake(tx->comet);
}

/* What one node has had for a while without effect goes to another one. */
void comet_tx_send(struct adapter_tx *tx)
{
	struct adapter_rpc *rpc = tx->comet->nodes.rpc;
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY};
	json_t *params =
		json_pack("{s:o}", "tx", cometbft_json_base64(cs_bytes(tx->raw, tx->raw_size)));

	if (tx->accepted)
		options.pin = adapter_rpc_other(rpc, tx->endpoint);
	tx->work = TX_SENDING;
	tx->calls++;
	if (adapter_rpc_call(rpc, &options, "broadcast_tx_sync", params, send_done, tx) == CS_OK)
		return;
	tx->calls--;
	sent(tx);
}

/* ---- signing ---- */

static bool is_taken(const struct sender *sender, const struct adapter_tx *except,
		     uint64_t sequence)
{
	for (const struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next)
		if (tx != except && tx->has_nonce && tx->phase != TX_ENDED &&
		    tx->terms.nonce == sequence)
			return true;
	return false;
}

/* The lowest one that none of ours has, or had by what a node that is behind does not know. */
static uint64_t free_sequence(const struct adapter_tx *tx)
{
	const struct sender *sender = tx->sender;
	uint64_t sequence = sender->sequence > sender->sequence_floor ? sender->sequence
								      : sender->sequence_floor;

	while (is_taken(sender, tx, sequence))
		sequence++;
	return sequence;
}

static void sign(struct adapter_tx *tx)
{
	const struct comet_header *head = comet_watch_done(tx->comet->watch);

	if (!tx->has_nonce) {
		tx->terms.nonce = free_sequence(tx);
		tx->has_nonce = true;
	}
	tx->terms.gas_limit = tx->gas_limit;
	tx->terms.attempt = (unsigned)tx->attempt_count;
	tx->terms.valid_until_s = head->public.time_s + tx->comet->config.valid_s;
	tx->work = TX_SIGNING;
	struct adapter_terms terms = tx->terms;
	tx->submission.sign(tx->submission.ctx, tx, &terms);
}

/* What is answered inside a call of the gateway is told in a later turn. */
static void fail_now(void *context, bool closing)
{
	struct adapter_tx *tx = context;

	tx->calls--;
	if (closing)
		return;
	comet_tx_fail(tx, tx->refused, tx->why);
	comet_submit_wake(tx->comet);
}

static void stick_now(void *context, bool closing)
{
	struct adapter_tx *tx = context;
	enum cs_err err = tx->refused;

	tx->calls--;
	tx->refused = CS_ERR_OK;
	if (!closing && tx->work == TX_IDLE && !comet_tx_is_over(tx))
		stuck(tx, err, tx->why);
}

static void tell_later(struct adapter_tx *tx, void (*run)(void *, bool), enum cs_err err,
		       const char *why)
{
	tx->refused = err;
	snprintf(tx->why, sizeof(tx->why), "%.119s", why);
	tx->calls++;
	adapter_later_add(tx->comet->later, run, tx);
}

void comet_tx_signed(struct adapter_tx *tx, struct cs_bytes raw, const struct cs_hash *hash)
{
	cs_assert(tx->work == TX_SIGNING && raw.n > 0);
	cs_assert(tx->attempt_count < ADAPTER_TX_ATTEMPTS_MAX);
	tx->work = TX_IDLE;
	if (tx->cancel_wanted && tx->attempt_count == 0) {
		tx->phase = TX_ENDED; /* the bytes never leave */
		tell_later(tx, fail_now, CS_ERR_CLOSED, "cancelled before it was sent");
		return;
	}
	if (tx->attempt_count > 0)
		tx->comet->counters.txs_replaced++;
	tx->hashes[tx->attempt_count++] = *hash;
	tx->accepted = false;
	free(tx->raw);
	tx->raw = host_copy(raw);
	tx->raw_size = raw.n;
	if (!comet_tx_is_over(tx))
		comet_tx_send(tx);
}

void comet_tx_refused(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	cs_assert(tx->work == TX_SIGNING);
	tx->work = TX_IDLE;
	tx->has_nonce = false;
	if (comet_tx_is_over(tx))
		return;
	tx->phase = TX_WAITING;
	if (tx->attempt_count > 0 || err == CS_ERR_POLICY_FEE) {
		tx->wait_height = comet_head_height(tx->comet) + STUCK_PAUSE_BLOCKS;
		tell_later(tx, stick_now, err, why);
	} else {
		tx->phase = TX_ENDED;
		tell_later(tx, fail_now, err, why);
	}
}

/* ---- pricing ---- */

static void apply_fees(struct adapter_tx *tx, const struct adapter_fees *fees)
{
	if (fees->max_fee_wei > cap_of(tx)) {
		stuck(tx, CS_ERR_POLICY_FEE, "the fee cap is below what the chain asks for");
		return;
	}
	tx->terms.max_fee_wei = fees->max_fee_wei;
	sign(tx);
}

static void fees_done(void *ctx, enum cs_err err, const char *why, const struct adapter_fees *fees)
{
	struct adapter_tx *tx = ctx;
	struct comet_submit *submit = tx->comet->submit;

	(void)why;
	tx->calls--;
	if (tx->comet->ending || tx->work != TX_PRICING)
		return;
	if (err != CS_OK || comet_tx_is_over(tx)) {
		tx->work = TX_IDLE; /* the next turn tries again */
		step_back(tx);
		return;
	}
	submit->fees = *fees;
	submit->fees_ms = host_now_ms();
	submit->have_fees = true;
	apply_fees(tx, fees);
}

static void price(struct adapter_tx *tx)
{
	struct comet_submit *submit = tx->comet->submit;

	tx->work = TX_PRICING;
	if (submit->have_fees &&
	    host_now_ms() - submit->fees_ms < tx->comet->config.block_time_ms) {
		apply_fees(tx, &submit->fees);
		return;
	}
	tx->calls++;
	if (comet_fees(&tx->comet->base, fees_done, tx) == CS_OK)
		return;
	tx->calls--;
	tx->work = TX_IDLE;
	step_back(tx);
}

static void gas_done(void *ctx, enum cs_err err, const char *why, uint64_t gas)
{
	struct adapter_tx *tx = ctx;

	tx->calls--;
	if (tx->comet->ending || tx->work != TX_SIMULATING)
		return;
	tx->work = TX_IDLE;
	if (err == CS_ERR_REVERTED || err == CS_ERR_INVALID) {
		comet_tx_fail(tx, err, why);
		comet_submit_wake(tx->comet);
	} else if (err != CS_OK || gas == 0 || gas > UINT32_MAX) {
		tx->phase = TX_WAITING;
	} else {
		tx->gas_limit =
			gas + gas * tx->comet->config.gas_margin_percent / 100 + RECIPIENT_GAS;
		price(tx);
	}
}

static void begin(struct adapter_tx *tx)
{
	const struct adapter_submission *submission = &tx->submission;

	tx->phase = TX_FRONT;
	if (tx->gas_limit > 0) {
		price(tx);
		return;
	}
	tx->work = TX_SIMULATING;
	tx->calls++;
	if (comet_estimate(&tx->comet->base, &submission->from, &submission->to, submission->data,
			   gas_done, tx) == CS_OK)
		return;
	tx->calls--;
	tx->work = TX_IDLE;
	tx->phase = TX_WAITING;
}

/* ---- the account ---- */

static void sync_done(void *ctx, enum cs_err err, const char *why,
		      const struct adapter_account *account)
{
	struct sender *sender = ctx;

	(void)why;
	sender->calls--;
	sender->syncing = false;
	if (sender->comet->ending || err != CS_OK || account->nonce > INT64_MAX)
		return;
	sender->sequence = account->nonce;
	sender->synced = true;
	sender->synced_ms = host_now_ms();
	sender_work(sender);
}

void comet_sender_sync(struct sender *sender)
{
	if (sender->syncing)
		return;
	sender->syncing = true;
	sender->calls++;
	if (comet_account(&sender->comet->base, &sender->address, sync_done, sender) == CS_OK)
		return;
	sender->calls--;
	sender->syncing = false;
}

/* The next one whose turn it is, urgent ones first, when nobody has the turn and there is room. */
static struct adapter_tx *next_front(struct sender *sender)
{
	uint64_t height = comet_head_height(sender->comet);
	struct adapter_tx *next = NULL;
	unsigned in_flight = 0;

	for (struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next) {
		if (tx->phase == TX_FRONT)
			return NULL;
		in_flight += tx->phase == TX_SENT;
		if (tx->phase == TX_WAITING && tx->wait_height <= height && tx->calls == 0 &&
		    (next == NULL || (tx->submission.is_urgent && !next->submission.is_urgent)))
			next = tx;
	}
	return in_flight < sender->comet->config.in_flight_max ? next : NULL;
}

static void sender_work(struct sender *sender)
{
	if (!sender->used || comet_watch_done(sender->comet->watch) == NULL)
		return;
	sweep(sender);
	struct adapter_tx *tx = next_front(sender);
	if (tx == NULL)
		return;
	if (sender->synced &&
	    host_now_ms() - sender->synced_ms <= sender->comet->config.block_time_ms)
		begin(tx);
	else
		comet_sender_sync(sender);
}

static void on_timer(void *ctx)
{
	struct comet_submit *submit = ctx;

	for (size_t i = 0; i < SENDERS_MAX; i++)
		sender_work(&submit->senders[i]);
}

/* ---- the seam ---- */

/* NULL: accounts are all in use. */
static struct sender *sender_of(struct comet_submit *submit, const struct cs_address *address)
{
	struct sender *free_one = NULL;

	for (size_t i = 0; i < SENDERS_MAX; i++) {
		struct sender *sender = &submit->senders[i];

		if (sender->used && cs_address_eq(&sender->address, address))
			return sender;
		if (!sender->used && free_one == NULL)
			free_one = sender;
	}
	if (free_one != NULL)
		*free_one =
			(struct sender){.comet = submit->comet, .address = *address, .used = true};
	return free_one;
}

/* The blocks up to the cursor are not reported again: what was in one of them has happened. */
static void resume_included(struct adapter_tx *tx, const struct adapter_tx_report *included)
{
	tx->included = *included;
	if (included->nonce + 1 > tx->sender->sequence_floor)
		tx->sender->sequence_floor = included->nonce + 1;
	tx->phase = TX_INCLUDED;
}

/* What was sent before this process started: when it ends is in its bytes. */
static enum cs_err resume(struct adapter_tx *tx, const struct adapter_tx_resume *from)
{
	struct ledger_tx *decoded = host_alloc(sizeof(*decoded));
	enum cs_err err = ledger_tx_decode(decoded, from->raw);

	if (err == CS_OK && decoded->sequence != from->terms.nonce)
		err = CS_ERR_INVALID;
	if (err == CS_OK) {
		tx->terms = from->terms;
		tx->terms.valid_until_s = decoded->valid_until;
		tx->gas_limit = decoded->gas_limit;
		tx->attempt_count = from->count;
		memcpy(tx->hashes, from->hashes, from->count * sizeof(tx->hashes[0]));
		tx->raw = host_copy(from->raw);
		tx->raw_size = from->raw.n;
		tx->has_nonce = true;
		tx->phase = TX_SENT;
		if (from->included.state == ADAPTER_TX_INCLUDED)
			resume_included(tx, &from->included);
	}
	free(decoded);
	return err;
}

enum cs_err comet_submit_add(struct adapter *adapter, struct adapter_tx **out,
			     const struct adapter_submission *submission)
{
	struct comet *comet = comet_of(adapter);
	struct sender *sender = sender_of(comet->submit, &submission->from);

	if (sender == NULL || sender->tx_count >= SENDER_TXS_MAX)
		return CS_ERR_FULL;
	struct adapter_tx *tx = host_alloc(sizeof(*tx));
	*tx = (struct adapter_tx){.comet = comet,
				  .sender = sender,
				  .submission = *submission,
				  .gas_limit = submission->gas_limit,
				  .data = host_copy(submission->data),
				  .endpoint = ADAPTER_RPC_ANY};
	tx->submission.data = cs_bytes(tx->data, submission->data.n);
	enum cs_err err = submission->resume == NULL ? CS_OK : resume(tx, submission->resume);
	tx->submission.resume = NULL;
	if (err != CS_OK) {
		free(tx->data);
		free(tx);
		return err;
	}
	struct adapter_tx **end = &sender->txs;
	while (*end != NULL)
		end = &(*end)->next;
	*end = tx;
	sender->tx_count++;
	*out = tx;
	comet_submit_wake(comet);
	return CS_OK;
}

enum cs_err comet_tx_cancel(struct adapter_tx *tx)
{
	if (comet_tx_is_over(tx))
		return CS_ERR_CONFLICT;
	tx->cancel_wanted = true;
	if (tx->attempt_count == 0 && tx->work != TX_SIGNING) {
		tx->phase = TX_ENDED;
		tx->work = TX_IDLE;
		tell_later(tx, fail_now, CS_ERR_CLOSED, "cancelled before it was sent");
	}
	return CS_OK;
}

struct comet_submit *comet_submit_new(struct comet *comet)
{
	struct comet_submit *submit = host_alloc(sizeof(*submit));

	submit->comet = comet;
	submit->timer = host_timer_new(comet->loop, on_timer, submit);
	return submit;
}

void comet_submit_free(struct comet_submit *submit)
{
	if (submit == NULL)
		return;
	host_timer_free(submit->timer);
	for (size_t i = 0; i < SENDERS_MAX; i++) {
		struct sender *sender = &submit->senders[i];

		for (struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next) {
			tx->phase = TX_ENDED;
			tx->calls = 0;
		}
		sweep(sender);
	}
	free(submit);
}
