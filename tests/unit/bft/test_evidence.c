/* Evidence in the pool and in blocks: of which height, how old, once, and nobody by mistake. */
#include "tests/unit/bft/lab.h"

struct world {
	struct lab *lab;
	struct bft_history history;
	bool is_committed;
	enum cs_err missing;
};

static enum cs_err set_at(void *context, const struct cmt_validator_set **set, int64_t height)
{
	struct world *w = context;
	(void)height;
	*set = &w->lab->state.now.set;
	return w->missing;
}

static enum cs_err time_at(void *context, struct cs_pb_time *time, int64_t height)
{
	(void)context, (void)height;
	*time = bft_time_pb(LAB_NOW);
	return CS_OK;
}

static bool is_committed(void *context, const struct cs_hash *hash)
{
	struct world *w = context;
	(void)hash;
	return w->is_committed;
}

/* A chain at height 1, and a validator who prevoted twice there. */
static struct world begin(struct cmt_evidence *evidence)
{
	struct world w = {.lab = lab_make(0, 0)};
	struct bft_state *state = &w.lab->state;
	struct lab_block b = lab_make_block(w.lab, 1, "one");
	struct cmt_vote one = lab_make_vote(w.lab, 2, CMT_PREVOTE, 0, &b);
	struct cmt_vote other = lab_make_vote(w.lab, 2, CMT_PREVOTE, 0, NULL);
	state->last_height = 1;
	state->last_time = bft_time_pb(LAB_NOW);
	assert_int_equal(bft_set_copy(&state->last, &state->now.set), CS_OK);
	evidence->kind = CMT_DUPLICATE_VOTE;
	assert_int_equal(cmt_duplicate_vote_make(&evidence->duplicate_vote, &one, &other,
						 &state->now.set, state->last_time),
			 CS_OK);
	return w;
}

static struct bft_history history_of(struct world *w)
{
	return (struct bft_history){w, set_at, time_at, lab_no_header, is_committed};
}

static enum cs_err check(struct world *w, const struct cmt_evidence *evidence)
{
	struct bft_history history = history_of(w);
	return bft_evidence_check(evidence, NULL, &w->lab->state, &history, &w->lab->scratch, NULL);
}

static void good_evidence_passes_once(void **unused)
{
	(void)unused;
	struct cmt_evidence e[2];
	struct world w = begin(&e[0]);
	struct bft_history history = history_of(&w);
	assert_int_equal(check(&w, &e[0]), CS_OK);
	e[1] = e[0];
	assert_int_equal(
		bft_evidence_check_list(e, 1, &w.lab->state, &history, &w.lab->scratch, NULL),
		CS_OK);
	assert_int_equal(
		bft_evidence_check_list(e, 2, &w.lab->state, &history, &w.lab->scratch, NULL),
		CS_ERR_DUPLICATE);
	w.is_committed = true;
	assert_int_equal(check(&w, &e[0]), CS_ERR_DUPLICATE);
	lab_end(w.lab);
}

static void bad_evidence_is_refused(void **unused)
{
	(void)unused;
	struct cmt_evidence good, e;
	struct world w = begin(&good);
	e = good;
	e.duplicate_vote.b.signature.b[5] ^= 1;
	assert_int_equal(check(&w, &e), CS_ERR_BAD_SEAL);
	e = good;
	e.duplicate_vote.power_total++;
	assert_int_equal(check(&w, &e), CS_ERR_INVALID);
	e = good;
	e.duplicate_vote.time.s++;
	assert_int_equal(check(&w, &e), CS_ERR_INVALID);
	e = good;
	e.duplicate_vote.b = e.duplicate_vote.a;
	assert_int_equal(check(&w, &e), CS_ERR_INVALID);
	e = good;
	e.duplicate_vote.a.height = e.duplicate_vote.b.height = 2;
	assert_int_equal(check(&w, &e), CS_ERR_NOT_FOUND);
	w.missing = CS_ERR_NOT_FOUND;
	assert_int_equal(check(&w, &good), CS_ERR_NOT_FOUND);
	w.missing = CS_OK;
	/* Older than both bounds. */
	w.lab->state.last_height = 2 + w.lab->state.params.evidence_age_blocks;
	w.lab->state.last_time = bft_time_pb(LAB_NOW + w.lab->state.params.evidence_age_ns + 1);
	assert_int_equal(check(&w, &good), CS_ERR_EXPIRED);
	lab_end(w.lab);
}

