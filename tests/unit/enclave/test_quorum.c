/* An oracle's contract on a chain whose final blocks are named by providers: what makes its event
 * final, what does not, and that nobody who asks can keep the chain from being followed. Sources and
 * providers are played (oracle.h); how they are reached is tests/enclave/test_quorum.py's. */
#include "enclave/state.h"
#include "oracle.h"

#define PRICE                                                                                      \
	"{\"result\":{\"decimals\":8,\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":" \
	"\"/p\"},\"url\":\"https://a.example/\"}],\"version\":1}"

static struct oracle_world *o;
static struct wire_request asked; /* of the contract */
static const struct world_block *asked_in;

static int teardown(void **state)
{
	(void)state;
	if (o == NULL)
		return 0;
	quorum_forget(&o->quorum);
	oracle_world_free(o);
	o = NULL;
	return 0;
}

/* A world of its own for each test, with a request in a block that nobody has named. */
static void begin(void **state)
{
	(void)teardown(state);
	o = oracle_world_with_providers();
	asked = (struct wire_request){.receiver = o->requests,
				      .counter = 1,
				      .spec_hash = wire_spec_hash(cs_bytes_str(PRICE)),
				      .arguments_hash = wire_arguments_hash(NULL, 0),
				      .max_age = 600,
				      .time = WORLD_START,
				      .deadline = WORLD_START + 1000};
	const struct cs_hash id = wire_request_id(&asked);
	asked_in = oracle_emit(o, &id);
}

/* ---- frames ---- */

static ProtobufCMessage *decode(enum wire_type type, const struct cs_buf *reply)
{
	ProtobufCMessage *message = NULL;
	struct cs_why why = {""};
	cs_arena_rewind(&o->w->arena, 0);
	assert_ok(wire_decode(&message, wire_type_message(type), cs_buf_view(reply), &o->w->arena,
			      &why));
	return message;
}

static enum cs_err refusal_of(enum wire_type type, const struct cs_buf *reply)
{
	assert_int_equal(type, WIRE_ERROR);
	return (enum cs_err)((const Caisson__Wire__ErrorReply *)(const void *)decode(type, reply))
		->code;
}

static uint8_t memory[CS_FRAME_BODY_SIZE_MAX];

/* CS_OK: the providers are asked. */
static enum cs_err ask_quorum(struct cs_bytes chain)
{
	Caisson__Wire__ClientQuorumRequest in = CAISSON__WIRE__CLIENT_QUORUM_REQUEST__INIT;
	enum wire_type type = WIRE_ERROR;
	struct cs_buf reply;
	uint8_t body[128];
	in.chain = pb(chain);
	const size_t size = protobuf_c_message_get_packed_size(&in.base);
	assert_true(size <= sizeof body);
	(void)protobuf_c_message_pack(&in.base, body);
	cs_buf_init(&reply, memory, sizeof memory);
	if (!quorum_request(&o->quorum, &type, &reply, 7, WIRE_CLIENT_QUORUM, cs_bytes(body, size),
			    &o->w->now))
		return CS_OK;
	return refusal_of(type, &reply);
}

static enum cs_err ask(void)
{
	return ask_quorum(CS_BYTES_OF(o->w->own.b));
}

/* The round's reply; NULL: a refusal, whose error is in w->err. */
static const Caisson__Wire__ClientQuorumReply *ends(void)
{
	uint64_t frame_id = 0;
	struct cs_buf reply;
	quorum_turn(&o->quorum, &o->w->now);
	assert_true(quorum_is_ready(&o->quorum));
	cs_buf_init(&reply, memory, sizeof memory);
	const enum wire_type type = quorum_reply(&o->quorum, &reply, &frame_id);
	assert_int_equal(frame_id, 7);
	if (type == WIRE_ERROR) {
		o->w->err = refusal_of(type, &reply);
		return NULL;
	}
	assert_int_equal(type, WIRE_CLIENT_QUORUM_REPLY);
	return (const Caisson__Wire__ClientQuorumReply *)(const void *)decode(type, &reply);
}

/* ---- what providers say ---- */

static void says(size_t provider, const char *body)
{
	oracle_provider_replies(o, provider, &(struct fetch_reply){.body = cs_bytes_str(body)});
}

