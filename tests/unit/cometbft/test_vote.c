#include "tests/unit/cometbft/made.h"

static struct cs_ed25519_key key_at(const json_t *json)
{
	struct cs_ed25519_key key;
	struct cs_bytes bytes = hex_at(json, "key");
	assert_int_equal(bytes.n, sizeof key.b);
	memcpy(key.b, bytes.p, bytes.n);
	return key;
}

static struct cmt_chain_id vectors_chain(void)
{
	return chain_id_of("caisson-vectors");
}

static void test_published(void **state)
{
	(void)state;
	json_t *all = read_vector("signbytes/sign_bytes.json"), *one;
	size_t i;
	json_array_foreach(all, i, one)
	{
		struct cs_buf buf = test_buf(CMT_SIGN_BYTES_MAX);
		struct cmt_chain_id id = {.n = 0};
		if (*text_of(one, "chain_id") != 0)
			id = chain_id_of(text_of(one, "chain_id"));
		if (strcmp(text_of(one, "kind"), "proposal") == 0) {
			struct cmt_proposal p = {.height = i64_at(one, "height"),
						 .round = (int32_t)i64_at(one, "round"),
						 .pol_round = (int32_t)i64_at(one, "pol_round")};
			p.time = time_of(json_object_get(one, "timestamp"));
			p.block_id.hash = opt_hash_at(one, "block_id");
			p.block_id.parts.total = (uint32_t)i64_at(one, "parts_total");
			p.block_id.parts.hash = opt_hash_at(one, "parts_hash");
			cmt_proposal_sign_bytes(&buf, &p, &id);
		} else {
			struct cmt_vote v = {.type = (enum cmt_signed_type)i64_at(one, "type"),
					     .height = i64_at(one, "height"),
					     .round = (int32_t)i64_at(one, "round"),
					     .time = CS_PB_TIME_ZERO};
			cmt_vote_sign_bytes(&buf, &v, &id);
		}
		assert_bytes(cs_buf_view(&buf), hex_at(one, "sign_bytes"));
	}
	assert_int_equal(json_array_size(all), 7);
}

static void test_generated_votes(void **state)
{
	(void)state;
	struct cmt_chain_id id = vectors_chain();
	json_t *one;
	size_t i;
	json_array_foreach(generated("votes"), i, one)
	{
		struct cs_bytes bytes = hex_at(one, "encoded");
		struct cs_ed25519_key key = key_at(one), other = key_of(1);
		struct cs_buf buf = test_buf(CMT_VOTE_SIZE_MAX(bytes.n));
		struct cs_buf sign = test_buf(CMT_SIGN_BYTES_MAX);
		struct cmt_vote vote;
		assert_ok(cmt_vote_decode(&vote, bytes, NULL));
		cmt_vote_encode(&buf, &vote);
		assert_bytes(cs_buf_view(&buf), bytes);
		cmt_vote_sign_bytes(&sign, &vote, &id);
		assert_bytes(cs_buf_view(&sign), hex_at(one, "sign_bytes"));
		assert_ok(cmt_vote_verify(&vote, &id, &key));
		assert_says("foreign-seal", cmt_vote_verify(&vote, &id, &other));
		if (json_object_get(one, "extension_sign_bytes") != NULL) {
			buf = test_buf(CMT_EXTENSION_SIGN_BYTES_MAX(vote.extension.n));
			cmt_extension_sign_bytes(&buf, &vote, &id);
			assert_bytes(cs_buf_view(&buf), hex_at(one, "extension_sign_bytes"));
			assert_ok(cmt_extension_verify(&vote, &id, &key, test_arena()));
			assert_says("bad-seal",
				    cmt_extension_verify(&vote, &id, &other, test_arena()));
		}
	}
}

