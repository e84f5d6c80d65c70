/* What nodes answer about histories, records and leases, and what is planned on it: whatever they say, a
 * plan has only moves that the table has, at places that follow on each other. */
#include "relay_state/client/plan.h"
#include "tests/fuzz/fuzz.h"

static void check_plan(const struct ledger_move *moves, size_t count,
		       const struct ledger_history *before, const struct ledger_history *after,
		       size_t groups, const struct ledger_record *records, size_t n)
{
	struct ledger_history at[LEDGER_PLAN_MOVES_MAX];
	size_t k = 0;

	memcpy(at, before, groups * sizeof(at[0]));
	for (size_t i = 0; i < count; i++) {
		struct ledger_history *history = &at[moves[i].history];
		enum relay_state state = (enum relay_state)history->state;

		if (moves[i].verdict != LEDGER_MOVE_RECORD)
			continue;
		cs_assert(k < n && records[k].index == history->count);
		cs_assert(records[k].from == history->state);
		cs_assert(history->count < LEDGER_RECORDS_PER_SIDE_MAX);
		if (history->count == 0)
			state = relay_first((enum relay_side)records[k].side);
		else
			cs_assert(relay_move(&state, (enum relay_event)records[k].event) == CS_OK);
		history->state = (uint8_t)state;
		history->count++;
		k++;
	}
	cs_assert(k == n);
	for (size_t i = 0; i < groups; i++)
		cs_assert(at[i].state == after[i].state && at[i].count == after[i].count);
}

/* Three bytes a move: message and side, event, whether it was tried and is there. */
static void plan(const uint8_t *data, size_t size, const struct ledger_history *first_history)
{
	static struct ledger_move moves[LEDGER_PLAN_MOVES_MAX];
	static struct ledger_record records[LEDGER_PLAN_MOVES_MAX];
	struct ledger_history before[LEDGER_PLAN_MOVES_MAX] = {{0}}, after[LEDGER_PLAN_MOVES_MAX];
	size_t first[LEDGER_PLAN_MOVES_MAX], count = 0;

	for (; count < LEDGER_PLAN_MOVES_MAX && size >= 3; count++, data += 3, size -= 3) {
		moves[count] = (struct ledger_move){
			.row = count,
			.record = {.message_id = {{data[0] >> 1 & 7}},
				   .source = first_history->source,
				   .destination = {{data[1] == 0xff}},
				   .side = data[0] & 1 ? RELAY_SOURCE : RELAY_DESTINATION,
				   .event = data[1] % RELAY_EVENT_END},
			.attempted = data[2] & 1,
			.is_there = data[2] & 2};
	}
	size_t groups = ledger_plan_group(moves, count, first);
	for (size_t i = 0; i < groups; i++)
		if (i % 2 == 0)
			before[i] = *first_history;
	memcpy(after, before, sizeof(after));
	size_t n = ledger_plan(moves, count, after, records);
	check_plan(moves, count, before, after, groups, records, n);
	if (n > 0) {
		static uint8_t calldata[LEDGER_RECORD_CALLDATA_SIZE_MAX];
		struct cs_buf buf;
		cs_buf_init(&buf, calldata, sizeof(calldata));
		ledger_call_record(&buf, records, n);
		cs_assert(cs_buf_end(&buf) == CS_OK);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes answer = cs_bytes(data, size < 320 ? size : 320);
	const struct ledger_record record = {.side = RELAY_SOURCE};
	struct ledger_lease lease;
	struct ledger_history history = {0}, read;
	bool is = false;

	if (ledger_read_lease(&lease, answer) == CS_OK)
		cs_assert(answer.n == 3 * 32);
	if (ledger_read_bool(&is, answer) == CS_OK)
		cs_assert(answer.n == 32);
	if (ledger_read_same(&is, answer, &record) == CS_OK)
		cs_assert(answer.n == 10 * 32);
	if (ledger_read_history(&read, cs_bytes(data, size < 160 ? size : 160)) == CS_OK) {
		cs_assert(read.count <= LEDGER_RECORDS_PER_SIDE_MAX);
		cs_assert(read.state < RELAY_STATE_END && (read.state == 0) == (read.count == 0));
		history = read;
		history.destination = (struct cs_hash){{0}};
		data += 160;
		size -= 160;
	}
	plan(data, size, &history);
	return 0;
}
