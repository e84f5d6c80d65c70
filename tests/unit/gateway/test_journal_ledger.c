/* What waits for the bridge's ledger: every move from its making on, with its facts, until the ledger has
 * it, across crashes; and nothing where there is no ledger. */
#include "gateway/journal_ledger.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <unistd.h>

struct fixture {
	struct gateway_journal *journal;
	char path[64];
	struct cs_arena arena;
	struct gateway_message message;
	struct ledger_move moves[LEDGER_PLAN_MOVES_MAX];
	uint64_t rows[LEDGER_PLAN_MOVES_MAX];
	size_t count;
};

static uint8_t memory[1 << 16];

static int setup(void **state)
{
	static struct fixture f;
	struct cs_why why = {{0}};
	memset(&f, 0, sizeof(f));
	snprintf(f.path, sizeof(f.path), "/tmp/caisson-journal-XXXXXX");
	int fd = mkstemp(f.path);
	if (fd < 0)
		return -1;
	close(fd);
	unlink(f.path);
	cs_arena_init(&f.arena, memory, sizeof(memory));
	*state = &f;
	return gateway_journal_open(&f.journal, NULL, f.path, &why) == CS_OK ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	struct fixture *f = *state;
	gateway_journal_close(f->journal);
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		char name[96];
		snprintf(name, sizeof(name), "%s%s", f->path, ends[i]);
		unlink(name);
	}
	return 0;
}

static void reopen(struct fixture *f)
{
	struct cs_why why = {{0}};
	gateway_journal_close(f->journal);
	assert_int_equal(gateway_journal_open(&f->journal, NULL, f->path, &why), CS_OK);
	gateway_journal_keep_moves(f->journal);
}

typedef enum cs_err body_fn(struct fixture *f, const void *context);
struct run {
	struct fixture *f;
	body_fn *body;
	const void *context;
};

static enum cs_err run_body(void *context)
{
	const struct run *run = context;
	return run->body(run->f, run->context);
}

static enum cs_err write_(struct fixture *f, body_fn *body, const void *context)
{
	struct run run = {f, body, context};
	return host_store_write(gateway_journal_store(f->journal), run_body, &run, NULL, NULL);
}

static struct cs_hash a_hash(uint8_t first, uint8_t last)
{
	struct cs_hash hash = {{0}};
	hash.b[0] = first;
	hash.b[31] = last;
	return hash;
}

static enum cs_err add_body(struct fixture *f, const void *context)
{
	const struct wire_message content = {.sender = cs_bytes_str("sender"),
					     .recipient = cs_bytes_str("recipient"),
					     .payload = cs_bytes_str("payload")};
	(void)context;
	return gateway_journal_add(f->journal, &f->message, &content);
}

static void add(struct fixture *f, uint8_t n, enum relay_side side)
{
	f->message = (struct gateway_message){.id = a_hash(1, n),
					      .side = side,
					      .state = relay_first(side),
					      .chain = a_hash(0xc0, 1),
					      .remote = a_hash(0xc0, 2),
					      .sequence = n,
					      .height = 100u + n,
					      .block = a_hash(0xb0, n),
					      .tx = a_hash(0x70, n)};
	assert_ok(write_(f, add_body, NULL));
}

static enum cs_err move_body(struct fixture *f, const void *context)
{
	return gateway_journal_move(f->journal, &f->message, *(const enum relay_event *)context);
}

static enum cs_err move(struct fixture *f, enum relay_event event)
{
	return write_(f, move_body, &event);
}

static struct ledger_route route_of(enum relay_side side)
{
	bool source = side == RELAY_SOURCE;
	return (struct ledger_route){a_hash(0xc0, source ? 1 : 2), a_hash(0xc0, source ? 2 : 1),
				     (uint8_t)side};
}

static size_t load(struct fixture *f, enum relay_side side, uint64_t after)
{
	const struct ledger_route route = route_of(side);
	assert_ok(gateway_journal_ledger_moves(f->journal, &route, after, f->moves, f->rows,
					       LEDGER_PLAN_MOVES_MAX, &f->count));
	return f->count;
}

static uint64_t backlog(struct fixture *f)
{
	uint64_t moves = 99;
	assert_ok(gateway_journal_ledger_backlog(f->journal, &moves));
	return moves;
}

/* ---- moves ---- */

static void nothing_is_kept_without_a_ledger(void **state)
{
	struct fixture *f = *state;
	add(f, 1, RELAY_SOURCE);
	assert_ok(move(f, RELAY_ON_REACH_FINALITY));
	assert_int_equal(backlog(f), 0);
	/* From now on; what came before is not made up. */
	gateway_journal_keep_moves(f->journal);
	assert_ok(move(f, RELAY_ON_VERIFY));
	assert_int_equal(load(f, RELAY_SOURCE, 0), 1);
	assert_int_equal(f->moves[0].record.event, RELAY_ON_VERIFY);
}

