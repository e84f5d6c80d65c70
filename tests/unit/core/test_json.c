#include "core/json.h"
#include "tests/unit/support.h"

#include <dirent.h>

static uint8_t block[8 * 1024 * 1024];
static struct cs_arena arena;

static int fresh(void **state)
{
	(void)state;
	cs_arena_init(&arena, block, sizeof block);
	return 0;
}

static enum cs_err parse(const struct cs_json **json, const char *text)
{
	struct cs_why why;
	return cs_json_parse(json, cs_bytes_str(text), CS_JSON_INTEGERS, &arena, &why);
}

/* ---- JSONTestSuite ---- */

/* Where the suite leaves it open: numbers stay text, so their size does not matter; broken UTF-8
 * and half pairs are refused. */
static bool accepts_open_case(const char *name)
{
	static const char *const accepted[] = {
		"i_number_double_huge_neg_exp.json", "i_number_huge_exp.json",
		"i_number_neg_int_huge_exp.json",    "i_number_pos_double_huge_exp.json",
		"i_number_real_neg_overflow.json",   "i_number_real_pos_overflow.json",
		"i_number_real_underflow.json",      "i_number_too_big_neg_int.json",
		"i_number_too_big_pos_int.json",     "i_number_very_big_negative_int.json",
	};
	for (size_t i = 0; i < CS_LEN(accepted); i++) {
		if (strcmp(name, accepted[i]) == 0)
			return true;
	}
	return false;
}

static bool should_parse(const char *name)
{
	if (name[0] == 'i')
		return accepts_open_case(name);
	/* Keys are unique here. */
	return name[0] == 'y' && strncmp(name, "y_object_duplicated_key", 23) != 0;
}

static void test_suite(void **state)
{
	(void)state;
	DIR *folder = opendir(CS_VECTORS "/json");
	const struct dirent *entry;
	size_t parsed = 0, refused = 0;
	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL) {
		if (strstr(entry->d_name, ".json") == NULL)
			continue;
		char path[512];
		const struct cs_json *json;
		struct cs_why why = {""};
		(void)snprintf(path, sizeof path, "%s/json/%s", CS_VECTORS, entry->d_name);
		cs_arena_init(&arena, block, sizeof block);
		enum cs_err err =
			cs_json_parse(&json, read_file(path), CS_JSON_ANY_NUMBER, &arena, &why);
		if ((err == CS_OK) != should_parse(entry->d_name))
			fail_msg("%s: %s %s", entry->d_name, cs_err_name(err), why.text);
		parsed += err == CS_OK;
		refused += err != CS_OK;
	}
	(void)closedir(folder);
	assert_int_equal(parsed, 93 + 10);
	assert_int_equal(refused, 318 - 103);
}

/* ---- the tree ---- */

static void test_tree(void **state)
{
	(void)state;
	const struct cs_json *json, *list;
	struct cs_bytes text;
	struct cs_u256 amount;
	struct cs_why why;
	uint64_t number;
	uint8_t two[2];
	bool flag;
	assert_ok(parse(
		&json,
		" {\"a\": 17, \"b\" : \"x\\u00e9\\n\\ud83d\\ude00\", \"c\":[1,[],{}],\"d\":true,"
		"\"e\":\"0xbeef\",\"f\":\"1000000000000000000000\",\"g\":null}\n"));
	assert_int_equal(json->count, 7);
	assert_ok(cs_json_member_u64(&number, json, "a", 17, &why));
	assert_int_equal(number, 17);
	assert_err(cs_json_member_u64(&number, json, "a", 16, &why), CS_ERR_OVERFLOW);
	assert_ok(cs_json_member_string(&text, json, "b", 8, &why));
	assert_bytes(text, cs_bytes_str("x\xc3\xa9\n\xf0\x9f\x98\x80"));
	assert_err(cs_json_member_string(&text, json, "b", 7, &why), CS_ERR_TOO_LARGE);
	assert_ok(cs_json_member(&list, json, "c", CS_JSON_ARRAY, &why));
	assert_int_equal(list->count, 3);
	assert_int_equal(list->child->next->type, CS_JSON_ARRAY);
	assert_int_equal(list->child->next->next->type, CS_JSON_OBJECT);
	assert_null(list->child->next->next->next);
	assert_ok(cs_json_member_bool(&flag, json, "d", &why));
	assert_true(flag);
	assert_ok(cs_json_member_hex(two, 2, json, "e", &why));
	assert_int_equal(two[0], 0xbe);
	assert_ok(cs_json_member_u256(&amount, json, "f", &why));
	assert_int_equal(amount.limb[1], 54);
	assert_non_null(cs_json_find(json, "g"));
	assert_null(cs_json_find(json, "h"));
	assert_null(cs_json_find(list, "a"));
}

