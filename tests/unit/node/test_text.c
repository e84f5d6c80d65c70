/* CometBFT's ways to write values in JSON, its query language, times of the configuration. */
#include "relay_state/node/config.h"
#include "relay_state/node/rpc_query.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

static void base64(void **state)
{
	static const struct {
		const char *plain, *text;
	} cases[] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
	static const char *const wrong[] = {
		"Zg", "Zg=", "Zg= ", "Z===", "====", "Zm9v\n", "Zm-v", " Zm9v", "Zm9vZ"};
	char text[32];
	uint8_t bytes[32];
	size_t n;
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		cometbft_base64(text, cs_bytes_str(cases[i].plain));
		assert_string_equal(text, cases[i].text);
		assert_ok(cometbft_unbase64(bytes, &n, cs_bytes_str(cases[i].text)));
		assert_true(cs_bytes_eq(cs_bytes(bytes, n), cs_bytes_str(cases[i].plain)));
	}
	for (size_t i = 0; i < CS_LEN(wrong); i++)
		assert_err(cometbft_unbase64(bytes, &n, cs_bytes_str(wrong[i])), CS_ERR_MALFORMED);
}

static void times(void **state)
{
	static const struct {
		struct cs_pb_time time;
		const char *text;
	} cases[] = {{{0, 0}, "1970-01-01T00:00:00Z"},
		     {{1795263608, 563888646}, "2026-11-21T12:20:08.563888646Z"},
		     {{951782399, 100000000}, "2000-02-28T23:59:59.1Z"},
		     {{951782400, 1}, "2000-02-29T00:00:00.000000001Z"},
		     {{-1, 0}, "1969-12-31T23:59:59Z"},
		     {{CS_PB_TIME_MIN_S, 0}, "0001-01-01T00:00:00Z"},
		     {{CS_PB_TIME_MAX_S, 999999999}, "9999-12-31T23:59:59.999999999Z"}};
	static const char *const wrong[] = {"",
					    "2026-02-29T00:00:00Z",
					    "2026-13-01T00:00:00Z",
					    "2026-01-01T24:00:00Z",
					    "2026-01-01T00:60:00Z",
					    "2026-01-01T00:00:00",
					    "2026-01-01T00:00:00+01:00",
					    "2026-01-01T00:00:00.Z",
					    "2026-01-01T00:00:00.0000000001Z",
					    "2026-1-01T00:00:00Z",
					    "0000-01-01T00:00:00Z"};
	char text[COMETBFT_TIME_SIZE];
	struct cs_pb_time time;
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		cometbft_time(text, cases[i].time);
		assert_string_equal(text, cases[i].text);
		assert_ok(cometbft_untime(&time, text));
		assert_int_equal(cs_pb_time_cmp(time, cases[i].time), 0);
	}
	for (size_t i = 0; i < CS_LEN(wrong); i++)
		assert_err(cometbft_untime(&time, wrong[i]), CS_ERR_MALFORMED);
}

static void numbers(void **state)
{
	int64_t value;
	(void)state;
	assert_ok(cometbft_unnumber(&value, "-42"));
	assert_int_equal(value, -42);
	assert_ok(cometbft_unnumber(&value, "9223372036854775807"));
	assert_int_equal(value, INT64_MAX);
	assert_err(cometbft_unnumber(&value, "9223372036854775808"), CS_ERR_OVERFLOW);
	assert_err(cometbft_unnumber(&value, ""), CS_ERR_MALFORMED);
	assert_err(cometbft_unnumber(&value, "-"), CS_ERR_MALFORMED);
	assert_err(cometbft_unnumber(&value, "1 "), CS_ERR_MALFORMED);
	assert_err(cometbft_unnumber(&value, "+1"), CS_ERR_MALFORMED);
}

