/* Signed answers on their way to their contract: what the contract knows of each is asked before
 * anything is paid for, then the answers of one statement go in as few calls as gas allows. */
#include "adapters/evm/contract_error.h"
#include "adapters/parts.h"
#include "host/alloc.h"
#include "oracle/calls.h"
#include "oracle/chain_requests.h"
#include "oracle/worth.h"

#include <stdlib.h>
#include <string.h>

#define GAS_BASE ORACLE_WORTH_CALL_GAS
/* One call; an answer whose callback alone wants more goes alone. */
#define GAS_MAX 8000000u
/* Nodes take no transaction above 128 KiB (geth: txMaxSize). */
#define CALL_SIZE_MAX (126u * 1024)
#define ANSWER_CALL_SIZE ORACLE_WORTH_ANSWER_SIZE
/* How often it is looked whether gas became cheap enough for a fee. */
#define PRICE_PAUSE_MS 15000u

struct oracle_check {
	struct oracle_contract *contract;
	struct oracle_request requests[ORACLE_BATCH_MAX];
	size_t count;
	enum oracle_contract_state states[ORACLE_BATCH_MAX];
	unsigned waiting;
	uint64_t price_wei; /* of gas in the next block; 0: not asked for */
	enum cs_err err;
	char why[ORACLE_WHY_MAX + 1];
	struct oracle_check *next;
};

struct wait {
	struct oracle_check *check;
	size_t at;
};

static struct oracle *oracle_of(const struct oracle_check *check)
{
	return check->contract->chain->oracle;
}

static void check_end(struct oracle_check *check)
{
	struct oracle_listening *listening = check->contract->chain->listening;
	struct oracle_check **at = &listening->checks;
	while (*at != check)
		at = &(*at)->next;
	*at = check->next;
	for (size_t i = 0; i < check->count; i++)
		oracle_end_under_way(&listening->brought, check->requests[i].n);
	oracle_wake(oracle_of(check));
	free(check);
}

const struct oracle_check *oracle_check_next(const struct oracle_check *check)
{
	return check->next;
}

void oracle_checks_free(struct oracle_listening *listening)
{
	while (listening->checks) {
		struct oracle_check *check = listening->checks;
		listening->checks = check->next;
		free(check);
	}
}

/* ---- the plan of a statement's calls ---- */

struct plan {
	struct oracle_contract *contract;
	struct oracle_statement statement;
	bool wanted[CS_BATCH_MAX];
	bool alone[CS_BATCH_MAX];
	uint64_t cost[CS_BATCH_MAX];
	uint64_t gas[CS_BATCH_MAX];
	struct oracle_request *row_of[CS_BATCH_MAX];
	struct oracle_fulfil_item items[CS_BATCH_MAX];
	struct adapter_part parts[CS_BATCH_MAX];
	size_t part_count;
};

static uint64_t gas_of(const struct oracle_request *request, size_t value_size)
{
	return oracle_worth_gas(request->head.callback_gas, value_size,
				wire_oracle_code_is_refunded(request->code));
}

/* The answer as the journal holds it. Views into the arena. */
static enum cs_err read_item(struct oracle *oracle, const struct oracle_request *request,
			     struct oracle_fulfil_item *item)
{
	ProtobufCMessage *message = NULL;
	struct cs_why why;
	struct cs_bytes bytes;
	CS_TRY(oracle_journal_result(oracle->journal, request, &oracle->scratch, &bytes));
	CS_TRY(wire_decode(&message, &caisson__wire__oracle_result__descriptor, bytes,
			   &oracle->scratch, &why));
	const Caisson__Wire__OracleResult *result = (const Caisson__Wire__OracleResult *)message;
	*item = (struct oracle_fulfil_item){.head = &request->head,
					    .code = (uint8_t)result->code,
					    .observed_at = result->observed_at,
					    .evidence_hash = wire_pb_hash(result->evidence_hash),
					    .value = wire_pb_view(result->value)};
	return CS_OK;
}

