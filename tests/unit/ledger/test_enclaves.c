/* The register of enclaves: a story that independent code wrote, and what it does not tell. */
#include "relay_state/ledger/timelock.h"
#include "tests/unit/ledger/register_lab.h"
#include "verify/cometbft/anchor.h"

#define ENCLAVES LEDGER_ENCLAVES_NUMBER
#define VECTORS CS_VECTORS "/ledger/register.json"

static int set_up(void **state)
{
	*state = register_lab_new();
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct cs_hash chain_1(void)
{
	return lab_byte_word(0x41);
}

/* ---- vectors ---- */

static void test_preimages(void **state)
{
	const struct lab *lab = *state;
	json_t *root = read_json(VECTORS);
	const json_t *want = json_object_get(root, "preimages");
	const struct cs_hash own = register_lab_identity(), identity = chain_1();
	struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 201);
	const struct cs_address other = lab_address(REGISTER_OTHER);
	struct ledger_record records[2] = {
		{.message_id = lab_byte_word(1),
		 .source = identity,
		 .destination = lab_byte_word(0x42),
		 .side = 1,
		 .height = 100,
		 .block = lab_byte_word(0x71),
		 .tx = lab_byte_word(0x72)},
	};
	const struct cmt_anchor anchor = {lab_byte_word(0x21), identity, 1, 5, lab_byte_word(0x74)};
	r.keys[0].gas = lab_address(0x51);
	records[1] = records[0];
	records[1].index = 1;
	records[1].from = 1;
	records[1].event = 2;
	records[1].height = 101;
	assert_hash(own, hash_of(root, "identity"));
	assert_hash(ledger_enclave_keys_hash(r.keys, 1), hash_of(want, "keys"));
	assert_hash(ledger_registration_digest(&own, &r), hash_of(want, "registration"));
	assert_hash(ledger_time_key_digest(&own, &other), hash_of(want, "time_key"));
	assert_hash(ledger_records_digest(&own, records, 2), hash_of(want, "records"));
	assert_hash(cmt_anchor_digest(&own, &anchor), hash_of(want, "anchor"));
	json_decref(root);
}

/* Every step of it: registrations, renewals, rotations, records, anchors, answers, feeds, conflicts. */
static void test_story(void **state)
{
	json_t *file = read_json(VECTORS);
	register_lab_story(*state, file);
	json_decref(file);
}

static void test_tables(void **state)
{
	(void)state;
	lab_check_table(&ledger_enclaves);
	lab_check_table(&ledger_records);
	lab_check_table(&ledger_answers);
}

/* ---- founding ---- */

static void assert_founding_refused(struct lab *lab, const struct ledger_enclaves_terms *terms)
{
	struct ledger_call call = register_lab_call(lab, ENCLAVES);
	assert_err(ledger_enclaves_construct(&call, cs_bytes_str("lab-1"), terms), CS_ERR_INVALID);
	assert_true(call.why->text[0] != 0);
}

static void test_founding(void **state)
{
	struct lab *lab = *state;
	const struct ledger_enclaves_terms good = register_lab_terms(lab);
	struct ledger_enclaves_terms terms = good;
	terms.rotation_delay_s = terms.delay_s;
	assert_founding_refused(lab, &terms);
	terms = good;
	terms.overlap_s = LEDGER_DELAY_MAX_S + 1;
	assert_founding_refused(lab, &terms);
	terms = good;
	terms.bond_delay_s = LEDGER_DELAY_MAX_S + 1;
	assert_founding_refused(lab, &terms);
	terms = good;
	terms.lifetime_max_s = 0;
	assert_founding_refused(lab, &terms);
	terms = good;
	terms.threshold = 0;
	assert_founding_refused(lab, &terms);
	terms = good;
	terms.threshold = 4;
	assert_founding_refused(lab, &terms);
	terms = good;
	terms.administrators[2] = terms.administrators[0];
	assert_founding_refused(lab, &terms);
	terms = good;
	terms.administrators[1] = lab_word(5); /* no point has this x */
	assert_founding_refused(lab, &terms);
	terms = good;
	terms.administrator_count = LEDGER_ADMINISTRATORS_MAX + 1;
	assert_founding_refused(lab, &terms);
	terms = good;
	memset(terms.owner.b, 0, sizeof terms.owner.b);
	assert_founding_refused(lab, &terms);
}

