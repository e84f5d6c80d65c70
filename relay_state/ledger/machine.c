#include "relay_state/ledger/machine.h"

#include "core/hash.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/gas.h"

#include <string.h>

#define SELECTOR_SIZE 4u
#define STORAGE_KIND 's'

void ledger_machine_init(struct ledger_machine *machine, struct ledger_state *state,
			 const struct cs_sig *sig, struct ledger_contracts contracts)
{
	for (size_t i = 0; i < contracts.count; i++) {
		cs_assert(contracts.items[i]->number != LEDGER_OWN_KEYS);
		for (size_t j = 0; j < i; j++)
			cs_assert(contracts.items[j]->number != contracts.items[i]->number);
	}
	machine->state = state;
	machine->sig = sig;
	machine->contracts = contracts;
}

enum cs_err ledger_run_init(struct ledger_run *run, const struct ledger_block *block,
			    struct cs_arena *arena, struct cs_why *why,
			    const struct cs_address *origin, uint64_t gas_limit)
{
	struct ledger_log *logs = cs_arena_alloc(arena, LEDGER_LOGS_MAX * sizeof *logs);
	if (logs == NULL)
		return CS_ERR_NO_MEMORY;
	*run = (struct ledger_run){
		.block = block,
		.arena = arena,
		.why = why,
		.origin = *origin,
		.gas = {.limit = gas_limit},
		.logs = {.items = logs},
	};
	return CS_OK;
}

/* ---- addresses ---- */

struct cs_address ledger_contract_address(uint8_t number)
{
	struct cs_address address = {{0}};
	address.b[17] = 0xca;
	address.b[18] = 0x15;
	address.b[19] = number;
	return address;
}

const struct ledger_contract *ledger_machine_find(const struct ledger_machine *machine,
						  const struct cs_address *address)
{
	for (size_t i = 0; i < machine->contracts.count; i++) {
		const struct ledger_contract *contract = machine->contracts.items[i];
		struct cs_address its = ledger_contract_address(contract->number);
		if (cs_address_eq(&its, address))
			return contract;
	}
	return NULL;
}

bool ledger_is_contract(const struct ledger_call *call, const struct cs_address *address)
{
	return ledger_machine_find(call->machine, address) != NULL;
}

/* ---- gas and reverts ---- */

enum cs_err ledger_use_gas(struct ledger_call *call, uint64_t gas)
{
	if (gas <= call->gas->limit - call->gas->used) {
		call->gas->used += gas;
		return CS_OK;
	}
	call->gas->used = call->gas->limit;
	call->output = CS_BYTES_NONE;
	return CS_ERR_REVERTED;
}

enum cs_err ledger_revert_with(struct ledger_call *call, struct cs_bytes output)
{
	call->output = output;
	return CS_ERR_REVERTED;
}

enum cs_err ledger_revert(struct ledger_call *call, const char *error, const struct cs_hash *words,
			  size_t count)
{
	struct cs_hash topic = cs_abi_topic(error);
	struct cs_buf buf;
	CS_TRY(cs_buf_init_arena(&buf, call->arena, SELECTOR_SIZE + count * sizeof *words));
	cs_put(&buf, cs_bytes(topic.b, SELECTOR_SIZE));
	for (size_t i = 0; i < count; i++)
		cs_put_word(&buf, &words[i]);
	return ledger_revert_with(call, cs_buf_view(&buf));
}

enum cs_err ledger_revert_plain(struct ledger_call *call, const char *error)
{
	return ledger_revert(call, error, NULL, 0);
}

/* ---- the contract's own state ---- */

struct own_key {
	uint8_t b[LEDGER_KEY_SIZE_MAX];
	size_t n;
};

static struct own_key own_key(const struct ledger_call *call, struct cs_bytes key)
{
	struct own_key own;
	cs_assert(key.n > 0 && key.n < sizeof own.b);
	own.b[0] = call->number;
	memcpy(own.b + 1, key.p, key.n);
	own.n = key.n + 1;
	return own;
}

enum cs_err ledger_get(struct ledger_call *call, struct cs_bytes *value, struct cs_bytes key)
{
	const struct own_key own = own_key(call, key);
	struct cs_bytes found;
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_READ));
	CS_TRY(ledger_state_get(call->state, &found, cs_bytes(own.b, own.n)));
	CS_TRY(ledger_use_gas(call, found.n * LEDGER_GAS_READ_BYTE));
	*value = found;
	return CS_OK;
}

enum cs_err ledger_put(struct ledger_call *call, struct cs_bytes key, struct cs_bytes value)
{
	const struct own_key own = own_key(call, key);
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_WRITE));
	CS_TRY(ledger_use_gas(call, (key.n + value.n) * LEDGER_GAS_WRITE_BYTE));
	return ledger_state_put(call->state, cs_bytes(own.b, own.n), value);
}

