#include "core/hash.h"
#include "vectors.h"
#include "verify/evm/gateway.h"

/* The word of a quantity of JSON-RPC. */
static struct cs_hash word_of(const json_t *text)
{
	char digits[65];
	struct cs_hash word;
	const char *quantity = json_string_value(text);
	assert_true(strncmp(quantity, "0x", 2) == 0 && strlen(quantity) <= 66);
	memset(digits, '0', 64);
	memcpy(digits + 66 - strlen(quantity), quantity + 2, strlen(quantity) - 2);
	assert_ok(cs_unhex(word.b, sizeof word.b, cs_bytes(digits, 64)));
	return word;
}

static void check_get_proof(struct vectors *v, const struct cs_hash *state_root,
			    const json_t *proof, bool exists)
{
	struct cs_address address = vectors_address(v, vectors_at(proof, "address"));
	struct verify_nodes nodes = vectors_nodes(v, vectors_at(proof, "accountProof"));
	struct cs_hash storage = vectors_hash(v, vectors_at(proof, "storageHash"));
	struct verify_account a;
	size_t i;
	json_t *row;
	assert_ok(verify_account(&a, state_root, &address, &nodes));
	assert_int_equal(a.exists, exists);
	if (exists) {
		struct cs_hash code = vectors_hash(v, vectors_at(proof, "codeHash"));
		assert_int_equal(a.nonce, vectors_u64(vectors_at(proof, "nonce")));
		assert_true(cs_hash_eq(&a.storage_root, &storage));
		assert_true(cs_hash_eq(&a.code_hash, &code));
	}
	json_array_foreach(vectors_at(proof, "storageProof"), i, row)
	{
		struct cs_hash slot = vectors_hash(v, vectors_at(row, "key"));
		struct cs_hash value = word_of(vectors_at(row, "value")), found;
		nodes = vectors_nodes(v, vectors_at(row, "proof"));
		assert_ok(verify_storage(&found, &storage, &slot, &nodes));
		assert_true(cs_hash_eq(&found, &value));
	}
}

static void test_recorded_anvil(void **state)
{
	struct vectors v;
	struct cs_hash root;
	(void)state;
	vectors_open(&v, "anvil-proofs.json");
	root = vectors_hash(&v, vectors_at(vectors_at(v.root, "block"), "stateRoot"));
	check_get_proof(&v, &root, vectors_at(v.root, "present"), true);
	check_get_proof(&v, &root, vectors_at(v.root, "absent_slots"), true);
	check_get_proof(&v, &root, vectors_at(v.root, "absent_account"), false);
	check_get_proof(&v, &root, vectors_at(v.root, "empty_storage_account"), true);
	vectors_close(&v);
}

static void check_recorded_geth(const char *name)
{
	struct verify_evm_header h;
	struct vectors v;
	vectors_open(&v, name);
	assert_ok(verify_evm_header_read(&h, vectors_bytes(&v, vectors_at(v.root, "headerRlp"))));
	check_get_proof(&v, &h.state_root, vectors_at(v.root, "ethGetProof"), true);
	vectors_close(&v);
}

static void test_recorded_geth(void **state)
{
	(void)state;
	check_recorded_geth("clique-1signer.json");
	check_recorded_geth("clique-3signers.json");
	check_recorded_geth("qbft-4validators.json");
}

static void gateway_of(struct vectors *v, struct verify_evm_gateway *g)
{
	vectors_open(v, "generated/accounts.json");
	g->address = vectors_address(v, vectors_at(v->root, "address"));
	g->code_hash = vectors_hash(v, vectors_at(v->root, "code"));
	g->identity = vectors_hash(v, vectors_at(v->root, "identity"));
}

static enum cs_err ask(struct vectors *v, const struct verify_evm_gateway *g, const json_t *roots,
		       const json_t *account, const json_t *sentinel, struct cs_hash *storage)
{
	struct verify_block block = {.state_root =
					     vectors_hash(v, vectors_at(roots, "state_root"))};
	struct verify_nodes a = vectors_nodes(v, account), s = {NULL, 0};
	if (sentinel)
		s = vectors_nodes(v, sentinel);
	return verify_evm_gateway(storage, &block, g, &a, &s);
}

