/* The rules one by one, as lists of scenarios: CometBFT's consensus/state_test.go (its names in the
 * comments), Malachite's by line of the paper, and what must not happen. */
#include "tests/unit/bft/lab.h"

#include <openssl/crypto.h>

/* Line 22: a fresh proposal is prevoted; a polka locks and precommits; precommits decide. */
static void decides_in_round_0(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab->hold_finalize = true;
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_voted(lab, CMT_PREVOTE, 0, &b);
	lab_is_locked(lab, -1, NULL);
	lab_votes(lab, 2, CMT_PREVOTE, 0, &b);
	lab_voted(lab, CMT_PRECOMMIT, 0, &b);
	lab_is_locked(lab, 0, &b);
	assert_false(lab->is_stored);
	lab_votes(lab, 2, CMT_PRECOMMIT, 0, &b);
	assert_true(lab->is_stored);
	assert_true(cmt_block_id_eq(&lab->stored_id, &b.id));
	lab_is_at(lab, 0, BFT_STEP_COMMIT);
	lab_end(lab);
}

/* The same with everything, until height 2 has begun. */
static void goes_to_the_next_height(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_votes(lab, 2, CMT_PREVOTE, 0, &b);
	lab_votes(lab, 2, CMT_PRECOMMIT, 0, &b);
	assert_int_equal(bft_look(lab->bft).height, 2);
	lab_is_locked(lab, -1, NULL);
	assert_int_equal(bft_state_view(lab->bft)->last_height, 1);
	lab_end(lab);
}

/* Height 1, or the next one, is decided by everybody. */
static void pass_height(struct lab *lab, const char *text)
{
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), text);
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_votes(lab, 3, CMT_PREVOTE, 0, &b);
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	bft_state_copy(&lab->state, bft_state_view(lab->bft));
	lab->height++;
	assert_int_equal(bft_look(lab->bft).height, lab->height);
}

/* CometBFT's create_empty_blocks and its interval: the first height begins at once, so does one that
 * proves a state that changed; else a transaction, another's proposal or the interval begins it. */
static void waits_for_txs(void **unused)
{
	enum { BY_TXS, BY_INTERVAL, BY_ANOTHER, WAYS };
	(void)unused;
	for (int way = 0; way < WAYS; way++) {
		struct lab *lab = lab_start(false);
		bft_free(lab->bft);
		lab->wait_for_txs = true;
		lab->empty_ns = way == BY_INTERVAL ? 7000 : 0;
		lab_new_engine(lab);
		lab_begin(lab);
		assert_int_not_equal(bft_look(lab->bft).step, BFT_STEP_NEW_HEIGHT);
		pass_height(lab, "changes the state");
		assert_int_not_equal(bft_look(lab->bft).step, BFT_STEP_NEW_HEIGHT);
		assert_int_equal(lab->timers[BFT_TIMER_COMMIT], 0);
		pass_height(lab, "changes nothing");
		lab_is_at(lab, 0, BFT_STEP_NEW_HEIGHT);
		assert_int_equal(lab->timers[BFT_TIMER_COMMIT], way == BY_INTERVAL ? 1 : 0);
		struct bft_event available = {.type = BFT_EVENT_TXS_AVAILABLE};
		if (way == BY_TXS)
			lab_event(lab, &available);
		else if (way == BY_INTERVAL)
			lab_timeout(lab, BFT_TIMER_COMMIT, 0);
		assert_int_equal(bft_look(lab->bft).step == BFT_STEP_NEW_HEIGHT, way == BY_ANOTHER);
		pass_height(lab, "nothing again");
		lab_is_at(lab, 0, BFT_STEP_NEW_HEIGHT);
		lab_end(lab);
	}
}

/* The order of arrival does not matter: votes first, the proposal, then the block. */
static void decides_when_the_block_comes_last(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	lab_votes(lab, 3, CMT_PREVOTE, 0, &b);
	assert_false(lab->is_stored);
	/* The quorum tells which block; its parts are asked for before any proposal came. */
	assert_true(lab->statuses_sent > 0);
	lab_parts(lab, &b, 0);
	assert_true(lab->is_stored);
	lab_end(lab);
}

