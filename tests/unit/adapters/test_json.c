#include "common.h"

static void refuse(enum cs_err err, enum cs_err (*read)(const json_t *), const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	if (read(json) != err)
		fail_msg("%s: %s, not %s", text, cs_err_name(read(json)), cs_err_name(err));
	json_decref(json);
}

static enum cs_err read_u64(const json_t *json)
{
	uint64_t value;

	return evm_json_u64(&value, json);
}

static enum cs_err read_u32(const json_t *json)
{
	uint32_t value;

	return evm_json_u32(&value, json);
}

static enum cs_err read_word(const json_t *json)
{
	struct cs_hash word;

	return evm_json_word(&word, json);
}

static enum cs_err read_hash(const json_t *json)
{
	struct cs_hash hash;

	return evm_json_hash(&hash, json);
}

static void test_numbers(void **state)
{
	json_t *json = json_string("0x0000000000000000000000000000000000ffffffffffffffff");
	uint64_t value = 0;

	(void)state;
	assert_ok(evm_json_u64(&value, json));
	assert_int_equal(value, UINT64_MAX);
	json_decref(json);
	json = evm_json_from_u64(0);
	assert_ok(evm_json_u64(&value, json));
	assert_int_equal(value, 0);
	json_decref(json);
	refuse(CS_ERR_OVERFLOW, read_u64, "\"0x10000000000000000\"");
	refuse(CS_ERR_OVERFLOW, read_u32, "\"0x100000000\"");
	refuse(CS_ERR_MALFORMED, read_u64, "\"0x\"");
	refuse(CS_ERR_MALFORMED, read_u64, "\"\"");
	refuse(CS_ERR_MALFORMED, read_u64, "\"12\"");
	refuse(CS_ERR_MALFORMED, read_u64, "\"0x1g\"");
	refuse(CS_ERR_MALFORMED, read_u64, "\"0x-1\"");
	refuse(CS_ERR_MALFORMED, read_u64, "\"0x1 \"");
	refuse(CS_ERR_MALFORMED, read_u64, "12");
	refuse(CS_ERR_MALFORMED, read_u64, "[]");
	refuse(CS_ERR_MISSING_FIELD, read_u64, "null");
	assert_err(MISSING_FIELD, read_u64(NULL));
}

static void test_words_and_bytes(void **state)
{
	char text[80] = "\"0x";
	uint8_t memory[4];
	struct cs_buf buf;

	(void)state;
	memset(text + 3, 'f', 65);
	text[68] = '"';
	refuse(CS_ERR_OVERFLOW, read_word, text);
	refuse(CS_ERR_MALFORMED, read_hash, text);
	refuse(CS_ERR_MALFORMED, read_hash, "\"0x1234\"");
	json_t *json = json_string("0x0102030405");
	cs_buf_init(&buf, memory, sizeof(memory));
	assert_int_equal(evm_json_bytes_size(json), 5);
	assert_ok(evm_json_bytes(&buf, json));
	assert_err(TOO_LARGE, cs_buf_end(&buf));
	json_decref(json);
	json = json_string("0x123");
	assert_err(MALFORMED, evm_json_bytes(&buf, json));
	json_decref(json);
	assert_int_equal(evm_json_bytes_size(NULL), 0);
}

static void test_text(void **state)
{
	char deep[200];

	(void)state;
	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	assert_null(adapter_json_parse(cs_bytes(deep, sizeof(deep))));
	assert_null(adapter_json_parse(cs_bytes_str("")));
	assert_null(adapter_json_parse(cs_bytes_str("{\"a\":1,\"a\":2}")));
	assert_null(adapter_json_parse(cs_bytes_str("{} x")));
	assert_null(adapter_json_parse(cs_bytes_str("<html>")));
	assert_null(adapter_json_parse(cs_bytes("\"\\", 2)));
	/* brackets without end, side by side */
	size_t size = 2 + 3 * (ADAPTER_JSON_VALUES_MAX + 8);
	char *wide = malloc(size);
	wide[0] = '[';
	for (size_t i = 1; i + 4 < size; i += 3)
		memcpy(wide + i, "[],", 3);
	memcpy(wide + size - 4, "[]]", 3);
	assert_null(adapter_json_parse(cs_bytes(wide, size - 1)));
	free(wide);
	/* brackets in a text do not nest */
	json_t *json = adapter_json_parse(
		cs_bytes_str("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"]"));
	assert_non_null(json);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_words_and_bytes),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
