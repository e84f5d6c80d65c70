#include "gateway/gateway.h"

#include <string.h>

size_t gateway_batch_keep(const struct gateway_message *rows, size_t count)
{
	if (count == 0 || rows[0].tries > 0)
		return count > 0 ? 1 : 0;
	size_t n = 1;
	while (n < count && rows[n].tries == 0)
		n++;
	return n;
}

struct plan {
	struct gateway_statement statement;
	bool wanted[CS_BATCH_MAX];
	bool alone[CS_BATCH_MAX];
	uint64_t cost[CS_BATCH_MAX];
	uint64_t gas[CS_BATCH_MAX];
	struct gateway_message *row_of[CS_BATCH_MAX];
	struct adapter_part parts[CS_BATCH_MAX];
};

/* Nodes take no transaction above 128 KiB (geth: txMaxSize); the signed statement, its path and the
 * fields of the transaction take less than what is left out here. */
#define CALL_SIZE_MAX (126u * 1024)
/* A message in calldata without its payload (heads, offsets, sender, recipient, padding), and an
 * outcome. */
#define MESSAGE_CALL_SIZE 1024u
#define OUTCOME_CALL_SIZE 64u

static uint64_t gas_max(const struct gateway_chain *chain)
{
	uint64_t max = gateway_gas_max(chain);
	return max > GATEWAY_GAS_BASE ? max : GATEWAY_GAS_BASE;
}

/* One measure for two bounds: what a message takes of the larger share, of the gas or of the bytes. */
static enum cs_err row_cost(struct gateway_chain *chain, enum gateway_kind kind,
			    const struct gateway_message *row, uint64_t *cost, uint64_t *gas_limit)
{
	struct cs_arena *arena = &chain->gateway->scratch;
	struct wire_message content = {0};
	if (kind != GATEWAY_FINALIZE) {
		size_t mark = cs_arena_mark(arena);
		enum cs_err err =
			gateway_journal_content(chain->gateway->journal, row, arena, &content);
		cs_arena_rewind(arena, mark);
		CS_TRY(err);
	}
	uint64_t gas = gateway_gas(kind, row->min_gas_limit, content.payload.n);
	uint64_t size = kind == GATEWAY_FINALIZE ? OUTCOME_CALL_SIZE
						 : MESSAGE_CALL_SIZE + content.payload.n;
	uint64_t share = size * ((gas_max(chain) - GATEWAY_GAS_BASE) / CALL_SIZE_MAX + 1);
	*cost = gas > share ? gas : share;
	*gas_limit = gas;
	return CS_OK;
}

/* The state before the effect: submitted from here on, whatever happens to the transaction. */
static enum cs_err take_row(struct gateway_chain *chain, enum gateway_kind kind,
			    struct gateway_message *row, uint64_t submission)
{
	struct gateway_journal *journal = chain->gateway->journal;
	row->submission = submission;
	if (kind != GATEWAY_FINALIZE)
		return gateway_journal_move(journal, row, RELAY_ON_SUBMIT);
	if (row->outcome == WIRE_STATUS_DEAD && row->state == RELAY_OUTCOME_VERIFIED)
		return gateway_journal_move(journal, row, RELAY_ON_BEGIN_REFUND);
	return gateway_journal_save(journal, row);
}

/* A retry reverts when the call fails again: it is estimated before it is paid for, from the
 * calldata that the enclave will build too; unless an operator said how much gas it shall have. */
static enum cs_err add_retry(struct gateway_chain *chain, const struct plan *plan,
			     const struct adapter_part *part, struct gateway_submission *submission)
{
	struct cs_arena *arena = &chain->gateway->scratch;
	size_t mark = cs_arena_mark(arena);
	struct wire_message content;
	struct wire_signed statement;
	struct cs_buf data;
	uint64_t wish = plan->row_of[part->first]->wish_retry;
	submission->gas_limit = wish > 1 ? wish : 0;
	gateway_part_signed(&statement, &plan->statement, part->first, part->count);
	enum cs_err err = gateway_journal_content(chain->gateway->journal,
						  plan->row_of[part->first], arena, &content);
	if (err == CS_OK)
		err = cs_buf_init_arena(&data, arena,
					wire_evm_call_messages_size(&statement, &content, 1));
	if (err == CS_OK)
		err = wire_evm_call_messages(&data, WIRE_CALL_RETRY, &statement, &content, 1);
	if (err == CS_OK)
		err = gateway_journal_add_submission(chain->gateway->journal, submission,
						     cs_buf_view(&data));
	cs_arena_rewind(arena, mark);
	return err;
}

static enum cs_err write_part(struct gateway_chain *chain, enum gateway_kind kind,
			      struct plan *plan, const struct adapter_part *part)
{
	struct gateway_submission submission = {.chain = chain->identity,
						.kind = kind,
						.account = *gateway_pool_take(chain),
						.statement = plan->statement.n,
						.first = part->first,
						.count = part->count,
						.to = chain->manifest->gateway,
						.gas_limit = GATEWAY_GAS_BASE};
	for (uint32_t i = part->first; i < part->first + part->count; i++)
		submission.gas_limit += plan->gas[i];
	if (kind == GATEWAY_RETRY)
		CS_TRY(add_retry(chain, plan, part, &submission));
	else
		CS_TRY(gateway_journal_add_submission(chain->gateway->journal, &submission,
						      CS_BYTES_NONE));
	for (uint32_t i = part->first; i < part->first + part->count; i++) {
		CS_TRY(take_row(chain, kind, plan->row_of[i], submission.n));
		plan->row_of[i] = NULL;
	}
	log_info("submission.made", LOG_TEXT("chain", chain->config->id),
		 LOG_U64("submission", submission.n), LOG_U64("kind", kind),
		 LOG_U64("count", part->count), LOG_U64("gas_limit", submission.gas_limit));
	return CS_OK;
}

enum cs_err gateway_batch_write(struct gateway_chain *chain, enum gateway_kind kind,
				uint64_t statement, struct gateway_message *rows, size_t count)
{
	static struct plan plan; /* one writer at a time; too large for the stack of a callback */
	memset(&plan, 0, sizeof(plan));
	CS_TRY(gateway_journal_statement(chain->gateway->journal, statement, &plan.statement));
	for (size_t i = 0; i < count; i++) {
		uint32_t leaf = kind == GATEWAY_FINALIZE ? rows[i].outcome_leaf : rows[i].leaf;
		if (leaf >= plan.statement.count)
			return CS_ERR_INVALID;
		plan.wanted[leaf] = true;
		plan.alone[leaf] = rows[i].tries > 0;
		plan.row_of[leaf] = &rows[i];
		CS_TRY(row_cost(chain, kind, &rows[i], &plan.cost[leaf], &plan.gas[leaf]));
	}
	size_t parts = adapter_parts(plan.parts, plan.statement.count, plan.wanted, plan.alone,
				     plan.cost, GATEWAY_GAS_BASE, gas_max(chain));
	for (size_t i = 0; i < parts; i++)
		CS_TRY(write_part(chain, kind, &plan, &plan.parts[i]));
	for (uint32_t i = 0; i < plan.statement.count; i++) {
		if (plan.row_of[i])
			CS_TRY(gateway_postpone(chain->gateway, plan.row_of[i]->n,
						plan.row_of[i]->state, CS_ERR_POLICY_FEE,
						"it needs more gas than one transaction may have"));
	}
	return CS_OK;
}
