#include "relay_state/abci_socket/client.h"

#include "host/alloc.h"
#include "relay_state/abci_socket/inbox.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_MS_DEFAULT 10000u
#define RETRY_MS 100u
#define TIMEOUT_MS_DEFAULT 60000u
#define TIMEOUT_PARTS 8u
#define CALLS_MAX_DEFAULT 8192u
#define QUEUED_MAX_DEFAULT (2 * (size_t)ABCI_FRAME_SIZE_MAX)
/* A flush is written behind whatever the bound let in. */
#define FLUSH_SIZE_MAX 16u
#define ARENA_SIZE_DEFAULT (256u * 1024 * 1024)

struct question {
	enum abci_method method;
	uint64_t asked_ms;
	abci_client_done *done;
	void *context;
};

/* A ring of open questions, the oldest first; one place more than calls_max is for the flush. */
struct connection {
	struct abci_client *client;
	enum abci_connection which;
	struct host_stream *stream;
	struct abci_inbox inbox;
	uint8_t *out; /* questions of this turn */
	size_t out_size;
	size_t out_room;
	struct question *ring;
	uint32_t first;
	uint32_t count;
};

enum state { CONNECTING, READY, FAILED };

struct abci_client {
	struct host_loop *loop;
	struct host_timer *retry;
	struct host_timer *watch;
	struct host_address address;
	struct abci_client_events events;
	void *context;
	uint64_t connect_until_ms;
	uint64_t timeout_ms;
	uint32_t ring_size;
	size_t queued_max;
	size_t frame_size_max;
	enum state state;
	uint32_t connected; /* how many connections are there, in their order */
	uint32_t depth;     /* of our callbacks that are running */
	bool flush_posted;
	bool freed;
	void *block;
	struct cs_arena arena;
	struct connection connections[ABCI_CONNECTION_COUNT];
};

static void client_release(struct abci_client *client)
{
	for (size_t i = 0; i < ABCI_CONNECTION_COUNT; i++) {
		abci_inbox_done(&client->connections[i].inbox);
		free(client->connections[i].out);
		free(client->connections[i].ring);
	}
	free(client->block);
	free(client);
}

/* Around whatever may call the user, who may free the client. */
static void enter(struct abci_client *client)
{
	client->depth++;
}

static void leave(struct abci_client *client)
{
	cs_assert(client->depth > 0);
	client->depth--;
	if (client->freed && client->depth == 0)
		client_release(client);
}

static struct question take_first(struct connection *c)
{
	struct question question = c->ring[c->first];
	c->first = (c->first + 1) % c->client->ring_size;
	c->count--;
	return question;
}

static void drop_streams(struct abci_client *client)
{
	for (size_t i = 0; i < ABCI_CONNECTION_COUNT; i++) {
		host_stream_free(client->connections[i].stream);
		client->connections[i].stream = NULL;
	}
	host_timer_stop(client->retry);
	host_timer_stop(client->watch);
}

static void fail(struct abci_client *client, enum cs_err err, const char *reason)
{
	struct cs_why why = {""};
	if (client->state == FAILED || client->freed)
		return;
	cs_why_write(&why, "%s", reason); /* the reason may lie in what is given back */
	enter(client);
	client->state = FAILED;
	drop_streams(client);
	for (size_t i = 0; i < ABCI_CONNECTION_COUNT; i++) {
		struct connection *c = &client->connections[i];
		while (c->count > 0 && !client->freed) {
			struct question question = take_first(c);
			if (question.done != NULL)
				question.done(question.context, err, why.text, NULL);
		}
	}
	if (!client->freed)
		client->events.failed(client->context, err, why.text);
	leave(client);
}

static void fail_connection(struct connection *c, enum cs_err err, const char *what)
{
	struct cs_why why = {""};
	cs_why_write(&why, "%s connection: %s", abci_connection_name(c->which), what);
	fail(c->client, err, why.text);
}

/* ---- answers ---- */

/* The views of an exception's text are of the inbox, and not terminated. */
static void fail_exception(struct connection *c, struct cs_bytes error)
{
	char text[160];
	size_t n = error.n < sizeof text - 1 ? error.n : sizeof text - 1;
	for (size_t i = 0; i < n; i++)
		text[i] = error.p[i] >= 0x20 && error.p[i] < 0x7f ? (char)error.p[i] : '?';
	text[n] = 0;
	fail_connection(c, CS_ERR_APPLICATION, text);
}

static void take_answer(struct connection *c, const struct abci_response *response)
{
	struct cs_why why = {""};
	if (response->method == ABCI_EXCEPTION) {
		fail_exception(c, response->exception.error);
		return;
	}
	if (c->count == 0) {
		cs_why_write(&why, "an answer to %s that nobody asked for",
			     abci_method_name(response->method));
		fail_connection(c, CS_ERR_INVALID, why.text);
		return;
	}
	if (c->ring[c->first].method != response->method) {
		cs_why_write(&why, "an answer to %s, where %s was asked",
			     abci_method_name(response->method),
			     abci_method_name(c->ring[c->first].method));
		fail_connection(c, CS_ERR_INVALID, why.text);
		return;
	}
	struct question question = take_first(c);
	if (question.done != NULL)
		question.done(question.context, CS_OK, "", response);
}