static void moves_wait_in_their_order_with_their_facts(void **state)
{
	struct fixture *f = *state;
	gateway_journal_keep_moves(f->journal);
	add(f, 7, RELAY_DESTINATION);
	assert_ok(move(f, RELAY_ON_SUBMIT));
	f->message.status_height = 500;
	f->message.status_tx = a_hash(0x77, 7);
	assert_ok(move(f, RELAY_ON_INCLUDE));
	/* An illegal move is none. */
	assert_int_equal(move(f, RELAY_ON_REFUND), CS_ERR_CONFLICT);
	reopen(f);
	assert_int_equal(load(f, RELAY_DESTINATION, 0), 3);
	static const enum relay_event events[] = {RELAY_ON_SIGN, RELAY_ON_SUBMIT, RELAY_ON_INCLUDE};
	const struct ledger_route route = route_of(RELAY_DESTINATION);
	for (size_t i = 0; i < 3; i++) {
		const struct ledger_record *record = &f->moves[i].record;
		assert_int_equal(record->event, events[i]);
		assert_int_equal(record->side, RELAY_DESTINATION);
		assert_memory_equal(&record->message_id, &f->message.id, 32);
		assert_memory_equal(&record->source, &route.source, 32);
		assert_memory_equal(&record->destination, &route.destination, 32);
		assert_false(f->moves[i].attempted);
		assert_int_equal(f->rows[i], f->message.n);
	}
	assert_int_equal(f->moves[0].record.height, 107);
	assert_memory_equal(&f->moves[0].record.tx, &f->message.tx, 32);
	assert_int_equal(f->moves[1].record.height, 0);
	assert_true(cs_hash_is_zero(&f->moves[1].record.tx));
	assert_int_equal(f->moves[2].record.height, 500);
	assert_memory_equal(&f->moves[2].record.tx, &f->message.status_tx, 32);
	/* The other side of the route is another history. */
	assert_int_equal(load(f, RELAY_SOURCE, 0), 0);
	/* Those behind a row. */
	(void)load(f, RELAY_DESTINATION, 0);
	uint64_t second = f->moves[1].row;
	assert_int_equal(load(f, RELAY_DESTINATION, second), 1);
	assert_int_equal(f->moves[0].record.event, RELAY_ON_INCLUDE);
}

static enum cs_err statement_body(struct fixture *f, const void *context)
{
	struct gateway_statement st = {.count = 1};
	(void)context;
	st.statement.kind = WIRE_KIND_MESSAGE;
	st.statement.root = a_hash(0x5a, 1);
	st.signature.rx = a_hash(0x51, 1);
	st.ids[0] = f->message.id;
	CS_TRY(gateway_journal_add_statement(f->journal, &st));
	f->message.statement = st.n;
	return CS_OK;
}

static void what_was_signed_is_named_by_its_root(void **state)
{
	struct fixture *f = *state;
	const struct cs_hash root = a_hash(0x5a, 1);
	gateway_journal_keep_moves(f->journal);
	add(f, 1, RELAY_SOURCE);
	assert_ok(move(f, RELAY_ON_REACH_FINALITY));
	assert_ok(write_(f, statement_body, NULL));
	assert_ok(move(f, RELAY_ON_VERIFY));
	assert_ok(move(f, RELAY_ON_SIGN));
	assert_int_equal(load(f, RELAY_SOURCE, 0), 4);
	assert_true(cs_hash_is_zero(&f->moves[2].record.digest));
	assert_memory_equal(&f->moves[3].record.digest, &root, 32);
	assert_memory_equal(&f->moves[3].record.block, &f->message.block, 32);
}

/* ---- what is in flight ---- */

static struct ledger_sent a_transaction(void)
{
	return (struct ledger_sent){.kind = 2,
				    .sequence = 41,
				    .valid_until_s = 1900000000,
				    .hash = a_hash(0x99, 1),
				    .raw = cs_bytes_str("bytes")};
}

static enum cs_err sent_body(struct fixture *f, const void *context)
{
	const struct ledger_sent sent = a_transaction();
	(void)context;
	return gateway_journal_ledger_sent(f->journal, &sent, f->moves, f->count);
}

static enum cs_err ended_body(struct fixture *f, const void *context)
{
	return gateway_journal_ledger_ended(f->journal, *(const bool *)context);
}

