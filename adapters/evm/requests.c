#include "adapters/evm/contract_error.h"
#include "adapters/evm/inner.h"
#include "core/hash.h"
#include "host/alloc.h"
#include "wire/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *sentence(enum cs_err err)
{
	return err == CS_OK ? "" : cs_err_sentence(err);
}

/* ---- calls ---- */

struct call {
	adapter_call_fn *call_done;
	adapter_gas_fn *gas_done;
	void *ctx;
};

static void call_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct call *request = ctx;
	const struct adapter_rpc_reply *reply = &replies[0];
	const json_t *json = reply->class == ADAPTER_RPC_FINE ? reply->result : reply->data;
	size_t size = evm_json_bytes_size(json);
	uint8_t *memory = host_alloc(size + 1);
	enum cs_err err = reply->err;
	struct cs_buf buf;

	(void)count;
	cs_buf_init(&buf, memory, size);
	if (json_is_string(json) && evm_json_bytes(&buf, json) != CS_OK) {
		err = err == CS_OK ? CS_ERR_RPC_LIE : err;
		buf.n = 0;
	} else if (err == CS_OK && !json_is_string(json)) {
		err = CS_ERR_RPC_LIE;
	}
	request->call_done(request->ctx, err, err == CS_ERR_RPC_LIE ? "no bytes" : reply->why,
			   cs_bytes(memory, buf.n));
	free(memory);
	free(request);
}

/* What the contract said, in words: of an error of its own, nodes tell a selector at best. False:
 * nothing is there to be named. */
static bool name_revert(char text[ADAPTER_CONTRACT_ERROR_MAX], const json_t *data)
{
	struct cs_buf buf;

	if (!json_is_string(data))
		return false;
	size_t size = evm_json_bytes_size(data);
	uint8_t *memory = host_alloc(size + 1);
	cs_buf_init(&buf, memory, size);
	bool named = evm_json_bytes(&buf, data) == CS_OK && buf.n >= 4;
	if (named)
		(void)adapter_contract_refusal(text, cs_buf_view(&buf));
	free(memory);
	return named;
}

static void gas_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct call *request = ctx;
	enum cs_err err = replies[0].err;
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	const char *why = replies[0].why;
	uint64_t gas = 0;

	(void)count;
	if (err == CS_OK && evm_json_u64(&gas, replies[0].result) != CS_OK)
		err = CS_ERR_RPC_LIE;
	if (err == CS_ERR_REVERTED && name_revert(text, replies[0].data))
		why = text;
	request->gas_done(request->ctx, err, why, gas);
	free(request);
}

static json_t *call_params(const struct cs_address *from, const struct cs_address *to,
			   struct cs_bytes data)
{
	json_t *call = json_object();
	json_t *params = json_array();

	if (from != NULL)
		json_object_set_new(call, "from", evm_json_from_address(from));
	json_object_set_new(call, "to", evm_json_from_address(to));
	json_object_set_new(call, "data", host_json_hex(data));
	json_array_append_new(params, call);
	json_array_append_new(params, json_string("latest"));
	return params;
}

