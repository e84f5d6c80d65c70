/* Anchors of key clusters: what is taken, what is refused, and that the state holds what nodes sign. */
#include "tests/unit/ledger/register_lab.h"
#include "verify/anchor_answers.h"

#define RECORDS LEDGER_RECORDS_NUMBER
#define ANCHOR "anchorCluster(bytes32,bytes32,uint64,uint64,bytes32,bytes32,bytes32,bytes32)"
#define NOT_HIGHER "AnchorNotHigher(uint64,uint64)"

static const struct cs_secret secret = {{0x31}};

static int set_up(void **state)
{
	struct lab *lab = register_lab_new();
	register_lab_from(lab, REGISTER_OTHER);
	*state = lab;
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct verify_anchor_owner owner_of(void)
{
	struct verify_anchor_owner owner = {.lineage = lab_byte_word(0x21)};
	assert_ok(cs_ed25519_public(&owner.key, &secret));
	return owner;
}

static struct verify_anchor anchor_of(uint64_t number, uint64_t epoch, uint8_t authority,
				      uint8_t start)
{
	return (struct verify_anchor){number, epoch, lab_byte_word(authority),
				      lab_byte_word(start)};
}

struct words {
	struct cs_hash w[8];
};

static struct words signed_words(const struct verify_anchor *anchor)
{
	const struct verify_anchor_owner owner = owner_of();
	const struct cs_hash digest = verify_anchor_digest(&owner, anchor);
	struct words words = {{owner.lineage}};
	uint8_t signature[64];
	assert_ok(cs_ed25519_sign(signature, &secret, CS_BYTES_OF(digest.b)));
	memcpy(words.w[1].b, owner.key.b, 32);
	words.w[2] = lab_word(anchor->manifest_number);
	words.w[3] = lab_word(anchor->epoch);
	words.w[4] = anchor->authority;
	words.w[5] = anchor->start;
	memcpy(words.w[6].b, signature, 32);
	memcpy(words.w[7].b, signature + 32, 32);
	return words;
}

static void take(struct lab *lab, uint64_t number, uint64_t epoch, uint8_t authority, uint8_t start)
{
	const struct verify_anchor anchor = anchor_of(number, epoch, authority, start);
	const struct words words = signed_words(&anchor);
	lab_call(lab, RECORDS, ANCHOR, words.w, CS_LEN(words.w));
}

static void refuse(struct lab *lab, uint64_t number, uint64_t epoch, uint8_t authority,
		   uint8_t start, uint64_t known_number, uint64_t known_epoch)
{
	const struct verify_anchor anchor = anchor_of(number, epoch, authority, start);
	const struct words words = signed_words(&anchor);
	const struct cs_hash known[] = {lab_word(known_number), lab_word(known_epoch)};
	lab_refuse(lab, RECORDS, ANCHOR, words.w, CS_LEN(words.w), NOT_HIGHER, known,
		   CS_LEN(known));
}

static void check(struct lab *lab, uint64_t number, uint64_t epoch, uint8_t authority,
		  uint8_t start)
{
	const struct verify_anchor_owner owner = owner_of();
	const struct verify_anchor want = anchor_of(number, epoch, authority, start);
	struct cs_hash of[2] = {owner.lineage}, words[5];
	memcpy(of[1].b, owner.key.b, 32);
	const struct cs_bytes out =
		lab_call(lab, RECORDS, "clusterAnchorOf(bytes32,bytes32)", of, CS_LEN(of));
	assert_int_equal(out.n, sizeof words);
	memcpy(words, out.p, sizeof words);
	assert_hash(words[0], lab_word(number));
	assert_hash(words[1], lab_word(epoch));
	assert_hash(words[2], want.authority);
	assert_hash(words[3], want.start);
	assert_hash(words[4], lab_word(epoch == 0 ? 0 : lab->block.time_s));
}

static void test_it_rises(void **state)
{
	struct lab *lab = *state;
	check(lab, 0, 0, 0, 0);
	take(lab, 1, 1, 0x41, 1);
	assert_int_equal(
		lab_log_count(lab, "ClusterAnchored(bytes32,bytes32,uint64,uint64,bytes32)"), 1);
	check(lab, 1, 1, 0x41, 1);
	/* Again: nothing; another start of the same epoch; the next epoch; one under a later manifest. */
	take(lab, 1, 1, 0x41, 1);
	assert_int_equal(
		lab_log_count(lab, "ClusterAnchored(bytes32,bytes32,uint64,uint64,bytes32)"), 0);
	take(lab, 1, 1, 0x41, 2);
	check(lab, 1, 1, 0x41, 2);
	take(lab, 1, 2, 0x42, 2);
	take(lab, 3, 7, 0x47, 2);
	check(lab, 3, 7, 0x47, 2);
	/* Older ones, with whatever start; the same epoch with another authority or manifest. */
	refuse(lab, 1, 2, 0x42, 2, 3, 7);
	refuse(lab, 3, 6, 0x46, 9, 3, 7);
	refuse(lab, 3, 7, 0x48, 9, 3, 7);
	refuse(lab, 4, 7, 0x47, 9, 3, 7);
	refuse(lab, 2, 8, 0x48, 9, 3, 7);
	check(lab, 3, 7, 0x47, 2);
}

/* Each word is signed. */
static void test_signatures(void **state)
{
	struct lab *lab = *state;
	const struct verify_anchor anchor = anchor_of(1, 1, 0x41, 1);
	const struct words good = signed_words(&anchor);
	for (size_t i = 0; i < CS_LEN(good.w); i++) {
		struct words words = good;
		words.w[i].b[31] ^= 2;
		lab_refuse(lab, RECORDS, ANCHOR, words.w, CS_LEN(words.w), "SignatureInvalid()",
			   NULL, 0);
	}
	const struct verify_anchor none = anchor_of(1, 0, 0x41, 1);
	const struct words zero = signed_words(&none);
	lab_refuse(lab, RECORDS, ANCHOR, zero.w, CS_LEN(zero.w), "EpochInvalid()", NULL, 0);
	check(lab, 0, 0, 0, 0);
}

/* What a node reads of its state and signs. */
static void test_the_state_s_key(void **state)
{
	struct lab *lab = *state;
	const struct verify_anchor_owner owner = owner_of();
	struct verify_anchor read;
	uint8_t key[VERIFY_ANCHOR_KEY_SIZE];
	struct cs_bytes value;
	take(lab, 2, 5, 0x45, 7);
	verify_anchor_key(key, &owner);
	assert_ok(ledger_state_get(lab->state, &value, CS_BYTES_OF(key)));
	assert_ok(verify_anchor_read(&read, value));
	assert_int_equal(read.manifest_number, 2);
	assert_int_equal(read.epoch, 5);
	assert_hash(read.authority, lab_byte_word(0x45));
	assert_hash(read.start, lab_byte_word(7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_rises, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signatures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_state_s_key, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
