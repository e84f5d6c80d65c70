#include "relay_state/ledger/parameters.h"

#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/timelock.h"

#include <string.h>

#define KIND_VALUES 'v'
#define KIND_TOLD 'x'
#define VALUE_SIZE 8u
#define NANOSECONDS 1000000000

struct row {
	const char *name;
	uint64_t initial;
	uint64_t least;
	uint64_t most;
};

static const struct row rows[LEDGER_PARAMETER_COUNT] = {
#define LEDGER_PARAMETER(CODE, name, initial, least, most) \
	[LEDGER_PARAM_##CODE] = {name, initial, least, most},
#include "relay_state/ledger/parameters.def"
#undef LEDGER_PARAMETER
};

/* Those that the engine holds too, in the order of what it was told. */
static const enum ledger_parameter consensus[] = {
	LEDGER_PARAM_BLOCK_BYTES, LEDGER_PARAM_BLOCK_GAS, LEDGER_PARAM_EVIDENCE_AGE_BLOCKS,
	LEDGER_PARAM_EVIDENCE_AGE_S, LEDGER_PARAM_EVIDENCE_BYTES};
#define TOLD_SIZE (CS_LEN(consensus) * VALUE_SIZE)

/* ---- what is stored ---- */

struct ledger_parameters ledger_parameters_default(void)
{
	struct ledger_parameters parameters;
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++)
		parameters.values[i] = rows[i].initial;
	return parameters;
}

enum cs_err ledger_parameters_get(struct ledger_state *state, struct ledger_parameters *parameters)
{
	static const uint8_t key[] = {LEDGER_PARAMETERS_NUMBER, KIND_VALUES};
	struct ledger_parameters found = ledger_parameters_default();
	struct cs_bytes value = CS_BYTES_NONE;
	enum cs_err err = ledger_state_get(state, &value, CS_BYTES_OF(key));
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	if (value.n % VALUE_SIZE != 0 || value.n > LEDGER_PARAMETER_COUNT * VALUE_SIZE)
		return CS_ERR_DAMAGED;
	for (size_t i = 0; i < value.n / VALUE_SIZE; i++)
		found.values[i] = cs_be64(value.p + i * VALUE_SIZE);
	*parameters = found;
	return CS_OK;
}

static enum cs_err put_values(struct ledger_call *call, const struct ledger_parameters *parameters)
{
	uint8_t value[LEDGER_PARAMETER_COUNT * VALUE_SIZE];
	const struct ledger_key key = ledger_key(KIND_VALUES);
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++)
		cs_put_be64(value + i * VALUE_SIZE, parameters->values[i]);
	return ledger_put_fixed(call, &key, value, sizeof value);
}

static void put_told(uint8_t told[TOLD_SIZE], const struct ledger_parameters *parameters)
{
	for (size_t i = 0; i < CS_LEN(consensus); i++)
		cs_put_be64(told + i * VALUE_SIZE, parameters->values[consensus[i]]);
}

/* ---- what fits ---- */

/* Evidence that is still taken must find the deposit: it is gone after the delay. */
static const char *conflict_in(const struct ledger_parameters *parameters)
{
	const uint64_t *v = parameters->values;
	if (v[LEDGER_PARAM_EVIDENCE_AGE_S] >= v[LEDGER_PARAM_UNBONDING_S])
		return "evidence is taken for longer than deposits are held";
	if (v[LEDGER_PARAM_EVIDENCE_BYTES] > v[LEDGER_PARAM_BLOCK_BYTES])
		return "a block has no room for its evidence";
	if (v[LEDGER_PARAM_DOWNTIME_MISSED] >= v[LEDGER_PARAM_DOWNTIME_WINDOW])
		return "nobody can miss as many blocks of the window";
	return NULL;
}

static bool is_within(size_t which, uint64_t value)
{
	return value >= rows[which].least && value <= rows[which].most;
}

enum cs_err ledger_parameters_check(const struct ledger_parameters *parameters, struct cs_why *why)
{
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++) {
		if (!is_within(i, parameters->values[i]))
			return cs_fail(why, CS_ERR_INVALID, "the parameter %s is not within bounds",
				       rows[i].name);
	}
	const char *conflict = conflict_in(parameters);
	return conflict == NULL ? CS_OK : cs_fail(why, CS_ERR_INVALID, "%s", conflict);
}

/* ---- genesis ---- */

