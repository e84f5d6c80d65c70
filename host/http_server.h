/* An HTTP/1.1 server: libmicrohttpd driven by the loop. Routes by a table, bodies read whole up to
 * a bound, replies at once or from a later callback. TLS ends before it (a reverse proxy) or is not
 * needed (loopback). */
#ifndef HOST_HTTP_SERVER_H
#define HOST_HTTP_SERVER_H

#include "host/api_key.h"
#include "host/loop.h"
#include "host/rate.h"
#include "host/trace.h"

#include <jansson.h>

#define HOST_HTTP_ROUTES_MAX 128u
#define HOST_HTTP_PARAMS_MAX 4u

#define HOST_CORS_ORIGINS_MAX 16u

struct host_http_server;
struct host_http_exchange;
typedef void host_http_handler(void *context, struct host_http_exchange *exchange);

/* Zeros mean the default in brackets. */
struct host_http_server_options {
	const char *address;             /* numeric, IPv4 or IPv6 ["127.0.0.1"] */
	uint16_t port;                   /* 0: any free one */
	uint32_t connections_max;        /* [256] */
	uint32_t connections_per_ip_max; /* [0: no such bound] */
	uint64_t body_size_max;          /* [1 MiB] */
	uint64_t receive_timeout_ms; /* from a request's first byte to its last: slow drips are cut
					[10,000] */
	uint64_t idle_timeout_s;     /* of a kept connection [60] */
	uint32_t streams_max;        /* replies that go on, each on a connection [64] */
	bool etags; /* JSON of a GET has an ETag, and 304 answers who has it (RFC 9110, 13.1.2) */
	/* Pages of these origins may read the answers (WHATWG Fetch, 3.2), compared byte by byte; never
	 * with credentials, which are cookies: an API key is a header that the page itself sends. */
	const char *const *cors_origins; /* kept by the caller */
	size_t cors_origin_count;
	uint64_t
		reply_timeout_ms; /* from the last byte to the handler's reply, then 504 [60,000] */
	const struct host_api_keys
		*keys; /* kept by the caller; NULL: routes with scopes refuse everybody */
	const char *const *scope_names; /* by bit, then NULL: for refusals; NULL: they name none */
	/* How often one may ask: an API key that is known here, else an address. Above it: 429 with
	 * Retry-After, whatever was asked, and nothing is done [no limit]. */
	struct host_rate_terms rate;
	/* After every request: for logs and metrics. May be NULL. */
	void (*observe)(void *context, const struct host_http_exchange *exchange, int status,
			uint64_t took_us);
	void *observe_context;
};

/* IO: cannot bind. */
CS_NODISCARD enum cs_err host_http_server_new(struct host_http_server **server,
					      struct host_loop *loop,
					      const struct host_http_server_options *options,
					      struct cs_why *why);
uint16_t host_http_server_port(const struct host_http_server *server);
/* Other terms, from the next request on. */
void host_http_server_set_rate(struct host_http_server *server, struct host_rate_terms terms);
/* How many requests were refused for it: of keys, and of addresses. */
struct host_http_limited {
	uint64_t by_key;
	uint64_t by_address;
};
struct host_http_limited host_http_server_limited(const struct host_http_server *server);

/* In the place of scopes: open to everybody, and as often as they like. For health and figures. */
#define HOST_HTTP_UNLIMITED (UINT32_C(1) << 31)

/* pattern: "/v1/messages/{id}"; a parameter is a whole segment, not empty, percent-decoded. All
 * before the loop runs; FULL, MALFORMED and DUPLICATE are bugs of the caller. scopes: bits that the
 * API key needs, 0: open to everybody. HEAD is answered where GET is. "/list?limit&state" takes these
 * names in its query, each once, and answers 400 to others; without a ? a query is the handler's. An unknown path is 404, a
 * known path with another method 405 with Allow, both as problem+json. */
void host_http_server_route(struct host_http_server *server, const char *method,
			    const char *pattern, uint32_t scopes, host_http_handler *handler,
			    void *context);

/* A route as it was made, for those who describe them all. */
struct host_http_route_terms {
	const char *method;
	const char *pattern;
	const char *query; /* names, by &; NULL: a query is the handler's */
	uint32_t scopes;
};
/* In the order of their making; false: there is none of this index. Views, until the server is freed. */
bool host_http_server_route_terms(const struct host_http_server *server, uint32_t index,
				  struct host_http_route_terms *terms);

