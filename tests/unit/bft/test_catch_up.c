/* A node that is behind: several blocks are under way, applied in order of height; a block that its
 * commit does not prove is its sender's fault, and asked of somebody else. */
#include "relay_state/bft/sync.h"
#include "tests/unit/bft/lab.h"

#define CHAIN 6
#define FAR 100

struct made_block {
	struct lab_block block;
	uint8_t commit[4096];
	size_t commit_size;
};

struct behind {
	struct lab *lab;
	struct made_block made[CHAIN + 1]; /* by height */
	unsigned peers[3];
};

static void commit_block(struct lab *lab, struct cmt_commit *commit,
			 struct cmt_commit_sig sigs[LAB_KEYS], const struct lab_block *block,
			 int64_t height)
{
	*commit = (struct cmt_commit){
		.height = height, .block_id = block->id, .sigs = sigs, .count = LAB_KEYS};
	for (unsigned i = 0; i < LAB_KEYS; i++) {
		struct cmt_vote vote = {.type = CMT_PRECOMMIT,
					.height = height,
					.block_id = block->id,
					.validator = cmt_address(&lab->key[i]),
					.index = (int32_t)i};
		uint8_t bytes[CMT_SIGN_BYTES_MAX];
		struct cs_buf buf;
		vote.time = bft_time_pb(LAB_NOW + height * 10000000);
		cs_buf_init(&buf, bytes, sizeof bytes);
		cmt_vote_sign_bytes(&buf, &vote, &lab->state.chain_id);
		vote.signature.some = true;
		assert_int_equal(
			cs_ed25519_sign(vote.signature.b, &lab->secret[i], cs_buf_view(&buf)),
			CS_OK);
		sigs[i] = cmt_commit_sig_of(i == lab->own ? NULL : &vote);
	}
}

static void make_block(struct lab *lab, struct made_block *made, struct bft_state *state,
		       const struct cmt_commit *last)
{
	static const struct cs_hash hash;
	const struct bft_finalized finalized = {.results_hash = hash,
						.app_hash = CS_BYTES_OF(hash.b)};
	struct cmt_block block = {.last_commit = *last};
	struct cs_bytes tx = cs_bytes_str("tx");
	struct cs_address address = cmt_address(&lab->key[1]);
	struct cmt_part_set parts;
	struct cs_buf buf;
	assert_int_equal(bft_state_header(&block.header, state, last, &address), CS_OK);
	block.txs = &tx;
	block.tx_count = 1;
	assert_int_equal(cmt_block_fill_hashes(&block, &lab->scratch), CS_OK);
	cs_buf_init(&buf, made->block.bytes, sizeof made->block.bytes);
	cmt_block_encode(&buf, &block);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	made->block.size = buf.n;
	assert_int_equal(cmt_part_set_make(&parts, cs_buf_view(&buf), &lab->scratch), CS_OK);
	struct cs_hash header = cmt_header_hash(&block.header);
	made->block.id = (struct cmt_block_id){cmt_hash_of(&header), parts.header};
	assert_int_equal(bft_state_apply(state, &made->block.id, &block.header, &finalized,
					 &lab->scratch, NULL),
			 CS_OK);
}

static struct behind *begin(void)
{
	struct behind *b = calloc(1, sizeof *b);
	assert_non_null(b);
	b->lab = lab_start(false);
	struct bft_state *state = calloc(1, sizeof *state);
	struct cmt_commit_sig sigs[2][LAB_KEYS];
	struct cmt_commit last = {0};
	assert_non_null(state);
	bft_state_init(state);
	bft_state_copy(state, &b->lab->state);
	for (int64_t h = 1; h <= CHAIN; h++) {
		struct made_block *made = &b->made[h];
		struct cs_buf buf;
		size_t mark = cs_arena_mark(&b->lab->scratch);
		make_block(b->lab, made, state, &last);
		commit_block(b->lab, &last, sigs[h % 2], &made->block, h);
		cs_buf_init(&buf, made->commit, sizeof made->commit);
		cmt_extended_commit_encode(&buf, &last);
		assert_int_equal(cs_buf_end(&buf), CS_OK);
		made->commit_size = buf.n;
		cs_arena_rewind(&b->lab->scratch, mark);
	}
	free(state);
	for (unsigned i = 0, k = 0; i < LAB_KEYS; i++) {
		if (i != b->lab->own)
			b->peers[k++] = i;
	}
	return b;
}

