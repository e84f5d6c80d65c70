/* Server and client of ABCI on one loop: with each other, and each against the other side's
 * misbehaviour. */
#include "frames.h"
#include "host/alloc.h"
#include "relay_state/abci_socket/client.h"
#include "relay_state/abci/kvstore.h"
#include "relay_state/abci_socket/server.h"

#include <unistd.h>

#define WAIT_MS 10000
#define QUEUED_MAX (256u * 1024 * 1024)
#define MEMORY_SIZE (4u * 1024 * 1024)

/* ---- a kvstore behind a server ---- */

struct scene {
	struct host_loop *loop;
	char folder[32];
	char address[64];
	struct abci_kvstore *store;
	void *memory;
	struct abci_server *server;
	uint32_t opened, closed, failed;
	enum cs_err closed_err, failed_err;
	char failed_why[200];
	struct abci_client *client;
	bool ready, client_failed;
	enum cs_err client_err;
	char client_why[200];
	uint32_t answers; /* to the client's questions */
	enum cs_err answer_err;
};

static void on_opened(void *context, uint32_t connections)
{
	struct scene *scene = context;
	scene->opened++;
	assert_true(connections <= ABCI_SERVER_CONNECTIONS_MAX);
}

static void on_closed(void *context, enum cs_err err, const char *why, uint32_t connections)
{
	struct scene *scene = context;
	(void)why, (void)connections;
	scene->closed++;
	scene->closed_err = err;
}

static void on_exception(void *context, enum abci_method method, enum cs_err err, const char *why)
{
	struct scene *scene = context;
	(void)method;
	scene->failed++;
	scene->failed_err = err;
	snprintf(scene->failed_why, sizeof scene->failed_why, "%s", why);
}

static void on_ready(void *context)
{
	struct scene *scene = context;
	assert_false(scene->ready);
	scene->ready = true;
}

static void on_client_failed(void *context, enum cs_err err, const char *why)
{
	struct scene *scene = context;
	assert_false(scene->client_failed);
	scene->client_failed = true;
	scene->client_err = err;
	snprintf(scene->client_why, sizeof scene->client_why, "%s", why);
}

static const struct abci_server_events server_events = {on_opened, on_closed, on_exception};
static const struct abci_client_events client_events = {on_ready, on_client_failed};

