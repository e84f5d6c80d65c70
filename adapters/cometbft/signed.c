#include "adapters/cometbft/nodes.h"
#include "host/alloc.h"
#include "verify/cometbft/tx.h"

#include <stdlib.h>

struct fetch {
	struct comet_nodes *nodes;
	comet_headers_done *done;
	void *ctx;
	uint64_t from; /* 0: the newest */
	size_t count;
};

/* ---- headers ---- */

struct comet_header *comet_header_ref(struct comet_header *header)
{
	header->refs++;
	return header;
}

void comet_header_unref(struct comet_header *header)
{
	if (header == NULL || --header->refs > 0)
		return;
	comet_commit_clear(&header->commit);
	free(header);
}

bool comet_header_has_txs(const struct comet_header *header)
{
	struct cs_hash none = cmt_data_hash(NULL, 0);
	struct cmt_hash empty = cmt_hash_of(&none);

	return header->header.data_hash.some && !cmt_hash_eq(&header->header.data_hash, &empty);
}

static void set_public(struct comet_header *header)
{
	const struct cmt_header *h = &header->header;

	header->public = (struct adapter_header){
		.id = {(uint64_t)h->height, cmt_header_hash(h)},
		.parent = h->last_block_id.hash.hash,
		.time_s = h->time.s > 0 ? (uint64_t)h->time.s : 0,
	};
}

/* A reference is the caller's. */
static enum cs_err read_signed(struct comet_header **out, const struct comet_nodes *nodes,
			       const json_t *json, struct cs_why *why)
{
	struct comet_header *header = host_alloc(sizeof(*header));
	enum cs_err err;

	header->refs = 1;
	err = comet_json_header(&header->header, json_object_get(json, "header"), why);
	if (err == CS_OK)
		err = comet_json_commit(&header->commit, json_object_get(json, "commit"), why);
	if (err == CS_OK)
		err = cmt_signed_header_check(&header->header, &header->commit, why);
	if (err == CS_OK && !cmt_chain_id_eq(&header->header.chain_id, &nodes->chain_id))
		err = cs_fail(why, CS_ERR_WRONG_CHAIN, "a header of another chain");
	if (err != CS_OK) {
		comet_header_unref(header);
		return err;
	}
	set_public(header);
	*out = header;
	return CS_OK;
}

/* ---- rows of them ---- */

static bool follows(const struct comet_header *header, const struct comet_header *before)
{
	return header->public.id.height == before->public.id.height + 1 &&
	       cs_hash_eq(&header->public.parent, &before->public.id.hash);
}

static enum cs_err take(struct comet_header **headers, size_t *taken, const struct fetch *fetch,
			const struct adapter_rpc_reply *reply, struct cs_why *why)
{
	size_t at = *taken;

	if (reply->class == ADAPTER_RPC_STATE && at > 0)
		return CS_ERR_NOT_FOUND; /* the chain ends here */
	if (reply->class != ADAPTER_RPC_FINE)
		return cs_fail(why, reply->err, "%s", reply->why);
	if (read_signed(&headers[at], fetch->nodes, json_object_get(reply->result, "signed_header"),
			why) != CS_OK)
		return CS_ERR_RPC_LIE;
	(*taken)++;
	if (fetch->from != 0 && headers[at]->public.id.height != fetch->from + at)
		return cs_fail(why, CS_ERR_RPC_LIE, "a header of another height");
	if (at > 0 && !follows(headers[at], headers[at - 1]))
		return cs_fail(why, CS_ERR_RPC_LIE, "a header that does not link");
	return CS_OK;
}

static void fetched(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct fetch *fetch = ctx;
	struct comet_header **headers = host_calloc(count, sizeof(struct comet_header *));
	struct cs_why why = {""};
	enum cs_err err = CS_OK;
	size_t endpoint = replies[0].endpoint;
	size_t taken = 0;

	for (size_t i = 0; i < count && err == CS_OK; i++) {
		endpoint = replies[i].endpoint;
		err = take(headers, &taken, fetch, &replies[i], &why);
	}
	if (err == CS_ERR_RPC_LIE)
		adapter_rpc_lied(fetch->nodes->rpc, endpoint, why.text);
	if (err == CS_ERR_NOT_FOUND && taken > 0)
		err = CS_OK;
	fetch->done(fetch->ctx, err, why.text, err == CS_OK ? headers : NULL,
		    err == CS_OK ? taken : 0, endpoint);
	for (size_t i = 0; i < taken; i++)
		comet_header_unref(headers[i]);
	free((void *)headers);
	free(fetch);
}

/* Each header that is there goes with its commit and is of its height. */
static bool headers_hold(const void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	const struct fetch *fetch = ctx;
	struct cs_why why;
	bool fine = true;

	for (size_t i = 0; i < count && fine; i++) {
		struct comet_header *header = NULL;

		if (replies[i].class != ADAPTER_RPC_FINE)
			continue;
		fine = read_signed(&header, fetch->nodes,
				   json_object_get(replies[i].result, "signed_header"),
				   &why) == CS_OK &&
		       (fetch->from == 0 || header->public.id.height == fetch->from + i);
		comet_header_unref(header);
	}
	return fine;
}

enum cs_err comet_headers_fetch(struct comet_nodes *nodes,
				const struct adapter_rpc_options *options, uint64_t from,
				size_t count, comet_headers_done *done, void *ctx)
{
	struct adapter_rpc_call calls[ADAPTER_HEADERS_MAX];
	struct adapter_rpc_options checked = *options;
	struct fetch *fetch = host_alloc(sizeof(*fetch));

	checked.check = headers_hold;
	cs_assert(count > 0 && count <= CS_LEN(calls) && (from > 0 || count == 1));
	*fetch = (struct fetch){nodes, done, ctx, from, count};
	for (size_t i = 0; i < count; i++)
		calls[i] = (struct adapter_rpc_call){
			"commit",
			from == 0 ? json_object()
				  : json_pack("{s:o}", "height", comet_json_from_u64(from + i))};
	enum cs_err err = adapter_rpc_batch(nodes->rpc, &checked, calls, count, fetched, fetch);
	if (err != CS_OK)
		free(fetch);
	return err;
}