static void take(struct ledger_parameters *parameters, enum ledger_parameter which, int64_t value)
{
	if (value >= 0 && is_within(which, (uint64_t)value))
		parameters->values[which] = (uint64_t)value;
}

static void take_engine(struct ledger_parameters *parameters,
			const struct abci_consensus_params *engine)
{
	if (engine != NULL && engine->block != NULL) {
		take(parameters, LEDGER_PARAM_BLOCK_BYTES, engine->block->max_bytes);
		take(parameters, LEDGER_PARAM_BLOCK_GAS, engine->block->max_gas);
	}
	if (engine != NULL && engine->evidence != NULL) {
		take(parameters, LEDGER_PARAM_EVIDENCE_AGE_BLOCKS,
		     engine->evidence->max_age_num_blocks);
		take(parameters, LEDGER_PARAM_EVIDENCE_AGE_S,
		     engine->evidence->max_age_duration_ns / NANOSECONDS);
		take(parameters, LEDGER_PARAM_EVIDENCE_BYTES, engine->evidence->max_bytes);
	}
}

static enum cs_err take_rules(struct ledger_call *call, struct ledger_parameters *parameters)
{
	struct ledger_rules rules;
	uint64_t price;
	CS_TRY(ledger_rules_get(call->state, &rules));
	parameters->values[LEDGER_PARAM_VERSIONS_KEPT] = rules.versions_kept;
	if (cs_u256_to_u64(&price, &rules.gas_price_min) != CS_OK)
		return cs_fail(call->why, CS_ERR_INVALID, "parameters: gas_price_min is too high");
	parameters->values[LEDGER_PARAM_GAS_PRICE_MIN] = price;
	return CS_OK;
}

/* What admission and blocks go by. */
static enum cs_err put_rules(struct ledger_call *call, const struct ledger_parameters *parameters)
{
	const struct ledger_rules rules = {
		.block_gas = parameters->values[LEDGER_PARAM_BLOCK_GAS],
		.versions_kept = parameters->values[LEDGER_PARAM_VERSIONS_KEPT],
		.gas_price_min = cs_u256_u64(parameters->values[LEDGER_PARAM_GAS_PRICE_MIN]),
	};
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_WRITE));
	return ledger_rules_put(call->state, &rules);
}

static enum cs_err read_values(struct ledger_parameters *parameters, const struct cs_json *section,
			       struct cs_why *why)
{
	const char *names[LEDGER_PARAMETER_COUNT];
	const struct cs_json *values = cs_json_find(section, "values");
	if (values == NULL)
		return CS_OK;
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++)
		names[i] = rows[i].name;
	CS_TRY(cs_json_only(values, names, LEDGER_PARAMETER_COUNT, why));
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++) {
		if (cs_json_find(values, rows[i].name) != NULL)
			CS_TRY(cs_json_member_u64(&parameters->values[i], values, rows[i].name,
						  UINT64_MAX, why));
	}
	return CS_OK;
}

static enum cs_err read_owner(struct ledger_call *call, const struct cs_json *section)
{
	static const char *const names[] = {"owner", "guardian", "delay_s", "values"};
	struct cs_address owner, guardian = {{0}};
	uint64_t delay_s;
	CS_TRY(cs_json_only(section, names, CS_LEN(names), call->why));
	CS_TRY(cs_json_member_hex(owner.b, sizeof owner.b, section, "owner", call->why));
	if (cs_json_find(section, "guardian") != NULL)
		CS_TRY(cs_json_member_hex(guardian.b, sizeof guardian.b, section, "guardian",
					  call->why));
	CS_TRY(cs_json_member_u64(&delay_s, section, "delay_s", LEDGER_DELAY_MAX_S, call->why));
	return ledger_timelock_construct(call, &owner, &guardian, delay_s);
}

/* What the engine has now: what it said, or 2^64 - 1 where it said nothing that can be held here. */
static void told_by(uint8_t told[TOLD_SIZE], const struct abci_consensus_params *engine)
{
	struct ledger_parameters none;
	memset(&none, 0xff, sizeof none);
	take_engine(&none, engine);
	put_told(told, &none);
}

