#include "adapters/evm/inner.h"
#include "host/alloc.h"

#include <stdlib.h>

/* From so many logs in one answer on the next range is not made larger. */
#define LOGS_PLENTY 2000

struct query {
	struct evm *evm;
	struct adapter_rpc_options options;
	evm_candidates_done *done;
	void *ctx;
	uint64_t next;
	uint64_t to;
	uint64_t asked_to;
	struct evm_candidates blocks;
	size_t endpoint;
};

static enum cs_err ask(struct query *query);

static void end(struct query *query, enum cs_err err, const char *why)
{
	query->done(query->ctx, err, why, query->blocks.ids, query->blocks.count, query->endpoint);
	free(query->blocks.ids);
	free(query);
}

static void ask_or_end(struct query *query)
{
	enum cs_err err = ask(query);

	if (err != CS_OK)
		end(query, err, cs_err_sentence(err));
}

/* Half as much, as long as there is a half. What a node cannot answer in time is too much as well. */
static void refused(struct query *query, const struct adapter_rpc_reply *reply)
{
	struct evm *evm = query->evm;
	uint64_t asked = query->asked_to - query->next + 1;
	bool too_much = reply->class == ADAPTER_RPC_RANGE || reply->err == CS_ERR_TIMEOUT ||
			reply->class == ADAPTER_RPC_LIMIT || reply->class == ADAPTER_RPC_INVALID;

	if (!too_much) {
		end(query, reply->err, reply->why);
		return;
	}
	evm->counters.logs_splits++;
	if (asked == 1) {
		end(query, CS_ERR_TOO_LARGE, reply->why);
		return;
	}
	evm->logs_range = (unsigned)(asked / 2);
	ask_or_end(query);
}

static void logs_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct query *query = ctx;
	struct evm *evm = query->evm;

	(void)count;
	query->endpoint = replies[0].endpoint;
	if (replies[0].class != ADAPTER_RPC_FINE) {
		refused(query, &replies[0]);
		return;
	}
	enum cs_err err = evm_candidates_append_json(&query->blocks, replies[0].result,
						     &evm->contracts, query->next, query->asked_to);
	if (err != CS_OK) {
		adapter_rpc_lied(evm->rpc, query->endpoint, "logs that were not asked for");
		end(query, CS_ERR_RPC_LIE, "logs that were not asked for");
		return;
	}
	uint64_t asked = query->asked_to - query->next + 1;
	if (json_array_size(replies[0].result) < LOGS_PLENTY && asked >= evm->logs_range &&
	    evm->logs_range < evm->config.logs_range) {
		uint64_t wider = (uint64_t)evm->logs_range * 2;
		evm->logs_range =
			wider < evm->config.logs_range ? (unsigned)wider : evm->config.logs_range;
	}
	if (query->asked_to == query->to) {
		end(query, CS_OK, "");
		return;
	}
	query->next = query->asked_to + 1;
	ask_or_end(query);
}

static enum cs_err ask(struct query *query)
{
	struct evm *evm = query->evm;
	json_t *filter = evm_contracts_filter(&evm->contracts);
	json_t *params = json_array();
	uint64_t left = query->to - query->next;

	query->asked_to = left < evm->logs_range ? query->to : query->next + evm->logs_range - 1;
	json_object_set_new(filter, "fromBlock", evm_json_from_u64(query->next));
	json_object_set_new(filter, "toBlock", evm_json_from_u64(query->asked_to));
	json_array_append_new(params, filter);
	return adapter_rpc_call(evm->rpc, &query->options, "eth_getLogs", params, logs_done, query);
}

enum cs_err evm_candidates_fetch(struct evm *evm, const struct adapter_rpc_options *options,
				 uint64_t from, uint64_t to, evm_candidates_done *done, void *ctx)
{
	struct query *query = host_alloc(sizeof(*query));

	cs_assert(from <= to);
	*query = (struct query){
		.evm = evm, .options = *options, .done = done, .ctx = ctx, .next = from, .to = to};
	enum cs_err err = ask(query);
	if (err != CS_OK)
		free(query);
	return err;
}
