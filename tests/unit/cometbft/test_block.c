#include "tests/unit/cometbft/made.h"

/* ---- parameters ---- */

static void test_params(void **state)
{
	(void)state;
	json_t *one;
	size_t i;
	json_array_foreach(generated("params"), i, one)
	{
		struct cs_bytes bytes = hex_at(one, "encoded");
		struct cs_buf buf = test_buf(CMT_PARAMS_SIZE_MAX);
		struct cmt_params p;
		assert_ok(cmt_params_decode(&p, bytes, NULL));
		cmt_params_encode(&buf, &p);
		assert_bytes(cs_buf_view(&buf), bytes);
		assert_hash(cmt_params_hash(&p), hash_of(one, "hash"));
		assert_int_equal(p.extensions_from, i);
		if (i == 0) {
			struct cmt_params all = cmt_params_default();
			assert_memory_equal(&p, &all, sizeof p);
		}
	}
	struct cmt_params p = cmt_params_default();
	struct cmt_header h = header_of(
		at_path(read_vector("live-0.38.26/out_block_5.json"), "result.block.header"));
	/* The chain ran with 4 MB and 10,000,000 gas: cometbft's init says so in its genesis. */
	json_t *live = read_vector("live-0.38.26/out_consensus_params_5.json");
	p.block_size_max = i64_at(at_path(live, "result.consensus_params.block"), "max_bytes");
	p.block_gas_max = i64_at(at_path(live, "result.consensus_params.block"), "max_gas");
	assert_hash(cmt_params_hash(&p), h.consensus_hash.hash);
	assert_false(cmt_params_extensions_at(&p, 1));
	p.extensions_from = 3;
	assert_false(cmt_params_extensions_at(&p, 2));
	assert_true(cmt_params_extensions_at(&p, 3));
}

static void test_params_refused(void **state)
{
	(void)state;
	const struct cmt_params good = cmt_params_default();
	struct cmt_params p = good;
	p.block_size_max = 0;
	assert_says("invalid", cmt_params_check(&p, NULL));
	p.block_size_max = CMT_BLOCK_SIZE_MAX + 1;
	assert_says("invalid", cmt_params_check(&p, NULL));
	p.block_size_max = -1;
	assert_ok(cmt_params_check(&p, NULL));
	p = good;
	p.block_gas_max = -2;
	assert_says("invalid", cmt_params_check(&p, NULL));
	p = good;
	p.evidence_age_blocks = 0;
	assert_says("invalid", cmt_params_check(&p, NULL));
	p = good;
	p.evidence_age_ns = 0;
	assert_says("invalid", cmt_params_check(&p, NULL));
	p = good;
	p.evidence_size_max = p.block_size_max + 1;
	assert_says("invalid", cmt_params_check(&p, NULL));
	p = good;
	p.extensions_from = -1;
	assert_says("invalid", cmt_params_check(&p, NULL));
	p = good;
	p.key_type_count = 0;
	assert_says("invalid", cmt_params_check(&p, NULL));
	p.key_type_count = 2;
	p.key_types[1] = p.key_types[0];
	assert_says("duplicate", cmt_params_check(&p, NULL));
	struct cs_buf buf = test_buf(CMT_PARAMS_SIZE_MAX);
	cmt_params_encode(&buf, &good);
	for (size_t n = 0; n < buf.n; n++)
		assert_true(cmt_params_decode(&p, cs_bytes(buf.p, n), NULL) != CS_OK);
	uint8_t *name = memmem(buf.p, buf.n, "ed25519", 7);
	assert_non_null(name);
	name[0] = 'x';
	assert_says("unsupported", cmt_params_decode(&p, cs_buf_view(&buf), NULL));
}

static void test_params_updates(void **state)
{
	(void)state;
	json_t *one;
	size_t i, taken = 0;
	json_array_foreach(generated("params_updates"), i, one)
	{
		bool ok = json_is_true(json_object_get(one, "ok"));
		struct cmt_params p;
		assert_ok(cmt_params_decode(&p, hex_at(one, "before"), NULL));
		const struct cmt_params before = p;
		enum cs_err err =
			cmt_params_update(&p, hex_at(one, "update"), i64_at(one, "height"), NULL);
		if ((err == CS_OK) != ok)
			fail_msg("update %zu: %s", i, cs_err_name(err));
		struct cs_buf buf = test_buf(CMT_PARAMS_SIZE_MAX);
		cmt_params_encode(&buf, &p);
		assert_bytes(cs_buf_view(&buf), hex_at(one, ok ? "after" : "before"));
		if (!ok)
			assert_memory_equal(&p, &before, sizeof p);
		taken += ok;
	}
	assert_in_range(taken, 5, i - 5);
	/* In force since 5: neither ended nor moved after block 10; and never from the past. */
	struct cmt_params p = cmt_params_default();
	p.extensions_from = 5;
	assert_says("conflict", cmt_params_update(&p, unhex("2a00"), 10, NULL));
	assert_says("conflict", cmt_params_update(&p, unhex("2a02080f"), 10, NULL));
	assert_ok(cmt_params_update(&p, unhex("2a00"), 4, NULL));
	assert_says("invalid", cmt_params_update(&p, unhex("2a02080a"), 10, NULL));
	assert_ok(cmt_params_update(&p, unhex("2a02080b"), 10, NULL));
	assert_says("unknown-field", cmt_params_update(&p, unhex("3200"), 10, NULL));
}

