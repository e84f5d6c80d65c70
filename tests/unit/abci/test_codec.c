/* ABCI's messages against CometBFT's own bytes: recorded from a socket, and made from every message
 * with every field filled. */
#include "frames.h"

#define RECORDED CS_VECTORS "/abci/recorded.jsonl"
#define FILLED CS_VECTORS "/abci/filled.jsonl"

static void same_again(const struct frame *frame)
{
	struct cs_arena *arena = fresh_arena();
	struct cs_why why = {""};
	struct abci_request request;
	struct abci_response response;
	enum cs_err err = frame->is_request
				  ? abci_request_decode(&request, arena, frame->body, &why)
				  : abci_response_decode(&response, arena, frame->body, &why);
	if (err != CS_OK)
		fail_msg("%s %s: %s", frame->name, frame->mode, why.text);
	struct cs_bytes again =
		frame->is_request ? encoded_request(&request) : encoded_response(&response);
	if (!cs_bytes_eq(again, frame->body)) {
		char text[2 * 1024];
		assert_true(2 * again.n < sizeof text);
		cs_hex(text, again);
		fail_msg("%s %s: %s", frame->name, frame->mode, text);
	}
}

static void test_recorded_frames(void **state)
{
	(void)state;
	struct frames *frames = read_frames(RECORDED);
	assert_int_equal(frames->count, 354);
	for (size_t i = 0; i < frames->count; i++)
		same_again(&frames->items[i]);
}

static void test_every_message_filled(void **state)
{
	(void)state;
	struct frames *frames = read_frames(FILLED);
	/* 18 questions and 19 answers, each in three forms. */
	assert_int_equal(frames->count, 3 * (18 + 19));
	for (size_t i = 0; i < frames->count; i++)
		same_again(&frames->items[i]);
}

/* No form is read as another: each is cut at every byte, and what is accepted is what was left
 * whole. */
static void test_every_message_cut(void **state)
{
	(void)state;
	struct frames *frames = read_frames(FILLED);
	for (size_t i = 0; i < frames->count; i++) {
		const struct frame *frame = &frames->items[i];
		for (size_t n = 0; n < frame->body.n; n++) {
			/* Memory of exactly this size, so that a sanitizer sees a step outside. */
			uint8_t *copy = malloc(n + (n == 0));
			assert_non_null(copy);
			memcpy(copy, frame->body.p, n);
			struct cs_bytes cut = cs_bytes(copy, n);
			struct abci_request request;
			struct abci_response response;
			enum cs_err err =
				frame->is_request
					? abci_request_decode(&request, fresh_arena(), cut, NULL)
					: abci_response_decode(&response, fresh_arena(), cut, NULL);
			assert_err(err, n == 0 ? CS_ERR_MISSING_FIELD : CS_ERR_TRUNCATED);
			free(copy);
		}
	}
}

static const struct frame *filled(const struct frames *frames, bool is_request, const char *name,
				  const char *mode)
{
	for (size_t i = 0; i < frames->count; i++) {
		const struct frame *frame = &frames->items[i];
		if (frame->is_request == is_request && strcmp(frame->name, name) == 0 &&
		    strcmp(frame->mode, mode) == 0)
			return frame;
	}
	fail_msg("no %s %s", name, mode);
	return NULL;
}

static void assert_text(struct cs_bytes got, const char *want, size_t n)
{
	assert_bytes(got, cs_bytes(want, n));
}

