#include "relay_state/node/rpc_methods.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ASYNC_WHY_SIZE 160u

/* ---- what can be told without a block ---- */

static void run_health(struct rpc_call *call)
{
	rpc_result(call, json_object());
}

static void run_genesis(struct rpc_call *call)
{
	rpc_result(call,
		   json_pack("{so}", "genesis", node_genesis_json(node_genesis(call->rpc->node))));
}

/* 16 MiB each, and a genesis is not larger. */
static void run_genesis_chunked(struct rpc_call *call)
{
	int64_t chunk = 0;
	bool given;
	if (!rpc_number(call, "chunk", &chunk, &given))
		return;
	if (chunk < 0)
		return rpc_fail(call, RPC_INVALID_PARAMS, "a chunk's number is not below 0");
	if (chunk > 0)
		return rpc_refuse(call, "there are 0 chunks, %" PRId64 " is invalid", chunk);
	json_t *genesis = node_genesis_json(node_genesis(call->rpc->node));
	char *text = cometbft_json_dump(genesis, 0);
	rpc_result(call, json_pack("{sososo}", "chunk", cometbft_json_number(0), "total",
				   cometbft_json_number(1), "data",
				   cometbft_json_base64(cs_bytes_str(text))));
	free(text);
	json_decref(genesis);
}

json_t *rpc_json_protocols(const struct node_rpc *rpc)
{
	return json_pack("{sssoso}", "p2p", "8", "block", cometbft_json_number(CMT_BLOCK_PROTOCOL),
			 "app",
			 cometbft_json_number((int64_t)node_state(rpc->node)->params.app_version));
}

json_t *rpc_json_node_info(const struct node_rpc *rpc)
{
	const struct node_genesis *genesis = node_genesis(rpc->node);
	struct host_address p2p;
	char id[NODE_ID_SIZE], listen[HOST_ADDRESS_SIZE_MAX + 16];
	enum cs_err err = host_address_parse(&p2p, node_p2p_listen(rpc->node), NULL);
	cs_assert(err == CS_OK);
	node_id_text(id, &node_node_key(rpc->node)->address);
	/* As configured, but for a port that was left to the system. */
	(void)snprintf(listen, sizeof listen, "tcp://%s:%u", p2p.name,
		       node_peers_port(node_peers_of(rpc->node)));
	return json_pack("{sosssssosssssss{ssss}}", "protocol_version", rpc_json_protocols(rpc),
			 "id", id, "listen_addr", listen, "network",
			 cometbft_json_text(cmt_chain_id_bytes(&genesis->chain_id)), "version",
			 "0.38.26", "channels", "402021222330386061", "moniker",
			 node_moniker(rpc->node), "other", "tx_index", "on", "rpc_address",
			 rpc->address);
}

static void add_edge(json_t *info, struct rpc_call *call, const char *const names[4],
		     int64_t height)
{
	struct rpc_block b;
	json_t *hash = NULL, *app_hash = NULL, *time = NULL;
	if (height > 0 && rpc_load_block(call, &b, height) == CS_OK) {
		hash = cometbft_json_hex(cmt_hash_bytes(&b.stored.id.hash));
		app_hash = cometbft_json_hex(cmt_header_app_hash(&b.block.header));
		time = cometbft_json_time(b.block.header.time);
	}
	(void)json_object_set_new(info, names[0], hash != NULL ? hash : json_string(""));
	(void)json_object_set_new(info, names[1], app_hash != NULL ? app_hash : json_string(""));
	(void)json_object_set_new(info, names[2], cometbft_json_number(height));
	(void)json_object_set_new(info, names[3],
				  time != NULL ? time : json_string("1970-01-01T00:00:00Z"));
}

static json_t *json_validator_info(const struct node_rpc *rpc)
{
	const struct node_key *key = node_validator_key(rpc->node);
	const struct cmt_validator_set *set = &node_state(rpc->node)->now.set;
	int64_t power = 0;
	if (key == NULL)
		return json_pack("{sssnss}", "address", "", "pub_key", "voting_power", "0");
	size_t at = cmt_validator_set_find(set, &key->address);
	if (at != SIZE_MAX)
		power = set->list[at].power;
	return json_pack("{sososo}", "address", cometbft_json_hex(CS_BYTES_OF(key->address.b)),
			 "pub_key", cometbft_json_key(&key->key), "voting_power",
			 cometbft_json_number(power));
}

