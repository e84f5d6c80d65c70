/*~ The transactions of a block are those under its header's data hash. What they emitted is in no
 * hash: a log is what the node says, and becomes an event when its message id is that of its parts.
 * What counts in the end is state, which is proven. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"
#include "verify/cometbft/tx.h"

#include <stdlib.h>
#include <string.h>

struct fetch {
	struct comet *comet;
	comet_contents_done *done;
	void *ctx;
	size_t count;
	struct comet_header **headers;
	struct comet_content *contents;
};

/* ---- transactions ---- */

struct bytes_list {
	struct cs_bytes *items;
	size_t count;
};

static void list_clear(struct bytes_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((void *)(uintptr_t)list->items[i].p);
	free(list->items);
}

static enum cs_err read_txs(struct bytes_list *txs, const json_t *array)
{
	txs->items = host_calloc(json_array_size(array) + 1, sizeof(*txs->items));
	for (size_t i = 0; i < json_array_size(array); i++) {
		uint8_t *bytes = NULL;
		size_t size = 0;

		CS_TRY(comet_json_base64(&bytes, &size, json_array_get(array, i)));
		txs->items[txs->count++] = cs_bytes(bytes, size);
	}
	return CS_OK;
}

static enum cs_err take_txs(struct comet_content *content, const struct comet_header *header,
			    const json_t *block)
{
	const json_t *data = json_object_get(json_object_get(block, "block"), "data");
	struct bytes_list txs = {NULL, 0};
	enum cs_err err = read_txs(&txs, json_object_get(data, "txs"));

	if (err == CS_OK) {
		struct cs_hash hash = cmt_data_hash(txs.items, txs.count);
		if (!cs_hash_eq(&hash, &header->header.data_hash.hash))
			err = CS_ERR_WRONG_BLOCK;
	}
	if (err == CS_OK) {
		content->txs = host_calloc(txs.count + 1, sizeof(*content->txs));
		content->tx_count = txs.count;
		for (size_t i = 0; i < txs.count; i++)
			content->txs[i].hash = cs_sha256(txs.items[i]);
	}
	list_clear(&txs);
	return err;
}

/* ---- events ---- */

/* The value of an attribute of this name; NULL: none. */
static const json_t *attribute(const json_t *event, const char *name)
{
	const json_t *list = json_object_get(event, "attributes");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *key = json_string_value(json_object_get(one, "key"));

		if (key != NULL && strcmp(key, name) == 0)
			return json_object_get(one, "value");
	}
	return NULL;
}

static enum cs_err read_log(struct evm_log *log, uint8_t **data, const json_t *event)
{
	static const char *const topics[EVM_LOG_TOPICS_MAX] = {"topic0", "topic1", "topic2",
							       "topic3"};
	size_t size = 0;

	CS_TRY(comet_json_fixed(log->address.b, sizeof(log->address.b),
				attribute(event, "address")));
	for (; log->topic_count < EVM_LOG_TOPICS_MAX; log->topic_count++) {
		const json_t *topic = attribute(event, topics[log->topic_count]);

		if (topic == NULL)
			break;
		CS_TRY(comet_json_fixed(log->topics[log->topic_count].b, 32, topic));
	}
	CS_TRY(comet_json_hex(data, &size, attribute(event, "data")));
	log->data = cs_bytes(*data, size);
	return CS_OK;
}

static enum cs_err take_events(struct comet_content *content, const struct comet *comet,
			       const struct adapter_position *at, uint32_t *log_index,
			       const json_t *events)
{
	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);
		const char *type = json_string_value(json_object_get(event, "type"));
		struct evm_log log = {.at = *at};
		uint8_t *data = NULL;

		if (type == NULL || strcmp(type, "log") != 0)
			continue;
		enum cs_err err = read_log(&log, &data, event);
		log.at.log_index_block = (*log_index)++;
		if (err == CS_OK && evm_contracts_find(&comet->contracts, &log.address) != NULL)
			evm_logs_append(&content->logs, &log);
		free(data);
		CS_TRY(err);
	}
	return CS_OK;
}

/* ---- results ---- */

static enum cs_err take_result(struct comet_tx *tx, const json_t *result)
{
	const json_t *code = json_object_get(result, "code");
	uint8_t *data = NULL;
	size_t size = 0;

