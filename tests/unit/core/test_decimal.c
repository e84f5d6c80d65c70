#include "core/decimal.h"
#include "tests/unit/support.h"

static enum cs_rounding rounding_of(const char *name)
{
	return strcmp(name, "exact") == 0  ? CS_ROUND_EXACT
	       : strcmp(name, "down") == 0 ? CS_ROUND_DOWN
					   : CS_ROUND_HALF_EVEN;
}

static void check_row(const json_t *row)
{
	const json_t *text = json_object_get(row, "text");
	size_t n = json_string_length(text);
	/* In memory of exactly its size. */
	uint8_t *copy = malloc(n > 0 ? n : 1);
	assert_non_null(copy);
	memcpy(copy, json_string_value(text), n);
	struct cs_int256 value;
	enum cs_err err =
		cs_decimal_parse(&value, cs_bytes(copy, n), (unsigned)u64_of(row, "decimals"),
				 rounding_of(text_of(row, "rounding")));
	const char *want = json_string_value(json_object_get(row, "error"));
	if (strcmp(want != NULL ? want : "ok", cs_err_name(err)) != 0)
		fail_msg("%s: %s", json_string_value(text), cs_err_name(err));
	if (err == CS_OK) {
		char got[CS_DECIMAL_TEXT_SIZE];
		cs_decimal_text(got, &value, 0);
		assert_string_equal(got, text_of(row, "value"));
	}
	free(copy);
}

static void test_vectors(void **state)
{
	(void)state;
	json_t *rows = read_json(CS_VECTORS "/decimal/numbers.json");
	size_t i;
	json_t *row;
	json_array_foreach(rows, i, row) check_row(row);
	assert_true(json_array_size(rows) > 900);
	json_decref(rows);
}

static struct cs_int256 number(const char *text)
{
	struct cs_int256 value;
	assert_ok(cs_decimal_parse(&value, cs_bytes_str(text), 0, CS_ROUND_EXACT));
	return value;
}

#define MINUS_TOP "-" TOP
#define TOP "57896044618658097711785492504343953926634992332820282019728792003956564819968"

static void test_words(void **state)
{
	(void)state;
	static const struct {
		const char *text, *word;
	} cases[] = {
		{"0", "0000000000000000000000000000000000000000000000000000000000000000"},
		{"1", "0000000000000000000000000000000000000000000000000000000000000001"},
		{"-1", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"-256", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff00"},
		{"18446744073709551616",
		 "0000000000000000000000000000000000000000000000010000000000000000"},
		{"-18446744073709551616",
		 "ffffffffffffffffffffffffffffffffffffffffffffffff0000000000000000"},
		{"-" TOP, "8000000000000000000000000000000000000000000000000000000000000000"},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_int256 value = number(cases[i].text), back;
		struct cs_hash word;
		assert_ok(cs_int256_word(&word, &value));
		assert_hash(word, hash_of_text(cases[i].word));
		back = cs_int256_from_word(&word);
		assert_int_equal(cs_int256_cmp(&value, &back), 0);
	}
}

static void test_words_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		TOP,
		"-57896044618658097711785492504343953926634992332820282019728792003956564819969",
		"115792089237316195423570985008687907853269984665640564039457584007913129639935",
		"-115792089237316195423570985008687907853269984665640564039457584007913129639935"};
	for (size_t i = 0; i < CS_LEN(texts); i++) {
		struct cs_int256 value = number(texts[i]);
		struct cs_hash word;
		assert_err(cs_int256_word(&word, &value), CS_ERR_OVERFLOW);
	}
}

static void test_order_and_distance(void **state)
{
	(void)state;
	static const char *const rising[] = {MINUS_TOP, "-2", "-1", "0", "1", "3"};
	struct cs_u256 distance;
	for (size_t i = 0; i < CS_LEN(rising); i++) {
		for (size_t j = 0; j < CS_LEN(rising); j++) {
			struct cs_int256 a = number(rising[i]), b = number(rising[j]);
			assert_int_equal(cs_int256_cmp(&a, &b), i < j ? -1 : i > j);
		}
	}
	struct cs_int256 low = number("-" TOP), high = number("-3"), five = number("5");
	assert_ok(cs_int256_distance(&distance, &high, &five));
	assert_int_equal(distance.limb[0], 8);
	assert_ok(cs_int256_distance(&distance, &five, &high));
	assert_int_equal(distance.limb[0], 8);
	assert_ok(cs_int256_distance(&distance, &low, &high));
	assert_int_equal(distance.limb[3], UINT64_MAX >> 1);
	low = number(
		"-115792089237316195423570985008687907853269984665640564039457584007913129639935");
	assert_err(cs_int256_distance(&distance, &low, &five), CS_ERR_OVERFLOW);
}

static void test_text(void **state)
{
	(void)state;
	static const struct {
		const char *number;
		unsigned decimals;
		const char *text;
	} cases[] = {{"0", 0, "0"},           {"0", 2, "0.00"},  {"5", 2, "0.05"},
		     {"-5", 1, "-0.5"},       {"12", 1, "1.2"},  {"-12", 0, "-12"},
		     {"12345", 5, "0.12345"}, {"100", 2, "1.00"}};
	char text[CS_DECIMAL_TEXT_SIZE];
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct cs_int256 value = number(cases[i].number);
		cs_decimal_text(text, &value, cases[i].decimals);
		assert_string_equal(text, cases[i].text);
	}
	struct cs_int256 most = {true, {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}};
	cs_decimal_text(text, &most, CS_DECIMALS_MAX);
	assert_string_equal(text,
			    "-1.15792089237316195423570985008687907853269984665640564039457584"
			    "007913129639935");
	most = number("-1");
	cs_decimal_text(text, &most, CS_DECIMALS_MAX);
	assert_int_equal(strlen(text), 2 + 1 + CS_DECIMALS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),       cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_refused), cmocka_unit_test(test_order_and_distance),
		cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
