/* The attested port from both of its ends: an enclave in a small world, and a client of TLS 1.3 that sees
 * nothing but records. What the host does in between is pumped here; gateways do it in host/attested.c. */
#include "core/nistp.h"
#include "enclave/attested.h"
#include "enclave/channel.h"
#include "enclave/port.h"
#include "verify/attest/evidence.h"
#include "world.h"

struct visit {
	struct world *w;
	uint64_t number;
	struct channel_port *port;
	struct channel *channel;
	struct cs_bytes certificate;
	bool over;
	char why[33];
	uint64_t request_id;
};

/* ---- the host's part ---- */

static struct world *world_with_port(void)
{
	struct world *w = world_new();
	struct attested *attested = attested_new();
	assert_non_null(attested);
	w->launch.door = attested_door(attested);
	world_restart(w);
	return w;
}

static void world_end(struct world *w)
{
	struct attested *attested = w->launch.door.context;
	world_free(w);
	attested_free(attested);
}

static const Caisson__Wire__AttestedReply *carry(struct world *w, uint64_t number,
						 struct cs_bytes data, bool gone)
{
	Caisson__Wire__AttestedRequest in = CAISSON__WIRE__ATTESTED_REQUEST__INIT;
	in.connection = number;
	in.data = pb(data);
	in.gone = gone;
	return (const Caisson__Wire__AttestedReply *)(const void *)world_step(w, WIRE_ATTESTED,
									      &in.base);
}

/* One piece to the enclave, and everything back that it has to say. What the client makes of it is its own
 * affair. */
static enum cs_err pass(struct visit *v, struct cs_bytes piece)
{
	enum cs_err err = CS_OK;
	bool more = true;
	while (more && !v->over) {
		const Caisson__Wire__AttestedReply *out = carry(v->w, v->number, piece, false);
		if (out == NULL) {
			v->over = true;
			return v->w->err;
		}
		piece = CS_BYTES_NONE;
		more = out->more;
		v->over = out->over;
		(void)snprintf(v->why, sizeof v->why, "%s", out->why);
		if (v->channel != NULL && err == CS_OK && out->data.len > 0)
			err = channel_put(v->channel, wire_pb_view(out->data));
	}
	return err;
}

/* Until nobody has anything to say; pieces of this size. */
static enum cs_err pump(struct visit *v, size_t piece_size)
{
	static uint8_t piece[64 * 1024];
	size_t n;
	assert_true(piece_size <= sizeof piece);
	while (!v->over && (n = channel_take(v->channel, piece, piece_size)) > 0)
		CS_TRY(pass(v, cs_bytes(piece, n)));
	return CS_OK;
}

/* ---- the client's ---- */

static enum cs_err see_certificate(void *context, struct cs_bytes der)
{
	struct visit *v = context;
	uint8_t *copy = keep(der.n);
	memcpy(copy, der.p, der.n);
	v->certificate = cs_bytes(copy, der.n);
	return CS_OK;
}

static void visit_init(struct visit *v, struct world *w, uint64_t number)
{
	*v = (struct visit){.w = w, .number = number};
	const struct channel_settings settings = {.signatures = "ecdsa_secp256r1_sha256",
						  .judge = see_certificate,
						  .context = v,
						  .plain_size_max = 256u * 1024,
						  .handshake_size_max = 64u * 1024};
	assert_ok(channel_port_open(&v->port, &settings));
	v->channel = channel_new(v->port, true);
	assert_non_null(v->channel);
	assert_ok(channel_put(v->channel, CS_BYTES_NONE));
}

static struct visit *visit_new(struct world *w, uint64_t number)
{
	struct visit *v = keep(sizeof *v);
	visit_init(v, w, number);
	assert_ok(pump(v, 64 * 1024));
	assert_true(channel_is_ready(v->channel));
	assert_false(v->over);
	return v;
}

static void visit_end(struct visit *v)
{
	channel_free(v->channel);
	channel_port_free(v->port);
}

static void ask(struct visit *v, enum wire_type type, struct cs_bytes body)
{
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	const struct wire_frame frame = {(uint32_t)body.n, type, ++v->request_id};
	wire_frame_encode(head, &frame);
	assert_ok(channel_write(v->channel, CS_BYTES_OF(head)));
	assert_ok(channel_write(v->channel, body));
}

