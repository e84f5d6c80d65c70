/* Blocks as bytes: what fits neither the parameters nor the configuration, what is not the block that
 * was proposed, and what could not be judged. */
#include "tests/unit/bft/lab.h"

#include <openssl/crypto.h>

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

/* Not begun: blocks of at most `chain` bytes by the parameters, of `config` by the configuration. */
static struct lab *lab_of_sizes(size_t chain, size_t config)
{
	struct lab *lab = lab_make(0, 0);
	unsigned own = lab_proposer(lab, 3);
	lab_end(lab);
	lab = lab_make(own, 0);
	bft_free(lab->bft);
	lab->state.params.block_size_max = (int64_t)chain;
	lab->block_size_max = config;
	lab_new_engine(lab);
	return lab;
}

static size_t size_of_a_block(void)
{
	struct lab *lab = lab_of_sizes(1024, 1024);
	size_t size = lab_make_block(lab, 0, "one").size;
	lab_end(lab);
	return size;
}

static void offer(struct lab *lab, struct lab_block *b)
{
	lab_begin(lab);
	*b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_propose(lab, b, 0, -1);
	lab_parts(lab, b, 0);
}

/* One part, so that the number of parts says nothing: to the byte. */
static void a_block_above_the_parameter_is_invalid(void **unused)
{
	(void)unused;
	struct lab_block b;
	size_t size = size_of_a_block();
	struct lab *lab = lab_of_sizes(size, 1024);
	offer(lab, &b);
	assert_int_equal(b.size, size);
	lab_voted(lab, CMT_PREVOTE, 0, &b);
	lab_end(lab);
	lab = lab_of_sizes(size - 1, 1024);
	offer(lab, &b);
	assert_int_equal(b.size, size);
	lab_voted(lab, CMT_PREVOTE, 0, NULL);
	assert_int_equal(lab->alarms, 0);
	lab_end(lab);
}

/* A part that its proof allows, and that the memory for the block has no room for. */
static void a_part_above_the_configuration_is_left_out(void **unused)
{
	(void)unused;
	struct lab_block b;
	size_t size = size_of_a_block();
	struct lab *lab = lab_of_sizes(size - 1, size - 1);
	size_t logged;
	lab_begin(lab);
	b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	lab_propose(lab, &b, 0, -1);
	logged = lab->log_size;
	lab_parts(lab, &b, 0);
	assert_int_equal(lab->log_size, logged);
	assert_int_equal(lab->vote_count, 0);
	lab_end(lab);
}

/* The parts are those of the proposal, the header is another's. */
static void another_header_than_was_proposed(void **unused)
{
	(void)unused;
	struct lab *lab = lab_of_sizes(1024, 1024);
	lab_begin(lab);
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	b.id.hash.hash.b[0] ^= 1;
	lab_propose(lab, &b, 0, -1);
	lab_parts(lab, &b, 0);
	lab_voted(lab, CMT_PREVOTE, 0, NULL);
	lab_end(lab);
}

/* A quorum of others names more parts than a block of the chain can have: there is no memory behind the
 * first, where the second would go. */
static void quorums_for_too_many_parts_take_no_slot(void **unused)
{
	(void)unused;
	static uint8_t bytes[CMT_PART_SIZE + 10];
	struct lab *lab = lab_of_sizes(1024, 1024);
	struct lab_block b = {.id.hash = {.some = true}};
	struct bft_message m = {.type = BFT_MESSAGE_PART};
	struct cmt_part_set parts;
	lab_begin(lab);
	assert_int_equal(cmt_part_set_make(&parts, CS_BYTES_OF(bytes), &lab->scratch), CS_OK);
	assert_int_equal(parts.header.total, 2);
	b.id.parts = parts.header;
	lab_votes(lab, 3, CMT_PRECOMMIT, 0, &b);
	size_t logged = lab->log_size;
	m.part.height = 1;
	cmt_part_get(&m.part.part, &parts, 1);
	lab_message(lab, 1, &m);
	assert_int_equal(lab->log_size, logged);
	assert_false(lab->is_stored);
	lab_end(lab);
}

/* A peer that is ahead is asked for block 1, and sends this one with three precommits. */
static void send_decided(struct lab *lab, const struct lab_block *b)
{
	unsigned peer = (lab->own + 1) % LAB_KEYS;
	struct bft_message ahead = {.type = BFT_MESSAGE_STATUS};
	struct bft_message m = {.type = BFT_MESSAGE_BLOCK_ANSWER};
	struct cmt_commit_sig sigs[LAB_KEYS];
	struct cmt_commit commit = {
		.height = 1, .block_id = b->id, .sigs = sigs, .count = LAB_KEYS};
	uint8_t bytes[4096];
	struct cs_buf buf;
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		struct cmt_vote vote = lab_make_vote(lab, i, CMT_PRECOMMIT, 0, b);
		sigs[i] = cmt_commit_sig_of(i == lab->own ? NULL : &vote);
	}
	cs_buf_init(&buf, bytes, sizeof bytes);
	cmt_extended_commit_encode(&buf, &commit);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	ahead.status.height = 3;
	ahead.status.step = BFT_STEP_PROPOSE;
	lab_message(lab, peer, &ahead);
	m.block_answer.height = 1;
	m.block_answer.block = cs_bytes(b->bytes, b->size);
	m.block_answer.commit = cs_buf_view(&buf);
	lab_message(lab, peer, &m);
}

