#include "enclave/fetch/transfer.h"

#include "core/ct.h"
#include "enclave/fetch/heap.h"
#include "enclave/fetch/request.h"

#include <stdlib.h>
#include <string.h>

/* Any address: what libcurl connects to is a socket pair. */
#define NOWHERE "192.0.2.1"
#define BODY_CAPACITY_MIN 4096u

/* ---- refusals ---- */

static void refuse(struct transfer *t, enum wire_oracle_code code, const char *why)
{
	if (t->refusal == WIRE_ORACLE_OK) {
		t->refusal = code;
		t->why = why;
	}
}

static const char *head_why(enum wire_oracle_code code)
{
	return code == WIRE_ORACLE_TOO_LARGE ? "the response or its head is too large"
					     : "the head of the response is malformed";
}

/* What of libcurl's errors means that the peer's bytes were wrong; the rest is the connection. */
static enum wire_oracle_code code_of(const char **why, CURLcode result, const struct head *head)
{
	switch ((int)result) {
	case CURLE_OPERATION_TIMEDOUT:
		*why = "no connection in time";
		return WIRE_ORACLE_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_PEER_FAILED_VERIFICATION:
		*why = "the handshake failed";
		return WIRE_ORACLE_TLS;
	case CURLE_OUT_OF_MEMORY:
		/* What libcurl says about a header line of more than 100 KB. */
		if (head->ended)
			break;
		*why = head_why(WIRE_ORACLE_TOO_LARGE);
		return WIRE_ORACLE_TOO_LARGE;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_PARTIAL_FILE:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		*why = "the framing of the response is malformed";
		return WIRE_ORACLE_MALFORMED_RESPONSE;
	}
	*why = head->status != 0 ? "the response was cut" : "no connection, or it was cut";
	return head->status != 0 ? WIRE_ORACLE_MALFORMED_RESPONSE : WIRE_ORACLE_UNREACHABLE;
}

/* ---- what libcurl calls ---- */

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = context;
	(void)address;
	if (purpose != CURLSOCKTYPE_IPCXN)
		return CURL_SOCKET_BAD;
	const int fd = egress_open(&t->world->egress, &t->egress_id, cs_bytes_str(t->place.host),
				   t->place.port);
	if (fd < 0)
		refuse(t, WIRE_ORACLE_UNREACHABLE, "the proxy takes no connection");
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static void on_refused(void *context, uint64_t id, const char *why)
{
	struct transfer *t = context;
	if (t->reply.id == id)
		refuse(t, WIRE_ORACLE_TLS, why);
}

static CURLcode on_tls(CURL *easy, void *ctx, void *context)
{
	struct transfer *t = context;
	(void)easy;
	return tls_prepare(t->world->tls, ctx, t->place.host, on_refused, t, t->reply.id)
		       ? CURLE_OK
		       : CURLE_OUT_OF_MEMORY;
}

static SSL *connection_of(CURL *easy)
{
	const struct curl_tlssessioninfo *info = NULL;
	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL ||
	    info->backend != CURLSSLBACKEND_OPENSSL)
		return NULL;
	return info->internals;
}

/* On every connection, new or used, before a byte of the request leaves: its rules against the facts
 * of that connection. */
