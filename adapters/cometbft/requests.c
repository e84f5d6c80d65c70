#include "adapters/cometbft/inner.h"
#include "adapters/evm/contract_error.h"
#include "host/alloc.h"
#include "host/cometbft_text.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/contract.h"
#include "relay_state/ledger/tx.h"
#include "wire/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- light blocks ---- */

enum cs_err comet_headers(struct adapter *adapter, uint64_t from, size_t count,
			  adapter_headers_fn *done, void *ctx)
{
	struct comet *comet = comet_of(adapter);
	const struct comet_header *head = comet_watch_head(comet->watch);

	if (count == 0 || count > ADAPTER_HEADERS_MAX)
		return CS_ERR_INVALID;
	if (head == NULL || from > head->public.id.height)
		return CS_ERR_NOT_FOUND;
	if (from == 0)
		return CS_ERR_INVALID;
	uint64_t left = head->public.id.height - from + 1;
	return comet_light_blocks(&comet->nodes, from, left < count ? (size_t)left : count, done,
				  ctx);
}

/* ---- calls ---- */

struct call {
	adapter_call_fn *call_done;
	adapter_gas_fn *gas_done;
	void *ctx;
};

/* err of an answer, with the application's code. */
static enum cs_err err_of(const struct comet_answer *answer)
{
	return answer->err != CS_OK || answer->code == 0 ? answer->err
							 : comet_code_err(answer->code);
}

static void call_done(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct call *request = ctx;

	(void)count;
	request->call_done(request->ctx, err_of(&answers[0]), answers[0].why, answers[0].value);
	free(request);
}

enum cs_err comet_call(struct adapter *adapter, const struct cs_address *from,
		       const struct cs_address *to, struct cs_bytes data, adapter_call_fn *done,
		       void *ctx)
{
	const struct cs_address sender = from != NULL ? *from : (struct cs_address){{0}};
	size_t size = 2 * sizeof(to->b) + data.n;
	uint8_t *memory = host_alloc(size);
	struct call *request = host_alloc(sizeof(*request));
	struct cs_buf buf;

	cs_buf_init(&buf, memory, size);
	cs_put(&buf, CS_BYTES_OF(sender.b));
	cs_put(&buf, CS_BYTES_OF(to->b));
	cs_put(&buf, data);
	*request = (struct call){.call_done = done, .ctx = ctx};
	enum cs_err err =
		comet_query(&comet_of(adapter)->nodes, ADAPTER_RPC_DEFAULT,
			    &(struct comet_query){.path = "/call", .data = cs_buf_view(&buf)}, 1,
			    call_done, request);
	free(memory);
	if (err != CS_OK)
		free(request);
	return err;
}

/* gas (8) and what the call returned or reverted with. */
static void rehearse_done(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct call *request = ctx;
	struct cs_bytes value = answers[0].value;
	enum cs_err err = err_of(&answers[0]);

	(void)count;
	if (err == CS_OK && value.n < 8)
		err = CS_ERR_RPC_LIE;
	request->call_done(request->ctx, err, answers[0].why,
			   value.n >= 8 ? cs_bytes(value.p + 8, value.n - 8) : CS_BYTES_NONE);
	free(request);
}

static void gas_done(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct call *request = ctx;
	struct cs_bytes value = answers[0].value;
	enum cs_err err = err_of(&answers[0]);
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	const char *why = answers[0].why;

	(void)count;
	if (err == CS_OK && value.n < 8)
		err = CS_ERR_RPC_LIE;
	if (err == CS_ERR_REVERTED && value.n >= 8 + 4) {
		(void)adapter_contract_refusal(text, cs_bytes(value.p + 8, value.n - 8));
		why = text;
	}
	request->gas_done(request->ctx, err, why, err == CS_OK ? cs_be64(value.p) : 0);
	free(request);
}

static enum cs_err simulate(struct comet *comet, const struct cs_address *from,
			    const struct ledger_tx_call *one, const struct call *init,
			    comet_query_done *done)
{
	struct ledger_tx *tx = host_alloc(sizeof(*tx));
	size_t size = one->input.n + 256;
	uint8_t *memory = host_alloc(size);
	struct call *request = host_alloc(sizeof(*request));
	struct cs_buf buf;

	*tx = (struct ledger_tx){.chain = comet->config.chain_tag, .gas_limit = 1, .call_count = 1};
	if (from != NULL)
		tx->sender = *from;
	tx->calls[0] = *one;
	cs_buf_init(&buf, memory, size);
	ledger_tx_encode_body(&buf, tx);
	*request = *init;
	enum cs_err err = cs_buf_end(&buf);
	if (err == CS_OK)
		err = comet_query(
			&comet->nodes, ADAPTER_RPC_DEFAULT,
			&(struct comet_query){.path = "/simulate", .data = cs_buf_view(&buf)}, 1,
			done, request);
	free(memory);
	free(tx);
	if (err != CS_OK)
		free(request);
	return err;
}

