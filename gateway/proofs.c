/* Proofs that are kept. A message that waits longer than journal.proofs_after_s for its signature (a slow finality, a pause, an
 * enclave that is away) may outlive its receipts at the nodes: what shows it is asked for while they have it, and kept
 * in the journal until it is signed. Most messages are signed before, and cost nothing. */
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>

#define LOOK_MS 1000u
/* Between two batches: what is live, and a backlog that is being signed, ask the same nodes. */
#define PAUSE_MS 250u
/* After a node did not give one. */
#define FAILED_MS 5000u

struct keeping {
	struct gateway_chain *chain;
	struct cs_arena *arena;
	struct adapter_claims claims;
	struct gateway_message messages[CS_BATCH_MAX];
	struct cs_bytes proofs[CS_BATCH_MAX]; /* by receipt */
	/* where the next look begins */
	uint64_t height;
	uint64_t n;
};

static void keeping_free(struct keeping *keeping)
{
	keeping->chain->keeper.busy = false;
	gateway_arena_free(keeping->arena);
	free(keeping);
}

static void advance(struct keeping *keeping)
{
	struct gateway_keeper *keeper = &keeping->chain->keeper;
	keeper->height = keeping->height;
	keeper->n = keeping->n;
}

static enum cs_err write_proofs(void *context)
{
	struct keeping *keeping = context;
	struct gateway_journal *journal = keeping->chain->gateway->journal;
	for (size_t i = 0; i < keeping->claims.count; i++) {
		struct gateway_message now;
		CS_TRY(gateway_journal_find(journal, &keeping->messages[i].id, RELAY_SOURCE, &now));
		bool waits = now.state == RELAY_OBSERVED || now.state == RELAY_FINAL;
		if (waits && cs_hash_eq(&now.block, &keeping->messages[i].block))
			CS_TRY(gateway_journal_keep_proof(
				journal, &now, keeping->proofs[keeping->claims.receipt_of[i]],
				keeping->claims.log_index[i]));
	}
	return CS_OK;
}

/* One alone that cannot be had is passed over: it waits for a node that has it, as it would without us. */
static void not_had(struct keeping *keeping, enum cs_err err, const char *why)
{
	struct gateway_keeper *keeper = &keeping->chain->keeper;
	keeper->after_ms = host_now_ms() + FAILED_MS;
	keeper->single = true;
	if (keeping->claims.count > 1 || err == CS_ERR_CLOSED)
		return;
	log_info("proof.not_kept", LOG_TEXT("chain", keeping->chain->config->id),
		 LOG_HASH("id", &keeping->messages[0].id), LOG_ERR(err),
		 LOG_TEXT("why", why ? why : ""));
	advance(keeping);
}

static void claims_done(void *context, enum cs_err err, const char *why)
{
	struct keeping *keeping = context;
	struct gateway *gateway = keeping->chain->gateway;
	if (err == CS_OK && gateway->stopping)
		err = CS_ERR_CLOSED;
	for (size_t r = 0; r < keeping->claims.receipt_count && err == CS_OK; r++)
		err = adapter_proof_encode(&keeping->proofs[r], keeping->arena,
					   &keeping->claims.receipts[r].proof);
	if (err == CS_OK)
		err = gateway_write(gateway, write_proofs, keeping);
	if (err == CS_OK) {
		advance(keeping);
		keeping->chain->keeper.single = false;
		keeping->chain->keeper.after_ms = host_now_ms() + PAUSE_MS;
	} else {
		not_had(keeping, err, why);
	}
	keeping_free(keeping);
}

/* The rest of the rows comes with the next look. */
static void choose(struct keeping *keeping, const struct gateway_message *rows, size_t count)
{
	struct gateway_chain *chain = keeping->chain;
	struct gateway *gateway = chain->gateway;
	uint64_t before_ms = host_wall_ms() - 1000u * (uint64_t)gateway->config.proofs_after_s;
	size_t max = chain->keeper.single ? 1 : CS_BATCH_MAX;
	for (size_t i = 0; i < count && keeping->claims.count < max; i++) {
		const struct gateway_message *row = &rows[i];
		const struct adapter_block_id block = {row->height, row->block};
		size_t mark = cs_arena_mark(&gateway->scratch);
		struct cs_bytes proof;
		uint32_t log_index;
		if (row->created_ms > before_ms)
			break;
		bool waits = (row->state == RELAY_OBSERVED || row->state == RELAY_FINAL) &&
			     gateway_journal_proof(gateway->journal, row, &gateway->scratch, &proof,
						   &log_index) == CS_ERR_NOT_FOUND;
		cs_arena_rewind(&gateway->scratch, mark);
		keeping->height = row->height;
		keeping->n = row->n;
		if (!waits)
			continue;
		keeping->messages[keeping->claims.count] = *row;
		adapter_claims_add(&keeping->claims, &row->id, &block, row->tx_index);
	}
}