static void texts_as_go_writes_them(void **state)
{
	(void)state;
	json_t *root = json_pack("[oo]", cometbft_json_text(cs_bytes("a<b>&", 5)),
				 cometbft_json_text(cs_bytes("\xff"
							     "a\xc3",
							     3)));
	char *text = cometbft_json_dump(root, 0);
	assert_string_equal(text, "[\"a\\u003cb\\u003e\\u0026\",\"\xef\xbf\xbd"
				  "a\xef\xbf\xbd\"]");
	free(text);
	json_decref(root);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {{"0s", 0},
		     {"300ms", 300000000},
		     {"1.5s", 1500000000},
		     {"2m", 120000000000},
		     {"1h", 3600000000000},
		     {"7ns", 7}};
	static const char *const wrong[] = {"", "s", "5", "-1s", "1.s5", "1 s", "1d", ".5s", "1sx"};
	int64_t ns;
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		assert_ok(node_duration(&ns, cases[i].text));
		assert_int_equal(ns, cases[i].ns);
	}
	for (size_t i = 0; i < CS_LEN(wrong); i++)
		assert_err(node_duration(&ns, wrong[i]), CS_ERR_MALFORMED);
	assert_err(node_duration(&ns, "25h"), CS_ERR_OVERFLOW);
	assert_err(node_duration(&ns, "99999999999s"), CS_ERR_OVERFLOW);
}

static bool matches(const char *text, json_t *events)
{
	struct rpc_query query;
	assert_ok(rpc_query_parse(&query, text, NULL));
	return rpc_query_matches(&query, events);
}

static void queries(void **state)
{
	(void)state;
	json_t *events = json_pack("{s[s]s[ss]s[s]}", "tm.event", "Tx", "app.key", "one", "two",
				   "tx.height", "12");
	assert_true(matches("tm.event='Tx'", events));
	assert_true(matches("tm.event = 'Tx' AND app.key='two'", events));
	assert_true(matches("tx.height > 5 AND tx.height<=12 AND app.key EXISTS", events));
	assert_true(matches("app.key CONTAINS 'w'", events));
	assert_true(matches("tx.height=12", events));
	assert_false(matches("tm.event='NewBlock'", events));
	assert_false(matches("app.key='three'", events));
	assert_false(matches("tx.height>12", events));
	assert_false(matches("tx.height<12", events));
	assert_false(matches("app.key>1", events));
	assert_false(matches("no.such EXISTS", events));
	json_decref(events);
}

static bool admits(const char *text, const char *kind)
{
	struct rpc_query query;
	assert_ok(rpc_query_parse(&query, text, NULL));
	return rpc_query_admits(&query, kind);
}

/* Whoever wants another kind is not asked about the rest. */
static void kinds_of_events(void **state)
{
	(void)state;
	assert_true(admits("tm.event='Tx'", "Tx"));
	assert_true(admits("app.key='x' AND tm.event='Tx'", "Tx"));
	assert_true(admits("app.key='x'", "Tx"));
	assert_true(admits("tm.event EXISTS", "NewBlock"));
	assert_true(admits("tm EXISTS", "NewBlock"));
	assert_true(admits("tm.event CONTAINS 'Block'", "NewBlock"));
	assert_false(admits("tm.event='Tx'", "NewBlock"));
	assert_false(admits("app.key='x' AND tm.event='Tx'", "NewBlockEvents"));
	assert_false(admits("tm.event CONTAINS 'Block'", "Tx"));
	assert_false(admits("tm.event = 5", "Tx"));
}

static bool holds(const char *text, const char *value)
{
	json_t *events = json_pack("{s[s]}", "some.key", value);
	bool yes = matches(text, events);
	json_decref(events);
	return yes;
}

/* libs/pubsub/query/query_test.go has most of these. */
static void operands(void **state)
{
	(void)state;
	assert_true(holds("some.key = 8", "8atom"));
	assert_true(holds("some.key >= 6.5", "6.50stake"));
	assert_false(holds("some.key > 6.5", "6.50stake"));
	assert_true(holds("some.key < 10.25", "10.2"));
	assert_true(holds("some.key = 7", "007"));
	assert_false(holds("some.key = 7", "-7"));
	assert_false(holds("some.key = 0", "none"));
	assert_false(holds("some.key >= 0", ""));
	/* Above 64 bits. */
	assert_true(holds("some.key > 99999999999999999999999999999998",
			  "99999999999999999999999999999999"));
	assert_false(holds("some.key = 99999999999999999999999999999998",
			   "99999999999999999999999999999999"));
	assert_true(holds("some.key = DATE 2017-01-01", "2017-01-01"));
	assert_true(holds("some.key > DATE 2017-01-01", "2017-01-02"));
	assert_false(holds("some.key > DATE 2017-01-01", "2017-01-01"));
	assert_false(holds("some.key > DATE 2017-01-01", "2018-01-01T00:00:00Z"));
	assert_true(holds("some.key >= TIME 2013-05-03T14:45:00Z", "2013-05-03T14:45:00Z"));
	assert_true(holds("some.key = TIME 2013-05-03T14:45:00+02:30", "2013-05-03T12:15:00Z"));
	assert_true(holds("some.key < TIME 2013-05-03T14:45:00-01:00", "2013-05-03T15:44:59.9Z"));
	assert_false(holds("some.key < TIME 2013-05-03T14:45:00Z", "yesterday"));
	assert_true(holds("some.key CONTAINS ''", "x"));
	assert_true(holds("some.key = ''", ""));
	assert_true(holds("some.key CONTAINS 'c d'", "abc def"));
	assert_false(holds("some.key CONTAINS 'abcd'", "abc"));
	/* A type alone. */
	assert_true(holds("some EXISTS", "x"));
	assert_true(holds("some = ''", "x"));
	assert_false(holds("some = 'x'", "x"));
	assert_false(holds("som EXISTS", "x"));
}

