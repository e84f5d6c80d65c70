#include "relay_state/abci_socket/server.h"

#include "host/alloc.h"
#include "relay_state/abci_socket/inbox.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE_DEFAULT (256u * 1024 * 1024)
/* Small answers are written together. */
#define OUTBOX_SIZE_MAX (256u * 1024)
/* An answer of the largest size may follow a queue that is just not too long. */
#define QUEUED_MAX \
	((size_t)ABCI_SERVER_QUEUE_MAX + OUTBOX_SIZE_MAX + 2 * (size_t)ABCI_FRAME_SIZE_MAX)

struct connection {
	struct abci_server *server;
	struct host_stream *stream;
	struct abci_inbox inbox;
	uint8_t *out; /* answers of this turn */
	size_t out_size;
	size_t out_room;
	bool over; /* finished: no question is read any more */
	enum cs_err err;
	struct cs_why why;
};

struct abci_server {
	struct host_listener *listener;
	struct abci_app app;
	struct abci_server_events events;
	void *context;
	size_t frame_size_max;
	void *block;
	struct cs_arena arena;
	uint32_t connection_count;
	struct connection *connections[ABCI_SERVER_CONNECTIONS_MAX];
	struct host_loop *loop;
};

static void connection_free(struct connection *c)
{
	struct abci_server *server = c->server;
	for (uint32_t i = 0; i < server->connection_count; i++) {
		if (server->connections[i] != c)
			continue;
		server->connections[i] = server->connections[--server->connection_count];
		break;
	}
	host_stream_free(c->stream);
	abci_inbox_done(&c->inbox);
	free(c->out);
	free(c);
}

/* ---- answers ---- */

static enum cs_err write_out(struct connection *c)
{
	enum cs_err err = CS_OK;
	if (c->out_size > 0)
		err = host_stream_write(c->stream, cs_bytes(c->out, c->out_size), QUEUED_MAX);
	c->out_size = 0;
	if (c->out_room > ABCI_INBOX_KEPT_MAX) {
		free(c->out);
		c->out = NULL;
		c->out_room = 0;
	}
	return err;
}

static enum cs_err put_response(struct connection *c, const struct abci_response *response)
{
	struct cs_buf buf;
	size_t size;
	CS_TRY(abci_response_size(response, &size));
	if (size > c->out_room - c->out_size) {
		c->out_room = (c->out_size + size) * 2;
		c->out = host_grow(c->out, c->out_room);
	}
	cs_buf_init(&buf, c->out + c->out_size, size);
	CS_TRY(abci_response_encode(&buf, response));
	c->out_size += buf.n;
	return c->out_size > OUTBOX_SIZE_MAX ? write_out(c) : CS_OK;
}

/* Ends the connection once what was written has gone out. */
static void give_up(struct connection *c, enum cs_err err, const char *why)
{
	if (c->over)
		return;
	c->over = true;
	c->err = err;
	cs_why_write(&c->why, "%s", why);
	if (write_out(c) != CS_OK)
		c->err = CS_ERR_CLOSED;
	host_stream_finish(c->stream);
}

static void put_exception(struct connection *c, enum abci_method method, enum cs_err err,
			  const char *why)
{
	const struct abci_server *server = c->server;
	struct abci_response response = {.method = ABCI_EXCEPTION};
	response.exception.error = cs_bytes_str(why[0] != 0 ? why : cs_err_sentence(err));
	if (server->events.failed != NULL)
		server->events.failed(server->context, method, err, why);
	if (put_response(c, &response) != CS_OK)
		give_up(c, CS_ERR_CLOSED, "the exception cannot be written");
}

/* ---- questions ---- */

static void answer(struct connection *c, struct cs_bytes body)
{
	struct abci_server *server = c->server;
	struct abci_request request = {.method = ABCI_EXCEPTION};
	struct abci_response response;
	struct cs_why why = {""};
	size_t mark = cs_arena_mark(&server->arena);
	enum cs_err err = abci_request_decode(&request, &server->arena, body, &why);
	const bool known = err != CS_ERR_UNSUPPORTED;
	if (err == CS_OK)
		err = abci_app_call(&server->app, &request, &response, &server->arena, &why);
	if (err == CS_OK)
		err = put_response(c, &response);
	cs_arena_rewind(&server->arena, mark);
	if (err == CS_OK)
		return;
	put_exception(c, request.method, err, why.text);
	if (known)
		give_up(c, err, why.text[0] != 0 ? why.text : cs_err_sentence(err));
}

