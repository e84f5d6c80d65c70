/* The enclave's client against a small server of frames on the same loop, which can be told to
 * break every rule. */
#include "host/alloc.h"
#include "host/child.h"
#include "host/enclave_client.h"
#include "host/loop_inner.h"
#include "tests/unit/support.h"
#include "wire/decode.h"

#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#define WAIT_MS 10000
#define CALLS 64u

enum fault {
	GOOD,
	OTHER_SCHEMA,
	OTHER_NONCE,
	HELLO_REFUSED,
	HELLO_GARBAGE,
	HELLO_SILENCE,
	HELLO_WRONG_TYPE
};

struct answer {
	uint32_t count;
	enum cs_err err;
	char why[256];
	size_t size;
	uint8_t first;
};

struct fixture {
	struct host_loop *loop;
	struct host_enclave_client *client;
	char folder[64];
	char path[128];
	/* server */
	uv_pipe_t listener;
	bool listening;
	uv_pipe_t *peer;
	uint8_t in[3 * 1024 * 1024];
	size_t in_size;
	enum fault fault;
	bool hold; /* requests are kept, not answered */
	uint32_t held_count;
	struct wire_frame held[CALLS];
	uint32_t requests;
	/* client */
	uint32_t ups;
	uint32_t downs;
	enum cs_err down_err;
	char down_why[256];
	struct answer answers[CALLS];
	uint32_t answered;
	uint32_t want;
	bool free_in_answer;
};

/* ---- the server ---- */

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void after_write(uv_write_t *write, int status)
{
	(void)status;
	free(write->data);
	free(write);
}

static void send_bytes(struct fixture *f, struct cs_bytes bytes)
{
	uv_write_t *write = host_alloc(sizeof *write);
	write->data = host_copy(bytes);
	uv_buf_t buf = uv_buf_init(write->data, (unsigned)bytes.n);
	assert_int_equal(uv_write(write, (uv_stream_t *)f->peer, &buf, 1, after_write), 0);
}

static void send_frame(struct fixture *f, enum wire_type type, uint64_t id, struct cs_bytes body)
{
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	struct wire_frame frame = {.body_size = (uint32_t)body.n, .type = type, .request_id = id};
	wire_frame_encode(head, &frame);
	send_bytes(f, CS_BYTES_OF(head));
	if (body.n > 0)
		send_bytes(f, body);
}

static void send_message(struct fixture *f, enum wire_type type, uint64_t id,
			 const ProtobufCMessage *message)
{
	uint8_t memory[8192];
	struct cs_buf body;
	cs_buf_init(&body, memory, sizeof memory);
	assert_ok(wire_encode(&body, message, NULL));
	send_frame(f, type, id, cs_buf_view(&body));
}

static void refuse(struct fixture *f, uint64_t id, uint32_t code, const char *why)
{
	Caisson__Wire__ErrorReply reply = CAISSON__WIRE__ERROR_REPLY__INIT;
	char text[256];
	reply.code = code;
	(void)snprintf(text, sizeof text, "%s", why);
	reply.why = text;
	send_message(f, WIRE_ERROR, id, &reply.base);
}

#define SET(field, array) ((field).data = (array), (field).len = sizeof(array))

static void answer_hello(struct fixture *f, uint64_t id, struct cs_bytes body)
{
	uint8_t zero[32] = {1};
	uint8_t report[64] = {1};
	uint8_t digest[32];
	uint8_t nonce[32];
	Caisson__Wire__HelloReply reply = CAISSON__WIRE__HELLO_REPLY__INIT;
	/* Tag, length, then the nonce. */
	assert_int_equal(body.n, 34);
	memcpy(nonce, body.p + 2, 32);
	memcpy(digest, wire_schema_digest.b, 32);
	if (f->fault == OTHER_SCHEMA)
		digest[31] ^= 1;
	if (f->fault == OTHER_NONCE)
		nonce[0] ^= 0x80;
	reply.version = WIRE_VERSION;
	SET(reply.schema_digest, digest);
	SET(reply.measurement, zero);
	SET(reply.manifest_hash, zero);
	reply.manifest_number = 1;
	SET(reply.lineage, zero);
	SET(reply.nonce, nonce);
	SET(reply.report_data, report);
	reply.backend = (char[]){"test"};
	reply.build = (char[]){"test"};
	send_message(f, f->fault == HELLO_WRONG_TYPE ? WIRE_STATUS_REPLY : WIRE_HELLO_REPLY, id,
		     &reply.base);
}