static void test_member_refusals(void **state)
{
	(void)state;
	const struct cs_json *json;
	struct cs_u256 amount;
	struct cs_why why;
	uint64_t number = 5;
	uint8_t two[2];
	bool flag;
	assert_ok(parse(&json, "{\"neg\":-1,\"big\":18446744073709551616,\"huge\":"
			       "9999999999999999999999999999999999999999999999999999999999999999999"
			       "99999999999999999,"
			       "\"text\":\"1\",\"upper\":\"0xBEEF\",\"bare\":\"beef\",\"short\":"
			       "\"0xbe\",\"dec\":\"01\","
			       "\"hex\":\"0xzzzz\",\"minus\":\"-1\"}"));
	assert_err(cs_json_member_u64(&number, json, "neg", 9, &why), CS_ERR_OVERFLOW);
	assert_err(cs_json_member_u64(&number, json, "big", UINT64_MAX, &why), CS_ERR_OVERFLOW);
	assert_err(cs_json_member_u64(&number, json, "huge", UINT64_MAX, &why), CS_ERR_OVERFLOW);
	assert_err(cs_json_member_u64(&number, json, "text", 9, &why), CS_ERR_INVALID);
	assert_err(cs_json_member_u64(&number, json, "none", 9, &why), CS_ERR_MISSING_FIELD);
	assert_string_equal(why.text, "none is missing");
	assert_int_equal(number, 5);
	assert_err(cs_json_member_bool(&flag, json, "text", &why), CS_ERR_INVALID);
	assert_err(cs_json_member_hex(two, 2, json, "upper", &why), CS_ERR_NON_CANONICAL);
	assert_err(cs_json_member_hex(two, 2, json, "bare", &why), CS_ERR_MALFORMED);
	assert_err(cs_json_member_hex(two, 2, json, "short", &why), CS_ERR_MALFORMED);
	assert_err(cs_json_member_hex(two, 2, json, "hex", &why), CS_ERR_MALFORMED);
	assert_err(cs_json_member_hex(two, 2, json, "neg", &why), CS_ERR_INVALID);
	assert_err(cs_json_member_u256(&amount, json, "dec", &why), CS_ERR_NON_CANONICAL);
	assert_err(cs_json_member_u256(&amount, json, "minus", &why), CS_ERR_MALFORMED);
	assert_err(cs_json_member_u256(&amount, json, "neg", &why), CS_ERR_INVALID);
}

static void test_only(void **state)
{
	(void)state;
	static const char *const keys[] = {"a", "b"};
	const struct cs_json *json;
	struct cs_why why;
	assert_ok(parse(&json, "{\"b\":1,\"a\":2}"));
	assert_ok(cs_json_only(json, keys, 2, &why));
	assert_err(cs_json_only(json, keys, 1, &why), CS_ERR_UNKNOWN_FIELD);
	assert_string_equal(why.text, "unknown key \"b\"");
	assert_ok(parse(&json, "[]"));
	assert_err(cs_json_only(json, keys, 2, &why), CS_ERR_INVALID);
}

/* ---- refusals of the parser ---- */

