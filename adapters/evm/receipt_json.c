#include "adapters/evm/receipt_json.h"

#include "core/rlp.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* type, status, gas, bloom and the list headers around them */
#define RECEIPT_FIXED_SIZE 400
/* address, four topics and headers */
#define LOG_FIXED_SIZE 200

size_t evm_receipt_size_max(const json_t *receipt)
{
	const json_t *logs = json_object_get(receipt, "logs");
	size_t size = RECEIPT_FIXED_SIZE;

	for (size_t i = 0; i < json_array_size(logs); i++)
		size += LOG_FIXED_SIZE +
			evm_json_bytes_size(json_object_get(json_array_get(logs, i), "data"));
	return size;
}

static enum cs_err put_data(struct cs_buf *buf, const json_t *json)
{
	size_t size = evm_json_bytes_size(json);
	uint8_t *memory = host_alloc(size + 1);
	struct cs_buf bytes;

	cs_buf_init(&bytes, memory, size);
	enum cs_err err = evm_json_bytes(&bytes, json);
	if (err == CS_OK)
		err = cs_buf_end(&bytes);
	if (err == CS_OK)
		cs_rlp_put_bytes(buf, cs_buf_view(&bytes));
	free(memory);
	return err;
}

static enum cs_err put_log(struct cs_buf *buf, const json_t *log)
{
	const json_t *topics = json_object_get(log, "topics");
	struct cs_address address;
	struct cs_hash topic;

	if (!json_is_array(topics) || json_array_size(topics) > EVM_LOG_TOPICS_MAX)
		return CS_ERR_MALFORMED;
	size_t begin = cs_rlp_list_begin(buf);
	CS_TRY(evm_json_address(&address, json_object_get(log, "address")));
	cs_rlp_put_bytes(buf, CS_BYTES_OF(address.b));
	size_t topics_begin = cs_rlp_list_begin(buf);
	for (size_t i = 0; i < json_array_size(topics); i++) {
		CS_TRY(evm_json_hash(&topic, json_array_get(topics, i)));
		cs_rlp_put_bytes(buf, CS_BYTES_OF(topic.b));
	}
	cs_rlp_list_end(buf, topics_begin);
	CS_TRY(put_data(buf, json_object_get(log, "data")));
	cs_rlp_list_end(buf, begin);
	return CS_OK;
}

/* Before Byzantium a state root stood in the place of the status. */
static enum cs_err put_status(struct cs_buf *buf, const json_t *receipt)
{
	const json_t *status = json_object_get(receipt, "status");
	struct cs_hash root;
	uint64_t value;

	if (status == NULL || json_is_null(status)) {
		CS_TRY(evm_json_hash(&root, json_object_get(receipt, "root")));
		cs_rlp_put_bytes(buf, CS_BYTES_OF(root.b));
		return CS_OK;
	}
	CS_TRY(evm_json_u64(&value, status));
	if (value > 1)
		return CS_ERR_MALFORMED;
	cs_rlp_put_u64(buf, value);
	return CS_OK;
}

static enum cs_err check_place(const json_t *receipt, const struct cs_hash *block_hash,
			       uint32_t index)
{
	struct cs_hash hash;
	uint32_t own;

	CS_TRY(evm_json_hash(&hash, json_object_get(receipt, "blockHash")));
	CS_TRY(evm_json_u32(&own, json_object_get(receipt, "transactionIndex")));
	return cs_hash_eq(&hash, block_hash) && own == index ? CS_OK : CS_ERR_RPC_LIE;
}

enum cs_err evm_receipt_put(struct cs_buf *buf, const json_t *receipt,
			    const struct cs_hash *block_hash, uint32_t index)
{
	const json_t *type = json_object_get(receipt, "type");
	const json_t *logs = json_object_get(receipt, "logs");
	uint8_t bloom[256];
	uint64_t number = 0;

	if (!json_is_object(receipt) || !json_is_array(logs))
		return CS_ERR_MALFORMED;
	CS_TRY(check_place(receipt, block_hash, index));
	if (type != NULL && !json_is_null(type))
		CS_TRY(evm_json_u64(&number, type));
	if (number > 0x7f)
		return CS_ERR_MALFORMED;
	if (number != 0)
		cs_put_u8(buf, (uint8_t)number);
	size_t begin = cs_rlp_list_begin(buf);
	CS_TRY(put_status(buf, receipt));
	CS_TRY(evm_json_u64(&number, json_object_get(receipt, "cumulativeGasUsed")));
	cs_rlp_put_u64(buf, number);
	CS_TRY(evm_json_fixed(bloom, sizeof(bloom), json_object_get(receipt, "logsBloom")));
	cs_rlp_put_bytes(buf, CS_BYTES_OF(bloom));
	size_t logs_begin = cs_rlp_list_begin(buf);
	for (size_t i = 0; i < json_array_size(logs); i++)
		CS_TRY(put_log(buf, json_array_get(logs, i)));
	cs_rlp_list_end(buf, logs_begin);
	cs_rlp_list_end(buf, begin);
	return cs_buf_end(buf);
}