/* TestStateProposerSelection0: our turn makes a proposal with its parts. */
static void proposes_on_its_turn(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(true);
	assert_int_equal(lab->proposal_count, 1);
	assert_int_equal(lab->proposals[0].pol_round, -1);
	assert_true(lab->parts_sent >= 1);
	lab_is_at(lab, 0, BFT_STEP_PREVOTE);
	lab_end(lab);
}

/* TestStateEnterProposeNoPrivValidator, TestStateBadProposal: no proposal, a rejected one. */
static void prevotes_nil_on_timeout_and_rejection(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	lab_timeout(lab, BFT_TIMER_PROPOSE, 0);
	lab_voted(lab, CMT_PREVOTE, 0, NULL);
	lab_end(lab);
	lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab->reject = true;
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_voted(lab, CMT_PREVOTE, 0, NULL);
	lab_end(lab);
}

/* A slow application: the timeout votes nil, its later yes changes nothing. */
static void does_not_wait_for_the_application(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab->hold_process = true;
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	assert_int_equal(lab->vote_count, 0);
	lab_timeout(lab, BFT_TIMER_PROPOSE, 0);
	lab_voted(lab, CMT_PREVOTE, 0, NULL);
	struct bft_event yes = {.type = BFT_EVENT_PROCESSED,
				.height = 1,
				.accepted = true,
				.hash = lab->asked_hash};
	lab_event(lab, &yes);
	assert_int_equal(lab->vote_count, 1);
	lab_end(lab);
}

/* TestStateBadProposal, "oversized proposal accepted", a proposer whose turn it is not, a POL of
 * the future: refused, the peer is named. */
static void refuses_bad_proposals(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	unsigned first = lab_proposer(lab, 0);
	struct lab_block b = lab_make_block(lab, first, "one");
	lab_propose_by(lab,
		       (first + 1) % LAB_KEYS == lab->own ? (first + 2) % LAB_KEYS
							  : (first + 1) % LAB_KEYS,
		       &b, 0, -1);
	assert_int_equal(lab->faults, 1);
	struct lab_block huge = b;
	huge.id.parts.total = 2;
	lab_propose(lab, &huge, 0, -1);
	assert_int_equal(lab->faults, 2);
	lab_propose(lab, &b, 0, 0);
	assert_int_equal(lab->faults, 3);
	lab_is_at(lab, 0, BFT_STEP_PROPOSE);
	assert_int_equal(lab->vote_count, 0);
	lab_end(lab);
}

/* A header that is not the chain's: the block is whole, the prevote is nil. */
static void refuses_a_block_of_another_chain(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	unsigned first = lab_proposer(lab, 0);
	struct cmt_chain_id right = lab->state.chain_id;
	assert_int_equal(cmt_chain_id_set(&lab->state.chain_id, cs_bytes_str("bal")), CS_OK);
	struct lab_block b = lab_make_block(lab, first, "one");
	lab->state.chain_id = right;
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_voted(lab, CMT_PREVOTE, 0, NULL);
	lab_end(lab);
}

/* TestStateFullRoundNil, line 44: a nil polka precommits nil and locks nothing. */
static void nil_polka_precommits_nil(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	lab_timeout(lab, BFT_TIMER_PROPOSE, 0);
	lab_votes(lab, 2, CMT_PREVOTE, 0, NULL);
	lab_voted(lab, CMT_PRECOMMIT, 0, NULL);
	lab_is_locked(lab, -1, NULL);
	lab_votes(lab, 2, CMT_PRECOMMIT, 0, NULL);
	assert_int_equal(lab->timers[BFT_TIMER_PRECOMMIT], 1);
	lab_timeout(lab, BFT_TIMER_PRECOMMIT, 0);
	lab_is_at(lab, 1, BFT_STEP_PROPOSE);
	lab_end(lab);
}

/* Lines 34 and 61: any 2f + 1 prevotes start the timer once; its end precommits nil. */
static void split_prevotes_time_out(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_timeout(lab, BFT_TIMER_PROPOSE, 0);
	lab_votes(lab, 1, CMT_PREVOTE, 0, &b);
	assert_int_equal(lab->timers[BFT_TIMER_PREVOTE], 0);
	lab_vote(lab, lab->own == 3 ? 2 : 3, CMT_PREVOTE, 0, NULL);
	assert_int_equal(lab->timers[BFT_TIMER_PREVOTE], 1);
	lab_timeout(lab, BFT_TIMER_PREVOTE, 0);
	lab_voted(lab, CMT_PRECOMMIT, 0, NULL);
	lab_end(lab);
}

