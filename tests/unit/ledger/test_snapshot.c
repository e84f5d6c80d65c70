/* Snapshots of the state: taken while blocks go on, the same bytes at every node, restored chunk by chunk;
 * chunks and offers that are refused, stores that fail. */
#include "relay_state/ledger/snapshot.h"
#include "relay_state/ledger/tree.h"
#include "tests/unit/ledger/memory_db.h"
#include "tests/unit/support.h"

#define ARENA_SIZE (16u * 1024 * 1024)
#define KEYS 300u
#define CHUNKS 8u
#define TIME_S 1700000000u
/* What a chunk's making may take: one path and one value. */
#define TAKING_SIZE_MAX (256u * 1024)

struct scene {
	struct memory_db *db;
	struct ledger_db table;
	struct cs_arena arena;
	struct cs_hash root;
	struct ledger_snapshot snapshot;
	struct ledger_restore restore;
	uint8_t *chunks[CHUNKS];
	size_t sizes[CHUNKS];
};

static void *memory_of(size_t size)
{
	void *p = aligned_alloc(16, size);
	assert_non_null(p);
	return p;
}

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	assert_non_null(s);
	s->db = memory_db_new();
	s->table = memory_db_table(s->db);
	cs_arena_init(&s->arena, memory_of(ARENA_SIZE), ARENA_SIZE);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	void *memory = s->arena.block;
	memory_db_free(s->db);
	cs_arena_done(&s->arena);
	free(memory);
	for (size_t i = 0; i < CHUNKS; i++)
		free(s->chunks[i]);
	free(s);
	return 0;
}

/* ---- states ---- */

static int by_key(const void *a, const void *b)
{
	const struct ledger_change *x = a, *y = b;
	return memcmp(x->key.p, y->key.p, x->key.n);
}

/* Every step-th key gets a value that follows from key and salt; of salt 0 it is removed. */
static void commit_some(struct scene *s, uint64_t version, size_t step, uint8_t salt,
			uint64_t keep_from)
{
	static uint8_t keys[KEYS][4], values[KEYS][LEDGER_VALUE_SIZE_MAX];
	static struct ledger_change items[KEYS];
	size_t count = 0;
	for (uint32_t k = 0; k < KEYS; k += (uint32_t)step) {
		cs_put_be32(keys[k], k);
		size_t size = k % 37 == 5 ? LEDGER_VALUE_SIZE_MAX : 1 + k * 53 % 16000;
		memset(values[k], salt + (int)k, size);
		items[count++] = (struct ledger_change){CS_BYTES_OF(keys[k]),
							cs_bytes(values[k], size), salt == 0};
	}
	qsort(items, count, sizeof *items, by_key);
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{items, count}};
	cs_arena_rewind(&s->arena, 0);
	assert_ok(ledger_tree_update(&s->root, &changes[LEDGER_PAGES], &s->table,
				     &changes[LEDGER_VALUES], &s->arena));
	assert_ok(ledger_block_time_add(&changes[LEDGER_PAGES], TIME_S + version, &s->arena));
	assert_ok(s->table.commit(s->table.context, version, changes, keep_from));
	cs_arena_rewind(&s->arena, 0);
}

static uint64_t time_of(struct scene *s, uint64_t version)
{
	uint64_t time_s = 0;
	assert_ok(ledger_block_time_get(&time_s, &s->table, version, &s->arena));
	return time_s;
}

static enum cs_err begin_taking(struct scene *s, uint64_t version)
{
	return ledger_snapshot_begin(&s->snapshot, version, TIME_S + version, &s->table, &s->arena);
}

static void set_hash(struct ledger_snapshot *snapshot, size_t i, struct cs_hash hash)
{
	memcpy(snapshot->metadata + LEDGER_TIME_SIZE + i * sizeof hash.b, hash.b, sizeof hash.b);
}

