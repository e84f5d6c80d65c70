#include "tests/unit/support.h"
#include "wire/value.h"

static uint8_t block[256 * 1024];
static struct cs_arena arena;

static struct wire_value_type type_of(const char *text)
{
	struct wire_value_type type;
	assert_ok(wire_value_type_parse(&type, cs_bytes_str(text)));
	return type;
}

static struct wire_scalar number(const char *text)
{
	struct wire_scalar item = {0};
	assert_ok(cs_decimal_parse(&item.number, cs_bytes_str(text), 0, CS_ROUND_EXACT));
	return item;
}

static struct wire_scalar text(const char *p)
{
	return (struct wire_scalar){.bytes = cs_bytes_str(p)};
}

#define ZEROS24 "000000000000000000000000000000000000000000000000"
#define W(last) ZEROS24 "00000000000000" last

/* Encodings as the ABI specification writes them out. */
static void encodes(const char *type_text, const struct wire_scalar *items, size_t count,
		    const char *want, const char *json)
{
	static uint8_t memory[2 * WIRE_VALUE_SIZE_MAX];
	struct wire_value_type type = type_of(type_text);
	struct wire_value value = {count, items}, back;
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(wire_value_encode(&buf, &type, &value));
	assert_bytes(cs_buf_view(&buf), unhex(want));
	cs_arena_init(&arena, block, sizeof block);
	assert_ok(wire_value_decode(&back, &type, unhex(want), &arena));
	assert_int_equal(back.count, count);
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(wire_value_json(&buf, &type, &back));
	assert_bytes(cs_buf_view(&buf), cs_bytes_str(json));
}

static void test_encodings(void **state)
{
	(void)state;
	struct wire_scalar one = number("1"), minus = number("-1"), two = number("2");
	struct wire_scalar yes = {.boolean = true}, no = {0};
	struct wire_scalar hello = text("hello"), empty = text("");
	struct wire_scalar numbers[] = {one, two}, signs[] = {minus}, flags[] = {yes, no};
	struct wire_scalar texts[] = {text("one"), text("")};
	encodes("uint256", &one, 1, W("01"), "\"1\"");
	encodes("int256", &minus, 1,
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "\"-1\"");
	encodes("bool", &yes, 1, W("01"), "true");
	encodes("bool", &no, 1, W("00"), "false");
	encodes("string", &hello, 1,
		W("20") W("05") "68656c6c6f000000000000000000000000000000000000000000000000000000",
		"\"hello\"");
	encodes("bytes", &empty, 1, W("20") W("00"), "\"0x\"");
	encodes("bytes", &hello, 1,
		W("20") W("05") "68656c6c6f000000000000000000000000000000000000000000000000000000",
		"\"0x68656c6c6f\"");
	encodes("uint256[]", numbers, 2, W("20") W("02") W("01") W("02"), "[\"1\",\"2\"]");
	encodes("int256[]", signs, 1,
		W("20") W("01") "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"[\"-1\"]");
	encodes("bool[]", flags, 2, W("20") W("02") W("01") W("00"), "[true,false]");
	encodes("string[]", texts, 2,
		W("20") W("02") W("40") W("80") W("03") "6f6e65000000000000000000000000000000000000"
							"0000000000000000000000" W("00"),
		"[\"one\",\"\"]");
}

static void test_decimals_in_text(void **state)
{
	(void)state;
	struct wire_value_type type = type_of("int256");
	struct wire_scalar item = number("-12345");
	struct wire_value value = {1, &item};
	uint8_t memory[64];
	struct cs_buf buf;
	type.decimals = 3;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(wire_value_json(&buf, &type, &value));
	assert_bytes(cs_buf_view(&buf), cs_bytes_str("\"-12.345\""));
}

static void test_types_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"",           "uint",    "uint8", "uint256[][]",
					    "uint256[2]", "[]",      "Bool",  "string ",
					    "bytes32",    "address", "[]bool"};
	struct wire_value_type type;
	for (size_t i = 0; i < CS_LEN(texts); i++)
		assert_err(wire_value_type_parse(&type, cs_bytes_str(texts[i])), CS_ERR_INVALID);
}

static enum cs_err encode(const char *type_text, const struct wire_scalar *items, size_t count)
{
	static uint8_t memory[2 * WIRE_VALUE_SIZE_MAX];
	struct wire_value_type type = type_of(type_text);
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	return wire_value_encode(&buf, &type, &(struct wire_value){count, items});
}

