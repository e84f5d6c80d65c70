#include "oracle/ledger.h"

#include "adapters/parts.h"
#include "host/alloc.h"
#include "oracle/calls.h"
#include "oracle/journal_ledger.h"
#include "relay_state/client/clock.h"
#include "relay_state/client/registered_watch.h"
#include "relay_state/client/service.h"
#include "relay_state/ledger/answers.h"

#include <stdlib.h>

/* Answers of one transaction: with the longest values 300 KiB of calldata. */
#define CALLS_MAX 16u
/* An answer that reverts so often alone is given up. */
#define REVERTS_MAX 8u

struct oracle_ledger {
	struct oracle *oracle;
	struct ledger_service service;
	struct ledger_registered_watch *watch; /* NULL: nothing is looked at yet */
	size_t calls_max;
	uint32_t reverts; /* in a row, of one answer alone */
	struct oracle_ledger_row rows[CALLS_MAX];
	size_t count;
	uint64_t recorded; /* since the start */
	uint64_t given_up;
};

static bool write(struct oracle_ledger *ledger, host_store_writer *writer, void *context)
{
	enum cs_err err = oracle_write(ledger->oracle, writer, context);
	if (err != CS_OK)
		oracle_fail(ledger->oracle, err, "what the ledger has");
	return err == CS_OK;
}

/* ---- what became of a transaction ---- */

static bool is_stranger(const struct ledger_report *report)
{
	return ledger_reverts_with(report, "KeyNotActive()") ||
	       ledger_reverts_with(report, "WrongRole()");
}

/* The next block has a later time. */
static bool passes(const struct ledger_report *report)
{
	return is_stranger(report) || ledger_reverts_with(report, "ObservedInFuture()");
}

struct end {
	struct oracle_ledger *ledger;
	const struct ledger_report *report;
	bool give_up;
};

static enum cs_err write_end(void *context)
{
	const struct end *end = context;
	struct oracle_journal *journal = end->ledger->oracle->journal;
	if (end->report->was_sent)
		CS_TRY(oracle_journal_ledger_ended(journal, end->report->end == LEDGER_END_DONE));
	return end->give_up ? oracle_journal_ledger_forget(journal, end->ledger->rows[0].n) : CS_OK;
}

/* One that is refused for good must not hold up the rest. */
static bool narrow(struct oracle_ledger *ledger, const struct ledger_report *report)
{
	if (ledger->count > 1) {
		ledger->calls_max = 1;
		return false;
	}
	if (passes(report) || ++ledger->reverts < REVERTS_MAX)
		return false;
	ledger->reverts = 0;
	ledger->given_up++;
	log_error("ledger.answer_refused", LOG_U64("request", ledger->rows[0].request),
		  LOG_TEXT("why", report->why));
	return true;
}

static void ended(void *ctx, const struct ledger_report *report)
{
	struct oracle_ledger *ledger = ctx;
	struct end end = {ledger, report, false};
	if (report->kind != ORACLE_LEDGER_ANSWERS) {
		(void)write(ledger, write_end, &end);
		ledger_clock_ended(ledger->oracle->clock, report);
		return;
	}
	if (report->end == LEDGER_END_REVERTED)
		end.give_up = narrow(ledger, report);
	if (report->end == LEDGER_END_DONE) {
		ledger->recorded += ledger->count;
		ledger->reverts = 0;
		ledger->calls_max = CALLS_MAX;
		ledger_service_set_trouble(&ledger->service, LEDGER_FINE, "");
	}
	(void)write(ledger, write_end, &end);
	ledger->count = 0;
}

/* ---- writing down ---- */

struct keeping {
	struct oracle_ledger *ledger;
	const struct ledger_sent *sent;
};

static enum cs_err write_sent(void *context)
{
	const struct keeping *keeping = context;
	struct oracle_ledger *ledger = keeping->ledger;
	return oracle_journal_ledger_sent(ledger->oracle->journal, keeping->sent, ledger->rows,
					  ledger->count);
}

static enum cs_err keep(void *ctx, const struct ledger_sent *sent)
{
	struct oracle_ledger *ledger = ctx;
	struct keeping keeping = {ledger, sent};
	return oracle_write_then(ledger->oracle, write_sent, &keeping, ledger_service_committed,
				 &ledger->service);
}

static enum cs_err resume(void *ctx, struct ledger_writer *writer)
{
	struct oracle *oracle = ((struct oracle_ledger *)ctx)->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	struct ledger_sent sent;
	enum cs_err err = oracle_journal_ledger_flight(oracle->journal, &oracle->scratch, &sent);
	if (err == CS_OK)
		ledger_writer_resume(writer, &sent);
	cs_arena_rewind(&oracle->scratch, mark);
	return err;
}

