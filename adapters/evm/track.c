/*~ At every head the receipts of what was sent are asked for, together with the account's nonce. A
 * transaction whose nonce was used without a receipt of ours may have lost it to another writer; one
 * below whose nonce there is a hole waits for nothing: about both every endpoint is asked (inquiry.c).
 * One that no node knows is sent again; the first in line that waits too long is replaced. */
#include "adapters/evm/submit_inner.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Heads that must agree before a nonce counts as lost: a node may know its count before its
 * receipts. */
#define SURE_HEADS 2
/* Heads that a transaction may miss before a node is asked whether it still has it: the answer
 * holds all of its bytes. */
#define POOL_HEADS 2

struct question {
	struct adapter_tx *tx;
	size_t attempt;
	bool pool; /* eth_getTransactionByHash of the newest attempt */
};

struct round {
	struct sender *sender;
	struct question *questions; /* of replies 1.. */
	size_t count;
};

static void round_free(struct round *round)
{
	for (size_t i = 0; i < round->count; i++)
		round->questions[i].tx->calls--;
	free(round->questions);
	free(round);
}

/* ---- included ---- */

bool evm_tx_read_receipt(struct adapter_tx_report *out, const struct adapter_tx *tx, size_t attempt,
			 const json_t *json)
{
	struct adapter_tx_report report = {.nonce = tx->attempts[attempt].terms.nonce};
	struct cs_hash price;
	uint64_t status;

	report.cancelled = tx->attempts[attempt].terms.cancel;
	if (evm_json_hash(&report.hash, json_object_get(json, "transactionHash")) != CS_OK ||
	    !cs_hash_eq(&report.hash, &tx->attempts[attempt].hash) ||
	    evm_json_hash(&report.block.hash, json_object_get(json, "blockHash")) != CS_OK ||
	    evm_json_u64(&report.block.height, json_object_get(json, "blockNumber")) != CS_OK ||
	    evm_json_u64(&report.gas_used, json_object_get(json, "gasUsed")) != CS_OK ||
	    evm_json_u64(&status, json_object_get(json, "status")) != CS_OK ||
	    report.block.height > INT64_MAX || report.gas_used > INT64_MAX)
		return false;
	if (evm_json_word(&price, json_object_get(json, "effectiveGasPrice")) == CS_OK)
		report.gas_price_wei = cs_be64(price.b + 24) & INT64_MAX;
	report.succeeded = status == 1;
	const struct evm_header *head = evm_watch_head(tx->evm->watch);
	const struct evm_header *header = evm_watch_header(tx->evm->watch, report.block.height);
	if (header == NULL && head != NULL && cs_hash_eq(&head->public.id.hash, &report.block.hash))
		header = head;
	report.time_s = header == NULL ? 0 : header->public.time_s;
	*out = report;
	return true;
}

void evm_tx_include(struct adapter_tx *tx)
{
	uint64_t above = tx->included.nonce + 1;

	if (above > tx->sender->nonce_floor)
		tx->sender->nonce_floor = above;
	tx->phase = TX_INCLUDED;
	tx->stuck_told = false;
	tx->foreign = 0;
	tx->orphaned = 0;
	evm_tx_report(tx, ADAPTER_TX_INCLUDED, CS_OK, "");
}

/* An included one: is its block still there, and deep enough? */
static void settle(struct adapter_tx *tx)
{
	struct evm *evm = tx->evm;
	const struct adapter_block_id *block = &tx->included.block;
	struct cs_hash known;

	if (block->height >= evm_watch_low(evm->watch)) {
		if (!evm_watch_hash(evm->watch, block->height, &known))
			return; /* not reported yet, or withdrawn: the next heads tell */
		if (!cs_hash_eq(&known, &block->hash)) {
			tx->phase = TX_SENT;
			tx->agreed = false;
			evm_tx_report(tx, ADAPTER_TX_UNINCLUDED, CS_ERR_REORGED,
				      "its block is gone");
			evm_tx_resend(tx);
			return;
		}
	}
	/* who was asked for a signature will answer: it must find the transaction */
	if (tx->work == TX_SIGNING ||
	    evm_watch_next(evm->watch) <= block->height + evm->config.settle_blocks)
		return;
	if (!tx->submission.may_repeat && !tx->agreed && adapter_rpc_endpoint_count(evm->rpc) > 1) {
		if (tx->work == TX_IDLE)
			evm_tx_inquire(tx); /* the next head settles it */
		return;
	}
	tx->phase = TX_ENDED;
	evm_tx_report(tx, ADAPTER_TX_SETTLED, CS_OK, "");
}

