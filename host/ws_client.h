/* A WebSocket client (RFC 6455) for text messages, ws:// and wss://, on the loop. Messages are put
 * together up to a bound; a silent connection is pinged and then closed. It never connects again by
 * itself: that is its owner's policy. */
#ifndef HOST_WS_CLIENT_H
#define HOST_WS_CLIENT_H

#include "host/http_client.h"

struct host_ws_client;

/* Zeros mean the default in brackets. */
struct host_ws_client_options {
	const char *url;
	const char *protocol; /* Sec-WebSocket-Protocol; NULL: none */
	struct host_http_header
		headers[HOST_HTTP_HEADERS_MAX]; /* the first without a name ends them */
	const char *ca_file;                    /* PEM, for wss; NULL: the system's */
	uint64_t message_size_max;              /* incoming [4 MiB] */
	uint64_t queue_size_max;                /* outgoing, all messages [4 MiB] */
	uint64_t connect_timeout_ms;            /* TCP, TLS and handshake together [10,000] */
	uint64_t ping_ms;                       /* silence before a ping [15,000] */
	uint64_t idle_ms; /* silence, pongs included, before it is closed with TIMEOUT [45,000] */
};

struct host_ws_client_events {
	void (*opened)(void *context);
	void (*message)(void *context, struct cs_bytes text);
	/* Exactly once, also when it never opened; the client is gone when it returns. err: CLOSED
	 * (by the other side), TIMEOUT, TOO_LARGE, MALFORMED (a binary message), UNAVAILABLE (never
	 * opened). Bad UTF-8 and breaches of the protocol are CLOSED too. Not after
	 * host_ws_client_free. */
	void (*closed)(void *context, enum cs_err err, const char *why);
};

/* MALFORMED: the URL or a header; IO: the CA file; UNAVAILABLE: libwebsockets does not start. */
CS_NODISCARD enum cs_err host_ws_client_open(struct host_ws_client **client, struct host_loop *loop,
					     const struct host_ws_client_options *options,
					     const struct host_ws_client_events *events,
					     void *context, struct cs_why *why);
/* The text is copied. FULL: above queue_size_max, nothing was queued; CLOSED: not open. */
CS_NODISCARD enum cs_err host_ws_client_send(struct host_ws_client *client, struct cs_bytes text);
/* Closes without further events. NULL is allowed. */
void host_ws_client_free(struct host_ws_client *client);

#endif