/* ---- making the calls ---- */

static enum cs_err read_item(struct oracle *oracle, const struct oracle_request *request,
			     struct oracle_record_item *item)
{
	ProtobufCMessage *message = NULL;
	struct cs_why why;
	struct cs_bytes bytes;
	CS_TRY(oracle_journal_result(oracle->journal, request, &oracle->scratch, &bytes));
	CS_TRY(wire_decode(&message, &caisson__wire__oracle_result__descriptor, bytes,
			   &oracle->scratch, &why));
	const Caisson__Wire__OracleResult *result = (const Caisson__Wire__OracleResult *)message;
	*item = (struct oracle_record_item){.request_id = request->request_id,
					    .spec_hash = request->head.spec_hash,
					    .code = (uint8_t)result->code,
					    .observed_at = result->observed_at,
					    .evidence_hash = wire_pb_hash(result->evidence_hash),
					    .value = wire_pb_view(result->value)};
	return CS_OK;
}

/* One answer with its path: what shares its statement may be published later, or never. */
static enum cs_err make_call(struct oracle *oracle, const struct oracle_ledger_row *row,
			     struct ledger_tx_call *call)
{
	struct oracle_request request;
	struct oracle_statement statement;
	struct oracle_record_item item;
	struct cs_buf buf;
	CS_TRY(oracle_journal_row(oracle->journal, row->request, &request));
	if (request.statement == 0)
		return CS_ERR_NOT_FOUND;
	CS_TRY(oracle_journal_statement(oracle->journal, request.statement, &statement));
	if (request.leaf >= statement.count)
		return CS_ERR_INVALID;
	CS_TRY(read_item(oracle, &request, &item));
	const struct adapter_part part = {.first = request.leaf, .count = 1};
	struct wire_signed st = statement.st;
	st.path_count = adapter_part_path(st.path, statement.leaves, statement.count, &part);
	CS_TRY(cs_buf_init_arena(&buf, &oracle->scratch, oracle_call_record_size(&st, &item)));
	CS_TRY(oracle_call_record(&buf, &st, &item));
	*call = (struct ledger_tx_call){.to = ledger_contract_address(LEDGER_ANSWERS_NUMBER),
					.input = cs_buf_view(&buf)};
	return CS_OK;
}

struct gone {
	struct oracle_ledger *ledger;
	uint64_t n;
};

static enum cs_err write_gone(void *context)
{
	const struct gone *gone = context;
	return oracle_journal_ledger_forget(gone->ledger->oracle->journal, gone->n);
}

/* False: the process ends. */
static bool make_calls(struct oracle_ledger *ledger, struct ledger_tx_call *calls)
{
	size_t found = 0;
	struct oracle_ledger_row rows[CALLS_MAX];
	enum cs_err err = oracle_journal_ledger_rows(ledger->oracle->journal, rows,
						     ledger->calls_max, &found);
	ledger->count = 0;
	for (size_t i = 0; i < found && err == CS_OK; i++) {
		struct gone gone = {ledger, rows[i].n};
		err = make_call(ledger->oracle, &rows[i], &calls[ledger->count]);
		if (err == CS_OK)
			ledger->rows[ledger->count++] = rows[i];
		else if (err == CS_ERR_NOT_FOUND && write(ledger, write_gone, &gone))
			err = CS_OK;
	}
	if (err != CS_OK)
		oracle_fail(ledger->oracle, err, "answers for the ledger");
	return err == CS_OK;
}

/* False: there is none to send. */
static bool send_anchor(struct oracle_ledger *ledger)
{
	ledger->count = 0;
	enum cs_err err = ledger_clock_send(ledger->oracle->clock, ledger->service.writer);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		ledger_service_no_answer(&ledger->service, err, "");
	return err != CS_ERR_NOT_FOUND;
}

static bool work(void *ctx)
{
	struct oracle_ledger *ledger = ctx;
	struct oracle *oracle = ledger->oracle;
	struct ledger_tx_call calls[CALLS_MAX];
	if (oracle->failed)
		return false;
	if (send_anchor(ledger))
		return true;
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err = CS_OK;
	if (make_calls(ledger, calls) && ledger->count > 0)
		err = ledger_writer_send(ledger->service.writer, ORACLE_LEDGER_ANSWERS, calls,
					 ledger->count, 0);
	cs_arena_rewind(&oracle->scratch, mark);
	if (err != CS_OK)
		ledger_service_no_answer(&ledger->service, err, "");
	else if (ledger->count == 0 && (ledger->service.trouble == LEDGER_STARTING ||
					ledger->service.trouble == LEDGER_NO_NODE))
		ledger_service_set_trouble(&ledger->service, LEDGER_FINE, "");
	return ledger->count > 0;
}

