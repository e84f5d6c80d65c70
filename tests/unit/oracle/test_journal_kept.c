/* What the oracle's journal keeps, forgets, counts and deals out: every asker has a turn, and what grew
 * old leaves, but nothing that somebody still refers to. */
#include "tests/unit/oracle/journals.h"

static void published_specs_are_counted_by_key(void **state)
{
	struct fixture *f = *state;
	struct oracle_request request = request_of(ORACLE_APP, 1);
	struct cs_hash hash = {{0}};
	uint64_t size = 7;
	assert_int_equal(oracle_journal_spec_size(f->journal, "desk", 1024, &size), CS_OK);
	assert_int_equal(size, 0);
	assert_int_equal(write_(f, put_spec, &hash), CS_OK);
	assert_int_equal(write_(f, put_spec, &hash), CS_OK);
	assert_int_equal(oracle_journal_spec_size(f->journal, "desk", 1024, &size), CS_OK);
	assert_int_equal(size, 1024);
	assert_int_equal(oracle_journal_spec_size(f->journal, "desk", 0, &size), CS_OK);
	assert_int_equal(size, strlen(spec));
	assert_int_equal(oracle_journal_spec_size(f->journal, "other", 1024, &size), CS_OK);
	assert_int_equal(size, 0);
	/* what came with a request is no key's */
	assert_int_equal(write_(f, add, &request), CS_OK);
	assert_int_equal(oracle_journal_spec_size(f->journal, "", 1024, &size), CS_OK);
	assert_int_equal(size, 0);
}

static enum cs_err prune_specs(struct fixture *f, void *context)
{
	bool more = true;
	CS_TRY(oracle_journal_prune(f->journal, ORACLE_PRUNE_SPECS, *(uint64_t *)context, &more));
	return more ? CS_ERR_TOO_LARGE : CS_OK;
}

static void a_spec_that_nobody_names_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct oracle_request request = request_of(ORACLE_APP, 1);
	struct cs_hash hash = {{0}};
	struct cs_bytes bytes;
	uint64_t before = host_wall_ms() - 60000;
	uint64_t later = host_wall_ms() + 60000;
	assert_int_equal(write_(f, put_spec, &hash), CS_OK);
	assert_int_equal(write_(f, prune_specs, &before), CS_OK); /* too young */
	assert_int_equal(oracle_journal_spec(f->journal, &hash, &f->arena, &bytes), CS_OK);
	assert_int_equal(write_(f, add, &request), CS_OK);
	assert_int_equal(write_(f, prune_specs, &later), CS_OK); /* asked for */
	assert_int_equal(oracle_journal_spec(f->journal, &hash, &f->arena, &bytes), CS_OK);
	assert_int_equal(write_(f, forget, &request), CS_OK);
	struct oracle_feed feed = {.chain = same_bytes(0xcc),
				   .contract = same_bytes(0xfe),
				   .spec_hash = hash,
				   .state = ORACLE_FEED_ACTIVE};
	assert_int_equal(write_(f, add_feed, &feed), CS_OK);
	assert_int_equal(write_(f, prune_specs, &later), CS_OK); /* a feed's */
	assert_int_equal(oracle_journal_spec(f->journal, &hash, &f->arena, &bytes), CS_OK);
	assert_int_equal(write_(f, remove_feed, &feed), CS_OK);
	assert_int_equal(write_(f, prune_specs, &later), CS_OK);
	assert_int_equal(oracle_journal_spec(f->journal, &hash, &f->arena, &bytes),
			 CS_ERR_NOT_FOUND);
}

struct chain_prune {
	struct cs_hash chain;
	uint64_t before_ms;
	uint64_t height;
};

static enum cs_err prune_chain(struct fixture *f, void *context)
{
	const struct chain_prune *prune_ = context;
	bool more = true;
	CS_TRY(oracle_journal_prune_chain(f->journal, &prune_->chain, prune_->before_ms,
					  prune_->height, &more));
	return more ? CS_ERR_TOO_LARGE : CS_OK;
}

static enum cs_err to_expired(struct fixture *f, void *context)
{
	return oracle_journal_move(f->journal, context, ORACLE_EXPIRED);
}