static void make_scene(struct scene *scene)
{
	memset(scene, 0, sizeof *scene);
	strcpy(scene->folder, "/tmp/caisson-abci-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	snprintf(scene->address, sizeof scene->address, "unix://%s/s", scene->folder);
	scene->loop = host_loop_new();
}

static void start_server(struct scene *scene, const struct abci_app *other,
			 struct abci_server_options options)
{
	struct abci_kvstore_options kv = {.memory_size = MEMORY_SIZE};
	scene->store = host_alloc(sizeof *scene->store);
	kv.memory = scene->memory = host_alloc(MEMORY_SIZE);
	assert_ok(abci_kvstore_init(scene->store, &kv));
	const struct abci_app app = other != NULL ? *other : abci_kvstore_app(scene->store);
	options.address = scene->address;
	assert_ok(abci_server_new(&scene->server, scene->loop, &options, &app, &server_events,
				  scene, NULL));
}

static void start_client(struct scene *scene, struct abci_client_options options)
{
	options.address = scene->address;
	assert_ok(abci_client_new(&scene->client, scene->loop, &options, &client_events, scene,
				  NULL));
}

static void end_scene(struct scene *scene)
{
	abci_client_free(scene->client);
	abci_server_free(scene->server);
	host_loop_free(scene->loop);
	free(scene->memory);
	free(scene->store);
	assert_int_equal(rmdir(scene->folder), 0);
}

static bool is_ready(void *context)
{
	return ((struct scene *)context)->ready;
}

static bool has_client_failed(void *context)
{
	return ((struct scene *)context)->client_failed;
}

static void wait_for(struct scene *scene, bool (*done)(void *context), void *context)
{
	assert_ok(host_loop_run_until(scene->loop, done, context, WAIT_MS));
}

/* ---- the client's questions, one after the other ---- */

struct asked {
	struct scene *scene;
	bool done;
	enum cs_err err;
	struct cs_bytes answer;
};

static void on_answer(void *context, enum cs_err err, const char *why,
		      const struct abci_response *response)
{
	struct asked *asked = context;
	assert_false(asked->done);
	asked->done = true;
	asked->err = err;
	assert_true((err == CS_OK) == (response != NULL));
	assert_true(err == CS_OK || why[0] != 0);
	if (response != NULL)
		asked->answer = encoded_response(response);
}

static bool is_answered(void *context)
{
	return ((struct asked *)context)->done;
}

/* The answer in memory of its own. */
static struct abci_response ask(struct scene *scene, const struct abci_request *request)
{
	struct asked asked = {.scene = scene};
	struct abci_response response;
	assert_ok(abci_client_call(scene->client, request, on_answer, &asked));
	assert_false(asked.done);
	wait_for(scene, is_answered, &asked);
	assert_ok(asked.err);
	assert_ok(abci_response_decode(&response, fresh_arena(), asked.answer, NULL));
	assert_int_equal(response.method, request->method);
	return response;
}

static void on_counted(void *context, enum cs_err err, const char *why,
		       const struct abci_response *response)
{
	struct scene *scene = context;
	(void)why;
	scene->answers++;
	scene->answer_err = err;
	/* In order: each answer repeats the number of its question. */
	if (response != NULL && response->method == ABCI_ECHO) {
		char number[16];
		snprintf(number, sizeof number, "%u", scene->answers);
		assert_bytes(response->echo.message, cs_bytes_str(number));
	}
}

static bool has_1000_answers(void *context)
{
	return ((struct scene *)context)->answers == 1000;
}

static void test_a_block_from_start_to_end(void **state)
{
	(void)state;
	struct scene scene;
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){0});
	start_client(&scene, (struct abci_client_options){0});
	struct abci_request q = {.method = ABCI_INFO};
	assert_err(abci_client_call(scene.client, &q, NULL, NULL), CS_ERR_UNAVAILABLE);
	wait_for(&scene, is_ready, &scene);
	assert_true(abci_client_is_ready(scene.client));
	assert_int_equal(ask(&scene, &q).info.last_block_height, 0);
	q = (struct abci_request){.method = ABCI_INIT_CHAIN};
	assert_int_equal(ask(&scene, &q).init_chain.app_hash.n, 8);
	const struct cs_bytes tx = cs_bytes_str("k=v");
	q = (struct abci_request){.method = ABCI_CHECK_TX};
	q.check_tx.tx = tx;
	assert_int_equal(ask(&scene, &q).check_tx.gas_wanted, 1);
	q = (struct abci_request){.method = ABCI_FINALIZE_BLOCK};
	q.finalize_block.txs = (struct abci_bytes_list){&tx, 1};
	q.finalize_block.height = 1;
	assert_int_equal(ask(&scene, &q).finalize_block.tx_results.count, 1);
	q = (struct abci_request){.method = ABCI_COMMIT};
	(void)ask(&scene, &q);
	q = (struct abci_request){.method = ABCI_QUERY};
	q.query.data = cs_bytes_str("k");
	assert_bytes(ask(&scene, &q).query.value, cs_bytes_str("v"));
	q = (struct abci_request){.method = ABCI_LIST_SNAPSHOTS};
	assert_int_equal(ask(&scene, &q).list_snapshots.snapshots.count, 0);
	assert_int_equal(scene.opened, 4);
	assert_int_equal(abci_client_calls_in_flight(scene.client), 0);
	end_scene(&scene);
}

static void test_many_questions_at_once(void **state)
{
	(void)state;
	struct scene scene;
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){0});
	start_client(&scene, (struct abci_client_options){0});
	wait_for(&scene, is_ready, &scene);
	for (uint32_t i = 1; i <= 1000; i++) {
		char number[16];
		struct abci_request q = {.method = ABCI_ECHO};
		snprintf(number, sizeof number, "%u", i);
		q.echo.message = cs_bytes_str(number);
		assert_ok(abci_client_call(scene.client, &q, on_counted, &scene));
	}
	assert_int_equal(abci_client_calls_in_flight(scene.client), 1000);
	wait_for(&scene, has_1000_answers, &scene);
	assert_ok(scene.answer_err);
	end_scene(&scene);
}

