/* Starts after a crash: the log alone gives the state again, the signer's memory and the peers do
 * where the log is gone, and nothing is signed before the peers have told. */
#include "tests/unit/bft/lab.h"

/* A new engine on the same disk: the log up to `size` bytes, then START, without peers. */
static void restart(struct lab *lab, size_t size)
{
	struct bft_wal_record record;
	struct bft_event start = {.type = BFT_EVENT_START};
	size_t offset = 0;
	bft_free(lab->bft);
	lab_new_engine(lab);
	lab->vote_count = lab->proposal_count = 0;
	while (bft_wal_get(&record, &offset, cs_bytes(lab->log, size)) == CS_OK)
		assert_int_equal(bft_replay(lab->bft, record.bytes), CS_OK);
	bft_set_sign_state(lab->bft, &lab->signed_last);
	lab_event(lab, &start);
}

/* `count` of the others say that they hold nothing of ours. */
static void tell(struct lab *lab, unsigned count)
{
	for (unsigned i = 0; i < LAB_KEYS && count > 0; i++) {
		struct bft_event up = {.type = BFT_EVENT_PEER_UP, .peer = i, .is_validator = true};
		struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
		if (i == lab->own)
			continue;
		up.address = cmt_address(&lab->key[i]);
		lab_event(lab, &up);
		told.own_votes.height = 1;
		lab_message(lab, i, &told);
		count--;
	}
}

/* Locked in round 0, then the process ends. */
static struct lab *locked(struct lab_block *b)
{
	struct lab *lab = lab_start(false);
	*b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_propose(lab, b, 0, -1);
	lab_parts(lab, b, 0);
	lab_votes(lab, 2, CMT_PREVOTE, 0, b);
	lab_voted(lab, CMT_PRECOMMIT, 0, b);
	return lab;
}

static void the_log_gives_the_state_again(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = locked(&b);
	struct bft_view before = bft_look(lab->bft);
	restart(lab, lab->log_size);
	struct bft_view after = bft_look(lab->bft);
	assert_int_equal(after.round, before.round);
	assert_int_equal(after.step, before.step);
	assert_int_equal(after.locked_round, 0);
	assert_true(cmt_block_id_eq(&after.locked_id, &b.id));
	assert_int_equal(after.valid_round, 0);
	lab_end(lab);
}

/* Each prefix of the log that ends at a record is a state that the engine may have been in: it
 * starts, and with the peers' answers it comes to sign nothing else than it had signed. */
static void every_prefix_of_the_log_starts(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = locked(&b);
	struct bft_wal_record record;
	size_t offset = 0, size = lab->log_size;
	static uint8_t log[sizeof lab->log];
	struct bft_sign_state signed_last = lab->signed_last;
	memcpy(log, lab->log, size);
	do {
		lab->log_size = lab->log_synced = offset;
		memcpy(lab->log, log, size);
		lab->signed_last = signed_last;
		restart(lab, offset);
		tell(lab, 3);
		/* Locked by the log or by the signer's memory, whatever was cut off. */
		lab_is_locked(lab, 0, &b);
		assert_int_equal(lab->signed_last.lock_round, 0);
	} while (bft_wal_get(&record, &offset, cs_bytes(log, size)) == CS_OK);
	lab_end(lab);
}

/* A signer restored from an old copy is raised by what the log holds. */
static void the_log_raises_the_signer(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = locked(&b);
	bft_sign_state_init(&lab->signed_last);
	restart(lab, lab->log_size);
	assert_int_equal(lab->signed_last.step, BFT_SIGN_PRECOMMIT);
	assert_int_equal(lab->signed_last.lock_round, 0);
	assert_true(cmt_block_id_eq(&lab->signed_last.lock_id, &b.id));
	lab_end(lab);
}

/* Without its log the node respects the signer's lock: another block is prevoted nil. */
static void the_signers_lock_counts_without_a_log(void **unused)
{
	(void)unused;
	struct lab_block b, c;
	struct lab *lab = locked(&b);
	lab->log_size = lab->log_synced = 0;
	restart(lab, 0);
	tell(lab, 3);
	lab_is_locked(lab, 0, &b);
	assert_int_equal(bft_look(lab->bft).round, 1);
	c = lab_make_block(lab, lab_proposer(lab, 1), "two");
	lab_propose(lab, &c, 1, -1);
	lab_parts(lab, &c, 1);
	lab_voted(lab, CMT_PREVOTE, 1, NULL);
	lab_end(lab);
}

