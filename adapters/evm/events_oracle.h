/* The logs of oracle and feed contracts as events (docs/protocol/oracle.md section 9). Everything that
 * an identifier covers is hashed again; it never believes a topic. */
#ifndef ADAPTERS_EVM_EVENTS_ORACLE_H
#define ADAPTERS_EVM_EVENTS_ORACLE_H

#include "adapters/evm/contracts.h"
#include "adapters/evm/receipt_json.h"

enum evm_reads {
	EVM_READS_OTHER,      /* of the contract, but no event that is looked for */
	EVM_READS_FOREIGN,    /* does not decode, or names another request or feed */
	EVM_READS_UNSTORABLE, /* a number of 2^63 and more */
	EVM_READS_EVENT,
};

/* Fills kind and content; views into the log. */
enum evm_reads evm_event_of_oracle(struct adapter_event *event,
				   const struct evm_contracts *contracts,
				   const struct evm_contract *contract, const struct evm_log *log);
enum evm_reads evm_event_of_feed(struct adapter_event *event, const struct evm_contracts *contracts,
				 const struct evm_contract *contract, const struct evm_log *log);

#endif
