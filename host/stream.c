#include "host/stream.h"

#include "host/alloc.h"
#include "host/child.h"
#include "host/loop_inner.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
#define FINISH_MS 1000
#define READ_SIZE (64u * 1024)

/* ---- addresses ---- */

static enum cs_err parse_unix(struct host_address *address, const char *path, struct cs_why *why)
{
	const size_t n = strlen(path);
	if (n == 0)
		return cs_fail(why, CS_ERR_INVALID, "an address without a path");
	if (n >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return cs_fail(why, CS_ERR_TOO_LARGE, "%.100s: longer than a socket's path may be",
			       path);
	address->is_unix = true;
	address->is_loopback = true;
	memcpy(address->name, path, n + 1);
	return CS_OK;
}

static bool is_loopback(const struct sockaddr_storage *storage)
{
	if (storage->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static bool to_socket_address(struct sockaddr_storage *storage, const struct host_address *address)
{
	return uv_ip4_addr(address->name, address->port, (struct sockaddr_in *)storage) == 0 ||
	       uv_ip6_addr(address->name, address->port, (struct sockaddr_in6 *)storage) == 0;
}

static enum cs_err parse_tcp(struct host_address *address, const char *text, struct cs_why *why)
{
	struct sockaddr_storage storage;
	const char *colon = strrchr(text, ':');
	char *end;
	if (colon == NULL || colon == text || colon[1] < '0' || colon[1] > '9' ||
	    (size_t)(colon - text) >= sizeof address->name)
		return cs_fail(why, CS_ERR_INVALID, "%.100s: no ADDRESS:PORT", text);
	const unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end != 0 || port > UINT16_MAX)
		return cs_fail(why, CS_ERR_INVALID, "%.100s: no port", text);
	size_t n = (size_t)(colon - text);
	const bool bracketed = n > 2 && text[0] == '[' && text[n - 1] == ']';
	if (!bracketed && memchr(text, ':', n) != NULL)
		return cs_fail(why, CS_ERR_INVALID, "%.100s: IPv6 stands in brackets", text);
	memcpy(address->name, text + bracketed, n - 2 * bracketed);
	address->name[n - 2 * bracketed] = 0;
	if (strcmp(address->name, "localhost") == 0)
		memcpy(address->name, "127.0.0.1", sizeof "127.0.0.1");
	address->port = (uint16_t)port;
	if (!to_socket_address(&storage, address))
		return cs_fail(why, CS_ERR_INVALID, "%.100s: no address of digits", text);
	address->is_loopback = is_loopback(&storage);
	return CS_OK;
}

enum cs_err host_address_parse(struct host_address *address, const char *text, struct cs_why *why)
{
	struct host_address read = {.is_unix = false};
	const char *rest = strstr(text, "://");
	if (rest == NULL)
		CS_TRY(parse_tcp(&read, text, why));
	else if (strncmp(text, "unix://", 7) == 0)
		CS_TRY(parse_unix(&read, text + 7, why));
	else if (strncmp(text, "tcp://", 6) == 0)
		CS_TRY(parse_tcp(&read, text + 6, why));
	else
		return cs_fail(why, CS_ERR_INVALID, "%.100s: neither unix:// nor tcp://", text);
	*address = read;
	return CS_OK;
}

/* ---- streams ---- */

/* Lives until libuv has closed its handle; freed: nobody is to be told anything. */
struct host_stream {
	union {
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
		uv_handle_t handle;
	} uv;
	struct host_loop *loop;
	struct host_timer *timer; /* ends it with the error beside */
	enum cs_err late;
	struct host_stream_events events;
	void *context;
	uv_connect_t connect;
	uv_shutdown_t shutdown;
	bool connected;
	bool waited; /* drained is owed */
	bool paused;
	bool reading;
	bool finished;
	bool ended;
	bool freed;
};

struct piece {
	uv_write_t request;
	uint8_t bytes[];
};

static void close_stream(uv_handle_t *handle)
{
	free(handle->data);
}

static void stop_reading(struct host_stream *s)
{
	if (s->reading)
		(void)uv_read_stop(&s->uv.stream);
	s->reading = false;
}

static void end(struct host_stream *s, enum cs_err err)
{
	if (s->ended || s->freed)
		return;
	s->ended = true;
	stop_reading(s);
	s->events.ended(s->context, err);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	/* One for all: a piece is told before the next one is read. */
	static char piece[READ_SIZE];
	(void)handle, (void)suggested;
	*buf = uv_buf_init(piece, sizeof piece);
}

static void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct host_stream *s = stream->data;
	if (n == 0 || s->ended || s->freed)
		return;
	if (n < 0)
		end(s, n == UV_EOF ? CS_ERR_CLOSED : host_uv_err((int)n));
	else if (!s->finished)
		s->events.bytes(s->context, cs_bytes(buf->base, (size_t)n));
}

static void start_reading(struct host_stream *s)
{
	if (s->paused || s->reading || !s->connected || s->ended)
		return;
	/* Cannot fail on a stream that is open and connected. */
	cs_assert(uv_read_start(&s->uv.stream, on_room, on_bytes) == 0);
	s->reading = true;
}

static void on_written(uv_write_t *request, int status)
{
	struct host_stream *s = request->handle->data;
	free(request); /* the piece begins with it */
	if (s->ended || s->freed)
		return;
	if (status != 0) {
		end(s, host_uv_err(status));
	} else if (s->waited && host_stream_queued(s) == 0) {
		s->waited = false;
		s->events.drained(s->context);
	}
}

enum cs_err host_stream_write(struct host_stream *s, struct cs_bytes bytes, size_t queued_max)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.p, (unsigned)bytes.n);
	const size_t queued = host_stream_queued(s);
	size_t done = 0;
	if (!s->connected || s->ended || s->finished)
		return CS_ERR_CLOSED;
	if (queued > queued_max || bytes.n > queued_max - queued || bytes.n > UINT32_MAX)
		return CS_ERR_FULL;
	if (queued == 0) {
		const int n = uv_try_write(&s->uv.stream, &buf, 1);
		/* What is broken is told by the reader or by the write that follows. */
		done = n > 0 ? (size_t)n : 0;
	}
	if (done == bytes.n)
		return CS_OK;
	struct piece *piece = host_alloc(sizeof *piece + bytes.n - done);
	memcpy(piece->bytes, bytes.p + done, bytes.n - done);
	buf = uv_buf_init((char *)piece->bytes, (unsigned)(bytes.n - done));
	if (uv_write(&piece->request, &s->uv.stream, &buf, 1, on_written) != 0) {
		free(piece);
		return CS_ERR_CLOSED;
	}
	s->waited = true;
	return CS_OK;
}

