/* The oracle's preimages against tests/vectors/oracle, which share no code with them. */
#include "core/decimal.h"
#include "tests/unit/support.h"
#include "wire/envelope.h"
#include "wire/oracle.h"

#define FILE_OF(name) CS_VECTORS "/oracle/" name ".json"

static void test_tags(void **state)
{
	(void)state;
	static const enum wire_tag tags[] = {
		WIRE_TAG_IDENTITY_ORACLE, WIRE_TAG_IDENTITY_APP, WIRE_TAG_SPEC,
		WIRE_TAG_ARGUMENTS,       WIRE_TAG_REQUEST,      WIRE_TAG_LEAF_ANSWER,
		WIRE_TAG_EVIDENCE_SOURCE, WIRE_TAG_EVIDENCE,     WIRE_TAG_FEED,
		WIRE_TAG_LEAF_FEED};
	json_t *file = read_json(FILE_OF("tags")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "tags"), i, one)
	{
		assert_hash(*wire_tag(tags[i]), hash_of(one, "hash"));
	}
	assert_int_equal(i, CS_LEN(tags));
	json_decref(file);
}

static void test_identities(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("identities")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "oracles"), i, one)
	{
		struct cs_hash lineage = hash_of(one, "lineage");
		assert_hash(wire_oracle_identity(&lineage), hash_of(one, "identity"));
	}
	assert_true(i >= 3);
	json_array_foreach(json_object_get(file, "apps"), i, one)
	{
		struct cs_bytes audience = bytes_of(one, "audience");
		assert_hash(wire_app_identity(audience), hash_of(one, "identity"));
		assert_hash(wire_app_asker(audience), hash_of(one, "asker"));
	}
	assert_true(i >= 3);
	json_decref(file);
}

static struct cs_hash arguments_hash(const json_t *list)
{
	struct cs_bytes arguments[WIRE_ARGUMENTS_MAX];
	size_t count = json_array_size(list);
	assert_true(count <= WIRE_ARGUMENTS_MAX);
	for (size_t i = 0; i < count; i++)
		arguments[i] = unhex(json_string_value(json_array_get(list, i)));
	return wire_arguments_hash(arguments, count);
}

static void test_specs(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("specs")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "specs"), i, one)
		assert_hash(wire_spec_hash(bytes_of(one, "bytes")), hash_of(one, "hash"));
	assert_true(i >= 3);
	json_array_foreach(json_object_get(file, "arguments"), i, one)
		assert_hash(arguments_hash(json_object_get(one, "values")), hash_of(one, "hash"));
	assert_true(i >= 3);
	json_array_foreach(json_object_get(file, "secrets"), i, one)
		assert_hash(wire_secrets_hash(bytes_of(one, "bytes")), hash_of(one, "hash"));
	assert_true(i >= 1);
	json_decref(file);
}

static struct wire_request request_of(const json_t *one)
{
	struct wire_request request = {
		.receiver = hash_of(one, "receiver"),
		.counter = u64_of(one, "counter"),
		.asker = hash_of(one, "asker"),
		.spec_hash = hash_of(one, "specHash"),
		.arguments_hash = hash_of(one, "argumentsHash"),
		.secrets_hash = hash_of(one, "secretsHash"),
		.callback = hash_of(one, "callback"),
		.callback_gas = u64_of(one, "callbackGas"),
		.max_age = u64_of(one, "maxAge"),
		.time = u64_of(one, "time"),
		.deadline = u64_of(one, "deadline"),
	};
	assert_ok(cs_u256_from_decimal(&request.fee, cs_bytes_str(text_of(one, "fee"))));
	return request;
}

static void test_requests(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("requests")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "requests"), i, one)
	{
		struct wire_request request = request_of(one);
		assert_hash(wire_request_id(&request), hash_of(one, "request_id"));
		assert_hash(wire_spec_hash(bytes_of(one, "spec")), request.spec_hash);
		assert_hash(arguments_hash(json_object_get(one, "arguments")),
			    request.arguments_hash);
		assert_hash(wire_secrets_hash(bytes_of(one, "secrets")), request.secrets_hash);
	}
	assert_true(i >= 4);
	json_decref(file);
}

/* Every part is committed to. */
static void test_request_commits(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("requests"));
	struct wire_request request =
		request_of(json_array_get(json_object_get(file, "requests"), 0));
	struct cs_hash id = wire_request_id(&request);
	uint8_t *const parts[] = {request.receiver.b,
				  (uint8_t *)&request.counter,
				  request.asker.b,
				  request.spec_hash.b,
				  request.arguments_hash.b,
				  request.secrets_hash.b,
				  request.callback.b,
				  (uint8_t *)&request.callback_gas,
				  (uint8_t *)&request.fee.limb[3],
				  (uint8_t *)&request.max_age,
				  (uint8_t *)&request.time,
				  (uint8_t *)&request.deadline};
	for (size_t i = 0; i < CS_LEN(parts); i++) {
		parts[i][7] ^= 1;
		struct cs_hash other = wire_request_id(&request);
		assert_false(cs_hash_eq(&id, &other));
		parts[i][7] ^= 1;
	}
	assert_hash(wire_request_id(&request), id);
	json_decref(file);
}