static struct cs_bytes packed(const ProtobufCMessage *message)
{
	const size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *p = keep(n);
	(void)protobuf_c_message_pack(message, p);
	return cs_bytes(p, n);
}

/* The next frame; its message lives for the test. */
static ProtobufCMessage *take(struct visit *v, enum wire_type *type)
{
	struct wire_frame frame;
	ProtobufCMessage *message = NULL;
	struct cs_why why;
	struct cs_arena *arena = keep(sizeof *arena);
	const struct cs_bytes plain = channel_read(v->channel);
	assert_true(plain.n >= WIRE_FRAME_HEAD_SIZE);
	assert_ok(wire_frame_decode(&frame, plain.p));
	assert_true(plain.n >= WIRE_FRAME_HEAD_SIZE + frame.body_size);
	cs_arena_init(arena, keep(1u << 20), 1u << 20);
	assert_ok(wire_decode(&message, wire_type_message(frame.type),
			      cs_bytes(plain.p + WIRE_FRAME_HEAD_SIZE, frame.body_size), arena,
			      &why));
	channel_drop(v->channel, WIRE_FRAME_HEAD_SIZE + frame.body_size);
	*type = frame.type;
	return message;
}

static const void *answer(struct visit *v, enum wire_type type, const ProtobufCMessage *request)
{
	enum wire_type got;
	ask(v, type, packed(request));
	assert_ok(pump(v, 64 * 1024));
	const ProtobufCMessage *message = take(v, &got);
	if (got == WIRE_ERROR)
		fail_msg("%s", ((const Caisson__Wire__ErrorReply *)(const void *)message)->why);
	assert_int_equal(got, type + 1);
	return message;
}

static void refused(struct visit *v, enum wire_type type, struct cs_bytes body, enum cs_err err)
{
	enum wire_type got;
	ask(v, type, body);
	assert_ok(pump(v, 64 * 1024));
	const void *message = take(v, &got);
	assert_int_equal(got, WIRE_ERROR);
	assert_int_equal(((const Caisson__Wire__ErrorReply *)message)->code, err);
}

static const struct cs_hash nonce = {{0x0e, 1}};

static const Caisson__Wire__HelloReply *hello(struct visit *v)
{
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	in.nonce = pb_hash(&nonce);
	return answer(v, WIRE_HELLO, &in.base);
}

static struct wire_report report_of(const Caisson__Wire__HelloReply *out)
{
	return (struct wire_report){.role = WIRE_REPORT_BRIDGE_ENCLAVE,
				    .manifest_hash = wire_pb_hash(out->manifest_hash),
				    .manifest_number = out->manifest_number,
				    .lineage = wire_pb_hash(out->lineage),
				    .schema_digest = wire_pb_hash(out->schema_digest),
				    .insecure_flags = out->insecure_flags};
}

static struct cs_hash keys_of(const Caisson__Wire__HelloReply *out)
{
	struct cs_keccak keys;
	wire_report_keys_begin(&keys);
	for (size_t i = 0; i < out->n_keys; i++) {
		struct wire_report_key key = {.chain = wire_pb_hash(out->keys[i]->chain),
					      .epoch = out->keys[i]->epoch,
					      .x = wire_pb_hash(out->keys[i]->public_key)};
		memcpy(key.gas_address.b, out->keys[i]->gas_address.data, 20);
		wire_report_keys_add(&keys, &key);
	}
	return cs_keccak_end(&keys);
}

/* ---- certificate and hello ---- */

static void verify_certificate(struct attest_result *result, const struct visit *v)
{
	static const struct attest_collateral none;
	static uint8_t memory[1u << 20];
	struct cs_arena arena;
	struct cs_why why;
	const struct attest_input in = {.evidence = {ATTEST_RATLS, v->certificate},
					.collateral = &none,
					.roots = &attest_roots_vendors,
					.now = v->w->now,
					.no_revocation = true};
	struct cs_nistp *nistp = cs_nistp_new();
	cs_arena_init(&arena, memory, sizeof memory);
	assert_ok(attest_verify(result, &in, nistp, &arena, &why));
	cs_nistp_free(nistp);
	assert_true(attest_result_verified(result));
}

