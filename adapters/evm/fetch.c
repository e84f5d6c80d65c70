#include "adapters/evm/fetch.h"

#include "core/limits.h"
#include "host/alloc.h"

#include <stdlib.h>

struct fetch {
	struct adapter_rpc *rpc;
	evm_headers_done *done;
	void *ctx;
	uint64_t from;
	bool is_head;
	size_t endpoint;
	size_t count;
	struct evm_header **headers;
	struct cs_hash *hashes; /* of those whose raw bytes are wanted */
	json_t **transactions;
	size_t *wanted;
	size_t wanted_count;
};

static void release(struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->count; i++) {
		evm_header_unref(fetch->headers[i]);
		json_decref(fetch->transactions[i]);
	}
	free(fetch->headers);
	free(fetch->hashes);
	free(fetch->transactions);
	free(fetch->wanted);
	free(fetch);
}

static void end(struct fetch *fetch, enum cs_err err, const char *why, size_t count)
{
	fetch->done(fetch->ctx, err, why, err == CS_OK ? fetch->headers : NULL,
		    err == CS_OK ? count : 0, fetch->endpoint);
	release(fetch);
}

static void end_lie(struct fetch *fetch, const char *why)
{
	adapter_rpc_lied(fetch->rpc, fetch->endpoint, why);
	end(fetch, CS_ERR_RPC_LIE, why, 0);
}

/* Everything is there: do they belong together? */
static void finish(struct fetch *fetch)
{
	size_t count = 0;

	for (; count < fetch->count && fetch->headers[count] != NULL; count++) {
		const struct adapter_header *header = &fetch->headers[count]->public;

		if (!fetch->is_head && header->id.height != fetch->from + count) {
			end_lie(fetch, "a block of another height");
			return;
		}
		if (count > 0 &&
		    !cs_hash_eq(&header->parent, &fetch->headers[count - 1]->public.id.hash)) {
			end(fetch, CS_ERR_REORGED, "the blocks do not link", 0);
			return;
		}
	}
	if (count > 0)
		adapter_rpc_saw_height(fetch->rpc, fetch->endpoint,
				       fetch->headers[count - 1]->public.id.height);
	end(fetch, CS_OK, "", count);
}

static enum cs_err from_raw(struct evm_header **header, const json_t *json,
			    const struct cs_hash *hash, const json_t *transactions)
{
	uint8_t memory[CS_HEADER_SIZE_MAX];
	struct cs_buf buf;

	cs_buf_init(&buf, memory, sizeof(memory));
	CS_TRY(evm_json_bytes(&buf, json));
	CS_TRY(cs_buf_end(&buf));
	return evm_header_from_raw(header, cs_buf_view(&buf), hash, transactions);
}

static void raw_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct fetch *fetch = ctx;

	for (size_t i = 0; i < count; i++) {
		size_t at = fetch->wanted[i];

		if (replies[i].class != ADAPTER_RPC_FINE &&
		    replies[i].class != ADAPTER_RPC_METHOD) {
			end(fetch, replies[i].err, replies[i].why, 0);
			return;
		}
		if (replies[i].class == ADAPTER_RPC_METHOD ||
		    from_raw(&fetch->headers[at], replies[i].result, &fetch->hashes[at],
			     fetch->transactions[at]) != CS_OK) {
			end_lie(fetch, "a header that does not hash to its block hash");
			return;
		}
	}
	finish(fetch);
}

static void ask_raw(struct fetch *fetch, const uint64_t *heights)
{
	struct adapter_rpc_options options = {.pin = fetch->endpoint, .only_pin = true};
	struct adapter_rpc_call calls[ADAPTER_HEADERS_MAX];

	for (size_t i = 0; i < fetch->wanted_count; i++) {
		json_t *params = json_array();

		json_array_append_new(params, evm_json_from_u64(heights[i]));
		calls[i] = (struct adapter_rpc_call){"debug_getRawHeader", params};
	}
	enum cs_err err = adapter_rpc_batch(fetch->rpc, &options, calls, fetch->wanted_count,
					    raw_done, fetch);
	if (err != CS_OK)
		end(fetch, err, cs_err_sentence(err), 0);
}

