#include "relay_state/node/rpc_port.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define WS_LINE "GET /websocket"
#define TICK_MS 1000u

struct pair;

struct side {
	struct pair *pair;
	struct host_stream *stream;
	struct side *other;
	bool is_open; /* can be written to */
};

struct pair {
	struct node_rpc_port *port;
	struct pair *next, **at;
	struct side outer, inner;
	uint64_t since_ms;
	uint8_t first[NODE_RPC_LINE_SIZE_MAX]; /* what came before the choice */
	size_t first_size;
	struct cs_bytes rest; /* of the piece that decided, until the inner side is there */
	uint8_t *rest_copy;
};

struct node_rpc_port {
	struct host_loop *loop;
	struct host_listener *listener;
	struct host_timer *tick;
	struct host_address http, ws;
	struct pair *pairs;
	uint32_t count;
};

static void drop(struct pair *pair)
{
	host_stream_free(pair->outer.stream);
	host_stream_free(pair->inner.stream);
	*pair->at = pair->next;
	if (pair->next != NULL)
		pair->next->at = pair->at;
	pair->port->count--;
	free(pair->rest_copy);
	free(pair);
}

/* The bytes of one side go to the other; who does not read makes the other wait. */
static void pass(struct side *to, struct cs_bytes bytes)
{
	if (host_stream_write(to->stream, bytes, SIZE_MAX / 2) != CS_OK) {
		drop(to->pair);
		return;
	}
	if (host_stream_queued(to->stream) > NODE_RPC_QUEUE_MAX)
		host_stream_pause(to->other->stream);
}

static void on_inner_connected(void *context)
{
	struct side *inner = context;
	struct pair *pair = inner->pair;
	struct cs_bytes rest = pair->rest;
	inner->is_open = true;
	pair->rest = CS_BYTES_NONE;
	host_stream_resume(pair->outer.stream);
	pass(inner, rest);
}

static void on_bytes(void *context, struct cs_bytes bytes)
{
	struct side *from = context;
	pass(from->other, bytes);
}

static void on_drained(void *context)
{
	struct side *side = context;
	if (side->other->stream != NULL)
		host_stream_resume(side->other->stream);
}

static void on_ended(void *context, enum cs_err err)
{
	struct side *side = context;
	struct side *other = side->other;
	(void)err;
	/* An answer may still be on its way out. */
	if (side == &side->pair->inner && side->is_open && other->is_open) {
		other->is_open = false;
		host_stream_finish(other->stream);
		return;
	}
	drop(side->pair);
}

static const struct host_stream_events inner_events = {on_inner_connected, on_bytes, on_drained,
						       on_ended};

static bool has_line(const struct pair *pair)
{
	return pair->first_size == sizeof pair->first ||
	       memchr(pair->first, '\n', pair->first_size) != NULL ||
	       pair->first_size >= sizeof WS_LINE - 1;
}

static bool is_websocket(const struct pair *pair)
{
	return pair->first_size >= sizeof WS_LINE - 1 &&
	       memcmp(pair->first, WS_LINE, sizeof WS_LINE - 1) == 0;
}

static void on_outer_bytes(void *context, struct cs_bytes bytes)
{
	struct side *outer = context;
	struct pair *pair = outer->pair;
	if (pair->inner.stream != NULL) {
		on_bytes(context, bytes);
		return;
	}
	size_t room = sizeof pair->first - pair->first_size;
	size_t n = bytes.n < room ? bytes.n : room;
	memcpy(pair->first + pair->first_size, bytes.p, n);
	size_t before = pair->first_size;
	pair->first_size += n;
	if (!has_line(pair))
		return;
	pair->rest_copy = host_alloc(before + bytes.n + 1);
	memcpy(pair->rest_copy, pair->first, before);
	memcpy(pair->rest_copy + before, bytes.p, bytes.n);
	pair->rest = cs_bytes(pair->rest_copy, before + bytes.n);
	host_stream_pause(outer->stream);
	pair->inner.stream = host_stream_connect(
		pair->port->loop, is_websocket(pair) ? &pair->port->ws : &pair->port->http,
		&inner_events, &pair->inner);
}

/* The two servers have their own patience; before the choice this is it. */
static void on_tick(void *context)
{
	struct node_rpc_port *port = context;
	for (struct pair *pair = port->pairs, *next; pair != NULL; pair = next) {
		next = pair->next;
		if (pair->inner.stream == NULL &&
		    host_now_ms() - pair->since_ms >= NODE_RPC_LINE_MS)
			drop(pair);
	}
}

static const struct host_stream_events outer_events = {NULL, on_outer_bytes, on_drained, on_ended};

static void on_accepted(void *context, struct host_stream *stream)
{
	struct node_rpc_port *port = context;
	if (port->count >= NODE_RPC_CONNECTIONS_MAX) {
		host_stream_free(stream);
		return;
	}
	struct pair *pair = host_alloc(sizeof *pair);
	pair->port = port;
	pair->since_ms = host_now_ms();
	pair->next = port->pairs;
	pair->at = &port->pairs;
	if (pair->next != NULL)
		pair->next->at = &pair->next;
	port->pairs = pair;
	port->count++;
	pair->outer = (struct side){pair, stream, &pair->inner, true};
	pair->inner = (struct side){pair, NULL, &pair->outer, false};
	host_stream_serve(stream, &outer_events, &pair->outer);
}

static enum cs_err inner_address(struct host_address *address, uint16_t number, struct cs_why *why)
{
	CS_TRY(host_address_parse(address, "tcp://127.0.0.1:1", why));
	address->port = number;
	return CS_OK;
}

enum cs_err node_rpc_port_new(struct node_rpc_port **out, struct host_loop *loop,
			      const struct host_address *address, uint16_t http_port,
			      uint16_t ws_port, struct cs_why *why)
{
	struct node_rpc_port *port = host_alloc(sizeof *port);
	port->loop = loop;
	enum cs_err err = inner_address(&port->http, http_port, why);
	if (err == CS_OK)
		err = inner_address(&port->ws, ws_port, why);
	if (err == CS_OK)
		err = host_listener_new(&port->listener, loop, address, on_accepted, port, why);
	if (err != CS_OK) {
		free(port);
		return err;
	}
	port->tick = host_timer_new(loop, on_tick, port);
	host_timer_start(port->tick, TICK_MS, TICK_MS);
	*out = port;
	return CS_OK;
}

uint16_t node_rpc_port_number(const struct node_rpc_port *port)
{
	return host_listener_port(port->listener);
}

void node_rpc_port_free(struct node_rpc_port *port)
{
	if (port == NULL)
		return;
	host_timer_free(port->tick);
	host_listener_free(port->listener);
	for (struct pair *pair = port->pairs, *next; pair != NULL; pair = next) {
		next = pair->next;
		drop(pair);
	}
	free(port);
}
