/*~ The transactions of a block are those under its header's data hash, their results (codes, what they
 * returned, gas) those under the last results hash of the header above it. What they emitted is in no
 * hash: a log is what the node says, becomes an event when its message id is that of its parts, and
 * is proven by the state (proven.c). */
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
	struct comet_header **above;
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

/* data is malloc'd. */
static enum cs_err read_result(struct cmt_tx_result *result, const json_t *json)
{
	const json_t *code = json_object_get(json, "code");
	uint64_t wanted;
	uint64_t used;
	uint8_t *data = NULL;
	size_t size = 0;

	if (!json_is_integer(code) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > UINT32_MAX)
		return CS_ERR_MALFORMED;
	CS_TRY(comet_json_u64(&wanted, json_object_get(json, "gas_wanted")));
	CS_TRY(comet_json_u64(&used, json_object_get(json, "gas_used")));
	CS_TRY(comet_json_base64(&data, &size, json_object_get(json, "data")));
	*result = (struct cmt_tx_result){.code = (uint32_t)json_integer_value(code),
					 .data = cs_bytes(data, size),
					 .gas_wanted = (int64_t)wanted,
					 .gas_used = (int64_t)used};
	return CS_OK;
}

static void keep_result(struct comet_tx *tx, const struct cmt_tx_result *result)
{
	size_t size = result->data.n < COMET_DATA_KEPT ? result->data.n : COMET_DATA_KEPT;

	tx->code = result->code;
	tx->gas_used = (uint64_t)result->gas_used;
	tx->data_size = size;
	if (size > 0)
		memcpy(tx->data, result->data.p, size);
}

static size_t leaf_size_max(const struct cmt_tx_result *results, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		if (CMT_RESULT_SIZE_MAX(results[i].data.n) > size)
			size = CMT_RESULT_SIZE_MAX(results[i].data.n);
	return size;
}

/* Those that the header above commits to. */
static enum cs_err check_results(const struct cmt_tx_result *results, size_t count,
				 const struct comet_header *above)
{
	/* One leaf, and what an arena needs to align. */
	size_t size = leaf_size_max(results, count) + 64;
	uint8_t *memory = host_alloc(size);
	struct cs_arena arena;
	struct cs_hash hash;

	cs_arena_init(&arena, memory, size);
	enum cs_err err = cmt_results_hash(&hash, results, count, &arena);
	if (err == CS_OK && (!above->header.last_results_hash.some ||
			     !cs_hash_eq(&hash, &above->header.last_results_hash.hash)))
		err = CS_ERR_WRONG_BLOCK;
	cs_arena_done(&arena);
	free(memory);
	return err;
}

static enum cs_err take_codes(struct comet_content *content, const struct comet_header *above,
			      const json_t *list)
{
	struct cmt_tx_result *results = host_calloc(content->tx_count + 1, sizeof(*results));
	enum cs_err err = CS_OK;

	for (size_t i = 0; i < content->tx_count && err == CS_OK; i++) {
		err = read_result(&results[i], json_array_get(list, i));
		if (err == CS_OK)
			keep_result(&content->txs[i], &results[i]);
	}
	if (err == CS_OK)
		err = check_results(results, content->tx_count, above);
	for (size_t i = 0; i < content->tx_count; i++)
		free((void *)(uintptr_t)results[i].data.p);
	free(results);
	return err;
}

static enum cs_err take_results(struct comet_content *content, const struct comet *comet,
				const struct comet_header *header, const struct comet_header *above,
				const json_t *results)
{
	const json_t *list = json_object_get(results, "txs_results");
	struct adapter_position at = {.block = header->public.id, .time_s = header->public.time_s};
	uint32_t log_index = 0;

	if (json_array_size(list) != content->tx_count)
		return CS_ERR_MALFORMED;
	CS_TRY(take_codes(content, above, list));
	for (size_t i = 0; i < content->tx_count; i++) {
		at.tx_index = (uint32_t)i;
		at.tx_hash = content->txs[i].hash;
		CS_TRY(take_events(content, comet, &at, &log_index,
				   json_object_get(json_array_get(list, i), "events")));
	}
	content->events = host_calloc(content->logs.count + 1, sizeof(*content->events));
	content->event_count =
		evm_events_decode(content->events, &content->left_out, &comet->contracts,
				  content->logs.logs, content->logs.count);
	return CS_OK;
}