static const char *naming(uint64_t height, const struct cs_hash *hash, uint64_t time_s)
{
	char hex[65];
	char *body = keep(512);
	cs_hex(hex, CS_BYTES_OF(hash->b));
	(void)snprintf(body, 512,
		       "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"number\":\"0x%llx\",\"hash\":"
		       "\"0x%s\",\"timestamp\":\"0x%llx\"}}",
		       (unsigned long long)height, hex, (unsigned long long)time_s);
	return body;
}

static void names(size_t provider, const struct world_block *block)
{
	says(provider, naming(block->height, &block->hash, block->time_s));
}

static void fails(size_t provider, enum wire_oracle_code code)
{
	oracle_provider_replies(o, provider,
				&(struct fetch_reply){.code = code, .why = "as the test plays it"});
}

static uint64_t final_height(void)
{
	struct verify_status status;
	verify_client_status(&o->w->e->chains[1].client, &status);
	return status.final_height;
}

/* ---- the contract's request ---- */

static const ProtobufCMessage *claim_of(void)
{
	static Caisson__Wire__AnswerChainRequest in;
	static Caisson__Wire__OracleClaim claim;
	static Caisson__Wire__OracleHead head;
	static Caisson__Wire__OracleQuery query;
	static Caisson__Wire__OracleClaim *claims[1] = {&claim};
	const struct cs_hash fee = cs_u256_word(&asked.fee);
	caisson__wire__answer_chain_request__init(&in);
	caisson__wire__oracle_claim__init(&claim);
	caisson__wire__oracle_head__init(&head);
	caisson__wire__oracle_query__init(&query);
	head.counter = asked.counter;
	head.asker = pb_hash(&asked.asker);
	head.callback = pb_hash(&asked.callback);
	head.fee = pb_hash(&fee);
	head.max_age = asked.max_age;
	head.time = asked.time;
	head.deadline = asked.deadline;
	query.spec = pb(cs_bytes_str(PRICE));
	claim.height = asked_in->height;
	claim.block_hash = pb_hash(&asked_in->hash);
	claim.proof = world_receipt_proof(asked_in, 0);
	claim.head = &head;
	claim.query = &query;
	in.receiver = pb_hash(&o->requests);
	in.claims = claims;
	in.n_claims = 1;
	return &in.base;
}

/* CS_OK: its source is asked. */
static enum cs_err answer_chain(void)
{
	const ProtobufCMessage *in = claim_of();
	enum wire_type type = WIRE_ERROR;
	struct cs_buf reply;
	uint8_t *body = keep(protobuf_c_message_get_packed_size(in));
	const size_t size = protobuf_c_message_pack(in, body);
	cs_buf_init(&reply, memory, sizeof memory);
	if (service_request(&o->service, &type, &reply, 1, WIRE_ANSWER_CHAIN, cs_bytes(body, size),
			    &o->w->now))
		return refusal_of(type, &reply);
	service_turn(&o->service, &o->w->now);
	return CS_OK;
}

static enum wire_type answered(struct cs_buf *reply)
{
	uint64_t frame_id = 0;
	assert_true(service_is_ready(&o->service));
	cs_buf_init(reply, memory, sizeof memory);
	return service_reply(&o->service, reply, &frame_id);
}

/* ---- tests ---- */

/* Under a ledger's time the votes wait for a nonce that is made after them, and a provider whose
 * certificate had ended by its answer has none. */
static void test_votes_wait_for_a_nonce(void **state)
{
	begin(state);
	oracle_by_ledger(o);
	for (size_t ended = 0; ended < 2; ended++) {
		const uint64_t now = o->w->now.low_s;
		const char *body = naming(asked_in->height, &asked_in->hash, asked_in->time_s);
		assert_ok(ask());
		for (size_t i = 0; i < ORACLE_PROVIDERS; i++)
			oracle_provider_replies(
				o, i,
				&(struct fetch_reply){.body = cs_bytes_str(body),
						      .ends_s = now + (i < 2 - ended ? 2 : 1)});
		quorum_turn(&o->quorum, &o->w->now);
		assert_false(quorum_is_ready(&o->quorum));
		assert_int_equal(quorum_wait_ms(&o->quorum), ENCLAVE_CLOCK_WAIT_MS);
		oracle_time_answered(o, now + 1);
		const Caisson__Wire__ClientQuorumReply *out = ends();
		assert_non_null(out);
		assert_int_equal(out->named_height, ended == 0 ? asked_in->height : 0);
		assert_int_equal(out->providers[1]->code,
				 ended == 0 ? WIRE_ORACLE_OK : WIRE_ORACLE_TLS);
		assert_int_equal(out->providers[2]->code, WIRE_ORACLE_TLS);
		assert_int_equal(final_height(), asked_in->height);
	}
}

