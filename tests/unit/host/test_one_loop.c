/* Everything on one loop at once: libmicrohttpd, libwebsockets (server and client), curl-multi, the
 * store. Each request is answered later, after a commit and a message over WebSocket; then all of
 * it shuts down, and the loop must close without a handle left (host_loop_free asserts
 * uv_loop_close() == 0). An idle process must not spin. */
#include "host/alloc.h"
#include "host/http_client.h"
#include "host/http_server.h"
#include "host/store.h"
#include "host/ws_client.h"
#include "host/ws_server.h"
#include "tests/unit/support.h"

#include <sys/resource.h>
#include <unistd.h>

#define WAIT_MS 20000
#define REQUESTS 200u

struct request {
	struct world *world;
	struct host_http_exchange *exchange;
	uint32_t n;
};

struct world {
	struct host_loop *loop;
	struct host_http_server *http;
	struct host_http_client *client;
	struct host_ws_server *ws;
	struct host_ws_client *ws_client;
	struct host_ws_peer *peer;
	struct host_store *store;
	struct host_stmt *insert;
	char folder[64];
	char path[128];
	uint32_t opened;
	uint32_t answered;
	uint32_t notified;
	uint32_t written;
	bool drained;
	struct request requests[REQUESTS];
};

static const char *const migrations[] = {"CREATE TABLE n (n INTEGER PRIMARY KEY) STRICT"};
static const struct host_store_schema schema = {
	.migrations = migrations, .migration_count = 1, .application_id = 77};

/* ---- WebSocket ---- */

static enum cs_err on_accept(void *context, const struct host_ws_upgrade *upgrade,
			     struct host_ws_peer *peer)
{
	struct world *w = context;
	(void)peer;
	assert_string_equal(host_ws_path(upgrade), "/");
	return w->peer == NULL ? CS_OK : CS_ERR_FULL;
}

static void on_peer(void *context, struct host_ws_peer *peer)
{
	struct world *w = context;
	w->peer = peer;
	w->opened++;
}

static void on_open(void *context)
{
	struct world *w = context;
	w->opened++;
}

static void on_note(void *context, struct cs_bytes text)
{
	struct world *w = context;
	assert_true(text.n > 0);
	w->notified++;
}

static void on_closed(void *context, enum cs_err err, const char *why)
{
	(void)context;
	(void)err;
	(void)why;
	fail_msg("the connection was closed");
}

/* ---- HTTP and store ---- */

static enum cs_err write_number(void *context)
{
	struct request *r = context;
	host_bind_u64(r->world->insert, 0, r->n);
	return host_stmt_run(r->world->insert);
}

static void on_committed(void *context, enum cs_err err)
{
	struct request *r = context;
	char text[32];
	assert_int_equal(err, CS_OK);
	(void)snprintf(text, sizeof text, "%u", r->n);
	assert_ok(host_ws_peer_send(r->world->peer, cs_bytes_str(text)));
	host_http_reply(r->exchange, 201, "text/plain", cs_bytes_str(text));
	r->exchange = NULL;
}

static void on_post(void *context, struct host_http_exchange *exchange)
{
	struct world *w = context;
	struct request *r = &w->requests[w->written];
	*r = (struct request){w, exchange, w->written};
	w->written++;
	assert_ok(host_store_write(w->store, write_number, r, on_committed, r));
}

static void on_answer(void *context, const struct host_http_response *response)
{
	struct world *w = context;
	assert_int_equal(response->err, CS_OK);
	assert_int_equal(response->status, 201);
	w->answered++;
}

static void on_drained(void *context)
{
	struct world *w = context;
	w->drained = true;
}

/* ---- the run ---- */

