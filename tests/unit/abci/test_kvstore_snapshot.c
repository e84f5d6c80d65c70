/* Snapshots of the kvstore: from one store into another, and what must not be restored. */
#include "core/hash.h"
#include "frames.h"
#include "relay_state/abci/kvstore_snapshot.h"

#include <stdio.h>

#define STORE_SIZE (2u * 1024 * 1024)
/* A slot holds two chunks and a part of a third. */
#define SNAPSHOTS_SIZE (4u * 700 * 1024)
#define VALUE_SIZE (100u * 1024)

struct side {
	struct abci_kvstore *store;
	struct abci_kvstore_snapshots snapshots;
	struct abci_app app;
	void *memory, *snapshot_memory;
	unsigned taken;
	uint8_t kept[STORE_SIZE];
	size_t kept_size;
};

static struct side *sides[2];
static struct cs_arena arena;
static uint8_t arena_memory[1024 * 1024];

static enum cs_err on_taken(void *context, int64_t height, struct cs_bytes content)
{
	struct side *side = context;
	assert_int_equal(height, side->store->height);
	assert_true(content.n <= sizeof side->kept);
	memcpy(side->kept, content.p, content.n);
	side->kept_size = content.n;
	side->taken++;
	return CS_OK;
}

static struct side *make_side(int64_t interval)
{
	struct side *side = calloc(1, sizeof *side);
	assert_non_null(side);
	side->store = calloc(1, sizeof *side->store);
	side->memory = malloc(STORE_SIZE);
	side->snapshot_memory = malloc(SNAPSHOTS_SIZE);
	const struct abci_kvstore_options options = {.memory = side->memory,
						     .memory_size = STORE_SIZE};
	const struct abci_kvstore_snapshots_options snapshots = {.memory = side->snapshot_memory,
								 .memory_size = SNAPSHOTS_SIZE,
								 .interval = interval,
								 .taken = on_taken,
								 .context = side};
	assert_ok(abci_kvstore_init(side->store, &options));
	assert_ok(
		abci_kvstore_snapshots_init(&side->snapshots, &side->app, side->store, &snapshots));
	return side;
}

static int set_up(void **state)
{
	(void)state;
	cs_arena_init(&arena, arena_memory, sizeof arena_memory);
	sides[0] = make_side(2);
	sides[1] = make_side(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		free(sides[i]->store);
		free(sides[i]->memory);
		free(sides[i]->snapshot_memory);
		free(sides[i]);
	}
	return 0;
}

static struct abci_response ask(struct side *side, const struct abci_request *request)
{
	struct abci_response response;
	struct cs_why why = {""};
	assert_ok(abci_app_call(&side->app, request, &response, &arena, &why));
	return response;
}

static struct abci_response block(struct side *side, int64_t height, const char *tx)
{
	static struct cs_bytes txs[1];
	struct abci_request request = {.method = ABCI_FINALIZE_BLOCK};
	const struct abci_request commit = {.method = ABCI_COMMIT};
	txs[0] = cs_bytes_str(tx);
	request.finalize_block.height = height;
	request.finalize_block.txs = (struct abci_bytes_list){txs, 1};
	struct abci_response response = ask(side, &request);
	ask(side, &commit);
	return response;
}

/* Six blocks, three of them with a large value; key 1 is written twice; a validator. */
static void make_history(struct side *side)
{
	static char large[VALUE_SIZE];
	block(side, 1, "key1=old");
	block(side, 2, "val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!7");
	for (int i = 0; i < 4; i++) {
		memset(large, 'a' + i, sizeof large - 1);
		(void)snprintf(large, sizeof large, "key%d=", i);
		large[5] = (char)('a' + i);
		block(side, 3 + i, large);
	}
}

static struct abci_snapshot newest(struct side *side, size_t count)
{
	const struct abci_request request = {.method = ABCI_LIST_SNAPSHOTS};
	struct abci_snapshot best = {0};
	struct abci_response response = ask(side, &request);
	assert_int_equal(response.list_snapshots.snapshots.count, count);
	for (size_t i = 0; i < count; i++) {
		if (response.list_snapshots.snapshots.items[i].height > best.height)
			best = response.list_snapshots.snapshots.items[i];
	}
	return best;
}

static struct cs_bytes chunk(struct side *side, const struct abci_snapshot *snapshot,
			     uint32_t index)
{
	struct abci_request request = {.method = ABCI_LOAD_SNAPSHOT_CHUNK};
	request.load_snapshot_chunk.height = snapshot->height;
	request.load_snapshot_chunk.format = snapshot->format;
	request.load_snapshot_chunk.chunk = index;
	return ask(side, &request).load_snapshot_chunk.chunk;
}

static enum abci_offer_snapshot_result offer(struct side *side,
					     const struct abci_snapshot *snapshot, uint8_t txs)
{
	static uint8_t app_hash[8];
	struct abci_request request = {.method = ABCI_OFFER_SNAPSHOT};
	app_hash[0] = (uint8_t)(2 * txs);
	request.offer_snapshot.snapshot = snapshot;
	request.offer_snapshot.app_hash = CS_BYTES_OF(app_hash);
	return ask(side, &request).offer_snapshot.result;
}

