/* Fresh time by nonce: what bounds a request's time, and every way in which an answer is none. */
#include "clock.h"
#include "enclave/insecure.h"

static void init(struct clock *c)
{
	Caisson__Wire__InitRequest in = CAISSON__WIRE__INIT_REQUEST__INIT;
	(void)world_ok(c->w, WIRE_INIT, &in.base);
}

static void test_there_is_no_time_before_an_answer(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	init(c);
	const Caisson__Wire__HelloReply *hello = clock_hello(c);
	assert_int_equal(hello->now_high_s, 0);
	assert_int_equal(hello->now_low_s, 0);
	assert_int_equal(hello->insecure_flags & ENCLAVE_INSECURE_host_time, 0);
	Caisson__Wire__ClientCreateRequest in = clock_create(c, &c->w->own);
	world_refused(c->w, WIRE_CLIENT_CREATE, &in.base, CS_ERR_NO_TIME);
	clock_round(c, &in.base, clock_time_of(c, LEDGER_ANCHOR) + 1);
	(void)world_ok(c->w, WIRE_CLIENT_CREATE, &in.base);
	hello = clock_hello(c);
	assert_int_equal(hello->now_high_s, clock_time_of(c, LEDGER_ANCHOR) + 3);
	assert_int_equal(hello->now_low_s, clock_time_of(c, LEDGER_ANCHOR) - 1);
	clock_free(c);
}

/* A request is taken when the nonce that covers it was answered, and no newer one was. */
static void test_what_a_nonce_covers(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	init(c);
	clock_create_all(c);
	ledger_mine(c->l, 2);
	const uint64_t now = clock_time_of(c, c->l->height) + 1;
	Caisson__Wire__ClientUpdateRequest in = clock_update(c, &c->w->own, c->l->height);
	Caisson__Wire__ClientUpdateRequest other = clock_update(c, &c->ledger, c->l->height);
	const struct cs_hash hash = clock_body_hash(&in.base);
	/* Nothing, something else, the right one without an answer, the right one and a newer nonce. */
	clock_round(c, NULL, now);
	world_refused(c->w, WIRE_CLIENT_UPDATE, &in.base, CS_ERR_NO_TIME);
	clock_round(c, &other.base, now);
	world_refused(c->w, WIRE_CLIENT_UPDATE, &in.base, CS_ERR_NO_TIME);
	clock_ask(c, &hash, 1);
	world_refused(c->w, WIRE_CLIENT_UPDATE, &in.base, CS_ERR_NO_TIME);
	clock_round(c, NULL, now);
	world_refused(c->w, WIRE_CLIENT_UPDATE, &in.base, CS_ERR_NO_TIME);
	/* Asked again, but not answered: what was answered before still counts. */
	clock_round(c, &in.base, now);
	clock_ask(c, &hash, 0);
	(void)world_ok(c->w, WIRE_CLIENT_UPDATE, &in.base);
	clock_free(c);
}

static void test_many_inputs(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	init(c);
	struct cs_hash inputs[65];
	Caisson__Wire__ClientCreateRequest in = clock_create(c, &c->w->own);
	for (uint8_t i = 0; i < 65; i++)
		inputs[i] = (struct cs_hash){{i, 1}};
	inputs[63] = clock_body_hash(&in.base);
	clock_ask(c, inputs, 64);
	clock_answer(c, clock_time_of(c, LEDGER_ANCHOR) + 1);
	(void)world_ok(c->w, WIRE_CLIENT_CREATE, &in.base);
	Caisson__Wire__ClockAskRequest ask = CAISSON__WIRE__CLOCK_ASK_REQUEST__INIT;
	ProtobufCBinaryData list[65];
	for (size_t i = 0; i < 65; i++)
		list[i] = pb_hash(&inputs[i]);
	ask.inputs = list;
	ask.n_inputs = 65;
	world_refused(c->w, WIRE_CLOCK_ASK, &ask.base, CS_ERR_TOO_LARGE);
	clock_free(c);
}

/* What was brought after the trusting period had ended is refused, whenever it was made; what came in
 * before is not. */
static void test_expiry(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	init(c);
	clock_create_all(c);
	ledger_mine(c->l, 2);
	const uint64_t end = clock_time_of(c, LEDGER_ANCHOR) + CLOCK_TRUSTING_S;
	Caisson__Wire__ClientUpdateRequest in = clock_update(c, &c->w->own, c->l->height);
	/* Two seconds of error are on top. */
	clock_round(c, &in.base, end - 1);
	world_refused(c->w, WIRE_CLIENT_UPDATE, &in.base, CS_ERR_ANCHOR_TOO_OLD);
	clock_round(c, &in.base, end - 2);
	(void)world_ok(c->w, WIRE_CLIENT_UPDATE, &in.base);
	clock_free(c);
}

static void refuse_answers(struct clock *c, Caisson__Wire__ClockAnswersRequest *in, enum cs_err err)
{
	world_refused(c->w, WIRE_CLOCK_ANSWERS, &in->base, err);
}

