#include "core/ct.h"
#include "sdk/c/src/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS_PER_S 1000u
#define NS_PER_MS 1000000u
#define BODY_ROOM_MIN 4096u

uint64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / NS_PER_MS;
}

void pause_ms(uint64_t duration_ms)
{
	struct timespec left = {.tv_sec = (time_t)(duration_ms / MS_PER_S),
				.tv_nsec = (long)(duration_ms % MS_PER_S * NS_PER_MS)};
	while (nanosleep(&left, &left) != 0)
		continue;
}

/* ---- headers ---- */

bool http_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);
	if (!longer) {
		http_headers_free(*headers);
		*headers = NULL;
		return false;
	}
	*headers = longer;
	return true;
}

void http_headers_free(struct curl_slist *headers)
{
	for (struct curl_slist *line = headers; line; line = line->next)
		cs_wipe(line->data, strlen(line->data));
	curl_slist_free_all(headers);
}

enum caisson_err http_prepare(CURL *curl, struct curl_slist **headers,
			      const struct caisson_gateway *gateway, const char *target,
			      const char *accept, struct caisson_error *error)
{
	char text[2 * PATH_SIZE_MAX];
	char line[128];
	struct curl_slist *list = NULL;
	int n = snprintf(text, sizeof(text), "%s%s", gateway->url, target);
	if (n < 0 || (size_t)n >= sizeof(text))
		return fail_as(error, CAISSON_INVALID, "the address is too long");
	(void)snprintf(line, sizeof(line), "Accept: %s", accept);
	curl_easy_reset(curl);
	if (!http_header(&list, gateway->authorization) || !http_header(&list, line) ||
	    curl_easy_setopt(curl, CURLOPT_URL, text) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_PROXY, "") != CURLE_OK ||
	    (gateway->ca_file &&
	     curl_easy_setopt(curl, CURLOPT_CAINFO, gateway->ca_file) != CURLE_OK)) {
		http_headers_free(list);
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	}
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)gateway->timeout_ms);
	*headers = list;
	return CAISSON_OK;
}

/* ---- bodies ---- */

struct body {
	char *p;
	size_t n;
	size_t room;
	bool too_large;
	bool no_memory;
};

static size_t on_body(char *p, size_t one, size_t n, void *context)
{
	struct body *body = context;
	(void)one; /* libcurl: always 1 */
	if (n > REPLY_SIZE_MAX - body->n) {
		body->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (n > body->room - body->n) {
		size_t room = 2 * (body->n + n) + BODY_ROOM_MIN;
		char *grown = realloc(body->p, room);
		if (!grown) {
			body->no_memory = true;
			return CURL_WRITEFUNC_ERROR;
		}
		body->p = grown;
		body->room = room;
	}
	memcpy(body->p + body->n, p, n);
	body->n += n;
	return n;
}

/* ---- problems ---- */

bool http_is_of(CURL *curl, const char *type)
{
	char *told = NULL;
	return curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &told) == CURLE_OK && told &&
	       strncmp(told, type, strlen(type)) == 0;
}

/* Not of a gateway: whose address it was is told, and what may be wrong with it. */
static enum caisson_err no_gateway(const struct caisson_gateway *gateway, long status,
				   struct caisson_error *error)
{
	/* What a proxy says while there is no gateway behind it. */
	if (status >= 502 && status <= 504)
		return fail_as(error, CAISSON_UNREACHABLE,
			       "%.200s: HTTP %ld of something in front of the gateway",
			       gateway->url, status);
	if (status >= 300 && status < 400)
		return fail_as(error, CAISSON_BAD_REPLY,
			       "%.200s: HTTP %ld, a redirect: it is not followed, since the API "
			       "key would go along",
			       gateway->url, status);
	return fail_as(error, CAISSON_BAD_REPLY,
		       "%.200s: HTTP %ld without an answer that a gateway gives: is this the "
		       "address of one?",
		       gateway->url, status);
}

enum caisson_err http_problem(const struct caisson_gateway *gateway, CURL *curl,
			      struct cs_bytes body, struct caisson_error *error)
{
	long status = 0;
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	json_t *json = http_is_of(curl, "application/problem+json") ? answer_parse(body) : NULL;
	const char *code = json_string_value(json_object_get(json, "code"));
	const char *title = json_string_value(json_object_get(json, "title"));
	const char *detail = json_string_value(json_object_get(json, "detail"));
	enum caisson_err err = CAISSON_REFUSED;
	if (code && title) {
		error_write(error, err, "%s (%ld): %s", code, status, detail ? detail : title);
		if (error) {
			error->status = (int)status;
			error->retry = json_is_true(json_object_get(json, "retry"));
			(void)snprintf(error->code, sizeof(error->code), "%s", code);
		}
	} else {
		err = no_gateway(gateway, status, error);
	}
	json_decref(json);
	return err;
}

