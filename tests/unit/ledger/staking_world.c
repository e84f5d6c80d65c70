#include "tests/unit/ledger/staking_world.h"

#include "core/hash.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A block of ten calls reads and writes a few hundred pairs. */
#define KEYS_MAX 4096u
#define BYTES_MAX (2u * 1024 * 1024)
#define ARENA_SIZE (2u * 1024 * 1024)
#define GAS 50000000u

static const struct ledger_contract *const contracts[] = {&ledger_parameters_contract,
							  &ledger_staking};

/* ---- the world ---- */

/* The same in every world: made once. */
static void make_keys(struct world *world)
{
	static struct world_key keys[WORLD_KEYS];
	for (size_t i = 0; i < WORLD_KEYS && keys[WORLD_KEYS - 1].secret.b[0] == 0; i++) {
		struct world_key *key = &keys[i];
		key->secret.b[0] = (uint8_t)(i + 1);
		enum cs_err err = cs_ed25519_public(&key->key, &key->secret);
		cs_assert(err == CS_OK);
		key->address = cmt_address(&key->key);
		memset(key->operator.b, 0x40, sizeof key->operator.b);
		key->operator.b[0] =(uint8_t) i;
	}
	memcpy(world->keys, keys, sizeof keys);
	memset(world->owner.b, 0x77, sizeof world->owner.b);
}

static void put_account(struct world *world, const struct cs_address *address, uint64_t balance)
{
	const struct ledger_account account = {0, cs_u256_u64(balance)};
	enum cs_err err = ledger_account_put(world->state, address, &account);
	cs_assert(err == CS_OK);
}

struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof *world);
	const struct ledger_state_options options = {
		.keys_max = KEYS_MAX, .bytes_max = BYTES_MAX, .seed = {7}};
	cs_assert(world != NULL);
	world->db = memory_db_new();
	world->sig = cs_sig_new(NULL);
	void *memory = calloc(1, ledger_state_size(&options));
	cs_assert(world->db != NULL && world->sig != NULL && memory != NULL);
	const struct ledger_db db = memory_db_table(world->db);
	world->state = ledger_state_init(memory, &db, &options);
	cs_arena_init(&world->arena, malloc(ARENA_SIZE), ARENA_SIZE);
	cs_arena_init(&world->sets, malloc(ARENA_SIZE), ARENA_SIZE);
	cs_assert(world->arena.block != NULL && world->sets.block != NULL);
	ledger_machine_init(&world->machine, world->state, world->sig,
			    (struct ledger_contracts){contracts, CS_LEN(contracts)});
	world->block.time_s = WORLD_TIME_BEGIN_S;
	make_keys(world);
	enum cs_err err = cmt_validator_set_init(&world->last, &world->sets, LEDGER_VALIDATORS_MAX);
	cs_assert(err == CS_OK);
	err = cmt_validator_set_init(&world->now, &world->sets, LEDGER_VALIDATORS_MAX);
	cs_assert(err == CS_OK);
	err = cmt_validator_set_init(&world->next, &world->sets, LEDGER_VALIDATORS_MAX);
	cs_assert(err == CS_OK);
	for (size_t i = 0; i < WORLD_KEYS; i++)
		put_account(world, &world->keys[i].operator, WORLD_FUNDS);
	return world;
}

void world_free(struct world *world)
{
	cs_sig_free(world->sig);
	free(world->state);
	free(world->arena.block);
	free(world->sets.block);
	memory_db_free(world->db);
	free(world);
}

static struct ledger_call hook(struct world *world, const struct ledger_contract *contract)
{
	static const struct cs_address nobody;
	cs_arena_rewind(&world->arena, 0);
	world->why = (struct cs_why){""};
	enum cs_err err = ledger_run_init(&world->run, &world->block, &world->arena, &world->why,
					  &nobody, UINT64_MAX);
	cs_assert(err == CS_OK);
	return ledger_machine_as(&world->machine, &world->run, contract);
}