/* Where each value lands; the vectors count their values up. */
static void test_values_of_a_question(void **state)
{
	(void)state;
	struct frames *frames = read_frames(FILLED);
	struct abci_request r;
	assert_ok(abci_request_decode(&r, fresh_arena(),
				      filled(frames, true, "InitChain", "filled")->body, NULL));
	assert_int_equal(r.method, ABCI_INIT_CHAIN);
	assert_int_equal(r.init_chain.time.s, 1763000000);
	assert_int_equal(r.init_chain.time.ns, 123456789);
	assert_text(r.init_chain.chain_id, "v1\0\xff", 4);
	const struct abci_consensus_params *params = r.init_chain.consensus_params;
	assert_non_null(params);
	assert_int_equal(params->block->max_bytes, 2 * 37);
	assert_int_equal(params->block->max_gas, 3 * 37);
	assert_int_equal(params->evidence->max_age_num_blocks, 4 * 37);
	assert_int_equal(params->evidence->max_age_duration_ns, 172800000000005);
	assert_int_equal(params->evidence->max_bytes, 5 * 37);
	assert_int_equal(params->validator->pub_key_types.count, 2);
	assert_text(params->validator->pub_key_types.items[1], "v7\0\xff", 4);
	assert_int_equal(params->version->app, 8 * 37);
	assert_int_equal(params->abci->vote_extensions_enable_height, 9 * 37);
	assert_text(params->authority->authority, "v10\0\xff", 5);
	assert_int_equal(r.init_chain.validators.count, 2);
	const struct abci_validator_update *updates = r.init_chain.validators.items;
	assert_int_equal(updates[0].pub_key.type, ABCI_KEY_ED25519);
	assert_text(updates[0].pub_key.bytes, "v12\0\xff", 5);
	assert_int_equal(updates[0].power, 13 * 37);
	assert_int_equal(updates[1].pub_key.type, ABCI_KEY_SECP256K1);
	assert_int_equal(r.init_chain.initial_height, 18 * 37);
}

static void test_values_of_an_answer(void **state)
{
	(void)state;
	struct frames *frames = read_frames(FILLED);
	struct abci_response r;
	assert_ok(abci_response_decode(
		&r, fresh_arena(), filled(frames, false, "FinalizeBlock", "filled")->body, NULL));
	assert_int_equal(r.method, ABCI_FINALIZE_BLOCK);
	assert_int_equal(r.finalize_block.events.count, 2);
	const struct abci_event *event = &r.finalize_block.events.items[1];
	assert_int_equal(event->attributes.count, 2);
	assert_true(event->attributes.items[0].index);
	assert_int_equal(r.finalize_block.tx_results.count, 2);
	assert_int_not_equal(r.finalize_block.tx_results.items[1].gas_used, 0);
	assert_int_equal(r.finalize_block.validator_updates.count, 2);
	assert_non_null(r.finalize_block.consensus_param_updates);
	assert_ok(abci_response_decode(&r, fresh_arena(),
				       filled(frames, false, "ApplySnapshotChunk", "ends")->body,
				       NULL));
	assert_int_equal(r.apply_snapshot_chunk.result, ABCI_APPLY_ACCEPT);
	assert_int_equal(r.apply_snapshot_chunk.refetch_chunks.count, 2);
	assert_int_equal(r.apply_snapshot_chunk.refetch_chunks.items[0], UINT32_MAX);
	assert_int_equal(r.apply_snapshot_chunk.refetch_chunks.items[1], 0);
	assert_int_equal(r.apply_snapshot_chunk.reject_senders.count, 2);
}

/* What CometBFT's own writer would not make, and protobuf allows. */
static void test_other_encoders(void **state)
{
	(void)state;
	struct abci_request q;
	struct abci_response r;
	/* check_tx with its fields turned around, a zero that is there, a field of later. */
	assert_ok(abci_request_decode(&q, fresh_arena(),
				      unhex("4209"
					    "1000"
					    "5a02"
					    "6869"
					    "0a01"
					    "61"),
				      NULL));
	assert_text(q.check_tx.tx, "a", 1);
	assert_bytes(encoded_request(&q), unhex("42030a0161"));
	/* refetch_chunks one by one and packed, mixed. */
	assert_ok(abci_response_decode(&r, fresh_arena(),
				       unhex("8201"
					     "08"
					     "1005"
					     "12020607"
					     "1008"),
				       NULL));
	assert_int_equal(r.apply_snapshot_chunk.refetch_chunks.count, 4);
	assert_int_equal(r.apply_snapshot_chunk.refetch_chunks.items[2], 7);
	assert_bytes(encoded_response(&r), unhex("820106120405060708"));
	/* A time that is not there is 1970, and is written. */
	assert_ok(abci_request_decode(&q, fresh_arena(), unhex("2a00"), NULL));
	assert_int_equal(q.init_chain.time.s, 0);
	assert_bytes(encoded_request(&q), unhex("2a020a00"));
	/* A key of a type that nobody knows yet. */
	assert_ok(abci_response_decode(&r, fresh_arena(),
				       unhex("aa01"
					     "07"
					     "1a05"
					     "0a03"
					     "320161"),
				       NULL));
	assert_int_equal(r.finalize_block.validator_updates.items[0].pub_key.type, 6);
}

