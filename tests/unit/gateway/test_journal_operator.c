/* What operators ask of the journal: pauses that outlive it being closed, and the rows of a route that wait,
 * of which nothing else is told. */
#include "gateway/journal_operator.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <unistd.h>

struct fixture {
	struct gateway_journal *journal;
	char path[64];
};

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

typedef enum cs_err body_fn(struct fixture *f, void *context);
struct run {
	struct fixture *f;
	body_fn *body;
	void *context;
};

static enum cs_err run_body(void *context)
{
	const struct run *run = context;
	return run->body(run->f, run->context);
}

static enum cs_err write_(struct fixture *f, body_fn *body, void *context)
{
	struct run run = {f, body, context};
	return host_store_write(gateway_journal_store(f->journal), run_body, &run, NULL, NULL);
}

/* ---- pauses ---- */

static enum cs_err pause_body(struct fixture *f, void *context)
{
	return gateway_journal_pause(f->journal, context);
}

static enum cs_err resume_body(struct fixture *f, void *context)
{
	const struct gateway_pause *pause = context;
	return gateway_journal_resume(f->journal, pause->from, pause->to);
}

static struct gateway_pause a_pause(const char *from, const char *to, const char *reason)
{
	struct gateway_pause pause = {.since_ms = 5};
	snprintf(pause.from, sizeof(pause.from), "%s", from);
	snprintf(pause.to, sizeof(pause.to), "%s", to);
	snprintf(pause.who, sizeof(pause.who), "ops");
	snprintf(pause.reason, sizeof(pause.reason), "%s", reason);
	return pause;
}

static void pauses_outlive_the_process(void **state)
{
	struct fixture *f = *state;
	struct gateway_pause pauses[4];
	struct cs_why why = {{0}};
	size_t count = 9;
	struct gateway_pause route = a_pause("eip155:2", "eip155:1", "");
	struct gateway_pause chain = a_pause("eip155:1", "", "a node is replaced");
	assert_int_equal(gateway_journal_pauses(f->journal, pauses, 4, &count), CS_OK);
	assert_int_equal(count, 0);
	assert_int_equal(write_(f, pause_body, &route), CS_OK);
	assert_int_equal(write_(f, pause_body, &chain), CS_OK);
	gateway_journal_close(f->journal);
	assert_int_equal(gateway_journal_open(&f->journal, NULL, f->path, &why), CS_OK);
	assert_int_equal(gateway_journal_pauses(f->journal, pauses, 4, &count), CS_OK);
	assert_int_equal(count, 2);
	assert_string_equal(pauses[0].from, "eip155:1");
	assert_string_equal(pauses[0].to, "");
	assert_string_equal(pauses[0].reason, "a node is replaced");
	assert_string_equal(pauses[1].to, "eip155:1");
	assert_string_equal(pauses[1].who, "ops");
	assert_int_equal(pauses[1].since_ms, 5);
	assert_false(pauses[1].refunds);
}

static void a_pause_takes_the_place_of_the_one_before(void **state)
{
	struct fixture *f = *state;
	struct gateway_pause pauses[4];
	size_t count = 0;
	struct gateway_pause pause = a_pause("eip155:2", "eip155:1", "");
	assert_int_equal(write_(f, pause_body, &pause), CS_OK);
	pause.refunds = true;
	pause.since_ms = 6;
	assert_int_equal(write_(f, pause_body, &pause), CS_OK);
	assert_int_equal(gateway_journal_pauses(f->journal, pauses, 4, &count), CS_OK);
	assert_int_equal(count, 1);
	assert_true(pauses[0].refunds);
	assert_int_equal(pauses[0].since_ms, 6);
	/* Another direction, and the chain, are other pauses. */
	struct gateway_pause back = a_pause("eip155:1", "eip155:2", "");
	struct gateway_pause chain = a_pause("eip155:2", "", "");
	assert_int_equal(write_(f, resume_body, &back), CS_ERR_NOT_FOUND);
	assert_int_equal(write_(f, resume_body, &chain), CS_ERR_NOT_FOUND);
	assert_int_equal(write_(f, resume_body, &pause), CS_OK);
	assert_int_equal(write_(f, resume_body, &pause), CS_ERR_NOT_FOUND);
	assert_int_equal(gateway_journal_pauses(f->journal, pauses, 4, &count), CS_OK);
	assert_int_equal(count, 0);
}

static void more_pauses_than_there_is_room_for(void **state)
{
	struct fixture *f = *state;
	struct gateway_pause pauses[1];
	size_t count = 7;
	struct gateway_pause one = a_pause("eip155:2", "", "");
	struct gateway_pause two = a_pause("eip155:3", "", "");
	assert_int_equal(write_(f, pause_body, &one), CS_OK);
	assert_int_equal(write_(f, pause_body, &two), CS_OK);
	assert_int_equal(gateway_journal_pauses(f->journal, pauses, 1, &count), CS_ERR_TOO_LARGE);
	assert_int_equal(count, 7);
}

/* ---- what waits ---- */

static struct cs_hash a_hash(uint8_t first, uint8_t last)
{
	struct cs_hash hash = {{0}};
	hash.b[0] = first;
	hash.b[31] = last;
	return hash;
}

static enum cs_err add_body(struct fixture *f, void *context)
{
	struct gateway_message *message = context;
	const struct wire_message content = {.sender = cs_bytes_str("sender"),
					     .recipient = cs_bytes_str("recipient"),
					     .payload = cs_bytes_str("payload")};
	CS_TRY(gateway_journal_add(f->journal, message, &content));
	return gateway_journal_save(f->journal, message);
}