enum cs_err comet_rehearse(struct adapter *adapter, const struct cs_address *from,
			   const struct cs_address *to, const struct cs_hash *value,
			   struct cs_bytes data, adapter_call_fn *done, void *ctx)
{
	const struct ledger_tx_call one = {*to, cs_u256_from_word(value), data};

	return simulate(comet_of(adapter), from, &one,
			&(struct call){.call_done = done, .ctx = ctx}, rehearse_done);
}

enum cs_err comet_estimate(struct adapter *adapter, const struct cs_address *from,
			   const struct cs_address *to, struct cs_bytes data, adapter_gas_fn *done,
			   void *ctx)
{
	const struct ledger_tx_call one = {.to = *to, .input = data};

	return simulate(comet_of(adapter), from, &one, &(struct call){.gas_done = done, .ctx = ctx},
			gas_done);
}

/* ---- fees ---- */

/* Where the least price stands in the answer of /chain, and how long that is. */
#define CHAIN_PRICE_AT 48u
#define CHAIN_SIZE 72u

struct fees {
	adapter_fees_fn *done;
	void *ctx;
};

static void fees_done(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct fees *request = ctx;
	struct cs_bytes value = answers[0].value;
	enum cs_err err = err_of(&answers[0]);
	struct adapter_fees fees = {.legacy = false};

	(void)count;
	if (err == CS_OK && value.n != CHAIN_SIZE)
		err = CS_ERR_RPC_LIE;
	if (err == CS_OK && cs_be64(value.p + CHAIN_PRICE_AT) != 0)
		err = CS_ERR_OVERFLOW; /* more than anybody may offer here */
	if (err == CS_OK)
		fees.base_fee_wei = fees.max_fee_wei = cs_be64(value.p + CHAIN_PRICE_AT + 8);
	request->done(request->ctx, err, answers[0].why, err == CS_OK ? &fees : NULL);
	free(request);
}

enum cs_err comet_fees(struct adapter *adapter, adapter_fees_fn *done, void *ctx)
{
	struct fees *request = host_alloc(sizeof(*request));

