#include "host/tunnel.h"

#include "core/buf.h"
#include "host/alloc.h"
#include "host/loop_inner.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- handles that outlive their tunnel until libuv has closed them ----
 * data of each is the tunnel, NULL once it is gone. */

struct outer {
	uv_tcp_t tcp;
	uv_connect_t connect;
};

struct look_up {
	uv_getaddrinfo_t request;
	struct host_tunnel *tunnel;
	struct host_loop *loop;
	struct sockaddr_storage literal; /* where the host is an address: nothing is to be asked */
};

/* A piece that the other side would not take at once. */
struct piece {
	uv_write_t request;
	uint8_t bytes[];
};

struct way {
	uv_stream_t *from;
	uv_stream_t *to;
};

struct host_tunnel {
	struct host_loop *loop;
	struct host_tunnel_events events;
	void *context;
	uint64_t idle_ms;
	uint64_t attempt_ms;
	uv_pipe_t *inner;
	struct outer *outer;
	struct look_up *look_up;
	struct host_timer *timer;
	bool connected;
	bool moved;
	bool over;
	struct way ways[2]; /* out, in */
	size_t candidate_count;
	size_t candidate_next;
	struct sockaddr_storage candidates[HOST_TUNNEL_ADDRESSES_MAX];
};

static void close_memory(uv_handle_t *handle)
{
	free(handle);
}

static void drop(uv_handle_t *handle)
{
	handle->data = NULL;
	uv_close(handle, close_memory);
}

static void end(struct host_tunnel *t, enum cs_err err)
{
	if (t->over)
		return;
	t->over = true;
	host_timer_stop(t->timer);
	if (t->connected) {
		(void)uv_read_stop((uv_stream_t *)t->inner);
		(void)uv_read_stop((uv_stream_t *)&t->outer->tcp);
	}
	t->events.ended(t->context, err);
}

/* ---- bytes ---- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	/* One for all: a piece is passed on before the next one is read. */
	static char piece[HOST_TUNNEL_PIECE_SIZE_MAX];
	(void)handle, (void)suggested;
	*buf = uv_buf_init(piece, sizeof piece);
}

static void on_bytes(uv_stream_t *from, ssize_t n, const uv_buf_t *buf);

static struct way *way_from(struct host_tunnel *t, const uv_stream_t *from)
{
	return from == t->ways[0].from ? &t->ways[0] : &t->ways[1];
}

static void on_written(uv_write_t *request, int status)
{
	uv_stream_t *to = request->handle;
	struct host_tunnel *t = to->data;
	free(request); /* the piece begins with it */
	if (t == NULL || t->over)
		return;
	struct way *way = t->ways[0].to == to ? &t->ways[0] : &t->ways[1];
	if (status != 0 || uv_read_start(way->from, on_room, on_bytes) != 0)
		end(t, CS_ERR_CLOSED);
}

static void on_shut(uv_shutdown_t *request, int status)
{
	struct host_tunnel *t = request->handle->data;
	const bool outer = t != NULL && request->handle == t->ways[0].to;
	free(request);
	/* Who handed the socket over closes it whole: nobody is there for what might still come. */
	if (outer && !t->over)
		end(t, status == 0 ? CS_OK : CS_ERR_CLOSED);
}

static void way_ended(struct host_tunnel *t, struct way *way)
{
	uv_shutdown_t *request = host_alloc(sizeof *request);
	(void)uv_read_stop(way->from);
	if (uv_shutdown(request, way->to, on_shut) != 0) {
		free(request);
		end(t, CS_ERR_CLOSED);
	}
}

static void pass_on(struct host_tunnel *t, struct way *way, const char *bytes, size_t n)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)n);
	const int done = uv_try_write(way->to, &buf, 1);
	t->moved = true;
	t->events.moved(t->context, way == &t->ways[0], n);
	if (done >= 0 && (size_t)done == n)
		return;
	if (done < 0 && done != UV_EAGAIN) {
		end(t, CS_ERR_CLOSED);
		return;
	}
	const size_t sent = done < 0 ? 0 : (size_t)done;
	struct piece *piece = host_alloc(sizeof *piece + n - sent);
	memcpy(piece->bytes, bytes + sent, n - sent);
	buf = uv_buf_init((char *)piece->bytes, (unsigned)(n - sent));
	(void)uv_read_stop(way->from);
	if (uv_write(&piece->request, way->to, &buf, 1, on_written) != 0) {
		free(piece);
		end(t, CS_ERR_CLOSED);
	}
}