	if (!json_is_integer(code) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > UINT32_MAX)
		return CS_ERR_MALFORMED;
	tx->code = (uint32_t)json_integer_value(code);
	CS_TRY(comet_json_u64(&tx->gas_used, json_object_get(result, "gas_used")));
	CS_TRY(comet_json_base64(&data, &size, json_object_get(result, "data")));
	tx->data_size = size < COMET_DATA_KEPT ? size : COMET_DATA_KEPT;
	if (size > 0)
		memcpy(tx->data, data, tx->data_size);
	free(data);
	return CS_OK;
}

static enum cs_err take_results(struct comet_content *content, const struct comet *comet,
				const struct comet_header *header, const json_t *results)
{
	const json_t *list = json_object_get(results, "txs_results");
	struct adapter_position at = {.block = header->public.id, .time_s = header->public.time_s};
	uint32_t log_index = 0;

	if (json_array_size(list) != content->tx_count)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < content->tx_count; i++) {
		const json_t *result = json_array_get(list, i);

		CS_TRY(take_result(&content->txs[i], result));
		at.tx_index = (uint32_t)i;
		at.tx_hash = content->txs[i].hash;
		CS_TRY(take_events(content, comet, &at, &log_index,
				   json_object_get(result, "events")));
	}
	return CS_OK;
}

/* ---- rows of blocks ---- */

static void fetch_free(struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++) {
		comet_header_unref(fetch->headers[i]);
		evm_logs_clear(&fetch->contents[i].logs);
		free(fetch->contents[i].txs);
	}
	free((void *)fetch->headers);
	free(fetch->contents);
	free(fetch);
}

static void fetched(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct fetch *fetch = ctx;
	enum cs_err err = CS_OK;
	const char *why = "";
	size_t endpoint = replies[0].endpoint;

	for (size_t i = 0; i < count && err == CS_OK; i++) {
		err = replies[i].err;
		why = replies[i].why;
	}
	for (size_t i = 0; i < fetch->count && err == CS_OK; i++) {
		const struct adapter_rpc_reply *pair = &replies[2 * i];

		endpoint = pair[0].endpoint;
		err = take_txs(&fetch->contents[i], fetch->headers[i], pair[0].result);
		if (err == CS_OK)
			err = take_results(&fetch->contents[i], fetch->comet, fetch->headers[i],
					   pair[1].result);
		if (err == CS_OK)
			continue;
		why = "transactions or results that are not the block's";
		adapter_rpc_lied(fetch->comet->nodes.rpc, endpoint, why);
		err = CS_ERR_RPC_LIE;
	}
	fetch->done(fetch->ctx, err, why, err == CS_OK ? fetch->contents : NULL, endpoint);
	fetch_free(fetch);
}

enum cs_err comet_contents_fetch(struct comet *comet, const struct adapter_rpc_options *options,
				 struct comet_header *const *headers, size_t count,
				 comet_contents_done *done, void *ctx)
{
	struct adapter_rpc_call calls[2 * COMET_WATCH_CHUNK];
	struct fetch *fetch = host_alloc(sizeof(*fetch));

	cs_assert(count > 0 && count <= COMET_WATCH_CHUNK);
	*fetch = (struct fetch){.comet = comet, .done = done, .ctx = ctx, .count = count};
	fetch->headers = host_calloc(count, sizeof(struct comet_header *));
	fetch->contents = host_calloc(count, sizeof(*fetch->contents));
	for (size_t i = 0; i < count; i++) {
		uint64_t height = headers[i]->public.id.height;

		fetch->headers[i] = comet_header_ref(headers[i]);
		calls[2 * i] = (struct adapter_rpc_call){
			"block", json_pack("{s:o}", "height", comet_json_from_u64(height))};
		calls[2 * i + 1] = (struct adapter_rpc_call){
			"block_results", json_pack("{s:o}", "height", comet_json_from_u64(height))};
	}
	enum cs_err err =
		adapter_rpc_batch(comet->nodes.rpc, options, calls, 2 * count, fetched, fetch);
	if (err != CS_OK)
		fetch_free(fetch);
	return err;
}
