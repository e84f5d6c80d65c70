/* One value of several: every order of the sources gives the same. */
#include "core/decimal.h"
#include "enclave/oracle/aggregate.h"
#include "tests/unit/support.h"

#define SOURCES 5

static struct wire_spec spec_of(enum wire_aggregate kind, size_t sources, uint8_t k)
{
	return (struct wire_spec){.type = {.kind = WIRE_TYPE_INT256},
				  .aggregate = kind,
				  .k = k,
				  .source_count = sources};
}

/* "5", "-3": a number; "!17": an error. */
static struct aggregate_input input_of(const char *text)
{
	struct cs_int256 number;
	struct cs_hash word;
	if (text[0] == '!')
		return (struct aggregate_input){
			.code = (enum wire_oracle_code)strtol(text + 1, NULL, 10)};
	assert_ok(cs_decimal_parse(&number, cs_bytes_str(text), 0, CS_ROUND_EXACT));
	assert_ok(cs_int256_word(&word, &number));
	uint8_t *p = keep(sizeof word.b);
	memcpy(p, word.b, sizeof word.b);
	return (struct aggregate_input){WIRE_ORACLE_OK, cs_bytes(p, sizeof word.b)};
}

struct outcome {
	enum wire_oracle_code code;
	char number[CS_DECIMAL_TEXT_SIZE];
	int used;
};

static struct outcome run(const struct wire_spec *spec, const struct aggregate_input *inputs)
{
	struct outcome outcome = {0};
	struct cs_bytes value = CS_BYTES_NONE;
	uint32_t used = 0;
	outcome.code = aggregate_value(&value, &used, spec, inputs);
	if (outcome.code != WIRE_ORACLE_OK) {
		assert_int_equal(value.n, 0);
		assert_int_equal(used, 0);
		return outcome;
	}
	struct cs_hash word;
	assert_int_equal(value.n, sizeof word.b);
	memcpy(word.b, value.p, sizeof word.b);
	struct cs_int256 number = cs_int256_from_word(&word);
	cs_decimal_text(outcome.number, &number, 0);
	outcome.used = __builtin_popcount(used);
	for (size_t i = 0; i < spec->source_count; i++)
		assert_true((used >> i & 1) == 0 || inputs[i].code == WIRE_ORACLE_OK);
	assert_int_equal(used >> spec->source_count, 0);
	return outcome;
}

/* Every permutation, by Heap's algorithm. */
static void for_all_orders(const struct wire_spec *spec, struct aggregate_input *inputs, size_t n,
			   const struct outcome *want)
{
	if (n <= 1) {
		struct outcome got = run(spec, inputs);
		assert_int_equal(got.code, want->code);
		assert_string_equal(got.number, want->number);
		assert_int_equal(got.used, want->used);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		for_all_orders(spec, inputs, n - 1, want);
		size_t other = n % 2 == 0 ? i : 0;
		struct aggregate_input swapped = inputs[other];
		inputs[other] = inputs[n - 1];
		inputs[n - 1] = swapped;
	}
}

struct example {
	uint8_t k;
	const char *texts[SOURCES]; /* up to NULL */
	enum wire_oracle_code code;
	const char *number;
	int used;
};

static void check(const struct wire_spec *base, const struct example *example)
{
	struct aggregate_input inputs[SOURCES];
	struct wire_spec spec = *base;
	struct outcome want = {.code = example->code, .used = example->used};
	spec.k = example->k;
	spec.source_count = 0;
	while (spec.source_count < SOURCES && example->texts[spec.source_count] != NULL) {
		inputs[spec.source_count] = input_of(example->texts[spec.source_count]);
		spec.source_count++;
	}
	(void)snprintf(want.number, sizeof want.number, "%s", example->number);
	for_all_orders(&spec, inputs, spec.source_count, &want);
}