/* Frames that are larger than what one read brings and than what a queue takes at once. */
static void test_large_frames(void **state)
{
	(void)state;
	struct scene scene;
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){0});
	start_client(&scene, (struct abci_client_options){0});
	wait_for(&scene, is_ready, &scene);
	const size_t size = 9u * 1024 * 1024;
	uint8_t *text = host_alloc(size);
	memset(text, 'x', size);
	struct abci_request q = {.method = ABCI_ECHO};
	q.echo.message = cs_bytes(text, size);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(&scene, &q).echo.message.n, size);
	q.echo.message.n = (size_t)ABCI_FRAME_SIZE_MAX;
	assert_err(abci_client_call(scene.client, &q, on_counted, &scene), CS_ERR_TOO_LARGE);
	end_scene(&scene);
	free(text);
}

static void test_bounds_of_the_client(void **state)
{
	(void)state;
	struct scene scene;
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){0});
	start_client(&scene, (struct abci_client_options){.calls_max = 3, .queued_max = 4096});
	wait_for(&scene, is_ready, &scene);
	static uint8_t text[8192];
	struct abci_request q = {.method = ABCI_ECHO};
	q.echo.message = CS_BYTES_OF(text);
	assert_err(abci_client_call(scene.client, &q, on_counted, &scene), CS_ERR_FULL);
	q.echo.message = cs_bytes_str("1");
	assert_ok(abci_client_call(scene.client, &q, on_counted, &scene));
	q.echo.message = cs_bytes_str("2");
	assert_ok(abci_client_call(scene.client, &q, on_counted, &scene));
	q.echo.message = cs_bytes_str("3");
	assert_ok(abci_client_call(scene.client, &q, on_counted, &scene));
	assert_err(abci_client_call(scene.client, &q, on_counted, &scene), CS_ERR_FULL);
	/* Another connection has its own bound. */
	q = (struct abci_request){.method = ABCI_CHECK_TX};
	assert_ok(abci_client_call(scene.client, &q, NULL, NULL));
	end_scene(&scene);
	assert_int_equal(scene.answers, 0);
}

static void free_client(void *context, enum cs_err err, const char *why,
			const struct abci_response *response)
{
	struct scene *scene = context;
	(void)err, (void)why, (void)response;
	scene->answers++;
	abci_client_free(scene->client);
	scene->client = NULL;
}

static bool has_an_answer(void *context)
{
	return ((struct scene *)context)->answers > 0;
}

static void test_a_client_that_is_freed_by_its_answer(void **state)
{
	(void)state;
	struct scene scene;
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){0});
	start_client(&scene, (struct abci_client_options){0});
	wait_for(&scene, is_ready, &scene);
	const struct abci_request q = {.method = ABCI_INFO};
	assert_ok(abci_client_call(scene.client, &q, free_client, &scene));
	assert_ok(abci_client_call(scene.client, &q, free_client, &scene));
	wait_for(&scene, has_an_answer, &scene);
	end_scene(&scene);
	assert_int_equal(scene.answers, 1);
}

/* ---- an application that fails ---- */

static enum cs_err fail_check(void *state, const struct abci_check_tx_request *request,
			      struct abci_check_tx_response *response, const struct abci_call *call)
{
	(void)state, (void)request, (void)response;
	return cs_fail(call->why, CS_ERR_IO, "the disk\nis gone");
}

static void test_an_application_that_fails(void **state)
{
	(void)state;
	struct scene scene;
	const struct abci_app app = {.check_tx = fail_check};
	make_scene(&scene);
	start_server(&scene, &app, (struct abci_server_options){0});
	start_client(&scene, (struct abci_client_options){0});
	wait_for(&scene, is_ready, &scene);
	const struct abci_request check = {.method = ABCI_CHECK_TX}, info = {.method = ABCI_INFO};
	assert_ok(abci_client_call(scene.client, &check, on_counted, &scene));
	assert_ok(abci_client_call(scene.client, &check, on_counted, &scene));
	wait_for(&scene, has_client_failed, &scene);
	assert_int_equal(scene.client_err, CS_ERR_APPLICATION);
	assert_string_equal(scene.client_why, "mempool connection: the disk?is gone");
	assert_int_equal(scene.answers, 2);
	assert_err(abci_client_call(scene.client, &info, on_counted, &scene), CS_ERR_CLOSED);
	/* The server lives on. */
	abci_client_free(scene.client);
	scene.ready = scene.client_failed = false;
	start_client(&scene, (struct abci_client_options){0});
	wait_for(&scene, is_ready, &scene);
	(void)ask(&scene, &info);
	end_scene(&scene);
}