static struct abci_apply_snapshot_chunk_response apply(struct side *side, uint32_t index,
						       struct cs_bytes bytes)
{
	struct abci_request request = {.method = ABCI_APPLY_SNAPSHOT_CHUNK};
	request.apply_snapshot_chunk.index = index;
	request.apply_snapshot_chunk.chunk = bytes;
	request.apply_snapshot_chunk.sender = cs_bytes_str("peer");
	return ask(side, &request).apply_snapshot_chunk;
}

static void apply_all(const struct abci_snapshot *snapshot, enum abci_apply_chunk_result last)
{
	for (uint32_t i = 0; i < snapshot->chunks; i++)
		assert_int_equal(apply(sides[1], i, chunk(sides[0], snapshot, i)).result,
				 i + 1 < snapshot->chunks ? ABCI_APPLY_ACCEPT : last);
}

static void test_one_store_becomes_another(void **state)
{
	(void)state;
	make_history(sides[0]);
	assert_int_equal(sides[0]->taken, 3);
	struct abci_snapshot snapshot = newest(sides[0], 3);
	assert_int_equal(snapshot.height, 6);
	assert_int_equal(snapshot.chunks, 2);
	assert_int_equal(offer(sides[1], &snapshot, 6), ABCI_OFFER_ACCEPT);
	apply_all(&snapshot, ABCI_APPLY_ACCEPT);
	assert_int_equal(sides[1]->store->height, 6);
	assert_int_equal(sides[1]->store->size, 6);
	assert_int_equal(sides[1]->taken, 1);
	struct cs_bytes value, other;
	for (int i = 0; i < 4; i++) {
		char key[16];
		(void)snprintf(key, sizeof key, "key%d", i);
		assert_ok(abci_kvstore_get(sides[0]->store, cs_bytes_str(key), &value));
		assert_ok(abci_kvstore_get(sides[1]->store, cs_bytes_str(key), &other));
		assert_bytes(value, other);
	}
	/* It serves what it was given, and goes on to the same snapshots. */
	struct abci_snapshot own = newest(sides[1], 1);
	assert_bytes(own.hash, snapshot.hash);
	assert_bytes(chunk(sides[1], &own, 1), chunk(sides[0], &snapshot, 1));
	sides[1]->snapshots.options.interval = 2;
	for (int i = 0; i < 2; i++) {
		block(sides[i], 7, "key1=new");
		block(sides[i], 8, "val=ed25519!HkRiOOy16pEBY7giAHwClz39KbchbkU1/SyPSbLzkJM=!0");
	}
	assert_bytes(newest(sides[0], 4).hash, newest(sides[1], 2).hash);
	assert_int_equal(chunk(sides[0], &own, 2).n, 0);
}

static void test_offers_that_are_refused(void **state)
{
	(void)state;
	make_history(sides[0]);
	const struct abci_snapshot good = newest(sides[0], 3);
	struct abci_snapshot bad = good;
	bad.format = 2;
	assert_int_equal(offer(sides[1], &bad, 6), ABCI_OFFER_REJECT_FORMAT);
	bad = good;
	bad.chunks = 3;
	assert_int_equal(offer(sides[1], &bad, 6), ABCI_OFFER_REJECT);
	bad = good;
	bad.metadata.n -= 32;
	bad.chunks -= 1;
	assert_int_equal(offer(sides[1], &bad, 6), ABCI_OFFER_REJECT);
	bad = good;
	bad.height = 0;
	assert_int_equal(offer(sides[1], &bad, 6), ABCI_OFFER_REJECT);
	bad.height = UINT64_MAX;
	assert_int_equal(offer(sides[1], &bad, 6), ABCI_OFFER_REJECT);
	/* More than there is room for. */
	static uint8_t hashes[4 * 32];
	struct cs_hash hash = cs_sha256(CS_BYTES_OF(hashes));
	bad = (struct abci_snapshot){6, 1, 4, CS_BYTES_OF(hash.b), CS_BYTES_OF(hashes)};
	assert_int_equal(offer(sides[1], &bad, 6), ABCI_OFFER_REJECT);
	/* None of this has touched the store. */
	struct abci_request request = {.method = ABCI_OFFER_SNAPSHOT};
	assert_int_equal(ask(sides[0], &request).offer_snapshot.result, ABCI_OFFER_REJECT);
	assert_int_equal(sides[0]->store->height, 6);
}