static int on_ready(void *context, char *ip, char *local_ip, int port, int local_port)
{
	struct transfer *t = context;
	(void)ip, (void)local_ip, (void)port, (void)local_port;
	memset(&t->head, 0, sizeof t->head);
	SSL *ssl = connection_of(t->easy);
	const struct tls_facts *facts = ssl == NULL ? NULL : tls_facts_of(ssl);
	if (facts == NULL) {
		refuse(t, WIRE_ORACLE_TLS, "nothing is known about the connection's certificate");
		return CURL_PREREQFUNC_ABORT;
	}
	tls_peer_release(t->peer);
	t->peer = tls_peer_of(ssl);
	const bool fresh = tls_is_fresh(ssl);
	bool old = false;
	const char *why = tls_judge(t->world->tls, facts, &t->request, &old);
	memset(&t->reply.evidence, 0, sizeof t->reply.evidence);
	tls_evidence(&t->reply.evidence, ssl, facts);
	const uint64_t ends_s = tls_ends_s(facts);
	if (t->reply.ends_s == 0 || ends_s < t->reply.ends_s)
		t->reply.ends_s = ends_s;
	t->reply.evidence.reused = !fresh;
	t->reply.evidence.redirected = t->moved;
	if (why == NULL)
		return CURL_PREREQFUNC_OK;
	/* Another handshake may bring another certificate. */
	if (!fresh && !t->fresh)
		t->renew = true;
	else
		refuse(t, WIRE_ORACLE_TLS, why);
	return CURL_PREREQFUNC_ABORT;
}

static size_t on_header(char *p, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	const size_t n = size * count;
	const enum wire_oracle_code code =
		head_line(&t->head, cs_bytes(p, n), t->request.limits.response_size_max);
	if (code == WIRE_ORACLE_OK)
		return n;
	refuse(t, code, head_why(code));
	return 0;
}

static bool grow(struct transfer *t, size_t size)
{
	size_t capacity = t->body_capacity == 0 ? BODY_CAPACITY_MIN : t->body_capacity;
	if (t->body_capacity == 0 && t->head.has_length && t->head.length > capacity)
		capacity = t->head.length;
	while (capacity < size)
		capacity *= 2;
	if (capacity == t->body_capacity)
		return true;
	uint8_t *larger = heap_realloc(t->body, capacity);
	if (larger == NULL)
		return false;
	t->body = larger;
	t->body_capacity = capacity;
	return true;
}

static size_t on_body(char *p, size_t size, size_t count, void *context)
{
	struct transfer *t = context;
	const size_t n = size * count;
	if (n > t->request.limits.response_size_max - t->body_size) {
		refuse(t, WIRE_ORACLE_TOO_LARGE, head_why(WIRE_ORACLE_TOO_LARGE));
		return 0;
	}
	/* The body of another status is counted and forgotten. */
	if (t->head.status == 200) {
		if (!grow(t, t->body_size + n)) {
			refuse(t, WIRE_ORACLE_UNREACHABLE, "no memory for the response");
			return 0;
		}
		memcpy(t->body + t->body_size, p, n);
	}
	t->body_size += n;
	return n;
}

/* ---- a place in the table ---- */

static bool set_up(struct transfer *t)
{
	int bad = 0;
	CURL *easy = t->easy;
#define SET(option, value) bad |= (int)curl_easy_setopt(easy, CURLOPT_##option, value)
	SET(PRIVATE, t);
	SET(SHARE, t->world->share);
	SET(NOSIGNAL, 1L);
	SET(PROTOCOLS_STR, "https");
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(SSL_VERIFYPEER, 1L);
	SET(SSL_VERIFYHOST, 2L);
	SET(SSL_CTX_FUNCTION, on_tls);
	SET(SSL_CTX_DATA, t);
	SET(OPENSOCKETFUNCTION, on_open);
	SET(OPENSOCKETDATA, t);
	SET(PREREQFUNCTION, on_ready);
	SET(PREREQDATA, t);
	SET(HEADERFUNCTION, on_header);
	SET(HEADERDATA, t);
	SET(WRITEFUNCTION, on_body);
	SET(WRITEDATA, t);
	SET(FOLLOWLOCATION, 0L);
	SET(PATH_AS_IS, 1L);
	SET(USERAGENT, "caisson");
	SET(MAXLIFETIME_CONN, (long)FETCH_EVIDENCE_AGE_MAX_S);
	/* Deadlines are ours: libcurl's begin anew with each hop. */
	SET(CONNECTTIMEOUT_MS, (long)FETCH_TOTAL_MS_MAX);
	return bad == 0;
}

