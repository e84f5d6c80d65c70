#include "adapters/conflict.h"

#include "host/alloc.h"
#include "host/json_values.h"
#include "wire/convert.h"
#include "wire/decode.h"

#include <stdlib.h>

struct conflict {
	struct adapter_follow *follow;
	struct host_http_exchange *exchange;
	adapter_conflict_signed *add;
	void *ctx;
};

static json_t *header_json(size_t count, const ProtobufCBinaryData *headers)
{
	return count > 0 ? host_json_hex(wire_pb_view(headers[0])) : json_null();
}

static enum cs_err conflict_json(json_t *json, const struct conflict *conflict,
				 struct cs_bytes body)
{
	struct adapter_follow *follow = conflict->follow;
	struct cs_why why = {{0}};
	ProtobufCMessage *message = NULL;
	CS_TRY(wire_decode(&message, &caisson__wire__conflict_reply__descriptor, body,
			   follow->scratch, &why));
	const Caisson__Wire__ConflictReply *reply = (const Caisson__Wire__ConflictReply *)message;
	struct cs_hash first = wire_pb_hash(reply->first_hash);
	struct cs_hash second = wire_pb_hash(reply->second_hash);
	json_object_set_new(json, "chain", json_string(follow->name));
	json_object_set_new(json, "identity", host_json_hash(&follow->identity));
	json_object_set_new(json, "height", host_json_u64(reply->height));
	json_object_set_new(json, "first_hash", host_json_hash(&first));
	json_object_set_new(json, "second_hash", host_json_hash(&second));
	json_object_set_new(json, "held", reply->held[0] ? json_string(reply->held) : json_null());
	json_object_set_new(json, "first", header_json(reply->n_first, reply->first));
	json_object_set_new(json, "second", header_json(reply->n_second, reply->second));
	return conflict->add(conflict->ctx, json, reply->height);
}

static void done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct conflict *conflict = context;
	struct cs_arena *arena = conflict->follow->scratch;
	size_t mark = cs_arena_mark(arena);
	json_t *json = json_object();
	if (err == CS_OK)
		err = conflict_json(json, conflict, body);
	if (err == CS_OK)
		host_http_reply_json(conflict->exchange, 200, json_incref(json));
	else
		host_http_reply_problem(conflict->exchange, err, why);
	json_decref(json);
	cs_arena_rewind(arena, mark);
	free(conflict);
}

void adapter_conflict_reply(struct adapter_follow *follow, struct host_http_exchange *exchange,
			    adapter_conflict_signed *add, void *ctx)
{
	Caisson__Wire__ConflictRequest request = CAISSON__WIRE__CONFLICT_REQUEST__INIT;
	if (!follow->ops->ready(follow->context)) {
		host_http_reply_problem(exchange, CS_ERR_UNAVAILABLE, "the enclave is not ready");
		return;
	}
	struct conflict *conflict = host_alloc(sizeof(*conflict));
	*conflict = (struct conflict){follow, exchange, add, ctx};
	size_t mark = cs_arena_mark(follow->scratch);
	request.chain = wire_pb_bytes(follow->scratch, CS_BYTES_OF(follow->identity.b));
	enum cs_err err =
		follow->ops->call(follow->context, WIRE_CONFLICT, &request.base, done, conflict);
	cs_arena_rewind(follow->scratch, mark);
	if (err != CS_OK)
		done(conflict, err, NULL, CS_BYTES_NONE);
}