/* ---- the server against bytes ---- */

struct raw {
	struct host_stream *stream;
	bool connected, ended;
	uint8_t *got;
	size_t size, room;
	size_t want;
};

static void raw_connected(void *context)
{
	((struct raw *)context)->connected = true;
}

static void raw_bytes(void *context, struct cs_bytes bytes)
{
	struct raw *raw = context;
	raw->got = host_append(raw->got, &raw->size, &raw->room, bytes.p, bytes.n);
}

static void raw_drained(void *context)
{
	(void)context;
}

static void raw_ended(void *context, enum cs_err err)
{
	(void)err;
	((struct raw *)context)->ended = true;
}

static const struct host_stream_events raw_events = {raw_connected, raw_bytes, raw_drained,
						     raw_ended};

static bool raw_is_connected(void *context)
{
	return ((struct raw *)context)->connected;
}

static bool raw_has_ended(void *context)
{
	return ((struct raw *)context)->ended;
}

static bool raw_has_want(void *context)
{
	const struct raw *raw = context;
	return raw->size >= raw->want;
}

static void raw_open(struct scene *scene, struct raw *raw)
{
	struct host_address address;
	memset(raw, 0, sizeof *raw);
	assert_ok(host_address_parse(&address, scene->address, NULL));
	raw->stream = host_stream_connect(scene->loop, &address, &raw_events, raw);
	wait_for(scene, raw_is_connected, raw);
}

static void raw_write(struct raw *raw, const char *hex)
{
	assert_ok(host_stream_write(raw->stream, unhex(hex), QUEUED_MAX));
}

static void raw_close(struct raw *raw)
{
	host_stream_free(raw->stream);
	free(raw->got);
}

/* What the server says to these bytes, and whether it goes on afterwards. */
static void assert_exception(struct scene *scene, const char *hex, enum cs_err err,
			     const char *text, bool goes_on)
{
	struct raw raw;
	const uint32_t failed = scene->failed;
	raw_open(scene, &raw);
	raw_write(&raw, hex);
	if (goes_on)
		raw_write(&raw, "021200"); /* a flush */
	raw.want = goes_on ? 5 + strlen(text) + 3 : 5 + strlen(text);
	wait_for(scene, raw_has_want, &raw);
	size_t head, size;
	struct abci_response response;
	assert_ok(abci_frame_open(&head, &size, cs_bytes(raw.got, raw.size), 4096));
	assert_ok(abci_response_decode(&response, fresh_arena(), cs_bytes(raw.got + head, size),
				       NULL));
	assert_int_equal(response.method, ABCI_EXCEPTION);
	assert_bytes(response.exception.error, cs_bytes_str(text));
	if (goes_on)
		assert_bytes(cs_bytes(raw.got + head + size, raw.size - head - size),
			     unhex("021a00"));
	else
		wait_for(scene, raw_has_ended, &raw);
	assert_int_equal(scene->failed, failed + 1);
	assert_int_equal(scene->failed_err, err);
	raw_close(&raw);
}

static void test_questions_that_are_none(void **state)
{
	(void)state;
	struct scene scene;
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){.frame_size_max = 4096});
	/* A method of a later version is answered, and the connection goes on. */
	assert_exception(&scene, "03ba0100", CS_ERR_UNSUPPORTED, "unknown request, field 23", true);
	assert_exception(&scene, "024a00", CS_ERR_UNSUPPORTED, "unknown request, field 9", true);
	/* What cannot be read ends it. */
	assert_exception(&scene, "00", CS_ERR_MISSING_FIELD, "an empty message", false);
	assert_exception(&scene, "8120", CS_ERR_TOO_LARGE, cs_err_sentence(CS_ERR_TOO_LARGE),
			 false);
	assert_exception(&scene, "ffffffff", CS_ERR_TOO_LARGE, cs_err_sentence(CS_ERR_TOO_LARGE),
			 false);
	assert_exception(&scene, "8200", CS_ERR_NON_CANONICAL,
			 cs_err_sentence(CS_ERR_NON_CANONICAL), false);
	assert_exception(&scene, "0412001200", CS_ERR_DUPLICATE,
			 "not one field of a oneof: something that must be unique is there twice",
			 false);
	assert_exception(&scene, "03420110", CS_ERR_TRUNCATED,
			 "abci_check_tx_request: no field of protobuf", false);
	assert_exception(&scene, "0442021002", CS_ERR_OVERFLOW,
			 "abci_check_tx_request: field 2: a number does not fit", false);
	/* The others were never touched. */
	start_client(&scene, (struct abci_client_options){0});
	wait_for(&scene, is_ready, &scene);
	const struct abci_request info = {.method = ABCI_INFO};
	(void)ask(&scene, &info);
	end_scene(&scene);
}

