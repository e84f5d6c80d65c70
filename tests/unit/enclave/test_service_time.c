/* The oracle's enclave in a ledger's time: its answers wait for a nonce that is made after their sources
 * spoke. Sources are played (oracle.h). */
#include "enclave/state.h"
#include "oracle.h"

#define PRICE                                                                                      \
	"{\"result\":{\"decimals\":8,\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":" \
	"\"/p\"},\"url\":\"https://a.example/\"}],\"version\":1}"

static struct oracle_world *o;

static int setup(void **state)
{
	(void)state;
	o = oracle_world_new();
	oracle_by_ledger(o);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	oracle_world_free(o);
	return 0;
}

static enum cs_err refusal_of(const struct cs_buf *reply)
{
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	cs_arena_rewind(&o->w->arena, 0);
	assert_ok(wire_decode(&message, wire_type_message(WIRE_ERROR), cs_buf_view(reply),
			      &o->w->arena, &why));
	return (enum cs_err)((const Caisson__Wire__ErrorReply *)(const void *)message)->code;
}

static uint8_t memory[CS_FRAME_BODY_SIZE_MAX];

/* CS_OK: its source is asked. */
static enum cs_err ask(enum wire_type type, const ProtobufCMessage *request)
{
	enum wire_type answer = WIRE_ERROR;
	struct cs_buf reply;
	uint8_t *body = keep(protobuf_c_message_get_packed_size(request) + 1);
	const size_t size = protobuf_c_message_pack(request, body);
	cs_buf_init(&reply, memory, sizeof memory);
	if (service_request(&o->service, &answer, &reply, 1, type, cs_bytes(body, size),
			    &o->w->now))
		return refusal_of(&reply);
	service_turn(&o->service, &o->w->now);
	return CS_OK;
}

static enum cs_err ask_app(void)
{
	Caisson__Wire__AnswerAppRequest in = CAISSON__WIRE__ANSWER_APP_REQUEST__INIT;
	Caisson__Wire__OracleQuery query = CAISSON__WIRE__ORACLE_QUERY__INIT;
	in.audience = pb(cs_bytes_str("app"));
	in.query = &query;
	in.max_age = 600;
	in.timeout_s = 60;
	query.spec = pb(cs_bytes_str(PRICE));
	return ask(WIRE_ANSWER_APP, &in.base);
}

static enum cs_err ask_dry(void)
{
	Caisson__Wire__DryRunRequest in = CAISSON__WIRE__DRY_RUN_REQUEST__INIT;
	in.spec = pb(cs_bytes_str(PRICE));
	return ask(WIRE_DRY_RUN, &in.base);
}

static void source_says(void)
{
	oracle_played_answer(o, 0, WIRE_ORACLE_OK, cs_bytes_str("{\"p\":1}"));
}

/* CS_OK: it was signed. */
static enum cs_err end_of_answer(void)
{
	uint64_t frame_id = 0;
	struct cs_buf reply;
	assert_true(service_is_ready(&o->service));
	cs_buf_init(&reply, memory, sizeof memory);
	const enum wire_type type = service_reply(&o->service, &reply, &frame_id);
	return type == WIRE_ERROR ? refusal_of(&reply) : CS_OK;
}

/* What was answered before the source spoke does not count, and no certificate may have ended by the
 * answer after it. */
static void test_answers_wait_for_a_nonce(void **state)
{
	const uint64_t now = o->w->now.low_s;
	(void)state;
	o->ends_s = now + 10;
	for (uint64_t late = 9; late <= 10; late++) {
		assert_ok(ask_app());
		oracle_time_answered(o, now);
		source_says();
		assert_false(service_is_ready(&o->service));
		oracle_time_answered(o, now + late);
		service_turn(&o->service, &o->w->now);
		assert_err(end_of_answer(), late == 9 ? CS_OK : CS_ERR_EXPIRED);
	}
}

static void test_answers_without_a_nonce(void **state)
{
	(void)state;
	assert_ok(ask_app());
	source_says();
	assert_int_equal(service_wait_ms(&o->service), ENCLAVE_CLOCK_WAIT_MS);
	o->later_ms += ENCLAVE_CLOCK_WAIT_MS - 1;
	service_turn(&o->service, &o->w->now);
	assert_false(service_is_ready(&o->service));
	o->later_ms++;
	service_turn(&o->service, &o->w->now);
	assert_err(end_of_answer(), CS_ERR_NO_TIME);
}

/* A state that is not proven any more signs no answer, and asks no source. */
static void test_nothing_is_asked_without_an_anchor(void **state)
{
	(void)state;
	o->w->e->anchor.proof_time_s -= 1001;
	assert_err(ask_app(), CS_ERR_NOT_ANCHORED);
	o->w->e->clock.nonces.asked_by_s = 0;
	assert_err(ask_app(), CS_ERR_NO_TIME);
	assert_err(ask_dry(), CS_ERR_NO_TIME);
	assert_int_equal(o->played_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers_wait_for_a_nonce, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers_without_a_nonce, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_asked_without_an_anchor, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
