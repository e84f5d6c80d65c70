#include "adapters/claims.h"

#include "core/reader.h"
#include "host/alloc.h"
#include "wire/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wait {
	struct adapter_claims *claims;
	size_t receipt;
};

static void ask_proof(struct adapter_claims *claims, size_t r);

/* ---- proofs ---- */

static void failed(struct adapter_claims *claims, size_t r, enum cs_err err, const char *why)
{
	struct adapter_claimed_receipt *receipt = &claims->receipts[r];
	receipt->err = err;
	snprintf(receipt->why, sizeof(receipt->why), "%s", why ? why : "");
	if (claims->err != CS_OK)
		return;
	claims->err = err;
	memcpy(claims->why, receipt->why, sizeof(claims->why));
}

static enum cs_err copy_proof(struct adapter_claims *claims,
			      struct adapter_claimed_receipt *receipt,
			      const struct adapter_proof *proof)
{
	receipt->proof = (struct adapter_proof){.count = proof->count};
	for (size_t i = 0; i < proof->count; i++) {
		receipt->proof.nodes[i] = cs_arena_copy(claims->arena, proof->nodes[i]);
		if (!receipt->proof.nodes[i].p)
			return CS_ERR_NO_MEMORY;
	}
	if (proof->leaf.n > 0) {
		receipt->proof.leaf = cs_arena_copy(claims->arena, proof->leaf);
		if (!receipt->proof.leaf.p)
			return CS_ERR_NO_MEMORY;
	}
	receipt->has_proof = true;
	return CS_OK;
}

/* False: some event of this receipt is on a later page of claims. */
static bool place(struct adapter_claims *claims, size_t r,
		  const struct adapter_receipt_proof *proof)
{
	bool all = true;
	for (size_t i = 0; i < claims->count; i++) {
		if (claims->receipt_of[i] != r || claims->placed[i])
			continue;
		for (size_t k = 0; k < proof->claim_count && !claims->placed[i]; k++) {
			if (cs_hash_eq(&proof->claims[k].id, &claims->ids[i])) {
				claims->log_index[i] = proof->claims[k].log_index;
				claims->placed[i] = true;
			}
		}
		all = all && claims->placed[i];
	}
	return all;
}

static void proof_done(void *context, enum cs_err err, const char *why,
		       const struct adapter_receipt_proof *proof)
{
	struct wait *wait = context;
	struct adapter_claims *claims = wait->claims;
	size_t r = wait->receipt;
	struct adapter_claimed_receipt *receipt = &claims->receipts[r];
	free(wait);
	claims->waiting--;
	if (err == CS_OK && !receipt->has_proof)
		err = copy_proof(claims, receipt, &proof->proof);
	if (err == CS_OK && !place(claims, r, proof)) {
		receipt->claims_from += proof->claim_count;
		if (proof->claim_count == 0 || receipt->claims_from >= proof->claim_total) {
			err = CS_ERR_WRONG_EVENT;
			why = "the receipt does not hold the event";
		} else {
			ask_proof(claims, r);
		}
	}
	if (err != CS_OK)
		failed(claims, r, err, why);
	if (claims->waiting == 0)
		claims->done(claims->context, claims->err, claims->why);
}

static void ask_proof(struct adapter_claims *claims, size_t r)
{
	struct wait *wait = host_alloc(sizeof(*wait));
	const struct adapter_claimed_receipt *receipt = &claims->receipts[r];
	*wait = (struct wait){claims, r};
	enum cs_err err = adapter_receipt_proof(claims->adapter, &receipt->block, receipt->tx_index,
						receipt->claims_from, proof_done, wait);
	if (err == CS_OK) {
		claims->waiting++;
		return;
	}
	free(wait);
	failed(claims, r, err, "no proof could be asked for");
}

static bool is_there(const struct adapter_claims *claims, size_t r)
{
	for (size_t i = 0; i < claims->count; i++)
		if (claims->receipt_of[i] == r && !claims->placed[i])
			return false;
	return claims->receipts[r].has_proof;
}

bool adapter_claims_are_there(const struct adapter_claims *claims)
{
	for (size_t r = 0; r < claims->receipt_count; r++)
		if (!is_there(claims, r))
			return false;
	return true;
}