static enum cs_err found(struct ledger_call *call, const struct ledger_genesis *genesis,
			 const struct cs_json *section)
{
	struct ledger_parameters parameters = ledger_parameters_default();
	take_engine(&parameters, genesis->params);
	CS_TRY(take_rules(call, &parameters));
	CS_TRY(read_owner(call, section));
	CS_TRY(read_values(&parameters, section, call->why));
	CS_TRY(ledger_parameters_check(&parameters, call->why));
	CS_TRY(put_values(call, &parameters));
	return put_rules(call, &parameters);
}

/* Those of an export are in force, whatever the new chain's genesis says of them. */
static enum cs_err keep(struct ledger_call *call)
{
	struct ledger_parameters parameters;
	CS_TRY(ledger_parameters_get(call->state, &parameters));
	return put_rules(call, &parameters);
}

enum cs_err ledger_parameters_genesis(struct ledger_call *call,
				      const struct ledger_genesis *genesis,
				      const struct cs_json *section)
{
	uint8_t told[TOLD_SIZE];
	const struct ledger_key key = ledger_key(KIND_TOLD);
	struct cs_bytes value;
	if (section == NULL) {
		enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
		if (err != CS_OK)
			return err == CS_ERR_NOT_FOUND ? CS_OK : err;
		CS_TRY(keep(call));
	} else {
		CS_TRY(found(call, genesis, section));
	}
	told_by(told, genesis->params);
	return ledger_put_fixed(call, &key, told, sizeof told);
}

/* ---- the end of a block ---- */

struct update {
	struct abci_consensus_params params;
	struct abci_block_params block;
	struct abci_evidence_params evidence;
};

static const struct abci_consensus_params *fill(struct update *update,
						const struct ledger_parameters *parameters)
{
	const uint64_t *v = parameters->values;
	update->block = (struct abci_block_params){(int64_t)v[LEDGER_PARAM_BLOCK_BYTES],
						   (int64_t)v[LEDGER_PARAM_BLOCK_GAS]};
	update->evidence =
		(struct abci_evidence_params){(int64_t)v[LEDGER_PARAM_EVIDENCE_AGE_BLOCKS],
					      (int64_t)v[LEDGER_PARAM_EVIDENCE_AGE_S] * NANOSECONDS,
					      (int64_t)v[LEDGER_PARAM_EVIDENCE_BYTES]};
	update->params = (struct abci_consensus_params){.block = &update->block,
							.evidence = &update->evidence};
	return &update->params;
}

enum cs_err ledger_parameters_end(struct ledger_call *call, struct ledger_end *end)
{
	uint8_t now[TOLD_SIZE];
	const struct ledger_key key = ledger_key(KIND_TOLD);
	struct ledger_parameters parameters;
	struct cs_bytes told;
	enum cs_err err = ledger_get(call, &told, cs_bytes(key.b, key.n));
	if (err != CS_OK)
		return err == CS_ERR_NOT_FOUND ? CS_OK : err;
	CS_TRY(ledger_parameters_get(call->state, &parameters));
	put_told(now, &parameters);
	if (cs_bytes_eq(told, CS_BYTES_OF(now)))
		return CS_OK;
	struct update *update = cs_arena_calloc(call->arena, 1, sizeof *update);
	if (update == NULL)
		return CS_ERR_NO_MEMORY;
	end->param_updates = fill(update, &parameters);
	return ledger_put_fixed(call, &key, now, sizeof now);
}

/* ---- functions ---- */

static struct cs_hash word_of(const char *name)
{
	struct cs_hash word = {{0}};
	memcpy(word.b, name, strlen(name));
	return word;
}

/* Names are bytes32 as Solidity writes a short text: from the left, zeros behind. */
static enum cs_err read_name(struct ledger_call *call, struct cs_abi_reader *in, size_t *which)
{
	struct cs_hash name;
	CS_TRY(cs_abi_get_word(in, &name));
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++) {
		const struct cs_hash its = word_of(rows[i].name);
		if (cs_hash_eq(&its, &name)) {
			*which = i;
			return CS_OK;
		}
	}
	return ledger_revert(call, "ParameterUnknown(bytes32)", &name, 1);
}

static enum cs_err get_all(struct ledger_call *call, struct ledger_parameters *parameters)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_READ));
	return ledger_parameters_get(call->state, parameters);
}

