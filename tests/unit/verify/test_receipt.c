#include "vectors.h"
#include "verify/evm/receipt.h"

static void check_log(struct vectors *v, const struct verify_log *log, const json_t *row)
{
	struct cs_address address = vectors_address(v, vectors_at(row, "address"));
	json_t *topics = vectors_at(row, "topics");
	assert_true(cs_address_eq(&log->address, &address));
	assert_true(cs_bytes_eq(log->data, vectors_bytes(v, vectors_at(row, "data"))));
	assert_int_equal(log->topic_count, json_array_size(topics));
	for (size_t i = 0; i < log->topic_count; i++) {
		struct cs_hash topic = vectors_hash(v, json_array_get(topics, i));
		assert_true(cs_hash_eq(&log->topics[i], &topic));
	}
}

/* Log proofs of real nodes: 20 transactions in one block, one log each. */
static void check_recorded(const char *name)
{
	struct vectors v;
	struct cs_hash root;
	json_t *proofs, *first;
	vectors_open(&v, name);
	root = vectors_hash(&v, vectors_at(v.root, "receiptsRoot"));
	proofs = vectors_at(v.root, "allReceiptProofs");
	first = vectors_at(v.root, "logProof");
	assert_int_equal(json_array_size(proofs), 20);
	for (uint32_t i = 0; i < 20; i++) {
		struct verify_nodes nodes = vectors_nodes(&v, json_array_get(proofs, i));
		struct cs_bytes raw =
			vectors_bytes(&v, json_array_get(vectors_at(v.root, "receiptsRlp"), i));
		struct verify_receipt r;
		struct verify_log log;
		assert_ok(verify_receipt(&r, &root, i, &nodes));
		assert_true(r.success);
		assert_int_equal(r.type, raw.p[0] < 0xc0 ? raw.p[0] : 0);
		assert_int_equal(r.log_count, 1);
		assert_ok(verify_receipt_log(&log, &r, 0));
		assert_says("no-log", verify_receipt_log(&log, &r, 1));
		if (i == vectors_u64(vectors_at(first, "txIndex")))
			check_log(&v, &log, vectors_at(first, "log"));
		for (uint32_t other = 0; other < 22; other++)
			if (other != i)
				assert_int_not_equal(verify_receipt(&r, &root, other, &nodes),
						     CS_OK);
	}
	vectors_close(&v);
}

static void test_recorded_blocks(void **state)
{
	(void)state;
	check_recorded("clique-1signer.json");
	check_recorded("clique-3signers.json");
	check_recorded("qbft-4validators.json");
}

static void test_block_of_a_hundred(void **state)
{
	struct vectors v;
	struct cs_hash root;
	size_t i, j;
	json_t *row, *log_row;
	(void)state;
	vectors_open(&v, "generated/receipts.json");
	root = vectors_hash(&v, vectors_at(v.root, "root"));
	json_array_foreach(vectors_at(v.root, "receipts"), i, row)
	{
		struct verify_nodes nodes = vectors_nodes(&v, vectors_at(row, "nodes"));
		struct verify_receipt r;
		struct verify_log log;
		assert_ok(verify_receipt(&r, &root, (uint32_t)vectors_u64(vectors_at(row, "index")),
					 &nodes));
		assert_int_equal(r.type, vectors_u64(vectors_at(row, "type")));
		assert_int_equal(r.success, json_is_true(vectors_at(row, "success")));
		assert_int_equal(r.cumulative_gas, vectors_u64(vectors_at(row, "gas")));
		assert_int_equal(r.log_count, json_array_size(vectors_at(row, "logs")));
		json_array_foreach(vectors_at(row, "logs"), j, log_row)
		{
			assert_ok(verify_receipt_log(&log, &r, (uint32_t)j));
			check_log(&v, &log, log_row);
		}
		assert_says("no-log", verify_receipt_log(&log, &r, (uint32_t)j));
		assert_says("no-log", verify_receipt_log(&log, &r, UINT32_MAX));
	}
	vectors_close(&v);
}