static void the_pool_keeps_what_no_block_carried(void **unused)
{
	(void)unused;
	static struct bft_evidence_pool pool;
	struct bft_evidence_added added;
	struct cmt_evidence e, *list;
	struct world w = begin(&e);
	struct bft_history history = history_of(&w);
	size_t first, size;
	bft_evidence_init(&pool);
	assert_true(bft_evidence_conflict(&pool, &e.duplicate_vote.a, &e.duplicate_vote.b));
	assert_false(bft_evidence_conflict(&pool, &e.duplicate_vote.b, &e.duplicate_vote.a));
	bft_evidence_ripen(&pool, &first, &w.lab->state, &w.lab->scratch);
	assert_int_equal(first, 0);
	assert_int_equal(pool.count, 1);
	assert_int_equal(bft_evidence_add(&pool, &added, bft_evidence_bytes(&pool, 0),
					  &w.lab->state, &history, &w.lab->scratch, NULL),
			 CS_OK);
	assert_true(added.is_known);
	assert_int_equal(bft_evidence_fit(&size, &pool, 4096), 1);
	assert_int_equal(bft_evidence_fit(&size, &pool, 10), 0);
	assert_int_equal(bft_evidence_pick(&list, &pool, 1, &w.lab->scratch), CS_OK);
	assert_int_equal(list[0].kind, CMT_DUPLICATE_VOTE);
	bft_evidence_update(&pool, &e, 1, &w.lab->state, &w.lab->scratch);
	assert_int_equal(pool.count, 0);
	lab_end(w.lab);
}

/* Votes of the height in work wait for its block; older ones are too late for it. */
static void conflicts_wait_for_their_height(void **unused)
{
	(void)unused;
	static struct bft_evidence_pool pool;
	struct cmt_evidence e;
	struct world w = begin(&e);
	size_t first;
	w.lab->state.last_height = 0;
	bft_evidence_init(&pool);
	assert_true(bft_evidence_conflict(&pool, &e.duplicate_vote.a, &e.duplicate_vote.b));
	bft_evidence_ripen(&pool, &first, &w.lab->state, &w.lab->scratch);
	assert_int_equal(pool.count, 0);
	assert_int_equal(pool.conflict_count, 1);
	w.lab->state.last_height = 1;
	bft_evidence_ripen(&pool, &first, &w.lab->state, &w.lab->scratch);
	assert_int_equal(pool.count, 1);
	assert_int_equal(pool.conflict_count, 0);
	lab_end(w.lab);
}

/* Votes of one validator for two rounds are no evidence: nobody is blamed for them. */
static void votes_of_two_rounds_are_none(void **unused)
{
	(void)unused;
	static struct bft_evidence_pool pool;
	struct cmt_evidence e;
	struct world w = begin(&e);
	size_t first;
	struct cmt_vote later = lab_make_vote(w.lab, 2, CMT_PREVOTE, 1, NULL);
	bft_evidence_init(&pool);
	assert_true(bft_evidence_conflict(&pool, &e.duplicate_vote.a, &later));
	bft_evidence_ripen(&pool, &first, &w.lab->state, &w.lab->scratch);
	assert_int_equal(pool.count, 0);
	lab_end(w.lab);
}

/* Who signs everything twice takes a few places, and the others keep theirs. */
static void one_validator_does_not_fill_the_pool(void **unused)
{
	(void)unused;
	static struct bft_evidence_pool pool;
	struct cmt_evidence e;
	struct world w = begin(&e);
	struct bft_history history = history_of(&w);
	struct lab_block b = {.id = e.duplicate_vote.b.block_id};
	bft_evidence_init(&pool);
	for (int32_t round = 0; round < 20; round++) {
		struct bft_evidence_added added;
		uint8_t memory[1024];
		struct cs_buf buf;
		struct cmt_vote one = lab_make_vote(w.lab, 2, CMT_PREVOTE, round, &b);
		struct cmt_vote other = lab_make_vote(w.lab, 2, CMT_PREVOTE, round, NULL);
		assert_int_equal(cmt_duplicate_vote_make(&e.duplicate_vote, &one, &other,
							 &w.lab->state.now.set,
							 w.lab->state.last_time),
				 CS_OK);
		cs_buf_init(&buf, memory, sizeof memory);
		cmt_evidence_encode(&buf, &e);
		assert_int_equal(bft_evidence_add(&pool, &added, cs_buf_view(&buf), &w.lab->state,
						  &history, &w.lab->scratch, NULL),
				 round < (int32_t)BFT_EVIDENCE_EACH_MAX ? CS_OK : CS_ERR_FULL);
		assert_false(added.is_false);
	}
	assert_int_equal(pool.count, BFT_EVIDENCE_EACH_MAX);
	lab_end(w.lab);
}