void host_stream_remote(const struct host_stream *s, char text[HOST_ADDRESS_SIZE_MAX])
{
	struct sockaddr_storage storage;
	int size = sizeof storage;
	text[0] = 0;
	if (s->uv.handle.type == UV_TCP &&
	    uv_tcp_getpeername(&s->uv.tcp, (struct sockaddr *)&storage, &size) == 0 &&
	    uv_ip_name((const struct sockaddr *)&storage, text, HOST_ADDRESS_SIZE_MAX) != 0)
		text[0] = 0;
}

size_t host_stream_queued(const struct host_stream *s)
{
	return uv_stream_get_write_queue_size(&s->uv.stream);
}

void host_stream_pause(struct host_stream *s)
{
	s->paused = true;
	stop_reading(s);
}

void host_stream_resume(struct host_stream *s)
{
	s->paused = false;
	start_reading(s);
}

static void end_late(void *context)
{
	struct host_stream *s = context;
	end(s, s->late);
}

static void end_after(struct host_stream *s, enum cs_err err, uint64_t after_ms)
{
	if (s->timer == NULL)
		s->timer = host_timer_new(s->loop, end_late, s);
	s->late = err;
	host_timer_start(s->timer, after_ms, 0);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
	struct host_stream *s = request->handle->data;
	if (status != 0 && status != UV_ECANCELED)
		end(s, CS_ERR_CLOSED);
}

void host_stream_finish(struct host_stream *s)
{
	if (s->finished || s->ended)
		return;
	s->finished = true;
	end_after(s, CS_ERR_CLOSED, FINISH_MS);
	/* Reads on, so that the end is seen and unread bytes do not turn the close into a reset. */
	host_stream_resume(s);
	if (!s->connected || uv_shutdown(&s->shutdown, &s->uv.stream, on_shutdown) != 0)
		end_after(s, CS_ERR_CLOSED, 0);
}

void host_stream_free(struct host_stream *s)
{
	if (s == NULL)
		return;
	cs_assert(!s->freed);
	s->freed = true;
	host_timer_free(s->timer);
	uv_close(&s->uv.handle, close_stream);
}

static struct host_stream *stream_new(struct host_loop *loop, bool is_unix)
{
	struct host_stream *s = host_alloc(sizeof *s);
	s->loop = loop;
	if (is_unix)
		cs_assert(uv_pipe_init(host_loop_uv(loop), &s->uv.pipe, 0) == 0);
	else
		cs_assert(uv_tcp_init(host_loop_uv(loop), &s->uv.tcp) == 0);
	s->uv.handle.data = s;
	return s;
}

static void begin(struct host_stream *s)
{
	s->connected = true;
	if (s->uv.handle.type == UV_TCP)
		(void)uv_tcp_nodelay(&s->uv.tcp, 1);
}