static void must(const struct world *world, enum cs_err err)
{
	if (err != CS_OK)
		(void)fprintf(stderr, "%s: %s\n", cs_err_name(err), world->why.text);
	cs_assert(err == CS_OK);
}

/* ---- genesis ---- */

static const struct cs_json *section_of(struct ledger_call *call, const char *text)
{
	const struct cs_json *json = NULL;
	if (text == NULL)
		return NULL;
	enum cs_err err =
		cs_json_parse(&json, cs_bytes_str(text), CS_JSON_INTEGERS, call->arena, call->why);
	cs_assert(err == CS_OK);
	return json;
}

static void engine_of(struct world *world, const struct abci_validator_updates *validators)
{
	struct cmt_validator list[LEDGER_VALIDATORS_MAX];
	cs_assert(validators->count <= CS_LEN(list));
	for (size_t i = 0; i < validators->count; i++) {
		struct cs_ed25519_key key;
		memcpy(key.b, validators->items[i].pub_key.bytes.p, sizeof key.b);
		list[i] = cmt_validator_of(&key, validators->items[i].power);
	}
	must(world, cmt_validator_set_make(&world->now, list, validators->count, &world->arena,
					   &world->why));
	must(world, cmt_validator_set_copy(&world->next, &world->now));
}

enum cs_err world_found(struct world *world, const char *parameters, const char *staking,
			const struct abci_validator_updates *validators)
{
	static const uint8_t tag[32] = {0xcc};
	struct cs_hash hash;
	const struct ledger_rules rules = {LEDGER_BLOCK_GAS, LEDGER_VERSIONS_KEPT_DEFAULT,
					   cs_u256_u64(1)};
	const struct ledger_genesis genesis = {.validators = *validators,
					       .supply = cs_u256_u64(WORLD_KEYS * WORLD_FUNDS)};
	memcpy(hash.b, tag, sizeof hash.b);
	must(world, ledger_rules_put(world->state, &rules));
	must(world, ledger_chain_put(world->state, &hash));
	struct ledger_call call = hook(world, &ledger_parameters_contract);
	CS_TRY(ledger_parameters_genesis(&call, &genesis, section_of(&call, parameters)));
	call = hook(world, &ledger_staking);
	CS_TRY(ledger_staking_genesis(&call, &genesis, section_of(&call, staking)));
	world->block.height = 1;
	engine_of(world, validators);
	return CS_OK;
}

const char *world_section(const struct world *world, size_t count, uint64_t bond)
{
	static char text[64 * 1024];
	struct cs_buf buf;
	cs_buf_init(&buf, text, sizeof text - 1);
	cs_put_text(&buf, "{\"validators\":[");
	for (size_t i = 0; i < count; i++) {
		char key[65], operator[41];
		cs_hex(key, CS_BYTES_OF(world->keys[i].key.b));
		cs_hex(operator, CS_BYTES_OF(world->keys[i].operator.b));
		cs_put_text(&buf, "%s{\"key\":\"0x%s\",\"operator\":\"0x%s\",\"bond\":\"%llu\"}",
			    i == 0 ? "" : ",", key, operator,(unsigned long long) bond);
	}
	cs_put_text(&buf, "]}");
	cs_assert(cs_buf_end(&buf) == CS_OK);
	text[buf.n] = 0;
	return text;
}

static const char *parameters_section(const struct world *world, const char *values)
{
	static char text[4096];
	char owner[41];
	cs_hex(owner, CS_BYTES_OF(world->owner.b));
	(void)snprintf(text, sizeof text,
		       "{\"owner\":\"0x%s\",\"guardian\":\"0x%s\",\"delay_s\":100,\"values\":{%s}}",
		       owner, owner, values);
	return text;
}