/* ---- through the engine ---- */

/* An engine that does not propose first. */
static struct lab *second(void)
{
	struct lab *probe = lab_make(0, 0);
	unsigned own = (lab_proposer(probe, 0) + 1) % LAB_KEYS;
	lab_end(probe);
	return lab_make(own, 0);
}

/* Height 1 is decided; one of the others has prevoted twice on the way. Gives its place. */
static unsigned decide_with_a_twice_voter(struct lab *lab)
{
	unsigned proposer = lab_proposer(lab, 0), by = (lab->own + 1) % LAB_KEYS;
	struct lab_block b = lab_make_block(lab, proposer, "one");
	lab_begin(lab);
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_votes(lab, 3, CMT_PREVOTE, 0, &b);
	lab_vote(lab, by, CMT_PREVOTE, 0, NULL);
	assert_int_equal(lab->evidence_size, 0);
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	assert_int_equal(bft_state_view(lab->bft)->last_height, 1);
	return by;
}

/* What was found is durable before the state that ends its height: after it the log's records of the
 * conflict are passed over. The peers hear of it when they can judge it. */
static void found_before_the_state_is_saved(void **unused)
{
	(void)unused;
	struct lab *lab = second();
	decide_with_a_twice_voter(lab);
	assert_true(lab->evidence_size > 0);
	assert_true(lab->last_at[BFT_EFFECT_EVIDENCE] < lab->last_at[BFT_EFFECT_SAVE_STATE]);
	assert_true(lab->last_at[BFT_EFFECT_SAVE_STATE] < lab->last_at[BFT_EFFECT_COMMIT]);
	assert_true(lab->last_at[BFT_EFFECT_COMMIT] < lab->told_at);
	assert_int_equal(bft_evidence_waiting(lab->bft), 1);
	lab_end(lab);
}

static size_t evidence_in_part(struct lab *lab)
{
	struct cmt_block block;
	size_t mark = cs_arena_mark(&lab->scratch);
	assert_int_equal(
		cmt_block_decode(&block, cs_bytes(lab->part, lab->part_size), &lab->scratch, NULL),
		CS_OK);
	cs_arena_rewind(&lab->scratch, mark);
	return block.evidence_count;
}

/* The proposer of height 2, whoever it is, tells the application what its block then has. */
static void the_next_proposer_carries_it(void **unused)
{
	(void)unused;
	unsigned proposals = 0;
	for (unsigned own = 0; own < LAB_KEYS; own++) {
		struct lab *lab = lab_make(own, 0);
		if (lab_proposer(lab, 0) != own)
			decide_with_a_twice_voter(lab);
		if (lab->prepare_height == 2) {
			assert_true(lab->prepare_evidence > 0);
			assert_int_equal(evidence_in_part(lab), 1);
			proposals++;
		}
		lab_end(lab);
	}
	assert_int_equal(proposals, 1);
}

/* A late precommit for the block before, and another one of the same place. */
static void a_late_precommit_that_conflicts(void **unused)
{
	(void)unused;
	struct lab *lab = second();
	unsigned by = (lab->own + 1) % LAB_KEYS;
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_begin(lab);
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_votes(lab, 3, CMT_PREVOTE, 0, &b);
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	assert_int_equal(bft_look(lab->bft).height, 2);
	assert_int_equal(bft_evidence_waiting(lab->bft), 0);
	lab_vote(lab, by, CMT_PRECOMMIT, 0, NULL);
	assert_int_equal(bft_evidence_waiting(lab->bft), 1);
	assert_true(lab->last_at[BFT_EFFECT_EVIDENCE] < lab->told_at);
	lab_end(lab);
}

static void bring(struct lab *lab, unsigned from, const struct cmt_evidence *e)
{
	struct bft_message m = {.type = BFT_MESSAGE_EVIDENCE};
	uint8_t memory[1024];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_evidence_encode(&buf, e);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	m.evidence = cs_buf_view(&buf);
	lab_message(lab, from, &m);
}

/* Another pair of votes of height 1 for each round. */
static struct cmt_evidence pair_of_round(struct lab *lab, unsigned by, int32_t round)
{
	struct cmt_evidence e = {.kind = CMT_DUPLICATE_VOTE};
	struct lab_block b = {.id = bft_state_view(lab->bft)->last_block_id};
	struct cmt_vote one = lab_make_vote(lab, by, CMT_PREVOTE, round, &b);
	struct cmt_vote other = lab_make_vote(lab, by, CMT_PREVOTE, round, NULL);
	assert_int_equal(cmt_duplicate_vote_make(&e.duplicate_vote, &one, &other,
						 &lab->state.now.set, bft_time_pb(LAB_NOW)),
			 CS_OK);
	return e;
}

