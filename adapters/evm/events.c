#include "adapters/evm/events.h"

#include "adapters/evm/events_oracle.h"
#include "core/abi.h"
#include "verify/evm/receipt.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

/* The ERC-7786 event carries the attributes too; they are in MessageCommitted, decoded. */
#define ATTRIBUTES_MAX 16
#define ATTRIBUTE_SIZE_MAX 512

static bool is_event(const struct evm_log *log, const struct evm_contracts *contracts,
		     enum evm_topic topic, size_t topic_count)
{
	return log->topic_count == topic_count &&
	       cs_hash_eq(&log->topics[0], &contracts->topics[topic]);
}

/* MessageSent(bytes32 indexed sendId, bytes sender, bytes recipient, bytes payload, uint256 value,
 * bytes[] attributes) */
static enum cs_err read_sent(struct adapter_message *message, struct cs_bytes data)
{
	struct cs_bytes attributes[ATTRIBUTES_MAX];
	struct cs_abi_reader reader;
	size_t count;

	CS_TRY(cs_abi_read(&reader, data, 5));
	CS_TRY(cs_abi_get_bytes(&reader, CS_INTEROP_SIZE_MAX, &message->sender));
	CS_TRY(cs_abi_get_bytes(&reader, CS_INTEROP_SIZE_MAX, &message->recipient));
	CS_TRY(cs_abi_get_bytes(&reader, CS_PAYLOAD_SIZE_MAX, &message->payload));
	CS_TRY(cs_abi_get_word(&reader, &message->value));
	CS_TRY(cs_abi_get_bytes_array(&reader, ATTRIBUTES_MAX, ATTRIBUTE_SIZE_MAX, attributes,
				      &count));
	return cs_abi_end(&reader);
}

/* MessageCommitted(bytes32 indexed messageId, bytes32 indexed destination, uint64 sequence, uint64
 * deadline, uint64 minGasLimit, bytes32 closer, bytes32 refundTo, uint8 finality) */
static enum cs_err read_committed(struct adapter_message *message, const struct evm_log *log)
{
	struct cs_abi_reader reader;

	message->message_id = log->topics[1];
	message->destination = log->topics[2];
	CS_TRY(cs_abi_read(&reader, log->data, 6));
	CS_TRY(cs_abi_get_u64(&reader, &message->sequence));
	CS_TRY(cs_abi_get_u64(&reader, &message->deadline));
	CS_TRY(cs_abi_get_u64(&reader, &message->min_gas_limit));
	CS_TRY(cs_abi_get_word(&reader, &message->closer));
	CS_TRY(cs_abi_get_word(&reader, &message->refund_to));
	CS_TRY(cs_abi_get_u8(&reader, &message->finality));
	return cs_abi_end(&reader);
}

/* The MessageSent with this id in the same transaction; it is most often the neighbour. */
static const struct evm_log *find_sent(const struct evm_contracts *contracts,
				       const struct evm_log *logs, size_t count, size_t at)
{
	for (size_t step = 1; step < count; step++) {
		for (int side = 0; side < 2; side++) {
			size_t other = side == 0 ? at - step : at + step;

			if (other >= count || logs[other].at.tx_index != logs[at].at.tx_index ||
			    !cs_address_eq(&logs[other].address, &logs[at].address))
				continue;
			if (is_event(&logs[other], contracts, EVM_TOPIC_SENT, 2) &&
			    cs_hash_eq(&logs[other].topics[1], &logs[at].topics[1]))
				return &logs[other];
		}
	}
	return NULL;
}

static struct cs_hash own_message_id(const struct adapter_message *message,
				     const struct cs_hash *own)
{
	struct wire_message full = {
		.head = {.source = *own,
			 .destination = message->destination,
			 .sequence = message->sequence,
			 .deadline = message->deadline,
			 .min_gas_limit = message->min_gas_limit,
			 .closer = message->closer,
			 .refund_to = message->refund_to,
			 .finality = message->finality},
		.sender = message->sender,
		.recipient = message->recipient,
		.payload = message->payload,
	};

	wire_message_seal(&full);
	return wire_message_id(&full.head);
}

