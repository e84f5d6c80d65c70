/* A chunk of a snapshot of the state, under a hash that fits it: what is not refused is there afterwards,
 * with the root that it leads to, and a snapshot of that has the same bytes; what is refused leaves an
 * empty store. */
#include "relay_state/ledger/snapshot.h"
#include "relay_state/ledger/tree.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ledger/memory_db.h"

#define TIME_S 1700000000u

static struct ledger_restore restore;
static struct ledger_snapshot snapshot;

static enum ledger_restore_verdict put(struct ledger_db *table, struct cs_bytes chunk,
				       const struct cs_hash *root, uint32_t chunks)
{
	enum ledger_restore_verdict verdict = LEDGER_RESTORE_BAD_CHUNK;
	const struct cs_hash first = cs_sha256(chunk);
	uint8_t memory[LEDGER_TIME_SIZE + 2 * sizeof first.b] = {0};
	cs_put_be64(memory, TIME_S);
	memcpy(memory + LEDGER_TIME_SIZE, first.b, sizeof first.b);
	const struct cs_bytes metadata =
		cs_bytes(memory, LEDGER_TIME_SIZE + chunks * sizeof first.b);
	const struct cs_hash hash = cs_sha256(metadata);
	const struct ledger_offer offer = {7, LEDGER_SNAPSHOT_FORMAT, chunks, CS_BYTES_OF(hash.b),
					   metadata};
	bool accepted = false;
	cs_assert(ledger_restore_begin(&restore, &accepted, &offer, root, table) == CS_OK);
	cs_assert(accepted);
	cs_arena_rewind(fuzz_arena(), 0);
	cs_assert(ledger_restore_chunk(&restore, &verdict, chunk, table, fuzz_arena()) == CS_OK);
	return verdict;
}

static void take_again(struct ledger_db *table, struct cs_bytes chunk)
{
	static uint8_t memory[LEDGER_CHUNK_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	uint64_t time_s = 0;
	cs_assert(ledger_block_time_get(&time_s, table, 7, fuzz_arena()) == CS_OK);
	cs_assert(time_s == TIME_S);
	cs_assert(ledger_snapshot_begin(&snapshot, 7, time_s, table, fuzz_arena()) == CS_OK);
	cs_assert(ledger_snapshot_next(&snapshot, &buf, table, fuzz_arena()) == CS_OK);
	cs_assert(snapshot.is_done);
	fuzz_same(&buf, chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes chunk = cs_bytes(data, size);
	struct memory_db *db = memory_db_new();
	struct ledger_db table = memory_db_table(db);
	struct cs_hash root = {{0}};
	if (put(&table, chunk, &root, 2) == LEDGER_RESTORE_MORE) {
		cs_assert(ledger_tree_root(&root, &table, 0, fuzz_arena()) == CS_OK);
		cs_assert(put(&table, chunk, &root, 1) == LEDGER_RESTORE_DONE);
		cs_assert(memory_db_version(db) == 7);
		take_again(&table, chunk);
		root.b[0] ^= 1;
		cs_assert(put(&table, chunk, &root, 1) == LEDGER_RESTORE_BAD_SNAPSHOT);
	}
	cs_assert(memory_db_count(db, LEDGER_VALUES) == 0);
	cs_assert(memory_db_count(db, LEDGER_PAGES) == 0);
	memory_db_free(db);
	return 0;
}
