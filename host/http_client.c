#include "host/http_client.h"

#include "host/alloc.h"
#include "host/loop_inner.h"
#include "host/url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CALLS_MAX 512u
#define CONNECTIONS_PER_HOST_MAX 16u
#define TIMEOUT_MS 10000u
#define RESPONSE_SIZE_MAX (4u * 1024u * 1024u)
/* All header lines of one answer. */
#define HEAD_SIZE_MAX (64u * 1024u)
/* "https://" + host of 255 + ":65535" */
#define ORIGIN_SIZE_MAX 280u
#define IDLE_EASY_MAX 32u

struct call {
	struct host_http_client *client;
	struct call *prev;
	struct call *next;
	uint64_t id; /* 0: the slot is free */
	CURL *easy;
	CURLU *url;
	struct curl_slist *headers;
	uint8_t *body; /* of the request */
	struct host_timer *timer;
	host_http_done *done;
	void *context;
	uint64_t started_us;
	uint64_t size_max;
	uint8_t *got;
	size_t got_size;
	size_t got_room;
	size_t head_size;
	bool too_large;
	bool timed_out;
	bool forbidden; /* an address of its host is */
	char text[CURL_ERROR_SIZE];
};

struct watch {
	uv_poll_t uv;
	struct host_http_client *client;
	curl_socket_t fd;
};

struct host_http_client {
	struct host_loop *loop;
	CURLM *multi;
	struct host_timer *timer;
	char *ca_file;
	bool (*allowed)(void *context, const struct sockaddr *address); /* NULL: by origins */
	void *allowed_context;
	uint32_t calls_max;
	uint32_t in_flight;
	uint64_t sequence;
	struct call *calls; /* calls_max slots: id = sequence * calls_max + slot */
	uint32_t *free_slots;
	uint32_t origin_count;
	char origins[HOST_HTTP_ORIGINS_MAX][ORIGIN_SIZE_MAX];
	uint32_t idle_count;
	CURL *idle[IDLE_EASY_MAX];
	uint32_t depth; /* callbacks of the owner on the stack */
	bool freed;
};

/* ---- origins ---- */

static enum cs_err url_part(char *part, size_t size, CURLU *url, CURLUPart what, unsigned flags)
{
	char *text = NULL;
	if (curl_url_get(url, what, &text, flags) != CURLUE_OK)
		return CS_ERR_MALFORMED;
	int n = snprintf(part, size, "%s", text);
	curl_free(text);
	return n >= 0 && (size_t)n < size ? CS_OK : CS_ERR_MALFORMED;
}

/* The origin of the very object that libcurl will use: no second parser that could see another
 * host. */
