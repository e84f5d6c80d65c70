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

/* The same body with something more, twice, in another order, behind a longer length. */
static void no_other_form(const struct bft_message *m)
{
	static uint8_t other[256 * 1024];
	struct bft_message read;
	struct cs_bytes bytes = encode(m), rest, first;
	struct cs_pb_field field;
	struct cs_buf buf;
	assert_int_equal(cs_pb_next(&bytes, &field), CS_OK);
	struct cs_bytes body = first = rest = field.bytes;
	assert_int_equal(cs_pb_next(&rest, &field), CS_OK);
	first.n -= rest.n;
	for (int form = 0; form < 4; form++) {
		cs_buf_init(&buf, other, sizeof other);
		if (form == 3) {
			/* A length in one byte more than it takes. */
			cs_pb_put_varint(&buf, (uint64_t)m->type << 3 | CS_PB_BYTES);
			size_t from = buf.n;
			cs_pb_put_varint(&buf, body.n);
			other[buf.n - 1] |= 0x80;
			cs_put_u8(&buf, 0);
			assert_true(buf.n > from);
			cs_put(&buf, body);
		} else {
			size_t begin = cs_pb_begin(&buf, (uint32_t)m->type);
			cs_put(&buf, form == 2 ? rest : body);
			if (form == 0)
				cs_pb_put_uint(&buf, 15, 1);
			else
				cs_put(&buf, first);
			cs_pb_end(&buf, begin);
		}
		assert_int_equal(cs_buf_end(&buf), CS_OK);
		enum cs_err err = bft_message_decode(&read, cs_buf_view(&buf));
		if (form == 0)
			assert_int_equal(err, CS_ERR_UNKNOWN_FIELD);
		else if (form == 1)
			assert_true(err == CS_ERR_DUPLICATE || err == CS_ERR_NON_CANONICAL);
		else if (form == 2 && rest.n > 0)
			assert_true(err != CS_OK);
		else if (form == 3)
			assert_int_equal(err, CS_ERR_NON_CANONICAL);
	}
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
	no_other_form(m);
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
	const struct cmt_vote long_vote = m.vote;
	m = (struct bft_message){.type = BFT_MESSAGE_OWN_VOTES};
	m.own_votes.height = 1;
	m.own_votes.count = 1;
	m.own_votes.votes[0] = long_vote;
	refuse(&m, CS_ERR_TOO_LARGE);
	struct bft_message out;
	assert_int_equal(bft_message_decode(&out, CS_BYTES_NONE), CS_ERR_TRUNCATED);
	lab_end(lab);
}

/* Wrong under every header, before there is one. */
static void parts_that_are_none(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	static uint8_t block[3 * CMT_PART_SIZE - 5];
	struct cmt_part_set parts;
	struct bft_message good = {.type = BFT_MESSAGE_PART}, m;
	assert_int_equal(cmt_part_set_make(&parts, CS_BYTES_OF(block), &lab->scratch), CS_OK);
	good.part.height = 1;
	cmt_part_get(&good.part.part, &parts, 1);
	assert_int_equal(bft_message_decode(&m, encode(&good)), CS_OK);
	m = good;
	m.part.part.index = 0;
	refuse(&m, CS_ERR_BAD_PROOF);
	m.part.part.index = 1;
	m.part.part.proof.index = 2;
	refuse(&m, CS_ERR_BAD_PROOF);
	m = good;
	m.part.part.index = 3;
	m.part.part.proof.index = 3;
	refuse(&m, CS_ERR_INVALID);
	m = good;
	m.part.part.proof.total = BFT_PARTS_MAX + 1;
	refuse(&m, CS_ERR_TOO_LARGE);
	/* One that is not the last and shorter; an empty one; one that is longer. */
	m = good;
	m.part.part.bytes.n--;
	refuse(&m, CS_ERR_INVALID);
	cmt_part_get(&m.part.part, &parts, 2);
	m.part.part.bytes.n = 0;
	refuse(&m, CS_ERR_INVALID);
	m = good;
	m.part.part.bytes = cs_bytes(block, CMT_PART_SIZE + 1);
	refuse(&m, CS_ERR_TOO_LARGE);
	m = good;
	m.part.height = 0;
	refuse(&m, CS_ERR_INVALID);
	lab_end(lab);
}

static void too_many(void **unused)
{
	(void)unused;
	struct lab *lab = lab_make(0, 0);
	struct cmt_vote vote = lab_make_vote(lab, 2, CMT_PRECOMMIT, 0, NULL);
	struct bft_message out;
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	size_t begin = cs_pb_begin(&buf, BFT_MESSAGE_OWN_VOTES);
	cs_pb_put_int(&buf, 1, 4);
	for (size_t i = 0; i <= BFT_OWN_VOTES_MAX; i++) {
		size_t inner = cs_pb_begin(&buf, 2);
		cmt_vote_encode(&buf, &vote);
		cs_pb_end(&buf, inner);
	}
	cs_pb_end(&buf, begin);
	assert_int_equal(bft_message_decode(&out, cs_buf_view(&buf)), CS_ERR_TOO_LARGE);
	/* Evidence above what is ever kept. */
	cs_buf_init(&buf, memory, sizeof memory);
	begin = cs_pb_begin(&buf, BFT_MESSAGE_EVIDENCE);
	static uint8_t large[BFT_MESSAGE_SIZE_MAX];
	cs_pb_put_bytes(&buf, 1, CS_BYTES_OF(large));
	cs_pb_end(&buf, begin);
	assert_int_equal(bft_message_decode(&out, cs_buf_view(&buf)), CS_ERR_TOO_LARGE);
	lab_end(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds),
		cmocka_unit_test(refusals),
		cmocka_unit_test(parts_that_are_none),
		cmocka_unit_test(too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
