/* The service of the oracle's enclave: which requests wait, which are refused, what is signed when
 * the sources have answered. Sources are played (oracle.h). */
#include "enclave/state.h"
#include "oracle.h"

#define PRICE                                                                                      \
	"{\"result\":{\"decimals\":8,\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":" \
	"\"/p\"},\"url\":\"https://a.example/\"}],\"version\":1}"
#define TWO                                                                                \
	"{\"aggregate\":{\"k\":2,\"kind\":\"equal\"},\"result\":{\"decimals\":8,\"type\":" \
	"\"int256\"},"                                                                     \
	"\"sources\":[{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://a.example/"      \
	"\"},{\"extract\":{"                                                               \
	"\"pointer\":\"/p\"},\"url\":\"https://b.example/\"}],\"version\":1}"
#define SECRETIVE                                                                               \
	"{\"result\":{\"type\":\"string\"},\"sources\":[{\"extract\":{\"whole\":true},\"url\":" \
	"\"https://a.example/{0}?k={secret:key}\"}],\"version\":1}"
#define SECRETIVE_TOO                                                                           \
	"{\"result\":{\"type\":\"string\"},\"sources\":[{\"extract\":{\"whole\":true},\"url\":" \
	"\"https://a.example/b/{0}?k={secret:key}\"}],\"version\":1}"

static struct oracle_world *o;

static int setup(void **state)
{
	(void)state;
	o = oracle_world_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	oracle_world_free(o);
	return 0;
}

/* ---- asking ---- */

/* CS_OK: it waits for its sources, or is complete. */
static enum cs_err ask(enum wire_type type, const ProtobufCMessage *request, uint64_t frame_id)
{
	static uint8_t memory[CS_FRAME_BODY_SIZE_MAX];
	const size_t size = protobuf_c_message_get_packed_size(request);
	uint8_t *body = malloc(size + 1);
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	struct cs_buf reply;
	enum wire_type answer = WIRE_ERROR;
	assert_non_null(body);
	(void)protobuf_c_message_pack(request, body);
	cs_buf_init(&reply, memory, sizeof memory);
	const bool now = service_request(&o->service, &answer, &reply, frame_id, type,
					 cs_bytes(body, size), &o->w->now);
	free(body);
	if (!now) {
		service_turn(&o->service, &o->w->now);
		return CS_OK;
	}
	assert_int_equal(answer, WIRE_ERROR);
	cs_arena_rewind(&o->w->arena, 0);
	assert_ok(wire_decode(&message, wire_type_message(answer), cs_buf_view(&reply),
			      &o->w->arena, &why));
	return (enum cs_err)((const Caisson__Wire__ErrorReply *)(const void *)message)->code;
}

static ProtobufCBinaryData text(const char *p)
{
	return pb(cs_bytes_str(p));
}

static enum cs_err ask_app_with(const char *spec, const char *argument, struct cs_bytes secrets,
				uint64_t frame_id)
{
	Caisson__Wire__AnswerAppRequest in = CAISSON__WIRE__ANSWER_APP_REQUEST__INIT;
	Caisson__Wire__OracleQuery query = CAISSON__WIRE__ORACLE_QUERY__INIT;
	ProtobufCBinaryData arguments[1] = {argument != NULL ? text(argument) : text("")};
	in.audience = text("app");
	in.query = &query;
	in.max_age = 600;
	in.timeout_s = 60;
	query.spec = text(spec);
	query.arguments = arguments;
	query.n_arguments = argument != NULL ? 1 : 0;
	query.secrets = pb(secrets);
	return ask(WIRE_ANSWER_APP, &in.base, frame_id);
}

static enum cs_err ask_app(const char *spec, uint64_t frame_id)
{
	return ask_app_with(spec, NULL, CS_BYTES_NONE, frame_id);
}

static enum cs_err ask_dry(const char *spec, uint64_t frame_id)
{
	Caisson__Wire__DryRunRequest in = CAISSON__WIRE__DRY_RUN_REQUEST__INIT;
	in.spec = text(spec);
	return ask(WIRE_DRY_RUN, &in.base, frame_id);
}