void world_found_equal(struct world *world, size_t count, uint64_t bond, const char *values)
{
	struct abci_validator_update items[LEDGER_VALIDATORS_MAX];
	const char *parameters = parameters_section(world, values);
	uint64_t unit = 1;
	const char *at = strstr(values, "\"power_unit\":");
	if (at != NULL)
		unit = strtoull(at + strlen("\"power_unit\":"), NULL, 10);
	cs_assert(at != NULL && count <= CS_LEN(items));
	for (size_t i = 0; i < count; i++)
		items[i] = (struct abci_validator_update){
			{ABCI_KEY_ED25519, CS_BYTES_OF(world->keys[i].key.b)},
			(int64_t)(bond / unit)};
	must(world, world_found(world, parameters, world_section(world, count, bond),
				&(struct abci_validator_updates){items, count}));
}

/* ---- calls ---- */

bool world_call(struct world *world, struct cs_bytes *output, const struct cs_address *from,
		uint64_t value, uint8_t contract, struct cs_bytes input)
{
	const struct cs_address to = ledger_contract_address(contract);
	const struct cs_u256 amount = cs_u256_u64(value);
	bool success = false;
	cs_arena_rewind(&world->arena, 0);
	world->why = (struct cs_why){""};
	must(world,
	     ledger_run_init(&world->run, &world->block, &world->arena, &world->why, from, GAS));
	must(world, ledger_machine_call(&world->machine, &world->run, &success, output, &to,
					&amount, input));
	return success;
}

bool world_do(struct world *world, struct cs_bytes *output, const struct cs_address *from,
	      uint64_t value, uint8_t contract, const char *signature, const struct cs_hash *words,
	      size_t count)
{
	uint8_t input[4 + 8 * 32];
	const struct cs_hash topic = cs_abi_topic(signature);
	cs_assert(count <= 8);
	memcpy(input, topic.b, 4);
	if (count > 0)
		memcpy(input + 4, words, count * sizeof *words);
	return world_call(world, output, from, value, contract,
			  cs_bytes(input, 4 + count * sizeof *words));
}

bool world_register(struct world *world, struct cs_bytes *output, size_t i, uint64_t bond)
{
	const struct world_key *key = &world->keys[i];
	uint8_t signature[CS_ED25519_SIGNATURE_SIZE];
	struct cs_hash tag, words[3];
	must(world, ledger_chain_get(world->state, &tag));
	const struct cs_hash digest = ledger_validator_digest(&tag, &key->operator);
	must(world, cs_ed25519_sign(signature, &key->secret, CS_BYTES_OF(digest.b)));
	memcpy(words[0].b, key->key.b, 32);
	memcpy(words[1].b, signature, 32);
	memcpy(words[2].b, signature + 32, 32);
	return world_do(world, output, &key->operator, bond, LEDGER_STAKING_NUMBER,
			"register(bytes32,bytes32,bytes32)", words, 3);
}

void world_pay_fees(struct world *world, const struct cs_address *from, uint64_t amount)
{
	const struct cs_address to = ledger_contract_address(LEDGER_STAKING_NUMBER);
	const struct cs_u256 value = cs_u256_u64(amount);
	bool moved = false;
	must(world, ledger_account_move(world->state, &moved, from, &to, &value));
	if (moved)
		world->fees += amount;
}

/* ---- sums ---- */

static void add(struct cs_u256 *sum, const struct cs_u256 *more)
{
	enum cs_err err = cs_u256_add(sum, sum, more);
	cs_assert(err == CS_OK);
}

static struct cs_u256 balance_of(struct world *world, const struct cs_address *address)
{
	struct ledger_account account;
	must(world, ledger_account_get(world->state, &account, address));
	return account.balance;
}