/* Of the requests, all of one statement, those that are wanted. */
static enum cs_err make_plan(struct plan *plan, struct oracle_contract *contract,
			     struct oracle_request *requests, const bool *wanted, size_t count)
{
	struct oracle *oracle = contract->chain->oracle;
	memset(plan, 0, sizeof(*plan));
	plan->contract = contract;
	CS_TRY(oracle_journal_statement(oracle->journal, requests[0].statement, &plan->statement));
	for (size_t i = 0; i < count; i++) {
		uint32_t leaf = requests[i].leaf;
		if (leaf >= plan->statement.count)
			return CS_ERR_INVALID;
		if (!wanted[i])
			continue;
		CS_TRY(read_item(oracle, &requests[i], &plan->items[leaf]));
		plan->wanted[leaf] = true;
		plan->alone[leaf] = requests[i].tries > 0;
		plan->row_of[leaf] = &requests[i];
		plan->gas[leaf] = gas_of(&requests[i], plan->items[leaf].value.n);
		/* One measure for two bounds: the larger share of the gas or of the bytes. */
		uint64_t size = ANSWER_CALL_SIZE + (plan->items[leaf].value.n + 31) / 32 * 32;
		uint64_t share = size * ((GAS_MAX - GAS_BASE) / CALL_SIZE_MAX + 1);
		uint64_t cost = plan->gas[leaf] > share ? plan->gas[leaf] : share;
		/* What is too large for two is not too large for one. */
		plan->alone[leaf] = plan->alone[leaf] || cost > GAS_MAX - GAS_BASE;
		plan->cost[leaf] = plan->alone[leaf] ? 0 : cost;
	}
	plan->part_count = adapter_parts(plan->parts, plan->statement.count, plan->wanted,
					 plan->alone, plan->cost, GAS_BASE, GAS_MAX);
	return CS_OK;
}

static enum cs_err part_data(const struct plan *plan, const struct adapter_part *part,
			     struct cs_arena *arena, struct cs_bytes *data)
{
	struct wire_signed st = plan->statement.st;
	struct cs_buf buf;
	st.path_count =
		adapter_part_path(st.path, plan->statement.leaves, plan->statement.count, part);
	const struct oracle_fulfil_item *items = &plan->items[part->first];
	CS_TRY(cs_buf_init_arena(&buf, arena, oracle_call_fulfil_size(&st, items, part->count)));
	CS_TRY(oracle_call_fulfil(&buf, &st, items, part->count));
	*data = cs_buf_view(&buf);
	return CS_OK;
}

/* ---- the call ---- */

/* The state before the effect: submitted from here on, whatever happens to the transaction. */
static enum cs_err write_part(struct plan *plan, const struct adapter_part *part)
{
	struct oracle *oracle = plan->contract->chain->oracle;
	struct oracle_call_wish wish = {.contract = plan->contract,
					.call = ORACLE_CALL_FULFIL,
					.statement = plan->statement.n,
					.gas_limit = GAS_BASE};
	uint64_t submission = 0;
	CS_TRY(part_data(plan, part, &oracle->scratch, &wish.data));
	for (uint32_t i = part->first; i < part->first + part->count; i++)
		wish.gas_limit += plan->gas[i];
	CS_TRY(oracle_submit(oracle, &wish, &submission));
	for (uint32_t i = part->first; i < part->first + part->count; i++) {
		plan->row_of[i]->submission = submission;
		CS_TRY(oracle_journal_move(oracle->journal, plan->row_of[i], ORACLE_SUBMITTED));
	}
	log_info("submission.made", LOG_TEXT("chain", plan->contract->chain->config->id),
		 LOG_U64("submission", submission), LOG_U64("answers", part->count),
		 LOG_U64("gas_limit", wish.gas_limit));
	return CS_OK;
}

/* Too old by the time of the next block. */
static bool is_stale(const struct oracle_chain *chain, const struct oracle_request *request)
{
	return oracle_next_block_s(chain) > request->observed_at + request->head.max_age;
}

/* No block can take it any more: its deadline comes first. */
static bool is_too_late(const struct oracle_chain *chain, const struct oracle_request *request)
{
	return oracle_next_block_s(chain) >= request->head.deadline;
}

