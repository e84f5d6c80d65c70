/* A block against the state: what CometBFT's validateBlock asks, one wrong field at a time; what a
 * block makes of the state. */
#include "tests/unit/bft/lab.h"

struct chain {
	struct lab *lab;
	struct bft_state state; /* after block 1 */
	struct cmt_block_id id1;
	struct cmt_commit_sig sigs[LAB_KEYS];
	struct cmt_commit commit1;
	struct cs_address proposer;
};

static struct cmt_commit commit_of(struct chain *c, unsigned signers)
{
	struct cmt_commit commit = {1, 0, c->id1, c->sigs, LAB_KEYS};
	struct lab_block b = {.id = c->id1};
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		struct cmt_vote vote = lab_make_vote(c->lab, i, CMT_PRECOMMIT, 0, &b);
		c->sigs[i] = cmt_commit_sig_of(i < signers ? &vote : NULL);
		c->lab->now_ns += 1000;
	}
	return commit;
}

static void begin(struct chain *c)
{
	static const struct cs_hash app = {{42}};
	struct cmt_header header;
	struct cmt_commit none = {0};
	memset(c, 0, sizeof *c);
	c->lab = lab_make(0, 0);
	c->proposer = cmt_address(&c->lab->key[1]);
	struct lab_block b = lab_make_block(c->lab, 1, "one");
	struct bft_finalized finalized = {.app_hash = CS_BYTES_OF(app.b)};
	c->id1 = b.id;
	bft_state_init(&c->state);
	bft_state_copy(&c->state, &c->lab->state);
	assert_int_equal(bft_state_header(&header, &c->state, &none, &c->proposer), CS_OK);
	assert_int_equal(
		bft_state_apply(&c->state, &b.id, &header, &finalized, &c->lab->scratch, NULL),
		CS_OK);
	c->commit1 = commit_of(c, 4);
}

/* Block 2, right in everything. */
static struct cmt_block block2(struct chain *c)
{
	struct cmt_block block = {.last_commit = c->commit1};
	assert_int_equal(bft_state_header(&block.header, &c->state, &c->commit1, &c->proposer),
			 CS_OK);
	assert_int_equal(cmt_block_fill_hashes(&block, &c->lab->scratch), CS_OK);
	return block;
}

static enum cs_err validate(struct chain *c, const struct cmt_block *block)
{
	return bft_state_validate(&c->state, block, NULL, &c->lab->scratch, NULL);
}

static void the_right_block_passes(void **unused)
{
	(void)unused;
	struct chain c;
	begin(&c);
	struct cmt_block block = block2(&c);
	assert_int_equal(validate(&c, &block), CS_OK);
	assert_int_equal(block.header.height, 2);
	lab_end(c.lab);
}

static void every_wrong_field_is_refused(void **unused)
{
	(void)unused;
	struct chain c;
	struct cmt_hash other = {.some = true, .hash = {{9}}};
	begin(&c);
	const struct cmt_block good = block2(&c);
	struct cmt_block block = good;
	block.header.app_version++;
	assert_int_equal(validate(&c, &block), CS_ERR_INVALID);
	block = good;
	block.header.height = 3;
	assert_int_equal(validate(&c, &block), CS_ERR_INVALID);
	block = good;
	assert_int_equal(cmt_chain_id_set(&block.header.chain_id, cs_bytes_str("other")), CS_OK);
	assert_int_equal(validate(&c, &block), CS_ERR_ANCHOR_MISMATCH);
	block = good;
	block.header.last_block_id.hash = other;
	assert_int_equal(validate(&c, &block), CS_ERR_UNLINKED);
	struct cmt_hash *hashes[] = {&block.header.validators_hash,
				     &block.header.next_validators_hash,
				     &block.header.consensus_hash, &block.header.last_results_hash};
	for (size_t i = 0; i < CS_LEN(hashes); i++) {
		block = good;
		*hashes[i] = other;
		assert_int_equal(validate(&c, &block), CS_ERR_BAD_PROOF);
	}
	block = good;
	block.header.app_hash.b[0] ^= 1;
	assert_int_equal(validate(&c, &block), CS_ERR_BAD_PROOF);
	block = good;
	block.header.proposer.b[0] ^= 1;
	assert_int_equal(validate(&c, &block), CS_ERR_WRONG_KEY);
	block = good;
	block.header.time.ns ^= 1;
	assert_int_equal(validate(&c, &block), CS_ERR_BAD_TIME);
	block = good;
	block.header.time = bft_time_pb(LAB_NOW);
	assert_int_equal(validate(&c, &block), CS_ERR_BAD_TIME);
	assert_int_equal(validate(&c, &good), CS_OK);
	lab_end(c.lab);
}