static void on_bytes(uv_stream_t *from, ssize_t n, const uv_buf_t *buf)
{
	struct host_tunnel *t = from->data;
	if (t == NULL || t->over || n == 0)
		return;
	if (n > 0)
		pass_on(t, way_from(t, from), buf->base, (size_t)n);
	else if (n == UV_EOF)
		way_ended(t, way_from(t, from));
	else
		end(t, CS_ERR_CLOSED);
}

/* ---- connecting ---- */

static void try_next(struct host_tunnel *t);

static void connected(struct host_tunnel *t)
{
	uv_stream_t *inner = (uv_stream_t *)t->inner;
	uv_stream_t *outer = (uv_stream_t *)&t->outer->tcp;
	t->connected = true;
	t->ways[0] = (struct way){.from = inner, .to = outer};
	t->ways[1] = (struct way){.from = outer, .to = inner};
	(void)uv_tcp_nodelay(&t->outer->tcp, 1);
	host_timer_start(t->timer, t->idle_ms, t->idle_ms);
	t->events.connected(t->context);
	if (uv_read_start(inner, on_room, on_bytes) != 0 ||
	    uv_read_start(outer, on_room, on_bytes) != 0)
		end(t, CS_ERR_CLOSED);
}

static void on_connect(uv_connect_t *request, int status)
{
	struct host_tunnel *t = request->handle->data;
	if (t == NULL || t->over)
		return;
	if (status == 0) {
		connected(t);
		return;
	}
	drop((uv_handle_t *)&t->outer->tcp);
	t->outer = NULL;
	try_next(t);
}

static void try_next(struct host_tunnel *t)
{
	while (t->candidate_next < t->candidate_count) {
		const struct sockaddr *address =
			(const struct sockaddr *)&t->candidates[t->candidate_next++];
		struct outer *outer = host_alloc(sizeof *outer);
		cs_assert(uv_tcp_init(host_loop_uv(t->loop), &outer->tcp) == 0);
		outer->tcp.data = t;
		if (uv_tcp_connect(&outer->connect, &outer->tcp, address, on_connect) == 0) {
			t->outer = outer;
			host_timer_start(t->timer, t->attempt_ms, 0);
			return;
		}
		drop((uv_handle_t *)&outer->tcp);
	}
	end(t, CS_ERR_UNAVAILABLE);
}

static void take_addresses(struct host_tunnel *t, const struct addrinfo *found)
{
	bool any = false;
	for (; found != NULL && t->candidate_count < HOST_TUNNEL_ADDRESSES_MAX;
	     found = found->ai_next) {
		any = true;
		if (found->ai_addrlen > sizeof t->candidates[0] ||
		    !t->events.allowed(t->context, found->ai_addr))
			continue;
		memcpy(&t->candidates[t->candidate_count++], found->ai_addr, found->ai_addrlen);
	}
	if (t->candidate_count == 0) {
		end(t, any ? CS_ERR_FORBIDDEN : CS_ERR_NOT_FOUND);
		return;
	}
	t->attempt_ms = t->attempt_ms / t->candidate_count + 1;
	try_next(t);
}

static void on_addresses(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct look_up *look_up = request->data;
	struct host_tunnel *t = look_up->tunnel;
	host_loop_closing_end(look_up->loop);
	free(look_up);
	if (t != NULL) {
		t->look_up = NULL;
		if (!t->over)
			take_addresses(t, status == 0 ? found : NULL);
	}
	uv_freeaddrinfo(found);
}