static void on_connect(uv_connect_t *request, int status)
{
	struct host_stream *s = request->handle->data;
	if (s->freed)
		return;
	if (status != 0) {
		end(s, host_uv_err(status));
		return;
	}
	begin(s);
	s->events.connected(s->context);
	if (!s->freed)
		start_reading(s);
}

struct host_stream *host_stream_connect(struct host_loop *loop, const struct host_address *address,
					const struct host_stream_events *events, void *context)
{
	struct host_stream *s = stream_new(loop, address->is_unix);
	struct sockaddr_storage storage;
	s->events = *events;
	s->context = context;
	if (address->is_unix) {
		uv_pipe_connect(&s->connect, &s->uv.pipe, address->name, on_connect);
		return s;
	}
	cs_assert(to_socket_address(&storage, address));
	int status = uv_tcp_connect(&s->connect, &s->uv.tcp, (const struct sockaddr *)&storage,
				    on_connect);
	if (status != 0)
		end_after(s, host_uv_err(status), 0);
	return s;
}

void host_stream_serve(struct host_stream *s, const struct host_stream_events *events,
		       void *context)
{
	s->events = *events;
	s->context = context;
	start_reading(s);
}

/* ---- listening ---- */

struct host_listener {
	union {
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
		uv_handle_t handle;
	} uv;
	struct host_loop *loop;
	struct host_address address;
	host_accepted *accepted;
	void *context;
	bool freed;
};

static void close_listener(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_connection(uv_stream_t *server, int status)
{
	struct host_listener *listener = server->data;
	if (status != 0 || listener->freed)
		return;
	struct host_stream *s = stream_new(listener->loop, listener->address.is_unix);
	if (uv_accept(server, &s->uv.stream) != 0) {
		host_stream_free(s);
		return;
	}
	begin(s);
	listener->accepted(listener->context, s);
}

static enum cs_err open_unix(struct host_listener *listener, struct cs_why *why)
{
	int fd;
	CS_TRY(host_listen_unix(&fd, listener->address.name, why));
	if (uv_pipe_open(&listener->uv.pipe, fd) != 0) {
		(void)close(fd);
		return cs_fail(why, CS_ERR_IO, "%.100s cannot be opened", listener->address.name);
	}
	return CS_OK;
}

static enum cs_err open_tcp(struct host_listener *listener, struct cs_why *why)
{
	struct sockaddr_storage storage;
	int n = sizeof storage;
	cs_assert(to_socket_address(&storage, &listener->address));
	int status = uv_tcp_bind(&listener->uv.tcp, (const struct sockaddr *)&storage, 0);
	if (status == 0)
		status = uv_tcp_getsockname(&listener->uv.tcp, (struct sockaddr *)&storage, &n);
	if (status != 0)
		return cs_fail(why, CS_ERR_IO, "%.100s:%u: %s", listener->address.name,
			       listener->address.port, uv_strerror(status));
	/* The port lies at the same place in both. */
	listener->address.port = ntohs(((struct sockaddr_in *)&storage)->sin_port);
	return CS_OK;
}

enum cs_err host_listener_new(struct host_listener **out, struct host_loop *loop,
			      const struct host_address *address, host_accepted *accepted,
			      void *context, struct cs_why *why)
{
	struct host_listener *listener = host_alloc(sizeof *listener);
	listener->loop = loop;
	listener->address = *address;
	listener->accepted = accepted;
	listener->context = context;
	if (address->is_unix)
		cs_assert(uv_pipe_init(host_loop_uv(loop), &listener->uv.pipe, 0) == 0);
	else
		cs_assert(uv_tcp_init(host_loop_uv(loop), &listener->uv.tcp) == 0);
	listener->uv.handle.data = listener;
	enum cs_err err = address->is_unix ? open_unix(listener, why) : open_tcp(listener, why);
	int status = err == CS_OK ? uv_listen(&listener->uv.stream, BACKLOG, on_connection) : 0;
	if (err == CS_OK && status != 0)
		err = cs_fail(why, CS_ERR_IO, "%.100s: %s", address->name, uv_strerror(status));
	if (err != CS_OK) {
		uv_close(&listener->uv.handle, close_listener);
		return err;
	}
	*out = listener;
	return CS_OK;
}

uint16_t host_listener_port(const struct host_listener *listener)
{
	return listener->address.port;
}

void host_listener_free(struct host_listener *listener)
{
	if (listener == NULL)
		return;
	listener->freed = true;
	/* Before libuv closes it: whoever comes now finds nobody. */
	if (listener->address.is_unix)
		(void)unlink(listener->address.name);
	uv_close(&listener->uv.handle, close_listener);
}
