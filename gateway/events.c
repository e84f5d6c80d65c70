/* The event stream: GET /v1/events?cursor=N as server-sent events, and as a WebSocket on a port of its
 * own. Every row of the journal's events after the cursor, in order, without a gap: whoever reconnects
 * with the last cursor it saw misses nothing that the journal still keeps. The journal is the queue: a
 * slow reader gets its rows when it takes them, and is dropped when it takes nothing any more. */
#include "gateway/gateway.h"
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_AT_ONCE 256u
/* A reader that is this far behind waits for its socket before it gets more. */
#define QUEUED_MAX (256u * 1024)
#define CURSOR_DIGITS_MAX 19u
/* A stream that says nothing for so long says that it is there; of a client that is gone that is
 * noticed. */
#define SILENCE_MS 15000u
#define STALLED_MS 30000u
#define RECONNECT_MS 1000
/* A write to a reader costs some 20 us, whatever it carries. So they are told in rounds, which begin this time apart for
 * each of them (5,000: 250 ms), and each gets what has happened meanwhile in one write: readers take half of a core at
 * most, and a few of them wait for nothing. Nothing else waits longer than for so many of a round. */
#define PACE_US 50u
#define TURN_MAX 256u
#define CLOSE_POLICY 1008
#define CLOSE_TRY_AGAIN_LATER 1013

/* One of peer and stream is there. */
struct reader {
	struct gateway *gateway;
	struct host_ws_peer *peer;
	struct host_http_stream *stream;
	struct cs_hash key;    /* hash of its API key */
	int64_t keys_mtime_ns; /* of the keys that had it */
	uint64_t cursor;       /* of what it was given last */
	uint64_t told_ms;
	bool closing;
	bool lost; /* the journal no longer has what follows */
	struct reader *next;
};

/* Of this process's one stream. */
static struct reader *readers;
static size_t reader_count;
static struct reader *turn; /* who is told next in this round; NULL: the round is over */

/* The newest events as they are sent, read and written once for all readers that have come so far. */
struct gateway_recent {
	uint64_t first; /* first > last: none yet after `last` */
	uint64_t last;
	char *texts[EVENTS_AT_ONCE]; /* event n at n % EVENTS_AT_ONCE */
};

/* ---- who comes ---- */

/* What was pruned cannot be resumed, and what never was is of another journal: the caller must
 * know. */
enum cs_err gateway_events_keep(struct gateway *gateway, uint64_t cursor, struct cs_why *why)
{
	uint64_t first = 0;
	uint64_t last = 0;
	CS_TRY(gateway_journal_events_span(gateway->journal, &first, &last));
	if (cursor + 1 < first || cursor > last)
		return cs_fail(why, CS_ERR_CONFLICT,
			       "cursor: the journal keeps the events %llu to %llu",
			       (unsigned long long)first, (unsigned long long)last);
	return CS_OK;
}

/* text NULL: from what is new. */
static enum cs_err find_cursor(struct gateway *gateway, const char *text, uint64_t *cursor,
			       struct cs_why *why)
{
	char *end = NULL;
	uint64_t first = 0;
	uint64_t number = 0;
	if (!text)
		return gateway_journal_events_span(gateway->journal, &first, cursor);
	if (text[0] < '0' || text[0] > '9' || strlen(text) > CURSOR_DIGITS_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "cursor: not a number");
	number = strtoull(text, &end, 10);
	if (*end != 0 || number > INT64_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "cursor: not a number");
	CS_TRY(gateway_events_keep(gateway, number, why));
	*cursor = number;
	return CS_OK;
}

static struct reader *reader_new(struct gateway *gateway, const struct host_api_key *key,
				 uint64_t cursor)
{
	struct reader *reader = host_alloc(sizeof(*reader));
	*reader = (struct reader){.gateway = gateway,
				  .key = key->hash,
				  .keys_mtime_ns = gateway->keys_mtime_ns,
				  .cursor = cursor,
				  .told_ms = host_now_ms()};
	return reader;
}

static void reader_begin(struct reader *reader)
{
	reader->next = readers;
	readers = reader;
	reader_count++;
	gateway_wake(reader->gateway);
}

static void reader_free(struct reader *reader)
{
	struct reader **at = &readers;
	if (turn == reader)
		turn = reader->next;
	while (*at && *at != reader)
		at = &(*at)->next;
	if (*at) {
		*at = reader->next;
		reader_count--;
	}
	free(reader);
}

static void log_dropped(const struct reader *reader, const char *why)
{
	log_warn("events.reader_dropped", LOG_TEXT("why", why), LOG_U64("cursor", reader->cursor));
}

