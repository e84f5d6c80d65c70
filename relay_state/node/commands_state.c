#include "host/alloc.h"
#include "host/keyfile.h"
#include "relay_state/ledger/parameters.h"
#include "relay_state/ledger/staking.h"
#include "relay_state/node/commands.h"
#include "relay_state/node/kvstore_files.h"
#include "relay_state/node/ledger_app.h"
#include "relay_state/node/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Commands on the folder of a node that is down (rollback), or that may run (export). */

/* In which everybody sees what the owner of a new ledger is about to change. */
#define OWNER_DELAY_S 86400
#define APP_STATE_SIZE_MAX NODE_GENESIS_SIZE_MAX

/* ---- export ---- */

struct exporting {
	int64_t wanted; /* 0: the last */
	int64_t first, last;
	uint8_t *state;
	size_t size;
};

static enum cs_err on_outcome(void *context, const struct node_record *outcome)
{
	struct exporting *e = context;
	if (e->first == 0)
		e->first = outcome->height;
	e->last = outcome->height;
	if (e->wanted != 0 && outcome->height != e->wanted)
		return CS_OK;
	free(e->state);
	e->state = host_copy(outcome->state);
	e->size = outcome->state.n;
	return CS_OK;
}

/* The height that was asked for, else the newest that the ledger beside the blocks has too: after a
 * stop in the middle of a block it is one behind. 0: the newest. */
static enum cs_err wanted_height(int64_t *height, const struct node_command *command,
				 struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX];
	struct node_ledger_db *db;
	*height = command->height;
	CS_TRY(node_path(path, command->home, "data/" NODE_LEDGER_FILE, why));
	if (command->height != 0 || command->app_state != NULL || access(path, F_OK) != 0)
		return CS_OK;
	CS_TRY(node_ledger_db_open(&db, path, why));
	*height = (int64_t)node_ledger_db_version(db);
	node_ledger_db_close(db);
	return CS_OK;
}

static enum cs_err find_state(struct bft_state *state, const struct node_command *command,
			      struct cs_why *why)
{
	struct exporting e = {.wanted = 0};
	CS_TRY(wanted_height(&e.wanted, command, why));
	const struct node_reading reading = {.context = &e, .outcome = on_outcome};
	uint8_t *memory = host_alloc(1024u * 1024);
	struct cs_arena scratch;
	cs_arena_init(&scratch, memory, 1024u * 1024);
	enum cs_err err = node_reading_walk(command->home, &reading, why);
	if (err == CS_OK && e.state == NULL)
		err = cs_fail(why, CS_ERR_NOT_FOUND,
			      "no state of that height: there are %lld to %lld", (long long)e.first,
			      (long long)e.last);
	if (err == CS_OK)
		err = bft_state_decode(state, cs_bytes(e.state, e.size), &scratch, why);
	free(e.state);
	free(memory);
	return err;
}

static const char *name_of(const struct node_genesis *genesis, const struct cs_address *address)
{
	for (size_t i = 0; i < genesis->count; i++) {
		if (cs_address_eq(&genesis->validators[i].address, address))
			return genesis->names[i];
	}
	return "";
}

/* NULL where there is no file. */
static enum cs_err read_app_state(json_t **out, const char *path, struct cs_why *why)
{
	uint8_t *bytes;
	size_t size;
	json_error_t error;
	*out = NULL;
	if (path == NULL)
		return CS_OK;
	CS_TRY(host_file_load(&bytes, &size, path, APP_STATE_SIZE_MAX, why));
	*out = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
			  &error);
	free(bytes);
	if (*out == NULL)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: line %d: %s", path, error.line,
			       error.text);
	return CS_OK;
}

static enum cs_err add_funds(json_t *root, const struct node_command *command, struct cs_why *why)
{
	json_t *accounts = json_object_get(root, "accounts");
	if (accounts == NULL && json_is_object(root)) {
		accounts = json_array();
		(void)json_object_set_new(root, "accounts", accounts);
	}
	if (!json_is_array(accounts))
		return cs_fail(why, CS_ERR_INVALID, "app_state has no list of accounts");
	for (size_t i = 0; i < command->fund_count; i++) {
		const struct node_fund *fund = &command->funds[i];
		char address[2 + 2 * sizeof fund->address.b + 1] = "0x";
		char amount[CS_U256_DECIMAL_SIZE];
		cs_hex(address + 2, CS_BYTES_OF(fund->address.b));
		cs_u256_decimal(amount, &fund->amount);
		(void)json_array_append_new(
			accounts, json_pack("{s:s, s:s}", "address", address, "balance", amount));
	}
	return CS_OK;
}