static void three_moves(struct fixture *f)
{
	gateway_journal_keep_moves(f->journal);
	add(f, 1, RELAY_DESTINATION);
	assert_ok(move(f, RELAY_ON_SUBMIT));
	assert_ok(move(f, RELAY_ON_INCLUDE));
	assert_int_equal(load(f, RELAY_DESTINATION, 0), 3);
	/* The first two are recorded from place 4 on, the third one is not in it. */
	for (size_t i = 0; i < 3; i++) {
		f->moves[i].verdict = i < 2 ? LEDGER_MOVE_RECORD : LEDGER_MOVE_PASSED;
		f->moves[i].record.index = (uint8_t)(4 + i);
		f->moves[i].record.from = (uint8_t)(3 + i);
	}
	assert_ok(write_(f, sent_body, NULL));
}

static void a_transaction_survives_a_crash(void **state)
{
	struct fixture *f = *state;
	struct ledger_sent sent;
	assert_int_equal(gateway_journal_ledger_flight(f->journal, &f->arena, &sent),
			 CS_ERR_NOT_FOUND);
	three_moves(f);
	reopen(f);
	const struct ledger_sent expected = a_transaction();
	assert_ok(gateway_journal_ledger_flight(f->journal, &f->arena, &sent));
	assert_int_equal(sent.kind, expected.kind);
	assert_int_equal(sent.sequence, expected.sequence);
	assert_int_equal(sent.valid_until_s, expected.valid_until_s);
	assert_memory_equal(&sent.hash, &expected.hash, 32);
	assert_int_equal(sent.raw.n, 5);
	assert_memory_equal(sent.raw.p, "bytes", 5);
	/* Only one at a time. */
	assert_int_equal(write_(f, sent_body, NULL), CS_ERR_DUPLICATE);
}

static void what_is_recorded_is_gone(void **state)
{
	struct fixture *f = *state;
	const bool recorded = true;
	struct ledger_sent sent;
	three_moves(f);
	assert_ok(write_(f, ended_body, &recorded));
	assert_int_equal(load(f, RELAY_DESTINATION, 0), 1);
	assert_int_equal(f->moves[0].record.event, RELAY_ON_INCLUDE);
	assert_false(f->moves[0].attempted);
	assert_int_equal(gateway_journal_ledger_flight(f->journal, &f->arena, &sent),
			 CS_ERR_NOT_FOUND);
}

static enum cs_err forget_body(struct fixture *f, const void *context)
{
	return gateway_journal_ledger_forget(f->journal, *(const uint64_t *)context);
}

/* It may have happened after all: the places that were tried are kept. */
static void what_is_not_recorded_waits_with_its_place(void **state)
{
	struct fixture *f = *state;
	const bool recorded = false;
	three_moves(f);
	assert_ok(write_(f, ended_body, &recorded));
	reopen(f);
	assert_int_equal(load(f, RELAY_DESTINATION, 0), 3);
	assert_true(f->moves[0].attempted);
	assert_int_equal(f->moves[0].record.index, 4);
	assert_int_equal(f->moves[0].record.from, 3);
	assert_true(f->moves[1].attempted);
	assert_int_equal(f->moves[1].record.index, 5);
	assert_false(f->moves[2].attempted);
	assert_ok(write_(f, forget_body, &f->moves[0].row));
	assert_int_equal(backlog(f), 2);
}

/* ---- conflicts ---- */

struct conflict {
	uint64_t count;
	bool *news;
};

static enum cs_err conflict_body(struct fixture *f, const void *context)
{
	const struct conflict *conflict = context;
	return gateway_journal_ledger_conflict(f->journal, f->message.n, conflict->count,
					       conflict->news);
}

static void conflicts_are_news_once(void **state)
{
	struct fixture *f = *state;
	uint64_t sum = 0;
	bool news = false;
	add(f, 1, RELAY_SOURCE);
	const struct {
		uint64_t count;
		bool news;
	} seen[] = {{1, true}, {1, false}, {3, true}, {2, false}};
	for (size_t i = 0; i < CS_LEN(seen); i++) {
		assert_ok(write_(f, conflict_body, &(struct conflict){seen[i].count, &news}));
		assert_int_equal(news, seen[i].news);
	}
	assert_ok(gateway_journal_ledger_conflicts(f->journal, &sum));
	assert_int_equal(sum, 3);
}

int main(void)
{
#define WITH_JOURNAL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_JOURNAL(nothing_is_kept_without_a_ledger),
		WITH_JOURNAL(moves_wait_in_their_order_with_their_facts),
		WITH_JOURNAL(what_was_signed_is_named_by_its_root),
		WITH_JOURNAL(a_transaction_survives_a_crash),
		WITH_JOURNAL(what_is_recorded_is_gone),
		WITH_JOURNAL(what_is_not_recorded_waits_with_its_place),
		WITH_JOURNAL(conflicts_are_news_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