static void test_equal(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{1, {"5"}, WIRE_ORACLE_OK, "5", 1},
		{1, {"!18"}, WIRE_ORACLE_TLS, "", 0},
		{2, {"5", "5"}, WIRE_ORACLE_OK, "5", 2},
		{2, {"5", "6"}, WIRE_ORACLE_DISAGREEMENT, "", 0},
		{2, {"5", "!17"}, WIRE_ORACLE_TIMEOUT, "", 0},
		{2, {"5", "5", "6"}, WIRE_ORACLE_OK, "5", 2},
		{2, {"5", "5", "!32"}, WIRE_ORACLE_OK, "5", 2},
		{2, {"5", "6", "7"}, WIRE_ORACLE_DISAGREEMENT, "", 0},
		/* With the source that failed there might have been two. */
		{2, {"5", "6", "!16"}, WIRE_ORACLE_UNREACHABLE, "", 0},
		{2, {"5", "6", "!33"}, WIRE_ORACLE_DISAGREEMENT, "", 0},
		{2, {"5", "6", "!4"}, WIRE_ORACLE_DISAGREEMENT, "", 0},
		{2, {"5", "!4", "!17"}, WIRE_ORACLE_TIMEOUT, "", 0},
		{2, {"!4", "!22", "!17"}, WIRE_ORACLE_TIMEOUT, "", 0},
		{2, {"5", "!4", "!33"}, WIRE_ORACLE_NOT_ALLOWED, "", 0},
		{2, {"5", "!34", "!16"}, WIRE_ORACLE_UNREACHABLE, "", 0},
		{2, {"!48", "!33", "!34"}, WIRE_ORACLE_TYPE, "", 0},
		{3, {"5", "5", "6"}, WIRE_ORACLE_DISAGREEMENT, "", 0},
		{3, {"5", "5", "5", "6", "6"}, WIRE_ORACLE_OK, "5", 3},
		{3, {"5", "5", "6", "6", "7"}, WIRE_ORACLE_DISAGREEMENT, "", 0},
		{3, {"5", "5", "6", "!22", "!21"}, WIRE_ORACLE_TOO_LARGE, "", 0},
		{4, {"5", "5", "5", "!22", "!21"}, WIRE_ORACLE_TOO_LARGE, "", 0},
		{5, {"-1", "-1", "-1", "-1", "-1"}, WIRE_ORACLE_OK, "-1", 5},
	};
	struct wire_spec spec = spec_of(WIRE_AGGREGATE_EQUAL, 0, 0);
	for (size_t i = 0; i < CS_LEN(examples); i++)
		check(&spec, &examples[i]);
}

/* Bytes of any type, not numbers. */
static void test_equal_bytes(void **state)
{
	(void)state;
	struct wire_spec spec = spec_of(WIRE_AGGREGATE_EQUAL, 3, 2);
	struct aggregate_input inputs[] = {{WIRE_ORACLE_OK, cs_bytes_str("ab")},
					   {WIRE_ORACLE_OK, cs_bytes_str("a")},
					   {WIRE_ORACLE_OK, cs_bytes_str("a")}};
	struct cs_bytes value;
	uint32_t used;
	assert_int_equal(aggregate_value(&value, &used, &spec, inputs), WIRE_ORACLE_OK);
	assert_bytes(value, cs_bytes_str("a"));
	assert_int_equal(used, 6);
}

static void test_median(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{1, {"5"}, WIRE_ORACLE_OK, "5", 1},
		{1, {"5", "!17"}, WIRE_ORACLE_OK, "5", 1},
		{2, {"5", "!17"}, WIRE_ORACLE_TIMEOUT, "", 0},
		{2, {"5", "7"}, WIRE_ORACLE_OK, "5", 2},
		{2, {"-5", "-7"}, WIRE_ORACLE_OK, "-7", 2},
		{2, {"1", "100", "3"}, WIRE_ORACLE_OK, "3", 3},
		{2, {"1", "100", "!16"}, WIRE_ORACLE_OK, "1", 2},
		{3, {"1", "2", "3", "4"}, WIRE_ORACLE_OK, "2", 4},
		{3, {"-4", "-3", "3", "4", "1000000"}, WIRE_ORACLE_OK, "3", 5},
		{3, {"7", "7", "7", "1", "9"}, WIRE_ORACLE_OK, "7", 5},
		{5, {"1", "2", "3", "4", "!33"}, WIRE_ORACLE_TYPE, "", 0},
		{5, {"1", "2", "3", "!3", "!18"}, WIRE_ORACLE_TLS, "", 0},
		{1,
		 {"57896044618658097711785492504343953926634992332820282019728792003956564819967",
		  "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
		  "0"},
		 WIRE_ORACLE_OK,
		 "0",
		 3},
	};
	struct wire_spec spec = spec_of(WIRE_AGGREGATE_MEDIAN, 0, 0);
	for (size_t i = 0; i < CS_LEN(examples); i++)
		check(&spec, &examples[i]);
}