static struct wire_evidence_source source_of(const json_t *one)
{
	return (struct wire_evidence_source){
		.index = (uint8_t)u64_of(one, "index"),
		.code = (uint32_t)u64_of(one, "code"),
		.host_port = cs_bytes_str(text_of(one, "host")),
		.leaf_spki = hash_of(one, "leaf"),
		.issuer_spki = hash_of(one, "issuer"),
		.version = (uint16_t)u64_of(one, "version"),
		.http2 = json_is_true(json_object_get(one, "h2")),
		.reused = json_is_true(json_object_get(one, "reused")),
		.stapled_good = json_is_true(json_object_get(one, "stapled")),
		.redirected = json_is_true(json_object_get(one, "redirected")),
		.sct_count = (uint8_t)u64_of(one, "timestamps"),
		.cipher = (uint16_t)u64_of(one, "cipher"),
		.response = hash_of(one, "response"),
		.completed = u64_of(one, "completed"),
	};
}

static void test_evidence(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("evidence")), *one, *row;
	size_t i, j;
	json_array_foreach(json_object_get(file, "evidence"), i, one)
	{
		struct wire_evidence_source sources[WIRE_SOURCES_MAX];
		json_array_foreach(json_object_get(one, "sources"), j, row)
		{
			assert_true(j < WIRE_SOURCES_MAX);
			sources[j] = source_of(row);
			assert_int_equal(wire_evidence_protocol(&sources[j]),
					 u64_of(row, "protocol"));
			assert_hash(wire_evidence_source_hash(&sources[j]), hash_of(row, "hash"));
		}
		assert_hash(wire_evidence_hash(u64_of(one, "time_flags"), sources,
					       json_array_size(json_object_get(one, "sources"))),
			    hash_of(one, "hash"));
	}
	assert_true(i >= 3);
	json_decref(file);
}

static void test_answers(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("answers")), *one;
	size_t i, errors = 0;
	json_array_foreach(json_object_get(file, "answers"), i, one)
	{
		struct wire_answer answer = {.request_id = hash_of(one, "request_id"),
					     .spec_hash = hash_of(one, "spec_hash"),
					     .code = (uint32_t)u64_of(one, "code"),
					     .observed_at = u64_of(one, "observed_at"),
					     .evidence_hash = hash_of(one, "evidence"),
					     .value = bytes_of(one, "value")};
		assert_hash(wire_leaf_answer(&answer), hash_of(one, "leaf"));
		errors += answer.code != WIRE_ORACLE_OK;
	}
	assert_true(i >= 4 && errors >= 1);
	json_decref(file);
}

static void test_feeds(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("feeds")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "feeds"), i, one)
	{
		struct cs_hash receiver = hash_of(one, "receiver");
		struct cs_int256 value;
		struct wire_feed_value feed = {.feed_id = hash_of(one, "feed_id"),
					       .spec_hash = hash_of(one, "spec_hash"),
					       .observed_at = u64_of(one, "observed_at"),
					       .evidence_hash = hash_of(one, "evidence")};
		assert_hash(wire_feed_id(&receiver, u64_of(one, "index")), feed.feed_id);
		assert_ok(cs_decimal_parse(&value, cs_bytes_str(text_of(one, "value")), 0,
					   CS_ROUND_EXACT));
		assert_ok(cs_int256_word(&feed.value, &value));
		assert_hash(wire_leaf_feed(&feed), hash_of(one, "leaf"));
	}
	assert_true(i >= 3);
	json_decref(file);
}

static void test_codes(void **state)
{
	(void)state;
	assert_string_equal(wire_oracle_code_name(0), "ok");
	assert_string_equal(wire_oracle_code_name(WIRE_ORACLE_DISAGREEMENT), "disagreement");
	for (uint32_t code = 0; code < 300; code++) {
		bool host = code >= 16 && code <= 22;
		assert_int_equal(wire_oracle_code_is_refunded(code), host);
		bool known = code <= 4 || host || (code >= 32 && code <= 34) || code == 48;
		assert_int_equal(wire_oracle_code_name(code) != NULL, known);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),     cmocka_unit_test(test_identities),
		cmocka_unit_test(test_specs),    cmocka_unit_test(test_requests),
		cmocka_unit_test(test_evidence), cmocka_unit_test(test_request_commits),
		cmocka_unit_test(test_answers),  cmocka_unit_test(test_feeds),
		cmocka_unit_test(test_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
