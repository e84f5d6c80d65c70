#include "relay_state/ledger/genesis.h"

#include "core/hash.h"
#include "core/reader.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/chain.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/tree.h"

#include <string.h>

/* What is changed goes into the db so often, so that an export of any size fits the state's memory. */
#define PAIRS_PER_PART 4096u

static const char *const members[] = {"accounts", "rules", "contracts", "pairs"};

/* ---- parts of the state ---- */

/* What was changed becomes a part of version 0. */
static enum cs_err flush(const struct ledger_founding *f, struct cs_hash *root)
{
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{NULL, 0}, {NULL, 0}};
	const size_t mark = cs_arena_mark(f->arena);
	CS_TRY(ledger_state_changes(f->machine->state, &changes[LEDGER_VALUES], f->arena));
	CS_TRY(ledger_tree_update(root, &changes[LEDGER_PAGES], &f->db, &changes[LEDGER_VALUES],
				  f->arena));
	CS_TRY(f->db.commit(f->db.context, 0, changes, 0));
	ledger_state_reset(f->machine->state);
	cs_arena_rewind(f->arena, mark);
	return CS_OK;
}

/* ---- pairs of an export ---- */

struct pairs {
	uint8_t last[LEDGER_KEY_SIZE_MAX];
	size_t last_size;
	size_t count; /* since the last part */
	struct cs_u256 supply;
};

static bool is_above(const struct pairs *pairs, struct cs_bytes key)
{
	const size_t n = pairs->last_size < key.n ? pairs->last_size : key.n;
	const int order = n == 0 ? 0 : memcmp(key.p, pairs->last, n);
	return order > 0 || (order == 0 && key.n > pairs->last_size);
}

static bool is_account(struct cs_bytes key)
{
	return key.n == LEDGER_ACCOUNT_KEY_SIZE && key.p[0] == LEDGER_OWN_KEYS;
}

/* The sum of all balances is below 2^256: no later sum can overflow. */
static enum cs_err add_supply(struct pairs *pairs, const struct cs_u256 *balance,
			      struct cs_why *why)
{
	if (cs_u256_add(&pairs->supply, &pairs->supply, balance) != CS_OK)
		return cs_fail(why, CS_ERR_OVERFLOW,
			       "genesis: all balances together are above 2^256 - 1");
	return CS_OK;
}

static enum cs_err put_pair(const struct ledger_founding *f, struct pairs *pairs,
			    struct cs_bytes key, struct cs_bytes value)
{
	struct cs_hash root;
	struct ledger_account account;
	if (key.n == 0 || key.n > LEDGER_KEY_SIZE_MAX || value.n == 0 ||
	    value.n > LEDGER_VALUE_SIZE_MAX || !is_above(pairs, key) || !ledger_is_exported(key))
		return cs_fail(f->why, CS_ERR_INVALID,
			       "genesis: a pair that no export has, or one that does not ascend");
	if (is_account(key)) {
		if (ledger_account_decode(&account, value) != CS_OK)
			return cs_fail(f->why, CS_ERR_INVALID, "genesis: an account's pair");
		CS_TRY(add_supply(pairs, &account.balance, f->why));
	}
	CS_TRY(ledger_state_put(f->machine->state, key, value));
	memcpy(pairs->last, key.p, key.n);
	pairs->last_size = key.n;
	if (++pairs->count < PAIRS_PER_PART)
		return CS_OK;
	pairs->count = 0;
	return flush(f, &root);
}

static enum cs_err put_chunk(const struct ledger_founding *f, struct pairs *pairs,
			     const struct cs_json *chunk)
{
	const size_t mark = cs_arena_mark(f->arena);
	const size_t size = chunk->type == CS_JSON_STRING ? chunk->text.n / 2 : 0;
	struct cs_reader reader;
	if (size < 2 || size - 1 > LEDGER_GENESIS_PAIRS_SIZE_MAX)
		return cs_fail(f->why, CS_ERR_TOO_LARGE, "genesis: a string of pairs");
	uint8_t *bytes = cs_arena_alloc(f->arena, size - 1);
	if (bytes == NULL)
		return CS_ERR_NO_MEMORY;
	if (cs_json_hex(bytes, size - 1, chunk) != CS_OK)
		return cs_fail(f->why, CS_ERR_MALFORMED, "genesis: pairs are in lower-case hex");
	cs_reader_init(&reader, cs_bytes(bytes, size - 1));
	while (reader.left > 0) {
		const struct cs_bytes key = cs_get(&reader, cs_get_u8(&reader));
		const struct cs_bytes value = cs_get(&reader, cs_get_u32(&reader));
		if (reader.failed)
			return cs_fail(f->why, CS_ERR_TRUNCATED, "genesis: a pair is cut");
		CS_TRY(put_pair(f, pairs, key, value));
	}
	cs_arena_rewind(f->arena, mark);
	return CS_OK;
}