enum cs_err ledger_remove(struct ledger_call *call, struct cs_bytes key)
{
	const struct own_key own = own_key(call, key);
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_REMOVE));
	return ledger_state_remove(call->state, cs_bytes(own.b, own.n));
}

struct slot_key {
	uint8_t b[1 + sizeof(struct cs_hash)];
};

static struct slot_key slot_key(const struct cs_hash *slot)
{
	struct slot_key key = {{STORAGE_KIND}};
	memcpy(key.b + 1, slot->b, sizeof slot->b);
	return key;
}

enum cs_err ledger_load(struct ledger_call *call, struct cs_hash *word, const struct cs_hash *slot)
{
	const struct slot_key key = slot_key(slot);
	struct cs_bytes value;
	enum cs_err err = ledger_get(call, &value, CS_BYTES_OF(key.b));
	if (err == CS_ERR_NOT_FOUND) {
		*word = (struct cs_hash){{0}};
		return CS_OK;
	}
	if (err != CS_OK)
		return err;
	if (value.n != sizeof word->b)
		return cs_fail(call->why, CS_ERR_DAMAGED, "a word of contract %u has %zu bytes",
			       call->number, value.n);
	memcpy(word->b, value.p, sizeof word->b);
	return CS_OK;
}

enum cs_err ledger_store(struct ledger_call *call, const struct cs_hash *slot,
			 const struct cs_hash *word)
{
	const struct slot_key key = slot_key(slot);
	return cs_hash_is_zero(word) ? ledger_remove(call, CS_BYTES_OF(key.b))
				     : ledger_put(call, CS_BYTES_OF(key.b), CS_BYTES_OF(word->b));
}

struct cs_hash ledger_slot_of(const struct cs_hash *key, const struct cs_hash *slot)
{
	uint8_t both[2 * sizeof(struct cs_hash)];
	memcpy(both, key->b, sizeof key->b);
	memcpy(both + sizeof key->b, slot->b, sizeof slot->b);
	return cs_keccak256(CS_BYTES_OF(both));
}

/* ---- logs ---- */

enum cs_err ledger_emit(struct ledger_call *call, const struct cs_hash *topics, size_t topic_count,
			struct cs_bytes data)
{
	cs_assert(topic_count > 0 && topic_count <= LEDGER_TOPICS_MAX);
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_LOG));
	CS_TRY(ledger_use_gas(call, (topic_count * sizeof *topics + data.n) * LEDGER_GAS_LOG_BYTE));
	if (call->logs->count == LEDGER_LOGS_MAX)
		return ledger_revert_with(call, CS_BYTES_NONE);
	struct cs_bytes kept = CS_BYTES_NONE;
	if (data.n > 0) {
		kept = cs_arena_copy(call->arena, data);
		if (kept.p == NULL)
			return CS_ERR_NO_MEMORY;
	}
	struct ledger_log *log = &call->logs->items[call->logs->count++];
	*log = (struct ledger_log){
		.address = call->address, .topic_count = topic_count, .data = kept};
	memcpy(log->topics, topics, topic_count * sizeof *topics);
	return CS_OK;
}

/* ---- the native asset ---- */

enum cs_err ledger_balance(struct ledger_call *call, struct cs_u256 *balance,
			   const struct cs_address *account)
{
	struct ledger_account found;
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_READ));
	CS_TRY(ledger_account_get(call->state, &found, account));
	*balance = found.balance;
	return CS_OK;
}

enum cs_err ledger_move(struct ledger_call *call, bool *moved, const struct cs_address *from,
			const struct cs_address *to, const struct cs_u256 *amount)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_MOVE));
	return ledger_account_move(call->state, moved, from, to, amount);
}

/* ---- calls ---- */

/* What a reader of arguments says of bytes that are not what the signature says; Solidity's reverts
 * without data. Everything else that is no answer ends the application. */
static bool is_refusal(enum cs_err err)
{
	return err >= CS_ERR_MALFORMED && err <= CS_ERR_UNSUPPORTED;
}

static enum cs_err run_function(struct ledger_call *call, const struct ledger_function *function)
{
	struct cs_abi_reader in;
	struct cs_abi out;
	struct cs_buf buf;
	if (!function->payable && !cs_u256_is_zero(&call->value))
		return ledger_revert_with(call, CS_BYTES_NONE);
	CS_TRY(ledger_use_gas(call, function->gas));
	CS_TRY(cs_abi_read(&in,
			   cs_bytes(call->input.p + SELECTOR_SIZE, call->input.n - SELECTOR_SIZE),
			   function->words));
	cs_buf_init(&buf, call->machine->output[call->depth], LEDGER_OUTPUT_SIZE_MAX);
	cs_abi_init(&out, &buf);
	CS_TRY(function->run(call, &in, &out));
	CS_TRY(cs_abi_end(&in));
	CS_TRY(cs_buf_end(&buf));
	if (buf.n > LEDGER_OUTPUT_FREE_SIZE)
		CS_TRY(ledger_use_gas(call,
				      (buf.n - LEDGER_OUTPUT_FREE_SIZE) * LEDGER_GAS_OUTPUT_BYTE));
	if (buf.n == 0)
		return CS_OK;
	call->output = cs_arena_copy(call->arena, cs_buf_view(&buf));
	return call->output.p == NULL ? CS_ERR_NO_MEMORY : CS_OK;
}