/* The reply that is complete, checked; NULL for a refusal, whose error is in w->err. */
static const Caisson__Wire__OracleReply *take(uint64_t *frame_id)
{
	static uint8_t memory[CS_FRAME_BODY_SIZE_MAX];
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	struct cs_buf reply;
	assert_true(service_is_ready(&o->service));
	cs_buf_init(&reply, memory, sizeof memory);
	const enum wire_type type = service_reply(&o->service, &reply, frame_id);
	cs_arena_rewind(&o->w->arena, 0);
	assert_ok(wire_decode(&message, wire_type_message(type), cs_buf_view(&reply), &o->w->arena,
			      &why));
	if (type == WIRE_ERROR) {
		o->w->err = (enum cs_err)((const Caisson__Wire__ErrorReply *)(const void *)message)
				    ->code;
		return NULL;
	}
	const Caisson__Wire__OracleReply *out =
		(const Caisson__Wire__OracleReply *)(const void *)message;
	oracle_check(o, (enum wire_type)(type - 1), out);
	return out;
}

static uint32_t code_of_one(void)
{
	uint64_t frame_id = 0;
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	assert_int_equal(reply->n_results, 1);
	return reply->results[0]->code;
}

static void answer(size_t index, const char *body)
{
	oracle_played_answer(o, index, WIRE_ORACLE_OK, cs_bytes_str(body));
}

/* ---- tests ---- */

static void test_codes_of_a_source_are_signed(void **state)
{
	static const enum wire_oracle_code codes[] = {
		WIRE_ORACLE_UNREACHABLE,       WIRE_ORACLE_TIMEOUT,     WIRE_ORACLE_TLS,
		WIRE_ORACLE_REDIRECT,          WIRE_ORACLE_HTTP_STATUS, WIRE_ORACLE_TOO_LARGE,
		WIRE_ORACLE_MALFORMED_RESPONSE};
	(void)state;
	for (size_t i = 0; i < CS_LEN(codes); i++) {
		assert_ok(ask_app(PRICE, i));
		assert_false(service_is_ready(&o->service));
		oracle_played_answer(o, 0, codes[i], CS_BYTES_NONE);
		assert_int_equal(code_of_one(), codes[i]);
	}
	assert_ok(ask_app(PRICE, 9));
	answer(0, "{\"p\":1}");
	assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
}

static void test_answers_of_a_source_that_are_no_value(void **state)
{
	static const struct {
		const char *body;
		enum wire_oracle_code code;
	} rows[] = {
		{"", WIRE_ORACLE_MALFORMED_RESPONSE},
		{"{\"p\":1,\"p\":2}", WIRE_ORACLE_MALFORMED_RESPONSE},
		{"{\"p\":\"\xff\"}", WIRE_ORACLE_MALFORMED_RESPONSE},
		{"{\"p\":01}", WIRE_ORACLE_MALFORMED_RESPONSE},
		{"{\"q\":1}", WIRE_ORACLE_NOT_FOUND},
		{"{\"p\":null}", WIRE_ORACLE_TYPE},
		{"{\"p\":1e999}", WIRE_ORACLE_TYPE},
		{"{\"p\":1e70}", WIRE_ORACLE_TYPE},
		{"{\"p\":0.123456789}", WIRE_ORACLE_TYPE},
		{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
		 WIRE_ORACLE_TOO_LARGE},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		assert_ok(ask_app(PRICE, i));
		answer(0, rows[i].body);
		assert_int_equal(code_of_one(), rows[i].code);
	}
}

static void test_sources_that_disagree(void **state)
{
	(void)state;
	assert_ok(ask_app(TWO, 1));
	answer(1, "{\"p\":2}");
	assert_false(service_is_ready(&o->service));
	answer(0, "{\"p\":1}");
	assert_int_equal(code_of_one(), WIRE_ORACLE_DISAGREEMENT);
}