static void on_timer(void *context)
{
	struct host_tunnel *t = context;
	if (t->connected && t->moved) {
		t->moved = false;
		return;
	}
	/* The look-up is too slow, or this address is. */
	if (!t->connected && t->outer != NULL && t->candidate_next < t->candidate_count) {
		drop((uv_handle_t *)&t->outer->tcp);
		t->outer = NULL;
		try_next(t);
		return;
	}
	end(t, CS_ERR_TIMEOUT);
}

static void fail_look_up(void *context)
{
	struct look_up *look_up = context;
	on_addresses(&look_up->request, UV_EAI_FAIL, NULL);
}

static void take_literal(void *context)
{
	struct look_up *look_up = context;
	struct addrinfo found = {.ai_addr = (struct sockaddr *)&look_up->literal,
				 .ai_addrlen = sizeof look_up->literal};
	struct host_tunnel *t = look_up->tunnel;
	if (t != NULL) {
		t->look_up = NULL;
		take_addresses(t, &found);
	}
	host_loop_closing_end(look_up->loop);
	free(look_up);
}

static bool is_literal(struct sockaddr_storage *address, const char *host, uint16_t port)
{
	return uv_ip4_addr(host, port, (struct sockaddr_in *)address) == 0 ||
	       uv_ip6_addr(host, port, (struct sockaddr_in6 *)address) == 0;
}

static void look_up(struct host_tunnel *t, const char *host, uint16_t port)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	char service[8];
	struct cs_buf buf;
	cs_buf_init(&buf, service, sizeof service);
	cs_put_text(&buf, "%u", port);
	cs_put_u8(&buf, 0);
	struct look_up *request = host_alloc(sizeof *request);
	request->request.data = request;
	request->tunnel = t;
	request->loop = t->loop;
	t->look_up = request;
	host_loop_closing_begin(t->loop);
	if (is_literal(&request->literal, host, port))
		host_post(t->loop, take_literal, request);
	else if (uv_getaddrinfo(host_loop_uv(t->loop), &request->request, on_addresses, host,
				service, &hints) != 0)
		host_post(t->loop, fail_look_up, request);
}

struct host_tunnel *host_tunnel_new(struct host_loop *loop, int fd,
				    const struct host_tunnel_options *options,
				    const struct host_tunnel_events *events, void *context)
{
	struct host_tunnel *t = host_alloc(sizeof *t);
	t->loop = loop;
	t->events = *events;
	t->context = context;
	t->idle_ms = options->idle_ms;
	t->attempt_ms = options->connect_ms;
	t->inner = host_alloc(sizeof *t->inner);
	cs_assert(uv_pipe_init(host_loop_uv(loop), t->inner, 0) == 0);
	t->inner->data = t;
	cs_assert(uv_pipe_open(t->inner, fd) == 0);
	t->timer = host_timer_new(loop, on_timer, t);
	host_timer_start(t->timer, options->connect_ms, 0);
	look_up(t, options->host, options->port);
	return t;
}

void host_tunnel_free(struct host_tunnel *t)
{
	if (t == NULL)
		return;
	t->over = true;
	if (t->look_up != NULL)
		t->look_up->tunnel = NULL;
	drop((uv_handle_t *)t->inner);
	if (t->outer != NULL)
		drop((uv_handle_t *)&t->outer->tcp);
	host_timer_free(t->timer);
	free(t);
}

/* ---- watch ---- */

struct host_watch {
	uv_poll_t poll;
	host_call *call;
	void *context;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct host_watch *watch = poll->data;
	(void)status, (void)events;
	watch->call(watch->context);
}

struct host_watch *host_watch_new(struct host_loop *loop, int fd, host_call *call, void *context)
{
	struct host_watch *watch = host_alloc(sizeof *watch);
	watch->call = call;
	watch->context = context;
	cs_assert(uv_poll_init(host_loop_uv(loop), &watch->poll, fd) == 0);
	watch->poll.data = watch;
	cs_assert(uv_poll_start(&watch->poll, UV_READABLE, on_readable) == 0);
	return watch;
}

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

void host_watch_free(struct host_watch *watch)
{
	if (watch != NULL)
		uv_close((uv_handle_t *)&watch->poll, free_watch);
}
