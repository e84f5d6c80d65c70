/* The enclave's light clients are brought to the head with the headers of the nodes. The same rules
 * as a gateway's (gateway/light_client.c), without messages that hold them back. */
#include "oracle/oracle.h"

#include <string.h>

#define FEED_PAUSE_MS 300u
/* A node that announces a head before it serves it. */
#define FEED_SOON_MS 20u
/* Blocks that the client may be ahead of what the adapter has reported: what is proven stays in its
 * window. */
#define CLIENT_LEAD 200u
#define WHY_FROZEN "the enclave's light client is frozen: two final blocks of one height"
#define WHY_DIVERGED "the node's branch does not hold the block that is final"

void oracle_client_take_status(struct oracle_chain *chain,
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
	if (chain->adapter)
		adapter_final(chain->adapter,
			      &(struct adapter_block_id){chain->final_height, chain->final_hash});
	if (chain->frozen && !was_frozen)
		log_error("chain.frozen", LOG_TEXT("chain", chain->config->id),
			  LOG_TEXT("why", WHY_FROZEN), LOG_U64("final", chain->final_height));
}

bool oracle_chain_agrees(struct oracle_chain *chain)
{
	struct cs_hash told;
	if (!chain->adapter || chain->final_height == 0 ||
	    !adapter_hash_at(chain->adapter, chain->final_height, &told))
		return false;
	bool diverged = !cs_hash_eq(&told, &chain->final_hash);
	if (diverged && !chain->diverged)
		log_error("chain.diverged", LOG_TEXT("chain", chain->config->id),
			  LOG_TEXT("why", WHY_DIVERGED), LOG_U64("final", chain->final_height));
	else if (chain->diverged && !diverged)
		log_info("chain.agrees", LOG_TEXT("chain", chain->config->id));
	chain->diverged = diverged;
	return !diverged;
}

/* ---- feeding ---- */

static void feed_failed(struct oracle_chain *chain, enum cs_err err, const char *why)
{
	chain->feeding = false;
	chain->feed_after_ms =
		host_now_ms() + (err == CS_ERR_NOT_FOUND ? FEED_SOON_MS : FEED_PAUSE_MS);
	if (err == CS_ERR_CLOSED || err == CS_ERR_NOT_FOUND || err == CS_ERR_UNAVAILABLE)
		return; /* the enclave or the node is on its way back, or the head moved down */
	log_warn("chain.client_refused", LOG_TEXT("chain", chain->config->id), LOG_ERR(err),
		 LOG_TEXT("why", why));
	/* A reorganisation above the final block: the client takes the other branch from there. */
	if (err == CS_ERR_UNLINKED && chain->final_height > 0)
		chain->feed_from = chain->final_height + 1;
	if (err == CS_ERR_FROZEN) {
		chain->frozen = true;
		log_error("chain.frozen", LOG_TEXT("chain", chain->config->id),
			  LOG_TEXT("why", WHY_FROZEN), LOG_U64("final", chain->final_height));
		oracle_enclave_changed(chain->oracle);
	}
}

static void update_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct oracle_chain *chain = context;
	struct oracle *oracle = chain->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = oracle_enclave_reply(&oracle->scratch, body,
					   &caisson__wire__client_reply__descriptor, &message);
	if (err == CS_OK) {
		const Caisson__Wire__ClientReply *reply =
			(const Caisson__Wire__ClientReply *)message;
		uint64_t head = chain->client_head;
		oracle_client_take_status(chain, reply->status);
		oracle_enclave_changed(oracle);
		chain->feeding = false;
		chain->feed_from = 0;
		if (chain->client_head == head)
			chain->feed_after_ms = host_now_ms() + FEED_PAUSE_MS;
		oracle_wake(oracle);
	}
	cs_arena_rewind(&oracle->scratch, mark);
	if (err != CS_OK)
		feed_failed(chain, err, why);
}

static enum cs_err send_create(struct oracle_chain *chain, const struct adapter_header *header)
{
	struct oracle *oracle = chain->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	Caisson__Wire__ClientCreateRequest request = CAISSON__WIRE__CLIENT_CREATE_REQUEST__INIT;
	request.chain = wire_pb_bytes(&oracle->scratch, CS_BYTES_OF(chain->identity.b));
	request.header = wire_pb_bytes(&oracle->scratch, header->rlp);
	enum cs_err err = oracle_enclave_call(oracle, WIRE_CLIENT_CREATE, &request.base,
					      ORACLE_ENCLAVE_TIMEOUT_MS, update_done, chain);
	cs_arena_rewind(&oracle->scratch, mark);
	return err;
}

static enum cs_err send_update(struct oracle_chain *chain, const struct adapter_header *headers,
			       size_t count)
{
	struct oracle *oracle = chain->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	Caisson__Wire__ClientUpdateRequest request = CAISSON__WIRE__CLIENT_UPDATE_REQUEST__INIT;
	request.chain = wire_pb_bytes(&oracle->scratch, CS_BYTES_OF(chain->identity.b));
	request.headers = cs_arena_calloc(&oracle->scratch, count, sizeof(*request.headers));
	request.n_headers = count;
	enum cs_err err = request.headers ? CS_OK : CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count && err == CS_OK; i++)
		request.headers[i] = wire_pb_bytes(&oracle->scratch, headers[i].rlp);
	if (err == CS_OK)
		err = oracle_enclave_call(oracle, WIRE_CLIENT_UPDATE, &request.base,
					  ORACLE_ENCLAVE_TIMEOUT_MS, update_done, chain);
	cs_arena_rewind(&oracle->scratch, mark);
	return err;
}

static void headers_done(void *context, enum cs_err err, const char *why,
			 const struct adapter_header *headers, size_t count)
{
	struct oracle_chain *chain = context;
	if (chain->oracle->stopping) {
		chain->feeding = false;
		return;
	}
	if (err == CS_OK && count == 0)
		err = CS_ERR_NOT_FOUND;
	if (err == CS_OK)
		err = chain->created ? send_update(chain, headers, count)
				     : send_create(chain, &headers[0]);
	if (err != CS_OK)
		feed_failed(chain, err, why);
}

void oracle_client_feed(struct oracle_chain *chain)
{
	if (!chain->adapter || chain->feeding || chain->frozen || !chain->oracle->enclave_ready ||
	    chain->head_height == 0 || host_now_ms() < chain->feed_after_ms)
		return;
	uint64_t from = chain->manifest->anchor_height;
	size_t count = 1;
	if (chain->created) {
		uint64_t to = chain->head_height;
		/* Far behind: what must be proven shall not fall out of the window of the
		 * client. */
		if (to > chain->cursor_height + CLIENT_LEAD &&
		    chain->cursor_height >= chain->final_height)
			to = chain->cursor_height + CLIENT_LEAD;
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
