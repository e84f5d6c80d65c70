/* What a transaction for one message would do, asked of the chain before it is paid for: what failed
 * once, and what only succeeds if somebody has changed something. */
#include "adapters/evm/contract_error.h"
#include "gateway/gateway.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* A call that will never succeed is asked about again after this, which costs no gas: it is a node's
 * word, and another one may know better. */
#define LOOK_AGAIN_MS 600000u
static const char for_good[] = "reverted for good: ";

bool gateway_is_stopped(const struct gateway_message *message)
{
	return !relay_ends(message->state) &&
	       strncmp(message->why, for_good, sizeof(for_good) - 1) == 0;
}

bool gateway_is_late(const struct gateway_message *message)
{
	return message->deadline <= host_wall_ms() / 1000;
}

bool gateway_may_retry(const struct gateway_message *message)
{
	return message->state == RELAY_FAILED ||
	       (message->state == RELAY_SIGNED &&
		(gateway_is_late(message) || gateway_is_stopped(message)));
}

/* ---- calldata ---- */

static enum cs_err finalize_data(struct gateway *gateway, const struct gateway_message *row,
				 struct cs_buf *data)
{
	struct gateway_statement statement;
	struct wire_signed part;
	CS_TRY(gateway_journal_statement(gateway->journal, row->outcome_statement, &statement));
	if (row->outcome_leaf >= statement.count)
		return CS_ERR_INVALID;
	gateway_part_signed(&part, &statement, row->outcome_leaf, 1);
	const struct wire_outcome outcome = {
		row->id, (enum wire_status)statement.statuses[row->outcome_leaf]};
	CS_TRY(cs_buf_init_arena(data, &gateway->scratch, WIRE_EVM_CALL_FINALIZE_SIZE_MAX));
	return wire_evm_call_finalize(data, &part, &outcome, 1);
}

enum cs_err gateway_message_call(struct gateway *gateway, const struct gateway_message *row,
				 enum wire_call call, struct cs_buf *data)
{
	struct gateway_statement statement;
	struct wire_message content;
	struct wire_signed part;
	if (call == WIRE_CALL_FINALIZE)
		return finalize_data(gateway, row, data);
	CS_TRY(gateway_journal_statement(gateway->journal, row->statement, &statement));
	CS_TRY(gateway_journal_content(gateway->journal, row, &gateway->scratch, &content));
	if (row->leaf >= statement.count)
		return CS_ERR_INVALID;
	gateway_part_signed(&part, &statement, row->leaf, 1);
	CS_TRY(cs_buf_init_arena(data, &gateway->scratch,
				 wire_evm_call_messages_size(&part, &content, 1)));
	CS_TRY(wire_evm_call_messages(data, call, &part, &content, 1));
	return cs_buf_end(data);
}

/* ---- the rehearsal ---- */

struct rehearsal {
	struct gateway_chain *chain;
	enum wire_call call;
	struct gateway_message row;
	gateway_rehearsed *done;
	void *ctx;
	char why[ADAPTER_CONTRACT_ERROR_MAX];
	enum adapter_lasts lasts;
};

static uint64_t next_of(const struct rehearsal *rehearsal, const struct gateway_message *row)
{
	uint64_t next = gateway_backoff(rehearsal->chain->gateway, row->tries);
	if (rehearsal->lasts == ADAPTER_LASTS_PASSING)
		return next;
	uint64_t later = host_wall_ms() + LOOK_AGAIN_MS;
	/* The deadline does for it what no delivery can. */
	if (rehearsal->call == WIRE_CALL_DELIVER && row->deadline < later / 1000)
		later = row->deadline * 1000;
	return later > next ? later : next;
}

enum cs_err gateway_tell_refused(struct gateway_chain *chain, struct gateway_message *row)
{
	struct gateway *gateway = chain->gateway;
	struct gateway_route *route = gateway_route_of(chain, &row->remote);
	CS_TRY(gateway_journal_event(gateway->journal, "message.refused", row, row->why));
	return route ? gateway_post_item(route, GATEWAY_ITEM_NOTE, row->n) : CS_OK;
}

static enum cs_err write_refused(void *context)
{
	struct rehearsal *rehearsal = context;
	struct gateway_journal *journal = rehearsal->chain->gateway->journal;
	struct gateway_message row;
	char why[GATEWAY_WHY_MAX + 1];
	CS_TRY(gateway_journal_row(journal, rehearsal->row.n, &row));
	/* Its event was faster. */
	if (row.state != rehearsal->row.state || row.submission != 0)
		return CS_OK;
	snprintf(why, sizeof(why), "%s%s",
		 rehearsal->lasts == ADAPTER_LASTS_PERMANENT ? for_good : "reverted: ",
		 rehearsal->why);
	bool news = strcmp(why, row.why) != 0 || row.wish_retry;
	memcpy(row.why, why, sizeof(why));
	row.wish_retry = false;
	if (rehearsal->call != WIRE_CALL_RETRY && rehearsal->call != WIRE_CALL_CLOSE) {
		row.tries += row.tries < UINT32_MAX;
		row.next_ms = next_of(rehearsal, &row);
	}
	CS_TRY(gateway_journal_save(journal, &row));
	return news ? gateway_tell_refused(rehearsal->chain, &row) : CS_OK;
}

static void rehearsed(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct rehearsal *rehearsal = ctx;
	struct gateway_chain *chain = rehearsal->chain;
	struct gateway *gateway = chain->gateway;
	if (err == CS_ERR_REVERTED && !gateway->stopping) {
		rehearsal->lasts = adapter_contract_refusal(rehearsal->why, data);
		why = rehearsal->why;
		log_warn("message.refused", LOG_TEXT("chain", chain->config->id),
			 LOG_HASH("id", &rehearsal->row.id), LOG_TEXT("why", why),
			 LOG_BOOL("permanent", rehearsal->lasts == ADAPTER_LASTS_PERMANENT));
		if (gateway_write(gateway, write_refused, rehearsal) != CS_OK)
			log_error("message.refusal_not_written");
	}
	rehearsal->done(rehearsal->ctx, err, why ? why : "");
	free(rehearsal);
}

enum cs_err gateway_rehearse(struct gateway_chain *chain, enum wire_call call,
			     const struct cs_address *from, const struct gateway_message *row,
			     gateway_rehearsed *done, void *ctx)
{
	struct cs_arena *arena = &chain->gateway->scratch;
	struct cs_buf data;
	struct rehearsal *rehearsal = host_alloc(sizeof(*rehearsal));
	*rehearsal = (struct rehearsal){
		.chain = chain, .call = call, .row = *row, .done = done, .ctx = ctx};
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = gateway_message_call(chain->gateway, row, call, &data);
	if (err == CS_OK)
		err = adapter_call(chain->adapter, from, &chain->manifest->gateway,
				   cs_buf_view(&data), rehearsed, rehearsal);
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		free(rehearsal);
	return err;
}
