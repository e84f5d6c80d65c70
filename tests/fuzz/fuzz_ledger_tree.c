/* The state tree. The first byte says which: 0: a page as a store may give it back (the second byte is
 * its depth): what is read is written again to the same bytes. Else steps over a few keys,
 * two bytes each (key, value; value 0 removes; key 255 commits): after each commit the root is the
 * one of the same pairs written at once, and a key has a proof. */
#include "relay_state/ledger/page.h"
#include "relay_state/ledger/tree.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ledger/memory_db.h"

#include <stdlib.h>

#define KEYS 32u
#define STEPS_MAX 400u

static void read_page(struct cs_bytes input)
{
	static struct ledger_page page;
	struct ledger_page_node nodes[LEDGER_PAGE_NODES];
	uint8_t memory[LEDGER_PAGE_SIZE_MAX];
	struct cs_buf buf;
	const unsigned depth = input.p[0] % LEDGER_PATH_MAX;
	const struct cs_bytes bytes = cs_bytes(input.p + 1, input.n - 1);
	/* The path of the page's first leaf, so that one may fit. */
	struct cs_hash path = {{0}};
	if (bytes.n > 5 && bytes.p[4] <= bytes.n - 5)
		path = cs_sha256(cs_bytes(bytes.p + 5, bytes.p[4]));
	fuzz_fill(&page, sizeof page);
	if (ledger_page_decode(&page, bytes, &path, depth) != CS_OK) {
		fuzz_untouched(&page, sizeof page);
		return;
	}
	cs_buf_init(&buf, memory, sizeof memory);
	ledger_page_encode(&buf, &page);
	fuzz_same(&buf, bytes);
	ledger_page_hash(nodes, &page);
	cs_assert(nodes[1].kind != LEDGER_EMPTY);
}

static struct cs_bytes key_of(uint8_t memory[2], unsigned index)
{
	memory[0] = (uint8_t)(1 + index % KEYS);
	memory[1] = (uint8_t)(index % 3);
	return cs_bytes(memory, 2);
}

static void commit(struct memory_db *db, const uint8_t *now, const uint8_t *before,
		   struct cs_hash *root)
{
	static uint8_t keys[KEYS][2];
	struct ledger_change items[KEYS];
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{items, 0}};
	struct ledger_db table = memory_db_table(db);
	for (unsigned i = 0; i < KEYS; i++) {
		if (now[i] == before[i])
			continue;
		items[changes[0].count++] = (struct ledger_change){
			key_of(keys[i], i), cs_bytes(&now[i], 1), now[i] == 0};
	}
	cs_arena_rewind(fuzz_arena(), 0);
	cs_assert(ledger_tree_update(root, &changes[LEDGER_PAGES], &table, &changes[LEDGER_VALUES],
				     fuzz_arena()) == CS_OK);
	cs_assert(table.commit(table.context, memory_db_version(db) + 1, changes, 0) == CS_OK);
}

static void check(struct memory_db *db, const uint8_t *now, const struct cs_hash *root)
{
	static const uint8_t nothing[KEYS];
	static uint8_t memory[LEDGER_PROOF_SIZE_MAX];
	struct memory_db *other = memory_db_new();
	struct ledger_db table = memory_db_table(db);
	struct cs_hash again, stored;
	uint8_t key[2];
	commit(other, now, nothing, &again);
	cs_assert(cs_hash_eq(&again, root));
	cs_assert(memory_db_count(other, LEDGER_PAGES) == memory_db_count(db, LEDGER_PAGES));
	memory_db_free(other);
	cs_assert(ledger_tree_root(&stored, &table, 0, fuzz_arena()) == CS_OK);
	cs_assert(cs_hash_eq(&stored, root));
	for (unsigned i = 0; i < KEYS; i += 5) {
		struct cs_bytes value;
		struct cs_buf buf;
		bool exists = false;
		cs_buf_init(&buf, memory, sizeof memory);
		cs_arena_rewind(fuzz_arena(), 0);
		enum cs_err err = ledger_tree_prove(&buf, &value, &exists, &table, 0,
						    key_of(key, i), fuzz_arena());
		cs_assert(cs_hash_is_zero(root) ? err == CS_ERR_NOT_FOUND : err == CS_OK);
		cs_assert(err != CS_OK || exists == (now[i] != 0));
	}
}

static void walk(struct cs_bytes input)
{
	struct memory_db *db = memory_db_new();
	uint8_t now[KEYS] = {0}, before[KEYS] = {0};
	struct cs_hash root;
	for (size_t i = 0; i + 1 < input.n && i < 2 * STEPS_MAX; i += 2) {
		if (input.p[i] != 255) {
			now[input.p[i] % KEYS] = input.p[i + 1];
			continue;
		}
		commit(db, now, before, &root);
		memcpy(before, now, sizeof now);
		check(db, now, &root);
	}
	commit(db, now, before, &root);
	check(db, now, &root);
	memory_db_free(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	/* Of exactly its size, so that a sanitizer sees every step outside. */
	uint8_t *copy = malloc(size - 1);
	cs_assert(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	if (data[0] == 0)
		read_page(cs_bytes(copy, size - 1));
	else
		walk(cs_bytes(copy, size - 1));
	free(copy);
	return 0;
}
