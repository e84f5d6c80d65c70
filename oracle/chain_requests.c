/*~ A request of a contract: observed in a block; open when the block is final by the enclave's light
 * client; answered when the enclave has signed; submitted when a call with the answer is written;
 * done when the contract says so. Here is what is due next; how it is asked and how it is brought to
 * its contract is in chain_answer.c and chain_fulfil.c. */
#include "oracle/chain_requests.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* How often the deadlines of what is not final, or refused, are looked at. */
#define DEADLINES_MS 1000u
#define MARK_ROWS 256u

/* ---- what is under way ---- */

struct oracle_listening *oracle_listening_new(void)
{
	return host_alloc(sizeof(struct oracle_listening));
}

void oracle_listening_free(struct oracle_listening *listening)
{
	if (!listening)
		return;
	oracle_flights_free(listening);
	oracle_checks_free(listening);
	free(listening);
}

static size_t find(const struct oracle_under_way *table, uint64_t n)
{
	size_t i = 0;
	while (i < table->count && table->rows[i] != n)
		i++;
	return i;
}

bool oracle_is_under_way(const struct oracle_listening *listening, uint64_t n)
{
	return find(&listening->asked, n) < listening->asked.count ||
	       find(&listening->brought, n) < listening->brought.count;
}

bool oracle_take_under_way(struct oracle_under_way *table, const struct oracle_request *request)
{
	unsigned of_asker = 0;
	for (size_t i = 0; i < table->count; i++)
		of_asker += cs_hash_eq(&table->askers[i], &request->head.asker);
	if (table->count == ORACLE_UNDER_WAY_MAX || of_asker >= ORACLE_UNDER_WAY_ASKER_MAX)
		return false;
	table->rows[table->count] = request->n;
	table->askers[table->count++] = request->head.asker;
	return true;
}

void oracle_end_under_way(struct oracle_under_way *table, uint64_t n)
{
	size_t i = find(table, n);
	cs_assert(i < table->count);
	table->count--;
	table->rows[i] = table->rows[table->count];
	table->askers[i] = table->askers[table->count];
}

bool *oracle_careful(const struct oracle_contract *contract)
{
	return &contract->chain->listening->careful[contract - contract->chain->contracts];
}

/* ---- time ---- */

static uint64_t step_s(const struct oracle_chain *chain)
{
	uint64_t step = chain->config->block_time_ms / 1000;
	return step > 0 ? step : 1;
}

uint64_t oracle_next_block_s(const struct oracle_chain *chain)
{
	return chain->follow.head_time_s + step_s(chain);
}

/* Everything that happened before the deadline has been read. */
static bool is_late(const struct oracle_chain *chain, const struct oracle_request *request)
{
	return chain->follow.head_time_s >= request->head.deadline &&
	       chain->follow.cursor_height >= chain->follow.head_height;
}

enum cs_err oracle_request_postpone(struct oracle *oracle, uint64_t n, enum oracle_state state,
				    bool alone, enum cs_err err, const char *why)
{
	struct oracle_request request;
	enum cs_err found = oracle_journal_row(oracle->journal, n, &request);
	if (found == CS_ERR_NOT_FOUND)
		return CS_OK;
	CS_TRY(found);
	if (request.state != state)
		return CS_OK;
	if (alone && request.tries < UINT32_MAX)
		request.tries++;
	/* A failure of the way, no source's: asked_together. */
	if (alone && request.statement == 0)
		request.code = 0;
	uint64_t deadline_ms = request.head.deadline * 1000;
	uint64_t now_ms = host_wall_ms();
	request.next_ms = oracle_backoff(oracle, request.tries);
	if (request.next_ms > deadline_ms && now_ms < deadline_ms)
		request.next_ms = deadline_ms;
	oracle_why(request.why, err, why);
	return oracle_journal_save(oracle->journal, &request);
}

/* ---- final ---- */

struct rows_write {
	struct oracle_chain *chain;
	struct oracle_request *requests;
	size_t count;
};

static enum cs_err write_final(void *context)
{
	struct rows_write *write = context;
	for (size_t i = 0; i < write->count; i++) {
		struct oracle_request *request = &write->requests[i];
		/* The enclave's clock says that nothing was observed before it was asked for. */
		uint64_t asked_ms = request->head.time * 1000;
		uint64_t now_ms = host_wall_ms();
		request->next_ms = asked_ms > now_ms ? asked_ms : now_ms;
		request->tries = 0;
		CS_TRY(oracle_journal_move(write->chain->oracle->journal, request, ORACLE_OPEN));
	}
	return CS_OK;
}

