/* Founding, views, remotes, manifests, the timelock, and who may do what, at the built-in gateway. The
 * cases are those of tests/contracts/test_keys.py, by the same names where there is one. */
#include "core/hash.h"
#include "tests/unit/ledger/gateway_lab.h"

static struct world *world;

static int set_up(void **state)
{
	(void)state;
	world = world_new("ledger-1", false);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_free(world);
	return 0;
}

#define REGISTER_KEY "registerKey(bytes32,uint64,bytes32,bytes32,bytes32)"
#define REGISTER_REMOTE "registerRemote(string,bytes32,bytes,bytes,uint64)"

static void act(const struct cs_address *from, struct cs_bytes input)
{
	world_do_input(world, from, WORLD_GATEWAY, input);
}

static void refuse(const struct cs_address *from, struct cs_bytes input, const char *error)
{
	world_refuse_input(world, from, WORLD_GATEWAY, input, error, LAB_NONE);
}

static void advance(uint64_t seconds)
{
	world_at(world, world_now(world) + seconds);
}

static void schedule(struct cs_bytes operation)
{
	act(&world->owner, bytes_call("schedule(bytes)", operation));
}

/* ---- founding and views ---- */

static void test_views(void **state)
{
	(void)state;
	struct lab *lab = world->lab;
	lab_check_table(&ledger_gateway);
	assert_hash(lab_ask(lab, WORLD_GATEWAY, "identity()", LAB_NONE), world->identity);
	assert_hash(lab_ask(lab, WORLD_GATEWAY, "sentinel()", LAB_NONE),
		    wire_evm_sentinel_value(&world->identity));
	assert_hash(lab_ask(lab, WORLD_GATEWAY, "domain()", LAB_NONE),
		    *wire_tag(WIRE_TAG_STATEMENT));
	static const struct {
		const char *view;
		uint64_t want;
	} views[] = {{"insecure()", 0},
		     {"delay()", WORLD_DELAY},
		     {"rotationDelay()", WORLD_ROTATION_DELAY},
		     {"overlap()", WORLD_OVERLAP},
		     {"LIFETIME()", 14 * 86400},
		     {"paused()", 0},
		     {"remoteCount()", 1},
		     {"NONE()", 0},
		     {"FAILED()", 1},
		     {"DELIVERED()", 2},
		     {"DEAD()", 3},
		     {"OUTCOME_GAS()", LEDGER_OUTCOME_GAS},
		     {"PAYLOAD_MAX()", 16384},
		     {"GAS_MAX()", 15000000},
		     {"LIFETIME_MAX()", 366 * 86400}};
	for (size_t i = 0; i < CS_LEN(views); i++)
		assert_hash(lab_ask(lab, WORLD_GATEWAY, views[i].view, LAB_NONE),
			    lab_word(views[i].want));
	assert_hash(lab_ask(lab, WORLD_GATEWAY, "owner()", LAB_NONE),
		    lab_address_word(&world->owner));
	assert_hash(lab_ask(lab, WORLD_GATEWAY, "guardian()", LAB_NONE),
		    lab_address_word(&world->guardian));
	const struct cs_hash info[] = {lab_word(0), lab_word(1), lab_word(1), lab_word(1)};
	assert_bytes(
		lab_call(lab, WORLD_GATEWAY, "remoteInfo(bytes32)", &world->remote.identity, 1),
		cs_bytes(info, sizeof info));
}

static void assert_remote_of(struct cs_bytes chain, struct cs_hash want)
{
	struct cs_bytes output;
	assert_true(
		lab_try(world->lab, &output, WORLD_GATEWAY, bytes_call("remoteOf(bytes)", chain)));
	assert_bytes(output, CS_BYTES_OF(want.b));
}

static void test_remote_of(void **state)
{
	(void)state;
	assert_remote_of(world->remote.chain, world->remote.identity);
	assert_remote_of(account_of(world->remote.caip2, &world->remote.app),
			 world->remote.identity);
	assert_remote_of(account_of("eip155:9", NULL), lab_word(0));
	refuse(&world->anyone, bytes_call("remoteOf(bytes)", unhex("0001")),
	       "BadInteroperableAddress()");
}