static void test_questions_in_pieces(void **state)
{
	(void)state;
	struct scene scene;
	struct raw raw;
	/* echo "a", flush, echo "bc", flush: byte by byte, then at once. */
	static const char hex[] = "050a030a01610212000"
				  "60a040a0262630"
				  "21200";
	static const char want[] = "0512030a0161021a00061204"
				   "0a026263021a00";
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){0});
	raw_open(&scene, &raw);
	for (size_t i = 0; i < strlen(hex); i += 2) {
		const char byte[3] = {hex[i], hex[i + 1], 0};
		raw_write(&raw, byte);
		assert_err(host_loop_run_until(scene.loop, raw_has_ended, &raw, 1), CS_ERR_TIMEOUT);
	}
	raw.want = strlen(want) / 2;
	wait_for(&scene, raw_has_want, &raw);
	assert_bytes(cs_bytes(raw.got, raw.size), unhex(want));
	raw.size = 0;
	raw_write(&raw, hex);
	wait_for(&scene, raw_has_want, &raw);
	assert_bytes(cs_bytes(raw.got, raw.size), unhex(want));
	/* Half a question and the end. */
	raw_write(&raw, "050a03");
	raw_close(&raw);
	end_scene(&scene);
}

static bool has_closed(void *context)
{
	return ((struct scene *)context)->closed > 0;
}

static void test_too_many_connections(void **state)
{
	(void)state;
	static struct raw raws[ABCI_SERVER_CONNECTIONS_MAX + 1];
	struct scene scene;
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){0});
	for (size_t i = 0; i < CS_LEN(raws); i++)
		raw_open(&scene, &raws[i]);
	wait_for(&scene, has_closed, &scene);
	assert_int_equal(scene.closed_err, CS_ERR_FULL);
	wait_for(&scene, raw_has_ended, &raws[ABCI_SERVER_CONNECTIONS_MAX]);
	assert_int_equal(scene.opened, ABCI_SERVER_CONNECTIONS_MAX);
	for (size_t i = 0; i < CS_LEN(raws); i++)
		raw_close(&raws[i]);
	end_scene(&scene);
}

/* A reader that never reads: the server stops taking its questions, and serves the others. */
static void test_a_peer_that_does_not_read(void **state)
{
	(void)state;
	struct scene scene;
	struct raw raw;
	make_scene(&scene);
	start_server(&scene, NULL, (struct abci_server_options){0});
	raw_open(&scene, &raw);
	host_stream_pause(raw.stream);
	const size_t size = 512 * 1024;
	struct abci_request q = {.method = ABCI_ECHO};
	uint8_t *text = host_alloc(size);
	q.echo.message = cs_bytes(text, size);
	struct cs_buf buf;
	size_t frame_size;
	assert_ok(abci_request_size(&q, &frame_size));
	cs_buf_init(&buf, keep(frame_size), frame_size);
	assert_ok(abci_request_encode(&buf, &q));
	for (size_t i = 0; i < 32; i++)
		assert_ok(host_stream_write(raw.stream, cs_buf_view(&buf), QUEUED_MAX));
	start_client(&scene, (struct abci_client_options){0});
	wait_for(&scene, is_ready, &scene);
	const struct abci_request info = {.method = ABCI_INFO};
	for (int i = 0; i < 20; i++)
		(void)ask(&scene, &info);
	/* Most of it still waits on our side. */
	assert_true(host_stream_queued(raw.stream) > 16 * size);
	raw.want = 32 * frame_size;
	host_stream_resume(raw.stream);
	wait_for(&scene, raw_has_want, &raw);
	assert_int_equal(raw.size, 32 * frame_size);
	raw_close(&raw);
	end_scene(&scene);
	free(text);
}

