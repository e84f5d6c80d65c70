#include "relay_state/node/rpc_methods.h"
#include "relay_state/node/rpc_query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- blocks ---- */

static struct node_store *store_of(const struct rpc_call *call)
{
	return node_disk_store(node_disk_of(call->rpc->node));
}

enum cs_err rpc_load_block(struct rpc_call *call, struct rpc_block *b, int64_t height)
{
	struct cs_why why;
	if (height > node_store_look(store_of(call)).height)
		return CS_ERR_NOT_FOUND;
	CS_TRY(node_store_block(store_of(call), &b->stored, height, &why));
	/* Reading the next one takes this one's memory. */
	b->stored.block = cs_arena_copy(&call->rpc->arena, b->stored.block);
	b->stored.commit = cs_arena_copy(&call->rpc->arena, b->stored.commit);
	if (b->stored.block.p == NULL || b->stored.commit.p == NULL)
		return CS_ERR_NO_MEMORY;
	return cmt_block_decode(&b->block, b->stored.block, &call->rpc->arena, &why);
}

enum cs_err rpc_load_results(struct rpc_call *call, struct abci_finalize_block_response *results,
			     int64_t height)
{
	struct cs_bytes state, bytes;
	struct cs_why why;
	struct abci_response response;
	CS_TRY(node_store_outcome(store_of(call), &state, &bytes, height, &why));
	if (bytes.n == 0)
		return CS_ERR_NOT_FOUND;
	bytes = cs_arena_copy(&call->rpc->arena, bytes);
	if (bytes.p == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(abci_response_decode(&response, &call->rpc->arena, bytes, &why));
	if (response.method != ABCI_FINALIZE_BLOCK)
		return CS_ERR_INVALID;
	*results = response.finalize_block;
	return CS_OK;
}

/* The sentences are CometBFT's: its light client reads them. */
bool rpc_height(struct rpc_call *call, int64_t *height)
{
	struct node_store_found found = node_store_look(store_of(call));
	bool given;
	if (!rpc_number(call, "height", height, &given))
		return false;
	if (!given)
		*height = found.height;
	if (given && *height <= 0)
		rpc_refuse(call, "height must be greater than 0, but got %" PRId64, *height);
	else if (*height > found.height || *height == 0)
		rpc_refuse(call,
			   "height %" PRId64 " must be less than or equal to the current "
			   "blockchain height %" PRId64,
			   *height, found.height);
	else if (*height < found.base)
		rpc_refuse(call, "height %" PRId64 " is not available, lowest height is %" PRId64,
			   *height, found.base);
	else
		return true;
	return false;
}

static bool load(struct rpc_call *call, struct rpc_block *b, int64_t height)
{
	enum cs_err err = rpc_load_block(call, b, height);
	if (err != CS_OK)
		rpc_refuse(call, "height %" PRId64 " is not available: %s", height,
			   cs_err_sentence(err));
	return err == CS_OK;
}

static void answer_block(struct rpc_call *call, int64_t height)
{
	struct rpc_block b;
	if (load(call, &b, height))
		rpc_result(call,
			   json_pack("{soso}", "block_id", cometbft_json_block_id(&b.stored.id),
				     "block", rpc_json_block(&b.block)));
}

static void answer_header(struct rpc_call *call, int64_t height)
{
	struct rpc_block b;
	if (load(call, &b, height))
		rpc_result(call,
			   json_pack("{so}", "header", cometbft_json_header(&b.block.header)));
}

void rpc_run_block(struct rpc_call *call)
{
	int64_t height;
	if (rpc_height(call, &height))
		answer_block(call, height);
}

void rpc_run_header(struct rpc_call *call)
{
	int64_t height;
	if (rpc_height(call, &height))
		answer_header(call, height);
}

/* 1: found, 0: there is none, -1: the call was ended. */
static int by_hash(struct rpc_call *call, int64_t *height)
{
	uint8_t *bytes;
	size_t size;
	struct cs_hash hash;
	if (!rpc_bytes(call, "hash", false, &bytes, &size))
		return -1;
	bool whole = size == sizeof hash.b;
	if (whole)
		memcpy(hash.b, bytes, sizeof hash.b);
	free(bytes);
	return whole && node_index_block(node_store_index(store_of(call)), height, &hash) == CS_OK;
}

void rpc_run_block_by_hash(struct rpc_call *call)
{
	static const struct cmt_block_id nil;
	int64_t height;
	int found = by_hash(call, &height);
	if (found > 0)
		answer_block(call, height);
	else if (found == 0)
		rpc_result(call,
			   json_pack("{sosn}", "block_id", cometbft_json_block_id(&nil), "block"));
}

void rpc_run_header_by_hash(struct rpc_call *call)
{
	int64_t height;
	int found = by_hash(call, &height);
	if (found > 0)
		answer_header(call, height);
	else if (found == 0)
		rpc_result(call, json_pack("{sn}", "header"));
}

static json_t *json_meta(const struct rpc_block *b)
{
	return json_pack("{sosososo}", "block_id", cometbft_json_block_id(&b->stored.id),
			 "block_size", cometbft_json_number((int64_t)b->stored.block.n), "header",
			 cometbft_json_header(&b->block.header), "num_txs",
			 cometbft_json_number((int64_t)b->block.tx_count));
}

void rpc_run_blockchain(struct rpc_call *call)
{
	const int64_t count_max = 20;
	struct node_store_found found = node_store_look(store_of(call));
	int64_t low = 0, high = 0;
	bool given;
	if (!rpc_number(call, "minHeight", &low, &given) ||
	    !rpc_number(call, "maxHeight", &high, &given))
		return;
	if (low < 0 || high < 0)
		return rpc_refuse(call, "heights must be non-negative");
	if (high == 0 || high > found.height)
		high = found.height;
	if (low < found.base)
		low = found.base;
	if (low < high - count_max + 1)
		low = high - count_max + 1;
	if (low > high)
		return rpc_refuse(
			call, "min height %" PRId64 " can't be greater than max height %" PRId64,
			low, high);
	json_t *metas = json_array();
	for (int64_t h = high; h >= low && h > 0; h--) {
		struct rpc_block b;
		size_t mark = cs_arena_mark(&call->rpc->arena);
		if (rpc_load_block(call, &b, h) == CS_OK)
			(void)json_array_append_new(metas, json_meta(&b));
		cs_arena_rewind(&call->rpc->arena, mark);
	}
	rpc_result(call, json_pack("{soso}", "last_height", cometbft_json_number(found.height),
				   "block_metas", metas));
}

/* A commit of a height is in the next block; of the last one there is what this node saw. */
void rpc_run_commit(struct rpc_call *call)
{
	struct rpc_block b, next;
	struct cmt_commit seen;
	struct cs_why why;
	int64_t height;
	if (!rpc_height(call, &height) || !load(call, &b, height))
		return;
	bool canonical = rpc_load_block(call, &next, height + 1) == CS_OK;
	const struct cmt_commit *commit = canonical ? &next.block.last_commit : &seen;
	if (!canonical &&
	    cmt_extended_commit_decode(&seen, b.stored.commit, &call->rpc->arena, &why) != CS_OK)
		return rpc_refuse(call, "the commit of height %" PRId64 " does not read", height);
	rpc_result(call, json_pack("{s{soso}sb}", "signed_header", "header",
				   cometbft_json_header(&b.block.header), "commit",
				   cometbft_json_commit(commit), "canonical", (int)canonical));
}

/* ---- lists in pages ---- */

struct page {
	int64_t skip, per_page;
};

static bool read_page(struct rpc_call *call, struct page *page, int64_t total)
{
	int64_t per_page = NODE_RPC_PER_PAGE_DEFAULT, number = 1;
	bool given;
	if (!rpc_number(call, "per_page", &per_page, &given) ||
	    !rpc_number(call, "page", &number, &given))
		return false;
	if (per_page < 1)
		per_page = NODE_RPC_PER_PAGE_DEFAULT;
	if (per_page > NODE_RPC_PER_PAGE_MAX)
		per_page = NODE_RPC_PER_PAGE_MAX;
	int64_t pages = total > 0 ? (total - 1) / per_page + 1 : 1;
	if (given && (number < 1 || number > pages)) {
		rpc_refuse(call, "page should be within [1, %" PRId64 "] range, given %" PRId64,
			   pages, number);
		return false;
	}
	*page = (struct page){(number - 1) * per_page, per_page};
	return true;
}

/* Also of the height after the last one: it is known who signs it. */
static bool future_height(struct rpc_call *call, int64_t *height)
{
	struct node_store_found found = node_store_look(store_of(call));
	bool given;
	int64_t next = bft_state_height(node_state(call->rpc->node));
	if (!rpc_number(call, "height", height, &given))
		return false;
	if (given && *height == next)
		return true;
	if (!given && found.height == 0) {
		*height = next;
		return true;
	}
	return rpc_height(call, height);
}

void rpc_run_validators(struct rpc_call *call)
{
	const struct cmt_validator_set *set;
	struct cs_why why = {{0}};
	struct page page;
	int64_t height;
	if (!future_height(call, &height))
		return;
	if (height == bft_state_height(node_state(call->rpc->node)))
		set = &node_state(call->rpc->node)->now.set;
	else if (node_disk_validators(node_disk_of(call->rpc->node), &set, height, &why) != CS_OK)
		return rpc_refuse(call, "could not find validator set for height #%" PRId64 ": %s",
				  height, why.text);
	if (!read_page(call, &page, (int64_t)set->count))
		return;
	json_t *list = json_array();
	for (int64_t i = page.skip; i < page.skip + page.per_page && i < (int64_t)set->count; i++)
		(void)json_array_append_new(list, cometbft_json_validator(&set->list[i]));
	rpc_result(call, json_pack("{sosososo}", "block_height", cometbft_json_number(height),
				   "validators", list, "count",
				   cometbft_json_number((int64_t)json_array_size(list)), "total",
				   cometbft_json_number((int64_t)set->count)));
}

/* In force at a height is what the state after the one before says. */
void rpc_run_consensus_params(struct rpc_call *call)
{
	struct cmt_params params = node_state(call->rpc->node)->params;
	struct bft_state *state = host_alloc(sizeof *state);
	struct cs_bytes bytes, results;
	struct cs_why why = {{0}};
	int64_t height;
	if (!future_height(call, &height)) {
		free(state);
		return;
	}
	bft_state_init(state);
	if (height <= node_state(call->rpc->node)->last_height &&
	    node_store_outcome(store_of(call), &bytes, &results,
			       height > node_genesis(call->rpc->node)->initial_height ? height - 1
										      : height,
			       &why) == CS_OK &&
	    bft_state_decode(state, bytes, &call->rpc->arena, &why) == CS_OK)
		params = state->params;
	free(state);
	rpc_result(call, json_pack("{soso}", "block_height", cometbft_json_number(height),
				   "consensus_params", node_params_json(&params)));
}

/* ---- results ---- */

static json_t *or_null(json_t *list)
{
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	return json_null();
}

void rpc_run_block_results(struct rpc_call *call)
{
	struct abci_finalize_block_response r;
	int64_t height;
	if (!rpc_height(call, &height))
		return;
	enum cs_err err = rpc_load_results(call, &r, height);
	if (err != CS_OK)
		return rpc_refuse(call, "could not find results for height #%" PRId64, height);
	json_t *txs = json_array();
	for (size_t i = 0; i < r.tx_results.count; i++)
		(void)json_array_append_new(txs, rpc_json_tx_result(&r.tx_results.items[i]));
	rpc_result(call,
		   json_pack("{sosososososo}", "height", cometbft_json_number(height),
			     "txs_results", or_null(txs), "finalize_block_events",
			     or_null(rpc_json_events(&r.events)), "validator_updates",
			     rpc_json_updates(&r.validator_updates), "consensus_param_updates",
			     rpc_json_consensus_params(r.consensus_param_updates), "app_hash",
			     cometbft_json_bytes(r.app_hash)));
}

/* ---- transactions ---- */

static json_t *json_proof(const struct rpc_call *call, const struct cmt_block *block, size_t index)
{
	struct cmt_tree tree;
	struct cmt_proof proof;
	if (cmt_data_tree(&tree, &call->rpc->arena, block->txs, block->tx_count) != CS_OK)
		return json_null();
	struct cs_hash root = cmt_tree_root(&tree);
	cmt_tree_prove(&proof, &tree, index);
	return json_pack("{sososo}", "root_hash", cometbft_json_hex(CS_BYTES_OF(root.b)), "data",
			 cometbft_json_base64(block->txs[index]), "proof", rpc_json_proof(&proof));
}

/* NULL: the place does not read. */
static json_t *json_tx(struct rpc_call *call, const struct node_hit *hit, bool prove)
{
	struct abci_finalize_block_response results;
	struct rpc_block b;
	size_t mark = cs_arena_mark(&call->rpc->arena), at = (size_t)hit->position;
	json_t *tx = NULL;
	if (hit->position >= 0 && rpc_load_block(call, &b, hit->height) == CS_OK &&
	    rpc_load_results(call, &results, hit->height) == CS_OK && at < b.block.tx_count &&
	    at < results.tx_results.count) {
		struct cs_hash hash = cs_sha256(b.block.txs[at]);
		tx = json_pack("{sososisoso}", "hash", cometbft_json_hex(CS_BYTES_OF(hash.b)),
			       "height", cometbft_json_number(hit->height), "index",
			       (int)hit->position, "tx_result",
			       rpc_json_tx_result(&results.tx_results.items[at]), "tx",
			       cometbft_json_base64(b.block.txs[at]));
		if (prove)
			(void)json_object_set_new(tx, "proof", json_proof(call, &b.block, at));
	}
	cs_arena_rewind(&call->rpc->arena, mark);
	return tx;
}

void rpc_run_tx(struct rpc_call *call)
{
	struct cs_hash hash;
	struct node_hit hit;
	uint8_t *bytes;
	size_t size;
	bool prove;
	if (!rpc_bool(call, "prove", &prove) || !rpc_bytes(call, "hash", false, &bytes, &size))
		return;
	bool whole = size == sizeof hash.b;
	memset(&hash, 0, sizeof hash);
	if (whole)
		memcpy(hash.b, bytes, sizeof hash.b);
	char text[2 * sizeof hash.b + 1] = "";
	if (whole)
		cometbft_hex(text, CS_BYTES_OF(hash.b));
	free(bytes);
	json_t *tx = NULL;
	if (whole && node_index_tx(node_store_index(store_of(call)), &hit, &hash) == CS_OK)
		tx = json_tx(call, &hit, prove);
	if (tx == NULL)
		return rpc_refuse(call, "tx (%s) not found", text);
	rpc_result(call, tx);
}

/* ---- searches ---- */

struct search {
	struct node_search search;
	struct node_condition conditions[RPC_CONDITIONS_MAX];
	struct rpc_query query;
	bool has_hash;
	struct cs_hash hash;
};

static void bound(struct node_search *s, const struct rpc_condition *c, int64_t number)
{
	int64_t low = 0, high = INT64_MAX;
	if (c->op == RPC_EQUAL)
		low = high = number;
	else if (c->op == RPC_LESS)
		high = number - 1;
	else if (c->op == RPC_LESS_EQUAL)
		high = number;
	else if (c->op == RPC_GREATER)
		low = number < INT64_MAX ? number + 1 : number;
	else
		low = number;
	s->height_min = low > s->height_min ? low : s->height_min;
	s->height_max = high < s->height_max ? high : s->height_max;
}

static bool holds(const void *context, struct cs_bytes value)
{
	return rpc_condition_holds(context, value);
}

/* NULL, or what is wrong with it. */
static const char *add_condition(struct search *s, const struct rpc_condition *c, bool blocks)
{
	int64_t number;
	if (strcmp(c->key, blocks ? "block.height" : "tx.height") == 0) {
		if (c->op == RPC_EXISTS)
			return NULL;
		if (rpc_condition_number(c, &number) != CS_OK)
			return "a height is compared with whole numbers";
		bound(&s->search, c, number);
		return NULL;
	}
	if (!blocks && strcmp(c->key, "tx.hash") == 0 && c->op == RPC_EQUAL) {
		size_t n = strlen(c->value);
		uint8_t bytes[RPC_QUERY_SIZE_MAX];
		s->has_hash = true;
		if (cs_unhex(bytes, n / 2, cs_bytes_str(c->value)) != CS_OK)
			return "error during searching for a hash in the query: no hex";
		/* Of another size there is none, and nobody has this one. */
		memset(&s->hash, 0, sizeof s->hash);
		if (n == 2 * sizeof s->hash.b)
			memcpy(s->hash.b, bytes, sizeof s->hash.b);
		return NULL;
	}
	bool plain = c->op == RPC_EQUAL && c->operand == RPC_TEXT;
	s->conditions[s->search.count++] =
		(struct node_condition){.key = cs_bytes_str(c->key),
					.any = c->op == RPC_EXISTS,
					.value = cs_bytes_str(c->value),
					.holds = plain || c->op == RPC_EXISTS ? NULL : holds,
					.context = c};
	return NULL;
}

/* False: the call was ended. */
static bool read_search(struct rpc_call *call, struct search *s, bool blocks)
{
	char *text, *order;
	struct cs_why why = {{0}};
	memset(s, 0, sizeof *s);
	s->search = (struct node_search){
		.blocks = blocks, .conditions = s->conditions, .height_max = INT64_MAX};
	if (!rpc_text(call, "query", &text))
		return false;
	enum cs_err err = rpc_query_parse(&s->query, text, &why);
	free(text);
	if (err != CS_OK) {
		rpc_refuse(call, "%s", why.text);
		return false;
	}
	for (size_t i = 0; i < s->query.count; i++) {
		const char *wrong = add_condition(s, &s->query.conditions[i], blocks);
		if (wrong == NULL)
			continue;
		rpc_refuse(call, "%s", wrong);
		return false;
	}
	if (!rpc_text(call, "order_by", &order))
		return false;
	bool known = order[0] == 0 || strcmp(order, "asc") == 0 || strcmp(order, "desc") == 0;
	s->search.newest_first = strcmp(order, "desc") == 0 || (blocks && order[0] == 0);
	free(order);
	if (!known)
		rpc_refuse(call, "expected order_by to be either `asc` or `desc` or empty");
	return known;
}

/* Hits of one page into a list. False: the call was ended. */
static bool run_search(struct rpc_call *call, struct search *s,
		       struct node_hit hits[NODE_RPC_PER_PAGE_MAX], size_t *count, uint64_t *total)
{
	struct node_index *index = node_store_index(store_of(call));
	struct page page;
	if (s->has_hash) {
		*count = node_index_tx(index, &hits[0], &s->hash) == CS_OK;
		*total = *count;
		return true;
	}
	enum cs_err err = node_index_search(index, hits, count, 0, total, &s->search);
	if (err == CS_OK) {
		if (!read_page(call, &page, (int64_t)*total))
			return false;
		s->search.skip = (uint64_t)page.skip;
		err = node_index_search(index, hits, count, (size_t)page.per_page, total,
					&s->search);
	}
	if (err != CS_OK)
		rpc_refuse(call, "the search failed: %s", cs_err_sentence(err));
	return err == CS_OK;
}

void rpc_run_tx_search(struct rpc_call *call)
{
	struct search s;
	struct node_hit hits[NODE_RPC_PER_PAGE_MAX];
	size_t count = 0;
	uint64_t total = 0;
	bool prove;
	if (!rpc_bool(call, "prove", &prove) || !read_search(call, &s, false) ||
	    !run_search(call, &s, hits, &count, &total))
		return;
	json_t *txs = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *tx = json_tx(call, &hits[i], prove);
		if (tx != NULL)
			(void)json_array_append_new(txs, tx);
	}
	rpc_result(call, json_pack("{soso}", "txs", txs, "total_count",
				   cometbft_json_number((int64_t)total)));
}

void rpc_run_block_search(struct rpc_call *call)
{
	struct search s;
	struct node_hit hits[NODE_RPC_PER_PAGE_MAX];
	size_t count = 0;
	uint64_t total = 0;
	if (!read_search(call, &s, true) || !run_search(call, &s, hits, &count, &total))
		return;
	json_t *blocks = json_array();
	for (size_t i = 0; i < count; i++) {
		struct rpc_block b;
		size_t mark = cs_arena_mark(&call->rpc->arena);
		if (rpc_load_block(call, &b, hits[i].height) == CS_OK)
			(void)json_array_append_new(blocks,
						    json_pack("{soso}", "block_id",
							      cometbft_json_block_id(&b.stored.id),
							      "block", rpc_json_block(&b.block)));
		cs_arena_rewind(&call->rpc->arena, mark);
	}
	rpc_result(call, json_pack("{soso}", "blocks", blocks, "total_count",
				   cometbft_json_number((int64_t)total)));
}
