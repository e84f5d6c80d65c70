#include "adapters/cometbft/nodes.h"
#include "host/alloc.h"

#include <stdlib.h>

/* A set in an arena: its list, its order, slack for alignment. */
#define SET_MEMORY(count) ((count) * (sizeof(struct cmt_validator) + sizeof(uint16_t)) + 128u)

struct fetch {
	struct comet_nodes *nodes;
	struct adapter_rpc_options options;
	uint64_t height;
	struct cs_hash hash;
	comet_set_done *done;
	void *ctx;
	struct cmt_validator *list;
	size_t count;
	size_t total; /* 0: not told yet */
};

static enum cs_err ask(struct fetch *fetch);

const struct cmt_validator_set *comet_set_find(const struct comet_nodes *nodes,
					       const struct cs_hash *hash)
{
	for (size_t i = 0; i < COMET_SETS_MAX; i++)
		if (nodes->sets[i].memory != NULL && cs_hash_eq(&nodes->sets[i].hash, hash))
			return &nodes->sets[i].set;
	return NULL;
}

static void end(struct fetch *fetch, enum cs_err err, const char *why)
{
	fetch->done(fetch->ctx, err, why);
	free(fetch->list);
	free(fetch);
}

static enum cs_err make_set(struct cmt_validator_set *set, void *memory, const struct fetch *fetch)
{
	struct cs_arena arena;
	struct cs_why why;

	cs_arena_init(&arena, memory, SET_MEMORY(fetch->count));
	CS_TRY(cmt_validator_set_init(set, &arena, fetch->count));
	CS_TRY(cmt_validator_set_fill(set, fetch->list, fetch->count, NULL, &why));
	cmt_validator_set_guess_proposer(set);
	struct cs_hash hash = cmt_validator_set_hash(set);
	return cs_hash_eq(&hash, &fetch->hash) ? CS_OK : CS_ERR_BAD_SIGNER_SET;
}

/* The oldest one makes room. */
static enum cs_err keep(struct fetch *fetch)
{
	struct comet_nodes *nodes = fetch->nodes;
	struct comet_set made = {.hash = fetch->hash,
				 .memory = host_alloc(SET_MEMORY(fetch->count))};
	enum cs_err err = make_set(&made.set, made.memory, fetch);

	if (err != CS_OK || comet_set_find(nodes, &fetch->hash) != NULL) {
		free(made.memory);
		return err;
	}
	struct comet_set *place = &nodes->sets[nodes->set_next++ % COMET_SETS_MAX];
	free(place->memory);
	*place = made;
	return CS_OK;
}

static enum cs_err take_page(struct fetch *fetch, const json_t *result)
{
	const json_t *list = json_object_get(result, "validators");
	uint64_t total;

	CS_TRY(comet_json_u64(&total, json_object_get(result, "total")));
	if (total == 0 || total > CMT_VALIDATORS_MAX ||
	    (fetch->total != 0 && fetch->total != total))
		return CS_ERR_RPC_LIE;
	if (fetch->total == 0)
		fetch->list = host_calloc(total, sizeof(*fetch->list));
	fetch->total = total;
	if (json_array_size(list) == 0 || json_array_size(list) > fetch->total - fetch->count)
		return CS_ERR_RPC_LIE;
	for (size_t i = 0; i < json_array_size(list); i++)
		CS_TRY(comet_json_validator(&fetch->list[fetch->count++], json_array_get(list, i)));
	return CS_OK;
}

static void fetched(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct fetch *fetch = ctx;
	struct comet_nodes *nodes = fetch->nodes;
	size_t endpoint = replies[0].endpoint;

	(void)count;
	if (replies[0].class != ADAPTER_RPC_FINE) {
		end(fetch, replies[0].err, replies[0].why);
		return;
	}
	enum cs_err err = take_page(fetch, replies[0].result);
	if (err == CS_OK && fetch->count < fetch->total) {
		err = ask(fetch);
		if (err != CS_OK)
			end(fetch, err, cs_err_sentence(err));
		return;
	}
	if (err == CS_OK)
		err = keep(fetch);
	if (err != CS_OK && err != CS_ERR_UNSUPPORTED) {
		adapter_rpc_lied(nodes->rpc, endpoint, "validators that are not the header's");
		err = CS_ERR_RPC_LIE;
	}
	end(fetch, err, err == CS_OK ? "" : "validators that are not the header's");
}

static enum cs_err ask(struct fetch *fetch)
{
	json_t *params = json_pack("{s:o, s:o, s:o}", "height", comet_json_from_u64(fetch->height),
				   "page", comet_json_from_u64(fetch->count / COMET_PAGE_SIZE + 1),
				   "per_page", comet_json_from_u64(COMET_PAGE_SIZE));

	return adapter_rpc_call(fetch->nodes->rpc, &fetch->options, "validators", params, fetched,
				fetch);
}

enum cs_err comet_set_fetch(struct comet_nodes *nodes, const struct adapter_rpc_options *options,
			    uint64_t height, const struct cs_hash *hash, comet_set_done *done,
			    void *ctx)
{
	struct fetch *fetch = host_alloc(sizeof(*fetch));

	*fetch = (struct fetch){.nodes = nodes,
				.options = *options,
				.height = height,
				.hash = *hash,
				.done = done,
				.ctx = ctx};
	enum cs_err err = ask(fetch);
	if (err != CS_OK)
		free(fetch);
	return err;
}

void comet_sets_free(struct comet_nodes *nodes)
{
	for (size_t i = 0; i < COMET_SETS_MAX; i++)
		free(nodes->sets[i].memory);
}
