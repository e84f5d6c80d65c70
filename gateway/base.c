/* What every part of a gateway uses: memory, lookups, the next try, and the one way to write. */
#include "gateway/gateway.h"
#include "host/alloc.h"
#include "relay_state/client/clock.h"

#include <stdlib.h>
#include <string.h>

struct cs_arena *gateway_arena_new(void)
{
	struct cs_arena *arena = host_alloc(sizeof(*arena));
	/* Not cleared: an arena clears what it is asked to. */
	void *block = malloc(GATEWAY_ARENA_SIZE);
	cs_assert(block != NULL);
	cs_arena_init(arena, block, GATEWAY_ARENA_SIZE);
	return arena;
}

void gateway_arena_free(struct cs_arena *arena)
{
	if (!arena)
		return;
	free(arena->block);
	free(arena);
}

const char *gateway_chain_trouble(const struct gateway_chain *chain)
{
	const struct gateway *gateway = chain->gateway;
	if (!gateway->enclave_ready)
		return "the enclave is not ready";
	const char *trouble = ledger_clock_trouble(gateway->clock);
	if (!trouble)
		trouble = adapter_follow_trouble(&chain->follow);
	if (trouble || !gateway_pool_is_out(chain))
		return trouble;
	return chain->own->gas_accounts == 1 ? "the gas account cannot pay"
					     : "no gas account can pay";
}

struct gateway_chain *gateway_chain_of(struct gateway *gateway, const struct cs_hash *identity)
{
	for (size_t i = 0; i < gateway->chain_count; i++) {
		if (cs_hash_eq(&gateway->chains[i].identity, identity))
			return &gateway->chains[i];
	}
	return NULL;
}

struct gateway_chain *gateway_chain_named(struct gateway *gateway, const char *caip2)
{
	for (size_t i = 0; i < gateway->chain_count; i++) {
		if (strcmp(gateway->chains[i].config->id, caip2) == 0)
			return &gateway->chains[i];
	}
	return NULL;
}

struct gateway_route *gateway_route_of(struct gateway_chain *chain, const struct cs_hash *remote)
{
	for (size_t i = 0; i < chain->route_count; i++) {
		if (cs_hash_eq(&chain->routes[i].remote, remote))
			return &chain->routes[i];
	}
	return NULL;
}

struct gateway_peer *gateway_peer_named(struct gateway *gateway, const char *name)
{
	for (size_t i = 0; i < gateway->peer_count; i++) {
		if (!gateway->peers[i].gone && strcmp(gateway->peers[i].name, name) == 0)
			return &gateway->peers[i];
	}
	return NULL;
}

const char *gateway_caip2(const struct gateway *gateway, const struct cs_hash *identity)
{
	const struct host_manifest_chain *chain =
		host_manifest_chain(&gateway->config.manifest, identity);
	return chain ? chain->caip2 : "";
}

struct host_log_field gateway_log_trace(const struct host_trace *trace)
{
	return LOG_TEXT(trace->parent[0] ? "traceparent" : NULL, trace->parent);
}

struct host_log_field gateway_log_message_trace(const struct gateway *gateway, uint64_t message,
						struct host_trace *trace)
{
	gateway_journal_trace(gateway->journal, message, trace);
	return gateway_log_trace(trace);
}

size_t gateway_batch_max(const struct gateway *gateway)
{
	uint64_t signed_max = gateway->config.manifest.batch_max;
	return signed_max < gateway->config.batch_max ? (size_t)signed_max
						      : gateway->config.batch_max;
}

uint64_t gateway_block_ms(uint64_t time_s)
{
	uint64_t now = host_wall_ms();
	uint64_t then = time_s * 1000;
	return then + 3000 >= now ? now : then;
}

/* ---- writing ---- */

void gateway_fail(struct gateway *gateway, enum cs_err err, const char *what)
{
	log_error("gateway.failed", LOG_TEXT("what", what), LOG_ERR(err),
		  LOG_TEXT("journal", host_store_why(gateway_journal_store(gateway->journal))));
	gateway->failed = true;
	host_loop_stop(gateway->loop);
}

static void wake_after_commit(void *context, enum cs_err err)
{
	struct gateway *gateway = context;
	if (err != CS_OK)
		gateway_fail(gateway, err, "commit");
	else
		gateway_wake(gateway);
}

enum cs_err gateway_write_then(struct gateway *gateway, host_store_writer *write, void *context,
			       host_store_committed *committed, void *committed_context)
{
	enum cs_err err = host_store_write(gateway_journal_store(gateway->journal), write, context,
					   committed, committed_context);
	if (err == CS_ERR_IO || err == CS_ERR_FULL)
		gateway_fail(gateway, err, "write");
	return err;
}

enum cs_err gateway_write(struct gateway *gateway, host_store_writer *write, void *context)
{
	return gateway_write_then(gateway, write, context, wake_after_commit, gateway);
}

/* ---- for adapters/sender and adapters/listen ---- */

static enum cs_err owner_write(void *context, host_store_writer *write, void *write_context,
			       host_store_committed *then)
{
	const struct gateway_chain *chain = context;
	return then ? gateway_write_then(chain->gateway, write, write_context, then, write_context)
		    : gateway_write(chain->gateway, write, write_context);
}

static void owner_fail(void *context, enum cs_err err, const char *what)
{
	const struct gateway_chain *chain = context;
	gateway_fail(chain->gateway, err, what);
}

static void owner_wake(void *context)
{
	const struct gateway_chain *chain = context;
	gateway_wake(chain->gateway);
}

const struct adapter_owner gateway_owner = {
	.write = owner_write, .fail = owner_fail, .wake = owner_wake};