static struct lab *started(unsigned own)
{
	struct lab *lab = lab_make(own, 0);
	struct bft_event start = {.type = BFT_EVENT_START};
	bft_set_sign_state(lab->bft, &lab->signed_last);
	lab_event(lab, &start);
	return lab;
}

/* Nothing is signed before all three others have told; then what was waiting is. */
static void waits_for_the_peers(void **unused)
{
	(void)unused;
	struct lab *lab = started(0);
	unsigned proposer = lab_proposer(lab, 0);
	lab_end(lab);
	lab = started(proposer);
	tell(lab, 2);
	assert_false(bft_look(lab->bft).may_sign);
	assert_int_equal(lab->proposal_count, 0);
	tell(lab, 3);
	assert_true(bft_look(lab->bft).may_sign);
	assert_int_equal(lab->proposal_count, 1);
	lab_voted(lab, CMT_PREVOTE, 0, &(struct lab_block){.id = lab->proposals[0].block_id});
	lab_end(lab);
}

/* One of them stays away: after a while two and we are enough, one and we never. */
static void does_not_wait_for_ever(void **unused)
{
	(void)unused;
	for (unsigned told = 1; told <= 2; told++) {
		struct lab *lab = started(0);
		tell(lab, told);
		for (unsigned i = 0; i < BFT_TOLD_PATIENCE; i++) {
			assert_false(bft_look(lab->bft).may_sign);
			lab_timeout(lab, BFT_TIMER_STATUS, 0);
		}
		assert_int_equal(bft_look(lab->bft).may_sign, told == 2);
		lab_end(lab);
	}
}

/* A peer that is no validator tells nothing that counts. */
static void strangers_do_not_count(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	struct bft_event start = {.type = BFT_EVENT_START};
	bft_set_sign_state(lab->bft, &lab->signed_last);
	lab_event(lab, &start);
	for (unsigned i = 1; i < LAB_KEYS; i++) {
		struct bft_event up = {.type = BFT_EVENT_PEER_UP, .peer = i};
		struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
		lab_event(lab, &up);
		told.own_votes.height = 1;
		lab_message(lab, i, &told);
	}
	assert_false(bft_look(lab->bft).may_sign);
	lab_end(lab);
}

/* All is lost, the peers hold a precommit of ours: its lock and its place count. */
static void the_peers_memory_counts(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	struct bft_event start = {.type = BFT_EVENT_START};
	struct bft_event up = {.type = BFT_EVENT_PEER_UP, .peer = 1, .is_validator = true};
	struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
	bft_set_sign_state(lab->bft, &lab->signed_last);
	lab_event(lab, &start);
	up.address = cmt_address(&lab->key[1]);
	lab_event(lab, &up);
	told.own_votes.height = 1;
	told.own_votes.count = 1;
	told.own_votes.votes[0] = lab_make_vote(lab, 0, CMT_PRECOMMIT, 2, &b);
	lab_message(lab, 1, &told);
	lab_is_locked(lab, 2, &b);
	assert_int_equal(bft_look(lab->bft).round, 3);
	/* One that we did not sign is the peer's lie. */
	told.own_votes.votes[0] = lab_make_vote(lab, 0, CMT_PRECOMMIT, 5, &b);
	told.own_votes.votes[0].signature.b[0] ^= 1;
	lab_message(lab, 1, &told);
	assert_int_equal(lab->faults, 1);
	lab_is_locked(lab, 2, &b);
	lab_end(lab);
}

/* Height 1 is decided by the others; what the test says from here on is of height 2. */
static void decide(struct lab *lab)
{
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "first");
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	lab_parts(lab, &b, 0);
	assert_int_equal(bft_look(lab->bft).height, 2);
	bft_state_copy(&lab->state, bft_state_view(lab->bft));
	lab->height = 2;
	lab->vote_count = 0;
}

/* Not begun; proposes at height 1 in round 3 only, at height 2 in round 2. */
static struct lab *follower(void)
{
	struct lab *lab = lab_make(0, 0);
	unsigned own = lab_proposer(lab, 3);
	lab_end(lab);
	return lab_make(own, 0);
}