static void old_ends_of_a_chain_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct oracle_request open = request_of(ORACLE_CHAIN, 1);  /* at height 11 */
	struct oracle_request ended = request_of(ORACLE_CHAIN, 2); /* at height 12 */
	struct oracle_request found;
	struct chain_prune what = {same_bytes(0xcc), host_wall_ms() + 60000, 40};
	assert_int_equal(write_(f, add, &open), CS_OK);
	assert_int_equal(write_(f, add, &ended), CS_OK);
	ended.end_height = 30;
	assert_int_equal(write_(f, to_expired, &ended), CS_OK);
	const struct chain_prune kept[] = {
		{same_bytes(0xcc), host_wall_ms() - 60000, 40}, /* too young */
		{same_bytes(0xcc), what.before_ms, 29},         /* its end may be taken back */
		{same_bytes(0xcc), what.before_ms, 11},         /* not deep enough */
		{same_bytes(0xcd), what.before_ms, 40},         /* another chain's */
	};
	for (size_t i = 0; i < CS_LEN(kept); i++) {
		struct chain_prune prune_ = kept[i];
		assert_int_equal(write_(f, prune_chain, &prune_), CS_OK);
		assert_int_equal(oracle_journal_row(f->journal, ended.n, &found), CS_OK);
	}
	assert_int_equal(write_(f, prune_chain, &what), CS_OK);
	assert_int_equal(oracle_journal_row(f->journal, ended.n, &found), CS_ERR_NOT_FOUND);
	assert_int_equal(oracle_journal_row(f->journal, open.n, &found), CS_OK);
}

/* ---- counts ---- */

struct counted {
	uint64_t open;
	uint64_t done;
	uint64_t all;
};

static void count_one(void *ctx, enum oracle_kind kind, enum oracle_state state_, uint32_t code,
		      uint64_t count)
{
	struct counted *counted = ctx;
	assert_int_equal(kind, ORACLE_APP);
	counted->open += state_ == ORACLE_OPEN && code == 0 ? count : 0;
	counted->done += state_ == ORACLE_DONE && code == WIRE_ORACLE_TIMEOUT ? count : 0;
	counted->all += count;
}

static void counts_are(struct fixture *f, uint64_t open, uint64_t done)
{
	struct counted counted = {0};
	assert_int_equal(oracle_journal_counts(f->journal, count_one, &counted), CS_OK);
	assert_int_equal(counted.open, open);
	assert_int_equal(counted.done, done);
	assert_int_equal(counted.all, open + done);
}

static enum cs_err add_and_fail(struct fixture *f, void *context)
{
	CS_TRY(add(f, context));
	return CS_ERR_CONFLICT;
}

static void counts_follow_the_rows(void **state)
{
	struct fixture *f = *state;
	struct oracle_request one = request_of(ORACLE_APP, 1);
	struct oracle_request two = request_of(ORACLE_APP, 2);
	struct oracle_request three = request_of(ORACLE_APP, 3);
	uint64_t later = host_wall_ms() + 60000;
	counts_are(f, 0, 0);
	assert_int_equal(write_(f, add, &one), CS_OK);
	assert_int_equal(write_(f, add, &two), CS_OK);
	assert_int_equal(write_(f, add_and_fail, &three), CS_ERR_CONFLICT);
	counts_are(f, 2, 0);
	assert_int_equal(write_(f, save, &one), CS_OK);
	counts_are(f, 2, 0);
	struct answering a = {&one, statement_of(7)};
	assert_int_equal(write_(f, answer, &a), CS_OK);
	counts_are(f, 1, 1);
	reopen(f);
	counts_are(f, 1, 1);
	assert_int_equal(write_(f, prune, &later), CS_OK);
	counts_are(f, 1, 0);
}

/* ---- askers ---- */

