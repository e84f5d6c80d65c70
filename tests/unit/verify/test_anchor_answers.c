/* Answers of a ledger's nodes about the time and a key server's anchor: who counts, what is proven, what is
 * refuted, and what is neither. */
#include "tests/unit/support.h"
#include "verify/anchor_answers.h"

#define NODES 4u
#define QUORUM 3u
#define NOW_MS 1767225600000u

#define QUESTION(keys, nonce, error_ms) ((struct verify_time_question){&(keys), &(nonce), error_ms})
#define CLAIM(owner, anchor) ((struct verify_anchor_claim){owner, anchor})

static struct cs_sig *sig;
static struct cs_hash nonce;
static struct verify_anchor_owner owner;

static struct cs_secret secret_of(size_t i)
{
	struct cs_secret secret = {{0}};
	secret.b[31] = (uint8_t)(1 + i);
	return secret;
}

static struct verify_time_keys keys_of(void)
{
	struct verify_time_keys keys = {.threshold = QUORUM, .count = NODES};
	for (size_t i = 0; i < NODES; i++) {
		const struct cs_secret secret = secret_of(i);
		assert_ok(cs_key_x(sig, &keys.keys[i], &secret));
	}
	return keys;
}

static struct verify_anchor_answer answer_of(size_t node, const struct verify_anchor *anchor,
					     const struct verify_anchor_owner *of)
{
	const struct cs_secret secret = secret_of(node);
	const struct cs_hash aux = {{0}};
	struct verify_anchor_answer answer = {.time = {.time_ms = NOW_MS}, .anchor = *anchor};
	const struct cs_hash digest = verify_anchor_time_digest(&nonce, NOW_MS, of, anchor);
	struct cs_schnorr signature;
	assert_ok(cs_key_x(sig, &answer.time.key, &secret));
	assert_ok(cs_schnorr_sign(sig, &signature, &secret, &digest, &aux));
	memcpy(answer.time.signature, signature.rx.b, 32);
	memcpy(answer.time.signature + 32, signature.s.b, 32);
	return answer;
}

static struct verify_anchor anchor_of(uint64_t number, uint64_t epoch, uint8_t authority,
				      uint8_t start)
{
	struct verify_anchor anchor = {.manifest_number = number, .epoch = epoch};
	memset(anchor.authority.b, authority, sizeof anchor.authority.b);
	memset(anchor.start.b, start, sizeof anchor.start.b);
	return anchor;
}

/* What `count` nodes make of `own` when they say `said`, in order. */
static enum cs_err judge(enum verify_anchor_verdict *verdict, const struct verify_anchor *own,
			 const struct verify_anchor *said, size_t count)
{
	struct verify_anchor_answer answers[NODES];
	struct verify_time_proof proof;
	const struct verify_time_keys keys = keys_of();
	for (size_t i = 0; i < count; i++)
		answers[i] = answer_of(i, &said[i], &owner);
	return verify_anchor_answers(&proof, verdict, sig, &QUESTION(keys, nonce, 1000),
				     &CLAIM(owner, *own), answers, count, NULL);
}

static void check(enum verify_anchor_verdict want, struct verify_anchor own, struct verify_anchor a,
		  struct verify_anchor b, struct verify_anchor c)
{
	enum verify_anchor_verdict verdict = (enum verify_anchor_verdict)9;
	const struct verify_anchor said[] = {a, b, c};
	assert_ok(judge(&verdict, &own, said, CS_LEN(said)));
	assert_int_equal(verdict, want);
}

static void test_verdicts(void **state)
{
	const struct verify_anchor own = anchor_of(2, 5, 7, 1), none = {.epoch = 0},
				   older = anchor_of(2, 4, 6, 3), newer = anchor_of(2, 6, 8, 3),
				   start = anchor_of(2, 5, 7, 2), fork = anchor_of(2, 5, 8, 1),
				   manifest = anchor_of(3, 5, 7, 1);
	(void)state;
	check(VERIFY_ANCHOR_PROVEN, own, own, own, own);
	check(VERIFY_ANCHOR_REFUTED, own, newer, newer, newer);
	check(VERIFY_ANCHOR_REFUTED, own, fork, fork, fork);
	check(VERIFY_ANCHOR_REFUTED, own, manifest, manifest, manifest);
	check(VERIFY_ANCHOR_REFUTED, own, fork, newer, manifest);
	/* Not written yet, or by another process; nodes that disagree, one liar each way. */
	check(VERIFY_ANCHOR_UNDECIDED, own, none, none, none);
	check(VERIFY_ANCHOR_UNDECIDED, own, older, older, older);
	check(VERIFY_ANCHOR_UNDECIDED, own, start, start, start);
	check(VERIFY_ANCHOR_UNDECIDED, own, own, own, older);
	check(VERIFY_ANCHOR_UNDECIDED, own, own, own, newer);
	check(VERIFY_ANCHOR_UNDECIDED, own, newer, newer, own);
}

