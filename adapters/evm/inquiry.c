/*~ What one node says about a transaction may be behind, or a lie: before a nonce counts as lost, and
 * before the outcome of what may not repeat counts as settled, every endpoint is asked for the
 * account's nonce and for the receipts of all attempts. One that knows better is enough to hold
 * back. */
#include "adapters/evm/submit_inner.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Heads between two inquiries about what is unknown: doubled up to this. */
#define UNKNOWN_PAUSE_MAX 64

struct inquiry {
	struct adapter_tx *tx;
	size_t open;
	size_t answered;
	size_t used;  /* say that its nonce was used */
	size_t below; /* say that a lower nonce was not */
	bool found;
	bool conflict;
	bool moves; /* in another block: the chain is changing, the next heads tell */
	struct adapter_tx_report report; /* what was found */
};

static void take_receipt(struct inquiry *inquiry, size_t attempt,
			 const struct adapter_rpc_reply *reply)
{
	struct adapter_tx_report report;

	if (reply->class != ADAPTER_RPC_FINE || json_is_null(reply->result))
		return;
	if (!evm_tx_read_receipt(&report, inquiry->tx, attempt, reply->result)) {
		adapter_rpc_lied(inquiry->tx->evm->rpc, reply->endpoint,
				 "a receipt of another transaction");
		return;
	}
	const struct adapter_tx_report *other = &inquiry->report;
	if (inquiry->found &&
	    (!cs_hash_eq(&other->hash, &report.hash) || other->succeeded != report.succeeded))
		inquiry->conflict = true;
	else if (inquiry->found && !cs_hash_eq(&other->block.hash, &report.block.hash))
		inquiry->moves = true;
	inquiry->found = true;
	inquiry->report = report;
}

static void unknown(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	bool told = tx->phase == TX_UNKNOWN;

	tx->phase = TX_UNKNOWN;
	tx->ask_pause =
		tx->ask_pause * 2 < UNKNOWN_PAUSE_MAX ? tx->ask_pause * 2 + 1 : UNKNOWN_PAUSE_MAX;
	tx->wait_height = evm_head_height(tx->evm) + tx->ask_pause;
	if (told)
		return;
	tx->evm->counters.txs_unknown++;
	evm_tx_report(tx, ADAPTER_TX_UNKNOWN, err, why);
}

void evm_tx_unknown(struct adapter_tx *tx, enum cs_err err, const char *why)
{
	tx->work = TX_IDLE;
	tx->ask_pause = 0;
	unknown(tx, err, why);
}

/* Nobody has a receipt. */
static void nothing_found(struct adapter_tx *tx, const struct inquiry *inquiry)
{
	bool all = inquiry->answered > 0 &&
		   (inquiry->used == inquiry->answered || inquiry->below == inquiry->answered);

	tx->foreign = 0;
	tx->orphaned = 0;
	if (tx->phase == TX_UNKNOWN)
		unknown(tx, CS_ERR_NONCE, "");
	else if (tx->phase == TX_SENT && all && tx->submission.may_repeat)
		evm_tx_renonce(tx);
	else if (tx->phase == TX_SENT && inquiry->answered > 0 &&
		 inquiry->used == inquiry->answered)
		evm_tx_unknown(tx, CS_ERR_NONCE,
			       "its nonce was used, and no endpoint says by what");
}

static void end(struct inquiry *inquiry)
{
	struct adapter_tx *tx = inquiry->tx;
	struct sender *sender = tx->sender;

	tx->calls--;
	if (tx->work == TX_ASKING)
		tx->work = TX_IDLE;
	if (tx->evm->ending || tx->phase == TX_ENDED) {
		free(inquiry);
		return;
	}
	if (inquiry->conflict) {
		tx->agreed = false;
		unknown(tx, CS_ERR_RPC_LIE, "the endpoints tell different outcomes");
	} else if (inquiry->moves && tx->phase == TX_INCLUDED) {
		tx->agreed = false;
	} else if (!inquiry->found) {
		nothing_found(tx, inquiry);
	} else if (tx->phase == TX_INCLUDED &&
		   cs_hash_eq(&tx->included.block.hash, &inquiry->report.block.hash) &&
		   tx->included.succeeded == inquiry->report.succeeded) {
		tx->agreed = true;
	} else {
		tx->included = inquiry->report;
		tx->agreed = true;
		evm_tx_include(tx);
	}
	free(inquiry);
	evm_sender_work(sender);
}

static void answered(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct inquiry *inquiry = ctx;
	const struct adapter_tx *tx = inquiry->tx;
	const struct adapter_endpoint *endpoint =
		adapter_rpc_endpoint(tx->evm->rpc, replies[0].endpoint);
	uint64_t nonce;

	for (size_t i = 1; i < count; i++)
		take_receipt(inquiry, i - 1, &replies[i]);
	/* one that is behind does not know the nonce yet */
	if (replies[0].class == ADAPTER_RPC_FINE && endpoint->state != ADAPTER_ENDPOINT_LAGGING &&
	    evm_json_u64(&nonce, replies[0].result) == CS_OK) {
		inquiry->answered++;
		inquiry->used += nonce > tx->terms.nonce;
		inquiry->below += nonce < tx->terms.nonce;
	}
	if (--inquiry->open == 0)
		end(inquiry);
}

void evm_tx_inquire(struct adapter_tx *tx)
{
	struct adapter_rpc *rpc = tx->evm->rpc;
	struct adapter_rpc_call calls[ADAPTER_TX_ATTEMPTS_MAX + 1];
	struct inquiry *inquiry = host_alloc(sizeof(*inquiry));

	*inquiry = (struct inquiry){.tx = tx};
	for (size_t i = 0; i < adapter_rpc_endpoint_count(rpc); i++) {
		struct adapter_rpc_options options = {.pin = i, .only_pin = true};

		calls[0] = (struct adapter_rpc_call){
			"eth_getTransactionCount",
			json_pack("[o,s]", evm_json_from_address(&tx->sender->address), "latest")};
		for (size_t j = 0; j < tx->attempt_count; j++)
			calls[j + 1] = (struct adapter_rpc_call){
				"eth_getTransactionReceipt",
				json_pack("[o]", host_json_hash(&tx->attempts[j].hash))};
		if (adapter_rpc_batch(rpc, &options, calls, tx->attempt_count + 1, answered,
				      inquiry) == CS_OK)
			inquiry->open++;
	}
	if (inquiry->open == 0) {
		free(inquiry);
		return;
	}
	tx->calls++;
	tx->work = TX_ASKING;
}