/* A ledger whose genesis founded none of the contracts: every function answers or reverts. */
static void test_unfounded(void **state)
{
	static const struct ledger_contract *const contracts[] = {&ledger_enclaves, &ledger_records,
								  &ledger_answers};
	struct lab *lab = lab_new(contracts, CS_LEN(contracts));
	const struct cs_hash identity = chain_1();
	const struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 201);
	(void)state;
	for (size_t i = 0; i < CS_LEN(contracts); i++) {
		for (size_t j = 0; j < contracts[i]->function_count; j++) {
			const struct ledger_function *f = &contracts[i]->functions[j];
			uint8_t *input = keep(4 + f->words * 32u);
			struct cs_bytes output;
			cs_put_be32(input, f->selector);
			(void)lab_try(lab, &output, contracts[i]->number,
				      cs_bytes(input, 4 + f->words * 32u));
		}
	}
	lab->from = lab_address(REGISTER_BONDER);
	lab_refuse_input(lab, ENCLAVES, register_lab_calldata(lab, &r), "ExpiryInvalid()",
			 LAB_NONE);
	lab_free(lab);
}

/* ---- who stops an enclave ---- */

static bool is_active(struct lab *lab, uint64_t secret)
{
	const struct cs_hash x = register_lab_x(lab, secret);
	const struct cs_bytes output = lab_call(lab, ENCLAVES, "holderOf(bytes32)", LAB_WORDS(x));
	assert_int_equal(output.n, 6 * 32);
	const bool active = output.p[output.n - 1] == 1;
	for (uint64_t role = 0; role < 5; role++) {
		const struct cs_hash says = lab_ask(lab, ENCLAVES, "isActive(bytes32,uint8)",
						    LAB_WORDS(x, lab_word(role)));
		assert_hash(says, lab_word(active && role == LEDGER_ROLE_BRIDGE));
	}
	return active;
}

static struct cs_hash begin(struct lab *lab)
{
	const struct cs_hash identity = chain_1();
	const struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 201);
	return register_lab_register(lab, &r);
}

static void test_suspension(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash enclave = begin(lab);
	assert_true(is_active(lab, 201));
	lab_refuse(lab, ENCLAVES, "suspendEnclave(bytes32)", LAB_WORDS(enclave),
		   "NotOwnerOrGuardian()", LAB_NONE);
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_refuse(lab, ENCLAVES, "suspendEnclave(bytes32)", LAB_WORDS(lab_word(1)),
		   "EnclaveNotActive()", LAB_NONE);
	lab_call(lab, ENCLAVES, "suspendEnclave(bytes32)", LAB_WORDS(enclave));
	assert_int_equal(lab_log_count(lab, "EnclaveChanged(bytes32,uint8,uint64,uint256)"), 1);
	assert_false(is_active(lab, 201));
	lab_refuse(lab, ENCLAVES, "suspendEnclave(bytes32)", LAB_WORDS(enclave),
		   "EnclaveNotActive()", LAB_NONE);
	lab_refuse(lab, ENCLAVES, "enableEnclave(bytes32)", LAB_WORDS(enclave), "NotOwner()",
		   LAB_NONE);
	register_lab_by_owner(lab, ENCLAVES, "enableEnclave(bytes32)", LAB_WORDS(enclave));
	assert_true(is_active(lab, 201));
}

static void test_key_suspension(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash identity = chain_1();
	(void)begin(lab);
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_call(lab, ENCLAVES, "suspendKey(bytes32,uint64)", LAB_WORDS(identity, lab_word(1)));
	assert_false(is_active(lab, 201));
	register_lab_by_owner(lab, ENCLAVES, "enableKey(bytes32,uint64)",
			      LAB_WORDS(identity, lab_word(1)));
	assert_true(is_active(lab, 201));
	lab_call(lab, ENCLAVES, "retireKey(bytes32,uint64,uint64)",
		 LAB_WORDS(identity, lab_word(1), lab_word(lab->block.time_s + 1)));
	assert_true(is_active(lab, 201));
	lab_next_block(lab, 1);
	assert_false(is_active(lab, 201));
}