/* What is asked again has an answer of its own time. */
static enum cs_err ask_again(struct oracle *oracle, struct oracle_request *request)
{
	request->next_ms = host_wall_ms();
	snprintf(request->why, sizeof(request->why), "its answer became too old");
	return oracle_journal_move(oracle->journal, request, ORACLE_OPEN);
}

struct bring_write {
	struct oracle_check *check;
	struct plan *plan;
};

/* Not looked at before until_ms, or its deadline where that is earlier. */
static enum cs_err leave(struct oracle *oracle, struct oracle_request *request, uint64_t until_ms,
			 const char *why)
{
	uint64_t deadline_ms = request->head.deadline * 1000;
	request->next_ms = until_ms < deadline_ms ? until_ms : deadline_ms;
	snprintf(request->why, sizeof(request->why), "%s", why);
	log_info("request.left", LOG_HASH("id", &request->id), LOG_U64("code", request->code),
		 LOG_TEXT("why", why));
	return oracle_journal_save(oracle->journal, request);
}

/* By itself: what it shares a call with may be gone before. */
static enum cs_err is_paid(const struct oracle_check *check, const struct oracle_request *request,
			   bool *paid)
{
	unsigned percent = check->contract->chain->own->fee_min_percent;
	struct oracle_fulfil_item item;
	*paid = true;
	if (percent == 0)
		return CS_OK;
	CS_TRY(read_item(oracle_of(check), request, &item));
	*paid = oracle_worth_paid(&request->head.fee, GAS_BASE + gas_of(request, item.value.n),
				  check->price_wei, percent);
	return CS_OK;
}

/* True: it is brought now. What is not is postponed, left, or asked for again. */
static enum cs_err judge(struct oracle_check *check, size_t i, bool *brought)
{
	struct oracle *oracle = oracle_of(check);
	struct oracle_chain *chain = check->contract->chain;
	struct oracle_request *request = &check->requests[i];
	bool unpaid = wire_oracle_code_is_refunded(request->code);
	const char *why = NULL;
	bool paid = true;
	*brought = false;
	if (check->states[i] != ORACLE_AT_CONTRACT_OPEN)
		return oracle_request_postpone(oracle, request->n, ORACLE_ANSWERED, false,
					       CS_ERR_CONFLICT,
					       check->states[i] == ORACLE_AT_CONTRACT_UNKNOWN
						       ? "the contract does not know the request"
						       : "the contract has ended the request");
	if (is_too_late(chain, request))
		return oracle_request_postpone(oracle, request->n, ORACLE_ANSWERED, false,
					       CS_ERR_EXPIRED,
					       "no block comes before its deadline");
	if (!unpaid)
		CS_TRY(is_paid(check, request, &paid));
	if (!paid)
		return leave(oracle, request, host_wall_ms() + PRICE_PAUSE_MS,
			     "its fee does not pay for the gas of bringing it now");
	if (is_stale(chain, request))
		return ask_again(oracle, request);
	if (unpaid)
		CS_TRY(oracle_unpaid_take(chain, request, request->head.callback_gas,
					  gas_of(request, 0), &why));
	if (why)
		return leave(oracle, request, UINT64_MAX, why);
	*brought = true;
	return CS_OK;
}

/* The rows as they are now: meanwhile a block may have told more. */
static enum cs_err write_calls(void *context)
{
	struct bring_write *write = context;
	struct oracle_check *check = write->check;
	struct oracle *oracle = oracle_of(check);
	bool wanted[ORACLE_BATCH_MAX] = {false};
	size_t count = 0;
	for (size_t i = 0; i < check->count; i++) {
		struct oracle_request *request = &check->requests[i];
		CS_TRY(oracle_journal_row(oracle->journal, request->n, request));
		if (request->state != ORACLE_ANSWERED)
			continue;
		CS_TRY(judge(check, i, &wanted[i]));
		count += wanted[i];
	}
	if (count == 0)
		return CS_OK;
	CS_TRY(make_plan(write->plan, check->contract, check->requests, wanted, check->count));
	for (size_t i = 0; i < write->plan->part_count; i++)
		CS_TRY(write_part(write->plan, &write->plan->parts[i]));
	return CS_OK;
}

