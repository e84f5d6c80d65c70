/* The state of a block: what is read through, changed, taken back, and what differs at its end; the
 * double of the store that other suites use. */
#include "core/buf.h"
#include "relay_state/ledger/state.h"
#include "tests/unit/ledger/memory_db.h"
#include "tests/unit/support.h"

#define KEYS_MAX 256u
#define BYTES_MAX (256u * 1024)
#define ARENA_SIZE (256u * 1024)

struct scene {
	struct memory_db *db;
	struct ledger_db table;
	struct ledger_state_options options;
	void *memory;
	struct ledger_state *state;
	_Alignas(16) uint8_t arena_memory[ARENA_SIZE];
	struct cs_arena arena;
};

static void begin_state(struct scene *s)
{
	free(s->memory);
	s->memory = aligned_alloc(16, ledger_state_size(&s->options));
	assert_non_null(s->memory);
	s->state = ledger_state_init(s->memory, &s->table, &s->options);
}

static int set_up(void **state)
{
	struct scene *s = aligned_alloc(16, (sizeof *s + 15) / 16 * 16);
	assert_non_null(s);
	memset(s, 0, sizeof *s);
	s->db = memory_db_new();
	s->table = memory_db_table(s->db);
	s->options = (struct ledger_state_options){.keys_max = KEYS_MAX, .bytes_max = BYTES_MAX};
	cs_arena_init(&s->arena, s->arena_memory, sizeof s->arena_memory);
	begin_state(s);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	memory_db_free(s->db);
	free(s->memory);
	free(s);
	return 0;
}

static struct cs_bytes text(const char *t)
{
	return cs_bytes_str(t);
}

static void put(struct scene *s, const char *key, const char *value)
{
	assert_ok(ledger_state_put(s->state, text(key), text(value)));
}

static void drop(struct scene *s, const char *key)
{
	assert_ok(ledger_state_remove(s->state, text(key)));
}

/* NULL: nothing is there. */
static void expect(struct scene *s, const char *key, const char *value)
{
	struct cs_bytes got = CS_BYTES_NONE;
	enum cs_err err = ledger_state_get(s->state, &got, text(key));
	assert_int_equal(err, value == NULL ? CS_ERR_NOT_FOUND : CS_OK);
	if (value != NULL)
		assert_bytes(got, text(value));
}

static void changes_of(struct scene *s, struct ledger_changes *changes)
{
	assert_ok(ledger_state_changes(s->state, changes, &s->arena));
}

static void commit(struct scene *s, uint64_t version)
{
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{NULL, 0}};
	changes_of(s, &changes[LEDGER_VALUES]);
	assert_ok(s->table.commit(s->table.context, version, changes, 0));
	ledger_state_reset(s->state);
}

static void test_reads_through(void **state)
{
	struct scene *s = *state;
	put(s, "a", "1");
	put(s, "b", "2");
	commit(s, 1);
	size_t gets = memory_db_gets(s->db);
	expect(s, "a", "1");
	expect(s, "c", NULL);
	assert_int_equal(memory_db_gets(s->db), gets + 2);
	/* What was read once, absence too, is not asked for again. */
	expect(s, "a", "1");
	expect(s, "c", NULL);
	put(s, "c", "3");
	drop(s, "a");
	expect(s, "c", "3");
	expect(s, "a", NULL);
	assert_int_equal(memory_db_gets(s->db), gets + 2);
	ledger_state_reset(s->state);
	expect(s, "a", "1");
	expect(s, "c", NULL);
}

static void test_marks(void **state)
{
	struct scene *s = *state;
	put(s, "a", "1");
	commit(s, 1);
	put(s, "a", "2");
	size_t outer = ledger_state_mark(s->state);
	put(s, "a", "3");
	put(s, "b", "1");
	size_t inner = ledger_state_mark(s->state);
	drop(s, "a");
	put(s, "b", "2");
	put(s, "a", "4");
	ledger_state_revert(s->state, inner);
	expect(s, "a", "3");
	expect(s, "b", "1");
	/* Twice is the same as once; a mark above is void, one below holds. */
	ledger_state_revert(s->state, inner);
	put(s, "c", "1");
	ledger_state_revert(s->state, outer);
	expect(s, "a", "2");
	expect(s, "b", NULL);
	expect(s, "c", NULL);
	ledger_state_revert(s->state, 0);
	expect(s, "a", "1");
	struct ledger_changes changes;
	changes_of(s, &changes);
	assert_int_equal(changes.count, 0);
}

static void test_changes_are_sorted_and_minimal(void **state)
{
	struct scene *s = *state;
	struct ledger_changes changes;
	changes_of(s, &changes);
	assert_int_equal(changes.count, 0);
	put(s, "same", "1");
	put(s, "back", "1");
	put(s, "gone", "1");
	commit(s, 1);
	put(s, "same", "1");
	put(s, "back", "2");
	put(s, "back", "1");
	put(s, "passing", "1");
	drop(s, "passing");
	drop(s, "never");
	drop(s, "gone");
	put(s, "b", "new");
	put(s, "ba", "new");
	put(s, "a", "new");
	changes_of(s, &changes);
	static const char *const keys[] = {"a", "b", "ba", "gone"};
	assert_int_equal(changes.count, CS_LEN(keys));
	for (size_t i = 0; i < changes.count; i++) {
		assert_bytes(changes.items[i].key, text(keys[i]));
		assert_int_equal(changes.items[i].removed, i == 3);
	}
}

