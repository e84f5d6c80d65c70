#include "host/http_exchange.h"

#include "core/hash.h"
#include "host/alloc.h"
#include "host/http_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the request ---- */

static void add_text(struct host_http_exchange *e, const char *p, size_t n)
{
	e->text = host_grow(e->text, e->text_size + n + 1);
	if (n > 0)
		memcpy(e->text + e->text_size, p, n);
	e->text[e->text_size + n] = 0;
	e->text_size += n + 1;
}

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	struct host_http_exchange *e = context;
	(void)kind;
	add_text(e, name, strlen(name));
	add_text(e, value != NULL ? value : "", value != NULL ? strlen(value) : 0);
	return MHD_YES;
}

/* RFC 9110, 5.6.2 */
static bool is_token(const char *text)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	for (const char *p = text; *p != 0; p++) {
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
		if (!letter && (*p < '0' || *p > '9') && strchr(marks, *p) == NULL)
			return false;
	}
	return text[0] != 0;
}

static const char *find(const struct host_http_exchange *e, size_t at, size_t end, const char *name,
			int (*compare)(const char *a, const char *b));

/* What one proxy reads in one way and another one in another. */
static void check_headers(struct host_http_exchange *e)
{
	static const char *const once[] = {"host", "content-length", "transfer-encoding",
					   "authorization", "idempotency-key"};
	for (size_t at = e->headers_at; at < e->text_size;) {
		const char *name = e->text + at;
		const char *value = name + strlen(name) + 1;
		at = (size_t)(value - e->text) + strlen(value) + 1;
		if (!is_token(name))
			e->broken = "a header's name is not a token";
		for (size_t i = 0; i < CS_LEN(once); i++)
			if (strcasecmp(name, once[i]) == 0 &&
			    find(e, at, e->text_size, name, strcasecmp) != NULL)
				e->broken = "a header that may be there once is there twice";
	}
	const char *coding = host_http_request_header(e, "transfer-encoding");
	if (coding != NULL && strcasecmp(coding, "chunked") != 0)
		e->broken = "Transfer-Encoding: only chunked is known here";
	else if (coding != NULL && host_http_request_header(e, "content-length") != NULL)
		e->broken = "Content-Length and Transfer-Encoding exclude each other";
}

static enum MHD_Result add_query(void *context, enum MHD_ValueKind kind, const char *name,
				 const char *value)
{
	struct host_http_exchange *e = context;
	char *decoded[2] = {NULL, NULL};
	const char *given[2] = {name, value != NULL ? value : ""};
	(void)kind;
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(given[i]);
		decoded[i] = host_alloc(n + 1);
		if (host_http_decode(decoded[i], n + 1, given[i], n, true) != CS_OK)
			e->refused = CS_ERR_MALFORMED;
	}
	add_header(e, kind, decoded[0], decoded[1]);
	free(decoded[0]);
	free(decoded[1]);
	return MHD_YES;
}

struct host_http_exchange *host_http_exchange_new(struct MHD_Connection *mhd, const char *method,
						  const char *path)
{
	struct host_http_exchange *e = host_alloc(sizeof *e);
	e->mhd = mhd;
	e->mhd_holds = true;
	e->began_us = host_now_us();
	/* MHD's memory of the connection is bounded, so this copy is. */
	add_text(e, method, strlen(method));
	e->path_at = e->text_size;
	add_text(e, path, strlen(path));
	e->query_at = e->text_size;
	MHD_get_connection_values(mhd, MHD_GET_ARGUMENT_KIND, add_query, e);
	e->headers_at = e->text_size;
	MHD_get_connection_values(mhd, MHD_HEADER_KIND, add_header, e);
	check_headers(e);
	return e;
}

bool host_http_exchange_body(struct host_http_exchange *e, const char *p, size_t n)
{
	if (e->refused != CS_OK || n > e->body_size_max - e->body_size) {
		if (e->refused == CS_OK)
			e->refused = CS_ERR_TOO_LARGE;
		/* Read on for a while: an answer before the end of the body is lost on many
		 * clients. */
		e->body_left_out += n;
		return e->body_left_out <= e->body_size_max;
	}
	e->body = host_append(e->body, &e->body_size, &e->body_room, p, n);
	return true;
}

static void free_unheld(struct host_http_exchange *e)
{
	if (e->handler_holds || e->mhd_holds)
		return;
	for (uint32_t i = 0; i < e->header_count; i++) {
		free(e->headers[i][0]);
		free(e->headers[i][1]);
	}
	if (e->response != NULL)
		MHD_destroy_response(e->response);
	free(e->text);
	free(e->body);
	free(e);
}

