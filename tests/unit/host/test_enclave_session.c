/* The session with an enclave, against a small server of frames on the same loop that keeps a
 * sealed state of its own: what is stored before what, and when new keys are never made. */
#include "host/alloc.h"
#include "host/child.h"
#include "host/enclave_session.h"
#include "host/loop_inner.h"
#include "tests/unit/support.h"

#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#define WAIT_MS 10000
#define SEALED_MAX 64u
#define ARENA_SIZE (6u * 1024 * 1024)

struct fixture {
	struct host_loop *loop;
	struct host_enclave_session *session;
	struct cs_arena arena;
	char folder[64];
	char path[128];
	char asked[256]; /* names of what the server was asked, in order */
	/* server */
	uv_pipe_t listener;
	uv_pipe_t *peer;
	uint8_t in[CS_FRAME_BODY_SIZE_MAX + WIRE_FRAME_HEAD_SIZE];
	size_t in_size;
	bool has_keys;
	bool makes_no_keys;
	bool seals_nothing; /* with Init */
	bool refuses_import;
	bool refuses_export;
	unsigned exports;
	/* owner */
	bool has_stored;
	char stored[SEALED_MAX];
	bool refuses_store;
	bool holds_store; /* the commit does not come */
	host_enclave_stored *held;
	void *held_context;
	bool refuses_hello;
	unsigned readies;
	unsigned downs;
	unsigned failures;
	enum cs_err err;
	unsigned thens;
	unsigned want;
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

static void send_message(struct fixture *f, enum wire_type type, uint64_t id,
			 const ProtobufCMessage *message)
{
	uint8_t memory[8192];
	struct cs_buf body;
	cs_buf_init(&body, memory + WIRE_FRAME_HEAD_SIZE, sizeof memory - WIRE_FRAME_HEAD_SIZE);
	assert_ok(wire_encode(&body, message, NULL));
	struct wire_frame frame = {.body_size = (uint32_t)body.n, .type = type, .request_id = id};
	wire_frame_encode(memory, &frame);
	uv_write_t *write = host_alloc(sizeof *write);
	size_t size = WIRE_FRAME_HEAD_SIZE + body.n;
	write->data = host_copy(cs_bytes(memory, size));
	uv_buf_t buf = uv_buf_init(write->data, (unsigned)size);
	assert_int_equal(uv_write(write, (uv_stream_t *)f->peer, &buf, 1, after_write), 0);
}

static void refuse(struct fixture *f, uint64_t id, enum cs_err err)
{
	Caisson__Wire__ErrorReply reply = CAISSON__WIRE__ERROR_REPLY__INIT;
	reply.code = err;
	reply.why = (char[]){"refused"};
	send_message(f, WIRE_ERROR, id, &reply.base);
}

#define SET(field, array) ((field).data = (array), (field).len = sizeof(array))

static void answer_hello(struct fixture *f, uint64_t id, struct cs_bytes body)
{
	uint8_t one[32] = {1};
	uint8_t report[64] = {1};
	uint8_t address[20] = {1};
	uint8_t digest[32];
	uint8_t nonce[32];
	Caisson__Wire__HelloReply reply = CAISSON__WIRE__HELLO_REPLY__INIT;
	Caisson__Wire__KeyInfo key = CAISSON__WIRE__KEY_INFO__INIT;
	Caisson__Wire__KeyInfo *keys[] = {&key};
	assert_int_equal(body.n, 34);
	memcpy(nonce, body.p + 2, 32);
	memcpy(digest, wire_schema_digest.b, 32);
	SET(key.chain, one);
	SET(key.public_key, one);
	SET(key.gas_address, address);
	key.epoch = 1;
	reply.version = WIRE_VERSION;
	SET(reply.schema_digest, digest);
	SET(reply.measurement, one);
	SET(reply.manifest_hash, one);
	reply.manifest_number = 1;
	SET(reply.lineage, one);
	SET(reply.nonce, nonce);
	SET(reply.report_data, report);
	reply.backend = (char[]){"test"};
	reply.build = (char[]){"test"};
	reply.keys = keys;
	reply.n_keys = f->has_keys ? 1 : 0;
	send_message(f, WIRE_HELLO_REPLY, id, &reply.base);
}

static void answer_init(struct fixture *f, uint64_t id)
{
	Caisson__Wire__InitReply reply = CAISSON__WIRE__INIT_REPLY__INIT;
	if (!f->seals_nothing)
		reply.sealed = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t) "fresh"};
	f->has_keys = !f->makes_no_keys;
	send_message(f, WIRE_INIT_REPLY, id, &reply.base);
}

