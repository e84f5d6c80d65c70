#include "enclave/oracle/extract.h"
#include "tests/unit/support.h"

static uint8_t block[EXTRACT_ARENA_SIZE];
static struct cs_arena arena;

struct example {
	const char *type;
	unsigned decimals;
	enum cs_rounding rounding;
	const char *extract; /* a pointer, "=script" or "*" */
	const char *body;
	enum wire_oracle_code code;
	const char *json; /* of the value, as wire_value_json has it */
};

static enum wire_oracle_code extract(struct cs_bytes *value, struct wire_spec *spec,
				     const struct example *example, struct cs_bytes body,
				     struct cs_why *why)
{
	struct wire_source *source = &spec->sources[0];
	enum wire_oracle_code code;
	struct extract_input input = {.body = body, .engine = &vm_lua, .limits = VM_LIMITS};
	*spec = (struct wire_spec){.rounding = example->rounding, .source_count = 1};
	assert_ok(wire_value_type_parse(&spec->type, cs_bytes_str(example->type)));
	spec->type.decimals = (uint8_t)example->decimals;
	source->extract = example->extract[0] == '='   ? WIRE_EXTRACT_SCRIPT
			  : example->extract[0] == '*' ? WIRE_EXTRACT_WHOLE
						       : WIRE_EXTRACT_POINTER;
	source->text = cs_bytes_str(example->extract + (example->extract[0] == '='));
	input.pointer = source->text;
	cs_arena_init(&arena, block, sizeof block);
	assert_ok(extract_value(&code, value, spec, 0, &input, &arena, why));
	return code;
}

static void check(const struct example *example)
{
	static struct wire_spec spec;
	struct cs_bytes abi = CS_BYTES_NONE;
	struct cs_why why = {""};
	uint8_t text[4096];
	struct cs_buf buf;
	struct wire_value value;
	enum wire_oracle_code code =
		extract(&abi, &spec, example, cs_bytes_str(example->body), &why);
	if (code != example->code)
		fail_msg("%s of %s as %s: %s (%s)", example->extract, example->body, example->type,
			 wire_oracle_code_name(code), why.text);
	if (code != WIRE_ORACLE_OK) {
		assert_true(why.text[0] != '\0');
		assert_int_equal(abi.n, 0);
		return;
	}
	cs_buf_init(&buf, text, sizeof text);
	assert_ok(wire_value_decode(&value, &spec.type, abi, &arena));
	assert_ok(wire_value_json(&buf, &spec.type, &value));
	assert_bytes(cs_buf_view(&buf), cs_bytes_str(example->json));
}

#define OK WIRE_ORACLE_OK
#define TYPE WIRE_ORACLE_TYPE
#define EXACT CS_ROUND_EXACT
#define DOWN CS_ROUND_DOWN
#define EVEN CS_ROUND_HALF_EVEN
#define TOP "115792089237316195423570985008687907853269984665640564039457584007913129639935"