/* Of the route 7 from 8: destination's rows. */
static struct gateway_message add(struct fixture *f, uint8_t n, enum relay_state state,
				  uint64_t next_ms)
{
	struct gateway_message m = {.id = a_hash(1, n),
				    .side = RELAY_DESTINATION,
				    .state = state,
				    .chain = a_hash(7, 7),
				    .remote = a_hash(8, 8),
				    .sequence = n,
				    .deadline = 1900000000,
				    .next_ms = next_ms};
	assert_int_equal(write_(f, add_body, &m), CS_OK);
	return m;
}

static enum cs_err save_body(struct fixture *f, void *context)
{
	return gateway_journal_save(f->journal, context);
}

static size_t stuck(struct fixture *f, const struct gateway_stuck *more, uint8_t remote,
		    uint64_t sequences[8])
{
	struct gateway_message rows[8];
	struct cs_hash chain = a_hash(7, 7);
	struct cs_hash other = a_hash(remote, remote);
	struct gateway_stuck stuck = *more;
	size_t count = 0;
	uint64_t counted = 0;
	stuck.chain = &chain;
	stuck.remote = &other;
	stuck.side = RELAY_DESTINATION;
	assert_int_equal(gateway_journal_stuck(f->journal, &stuck, rows, 8, &count), CS_OK);
	assert_int_equal(gateway_journal_stuck_count(f->journal, &stuck, &counted), CS_OK);
	assert_int_equal(counted, count);
	for (size_t i = 0; i < count; i++)
		sequences[i] = rows[i].sequence;
	return count;
}

static void rows_that_wait_for_a_time(void **state)
{
	struct fixture *f = *state;
	uint64_t sequences[8];
	const struct gateway_stuck signed_ = {.state = RELAY_SIGNED, .due_ms = 100};
	add(f, 1, RELAY_SIGNED, 100); /* its time has come */
	add(f, 2, RELAY_SIGNED, 101);
	add(f, 3, RELAY_SIGNED, 5000);
	add(f, 4, RELAY_OUTCOME_FINAL, 5000);
	struct gateway_message busy = add(f, 5, RELAY_SIGNED, 5000);
	assert_int_equal(stuck(f, &signed_, 8, sequences), 3);
	busy.submission = 4; /* somebody has it in hand */
	assert_int_equal(write_(f, save_body, &busy), CS_OK);
	assert_int_equal(stuck(f, &signed_, 8, sequences), 2);
	assert_int_equal(sequences[0], 3);
	assert_int_equal(sequences[1], 2);
	assert_int_equal(stuck(f, &signed_, 9, sequences), 0); /* another route */
	assert_int_equal(stuck(f, &(struct gateway_stuck){.state = RELAY_SIGNED, .due_ms = 5000}, 8,
			       sequences),
			 0);
}

static void failed_rows_that_nobody_asked_for(void **state)
{
	struct fixture *f = *state;
	uint64_t sequences[8];
	const struct gateway_stuck unwished = {
		.state = RELAY_FAILED, .due_ms = 100, .unwished = true};
	add(f, 1, RELAY_FAILED, 50);
	struct gateway_message wished = add(f, 2, RELAY_FAILED, 50);
	wished.wish_retry = 900000; /* with so much gas */
	assert_int_equal(write_(f, save_body, &wished), CS_OK);
	assert_int_equal(stuck(f, &unwished, 8, sequences), 1);
	assert_int_equal(sequences[0], 1);
	struct gateway_message again;
	assert_int_equal(gateway_journal_row(f->journal, wished.n, &again), CS_OK);
	assert_int_equal(again.wish_retry, 900000);
	/* The pump finds it, however much gas it wants. */
	struct cs_hash chain = a_hash(7, 7);
	size_t count = 0;
	struct gateway_pick pick = {.chain = &chain,
				    .side = RELAY_DESTINATION,
				    .state = RELAY_FAILED,
				    .due_ms = 100,
				    .wish_retry = true};
	assert_int_equal(gateway_journal_pick(f->journal, &pick, &again, 1, &count), CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(again.sequence, 2);
}

static void what_died_may_be_left_out(void **state)
{
	struct fixture *f = *state;
	struct cs_hash chain = a_hash(7, 7);
	struct gateway_message rows[4];
	size_t count = 0;
	struct gateway_message dead = add(f, 1, RELAY_OUTCOME_VERIFIED, 50);
	struct gateway_message delivered = add(f, 2, RELAY_OUTCOME_VERIFIED, 60);
	dead.outcome = WIRE_STATUS_DEAD;
	delivered.outcome = WIRE_STATUS_DELIVERED;
	assert_int_equal(write_(f, save_body, &dead), CS_OK);
	assert_int_equal(write_(f, save_body, &delivered), CS_OK);
	struct gateway_pick pick = {.chain = &chain,
				    .side = RELAY_DESTINATION,
				    .state = RELAY_OUTCOME_VERIFIED,
				    .due_ms = 100};
	assert_int_equal(gateway_journal_pick(f->journal, &pick, rows, 4, &count), CS_OK);
	assert_int_equal(count, 2);
	pick.outcome_not = WIRE_STATUS_DEAD;
	assert_int_equal(gateway_journal_pick(f->journal, &pick, rows, 4, &count), CS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].sequence, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pauses_outlive_the_process),         T(a_pause_takes_the_place_of_the_one_before),
		T(more_pauses_than_there_is_room_for), T(rows_that_wait_for_a_time),
		T(failed_rows_that_nobody_asked_for),  T(what_died_may_be_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
