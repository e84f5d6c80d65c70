/*~ One writer per account: transactions are priced, given a nonce, signed and sent one after the
 * other, so that a nonce is given away only when the one before it has reached a node, or may have.
 * What a node says is put into a class before anything is done about it: a fee is raised, a nonce
 * is resynchronised from the newest block, a revert ends it, a broken node is asked again with the
 * same bytes.
 *   A node that refuses may have sent on what it refused. What may not repeat therefore never ends as
 * failed once its bytes have left, and never gets a second nonce: of all that is signed under one
 * nonce at most one is executed. */
#include "adapters/evm/submit_inner.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Heads between two tries of what an empty account or a fee cap stops. */
#define STUCK_PAUSE_BLOCKS 5
#define CANCEL_GAS 21000

static void sign(struct adapter_tx *tx);
static void price(struct adapter_tx *tx);

uint64_t evm_head_height(const struct evm *evm)
{
	const struct evm_header *head = evm_watch_head(evm->watch);

	return head == NULL ? 0 : head->public.id.height;
}

static uint64_t cap_of(const struct adapter_tx *tx)
{
	uint64_t own = tx->submission.max_fee_cap_wei;
	uint64_t general = tx->evm->config.max_fee_cap_wei;

	return own != 0 && own < general ? own : general;
}

/* ---- reports ---- */

void evm_tx_report(struct adapter_tx *tx, enum adapter_tx_state state, enum cs_err err,
		   const char *why)
{
	struct adapter_tx_report report = {.nonce = tx->terms.nonce};

	if (state == ADAPTER_TX_INCLUDED || state == ADAPTER_TX_SETTLED ||
	    state == ADAPTER_TX_UNINCLUDED)
		report = tx->included;
	else if (tx->attempt_count > 0)
		report.hash = tx->attempts[tx->attempt_count - 1].hash;
	report.state = state;
	report.err = err;
	report.why = why;
	report.attempts = (unsigned)tx->attempt_count;
	tx->submission.report(tx->submission.ctx, tx, &report);
}

static void end(struct adapter_tx *tx)
{
	tx->phase = TX_ENDED;
	tx->work = TX_IDLE;
}

void evm_tx_fail(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	end(tx);
	evm_tx_report(tx, ADAPTER_TX_FAILED, err, why);
}

/* Not its turn any more. What has bytes is watched, for whoever refused them may have sent them on. */
static void step_back(struct adapter_tx *tx)
{
	if (tx->phase == TX_FRONT)
		tx->phase = tx->attempts_here > 0 ? TX_SENT : TX_WAITING;
}

/* Told once; it is tried again some heads later. */
static void stuck(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	tx->work = TX_IDLE;
	tx->wait_height = evm_head_height(tx->evm) + STUCK_PAUSE_BLOCKS;
	tx->stuck_err = err;
	step_back(tx);
	if (tx->stuck_told)
		return;
	tx->stuck_told = true;
	evm_tx_report(tx, ADAPTER_TX_STUCK, err, why);
}

void evm_sender_sweep(struct sender *sender)
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

/* The sender's next moves come in a later turn. */
static void wake(struct evm *evm)
{
	if (!evm->ending)
		host_timer_start(evm->submit->timer, 0, evm->config.block_time_ms);
}

/* ---- sending ---- */

static void taken(struct adapter_tx *tx)
{
	bool first = !tx->accepted;

	tx->work = TX_IDLE;
	tx->phase = TX_SENT;
	tx->accepted = true;
	if (tx->taken_ms == 0)
		tx->taken_ms = host_now_ms();
	tx->refusals = 0;
	tx->stuck_told = false;
	tx->sent_height = evm_head_height(tx->evm);
	if (!first)
		return;
	tx->evm->counters.txs_sent++;
	evm_tx_report(tx, ADAPTER_TX_SENT, CS_OK, "");
}

/* Nobody knows whether it arrived: it is followed, and sent again. */
static void uncertain(struct adapter_tx *tx)
{
	tx->work = TX_IDLE;
	tx->phase = TX_SENT;
	tx->sent_height = evm_head_height(tx->evm);
}

/* The offer did not suffice: the next one at once. */
static void underpriced(struct adapter_tx *tx)
{
	tx->work = TX_IDLE;
	tx->evm->submit->have_fees = false;
	evm_tx_replace(tx);
}

