#include "adapters/evm/events_oracle.h"

#include "core/abi.h"
#include "core/limits.h"
#include "wire/spec.h"
#include "wire/value.h"

#include <string.h>

#define SECRETS_SIZE_MAX 4144u /* sealed: section 3 */

static enum cs_err get_u24(struct cs_abi_reader *reader, uint32_t *value)
{
	uint64_t number;

	CS_TRY(cs_abi_get_u64(reader, &number));
	if (number >> 24 != 0)
		return CS_ERR_OVERFLOW;
	*value = (uint32_t)number;
	return CS_OK;
}

static enum cs_err get_u32(struct cs_abi_reader *reader, uint32_t *value)
{
	uint64_t number;

	CS_TRY(cs_abi_get_u64(reader, &number));
	if (number > UINT32_MAX)
		return CS_ERR_OVERFLOW;
	*value = (uint32_t)number;
	return CS_OK;
}

static enum cs_err to_address(struct cs_address *address, const struct cs_hash *word)
{
	for (size_t i = 0; i < sizeof(word->b) - sizeof(address->b); i++)
		if (word->b[i] != 0)
			return CS_ERR_NON_CANONICAL;
	memcpy(address->b, word->b + sizeof(word->b) - sizeof(address->b), sizeof(address->b));
	return CS_OK;
}

static enum cs_err get_address(struct cs_abi_reader *reader, struct cs_address *address)
{
	struct cs_hash word;

	CS_TRY(cs_abi_get_word(reader, &word));
	return to_address(address, &word);
}

/* An index as a topic. */
static enum cs_err to_u64(uint64_t *value, const struct cs_hash *word)
{
	for (size_t i = 0; i < sizeof(word->b) - sizeof(*value); i++)
		if (word->b[i] != 0)
			return CS_ERR_OVERFLOW;
	*value = cs_be64(word->b + sizeof(word->b) - sizeof(*value));
	return CS_OK;
}

/* ---- requests ---- */

static enum cs_err read_head(struct wire_request *head, struct cs_abi_reader *reader)
{
	struct cs_hash fee;

	CS_TRY(cs_abi_get_u64(reader, &head->counter));
	CS_TRY(cs_abi_get_word(reader, &head->asker));
	CS_TRY(cs_abi_get_word(reader, &head->spec_hash));
	CS_TRY(cs_abi_get_word(reader, &head->arguments_hash));
	CS_TRY(cs_abi_get_word(reader, &head->secrets_hash));
	CS_TRY(cs_abi_get_word(reader, &head->callback));
	CS_TRY(cs_abi_get_u64(reader, &head->callback_gas));
	CS_TRY(cs_abi_get_word(reader, &fee));
	head->fee = cs_u256_from_word(&fee);
	CS_TRY(cs_abi_get_u64(reader, &head->max_age));
	CS_TRY(cs_abi_get_u64(reader, &head->time));
	return cs_abi_get_u64(reader, &head->deadline);
}

/* OracleRequested(bytes32 indexed requestId, address indexed asker, Request request, bytes spec,
 * string[] arguments, bytes secrets): the request's words stand in the head. */
static enum cs_err read_requested(struct adapter_oracle_request *request, struct cs_bytes data)
{
	struct cs_abi_reader reader;

	CS_TRY(cs_abi_read(&reader, data, 14));
	CS_TRY(read_head(&request->head, &reader));
	CS_TRY(cs_abi_get_bytes(&reader, WIRE_SPEC_SIZE_MAX, &request->spec));
	CS_TRY(cs_abi_get_bytes_array(&reader, WIRE_ARGUMENTS_MAX, WIRE_ARGUMENT_SIZE_MAX,
				      request->arguments, &request->argument_count));
	CS_TRY(cs_abi_get_bytes(&reader, SECRETS_SIZE_MAX, &request->secrets));
	return cs_abi_end(&reader);
}

/* What the enclave would refuse is left out here. */
static bool is_whole(struct adapter_oracle_request *request, const struct evm_contract *contract,
		     const struct evm_log *log)
{
	struct wire_request *head = &request->head;

	head->receiver = contract->identity;
	request->request_id = log->topics[1];
	struct cs_hash spec = wire_spec_hash(request->spec);
	struct cs_hash arguments = wire_arguments_hash(request->arguments, request->argument_count);
	struct cs_hash secrets = wire_secrets_hash(request->secrets);
	struct cs_hash id = wire_request_id(head);
	return (request->spec.n == 0 || cs_hash_eq(&spec, &head->spec_hash)) &&
	       cs_hash_eq(&arguments, &head->arguments_hash) &&
	       cs_hash_eq(&secrets, &head->secrets_hash) && cs_hash_eq(&id, &request->request_id) &&
	       cs_hash_eq(&log->topics[2], &head->asker);
}