struct transfer *transfer_new(struct transfer_world *world)
{
	struct transfer *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->world = world;
	t->easy = curl_easy_init();
	if (t->easy == NULL || !set_up(t)) {
		transfer_free(t);
		return NULL;
	}
	return t;
}

void transfer_free(struct transfer *t)
{
	if (t == NULL)
		return;
	transfer_end(t);
	curl_easy_cleanup(t->easy);
	free(t);
}

/* ---- a request ---- */

static void move_view(struct cs_bytes *view, uint8_t **at)
{
	if (view->n > 0)
		memcpy(*at, view->p, view->n);
	view->p = *at;
	*at += view->n;
}

/* One block for all, so that one wipe is enough. The target is copied into the place. */
static bool copy_request(struct transfer *t)
{
	struct fetch_request *r = &t->request;
	size_t size = r->host.name.n + r->body.n + 1;
	for (size_t i = 0; i < r->header_count; i++)
		size += r->headers[i].name.n + r->headers[i].value.n;
	for (size_t i = 0; i < r->host_count; i++)
		size += r->hosts[i].name.n;
	t->copy = malloc(size);
	if (t->copy == NULL)
		return false;
	t->copy_size = size;
	uint8_t *at = t->copy;
	move_view(&r->host.name, &at);
	move_view(&r->body, &at);
	for (size_t i = 0; i < r->header_count; i++) {
		move_view(&r->headers[i].name, &at);
		move_view(&r->headers[i].value, &at);
	}
	for (size_t i = 0; i < r->host_count; i++)
		move_view(&r->hosts[i].name, &at);
	memcpy(t->place.host, r->host.name.p, r->host.name.n);
	t->place.host[r->host.name.n] = '\0';
	t->place.port = r->host.port;
	memcpy(t->place.target, r->target.p, r->target.n);
	t->place.target[r->target.n] = '\0';
	r->target = CS_BYTES_NONE;
	return true;
}

enum cs_err transfer_begin(struct transfer *t, enum wire_oracle_code *code,
			   const struct fetch_request *request, uint64_t now_ms)
{
	struct fetch_limits *limits = &t->request.limits;
	*code = request_check(request, t->world->literals_allowed, t->world->private_allowed);
	t->reply.context = request->context;
	if (*code != WIRE_ORACLE_OK)
		return CS_OK;
	t->request = *request;
	if (!copy_request(t)) {
		memset(&t->request, 0, sizeof t->request);
		return CS_ERR_NO_MEMORY;
	}
	if (limits->response_size_max == 0)
		limits->response_size_max = FETCH_RESPONSE_SIZE_DEFAULT;
	if (limits->first_byte_ms == 0)
		limits->first_byte_ms = FETCH_FIRST_BYTE_MS_DEFAULT;
	if (limits->total_ms == 0)
		limits->total_ms = FETCH_TOTAL_MS_DEFAULT;
	t->post = request->post;
	t->end_by_ms = now_ms + limits->total_ms;
	return CS_OK;
}

/* ---- a hop ---- */

static bool append(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);
	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

/* "name: value"; "name;" is how libcurl is told to send an empty one. */
static bool append_header(struct curl_slist **list, const struct fetch_header *header)
{
	char line[256 + 2 + FETCH_HEADER_SIZE_MAX + 1];
	struct cs_buf buf;
	cs_buf_init(&buf, line, sizeof line);
	cs_put(&buf, header->name);
	cs_put(&buf, cs_bytes_str(header->value.n == 0 ? ";" : ": "));
	cs_put(&buf, header->value);
	cs_put_u8(&buf, 0);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	const bool good = append(list, line);
	cs_wipe(line, buf.n);
	return good;
}

/* What another origin is told: any of the others may hold a secret. */
static bool goes_anywhere(struct cs_bytes name)
{
	static const char *const harmless[] = {"accept", "accept-language", "user-agent"};
	for (size_t i = 0; i < CS_LEN(harmless); i++)
		if (cs_bytes_eq(name, cs_bytes_str(harmless[i])))
			return true;
	return false;
}

