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

static void test_what_fetch_has_no_room_for_waits(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 2 * ORACLE_PLAYED_MAX; i++)
		assert_ok(ask_app(PRICE, i));
	assert_int_equal(o->played_count, ORACLE_PLAYED_MAX);
	for (uint64_t i = 0; i < 2 * ORACLE_PLAYED_MAX; i++) {
		assert_true(o->played_count >= 1);
		answer(0, "{\"p\":1}");
		assert_int_equal(code_of_one(), WIRE_ORACLE_OK);
	}
	assert_int_equal(o->played_count, 0);
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
	const struct cs_bytes good = oracle_seal(o, &asker, cs_bytes_str(SECRETIVE), "k1");
	const struct cs_bytes bad[] = {oracle_seal(o, &asker, cs_bytes_str(SECRETIVE_TOO), "k1"),
				       oracle_seal(o, &other, cs_bytes_str(SECRETIVE), "k1"),
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
		oracle_seal(o, &asker, cs_bytes_str(SECRETIVE), "wiped-secret");
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
		cmocka_unit_test(test_what_fetch_has_no_room_for_waits),
		cmocka_unit_test(test_more_requests_than_are_kept),
		cmocka_unit_test(test_secrets_of_another_spec_or_asker),
		cmocka_unit_test(test_secrets_are_wiped),
		cmocka_unit_test(test_no_source_of_time),
		cmocka_unit_test(test_a_host_that_the_manifest_forbids),
		cmocka_unit_test(test_hello_comes_first),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