static enum cs_err construct(const struct ledger_gateway_terms *terms)
{
	struct cs_why why;
	struct lab *lab = lab_new((const struct ledger_contract *const[]){&ledger_gateway}, 1);
	const struct cs_address nobody = {{0}};
	assert_ok(ledger_run_init(&lab->run, &lab->block, &lab->arena, &why, &nobody, LAB_GAS));
	struct ledger_call call = {.machine = &lab->machine,
				   .state = lab->state,
				   .block = &lab->block,
				   .sig = lab->sig,
				   .arena = &lab->arena,
				   .gas = &lab->run.gas,
				   .logs = &lab->run.logs,
				   .why = &why,
				   .address = ledger_contract_address(WORLD_GATEWAY),
				   .number = WORLD_GATEWAY};
	enum cs_err err = ledger_gateway_construct(&call, cs_bytes_str("x"), terms);
	lab_free(lab);
	return err;
}

static void test_bad_arguments(void **state)
{
	(void)state;
	const struct ledger_gateway_terms good = {
		.owner = lab_address(1), .delay_s = 10, .rotation_delay_s = 11, .overlap_s = 0};
	struct ledger_gateway_terms terms = good;
	assert_ok(construct(&terms));
	terms.owner = lab_address(0);
	assert_err(construct(&terms), CS_ERR_INVALID);
	terms = good;
	terms.rotation_delay_s = 10;
	assert_err(construct(&terms), CS_ERR_INVALID);
	terms.rotation_delay_s = 0;
	assert_err(construct(&terms), CS_ERR_INVALID);
	terms = good;
	terms.rotation_delay_s = UINT64_MAX;
	assert_err(construct(&terms), CS_ERR_INVALID);
	terms = good;
	terms.overlap_s = UINT64_MAX;
	assert_err(construct(&terms), CS_ERR_INVALID);
	terms = good;
	terms.delay_s = 3650u * 86400 + 1;
	terms.rotation_delay_s = UINT64_MAX;
	assert_err(construct(&terms), CS_ERR_INVALID);
}

/* ---- remotes ---- */

struct registration {
	const char *caip2;
	struct cs_hash genesis;
	struct cs_bytes gateway;
	struct cs_bytes chain;
};

static struct cs_bytes registration_call(const struct registration *new)
{
	uint8_t *memory = keep(1000);
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, memory, 1000);
	cs_abi_call(&abi, &buf, REGISTER_REMOTE);
	size_t caip2 = cs_abi_slot(&abi);
	cs_abi_put_word(&abi, &new->genesis);
	size_t gateway = cs_abi_slot(&abi), chain = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, 1);
	cs_abi_put_bytes(&abi, caip2, cs_bytes_str(new->caip2));
	cs_abi_put_bytes(&abi, gateway, new->gateway);
	cs_abi_put_bytes(&abi, chain, new->chain);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

static struct registration registration_of(const struct remote *remote)
{
	return (struct registration){remote->caip2, remote->genesis, CS_BYTES_OF(remote->gateway.b),
				     remote->chain};
}

/* A recipient sees only the chain reference: a second genesis behind it, or a second gateway, is
 * refused. */
static void test_twin_identity_under_one_reference(void **state)
{
	(void)state;
	static const uint8_t zeros[20];
	const struct remote twin = remote_make(world, "eip155:777", "twin");
	struct registration new = registration_of(&twin);
	refuse(&world->owner, registration_call(&new), "RemoteKnown()");
	new = registration_of(&world->remote);
	refuse(&world->owner, registration_call(&new), "RemoteKnown()");
	new.gateway = CS_BYTES_OF(zeros);
	refuse(&world->owner, registration_call(&new), "RemoteKnown()");
}

static void test_never_its_own(void **state)
{
	(void)state;
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	const struct registration own = {world->caip2, cs_keccak256(cs_bytes_str("ledger-1")),
					 CS_BYTES_OF(gateway.b), account_of(world->caip2, NULL)};
	refuse(&world->owner, registration_call(&own), "RemoteOwn()");
	const struct registration other = {world->caip2, lab_word(9), CS_BYTES_OF(world->user.b),
					   account_of(world->caip2, NULL)};
	refuse(&world->owner, registration_call(&other), "RemoteOwn()");
}

