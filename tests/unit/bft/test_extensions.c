/* Vote extensions, from height 1 on: demanded, signed, judged by the application before they
 * count. */
#include "tests/unit/bft/lab.h"

static struct lab *extended_lab(struct lab_block *b)
{
	struct lab *probe = lab_make(0, 1);
	unsigned own = lab_proposer(probe, 3);
	lab_end(probe);
	struct lab *lab = lab_make(own, 1);
	lab_begin(lab);
	*b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_propose(lab, b, 0, -1);
	lab_parts(lab, b, 0);
	lab_votes(lab, 2, CMT_PREVOTE, 0, b);
	return lab;
}

static struct cmt_vote extended_vote(struct lab *lab, unsigned by, const struct lab_block *b,
				     const char *extension)
{
	struct cmt_vote vote = lab_make_vote(lab, by, CMT_PRECOMMIT, 0, b);
	uint8_t bytes[256];
	struct cs_buf buf;
	vote.extension = cs_bytes_str(extension);
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_extension_sign_bytes(&buf, &vote, &lab->state.chain_id);
	vote.extension_signature.some = true;
	assert_int_equal(
		cs_ed25519_sign(vote.extension_signature.b, &lab->secret[by], cs_buf_view(&buf)),
		CS_OK);
	return vote;
}

static void send(struct lab *lab, const struct cmt_vote *vote)
{
	struct bft_message m = {.type = BFT_MESSAGE_VOTE, .vote = *vote};
	lab_message(lab, (unsigned)vote->index, &m);
}

static unsigned other(const struct lab *lab, unsigned n)
{
	return (lab->own + n) % LAB_KEYS;
}

/* Our precommit has one; others' count with theirs; the stored commit holds them. */
static void decides_with_extensions(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = extended_lab(&b);
	struct cmt_commit commit;
	lab_voted(lab, CMT_PRECOMMIT, 0, &b);
	assert_true(lab->votes[lab->vote_count - 1].extension_signature.some);
	for (unsigned n = 1; n <= 2; n++) {
		struct cmt_vote vote = extended_vote(lab, other(lab, n), &b, "share");
		send(lab, &vote);
	}
	assert_true(lab->is_stored);
	assert_int_equal(cmt_extended_commit_decode(
				 &commit, cs_bytes(lab->stored_commit, lab->stored_commit_size),
				 &lab->scratch, NULL),
			 CS_OK);
	assert_int_equal(cmt_extended_commit_check(&commit, true, NULL), CS_OK);
	assert_int_equal(cmt_extended_commit_verify(&commit, &lab->state.now.set,
						    &lab->state.chain_id, &b.id, 1, &lab->scratch,
						    NULL),
			 CS_OK);
	lab_end(lab);
}

/* ASA-2024-001's kind: a precommit without its extension, one signed by nobody, one on a nil
 * vote. */
static void refuses_votes_without_theirs(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = extended_lab(&b);
	struct cmt_vote vote = lab_make_vote(lab, other(lab, 1), CMT_PRECOMMIT, 0, &b);
	send(lab, &vote);
	assert_int_equal(lab->faults, 1);
	vote = extended_vote(lab, other(lab, 1), &b, "share");
	vote.extension = cs_bytes_str("shark");
	send(lab, &vote);
	assert_int_equal(lab->faults, 2);
	/* A nil precommit has none and needs none. */
	vote = lab_make_vote(lab, other(lab, 1), CMT_PRECOMMIT, 0, NULL);
	send(lab, &vote);
	assert_int_equal(lab->faults, 2);
	assert_false(lab->is_stored);
	lab_end(lab);
}

/* What the application rejects does not count, and does not hinder the others. */
static void rejected_extensions_do_not_count(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = extended_lab(&b);
	struct cmt_vote vote = extended_vote(lab, other(lab, 1), &b, "X");
	send(lab, &vote);
	vote = extended_vote(lab, other(lab, 2), &b, "share");
	send(lab, &vote);
	assert_false(lab->is_stored);
	vote = extended_vote(lab, other(lab, 3), &b, "share");
	send(lab, &vote);
	assert_true(lab->is_stored);
	lab_end(lab);
}

/* A peer that is a height ahead sends the block with this commit of the others. */
static void send_block(struct lab *lab, const struct lab_block *b, struct cmt_commit_sig *sigs)
{
	static uint8_t bytes[4096];
	struct bft_message m = {.type = BFT_MESSAGE_STATUS};
	struct cmt_commit commit = {1, 0, b->id, sigs, LAB_KEYS};
	struct cs_buf buf;
	m.status.height = 2;
	m.status.step = BFT_STEP_PROPOSE;
	lab_message(lab, other(lab, 1), &m);
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_extended_commit_encode(&buf, &commit);
	m = (struct bft_message){.type = BFT_MESSAGE_BLOCK_ANSWER};
	m.block_answer.height = 1;
	m.block_answer.block = cs_bytes(b->bytes, b->size);
	m.block_answer.commit = cs_buf_view(&buf);
	lab_message(lab, other(lab, 1), &m);
}

