/* Attacks on light clients, as evidence: what an engine takes, of which height, by whose set, and
 * whom it names; and what it refuses. */
#include "tests/unit/bft/past.h"

static enum cs_err judge(struct past *past, const struct cmt_evidence *e, bool *is_false)
{
	struct bft_history history = past_history(past);
	assert_int_equal(cmt_evidence_check(e, NULL), CS_OK);
	return bft_evidence_check(e, is_false, &past->state, &history, &past->scratch, NULL);
}

static void refused(struct past *past, const struct cmt_evidence *e, enum cs_err err, bool is_false)
{
	bool found = !is_false;
	assert_int_equal(judge(past, e, &found), err);
	assert_int_equal(found, is_false);
}

static void good(struct past *past, const struct cmt_evidence *e)
{
	bool is_false = true;
	assert_int_equal(judge(past, e, &is_false), CS_OK);
	assert_false(is_false);
}

static bool names(const struct cmt_evidence *e, uint32_t key)
{
	struct cs_ed25519_key public = key_of(key);
	for (size_t i = 0; i < e->light_attack.byzantine_count; i++)
		if (memcmp(e->light_attack.byzantine[i].key.b, public.b, sizeof public.b) == 0)
			return true;
	return false;
}

/* ---- what is one ---- */

static void lunatic(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_lunatic(6, 2, 2);
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	good(&past, &e);
	assert_int_equal(e.light_attack.byzantine_count, 2);
	assert_true(names(&e, 2) && names(&e, 3) && !names(&e, 1) && !names(&e, 4));
	free(past.scratch.block);
}

static void equivocation(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_twin(&past, 6, 0);
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	good(&past, &e);
	assert_int_equal(e.light_attack.common_height, 6);
	assert_int_equal(e.light_attack.byzantine_count, 3);
	free(past.scratch.block);
}

/* Two rounds: an attack, and nobody whom it names. */
static void amnesia(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_twin(&past, 6, 1);
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	good(&past, &e);
	assert_int_equal(e.light_attack.byzantine_count, 0);
	/* Naming one for it is a lie. */
	e.light_attack.byzantine = past.set.list;
	e.light_attack.byzantine_count = 1;
	refused(&past, &e, CS_ERR_INVALID, false);
	free(past.scratch.block);
}

/* A height that the chain has not reached, at a time that it has passed. */
static void forward_lunatic(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_lunatic(40, 1, 2);
	block.header.time = past.blocks[PAST_HEIGHT - 3].header.time;
	made_seal(&block);
	struct cmt_evidence e = past_attack(&past, &block, PAST_HEIGHT - 2, 3);
	good(&past, &e);
	assert_int_equal(e.light_attack.byzantine_count, 2);
	/* A time that is still to come proves nothing. */
	block.header.time = past.blocks[PAST_HEIGHT].header.time;
	made_seal(&block);
	e = past_attack(&past, &block, PAST_HEIGHT - 2, 3);
	refused(&past, &e, CS_ERR_INVALID, false);
	free(past.scratch.block);
}

/* ---- what is none ---- */

static void numbers_that_were_not_so(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_lunatic(6, 2, 2);
	struct cmt_evidence right = past_attack(&past, &block, 6, 3), e = right;
	e.light_attack.power_total++;
	refused(&past, &e, CS_ERR_INVALID, false);
	e = right;
	e.light_attack.time.ns++;
	refused(&past, &e, CS_ERR_INVALID, false);
	e = right;
	e.light_attack.common_height = 4;
	refused(&past, &e, CS_ERR_INVALID, false);
	e = right;
	e.light_attack.byzantine_count = 1;
	refused(&past, &e, CS_ERR_INVALID, false);
	struct cmt_validator turned[2] = {right.light_attack.byzantine[1],
					  right.light_attack.byzantine[0]};
	e = right;
	e.light_attack.byzantine = turned;
	refused(&past, &e, CS_ERR_INVALID, false);
	struct cmt_validator powers[2] = {right.light_attack.byzantine[0],
					  right.light_attack.byzantine[1]};
	powers[0].power++;
	e.light_attack.byzantine = powers;
	refused(&past, &e, CS_ERR_INVALID, false);
	free(past.scratch.block);
}

