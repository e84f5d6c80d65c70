#include "core/json_pointer.h"
#include "tests/unit/support.h"

static uint8_t block[1024 * 1024];
static struct cs_arena arena;

/* The document of RFC 6901, section 5. */
static const char document[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
			       "\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}";

static const struct cs_json *parse(const char *text)
{
	const struct cs_json *json;
	struct cs_why why;
	cs_arena_init(&arena, block, sizeof block);
	assert_ok(cs_json_parse(&json, cs_bytes_str(text), CS_JSON_ANY_NUMBER, &arena, &why));
	return json;
}

static void leads_to(const struct cs_json *root, const char *pointer, const char *want)
{
	const struct cs_json *json;
	uint8_t text[512];
	struct cs_buf buf;
	enum cs_err err = cs_json_pointer(&json, root, cs_bytes_str(pointer));
	if (err != CS_OK)
		fail_msg("%s: %s", pointer, cs_err_name(err));
	cs_buf_init(&buf, text, sizeof text);
	assert_ok(cs_json_write(&buf, json, &arena));
	assert_bytes(cs_buf_view(&buf), cs_bytes_str(want));
}

static void test_rfc_6901(void **state)
{
	(void)state;
	const struct cs_json *root = parse(document), *json;
	assert_ok(cs_json_pointer(&json, root, CS_BYTES_NONE));
	assert_ptr_equal(json, root);
	leads_to(root, "/foo", "[\"bar\",\"baz\"]");
	leads_to(root, "/foo/0", "\"bar\"");
	leads_to(root, "/", "0");
	leads_to(root, "/a~1b", "1");
	leads_to(root, "/c%d", "2");
	leads_to(root, "/e^f", "3");
	leads_to(root, "/g|h", "4");
	leads_to(root, "/i\\j", "5");
	leads_to(root, "/k\"l", "6");
	leads_to(root, "/ ", "7");
	leads_to(root, "/m~0n", "8");
}

static void test_more(void **state)
{
	(void)state;
	leads_to(parse("{\"~1\":1,\"/\":2}"), "/~01", "1");
	leads_to(parse("{\"\":{\"\":[[9]]}}"), "///0/0", "9");
	leads_to(parse("{\"0\":1}"), "/0", "1");
	leads_to(parse("{\"-\":1,\"01\":2}"), "/-", "1");
	leads_to(parse("{\"-\":1,\"01\":2}"), "/01", "2");
	leads_to(parse("{\"\\u00e9\":1}"), "/\xc3\xa9", "1");
	leads_to(parse("[1,2,3,4,5,6,7,8,9,10,11]"), "/10", "11");
}

static void test_not_found(void **state)
{
	(void)state;
	static const char *const pointers[] = {
		"/bar",     "/foo/2",
		"/foo/-",   "/foo/00",
		"/foo/01",  "/foo/+1",
		"/foo/ 1",  "/foo/18446744073709551616",
		"/foo/-1",  "/foo/",
		"/foo/1.0", "/foo/115792089237316195423570985008687907853269984",
		"/foo/0/0", "//",
		"/foo/0/",  "/fo",
		"/fooo",    "/m~1n",
		"/a~0b",    "/foo/1e0"};
	const struct cs_json *root = parse(document), *json = NULL;
	for (size_t i = 0; i < CS_LEN(pointers); i++) {
		enum cs_err err = cs_json_pointer(&json, root, cs_bytes_str(pointers[i]));
		if (err != CS_ERR_NOT_FOUND)
			fail_msg("%s: %s", pointers[i], cs_err_name(err));
	}
	assert_null(json);
}

static void test_malformed(void **state)
{
	(void)state;
	static const char *const pointers[] = {"foo",   "#/foo",        " /foo", "/~",
					       "/~2",   "/foo~/",       "/a~",   "/\xff",
					       "/\xc3", "/\xed\xa0\x80"};
	const struct cs_json *root = parse(document), *json = NULL;
	for (size_t i = 0; i < CS_LEN(pointers); i++) {
		struct cs_bytes pointer = cs_bytes_str(pointers[i]);
		assert_err(cs_json_pointer_check(pointer), CS_ERR_MALFORMED);
		assert_err(cs_json_pointer(&json, root, pointer), CS_ERR_MALFORMED);
	}
	static char large[CS_JSON_POINTER_SIZE_MAX + 2];
	memset(large, '/', sizeof large - 1);
	assert_err(cs_json_pointer_check(cs_bytes_str(large)), CS_ERR_TOO_LARGE);
	assert_ok(cs_json_pointer_check(cs_bytes(large, sizeof large - 2)));
	assert_null(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_6901),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