static void test_refused_questions(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum cs_err err;
	} cases[] = {
		{"", CS_ERR_MISSING_FIELD},
		{"2200", CS_ERR_UNSUPPORTED},       /* 4, set_option of old */
		{"4a00", CS_ERR_UNSUPPORTED},       /* 9, deliver_tx of old */
		{"ba0100", CS_ERR_UNSUPPORTED},     /* 23 */
		{"f8ffffff0f01", CS_ERR_MALFORMED}, /* a number */
		{"1800", CS_ERR_MALFORMED},         /* info as a number */
		{"12001200", CS_ERR_DUPLICATE},     /* two questions */
		{"12001a00", CS_ERR_DUPLICATE},
		{"120000", CS_ERR_MALFORMED}, /* field 0 behind it */
		{"1201", CS_ERR_TRUNCATED},
		{"128000", CS_ERR_NON_CANONICAL},             /* a length in two bytes */
		{"130014", CS_ERR_MALFORMED},                 /* a group */
		{"42060a01610a0162", CS_ERR_DUPLICATE},       /* two transactions in check_tx */
		{"42021002", CS_ERR_OVERFLOW},                /* type 2 */
		{"42020800", CS_ERR_MALFORMED},               /* tx as a number */
		{"4203180109", CS_ERR_TRUNCATED},             /* an unknown field that is cut */
		{"32022002", CS_ERR_OVERFLOW},                /* prove 2 */
		{"2a0a0a0808ffffffffffff3f", CS_ERR_INVALID}, /* a year above 9999 */
		{"2a060a04108094eb", CS_ERR_TRUNCATED},
		{"2a080a06108094ebdc03", CS_ERR_INVALID}, /* 1,000,000,000 ns */
		{"2a080a06108580808010", CS_ERR_INVALID}, /* 2^32 + 5 ns */
		{"2a040a020a00", CS_ERR_MALFORMED},       /* seconds as bytes */
		/* a duration of 1 s and -1 ns, of -1 s and 1 ns, of 1,000,000,000 ns */
		{"2a131a11120f120d080110ffffffffffffffffff01", CS_ERR_INVALID},
		{"2a131a11120f120d08ffffffffffffffffff011001", CS_ERR_INVALID},
		{"2a0c1a0a12081206108094ebdc03", CS_ERR_INVALID},
		/* … and of more seconds than nanoseconds have room for */
		{"2a0f1a0d120b1209088080808080808040", CS_ERR_OVERFLOW},
		{"2a060a0408010802", CS_ERR_DUPLICATE}, /* seconds twice */
		{"2a06"
		 "0a0012001200",
		 CS_ERR_DUPLICATE}, /* chain_id twice */
		{"7206"
		 "1880808080"
		 "10",
		 CS_ERR_OVERFLOW}, /* a chunk above 32 bits */
		{"9201"
		 "0d"
		 "2a0b"
		 "08ffffffffffffffff7f",
		 CS_ERR_TRUNCATED},
		{"9201"
		 "0c"
		 "2a0a"
		 "08ffffffffffffffff7f",
		 CS_ERR_OVERFLOW}, /* a round above 32 bits */
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct abci_request request;
		struct cs_why why = {""};
		memset(&request, 0x5a, sizeof request);
		enum cs_err err =
			abci_request_decode(&request, fresh_arena(), unhex(cases[i].hex), &why);
		if (err != cases[i].err)
			fail_msg("%s: %s, not %s", cases[i].hex, cs_err_name(err),
				 cs_err_name(cases[i].err));
		assert_true(why.text[0] != 0);
		const uint8_t *untouched = (const uint8_t *)&request;
		assert_true(untouched[0] == 0x5a &&
			    memcmp(untouched, untouched + 1, sizeof request - 1) == 0);
	}
}