/* ---- as a WebSocket ---- */

static enum cs_err on_accept(void *context, const struct host_ws_upgrade *upgrade,
			     struct host_ws_peer *peer)
{
	struct gateway *gateway = context;
	const struct host_api_key *key = NULL;
	const char *text = host_ws_query(upgrade, "cursor");
	const char *path = host_ws_path(upgrade);
	struct cs_why why = {{0}};
	uint64_t cursor = 0;
	if (!path || strcmp(path, "/v1/events") != 0)
		return host_ws_refuse(peer, CS_ERR_NOT_FOUND, "no such route");
	enum cs_err err = host_api_keys_check(
		&key, &gateway->keys, host_ws_header(upgrade, "authorization"), GATEWAY_SCOPE_READ);
	char lacks[HOST_API_KEY_LACKS_MAX];
	host_api_key_lacks(lacks, GATEWAY_SCOPE_READ, gateway_scope_names);
	if (err != CS_OK)
		return host_ws_refuse(peer, err,
				      err == CS_ERR_FORBIDDEN ? lacks
							      : "no API key that is known here");
	err = host_ws_query_check(upgrade, "cursor", &why);
	if (err == CS_OK)
		err = find_cursor(gateway, text, &cursor, &why);
	if (err != CS_OK)
		return host_ws_refuse(peer, err, why.text);
	struct reader *reader = reader_new(gateway, key, cursor);
	reader->peer = peer;
	host_ws_peer_set(peer, reader);
	return CS_OK;
}

static void on_opened(void *context, struct host_ws_peer *peer)
{
	(void)context;
	reader_begin(host_ws_peer_get(peer));
}

static void on_message(void *context, struct host_ws_peer *peer, struct cs_bytes text)
{
	(void)context;
	(void)text;
	host_ws_peer_close(peer, 1003, "this stream is read only");
}

/* What we ended ourselves is in the log already, but for one that answers no ping. */
static void on_closed(void *context, struct host_ws_peer *peer, enum cs_err err, const char *why)
{
	struct reader *reader = host_ws_peer_get(peer);
	(void)context;
	if (err == CS_ERR_TIMEOUT || err == CS_ERR_FULL)
		log_dropped(reader, why);
	reader_free(reader);
}

/* ---- as server-sent events ---- */

static void on_gone(void *context)
{
	reader_free(context);
}

/* A browser that resumes by itself repeats the URL, and says in Last-Event-ID how far it came. */
static void get_events(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	char text[32];
	uint64_t cursor = 0;
	const char *from = host_http_request_header(exchange, "Last-Event-ID");
	if (host_http_request_header(exchange, "Upgrade")) {
		host_http_reply_problem(exchange, CS_ERR_INVALID,
					"WebSockets are at the port events_port of GET /v1/status");
		return;
	}
	enum cs_err err = find_cursor(gateway, from ? from : host_http_query(exchange, "cursor"),
				      &cursor, &why);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		return;
	}
	host_http_reply_header(exchange, "Cache-Control", "no-store");
	struct reader *reader = reader_new(gateway, host_http_key(exchange), cursor);
	err = host_http_reply_stream(&reader->stream, exchange, "text/event-stream", on_gone,
				     reader);
	if (err != CS_OK) {
		free(reader);
		host_http_reply_problem(exchange, err, "too many readers are connected");
		return;
	}
	snprintf(text, sizeof(text), "retry: %d\n\n", RECONNECT_MS);
	host_http_stream_send(reader->stream, cs_bytes_str(text));
	reader_begin(reader);
}

/* ---- what they are told ---- */

/* What the first word of the detail is; NULL: no more than the others. */
static const char *first_word_of(const char *kind)
{
	if (strcmp(kind, GATEWAY_EVENT_REQUEST_FAILED) == 0)
		return "request_id";
	return strncmp(kind, GATEWAY_EVENT_OPERATOR, strlen(GATEWAY_EVENT_OPERATOR)) == 0 ? "who"
											  : NULL;
}

json_t *gateway_event_json(const struct gateway_event *event)
{
	json_t *json = json_object();
	json_object_set_new(json, "cursor", host_json_u64(event->n));
	json_object_set_new(json, "time_ms", host_json_u64(event->time_ms));
	json_object_set_new(json, "kind", json_string(event->kind));
	if (event->side != 0) {
		json_object_set_new(json, "id", host_json_hash(&event->id));
		json_object_set_new(
			json, "side",
			json_string(event->side == RELAY_SOURCE ? "source" : "destination"));
		json_object_set_new(json, "state", json_string(relay_state_name(event->state)));
	}
	const char *detail = event->detail;
	const char *space = detail ? strchr(detail, ' ') : NULL;
	const char *first = first_word_of(event->kind);
	if (space && first) {
		json_object_set_new(json, first, json_stringn(detail, (size_t)(space - detail)));
		detail = space + 1;
	}
	if (detail)
		json_object_set_new(json, "detail", json_string(detail));
	return json;
}

