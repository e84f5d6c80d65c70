/* The server of ABCI: applications that fail, bytes that are no question, peers that are slow or too many. */
#include "relay_state/abci_socket/inbox.h"
#include "scene.h"

/* ---- an application that fails ---- */

static enum cs_err fail_check(void *state, const struct abci_check_tx_request *request,
			      struct abci_check_tx_response *response, const struct abci_call *call)
{
	(void)state, (void)request, (void)response;
	return cs_fail(call->why, CS_ERR_IO, "the disk\nis gone");
}

static bool has_closed_four(void *context)
{
	return ((struct scene *)context)->closed == 4;
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
	/* All four connections end, although nobody has freed the client. The server lives on. */
	wait_for(&scene, has_closed_four, &scene);
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

static void test_an_inbox_gives_its_memory_back(void **state)
{
	(void)state;
	struct abci_inbox inbox = {.p = NULL};
	struct cs_bytes body;
	uint8_t piece[65536] = {0x80, 0x80, 0x80, 0x01}; /* 2 MiB follow */
	abci_inbox_add(&inbox, cs_bytes(piece, 4));
	assert_err(abci_inbox_next(&inbox, &body, ABCI_FRAME_SIZE_MAX), CS_ERR_TRUNCATED);
	/* What the length promises takes no memory. */
	assert_true(inbox.room < 65536);
	memset(piece, 0, sizeof piece);
	for (int i = 0; i < 32; i++)
		abci_inbox_add(&inbox, CS_BYTES_OF(piece));
	assert_ok(abci_inbox_next(&inbox, &body, ABCI_FRAME_SIZE_MAX));
	assert_int_equal(body.n, 2 * 1024 * 1024);
	assert_true(inbox.room >= body.n);
	abci_inbox_add(&inbox, cs_bytes(piece, 1));
	assert_true(inbox.room < ABCI_INBOX_KEPT_MAX);
	assert_ok(abci_inbox_next(&inbox, &body, ABCI_FRAME_SIZE_MAX));
	assert_int_equal(body.n, 0);
	abci_inbox_done(&inbox);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_application_that_fails),
		cmocka_unit_test(test_questions_that_are_none),
		cmocka_unit_test(test_an_inbox_gives_its_memory_back),
		cmocka_unit_test(test_questions_in_pieces),
		cmocka_unit_test(test_too_many_connections),
		cmocka_unit_test(test_a_peer_that_does_not_read),
		cmocka_unit_test(test_addresses_beyond_this_machine),
	};
	return cmocka_run_group_tests(tests, NULL, remove_folder_left);
}