void host_http_exchange_gone(struct host_http_exchange *e)
{
	e->mhd = NULL;
	e->mhd_holds = false;
	free_unheld(e);
}

const char *host_http_method(const struct host_http_exchange *e)
{
	return e->text;
}

const char *host_http_path(const struct host_http_exchange *e)
{
	return e->text + e->path_at;
}

const char *host_http_pattern(const struct host_http_exchange *e)
{
	return e->route.pattern;
}

const char *host_http_param(const struct host_http_exchange *e, const char *name)
{
	for (uint32_t i = 0; i < e->param_count; i++)
		if (strcmp(e->params[i][0], name) == 0)
			return e->params[i][1];
	cs_bug("a parameter that the pattern does not have", __FILE__, __LINE__);
}

static const char *find(const struct host_http_exchange *e, size_t at, size_t end, const char *name,
			int (*compare)(const char *a, const char *b))
{
	while (at < end) {
		const char *key = e->text + at;
		const char *value = key + strlen(key) + 1;
		if (compare(key, name) == 0)
			return value;
		at = (size_t)(value - e->text) + strlen(value) + 1;
	}
	return NULL;
}

const char *host_http_query(const struct host_http_exchange *e, const char *name)
{
	return find(e, e->query_at, e->headers_at, name, strcmp);
}

const char *host_http_request_header(const struct host_http_exchange *e, const char *name)
{
	return find(e, e->headers_at, e->text_size, name, strcasecmp);
}

/* The value of the header's next one from there on, NULL: none; *at goes behind it. */
static const char *next_header(const struct host_http_exchange *e, const char *name, size_t *at)
{
	const char *value = find(e, *at, e->text_size, name, strcasecmp);
	if (value != NULL)
		*at = (size_t)(value - e->text) + strlen(value) + 1;
	return value;
}

static void read_tracestate(const struct host_http_exchange *e, char state[HOST_TRACESTATE_SIZE])
{
	const char *value;
	for (size_t at = e->headers_at; (value = next_header(e, "tracestate", &at)) != NULL;) {
		if (host_tracestate_add(state, value) == CS_OK)
			continue;
		state[0] = 0;
		return;
	}
}

void host_http_request_trace(const struct host_http_exchange *e, struct host_trace *trace)
{
	size_t at = e->headers_at;
	const char *parent = next_header(e, "traceparent", &at);
	bool twice = parent != NULL && next_header(e, "traceparent", &at) != NULL;
	host_trace_read(trace, twice ? NULL : parent, NULL);
	if (trace->parent[0])
		read_tracestate(e, trace->state);
}

static bool is_listed(const char *names, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = names; *at != 0; at += strcspn(at, "&"), at += *at == '&')
		if (strcspn(at, "&") == n && memcmp(at, name, n) == 0)
			return true;
	return false;
}

/* Of a name that may be anything: so much, and of that what can be printed (ASCII). */
#define SHOWN_MAX 64u

enum cs_err host_http_query_refuse(const char *name, bool is_twice, struct cs_why *why)
{
	char shown[SHOWN_MAX + 1];
	(void)snprintf(shown, sizeof shown, "%s", name);
	for (char *p = shown; *p != 0; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return cs_fail(why, CS_ERR_UNKNOWN_FIELD, "%s: the query has it %s", shown,
		       is_twice ? "twice" : "and the route does not take it");
}

enum cs_err host_http_query_check(const struct host_http_exchange *e, const char *names,
				  struct cs_why *why)
{
	for (size_t at = e->query_at; at < e->headers_at;) {
		const char *name = e->text + at;
		const char *value = name + strlen(name) + 1;
		at = (size_t)(value - e->text) + strlen(value) + 1;
		bool is_taken = is_listed(names, name);
		if (!is_taken || find(e, at, e->headers_at, name, strcmp) != NULL)
			return host_http_query_refuse(name, is_taken, why);
	}
	return CS_OK;
}

struct cs_bytes host_http_body(const struct host_http_exchange *e)
{
	return cs_bytes(e->body != NULL ? (const void *)e->body : "", e->body_size);
}

enum cs_err host_http_body_json(const struct host_http_exchange *e, json_t **root,
				struct cs_why *why)
{
	json_error_t error;
	struct cs_bytes body = host_http_body(e);
	json_t *parsed = json_loadb((const char *)body.p, body.n, JSON_REJECT_DUPLICATES, &error);
	if (parsed == NULL)
		return cs_fail(why, CS_ERR_MALFORMED,
			       "the body is not JSON: %.100s (line %d, column %d)", error.text,
			       error.line, error.column);
	*root = parsed;
	return CS_OK;
}

const struct host_api_key *host_http_key(const struct host_http_exchange *e)
{
	return e->key;
}

/* ---- routes ---- */

enum cs_err host_http_decode(char *text, size_t size, const char *p, size_t n, bool plus_is_space)
{
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)p[i];
		if (c == '%') {
			if (n - i < 3 || cs_unhex(&c, 1, cs_bytes(p + i + 1, 2)) != CS_OK)
				return CS_ERR_MALFORMED;
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c == 0 || at + 1 >= size)
			return CS_ERR_MALFORMED;
		text[at++] = (char)c;
	}
	if (size > 0)
		text[at] = 0;
	return CS_OK;
}