static void answer_export(struct fixture *f, uint64_t id)
{
	Caisson__Wire__ExportReply reply = CAISSON__WIRE__EXPORT_REPLY__INIT;
	f->exports++;
	reply.counter = f->exports;
	reply.sealed = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t) "newer"};
	send_message(f, WIRE_EXPORT_REPLY, id, &reply.base);
}

static void on_frame(struct fixture *f, const struct wire_frame *frame, struct cs_bytes body)
{
	Caisson__Wire__ImportReply imported = CAISSON__WIRE__IMPORT_REPLY__INIT;
	size_t n = strlen(f->asked);
	snprintf(f->asked + n, sizeof f->asked - n, "%s ", wire_type_name(frame->type));
	if (frame->type == WIRE_HELLO) {
		answer_hello(f, frame->request_id, body);
	} else if (frame->type == WIRE_INIT) {
		answer_init(f, frame->request_id);
	} else if (frame->type == WIRE_IMPORT && f->refuses_import) {
		refuse(f, frame->request_id, CS_ERR_SEAL_BROKEN);
	} else if (frame->type == WIRE_IMPORT) {
		f->has_keys = true;
		imported.counter = 1;
		send_message(f, WIRE_IMPORT_REPLY, frame->request_id, &imported.base);
	} else if (frame->type == WIRE_EXPORT && f->refuses_export) {
		refuse(f, frame->request_id, CS_ERR_NO_MEMORY);
	} else if (frame->type == WIRE_EXPORT) {
		answer_export(f, frame->request_id);
	} else {
		fail_msg("asked for %s", wire_type_name(frame->type));
	}
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
	while (f->in_size >= WIRE_FRAME_HEAD_SIZE) {
		assert_ok(wire_frame_decode(&frame, f->in));
		size_t size = WIRE_FRAME_HEAD_SIZE + frame.body_size;
		if (f->in_size < size)
			break;
		on_frame(f, &frame, cs_bytes(f->in + WIRE_FRAME_HEAD_SIZE, frame.body_size));
		f->in_size -= size;
		memmove(f->in, f->in + size, f->in_size);
	}
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

/* ---- the owner of the session ---- */

static enum cs_err load(void *context, struct cs_arena *arena, struct cs_bytes *sealed)
{
	struct fixture *f = context;
	(void)arena;
	if (!f->has_stored)
		return CS_ERR_NOT_FOUND;
	*sealed = cs_bytes_str(f->stored);
	return CS_OK;
}

static void commit(void *context)
{
	struct fixture *f = context;
	host_enclave_stored *stored = f->held;
	f->held = NULL;
	f->has_stored = true;
	stored(f->held_context, CS_OK);
}

static enum cs_err store(void *context, struct cs_bytes sealed, host_enclave_stored *stored,
			 void *stored_context)
{
	struct fixture *f = context;
	if (f->refuses_store)
		return CS_ERR_FULL;
	assert_null(f->held);
	snprintf(f->stored, sizeof f->stored, "%.*s", (int)sealed.n, (const char *)sealed.p);
	f->held = stored;
	f->held_context = stored_context;
	if (!f->holds_store)
		host_post(f->loop, commit, f);
	return CS_OK;
}

static enum cs_err hello(void *context, const Caisson__Wire__HelloReply *told, struct cs_why *why)
{
	struct fixture *f = context;
	assert_int_equal(told->manifest_number, 1);
	return f->refuses_hello ? cs_fail(why, CS_ERR_WRONG_MANIFEST, "another manifest") : CS_OK;
}

static void ready(void *context)
{
	struct fixture *f = context;
	/* Nothing is used before it is stored. */
	assert_true(f->has_stored);
	assert_true(host_enclave_session_is_ready(f->session));
	f->readies++;
}

static void down(void *context, enum cs_err err, const char *why)
{
	struct fixture *f = context;
	assert_non_null(why);
	f->err = err;
	f->downs++;
}

static void failed(void *context, enum cs_err err, const char *why)
{
	struct fixture *f = context;
	assert_non_null(why);
	f->err = err;
	f->failures++;
}

static void then(void *context)
{
	struct fixture *f = context;
	f->thens++;
}

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	struct cs_why why = {{0}};
	int fd = -1;
	snprintf(f->folder, sizeof f->folder, "/tmp/caisson-session-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof f->path, "%s/s", f->folder);
	cs_arena_init(&f->arena, host_alloc(ARENA_SIZE), ARENA_SIZE);
	f->loop = host_loop_new();
	assert_ok(host_listen_unix(&fd, f->path, &why));
	assert_int_equal(uv_pipe_init(host_loop_uv(f->loop), &f->listener, 0), 0);
	f->listener.data = f;
	assert_int_equal(uv_pipe_open(&f->listener, fd), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 4, on_connection), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(cs_arena_mark(&f->arena), 0);
	host_enclave_session_free(f->session);
	uv_close((uv_handle_t *)&f->listener, NULL);
	drop_peer(f);
	host_loop_free(f->loop);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
	free(f->arena.block);
	free(f);
	return 0;
}

static void begin(struct fixture *f)
{
	static const struct host_enclave_session_events events = {load,  store, hello,
								  ready, down,  failed};
	const struct host_enclave_session_options options = {
		.path = f->path, .arena = &f->arena, .timeout_ms = WAIT_MS};
	f->session = host_enclave_session_new(f->loop, &options, &events, f);
}

static bool is_ready(void *context)
{
	struct fixture *f = context;
	return f->readies >= f->want;
}

static bool has_failed(void *context)
{
	struct fixture *f = context;
	return f->failures >= f->want;
}

static bool is_held(void *context)
{
	struct fixture *f = context;
	return f->held != NULL;
}

static bool has_then(void *context)
{
	struct fixture *f = context;
	return f->thens >= f->want;
}

static void wait_for(struct fixture *f, bool (*done)(void *context), unsigned want)
{
	f->want = want;
	assert_ok(host_loop_run_until(f->loop, done, f, WAIT_MS));
}

/* ---- beginning ---- */

static void the_first_start_makes_keys(void **state)
{
	struct fixture *f = *state;
	begin(f);
	assert_false(host_enclave_session_is_ready(f->session));
	wait_for(f, is_ready, 1);
	assert_string_equal(f->asked, "hello_request init_request hello_request ");
	assert_string_equal(f->stored, "fresh");
	assert_true(host_enclave_session_hello(f->session).n > 100);
}

static void nothing_is_ready_before_the_keys_are_stored(void **state)
{
	struct fixture *f = *state;
	f->holds_store = true;
	begin(f);
	wait_for(f, is_held, 0);
	assert_string_equal(f->asked, "hello_request init_request ");
	assert_false(host_enclave_session_is_ready(f->session));
	host_post(f->loop, commit, f);
	wait_for(f, is_ready, 1);
}

static void a_later_start_imports(void **state)
{
	struct fixture *f = *state;
	f->has_stored = true;
	snprintf(f->stored, sizeof f->stored, "older");
	begin(f);
	wait_for(f, is_ready, 1);
	assert_string_equal(f->asked, "hello_request import_request init_request hello_request ");
}

/* A state that the ledger has not shown to be the newest is not sealed again: what is stored stays. */
static void init_that_seals_nothing_leaves_what_is_stored(void **state)
{
	struct fixture *f = *state;
	f->has_stored = true;
	f->seals_nothing = true;
	snprintf(f->stored, sizeof f->stored, "older");
	begin(f);
	wait_for(f, is_ready, 1);
	assert_string_equal(f->asked, "hello_request import_request init_request hello_request ");
	assert_string_equal(f->stored, "older");
	/* Once it may be, the missing keys are made and stored. */
	f->seals_nothing = false;
	host_enclave_session_init(f->session);
	wait_for(f, is_ready, 2);
	assert_string_equal(f->stored, "fresh");
}

static void an_enclave_that_outlived_us_is_not_set_back(void **state)
{
	struct fixture *f = *state;
	f->has_stored = true;
	f->has_keys = true;
	begin(f);
	wait_for(f, is_ready, 1);
	assert_string_equal(f->asked, "hello_request init_request hello_request ");
}

/* ---- what must not go on ---- */

static void no_new_keys_where_the_stored_ones_are_refused(void **state)
{
	struct fixture *f = *state;
	f->has_stored = true;
	f->refuses_import = true;
	begin(f);
	wait_for(f, has_failed, 1);
	assert_int_equal(f->err, CS_ERR_SEAL_BROKEN);
	assert_string_equal(f->asked, "hello_request import_request ");
	assert_false(host_enclave_session_is_ready(f->session));
}

static void an_enclave_that_is_not_ours_gets_no_state(void **state)
{
	struct fixture *f = *state;
	f->has_stored = true;
	f->refuses_hello = true;
	begin(f);
	wait_for(f, has_failed, 1);
	assert_int_equal(f->err, CS_ERR_WRONG_MANIFEST);
	assert_string_equal(f->asked, "hello_request ");
}

static void keys_that_cannot_be_stored_are_not_used(void **state)
{
	struct fixture *f = *state;
	f->refuses_store = true;
	begin(f);
	wait_for(f, has_failed, 1);
	assert_int_equal(f->err, CS_ERR_FULL);
	assert_string_equal(f->asked, "hello_request init_request ");
}

static void an_enclave_without_keys_is_not_used(void **state)
{
	struct fixture *f = *state;
	f->makes_no_keys = true;
	begin(f);
	wait_for(f, has_failed, 1);
	assert_int_equal(f->err, CS_ERR_NO_KEY);
	assert_int_equal(f->readies, 0);
}

/* ---- export, and connections that end ---- */

static void what_changed_is_stored_once(void **state)
{
	struct fixture *f = *state;
	begin(f);
	wait_for(f, is_ready, 1);
	host_enclave_session_export(f->session, then, f);
	assert_int_equal(f->thens, 1);
	assert_int_equal(f->exports, 0);
	host_enclave_session_changed(f->session);
	host_enclave_session_export(f->session, then, f);
	wait_for(f, has_then, 2);
	assert_string_equal(f->stored, "newer");
	host_enclave_session_export(f->session, then, f);
	assert_int_equal(f->thens, 3);
	assert_int_equal(f->exports, 1);
}

static void an_export_that_fails_is_tried_again(void **state)
{
	struct fixture *f = *state;
	begin(f);
	wait_for(f, is_ready, 1);
	f->refuses_export = true;
	host_enclave_session_changed(f->session);
	host_enclave_session_export(f->session, then, f);
	wait_for(f, has_then, 1);
	assert_string_equal(f->stored, "fresh");
	f->refuses_export = false;
	f->refuses_store = true;
	host_enclave_session_export(f->session, then, f);
	wait_for(f, has_then, 2);
	f->refuses_store = false;
	host_enclave_session_export(f->session, then, f);
	wait_for(f, has_then, 3);
	assert_string_equal(f->stored, "newer");
}

static void a_lost_enclave_comes_back_with_its_state(void **state)
{
	struct fixture *f = *state;
	begin(f);
	wait_for(f, is_ready, 1);
	f->asked[0] = 0;
	f->has_keys = false;
	drop_peer(f);
	wait_for(f, is_ready, 2);
	assert_int_equal(f->downs, 1);
	assert_string_equal(f->asked, "hello_request import_request init_request hello_request ");
}

/* The commit of what an enclave made comes when that enclave is gone. */
static void a_late_commit_does_not_greet_another_enclave(void **state)
{
	struct fixture *f = *state;
	f->holds_store = true;
	begin(f);
	wait_for(f, is_held, 0);
	f->asked[0] = 0;
	f->has_keys = false;
	drop_peer(f);
	commit(f);
	f->holds_store = false;
	wait_for(f, is_ready, 1);
	assert_string_equal(f->asked, "hello_request import_request init_request hello_request ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_first_start_makes_keys),
		TEST(nothing_is_ready_before_the_keys_are_stored),
		TEST(a_later_start_imports),
		TEST(an_enclave_that_outlived_us_is_not_set_back),
		TEST(init_that_seals_nothing_leaves_what_is_stored),
		TEST(no_new_keys_where_the_stored_ones_are_refused),
		TEST(an_enclave_that_is_not_ours_gets_no_state),
		TEST(keys_that_cannot_be_stored_are_not_used),
		TEST(an_enclave_without_keys_is_not_used),
		TEST(what_changed_is_stored_once),
		TEST(an_export_that_fails_is_tried_again),
		TEST(a_lost_enclave_comes_back_with_its_state),
		TEST(a_late_commit_does_not_greet_another_enclave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
