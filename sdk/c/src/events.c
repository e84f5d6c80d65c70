/* The stream of events, over connections that end and gateways that go away. */
#include "sdk/c/src/inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A gateway says something every 15 s. */
#define SILENCE_MS 45000u
#define IDLE_MS 1000u
#define PROBLEM_SIZE_MAX 16384u

struct stream {
	struct sse sse;
	char problem[PROBLEM_SIZE_MAX]; /* what came in place of a stream */
	size_t problem_size;
	uint64_t cursor;
	uint64_t heard_ms;
	uint64_t idle_ms; /* when the application was last told anything */
	CURL *curl;
	caisson_on_event *on_event;
	void *context;
	bool ended;           /* the application wants no more */
	bool came;            /* an event, over this connection */
	enum caisson_err err; /* why it cannot go on */
};

static bool on_told(void *context, struct cs_bytes data)
{
	struct stream *stream = context;
	uint64_t cursor = 0;
	struct caisson_answer *event = answer_new(answer_parse(data));
	if (!event || !caisson_answer_number(event, "cursor", &cursor)) {
		caisson_answer_free(event);
		stream->err = CAISSON_BAD_REPLY;
		return false;
	}
	stream->cursor = cursor;
	stream->came = true;
	stream->ended = !stream->on_event(stream->context, event);
	stream->idle_ms = now_ms();
	caisson_answer_free(event);
	return !stream->ended;
}

static bool is_stream(CURL *curl)
{
	long status = 0;
	return curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
	       status == 200 && http_is_of(curl, "text/event-stream");
}

static size_t on_bytes(char *p, size_t one, size_t n, void *context)
{
	struct stream *stream = context;
	bool too_large = false;
	(void)one; /* libcurl: always 1 */
	stream->heard_ms = now_ms();
	if (!is_stream(stream->curl)) {
		size_t fits = PROBLEM_SIZE_MAX - stream->problem_size;
		size_t taken = n < fits ? n : fits;
		memcpy(stream->problem + stream->problem_size, p, taken);
		stream->problem_size += taken;
		return n;
	}
	if (sse_feed(&stream->sse, cs_bytes(p, n), on_told, stream, &too_large))
		return n;
	if (too_large)
		stream->err = CAISSON_BAD_REPLY;
	return CURL_WRITEFUNC_ERROR;
}

/* libcurl calls it about once a second while nothing comes. */
static int on_progress(void *context, curl_off_t down, curl_off_t down_now, curl_off_t up,
		       curl_off_t up_now)
{
	struct stream *stream = context;
	uint64_t now = now_ms();
	(void)down, (void)down_now, (void)up, (void)up_now;
	if (now - stream->idle_ms >= IDLE_MS) {
		stream->ended = !stream->on_event(stream->context, NULL);
		stream->idle_ms = now_ms();
	}
	return stream->ended || now_ms() - stream->heard_ms > SILENCE_MS;
}

/* One connection, until it ends. OK: it is worth another one. */
static enum caisson_err connect_once(struct stream *stream, const struct caisson_gateway *gateway,
				     struct caisson_error *error)
{
	char target[64];
	struct curl_slist *headers = NULL;
	CURL *curl = stream->curl;
	(void)snprintf(target, sizeof(target), "/v1/events?cursor=%" PRIu64, stream->cursor);
	enum caisson_err err = http_prepare(curl, &headers, gateway, target,
					    "text/event-stream, application/problem+json", error);
	if (err != CAISSON_OK)
		return err;
	memset(&stream->sse, 0, sizeof(stream->sse));
	stream->problem_size = 0;
	stream->came = false;
	stream->heard_ms = now_ms();
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stream);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	CURLcode code = curl_easy_perform(curl);
	if (stream->err != CAISSON_OK)
		err = fail_as(error, stream->err, "%.200s: an event that no gateway sends",
			      gateway->url);
	else if (!stream->ended && code == CURLE_OK && !is_stream(curl))
		err = http_problem(gateway, curl, cs_bytes(stream->problem, stream->problem_size),
				   error);
	curl_easy_reset(curl);
	http_headers_free(headers);
	return err;
}

/* In parts, so that the application can end it meanwhile. */
static void rest(struct stream *stream, uint64_t duration_ms)
{
	uint64_t end = now_ms() + duration_ms;
	for (uint64_t now = now_ms(); now < end && !stream->ended; now = now_ms()) {
		pause_ms(end - now < IDLE_MS ? end - now : IDLE_MS);
		if (now_ms() - stream->idle_ms >= IDLE_MS) {
			stream->ended = !stream->on_event(stream->context, NULL);
			stream->idle_ms = now_ms();
		}
	}
}

static enum caisson_err follow(struct stream *stream, const struct caisson_gateway *gateway,
			       struct caisson_error *error)
{
	struct caisson_error told;
	uint64_t pause = PAUSE_MIN_MS;
	while (!stream->ended) {
		enum caisson_err err = connect_once(stream, gateway, &told);
		if (err != CAISSON_OK && !http_is_passing(&told)) {
			if (error)
				*error = told;
			return err;
		}
		if (stream->came)
			pause = PAUSE_MIN_MS;
		if (!stream->ended)
			rest(stream, pause);
		pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
	}
	return CAISSON_OK;
}

static enum caisson_err find_now(struct caisson_gateway *gateway, uint64_t *cursor,
				 struct caisson_error *error)
{
	struct caisson_answer *status = NULL;
	enum caisson_err err = caisson_get(gateway, &status, "/v1/status", error);
	if (err != CAISSON_OK)
		return err;
	if (!caisson_answer_number(status, "event_cursor", cursor))
		err = fail_as(error, CAISSON_BAD_REPLY, "the status has no event_cursor");
	caisson_answer_free(status);
	return err;
}

enum caisson_err caisson_events(struct caisson_gateway *gateway, uint64_t *cursor,
				caisson_on_event *on_event, void *context,
				struct caisson_error *error)
{
	uint64_t from = *cursor;
	enum caisson_err err =
		from == CAISSON_CURSOR_NOW ? find_now(gateway, &from, error) : CAISSON_OK;
	if (err != CAISSON_OK)
		return err;
	struct stream *stream = calloc(1, sizeof(*stream));
	CURL *curl = stream ? curl_easy_init() : NULL;
	if (curl) {
		stream->curl = curl;
		stream->cursor = from;
		stream->idle_ms = now_ms();
		stream->on_event = on_event;
		stream->context = context;
		err = follow(stream, gateway, error);
		*cursor = stream->cursor;
	} else {
		err = fail_as(error, CAISSON_NO_MEMORY, "no memory");
	}
	curl_easy_cleanup(curl);
	free(stream);
	return err;
}
