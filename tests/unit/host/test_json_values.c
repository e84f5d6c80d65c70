/* Values of JSON documents: what is written is read again, and every other type, size and member is
 * refused by its name. */
#include "host/json_values.h"
#include "tests/unit/support.h"

static json_t *document(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	return json;
}

static void what_is_written_is_read(void **unused)
{
	(void)unused;
	static uint8_t block[256];
	struct cs_arena arena;
	struct cs_why why = {{0}};
	struct cs_hash hash = {{1, 2, 3}};
	struct cs_hash read;
	struct cs_bytes bytes;
	uint64_t number = 0;
	cs_arena_init(&arena, block, sizeof(block));
	json_t *json = json_object();
	json_object_set_new(json, "hash", host_json_hash(&hash));
	json_object_set_new(json, "bytes", host_json_hex(cs_bytes("abc", 3)));
	json_object_set_new(json, "none", host_json_hex(CS_BYTES_NONE));
	json_object_set_new(json, "number", host_json_u64(INT64_MAX));
	assert_int_equal(host_json_read_hash(json, "hash", &read, &why), CS_OK);
	assert_true(cs_hash_eq(&read, &hash));
	assert_int_equal(host_json_read_hex(json, "bytes", 3, &arena, &bytes, &why), CS_OK);
	assert_true(cs_bytes_eq(bytes, cs_bytes_str("abc")));
	assert_int_equal(host_json_read_hex(json, "none", 0, &arena, &bytes, &why), CS_OK);
	assert_int_equal(bytes.n, 0);
	assert_int_equal(host_json_read_u64(json, "number", &number, &why), CS_OK);
	assert_int_equal(number, INT64_MAX);
	json_decref(json);
}

static void numbers_of_another_form_are_refused(void **unused)
{
	(void)unused;
	struct cs_why why = {{0}};
	uint64_t number = 7;
	json_t *json = document("{\"below\": -1, \"text\": \"1\", \"real\": 1.0}");
	assert_int_equal(host_json_read_u64(json, "below", &number, &why), CS_ERR_MALFORMED);
	assert_int_equal(host_json_read_u64(json, "text", &number, &why), CS_ERR_MALFORMED);
	assert_int_equal(host_json_read_u64(json, "real", &number, &why), CS_ERR_MALFORMED);
	assert_int_equal(host_json_read_u64(json, "none", &number, &why), CS_ERR_MISSING_FIELD);
	assert_non_null(strstr(why.text, "none"));
	assert_int_equal(number, 7);
	json_decref(json);
}

static void bytes_of_another_form_are_refused(void **unused)
{
	(void)unused;
	static uint8_t block[32];
	struct cs_arena arena;
	struct cs_why why = {{0}};
	struct cs_hash hash;
	struct cs_bytes bytes = CS_BYTES_NONE;
	json_t *json = document("{\"odd\": \"0xabc\", \"bare\": \"abcd\", \"digits\": \"0xzz\", "
				"\"three\": \"0xabcdef\", \"number\": 1, "
				"\"sixteen\": \"0x00112233445566778899aabbccddeeff\"}");
	cs_arena_init(&arena, block, sizeof(block));
	assert_int_equal(host_json_read_hex(json, "odd", 3, &arena, &bytes, &why),
			 CS_ERR_MALFORMED);
	assert_int_equal(host_json_read_hex(json, "bare", 3, &arena, &bytes, &why),
			 CS_ERR_MALFORMED);
	assert_int_equal(host_json_read_hex(json, "digits", 3, &arena, &bytes, &why),
			 CS_ERR_MALFORMED);
	assert_int_equal(host_json_read_hex(json, "number", 3, &arena, &bytes, &why),
			 CS_ERR_MALFORMED);
	assert_int_equal(host_json_read_hex(json, "three", 2, &arena, &bytes, &why),
			 CS_ERR_TOO_LARGE);
	assert_int_equal(host_json_read_hex(json, "sixteen", 16, &arena, &bytes, &why),
			 CS_ERR_NO_MEMORY);
	assert_int_equal(bytes.n, 0);
	assert_int_equal(host_json_read_hash(json, "three", &hash, &why), CS_ERR_MALFORMED);
	assert_int_equal(host_json_read_hash(json, "none", &hash, &why), CS_ERR_MISSING_FIELD);
	json_decref(json);
}

static void members_that_nobody_knows_are_refused(void **unused)
{
	(void)unused;
	static const char *const names[] = {"a", "b", NULL};
	struct cs_why why = {{0}};
	json_t *json = document("{\"a\": 1}");
	assert_int_equal(host_json_known(json, names, "thing", &why), CS_OK);
	json_object_set_new(json, "c", json_null());
	assert_int_equal(host_json_known(json, names, "thing", &why), CS_ERR_UNKNOWN_FIELD);
	assert_non_null(strstr(why.text, "thing: unknown member \"c\""));
	json_decref(json);
	json = document("[]");
	assert_int_equal(host_json_known(json, names, "thing", &why), CS_ERR_MALFORMED);
	json_decref(json);
}

static void a_path_has_a_bound(void **unused)
{
	(void)unused;
	struct cs_why why = {{0}};
	struct cs_hash sibling = {{0x5a}};
	struct wire_signed part = {0};
	json_t *json = json_object();
	json_t *path = json_array();
	assert_int_equal(host_json_read_path(json, &part, &why), CS_OK);
	assert_int_equal(part.path_count, 0);
	json_object_set_new(json, "path", path);
	for (size_t i = 0; i < CS_PATH_MAX; i++)
		json_array_append_new(path, host_json_hash(&sibling));
	assert_int_equal(host_json_read_path(json, &part, &why), CS_OK);
	assert_int_equal(part.path_count, CS_PATH_MAX);
	json_array_append_new(path, host_json_hash(&sibling));
	assert_int_equal(host_json_read_path(json, &part, &why), CS_ERR_TOO_LARGE);
	json_array_clear(path);
	json_array_append_new(path, json_string("0x5a"));
	assert_int_equal(host_json_read_path(json, &part, &why), CS_ERR_MALFORMED);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(numbers_of_another_form_are_refused),
		cmocka_unit_test(bytes_of_another_form_are_refused),
		cmocka_unit_test(members_that_nobody_knows_are_refused),
		cmocka_unit_test(a_path_has_a_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