/* Locked in round 0 on the block; round 1 begins. */
static struct lab *locked_lab(struct lab_block *b)
{
	struct lab *lab = lab_start(false);
	*b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_propose(lab, b, 0, -1);
	lab_parts(lab, b, 0);
	lab_votes(lab, 2, CMT_PREVOTE, 0, b);
	lab_voted(lab, CMT_PRECOMMIT, 0, b);
	lab_votes(lab, 2, CMT_PRECOMMIT, 0, NULL);
	lab_timeout(lab, BFT_TIMER_PRECOMMIT, 0);
	lab_is_at(lab, 1, BFT_STEP_PROPOSE);
	lab_is_locked(lab, 0, b);
	return lab;
}

/* TestStateLock_NoPOL: another fresh block is prevoted nil, the lock stays. */
static void lock_refuses_a_fresh_block(void **unused)
{
	(void)unused;
	struct lab_block b, c;
	struct lab *lab = locked_lab(&b);
	c = lab_make_block(lab, lab_proposer(lab, 1), "two");
	lab_propose(lab, &c, 1, -1);
	lab_parts(lab, &c, 1);
	lab_voted(lab, CMT_PREVOTE, 1, NULL);
	lab_is_locked(lab, 0, &b);
	lab_end(lab);
}

/* The same block again, with and without its POL, is prevoted. */
static void lock_accepts_its_own_block(void **unused)
{
	(void)unused;
	for (int32_t pol = -1; pol <= 0; pol++) {
		struct lab_block b;
		struct lab *lab = locked_lab(&b);
		lab_propose(lab, &b, 1, pol);
		lab_voted(lab, CMT_PREVOTE, 1, &b);
		lab_end(lab);
	}
}

/* TestStateLock_POLDoesNotUnlock (tendermint #6954): a nil polka never unlocks. */
static void nil_polka_does_not_unlock(void **unused)
{
	(void)unused;
	struct lab_block b, c;
	struct lab *lab = locked_lab(&b);
	lab_timeout(lab, BFT_TIMER_PROPOSE, 1);
	lab_voted(lab, CMT_PREVOTE, 1, NULL);
	lab_votes(lab, 3, CMT_PREVOTE, 1, NULL);
	lab_voted(lab, CMT_PRECOMMIT, 1, NULL);
	lab_is_locked(lab, 0, &b);
	lab_votes(lab, 2, CMT_PRECOMMIT, 1, NULL);
	lab_timeout(lab, BFT_TIMER_PRECOMMIT, 1);
	c = lab_make_block(lab, lab_proposer(lab, 2), "two");
	lab_propose(lab, &c, 2, -1);
	lab_parts(lab, &c, 2);
	lab_voted(lab, CMT_PREVOTE, 2, NULL);
	lab_is_locked(lab, 0, &b);
	lab_end(lab);
}

/* TestStateLock_POLUpdateLock: a polka for another block in a later round moves the lock. */
static void later_polka_moves_the_lock(void **unused)
{
	(void)unused;
	struct lab_block b, c;
	struct lab *lab = locked_lab(&b);
	c = lab_make_block(lab, lab_proposer(lab, 1), "two");
	lab_propose(lab, &c, 1, -1);
	lab_parts(lab, &c, 1);
	lab_voted(lab, CMT_PREVOTE, 1, NULL);
	lab_votes(lab, 3, CMT_PREVOTE, 1, &c);
	lab_voted(lab, CMT_PRECOMMIT, 1, &c);
	lab_is_locked(lab, 1, &c);
	lab_end(lab);
}

/* TestStateLock_POLRelock: a polka for the locked block again raises its round. */
static void same_polka_raises_the_lock(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = locked_lab(&b);
	lab_propose(lab, &b, 1, 0);
	lab_votes(lab, 2, CMT_PREVOTE, 1, &b);
	lab_voted(lab, CMT_PRECOMMIT, 1, &b);
	lab_is_locked(lab, 1, &b);
	lab_end(lab);
}

/* TestStateLock_MissingProposalWhenPOLSeenDoesNotUpdateLock: a polka for a block that is not here
 * neither unlocks nor locks. */
