#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define FEED_PAUSE_MS 300u
/* A node that announces a head before it serves it. */
#define FEED_SOON_MS 20u

void gateway_client_take_status(struct gateway_chain *chain,
				const Caisson__Wire__ClientStatus *status)
{
	bool was_frozen = chain->frozen;
	struct cs_hash final_hash = wire_pb_hash(status->final_hash);
	chain->created = status->head_height != 0 || !cs_hash_is_zero(&final_hash);
	chain->frozen = status->frozen;
	chain->insecure = status->insecure_dev_head;
	chain->client_head = status->head_height;
	chain->final_height = status->final_height;
	chain->final_hash = final_hash;
	chain->final_time_s = status->final_time_s;
	adapter_final(chain->adapter,
		      &(struct adapter_block_id){chain->final_height, chain->final_hash});
	if (chain->frozen && !was_frozen)
		log_error("chain.frozen", LOG_TEXT("chain", chain->config->id),
			  LOG_TEXT("why", GATEWAY_WHY_FROZEN),
			  LOG_U64("final", chain->final_height));
}

/* ---- one branch ---- */

struct tell_write {
	const struct gateway_chain *chain;
	const char *kind;
	const char *why;
};

static enum cs_err write_tell(void *context)
{
	const struct tell_write *write = context;
	char detail[256];
	snprintf(detail, sizeof(detail), "%s: %s", write->chain->config->id, write->why);
	return gateway_journal_event(write->chain->gateway->journal, write->kind, NULL, detail);
}

static void tell(struct gateway_chain *chain, const char *kind, const char *why)
{
	struct tell_write write = {chain, kind, why};
	log_error(kind, LOG_TEXT("chain", chain->config->id), LOG_TEXT("why", why),
		  LOG_U64("final", chain->final_height));
	if (gateway_write(chain->gateway, write_tell, &write) != CS_OK)
		log_error("chain.not_told", LOG_TEXT("chain", chain->config->id));
}

bool gateway_chain_agrees(struct gateway_chain *chain)
{
	struct cs_hash told;
	if (chain->final_height == 0 ||
	    !adapter_hash_at(chain->adapter, chain->final_height, &told))
		return false;
	bool diverged = !cs_hash_eq(&told, &chain->final_hash);
	if (diverged && !chain->diverged)
		tell(chain, "chain.diverged", GATEWAY_WHY_DIVERGED);
	else if (chain->diverged && !diverged)
		log_info("chain.agrees", LOG_TEXT("chain", chain->config->id));
	chain->diverged = diverged;
	return !diverged;
}

void gateway_client_freeze(struct gateway_chain *chain)
{
	chain->frozen = true;
	gateway_enclave_changed(chain->gateway); /* the evidence is sealed with the rest */
	tell(chain, "chain.frozen", GATEWAY_WHY_FROZEN);
}

/* ---- feeding ---- */

static void feed_failed(struct gateway_chain *chain, enum cs_err err, const char *why)
{
	chain->feeding = false;
	chain->feed_after_ms = host_now_ms() + FEED_PAUSE_MS;
	if (err == CS_ERR_NOT_FOUND)
		chain->feed_after_ms = host_now_ms() + FEED_SOON_MS;
	if (err == CS_ERR_CLOSED || err == CS_ERR_NOT_FOUND)
		return; /* the enclave or the node is on its way back, or the head moved down */
	log_warn("chain.client_refused", LOG_TEXT("chain", chain->config->id), LOG_ERR(err),
		 LOG_TEXT("why", why));
	if (err == CS_ERR_UNLINKED && chain->final_height > 0)
		chain->feed_from =
			chain->final_height + 1; /* another branch: from where all agree */
	if (err == CS_ERR_FROZEN)
		gateway_client_freeze(chain);
}

static void update_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct gateway_chain *chain = context;
	struct gateway *gateway = chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = gateway_enclave_reply(&gateway->scratch, body,
					    &caisson__wire__client_reply__descriptor, &message);
	if (err == CS_OK) {
		const Caisson__Wire__ClientReply *reply =
			(const Caisson__Wire__ClientReply *)message;
		uint64_t head = chain->client_head;
		gateway_client_take_status(chain, reply->status);
		gateway_enclave_changed(gateway);
		chain->feeding = false;
		chain->feed_from = 0;
		log_debug("chain.client", LOG_TEXT("chain", chain->config->id),
			  LOG_U64("head", chain->client_head),
			  LOG_U64("final", chain->final_height),
			  LOG_U64("accepted", reply->accepted));
		if (chain->client_head == head)
			chain->feed_after_ms = host_now_ms() + FEED_PAUSE_MS;
		gateway_wake(gateway);
	}
	cs_arena_rewind(&gateway->scratch, mark);
	if (err != CS_OK)
		feed_failed(chain, err, why);
}

static enum cs_err send_create(struct gateway_chain *chain, const struct adapter_header *header)
{
	struct gateway *gateway = chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	Caisson__Wire__ClientCreateRequest request = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	request.chain = wire_pb_bytes(&gateway->scratch, CS_BYTES_OF(chain->identity.b));
	request.header = wire_pb_bytes(&gateway->scratch, header->rlp);
	enum cs_err err = gateway_enclave_call(gateway, WIRE_CLIENT_CREATE, &request.base,
					       update_done, chain);
	cs_arena_rewind(&gateway->scratch, mark);
	return err;
}

