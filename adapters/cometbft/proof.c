/*~ Proofs of the gateway's words. A header commits to the state after the block below it: what is
 * asked for at height H - 1 is proven under the application hash of header H. Each proof is checked
 * before it is handed out, so that a node that brings a wrong one is known as the liar. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"
#include "verify/cometbft/ics23.h"

#include <stdlib.h>
#include <string.h>

struct request {
	struct comet *comet;
	struct adapter_block_id block;
	struct cs_hash app_hash;
	size_t count;
	adapter_account_proof_fn *done;
	void *ctx;
	struct cs_hash slots[];
};

static void end(struct request *request, enum cs_err err, const char *why,
		const struct adapter_account_proof *proof)
{
	request->done(request->ctx, err, why, proof);
	free(request);
}

static enum cs_err take_word(struct adapter_slot_proof *slot, const struct request *request,
			     const struct comet_answer *answer, const struct cs_hash *name)
{
	uint8_t key[COMET_WORD_KEY_SIZE];
	struct cs_bytes value;
	bool found;

	CS_TRY(answer->err);
	if (answer->code != 0)
		return comet_code_err(answer->code);
	comet_word_key(key, request->comet, name);
	enum cs_err err = cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &request->app_hash,
					   answer->proof, CS_BYTES_OF(key));
	if (err != CS_OK || (found && value.n != sizeof(slot->value.b))) {
		adapter_rpc_lied(request->comet->nodes.rpc, answer->endpoint,
				 "a proof that does not prove");
		return CS_ERR_RPC_LIE;
	}
	*slot = (struct adapter_slot_proof){.slot = *name, .proof = {.state = answer->proof}};
	if (found)
		memcpy(slot->value.b, value.p, value.n);
	return CS_OK;
}

static void words_done(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct request *request = ctx;
	struct adapter_slot_proof slots[ADAPTER_SLOTS_MAX];
	struct adapter_account_proof proof = {.block = request->block, .exists = true};
	enum cs_err err = CS_OK;
	const char *why = "";

	for (size_t i = 0; i < count && err == CS_OK; i++) {
		err = take_word(&slots[i], request, &answers[i], &request->slots[i]);
		if (err != CS_OK)
			why = answers[i].why[0] != '\0' ? answers[i].why
							: "a proof that does not prove";
	}
	proof.slots = slots;
	proof.slot_count = count;
	end(request, err, why, err == CS_OK ? &proof : NULL);
}

static enum cs_err ask(struct request *request, const struct comet_header *header)
{
	struct comet_query queries[ADAPTER_SLOTS_MAX];
	uint8_t keys[ADAPTER_SLOTS_MAX][COMET_WORD_KEY_SIZE];
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY,
					      .height_min = request->block.height};
	struct cs_bytes app_hash = cmt_header_app_hash(&header->header);

	if (app_hash.n != sizeof(request->app_hash.b))
		return CS_ERR_UNSUPPORTED; /* no state tree's */
	memcpy(request->app_hash.b, app_hash.p, app_hash.n);
	for (size_t i = 0; i < request->count; i++) {
		comet_word_key(keys[i], request->comet, &request->slots[i]);
		queries[i] = (struct comet_query){.path = "/store",
						  .data = CS_BYTES_OF(keys[i]),
						  .height = request->block.height - 1,
						  .prove = true};
	}
	return comet_query(&request->comet->nodes, &options, queries, request->count, words_done,
			   request);
}

static void header_done(void *ctx, enum cs_err err, const char *why,
			struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct request *request = ctx;

	(void)endpoint;
	if (err == CS_OK &&
	    (count == 0 || !cs_hash_eq(&headers[0]->public.id.hash, &request->block.hash))) {
		err = CS_ERR_REORGED;
		why = "the block is not on the chain";
	}
	if (err == CS_OK)
		err = ask(request, headers[0]);
	if (err != CS_OK)
		end(request, err, why[0] != '\0' ? why : cs_err_sentence(err), NULL);
}

enum cs_err comet_account_proof(struct adapter *adapter, const struct adapter_block_id *block,
				const struct cs_address *address, const struct cs_hash *slots,
				size_t count, adapter_account_proof_fn *done, void *ctx)
{
	struct comet *comet = comet_of(adapter);
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY, .height_min = block->height};

	if (count == 0 || count > ADAPTER_SLOTS_MAX ||
	    !cs_address_eq(address, &comet->config.gateway))
		return CS_ERR_INVALID;
	if (block->height < 2)
		return CS_ERR_UNAVAILABLE; /* there is no state below the first block */
	struct request *request = host_alloc(sizeof(*request) + count * sizeof(slots[0]));
	*request = (struct request){
		.comet = comet, .block = *block, .count = count, .done = done, .ctx = ctx};
	memcpy(request->slots, slots, count * sizeof(slots[0]));
	const struct comet_header *known = comet_watch_header(comet->watch, block->height);
	enum cs_err err = known != NULL && cs_hash_eq(&known->public.id.hash, &block->hash)
				  ? ask(request, known)
				  : comet_headers_fetch(&comet->nodes, &options, block->height, 1,
							header_done, request);
	if (err != CS_OK)
		free(request);
	return err;
}

/* A ledger has no receipts, and no root over its events. */
enum cs_err comet_receipt_proof(struct adapter *adapter, const struct adapter_block_id *block,
				uint32_t tx_index, size_t claims_from,
				adapter_receipt_proof_fn *done, void *ctx)
{
	(void)adapter;
	(void)block;
	(void)tx_index;
	(void)claims_from;
	(void)done;
	(void)ctx;
	return CS_ERR_UNSUPPORTED;
}
