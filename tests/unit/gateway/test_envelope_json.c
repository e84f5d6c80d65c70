/* Envelopes as JSON: what is written is read back to the same bytes; the published vectors keep
 * their identifiers; what is not exactly of the form is refused by name. */
#include "gateway/envelope_json.h"
#include "host/json_values.h"
#include "tests/unit/support.h"

static uint8_t block[1 << 20];
static struct cs_arena arena;

static int setup(void **state)
{
	(void)state;
	cs_arena_init(&arena, block, sizeof(block));
	return 0;
}

static json_t *vector_message(const json_t *vector)
{
	static const char *const same[] = {"source", "destination", "closer", "refund_to",
					   "sender", "recipient",   "payload"};
	static const char *const numbers[] = {"sequence", "deadline", "min_gas_limit"};
	json_t *json = json_object();
	for (size_t i = 0; i < CS_LEN(same); i++)
		json_object_set(json, same[i], json_object_get(vector, same[i]));
	for (size_t i = 0; i < CS_LEN(numbers); i++) {
		const char *text = json_string_value(json_object_get(vector, numbers[i]));
		unsigned long long value = strtoull(text, NULL, 10);
		/* 64-bit extremes cannot be in a journal: the contract's bounds keep them off the
		 * chain. */
		if (value > INT64_MAX) {
			json_decref(json);
			return NULL;
		}
		json_object_set_new(json, numbers[i], json_integer((json_int_t)value));
	}
	json_object_set(json, "finality", json_object_get(vector, "finality"));
	json_object_set(json, "id", json_object_get(vector, "message_id"));
	return json;
}

static void vectors_keep_their_identifiers(void **state)
{
	json_t *file = read_json(CS_VECTORS "/envelope/messages.json");
	const json_t *vectors = json_object_get(file, "messages");
	size_t taken = 0;
	(void)state;
	for (size_t i = 0; i < json_array_size(vectors); i++) {
		struct wire_message message;
		struct cs_why why = {{0}};
		json_t *json = vector_message(json_array_get(vectors, i));
		if (!json)
			continue;
		enum cs_err err = gateway_json_read_message(json, true, &arena, &message, &why);
		if (err != CS_OK)
			fail_msg("vector %zu: %s", i, why.text);
		struct cs_hash id = wire_message_id(&message.head);
		json_t *again = gateway_json_message(&message, &id);
		assert_true(json_equal(json, again));
		json_decref(again);
		json_decref(json);
		taken++;
	}
	assert_true(taken > 0);
	json_decref(file);
}

static json_t *sample(void)
{
	json_t *file = read_json(CS_VECTORS "/envelope/messages.json");
	const json_t *vectors = json_object_get(file, "messages");
	json_t *message = vector_message(json_array_get(vectors, 0));
	json_decref(file);
	return message;
}

struct bad {
	const char *name;
	const char *value; /* JSON; NULL: left out */
	enum cs_err err;
};

static void messages_of_another_form_are_refused(void **state)
{
	static const struct bad table[] = {
		{"source", NULL, CS_ERR_MISSING_FIELD},
		{"source", "5", CS_ERR_MALFORMED},
		{"source", "\"0x1234\"", CS_ERR_MALFORMED},
		{"source", "\"6722c041cccae7b4e39b0efaae452273279ac919cb93a472b35497dc4f91ec7e\"",
		 CS_ERR_MALFORMED},
		{"sequence", "\"1\"", CS_ERR_MALFORMED},
		{"sequence", "-1", CS_ERR_MALFORMED},
		{"sequence", "1.5", CS_ERR_MALFORMED},
		{"sequence", NULL, CS_ERR_MISSING_FIELD},
		{"finality", "256", CS_ERR_OVERFLOW},
		{"payload", "\"0x123\"", CS_ERR_MALFORMED},
		{"payload", "\"0xzz\"", CS_ERR_MALFORMED},
		{"payload", "null", CS_ERR_MALFORMED},
		{"sender", NULL, CS_ERR_MISSING_FIELD},
		{"surprise", "1", CS_ERR_UNKNOWN_FIELD},
		{"deadline", "1900000001", CS_ERR_INVALID}, /* another messageId */
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(table); i++) {
		struct wire_message message;
		struct cs_why why = {{0}};
		json_t *json = sample();
		if (table[i].value)
			json_object_set_new(json, table[i].name,
					    json_loads(table[i].value, JSON_DECODE_ANY, NULL));
		else
			json_object_del(json, table[i].name);
		enum cs_err err = gateway_json_read_message(json, true, &arena, &message, &why);
		if (err != table[i].err)
			fail_msg("case %zu: %s instead of %s", i, cs_err_name(err),
				 cs_err_name(table[i].err));
		assert_true(strlen(why.text) > 0);
		json_decref(json);
	}
}

static void a_payload_has_a_bound(void **state)
{
	struct wire_message message;
	struct cs_why why;
	(void)state;
	static char text[2 * (CS_PAYLOAD_SIZE_MAX + 1) + 3];
	memset(text, '0', sizeof(text) - 1);
	text[1] = 'x';
	json_t *json = sample();
	json_object_del(json, "id");
	json_object_set_new(json, "payload", json_string(text));
	assert_int_equal(gateway_json_read_message(json, true, &arena, &message, &why),
			 CS_ERR_TOO_LARGE);
	text[sizeof(text) - 3] = 0;
	json_object_set_new(json, "payload", json_string(text));
	assert_int_equal(gateway_json_read_message(json, true, &arena, &message, &why), CS_OK);
	assert_int_equal(message.payload.n, CS_PAYLOAD_SIZE_MAX);
	json_decref(json);
}

static void statements_come_back(void **state)
{
	struct gateway_statement st = {
		.statement = {.kind = WIRE_KIND_MESSAGE, .epoch = 4, .manifest_number = 9}};
	struct gateway_statement got;
	struct wire_signed part = {.path_count = 3};
	struct wire_signed path = {0};
	struct cs_why why;
	(void)state;
	for (size_t i = 0; i < 32; i++)
		st.signature.s.b[i] = (uint8_t)i;
	part.path[2].b[5] = 77;
	json_t *json = gateway_json_statement(&st, &part);
	assert_int_equal(gateway_json_read_statement(json, &got, &why), CS_OK);
	assert_int_equal(host_json_read_path(json, &path, &why), CS_OK);
	assert_true(cs_hash_eq(&got.signature.s, &st.signature.s) && got.statement.epoch == 4);
	assert_true(path.path_count == 3 && path.path[2].b[5] == 77);
	json_object_set_new(json, "kind", json_integer(4));
	assert_int_equal(gateway_json_read_statement(json, &got, &why), CS_ERR_INVALID);
	json_object_set_new(json, "kind", json_integer(2));
	json_object_set_new(json, "more", json_true());
	assert_int_equal(gateway_json_read_statement(json, &got, &why), CS_ERR_UNKNOWN_FIELD);
	json_t *list = json_array();
	for (unsigned i = 0; i <= CS_PATH_MAX; i++)
		json_array_append_new(list, host_json_hash(&part.path[2]));
	json_object_set_new(json, "path", list);
	assert_int_equal(host_json_read_path(json, &path, &why), CS_ERR_TOO_LARGE);
	json_decref(json);
	assert_int_equal(gateway_json_read_statement(NULL, &got, &why), CS_ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(vectors_keep_their_identifiers, setup),
		cmocka_unit_test_setup(messages_of_another_form_are_refused, setup),
		cmocka_unit_test_setup(a_payload_has_a_bound, setup),
		cmocka_unit_test_setup(statements_come_back, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