static enum cs_err send_update(struct gateway_chain *chain, const struct adapter_header *headers,
			       size_t count)
{
	struct gateway *gateway = chain->gateway;
	size_t mark = cs_arena_mark(&gateway->scratch);
	Caisson__Wire__ClientUpdateRequest request = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	request.chain = wire_pb_bytes(&gateway->scratch, CS_BYTES_OF(chain->identity.b));
	request.headers = cs_arena_calloc(&gateway->scratch, count, sizeof(*request.headers));
	request.n_headers = count;
	enum cs_err err = request.headers ? CS_OK : CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count && err == CS_OK; i++)
		request.headers[i] = wire_pb_bytes(&gateway->scratch, headers[i].rlp);
	if (err == CS_OK)
		err = gateway_enclave_call(gateway, WIRE_CLIENT_UPDATE, &request.base, update_done,
					   chain);
	cs_arena_rewind(&gateway->scratch, mark);
	return err;
}

static void headers_done(void *context, enum cs_err err, const char *why,
			 const struct adapter_header *headers, size_t count)
{
	struct gateway_chain *chain = context;
	if (chain->gateway->stopping) {
		chain->feeding = false;
		return;
	}
	if (err == CS_OK && count == 0)
		err = CS_ERR_NOT_FOUND;
	if (err == CS_OK && !chain->gateway->enclave_ready)
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = chain->created ? send_update(chain, headers, count)
				     : send_create(chain, &headers[0]);
	if (err != CS_OK)
		feed_failed(chain, err, why);
}

/* The oldest source block that a message still waits to be signed from; 0: none. */
static uint64_t oldest_waiting(struct gateway_chain *chain)
{
	static const enum relay_state waiting[] = {RELAY_OBSERVED, RELAY_FINAL};
	uint64_t oldest = 0;
	for (size_t i = 0; i < CS_LEN(waiting); i++) {
		struct gateway_message message;
		size_t count = 0;
		struct gateway_pick pick = {.chain = &chain->identity,
					    .side = RELAY_SOURCE,
					    .state = waiting[i],
					    .due_ms = INT64_MAX,
					    .height_max =
						    waiting[i] == RELAY_OBSERVED ? INT64_MAX : 0};
		if (gateway_journal_pick(chain->gateway->journal, &pick, &message, 1, &count) !=
			    CS_OK ||
		    count == 0)
			continue;
		/* One that keeps failing holds nobody up. */
		if (message.tries < 3 && (oldest == 0 || message.height < oldest))
			oldest = message.height;
	}
	return oldest;
}

/* What no provider has named yet would only fill the table of headers that are not final. */
static uint64_t feed_limit(const struct gateway_chain *chain)
{
	return gateway_chain_has_providers(chain) ? chain->named_height : UINT64_MAX;
}

void gateway_client_feed_head(struct gateway_chain *chain, const struct adapter_header *head)
{
	if (chain->created && !chain->feeding && !chain->frozen && chain->gateway->enclave_ready &&
	    chain->feed_from == 0 && head->id.height == chain->client_head + 1 && head->rlp.n > 0 &&
	    head->id.height <= feed_limit(chain)) {
		chain->feeding = true;
		if (send_update(chain, head, 1) == CS_OK)
			return;
		chain->feeding = false;
	}
	gateway_client_feed(chain);
}

void gateway_client_feed(struct gateway_chain *chain)
{
	if (chain->feeding || chain->frozen || !chain->gateway->enclave_ready ||
	    chain->head_height == 0 || host_now_ms() < chain->feed_after_ms)
		return;
	uint64_t from = chain->manifest->anchor_height;
	size_t count = 1;
	if (chain->created) {
		uint64_t to = chain->head_height;
		if (to > feed_limit(chain))
			to = feed_limit(chain);
		/* Far behind: what must be proven shall not fall out of the window of the client. */
		if (to > chain->cursor_height + GATEWAY_CLIENT_LEAD &&
		    chain->cursor_height >= chain->final_height)
			to = chain->cursor_height + GATEWAY_CLIENT_LEAD;
		uint64_t waiting =
			to > chain->final_height + GATEWAY_CLIENT_LEAD ? oldest_waiting(chain) : 0;
		if (waiting != 0 && to > waiting + GATEWAY_CLIENT_WAIT)
			to = waiting + GATEWAY_CLIENT_WAIT;
		from = chain->feed_from ? chain->feed_from : chain->client_head + 1;
		if (from > to)
			return;
		count = to - from + 1 < ADAPTER_HEADERS_MAX ? (size_t)(to - from + 1)
							    : ADAPTER_HEADERS_MAX;
	}
	chain->feeding = true;
	enum cs_err err = adapter_headers(chain->adapter, from, count, headers_done, chain);
	if (err != CS_OK)
		chain->feeding = false;
	/* A head whose block is still being read: its progress comes back here at once. */
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		chain->feed_after_ms = host_now_ms() + FEED_PAUSE_MS;
}