static void test_gateway_and_what_is_not_it(void **state)
{
	struct verify_evm_gateway g, other;
	struct cs_hash storage, expected;
	struct vectors v;
	json_t *account, *sentinel, *row;
	(void)state;
	gateway_of(&v, &g);
	account = vectors_at(v.root, "account");
	sentinel = vectors_at(v.root, "sentinel");
	expected = vectors_hash(&v, vectors_at(v.root, "storage_root"));
	assert_ok(ask(&v, &g, v.root, account, sentinel, &storage));
	assert_true(cs_hash_eq(&storage, &expected));
	other = g;
	other.code_hash.b[0] ^= 1;
	assert_says("wrong-code", ask(&v, &other, v.root, account, sentinel, &storage));
	other = g;
	other.identity.b[31] ^= 1;
	assert_says("no-sentinel", ask(&v, &other, v.root, account, sentinel, &storage));
	other = g;
	other.address.b[0] ^= 1;
	assert_says("bad-proof", ask(&v, &other, v.root, account, sentinel, &storage));
	row = vectors_at(v.root, "absent_account");
	assert_says("no-account", ask(&v, &g, row, vectors_at(row, "account"), sentinel, &storage));
	row = vectors_at(v.root, "empty_storage");
	assert_says("no-sentinel", ask(&v, &g, row, vectors_at(row, "account"), NULL, &storage));
	assert_says("bad-proof", ask(&v, &g, row, vectors_at(row, "account"), sentinel, &storage));
	row = vectors_at(v.root, "foreign_sentinel");
	assert_says("no-sentinel", ask(&v, &g, row, vectors_at(row, "account"),
				       vectors_at(row, "sentinel"), &storage));
	assert_says("bad-proof", ask(&v, &g, row, vectors_at(row, "account"), sentinel, &storage));
	assert_says("bad-proof", ask(&v, &g, row, account, sentinel, &storage));
	vectors_close(&v);
}

static void test_statuses(void **state)
{
	struct verify_evm_gateway g;
	struct cs_hash storage, source;
	struct vectors v;
	size_t i;
	json_t *row;
	(void)state;
	gateway_of(&v, &g);
	storage = vectors_hash(&v, vectors_at(v.root, "storage_root"));
	source = vectors_hash(&v, vectors_at(v.root, "source"));
	json_array_foreach(vectors_at(v.root, "statuses"), i, row)
	{
		uint64_t sequence = vectors_u64(vectors_at(row, "sequence"));
		struct verify_nodes nodes = vectors_nodes(&v, vectors_at(row, "nodes"));
		enum wire_status status;
		assert_ok(verify_evm_gateway_status(&status, &storage, &source, sequence, &nodes));
		assert_int_equal(status, vectors_u64(vectors_at(row, "status")));
		assert_int_not_equal(
			verify_evm_gateway_status(&status, &storage, &g.identity, sequence, &nodes),
			CS_OK);
		assert_says("invalid",
			    verify_evm_gateway_status(&status, &storage, &source, 0, &nodes));
	}
	vectors_close(&v);
}

static void test_keys(void **state)
{
	struct verify_evm_gateway g;
	struct cs_hash storage, remote, x;
	struct wire_key key;
	struct vectors v;
	size_t i;
	json_t *row, *expected;
	(void)state;
	gateway_of(&v, &g);
	storage = vectors_hash(&v, vectors_at(v.root, "storage_root"));
	remote = vectors_hash(&v, vectors_at(v.root, "remote"));
	expected = vectors_at(v.root, "key");
	x = vectors_hash(&v, vectors_at(expected, "x"));
	json_array_foreach(vectors_at(v.root, "keys"), i, row)
	{
		uint64_t epoch = vectors_u64(vectors_at(row, "epoch"));
		struct verify_nodes a = vectors_nodes(&v, vectors_at(row, "x_nodes"));
		struct verify_nodes b = vectors_nodes(&v, vectors_at(row, "window_nodes"));
		assert_says(json_string_value(vectors_at(row, "error")),
			    verify_evm_gateway_key(&key, &storage, &remote, epoch, &a, &b));
		if (epoch == 1) {
			assert_true(cs_hash_eq(&key.x, &x));
			assert_int_equal(key.state, WIRE_KEY_ACTIVE);
			assert_int_equal(key.not_before_s,
					 vectors_u64(vectors_at(expected, "not_before")));
			assert_int_equal(key.not_after_s,
					 vectors_u64(vectors_at(expected, "not_after")));
			assert_says("bad-proof",
				    verify_evm_gateway_key(&key, &storage, &remote, epoch, &b, &a));
		} else if (epoch == 3) {
			assert_int_equal(key.state, WIRE_KEY_ABSENT);
			assert_true(cs_hash_is_zero(&key.x));
		}
	}
	vectors_close(&v);
}

