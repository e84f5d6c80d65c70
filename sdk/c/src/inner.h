/* What the parts of libcaisson share: answers around jansson, one HTTP request by libcurl, the stream
 * of server-sent events. Nothing of it is visible outside of the library. */
#ifndef SDK_C_INNER_H
#define SDK_C_INNER_H

#include "core/bytes.h"
#include "sdk/c/include/caisson/client.h"

#include <curl/curl.h>
#include <jansson.h>

/* A list of 200 messages with the largest payloads is 7 MiB. */
#define REPLY_SIZE_MAX (16u << 20)
#define EVENT_SIZE_MAX (1u << 16)
/* Between tries, doubled from the one to the other. */
#define PAUSE_MIN_MS 200u
#define PAUSE_MAX_MS 5000u
#define PATH_SIZE_MAX 512u
#define API_KEY_SIZE_MAX 512u

/* ---- error.c ---- */

/* Writes the error, which may be NULL, and is err: a refusal is one statement. A macro, so that
 * analyzers see which error it is. */
#define fail_as(error, err, ...) (error_write((error), (err), __VA_ARGS__), (err))
void error_write(struct caisson_error *error, enum caisson_err err, const char *format, ...)
	CS_PRINTF(3, 4);

/* ---- answer.c ---- */

struct caisson_answer {
	json_t *json;
};
/* Takes the reference, on failure too; NULL is no memory as well. */
struct caisson_answer *answer_new(json_t *json);
/* A body of a reply: an object, or NULL. */
json_t *answer_parse(struct cs_bytes body);

/* ---- gateway.c ---- */

struct caisson_gateway {
	char *url; /* without slashes at its end */
	char *ca_file;
	char *authorization; /* the header, with the key */
	uint32_t timeout_ms;
	uint32_t patience_ms;
	CURL *curl; /* of the requests; kept, and its connection with it */
};

/* ---- http.c ---- */

struct request {
	const char *target; /* from the slash on */
	const char *body;   /* JSON: a POST; NULL: a GET */
	const char *idempotency_key;
	const char *traceparent; /* NULL: none; of what a header may have */
	const char *tracestate;
	bool repeat; /* may be asked again where no answer came */
};

/* One handle with everything that each of our requests has: no redirect (the key would go along), no
 * proxy of the environment, http and https alone. *headers is for http_headers_free. */
CAISSON_NODISCARD enum caisson_err http_prepare(CURL *curl, struct curl_slist **headers,
						const struct caisson_gateway *gateway,
						const char *target, const char *accept,
						struct caisson_error *error);
/* false: no memory; what was there is freed. */
CAISSON_NODISCARD bool http_header(struct curl_slist **headers, const char *line);
/* Wipes the key. */
void http_headers_free(struct curl_slist *headers);
/* One try, or tries for the gateway's patience. */
CAISSON_NODISCARD enum caisson_err http_call(struct caisson_gateway *gateway,
					     struct caisson_answer **answer,
					     const struct request *request,
					     struct caisson_error *error);
/* The error that a reply is which has another status than 200, 201, 202, or is not of the kind that was
 * asked for. */
enum caisson_err http_problem(const struct caisson_gateway *gateway, CURL *curl,
			      struct cs_bytes body, struct caisson_error *error);
/* Whether the reply's Content-Type begins with this. */
bool http_is_of(CURL *curl, const char *type);
/* Another moment may change it, whatever is asked. */
bool http_is_passing(const struct caisson_error *error);

/* Of the monotonic clock. */
uint64_t now_ms(void);
void pause_ms(uint64_t duration_ms);

/* ---- sse.c ---- */

/* The fields that a gateway uses of the format: id and data. Input may be cut anywhere. */
struct sse {
	char line[EVENT_SIZE_MAX];
	size_t line_size;
	char data[EVENT_SIZE_MAX];
	size_t data_size;
	bool has_id;
	bool has_data;
};
/* False ends it. An event without id is about the stream itself and is not told. */
typedef bool sse_told(void *context, struct cs_bytes data);
/* False: the callback said so, or a line or an event is above EVENT_SIZE_MAX (*too_large). */
bool sse_feed(struct sse *sse, struct cs_bytes bytes, sse_told *told, void *context,
	      bool *too_large);

#endif
