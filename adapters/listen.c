#include "adapters/listen.h"

#include "adapters/cometbft/cometbft.h"
#include "adapters/evm/evm.h"
#include "host/log.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 80u

/* ---- blocks ---- */

struct block_write {
	struct adapter_listen *listen;
	const struct adapter_block *block;
};

static enum cs_err write_block(void *context)
{
	struct block_write *write = context;
	return write->listen->ops->block(write->listen->context, write->block);
}

static void on_block(void *ctx, const struct adapter_block *block)
{
	struct adapter_listen *listen = ctx;
	struct block_write write = {listen, block};
	enum cs_err err = listen->owner->write(listen->context, write_block, &write, NULL);
	/* The cursor must not pass what is not in the journal. */
	if (err != CS_OK)
		listen->owner->fail(listen->context, err, "a block's events cannot be written");
}

struct cursor_write {
	struct adapter_listen *listen;
	const struct adapter_cursor *cursor;
};

static enum cs_err write_cursor(void *context)
{
	struct cursor_write *write = context;
	struct adapter_listen *listen = write->listen;
	uint8_t bytes[ADAPTER_CURSOR_SIZE_MAX];
	char name[NAME_SIZE];
	size_t size = 0;
	CS_TRY(adapter_cursor_encode(bytes, sizeof(bytes), &size, write->cursor));
	snprintf(name, sizeof(name), "cursor:%s", listen->identity_hex);
	return listen->ops->put(listen->context, name, cs_bytes(bytes, size));
}

/* Writers of one turn are one transaction: the blocks before it and their cursor. */
static void on_progress(void *ctx, const struct adapter_cursor *cursor)
{
	struct adapter_listen *listen = ctx;
	struct cursor_write write = {listen, cursor};
	if (cursor->count == 0)
		return;
	if (listen->owner->write(listen->context, write_cursor, &write, NULL) != CS_OK)
		log_warn("chain.cursor_not_stored", LOG_TEXT("chain", listen->config->id));
	adapter_follow_progress(listen->follow, cursor);
}

static void on_head(void *ctx, const struct adapter_header *head)
{
	struct adapter_listen *listen = ctx;
	adapter_follow_head(listen->follow, head);
}

static void on_stalled(void *ctx, uint64_t stalled_ms)
{
	struct adapter_listen *listen = ctx;
	adapter_follow_stalled(listen->follow, stalled_ms);
}

static void on_conflict(void *ctx, const struct adapter_block_id *other)
{
	struct adapter_listen *listen = ctx;
	adapter_follow_conflict(listen->follow, other);
}

struct evidence_write {
	struct adapter_listen *listen;
	const struct adapter_evidence *evidence;
};

static enum cs_err write_evidence(void *context)
{
	struct evidence_write *write = context;
	return write->listen->ops->evidence(write->listen->context, write->evidence);
}

static void on_evidence(void *ctx, const struct adapter_evidence *evidence)
{
	struct adapter_listen *listen = ctx;
	struct evidence_write write = {listen, evidence};
	if (listen->ops->evidence &&
	    listen->owner->write(listen->context, write_evidence, &write, NULL) != CS_OK)
		log_warn("chain.evidence_not_stored", LOG_TEXT("chain", listen->config->id));
}

static void on_endpoint(void *ctx, const struct adapter_endpoint *endpoint)
{
	const struct adapter_listen *listen = ctx;
	adapter_follow_endpoint(listen->follow, endpoint);
}

/* ---- reorganisations ---- */

struct undo_write {
	struct adapter_listen *listen;
	uint64_t from;
};

static enum cs_err write_undo(void *context)
{
	struct undo_write *write = context;
	return write->listen->ops->undo(write->listen->context, write->from);
}

static void on_reorg(void *ctx, const struct adapter_reorg *reorg)
{
	struct adapter_listen *listen = ctx;
	struct undo_write write = {listen, reorg->from};
	log_warn("chain.reorg", LOG_TEXT("chain", listen->config->id), LOG_U64("from", reorg->from),
		 LOG_U64("old_tip", reorg->old_tip),
		 LOG_BOOL("beyond_window", reorg->beyond_window),
		 LOG_BOOL("diverged", reorg->diverged));
	if (listen->owner->write(listen->context, write_undo, &write, NULL) != CS_OK) {
		listen->owner->fail(listen->context, CS_ERR_IO,
				    "a reorganisation cannot be written");
		return;
	}
	adapter_follow_reorg(listen->follow, reorg);
}

