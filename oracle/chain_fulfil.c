/* Signed answers on their way to their contract: what the contract knows of each is asked before
 * anything is paid for, then the answers of one statement go in as few calls as gas allows. */
#include "adapters/evm/contract_error.h"
#include "adapters/parts.h"
#include "host/alloc.h"
#include "oracle/calls.h"
#include "oracle/chain_requests.h"

#include <stdlib.h>
#include <string.h>

/* What a call needs beside its answers (the transaction, the signature), and an answer beside its
 * callback: contracts/evm/GAS.md and the contract's own reserves, rounded up. */
#define GAS_BASE 80000u
#define GAS_PER_ANSWER 75000u
#define GAS_PER_REFUND 115000u
/* Calldata at 16 gas a byte, hashing and the event's 8. */
#define GAS_PER_BYTE 40u
/* One call; an answer whose callback alone wants more goes alone. */
#define GAS_MAX 8000000u
/* Nodes take no transaction above 128 KiB (geth: txMaxSize). */
#define CALL_SIZE_MAX (126u * 1024)
/* An answer in calldata without its value. */
#define ANSWER_CALL_SIZE 544u

struct oracle_check {
	struct oracle_contract *contract;
	struct oracle_request requests[ORACLE_BATCH_MAX];
	size_t count;
	enum oracle_contract_state states[ORACLE_BATCH_MAX];
	unsigned waiting;
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
		oracle_end_under_way(listening, check->requests[i].n);
	oracle_wake(oracle_of(check));
	free(check);
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

/* What the contract demands before the item (CaissonOracle._gasFor), and what it takes. */
static uint64_t gas_of(const struct oracle_request *request, size_t value_size)
{
	uint64_t callback = request->head.callback_gas;
	uint64_t gas = GAS_PER_ANSWER + (ANSWER_CALL_SIZE + value_size) * GAS_PER_BYTE;
	if (callback > UINT64_MAX / 4)
		return UINT64_MAX / 2;
	gas += callback + callback / 32;
	return wire_oracle_code_is_refunded(request->code) ? gas + GAS_PER_REFUND : gas;
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
		if (check->states[i] != ORACLE_AT_CONTRACT_OPEN) {
			CS_TRY(oracle_request_postpone(
				oracle, request->n, ORACLE_ANSWERED, false, CS_ERR_CONFLICT,
				check->states[i] == ORACLE_AT_CONTRACT_UNKNOWN
					? "the contract does not know the request"
					: "the contract has ended the request"));
			continue;
		}
		if (is_too_late(check->contract->chain, request)) {
			CS_TRY(oracle_request_postpone(oracle, request->n, ORACLE_ANSWERED, false,
						       CS_ERR_EXPIRED,
						       "no block comes before its deadline"));
			continue;
		}
		if (is_stale(check->contract->chain, request)) {
			CS_TRY(ask_again(oracle, request));
			continue;
		}
		wanted[i] = true;
		count++;
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

static void states_complete(struct oracle_check *check)
{
	if (oracle_of(check)->stopping || check->err != CS_OK) {
		check_fail(check);
		return;
	}
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
		if (oracle_take_under_way(listening, requests[i].n))
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

/* ---- refunds ---- */

/* Estimated: one that somebody else was faster with reverts there, and costs nothing. */
enum cs_err oracle_refund_write(struct oracle_contract *contract, struct oracle_request *request)
{
	struct oracle *oracle = contract->chain->oracle;
	uint8_t bytes[ORACLE_CALL_REFUND_SIZE];
	struct oracle_call_wish wish = {.contract = contract, .call = ORACLE_CALL_REFUND};
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof(bytes));
	CS_TRY(oracle_call_refund(&buf, &request->head));
	wish.data = cs_buf_view(&buf);
	CS_TRY(oracle_submit(oracle, &wish, &request->submission));
	return oracle_journal_save(oracle->journal, request);
}