static void end(struct behind *b)
{
	bft_free(b->lab->bft);
	free(b->lab);
	free(b);
}

static void claim(struct behind *b, unsigned peer, int64_t height)
{
	struct bft_message m = {.type = BFT_MESSAGE_STATUS};
	m.status.height = height;
	m.status.step = BFT_STEP_PROPOSE;
	lab_message(b->lab, peer, &m);
}

/* The block of `what` as the one of `height`. */
static void answer_with(struct behind *b, unsigned peer, int64_t height, int64_t what)
{
	const struct made_block *made = &b->made[what];
	struct bft_message m = {.type = BFT_MESSAGE_BLOCK_ANSWER};
	m.block_answer.height = height;
	m.block_answer.block = cs_bytes(made->block.bytes, made->block.size);
	m.block_answer.commit = cs_bytes(made->commit, made->commit_size);
	lab_message(b->lab, peer, &m);
}

/* Who was asked for it last. */
static unsigned asked(const struct behind *b, int64_t height)
{
	for (size_t i = b->lab->asked_count; i-- > 0;) {
		if (b->lab->asked[i].height == height)
			return b->lab->asked[i].peer;
	}
	return UINT32_MAX;
}

static void answer(struct behind *b, int64_t height)
{
	answer_with(b, asked(b, height), height, height);
}

static int64_t at(const struct behind *b)
{
	return bft_look(b->lab->bft).height;
}

/* Everybody is far ahead. The size of an answer is learned with the first. */
static struct behind *begin_asked(void)
{
	struct behind *b = begin();
	for (unsigned i = 0; i < 3; i++)
		claim(b, b->peers[i], FAR);
	assert_int_equal(b->lab->asked_count, 2);
	answer(b, 1);
	assert_int_equal(at(b), 2);
	for (int64_t h = 2; h <= CHAIN; h++)
		assert_int_not_equal(asked(b, h), UINT32_MAX);
	return b;
}

static void out_of_order_in_order(void **unused)
{
	(void)unused;
	struct behind *b = begin_asked();
	assert_int_not_equal(asked(b, 3), asked(b, 4));
	for (int64_t h = CHAIN; h > 2; h--) {
		answer(b, h);
		assert_int_equal(at(b), 2);
	}
	answer(b, 2);
	assert_int_equal(at(b), CHAIN + 1);
	assert_int_equal(b->lab->stored_height, CHAIN);
	assert_true(cmt_block_id_eq(&b->lab->stored_id, &b->made[CHAIN].block.id));
	assert_int_equal(b->lab->faults, 0);
	assert_false(b->lab->halted);
	end(b);
}

/* Held, then found out: its sender alone is at fault, and another one is asked. */
static void refuse_held(void (*lie)(struct behind *b, unsigned peer))
{
	struct behind *b = begin_asked();
	unsigned liar = asked(b, 4);
	lie(b, liar);
	answer(b, 3);
	assert_int_equal(b->lab->faults, 0);
	answer(b, 2);
	assert_int_equal(at(b), 4);
	assert_int_equal(b->lab->faults, 1);
	assert_int_equal(b->lab->faulty, liar);
	assert_true(b->lab->fault_proven);
	assert_int_not_equal(asked(b, 4), liar);
	answer(b, 4);
	assert_int_equal(at(b), 5);
	assert_int_equal(b->lab->faults, 1);
	assert_false(b->lab->halted);
	end(b);
}

static void lie_bytes(struct behind *b, unsigned peer)
{
	struct made_block *made = &b->made[4];
	made->block.bytes[made->block.size / 2] ^= 1;
	answer_with(b, peer, 4, 4);
	made->block.bytes[made->block.size / 2] ^= 1;
}