/* ---- transactions and results ---- */

static void check_tx_proof(const json_t *tx, const struct cs_hash *data_hash)
{
	struct cmt_proof p = {.count = 0};
	const json_t *proof = at_path(tx, "proof.proof"), *aunt;
	struct cs_bytes bytes = base64_of(json_object_get(tx, "tx")), other = cs_bytes_str("no");
	struct cs_hash root = hash_of(json_object_get(tx, "proof"), "root_hash");
	size_t i;
	assert_hash(root, *data_hash);
	p.total = i64_at(proof, "total");
	p.index = i64_at(proof, "index");
	memcpy(p.leaf.b, base64_of(json_object_get(proof, "leaf_hash")).p, 32);
	json_array_foreach(json_object_get(proof, "aunts"), i, aunt)
		memcpy(p.aunts[p.count++].b, base64_of(aunt).p, 32);
	assert_ok(cmt_tx_check(&p, &root, bytes));
	assert_says("bad-proof", cmt_tx_check(&p, &root, other));
	struct cs_hash hash = cs_sha256(bytes);
	assert_hash(hash, hash_of(tx, "hash"));
}

static void test_tx_proofs(void **state)
{
	(void)state;
	json_t *block = read_vector("testnet-0.38.19/block_1155.json"), *one;
	struct cs_hash root = hash_of(at_path(block, "result.block.header"), "data_hash");
	json_t *many = read_vector("testnet-0.38.19/tx_proofs_multi.json");
	size_t i;
	json_array_foreach(many, i, one) check_tx_proof(at_path(one, "result"), &root);
	assert_int_equal(json_array_size(many), 9);
	root = hash_of(
		at_path(read_vector("testnet-0.38.19/block_1154.json"), "result.block.header"),
		"data_hash");
	check_tx_proof(at_path(read_vector("testnet-0.38.19/tx_prove.json"), "result"), &root);
	json_t *rpc = read_vector("rpc/tx_search_with_prove.json");
	json_array_foreach(at_path(rpc, "result.txs"), i, one)
	{
		root = hash_of(json_object_get(one, "proof"), "root_hash");
		check_tx_proof(one, &root);
	}
	assert_true(i > 1);
}

/* The proofs that we make are the ones that CometBFT's node gave. */
static void test_own_tx_proofs(void **state)
{
	(void)state;
	json_t *json = read_vector("testnet-0.38.19/block_1155.json");
	const json_t *list = at_path(json, "result.block.data.txs");
	struct cs_hash root = hash_of(at_path(json, "result.block.header"), "data_hash");
	struct cs_bytes txs[16];
	struct cmt_tree tree;
	size_t count = json_array_size(list);
	for (size_t i = 0; i < count; i++)
		txs[i] = base64_of(json_array_get(list, i));
	assert_hash(cmt_data_hash(txs, count), root);
	assert_ok(cmt_data_tree(&tree, test_arena(), txs, count));
	for (size_t i = 0; i < count; i++) {
		struct cmt_proof proof;
		cmt_tree_prove(&proof, &tree, i);
		assert_ok(cmt_tx_check(&proof, &root, txs[i]));
		assert_says("bad-proof", cmt_tx_check(&proof, &root, txs[(i + 1) % count]));
	}
}

static void test_results(void **state)
{
	(void)state;
	json_t *one;
	size_t i;
	json_array_foreach(generated("results"), i, one)
	{
		const json_t *list = json_object_get(one, "results");
		size_t count = json_array_size(list);
		struct cmt_tx_result *results = keep((count + 1) * sizeof *results);
		struct cs_hash hash;
		for (size_t j = 0; j < count; j++) {
			const json_t *r = json_array_get(list, j);
			results[j] = (struct cmt_tx_result){
				(uint32_t)json_integer_value(json_array_get(r, 0)),
				unhex(json_string_value(json_array_get(r, 1))),
				json_integer_value(json_array_get(r, 2)),
				json_integer_value(json_array_get(r, 3))};
		}
		assert_ok(cmt_results_hash(&hash, results, count, test_arena()));
		assert_hash(hash, hash_of(one, "hash"));
	}
	/* Block 1155 carries the hash of the results of 1154: one transaction, code 0. */
	const struct cmt_tx_result fine = {.code = 0};
	struct cs_hash hash;
	json_t *next = read_vector("testnet-0.38.19/block_1155.json");
	assert_int_equal(
		json_array_size(at_path(read_vector("testnet-0.38.19/block_results_1154.json"),
					"result.txs_results")),
		1);
	assert_ok(cmt_results_hash(&hash, &fine, 1, test_arena()));
	assert_hash(hash, hash_of(at_path(next, "result.block.header"), "last_results_hash"));
}

