#include "tests/unit/cometbft/made.h"

static struct cmt_evidence evidence_from(const json_t *json)
{
	struct cmt_evidence e;
	assert_ok(cmt_evidence_decode(&e, hex_at(json, "encoded"), test_arena(), NULL));
	return e;
}

static void check_bytes(const json_t *one, const struct cmt_evidence *e)
{
	struct cs_buf buf = test_buf(cmt_evidence_size_max(e) + 16);
	struct cs_hash hash;
	cmt_evidence_encode(&buf, e);
	assert_ok(cs_buf_end(&buf));
	assert_bytes(cs_buf_view(&buf), hex_at(one, "encoded"));
	assert_ok(cmt_evidence_hash(&hash, e, test_arena()));
	assert_hash(hash, hash_of(one, "hash"));
	assert_ok(cmt_evidence_root(&hash, e, 1, test_arena()));
	assert_hash(hash, hash_of(one, "root"));
}

/* ---- two votes ---- */

static void test_generated_votes(void **state)
{
	(void)state;
	struct cmt_chain_id id = chain_id_of("caisson-vectors");
	json_t *one;
	size_t i;
	json_array_foreach(generated("duplicate_votes"), i, one)
	{
		bool ok = json_is_true(json_object_get(one, "ok"));
		struct cmt_validator_set set = set_from(one, "set");
		struct cmt_evidence e;
		enum cs_err err =
			cmt_evidence_decode(&e, hex_at(one, "encoded"), test_arena(), NULL);
		/* Votes in the wrong order, or for one block, are refused as a form. */
		if (err == CS_OK) {
			check_bytes(one, &e);
			err = cmt_duplicate_vote_verify(&e.duplicate_vote, &id, &set,
							e.duplicate_vote.time, NULL);
		} else {
			assert_says("invalid", err);
		}
		if ((err == CS_OK) != ok)
			fail_msg("%s: %s", text_of(one, "name"), cs_err_name(err));
	}
}

/* Evidence of a real chain: two precommits of one round, for a block and for none. */
static void test_recorded(void **state)
{
	(void)state;
	json_t *json = read_vector("rpc/block_search_evidence.json");
	const json_t *body = at_path(json, "result.blocks.0.block");
	const json_t *value = at_path(body, "evidence.evidence.0.value");
	struct cmt_header h = header_of(json_object_get(body, "header"));
	struct cmt_evidence e = {.kind = CMT_DUPLICATE_VOTE};
	struct cs_hash root;
	e.duplicate_vote = (struct cmt_duplicate_vote){
		vote_of(json_object_get(value, "vote_a")),
		vote_of(json_object_get(value, "vote_b")), i64_at(value, "total_voting_power"),
		i64_at(value, "validator_power"), time_of(json_object_get(value, "timestamp"))};
	assert_ok(cmt_evidence_check(&e, NULL));
	assert_ok(cmt_evidence_root(&root, &e, 1, test_arena()));
	assert_hash(root, h.evidence_hash.hash);
}

static struct cmt_vote vote_for(const char *block, const struct cmt_validator_set *set,
				size_t index)
{
	struct cs_hash hash = cs_sha256(cs_bytes_str(block));
	struct cmt_commit commit = {.height = 5,
				    .block_id = {cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}}};
	commit.count = index + 1;
	commit.sigs = keep(commit.count * sizeof *commit.sigs);
	commit.sigs[index] = (struct cmt_commit_sig){.flag = CMT_COMMIT,
						     .validator = set->list[index].address,
						     .time = {MADE_TIME_S, 0}};
	made_sign(&commit, index);
	return cmt_commit_vote(&commit, index);
}

static void test_made_votes(void **state)
{
	(void)state;
	struct cmt_chain_id id = chain_id_of(MADE_CHAIN), other = chain_id_of("made2");
	struct cmt_validator_set set = made_set(1, 4, 10), strangers = made_set(60, 4, 10);
	struct cmt_vote a = vote_for("a", &set, 2), b = vote_for("b", &set, 2);
	const struct cs_pb_time time = {MADE_TIME_S, 1}, later = {MADE_TIME_S, 2};
	struct cmt_duplicate_vote e, swapped;
	assert_ok(cmt_duplicate_vote_make(&e, &a, &b, &set, time));
	assert_ok(cmt_duplicate_vote_make(&swapped, &b, &a, &set, time));
	assert_true(cmt_block_id_eq(&e.a.block_id, &swapped.a.block_id));
	struct cmt_evidence whole = {.kind = CMT_DUPLICATE_VOTE, .duplicate_vote = e};
	assert_ok(cmt_evidence_check(&whole, NULL));
	assert_ok(cmt_duplicate_vote_verify(&e, &id, &set, time, NULL));
	assert_says("bad-seal", cmt_duplicate_vote_verify(&e, &other, &set, time, NULL));
	assert_says("invalid", cmt_duplicate_vote_verify(&e, &id, &set, later, NULL));
	assert_says("not-found", cmt_duplicate_vote_verify(&e, &id, &strangers, time, NULL));
	assert_says("not-found", cmt_duplicate_vote_make(&e, &a, &b, &strangers, time));
	for (size_t i = 0; i < 2; i++) {
		struct cmt_duplicate_vote bad = e;
		(i == 0 ? &bad.a : &bad.b)->signature.b[9] ^= 1;
		assert_says("bad-seal", cmt_duplicate_vote_verify(&bad, &id, &set, time, NULL));
	}
	whole.duplicate_vote.b = whole.duplicate_vote.a;
	assert_says("invalid", cmt_evidence_check(&whole, NULL));
	/* Of two validators nobody is guilty. */
	struct cmt_vote c = vote_for("c", &set, 1);
	assert_ok(cmt_duplicate_vote_make(&e, &a, &c, &set, time));
	assert_says("invalid", cmt_duplicate_vote_verify(&e, &id, &set, time, NULL));
}

