/* The last-sign state as a file: nothing is given away before it is written, nothing twice, and a
 * start remembers it. */
#include "relay_state/node/signer.h"
#include "tests/unit/node/faulty.h"
#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

struct scene {
	struct faulty faulty;
	struct node_signer signer;
	struct cs_secret key;
	struct bft_effect effect;
	struct bft_event answer;
};

static struct scene *begin(void)
{
	struct scene *s = calloc(1, sizeof *s);
	assert_non_null(s);
	faulty_init(&s->faulty, 1);
	memset(s->key.b, 3, sizeof s->key.b);
	s->effect = (struct bft_effect){.type = BFT_EFFECT_SIGN,
					.height = 5,
					.round = 1,
					.sign_bytes = cs_bytes_str("what is signed")};
	s->effect.sign = (struct bft_sign_request){
		.step = BFT_SIGN_PREVOTE, .height = 5, .round = 1, .time_ns = 1000};
	s->effect.sign.block_id.hash.some = true;
	s->effect.sign.block_id.parts.total = 1;
	s->effect.sign.block_id.parts.hash.some = true;
	assert_ok(node_signer_open(&s->signer, &s->faulty.folder, true, NULL));
	return s;
}

static void end(struct scene *s)
{
	node_signer_close(&s->signer);
	faulty_done(&s->faulty);
	free(s);
}

static void reopen(struct scene *s, bool power)
{
	node_signer_close(&s->signer);
	faulty_restart(&s->faulty, power);
	assert_ok(node_signer_open(&s->signer, &s->faulty.folder, false, NULL));
}

static enum cs_err sign(struct scene *s)
{
	return node_signer_sign(&s->signer, &s->answer, &s->effect, &s->key, NULL);
}

static void one_place_has_one_signature(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	uint8_t signature[BFT_SIGNATURE_SIZE];
	assert_ok(sign(s));
	assert_int_equal(s->answer.type, BFT_EVENT_SIGNED);
	memcpy(signature, s->answer.signature, sizeof signature);
	/* The same with another time: the old signature and the old time. */
	s->effect.sign.time_ns = 2000;
	s->effect.sign_bytes = cs_bytes_str("another time");
	for (int i = 0; i < 2; i++) {
		assert_ok(sign(s));
		assert_int_equal(s->answer.type, BFT_EVENT_SIGNED);
		assert_int_equal(s->answer.time_ns, 1000);
		assert_memory_equal(s->answer.signature, signature, sizeof signature);
		reopen(s, true);
	}
	/* Another block. */
	s->effect.sign.block_id.hash.hash.b[0] = 1;
	assert_ok(sign(s));
	assert_int_equal(s->answer.type, BFT_EVENT_SIGN_REFUSED);
	/* An earlier place. */
	s->effect.sign.round = 0;
	assert_ok(sign(s));
	assert_int_equal(s->answer.type, BFT_EVENT_SIGN_REFUSED);
	end(s);
}

static void nothing_is_given_away_that_is_not_written(void **unused)
{
	(void)unused;
	/* The write, and the sync behind it. */
	for (uint64_t i = 0; i < 2; i++) {
		struct scene *s = begin();
		s->faulty.fault = FAULTY_EIO;
		s->faulty.fault_at = s->faulty.changes + i;
		assert_err(sign(s), CS_ERR_IO);
		assert_int_equal(s->answer.type, 0);
		assert_err(sign(s), CS_ERR_IO);
		assert_int_equal(s->answer.type, 0);
		end(s);
	}
}

/* The kernel's page says so, the disk does not, and the page counts as clean. */
static void what_a_start_believes_is_durable(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct scene *s = begin();
		s->faulty.random = seed;
		s->faulty.fault = FAULTY_EIO;
		s->faulty.fault_at = s->faulty.changes + 1;
		assert_err(sign(s), CS_ERR_IO);
		reopen(s, false);
		assert_int_equal(s->signer.state.height, 5);
		reopen(s, true);
		assert_int_equal(s->signer.state.height, 5);
		assert_false(s->signer.is_slot_lost);
		end(s);
	}
}

static void a_raise_is_written(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	struct bft_effect raise = s->effect;
	raise.type = BFT_EFFECT_RAISE;
	raise.sign.step = BFT_SIGN_PRECOMMIT;
	raise.sign.round = 3;
	memset(raise.signature, 9, sizeof raise.signature);
	assert_ok(node_signer_raise(&s->signer, &raise, NULL));
	reopen(s, true);
	assert_int_equal(s->signer.state.round, 3);
	assert_int_equal(s->signer.state.lock_round, 3);
	uint64_t changes = s->faulty.changes;
	assert_ok(node_signer_raise(&s->signer, &raise, NULL));
	assert_int_equal(s->faulty.changes, changes);
	assert_ok(sign(s));
	assert_int_equal(s->answer.type, BFT_EVENT_SIGN_REFUSED);
	raise.sign.block_id.hash.hash.b[0] = 1;
	assert_err(node_signer_raise(&s->signer, &raise, NULL), CS_ERR_CONFLICT);
	end(s);
}

static void a_lost_slot_is_told(void **unused)
{
	(void)unused;
	struct scene *s = begin();
	struct node_file file = {0};
	uint8_t byte = 0x55;
	assert_ok(sign(s));
	s->effect.sign.step = BFT_SIGN_PRECOMMIT;
	assert_ok(sign(s));
	assert_false(s->signer.is_slot_lost);
	/* Slot 0 was written first, slot 1 has the newer. */
	assert_ok(node_file_open(&file, &s->faulty.folder, "sign_state", false, NULL));
	assert_ok(node_file_write(&file, BFT_SIGN_SLOT_SIZE + 50, cs_bytes(&byte, 1), NULL));
	node_file_close(&file);
	reopen(s, false);
	assert_true(s->signer.is_slot_lost);
	assert_int_equal(s->signer.state.step, BFT_SIGN_PREVOTE);
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_place_has_one_signature),
		cmocka_unit_test(nothing_is_given_away_that_is_not_written),
		cmocka_unit_test(what_a_start_believes_is_durable),
		cmocka_unit_test(a_raise_is_written),
		cmocka_unit_test(a_lost_slot_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