static void test_encoding_refused(void **state)
{
	(void)state;
	static uint8_t large[WIRE_VALUE_SIZE_MAX + 1];
	struct wire_scalar minus = number("-1");
	struct wire_scalar top = number(
		"57896044618658097711785492504343953926634992332820282019728792003956564819968");
	struct wire_scalar many[WIRE_VALUE_COUNT_MAX + 1] = {{.boolean = false}};
	struct wire_scalar fits = {.bytes = cs_bytes(large, WIRE_VALUE_SIZE_MAX - 64)};
	struct wire_scalar over = {.bytes = cs_bytes(large, WIRE_VALUE_SIZE_MAX - 63)};
	struct wire_scalar far = {.bytes = cs_bytes(large, SIZE_MAX)};
	struct wire_scalar halves[] = {{.bytes = cs_bytes(large, 8192)},
				       {.bytes = cs_bytes(large, 8192)}};
	assert_err(encode("uint256", &minus, 1), CS_ERR_OVERFLOW);
	assert_err(encode("int256", &top, 1), CS_ERR_OVERFLOW);
	assert_err(encode("uint256[]", &minus, 1), CS_ERR_OVERFLOW);
	assert_err(encode("bool", many, 0), CS_ERR_INVALID);
	assert_err(encode("bool", many, 2), CS_ERR_INVALID);
	assert_err(encode("bool[]", many, 0), CS_ERR_INVALID);
	assert_ok(encode("bool[]", many, WIRE_VALUE_COUNT_MAX));
	assert_err(encode("bool[]", many, WIRE_VALUE_COUNT_MAX + 1), CS_ERR_INVALID);
	assert_ok(encode("bytes", &fits, 1));
	assert_err(encode("bytes", &over, 1), CS_ERR_TOO_LARGE);
	assert_err(encode("bytes", &far, 1), CS_ERR_TOO_LARGE);
	assert_err(encode("bytes[]", halves, 2), CS_ERR_TOO_LARGE);
}

static void test_decoding_refused(void **state)
{
	(void)state;
	static const struct {
		const char *type, *abi;
	} cases[] = {
		{"uint256", ""},
		{"uint256", W("01") "00"},
		{"uint256", W("01") W("01")},
		{"bool", W("02")},
		{"string", W("40") W("00") W("00")},
		{"string", W("20")},
		{"string", W("20") W("01")},
		{"string",
		 W("20") W(
			 "01") "ff00000000000000000000000000000000000000000000000000000000000000"},
		{"string",
		 W("20") W(
			 "01") "6161000000000000000000000000000000000000000000000000000000000000"},
		{"string", W("20") W("00") W("00")},
		{"bytes",
		 W("20") "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"uint256[]", W("20") W("00")},
		{"uint256[]", W("20") W("02") W("01")},
		{"uint256[]", W("20") W("01") W("01") W("01")},
		{"uint256[]", W("40") W("01") W("01")},
		{"uint256[]", W("20") W("41")},
		{"uint256[]", W("20")},
		{"uint256[]",
		 W("20") "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"bool[]", W("20") W("01") W("02")},
		{"string[]", W("20") W("01") W("40") W("00") W("00")},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct wire_value_type type = type_of(cases[i].type);
		struct wire_value value = {.count = 77};
		cs_arena_init(&arena, block, sizeof block);
		if (wire_value_decode(&value, &type, unhex(cases[i].abi), &arena) == CS_OK)
			fail_msg("case %zu: %s %s", i, cases[i].type, cases[i].abi);
		assert_int_equal(value.count, 77);
	}
}

/* What is decoded is encoded to the same bytes: those of the vectors of answers. */
static void test_vectors(void **state)
{
	(void)state;
	static const char *const types[] = {"uint256",  "int256",    "bool",     "string",
					    "bytes",    "uint256[]", "int256[]", "bool[]",
					    "string[]", "bytes[]"};
	json_t *file = read_json(CS_VECTORS "/oracle/answers.json"), *one;
	size_t i, decoded = 0;
	json_array_foreach(json_object_get(file, "answers"), i, one)
	{
		struct cs_bytes abi = bytes_of(one, "value");
		for (size_t j = 0; j < CS_LEN(types); j++) {
			static uint8_t memory[WIRE_VALUE_SIZE_MAX];
			struct wire_value_type type = type_of(types[j]);
			struct wire_value value;
			struct cs_buf buf;
			cs_arena_init(&arena, block, sizeof block);
			if (wire_value_decode(&value, &type, abi, &arena) != CS_OK)
				continue;
			cs_buf_init(&buf, memory, sizeof memory);
			assert_ok(wire_value_encode(&buf, &type, &value));
			assert_bytes(cs_buf_view(&buf), abi);
			decoded++;
		}
	}
	assert_true(decoded >= 4);
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodings),        cmocka_unit_test(test_decimals_in_text),
		cmocka_unit_test(test_types_refused),    cmocka_unit_test(test_encoding_refused),
		cmocka_unit_test(test_decoding_refused), cmocka_unit_test(test_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
