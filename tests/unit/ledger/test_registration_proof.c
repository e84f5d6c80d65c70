/* What verify/cometbft/registration.h reads of a ledger: registrations made by contract 4, proven under
 * the root of their state, and what must not pass for one. */
#include "relay_state/ledger/tree.h"
#include "tests/unit/ledger/memory_db.h"
#include "tests/unit/ledger/register_lab.h"
#include "verify/cometbft/registration.h"

#define ENCLAVES LEDGER_ENCLAVES_NUMBER
#define ARENA_SIZE (16u * 1024 * 1024)
#define DAY_S REGISTER_DAY_S
#define KEY 201u

struct proven {
	struct cs_hash root;
	struct cs_bytes proofs[CMT_REGISTRATION_PARTS];
	size_t count;
};

static struct cs_hash chain_1(void)
{
	return lab_byte_word(0x41);
}

/* The state as it is now, as a tree of its own, and the proofs for a key: found as a host finds them. */
static struct proven prove(struct lab *lab, const struct cs_hash *x)
{
	struct proven out = {.count = 0};
	struct memory_db *db = memory_db_new();
	const struct ledger_db table = memory_db_table(db);
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{NULL, 0}, {NULL, 0}};
	struct cmt_registration found;
	struct cs_arena arena;
	bool more = true;
	void *memory = aligned_alloc(16, ARENA_SIZE);
	assert_non_null(memory);
	cs_arena_init(&arena, memory, ARENA_SIZE);
	assert_ok(ledger_state_changes(lab->state, &changes[LEDGER_VALUES], &arena));
	assert_ok(ledger_tree_update(&out.root, &changes[LEDGER_PAGES], &table,
				     &changes[LEDGER_VALUES], &arena));
	assert_ok(table.commit(table.context, 1, changes, 0));
	cmt_registration_begin(&found, x);
	for (unsigned i = 0; more; i++) {
		const enum cmt_registration_part part = (enum cmt_registration_part)i;
		const struct cmt_registration_key key = cmt_registration_key(&found, part);
		struct cs_buf buf;
		struct cs_bytes value;
		bool exists;
		cs_buf_init(&buf, keep(LEDGER_PROOF_SIZE_MAX), LEDGER_PROOF_SIZE_MAX);
		assert_ok(ledger_tree_prove(&buf, &value, &exists, &table, 0,
					    cs_bytes(key.b, key.n), &arena));
		assert_ok(cmt_registration_take(&found, part, exists, value, &more));
		out.proofs[out.count++] = cs_buf_view(&buf);
	}
	cs_arena_done(&arena);
	free(memory);
	memory_db_free(db);
	return out;
}

struct scene {
	struct lab *lab;
	struct ledger_registration r;
	struct cs_hash x, enclave;
	struct cmt_registration_rule rule;
	struct verify_time now;
	uint64_t block_s;
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	const struct cs_hash identity = chain_1();
	assert_non_null(s);
	s->lab = register_lab_new();
	s->x = register_lab_x(s->lab, KEY);
	s->r = register_lab_registration(s->lab, LEDGER_ROLE_BRIDGE, &identity, KEY);
	s->enclave = register_lab_register(s->lab, &s->r);
	s->block_s = s->lab->block.time_s;
	s->now = (struct verify_time){s->block_s + 10, s->block_s + 20};
	s->rule = (struct cmt_registration_rule){.role = LEDGER_ROLE_BRIDGE,
						 .lineage = s->r.lineage,
						 .bond_min = cs_u256_u64(1000),
						 .age_max_s = 60};
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	lab_free(s->lab);
	free(s);
	return 0;
}

static struct cmt_registration read(const struct scene *s, const struct cs_hash *x)
{
	const struct proven proven = prove(s->lab, x);
	struct cmt_registration out;
	assert_ok(cmt_registration_prove(&out, x, &proven.root, proven.proofs, proven.count));
	return out;
}

static enum cs_err check(const struct scene *s)
{
	const struct cmt_registration r = read(s, &s->x);
	const struct verify_block block = {.time_s = s->block_s};
	struct cs_why why = {""};
	const enum cs_err err = cmt_registration_check(&r, &s->rule, &block, &s->now, &why);
	assert_true((err == CS_OK) == (why.text[0] == 0));
	return err;
}

/* ---- what counts ---- */

