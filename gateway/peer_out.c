/* What goes to other gateways: the outbox, pushed while they answer, pulled by them when they come
 * back. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Items of one push. It ends with the item that passes the size; a full batch of 64 messages of 16
 * KiB is 2.3 MiB of JSON, so that a push stays below what a gateway's server takes. What comes next
 * waits until the peer has written all of it: one full batch of small messages. */
#define PUSH_ITEMS_MAX 512u
#define PUSH_SIZE_MAX (128u * 1024)
/* About what a message without its payload, and a note, take as JSON. */
#define MESSAGE_SIZE 2000u
#define NOTE_SIZE 900u
#define PUSH_TIMEOUT_MS 10000u
#define PUSH_BACKOFF_MAX_MS 5000u
#define PULL_SIZE_MAX (5u * 1024 * 1024)
/* What was handed over was not taken: its reader has to see our enclave first, or keeps as much that waits as it may;
 * when that takes long it waits for somebody. */
#define STUCK_PAUSE_MS 100u
#define STUCK_TRIES 20u
#define STUCK_LONG_MS 2000u

enum cs_err gateway_post_item(struct gateway_route *route, enum gateway_item kind, uint64_t ref)
{
	for (size_t i = 0; i < route->peer_count; i++)
		CS_TRY(gateway_journal_post(route->chain->gateway->journal, route->peers[i]->name,
					    kind, ref));
	return CS_OK;
}

bool gateway_is_ahead(const struct gateway_route *route, enum gateway_item kind,
		      enum gateway_lane lane)
{
	uint64_t most = lane == GATEWAY_LANE_NEW ? GATEWAY_AHEAD_NEW : GATEWAY_AHEAD_OLD;
	for (size_t i = 0; i < route->peer_count; i++) {
		const struct gateway_peer *peer = route->peers[i];
		uint64_t count = 0;
		if (peer->config && peer->reachable && peer->failures == 0 &&
		    gateway_journal_untold(route->chain->gateway->journal, peer->name, kind, most,
					   &count) == CS_OK &&
		    count == most)
			return true;
	}
	return false;
}

/* ---- items ---- */

static json_t *evidence_json(const struct gateway_message *message)
{
	json_t *json = json_object();
	json_object_set_new(json, "height", host_json_u64(message->height));
	json_object_set_new(json, "block", host_json_hash(&message->block));
	json_object_set_new(json, "tx", host_json_hash(&message->tx));
	json_object_set_new(json, "tx_index", host_json_u64(message->tx_index));
	json_object_set_new(json, "log_index", host_json_u64(message->log_index));
	json_object_set_new(json, "time_s", host_json_u64(message->time_s));
	return json;
}