static void test_refused_answers(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum cs_err err;
	} cases[] = {
		{"", CS_ERR_MISSING_FIELD},
		{"2a00", CS_ERR_UNSUPPORTED},   /* 5 */
		{"c20100", CS_ERR_UNSUPPORTED}, /* 24 */
		{"1a001a00", CS_ERR_DUPLICATE},
		{"92010208"
		 "03",
		 CS_ERR_OVERFLOW}, /* a verdict of 3 */
		{"7204080608", CS_ERR_TRUNCATED},
		{"72020806", CS_ERR_OVERFLOW}, /* a result of 6 */
		{"6a060a04186419", CS_ERR_TRUNCATED},
		{"820104120206", CS_ERR_TRUNCATED},
		{"820104120280", CS_ERR_TRUNCATED},
		{"8201041202ff80", CS_ERR_TRUNCATED}, /* a packed number that is cut */
		{"8201051203818000", CS_ERR_NON_CANONICAL},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct abci_response response;
		struct cs_why why = {""};
		enum cs_err err =
			abci_response_decode(&response, fresh_arena(), unhex(cases[i].hex), &why);
		if (err != cases[i].err)
			fail_msg("%s: %s, not %s", cases[i].hex, cs_err_name(err),
				 cs_err_name(cases[i].err));
		assert_true(why.text[0] != 0);
	}
}

static void test_an_arena_that_is_too_small(void **state)
{
	(void)state;
	static uint8_t body[3 + 1000 * 2], block[4096];
	struct cs_arena arena;
	struct abci_response response;
	/* prepare_proposal with a thousand empty transactions: 16 bytes each once read. */
	memcpy(body, "\x8a\x01\xd0", 3);
	for (size_t i = 0; i < 1000; i++)
		memcpy(body + 3 + 2 * i, "\x0a\x00", 2);
	struct cs_buf buf;
	static uint8_t memory[4096];
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put(&buf, unhex("8a01"));
	cs_pb_put_varint(&buf, 2000);
	cs_put(&buf, cs_bytes(body + 3, 2000));
	cs_arena_init(&arena, block, sizeof block);
	assert_err(abci_response_decode(&response, &arena, cs_buf_view(&buf), NULL),
		   CS_ERR_NO_MEMORY);
	assert_ok(abci_response_decode(&response, fresh_arena(), cs_buf_view(&buf), NULL));
	assert_int_equal(response.prepare_proposal.txs.count, 1000);
}

/* Counted before anything is taken from the arena. */
static void test_a_list_that_is_too_long(void **state)
{
	(void)state;
	const size_t count = ABCI_LIST_MAX + 1;
	struct cs_buf buf;
	struct abci_response response;
	struct cs_why why = {""};
	size_t size;
	cs_buf_init(&buf, keep(2 * count + 16), 2 * count + 16);
	cs_put(&buf, unhex("8a01"));
	cs_pb_put_varint(&buf, 2 * count);
	for (size_t i = 0; i < count; i++)
		cs_put(&buf, cs_bytes("\x0a", 2));
	assert_err(abci_response_decode(&response, fresh_arena(), cs_buf_view(&buf), &why),
		   CS_ERR_TOO_LARGE);
	assert_non_null(strstr(why.text, "too many elements"));
	/* Packed numbers are counted one by one. */
	buf.n = 0;
	cs_put(&buf, unhex("8201"));
	cs_pb_put_varint(&buf, 1 + cs_pb_varint_size(count) + count);
	cs_pb_put_varint(&buf, 2 << 3 | CS_PB_BYTES);
	cs_pb_put_varint(&buf, count);
	cs_put_zeros(&buf, count);
	assert_err(abci_response_decode(&response, fresh_arena(), cs_buf_view(&buf), NULL),
		   CS_ERR_TOO_LARGE);
	response = (struct abci_response){.method = ABCI_PREPARE_PROPOSAL};
	response.prepare_proposal.txs.count = count;
	assert_err(abci_response_size(&response, &size), CS_ERR_TOO_LARGE);
}