static void test_fields(void **state)
{
	struct scene *s = *state;
	const struct cmt_registration r = read(s, &s->x);
	assert_true(r.known);
	assert_hash(r.enclave, s->enclave);
	assert_hash(r.identity, chain_1());
	assert_int_equal(r.epoch, 1);
	assert_int_equal(r.state, LEDGER_ENCLAVE_ACTIVE);
	assert_int_equal(r.role, LEDGER_ROLE_BRIDGE);
	assert_hash(r.measurement, s->r.measurement);
	assert_hash(r.lineage, s->r.lineage);
	assert_hash(r.manifest_hash, s->r.manifest_hash);
	assert_hash(r.manifest_counts, s->r.manifest_hash);
	assert_hash(r.evidence_digest, s->r.evidence_digest);
	assert_int_equal(r.expires_s, s->r.expires_s);
	assert_int_equal(cs_u256_cmp(&r.bond, &s->r.bond), 0);
	assert_memory_equal(r.bonder.b, s->r.bonder.b, sizeof r.bonder.b);
	assert_hash(r.key.x, s->x);
	assert_int_equal(r.key.state, WIRE_KEY_ACTIVE);
	assert_false(r.in_conflict);
	assert_int_equal(r.tier, 0);
	assert_ok(check(s));
}

/* By evidence: the story of the vectors up to the end has an oracle's key that a TPM vouched for, and
 * renewed by administrators; and one of SNP's. */
static void test_evidence(void **state)
{
	struct scene *s = *state, own = *s;
	json_t *file = read_json(CS_VECTORS "/ledger/evidence.json");
	json_t *steps = json_object_get(file, "story");
	struct cmt_registration r;
	/* Without the last step, and the one before it, which commits. */
	for (int i = 0; i < 2; i++)
		(void)json_array_remove(steps, json_array_size(steps) - 1);
	own.lab = register_lab_new_insecure();
	register_lab_story(own.lab, file);
	own.x = register_lab_x(own.lab, 203);
	r = read(&own, &own.x);
	assert_int_equal(r.evidence_kind, 3);
	assert_int_equal(r.tier, 2);
	assert_int_equal(r.tcb_status, 1);
	assert_int_equal(r.policy, 2);
	/* Two manifests contradict each other at the end of it. */
	assert_true(r.in_conflict);
	assert_err(check(&own), CS_ERR_FORBIDDEN);
	lab_free(own.lab);
	json_decref(file);
}

/* ---- what does not ---- */

static void test_absent(void **state)
{
	struct scene *s = *state;
	const struct verify_block block = {.time_s = s->block_s};
	const struct cs_hash other = register_lab_x(s->lab, 999);
	const struct cmt_registration r = read(s, &other);
	struct cs_why why;
	assert_false(r.known);
	assert_err(cmt_registration_check(&r, &s->rule, &block, &s->now, &why), CS_ERR_NOT_FOUND);
}

static void by_guardian(struct scene *s, const char *signature, const struct cs_hash *words,
			size_t count)
{
	register_lab_from(s->lab, REGISTER_GUARDIAN);
	s->lab->value = cs_u256_u64(0);
	lab_call(s->lab, ENCLAVES, signature, words, count);
}

static void test_stopped(void **state)
{
	struct scene *s = *state;
	by_guardian(s, "suspendEnclave(bytes32)", LAB_WORDS(s->enclave));
	assert_err(check(s), CS_ERR_FORBIDDEN);
	by_guardian(s, "revokeEnclave(bytes32)", LAB_WORDS(s->enclave));
	assert_err(check(s), CS_ERR_REVOKED);
}

static void test_key_stopped(void **state)
{
	struct scene *s = *state;
	by_guardian(s, "suspendKey(bytes32,uint64)", LAB_WORDS(chain_1(), lab_word(1)));
	assert_err(check(s), CS_ERR_FORBIDDEN);
	by_guardian(s, "revokeKey(bytes32,uint64)", LAB_WORDS(chain_1(), lab_word(1)));
	assert_err(check(s), CS_ERR_REVOKED);
}

static void test_times(void **state)
{
	struct scene *s = *state;
	s->now = (struct verify_time){s->block_s - 1, s->block_s + 20};
	assert_err(check(s), CS_ERR_NOT_YET_VALID);
	s->now = (struct verify_time){s->block_s, s->block_s + 60};
	assert_ok(check(s));
	s->now.high_s++;
	assert_err(check(s), CS_ERR_ANCHOR_TOO_OLD);
	s->now.high_s = 0;
	assert_err(check(s), CS_ERR_NO_TIME);
	s->rule.age_max_s = 100 * DAY_S;
	s->now.high_s = s->r.expires_s - 1;
	assert_ok(check(s));
	s->now.high_s++;
	assert_err(check(s), CS_ERR_EXPIRED);
}