static void mark_final(struct oracle_chain *chain)
{
	static struct oracle_request requests[MARK_ROWS];
	struct rows_write write = {chain, requests, 0};
	struct oracle_pick pick = {.kind = ORACLE_CHAIN,
				   .chain = &chain->identity,
				   .state = ORACLE_OBSERVED,
				   .due_ms = INT64_MAX,
				   .height_max = chain->follow.final_height};
	if (chain->follow.final_height == 0)
		return;
	enum cs_err err = oracle_journal_pick(chain->oracle->journal, &pick, requests, MARK_ROWS,
					      &write.count);
	if (err == CS_OK && write.count > 0)
		err = oracle_write(chain->oracle, write_final, &write);
	if (err != CS_OK)
		log_error("request.not_marked", LOG_ERR(err));
}

/* ---- past the deadline ---- */

static enum cs_err write_expired(void *context)
{
	struct rows_write *write = context;
	struct oracle_chain *chain = write->chain;
	for (size_t i = 0; i < write->count; i++) {
		struct oracle_request *request = &write->requests[i];
		struct oracle_contract *contract =
			oracle_contract_of(chain->oracle, &request->contract);
		log_info("request.expired", LOG_TEXT("chain", chain->config->id),
			 LOG_HASH("id", &request->id),
			 LOG_TEXT("state", oracle_state_name(request->state)),
			 LOG_TEXT("why", request->why));
		request->tries = 0; /* of its refund from here on */
		request->next_ms = 0;
		CS_TRY(oracle_journal_move(chain->oracle->journal, request, ORACLE_EXPIRED));
		if (contract && chain->own->refund && chain->has_operator)
			CS_TRY(oracle_refund_write(contract, request));
	}
	return CS_OK;
}

/* Those of `requests` that are late; the others are moved to the front. Returns how many are left. */
static size_t expire(struct oracle_chain *chain, struct oracle_request *requests, size_t count)
{
	static struct oracle_request late[ORACLE_TURN_ROWS];
	struct rows_write write = {chain, late, 0};
	size_t left = 0;
	/* One that we are to refund waits until there is room for the call. */
	size_t room = chain->own->refund && chain->has_operator ? oracle_submit_room(chain) : count;
	for (size_t i = 0; i < count; i++) {
		bool ends = write.count < room && is_late(chain, &requests[i]) &&
			    !oracle_is_under_way(chain->listening, requests[i].n);
		if (ends)
			late[write.count++] = requests[i];
		else
			requests[left++] = requests[i];
	}
	if (write.count > 0 && oracle_write(chain->oracle, write_expired, &write) != CS_OK)
		log_error("request.not_expired", LOG_TEXT("chain", chain->config->id));
	return left;
}

/* Of blocks that do not become final, and what the enclave refused. */
static void expire_others(struct oracle_chain *chain)
{
	static struct oracle_request requests[MARK_ROWS];
	size_t count = 0;
	struct oracle_pick pick = {.kind = ORACLE_CHAIN,
				   .chain = &chain->identity,
				   .state = ORACLE_OBSERVED,
				   .due_ms = INT64_MAX};
	if (host_now_ms() < chain->listening->looked_ms + DEADLINES_MS)
		return;
	chain->listening->looked_ms = host_now_ms();
	if (oracle_journal_pick(chain->oracle->journal, &pick, requests, MARK_ROWS, &count) ==
	    CS_OK)
		(void)expire(chain, requests, count);
	if (oracle_journal_pick_refused(chain->oracle->journal, &chain->identity,
					chain->follow.head_time_s, requests, MARK_ROWS,
					&count) == CS_OK)
		(void)expire(chain, requests, count);
}

/* ---- due ---- */

/* The rows of this state that are due, not under way and not late. */
static size_t pick_due(struct oracle_chain *chain, enum oracle_state state,
		       struct oracle_request rows[ORACLE_TURN_ROWS])
{
	size_t count = 0;
	size_t left = 0;
	struct oracle_pick pick = {.kind = ORACLE_CHAIN,
				   .chain = &chain->identity,
				   .state = state,
				   .due_ms = host_wall_ms(),
				   .asker_max = ORACLE_UNDER_WAY_ASKER_MAX};
	if (oracle_journal_pick(chain->oracle->journal, &pick, rows, ORACLE_TURN_ROWS, &count) !=
	    CS_OK)
		return 0;
	count = expire(chain, rows, count);
	for (size_t i = 0; i < count; i++) {
		if (!oracle_is_under_way(chain->listening, rows[i].n) &&
		    !is_late(chain, &rows[i]) &&
		    oracle_contract_of(chain->oracle, &rows[i].contract))
			rows[left++] = rows[i];
	}
	return left;
}

/* Moves those that go with rows[first] behind it; returns how many there are with it. */
static size_t gather(struct oracle_request *rows, size_t first, size_t count,
		     bool (*together)(const struct oracle_request *, const struct oracle_request *))
{
	size_t end = first + 1;
	for (size_t i = end; i < count && end - first < ORACLE_BATCH_MAX; i++) {
		if (!together(&rows[first], &rows[i]))
			continue;
		struct oracle_request swap = rows[end];
		rows[end++] = rows[i];
		rows[i] = swap;
	}
	return end - first;
}

