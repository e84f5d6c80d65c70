/* Statements: what a final block proves becomes one signed batch. Everything that is signed here
 * was verified in the same request, from the bytes of that request. */
#include "enclave/state.h"
#include "verify/evm/receipt.h"

struct batch {
	const struct enclave_chain *chain;
	const struct cs_hash *receiver;
	size_t count;
	struct cs_hash leaves[CS_BATCH_MAX];
	struct cs_hash ids[CS_BATCH_MAX];
	enum wire_status outcomes[CS_BATCH_MAX];
};

static enum cs_err batch_add(struct enclave_call *call, struct batch *batch,
			     const struct cs_hash *id, const struct cs_hash *leaf)
{
	if (batch->count >= call->e->manifest.batch_max)
		return cs_fail(&call->why, CS_ERR_TOO_LARGE, "more than %llu in one batch",
			       (unsigned long long)call->e->manifest.batch_max);
	for (size_t i = 0; i < batch->count; i++)
		if (cs_hash_eq(&batch->ids[i], id))
			return cs_fail(&call->why, CS_ERR_DUPLICATE,
				       "items %zu and %zu are one message", i, batch->count);
	batch->ids[batch->count] = *id;
	batch->leaves[batch->count] = *leaf;
	batch->count++;
	return CS_OK;
}

/* ---- messages ---- */

static enum cs_err check_log(struct enclave_call *call, const struct batch *batch,
			     const struct verify_receipt *receipt, const struct verify_log *log,
			     const struct cs_hash *id)
{
	const struct manifest_chain *chain = batch->chain->manifest;
	const struct cs_hash topic = wire_evm_topic_message_committed();
	if (!cs_address_eq(&log->address, &chain->gateway))
		return cs_fail(&call->why, CS_ERR_WRONG_CONTRACT,
			       "item %zu: not a log of the gateway of %s", batch->count,
			       chain->caip2);
	if (log->topic_count < 2 || !cs_hash_eq(&log->topics[0], &topic))
		return cs_fail(&call->why, CS_ERR_WRONG_EVENT, "item %zu: not MessageCommitted",
			       batch->count);
	if (cs_hash_eq(&log->topics[1], id))
		return CS_OK;
	const bool elsewhere = verify_receipt_has_topic(receipt, 1, id);
	return cs_fail(&call->why, elsewhere ? CS_ERR_WRONG_LOG : CS_ERR_WRONG_RECEIPT,
		       "item %zu: the log is of another message", batch->count);
}

static enum cs_err check_route(struct enclave_call *call, const struct wire_message_head *head,
			       const struct cs_hash *source, const struct cs_hash *destination,
			       size_t item)
{
	if (!cs_hash_eq(&head->destination, destination))
		return cs_fail(&call->why, CS_ERR_WRONG_DESTINATION,
			       "item %zu: for another destination", item);
	if (!cs_hash_eq(&head->source, source))
		return cs_fail(&call->why, CS_ERR_WRONG_SOURCE, "item %zu: from another source",
			       item);
	return CS_OK;
}

/* The attribute may only raise the manifest's rule. */
static enum cs_err check_finality(struct enclave_call *call, const struct verify_block *block,
				  const struct wire_message_head *head, size_t item)
{
	const uint64_t on_top = block->final_height - block->height;
	if (on_top < head->finality)
		return cs_fail(&call->why, CS_ERR_NOT_FINAL,
			       "item %zu: asks for %u final blocks more, has %llu", item,
			       (unsigned)head->finality, (unsigned long long)on_top);
	return CS_OK;
}

static enum cs_err add_message(struct enclave_call *call, struct batch *batch,
			       const struct verify_block *block,
			       const struct verify_receipt *receipt,
			       const Caisson__Wire__MessageClaim *claim)
{
	struct wire_message_head head;
	struct verify_log log;
	CS_TRY(wire_head_from_pb(&head, claim->head));
	CS_TRY(check_route(call, &head, &batch->chain->manifest->identity, batch->receiver,
			   batch->count));
	const struct cs_hash id = wire_message_id(&head);
	const struct cs_hash leaf = wire_leaf_message(&id);
	const enum cs_err err = verify_receipt_log(&log, receipt, claim->log_index);
	if (err != CS_OK)
		return cs_fail(&call->why, err, "item %zu: log %u of the receipt: %s", batch->count,
			       (unsigned)claim->log_index, cs_err_sentence(err));
	CS_TRY(check_log(call, batch, receipt, &log, &id));
	CS_TRY(check_finality(call, block, &head, batch->count));
	return batch_add(call, batch, &id, &leaf);
}