static void on_hello(struct fixture *f, const struct wire_frame *frame, struct cs_bytes body)
{
	assert_int_equal(frame->type, WIRE_HELLO);
	switch (f->fault) {
	case GOOD:
	case OTHER_SCHEMA:
	case OTHER_NONCE:
	case HELLO_WRONG_TYPE:
		answer_hello(f, frame->request_id, body);
		break;
	case HELLO_REFUSED:
		refuse(f, frame->request_id, CS_ERR_UNAVAILABLE, "not now");
		break;
	case HELLO_GARBAGE:
		send_frame(f, WIRE_HELLO_REPLY, frame->request_id, cs_bytes_str("garbage"));
		break;
	case HELLO_SILENCE:
		break;
	}
}

static void on_frame(struct fixture *f, const struct wire_frame *frame, struct cs_bytes body)
{
	f->requests++;
	if (f->requests == 1) {
		on_hello(f, frame, body);
		return;
	}
	if (f->hold)
		f->held[f->held_count++] = *frame;
	else
		send_frame(f, (enum wire_type)(frame->type + 1), frame->request_id, body);
}

static void server_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct fixture *f = handle->data;
	(void)suggested;
	*buf = uv_buf_init((char *)f->in + f->in_size, (unsigned)(sizeof f->in - f->in_size));
}

static void drop_peer(struct fixture *f)
{
	if (f->peer != NULL)
		uv_close((uv_handle_t *)f->peer, free_handle);
	f->peer = NULL;
	f->in_size = 0;
	f->requests = 0;
}

static void server_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct fixture *f = stream->data;
	struct wire_frame frame;
	(void)buf;
	if (n < 0) {
		if ((uv_stream_t *)f->peer == stream)
			drop_peer(f);
		return;
	}
	f->in_size += (size_t)n;
	size_t at = 0;
	while (f->in_size - at >= WIRE_FRAME_HEAD_SIZE) {
		assert_ok(wire_frame_decode(&frame, f->in + at));
		if (f->in_size - at - WIRE_FRAME_HEAD_SIZE < frame.body_size)
			break;
		on_frame(f, &frame, cs_bytes(f->in + at + WIRE_FRAME_HEAD_SIZE, frame.body_size));
		at += WIRE_FRAME_HEAD_SIZE + frame.body_size;
	}
	memmove(f->in, f->in + at, f->in_size - at);
	f->in_size -= at;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct fixture *f = listener->data;
	assert_int_equal(status, 0);
	drop_peer(f);
	f->peer = host_alloc(sizeof *f->peer);
	assert_int_equal(uv_pipe_init(host_loop_uv(f->loop), f->peer, 0), 0);
	f->peer->data = f;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)f->peer), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)f->peer, server_room, server_read), 0);
}

static void serve(struct fixture *f)
{
	int fd = -1;
	struct cs_why why = {{0}};
	assert_ok(host_listen_unix(&fd, f->path, &why));
	assert_int_equal(uv_pipe_init(host_loop_uv(f->loop), &f->listener, 0), 0);
	f->listener.data = f;
	assert_int_equal(uv_pipe_open(&f->listener, fd), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 4, on_connection), 0);
	f->listening = true;
}

static void stop_serving(struct fixture *f)
{
	if (f->listening)
		uv_close((uv_handle_t *)&f->listener, NULL);
	f->listening = false;
	drop_peer(f);
	(void)unlink(f->path);
}

/* ---- the client ---- */

static void on_up(void *context, struct cs_bytes hello)
{
	struct fixture *f = context;
	assert_true(hello.n > 100);
	f->ups++;
}

static void on_down(void *context, enum cs_err err, const char *why)
{
	struct fixture *f = context;
	f->downs++;
	f->down_err = err;
	(void)snprintf(f->down_why, sizeof f->down_why, "%s", why);
}

