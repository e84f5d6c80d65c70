/* HTTP requests without waiting: libcurl's multi interface on the loop, connections kept alive.
 * Speaks only to the origins that were allowed, or to any whose address is; follows no redirect, reads
 * no proxy from the environment, and bounds every answer. */
#ifndef HOST_HTTP_CLIENT_H
#define HOST_HTTP_CLIENT_H

#include "host/loop.h"

struct sockaddr;

#define HOST_HTTP_ORIGINS_MAX 64u
#define HOST_HTTP_HEADERS_MAX 16u

struct host_http_client;

/* Zeros mean the default in brackets. */
struct host_http_client_options {
	uint32_t calls_max;                /* in flight, waiting ones included [512] */
	uint32_t connections_per_host_max; /* [16] */
	const char *ca_file;               /* PEM; NULL: the system's */
	/* In place of origins: may this address be connected to? Asked of the very address that is
	 * connected, so that a name that changes its mind in between gains nothing. */
	bool (*allowed)(void *context, const struct sockaddr *address);
	void *allowed_context;
};

struct host_http_client *host_http_client_new(struct host_loop *loop,
					      const struct host_http_client_options *options);
/* Calls in flight end without their callback. NULL is allowed. */
void host_http_client_free(struct host_http_client *client);

/* MALFORMED: what host_http_send would not take as a URL. https: it begins so; host: of the one that
 * libcurl would connect to, without brackets. */
CS_NODISCARD enum cs_err host_http_url_parts(const char *url, bool *https, char *host, size_t size);
/* Allows the scheme, host and port of an http or https URL; what follows them is not looked at.
 * MALFORMED for another URL (one with user or password too), FULL after HOST_HTTP_ORIGINS_MAX. */
CS_NODISCARD enum cs_err host_http_client_allow(struct host_http_client *client, const char *url,
						struct cs_why *why);

struct host_http_header {
	const char *name;
	const char *value;
};

struct host_http_request {
	const char *method; /* NULL: POST with a body, GET without */
	const char *url;
	struct host_http_header
		headers[HOST_HTTP_HEADERS_MAX]; /* the first without a name ends them */
	struct cs_bytes body;                   /* copied */
	uint64_t timeout_ms;        /* the whole call, waiting for a connection included [10,000] */
	uint64_t response_size_max; /* [4 MiB] */
};

struct host_http_response {
	enum cs_err err;      /* OK: there is a status, whatever it is. TIMEOUT, TOO_LARGE, CLOSED,
				 UNAVAILABLE (no connection), FORBIDDEN (its addresses are), IO */
	const char *why;      /* for people, never NULL */
	int status;           /* 0 on failure */
	struct cs_bytes body; /* terminated by a zero that is not counted; empty on failure */
	uint64_t took_us;
	void *curl; /* for host_http_response_header */
};
typedef void host_http_done(void *context, const struct host_http_response *response);

/* *id (never 0) is for cancel and may be NULL. FORBIDDEN: an origin that was not allowed; FULL:
 * calls_max; MALFORMED: URL, method, or a header with a line break. On failure done is not called.
 */
CS_NODISCARD enum cs_err host_http_send(struct host_http_client *client, uint64_t *id,
					const struct host_http_request *request,
					host_http_done *done, void *context);
/* done will not be called. False: there is no such call any more. */
bool host_http_cancel(struct host_http_client *client, uint64_t id);
/* Inside done: the last header of this name, NULL without one. */
const char *host_http_response_header(const struct host_http_response *response, const char *name);
uint32_t host_http_calls_in_flight(const struct host_http_client *client);

#endif