static void read_answers(struct connection *c)
{
	struct abci_client *client = c->client;
	while (client->state == READY && !client->freed) {
		struct abci_response response;
		struct cs_bytes body;
		struct cs_why why = {""};
		enum cs_err err = abci_inbox_next(&c->inbox, &body, client->frame_size_max);
		if (err == CS_ERR_TRUNCATED)
			return;
		cs_arena_rewind(&client->arena, 0);
		if (err == CS_OK)
			err = abci_response_decode(&response, &client->arena, body, &why);
		if (err == CS_OK)
			take_answer(c, &response);
		else
			fail_connection(c, err, why.text[0] != 0 ? why.text : cs_err_sentence(err));
	}
}

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct connection *c = context;
	struct abci_client *client = c->client;
	if (client->state == CONNECTING) {
		fail_connection(c, CS_ERR_INVALID, "bytes before the first question");
		return;
	}
	enter(client);
	abci_inbox_add(&c->inbox, bytes);
	read_answers(c);
	leave(client);
}

static void on_drained(void *context)
{
	(void)context;
}

/* ---- connecting ---- */

static void connect_next(struct abci_client *client);

static void fail_connecting(struct connection *c, enum cs_err err, const char *what)
{
	const struct host_address *a = &c->client->address;
	const bool is_ipv6 = strchr(a->name, ':') != NULL;
	struct cs_why why = {""};
	if (a->is_unix)
		cs_why_write(&why, "the application at unix://%s %s", a->name, what);
	else
		cs_why_write(&why, "the application at tcp://%s%s%s:%u %s", is_ipv6 ? "[" : "",
			     a->name, is_ipv6 ? "]" : "", a->port, what);
	fail_connection(c, err, why.text);
}

static void on_connected(void *context)
{
	struct connection *c = context;
	struct abci_client *client = c->client;
	client->connected++;
	if (client->connected < ABCI_CONNECTION_COUNT) {
		connect_next(client);
		return;
	}
	client->state = READY;
	host_timer_stop(client->retry);
	uint64_t part_ms = client->timeout_ms / TIMEOUT_PARTS + 1;
	host_timer_start(client->watch, part_ms, part_ms);
	client->events.ready(client->context);
}

static void on_ended(void *context, enum cs_err err)
{
	struct connection *c = context;
	struct abci_client *client = c->client;
	const bool was_up = (uint32_t)c->which < client->connected;
	if (was_up) {
		fail_connection(c, err, "the application ended it");
		return;
	}
	host_stream_free(c->stream);
	c->stream = NULL;
	if (host_now_ms() + RETRY_MS > client->connect_until_ms)
		fail_connecting(c, err, "cannot be reached");
	else
		host_timer_start(client->retry, RETRY_MS, 0);
}

static void connect_next(struct abci_client *client)
{
	static const struct host_stream_events events = {on_connected, on_bytes, on_drained,
							 on_ended};
	struct connection *c = &client->connections[client->connected];
	c->stream = host_stream_connect(client->loop, &client->address, &events, c);
}

/* While connecting: the next try, or too late for one that hangs. */
static void on_retry(void *context)
{
	struct abci_client *client = context;
	struct connection *c = &client->connections[client->connected];
	const uint64_t now_ms = host_now_ms();
	if (c->stream != NULL) {
		fail_connecting(c, CS_ERR_TIMEOUT, "does not accept");
	} else if (now_ms < client->connect_until_ms) {
		connect_next(client);
		host_timer_start(client->retry, client->connect_until_ms - now_ms, 0);
	} else { // this timer was late
		fail_connecting(c, CS_ERR_UNAVAILABLE, "cannot be reached");
	}
}

static void on_watch(void *context)
{
	struct abci_client *client = context;
	const uint64_t now_ms = host_now_ms();
	struct cs_why why = {""};
	for (size_t i = 0; i < ABCI_CONNECTION_COUNT; i++) {
		struct connection *c = &client->connections[i];
		if (c->count == 0 || now_ms - c->ring[c->first].asked_ms < client->timeout_ms)
			continue;
		cs_why_write(&why, "no answer to %s in %llu ms",
			     abci_method_name(c->ring[c->first].method),
			     (unsigned long long)client->timeout_ms);
		fail_connection(c, CS_ERR_TIMEOUT, why.text);
		return;
	}
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	return value != 0 ? value : fallback;
}