/* Replies go out in the order in which they are complete. */
static void test_a_source_that_is_slow_delays_nobody(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	assert_ok(ask_app(PRICE, 1));
	assert_ok(ask_app(PRICE, 2));
	answer(1, "{\"p\":1}");
	assert_non_null(take(&frame_id));
	assert_int_equal(frame_id, 2);
	assert_false(service_is_ready(&o->service));
	answer(0, "{\"p\":1}");
	assert_non_null(take(&frame_id));
	assert_int_equal(frame_id, 1);
}

/* One host has so many transfers; what comes then is asked when one of them has ended. */
static void test_what_a_host_has_no_room_for_waits(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 2 * SHARE_HOST_ASKED_MAX; i++)
		assert_ok(ask_app(PRICE, i));
	assert_int_equal(o->played_count, SHARE_HOST_ASKED_MAX);
	for (uint64_t i = 0; i < 2 * SHARE_HOST_ASKED_MAX; i++) {
		assert_true(o->played_count >= 1);
		answer(0, "{\"p\":1}");
		assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
	}
	assert_int_equal(o->played_count, 0);
}

/* Sixteen sources of hosts that no other request has; the first of them answers alone. */
static const char *spec_of_sixteen(unsigned number)
{
	static char spec[4096];
	int n = snprintf(spec, sizeof spec,
			 "{\"aggregate\":{\"k\":9,\"kind\":\"equal\"},\"result\":{\"type\":"
			 "\"int256\"},\"sources\":[");
	for (unsigned i = 0; i < WIRE_SOURCES_MAX; i++)
		n += snprintf(
			spec + n, sizeof spec - (size_t)n,
			"%s{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://s%u.r%u.example/\"}",
			i == 0 ? "" : ",", i, number);
	n += snprintf(spec + n, sizeof spec - (size_t)n, "],\"version\":1}");
	assert_true((size_t)n < sizeof spec);
	return spec;
}

static enum cs_err ask_feed(const char *spec, uint64_t index, uint64_t frame_id)
{
	Caisson__Wire__FeedsRequest in = CAISSON__WIRE__FEEDS_REQUEST__INIT;
	Caisson__Wire__FeedClaim claim = CAISSON__WIRE__FEED_CLAIM__INIT;
	Caisson__Wire__FeedClaim *claims[1] = {&claim};
	in.receiver = pb_hash(&o->feeds);
	in.claims = claims;
	in.n_claims = 1;
	claim.index = index;
	claim.spec = text(spec);
	return ask(WIRE_FEEDS, &in.base, frame_id);
}

static size_t count_played(const struct lookup *lookup, bool feed)
{
	size_t count = 0;
	for (size_t i = 0; i < o->played_count; i++) {
		const struct lookup_source *source = o->played[i].context;
		count += (lookup == NULL || source->lookup == lookup) && o->played[i].feed == feed;
	}
	return count;
}

#define MANY 16u

/* 16 requests of 16 slow sources: more than there are places, and some stay free. */
static void ask_many(void)
{
	for (unsigned i = 0; i < MANY; i++)
		assert_ok(ask_app(spec_of_sixteen(i), i));
	assert_int_equal(o->played_count, SHARE_ASKED_MAX - 28);
}

/* Of those that wait for more: what the one with the fewest has running. */
static size_t fewest(void)
{
	size_t least = SIZE_MAX;
	for (size_t i = 0; i < o->played_count; i++) {
		const struct lookup_source *source = o->played[i].context;
		const size_t count = count_played(source->lookup, false);
		if (source->lookup->waiting_count != 0 && count < least)
			least = count;
	}
	return least;
}

