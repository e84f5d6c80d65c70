/* The gateway's side of the enclave's session (host/enclave_session.h): where the sealed state is
 * kept, and what hello must say. */
#include "gateway/gateway.h"
#include "host/alloc.h"
#include "relay_state/client/clock.h"

#include <stdlib.h>
#include <string.h>

/* ---- calls ---- */

enum cs_err gateway_enclave_call(struct gateway *gateway, enum wire_type type,
				 const ProtobufCMessage *message, host_enclave_done *done,
				 void *context)
{
	return host_enclave_session_call(gateway->enclave, type, message,
					 GATEWAY_ENCLAVE_TIMEOUT_MS, done, context);
}

enum cs_err gateway_enclave_reply(struct cs_arena *arena, struct cs_bytes body,
				  const ProtobufCMessageDescriptor *type,
				  ProtobufCMessage **message)
{
	return host_enclave_reply(arena, body, type, message);
}

void gateway_enclave_changed(struct gateway *gateway)
{
	host_enclave_session_changed(gateway->enclave);
}

void gateway_enclave_export(struct gateway *gateway, host_call *then, void *context)
{
	host_enclave_session_export(gateway->enclave, then, context);
}

void gateway_enclave_ask_hello(struct gateway *gateway)
{
	host_enclave_session_ask_hello(gateway->enclave);
}

struct cs_bytes gateway_enclave_hello(const struct gateway *gateway)
{
	return host_enclave_session_hello(gateway->enclave);
}

/* ---- sealed state ---- */

static enum cs_err load_sealed(void *context, struct cs_arena *arena, struct cs_bytes *sealed)
{
	const struct gateway *gateway = context;
	CS_TRY(gateway_journal_get(gateway->journal, GATEWAY_SEALED_NAME, arena, sealed));
	ledger_clock_stored(gateway->clock, *sealed);
	return CS_OK;
}

struct sealed_write {
	struct gateway *gateway;
	struct cs_bytes sealed;
};

static enum cs_err write_sealed(void *context)
{
	struct sealed_write *write = context;
	return gateway_journal_put(write->gateway->journal, GATEWAY_SEALED_NAME, write->sealed);
}

/* Read again: it is what would come back after a crash. */
void gateway_enclave_stored(struct gateway *gateway)
{
	size_t mark = cs_arena_mark(&gateway->scratch);
	struct cs_bytes sealed;
	if (gateway->clock && load_sealed(gateway, &gateway->scratch, &sealed) != CS_OK)
		log_error("enclave.state_not_read");
	cs_arena_rewind(&gateway->scratch, mark);
}

struct stored_call {
	struct gateway *gateway;
	host_enclave_stored *stored;
	void *context;
};

static void sealed_committed(void *context, enum cs_err err)
{
	struct stored_call *call = context;
	if (err != CS_OK)
		gateway_fail(call->gateway, err, "store sealed state");
	else
		gateway_enclave_stored(call->gateway);
	call->stored(call->context, err);
	free(call);
}

static enum cs_err store_sealed(void *context, struct cs_bytes sealed, host_enclave_stored *stored,
				void *stored_context)
{
	struct gateway *gateway = context;
	struct sealed_write write = {gateway, sealed};
	struct stored_call *call = host_alloc(sizeof(*call));
	gateway_rollover_sealed(gateway);
	*call = (struct stored_call){gateway, stored, stored_context};
	enum cs_err err = gateway_write_then(gateway, write_sealed, &write, sealed_committed, call);
	if (err != CS_OK)
		free(call);
	return err;
}

/* ---- hello ---- */

/* The light clients are those that came back with the state. */
static enum cs_err take_hello(void *context, const Caisson__Wire__HelloReply *hello,
			      struct cs_why *why)
{
	struct gateway *gateway = context;
	bool waits = false;
	for (size_t i = 0; i < gateway->chain_count; i++)
		gateway->chains[i].follow.created = false;
	CS_TRY(gateway_rollover_hello(gateway, hello, &waits, why));
	ledger_clock_hello(gateway->clock, hello);
	if (waits)
		return CS_OK;
	for (size_t i = 0; i < hello->n_clients; i++) {
		struct cs_hash identity = wire_pb_hash(hello->clients[i]->chain);
		struct gateway_chain *chain = gateway_chain_of(gateway, &identity);
		if (chain)
			adapter_follow_take_status(&chain->follow, hello->clients[i]);
	}
	return CS_OK;
}

/* ---- the session ---- */