static void test_votes_without_a_nonce(void **state)
{
	begin(state);
	oracle_by_ledger(o);
	assert_ok(ask());
	for (size_t i = 0; i < ORACLE_PROVIDERS; i++)
		names(i, asked_in);
	quorum_turn(&o->quorum, &o->w->now);
	assert_false(quorum_is_ready(&o->quorum));
	o->later_ms += ENCLAVE_CLOCK_WAIT_MS;
	assert_null(ends());
	assert_err(o->w->err, CS_ERR_NO_TIME);
	assert_int_equal(final_height(), 0);
}

static void test_what_they_name_is_final_and_is_answered(void **state)
{
	struct cs_buf reply;
	begin(state);
	/* Whatever the host brings: nobody has named it. */
	assert_int_equal(final_height(), 0);
	assert_err(answer_chain(), CS_ERR_NOT_FINAL);
	assert_ok(ask());
	for (size_t i = 0; i < ORACLE_PROVIDERS; i++) {
		char host[32];
		(void)snprintf(host, sizeof host, "p%zu.example", i);
		assert_string_equal(o->asked[i].host, host);
		assert_false(quorum_is_ready(&o->quorum));
		names(i, asked_in);
		quorum_turn(&o->quorum, &o->w->now);
	}
	const Caisson__Wire__ClientQuorumReply *round = ends();
	assert_non_null(round);
	assert_int_equal(round->n_providers, ORACLE_PROVIDERS);
	assert_int_equal(round->named_height, asked_in->height);
	assert_int_equal(round->status->final_height, asked_in->height);
	assert_ok(answer_chain());
	assert_int_equal(o->played_count, 1);
	oracle_played_answer(o, 0, WIRE_ORACLE_OK, cs_bytes_str("{\"p\":2}"));
	assert_int_equal(answered(&reply), WIRE_ANSWER_CHAIN + 1);
	const Caisson__Wire__OracleReply *out =
		(const Caisson__Wire__OracleReply *)(const void *)decode(WIRE_ANSWER_CHAIN + 1,
									 &reply);
	oracle_check(o, WIRE_ANSWER_CHAIN, out);
	assert_int_equal(out->results[0]->code, WIRE_ORACLE_OK);
}

/* What the third of them says, beside one that is right: no quorum, but for the last row. */
static void test_who_has_no_vote(void **state)
{
	const struct cs_hash unknown = {{0xee}};
	begin(state);
	const struct world_block *block = asked_in;
	const char *const bodies[] = {
		naming(block->height, &unknown, block->time_s),
		naming(block->height + 1000, &unknown, block->time_s),
		/* An old block of theirs. */
		naming(block->height, &block->hash, WORLD_START - 1000),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"no\"}}",
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}",
		"<html>",
		"",
	};
	for (size_t i = 0; i < CS_LEN(bodies); i++) {
		assert_ok(ask());
		names(0, block);
		says(1, bodies[i]);
		fails(2, WIRE_ORACLE_UNREACHABLE);
		const Caisson__Wire__ClientQuorumReply *round = ends();
		assert_non_null(round);
		assert_int_equal(round->providers[0]->code, WIRE_ORACLE_OK);
		assert_int_equal(round->providers[2]->code, WIRE_ORACLE_UNREACHABLE);
		assert_int_equal(round->status->final_height, 0);
		assert_err(answer_chain(), CS_ERR_NOT_FINAL);
	}
	/* One lies, and two do not. */
	assert_ok(ask());
	names(0, block);
	says(1, bodies[0]);
	names(2, block);
	assert_int_equal(ends()->status->final_height, block->height);
	assert_ok(answer_chain());
}

