#include "tests/unit/cometbft/made.h"

/* types/block_test.go TestHeaderHash: most hashes are of their own names. */
static struct cmt_hash named(const char *name)
{
	struct cs_hash hash = cs_sha256(cs_bytes_str(name));
	return cmt_hash_of(&hash);
}

static void test_published(void **state)
{
	(void)state;
	json_t *vector = read_vector("signbytes/header_hash.json");
	static const struct cs_hash zero;
	struct cmt_header h = {.block_protocol = 1, .app_version = 2, .height = 3};
	h.chain_id = chain_id_of("chainId");
	h.time = time_of(json_object_get(vector, "time"));
	h.last_block_id = (struct cmt_block_id){cmt_hash_of(&zero), {6, cmt_hash_of(&zero)}};
	h.last_commit_hash = named("last_commit_hash");
	h.data_hash = named("data_hash");
	h.validators_hash = named("validators_hash");
	h.next_validators_hash = named("next_validators_hash");
	h.consensus_hash = named("consensus_hash");
	struct cmt_hash app = named("app_hash");
	assert_ok(cmt_header_set_app_hash(&h, cmt_hash_bytes(&app)));
	h.last_results_hash = named("last_results_hash");
	h.evidence_hash = named("evidence_hash");
	struct cmt_hash proposer = named("proposer_address");
	memcpy(h.proposer.b, proposer.hash.b, sizeof h.proposer.b);
	assert_hash(cmt_header_hash(&h), hash_of(vector, "expected_header_hash"));
	assert_err(cmt_header_check_protocol(&h, CMT_BLOCK_PROTOCOL, NULL), CS_ERR_UNSUPPORTED);
	assert_ok(cmt_header_check_protocol(&h, 1, NULL));
}

static void check_round_trip(const struct cmt_header *header)
{
	struct cs_buf buf = test_buf(CMT_HEADER_SIZE_MAX), again = test_buf(CMT_HEADER_SIZE_MAX);
	struct cmt_header read;
	cmt_header_encode(&buf, header);
	assert_ok(cs_buf_end(&buf));
	assert_ok(cmt_header_decode(&read, cs_buf_view(&buf), NULL));
	assert_hash(cmt_header_hash(&read), cmt_header_hash(header));
	cmt_header_encode(&again, &read);
	assert_bytes(cs_buf_view(&again), cs_buf_view(&buf));
}

static void test_tendermint_rs(void **state)
{
	(void)state;
	struct cmt_header h =
		header_of(read_vector("signbytes/tendermint-rs_header_with_known_hash.json"));
	assert_hash(cmt_header_hash(&h), hash_of_text("F30A71F2409FB15AACAEDB6CC122DFA2525BEE9C"
						      "AE521721B06BFDCA291B8D56"));
	check_round_trip(&h);
}

/* Headers of five chains, each with the hash that its chain gave it. */
static void test_recorded(void **state)
{
	(void)state;
	static const struct {
		const char *file, *header, *hash;
	} all[] = {
		{"live-0.38.26/out_block_1.json", "result.block.header", "result.block_id.hash"},
		{"live-0.38.26/out_block_2.json", "result.block.header", "result.block_id.hash"},
		{"live-0.38.26/out_block_5.json", "result.block.header", "result.block_id.hash"},
		{"live-0.38.26/out_block_20.json", "result.block.header", "result.block_id.hash"},
		{"live-0.38.26/ve_commit_4.json", "result.signed_header.header",
		 "result.signed_header.commit.block_id.hash"},
		{"testnet-0.38.19/block_1154.json", "result.block.header", "result.block_id.hash"},
		{"testnet-0.38.19/block_1155.json", "result.block.header", "result.block_id.hash"},
		{"testnet-0.38.19/block_1158.json", "result.block.header", "result.block_id.hash"},
		{"simapp/light_block_56.json", "commit.signed_header.header",
		 "commit.signed_header.commit.block_id.hash"},
		{"rpc/block_at_height_1.json", "result.block.header", "result.block_id.hash"},
		{"rpc/block_at_height_10.json", "result.block.header", "result.block_id.hash"},
		{"rpc/block_search_evidence.json", "result.blocks.0.block.header",
		 "result.blocks.0.block_id.hash"},
	};
	for (size_t i = 0; i < CS_LEN(all); i++) {
		json_t *json = read_vector(all[i].file);
		struct cmt_header h = header_of(at_path(json, all[i].header));
		struct cs_hash want = hash_of_text(json_string_value(at_path(json, all[i].hash)));
		struct cs_hash got = cmt_header_hash(&h);
		if (!cs_hash_eq(&got, &want))
			fail_msg("%s", all[i].file);
		check_round_trip(&h);
	}
}