static void test_rule(void **state)
{
	struct scene *s = *state;
	const struct cmt_registration_rule good = s->rule;
	s->rule.role = LEDGER_ROLE_ORACLE;
	assert_err(check(s), CS_ERR_FORBIDDEN);
	s->rule = good;
	s->rule.lineage = lab_byte_word(0x29);
	assert_err(check(s), CS_ERR_WRONG_LINEAGE);
	s->rule = good;
	s->rule.bond_min = cs_u256_u64(1001);
	assert_err(check(s), CS_ERR_FORBIDDEN);
	s->rule = good;
	s->rule.evidence_wanted = true;
	assert_err(check(s), CS_ERR_FORBIDDEN);
}

static void test_another_manifest(void **state)
{
	struct scene *s = *state;
	struct cmt_registration r = read(s, &s->x);
	const struct verify_block block = {.time_s = s->block_s};
	struct cs_why why;
	r.manifest_counts = lab_byte_word(0x39);
	assert_err(cmt_registration_check(&r, &s->rule, &block, &s->now, &why),
		   CS_ERR_WRONG_MANIFEST);
	r = read(s, &s->x);
	r.key.x = lab_byte_word(1);
	assert_err(cmt_registration_check(&r, &s->rule, &block, &s->now, &why), CS_ERR_WRONG_KEY);
}

/* Proofs are of one state, one key, one order. */
static void test_proofs(void **state)
{
	struct scene *s = *state;
	const struct proven before = prove(s->lab, &s->x);
	const struct cs_hash other = register_lab_x(s->lab, 999);
	struct cmt_registration out;
	struct proven p = before;
	by_guardian(s, "suspendEnclave(bytes32)", LAB_WORDS(s->enclave));
	const struct proven after = prove(s->lab, &s->x);
	assert_ok(cmt_registration_prove(&out, &s->x, &before.root, before.proofs, before.count));
	/* Another height; another key; one part of another height. */
	assert_err(cmt_registration_prove(&out, &s->x, &after.root, before.proofs, before.count),
		   CS_ERR_BAD_PROOF);
	assert_err(cmt_registration_prove(&out, &other, &before.root, before.proofs, before.count),
		   CS_ERR_BAD_PROOF);
	p.proofs[CMT_REGISTRATION_ENCLAVE] = after.proofs[CMT_REGISTRATION_ENCLAVE];
	assert_err(cmt_registration_prove(&out, &s->x, &before.root, p.proofs, p.count),
		   CS_ERR_BAD_PROOF);
	for (size_t count = 0; count < before.count; count++)
		assert_err(cmt_registration_prove(&out, &s->x, &before.root, before.proofs, count),
			   CS_ERR_INVALID);
	for (size_t i = 0; i + 1 < before.count; i++) {
		p = before;
		p.proofs[i] = before.proofs[i + 1];
		assert_err(cmt_registration_prove(&out, &s->x, &before.root, p.proofs, p.count),
			   CS_ERR_BAD_PROOF);
	}
	assert_int_equal(before.count, CMT_REGISTRATION_PARTS);
	/* Of a key that nobody has, the first alone; and not beside others. */
	const struct proven none = prove(s->lab, &other);
	assert_int_equal(none.count, 1);
	p = after;
	p.proofs[0] = none.proofs[0];
	assert_err(cmt_registration_prove(&out, &other, &none.root, p.proofs, p.count),
		   CS_ERR_INVALID);
}

/* Rows of another form than the register's. */
static void test_values(void **state)
{
	static const uint8_t zeros[256];
	struct cmt_registration r;
	bool more;
	(void)state;
	for (unsigned i = 0; i < CMT_REGISTRATION_PARTS; i++) {
		const enum cmt_registration_part part = (enum cmt_registration_part)i;
		const struct cs_hash x = lab_byte_word(1);
		cmt_registration_begin(&r, &x);
		if (part == CMT_REGISTRATION_CONFLICT)
			continue; /* whatever it holds, it is one */
		for (size_t n = 0; n < 4; n++)
			assert_err(cmt_registration_take(&r, part, true, cs_bytes(zeros, n), &more),
				   CS_ERR_MALFORMED);
		assert_err(cmt_registration_take(&r, part, true, CS_BYTES_OF(zeros), &more),
			   CS_ERR_MALFORMED);
	}
	assert_err(cmt_registration_take(&r, CMT_REGISTRATION_ENCLAVE, false, CS_BYTES_NONE, &more),
		   CS_ERR_MALFORMED);
	assert_err(
		cmt_registration_take(&r, CMT_REGISTRATION_MANIFEST, false, CS_BYTES_NONE, &more),
		CS_ERR_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fields),  TEST(test_evidence),         TEST(test_absent),
		TEST(test_stopped), TEST(test_key_stopped),      TEST(test_times),
		TEST(test_rule),    TEST(test_another_manifest), TEST(test_proofs),
		TEST(test_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