static void test_nobody_who_answers_elsewhere_or_badly(void **state)
{
	begin(state);
	assert_ok(ask());
	names(0, asked_in);
	fails(1, WIRE_ORACLE_TLS);
	oracle_provider_replies(
		o, 2,
		&(struct fetch_reply){.body = cs_bytes_str(naming(asked_in->height, &asked_in->hash,
								  asked_in->time_s)),
				      .redirects = 1});
	const Caisson__Wire__ClientQuorumReply *round = ends();
	assert_int_equal(round->providers[1]->code, WIRE_ORACLE_TLS);
	assert_int_equal(round->providers[2]->code, WIRE_ORACLE_REDIRECT);
	assert_int_equal(round->named_height, 0);
	assert_int_equal(final_height(), 0);
}

/* A vote is of its round: yesterday's beside today's is no quorum. */
static void test_votes_of_two_rounds_do_not_add_up(void **state)
{
	begin(state);
	for (size_t i = 0; i < ORACLE_PROVIDERS; i++) {
		assert_ok(ask());
		for (size_t k = 0; k < ORACLE_PROVIDERS; k++) {
			if (k == i)
				names(k, asked_in);
			else
				fails(k, WIRE_ORACLE_UNREACHABLE);
		}
		assert_int_equal(ends()->status->final_height, 0);
	}
}

static void test_one_that_hangs_is_left(void **state)
{
	begin(state);
	assert_ok(ask());
	names(0, asked_in);
	quorum_turn(&o->quorum, &o->w->now);
	assert_int_equal(quorum_wait_ms(&o->quorum), -1);
	names(1, asked_in);
	quorum_turn(&o->quorum, &o->w->now);
	assert_false(quorum_is_ready(&o->quorum));
	assert_in_range(quorum_wait_ms(&o->quorum), 1, QUORUM_GRACE_MS);
	o->later_ms += QUORUM_GRACE_MS;
	const Caisson__Wire__ClientQuorumReply *round = ends();
	assert_true(o->asked[2].cancelled);
	assert_int_equal(round->providers[2]->code, WIRE_ORACLE_TIMEOUT);
	assert_int_equal(round->status->final_height, asked_in->height);
}

static void test_which_chain_may_be_asked(void **state)
{
	begin(state);
	const struct cs_hash self = wire_oracle_identity(&o->w->manifest.lineage);
	/* Nobody's; of the manifest without a contract; the oracle itself. */
	assert_err(ask_quorum(cs_bytes_str("a name of a chain, and 32 bytes.")),
		   CS_ERR_NOT_IN_MANIFEST);
	assert_err(ask_quorum(CS_BYTES_OF(o->w->remote.b)), CS_ERR_NOT_IN_MANIFEST);
	assert_err(ask_quorum(CS_BYTES_OF(self.b)), CS_ERR_NOT_IN_MANIFEST);
	assert_err(ask_quorum(cs_bytes_str("short")), CS_ERR_INVALID);
	o->w->e->greeted = false;
	assert_err(ask(), CS_ERR_UNAUTHORIZED);
	o->w->e->greeted = true;
	const struct verify_time now = o->w->now;
	o->w->now.high_s = 0;
	assert_err(ask(), CS_ERR_NO_TIME);
	o->w->now = now;
	o->shut = true;
	assert_err(ask(), CS_ERR_NO_MEMORY);
	o->shut = false;
	assert_ok(ask());
	assert_err(ask(), CS_ERR_FULL);
}

static void test_a_chain_without_providers(void **state)
{
	begin(state);
	oracle_world_free(o);
	o = oracle_world_new();
	quorum_init(&o->quorum, o->w->e, NULL);
	assert_err(ask(), CS_ERR_UNSUPPORTED);
}

static void test_a_contradiction_freezes_what_is_being_answered(void **state)
{
	struct cs_buf reply;
	const struct cs_hash other = {{0xee}};
	begin(state);
	assert_ok(ask());
	for (size_t i = 0; i < ORACLE_PROVIDERS; i++)
		names(i, asked_in);
	assert_non_null(ends());
	assert_ok(answer_chain());
	assert_ok(ask());
	names(0, asked_in);
	for (size_t i = 1; i < ORACLE_PROVIDERS; i++)
		says(i, naming(asked_in->height, &other, asked_in->time_s));
	assert_null(ends());
	assert_err(o->w->err, CS_ERR_FROZEN);
	assert_err(ask(), CS_ERR_FROZEN);
	oracle_played_answer(o, 0, WIRE_ORACLE_OK, cs_bytes_str("{\"p\":2}"));
	const enum wire_type type = answered(&reply);
	assert_err(refusal_of(type, &reply), CS_ERR_FROZEN);
	assert_err(answer_chain(), CS_ERR_FROZEN);
}