static void test_unsigned_median(void **state)
{
	(void)state;
	struct wire_spec spec = spec_of(WIRE_AGGREGATE_MEDIAN, 3, 3);
	uint8_t words[3][32] = {{0xff}, {0x01}, {0x80}};
	struct aggregate_input inputs[3];
	struct cs_bytes value;
	uint32_t used;
	for (size_t i = 0; i < 3; i++)
		inputs[i] = (struct aggregate_input){WIRE_ORACLE_OK, CS_BYTES_OF(words[i])};
	spec.type.kind = WIRE_TYPE_UINT256;
	spec.spread_bounded = true;
	spec.spread_ppm = 1984376;
	assert_int_equal(aggregate_value(&value, &used, &spec, inputs), WIRE_ORACLE_OK);
	assert_int_equal(value.p[0], 0x80);
	/* 0xfe / 0x80 is 1.984375: the bound itself is allowed, a millionth less is not. */
	spec.spread_ppm = 1984375;
	assert_int_equal(aggregate_value(&value, &used, &spec, inputs), WIRE_ORACLE_OK);
	spec.spread_ppm = 1984374;
	assert_int_equal(aggregate_value(&value, &used, &spec, inputs), WIRE_ORACLE_DISAGREEMENT);
}

static void test_spread(void **state)
{
	(void)state;
	static const struct {
		uint32_t ppm;
		struct example example;
	} cases[] = {
		{10000, {3, {"100", "101", "100"}, WIRE_ORACLE_OK, "100", 3}},
		{9999, {3, {"100", "101", "100"}, WIRE_ORACLE_DISAGREEMENT, "", 0}},
		{0, {3, {"100", "100", "100"}, WIRE_ORACLE_OK, "100", 3}},
		{0, {2, {"100", "101"}, WIRE_ORACLE_DISAGREEMENT, "", 0}},
		{1000000000, {3, {"0", "0", "1"}, WIRE_ORACLE_DISAGREEMENT, "", 0}},
		{1000000000, {3, {"0", "0", "0"}, WIRE_ORACLE_OK, "0", 3}},
		{20000, {3, {"-99", "-100", "-101"}, WIRE_ORACLE_OK, "-100", 3}},
		{19999, {3, {"-99", "-100", "-101"}, WIRE_ORACLE_DISAGREEMENT, "", 0}},
		{10000, {2, {"100", "150", "!16"}, WIRE_ORACLE_UNREACHABLE, "", 0}},
		{10000, {2, {"100", "150", "!32"}, WIRE_ORACLE_DISAGREEMENT, "", 0}},
		/* Numbers whose product with a million is above 2^256. */
		{2000001,
		 {3,
		  {"57896044618658097711785492504343953926634992332820282019728792003956564819967",
		   "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
		   "57896044618658097711785492504343953926634992332820282019728792003956564819967"},
		  WIRE_ORACLE_OK,
		  "57896044618658097711785492504343953926634992332820282019728792003956564819967",
		  3}},
		{1999999,
		 {3,
		  {"57896044618658097711785492504343953926634992332820282019728792003956564819967",
		   "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
		   "57896044618658097711785492504343953926634992332820282019728792003956564819967"},
		  WIRE_ORACLE_DISAGREEMENT,
		  "",
		  0}},
	};
	struct wire_spec spec = spec_of(WIRE_AGGREGATE_MEDIAN, 0, 0);
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		spec.spread_bounded = true;
		spec.spread_ppm = cases[i].ppm;
		check(&spec, &cases[i].example);
	}
}