/* Of the first bytes of all. */
static void refused_for_good(struct adapter_tx *tx, const struct adapter_rpc_reply *reply)
{
	if (tx->submission.may_repeat)
		evm_tx_fail(tx, reply->err, reply->why);
	else if (++tx->refusals < adapter_rpc_endpoint_count(tx->evm->rpc))
		uncertain(tx); /* another endpoint may take it */
	else
		evm_tx_unknown(tx, reply->err, reply->why);
}

static void refused(struct adapter_tx *tx, const struct adapter_rpc_reply *reply)
{
	switch (reply->class) {
	case ADAPTER_RPC_FINE:
	case ADAPTER_RPC_KNOWN:
		taken(tx);
		return;
	case ADAPTER_RPC_FEE:
		underpriced(tx);
		return;
	case ADAPTER_RPC_NONCE:
		/* mined already, or somebody else's: the receipts tell (track.c) */
		tx->sender->synced = false;
		uncertain(tx);
		return;
	case ADAPTER_RPC_FUNDS:
		stuck(tx, CS_ERR_NO_FUNDS, reply->why);
		return;
	case ADAPTER_RPC_REVERT:
	case ADAPTER_RPC_INVALID:
		/* an older attempt may still be included */
		if (tx->accepted || tx->attempt_count > 1) {
			stuck(tx, reply->err, reply->why);
			tx->phase = TX_SENT;
		} else {
			refused_for_good(tx, reply);
		}
		return;
	case ADAPTER_RPC_GAP:
	case ADAPTER_RPC_NODE:
	case ADAPTER_RPC_LIMIT:
	case ADAPTER_RPC_RANGE:
	case ADAPTER_RPC_METHOD:
	case ADAPTER_RPC_STATE:
	case ADAPTER_RPC_LIE:
		uncertain(tx);
		return;
	}
}

static bool is_over(const struct adapter_tx *tx)
{
	return tx->phase == TX_INCLUDED || tx->phase == TX_UNKNOWN || tx->phase == TX_ENDED;
}

static void send_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct adapter_tx *tx = ctx;

	(void)count;
	tx->calls--;
	tx->endpoint = replies[0].endpoint;
	if (tx->evm->ending || tx->work != TX_SENDING)
		return;
	if (is_over(tx))
		tx->work = TX_IDLE; /* an attempt was included while this one was on its way */
	else
		refused(tx, &replies[0]);
	wake(tx->evm);
}

/* What one node has had for a while without effect goes to another one. */
static void send(struct adapter_tx *tx)
{
	struct adapter_rpc *rpc = tx->evm->rpc;
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY};
	json_t *params = json_array();

	if (tx->accepted || tx->refusals > 0)
		options.pin = adapter_rpc_other(rpc, tx->endpoint);
	json_array_append_new(params, host_json_hex(cs_bytes(tx->raw, tx->raw_size)));
	tx->work = TX_SENDING;
	tx->calls++;
	if (adapter_rpc_call(rpc, &options, "eth_sendRawTransaction", params, send_done, tx) ==
	    CS_OK)
		return;
	tx->calls--;
	uncertain(tx);
}

void evm_tx_resend(struct adapter_tx *tx)
{
	if (tx->work != TX_IDLE || tx->raw == NULL)
		return;
	tx->evm->counters.txs_resent++;
	send(tx);
}

/* ---- signing ---- */

static bool nonce_is_taken(const struct sender *sender, const struct adapter_tx *except,
			   uint64_t nonce)
{
	for (const struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next)
		if (tx != except && tx->has_nonce && tx->phase != TX_ENDED &&
		    tx->phase != TX_UNKNOWN && tx->terms.nonce == nonce)
			return true;
	return false;
}

/* The lowest one that none of ours has, or had by what a node that is behind does not know. */
static uint64_t free_nonce(const struct adapter_tx *tx)
{
	const struct sender *sender = tx->sender;
	uint64_t nonce = sender->nonce_latest > sender->nonce_floor ? sender->nonce_latest
								    : sender->nonce_floor;

	while (nonce_is_taken(tx->sender, tx, nonce))
		nonce++;
	return nonce;
}

static void sign(struct adapter_tx *tx)
{
	if (!tx->has_nonce) {
		tx->terms.nonce = free_nonce(tx);
		tx->has_nonce = true;
	}
	tx->terms.cancel = tx->cancel_wanted;
	tx->terms.gas_limit = tx->cancel_wanted ? CANCEL_GAS : tx->gas_limit;
	tx->terms.attempt = (unsigned)tx->attempt_count;
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
	evm_tx_fail(tx, tx->ending_err, tx->ending_why);
	wake(tx->evm);
}