enum cs_err abci_client_new(struct abci_client **out, struct host_loop *loop,
			    const struct abci_client_options *options,
			    const struct abci_client_events *events, void *context,
			    struct cs_why *why)
{
	struct host_address address;
	CS_TRY(host_address_parse(&address, options->address, why));
	if (!address.is_loopback && !options->insecure_remote)
		return cs_fail(why, CS_ERR_INSECURE_REFUSED,
			       "%.100s is not of this machine, and ABCI has no authentication",
			       options->address);
	struct abci_client *client = host_alloc(sizeof *client);
	client->loop = loop;
	client->address = address;
	client->events = *events;
	client->context = context;
	const uint64_t connect_ms = or_default(options->connect_ms, CONNECT_MS_DEFAULT);
	client->connect_until_ms = host_now_ms() + connect_ms;
	client->timeout_ms = or_default(options->timeout_ms, TIMEOUT_MS_DEFAULT);
	client->ring_size = (uint32_t)or_default(options->calls_max, CALLS_MAX_DEFAULT) + 1;
	client->queued_max = or_default(options->queued_max, QUEUED_MAX_DEFAULT);
	client->frame_size_max = or_default(options->frame_size_max, ABCI_FRAME_SIZE_MAX);
	const size_t arena_size = or_default(options->arena_size, ARENA_SIZE_DEFAULT);
	client->block = host_alloc(arena_size);
	cs_arena_init(&client->arena, client->block, arena_size);
	for (size_t i = 0; i < ABCI_CONNECTION_COUNT; i++) {
		struct connection *c = &client->connections[i];
		c->client = client;
		c->which = (enum abci_connection)i;
		c->ring = host_calloc(client->ring_size, sizeof *c->ring);
	}
	client->retry = host_timer_new(loop, on_retry, client);
	client->watch = host_timer_new(loop, on_watch, client);
	host_timer_start(client->retry, connect_ms, 0);
	connect_next(client);
	*out = client;
	return CS_OK;
}

/* ---- questions ---- */

static void ask(struct connection *c, enum abci_method method, abci_client_done *done,
		void *context)
{
	uint32_t place = (c->first + c->count) % c->client->ring_size;
	c->ring[place] = (struct question){method, host_now_ms(), done, context};
	c->count++;
}

static enum cs_err put_request(struct connection *c, const struct abci_request *request)
{
	struct cs_buf buf;
	size_t size;
	CS_TRY(abci_request_size(request, &size));
	const size_t queued = host_stream_queued(c->stream) + c->out_size;
	const size_t queued_max = c->client->queued_max;
	if (request->method != ABCI_FLUSH && (size > queued_max || queued > queued_max - size))
		return CS_ERR_FULL;
	if (size > c->out_room - c->out_size) {
		c->out_room = (c->out_size + size) * 2;
		c->out = host_grow(c->out, c->out_room);
	}
	cs_buf_init(&buf, c->out + c->out_size, size);
	CS_TRY(abci_request_encode(&buf, request));
	c->out_size += buf.n;
	return CS_OK;
}

static enum cs_err write_out(struct connection *c)
{
	enum cs_err err = host_stream_write(c->stream, cs_bytes(c->out, c->out_size),
					    c->client->queued_max + FLUSH_SIZE_MAX);
	c->out_size = 0;
	if (c->out_room > ABCI_INBOX_KEPT_MAX) {
		free(c->out);
		c->out = NULL;
		c->out_room = 0;
	}
	return err;
}

/* An application may keep its answers back until a flush (CometBFT's own do). */
static void flush_all(void *context)
{
	static const struct abci_request flush = {.method = ABCI_FLUSH};
	struct abci_client *client = context;
	client->flush_posted = false;
	for (size_t i = 0; i < ABCI_CONNECTION_COUNT; i++) {
		if (client->state != READY || client->freed)
			break;
		struct connection *c = &client->connections[i];
		if (c->out_size == 0)
			continue;
		enum cs_err err = put_request(c, &flush);
		if (err == CS_OK) {
			ask(c, ABCI_FLUSH, NULL, NULL);
			err = write_out(c);
		}
		if (err != CS_OK)
			fail_connection(c, err, "the question cannot be written");
	}
	leave(client); /* what abci_client_call has entered */
}

enum cs_err abci_client_call(struct abci_client *client, const struct abci_request *request,
			     abci_client_done *done, void *context)
{
	struct connection *c = &client->connections[abci_method_connection(request->method)];
	if (client->state != READY)
		return client->state == FAILED ? CS_ERR_CLOSED : CS_ERR_UNAVAILABLE;
	/* One for this, one for the flush behind it. */
	if (c->count + 2 > client->ring_size)
		return CS_ERR_FULL;
	CS_TRY(put_request(c, request));
	ask(c, request->method, done, context);
	if (!client->flush_posted) {
		client->flush_posted = true;
		enter(client); /* until flush_all, which may come after free */
		host_post(client->loop, flush_all, client);
	}
	return CS_OK;
}

bool abci_client_is_ready(const struct abci_client *client)
{
	return client->state == READY;
}

uint32_t abci_client_calls_in_flight(const struct abci_client *client)
{
	uint32_t count = 0;
	for (size_t i = 0; i < ABCI_CONNECTION_COUNT; i++)
		count += client->connections[i].count;
	return count;
}

void abci_client_free(struct abci_client *client)
{
	if (client == NULL)
		return;
	cs_assert(!client->freed);
	client->freed = true;
	drop_streams(client);
	host_timer_free(client->retry);
	host_timer_free(client->watch);
	client->retry = client->watch = NULL;
	if (client->depth == 0)
		client_release(client);
}
