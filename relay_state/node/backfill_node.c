#include "relay_state/node/node_inner.h"

/*~ Before the handshake: nothing that a peer or a block brings is judged on half of what there is.
 * The base does not move meanwhile, and a crash finds what was written down. */

static void on_done(void *context)
{
	struct node *n = context;
	node_backfill_free(n->backfill);
	n->backfill = NULL;
	node_handshake(n);
}

static void on_failed(void *context, enum cs_err err, const char *why)
{
	node_fail(context, err, "backfill", why);
}

static enum cs_err begin(struct node *n, const struct cmt_header *base, struct cs_why *why)
{
	static const struct node_backfill_events events = {on_done, on_failed};
	const struct node_peers_options peers = node_peers_options_of(n);
	const struct node_backfill_options options = {
		.request_ms = n->options.statesync.request_ms,
		.retry_ms = NODE_BACKFILL_RETRY_MS,
		.rounds = NODE_BACKFILL_ROUNDS,
		.base = base,
		.state = node_disk_found(n->disk)->state,
	};
	return node_backfill_new(&n->backfill, n->loop, &options, &peers,
				 node_disk_backfill(n->disk), &events, n, why);
}

void node_backfill_then_handshake(struct node *n)
{
	struct cmt_header base;
	struct cs_why why = {{0}};
	bool lacks, is_begun;
	enum cs_err err = node_disk_lacks_history(n->disk, &lacks, &is_begun, &base, &why);
	lacks = err == CS_OK && lacks && (is_begun || n->options.statesync.enable);
	if (lacks)
		err = begin(n, &base, &why);
	if (err != CS_OK)
		return node_fail(n, err, "backfill", why.text);
	if (!lacks)
		return node_handshake(n);
	log_info("statesync.backfill_begun", LOG_I64("below", base.height),
		 LOG_U64("p2p_port", node_backfill_port(n->backfill)));
}
