/* Requests of apps: written down, asked in the order in which they came, each by an enclave call of
 * its own so that a slow source delays nobody, repeated inside the deadline, answered once. An API
 * key has a share of the places. Whoever waits on a connection is told. */
#include "oracle/app_requests.h"

#include "host/alloc.h"
#include "oracle/answer.h"
#include "relay_state/client/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the enclave holds at a time is for requests of contracts and rounds of feeds too. */
#define FLIGHTS_MAX 192u
/* One API key's share of these. */
#define FLIGHTS_SHARE 48u
/* So many shares has a key where nobody else waits: whoever comes next finds one free. */
#define FLIGHTS_SHARES_ALONE (FLIGHTS_MAX / FLIGHTS_SHARE - 1)
#define FLIGHTS_ALONE_MAX (FLIGHTS_SHARES_ALONE * FLIGHTS_SHARE)
/* One key's share of api.waiting_max is one of so many, rounded up. */
#define WAITING_SHARES 4u
#define LOAD_ROWS 64u
/* A reply on its way when the deadline comes. */
#define GRACE_MS 2000u

struct waiter {
	struct waiter *next;
	struct host_http_exchange *exchange;
	uint64_t until_ms; /* monotonic */
};

/* What one API key has of the places; kept while it has one. */
struct share {
	struct share *next;
	char key_name[HOST_API_KEY_NAME_MAX + 1];
	size_t count;
	size_t flights;
};

/* One open request. It leaves the list when it ended. */
struct app {
	struct app *next;
	struct oracle *oracle;
	struct share *share;
	struct cs_hash id;
	uint64_t n;
	uint64_t next_ms;     /* wall clock */
	uint64_t deadline_ms; /* wall clock */
	uint32_t tries;
	bool asking;
	bool ended; /* in the journal: kept until its commit */
	enum cs_err err;
	char why[ORACLE_WHY_MAX + 1];
	struct waiter *waiters;
};

struct oracle_apps {
	struct app *first; /* the oldest */
	struct app **end;  /* where the next one is put */
	struct share *shares;
	size_t count;
	size_t flights;
	uint64_t answered;
	uint64_t retried;
};

static struct share *share_find(const struct oracle_apps *apps, const char *key_name)
{
	struct share *share = apps->shares;
	while (share && strcmp(share->key_name, key_name) != 0)
		share = share->next;
	return share;
}

static struct share *share_take(struct oracle_apps *apps, const char *key_name)
{
	struct share *share = share_find(apps, key_name);
	if (!share) {
		share = host_alloc(sizeof(*share));
		snprintf(share->key_name, sizeof(share->key_name), "%s", key_name);
		share->next = apps->shares;
		apps->shares = share;
	}
	share->count++;
	return share;
}

static void share_give(struct oracle_apps *apps, struct share *share)
{
	struct share **at = &apps->shares;
	if (--share->count > 0)
		return;
	while (*at != share)
		at = &(*at)->next;
	*at = share->next;
	free(share);
}

/* at: whose place it takes; that one comes behind it. */
static void app_add(struct oracle *oracle, struct app **at, const struct oracle_request *request)
{
	struct oracle_apps *apps = oracle->apps;
	struct app *app = host_alloc(sizeof(*app));
	app->oracle = oracle;
	app->share = share_take(apps, request->key_name);
	app->id = request->id;
	app->n = request->n;
	app->next_ms = request->next_ms;
	app->tries = request->tries;
	app->deadline_ms = request->head.deadline * 1000;
	app->next = *at;
	if (apps->end == at)
		apps->end = &app->next;
	*at = app;
	apps->count++;
}

static void app_remove(struct app *app)
{
	struct oracle_apps *apps = app->oracle->apps;
	struct app **at = &apps->first;
	while (*at != app)
		at = &(*at)->next;
	*at = app->next;
	if (apps->end == &app->next)
		apps->end = at;
	apps->count--;
	share_give(apps, app->share);
	free(app);
}

static struct app *app_of(struct oracle *oracle, const struct cs_hash *id)
{
	for (struct app *app = oracle->apps->first; app; app = app->next) {
		if (cs_hash_eq(&app->id, id))
			return app;
	}
	return NULL;
}

/* ---- whoever waits ---- */

static void tell(struct app *app, struct host_http_exchange *exchange)
{
	if (app->err != CS_OK)
		host_http_reply_problem(exchange, app->err, app->why);
	else
		oracle_api_reply_request(app->oracle, exchange, &app->id);
}