static void test_refusals(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum cs_err err;
	} cases[] = {
		{"", CS_ERR_TRUNCATED},
		{"{", CS_ERR_TRUNCATED},
		{"[1", CS_ERR_TRUNCATED},
		{"\"a", CS_ERR_TRUNCATED},
		{"\"a\\", CS_ERR_TRUNCATED},
		{"\"\\u12", CS_ERR_TRUNCATED},
		{"nul", CS_ERR_TRUNCATED},
		{"-", CS_ERR_TRUNCATED},
		{"1 2", CS_ERR_TRAILING},
		{"{}}", CS_ERR_TRAILING},
		{"truex", CS_ERR_TRAILING},
		{"01", CS_ERR_MALFORMED},
		{"-01", CS_ERR_MALFORMED},
		{"+1", CS_ERR_MALFORMED},
		{"[1,]", CS_ERR_MALFORMED},
		{"[,1]", CS_ERR_MALFORMED},
		{"[1 2]", CS_ERR_MALFORMED},
		{"[}", CS_ERR_MALFORMED},
		{"{\"a\":1,}", CS_ERR_MALFORMED},
		{"{\"a\" 1}", CS_ERR_MALFORMED},
		{"{a:1}", CS_ERR_MALFORMED},
		{"{1:1}", CS_ERR_MALFORMED},
		{"\"\t\"", CS_ERR_MALFORMED},
		{"\"\\x\"", CS_ERR_MALFORMED},
		{"\"\\ud800\"", CS_ERR_MALFORMED},
		{"\"\\ud800\\u0041\"", CS_ERR_MALFORMED},
		{"\"\\udc00\"", CS_ERR_MALFORMED},
		{"\"\xff\"", CS_ERR_MALFORMED},
		{"\"\xc0\xaf\"", CS_ERR_MALFORMED},
		{"\"\xed\xa0\x80\"", CS_ERR_MALFORMED},
		{"\"\xf4\x90\x80\x80\"", CS_ERR_MALFORMED},
		{"\xef\xbb\xbf{}", CS_ERR_MALFORMED},
		{"// c\n1", CS_ERR_MALFORMED},
		{"{\"a\":1,\"a\":2}", CS_ERR_DUPLICATE},
		{"{\"a\":1,\"\\u0061\":2}", CS_ERR_DUPLICATE},
		{"1.5", CS_ERR_INVALID},
		{"1e3", CS_ERR_INVALID},
		{"[0,-0.0]", CS_ERR_INVALID},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		const struct cs_json *json = NULL;
		enum cs_err err = parse(&json, cases[i].text);
		if (err != cases[i].err)
			fail_msg("%s: %s", cases[i].text, cs_err_name(err));
		assert_null(json);
	}
}

static void test_bounds(void **state)
{
	(void)state;
	static char text[400000];
	const struct cs_json *json;
	struct cs_why why;
	for (size_t depth = CS_JSON_DEPTH_MAX; depth <= CS_JSON_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		text[2 * depth] = '\0';
		assert_err(parse(&json, text),
			   depth == CS_JSON_DEPTH_MAX ? CS_OK : CS_ERR_TOO_LARGE);
	}
	for (size_t nodes = CS_JSON_NODES_MAX; nodes <= CS_JSON_NODES_MAX + 1; nodes++) {
		size_t n = 0;
		for (size_t i = 1; i < nodes; i++) {
			text[n++] = i == 1 ? '[' : ',';
			text[n++] = '1';
		}
		text[n++] = ']';
		text[n] = '\0';
		cs_arena_init(&arena, block, sizeof block);
		assert_err(parse(&json, text),
			   nodes == CS_JSON_NODES_MAX ? CS_OK : CS_ERR_TOO_LARGE);
	}
	for (size_t members = CS_JSON_MEMBERS_MAX; members <= CS_JSON_MEMBERS_MAX + 1; members++) {
		struct cs_buf buf;
		cs_buf_init(&buf, text, sizeof text);
		for (size_t i = 0; i < members; i++)
			cs_put_text(&buf, "%c\"%zu\":0", i == 0 ? '{' : ',', i);
		cs_put_u8(&buf, '}');
		assert_ok(cs_buf_end(&buf));
		cs_arena_init(&arena, block, sizeof block);
		assert_err(cs_json_parse(&json, cs_buf_view(&buf), CS_JSON_INTEGERS, &arena, &why),
			   members == CS_JSON_MEMBERS_MAX ? CS_OK : CS_ERR_TOO_LARGE);
	}
}