static void test_many_slow_sources_leave_room_for_others(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	ask_many();
	const size_t before = o->played_count;
	assert_ok(ask_feed(PRICE, 0, 100));
	assert_ok(ask_app(TWO, 101));
	assert_int_equal(o->played_count, before + 3);
	assert_int_equal(count_played(NULL, true), 1);
	for (unsigned i = 0; i < 3; i++)
		answer(before, "{\"p\":1}");
	assert_non_null(take(&frame_id));
	assert_int_equal(frame_id, 100);
	assert_non_null(take(&frame_id));
	assert_int_equal(frame_id, 101);
	assert_false(service_is_ready(&o->service));
	/* What they wait for comes when the others end. */
	for (size_t ended = 0; ended < (size_t)MANY * WIRE_SOURCES_MAX; ended++) {
		assert_true(o->played_count >= 1);
		answer(0, "{\"p\":1}");
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
	assert_int_equal(o->played_count, 0);
	assert_int_equal(o->service.world.share.host_count, 0);
}

/* Places that come back go to those that have the fewest, not to those that came first. */
static void test_queries_take_turns(void **state)
{
	(void)state;
	ask_many();
	const size_t before = fewest();
	for (unsigned i = 0; i < 64; i++)
		answer(0, "{\"p\":1}");
	assert_true(before >= 1 && fewest() > before + 1 && fewest() != SIZE_MAX);
	service_forget(&o->service);
	assert_int_equal(o->service.world.waiting_count, 0);
	assert_int_equal(o->service.world.share.host_count, 0);
}

/* As many requests as there are places: the last ones get one each, and none of the feeds'. */
static void test_feeds_have_places_of_their_own(void **state)
{
	char spec[256];
	(void)state;
	for (unsigned i = 0; i < SHARE_ASKED_MAX + 8; i++) {
		(void)snprintf(spec, sizeof spec,
			       "{\"result\":{\"type\":\"int256\"},\"sources\":[{\"extract\":{"
			       "\"pointer\":\"/p\"},\"url\":\"https://h%u.example/\"}],"
			       "\"version\":1}",
			       i);
		assert_ok(ask_app(spec, i));
	}
	assert_int_equal(o->played_count, SHARE_ASKED_MAX);
	for (uint64_t i = 0; i < 8; i++)
		assert_ok(ask_feed(PRICE, i, 1000 + i));
	assert_int_equal(count_played(NULL, true), 8);
	answer(SHARE_ASKED_MAX, "{\"p\":1}");
	uint64_t frame_id = 0;
	assert_non_null(take(&frame_id));
	assert_int_equal(frame_id, 1000);
	service_forget(&o->service);
}

/* More than there are places, and none of them ever leaves: its argument may not stand in a header. */
static void test_what_ends_at_once_keeps_nobody_waiting(void **state)
{
	char spec[1024];
	int n = snprintf(spec, sizeof spec,
			 "{\"aggregate\":{\"k\":9,\"kind\":\"equal\"},\"result\":{\"type\":"
			 "\"string\"},\"sources\":[");
	Caisson__Wire__DryRunRequest in = CAISSON__WIRE__DRY_RUN_REQUEST__INIT;
	ProtobufCBinaryData arguments[1] = {text("\n")};
	(void)state;
	for (unsigned i = 0; i < 9; i++)
		n += snprintf(spec + n, sizeof spec - (size_t)n,
			      "%s{\"extract\":{\"whole\":true},\"headers\":[[\"x\",\"{0}\"]],"
			      "\"url\":\"https://a.example/\"}",
			      i == 0 ? "" : ",");
	n += snprintf(spec + n, sizeof spec - (size_t)n, "],\"version\":1}");
	assert_true((size_t)n < sizeof spec);
	for (uint64_t i = 0; i < SHARE_HOST_ASKED_MAX; i++)
		assert_ok(ask_app(PRICE, i));
	in.spec = text(spec);
	in.arguments = arguments;
	in.n_arguments = 1;
	assert_ok(ask(WIRE_DRY_RUN, &in.base, 100));
	assert_false(service_is_ready(&o->service));
	answer(0, "{\"p\":1}");
	assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
	assert_int_equal(code_of_one(), WIRE_ORACLE_ARGUMENTS_INVALID);
	service_forget(&o->service);
}

/* What never got a place is answered before the host asks again; it was not asked. */
static void test_waiting_for_a_place_ends(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < SHARE_HOST_ASKED_MAX; i++)
		assert_ok(ask_app(PRICE, i));
	assert_ok(ask_app(PRICE, 500));
	o->later_ms += LOOKUP_WAIT_MS_MAX - 1000;
	service_turn(&o->service, &o->w->now);
	assert_false(service_is_ready(&o->service));
	o->later_ms += 1000;
	service_turn(&o->service, &o->w->now);
	uint64_t frame_id = 0;
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	assert_int_equal(frame_id, 500);
	assert_int_equal(reply->results[0]->code, WIRE_ORACLE_TIMEOUT);
	assert_int_equal(reply->results[0]->sources[0]->protocol, 0);
	assert_int_equal(o->played_count, SHARE_HOST_ASKED_MAX);
	service_forget(&o->service);
}

