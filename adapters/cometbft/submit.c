/*~ One writer per account: transactions are simulated, priced, given a sequence, signed and sent one
 * after the other. What becomes of them the blocks themselves tell: the watcher reports every one with
 * its transactions, so that "not included so far" is a fact and not a node's word. Each attempt has an
 * end (valid until): once a block of a later time is reported without it, it can never happen, and
 * another attempt may be signed, whatever nodes did with the first one. So nothing ends as unknown,
 * and what may not repeat never does. */
#include "adapters/cometbft/inner.h"
#include "adapters/evm/contract_error.h"
#include "host/alloc.h"
#include "relay_state/ledger/tx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENDERS_MAX 8
/* Open transactions of one account, waiting ones included. */
#define SENDER_TXS_MAX 512
/* Heads between two tries of what an empty account or a fee cap stops. */
#define STUCK_PAUSE_BLOCKS 5
/* A simulation says what is used. The gateway asks besides that what a message promises its recipient
 * is at hand before it calls it (`minGasLimit`; routes rarely allow more than 2,000,000), and 1/64 of it
 * stays behind. What is not used is given back. */
#define RECIPIENT_GAS 2500000u
/* Heads that see the sequence used by something else before the transaction counts as overtaken: a
 * node may be a block ahead of what was reported. */
#define SURE_HEADS 2

enum code {
#define LEDGER_CODE(code, number, name, sentence) CODE_##code = (number),
#include "relay_state/ledger/codes.def"
#undef LEDGER_CODE
	CODE_TAKEN = 32 /* from here on the sequence and the fee counted */
};

enum phase { TX_WAITING, TX_FRONT, TX_SENT, TX_INCLUDED, TX_ENDED };
enum work { TX_IDLE, TX_SIMULATING, TX_PRICING, TX_SIGNING, TX_SENDING };

struct sender;

struct adapter_tx {
	struct comet *comet;
	struct sender *sender;
	struct adapter_tx *next;
	struct adapter_submission submission;
	uint8_t *data;
	enum phase phase;
	enum work work;
	bool has_nonce;
	bool cancel_wanted;
	bool accepted; /* a node took the newest attempt */
	bool stuck_told;
	unsigned overtaken; /* heads that saw its sequence used */
	uint64_t gas_limit;
	struct adapter_terms terms;
	struct cs_hash hashes[ADAPTER_TX_ATTEMPTS_MAX];
	size_t attempt_count;
	uint8_t *raw;
	size_t raw_size;
	uint64_t sent_height;
	size_t endpoint;
	uint64_t wait_height;
	struct adapter_tx_report included;
	enum cs_err refused; /* for good, by a node: what it ends with when it has expired */
	char why[120];
	unsigned calls;
};

struct sender {
	struct comet *comet;
	struct cs_address address;
	bool used;
	bool synced;
	bool syncing;
	uint64_t sequence;       /* the account's next, as a node says */
	uint64_t sequence_floor; /* above what of ours was included */
	uint64_t synced_ms;
	struct adapter_tx *txs; /* in the order of submission */
	size_t tx_count;
	unsigned calls;
};

struct comet_submit {
	struct comet *comet;
	struct host_timer *timer;
	struct sender senders[SENDERS_MAX];
	bool have_fees;
	uint64_t fees_ms;
	struct adapter_fees fees;
};

static void sender_work(struct sender *sender);
static void sync(struct sender *sender);
static void price(struct adapter_tx *tx);

static uint64_t head_height(const struct comet *comet)
{
	const struct comet_header *head = comet_watch_head(comet->watch);

	return head == NULL ? 0 : head->public.id.height;
}

static uint64_t cap_of(const struct adapter_tx *tx)
{
	uint64_t own = tx->submission.max_fee_cap_wei;
	uint64_t general = tx->comet->config.max_fee_cap_wei;

	return own != 0 && own < general ? own : general;
}

/* ---- reports ---- */

