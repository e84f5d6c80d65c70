/* One nonce to all nodes at once: an answer is worth the more the sooner it comes, and none waits for
 * another. */
#include "host/alloc.h"
#include "relay_state/client/inner.h"

#include <stdlib.h>

/* A request to one node; it may outlive the question by its own timeout. */
struct asked {
	struct ledger_client_times *times;
	size_t node;
};

struct ledger_client_times {
	struct ledger_client *client;
	struct ledger_client_times *next;
	struct host_timer *timer;
	ledger_client_time_fn *each;
	ledger_client_time_done_fn *done;
	void *ctx;
	size_t asked;
	size_t answered;
	size_t open; /* requests that have not come back */
	bool ended;
	bool has_anchor; /* one was asked for */
	struct asked requests[LEDGER_CLIENT_NODES_MAX];
};

static void release(struct ledger_client_times *times)
{
	host_timer_free(times->timer);
	free(times);
}

static void free_if_over(struct ledger_client_times *times)
{
	struct ledger_client_times **at = &times->client->times;

	if (!times->ended || times->open > 0)
		return;
	while (*at != times)
		at = &(*at)->next;
	*at = times->next;
	release(times);
}

static void end(struct ledger_client_times *times, enum cs_err err)
{
	if (times->ended)
		return;
	times->ended = true;
	host_timer_stop(times->timer);
	times->done(times->ctx, err, times->answered, times->asked);
}

static void at_deadline(void *context)
{
	struct ledger_client_times *times = context;

	end(times, CS_OK);
	free_if_over(times);
}

static enum cs_err read_anchor(struct verify_anchor *anchor, const json_t *json)
{
	CS_TRY(comet_json_u64(&anchor->manifest_number, json_object_get(json, "manifest_number")));
	CS_TRY(comet_json_u64(&anchor->epoch, json_object_get(json, "epoch")));
	CS_TRY(comet_json_fixed(anchor->authority.b, sizeof(anchor->authority.b),
				json_object_get(json, "authority")));
	return comet_json_fixed(anchor->start.b, sizeof(anchor->start.b),
				json_object_get(json, "start"));
}

static enum cs_err read_answer(struct ledger_client_time_answer *answer, bool has_anchor,
			       const json_t *result)
{
	if (has_anchor)
		CS_TRY(read_anchor(&answer->anchor, json_object_get(result, "anchor")));
	CS_TRY(comet_json_fixed(answer->key.b, sizeof(answer->key.b),
				json_object_get(result, "key")));
	CS_TRY(comet_json_u64(&answer->time_ms, json_object_get(result, "time_ms")));
	return comet_json_fixed(answer->signature, sizeof(answer->signature),
				json_object_get(result, "signature"));
}

static void answered(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct asked *asked = ctx;
	struct ledger_client_times *times = asked->times;
	struct ledger_client_time_answer answer = {.node = asked->node};

	(void)count;
	times->open--;
	if (!times->ended && replies[0].class == ADAPTER_RPC_FINE) {
		if (read_answer(&answer, times->has_anchor, replies[0].result) == CS_OK) {
			times->answered++;
			times->each(times->ctx, &answer);
		} else {
			adapter_rpc_lied(times->client->nodes.rpc, asked->node,
					 "an answer about the time that does not read");
		}
	}
	if (times->open == 0 && !times->client->closed)
		end(times, CS_OK);
	if (!times->client->closed)
		free_if_over(times);
}

static json_t *question(const struct cs_hash *nonce, const struct verify_anchor_owner *owner)
{
	char text[2 + 64 + 1] = "0x", lineage[2 + 64 + 1] = "0x", key[2 + 64 + 1] = "0x";

	cs_hex(text + 2, CS_BYTES_OF(nonce->b));
	if (owner == NULL)
		return json_pack("{s:s}", "nonce", text);
	cs_hex(lineage + 2, CS_BYTES_OF(owner->lineage.b));
	cs_hex(key + 2, CS_BYTES_OF(owner->key.b));
	return json_pack("{s:s, s:s, s:s}", "nonce", text, "lineage", lineage, "key", key);
}

static void ask_all(struct ledger_client_times *times, const struct cs_hash *nonce,
		    const struct verify_anchor_owner *owner)
{
	struct adapter_rpc *rpc = times->client->nodes.rpc;

	for (size_t i = 0; i < adapter_rpc_endpoint_count(rpc); i++) {
		const struct adapter_rpc_options options = {.pin = i, .only_pin = true};

		times->requests[i] = (struct asked){times, i};
		if (adapter_rpc_call(rpc, &options, "caisson_time", question(nonce, owner),
				     answered, &times->requests[i]) != CS_OK)
			continue;
		times->asked++;
		times->open++;
	}
}

enum cs_err ledger_client_time(struct ledger_client *client, const struct cs_hash *nonce,
			       const struct verify_anchor_owner *owner, uint64_t deadline_ms,
			       ledger_client_time_fn *each, ledger_client_time_done_fn *done,
			       void *ctx)
{
	if (client->closed)
		return CS_ERR_UNAVAILABLE;
	struct ledger_client_times *times = host_alloc(sizeof(*times));
	*times = (struct ledger_client_times){.client = client,
					      .each = each,
					      .done = done,
					      .ctx = ctx,
					      .has_anchor = owner != NULL};
	ask_all(times, nonce, owner);
	if (times->asked == 0) {
		free(times);
		return CS_ERR_UNAVAILABLE;
	}
	times->timer = host_timer_new(client->loop, at_deadline, times);
	host_timer_start(times->timer, deadline_ms, 0);
	times->next = client->times;
	client->times = times;
	return CS_OK;
}

/* The requests have been answered with CLOSED before. */
void ledger_client_end_times(struct ledger_client *client)
{
	struct ledger_client_times *times;

	while ((times = client->times) != NULL) {
		client->times = times->next;
		cs_assert(times->open == 0);
		end(times, CS_ERR_CLOSED);
		release(times);
	}
}
