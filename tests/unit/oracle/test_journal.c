/* The oracle's journal: rows come back as they went in, after a restart too; illegal moves, double
 * ids and keys with another body change nothing. */
#include "tests/unit/oracle/journals.h"

/* ---- requests ---- */

static void comes_back(void **state)
{
	struct fixture *f = *state;
	struct oracle_request r = request_of(ORACLE_CHAIN, 1);
	struct oracle_request found;
	struct oracle_query query;
	assert_int_equal(write_(f, add, &r), CS_OK);
	reopen(f);
	assert_int_equal(oracle_journal_find(f->journal, &r.id, &found), CS_OK);
	assert_int_equal(found.n, r.n);
	assert_int_equal(found.state, ORACLE_OBSERVED);
	assert_true(found.head.counter == UINT64_MAX);
	assert_memory_equal(&found.head.fee, &r.head.fee, sizeof(r.head.fee));
	assert_memory_equal(&found.head.asker, &r.head.asker, 32);
	assert_int_equal(found.height, 11);
	assert_int_equal(oracle_journal_query(f->journal, &found, &f->arena, &query), CS_OK);
	assert_int_equal(query.argument_count, 3);
	assert_true(cs_bytes_eq(query.arguments[0], cs_bytes_str("bitcoin")));
	assert_int_equal(query.arguments[1].n, 0);
	assert_true(cs_bytes_eq(query.arguments[2], cs_bytes_str("usd")));
	assert_true(cs_bytes_eq(query.spec, cs_bytes_str(spec)));
	assert_true(cs_bytes_eq(query.secrets, cs_bytes_str("a sealed box")));
	assert_true(cs_bytes_eq(query.audience, cs_bytes_str("app")));
}

static void an_id_is_there_once(void **state)
{
	struct fixture *f = *state;
	struct oracle_request r = request_of(ORACLE_CHAIN, 1);
	struct oracle_request again = request_of(ORACLE_CHAIN, 1);
	struct oracle_request found;
	assert_int_equal(write_(f, add, &r), CS_OK);
	assert_int_equal(write_(f, add, &again), CS_ERR_DUPLICATE);
	struct cs_hash unknown = same_bytes(9);
	assert_int_equal(oracle_journal_find(f->journal, &unknown, &found), CS_ERR_NOT_FOUND);
}

static void moves_by_the_table(void **state)
{
	struct fixture *f = *state;
	struct oracle_request r = request_of(ORACLE_CHAIN, 1);
	struct oracle_request found;
	assert_int_equal(write_(f, add, &r), CS_OK);
	assert_int_equal(write_(f, to_answered, &r), CS_ERR_CONFLICT);
	assert_int_equal(r.state, ORACLE_OBSERVED);
	assert_int_equal(write_(f, to_open, &r), CS_OK);
	assert_int_equal(write_(f, to_answered, &r), CS_OK);
	assert_int_equal(oracle_journal_row(f->journal, r.n, &found), CS_OK);
	assert_int_equal(found.state, ORACLE_ANSWERED);
}

