/* What the client writes and reads, against contract 5 itself: two gateways with journals of their own
 * plan and record by turns, and the contract refuses nothing of what was planned on what it answers. */
#include "relay_state/client/plan.h"
#include "tests/unit/ledger/register_lab.h"

#define RECORDS LEDGER_RECORDS_NUMBER
#define OTHER_GATEWAY REGISTER_OTHER

static struct ledger_route route_of(enum relay_side side)
{
	return (struct ledger_route){lab_byte_word(0x41), lab_byte_word(0x42), (uint8_t)side};
}

static void set_gateway(struct lab *lab, uint8_t account, uint8_t identity)
{
	const struct cs_address gateway = lab_address(account);

	register_lab_from(lab, REGISTER_OWNER);
	lab_call(lab, RECORDS, "setGateway(address,bytes32,bool)",
		 LAB_WORDS(lab_address_word(&gateway), lab_byte_word(identity), lab_word(1)));
}

static int set_up(void **state)
{
	struct lab *lab = register_lab_new();

	for (uint8_t identity = 0x41; identity <= 0x42; identity++) {
		set_gateway(lab, REGISTER_GATEWAY, identity);
		set_gateway(lab, OTHER_GATEWAY, identity);
	}
	register_lab_from(lab, REGISTER_GATEWAY);
	*state = lab;
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct cs_buf room(void)
{
	static uint8_t memory[LEDGER_RECORD_CALLDATA_SIZE_MAX];
	struct cs_buf buf;

	cs_buf_init(&buf, memory, sizeof memory);
	return buf;
}

/* A question goes from nobody to the contract; the lab wants what follows. */
static struct cs_bytes ask(struct lab *lab, struct cs_buf *buf)
{
	const struct cs_address to = ledger_contract_address(RECORDS);
	const struct cs_bytes all = cs_buf_view(buf);
	struct cs_bytes output;

	assert_ok(cs_buf_end(buf));
	assert_true(all.n <= LEDGER_VIEW_SIZE_MAX);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(all.p[i], 0);
	assert_memory_equal(all.p + 20, to.b, 20);
	assert_true(lab_try(lab, &output, RECORDS, cs_bytes(all.p + 40, all.n - 40)));
	return output;
}

static void call(struct lab *lab, struct cs_buf *buf)
{
	struct cs_bytes output;

	assert_ok(cs_buf_end(buf));
	if (!lab_try(lab, &output, RECORDS, cs_buf_view(buf)))
		fail_msg("a call is refused (%zu bytes)", output.n);
}

/* ---- leases ---- */

static struct ledger_lease look(struct lab *lab, const struct ledger_route *route)
{
	struct cs_buf buf = room();
	struct ledger_lease lease;

	ledger_view_lease(&buf, route);
	assert_ok(ledger_read_lease(&lease, ask(lab, &buf)));
	return lease;
}

static void test_leases(void **state)
{
	struct lab *lab = *state;
	const struct ledger_route route = route_of(RELAY_DESTINATION);
	const struct cs_address own = lab_address(REGISTER_GATEWAY);
	struct cs_buf buf = room();

	assert_int_equal(look(lab, &route).fencing, 0);
	ledger_call_take_lease(&buf, &route, 30);
	call(lab, &buf);
	struct ledger_lease lease = look(lab, &route);
	assert_memory_equal(&lease.holder, &own, sizeof own);
	assert_int_equal(lease.until_s, lab->block.time_s + 30);
	assert_int_equal(lease.fencing, 1);

	lab_next_block(lab, 20);
	buf = room();
	ledger_call_renew_lease(&buf, &route, lease.fencing, 30);
	call(lab, &buf);
	assert_int_equal(look(lab, &route).until_s, lab->block.time_s + 30);
	/* The other side of the route is another lease. */
	const struct ledger_route source = route_of(RELAY_SOURCE);
	assert_int_equal(look(lab, &source).fencing, 0);

	buf = room();
	ledger_call_release_lease(&buf, &route, lease.fencing);
	call(lab, &buf);
	assert_int_equal(look(lab, &route).until_s, lab->block.time_s);
	register_lab_from(lab, OTHER_GATEWAY);
	buf = room();
	ledger_call_take_lease(&buf, &route, 30);
	call(lab, &buf);
	assert_int_equal(look(lab, &route).fencing, 2);
	/* And the first one cannot renew what it has lost. */
	register_lab_from(lab, REGISTER_GATEWAY);
	buf = room();
	ledger_call_renew_lease(&buf, &route, lease.fencing, 30);
	lab_refuse_input(lab, RECORDS, cs_buf_view(&buf), "LeaseNotHeld()", LAB_NONE);
}

static void test_who_is_a_gateway(void **state)
{
	struct lab *lab = *state;
	const struct cs_address own = lab_address(REGISTER_GATEWAY), stranger = lab_address(0x77);
	const struct cs_hash one = lab_byte_word(0x41), three = lab_byte_word(0x43);
	struct cs_buf buf = room();
	bool is = false;

	ledger_view_gateway(&buf, &own, &one);
	assert_ok(ledger_read_bool(&is, ask(lab, &buf)));
	assert_true(is);
	buf = room();
	ledger_view_gateway(&buf, &own, &three);
	assert_ok(ledger_read_bool(&is, ask(lab, &buf)));
	assert_false(is);
	buf = room();
	ledger_view_gateway(&buf, &stranger, &one);
	assert_ok(ledger_read_bool(&is, ask(lab, &buf)));
	assert_false(is);
}

/* ---- records, as a gateway makes them of its journal ---- */

struct writer {
	uint8_t account;
	struct ledger_move moves[64];
	size_t count; /* that wait */
	size_t recorded, written, passed;
};

static void add_move(struct writer *writer, uint64_t message, enum relay_side side,
		     enum relay_event event)
{
	static uint64_t row;
	struct ledger_record *record = &writer->moves[writer->count].record;

	assert_true(writer->count < CS_LEN(writer->moves));
	writer->moves[writer->count++] = (struct ledger_move){.row = ++row};
	*record = (struct ledger_record){.message_id = lab_word(message),
					 .source = lab_byte_word(0x41),
					 .destination = lab_byte_word(0x42),
					 .side = (uint8_t)side,
					 .event = (uint8_t)event,
					 .height = 100 + (uint64_t)event,
					 .tx = lab_byte_word(0x72)};
}

static struct ledger_history history_of(struct lab *lab, const struct ledger_record *record)
{
	struct cs_buf buf = room();
	struct ledger_history history;

	ledger_view_message(&buf, &record->message_id, record->side);
	assert_ok(ledger_read_history(&history, ask(lab, &buf)));
	return history;
}

static bool is_there(struct lab *lab, const struct ledger_record *record)
{
	struct cs_buf buf = room();
	bool same = false;

	ledger_view_record(&buf, &record->message_id, record->side, record->index);
	assert_ok(ledger_read_same(&same, ask(lab, &buf), record));
	return same;
}

/* include: the block takes the batch; told: and the gateway hears of it before it dies. */
static size_t turn(struct lab *lab, struct writer *writer, bool include, bool told)
{
	static struct ledger_history histories[LEDGER_PLAN_MOVES_MAX];
	static struct ledger_record records[LEDGER_PLAN_MOVES_MAX];
	size_t first[LEDGER_PLAN_MOVES_MAX], left = 0;

	register_lab_from(lab, writer->account);
	size_t groups = ledger_plan_group(writer->moves, writer->count, first);
	for (size_t i = 0; i < groups; i++)
		histories[i] = history_of(lab, &writer->moves[first[i]].record);
	for (size_t i = 0; i < writer->count; i++)
		writer->moves[i].is_there =
			writer->moves[i].attempted && is_there(lab, &writer->moves[i].record);
	size_t n = ledger_plan(writer->moves, writer->count, histories, records);
	if (n > 0 && include) {
		struct cs_buf buf = room();
		ledger_call_record(&buf, records, n);
		call(lab, &buf);
		/* The plan says where the histories are now. */
		for (size_t i = 0; i < groups; i++) {
			struct ledger_history now =
				history_of(lab, &writer->moves[first[i]].record);
			assert_int_equal(now.state, histories[i].state);
			assert_int_equal(now.count, histories[i].count);
			assert_int_equal(now.conflicts, 0);
		}
	}
	for (size_t i = 0; i < writer->count; i++) {
		struct ledger_move *move = &writer->moves[i];
		if (move->verdict == LEDGER_MOVE_RECORD && !(include && told)) {
			move->attempted = true;
			writer->moves[left++] = *move;
			continue;
		}
		writer->recorded += move->verdict == LEDGER_MOVE_RECORD;
		writer->written += move->verdict == LEDGER_MOVE_WRITTEN;
		writer->passed += move->verdict == LEDGER_MOVE_PASSED;
	}
	writer->count = left;
	return n;
}

static const enum relay_event delivered[] = {RELAY_ON_SIGN,           RELAY_ON_SUBMIT,
					     RELAY_ON_INCLUDE,        RELAY_ON_REACH_OUTCOME,
					     RELAY_ON_VERIFY_OUTCOME, RELAY_ON_FINALIZE};

static void test_a_history_is_written_once(void **state)
{
	struct lab *lab = *state;
	struct writer writer = {.account = REGISTER_GATEWAY};

	for (uint64_t message = 1; message <= 3; message++)
		for (size_t i = 0; i < CS_LEN(delivered); i++)
			add_move(&writer, message, RELAY_DESTINATION, delivered[i]);
	const struct ledger_record one = writer.moves[0].record;
	assert_int_equal(turn(lab, &writer, true, true), 18);
	assert_int_equal(history_of(lab, &one).state, RELAY_FINALIZED);
	assert_int_equal(history_of(lab, &one).count, 6);
	assert_int_equal(turn(lab, &writer, true, true), 0);
}

/* A crash when the block has it and the journal does not know: asked of its place, it is there. Of two
 * moves that lead back to where they began the state alone would not tell. */
static void test_what_went_through_is_not_written_again(void **state)
{
	struct lab *lab = *state;
	struct writer writer = {.account = REGISTER_GATEWAY};

	add_move(&writer, 1, RELAY_DESTINATION, RELAY_ON_SIGN);
	assert_int_equal(turn(lab, &writer, true, true), 1);
	add_move(&writer, 1, RELAY_DESTINATION, RELAY_ON_SUBMIT);
	add_move(&writer, 1, RELAY_DESTINATION, RELAY_ON_DROP);
	const struct ledger_record record = writer.moves[0].record;
	assert_int_equal(turn(lab, &writer, true, false), 2);
	assert_int_equal(history_of(lab, &record).state, RELAY_SIGNED);
	assert_int_equal(turn(lab, &writer, true, true), 0);
	assert_int_equal(writer.written, 2);
	assert_int_equal(history_of(lab, &record).count, 3);
}

static void test_what_never_arrived_is_written(void **state)
{
	struct lab *lab = *state;
	struct writer writer = {.account = REGISTER_GATEWAY};

	add_move(&writer, 1, RELAY_DESTINATION, RELAY_ON_SIGN);
	add_move(&writer, 1, RELAY_DESTINATION, RELAY_ON_SUBMIT);
	assert_int_equal(turn(lab, &writer, false, false), 2);
	assert_int_equal(turn(lab, &writer, true, true), 2);
	assert_int_equal(writer.recorded, 2);
}

/* The first one submits, and is gone; the second one looked on, and goes on from there. */
static void test_another_one_takes_over(void **state)
{
	struct lab *lab = *state;
	struct writer first = {.account = REGISTER_GATEWAY}, second = {.account = OTHER_GATEWAY};

	for (size_t i = 0; i < 2; i++)
		add_move(&first, 1, RELAY_DESTINATION, delivered[i]);
	assert_int_equal(turn(lab, &first, true, true), 2);
	for (size_t i = 0; i < CS_LEN(delivered); i++)
		if (delivered[i] != RELAY_ON_SUBMIT)
			add_move(&second, 1, RELAY_DESTINATION, delivered[i]);
	const struct ledger_record record = second.moves[0].record;
	assert_int_equal(turn(lab, &second, true, true), 4);
	assert_int_equal(second.passed, 1);
	assert_int_equal(history_of(lab, &record).state, RELAY_FINALIZED);
	/* What the first one knew besides leads nowhere any more. */
	add_move(&first, 1, RELAY_DESTINATION, RELAY_ON_INCLUDE);
	assert_int_equal(turn(lab, &first, true, true), 0);
	assert_int_equal(first.passed, 1);
}

/* Moves whose beginning was never kept make no history: half of one would say something else. */
static void test_half_a_history_is_none(void **state)
{
	struct lab *lab = *state;
	struct writer writer = {.account = REGISTER_GATEWAY};

	for (size_t i = 2; i < CS_LEN(delivered); i++)
		add_move(&writer, 1, RELAY_DESTINATION, delivered[i]);
	add_move(&writer, 2, RELAY_SOURCE, RELAY_ON_SIGN);
	assert_int_equal(turn(lab, &writer, true, true), 0);
	assert_int_equal(writer.passed, 5);
}

/* The gateway of another chain, which says what it likes of its own, was first with our message's id. */
static void test_a_history_of_another_route(void **state)
{
	struct lab *lab = *state;
	struct writer writer = {.account = REGISTER_GATEWAY};
	const struct ledger_record taken = {.message_id = lab_word(1),
					    .source = lab_byte_word(0x43),
					    .destination = lab_byte_word(0x41),
					    .side = RELAY_DESTINATION,
					    .event = RELAY_ON_SIGN};
	struct cs_buf buf = room();

	register_lab_from(lab, REGISTER_GATEWAY);
	ledger_call_record(&buf, &taken, 1);
	call(lab, &buf);
	for (uint64_t message = 1; message <= 2; message++)
		for (size_t i = 0; i < CS_LEN(delivered); i++)
			add_move(&writer, message, RELAY_DESTINATION, delivered[i]);
	const struct ledger_record mine = writer.moves[0].record;
	const struct ledger_history history = history_of(lab, &mine);
	assert_true(ledger_is_taken(&history, &mine) && !ledger_is_taken(&history, &taken));
	/* It holds up nothing: the other message's records go in the same batch. */
	assert_int_equal(turn(lab, &writer, true, true), 6);
	assert_int_equal(writer.passed, 6);
}

static void test_a_history_that_is_full(void **state)
{
	struct lab *lab = *state;
	struct writer writer = {.account = REGISTER_GATEWAY};

	add_move(&writer, 1, RELAY_DESTINATION, RELAY_ON_SIGN);
	for (unsigned i = 0; i < LEDGER_RECORDS_PER_SIDE_MAX - 2; i++) {
		add_move(&writer, 1, RELAY_DESTINATION,
			 i % 2 == 0 ? RELAY_ON_SUBMIT : RELAY_ON_DROP);
	}
	const struct ledger_record record = writer.moves[0].record;
	assert_int_equal(turn(lab, &writer, true, true), LEDGER_RECORDS_PER_SIDE_MAX - 1);
	for (unsigned i = 0; i < 3; i++)
		add_move(&writer, 1, RELAY_DESTINATION,
			 i % 2 == 0 ? RELAY_ON_SUBMIT : RELAY_ON_DROP);
	assert_int_equal(turn(lab, &writer, true, true), 1);
	assert_int_equal(writer.passed, 2);
	assert_int_equal(history_of(lab, &record).count, LEDGER_RECORDS_PER_SIDE_MAX);
}

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

/* Walks that two gateways see, each its own way, recorded by turns, with crashes in between: the
 * contract takes whatever is planned, and there is never a conflict. */
static void test_by_turns(void **state)
{
	struct lab *lab = *state;

	for (uint32_t seed = 1; seed <= 40; seed++) {
		struct writer writers[2] = {{.account = REGISTER_GATEWAY},
					    {.account = OTHER_GATEWAY}};
		enum relay_state at[2][2] = {{RELAY_STATE_NONE}};
		uint32_t random = seed;

		for (unsigned step = 0; step < 40; step++) {
			size_t who = next(&random) % 2, message = next(&random) % 2;
			enum relay_side side = seed % 2 ? RELAY_SOURCE : RELAY_DESTINATION;
			enum relay_state *own = &at[who][message];
			enum relay_event event =
				(enum relay_event)(next(&random) % RELAY_EVENT_END);
			if (*own == RELAY_STATE_NONE) {
				event = side == RELAY_SOURCE ? RELAY_ON_OBSERVE : RELAY_ON_SIGN;
				*own = relay_first(side);
			} else if (relay_move(own, event) != CS_OK) {
				continue;
			}
			if (writers[who].count < 60)
				add_move(&writers[who], 1000 * seed + message, side, event);
			if (next(&random) % 3 == 0) {
				bool include = next(&random) % 4 != 0;
				turn(lab, &writers[who], include, next(&random) % 4 != 0);
			}
		}
		for (size_t i = 0; i < 2; i++)
			turn(lab, &writers[i], true, true);
	}
}

/* ---- answers that are none ---- */

static void test_answers_that_do_not_read(void **state)
{
	uint8_t words[11 * 32] = {0};
	struct ledger_lease lease;
	struct ledger_history history;
	struct ledger_record record = {.side = RELAY_SOURCE};
	bool is = false;

	(void)state;
	assert_int_equal(ledger_read_lease(&lease, cs_bytes(words, 2 * 32)), CS_ERR_TRUNCATED);
	assert_int_equal(ledger_read_lease(&lease, cs_bytes(words, 4 * 32)), CS_ERR_TRAILING);
	words[0] = 1; /* no address */
	assert_true(ledger_read_lease(&lease, cs_bytes(words, 3 * 32)) != CS_OK);
	words[0] = 0;
	words[31] = 2;
	assert_true(ledger_read_bool(&is, cs_bytes(words, 32)) != CS_OK);
	assert_int_equal(ledger_read_bool(&is, CS_BYTES_NONE), CS_ERR_TRUNCATED);
	words[31] = RELAY_STATE_END;
	words[63] = 1;
	assert_int_equal(ledger_read_history(&history, cs_bytes(words, 5 * 32)), CS_ERR_INVALID);
	words[31] = 0; /* records, and no state */
	assert_int_equal(ledger_read_history(&history, cs_bytes(words, 5 * 32)), CS_ERR_INVALID);
	words[63] = 0;
	assert_ok(ledger_read_history(&history, cs_bytes(words, 5 * 32)));
	/* No record at all is not a record of zeros. */
	assert_ok(ledger_read_same(&is, cs_bytes(words, 10 * 32), &record));
	assert_false(is);
	words[3 * 32 - 1] = RELAY_OBSERVED;
	assert_ok(ledger_read_same(&is, cs_bytes(words, 10 * 32), &record));
	assert_true(is);
	record.height = 1;
	assert_ok(ledger_read_same(&is, cs_bytes(words, 10 * 32), &record));
	assert_false(is);
	assert_int_equal(ledger_read_same(&is, cs_bytes(words, 11 * 32), &record), CS_ERR_TRAILING);
}

int main(void)
{
#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_LAB(test_leases),
		WITH_LAB(test_who_is_a_gateway),
		WITH_LAB(test_a_history_is_written_once),
		WITH_LAB(test_what_went_through_is_not_written_again),
		WITH_LAB(test_what_never_arrived_is_written),
		WITH_LAB(test_another_one_takes_over),
		WITH_LAB(test_half_a_history_is_none),
		WITH_LAB(test_a_history_of_another_route),
		WITH_LAB(test_a_history_that_is_full),
		WITH_LAB(test_by_turns),
		cmocka_unit_test(test_answers_that_do_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