/* A block of height 2 that nobody holds any more. */
static struct lab_block gone(void)
{
	struct lab_block b = {.id = {.hash = {.some = true}, .parts = {.total = 1}}};
	memset(b.id.hash.hash.b, 7, 32);
	b.id.parts.hash.some = true;
	memset(b.id.parts.hash.hash.b, 8, 32);
	return b;
}

/* Another block than the locked one, in the round after: nil. */
static void respects(struct lab *lab, const struct lab_block *lock)
{
	lab_is_locked(lab, 0, lock);
	assert_int_equal(bft_look(lab->bft).round, 1);
	struct lab_block c = lab_make_block(lab, lab_proposer(lab, 1), "two");
	lab_propose(lab, &c, 1, -1);
	lab_parts(lab, &c, 1);
	lab_voted(lab, CMT_PREVOTE, 1, NULL);
	assert_int_equal(lab->vote_count, 1);
}

/* The key has precommitted at height 2, the data is of height 0: nothing is signed on the way, and
 * the lock is there when height 2 begins, and in its log. */
static void the_lock_counts_when_its_height_begins(void **unused)
{
	(void)unused;
	struct lab *lab = follower();
	struct lab_block b = gone();
	lab->signed_last = (struct bft_sign_state){.step = BFT_SIGN_PRECOMMIT,
						   .height = 2,
						   .block_id = b.id,
						   .lock_round = 0,
						   .lock_id = b.id};
	lab_begin(lab);
	lab_is_locked(lab, -1, NULL);
	decide(lab);
	assert_int_equal(lab->signed_last.height, 2);
	respects(lab, &b);
	bft_sign_state_init(&lab->signed_last);
	restart(lab, lab->log_size);
	lab_is_locked(lab, 0, &b);
	lab_end(lab);
}

/* The same where signer and data are lost, and a peer that is at height 2 tells of our precommit
 * while we are below. */
static void a_vote_of_a_height_ahead_counts_there(void **unused)
{
	(void)unused;
	struct lab *lab = follower();
	struct lab_block b = gone();
	struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
	lab_begin(lab);
	lab->height = 2;
	told.own_votes.votes[0] = lab_make_vote(lab, lab->own, CMT_PRECOMMIT, 0, &b);
	lab->height = 1;
	told.own_votes.height = 2;
	told.own_votes.count = 1;
	lab_message(lab, (lab->own + 1) % LAB_KEYS, &told);
	assert_int_equal(lab->faults, 0);
	assert_int_equal(lab->signed_last.height, 2);
	lab_is_locked(lab, -1, NULL);
	decide(lab);
	respects(lab, &b);
	lab_end(lab);
}

/* A lock of the height before, or of one above, is none here. */
static void the_lock_of_another_height_is_none(void **unused)
{
	(void)unused;
	for (int64_t height = 1; height <= 3; height += 2) {
		struct lab *lab = follower();
		struct lab_block b = gone();
		lab->signed_last = (struct bft_sign_state){.step = BFT_SIGN_PRECOMMIT,
							   .height = height,
							   .block_id = b.id,
							   .lock_round = 0,
							   .lock_id = b.id};
		lab_begin(lab);
		lab_is_locked(lab, height == 1 ? 0 : -1, NULL);
		decide(lab);
		lab_is_locked(lab, -1, NULL);
		lab_is_at(lab, 0, BFT_STEP_PROPOSE);
		lab_end(lab);
	}
}

/* The peer's OWN_VOTES with this vote alone. */
static void tell_vote(struct lab *lab, unsigned peer, const struct cmt_vote *vote)
{
	struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
	told.own_votes.height = lab->height;
	told.own_votes.count = 1;
	told.own_votes.votes[0] = *vote;
	lab_message(lab, peer, &told);
}

/* Address and index are not signed: our vote under another's name is no vote of ours. */
static void a_vote_under_another_name_is_refused(void **unused)
{
	(void)unused;
	struct lab *lab = follower();
	lab_begin(lab);
	struct cmt_vote vote = lab_make_vote(lab, lab->own, CMT_PREVOTE, 2, NULL);
	unsigned other = (lab->own + 1) % LAB_KEYS;
	vote.validator = cmt_address(&lab->key[other]);
	vote.index = (int32_t)other;
	tell_vote(lab, other, &vote);
	assert_int_equal(lab->faults, 1);
	assert_true(lab->fault_proven);
	assert_int_equal(lab->signed_last.step, BFT_SIGN_NONE);
	lab_end(lab);
}