static void test_addresses_beyond_this_machine(void **state)
{
	(void)state;
	struct scene scene;
	struct cs_why why = {""};
	struct abci_server_options server = {.address = "tcp://0.0.0.0:0"};
	struct abci_client_options client = {.address = "tcp://192.0.2.1:26658"};
	const struct abci_app app = {.state = NULL};
	make_scene(&scene);
	assert_err(abci_server_new(&scene.server, scene.loop, &server, &app, &server_events, &scene,
				   &why),
		   CS_ERR_INSECURE_REFUSED);
	assert_err(
		abci_client_new(&scene.client, scene.loop, &client, &client_events, &scene, &why),
		CS_ERR_INSECURE_REFUSED);
	server.insecure_remote = true;
	assert_ok(abci_server_new(&scene.server, scene.loop, &server, &app, &server_events, &scene,
				  &why));
	assert_int_not_equal(abci_server_port(scene.server), 0);
	server.address = "nowhere";
	struct abci_server *other;
	assert_err(abci_server_new(&other, scene.loop, &server, &app, &server_events, &scene, &why),
		   CS_ERR_INVALID);
	end_scene(&scene);
}

/* ---- the client against an application that misbehaves ---- */

/* Answers whatever comes on one connection with fixed bytes, and ends it if it is told to. */
struct liar {
	struct host_listener *listener;
	struct host_stream *streams[8];
	uint32_t stream_count;
	const char *greeting; /* hex, on connection */
	const char *answer;   /* hex, once for each connection that asks */
	bool ends;
};

struct liar_end {
	struct liar *liar;
	struct host_stream *stream;
	bool answered;
};

static void liar_asked(void *context, struct cs_bytes bytes)
{
	struct liar_end *end = context;
	(void)bytes;
	if (end->answered)
		return;
	end->answered = true;
	if (end->liar->answer != NULL)
		assert_ok(host_stream_write(end->stream, unhex(end->liar->answer), QUEUED_MAX));
	if (end->liar->ends)
		host_stream_finish(end->stream);
}

static void liar_nothing(void *context)
{
	(void)context;
}

static void liar_ended(void *context, enum cs_err err)
{
	(void)context, (void)err;
}

static void liar_accepted(void *context, struct host_stream *stream)
{
	static const struct host_stream_events events = {NULL, liar_asked, liar_nothing,
							 liar_ended};
	struct liar *liar = context;
	struct liar_end *end = keep(sizeof *end);
	*end = (struct liar_end){liar, stream, false};
	assert_true(liar->stream_count < CS_LEN(liar->streams));
	liar->streams[liar->stream_count++] = stream;
	host_stream_serve(stream, &events, end);
	if (liar->greeting != NULL)
		assert_ok(host_stream_write(stream, unhex(liar->greeting), QUEUED_MAX));
}

static void start_liar(struct scene *scene, struct liar *liar)
{
	struct host_address address;
	assert_ok(host_address_parse(&address, scene->address, NULL));
	assert_ok(host_listener_new(&liar->listener, scene->loop, &address, liar_accepted, liar,
				    NULL));
}

static void end_liar(struct liar *liar)
{
	for (uint32_t i = 0; i < liar->stream_count; i++)
		host_stream_free(liar->streams[i]);
	host_listener_free(liar->listener);
}

