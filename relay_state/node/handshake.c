#include "relay_state/node/node_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*~ As CometBFT's handshaker (consensus/replay.go): Info tells the application's height; at 0 it gets
 * InitChain; then every block up to the state's height that it lacks, FinalizeBlock and Commit each.
 * What the application answers must be what the chain says it answered. */

/* How far the replay is, so often. */
#define REPLAYING_MS 2000u

static void replay_next(struct node *n);

static bool check_app_hash(struct node *n, struct cs_bytes expected, int64_t height)
{
	char why[96];
	if (cs_bytes_eq(expected, cs_bytes(n->app_hash, n->app_hash_size)))
		return true;
	(void)snprintf(why, sizeof why, "its hash after height %" PRId64 " is not the chain's",
		       height);
	node_fail(n, CS_ERR_APPLICATION, "application", why);
	return false;
}

static bool keep_app_hash(struct node *n, struct cs_bytes hash)
{
	if (hash.n > sizeof n->app_hash) {
		node_fail(n, CS_ERR_TOO_LARGE, "application", "its hash is too long");
		return false;
	}
	if (hash.n > 0)
		memcpy(n->app_hash, hash.p, hash.n);
	n->app_hash_size = hash.n;
	return true;
}

/* ---- blocks that the application lacks ---- */

static void tell_replay(struct node *n)
{
	const uint64_t now_ms = host_now_ms();
	if (n->app_height == n->state.last_height) {
		log_info("node.replayed", LOG_I64("height", n->app_height));
	} else if (now_ms - n->replay_told_ms >= REPLAYING_MS) {
		n->replay_told_ms = now_ms;
		log_info("node.replaying", LOG_I64("height", n->app_height),
			 LOG_I64("to", n->state.last_height));
	}
}

static void on_replay_committed(void *context, enum cs_err err, const char *why,
				const struct abci_response *response)
{
	struct node *n = context;
	(void)response;
	if (err != CS_OK)
		return node_fail(n, err, "application", why);
	n->app_height = n->replay_height;
	tell_replay(n);
	replay_next(n);
}

static void on_replay_finalized(void *context, enum cs_err err, const char *why,
				const struct abci_response *response)
{
	const struct abci_request commit = {.method = ABCI_COMMIT};
	struct node *n = context;
	if (err != CS_OK)
		return node_fail(n, err, "application", why);
	if (keep_app_hash(n, response->finalize_block.app_hash))
		node_application_call(n->application, &commit, on_replay_committed, n);
}

static enum cs_err last_set(struct node *n, const struct cmt_validator_set **set, int64_t height,
			    struct cs_why *why)
{
	static const struct cmt_validator_set nobody;
	*set = &nobody;
	if (height <= n->genesis.initial_height)
		return CS_OK;
	return node_disk_validators(n->disk, set, height - 1, why);
}

static enum cs_err ask_replay(struct node *n, int64_t height, struct cs_why *why)
{
	struct node_stored_block stored;
	struct node_block block;
	const struct cmt_validator_set *last;
	CS_TRY(node_store_block(node_disk_store(n->disk), &stored, height, why));
	CS_TRY(last_set(n, &last, height, why));
	CS_TRY(node_block_read(&block, stored.block, last, &n->arena, why));
	if (n->app_height > 0 && n->app_height == height - 1 &&
	    !check_app_hash(n, cmt_header_app_hash(&block.block.header), height - 1))
		return CS_OK;
	struct abci_request request = node_ask_finalize(&block);
	n->replay_height = height;
	node_application_call(n->application, &request, on_replay_finalized, n);
	return CS_OK;
}

