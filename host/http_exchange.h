/* One request and its reply, between libmicrohttpd and a handler: whoever of the two leaves last
 * frees it. Inside host/ only. */
#ifndef HOST_HTTP_EXCHANGE_H
#define HOST_HTTP_EXCHANGE_H

#include "host/http_server.h"

#include <microhttpd.h>

#define HOST_HTTP_PATTERN_MAX 96u
#define HOST_HTTP_REPLY_HEADERS_MAX 8u

struct host_http_route {
	char method[12];
	char pattern[HOST_HTTP_PATTERN_MAX];
	char query[HOST_HTTP_PATTERN_MAX]; /* names, by & */
	bool query_is_bound;
	bool is_unlimited;
	uint32_t scopes;
	host_http_handler *handler;
	void *context;
};

struct host_http_exchange {
	struct host_http_server *server; /* NULL: the connection is gone */
	struct host_http_exchange *prev;
	struct host_http_exchange *next;
	struct MHD_Connection *mhd;
	struct host_http_route route; /* a copy: the server may be freed first */
	const struct host_api_key
		*key; /* NULL, or of_key: the table changes while a reply is awaited */
	struct host_api_key of_key;
	uint64_t began_us;
	uint64_t handled_ms;
	/* Method, path, then name and value of each query argument and header, each ended by a
	 * zero. */
	char *text;
	size_t text_size;
	size_t path_at;
	size_t query_at;
	size_t headers_at;
	char params[HOST_HTTP_PARAMS_MAX][2][256]; /* name, value */
	uint32_t param_count;
	uint8_t *body;
	size_t body_size;
	size_t body_room;
	uint64_t body_size_max;
	uint64_t body_left_out;
	bool preflight; /* a browser asks for a page what it may send */
	enum cs_err refused;
	int refused_status; /* 0: the error's own */
	/* What makes another reader see another request (RFC 9112, 6.3 and 11.2), or NULL: it is
	 * refused, and its connection closed. */
	const char *broken;
	int status;
	struct MHD_Response *response;   /* made, not yet queued */
	struct host_http_stream *stream; /* what the response reads from, or NULL */
	bool is_file;                    /* the reply has an ETag in any case */
	const struct cs_hash *body_hash; /* while it is made: SHA-256, or NULL */
	uint32_t header_count;
	char *headers[HOST_HTTP_REPLY_HEADERS_MAX][2];
	bool handler_holds; /* a handler has it and has not replied */
	bool mhd_holds;
	bool in_handler;
	bool suspended;
	bool resumed;
	bool replied;
};

struct host_http_exchange *host_http_exchange_new(struct MHD_Connection *mhd, const char *method,
						  const char *path);
/* Takes a piece of the body. False: the sender goes on far beyond the bound, cut it. */
bool host_http_exchange_body(struct host_http_exchange *exchange, const char *p, size_t n);
/* The connection has ended or goes on with the next request. */
void host_http_exchange_gone(struct host_http_exchange *exchange);
/* The handler took too long: 504 for the client, the handler's reply will be dropped. */
void host_http_exchange_expire(struct host_http_exchange *exchange);
/* The server's half of a resumption: without threads of its own libmicrohttpd must be run for it. */
void host_http_server_wake(struct host_http_server *server);
/* Whether replies have ETags. */
bool host_http_server_has_etags(const struct host_http_server *server);
/* Whether one more reply may go on. */
bool host_http_server_has_room(const struct host_http_server *server);
/* The JSON of a problem, malloc'd; detail may be NULL. */
char *host_http_problem_text(int status, enum cs_err err, const char *detail);
/* status 0: the error's own. */
void host_http_reply_problem_status(struct host_http_exchange *exchange, int status,
				    enum cs_err err, const char *detail);
/* Fills the exchange's parameters. NOT_FOUND; with allow not empty, the path exists for those
 * methods only. */
CS_NODISCARD enum cs_err host_http_route_find(const struct host_http_route **found, char allow[64],
					      const struct host_http_route *routes, uint32_t count,
					      struct host_http_exchange *exchange);
/* UNKNOWN_FIELD: the query has a name twice, or one that is not in the list ("a&b"; "": none may be);
 * why begins with the name. */
CS_NODISCARD enum cs_err host_http_query_check(const struct host_http_exchange *exchange,
					       const char *names, struct cs_why *why);
/* The same for one name that was found wanting: UNKNOWN_FIELD. */
CS_NODISCARD enum cs_err host_http_query_refuse(const char *name, bool is_twice,
						struct cs_why *why);
/* Decodes %XX of n characters into text[size], terminated. MALFORMED: a bad escape, a zero, or no
 * room. */
CS_NODISCARD enum cs_err host_http_decode(char *text, size_t size, const char *p, size_t n,
					  bool plus_is_space);

#endif