/* Presence and absence alike. */
static void test_every_flipped_bit_is_noticed(void **state)
{
	struct verify_evm_gateway g;
	struct cs_hash state_root, storage, source;
	struct verify_nodes nodes;
	struct verify_account a;
	struct vectors v;
	size_t i;
	json_t *row;
	(void)state;
	gateway_of(&v, &g);
	state_root = vectors_hash(&v, vectors_at(v.root, "state_root"));
	storage = vectors_hash(&v, vectors_at(v.root, "storage_root"));
	source = vectors_hash(&v, vectors_at(v.root, "source"));
	nodes = vectors_nodes(&v, vectors_at(v.root, "account"));
	for (size_t n = 0; n < nodes.n; n++)
		for (size_t bit = 0; bit < 8 * nodes.p[n].n; bit++) {
			vectors_flip(nodes.p[n], bit);
			assert_int_not_equal(verify_account(&a, &state_root, &g.address, &nodes),
					     CS_OK);
			vectors_flip(nodes.p[n], bit);
		}
	json_array_foreach(vectors_at(v.root, "statuses"), i, row)
	{
		uint64_t sequence = vectors_u64(vectors_at(row, "sequence"));
		enum wire_status status;
		nodes = vectors_nodes(&v, vectors_at(row, "nodes"));
		for (size_t n = 0; n < nodes.n; n++)
			for (size_t bit = 0; bit < 8 * nodes.p[n].n; bit++) {
				vectors_flip(nodes.p[n], bit);
				assert_int_not_equal(verify_evm_gateway_status(&status, &storage,
									       &source, sequence,
									       &nodes),
						     CS_OK);
				vectors_flip(nodes.p[n], bit);
			}
	}
	vectors_close(&v);
}

/* A trie of one slot whose value is these bytes, as they are. */
static struct verify_nodes one_slot(struct cs_bytes *node, uint8_t memory[256],
				    struct cs_hash *root, const struct cs_hash *slot,
				    struct cs_bytes value)
{
	uint8_t path[33] = {0x20};
	struct cs_hash key = cs_keccak256(CS_BYTES_OF(slot->b));
	struct cs_buf buf;
	size_t begin;
	memcpy(path + 1, key.b, sizeof key.b);
	cs_buf_init(&buf, memory, 256);
	begin = cs_rlp_list_begin(&buf);
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(path));
	cs_rlp_put_bytes(&buf, value);
	cs_rlp_list_end(&buf, begin);
	assert_ok(cs_buf_end(&buf));
	*node = cs_buf_view(&buf);
	*root = cs_keccak256(*node);
	return (struct verify_nodes){node, 1};
}

static const char *storage_of(struct cs_bytes value, uint8_t last_byte)
{
	struct cs_hash slot = {{7}}, root, word = {{0x55}};
	uint8_t memory[256];
	struct cs_bytes node;
	struct verify_nodes nodes = one_slot(&node, memory, &root, &slot, value);
	enum cs_err err = verify_storage(&word, &root, &slot, &nodes);
	assert_int_equal(word.b[err == CS_OK ? 31 : 0], err == CS_OK ? last_byte : 0x55);
	return cs_err_name(err);
}

#define VALUE(...) CS_BYTES_OF(((const uint8_t[]){__VA_ARGS__}))

static void test_values_of_another_shape(void **state)
{
	uint8_t wide[34] = {0x80 + 33, 1};
	(void)state;
	assert_string_equal(storage_of(VALUE(5), 5), "ok");
	assert_string_equal(storage_of(VALUE(0x82, 1, 9), 9), "ok");
	assert_string_equal(storage_of(VALUE(0), 0), "non-canonical");
	assert_string_equal(storage_of(VALUE(0x80), 0), "non-canonical");
	assert_string_equal(storage_of(VALUE(0x82, 0, 9), 0), "non-canonical");
	assert_string_equal(storage_of(VALUE(0x81, 9), 0), "non-canonical");
	assert_string_equal(storage_of(VALUE(0xc1, 9), 0), "malformed");
	assert_string_equal(storage_of(VALUE(5, 5), 0), "trailing");
	assert_string_equal(storage_of(VALUE(0x82, 5), 0), "truncated");
	assert_string_equal(storage_of(CS_BYTES_OF(wide), 0), "malformed");
}

static void test_a_key_with_bits_beyond_the_layout(void **state)
{
	uint8_t memory[256], word[18] = {0x80 + 17, 1};
	struct cs_hash remote = {{3}}, slot = wire_evm_key_slot(&remote, 1, 1), root;
	struct wire_key key = {.not_after_s = 9};
	struct verify_nodes nodes;
	struct cs_bytes node;
	(void)state;
	word[17] = WIRE_KEY_ACTIVE;
	nodes = one_slot(&node, memory, &root, &slot, CS_BYTES_OF(word));
	assert_says("ok", verify_evm_gateway_key(&key, &root, &remote, 1, &nodes, &nodes));
	assert_int_equal(key.not_after_s, 1ull << 56);
	uint8_t beyond[19] = {0x80 + 18, 1};
	nodes = one_slot(&node, memory, &root, &slot, CS_BYTES_OF(beyond));
	assert_says("malformed", verify_evm_gateway_key(&key, &root, &remote, 1, &nodes, &nodes));
	assert_int_equal(key.not_after_s, 1ull << 56);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_anvil),
		cmocka_unit_test(test_recorded_geth),
		cmocka_unit_test(test_gateway_and_what_is_not_it),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_every_flipped_bit_is_noticed),
		cmocka_unit_test(test_values_of_another_shape),
		cmocka_unit_test(test_a_key_with_bits_beyond_the_layout),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