static void the_last_commit_is_verified(void **unused)
{
	(void)unused;
	struct chain c;
	begin(&c);
	/* Two of four. */
	c.commit1 = commit_of(&c, 2);
	struct cmt_block block = block2(&c);
	assert_int_equal(validate(&c, &block), CS_ERR_TOO_FEW_SEALS);
	/* Three are enough, and a broken signature is not. */
	c.commit1 = commit_of(&c, 3);
	block = block2(&c);
	assert_int_equal(validate(&c, &block), CS_OK);
	c.sigs[1].signature.b[0] ^= 1;
	assert_int_equal(validate(&c, &block), CS_ERR_BAD_SEAL);
	/* Another round than was signed, another height, one validator's vote in two places. */
	c.commit1 = commit_of(&c, 4);
	block = block2(&c);
	block.last_commit.round = 1;
	assert_int_equal(validate(&c, &block), CS_ERR_BAD_SEAL);
	block = block2(&c);
	block.last_commit.height = 2;
	assert_int_equal(validate(&c, &block), CS_ERR_WRONG_BLOCK);
	c.sigs[2] = c.sigs[1];
	block = block2(&c);
	assert_int_equal(validate(&c, &block), CS_ERR_FOREIGN_SEAL);
	lab_end(c.lab);
}

/* Three votes of equal power are a commit, and their median is the earliest: whoever signs a time
 * that is long past must not end the chain. */
static void a_vote_from_the_past_does_not_stop_time(void **unused)
{
	(void)unused;
	struct chain c;
	struct cmt_vote late;
	begin(&c);
	c.commit1 = commit_of(&c, 3);
	c.lab->now_ns = 1;
	struct lab_block b = {.id = c.id1};
	late = lab_make_vote(c.lab, 2, CMT_PRECOMMIT, 0, &b);
	c.sigs[2] = cmt_commit_sig_of(&late);
	struct cmt_block block = block2(&c);
	assert_int_equal(validate(&c, &block), CS_OK);
	assert_true(cs_pb_time_cmp(block.header.time, bft_time_pb(LAB_NOW + BFT_TIME_IOTA_NS)) ==
		    0);
	/* Neither its own time nor another that is later. */
	block.header.time = late.time;
	assert_int_equal(validate(&c, &block), CS_ERR_BAD_TIME);
	block.header.time = bft_time_pb(LAB_NOW + BFT_TIME_IOTA_NS + 1);
	assert_int_equal(validate(&c, &block), CS_ERR_BAD_TIME);
	lab_end(c.lab);
}

/* What came before as votes is not verified again: a forged signature that is known passes, which an
 * engine never has; one that is not the known one does not. */
static void what_is_known_is_not_verified_again(void **unused)
{
	(void)unused;
	struct chain c;
	struct bft_votes known;
	static uint8_t extensions[BFT_VOTES_EXTENSIONS_SIZE];
	const struct cmt_vote *other;
	begin(&c);
	struct cmt_block block = block2(&c);
	known.extensions = extensions;
	bft_votes_reset(&known, c.commit1.round, CMT_PRECOMMIT);
	c.sigs[1].signature.b[0] ^= 1;
	for (size_t i = 0; i < 4; i++) {
		struct cmt_vote vote = cmt_commit_vote(&c.commit1, i);
		(void)bft_votes_add(&known, &c.state.last.set, &vote, true, &other);
		enum cs_err err =
			bft_state_validate(&c.state, &block, &known, &c.lab->scratch, NULL);
		/* The forged one is the second; those that are not known are verified. */
		assert_int_equal(err, i < 1 ? CS_ERR_BAD_SEAL : CS_OK);
	}
	const struct cmt_commit_sig good = c.sigs[2];
	c.sigs[2].signature.b[5] ^= 1;
	assert_int_not_equal(bft_state_validate(&c.state, &block, &known, &c.lab->scratch, NULL),
			     CS_OK);
	c.sigs[2] = good;
	c.sigs[2].time.ns ^= 1;
	assert_int_not_equal(bft_state_validate(&c.state, &block, &known, &c.lab->scratch, NULL),
			     CS_OK);
	/* Two of four are too few, known or not. */
	c.sigs[2] = c.sigs[3] = CMT_SIG_ABSENT;
	block = block2(&c);
	assert_int_not_equal(bft_state_validate(&c.state, &block, &known, &c.lab->scratch, NULL),
			     CS_OK);
	lab_end(c.lab);
}