static enum cs_err take_next(struct scene *s)
{
	const uint32_t i = s->snapshot.chunk_count;
	struct cs_buf buf;
	assert_true(i < CHUNKS);
	if (s->chunks[i] == NULL)
		s->chunks[i] = memory_of(LEDGER_CHUNK_SIZE_MAX);
	cs_buf_init(&buf, s->chunks[i], LEDGER_CHUNK_SIZE_MAX);
	const size_t mark = cs_arena_mark(&s->arena);
	enum cs_err err = ledger_snapshot_next(&s->snapshot, &buf, &s->table, &s->arena);
	assert_int_equal(cs_arena_mark(&s->arena), mark);
	if (err == CS_OK)
		s->sizes[i] = buf.n;
	return err;
}

static void take_all(struct scene *s, uint64_t version)
{
	assert_ok(begin_taking(s, version));
	while (!s->snapshot.is_done)
		assert_ok(take_next(s));
	assert_true(s->snapshot.chunk_count >= 3);
}

static struct ledger_offer offer_of(const struct ledger_snapshot *snapshot, struct cs_hash *hash)
{
	*hash = ledger_snapshot_hash(snapshot);
	return (struct ledger_offer){.version = snapshot->version,
				     .format = LEDGER_SNAPSHOT_FORMAT,
				     .chunks = snapshot->chunk_count,
				     .hash = CS_BYTES_OF(hash->b),
				     .metadata = ledger_snapshot_metadata(snapshot)};
}

static void begin(struct scene *to, const struct ledger_snapshot *snapshot,
		  const struct cs_hash *root)
{
	struct cs_hash hash;
	struct ledger_offer offer = offer_of(snapshot, &hash);
	bool accepted = false;
	assert_ok(ledger_restore_begin(&to->restore, &accepted, &offer, root, &to->table));
	assert_true(accepted);
}

static enum ledger_restore_verdict put(struct scene *to, const struct scene *from, size_t i)
{
	enum ledger_restore_verdict verdict = LEDGER_RESTORE_MORE;
	const size_t mark = cs_arena_mark(&to->arena);
	assert_ok(ledger_restore_chunk(&to->restore, &verdict,
				       cs_bytes(from->chunks[i], from->sizes[i]), &to->table,
				       &to->arena));
	assert_int_equal(cs_arena_mark(&to->arena), mark);
	return verdict;
}

/* ---- the same state ---- */

struct all {
	struct ledger_change items[1024];
	size_t count;
};

static enum cs_err take_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct all *all = context;
	assert_true(all->count < CS_LEN(all->items));
	all->items[all->count++] = (struct ledger_change){key, value, false};
	return CS_OK;
}

static void expect_same_newest(struct scene *a, struct scene *b)
{
	static struct all x, y;
	for (size_t space = 0; space < LEDGER_SPACE_COUNT; space++) {
		x.count = y.count = 0;
		assert_ok(a->table.scan(a->table.context, (enum ledger_space)space, CS_BYTES_NONE,
					CS_BYTES_NONE, take_pair, &x));
		assert_ok(b->table.scan(b->table.context, (enum ledger_space)space, CS_BYTES_NONE,
					CS_BYTES_NONE, take_pair, &y));
		assert_int_equal(x.count, y.count);
		assert_true(x.count > 20);
		for (size_t i = 0; i < x.count; i++) {
			assert_bytes(x.items[i].key, y.items[i].key);
			assert_bytes(x.items[i].value, y.items[i].value);
		}
	}
}

