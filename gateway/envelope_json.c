/* Messages, statements and steps as JSON: between gateways, for applications, and for `caisson
 * verify`. */
#include "gateway/envelope_json.h"

#include "host/alloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

json_t *gateway_json_hex(struct cs_bytes bytes)
{
	char *text = host_alloc(2 * bytes.n + 3);
	text[0] = '0';
	text[1] = 'x';
	cs_hex(text + 2, bytes);
	json_t *json = json_stringn_nocheck(text, 2 * bytes.n + 2);
	free(text);
	return json;
}

json_t *gateway_json_hash(const struct cs_hash *hash)
{
	return gateway_json_hex(CS_BYTES_OF(hash->b));
}

/* Numbers up to 2^63 - 1 only: sequence, deadline, gas are kept below in the journal. */
json_t *gateway_json_u64(uint64_t value)
{
	return json_integer((json_int_t)value);
}

json_t *gateway_json_statement(const struct gateway_statement *st, const struct wire_signed *part)
{
	json_t *json = json_object();
	json_object_set_new(json, "kind", gateway_json_u64(st->statement.kind));
	json_object_set_new(json, "signer", gateway_json_hash(&st->statement.signer));
	json_object_set_new(json, "receiver", gateway_json_hash(&st->statement.receiver));
	json_object_set_new(json, "epoch", gateway_json_u64(st->statement.epoch));
	json_object_set_new(json, "manifest", gateway_json_u64(st->statement.manifest_number));
	json_object_set_new(json, "root", gateway_json_hash(&st->statement.root));
	json_object_set_new(json, "rx", gateway_json_hash(&st->signature.rx));
	json_object_set_new(json, "ry", gateway_json_hash(&st->signature.ry));
	json_object_set_new(json, "s", gateway_json_hash(&st->signature.s));
	if (part) {
		json_t *path = json_array();
		for (size_t i = 0; i < part->path_count; i++)
			json_array_append_new(path, gateway_json_hash(&part->path[i]));
		json_object_set_new(json, "path", path);
	}
	return json;
}

json_t *gateway_json_message(const struct wire_message *message, const struct cs_hash *id)
{
	const struct wire_message_head *head = &message->head;
	json_t *json = json_object();
	if (id)
		json_object_set_new(json, "id", gateway_json_hash(id));
	json_object_set_new(json, "source", gateway_json_hash(&head->source));
	json_object_set_new(json, "destination", gateway_json_hash(&head->destination));
	json_object_set_new(json, "sequence", gateway_json_u64(head->sequence));
	json_object_set_new(json, "deadline", gateway_json_u64(head->deadline));
	json_object_set_new(json, "min_gas_limit", gateway_json_u64(head->min_gas_limit));
	json_object_set_new(json, "closer", gateway_json_hash(&head->closer));
	json_object_set_new(json, "refund_to", gateway_json_hash(&head->refund_to));
	json_object_set_new(json, "finality", gateway_json_u64(head->finality));
	json_object_set_new(json, "sender", gateway_json_hex(message->sender));
	json_object_set_new(json, "recipient", gateway_json_hex(message->recipient));
	json_object_set_new(json, "payload", gateway_json_hex(message->payload));
	return json;
}

/* ---- reading: strict ---- */

enum cs_err gateway_json_known(const json_t *object, const char *const *names, const char *where,
			       struct cs_why *why)
{
	const char *name;
	json_t *value;
	if (!json_is_object(object))
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not an object", where);
	/* jansson's iteration takes a pointer to non-const and changes nothing. */
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		size_t i = 0;
		while (names[i] && strcmp(names[i], name) != 0)
			i++;
		if (!names[i])
			return cs_fail(why, CS_ERR_UNKNOWN_FIELD, "%s: unknown member \"%.60s\"",
				       where, name);
	}
	return CS_OK;
}

enum cs_err gateway_json_read_u64(const json_t *object, const char *name, uint64_t *value,
				  struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s: is missing", name);
	if (!json_is_integer(field) || json_integer_value(field) < 0)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a number from 0 to 2^63 - 1", name);
	*value = (uint64_t)json_integer_value(field);
	return CS_OK;
}