static enum cs_err origin_of(char origin[ORIGIN_SIZE_MAX], CURLU *url)
{
	char scheme[8];
	char host[256];
	char port[8];
	char *user = NULL;
	if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK) {
		curl_free(user);
		return CS_ERR_MALFORMED;
	}
	CS_TRY(url_part(scheme, sizeof scheme, url, CURLUPART_SCHEME, 0));
	CS_TRY(url_part(host, sizeof host, url, CURLUPART_HOST, 0));
	CS_TRY(url_part(port, sizeof port, url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		return CS_ERR_MALFORMED;
	for (char *c = host; *c != 0; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	int n = snprintf(origin, ORIGIN_SIZE_MAX, "%s://%s:%s", scheme, host, port);
	return n > 0 && (size_t)n < ORIGIN_SIZE_MAX ? CS_OK : CS_ERR_MALFORMED;
}

static enum cs_err parse_url(CURLU **parsed, char origin[ORIGIN_SIZE_MAX], const char *text)
{
	CURLU *url = curl_url();
	cs_assert(url != NULL);
	enum cs_err err = CS_ERR_MALFORMED;
	if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK)
		err = origin_of(origin, url);
	if (err == CS_OK)
		*parsed = url;
	else
		curl_url_cleanup(url);
	return err;
}

enum cs_err host_http_client_allow(struct host_http_client *client, const char *url,
				   struct cs_why *why)
{
	CURLU *parsed = NULL;
	char origin[ORIGIN_SIZE_MAX];
	if (parse_url(&parsed, origin, url) != CS_OK) {
		char *shown = host_url_origin(url);
		enum cs_err err = cs_fail(why, CS_ERR_MALFORMED,
					  "not an http or https URL without user: %.100s", shown);
		free(shown);
		return err;
	}
	curl_url_cleanup(parsed);
	for (uint32_t i = 0; i < client->origin_count; i++)
		if (strcmp(client->origins[i], origin) == 0)
			return CS_OK;
	if (client->origin_count == HOST_HTTP_ORIGINS_MAX)
		return cs_fail(why, CS_ERR_FULL, "more than %u origins", HOST_HTTP_ORIGINS_MAX);
	memcpy(client->origins[client->origin_count++], origin, sizeof origin);
	return CS_OK;
}

static bool is_allowed(const struct host_http_client *client, const char *origin)
{
	if (client->allowed != NULL)
		return true;
	for (uint32_t i = 0; i < client->origin_count; i++)
		if (strcmp(client->origins[i], origin) == 0)
			return true;
	return false;
}

enum cs_err host_http_url_parts(const char *text, bool *https, char *host, size_t size)
{
	CURLU *url = NULL;
	char origin[ORIGIN_SIZE_MAX];
	char found[256];
	CS_TRY(parse_url(&url, origin, text));
	enum cs_err err = url_part(found, sizeof found, url, CURLUPART_HOST, 0);
	curl_url_cleanup(url);
	CS_TRY(err);
	size_t n = strlen(found);
	const size_t brackets = found[0] == '[' && found[n - 1] == ']';
	n -= 2 * brackets;
	if (n >= size)
		return CS_ERR_MALFORMED;
	memcpy(host, found + brackets, n);
	host[n] = 0;
	*https = strncmp(origin, "https:", 6) == 0;
	return CS_OK;
}

/* ---- the end of a call ---- */

static void release_easy(struct host_http_client *client, CURL *easy)
{
	if (client->idle_count < IDLE_EASY_MAX) {
		curl_easy_reset(easy);
		client->idle[client->idle_count++] = easy;
	} else {
		curl_easy_cleanup(easy);
	}
}

/* Gives back everything but the answer and the easy handle, and the slot itself. */
static void release_call(struct call *call)
{
	struct host_http_client *client = call->client;
	curl_multi_remove_handle(client->multi, call->easy);
	curl_slist_free_all(call->headers);
	host_timer_free(call->timer);
	free(call->body);
	call->headers = NULL;
	call->timer = NULL;
	call->body = NULL;
}

static void free_slot(struct call *call)
{
	struct host_http_client *client = call->client;
	release_easy(client, call->easy);
	curl_url_cleanup(call->url);
	free(call->got);
	memset(call, 0, sizeof *call);
	client->in_flight--;
	client->free_slots[client->calls_max - client->in_flight - 1] =
		(uint32_t)(call - client->calls);
}

static enum cs_err err_of(const struct call *call, CURLcode code)
{
	if (call->too_large || code == CURLE_FILESIZE_EXCEEDED)
		return CS_ERR_TOO_LARGE;
	if (call->timed_out || code == CURLE_OPERATION_TIMEDOUT)
		return CS_ERR_TIMEOUT;
	/* A switch over CURLcode would have to list a hundred codes. */
	if (code == CURLE_OK)
		return CS_OK;
	if (code == CURLE_COULDNT_CONNECT && call->forbidden)
		return CS_ERR_FORBIDDEN;
	if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
	    code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION)
		return CS_ERR_UNAVAILABLE;
	if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
	    code == CURLE_PARTIAL_FILE)
		return CS_ERR_CLOSED;
	return CS_ERR_IO;
}

static const char *why_of(const struct call *call, enum cs_err err, CURLcode code)
{
	if (err == CS_OK)
		return "";
	if (call->too_large)
		return "the answer is above its bound";
	if (call->timed_out)
		return "no answer in time";
	if (err == CS_ERR_FORBIDDEN)
		return "its host has an address that may not be connected to";
	return call->text[0] != 0 ? call->text : curl_easy_strerror(code);
}

static void free_client(struct host_http_client *client);

static void finish(struct call *call, CURLcode code)
{
	struct host_http_client *client = call->client;
	long status = 0;
	struct host_http_response response = {.err = err_of(call, code)};
	if (response.err == CS_OK) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		response.status = (int)status;
		response.body =
			cs_bytes(call->got != NULL ? (const void *)call->got : "", call->got_size);
	}
	response.why = why_of(call, response.err, code);
	response.took_us = host_now_us() - call->started_us;
	response.curl = call->easy;
	release_call(call);
	/* From here on cancel does not find it. */
	call->id = 0;
	client->depth++;
	call->done(call->context, &response);
	client->depth--;
	free_slot(call);
	if (client->freed && client->depth == 0)
		free_client(client);
}