static void test_taken_while_blocks_go_on(void **state)
{
	struct scene *s = *state;
	void *other_state = NULL;
	assert_int_equal(set_up(&other_state), 0);
	struct scene *to = other_state;
	commit_some(s, 1, 1, 1, 0);
	commit_some(s, 2, 7, 0, 0);
	commit_some(s, 3, 3, 2, 0);
	const struct cs_hash root = s->root;
	assert_ok(begin_taking(s, 3));
	for (uint64_t version = 4; !s->snapshot.is_done; version++) {
		assert_ok(take_next(s));
		commit_some(s, version, 1 + version % 3, version % 2 == 0 ? 0 : 9, 3);
	}
	assert_true(s->snapshot.chunk_count >= 3);
	/* At a version that is not gone: what was there is there. */
	begin(to, &s->snapshot, &root);
	for (uint32_t i = 0; i < s->snapshot.chunk_count; i++) {
		assert_int_equal(memory_db_version(to->db), 0);
		assert_int_equal(put(to, s, i), i + 1 == s->snapshot.chunk_count
							? LEDGER_RESTORE_DONE
							: LEDGER_RESTORE_MORE);
	}
	assert_int_equal(memory_db_version(to->db), 3);
	/* The block's time, which the next block's does not change. */
	assert_int_equal(time_of(to, 0), TIME_S + 3);
	memory_db_rollback(s->db, 3);
	expect_same_newest(s, to);
	/* And it goes on from there. */
	commit_some(to, 4, 5, 3, 0);
	commit_some(s, 4, 5, 3, 0);
	assert_hash(to->root, s->root);
	assert_int_equal(time_of(to, 3), TIME_S + 3);
	assert_int_equal(time_of(to, 4), TIME_S + 4);
	(void)tear_down(&other_state);
}

static void test_the_same_bytes_at_every_node(void **state)
{
	struct scene *s = *state;
	void *other_state = NULL;
	assert_int_equal(set_up(&other_state), 0);
	struct scene *other = other_state;
	commit_some(s, 1, 1, 4, 0);
	commit_some(other, 1, 2, 9, 0);
	commit_some(other, 2, 3, 0, 0);
	commit_some(other, 3, 1, 4, 0);
	take_all(s, 1);
	take_all(other, 3);
	assert_int_equal(s->snapshot.chunk_count, other->snapshot.chunk_count);
	/* But for the time: these two are of different blocks. */
	assert_int_equal(cs_be64(s->snapshot.metadata) + 2, cs_be64(other->snapshot.metadata));
	cs_put_be64(other->snapshot.metadata, TIME_S + 1);
	assert_hash(ledger_snapshot_hash(&s->snapshot), ledger_snapshot_hash(&other->snapshot));
	for (uint32_t i = 0; i < s->snapshot.chunk_count; i++) {
		assert_bytes(cs_bytes(s->chunks[i], s->sizes[i]),
			     cs_bytes(other->chunks[i], other->sizes[i]));
		/* Full: the next pair does not fit. */
		if (i + 1 < s->snapshot.chunk_count)
			assert_in_range(s->sizes[i],
					LEDGER_CHUNK_SIZE_MAX - LEDGER_VALUE_SIZE_MAX - 7,
					LEDGER_CHUNK_SIZE_MAX);
	}
	(void)tear_down(&other_state);
}

static void test_little_memory(void **state)
{
	struct scene *s = *state;
	commit_some(s, 1, 1, 1, 0);
	assert_ok(begin_taking(s, 1));
	const size_t whole = s->arena.size;
	s->arena.size = 1024;
	assert_err(take_next(s), CS_ERR_NO_MEMORY);
	/* The same chunk, then. */
	s->arena.size = TAKING_SIZE_MAX;
	while (!s->snapshot.is_done)
		assert_ok(take_next(s));
	s->arena.size = whole;
}

static void test_nothing_and_versions_that_are_gone(void **state)
{
	struct scene *s = *state;
	const struct ledger_changes none[LEDGER_SPACE_COUNT] = {{NULL, 0}};
	assert_ok(s->table.commit(s->table.context, 1, none, 0));
	assert_err(begin_taking(s, 1), CS_ERR_NOT_FOUND);
	assert_err(begin_taking(s, 2), CS_ERR_UNAVAILABLE);
	commit_some(s, 2, 1, 1, 0);
	assert_ok(begin_taking(s, 2));
	assert_ok(take_next(s));
	commit_some(s, 3, 2, 2, 3);
	assert_err(take_next(s), CS_ERR_UNAVAILABLE);
	assert_int_equal(s->snapshot.chunk_count, 1);
}