static void ask_app(const char *spec)
{
	Caisson__Wire__AnswerAppRequest in = CAISSON__WIRE__ANSWER_APP_REQUEST__INIT;
	Caisson__Wire__OracleQuery query = CAISSON__WIRE__ORACLE_QUERY__INIT;
	enum wire_type type = WIRE_ERROR;
	struct cs_buf reply;
	uint8_t body[1024];
	in.audience = pb(cs_bytes_str("app"));
	in.query = &query;
	in.max_age = 600;
	in.timeout_s = 60;
	query.spec = pb(cs_bytes_str(spec));
	assert_true(protobuf_c_message_get_packed_size(&in.base) <= sizeof body);
	const size_t size = protobuf_c_message_pack(&in.base, body);
	cs_buf_init(&reply, memory, sizeof memory);
	assert_false(service_request(&o->service, &type, &reply, 1, WIRE_ANSWER_APP,
				     cs_bytes(body, size), &o->w->now));
}

/* Every place among the transfers of those who ask is taken by a source that does not answer, and more
 * wait: the chain goes on becoming final, because its providers have transfers of their own. */
static void test_slow_sources_do_not_hold_the_chain_up(void **state)
{
	begin(state);
	for (unsigned i = 0; i < SHARE_ASKED_MAX + 8; i++) {
		char spec[256];
		(void)snprintf(
			spec, sizeof spec,
			"{\"result\":{\"type\":\"int256\"},\"sources\":[{\"extract\":{\"pointer\":"
			"\"/p\"},\"url\":\"https://s%u.example/\"}],\"version\":1}",
			i);
		ask_app(spec);
	}
	service_turn(&o->service, &o->w->now);
	assert_int_equal(o->played_count, SHARE_ASKED_MAX);
	assert_ok(ask());
	assert_int_equal(o->asked_count, ORACLE_PROVIDERS);
	for (size_t i = 0; i < ORACLE_PROVIDERS; i++)
		names(i, asked_in);
	assert_int_equal(ends()->status->final_height, asked_in->height);
	assert_int_equal(o->played_count, SHARE_ASKED_MAX);
}

static void test_a_host_that_goes(void **state)
{
	begin(state);
	assert_ok(ask());
	names(0, asked_in);
	quorum_forget(&o->quorum);
	for (size_t i = 0; i < ORACLE_PROVIDERS; i++)
		assert_true(o->asked[i].cancelled);
	quorum_turn(&o->quorum, &o->w->now);
	assert_false(quorum_is_ready(&o->quorum));
	assert_int_equal(quorum_wait_ms(&o->quorum), -1);
	assert_ok(ask());
}

/* Of a chain with consensus a final block raises the low end of time; here it is what somebody said. */
static void test_what_they_name_pushes_no_clock(void **state)
{
	begin(state);
	const uint64_t before = o->w->e->time_low_s;
	const struct world_block *block = world_mine(o->w);
	assert_true(block->time_s > before && block->time_s <= o->w->now.high_s);
	assert_ok(ask());
	for (size_t i = 0; i < ORACLE_PROVIDERS; i++)
		names(i, block);
	assert_non_null(ends());
	world_update(o->w, block->height);
	assert_int_equal(final_height(), block->height);
	assert_int_equal(o->w->e->time_low_s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_they_name_is_final_and_is_answered),
		cmocka_unit_test(test_votes_wait_for_a_nonce),
		cmocka_unit_test(test_votes_without_a_nonce),
		cmocka_unit_test(test_who_has_no_vote),
		cmocka_unit_test(test_nobody_who_answers_elsewhere_or_badly),
		cmocka_unit_test(test_votes_of_two_rounds_do_not_add_up),
		cmocka_unit_test(test_one_that_hangs_is_left),
		cmocka_unit_test(test_which_chain_may_be_asked),
		cmocka_unit_test(test_a_chain_without_providers),
		cmocka_unit_test(test_a_contradiction_freezes_what_is_being_answered),
		cmocka_unit_test(test_slow_sources_do_not_hold_the_chain_up),
		cmocka_unit_test(test_a_host_that_goes),
		cmocka_unit_test(test_what_they_name_pushes_no_clock),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