enum cs_err adapter_claims_failed(const struct adapter_claims *claims, size_t i, const char **why)
{
	const struct adapter_claimed_receipt *receipt = &claims->receipts[claims->receipt_of[i]];
	*why = receipt->why;
	/* A receipt may hold one of its events and not another. */
	return claims->placed[i] && receipt->has_proof ? CS_OK : receipt->err;
}

enum cs_err adapter_claims_ask(struct adapter_claims *claims)
{
	for (size_t r = 0; r < claims->receipt_count; r++)
		if (!is_there(claims, r))
			ask_proof(claims, r);
	return claims->waiting == 0 ? claims->err : CS_OK;
}

/* ---- events ---- */

void adapter_claims_add(struct adapter_claims *claims, const struct cs_hash *id,
			const struct adapter_block_id *block, uint32_t tx_index)
{
	size_t r = 0;
	cs_assert(claims->count < CS_BATCH_MAX);
	while (r < claims->receipt_count &&
	       !(cs_hash_eq(&claims->receipts[r].block.hash, &block->hash) &&
		 claims->receipts[r].tx_index == tx_index))
		r++;
	if (r == claims->receipt_count) {
		claims->receipts[r] =
			(struct adapter_claimed_receipt){.block = *block, .tx_index = tx_index};
		claims->receipt_count++;
	}
	claims->receipt_of[claims->count] = (uint32_t)r;
	claims->ids[claims->count++] = *id;
}

enum cs_err adapter_claims_give(struct adapter_claims *claims, size_t i, struct cs_bytes proof,
				uint32_t log_index)
{
	struct adapter_claimed_receipt *receipt = &claims->receipts[claims->receipt_of[i]];
	struct adapter_proof given;
	if (!receipt->has_proof) {
		CS_TRY(adapter_proof_decode(&given, proof));
		CS_TRY(copy_proof(claims, receipt, &given));
	}
	claims->log_index[i] = log_index;
	claims->placed[i] = true;
	return CS_OK;
}

void adapter_claims_keep(struct adapter_claims *claims, const bool *kept)
{
	bool used[CS_BATCH_MAX] = {false};
	uint32_t moved[CS_BATCH_MAX] = {0};
	size_t receipts = 0;
	size_t count = 0;
	for (size_t i = 0; i < claims->count; i++) {
		if (kept[i])
			used[claims->receipt_of[i]] = true;
	}
	for (size_t r = 0; r < claims->receipt_count; r++) {
		moved[r] = (uint32_t)receipts;
		if (used[r])
			claims->receipts[receipts++] = claims->receipts[r];
	}
	for (size_t i = 0; i < claims->count; i++) {
		if (!kept[i])
			continue;
		claims->ids[count] = claims->ids[i];
		claims->log_index[count] = claims->log_index[i];
		claims->placed[count] = claims->placed[i];
		claims->receipt_of[count++] = moved[claims->receipt_of[i]];
	}
	claims->receipt_count = receipts;
	claims->count = count;
}

/* ---- blocks that left the window of the light client ---- */

static void headers_done(void *context, enum cs_err err, const char *why,
			 const struct adapter_header *headers, size_t count)
{
	struct adapter_claims *claims = context;
	if (err == CS_OK && (count == 0 || headers[count - 1].id.height != claims->walk_top))
		err = CS_ERR_REORGED;
	for (size_t i = 0; i < count && err == CS_OK; i++) {
		claims->headers[i] = cs_arena_copy(claims->arena, headers[i].rlp);
		if (!claims->headers[i].p)
			err = CS_ERR_NO_MEMORY;
	}
	claims->header_count = err == CS_OK ? count : 0;
	claims->done(claims->context, err, why ? why : "");
}

uint64_t adapter_claims_inside(const struct adapter_follow *follow)
{
	uint64_t inside = follow->final_height > ADAPTER_CLAIMS_INSIDE
				  ? follow->final_height - ADAPTER_CLAIMS_INSIDE
				  : 0;
	return inside > follow->anchor_height ? inside : follow->anchor_height;
}

