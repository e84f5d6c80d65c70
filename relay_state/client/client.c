#include "relay_state/client/client.h"

#include "adapters/cometbft/nodes.h"
#include "host/alloc.h"
#include "host/cometbft_text.h"
#include "relay_state/client/inner.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(LEDGER_CLIENT_QUERIES_MAX <= COMET_QUERIES_MAX, "questions of one call");
_Static_assert(LEDGER_CLIENT_LIGHT_BLOCKS_MAX <= ADAPTER_HEADERS_MAX, "light blocks of one call");

/* Of the answer to /chain: tag, version, gas of a block, least price (16), time. */
#define CHAIN_GAS_AT 40u
#define CHAIN_PRICE_AT 48u
#define CHAIN_TIME_AT 64u
/* Of the answer to /account: sequence, balance. */
#define ACCOUNT_SIZE 40u

/* ---- life ---- */

static void on_changed(void *ctx, const struct adapter_endpoint *node)
{
	struct ledger_client *client = ctx;

	if (client->changed != NULL && !client->closed)
		client->changed(client->ctx, node);
}

static void on_ready(void *ctx)
{
	(void)ctx; /* `changed` told it */
}

static enum cs_err check(const struct ledger_client_config *config, struct cs_why *why)
{
	if (config->node_count == 0 || config->node_count > LEDGER_CLIENT_NODES_MAX)
		return cs_fail(why, CS_ERR_INVALID, "nodes: not from 1 to %u",
			       LEDGER_CLIENT_NODES_MAX);
	for (size_t i = 0; i < config->node_count; i++)
		if (strncmp(config->nodes[i], "http://", 7) != 0 &&
		    strncmp(config->nodes[i], "https://", 8) != 0)
			return cs_fail(why, CS_ERR_INVALID,
				       "nodes: %zu does not begin with http:// or https://", i);
	if (cs_hash_is_zero(&config->chain_tag))
		return cs_fail(why, CS_ERR_INVALID, "chain_tag: zero");
	return CS_OK;
}

enum cs_err ledger_client_new(struct ledger_client **out, struct host_loop *loop,
			      const struct ledger_client_config *config, struct cs_why *why)
{
	struct cmt_chain_id chain_id;

	CS_TRY(check(config, why));
	if (cmt_chain_id_set(&chain_id, cs_bytes_str(config->chain_id)) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "chain_id: not from 1 to 50 bytes");
	struct ledger_client *client = host_alloc(sizeof(*client));
	*client = (struct ledger_client){
		.loop = loop,
		.nodes = {.chain_id = chain_id, .chain_tag = config->chain_tag},
		.ctx = config->ctx,
		.changed = config->changed};
	const struct adapter_rpc_config rpc = {
		.dialect = &comet_dialect,
		.dialect_context = &client->nodes,
		.http = config->nodes,
		.http_count = config->node_count,
		.timeout_ms = config->timeout_ms != 0 ? config->timeout_ms : 10000,
		.probe_ms = config->probe_ms != 0 ? config->probe_ms : 2000,
		.ctx = client,
		.changed = on_changed,
		.ready = on_ready};
	enum cs_err err = adapter_rpc_new(&client->nodes.rpc, loop, &rpc, why);
	if (err != CS_OK) {
		free(client);
		return err;
	}
	*out = client;
	return CS_OK;
}

void ledger_client_start(struct ledger_client *client)
{
	adapter_rpc_start(client->nodes.rpc);
}

void ledger_client_close(struct ledger_client *client)
{
	client->closed = true;
	adapter_rpc_close(client->nodes.rpc);
	ledger_client_end_times(client);
}

void ledger_client_free(struct ledger_client *client)
{
	if (client == NULL)
		return;
	ledger_client_close(client);
	adapter_rpc_free(client->nodes.rpc);
	comet_sets_free(&client->nodes);
	free(client);
}

/* ---- health ---- */

