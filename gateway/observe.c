/* POST /v1/operator/observe: "you missed this one". The adapter reads the blocks of a transaction, or of
 * a range of heights, again, and what it finds goes the way of every block: an event that the journal
 * has is passed over, one that it lacks is taken. The answer lists the events that are there. */
#include "gateway/operator.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Of one request: an answer is waited for. */
#define OBSERVE_HEIGHTS_MAX 10000u
#define OBSERVE_EVENTS_MAX 256u

struct found {
	struct cs_hash id;
	enum adapter_event_kind kind;
	uint64_t height;
	bool news;
};

struct gateway_observation {
	struct gateway_chain *chain;
	struct host_http_exchange *exchange;
	char who[HOST_API_KEY_NAME_MAX + 1];
	bool by_tx;
	struct cs_hash tx;
	uint64_t from;
	uint64_t to;
	uint64_t count; /* of events that are there */
	uint64_t news;  /* of them, that the journal lacked */
	struct found found[OBSERVE_EVENTS_MAX];
	struct gateway_message before; /* the row of the event that is being written */
	bool was_there;
};

/* ---- what the blocks hold ---- */

static bool id_of(const struct adapter_event *event, struct cs_hash *id, enum relay_side *side)
{
	*side = event->kind == ADAPTER_EVENT_STATUS ? RELAY_DESTINATION : RELAY_SOURCE;
	if (event->kind == ADAPTER_EVENT_MESSAGE)
		*id = event->message.message_id;
	else if (event->kind == ADAPTER_EVENT_STATUS)
		*id = event->status.message_id;
	else if (event->kind == ADAPTER_EVENT_FINALIZED)
		*id = event->finalized.message_id;
	else
		return false;
	return true;
}

static bool same_place(const struct gateway_message *a, const struct gateway_message *b)
{
	return a->state == b->state && a->height == b->height && a->status == b->status &&
	       a->status_height == b->status_height && a->end_height == b->end_height;
}

void gateway_observe_event(struct gateway_chain *chain, const struct adapter_event *event,
			   bool written)
{
	struct gateway_observation *observation = chain->observation;
	struct gateway_journal *journal = chain->gateway->journal;
	struct gateway_message row;
	struct cs_hash id;
	enum relay_side side;
	if (!observation || event->at.block.height < observation->from ||
	    event->at.block.height > observation->to || !id_of(event, &id, &side) ||
	    (observation->by_tx && !cs_hash_eq(&event->at.tx_hash, &observation->tx)))
		return;
	bool is_there = gateway_journal_find(journal, &id, side, &row) == CS_OK;
	if (!written) {
		observation->was_there = is_there;
		if (is_there)
			observation->before = row;
		return;
	}
	bool news =
		is_there && (!observation->was_there || !same_place(&observation->before, &row));
	if (observation->count < OBSERVE_EVENTS_MAX)
		observation->found[observation->count] =
			(struct found){id, event->kind, event->at.block.height, news};
	observation->count++;
	observation->news += news;
}

/* ---- the answer ---- */

static json_t *event_json(struct gateway_chain *chain, const struct found *found)
{
	static const char *const names[] = {[ADAPTER_EVENT_MESSAGE] = "committed",
					    [ADAPTER_EVENT_STATUS] = "status",
					    [ADAPTER_EVENT_FINALIZED] = "finalized"};
	struct gateway_message row;
	bool source = found->kind != ADAPTER_EVENT_STATUS;
	enum cs_err err = gateway_journal_find(chain->gateway->journal, &found->id,
					       source ? RELAY_SOURCE : RELAY_DESTINATION, &row);
	json_t *json = json_object();
	json_object_set_new(json, "event", json_string(names[found->kind]));
	json_object_set_new(json, "id", host_json_hash(&found->id));
	json_object_set_new(json, "side", json_string(source ? "source" : "destination"));
	json_object_set_new(json, "height", host_json_u64(found->height));
	json_object_set_new(json, "state",
			    err == CS_OK ? json_string(relay_state_name(row.state)) : json_null());
	json_object_set_new(json, "taken", json_boolean(found->news));
	return json;
}

