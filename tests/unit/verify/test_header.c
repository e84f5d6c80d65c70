#include "core/hash.h"
#include "vectors.h"
#include "verify/evm/header.h"
#include "verify/evm/signers.h"

static void read_ok(struct verify_evm_header *h, struct cs_bytes raw)
{
	assert_ok(verify_evm_header_read(h, raw));
}

static struct cs_address recover(struct cs_bytes seal, const struct cs_hash *digest)
{
	struct cs_sig *sig = cs_sig_new(NULL);
	struct cs_address who;
	bool low_s;
	assert_non_null(sig);
	assert_ok(verify_evm_seal_signer(&who, &low_s, seal, digest, sig));
	assert_true(low_s);
	cs_sig_free(sig);
	return who;
}

static void check_clique_file(const char *name)
{
	struct vectors v;
	size_t i;
	json_t *row;
	vectors_open(&v, name);
	json_array_foreach(vectors_at(v.root, "headers"), i, row)
	{
		struct cs_bytes raw = vectors_bytes(&v, vectors_at(row, "headerRlp"));
		struct cs_hash hash = vectors_hash(&v, vectors_at(row, "hash")), found;
		struct verify_evm_header h;
		struct cs_address signer, who;
		struct cs_u256 difficulty;
		read_ok(&h, raw);
		found = verify_evm_header_hash(&h);
		assert_true(cs_hash_eq(&found, &hash));
		assert_int_equal(h.number, i);
		assert_int_equal(h.field_count, 16);
		difficulty = cs_u256_u64(vectors_u64(vectors_at(row, "difficulty")));
		assert_int_equal(cs_u256_cmp(&difficulty, &h.difficulty), 0);
		if (i == 0)
			continue;
		signer = vectors_address(&v, vectors_at(row, "signer"));
		assert_ok(verify_clique_seal_hash(&found, &h));
		who = recover(cs_bytes(h.extra.p + h.extra.n - 65, 65), &found);
		assert_true(cs_address_eq(&who, &signer));
	}
	vectors_close(&v);
}

static void test_recorded_clique_headers(void **state)
{
	(void)state;
	check_clique_file("clique-1signer.json");
	check_clique_file("clique-3signers.json");
}

static void check_qbft_row(struct vectors *v, const json_t *row)
{
	struct cs_hash hash = vectors_hash(v, vectors_at(row, "hash")), found;
	struct cs_hash digest = vectors_hash(v, vectors_at(row, "commitDigest"));
	struct verify_evm_header h;
	struct verify_qbft_extra x;
	json_t *signers = vectors_at(row, "signers");
	read_ok(&h, vectors_bytes(v, vectors_at(row, "headerRlp")));
	assert_ok(verify_qbft_extra_read(&x, &h));
	assert_int_equal(x.round, vectors_u64(vectors_at(row, "round")));
	assert_int_equal(x.validator_count, 4);
	assert_false(x.has_vote);
	found = verify_qbft_block_hash(&h, &x);
	assert_true(cs_hash_eq(&found, &hash));
	found = verify_qbft_commit_digest(&h, &x);
	assert_true(cs_hash_eq(&found, &digest));
	assert_int_equal(x.seal_count, json_array_size(signers));
	for (size_t i = 0; i < x.seal_count; i++) {
		struct cs_address who = recover(x.seals[i], &digest);
		struct cs_address signer = vectors_address(v, json_array_get(signers, i));
		assert_true(cs_address_eq(&who, &signer));
	}
}

static void test_recorded_qbft_headers(void **state)
{
	struct vectors v;
	size_t i;
	json_t *row;
	(void)state;
	vectors_open(&v, "qbft-4validators.json");
	json_array_foreach(vectors_at(v.root, "headers"), i, row) check_qbft_row(&v, row);
	check_qbft_row(&v, vectors_at(v.root, "headerWithRoundAbove0"));
	vectors_close(&v);
}

/* The fields of Prague as RPC names them; # marks quantities. */
static const char *const prague[] = {
	"parentHash",       "sha3Uncles",   "miner",          "stateRoot",
	"transactionsRoot", "receiptsRoot", "logsBloom",      "#difficulty",
	"#number",          "#gasLimit",    "#gasUsed",       "#timestamp",
	"extraData",        "mixHash",      "nonce",          "#baseFeePerGas",
	"withdrawalsRoot",  "#blobGasUsed", "#excessBlobGas", "parentBeaconBlockRoot",
	"requestsHash"};