/* ---- logs ---- */

static void reserve(struct evm_logs *logs)
{
	if (logs->count < logs->capacity)
		return;
	logs->capacity = logs->capacity == 0 ? 32 : 2 * logs->capacity;
	logs->logs = host_grow(logs->logs, logs->capacity * sizeof(*logs->logs));
}

void evm_logs_append(struct evm_logs *logs, const struct evm_log *log)
{
	reserve(logs);
	struct evm_log *own = &logs->logs[logs->count++];
	*own = *log;
	own->data.p = host_copy(log->data);
}

static void cut(struct evm_logs *logs, size_t count)
{
	while (logs->count > count)
		free((void *)(uintptr_t)logs->logs[--logs->count].data.p);
}

void evm_logs_clear(struct evm_logs *logs)
{
	cut(logs, 0);
	free(logs->logs);
	*logs = (struct evm_logs){NULL, 0, 0};
}

static enum cs_err read_place(struct adapter_position *at, const json_t *json)
{
	CS_TRY(evm_json_u64(&at->block.height, json_object_get(json, "blockNumber")));
	CS_TRY(evm_json_hash(&at->block.hash, json_object_get(json, "blockHash")));
	CS_TRY(evm_json_hash(&at->tx_hash, json_object_get(json, "transactionHash")));
	CS_TRY(evm_json_u32(&at->tx_index, json_object_get(json, "transactionIndex")));
	return evm_json_u32(&at->log_index_block, json_object_get(json, "logIndex"));
}

static enum cs_err read_log(struct evm_log *log, const json_t *json)
{
	const json_t *topics = json_object_get(json, "topics");
	const json_t *data = json_object_get(json, "data");
	struct cs_buf buf;

	if (!json_is_object(json) || !json_is_array(topics) ||
	    json_array_size(topics) > EVM_LOG_TOPICS_MAX)
		return CS_ERR_MALFORMED;
	if (json_is_true(json_object_get(json, "removed")))
		return CS_ERR_RPC_LIE;
	CS_TRY(read_place(&log->at, json));
	CS_TRY(evm_json_address(&log->address, json_object_get(json, "address")));
	log->topic_count = json_array_size(topics);
	for (size_t i = 0; i < log->topic_count; i++)
		CS_TRY(evm_json_hash(&log->topics[i], json_array_get(topics, i)));
	size_t size = evm_json_bytes_size(data);
	uint8_t *memory = host_alloc(size + 1);
	cs_buf_init(&buf, memory, size);
	enum cs_err err = evm_json_bytes(&buf, data);
	if (err != CS_OK) {
		free(memory);
		return err;
	}
	log->data = cs_bytes(memory, size);
	return CS_OK;
}

static bool comes_after(const struct adapter_position *a, const struct adapter_position *b)
{
	if (a->block.height != b->block.height)
		return a->block.height > b->block.height;
	return a->log_index_block > b->log_index_block && a->tx_index >= b->tx_index;
}

enum cs_err evm_logs_append_json(struct evm_logs *logs, const json_t *array,
				 const struct cs_address *address, uint64_t from, uint64_t to)
{
	size_t begin = logs->count;
	enum cs_err err = json_is_array(array) ? CS_OK : CS_ERR_RPC_LIE;

	for (size_t i = 0; err == CS_OK && i < json_array_size(array); i++) {
		struct evm_log log = {.topic_count = 0};

		err = read_log(&log, json_array_get(array, i));
		if (err != CS_OK)
			break;
		reserve(logs);
		logs->logs[logs->count++] = log;
		if (!cs_address_eq(&log.address, address) || log.at.block.height < from ||
		    log.at.block.height > to ||
		    (logs->count > begin + 1 &&
		     !comes_after(&log.at, &logs->logs[logs->count - 2].at)))
			err = CS_ERR_RPC_LIE;
	}
	if (err != CS_OK)
		cut(logs, begin);
	return err;
}
