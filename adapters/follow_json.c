#include "adapters/follow_json.h"

#include "host/json_values.h"

static json_t *endpoints_json(struct adapter *adapter)
{
	struct adapter_endpoint endpoints[ADAPTER_ENDPOINTS_MAX];
	size_t count = adapter ? adapter_endpoints(adapter, endpoints, CS_LEN(endpoints)) : 0;
	json_t *list = json_array();
	for (size_t i = 0; i < count && i < CS_LEN(endpoints); i++) {
		const struct adapter_endpoint *e = &endpoints[i];
		json_t *json = json_pack(
			"{s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:s}", "url", e->url, "state",
			adapter_endpoint_state_name(e->state), "websocket", e->websocket, "height",
			(json_int_t)e->height, "requests", (json_int_t)e->requests, "errors",
			(json_int_t)e->errors, "limited", (json_int_t)e->limited, "diverged",
			(json_int_t)e->diverged, "lies", (json_int_t)e->lies, "why", e->why);
		json_t *asked = json_pack(
			"{s:s,s:o,s:I,s:I,s:I}", "breaker", adapter_breaker_name(e->breaker),
			"answer_ms",
			e->answer_p95_ms > 0 ? json_integer(e->answer_p95_ms) : json_null(),
			"hedges", (json_int_t)e->hedges, "hedges_won", (json_int_t)e->hedges_won,
			"overtaken", (json_int_t)e->overtaken);
		json_object_update(json, asked);
		json_decref(asked);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *held_json(const struct adapter_follow *follow)
{
	const struct adapter_reorg *held = &follow->held;
	if (!follow->is_held)
		return json_null();
	json_t *json = json_object();
	json_object_set_new(json, "from_height", host_json_u64(held->from));
	json_object_set_new(json, "blocks", host_json_u64(held->old_tip - held->from + 1));
	json_object_set_new(json, "deeper", json_boolean(held->beyond_window));
	json_object_set_new(json, "reported_hash", host_json_hash(&held->old_hash));
	json_object_set_new(json, "block_hash", host_json_hash(&held->new_hash));
	return json;
}

json_t *adapter_follow_json(const struct adapter_follow *follow)
{
	json_t *json = json_object();
	json_object_set_new(json, "id", json_string(follow->name));
	json_object_set_new(json, "identity", host_json_hash(&follow->identity));
	json_object_set_new(json, "insecure", json_boolean(follow->insecure));
	json_object_set_new(json, "head", host_json_u64(follow->head_height));
	json_object_set_new(json, "head_time_s", host_json_u64(follow->head_time_s));
	json_object_set_new(json, "cursor", host_json_u64(follow->cursor_height));
	json_object_set_new(json, "client_head", host_json_u64(follow->client_head));
	json_object_set_new(json, "final", host_json_u64(follow->final_height));
	json_object_set_new(json, "final_time_s", host_json_u64(follow->final_time_s));
	json_object_set_new(json, "stalled_ms", host_json_u64(follow->stalled_ms));
	json_object_set_new(json, "client_stands_ms",
			    host_json_u64(adapter_follow_stands_ms(follow)));
	json_object_set_new(json, "diverged", json_boolean(follow->diverged));
	json_object_set_new(json, "reorg_held", held_json(follow));
	json_object_set_new(json, "endpoints", endpoints_json(follow->adapter));
	return json;
}