static void polka_for_an_unknown_block_keeps_the_lock(void **unused)
{
	(void)unused;
	struct lab_block b, c;
	struct lab *lab = locked_lab(&b);
	c = lab_make_block(lab, lab_proposer(lab, 1), "two");
	lab_timeout(lab, BFT_TIMER_PROPOSE, 1);
	lab_votes(lab, 3, CMT_PREVOTE, 1, &c);
	lab_is_locked(lab, 0, &b);
	lab_timeout(lab, BFT_TIMER_PREVOTE, 1);
	lab_voted(lab, CMT_PRECOMMIT, 1, NULL);
	lab_is_locked(lab, 0, &b);
	lab_end(lab);
}

/* Line 28, TestStateLock_POLSafety2: a POL older than the lock does not unlock, and a POL that is
 * claimed and never shown is waited for until the timeout. */
static void pol_must_be_shown(void **unused)
{
	(void)unused;
	struct lab_block b, c;
	struct lab *lab = locked_lab(&b);
	c = lab_make_block(lab, lab_proposer(lab, 1), "two");
	lab_propose(lab, &c, 1, 0);
	lab_parts(lab, &c, 1);
	lab_is_at(lab, 1, BFT_STEP_PROPOSE);
	lab_timeout(lab, BFT_TIMER_PROPOSE, 1);
	lab_voted(lab, CMT_PREVOTE, 1, NULL);
	lab_end(lab);
}

/* TestStateLock_POLSafety1, line 28: a POL of a round since the lock unlocks. */
static void later_pol_unlocks(void **unused)
{
	(void)unused;
	struct lab_block b, c;
	struct lab *lab = locked_lab(&b);
	/* Round 1: the others see a polka for another block; we see its votes late. */
	c = lab_make_block(lab, lab_proposer(lab, 1), "two");
	lab_timeout(lab, BFT_TIMER_PROPOSE, 1);
	lab_votes(lab, 2, CMT_PREVOTE, 1, &c);
	lab_timeout(lab, BFT_TIMER_PREVOTE, 1);
	lab_votes(lab, 3, CMT_PRECOMMIT, 1, NULL);
	lab_timeout(lab, BFT_TIMER_PRECOMMIT, 1);
	lab_is_at(lab, 2, BFT_STEP_PROPOSE);
	lab_is_locked(lab, 0, &b);
	lab_propose(lab, &c, 2, 1);
	lab_parts(lab, &c, 2);
	lab_is_at(lab, 2, BFT_STEP_PROPOSE);
	lab_votes(lab, 3, CMT_PREVOTE, 1, &c);
	lab_voted(lab, CMT_PREVOTE, 2, &c);
	lab_end(lab);
}

/* Line 36 to 43 after the precommit, TestProposeValidBlock, TestSetValidBlockOnDelayedPrevote: a
 * polka that comes late makes the value valid, not locked, and is proposed again on our turn. */
static void late_polka_makes_the_value_valid(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_votes(lab, 1, CMT_PREVOTE, 0, &b);
	lab_vote(lab, lab->own == 3 ? 2 : 3, CMT_PREVOTE, 0, NULL);
	lab_timeout(lab, BFT_TIMER_PREVOTE, 0);
	lab_voted(lab, CMT_PRECOMMIT, 0, NULL);
	lab_votes(lab, 3, CMT_PREVOTE, 0, &b);
	struct bft_view view = bft_look(lab->bft);
	assert_int_equal(view.locked_round, -1);
	assert_int_equal(view.valid_round, 0);
	for (int32_t round = 0; round < 6 && lab->proposal_count == 0; round++) {
		lab_votes(lab, 3, CMT_PRECOMMIT, round, NULL);
		lab_timeout(lab, BFT_TIMER_PRECOMMIT, round);
		if (lab->proposal_count == 0) {
			lab_timeout(lab, BFT_TIMER_PROPOSE, round + 1);
			lab_votes(lab, 3, CMT_PREVOTE, round + 1, NULL);
		}
	}
	assert_int_equal(lab->proposal_count, 1);
	assert_int_equal(lab->proposals[0].pol_round, 0);
	assert_true(cmt_block_id_eq(&lab->proposals[0].block_id, &b.id));
	lab_end(lab);
}

/* Line 55, TestRoundSkipOnNilPolkaFromHigherRound: f + 1 in a higher round, and not fewer; two who
 * are in different higher rounds make the lower of the two. */