/* Votes of our key that its signer's memory contradicts: one alarm for a peer and a height, however
 * often they are told. */
static void a_contradiction_is_told_once(void **unused)
{
	(void)unused;
	struct lab *lab = follower();
	struct lab_block b = gone();
	lab->signed_last = (struct bft_sign_state){.step = BFT_SIGN_PRECOMMIT,
						   .height = 3,
						   .block_id = b.id,
						   .lock_round = 0,
						   .lock_id = b.id};
	lab_begin(lab);
	lab->height = 3;
	struct cmt_vote nil = lab_make_vote(lab, lab->own, CMT_PRECOMMIT, 0, NULL);
	for (unsigned i = 0; i < 3; i++)
		tell_vote(lab, (lab->own + 1) % LAB_KEYS, &nil);
	assert_int_equal(lab->alarms, 1);
	tell_vote(lab, (lab->own + 2) % LAB_KEYS, &nil);
	assert_int_equal(lab->alarms, 2);
	assert_int_equal(lab->conflicts, 4);
	assert_int_equal(lab->faults, 0);
	lab->conflicts = 0;
	lab_end(lab);
}

/* An old vote of ours that no round has a place for, told again and again: nothing is logged. */
static void an_old_vote_told_again_is_not_logged(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	unsigned peer = (lab->own + 1) % LAB_KEYS;
	struct cmt_vote old = lab_make_vote(lab, lab->own, CMT_PREVOTE, 0, NULL);
	for (int32_t round = 1; round <= 40; round++)
		lab_votes(lab, 2, CMT_PREVOTE, round, NULL);
	assert_int_equal(bft_look(lab->bft).round, 40);
	assert_null(bft_look_votes(lab->bft, 0, CMT_PREVOTE));
	tell_vote(lab, peer, &old);
	size_t logged = lab->log_size;
	for (unsigned i = 0; i < 3; i++)
		tell_vote(lab, peer, &old);
	assert_int_equal(lab->log_size, logged);
	assert_int_equal(lab->faults, 0);
	lab_end(lab);
}

/* A lock alone is taken from such a vote, and it is in the log. */
static void an_old_lock_is_logged(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct lab_block b = gone();
	struct cmt_vote old = lab_make_vote(lab, lab->own, CMT_PRECOMMIT, 0, &b);
	for (int32_t round = 1; round <= 40; round++)
		lab_votes(lab, 2, CMT_PREVOTE, round, NULL);
	lab_is_locked(lab, -1, NULL);
	tell_vote(lab, (lab->own + 1) % LAB_KEYS, &old);
	lab_is_locked(lab, 0, &b);
	bft_sign_state_init(&lab->signed_last);
	restart(lab, lab->log_size);
	lab_is_locked(lab, 0, &b);
	lab_end(lab);
}

/* The round that a forgotten vote ends is left only once that is in the log. */
static void a_round_is_left_after_the_log_says_so(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	struct cmt_vote vote = lab_make_vote(lab, lab->own, CMT_PREVOTE, 1, NULL);
	lab->hold_sign = true;
	tell_vote(lab, (lab->own + 1) % LAB_KEYS, &vote);
	lab_is_at(lab, 2, BFT_STEP_PROPOSE);
	assert_true(lab->last_at[BFT_EFFECT_LOG] > lab->last_at[BFT_EFFECT_RAISE]);
	assert_true(lab->last_at[BFT_EFFECT_LOG] < lab->last_at[BFT_EFFECT_TIMER]);
	lab_end(lab);
}

/* f + 1 peers are at height 2: a node at 1 may have signed there before, and signs nothing until it
 * is where they are. One that claims more is not believed. */