static void test_remote_refused(void **state)
{
	(void)state;
	const struct remote five = remote_make(world, "eip155:5", "other");
	const struct remote ledger = remote_make(world, "cosmos:ledger-2", "other");
	const struct cs_address address = {{0}};
	const struct {
		const struct remote *remote;
		const char *caip2;
		struct cs_bytes chain;
		const char *error;
	} cases[] = {
		{&five, "eip155:6", five.chain, "RemoteChainMismatch()"},
		{&five, "eip155:05", five.chain, "RemoteChainMismatch()"},
		{&five, "eip155:5 ", five.chain, "RemoteChainMismatch()"},
		{&five, "cosmos:5", five.chain, "RemoteChainMismatch()"},
		{&five, "", five.chain, "RemoteChainMismatch()"},
		{&five, "eip155:5", account_of("eip155:6", NULL), "RemoteChainMismatch()"},
		{&five, "eip155:5", account_of("eip155:5", &address), "RemoteChainMismatch()"},
		{&five, "eip155:5", CS_BYTES_NONE, "BadInteroperableAddress()"},
		{&five, "eip155:5", unhex("0001000002000500"), "BadInteroperableAddress()"},
		{&five, "eip155:5", unhex("000100000105"), "BadInteroperableAddress()"},
		{&ledger, "cosmos:ledger-3", ledger.chain, "RemoteChainMismatch()"},
		{&ledger, "cosmos:Ledger-2", ledger.chain, "RemoteChainMismatch()"},
		{&ledger, "eip155:5", ledger.chain, "RemoteChainMismatch()"},
		{&ledger, "ledger-2", ledger.chain, "RemoteChainMismatch()"},
		{&ledger, "cosmos:ledger-2", account_of("cosmos:ledger-2", &address),
		 "RemoteChainMismatch()"},
		{&ledger, "cosmos:a_b", unhex("0001ff0103615f6200"), "BadInteroperableAddress()"},
		{&five, "eip155:000000000000000000000000000000000000000000005", five.chain, NULL},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct registration new = registration_of(cases[i].remote);
		new.caip2 = cases[i].caip2;
		new.chain = cases[i].chain;
		refuse(&world->owner, registration_call(&new), cases[i].error);
	}
	world_register(world, &ledger);
	assert_remote_of(ledger.chain, ledger.identity);
}

/* Neither eip155 nor cosmos: the owner says which reference belongs to which identity. */
static void test_remote_of_another_kind_of_chain(void **state)
{
	(void)state;
	const struct registration new = {"fabric:abc", lab_word(1), cs_bytes_str("channel/cc"),
					 unhex("0001fff00a636f6e736f727469756d00")};
	act(&world->owner, registration_call(&new));
	const struct ledger_log *log =
		lab_log(world->lab,
			"RemoteRegistered(bytes32,uint32,string,bytes32,bytes,bytes,uint64)", 0);
	const struct cs_hash identity =
		wire_identity(cs_bytes_str("fabric:abc"), &new.genesis, new.gateway);
	struct cs_abi_reader in;
	struct cs_bytes caip2, gateway, chain;
	struct cs_hash genesis;
	uint64_t index, manifest;
	assert_hash(log->topics[1], identity);
	assert_ok(cs_abi_read(&in, log->data, 6));
	assert_ok(cs_abi_get_u64(&in, &index));
	assert_ok(cs_abi_get_bytes(&in, 100, &caip2));
	assert_ok(cs_abi_get_word(&in, &genesis));
	assert_ok(cs_abi_get_bytes(&in, 100, &gateway));
	assert_ok(cs_abi_get_bytes(&in, 100, &chain));
	assert_ok(cs_abi_get_u64(&in, &manifest));
	assert_ok(cs_abi_end(&in));
	assert_int_equal(index, 2);
	assert_int_equal(manifest, 1);
	assert_bytes(caip2, cs_bytes_str("fabric:abc"));
	assert_bytes(chain, new.chain);
	assert_remote_of(new.chain, identity);
}

/* ---- manifests ---- */

static struct cs_bytes raise_manifest(struct cs_hash remote, uint64_t number)
{
	return words_call("raiseManifest(bytes32,uint64)", LAB_WORDS(remote, lab_word(number)));
}

static struct cs_bytes under_manifest(const struct wire_message *message, uint64_t number)
{
	struct signing how = signing_of(world, &world->remote, WIRE_KIND_MESSAGE);
	how.manifest = number;
	const struct cs_hash root = messages_root(message, 1);
	const struct wire_signed statement = sign(world, &how, &root);
	return call_signed(WIRE_CALL_DELIVER, &statement, message, 1);
}

