/* Our ABCI client as a program of the tests:
 *
 *	abci-driver ADDRESS WINDOW <questions >answers
 *
 * A question is a line of hex, a Request without its length; up to WINDOW of them are open at a
 * time. Each answer is a line of hex in the order of the questions. When the client fails, the
 * last line is "failed NAME: WHY" and the status 1. */
#include "host/alloc.h"
#include "relay_state/abci_socket/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 60000
#define CONNECT_MS 5000
#define TIMEOUT_MS 3000
#define ARENA_SIZE (64u * 1024 * 1024)

struct driver {
	struct host_loop *loop;
	struct abci_client *client;
	uint32_t window;
	uint32_t open;
	bool ready;
	bool failed;
};

static void fail_usage(const char *what)
{
	(void)fprintf(stderr, "abci-driver: %s\n", what);
	exit(2);
}

static void print_hex(struct cs_bytes bytes)
{
	char *text = host_alloc(2 * bytes.n + 1);
	cs_hex(text, bytes);
	puts(text);
	free(text);
}

static void on_ready(void *context)
{
	((struct driver *)context)->ready = true;
}

static void on_failed(void *context, enum cs_err err, const char *why)
{
	((struct driver *)context)->failed = true;
	printf("failed %s: %s\n", cs_err_name(err), why);
}

static void on_answer(void *context, enum cs_err err, const char *why,
		      const struct abci_response *response)
{
	struct driver *driver = context;
	size_t size, head_size, body_size;
	struct cs_buf buf;
	(void)why;
	driver->open--;
	if (err != CS_OK)
		return;
	cs_assert(abci_response_size(response, &size) == CS_OK);
	void *memory = host_alloc(size);
	cs_buf_init(&buf, memory, size);
	cs_assert(abci_response_encode(&buf, response) == CS_OK);
	cs_assert(abci_frame_open(&head_size, &body_size, cs_buf_view(&buf), ABCI_FRAME_SIZE_MAX) ==
		  CS_OK);
	print_hex(cs_bytes(buf.p + head_size, body_size));
	free(memory);
}

static bool is_up(void *context)
{
	const struct driver *driver = context;
	return driver->ready || driver->failed;
}

static bool has_room(void *context)
{
	const struct driver *driver = context;
	return driver->open < driver->window || driver->failed;
}

static bool is_idle(void *context)
{
	const struct driver *driver = context;
	return driver->open == 0 || driver->failed;
}

static void ask(struct driver *driver, struct cs_arena *arena, const char *line, size_t n)
{
	struct abci_request request;
	struct cs_why why = {""};
	uint8_t *body = host_alloc(n / 2 + 1);
	if (cs_unhex(body, n / 2, cs_bytes(line, n)) != CS_OK)
		fail_usage("a line is no hex");
	cs_arena_rewind(arena, 0);
	if (abci_request_decode(&request, arena, cs_bytes(body, n / 2), &why) != CS_OK)
		fail_usage(why.text);
	if (host_loop_run_until(driver->loop, has_room, driver, WAIT_MS) != CS_OK)
		fail_usage("no answer");
	if (!driver->failed) {
		cs_assert(abci_client_call(driver->client, &request, on_answer, driver) == CS_OK);
		driver->open++;
	}
	free(body);
}

int main(int argc, char **argv)
{
	static const struct abci_client_events events = {on_ready, on_failed};
	struct driver driver = {.window = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0};
	struct cs_arena arena;
	struct cs_why why = {""};
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	if (driver.window == 0)
		fail_usage("ADDRESS WINDOW");
	/* Whoever reads the answers acts between them. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	const struct abci_client_options options = {
		.address = argv[1], .connect_ms = CONNECT_MS, .timeout_ms = TIMEOUT_MS};
	void *block = host_alloc(ARENA_SIZE);
	cs_arena_init(&arena, block, ARENA_SIZE);
	driver.loop = host_loop_new();
	if (abci_client_new(&driver.client, driver.loop, &options, &events, &driver, &why) != CS_OK)
		fail_usage(why.text);
	cs_assert(host_loop_run_until(driver.loop, is_up, &driver, WAIT_MS) == CS_OK);
	while (!driver.failed && (n = getline(&line, &room, stdin)) > 1)
		ask(&driver, &arena, line, (size_t)n - 1);
	if (host_loop_run_until(driver.loop, is_idle, &driver, WAIT_MS) != CS_OK)
		fail_usage("no answer");
	abci_client_free(driver.client);
	host_loop_free(driver.loop);
	free(block);
	free(line);
	return driver.failed ? 1 : 0;
}
