#include "relay_state/bft/record.h"
#include "relay_state/node/rpc_methods.h"
#include "relay_state/node/rpc_query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*~ After each block its events are told, the block's first, then each transaction's: to whoever
 * subscribed to something that matches, and to the callers of broadcast_tx_commit. An event's JSON is
 * made once. */

#define AWAITING_MAX 1024u
#define TICK_MS 250u

struct subscription {
	struct host_ws_peer *peer; /* NULL: free */
	json_t *id;
	struct rpc_query *query;
};

struct awaiting {
	struct rpc_call *call; /* NULL: free */
	struct cs_hash hash;
	json_t *check_tx;
	uint64_t until_ms;
};

struct rpc_events {
	struct node_rpc *rpc;
	struct host_timer *tick;
	struct subscription subscriptions[NODE_RPC_SUBSCRIPTIONS_MAX];
	struct awaiting awaiting[AWAITING_MAX];
};

/* ---- telling ---- */

static void drop_subscription(struct subscription *s)
{
	json_decref(s->id);
	free(s->query);
	memset(s, 0, sizeof *s);
}

/* A block's JSON is many times the block: it is made for somebody. */
static bool is_wanted(const struct rpc_events *e, const char *kind)
{
	for (size_t i = 0; i < NODE_RPC_SUBSCRIPTIONS_MAX; i++) {
		const struct subscription *s = &e->subscriptions[i];
		if (s->peer != NULL && rpc_query_admits(s->query, kind))
			return true;
	}
	return false;
}

/* data and events are taken. */
static void publish(struct rpc_events *e, json_t *data, json_t *events)
{
	for (size_t i = 0; i < NODE_RPC_SUBSCRIPTIONS_MAX; i++) {
		struct subscription *s = &e->subscriptions[i];
		if (s->peer == NULL || !rpc_query_matches(s->query, events))
			continue;
		json_t *root = json_pack("{sssOs{sssOsO}}", "jsonrpc", "2.0", "id", s->id, "result",
					 "query", s->query->text, "data", data, "events", events);
		char *text = cometbft_json_dump(root, 0);
		/* Who is too slow is dropped by the server, and its closing tells us. */
		(void)!host_ws_peer_send(s->peer, cs_bytes_str(text));
		free(text);
		json_decref(root);
	}
	json_decref(data);
	json_decref(events);
}

static void add_value(json_t *events, const char *key, json_t *value)
{
	json_t *list = json_object_get(events, key);
	if (list == NULL) {
		list = json_array();
		(void)json_object_set_new(events, key, list);
	}
	(void)json_array_append_new(list, value);
}

static json_t *json_event_map(const struct abci_events *events)
{
	json_t *map = json_object();
	for (size_t i = 0; i < events->count; i++) {
		const struct abci_event *event = &events->items[i];
		for (size_t k = 0; k < event->attributes.count; k++) {
			const struct abci_event_attribute *a = &event->attributes.items[k];
			char key[256];
			if (event->type.n == 0 || a->key.n == 0)
				continue;
			int n = snprintf(key, sizeof key, "%.*s.%.*s", (int)event->type.n,
					 (const char *)event->type.p, (int)a->key.n,
					 (const char *)a->key.p);
			if (n > 0 && (size_t)n < sizeof key)
				add_value(map, key, cometbft_json_text(a->value));
		}
	}
	return map;
}

static json_t *json_finalized(const struct abci_finalize_block_response *r)
{
	json_t *result = json_object(), *txs = json_array();
	if (r->events.count > 0)
		(void)json_object_set_new(result, "events", rpc_json_events(&r->events));
	for (size_t i = 0; i < r->tx_results.count; i++)
		(void)json_array_append_new(txs, rpc_json_tx_result(&r->tx_results.items[i]));
	if (json_array_size(txs) > 0)
		(void)json_object_set(result, "tx_results", txs);
	json_decref(txs);
	(void)json_object_set_new(result, "validator_updates",
				  rpc_json_updates(&r->validator_updates));
	if (r->consensus_param_updates != NULL)
		(void)json_object_set_new(result, "consensus_param_updates",
					  rpc_json_consensus_params(r->consensus_param_updates));
	if (r->app_hash.n > 0)
		(void)json_object_set_new(result, "app_hash", cometbft_json_base64(r->app_hash));
	return result;
}

/* An event of this kind: its value is taken; events of the application, or NULL. */
static void publish_as(struct rpc_events *e, const char *kind, const char *type, json_t *value,
		       const struct abci_events *events)
{
	static const struct abci_events none;
	json_t *map = json_event_map(events != NULL ? events : &none);
	char full[64];
	add_value(map, "tm.event", json_string(kind));
	(void)snprintf(full, sizeof full, "tendermint/event/%s", type);
	publish(e, json_pack("{ssso}", "type", full, "value", value), map);
}