/* ---- not included ---- */

static bool below_is_ours(const struct sender *sender, const struct adapter_tx *self)
{
	for (const struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next)
		if (tx != self && tx->has_nonce && tx->phase != TX_ENDED &&
		    tx->phase != TX_UNKNOWN && tx->terms.nonce == sender->nonce_latest)
			return true;
	return false;
}

static bool is_lowest(const struct sender *sender, const struct adapter_tx *self)
{
	for (const struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next)
		if (tx != self && tx->has_nonce && tx->phase == TX_SENT &&
		    tx->terms.nonce < self->terms.nonce)
			return false;
	return true;
}

/* Nothing of ours will fill it, so the first in line may move down into it. */
static bool has_hole_below(struct adapter_tx *tx)
{
	struct sender *sender = tx->sender;
	bool hole = tx->terms.nonce > sender->nonce_latest && !below_is_ours(sender, tx) &&
		    is_lowest(sender, tx);

	if (!hole)
		tx->orphaned = 0;
	return hole;
}

/* What may not repeat keeps its nonce: it waits until something else fills the hole. */
static void tell_hole(struct adapter_tx *tx)
{
	if (tx->stuck_told)
		return;
	tx->stuck_told = true;
	evm_tx_report(tx, ADAPTER_TX_STUCK, CS_ERR_NONCE,
		      "a lower nonce of the account was not used");
}

static void pending(struct adapter_tx *tx, bool in_pool)
{
	struct sender *sender = tx->sender;
	uint64_t height = evm_head_height(tx->evm);

	if (tx->work != TX_IDLE)
		return;
	if (tx->sent_height == 0)
		tx->sent_height = height; /* resumed: its patience begins now */
	if (tx->terms.nonce < sender->nonce_latest) {
		if (++tx->foreign >= SURE_HEADS)
			evm_tx_inquire(tx);
		return;
	}
	tx->foreign = 0;
	if (has_hole_below(tx) && ++tx->orphaned >= SURE_HEADS) {
		if (tx->submission.may_repeat) {
			evm_tx_inquire(tx);
			return;
		}
		tell_hole(tx);
	}
	if (tx->cancel_wanted && !tx->attempts[tx->attempt_count - 1].terms.cancel &&
	    tx->wait_height <= height) {
		evm_tx_replace(tx);
		return;
	}
	if (!in_pool) {
		if (tx->wait_height <= height)
			evm_tx_resend(tx);
		return;
	}
	bool first = tx->terms.nonce == sender->nonce_latest;
	if (first && height >= tx->sent_height + tx->evm->config.replace_blocks &&
	    tx->wait_height <= height)
		evm_tx_replace(tx);
}

/* ---- a round ---- */

static void take(struct adapter_tx *tx, const struct round *round,
		 const struct adapter_rpc_reply *replies, bool *asked)
{
	bool in_pool = true;

	for (size_t i = 0; i < round->count; i++) {
		const struct question *question = &round->questions[i];

		if (question->tx != tx)
			continue;
		if (replies[i].class != ADAPTER_RPC_FINE)
			return; /* no news is no news */
		*asked = true;
		if (question->pool) {
			in_pool = !json_is_null(replies[i].result);
		} else if (!json_is_null(replies[i].result)) {
			if (evm_tx_read_receipt(&tx->included, tx, question->attempt,
						replies[i].result))
				evm_tx_include(tx);
			else
				adapter_rpc_lied(tx->evm->rpc, replies[i].endpoint,
						 "a receipt of another transaction");
			return;
		}
	}
	if (*asked)
		pending(tx, in_pool);
}