static void test_generated_proposals(void **state)
{
	(void)state;
	struct cmt_chain_id id = vectors_chain(), other = chain_id_of("caisson-vector");
	json_t *one;
	size_t i;
	json_array_foreach(generated("proposals"), i, one)
	{
		struct cs_bytes bytes = hex_at(one, "encoded");
		struct cs_ed25519_key key = key_at(one);
		struct cs_buf buf = test_buf(CMT_PROPOSAL_SIZE_MAX);
		struct cs_buf sign = test_buf(CMT_SIGN_BYTES_MAX);
		struct cmt_proposal p;
		assert_ok(cmt_proposal_decode(&p, bytes, NULL));
		assert_int_equal(p.pol_round, (int32_t)i - 1);
		cmt_proposal_encode(&buf, &p);
		assert_bytes(cs_buf_view(&buf), bytes);
		cmt_proposal_sign_bytes(&sign, &p, &id);
		assert_bytes(cs_buf_view(&sign), hex_at(one, "sign_bytes"));
		assert_ok(cmt_proposal_verify(&p, &id, &key));
		assert_says("bad-seal", cmt_proposal_verify(&p, &other, &key));
		p.pol_round++;
		assert_says("bad-seal", cmt_proposal_verify(&p, &id, &key));
	}
}

static struct cmt_vote made_vote(void)
{
	struct cs_ed25519_key key = key_of(1);
	struct cs_hash hash = cs_sha256(cs_bytes_str("a block"));
	struct cmt_vote v = {.type = CMT_PRECOMMIT,
			     .height = 9,
			     .round = 2,
			     .block_id = {cmt_hash_of(&hash), {3, cmt_hash_of(&hash)}},
			     .time = {MADE_TIME_S, 999999999},
			     .validator = cmt_address(&key),
			     .index = 3};
	struct cmt_chain_id id = chain_id_of(MADE_CHAIN);
	struct cs_secret secret = secret_of(1);
	struct cs_buf buf = test_buf(CMT_SIGN_BYTES_MAX);
	cmt_vote_sign_bytes(&buf, &v, &id);
	v.signature.some = true;
	assert_ok(cs_ed25519_sign(v.signature.b, &secret, cs_buf_view(&buf)));
	return v;
}

/* Whatever is signed cannot be changed; the index alone is not signed. */
static void test_what_is_signed(void **state)
{
	(void)state;
	struct cmt_chain_id id = chain_id_of(MADE_CHAIN), other = chain_id_of("made2");
	struct cs_ed25519_key key = key_of(1);
	const struct cmt_vote good = made_vote();
	struct cmt_vote v = good;
	assert_ok(cmt_vote_verify(&v, &id, &key));
	assert_says("bad-seal", cmt_vote_verify(&v, &other, &key));
	v.type = CMT_PREVOTE;
	assert_says("bad-seal", cmt_vote_verify(&v, &id, &key));
	v = good;
	v.height++;
	assert_says("bad-seal", cmt_vote_verify(&v, &id, &key));
	v = good;
	v.round++;
	assert_says("bad-seal", cmt_vote_verify(&v, &id, &key));
	v = good;
	v.time.ns--;
	assert_says("bad-seal", cmt_vote_verify(&v, &id, &key));
	v = good;
	v.block_id.parts.total++;
	assert_says("bad-seal", cmt_vote_verify(&v, &id, &key));
	v = good;
	v.block_id = (struct cmt_block_id){.parts.total = 0};
	assert_says("bad-seal", cmt_vote_verify(&v, &id, &key));
	v = good;
	v.signature.b[63] ^= 1;
	assert_says("bad-seal", cmt_vote_verify(&v, &id, &key));
	v = good;
	v.time.ns = -1;
	assert_says("invalid", cmt_vote_verify(&v, &id, &key));
	v = good;
	v.index++;
	assert_ok(cmt_vote_verify(&v, &id, &key));
}

static void test_refused_votes(void **state)
{
	(void)state;
	const struct cmt_vote good = made_vote();
	struct cmt_vote v = good;
	assert_ok(cmt_vote_check(&v, NULL));
	v.type = CMT_PROPOSAL;
	assert_says("invalid", cmt_vote_check(&v, NULL));
	v = good;
	v.height = 0;
	assert_says("invalid", cmt_vote_check(&v, NULL));
	v = good;
	v.round = -1;
	assert_says("invalid", cmt_vote_check(&v, NULL));
	v = good;
	v.index = -1;
	assert_says("invalid", cmt_vote_check(&v, NULL));
	v = good;
	v.block_id.parts.total = 0;
	assert_says("invalid", cmt_vote_check(&v, NULL));
	v = good;
	v.block_id.hash.some = false;
	assert_says("invalid", cmt_vote_check(&v, NULL));
	v = good;
	v.signature.some = false;
	assert_says("invalid", cmt_vote_check(&v, NULL));
	v = good;
	v.time.s = CS_PB_TIME_MIN_S - 1;
	assert_says("invalid", cmt_vote_check(&v, NULL));
}

