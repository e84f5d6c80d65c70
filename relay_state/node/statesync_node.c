#include "relay_state/node/node_inner.h"

bool node_wants_statesync(const struct node *n)
{
	const struct node_disk_found *found = node_disk_found(n->disk);
	if (!n->options.statesync.enable)
		return false;
	if (!found->has_state && found->stored == 0)
		return true;
	log_info("statesync.not_needed", LOG_I64("stored", found->stored));
	return false;
}

static void on_done(void *context, const struct node_statesync_result *result)
{
	struct node *n = context;
	struct cs_why why = {{0}};
	enum cs_err err = node_disk_begin_at(n->disk, result->state, &result->block, &why);
	node_statesync_free(n->statesync);
	n->statesync = NULL;
	if (err != CS_OK)
		return node_fail(n, err, "statesync", why.text);
	node_backfill_then_handshake(n);
}

static void on_failed(void *context, enum cs_err err, const char *why)
{
	node_fail(context, err, "statesync", why);
}

void node_statesync_begin(struct node *n)
{
	static const struct node_statesync_events events = {on_done, on_failed};
	const struct node_peers_options peers = node_peers_options_of(n);
	const struct node_statesync_needs needs = {&n->options.statesync, &peers, &n->genesis,
						   n->application};
	struct cs_why why = {{0}};
	enum cs_err err = node_statesync_new(&n->statesync, n->loop, &needs, &events, n, &why);
	if (err != CS_OK)
		return node_fail(n, err, "statesync", why.text);
	log_info("statesync.begun", LOG_I64("trust_height", n->options.statesync.trust_height),
		 LOG_U64("p2p_port", node_statesync_port(n->statesync)));
}