/* ---- late sources ---- */

#define THREE_SOURCES                                                                      \
	"\"sources\":[{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://a.example/\"},"  \
	"{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://b.example/\"},{\"extract\":{" \
	"\"pointer\":\"/p\"},\"url\":\"https://c.example/\"}],\"version\":1}"
static const char median_of_three[] =
	"{\"aggregate\":{\"k\":2,\"kind\":\"median\",\"spread_ppm\":500000},\"result\":{\"type\":"
	"\"int256\"}," THREE_SOURCES;
static const char any_of_three[] = "{\"aggregate\":{\"k\":1,\"kind\":\"median\"},\"result\":{"
				   "\"type\":\"int256\"}," THREE_SOURCES;

static void pass(uint64_t ms)
{
	o->later_ms += ms;
	service_turn(&o->service, &o->w->now);
}

/* Its codes, and that the late one was cancelled and has no connection. */
static void expect_late(const Caisson__Wire__OracleResult *result, size_t late)
{
	assert_int_equal(result->code, WIRE_ORACLE_OK);
	assert_int_equal(result->n_sources, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(result->sources[i]->code,
				 i == late ? WIRE_ORACLE_TIMEOUT : WIRE_ORACLE_OK);
	assert_int_equal(result->sources[late]->protocol, 0);
	assert_true(result->sources[late]->host_port[0] != 0);
	assert_int_equal(o->played_count, 0);
}

static void test_a_late_source_is_left_out(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	assert_ok(ask_app(median_of_three, 1));
	answer(0, "{\"p\":5}");
	pass(5);
	answer(1, "{\"p\":6}"); /* the third: the second is slow */
	assert_false(service_is_ready(&o->service));
	assert_in_range(service_wait_ms(&o->service), 1, LOOKUP_GRACE_MS_MIN);
	pass(LOOKUP_GRACE_MS_MIN - 100);
	assert_false(service_is_ready(&o->service));
	pass(100);
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	expect_late(reply->results[0], 1);
	assert_int_equal(reply->results[0]->value.data[31], 5);
	assert_int_equal(service_wait_ms(&o->service), -1);
	/* Within the grace it is part of the answer. */
	assert_ok(ask_app(median_of_three, 2));
	answer(0, "{\"p\":5}");
	answer(0, "{\"p\":7}");
	pass(LOOKUP_GRACE_MS_MIN - 100);
	answer(0, "{\"p\":6}");
	reply = take(&frame_id);
	assert_non_null(reply);
	assert_int_equal(reply->results[0]->value.data[31], 6);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(reply->results[0]->sources[i]->code, WIRE_ORACLE_OK);
}

static void test_grace_is_as_long_as_the_others_took(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	assert_ok(ask_app(median_of_three, 1));
	answer(0, "{\"p\":5}");
	pass(4000);
	answer(0, "{\"p\":6}");
	pass(3900);
	assert_false(service_is_ready(&o->service));
	pass(200);
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	expect_late(reply->results[0], 2);
}

static void test_who_disagrees_waits_for_all(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	/* Two that lie too far apart; with the third they would not. */
	assert_ok(ask_app(median_of_three, 1));
	answer(0, "{\"p\":10}");
	answer(0, "{\"p\":16}");
	pass(3 * LOOKUP_GRACE_MS_MIN);
	assert_false(service_is_ready(&o->service));
	answer(0, "{\"p\":12}");
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	assert_int_equal(reply->results[0]->code, WIRE_ORACLE_OK);
	assert_int_equal(reply->results[0]->value.data[31], 12);
	/* Four agree until the fourth speaks: then the fifth is waited for again. */
	static const char five[] =
		"{\"aggregate\":{\"k\":2,\"kind\":\"median\",\"spread_ppm\":500000},\"result\":{"
		"\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":\"/p\"},\"url\":"
		"\"https://d.example/\"},{\"extract\":{\"pointer\":\"/p\"},\"url\":"
		"\"https://e.example/\"},{\"extract\":{\"pointer\":\"/p\"},\"url\":"
		"\"https://a.example/\"},{\"extract\":{\"pointer\":\"/p\"},\"url\":"
		"\"https://b.example/\"},{\"extract\":{\"pointer\":\"/p\"},\"url\":"
		"\"https://c.example/\"}],\"version\":1}";
	assert_ok(ask_app(five, 2));
	answer(0, "{\"p\":10}");
	answer(0, "{\"p\":10}");
	answer(0, "{\"p\":10}");
	pass(LOOKUP_GRACE_MS_MIN - 100);
	answer(0, "{\"p\":90}");
	pass(3 * LOOKUP_GRACE_MS_MIN);
	assert_false(service_is_ready(&o->service));
	answer(0, "{\"p\":10}");
	assert_int_equal(code_of_one(), WIRE_ORACLE_DISAGREEMENT);
}

static void test_few_that_are_quick_do_not_decide(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	assert_ok(ask_app(any_of_three, 1));
	answer(2, "{\"p\":9}");
	pass(5 * LOOKUP_GRACE_MS_MIN);
	assert_false(service_is_ready(&o->service));
	answer(0, "{\"p\":5}");
	pass(4 * LOOKUP_GRACE_MS_MIN);
	assert_false(service_is_ready(&o->service));
	pass(LOOKUP_GRACE_MS_MIN + 100);
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	expect_late(reply->results[0], 1);
}

static void test_a_feed_leaves_a_late_source_out(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	assert_ok(ask_feed(median_of_three, 0, 1));
	answer(1, "{\"p\":5}");
	answer(1, "{\"p\":6}");
	pass(LOOKUP_GRACE_MS_MIN);
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	assert_int_equal(reply->n_results, 1);
	expect_late(reply->results[0], 0);
}

static void test_a_dry_run_waits_for_all(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	assert_ok(ask_dry(median_of_three, 1));
	answer(0, "{\"p\":5}");
	answer(0, "{\"p\":5}");
	pass(5 * LOOKUP_GRACE_MS_MIN);
	assert_false(service_is_ready(&o->service));
	answer(0, "{\"p\":6}");
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	assert_int_equal(reply->results[0]->sources[2]->code, WIRE_ORACLE_OK);
}

/* Whatever fetch does or does not do. */
static void test_everything_ends(void **state)
{
	(void)state;
	assert_ok(ask_app(median_of_three, 1));
	answer(0, "{\"p\":5}");
	pass(LOOKUP_MS_MAX - 100);
	assert_false(service_is_ready(&o->service));
	assert_in_range(service_wait_ms(&o->service), 0, 100);
	pass(100);
	assert_int_equal(code_of_one(), WIRE_ORACLE_TIMEOUT);
	assert_int_equal(o->played_count, 0);
	assert_int_equal(o->service.world.share.running[SHARE_ASKED], 0);
}

/* One that waits for a place until its own deadline. */
static void test_a_dry_run_ends_sooner(void **state)
{
	uint64_t frame_id = 0;
	(void)state;
	for (uint64_t i = 0; i < SHARE_HOST_ASKED_MAX; i++)
		assert_ok(ask_app(PRICE, i));
	assert_ok(ask_dry(PRICE, 500));
	pass(SERVICE_DRY_RUN_S * 1000 - 100);
	assert_false(service_is_ready(&o->service));
	pass(100);
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	assert_non_null(reply);
	assert_int_equal(frame_id, 500);
	assert_int_equal(reply->results[0]->code, WIRE_ORACLE_TIMEOUT);
	service_forget(&o->service);
}

/* One source was cut and one lies: without the first there might have been an answer. */
static void test_a_host_that_cuts_a_source_earns_nothing(void **state)
{
	(void)state;
	const char *const three =
		"{\"aggregate\":{\"k\":2,\"kind\":\"equal\"},\"result\":{\"type\":\"int256\"},"
		"\"sources\":[{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://a.example/\"},"
		"{\"extract\":{\"pointer\":\"/p\"},\"url\":\"https://b.example/\"},{\"extract\":{"
		"\"pointer\":\"/p\"},\"url\":\"https://c.example/\"}],\"version\":1}";
	assert_ok(ask_app(three, 1));
	answer(0, "{\"p\":1}");
	answer(0, "{\"p\":2}");
	oracle_played_answer(o, 0, WIRE_ORACLE_TLS, CS_BYTES_NONE);
	assert_int_equal(code_of_one(), WIRE_ORACLE_TLS);
	assert_ok(ask_app(three, 2));
	answer(0, "{\"p\":1}");
	answer(0, "{\"q\":1}");
	oracle_played_answer(o, 0, WIRE_ORACLE_TIMEOUT, CS_BYTES_NONE);
	assert_int_equal(code_of_one(), WIRE_ORACLE_TIMEOUT);
	assert_ok(ask_app(three, 3));
	answer(0, "{\"p\":1}");
	answer(0, "{\"p\":2}");
	answer(0, "{\"p\":3}");
	assert_int_equal(code_of_one(), WIRE_ORACLE_DISAGREEMENT);
}

/* A box that names its arguments is good for no others. */
static void test_secrets_of_other_arguments(void **state)
{
	const struct cs_hash asker = wire_app_asker(cs_bytes_str("app"));
	const struct cs_bytes right = cs_bytes_str("x");
	const struct cs_hash hash = wire_arguments_hash(&right, 1);
	(void)state;
	const struct cs_bytes bound = oracle_seal(o, &asker, cs_bytes_str(SECRETIVE), "k1", &hash);
	assert_ok(ask_app_with(SECRETIVE, "y", bound, 1));
	assert_int_equal(o->played_count, 0);
	assert_int_equal(code_of_one(), WIRE_ORACLE_SECRETS_INVALID);
	assert_ok(ask_app_with(SECRETIVE, "x", bound, 2));
	assert_string_equal(o->played[0].target, "/x?k=k1");
	answer(0, "text");
	assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
	const struct cs_bytes open = oracle_seal(o, &asker, cs_bytes_str(SECRETIVE), "k1", NULL);
	assert_ok(ask_app_with(SECRETIVE, "y", open, 3));
	assert_string_equal(o->played[0].target, "/y?k=k1");
	answer(0, "text");
	assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
}

static void test_more_requests_than_are_kept(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < SERVICE_JOBS_MAX; i++)
		assert_ok(ask_app(PRICE, i));
	assert_int_equal(ask_app(PRICE, 999), CS_ERR_FULL);
	service_forget(&o->service);
	assert_int_equal(o->played_count, 0);
	assert_ok(ask_app(PRICE, 1));
	answer(0, "{\"p\":1}");
	assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
}