static void collect(struct host_http_client *client)
{
	int left;
	CURLMsg *message;
	/* finish() of the last call may free the client. */
	client->depth++;
	while (!client->freed && (message = curl_multi_info_read(client->multi, &left)) != NULL) {
		struct call *call = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		finish(call, code);
	}
	client->depth--;
	if (client->freed && client->depth == 0)
		free_client(client);
}

static void on_call_timeout(void *context)
{
	struct call *call = context;
	call->timed_out = true;
	finish(call, CURLE_OPERATION_TIMEDOUT);
}

/* ---- libcurl's side of the loop ---- */

static void on_watch(uv_poll_t *handle, int status, int events)
{
	struct watch *watch = handle->data;
	struct host_http_client *client = watch->client;
	int flags = 0;
	int running;
	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(client->multi, watch->fd, flags, &running);
	collect(client);
}

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	struct host_http_client *client = context;
	struct watch *watch = socket_context;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL) {
			uv_close((uv_handle_t *)&watch->uv, free_watch);
			curl_multi_assign(client->multi, fd, NULL);
		}
		return 0;
	}
	if (watch == NULL) {
		watch = host_alloc(sizeof *watch);
		watch->client = client;
		watch->fd = fd;
		if (uv_poll_init_socket(host_loop_uv(client->loop), &watch->uv, fd) != 0) {
			free(watch);
			return -1;
		}
		watch->uv.data = watch;
		curl_multi_assign(client->multi, fd, watch);
	}
	int events =
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	return uv_poll_start(&watch->uv, events, on_watch) == 0 ? 0 : -1;
}

static void on_multi_timer(void *context)
{
	struct host_http_client *client = context;
	int running;
	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(client);
}

static int on_timer_change(CURLM *multi, long timeout_ms, void *context)
{
	struct host_http_client *client = context;
	(void)multi;
	if (timeout_ms < 0)
		host_timer_stop(client->timer);
	else
		host_timer_start(client->timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static size_t on_body(char *p, size_t size, size_t count, void *context)
{
	struct call *call = context;
	size_t n = size * count;
	if (n > call->size_max - call->got_size) {
		call->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	call->got = host_append(call->got, &call->got_size, &call->got_room, p, n);
	return n;
}

static size_t on_head(char *p, size_t size, size_t count, void *context)
{
	struct call *call = context;
	size_t n = size * count;
	(void)p;
	if (n > HEAD_SIZE_MAX - call->head_size) {
		call->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	call->head_size += n;
	return n;
}

/* ---- the start of a call ---- */

static bool is_one_line(const char *text)
{
	for (; *text != 0; text++)
		if (*text == '\r' || *text == '\n')
			return false;
	return true;
}

static enum cs_err add_headers(struct call *call, const struct host_http_request *request)
{
	/* No waiting for "100 Continue". */
	call->headers = curl_slist_append(NULL, "Expect:");
	cs_assert(call->headers != NULL);
	for (uint32_t i = 0; i < HOST_HTTP_HEADERS_MAX && request->headers[i].name != NULL; i++) {
		char line[2048];
		const struct host_http_header *header = &request->headers[i];
		if (!is_one_line(header->name) || !is_one_line(header->value))
			return CS_ERR_MALFORMED;
		int n = snprintf(line, sizeof line, "%s: %s", header->name, header->value);
		if (n < 0 || (size_t)n >= sizeof line)
			return CS_ERR_MALFORMED;
		struct curl_slist *longer = curl_slist_append(call->headers, line);
		cs_assert(longer != NULL);
		call->headers = longer;
	}
	return CS_OK;
}

static void set_method(struct call *call, const struct host_http_request *request)
{
	bool has_body = request->body.n > 0 ||
			(request->method != NULL && strcmp(request->method, "POST") == 0);
	if (has_body) {
		call->body = host_copy(request->body);
		curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, (char *)call->body);
		curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)request->body.n);
	}
	if (request->method == NULL)
		return;
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(request->method, "GET") != 0 || has_body)
		curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* The address that libcurl is about to connect: whatever a name meant when somebody looked before. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct call *call = context;
	if (purpose != CURLSOCKTYPE_IPCXN ||
	    !call->client->allowed(call->client->allowed_context, &address->addr)) {
		call->forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_options(struct call *call)
{
	CURL *easy = call->easy;
	curl_easy_setopt(easy, CURLOPT_CURLU, call->url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->text);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "caisson");
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->size_max);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	if (call->client->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, call->client->ca_file);
	if (call->client->allowed != NULL) {
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
		curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	}
}

static bool is_method(const char *method)
{
	size_t n = 0;
	if (method == NULL)
		return true;
	for (; method[n] != 0; n++)
		if (method[n] < 'A' || method[n] > 'Z' || n == 16)
			return false;
	return n > 0;
}