/* To catch up is no way around: each vote for the block has its extension, signed. */
static void a_commit_without_its_extensions_is_refused(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct cmt_commit_sig sigs[LAB_KEYS];
	struct lab *lab = extended_lab(&b);
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		struct cmt_vote vote = extended_vote(lab, i, &b, "share");
		sigs[i] = cmt_commit_sig_of(i == lab->own ? NULL : &vote);
	}
	struct cmt_commit_sig *sig = &sigs[other(lab, 1)];
	const struct cmt_commit_sig good = *sig;
	sig->extension_signature.b[0] ^= 1;
	send_block(lab, &b, sigs);
	assert_int_equal(lab->faults, 1);
	assert_true(lab->fault_proven);
	*sig = good;
	sig->extension = CS_BYTES_NONE;
	sig->extension_signature.some = false;
	send_block(lab, &b, sigs);
	assert_int_equal(lab->faults, 2);
	assert_false(lab->is_stored);
	*sig = good;
	send_block(lab, &b, sigs);
	assert_int_equal(lab->faults, 2);
	assert_true(lab->is_stored);
	lab_end(lab);
}

/* Whatever a peer adds to a commit where there are no extensions: the votes stay in ours. */
static void what_nobody_signed_is_refused(void **unused)
{
	(void)unused;
	static const uint8_t large[BFT_EXTENSION_SIZE_MAX + 1];
	struct cmt_commit_sig sigs[LAB_KEYS];
	struct lab *lab = lab_start(false);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	const size_t sizes[] = {sizeof large, 1, 0};
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		struct cmt_vote vote = lab_make_vote(lab, i, CMT_PRECOMMIT, 0, &b);
		sigs[i] = cmt_commit_sig_of(i == lab->own ? NULL : &vote);
	}
	for (size_t n = 0; n < CS_LEN(sizes); n++) {
		struct cmt_commit_sig *sig = &sigs[other(lab, 1)];
		const struct cmt_commit_sig good = *sig;
		sig->extension = cs_bytes(large, sizes[n]);
		sig->extension_signature = sig->signature;
		send_block(lab, &b, sigs);
		assert_int_equal(lab->faults, n + 1);
		assert_false(lab->is_stored);
		*sig = good;
	}
	send_block(lab, &b, sigs);
	assert_true(lab->is_stored);
	lab_end(lab);
}

/* Sent once more it is neither asked about nor logged; a vote for nil still counts as that. */
static void what_was_refused_is_not_asked_again(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = extended_lab(&b);
	struct cmt_vote vote = extended_vote(lab, other(lab, 1), &b, "X");
	send(lab, &vote);
	size_t logged = lab->log_size, asked = lab->last_at[BFT_EFFECT_VERIFY_EXTENSION];
	vote = extended_vote(lab, other(lab, 1), &b, "X once more");
	send(lab, &vote);
	assert_int_equal(lab->log_size, logged);
	assert_int_equal(lab->last_at[BFT_EFFECT_VERIFY_EXTENSION], asked);
	assert_int_equal(lab->faults, 0);
	vote = lab_make_vote(lab, other(lab, 1), CMT_PRECOMMIT, 0, NULL);
	send(lab, &vote);
	assert_true(lab->log_size > logged);
	lab_end(lab);
}

/* Our precommit told to us without its extension: it is a peer's doing, and our signer, which has one
 * in that place, must not take it for a second thing that our key has signed. */
static void our_own_vote_without_its_extension(void **unused)
{
	(void)unused;
	struct lab_block b;
	struct lab *lab = extended_lab(&b);
	struct bft_message told = {.type = BFT_MESSAGE_OWN_VOTES};
	lab_voted(lab, CMT_PRECOMMIT, 0, &b);
	told.own_votes.height = 1;
	told.own_votes.count = 1;
	told.own_votes.votes[0] = lab->votes[lab->vote_count - 1];
	told.own_votes.votes[0].extension = CS_BYTES_NONE;
	memset(&told.own_votes.votes[0].extension_signature, 0,
	       sizeof told.own_votes.votes[0].extension_signature);
	lab_message(lab, other(lab, 1), &told);
	assert_int_equal(lab->faults, 1);
	assert_true(lab->fault_proven);
	assert_int_equal(lab->alarms, 0);
	assert_true(lab->signed_last.has_extension);
	/* Nor one that is another's. */
	told.own_votes.votes[0] = lab->votes[lab->vote_count - 1];
	told.own_votes.votes[0].extension = cs_bytes_str("another");
	lab_message(lab, other(lab, 1), &told);
	assert_int_equal(lab->faults, 2);
	lab_end(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_with_extensions),
		cmocka_unit_test(refuses_votes_without_theirs),
		cmocka_unit_test(rejected_extensions_do_not_count),
		cmocka_unit_test(a_commit_without_its_extensions_is_refused),
		cmocka_unit_test(what_nobody_signed_is_refused),
		cmocka_unit_test(what_was_refused_is_not_asked_again),
		cmocka_unit_test(our_own_vote_without_its_extension),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