static void tell_waiters(struct app *app, uint64_t until_ms)
{
	struct waiter **at = &app->waiters;
	while (*at) {
		struct waiter *waiter = *at;
		if (waiter->until_ms > until_ms) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		tell(app, waiter->exchange);
		free(waiter);
	}
}

bool oracle_apps_wait(struct oracle *oracle, const struct cs_hash *id,
		      struct host_http_exchange *exchange, uint64_t wait_ms)
{
	struct app *app = app_of(oracle, id);
	if (!app)
		return false;
	struct waiter *waiter = host_alloc(sizeof(*waiter));
	*waiter = (struct waiter){app->waiters, exchange, host_now_ms() + wait_ms};
	app->waiters = waiter;
	return true;
}

/* ---- the end of a request ---- */

static void end_committed(void *context, enum cs_err err)
{
	struct app *app = context;
	struct oracle *oracle = app->oracle;
	if (err != CS_OK) {
		oracle_fail(oracle, err, "commit of an answer");
		return;
	}
	tell_waiters(app, UINT64_MAX);
	app_remove(app);
	oracle_wake(oracle);
}

struct end_write {
	struct app *app;
	enum oracle_state state;
};

static enum cs_err write_end(void *context)
{
	const struct end_write *end = context;
	struct oracle_request request;
	CS_TRY(oracle_journal_row(end->app->oracle->journal, end->app->n, &request));
	snprintf(request.why, sizeof(request.why), "%s", end->app->why);
	return oracle_journal_move(end->app->oracle->journal, &request, end->state);
}

static void end_without(struct app *app, enum oracle_state state, enum cs_err err, const char *why)
{
	struct end_write end = {app, state};
	app->ended = true;
	app->err = err;
	oracle_why(app->why, err, why);
	log_info("request.ended", LOG_HASH("id", &app->id),
		 LOG_TEXT("state", oracle_state_name(state)), LOG_TEXT("why", app->why));
	enum cs_err written = oracle_write_then(app->oracle, write_end, &end, end_committed, app);
	if (written != CS_OK)
		oracle_fail(app->oracle, written, "the end of a request");
}

struct answer_write {
	struct app *app;
	struct oracle_request request;
	struct oracle_statement statement;
	struct cs_bytes result;
};

static enum cs_err write_answer(void *context)
{
	struct answer_write *write = context;
	struct oracle_journal *journal = write->app->oracle->journal;
	CS_TRY(oracle_journal_add_statement(journal, &write->statement));
	return oracle_journal_answered(journal, &write->request, &write->statement, 0,
				       write->result);
}

/* The one result of a reply, checked as the one who verifies it will check it. */
static enum cs_err take_reply(struct answer_write *write, const Caisson__Wire__OracleReply *reply,
			      struct cs_arena *arena, struct cs_why *why)
{
	struct oracle *oracle = write->app->oracle;
	struct oracle_query query;
	struct oracle_answer answer;
	struct cs_buf encoded;
	if (!reply->statement || reply->n_results != 1 || reply->n_failed != 0)
		return cs_fail(why, CS_ERR_INVALID, "not one answer under one statement");
	const Caisson__Wire__OracleResult *result = reply->results[0];
	struct cs_hash leaf = oracle_result_leaf(result);
	CS_TRY(oracle_journal_row(oracle->journal, write->app->n, &write->request));
	CS_TRY(oracle_journal_query(oracle->journal, &write->request, arena, &query));
	if (oracle_statement_take(&write->statement, reply->statement, &leaf, 1) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "the statement is not over the answer");
	CS_TRY(oracle_answer_fill(&answer, oracle, &write->request, &query, result,
				  &write->statement, 0));
	CS_TRY(oracle_answer_check(&answer, arena, why));
	write->request.head = answer.request;
	write->request.request_id = answer.answer.request_id;
	write->request.code = answer.answer.code;
	write->request.observed_at = answer.answer.observed_at;
	CS_TRY(cs_buf_init_arena(&encoded, arena, CS_FRAME_BODY_SIZE_MAX));
	CS_TRY(wire_encode(&encoded, &result->base, why));
	write->result = cs_buf_view(&encoded);
	return CS_OK;
}

/* ---- asking ---- */

struct retry_write {
	struct app *app;
	enum cs_err err;
	const char *why;
};