/* A revoked enclave never comes back, nor do its keys with another. */
static void test_revocation(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash identity = chain_1(), enclave = begin(lab);
	struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 201);
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_refuse(lab, ENCLAVES, "revokeEnclave(bytes32)", LAB_WORDS(lab_word(1)),
		   "EnclaveUnknown()", LAB_NONE);
	lab_call(lab, ENCLAVES, "revokeEnclave(bytes32)", LAB_WORDS(enclave));
	assert_false(is_active(lab, 201));
	lab_refuse(lab, ENCLAVES, "revokeEnclave(bytes32)", LAB_WORDS(enclave), "EnclaveRevoked()",
		   LAB_NONE);
	register_lab_from(lab, REGISTER_BONDER);
	r.expires_s += 1;
	lab->value = r.bond;
	lab_refuse_input(lab, ENCLAVES, register_lab_calldata(lab, &r), "EnclaveKnown()", LAB_NONE);
	r.enclave = enclave;
	lab_refuse_input(lab, ENCLAVES, register_lab_calldata(lab, &r), "EnclaveNotActive()",
			 LAB_NONE);
}

/* ---- time and money ---- */

static void test_expiry(void **state)
{
	struct lab *lab = *state;
	(void)begin(lab);
	lab_next_block(lab, 30 * REGISTER_DAY_S - 1);
	assert_true(is_active(lab, 201));
	lab_next_block(lab, 1);
	assert_false(is_active(lab, 201));
}

static void test_bond_after_expiry(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash enclave = begin(lab);
	const struct cs_address bonder = lab->from;
	const uint64_t before = lab_funds(lab, &bonder);
	const uint64_t free_s = lab->block.time_s + 31 * REGISTER_DAY_S;
	lab_next_block(lab, 31 * REGISTER_DAY_S - 1);
	lab_refuse(lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(enclave), "BondLocked(uint64)",
		   LAB_WORDS(lab_word(free_s)));
	lab_next_block(lab, 1);
	register_lab_from(lab, REGISTER_OTHER);
	lab_refuse(lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(enclave), "NotBonder()",
		   LAB_NONE);
	register_lab_from(lab, REGISTER_BONDER);
	lab_call(lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(enclave));
	assert_int_equal(lab_funds(lab, &bonder), before + 1000);
	lab_refuse(lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(enclave), "BondMissing()",
		   LAB_NONE);
}

/* The delay begins with the revocation; while it is only suspended nothing goes. */
static void test_bond_after_revocation(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash enclave = begin(lab);
	const struct cs_address held = ledger_contract_address(ENCLAVES);
	assert_int_equal(lab_funds(lab, &held), 1000);
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_call(lab, ENCLAVES, "suspendEnclave(bytes32)", LAB_WORDS(enclave));
	lab_next_block(lab, 60 * REGISTER_DAY_S);
	register_lab_from(lab, REGISTER_BONDER);
	lab_refuse(lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(enclave), "EnclaveNotActive()",
		   LAB_NONE);
	register_lab_from(lab, REGISTER_OWNER);
	lab_call(lab, ENCLAVES, "revokeEnclave(bytes32)", LAB_WORDS(enclave));
	register_lab_from(lab, REGISTER_BONDER);
	lab_call(lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(enclave));
	assert_int_equal(lab_funds(lab, &held), 0);
}

static void test_bond_revoked_early(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash enclave = begin(lab);
	register_lab_from(lab, REGISTER_GUARDIAN);
	lab_call(lab, ENCLAVES, "revokeEnclave(bytes32)", LAB_WORDS(enclave));
	lab_next_block(lab, REGISTER_DAY_S - 1);
	register_lab_from(lab, REGISTER_BONDER);
	lab_refuse(lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(enclave), "BondLocked(uint64)",
		   LAB_WORDS(lab_word(lab->block.time_s + 1)));
	lab_next_block(lab, 1);
	lab_call(lab, ENCLAVES, "withdrawBond(bytes32)", LAB_WORDS(enclave));
}

/* What a bond adds up to has a bound: a sum above it reverts without data. */
static void test_bond_overflow(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash identity = chain_1(), enclave = begin(lab);
	const struct cs_address bonder = lab_address(REGISTER_BONDER);
	struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 201);
	struct ledger_account rich = {.balance = cs_u256_u64(0)};
	struct ledger_account empty = {.balance = cs_u256_u64(0)};
	const struct cs_address held = ledger_contract_address(ENCLAVES);
	memset(&rich.balance, 0xff, sizeof rich.balance);
	assert_ok(ledger_account_put(lab->state, &bonder, &rich));
	assert_ok(ledger_account_put(lab->state, &held, &empty));
	r.enclave = enclave;
	r.expires_s += 1;
	lab->value = rich.balance;
	lab_refuse_input(lab, ENCLAVES, register_lab_calldata(lab, &r), NULL, LAB_NONE);
}

/* ---- keys ---- */

