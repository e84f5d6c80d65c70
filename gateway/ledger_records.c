/* From the moves of the journal to records: what waits is planned against the ledger's histories, sent
 * as one call, and forgotten when the ledger has it. */
#include "gateway/ledger.h"

#include <string.h>

/* Between two looks at what another one recorded. */
#define SWEEP_MS 10000u
/* A lease that ends sooner is renewed first. */
#define LEASE_LEFT_MS 1500u
/* A single move that reverts so often is given up: nothing behind it would ever be recorded. */
#define REVERTS_MAX 8u

/* ---- what the answers mean ---- */

static enum cs_err read_answers(struct gateway_ledger *ledger,
				const struct ledger_client_answer *answers, size_t count,
				const char **why)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		*why = answers[i].why;
		CS_TRY(answers[i].err);
		if (answers[i].code != 0)
			return CS_ERR_RPC_LIE;
	}
	*why = "a history that does not read";
	for (size_t i = 0; i < ledger->group_count; i++)
		CS_TRY(ledger_read_history(&ledger->histories[i], answers[n++].value));
	for (size_t i = 0; i < ledger->count; i++)
		if (ledger->moves[i].attempted)
			CS_TRY(ledger_read_same(&ledger->moves[i].is_there, answers[n++].value,
						&ledger->moves[i].record));
	return CS_OK;
}

static enum cs_err write_conflicts(struct gateway_ledger *ledger)
{
	struct gateway_journal *journal = ledger->gateway->journal;
	for (size_t i = 0; i < ledger->group_count; i++) {
		const struct ledger_history *history = &ledger->histories[i];
		struct gateway_message message;
		bool news = false;
		if (history->conflicts == 0)
			continue;
		uint64_t n = ledger->messages[ledger->first[i]];
		CS_TRY(gateway_journal_ledger_conflict(journal, n, history->conflicts, &news));
		if (!news)
			continue;
		CS_TRY(gateway_journal_row(journal, n, &message));
		log_warn("ledger.conflict", LOG_HASH("id", &message.id),
			 LOG_U64("side", message.side), LOG_U64("conflicts", history->conflicts));
		CS_TRY(gateway_journal_event(journal, "ledger.conflict", &message,
					     "the ledger has records that contradict each other"));
	}
	return CS_OK;
}

/* Who reports of another chain began the history of our message: its owner should know of it. */
static void tell_taken(const struct gateway_ledger *ledger, const struct ledger_move *move)
{
	const struct ledger_history *history = &ledger->histories[move->history];
	if (ledger_is_taken(history, &move->record))
		log_error("ledger.history_taken", LOG_HASH("id", &move->record.message_id),
			  LOG_U64("side", move->record.side), LOG_HASH("source", &history->source),
			  LOG_HASH("destination", &history->destination));
}

/* What is not in the batch is not in the journal's list any more either. */
static enum cs_err write_plan(void *context)
{
	struct gateway_ledger *ledger = context;
	CS_TRY(write_conflicts(ledger));
	for (size_t i = 0; i < ledger->count; i++) {
		if (ledger->moves[i].verdict == LEDGER_MOVE_RECORD)
			continue;
		tell_taken(ledger, &ledger->moves[i]);
		if (ledger->moves[i].verdict == LEDGER_MOVE_PASSED)
			ledger->passed++;
		else
			ledger->recorded++;
		CS_TRY(gateway_journal_ledger_forget(ledger->gateway->journal,
						     ledger->moves[i].row));
	}
	return CS_OK;
}

/* Of another gateway's route: what its history ended is over for ours too. */
static enum cs_err write_swept(void *context)
{
	struct gateway_ledger *ledger = context;
	CS_TRY(write_conflicts(ledger));
	for (size_t i = 0; i < ledger->count; i++) {
		const struct ledger_history *history = &ledger->histories[ledger->moves[i].history];
		if (!relay_ends((enum relay_state)history->state))
			continue;
		ledger->passed++;
		CS_TRY(gateway_journal_ledger_forget(ledger->gateway->journal,
						     ledger->moves[i].row));
	}
	return CS_OK;
}

/* ---- sending ---- */

static void send_batch(struct gateway_ledger *ledger)
{
	static uint8_t data[LEDGER_RECORD_CALLDATA_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, data, sizeof(data));
	ledger_call_record(&buf, ledger->records, ledger->record_count);
	const struct ledger_tx_call call = {.to = ledger_contract_address(LEDGER_RECORDS_NUMBER),
					    .input = cs_buf_view(&buf)};
	/* Not later than the lease: the next holder's histories go on from what is there then. */
	enum cs_err err = ledger_writer_send(ledger->service.writer, LEDGER_KIND_RECORDS, &call, 1,
					     ledger->lease->last.until_s);
	if (err != CS_OK)
		ledger_service_no_answer(&ledger->service, err, "");
}

static void plan(struct gateway_ledger *ledger)
{
	ledger->record_count = 0;
	if (ledger->sweeping) {
		uint64_t last = ledger->moves[ledger->count - 1].row;
		ledger->lease->swept = ledger->count == LEDGER_PLAN_MOVES_MAX ? last : 0;
		(void)ledger_write(ledger, write_swept, ledger);
		return;
	}
	ledger->record_count =
		ledger_plan(ledger->moves, ledger->count, ledger->histories, ledger->records);
	if (ledger_write(ledger, write_plan, ledger) && ledger->record_count > 0 &&
	    ledger_lease_is_held(ledger->lease))
		send_batch(ledger);
}