static void test_a_lying_chunk_is_asked_for_again(void **state)
{
	(void)state;
	static uint8_t lie[ABCI_KVSTORE_CHUNK_SIZE + 1];
	make_history(sides[0]);
	struct abci_snapshot snapshot = newest(sides[0], 3);
	assert_int_equal(offer(sides[1], &snapshot, 6), ABCI_OFFER_ACCEPT);
	struct cs_bytes right = chunk(sides[0], &snapshot, 0);
	memcpy(lie, right.p, right.n);
	lie[77] ^= 1;
	const struct cs_bytes lies[] = {cs_bytes(lie, right.n), cs_bytes(right.p, right.n - 1),
					CS_BYTES_NONE, CS_BYTES_OF(lie),
					chunk(sides[0], &snapshot, 1)};
	for (size_t i = 0; i < CS_LEN(lies); i++) {
		struct abci_apply_snapshot_chunk_response r = apply(sides[1], 0, lies[i]);
		assert_int_equal(r.result, ABCI_APPLY_RETRY);
		assert_int_equal(r.refetch_chunks.count, 1);
		assert_int_equal(r.refetch_chunks.items[0], 0);
		assert_int_equal(r.reject_senders.count, 1);
		assert_bytes(r.reject_senders.items[0], cs_bytes_str("peer"));
	}
	assert_int_equal(apply(sides[1], 1, right).result, ABCI_APPLY_RETRY_SNAPSHOT);
	assert_int_equal(offer(sides[1], &snapshot, 6), ABCI_OFFER_ACCEPT);
	apply_all(&snapshot, ABCI_APPLY_ACCEPT);
	/* Of no snapshot that is coming. */
	assert_int_equal(apply(sides[1], 0, right).result, ABCI_APPLY_ABORT);
}

static void test_another_app_hash_is_rejected(void **state)
{
	(void)state;
	make_history(sides[0]);
	struct abci_snapshot snapshot = newest(sides[0], 3);
	assert_int_equal(offer(sides[1], &snapshot, 7), ABCI_OFFER_ACCEPT);
	apply_all(&snapshot, ABCI_APPLY_REJECT_SNAPSHOT);
	assert_int_equal(sides[1]->store->height, 0);
	assert_int_equal(sides[1]->store->pair_count, 0);
	assert_int_equal(sides[1]->taken, 0);
	/* So is a height that is not the content's. */
	snapshot.height = 8;
	assert_int_equal(offer(sides[1], &snapshot, 6), ABCI_OFFER_ACCEPT);
	snapshot.height = 6;
	apply_all(&snapshot, ABCI_APPLY_REJECT_SNAPSHOT);
	assert_int_equal(sides[1]->store->height, 0);
	(void)newest(sides[1], 0);
}

static void test_what_was_kept_is_loaded(void **state)
{
	(void)state;
	make_history(sides[0]);
	struct cs_bytes kept = cs_bytes(sides[0]->kept, sides[0]->kept_size);
	for (size_t cut = 0; cut < kept.n; cut += cut < 200 ? 1 : 50021) {
		assert_int_equal(
			abci_kvstore_snapshots_load(&sides[1]->snapshots, cs_bytes(kept.p, cut)),
			CS_ERR_MALFORMED);
		assert_int_equal(sides[1]->store->pair_count, 0);
	}
	sides[0]->kept[kept.n] = 0;
	assert_int_equal(
		abci_kvstore_snapshots_load(&sides[1]->snapshots, cs_bytes(kept.p, kept.n + 1)),
		CS_ERR_MALFORMED);
	assert_int_equal(abci_kvstore_snapshots_load(&sides[1]->snapshots,
						     cs_bytes(sides[0]->kept, 701u * 1024)),
			 CS_ERR_NO_MEMORY);
	assert_ok(abci_kvstore_snapshots_load(&sides[1]->snapshots, kept));
	assert_int_equal(sides[1]->store->height, 6);
	assert_bytes(newest(sides[1], 1).hash, newest(sides[0], 3).hash);
}

static void test_what_does_not_fit_is_not_taken(void **state)
{
	(void)state;
	static char large[VALUE_SIZE];
	make_history(sides[0]);
	for (int i = 0; i < 4; i++) {
		memset(large, 'x', sizeof large - 1);
		(void)snprintf(large, sizeof large, "more%d=", i);
		large[6] = 'x';
		block(sides[0], 7 + i, large);
	}
	assert_int_equal(sides[0]->snapshots.too_large, 1);
	assert_int_equal(sides[0]->store->height, 10);
}

static enum cs_err on_committed(void *context, int64_t height, int64_t size)
{
	(void)context, (void)height, (void)size;
	return CS_OK;
}

static void test_beside_which_stores_there_are_none(void **state)
{
	(void)state;
	struct abci_kvstore_snapshots_options options = {.memory = sides[1]->snapshot_memory,
							 .memory_size = 128};
	struct abci_app app;
	assert_int_equal(
		abci_kvstore_snapshots_init(&sides[1]->snapshots, &app, sides[1]->store, &options),
		CS_ERR_INVALID);
	options.memory_size = SNAPSHOTS_SIZE;
	options.interval = -1;
	assert_int_equal(
		abci_kvstore_snapshots_init(&sides[1]->snapshots, &app, sides[1]->store, &options),
		CS_ERR_INVALID);
	options.interval = 1;
	sides[1]->store->hooks.committed = on_committed;
	assert_int_equal(
		abci_kvstore_snapshots_init(&sides[1]->snapshots, &app, sides[1]->store, &options),
		CS_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_store_becomes_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_offers_that_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_lying_chunk_is_asked_for_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_another_app_hash_is_rejected, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_was_kept_is_loaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_not_taken, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_beside_which_stores_there_are_none, set_up,
						tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