/* A commit has a place for everybody of its set, however well its signatures are known. */
static void a_known_commit_has_as_many_places_as_the_set(void **unused)
{
	(void)unused;
	struct chain c;
	struct bft_votes known;
	struct cmt_commit_sig sigs[LAB_KEYS + 1];
	const struct cmt_vote *other;
	static uint8_t extensions[BFT_VOTES_EXTENSIONS_SIZE];
	begin(&c);
	known.extensions = extensions;
	bft_votes_reset(&known, c.commit1.round, CMT_PRECOMMIT);
	for (size_t i = 0; i < LAB_KEYS; i++) {
		struct cmt_vote vote = cmt_commit_vote(&c.commit1, i);
		(void)bft_votes_add(&known, &c.state.last.set, &vote, true, &other);
	}
	memcpy(sigs, c.sigs, sizeof c.sigs);
	sigs[LAB_KEYS] = CMT_SIG_ABSENT;
	for (size_t count = LAB_KEYS - 1; count <= LAB_KEYS + 1; count++) {
		struct cmt_block block = block2(&c);
		block.last_commit.sigs = sigs;
		block.last_commit.count = count;
		enum cs_err err =
			bft_state_validate(&c.state, &block, &known, &c.lab->scratch, NULL);
		assert_int_equal(err == CS_OK, count == LAB_KEYS);
	}
	lab_end(c.lab);
}

/* Evidence in a block takes no more than the parameters leave it. */
static void too_much_evidence_is_refused(void **unused)
{
	(void)unused;
	struct chain c;
	struct cmt_evidence evidence = {.kind = CMT_DUPLICATE_VOTE};
	begin(&c);
	struct cmt_block block = block2(&c);
	struct lab_block b = {.id = c.id1};
	struct cmt_vote one = lab_make_vote(c.lab, 2, CMT_PREVOTE, 0, &b);
	struct cmt_vote two = lab_make_vote(c.lab, 2, CMT_PREVOTE, 0, NULL);
	assert_int_equal(cmt_duplicate_vote_make(&evidence.duplicate_vote, &one, &two,
						 &c.state.last.set, c.state.last_time),
			 CS_OK);
	block.evidence = &evidence;
	block.evidence_count = 1;
	struct cs_buf buf;
	uint8_t bytes[1024];
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_evidence_encode(&buf, &evidence);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	/* With its tag and a length of two bytes. */
	c.state.params.evidence_size_max = (int64_t)buf.n + 3;
	assert_int_equal(validate(&c, &block), CS_OK);
	c.state.params.evidence_size_max--;
	assert_int_equal(validate(&c, &block), CS_ERR_TOO_LARGE);
	lab_end(c.lab);
}

static void a_genesis_without_validators_is_refused(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	const struct cmt_validator one = lab->state.now.set.list[0];
	struct bft_genesis g = {.chain_id = cs_bytes_str("none"),
				.initial_height = 1,
				.time = lab->state.last_time,
				.params = lab->state.params,
				.validators = &one,
				.count = 1};
	struct bft_state state;
	bft_state_init(&state);
	assert_int_equal(bft_state_genesis(&state, &g, &lab->scratch, NULL), CS_OK);
	g.count = 0;
	assert_int_equal(bft_state_genesis(&state, &g, &lab->scratch, NULL), CS_ERR_INVALID);
	assert_int_equal(state.now.set.count, 1);
	lab_end(lab);
}

/* A chain whose blocks would not even hold what each must: no first proposal is ever made. */
static void blocks_that_hold_nothing_are_refused(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	struct cs_why why = {{0}};
	struct bft_genesis g = {.chain_id = cs_bytes_str("none"),
				.initial_height = 1,
				.time = lab->state.last_time,
				.params = lab->state.params,
				.validators = lab->state.now.set.list,
				.count = LAB_KEYS};
	struct bft_state state;
	bft_state_init(&state);
	g.params.evidence_size_max = 0;
	g.params.block_size_max = (int64_t)bft_block_size_min(LAB_KEYS) - 1;
	assert_int_equal(bft_state_genesis(&state, &g, &lab->scratch, &why), CS_ERR_INVALID);
	assert_non_null(strstr(why.text, "block.max_bytes"));
	assert_int_equal(state.now.set.count, 0);
	g.count = 1;
	assert_int_equal(bft_state_genesis(&state, &g, &lab->scratch, NULL), CS_OK);
	g.count = LAB_KEYS;
	g.params.block_size_max++;
	assert_int_equal(bft_state_genesis(&state, &g, &lab->scratch, NULL), CS_OK);
	g.params.block_size_max = -1;
	assert_int_equal(bft_state_genesis(&state, &g, &lab->scratch, NULL), CS_OK);
	lab_end(lab);
}