static void stick_now(void *context, bool closing)
{
	struct adapter_tx *tx = context;

	tx->calls--;
	if (!closing && tx->work == TX_IDLE && !is_over(tx))
		stuck(tx, tx->ending_err, tx->ending_why);
}

static void tell_later(struct adapter_tx *tx, void (*run)(void *, bool), enum cs_err err,
		       const char *why)
{
	tx->ending_err = err;
	snprintf(tx->ending_why, sizeof(tx->ending_why), "%.119s", why);
	tx->calls++;
	adapter_later_add(tx->evm->later, run, tx);
}

void evm_tx_signed(struct adapter_tx *tx, struct cs_bytes raw, const struct cs_hash *hash)
{
	cs_assert(tx->work == TX_SIGNING && raw.n > 0);
	cs_assert(tx->attempt_count < ADAPTER_TX_ATTEMPTS_MAX);
	tx->work = TX_IDLE;
	if (tx->cancel_wanted && tx->attempt_count == 0 && !tx->terms.cancel) {
		end(tx); /* the bytes never leave */
		tell_later(tx, fail_now, CS_ERR_CLOSED, "cancelled before it was sent");
		return;
	}
	if (tx->attempts_here > 0)
		tx->evm->counters.txs_replaced++;
	tx->attempts[tx->attempt_count++] = (struct attempt){tx->terms, *hash};
	tx->attempts_here++;
	free(tx->raw);
	tx->raw = host_copy(raw);
	tx->raw_size = raw.n;
	if (!is_over(tx))
		send(tx);
}

void evm_tx_refused(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	cs_assert(tx->work == TX_SIGNING);
	tx->work = TX_IDLE;
	if (tx->attempts_here == 0)
		tx->has_nonce = false;
	else
		tx->terms = tx->attempts[tx->attempt_count - 1].terms;
	if (tx->attempt_count > 0 || err == CS_ERR_POLICY_FEE) {
		tx->wait_height = evm_head_height(tx->evm) + STUCK_PAUSE_BLOCKS;
		step_back(tx);
		tell_later(tx, stick_now, err, why);
	} else {
		end(tx);
		tell_later(tx, fail_now, err, why);
	}
}

/* ---- pricing ---- */

static void apply_fees(struct adapter_tx *tx, const struct adapter_fees *fees)
{
	struct adapter_terms terms = tx->terms;
	bool again = tx->attempts_here > 0;
	enum cs_err err = again ? evm_terms_bump(&terms, fees, cap_of(tx))
				: evm_terms_first(&terms, fees, cap_of(tx));

	if (err != CS_OK) {
		stuck(tx, err, "the fee cap is below what the chain asks for");
		return;
	}
	tx->terms = terms;
	sign(tx);
}

