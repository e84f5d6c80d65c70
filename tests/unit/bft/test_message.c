/* Messages between engines: each kind there and back, and what must be refused. */
#include "tests/unit/bft/lab.h"

static uint8_t memory[256 * 1024];

static struct cs_bytes encode(const struct bft_message *m)
{
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	bft_message_encode(&buf, m);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	return cs_buf_view(&buf);
}

static void there_and_back(const struct bft_message *m)
{
	static uint8_t again[256 * 1024];
	struct bft_message read;
	struct cs_buf buf;
	struct cs_bytes bytes = encode(m);
	assert_int_equal(bft_message_decode(&read, bytes), CS_OK);
	assert_int_equal(read.type, m->type);
	cs_buf_init(&buf, again, sizeof again);
	bft_message_encode(&buf, &read);
	assert_true(cs_bytes_eq(cs_buf_view(&buf), bytes));
	/* Cut anywhere, or with a byte more: refused. */
	for (size_t n = 0; n < bytes.n; n += 1 + n / 64)
		assert_int_not_equal(bft_message_decode(&read, cs_bytes(bytes.p, n)), CS_OK);
	memory[bytes.n] = 0;
	assert_int_not_equal(bft_message_decode(&read, cs_bytes(bytes.p, bytes.n + 1)), CS_OK);
}

static void all_kinds(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	struct lab_block b = lab_make_block(lab, 1, "one");
	struct cmt_part_set parts;
	struct bft_message m = {.type = BFT_MESSAGE_VOTE};
	m.vote = lab_make_vote(lab, 1, CMT_PREVOTE, 3, &b);
	there_and_back(&m);
	m.vote = lab_make_vote(lab, 1, CMT_PRECOMMIT, 0, NULL);
	there_and_back(&m);
	m = (struct bft_message){.type = BFT_MESSAGE_PROPOSAL};
	m.proposal = (struct cmt_proposal){1, 2, -1, b.id, bft_time_pb(LAB_NOW), {.some = true}};
	there_and_back(&m);
	assert_int_equal(cmt_part_set_make(&parts, cs_bytes(b.bytes, b.size), &lab->scratch),
			 CS_OK);
	m = (struct bft_message){.type = BFT_MESSAGE_PART};
	m.part.height = 1;
	cmt_part_get(&m.part.part, &parts, 0);
	there_and_back(&m);
	m = (struct bft_message){.type = BFT_MESSAGE_STATUS};
	m.status = (struct bft_status){.height = 9,
				       .round = 2,
				       .step = 3,
				       .has_proposal = true,
				       .has_parts = true,
				       .parts = b.id.parts,
				       .parts_have = 5,
				       .votes_count = 2};
	m.status.votes[0] = (struct bft_status_votes){2, CMT_PREVOTE, true, b.id, 7};
	m.status.votes[1] = (struct bft_status_votes){.round = 1, .type = CMT_PRECOMMIT};
	there_and_back(&m);
	m = (struct bft_message){.type = BFT_MESSAGE_OWN_ASK};
	m.own_ask.height = 4;
	m.own_ask.validator = cmt_address(&lab->key[2]);
	there_and_back(&m);
	m = (struct bft_message){.type = BFT_MESSAGE_OWN_VOTES};
	m.own_votes.height = 4;
	m.own_votes.count = 1;
	m.own_votes.votes[0] = lab_make_vote(lab, 2, CMT_PRECOMMIT, 0, &b);
	there_and_back(&m);
	m = (struct bft_message){.type = BFT_MESSAGE_BLOCK_REQUEST, .block_request = 77};
	there_and_back(&m);
	m = (struct bft_message){.type = BFT_MESSAGE_BLOCK_ANSWER};
	m.block_answer.height = 77;
	there_and_back(&m);
	m.block_answer.block = cs_bytes(b.bytes, b.size);
	m.block_answer.commit = cs_bytes_str("commit");
	there_and_back(&m);
	m = (struct bft_message){.type = BFT_MESSAGE_EVIDENCE};
	m.evidence = cs_bytes_str("evidence");
	there_and_back(&m);
	lab_end(lab);
}

static void refuse(const struct bft_message *m, enum cs_err err)
{
	struct bft_message out;
	memset(&out, 0x5a, sizeof out);
	assert_int_equal(bft_message_decode(&out, encode(m)), err);
	const uint8_t *bytes = (const uint8_t *)&out;
	assert_true(bytes[0] == 0x5a && memcmp(bytes, bytes + 1, sizeof out - 1) == 0);
}

static void refusals(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	struct lab_block b = lab_make_block(lab, 1, "one");
	struct bft_message m = {.type = (enum bft_message_type)38};
	refuse(&m, CS_ERR_UNSUPPORTED);
	/* A POL of its own round or a later one. */
	m = (struct bft_message){.type = BFT_MESSAGE_PROPOSAL};
	m.proposal = (struct cmt_proposal){1, 2, 2, b.id, bft_time_pb(LAB_NOW), {.some = true}};
	refuse(&m, CS_ERR_INVALID);
	m = (struct bft_message){.type = BFT_MESSAGE_STATUS};
	m.status.round = 1;
	refuse(&m, CS_ERR_INVALID);
	m.status.height = 1;
	m.status.votes_count = 1;
	m.status.votes[0].type = CMT_PROPOSAL;
	refuse(&m, CS_ERR_OVERFLOW);
	m = (struct bft_message){.type = BFT_MESSAGE_BLOCK_ANSWER};
	m.block_answer.height = 1;
	m.block_answer.block = cs_bytes_str("a block without a commit");
	refuse(&m, CS_ERR_INVALID);
	m = (struct bft_message){.type = BFT_MESSAGE_BLOCK_REQUEST};
	refuse(&m, CS_ERR_INVALID);
	/* A vote whose extension is above our bound, which CometBFT would take. */
	static uint8_t large[BFT_EXTENSION_SIZE_MAX + 1];
	m = (struct bft_message){.type = BFT_MESSAGE_VOTE};
	m.vote = lab_make_vote(lab, 1, CMT_PRECOMMIT, 0, &b);
	m.vote.extension = CS_BYTES_OF(large);
	m.vote.extension_signature = m.vote.signature;
	refuse(&m, CS_ERR_TOO_LARGE);
	struct bft_message out;
	assert_int_equal(bft_message_decode(&out, CS_BYTES_NONE), CS_ERR_TRUNCATED);
	lab_end(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds),
		cmocka_unit_test(refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
