/* Answers about the time: preimage and signatures of independent code, who counts, and what follows. */
#include "tests/unit/support.h"
#include "verify/time_answers.h"

#define KEYS 5u
#define BEGIN_MS 1767225600000u
#define BEGIN_S 1767225600u

#define QUESTION(keys, nonce, error_ms) ((struct verify_time_question){&(keys), &(nonce), error_ms})

static struct cs_sig *sig;
static struct cs_hash nonce;

static struct cs_secret secret_of(size_t i)
{
	struct cs_secret secret = {{0}};
	secret.b[31] = (uint8_t)(1 + i);
	return secret;
}

static struct verify_time_answer answer_of(size_t key, uint64_t time_ms)
{
	const struct cs_secret secret = secret_of(key);
	const struct cs_hash digest = verify_time_digest(&nonce, time_ms), aux = {{0}};
	struct verify_time_answer answer = {.time_ms = time_ms};
	struct cs_schnorr signature;
	assert_ok(cs_key_x(sig, &answer.key, &secret));
	assert_ok(cs_schnorr_sign(sig, &signature, &secret, &digest, &aux));
	memcpy(answer.signature, signature.rx.b, 32);
	memcpy(answer.signature + 32, signature.s.b, 32);
	return answer;
}

static struct verify_time_keys keys_of(size_t threshold, size_t count)
{
	struct verify_time_keys keys = {.threshold = threshold, .count = count};
	for (size_t i = 0; i < count; i++) {
		const struct cs_secret secret = secret_of(i);
		assert_ok(cs_key_x(sig, &keys.keys[i], &secret));
	}
	return keys;
}

static int set_up(void **state)
{
	(void)state;
	sig = cs_sig_new(NULL);
	memset(nonce.b, 0x5e, sizeof nonce.b);
	return sig == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	cs_sig_free(sig);
	return 0;
}

static void test_vectors(void **state)
{
	json_t *file = read_json(CS_VECTORS "/ledger/register.json");
	const json_t *cases = json_object_get(file, "time");
	const json_t *one;
	size_t i;
	(void)state;
	assert_int_equal(json_array_size(cases), 4);
	json_array_foreach(cases, i, one)
	{
		struct verify_time_answer answer = {
			hash_of(one, "key"), u64_of(one, "time_ms"), {0}};
		struct verify_time_keys keys = {1, 1, {answer.key}};
		struct verify_time_proof proof = {0};
		const struct cs_bytes signature = bytes_of(one, "signature");
		const struct cs_hash asked = hash_of(one, "nonce");
		assert_int_equal(signature.n, sizeof answer.signature);
		memcpy(answer.signature, signature.p, signature.n);
		assert_hash(verify_time_digest(&asked, answer.time_ms), hash_of(one, "digest"));
		assert_ok(verify_time_answers(&proof, sig, &QUESTION(keys, asked, 0), &answer, 1,
					      NULL));
		assert_int_equal(proof.count, 1);
		assert_int_equal(proof.now_from_s, answer.time_ms / 1000);
		assert_int_equal(proof.asked_by_s,
				 answer.time_ms / 1000 + (answer.time_ms % 1000 != 0));
		answer.time_ms ^= 1;
		assert_err(verify_time_answers(&proof, sig, &QUESTION(keys, asked, 0), &answer, 1,
					       NULL),
			   CS_ERR_UNAUTHORIZED);
	}
	json_decref(file);
}

struct expected {
	uint64_t now_from_s;
	uint64_t asked_by_s;
};

static void assert_proof(size_t threshold, const uint64_t *seconds, size_t count, uint64_t error_ms,
			 struct expected want)
{
	const struct verify_time_keys keys = keys_of(threshold, KEYS);
	struct verify_time_answer answers[KEYS];
	struct verify_time_proof proof;
	for (size_t i = 0; i < count; i++)
		answers[i] = answer_of(i, BEGIN_MS + 1000 * seconds[i]);
	assert_ok(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, error_ms), answers, count,
				      NULL));
	assert_int_equal(proof.count, count);
	assert_int_equal(proof.now_from_s - BEGIN_S, want.now_from_s);
	assert_int_equal(proof.asked_by_s - BEGIN_S, want.asked_by_s);
}