/* ---- rows of blocks ---- */

enum cs_err comet_content_read(struct comet_content *content, const struct comet *comet,
			       const struct comet_header *header, const struct comet_header *above,
			       const json_t *block, const json_t *results)
{
	CS_TRY(take_txs(content, header, block));
	return take_results(content, comet, header, above, results);
}

void comet_content_clear(struct comet_content *content)
{
	evm_logs_clear(&content->logs);
	free(content->events);
	free(content->txs);
}

static void fetch_free(struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++) {
		comet_header_unref(fetch->headers[i]);
		comet_header_unref(fetch->above[i]);
		comet_content_clear(&fetch->contents[i]);
	}
	free((void *)fetch->headers);
	free((void *)fetch->above);
	free(fetch->contents);
	free(fetch);
}

static void end(struct fetch *fetch, enum cs_err err, const char *why)
{
	fetch->done(fetch->ctx, err, why, err == CS_OK ? fetch->contents : NULL,
		    fetch->contents[0].endpoint);
	fetch_free(fetch);
}

static void proven(void *ctx, enum cs_err err, const char *why)
{
	end(ctx, err, why);
}

static void fetched(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	static const char lie[] = "transactions or results that are not the block's";
	struct fetch *fetch = ctx;
	enum cs_err err = CS_OK;
	const char *why = "";

	fetch->contents[0].endpoint = replies[0].endpoint;
	for (size_t i = 0; i < count && err == CS_OK; i++) {
		err = replies[i].err;
		why = replies[i].why;
	}
	for (size_t i = 0; i < fetch->count && err == CS_OK; i++) {
		const struct adapter_rpc_reply *pair = &replies[2 * i];

		fetch->contents[i].endpoint = pair[1].endpoint;
		if (comet_content_read(&fetch->contents[i], fetch->comet, fetch->headers[i],
				       fetch->above[i], pair[0].result, pair[1].result) == CS_OK)
			continue;
		adapter_rpc_lied(fetch->comet->nodes.rpc, fetch->contents[i].endpoint, lie);
		err = CS_ERR_RPC_LIE;
		why = lie;
	}
	if (err == CS_OK)
		comet_prove(fetch->comet, comet_watch_newest(fetch->comet->watch), fetch->contents,
			    fetch->count, proven, fetch);
	else
		end(fetch, err, why);
}

enum cs_err comet_contents_fetch(struct comet *comet, const struct adapter_rpc_options *options,
				 struct comet_header *const *headers,
				 struct comet_header *const *above, size_t count,
				 comet_contents_done *done, void *ctx)
{
	struct adapter_rpc_call calls[2 * COMET_WATCH_CHUNK];
	struct fetch *fetch = host_alloc(sizeof(*fetch));

	cs_assert(count > 0 && count <= COMET_WATCH_CHUNK && comet_watch_head(comet->watch));
	*fetch = (struct fetch){.comet = comet, .done = done, .ctx = ctx, .count = count};
	fetch->headers = host_calloc(count, sizeof(struct comet_header *));
	fetch->above = host_calloc(count, sizeof(struct comet_header *));
	fetch->contents = host_calloc(count, sizeof(*fetch->contents));
	for (size_t i = 0; i < count; i++) {
		uint64_t height = headers[i]->public.id.height;

		fetch->headers[i] = comet_header_ref(headers[i]);
		fetch->above[i] = comet_header_ref(above[i]);
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