enum cs_err host_http_send(struct host_http_client *client, uint64_t *id,
			   const struct host_http_request *request, host_http_done *done,
			   void *context)
{
	CURLU *url = NULL;
	char origin[ORIGIN_SIZE_MAX];
	cs_assert(!client->freed);
	CS_TRY(parse_url(&url, origin, request->url));
	enum cs_err err = CS_OK;
	if (!is_allowed(client, origin))
		err = CS_ERR_FORBIDDEN;
	else if (!is_method(request->method))
		err = CS_ERR_MALFORMED;
	else if (client->in_flight == client->calls_max)
		err = CS_ERR_FULL;
	if (err != CS_OK) {
		curl_url_cleanup(url);
		return err;
	}
	uint32_t slot = client->free_slots[client->calls_max - client->in_flight - 1];
	struct call *call = &client->calls[slot];
	client->in_flight++;
	call->client = client;
	call->url = url;
	call->easy = client->idle_count > 0 ? client->idle[--client->idle_count] : curl_easy_init();
	cs_assert(call->easy != NULL);
	call->size_max =
		request->response_size_max > 0 ? request->response_size_max : RESPONSE_SIZE_MAX;
	call->done = done;
	call->context = context;
	call->started_us = host_now_us();
	err = add_headers(call, request);
	if (err != CS_OK) {
		curl_slist_free_all(call->headers);
		free_slot(call);
		return err;
	}
	set_method(call, request);
	set_options(call);
	call->id = ++client->sequence * client->calls_max + slot;
	call->timer = host_timer_new(client->loop, on_call_timeout, call);
	/* Ours, because libcurl's own does not count the wait for a connection. */
	host_timer_start(call->timer, request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS,
			 0);
	cs_assert(curl_multi_add_handle(client->multi, call->easy) == CURLM_OK);
	if (id != NULL)
		*id = call->id;
	return CS_OK;
}

bool host_http_cancel(struct host_http_client *client, uint64_t id)
{
	struct call *call = &client->calls[id % client->calls_max];
	if (id == 0 || call->id != id)
		return false;
	release_call(call);
	free_slot(call);
	return true;
}

const char *host_http_response_header(const struct host_http_response *response, const char *name)
{
	struct curl_header *header = NULL;
	if (curl_easy_header(response->curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	/* The last of several. */
	if (header->amount > 1 && curl_easy_header(response->curl, name, header->amount - 1,
						   CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

uint32_t host_http_calls_in_flight(const struct host_http_client *client)
{
	return client->in_flight;
}

/* ---- the client ---- */

struct host_http_client *host_http_client_new(struct host_loop *loop,
					      const struct host_http_client_options *options)
{
	static const struct host_http_client_options defaults;
	struct host_http_client *client = host_alloc(sizeof *client);
	if (options == NULL)
		options = &defaults;
	cs_assert(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	client->loop = loop;
	client->calls_max = options->calls_max > 0 ? options->calls_max : CALLS_MAX;
	client->calls = host_calloc(client->calls_max, sizeof *client->calls);
	client->free_slots = host_calloc(client->calls_max, sizeof *client->free_slots);
	for (uint32_t i = 0; i < client->calls_max; i++)
		client->free_slots[i] = client->calls_max - 1 - i;
	if (options->ca_file != NULL)
		client->ca_file = host_text(options->ca_file);
	client->allowed = options->allowed;
	client->allowed_context = options->allowed_context;
	client->timer = host_timer_new(loop, on_multi_timer, client);
	client->multi = curl_multi_init();
	cs_assert(client->multi != NULL);
	long per_host = options->connections_per_host_max > 0
				? (long)options->connections_per_host_max
				: (long)CONNECTIONS_PER_HOST_MAX;
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, per_host * 4);
	return client;
}

static void free_client(struct host_http_client *client)
{
	for (uint32_t i = 0; i < client->calls_max; i++)
		if (client->calls[i].id != 0)
			(void)host_http_cancel(client, client->calls[i].id);
	while (client->idle_count > 0)
		curl_easy_cleanup(client->idle[--client->idle_count]);
	/* Closes the kept connections, and their watches with them. */
	curl_multi_cleanup(client->multi);
	host_timer_free(client->timer);
	free(client->calls);
	free(client->free_slots);
	free(client->ca_file);
	free(client);
	curl_global_cleanup();
}

void host_http_client_free(struct host_http_client *client)
{
	if (client == NULL)
		return;
	cs_assert(!client->freed);
	client->freed = true;
	if (client->depth == 0)
		free_client(client);
}