static void signs_nothing_below_its_peers(void **unused)
{
	(void)unused;
	struct lab *lab = follower();
	struct bft_event start = {.type = BFT_EVENT_START};
	struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
	const int64_t heights[] = {1, 2, 9};
	lab_event(lab, &start);
	for (unsigned n = 1; n < LAB_KEYS; n++) {
		unsigned peer = (lab->own + n) % LAB_KEYS;
		struct bft_event up = {
			.type = BFT_EVENT_PEER_UP, .peer = peer, .is_validator = true};
		up.address = cmt_address(&lab->key[peer]);
		lab_event(lab, &up);
		told.own_votes.height = heights[n - 1];
		lab_message(lab, peer, &told);
	}
	assert_true(bft_look(lab->bft).may_sign);
	lab_timeout(lab, BFT_TIMER_PROPOSE, 0);
	lab_is_at(lab, 0, BFT_STEP_PREVOTE);
	assert_int_equal(lab->vote_count, 0);
	decide(lab);
	lab_timeout(lab, BFT_TIMER_PROPOSE, 0);
	lab_voted(lab, CMT_PREVOTE, 0, NULL);
	assert_int_equal(lab->votes[0].height, 2);
	lab_end(lab);
}

static void ask_own(struct lab *lab, unsigned peer, unsigned who)
{
	struct bft_message ask = {.type = BFT_MESSAGE_OWN_ASK};
	ask.own_ask.height = 1;
	ask.own_ask.validator = cmt_address(&lab->key[who]);
	lab->own_told_count = SIZE_MAX;
	lab_message(lab, peer, &ask);
	assert_int_not_equal(lab->own_told_count, SIZE_MAX);
}

/* What a validator signed at the next height waits in our stash: it is told of it, and nobody else is;
 * of what another sent in its name, or what it did not sign, nothing. */
static void what_waits_for_its_height_is_told(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	unsigned who = (lab->own + 1) % LAB_KEYS, liar = (lab->own + 2) % LAB_KEYS;
	struct lab_block b = gone();
	struct bft_message m = {.type = BFT_MESSAGE_VOTE};
	lab_vote(lab, who, CMT_PREVOTE, 0, NULL);
	ask_own(lab, who, who);
	assert_int_equal(lab->own_told_count, 1);
	assert_int_equal(lab->own_told[0].height, 1);
	lab->height = 2;
	m.vote = lab_make_vote(lab, who, CMT_PREVOTE, 7, NULL);
	lab_message(lab, liar, &m);
	m.vote.signature.b[0] ^= 1;
	lab_message(lab, who, &m);
	ask_own(lab, who, who);
	assert_int_equal(lab->own_told_count, 1);
	assert_int_equal(lab->own_told[0].height, 1);
	lab_vote(lab, who, CMT_PRECOMMIT, 0, &b);
	lab_vote(lab, who, CMT_PREVOTE, 1, NULL);
	ask_own(lab, who, who);
	assert_int_equal(lab->own_told_count, 2);
	assert_int_equal(lab->own_told[0].height, 2);
	assert_int_equal(lab->own_told[0].round, 1);
	assert_int_equal(lab->own_told[1].height, 2);
	assert_true(cmt_block_id_eq(&lab->own_told[1].block_id, &b.id));
	lab_vote(lab, liar, CMT_PREVOTE, 0, NULL);
	ask_own(lab, liar, who);
	assert_int_equal(lab->own_told_count, 1);
	assert_int_equal(lab->own_told[0].height, 1);
	lab_end(lab);
}

/* Signatures of the stash that are checked for one peer are bounded between two ticks. */
static void who_fills_the_stash_with_rubbish_is_left_without(void **unused)
{
	(void)unused;
	struct lab *lab = lab_start(false);
	unsigned who = (lab->own + 1) % LAB_KEYS;
	struct bft_message m = {.type = BFT_MESSAGE_VOTE};
	lab->height = 2;
	m.vote = lab_make_vote(lab, who, CMT_PREVOTE, 0, NULL);
	m.vote.signature.b[0] ^= 1;
	for (unsigned i = 0; i < BFT_EVIDENCE_WORK_MAX; i++)
		lab_message(lab, who, &m);
	lab_vote(lab, who, CMT_PREVOTE, 1, NULL);
	ask_own(lab, who, who);
	assert_int_equal(lab->own_told_count, 0);
	lab_end(lab);
}