static bool make_headers(struct transfer *t)
{
	bool has_type = false;
	bool good = append(&t->headers, "accept-encoding: identity");
	for (size_t i = 0; i < t->request.header_count && good; i++) {
		const struct fetch_header *header = &t->request.headers[i];
		if (t->moved && !goes_anywhere(header->name))
			continue;
		has_type = has_type || cs_bytes_eq(header->name, cs_bytes_str("content-type"));
		good = append_header(&t->headers, header);
	}
	/* Else libcurl says that the body is a form. */
	return good && (!t->post || has_type || append(&t->headers, "content-type:"));
}

static bool make_resolve(struct transfer *t)
{
	char line[PLACE_HOST_SIZE_MAX + 32];
	struct cs_buf buf;
	cs_buf_init(&buf, line, sizeof line);
	cs_put_text(&buf, "+%s:%u:" NOWHERE, t->place.host, t->place.port);
	cs_put_u8(&buf, 0);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return append(&t->resolve, line);
}

static void end_hop(struct transfer *t)
{
	(void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(t->easy, CURLOPT_RESOLVE, NULL);
	(void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, NULL);
	tls_peer_release(t->peer);
	t->peer = NULL;
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->resolve);
	t->headers = NULL;
	t->resolve = NULL;
	memset(&t->head, 0, sizeof t->head);
	t->egress_id = 0;
	t->egress_status = WIRE_EGRESS_CONNECTED;
	t->renew = false;
	t->body_size = 0;
}

bool transfer_prepare(struct transfer *t, uint64_t now_ms)
{
	char url[PLACE_URL_SIZE_MAX + 1];
	int bad = 0;
	CURL *easy = t->easy;
	if (!make_headers(t) || !make_resolve(t))
		return false;
	place_url(url, &t->place);
	SET(URL, url);
	cs_wipe(url, sizeof url);
	SET(HTTPHEADER, t->headers);
	SET(RESOLVE, t->resolve);
	SET(FRESH_CONNECT, t->fresh ? 1L : 0L);
	SET(SSL_SESSIONID_CACHE, t->fresh ? 0L : 1L);
	if (t->post) {
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)t->request.body.n);
		SET(POSTFIELDS, t->request.body.p);
		SET(POST, 1L);
	} else {
		SET(HTTPGET, 1L);
	}
	t->first_byte_by_ms = now_ms + t->request.limits.first_byte_ms;
	return bad == 0;
}
#undef SET

static bool is_redirect(uint32_t status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static const char *follow(struct transfer *t)
{
	struct place to;
	const uint32_t status = t->head.status;
	if (!t->head.has_location)
		return "a redirect that leads nowhere";
	if (t->reply.redirects == FETCH_REDIRECTS_MAX)
		return "too many redirects";
	if (!place_redirect(&to, &t->place, t->head.location))
		return "a redirect to something other than https";
	bool allowed = place_is_same_origin(&to, &t->request.host);
	for (size_t i = 0; i < t->request.host_count; i++)
		allowed = allowed || place_is_same_origin(&to, &t->request.hosts[i]);
	if (!allowed)
		return "a redirect to a host that the source does not name";
	t->moved = !place_is_same_origin(&to, &t->request.host);
	/* As browsers do (RFC 9110, 15.4): 307 and 308 keep the method, the others make it a GET. */
	if (status != 307 && status != 308)
		t->post = false;
	if (t->post && t->moved)
		return "a redirect that would send the body to another host";
	t->place = to;
	t->reply.redirects++;
	return NULL;
}

static void answer(struct transfer *t, enum wire_oracle_code code, const char *why)
{
	t->reply.code = code;
	t->reply.status = t->head.status;
	t->reply.why = why;
	t->reply.evidence.code = code;
	t->reply.body = code == WIRE_ORACLE_OK ? cs_bytes(t->body, t->body_size) : CS_BYTES_NONE;
}

static void answer_failure(struct transfer *t, CURLcode result)
{
	const char *why = t->why;
	enum wire_oracle_code code = t->refusal;
	if (code == WIRE_ORACLE_OK && t->egress_status != WIRE_EGRESS_CONNECTED) {
		code = WIRE_ORACLE_UNREACHABLE;
		why = wire_egress_status_text(t->egress_status);
	} else if (code == WIRE_ORACLE_OK) {
		code = code_of(&why, result, &t->head);
	}
	answer(t, code, why);
}

bool transfer_connection_lives(const struct transfer *t)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	return curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
	       fd != CURL_SOCKET_BAD;
}