static const struct host_enclave_client_events events = {on_up, on_down};

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/caisson-enclave-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof f->path, "%s/s", f->folder);
	f->loop = host_loop_new();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	host_enclave_client_free(f->client);
	stop_serving(f);
	host_loop_free(f->loop);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static void connect_with(struct fixture *f, struct host_enclave_client_options options)
{
	options.path = f->path;
	f->client = host_enclave_client_new(f->loop, &options, &events, f);
}

static bool is_up(void *context)
{
	struct fixture *f = context;
	return f->ups >= f->want;
}

static bool is_down(void *context)
{
	struct fixture *f = context;
	return f->downs >= f->want;
}

static bool has_answers(void *context)
{
	struct fixture *f = context;
	return f->answered >= f->want;
}

static bool has_held(void *context)
{
	struct fixture *f = context;
	return f->held_count >= f->want;
}

static void wait_for(struct fixture *f, bool (*done)(void *context), uint32_t want)
{
	f->want = want;
	assert_ok(host_loop_run_until(f->loop, done, f, WAIT_MS));
}

static void open_both(struct fixture *f)
{
	serve(f);
	connect_with(f, (struct host_enclave_client_options){0});
	wait_for(f, is_up, 1);
}

struct asked {
	struct fixture *f;
	uint32_t index;
};

static struct asked asked[CALLS];

static void on_answer(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct asked *a = context;
	struct answer *answer = &a->f->answers[a->index];
	answer->count++;
	answer->err = err;
	(void)snprintf(answer->why, sizeof answer->why, "%s", why);
	answer->size = body.n;
	answer->first = body.n > 0 ? body.p[0] : 0;
	a->f->answered++;
	if (a->f->free_in_answer) {
		host_enclave_client_free(a->f->client);
		a->f->client = NULL;
		a->f->free_in_answer = false;
	}
}

static uint64_t ask(struct fixture *f, uint32_t index, struct cs_bytes body, uint64_t deadline_ms)
{
	uint64_t id = 0;
	asked[index] = (struct asked){f, index};
	assert_ok(host_enclave_call(f->client, &id, WIRE_STATUS, body, deadline_ms, on_answer,
				    &asked[index]));
	assert_true(id != 0);
	return id;
}

/* ---- tests ---- */

static void test_many_in_flight(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	for (uint32_t i = 0; i < CALLS; i++) {
		uint8_t byte = (uint8_t)i;
		(void)ask(f, i, cs_bytes(&byte, 1), 5000);
	}
	assert_int_equal(host_enclave_calls_in_flight(f->client), CALLS);
	assert_int_equal(f->answered, 0);
	wait_for(f, has_answers, CALLS);
	for (uint32_t i = 0; i < CALLS; i++) {
		assert_int_equal(f->answers[i].err, CS_OK);
		assert_int_equal(f->answers[i].size, 1);
		assert_int_equal(f->answers[i].first, i);
	}
	assert_int_equal(host_enclave_calls_in_flight(f->client), 0);
}

static void test_largest_frame(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	uint8_t *big = host_alloc(CS_FRAME_BODY_SIZE_MAX + 1);
	memset(big, 7, CS_FRAME_BODY_SIZE_MAX);
	(void)ask(f, 0, cs_bytes(big, CS_FRAME_BODY_SIZE_MAX), 5000);
	(void)ask(f, 1, CS_BYTES_NONE, 5000);
	wait_for(f, has_answers, 2);
	assert_int_equal(f->answers[0].size, CS_FRAME_BODY_SIZE_MAX);
	assert_int_equal(f->answers[1].err, CS_OK);
	assert_err(host_enclave_call(f->client, NULL, WIRE_STATUS,
				     cs_bytes(big, CS_FRAME_BODY_SIZE_MAX + 1), 1000, on_answer,
				     NULL),
		   CS_ERR_TOO_LARGE);
	free(big);
}