static enum evm_reads requested(struct adapter_oracle_request *request,
				const struct evm_contract *contract, const struct evm_log *log)
{
	const struct wire_request *head = &request->head;

	if (read_requested(request, log->data) != CS_OK || !is_whole(request, contract, log))
		return EVM_READS_FOREIGN;
	return head->counter <= INT64_MAX && head->callback_gas <= INT64_MAX &&
			       head->max_age <= INT64_MAX && head->time <= INT64_MAX &&
			       head->deadline <= INT64_MAX
		       ? EVM_READS_EVENT
		       : EVM_READS_UNSTORABLE;
}

/* OracleAnswered(bytes32 indexed requestId, address indexed asker, uint8 code, uint64 observedAt,
 * bytes32 evidenceHash, bytes value) */
static enum evm_reads answered(struct adapter_oracle_answer *answer, const struct evm_log *log)
{
	struct cs_abi_reader reader;

	answer->request_id = log->topics[1];
	answer->asker = log->topics[2];
	if (cs_abi_read(&reader, log->data, 4) != CS_OK ||
	    cs_abi_get_u8(&reader, &answer->code) != CS_OK ||
	    cs_abi_get_u64(&reader, &answer->observed_at) != CS_OK ||
	    cs_abi_get_word(&reader, &answer->evidence_hash) != CS_OK ||
	    cs_abi_get_bytes(&reader, WIRE_VALUE_SIZE_MAX, &answer->value) != CS_OK ||
	    cs_abi_end(&reader) != CS_OK)
		return EVM_READS_FOREIGN;
	return answer->observed_at <= INT64_MAX ? EVM_READS_EVENT : EVM_READS_UNSTORABLE;
}

/* OracleRefunded(bytes32 indexed requestId, address indexed asker, uint256 fee) */
static enum evm_reads refunded(struct adapter_oracle_refund *refund, const struct evm_log *log)
{
	struct cs_abi_reader reader;

	refund->request_id = log->topics[1];
	return cs_abi_read(&reader, log->data, 1) == CS_OK &&
			       cs_abi_get_word(&reader, &refund->fee) == CS_OK &&
			       cs_abi_end(&reader) == CS_OK
		       ? EVM_READS_EVENT
		       : EVM_READS_FOREIGN;
}

static bool is_topic(const struct evm_log *log, const struct evm_contracts *contracts,
		     enum evm_topic topic, size_t topic_count)
{
	return log->topic_count == topic_count &&
	       cs_hash_eq(&log->topics[0], &contracts->topics[topic]);
}

enum evm_reads evm_event_of_oracle(struct adapter_event *event,
				   const struct evm_contracts *contracts,
				   const struct evm_contract *contract, const struct evm_log *log)
{
	if (is_topic(log, contracts, EVM_TOPIC_REQUESTED, 3)) {
		event->kind = ADAPTER_EVENT_ORACLE_REQUESTED;
		return requested(&event->requested, contract, log);
	}
	if (is_topic(log, contracts, EVM_TOPIC_ANSWERED, 3)) {
		event->kind = ADAPTER_EVENT_ORACLE_ANSWERED;
		return answered(&event->answered, log);
	}
	if (is_topic(log, contracts, EVM_TOPIC_REFUNDED, 3)) {
		event->kind = ADAPTER_EVENT_ORACLE_REFUNDED;
		return refunded(&event->refunded, log);
	}
	if (is_topic(log, contracts, EVM_TOPIC_CALLBACK_FAILED, 2)) {
		event->kind = ADAPTER_EVENT_CALLBACK_FAILED;
		event->callback_failed.request_id = log->topics[1];
		return log->data.n == 0 ? EVM_READS_EVENT : EVM_READS_FOREIGN;
	}
	return EVM_READS_OTHER;
}

/* ---- feeds ---- */

/* FeedSettings: a dynamic tuple, the last thing of the event's data. */
static enum cs_err read_settings(struct adapter_feed_addition *feed, struct cs_bytes data)
{
	struct cs_abi_reader reader;

