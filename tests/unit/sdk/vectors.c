#include "tests/unit/sdk/vectors.h"

#include "host/json_values.h"
#include "tests/unit/support.h"

json_t *vector_file(const char *name)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s.json", CS_VECTORS, name);
	json_t *json = json_load_file(path, 0, NULL);
	assert_non_null(json);
	return json;
}

void vector_key(char text[67], int number)
{
	char label[40];
	json_t *file = vector_file("envelope/signatures");
	json_t *cases = json_object_get(file, "signatures");
	(void)snprintf(label, sizeof(label), "caisson vector key %d", number);
	struct cs_hash secret = cs_keccak256(cs_bytes_str(label));
	json_t *wanted = host_json_hash(&secret);
	text[0] = 0;
	for (size_t i = 0; i < json_array_size(cases) && !text[0]; i++) {
		json_t *one = json_array_get(cases, i);
		if (json_equal(json_object_get(one, "secret"), wanted))
			(void)snprintf(text, 67, "%s",
				       json_string_value(json_object_get(one, "public")));
	}
	json_decref(wanted);
	json_decref(file);
	assert_int_equal(strlen(text), 66);
}

static json_t *number(const json_t *text)
{
	return json_integer(json_is_integer(text) ? json_integer_value(text)
						  : strtoll(json_string_value(text), NULL, 10));
}

static json_t *named(const json_t *list, const char *member, const char *value)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one = json_array_get(list, i);
		if (strcmp(json_string_value(json_object_get(one, member)), value) == 0)
			return one;
	}
	fail_msg("no vector %s", value);
	return NULL;
}

static struct cs_hash word_of(const json_t *text)
{
	struct cs_hash hash;
	assert_int_equal(cs_unhex(hash.b, 32, cs_bytes_str(json_string_value(text))), CS_OK);
	return hash;
}

/* The statement of a call, with the root that its path leads to from the leaf. */
static json_t *statement_of(const json_t *call, int kind, const char *signer,
			    const struct cs_hash *leaf)
{
	const json_t *given = json_object_get(call, "statement");
	const json_t *path = json_object_get(given, "path");
	struct cs_hash siblings[CS_PATH_MAX];
	json_t *out = json_deep_copy(given);
	for (size_t i = 0; i < json_array_size(path); i++)
		siblings[i] = word_of(json_array_get(path, i));
	struct cs_hash root = wire_fold(leaf, siblings, json_array_size(path));
	json_object_set_new(out, "epoch", number(json_object_get(given, "epoch")));
	json_object_set_new(out, "manifest", number(json_object_get(given, "manifest")));
	json_object_set_new(out, "kind", json_integer(kind));
	json_object_set(out, "signer", json_object_get(call, signer));
	json_object_set(out, "receiver", json_object_get(call, "receiver"));
	json_object_set_new(out, "root", host_json_hash(&root));
	return out;
}

static json_t *message_of(const json_t *vector)
{
	static const char *const texts[] = {"source", "destination", "closer", "refund_to",
					    "sender", "recipient",   "payload"};
	static const char *const numbers[] = {"sequence", "deadline", "min_gas_limit", "finality"};
	json_t *out = json_object();
	json_object_set(out, "id", json_object_get(vector, "message_id"));
	for (size_t i = 0; i < CS_LEN(texts); i++)
		json_object_set(out, texts[i], json_object_get(vector, texts[i]));
	for (size_t i = 0; i < CS_LEN(numbers); i++)
		json_object_set_new(out, numbers[i], number(json_object_get(vector, numbers[i])));
	return out;
}

static const json_t *call_of(const json_t *calls, const char *message, const char *domain)
{
	for (size_t i = 0; i < json_array_size(calls); i++) {
		const json_t *call = json_array_get(calls, i);
		const json_t *carried = json_object_get(call, "messages");
		const char *of = json_string_value(json_object_get(call, "domain"));
		if (json_array_size(carried) == 1 && of && strcmp(of, domain) == 0 &&
		    strcmp(json_string_value(json_array_get(carried, 0)), message) == 0)
			return call;
	}
	fail_msg("no call with %s", message);
	return NULL;
}

json_t *vector_envelope(const char *message, const char *domain)
{
	char key[67];
	json_t *messages = vector_file("envelope/messages");
	json_t *calldata = vector_file("envelope/calldata");
	const json_t *vector = named(json_object_get(messages, "messages"), "name", message);
	const json_t *call = call_of(json_object_get(calldata, "calls"), message, domain);
	struct cs_hash leaf = word_of(json_object_get(vector, "leaf"));
	vector_key(key, 1);
	json_t *out = json_pack("{s:o,s:o,s:[{s:s,s:O,s:i,s:s}]}", "statement",
				statement_of(call, 1, "source", &leaf), "message",
				message_of(vector), "keys", "chain", "eip155:31337", "identity",
				json_object_get(call, "source"), "epoch", 1, "public_key", key);
	json_decref(messages);
	json_decref(calldata);
	assert_non_null(out);
	return out;
}

static const json_t *finalize_of(const json_t *calls, int status)
{
	for (size_t i = 0; i < json_array_size(calls); i++) {
		const json_t *call = json_array_get(calls, i);
		const json_t *outcomes = json_object_get(call, "outcomes");
		const json_t *told = json_object_get(json_array_get(outcomes, 0), "status");
		if (json_array_size(outcomes) == 1 && json_integer_value(told) == status)
			return call;
	}
	fail_msg("no outcome %d", status);
	return NULL;
}

json_t *vector_outcome(int status)
{
	json_t *messages = vector_file("envelope/messages");
	json_t *calldata = vector_file("envelope/calldata");
	const json_t *call = finalize_of(json_object_get(calldata, "calls"), status);
	const json_t *outcome = json_array_get(json_object_get(call, "outcomes"), 0);
	const char *text = json_string_value(json_object_get(outcome, "message_id"));
	const json_t *vector = named(json_object_get(messages, "messages"), "message_id", text);
	struct cs_hash id = word_of(json_object_get(outcome, "message_id"));
	struct cs_hash leaf = wire_leaf_outcome(&id, (enum wire_status)status);
	json_t *out = vector_envelope(json_string_value(json_object_get(vector, "name")), SECURE);
	json_object_set_new(out, "outcome", json_integer(status));
	json_object_set_new(out, "outcome_statement", statement_of(call, 2, "destination", &leaf));
	json_decref(messages);
	json_decref(calldata);
	return out;
}