static void report(struct adapter_tx *tx, enum adapter_tx_state state, enum cs_err err,
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

static void fail(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	tx->phase = TX_ENDED;
	tx->work = TX_IDLE;
	report(tx, ADAPTER_TX_FAILED, err, why);
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
	tx->wait_height = head_height(tx->comet) + STUCK_PAUSE_BLOCKS;
	step_back(tx);
	if (tx->stuck_told)
		return;
	tx->stuck_told = true;
	report(tx, ADAPTER_TX_STUCK, err, why);
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

/* The sender's next moves come in a later turn. */
static void wake(struct comet *comet)
{
	if (!comet->ending)
		host_timer_start(comet->submit->timer, 0, comet->config.block_time_ms);
}

static bool is_over(const struct adapter_tx *tx)
{
	return tx->phase == TX_INCLUDED || tx->phase == TX_ENDED;
}

/* ---- sending ---- */

static void sent(struct adapter_tx *tx)
{
	tx->work = TX_IDLE;
	tx->phase = TX_SENT;
	tx->sent_height = head_height(tx->comet);
}

static void taken(struct adapter_tx *tx)
{
	bool first = !tx->accepted;

	sent(tx);
	tx->accepted = true;
	tx->stuck_told = false;
	tx->refused = CS_ERR_OK;
	if (!first)
		return;
	tx->comet->counters.txs_sent++;
	report(tx, ADAPTER_TX_SENT, CS_OK, "");
}

/* No honest node takes these bytes. Whoever refused them may have sent them on: they end when they have
 * expired, unless another execution would do no harm. */
static void refused_for_good(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	if (tx->submission.may_repeat && tx->attempt_count == 1) {
		fail(tx, err, why);
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
	if (is_over(tx))
		tx->work = TX_IDLE; /* it was included while this was on its way */
	else if (replies[0].class == ADAPTER_RPC_KNOWN)
		taken(tx);
	else if (replies[0].class == ADAPTER_RPC_FINE && json_is_integer(code))
		answered(tx, (uint32_t)json_integer_value(code));
	else
		sent(tx); /* nobody knows whether it arrived: followed, and sent again */
	wake(tx->comet);
}

/* What one node has had for a while without effect goes to another one. */
static void send(struct adapter_tx *tx)
{
	struct adapter_rpc *rpc = tx->comet->rpc;
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY};
	json_t *params =
		json_pack("{s:o}", "tx", comet_json_from_base64(cs_bytes(tx->raw, tx->raw_size)));

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
	const struct comet_header *head = comet_watch_head(tx->comet->watch);

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
	fail(tx, tx->refused, tx->why);
	wake(tx->comet);
}

static void stick_now(void *context, bool closing)
{
	struct adapter_tx *tx = context;
	enum cs_err err = tx->refused;

	tx->calls--;
	tx->refused = CS_ERR_OK;
	if (!closing && tx->work == TX_IDLE && !is_over(tx))
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
	if (!is_over(tx))
		send(tx);
}

void comet_tx_refused(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	cs_assert(tx->work == TX_SIGNING);
	tx->work = TX_IDLE;
	tx->has_nonce = false;
	if (is_over(tx))
		return;
	tx->phase = TX_WAITING;
	if (tx->attempt_count > 0 || err == CS_ERR_POLICY_FEE) {
		tx->wait_height = head_height(tx->comet) + STUCK_PAUSE_BLOCKS;
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
		fail(tx, err, why);
		wake(tx->comet);
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

static void sync(struct sender *sender)
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

/* The next one whose turn it is, when nobody has the turn and there is room. */
static struct adapter_tx *next_front(struct sender *sender)
{
	uint64_t height = head_height(sender->comet);
	struct adapter_tx *next = NULL;
	unsigned in_flight = 0;

	for (struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next) {
		if (tx->phase == TX_FRONT)
			return NULL;
		in_flight += tx->phase == TX_SENT;
		if (tx->phase == TX_WAITING && next == NULL && tx->wait_height <= height &&
		    tx->calls == 0)
			next = tx;
	}
	return in_flight < sender->comet->config.in_flight_max ? next : NULL;
}

static void sender_work(struct sender *sender)
{
	if (!sender->used || comet_watch_head(sender->comet->watch) == NULL)
		return;
	sweep(sender);
	struct adapter_tx *tx = next_front(sender);
	if (tx == NULL)
		return;
	if (sender->synced &&
	    host_now_ms() - sender->synced_ms <= sender->comet->config.block_time_ms)
		begin(tx);
	else
		sync(sender);
}

static void on_timer(void *ctx)
{
	struct comet_submit *submit = ctx;

	for (size_t i = 0; i < SENDERS_MAX; i++)
		sender_work(&submit->senders[i]);
}

/* ---- what blocks tell ---- */

static void include(struct adapter_tx *tx, size_t attempt, const struct comet_header *header,
		    const struct comet_tx *found)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX] = "";

	tx->included = (struct adapter_tx_report){
		.nonce = tx->terms.nonce,
		.hash = tx->hashes[attempt],
		.succeeded = found->code == CODE_OK,
		.block = header->public.id,
		.time_s = header->public.time_s,
		.gas_used = found->gas_used,
		.gas_price_wei = tx->terms.max_fee_wei,
	};
	if (tx->terms.nonce + 1 > tx->sender->sequence_floor)
		tx->sender->sequence_floor = tx->terms.nonce + 1;
	tx->phase = TX_INCLUDED;
	if (found->code == CODE_REVERTED && found->data_size >= 4)
		(void)adapter_contract_refusal(text, cs_bytes(found->data, found->data_size));
	else if (found->code != CODE_OK)
		snprintf(text, sizeof(text), "%s", comet_code_sentence(found->code));
	report(tx, ADAPTER_TX_INCLUDED, CS_OK, text);
}

static void look_for(struct adapter_tx *tx, const struct comet_header *header,
		     const struct comet_content *content)
{
	for (size_t i = 0; i < content->tx_count; i++) {
		const struct comet_tx *found = &content->txs[i];

		/* One that was not taken changed nothing, and may be in a later block. */
		if (found->code != CODE_OK && found->code < CODE_TAKEN)
			continue;
		for (size_t k = 0; k < tx->attempt_count; k++)
			if (cs_hash_eq(&tx->hashes[k], &found->hash)) {
				include(tx, k, header, found);
				return;
			}
	}
}

void comet_submit_saw_block(struct comet_submit *submit, const struct comet_header *header,
			    const struct comet_content *content)
{
	for (size_t i = 0; i < SENDERS_MAX; i++)
		for (struct adapter_tx *tx = submit->senders[i].txs; tx != NULL; tx = tx->next)
			if (tx->attempt_count > 0 && !is_over(tx))
				look_for(tx, header, content);
}

/* No block takes any of its attempts any more: it begins anew. */
static void renew(struct adapter_tx *tx)
{
	tx->has_nonce = false;
	tx->accepted = false;
	tx->overtaken = 0;
	tx->phase = TX_WAITING;
	if (tx->cancel_wanted)
		fail(tx, CS_ERR_CLOSED, "cancelled, and expired without effect");
	else if (tx->refused != CS_ERR_OK)
		fail(tx, tx->refused, tx->why);
	else if (tx->attempt_count == ADAPTER_TX_ATTEMPTS_MAX)
		fail(tx, CS_ERR_TIMEOUT, "its last attempt expired");
}

static void settle(struct adapter_tx *tx)
{
	/* who was asked for a signature will answer: it must find the transaction */
	if (tx->work == TX_SIGNING ||
	    head_height(tx->comet) < tx->included.block.height + tx->comet->config.settle_blocks)
		return;
	tx->phase = TX_ENDED;
	report(tx, ADAPTER_TX_SETTLED, CS_OK, "");
}

static void follow(struct adapter_tx *tx, const struct comet_header *head)
{
	uint64_t height = head->public.id.height;

	if (tx->phase == TX_INCLUDED)
		settle(tx);
	if (tx->phase != TX_SENT || tx->work != TX_IDLE)
		return;
	if (tx->sent_height == 0)
		tx->sent_height = height; /* resumed: its patience begins now */
	if (head->public.time_s > tx->terms.valid_until_s && tx->terms.valid_until_s != 0) {
		renew(tx);
		return;
	}
	bool used = tx->sender->synced && tx->terms.nonce < tx->sender->sequence;
	tx->overtaken = used ? tx->overtaken + 1 : 0;
	if (tx->overtaken > SURE_HEADS && tx->submission.may_repeat) {
		tx->comet->counters.nonces_resynced++;
		renew(tx);
		return;
	}
	unsigned patience = tx->accepted ? tx->comet->config.resend_blocks : 1;
	if (height >= tx->sent_height + patience && tx->wait_height <= height &&
	    tx->refused == CS_ERR_OK) {
		tx->comet->counters.txs_resent++;
		send(tx);
	}
}

void comet_submit_saw_head(struct comet_submit *submit)
{
	const struct comet_header *head = comet_watch_head(submit->comet->watch);

	submit->have_fees = false;
	for (size_t i = 0; i < SENDERS_MAX; i++) {
		struct sender *sender = &submit->senders[i];
		bool waits = false;

		for (struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next) {
			follow(tx, head);
			waits = waits || (tx->phase == TX_SENT &&
					  head->public.id.height > tx->sent_height + SURE_HEADS);
		}
		if (waits)
			sync(sender);
	}
	wake(submit->comet);
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
	wake(comet);
	return CS_OK;
}

enum cs_err comet_tx_cancel(struct adapter_tx *tx)
{
	if (is_over(tx))
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