static void test_any_order_and_refusals(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	f->hold = true;
	for (uint32_t i = 0; i < 3; i++)
		(void)ask(f, i, CS_BYTES_NONE, 5000);
	wait_for(f, has_held, 3);
	send_frame(f, WIRE_STATUS_REPLY, f->held[2].request_id, cs_bytes_str("two"));
	refuse(f, f->held[0].request_id, CS_ERR_FROZEN, "two headers of height 7");
	send_frame(f, WIRE_STATUS_REPLY, f->held[1].request_id, cs_bytes_str("one"));
	wait_for(f, has_answers, 3);
	assert_int_equal(f->answers[0].err, CS_ERR_FROZEN);
	assert_string_equal(f->answers[0].why, "two headers of height 7");
	assert_int_equal(f->answers[0].size, 0);
	assert_int_equal(f->answers[1].first, 'o');
	assert_int_equal(f->answers[2].first, 't');
}

static void test_bytes_one_by_one(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	f->hold = true;
	(void)ask(f, 0, CS_BYTES_NONE, 5000);
	wait_for(f, has_held, 1);
	uint8_t frame[WIRE_FRAME_HEAD_SIZE + 3] = {0};
	wire_frame_encode(frame, &(struct wire_frame){3, WIRE_STATUS_REPLY, f->held[0].request_id});
	for (size_t i = 0; i < sizeof frame; i++) {
		assert_int_equal(f->answered, 0);
		send_bytes(f, cs_bytes(frame + i, 1));
		(void)!host_loop_run_until(f->loop, has_held, f, 0);
	}
	wait_for(f, has_answers, 1);
	assert_int_equal(f->answers[0].size, 3);
}

static void test_deadline_and_cancel(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	f->hold = true;
	(void)ask(f, 0, CS_BYTES_NONE, 50);
	uint64_t id = ask(f, 1, CS_BYTES_NONE, 5000);
	(void)ask(f, 2, CS_BYTES_NONE, 5000);
	wait_for(f, has_held, 3);
	assert_true(host_enclave_cancel(f->client, id));
	assert_false(host_enclave_cancel(f->client, id));
	assert_false(host_enclave_cancel(f->client, 0));
	assert_false(host_enclave_cancel(f->client, id + 1));
	wait_for(f, has_answers, 1);
	assert_int_equal(f->answers[0].err, CS_ERR_TIMEOUT);
	/* The late replies harm nobody. */
	for (uint32_t i = 0; i < 3; i++)
		send_frame(f, WIRE_STATUS_REPLY, f->held[i].request_id, CS_BYTES_NONE);
	wait_for(f, has_answers, 2);
	assert_int_equal(f->answers[2].err, CS_OK);
	assert_int_equal(f->answers[1].count, 0);
	assert_int_equal(f->downs, 0);
}

static void test_full(void **state)
{
	struct fixture *f = *state;
	serve(f);
	connect_with(
		f, (struct host_enclave_client_options){.calls_max = 2, .queue_size_max = 1000000});
	assert_err(host_enclave_call(f->client, NULL, WIRE_STATUS, CS_BYTES_NONE, 1000, on_answer,
				     NULL),
		   CS_ERR_UNAVAILABLE);
	wait_for(f, is_up, 1);
	(void)ask(f, 0, CS_BYTES_NONE, 5000);
	(void)ask(f, 1, CS_BYTES_NONE, 5000);
	assert_err(host_enclave_call(f->client, NULL, WIRE_STATUS, CS_BYTES_NONE, 1000, on_answer,
				     NULL),
		   CS_ERR_FULL);
	wait_for(f, has_answers, 2);
	uint8_t *big = host_alloc(1000000);
	assert_err(host_enclave_call(f->client, NULL, WIRE_STATUS, cs_bytes(big, 1000000), 1000,
				     on_answer, NULL),
		   CS_ERR_FULL);
	(void)ask(f, 2, cs_bytes(big, 900000), 5000);
	assert_err(host_enclave_call(f->client, NULL, WIRE_STATUS, cs_bytes(big, 900000), 1000,
				     on_answer, NULL),
		   CS_ERR_FULL);
	free(big);
	wait_for(f, has_answers, 3);
}