struct ledger_client_health ledger_client_health(const struct ledger_client *client)
{
	struct ledger_client_health health = {
		.nodes = adapter_rpc_endpoint_count(client->nodes.rpc)};

	for (size_t i = 0; i < health.nodes; i++) {
		const struct adapter_endpoint *node = ledger_client_node(client, i);

		if (node->state != ADAPTER_ENDPOINT_OK && node->state != ADAPTER_ENDPOINT_LAGGING)
			continue;
		health.reachable++;
		if (node->height > health.height)
			health.height = node->height;
	}
	return health;
}

const struct adapter_endpoint *ledger_client_node(const struct ledger_client *client, size_t index)
{
	return adapter_rpc_endpoint(client->nodes.rpc, index);
}

/* ---- questions ---- */

struct question {
	uint64_t height_min;
	ledger_client_answers_fn *done;
	void *ctx;
};

static void queried(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct question *question = ctx;
	struct ledger_client_answer out[LEDGER_CLIENT_QUERIES_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct comet_answer *in = &answers[i];

		out[i] = (struct ledger_client_answer){in->err,    in->why,   in->code,
						       in->height, in->value, in->proof};
		if (in->err == CS_OK && in->height < question->height_min) {
			out[i].err = CS_ERR_UNAVAILABLE;
			out[i].why = "the node is behind";
		}
	}
	question->done(question->ctx, out, count);
	free(question);
}

enum cs_err ledger_client_query(struct ledger_client *client, uint64_t height_min,
				const struct ledger_client_query *queries, size_t count,
				ledger_client_answers_fn *done, void *ctx)
{
	const struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY,
						    .height_min = height_min};
	struct comet_query list[LEDGER_CLIENT_QUERIES_MAX];
	struct question *question = host_alloc(sizeof(*question));

	cs_assert(count > 0 && count <= LEDGER_CLIENT_QUERIES_MAX);
	*question = (struct question){height_min, done, ctx};
	for (size_t i = 0; i < count; i++)
		list[i] = (struct comet_query){queries[i].path, queries[i].data, queries[i].height,
					       queries[i].prove};
	enum cs_err err = comet_query(&client->nodes, &options, list, count, queried, question);
	if (err != CS_OK)
		free(question);
	return err;
}

/* ---- an account ---- */

struct look {
	ledger_client_account_fn *done;
	void *ctx;
};

static enum cs_err read_account(struct ledger_client_account *account,
				const struct ledger_client_answer *answers, const char **why)
{
	const struct cs_bytes own = answers[0].value, chain = answers[1].value;

	for (size_t i = 0; i < 2; i++) {
		*why = answers[i].why;
		CS_TRY(answers[i].err);
		if (answers[i].code != 0)
			return comet_code_err(answers[i].code);
	}
	*why = "an account or a chain that does not read";
	if (own.n != ACCOUNT_SIZE || chain.n != LEDGER_CHAIN_ANSWER_SIZE)
		return CS_ERR_RPC_LIE;
	*why = "the least gas price is above 2^64 - 1";
	if (cs_be64(chain.p + CHAIN_PRICE_AT) != 0)
		return CS_ERR_OVERFLOW;
	*why = "";
	account->sequence = cs_be64(own.p);
	memcpy(account->balance.b, own.p + 8, sizeof(account->balance.b));
	account->gas_price = cs_be64(chain.p + CHAIN_PRICE_AT + 8);
	account->gas_of_block = cs_be64(chain.p + CHAIN_GAS_AT);
	account->time_s = cs_be64(chain.p + CHAIN_TIME_AT);
	account->height = answers[0].height;
	return CS_OK;
}

static void account_done(void *ctx, const struct ledger_client_answer *answers, size_t count)
{
	struct look *look = ctx;
	struct ledger_client_account account;
	const char *why = "";

	(void)count;
	enum cs_err err = read_account(&account, answers, &why);
	look->done(look->ctx, err, why, err == CS_OK ? &account : NULL);
	free(look);
}

