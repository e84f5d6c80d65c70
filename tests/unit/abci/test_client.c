/* The client of ABCI: blocks, many questions, bounds, and applications that misbehave. */
#include "scene.h"

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
	assert_non_null(strstr(scene.client_why, "bytes before the first question"));
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
	char expected[160];
	snprintf(expected, sizeof expected,
		 "query connection: the application at %s cannot be reached", scene.address);
	assert_string_equal(scene.client_why, expected);
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
		cmocka_unit_test(test_answers_that_are_none),
		cmocka_unit_test(test_an_application_that_speaks_first),
		cmocka_unit_test(test_an_application_that_is_not_there),
		cmocka_unit_test(test_an_application_that_comes_late),
	};
	return cmocka_run_group_tests(tests, NULL, remove_folder_left);
}