static void test_refused_to_write(void **state)
{
	(void)state;
	struct abci_request q = {.method = ABCI_INIT_CHAIN};
	struct abci_response r = {.method = ABCI_EXCEPTION};
	size_t size;
	q.init_chain.time = (struct cs_pb_time){CS_PB_TIME_MAX_S + 1, 0};
	assert_err(abci_request_size(&q, &size), CS_ERR_INVALID);
	q.method = ABCI_EXCEPTION;
	assert_err(abci_request_size(&q, &size), CS_ERR_INVALID);
	q.method = (enum abci_method)4;
	assert_err(abci_request_size(&q, &size), CS_ERR_INVALID);
	q = (struct abci_request){.method = ABCI_CHECK_TX};
	static const uint8_t byte;
	q.check_tx.tx = cs_bytes(&byte, ABCI_FRAME_SIZE_MAX);
	assert_err(abci_request_size(&q, &size), CS_ERR_TOO_LARGE);
	r.exception.error = cs_bytes_str("no");
	uint8_t memory[6];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, 5);
	assert_err(abci_response_encode(&buf, &r), CS_ERR_TOO_LARGE);
	cs_buf_init(&buf, memory, 6);
	assert_err(abci_response_encode(&buf, &r), CS_ERR_TOO_LARGE);
	uint8_t seven[7];
	cs_buf_init(&buf, seven, sizeof seven);
	assert_ok(abci_response_encode(&buf, &r));
	assert_bytes(cs_buf_view(&buf), unhex("060a040a026e6f"));
}

static void test_frame_heads(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum cs_err err;
		size_t head, body;
	} cases[] = {
		{"", CS_ERR_TRUNCATED, 0, 0},
		{"00", CS_OK, 1, 0},
		{"7f", CS_OK, 1, 127},
		{"8001", CS_OK, 2, 128},
		{"80", CS_ERR_TRUNCATED, 0, 0},
		{"808080", CS_ERR_TRUNCATED, 0, 0},
		{"80808020", CS_OK, 4, 64 * 1024 * 1024},
		{"81808020", CS_ERR_TOO_LARGE, 0, 0},
		{"80808080", CS_ERR_TOO_LARGE, 0, 0},
		{"ffffffffffffffffff01", CS_ERR_TOO_LARGE, 0, 0},
		{"ffffffffffffffffff02", CS_ERR_TOO_LARGE, 0, 0},
		{"8000", CS_ERR_NON_CANONICAL, 0, 0},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		size_t head = 99, body = 99;
		enum cs_err err =
			abci_frame_open(&head, &body, unhex(cases[i].hex), ABCI_FRAME_SIZE_MAX);
		if (err != cases[i].err)
			fail_msg("%s: %s", cases[i].hex, cs_err_name(err));
		assert_int_equal(head, err == CS_OK ? cases[i].head : 99);
		assert_int_equal(body, err == CS_OK ? cases[i].body : 99);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(abci_method_name(ABCI_EXCEPTION), "exception");
	assert_string_equal(abci_method_name(ABCI_VERIFY_VOTE_EXTENSION), "verify_vote_extension");
	assert_int_equal(abci_method_connection(ABCI_CHECK_TX), ABCI_MEMPOOL_CONNECTION);
	assert_int_equal(abci_method_connection(ABCI_COMMIT), ABCI_CONSENSUS_CONNECTION);
	assert_int_equal(abci_method_connection(ABCI_INFO), ABCI_QUERY_CONNECTION);
	assert_int_equal(abci_method_connection(ABCI_OFFER_SNAPSHOT), ABCI_SNAPSHOT_CONNECTION);
	assert_string_equal(abci_connection_name(ABCI_MEMPOOL_CONNECTION), "mempool");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_frames),
		cmocka_unit_test(test_every_message_filled),
		cmocka_unit_test(test_every_message_cut),
		cmocka_unit_test(test_values_of_a_question),
		cmocka_unit_test(test_values_of_an_answer),
		cmocka_unit_test(test_other_encoders),
		cmocka_unit_test(test_refused_questions),
		cmocka_unit_test(test_refused_answers),
		cmocka_unit_test(test_an_arena_that_is_too_small),
		cmocka_unit_test(test_a_list_that_is_too_long),
		cmocka_unit_test(test_refused_to_write),
		cmocka_unit_test(test_frame_heads),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
