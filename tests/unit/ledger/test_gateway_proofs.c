/* What an enclave proves of the ledger's gateway: the contract itself writes the words, the tree proves
 * them, and verify/cometbft/gateway.h reads them under the root. */
#include "relay_state/ledger/tree.h"
#include "tests/unit/ledger/gateway_lab.h"
#include "verify/cometbft/gateway.h"

#define ARENA_SIZE (16u * 1024 * 1024)
#define PAIRS_MAX 256u

static struct world *world;

struct tree {
	struct memory_db *db;
	struct ledger_db table;
	struct cs_arena arena;
	struct cs_hash root;
	size_t count;
	struct ledger_change items[PAIRS_MAX];
};

static enum cs_err take(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct tree *tree = context;
	assert_true(tree->count < PAIRS_MAX);
	uint8_t *copy = keep(key.n + value.n);
	memcpy(copy, key.p, key.n);
	memcpy(copy + key.n, value.p, value.n);
	tree->items[tree->count++] = (struct ledger_change){cs_bytes(copy, key.n),
							    cs_bytes(copy + key.n, value.n), false};
	return CS_OK;
}

/* The lab has no tree: its values, committed anew. */
static struct tree *tree_new(void)
{
	struct tree *tree = keep(sizeof *tree);
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{tree->items, 0}};
	lab_next_block(world->lab, 1);
	const struct ledger_db lab = memory_db_table(world->lab->db);
	assert_ok(lab.scan(lab.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE, take, tree));
	changes[LEDGER_VALUES].count = tree->count;
	tree->db = memory_db_new();
	tree->table = memory_db_table(tree->db);
	cs_arena_init(&tree->arena, keep(ARENA_SIZE), ARENA_SIZE);
	assert_ok(ledger_tree_update(&tree->root, &changes[LEDGER_PAGES], &tree->table,
				     &changes[LEDGER_VALUES], &tree->arena));
	assert_ok(tree->table.commit(tree->table.context, 1, changes, 0));
	return tree;
}

static struct cs_bytes proof_of(struct tree *tree, const struct cs_hash *slot)
{
	uint8_t key[2 + sizeof slot->b] = {LEDGER_GATEWAY_NUMBER, 's'};
	struct cs_bytes value;
	struct cs_buf buf;
	bool exists;
	memcpy(key + 2, slot->b, sizeof slot->b);
	cs_arena_rewind(&tree->arena, 0);
	cs_buf_init(&buf, keep(LEDGER_PROOF_SIZE_MAX), LEDGER_PROOF_SIZE_MAX);
	assert_ok(ledger_tree_prove(&buf, &value, &exists, &tree->table, 0, CS_BYTES_OF(key),
				    &tree->arena));
	return cs_buf_view(&buf);
}