static void the_chains_own_block(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_evidence e = past_attack(&past, &past.blocks[6], 6, 6);
	refused(&past, &e, CS_ERR_INVALID, false);
	free(past.scratch.block);
}

/* A third of the common set must have signed; one of four and any number of strangers have not. */
static void below_the_trust(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_lunatic(6, 4, 5);
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	assert_int_equal(e.light_attack.byzantine_count, 1);
	refused(&past, &e, CS_ERR_TOO_FEW_SEALS, true);
	free(past.scratch.block);
}

static void signatures_that_are_none(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_lunatic(6, 2, 2);
	block.commit.sigs[1].signature.b[7] ^= 1;
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	refused(&past, &e, CS_ERR_BAD_SEAL, true);
	block = past_twin(&past, 6, 0);
	block.commit.sigs[2].signature.b[7] ^= 1;
	e = past_attack(&past, &block, 6, 6);
	refused(&past, &e, CS_ERR_BAD_SEAL, true);
	free(past.scratch.block);
}

/* Another network of the same validators: their signatures say another chain. */
static void another_chain(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_lunatic(6, 2, 2);
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	assert_int_equal(cmt_chain_id_set(&past.state.chain_id, cs_bytes_str("other")), CS_OK);
	for (int h = 1; h <= PAST_HEIGHT; h++)
		past.blocks[h].header.chain_id = past.state.chain_id;
	refused(&past, &e, CS_ERR_BAD_SEAL, true);
	free(past.scratch.block);
}

/* Not before a block carries the commit that it is compared with: every node must find the same. */
static void heights(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_twin(&past, 8, 0);
	struct cmt_evidence e = past_attack(&past, &block, 8, 8);
	refused(&past, &e, CS_ERR_NOT_FOUND, false);
	past_grow(&past, 9);
	good(&past, &e);
	past_grow(&past, 7);
	refused(&past, &e, CS_ERR_NOT_FOUND, false);
	free(past.scratch.block);
}

static void old_or_carried(void **unused)
{
	(void)unused;
	struct past past;
	past_init(&past);
	struct cmt_light_block block = past_lunatic(6, 2, 2);
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	past.is_committed = true;
	refused(&past, &e, CS_ERR_DUPLICATE, false);
	past.is_committed = false;
	past.state.params.evidence_age_blocks = 4;
	past.state.params.evidence_age_ns = 3000000000;
	refused(&past, &e, CS_ERR_EXPIRED, false);
	/* Both bounds, and not one alone. */
	past.state.params.evidence_age_ns = 3600000000000;
	good(&past, &e);
	free(past.scratch.block);
}

/* ---- the pool ---- */

static struct bft_evidence_pool pool;

static enum cs_err add(struct past *past, struct bft_evidence_added *added,
		       const struct cmt_evidence *e)
{
	static uint8_t memory[256 * 1024];
	struct bft_history history = past_history(past);
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_evidence_encode(&buf, e);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	return bft_evidence_add(&pool, added, cs_buf_view(&buf), &past->state, &history,
				&past->scratch, NULL);
}