static void skips_on_f_plus_1(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	unsigned a = (lab->own + 1) % LAB_KEYS, b = (lab->own + 2) % LAB_KEYS;
	lab_vote(lab, a, CMT_PREVOTE, 7, NULL);
	lab_is_at(lab, 0, BFT_STEP_PROPOSE);
	/* The same one again, further up: still one. */
	lab_vote(lab, a, CMT_PREVOTE, 9, NULL);
	lab_is_at(lab, 0, BFT_STEP_PROPOSE);
	lab_vote(lab, b, CMT_PRECOMMIT, 5, NULL);
	assert_int_equal(bft_look(lab->bft).round, 5);
	lab_end(lab);
}

/* Lines 34 and 47: who is in a later round has left this one, and counts as if it had voted here. */
static void who_left_is_not_waited_for(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	unsigned a = (lab->own + 1) % LAB_KEYS, b = (lab->own + 2) % LAB_KEYS;
	lab_timeout(lab, BFT_TIMER_PROPOSE, 0);
	lab_vote(lab, a, CMT_PREVOTE, 0, NULL);
	assert_int_equal(lab->timers[BFT_TIMER_PREVOTE], 0);
	lab_vote(lab, b, CMT_PREVOTE, 1, NULL);
	assert_int_equal(lab->timers[BFT_TIMER_PREVOTE], 1);
	lab_timeout(lab, BFT_TIMER_PREVOTE, 0);
	lab_voted(lab, CMT_PRECOMMIT, 0, NULL);
	assert_int_equal(lab->timers[BFT_TIMER_PRECOMMIT], 0);
	lab_vote(lab, a, CMT_PRECOMMIT, 0, NULL);
	assert_int_equal(lab->timers[BFT_TIMER_PRECOMMIT], 1);
	lab_end(lab);
}

/* Line 49, TestCommitFromPreviousRound: a decision of a round that is past. */
static void decides_for_a_past_round(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = locked_lab(&b);
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	assert_true(lab->is_stored);
	assert_int_equal(lab->stored_round, 0);
	lab_end(lab);
}

/* Timeouts of another height, round or step do nothing. */
static void stale_timeouts_do_nothing(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct bft_event other = {
		.type = BFT_EVENT_TIMEOUT, .height = 2, .timer = BFT_TIMER_PROPOSE};
	lab_timeout(lab, BFT_TIMER_PREVOTE, 0);
	lab_timeout(lab, BFT_TIMER_PROPOSE, 1);
	lab_event(lab, &other);
	lab_is_at(lab, 0, BFT_STEP_PROPOSE);
	assert_int_equal(lab->vote_count, 0);
	lab_end(lab);
}

/* Bad votes: of nobody, of another's index, with a broken signature, of another chain. */
static void refuses_bad_votes(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct bft_message m = {.type = BFT_MESSAGE_VOTE};
	unsigned by = (lab->own + 1) % LAB_KEYS;
	m.vote = lab_make_vote(lab, by, CMT_PREVOTE, 0, NULL);
	m.vote.index = (int32_t)((by + 1) % LAB_KEYS);
	lab_message(lab, by, &m);
	assert_int_equal(lab->faults, 1);
	m.vote = lab_make_vote(lab, by, CMT_PREVOTE, 0, NULL);
	m.vote.index = 7;
	lab_message(lab, by, &m);
	assert_int_equal(lab->faults, 2);
	m.vote = lab_make_vote(lab, by, CMT_PREVOTE, 0, NULL);
	m.vote.signature.b[3] ^= 1;
	lab_message(lab, by, &m);
	assert_int_equal(lab->faults, 3);
	/* An extension where the height has none. */
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	m.vote = lab_make_vote(lab, by, CMT_PRECOMMIT, 0, &b);
	m.vote.extension = cs_bytes_str("x");
	m.vote.extension_signature = m.vote.signature;
	lab_message(lab, by, &m);
	assert_int_equal(lab->faults, 4);
	lab_end(lab);
}