enum cs_err ledger_client_account(struct ledger_client *client, uint64_t height_min,
				  const struct cs_address *address, ledger_client_account_fn *done,
				  void *ctx)
{
	const struct ledger_client_query queries[] = {
		{.path = "/account", .data = CS_BYTES_OF(address->b)}, {.path = "/chain"}};
	struct look *look = host_alloc(sizeof(*look));

	*look = (struct look){done, ctx};
	enum cs_err err = ledger_client_query(client, height_min, queries, CS_LEN(queries),
					      account_done, look);
	if (err != CS_OK)
		free(look);
	return err;
}

/* ---- light blocks ---- */

enum cs_err ledger_client_light_blocks(struct ledger_client *client, uint64_t from, size_t count,
				       adapter_headers_fn *done, void *ctx)
{
	if (count == 0 || count > LEDGER_CLIENT_LIGHT_BLOCKS_MAX || (from == 0 && count > 1))
		return CS_ERR_INVALID;
	return comet_light_blocks(&client->nodes, from, count, done, ctx);
}

/* ---- transactions ---- */

enum cs_err ledger_client_broadcast(struct ledger_client *client, struct cs_bytes raw,
				    adapter_done_fn *done, void *ctx)
{
	return comet_broadcast(&client->nodes, raw, done, ctx);
}

struct find {
	struct ledger_client *client;
	ledger_client_included_fn *done;
	void *ctx;
};

static enum cs_err read_included(struct ledger_client_included *included, uint8_t **data,
				 const json_t *result)
{
	const json_t *tx = json_object_get(result, "tx_result");
	const json_t *code = json_object_get(tx, "code"); /* a zero may be left out */
	const json_t *gas = json_object_get(tx, "gas_used");
	size_t size = 0;

	CS_TRY(comet_json_u64(&included->height, json_object_get(result, "height")));
	if (!json_is_object(tx) || included->height == 0)
		return CS_ERR_RPC_LIE;
	if (code != NULL && (!json_is_integer(code) || json_integer_value(code) < 0 ||
			     json_integer_value(code) > UINT32_MAX))
		return CS_ERR_RPC_LIE;
	included->code = (uint32_t)json_integer_value(code);
	if (gas != NULL)
		CS_TRY(comet_json_u64(&included->gas_used, gas));
	if (json_object_get(tx, "data") != NULL)
		CS_TRY(comet_json_base64(data, &size, json_object_get(tx, "data")));
	included->data = cs_bytes(*data, size);
	return CS_OK;
}

static void found(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct find *find = ctx;
	struct ledger_client_included included = {0};
	uint8_t *data = NULL;
	const char *why = replies[0].why;
	enum cs_err err = replies[0].err;

	(void)count;
	if (replies[0].class == ADAPTER_RPC_STATE) {
		err = CS_ERR_NOT_FOUND;
	} else if (replies[0].class == ADAPTER_RPC_FINE) {
		err = read_included(&included, &data, replies[0].result);
		if (err != CS_OK) {
			err = CS_ERR_RPC_LIE;
			why = "a transaction that does not read";
			adapter_rpc_lied(find->client->nodes.rpc, replies[0].endpoint, why);
		}
	}
	find->done(find->ctx, err, why, err == CS_OK ? &included : NULL);
	free(data);
	free(find);
}

enum cs_err ledger_client_find_tx(struct ledger_client *client, const struct cs_hash *hash,
				  ledger_client_included_fn *done, void *ctx)
{
	struct find *find = host_alloc(sizeof(*find));

	*find = (struct find){client, done, ctx};
	enum cs_err err = adapter_rpc_call(
		client->nodes.rpc, ADAPTER_RPC_DEFAULT, "tx",
		json_pack("{s:o}", "hash", cometbft_json_base64(CS_BYTES_OF(hash->b))), found,
		find);
	if (err != CS_OK)
		free(find);
	return err;
}