static enum cs_err run_contract(struct ledger_call *call, const struct ledger_contract *contract)
{
	if (call->input.n < SELECTOR_SIZE)
		return ledger_revert_with(call, CS_BYTES_NONE);
	const uint32_t selector = cs_be32(call->input.p);
	for (size_t i = 0; i < contract->function_count; i++) {
		if (contract->functions[i].selector == selector)
			return run_function(call, &contract->functions[i]);
	}
	return ledger_revert_with(call, CS_BYTES_NONE);
}

static enum cs_err run_call(struct ledger_call *call, const struct ledger_contract *contract)
{
	bool moved = true;
	if (!cs_u256_is_zero(&call->value)) {
		CS_TRY(ledger_use_gas(call, LEDGER_GAS_MOVE));
		CS_TRY(ledger_account_move(call->state, &moved, &call->sender, &call->address,
					   &call->value));
	}
	if (!moved)
		return ledger_revert_with(call, CS_BYTES_NONE);
	if (contract != NULL)
		return run_contract(call, contract);
	return CS_OK;
}

/* A call that is filled but for its output: runs it, and takes back what it changed if it reverts. */
static enum cs_err enter(struct ledger_call *call, bool *success, struct cs_bytes *output)
{
	const struct ledger_contract *contract = ledger_machine_find(call->machine, &call->address);
	const size_t mark = ledger_state_mark(call->state), log_count = call->logs->count;
	call->number = contract == NULL ? LEDGER_OWN_KEYS : contract->number;
	call->output = CS_BYTES_NONE;
	enum cs_err err = run_call(call, contract);
	if (is_refusal(err))
		err = ledger_revert_with(call, CS_BYTES_NONE);
	if (err == CS_ERR_NOT_FOUND)
		return cs_fail(call->why, CS_ERR_DAMAGED, "contract %u did not find its own state",
			       call->number);
	if (err != CS_OK && err != CS_ERR_REVERTED)
		return err;
	if (err == CS_ERR_REVERTED) {
		ledger_state_revert(call->state, mark);
		call->logs->count = log_count;
	}
	*success = err == CS_OK;
	*output = call->output;
	return CS_OK;
}

enum cs_err ledger_call_contract(struct ledger_call *call, bool *success, struct cs_bytes *output,
				 const struct cs_address *to, const struct cs_u256 *value,
				 struct cs_bytes input, uint64_t gas_max)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_CALL));
	if (call->depth + 1 == LEDGER_DEPTH_MAX) {
		*success = false;
		*output = CS_BYTES_NONE;
		return CS_OK;
	}
	const uint64_t left = call->gas->limit - call->gas->used;
	struct ledger_gas gas = {.limit = left - left / 64};
	if (gas_max != 0 && gas_max < gas.limit)
		gas.limit = gas_max;
	struct ledger_call inner = *call;
	inner.gas = &gas;
	inner.sender = call->address;
	inner.address = *to;
	inner.value = *value;
	inner.input = input;
	inner.depth = call->depth + 1;
	CS_TRY(enter(&inner, success, output));
	call->gas->used += gas.used;
	return CS_OK;
}

static struct ledger_call outer_call(struct ledger_machine *machine, struct ledger_run *run)
{
	return (struct ledger_call){
		.machine = machine,
		.state = machine->state,
		.block = run->block,
		.sig = machine->sig,
		.arena = run->arena,
		.gas = &run->gas,
		.logs = &run->logs,
		.why = run->why,
		.origin = run->origin,
		.is_view = run->is_view,
	};
}

struct ledger_call ledger_machine_as(struct ledger_machine *machine, struct ledger_run *run,
				     const struct ledger_contract *contract)
{
	struct ledger_call call = outer_call(machine, run);
	call.number = contract->number;
	call.address = ledger_contract_address(contract->number);
	return call;
}

enum cs_err ledger_machine_call(struct ledger_machine *machine, struct ledger_run *run,
				bool *success, struct cs_bytes *output, const struct cs_address *to,
				const struct cs_u256 *value, struct cs_bytes input)
{
	struct ledger_call call = outer_call(machine, run);
	call.sender = run->origin;
	call.address = *to;
	call.value = *value;
	call.input = input;
	if (ledger_use_gas(&call, LEDGER_GAS_CALL) != CS_OK ||
	    (input.n > 0 && ledger_machine_find(machine, to) == NULL)) {
		*success = false;
		*output = CS_BYTES_NONE;
		return CS_OK;
	}
	return enter(&call, success, output);
}