static char *event_text(const struct gateway_event *event)
{
	json_t *json = gateway_event_json(event);
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}

static void forget_recent(struct gateway *gateway)
{
	for (size_t i = 0; gateway->recent && i < EVENTS_AT_ONCE; i++)
		free(gateway->recent->texts[i]);
	free(gateway->recent);
	gateway->recent = NULL;
}

static void add_recent(void *ctx, const struct gateway_event *event)
{
	struct gateway_recent *recent = ctx;
	char **text = &recent->texts[event->n % EVENTS_AT_ONCE];
	if (event->n != recent->last + 1) /* what was pruned between is nobody's here */
		recent->first = event->n;
	recent->last = event->n;
	if (recent->last - recent->first >= EVENTS_AT_ONCE)
		recent->first = recent->last - EVENTS_AT_ONCE + 1;
	free(*text);
	*text = event_text(event);
	cs_assert(*text != NULL);
}

/* False: the journal cannot be read now. */
static bool read_recent(struct gateway *gateway)
{
	uint64_t first = 0;
	uint64_t last = 0;
	struct gateway_recent *recent = gateway->recent;
	if (!recent) {
		if (gateway_journal_events_span(gateway->journal, &first, &last) != CS_OK)
			return false;
		gateway->recent = recent = host_alloc(sizeof(*recent));
		recent->first = last + 1;
		recent->last = last;
	}
	uint64_t before = recent->last;
	if (gateway_journal_events(gateway->journal, before, EVENTS_AT_ONCE, add_recent, recent,
				   &last) != CS_OK)
		return false;
	if (recent->last >= before + EVENTS_AT_ONCE)
		gateway_wake(gateway);
	return true;
}

/* id, data, an empty line: HTML, 9.2.5. */
static void send_block(struct host_http_stream *stream, uint64_t cursor, const char *text)
{
	char id[48];
	snprintf(id, sizeof(id), "id: %llu\ndata: ", (unsigned long long)cursor);
	size_t head = strlen(id);
	size_t n = strlen(text);
	char *block = host_alloc(head + n + 2);
	memcpy(block, id, head);
	memcpy(block + head, text, n);
	memcpy(block + head + n, "\n\n", 2);
	host_http_stream_send(stream, cs_bytes(block, head + n + 2));
	free(block);
}

static void send_text(struct reader *reader, uint64_t n, const char *text)
{
	if (reader->stream)
		send_block(reader->stream, n, text);
	else if (host_ws_peer_send(reader->peer, cs_bytes_str(text)) != CS_OK)
		reader->closing = true;
	reader->cursor = n;
	reader->told_ms = host_now_ms();
}

static void send_event(void *ctx, const struct gateway_event *event)
{
	struct reader *reader = ctx;
	reader->lost = reader->lost || event->n != reader->cursor + 1;
	if (reader->lost || reader->closing)
		return;
	char *text = event_text(event);
	cs_assert(text != NULL);
	send_text(reader, event->n, text);
	free(text);
}

static void send_recent(struct reader *reader, const struct gateway_recent *recent)
{
	for (uint64_t n = reader->cursor + 1; n <= recent->last && !reader->closing; n++)
		send_text(reader, n, recent->texts[n % EVENTS_AT_ONCE]);
}

/* From the journal, for who is behind what is kept in memory. */
static enum cs_err send_older(struct reader *reader)
{
	struct gateway *gateway = reader->gateway;
	uint64_t before = reader->cursor;
	uint64_t last = before;
	CS_TRY(gateway_journal_events(gateway->journal, before, EVENTS_AT_ONCE, send_event, reader,
				      &last));
	if (reader->cursor == before + EVENTS_AT_ONCE)
		gateway_wake(gateway);
	return CS_OK;
}

static bool has_stalled(const struct reader *reader)
{
	uint64_t stalled_ms = reader->stream ? host_http_stream_stalled_ms(reader->stream)
					     : host_ws_peer_stalled_ms(reader->peer);
	return stalled_ms > reader->gateway->reader_stalled_ms;
}

