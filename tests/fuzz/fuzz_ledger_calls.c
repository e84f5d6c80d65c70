/* Any calls to the gateway, the bridge and the assets, one after the other, by anybody: each succeeds or
 * reverts, and none ends the application, which is what every other error would do. What reverts has
 * changed nothing, and no call takes more gas than it has.
 *
 *     input = steps; step = 0 ‖ seconds (4), or contract (1) ‖ caller (1) ‖ value (4) ‖ size (2) ‖ calldata
 *
 * A caller is the address of twenty such bytes: 0x11 owns, 0x12 guards. */
#include "core/hash.h"
#include "core/reader.h"
#include "relay_state/ledger/account.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/bridge.h"
#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/machine.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ledger/memory_db.h"

#include <stdlib.h>

#define STEPS_MAX 256u
#define GAS 50000000u
#define OWNER 0x11u
#define GUARDIAN 0x12u
#define CALLERS 8u
#define FUNDS 1000000000u

static const struct ledger_contract *const contracts[] = {&ledger_gateway, &ledger_bridge,
							  &ledger_assets};

struct ledger {
	struct memory_db *db;
	struct ledger_state *state;
	struct ledger_machine machine;
	struct ledger_block block;
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
	const struct ledger_gateway_terms gateway = {.owner = address_of(OWNER),
						     .guardian = address_of(GUARDIAN),
						     .delay_s = 1000,
						     .rotation_delay_s = 2000,
						     .overlap_s = 500};
	const struct ledger_bridge_terms bridge = {.owner = address_of(OWNER),
						   .guardian = address_of(GUARDIAN),
						   .delay_s = 1000,
						   .window_s = 3600};
	const struct cs_hash tag = cs_keccak256(cs_bytes_str("ledger-1"));
	struct ledger_run run;
	struct ledger_call call = founder(ledger, &run, LEDGER_GATEWAY_NUMBER);
	cs_assert(ledger_gateway_construct(&call, cs_bytes_str("ledger-1"), &gateway) == CS_OK);
	cs_assert(ledger_gateway_name(&call, &tag) == CS_OK);
	call = founder(ledger, &run, LEDGER_BRIDGE_NUMBER);
	cs_assert(ledger_bridge_construct(&call, &bridge) == CS_OK);
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
	cs_assert(err == CS_OK);
	cs_assert(run.gas.used <= GAS);
	cs_assert(success || (ledger_state_mark(ledger->state) == mark && run.logs.count == 0));
	cs_assert(output.n <= LEDGER_OUTPUT_SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger *ledger = begin();
	struct cs_reader in;
	cs_reader_init(&in, cs_bytes(data, size));
	for (unsigned i = 0; i < STEPS_MAX && in.left > 0 && !in.failed; i++) {
		const uint8_t number = cs_get_u8(&in);
		if (number == 0)
			ledger->block.time_s += cs_get_u32(&in);
		else
			step(ledger, number, &in);
	}
	return 0;
}