	CS_TRY(cs_abi_read(&reader, data, 7));
	CS_TRY(cs_abi_get_word(&reader, &feed->spec_hash));
	CS_TRY(cs_abi_get_u8(&reader, &feed->decimals));
	CS_TRY(get_u24(&reader, &feed->heartbeat_s));
	CS_TRY(get_u24(&reader, &feed->stale_after_s));
	CS_TRY(get_u32(&reader, &feed->deviation_ppm));
	CS_TRY(cs_abi_get_u8(&reader, &feed->history_bits));
	CS_TRY(cs_abi_get_bytes(&reader, ADAPTER_FEED_DESCRIPTION_MAX, &feed->description));
	return cs_abi_end(&reader);
}

#define ADDED_HEAD_SIZE 96u /* feed, uptime, where the settings begin */

/* FeedAdded(uint64 indexed index, bytes32 indexed feedId, address feed, address uptime, FeedSettings
 * settings) */
static enum cs_err read_added(struct adapter_feed_addition *feed, struct cs_bytes data)
{
	struct cs_abi_reader reader;
	uint64_t offset;

	CS_TRY(cs_abi_read(&reader, data, 3));
	CS_TRY(get_address(&reader, &feed->view));
	CS_TRY(get_address(&reader, &feed->uptime));
	CS_TRY(cs_abi_get_u64(&reader, &offset));
	if (offset != ADDED_HEAD_SIZE)
		return CS_ERR_NON_CANONICAL;
	return read_settings(feed, cs_bytes(data.p + ADDED_HEAD_SIZE, data.n - ADDED_HEAD_SIZE));
}

static enum evm_reads feed_added(struct adapter_feed_addition *feed,
				 const struct evm_contract *contract, const struct evm_log *log)
{
	feed->feed_id = log->topics[2];
	if (to_u64(&feed->index, &log->topics[1]) != CS_OK || read_added(feed, log->data) != CS_OK)
		return EVM_READS_FOREIGN;
	struct cs_hash id = wire_feed_id(&contract->identity, feed->index);
	if (!cs_hash_eq(&id, &feed->feed_id))
		return EVM_READS_FOREIGN;
	return feed->index <= INT64_MAX ? EVM_READS_EVENT : EVM_READS_UNSTORABLE;
}

/* FeedUpdated(uint64 indexed index, int256 value, uint256 observedAt) */
static enum evm_reads feed_updated(struct adapter_feed_update *feed, const struct evm_log *log)
{
	struct cs_abi_reader reader;

	if (to_u64(&feed->index, &log->topics[1]) != CS_OK ||
	    cs_abi_read(&reader, log->data, 2) != CS_OK ||
	    cs_abi_get_word(&reader, &feed->value) != CS_OK ||
	    cs_abi_get_u64(&reader, &feed->observed_at) != CS_OK || cs_abi_end(&reader) != CS_OK)
		return EVM_READS_FOREIGN;
	return feed->index <= INT64_MAX && feed->observed_at <= INT64_MAX ? EVM_READS_EVENT
									  : EVM_READS_UNSTORABLE;
}

/* FeedPaused(uint64 indexed index, bool paused) */
static enum evm_reads feed_paused(struct adapter_feed_pause *feed, const struct evm_log *log)
{
	struct cs_abi_reader reader;

	if (to_u64(&feed->index, &log->topics[1]) != CS_OK ||
	    cs_abi_read(&reader, log->data, 1) != CS_OK ||
	    cs_abi_get_bool(&reader, &feed->paused) != CS_OK || cs_abi_end(&reader) != CS_OK)
		return EVM_READS_FOREIGN;
	return feed->index <= INT64_MAX ? EVM_READS_EVENT : EVM_READS_UNSTORABLE;
}

enum evm_reads evm_event_of_feed(struct adapter_event *event, const struct evm_contracts *contracts,
				 const struct evm_contract *contract, const struct evm_log *log)
{
	if (is_topic(log, contracts, EVM_TOPIC_FEED_ADDED, 3)) {
		event->kind = ADAPTER_EVENT_FEED_ADDED;
		return feed_added(&event->feed_added, contract, log);
	}
	if (is_topic(log, contracts, EVM_TOPIC_FEED_UPDATED, 2)) {
		event->kind = ADAPTER_EVENT_FEED_UPDATED;
		return feed_updated(&event->feed_updated, log);
	}
	if (is_topic(log, contracts, EVM_TOPIC_FEED_PAUSED, 2)) {
		event->kind = ADAPTER_EVENT_FEED_PAUSED;
		return feed_paused(&event->feed_paused, log);
	}
	return EVM_READS_OTHER;
}