static void test_secrets_of_another_spec_or_asker(void **state)
{
	const struct cs_hash asker = wire_app_asker(cs_bytes_str("app"));
	const struct cs_hash other = wire_app_asker(cs_bytes_str("other"));
	(void)state;
	const struct cs_bytes good = oracle_seal(o, &asker, cs_bytes_str(SECRETIVE), "k1", NULL);
	const struct cs_bytes bad[] = {
		oracle_seal(o, &asker, cs_bytes_str(SECRETIVE_TOO), "k1", NULL),
		oracle_seal(o, &other, cs_bytes_str(SECRETIVE), "k1", NULL),
		cs_bytes(good.p, good.n - 1), CS_BYTES_NONE};
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		assert_ok(ask_app_with(SECRETIVE, "x", bad[i], i));
		assert_int_equal(o->played_count, 0);
		assert_int_equal(code_of_one(), WIRE_ORACLE_SECRETS_INVALID);
	}
	assert_ok(ask_app_with(SECRETIVE, "x", good, 1));
	assert_string_equal(o->played[0].target, "/x?k=k1");
	answer(0, "text");
	assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
}

/* The scratch in which they are opened is empty whenever nobody works in it. */
static void test_secrets_are_wiped(void **state)
{
	static const uint8_t zeros[4096];
	const struct cs_hash asker = wire_app_asker(cs_bytes_str("app"));
	(void)state;
	const struct cs_bytes good =
		oracle_seal(o, &asker, cs_bytes_str(SECRETIVE), "wiped-secret", NULL);
	assert_ok(ask_app_with(SECRETIVE, "x", good, 1));
	for (size_t at = 0; at + sizeof zeros <= sizeof o->w->secrets->scratch; at += sizeof zeros)
		assert_memory_equal(o->w->secrets->scratch + at, zeros, sizeof zeros);
	answer(0, "text");
	assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
}

