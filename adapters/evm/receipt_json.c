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

void evm_logs_clear(struct evm_logs *logs)
{
	while (logs->count > 0)
		free((void *)(uintptr_t)logs->logs[--logs->count].data.p);
	free(logs->logs);
	*logs = (struct evm_logs){NULL, 0, 0};
}

/* ---- candidates ---- */

static enum cs_err read_candidate(struct adapter_block_id *id, const json_t *log,
				  const struct evm_contracts *contracts)
{
	struct cs_address own;

	if (!json_is_object(log))
		return CS_ERR_MALFORMED;
	CS_TRY(evm_json_u64(&id->height, json_object_get(log, "blockNumber")));
	CS_TRY(evm_json_hash(&id->hash, json_object_get(log, "blockHash")));
	CS_TRY(evm_json_address(&own, json_object_get(log, "address")));
	return evm_contracts_find(contracts, &own) != NULL &&
			       !json_is_true(json_object_get(log, "removed"))
		       ? CS_OK
		       : CS_ERR_RPC_LIE;
}

enum cs_err evm_candidates_append_json(struct evm_candidates *blocks, const json_t *logs,
				       const struct evm_contracts *contracts, uint64_t from,
				       uint64_t to)
{
	size_t count = blocks->count;

	if (!json_is_array(logs))
		return CS_ERR_RPC_LIE;
	blocks->ids =
		host_grow(blocks->ids, (count + json_array_size(logs) + 1) * sizeof(*blocks->ids));
	for (size_t i = 0; i < json_array_size(logs); i++) {
		struct adapter_block_id *id = &blocks->ids[count];

		CS_TRY(read_candidate(id, json_array_get(logs, i), contracts));
		if (id->height < from || id->height > to)
			return CS_ERR_RPC_LIE;
		if (count > 0 && id[-1].height > id->height)
			return CS_ERR_RPC_LIE;
		if (count > 0 && id[-1].height == id->height) {
			if (!cs_hash_eq(&id[-1].hash, &id->hash))
				return CS_ERR_RPC_LIE;
			continue;
		}
		count++;
	}
	blocks->count = count;
	return CS_OK;
}