static void every_asker_has_a_turn(void **state)
{
	struct fixture *f = *state;
	struct oracle_request rows[8];
	struct oracle_request found[8];
	size_t count = 0;
	for (uint8_t i = 0; i < 6; i++) {
		rows[i] = request_of(ORACLE_CHAIN, (uint8_t)(i + 1));
		rows[i].next_ms = 10 + i;
		if (i == 5)
			rows[i].head.asker = same_bytes(0x5a); /* the others are one asker's */
		assert_int_equal(write_(f, add, &rows[i]), CS_OK);
	}
	struct oracle_pick pick = {.kind = ORACLE_CHAIN,
				   .chain = &rows[0].chain,
				   .state = ORACLE_OBSERVED,
				   .due_ms = 100,
				   .asker_max = 3};
	assert_int_equal(oracle_journal_pick(f->journal, &pick, found, 8, &count), CS_OK);
	assert_int_equal(count, 4);
	assert_int_equal(found[0].n, rows[0].n);
	assert_int_equal(found[1].n, rows[5].n);
	assert_int_equal(found[2].n, rows[1].n);
	assert_int_equal(found[3].n, rows[2].n);
	pick.due_ms = 12; /* the other's is not due */
	assert_int_equal(oracle_journal_pick(f->journal, &pick, found, 8, &count), CS_OK);
	assert_int_equal(count, 3);
	pick.due_ms = 100;
	assert_int_equal(oracle_journal_pick(f->journal, &pick, found, 2, &count), CS_OK);
	assert_int_equal(count, 2);
	assert_int_equal(found[1].n, rows[5].n);
	pick.asker_max = 0;
	assert_int_equal(oracle_journal_pick(f->journal, &pick, found, 8, &count), CS_OK);
	assert_int_equal(count, 6);
}

/* ---- submissions ---- */

struct spending {
	struct cs_hash chain;
	struct cs_hash asker;
	uint64_t gas;
	uint64_t forget_ms;
};

static enum cs_err spend(struct fixture *f, void *context)
{
	const struct spending *s = context;
	return oracle_journal_add_unpaid(f->journal, &s->chain, &s->asker, s->gas, s->forget_ms);
}

static void gas_without_a_fee_is_added_up(void **state)
{
	struct fixture *f = *state;
	struct spending one = {same_bytes(1), same_bytes(0xa1), 100, 0};
	struct spending two = {same_bytes(1), same_bytes(0xa2), 20, 0};
	struct spending elsewhere = {same_bytes(2), same_bytes(0xa1), 3, 0};
	struct oracle_unpaid gas = {7, 7};
	uint64_t since = host_wall_ms() - 60000;
	uint64_t later = host_wall_ms() + 60000;
	assert_int_equal(oracle_journal_unpaid(f->journal, &one.chain, &one.asker, since, &gas),
			 CS_OK);
	assert_int_equal(gas.of_asker + gas.of_all, 0);
	assert_int_equal(write_(f, spend, &one), CS_OK);
	assert_int_equal(write_(f, spend, &one), CS_OK);
	assert_int_equal(write_(f, spend, &two), CS_OK);
	assert_int_equal(write_(f, spend, &elsewhere), CS_OK);
	reopen(f);
	assert_int_equal(oracle_journal_unpaid(f->journal, &one.chain, &one.asker, since, &gas),
			 CS_OK);
	assert_int_equal(gas.of_asker, 200);
	assert_int_equal(gas.of_all, 220);
	assert_int_equal(oracle_journal_unpaid(f->journal, &one.chain, &one.asker, later, &gas),
			 CS_OK);
	assert_int_equal(gas.of_asker + gas.of_all, 0);
	two.forget_ms = later; /* all but the new one are forgotten */
	assert_int_equal(write_(f, spend, &two), CS_OK);
	assert_int_equal(oracle_journal_unpaid(f->journal, &one.chain, &two.asker, since, &gas),
			 CS_OK);
	assert_int_equal(gas.of_asker, 20);
	assert_int_equal(gas.of_all, 20);
}