/* In the order of CometBFT's fireEvents, of which those of transactions are a part. */
static void publish_block(struct rpc_events *e, const struct node_applied *a)
{
	const struct abci_events *events = &a->results->events;
	if (is_wanted(e, "NewBlock"))
		publish_as(e, "NewBlock", "NewBlock",
			   json_pack("{sososo}", "block", rpc_json_block(a->block), "block_id",
				     cometbft_json_block_id(&a->id), "result_finalize_block",
				     json_finalized(a->results)),
			   events);
	if (is_wanted(e, "NewBlockHeader"))
		publish_as(e, "NewBlockHeader", "NewBlockHeader",
			   json_pack("{so}", "header", cometbft_json_header(&a->block->header)),
			   NULL);
	if (is_wanted(e, "NewBlockEvents"))
		publish_as(e, "NewBlockEvents", "NewBlockEvents",
			   json_pack("{sososo}", "height",
				     cometbft_json_number(a->block->header.height), "events",
				     rpc_json_events(events), "num_txs",
				     cometbft_json_number((int64_t)a->block->tx_count)),
			   events);
	for (size_t i = 0; i < a->block->evidence_count && is_wanted(e, "NewEvidence"); i++)
		publish_as(e, "NewEvidence", "NewEvidence",
			   json_pack("{soso}", "height",
				     cometbft_json_number(a->block->header.height), "evidence",
				     cometbft_json_evidence(&a->block->evidence[i])),
			   NULL);
}

static void publish_updates(struct rpc_events *e, const struct node_applied *a)
{
	const struct abci_validator_updates *updates = &a->results->validator_updates;
	json_t *list = json_array();
	for (size_t i = 0; i < updates->count; i++) {
		struct cs_ed25519_key key;
		if (updates->items[i].pub_key.bytes.n != sizeof key.b)
			continue;
		memcpy(key.b, updates->items[i].pub_key.bytes.p, sizeof key.b);
		struct cmt_validator validator = cmt_validator_of(&key, updates->items[i].power);
		(void)json_array_append_new(list, cometbft_json_validator(&validator));
	}
	publish_as(e, "ValidatorSetUpdates", "ValidatorSetUpdates",
		   json_pack("{so}", "validator_updates", list), NULL);
}

static void publish_tx(struct rpc_events *e, const struct node_applied *a, size_t i)
{
	const struct abci_tx_result *result = &a->results->tx_results.items[i];
	struct cs_hash hash = cs_sha256(a->block->txs[i]);
	json_t *map = json_event_map(&result->events);
	add_value(map, "tm.event", json_string("Tx"));
	add_value(map, "tx.hash", cometbft_json_hex(CS_BYTES_OF(hash.b)));
	add_value(map, "tx.height", cometbft_json_number(a->block->header.height));
	json_t *value = json_pack("{so}", "height", cometbft_json_number(a->block->header.height));
	if (i > 0)
		(void)json_object_set_new(value, "index", json_integer((json_int_t)i));
	(void)json_object_set_new(value, "tx", cometbft_json_base64(a->block->txs[i]));
	(void)json_object_set_new(value, "result", rpc_json_tx_result_short(result));
	publish(e,
		json_pack("{sss{so}}", "type", "tendermint/event/Tx", "value", "TxResult", value),
		map);
}

/* ---- broadcast_tx_commit ---- */

static void answer_awaiting(struct awaiting *w, const struct abci_tx_result *result, int64_t height)
{
	struct rpc_call *call = w->call;
	json_t *check_tx = w->check_tx;
	w->call = NULL;
	if (result == NULL) {
		json_decref(check_tx);
		rpc_refuse(call, "timed out waiting for tx to be included in a block");
		return;
	}
	rpc_result(call, json_pack("{sosososo}", "check_tx", check_tx, "tx_result",
				   rpc_json_tx_result(result), "hash",
				   cometbft_json_hex(CS_BYTES_OF(w->hash.b)), "height",
				   cometbft_json_number(height)));
}

static void answer_callers(struct rpc_events *e, const struct node_applied *a, size_t i)
{
	struct cs_hash hash = cs_sha256(a->block->txs[i]);
	for (size_t k = 0; k < AWAITING_MAX; k++) {
		struct awaiting *w = &e->awaiting[k];
		if (w->call != NULL && cs_hash_eq(&w->hash, &hash))
			answer_awaiting(w, &a->results->tx_results.items[i],
					a->block->header.height);
	}
}