/* Random inputs in random orders: the same value, the same number of sources. */
static void test_order_never_matters(void **state)
{
	(void)state;
	uint64_t seed = 88172645463325252u;
	for (size_t round = 0; round < 3000; round++) {
		struct aggregate_input inputs[SOURCES];
		struct wire_spec spec = spec_of(
			round % 2 == 0 ? WIRE_AGGREGATE_EQUAL : WIRE_AGGREGATE_MEDIAN, SOURCES, 3);
		static uint8_t words[SOURCES][32];
		for (size_t i = 0; i < SOURCES; i++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			memset(words[i], seed % 7 == 0 ? 0xff : 0, sizeof words[i]);
			words[i][31] = (uint8_t)(seed >> 8 & 3);
			inputs[i] = seed % 5 == 0
					    ? (struct aggregate_input){.code = WIRE_ORACLE_TLS}
					    : (struct aggregate_input){WIRE_ORACLE_OK,
								       CS_BYTES_OF(words[i])};
		}
		spec.spread_bounded = round % 4 == 1;
		spec.spread_ppm = 1500000;
		struct outcome want = run(&spec, inputs);
		for_all_orders(&spec, inputs, SOURCES, &want);
	}
}

static void test_enough(void **state)
{
	(void)state;
	static const struct {
		enum wire_aggregate kind;
		uint8_t k;
		const char *texts[SOURCES]; /* up to NULL; "!17": has not ended, or failed */
		bool enough;
	} examples[] = {
		{WIRE_AGGREGATE_EQUAL, 2, {"5", "5", "!17"}, true},
		{WIRE_AGGREGATE_EQUAL, 2, {"5", "!17", "!17"}, false},
		{WIRE_AGGREGATE_EQUAL, 2, {"5", "6", "!17"}, false},
		{WIRE_AGGREGATE_EQUAL, 3, {"5", "5", "6", "!17", "!17"}, false},
		{WIRE_AGGREGATE_EQUAL, 3, {"5", "5", "6", "5", "!17"}, true},
		{WIRE_AGGREGATE_MEDIAN, 2, {"5", "!17", "6"}, true},
		{WIRE_AGGREGATE_MEDIAN, 3, {"5", "!17", "6"}, false},
		/* Too wide: a third could make it right. */
		{WIRE_AGGREGATE_MEDIAN, 2, {"5", "!17", "60"}, false},
		/* k alone are not enough, they are to be more than half. */
		{WIRE_AGGREGATE_MEDIAN, 1, {"5", "!17", "!17"}, false},
		{WIRE_AGGREGATE_MEDIAN, 1, {"5", "5", "!17", "!17"}, false},
		{WIRE_AGGREGATE_MEDIAN, 1, {"5", "5", "6", "!17"}, true},
		{WIRE_AGGREGATE_MEDIAN, 1, {"5", "!17"}, false},
		{WIRE_AGGREGATE_MEDIAN, 1, {"!17", "!17"}, false},
	};
	for (size_t n = 0; n < CS_LEN(examples); n++) {
		struct aggregate_input inputs[SOURCES];
		struct wire_spec spec = spec_of(examples[n].kind, 0, examples[n].k);
		spec.spread_bounded = true;
		spec.spread_ppm = 500000;
		while (spec.source_count < SOURCES &&
		       examples[n].texts[spec.source_count] != NULL) {
			inputs[spec.source_count] = input_of(examples[n].texts[spec.source_count]);
			spec.source_count++;
		}
		if (aggregate_is_enough(&spec, inputs) != examples[n].enough)
			fail_msg("example %zu", n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),  cmocka_unit_test(test_equal_bytes),
		cmocka_unit_test(test_median), cmocka_unit_test(test_unsigned_median),
		cmocka_unit_test(test_spread), cmocka_unit_test(test_order_never_matters),
		cmocka_unit_test(test_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