static enum cs_err put_pairs(const struct ledger_founding *f, struct pairs *pairs,
			     const struct cs_json *json)
{
	const struct cs_json *list;
	if (cs_json_find(json, "pairs") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&list, json, "pairs", CS_JSON_ARRAY, f->why));
	for (const struct cs_json *chunk = list->child; chunk != NULL; chunk = chunk->next)
		CS_TRY(put_chunk(f, pairs, chunk));
	return CS_OK;
}

/* ---- accounts ---- */

static enum cs_err put_account(const struct ledger_founding *f, struct pairs *pairs,
			       const struct cs_json *json)
{
	static const char *const keys[] = {"address", "balance", "sequence"};
	struct ledger_account account = {0}, before;
	struct cs_address address;
	CS_TRY(cs_json_only(json, keys, CS_LEN(keys), f->why));
	CS_TRY(cs_json_member_hex(address.b, sizeof address.b, json, "address", f->why));
	CS_TRY(cs_json_member_u256(&account.balance, json, "balance", f->why));
	if (cs_json_find(json, "sequence") != NULL)
		CS_TRY(cs_json_member_u64(&account.sequence, json, "sequence", UINT64_MAX - 1,
					  f->why));
	CS_TRY(ledger_account_get(f->machine->state, &before, &address));
	if (before.sequence != 0 || !cs_u256_is_zero(&before.balance))
		return cs_fail(f->why, CS_ERR_DUPLICATE, "genesis: an account is there twice");
	CS_TRY(add_supply(pairs, &account.balance, f->why));
	return ledger_account_put(f->machine->state, &address, &account);
}

static enum cs_err put_accounts(const struct ledger_founding *f, struct pairs *pairs,
				const struct cs_json *json)
{
	const struct cs_json *list;
	if (cs_json_find(json, "accounts") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&list, json, "accounts", CS_JSON_ARRAY, f->why));
	if (list->count > LEDGER_GENESIS_ACCOUNTS_MAX)
		return cs_fail(f->why, CS_ERR_TOO_LARGE, "genesis: more than %u accounts",
			       LEDGER_GENESIS_ACCOUNTS_MAX);
	for (const struct cs_json *item = list->child; item != NULL; item = item->next)
		CS_TRY(put_account(f, pairs, item));
	return CS_OK;
}

/* ---- rules ---- */

static uint64_t block_gas_of(const struct ledger_genesis *genesis)
{
	const int64_t gas = genesis->params != NULL && genesis->params->block != NULL
				    ? genesis->params->block->max_gas
				    : -1;
	return gas <= 0 || gas > (int64_t)LEDGER_BLOCK_GAS ? LEDGER_BLOCK_GAS : (uint64_t)gas;
}

static enum cs_err put_rules(const struct ledger_founding *f, const struct ledger_genesis *genesis,
			     const struct cs_json *json)
{
	static const char *const keys[] = {"gas_price_min", "versions_kept"};
	struct ledger_rules rules = {block_gas_of(genesis), LEDGER_VERSIONS_KEPT_DEFAULT,
				     cs_u256_u64(1)};
	const struct cs_json *own = cs_json_find(json, "rules");
	struct ledger_rules exported;
	if (genesis->is_import && ledger_rules_get(f->machine->state, &exported) == CS_OK) {
		rules = exported;
		rules.block_gas = block_gas_of(genesis);
	}
	if (own != NULL) {
		CS_TRY(cs_json_only(own, keys, CS_LEN(keys), f->why));
		if (cs_json_find(own, "gas_price_min") != NULL)
			CS_TRY(cs_json_member_u256(&rules.gas_price_min, own, "gas_price_min",
						   f->why));
		if (cs_json_find(own, "versions_kept") != NULL)
			CS_TRY(cs_json_member_u64(&rules.versions_kept, own, "versions_kept",
						  LEDGER_VERSIONS_KEPT_MAX, f->why));
	}
	enum cs_err err = ledger_rules_put(f->machine->state, &rules);
	return err == CS_ERR_INVALID
		       ? cs_fail(f->why, err,
				 "genesis: versions_kept is 1 to %u, a price of gas below 2^128",
				 LEDGER_VERSIONS_KEPT_MAX)
		       : err;
}

/* ---- contracts ---- */