static enum cs_err add_receipt(struct enclave_call *call, struct batch *batch,
			       const struct enclave_blocks *blocks,
			       const Caisson__Wire__ReceiptClaim *claim)
{
	struct verify_block block;
	struct verify_nodes nodes;
	struct verify_receipt receipt;
	const struct cs_hash claimed = wire_pb_hash(claim->block_hash);
	CS_TRY(enclave_blocks_find(call, &block, blocks, claim->height));
	if (!cs_hash_eq(&block.hash, &claimed))
		return cs_fail(&call->why, CS_ERR_WRONG_BLOCK,
			       "block %llu: another block is final at this height",
			       (unsigned long long)claim->height);
	CS_TRY(enclave_nodes(call, &nodes, claim->proof));
	const enum cs_err err =
		verify_receipt(&receipt, &block.events_root, claim->tx_index, &nodes);
	if (err != CS_OK)
		return cs_fail(&call->why, err, "receipt %u of block %llu: %s",
			       (unsigned)claim->tx_index, (unsigned long long)claim->height,
			       cs_err_sentence(err));
	if (claim->n_messages == 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "a receipt without messages");
	for (size_t i = 0; i < claim->n_messages; i++)
		CS_TRY(add_message(call, batch, &block, &receipt, claim->messages[i]));
	return CS_OK;
}

static enum cs_err add_receipts(struct enclave_call *call, struct batch *batch,
				const Caisson__Wire__SignMessagesRequest *in)
{
	struct enclave_blocks blocks;
	if (in->n_sent != 0 || in->height != 0 || in->sentinel != NULL)
		return cs_fail(&call->why, CS_ERR_INVALID, "%s proves what it sent by receipts",
			       batch->chain->manifest->caip2);
	if (in->n_receipts == 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "no receipts");
	CS_TRY(enclave_blocks_open(call, &blocks, batch->chain, in->headers, in->n_headers));
	for (size_t i = 0; i < in->n_receipts; i++)
		CS_TRY(add_receipt(call, batch, &blocks, in->receipts[i]));
	return CS_OK;
}

/* ---- messages of a ledger ---- */

static enum cs_err add_sent(struct enclave_call *call, struct batch *batch,
			    const struct verify_block *block, const struct enclave_gateway *gateway,
			    const Caisson__Wire__SentClaim *claim)
{
	struct wire_message_head head;
	CS_TRY(wire_head_from_pb(&head, claim->head));
	CS_TRY(check_route(call, &head, &batch->chain->manifest->identity, batch->receiver,
			   batch->count));
	const struct cs_hash id = wire_message_id(&head);
	const struct cs_hash leaf = wire_leaf_message(&id);
	const enum cs_err err = enclave_gateway_sent(call, gateway, &id, claim->proof);
	if (err != CS_OK)
		return cs_fail(&call->why, err, "item %zu: sent, at block %llu: %s", batch->count,
			       (unsigned long long)block->height, cs_err_sentence(err));
	CS_TRY(check_finality(call, block, &head, batch->count));
	return batch_add(call, batch, &id, &leaf);
}

/* A word of the gateway says that a message was sent, from then on for ever: no ancestors are needed,
 * and one block serves all. */
static enum cs_err add_all_sent(struct enclave_call *call, struct batch *batch,
				const Caisson__Wire__SignMessagesRequest *in)
{
	struct enclave_blocks blocks;
	struct enclave_gateway gateway;
	struct verify_block block;
	if (in->n_receipts != 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "%s proves no receipts",
			       batch->chain->manifest->caip2);
	if (in->n_sent == 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "no messages that were sent");
	if (in->sentinel == NULL)
		return cs_fail(&call->why, CS_ERR_MISSING_FIELD, "sentinel");
	CS_TRY(enclave_blocks_open(call, &blocks, batch->chain, in->headers, in->n_headers));
	CS_TRY(enclave_blocks_find(call, &block, &blocks, in->height));
	CS_TRY(enclave_gateway_at(call, &gateway, batch->chain, &block, NULL, in->sentinel));
	for (size_t i = 0; i < in->n_sent; i++)
		CS_TRY(add_sent(call, batch, &block, &gateway, in->sent[i]));
	return CS_OK;
}

static enum cs_err reply_messages(struct enclave_call *call, const struct wire_signed *result,
				  const struct batch *batch)
{
	Caisson__Wire__SignedReply out = CAISSON__WIRE__SIGNED_REPLY__INIT;
	Caisson__Wire__Statement statement;
	ProtobufCBinaryData ids[CS_BATCH_MAX];
	CS_TRY(wire_signed_to_pb(&statement, result, &call->e->arena));
	for (size_t i = 0; i < batch->count; i++)
		ids[i] = wire_pb_bytes(&call->e->arena, CS_BYTES_OF(batch->ids[i].b));
	out.statement = &statement;
	out.message_ids = ids;
	out.n_message_ids = batch->count;
	return enclave_reply(call, &out.base);
}

