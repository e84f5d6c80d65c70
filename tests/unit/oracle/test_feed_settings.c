/* What an operator may set of a feed, and what follows when he sets nothing. */
#include "oracle/feeds.h"
#include "tests/unit/support.h"

static const struct host_chain_config chain = {.block_time_ms = 2000};
static const struct oracle_feed contract_says = {
	.heartbeat_s = 3600, .stale_after_s = 3900, .deviation_ppm = 5000, .settings = "{}"};
static const struct wire_spec three = {
	.aggregate = WIRE_AGGREGATE_MEDIAN, .k = 2, .source_count = 3};

static enum cs_err made(struct oracle_round_settings *out, const char *overrides,
			struct cs_why *why)
{
	struct oracle_feed row = contract_says;
	snprintf(row.settings, sizeof(row.settings), "%s", overrides);
	return oracle_feed_settings(out, &row, &three, &chain, 42, why);
}

static void defaults_follow_from_the_contract(void **unused)
{
	(void)unused;
	struct oracle_round_settings s;
	struct cs_why why;
	assert_ok(made(&s, "{}", &why));
	assert_int_equal(s.heartbeat_ms, 3600000);
	assert_int_equal(s.deviation_ppm, 5000);
	assert_int_equal(s.poll_ms, 60000);
	assert_int_equal(s.lead_ms, 30000);
	assert_int_equal(s.jitter_ms, 6000);
	assert_int_equal(s.agree_ppm, 10000);
	assert_int_equal(s.agree_min, 2);
	assert_int_equal(s.jump_ppm, 0);
	assert_int_equal(s.trip_after, 3);
	assert_int_equal(s.seed, 42);
}

/* Whatever heartbeat an owner fixed, the defaults go with it. */
static void defaults_fit_every_heartbeat(void **unused)
{
	(void)unused;
	struct oracle_feed row = contract_says;
	struct oracle_round_settings s;
	struct cs_why why;
	const uint64_t heartbeats[] = {1, 2, 3, 5, 10, 30, 60, 61, 600, 86400, 0xffffff};
	for (size_t i = 0; i < CS_LEN(heartbeats); i++) {
		row.heartbeat_s = heartbeats[i];
		row.stale_after_s = heartbeats[i];
		if (oracle_feed_settings(&s, &row, &three, &chain, 1, &why) != CS_OK)
			fail_msg("%d s: %s", (int)heartbeats[i], why.text);
	}
}

static void an_operator_may_promise_more(void **unused)
{
	(void)unused;
	struct oracle_round_settings s;
	struct cs_why why;
	assert_ok(
		made(&s,
		     "{\"heartbeat_s\":600,\"deviation_ppm\":100,\"poll_ms\":5000,\"lead_ms\":1000,"
		     "\"jitter_ms\":0,\"agree_ppm\":7,\"k\":3,\"jump_ppm\":101,\"trip_after\":1,"
		     "\"pause_max_ms\":5000}",
		     &why));
	assert_int_equal(s.heartbeat_ms, 600000);
	assert_int_equal(s.deviation_ppm, 100);
	assert_int_equal(s.poll_ms, 5000);
	assert_int_equal(s.lead_ms, 1000);
	assert_int_equal(s.jitter_ms, 0);
	assert_int_equal(s.agree_ppm, 7);
	assert_int_equal(s.agree_min, 3);
	assert_int_equal(s.jump_ppm, 101);
	assert_int_equal(s.trip_after, 1);
	assert_int_equal(s.pause_max_ms, 5000);
}

