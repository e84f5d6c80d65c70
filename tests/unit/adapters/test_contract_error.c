/* The errors of the contracts: the table against the artifacts, and what becomes of revert data. */
#include "adapters/evm/contract_error.h"
#include "core/abi.h"
#include "tests/unit/support.h"

#include <jansson.h>

static const char *const signatures[] = {
#define CONTRACT_ERROR(signature, lasts, sentence) signature,
#include "adapters/evm/contract_errors.def"
#undef CONTRACT_ERROR
};

/* Does the artifact's ABI have this error? */
static bool has_error(const json_t *abi, const char *signature)
{
	size_t i = 0;
	json_t *entry = NULL;
	json_array_foreach(abi, i, entry)
	{
		char text[128];
		const char *type = json_string_value(json_object_get(entry, "type"));
		const char *name = json_string_value(json_object_get(entry, "name"));
		const json_t *inputs = json_object_get(entry, "inputs");
		if (!type || !name || strcmp(type, "error") != 0)
			continue;
		int n = snprintf(text, sizeof(text), "%s(", name);
		for (size_t k = 0; k < json_array_size(inputs); k++)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s", k ? "," : "",
				      json_string_value(
					      json_object_get(json_array_get(inputs, k), "type")));
		snprintf(text + n, sizeof(text) - (size_t)n, ")");
		if (strcmp(text, signature) == 0)
			return true;
	}
	return false;
}

static void every_error_is_a_contracts(void **state)
{
	static const char *const files[] = {"CaissonGateway.json", "CaissonTokenBridge.json",
					    "CaissonOracle.json", "CaissonFeed.json"};
	json_t *artifacts[CS_LEN(files)];
	(void)state;
	for (size_t i = 0; i < CS_LEN(files); i++) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s", CAISSON_ARTIFACTS, files[i]);
		artifacts[i] = json_load_file(path, 0, NULL);
		assert_non_null(artifacts[i]);
	}
	for (size_t i = 0; i < CS_LEN(signatures); i++) {
		bool found = false;
		for (size_t k = 0; k < CS_LEN(files); k++)
			found = found ||
				has_error(json_object_get(artifacts[k], "abi"), signatures[i]);
		if (!found)
			fail_msg("no contract has the error %s", signatures[i]);
	}
	for (size_t i = 0; i < CS_LEN(files); i++)
		json_decref(artifacts[i]);
}

static void an_attribute_is_named(void **state)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	uint8_t data[36] = {0};
	(void)state;
	struct cs_hash error = cs_abi_topic("AttributeOutOfBounds(bytes4)");
	struct cs_hash attribute = cs_abi_topic("minGasLimit(uint256)");
	memcpy(data, error.b, 4);
	memcpy(data + 4, attribute.b, 4);
	assert_true(adapter_contract_error(text, sizeof(text), CS_BYTES_OF(data)));
	assert_string_equal(text, "attributes.min_gas_limit: outside the bounds of the route");
	/* An attribute that we do not know, and one that is cut off. */
	data[4] ^= 1;
	assert_true(adapter_contract_error(text, sizeof(text), CS_BYTES_OF(data)));
	assert_string_equal(text, "outside the bounds of the route");
	assert_true(adapter_contract_error(text, sizeof(text), cs_bytes(data, 7)));
	assert_string_equal(text, "outside the bounds of the route");
	struct cs_hash closed = cs_abi_topic("RouteClosed()");
	assert_true(adapter_contract_error(text, sizeof(text), cs_bytes(closed.b, 4)));
	assert_string_equal(text, "the route is closed");
}

static void what_is_not_known_stays_as_it_is(void **state)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX] = "untouched";
	static const uint8_t panic[36] = {0x4e, 0x48, 0x7b, 0x71};
	(void)state;
	assert_false(adapter_contract_error(text, sizeof(text), CS_BYTES_NONE));
	assert_false(adapter_contract_error(text, sizeof(text), cs_bytes(panic, 3)));
	assert_false(adapter_contract_error(text, sizeof(text), CS_BYTES_OF(panic)));
	assert_string_equal(text, "untouched");
}

static enum adapter_lasts refusal_of(char text[ADAPTER_CONTRACT_ERROR_MAX], const char *signature)
{
	struct cs_hash topic = cs_abi_topic(signature);
	return adapter_contract_refusal(text, cs_bytes(topic.b, 4));
}

static void a_refusal_says_whether_it_lasts(void **state)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	(void)state;
	static const char *const permanent[] = {"SenderForeign()", "SignatureInvalid()",
						"ManifestTooOld()", "KeyExpired()", "NotSent()"};
	static const char *const passing[] = {"KeyNotActive()", "KeyEarly()",      "GasTooLow()",
					      "CallFailed()",   "StatusIs(uint8)", "InPause()"};
	for (size_t i = 0; i < CS_LEN(permanent); i++)
		assert_int_equal(refusal_of(text, permanent[i]), ADAPTER_LASTS_PERMANENT);
	for (size_t i = 0; i < CS_LEN(passing); i++)
		assert_int_equal(refusal_of(text, passing[i]), ADAPTER_LASTS_PASSING);
	assert_int_equal(refusal_of(text, "SenderForeign()"), ADAPTER_LASTS_PERMANENT);
	assert_string_equal(text, "SenderForeign: the sender is on another chain than the one that "
				  "its gateway speaks for");
}

/* What is not ours may pass: nobody knows better. */
static void a_foreign_refusal_is_shown(void **state)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX];
	uint8_t data[4 + 3 * 32] = {0x08, 0xc3, 0x79, 0xa0};
	(void)state;
	assert_int_equal(adapter_contract_refusal(text, CS_BYTES_NONE), ADAPTER_LASTS_PASSING);
	assert_string_equal(text, "the call gives no reason");
	assert_int_equal(refusal_of(text, "Unheard()"), ADAPTER_LASTS_PASSING);
	assert_memory_equal(text, "error 0x", 8);
	assert_int_equal(strlen(text), 16);
	data[4 + 31] = 32;
	data[4 + 63] = 6;
	memcpy(data + 4 + 64, "no\n\xff\"x", 6);
	assert_int_equal(adapter_contract_refusal(text, CS_BYTES_OF(data)), ADAPTER_LASTS_PASSING);
	assert_string_equal(text, "no??\"x");
	/* A text that is longer than its bytes. */
	data[4 + 62] = 1;
	(void)adapter_contract_refusal(text, CS_BYTES_OF(data));
	assert_string_equal(text, "error 0x08c379a0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_is_a_contracts),
		cmocka_unit_test(an_attribute_is_named),
		cmocka_unit_test(what_is_not_known_stays_as_it_is),
		cmocka_unit_test(a_refusal_says_whether_it_lasts),
		cmocka_unit_test(a_foreign_refusal_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
