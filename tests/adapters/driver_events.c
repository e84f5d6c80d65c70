#include "tests/adapters/driver_events.h"

#include "adapters/cometbft/cometbft.h"
#include "adapters/evm/json.h"

static json_t *json_request(const struct adapter_oracle_request *request)
{
	const struct wire_request *head = &request->head;
	struct cs_hash fee = cs_u256_word(&head->fee);
	json_t *arguments = json_array();

	for (size_t i = 0; i < request->argument_count; i++)
		json_array_append_new(arguments, host_json_hex(request->arguments[i]));
	return json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:I, s:I}",
			 "kind", "requested", "id", host_json_hash(&request->request_id), "counter",
			 (json_int_t)head->counter, "asker", host_json_hash(&head->asker), "spec",
			 host_json_hex(request->spec), "arguments", arguments, "secrets",
			 host_json_hex(request->secrets), "callback",
			 host_json_hash(&head->callback), "callback_gas",
			 (json_int_t)head->callback_gas, "fee", host_json_hash(&fee), "max_age",
			 (json_int_t)head->max_age, "asked", (json_int_t)head->time, "deadline",
			 (json_int_t)head->deadline);
}

static json_t *json_answered(const struct adapter_oracle_answer *answer)
{
	return json_pack("{s:s, s:o, s:I, s:I, s:o}", "kind", "answered", "id",
			 host_json_hash(&answer->request_id), "code", (json_int_t)answer->code,
			 "observed_at", (json_int_t)answer->observed_at, "value",
			 host_json_hex(answer->value));
}

static json_t *json_feed_added(const struct adapter_feed_addition *feed)
{
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:s%}", "kind",
			 "feed_added", "index", (json_int_t)feed->index, "id",
			 host_json_hash(&feed->feed_id), "view", evm_json_from_address(&feed->view),
			 "spec_hash", host_json_hash(&feed->spec_hash), "decimals",
			 (json_int_t)feed->decimals, "heartbeat", (json_int_t)feed->heartbeat_s,
			 "stale_after", (json_int_t)feed->stale_after_s, "deviation",
			 (json_int_t)feed->deviation_ppm, "description",
			 (const char *)feed->description.p, feed->description.n);
}

static json_t *json_oracle_event(const struct adapter_event *event)
{
	switch (event->kind) {
	case ADAPTER_EVENT_ORACLE_REQUESTED:
		return json_request(&event->requested);
	case ADAPTER_EVENT_ORACLE_ANSWERED:
		return json_answered(&event->answered);
	case ADAPTER_EVENT_ORACLE_REFUNDED:
		return json_pack("{s:s, s:o, s:o}", "kind", "refunded", "id",
				 host_json_hash(&event->refunded.request_id), "fee",
				 host_json_hash(&event->refunded.fee));
	case ADAPTER_EVENT_CALLBACK_FAILED:
		return json_pack("{s:s, s:o}", "kind", "callback_failed", "id",
				 host_json_hash(&event->callback_failed.request_id));
	case ADAPTER_EVENT_FEED_ADDED:
		return json_feed_added(&event->feed_added);
	case ADAPTER_EVENT_FEED_UPDATED:
		return json_pack("{s:s, s:I, s:o, s:I}", "kind", "feed_updated", "index",
				 (json_int_t)event->feed_updated.index, "value",
				 host_json_hash(&event->feed_updated.value), "observed_at",
				 (json_int_t)event->feed_updated.observed_at);
	case ADAPTER_EVENT_FEED_PAUSED:
		return json_pack("{s:s, s:I, s:b}", "kind", "feed_paused", "index",
				 (json_int_t)event->feed_paused.index, "paused",
				 event->feed_paused.paused);
	case ADAPTER_EVENT_MESSAGE:
	case ADAPTER_EVENT_STATUS:
	case ADAPTER_EVENT_FINALIZED:
		break;
	}
	return json_object();
}

json_t *driver_event_json(const struct adapter_event *event)
{
	json_t *json = json_oracle_event(event);

	json_object_update_new(json, json_pack("{s:I, s:I, s:o, s:I, s:o}", "tx_index",
					       (json_int_t)event->at.tx_index, "log_index",
					       (json_int_t)event->at.log_index_block, "tx",
					       host_json_hash(&event->at.tx_hash), "time",
					       (json_int_t)event->at.time_s, "contract",
					       host_json_hash(&event->contract)));

	switch (event->kind) {
	case ADAPTER_EVENT_MESSAGE:
		json_object_set_new(json, "kind", json_string("message"));
		json_object_set_new(json, "message_id", host_json_hash(&event->message.message_id));
		json_object_set_new(json, "sequence",
				    json_integer((json_int_t)event->message.sequence));
		json_object_set_new(json, "deadline",
				    json_integer((json_int_t)event->message.deadline));
		json_object_set_new(json, "sender", host_json_hex(event->message.sender));
		json_object_set_new(json, "recipient", host_json_hex(event->message.recipient));
		json_object_set_new(json, "payload", host_json_hex(event->message.payload));
		break;
	case ADAPTER_EVENT_STATUS:
		json_object_set_new(json, "kind", json_string("status"));
		json_object_set_new(json, "message_id", host_json_hash(&event->status.message_id));
		json_object_set_new(json, "status", json_integer(event->status.status));
		break;
	case ADAPTER_EVENT_FINALIZED:
		json_object_set_new(json, "kind", json_string("finalized"));
		json_object_set_new(json, "message_id",
				    host_json_hash(&event->finalized.message_id));
		json_object_set_new(json, "status", json_integer(event->finalized.status));
		break;
	case ADAPTER_EVENT_ORACLE_REQUESTED:
	case ADAPTER_EVENT_ORACLE_ANSWERED:
	case ADAPTER_EVENT_ORACLE_REFUNDED:
	case ADAPTER_EVENT_CALLBACK_FAILED:
	case ADAPTER_EVENT_FEED_ADDED:
	case ADAPTER_EVENT_FEED_UPDATED:
	case ADAPTER_EVENT_FEED_PAUSED:
		break;
	}
	return json;
}

static json_t *json_piece(struct cs_bytes bytes)
{
	json_t *piece = adapter_cometbft_evidence_json(bytes);

	cs_assert(piece != NULL);
	json_object_set_new(piece, "bytes", host_json_hex(bytes));
	return piece;
}

json_t *driver_evidence_json(const struct adapter_evidence *evidence)
{
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "event", "evidence", "height",
			 (json_int_t)evidence->other.height, "other",
			 host_json_hash(&evidence->other.hash), "ours",
			 host_json_hash(&evidence->ours), "against_other",
			 json_piece(evidence->against_other), "against_ours",
			 json_piece(evidence->against_ours));
}