/* No honest node has decided a block that is too large: its sender's fault. One that is invalid, and
 * that a commit proves, is for a person to look at. */
static void decided_blocks_are_judged_too(void **unused)
{
	(void)unused;
	size_t size = size_of_a_block();
	for (size_t less = 0; less < 2; less++) {
		struct lab *lab = lab_of_sizes(size - less, 1024);
		lab_begin(lab);
		struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
		send_decided(lab, &b);
		assert_int_equal(lab->is_stored, less == 0);
		assert_int_equal(lab->faults, less);
		assert_false(lab->halted);
		lab_end(lab);
	}
	struct lab *lab = lab_of_sizes(1024, 1024);
	lab_begin(lab);
	lab->state.params.app_version++;
	struct lab_block b = lab_make_block(lab, lab_proposer(lab, 0), "one");
	send_decided(lab, &b);
	assert_true(lab->halted);
	assert_false(lab->is_stored);
	assert_int_equal(lab->faults, 0);
	lab_end(lab);
}

/* Block 2 brings a signature of the last commit that is not known yet, and there is no memory to check
 * it: invalid here, and somebody is told why. */
static void a_block_that_could_not_be_judged_is_told(void **unused)
{
	(void)unused;
	for (int lacks = 0; lacks < 2; lacks++) {
		struct lab *lab = lab_of_sizes(64 * 1024, 64 * 1024);
		struct cmt_commit commit;
		struct cs_buf buf;
		struct lab_block b;
		offer(lab, &b);
		lab_votes(lab, 2, CMT_PREVOTE, 0, &b);
		lab_votes(lab, 2, CMT_PRECOMMIT, 0, &b);
		assert_int_equal(bft_look(lab->bft).height, 2);
		assert_int_equal(cmt_extended_commit_decode(
					 &commit,
					 cs_bytes(lab->stored_commit, lab->stored_commit_size),
					 &lab->scratch, NULL),
				 CS_OK);
		for (unsigned i = 0; i < LAB_KEYS; i++) {
			struct cmt_vote vote = lab_make_vote(lab, i, CMT_PRECOMMIT, 0, &b);
			if (commit.sigs[i].flag == CMT_ABSENT)
				commit.sigs[i] = cmt_commit_sig_of(&vote);
		}
		static uint8_t bytes[sizeof lab->stored_commit];
		cs_buf_init(&buf, bytes, sizeof bytes);
		cmt_extended_commit_encode(&buf, &commit);
		assert_int_equal(cs_buf_end(&buf), CS_OK);
		memcpy(lab->stored_commit, bytes, buf.n);
		lab->stored_commit_size = buf.n;
		bft_state_copy(&lab->state, bft_state_view(lab->bft));
		lab->height = 2;
		unsigned proposer = lab_proposer(lab, 0);
		struct lab_block two = lab_make_block(lab, proposer, "two");
		lab_propose(lab, &two, 0, -1);
		lab->vote_count = 0;
		lab->hold_sign = true;
		no_memory = lacks == 1;
		lab_parts(lab, &two, 0);
		no_memory = false;
		assert_int_equal(lab->alarms, lacks);
		assert_int_equal(lab->faults, 0);
		lab_end(lab);
	}
}

/* A node whose memory is below what the chain's blocks may need would halt in its middle. */
static void a_configuration_below_the_parameters_is_refused(void **unused)
{
	(void)unused;
	static const struct {
		int64_t chain;
		size_t config;
		enum cs_err err;
	} cases[] = {
		{1024, 1024, CS_OK},
		{1024, 1023, CS_ERR_INVALID},
		{1024, 0, CS_OK},
		{-1, 0, CS_OK},
		{-1, BFT_BLOCK_SIZE_MAX - 1, CS_ERR_INVALID},
		{5 * 1024 * 1024, BFT_BLOCK_SIZE_MAX, CS_OK},
		{5 * 1024 * 1024, BFT_BLOCK_SIZE_MAX - 1, CS_ERR_INVALID},
		{1024, BFT_BLOCK_SIZE_MAX + 1, CS_ERR_INVALID},
	};
	struct lab *lab = lab_make(0, 0);
	struct bft_config config = {
		.propose_ns = 1000,
		.prevote_ns = 1000,
		.precommit_ns = 1000,
		.status_ns = 1000,
		.history = {lab, lab_no_set, lab_time, lab_no_header, lab_not_committed},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct bft *bft = NULL;
		config.block_size_max = cases[i].config;
		lab->state.params.block_size_max = cases[i].chain;
		assert_int_equal(bft_new(&bft, &config, &lab->state, CS_BYTES_NONE), cases[i].err);
		assert_int_equal(bft != NULL, cases[i].err == CS_OK);
		bft_free(bft);
	}
	lab_end(lab);
}

int main(void)
{
	/* Before its first use. */
	cs_assert(CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) == 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_above_the_parameter_is_invalid),
		cmocka_unit_test(a_part_above_the_configuration_is_left_out),
		cmocka_unit_test(another_header_than_was_proposed),
		cmocka_unit_test(quorums_for_too_many_parts_take_no_slot),
		cmocka_unit_test(decided_blocks_are_judged_too),
		cmocka_unit_test(a_block_that_could_not_be_judged_is_told),
		cmocka_unit_test(a_configuration_below_the_parameters_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