	*request = (struct fees){done, ctx};
	enum cs_err err =
		comet_query(&comet_of(adapter)->nodes, ADAPTER_RPC_DEFAULT,
			    &(struct comet_query){.path = "/chain"}, 1, fees_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

/* ---- accounts ---- */

struct account {
	adapter_account_fn *done;
	void *ctx;
	bool is_contract;
};

static void account_done(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct account *request = ctx;
	enum cs_err err = err_of(&answers[0]);
	struct adapter_account out = {.code_hash = cs_keccak256(CS_BYTES_NONE),
				      .has_code = request->is_contract};

	(void)count;
	if (err == CS_OK && answers[0].value.n != LEDGER_ACCOUNT_SIZE)
		err = CS_ERR_RPC_LIE;
	if (err == CS_OK) {
		out.nonce = cs_be64(answers[0].value.p);
		memcpy(out.balance.b, answers[0].value.p + 8, sizeof(out.balance.b));
	}
	request->done(request->ctx, err, answers[0].why, err == CS_OK ? &out : NULL);
	free(request);
}

enum cs_err comet_account(struct adapter *adapter, const struct cs_address *address,
			  adapter_account_fn *done, void *ctx)
{
	struct account *request = host_alloc(sizeof(*request));
	struct cs_address built_in = ledger_contract_address(address->b[sizeof(address->b) - 1]);

	*request = (struct account){done, ctx, cs_address_eq(&built_in, address)};
	enum cs_err err = comet_query(
		&comet_of(adapter)->nodes, ADAPTER_RPC_DEFAULT,
		&(struct comet_query){.path = "/account", .data = CS_BYTES_OF(address->b)}, 1,
		account_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

/* ---- statuses ---- */

struct statuses {
	adapter_statuses_fn *done;
	void *ctx;
	size_t count;
	uint64_t sequences[];
};

static void statuses_done(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct statuses *request = ctx;
	uint8_t statuses[ADAPTER_STATUSES_MAX];
	enum cs_err err = CS_OK;
	const char *why = "";

	for (size_t i = 0; i < count && err == CS_OK; i++) {
		struct cs_hash word = {{0}};

		err = err_of(&answers[i]);
		why = answers[i].why;
		if (err == CS_OK && answers[i].value.n != 0 && answers[i].value.n != sizeof(word.b))
			err = CS_ERR_RPC_LIE;
		if (err != CS_OK)
			break;
		if (answers[i].value.n != 0)
			memcpy(word.b, answers[i].value.p, sizeof(word.b));
		statuses[i] = (uint8_t)wire_evm_status(&word, request->sequences[i]);
	}
	request->done(request->ctx, err, why, err == CS_OK ? statuses : NULL,
		      err == CS_OK ? count : 0);
	free(request);
}

enum cs_err comet_statuses(struct adapter *adapter, const struct cs_hash *source,
			   const uint64_t *sequences, size_t count, adapter_statuses_fn *done,
			   void *ctx)
{
	struct comet *comet = comet_of(adapter);
	struct comet_query queries[ADAPTER_STATUSES_MAX];
	uint8_t keys[ADAPTER_STATUSES_MAX][COMET_WORD_KEY_SIZE];

	if (count == 0 || count > ADAPTER_STATUSES_MAX)
		return CS_ERR_INVALID;
	struct statuses *request =
		host_alloc(sizeof(*request) + count * sizeof(request->sequences[0]));
	*request = (struct statuses){.done = done, .ctx = ctx, .count = count};
	for (size_t i = 0; i < count; i++) {
		struct cs_hash slot = wire_evm_status_slot(source, sequences[i]);

		request->sequences[i] = sequences[i];
		comet_word_key(keys[i], comet, &slot);
		queries[i] = (struct comet_query){.path = "/store", .data = CS_BYTES_OF(keys[i])};
	}
	enum cs_err err = comet_query(&comet->nodes, ADAPTER_RPC_DEFAULT, queries, count,
				      statuses_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

void comet_word_key(uint8_t key[COMET_WORD_KEY_SIZE], const struct comet *comet,
		    const struct cs_hash *slot)
{
	/* The contract's number is the last byte of its address; 's' begins the words. */
	key[0] = comet->config.gateway.b[sizeof(comet->config.gateway.b) - 1];
	key[1] = 's';
	memcpy(key + 2, slot->b, sizeof(slot->b));
}

/* ---- somebody else's transaction ---- */

enum cs_err comet_send_raw(struct adapter *adapter, struct cs_bytes raw, adapter_done_fn *done,
			   void *ctx)
{
	return comet_broadcast(&comet_of(adapter)->nodes, raw, done, ctx);
}

/* ---- where a transaction is ---- */

struct receipt {
	struct adapter_rpc *rpc;
	struct cs_hash hash;
	adapter_receipt_fn *done;
	void *ctx;
};

static enum cs_err read_receipt(struct adapter_receipt *receipt, const struct cs_hash *wanted,
				const json_t *json)
{
	const json_t *code = json_object_get(json_object_get(json, "tx_result"), "code");
	struct cs_hash hash;

	CS_TRY(comet_json_fixed(hash.b, sizeof(hash.b), json_object_get(json, "hash")));
	CS_TRY(comet_json_u64(&receipt->height, json_object_get(json, "height")));
	if (!cs_hash_eq(&hash, wanted) || receipt->height == 0 || receipt->height > INT64_MAX ||
	    !json_is_integer(code))
		return CS_ERR_RPC_LIE;
	receipt->succeeded = json_integer_value(code) == 0;
	return CS_OK;
}

/* A node that does not have it says so by an error: ADAPTER_RPC_STATE. */
static void receipt_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct receipt *request = ctx;
	struct adapter_receipt receipt = {0};
	bool found = replies[0].class == ADAPTER_RPC_FINE;
	enum cs_err err = replies[0].class == ADAPTER_RPC_STATE ? CS_OK : replies[0].err;
	const char *why = replies[0].why;

	(void)count;
	if (found && read_receipt(&receipt, &request->hash, replies[0].result) != CS_OK) {
		err = CS_ERR_RPC_LIE;
		why = "a transaction that does not read, or another one";
		adapter_rpc_lied(request->rpc, replies[0].endpoint, why);
	}
	request->done(request->ctx, err, why, found && err == CS_OK ? &receipt : NULL);
	free(request);
}

enum cs_err comet_receipt(struct adapter *adapter, const struct cs_hash *hash,
			  adapter_receipt_fn *done, void *ctx)
{
	struct adapter_rpc *rpc = comet_of(adapter)->nodes.rpc;
	struct receipt *request = host_alloc(sizeof(*request));

	*request = (struct receipt){rpc, *hash, done, ctx};
	enum cs_err err = adapter_rpc_call(
		rpc, ADAPTER_RPC_DEFAULT, "tx",
		json_pack("{s:o}", "hash", cometbft_json_base64(CS_BYTES_OF(hash->b))),
		receipt_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}