static void test_a_damaged_store_is_not_taken(void **state)
{
	struct scene *s = *state;
	const uint8_t key[4] = {0, 0, 0, 7};
	size_t size = 0;
	commit_some(s, 1, 1, 1, 0);
	uint8_t *value = memory_db_value(s->db, LEDGER_VALUES, CS_BYTES_OF(key), &size);
	value[0] ^= 1;
	assert_ok(begin_taking(s, 1));
	enum cs_err err = CS_OK;
	while (err == CS_OK && !s->snapshot.is_done)
		err = take_next(s);
	assert_err(err, CS_ERR_DAMAGED);
	value[0] ^= 1;
	while (!s->snapshot.is_done)
		assert_ok(take_next(s));
	/* Another root's page than the snapshot has begun with. */
	assert_ok(begin_taking(s, 1));
	s->snapshot.root.b[3] ^= 1;
	assert_err(take_next(s), CS_ERR_DAMAGED);
	s->snapshot.root.b[3] ^= 1;
	memory_db_fail_get(s->db, CS_ERR_IO);
	assert_err(take_next(s), CS_ERR_IO);
	memory_db_fail_get(s->db, CS_OK);
	assert_ok(take_next(s));
}

/* ---- refusals ---- */

static void test_offers_that_are_refused(void **state)
{
	struct scene *s = *state;
	struct cs_hash hash, other = {{1}};
	commit_some(s, 1, 1, 1, 0);
	take_all(s, 1);
	const struct ledger_offer good = offer_of(&s->snapshot, &hash);
	struct ledger_offer bad[11];
	for (size_t i = 0; i < CS_LEN(bad); i++)
		bad[i] = good;
	bad[0].format = 1;
	bad[1].chunks = 0;
	bad[2].chunks++;
	bad[3].metadata.n -= 32;
	bad[4].metadata.n--;
	bad[5].hash = CS_BYTES_OF(other.b);
	bad[6].hash.n = 0;
	bad[7].version = 0;
	bad[8].version = (uint64_t)INT64_MAX + 1;
	/* The hashes alone, as the first format had them; the time alone. */
	bad[9].metadata =
		cs_bytes(good.metadata.p + LEDGER_TIME_SIZE, good.metadata.n - LEDGER_TIME_SIZE);
	const struct cs_hash untimed = cs_sha256(bad[9].metadata);
	bad[9].hash = CS_BYTES_OF(untimed.b);
	bad[10].metadata.n = LEDGER_TIME_SIZE;
	bad[10].chunks = 0;
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		bool accepted = true;
		assert_ok(
			ledger_restore_begin(&s->restore, &accepted, &bad[i], &s->root, &s->table));
		assert_false(accepted);
	}
	/* More chunks than there may be. */
	static uint8_t many[LEDGER_METADATA_SIZE_MAX + 32];
	struct ledger_offer large = good;
	bool accepted = true;
	large.chunks = LEDGER_CHUNKS_MAX + 1;
	large.metadata = CS_BYTES_OF(many);
	other = cs_sha256(large.metadata);
	large.hash = CS_BYTES_OF(other.b);
	assert_ok(ledger_restore_begin(&s->restore, &accepted, &large, &s->root, &s->table));
	assert_false(accepted);
	/* None of them has emptied the store. */
	assert_true(memory_db_count(s->db, LEDGER_VALUES) > 0);
	large.chunks = LEDGER_CHUNKS_MAX;
	large.metadata.n -= 32;
	other = cs_sha256(large.metadata);
	assert_ok(ledger_restore_begin(&s->restore, &accepted, &large, &s->root, &s->table));
	assert_true(accepted);
	assert_int_equal(memory_db_count(s->db, LEDGER_VALUES), 0);
}