static void run_status(struct rpc_call *call)
{
	static const char *const latest[4] = {"latest_block_hash", "latest_app_hash",
					      "latest_block_height", "latest_block_time"};
	static const char *const earliest[4] = {"earliest_block_hash", "earliest_app_hash",
						"earliest_block_height", "earliest_block_time"};
	struct node_store_found found =
		node_store_look(node_disk_store(node_disk_of(call->rpc->node)));
	json_t *sync = json_object();
	add_edge(sync, call, latest, found.height);
	add_edge(sync, call, earliest, found.height > 0 ? found.base : 0);
	(void)json_object_set_new(sync, "catching_up",
				  json_boolean(node_is_catching_up(call->rpc->node)));
	rpc_result(call,
		   json_pack("{sososo}", "node_info", rpc_json_node_info(call->rpc), "sync_info",
			     sync, "validator_info", json_validator_info(call->rpc)));
}

/* ---- the application ---- */

static void on_info(void *context, enum cs_err err, const char *why,
		    const struct abci_response *response)
{
	struct rpc_call *call = context;
	if (err != CS_OK)
		return rpc_refuse(call, "%s", why);
	const struct abci_info_response *r = &response->info;
	json_t *info = json_object();
	if (r->data.n > 0)
		(void)json_object_set_new(info, "data", cometbft_json_text(r->data));
	if (r->version.n > 0)
		(void)json_object_set_new(info, "version", cometbft_json_text(r->version));
	if (r->app_version != 0)
		(void)json_object_set_new(info, "app_version",
					  cometbft_json_number((int64_t)r->app_version));
	if (r->last_block_height != 0)
		(void)json_object_set_new(info, "last_block_height",
					  cometbft_json_number(r->last_block_height));
	if (r->last_block_app_hash.n > 0)
		(void)json_object_set_new(info, "last_block_app_hash",
					  cometbft_json_base64(r->last_block_app_hash));
	rpc_result(call, json_pack("{so}", "response", info));
}

static void run_abci_info(struct rpc_call *call)
{
	const struct abci_request info = {.method = ABCI_INFO,
					  .info = {.version = cs_bytes_str("0.38.26"),
						   .block_version = CMT_BLOCK_PROTOCOL,
						   .p2p_version = 8,
						   .abci_version = cs_bytes_str("2.0.0")}};
	node_application_call(node_application_of(call->rpc->node), &info, on_info, call);
}

static json_t *json_proof_ops(const struct abci_proof_ops *proof)
{
	if (proof == NULL)
		return json_null();
	json_t *ops = json_array();
	for (size_t i = 0; i < proof->ops.count; i++)
		(void)json_array_append_new(
			ops,
			json_pack("{sososo}", "type", cometbft_json_text(proof->ops.items[i].type),
				  "key", cometbft_json_bytes(proof->ops.items[i].key), "data",
				  cometbft_json_bytes(proof->ops.items[i].data)));
	return json_pack("{so}", "ops", ops);
}

static void on_query(void *context, enum cs_err err, const char *why,
		     const struct abci_response *response)
{
	struct rpc_call *call = context;
	if (err != CS_OK)
		return rpc_refuse(call, "%s", why);
	const struct abci_query_response *r = &response->query;
	json_t *answer = json_pack(
		"{sIsosososososososo}", "code", (json_int_t)r->code, "log",
		cometbft_json_text(r->log), "info", cometbft_json_text(r->info), "index",
		cometbft_json_number(r->index), "key", cometbft_json_bytes(r->key), "value",
		cometbft_json_bytes(r->value), "proofOps", json_proof_ops(r->proof_ops), "height",
		cometbft_json_number(r->height), "codespace", cometbft_json_text(r->codespace));
	rpc_result(call, json_pack("{so}", "response", answer));
}

static void run_abci_query(struct rpc_call *call)
{
	struct abci_request request = {.method = ABCI_QUERY};
	bool given;
	uint8_t *data;
	size_t size;
	char *path;
	if (!rpc_number(call, "height", &request.query.height, &given) ||
	    !rpc_bool(call, "prove", &request.query.prove) || !rpc_text(call, "path", &path))
		return;
	if (!rpc_bytes(call, "data", true, &data, &size)) {
		free(path);
		return;
	}
	request.query.path = cs_bytes_str(path);
	request.query.data = cs_bytes(data, size);
	node_application_call(node_application_of(call->rpc->node), &request, on_query, call);
	free(path);
	free(data);
}

/* ---- transactions ---- */