static void test_copies_what_it_is_given(void **state)
{
	struct scene *s = *state;
	char key[] = "key", value[] = "value";
	assert_ok(ledger_state_put(s->state, text(key), text(value)));
	memset(key, 'x', 3);
	memset(value, 'x', 5);
	expect(s, "key", "value");
	expect(s, "xxx", NULL);
}

static void test_full(void **state)
{
	struct scene *s = *state;
	char key[16];
	for (size_t i = 0; i < KEYS_MAX; i++) {
		(void)snprintf(key, sizeof key, "k%zu", i);
		put(s, key, "1");
	}
	/* Known keys go on, a new one does not, and nothing that was there is lost. */
	struct cs_bytes value;
	assert_err(ledger_state_get(s->state, &value, text("more")), CS_ERR_FULL);
	assert_err(ledger_state_put(s->state, text("more"), text("1")), CS_ERR_FULL);
	put(s, "k0", "2");
	expect(s, "k0", "2");
	expect(s, "k255", "1");

	/* Of bytes: values written, and values read. */
	static uint8_t large[LEDGER_VALUE_SIZE_MAX];
	ledger_state_reset(s->state);
	enum cs_err err = CS_OK;
	size_t count = 0;
	for (; err == CS_OK; count++) {
		large[0] = (uint8_t)count;
		err = ledger_state_put(s->state, text("a"), CS_BYTES_OF(large));
	}
	assert_int_equal(err, CS_ERR_FULL);
	assert_int_equal(count - 1, BYTES_MAX / sizeof large);
	ledger_state_reset(s->state);
	for (size_t i = 0; i < 13; i++) {
		struct ledger_change item = {.key = cs_bytes(key, 2), .value = CS_BYTES_OF(large)};
		struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{&item, 1}};
		(void)snprintf(key, sizeof key, "r%c", (char)('a' + i));
		assert_ok(s->table.commit(s->table.context, i + 1, changes, 0));
		err = ledger_state_get(s->state, &value, cs_bytes(key, 2));
		assert_int_equal(err, i < 12 ? CS_OK : CS_ERR_FULL);
	}
}

static void test_too_many_changes(void **state)
{
	struct scene *s = *state;
	s->options.keys_max = 2;
	begin_state(s);
	size_t count = 0;
	while (ledger_state_put(s->state, text("a"), text(count % 2 == 0 ? "1" : "2")) == CS_OK)
		count++;
	assert_int_equal(count, 32);
	expect(s, "a", "2");
	ledger_state_revert(s->state, 31);
	expect(s, "a", "1");
	put(s, "a", "3");
}

static void test_failures_of_the_store_pass_through(void **state)
{
	struct scene *s = *state;
	struct cs_bytes value = cs_bytes("untouched", 9);
	memory_db_fail_get(s->db, CS_ERR_DAMAGED);
	assert_err(ledger_state_get(s->state, &value, text("a")), CS_ERR_DAMAGED);
	assert_err(ledger_state_put(s->state, text("a"), text("1")), CS_ERR_DAMAGED);
	assert_err(ledger_state_remove(s->state, text("a")), CS_ERR_DAMAGED);
	assert_bytes(value, text("untouched"));
	memory_db_fail_get(s->db, CS_OK);
	expect(s, "a", NULL);
}