static void test_certificate_and_hello(void **state)
{
	(void)state;
	static struct attest_result result;
	struct world *w = world_with_port();
	world_begin(w);
	struct visit *v = visit_new(w, 1);
	const Caisson__Wire__HelloReply *out = hello(v);
	struct wire_report report = report_of(out);
	struct wire_report_tls tls;
	uint8_t expected[WIRE_REPORT_DATA_SIZE];

	/* Its own evidence: for this key, since then, under these rules. */
	verify_certificate(&result, v);
	assert_int_equal(result.hardware, ATTEST_SIMULATED);
	const struct cs_bytes spki = attest_result_claim(&result, "public_key")->bytes;
	report.key = cs_sha256(spki);
	report.fresh = wire_report_fresh_issued(
		attest_result_claim(&result, "certificate_not_before")->number);
	const struct cs_hash hash = wire_report_hash(&report);
	assert_bytes(attest_result_claim(&result, "caisson_report")->bytes, CS_BYTES_OF(hash.b));
	assert_true(attest_result_claim(&result, "certificate_not_after")->number -
			    attest_result_claim(&result, "certificate_not_before")->number <=
		    3600);

	/* That of hello: for the keys, over this connection, under the nonce. */
	assert_ok(channel_binding(v->channel, CS_BYTES_OF(nonce.b), &tls));
	assert_hash(tls.server_spki, cs_sha256(spki));
	tls.from_server = true;
	report.key = keys_of(out);
	report.fresh = wire_report_fresh_tls(&tls);
	wire_report_data(expected, &report);
	assert_bytes(wire_pb_view(out->report_data), CS_BYTES_OF(expected));
	assert_true(out->evidence.len > 64);
	assert_memory_equal(out->evidence.data + out->evidence.len - 64, expected, 64);
	assert_hash(wire_pb_hash(out->nonce), nonce);
	assert_true(out->n_keys > 0);

	/* Under another nonce it would be other evidence. */
	const struct cs_hash other = {{0x0e, 2}};
	assert_ok(channel_binding(v->channel, CS_BYTES_OF(other.b), &tls));
	tls.from_server = true;
	report.fresh = wire_report_fresh_tls(&tls);
	wire_report_data(expected, &report);
	assert_memory_not_equal(out->report_data.data, expected, 32);
	visit_end(v);
	world_end(w);
}

/* Evidence of one connection is none of another, to the same enclave, by the same key and nonce. */
static void test_evidence_is_of_one_connection(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	struct visit *a = visit_new(w, 1), *b = visit_new(w, 2);
	const Caisson__Wire__HelloReply *of_a = hello(a), *of_b = hello(b);
	assert_bytes(a->certificate, b->certificate);
	assert_memory_not_equal(of_a->report_data.data, of_b->report_data.data, 32);
	visit_end(a);
	visit_end(b);
	world_end(w);
}

/* ---- who may ask what ---- */

static void test_anybody_may_ask_little(void **state)
{
	(void)state;
	static const enum wire_type hosts[] = {
		WIRE_INIT,          WIRE_EXPORT,      WIRE_IMPORT,    WIRE_CLIENT_CREATE,
		WIRE_CLIENT_UPDATE, WIRE_CONFLICT,    WIRE_LEARN_KEY, WIRE_SIGN_TRANSACTION,
		WIRE_ROTATE,        WIRE_PUBLIC_KEYS, WIRE_CLOCK_ASK, WIRE_CLOCK_ANSWERS,
		WIRE_ANCHOR_PROVE,  WIRE_ANCHOR_SIGN, WIRE_ATTESTED,  WIRE_PROBE,
	};
	struct world *w = world_with_port();
	world_begin(w);
	struct visit *v = visit_new(w, 9);
	(void)hello(v);
	for (size_t i = 0; i < CS_LEN(hosts); i++)
		refused(v, hosts[i], CS_BYTES_NONE, CS_ERR_FORBIDDEN);
	/* Of another program. */
	refused(v, WIRE_ANSWER_APP, CS_BYTES_NONE, CS_ERR_UNSUPPORTED);
	refused(v, WIRE_CLIENT_QUORUM, CS_BYTES_NONE, CS_ERR_UNSUPPORTED);
	visit_end(v);
	world_end(w);
}