static void test_manifest_minimum(void **state)
{
	(void)state;
	const struct cs_hash remote = world->remote.identity, unknown = lab_word(1);
	refuse(&world->owner, raise_manifest(remote, 5), "OperationUnknown()");
	world_later_input(world, WORLD_GATEWAY, raise_manifest(remote, 5));
	assert_int_equal(lab_log_count(world->lab, "ManifestRaised(bytes32,uint64)"), 1);
	struct wire_message first = message_make(world, &world->remote);
	struct wire_message next = message_make(world, &world->remote);
	refuse(&world->anyone, under_manifest(&first, 4), "ManifestTooOld()");
	act(&world->anyone, under_manifest(&first, 5));
	act(&world->anyone, under_manifest(&next, UINT64_MAX));
	schedule(raise_manifest(remote, 4));
	schedule(raise_manifest(remote, 5));
	schedule(raise_manifest(unknown, 9));
	advance(WORLD_DELAY);
	refuse(&world->owner, raise_manifest(unknown, 9), "RemoteUnknown()");
	refuse(&world->owner, raise_manifest(remote, 4), "ManifestNotHigher()");
	refuse(&world->owner, raise_manifest(remote, 5), "ManifestNotHigher()");
}

/* ---- the timelock, and who may do what ---- */

static struct cs_bytes set_guardian(const struct cs_address *guardian)
{
	return words_call("setGuardian(address)", LAB_WORDS(lab_address_word(guardian)));
}

static struct cs_bytes set_owner(const struct cs_address *owner)
{
	return words_call("setOwner(address)", LAB_WORDS(lab_address_word(owner)));
}

static void test_scheduled_call_is_spent_once_and_grows_old(void **state)
{
	(void)state;
	const uint64_t lifetime = 14 * 86400, start = world_now(world);
	struct cs_bytes input = set_guardian(&world->user);
	schedule(input);
	world_at(world, start + 1); /* pending: the clock does not start anew */
	refuse(&world->owner, bytes_call("schedule(bytes)", input), "OperationPending()");
	world_at(world, start + WORLD_DELAY + lifetime - 1);
	refuse(&world->owner, bytes_call("schedule(bytes)", input), "OperationPending()");
	world_at(world, start + WORLD_DELAY + lifetime);
	refuse(&world->owner, input, "OperationLate()");
	schedule(input);
	world_at(world, start + 2 * WORLD_DELAY + lifetime);
	act(&world->owner, input);
	refuse(&world->owner, input, "OperationUnknown()");
	assert_hash(lab_ask(world->lab, WORLD_GATEWAY, "guardian()", LAB_NONE),
		    lab_address_word(&world->user));
}

static void test_cancel(void **state)
{
	(void)state;
	struct cs_bytes key = words_call("raiseManifest(bytes32,uint64)",
					 LAB_WORDS(world->remote.identity, lab_word(9)));
	struct cs_bytes guardian = set_guardian(&world->user);
	struct cs_bytes cancel_key = bytes_call("cancel(bytes)", key);
	struct cs_bytes cancel_guardian = bytes_call("cancel(bytes)", guardian);
	schedule(key);
	schedule(guardian);
	refuse(&world->anyone, cancel_key, "NotOwnerOrGuardian()");
	refuse(&world->guardian, cancel_guardian, "NotOwner()");
	act(&world->guardian, cancel_key);
	assert_int_equal(lab_log_count(world->lab, "OperationCancelled(bytes32)"), 1);
	refuse(&world->guardian, cancel_key, "OperationUnknown()");
	act(&world->owner, cancel_guardian);
	advance(WORLD_DELAY);
	refuse(&world->owner, key, "OperationUnknown()");
	refuse(&world->owner, guardian, "OperationUnknown()");
	refuse(&world->guardian, bytes_call("cancel(bytes)", CS_BYTES_NONE), "OperationUnknown()");
}

static void test_owner_is_changed_after_the_delay(void **state)
{
	(void)state;
	const struct cs_address nobody = {{0}};
	const struct cs_hash to = lab_address_word(&world->user);
	struct cs_bytes withdraw =
		words_call("withdraw(address,uint256)", LAB_WORDS(to, lab_word(0)));
	refuse(&world->owner, set_owner(&world->user), "OperationUnknown()");
	world_later_input(world, WORLD_GATEWAY, set_owner(&world->user));
	refuse(&world->owner, withdraw, "NotOwner()");
	act(&world->user, withdraw);
	act(&world->user, bytes_call("schedule(bytes)", set_owner(&nobody)));
	advance(WORLD_DELAY);
	refuse(&world->user, set_owner(&nobody), "NoOwner()");
}