void rpc_await_tx(struct rpc_call *call, const struct cs_hash *hash, json_t *check_tx)
{
	struct rpc_events *e = call->rpc->events;
	for (size_t i = 0; i < AWAITING_MAX; i++) {
		struct awaiting *w = &e->awaiting[i];
		if (w->call != NULL)
			continue;
		*w = (struct awaiting){call, *hash, check_tx,
				       host_now_ms() + NODE_RPC_COMMIT_TIMEOUT_MS};
		return;
	}
	json_decref(check_tx);
	rpc_refuse(call, "too many callers wait for transactions");
}

static void on_tick(void *context)
{
	struct rpc_events *e = context;
	for (size_t i = 0; i < AWAITING_MAX; i++) {
		if (e->awaiting[i].call != NULL && e->awaiting[i].until_ms < host_now_ms())
			answer_awaiting(&e->awaiting[i], NULL, 0);
	}
}

static bool has_callers(const struct rpc_events *e)
{
	for (size_t i = 0; i < AWAITING_MAX; i++) {
		if (e->awaiting[i].call != NULL)
			return true;
	}
	return false;
}

static void on_block(void *context, const struct node_applied *a)
{
	struct rpc_events *e = context;
	bool callers = has_callers(e), listeners = is_wanted(e, "Tx");
	publish_block(e, a);
	for (size_t i = 0; i < a->block->tx_count && (callers || listeners); i++) {
		if (callers)
			answer_callers(e, a, i);
		if (listeners)
			publish_tx(e, a, i);
	}
	if (a->results->validator_updates.count > 0 && is_wanted(e, "ValidatorSetUpdates"))
		publish_updates(e, a);
}

/* ---- consensus ---- */

static void publish_step(struct rpc_events *e, const char *kind, const struct bft_view *v)
{
	if (is_wanted(e, kind))
		publish_as(e, kind, "RoundState",
			   json_pack("{sosiss}", "height", cometbft_json_number(v->height), "round",
				     (int)v->round, "step", rpc_step_name(v->step)),
			   NULL);
}

static void publish_round(struct rpc_events *e, const struct bft_view *v)
{
	struct bft *engine = node_engine(e->rpc->node);
	if (!is_wanted(e, "NewRound"))
		return;
	size_t at = bft_look_proposer(engine);
	const struct cs_address *proposer = &bft_look_set(engine)->list[at].address;
	publish_as(e, "NewRound", "NewRound",
		   json_pack("{sosisss{sosi}}", "height", cometbft_json_number(v->height), "round",
			     (int)v->round, "step", "RoundStepNewRound", "proposer", "address",
			     cometbft_json_hex(CS_BYTES_OF(proposer->b)), "index", (int)at),
		   NULL);
}

/* What a step of the engine passed through is not told, only what it came to. */
static void on_stepped(void *context, const struct bft_view *before)
{
	struct rpc_events *e = context;
	const struct bft_view now = node_view(e->rpc->node);
	bool same_height = now.height == before->height;
	bool same_round = same_height && now.round == before->round;
	if (now.step >= BFT_STEP_PROPOSE && (!same_round || before->step == BFT_STEP_NEW_HEIGHT))
		publish_round(e, &now);
	if (!same_round || now.step != before->step)
		publish_step(e, "NewRoundStep", &now);
	if (now.valid_round >= 0 && (!same_height || now.valid_round != before->valid_round)) {
		publish_step(e, "Polka", &now);
		publish_step(e, "ValidBlock", &now);
	}
	if (now.locked_round >= 0 && (!same_height || now.locked_round != before->locked_round)) {
		bool again = same_height && before->locked_round >= 0 &&
			     cmt_block_id_eq(&now.locked_id, &before->locked_id);
		publish_step(e, again ? "Relock" : "Lock", &now);
	}
}

/* A vote of another that counts is in the log, an own one goes to everybody. */
static void on_effect(void *context, const struct bft_effect *effect)
{
	struct rpc_events *e = context;
	struct bft_event event = {.bytes = effect->bytes};
	struct bft_message message;
	int64_t height;
	bool own = effect->type == BFT_EFFECT_SEND && effect->peer == BFT_PEER_ALL;
	if (!(own || effect->type == BFT_EFFECT_LOG) || !is_wanted(e, "Vote"))
		return;
	if (!own && (bft_record_decode(&event, &height, effect->bytes) != CS_OK ||
		     event.type != BFT_EVENT_MESSAGE))
		return;
	if (bft_message_decode(&message, event.bytes) == CS_OK && message.type == BFT_MESSAGE_VOTE)
		publish_as(e, "Vote", "Vote",
			   json_pack("{so}", "Vote", cometbft_json_vote(&message.vote)), NULL);
}

/* ---- subscriptions ---- */

