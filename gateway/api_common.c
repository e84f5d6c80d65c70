/* What more than one part of the surface answers with. */
#include "gateway/gateway.h"

#include <stdlib.h>
#include <string.h>

void gateway_problem(struct host_http_exchange *exchange, enum cs_err err, const struct cs_why *why)
{
	host_http_reply_problem(exchange, err, why ? why->text : NULL);
}

static json_t *keys_json(const struct gateway *gateway, const Caisson__Wire__HelloReply *hello)
{
	json_t *list = json_array();
	for (size_t i = 0; i < hello->n_keys; i++) {
		const Caisson__Wire__KeyInfo *key = hello->keys[i];
		struct cs_hash identity = wire_pb_hash(key->chain);
		json_t *json = json_object();
		json_object_set_new(json, "chain", json_string(gateway_caip2(gateway, &identity)));
		json_object_set_new(json, "identity", host_json_hash(&identity));
		json_object_set_new(json, "epoch", host_json_u64(key->epoch));
		json_object_set_new(json, "public_key",
				    host_json_hex(wire_pb_view(key->public_key)));
		json_object_set_new(json, "gas_address",
				    host_json_hex(wire_pb_view(key->gas_address)));
		json_array_append_new(list, json);
	}
	return list;
}

json_t *gateway_json_keys(struct gateway *gateway)
{
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	json_t *keys = json_array();
	if (gateway_enclave_hello(gateway).n &&
	    gateway_enclave_reply(&gateway->scratch, gateway_enclave_hello(gateway),
				  &caisson__wire__hello_reply__descriptor, &message) == CS_OK) {
		json_decref(keys);
		keys = keys_json(gateway, (const Caisson__Wire__HelloReply *)message);
	}
	cs_arena_rewind(&gateway->scratch, mark);
	return keys;
}

bool gateway_read_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end = NULL;
	if (!text)
		return true;
	if (text[0] < '0' || text[0] > '9' || strlen(text) > 19)
		return false;
	uint64_t number = strtoull(text, &end, 10);
	if (*end != 0 || number > max)
		return false;
	*value = number;
	return true;
}

bool gateway_body_is_empty(struct host_http_exchange *exchange)
{
	static const char *const names[] = {NULL};
	struct cs_why why = {{0}};
	json_t *body = NULL;
	if (host_http_body(exchange).n == 0)
		return true;
	enum cs_err err = host_http_body_json(exchange, &body, &why);
	if (err == CS_OK)
		err = host_json_known(body, names, "body", &why);
	json_decref(body);
	if (err != CS_OK)
		gateway_problem(exchange, err, &why);
	return err == CS_OK;
}