static enum cs_err call(struct evm *evm, const char *method, json_t *params,
			const struct call *init, adapter_rpc_done *done)
{
	struct call *request = host_alloc(sizeof(*request));

	*request = *init;
	enum cs_err err =
		adapter_rpc_call(evm->rpc, ADAPTER_RPC_READ, method, params, done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

enum cs_err evm_call(struct adapter *adapter, const struct cs_address *from,
		     const struct cs_address *to, struct cs_bytes data, adapter_call_fn *done,
		     void *ctx)
{
	return call(evm_of(adapter), "eth_call", call_params(from, to, data),
		    &(struct call){.call_done = done, .ctx = ctx}, call_done);
}

/* As a quantity: without leading zeros. */
static json_t *quantity(const struct cs_hash *word)
{
	char hex[2 * sizeof(word->b) + 1];
	char text[sizeof(hex) + 2];

	cs_hex(hex, CS_BYTES_OF(word->b));
	size_t zeros = strspn(hex, "0");
	if (zeros == sizeof(hex) - 1)
		zeros--;
	snprintf(text, sizeof(text), "0x%s", hex + zeros);
	return json_string(text);
}

enum cs_err evm_rehearse(struct adapter *adapter, const struct cs_address *from,
			 const struct cs_address *to, const struct cs_hash *value,
			 struct cs_bytes data, adapter_call_fn *done, void *ctx)
{
	json_t *params = call_params(from, to, data);

	json_object_set_new(json_array_get(params, 0), "value", quantity(value));
	return call(evm_of(adapter), "eth_call", params,
		    &(struct call){.call_done = done, .ctx = ctx}, call_done);
}

enum cs_err evm_estimate(struct adapter *adapter, const struct cs_address *from,
			 const struct cs_address *to, struct cs_bytes data, adapter_gas_fn *done,
			 void *ctx)
{
	json_t *params = call_params(from, to, data);

	json_array_remove(params, 1); /* old nodes take no block here */
	return call(evm_of(adapter), "eth_estimateGas", params,
		    &(struct call){.gas_done = done, .ctx = ctx}, gas_done);
}

/* ---- fees ---- */

struct fees {
	struct evm *evm;
	adapter_fees_fn *done;
	void *ctx;
	bool legacy;
	uint64_t base_fee_wei;
};

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void fees_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct fees *request = ctx;
	const struct adapter_evm_config *config = &request->evm->config;
	struct adapter_fees fees = {.base_fee_wei = request->base_fee_wei,
				    .legacy = request->legacy};
	enum cs_err err = replies[0].err;
	uint64_t price = 0;

	(void)count;
	if (err == CS_OK && evm_json_u64(&price, replies[0].result) != CS_OK)
		err = CS_ERR_RPC_LIE;
	if (err == CS_ERR_UNSUPPORTED && !request->legacy) {
		price = config->min_priority_fee_wei;
		err = CS_OK;
	}
	if (request->legacy) {
		fees.max_fee_wei = price;
	} else {
		fees.max_priority_fee_wei =
			price > config->min_priority_fee_wei ? price : config->min_priority_fee_wei;
		/* the base fee may rise by an eighth a block: twice is six full blocks */
		fees.max_fee_wei = add_capped(add_capped(fees.base_fee_wei, fees.base_fee_wei),
					      fees.max_priority_fee_wei);
	}
	request->done(request->ctx, err, replies[0].why, err == CS_OK ? &fees : NULL);
	free(request);
}

enum cs_err evm_fees(struct adapter *adapter, adapter_fees_fn *done, void *ctx)
{
	struct evm *evm = evm_of(adapter);
	const struct evm_header *head = evm_watch_head(evm->watch);

	if (head == NULL)
		return CS_ERR_UNAVAILABLE;
	struct fees *request = host_alloc(sizeof(*request));
	*request = (struct fees){
		.evm = evm, .done = done, .ctx = ctx, .base_fee_wei = head->base_fee_wei};
	request->legacy = !head->has_base_fee || evm->config.force_legacy;
	enum cs_err err =
		adapter_rpc_call(evm->rpc, ADAPTER_RPC_DEFAULT,
				 request->legacy ? "eth_gasPrice" : "eth_maxPriorityFeePerGas",
				 NULL, fees_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

/* ---- accounts ---- */

struct account {
	adapter_account_fn *done;
	void *ctx;
};

static enum cs_err read_account(struct adapter_account *account,
				const struct adapter_rpc_reply *replies)
{
	for (size_t i = 0; i < 3; i++)
		if (replies[i].class != ADAPTER_RPC_FINE)
			return replies[i].err;
	size_t size = evm_json_bytes_size(replies[1].result);
	uint8_t *memory = host_alloc(size + 1);
	struct cs_buf code;
	cs_buf_init(&code, memory, size);
	enum cs_err err = evm_json_bytes(&code, replies[1].result);
	account->code_hash = cs_keccak256(cs_buf_view(&code));
	account->has_code = code.n > 0;
	free(memory);
	if (err != CS_OK || evm_json_word(&account->balance, replies[0].result) != CS_OK ||
	    evm_json_u64(&account->nonce, replies[2].result) != CS_OK)
		return CS_ERR_RPC_LIE;
	return CS_OK;
}

static void account_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct account *request = ctx;
	struct adapter_account account;
	enum cs_err err = read_account(&account, replies);

	(void)count;
	request->done(request->ctx, err, sentence(err), err == CS_OK ? &account : NULL);
	free(request);
}

enum cs_err evm_account(struct adapter *adapter, const struct cs_address *address,
			adapter_account_fn *done, void *ctx)
{
	static const char *const methods[] = {"eth_getBalance", "eth_getCode",
					      "eth_getTransactionCount"};
	struct account *request = host_alloc(sizeof(*request));
	struct adapter_rpc_call calls[CS_LEN(methods)];

	*request = (struct account){done, ctx};
	for (size_t i = 0; i < CS_LEN(methods); i++)
		calls[i] = (struct adapter_rpc_call){
			methods[i], json_pack("[o,s]", evm_json_from_address(address), "latest")};
	enum cs_err err = adapter_rpc_batch(evm_of(adapter)->rpc, ADAPTER_RPC_READ, calls,
					    CS_LEN(calls), account_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

/* ---- statuses ---- */

struct statuses {
	adapter_statuses_fn *done;
	void *ctx;
	size_t count;
	struct {
		uint64_t sequence;
		size_t call; /* of the word that holds it */
	} of[];
};

static void statuses_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct statuses *request = ctx;
	uint8_t statuses[ADAPTER_STATUSES_MAX];
	struct cs_hash words[ADAPTER_STATUSES_MAX];
	enum cs_err err = CS_OK;

	for (size_t i = 0; i < count && err == CS_OK; i++) {
		err = replies[i].err;
		if (err == CS_OK && evm_json_word(&words[i], replies[i].result) != CS_OK)
			err = CS_ERR_RPC_LIE;
	}
	for (size_t i = 0; i < request->count && err == CS_OK; i++)
		statuses[i] = (uint8_t)wire_evm_status(&words[request->of[i].call],
						       request->of[i].sequence);
	request->done(request->ctx, err, sentence(err), err == CS_OK ? statuses : NULL,
		      err == CS_OK ? request->count : 0);
	free(request);
}

/* Which of the words holds it; a new one when none does. */
static size_t word_of(struct cs_hash *slots, size_t *slot_count, const struct cs_hash *source,
		      uint64_t sequence)
{
	struct cs_hash slot = wire_evm_status_slot(source, sequence);

	for (size_t i = *slot_count; i-- > 0;)
		if (cs_hash_eq(&slots[i], &slot))
			return i;
	slots[*slot_count] = slot;
	return (*slot_count)++;
}

enum cs_err evm_statuses(struct adapter *adapter, const struct cs_hash *source,
			 const uint64_t *sequences, size_t count, adapter_statuses_fn *done,
			 void *ctx)
{
	struct evm *evm = evm_of(adapter);
	struct adapter_rpc_call calls[ADAPTER_STATUSES_MAX];
	struct cs_hash slots[ADAPTER_STATUSES_MAX];
	size_t slot_count = 0;

	if (count == 0 || count > ADAPTER_STATUSES_MAX)
		return CS_ERR_INVALID;
	if (evm->contracts.list[0].kind != EVM_CONTRACT_GATEWAY)
		return CS_ERR_UNSUPPORTED;
	struct statuses *request = host_alloc(sizeof(*request) + count * sizeof(request->of[0]));
	*request = (struct statuses){.done = done, .ctx = ctx, .count = count};
	for (size_t i = 0; i < count; i++) {
		request->of[i].sequence = sequences[i];
		request->of[i].call = word_of(slots, &slot_count, source, sequences[i]);
	}
	for (size_t i = 0; i < slot_count; i++)
		calls[i] = (struct adapter_rpc_call){
			"eth_getStorageAt",
			json_pack("[o,o,s]", evm_json_from_address(&evm->config.gateway),
				  host_json_hash(&slots[i]), "latest")};
	enum cs_err err = adapter_rpc_batch(evm->rpc, ADAPTER_RPC_READ, calls, slot_count,
					    statuses_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

/* ---- somebody else's transaction ---- */

struct raw {
	adapter_done_fn *done;
	void *ctx;
};

static void raw_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct raw *request = ctx;
	enum cs_err err = replies[0].class == ADAPTER_RPC_KNOWN ? CS_OK : replies[0].err;

	(void)count;
	request->done(request->ctx, err, err == CS_OK ? "" : replies[0].why);
	free(request);
}

enum cs_err evm_send_raw(struct adapter *adapter, struct cs_bytes raw, adapter_done_fn *done,
			 void *ctx)
{
	struct raw *request = host_alloc(sizeof(*request));

	*request = (struct raw){done, ctx};
	enum cs_err err = adapter_rpc_call(evm_of(adapter)->rpc, ADAPTER_RPC_DEFAULT,
					   "eth_sendRawTransaction",
					   json_pack("[o]", host_json_hex(raw)), raw_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

struct receipt {
	struct cs_hash hash;
	adapter_receipt_fn *done;
	void *ctx;
};

static enum cs_err read_receipt(struct adapter_receipt *receipt, const struct cs_hash *wanted,
				const json_t *json)
{
	struct cs_hash hash;
	uint64_t status;

	if (evm_json_hash(&hash, json_object_get(json, "transactionHash")) != CS_OK ||
	    !cs_hash_eq(&hash, wanted) ||
	    evm_json_u64(&status, json_object_get(json, "status")) != CS_OK || status > 1 ||
	    evm_json_u64(&receipt->height, json_object_get(json, "blockNumber")) != CS_OK ||
	    receipt->height > INT64_MAX)
		return CS_ERR_RPC_LIE;
	receipt->succeeded = status == 1;
	return CS_OK;
}

static void receipt_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct receipt *request = ctx;
	struct adapter_receipt receipt = {0};
	enum cs_err err = replies[0].err;
	bool found = err == CS_OK && !json_is_null(replies[0].result);

	(void)count;
	if (found)
		err = read_receipt(&receipt, &request->hash, replies[0].result);
	request->done(request->ctx, err, sentence(err), found && err == CS_OK ? &receipt : NULL);
	free(request);
}

enum cs_err evm_receipt(struct adapter *adapter, const struct cs_hash *hash,
			adapter_receipt_fn *done, void *ctx)
{
	struct receipt *request = host_alloc(sizeof(*request));

	*request = (struct receipt){*hash, done, ctx};
	enum cs_err err = adapter_rpc_call(
		evm_of(adapter)->rpc, ADAPTER_RPC_DEFAULT, "eth_getTransactionReceipt",
		json_pack("[o]", host_json_hash(hash)), receipt_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}