/* Whatever the size of the arena, the answer is the tree or NO_MEMORY. */
static void test_memory(void **state)
{
	(void)state;
	struct cs_bytes text = cs_bytes_str(
		"{\"a\":[1,\"two\",{\"b\":null}],\"c\":\"longer than a word of sixteen\"}");
	static _Alignas(16) uint8_t small[2048];
	bool parsed = false;
	for (size_t size = 0; size <= sizeof small; size += 16) {
		struct cs_arena little;
		const struct cs_json *json;
		cs_arena_init(&little, small, size);
		enum cs_err err = cs_json_parse_canonical(&json, text, &little, NULL);
		assert_true(err == CS_OK || (err == CS_ERR_NO_MEMORY && !parsed));
		parsed = err == CS_OK;
	}
	assert_true(parsed);
}

/* ---- the canonical form ---- */

static void assert_canonical(const char *text, const char *wanted)
{
	static uint8_t memory[4096];
	const struct cs_json *json;
	struct cs_buf buf;
	assert_ok(parse(&json, text));
	cs_buf_init(&buf, memory, sizeof memory);
	assert_ok(cs_json_write(&buf, json, &arena));
	assert_bytes(cs_buf_view(&buf), cs_bytes_str(wanted));
	assert_ok(cs_json_parse_canonical(&json, cs_bytes_str(wanted), &arena, NULL));
	if (strcmp(text, wanted) != 0)
		assert_err(cs_json_parse_canonical(&json, cs_bytes_str(text), &arena, NULL),
			   CS_ERR_NON_CANONICAL);
}

static void test_canonical(void **state)
{
	(void)state;
	assert_canonical("{}", "{}");
	assert_canonical(" [ ] ", "[]");
	assert_canonical("{\"b\":1,\"a\":{\"d\":[true,false,null],\"c\":-12}}",
			 "{\"a\":{\"c\":-12,\"d\":[true,false,null]},\"b\":1}");
	assert_canonical("{\"aa\":1,\"a\":2,\"Z\":3,\"\":4}", "{\"\":4,\"Z\":3,\"a\":2,\"aa\":1}");
	assert_canonical("\"\\u0041\\/\\u00e9\\u0000\\u001F\\u000a\\\"\\\\\"",
			 "\"A/\xc3\xa9\\u0000\\u001f\\n\\\"\\\\\"");
	assert_canonical("\"\x7f\"", "\"\x7f\"");
	assert_canonical("{\"\xc3\xa9\":1,\"z\":2}", "{\"z\":2,\"\xc3\xa9\":1}");
	assert_canonical("18446744073709551616", "18446744073709551616");
}

static void test_no_canonical_form(void **state)
{
	(void)state;
	static const char *const texts[] = {"-0", "[1.0]", "1e2", "{\"a\":-0}"};
	uint8_t memory[64];
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		const struct cs_json *json;
		struct cs_buf buf;
		struct cs_why why;
		assert_ok(cs_json_parse(&json, cs_bytes_str(texts[i]), CS_JSON_ANY_NUMBER, &arena,
					&why));
		cs_buf_init(&buf, memory, sizeof memory);
		assert_err(cs_json_write(&buf, json, &arena), CS_ERR_NON_CANONICAL);
		enum cs_err err =
			cs_json_parse_canonical(&json, cs_bytes_str(texts[i]), &arena, NULL);
		assert_true(err == CS_ERR_NON_CANONICAL || err == CS_ERR_INVALID);
	}
	const struct cs_json *json;
	struct cs_buf buf;
	assert_ok(parse(&json, "[1,2,3]"));
	cs_buf_init(&buf, memory, 6);
	assert_err(cs_json_write(&buf, json, &arena), CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite),
		cmocka_unit_test_setup(test_tree, fresh),
		cmocka_unit_test_setup(test_member_refusals, fresh),
		cmocka_unit_test_setup(test_only, fresh),
		cmocka_unit_test_setup(test_refusals, fresh),
		cmocka_unit_test_setup(test_bounds, fresh),
		cmocka_unit_test_setup(test_memory, fresh),
		cmocka_unit_test_setup(test_canonical, fresh),
		cmocka_unit_test_setup(test_no_canonical_form, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