/* The reader of a stream is gone after it. */
static void drop(struct reader *reader, uint16_t code, const char *why)
{
	char last[256];
	log_dropped(reader, why);
	if (reader->peer) {
		reader->closing = true;
		if (has_stalled(reader))
			host_ws_peer_drop(reader->peer, code, why);
		else
			host_ws_peer_close(reader->peer, code, why);
		return;
	}
	snprintf(last, sizeof(last), "event: dropped\ndata: {\"why\":\"%s\"}\n\n", why);
	host_http_stream_end(reader->stream, cs_bytes_str(last));
	reader_free(reader);
}

static uint64_t queued(const struct reader *reader)
{
	return reader->stream ? host_http_stream_queued(reader->stream)
			      : host_ws_peer_queued(reader->peer);
}

/* Looked at when the file of keys has changed; one that is being closed is nobody's any more. */
static bool has_key(struct reader *reader)
{
	const struct gateway *gateway = reader->gateway;
	if (reader->closing || reader->keys_mtime_ns == gateway->keys_mtime_ns)
		return true;
	reader->keys_mtime_ns = gateway->keys_mtime_ns;
	return host_api_keys_still(&gateway->keys, &reader->key, GATEWAY_SCOPE_READ);
}

static void pump_reader(struct reader *reader)
{
	struct gateway *gateway = reader->gateway;
	const struct gateway_recent *recent = gateway->recent;
	if (!has_key(reader)) {
		drop(reader, CLOSE_POLICY, "its API key was revoked");
		return;
	}
	if (!reader->closing && has_stalled(reader)) {
		drop(reader, CLOSE_TRY_AGAIN_LATER, "it took nothing for too long");
		return;
	}
	if (reader->closing || queued(reader) > QUEUED_MAX)
		return;
	if (reader->cursor + 1 >= recent->first)
		send_recent(reader, recent);
	else if (send_older(reader) != CS_OK)
		return;
	if (reader->lost) {
		drop(reader, CLOSE_TRY_AGAIN_LATER, "the journal no longer keeps what follows");
		return;
	}
	if (reader->stream && host_now_ms() - reader->told_ms > SILENCE_MS) {
		host_http_stream_send(reader->stream, cs_bytes_str(":\n\n"));
		reader->told_ms = host_now_ms();
	}
}

static void on_pace(void *context)
{
	struct gateway *gateway = context;
	if (gateway->events_due)
		gateway_wake(gateway);
}

/* False: the one before began too short a time ago. */
static bool begin_round(struct gateway *gateway)
{
	uint64_t pause_ms = reader_count * PACE_US / 1000;
	gateway->events_due = host_timer_is_running(gateway->events_pace);
	if (gateway->events_due)
		return false;
	turn = readers;
	if (pause_ms > 0)
		host_timer_start(gateway->events_pace, pause_ms, 0);
	return true;
}

void gateway_events_pump(struct gateway *gateway)
{
	if (!readers) {
		forget_recent(gateway);
		return;
	}
	if ((!turn && !begin_round(gateway)) || !read_recent(gateway))
		return;
	for (size_t told = 0; turn && told < TURN_MAX; told++) {
		struct reader *reader = turn;
		turn = reader->next;
		pump_reader(reader);
	}
	if (turn)
		gateway_wake(gateway);
}

/* ---- starting ---- */

void gateway_events_route(struct gateway *gateway)
{
	gateway->reader_stalled_ms = STALLED_MS;
	gateway->events_pace = host_timer_new(gateway->loop, on_pace, gateway);
	host_http_server_route(gateway->server, "GET", "/v1/events?cursor", GATEWAY_SCOPE_READ,
			       get_events, gateway);
}

enum cs_err gateway_events_start(struct gateway *gateway, struct cs_why *why)
{
	static const struct host_ws_server_events events = {.accept = on_accept,
							    .opened = on_opened,
							    .message = on_message,
							    .closed = on_closed};
	struct host_ws_server_options options = {.address = gateway->config.service.address,
						 .port = gateway->config.events_port,
						 .peers_max = gateway->config.readers_max};
	return host_ws_server_new(&gateway->events, gateway->loop, &options, &events, gateway, why);
}

void gateway_events_stop(struct gateway *gateway)
{
	host_ws_server_free(gateway->events);
	host_timer_free(gateway->events_pace);
	gateway->events = NULL;
	gateway->events_pace = NULL;
	while (readers) {
		if (readers->stream)
			host_http_stream_end(readers->stream, CS_BYTES_NONE);
		reader_free(readers);
	}
	forget_recent(gateway);
}