/* Not one that failed on its way: where only its source failed, it is as good as a new one. */
static bool goes_with_others(const struct oracle_request *request)
{
	return request->tries == 0 ||
	       (request->statement == 0 && wire_oracle_code_is_refunded(request->code));
}

/* Those of one spec ask the same hosts, and none of them is slower than the others; what asks
 * elsewhere is asked apart, so that a slow source delays nobody else. Those of several askers are
 * asked apart too: what is wrong with one of them fails the whole flight. */
static bool asked_together(const struct oracle_request *a, const struct oracle_request *b)
{
	return goes_with_others(a) && goes_with_others(b) &&
	       cs_hash_eq(&a->contract, &b->contract) &&
	       cs_hash_eq(&a->head.asker, &b->head.asker) &&
	       cs_hash_eq(&a->head.spec_hash, &b->head.spec_hash);
}

static void ask_open(struct oracle_chain *chain)
{
	static struct oracle_request rows[ORACLE_TURN_ROWS];
	size_t count = pick_due(chain, ORACLE_OPEN, rows);
	for (size_t first = 0; first < count;) {
		size_t n = gather(rows, first, count, asked_together);
		oracle_answer_begin(oracle_contract_of(chain->oracle, &rows[first].contract),
				    &rows[first], n);
		first += n;
	}
}

static bool submitted_together(const struct oracle_request *a, const struct oracle_request *b)
{
	return a->statement == b->statement;
}

static void submit_answered(struct oracle_chain *chain)
{
	static struct oracle_request rows[ORACLE_TURN_ROWS];
	size_t count = pick_due(chain, ORACLE_ANSWERED, rows);
	size_t room = oracle_submit_room(chain);
	/* Each is at least one call, which is not written yet. */
	for (const struct oracle_check *c = chain->listening->checks; c && room > 0;
	     c = oracle_check_next(c))
		room--;
	for (size_t first = 0; first < count && room > 0; room--) {
		size_t n = gather(rows, first, count, submitted_together);
		oracle_fulfil_begin(oracle_contract_of(chain->oracle, &rows[first].contract),
				    &rows[first], n);
		first += n;
	}
}

void oracle_requests_pump(struct oracle_chain *chain, bool agrees)
{
	if (!chain->listening || chain->follow.head_height == 0)
		return;
	if (agrees)
		mark_final(chain);
	expire_others(chain);
	ask_open(chain);
	submit_answered(chain);
	oracle_refunds_pump(chain);
}

void oracle_requests_cancel_late(struct oracle_chain *chain)
{
	uint64_t block_s = oracle_next_block_s(chain);
	uint64_t clock_s = host_wall_ms() / 1000 + step_s(chain);
	if (!chain->adapter || chain->follow.head_height == 0)
		return;
	/* A header of the future is a node's word: it takes back nothing before our clock agrees. */
	oracle_submit_cancel_late(chain, block_s < clock_s ? block_s : clock_s);
}

/* ---- reports ---- */

/* The call is over, and these requests are where they were: the contract did not take them, or its
 * event is still to be read. stateOf is asked before the next call. */
static enum cs_err write_back(struct oracle_chain *chain,
			      const struct oracle_submission *submission, enum cs_err err)
{
	struct oracle_request requests[ORACLE_BATCH_MAX];
	struct oracle *oracle = chain->oracle;
	size_t count = 0;
	CS_TRY(oracle_journal_of_submission(oracle->journal, submission->n, requests,
					    ORACLE_BATCH_MAX, &count));
	for (size_t i = 0; i < count; i++) {
		if (requests[i].state != ORACLE_SUBMITTED)
			continue;
		requests[i].submission = 0;
		CS_TRY(oracle_journal_move(oracle->journal, &requests[i], ORACLE_ANSWERED));
		CS_TRY(oracle_request_postpone(oracle, requests[i].n, ORACLE_ANSWERED, true, err,
					       submission->why));
	}
	return CS_OK;
}

enum cs_err oracle_requests_reported(struct oracle_chain *chain,
				     const struct oracle_submission *submission, bool cancelled)
{
	struct oracle_contract *contract = oracle_contract_of(chain->oracle, &submission->contract);
	if (!contract)
		return CS_OK;
	switch (submission->state) {
	case ORACLE_SUBMISSION_OPEN:
	case ORACLE_SUBMISSION_UNKNOWN:
		return CS_OK;
	case ORACLE_SUBMISSION_INCLUDED: /* its events tell what it did; it may move until it is
					    settled */
		if (!cancelled)
			*oracle_careful(contract) = !submission->succeeded;
		return CS_OK;
	case ORACLE_SUBMISSION_SETTLED:
		if (cancelled)
			return write_back(chain, submission, CS_ERR_EXPIRED);
		return write_back(chain, submission,
				  submission->succeeded ? CS_ERR_CONFLICT : CS_ERR_REVERTED);
	case ORACLE_SUBMISSION_FAILED:
		return write_back(chain, submission, CS_ERR_UNAVAILABLE);
	}
	return CS_OK;
}