static bool read_query(struct rpc_call *call, struct rpc_query **query)
{
	char *text;
	struct cs_why why = {{0}};
	cs_assert(call->peer != NULL);
	if (!rpc_text(call, "query", &text))
		return false;
	*query = host_alloc(sizeof **query);
	enum cs_err err = rpc_query_parse(*query, text, &why);
	free(text);
	if (err == CS_OK)
		return true;
	free(*query);
	rpc_refuse(call, "%s%s",
		   err == CS_ERR_TOO_LARGE ? "" : "failed to parse query: ", why.text);
	return false;
}

static uint32_t own_count(const struct rpc_events *e, const struct host_ws_peer *peer)
{
	uint32_t count = 0;
	for (size_t i = 0; i < NODE_RPC_SUBSCRIPTIONS_MAX; i++)
		count += e->subscriptions[i].peer == peer;
	return count;
}

static uint32_t client_count(const struct rpc_events *e)
{
	uint32_t count = 0;
	for (size_t i = 0; i < NODE_RPC_SUBSCRIPTIONS_MAX; i++) {
		bool first = e->subscriptions[i].peer != NULL;
		for (size_t k = 0; first && k < i; k++)
			first = e->subscriptions[k].peer != e->subscriptions[i].peer;
		count += first;
	}
	return count;
}

static struct subscription *find_subscription(struct rpc_events *e, const struct host_ws_peer *peer,
					      const struct rpc_query *query)
{
	for (size_t i = 0; i < NODE_RPC_SUBSCRIPTIONS_MAX; i++) {
		struct subscription *s = &e->subscriptions[i];
		if (s->peer == peer &&
		    (peer == NULL || strcmp(s->query->normal, query->normal) == 0))
			return s;
	}
	return NULL;
}

void rpc_subscribe(struct rpc_call *call)
{
	struct rpc_events *e = call->rpc->events;
	struct rpc_query *query;
	if (client_count(e) >= NODE_RPC_SUBSCRIPTION_CLIENTS_MAX)
		return rpc_refuse(call, "max_subscription_clients %u reached",
				  NODE_RPC_SUBSCRIPTION_CLIENTS_MAX);
	if (own_count(e, call->peer) >= NODE_RPC_SUBSCRIPTIONS_PER_CLIENT)
		return rpc_refuse(call, "max_subscriptions_per_client %u reached",
				  NODE_RPC_SUBSCRIPTIONS_PER_CLIENT);
	if (!read_query(call, &query))
		return;
	if (find_subscription(e, call->peer, query) != NULL) {
		free(query);
		return rpc_refuse(call, "already subscribed");
	}
	struct subscription *place = find_subscription(e, NULL, NULL);
	cs_assert(place != NULL);
	*place = (struct subscription){call->peer, json_incref(call->id), query};
	rpc_result(call, json_object());
}

void rpc_unsubscribe(struct rpc_call *call)
{
	struct rpc_query *query;
	if (!read_query(call, &query))
		return;
	struct subscription *found = find_subscription(call->rpc->events, call->peer, query);
	free(query);
	if (found == NULL)
		return rpc_refuse(call, "subscription not found");
	drop_subscription(found);
	rpc_result(call, json_object());
}

void rpc_unsubscribe_all(struct rpc_call *call)
{
	if (own_count(call->rpc->events, call->peer) == 0)
		return rpc_refuse(call, "subscription not found");
	rpc_events_peer_gone(call->rpc->events, call->peer);
	rpc_result(call, json_object());
}

void rpc_events_peer_gone(struct rpc_events *e, struct host_ws_peer *peer)
{
	for (size_t i = 0; i < NODE_RPC_SUBSCRIPTIONS_MAX; i++) {
		if (e->subscriptions[i].peer == peer)
			drop_subscription(&e->subscriptions[i]);
	}
}

struct rpc_events *rpc_events_new(struct node_rpc *rpc, struct host_loop *loop, struct node *node)
{
	static const struct node_watcher watcher = {on_effect, on_stepped};
	struct rpc_events *e = host_alloc(sizeof *e);
	e->rpc = rpc;
	e->tick = host_timer_new(loop, on_tick, e);
	host_timer_start(e->tick, TICK_MS, TICK_MS);
	node_on_block(node, on_block, e);
	node_watch(node, &watcher, e);
	return e;
}

void rpc_events_free(struct rpc_events *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < AWAITING_MAX; i++) {
		if (e->awaiting[i].call != NULL)
			answer_awaiting(&e->awaiting[i], NULL, 0);
	}
	for (size_t i = 0; i < NODE_RPC_SUBSCRIPTIONS_MAX; i++) {
		if (e->subscriptions[i].peer != NULL)
			drop_subscription(&e->subscriptions[i]);
	}
	host_timer_free(e->tick);
	free(e);
}