static void test_age(void **state)
{
	(void)state;
	struct cmt_params params = cmt_params_default();
	struct cmt_validator_set set = made_set(1, 1, 10);
	struct cmt_vote a = vote_for("a", &set, 0), b = vote_for("b", &set, 0);
	struct cmt_evidence e = {.kind = CMT_DUPLICATE_VOTE};
	const struct cs_pb_time then = {MADE_TIME_S, 500};
	assert_ok(cmt_duplicate_vote_make(&e.duplicate_vote, &a, &b, &set, then));
	params.evidence_age_ns = 10 * 1000000000ll;
	params.evidence_age_blocks = 100;
	const struct cs_pb_time at_bound = {MADE_TIME_S + 10, 500}, past = {MADE_TIME_S + 10, 501};
	const struct cs_pb_time end = {CS_PB_TIME_MAX_S, 0}, before = CS_PB_TIME_ZERO;
	assert_false(cmt_evidence_is_old(&e, &params, 5 + 101, at_bound));
	assert_true(cmt_evidence_is_old(&e, &params, 5 + 101, past));
	assert_false(cmt_evidence_is_old(&e, &params, 5 + 100, past));
	assert_true(cmt_evidence_is_old(&e, &params, 5 + 101, end));
	assert_false(cmt_evidence_is_old(&e, &params, 5 + 101, before));
}

/* ---- attacks ---- */

static void check_attack(const json_t *one)
{
	struct cmt_light_block common = light_from(one, "common");
	struct cmt_light_block trusted = light_from(one, "trusted");
	struct cmt_light_block true_common = light_from(one, "true_common");
	struct cmt_evidence e = evidence_from(one);
	check_bytes(one, &e);
	enum cs_err err =
		cmt_light_attack_verify(&e.light_attack, &common.header, &common.validators,
					&trusted.header, &trusted.commit, test_arena(), NULL);
	if ((err == CS_OK) != json_is_true(json_object_get(one, "ok")))
		fail_msg("%s: %s", text_of(one, "name"), cs_err_name(err));
	if (!json_is_true(json_object_get(one, "makes")))
		return;
	struct cmt_evidence made = {.kind = CMT_LIGHT_ATTACK};
	assert_ok(cmt_light_attack_make(&made.light_attack, &e.light_attack.conflicting, &trusted,
					&true_common, test_arena()));
	assert_int_equal(made.light_attack.byzantine_count, i64_at(one, "guilty"));
	check_bytes(one, &made);
}

static void test_generated_attacks(void **state)
{
	(void)state;
	json_t *one;
	size_t i;
	json_array_foreach(generated("attacks"), i, one) check_attack(one);
}