static enum cs_err check_contracts(const struct ledger_founding *f, const struct cs_json *list)
{
	for (const struct cs_json *member = list->child; member != NULL; member = member->next) {
		bool is_known = false;
		for (size_t i = 0; i < f->modules.count && !is_known; i++)
			is_known = f->modules.items[i].genesis != NULL &&
				   cs_bytes_eq(member->key,
					       cs_bytes_str(f->modules.items[i].contract->name));
		if (!is_known)
			return cs_fail(f->why, CS_ERR_UNKNOWN_FIELD,
				       "genesis: contracts has a \"%.*s\"",
				       (int)(member->key.n < 64 ? member->key.n : 64),
				       (const char *)member->key.p);
	}
	return CS_OK;
}

static enum cs_err found_contracts(const struct ledger_founding *f,
				   const struct ledger_genesis *genesis, const struct cs_json *json)
{
	static const struct cs_address nobody;
	const struct cs_json *list = NULL;
	struct ledger_run run;
	if (cs_json_find(json, "contracts") != NULL) {
		CS_TRY(cs_json_member(&list, json, "contracts", CS_JSON_OBJECT, f->why));
		CS_TRY(check_contracts(f, list));
	}
	for (size_t i = 0; i < f->modules.count; i++) {
		const struct ledger_module *module = &f->modules.items[i];
		if (module->genesis == NULL)
			continue;
		CS_TRY(ledger_run_init(&run, f->block, f->arena, f->why, &nobody, UINT64_MAX));
		struct ledger_call call = ledger_machine_as(f->machine, &run, module->contract);
		CS_TRY(module->genesis(&call, genesis,
				       list == NULL ? NULL
						    : cs_json_find(list, module->contract->name)));
	}
	return CS_OK;
}

static enum cs_err name_chain(const struct ledger_founding *f, const struct ledger_genesis *genesis,
			      const struct cs_hash *root)
{
	static const struct cs_address nobody;
	const struct cs_hash tag =
		ledger_chain_tag(genesis->chain_id, genesis->time_s, genesis->initial_height, root);
	struct ledger_run run;
	CS_TRY(ledger_chain_put(f->machine->state, &tag));
	for (size_t i = 0; i < f->modules.count; i++) {
		const struct ledger_module *module = &f->modules.items[i];
		if (module->named == NULL)
			continue;
		CS_TRY(ledger_run_init(&run, f->block, f->arena, f->why, &nobody, UINT64_MAX));
		struct ledger_call call = ledger_machine_as(f->machine, &run, module->contract);
		CS_TRY(module->named(&call, &tag));
	}
	return CS_OK;
}

/* ---- all of it ---- */

static enum cs_err parse(const struct cs_json **json, const struct ledger_founding *f,
			 struct cs_bytes app_state)
{
	/* What CometBFT gives where the document has none. */
	static const char empty[] = "{}";
	if (app_state.n == 0)
		app_state = cs_bytes_str(empty);
	CS_TRY(cs_json_parse(json, app_state, CS_JSON_INTEGERS, f->arena, f->why));
	return cs_json_only(*json, members, CS_LEN(members), f->why);
}

enum cs_err ledger_found(const struct ledger_founding *f, struct cs_hash *root,
			 const struct ledger_genesis *given, struct cs_bytes app_state)
{
	struct ledger_genesis genesis = *given;
	struct pairs pairs = {.count = 0};
	const struct cs_json *json;
	CS_TRY(parse(&json, f, app_state));
	genesis.is_import = cs_json_find(json, "pairs") != NULL;
	ledger_state_reset(f->machine->state);
	CS_TRY(f->db.clear(f->db.context));
	CS_TRY(put_pairs(f, &pairs, json));
	CS_TRY(put_rules(f, &genesis, json));
	CS_TRY(put_accounts(f, &pairs, json));
	genesis.supply = pairs.supply;
	CS_TRY(found_contracts(f, &genesis, json));
	CS_TRY(flush(f, root));
	CS_TRY(name_chain(f, &genesis, root));
	return flush(f, root);
}

bool ledger_is_exported(struct cs_bytes key)
{
	return !cs_bytes_eq(key, ledger_chain_key());
}

static void put_hex(struct cs_buf *text, struct cs_bytes bytes)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes.n; i++) {
		cs_put_u8(text, (uint8_t)digits[bytes.p[i] >> 4]);
		cs_put_u8(text, (uint8_t)digits[bytes.p[i] & 15]);
	}
}

void ledger_export_pair(struct cs_buf *text, struct cs_bytes key, struct cs_bytes value)
{
	const uint8_t key_size = (uint8_t)key.n;
	uint8_t value_size[4];
	cs_assert(key.n > 0 && key.n <= LEDGER_KEY_SIZE_MAX && value.n <= LEDGER_VALUE_SIZE_MAX);
	cs_put_be32(value_size, (uint32_t)value.n);
	put_hex(text, cs_bytes(&key_size, 1));
	put_hex(text, key);
	put_hex(text, CS_BYTES_OF(value_size));
	put_hex(text, value);
}