/* Beside the messages, because what of them is known is checked; there where one of them has one. */
static void set_traces(json_t *item, const char *name, json_t *texts, bool is_any)
{
	if (is_any)
		json_object_set_new(item, name, texts);
	else
		json_decref(texts);
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

/* *size grows by about what it will be as JSON. */
static json_t *messages_item(struct gateway *gateway, const struct gateway_statement *st,
			     size_t *size)
{
	json_t *item = json_object();
	json_t *list = json_array();
	json_t *parents = json_array();
	json_t *states = json_array();
	struct host_trace trace;
	bool is_traced = false;
	bool has_state = false;
	json_object_set_new(item, "statement", gateway_json_statement(st, NULL));
	json_object_set_new(item, "messages", list);
	for (uint32_t i = 0; i < st->count; i++) {
		struct gateway_message message;
		struct wire_message content;
		size_t mark = cs_arena_mark(&gateway->scratch);
		if (gateway_journal_find(gateway->journal, &st->ids[i], RELAY_SOURCE, &message) !=
			    CS_OK ||
		    gateway_journal_content(gateway->journal, &message, &gateway->scratch,
					    &content) != CS_OK) {
			cs_arena_rewind(&gateway->scratch, mark);
			json_decref(parents);
			json_decref(states);
			json_decref(item);
			return NULL;
		}
		json_t *json = gateway_json_message(&content, &message.id);
		*size += MESSAGE_SIZE + 2 * content.payload.n;
		cs_arena_rewind(&gateway->scratch, mark);
		json_object_set_new(json, "evidence", evidence_json(&message));
		json_object_set_new(
			json, "steps",
			gateway_json_facts(gateway, &message, RELAY_SOURCE, RELAY_STEP_REQUESTED));
		json_array_append_new(list, json);
		gateway_journal_trace(gateway->journal, message.n, &trace);
		json_array_append_new(parents, text_or_null(trace.parent));
		json_array_append_new(states, text_or_null(trace.state));
		*size += strlen(trace.state);
		is_traced = is_traced || trace.parent[0];
		has_state = has_state || trace.state[0];
	}
	set_traces(item, "traceparents", parents, is_traced);
	set_traces(item, "tracestates", states, has_state);
	return item;
}

/* What came before its status was told with the status. */
static json_t *outcomes_item(struct gateway *gateway, const struct gateway_statement *st)
{
	json_t *item = json_object();
	json_t *list = json_array();
	json_object_set_new(item, "statement", gateway_json_statement(st, NULL));
	json_object_set_new(item, "outcomes", list);
	for (uint32_t i = 0; i < st->count; i++) {
		struct gateway_message message;
		json_t *json = json_object();
		json_object_set_new(json, "id", host_json_hash(&st->ids[i]));
		json_object_set_new(json, "status", host_json_u64(st->statuses[i]));
		if (gateway_journal_find(gateway->journal, &st->ids[i], RELAY_DESTINATION,
					 &message) == CS_OK)
			json_object_set_new(json, "steps",
					    gateway_json_facts(gateway, &message, RELAY_DESTINATION,
							       !cs_hash_is_zero(&message.status_tx)
								       ? RELAY_STEP_OUTCOME_FINAL
								       : RELAY_STEP_CHECKED));
		json_array_append_new(list, json);
	}
	return item;
}

static json_t *rotation_item(const struct gateway_statement *st)
{
	json_t *item = json_object();
	json_object_set_new(item, "statement", gateway_json_statement(st, NULL));
	json_object_set_new(item, "key", host_json_hash(&st->ids[0]));
	return item;
}

/* The state as it is now: older notes of the same message say nothing that this one does not. The
 * source's first steps were told with the message. */
static json_t *note_item(struct gateway *gateway, uint64_t row, bool retry)
{
	static const enum relay_step from[] = {
		[RELAY_SOURCE] = RELAY_STEP_FINALIZATION_CHECKED,
		[RELAY_DESTINATION] = RELAY_STEP_CHECKED,
	};
	struct gateway_message message;
	if (gateway_journal_row(gateway->journal, row, &message) != CS_OK)
		return NULL;
	json_t *item = json_object();
	json_object_set_new(item, "id", host_json_hash(&message.id));
	json_object_set_new(item, "side", host_json_u64(message.side));
	if (retry)
		return item;
	json_object_set_new(item, "state", json_string(relay_state_name(message.state)));
	json_object_set_new(item, "status", host_json_u64(message.status));
	json_object_set_new(item, "why", json_string(message.why));
	json_object_set_new(
		item, "steps",
		gateway_json_facts(gateway, &message, message.side, from[message.side]));
	return item;
}

static json_t *item_json(struct gateway *gateway, const struct gateway_outbox_item *item,
			 size_t *size)
{
	static const char *const kinds[] = {
		[GATEWAY_ITEM_MESSAGES] = "messages", [GATEWAY_ITEM_OUTCOMES] = "outcomes",
		[GATEWAY_ITEM_NOTE] = "note",         [GATEWAY_ITEM_RETRY] = "retry",
		[GATEWAY_ITEM_ROTATION] = "rotation", [GATEWAY_ITEM_IN_FORCE] = "in_force"};
	struct gateway_statement statement;
	json_t *json = NULL;
	*size += NOTE_SIZE;
	switch (item->kind) {
	case GATEWAY_ITEM_MESSAGES:
	case GATEWAY_ITEM_OUTCOMES:
		if (gateway_journal_statement(gateway->journal, item->ref, &statement) != CS_OK)
			break;
		*size += statement.count * NOTE_SIZE;
		json = item->kind == GATEWAY_ITEM_MESSAGES
			       ? messages_item(gateway, &statement, size)
			       : outcomes_item(gateway, &statement);
		break;
	case GATEWAY_ITEM_ROTATION:
	case GATEWAY_ITEM_IN_FORCE:
		if (gateway_journal_statement(gateway->journal, item->ref, &statement) == CS_OK)
			json = rotation_item(&statement);
		break;
	case GATEWAY_ITEM_NOTE:
	case GATEWAY_ITEM_RETRY:
		json = note_item(gateway, item->ref, item->kind == GATEWAY_ITEM_RETRY);
		break;
	}
	if (!json)
		json = json_object(); /* the cursor must pass it nevertheless */
	json_object_set_new(json, "n", host_json_u64(item->n));
	json_object_set_new(json, "kind", json_string(kinds[item->kind]));
	return json;
}

json_t *gateway_peer_items(struct gateway *gateway, const char *peer, uint64_t after, bool *more)
{
	static struct gateway_outbox_item items[PUSH_ITEMS_MAX];
	size_t count = 0;
	size_t size = 0;
	*more = false;
	if (gateway_journal_outbox(gateway->journal, peer, after, items, PUSH_ITEMS_MAX, &count) !=
		    CS_OK ||
	    count == 0)
		return NULL;
	json_t *body = json_object();
	json_t *list = json_array();
	json_object_set_new(body, "instance",
			    json_string(gateway_journal_instance(gateway->journal)));
	json_object_set_new(body, "after", host_json_u64(after));
	json_object_set_new(body, "items", list);
	for (size_t i = 0; i < count; i++) {
		/* Of several notes of one message in this push only the last is told. */
		bool again = false;
		for (size_t k = i + 1; k < count && items[i].kind == GATEWAY_ITEM_NOTE && !again;
		     k++)
			again = items[k].kind == GATEWAY_ITEM_NOTE && items[k].ref == items[i].ref;
		if (again)
			continue;
		json_array_append_new(list, item_json(gateway, &items[i], &size));
		if (size > PUSH_SIZE_MAX && i + 1 < count) {
			*more = true;
			break;
		}
	}
	*more = *more || count == PUSH_ITEMS_MAX;
	return body;
}

/* ---- push ---- */

struct ack_write {
	struct gateway_peer *peer;
	uint64_t n;
};

static enum cs_err write_ack(void *context)
{
	struct ack_write *write = context;
	return gateway_journal_acked(write->peer->gateway->journal, write->peer->name, write->n);
}

/* From now on the outbox begins after n. */
static enum cs_err move_on(struct gateway_peer *peer, uint64_t n)
{
	struct gateway *gateway = peer->gateway;
	struct ack_write write = {peer, n};
	uint64_t acked = 0;
	CS_TRY(gateway_journal_ack(gateway->journal, peer->name, &acked));
	if (n > acked) {
		peer->stuck = 0;
		return gateway_write(gateway, write_ack, &write);
	}
	if (peer->stuck < STUCK_TRIES)
		peer->stuck++;
	peer->push_after_ms =
		host_now_ms() + (peer->stuck < STUCK_TRIES ? STUCK_PAUSE_MS : STUCK_LONG_MS);
	return CS_OK;
}

/* As the newest call says, a push or a pull: also of a peer that there is nothing to tell. */
static void set_reachable(struct gateway_peer *peer, bool reachable, const char *why)
{
	if (reachable && !peer->reachable)
		log_info("peer.reachable", LOG_TEXT("peer", peer->name));
	if (!reachable && (peer->reachable || !peer->is_judged))
		log_warn("peer.unreachable", LOG_TEXT("peer", peer->name), LOG_TEXT("why", why));
	peer->reachable = reachable;
	peer->is_judged = true;
}

static void failed(struct gateway_peer *peer, const struct host_http_response *response)
{
	char why[160];
	snprintf(why, sizeof(why), "status %d %.100s", response->status, response->why);
	set_reachable(peer, false, why);
}

static void push_ended(struct gateway_peer *peer, bool ok, const char *why)
{
	peer->pushing = false;
	set_reachable(peer, ok, why);
	if (ok) {
		peer->failures = 0;
		peer->push_after_ms = 0;
		return;
	}
	peer->failures++;
	uint64_t pause = 100u << (peer->failures < 6 ? peer->failures : 6);
	peer->push_after_ms =
		host_now_ms() + (pause < PUSH_BACKOFF_MAX_MS ? pause : PUSH_BACKOFF_MAX_MS);
}

static void push_done(void *context, const struct host_http_response *response)
{
	struct gateway_peer *peer = context;
	struct gateway *gateway = peer->gateway;
	json_t *answer = NULL;
	if (response->err == CS_OK && response->status == 200)
		answer = json_loadb((const char *)response->body.p, response->body.n,
				    JSON_REJECT_DUPLICATES, NULL);
	const json_t *cursor = json_object_get(answer, "cursor");
	if (json_is_integer(cursor) && json_integer_value(cursor) >= 0) {
		push_ended(peer, true, NULL);
		if (move_on(peer, (uint64_t)json_integer_value(cursor)) != CS_OK)
			push_ended(peer, false, "it has what was never sent");
	} else {
		char why[160];
		snprintf(why, sizeof(why), "status %d %.100s", response->status, response->why);
		push_ended(peer, false, why);
	}
	json_decref(answer);
	gateway_wake(gateway);
}

static void push(struct gateway_peer *peer)
{
	struct gateway *gateway = peer->gateway;
	uint64_t acked = 0;
	bool more = false;
	if (peer->pushing || host_now_ms() < peer->push_after_ms ||
	    gateway_journal_ack(gateway->journal, peer->name, &acked) != CS_OK)
		return;
	json_t *body = gateway_peer_items(gateway, peer->name, acked, &more);
	if (!body)
		return;
	char *text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!text)
		return;
	struct host_http_request request = {.url = peer->url,
					    .headers = {{"Authorization", peer->authorization},
							{"Content-Type", "application/json"}},
					    .body = cs_bytes_str(text),
					    .timeout_ms = PUSH_TIMEOUT_MS};
	peer->pushing = true;
	enum cs_err err = host_http_send(gateway->http, NULL, &request, push_done, peer);
	free(text);
	if (err != CS_OK)
		push_ended(peer, false, cs_err_sentence(err));
}