static void test_attacks_refused(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 4, 10), strangers = made_set(60, 4, 10);
	struct cmt_light_block common = made_block(3, &set, &set);
	struct cmt_light_block trusted = made_block(7, &set, &set);
	struct cmt_light_block forged = made_block(7, &strangers, &strangers);
	struct cmt_light_attack e;
	/* Nobody of the common set signed it: no attack, and nobody to blame. */
	assert_ok(cmt_light_attack_make(&e, &forged, &trusted, &common, test_arena()));
	assert_int_equal(e.byzantine_count, 0);
	assert_says("too-few-seals",
		    cmt_light_attack_verify(&e, &common.header, &set, &trusted.header,
					    &trusted.commit, test_arena(), NULL));
	forged = made_block(7, &set, &set);
	assert_ok(cmt_header_set_app_hash(&forged.header, cs_bytes_str("forged")));
	made_seal(&forged);
	assert_ok(cmt_light_attack_make(&e, &forged, &trusted, &common, test_arena()));
	assert_int_equal(e.byzantine_count, 4);
	assert_ok(cmt_light_attack_verify(&e, &common.header, &set, &trusted.header,
					  &trusted.commit, test_arena(), NULL));
	/* A guilty one's key exchanged for another's: an application would punish the other. */
	e.byzantine[1].key = strangers.list[0].key;
	assert_says("invalid", cmt_light_attack_verify(&e, &common.header, &set, &trusted.header,
						       &trusted.commit, test_arena(), NULL));
	assert_ok(cmt_light_attack_make(&e, &forged, &trusted, &common, test_arena()));
	e.time.s++;
	assert_says("invalid", cmt_light_attack_verify(&e, &common.header, &set, &trusted.header,
						       &trusted.commit, test_arena(), NULL));
	e.time.s--;
	e.conflicting.commit.sigs[3].signature.b[0] ^= 1;
	assert_says("bad-seal", cmt_light_attack_verify(&e, &common.header, &set, &trusted.header,
							&trusted.commit, test_arena(), NULL));
	/* Lunatic at the height in common: the chain's own set would have had to sign it there. */
	struct cmt_light_block at_seven = made_block(7, &set, &set);
	e.conflicting.commit.sigs[3].signature.b[0] ^= 1;
	e.common_height = 7;
	e.time = at_seven.header.time;
	assert_says("invalid", cmt_light_attack_verify(&e, &at_seven.header, &set, &trusted.header,
						       &trusted.commit, test_arena(), NULL));
}

/* Two commits of one round, and one signature too many on the second that its signer never made:
 * whoever is named must have signed. */
static void test_every_named_one_signed(void **state)
{
	(void)state;
	struct cmt_validator_set set = made_set(1, 4, 10);
	struct cmt_light_block common = made_block(3, &set, &set);
	struct cmt_light_block trusted = made_block(7, &set, &set), twin = trusted;
	struct cs_hash other = cs_sha256(cs_bytes_str("other transactions"));
	struct cmt_light_attack e;
	twin.header.data_hash = cmt_hash_of(&other);
	made_seal(&twin);
	assert_ok(cmt_light_attack_make(&e, &twin, &trusted, &common, test_arena()));
	assert_int_equal(e.common_height, 7);
	assert_int_equal(e.byzantine_count, 4);
	assert_ok(cmt_light_attack_verify(&e, &trusted.header, &set, &trusted.header,
					  &trusted.commit, test_arena(), NULL));
	twin.commit.sigs[3].signature.b[0] ^= 1;
	assert_says("bad-seal", cmt_light_attack_verify(&e, &trusted.header, &set, &trusted.header,
							&trusted.commit, test_arena(), NULL));
}

static void test_form(void **state)
{
	(void)state;
	json_t *lunatic = json_array_get(generated("attacks"), 0);
	struct cmt_evidence e = evidence_from(lunatic), read;
	struct cs_bytes bytes = hex_at(lunatic, "encoded");
	size_t mark = cs_arena_mark(test_arena());
	for (size_t n = 0; n < bytes.n; n++) {
		assert_true(cmt_evidence_decode(&read, cs_bytes(bytes.p, n), test_arena(), NULL) !=
			    CS_OK);
		cs_arena_rewind(test_arena(), mark);
	}
	struct cmt_evidence bad = e;
	bad.light_attack.common_height = bad.light_attack.conflicting.header.height + 1;
	assert_says("invalid", cmt_evidence_check(&bad, NULL));
	bad = e;
	bad.light_attack.common_height = 0;
	assert_says("invalid", cmt_evidence_check(&bad, NULL));
	bad = e;
	bad.light_attack.power_total = 0;
	assert_says("invalid", cmt_evidence_check(&bad, NULL));
	bad = e;
	bad.light_attack.conflicting.header.block_protocol = 10;
	assert_says("unsupported", cmt_evidence_check(&bad, NULL));
	bad = e;
	bad.light_attack.time.ns = CS_PB_TIME_NS_MAX + 1;
	assert_says("invalid", cmt_evidence_check(&bad, NULL));
	bad = e;
	bad.light_attack.conflicting.validators.list[0].power++;
	assert_says("bad-signer-set", cmt_evidence_check(&bad, NULL));
	bad.light_attack.conflicting.validators.list[0].power--;
	bad.kind = (enum cmt_evidence_kind)3;
	assert_says("unsupported", cmt_evidence_check(&bad, NULL));
	struct cs_buf buf = test_buf(64);
	cs_pb_put_element(&buf, 3, CS_BYTES_NONE);
	assert_says("unknown-field",
		    cmt_evidence_decode(&read, cs_buf_view(&buf), test_arena(), NULL));
	struct cs_arena small;
	cs_arena_init(&small, keep(64), 64);
	assert_says("no-memory", cmt_evidence_decode(&read, bytes, &small, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated_votes),
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_made_votes),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_generated_attacks),
		cmocka_unit_test(test_attacks_refused),
		cmocka_unit_test(test_every_named_one_signed),
		cmocka_unit_test(test_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
