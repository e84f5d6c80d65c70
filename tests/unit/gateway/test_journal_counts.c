/* What the journal says of all its messages: how many are where, why they do not go on, how long steps took. */
#include "tests/unit/gateway/journal_fixture.h"

struct counted {
	struct gateway_count rows[24];
	char reasons[24][GATEWAY_WHY_MAX + 1];
	size_t count;
};

static void count_one(void *ctx, const struct gateway_count *row)
{
	struct counted *counted = ctx;
	assert_true(counted->count < CS_LEN(counted->rows));
	counted->rows[counted->count++] = *row;
}

static void reason_one(void *ctx, const struct gateway_count *row, const char *reason)
{
	struct counted *counted = ctx;
	snprintf(counted->reasons[counted->count], sizeof(counted->reasons[0]), "%s", reason);
	count_one(ctx, row);
}

static enum cs_err save_body(struct fixture *f, void *context)
{
	return gateway_journal_save(f->journal, context);
}

/* What is tried again and again is written again and again, and is as old as it was. */
static void the_oldest_is_as_old_as_its_first_row(void **state)
{
	struct fixture *f = *state;
	struct counted counted = {.count = 0};
	struct gateway_message m = sample(1, RELAY_SOURCE);
	struct gateway_message other = sample(2, RELAY_SOURCE);
	assert_int_equal(add(f, &m), CS_OK);
	uint64_t born = m.created_ms;
	do {
		assert_int_equal(write_(f, save_body, &m), CS_OK);
	} while (m.updated_ms == born);
	other.remote = a_hash(0xc0, 3);
	assert_int_equal(add(f, &other), CS_OK);
	assert_int_equal(gateway_journal_counts(f->journal, count_one, &counted), CS_OK);
	assert_int_equal(counted.count, 2);
	assert_int_equal(counted.rows[0].count, 1);
	assert_int_equal(counted.rows[0].oldest_ms, born);
	assert_true(cs_hash_eq(&counted.rows[0].remote, &m.remote));
	assert_true(cs_hash_eq(&counted.rows[1].remote, &other.remote));
}

/* Beside a count of the rows, whatever happens to them: moves, saves, a batch that fails, a new opening. */
static void check_counts(struct fixture *f)
{
	struct counted counted = {.count = 0};
	struct host_stmt *rows = NULL;
	bool row = false;
	uint64_t sum = 0;
	assert_int_equal(gateway_journal_counts(f->journal, count_one, &counted), CS_OK);
	assert_int_equal(host_stmt_new(&rows, gateway_journal_store(f->journal),
				       "SELECT count(*),min(created_ms),state IN (9,12,13) FROM "
				       "messages GROUP BY chain,remote,side,state ORDER BY "
				       "chain,remote,side,state"),
			 CS_OK);
	for (size_t i = 0;; i++) {
		assert_int_equal(host_stmt_next(rows, &row), CS_OK);
		if (!row) {
			assert_int_equal(i, counted.count);
			break;
		}
		assert_int_equal(counted.rows[i].count, host_column_u64(rows, 0));
		assert_int_equal(counted.rows[i].oldest_ms,
				 host_column_u64(rows, 2) ? 0 : host_column_u64(rows, 1));
		sum += counted.rows[i].count;
	}
	host_stmt_free(rows);
	assert_true(sum > 0);
}

static enum cs_err move_and_fail(struct fixture *f, void *context)
{
	assert_int_equal(gateway_journal_move(f->journal, context, RELAY_ON_VANISH), CS_OK);
	return CS_ERR_INVALID;
}

static enum cs_err step_body(struct fixture *f, void *context)
{
	return gateway_journal_step(f->journal, context);
}

struct told_steps {
	struct gateway_step steps[16];
	size_t count;
};

static void keep_step(void *ctx, const struct gateway_step *step)
{
	struct told_steps *told = ctx;
	assert_true(told->count < CS_LEN(told->steps));
	told->steps[told->count++] = *step;
}

