/* Any calls to usage records and tasks, one after the other, by anybody: each succeeds or reverts, and
 * none ends the application. What reverts has changed nothing; at the end what providers charge is what
 * consumers are charged and what their balances hold, every statement has the lines that it counts, and
 * nobody paid more than was charged.
 *
 *     input = steps; step = 0 ‖ seconds (4), or contract (1) ‖ caller (1) ‖ value (4) ‖ size (2) ‖ calldata
 *
 * The ledger is that of tools/usage_vectors.py, whose stories are the corpus: its register says of every
 * key that it is active. */
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/chain.h"
#include "relay_state/ledger/machine.h"
#include "relay_state/ledger/tasks.h"
#include "relay_state/ledger/usage.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ledger/memory_db.h"

#include <stdlib.h>

#define STEPS_MAX 256u
#define GAS 50000000u
#define FUNDS 1000000u
#define FIRST_CALLER 0x11u
#define CALLERS 5u
#define OWNER 0x11u
#define GUARDIAN 0x12u
#define ARBITER 0x15u
#define BALANCE_KEY_SIZE 46u
#define ENTRY_KEY_SIZE 35u

static enum cs_err is_active(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash key;
	uint8_t role;
	(void)call;
	CS_TRY(cs_abi_get_word(in, &key));
	CS_TRY(cs_abi_get_u8(in, &role));
	cs_abi_put_u64(out, role == 3);
	return CS_OK;
}

static const struct ledger_function register_functions[] = {
	{"isActive(bytes32,uint8)", 0x224c6632, 2, false, 0, is_active},
};
static const struct ledger_contract register_contract = {
	.name = "register", .number = 4, .functions = register_functions, .function_count = 1};

static const struct ledger_contract *const contracts[] = {&ledger_assets, &register_contract,
							  &ledger_usage, &ledger_tasks};

struct ledger {
	struct memory_db *db;
	struct ledger_state *state;
	struct ledger_machine machine;
	struct ledger_block block;
	bool is_full; /* the memory of this test: what a block's gas bounds otherwise */
};

static struct cs_address address_of(uint8_t byte)
{
	struct cs_address address;
	memset(address.b, byte, sizeof address.b);
	return address;
}

static struct ledger_call founder(struct ledger *ledger, struct ledger_run *run,
				  const struct ledger_contract *contract)
{
	static const struct cs_address nobody;
	cs_assert(ledger_run_init(run, &ledger->block, fuzz_arena(), NULL, &nobody, GAS) == CS_OK);
	return ledger_machine_as(&ledger->machine, run, contract);
}

static void found(struct ledger *ledger)
{
	static const struct {
		const char *name;
		uint8_t decimals;
	} metrics[] = {{"rows", 0}, {"cpu-hours", 3}, {"bytes", 18}};
	const struct ledger_usage_terms terms = {.owner = address_of(OWNER),
						 .guardian = address_of(GUARDIAN),
						 .delay_s = 3600,
						 .arbiter = address_of(ARBITER),
						 .age_max_s = 86400,
						 .window_s = 86400,
						 .retention_s = 4 * 86400};
	const struct cs_hash unit = {{'u'}};
	struct ledger_run run;
	struct cs_hash tag;
	struct ledger_call call = founder(ledger, &run, &ledger_usage);
	cs_assert(ledger_usage_construct(&call, &terms) == CS_OK);
	for (size_t i = 0; i < CS_LEN(metrics); i++) {
		struct cs_hash name = {{0}};
		memcpy(name.b, metrics[i].name, strlen(metrics[i].name));
		cs_assert(ledger_usage_add_metric(&call, &name, metrics[i].decimals, &unit) ==
			  CS_OK);
	}
	call = founder(ledger, &run, &ledger_tasks);
	cs_assert(ledger_tasks_construct(&call, false) == CS_OK);
	memset(tag.b, 0xc4, sizeof tag.b);
	cs_assert(ledger_chain_put(ledger->state, &tag) == CS_OK);
	for (uint8_t i = 0; i < CALLERS; i++) {
		const struct cs_address caller = address_of((uint8_t)(FIRST_CALLER + i));
		const struct ledger_account account = {.balance = cs_u256_u64(FUNDS)};
		cs_assert(ledger_account_put(ledger->state, &caller, &account) == CS_OK);
	}
}

/* Memory that is used again: a state over a store that stays empty. */
static struct ledger *begin(void)
{
	static struct ledger ledger;
	static const struct ledger_state_options options = {.keys_max = 4096,
							    .bytes_max = 8u * 1024 * 1024};
	if (ledger.db == NULL) {
		ledger.db = memory_db_new();
		void *memory = malloc(ledger_state_size(&options));
		struct cs_sig *sig = cs_sig_new(NULL);
		cs_assert(ledger.db != NULL && memory != NULL && sig != NULL);
		const struct ledger_db table = memory_db_table(ledger.db);
		ledger.state = ledger_state_init(memory, &table, &options);
		ledger_machine_init(&ledger.machine, ledger.state, sig,
				    (struct ledger_contracts){contracts, CS_LEN(contracts)});
	}
	ledger_state_reset(ledger.state);
	ledger.is_full = false;
	ledger.block = (struct ledger_block){.height = 1, .time_s = 1767225600};
	found(&ledger);
	return &ledger;
}