static int set_up(void **state)
{
	(void)state;
	world = world_new("proofs-1", false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_free(world);
	return 0;
}

static void test_the_sentinel(void **state)
{
	(void)state;
	struct tree *tree = tree_new();
	const struct cs_hash slot = wire_evm_sentinel_slot();
	const struct cs_bytes proof = proof_of(tree, &slot);
	assert_ok(cmt_gateway(&tree->root, &world->identity, proof));
	assert_err(cmt_gateway(&tree->root, &world->remote.identity, proof), CS_ERR_NO_SENTINEL);
	assert_err(cmt_gateway(&world->identity, &world->identity, proof), CS_ERR_BAD_PROOF);
	memory_db_free(tree->db);
}

static void test_what_was_sent(void **state)
{
	(void)state;
	const struct cs_hash id = send_one(world, &world->remote);
	struct tree *tree = tree_new();
	const struct cs_hash slot = wire_evm_sent_slot(&id);
	const struct cs_hash other = lab_word(7), other_slot = wire_evm_sent_slot(&other);
	bool sent = false;
	assert_ok(cmt_gateway_sent(&sent, &tree->root, &id, proof_of(tree, &slot)));
	assert_true(sent);
	assert_ok(cmt_gateway_sent(&sent, &tree->root, &other, proof_of(tree, &other_slot)));
	assert_false(sent);
	assert_err(cmt_gateway_sent(&sent, &tree->root, &other, proof_of(tree, &slot)),
		   CS_ERR_BAD_PROOF);
	memory_db_free(tree->db);
}

static void test_statuses(void **state)
{
	(void)state;
	const struct wire_message message = message_make(world, &world->remote);
	deliver(world, &world->remote, &message, WIRE_STATUS_DELIVERED);
	struct tree *tree = tree_new();
	const struct cs_hash *source = &world->remote.identity;
	const uint64_t sequence = message.head.sequence;
	const struct cs_hash slot = wire_evm_status_slot(source, sequence);
	const struct cs_hash far = wire_evm_status_slot(source, sequence + 1000);
	enum wire_status status = WIRE_STATUS_DEAD;
	assert_ok(
		cmt_gateway_status(&status, &tree->root, source, sequence, proof_of(tree, &slot)));
	assert_int_equal(status, WIRE_STATUS_DELIVERED);
	assert_ok(cmt_gateway_status(&status, &tree->root, source, sequence + 1,
				     proof_of(tree, &slot)));
	assert_int_equal(status, WIRE_STATUS_NONE);
	assert_ok(cmt_gateway_status(&status, &tree->root, source, sequence + 1000,
				     proof_of(tree, &far)));
	assert_int_equal(status, WIRE_STATUS_NONE);
	assert_err(cmt_gateway_status(&status, &tree->root, source, 0, proof_of(tree, &slot)),
		   CS_ERR_INVALID);
	assert_err(cmt_gateway_status(&status, &tree->root, source, sequence, proof_of(tree, &far)),
		   CS_ERR_BAD_PROOF);
	memory_db_free(tree->db);
}

static void test_keys(void **state)
{
	(void)state;
	struct tree *tree = tree_new();
	const struct cs_hash *remote = &world->remote.identity;
	struct cs_bytes proofs[2][2];
	struct wire_key key;
	for (uint64_t epoch = 1; epoch <= 2; epoch++)
		for (unsigned i = 0; i < 2; i++) {
			const struct cs_hash slot = wire_evm_key_slot(remote, epoch, i);
			proofs[epoch - 1][i] = proof_of(tree, &slot);
		}
	assert_ok(cmt_gateway_key(&key, &tree->root, remote, 1, proofs[0][0], proofs[0][1]));
	assert_int_equal(key.state, WIRE_KEY_ACTIVE);
	assert_hash(key.x, world->remote.x);
	assert_ok(cmt_gateway_key(&key, &tree->root, remote, 2, proofs[1][0], proofs[1][1]));
	assert_int_equal(key.state, WIRE_KEY_ABSENT);
	assert_err(cmt_gateway_key(&key, &tree->root, remote, 1, proofs[0][1], proofs[0][0]),
		   CS_ERR_BAD_PROOF);
	assert_err(cmt_gateway_key(&key, &tree->root, remote, 2, proofs[1][0], proofs[0][1]),
		   CS_ERR_BAD_PROOF);
	memory_db_free(tree->db);
}

/* A value of a contract that is no word of 32 bytes, or zero: no ledger writes it. */
static void test_what_is_no_word(void **state)
{
	(void)state;
	static const uint8_t zero[32], values[3][33] = {{1}, {1}, {0}};
	static const size_t sizes[] = {31, 33, 32};
	for (size_t i = 0; i < CS_LEN(sizes); i++) {
		struct tree *tree = keep(sizeof *tree);
		const struct cs_hash slot = lab_word(9);
		uint8_t key[34] = {LEDGER_GATEWAY_NUMBER, 's'};
		struct cs_hash word;
		memcpy(key + 2, slot.b, sizeof slot.b);
		const struct ledger_change item = {
			CS_BYTES_OF(key), cs_bytes(i == 2 ? zero : values[i], sizes[i]), false};
		struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{&item, 1}};
		tree->db = memory_db_new();
		tree->table = memory_db_table(tree->db);
		cs_arena_init(&tree->arena, keep(ARENA_SIZE), ARENA_SIZE);
		assert_ok(ledger_tree_update(&tree->root, &changes[LEDGER_PAGES], &tree->table,
					     &changes[LEDGER_VALUES], &tree->arena));
		assert_ok(tree->table.commit(tree->table.context, 1, changes, 0));
		assert_err(cmt_gateway_word(&word, &tree->root, &slot, proof_of(tree, &slot)),
			   CS_ERR_MALFORMED);
		memory_db_free(tree->db);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_sentinel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_was_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_statuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
		cmocka_unit_test(test_what_is_no_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