/* Bytes that are no message, a peer out of range, events that nothing asked for. */
static void refuses_what_is_no_message(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	const struct bft_effects *effects;
	struct bft_event rubbish = {
		.type = BFT_EVENT_MESSAGE, .peer = 1, .bytes = cs_bytes_str("rubbish")};
	lab_event(lab, &rubbish);
	assert_int_equal(lab->faults, 1);
	rubbish.peer = BFT_PEERS_MAX;
	assert_int_equal(bft_step(lab->bft, &rubbish, &effects), CS_ERR_INVALID);
	struct bft_event start = {.type = BFT_EVENT_START};
	assert_int_equal(bft_step(lab->bft, &start, &effects), CS_ERR_INVALID);
	struct bft_event committed = {.type = BFT_EVENT_COMMITTED, .height = 1};
	lab_event(lab, &committed);
	struct bft_event signed_event = {
		.type = BFT_EVENT_SIGNED, .height = 1, .step = BFT_SIGN_PRECOMMIT};
	lab_event(lab, &signed_event);
	lab_is_at(lab, 0, BFT_STEP_PROPOSE);
	assert_int_equal(lab->vote_count, 0);
	lab_end(lab);
}

/* TestStateDoubleSign, evidence: two prevotes of one validator become evidence after the block. */
static void two_votes_become_evidence(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	unsigned guilty = (lab->own + 1) % LAB_KEYS;
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_vote(lab, guilty, CMT_PREVOTE, 0, NULL);
	lab_vote(lab, guilty, CMT_PREVOTE, 0, &b);
	assert_int_equal(lab->evidence_size, 0);
	lab_votes(lab, 3, CMT_PREVOTE, 0, &b);
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	assert_true(lab->evidence_size > 0);
	struct cmt_evidence evidence;
	assert_int_equal(cmt_evidence_decode(&evidence, cs_bytes(lab->evidence, lab->evidence_size),
					     &lab->scratch, NULL),
			 CS_OK);
	struct cs_address address = cmt_address(&lab->key[guilty]);
	assert_int_equal(evidence.kind, CMT_DUPLICATE_VOTE);
	assert_true(cs_address_eq(&evidence.duplicate_vote.a.validator, &address));
	lab_end(lab);
}

/* An equivocator's second vote counts for its block: others may have seen only that one. */
static void both_votes_of_an_equivocator_count(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	unsigned guilty = (lab->own + 1) % LAB_KEYS;
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_vote(lab, guilty, CMT_PREVOTE, 0, NULL);
	lab_vote(lab, (lab->own + 2) % LAB_KEYS, CMT_PREVOTE, 0, &b);
	lab_is_locked(lab, -1, NULL);
	lab_vote(lab, guilty, CMT_PREVOTE, 0, &b);
	lab_is_locked(lab, 0, &b);
	lab_end(lab);
}

/* More rounds than are kept: the lock's round stays, memory does not grow. */
static void old_rounds_go_and_the_lock_stays(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = locked_lab(&b);
	for (int32_t round = 1; round < 40; round++) {
		lab->vote_count = lab->proposal_count = 0;
		lab_timeout(lab, BFT_TIMER_PROPOSE, round);
		lab_votes(lab, 3, CMT_PREVOTE, round, NULL);
		lab_votes(lab, 3, CMT_PRECOMMIT, round, NULL);
		lab_timeout(lab, BFT_TIMER_PRECOMMIT, round);
		assert_int_equal(bft_look(lab->bft).round, round + 1);
		lab_is_locked(lab, 0, &b);
	}
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	assert_true(lab->is_stored);
	lab_end(lab);
}

static size_t logged_by(struct lab *lab, unsigned by, int32_t round, const struct lab_block *block)
{
	size_t before = lab->log_size;
	lab_vote(lab, by, CMT_PREVOTE, round, block);
	return lab->log_size - before;
}

/* Whoever signs without end fills no log: a third vote, a higher and higher round, rounds that have
 * gone, in turn. */
static void endless_votes_are_not_logged(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	unsigned by = (lab->own + 1) % LAB_KEYS;
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	assert_true(logged_by(lab, by, 0, NULL) > 0);
	assert_true(logged_by(lab, by, 0, &b) > 0);
	for (uint8_t i = 0; i < 3; i++) {
		b.id.hash.hash.b[0] ^= (uint8_t)(i + 1);
		assert_int_equal(logged_by(lab, by, 0, &b), 0);
	}
	assert_true(logged_by(lab, by, BFT_ROUNDS_AHEAD + 1, NULL) > 0);
	for (int32_t round = BFT_ROUNDS_AHEAD + 2; round < 20; round++)
		assert_int_equal(logged_by(lab, by, round, NULL), 0);
	/* Line 55 goes by the one that was taken. */
	lab_vote(lab, (by + 1) % LAB_KEYS, CMT_PREVOTE, 9, NULL);
	lab_vote(lab, (by + 2) % LAB_KEYS, CMT_PREVOTE, 9, NULL);
	assert_in_range(bft_look(lab->bft).round, BFT_ROUNDS_AHEAD + 1, 9);
	assert_int_equal(lab->faults, 0);
	lab_end(lab);
}