static bool decode_message(struct adapter_message *message, const struct evm_contracts *contracts,
			   const struct evm_log *logs, size_t count, size_t at,
			   const struct cs_hash *own)
{
	const struct evm_log *sent = find_sent(contracts, logs, count, at);

	if (sent == NULL || read_committed(message, &logs[at]) != CS_OK ||
	    read_sent(message, sent->data) != CS_OK)
		return false;
	struct cs_hash id = own_message_id(message, own);
	return cs_hash_eq(&id, &message->message_id);
}

/* MessageStatus(bytes32 indexed messageId, bytes32 indexed source, uint64 sequence, uint8 status) */
static bool decode_status(struct adapter_status_event *status, const struct evm_log *log)
{
	struct cs_abi_reader reader;

	status->message_id = log->topics[1];
	status->source = log->topics[2];
	return cs_abi_read(&reader, log->data, 2) == CS_OK &&
	       cs_abi_get_u64(&reader, &status->sequence) == CS_OK &&
	       cs_abi_get_u8(&reader, &status->status) == CS_OK && cs_abi_end(&reader) == CS_OK &&
	       status->status <= WIRE_STATUS_DEAD;
}

/* MessageFinalized(bytes32 indexed messageId, bytes32 indexed destination, uint8 status) */
static bool decode_finalized(struct adapter_finalized_event *finalized, const struct evm_log *log)
{
	struct cs_abi_reader reader;

	finalized->message_id = log->topics[1];
	finalized->destination = log->topics[2];
	return cs_abi_read(&reader, log->data, 1) == CS_OK &&
	       cs_abi_get_u8(&reader, &finalized->status) == CS_OK &&
	       cs_abi_end(&reader) == CS_OK && finalized->status <= WIRE_STATUS_DEAD;
}

static bool is_storable(const struct adapter_message *message)
{
	return message->sequence <= INT64_MAX && message->deadline <= INT64_MAX &&
	       message->min_gas_limit <= INT64_MAX;
}

/* Of a gateway: one that may have its other half among the logs around it. */
static enum evm_reads read_gateway(struct adapter_event *event,
				   const struct evm_contracts *contracts,
				   const struct evm_log *logs, size_t count, size_t at,
				   const struct cs_hash *own)
{
	const struct evm_log *log = &logs[at];

	if (is_event(log, contracts, EVM_TOPIC_COMMITTED, 3)) {
		event->kind = ADAPTER_EVENT_MESSAGE;
		if (!decode_message(&event->message, contracts, logs, count, at, own))
			return EVM_READS_FOREIGN;
		return is_storable(&event->message) ? EVM_READS_EVENT : EVM_READS_UNSTORABLE;
	}
	if (is_event(log, contracts, EVM_TOPIC_STATUS, 3)) {
		event->kind = ADAPTER_EVENT_STATUS;
		if (!decode_status(&event->status, log))
			return EVM_READS_FOREIGN;
		return event->status.sequence <= INT64_MAX ? EVM_READS_EVENT : EVM_READS_UNSTORABLE;
	}
	if (is_event(log, contracts, EVM_TOPIC_FINALIZED, 3)) {
		event->kind = ADAPTER_EVENT_FINALIZED;
		return decode_finalized(&event->finalized, log) ? EVM_READS_EVENT
								: EVM_READS_FOREIGN;
	}
	return EVM_READS_OTHER;
}