static void test_answers_that_do_not_count(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	const uint64_t now = clock_time_of(c, LEDGER_ANCHOR);
	const struct cs_hash other = {{0xee}};
	Caisson__Wire__ClockAnswersRequest in;
	clock_ask(c, NULL, 0);
	clock_answers(c, &in, 2, now);
	refuse_answers(c, &in, CS_ERR_UNAUTHORIZED);
	clock_answers(c, &in, 3, now);
	in.answers[2] = in.answers[1];
	refuse_answers(c, &in, CS_ERR_UNAUTHORIZED);
	in.answers[2] = clock_answer_of(c, 2, &other, now * 1000);
	refuse_answers(c, &in, CS_ERR_UNAUTHORIZED);
	in.answers[2] = clock_answer_of(c, 2, &c->nonce, now * 1000);
	in.answers[2]->time_ms++;
	refuse_answers(c, &in, CS_ERR_UNAUTHORIZED);
	in.answers[2]->time_ms--;
	in.answers[2]->key = pb_hash(&other);
	refuse_answers(c, &in, CS_ERR_UNAUTHORIZED);
	/* None of that spent the nonce. */
	in.answers[2]->key = pb_hash(&c->x[2]);
	const Caisson__Wire__ClockAnswersReply *out =
		(const Caisson__Wire__ClockAnswersReply *)(const void *)world_ok(
			c->w, WIRE_CLOCK_ANSWERS, &in.base);
	assert_int_equal(out->counted, 3);
	assert_int_equal(out->asked_by_s, now + 2);
	assert_int_equal(out->now_from_s, now - 2);
	clock_free(c);
}

static void test_nonces(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	const uint64_t now = clock_time_of(c, LEDGER_ANCHOR);
	Caisson__Wire__ClockAnswersRequest in;
	/* None was asked; an older one; one that was answered; one of another process. */
	clock_answers(c, &in, 3, now);
	refuse_answers(c, &in, CS_ERR_UNKNOWN_NONCE);
	clock_ask(c, NULL, 0);
	clock_answers(c, &in, 3, now);
	clock_ask(c, NULL, 0);
	refuse_answers(c, &in, CS_ERR_UNKNOWN_NONCE);
	clock_answers(c, &in, 3, now);
	(void)world_ok(c->w, WIRE_CLOCK_ANSWERS, &in.base);
	refuse_answers(c, &in, CS_ERR_UNKNOWN_NONCE);
	clock_ask(c, NULL, 0);
	clock_answers(c, &in, 3, now);
	world_restart(c->w);
	refuse_answers(c, &in, CS_ERR_UNKNOWN_NONCE);
	clock_free(c);
}

/* The low end is what was proven, never the host's clock, and never goes back. */
static void test_the_low_end_rises(void **state)
{
	(void)state;
	struct clock *c = clock_new();
	const uint64_t now = clock_time_of(c, LEDGER_ANCHOR);
	init(c);
	c->w->now = (struct verify_time){now + 5000, now + 5000};
	assert_int_equal(clock_hello(c)->now_low_s, 0);
	clock_round(c, NULL, now);
	assert_int_equal(clock_hello(c)->now_low_s, now - 2);
	clock_round(c, NULL, now - 100);
	assert_int_equal(clock_hello(c)->now_low_s, now - 2);
	assert_int_equal(clock_hello(c)->now_high_s, now - 2);
	/* And with what is final. */
	clock_create_all(c);
	ledger_mine(c->l, 9);
	clock_follow(c, &c->w->own);
	assert_int_equal(clock_hello(c)->now_low_s, clock_time_of(c, c->l->height));
	clock_free(c);
}

static void test_without_a_ledger(void **state)
{
	(void)state;
	struct ledger *l = ledger_new(4);
	Caisson__Wire__ClockAskRequest ask = CAISSON__WIRE__CLOCK_ASK_REQUEST__INIT;
	Caisson__Wire__ClockAnswersRequest answers = CAISSON__WIRE__CLOCK_ANSWERS_REQUEST__INIT;
	Caisson__Wire__AnchorProveRequest prove = CAISSON__WIRE__ANCHOR_PROVE_REQUEST__INIT;
	Caisson__Wire__AnchorSignRequest sign = CAISSON__WIRE__ANCHOR_SIGN_REQUEST__INIT;
	const struct cs_hash nonce = {{1}};
	answers.nonce = pb_hash(&nonce);
	sign.digest = pb_hash(&nonce);
	prove.height = 1;
	world_refused(l->w, WIRE_CLOCK_ASK, &ask.base, CS_ERR_UNSUPPORTED);
	world_refused(l->w, WIRE_CLOCK_ANSWERS, &answers.base, CS_ERR_UNSUPPORTED);
	world_refused(l->w, WIRE_ANCHOR_PROVE, &prove.base, CS_ERR_UNSUPPORTED);
	world_refused(l->w, WIRE_ANCHOR_SIGN, &sign.base, CS_ERR_UNSUPPORTED);
	ledger_free(l);
}

/* The vectors of the ledger's own tests, asked by an enclave: the nonce is not its own. */
static void test_published_answers(void **state)
{
	(void)state;
	json_t *root = read_json(CS_VECTORS "/ledger/register.json");
	const json_t *rows = json_object_get(root, "time");
	struct clock *c = clock_new();
	Caisson__Wire__ClockAnswersRequest in;
	for (size_t i = 0; i < 3; i++) {
		const json_t *row = json_array_get(rows, i);
		c->w->manifest.ledger.time.keys.keys[i] = hash_of(row, "key");
	}
	world_restart(c->w);
	clock_ask(c, NULL, 0);
	clock_answers(c, &in, 3, 0);
	for (size_t i = 0; i < 3; i++) {
		const json_t *row = json_array_get(rows, i);
		in.answers[i]->key = pb_hash(&c->w->manifest.ledger.time.keys.keys[i]);
		in.answers[i]->time_ms = u64_of(row, "time_ms");
		in.answers[i]->signature = pb(bytes_of(row, "signature"));
	}
	refuse_answers(c, &in, CS_ERR_UNAUTHORIZED);
	json_decref(root);
	clock_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_is_no_time_before_an_answer),
		cmocka_unit_test(test_what_a_nonce_covers),
		cmocka_unit_test(test_many_inputs),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_answers_that_do_not_count),
		cmocka_unit_test(test_nonces),
		cmocka_unit_test(test_the_low_end_rises),
		cmocka_unit_test(test_without_a_ledger),
		cmocka_unit_test(test_published_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
