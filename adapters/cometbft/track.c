#include "adapters/cometbft/submit_inner.h"
#include "adapters/evm/contract_error.h"

#include <stdio.h>

/* Heads that see the sequence used by something else before the transaction counts as overtaken: a
 * node may be a block ahead of what was reported. */
#define SURE_HEADS 2

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
	comet_tx_report(tx, ADAPTER_TX_INCLUDED, CS_OK, text);
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
			if (tx->attempt_count > 0 && !comet_tx_is_over(tx))
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
		comet_tx_fail(tx, CS_ERR_CLOSED, "cancelled, and expired without effect");
	else if (tx->refused != CS_ERR_OK)
		comet_tx_fail(tx, tx->refused, tx->why);
	else if (tx->attempt_count == ADAPTER_TX_ATTEMPTS_MAX)
		comet_tx_fail(tx, CS_ERR_TIMEOUT, "its last attempt expired");
}

static void settle(struct adapter_tx *tx)
{
	/* who was asked for a signature will answer: it must find the transaction */
	if (tx->work == TX_SIGNING ||
	    comet_head_height(tx->comet) <
		    tx->included.block.height + tx->comet->config.settle_blocks)
		return;
	tx->phase = TX_ENDED;
	comet_tx_report(tx, ADAPTER_TX_SETTLED, CS_OK, "");
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
		comet_tx_send(tx);
	}
}

void comet_submit_saw_head(struct comet_submit *submit)
{
	const struct comet_header *head = comet_watch_done(submit->comet->watch);

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
			comet_sender_sync(sender);
	}
	comet_submit_wake(submit->comet);
}