bool adapter_claims_walk(struct adapter_claims *claims, const struct adapter_follow *follow,
			 uint64_t lowest)
{
	if (claims->walk_top == 0) {
		claims->walk_top = adapter_claims_inside(follow);
		claims->walk_mark = cs_arena_mark(claims->arena);
	} else {
		claims->walk_top -= claims->header_count;
	}
	if (claims->walk_top < lowest)
		return false;
	cs_arena_rewind(claims->arena, claims->walk_mark);
	/* The last stretch is a full one: it begins at the lowest. */
	uint64_t count = (claims->walk_top - lowest) % ADAPTER_HEADERS_MAX + 1;
	if (adapter_headers(claims->adapter, claims->walk_top - count + 1, (size_t)count,
			    headers_done, claims) != CS_OK)
		claims->done(claims->context, CS_ERR_UNAVAILABLE, "headers of old blocks");
	return true;
}

/* ---- to be kept ---- */

enum cs_err adapter_proof_encode(struct cs_bytes *bytes, struct cs_arena *arena,
				 const struct adapter_proof *proof)
{
	size_t size = 4 + 4 * proof->count + 4 + proof->leaf.n;
	struct cs_buf buf;
	for (size_t i = 0; i < proof->count; i++)
		size += proof->nodes[i].n;
	CS_TRY(cs_buf_init_arena(&buf, arena, size));
	cs_put_u32(&buf, (uint32_t)proof->count);
	for (size_t i = 0; i < proof->count; i++) {
		cs_put_u32(&buf, (uint32_t)proof->nodes[i].n);
		cs_put(&buf, proof->nodes[i]);
	}
	cs_put_u32(&buf, (uint32_t)proof->leaf.n);
	cs_put(&buf, proof->leaf);
	CS_TRY(cs_buf_end(&buf));
	*bytes = cs_buf_view(&buf);
	return CS_OK;
}

enum cs_err adapter_proof_decode(struct adapter_proof *proof, struct cs_bytes bytes)
{
	struct adapter_proof out = {.count = 0};
	struct cs_reader reader;
	cs_reader_init(&reader, bytes);
	uint32_t count = cs_get_u32(&reader);
	if (count > ADAPTER_PROOF_NODES_MAX)
		return CS_ERR_TOO_LARGE;
	for (; out.count < count; out.count++) {
		uint32_t size = cs_get_u32(&reader);
		if (size > ADAPTER_PROOF_NODE_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
		if (size == 0)
			return CS_ERR_MALFORMED;
		out.nodes[out.count] = cs_get(&reader, size);
	}
	uint32_t leaf = cs_get_u32(&reader);
	out.leaf = cs_get(&reader, leaf);
	CS_TRY(cs_reader_end(&reader));
	*proof = out;
	return CS_OK;
}

/* ---- into a request ---- */

enum cs_err adapter_proof_to_pb(Caisson__Wire__ProofNodes **out, struct cs_arena *arena,
				const struct adapter_proof *proof)
{
	Caisson__Wire__ProofNodes *pb = cs_arena_alloc(arena, sizeof(*pb));
	if (!pb)
		return CS_ERR_NO_MEMORY;
	caisson__wire__proof_nodes__init(pb);
	pb->n_nodes = proof->count;
	pb->nodes = cs_arena_calloc(arena, proof->count, sizeof(*pb->nodes));
	if (!pb->nodes && proof->count > 0)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < proof->count; i++)
		pb->nodes[i] = wire_pb_bytes(arena, proof->nodes[i]);
	if (proof->leaf.n > 0)
		pb->leaf = wire_pb_bytes(arena, proof->leaf);
	if (proof->state.n > 0)
		pb->state = wire_pb_bytes(arena, proof->state);
	*out = pb;
	return CS_OK;
}

enum cs_err adapter_claims_headers(const struct adapter_claims *claims,
				   ProtobufCBinaryData **headers, size_t *count)
{
	ProtobufCBinaryData *all =
		cs_arena_calloc(claims->arena, claims->header_count + 1, sizeof(*all));
	if (!all)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < claims->header_count; i++)
		all[i] = wire_pb_bytes(claims->arena, claims->headers[i]);
	*headers = all;
	*count = claims->header_count;
	return CS_OK;
}