/* ---- deposits ---- */

/* An object's member that is an object, made where there is none; NULL: it is something else. */
static json_t *object_in(json_t *object, const char *key)
{
	json_t *member = json_object_get(object, key);
	if (member == NULL) {
		member = json_object();
		(void)json_object_set_new(object, key, member);
	}
	return json_is_object(member) ? member : NULL;
}

/* Of the parameters that the file has, or that the ledger will have. */
static uint64_t power_unit(const json_t *parameters)
{
	const json_t *unit = json_object_get(json_object_get(parameters, "values"), "power_unit");
	const json_int_t value = json_integer_value(unit);
	return value > 0 ? (uint64_t)value
			 : ledger_parameters_default().values[LEDGER_PARAM_POWER_UNIT];
}

static void add_bond(json_t *list, const struct cmt_validator *validator, const char *operator,
		     const char * amount)
{
	char key[2 + 2 * sizeof validator->key.b + 1] = "0x";
	cs_hex(key + 2, CS_BYTES_OF(validator->key.b));
	(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "key", key,
						    "operator", operator, "bond", amount));
}

/* Where nobody owns the parameters yet, the operator does, with a day's delay. */
static enum cs_err add_bonds(json_t *root, const struct node_fund *bond,
			     struct node_genesis *genesis, struct cs_why *why)
{
	json_t *contracts = object_in(root, "contracts");
	json_t *list = json_array();
	uint64_t rest, power;
	char operator[2 + 2 * sizeof bond->address.b + 1] = "0x", amount[CS_U256_DECIMAL_SIZE];
	if (contracts == NULL || json_object_get(contracts, "staking") != NULL) {
		json_decref(list);
		return cs_fail(why, CS_ERR_INVALID, "app_state has validators of its own");
	}
	cs_hex(operator+ 2, CS_BYTES_OF(bond->address.b));
	cs_u256_decimal(amount, &bond->amount);
	if (json_object_get(contracts, "parameters") == NULL)
		(void)json_object_set_new(
			contracts, "parameters",
			json_pack("{s:s, s:i}", "owner", operator, "delay_s", OWNER_DELAY_S));
	const struct cs_u256 units = cs_u256_div_u64(
		&rest, &bond->amount, power_unit(json_object_get(contracts, "parameters")));
	for (size_t i = 0; i < genesis->count; i++)
		add_bond(list, &genesis->validators[i], operator, amount);
	(void)json_object_set_new(contracts, "staking", json_pack("{s:o}", "validators", list));
	if (cs_u256_to_u64(&power, &units) != CS_OK || power == 0 || power > LEDGER_POWER_MAX)
		return cs_fail(why, CS_ERR_INVALID, "--bond: the deposit is no power");
	for (size_t i = 0; i < genesis->count; i++)
		genesis->validators[i].power = (int64_t)power;
	return CS_OK;
}

enum cs_err node_command_app_state(char **app_state, const struct node_command *command,
				   struct node_genesis *genesis, struct cs_why *why)
{
	json_t *root;
	*app_state = NULL;
	CS_TRY(read_app_state(&root, command->app_state, why));
	if (root == NULL && (command->fund_count > 0 || command->has_bond))
		root = json_object();
	enum cs_err err = command->fund_count > 0 ? add_funds(root, command, why) : CS_OK;
	if (err == CS_OK && command->has_bond)
		err = add_bonds(root, &command->bond, genesis, why);
	if (err == CS_OK && root != NULL)
		*app_state = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(root);
	return err;
}

/* What was given, else what the ledger beside the blocks holds. */
static enum cs_err export_app_state(struct node_genesis *out, const struct node_command *command,
				    struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX];
	CS_TRY(node_path(path, command->home, "data/" NODE_LEDGER_FILE, why));
	if (command->app_state != NULL || access(path, F_OK) != 0)
		return node_command_app_state(&out->app_state, command, out, why);
	return node_ledger_export(&out->app_state, path, (uint64_t)(out->initial_height - 1),
				  NODE_GENESIS_SIZE_MAX / 2, why);
}

/* The chain after the state's height, as the first moment of another. */
static enum cs_err make_genesis(struct node_genesis *out, const struct bft_state *state,
				const struct node_genesis *old, struct cs_why *why)
{
	*out = (struct node_genesis){.chain_id = state->chain_id,
				     .time = state->last_time,
				     .initial_height = state->last_height + 1,
				     .params = state->params,
				     .count = state->next.set.count,
				     .app_hash_size = state->app_hash_size};
	memcpy(out->app_hash, state->app_hash, state->app_hash_size);
	if (!cmt_chain_id_eq(&state->chain_id, &old->chain_id))
		return cs_fail(why, CS_ERR_WRONG_CHAIN,
			       "the data are of another chain than the genesis");
	for (size_t i = 0; i < out->count; i++) {
		/* Of the height after the next: the application's state has the last change. */
		out->validators[i] = state->next.set.list[i];
		(void)snprintf(out->names[i], sizeof out->names[i], "%s",
			       name_of(old, &out->validators[i].address));
	}
	return CS_OK;
}