/* Once, whatever its signatures are; it costs as much as it has signatures. */
static void the_pool_takes_it_once(void **unused)
{
	(void)unused;
	struct past past;
	struct bft_evidence_added added;
	struct cmt_evidence *list;
	size_t size;
	past_init(&past);
	bft_evidence_init(&pool);
	struct cmt_light_block block = past_twin(&past, 6, 0);
	struct cmt_evidence e = past_attack(&past, &block, 6, 6);
	assert_int_equal(add(&past, &added, &e), CS_OK);
	assert_false(added.is_known);
	assert_int_equal(added.work, 8);
	assert_int_equal(add(&past, &added, &e), CS_OK);
	assert_true(added.is_known);
	assert_int_equal(added.work, 1);
	assert_int_equal(pool.count, 1);
	assert_int_equal(bft_evidence_fit(&size, &pool, 64), 0);
	assert_int_equal(bft_evidence_fit(&size, &pool, 8192), 1);
	assert_true(size > pool.entries[0].size && size <= pool.entries[0].size + 4);
	assert_int_equal(bft_evidence_pick(&list, &pool, 1, &past.scratch), CS_OK);
	assert_int_equal(bft_evidence_check_list(
				 list, 1, &past.state,
				 &(struct bft_history){&past, past_set_at, past_time_at,
						       past_signed_header_at, past_is_committed},
				 &past.scratch, NULL),
			 CS_OK);
	bft_evidence_update(&pool, list, 1, &past.state, &past.scratch);
	assert_int_equal(pool.count + pool.used, 0);
	free(past.scratch.block);
}

/* A set that was filled up with strangers: beyond the bound it is left alone. */
static void an_attack_that_is_too_large(void **unused)
{
	(void)unused;
	struct past past;
	struct bft_evidence_added added;
	past_init(&past);
	bft_evidence_init(&pool);
	struct cmt_light_block block = past_lunatic(6, 2, 400);
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	assert_int_equal(add(&past, &added, &e), CS_ERR_TOO_LARGE);
	assert_true(added.is_false);
	assert_int_equal(added.work, 1);
	assert_int_equal(pool.count, 0);
	free(past.scratch.block);
}

/* Different attacks until the pool is full: what is there stays, in order, and goes one by one. */
static void a_full_pool(void **unused)
{
	(void)unused;
	struct past past;
	struct bft_evidence_added added;
	past_init(&past);
	bft_evidence_init(&pool);
	for (int32_t i = 0; i <= (int32_t)BFT_EVIDENCE_KEPT_MAX; i++) {
		struct cmt_light_block block = past_twin(&past, 6, 0);
		block.header.app_version = (uint64_t)i + 1;
		made_seal(&block);
		struct cmt_evidence e = past_attack(&past, &block, 6, 6);
		assert_int_equal(add(&past, &added, &e),
				 i < (int32_t)BFT_EVIDENCE_KEPT_MAX ? CS_OK : CS_ERR_FULL);
	}
	struct cmt_evidence *list;
	assert_int_equal(bft_evidence_pick(&list, &pool, pool.count, &past.scratch), CS_OK);
	for (size_t i = 0; i < BFT_EVIDENCE_KEPT_MAX; i++)
		assert_int_equal(list[i].light_attack.conflicting.header.app_version, i + 1);
	/* Every second one: the others move together. */
	for (size_t i = 0; i < BFT_EVIDENCE_KEPT_MAX; i += 2)
		bft_evidence_update(&pool, &list[i], 1, &past.state, &past.scratch);
	assert_int_equal(pool.count, BFT_EVIDENCE_KEPT_MAX / 2);
	size_t used = 0;
	for (size_t i = 0; i < pool.count; i++) {
		struct cmt_evidence again;
		assert_int_equal(pool.entries[i].offset, used);
		used += pool.entries[i].size;
		assert_int_equal(cmt_evidence_decode(&again, bft_evidence_bytes(&pool, i),
						     &past.scratch, NULL),
				 CS_OK);
		assert_int_equal(again.light_attack.conflicting.header.app_version, 2 * i + 2);
	}
	assert_int_equal(pool.used, used);
	free(past.scratch.block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lunatic),
		cmocka_unit_test(equivocation),
		cmocka_unit_test(amnesia),
		cmocka_unit_test(forward_lunatic),
		cmocka_unit_test(numbers_that_were_not_so),
		cmocka_unit_test(the_chains_own_block),
		cmocka_unit_test(below_the_trust),
		cmocka_unit_test(signatures_that_are_none),
		cmocka_unit_test(another_chain),
		cmocka_unit_test(heights),
		cmocka_unit_test(old_or_carried),
		cmocka_unit_test(the_pool_takes_it_once),
		cmocka_unit_test(an_attack_that_is_too_large),
		cmocka_unit_test(a_full_pool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