static void test_hello_comes_first_and_once(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	Caisson__Wire__StatusRequest status = CAISSON__WIRE__STATUS_REQUEST__INIT;
	Caisson__Wire__HelloRequest again = CAISSON__WIRE__HELLO_REQUEST__INIT;
	status.nonce = again.nonce = pb_hash(&nonce);
	world_begin(w);
	struct visit *v = visit_new(w, 1);
	refused(v, WIRE_STATUS, packed(&status.base), CS_ERR_UNAUTHORIZED);
	(void)hello(v);
	const Caisson__Wire__StatusReply *out = answer(v, WIRE_STATUS, &status.base);
	assert_int_equal(out->n_clients, 1);
	refused(v, WIRE_HELLO, packed(&again.base), CS_ERR_DUPLICATE);
	/* That this one was greeted says nothing of another. */
	struct visit *other = visit_new(w, 2);
	refused(other, WIRE_STATUS, packed(&status.base), CS_ERR_UNAUTHORIZED);
	visit_end(v);
	visit_end(other);
	world_end(w);
}

/* The host's own session is not greeted by a visitor. */
static void test_a_visitor_is_not_the_host(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	Caisson__Wire__ExportRequest in = CAISSON__WIRE__EXPORT_REQUEST__INIT;
	struct visit *v = visit_new(w, 1);
	(void)hello(v);
	enclave_connected(w->e);
	world_refused(w, WIRE_EXPORT, &in.base, CS_ERR_UNAUTHORIZED);
	assert_null(carry(w, 1, CS_BYTES_NONE, false));
	assert_int_equal(w->err, CS_ERR_UNAUTHORIZED);
	visit_end(v);
	world_end(w);
}

/* What becomes of a message, signed for whoever brings the proof; and nothing for a proof of less. */
static void test_state_of_a_message(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	world_begin(w);
	world_set_status(w, 5, WIRE_STATUS_DELIVERED);
	const struct world_block *block = world_mine(w);
	world_update(w, block->height);
	world_advance(w, 2);
	const struct wire_message_head head = world_head(w, false, 5);
	const struct wire_message_head unsent = world_head(w, false, 6);
	const struct cs_hash sentinel = wire_evm_sentinel_slot();
	const struct cs_hash slot = wire_evm_status_slot(&w->remote, 5);
	Caisson__Wire__SignOutcomesRequest in = CAISSON__WIRE__SIGN_OUTCOMES_REQUEST__INIT;
	Caisson__Wire__StatusClaim claim = CAISSON__WIRE__STATUS_CLAIM__INIT;
	Caisson__Wire__StatusClaim *claims[1] = {&claim};
	claim.head = world_pb_head(&head);
	claim.proof = world_slot_proof(block, &slot);
	in.chain = pb_hash(&w->own);
	in.receiver = pb_hash(&w->remote);
	in.height = block->height;
	in.account = world_account_proof(w, block);
	in.sentinel = world_slot_proof(block, &sentinel);
	in.claims = claims;
	in.n_claims = 1;
	struct visit *v = visit_new(w, 1);
	(void)hello(v);
	const Caisson__Wire__SignedOutcomesReply *out = answer(v, WIRE_SIGN_OUTCOMES, &in.base);
	assert_int_equal(out->n_outcomes, 1);
	assert_int_equal(out->outcomes[0]->status, WIRE_STATUS_DELIVERED);
	claim.head = world_pb_head(&unsent);
	refused(v, WIRE_SIGN_OUTCOMES, packed(&in.base), CS_ERR_BEFORE_DEADLINE);
	visit_end(v);
	world_end(w);
}

/* ---- the certificate's life ---- */