/* Every field, and every bit of one byte of it, is under the hash. */
static void test_every_byte_counts(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 2, 5);
	struct cmt_header h = made_block(3, &set, &set).header, read;
	struct cs_hash hash = cmt_header_hash(&h);
	struct cs_buf buf = test_buf(CMT_HEADER_SIZE_MAX);
	cmt_header_encode(&buf, &h);
	size_t accepted = 0;
	for (size_t bit = 0; bit < 8 * buf.n; bit++) {
		buf.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (cmt_header_decode(&read, cs_buf_view(&buf), NULL) == CS_OK) {
			struct cs_hash other = cmt_header_hash(&read);
			assert_false(cs_hash_eq(&other, &hash));
			accepted++;
		}
		buf.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(accepted > 500);
	for (size_t n = 0; n < buf.n; n++)
		assert_true(cmt_header_decode(&read, cs_bytes(buf.p, n), NULL) != CS_OK);
}

static enum cs_err decode_of(const struct cmt_header *h)
{
	struct cmt_header read, before;
	struct cs_buf buf = test_buf(2 * CMT_HEADER_SIZE_MAX);
	memset(&read, 0x5a, sizeof read);
	memset(&before, 0x5a, sizeof before);
	cmt_header_encode(&buf, h);
	assert_ok(cs_buf_end(&buf));
	enum cs_err err = cmt_header_decode(&read, cs_buf_view(&buf), NULL);
	if (err != CS_OK)
		assert_memory_equal(&read, &before, sizeof before);
	return err;
}

static void test_refused(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 1, 5);
	const struct cmt_header good = made_block(3, &set, &set).header;
	struct cmt_header h = good;
	assert_ok(decode_of(&h));
	h.height = 0;
	assert_says("invalid", decode_of(&h));
	h.height = -4;
	assert_says("invalid", decode_of(&h));
	h = good;
	h.chain_id.n = 0;
	assert_says("invalid", decode_of(&h));
	h = good;
	h.validators_hash.some = false;
	assert_says("missing-field", decode_of(&h));
	assert_says("missing-field", cmt_header_check(&h, NULL));
	h = good;
	h.time.ns = -1;
	assert_says("invalid", cmt_header_check(&h, NULL));
	h.time = (struct cs_pb_time){CS_PB_TIME_MAX_S + 1, 0};
	assert_says("invalid", cmt_header_check(&h, NULL));
	uint8_t large[CMT_APP_HASH_SIZE_MAX + 1] = {0};
	assert_says("too-large", cmt_header_set_app_hash(&h, CS_BYTES_OF(large)));
	struct cmt_chain_id id;
	assert_says("too-large", cmt_chain_id_set(&id, cs_bytes(large, CMT_CHAIN_ID_SIZE_MAX + 1)));
}

static void test_canonical_only(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 1, 5);
	struct cmt_header h = made_block(3, &set, &set).header, read;
	struct cs_buf buf = test_buf(2 * CMT_HEADER_SIZE_MAX);
	cmt_header_encode(&buf, &h);
	size_t n = buf.n;
	cs_pb_put_uint(&buf, 15, 1);
	assert_says("unknown-field", cmt_header_decode(&read, cs_buf_view(&buf), NULL));
	buf.n = n;
	cs_pb_put_bytes(&buf, 14, CS_BYTES_OF(h.proposer.b));
	assert_says("duplicate", cmt_header_decode(&read, cs_buf_view(&buf), NULL));
	buf.n = n;
	cs_pb_put_int(&buf, 3, 4);
	assert_says("non-canonical", cmt_header_decode(&read, cs_buf_view(&buf), NULL));
	/* A last block id that is not there where it must be there empty. */
	buf = test_buf(CMT_HEADER_SIZE_MAX);
	size_t begin = cs_pb_begin(&buf, 1);
	cs_pb_put_uint(&buf, 1, 11);
	cs_pb_end(&buf, begin);
	cs_pb_put_bytes(&buf, 2, cs_bytes_str("x"));
	cs_pb_put_int(&buf, 3, 1);
	cs_pb_put_time(&buf, 4, h.time);
	cs_pb_put_bytes(&buf, 8, cmt_hash_bytes(&h.validators_hash));
	cs_pb_put_bytes(&buf, 14, CS_BYTES_OF(h.proposer.b));
	assert_says("missing-field", cmt_header_decode(&read, cs_buf_view(&buf), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published), cmocka_unit_test(test_tendermint_rs),
		cmocka_unit_test(test_recorded),  cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_canonical_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