bool http_is_passing(const struct caisson_error *error)
{
	/* in-progress: the first try under this Idempotency-Key is still being answered. */
	return error->err == CAISSON_UNREACHABLE ||
	       (error->err == CAISSON_REFUSED && error->retry &&
		(error->status == 429 || error->status >= 500 ||
		 strcmp(error->code, "in-progress") == 0));
}

/* ---- requests ---- */

static enum caisson_err take_reply(const struct caisson_gateway *gateway,
				   struct caisson_answer **answer, const struct body *body,
				   struct caisson_error *error)
{
	CURL *curl = gateway->curl;
	long status = 0;
	struct cs_bytes bytes = cs_bytes(body->p ? body->p : "", body->n);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	json_t *json = status >= 200 && status <= 202 ? answer_parse(bytes) : NULL;
	if (!json)
		return http_problem(gateway, curl, bytes, error);
	struct caisson_answer *made = answer_new(json);
	if (!made)
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	*answer = made;
	return CAISSON_OK;
}

/* NULL, "": it is left out. */
static bool add_header(struct curl_slist **headers, const char *name, const char *value)
{
	if (!value || value[0] == 0)
		return true;
	size_t size = strlen(name) + strlen(value) + 3;
	char *line = malloc(size);
	if (!line)
		return false;
	(void)snprintf(line, size, "%s: %s", name, value);
	bool good = http_header(headers, line);
	free(line);
	return good;
}

static bool add_headers(struct curl_slist **headers, const struct request *request)
{
	return add_header(headers, "Content-Type", request->body ? "application/json" : NULL) &&
	       add_header(headers, "Idempotency-Key", request->idempotency_key) &&
	       add_header(headers, "traceparent", request->traceparent) &&
	       add_header(headers, "tracestate", request->tracestate);
}

/* *after_ms: what Retry-After says, 0 where it is not there. */
static enum caisson_err perform(struct caisson_gateway *gateway, struct caisson_answer **answer,
				uint64_t *after_ms, struct caisson_error *error)
{
	curl_off_t after_s = 0;
	struct body body = {0};
	char why[CURL_ERROR_SIZE] = "";
	CURL *curl = gateway->curl;
	enum caisson_err err = CAISSON_OK;
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)gateway->timeout_ms);
	CURLcode code = curl_easy_perform(curl);
	if (body.too_large)
		err = fail_as(error, CAISSON_BAD_REPLY, "the answer is above %u bytes",
			      REPLY_SIZE_MAX);
	else if (body.no_memory || code == CURLE_OUT_OF_MEMORY)
		err = fail_as(error, CAISSON_NO_MEMORY, "no memory");
	else if (code != CURLE_OK)
		err = fail_as(error, CAISSON_UNREACHABLE, "%.200s: %s", gateway->url,
			      why[0] ? why : curl_easy_strerror(code));
	else
		err = take_reply(gateway, answer, &body, error);
	if (code == CURLE_OK && curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &after_s) == CURLE_OK)
		*after_ms = after_s > 0 ? (uint64_t)after_s * MS_PER_S : 0;
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	free(body.p);
	return err;
}

static enum caisson_err once(struct caisson_gateway *gateway, struct caisson_answer **answer,
			     const struct request *request, uint64_t *after_ms,
			     struct caisson_error *error)
{
	struct curl_slist *headers = NULL;
	CURL *curl = gateway->curl;
	enum caisson_err err = http_prepare(curl, &headers, gateway, request->target,
					    "application/json, application/problem+json", error);
	if (err != CAISSON_OK)
		return err;
	if (!add_headers(&headers, request)) {
		http_headers_free(headers);
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	}
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (request->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)strlen(request->body));
	}
	err = perform(gateway, answer, after_ms, error);
	curl_easy_reset(curl); /* it forgets the headers before they are freed */
	http_headers_free(headers);
	return err;
}

enum caisson_err http_call(struct caisson_gateway *gateway, struct caisson_answer **answer,
			   const struct request *request, struct caisson_error *error)
{
	struct caisson_error told;
	uint64_t end = now_ms() + gateway->patience_ms;
	uint64_t pause = PAUSE_MIN_MS;
	for (;;) {
		uint64_t wait = 0;
		enum caisson_err err = once(gateway, answer, request, &wait, &told);
		if (err == CAISSON_OK)
			return err;
		wait = wait > pause ? wait : pause;
		if (!request->repeat || !http_is_passing(&told) || now_ms() + wait > end) {
			if (error)
				*error = told;
			return err;
		}
		pause_ms(wait);
		pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
	}
}