static void test_no_source_of_time(void **state)
{
	(void)state;
	o->w->now.high_s = 0;
	assert_int_equal(ask_app(PRICE, 1), CS_ERR_NO_TIME);
	o->w->now.high_s = o->w->now.low_s;
	assert_ok(ask_app(PRICE, 1));
	/* It is lost while the sources are asked. */
	o->w->now.high_s = 0;
	answer(0, "{\"p\":1}");
	uint64_t frame_id = 0;
	const Caisson__Wire__OracleReply *reply = take(&frame_id);
	o->w->now.high_s = o->w->now.low_s;
	assert_null(reply);
	assert_int_equal(o->w->err, CS_ERR_NO_TIME);
}

static void test_a_host_that_the_manifest_forbids(void **state)
{
	(void)state;
	assert_ok(ask_app(
		"{\"result\":{\"type\":\"string\"},\"sources\":[{\"extract\":{\"whole\":true}"
		",\"hosts\":[\"x.evil.test\"],\"url\":\"https://a.example/\"}],\"version\":1}",
		1));
	assert_int_equal(o->played_count, 0);
	assert_int_equal(code_of_one(), WIRE_ORACLE_NOT_ALLOWED);
}

static void test_hello_comes_first(void **state)
{
	(void)state;
	enclave_connected(o->w->e);
	assert_int_equal(ask_app(PRICE, 1), CS_ERR_UNAUTHORIZED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes_of_a_source_are_signed),
		cmocka_unit_test(test_answers_of_a_source_that_are_no_value),
		cmocka_unit_test(test_sources_that_disagree),
		cmocka_unit_test(test_a_source_that_is_slow_delays_nobody),
		cmocka_unit_test(test_what_a_host_has_no_room_for_waits),
		cmocka_unit_test(test_many_slow_sources_leave_room_for_others),
		cmocka_unit_test(test_queries_take_turns),
		cmocka_unit_test(test_feeds_have_places_of_their_own),
		cmocka_unit_test(test_what_ends_at_once_keeps_nobody_waiting),
		cmocka_unit_test(test_waiting_for_a_place_ends),
		cmocka_unit_test(test_a_late_source_is_left_out),
		cmocka_unit_test(test_grace_is_as_long_as_the_others_took),
		cmocka_unit_test(test_who_disagrees_waits_for_all),
		cmocka_unit_test(test_few_that_are_quick_do_not_decide),
		cmocka_unit_test(test_a_feed_leaves_a_late_source_out),
		cmocka_unit_test(test_a_dry_run_waits_for_all),
		cmocka_unit_test(test_everything_ends),
		cmocka_unit_test(test_a_dry_run_ends_sooner),
		cmocka_unit_test(test_a_host_that_cuts_a_source_earns_nothing),
		cmocka_unit_test(test_secrets_of_other_arguments),
		cmocka_unit_test(test_more_requests_than_are_kept),
		cmocka_unit_test(test_secrets_of_another_spec_or_asker),
		cmocka_unit_test(test_secrets_are_wiped),
		cmocka_unit_test(test_no_source_of_time),
		cmocka_unit_test(test_a_host_that_the_manifest_forbids),
		cmocka_unit_test(test_hello_comes_first),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