static void build(struct world *w)
{
	static const struct host_ws_server_events server_events = {on_accept, on_peer, NULL, NULL};
	static const struct host_ws_client_events client_events = {on_open, on_note, on_closed};
	char url[64];
	struct cs_why why;
	w->loop = host_loop_new();
	(void)snprintf(w->folder, sizeof w->folder, "/tmp/caisson-loop-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	(void)snprintf(w->path, sizeof w->path, "%s/db", w->folder);
	assert_ok(host_store_open(&w->store, w->loop, w->path, &schema, &why));
	assert_ok(host_stmt_new(&w->insert, w->store, "INSERT INTO n VALUES (?)"));
	assert_ok(host_http_server_new(&w->http, w->loop, &(struct host_http_server_options){0},
				       &why));
	host_http_server_route(w->http, "POST", "/n", 0, on_post, w);
	assert_ok(host_ws_server_new(&w->ws, w->loop, &(struct host_ws_server_options){0},
				     &server_events, w, &why));
	w->client = host_http_client_new(w->loop, NULL);
	(void)snprintf(url, sizeof url, "ws://127.0.0.1:%u/", host_ws_server_port(w->ws));
	assert_ok(host_ws_client_open(&w->ws_client, w->loop,
				      &(struct host_ws_client_options){.url = url}, &client_events,
				      w, &why));
}

static bool is_open(void *context)
{
	const struct world *w = context;
	return w->opened == 2;
}

static bool is_done(void *context)
{
	const struct world *w = context;
	return w->answered == REQUESTS && w->notified == REQUESTS;
}

static bool is_drained(void *context)
{
	const struct world *w = context;
	return w->drained;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static uint64_t cpu_us(void)
{
	struct rusage usage;
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void tear(struct world *w)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	char path[256];
	host_http_client_free(w->client);
	host_http_server_free(w->http);
	host_ws_client_free(w->ws_client);
	host_ws_server_free(w->ws);
	host_stmt_free(w->insert);
	host_store_close(w->store);
	/* What handlers still hold is theirs to give back, even now. */
	for (uint32_t i = 0; i < w->written; i++)
		if (w->requests[i].exchange != NULL)
			host_http_reply_problem(w->requests[i].exchange, CS_ERR_UNAVAILABLE,
						"shutting down");
	host_loop_free(w->loop);
	for (size_t i = 0; i < CS_LEN(suffixes); i++) {
		(void)snprintf(path, sizeof path, "%s%s", w->path, suffixes[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(w->folder), 0);
}

static void test_all_on_one_loop(void **state)
{
	(void)state;
	struct world *w = host_alloc(sizeof *w);
	char url[64];
	build(w);
	assert_ok(host_loop_run_until(w->loop, is_open, w, WAIT_MS));
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/n", host_http_server_port(w->http));
	assert_ok(host_http_client_allow(w->client, url, NULL));
	struct host_http_request request = {
		.url = url, .body = cs_bytes_str("{}"), .timeout_ms = WAIT_MS};
	for (uint32_t i = 0; i < REQUESTS; i++)
		assert_ok(host_http_send(w->client, NULL, &request, on_answer, w));
	assert_ok(host_loop_run_until(w->loop, is_done, w, WAIT_MS));
	/* 16 connections: requests of one turn share a commit. */
	assert_true(host_store_figures(w->store).commits < REQUESTS);

	uint64_t before = cpu_us();
	assert_err(host_loop_run_until(w->loop, never, w, 1500), CS_ERR_TIMEOUT);
	uint64_t idle = cpu_us() - before;
	print_message("idle: %llu us CPU in 1.5 s\n", (unsigned long long)idle);
	/* A loop that spins takes all of it. */
	assert_true(idle < 150000);

	host_http_server_drain(w->http, on_drained, w);
	assert_ok(host_loop_run_until(w->loop, is_drained, w, WAIT_MS));
	tear(w);
	free(w);
}

/* In the middle of everything: nothing may be left over, whatever was under way. */
static void test_shut_down_under_load(void **state)
{
	(void)state;
	for (uint32_t turn = 0; turn < 6; turn++) {
		struct world *w = host_alloc(sizeof *w);
		char url[64];
		build(w);
		if (turn > 0)
			assert_ok(host_loop_run_until(w->loop, is_open, w, WAIT_MS));
		(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/n",
			       host_http_server_port(w->http));
		assert_ok(host_http_client_allow(w->client, url, NULL));
		struct host_http_request request = {
			.url = url, .body = cs_bytes_str("{}"), .timeout_ms = WAIT_MS};
		for (uint32_t i = 0; turn > 1 && i < 50; i++)
			assert_ok(host_http_send(w->client, NULL, &request, on_answer, w));
		if (turn > 2)
			assert_err(host_loop_run_until(w->loop, never, w, turn), CS_ERR_TIMEOUT);
		tear(w);
		free(w);
	}
}

/* Seven times: contexts of libwebsockets and handles of curl leave nothing in the process that
 * breaks the next. */
static void test_again_and_again(void **state)
{
	(void)state;
	for (int i = 0; i < 7; i++) {
		struct world *w = host_alloc(sizeof *w);
		build(w);
		assert_ok(host_loop_run_until(w->loop, is_open, w, WAIT_MS));
		tear(w);
		free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_on_one_loop),
		cmocka_unit_test(test_shut_down_under_load),
		cmocka_unit_test(test_again_and_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
