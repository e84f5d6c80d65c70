/* Relay records and leases: every move, every refusal, conflicts, sums; anchors and signed records are
 * in the story of test_enclaves.c. */
#include "tests/unit/ledger/register_lab.h"

#include <time.h>

#define RECORDS LEDGER_RECORDS_NUMBER
#define RECORD "(bytes32,bytes32,bytes32,uint8,uint8,uint8,uint8,uint64,bytes32,bytes32,bytes32)"
#define STATES 13u

static struct cs_hash chain_1(void)
{
	return lab_byte_word(0x41);
}

static struct cs_hash chain_2(void)
{
	return lab_byte_word(0x42);
}

static void set_gateway(struct lab *lab, uint8_t account, const struct cs_hash *identity)
{
	const struct cs_address gateway = lab_address(account);
	register_lab_from(lab, REGISTER_OWNER);
	lab_call(lab, RECORDS, "setGateway(address,bytes32,bool)",
		 LAB_WORDS(lab_address_word(&gateway), *identity, lab_word(1)));
}

/* The gateway reports for both chains; the next calls are its own. */
static int set_up(void **state)
{
	struct lab *lab = register_lab_new();
	const struct cs_hash one = chain_1(), two = chain_2();
	set_gateway(lab, REGISTER_GATEWAY, &one);
	set_gateway(lab, REGISTER_GATEWAY, &two);
	register_lab_from(lab, REGISTER_GATEWAY);
	*state = lab;
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

/* ---- records ---- */

static struct ledger_record record_of(uint64_t message, enum relay_side side, size_t index,
				      enum relay_state from, enum relay_event event)
{
	return (struct ledger_record){
		.message_id = lab_word(message),
		.source = chain_1(),
		.destination = chain_2(),
		.side = (uint8_t)side,
		.index = (uint8_t)index,
		.from = (uint8_t)from,
		.event = (uint8_t)event,
		.height = 1000 + index,
		.block = lab_byte_word(0x71),
		.tx = lab_byte_word(0x72),
		.digest = lab_byte_word(0x73),
	};
}

static struct cs_bytes record_input(const struct ledger_record *records, size_t count)
{
	static uint8_t memory[68 + 70 * 32 * LEDGER_RECORD_WORDS];
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_abi_call(&abi, &buf, "record(" RECORD "[])");
	cs_abi_enter_array(&abi, cs_abi_slot(&abi), count);
	for (size_t i = 0; i < count; i++) {
		const struct ledger_record *r = &records[i];
		cs_abi_put_word(&abi, &r->message_id);
		cs_abi_put_word(&abi, &r->source);
		cs_abi_put_word(&abi, &r->destination);
		cs_abi_put_u64(&abi, r->side);
		cs_abi_put_u64(&abi, r->index);
		cs_abi_put_u64(&abi, r->from);
		cs_abi_put_u64(&abi, r->event);
		cs_abi_put_u64(&abi, r->height);
		cs_abi_put_word(&abi, &r->block);
		cs_abi_put_word(&abi, &r->tx);
		cs_abi_put_word(&abi, &r->digest);
	}
	cs_abi_leave(&abi);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static void record(struct lab *lab, const struct ledger_record *records, size_t count)
{
	struct cs_bytes output;
	if (!lab_try(lab, &output, RECORDS, record_input(records, count)))
		fail_msg("records are refused (%zu bytes)", output.n);
}

static void refuse(struct lab *lab, const struct ledger_record *records, size_t count,
		   const char *error)
{
	lab_refuse_input(lab, RECORDS, record_input(records, count), error, LAB_NONE);
}

struct seen {
	uint64_t state;
	uint64_t count;
	uint64_t conflicts;
};

static struct seen look(struct lab *lab, uint64_t message, enum relay_side side)
{
	const struct cs_bytes output = lab_call(lab, RECORDS, "messageOf(bytes32,uint8)",
						LAB_WORDS(lab_word(message), lab_word(side)));
	return (struct seen){cs_be64(output.p + 24), cs_be64(output.p + 56),
			     cs_be64(output.p + 88)};
}

static void assert_seen(struct lab *lab, uint64_t message, enum relay_side side, uint64_t state,
			uint64_t count, uint64_t conflicts)
{
	const struct seen seen = look(lab, message, side);
	assert_int_equal(seen.state, state);
	assert_int_equal(seen.count, count);
	assert_int_equal(seen.conflicts, conflicts);
}

/* ---- every move ---- */

struct path {
	size_t count;
	struct ledger_record records[LEDGER_RECORDS_BATCH_MAX];
};

/* The shortest history of a side that ends in the state; none (count 0) where there is no way. */
static struct path path_to(enum relay_side side, enum relay_state goal, uint64_t message)
{
	enum relay_state before[RELAY_STATE_END] = {RELAY_STATE_NONE};
	enum relay_event by[RELAY_STATE_END] = {RELAY_ON_OBSERVE};
	enum relay_state queue[RELAY_STATE_END];
	bool known[RELAY_STATE_END] = {false};
	size_t head = 0, tail = 0;
	struct path path = {.count = 0};
	const enum relay_state first = relay_first(side);
	queue[tail++] = first;
	known[first] = true;
	by[first] = side == RELAY_SOURCE ? RELAY_ON_OBSERVE : RELAY_ON_SIGN;
	while (head < tail) {
		const enum relay_state from = queue[head++];
		for (unsigned event = 0; event < RELAY_EVENT_END; event++) {
			enum relay_state to = from;
			if (relay_move(&to, (enum relay_event)event) != CS_OK || known[to])
				continue;
			known[to] = true;
			before[to] = from;
			by[to] = (enum relay_event)event;
			queue[tail++] = to;
		}
	}
	if (!known[goal])
		return path;
	for (enum relay_state at = goal; at != RELAY_STATE_NONE; at = before[at])
		path.count++;
	size_t i = path.count;
	for (enum relay_state at = goal; at != RELAY_STATE_NONE; at = before[at]) {
		i--;
		path.records[i] = record_of(message, side, i, before[at], by[at]);
	}
	return path;
}

static void refuse_move(struct lab *lab, const struct ledger_record *record, uint64_t count,
			uint64_t state)
{
	lab_refuse_input(lab, RECORDS, record_input(record, 1),
			 "MoveIllegal(bytes32,uint8,uint8,uint8)",
			 LAB_WORDS(record->message_id, lab_word(record->side), lab_word(count),
				   lab_word(state)));
}

static size_t try_events(struct lab *lab, enum relay_side side, enum relay_state from,
			 uint64_t *message)
{
	size_t legal = 0;
	for (unsigned event = 0; event < RELAY_EVENT_END + 2u; event++) {
		enum relay_state to = from;
		struct path path = path_to(side, from, ++*message);
		if (path.count == 0)
			continue;
		record(lab, path.records, path.count);
		assert_seen(lab, *message, side, from, path.count, 0);
		const struct ledger_record next =
			record_of(*message, side, path.count, from, (enum relay_event)event);
		if (relay_move(&to, (enum relay_event)event) != CS_OK) {
			refuse_move(lab, &next, path.count, from);
			continue;
		}
		record(lab, &next, 1);
		assert_seen(lab, *message, side, to, path.count + 1, 0);
		legal++;
	}
	return legal;
}

static void test_moves(void **state)
{
	struct lab *lab = *state;
	uint64_t message = 0;
	for (unsigned side = RELAY_SOURCE; side <= RELAY_DESTINATION; side++) {
		size_t legal = 0, want = 0;
		for (unsigned from = 1; from < RELAY_STATE_END; from++) {
			for (unsigned event = 0; event < RELAY_EVENT_END; event++)
				want += relay_may_move((enum relay_state)from,
						       (enum relay_event)event);
			legal += try_events(lab, (enum relay_side)side, (enum relay_state)from,
					    &message);
			lab_next_block(lab, 1);
		}
		assert_int_equal(legal, want);
	}
}

static void test_first_moves(void **state)
{
	struct lab *lab = *state;
	for (unsigned side = RELAY_SOURCE; side <= RELAY_DESTINATION; side++) {
		for (unsigned event = 0; event <= UINT8_MAX; event++) {
			const bool first =
				event == (side == RELAY_SOURCE ? RELAY_ON_OBSERVE : RELAY_ON_SIGN);
			const struct ledger_record r =
				record_of(1000 + event, (enum relay_side)side, 0, RELAY_STATE_NONE,
					  (enum relay_event)event);
			if (first)
				record(lab, &r, 1);
			else
				refuse_move(lab, &r, 0, 0);
		}
	}
	for (unsigned from = 1; from <= UINT8_MAX; from++) {
		const struct ledger_record r =
			record_of(1, RELAY_SOURCE, 0, (enum relay_state)from, RELAY_ON_OBSERVE);
		refuse_move(lab, &r, 0, 0);
	}
}

/* ---- the same again, and something else ---- */

static void test_repeats(void **state)
{
	struct lab *lab = *state;
	const struct path path = path_to(RELAY_SOURCE, RELAY_FINALIZED, 1);
	record(lab, path.records, path.count);
	lab_next_block(lab, 1);
	const size_t mark = ledger_state_mark(lab->state);
	const size_t half = path.count / 2;
	record(lab, path.records, path.count);
	record(lab, path.records, half);
	record(lab, path.records + half, path.count - half);
	assert_int_equal(lab->run.logs.count, 0);
	assert_int_equal(ledger_state_mark(lab->state), mark);
	assert_seen(lab, 1, RELAY_SOURCE, RELAY_FINALIZED, path.count, 0);
}

/* Twice in one batch is once. */
static void test_twice_in_a_batch(void **state)
{
	struct lab *lab = *state;
	const struct ledger_record one =
		record_of(1, RELAY_SOURCE, 0, RELAY_STATE_NONE, RELAY_ON_OBSERVE);
	const struct ledger_record batch[] = {one, one};
	record(lab, batch, CS_LEN(batch));
	assert_seen(lab, 1, RELAY_SOURCE, RELAY_OBSERVED, 1, 0);
}

static void test_conflicts(void **state)
{
	struct lab *lab = *state;
	const struct path path = path_to(RELAY_SOURCE, RELAY_SIGNED, 1);
	struct ledger_record other = path.records[2];
	record(lab, path.records, path.count);
	for (uint64_t i = 1; i <= LEDGER_RECORD_CONFLICTS_MAX; i++) {
		other.height = i;
		record(lab, &other, 1);
		assert_int_equal(lab_log_count(lab, "RecordConflict(bytes32,uint8,uint8,uint8)"),
				 1);
		record(lab, &other, 1);
		assert_int_equal(lab->run.logs.count, 0);
		assert_seen(lab, 1, RELAY_SOURCE, RELAY_SIGNED, path.count, i);
	}
	/* More are counted, and not kept. */
	other.height = 99;
	record(lab, &other, 1);
	assert_seen(lab, 1, RELAY_SOURCE, RELAY_SIGNED, path.count,
		    LEDGER_RECORD_CONFLICTS_MAX + 1);
	for (uint64_t n = 0; n <= LEDGER_RECORD_CONFLICTS_MAX; n++) {
		const struct cs_bytes output =
			lab_call(lab, RECORDS, "conflictOf(bytes32,uint8,uint8)",
				 LAB_WORDS(lab_word(1), lab_word(RELAY_SOURCE), lab_word(n)));
		const bool kept = n < LEDGER_RECORD_CONFLICTS_MAX;
		assert_int_equal(cs_be64(output.p + 24), kept ? 2 : 0);
		assert_int_equal(cs_be64(output.p + 4 * 32 + 24), kept ? n + 1 : 0);
	}
	/* What was recorded first stays. */
	const struct cs_bytes first =
		lab_call(lab, RECORDS, "recordOf(bytes32,uint8,uint8)",
			 LAB_WORDS(lab_word(1), lab_word(RELAY_SOURCE), lab_word(2)));
	assert_int_equal(cs_be64(first.p + 3 * 32 + 24), path.records[2].height);
}

/* Each part of a fact makes another one of it. */
static void test_conflict_of_each_part(void **state)
{
	struct lab *lab = *state;
	const struct path path = path_to(RELAY_SOURCE, RELAY_SUBMITTED, 1);
	struct ledger_record others[5];
	record(lab, path.records, path.count);
	for (size_t i = 0; i < CS_LEN(others); i++)
		others[i] = path.records[path.count - 1];
	others[0].height++;
	others[1].block = lab_byte_word(1);
	others[2].tx = lab_byte_word(1);
	others[3].digest = lab_byte_word(1);
	others[4].event = RELAY_ON_INCLUDE; /* another step, legal from there too */
	record(lab, others, CS_LEN(others));
	assert_seen(lab, 1, RELAY_SOURCE, RELAY_SUBMITTED, path.count, CS_LEN(others));
}

/* The counter of conflicts stops at its bound. */
static void test_conflicts_are_bounded(void **state)
{
	struct lab *lab = *state;
	struct ledger_record batch[LEDGER_RECORDS_BATCH_MAX];
	const struct ledger_record one =
		record_of(1, RELAY_SOURCE, 0, RELAY_STATE_NONE, RELAY_ON_OBSERVE);
	record(lab, &one, 1);
	for (unsigned round = 0; round < 5; round++) {
		for (size_t i = 0; i < CS_LEN(batch); i++) {
			batch[i] = one;
			batch[i].height = 100000 + round * CS_LEN(batch) + i;
		}
		record(lab, batch, CS_LEN(batch));
	}
	assert_seen(lab, 1, RELAY_SOURCE, RELAY_OBSERVED, 1, UINT8_MAX);
}

/* ---- refusals ---- */

static void test_refusals(void **state)
{
	struct lab *lab = *state;
	const struct path path = path_to(RELAY_SOURCE, RELAY_SIGNED, 1);
	struct ledger_record r = path.records[0];
	struct ledger_record many[LEDGER_RECORDS_BATCH_MAX + 1];
	for (size_t i = 0; i < CS_LEN(many); i++)
		many[i] = record_of(i, RELAY_SOURCE, 0, RELAY_STATE_NONE, RELAY_ON_OBSERVE);
	refuse(lab, many, CS_LEN(many), NULL);
	refuse(lab, NULL, 0, "BatchEmpty()");
	r.side = 0;
	refuse(lab, &r, 1, "SideInvalid()");
	r.side = 3;
	refuse(lab, &r, 1, "SideInvalid()");
	r = path.records[0];
	r.source = lab_byte_word(0x43);
	refuse(lab, &r, 1, "NotReporter()");
	record(lab, path.records, path.count);
	r = path.records[1];
	r.destination = lab_byte_word(0x43);
	refuse(lab, &r, 1, "RouteMismatch()");
	/* One step too far on, and one from another state than there is. */
	r = record_of(1, RELAY_SOURCE, path.count + 1, RELAY_SIGNED, RELAY_ON_SUBMIT);
	refuse_move(lab, &r, path.count, RELAY_SIGNED);
	r = record_of(1, RELAY_SOURCE, path.count, RELAY_SUBMITTED, RELAY_ON_INCLUDE);
	refuse_move(lab, &r, path.count, RELAY_SIGNED);
	r = record_of(1, RELAY_SOURCE, path.count, RELAY_STATE_NONE, RELAY_ON_OBSERVE);
	refuse_move(lab, &r, path.count, RELAY_SIGNED);
	/* The last of a batch takes back the first. */
	struct ledger_record batch[] = {
		record_of(1, RELAY_SOURCE, path.count, RELAY_SIGNED, RELAY_ON_SUBMIT),
		record_of(2, RELAY_SOURCE, 0, RELAY_STATE_NONE, RELAY_ON_SIGN)};
	refuse_move(lab, &batch[1], 0, 0);
	struct cs_bytes output;
	assert_false(lab_try(lab, &output, RECORDS, record_input(batch, CS_LEN(batch))));
	assert_seen(lab, 1, RELAY_SOURCE, RELAY_SIGNED, path.count, 0);
}

static void test_reporters(void **state)
{
	struct lab *lab = *state;
	const struct cs_address gateway = lab_address(REGISTER_GATEWAY);
	const struct cs_hash one = chain_1();
	const struct ledger_record source =
		record_of(1, RELAY_SOURCE, 0, RELAY_STATE_NONE, RELAY_ON_OBSERVE);
	const struct ledger_record destination =
		record_of(1, RELAY_DESTINATION, 0, RELAY_STATE_NONE, RELAY_ON_SIGN);
	register_lab_from(lab, REGISTER_OTHER);
	refuse(lab, &source, 1, "NotReporter()");
	lab_refuse(lab, RECORDS, "setGateway(address,bytes32,bool)",
		   LAB_WORDS(lab_address_word(&gateway), one, lab_word(1)), "NotOwner()", LAB_NONE);
	/* The guardian takes away, and does not give. */
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_refuse(lab, RECORDS, "setGateway(address,bytes32,bool)",
		   LAB_WORDS(lab_address_word(&gateway), one, lab_word(1)), "NotOwner()", LAB_NONE);
	lab_call(lab, RECORDS, "setGateway(address,bytes32,bool)",
		 LAB_WORDS(lab_address_word(&gateway), one, lab_word(0)));
	assert_hash(lab_ask(lab, RECORDS, "isGateway(address,bytes32)",
			    LAB_WORDS(lab_address_word(&gateway), one)),
		    lab_word(0));
	register_lab_from(lab, REGISTER_GATEWAY);
	refuse(lab, &source, 1, "NotReporter()");
	record(lab, &destination, 1);
	const struct ledger_record both[] = {destination, source};
	refuse(lab, both, CS_LEN(both), "NotReporter()");
}

/* A message that is sent and dropped for ever has an end of its history. */
static void test_history_is_bounded(void **state)
{
	struct lab *lab = *state;
	struct ledger_record r =
		record_of(1, RELAY_DESTINATION, 0, RELAY_STATE_NONE, RELAY_ON_SIGN);
	record(lab, &r, 1);
	for (size_t i = 1; i < LEDGER_RECORDS_PER_SIDE_MAX; i++) {
		const bool odd = i % 2 == 1;
		r = record_of(1, RELAY_DESTINATION, i, odd ? RELAY_SIGNED : RELAY_SUBMITTED,
			      odd ? RELAY_ON_SUBMIT : RELAY_ON_DROP);
		record(lab, &r, 1);
	}
	r = record_of(1, RELAY_DESTINATION, LEDGER_RECORDS_PER_SIDE_MAX, RELAY_SUBMITTED,
		      RELAY_ON_DROP);
	refuse(lab, &r, 1, "RecordsFull()");
}

/* ---- sums ---- */

static void assert_backlog(struct lab *lab, const struct cs_hash *source,
			   const struct cs_hash *destination, enum relay_side side,
			   const uint64_t want[STATES])
{
	const struct cs_bytes output = lab_call(lab, RECORDS, "backlog(bytes32,bytes32,uint8)",
						LAB_WORDS(*source, *destination, lab_word(side)));
	assert_int_equal(output.n, STATES * 32);
	for (size_t i = 0; i < STATES; i++)
		assert_int_equal(cs_be64(output.p + 32 * i + 24), want[i]);
}

/* Messages of three routes walk at random, several moves in a batch; what is kept as sums is what a
 * count over all messages gives. */
static void test_backlog(void **state)
{
	enum { MESSAGES = 90, ROUTES = 3 };
	struct lab *lab = *state;
	const struct cs_hash ends[ROUTES][2] = {
		{chain_1(), chain_2()}, {chain_2(), chain_1()}, {chain_1(), lab_byte_word(0x44)}};
	enum relay_state states[MESSAGES] = {RELAY_STATE_NONE};
	size_t counts[MESSAGES] = {0};
	uint32_t seed = 12345;
	for (unsigned batch = 0; batch < 60; batch++) {
		struct ledger_record records[8];
		for (size_t i = 0; i < CS_LEN(records); i++) {
			enum relay_state to;
			unsigned event, message;
			do {
				seed = seed * 1664525u + 1013904223u;
				message = (seed >> 8) % MESSAGES;
				event = (seed >> 20) % RELAY_EVENT_END;
				to = states[message];
				if (counts[message] == 0) {
					event = RELAY_ON_OBSERVE;
					to = RELAY_OBSERVED;
					break;
				}
			} while (counts[message] > 50 ||
				 relay_move(&to, (enum relay_event)event) != CS_OK);
			records[i] = record_of(message, RELAY_SOURCE, counts[message],
					       states[message], (enum relay_event)event);
			records[i].source = ends[message % ROUTES][0];
			records[i].destination = ends[message % ROUTES][1];
			states[message] = to;
			counts[message]++;
		}
		record(lab, records, CS_LEN(records));
		lab_next_block(lab, 1);
	}
	for (size_t route = 0; route < ROUTES; route++) {
		uint64_t want[STATES] = {0};
		for (size_t message = route; message < MESSAGES; message += ROUTES) {
			if (states[message] != RELAY_STATE_NONE)
				want[states[message] - 1]++;
		}
		assert_backlog(lab, &ends[route][0], &ends[route][1], RELAY_SOURCE, want);
	}
}

static struct cs_bytes counts_key(void)
{
	uint8_t *key = keep(67);
	const struct cs_hash one = chain_1(), two = chain_2();
	key[0] = RECORDS;
	key[1] = 'n';
	memcpy(key + 2, one.b, 32);
	memcpy(key + 34, two.b, 32);
	key[66] = RELAY_SOURCE;
	return cs_bytes(key, 67);
}

static void test_overflow(void **state)
{
	struct lab *lab = *state;
	uint8_t row[STATES * 8] = {0};
	const struct ledger_record r =
		record_of(1, RELAY_SOURCE, 0, RELAY_STATE_NONE, RELAY_ON_OBSERVE);
	memset(row, 0xff, 8);
	assert_ok(ledger_state_put(lab->state, counts_key(), CS_BYTES_OF(row)));
	refuse(lab, &r, 1, NULL);
	row[7] = 0xfe;
	assert_ok(ledger_state_put(lab->state, counts_key(), CS_BYTES_OF(row)));
	record(lab, &r, 1);
}

/* ---- leases ---- */

static struct cs_bytes lease_words(const struct lab *lab, uint8_t holder, uint64_t until_s,
				   uint64_t fencing)
{
	struct cs_hash *words = keep(3 * sizeof *words);
	const struct cs_address address = lab_address(holder);
	(void)lab;
	words[0] = lab_address_word(&address);
	words[1] = lab_word(until_s);
	words[2] = lab_word(fencing);
	return cs_bytes(words, 3 * sizeof *words);
}

static void assert_lease(struct lab *lab, uint8_t holder, uint64_t until_s, uint64_t fencing)
{
	const struct cs_bytes output =
		lab_call(lab, RECORDS, "leaseOf(bytes32,bytes32,uint8)",
			 LAB_WORDS(chain_1(), chain_2(), lab_word(RELAY_SOURCE)));
	assert_bytes(output, lease_words(lab, holder, until_s, fencing));
}

#define TAKE "takeLease(bytes32,bytes32,uint8,uint64)"
#define RENEW "renewLease(bytes32,bytes32,uint8,uint64,uint64)"
#define RELEASE "releaseLease(bytes32,bytes32,uint8,uint64)"
#define ROUTE chain_1(), chain_2(), lab_word(RELAY_SOURCE)

static uint64_t take(struct lab *lab, uint64_t seconds)
{
	const struct cs_hash fencing =
		lab_ask(lab, RECORDS, TAKE, LAB_WORDS(ROUTE, lab_word(seconds)));
	return cs_be64(fencing.b + 24);
}

static void refuse_take(struct lab *lab, uint64_t seconds, uint8_t holder, uint64_t until_s)
{
	const struct cs_address address = lab_address(holder);
	lab_refuse(lab, RECORDS, TAKE, LAB_WORDS(ROUTE, lab_word(seconds)),
		   "LeaseHeld(address,uint64)",
		   LAB_WORDS(lab_address_word(&address), lab_word(until_s)));
}

static void test_leases(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash one = chain_1();
	const uint64_t begin_s = lab->block.time_s;
	set_gateway(lab, REGISTER_OTHER, &one);
	register_lab_from(lab, REGISTER_GATEWAY);
	assert_int_equal(take(lab, 60), 1);
	assert_lease(lab, REGISTER_GATEWAY, begin_s + 60, 1);
	refuse_take(lab, 60, REGISTER_GATEWAY, begin_s + 60);
	register_lab_from(lab, REGISTER_OTHER);
	lab_next_block(lab, 59);
	refuse_take(lab, 60, REGISTER_GATEWAY, begin_s + 60);
	register_lab_from(lab, REGISTER_GATEWAY);
	lab_call(lab, RECORDS, RENEW, LAB_WORDS(ROUTE, lab_word(1), lab_word(30)));
	assert_lease(lab, REGISTER_GATEWAY, begin_s + 89, 1);
	lab_next_block(lab, 30);
	/* The very second: it has ended. */
	lab_refuse(lab, RECORDS, RENEW, LAB_WORDS(ROUTE, lab_word(1), lab_word(30)),
		   "LeaseNotHeld()", LAB_NONE);
	lab_refuse(lab, RECORDS, RELEASE, LAB_WORDS(ROUTE, lab_word(1)), "LeaseNotHeld()",
		   LAB_NONE);
	register_lab_from(lab, REGISTER_OTHER);
	assert_int_equal(take(lab, 10), 2);
	/* The earlier holder, the earlier number. */
	register_lab_from(lab, REGISTER_GATEWAY);
	lab_refuse(lab, RECORDS, RENEW, LAB_WORDS(ROUTE, lab_word(2), lab_word(30)),
		   "LeaseNotHeld()", LAB_NONE);
	register_lab_from(lab, REGISTER_OTHER);
	lab_refuse(lab, RECORDS, RENEW, LAB_WORDS(ROUTE, lab_word(1), lab_word(30)),
		   "LeaseNotHeld()", LAB_NONE);
	lab_call(lab, RECORDS, RELEASE, LAB_WORDS(ROUTE, lab_word(2)));
	assert_lease(lab, REGISTER_OTHER, begin_s + 89, 2);
	assert_int_equal(take(lab, 1), 3);
}

static void test_refused_leases(void **state)
{
	struct lab *lab = *state;
	const struct cs_address gateway = lab_address(REGISTER_GATEWAY);
	lab_refuse(lab, RECORDS, TAKE, LAB_WORDS(ROUTE, lab_word(0)), "LeaseTooLong()", LAB_NONE);
	lab_refuse(lab, RECORDS, TAKE, LAB_WORDS(ROUTE, lab_word(LEDGER_LEASE_MAX_S + 1)),
		   "LeaseTooLong()", LAB_NONE);
	lab_refuse(lab, RECORDS, TAKE, LAB_WORDS(chain_1(), chain_2(), lab_word(3), lab_word(1)),
		   "SideInvalid()", LAB_NONE);
	register_lab_from(lab, REGISTER_OTHER);
	lab_refuse(lab, RECORDS, TAKE, LAB_WORDS(ROUTE, lab_word(1)), "NotGateway()", LAB_NONE);
	/* One that is a gateway no more keeps what it has, to its end. */
	register_lab_from(lab, REGISTER_GATEWAY);
	assert_int_equal(take(lab, LEDGER_LEASE_MAX_S), 1);
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_call(lab, RECORDS, "setGateway(address,bytes32,bool)",
		 LAB_WORDS(lab_address_word(&gateway), chain_1(), lab_word(0)));
	register_lab_from(lab, REGISTER_GATEWAY);
	lab_refuse(lab, RECORDS, RENEW, LAB_WORDS(ROUTE, lab_word(1), lab_word(1)), "NotGateway()",
		   LAB_NONE);
	lab_call(lab, RECORDS, RELEASE, LAB_WORDS(ROUTE, lab_word(1)));
}

/* What a state proof shows: key and value byte for byte. */
static void test_proven_lease(void **state)
{
	struct lab *lab = *state;
	uint8_t key[67] = {RECORDS, 'l'};
	struct cs_bytes value;
	const struct cs_hash one = chain_1(), two = chain_2();
	const struct cs_address gateway = lab_address(REGISTER_GATEWAY);
	memcpy(key + 2, one.b, 32);
	memcpy(key + 34, two.b, 32);
	key[66] = RELAY_SOURCE;
	assert_int_equal(take(lab, 60), 1);
	assert_ok(ledger_state_get(lab->state, &value, CS_BYTES_OF(key)));
	assert_int_equal(value.n, 36);
	assert_memory_equal(value.p, gateway.b, 20);
	assert_int_equal(cs_be64(value.p + 20), lab->block.time_s + 60);
	assert_int_equal(cs_be64(value.p + 28), 1);
	/* A number that cannot rise any more. */
	uint8_t last[36] = {0};
	memset(last + 28, 0xff, 8);
	assert_ok(ledger_state_put(lab->state, CS_BYTES_OF(key), CS_BYTES_OF(last)));
	lab_refuse(lab, RECORDS, TAKE, LAB_WORDS(ROUTE, lab_word(1)), NULL, LAB_NONE);
}

/* ---- how much a batch is ---- */

static uint64_t now_us(void)
{
	struct timespec now;
	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void test_full_batch(void **state)
{
	enum { ROUNDS = 20 };
	struct lab *lab = *state;
	struct ledger_record batch[LEDGER_RECORDS_BATCH_MAX];
	uint64_t spent_us = 0;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < CS_LEN(batch); i++)
			batch[i] = record_of(1 + round * CS_LEN(batch) + i, RELAY_SOURCE, 0,
					     RELAY_STATE_NONE, RELAY_ON_OBSERVE);
		const struct cs_bytes input = record_input(batch, CS_LEN(batch));
		struct cs_bytes output;
		const uint64_t begin_us = now_us();
		assert_true(lab_try(lab, &output, RECORDS, input));
		spent_us += now_us() - begin_us;
		assert_int_equal(lab_log_count(lab, "Recorded(bytes32,uint8,uint8,uint8)"),
				 CS_LEN(batch));
		lab_next_block(lab, 1);
	}
	print_message("a batch of %u records: %llu gas, %llu us in this build\n",
		      LEDGER_RECORDS_BATCH_MAX, (unsigned long long)lab->run.gas.used,
		      (unsigned long long)(spent_us / ROUNDS));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_moves),
		TEST(test_first_moves),
		TEST(test_repeats),
		TEST(test_twice_in_a_batch),
		TEST(test_conflicts),
		TEST(test_conflict_of_each_part),
		TEST(test_conflicts_are_bounded),
		TEST(test_refusals),
		TEST(test_reporters),
		TEST(test_history_is_bounded),
		TEST(test_backlog),
		TEST(test_overflow),
		TEST(test_leases),
		TEST(test_refused_leases),
		TEST(test_proven_lease),
		TEST(test_full_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
