/* What a peer gateway or a file for `caisson verify` may hold: a message, a statement, a path. What
 * was accepted is written and read again to the same message. */
#include "gateway/envelope_json.h"
#include "host/json_values.h"
#include "tests/fuzz/fuzz.h"

static void message_again(const struct wire_message *message, struct cs_arena *arena)
{
	struct cs_hash id = wire_message_id(&message->head);
	struct wire_message again;
	struct cs_why why;
	json_t *json = gateway_json_message(message, &id);
	cs_assert(json != NULL);
	cs_assert(gateway_json_read_message(json, true, arena, &again, &why) == CS_OK);
	struct cs_hash id_again = wire_message_id(&again.head);
	cs_assert(cs_hash_eq(&id, &id_again));
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_arena *arena = fuzz_arena();
	struct wire_message message;
	struct gateway_statement statement;
	struct wire_signed part = {0};
	struct cs_why why;
	if (size > 65536)
		return 0;
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL)
		return 0;
	if (gateway_json_read_message(json, true, arena, &message, &why) == CS_OK)
		message_again(&message, arena);
	if (gateway_json_read_statement(json, &statement, &why) == CS_OK)
		cs_assert(statement.statement.kind >= WIRE_KIND_MESSAGE &&
			  statement.statement.kind <= WIRE_KIND_ROTATION);
	if (host_json_read_path(json, &part, &why) == CS_OK)
		cs_assert(part.path_count <= CS_PATH_MAX);
	json_decref(json);
	return 0;
}
