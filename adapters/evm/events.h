/* The contracts' logs as events (docs/protocol/envelope.md section 5, oracle.md section 9):
 * MessageCommitted joined with its MessageSent, identifiers recomputed. A log that does not decode,
 * or whose identifier is another, is counted and left out: the enclave would refuse it. */
#ifndef ADAPTERS_EVM_EVENTS_H
#define ADAPTERS_EVM_EVENTS_H

#include "adapters/evm/contracts.h"
#include "adapters/evm/receipt_json.h"

struct evm_left_out {
	size_t foreign;    /* does not decode, or names another message, request or feed */
	size_t unstorable; /* a number of 2^63 and more, which no journal holds */
};

/* Events of the logs of one block, in order, into events[count] (room for as many as there are
 * logs). Views into the logs. Returns how many; *left_out counts the others. */
size_t evm_events_decode(struct adapter_event *events, struct evm_left_out *left_out,
			 const struct evm_contracts *contracts, const struct evm_log *logs,
			 size_t count);

/* The MessageCommitted logs of the gateway and the OracleRequested logs of the oracles in a receipt
 * as the trie holds it: at most count_max claims from the skip-th on. *total: how many there are. */
CS_NODISCARD enum cs_err evm_events_claims(struct adapter_claim *claims, size_t count_max,
					   size_t skip, size_t *count, size_t *total,
					   struct cs_bytes receipt,
					   const struct evm_contracts *contracts);

/* Appends the logs of the contracts in a receipt; the positions are those of `at` with the indices
 * counted from first_log. *log_count: logs of anybody in this receipt. */
CS_NODISCARD enum cs_err evm_events_receipt_logs(struct evm_logs *logs, size_t *log_count,
						 struct cs_bytes receipt,
						 const struct adapter_position *at,
						 uint32_t first_log,
						 const struct evm_contracts *contracts);

#endif