static void test_pointers(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"int256", 0, EXACT, "/a", "{\"a\":5}", OK, "\"5\""},
		{"int256", 8, EXACT, "/a/0", "{\"a\":[2345.67]}", OK, "\"2345.67000000\""},
		{"int256", 2, EXACT, "/a", "{\"a\":\"-1.25\"}", OK, "\"-1.25\""},
		{"int256", 2, EXACT, "/a", "{\"a\":1.255}", TYPE, NULL},
		{"int256", 2, DOWN, "/a", "{\"a\":1.255}", OK, "\"1.25\""},
		{"int256", 2, EVEN, "/a", "{\"a\":1.255}", OK, "\"1.26\""},
		{"int256", 1, EVEN, "/a", "{\"a\":1.25}", OK, "\"1.2\""},
		{"int256", 0, EXACT, "/a", "{\"a\":1.5e3}", OK, "\"1500\""},
		{"uint256", 0, EXACT, "/a", "{\"a\":" TOP "}", OK, "\"" TOP "\""},
		{"uint256", 1, EXACT, "/a", "{\"a\":" TOP "}", TYPE, NULL},
		{"int256", 0, EXACT, "/a", "{\"a\":" TOP "}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":-1}", TYPE, NULL},
		{"uint256", 0, DOWN, "/a", "{\"a\":-0.9}", OK, "\"0\""},
		{"uint256", 0, EXACT, "/a", "{\"a\":true}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":null}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":[1]}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":\"\"}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":\" 1\"}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":\"0x10\"}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":\"1,000\"}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":1e1000}", TYPE, NULL},
		{"uint256", 0, EXACT, "/a", "{\"a\":1e999}", TYPE, NULL},
		{"bool", 0, EXACT, "/a", "{\"a\":true}", OK, "true"},
		{"bool", 0, EXACT, "/a", "{\"a\":\"false\"}", OK, "false"},
		{"bool", 0, EXACT, "/a", "{\"a\":1}", TYPE, NULL},
		{"bool", 0, EXACT, "/a", "{\"a\":\"True\"}", TYPE, NULL},
		{"string", 0, EXACT, "/a", "{\"a\":\"\\u00e9\"}", OK, "\"\xc3\xa9\""},
		{"string", 0, EXACT, "", "\"x\"", OK, "\"x\""},
		{"string", 0, EXACT, "/a", "{\"a\":5}", TYPE, NULL},
		{"string", 0, EXACT, "/a", "{\"a\":true}", TYPE, NULL},
		{"bytes", 0, EXACT, "/a", "{\"a\":\"0xBEef\"}", OK, "\"0xbeef\""},
		{"bytes", 0, EXACT, "/a", "{\"a\":\"0x\"}", OK, "\"0x\""},
		{"bytes", 0, EXACT, "/a", "{\"a\":\"beef\"}", TYPE, NULL},
		{"bytes", 0, EXACT, "/a", "{\"a\":\"0xbee\"}", TYPE, NULL},
		{"bytes", 0, EXACT, "/a", "{\"a\":\"0xzz\"}", TYPE, NULL},
		{"bytes", 0, EXACT, "/a", "{\"a\":\"0\"}", TYPE, NULL},
		{"int256[]", 1, EXACT, "/a", "{\"a\":[1,\"-2.5\",3e0]}", OK,
		 "[\"1.0\",\"-2.5\",\"3.0\"]"},
		{"int256[]", 0, EXACT, "/a", "{\"a\":5}", TYPE, NULL},
		{"int256[]", 0, EXACT, "/a", "{\"a\":[]}", TYPE, NULL},
		{"int256[]", 0, EXACT, "/a", "{\"a\":[1,null]}", TYPE, NULL},
		{"int256[]", 0, EXACT, "/a", "{\"a\":[[1]]}", TYPE, NULL},
		{"int256[]", 0, EXACT, "/a", "{\"a\":{\"0\":1}}", TYPE, NULL},
		{"bytes[]", 0, EXACT, "", "[\"0x00\",\"0x\"]", OK, "[\"0x00\",\"0x\"]"},
		{"int256", 0, EXACT, "/b", "{\"a\":5}", WIRE_ORACLE_NOT_FOUND, NULL},
		{"int256", 0, EXACT, "/a/0", "{\"a\":5}", WIRE_ORACLE_NOT_FOUND, NULL},
		{"int256", 0, EXACT, "/a", "", WIRE_ORACLE_MALFORMED_RESPONSE, NULL},
		{"int256", 0, EXACT, "/a", "{\"a\":5", WIRE_ORACLE_MALFORMED_RESPONSE, NULL},
		{"int256", 0, EXACT, "/a", "{\"a\":5}x", WIRE_ORACLE_MALFORMED_RESPONSE, NULL},
		{"int256", 0, EXACT, "/a", "{\"a\":5,\"a\":6}", WIRE_ORACLE_MALFORMED_RESPONSE,
		 NULL},
		{"int256", 0, EXACT, "/a", "{\"a\":05}", WIRE_ORACLE_MALFORMED_RESPONSE, NULL},
		{"int256", 0, EXACT, "/a", "{\"a\":NaN}", WIRE_ORACLE_MALFORMED_RESPONSE, NULL},
		{"int256", 0, EXACT, "/a", "{\"b\":\"\xff\",\"a\":5}",
		 WIRE_ORACLE_MALFORMED_RESPONSE, NULL},
		{"int256", 0, EXACT, "/a", "<html>", WIRE_ORACLE_MALFORMED_RESPONSE, NULL},
	};
	for (size_t i = 0; i < CS_LEN(examples); i++)
		check(&examples[i]);
}

static void test_whole(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"string", 0, EXACT, "*", "plain text\n", OK, "\"plain text\\n\""},
		{"string", 0, EXACT, "*", "", OK, "\"\""},
		{"string", 0, EXACT, "*", "\xff", TYPE, NULL},
		{"bytes", 0, EXACT, "*", "\xff{", OK, "\"0xff7b\""},
	};
	for (size_t i = 0; i < CS_LEN(examples); i++)
		check(&examples[i]);
}

static void test_scripts(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{"int256", 2, EXACT, "=return json.decode(body).a", "{\"a\":5.25}", OK, "\"5.25\""},
		{"int256", 0, EXACT, "=return 7", "", OK, "\"7\""},
		{"bool", 0, EXACT, "=return body == 'x'", "x", OK, "true"},
		{"string", 0, EXACT, "=return body:match('<b>(.-)</b>')", "<p><b>hi</b>", OK,
		 "\"hi\""},
		{"string[]", 0, EXACT, "=return {'a', 'b'}", "", OK, "[\"a\",\"b\"]"},
		{"bytes", 0, EXACT, "=return hash.sha256('abc'):sub(1, 6)", "", OK, "\"0xba78\""},
		{"int256", 0, EXACT, "=return 'x'", "", TYPE, NULL},
		{"string", 0, EXACT, "=return '\\xff'", "", TYPE, NULL},
		{"string", 0, EXACT, "=return {'a'}", "", TYPE, NULL},
		{"string[]", 0, EXACT, "=return 'a'", "", TYPE, NULL},
		{"string[]", 0, EXACT, "=return {}", "", TYPE, NULL},
		{"string", 0, EXACT, "=return nil", "", WIRE_ORACLE_SCRIPT, NULL},
		{"string", 0, EXACT, "=error('no')", "", WIRE_ORACLE_SCRIPT, NULL},
		{"string", 0, EXACT, "=while true do end", "", WIRE_ORACLE_SCRIPT, NULL},
		{"string", 0, EXACT, "=return (", "", WIRE_ORACLE_SCRIPT, NULL},
		{"string", 0, EXACT, "=return json.decode(body)", "{", WIRE_ORACLE_SCRIPT, NULL},
	};
	for (size_t i = 0; i < CS_LEN(examples); i++)
		check(&examples[i]);
}