/* libcurl calls some responses complete that only stopped. */
static bool is_complete(struct transfer *t, bool connection_lives)
{
	const struct head *head = &t->head;
	if (!head->ended)
		return false;
	if (head->has_length)
		return t->body_size == head->length;
	if (head->chunked)
		return true;
	/* It ends with its stream, and a session that broke down takes the connection with it. A
	 * GOAWAY does so too: worth another connection. */
	if (head->version == 20) {
		t->renew = !connection_lives && !t->post;
		return connection_lives;
	}
	/* It ends with the connection, which the server must say itself (RFC 9112, 9.8). */
	return t->peer != NULL && tls_peer_ended(t->peer);
}

bool transfer_hop_done(struct transfer *t, CURLcode result, bool connection_lives, uint64_t now_ms)
{
	const bool complete = result == CURLE_OK && is_complete(t, connection_lives);
	bool again = t->renew && t->refusal == WIRE_ORACLE_OK && !t->fresh;
	if (again) {
		t->fresh = true;
	} else if (result != CURLE_OK || t->refusal != WIRE_ORACLE_OK) {
		answer_failure(t, result);
	} else if (!t->head.ended) {
		answer(t, WIRE_ORACLE_MALFORMED_RESPONSE, "the head of the response was cut");
	} else if (is_redirect(t->head.status)) {
		const char *why = follow(t);
		t->fresh = false;
		again = why == NULL;
		if (!again)
			answer(t, WIRE_ORACLE_REDIRECT, why);
	} else if (t->head.status != 200) {
		answer(t, WIRE_ORACLE_HTTP_STATUS, "the status is not 200");
	} else if (!complete) {
		answer(t, WIRE_ORACLE_MALFORMED_RESPONSE, "the response was cut");
	} else {
		answer(t, WIRE_ORACLE_OK, "");
	}
	if (!again)
		return false;
	end_hop(t);
	if (transfer_prepare(t, now_ms))
		return true;
	answer(t, WIRE_ORACLE_UNREACHABLE, "no memory");
	return false;
}

uint64_t transfer_deadline_ms(const struct transfer *t)
{
	return t->head.status == 0 && t->first_byte_by_ms < t->end_by_ms ? t->first_byte_by_ms
									 : t->end_by_ms;
}

void transfer_time_out(struct transfer *t)
{
	answer(t, WIRE_ORACLE_TIMEOUT,
	       t->head.status == 0 ? "no response in time" : "the response did not end in time");
}

void transfer_end(struct transfer *t)
{
	end_hop(t);
	(void)curl_easy_setopt(t->easy, CURLOPT_URL, NULL);
	if (t->copy != NULL)
		cs_wipe(t->copy, t->copy_size);
	free(t->copy);
	heap_free(t->body);
	cs_wipe(&t->place, sizeof t->place);
	t->copy = NULL;
	t->body = NULL;
	t->copy_size = t->body_size = t->body_capacity = 0;
	t->moved = t->fresh = t->post = false;
	t->refusal = WIRE_ORACLE_OK;
	t->why = NULL;
	memset(&t->request, 0, sizeof t->request);
	memset(&t->reply, 0, sizeof t->reply);
	t->state = TRANSFER_UNUSED;
}