static void observation_free(struct gateway_observation *observation)
{
	observation->chain->observation = NULL;
	free(observation);
}

static void fail(struct gateway_observation *observation, enum cs_err err, const char *why)
{
	host_http_reply_problem(observation->exchange, err, why);
	observation_free(observation);
}

static void reply(void *context, enum cs_err err)
{
	struct gateway_observation *observation = context;
	struct gateway_chain *chain = observation->chain;
	uint64_t listed =
		observation->count < OBSERVE_EVENTS_MAX ? observation->count : OBSERVE_EVENTS_MAX;
	if (err != CS_OK) {
		fail(observation, err, NULL);
		return;
	}
	json_t *json = json_object();
	json_t *events = json_array();
	json_object_set_new(json, "chain", json_string(chain->config->id));
	json_object_set_new(json, "from_height", host_json_u64(observation->from));
	json_object_set_new(json, "to_height", host_json_u64(observation->to));
	json_object_set_new(json, "found", host_json_u64(observation->count));
	json_object_set_new(json, "taken", host_json_u64(observation->news));
	for (uint64_t i = 0; i < listed; i++)
		json_array_append_new(events, event_json(chain, &observation->found[i]));
	json_object_set_new(json, "events", events);
	json_object_set_new(json, "complete", json_boolean(listed == observation->count));
	host_http_reply_json(observation->exchange, 200, json);
	gateway_wake(chain->gateway);
	observation_free(observation);
}

static enum cs_err write_observed(void *context)
{
	const struct gateway_observation *observation = context;
	return gateway_operator_told(
		observation->chain->gateway, "operator.observed", observation->who,
		"%s: %llu events, %llu taken", observation->chain->config->id,
		(unsigned long long)observation->count, (unsigned long long)observation->news);
}

static void read_again(void *ctx, enum cs_err err, const char *why)
{
	struct gateway_observation *observation = ctx;
	struct gateway *gateway = observation->chain->gateway;
	if (err == CS_OK && gateway->stopping)
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = gateway_write_then(gateway, write_observed, observation, reply, observation);
	if (err != CS_OK)
		fail(observation, err, why);
}

/* ---- the request ---- */

static void begin(struct gateway_observation *observation)
{
	struct gateway_chain *chain = observation->chain;
	uint64_t known = chain->follow.cursor_height;
	char text[120];
	if (observation->from > known) {
		snprintf(text, sizeof(text), "block %llu is read in its turn, after %llu",
			 (unsigned long long)observation->from, (unsigned long long)known);
		fail(observation, CS_ERR_NOT_FINAL, text);
		return;
	}
	if (observation->to > known)
		observation->to = known;
	enum cs_err err = adapter_rescan(chain->adapter, observation->from, observation->to,
					 read_again, observation);
	/* The heights are in order: what the adapter has not come to yet is left, as before its first block. */
	if (err == CS_ERR_INVALID)
		fail(observation, CS_ERR_NOT_FINAL, "the block is read in its turn");
	else if (err != CS_OK)
		fail(observation, err, "the blocks could not be asked for");
}

static void receipt_done(void *ctx, enum cs_err err, const char *why,
			 const struct adapter_receipt *receipt)
{
	struct gateway_observation *observation = ctx;
	if (err != CS_OK) {
		fail(observation, err, why);
		return;
	}
	if (!receipt) {
		fail(observation, CS_ERR_NOT_FOUND, "the node knows of no block with it");
		return;
	}
	observation->from = observation->to = receipt->height;
	begin(observation);
}