static void lie_commit(struct behind *b, unsigned peer)
{
	struct made_block *made = &b->made[4];
	made->commit[made->commit_size - 1] ^= 1;
	answer_with(b, peer, 4, 4);
	made->commit[made->commit_size - 1] ^= 1;
}

static void lie_height(struct behind *b, unsigned peer)
{
	answer_with(b, peer, 4, 5);
}

static void a_lying_block(void **unused)
{
	(void)unused;
	refuse_held(lie_bytes);
	refuse_held(lie_commit);
}

static void a_block_of_another_height(void **unused)
{
	(void)unused;
	refuse_held(lie_height);
	/* Of the height in work at once. */
	struct behind *b = begin_asked();
	unsigned liar = asked(b, 2);
	answer_with(b, liar, 2, 3);
	assert_int_equal(at(b), 2);
	assert_int_equal(b->lab->faulty, liar);
	assert_true(b->lab->fault_proven);
	assert_int_not_equal(asked(b, 2), liar);
	answer(b, 2);
	assert_int_equal(at(b), 3);
	end(b);
}

static void silence(void **unused)
{
	(void)unused;
	struct behind *b = begin_asked();
	unsigned silent = asked(b, 2);
	for (unsigned i = 0; i < BFT_SYNC_PATIENCE; i++)
		lab_timeout(b->lab, BFT_TIMER_STATUS, 0);
	/* All were silent; one of them says where it is. */
	claim(b, b->peers[b->peers[0] == silent ? 1 : 0], FAR);
	assert_int_not_equal(asked(b, 2), silent);
	/* Late is not lost, and no fault. */
	answer_with(b, silent, 2, 2);
	assert_int_equal(at(b), 3);
	answer(b, 2);
	assert_int_equal(at(b), 3);
	assert_int_equal(b->lab->faults, 0);
	end(b);
}

static void a_peer_that_goes_away(void **unused)
{
	(void)unused;
	struct behind *b = begin_asked();
	unsigned gone = asked(b, 3);
	struct bft_event down = {.type = BFT_EVENT_PEER_DOWN, .peer = gone};
	answer_with(b, gone, 3, 4);
	lab_event(b->lab, &down);
	assert_int_not_equal(asked(b, 3), gone);
	/* What it left would have been a lie; whoever has its place now is not blamed. */
	answer(b, 3);
	answer(b, 2);
	assert_int_equal(at(b), 4);
	assert_int_equal(b->lab->faults, 0);
	end(b);
}

static void twice_and_unasked(void **unused)
{
	(void)unused;
	struct behind *b = begin_asked();
	unsigned peer = asked(b, 3);
	answer(b, 3);
	answer(b, 3);
	answer_with(b, peer, 3, 5);
	answer_with(b, peer, 2 + BFT_SYNC_AHEAD, 5);
	answer(b, 2);
	assert_int_equal(at(b), 4);
	answer_with(b, peer, 3, 3);
	answer_with(b, peer, 1, 1);
	assert_int_equal(at(b), 4);
	assert_int_equal(b->lab->faults, 0);
	end(b);
}

static void not_there(void **unused)
{
	(void)unused;
	struct behind *b = begin_asked();
	unsigned without = asked(b, 2);
	struct bft_message m = {.type = BFT_MESSAGE_BLOCK_ANSWER};
	m.block_answer.height = 2;
	lab_message(b->lab, without, &m);
	assert_int_not_equal(asked(b, 2), without);
	answer(b, 2);
	assert_int_equal(at(b), 3);
	assert_int_equal(b->lab->faults, 0);
	end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_of_order_in_order),
		cmocka_unit_test(a_lying_block),
		cmocka_unit_test(a_block_of_another_height),
		cmocka_unit_test(silence),
		cmocka_unit_test(a_peer_that_goes_away),
		cmocka_unit_test(twice_and_unasked),
		cmocka_unit_test(not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