static enum cs_err write_retry(void *context)
{
	const struct retry_write *retry = context;
	struct oracle_request request;
	CS_TRY(oracle_journal_row(retry->app->oracle->journal, retry->app->n, &request));
	request.tries = retry->app->tries;
	request.next_ms = retry->app->next_ms;
	oracle_why(request.why, retry->err, retry->why);
	return oracle_journal_save(retry->app->oracle->journal, &request);
}

static void retry_later(struct app *app, enum cs_err err, const char *why)
{
	struct retry_write retry = {app, err, why};
	app->tries++;
	app->next_ms = oracle_backoff(app->oracle, app->tries);
	app->oracle->apps->retried++;
	log_info("request.retry", LOG_HASH("id", &app->id), LOG_U64("tries", app->tries),
		 LOG_ERR(err), LOG_TEXT("why", why));
	enum cs_err written = oracle_write(app->oracle, write_retry, &retry);
	if (written != CS_OK)
		oracle_fail(app->oracle, written, "a retry");
}

static void finish(struct app *app, struct answer_write *write)
{
	struct oracle *oracle = app->oracle;
	app->ended = true;
	oracle->apps->answered++;
	enum cs_err err = oracle_write_then(oracle, write_answer, write, end_committed, app);
	if (err != CS_OK)
		oracle_fail(oracle, err, "an answer");
}

static void answer_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct app *app = context;
	struct oracle *oracle = app->oracle;
	struct cs_why refusal = {{0}};
	app->asking = false;
	oracle->apps->flights--;
	app->share->flights--;
	if (oracle->stopping)
		return;
	if (err != CS_OK) {
		/* A reply that is no answer now may be one later; a refusal of these bytes stays
		 * one. */
		if (cs_err_may_retry(err))
			retry_later(app, err, why);
		else
			end_without(app, ORACLE_REFUSED, err, why);
		return;
	}
	struct cs_arena *arena = oracle_arena_new();
	struct answer_write write = {.app = app};
	ProtobufCMessage *message = NULL;
	err = oracle_enclave_reply(arena, body, &caisson__wire__oracle_reply__descriptor, &message);
	if (err == CS_OK)
		err = take_reply(&write, (const Caisson__Wire__OracleReply *)message, arena,
				 &refusal);
	/* Of a key whose own requests wait for places, the failure that is signed is kept. */
	if (err == CS_OK && app->share->count <= FLIGHTS_ALONE_MAX &&
	    oracle_asks_again(oracle, write.request.code, app->tries, app->deadline_ms)) {
		retry_later(app, CS_ERR_UNAVAILABLE, wire_oracle_code_name(write.request.code));
	} else if (err == CS_OK) {
		finish(app, &write);
	} else {
		log_error("request.reply_refused", LOG_HASH("id", &app->id), LOG_ERR(err),
			  LOG_TEXT("why", refusal.text));
		retry_later(app, err, refusal.text);
	}
	oracle_arena_free(arena);
}

static enum cs_err ask(struct app *app, uint64_t left_ms)
{
	struct oracle *oracle = app->oracle;
	struct cs_arena *arena = &oracle->scratch;
	struct oracle_request row;
	struct oracle_query query;
	Caisson__Wire__AnswerAppRequest request = CAISSON__WIRE__ANSWER_APP_REQUEST__INIT;
	Caisson__Wire__OracleQuery asked = CAISSON__WIRE__ORACLE_QUERY__INIT;
	ProtobufCBinaryData arguments[WIRE_ARGUMENTS_MAX];
	CS_TRY(oracle_journal_row(oracle->journal, app->n, &row));
	CS_TRY(oracle_journal_query(oracle->journal, &row, arena, &query));
	for (size_t i = 0; i < query.argument_count; i++)
		arguments[i] = wire_pb_bytes(arena, query.arguments[i]);
	asked.spec = wire_pb_bytes(arena, query.spec);
	asked.arguments = arguments;
	asked.n_arguments = query.argument_count;
	asked.secrets = wire_pb_bytes(arena, query.secrets);
	request.audience = wire_pb_bytes(arena, query.audience);
	request.query = &asked;
	request.max_age = row.head.max_age;
	request.epoch = oracle->app_epoch;
	request.timeout_s = (uint32_t)(left_ms / 1000 > 0 ? left_ms / 1000 : 1);
	uint64_t timeout_ms = left_ms + GRACE_MS;
	if (timeout_ms > ORACLE_ANSWER_TIMEOUT_MS)
		timeout_ms = ORACLE_ANSWER_TIMEOUT_MS;
	return oracle_enclave_call(oracle, WIRE_ANSWER_APP, &request.base, timeout_ms, answer_done,
				   app);
}