static void test_renewed_at_half(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	struct visit *first = visit_new(w, 1);
	const uint64_t issued = w->now.low_s - ATTESTED_SLACK_S;
	w->now.low_s = w->now.high_s = issued + ATTESTED_LIFE_S / 2 - 1;
	struct visit *same = visit_new(w, 2);
	assert_bytes(same->certificate, first->certificate);
	w->now.low_s = w->now.high_s = issued + ATTESTED_LIFE_S / 2;
	struct visit *next = visit_new(w, 3);
	assert_true(!cs_bytes_eq(next->certificate, first->certificate));
	/* Another key, and the first connection goes on with its own. */
	struct wire_report_tls before, after;
	assert_ok(channel_binding(first->channel, CS_BYTES_NONE, &before));
	assert_ok(channel_binding(next->channel, CS_BYTES_NONE, &after));
	assert_memory_not_equal(before.server_spki.b, after.server_spki.b, 32);
	const Caisson__Wire__HelloReply *out = hello(first);
	struct wire_report report = report_of(out);
	uint8_t expected[WIRE_REPORT_DATA_SIZE];
	struct wire_report_tls tls;
	assert_ok(channel_binding(first->channel, CS_BYTES_OF(nonce.b), &tls));
	tls.from_server = true;
	report.key = keys_of(out);
	report.fresh = wire_report_fresh_tls(&tls);
	wire_report_data(expected, &report);
	assert_bytes(wire_pb_view(out->report_data), CS_BYTES_OF(expected));
	visit_end(first);
	visit_end(same);
	visit_end(next);
	world_end(w);
}

static void test_no_time_no_certificate(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	struct visit *v = keep(sizeof *v);
	visit_init(v, w, 1);
	w->now = (struct verify_time){0, 0};
	assert_err(pump(v, 64 * 1024), CS_ERR_NO_TIME);
	visit_end(v);
	world_end(w);
}

/* ---- bytes ---- */

static void test_single_bytes(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	struct visit *v = keep(sizeof *v);
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	enum wire_type type;
	in.nonce = pb_hash(&nonce);
	visit_init(v, w, 1);
	assert_ok(pump(v, 1));
	assert_true(channel_is_ready(v->channel));
	ask(v, WIRE_HELLO, packed(&in.base));
	assert_ok(pump(v, 1));
	(void)take(v, &type);
	assert_int_equal(type, WIRE_HELLO_REPLY);
	visit_end(v);
	world_end(w);
}

/* Many frames in one piece, the end right behind them: all are answered. */
static void test_frames_in_a_row(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	struct visit *v = visit_new(w, 1);
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	Caisson__Wire__StatusRequest status = CAISSON__WIRE__STATUS_REQUEST__INIT;
	enum wire_type type;
	in.nonce = status.nonce = pb_hash(&nonce);
	world_begin(w);
	ask(v, WIRE_HELLO, packed(&in.base));
	for (size_t i = 0; i < 20; i++)
		ask(v, WIRE_STATUS, packed(&status.base));
	channel_end(v->channel);
	assert_ok(pump(v, 64 * 1024));
	(void)take(v, &type);
	for (size_t i = 0; i < 20; i++) {
		(void)take(v, &type);
		assert_int_equal(type, WIRE_STATUS_REPLY);
	}
	assert_true(v->over);
	assert_string_equal(v->why, "");
	visit_end(v);
	world_end(w);
}

static void expect_end(struct visit *v, const char *why)
{
	(void)pump(v, 64 * 1024);
	assert_true(v->over);
	assert_string_equal(v->why, why);
	/* It is forgotten, and the number is free. */
	assert_null(carry(v->w, v->number, CS_BYTES_NONE, false));
	assert_int_equal(v->w->err, CS_ERR_NOT_FOUND);
	visit_end(v);
}

static void test_broken_frames_end_it(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	static const struct {
		uint8_t head[WIRE_FRAME_HEAD_SIZE];
		const char *why;
	} rows[] = {
		{{0x00, 0x01, 0x00, 0x01, 0, 2}, "too-large"},
		{{0xff, 0xff, 0xff, 0xff, 0, 2}, "too-large"},
		{{0, 0, 0, 0, 0, 1}, "unsupported"},
		{{0, 0, 0, 0, 0, 3}, "unsupported"},
		{{0, 0, 0, 0, 3, 0xe7}, "unsupported"},
		{{0, 0, 0, 0, 0, 2, 0, 1}, "non-canonical"},
	};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct visit *v = visit_new(w, i + 1);
		assert_ok(channel_write(v->channel, CS_BYTES_OF(rows[i].head)));
		expect_end(v, rows[i].why);
	}
	world_end(w);
}

