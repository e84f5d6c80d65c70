/* Messages, statements and steps as JSON: between gateways, for applications, and for `caisson
 * verify`. */
#include "gateway/envelope_json.h"

#include "host/json_values.h"

/* ---- writing ---- */

json_t *gateway_json_statement(const struct gateway_statement *st, const struct wire_signed *part)
{
	json_t *json = json_object();
	json_object_set_new(json, "kind", host_json_u64(st->statement.kind));
	json_object_set_new(json, "signer", host_json_hash(&st->statement.signer));
	json_object_set_new(json, "receiver", host_json_hash(&st->statement.receiver));
	json_object_set_new(json, "epoch", host_json_u64(st->statement.epoch));
	json_object_set_new(json, "manifest", host_json_u64(st->statement.manifest_number));
	json_object_set_new(json, "root", host_json_hash(&st->statement.root));
	json_object_set_new(json, "rx", host_json_hash(&st->signature.rx));
	json_object_set_new(json, "ry", host_json_hash(&st->signature.ry));
	json_object_set_new(json, "s", host_json_hash(&st->signature.s));
	if (part) {
		json_t *path = json_array();
		for (size_t i = 0; i < part->path_count; i++)
			json_array_append_new(path, host_json_hash(&part->path[i]));
		json_object_set_new(json, "path", path);
	}
	return json;
}

json_t *gateway_json_message(const struct wire_message *message, const struct cs_hash *id)
{
	const struct wire_message_head *head = &message->head;
	json_t *json = json_object();
	if (id)
		json_object_set_new(json, "id", host_json_hash(id));
	json_object_set_new(json, "source", host_json_hash(&head->source));
	json_object_set_new(json, "destination", host_json_hash(&head->destination));
	json_object_set_new(json, "sequence", host_json_u64(head->sequence));
	json_object_set_new(json, "deadline", host_json_u64(head->deadline));
	json_object_set_new(json, "min_gas_limit", host_json_u64(head->min_gas_limit));
	json_object_set_new(json, "closer", host_json_hash(&head->closer));
	json_object_set_new(json, "refund_to", host_json_hash(&head->refund_to));
	json_object_set_new(json, "finality", host_json_u64(head->finality));
	json_object_set_new(json, "sender", host_json_hex(message->sender));
	json_object_set_new(json, "recipient", host_json_hex(message->recipient));
	json_object_set_new(json, "payload", host_json_hex(message->payload));
	return json;
}

/* ---- reading: strict ---- */

enum cs_err gateway_json_read_statement(const json_t *object, struct gateway_statement *statement,
					struct cs_why *why)
{
	static const char *const names[] = {"kind",     "signer", "receiver", "epoch",
					    "manifest", "root",   "rx",       "ry",
					    "s",        "path",   NULL};
	struct gateway_statement st = {0};
	uint64_t kind = 0;
	CS_TRY(host_json_known(object, names, "statement", why));
	CS_TRY(host_json_read_u64(object, "kind", &kind, why));
	if (kind != WIRE_KIND_MESSAGE && kind != WIRE_KIND_OUTCOME && kind != WIRE_KIND_ROTATION)
		return cs_fail(why, CS_ERR_INVALID, "statement: kind is not 1 to 3");
	st.statement.kind = (enum wire_kind)kind;
	CS_TRY(host_json_read_hash(object, "signer", &st.statement.signer, why));
	CS_TRY(host_json_read_hash(object, "receiver", &st.statement.receiver, why));
	CS_TRY(host_json_read_u64(object, "epoch", &st.statement.epoch, why));
	CS_TRY(host_json_read_u64(object, "manifest", &st.statement.manifest_number, why));
	CS_TRY(host_json_read_hash(object, "root", &st.statement.root, why));
	CS_TRY(host_json_read_hash(object, "rx", &st.signature.rx, why));
	CS_TRY(host_json_read_hash(object, "ry", &st.signature.ry, why));
	CS_TRY(host_json_read_hash(object, "s", &st.signature.s, why));
	*statement = st;
	return CS_OK;
}

enum cs_err gateway_json_read_message(const json_t *object, bool of_peer, struct cs_arena *arena,
				      struct wire_message *message, struct cs_why *why)
{
	static const char *const names[] = {"evidence",    "steps",     "id",       "source",
					    "destination", "sequence",  "deadline", "min_gas_limit",
					    "closer",      "refund_to", "finality", "sender",
					    "recipient",   "payload",   NULL};
	struct wire_message m = {0};
	uint64_t finality = 0;
	CS_TRY(host_json_known(object, of_peer ? names : names + 2, "message", why));
	CS_TRY(host_json_read_hash(object, "source", &m.head.source, why));
	CS_TRY(host_json_read_hash(object, "destination", &m.head.destination, why));
	CS_TRY(host_json_read_u64(object, "sequence", &m.head.sequence, why));
	CS_TRY(host_json_read_u64(object, "deadline", &m.head.deadline, why));
	CS_TRY(host_json_read_u64(object, "min_gas_limit", &m.head.min_gas_limit, why));
	CS_TRY(host_json_read_hash(object, "closer", &m.head.closer, why));
	CS_TRY(host_json_read_hash(object, "refund_to", &m.head.refund_to, why));
	CS_TRY(host_json_read_u64(object, "finality", &finality, why));
	if (finality > 255)
		return cs_fail(why, CS_ERR_OVERFLOW, "finality: above 255");
	m.head.finality = (uint8_t)finality;
	CS_TRY(host_json_read_hex(object, "sender", CS_INTEROP_SIZE_MAX, arena, &m.sender, why));
	CS_TRY(host_json_read_hex(object, "recipient", CS_INTEROP_SIZE_MAX, arena, &m.recipient,
				  why));
	CS_TRY(host_json_read_hex(object, "payload", CS_PAYLOAD_SIZE_MAX, arena, &m.payload, why));
	wire_message_seal(&m);
	if (json_object_get(object, "id")) {
		struct cs_hash told;
		CS_TRY(host_json_read_hash(object, "id", &told, why));
		struct cs_hash id = wire_message_id(&m.head);
		if (!cs_hash_eq(&told, &id))
			return cs_fail(why, CS_ERR_INVALID, "id: not the messageId of the message");
	}
	*message = m;
	return CS_OK;
}
