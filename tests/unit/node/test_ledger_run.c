/* Runs of the ledger's history: what is put is found, what is none is told. */
#include "relay_state/node/ledger_run.h"
#include "tests/unit/support.h"

#include <string.h>

static uint8_t memory[LEDGER_RUN_SIZE_MAX];

static struct ledger_run_entry entry_of(const char *key, uint64_t since, struct cs_bytes value)
{
	return (struct ledger_run_entry){cs_bytes_str(key), since, since > 0, value};
}

static void expect_entry(struct cs_bytes run, const char *key, uint64_t since,
			 struct cs_bytes value)
{
	struct ledger_run_entry found;
	assert_ok(ledger_run_find(run, &found, cs_bytes_str(key)));
	assert_true(cs_bytes_eq(found.key, cs_bytes_str(key)));
	assert_int_equal(found.since, since);
	assert_int_equal(found.is_there, since > 0);
	assert_true(cs_bytes_eq(found.value, value));
}

static void test_finds_what_was_put(void **state)
{
	(void)state;
	struct ledger_run_entry entry;
	struct cs_reader reader;
	struct cs_buf run;
	size_t count = 0;
	cs_buf_init(&run, memory, sizeof memory);
	entry = entry_of("a", 7, cs_bytes("one", 3));
	assert_true(ledger_run_add(&run, &entry));
	entry = entry_of("ab", 0, CS_BYTES_NONE);
	assert_true(ledger_run_add(&run, &entry));
	entry = entry_of("b", UINT64_MAX, CS_BYTES_NONE);
	assert_true(ledger_run_add(&run, &entry));
	expect_entry(cs_buf_view(&run), "a", 7, cs_bytes("one", 3));
	expect_entry(cs_buf_view(&run), "ab", 0, CS_BYTES_NONE);
	expect_entry(cs_buf_view(&run), "b", UINT64_MAX, CS_BYTES_NONE);
	assert_err(ledger_run_find(cs_buf_view(&run), &entry, cs_bytes_str("c")), CS_ERR_NOT_FOUND);
	assert_err(ledger_run_find(CS_BYTES_NONE, &entry, cs_bytes_str("a")), CS_ERR_NOT_FOUND);
	cs_reader_init(&reader, cs_buf_view(&run));
	while (ledger_run_next(&reader, &entry) == CS_OK)
		count++;
	assert_int_equal(count, 3);
}

static void test_ends_at_its_size(void **state)
{
	(void)state;
	static uint8_t value[LEDGER_RUN_SIZE_MAX];
	struct ledger_run_entry entry = entry_of("long", 1, cs_bytes(value, 20480));
	struct cs_buf run, before;
	cs_buf_init(&run, memory, sizeof memory);
	/* One that is longer than a run should be has one to itself. */
	assert_true(ledger_run_add(&run, &entry));
	before = run;
	entry = entry_of("short", 1, cs_bytes("x", 1));
	assert_false(ledger_run_add(&run, &entry));
	assert_memory_equal(&run, &before, sizeof run);
	cs_buf_init(&run, memory, sizeof memory);
	entry = entry_of("too long", 1, cs_bytes(value, sizeof value));
	assert_false(ledger_run_add(&run, &entry));
	assert_int_equal(run.n, 0);
	entry = entry_of("some", 1, cs_bytes(value, 1000));
	while (ledger_run_add(&run, &entry)) {
	}
	assert_in_range(run.n, LEDGER_RUN_SIZE - 1024, LEDGER_RUN_SIZE);
}

static void test_every_cut_is_told(void **state)
{
	(void)state;
	struct ledger_run_entry entry = entry_of("key", 9, cs_bytes("value", 5)), found;
	struct cs_buf run;
	cs_buf_init(&run, memory, sizeof memory);
	assert_true(ledger_run_add(&run, &entry));
	for (size_t n = 1; n < run.n; n++)
		assert_err(ledger_run_find(cs_bytes(memory, n), &found, cs_bytes_str("other")),
			   CS_ERR_MALFORMED);
	memory[0] = 0; /* a key of no bytes */
	assert_err(ledger_run_find(cs_buf_view(&run), &found, cs_bytes_str("other")),
		   CS_ERR_MALFORMED);
	memory[0] = 3;
	memory[12] = 2; /* neither there nor not */
	assert_err(ledger_run_find(cs_buf_view(&run), &found, cs_bytes_str("other")),
		   CS_ERR_MALFORMED);
	memory[12] = 0; /* not there, and a value */
	assert_err(ledger_run_find(cs_buf_view(&run), &found, cs_bytes_str("other")),
		   CS_ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_what_was_put),
		cmocka_unit_test(test_ends_at_its_size),
		cmocka_unit_test(test_every_cut_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