static void what_is_due(void **state)
{
	struct fixture *f = *state;
	struct oracle_request r[4];
	struct oracle_request picked[4];
	size_t count = 0;
	for (uint8_t i = 0; i < 4; i++) {
		r[i] = request_of(i == 3 ? ORACLE_APP : ORACLE_CHAIN, i + 1);
		r[i].next_ms = 100u - i;
		assert_int_equal(write_(f, add, &r[i]), CS_OK);
	}
	struct oracle_pick pick = {
		.kind = ORACLE_CHAIN, .chain = &r[0].chain, .state = ORACLE_OBSERVED, .due_ms = 99};
	assert_int_equal(oracle_journal_pick(f->journal, &pick, picked, 4, &count), CS_OK);
	assert_int_equal(count, 2);
	assert_int_equal(picked[0].n, r[2].n);
	pick.height_max = 12;
	assert_int_equal(oracle_journal_pick(f->journal, &pick, picked, 4, &count), CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(picked[0].n, r[1].n);
	pick = (struct oracle_pick){.kind = ORACLE_APP, .state = ORACLE_OPEN, .due_ms = 99};
	assert_int_equal(oracle_journal_pick(f->journal, &pick, picked, 4, &count), CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(picked[0].n, r[3].n);
	assert_int_equal(
		oracle_journal_above(f->journal, &r[0].chain, false, 12, 0, picked, 4, &count),
		CS_OK);
	assert_int_equal(count, 2);
	r[0].end_height = 40;
	assert_int_equal(write_(f, save, &r[0]), CS_OK);
	assert_int_equal(
		oracle_journal_above(f->journal, &r[0].chain, true, 40, 0, picked, 4, &count),
		CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(oracle_journal_list(f->journal, 0, ORACLE_CHAIN, 0, picked, 2, &count),
			 CS_OK);
	assert_int_equal(count, 2);
	assert_int_equal(picked[0].n, r[2].n);
	assert_int_equal(write_(f, forget, &r[2]), CS_OK);
	assert_int_equal(oracle_journal_row(f->journal, r[2].n, &picked[0]), CS_ERR_NOT_FOUND);
}

/* Expired, and not before its pause is over; one with next_ms 0 is left to others. */
static void refunds_that_are_due(void **state)
{
	struct fixture *f = *state;
	struct oracle_request r[4];
	struct oracle_request picked[4];
	size_t count = 0;
	for (uint8_t i = 0; i < 4; i++) {
		r[i] = request_of(ORACLE_CHAIN, i + 1);
		r[i].state = i == 3 ? ORACLE_REFUNDED : ORACLE_EXPIRED;
		r[i].next_ms = 10u * i;
		assert_int_equal(write_(f, add, &r[i]), CS_OK);
	}
	assert_int_equal(
		oracle_journal_pick_refunds(f->journal, &r[0].chain, 19, picked, 4, &count), CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(picked[0].n, r[1].n);
	assert_int_equal(
		oracle_journal_pick_refunds(f->journal, &r[0].chain, INT64_MAX, picked, 4, &count),
		CS_OK);
	assert_int_equal(count, 2);
	assert_int_equal(picked[1].n, r[2].n);
	struct cs_hash other = same_bytes(0xce);
	assert_int_equal(
		oracle_journal_pick_refunds(f->journal, &other, INT64_MAX, picked, 4, &count),
		CS_OK);
	assert_int_equal(count, 0);
}

static void refused_ones_past_their_deadline(void **state)
{
	struct fixture *f = *state;
	static const enum oracle_state states[] = {ORACLE_REFUSED, ORACLE_REFUSED, ORACLE_REFUSED,
						   ORACLE_EXPIRED};
	struct oracle_request r[CS_LEN(states)];
	struct oracle_request picked[CS_LEN(states)];
	struct oracle_request app = request_of(ORACLE_APP, 9);
	struct cs_hash other = same_bytes(0xce);
	size_t count = 0;
	for (uint8_t i = 0; i < CS_LEN(states); i++) {
		r[i] = request_of(ORACLE_CHAIN, i + 1);
		r[i].state = states[i];
		r[i].head.deadline = 2002u - i;
		assert_int_equal(write_(f, add, &r[i]), CS_OK);
	}
	app.state = ORACLE_REFUSED;
	assert_int_equal(write_(f, add, &app), CS_OK);
	assert_int_equal(oracle_journal_pick_refused(f->journal, &r[0].chain, 1999, picked,
						     CS_LEN(picked), &count),
			 CS_OK);
	assert_int_equal(count, 0);
	assert_int_equal(oracle_journal_pick_refused(f->journal, &r[0].chain, 2001, picked,
						     CS_LEN(picked), &count),
			 CS_OK);
	assert_int_equal(count, 2);
	assert_int_equal(picked[0].n, r[2].n);
	assert_int_equal(picked[1].n, r[1].n);
	assert_int_equal(
		oracle_journal_pick_refused(f->journal, &r[0].chain, 2002, picked, 1, &count),
		CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(oracle_journal_pick_refused(f->journal, &other, INT64_MAX, picked,
						     CS_LEN(picked), &count),
			 CS_OK);
	assert_int_equal(count, 0);
}

/* Of what is still to be brought; what has ended gives a call no more time. */
static void the_last_deadline_of_a_call(void **state)
{
	struct fixture *f = *state;
	uint64_t deadline_s = 1;
	assert_int_equal(oracle_journal_submission_deadline(f->journal, 7, &deadline_s), CS_OK);
	assert_int_equal(deadline_s, 0);
	for (uint8_t i = 0; i < 4; i++) {
		struct oracle_request r = request_of(ORACLE_CHAIN, i + 1);
		r.state = i == 3 ? ORACLE_DONE : ORACLE_SUBMITTED;
		r.head.deadline = 2000u + i;
		assert_int_equal(write_(f, add, &r), CS_OK);
		r.submission = i == 2 ? 8 : 7;
		assert_int_equal(write_(f, save, &r), CS_OK);
	}
	assert_int_equal(oracle_journal_submission_deadline(f->journal, 7, &deadline_s), CS_OK);
	assert_int_equal(deadline_s, 2001);
	assert_int_equal(oracle_journal_submission_deadline(f->journal, 0, &deadline_s), CS_OK);
	assert_int_equal(deadline_s, 0);
}

/* ---- answers ---- */

static void answers(void **state)
{
	struct fixture *f = *state;
	struct oracle_request r = request_of(ORACLE_APP, 1);
	struct oracle_request found;
	struct oracle_statement statement;
	struct cs_bytes result;
	size_t count = 0;
	assert_int_equal(write_(f, add, &r), CS_OK);
	assert_int_equal(oracle_journal_result(f->journal, &r, &f->arena, &result),
			 CS_ERR_NOT_FOUND);
	struct answering a = {&r, statement_of(5)};
	assert_int_equal(write_(f, answer, &a), CS_OK);
	reopen(f);
	struct cs_hash signed_id = same_bytes(0x77);
	assert_int_equal(oracle_journal_find(f->journal, &signed_id, &found), CS_OK);
	assert_int_equal(found.n, r.n);
	assert_int_equal(found.state, ORACLE_DONE);
	assert_int_equal(found.code, WIRE_ORACLE_TIMEOUT);
	assert_int_equal(found.leaf, 1);
	assert_int_equal(oracle_journal_result(f->journal, &found, &f->arena, &result), CS_OK);
	assert_true(cs_bytes_eq(result, cs_bytes_str("result")));
	assert_int_equal(oracle_journal_statement(f->journal, found.statement, &statement), CS_OK);
	assert_int_equal(statement.count, 2);
	assert_memory_equal(statement.leaves, a.statement.leaves, 64);
	assert_memory_equal(&statement.st.statement, &a.statement.st.statement,
			    sizeof(statement.st.statement));
	assert_int_equal(
		oracle_journal_of_statement(f->journal, found.statement, &found, 1, &count), CS_OK);
	assert_int_equal(count, 1);
	/* one that is done takes no second answer */
	assert_int_equal(write_(f, answer, &a), CS_ERR_CONFLICT);
	assert_int_equal(oracle_journal_statement(f->journal, 99, &statement), CS_ERR_NOT_FOUND);
}

/* ---- idempotency, specs, housekeeping ---- */

static enum cs_err remember(struct fixture *f, void *context)
{
	struct cs_hash text = same_bytes(1);
	return oracle_journal_remember(f->journal, "desk", "k1", &text, context);
}

static void keys_and_specs(void **state)
{
	struct fixture *f = *state;
	struct cs_hash id = same_bytes(4);
	struct cs_hash found = {{0}};
	struct cs_hash text = same_bytes(1);
	struct cs_hash other = same_bytes(2);
	struct cs_bytes bytes;
	assert_int_equal(oracle_journal_idempotent(f->journal, "desk", "k1", &text, &found),
			 CS_ERR_NOT_FOUND);
	assert_int_equal(write_(f, remember, &id), CS_OK);
	assert_int_equal(write_(f, remember, &id), CS_ERR_DUPLICATE);
	assert_int_equal(oracle_journal_idempotent(f->journal, "desk", "k1", &other, &found),
			 CS_ERR_CONFLICT);
	assert_int_equal(oracle_journal_idempotent(f->journal, "other", "k1", &text, &found),
			 CS_ERR_NOT_FOUND);
	assert_int_equal(oracle_journal_idempotent(f->journal, "desk", "k1", &text, &found), CS_OK);
	assert_true(cs_hash_eq(&found, &id));
	struct cs_hash hash = {{0}};
	assert_int_equal(oracle_journal_spec(f->journal, &other, &f->arena, &bytes),
			 CS_ERR_NOT_FOUND);
	assert_int_equal(write_(f, put_spec, &hash), CS_OK);
	assert_int_equal(write_(f, put_spec, &hash), CS_OK);
	assert_int_equal(oracle_journal_spec(f->journal, &hash, &f->arena, &bytes), CS_OK);
	assert_true(cs_bytes_eq(bytes, cs_bytes_str(spec)));
}

static void old_ends_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct oracle_request open = request_of(ORACLE_APP, 1);
	struct oracle_request done = request_of(ORACLE_APP, 2);
	struct oracle_request found;
	uint64_t later = host_wall_ms() + 1000;
	assert_int_equal(write_(f, add, &open), CS_OK);
	assert_int_equal(write_(f, add, &done), CS_OK);
	struct answering a = {&done, statement_of(6)};
	assert_int_equal(write_(f, answer, &a), CS_OK);
	struct oracle_statement found_statement;
	assert_int_equal(oracle_journal_statement(f->journal, a.statement.n, &found_statement),
			 CS_OK);
	assert_int_equal(write_(f, prune, &later), CS_OK);
	assert_int_equal(oracle_journal_statement(f->journal, a.statement.n, &found_statement),
			 CS_ERR_NOT_FOUND);
	assert_int_equal(oracle_journal_row(f->journal, open.n, &found), CS_OK);
	assert_int_equal(oracle_journal_row(f->journal, done.n, &found), CS_ERR_NOT_FOUND);
}

/* ---- submissions ---- */

static void submissions(void **state)
{
	struct fixture *f = *state;
	struct oracle_submission row = {.chain = same_bytes(0xcc),
					.contract = same_bytes(0xdd),
					.call = ORACLE_CALL_FULFIL,
					.statement = 4};
	struct oracle_submission found;
	struct cs_bytes data;
	uint64_t rows[2];
	size_t count = 0;
	assert_int_equal(write_(f, add_submission, &row), CS_OK);
	struct adapter_attempt attempt = {.submission = row.n,
					  .terms = {.nonce = 8, .gas_limit = 100, .max_fee_wei = 5},
					  .hash = same_bytes(3),
					  .raw = cs_bytes_str("raw")};
	assert_int_equal(write_(f, add_attempt, &attempt), CS_OK);
	assert_int_equal(write_(f, add_attempt, &attempt), CS_ERR_DUPLICATE);
	reopen(f);
	assert_int_equal(
		oracle_journal_open_submissions(f->journal, &row.chain, 0, rows, 2, &count), CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(oracle_journal_submission(f->journal, rows[0], &found, &f->arena, &data),
			 CS_OK);
	assert_int_equal(found.call, ORACLE_CALL_FULFIL);
	assert_int_equal(found.statement, 4);
	assert_true(cs_bytes_eq(data, cs_bytes_str("call")));
	struct adapter_attempt attempts[2];
	assert_int_equal(oracle_journal_attempts(f->journal, row.n, &f->arena, attempts, 2, &count),
			 CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(attempts[0].terms.nonce, 8);
	found.state = ORACLE_SUBMISSION_SETTLED;
	assert_int_equal(write_(f, save_submission, &found), CS_OK);
	assert_int_equal(
		oracle_journal_open_submissions(f->journal, &row.chain, 0, rows, 2, &count), CS_OK);
	assert_int_equal(count, 0);
	assert_int_equal(oracle_journal_submission(f->journal, 99, &found, &f->arena, &data),
			 CS_ERR_NOT_FOUND);
}

/* ---- feeds ---- */

static enum cs_err save_feed(struct fixture *f, void *context)
{
	return oracle_journal_save_feed(f->journal, context);
}

static enum cs_err add_round(struct fixture *f, void *context)
{
	return oracle_journal_add_round(f->journal, context);
}

static enum cs_err save_round(struct fixture *f, void *context)
{
	return oracle_journal_save_round(f->journal, context);
}

static enum cs_err count_sources(struct fixture *f, void *context)
{
	const struct oracle_feed *feed = context;
	CS_TRY(oracle_journal_count_source(f->journal, feed->n, 0, "a.test:443", false, true));
	CS_TRY(oracle_journal_count_source(f->journal, feed->n, 0, "", true, false));
	return oracle_journal_count_source(f->journal, feed->n, 1, "b.test:443", false, false);
}

static void sources_are_counted(void **state)
{
	struct fixture *f = *state;
	struct oracle_feed feed = {.chain = same_bytes(0xcc),
				   .contract = same_bytes(0xfe),
				   .spec_hash = same_bytes(1),
				   .state = ORACLE_FEED_ACTIVE};
	struct oracle_feed_source sources[3];
	size_t count = 0;
	assert_int_equal(write_(f, count_sources, &feed), CS_ERR_INVALID);
	assert_int_equal(write_(f, add_feed, &feed), CS_OK);
	assert_int_equal(write_(f, count_sources, &feed), CS_OK);
	assert_int_equal(oracle_journal_feed_sources(f->journal, feed.n, sources, 3, &count),
			 CS_OK);
	assert_int_equal(count, 2);
	assert_string_equal(sources[0].host_port, "a.test:443");
	assert_int_equal(sources[0].rounds, 2);
	assert_int_equal(sources[0].failed, 1);
	assert_int_equal(sources[0].disagreed, 1);
	assert_int_equal(sources[1].rounds, 1);
	assert_int_equal(sources[1].disagreed, 0);
}

static void feeds(void **state)
{
	struct fixture *f = *state;
	struct oracle_feed feed = {.chain = same_bytes(0xcc),
				   .contract = same_bytes(0xfe),
				   .index = 2,
				   .spec_hash = same_bytes(1),
				   .state = ORACLE_FEED_ACTIVE,
				   .decimals = 8,
				   .heartbeat_s = 60,
				   .stale_after_s = 61,
				   .deviation_ppm = 62,
				   .good_ms = 63,
				   .spent = true,
				   .asked_ms = 64,
				   .submitted_at = 65,
				   .chain_round = 66,
				   .failures = 67,
				   .next_ms = 68,
				   .gas_total = 69,
				   .stopped = true};
	struct oracle_feed found[2];
	struct oracle_round_row rounds[2];
	size_t count = 0;
	snprintf(feed.settings, sizeof(feed.settings), "{\"poll_s\":5}");
	assert_int_equal(write_(f, add_feed, &feed), CS_OK);
	assert_int_equal(write_(f, add_feed, &feed), CS_ERR_DUPLICATE);
	struct oracle_round_row round = {.feed = feed.n,
					 .time_ms = 5,
					 .outcome = ORACLE_ROUND_SUBMITTED,
					 .value = same_bytes(0xff),
					 .submission = 3,
					 .result = cs_bytes_str("rows")};
	assert_int_equal(write_(f, add_round, &round), CS_OK);
	feed.value = round.value;
	feed.wei_total = cs_u256_u64(99);
	feed.last_round = round.n;
	assert_int_equal(write_(f, save_feed, &feed), CS_OK);
	reopen(f);
	assert_int_equal(oracle_journal_feed(f->journal, &feed.contract, 2, found), CS_OK);
	assert_string_equal(found[0].settings, feed.settings);
	assert_memory_equal(&found[0].value, &feed.value, 32);
	assert_memory_equal(&found[0].wei_total, &feed.wei_total, sizeof(feed.wei_total));
	assert_int_equal(found[0].decimals, 8);
	assert_int_equal(found[0].heartbeat_s, 60);
	assert_int_equal(found[0].stale_after_s, 61);
	assert_int_equal(found[0].deviation_ppm, 62);
	assert_int_equal(found[0].good_ms, 63);
	assert_true(found[0].spent);
	assert_false(found[0].jump_allowed);
	assert_int_equal(found[0].asked_ms, 64);
	assert_int_equal(found[0].submitted_at, 65);
	assert_int_equal(found[0].chain_round, 66);
	assert_int_equal(found[0].failures, 67);
	assert_int_equal(found[0].next_ms, 68);
	assert_int_equal(found[0].gas_total, 69);
	assert_true(found[0].stopped);
	assert_int_equal(found[0].last_round, round.n);
	assert_int_equal(oracle_journal_feed(f->journal, &feed.contract, 3, found),
			 CS_ERR_NOT_FOUND);
	assert_int_equal(oracle_journal_rounds_of(f->journal, 3, &f->arena, rounds, 2, &count),
			 CS_OK);
	assert_int_equal(count, 1);
	rounds[0].outcome = ORACLE_ROUND_INCLUDED;
	assert_int_equal(write_(f, save_round, &rounds[0]), CS_OK);
	assert_int_equal(oracle_journal_rounds(f->journal, feed.n, 0, &f->arena, rounds, 2, &count),
			 CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(rounds[0].outcome, ORACLE_ROUND_INCLUDED);
	assert_true(cs_bytes_eq(rounds[0].result, cs_bytes_str("rows")));
	assert_int_equal(oracle_journal_round(f->journal, feed.n, round.n, &f->arena, &rounds[1]),
			 CS_OK);
	assert_int_equal(rounds[1].n, round.n);
	/* Of another feed, and one that there is not. */
	assert_int_equal(
		oracle_journal_round(f->journal, feed.n + 1, round.n, &f->arena, &rounds[1]),
		CS_ERR_NOT_FOUND);
	assert_int_equal(
		oracle_journal_round(f->journal, feed.n, round.n + 1, &f->arena, &rounds[1]),
		CS_ERR_NOT_FOUND);
	assert_int_equal(write_(f, remove_feed, &feed), CS_OK);
	assert_int_equal(oracle_journal_feeds(f->journal, 0, found, 2, &count), CS_OK);
	assert_int_equal(count, 0);
	assert_int_equal(oracle_journal_rounds(f->journal, feed.n, 0, &f->arena, rounds, 2, &count),
			 CS_OK);
	assert_int_equal(count, 0);
}

/* ---- states ---- */

static void states(void **state)
{
	enum oracle_state s = 0;
	(void)state;
	for (unsigned i = 1; i <= ORACLE_STATE_MAX; i++) {
		assert_int_equal(oracle_state_parse(&s, oracle_state_name(i)), CS_OK);
		assert_int_equal(s, i);
	}
	assert_null(oracle_state_name(0));
	assert_null(oracle_state_name(ORACLE_STATE_MAX + 1));
	assert_int_equal(oracle_state_parse(&s, "nothing"), CS_ERR_INVALID);
	s = ORACLE_OBSERVED;
	assert_int_equal(oracle_state_move(&s, ORACLE_SUBMITTED), CS_ERR_CONFLICT);
	s = ORACLE_DONE;
	assert_int_equal(oracle_state_move(&s, ORACLE_DONE), CS_ERR_CONFLICT);
	assert_int_equal(oracle_state_move(&s, ORACLE_REFUNDED), CS_ERR_CONFLICT);
	assert_true(oracle_state_ends(ORACLE_EXPIRED));
	assert_false(oracle_state_ends(ORACLE_SUBMITTED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(an_id_is_there_once, setup, teardown),
		cmocka_unit_test_setup_teardown(moves_by_the_table, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_due, setup, teardown),
		cmocka_unit_test_setup_teardown(refunds_that_are_due, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_ones_past_their_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_deadline_of_a_call, setup, teardown),
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_and_specs, setup, teardown),
		cmocka_unit_test_setup_teardown(old_ends_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(submissions, setup, teardown),
		cmocka_unit_test_setup_teardown(feeds, setup, teardown),
		cmocka_unit_test_setup_teardown(sources_are_counted, setup, teardown),
		cmocka_unit_test(states),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