static void test_reconnects(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	f->hold = true;
	(void)ask(f, 0, CS_BYTES_NONE, 5000);
	(void)ask(f, 1, CS_BYTES_NONE, 5000);
	wait_for(f, has_held, 2);
	stop_serving(f);
	wait_for(f, is_down, 1);
	assert_int_equal(f->answers[0].err, CS_ERR_CLOSED);
	assert_int_equal(f->answers[1].err, CS_ERR_CLOSED);
	assert_int_equal(f->down_err, CS_ERR_CLOSED);
	assert_err(host_enclave_call(f->client, NULL, WIRE_STATUS, CS_BYTES_NONE, 1000, on_answer,
				     NULL),
		   CS_ERR_UNAVAILABLE);
	wait_for(f, is_down, 3);
	assert_int_equal(f->down_err, CS_ERR_UNAVAILABLE);
	f->hold = false;
	serve(f);
	wait_for(f, is_up, 2);
	(void)ask(f, 2, CS_BYTES_NONE, 5000);
	wait_for(f, has_answers, 3);
	assert_int_equal(f->answers[2].err, CS_OK);
}

/* What is under way ends; hello is asked once more, and not of a connection that is not up. */
static void test_again(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	f->hold = true;
	(void)ask(f, 0, CS_BYTES_NONE, 5000);
	wait_for(f, has_held, 1);
	host_enclave_client_again(f->client);
	wait_for(f, is_down, 1);
	assert_int_equal(f->answers[0].err, CS_ERR_CLOSED);
	host_enclave_client_again(f->client);
	f->hold = false;
	wait_for(f, is_up, 2);
	assert_int_equal(f->downs, 1);
	(void)ask(f, 1, CS_BYTES_NONE, 5000);
	wait_for(f, has_answers, 2);
	assert_int_equal(f->answers[1].err, CS_OK);
}

static void test_nobody_there(void **state)
{
	struct fixture *f = *state;
	connect_with(f, (struct host_enclave_client_options){0});
	wait_for(f, is_down, 2);
	assert_int_equal(f->down_err, CS_ERR_UNAVAILABLE);
	serve(f);
	wait_for(f, is_up, 1);
}

static void bad_hello(struct fixture *f, enum fault fault, enum cs_err err)
{
	f->fault = fault;
	serve(f);
	connect_with(f, (struct host_enclave_client_options){.hello_timeout_ms = 100});
	wait_for(f, is_down, 2);
	assert_int_equal(f->down_err, err);
	assert_int_equal(f->ups, 0);
	/* And when it is repaired. */
	f->fault = GOOD;
	wait_for(f, is_up, 1);
}

static void test_other_schema(void **state)
{
	bad_hello(*state, OTHER_SCHEMA, CS_ERR_WRONG_SCHEMA);
}

static void test_other_nonce(void **state)
{
	bad_hello(*state, OTHER_NONCE, CS_ERR_MALFORMED);
}

static void test_hello_refused(void **state)
{
	struct fixture *f = *state;
	bad_hello(f, HELLO_REFUSED, CS_ERR_UNAVAILABLE);
	assert_string_equal(f->down_why, "not now");
}

static void test_hello_garbage(void **state)
{
	struct fixture *f = *state;
	f->fault = HELLO_GARBAGE;
	serve(f);
	connect_with(f, (struct host_enclave_client_options){0});
	wait_for(f, is_down, 1);
	assert_true(f->down_err != CS_OK && f->down_err != CS_ERR_CLOSED);
	assert_int_equal(f->ups, 0);
}

static void test_hello_silence(void **state)
{
	bad_hello(*state, HELLO_SILENCE, CS_ERR_TIMEOUT);
}

static void test_hello_wrong_type(void **state)
{
	bad_hello(*state, HELLO_WRONG_TYPE, CS_ERR_MALFORMED);
}

/* What is sent while one call is in flight ends the connection and the call with it. */
static void breach(struct fixture *f, struct cs_bytes bytes, enum cs_err err)
{
	open_both(f);
	f->hold = true;
	(void)ask(f, 0, CS_BYTES_NONE, 5000);
	wait_for(f, has_held, 1);
	send_bytes(f, bytes);
	wait_for(f, is_down, 1);
	assert_int_equal(f->down_err, err);
	assert_int_equal(f->answers[0].err, CS_ERR_CLOSED);
	assert_int_equal(f->answers[0].count, 1);
	wait_for(f, is_up, 2);
}