static void on_held(void *ctx, const struct adapter_reorg *reorg)
{
	struct adapter_listen *listen = ctx;
	adapter_follow_held(listen->follow, reorg);
}

/* ---- starting ---- */

static enum cs_err load_cursor(struct adapter_listen *listen, struct adapter_cursor *cursor)
{
	struct cs_arena *arena = listen->follow->scratch;
	size_t mark = cs_arena_mark(arena);
	struct cs_bytes bytes;
	char name[NAME_SIZE];
	memset(cursor, 0, sizeof(*cursor));
	snprintf(name, sizeof(name), "cursor:%s", listen->identity_hex);
	enum cs_err err = listen->ops->get(listen->context, name, &bytes);
	if (err == CS_OK)
		err = adapter_cursor_decode(cursor, bytes);
	else if (err == CS_ERR_NOT_FOUND)
		err = CS_OK;
	cs_arena_rewind(arena, mark);
	return err;
}

/* A manifest decided a conflict: what the journal has from its height on may be of the other branch.
 * It is undone as after any reorganisation, and those blocks are read again, once for each
 * decision. The node may have changed branches while nobody looked, and that is no reason to
 * freeze the chain anew. */
struct decision_write {
	struct undo_write undo;
	struct cursor_write cursor;
	const char *name;
	struct cs_bytes decision;
};

static enum cs_err write_decision(void *context)
{
	struct decision_write *write = context;
	struct adapter_listen *listen = write->undo.listen;
	CS_TRY(write_undo(&write->undo));
	CS_TRY(write_cursor(&write->cursor));
	return listen->ops->put(listen->context, write->name, write->decision);
}

static enum cs_err take_decision(struct adapter_listen *listen, struct adapter_cursor *cursor)
{
	const struct host_manifest_chain *manifest = listen->manifest;
	struct cs_arena *arena = listen->follow->scratch;
	size_t mark = cs_arena_mark(arena);
	uint8_t decision[8 + 32];
	struct cs_bytes taken;
	char name[NAME_SIZE];
	if (manifest->abandoned_height == 0)
		return CS_OK;
	snprintf(name, sizeof(name), "decided:%s", listen->identity_hex);
	cs_put_be64(decision, manifest->abandoned_height);
	memcpy(decision + 8, manifest->anchor_hash.b, 32);
	enum cs_err err = listen->ops->get(listen->context, name, &taken);
	bool known = err == CS_OK && cs_bytes_eq(taken, CS_BYTES_OF(decision));
	cs_arena_rewind(arena, mark);
	if (known || (err != CS_OK && err != CS_ERR_NOT_FOUND))
		return known ? CS_OK : err;
	while (cursor->count > 0 &&
	       cursor->recent[cursor->count - 1].height >= manifest->abandoned_height)
		cursor->count--;
	log_warn("chain.decided", LOG_TEXT("chain", listen->config->id),
		 LOG_U64("from", manifest->abandoned_height));
	struct decision_write write = {{listen, manifest->abandoned_height},
				       {listen, cursor},
				       name,
				       CS_BYTES_OF(decision)};
	return listen->owner->write(listen->context, write_decision, &write, NULL);
}

static void copy_list(const char **to, const char *const *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = from[i];
}

static struct adapter_hedge_config hedge_of(const struct host_chain_config *config)
{
	return (struct adapter_hedge_config){.percent = config->hedge_percent,
					     .delay_min_ms = config->hedge_delay_min_ms,
					     .delay_max_ms = config->hedge_delay_max_ms};
}

static enum cs_err new_evm(struct adapter **adapter, struct host_loop *loop,
			   const struct adapter_listen *listen,
			   const struct adapter_contracts *contracts,
			   const struct adapter_listener *listener, struct cs_why *why)
{
	const struct host_chain_config *from = listen->config;
	struct adapter_evm_config config = {
		.http_count = from->http_count,
		.ws_count = from->ws_count,
		.chain_id = listen->manifest->chain_id,
		.genesis_hash = listen->manifest->genesis,
		.gateway = contracts->gateway,
		.oracle_count = contracts->oracle_count,
		.feed_count = contracts->feed_count,
		.start_height = from->start_height,
		.block_time_ms = from->block_time_ms,
		.blocks_on_demand = from->blocks_on_demand,
		.hedge = hedge_of(from),
		.settle_blocks = from->settle_blocks,
		.reorg_blocks_max = from->reorg_blocks_max,
		.replace_blocks = from->replace_blocks,
		.in_flight_max = from->in_flight_max,
		.max_fee_cap_wei = from->max_fee_wei,
		.min_priority_fee_wei = from->min_priority_fee_wei,
	};
	copy_list(config.http, from->http, from->http_count);
	copy_list(config.ws, from->ws, from->ws_count);
	memcpy(config.oracles, contracts->oracles, sizeof(config.oracles));
	memcpy(config.feeds, contracts->feeds, sizeof(config.feeds));
	return adapter_evm_new(adapter, loop, &config, listener, why);
}

