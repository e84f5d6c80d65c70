/* Contract 10, the numbers of the ledger that its owner may change: each with bounds and a delay in
 * public (timelock.h), among them the consensus parameters, which the engine is told. Says what the
 * numbers are, and never what follows from them.
 *
 * Own state: 'v' the values, 8 bytes each in the order of parameters.def (a value that was appended
 * later and is not there has its default); 'x' what the engine was told; the timelock's pairs. */
#ifndef LEDGER_PARAMETERS_H
#define LEDGER_PARAMETERS_H

#include "relay_state/ledger/block.h"

#define LEDGER_PARAMETERS_NUMBER 10u

/* What the engine holds (BFT_VALIDATORS_MAX), a full mesh; the changes of one block are no more. */
#define LEDGER_VALIDATORS_MAX 32u
/* A bit for each block and validator: 1 KiB of state for who misses any. */
#define LEDGER_DOWNTIME_WINDOW_MAX 8192u

enum ledger_parameter {
#define LEDGER_PARAMETER(CODE, name, initial, least, most) LEDGER_PARAM_##CODE,
#include "relay_state/ledger/parameters.def"
#undef LEDGER_PARAMETER
	LEDGER_PARAMETER_COUNT
};

struct ledger_parameters {
	uint64_t values[LEDGER_PARAMETER_COUNT];
};

extern const struct ledger_contract ledger_parameters_contract;

/* The defaults, for a chain that was founded without any. */
struct ledger_parameters ledger_parameters_default(void);
/* What is in force. No gas: contracts that ask take it (LEDGER_GAS_READ). DAMAGED; the failures of
 * ledger_state_get but NOT_FOUND. */
CS_NODISCARD enum cs_err ledger_parameters_get(struct ledger_state *state,
					       struct ledger_parameters *parameters);
/* Do they fit each other and their bounds? INVALID, with the reason. */
CS_NODISCARD enum cs_err ledger_parameters_check(const struct ledger_parameters *parameters,
						 struct cs_why *why);

/* The module's functions (block.h). Its section of genesis is
 *
 *     {"owner": "0x…", "guardian": "0x…", "delay_s": 172800, "values": {"jail_s": 60, …}}
 *
 * Without one nobody may change anything, the engine is told nothing, and what is in force are the
 * defaults. Values that it does not name are those of genesis' rules and of the engine's own genesis
 * where they are within the bounds here, else the defaults, which the engine is told with the first
 * block. The errors of cs_json_member_…; INVALID: values that do not fit; UNKNOWN_FIELD. */
CS_NODISCARD enum cs_err ledger_parameters_genesis(struct ledger_call *call,
						   const struct ledger_genesis *genesis,
						   const struct cs_json *section);
/* Consensus parameters, when the engine was told others. */
CS_NODISCARD enum cs_err ledger_parameters_end(struct ledger_call *call, struct ledger_end *end);

#endif