static void print_genesis(const struct node_genesis *genesis)
{
	json_t *root = node_genesis_json(genesis);
	char *text = cometbft_json_dump(root, JSON_INDENT(2));
	(void)puts(text);
	free(text);
	json_decref(root);
}

enum cs_err node_command_export(const struct node_command *command, struct cs_why *why)
{
	struct node_genesis *old = host_alloc(sizeof *old), *out = host_alloc(sizeof *out);
	struct bft_state *state = host_alloc(sizeof *state);
	char path[NODE_PATH_SIZE_MAX];
	bft_state_init(state);
	enum cs_err err = node_path(path, command->home, "config/genesis.json", why);
	if (err == CS_OK)
		err = node_genesis_load(old, path, why);
	if (err == CS_OK)
		err = find_state(state, command, why);
	if (err == CS_OK)
		err = make_genesis(out, state, old, why);
	if (err == CS_OK)
		err = export_app_state(out, command, why);
	if (err == CS_OK)
		print_genesis(out);
	node_genesis_done(old);
	node_genesis_done(out);
	free(old);
	free(out);
	free(state);
	return err;
}

/* ---- rollback ---- */

/* The ledger beside the blocks goes along. */
static enum cs_err roll_back_ledger(const struct node_command *command, int64_t height,
				    struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX];
	struct node_ledger_db *db;
	CS_TRY(node_path(path, command->home, "data/" NODE_LEDGER_FILE, why));
	if (access(path, F_OK) != 0)
		return CS_OK;
	CS_TRY(node_ledger_db_open(&db, path, why));
	enum cs_err err = CS_OK;
	if (node_ledger_db_version(db) > (uint64_t)height)
		err = node_ledger_db_rollback(db, (uint64_t)height, why);
	node_ledger_db_close(db);
	return err;
}

static enum cs_err roll_back(struct node_folder *folder, const struct node_command *command,
			     const struct node_genesis *genesis, struct cs_why *why)
{
	struct node_disk *disk;
	char index[NODE_PATH_SIZE_MAX], hash[2 * CMT_APP_HASH_SIZE_MAX + 1];
	struct cs_bytes app_hash;
	int64_t height = 0;
	CS_TRY(node_path(index, command->home, "data/index.db", why));
	const struct node_disk_options options = {.folder = folder,
						  .index_path = index,
						  .initial_height = genesis->initial_height,
						  .chain_id = &genesis->chain_id,
						  .genesis_hash = &genesis->hash};
	CS_TRY(node_disk_open(&disk, &options, why));
	enum cs_err err = node_disk_roll_back(disk, command->hard, &height, &app_hash, why);
	if (err == CS_OK)
		cometbft_hex(hash, app_hash);
	node_disk_close(disk);
	CS_TRY(err);
	CS_TRY(node_kvstore_files_drop(folder, height, why));
	CS_TRY(roll_back_ledger(command, height, why));
	/* As CometBFT says it. */
	(void)printf("Rolled back %s to height %lld and hash %s\n",
		     command->hard ? "both state and block" : "state", (long long)height, hash);
	return CS_OK;
}

static enum cs_err open_and_roll_back(const struct node_command *command,
				      const struct node_genesis *genesis, struct cs_why *why)
{
	char path[NODE_PATH_SIZE_MAX];
	struct node_folder folder;
	CS_TRY(node_path(path, command->home, "data", why));
	CS_TRY(node_folder_open(&folder, path, why));
	enum cs_err err = roll_back(&folder, command, genesis, why);
	node_folder_close(&folder);
	return err;
}

enum cs_err node_command_rollback(const struct node_command *command, struct cs_why *why)
{
	struct node_genesis *genesis = host_alloc(sizeof *genesis);
	char path[NODE_PATH_SIZE_MAX];
	enum cs_err err = node_path(path, command->home, "config/genesis.json", why);
	/* Before a folder is made in a home that is none. */
	if (err == CS_OK)
		err = node_genesis_load(genesis, path, why);
	if (err == CS_OK)
		err = open_and_roll_back(command, genesis, why);
	node_genesis_done(genesis);
	free(genesis);
	return err;
}