static void test_refused_extensions(void **state)
{
	(void)state;
	const struct cmt_vote good = made_vote();
	struct cmt_vote v = good;
	struct cs_ed25519_key key = key_of(1);
	struct cmt_chain_id id = chain_id_of(MADE_CHAIN);
	v.extension = cs_bytes_str("x");
	assert_says("invalid", cmt_vote_check(&v, NULL));
	assert_says("missing-field", cmt_extension_verify(&v, &id, &key, test_arena()));
	v.extension_signature = v.signature;
	assert_ok(cmt_vote_check(&v, NULL));
	assert_says("bad-seal", cmt_extension_verify(&v, &id, &key, test_arena()));
	v.extension = cs_bytes(keep(CMT_EXTENSION_SIZE_MAX + 1), CMT_EXTENSION_SIZE_MAX + 1);
	assert_says("too-large", cmt_vote_check(&v, NULL));
	v = good;
	v.type = CMT_PREVOTE;
	v.extension_signature = v.signature;
	assert_says("invalid", cmt_vote_check(&v, NULL));
	v = good;
	v.block_id = (struct cmt_block_id){.parts.total = 0};
	v.extension_signature = v.signature;
	assert_says("invalid", cmt_vote_check(&v, NULL));
}

/* Every prefix is refused, and whatever else is taken is written again to the same bytes. */
static void test_form(void **state)
{
	(void)state;
	struct cmt_vote v = made_vote(), read;
	struct cs_buf buf = test_buf(CMT_VOTE_SIZE_MAX(0));
	cmt_vote_encode(&buf, &v);
	for (size_t n = 0; n < buf.n; n++)
		assert_true(cmt_vote_decode(&read, cs_bytes(buf.p, n), NULL) != CS_OK);
	for (size_t bit = 0; bit < 8 * buf.n; bit++) {
		buf.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (cmt_vote_decode(&read, cs_buf_view(&buf), NULL) == CS_OK) {
			struct cs_buf again = test_buf(CMT_VOTE_SIZE_MAX(buf.n));
			cmt_vote_encode(&again, &read);
			assert_bytes(cs_buf_view(&again), cs_buf_view(&buf));
		}
		buf.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void test_refused_proposals(void **state)
{
	(void)state;
	struct cmt_vote v = made_vote();
	const struct cmt_proposal good = {.height = 1,
					  .pol_round = -1,
					  .block_id = v.block_id,
					  .time = v.time,
					  .signature = v.signature};
	struct cmt_proposal p = good;
	assert_ok(cmt_proposal_check(&p, NULL));
	p.pol_round = -2;
	assert_says("invalid", cmt_proposal_check(&p, NULL));
	p = good;
	p.height = -1;
	assert_says("invalid", cmt_proposal_check(&p, NULL));
	p = good;
	p.block_id = (struct cmt_block_id){.parts.total = 0};
	assert_says("invalid", cmt_proposal_check(&p, NULL));
	p = good;
	p.signature.some = false;
	assert_says("invalid", cmt_proposal_check(&p, NULL));
	/* The bytes of a vote are no proposal. */
	struct cs_buf buf = test_buf(CMT_VOTE_SIZE_MAX(0));
	cmt_vote_encode(&buf, &v);
	assert_true(cmt_proposal_decode(&p, cs_buf_view(&buf), NULL) != CS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_generated_votes),
		cmocka_unit_test(test_generated_proposals),
		cmocka_unit_test(test_what_is_signed),
		cmocka_unit_test(test_refused_votes),
		cmocka_unit_test(test_refused_extensions),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_refused_proposals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