static enum cs_err set(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct ledger_parameters parameters;
	size_t which = 0;
	uint64_t value;
	(void)out;
	CS_TRY(read_name(call, in, &which));
	CS_TRY(cs_abi_get_u64(in, &value));
	CS_TRY(ledger_after_delay(call));
	if (!is_within(which, value)) {
		const struct cs_hash bounds[] = {ledger_word_u64(rows[which].least),
						 ledger_word_u64(rows[which].most)};
		return ledger_revert(call, "ParameterBounds(uint256,uint256)", bounds,
				     CS_LEN(bounds));
	}
	CS_TRY(get_all(call, &parameters));
	parameters.values[which] = value;
	if (conflict_in(&parameters) != NULL)
		return ledger_revert_plain(call, "ParameterConflict()");
	CS_TRY(put_values(call, &parameters));
	CS_TRY(put_rules(call, &parameters));
	return ledger_emit_words(call, "ParameterSet(bytes32,uint64)",
				 LEDGER_WORDS(word_of(rows[which].name)),
				 LEDGER_WORDS(ledger_word_u64(value)));
}

static enum cs_err get(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct ledger_parameters parameters;
	size_t which = 0;
	CS_TRY(read_name(call, in, &which));
	CS_TRY(get_all(call, &parameters));
	cs_abi_put_u64(out, parameters.values[which]);
	return CS_OK;
}

static enum cs_err bounds_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	size_t which = 0;
	CS_TRY(read_name(call, in, &which));
	cs_abi_put_u64(out, rows[which].least);
	cs_abi_put_u64(out, rows[which].most);
	return CS_OK;
}

/* All of them: bytes32[] of names and uint64[] of values. */
static enum cs_err all(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct ledger_parameters parameters;
	(void)in;
	CS_TRY(get_all(call, &parameters));
	const size_t names = cs_abi_slot(out), values = cs_abi_slot(out);
	cs_abi_enter_array(out, names, LEDGER_PARAMETER_COUNT);
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++) {
		const struct cs_hash name = word_of(rows[i].name);
		cs_abi_put_word(out, &name);
	}
	cs_abi_leave(out);
	cs_abi_enter_array(out, values, LEDGER_PARAMETER_COUNT);
	for (size_t i = 0; i < LEDGER_PARAMETER_COUNT; i++)
		cs_abi_put_u64(out, parameters.values[i]);
	cs_abi_leave(out);
	return CS_OK;
}

/* payCommunity(address,uint256): what was slashed for the community, to where its owner says. The
 * arguments are those of the staking contract's own function, which takes them from nobody else. */
static enum cs_err pay_community(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	const struct cs_address staking = ledger_contract_address(LEDGER_STAKING_NUMBER);
	struct cs_address to;
	struct cs_u256 amount;
	struct cs_bytes output;
	bool paid = false;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(ledger_after_delay(call));
	CS_TRY(ledger_call_contract(call, &paid, &output, &staking, &(struct cs_u256){{0}},
				    call->input, 0));
	return paid ? CS_OK : ledger_revert_with(call, output);
}

/* There is nothing here that a pause would stop: those rows of the timelock are left out. */
static const struct ledger_function functions[] = {
	{"owner()", 0x8da5cb5b, 0, false, 0, ledger_timelock_owner},
	{"guardian()", 0x452a9320, 0, false, 0, ledger_timelock_guardian},
	{"delay()", 0x6a42b8f8, 0, false, 0, ledger_timelock_delay},
	{"LIFETIME()", 0xd3c576d8, 0, false, 0, ledger_timelock_lifetime},
	{"readyAt(bytes32)", 0xbea20801, 1, false, 0, ledger_timelock_ready_at},
	{"schedule(bytes)", 0xdb26e34d, 1, false, 0, ledger_timelock_schedule},
	{"cancel(bytes)", 0x3c5beeb4, 1, false, 0, ledger_timelock_cancel},
	{"setOwner(address)", 0x13af4035, 1, false, 0, ledger_timelock_set_owner},
	{"setGuardian(address)", 0x8a0dac4a, 1, false, 0, ledger_timelock_set_guardian},
	{"set(bytes32,uint64)", 0x509e8a9b, 2, false, 0, set},
	{"get(bytes32)", 0x8eaa6ac0, 1, false, 0, get},
	{"boundsOf(bytes32)", 0x7d81f894, 1, false, 0, bounds_of},
	{"all()", 0x10c4e8b0, 0, false, 0, all},
	{"payCommunity(address,uint256)", 0xd96f721b, 2, false, 0, pay_community},
};

const struct ledger_contract ledger_parameters_contract = {
	.name = "parameters",
	.number = LEDGER_PARAMETERS_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