/* A later key of an identity waits for the delay, also under another enclave: the way back when a
 * sealed key died with its host. */
static void test_later_key(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash identity = chain_1();
	struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 202);
	(void)begin(lab);
	r.keys[0].epoch = 2;
	(void)register_lab_register(lab, &r);
	assert_false(is_active(lab, 202));
	lab_next_block(lab, 3599);
	assert_false(is_active(lab, 202));
	lab_next_block(lab, 1);
	assert_true(is_active(lab, 202));
	assert_true(is_active(lab, 201));
}

/* As many keys as there can be, in one registration; one more does not read. */
static void test_many_keys(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash identity = chain_1();
	struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 201);
	r.key_count = LEDGER_ENCLAVE_KEYS_MAX;
	for (size_t i = 1; i < r.key_count; i++) {
		r.keys[i] = r.keys[0];
		r.keys[i].identity = lab_word(i);
		r.keys[i].x = register_lab_x(lab, 201 + i);
	}
	struct cs_bytes input = register_lab_calldata(lab, &r);
	uint8_t *count = (uint8_t *)(uintptr_t)(input.p + 4 + 15 * 32 + 31);
	assert_int_equal(*count, LEDGER_ENCLAVE_KEYS_MAX);
	*count += 1;
	register_lab_from(lab, REGISTER_BONDER);
	lab->value = r.bond;
	lab_refuse_input(lab, ENCLAVES, input, NULL, LAB_NONE);
	(void)register_lab_register(lab, &r);
	print_message("register %zu keys: %llu gas\n", r.key_count,
		      (unsigned long long)lab->run.gas.used);
	for (size_t i = 0; i < r.key_count; i++)
		assert_true(is_active(lab, 201 + i));
}

static void test_administrators(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash one = register_lab_x(lab, 102), identity = chain_1();
	struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 201);
	const struct cs_hash words[] = {lab_word(1), lab_word(64), lab_word(1), one};
	register_lab_from(lab, REGISTER_OWNER);
	lab_refuse(lab, ENCLAVES, "setAdministrators(uint8,bytes32[])", words, CS_LEN(words),
		   "OperationUnknown()", LAB_NONE);
	register_lab_by_owner(lab, ENCLAVES, "setAdministrators(uint8,bytes32[])", words,
			      CS_LEN(words));
	const struct cs_bytes output = lab_call(lab, ENCLAVES, "administrators()", LAB_NONE);
	assert_bytes(output, cs_bytes(words, sizeof words));
	/* The first is 102 now, and there is no second. */
	register_lab_from(lab, REGISTER_BONDER);
	lab->value = r.bond;
	lab_refuse_input(lab, ENCLAVES, register_lab_calldata(lab, &r), "ApprovalInvalid(uint8)",
			 LAB_WORDS(lab_word(0)));
	lab_call(lab, ENCLAVES, "terms()", LAB_NONE);
}

/* Gas that ends anywhere takes back everything. */
static void test_out_of_gas(void **state)
{
	struct lab *lab = *state;
	const struct cs_hash identity = chain_1();
	const struct ledger_registration r =
		register_lab_registration(lab, LEDGER_ROLE_BRIDGE, &identity, 201);
	const struct cs_bytes input = register_lab_calldata(lab, &r);
	uint64_t needs;
	register_lab_from(lab, REGISTER_BONDER);
	(void)register_lab_register(lab, &r);
	needs = lab->run.gas.used;
	lab_free(lab);
	*state = lab = register_lab_new();
	register_lab_from(lab, REGISTER_BONDER);
	for (uint64_t limit = 500; limit < needs; limit += needs / 97) {
		lab->gas_limit = limit;
		lab->value = r.bond;
		lab_refuse_input(lab, ENCLAVES, input, NULL, LAB_NONE);
	}
	lab->gas_limit = LAB_GAS;
	assert_false(is_active(lab, 201));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_preimages),
		TEST(test_story),
		cmocka_unit_test(test_tables),
		TEST(test_founding),
		cmocka_unit_test(test_unfounded),
		TEST(test_suspension),
		TEST(test_key_suspension),
		TEST(test_revocation),
		TEST(test_expiry),
		TEST(test_bond_after_expiry),
		TEST(test_bond_after_revocation),
		TEST(test_bond_revoked_early),
		TEST(test_bond_overflow),
		TEST(test_later_key),
		TEST(test_many_keys),
		TEST(test_administrators),
		TEST(test_out_of_gas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