static void test_large(void **state)
{
	(void)state;
	static struct wire_spec spec;
	static uint8_t body[1024 * 1024];
	struct cs_bytes value;
	struct cs_why why;
	struct example text = {"string", 0, EXACT, "*", "", OK, NULL};
	struct example pointer = {"string", 0, EXACT, "/0", "", OK, NULL};
	memset(body, 'x', sizeof body);
	/* The encoding has an offset, a size and padding. */
	assert_int_equal(
		extract(&value, &spec, &text, cs_bytes(body, WIRE_VALUE_SIZE_MAX - 64), &why), OK);
	assert_int_equal(value.n, WIRE_VALUE_SIZE_MAX);
	assert_int_equal(
		extract(&value, &spec, &text, cs_bytes(body, WIRE_VALUE_SIZE_MAX - 63), &why),
		TYPE);
	assert_int_equal(extract(&value, &spec, &text, cs_bytes(body, sizeof body), &why), TYPE);
	/* The largest body by default, in JSON: one string; as many values as are allowed; one
	 * more. */
	body[0] = '[', body[1] = '"', body[sizeof body - 2] = '"', body[sizeof body - 1] = ']';
	assert_int_equal(extract(&value, &spec, &pointer, CS_BYTES_OF(body), &why), TYPE);
	size_t n = 0;
	n += (size_t)snprintf((char *)body, sizeof body, "[\"found\"");
	for (size_t i = 2; i < CS_JSON_NODES_MAX; i++, n += 3)
		memcpy(body + n, ",[]", 3);
	memset(body + n, ' ', sizeof body - n);
	body[sizeof body - 1] = ']';
	assert_int_equal(extract(&value, &spec, &pointer, CS_BYTES_OF(body), &why), OK);
	memcpy(body + n, ",1", 2);
	assert_int_equal(extract(&value, &spec, &pointer, CS_BYTES_OF(body), &why),
			 WIRE_ORACLE_TOO_LARGE);
	memset(body, '[', sizeof body);
	assert_int_equal(extract(&value, &spec, &pointer, CS_BYTES_OF(body), &why),
			 WIRE_ORACLE_TOO_LARGE);
	/* The worst for the arena: short strings in 1 MiB. */
	for (size_t i = 0; i + 64 < sizeof body; i += 64)
		(void)snprintf((char *)body + i, 65, "\"%058d\",   ", 0);
	body[0] = '[';
	memcpy(body + sizeof body - 64, "\"\"]", 3);
	memset(body + sizeof body - 61, ' ', 61);
	body[1] = ' ', body[2] = '"';
	assert_int_equal(extract(&value, &spec, &pointer, CS_BYTES_OF(body), &why),
			 WIRE_ORACLE_TOO_LARGE);
	assert_non_null(strstr(why.text, "too many values"));
}

static bool always(void *context)
{
	(void)context;
	return true;
}

static void test_machine(void **state)
{
	(void)state;
	static struct wire_spec spec;
	struct cs_bytes value = CS_BYTES_NONE;
	struct cs_why why;
	enum wire_oracle_code code = OK;
	struct example script = {"string", 0, EXACT, "=return ('x'):rep(9000)", "", OK, NULL};
	struct extract_input input = {.engine = &vm_lua, .limits = VM_LIMITS};
	assert_int_equal(extract(&value, &spec, &script, CS_BYTES_NONE, &why), OK);
	/* No room is nobody's fault: no code at all. */
	cs_arena_init(&arena, block, 4096);
	value = CS_BYTES_NONE;
	assert_err(extract_value(&code, &value, &spec, 0, &input, &arena, &why), CS_ERR_NO_MEMORY);
	assert_int_equal(value.n, 0);
	/* Time is the machine's: whoever stops it shall not be paid. */
	input.expired = always;
	cs_arena_init(&arena, block, sizeof block);
	assert_ok(extract_value(&code, &value, &spec, 0, &input, &arena, &why));
	assert_int_equal(code, WIRE_ORACLE_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pointers), cmocka_unit_test(test_whole),
		cmocka_unit_test(test_scripts),  cmocka_unit_test(test_large),
		cmocka_unit_test(test_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