/* The first block has the genesis time and an empty commit. */
static void the_first_block_is_special(void **unused)
{
	(void)unused;
	struct chain c;
	begin(&c);
	struct cmt_block block = {0};
	assert_int_equal(
		bft_state_header(&block.header, &c.lab->state, &block.last_commit, &c.proposer),
		CS_OK);
	struct bft_state *genesis = &c.lab->state;
	assert_int_equal(bft_state_validate(genesis, &block, NULL, &c.lab->scratch, NULL), CS_OK);
	block.header.time.s++;
	assert_int_equal(bft_state_validate(genesis, &block, NULL, &c.lab->scratch, NULL),
			 CS_ERR_BAD_TIME);
	block.header.time.s--;
	block.last_commit = c.commit1;
	assert_int_equal(bft_state_validate(genesis, &block, NULL, &c.lab->scratch, NULL),
			 CS_ERR_INVALID);
	lab_end(c.lab);
}

/* Decided at 2, in force at 4: next after 2, now after 3. */
static void changes_are_in_force_two_heights_later(void **unused)
{
	(void)unused;
	struct chain c;
	begin(&c);
	struct cmt_block block = block2(&c);
	struct cmt_validator update = cmt_validator_of(&c.lab->key[3], 7);
	struct bft_finalized with = {.updates = &update, .updates_count = 1}, without = {0};
	struct cmt_block_id id2 = c.id1;
	assert_int_equal(
		bft_state_apply(&c.state, &id2, &block.header, &with, &c.lab->scratch, NULL),
		CS_OK);
	assert_int_equal(c.state.now.set.power, 4);
	assert_int_equal(c.state.next.set.power, 10);
	assert_int_equal(c.state.validators_changed, 4);
	block.header.height = 3;
	assert_int_equal(
		bft_state_apply(&c.state, &id2, &block.header, &without, &c.lab->scratch, NULL),
		CS_OK);
	assert_int_equal(c.state.now.set.power, 10);
	assert_int_equal(c.state.last.set.power, 4);
	lab_end(c.lab);
}

/* An answer that makes no state leaves the state alone. */
static void bad_answers_are_refused(void **unused)
{
	(void)unused;
	static uint8_t long_hash[CMT_APP_HASH_SIZE_MAX + 1];
	static uint8_t before[BFT_STATE_SIZE_MAX], after[BFT_STATE_SIZE_MAX];
	struct chain c;
	struct cs_buf a, b;
	begin(&c);
	struct cmt_block block = block2(&c);
	struct cmt_validator none[LAB_KEYS];
	struct cmt_params params = c.state.params;
	for (unsigned i = 0; i < LAB_KEYS; i++)
		none[i] = cmt_validator_of(&c.lab->key[i], 0);
	params.block_size_max = 0;
	struct bft_finalized answers[] = {{.app_hash = CS_BYTES_OF(long_hash)},
					  {.updates = none, .updates_count = LAB_KEYS},
					  {.params = &params}};
	cs_buf_init(&a, before, sizeof before);
	bft_state_encode(&a, &c.state);
	for (size_t i = 0; i < CS_LEN(answers); i++) {
		assert_int_not_equal(bft_state_apply(&c.state, &c.id1, &block.header, &answers[i],
						     &c.lab->scratch, NULL),
				     CS_OK);
		cs_buf_init(&b, after, sizeof after);
		bft_state_encode(&b, &c.state);
		assert_true(cs_bytes_eq(cs_buf_view(&a), cs_buf_view(&b)));
	}
	lab_end(c.lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_block_passes),
		cmocka_unit_test(every_wrong_field_is_refused),
		cmocka_unit_test(the_last_commit_is_verified),
		cmocka_unit_test(a_vote_from_the_past_does_not_stop_time),
		cmocka_unit_test(what_is_known_is_not_verified_again),
		cmocka_unit_test(a_known_commit_has_as_many_places_as_the_set),
		cmocka_unit_test(too_much_evidence_is_refused),
		cmocka_unit_test(the_first_block_is_special),
		cmocka_unit_test(a_genesis_without_validators_is_refused),
		cmocka_unit_test(blocks_that_hold_nothing_are_refused),
		cmocka_unit_test(changes_are_in_force_two_heights_later),
		cmocka_unit_test(bad_answers_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