static void settled_submissions_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct oracle_submission rows[4];
	struct oracle_submission found;
	struct adapter_attempt attempts[2];
	size_t count = 0;
	uint64_t later = host_wall_ms() + 60000;
	uint64_t before = host_wall_ms() - 60000;
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		rows[i] = (struct oracle_submission){.chain = same_bytes(0xcc),
						     .contract = same_bytes(0xdd),
						     .call = i == 1 ? ORACLE_CALL_ANNOUNCE
								    : ORACLE_CALL_FULFIL};
		assert_int_equal(write_(f, add_submission, &rows[i]), CS_OK);
		struct adapter_attempt attempt = {
			.submission = rows[i].n, .hash = same_bytes(3), .raw = cs_bytes_str("raw")};
		assert_int_equal(write_(f, add_attempt, &attempt), CS_OK);
		rows[i].state = i == 2 ? ORACLE_SUBMISSION_INCLUDED : ORACLE_SUBMISSION_SETTLED;
		assert_int_equal(write_(f, save_submission, &rows[i]), CS_OK);
	}
	assert_int_equal(write_(f, prune, &before), CS_OK); /* too young */
	assert_int_equal(oracle_journal_submission(f->journal, rows[0].n, &found, NULL, NULL),
			 CS_OK);
	assert_int_equal(write_(f, prune, &later), CS_OK);
	assert_int_equal(oracle_journal_submission(f->journal, rows[0].n, &found, NULL, NULL),
			 CS_ERR_NOT_FOUND);
	assert_int_equal(
		oracle_journal_attempts(f->journal, rows[0].n, &f->arena, attempts, 2, &count),
		CS_OK);
	assert_int_equal(count, 0);
	/* an announcement, one that is not settled, and the newest: numbers go on rising */
	for (size_t i = 1; i < CS_LEN(rows); i++) {
		assert_int_equal(
			oracle_journal_submission(f->journal, rows[i].n, &found, NULL, NULL),
			CS_OK);
		assert_int_equal(oracle_journal_attempts(f->journal, rows[i].n, &f->arena, attempts,
							 2, &count),
				 CS_OK);
		assert_int_equal(count, 1);
	}
}

/* ---- portions ---- */

static enum cs_err add_statements(struct fixture *f, void *context)
{
	const unsigned *count = context;
	for (unsigned i = 0; i < *count; i++) {
		struct oracle_statement statement = statement_of(1);
		memcpy(statement.st.signature.rx.b, &i, sizeof(i));
		CS_TRY(oracle_journal_add_statement(f->journal, &statement));
		assert_int_equal(statement.n, i + 1u);
	}
	return CS_OK;
}

struct portion {
	uint64_t before_ms;
	bool more;
};

static enum cs_err prune_statements(struct fixture *f, void *context)
{
	struct portion *portion = context;
	return oracle_journal_prune(f->journal, ORACLE_PRUNE_STATEMENTS, portion->before_ms,
				    &portion->more);
}

static unsigned statements_left(struct fixture *f, unsigned count)
{
	unsigned left = 0;
	for (unsigned n = 1; n <= count; n++) {
		struct oracle_statement statement;
		left += oracle_journal_statement(f->journal, n, &statement) == CS_OK;
	}
	return left;
}

static void a_portion_is_bounded_and_the_rest_follows(void **state)
{
	struct fixture *f = *state;
	unsigned count = 2 * ORACLE_PRUNE_ROWS + 3;
	struct oracle_request kept = request_of(ORACLE_APP, 1);
	struct oracle_submission call = {
		.chain = same_bytes(0xcc), .contract = same_bytes(0xdd), .statement = 3};
	struct portion portion = {host_wall_ms() - 60000, true};
	assert_int_equal(write_(f, add_statements, &count), CS_OK);
	assert_int_equal(write_(f, add, &kept), CS_OK);
	kept.statement = 2;
	assert_int_equal(write_(f, save, &kept), CS_OK);
	assert_int_equal(write_(f, add_submission, &call), CS_OK);
	assert_int_equal(write_(f, prune_statements, &portion), CS_OK); /* too young */
	assert_false(portion.more);
	assert_int_equal(statements_left(f, count), count);
	portion.before_ms = host_wall_ms() + 60000;
	for (unsigned left = count; left > ORACLE_PRUNE_ROWS;) {
		assert_int_equal(write_(f, prune_statements, &portion), CS_OK);
		assert_true(portion.more);
		left -= ORACLE_PRUNE_ROWS;
		assert_int_equal(statements_left(f, count), left);
	}
	assert_int_equal(write_(f, prune_statements, &portion), CS_OK);
	assert_false(portion.more);
	assert_int_equal(statements_left(f, count), 2); /* a request's and a call's */
	assert_int_equal(statements_left(f, 3), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(published_specs_are_counted_by_key, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_spec_that_nobody_names_is_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(old_ends_of_a_chain_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_follow_the_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(every_asker_has_a_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(gas_without_a_fee_is_added_up, setup, teardown),
		cmocka_unit_test_setup_teardown(settled_submissions_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(a_portion_is_bounded_and_the_rest_follows, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