static void test_chunks_of_others(void **state)
{
	struct scene *s = *state;
	void *other_state = NULL;
	assert_int_equal(set_up(&other_state), 0);
	struct scene *to = other_state;
	commit_some(s, 1, 1, 1, 0);
	take_all(s, 1);
	begin(to, &s->snapshot, &s->root);
	/* A bit, an end, the next chunk; then the right one. */
	s->chunks[0][1000] ^= 4;
	assert_int_equal(put(to, s, 0), LEDGER_RESTORE_BAD_CHUNK);
	s->chunks[0][1000] ^= 4;
	s->sizes[0]--;
	assert_int_equal(put(to, s, 0), LEDGER_RESTORE_BAD_CHUNK);
	s->sizes[0]++;
	assert_int_equal(put(to, s, 1), LEDGER_RESTORE_BAD_CHUNK);
	assert_int_equal(memory_db_count(to->db, LEDGER_VALUES), 0);
	for (uint32_t i = 0; i < s->snapshot.chunk_count; i++)
		assert_int_not_equal(put(to, s, i), LEDGER_RESTORE_BAD_CHUNK);
	assert_int_equal(memory_db_version(to->db), 1);
	/* Another root than the light client's. */
	struct cs_hash root = s->root;
	root.b[31] ^= 1;
	begin(to, &s->snapshot, &root);
	for (uint32_t i = 0; i + 1 < s->snapshot.chunk_count; i++)
		assert_int_equal(put(to, s, i), LEDGER_RESTORE_MORE);
	assert_int_equal(put(to, s, s->snapshot.chunk_count - 1), LEDGER_RESTORE_BAD_SNAPSHOT);
	assert_int_equal(memory_db_count(to->db, LEDGER_VALUES), 0);
	assert_int_equal(memory_db_count(to->db, LEDGER_PAGES), 0);
	assert_int_equal(memory_db_version(to->db), 0);
	(void)tear_down(&other_state);
}

/* A snapshot of these bytes as its first chunk of two, so that the root is not what refuses it. */
static enum ledger_restore_verdict restore_bytes(struct scene *s, struct cs_bytes chunk)
{
	enum ledger_restore_verdict verdict = LEDGER_RESTORE_DONE;
	s->snapshot.version = 1;
	s->snapshot.chunk_count = 2;
	set_hash(&s->snapshot, 0, cs_sha256(chunk));
	begin(s, &s->snapshot, &s->root);
	assert_ok(ledger_restore_chunk(&s->restore, &verdict, chunk, &s->table, &s->arena));
	return verdict;
}

static void put_one(struct cs_buf *buf, const char *key, size_t value_size)
{
	cs_put_u8(buf, (uint8_t)strlen(key));
	cs_put(buf, cs_bytes_str(key));
	cs_put_u16(buf, (uint16_t)value_size);
	cs_put_zeros(buf, value_size);
}

static void test_chunks_that_cannot_be(void **state)
{
	struct scene *s = *state;
	static uint8_t memory[2 * LEDGER_CHUNK_SIZE_MAX];
	struct cs_buf buf;
	/* SHA-256 of a: ca97…, of b: 3e23…, of c: 2e7d… */
	cs_buf_init(&buf, memory, sizeof memory);
	put_one(&buf, "c", 1);
	put_one(&buf, "b", LEDGER_VALUE_SIZE_MAX);
	put_one(&buf, "a", 3);
	const size_t good = buf.n;
	assert_int_equal(restore_bytes(s, cs_buf_view(&buf)), LEDGER_RESTORE_MORE);
	assert_int_equal(memory_db_count(s->db, LEDGER_VALUES), 3);
	for (size_t n = good - 8; n < good; n++) {
		enum ledger_restore_verdict want =
			n == good - 7 ? LEDGER_RESTORE_MORE : LEDGER_RESTORE_BAD_SNAPSHOT;
		assert_int_equal(restore_bytes(s, cs_bytes(memory, n)), want);
	}
	assert_int_equal(restore_bytes(s, CS_BYTES_NONE), LEDGER_RESTORE_BAD_SNAPSHOT);
	static const struct {
		const char *first, *second;
		size_t value_size;
	} bad[] = {{"a", "b", 1}, {"b", "c", 1}, {"c", "c", 1},
		   {"c", "", 1},  {"c", "b", 0}, {"c", "b", LEDGER_VALUE_SIZE_MAX + 1}};
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		cs_buf_init(&buf, memory, sizeof memory);
		put_one(&buf, bad[i].first, 1);
		put_one(&buf, bad[i].second, bad[i].value_size);
		assert_int_equal(restore_bytes(s, cs_buf_view(&buf)), LEDGER_RESTORE_BAD_SNAPSHOT);
		assert_int_equal(memory_db_count(s->db, LEDGER_VALUES), 0);
		/* It is over. */
		assert_int_equal(s->restore.next, s->restore.chunk_count);
	}
	/* A key that is too long, a chunk that is too large. */
	static char long_key[LEDGER_KEY_SIZE_MAX + 2];
	memset(long_key, 'k', sizeof long_key - 1);
	cs_buf_init(&buf, memory, sizeof memory);
	put_one(&buf, long_key, 1);
	assert_int_equal(restore_bytes(s, cs_buf_view(&buf)), LEDGER_RESTORE_BAD_SNAPSHOT);
	assert_int_equal(restore_bytes(s, cs_bytes(memory, LEDGER_CHUNK_SIZE_MAX + 1)),
			 LEDGER_RESTORE_BAD_SNAPSHOT);
}