static void test_no_tls(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	struct visit v = {.w = w, .number = 1};
	(void)pass(&v, cs_bytes_str("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
	assert_true(v.over);
	assert_string_equal(v.why, "crypto");
	/* A handshake that never ends. */
	static uint8_t record[5 + 16384] = {22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff};
	v = (struct visit){.w = w, .number = 2};
	for (size_t i = 0; i < 8 && !v.over; i++)
		(void)pass(&v, CS_BYTES_OF(record));
	assert_true(v.over);
	world_end(w);
}

/* A record that was changed on the way. */
static void test_changed_record(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	struct visit *v = visit_new(w, 1);
	uint8_t piece[4096];
	ask(v, WIRE_HELLO, CS_BYTES_NONE);
	const size_t n = channel_take(v->channel, piece, sizeof piece);
	assert_true(n > 5);
	piece[n - 1] ^= 1;
	(void)pass(v, cs_bytes(piece, n));
	assert_true(v->over);
	assert_string_equal(v->why, "crypto");
	visit_end(v);
	world_end(w);
}

/* ---- bounds ---- */

static void test_no_more_connections_than_that(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	struct visit *all[ATTESTED_CONNECTIONS_MAX];
	for (size_t i = 0; i < CS_LEN(all); i++)
		all[i] = visit_new(w, i + 1);
	struct visit *one = keep(sizeof *one);
	visit_init(one, w, 1000);
	assert_err(pump(one, 64 * 1024), CS_ERR_FULL);
	visit_end(one);
	/* One goes, one comes. */
	assert_true(carry(w, 7, CS_BYTES_NONE, true)->over);
	one = visit_new(w, 1001);
	(void)hello(one);
	visit_end(one);
	/* All go with the host. */
	enclave_connected(w->e);
	Caisson__Wire__HelloRequest in = CAISSON__WIRE__HELLO_REQUEST__INIT;
	in.nonce = pb_hash(&nonce);
	(void)world_ok(w, WIRE_HELLO, &in.base);
	for (size_t i = 0; i < CS_LEN(all); i++) {
		visit_end(all[i]);
		all[i] = visit_new(w, i + 1);
	}
	for (size_t i = 0; i < CS_LEN(all); i++)
		visit_end(all[i]);
	world_end(w);
}

static void test_no_more_requests_than_that(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	Caisson__Wire__StatusRequest status = CAISSON__WIRE__STATUS_REQUEST__INIT;
	status.nonce = pb_hash(&nonce);
	world_begin(w);
	struct visit *v = visit_new(w, 1);
	(void)hello(v);
	for (size_t i = 1; i < PORT_REQUESTS_MAX; i++)
		(void)answer(v, WIRE_STATUS, &status.base);
	ask(v, WIRE_STATUS, packed(&status.base));
	expect_end(v, "rate-limited");
	world_end(w);
}

/* ---- what the host may say ---- */

static void test_what_the_host_says_wrong(void **state)
{
	(void)state;
	struct world *w = world_with_port();
	const struct cs_bytes some = cs_bytes_str("x");
	assert_null(carry(w, 0, some, false));
	assert_int_equal(w->err, CS_ERR_INVALID);
	assert_null(carry(w, 1, some, true));
	assert_int_equal(w->err, CS_ERR_INVALID);
	assert_null(carry(w, 1, CS_BYTES_NONE, false));
	assert_int_equal(w->err, CS_ERR_NOT_FOUND);
	/* Of one that nobody knows it is good to hear that it is gone. */
	assert_true(carry(w, 1, CS_BYTES_NONE, true)->over);
	world_end(w);
	w = world_new();
	assert_null(carry(w, 1, some, false));
	assert_int_equal(w->err, CS_ERR_UNSUPPORTED);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate_and_hello),
		cmocka_unit_test(test_evidence_is_of_one_connection),
		cmocka_unit_test(test_anybody_may_ask_little),
		cmocka_unit_test(test_hello_comes_first_and_once),
		cmocka_unit_test(test_a_visitor_is_not_the_host),
		cmocka_unit_test(test_state_of_a_message),
		cmocka_unit_test(test_renewed_at_half),
		cmocka_unit_test(test_no_time_no_certificate),
		cmocka_unit_test(test_single_bytes),
		cmocka_unit_test(test_frames_in_a_row),
		cmocka_unit_test(test_broken_frames_end_it),
		cmocka_unit_test(test_no_tls),
		cmocka_unit_test(test_changed_record),
		cmocka_unit_test(test_no_more_connections_than_that),
		cmocka_unit_test(test_no_more_requests_than_that),
		cmocka_unit_test(test_what_the_host_says_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
