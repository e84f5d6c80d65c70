/* Envelopes of the published vectors: what verifies, and every way in which one must not. */
#include "host/json_values.h"
#include "sdk/c/include/caisson/client.h"
#include "tests/unit/sdk/vectors.h"
#include "tests/unit/support.h"

struct world {
	char first[67];
	char second[67];
	struct caisson_keys keys;
};

/* A copy for each change: reading the vectors takes longer than verifying one. */
static json_t *delivered(void)
{
	static json_t *document;
	if (!document)
		document = vector_outcome(2);
	return json_deep_copy(document);
}

static int start(void **state)
{
	static struct world world;
	vector_key(world.first, 1);
	vector_key(world.second, 2);
	world.keys = (struct caisson_keys){.key = world.first, .outcome_key = world.second};
	*state = &world;
	return 0;
}

static struct caisson_verified *proven(json_t *document, const struct caisson_keys *keys)
{
	struct caisson_verified *verified = NULL;
	struct caisson_error error = {.text = ""};
	char *text = json_dumps(document, 0);
	if (caisson_verify_envelope(&verified, text, strlen(text), keys, &error) != CAISSON_OK)
		fail_msg("%s", error.text);
	free(text);
	json_decref(document);
	return verified;
}

static void refused_text(const char *text, size_t size, const struct caisson_keys *keys,
			 enum caisson_err err, const char *why)
{
	struct caisson_verified *verified = NULL;
	struct caisson_error error = {.text = ""};
	if (caisson_verify_envelope(&verified, text, size, keys, &error) != err)
		fail_msg("%s where \"%s\" was expected, of %.300s", error.text, why, text);
	if (!strstr(error.text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, error.text);
	assert_null(verified);
	assert_int_equal(caisson_verify_envelope(&verified, text, size, keys, NULL), err);
}

/* Takes the document. */
static void refused(json_t *document, const struct caisson_keys *keys, const char *why)
{
	char *text = json_dumps(document, 0);
	assert_non_null(text);
	refused_text(text, strlen(text), keys, CAISSON_NOT_PROVEN, why);
	free(text);
	json_decref(document);
}

static bool is_hex(const uint8_t bytes[32], const char *text)
{
	uint8_t wanted[32];
	return text && cs_unhex(wanted, 32, cs_bytes_str(text)) == CS_OK &&
	       memcmp(bytes, wanted, 32) == 0;
}

/* ---- good ---- */

static void messages(void **state)
{
	static const char *const names[] = {"plain", "payload of 33", "payload of 10,000",
					    "closer and refundTo"};
	const struct world *world = *state;
	for (size_t i = 0; i < CS_LEN(names); i++) {
		json_t *document = json_incref(vector_envelope(names[i], SECURE));
		const json_t *message = json_object_get(document, "message");
		struct caisson_verified *v = proven(document, &world->keys);
		json_t *payload = host_json_hex(cs_bytes(v->payload, v->payload_size));
		assert_true(is_hex(v->id, json_string_value(json_object_get(message, "id"))));
		assert_true(
			is_hex(v->source, json_string_value(json_object_get(message, "source"))));
		assert_true(
			is_hex(v->closer, json_string_value(json_object_get(message, "closer"))));
		assert_int_equal(v->deadline,
				 json_integer_value(json_object_get(message, "deadline")));
		assert_true(json_equal(payload, json_object_get(message, "payload")));
		assert_true(is_hex(v->signature.key, world->first));
		assert_true(v->signature.epoch == 1 && !v->signature.insecure);
		assert_int_equal(v->outcome, CAISSON_NO_OUTCOME);
		assert_non_null(strstr(v->sender, "eip155:31337:0x"));
		assert_non_null(strstr(v->recipient, "eip155:777:0x"));
		caisson_verified_free(v);
		json_decref(payload);
		json_decref(document);
	}
	caisson_verified_free(NULL);
}

static void outcomes(void **state)
{
	const struct world *world = *state;
	static const enum caisson_outcome both[] = {CAISSON_DELIVERED, CAISSON_DEAD};
	for (size_t i = 0; i < CS_LEN(both); i++) {
		struct caisson_verified *v = proven(vector_outcome((int)both[i]), &world->keys);
		assert_int_equal(v->outcome, both[i]);
		assert_true(is_hex(v->outcome_signature.key, world->second));
		caisson_verified_free(v);
	}
}

static void what_weakens_is_asked_for(void **state)
{
	const struct world *world = *state;
	struct caisson_keys keys = world->keys;
	keys.insecure_domain = true;
	struct caisson_verified *v = proven(vector_envelope("plain", INSECURE), &keys);
	assert_true(v->signature.insecure);
	caisson_verified_free(v);
	v = proven(vector_envelope("plain", SECURE), &keys);
	assert_false(v->signature.insecure);
	caisson_verified_free(v);
	keys = (struct caisson_keys){.insecure_file_keys = true};
	v = proven(vector_envelope("plain", SECURE), &keys);
	assert_true(is_hex(v->signature.key, world->first));
	caisson_verified_free(v);
	refused(vector_envelope("plain", INSECURE), &world->keys, "simulated or insecure");
}

/* ---- keys ---- */

static void keys_that_are_missing_or_others(void **state)
{
	const struct world *world = *state;
	struct caisson_keys keys = {.outcome_key = world->second};
	static const char zeros[] =
		"0x0000000000000000000000000000000000000000000000000000000000000000";
	static const char *const none[] = {"", "0x12", "zz", zeros + 1};
	refused(vector_envelope("plain", SECURE), &keys, "key is needed");
	keys.insecure_file_keys = true;
	json_t *document = vector_envelope("plain", SECURE);
	json_object_set_new(json_array_get(json_object_get(document, "keys"), 0), "epoch",
			    json_integer(2));
	refused(document, &keys, "key is needed");
	document = vector_envelope("plain", SECURE);
	json_object_del(document, "keys");
	refused(document, &keys, "key is needed");
	keys = (struct caisson_keys){.key = world->first};
	refused(delivered(), &keys, "outcome_key is needed");
	keys = (struct caisson_keys){.key = world->second, .outcome_key = world->second};
	refused(delivered(), &keys, "statement: the signature");
	keys = (struct caisson_keys){.key = world->first, .outcome_key = world->first};
	refused(delivered(), &keys, "outcome_statement: the signature");
	keys.key = zeros;
	refused(vector_envelope("plain", SECURE), &keys, "statement: the signature");
	document = vector_envelope("plain", SECURE);
	char *text = json_dumps(document, 0);
	for (size_t i = 0; i < CS_LEN(none); i++) {
		keys.key = none[i];
		refused_text(text, strlen(text), &keys, CAISSON_INVALID, "key: not 32 bytes");
	}
	free(text);
	json_decref(document);
}

/* ---- every member is signed ---- */

/* A value of the same form, and another. */
static json_t *other(const json_t *value)
{
	char text[32768];
	if (json_is_integer(value))
		return json_integer(json_integer_value(value) + 1);
	size_t n = json_string_length(value);
	memcpy(text, json_string_value(value), n + 1);
	text[n - 1] = text[n - 1] == '0' ? '1' : '0';
	return json_string(text);
}

static void every_member_of_the_message(void **state)
{
	const struct world *world = *state;
	json_t *good = delivered();
	const char *name;
	json_t *value;
	json_object_foreach(json_object_get(good, "message"), name, value)
	{
		json_t *document = json_deep_copy(good);
		json_t *message = json_object_get(document, "message");
		json_object_set_new(message, name, other(value));
		refused(json_incref(document), &world->keys, "message: id: not the messageId");
		if (strcmp(name, "id") != 0) {
			json_object_del(message, "id");
			refused(json_incref(document), &world->keys, "statement: ");
		}
		json_object_del(message, name);
		if (strcmp(name, "id") != 0)
			refused(json_incref(document), &world->keys, "is missing");
		json_decref(document);
	}
	json_decref(good);
}

static void every_member_of_the_statements(void **state)
{
	static const char *const statements[] = {"statement", "outcome_statement"};
	const struct world *world = *state;
	json_t *good = delivered();
	for (size_t i = 0; i < CS_LEN(statements); i++) {
		const char *name;
		json_t *value;
		json_object_foreach(json_object_get(good, statements[i]), name, value)
		{
			if (json_is_array(value))
				continue;
			json_t *document = json_deep_copy(good);
			json_t *statement = json_object_get(document, statements[i]);
			json_object_set_new(statement, name, other(value));
			refused(json_incref(document), &world->keys, "statement: ");
			json_object_del(statement, name);
			refused(document, &world->keys, "is missing");
		}
	}
	json_decref(good);
}

static void paths(void **state)
{
	static const char zeros[] =
		"0x0000000000000000000000000000000000000000000000000000000000000000";
	const struct world *world = *state;
	for (unsigned change = 0; change < 5; change++) {
		json_t *document = vector_envelope("payload of 33", SECURE);
		json_t *statement = json_object_get(document, "statement");
		json_t *path = json_object_get(statement, "path");
		assert_int_equal(json_array_size(path), 3);
		if (change == 0)
			json_array_remove(path, 2);
		else if (change == 1)
			json_array_append_new(path, json_string(zeros));
		else if (change == 2)
			json_array_set_new(path, 1, json_string(zeros));
		else if (change == 3)
			json_array_set_new(path, 1, json_string("0x00"));
		else
			for (unsigned i = 0; i < 14; i++)
				json_array_append_new(path, json_string(zeros));
		refused(document, &world->keys,
			change < 3    ? "path does not lead"
			: change == 3 ? "path[1]"
				      : "at most 16");
	}
}

static void outcomes_that_are_none(void **state)
{
	const struct world *world = *state;
	static const int none[] = {0, 1, 4, -1};
	json_t *document = delivered();
	json_object_set_new(document, "outcome", json_integer(3));
	refused(document, &world->keys, "outcome_statement: its path");
	for (size_t i = 0; i < CS_LEN(none); i++) {
		document = delivered();
		json_object_set_new(document, "outcome", json_integer(none[i]));
		refused(document, &world->keys, "neither delivered");
	}
	document = delivered();
	json_object_del(document, "outcome");
	refused(document, &world->keys, "comes with its statement");
	document = delivered();
	json_object_del(document, "outcome_statement");
	refused(document, &world->keys, "comes with its statement");
	document = delivered();
	json_object_set(document, "outcome_statement", json_object_get(document, "statement"));
	refused(document, &world->keys, "way back");
	document = delivered();
	json_object_set(document, "statement", json_object_get(document, "outcome_statement"));
	refused(document, &world->keys, "route");
}

/* ---- forms ---- */

static void members_that_nobody_signed(void **state)
{
	static const char *const extra[] = {"evidence", "steps", "hidden"};
	const struct world *world = *state;
	json_t *document = delivered();
	json_object_set_new(document, "extra", json_integer(1));
	refused(document, &world->keys, "extra");
	for (size_t i = 0; i < CS_LEN(extra); i++) {
		document = delivered();
		json_object_set_new(json_object_get(document, "message"), extra[i], json_object());
		refused(document, &world->keys, extra[i]);
		document = delivered();
		json_object_set_new(json_object_get(document, "statement"), extra[i], json_null());
		refused(document, &world->keys, extra[i]);
	}
}

static void documents_that_are_none(void **state)
{
	static const char *const texts[] = {"",
					    "{",
					    "[]",
					    "null",
					    "7",
					    "\"x\"",
					    "NaN",
					    "\xff\xfe",
					    "{} {}",
					    "{}",
					    "{\"message\":{},\"message\":{}}",
					    "{\"message\":{},\"statement\":{}}",
					    "{\"message\":[],\"statement\":[]}",
					    "{\"message\":{\"id\":\"\\u0000\"}}"};
	const struct world *world = *state;
	for (size_t i = 0; i < CS_LEN(texts); i++)
		refused_text(texts[i], strlen(texts[i]), &world->keys, CAISSON_NOT_PROVEN, ": ");
	char *large = malloc(CAISSON_ENVELOPE_SIZE_MAX + 1);
	memset(large, ' ', CAISSON_ENVELOPE_SIZE_MAX + 1);
	refused_text(large, CAISSON_ENVELOPE_SIZE_MAX + 1, &world->keys, CAISSON_NOT_PROVEN,
		     "above");
	memset(large, '[', 100000);
	refused_text(large, 100000, &world->keys, CAISSON_NOT_PROVEN, "not JSON");
	free(large);
}

static void values_of_another_form(void **state)
{
	static const char *const numbers[] = {"\"1\"", "1.0", "true", "-1", "null"};
	static const char *const hex[] = {"\"00\"", "\"0x0\"", "\"0xzz\"", "\"0X00\"", "7", "null"};
	const struct world *world = *state;
	for (size_t i = 0; i < CS_LEN(numbers); i++) {
		json_t *document = delivered();
		json_object_set_new(json_object_get(document, "message"), "sequence",
				    json_loads(numbers[i], JSON_DECODE_ANY, NULL));
		refused(document, &world->keys, "sequence: ");
		document = delivered();
		json_object_set_new(json_object_get(document, "statement"), "epoch",
				    json_loads(numbers[i], JSON_DECODE_ANY, NULL));
		refused(document, &world->keys, "epoch: ");
	}
	for (size_t i = 0; i < CS_LEN(hex); i++) {
		json_t *document = delivered();
		json_object_set_new(json_object_get(document, "message"), "payload",
				    json_loads(hex[i], JSON_DECODE_ANY, NULL));
		refused(document, &world->keys, "payload: ");
	}
	json_t *document = delivered();
	json_object_set_new(json_object_get(document, "message"), "finality", json_integer(256));
	refused(document, &world->keys, "finality: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(outcomes),
		cmocka_unit_test(what_weakens_is_asked_for),
		cmocka_unit_test(keys_that_are_missing_or_others),
		cmocka_unit_test(every_member_of_the_message),
		cmocka_unit_test(every_member_of_the_statements),
		cmocka_unit_test(paths),
		cmocka_unit_test(outcomes_that_are_none),
		cmocka_unit_test(members_that_nobody_signed),
		cmocka_unit_test(documents_that_are_none),
		cmocka_unit_test(values_of_another_form),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