/* Votes of a round that is gone bring it back at no other's cost. */
static void old_votes_take_no_rounds_place(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = locked_lab(&b);
	unsigned by = (lab->own + 1) % LAB_KEYS;
	for (int32_t round = 1; round < 40; round++) {
		lab->vote_count = lab->proposal_count = 0;
		lab_timeout(lab, BFT_TIMER_PROPOSE, round);
		lab_votes(lab, 3, CMT_PREVOTE, round, NULL);
		lab_votes(lab, 3, CMT_PRECOMMIT, round, NULL);
		lab_timeout(lab, BFT_TIMER_PRECOMMIT, round);
	}
	for (int32_t round = 1; round < 20; round++) {
		assert_null(bft_look_votes(lab->bft, round, CMT_PREVOTE));
		assert_int_equal(logged_by(lab, by, round, &b), 0);
		assert_null(bft_look_votes(lab->bft, round, CMT_PREVOTE));
	}
	for (int32_t round = 30; round < 40; round++)
		assert_non_null(bft_look_votes(lab->bft, round, CMT_PREVOTE));
	lab_end(lab);
}

static bool no_memory;

static void *library_malloc(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return no_memory ? NULL : malloc(size);
}

static void *library_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return no_memory ? NULL : realloc(p, size);
}

static void library_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

/* A signature that could not be looked at for want of memory is no fault of who sent it. */
static void our_own_failures_are_nobodys_fault(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct bft_message m = {.type = BFT_MESSAGE_VOTE};
	unsigned by = (lab->own + 1) % LAB_KEYS;
	m.vote = lab_make_vote(lab, by, CMT_PREVOTE, 0, NULL);
	size_t logged = lab->log_size;
	no_memory = true;
	lab_message(lab, by, &m);
	no_memory = false;
	assert_int_equal(lab->faults, 0);
	assert_int_equal(lab->log_size, logged);
	lab_message(lab, by, &m);
	assert_true(lab->log_size > logged);
	lab_end(lab);
}

int main(void)
{
	/* Before its first use. */
	cs_assert(CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) == 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_in_round_0),
		cmocka_unit_test(goes_to_the_next_height),
		cmocka_unit_test(waits_for_txs),
		cmocka_unit_test(decides_when_the_block_comes_last),
		cmocka_unit_test(proposes_on_its_turn),
		cmocka_unit_test(prevotes_nil_on_timeout_and_rejection),
		cmocka_unit_test(does_not_wait_for_the_application),
		cmocka_unit_test(refuses_bad_proposals),
		cmocka_unit_test(refuses_a_block_of_another_chain),
		cmocka_unit_test(nil_polka_precommits_nil),
		cmocka_unit_test(split_prevotes_time_out),
		cmocka_unit_test(lock_refuses_a_fresh_block),
		cmocka_unit_test(lock_accepts_its_own_block),
		cmocka_unit_test(nil_polka_does_not_unlock),
		cmocka_unit_test(later_polka_moves_the_lock),
		cmocka_unit_test(same_polka_raises_the_lock),
		cmocka_unit_test(polka_for_an_unknown_block_keeps_the_lock),
		cmocka_unit_test(pol_must_be_shown),
		cmocka_unit_test(later_pol_unlocks),
		cmocka_unit_test(late_polka_makes_the_value_valid),
		cmocka_unit_test(skips_on_f_plus_1),
		cmocka_unit_test(who_left_is_not_waited_for),
		cmocka_unit_test(decides_for_a_past_round),
		cmocka_unit_test(stale_timeouts_do_nothing),
		cmocka_unit_test(refuses_bad_votes),
		cmocka_unit_test(refuses_what_is_no_message),
		cmocka_unit_test(two_votes_become_evidence),
		cmocka_unit_test(both_votes_of_an_equivocator_count),
		cmocka_unit_test(old_rounds_go_and_the_lock_stays),
		cmocka_unit_test(endless_votes_are_not_logged),
		cmocka_unit_test(old_votes_take_no_rounds_place),
		cmocka_unit_test(our_own_failures_are_nobodys_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