/* Where its key has fewer than key_max under way. */
static void ask_due(struct app *app, uint64_t now, size_t key_max)
{
	struct oracle *oracle = app->oracle;
	if (app->asking || app->ended || now < app->next_ms || !oracle->enclave_ready ||
	    !ledger_clock_signs(oracle->clock) || oracle->apps->flights >= FLIGHTS_MAX ||
	    app->share->flights >= key_max)
		return;
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err = ask(app, app->deadline_ms - now);
	cs_arena_rewind(&oracle->scratch, mark);
	if (err == CS_OK) {
		app->asking = true;
		oracle->apps->flights++;
		app->share->flights++;
	} else if (cs_err_may_retry(err)) {
		retry_later(app, err, NULL);
	} else {
		end_without(app, ORACLE_REFUSED, err, NULL);
	}
}

void oracle_apps_pump(struct oracle *oracle)
{
	uint64_t wall = host_wall_ms();
	uint64_t now = host_now_ms();
	struct app *next;
	for (struct app *app = oracle->apps->first; app; app = next) {
		next = app->next;
		if (!app->asking && !app->ended && wall >= app->deadline_ms)
			end_without(app, ORACLE_EXPIRED, CS_ERR_TIMEOUT, "nobody answered in time");
		else
			ask_due(app, wall, FLIGHTS_SHARE);
		if (!app->ended)
			tell_waiters(app, now);
	}
	/* What the first shares left. */
	for (unsigned shares = 2; shares <= FLIGHTS_SHARES_ALONE; shares++) {
		for (struct app *app = oracle->apps->first; app; app = app->next)
			ask_due(app, wall, (size_t)shares * FLIGHTS_SHARE);
	}
}

/* ---- taking requests ---- */

enum cs_err oracle_apps_room(const struct oracle *oracle, const char *key_name)
{
	const struct share *share = share_find(oracle->apps, key_name);
	size_t max = oracle->config.waiting_max;
	if (share && share->count >= (max + WAITING_SHARES - 1) / WAITING_SHARES)
		return CS_ERR_RATE_LIMITED;
	return oracle->apps->count < max ? CS_OK : CS_ERR_FULL;
}

void oracle_apps_add(struct oracle *oracle, const struct oracle_request *request)
{
	app_add(oracle, oracle->apps->end, request);
	oracle_wake(oracle);
}

void oracle_apps_figures(const struct oracle *oracle, uint64_t *open, uint64_t *asking,
			 uint64_t *answered, uint64_t *retried)
{
	*open = oracle->apps->count;
	*asking = oracle->apps->flights;
	*answered = oracle->apps->answered;
	*retried = oracle->apps->retried;
}

enum cs_err oracle_apps_start(struct oracle *oracle)
{
	struct oracle_request *rows = host_calloc(LOAD_ROWS, sizeof(*rows));
	uint64_t before = 0;
	size_t count = 0;
	enum cs_err err = CS_OK;
	oracle->apps = host_alloc(sizeof(*oracle->apps));
	oracle->apps->end = &oracle->apps->first;
	do {
		err = oracle_journal_list(oracle->journal, ORACLE_OPEN, ORACLE_APP, before, rows,
					  LOAD_ROWS, &count);
		for (size_t i = 0; err == CS_OK && i < count; i++) {
			/* What was in flight when we ended is asked at once. */
			rows[i].next_ms = 0;
			app_add(oracle, &oracle->apps->first, &rows[i]); /* the newest came first */
			before = rows[i].n;
		}
	} while (err == CS_OK && count == LOAD_ROWS);
	free(rows);
	return err;
}

void oracle_apps_stop(struct oracle *oracle)
{
	if (!oracle->apps)
		return;
	while (oracle->apps->first) {
		struct app *app = oracle->apps->first;
		while (app->waiters) {
			struct waiter *waiter = app->waiters;
			app->waiters = waiter->next;
			host_http_reply_problem(waiter->exchange, CS_ERR_UNAVAILABLE,
						"the oracle stops; ask for the request again");
			free(waiter);
		}
		app_remove(app);
	}
	free(oracle->apps);
	oracle->apps = NULL;
}