/* The order holds from chunk to chunk. */
static void test_a_chunk_twice(void **state)
{
	struct scene *s = *state;
	uint8_t memory[64];
	struct cs_buf buf;
	enum ledger_restore_verdict verdict = LEDGER_RESTORE_DONE;
	cs_buf_init(&buf, memory, sizeof memory);
	put_one(&buf, "c", 1);
	put_one(&buf, "a", 3);
	set_hash(&s->snapshot, 1, cs_sha256(cs_buf_view(&buf)));
	assert_int_equal(restore_bytes(s, cs_buf_view(&buf)), LEDGER_RESTORE_MORE);
	assert_ok(ledger_restore_chunk(&s->restore, &verdict, cs_buf_view(&buf), &s->table,
				       &s->arena));
	assert_int_equal(verdict, LEDGER_RESTORE_BAD_SNAPSHOT);
	assert_int_equal(memory_db_count(s->db, LEDGER_VALUES), 0);
}

static void test_stores_that_fail(void **state)
{
	struct scene *s = *state;
	uint8_t memory[64];
	struct cs_buf buf;
	enum ledger_restore_verdict verdict = LEDGER_RESTORE_BAD_CHUNK;
	cs_buf_init(&buf, memory, sizeof memory);
	put_one(&buf, "c", 1);
	assert_int_equal(restore_bytes(s, cs_buf_view(&buf)), LEDGER_RESTORE_MORE);
	begin(s, &s->snapshot, &s->root);
	memory_db_fail_commit(s->db, CS_ERR_FULL);
	assert_err(ledger_restore_chunk(&s->restore, &verdict, cs_buf_view(&buf), &s->table,
					&s->arena),
		   CS_ERR_FULL);
	memory_db_fail_commit(s->db, CS_OK);
	memory_db_fail_get(s->db, CS_ERR_IO);
	assert_err(ledger_restore_chunk(&s->restore, &verdict, cs_buf_view(&buf), &s->table,
					&s->arena),
		   CS_ERR_IO);
	assert_int_equal(verdict, LEDGER_RESTORE_BAD_CHUNK);
	memory_db_fail_get(s->db, CS_OK);
	assert_ok(ledger_restore_chunk(&s->restore, &verdict, cs_buf_view(&buf), &s->table,
				       &s->arena));
	assert_int_equal(verdict, LEDGER_RESTORE_MORE);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_taken_while_blocks_go_on),
		CASE(test_the_same_bytes_at_every_node),
		CASE(test_little_memory),
		CASE(test_nothing_and_versions_that_are_gone),
		CASE(test_a_damaged_store_is_not_taken),
		CASE(test_offers_that_are_refused),
		CASE(test_chunks_of_others),
		CASE(test_chunks_that_cannot_be),
		CASE(test_a_chunk_twice),
		CASE(test_stores_that_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