/* ---- both ends in this process ---- */

static void hand_to_self(struct gateway_peer *peer)
{
	struct gateway *gateway = peer->gateway;
	struct cs_why why = {{0}};
	uint64_t acked = 0;
	uint64_t cursor = 0;
	bool more = false;
	if (host_now_ms() < peer->push_after_ms ||
	    gateway_journal_ack(gateway->journal, peer->name, &acked) != CS_OK)
		return;
	json_t *body = gateway_peer_items(gateway, peer->name, acked, &more);
	if (!body)
		return;
	enum cs_err err = gateway_peer_take(gateway, peer->name, body, &cursor, &why);
	json_decref(body);
	if (err == CS_OK)
		err = move_on(peer, cursor);
	if (err != CS_OK)
		log_error("peer.self_refused", LOG_ERR(err), LOG_TEXT("why", why.text));
}

/* ---- pull ---- */

static void pull_done(void *context, const struct host_http_response *response)
{
	struct gateway_peer *peer = context;
	struct gateway *gateway = peer->gateway;
	struct cs_why why = {{0}};
	uint64_t cursor = 0;
	bool more = false;
	peer->pulling = false;
	if (response->err == CS_OK && response->status == 200) {
		json_t *body = json_loadb((const char *)response->body.p, response->body.n,
					  JSON_REJECT_DUPLICATES, NULL);
		if (body && json_array_size(json_object_get(body, "items")) > 0) {
			enum cs_err err =
				gateway_peer_take(gateway, peer->name, body, &cursor, &why);
			if (err != CS_OK)
				log_warn("peer.pull_refused", LOG_TEXT("peer", peer->name),
					 LOG_ERR(err), LOG_TEXT("why", why.text));
			more = err == CS_OK && json_is_true(json_object_get(body, "more"));
		}
		json_decref(body);
	}
	/* Where pushes fail, a pull that succeeds is not enough. */
	if (response->err != CS_OK || response->status != 200)
		failed(peer, response);
	else if (peer->failures == 0)
		set_reachable(peer, true, NULL);
	peer->pull_after_ms = host_now_ms() + (more ? 0 : gateway->config.pull_ms);
	gateway_wake(gateway);
}