/* A fourth node makes a quorum of three, whichever one disagrees. */
static void test_one_disagrees(void **state)
{
	const struct verify_anchor own = anchor_of(2, 5, 7, 1), newer = anchor_of(2, 6, 8, 3);
	const struct verify_anchor said[] = {own, newer, own, own};
	enum verify_anchor_verdict verdict;
	(void)state;
	assert_ok(judge(&verdict, &own, said, 4));
	assert_int_equal(verdict, VERIFY_ANCHOR_PROVEN);
	assert_ok(judge(&verdict, &own, said, 3));
	assert_int_equal(verdict, VERIFY_ANCHOR_UNDECIDED);
	assert_int_equal(judge(&verdict, &own, said, 2), CS_ERR_UNAUTHORIZED);
}

static void test_who_does_not_count(void **state)
{
	const struct verify_anchor own = anchor_of(2, 5, 7, 1), other = anchor_of(2, 5, 7, 2);
	const struct verify_time_keys keys = keys_of();
	struct verify_anchor_owner another = owner, key = owner;
	enum verify_anchor_verdict verdict;
	struct verify_time_proof proof;
	struct verify_anchor_answer good[QUORUM], answers[NODES];
	(void)state;
	another.lineage.b[0] ^= 1;
	key.key.b[0] ^= 1;
	for (size_t i = 0; i < QUORUM; i++)
		good[i] = answer_of(i, &own, &owner);
#define REFUSED(...)                                                                               \
	do {                                                                                       \
		memcpy(answers, good, sizeof good);                                                \
		__VA_ARGS__;                                                                       \
		assert_int_equal(verify_anchor_answers(&proof, &verdict, sig,                      \
						       &QUESTION(keys, nonce, 1000),               \
						       &CLAIM(owner, own), answers, QUORUM, NULL), \
				 CS_ERR_UNAUTHORIZED);                                             \
	} while (0)
	REFUSED(answers[0] = answer_of(0, &own, &another));
	REFUSED(answers[0] = answer_of(0, &own, &key));
	REFUSED(answers[1] = answers[0]);
	REFUSED(answers[2] = answer_of(NODES, &own, &owner)); /* nobody's key */
	/* What is said is what was signed. */
	REFUSED(answers[0].anchor = other);
	REFUSED(answers[0].anchor.epoch++);
	REFUSED(answers[0].anchor.manifest_number++);
	REFUSED(answers[0].anchor.authority.b[31] ^= 1);
	REFUSED(answers[0].time.time_ms++);
	/* An answer about the time alone is none about an anchor. */
	const struct cs_hash digest = verify_time_digest(&nonce, NOW_MS), aux = {{0}};
	const struct cs_secret secret = secret_of(0);
	struct cs_schnorr signature;
	assert_ok(cs_schnorr_sign(sig, &signature, &secret, &digest, &aux));
	REFUSED(memcpy(answers[0].time.signature, signature.rx.b, 32);
		memcpy(answers[0].time.signature + 32, signature.s.b, 32));
	/* Under another nonce. */
	nonce.b[0] ^= 1;
	const struct verify_anchor_answer stale = answer_of(0, &own, &owner);
	nonce.b[0] ^= 1;
	REFUSED(answers[0] = stale);
	assert_ok(verify_anchor_answers(&proof, &verdict, sig, &QUESTION(keys, nonce, 1000),
					&CLAIM(owner, own), good, QUORUM, NULL));
	assert_int_equal(proof.asked_by_s, NOW_MS / 1000 + 1);
	assert_int_equal(proof.now_from_s, NOW_MS / 1000 - 1);
}