static enum cs_err write_refused(void *context)
{
	const struct oracle_check *check = context;
	for (size_t i = 0; i < check->count; i++)
		CS_TRY(oracle_request_postpone(oracle_of(check), check->requests[i].n,
					       ORACLE_ANSWERED, true, check->err, check->why));
	return CS_OK;
}

static void check_fail(struct oracle_check *check)
{
	if (!oracle_of(check)->stopping) {
		log_warn("request.not_submitted",
			 LOG_TEXT("chain", check->contract->chain->config->id),
			 LOG_U64("count", check->count), LOG_HASH("id", &check->requests[0].id),
			 LOG_ERR(check->err), LOG_TEXT("why", check->why));
		if (oracle_write(oracle_of(check), write_refused, check) != CS_OK)
			log_error("request.not_postponed");
	}
	check_end(check);
}

static void bring(struct oracle_check *check)
{
	static struct plan plan; /* one at a time; too large for the stack of a callback */
	struct oracle *oracle = oracle_of(check);
	size_t mark = cs_arena_mark(&oracle->scratch);
	struct bring_write write = {check, &plan};
	enum cs_err err = oracle_write(oracle, write_calls, &write);
	cs_arena_rewind(&oracle->scratch, mark);
	if (err != CS_OK) {
		check->err = err;
		oracle_why(check->why, err, "the call could not be written");
		check_fail(check);
		return;
	}
	check_end(check);
}

/* ---- looking before paying ---- */

static void rehearse_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct oracle_check *check = ctx;
	if (oracle_of(check)->stopping) {
		check_end(check);
		return;
	}
	if (err == CS_OK) {
		bring(check);
		return;
	}
	check->err = err;
	if (err == CS_ERR_REVERTED) {
		char text[ADAPTER_CONTRACT_ERROR_MAX];
		(void)adapter_contract_refusal(text, data);
		snprintf(check->why, sizeof(check->why), "%s", text);
	} else {
		snprintf(check->why, sizeof(check->why), "%s", why);
	}
	check_fail(check);
}

/* The first part stands for all: what a contract refuses after it refused one is mostly the same (a
 * key that is not active). */
static enum cs_err rehearse(struct oracle_check *check)
{
	static struct plan plan;
	struct oracle_chain *chain = check->contract->chain;
	struct oracle *oracle = chain->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	bool wanted[ORACLE_BATCH_MAX] = {false};
	struct cs_bytes data;
	for (size_t i = 0; i < check->count; i++)
		wanted[i] = check->states[i] == ORACLE_AT_CONTRACT_OPEN &&
			    !is_too_late(chain, &check->requests[i]) &&
			    !is_stale(chain, &check->requests[i]);
	enum cs_err err = make_plan(&plan, check->contract, check->requests, wanted, check->count);
	if (err == CS_OK && plan.part_count == 0)
		err = CS_ERR_NOT_FOUND;
	if (err == CS_OK)
		err = part_data(&plan, &plan.parts[0], &oracle->scratch, &data);
	if (err == CS_OK)
		err = adapter_call(chain->adapter, &chain->operator, & check->contract->address,
				   data, rehearse_done, check);
	cs_arena_rewind(&oracle->scratch, mark);
	return err;
}

static void bring_or_rehearse(struct oracle_check *check)
{
	if (!*oracle_careful(check->contract)) {
		bring(check);
		return;
	}
	enum cs_err err = rehearse(check);
	if (err == CS_ERR_NOT_FOUND) {
		bring(check); /* nothing of it is to be paid for */
	} else if (err != CS_OK) {
		check->err = err;
		check_fail(check);
	}
}

static void fees_done(void *ctx, enum cs_err err, const char *why, const struct adapter_fees *fees)
{
	struct oracle_check *check = ctx;
	if (err == CS_OK && !oracle_of(check)->stopping) {
		check->price_wei = fees->legacy ? fees->max_fee_wei
						: fees->base_fee_wei + fees->max_priority_fee_wei;
		bring_or_rehearse(check);
		return;
	}
	check->err = err;
	snprintf(check->why, sizeof(check->why), "the price of gas: %s", why ? why : "");
	check_fail(check);
}