/* ---- parts and blocks ---- */

static struct cs_bytes encode(const struct cmt_block *block)
{
	struct cs_buf buf = test_buf(cmt_block_size_max(block));
	cmt_block_encode(&buf, block);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

/* What a node of the chain had on disk, from the JSON of its RPC: the part set header that its
 * validators signed says that every byte is right. */
static void check_recorded(const char *name, const char *at)
{
	json_t *json = read_vector(name);
	const json_t *both = at_path(json, at), *body = json_object_get(both, "block");
	const json_t *txs = at_path(body, "data.txs"),
		     *evidence = at_path(body, "evidence.evidence");
	struct cmt_block_id id = block_id_of(json_object_get(both, "block_id"));
	struct cmt_block block = {.header = header_of(json_object_get(body, "header"))}, read;
	struct cmt_part_set parts;
	block.last_commit = commit_of(json_object_get(body, "last_commit"));
	block.tx_count = json_array_size(txs);
	block.txs = keep(block.tx_count * sizeof *block.txs);
	for (size_t i = 0; i < block.tx_count; i++)
		block.txs[i] = base64_of(json_array_get(txs, i));
	block.evidence_count = json_array_size(evidence);
	block.evidence = keep((block.evidence_count + 1) * sizeof *block.evidence);
	for (size_t i = 0; i < block.evidence_count; i++) {
		const json_t *value = at_path(json_array_get(evidence, i), "value");
		block.evidence[i].kind = CMT_DUPLICATE_VOTE;
		block.evidence[i].duplicate_vote = (struct cmt_duplicate_vote){
			vote_of(json_object_get(value, "vote_a")),
			vote_of(json_object_get(value, "vote_b")),
			i64_at(value, "total_voting_power"), i64_at(value, "validator_power"),
			time_of(json_object_get(value, "timestamp"))};
	}
	assert_ok(cmt_block_check(&block, test_arena(), NULL));
	struct cs_bytes bytes = encode(&block);
	assert_ok(cmt_part_set_make(&parts, bytes, test_arena()));
	assert_int_equal(parts.header.total, id.parts.total);
	assert_true(cmt_hash_eq(&parts.header.hash, &id.parts.hash));
	assert_ok(cmt_block_decode(&read, bytes, test_arena(), NULL));
	assert_bytes(encode(&read), bytes);
	assert_hash(cmt_header_hash(&read.header), id.hash.hash);
}

static void test_recorded_blocks(void **state)
{
	(void)state;
	static const char *const files[] = {
		"live-0.38.26/out_block_1.json",   "live-0.38.26/out_block_2.json",
		"live-0.38.26/out_block_5.json",   "live-0.38.26/out_block_6.json",
		"live-0.38.26/out_block_20.json",  "testnet-0.38.19/block_1154.json",
		"testnet-0.38.19/block_1155.json", "testnet-0.38.19/block_1158.json",
		"rpc/block_at_height_1.json",      "rpc/block_at_height_10.json"};
	for (size_t i = 0; i < CS_LEN(files); i++)
		check_recorded(files[i], "result");
	check_recorded("rpc/block_search_evidence.json", "result.blocks.0");
}

static void test_generated_blocks(void **state)
{
	(void)state;
	json_t *one;
	size_t i;
	json_array_foreach(generated("blocks"), i, one)
	{
		struct cs_bytes bytes = hex_at(one, "encoded");
		struct cmt_block block;
		struct cmt_part_set parts;
		assert_ok(cmt_block_decode(&block, bytes, test_arena(), NULL));
		assert_bytes(encode(&block), bytes);
		assert_hash(cmt_header_hash(&block.header), hash_of(one, "hash"));
		assert_ok(cmt_part_set_make(&parts, bytes, test_arena()));
		assert_int_equal(parts.header.total, i64_at(one, "total"));
		assert_hash(parts.header.hash.hash, hash_of(one, "parts_hash"));
		struct cmt_header before = block.header;
		block.header.data_hash.some = block.header.evidence_hash.some = false;
		assert_says("wrong-block", cmt_block_check(&block, test_arena(), NULL));
		assert_ok(cmt_block_fill_hashes(&block, test_arena()));
		assert_hash(cmt_header_hash(&block.header), cmt_header_hash(&before));
		if (json_object_get(one, "last_part") == NULL)
			continue;
		struct cmt_part part;
		struct cs_buf buf = test_buf(CMT_PART_ENCODED_SIZE_MAX);
		cmt_part_get(&part, &parts, parts.header.total - 1);
		cmt_part_encode(&buf, &part);
		assert_bytes(cs_buf_view(&buf), hex_at(one, "last_part"));
	}
}

static struct cmt_part_set three_parts(void)
{
	struct cmt_part_set set;
	size_t n = 2 * CMT_PART_SIZE + 100;
	uint8_t *block = keep(n);
	for (size_t i = 0; i < n; i++)
		block[i] = (uint8_t)(i * 7 + i / CMT_PART_SIZE);
	assert_ok(cmt_part_set_make(&set, cs_bytes(block, n), test_arena()));
	assert_int_equal(set.header.total, 3);
	return set;
}

static void test_parts_refused(void **state)
{
	(void)state;
	struct cmt_part_set set = three_parts();
	struct cmt_part good, bad, read;
	for (uint32_t i = 0; i < 3; i++) {
		struct cs_buf buf = test_buf(CMT_PART_ENCODED_SIZE_MAX);
		cmt_part_get(&good, &set, i);
		cmt_part_encode(&buf, &good);
		assert_ok(cmt_part_decode(&read, cs_buf_view(&buf)));
		assert_ok(cmt_part_check(&read, &set.header));
	}
	cmt_part_get(&good, &set, 1);
	bad = good;
	bad.index = 0;
	assert_says("bad-proof", cmt_part_check(&bad, &set.header));
	bad = good;
	bad.index = 2;
	bad.proof.index = 2;
	assert_says("bad-proof", cmt_part_check(&bad, &set.header));
	bad = good;
	bad.proof.total = 4;
	assert_says("bad-proof", cmt_part_check(&bad, &set.header));
	bad = good;
	bad.bytes.n--;
	assert_says("invalid", cmt_part_check(&bad, &set.header));
	bad = good;
	bad.bytes = cs_bytes(set.block.p, CMT_PART_SIZE + 1);
	assert_says("too-large", cmt_part_check(&bad, &set.header));
	bad.bytes.n--;
	assert_says("bad-proof", cmt_part_check(&bad, &set.header));
	struct cmt_part_set_header none = {0, {.some = false}};
	assert_says("invalid", cmt_part_check(&good, &none));
	assert_says("invalid", cmt_part_set_make(&set, CS_BYTES_NONE, test_arena()));
	assert_says("too-large",
		    cmt_part_set_make(&set, cs_bytes("", CMT_BLOCK_SIZE_MAX + 1), test_arena()));
}

static void test_blocks_refused(void **state)
{
	(void)state;
	struct cmt_block block, read;
	struct cs_bytes bytes = hex_at(json_array_get(generated("blocks"), 1), "encoded");
	assert_ok(cmt_block_decode(&block, bytes, test_arena(), NULL));
	size_t mark = cs_arena_mark(test_arena());
	for (size_t n = 0; n < bytes.n; n++) {
		assert_true(cmt_block_decode(&read, cs_bytes(bytes.p, n), test_arena(), NULL) !=
			    CS_OK);
		cs_arena_rewind(test_arena(), mark);
	}
	struct cmt_block bad = block;
	bad.tx_count--;
	assert_says("wrong-block", cmt_block_check(&bad, test_arena(), NULL));
	bad = block;
	bad.evidence_count--;
	assert_says("wrong-block", cmt_block_check(&bad, test_arena(), NULL));
	bad = block;
	bad.last_commit.count--;
	assert_says("wrong-block", cmt_block_check(&bad, test_arena(), NULL));
	bad = block;
	bad.header.block_protocol = 12;
	assert_says("unsupported", cmt_block_check(&bad, test_arena(), NULL));
	assert_says("too-large", cmt_block_decode(&read, cs_bytes("", CMT_BLOCK_SIZE_MAX + 1),
						  test_arena(), NULL));
	struct cs_arena small;
	cs_arena_init(&small, keep(64), 64);
	assert_says("no-memory", cmt_block_decode(&read, bytes, &small, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params),          cmocka_unit_test(test_params_refused),
		cmocka_unit_test(test_params_updates),  cmocka_unit_test(test_tx_proofs),
		cmocka_unit_test(test_own_tx_proofs),   cmocka_unit_test(test_results),
		cmocka_unit_test(test_recorded_blocks), cmocka_unit_test(test_generated_blocks),
		cmocka_unit_test(test_parts_refused),   cmocka_unit_test(test_blocks_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
