#include "host/http_stream.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* What libmicrohttpd asks for at once. */
#define BLOCK_SIZE (8u * 1024)

struct piece {
	struct piece *next;
	size_t n;
	size_t taken;
	uint8_t p[];
};

struct host_http_stream {
	struct host_http_exchange *exchange;
	host_call *closed; /* NULL: it was ended, nobody wants to know */
	void *context;
	struct piece *first;
	struct piece **last;
	uint64_t queued;
	uint64_t moved_ms; /* something was taken, or began to wait */
	bool ended;        /* after what waits */
	bool suspended;
};

static void drop_first(struct host_http_stream *stream)
{
	struct piece *piece = stream->first;
	stream->first = piece->next;
	if (stream->first == NULL)
		stream->last = &stream->first;
	stream->queued -= piece->n - piece->taken;
	free(piece);
}

/* Inside MHD: the only place where a connection may be suspended. */
static ssize_t on_read(void *context, uint64_t position, char *block, size_t room)
{
	struct host_http_stream *stream = context;
	size_t at = 0;
	(void)position;
	while (stream->first != NULL && at < room) {
		struct piece *piece = stream->first;
		size_t n =
			piece->n - piece->taken < room - at ? piece->n - piece->taken : room - at;
		memcpy(block + at, piece->p + piece->taken, n);
		piece->taken += n;
		stream->queued -= n;
		at += n;
		if (piece->taken == piece->n)
			drop_first(stream);
	}
	if (at > 0) {
		stream->moved_ms = host_now_ms();
		return (ssize_t)at;
	}
	if (stream->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	stream->suspended = true;
	MHD_suspend_connection(stream->exchange->mhd);
	return 0;
}

static void resume(struct host_http_stream *stream)
{
	if (!stream->suspended)
		return;
	stream->suspended = false;
	MHD_resume_connection(stream->exchange->mhd);
	host_http_server_wake(stream->exchange->server);
}

struct MHD_Response *host_http_stream_new(struct host_http_stream **made,
					  struct host_http_exchange *exchange, host_call *closed,
					  void *context)
{
	struct host_http_stream *stream = host_alloc(sizeof *stream);
	*stream = (struct host_http_stream){
		.exchange = exchange, .closed = closed, .context = context};
	stream->last = &stream->first;
	*made = stream;
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, on_read, stream,
						 NULL);
}

void host_http_stream_gone(struct host_http_stream *stream)
{
	if (stream->closed != NULL)
		stream->closed(stream->context);
	while (stream->first != NULL)
		drop_first(stream);
	free(stream);
}

void host_http_stream_finish(struct host_http_stream *stream)
{
	stream->ended = true;
	resume(stream);
}

void host_http_stream_send(struct host_http_stream *stream, struct cs_bytes bytes)
{
	if (stream->ended || bytes.n == 0)
		return;
	struct piece *piece = host_grow(NULL, sizeof *piece + bytes.n);
	*piece = (struct piece){.n = bytes.n};
	memcpy(piece->p, bytes.p, bytes.n);
	if (stream->first == NULL)
		stream->moved_ms = host_now_ms();
	*stream->last = piece;
	stream->last = &piece->next;
	stream->queued += bytes.n;
	resume(stream);
}

uint64_t host_http_stream_queued(const struct host_http_stream *stream)
{
	return stream->queued;
}

uint64_t host_http_stream_stalled_ms(const struct host_http_stream *stream)
{
	return stream->first != NULL ? host_now_ms() - stream->moved_ms : 0;
}

void host_http_stream_end(struct host_http_stream *stream, struct cs_bytes last)
{
	struct piece *begun = stream->first;
	if (begun != NULL && begun->taken > 0) {
		stream->first = begun->next;
		begun->next = NULL;
	} else {
		begun = NULL;
	}
	while (stream->first != NULL)
		drop_first(stream);
	if (begun != NULL) {
		stream->first = begun;
		stream->last = &begun->next;
	}
	host_http_stream_send(stream, last);
	stream->closed = NULL;
	host_http_stream_finish(stream);
}