struct broadcast {
	struct rpc_call *call;
	struct cs_hash hash;
	bool wait; /* for the block */
};

static json_t *json_broadcast(const struct abci_check_tx_response *r, const struct cs_hash *hash)
{
	static const struct abci_check_tx_response nothing;
	if (r == NULL)
		r = &nothing;
	return json_pack("{sIsosososo}", "code", (json_int_t)r->code, "data",
			 cometbft_json_hex(r->data), "log", cometbft_json_text(r->log), "codespace",
			 cometbft_json_text(r->codespace), "hash",
			 cometbft_json_hex(CS_BYTES_OF(hash->b)));
}

static json_t *json_nothing_done(void)
{
	static const struct abci_tx_result nothing;
	return rpc_json_tx_result(&nothing);
}

static void on_broadcast(void *context, enum cs_err err, const char *why,
			 const struct abci_check_tx_response *response)
{
	struct broadcast *b = context;
	if (err != CS_OK)
		rpc_refuse(b->call, "%s%s", b->wait ? "error on broadcastTxCommit: " : "", why);
	else if (!b->wait)
		rpc_result(b->call, json_broadcast(response, &b->hash));
	else if (response->code != 0)
		rpc_result(b->call, json_pack("{sosososo}", "check_tx", rpc_json_check_tx(response),
					      "tx_result", json_nothing_done(), "hash",
					      cometbft_json_hex(CS_BYTES_OF(b->hash.b)), "height",
					      cometbft_json_number(0)));
	else
		rpc_await_tx(b->call, &b->hash, rpc_json_check_tx(response));
	free(b);
}

static void broadcast(struct rpc_call *call, bool wait)
{
	struct node_mempool *mempool = node_mempool_of(call->rpc->node);
	uint8_t *tx;
	size_t size;
	if (!rpc_bytes(call, "tx", false, &tx, &size))
		return;
	struct cs_hash hash = cs_sha256(cs_bytes(tx, size));
	struct broadcast *b = host_alloc(sizeof *b);
	*b = (struct broadcast){call, hash, wait};
	node_mempool_add(mempool, cs_bytes(tx, size), BFT_PEER_NONE, on_broadcast, b);
	free(tx);
}

/* What is known at once is said; the application's word is not waited for. */
struct asynchronous {
	bool has_returned;
	enum cs_err err;
	char why[ASYNC_WHY_SIZE];
};

static void on_async(void *context, enum cs_err err, const char *why,
		     const struct abci_check_tx_response *response)
{
	struct asynchronous *a = context;
	(void)response;
	if (a->has_returned) {
		free(a);
		return;
	}
	a->has_returned = true;
	a->err = err;
	(void)snprintf(a->why, sizeof a->why, "%s", why != NULL ? why : "");
}

static void run_broadcast_async(struct rpc_call *call)
{
	uint8_t *tx;
	size_t size;
	if (!rpc_bytes(call, "tx", false, &tx, &size))
		return;
	struct cs_hash hash = cs_sha256(cs_bytes(tx, size));
	struct asynchronous *a = host_alloc(sizeof *a);
	node_mempool_add(node_mempool_of(call->rpc->node), cs_bytes(tx, size), BFT_PEER_NONE,
			 on_async, a);
	free(tx);
	if (a->has_returned && a->err != CS_OK)
		rpc_refuse(call, "%s", a->why);
	else
		rpc_result(call, json_broadcast(NULL, &hash));
	if (a->has_returned)
		free(a);
	else
		a->has_returned = true;
}

static void run_broadcast_sync(struct rpc_call *call)
{
	broadcast(call, false);
}

static void run_broadcast_commit(struct rpc_call *call)
{
	broadcast(call, true);
}

static void unconfirmed(struct rpc_call *call, size_t count)
{
	struct node_mempool *mempool = node_mempool_of(call->rpc->node);
	struct cs_bytes list[NODE_RPC_PER_PAGE_MAX];
	size_t n = node_mempool_list(mempool, list, count);
	rpc_result(call, json_pack("{sosososo}", "n_txs", cometbft_json_number((int64_t)n), "total",
				   cometbft_json_number(node_mempool_count(mempool)), "total_bytes",
				   cometbft_json_number((int64_t)node_mempool_bytes(mempool)),
				   "txs", count > 0 ? rpc_json_txs(list, n) : json_null()));
}