/* Evidence that nobody can have verified is a fault; of a height that is not decided here it is
 * none. */
static void forged_evidence_is_a_fault(void **unused)
{
	(void)unused;
	struct lab *lab = second();
	unsigned by = decide_with_a_twice_voter(lab), peer = (lab->own + 2) % LAB_KEYS;
	struct cmt_evidence e = pair_of_round(lab, by, 7);
	size_t faults = lab->faults;
	e.duplicate_vote.a.height = e.duplicate_vote.b.height = 30;
	bring(lab, peer, &e);
	assert_int_equal(lab->faults, faults);
	e = pair_of_round(lab, by, 7);
	e.duplicate_vote.b.signature.b[3] ^= 1;
	bring(lab, peer, &e);
	assert_int_equal(lab->faults, ++faults);
	e = pair_of_round(lab, by, 7);
	e.duplicate_vote.power_total++;
	bring(lab, peer, &e);
	assert_int_equal(lab->faults, ++faults);
	struct bft_message m = {.type = BFT_MESSAGE_EVIDENCE, .evidence = cs_bytes_str("what")};
	lab_message(lab, peer, &m);
	assert_int_equal(lab->faults, ++faults);
	assert_int_equal(bft_evidence_waiting(lab->bft), 1);
	lab_end(lab);
}

/* A peer makes us look at so many signatures until the next tick; the others are heard. */
static void a_flood_of_one_peer(void **unused)
{
	(void)unused;
	struct lab *lab = second();
	unsigned by = decide_with_a_twice_voter(lab);
	unsigned peer = (lab->own + 2) % LAB_KEYS, other = (lab->own + 3) % LAB_KEYS;
	struct cmt_evidence e = pair_of_round(lab, by, 1);
	e.duplicate_vote.a.height = e.duplicate_vote.b.height = 30;
	for (int i = 0; i < BFT_EVIDENCE_WORK_MAX / 2; i++)
		bring(lab, peer, &e);
	e = pair_of_round(lab, by, 1);
	bring(lab, peer, &e);
	assert_int_equal(bft_evidence_waiting(lab->bft), 1);
	bring(lab, other, &e);
	assert_int_equal(bft_evidence_waiting(lab->bft), 2);
	lab_timeout(lab, BFT_TIMER_STATUS, 0);
	e = pair_of_round(lab, by, 2);
	bring(lab, peer, &e);
	assert_int_equal(bft_evidence_waiting(lab->bft), 3);
	lab_end(lab);
}

/* From an earlier life: judged again. */
static void what_an_earlier_life_left(void **unused)
{
	(void)unused;
	struct lab *lab = second();
	unsigned by = decide_with_a_twice_voter(lab);
	struct cmt_evidence e = pair_of_round(lab, by, 3);
	uint8_t memory[1024];
	struct cs_buf buf;
	for (int turn = 0; turn < 2; turn++) {
		size_t told = lab->told_at;
		cs_buf_init(&buf, memory, sizeof memory);
		cmt_evidence_encode(&buf, &e);
		const struct bft_event event = {.type = BFT_EVENT_EVIDENCE,
						.bytes = cs_buf_view(&buf)};
		lab_event(lab, &event);
		assert_int_equal(bft_evidence_waiting(lab->bft), 2);
		assert_int_equal(lab->told_at > told, turn == 0);
		e = pair_of_round(lab, by, 3);
		e.duplicate_vote.a.signature.b[0] ^= 1;
	}
	assert_int_equal(lab->faults, 0);
	lab_end(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_evidence_passes_once),
		cmocka_unit_test(bad_evidence_is_refused),
		cmocka_unit_test(the_pool_keeps_what_no_block_carried),
		cmocka_unit_test(conflicts_wait_for_their_height),
		cmocka_unit_test(votes_of_two_rounds_are_none),
		cmocka_unit_test(one_validator_does_not_fill_the_pool),
		cmocka_unit_test(found_before_the_state_is_saved),
		cmocka_unit_test(the_next_proposer_carries_it),
		cmocka_unit_test(a_late_precommit_that_conflicts),
		cmocka_unit_test(forged_evidence_is_a_fault),
		cmocka_unit_test(a_flood_of_one_peer),
		cmocka_unit_test(what_an_earlier_life_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
