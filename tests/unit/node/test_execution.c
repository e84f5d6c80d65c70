/* What an application hears of misbehaviour: before the block that carries the evidence is made, and
 * about the block. */
#include "relay_state/node/execution.h"
#include "tests/unit/bft/past.h"

static void check_guilty(const struct abci_misbehaviors *m, const struct cmt_evidence *e)
{
	const struct cmt_light_attack *a = &e->light_attack;
	assert_int_equal(m->count, a->byzantine_count);
	assert_int_equal(m->count, 2);
	for (size_t i = 0; i < m->count; i++) {
		const struct abci_misbehavior *one = &m->items[i];
		assert_int_equal(one->type, ABCI_LIGHT_CLIENT_ATTACK);
		assert_int_equal(one->height, 3);
		assert_int_equal(one->total_voting_power, 40);
		assert_int_equal(one->validator.power, 10);
		assert_true(cs_bytes_eq(one->validator.address,
					CS_BYTES_OF(a->byzantine[i].address.b)));
		assert_int_equal(cs_pb_time_cmp(one->time, a->time), 0);
	}
}

static void told_before_the_block_is_made(void **unused)
{
	(void)unused;
	static uint8_t memory[16384];
	struct past past;
	struct abci_request request;
	struct abci_bytes_list none = {0};
	struct bft_effect effect = {.type = BFT_EFFECT_PREPARE, .size_max = 1000};
	struct cs_buf buf;
	past_init(&past);
	struct cmt_light_block block = past_lunatic(6, 2, 2);
	struct cmt_evidence e = past_attack(&past, &block, 6, 3);
	cs_buf_init(&buf, memory, sizeof memory);
	size_t begin = cs_pb_begin(&buf, 1);
	cmt_evidence_encode(&buf, &e);
	cs_pb_end(&buf, begin);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	effect.evidence = cs_buf_view(&buf);
	assert_int_equal(node_ask_prepare(&request, &past.state, &effect, &none,
					  &past.set.list[0].address, &past.scratch, NULL),
			 CS_OK);
	assert_int_equal(request.method, ABCI_PREPARE_PROPOSAL);
	assert_int_equal(request.prepare_proposal.max_tx_bytes, 1000);
	check_guilty(&request.prepare_proposal.misbehavior, &e);
	/* What is no list of evidence is a failure, not a block without. */
	effect.evidence.n--;
	assert_int_not_equal(node_ask_prepare(&request, &past.state, &effect, &none,
					      &past.set.list[0].address, &past.scratch, NULL),
			     CS_OK);
	free(past.scratch.block);
}

static void told_about_the_block(void **unused)
{
	(void)unused;
	static uint8_t memory[16384];
	struct past past;
	struct node_block read;
	struct cs_buf buf;
	past_init(&past);
	struct cmt_light_block attack = past_lunatic(6, 2, 2);
	struct cmt_evidence e = past_attack(&past, &attack, 6, 3);
	struct cmt_block block = {.header = past.blocks[9].header,
				  .last_commit = past.blocks[8].commit,
				  .evidence = &e,
				  .evidence_count = 1};
	assert_int_equal(cmt_block_fill_hashes(&block, &past.scratch), CS_OK);
	cs_buf_init(&buf, memory, sizeof memory);
	cmt_block_encode(&buf, &block);
	assert_int_equal(cs_buf_end(&buf), CS_OK);
	assert_int_equal(node_block_read(&read, cs_buf_view(&buf), &past.set, &past.scratch, NULL),
			 CS_OK);
	check_guilty(&read.misbehavior, &e);
	struct abci_request request = node_ask_finalize(&read);
	check_guilty(&request.finalize_block.misbehavior, &e);
	request = node_ask_process(&read);
	check_guilty(&request.process_proposal.misbehavior, &e);
	free(past.scratch.block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_before_the_block_is_made),
		cmocka_unit_test(told_about_the_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