static void test_follows(void **state)
{
	const struct verify_anchor known = anchor_of(2, 5, 7, 1), none = {.epoch = 0};
	static const struct {
		struct {
			uint64_t number, epoch;
			uint8_t authority;
		} next;
		bool follows;
	} cases[] = {
		{{2, 6, 8}, true},  {{3, 6, 8}, true},  {{2, 9, 8}, true},  {{2, 5, 7}, true},
		{{1, 6, 8}, false}, {{2, 5, 8}, false}, {{3, 5, 7}, false}, {{1, 5, 7}, false},
		{{2, 4, 7}, false}, {{3, 4, 7}, false},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		const struct verify_anchor next = anchor_of(
			cases[i].next.number, cases[i].next.epoch, cases[i].next.authority, 9);
		assert_int_equal(verify_anchor_follows(&next, &known), cases[i].follows);
		assert_true(verify_anchor_follows(&next, &none));
	}
}

static void test_values(void **state)
{
	uint8_t value[VERIFY_ANCHOR_VALUE_SIZE + 1] = {[7] = 2, [15] = 5, [16] = 7, [48] = 1};
	struct verify_anchor anchor = anchor_of(9, 9, 9, 9);
	(void)state;
	assert_int_equal(verify_anchor_read(&anchor, cs_bytes(value, sizeof value)),
			 CS_ERR_MALFORMED);
	assert_int_equal(verify_anchor_read(&anchor, cs_bytes(value, sizeof value - 2)),
			 CS_ERR_MALFORMED);
	assert_int_equal(anchor.epoch, 9);
	assert_ok(verify_anchor_read(&anchor, cs_bytes(value, sizeof value - 1)));
	assert_int_equal(anchor.manifest_number, 2);
	assert_int_equal(anchor.epoch, 5);
	assert_int_equal(anchor.authority.b[0], 7);
	assert_int_equal(anchor.start.b[0], 1);
	assert_ok(verify_anchor_read(&anchor, CS_BYTES_NONE));
	assert_int_equal(anchor.epoch, 0);
}

static int set_up(void **state)
{
	(void)state;
	sig = cs_sig_new(NULL);
	memset(nonce.b, 0x5e, sizeof nonce.b);
	memset(owner.lineage.b, 0x21, sizeof owner.lineage.b);
	memset(owner.key.b, 0x22, sizeof owner.key.b);
	return sig == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	cs_sig_free(sig);
	return 0;
}

/* tools/register_vectors.py: what key servers and nodes sign, by another hand. */
static void test_vectors(void **state)
{
	json_t *file = read_json(CS_VECTORS "/ledger/register.json");
	const json_t *cases = json_object_get(file, "cluster_anchors"), *one;
	size_t i;
	(void)state;
	assert_int_equal(json_array_size(cases), 4);
	json_array_foreach(cases, i, one)
	{
		struct verify_anchor_owner of = {.lineage = hash_of(one, "lineage")};
		const struct cs_hash key = hash_of(one, "key"), asked = hash_of(one, "nonce");
		const struct verify_anchor anchor = {
			u64_of(one, "manifest_number"), u64_of(one, "epoch"),
			hash_of(one, "authority"), hash_of(one, "start")};
		struct verify_anchor_answer answer = {
			{hash_of(one, "node"), u64_of(one, "time_ms"), {0}}, anchor};
		const struct verify_time_keys keys = {1, 1, {answer.time.key}};
		const struct cs_bytes signature = bytes_of(one, "signature");
		enum verify_anchor_verdict verdict;
		struct verify_time_proof proof;
		uint8_t place[VERIFY_ANCHOR_KEY_SIZE];
		memcpy(of.key.b, key.b, sizeof of.key.b);
		memcpy(answer.time.signature, signature.p, sizeof answer.time.signature);
		assert_hash(verify_anchor_digest(&of, &anchor), hash_of(one, "digest"));
		assert_hash(verify_anchor_time_digest(&asked, answer.time.time_ms, &of, &anchor),
			    hash_of(one, "answer"));
		verify_anchor_key(place, &of);
		assert_bytes(CS_BYTES_OF(place), bytes_of(one, "state_key"));
		assert_ok(verify_anchor_answers(&proof, &verdict, sig, &QUESTION(keys, asked, 0),
						&CLAIM(of, anchor), &answer, 1, NULL));
		assert_int_equal(verdict, VERIFY_ANCHOR_PROVEN);
		answer.anchor.start.b[0] ^= 1;
		assert_err(verify_anchor_answers(&proof, &verdict, sig, &QUESTION(keys, asked, 0),
						 &CLAIM(of, anchor), &answer, 1, NULL),
			   CS_ERR_UNAUTHORIZED);
	}
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),       cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_one_disagrees), cmocka_unit_test(test_who_does_not_count),
		cmocka_unit_test(test_follows),       cmocka_unit_test(test_values),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