static void round_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct round *round = ctx;
	struct sender *sender = round->sender;
	uint64_t nonce;

	(void)count;
	sender->calls--;
	sender->tracking = false;
	bool again = sender->track_again;
	sender->track_again = false;
	if (!sender->evm->ending && replies[0].class == ADAPTER_RPC_FINE &&
	    evm_json_u64(&nonce, replies[0].result) == CS_OK && nonce <= INT64_MAX) {
		sender->nonce_latest = nonce;
		sender->synced = true;
		sender->synced_ms = host_now_ms();
		for (struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next) {
			bool asked = false;

			if (tx->phase == TX_SENT)
				take(tx, round, replies + 1, &asked);
			if (tx->phase == TX_INCLUDED)
				settle(tx);
			if (tx->phase == TX_UNKNOWN && tx->work == TX_IDLE &&
			    tx->wait_height <= evm_head_height(tx->evm))
				evm_tx_inquire(tx);
		}
	}
	round_free(round);
	if (sender->evm->ending)
		return;
	if (again)
		evm_sender_track(sender);
	else
		evm_sender_work(sender);
}

static void add_question(struct round *round, struct adapter_tx *tx, size_t attempt, bool pool)
{
	round->questions[round->count++] = (struct question){tx, attempt, pool};
	tx->calls++;
}

static struct round *collect(struct sender *sender)
{
	struct round *round = host_alloc(sizeof(*round));
	size_t room = EVM_IN_FLIGHT_MAX * 2 * (ADAPTER_TX_ATTEMPTS_MAX + 1);

	round->sender = sender;
	round->questions = host_calloc(room, sizeof(*round->questions));
	for (struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next) {
		if (tx->phase != TX_SENT || tx->attempt_count == 0 ||
		    round->count + ADAPTER_TX_ATTEMPTS_MAX + 1 > room)
			continue;
		for (size_t i = tx->attempt_count; i-- > 0;)
			add_question(round, tx, i, false);
		if (evm_head_height(sender->evm) >= tx->sent_height + POOL_HEADS)
			add_question(round, tx, tx->attempt_count - 1, true);
	}
	return round;
}

void evm_sender_track(struct sender *sender)
{
	struct evm *evm = sender->evm;
	bool open = false;

	for (const struct adapter_tx *tx = sender->txs; tx != NULL; tx = tx->next)
		open = open || tx->phase == TX_SENT || tx->phase == TX_INCLUDED ||
		       tx->phase == TX_UNKNOWN;
	if (!open || sender->tracking) {
		sender->track_again = sender->tracking;
		evm_sender_work(sender);
		return;
	}
	struct round *round = collect(sender);
	struct adapter_rpc_call *calls = host_calloc(round->count + 1, sizeof(*calls));
	calls[0] = (struct adapter_rpc_call){
		"eth_getTransactionCount",
		json_pack("[o,s]", evm_json_from_address(&sender->address), "latest")};
	for (size_t i = 0; i < round->count; i++) {
		const struct question *question = &round->questions[i];

		calls[i + 1] = (struct adapter_rpc_call){
			question->pool ? "eth_getTransactionByHash" : "eth_getTransactionReceipt",
			json_pack("[o]",
				  host_json_hash(&question->tx->attempts[question->attempt].hash))};
	}
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY,
					      .height_min = evm_head_height(evm)};
	sender->tracking = true;
	sender->calls++;
	enum cs_err err =
		adapter_rpc_batch(evm->rpc, &options, calls, round->count + 1, round_done, round);
	free(calls);
	if (err == CS_OK)
		return;
	sender->calls--;
	sender->tracking = false;
	round_free(round);
}