enum cs_err enclave_sign_messages(struct enclave_call *call)
{
	const Caisson__Wire__SignMessagesRequest *in =
		(const Caisson__Wire__SignMessagesRequest *)call->request;
	struct enclave_chain *chain = NULL;
	struct wire_signed result;
	size_t remote = 0;
	struct batch *batch = cs_arena_calloc(&call->e->arena, 1, sizeof *batch);
	if (batch == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(enclave_chain_find(call, &chain, in->chain));
	CS_TRY(enclave_remote_find(call, &remote, chain, in->receiver));
	batch->chain = chain;
	batch->receiver = &chain->manifest->remotes[remote];
	CS_TRY(enclave_chain_is_ledger(chain) ? add_all_sent(call, batch, in)
					      : add_receipts(call, batch, in));
	CS_TRY(enclave_sign_statement(call, &result, chain, WIRE_KIND_MESSAGE, batch->receiver,
				      in->epoch, batch->leaves, batch->count));
	return reply_messages(call, &result, batch);
}

/* ---- outcomes ---- */

static enum cs_err add_status(struct enclave_call *call, struct batch *batch,
			      const struct verify_block *block,
			      const struct enclave_gateway *gateway,
			      const Caisson__Wire__StatusClaim *claim)
{
	struct wire_message_head head;
	enum wire_status status;
	enum wire_status outcome;
	CS_TRY(wire_head_from_pb(&head, claim->head));
	/* The outcome goes to the source of the message. */
	if (!cs_hash_eq(&head.source, batch->receiver))
		return cs_fail(&call->why, CS_ERR_WRONG_SOURCE, "item %zu: from another source",
			       batch->count);
	CS_TRY(check_route(call, &head, batch->receiver, &batch->chain->manifest->identity,
			   batch->count));
	enum cs_err err = enclave_gateway_status(call, &status, gateway, &head.source,
						 head.sequence, claim->proof);
	if (err == CS_OK)
		err = verify_outcome(&outcome, status, head.deadline, block);
	if (err != CS_OK)
		return cs_fail(&call->why, err,
			       "item %zu: block %llu of time %llu, deadline %llu: %s", batch->count,
			       (unsigned long long)block->height, (unsigned long long)block->time_s,
			       (unsigned long long)head.deadline, cs_err_sentence(err));
	const struct cs_hash id = wire_message_id(&head);
	const struct cs_hash leaf = wire_leaf_outcome(&id, outcome);
	CS_TRY(batch_add(call, batch, &id, &leaf));
	batch->outcomes[batch->count - 1] = outcome;
	return CS_OK;
}

static enum cs_err reply_outcomes(struct enclave_call *call, const struct wire_signed *result,
				  const struct batch *batch)
{
	Caisson__Wire__SignedOutcomesReply out = CAISSON__WIRE__SIGNED_OUTCOMES_REPLY__INIT;
	Caisson__Wire__Statement statement;
	Caisson__Wire__Outcome outcomes[CS_BATCH_MAX];
	Caisson__Wire__Outcome *list[CS_BATCH_MAX];
	CS_TRY(wire_signed_to_pb(&statement, result, &call->e->arena));
	for (size_t i = 0; i < batch->count; i++) {
		const struct wire_outcome outcome = {batch->ids[i], batch->outcomes[i]};
		CS_TRY(wire_outcome_to_pb(&outcomes[i], &outcome, &call->e->arena));
		list[i] = &outcomes[i];
	}
	out.statement = &statement;
	out.outcomes = list;
	out.n_outcomes = batch->count;
	return enclave_reply(call, &out.base);
}

enum cs_err enclave_sign_outcomes(struct enclave_call *call)
{
	const Caisson__Wire__SignOutcomesRequest *in =
		(const Caisson__Wire__SignOutcomesRequest *)call->request;
	struct enclave_chain *chain = NULL;
	struct enclave_blocks blocks;
	struct verify_block block;
	struct enclave_gateway gateway;
	struct wire_signed result;
	size_t remote = 0;
	struct batch *batch = cs_arena_calloc(&call->e->arena, 1, sizeof *batch);
	if (batch == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(enclave_chain_find(call, &chain, in->chain));
	CS_TRY(enclave_remote_find(call, &remote, chain, in->receiver));
	if (in->n_claims == 0)
		return cs_fail(&call->why, CS_ERR_INVALID, "no claims");
	batch->chain = chain;
	batch->receiver = &chain->manifest->remotes[remote];
	CS_TRY(enclave_blocks_open(call, &blocks, chain, in->headers, in->n_headers));
	CS_TRY(enclave_blocks_find(call, &block, &blocks, in->height));
	CS_TRY(enclave_gateway_at(call, &gateway, chain, &block, in->account, in->sentinel));
	for (size_t i = 0; i < in->n_claims; i++)
		CS_TRY(add_status(call, batch, &block, &gateway, in->claims[i]));
	CS_TRY(enclave_sign_statement(call, &result, chain, WIRE_KIND_OUTCOME, batch->receiver,
				      in->epoch, batch->leaves, batch->count));
	return reply_outcomes(call, &result, batch);
}