/* Of the route's finalized ones alone, the newest, in order. */
static void step_times_are_of_what_was_finalized(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m[5];
	struct told_steps told = {.count = 0};
	for (uint8_t i = 0; i < CS_LEN(m); i++) {
		m[i] = sample(i + 1, i == 3 ? RELAY_DESTINATION : RELAY_SOURCE);
		m[i].remote = a_hash(0xc0, i == 4 ? 3 : 2);
		/* the last but one is not finalized; another side, another route */
		m[i].state = i == 2 ? RELAY_SIGNED : RELAY_FINALIZED;
		assert_int_equal(add(f, &m[i]), CS_OK);
		for (unsigned n = 3; n < 6; n++) {
			struct gateway_step step = {.message = m[i].n,
						    .step = (enum relay_step)n,
						    .time_ms = 1000u * i + n};
			assert_int_equal(write_(f, step_body, &step), CS_OK);
		}
	}
	assert_int_equal(gateway_journal_step_times(f->journal, &m[0].chain, &m[0].remote, 9,
						    keep_step, &told),
			 CS_OK);
	assert_int_equal(told.count, 6);
	for (size_t i = 0; i < told.count; i++) {
		assert_int_equal(told.steps[i].message, m[i / 3].n);
		assert_int_equal(told.steps[i].step, 3 + i % 3);
		assert_int_equal(told.steps[i].time_ms, 1000 * (i / 3) + 3 + i % 3);
	}
	told.count = 0;
	assert_int_equal(gateway_journal_step_times(f->journal, &m[0].chain, &m[0].remote, 1,
						    keep_step, &told),
			 CS_OK);
	assert_int_equal(told.count, 3);
	assert_int_equal(told.steps[0].message, m[1].n);
}

static void counts_are_those_of_the_rows(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m[12];
	for (uint8_t i = 0; i < CS_LEN(m); i++) {
		m[i] = sample(i + 1, i % 3 ? RELAY_SOURCE : RELAY_DESTINATION);
		m[i].remote = a_hash(0xc0, i % 2 ? 2 : 3);
		assert_int_equal(add(f, &m[i]), CS_OK);
		check_counts(f);
	}
	/* Each of the places that an open row may have in the indices. */
	m[1].submission = 7;
	m[2].end_height = 9;
	m[4].submission = 8;
	m[4].end_height = 9;
	for (uint8_t i = 0; i < CS_LEN(m); i++)
		assert_int_equal(write_(f, save_body, &m[i]), CS_OK);
	check_counts(f);
	static const enum relay_event events[] = {RELAY_ON_REACH_FINALITY, RELAY_ON_VERIFY,
						  RELAY_ON_SIGN};
	for (size_t k = 0; k < CS_LEN(events); k++)
		for (uint8_t i = 0; i < CS_LEN(m); i++)
			if (relay_may_move(m[i].state, events[k])) {
				assert_int_equal(move(f, &m[i], events[k]), CS_OK);
				check_counts(f);
			}
	struct gateway_message gone = sample(77, RELAY_SOURCE);
	struct gateway_message kept = sample(78, RELAY_SOURCE);
	assert_int_equal(add(f, &gone), CS_OK);
	assert_int_equal(add(f, &kept), CS_OK);
	assert_int_equal(move(f, &gone, RELAY_ON_VANISH), CS_OK);
	check_counts(f);
	assert_int_equal(write_(f, move_and_fail, &kept), CS_ERR_INVALID);
	check_counts(f);
	/* back again */
	assert_int_equal(move(f, &gone, RELAY_ON_OBSERVE), CS_OK);
	check_counts(f);
}