static void run_unconfirmed_txs(struct rpc_call *call)
{
	int64_t limit = NODE_RPC_PER_PAGE_DEFAULT;
	bool given;
	if (!rpc_number(call, "limit", &limit, &given))
		return;
	unconfirmed(call, limit < 1 || limit > NODE_RPC_PER_PAGE_MAX ? NODE_RPC_PER_PAGE_DEFAULT
								     : (size_t)limit);
}

static void run_num_unconfirmed_txs(struct rpc_call *call)
{
	const struct node_mempool *mempool = node_mempool_of(call->rpc->node);
	int64_t count = node_mempool_count(mempool);
	rpc_result(call,
		   json_pack("{sosososn}", "n_txs", cometbft_json_number(count), "total",
			     cometbft_json_number(count), "total_bytes",
			     cometbft_json_number((int64_t)node_mempool_bytes(mempool)), "txs"));
}

static void run_check_tx_done(void *context, enum cs_err err, const char *why,
			      const struct abci_response *response)
{
	struct rpc_call *call = context;
	if (err != CS_OK)
		return rpc_refuse(call, "%s", why);
	rpc_result(call, rpc_json_check_tx(&response->check_tx));
}

static void run_check_tx(struct rpc_call *call)
{
	uint8_t *tx;
	size_t size;
	if (!rpc_bytes(call, "tx", false, &tx, &size))
		return;
	const struct abci_request request = {.method = ABCI_CHECK_TX,
					     .check_tx = {cs_bytes(tx, size), ABCI_CHECK_TX_NEW}};
	node_application_call(node_application_of(call->rpc->node), &request, run_check_tx_done,
			      call);
	free(tx);
}

/* ---- the table ---- */

#define NAMES(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static const struct rpc_method methods[] = {
	{"health", run_health, NAMES(), false},
	{"status", run_status, NAMES(), false},
	{"net_info", rpc_run_net_info, NAMES(), false},
	{"genesis", run_genesis, NAMES(), false},
	{"genesis_chunked", run_genesis_chunked, NAMES("chunk"), false},
	{"consensus_state", rpc_run_consensus_state, NAMES(), false},
	{"blockchain", rpc_run_blockchain, NAMES("minHeight", "maxHeight"), false},
	{"block", rpc_run_block, NAMES("height"), false},
	{"block_by_hash", rpc_run_block_by_hash, NAMES("hash"), false},
	{"header", rpc_run_header, NAMES("height"), false},
	{"header_by_hash", rpc_run_header_by_hash, NAMES("hash"), false},
	{"block_results", rpc_run_block_results, NAMES("height"), false},
	{"commit", rpc_run_commit, NAMES("height"), false},
	{"validators", rpc_run_validators, NAMES("height", "page", "per_page"), false},
	{"consensus_params", rpc_run_consensus_params, NAMES("height"), false},
	{"tx", rpc_run_tx, NAMES("hash", "prove"), false},
	{"tx_search", rpc_run_tx_search, NAMES("query", "prove", "page", "per_page", "order_by"),
	 false},
	{"block_search", rpc_run_block_search, NAMES("query", "page", "per_page", "order_by"),
	 false},
	{"abci_info", run_abci_info, NAMES(), false},
	{"abci_query", run_abci_query, NAMES("path", "data", "height", "prove"), false},
	{"check_tx", run_check_tx, NAMES("tx"), false},
	{"broadcast_tx_sync", run_broadcast_sync, NAMES("tx"), false},
	{"broadcast_tx_async", run_broadcast_async, NAMES("tx"), false},
	{"broadcast_tx_commit", run_broadcast_commit, NAMES("tx"), false},
	{"broadcast_evidence", rpc_run_broadcast_evidence, NAMES("evidence"), false},
	{"unconfirmed_txs", run_unconfirmed_txs, NAMES("limit"), false},
	{"num_unconfirmed_txs", run_num_unconfirmed_txs, NAMES(), false},
	{"caisson_time", rpc_run_caisson_time, NAMES("nonce", "lineage", "key"), false},
	{"subscribe", rpc_subscribe, NAMES("query"), true},
	{"unsubscribe", rpc_unsubscribe, NAMES("query"), true},
	{"unsubscribe_all", rpc_unsubscribe_all, NAMES(), true},
};

const struct rpc_method *rpc_method_at(size_t index)
{
	return index < CS_LEN(methods) ? &methods[index] : NULL;
}

const struct rpc_method *rpc_method_find(const char *name)
{
	for (size_t i = 0; i < CS_LEN(methods); i++) {
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	}
	return NULL;
}