static void test_answers_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		bool ends;
		enum cs_err err;
		const char *why;
	} cases[] = {
		/* info was asked, then a flush */
		{"021a00", false, CS_ERR_INVALID,
		 "query connection: an answer to flush, where info was asked"},
		{"034a0208", false, CS_ERR_TRUNCATED,
		 "query connection: not one field of a oneof: the bytes end too early"},
		{"024a00", false, CS_ERR_INVALID,
		 "query connection: an answer to check_tx, where info was asked"},
		{"02220002"
		 "2200",
		 false, CS_ERR_INVALID,
		 "query connection: an answer to info, where flush was asked"},
		{"022200"
		 "021a00"
		 "021a00",
		 false, CS_ERR_INVALID,
		 "query connection: an answer to flush that nobody asked for"},
		{"022a00", false, CS_ERR_UNSUPPORTED,
		 "query connection: unknown response, field 5"},
		{"00", false, CS_ERR_MISSING_FIELD, "query connection: an empty message"},
		{"ffffffff7f", false, CS_ERR_TOO_LARGE,
		 "query connection: a size or count is above its bound"},
		{"060a040a026e6f", false, CS_ERR_APPLICATION, "query connection: no"},
		{"0a0a080a06610a0d1b2562", false, CS_ERR_APPLICATION, "query connection: a???%b"},
		{"0222", true, CS_ERR_CLOSED, "query connection: the application ended it"},
		{NULL, true, CS_ERR_CLOSED, "query connection: the application ended it"},
		{NULL, false, CS_ERR_TIMEOUT, "query connection: no answer to info in 200 ms"},
		{"022200", false, CS_ERR_TIMEOUT, "query connection: no answer to flush in 200 ms"},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct scene scene;
		struct liar liar = {.answer = cases[i].answer, .ends = cases[i].ends};
		const struct abci_request info = {.method = ABCI_INFO};
		make_scene(&scene);
		start_liar(&scene, &liar);
		start_client(&scene, (struct abci_client_options){.timeout_ms = 200});
		wait_for(&scene, is_ready, &scene);
		assert_ok(abci_client_call(scene.client, &info, on_counted, &scene));
		wait_for(&scene, has_client_failed, &scene);
		if (scene.client_err != cases[i].err || strcmp(scene.client_why, cases[i].why) != 0)
			fail_msg("%zu: %s: %s", i, cs_err_name(scene.client_err), scene.client_why);
		assert_int_equal(scene.answers, 1);
		assert_false(abci_client_is_ready(scene.client));
		end_liar(&liar);
		end_scene(&scene);
	}
}

static void test_an_application_that_speaks_first(void **state)
{
	(void)state;
	struct scene scene;
	struct liar liar = {.greeting = "021a00"};
	make_scene(&scene);
	start_liar(&scene, &liar);
	start_client(&scene, (struct abci_client_options){0});
	wait_for(&scene, has_client_failed, &scene);
	assert_int_equal(scene.client_err, CS_ERR_INVALID);
	end_liar(&liar);
	end_scene(&scene);
}

static void test_an_application_that_is_not_there(void **state)
{
	(void)state;
	struct scene scene;
	make_scene(&scene);
	start_client(&scene, (struct abci_client_options){.connect_ms = 150});
	wait_for(&scene, has_client_failed, &scene);
	assert_int_equal(scene.client_err, CS_ERR_UNAVAILABLE);
	assert_string_equal(scene.client_why,
			    "query connection: the application cannot be reached");
	end_scene(&scene);
}

static void start_late(void *context)
{
	start_server(context, NULL, (struct abci_server_options){0});
}

static void test_an_application_that_comes_late(void **state)
{
	(void)state;
	struct scene scene;
	make_scene(&scene);
	start_client(&scene, (struct abci_client_options){0});
	struct host_timer *timer = host_timer_new(scene.loop, start_late, &scene);
	host_timer_start(timer, 250, 0);
	wait_for(&scene, is_ready, &scene);
	const struct abci_request info = {.method = ABCI_INFO};
	(void)ask(&scene, &info);
	/* It goes away again. */
	abci_server_free(scene.server);
	scene.server = NULL;
	wait_for(&scene, has_client_failed, &scene);
	assert_int_equal(scene.client_err, CS_ERR_CLOSED);
	host_timer_free(timer);
	end_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_from_start_to_end),
		cmocka_unit_test(test_many_questions_at_once),
		cmocka_unit_test(test_large_frames),
		cmocka_unit_test(test_bounds_of_the_client),
		cmocka_unit_test(test_a_client_that_is_freed_by_its_answer),
		cmocka_unit_test(test_an_application_that_fails),
		cmocka_unit_test(test_questions_that_are_none),
		cmocka_unit_test(test_questions_in_pieces),
		cmocka_unit_test(test_too_many_connections),
		cmocka_unit_test(test_a_peer_that_does_not_read),
		cmocka_unit_test(test_addresses_beyond_this_machine),
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_an_application_that_speaks_first),
		cmocka_unit_test(test_an_application_that_is_not_there),
		cmocka_unit_test(test_an_application_that_comes_late),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