/* Takes no new connection; answers what is under way, each with Connection: close; then calls
 * drained once. */
void host_http_server_drain(struct host_http_server *server, host_call *drained, void *context);
/* Cuts what is under way. Exchanges that handlers still keep stay valid until they are replied to.
 * Not inside a handler or observe; inside drained it is allowed. NULL is allowed. */
void host_http_server_free(struct host_http_server *server);

/* ---- the request, as the handler sees it; valid until the reply ---- */
const char *host_http_method(const struct host_http_exchange *exchange);
/* Percent-decoding is not applied; without the query. */
const char *host_http_path(const struct host_http_exchange *exchange);
/* The route's pattern: for metrics; "" when no route matched. */
const char *host_http_pattern(const struct host_http_exchange *exchange);
/* By its name in the pattern; never NULL. */
const char *host_http_param(const struct host_http_exchange *exchange, const char *name);
/* NULL when absent, "" when empty; the first where it is repeated. Decoded. */
const char *host_http_query(const struct host_http_exchange *exchange, const char *name);
const char *host_http_request_header(const struct host_http_exchange *exchange, const char *name);
/* traceparent and the tracestates, as host/trace.h gives them; no parent where there is none, more than one, or
 * none that is right: the request is answered all the same (W3C Trace Context, 2.3). */
void host_http_request_trace(const struct host_http_exchange *exchange, struct host_trace *trace);
struct cs_bytes host_http_body(const struct host_http_exchange *exchange);
/* The body as JSON: one value, no duplicate names, nothing after it. MALFORMED says where; free
 * with json_decref. */
CS_NODISCARD enum cs_err host_http_body_json(const struct host_http_exchange *exchange,
					     json_t **root, struct cs_why *why);
/* Whose key it was; NULL on a route without scopes. */
const struct host_api_key *host_http_key(const struct host_http_exchange *exchange);

/* ---- the reply: exactly one per exchange, now or later; the exchange is gone after it ---- */
/* Before the reply; at most 8; value without line breaks, copied. */
void host_http_reply_header(struct host_http_exchange *exchange, const char *name,
			    const char *value);
/* 200 with JSON whose SHA-256 is known, so that its ETag costs nothing. The body is copied. */
void host_http_reply_hashed(struct host_http_exchange *exchange, struct cs_bytes body,
			    const struct cs_hash *sha256);
/* The body is copied. */
void host_http_reply(struct host_http_exchange *exchange, int status, const char *content_type,
		     struct cs_bytes body);
/* 200 with what never changes while the process runs: it has an ETag whatever the options say, and is asked
 * for again each time. */
void host_http_reply_file(struct host_http_exchange *exchange, const char *content_type,
			  struct cs_bytes body);
/* As replies have it: compact, in ASCII; takes root (one reference), free() it. */
char *host_json_text(json_t *root);
/* Takes root (one reference). */
void host_http_reply_json(struct host_http_exchange *exchange, int status, json_t *root);
/* RFC 9457 application/problem+json from err.def: type "urn:caisson:error:<name>", title the
 * sentence, status, code the name, detail when not NULL or "", retry whether the same request may
 * succeed later. */
void host_http_reply_problem(struct host_http_exchange *exchange, enum cs_err err,
			     const char *detail);

/* ---- or one that goes on: server-sent events ---- */
struct host_http_stream;

/* Inside the handler alone: 200, and then what is sent, chunk by chunk. closed: the client went away, or
 * the server ends; the stream is gone with it. FULL: streams_max are open, the exchange still waits for
 * its reply. */
CS_NODISCARD enum cs_err host_http_reply_stream(struct host_http_stream **stream,
						struct host_http_exchange *exchange,
						const char *content_type, host_call *closed,
						void *context);
/* Copied. A client that went away is noticed by what is sent to it: a silent stream wants a word now and
 * then. */
void host_http_stream_send(struct host_http_stream *stream, struct cs_bytes bytes);
/* Bytes that nobody took yet: a producer that can pause does so. */
uint64_t host_http_stream_queued(const struct host_http_stream *stream);
/* For how long nothing was taken of what waits; 0: nothing waits. */
uint64_t host_http_stream_stalled_ms(const struct host_http_stream *stream);
/* Drops what waits, but the rest of what is being sent; `last` (it may be empty) follows, and the end.
 * The stream is the caller's no more, and closed is not called. A client that does not take that either
 * is cut after idle_timeout_s. */
void host_http_stream_end(struct host_http_stream *stream, struct cs_bytes last);

#endif
