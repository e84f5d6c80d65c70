/* Both ways of reading accept the same texts and give the same tree. */
#include "host/json.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

static void compare_written(const json_t *json)
{
	size_t n = 1;
	char *one = host_json_write(json, &n);
	char *other = json_dumps(json, JSON_COMPACT);
	assert_int_equal(one == NULL, other == NULL);
	if (one)
		assert_string_equal(one, other);
	assert_int_equal(n, one ? strlen(one) : 0);
	free(one);
	free(other);
}

static void compare(const char *text, size_t n, size_t flags)
{
	json_error_t error;
	json_error_t error_jansson;
	json_t *json = host_json_read(cs_bytes(text, n), flags, &error);
	json_t *jansson = json_loadb(text, n, flags, &error_jansson);
	assert_int_equal(json == NULL, jansson == NULL);
	if (json) {
		char *one = json_dumps(json, JSON_ENCODE_ANY);
		char *other = json_dumps(jansson, JSON_ENCODE_ANY);
		assert_true(json_equal(json, jansson));
		assert_string_equal(one, other);
		free(one);
		free(other);
		compare_written(json);
	} else {
		assert_string_equal(error.text, error_jansson.text);
	}
	json_decref(json);
	json_decref(jansson);
}

static void test_plain_and_not(void **state)
{
	static const char *const texts[] = {"",
					    " ",
					    "{",
					    "[",
					    "{}",
					    "[]",
					    " [ ] ",
					    "{ }",
					    "[1]",
					    "[ 1 , 2 ]",
					    "[1,]",
					    "[,1]",
					    "[1 2]",
					    "[01]",
					    "[0]",
					    "[-0]",
					    "[-1]",
					    "[1.5]",
					    "[1e3]",
					    "[1a]",
					    "[1",
					    "[999999999999999999]",
					    "[9223372036854775807]",
					    "[9223372036854775808]",
					    "{\"a\":1}",
					    "{\"a\":1,\"a\":2}",
					    "{\"a\":1,\"b\":{\"a\":[true,false,null]}}",
					    "{\"a\" : \"x\"\n}",
					    "{\"a\":1,}",
					    "{\"a\"}",
					    "{\"a\":}",
					    "{a:1}",
					    "{\"\":\"\"}",
					    "[\"\\u0041\"]",
					    "[\"\\u0000\"]",
					    "[\"\xc3\xa9\"]",
					    "[\"\xff\"]",
					    "[\"a\tb\"]",
					    "[\"\x7f\"]",
					    "[\"a",
					    "[tru]",
					    "[truex]",
					    "[true]x",
					    "[nul",
					    "[] []",
					    "[]]",
					    "null",
					    "\"a\"",
					    "5",
					    "[5]\n",
					    "\xef\xbb\xbf[]",
					    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
					    "[{]",
					    "[}"};
	(void)state;
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		compare(texts[i], strlen(texts[i]), FLAGS);
		compare(texts[i], strlen(texts[i]), JSON_REJECT_DUPLICATES);
		compare(texts[i], strlen(texts[i]), 0);
	}
	compare("[1]\0", 4, FLAGS);
	compare("[\"a\0b\"]", 7, FLAGS);
}

static void test_writing(void **state)
{
	json_t *json = json_pack("{s:s, s:I, s:[s, s, s], s:{}, s:[], s:b, s:n, s:f, s:I}", "plain",
				 "a b~", "number", (json_int_t)INT64_MIN, "escaped", "\"", "\\",
				 "\n", "empty", "list", "yes", 1, "nothing", "real", 1.5, "large",
				 (json_int_t)INT64_MAX);
	json_t *object = json_object();
	char text[2] = {0};
	(void)state;
	assert_non_null(json);
	compare_written(json);
	for (unsigned c = 1; c < 256; c++) { /* above 0x7f: half of a character */
		text[0] = (char)c;
		json_object_set_new_nocheck(object, "value", json_string_nocheck(text));
		compare_written(object);
		json_object_set_new_nocheck(json, text, json_integer(c));
		compare_written(json);
		json_object_del(json, text);
	}
	json_object_set_new(object, "value", json_stringn_nocheck("a\0b", 3));
	compare_written(object);
	compare_written(json_object_get(json, "plain"));
	compare_written(NULL);
	json_decref(object);
	json_decref(json);
}

static void test_long_and_deep(void **state)
{
	char text[4200];
	(void)state;
	for (size_t depth = 20; depth < 2100; depth += depth < 40 ? 1 : 600) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		compare(text, 2 * depth, FLAGS);
		compare(text, 2 * depth - 1, FLAGS);
	}
	for (size_t n = 50; n < 80; n++) { /* a key's length */
		memset(text, 'k', sizeof(text));
		memcpy(text, "{\"", 2);
		memcpy(text + 2 + n, "\":1}", 4);
		compare(text, n + 6, FLAGS);
	}
}

/* What a node says, with one to four bytes changed, taken away or doubled. */
static void test_mutations(void **state)
{
	static const char origin[] =
		"[{\"jsonrpc\":\"2.0\",\"id\":276,\"result\":{\"type\":\"0x2\",\"logs\":[{"
		"\"topics\":"
		"[\"0x12ab\"],\"data\":\"0x\",\"removed\":false,\"a\":null}],\"n\": 18 }}\n]";
	static const char other[] = "\"\\{}[]:,0-1.eE tfnu\n\x01\x7f\xc3\xa9";
	uint64_t random = 88172645463325252u;
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char text[sizeof(origin) + 8];
		size_t n = sizeof(origin) - 1;
		memcpy(text, origin, n);
		for (unsigned i = 0; i <= round % 4; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			size_t at = (size_t)(random >> 8) % n;
			switch (random % 3) {
			case 0:
				text[at] = other[(random >> 40) % (sizeof(other) - 1)];
				break;
			case 1:
				memmove(text + at, text + at + 1, n - at - 1);
				n--;
				break;
			default:
				memmove(text + at + 1, text + at, n - at);
				n++;
			}
		}
		compare(text, n, round % 2 ? FLAGS : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_and_not),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_long_and_deep),
		cmocka_unit_test(test_mutations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
