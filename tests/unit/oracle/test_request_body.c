/* Bodies of requests: what comes out canonical, and what is refused with its member's name. */
#include "oracle/request_body.h"
#include "tests/unit/support.h"
#include "wire/spec.h"

static uint8_t block[ORACLE_BODY_ARENA_SIZE];

#define SPEC                                                                  \
	"{\"version\": 1, \"sources\": [{\"url\": \"https://a.test/p?{0}\", " \
	"\"extract\": {\"pointer\": \"/p\"}}], \"result\": {\"type\": \"uint256\"}}"

static enum cs_err read_body(struct oracle_body *body, enum oracle_body_kind kind, const char *text,
			     struct cs_why *why)
{
	struct cs_arena arena;
	cs_arena_init(&arena, block, sizeof(block));
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	assert_non_null(json);
	enum cs_err err = oracle_body_read(body, kind, json, &arena, why);
	json_decref(json);
	return err;
}

static void a_request(void **state)
{
	struct oracle_body body;
	struct cs_why why = {{0}};
	(void)state;
	assert_int_equal(read_body(&body, ORACLE_BODY_REQUEST,
				   "{\"spec\":" SPEC
				   ",\"arguments\":[\"a\",\"\"],\"secrets\":\"0x0a0b\","
				   "\"audience\":\"shop\",\"max_age\":7,\"timeout_s\":9}",
				   &why),
			 CS_OK);
	assert_true(cs_bytes_eq(body.query.spec,
				cs_bytes_str("{\"result\":{\"type\":\"uint256\"},\"sources\":[{"
					     "\"extract\":{\"pointer\":\"/p\"},"
					     "\"url\":\"https://a.test/p?{0}\"}],\"version\":1}")));
	assert_int_equal(body.query.argument_count, 2);
	assert_int_equal(body.query.arguments[1].n, 0);
	assert_int_equal(body.query.secrets.n, 2);
	assert_true(cs_bytes_eq(body.query.audience, cs_bytes_str("shop")));
	assert_int_equal(body.max_age, 7);
	assert_int_equal(body.timeout_s, 9);
}

static void defaults(void **state)
{
	struct oracle_body body;
	struct cs_why why = {{0}};
	(void)state;
	for (unsigned kind = ORACLE_BODY_REQUEST; kind <= ORACLE_BODY_SPEC; kind++) {
		assert_int_equal(
			read_body(&body, (enum oracle_body_kind)kind, "{\"spec\":" SPEC "}", &why),
			CS_OK);
		assert_int_equal(body.max_age, ORACLE_MAX_AGE_DEFAULT_S);
		assert_int_equal(body.timeout_s, ORACLE_TIMEOUT_DEFAULT_S);
		assert_int_equal(body.query.argument_count, 0);
		assert_int_equal(body.query.secrets.n, 0);
		assert_int_equal(body.query.audience.n, 0);
	}
}

static void refused(void **state)
{
	static const struct {
		enum oracle_body_kind kind;
		const char *text;
		enum cs_err err;
		const char *why;
	} rows[] = {
		{ORACLE_BODY_REQUEST, "[]", CS_ERR_MALFORMED, ""},
		{ORACLE_BODY_REQUEST, "{}", CS_ERR_MISSING_FIELD, "spec"},
		{ORACLE_BODY_REQUEST, "{\"spec\":[]}", CS_ERR_MALFORMED, "spec"},
		{ORACLE_BODY_REQUEST, "{\"spec\":{}}", CS_ERR_MISSING_FIELD, "spec"},
		{ORACLE_BODY_REQUEST, "{\"spec\":{\"version\":1.5}}", CS_ERR_INVALID, "spec"},
		{ORACLE_BODY_REQUEST, "{\"spec\":" SPEC ",\"arguments\":[7]}", CS_ERR_MALFORMED,
		 "arguments[0]"},
		{ORACLE_BODY_REQUEST,
		 "{\"spec\":" SPEC ",\"arguments\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}",
		 CS_ERR_TOO_LARGE, "arguments"},
		{ORACLE_BODY_REQUEST, "{\"spec\":" SPEC ",\"secrets\":\"0x0\"}", CS_ERR_MALFORMED,
		 "secrets"},
		{ORACLE_BODY_REQUEST, "{\"spec\":" SPEC ",\"max_age\":86401}", CS_ERR_INVALID,
		 "max_age"},
		{ORACLE_BODY_REQUEST, "{\"spec\":" SPEC ",\"timeout_s\":0}", CS_ERR_INVALID,
		 "timeout_s"},
		{ORACLE_BODY_REQUEST, "{\"spec\":" SPEC ",\"fee\":1}", CS_ERR_UNKNOWN_FIELD, "fee"},
		{ORACLE_BODY_DRY_RUN, "{\"spec\":" SPEC ",\"secrets\":\"0x00\"}",
		 CS_ERR_UNKNOWN_FIELD, "secrets"},
		{ORACLE_BODY_DRY_RUN, "{\"spec\":" SPEC ",\"audience\":\"a\"}",
		 CS_ERR_UNKNOWN_FIELD, "audience"},
		{ORACLE_BODY_SPEC, "{\"spec\":" SPEC ",\"arguments\":[]}", CS_ERR_UNKNOWN_FIELD,
		 "arguments"},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct oracle_body body = {.max_age = 4711};
		struct cs_why why = {{0}};
		assert_int_equal(read_body(&body, rows[i].kind, rows[i].text, &why), rows[i].err);
		assert_non_null(strstr(why.text, rows[i].why));
		assert_int_equal(body.max_age, 4711);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request),
		cmocka_unit_test(defaults),
		cmocka_unit_test(refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