static void one_query_in_two_texts(void **state)
{
	struct rpc_query a, b;
	(void)state;
	assert_ok(rpc_query_parse(&a, "tm.event='Tx'AND x.y<=5 AND z.w = DATE 2020-01-01", NULL));
	assert_ok(rpc_query_parse(&b, " tm.event = 'Tx' AND\tx.y <= 5 AND z.w=DATE 2020-01-01 ",
				  NULL));
	assert_string_equal(a.normal, b.normal);
	assert_string_equal(a.normal, "tm.event = 'Tx' AND x.y <= 5 AND z.w = DATE 2020-01-01");
	assert_ok(rpc_query_parse(&b, "tm.event = 'T x'", NULL));
	assert_string_not_equal(a.normal, b.normal);
}

static void queries_that_are_none(void **state)
{
	static const char *const wrong[] = {"",
					    "a.b",
					    "a.b=",
					    "a.b='c",
					    "='c'",
					    "a.b<'c'",
					    "a.b=c",
					    "a.b='c' OR a.b='d'",
					    "a.b='c' AND",
					    "AND",
					    "a.b == 'c'",
					    "a.b EXISTS 'c'",
					    "a.b CONTAINS 5",
					    "a.b CONTAINS",
					    "AND = 1",
					    "EXISTS = 1",
					    "1a = 1",
					    ".a = 1",
					    "a.b = -5",
					    "a.b = 1e5",
					    "a.b/c = 1",
					    "a.b = DATE 2020-13-01",
					    "a.b = DATE 1899-12-31",
					    "a.b = DATE",
					    "a.b < TIME 2020-01-01",
					    "a.b < TIME 2020-01-01T00:00:00",
					    "a.b < TIME 2020-01-01T25:00:00Z",
					    "a.b < TIME 2020-01-01T00:00:00+24:00",
					    "a.b < TIME 3000-01-01T00:00:00Z"};
	char text[RPC_QUERY_SIZE_MAX + 2];
	struct rpc_query query;
	struct cs_why why;
	(void)state;
	for (size_t i = 0; i < CS_LEN(wrong); i++)
		assert_err(rpc_query_parse(&query, wrong[i], &why), CS_ERR_MALFORMED);
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = 0;
	assert_err(rpc_query_parse(&query, text, &why), CS_ERR_TOO_LARGE);
	assert_err(rpc_query_parse(&query,
				   "a=1 AND a=1 AND a=1 AND a=1 AND a=1 AND a=1 AND a=1 AND "
				   "a=1 AND a=1",
				   &why),
		   CS_ERR_TOO_LARGE);
	/* As much as there may be. */
	memset(text, 'a', RPC_QUERY_SIZE_MAX);
	text[RPC_QUERY_SIZE_MAX] = 0;
	memcpy(text + RPC_QUERY_SIZE_MAX - 7, " EXISTS", 7);
	assert_ok(rpc_query_parse(&query, text, &why));
	assert_string_equal(query.normal, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64),
		cmocka_unit_test(times),
		cmocka_unit_test(numbers),
		cmocka_unit_test(texts_as_go_writes_them),
		cmocka_unit_test(durations),
		cmocka_unit_test(queries),
		cmocka_unit_test(kinds_of_events),
		cmocka_unit_test(operands),
		cmocka_unit_test(one_query_in_two_texts),
		cmocka_unit_test(queries_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