/* It begins at the anchor: what it reports follows from a header that the manifest names. */
static enum cs_err new_cometbft(struct adapter **adapter, struct host_loop *loop,
				const struct adapter_listen *listen,
				const struct adapter_contracts *contracts,
				const struct adapter_listener *listener, struct cs_why *why)
{
	const struct host_chain_config *from = listen->config;
	const struct host_manifest_chain *manifest = listen->manifest;
	struct adapter_cometbft_config config = {
		.http_count = from->http_count,
		.ws_count = from->ws_count,
		.caip2 = manifest->caip2,
		.chain_tag = manifest->genesis,
		.gateway = contracts->gateway,
		.anchor = {manifest->anchor_height, manifest->anchor_hash},
		.block_time_ms = from->block_time_ms,
		.blocks_on_demand = from->blocks_on_demand,
		.hedge = hedge_of(from),
		.settle_blocks = from->settle_blocks,
		.resend_blocks = from->replace_blocks,
		.in_flight_max = from->in_flight_max,
		.max_fee_cap_wei = from->max_fee_wei,
	};
	if (contracts->oracle_count + contracts->feed_count > 0)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "%s: events of a ledger are not proven, oracles need them",
			       manifest->caip2);
	copy_list(config.http, from->http, from->http_count);
	copy_list(config.ws, from->ws, from->ws_count);
	return adapter_cometbft_new(adapter, loop, &config, listener, why);
}

/* By the namespace of the chain's CAIP-2 id. */
static const struct {
	const char *namespace;
	enum cs_err (*make)(struct adapter **adapter, struct host_loop *loop,
			    const struct adapter_listen *listen,
			    const struct adapter_contracts *contracts,
			    const struct adapter_listener *listener, struct cs_why *why);
} kinds[] = {{"eip155:", new_evm}, {"cosmos:", new_cometbft}};

enum cs_err adapter_listen_make(struct adapter_listen *listen,
				const struct host_chain_config *config, struct host_loop *loop,
				const struct adapter_contracts *contracts, struct adapter **adapter,
				struct cs_why *why)
{
	const struct adapter_listener listener = {.ctx = listen,
						  .head = on_head,
						  .block = on_block,
						  .progress = on_progress,
						  .reorg = on_reorg,
						  .held = on_held,
						  .stalled = on_stalled,
						  .conflict = on_conflict,
						  .evidence = on_evidence,
						  .endpoint = on_endpoint};
	struct adapter_listen as = *listen;
	size_t kind = 0;
	as.config = config;
	while (kind < CS_LEN(kinds) &&
	       strncmp(config->id, kinds[kind].namespace, strlen(kinds[kind].namespace)) != 0)
		kind++;
	if (kind == CS_LEN(kinds))
		return cs_fail(why, CS_ERR_UNSUPPORTED, "%s: no adapter for its namespace",
			       config->id);
	return kinds[kind].make(adapter, loop, &as, contracts, &listener, why);
}

enum cs_err adapter_listen_exchange(struct adapter_listen *listen, struct adapter **adapter,
				    struct adapter *next)
{
	struct adapter_cursor cursor;
	adapter_free(*adapter);
	*adapter = next;
	listen->follow->adapter = next;
	adapter_follow_stalled(listen->follow, 0);
	adapter_follow_held(listen->follow, NULL);
	CS_TRY(load_cursor(listen, &cursor));
	return adapter_start(next, &cursor);
}

enum cs_err adapter_listen_start(struct adapter_listen *listen, struct adapter **adapter,
				 struct host_loop *loop, const struct adapter_contracts *contracts,
				 struct cs_why *why)
{
	struct adapter_cursor cursor;
	enum cs_err err = load_cursor(listen, &cursor);
	if (err != CS_OK)
		return cs_fail(why, err, "the cursor of %s is broken", listen->config->id);
	CS_TRY(take_decision(listen, &cursor));
	adapter_follow_progress(listen->follow, &cursor);
	if (!*adapter)
		CS_TRY(adapter_listen_make(listen, listen->config, loop, contracts, adapter, why));
	listen->follow->adapter = *adapter;
	return adapter_start(*adapter, &cursor);
}