static void is_ready(struct gateway *gateway)
{
	gateway->enclave_ready = true;
	gateway->enclave_why[0] = 0;
	for (size_t i = 0; i < gateway->chain_count; i++) {
		struct gateway_chain *chain = &gateway->chains[i];
		adapter_follow_begin(&chain->follow);
		for (size_t k = 0; k < chain->route_count; k++)
			chain->routes[k].learned_count = 0;
		log_info("enclave.ready", LOG_TEXT("chain", chain->config->id),
			 LOG_U64("client_head", chain->follow.client_head),
			 LOG_U64("final", chain->follow.final_height));
	}
	ledger_clock_up(gateway->clock);
	gateway_rollover_ready(gateway);
	gateway_wake(gateway);
}

/* What is told of another enclave than before replaces all of it: its balances are another's. */
static void take_address(struct gateway_account *account, ProtobufCBinaryData told)
{
	struct cs_address address;
	memcpy(address.b, told.data, sizeof(address.b));
	if (account->is_there && cs_address_eq(&account->address, &address))
		return;
	account->is_there = true;
	account->address = address;
	account->is_known = false;
	account->is_out = false;
	account->asked_ms = 0;
}

static void take_pools(struct gateway *gateway, const Caisson__Wire__PublicKeysReply *reply)
{
	for (size_t i = 0; i < reply->n_pools; i++) {
		const Caisson__Wire__GasPool *pool = reply->pools[i];
		struct cs_hash identity = wire_pb_hash(pool->chain);
		struct gateway_chain *chain = gateway_chain_of(gateway, &identity);
		for (size_t k = 0; chain && k < pool->n_addresses; k++)
			take_address(&chain->accounts[k], pool->addresses[k]);
	}
}

static void session_failed(void *context, enum cs_err err, const char *why);

static void pools_told(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct gateway *gateway = context;
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = gateway_enclave_reply(&gateway->scratch, body,
					    &caisson__wire__public_keys_reply__descriptor,
					    &message);
	if (err == CS_OK) {
		take_pools(gateway, (const Caisson__Wire__PublicKeysReply *)message);
		is_ready(gateway);
	} else {
		session_failed(gateway, err, why);
	}
	cs_arena_rewind(&gateway->scratch, mark);
}

/* All accounts that it has, not only those in use: what is open may be of one that was in use before. */
static void session_ready(void *context)
{
	struct gateway *gateway = context;
	Caisson__Wire__PublicKeysRequest request = CAISSON__WIRE__PUBLIC_KEYS_REQUEST__INIT;
	request.gas_accounts = GATEWAY_GAS_ACCOUNTS_MAX;
	enum cs_err err =
		gateway_enclave_call(gateway, WIRE_PUBLIC_KEYS, &request.base, pools_told, gateway);
	if (err != CS_OK)
		session_failed(gateway, err, "its gas accounts were not asked for");
}

static void not_ready(struct gateway *gateway, enum cs_err err, const char *why)
{
	gateway->enclave_ready = false;
	snprintf(gateway->enclave_why, sizeof(gateway->enclave_why), "%s: %s", cs_err_name(err),
		 why);
}

static void session_failed(void *context, enum cs_err err, const char *why)
{
	struct gateway *gateway = context;
	not_ready(gateway, err, why);
	gateway_rollover_failed(gateway, err, why);
}

static void session_down(void *context, enum cs_err err, const char *why)
{
	struct gateway *gateway = context;
	not_ready(gateway, err, why);
	gateway_rollover_down(gateway);
	ledger_clock_down(gateway->clock);
	for (size_t i = 0; i < gateway->chain_count; i++)
		gateway->chains[i].follow.created = false;
}

enum cs_err gateway_enclave_start(struct gateway *gateway)
{
	static const struct host_enclave_session_events events = {.load = load_sealed,
								  .store = store_sealed,
								  .hello = take_hello,
								  .ready = session_ready,
								  .down = session_down,
								  .failed = session_failed};
	const struct host_enclave_session_options options = {
		.path = gateway->config.service.enclave_socket,
		.arena = &gateway->scratch,
		.timeout_ms = GATEWAY_ENCLAVE_TIMEOUT_MS};
	gateway->enclave = host_enclave_session_new(gateway->loop, &options, &events, gateway);
	return gateway->enclave ? CS_OK : CS_ERR_NO_MEMORY;
}

void gateway_enclave_stop(struct gateway *gateway)
{
	host_enclave_session_free(gateway->enclave);
	gateway->enclave = NULL;
	host_attested_free(gateway->attested);
	gateway->attested = NULL;
}