static void replay_next(struct node *n)
{
	struct cs_why why = {{0}};
	int64_t next = n->app_height > 0 ? n->app_height + 1 : n->genesis.initial_height;
	if (next > n->state.last_height) {
		if (n->state.last_height == 0 ||
		    check_app_hash(n, cs_bytes(n->state.app_hash, n->state.app_hash_size),
				   n->app_height))
			node_start(n);
		return;
	}
	size_t mark = cs_arena_mark(&n->arena);
	enum cs_err err = ask_replay(n, next, &why);
	cs_arena_rewind(&n->arena, mark);
	if (err != CS_OK)
		node_fail(n, err, "replay", why.text);
}

static void recover(struct node *n)
{
	const struct node_disk_found *found = node_disk_found(n->disk);
	char why[160];
	enum bft_recovery recovery =
		bft_recover(n->state.last_height, found->stored, n->app_height);
	int64_t first = n->app_height > 0 ? n->app_height + 1 : n->genesis.initial_height;
	bool lacks = recovery == BFT_RECOVER_REPLAY_APP && found->base > first;
	if (recovery == BFT_RECOVER_IMPOSSIBLE || lacks) {
		(void)snprintf(why, sizeof why,
			       "state %" PRId64 ", blocks %" PRId64 " to %" PRId64
			       ", application %" PRId64 ": these do not go together",
			       n->state.last_height, found->base, found->stored, n->app_height);
		return node_fail(n, CS_ERR_CONFLICT, "start", why);
	}
	if (n->app_height < n->state.last_height) {
		n->replay_told_ms = host_now_ms();
		log_info("node.replay", LOG_I64("from", first),
			 LOG_I64("to", n->state.last_height));
	}
	replay_next(n);
}

/* ---- Info, InitChain ---- */

static void on_init_chain(void *context, enum cs_err err, const char *why_asked,
			  const struct abci_response *response)
{
	struct node *n = context;
	struct cs_why why = {{0}};
	if (err != CS_OK)
		return node_fail(n, err, "application", why_asked);
	if (!node_disk_found(n->disk)->has_state) {
		size_t mark = cs_arena_mark(&n->arena);
		err = node_init_state(&n->state, &n->genesis, &response->init_chain, &n->arena,
				      &why);
		cs_arena_rewind(&n->arena, mark);
		if (err != CS_OK)
			return node_fail(n, err, "genesis", why.text);
		/* What Info said is in the headers from the first one on. */
		n->state.params.app_version = n->app_version;
	}
	recover(n);
}

static void ask_init_chain(struct node *n)
{
	struct abci_request request;
	size_t mark = cs_arena_mark(&n->arena);
	enum cs_err err = node_ask_init_chain(&request, &n->genesis, &n->arena);
	if (err == CS_OK)
		node_application_call(n->application, &request, on_init_chain, n);
	else
		node_fail(n, err, "genesis", cs_err_sentence(err));
	cs_arena_rewind(&n->arena, mark);
}

static void on_info(void *context, enum cs_err err, const char *why,
		    const struct abci_response *response)
{
	struct node *n = context;
	const struct node_disk_found *found = node_disk_found(n->disk);
	if (err != CS_OK)
		return node_fail(n, err, "application", why);
	n->app_height = response->info.last_block_height;
	n->app_version = response->info.app_version;
	if (n->app_height < 0)
		return node_fail(n, CS_ERR_INVALID, "application", "its height is below 0");
	if (!keep_app_hash(n, response->info.last_block_app_hash))
		return;
	if (found->has_state)
		bft_state_copy(&n->state, found->state);
	log_info("node.application", LOG_I64("height", n->app_height),
		 LOG_I64("state", n->state.last_height), LOG_I64("stored", found->stored));
	if (n->app_height == 0)
		ask_init_chain(n);
	else
		recover(n);
}

void node_handshake(struct node *n)
{
	const struct abci_request info = {.method = ABCI_INFO,
					  .info = {.version = cs_bytes_str("0.38.26"),
						   .block_version = CMT_BLOCK_PROTOCOL,
						   .p2p_version = 8,
						   .abci_version = cs_bytes_str("2.0.0")}};
	node_application_call(n->application, &info, on_info, n);
}
