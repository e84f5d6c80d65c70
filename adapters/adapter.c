#include "adapters/adapter.h"

#include "core/abi.h"
#include "core/reader.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/contract.h"

#include <string.h>

enum cs_err adapter_start(struct adapter *adapter, const struct adapter_cursor *cursor)
{
	return adapter->ops->start(adapter, cursor);
}

void adapter_free(struct adapter *adapter)
{
	if (adapter != NULL)
		adapter->ops->free(adapter);
}

enum cs_err adapter_headers(struct adapter *adapter, uint64_t from, size_t count,
			    adapter_headers_fn *done, void *ctx)
{
	return adapter->ops->headers(adapter, from, count, done, ctx);
}

enum cs_err adapter_receipt_proof(struct adapter *adapter, const struct adapter_block_id *block,
				  uint32_t tx_index, size_t claims_from,
				  adapter_receipt_proof_fn *done, void *ctx)
{
	return adapter->ops->receipt_proof(adapter, block, tx_index, claims_from, done, ctx);
}

enum cs_err adapter_account_proof(struct adapter *adapter, const struct adapter_block_id *block,
				  const struct cs_address *address, const struct cs_hash *slots,
				  size_t count, adapter_account_proof_fn *done, void *ctx)
{
	return adapter->ops->account_proof(adapter, block, address, slots, count, done, ctx);
}

enum cs_err adapter_call(struct adapter *adapter, const struct cs_address *from,
			 const struct cs_address *to, struct cs_bytes data, adapter_call_fn *done,
			 void *ctx)
{
	return adapter->ops->call(adapter, from, to, data, done, ctx);
}

enum cs_err adapter_rehearse(struct adapter *adapter, const struct cs_address *from,
			     const struct cs_address *to, const struct cs_hash *value,
			     struct cs_bytes data, adapter_call_fn *done, void *ctx)
{
	return adapter->ops->rehearse(adapter, from, to, value, data, done, ctx);
}

enum cs_err adapter_estimate(struct adapter *adapter, const struct cs_address *from,
			     const struct cs_address *to, struct cs_bytes data,
			     adapter_gas_fn *done, void *ctx)
{
	return adapter->ops->estimate(adapter, from, to, data, done, ctx);
}

enum cs_err adapter_fees(struct adapter *adapter, adapter_fees_fn *done, void *ctx)
{
	return adapter->ops->fees(adapter, done, ctx);
}

enum cs_err adapter_account(struct adapter *adapter, const struct cs_address *address,
			    adapter_account_fn *done, void *ctx)
{
	return adapter->ops->account(adapter, address, done, ctx);
}

enum cs_err adapter_statuses(struct adapter *adapter, const struct cs_hash *source,
			     const uint64_t *sequences, size_t count, adapter_statuses_fn *done,
			     void *ctx)
{
	return adapter->ops->statuses(adapter, source, sequences, count, done, ctx);
}

enum cs_err adapter_rescan(struct adapter *adapter, uint64_t from, uint64_t to,
			   adapter_done_fn *done, void *ctx)
{
	return adapter->ops->rescan(adapter, from, to, done, ctx);
}

void adapter_final(struct adapter *adapter, const struct adapter_block_id *block)
{
	adapter->ops->final(adapter, block);
}

enum cs_err adapter_submit(struct adapter *adapter, struct adapter_tx **tx,
			   const struct adapter_submission *submission)
{
	return adapter->ops->submit(adapter, tx, submission);
}

void adapter_tx_signed(struct adapter *adapter, struct adapter_tx *tx, struct cs_bytes raw,
		       const struct cs_hash *hash)
{
	adapter->ops->tx_signed(tx, raw, hash);
}

void adapter_tx_refused(struct adapter *adapter, struct adapter_tx *tx, enum cs_err err,
			const char *why)
{
	adapter->ops->tx_refused(tx, err, why);
}

enum cs_err adapter_tx_cancel(struct adapter *adapter, struct adapter_tx *tx)
{
	return adapter->ops->tx_cancel(tx);
}

enum cs_err adapter_tx_raise(struct adapter *adapter, struct adapter_tx *tx)
{
	return adapter->ops->tx_raise ? adapter->ops->tx_raise(tx) : CS_ERR_UNSUPPORTED;
}

enum cs_err adapter_send_raw(struct adapter *adapter, struct cs_bytes raw, adapter_done_fn *done,
			     void *ctx)
{
	return adapter->ops->send_raw(adapter, raw, done, ctx);
}

enum cs_err adapter_read_transaction(struct adapter *adapter, struct adapter_transaction *out,
				     const struct cs_sig *sig, struct cs_bytes raw,
				     struct cs_why *why)
{
	if (adapter->ops->read_transaction == NULL)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "this chain's are not taken");
	enum cs_err err = adapter->ops->read_transaction(adapter, out, sig, raw, why);
	return err == CS_OK || why->text[0] != 0 ? err
						 : cs_fail(why, err, "%s", cs_err_sentence(err));
}

enum cs_err adapter_receipt(struct adapter *adapter, const struct cs_hash *hash,
			    adapter_receipt_fn *done, void *ctx)
{
	return adapter->ops->receipt(adapter, hash, done, ctx);
}

bool adapter_hash_at(struct adapter *adapter, uint64_t height, struct cs_hash *hash)
{
	return adapter->ops->hash_at(adapter, height, hash);
}

size_t adapter_others(struct adapter *adapter, struct adapter_header others[ADAPTER_OTHERS_MAX])
{
	return adapter->ops->others != NULL ? adapter->ops->others(adapter, others) : 0;
}