static void check_supply(struct world *world, const struct staking_totals *totals)
{
	const struct cs_address staking = ledger_contract_address(LEDGER_STAKING_NUMBER);
	const struct cs_u256 own = balance_of(world, &staking), fees = cs_u256_u64(world->fees);
	struct cs_u256 parts = totals->bonded, all = own, issued = totals->supply;
	add(&parts, &totals->unbonding);
	add(&parts, &totals->rewards);
	add(&parts, &totals->community);
	add(&parts, &fees);
	cs_assert(cs_u256_cmp(&parts, &own) == 0);
	for (size_t i = 0; i < WORLD_KEYS; i++) {
		const struct cs_u256 balance = balance_of(world, &world->keys[i].operator);
		add(&all, &balance);
	}
	const struct cs_u256 owner = balance_of(world, &world->owner);
	add(&all, &owner);
	cs_assert(cs_u256_cmp(&all, &totals->supply) == 0);
	add(&issued, &totals->burnt);
	cs_assert(cs_u256_cmp(&issued, &totals->minted) >= 0);
}

static void check_validators(struct world *world, const struct staking_totals *totals)
{
	struct ledger_call call = hook(world, &ledger_staking);
	struct cs_u256 bonded = {{0}}, unbonding = {{0}}, owed = {{0}};
	struct staking_shares shares;
	must(world, staking_shares_get(&call, &shares));
	for (size_t i = 0; i < WORLD_KEYS; i++) {
		struct staking_validator validator;
		struct staking_unbondings waiting;
		struct staking_record record;
		enum cs_err err = staking_validator_get(&call, &validator, &world->keys[i].address);
		if (err == CS_ERR_NOT_FOUND)
			continue;
		must(world, err);
		add(&bonded, &validator.bonded);
		must(world, staking_unbondings_get(&call, &waiting, &validator.address));
		for (size_t k = 0; k < waiting.count; k++)
			add(&unbonding, &waiting.items[k].amount);
		must(world, staking_record_now(&call, &record, &validator.address));
		add(&owed, &record.owed);
		cs_assert(record.missed <= record.asked);
	}
	const struct cs_u256 rest = cs_u256_u64(shares.reward_rest);
	add(&owed, &rest);
	const struct cs_u256 rewards = {
		{0, totals->rewards.limb[0], totals->rewards.limb[1], totals->rewards.limb[2]}};
	cs_assert(cs_u256_cmp(&bonded, &totals->bonded) == 0);
	cs_assert(cs_u256_cmp(&unbonding, &totals->unbonding) == 0);
	cs_assert(cs_u256_cmp(&owed, &rewards) == 0);
}

/* The contract's set is the one that the engine will have. */
static void check_set(struct world *world)
{
	struct ledger_call call = hook(world, &ledger_staking);
	struct staking_powers set;
	must(world, staking_powers_get(&call, &set, STAKING_SET));
	cs_assert(set.count > 0 && set.count == world->next.count);
	for (size_t i = 0; i < set.count; i++) {
		const struct cmt_validator *validator = &world->next.list[i];
		cs_assert(cs_address_eq(&set.items[i].address, &validator->address));
		cs_assert(set.items[i].power == (uint64_t)validator->power);
	}
}

/* ---- blocks ---- */

void world_begin(struct world *world, const struct world_tells *tells)
{
	static const struct abci_misbehavior none[1];
	struct abci_vote votes[LEDGER_VALIDATORS_MAX];
	struct ledger_begin begin = {
		.misbehavior = {tells->misbehavior_count == 0 ? none : tells->misbehaviors,
				tells->misbehavior_count}};
	for (size_t i = 0; i < world->last.count; i++) {
		const struct cmt_validator *validator = &world->last.list[i];
		votes[i].validator = (struct abci_validator){CS_BYTES_OF(validator->address.b),
							     validator->power};
		votes[i].block_id_flag =
			tells->flags == NULL ? ABCI_BLOCK_ID_COMMIT : tells->flags[i];
	}
	begin.last_commit.votes.items = votes;
	begin.last_commit.votes.count = world->last.count;
	world->block.time_s += tells->seconds;
	world->block.proposer = world->now.proposer.address;
	for (size_t i = 0; i < world->last.count; i++) {
		if (votes[i].block_id_flag == ABCI_BLOCK_ID_COMMIT)
			world->fees = 0;
	}
	struct ledger_call call = hook(world, &ledger_staking);
	must(world, ledger_staking_begin(&call, &begin));
	cs_assert(world->run.gas.used < 100000000);
}

