/* Whether bringing an answer is worth its gas. PURE: figures in, a verdict out; it knows no chain and
 * spends nothing. Why the host decides this and not the contract: docs/adr/0017. */
#ifndef ORACLE_WORTH_H
#define ORACLE_WORTH_H

#include "core/u256.h"

#include <stdbool.h>

/* What a call needs beside its answers: the transaction, the signature (contracts/evm/GAS.md, rounded
 * up). */
#define ORACLE_WORTH_CALL_GAS 80000u
/* A refund by our account: the transaction, the state, the asker's REFUND_GAS, a new word of `owed`. */
#define ORACLE_WORTH_REFUND_GAS 165000u
/* An answer in calldata without its value, in bytes. */
#define ORACLE_WORTH_ANSWER_SIZE 544u

/* Gas of one answer at most, the call beside it not counted: what the contract demands before the
 * item (CaissonOracle._gasFor), and what it takes. refunded: its code gives the fee back. */
uint64_t oracle_worth_gas(uint64_t callback_gas, size_t value_size, bool refunded);

/* Whether the fee is at least so many percent of what the gas costs at this price. percent 0: yes. */
bool oracle_worth_paid(const struct cs_u256 *fee, uint64_t gas, uint64_t price_wei,
		       unsigned percent);

/* Of calls that bring no fee. used: what was allowed in the last hour. */
struct oracle_worth_limits {
	uint64_t callback_gas_max;
	uint64_t asker_gas_max;
	uint64_t gas_max;
};
/* NULL: it may be brought. Else a sentence that says why not. */
const char *oracle_worth_unpaid(const struct oracle_worth_limits *limits, uint64_t callback_gas,
				uint64_t gas, uint64_t asker_used, uint64_t used);

#endif
