/* The contracts of a chain that an adapter watches: a gateway, oracles that take requests, feeds.
 * Tells whose log a log is and which blocks may hold one; it never reads what is in a log. */
#ifndef ADAPTERS_EVM_CONTRACTS_H
#define ADAPTERS_EVM_CONTRACTS_H

#include "adapters/evm/evm.h"
#include "adapters/evm/header.h"

/* A gateway and what a configuration may name beside it. */
#define EVM_CONTRACTS_MAX (1 + 2 * ADAPTER_EVM_ORACLES_MAX)

enum evm_contract_kind { EVM_CONTRACT_GATEWAY, EVM_CONTRACT_ORACLE, EVM_CONTRACT_FEED };
#define EVM_CONTRACT_KINDS 3

enum evm_topic {
	EVM_TOPIC_SENT,
	EVM_TOPIC_COMMITTED,
	EVM_TOPIC_STATUS,
	EVM_TOPIC_FINALIZED,
	EVM_TOPIC_REQUESTED,
	EVM_TOPIC_ANSWERED,
	EVM_TOPIC_REFUNDED,
	EVM_TOPIC_CALLBACK_FAILED,
	EVM_TOPIC_FEED_ADDED,
	EVM_TOPIC_FEED_UPDATED,
	EVM_TOPIC_FEED_PAUSED,
};
#define EVM_TOPIC_COUNT 11

struct evm_contract {
	enum evm_contract_kind kind;
	struct cs_address address;
	struct cs_hash identity;
};

struct evm_contracts {
	struct cs_hash topics[EVM_TOPIC_COUNT];
	struct evm_contract list[EVM_CONTRACTS_MAX]; /* each address once; a gateway first */
	size_t count;
};

/* Of the configuration. INVALID with the reason: none at all, a zero address, one address twice. */
CS_NODISCARD enum cs_err evm_contracts_init(struct evm_contracts *contracts,
					    const struct adapter_evm_config *config,
					    struct cs_why *why);
/* A gateway alone, on a chain of any namespace. genesis: as the identity has it. */
CS_NODISCARD enum cs_err evm_contracts_of_gateway(struct evm_contracts *contracts,
						  const char *caip2, const struct cs_hash *genesis,
						  const struct cs_address *gateway,
						  struct cs_why *why);
/* NULL: not one of them. */
const struct evm_contract *evm_contracts_find(const struct evm_contracts *contracts,
					      const struct cs_address *address);
/* False: no event of theirs is in the block. */
bool evm_contracts_may_be_in(const struct evm_contracts *contracts,
			     const uint8_t bloom[EVM_BLOOM_SIZE]);
/* The members `address` and `topics` of a filter for eth_getLogs: all events that are looked for. */
json_t *evm_contracts_filter(const struct evm_contracts *contracts);

#endif