static void answered(void *ctx, const struct ledger_client_answer *answers, size_t count)
{
	struct gateway_ledger *ledger = ctx;
	const char *why = "";
	ledger->service.asking = false;
	enum cs_err err = read_answers(ledger, answers, count, &why);
	if (err == CS_OK)
		plan(ledger);
	else
		ledger_service_no_answer(&ledger->service, err, why);
	if (err != CS_ERR_CLOSED)
		ledger_service_kick(&ledger->service);
}

/* ---- asking ---- */

static void add_query(struct ledger_client_query *queries, size_t *n, const struct cs_buf *buf)
{
	queries[(*n)++] = (struct ledger_client_query){.path = "/call", .data = cs_buf_view(buf)};
}

static void ask(struct gateway_ledger *ledger)
{
	static uint8_t data[2 * LEDGER_PLAN_MOVES_MAX][LEDGER_VIEW_SIZE_MAX];
	struct ledger_client_query queries[2 * LEDGER_PLAN_MOVES_MAX];
	size_t n = 0;
	ledger->group_count = ledger_plan_group(ledger->moves, ledger->count, ledger->first);
	for (size_t i = 0; i < ledger->group_count; i++) {
		const struct ledger_record *record = &ledger->moves[ledger->first[i]].record;
		struct cs_buf buf;
		cs_buf_init(&buf, data[n], sizeof(data[n]));
		ledger_view_message(&buf, &record->message_id, record->side);
		add_query(queries, &n, &buf);
	}
	for (size_t i = 0; i < ledger->count; i++) {
		const struct ledger_record *record = &ledger->moves[i].record;
		struct cs_buf buf;
		if (!ledger->moves[i].attempted)
			continue;
		cs_buf_init(&buf, data[n], sizeof(data[n]));
		ledger_view_record(&buf, &record->message_id, record->side, record->index);
		add_query(queries, &n, &buf);
	}
	enum cs_err err = ledger_client_query(ledger->service.client,
					      ledger_writer_height(ledger->service.writer), queries,
					      n, answered, ledger);
	ledger->service.asking = err == CS_OK;
	if (err != CS_OK)
		ledger_service_no_answer(&ledger->service, err, "");
}

/* True: a question is on its way. */
static bool begin(struct gateway_ledger *ledger, struct gateway_lease *lease)
{
	uint64_t now = host_now_ms();
	bool held = lease->ours && now + LEASE_LEFT_MS < lease->until_ms;
	bool others = lease->known && !lease->ours && lease->until_ms > now;
	if (!held && (!others || now < lease->sweep_ms))
		return false;
	if (!held)
		lease->sweep_ms = now + SWEEP_MS;
	enum cs_err err = gateway_journal_ledger_moves(
		ledger->gateway->journal, &lease->key, held ? 0 : lease->swept, ledger->moves,
		ledger->messages, held ? ledger->batch_max : LEDGER_PLAN_MOVES_MAX, &ledger->count);
	if (err != CS_OK) {
		gateway_fail(ledger->gateway, err, "moves for the ledger");
		return true;
	}
	if (ledger->count == 0) {
		lease->swept = 0;
		return false;
	}
	ledger->lease = lease;
	ledger->sweeping = !held;
	ask(ledger);
	return true;
}

bool ledger_records_next(struct gateway_ledger *ledger)
{
	for (size_t i = 0; i < ledger->lease_count; i++) {
		struct gateway_lease *lease = &ledger->leases[ledger->record_at];
		ledger->record_at = (ledger->record_at + 1) % ledger->lease_count;
		if (begin(ledger, lease))
			return true;
	}
	return false;
}

/* ---- what became of a batch ---- */

struct end {
	struct gateway_ledger *ledger;
	const struct ledger_report *report;
	bool give_up;
};

static enum cs_err write_end(void *context)
{
	const struct end *end = context;
	struct gateway_journal *journal = end->ledger->gateway->journal;
	CS_TRY(ledger_write_over(end->ledger, end->report));
	return end->give_up ? gateway_journal_ledger_forget(journal, end->ledger->moves[0].row)
			    : CS_OK;
}

static bool narrow(struct gateway_ledger *ledger)
{
	ledger->reverts++;
	if (ledger->batch_max > 1) {
		ledger->batch_max /= 2;
		ledger->reverts = 0;
		return false;
	}
	return ledger->reverts >= REVERTS_MAX && ledger->count == 1;
}

void ledger_records_ended(struct gateway_ledger *ledger, const struct ledger_report *report)
{
	struct end end = {ledger, report, false};
	if (report->end == LEDGER_END_REVERTED && !ledger_is_stranger(report))
		end.give_up = narrow(ledger);
	if (ledger->reverts > 1)
		ledger_service_set_trouble(&ledger->service, LEDGER_REFUSED, report->why);
	if (report->end == LEDGER_END_DONE) {
		ledger->recorded += ledger->record_count;
		ledger->reverts = 0;
		if (ledger->batch_max < LEDGER_PLAN_MOVES_MAX)
			ledger->batch_max *= 2;
	}
	if (end.give_up) {
		ledger->passed++;
		ledger->reverts = 0;
		log_error("ledger.move_refused",
			  LOG_HASH("id", &ledger->moves[0].record.message_id),
			  LOG_TEXT("why", report->why));
	}
	(void)ledger_write(ledger, write_end, &end);
	ledger->record_count = 0;
}
