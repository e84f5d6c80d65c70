/* Stream sockets of the loop, TCP and Unix, both ends: bytes as they come, bytes to write, and the
 * bound on what waits to be written. Authenticates and encrypts nothing: a Unix socket has the
 * rights of its file, a TCP socket has none. */
#ifndef HOST_STREAM_H
#define HOST_STREAM_H

#include "host/loop.h"

/* unix://PATH, tcp://ADDRESS:PORT, ADDRESS:PORT; an address of digits, IPv6 in brackets, or
 * localhost, which is 127.0.0.1 here. */
#define HOST_ADDRESS_SIZE_MAX 128u
struct host_address {
	bool is_unix;
	bool is_loopback; /* Unix sockets too: nobody of another machine */
	uint16_t port;
	char name[HOST_ADDRESS_SIZE_MAX]; /* the path or the digits */
};
/* INVALID: none of the forms; TOO_LARGE: a path longer than a socket's may be. */
CS_NODISCARD enum cs_err host_address_parse(struct host_address *address, const char *text,
					    struct cs_why *why);

struct host_stream;

struct host_stream_events {
	/* Of host_stream_connect alone; may be NULL for others. */
	void (*connected)(void *context);
	/* A view of what has come, until it returns. */
	void (*bytes)(void *context, struct cs_bytes bytes);
	/* Everything written is with the kernel; after each write that it did not take at once. */
	void (*drained)(void *context);
	/* Once, and the last event: CLOSED when the other side ended it or it was finished, else
	 * why it could not be made or broke. */
	void (*ended)(void *context, enum cs_err err);
};

/* In the background. */
struct host_stream *host_stream_connect(struct host_loop *loop, const struct host_address *address,
					const struct host_stream_events *events, void *context);
/* Copies what the kernel does not take at once. FULL: more than queued_max bytes would wait, and
 * nothing was written; CLOSED: not connected, ended or finished. */
CS_NODISCARD enum cs_err host_stream_write(struct host_stream *stream, struct cs_bytes bytes,
					   size_t queued_max);
/* Digits of the other end's address; "" of a Unix socket and when it is not connected. */
void host_stream_remote(const struct host_stream *stream, char text[HOST_ADDRESS_SIZE_MAX]);
/* Bytes that wait. */
size_t host_stream_queued(const struct host_stream *stream);
/* No bytes event until resume; what is not read fills the kernel's buffers and slows the other
 * side. */
void host_stream_pause(struct host_stream *stream);
void host_stream_resume(struct host_stream *stream);
/* What was written still goes out, what comes is not told any more; ended follows when the other
 * side ends too, or after 1 s. */
void host_stream_finish(struct host_stream *stream);
/* No event after it. NULL is allowed; allowed inside events. */
void host_stream_free(struct host_stream *stream);

/* ---- listening ---- */

struct host_listener;
/* The stream is the callee's; it is told nothing before host_stream_serve. */
typedef void host_accepted(void *context, struct host_stream *stream);

/* A Unix socket is made by host_listen_unix, with its errors. TCP: port 0 takes a free one. IO: the
 * address cannot be had. */
CS_NODISCARD enum cs_err host_listener_new(struct host_listener **listener, struct host_loop *loop,
					   const struct host_address *address,
					   host_accepted *accepted, void *context,
					   struct cs_why *why);
uint16_t host_listener_port(const struct host_listener *listener);
/* Takes the file of a Unix socket away. NULL is allowed. */
void host_listener_free(struct host_listener *listener);
void host_stream_serve(struct host_stream *stream, const struct host_stream_events *events,
		       void *context);

#endif