static void states_complete(struct oracle_check *check)
{
	const struct oracle_chain *chain = check->contract->chain;
	if (check->err == CS_OK && !oracle_of(check)->stopping) {
		if (chain->own->fee_min_percent == 0) {
			bring_or_rehearse(check);
			return;
		}
		check->err = adapter_fees(chain->adapter, fees_done, check);
		if (check->err == CS_OK)
			return;
	}
	check_fail(check);
}

static void state_done(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct wait *wait = ctx;
	struct oracle_check *check = wait->check;
	uint8_t code;
	if (err == CS_OK)
		err = oracle_call_read_state(&check->states[wait->at], &code, data);
	free(wait);
	if (err != CS_OK && check->err == CS_OK) {
		check->err = err;
		snprintf(check->why, sizeof(check->why), "stateOf: %s", why ? why : "");
	}
	if (--check->waiting == 0)
		states_complete(check);
}

static void ask_state(struct oracle_check *check, size_t at)
{
	uint8_t bytes[ORACLE_CALL_STATE_OF_SIZE];
	struct cs_buf buf;
	struct wait *wait = host_alloc(sizeof(*wait));
	*wait = (struct wait){check, at};
	cs_buf_init(&buf, bytes, sizeof(bytes));
	enum cs_err err = oracle_call_state_of(&buf, &check->requests[at].request_id);
	if (err == CS_OK)
		err = adapter_call(check->contract->chain->adapter, NULL, &check->contract->address,
				   cs_buf_view(&buf), state_done, wait);
	if (err == CS_OK) {
		check->waiting++;
		return;
	}
	free(wait);
	if (check->err == CS_OK)
		check->err = err;
}

/* The next block can have the time of the newest observation; after a refusal the newest block has
 * it, which is the one that a rehearsal runs on. */
static bool is_time(const struct oracle_contract *contract, const struct oracle_request *requests,
		    size_t count)
{
	const struct oracle_chain *chain = contract->chain;
	uint64_t block_s =
		*oracle_careful(contract) ? chain->follow.head_time_s : oracle_next_block_s(chain);
	for (size_t i = 0; i < count; i++) {
		if (requests[i].observed_at > block_s)
			return false;
	}
	return true;
}

void oracle_fulfil_begin(struct oracle_contract *contract, const struct oracle_request *requests,
			 size_t count)
{
	struct oracle_listening *listening = contract->chain->listening;
	if (!is_time(contract, requests, count))
		return; /* the next head comes back here */
	struct oracle_check *check = host_alloc(sizeof(*check));
	check->contract = contract;
	for (size_t i = 0; i < count; i++) {
		if (oracle_take_under_way(&listening->brought, &requests[i]))
			check->requests[check->count++] = requests[i];
	}
	if (check->count == 0) {
		free(check);
		return;
	}
	check->next = listening->checks;
	listening->checks = check;
	for (size_t i = 0; i < check->count; i++)
		ask_state(check, i);
	if (check->waiting == 0)
		check_fail(check);
}

/* ---- what brings no fee ---- */

enum cs_err oracle_unpaid_take(const struct oracle_chain *chain,
			       const struct oracle_request *request, uint64_t callback_gas,
			       uint64_t gas, const char **why)
{
	const struct oracle_chain_config *config = chain->own;
	const struct oracle_worth_limits limits = {config->unpaid_callback_gas_max,
						   config->unpaid_asker_gas_max,
						   config->unpaid_gas_max};
	struct oracle_journal *journal = chain->oracle->journal;
	uint64_t since_ms = host_wall_ms() - ORACLE_UNPAID_MS;
	struct oracle_unpaid used;
	CS_TRY(oracle_journal_unpaid(journal, &chain->identity, &request->head.asker, since_ms,
				     &used));
	*why = oracle_worth_unpaid(&limits, callback_gas, gas, used.of_asker, used.of_all);
	return *why ? CS_OK
		    : oracle_journal_add_unpaid(journal, &chain->identity, &request->head.asker,
						gas, since_ms);
}