/* Of any k one is honest: the bounds follow, whoever the others are. */
static void test_bounds(void **state)
{
	const uint64_t seconds[] = {100, 104, 101, 103, 102};
	const uint64_t liars[] = {0, 1000000, 101, 103, 102}; /* two, of whom 3 of 5 has room for */
	(void)state;
	assert_proof(3, seconds, 3, 0, (struct expected){100, 104});
	assert_proof(3, seconds, 5, 0, (struct expected){102, 102});
	assert_proof(2, seconds, 5, 0, (struct expected){103, 101});
	assert_proof(1, seconds, 5, 0, (struct expected){104, 100});
	assert_proof(3, liars, 5, 0, (struct expected){102, 102});
	assert_proof(3, seconds, 5, 2500, (struct expected){99, 105});
}

static void assert_count(const struct verify_time_answer *answers, size_t count, size_t want)
{
	const struct verify_time_keys keys = keys_of(1, 3), all = keys_of(KEYS, KEYS);
	struct verify_time_proof proof = {0};
	if (want == 0) {
		assert_err(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 0), answers,
					       count, NULL),
			   CS_ERR_UNAUTHORIZED);
		return;
	}
	assert_ok(
		verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 0), answers, count, NULL));
	assert_int_equal(proof.count, want);
	if (want < 3)
		return;
	assert_err(verify_time_answers(&proof, sig, &QUESTION(all, nonce, 0), answers, count, NULL),
		   CS_ERR_UNAUTHORIZED);
}

/* Passed over: keys that are not pinned, the same key again, other nonces, changed bytes. */
static void test_who_counts(void **state)
{
	struct verify_time_answer answers[6];
	(void)state;
	for (size_t i = 0; i < 4; i++)
		answers[i] = answer_of(i, BEGIN_MS);
	answers[4] = answer_of(1, BEGIN_MS + 5000);
	assert_count(answers, 5, 3);
	assert_count(answers + 3, 1, 0);
	assert_count(answers, 0, 0);
	for (size_t bit = 0; bit < 8 * sizeof answers->signature; bit += 7) {
		answers[0].signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_count(answers, 5, 2);
		answers[0].signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* An answer that was given to an earlier question. */
	nonce.b[0] ^= 1;
	assert_count(answers, 5, 0);
	nonce.b[0] ^= 1;
	/* A bad one does not use up the key's voice. */
	answers[5] = answers[0];
	answers[0].time_ms++;
	assert_count(answers, 6, 3);
}

static void test_refusals(void **state)
{
	struct verify_time_keys keys = keys_of(1, 2);
	struct verify_time_answer answers[VERIFY_TIME_KEYS_MAX + 1] = {{.time_ms = 0}};
	struct verify_time_proof proof = {7, 7, 7};
	struct cs_why why = {""};
	(void)state;
	answers[0] = answer_of(0, UINT64_MAX);
	assert_err(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 1), answers, 1, &why),
		   CS_ERR_OVERFLOW);
	assert_true(why.text[0] != 0);
	assert_err(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 1), answers,
				       CS_LEN(answers), &why),
		   CS_ERR_TOO_LARGE);
	keys.threshold = 0;
	assert_err(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 0), answers, 1, &why),
		   CS_ERR_INVALID);
	keys.threshold = 3;
	assert_err(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 0), answers, 1, &why),
		   CS_ERR_INVALID);
	keys.threshold = 1;
	keys.keys[1] = keys.keys[0];
	assert_err(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 0), answers, 1, &why),
		   CS_ERR_INVALID);
	keys = keys_of(1, 2);
	keys.count = VERIFY_TIME_KEYS_MAX + 1;
	assert_err(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 0), answers, 1, &why),
		   CS_ERR_INVALID);
	assert_int_equal(proof.count, 7);
	/* The smallest time: nothing is below 0. */
	keys = keys_of(1, 2);
	answers[0] = answer_of(0, 999);
	assert_ok(verify_time_answers(&proof, sig, &QUESTION(keys, nonce, 1000), answers, 1, &why));
	assert_int_equal(proof.now_from_s, 0);
	assert_int_equal(proof.asked_by_s, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_who_counts),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