static void test_prague_header_with_trailing_fields(void **state)
{
	static uint8_t memory[2048];
	struct verify_evm_header h;
	struct cs_hash hash, found;
	struct vectors v;
	struct cs_buf buf;
	size_t begin;
	json_t *block;
	(void)state;
	vectors_open(&v, "anvil-proofs.json");
	block = vectors_at(v.root, "block");
	cs_buf_init(&buf, memory, sizeof memory);
	begin = cs_rlp_list_begin(&buf);
	for (size_t i = 0; i < CS_LEN(prague); i++) {
		if (prague[i][0] == '#')
			cs_rlp_put_u64(&buf, vectors_u64(vectors_at(block, prague[i] + 1)));
		else
			cs_rlp_put_bytes(&buf, vectors_bytes(&v, vectors_at(block, prague[i])));
	}
	cs_rlp_list_end(&buf, begin);
	read_ok(&h, cs_buf_view(&buf));
	hash = vectors_hash(&v, vectors_at(block, "hash"));
	found = verify_evm_header_hash(&h);
	assert_true(cs_hash_eq(&found, &hash));
	assert_int_equal(h.field_count, 21);
	assert_int_equal(h.number, 0x28);
	assert_int_equal(h.time_s, vectors_u64(vectors_at(block, "timestamp")));
	hash = vectors_hash(&v, vectors_at(block, "receiptsRoot"));
	assert_true(cs_hash_eq(&h.receipts_root, &hash));
	vectors_close(&v);
}

static void test_every_cut_and_every_addition_is_refused(void **state)
{
	uint8_t more[CS_HEADER_SIZE_MAX + 2] = {0};
	struct verify_evm_header h;
	struct cs_bytes raw;
	struct vectors v;
	(void)state;
	vectors_open(&v, "clique-3signers.json");
	raw = vectors_bytes(&v, vectors_at(v.root, "headerRlp"));
	for (size_t n = 0; n < raw.n; n++)
		assert_int_not_equal(verify_evm_header_read(&h, cs_bytes(raw.p, n)), CS_OK);
	memcpy(more, raw.p, raw.n);
	assert_says("trailing", verify_evm_header_read(&h, cs_bytes(more, raw.n + 1)));
	assert_says("too-large",
		    verify_evm_header_read(&h, cs_bytes(more, CS_HEADER_SIZE_MAX + 1)));
	vectors_close(&v);
}

/* A header of `count` fields; field `at` is replaced by `with` (already encoded). */
static enum cs_err build(size_t count, size_t at, struct cs_bytes with)
{
	static uint8_t memory[CS_HEADER_SIZE_MAX];
	static const uint8_t zeros[256];
	static const size_t sizes[15] = {32, 32, 20, 32, 32, 32, 256, 0, 0, 0, 0, 0, 97, 32, 8};
	struct verify_evm_header h;
	struct cs_buf buf;
	size_t begin;
	cs_buf_init(&buf, memory, sizeof memory);
	begin = cs_rlp_list_begin(&buf);
	for (size_t i = 0; i < count; i++) {
		if (i == at)
			cs_put(&buf, with);
		else
			cs_rlp_put_bytes(&buf, cs_bytes(zeros, i < 15 ? sizes[i] : 0));
	}
	cs_rlp_list_end(&buf, begin);
	return verify_evm_header_read(&h, cs_buf_view(&buf));
}

#define ENCODED(...) CS_BYTES_OF(((const uint8_t[]){__VA_ARGS__}))

static void test_fields_of_another_shape(void **state)
{
	(void)state;
	assert_says("ok", build(15, 99, CS_BYTES_NONE));
	assert_says("ok", build(VERIFY_EVM_FIELDS_MAX, 99, CS_BYTES_NONE));
	assert_says("missing-field", build(14, 99, CS_BYTES_NONE));
	assert_says("missing-field", build(0, 99, CS_BYTES_NONE));
	assert_says("too-large", build(VERIFY_EVM_FIELDS_MAX + 1, 99, CS_BYTES_NONE));
	for (size_t i = 0; i < 15; i++) {
		assert_int_not_equal(build(15, i, ENCODED(0xc0)), CS_OK);
		assert_int_not_equal(build(15, i, ENCODED(0x81, 0x01)), CS_OK);
	}
	assert_says("malformed", build(15, 0, ENCODED(0x80)));
	assert_says("malformed", build(15, 6, ENCODED(0x80)));
	assert_says("malformed", build(15, 14, ENCODED(0x80)));
	assert_says("malformed", build(15, 12, ENCODED(0xc0)));
	assert_says("non-canonical", build(15, 8, ENCODED(0x00)));
	assert_says("overflow", build(15, 8, ENCODED(0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0)));
	assert_says("ok", build(15, 7, ENCODED(0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0)));
	assert_says("ok", build(17, 16, ENCODED(0xc2, 0x01, 0xc0)));
	assert_says("non-canonical", build(17, 16, ENCODED(0xc2, 0x81, 0x01)));
}

static void test_a_seal_hash_needs_vanity_and_seal(void **state)
{
	static uint8_t memory[1024];
	struct verify_evm_header h = {.extra = cs_bytes(memory, 96)};
	struct cs_hash hash;
	(void)state;
	assert_says("truncated", verify_clique_seal_hash(&hash, &h));
	h.extra.n = 97;
	assert_says("ok", verify_clique_seal_hash(&hash, &h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_clique_headers),
		cmocka_unit_test(test_recorded_qbft_headers),
		cmocka_unit_test(test_prague_header_with_trailing_fields),
		cmocka_unit_test(test_every_cut_and_every_addition_is_refused),
		cmocka_unit_test(test_fields_of_another_shape),
		cmocka_unit_test(test_a_seal_hash_needs_vanity_and_seal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
