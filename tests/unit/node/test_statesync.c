/* State sync beside peers that lie, stay silent and go away, and under every answer of the
 * application. */
#include "tests/unit/node/syncing.h"

/* The newest snapshot is of height 12, and no header of height 13 is there: 8 it is. */
static void test_the_newest_that_the_chain_proves(void **state)
{
	struct scene *s = *state;
	run_to(s, 8);
	assert_int_equal(s->offers, 1);
}

/* `count` of three lie, each in turn; it must come to a lie. */
static void with_lie(enum lie lie, unsigned count)
{
	unsigned lies = 0;
	for (unsigned first = 0; first < SERVERS; first++) {
		void *state = NULL;
		(void)set_up(&state);
		struct scene *s = state;
		for (unsigned i = 0; i < count; i++)
			s->servers[(first + i) % SERVERS].lie = lie;
		run_to(s, 8);
		for (unsigned i = 0; i < SERVERS; i++)
			lies += s->servers[i].lies;
		(void)tear_down(&state);
	}
	assert_true(lies > 0);
}

static void test_lying_chunks(void **state)
{
	(void)state;
	with_lie(LIE_CHUNK, 2);
}

static void test_missing_chunks(void **state)
{
	(void)state;
	with_lie(LIE_NO_CHUNK, 2);
}

static void test_silence(void **state)
{
	(void)state;
	with_lie(LIE_SILENT, 1);
}

static void test_a_peer_that_goes_away_half_way(void **state)
{
	(void)state;
	with_lie(LIE_AWAY, 1);
}

static void test_a_lying_light_block(void **state)
{
	(void)state;
	with_lie(LIE_LIGHT, 1);
}

static void test_another_anchor_at_some(void **state)
{
	(void)state;
	with_lie(LIE_ANCHOR, 2);
}

static void test_no_light_blocks_at_some(void **state)
{
	(void)state;
	with_lie(LIE_NO_LIGHT, 2);
}

static void test_other_priorities(void **state)
{
	(void)state;
	with_lie(LIE_STATE, 1);
}

static void test_a_lying_block(void **state)
{
	(void)state;
	with_lie(LIE_BLOCK, 1);
}

static void test_a_format_that_nobody_reads(void **state)
{
	(void)state;
	with_lie(LIE_FORMAT, 1);
}

static void test_rubbish(void **state)
{
	(void)state;
	with_lie(LIE_RUBBISH, 1);
}

/* A snapshot of height 10 whose content has another application hash than the chain. */
static void test_a_lying_app_hash(void **state)
{
	struct scene *s = *state;
	s->servers[0].lie = LIE_CONTENT;
	run_to(s, 8);
	assert_int_equal(s->offers, 2);
}

static bool is_stuck(void *context)
{
	struct scene *s = context;
	(void)is_over(s);
	return s->is_done || s->offers > 0;
}

/* Nothing reaches the application that the chain does not prove. */
static void stays(struct scene *s, enum lie lie, unsigned count)
{
	s->options.request_ms = 100;
	for (unsigned i = 0; i < count; i++)
		s->servers[i].lie = lie;
	begin(s);
	assert_err(host_loop_run_until(s->loop, is_stuck, s, 3000), CS_ERR_TIMEOUT);
	assert_int_equal(s->target.store->height, 0);
}

static void test_no_light_block_at_all(void **state)
{
	stays(*state, LIE_NO_LIGHT, 3);
}

static void test_states_that_are_not_the_headers(void **state)
{
	stays(*state, LIE_STATE_HASH, 3);
}

static void test_one_validator_is_not_enough(void **state)
{
	struct scene *s = *state;
	s->servers[0].is_gone = s->servers[1].is_gone = true;
	stays(s, HONEST, 0);
}

static void test_a_wrong_trust_hash(void **state)
{
	struct scene *s = *state;
	s->options.trust_hash.b[0] ^= 1;
	run_fails(s, CS_ERR_ANCHOR_MISMATCH, "trust_hash");
	assert_int_equal(s->offers, 0);
}

static void test_a_trusted_block_that_is_too_old(void **state)
{
	struct scene *s = *state;
	s->options.trust_period_s = 3600;
	run_fails(s, CS_ERR_ANCHOR_TOO_OLD, "trust_period");
}

