/* Any calls to the register of enclaves, the records and the answers, one after the other, by anybody:
 * each succeeds or reverts, and none ends the application. What reverts has changed nothing; the bonds
 * are what the register holds; the backlog is what a count over all messages gives.
 *
 *     input = steps; step = 0 ‖ seconds (4), or contract (1) ‖ caller (1) ‖ value (4) ‖ size (2) ‖ calldata
 *
 * The ledger is that of tools/register_vectors.py, whose story is in the corpus. */
#include "core/reader.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/answers.h"
#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/machine.h"
#include "relay_state/ledger/records.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ledger/memory_db.h"

#include <stdlib.h>

#define STEPS_MAX 256u
#define GAS 50000000u
#define OWNER 0x0au
#define GUARDIAN 0x0bu
#define CALLERS 5u
#define FUNDS 1000000u
#define STATES 13u
/* Where things are in the rows of enclaves.h and records.h, behind the contract's number. */
#define ROUTE_KEY_SIZE (2u + 65u)
#define MESSAGE_KEY_SIZE (2u + 33u)
#define ENCLAVE_KEY_SIZE (2u + 32u)
#define BOND_AT 163u

static const struct ledger_contract *const contracts[] = {&ledger_enclaves, &ledger_records,
							  &ledger_answers};

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

/* As genesis does it. */
static struct ledger_call founder(struct ledger *ledger, struct ledger_run *run, uint8_t number)
{
	const struct cs_address nobody = {{0}};
	cs_assert(ledger_run_init(run, &ledger->block, fuzz_arena(), NULL, &nobody, GAS) == CS_OK);
	return (struct ledger_call){.machine = &ledger->machine,
				    .state = ledger->state,
				    .block = &ledger->block,
				    .sig = ledger->machine.sig,
				    .arena = run->arena,
				    .gas = &run->gas,
				    .logs = &run->logs,
				    .address = ledger_contract_address(number),
				    .number = number};
}

static void found(struct ledger *ledger)
{
	struct ledger_enclaves_terms terms = {.owner = address_of(OWNER),
					      .guardian = address_of(GUARDIAN),
					      .delay_s = 3600,
					      .rotation_delay_s = 7200,
					      .overlap_s = 600,
					      .threshold = 2,
					      .administrator_count = 3,
					      .bond_min = cs_u256_u64(1000),
					      .bond_delay_s = 86400,
					      .lifetime_max_s = 90 * 86400};
	struct cs_hash tag;
	struct ledger_run run;
	for (size_t i = 0; i < terms.administrator_count; i++) {
		struct cs_secret secret = {{0}};
		secret.b[31] = (uint8_t)(101 + i);
		cs_assert(cs_key_x(ledger->machine.sig, &terms.administrators[i], &secret) ==
			  CS_OK);
	}
	memset(tag.b, 7, sizeof tag.b);
	struct ledger_call call = founder(ledger, &run, LEDGER_ENCLAVES_NUMBER);
	cs_assert(ledger_enclaves_construct(&call, cs_bytes_str("lab-1"), &terms) == CS_OK);
	cs_assert(ledger_enclaves_name(&call, &tag) == CS_OK);
	call = founder(ledger, &run, LEDGER_RECORDS_NUMBER);
	cs_assert(ledger_records_construct(&call, &terms.owner, &terms.guardian, terms.delay_s) ==
		  CS_OK);
	for (uint8_t i = 0; i < CALLERS; i++) {
		const struct cs_address caller = address_of((uint8_t)(OWNER + i));
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

static bool is_row(const struct ledger_change *change, uint8_t number, char kind, size_t key_size)
{
	return !change->removed && change->key.n == key_size && change->key.p[0] == number &&
	       change->key.p[1] == (uint8_t)kind;
}

static void check_bonds(struct ledger *ledger, const struct ledger_changes *changes)
{
	const struct cs_address held = ledger_contract_address(LEDGER_ENCLAVES_NUMBER);
	struct ledger_account account;
	struct cs_u256 sum = cs_u256_u64(0);
	for (size_t i = 0; i < changes->count; i++) {
		struct cs_hash word;
		if (!is_row(&changes->items[i], LEDGER_ENCLAVES_NUMBER, 'e', ENCLAVE_KEY_SIZE))
			continue;
		memcpy(word.b, changes->items[i].value.p + BOND_AT, sizeof word.b);
		const struct cs_u256 bond = cs_u256_from_word(&word);
		cs_assert(cs_u256_add(&sum, &sum, &bond) == CS_OK);
	}
	cs_assert(ledger_account_get(ledger->state, &account, &held) == CS_OK);
	cs_assert(cs_u256_cmp(&account.balance, &sum) == 0);
}

/* The messages of the route of these counts, each in its state. */
static void check_counts(const struct ledger_changes *changes, const struct ledger_change *counts)
{
	uint64_t want[STATES] = {0};
	const uint8_t *route = counts->key.p + 2;
	for (size_t i = 0; i < changes->count; i++) {
		const struct ledger_change *m = &changes->items[i];
		if (is_row(m, LEDGER_RECORDS_NUMBER, 'm', MESSAGE_KEY_SIZE) &&
		    m->key.p[MESSAGE_KEY_SIZE - 1] == route[64] &&
		    memcmp(m->value.p + 3, route, 64) == 0)
			want[m->value.p[0] - 1]++;
	}
	for (size_t i = 0; i < STATES; i++)
		cs_assert(cs_be64(counts->value.p + 8 * i) == want[i]);
}

static void check(struct ledger *ledger)
{
	struct ledger_changes changes;
	cs_assert(ledger_state_changes(ledger->state, &changes, fuzz_arena()) == CS_OK);
	check_bonds(ledger, &changes);
	for (size_t i = 0; i < changes.count; i++) {
		if (is_row(&changes.items[i], LEDGER_RECORDS_NUMBER, 'n', ROUTE_KEY_SIZE))
			check_counts(&changes, &changes.items[i]);
	}
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