static void fees_done(void *ctx, enum cs_err err, const char *why, const struct adapter_fees *fees)
{
	struct adapter_tx *tx = ctx;
	struct evm_submit *submit = tx->evm->submit;

	(void)why;
	tx->calls--;
	if (tx->evm->ending || tx->work != TX_PRICING)
		return;
	if (err != CS_OK || is_over(tx)) {
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
	struct evm_submit *submit = tx->evm->submit;

	tx->work = TX_PRICING;
	if (submit->have_fees && host_now_ms() - submit->fees_ms < tx->evm->config.block_time_ms) {
		apply_fees(tx, &submit->fees);
		return;
	}
	tx->calls++;
	if (evm_fees(&tx->evm->base, fees_done, tx) == CS_OK)
		return;
	tx->calls--;
	tx->work = TX_IDLE;
	step_back(tx);
}

static void gas_done(void *ctx, enum cs_err err, const char *why, uint64_t gas)
{
	struct adapter_tx *tx = ctx;
	unsigned margin = tx->evm->config.gas_margin_percent;

	tx->calls--;
	if (tx->evm->ending || tx->work != TX_ESTIMATING)
		return;
	tx->work = TX_IDLE;
	if (err == CS_ERR_REVERTED || err == CS_ERR_INVALID) {
		evm_tx_fail(tx, err, why);
		wake(tx->evm);
	} else if (err == CS_ERR_NO_FUNDS) {
		stuck(tx, err, why);
	} else if (err != CS_OK || gas == 0 || gas > UINT32_MAX) {
		tx->phase = TX_WAITING;
	} else {
		tx->gas_limit = gas + gas * margin / 100;
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
	tx->work = TX_ESTIMATING;
	tx->calls++;
	if (evm_estimate(&tx->evm->base, &submission->from, &submission->to, submission->data,
			 gas_done, tx) == CS_OK)
		return;
	tx->calls--;
	tx->work = TX_IDLE;
	tx->phase = TX_WAITING;
}

void evm_tx_replace(struct adapter_tx *tx)
{
	if (tx->work != TX_IDLE)
		return;
	/* the last one is kept for a cancellation */
	if (tx->attempt_count + (tx->cancel_wanted ? 0 : 1) >= ADAPTER_TX_ATTEMPTS_MAX)
		stuck(tx, CS_ERR_FULL, "the last attempt was made");
	else
		price(tx);
}

void evm_tx_renonce(struct adapter_tx *tx)
{
	tx->evm->counters.nonces_resynced++;
	tx->has_nonce = false;
	tx->attempts_here = 0;
	tx->accepted = false;
	tx->foreign = 0;
	tx->orphaned = 0;
	tx->phase = TX_WAITING;
	if (tx->cancel_wanted || tx->attempt_count == ADAPTER_TX_ATTEMPTS_MAX)
		evm_tx_fail(tx, CS_ERR_NONCE, "another transaction took its nonce");
}

/* ---- the account ---- */

static void sync_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct sender *sender = ctx;
	uint64_t nonce;

	(void)count;
	sender->calls--;
	sender->syncing = false;
	if (sender->evm->ending || replies[0].class != ADAPTER_RPC_FINE ||
	    evm_json_u64(&nonce, replies[0].result) != CS_OK || nonce > INT64_MAX)
		return;
	sender->nonce_latest = nonce;
	sender->synced = true;
	sender->synced_ms = host_now_ms();
	evm_sender_work(sender);
}

static void sync(struct sender *sender)
{
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY,
					      .height_min = evm_head_height(sender->evm)};
	json_t *params = json_pack("[o,s]", evm_json_from_address(&sender->address), "latest");

	if (sender->syncing) {
		json_decref(params);
		return;
	}
	sender->syncing = true;
	sender->calls++;
	if (adapter_rpc_call(sender->evm->rpc, &options, "eth_getTransactionCount", params,
			     sync_done, sender) == CS_OK)
		return;
	sender->calls--;
	sender->syncing = false;
}

/* The next one whose turn it is, urgent ones first, when nobody has the turn and there is room. */
static struct adapter_tx *next_front(struct sender *sender)
{
	uint64_t height = evm_head_height(sender->evm);
	struct adapter_tx *next = NULL;
	unsigned in_flight = 0;

	for (struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next) {
		if (tx->phase == TX_FRONT)
			return NULL;
		in_flight += tx->phase == TX_SENT;
		if (tx->phase == TX_WAITING && tx->wait_height <= height &&
		    (next == NULL || (tx->submission.is_urgent && !next->submission.is_urgent)))
			next = tx;
	}
	return in_flight < sender->evm->config.in_flight_max ? next : NULL;
}

void evm_sender_work(struct sender *sender)
{
	if (!sender->used || evm_watch_head(sender->evm->watch) == NULL)
		return;
	evm_sender_sweep(sender);
	struct adapter_tx *tx = next_front(sender);
	if (tx == NULL)
		return;
	if (sender->synced &&
	    host_now_ms() - sender->synced_ms <= sender->evm->config.block_time_ms)
		begin(tx);
	else
		sync(sender);
}

static void on_timer(void *ctx)
{
	struct evm_submit *submit = ctx;

	for (size_t i = 0; i < EVM_SENDERS_MAX; i++)
		evm_sender_work(&submit->senders[i]);
}

uint64_t evm_submit_waits_ms(const struct evm_submit *submit)
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

void evm_submit_saw_head(struct evm_submit *submit)
{
	submit->have_fees = false;
	for (size_t i = 0; i < EVM_SENDERS_MAX; i++)
		if (submit->senders[i].used)
			evm_sender_track(&submit->senders[i]);
}

void evm_submit_saw_reorg(struct evm_submit *submit)
{
	for (size_t i = 0; i < EVM_SENDERS_MAX; i++)
		submit->senders[i].nonce_floor = 0;
}

static struct sender *sender_of(struct evm_submit *submit, const struct cs_address *address)
{
	struct sender *empty = NULL;

	for (size_t i = 0; i < EVM_SENDERS_MAX; i++) {
		struct sender *sender = &submit->senders[i];

		if (sender->used && cs_address_eq(&sender->address, address))
			return sender;
		if (!sender->used && empty == NULL)
			empty = sender;
	}
	if (empty != NULL)
		*empty = (struct sender){.evm = submit->evm, .address = *address, .used = true};
	return empty;
}