static bool match_param(struct host_http_exchange *e, const char *name, size_t name_size,
			const char *value, size_t value_size)
{
	cs_assert(name_size > 2 && name[name_size - 1] == '}' &&
		  e->param_count < HOST_HTTP_PARAMS_MAX);
	char(*param)[256] = e->params[e->param_count];
	if (value_size == 0 ||
	    host_http_decode(param[1], sizeof param[1], value, value_size, false) != CS_OK)
		return false;
	(void)snprintf(param[0], sizeof param[0], "%.*s", (int)(name_size - 2), name + 1);
	e->param_count++;
	return true;
}

/* Segment by segment. */
static bool match(struct host_http_exchange *e, const char *pattern, const char *path)
{
	e->param_count = 0;
	while (*pattern == '/' && *path == '/') {
		pattern++;
		path++;
		size_t pattern_size = strcspn(pattern, "/");
		size_t path_size = strcspn(path, "/");
		if (pattern[0] == '{') {
			if (!match_param(e, pattern, pattern_size, path, path_size))
				return false;
		} else if (pattern_size != path_size || memcmp(pattern, path, path_size) != 0) {
			return false;
		}
		pattern += pattern_size;
		path += path_size;
	}
	return *pattern == 0 && *path == 0;
}

static void add_allowed(char allow[64], const char *method)
{
	size_t n = strlen(allow);
	if (strstr(allow, method) == NULL)
		(void)snprintf(allow + n, 64 - n, "%s%s", n > 0 ? ", " : "", method);
}

enum cs_err host_http_route_find(const struct host_http_route **found, char allow[64],
				 const struct host_http_route *routes, uint32_t count,
				 struct host_http_exchange *e)
{
	const char *method = host_http_method(e);
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	allow[0] = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (!match(e, routes[i].pattern, host_http_path(e)))
			continue;
		if (strcmp(routes[i].method, method) == 0) {
			allow[0] = 0;
			*found = &routes[i];
			return e->refused;
		}
		add_allowed(allow, routes[i].method);
	}
	e->param_count = 0;
	return allow[0] != 0 ? CS_ERR_UNSUPPORTED : CS_ERR_NOT_FOUND;
}

/* ---- the reply ---- */

void host_http_reply_header(struct host_http_exchange *e, const char *name, const char *value)
{
	cs_assert(e->header_count < HOST_HTTP_REPLY_HEADERS_MAX);
	cs_assert(strpbrk(name, "\r\n") == NULL && strpbrk(value, "\r\n") == NULL);
	e->headers[e->header_count][0] = host_text(name);
	e->headers[e->header_count][1] = host_text(value);
	e->header_count++;
}

/* content_type NULL: there is no content. */
static void make_response(struct host_http_exchange *e, int status, const char *content_type,
			  struct MHD_Response *response)
{
	cs_assert(response != NULL);
	e->status = status;
	e->response = response;
	if (content_type != NULL)
		cs_assert(MHD_add_response_header(e->response, "Content-Type", content_type) ==
			  MHD_YES);
	(void)MHD_add_response_header(e->response, "X-Content-Type-Options", "nosniff");
	for (uint32_t i = 0; i < e->header_count; i++)
		cs_assert(MHD_add_response_header(e->response, e->headers[i][0],
						  e->headers[i][1]) == MHD_YES);
}

/* Of a list of entity tags, with or without W/, or *. */
static bool names_tag(const char *list, const char *tag)
{
	size_t n = strlen(tag);
	for (const char *at = list + strspn(list, " \t,"); *at != 0; at += strspn(at, " \t,")) {
		size_t size = strcspn(at, " \t,");
		const char *text = size > 2 && memcmp(at, "W/", 2) == 0 ? at + 2 : at;
		if ((size == 1 && *at == '*') ||
		    ((size_t)(at + size - text) == n && memcmp(text, tag, n) == 0))
			return true;
		at += size;
	}
	return false;
}