static void serve(struct connection *c)
{
	struct cs_bytes body;
	enum cs_err err = CS_OK;
	while (!c->over && host_stream_queued(c->stream) <= ABCI_SERVER_QUEUE_MAX) {
		err = abci_inbox_next(&c->inbox, &body, c->server->frame_size_max);
		if (err != CS_OK)
			break;
		answer(c, body);
	}
	if (!c->over && err != CS_OK && err != CS_ERR_TRUNCATED) {
		put_exception(c, ABCI_EXCEPTION, err, "");
		give_up(c, err, "no frame");
	}
	if (!c->over && write_out(c) != CS_OK)
		give_up(c, CS_ERR_CLOSED, "the answer cannot be written");
	if (!c->over && host_stream_queued(c->stream) > ABCI_SERVER_QUEUE_MAX)
		host_stream_pause(c->stream);
}

/* ---- events ---- */

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct connection *c = context;
	if (c->over)
		return;
	abci_inbox_add(&c->inbox, bytes);
	serve(c);
}

static void on_drained(void *context)
{
	struct connection *c = context;
	if (c->over)
		return;
	host_stream_resume(c->stream);
	serve(c);
}

static void on_ended(void *context, enum cs_err err)
{
	struct connection *c = context;
	struct abci_server *server = c->server;
	const struct cs_why why = c->why;
	if (c->over)
		err = c->err;
	connection_free(c);
	if (server->events.closed != NULL)
		server->events.closed(server->context, err, why.text, server->connection_count);
}

static void on_accepted(void *context, struct host_stream *stream)
{
	static const struct host_stream_events events = {NULL, on_bytes, on_drained, on_ended};
	struct abci_server *server = context;
	if (server->connection_count == ABCI_SERVER_CONNECTIONS_MAX) {
		host_stream_free(stream);
		if (server->events.closed != NULL)
			server->events.closed(server->context, CS_ERR_FULL, "too many connections",
					      server->connection_count);
		return;
	}
	struct connection *c = host_alloc(sizeof *c);
	c->server = server;
	c->stream = stream;
	server->connections[server->connection_count++] = c;
	if (server->events.opened != NULL)
		server->events.opened(server->context, server->connection_count);
	host_stream_serve(stream, &events, c);
}

enum cs_err abci_server_new(struct abci_server **out, struct host_loop *loop,
			    const struct abci_server_options *options, const struct abci_app *app,
			    const struct abci_server_events *events, void *context,
			    struct cs_why *why)
{
	struct host_address address;
	CS_TRY(host_address_parse(&address, options->address, why));
	if (!address.is_loopback && !options->insecure_remote)
		return cs_fail(why, CS_ERR_INSECURE_REFUSED,
			       "%.100s is not of this machine, and ABCI has no authentication",
			       options->address);
	struct abci_server *server = host_alloc(sizeof *server);
	server->loop = loop;
	server->app = *app;
	server->events = *events;
	server->context = context;
	server->frame_size_max =
		options->frame_size_max != 0 ? options->frame_size_max : ABCI_FRAME_SIZE_MAX;
	enum cs_err err =
		host_listener_new(&server->listener, loop, &address, on_accepted, server, why);
	if (err != CS_OK) {
		free(server);
		return err;
	}
	const size_t size = options->arena_size != 0 ? options->arena_size : ARENA_SIZE_DEFAULT;
	server->block = host_alloc(size);
	cs_arena_init(&server->arena, server->block, size);
	*out = server;
	return CS_OK;
}

uint16_t abci_server_port(const struct abci_server *server)
{
	return host_listener_port(server->listener);
}

void abci_server_free(struct abci_server *server)
{
	if (server == NULL)
		return;
	for (uint32_t i = server->connection_count; i > 0; i--)
		connection_free(server->connections[i - 1]);
	host_listener_free(server->listener);
	free(server->block);
	free(server);
}