static void nothing_less(void **unused)
{
	(void)unused;
	const struct {
		const char *overrides;
		enum cs_err err;
		const char *why;
	} rows[] = {
		{"{\"heartbeat_s\":3601}", CS_ERR_INVALID, "heartbeat_s"},
		{"{\"heartbeat_s\":0}", CS_ERR_INVALID, "heartbeat_s"},
		{"{\"deviation_ppm\":5001}", CS_ERR_INVALID, "deviation_ppm"},
		{"{\"k\":1}", CS_ERR_INVALID, "k"},
		{"{\"k\":4}", CS_ERR_INVALID, "k"},
		{"{\"poll_ms\":999}", CS_ERR_INVALID, "poll"},
		{"{\"poll_ms\":\"5000\"}", CS_ERR_INVALID, "poll_ms"},
		{"{\"poll_ms\":-1}", CS_ERR_INVALID, "poll_ms"},
		{"{\"poll_ms\":5000.5}", CS_ERR_INVALID, "poll_ms"},
		{"{\"agree_ppm\":4294967296}", CS_ERR_INVALID, "agree_ppm"},
		{"{\"jitter_ms\":30001}", CS_ERR_INVALID, "jitter"},
		{"{\"jump_ppm\":5000}", CS_ERR_INVALID, "jump"},
		{"{\"spec\":1}", CS_ERR_UNKNOWN_FIELD, "spec"},
		{"[]", CS_ERR_MALFORMED, "settings"},
		{"", CS_ERR_MALFORMED, "settings"},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct oracle_round_settings s = {.seed = 7};
		struct cs_why why = {""};
		assert_err(made(&s, rows[i].overrides, &why), rows[i].err);
		if (strncmp(why.text, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s: %s", rows[i].overrides, why.text);
		assert_int_equal(s.seed, 7);
	}
}

static void sources_of_other_aggregates(void **unused)
{
	(void)unused;
	struct oracle_round_settings s;
	struct wire_spec spec = three;
	spec.spread_bounded = true;
	spec.spread_ppm = 77;
	assert_ok(oracle_feed_settings(&s, &contract_says, &spec, &chain, 1, NULL));
	assert_int_equal(s.agree_ppm, 77);
	spec.aggregate = WIRE_AGGREGATE_EQUAL;
	assert_ok(oracle_feed_settings(&s, &contract_says, &spec, &chain, 1, NULL));
	assert_int_equal(s.agree_ppm, 0);
}

static void overrides_are_kept_as_text(void **unused)
{
	(void)unused;
	char text[ORACLE_SETTINGS_SIZE_MAX + 1] = "before";
	json_t *body = json_pack("{s:i,s:s,s:i}", "poll_ms", 5000, "spec", "…", "k", 2);
	assert_ok(oracle_feed_overrides(text, body));
	assert_string_equal(text, "{\"k\":2,\"poll_ms\":5000}");
	char *long_text = keep(2 * ORACLE_SETTINGS_SIZE_MAX);
	memset(long_text, 'x', 2 * ORACLE_SETTINGS_SIZE_MAX);
	json_object_set_new(body, "poll_ms", json_string(long_text));
	assert_err(oracle_feed_overrides(text, body), CS_ERR_TOO_LARGE);
	assert_string_equal(text, "{\"k\":2,\"poll_ms\":5000}");
	json_decref(body);
	assert_true(oracle_feed_is_override("k"));
	assert_false(oracle_feed_is_override("seed"));
}

#define SOURCE "{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://a.example.org/p\"}"

static void a_feed_s_spec(void **unused)
{
	(void)unused;
	const struct {
		const char *spec;
		enum cs_err err;
	} rows[] = {
		{"{\"result\":{\"decimals\":8,\"type\":\"int256\"},\"sources\":[" SOURCE
		 "],\"version\":1}",
		 CS_OK},
		{"{\"result\":{\"type\":\"uint256\"},\"sources\":[" SOURCE "],\"version\":1}",
		 CS_ERR_INVALID},
		{"{\"result\":{\"type\":\"int256[]\"},\"sources\":[" SOURCE "],\"version\":1}",
		 CS_ERR_INVALID},
		{"{\"result\":{\"type\":\"string\"},\"sources\":[" SOURCE "],\"version\":1}",
		 CS_ERR_INVALID},
		{"{\"result\":{\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":\"/"
		 "{0}\"},"
		 "\"url\":\"https://a.example.org/p\"}],\"version\":1}",
		 CS_ERR_INVALID},
		{"{\"result\":{\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":\"/p\"},"
		 "\"url\":\"https://a.example.org/p?k={secret:k}\"}],\"version\":1}",
		 CS_ERR_INVALID},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct wire_spec *spec = keep(sizeof(*spec));
		struct cs_arena arena;
		struct cs_why why = {""};
		cs_arena_init(&arena, keep(2 * WIRE_SPEC_ARENA_SIZE), 2 * WIRE_SPEC_ARENA_SIZE);
		enum cs_err err = oracle_feed_spec(spec, cs_bytes_str(rows[i].spec), &arena, &why);
		if (err != rows[i].err)
			fail_msg("%s: %s %s", rows[i].spec, cs_err_name(err), why.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_follow_from_the_contract),
		cmocka_unit_test(defaults_fit_every_heartbeat),
		cmocka_unit_test(an_operator_may_promise_more),
		cmocka_unit_test(nothing_less),
		cmocka_unit_test(sources_of_other_aggregates),
		cmocka_unit_test(overrides_are_kept_as_text),
		cmocka_unit_test(a_feed_s_spec),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
