/* Answers by path. */
#include "sdk/c/src/inner.h"
#include "tests/unit/support.h"

#include <stdlib.h>

static void values_by_their_paths(void **state)
{
	(void)state;
	uint64_t n = 5;
	struct caisson_answer *answer = answer_new(answer_parse(cs_bytes_str(
		"{\"a\":\"text\",\"n\":null,\"yes\":true,\"l\":[{\"x\":7},-1,1.5,\"8\"]}")));
	assert_non_null(answer);
	assert_string_equal(caisson_answer_text(answer, "a"), "text");
	assert_string_equal(caisson_answer_text(answer, "l/3"), "8");
	assert_true(caisson_answer_number(answer, "l/0/x", &n) && n == 7);
	assert_true(caisson_answer_is_true(answer, "yes"));
	assert_true(caisson_answer_has(answer, "") && caisson_answer_has(answer, "l/1"));
	assert_int_equal(caisson_answer_count(answer, "l"), 4);
	char *json = caisson_answer_json(answer);
	assert_string_equal(
		json, "{\"a\":\"text\",\"n\":null,\"yes\":true,\"l\":[{\"x\":7},-1,1.5,\"8\"]}");
	free(json);
	caisson_answer_free(answer);
}

static void what_is_not_there(void **state)
{
	(void)state;
	static const char *const nothing[] = {"b",     "a/b", "l/4",   "l/",          "l/x", "l/-1",
					      "l/0/y", "n/x", "l/0x0", "l/000000000", "/a"};
	uint64_t n = 5;
	struct caisson_answer *answer = answer_new(answer_parse(
		cs_bytes_str("{\"a\":\"text\",\"n\":null,\"l\":[{\"x\":7},-1,1.5,\"8\"]}")));
	for (size_t i = 0; i < CS_LEN(nothing); i++) {
		assert_false(caisson_answer_has(answer, nothing[i]));
		assert_null(caisson_answer_text(answer, nothing[i]));
		assert_false(caisson_answer_number(answer, nothing[i], &n));
		assert_false(caisson_answer_is_true(answer, nothing[i]));
		assert_int_equal(caisson_answer_count(answer, nothing[i]), 0);
	}
	assert_false(caisson_answer_number(answer, "l/1", &n) ||
		     caisson_answer_number(answer, "l/2", &n) ||
		     caisson_answer_number(answer, "l/3", &n) ||
		     caisson_answer_number(answer, "a", &n));
	assert_int_equal(n, 5);
	assert_false(caisson_answer_has(answer, "n"));
	assert_null(caisson_answer_text(answer, "l/0"));
	caisson_answer_free(answer);
	caisson_answer_free(NULL);
}

static void documents_that_are_none(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "{", "[]", "7", "{\"a\":1,\"a\":2}", "{} x"};
	for (size_t i = 0; i < CS_LEN(texts); i++)
		assert_null(answer_parse(cs_bytes_str(texts[i])));
	assert_null(answer_new(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_by_their_paths),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(documents_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