static void test_no_memory_for_changes(void **state)
{
	struct scene *s = *state;
	uint8_t small[32];
	struct cs_arena arena;
	struct ledger_changes changes = {NULL, 77};
	put(s, "a", "1");
	put(s, "b", "1");
	cs_arena_init(&arena, small, sizeof small);
	assert_err(ledger_state_changes(s->state, &changes, &arena), CS_ERR_NO_MEMORY);
	assert_int_equal(changes.count, 77);
}

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* The same steps under two seeds, beside a table of what must be there. */
static void test_the_seed_decides_nothing(void **state)
{
	struct scene *s = *state;
	struct ledger_state_options other_options = s->options;
	memset(other_options.seed, 0x5a, sizeof other_options.seed);
	void *memory = aligned_alloc(16, ledger_state_size(&other_options));
	struct ledger_state *other = ledger_state_init(memory, &s->table, &other_options);
	int model[64] = {0}, kept[64] = {0};
	size_t mark = 0;
	uint32_t seed = 7;
	for (size_t step = 0; step < 2000; step++) {
		uint32_t i = next(&seed) % 64, value = next(&seed) % 5;
		const uint8_t key[2] = {1, (uint8_t)i}, bytes[1] = {(uint8_t)value};
		if (step % 50 == 20) {
			mark = ledger_state_mark(s->state);
			memcpy(kept, model, sizeof kept);
		}
		if (step % 50 == 40) {
			ledger_state_revert(s->state, mark);
			ledger_state_revert(other, mark);
			memcpy(model, kept, sizeof kept);
		}
		model[i] = (int)value;
		if (value == 0) {
			assert_ok(ledger_state_remove(s->state, CS_BYTES_OF(key)));
			assert_ok(ledger_state_remove(other, CS_BYTES_OF(key)));
		} else {
			assert_ok(ledger_state_put(s->state, CS_BYTES_OF(key), CS_BYTES_OF(bytes)));
			assert_ok(ledger_state_put(other, CS_BYTES_OF(key), CS_BYTES_OF(bytes)));
		}
		assert_int_equal(ledger_state_mark(s->state), ledger_state_mark(other));
	}
	struct ledger_changes a, b;
	changes_of(s, &a);
	assert_ok(ledger_state_changes(other, &b, &s->arena));
	size_t count = 0;
	for (size_t i = 0; i < 64; i++) {
		if (model[i] == 0)
			continue;
		assert_int_equal(a.items[count].key.p[1], i);
		assert_int_equal(a.items[count].value.p[0], model[i]);
		assert_bytes(b.items[count].key, a.items[count].key);
		assert_bytes(b.items[count].value, a.items[count].value);
		count++;
	}
	assert_int_equal(a.count, count);
	assert_int_equal(b.count, count);
	free(memory);
}

/* ---- the double ---- */

static void expect_at(struct scene *s, const char *key, uint64_t version, const char *value)
{
	struct cs_bytes got = CS_BYTES_NONE;
	enum cs_err err =
		s->table.get(s->table.context, &got, LEDGER_VALUES, text(key), version, &s->arena);
	assert_int_equal(err, value == NULL ? CS_ERR_NOT_FOUND : CS_OK);
	if (value != NULL)
		assert_bytes(got, text(value));
}

static enum cs_err take_key(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct cs_buf *seen = context;
	assert_true(value.n > 0);
	cs_put(seen, key);
	cs_put_u8(seen, ' ');
	return cs_buf_end(seen);
}

static void test_the_double_keeps_versions(void **state)
{
	struct scene *s = *state;
	struct cs_bytes value;
	put(s, "a", "1");
	put(s, "ab", "1");
	commit(s, 3);
	put(s, "a", "2");
	commit(s, 5);
	drop(s, "a");
	put(s, "abc", "1");
	put(s, "b", "1");
	commit(s, 6);
	expect_at(s, "a", 3, "1");
	expect_at(s, "a", 4, "1");
	expect_at(s, "a", 5, "2");
	expect_at(s, "a", 6, NULL);
	expect_at(s, "a", 0, NULL);
	expect_at(s, "abc", 5, NULL);
	assert_err(s->table.get(s->table.context, &value, LEDGER_VALUES, text("a"), 7, &s->arena),
		   CS_ERR_UNAVAILABLE);
	assert_err(s->table.get(s->table.context, &value, LEDGER_VALUES, text("a"), 2, &s->arena),
		   CS_ERR_UNAVAILABLE);
	char text_seen[64];
	struct cs_buf seen;
	cs_buf_init(&seen, text_seen, sizeof text_seen);
	assert_ok(s->table.scan(s->table.context, LEDGER_VALUES, text("a"), CS_BYTES_NONE, take_key,
				&seen));
	assert_bytes(cs_buf_view(&seen), text("ab abc "));
	seen.n = 0;
	assert_ok(s->table.scan(s->table.context, LEDGER_VALUES, CS_BYTES_NONE, text("ab"),
				take_key, &seen));
	assert_bytes(cs_buf_view(&seen), text("abc b "));
	/* What the taker says ends it. */
	cs_buf_init(&seen, text_seen, 3);
	assert_err(s->table.scan(s->table.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE,
				 take_key, &seen),
		   CS_ERR_TOO_LARGE);
	memory_db_rollback(s->db, 5);
	expect_at(s, "a", 0, "2");
	expect_at(s, "abc", 0, NULL);
	struct ledger_changes none[LEDGER_SPACE_COUNT] = {{NULL, 0}};
	assert_ok(s->table.commit(s->table.context, 8, none, 7));
	expect_at(s, "a", 7, "2");
	assert_err(s->table.get(s->table.context, &value, LEDGER_VALUES, text("a"), 6, &s->arena),
		   CS_ERR_UNAVAILABLE);
	assert_int_equal(memory_db_count(s->db, LEDGER_VALUES), 2);
	assert_ok(s->table.clear(s->table.context));
	assert_int_equal(memory_db_version(s->db), 0);
	expect_at(s, "a", 0, NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_reads_through),
		CASE(test_marks),
		CASE(test_changes_are_sorted_and_minimal),
		CASE(test_copies_what_it_is_given),
		CASE(test_full),
		CASE(test_too_many_changes),
		CASE(test_failures_of_the_store_pass_through),
		CASE(test_no_memory_for_changes),
		CASE(test_the_seed_decides_nothing),
		CASE(test_the_double_keeps_versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