static void step(struct ledger *ledger, uint8_t number, struct cs_reader *in)
{
	const struct cs_address to = ledger_contract_address(number);
	const struct cs_address from = address_of(cs_get_u8(in));
	const struct cs_u256 value = cs_u256_u64(cs_get_u32(in));
	const struct cs_bytes input = cs_get(in, cs_get_u16(in));
	const size_t mark = ledger_state_mark(ledger->state);
	struct ledger_run run;
	struct cs_bytes output;
	bool success = false;
	if (in->failed)
		return;
	cs_assert(ledger_run_init(&run, &ledger->block, fuzz_arena(), NULL, &from, GAS) == CS_OK);
	const enum cs_err err =
		ledger_machine_call(&ledger->machine, &run, &success, &output, &to, &value, input);
	ledger->is_full = err == CS_ERR_FULL;
	if (ledger->is_full)
		return;
	cs_assert(err == CS_OK);
	cs_assert(run.gas.used <= run.gas.limit);
	if (!success)
		cs_assert(ledger_state_mark(ledger->state) == mark && run.logs.count == 0);
}

/* ---- what holds at the end ---- */

struct totals {
	struct cs_u256 charged[2]; /* by role - 1 */
	struct cs_u256 balance;
	uint64_t counted, entries;
};

static bool is_row(const struct ledger_change *change, char kind, size_t key_size)
{
	return !change->removed && change->key.n == key_size &&
	       change->key.p[0] == LEDGER_USAGE_NUMBER && change->key.p[1] == (uint8_t)kind;
}

static void add(struct cs_u256 *sum, const struct cs_u256 *more)
{
	/* Sums over parties may be above what one may have. */
	if (cs_u256_add(sum, sum, more) != CS_OK)
		*sum = cs_u256_u64(0);
}

static void take_statement(struct totals *totals, const struct ledger_change *row, bool pruned)
{
	struct ledger_usage_statement statement;
	cs_assert(ledger_usage_statement_decode(&statement, row->value) == CS_OK);
	if (pruned) {
		totals->counted -= statement.log.count;
		return;
	}
	totals->counted += statement.log.count;
	add(&totals->charged[row->key.p[22] - 1], &statement.charged);
}

static void take_balance(struct totals *totals, const struct ledger_change *row)
{
	struct cs_hash words[3];
	cs_assert(row->value.n == sizeof words);
	memcpy(words, row->value.p, sizeof words);
	const struct cs_u256 charged = cs_u256_from_word(&words[0]);
	const struct cs_u256 credited = cs_u256_from_word(&words[1]);
	const struct cs_u256 paid = cs_u256_from_word(&words[2]);
	cs_assert(cs_u256_cmp(&paid, &charged) <= 0 && cs_u256_cmp(&credited, &charged) <= 0);
	add(&totals->balance, &charged);
}

static void check(struct ledger *ledger)
{
	struct totals totals = {.counted = 0};
	struct ledger_changes changes;
	cs_assert(ledger_state_changes(ledger->state, &changes, fuzz_arena()) == CS_OK);
	for (size_t i = 0; i < changes.count; i++) {
		const struct ledger_change *row = &changes.items[i];
		if (is_row(row, 'a', LEDGER_USAGE_STATEMENT_KEY_SIZE))
			take_statement(&totals, row, false);
		else if (is_row(row, 'q', LEDGER_USAGE_STATEMENT_KEY_SIZE))
			take_statement(&totals, row, true);
		else if (is_row(row, 'b', BALANCE_KEY_SIZE))
			take_balance(&totals, row);
		else if (is_row(row, 'l', ENTRY_KEY_SIZE))
			totals.entries++;
	}
	cs_assert(cs_u256_cmp(&totals.charged[0], &totals.charged[1]) == 0);
	cs_assert(cs_u256_cmp(&totals.charged[0], &totals.balance) == 0);
	cs_assert(totals.counted == totals.entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger *ledger = begin();
	struct cs_reader in;
	cs_reader_init(&in, cs_bytes(data, size));
	for (unsigned i = 0; i < STEPS_MAX && in.left > 0 && !ledger->is_full; i++) {
		const uint8_t number = cs_get_u8(&in);
		if (number == 0)
			ledger->block.time_s += cs_get_u32(&in);
		else
			step(ledger, number, &in);
	}
	if (!ledger->is_full)
		check(ledger);
	return 0;
}