static void fail(void *ctx, enum cs_err err, const char *what)
{
	oracle_fail(((struct oracle_ledger *)ctx)->oracle, err, what);
}

/* ---- whose registration is looked at ---- */

/* The enclave's keys for answers, which the ledger takes of registered enclaves alone. */
static size_t own_keys(void *ctx, struct ledger_registered_who *who)
{
	struct oracle *oracle = ((struct oracle_ledger *)ctx)->oracle;
	const struct cs_hash *own = &oracle->config.manifest.identity;
	size_t mark = cs_arena_mark(&oracle->scratch);
	ProtobufCMessage *message = NULL;
	*who = (struct ledger_registered_who){
		.identity = *own, .name = "oracle", .is_needed = true};
	if (oracle_enclave_hello(oracle).n == 0 ||
	    oracle_enclave_reply(&oracle->scratch, oracle_enclave_hello(oracle),
				 &caisson__wire__hello_reply__descriptor, &message) != CS_OK)
		message = NULL;
	const Caisson__Wire__HelloReply *hello = (const Caisson__Wire__HelloReply *)message;
	for (size_t i = 0; hello && i < hello->n_keys; i++) {
		const struct cs_hash identity = wire_pb_hash(hello->keys[i]->chain);
		const struct cs_hash x = wire_pb_hash(hello->keys[i]->public_key);
		if (cs_hash_eq(&identity, own))
			ledger_registered_add_key(who, hello->keys[i]->epoch, &x);
	}
	cs_arena_rewind(&oracle->scratch, mark);
	return who->key_count > 0;
}

/* ---- life ---- */

enum cs_err oracle_ledger_start(struct oracle *oracle, struct cs_why *why)
{
	static const struct ledger_service_ops ops = {.work = work,
						      .resume = resume,
						      .keep = keep,
						      .ended = ended,
						      .is_stranger = is_stranger,
						      .fail = fail};
	if (!oracle->config.ledger.id)
		return CS_OK;
	struct oracle_ledger *ledger = host_calloc(1, sizeof(*ledger));
	oracle->ledger = ledger;
	ledger->oracle = oracle;
	ledger->calls_max = CALLS_MAX;
	ledger->service = (struct ledger_service){.ops = &ops,
						  .ctx = ledger,
						  .loop = oracle->loop,
						  .config = &oracle->config.ledger,
						  .pauses = &oracle->config.service,
						  .sig = oracle->sig};
	oracle_journal_keep_answers(oracle->journal);
	CS_TRY(ledger_service_start(&ledger->service, why));
	ledger->watch = ledger_registered_watch_new(oracle->loop, ledger->service.client, own_keys,
						    NULL, ledger);
	return CS_OK;
}

void oracle_ledger_stop(struct oracle *oracle)
{
	if (!oracle->ledger)
		return;
	ledger_service_stop(&oracle->ledger->service);
	ledger_registered_watch_free(oracle->ledger->watch);
	free(oracle->ledger);
	oracle->ledger = NULL;
}

struct ledger_client *oracle_ledger_client(const struct oracle *oracle)
{
	return oracle->ledger ? oracle->ledger->service.client : NULL;
}

void oracle_ledger_kick(struct oracle *oracle)
{
	if (oracle->ledger)
		ledger_service_kick(&oracle->ledger->service);
}

/* ---- for people and Prometheus ---- */

static uint64_t backlog(struct oracle *oracle)
{
	uint64_t count = 0;
	return oracle_journal_ledger_backlog(oracle->journal, &count) == CS_OK ? count : 0;
}

json_t *oracle_ledger_json(struct oracle *oracle)
{
	if (!oracle->ledger)
		return json_null();
	json_t *json = ledger_service_json(&oracle->ledger->service, backlog(oracle));
	json_object_set_new(json, "records", json_integer((json_int_t)oracle->ledger->recorded));
	json_object_set_new(json, "registrations", ledger_registered_json(oracle->ledger->watch));
	return json;
}

void oracle_ledger_collect(struct oracle *oracle)
{
	const struct oracle_ledger *ledger = oracle->ledger;
	if (!ledger)
		return;
	ledger_service_collect(&ledger->service, oracle->metrics, backlog(oracle));
	ledger_count(oracle->metrics, "caisson_ledger_records_total",
		     "Answers that the ledger took.", ledger->recorded);
	ledger_count(oracle->metrics, "caisson_ledger_given_up_total",
		     "Answers that the ledger refuses for good.", ledger->given_up);
	ledger_registered_collect(ledger->watch, oracle->metrics);
}
