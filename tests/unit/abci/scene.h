/* A kvstore behind a server, our client before it, on one loop: what tests of both ends share. */
#ifndef TESTS_UNIT_ABCI_SCENE_H
#define TESTS_UNIT_ABCI_SCENE_H

#include "frames.h"
#include "host/alloc.h"
#include "relay_state/abci/kvstore.h"
#include "relay_state/abci_socket/client.h"
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

static inline void on_opened(void *context, uint32_t connections)
{
	struct scene *scene = context;
	scene->opened++;
	assert_true(connections <= ABCI_SERVER_CONNECTIONS_MAX);
}

static inline void on_closed(void *context, enum cs_err err, const char *why, uint32_t connections)
{
	struct scene *scene = context;
	(void)why, (void)connections;
	scene->closed++;
	scene->closed_err = err;
}

static inline void on_exception(void *context, enum abci_method method, enum cs_err err,
				const char *why)
{
	struct scene *scene = context;
	(void)method;
	scene->failed++;
	scene->failed_err = err;
	snprintf(scene->failed_why, sizeof scene->failed_why, "%s", why);
}

static inline void on_ready(void *context)
{
	struct scene *scene = context;
	assert_false(scene->ready);
	scene->ready = true;
}

static inline void on_client_failed(void *context, enum cs_err err, const char *why)
{
	struct scene *scene = context;
	assert_false(scene->client_failed);
	scene->client_failed = true;
	scene->client_err = err;
	snprintf(scene->client_why, sizeof scene->client_why, "%s", why);
}

static const struct abci_server_events server_events = {on_opened, on_closed, on_exception};
static const struct abci_client_events client_events = {on_ready, on_client_failed};

/* Of a test that has failed before its end. */
static char folder_left[sizeof((struct scene *)NULL)->folder];

/* The group's teardown. */
static inline int remove_folder_left(void **state)
{
	char socket[sizeof folder_left + 2];
	(void)state;
	if (folder_left[0] == 0)
		return 0;
	snprintf(socket, sizeof socket, "%s/s", folder_left);
	unlink(socket);
	rmdir(folder_left);
	folder_left[0] = 0;
	return 0;
}

static inline void make_scene(struct scene *scene)
{
	remove_folder_left(NULL);
	memset(scene, 0, sizeof *scene);
	snprintf(scene->folder, sizeof scene->folder, "/tmp/caisson-abci-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	memcpy(folder_left, scene->folder, sizeof folder_left);
	snprintf(scene->address, sizeof scene->address, "unix://%s/s", scene->folder);
	scene->loop = host_loop_new();
}

static inline void start_server(struct scene *scene, const struct abci_app *other,
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

static inline void start_client(struct scene *scene, struct abci_client_options options)
{
	options.address = scene->address;
	assert_ok(abci_client_new(&scene->client, scene->loop, &options, &client_events, scene,
				  NULL));
}

static inline void end_scene(struct scene *scene)
{
	abci_client_free(scene->client);
	abci_server_free(scene->server);
	host_loop_free(scene->loop);
	free(scene->memory);
	free(scene->store);
	assert_int_equal(rmdir(scene->folder), 0);
	folder_left[0] = 0;
}

static inline bool is_ready(void *context)
{
	return ((struct scene *)context)->ready;
}

static inline bool has_client_failed(void *context)
{
	return ((struct scene *)context)->client_failed;
}

static inline void wait_for(struct scene *scene, bool (*done)(void *context), void *context)
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

static inline void on_answer(void *context, enum cs_err err, const char *why,
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

static inline bool is_answered(void *context)
{
	return ((struct asked *)context)->done;
}

/* The answer in memory of its own. */
static inline struct abci_response ask(struct scene *scene, const struct abci_request *request)
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

static inline void on_counted(void *context, enum cs_err err, const char *why,
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

#endif