/* False: the answer was impossible or an error, and fetch has ended. */
static bool take_block(struct fetch *fetch, size_t at, const struct adapter_rpc_reply *reply,
		       uint64_t *height)
{
	struct cs_hash hash;

	if (reply->class != ADAPTER_RPC_FINE) {
		end(fetch, reply->err, reply->why, 0);
		return false;
	}
	if (json_is_null(reply->result))
		return true;
	enum cs_err err = evm_header_from_json(&fetch->headers[at], &hash, reply->result);
	if (err == CS_OK)
		return true;
	if (err != CS_ERR_RPC_LIE ||
	    evm_json_u64(height, json_object_get(reply->result, "number")) != CS_OK) {
		end_lie(fetch, "a header that cannot be read");
		return false;
	}
	fetch->hashes[at] = hash;
	fetch->transactions[at] = json_incref(json_object_get(reply->result, "transactions"));
	fetch->wanted[fetch->wanted_count++] = at;
	return true;
}

static void blocks_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct fetch *fetch = ctx;
	uint64_t heights[ADAPTER_HEADERS_MAX];

	fetch->endpoint = replies[0].endpoint;
	for (size_t i = 0; i < count; i++) {
		uint64_t height = 0;
		size_t wanted = fetch->wanted_count;

		if (!take_block(fetch, i, &replies[i], &height))
			return;
		if (fetch->wanted_count > wanted)
			heights[wanted] = height;
	}
	if (fetch->wanted_count > 0)
		ask_raw(fetch, heights);
	else
		finish(fetch);
}

/* Each block that is there makes its hash and is of its height. */
static bool blocks_hold(const void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	const struct fetch *fetch = ctx;
	bool fine = true;

	for (size_t i = 0; i < count && fine; i++) {
		struct evm_header *header = NULL;
		struct cs_hash hash;

		if (replies[i].class != ADAPTER_RPC_FINE || json_is_null(replies[i].result))
			continue;
		fine = evm_header_from_json(&header, &hash, replies[i].result) == CS_OK &&
		       (fetch->is_head || header->public.id.height == fetch->from + i);
		evm_header_unref(header);
	}
	return fine;
}

static enum cs_err begin(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			 uint64_t from, size_t count, bool is_head, evm_headers_done *done,
			 void *ctx)
{
	struct adapter_rpc_call calls[ADAPTER_HEADERS_MAX];
	struct adapter_rpc_options checked = *options;
	struct fetch *fetch = host_alloc(sizeof(*fetch));

	checked.check = blocks_hold;
	cs_assert(count > 0 && count <= ADAPTER_HEADERS_MAX);
	*fetch = (struct fetch){.rpc = rpc,
				.done = done,
				.ctx = ctx,
				.from = from,
				.is_head = is_head,
				.count = count};
	fetch->headers = host_calloc(count, sizeof(*fetch->headers));
	fetch->hashes = host_calloc(count, sizeof(*fetch->hashes));
	fetch->transactions = host_calloc(count, sizeof(json_t *));
	fetch->wanted = host_calloc(count, sizeof(*fetch->wanted));
	for (size_t i = 0; i < count; i++) {
		json_t *params = json_array();

		json_array_append_new(params, is_head ? json_string("latest")
						      : evm_json_from_u64(from + i));
		json_array_append_new(params, json_false());
		calls[i] = (struct adapter_rpc_call){"eth_getBlockByNumber", params};
	}
	enum cs_err err = adapter_rpc_batch(rpc, &checked, calls, count, blocks_done, fetch);
	if (err != CS_OK)
		release(fetch);
	return err;
}

enum cs_err evm_fetch_headers(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			      uint64_t from, size_t count, evm_headers_done *done, void *ctx)
{
	return begin(rpc, options, from, count, false, done, ctx);
}

enum cs_err evm_fetch_head(struct adapter_rpc *rpc, const struct adapter_rpc_options *options,
			   evm_headers_done *done, void *ctx)
{
	return begin(rpc, options, 0, 1, true, done, ctx);
}