/* What bft_recover says for each order of state, store and application. */
static void the_order_of_recovery(void **unused)
{
	(void)unused;
	assert_int_equal(bft_recover(5, 5, 5), BFT_RECOVER_NOTHING);
	assert_int_equal(bft_recover(5, 6, 5), BFT_RECOVER_APPLY_BLOCK);
	assert_int_equal(bft_recover(5, 5, 4), BFT_RECOVER_REPLAY_APP);
	assert_int_equal(bft_recover(5, 6, 0), BFT_RECOVER_REPLAY_APP);
	assert_int_equal(bft_recover(5, 4, 4), BFT_RECOVER_IMPOSSIBLE);
	assert_int_equal(bft_recover(5, 7, 5), BFT_RECOVER_IMPOSSIBLE);
	assert_int_equal(bft_recover(5, 6, 6), BFT_RECOVER_IMPOSSIBLE);
	assert_int_equal(bft_recover(0, 0, 0), BFT_RECOVER_NOTHING);
}

/* Records of another height do nothing; bytes that are no record are refused. */
static void replay_refuses_rubbish(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	struct bft_event event = {.type = BFT_EVENT_TIMEOUT, .timer = BFT_TIMER_COMMIT};
	uint8_t bytes[64];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_record_encode(&buf, &event, 9);
	assert_int_equal(bft_replay(lab->bft, cs_buf_view(&buf)), CS_OK);
	assert_int_equal(bft_look(lab->bft).step, BFT_STEP_NEW_HEIGHT);
	assert_int_equal(bft_replay(lab->bft, cs_bytes_str("rubbish")), CS_ERR_MALFORMED);
	assert_int_equal(bft_replay(lab->bft, cs_bytes(bytes, buf.n - 1)), CS_ERR_MALFORMED);
	bytes[buf.n] = 0;
	assert_int_equal(bft_replay(lab->bft, cs_bytes(bytes, buf.n + 1)), CS_ERR_TRAILING);
	lab_end(lab);
}

/* The state of the chain there and back, and a state that no chain has. */
static void the_state_reads_back(void **unused)
{
	(void)unused;
	static uint8_t bytes[BFT_STATE_SIZE_MAX], again[BFT_STATE_SIZE_MAX];
	struct lab_block b;
	struct lab *lab = locked(&b);
	struct bft_state state;
	struct cs_buf buf, other;
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	assert_int_equal(bft_state_view(lab->bft)->last_height, 1);
	cs_buf_init(&buf, bytes, sizeof bytes);
	bft_state_encode(&buf, bft_state_view(lab->bft));
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	assert_int_equal(bft_state_decode(&state, cs_buf_view(&buf), &lab->scratch, NULL), CS_OK);
	cs_buf_init(&other, again, sizeof again);
	bft_state_encode(&other, &state);
	assert_true(cs_bytes_eq(cs_buf_view(&buf), cs_buf_view(&other)));
	for (size_t n = 0; n < buf.n; n += 13)
		assert_int_not_equal(
			bft_state_decode(&state, cs_bytes(bytes, n), &lab->scratch, NULL), CS_OK);
	lab_end(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_log_gives_the_state_again),
		cmocka_unit_test(every_prefix_of_the_log_starts),
		cmocka_unit_test(the_log_raises_the_signer),
		cmocka_unit_test(the_signers_lock_counts_without_a_log),
		cmocka_unit_test(waits_for_the_peers),
		cmocka_unit_test(does_not_wait_for_ever),
		cmocka_unit_test(strangers_do_not_count),
		cmocka_unit_test(the_peers_memory_counts),
		cmocka_unit_test(the_lock_counts_when_its_height_begins),
		cmocka_unit_test(a_vote_of_a_height_ahead_counts_there),
		cmocka_unit_test(the_lock_of_another_height_is_none),
		cmocka_unit_test(a_vote_under_another_name_is_refused),
		cmocka_unit_test(a_contradiction_is_told_once),
		cmocka_unit_test(an_old_vote_told_again_is_not_logged),
		cmocka_unit_test(an_old_lock_is_logged),
		cmocka_unit_test(a_round_is_left_after_the_log_says_so),
		cmocka_unit_test(signs_nothing_below_its_peers),
		cmocka_unit_test(what_waits_for_its_height_is_told),
		cmocka_unit_test(who_fills_the_stash_with_rubbish_is_left_without),
		cmocka_unit_test(the_order_of_recovery),
		cmocka_unit_test(replay_refuses_rubbish),
		cmocka_unit_test(the_state_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
