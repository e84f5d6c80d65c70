/* The gateways that this one speaks to, as its configuration has them: at the start, and when the file
 * is read again. A peer keeps its place for as long as the process runs, because calls that are under
 * way point to it; one that was taken out is `gone`, and what waits for it stays in the journal. */
#include "gateway/gateway.h"

#include <stdlib.h>
#include <string.h>

enum cs_err gateway_peer_load(struct gateway_peer *peer, struct gateway *gateway,
			      const struct gateway_peer_config *config, struct cs_why *why)
{
	char token[HOST_TOKEN_MAX + 1];
	CS_TRY(host_tokenfile_load(token, config->api_key_file, why));
	peer->gateway = gateway;
	peer->config = config;
	peer->name = config->name;
	snprintf(peer->authorization, sizeof(peer->authorization), "Bearer %s", token);
	cs_wipe(token, sizeof(token));
	size_t n = strlen(config->url);
	while (n > 0 && config->url[n - 1] == '/')
		n--;
	snprintf(peer->url, sizeof(peer->url), "%.*s/v1/peer/envelopes", (int)n, config->url);
	return host_http_client_allow(gateway->http, config->url, why);
}

/* ---- which of them serve a route ---- */

static bool serves(const struct gateway_peer *peer, const char *caip2)
{
	if (!peer->config)
		return gateway_chain_named(peer->gateway, caip2) != NULL;
	for (size_t k = 0; k < peer->config->chain_count; k++)
		if (strcmp(peer->config->chains[k], caip2) == 0)
			return true;
	return false;
}

void gateway_route_peers(struct gateway_route *route)
{
	struct gateway *gateway = route->chain->gateway;
	route->peer_count = 0;
	for (size_t i = 0; i < gateway->peer_count; i++) {
		struct gateway_peer *peer = &gateway->peers[i];
		if (!peer->gone && serves(peer, route->remote_manifest->caip2))
			route->peers[route->peer_count++] = peer;
	}
}

/* ---- another list of them ---- */

static struct gateway_peer *same_name(struct gateway_peer *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

/* The fields that a file says; what is under way goes on. */
static void take(struct gateway_peer *peer, const struct gateway_peer *fresh,
		 const struct gateway_peer_config *config)
{
	peer->gateway = fresh->gateway;
	peer->config = config;
	peer->name = config->name;
	memcpy(peer->authorization, fresh->authorization, sizeof(peer->authorization));
	memcpy(peer->url, fresh->url, sizeof(peer->url));
	peer->gone = false;
	peer->failures = 0;
	peer->push_after_ms = 0;
	peer->pull_after_ms = 0;
	gateway_attested_configure(peer);
}

static struct gateway_peer *place_for(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->peer_count; i++) {
		struct gateway_peer *peer = &gateway->peers[i];
		if (peer->gone && !peer->pushing && !peer->pulling)
			return peer;
	}
	return gateway->peer_count < GATEWAY_PEER_PLACES ? &gateway->peers[gateway->peer_count++]
							 : NULL;
}

bool gateway_peers_fit(const struct gateway *gateway, const struct gateway_peer *fresh,
		       size_t count)
{
	size_t places = GATEWAY_PEER_PLACES - gateway->peer_count;
	for (size_t i = 0; i < gateway->peer_count; i++)
		places += gateway->peers[i].gone && !gateway->peers[i].pushing &&
			  !gateway->peers[i].pulling;
	for (size_t i = 0; i < count; i++)
		if (gateway_peer_named((struct gateway *)(uintptr_t)gateway, fresh[i].name))
			places++;
	return count <= places;
}

void gateway_peers_replace(struct gateway *gateway, struct gateway_peer *fresh, size_t count)
{
	const struct gateway_config *config = &gateway->config;
	for (size_t i = 0; i < gateway->peer_count; i++) {
		struct gateway_peer *peer = &gateway->peers[i];
		if (!peer->config || peer->gone)
			continue;
		if (same_name(fresh, count, peer->name))
			continue;
		log_info("peer.gone", LOG_TEXT("peer", peer->name));
		peer->gone = true;
		peer->reachable = false;
		peer->config = NULL;
		gateway_attested_configure(peer);
	}
	for (size_t i = 0; i < count; i++) {
		struct gateway_peer *peer = gateway_peer_named(gateway, fresh[i].name);
		if (!peer)
			peer = place_for(gateway);
		cs_assert(peer != NULL);
		take(peer, &fresh[i], &config->peers[i]);
	}
	for (size_t i = 0; i < gateway->chain_count; i++)
		for (size_t k = 0; k < gateway->chains[i].route_count; k++)
			gateway_route_peers(&gateway->chains[i].routes[k]);
}