static enum cs_err read_text(const json_t *object, const char *name, struct cs_bytes *text,
			     struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s: is missing", name);
	if (!json_is_string(field) || json_string_length(field) < 2 ||
	    strncmp(json_string_value(field), "0x", 2) != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a text of 0x and hex digits", name);
	*text = cs_bytes(json_string_value(field) + 2, json_string_length(field) - 2);
	return CS_OK;
}

enum cs_err gateway_json_read_hash(const json_t *object, const char *name, struct cs_hash *hash,
				   struct cs_why *why)
{
	struct cs_bytes text;
	struct cs_hash out;
	CS_TRY(read_text(object, name, &text, why));
	if (text.n != 64 || cs_unhex(out.b, sizeof(out.b), text) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not 32 bytes of hex", name);
	*hash = out;
	return CS_OK;
}

enum cs_err gateway_json_read_hex(const json_t *object, const char *name, size_t size_max,
				  struct cs_arena *arena, struct cs_bytes *bytes,
				  struct cs_why *why)
{
	struct cs_bytes text;
	CS_TRY(read_text(object, name, &text, why));
	if (text.n % 2 != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: an odd number of hex digits", name);
	if (text.n / 2 > size_max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s: above %zu bytes", name, size_max);
	uint8_t *p = cs_arena_alloc(arena, text.n / 2 + 1);
	if (!p)
		return cs_fail(why, CS_ERR_NO_MEMORY, "%s: no memory", name);
	if (cs_unhex(p, text.n / 2, text) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not hex", name);
	*bytes = cs_bytes(p, text.n / 2);
	return CS_OK;
}

enum cs_err gateway_json_read_statement(const json_t *object, struct gateway_statement *statement,
					struct cs_why *why)
{
	static const char *const names[] = {"kind",     "signer", "receiver", "epoch",
					    "manifest", "root",   "rx",       "ry",
					    "s",        "path",   NULL};
	struct gateway_statement st = {0};
	uint64_t kind = 0;
	CS_TRY(gateway_json_known(object, names, "statement", why));
	CS_TRY(gateway_json_read_u64(object, "kind", &kind, why));
	if (kind != WIRE_KIND_MESSAGE && kind != WIRE_KIND_OUTCOME && kind != WIRE_KIND_ROTATION)
		return cs_fail(why, CS_ERR_INVALID, "statement: kind is not 1 to 3");
	st.statement.kind = (enum wire_kind)kind;
	CS_TRY(gateway_json_read_hash(object, "signer", &st.statement.signer, why));
	CS_TRY(gateway_json_read_hash(object, "receiver", &st.statement.receiver, why));
	CS_TRY(gateway_json_read_u64(object, "epoch", &st.statement.epoch, why));
	CS_TRY(gateway_json_read_u64(object, "manifest", &st.statement.manifest_number, why));
	CS_TRY(gateway_json_read_hash(object, "root", &st.statement.root, why));
	CS_TRY(gateway_json_read_hash(object, "rx", &st.signature.rx, why));
	CS_TRY(gateway_json_read_hash(object, "ry", &st.signature.ry, why));
	CS_TRY(gateway_json_read_hash(object, "s", &st.signature.s, why));
	*statement = st;
	return CS_OK;
}

enum cs_err gateway_json_read_path(const json_t *object, struct wire_signed *part,
				   struct cs_why *why)
{
	const json_t *path = json_object_get(object, "path");
	if (!path)
		return CS_OK;
	if (!json_is_array(path) || json_array_size(path) > CS_PATH_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "path: not a list of at most %u",
			       CS_PATH_MAX);
	for (size_t i = 0; i < json_array_size(path); i++) {
		const char *text = json_string_value(json_array_get(path, i));
		if (!text || strncmp(text, "0x", 2) != 0 ||
		    cs_unhex(part->path[i].b, 32, cs_bytes_str(text)) != CS_OK)
			return cs_fail(why, CS_ERR_MALFORMED, "path[%zu]: not 32 bytes of hex", i);
	}
	part->path_count = json_array_size(path);
	return CS_OK;
}

enum cs_err gateway_json_read_message(const json_t *object, struct cs_arena *arena,
				      struct wire_message *message, struct cs_why *why)
{
	static const char *const names[] = {"id",       "source",        "destination", "sequence",
					    "deadline", "min_gas_limit", "closer",      "refund_to",
					    "finality", "sender",        "recipient",   "payload",
					    "evidence", "steps",         NULL};
	struct wire_message m = {0};
	uint64_t finality = 0;
	CS_TRY(gateway_json_known(object, names, "message", why));
	CS_TRY(gateway_json_read_hash(object, "source", &m.head.source, why));
	CS_TRY(gateway_json_read_hash(object, "destination", &m.head.destination, why));
	CS_TRY(gateway_json_read_u64(object, "sequence", &m.head.sequence, why));
	CS_TRY(gateway_json_read_u64(object, "deadline", &m.head.deadline, why));
	CS_TRY(gateway_json_read_u64(object, "min_gas_limit", &m.head.min_gas_limit, why));
	CS_TRY(gateway_json_read_hash(object, "closer", &m.head.closer, why));
	CS_TRY(gateway_json_read_hash(object, "refund_to", &m.head.refund_to, why));
	CS_TRY(gateway_json_read_u64(object, "finality", &finality, why));
	if (finality > 255)
		return cs_fail(why, CS_ERR_OVERFLOW, "finality: above 255");
	m.head.finality = (uint8_t)finality;
	CS_TRY(gateway_json_read_hex(object, "sender", CS_INTEROP_SIZE_MAX, arena, &m.sender, why));
	CS_TRY(gateway_json_read_hex(object, "recipient", CS_INTEROP_SIZE_MAX, arena, &m.recipient,
				     why));
	CS_TRY(gateway_json_read_hex(object, "payload", CS_PAYLOAD_SIZE_MAX, arena, &m.payload,
				     why));
	wire_message_seal(&m);
	if (json_object_get(object, "id")) {
		struct cs_hash told;
		CS_TRY(gateway_json_read_hash(object, "id", &told, why));
		struct cs_hash id = wire_message_id(&m.head);
		if (!cs_hash_eq(&told, &id))
			return cs_fail(why, CS_ERR_INVALID, "id: not the messageId of the message");
	}
	*message = m;
	return CS_OK;
}
