/* Gateway to gateway: POST takes what a peer pushes, GET hands out what waits for it. The key's
 * name is the peer's name. */
#include "gateway/gateway.h"

#include <stdlib.h>
#include <string.h>

static struct gateway_peer *peer_of(struct gateway *gateway, struct host_http_exchange *exchange)
{
	const struct host_api_key *key = host_http_key(exchange);
	struct gateway_peer *peer =
		key && key->name[0] ? gateway_peer_named(gateway, key->name) : NULL;
	if (!peer)
		host_http_reply_problem(exchange, CS_ERR_FORBIDDEN,
					"the key's name is not the name of a peer");
	return peer;
}

static void post_envelopes(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	json_t *body = NULL;
	uint64_t cursor = 0;
	struct gateway_peer *peer = peer_of(gateway, exchange);
	if (!peer)
		return;
	enum cs_err err = host_http_body_json(exchange, &body, &why);
	if (err == CS_OK)
		err = gateway_peer_take(gateway, peer->name, body, &cursor, &why);
	json_decref(body);
	/* The peer forgets what we say that we have. */
	if (err == CS_OK)
		err = host_store_flush(gateway_journal_store(gateway->journal));
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		return;
	}
	/* It pushes: what it has would come twice. */
	peer->pull_after_ms = host_now_ms() + gateway->config.pull_ms;
	host_http_reply_json(exchange, 200, json_pack("{s:I}", "cursor", (json_int_t)cursor));
}

struct pull_ack {
	struct gateway_peer *peer;
	uint64_t n;
};

static enum cs_err write_ack(void *context)
{
	struct pull_ack *ack = context;
	return gateway_journal_acked(ack->peer->gateway->journal, ack->peer->name, ack->n);
}

static bool read_number(const char *text, uint64_t *value)
{
	char *end = NULL;
	if (!text || text[0] < '0' || text[0] > '9' || strlen(text) > 19)
		return false;
	*value = strtoull(text, &end, 10);
	return *end == 0 && *value <= INT64_MAX;
}

static void get_envelopes(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct gateway_peer *peer = peer_of(gateway, exchange);
	const char *instance = host_http_query(exchange, "instance");
	uint64_t after = 0;
	uint64_t acked = 0;
	bool more = false;
	if (!peer)
		return;
	if (!read_number(host_http_query(exchange, "after"), &after)) {
		host_http_reply_problem(exchange, CS_ERR_MALFORMED, "after: not a number");
		return;
	}
	enum cs_err err = gateway_journal_ack(gateway->journal, peer->name, &acked);
	/* Its cursor counts in our journal only if it knows this one. */
	if (err == CS_OK && instance &&
	    strcmp(instance, gateway_journal_instance(gateway->journal)) == 0 && after > acked) {
		struct pull_ack ack = {peer, after};
		err = gateway_write(gateway, write_ack, &ack);
		acked = after;
	}
	if (err == CS_OK)
		err = host_store_flush(gateway_journal_store(gateway->journal));
	if (err != CS_OK) {
		host_http_reply_problem(exchange, err,
					err == CS_ERR_CONFLICT ? "after: nothing has that number"
							       : NULL);
		return;
	}
	json_t *body = gateway_peer_items(gateway, peer->name, acked, &more);
	if (!body)
		body = json_pack("{s:s,s:I,s:[]}", "instance",
				 gateway_journal_instance(gateway->journal), "after",
				 (json_int_t)acked, "items");
	json_object_set_new(body, "more", json_boolean(more));
	host_http_reply_json(exchange, 200, body);
}

void gateway_api_peer_routes(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "POST", "/v1/peer/envelopes?", GATEWAY_SCOPE_PEER,
			       post_envelopes, gateway);
	host_http_server_route(gateway->server, "GET", "/v1/peer/envelopes?instance&after",
			       GATEWAY_SCOPE_PEER, get_envelopes, gateway);
}
