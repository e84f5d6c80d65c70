/* The event stream: WebSocket /v1/events?cursor=N on its own port. Every row of the journal's
 * events after the cursor, in order, without a gap: whoever reconnects with the last cursor it saw
 * misses nothing that the journal still keeps. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_AT_ONCE 256u
/* A reader that is this far behind waits for its socket before it gets more. */
#define QUEUED_MAX (256u * 1024)
#define PEERS_MAX 256u
#define CURSOR_DIGITS_MAX 19u

struct reader {
	struct gateway *gateway;
	struct host_ws_peer *peer;
	uint64_t cursor;
	bool closing;
	struct reader *next;
};

static struct reader *readers; /* of this process's one stream */

/* What was pruned cannot be resumed, and what never was is of another journal: the caller must
 * know. */
static enum cs_err read_cursor(struct host_ws_peer *peer, const char *text, uint64_t first,
			       uint64_t *cursor)
{
	char why[160];
	char *end = NULL;
	uint64_t last = *cursor;
	if (text[0] < '0' || text[0] > '9' || strlen(text) > CURSOR_DIGITS_MAX)
		return host_ws_refuse(peer, CS_ERR_MALFORMED, "cursor: not a number");
	uint64_t number = strtoull(text, &end, 10);
	if (*end != 0 || number > INT64_MAX)
		return host_ws_refuse(peer, CS_ERR_MALFORMED, "cursor: not a number");
	if (number + 1 < first || number > last) {
		snprintf(why, sizeof(why), "cursor: the journal keeps the events %llu to %llu",
			 (unsigned long long)first, (unsigned long long)last);
		return host_ws_refuse(peer, CS_ERR_CONFLICT, why);
	}
	*cursor = number;
	return CS_OK;
}

static enum cs_err on_accept(void *context, const struct host_ws_upgrade *upgrade,
			     struct host_ws_peer *peer)
{
	struct gateway *gateway = context;
	const struct host_api_key *key = NULL;
	const char *text = host_ws_query(upgrade, "cursor");
	const char *path = host_ws_path(upgrade);
	uint64_t first = 0;
	uint64_t cursor = 0;
	if (!path || strcmp(path, "/v1/events") != 0)
		return host_ws_refuse(peer, CS_ERR_NOT_FOUND, "no such route");
	enum cs_err err = host_api_keys_check(
		&key, &gateway->keys, host_ws_header(upgrade, "authorization"), GATEWAY_SCOPE_READ);
	if (err != CS_OK)
		return host_ws_refuse(peer, err,
				      err == CS_ERR_FORBIDDEN
					      ? "the API key lacks the scope of this route"
					      : "no API key that is known here");
	if (!host_ws_query_is_known(upgrade, "cursor"))
		return host_ws_refuse(
			peer, CS_ERR_UNKNOWN_FIELD,
			"the query has a name that the route does not take, or one twice");
	CS_TRY(gateway_journal_events_span(gateway->journal, &first, &cursor));
	if (text)
		CS_TRY(read_cursor(peer, text, first, &cursor));
	struct reader *reader = host_alloc(sizeof(*reader));
	*reader = (struct reader){.gateway = gateway, .peer = peer, .cursor = cursor};
	host_ws_peer_set(peer, reader);
	return CS_OK;
}

static void on_opened(void *context, struct host_ws_peer *peer)
{
	struct reader *reader = host_ws_peer_get(peer);
	reader->next = readers;
	readers = reader;
	gateway_wake(context);
}

static void on_message(void *context, struct host_ws_peer *peer, struct cs_bytes text)
{
	(void)context;
	(void)text;
	host_ws_peer_close(peer, 1003, "this stream is read only");
}

static void on_closed(void *context, struct host_ws_peer *peer, enum cs_err err, const char *why)
{
	struct reader *reader = host_ws_peer_get(peer);
	struct reader **at = &readers;
	(void)context;
	(void)err;
	(void)why;
	while (*at && *at != reader)
		at = &(*at)->next;
	if (*at)
		*at = reader->next;
	free(reader);
}

static void send_event(void *ctx, const struct gateway_event *event)
{
	struct reader *reader = ctx;
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
	if (space && strcmp(event->kind, GATEWAY_EVENT_REQUEST_FAILED) == 0) {
		json_object_set_new(json, "request_id",
				    json_stringn(detail, (size_t)(space - detail)));
		detail = space + 1;
	}
	if (detail)
		json_object_set_new(json, "detail", json_string(detail));
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text && !reader->closing &&
	    host_ws_peer_send(reader->peer, cs_bytes_str(text)) != CS_OK)
		reader->closing = true;
	free(text);
}

void gateway_events_pump(struct gateway *gateway)
{
	for (struct reader *reader = readers; reader; reader = reader->next) {
		uint64_t last = reader->cursor;
		if (reader->closing || host_ws_peer_queued(reader->peer) > QUEUED_MAX)
			continue;
		if (gateway_journal_events(gateway->journal, reader->cursor, EVENTS_AT_ONCE,
					   send_event, reader, &last) != CS_OK)
			continue;
		if (last >= reader->cursor + EVENTS_AT_ONCE)
			gateway_wake(gateway);
		reader->cursor = last;
	}
}

enum cs_err gateway_events_start(struct gateway *gateway, struct cs_why *why)
{
	static const struct host_ws_server_events events = {.accept = on_accept,
							    .opened = on_opened,
							    .message = on_message,
							    .closed = on_closed};
	struct host_ws_server_options options = {.address = gateway->config.service.address,
						 .port = gateway->config.events_port,
						 .peers_max = PEERS_MAX};
	return host_ws_server_new(&gateway->events, gateway->loop, &options, &events, gateway, why);
}

void gateway_events_stop(struct gateway *gateway)
{
	host_ws_server_free(gateway->events);
	gateway->events = NULL;
	while (readers) {
		struct reader *reader = readers;
		readers = reader->next;
		free(reader);
	}
}