static void breach_with(struct fixture *f, uint32_t size, unsigned type, unsigned zeros,
			uint64_t id, enum cs_err err)
{
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	cs_put_be32(head, size);
	cs_put_be16(head + 4, (uint16_t)type);
	cs_put_be16(head + 6, (uint16_t)zeros);
	cs_put_be64(head + 8, id);
	breach(f, CS_BYTES_OF(head), err);
}

static void test_frame_too_large(void **state)
{
	breach_with(*state, CS_FRAME_BODY_SIZE_MAX + 1, WIRE_STATUS_REPLY, 0, 1, CS_ERR_TOO_LARGE);
}

static void test_frame_unknown_type(void **state)
{
	breach_with(*state, 0, 999, 0, 1, CS_ERR_UNSUPPORTED);
}

static void test_frame_not_zero(void **state)
{
	breach_with(*state, 0, WIRE_STATUS_REPLY, 1, 1, CS_ERR_NON_CANONICAL);
}

static void test_reply_to_nothing(void **state)
{
	breach_with(*state, 0, WIRE_STATUS_REPLY, 0, UINT64_MAX, CS_ERR_MALFORMED);
}

static void test_reply_to_id_zero(void **state)
{
	breach_with(*state, 0, WIRE_STATUS_REPLY, 0, 0, CS_ERR_MALFORMED);
}

static void breach_on_call(struct fixture *f, enum wire_type type, struct cs_bytes body)
{
	open_both(f);
	f->hold = true;
	(void)ask(f, 0, CS_BYTES_NONE, 5000);
	wait_for(f, has_held, 1);
	send_frame(f, type, f->held[0].request_id, body);
	wait_for(f, is_down, 1);
	assert_int_equal(f->down_err, CS_ERR_MALFORMED);
	assert_int_equal(f->answers[0].err, CS_ERR_CLOSED);
}

static void test_reply_of_other_type(void **state)
{
	breach_on_call(*state, WIRE_EXPORT_REPLY, CS_BYTES_NONE);
}

static void test_request_as_reply(void **state)
{
	breach_on_call(*state, WIRE_STATUS, CS_BYTES_NONE);
}

static void test_refusal_garbage(void **state)
{
	breach_on_call(*state, WIRE_ERROR, cs_bytes_str("garbage"));
}

static void test_refusal_without_code(void **state)
{
	breach_on_call(*state, WIRE_ERROR, CS_BYTES_NONE);
}

static void test_refusal_of_unknown_code(void **state)
{
	/* code = 16383 */
	static const uint8_t body[] = {0x08, 0xff, 0x7f};
	breach_on_call(*state, WIRE_ERROR, CS_BYTES_OF(body));
}

static void test_freed_in_answer(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	for (uint32_t i = 0; i < 5; i++)
		(void)ask(f, i, CS_BYTES_NONE, 5000);
	f->free_in_answer = true;
	wait_for(f, has_answers, 1);
	assert_null(f->client);
	assert_int_equal(f->answered, 1);
}

static void test_freed_when_lost(void **state)
{
	struct fixture *f = *state;
	open_both(f);
	f->hold = true;
	for (uint32_t i = 0; i < 5; i++)
		(void)ask(f, i, CS_BYTES_NONE, 5000);
	wait_for(f, has_held, 5);
	f->free_in_answer = true;
	drop_peer(f);
	wait_for(f, has_answers, 1);
	assert_null(f->client);
	assert_int_equal(f->answered, 1);
	assert_int_equal(f->downs, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_many_in_flight),
		T(test_largest_frame),
		T(test_any_order_and_refusals),
		T(test_bytes_one_by_one),
		T(test_deadline_and_cancel),
		T(test_full),
		T(test_reconnects),
		T(test_again),
		T(test_nobody_there),
		T(test_other_schema),
		T(test_other_nonce),
		T(test_hello_refused),
		T(test_hello_garbage),
		T(test_hello_silence),
		T(test_hello_wrong_type),
		T(test_frame_too_large),
		T(test_frame_unknown_type),
		T(test_frame_not_zero),
		T(test_reply_to_nothing),
		T(test_reply_to_id_zero),
		T(test_reply_of_other_type),
		T(test_request_as_reply),
		T(test_refusal_garbage),
		T(test_refusal_without_code),
		T(test_refusal_of_unknown_code),
		T(test_freed_in_answer),
		T(test_freed_when_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