static void test_transactions_that_are_not_there(void **state)
{
	struct vectors v;
	struct cs_hash root;
	struct verify_receipt r;
	struct verify_nodes nodes;
	size_t i;
	json_t *row;
	(void)state;
	vectors_open(&v, "generated/receipts.json");
	root = vectors_hash(&v, vectors_at(v.root, "root"));
	json_array_foreach(vectors_at(v.root, "absent"), i, row)
	{
		nodes = vectors_nodes(&v, vectors_at(row, "nodes"));
		assert_says("no-receipt",
			    verify_receipt(&r, &root,
					   (uint32_t)vectors_u64(vectors_at(row, "index")),
					   &nodes));
	}
	row = vectors_at(v.root, "single");
	root = vectors_hash(&v, vectors_at(row, "root"));
	nodes = vectors_nodes(&v, vectors_at(row, "nodes"));
	assert_ok(verify_receipt(&r, &root, 0, &nodes));
	assert_says("no-receipt", verify_receipt(&r, &root, 1, &nodes));
	root = verify_trie_empty_root();
	nodes.n = 0;
	assert_says("no-receipt", verify_receipt(&r, &root, 0, &nodes));
	vectors_close(&v);
}

/* Every single bit of every node, of the root and of the index. */
static void check_mutations(const struct cs_hash *root, uint32_t index,
			    const struct verify_nodes *nodes)
{
	struct verify_receipt r;
	assert_ok(verify_receipt(&r, root, index, nodes));
	for (size_t n = 0; n < nodes->n; n++) {
		for (size_t bit = 0; bit < 8 * nodes->p[n].n; bit++) {
			vectors_flip(nodes->p[n], bit);
			assert_int_not_equal(verify_receipt(&r, root, index, nodes), CS_OK);
			vectors_flip(nodes->p[n], bit);
		}
	}
	for (size_t bit = 0; bit < 256; bit++) {
		struct cs_hash other = *root;
		other.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_says("bad-proof", verify_receipt(&r, &other, index, nodes));
	}
	for (size_t bit = 0; bit < 32; bit++)
		assert_int_not_equal(verify_receipt(&r, root, index ^ (1u << bit), nodes), CS_OK);
	assert_ok(verify_receipt(&r, root, index, nodes));
}

static void test_every_flipped_bit_is_noticed(void **state)
{
	struct vectors v;
	struct cs_hash root;
	size_t i;
	json_t *row;
	(void)state;
	vectors_open(&v, "generated/receipts.json");
	root = vectors_hash(&v, vectors_at(v.root, "root"));
	json_array_foreach(vectors_at(v.root, "receipts"), i, row)
	{
		struct verify_nodes nodes = vectors_nodes(&v, vectors_at(row, "nodes"));
		check_mutations(&root, (uint32_t)vectors_u64(vectors_at(row, "index")), &nodes);
	}
	json_array_foreach(vectors_at(v.root, "all"), i, row)
	{
		struct verify_nodes nodes = vectors_nodes(&v, vectors_at(row, "nodes"));
		check_mutations(&root, (uint32_t)vectors_u64(vectors_at(row, "index")), &nodes);
	}
	vectors_close(&v);
}

static void test_receipts_of_another_shape(void **state)
{
	struct vectors v;
	size_t i;
	json_t *row;
	(void)state;
	vectors_open(&v, "generated/receipts.json");
	json_array_foreach(vectors_at(v.root, "bad"), i, row)
	{
		struct verify_receipt r = {.type = 99};
		enum cs_err err =
			verify_receipt_read(&r, vectors_bytes(&v, vectors_at(row, "receipt")));
		if (strcmp(cs_err_name(err), json_string_value(vectors_at(row, "error"))) != 0)
			fail_msg("%s: %s", json_string_value(vectors_at(row, "name")),
				 cs_err_name(err));
		assert_int_equal(r.type, 99);
	}
	vectors_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_blocks),
		cmocka_unit_test(test_block_of_a_hundred),
		cmocka_unit_test(test_transactions_that_are_not_there),
		cmocka_unit_test(test_every_flipped_bit_is_noticed),
		cmocka_unit_test(test_receipts_of_another_shape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