/* FinalizeBlock's changes at H make the set of H + 2, as the engine's state does it. */
static void change_engine(struct world *world, const struct abci_validator_updates *updates)
{
	struct cmt_validator list[LEDGER_VALIDATORS_MAX];
	cs_assert(updates->count <= CS_LEN(list));
	must(world, cmt_validator_set_copy(&world->last, &world->now));
	must(world, cmt_validator_set_copy(&world->now, &world->next));
	for (size_t i = 0; i < updates->count; i++) {
		struct cs_ed25519_key key;
		cs_assert(updates->items[i].pub_key.type == ABCI_KEY_ED25519);
		memcpy(key.b, updates->items[i].pub_key.bytes.p, sizeof key.b);
		list[i] = cmt_validator_of(&key, updates->items[i].power);
	}
	must(world, cmt_validator_set_update(&world->next, list, updates->count, &world->arena,
					     &world->why));
	cmt_validator_set_increment(&world->next, 1);
}

static void commit(struct world *world)
{
	const struct ledger_db db = memory_db_table(world->db);
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{NULL, 0}, {NULL, 0}};
	cs_arena_rewind(&world->arena, 0);
	must(world, ledger_state_changes(world->state, &changes[LEDGER_VALUES], &world->arena));
	must(world, db.commit(db.context, world->block.height, changes, world->block.height));
	ledger_state_reset(world->state);
}

void world_end(struct world *world)
{
	struct ledger_call call = hook(world, &ledger_parameters_contract);
	world->end = (struct ledger_end){.fees = cs_u256_u64(world->fees)};
	must(world, ledger_parameters_end(&call, &world->end));
	const struct abci_consensus_params *told = world->end.param_updates;
	call = ledger_machine_as(&world->machine, &world->run, &ledger_staking);
	must(world, ledger_staking_end(&call, &world->end));
	change_engine(world, &world->end.validator_updates);
	world->end.validator_updates.items = NULL;
	cs_assert(told == world->end.param_updates);
	const struct staking_totals totals = world_totals(world);
	check_supply(world, &totals);
	check_validators(world, &totals);
	check_set(world);
	commit(world);
	world->block.height++;
}

void world_blocks(struct world *world, size_t count)
{
	const struct world_tells tells = {.seconds = 1};
	for (size_t i = 0; i < count; i++) {
		world_begin(world, &tells);
		world_end(world);
	}
}

/* ---- questions ---- */

struct staking_validator world_validator(struct world *world, size_t i)
{
	struct ledger_call call = hook(world, &ledger_staking);
	struct staking_validator validator;
	must(world, staking_validator_get(&call, &validator, &world->keys[i].address));
	return validator;
}

struct staking_totals world_totals(struct world *world)
{
	struct ledger_call call = hook(world, &ledger_staking);
	struct staking_totals totals;
	must(world, staking_totals_get(&call, &totals));
	return totals;
}

uint64_t world_funds(struct world *world, const struct cs_address *account)
{
	const struct cs_u256 balance = balance_of(world, account);
	uint64_t amount;
	must(world, cs_u256_to_u64(&amount, &balance));
	return amount;
}

uint64_t world_power(struct world *world, size_t i)
{
	const size_t at = cmt_validator_set_find(&world->next, &world->keys[i].address);
	return at == SIZE_MAX ? 0 : (uint64_t)world->next.list[at].power;
}

struct abci_misbehavior world_evidence(const struct world *world, size_t i,
				       enum abci_misbehavior_type type, uint64_t height,
				       uint64_t time_s)
{
	return (struct abci_misbehavior){
		.type = type,
		.validator = {CS_BYTES_OF(world->keys[i].address.b), 1},
		.height = (int64_t)height,
		.time = {.s = (int64_t)time_s},
		.total_voting_power = 100,
	};
}