enum cs_err adapter_hand_evidence(struct adapter *adapter, size_t endpoint, struct cs_bytes bytes,
				  adapter_done_fn *done, void *ctx)
{
	return adapter->ops->hand_evidence != NULL
		       ? adapter->ops->hand_evidence(adapter, endpoint, bytes, done, ctx)
		       : CS_ERR_UNSUPPORTED;
}

enum cs_err adapter_accept_reorg(struct adapter *adapter, const struct cs_hash *new_hash)
{
	return adapter->ops->accept_reorg != NULL ? adapter->ops->accept_reorg(adapter, new_hash)
						  : CS_ERR_NOT_FOUND;
}

size_t adapter_endpoints(struct adapter *adapter, struct adapter_endpoint *endpoints,
			 size_t count_max)
{
	return adapter->ops->endpoints(adapter, endpoints, count_max);
}

uint64_t adapter_proven_height(const struct adapter *adapter, uint64_t height)
{
	return adapter != NULL && height > adapter->ops->state_lag
		       ? height - adapter->ops->state_lag
		       : 0;
}

bool adapter_has_allowances(const struct adapter *adapter)
{
	return adapter->ops->has_allowances;
}

void adapter_put_balance_of(const struct adapter *adapter, struct cs_buf *data,
			    struct cs_address *to, const struct cs_address *token,
			    const struct cs_address *account)
{
	struct cs_abi abi;

	if (adapter->ops->has_allowances) {
		*to = *token;
		cs_abi_call(&abi, data, "balanceOf(address)");
	} else {
		*to = ledger_contract_address(LEDGER_ASSETS_NUMBER);
		cs_abi_call(&abi, data, "balanceOf(address,address)");
		cs_abi_put_address(&abi, token);
	}
	cs_abi_put_address(&abi, account);
}

bool adapter_proves_events(const struct adapter *adapter)
{
	return adapter->ops->proves_events;
}

enum cs_err adapter_sign(struct adapter *adapter, uint8_t **raw, size_t *raw_size,
			 struct cs_hash *hash, const struct cs_sig *sig,
			 const struct cs_secret *key, const struct adapter_signing *call,
			 const struct adapter_terms *terms)
{
	return adapter->ops->sign(adapter, raw, raw_size, hash, sig, key, call, terms);
}

void adapter_counters(struct adapter *adapter, struct adapter_counters *counters)
{
	adapter->ops->counters(adapter, counters);
}

enum cs_err adapter_cursor_encode(uint8_t *bytes, size_t size_max, size_t *size,
				  const struct adapter_cursor *cursor)
{
	struct cs_buf buf;

	if (cursor->count > ADAPTER_CURSOR_BLOCKS)
		return CS_ERR_TOO_LARGE;
	cs_buf_init(&buf, bytes, size_max);
	cs_put_u64(&buf, cursor->count);
	for (size_t i = 0; i < cursor->count; i++) {
		cs_put_u64(&buf, cursor->recent[i].height);
		cs_put_word(&buf, &cursor->recent[i].hash);
	}
	CS_TRY(cs_buf_end(&buf));
	*size = buf.n;
	return CS_OK;
}

enum cs_err adapter_cursor_decode(struct adapter_cursor *cursor, struct cs_bytes bytes)
{
	struct adapter_cursor out = {.count = 0};
	struct cs_reader reader;

	cs_reader_init(&reader, bytes);
	uint64_t count = cs_get_u64(&reader);
	if (count > ADAPTER_CURSOR_BLOCKS)
		return CS_ERR_TOO_LARGE;
	for (; out.count < count; out.count++) {
		struct adapter_block_id *id = &out.recent[out.count];

		id->height = cs_get_u64(&reader);
		cs_get_copy(&reader, id->hash.b, sizeof(id->hash.b));
		if (!reader.failed && out.count > 0 &&
		    id->height != out.recent[out.count - 1].height + 1)
			return CS_ERR_MALFORMED;
	}
	CS_TRY(cs_reader_end(&reader));
	*cursor = out;
	return CS_OK;
}

const char *adapter_tx_state_name(enum adapter_tx_state state)
{
	switch (state) {
	case ADAPTER_TX_QUEUED:
		return "queued";
	case ADAPTER_TX_SENT:
		return "sent";
	case ADAPTER_TX_INCLUDED:
		return "included";
	case ADAPTER_TX_SETTLED:
		return "settled";
	case ADAPTER_TX_UNINCLUDED:
		return "unincluded";
	case ADAPTER_TX_STUCK:
		return "stuck";
	case ADAPTER_TX_UNKNOWN:
		return "unknown";
	case ADAPTER_TX_FAILED:
		return "failed";
	}
	return "?";
}

const char *adapter_failure_name(enum adapter_failure failure)
{
	static const char *const names[] = {
		[ADAPTER_FAILURE_TIMEOUT] = "timeout",
		[ADAPTER_FAILURE_UNREACHABLE] = "unreachable",
		[ADAPTER_FAILURE_HTTP] = "http",
		[ADAPTER_FAILURE_LIMIT] = "limit",
		[ADAPTER_FAILURE_LIE] = "lie",
		[ADAPTER_FAILURE_NODE] = "node",
	};
	_Static_assert(CS_LEN(names) == ADAPTER_FAILURE_COUNT, "a name for each");

	return names[failure];
}

const char *adapter_endpoint_state_name(enum adapter_endpoint_state state)
{
	switch (state) {
	case ADAPTER_ENDPOINT_UNKNOWN:
		return "unknown";
	case ADAPTER_ENDPOINT_OK:
		return "ok";
	case ADAPTER_ENDPOINT_LAGGING:
		return "lagging";
	case ADAPTER_ENDPOINT_FAILING:
		return "failing";
	case ADAPTER_ENDPOINT_WRONG_CHAIN:
		return "wrong-chain";
	case ADAPTER_ENDPOINT_DIVERGED:
		return "diverged";
	}
	return "?";
}