/* Adds the tag; true: the client has this already. */
static bool is_known(struct host_http_exchange *e, int status, const char *content_type,
		     struct cs_bytes body)
{
	char tag[35];
	const char *method = host_http_method(e);
	bool is_tagged = e->is_file ||
			 (e->server != NULL && host_http_server_has_etags(e->server) &&
			  content_type != NULL && strcmp(content_type, "application/json") == 0);
	if (!is_tagged || status != 200 ||
	    (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0))
		return false;
	const struct cs_hash hash = e->body_hash != NULL ? *e->body_hash : cs_sha256(body);
	cs_hex(tag + 1, cs_bytes(hash.b, 16));
	tag[0] = '"';
	tag[33] = '"';
	tag[34] = 0;
	host_http_reply_header(e, "ETag", tag);
	const char *wanted = host_http_request_header(e, "if-none-match");
	return wanted != NULL && names_tag(wanted, tag);
}

void host_http_reply(struct host_http_exchange *e, int status, const char *content_type,
		     struct cs_bytes body)
{
	cs_assert(e->handler_holds && status >= 200 && status < 600);
	e->handler_holds = false;
	/* The client may have gone, or been told 504. */
	if (e->mhd_holds && !e->replied) {
		e->replied = true;
		if (is_known(e, status, content_type, body)) {
			status = MHD_HTTP_NOT_MODIFIED;
			content_type = NULL;
			body = CS_BYTES_NONE;
		}
		make_response(e, status, content_type,
			      MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p,
							      MHD_RESPMEM_MUST_COPY));
		if (e->suspended && !e->resumed) {
			e->resumed = true;
			MHD_resume_connection(e->mhd);
			host_http_server_wake(e->server);
		}
	}
	free_unheld(e);
}

void host_http_reply_hashed(struct host_http_exchange *e, struct cs_bytes body,
			    const struct cs_hash *sha256)
{
	e->body_hash = sha256;
	host_http_reply(e, 200, "application/json", body);
}

void host_http_reply_file(struct host_http_exchange *e, const char *content_type,
			  struct cs_bytes body)
{
	e->is_file = true;
	host_http_reply_header(e, "Cache-Control", "no-cache");
	host_http_reply(e, 200, content_type, body);
}

void host_http_exchange_expire(struct host_http_exchange *e)
{
	/* The reply below lets go of it for the handler, who still has it. */
	host_http_reply_problem(e, CS_ERR_TIMEOUT, "no answer was ready in time");
	e->handler_holds = true;
}

char *host_json_text(json_t *root)
{
	char *text = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	json_decref(root);
	cs_assert(text != NULL);
	return text;
}

void host_http_reply_json(struct host_http_exchange *e, int status, json_t *root)
{
	char *text = host_json_text(root);
	host_http_reply(e, status, "application/json", cs_bytes_str(text));
	free(text);
}

char *host_http_problem_text(int status, enum cs_err err, const char *detail)
{
	char type[80];
	(void)snprintf(type, sizeof type, "urn:caisson:error:%s", cs_err_name(err));
	json_t *root = json_pack("{s:s,s:s,s:i,s:s,s:b}", "type", type, "title",
				 cs_err_sentence(err), "status", status, "code", cs_err_name(err),
				 "retry", (int)cs_err_may_retry(err));
	cs_assert(root != NULL);
	if (detail != NULL && detail[0] != 0) {
		/* What a person wrote into it may not be UTF-8. */
		json_t *text = json_string(detail);
		if (text != NULL)
			cs_assert(json_object_set_new(root, "detail", text) == 0);
	}
	char *text = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(root);
	cs_assert(text != NULL);
	return text;
}

void host_http_reply_problem_status(struct host_http_exchange *e, int status, enum cs_err err,
				    const char *detail)
{
	if (status == 0)
		status = cs_err_http_status(err);
	char *text = host_http_problem_text(status, err, detail);
	host_http_reply(e, status, "application/problem+json", cs_bytes_str(text));
	free(text);
}

void host_http_reply_problem(struct host_http_exchange *e, enum cs_err err, const char *detail)
{
	host_http_reply_problem_status(e, 0, err, detail);
}

enum cs_err host_http_reply_stream(struct host_http_stream **stream, struct host_http_exchange *e,
				   const char *content_type, host_call *closed, void *context)
{
	cs_assert(e->in_handler && e->handler_holds);
	if (!host_http_server_has_room(e->server))
		return CS_ERR_FULL;
	e->handler_holds = false;
	e->replied = true;
	make_response(e, 200, content_type, host_http_stream_new(&e->stream, e, closed, context));
	*stream = e->stream;
	return CS_OK;
}