static void test_another_chain(void **state)
{
	struct scene *s = *state;
	/* The peers were told the same name: only the header knows better. */
	assert_ok(cmt_chain_id_set(&s->genesis.chain_id, cs_bytes_str("bal")));
	run_fails(s, CS_ERR_WRONG_CHAIN, "another chain");
}

static void test_the_trusted_height_is_the_header_itself(void **state)
{
	struct scene *s = *state;
	s->options.trust_height = 9;
	s->options.trust_hash = s->heights[9].hash;
	run_to(s, 8);
}

static void test_snapshots_below_the_trusted_height_are_not_taken(void **state)
{
	struct scene *s = *state;
	s->options.trust_height = 10;
	s->options.trust_hash = s->heights[10].hash;
	stays(s, HONEST, 0);
}

/* ---- what the application says ---- */

static void test_offer_abort(void **state)
{
	struct scene *s = *state;
	s->offer_result = ABCI_OFFER_ABORT;
	run_fails(s, CS_ERR_APPLICATION, "ends state sync");
}

static void test_offer_reject(void **state)
{
	struct scene *s = *state;
	s->offer_result = ABCI_OFFER_REJECT;
	run_to(s, 4);
}

static void test_offer_reject_format(void **state)
{
	struct scene *s = *state;
	s->servers[0].lie = LIE_FORMAT;
	s->offer_result = ABCI_OFFER_REJECT_FORMAT; /* of format 7, which is tried first */
	run_to(s, 8);
	assert_int_equal(s->offers, 2);
}

/* Everybody who had it is refused; the one with other snapshots is left, and is too little. */
static void test_offer_reject_sender(void **state)
{
	struct scene *s = *state;
	s->servers[0].lie = LIE_FORMAT;
	s->offer_result = ABCI_OFFER_REJECT_SENDER;
	run_to(s, 8);
	assert_int_equal(s->offers, 2);
}

static void test_apply_abort(void **state)
{
	struct scene *s = *state;
	s->apply_result = ABCI_APPLY_ABORT;
	run_fails(s, CS_ERR_APPLICATION, "ends state sync");
}

static void test_apply_retry(void **state)
{
	struct scene *s = *state;
	unsigned before = s->applies;
	s->apply_result = ABCI_APPLY_RETRY;
	run_to(s, 8);
	assert_int_equal(s->applies - before, 5); /* four chunks, one of them twice */
	assert_int_equal(s->offers, 1);
}

static void test_apply_retry_snapshot(void **state)
{
	struct scene *s = *state;
	s->apply_result = ABCI_APPLY_RETRY_SNAPSHOT;
	run_to(s, 8);
	assert_int_equal(s->offers, 2);
}

static void test_apply_reject_snapshot(void **state)
{
	struct scene *s = *state;
	s->apply_result = ABCI_APPLY_REJECT_SNAPSHOT;
	run_to(s, 4);
}

static void test_answers_that_there_are_not(void **state)
{
	struct scene *s = *state;
	s->apply_result = (enum abci_apply_chunk_result)77;
	run_fails(s, CS_ERR_APPLICATION, "ApplySnapshotChunk");
}

static void test_info_tells_another_height(void **state)
{
	struct scene *s = *state;
	s->info_height = 7;
	run_fails(s, CS_ERR_APPLICATION, "tells 7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_newest_that_the_chain_proves, set_up,
						tear_down),
		cmocka_unit_test(test_lying_chunks),
		cmocka_unit_test(test_missing_chunks),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_a_peer_that_goes_away_half_way),
		cmocka_unit_test(test_a_lying_light_block),
		cmocka_unit_test(test_another_anchor_at_some),
		cmocka_unit_test(test_no_light_blocks_at_some),
		cmocka_unit_test(test_other_priorities),
		cmocka_unit_test(test_a_lying_block),
		cmocka_unit_test(test_a_format_that_nobody_reads),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test_setup_teardown(test_a_lying_app_hash, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_light_block_at_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_states_that_are_not_the_headers, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_one_validator_is_not_enough, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_wrong_trust_hash, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_trusted_block_that_is_too_old, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_another_chain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_trusted_height_is_the_header_itself,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_snapshots_below_the_trusted_height_are_not_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_offer_abort, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_offer_reject, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_offer_reject_format, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_offer_reject_sender, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_apply_abort, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_apply_retry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_apply_retry_snapshot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_apply_reject_snapshot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_answers_that_there_are_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_info_tells_another_height, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