static enum cs_err write_told(void *context)
{
	const struct gateway_observation *observation = context;
	struct gateway *gateway = observation->chain->gateway;
	const char *id = observation->chain->config->id;
	char tx[2 * sizeof(observation->tx.b) + 1];
	cs_hex(tx, CS_BYTES_OF(observation->tx.b));
	if (observation->by_tx)
		return gateway_operator_told(gateway, "operator.observe", observation->who,
					     "%s: transaction 0x%s", id, tx);
	return gateway_operator_told(gateway, "operator.observe", observation->who,
				     "%s: %llu to %llu", id, (unsigned long long)observation->from,
				     (unsigned long long)observation->to);
}

static void told(void *context, enum cs_err err)
{
	struct gateway_observation *observation = context;
	if (err != CS_OK) {
		fail(observation, err, NULL);
		return;
	}
	if (!observation->by_tx) {
		begin(observation);
		return;
	}
	err = adapter_receipt(observation->chain->adapter, &observation->tx, receipt_done,
			      observation);
	if (err != CS_OK)
		fail(observation, err, "the node could not be asked");
}

static enum cs_err read_heights(struct gateway_observation *observation, const json_t *body,
				struct cs_why *why)
{
	CS_TRY(host_json_read_u64(body, "from_height", &observation->from, why));
	observation->to = observation->from;
	if (json_object_get(body, "to_height"))
		CS_TRY(host_json_read_u64(body, "to_height", &observation->to, why));
	if (observation->to < observation->from)
		return cs_fail(why, CS_ERR_INVALID, "to_height: below from_height");
	if (observation->to - observation->from >= OBSERVE_HEIGHTS_MAX)
		return cs_fail(why, CS_ERR_INVALID, "to_height: at most %u heights at once",
			       OBSERVE_HEIGHTS_MAX);
	return CS_OK;
}

static enum cs_err read_body(struct gateway *gateway, struct gateway_observation *observation,
			     const json_t *body, struct cs_why *why)
{
	static const char *const names[] = {"chain", "tx", "from_height", "to_height", NULL};
	CS_TRY(host_json_known(body, names, "body", why));
	const json_t *chain = json_object_get(body, "chain");
	if (chain && !json_is_string(chain))
		return cs_fail(why, CS_ERR_MALFORMED, "chain: not a text");
	if (!chain && gateway->chain_count > 1)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "chain: say which");
	observation->chain = chain ? gateway_chain_named(gateway, json_string_value(chain))
				   : &gateway->chains[0];
	if (!observation->chain)
		return cs_fail(why, CS_ERR_NOT_FOUND, "chain: not one of this gateway");
	observation->by_tx = json_object_get(body, "tx") != NULL;
	if (!observation->by_tx)
		return read_heights(observation, body, why);
	if (json_object_get(body, "from_height") || json_object_get(body, "to_height"))
		return cs_fail(why, CS_ERR_INVALID, "tx: heights are named too");
	return host_json_read_hash(body, "tx", &observation->tx, why);
}

static void post_observe(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	json_t *body = NULL;
	struct gateway_observation *observation = host_alloc(sizeof(*observation));
	observation->exchange = exchange;
	(void)snprintf(observation->who, sizeof(observation->who), "%s",
		       gateway_operator_of(exchange));
	enum cs_err err = host_http_body_json(exchange, &body, &why);
	if (err == CS_OK)
		err = read_body(gateway, observation, body, &why);
	json_decref(body);
	if (err == CS_OK && observation->chain->observation)
		err = cs_fail(&why, CS_ERR_FULL, "another observation of this chain is under way");
	if (err == CS_OK) {
		observation->chain->observation = observation;
		err = gateway_write_then(gateway, write_told, observation, told, observation);
		if (err != CS_OK)
			observation->chain->observation = NULL;
	}
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		free(observation);
	}
}

void gateway_api_observe_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "POST", "/v1/operator/observe?",
			       GATEWAY_SCOPE_OPERATE, post_observe, gateway);
}