static enum evm_reads read_one(struct adapter_event *event, const struct evm_contracts *contracts,
			       const struct evm_log *logs, size_t count, size_t at)
{
	const struct evm_contract *contract = evm_contracts_find(contracts, &logs[at].address);

	if (contract == NULL)
		return EVM_READS_OTHER;
	*event = (struct adapter_event){.at = logs[at].at, .contract = contract->identity};
	switch (contract->kind) {
	case EVM_CONTRACT_GATEWAY:
		return read_gateway(event, contracts, logs, count, at, &contract->identity);
	case EVM_CONTRACT_ORACLE:
		return evm_event_of_oracle(event, contracts, contract, &logs[at]);
	case EVM_CONTRACT_FEED:
		return evm_event_of_feed(event, contracts, contract, &logs[at]);
	}
	return EVM_READS_OTHER;
}

size_t evm_events_decode(struct adapter_event *events, struct evm_left_out *left_out,
			 const struct evm_contracts *contracts, const struct evm_log *logs,
			 size_t count)
{
	size_t found = 0;

	*left_out = (struct evm_left_out){0, 0};
	for (size_t i = 0; i < count; i++) {
		switch (read_one(&events[found], contracts, logs, count, i)) {
		case EVM_READS_EVENT:
			found++;
			break;
		case EVM_READS_FOREIGN:
			left_out->foreign++;
			break;
		case EVM_READS_UNSTORABLE:
			left_out->unstorable++;
			break;
		case EVM_READS_OTHER: /* of the contract, but not of a message or a request */
			break;
		}
	}
	return found;
}

/* Logs one after the other: verify_receipt_log counts from the first one each time. */
static enum cs_err next_log(struct verify_log *log, struct cs_rlp *rest)
{
	struct cs_rlp_item item;

	CS_TRY(cs_rlp_next(rest, &item));
	struct verify_receipt one = {.success = true, .logs = item.whole, .log_count = 1};
	return verify_receipt_log(log, &one, 0);
}

/* A log that an enclave can be asked to look at. */
static bool is_claim(const struct verify_log *log, const struct evm_contracts *contracts)
{
	const struct evm_contract *contract = evm_contracts_find(contracts, &log->address);

	if (contract == NULL || contract->kind == EVM_CONTRACT_FEED || log->topic_count != 3)
		return false;
	return cs_hash_eq(
		&log->topics[0],
		&contracts->topics[contract->kind == EVM_CONTRACT_GATEWAY ? EVM_TOPIC_COMMITTED
									  : EVM_TOPIC_REQUESTED]);
}

enum cs_err evm_events_claims(struct adapter_claim *claims, size_t count_max, size_t skip,
			      size_t *count, size_t *total, struct cs_bytes bytes,
			      const struct evm_contracts *contracts)
{
	struct verify_receipt receipt;
	struct verify_log log;
	size_t found = 0;

	CS_TRY(verify_receipt_read(&receipt, bytes));
	struct cs_rlp rest = {receipt.logs};
	*count = 0;
	for (size_t i = 0; i < receipt.log_count; i++) {
		CS_TRY(next_log(&log, &rest));
		if (!is_claim(&log, contracts))
			continue;
		if (found++ >= skip && *count < count_max)
			claims[(*count)++] = (struct adapter_claim){log.topics[1], (uint32_t)i};
	}
	*total = found;
	return CS_OK;
}

enum cs_err evm_events_receipt_logs(struct evm_logs *logs, size_t *log_count, struct cs_bytes bytes,
				    const struct adapter_position *at, uint32_t first_log,
				    const struct evm_contracts *contracts)
{
	struct verify_receipt receipt;
	struct verify_log log;

	CS_TRY(verify_receipt_read(&receipt, bytes));
	struct cs_rlp rest = {receipt.logs};
	for (size_t i = 0; i < receipt.log_count; i++) {
		struct evm_log own = {.at = *at};

		CS_TRY(next_log(&log, &rest));
		if (evm_contracts_find(contracts, &log.address) == NULL)
			continue;
		own.at.log_index_block = first_log + (uint32_t)i;
		own.address = log.address;
		own.topic_count = log.topic_count;
		memcpy(own.topics, log.topics, sizeof(own.topics));
		own.data = log.data;
		evm_logs_append(logs, &own);
	}
	*log_count = receipt.log_count;
	return CS_OK;
}