/* Every function that changes powers, by everybody who must not call it. */
static void test_nobody_else_may(void **state)
{
	(void)state;
	const struct cs_hash r = world->remote.identity, one = lab_word(1), zero = lab_word(0);
	const struct remote other = remote_make(world, "eip155:5", "o");
	const struct route_row row = route_default(&world->remote);
	const struct cs_bytes owners[] = {
		register_call(&other),
		words_call(SET_ROUTE, &row.remote, 1 + ROUTE_WORDS),
		words_call("withdraw(address,uint256)",
			   LAB_WORDS(lab_address_word(&world->user), zero)),
		words_call("retireKey(bytes32,uint64,uint64)",
			   LAB_WORDS(r, one, lab_word(1ull << 63))),
		words_call("unpause()", LAB_NONE),
		bytes_call("schedule(bytes)", cs_bytes_str("x")),
		set_owner(&world->user),
		set_guardian(&world->user),
		raise_manifest(r, 9),
		words_call("enableKey(bytes32,uint64)", LAB_WORDS(r, one)),
		words_call(REGISTER_KEY, LAB_WORDS(r, lab_word(2), world->remote.x, zero, zero)),
	};
	for (size_t i = 0; i < CS_LEN(owners); i++) {
		refuse(&world->anyone, owners[i], "NotOwner()");
		refuse(&world->guardian, owners[i], "NotOwner()");
	}
	const struct cs_bytes guarded[] = {
		words_call("pause()", LAB_NONE),
		words_call("suspendKey(bytes32,uint64)", LAB_WORDS(r, one)),
		words_call("revokeKey(bytes32,uint64)", LAB_WORDS(r, one)),
		bytes_call("cancel(bytes)", cs_bytes_str("x")),
	};
	for (size_t i = 0; i < CS_LEN(guarded); i++)
		refuse(&world->anyone, guarded[i], "NotOwnerOrGuardian()");
	/* A contract that the owner calls is not the owner. */
	const struct cs_address gateway = ledger_contract_address(WORLD_GATEWAY);
	world_refuse_input(world, &world->owner, WORLD_APP, app_run(&gateway, 0, owners[4]),
			   "NotOwner()", LAB_NONE);
}

/* Nothing else rides on a scheduled operation: not other arguments, not trailing bytes. */
static void test_delay_is_for_the_exact_call(void **state)
{
	(void)state;
	struct cs_bytes input = set_guardian(&world->user);
	uint8_t *longer = keep(input.n + 1);
	memcpy(longer, input.p, input.n);
	schedule(input);
	schedule(cs_bytes(longer, input.n + 1));
	advance(WORLD_DELAY);
	refuse(&world->owner, set_guardian(&world->anyone), "OperationUnknown()");
	refuse(&world->owner, cs_bytes(longer, input.n + 1), NULL);
	act(&world->owner, input);
}

/* A ledger whose genesis founded no gateway has one that does nothing. */
static void test_not_founded(void **state)
{
	(void)state;
	struct lab *lab = lab_new((const struct ledger_contract *const[]){&ledger_gateway}, 1);
	lab->from = world->owner;
	lab_refuse_input(lab, WORLD_GATEWAY, register_call(&world->remote), "NotOwner()", LAB_NONE);
	lab_refuse(lab, WORLD_GATEWAY, "pause()", LAB_NONE, "NotOwnerOrGuardian()", LAB_NONE);
	lab->from = (struct cs_address){{0}}; /* a question by nobody */
	lab_refuse_input(lab, WORLD_GATEWAY, register_call(&world->remote), NULL, LAB_NONE);
	lab_refuse_input(lab, WORLD_GATEWAY,
			 send_call(account_of("eip155:777", &world->user), CS_BYTES_NONE, NULL, 0),
			 "RemoteUnknown()", LAB_NONE);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_views),
		TEST(test_remote_of),
		TEST(test_bad_arguments),
		TEST(test_twin_identity_under_one_reference),
		TEST(test_never_its_own),
		TEST(test_remote_refused),
		TEST(test_remote_of_another_kind_of_chain),
		TEST(test_manifest_minimum),
		TEST(test_scheduled_call_is_spent_once_and_grows_old),
		TEST(test_cancel),
		TEST(test_owner_is_changed_after_the_delay),
		TEST(test_nobody_else_may),
		TEST(test_delay_is_for_the_exact_call),
		TEST(test_not_founded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