static enum cs_err load_resume(struct adapter_tx *tx, const struct adapter_tx_resume *resume)
{
	if (resume->count == 0 || resume->count > ADAPTER_TX_ATTEMPTS_MAX || resume->raw.n == 0)
		return CS_ERR_INVALID;
	tx->terms = resume->terms;
	tx->has_nonce = true;
	tx->phase = TX_SENT;
	tx->gas_limit = tx->gas_limit > 0 ? tx->gas_limit : resume->terms.gas_limit;
	tx->raw = host_copy(resume->raw);
	tx->raw_size = resume->raw.n;
	for (size_t i = 0; i < resume->count; i++) {
		tx->attempts[i] = (struct attempt){resume->terms, resume->hashes[i]};
		tx->attempts[i].terms.cancel = resume->cancels[i];
	}
	tx->attempt_count = tx->attempts_here = resume->count;
	tx->cancel_wanted = resume->cancels[resume->count - 1];
	return CS_OK;
}

enum cs_err evm_submit_add(struct adapter *adapter, struct adapter_tx **out,
			   const struct adapter_submission *submission)
{
	struct evm *evm = evm_of(adapter);
	struct sender *sender = sender_of(evm->submit, &submission->from);
	struct adapter_tx **last;

	if (sender == NULL || sender->tx_count >= EVM_SENDER_TXS_MAX)
		return CS_ERR_FULL;
	struct adapter_tx *tx = host_alloc(sizeof(*tx));
	*tx = (struct adapter_tx){.evm = evm, .sender = sender, .submission = *submission};
	tx->gas_limit = submission->gas_limit;
	tx->submission.resume = NULL;
	enum cs_err err = submission->resume == NULL ? CS_OK : load_resume(tx, submission->resume);
	if (err != CS_OK) {
		free(tx);
		return err;
	}
	tx->data = host_copy(submission->data);
	tx->submission.data = cs_bytes(tx->data, submission->data.n);
	for (last = &sender->txs; *last != NULL; last = &(*last)->next)
		;
	*last = tx;
	sender->tx_count++;
	*out = tx;
	wake(evm);
	return CS_OK;
}

enum cs_err evm_tx_cancel(struct adapter_tx *tx)
{
	if (is_over(tx))
		return CS_ERR_CONFLICT;
	tx->cancel_wanted = true;
	/* Nothing of it is in a pool, or what is does no harm: its account cannot pay, and nobody took it here. What
	 * is refused for another reason may have an attempt of an earlier process in a pool. */
	bool harmless = tx->stuck_told && tx->stuck_err == CS_ERR_NO_FUNDS && tx->taken_ms == 0 &&
			tx->submission.may_repeat;
	if ((tx->attempts_here == 0 || harmless) && tx->work != TX_SIGNING) {
		end(tx);
		tell_later(tx, fail_now, CS_ERR_CLOSED, "cancelled before it was sent");
	}
	return CS_OK;
}

static void raise_now(void *context, bool closing)
{
	struct adapter_tx *tx = context;

	tx->calls--;
	if (!closing && !is_over(tx))
		evm_tx_replace(tx);
}

enum cs_err evm_tx_raise(struct adapter_tx *tx)
{
	const struct adapter_fees nothing = {0};
	struct adapter_terms terms = tx->terms;

	if (is_over(tx) || tx->attempts_here == 0 || tx->cancel_wanted)
		return CS_ERR_CONFLICT;
	if (tx->work != TX_IDLE || tx->attempt_count + 1 >= ADAPTER_TX_ATTEMPTS_MAX)
		return CS_ERR_FULL;
	CS_TRY(evm_terms_bump(&terms, &nothing, cap_of(tx)));
	tx->calls++;
	adapter_later_add(tx->evm->later, raise_now, tx);
	return CS_OK;
}

struct evm_submit *evm_submit_new(struct evm *evm)
{
	struct evm_submit *submit = host_alloc(sizeof(*submit));

	submit->evm = evm;
	submit->timer = host_timer_new(evm->loop, on_timer, submit);
	return submit;
}

void evm_submit_free(struct evm_submit *submit)
{
	if (submit == NULL)
		return;
	host_timer_free(submit->timer);
	for (size_t i = 0; i < EVM_SENDERS_MAX; i++) {
		struct sender *sender = &submit->senders[i];

		for (struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next) {
			tx->phase = TX_ENDED;
			tx->calls = 0;
		}
		evm_sender_sweep(sender);
	}
	free(submit);
}