/* True: there may be more to look at. */
static bool look(struct gateway_chain *chain)
{
	static struct gateway_message rows[CS_BATCH_MAX];
	struct gateway_keeper *keeper = &chain->keeper;
	size_t count = 0;
	if (gateway_journal_from_height(chain->gateway->journal, &chain->identity, keeper->height,
					keeper->n, rows, CS_LEN(rows), &count) != CS_OK ||
	    count == 0)
		return false;
	struct keeping *keeping = host_alloc(sizeof(*keeping));
	keeping->chain = chain;
	keeping->arena = gateway_arena_new();
	keeping->claims = (struct adapter_claims){.adapter = chain->adapter,
						  .arena = keeping->arena,
						  .context = keeping,
						  .done = claims_done};
	keeping->height = keeper->height;
	keeping->n = keeper->n;
	choose(keeping, rows, count);
	keeper->busy = true;
	bool asks = keeping->claims.count > 0;
	if (asks && adapter_claims_ask(&keeping->claims) == CS_OK)
		return true;
	bool moved = keeping->height != keeper->height || keeping->n != keeper->n;
	if (!asks)
		advance(keeping);
	keeping_free(keeping);
	return !asks && moved;
}

/* Told when it begins, and when there is room again. */
static bool is_full(struct gateway_chain *chain)
{
	struct gateway *gateway = chain->gateway;
	struct gateway_keeper *keeper = &chain->keeper;
	struct gateway_proofs_kept kept;
	if (gateway_journal_proofs_kept(gateway->journal, &kept) != CS_OK)
		return true;
	bool full = kept.bytes >= (uint64_t)gateway->config.proofs_mb << 20;
	if (full && !keeper->full && gateway->config.proofs_mb > 0)
		log_warn("proofs.full", LOG_TEXT("chain", chain->config->id),
			 LOG_U64("receipts", kept.count), LOG_U64("bytes", kept.bytes));
	keeper->full = full;
	return full;
}

void gateway_proofs_keep(struct gateway_chain *chain)
{
	struct gateway_keeper *keeper = &chain->keeper;
	if (keeper->busy || host_now_ms() < keeper->after_ms || !chain->adapter ||
	    !adapter_proves_events(chain->adapter))
		return;
	keeper->after_ms = host_now_ms() + LOOK_MS;
	if (is_full(chain))
		return;
	if (!keeper->begun) {
		uint64_t lowest = 0;
		if (gateway_journal_lowest_unsigned(chain->gateway->journal, &chain->identity,
						    &lowest) != CS_OK)
			return;
		keeper->height = lowest > 0 ? lowest - 1 : chain->follow.cursor_height;
		keeper->n = INT64_MAX;
		keeper->begun = true;
	}
	if (look(chain))
		keeper->after_ms = 0;
}

void gateway_proofs_look_from(struct gateway_chain *chain, uint64_t height)
{
	struct gateway_keeper *keeper = &chain->keeper;
	if (keeper->begun && height > 0 && height <= keeper->height) {
		keeper->height = height - 1;
		keeper->n = INT64_MAX;
	}
}

bool gateway_proofs_take(struct gateway_chain *chain, struct adapter_claims *claims,
			 const struct gateway_message *messages)
{
	struct gateway_journal *journal = chain->gateway->journal;
	struct gateway_proofs_kept kept;
	bool any = false;
	if (gateway_journal_proofs_kept(journal, &kept) != CS_OK || kept.count == 0)
		return false;
	for (size_t i = 0; i < claims->count; i++) {
		size_t mark = cs_arena_mark(&chain->gateway->scratch);
		struct cs_bytes proof;
		uint32_t log_index;
		if (gateway_journal_proof(journal, &messages[i], &chain->gateway->scratch, &proof,
					  &log_index) == CS_OK &&
		    adapter_claims_give(claims, i, proof, log_index) == CS_OK)
			any = true;
		cs_arena_rewind(&chain->gateway->scratch, mark);
	}
	return any;
}