/* What a writer that was undone left in a structure is not believed: the row says where it was. */
static void a_row_that_was_read_before_is_counted_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct gateway_message m = sample(1, RELAY_SOURCE);
	struct gateway_message now;
	assert_int_equal(add(f, &m), CS_OK);
	struct gateway_message stale = m;
	assert_int_equal(write_(f, move_and_fail, &m), CS_ERR_INVALID);
	assert_int_equal(m.state, RELAY_ABANDONED);
	check_counts(f);
	assert_int_equal(move(f, &m, RELAY_ON_OBSERVE), CS_OK);
	check_counts(f);
	assert_int_equal(move(f, &m, RELAY_ON_REACH_FINALITY), CS_OK);
	assert_int_equal(move(f, &stale, RELAY_ON_VANISH), CS_OK);
	check_counts(f);
	assert_int_equal(gateway_journal_row(f->journal, m.n, &now), CS_OK);
	assert_int_equal(now.state, RELAY_ABANDONED);
	m.n += 9;
	assert_int_equal(write_(f, save_body, &m), CS_ERR_NOT_FOUND);
	check_counts(f);
}

static enum cs_err add_many(struct fixture *f, void *context)
{
	const struct wire_message content = {.sender = cs_bytes_str("sender"),
					     .recipient = cs_bytes_str("recipient")};
	for (uint8_t i = 0; i < 100; i++) {
		struct gateway_message m = sample(i + 1, RELAY_SOURCE);
		m.remote = a_hash(0xc0, i);
		CS_TRY(gateway_journal_add(f->journal, &m, &content));
	}
	return *(const enum cs_err *)context;
}

static void count_rows(void *ctx, const struct gateway_count *row)
{
	*(uint64_t *)ctx += row->count;
}

/* One writer, more routes than sums are kept for: all of them are counted, or none. */
static void a_writer_of_many_routes_counts_all(void **state)
{
	struct fixture *f = *state;
	enum cs_err outcome = CS_ERR_INVALID;
	uint64_t sum = 0;
	assert_int_equal(write_(f, add_many, &outcome), CS_ERR_INVALID);
	assert_int_equal(gateway_journal_counts(f->journal, count_rows, &sum), CS_OK);
	assert_int_equal(sum, 0);
	outcome = CS_OK;
	assert_int_equal(write_(f, add_many, &outcome), CS_OK);
	assert_int_equal(gateway_journal_counts(f->journal, count_rows, &sum), CS_OK);
	assert_int_equal(sum, 100);
	reopen(f);
	sum = 0;
	assert_int_equal(gateway_journal_counts(f->journal, count_rows, &sum), CS_OK);
	assert_int_equal(sum, 100);
}

static void reasons_are_of_what_has_not_ended(void **state)
{
	static const char *const whys[] = {"unavailable: no node answers", "unavailable: another",
					   "reverted for good: KeyExpired", "no colon", ""};
	struct fixture *f = *state;
	struct counted counted = {.count = 0};
	for (uint8_t n = 0; n < CS_LEN(whys); n++) {
		struct gateway_message m = sample(n + 1, RELAY_SOURCE);
		assert_int_equal(add(f, &m), CS_OK);
		snprintf(m.why, sizeof(m.why), "%s", whys[n]);
		assert_int_equal(write_(f, save_body, &m), CS_OK);
	}
	struct gateway_message gone = sample(9, RELAY_SOURCE);
	assert_int_equal(add(f, &gone), CS_OK);
	snprintf(gone.why, sizeof(gone.why), "reorged: it vanished");
	assert_int_equal(move(f, &gone, RELAY_ON_VANISH), CS_OK);
	assert_int_equal(gateway_journal_reasons(f->journal, reason_one, &counted), CS_OK);
	assert_int_equal(counted.count, 3);
	assert_string_equal(counted.reasons[0], "no colon");
	assert_string_equal(counted.reasons[1], "reverted for good");
	assert_string_equal(counted.reasons[2], "unavailable");
	assert_int_equal(counted.rows[2].count, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_oldest_is_as_old_as_its_first_row),
		T(counts_are_those_of_the_rows),
		T(a_row_that_was_read_before_is_counted_where_it_is),
		T(a_writer_of_many_routes_counts_all),
		T(step_times_are_of_what_was_finalized),
		T(reasons_are_of_what_has_not_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