static void pull(struct gateway_peer *peer)
{
	struct gateway *gateway = peer->gateway;
	char url[2200];
	char instance[40] = "";
	uint64_t consumed = 0;
	struct cs_why why = {{0}};
	/* What would not be taken is not asked for. */
	if (peer->pulling || host_now_ms() < peer->pull_after_ms ||
	    gateway_attested_gate(peer, &why) != CS_OK ||
	    gateway_journal_peer(gateway->journal, peer->name, instance, &consumed) != CS_OK)
		return;
	snprintf(url, sizeof(url), "%s?instance=%s&after=%llu", peer->url, instance,
		 (unsigned long long)consumed);
	struct host_http_request request = {.url = url,
					    .headers = {{"Authorization", peer->authorization}},
					    .timeout_ms = PUSH_TIMEOUT_MS,
					    .response_size_max = PULL_SIZE_MAX};
	peer->pulling = true;
	if (host_http_send(gateway->http, NULL, &request, pull_done, peer) != CS_OK) {
		peer->pulling = false;
		peer->pull_after_ms = host_now_ms() + gateway->config.pull_ms;
	}
}

void gateway_peers_pump(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->peer_count; i++) {
		struct gateway_peer *peer = &gateway->peers[i];
		if (peer->gone)
			continue;
		gateway_peer_take_held(peer);
		if (!peer->config) {
			hand_to_self(peer);
			continue;
		}
		push(peer);
		pull(peer);
	}
}
