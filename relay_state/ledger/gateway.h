/* Contract 1, the ledger's cross-chain gateway: what contracts/evm/src/CaissonGateway.sol is, with
 * the same functions, errors, events, rules and proven storage (docs/protocol/envelope.md section 5;
 * docs/ledger.md says what differs). It sends messages to registered remotes, delivers theirs under
 * their enclaves' signatures, and finalizes what it sent under proven outcomes; it never calls
 * anything but a recipient's `receiveMessage` and a sender's `onOutcome`. */
#ifndef LEDGER_GATEWAY_H
#define LEDGER_GATEWAY_H

#include "relay_state/ledger/contract.h"

#define LEDGER_GATEWAY_NUMBER 1u

/* Gas of a sender's `onOutcome`. */
#define LEDGER_OUTCOME_GAS 150000u

/* Attributes of a message: there are five; one that is there twice, or is none, is told by its name
 * within these. A closer of 64 bytes takes 132. */
#define LEDGER_ATTRIBUTES_MAX 16u
#define LEDGER_ATTRIBUTE_SIZE_MAX 256u

extern const struct ledger_contract ledger_gateway;

/* What a gateway is founded with; Solidity's constructor arguments. */
struct ledger_gateway_terms {
	struct cs_address owner;
	struct cs_address guardian;
	uint64_t delay_s;
	uint64_t rotation_delay_s; /* above the delay */
	uint64_t overlap_s;
	bool insecure; /* takes statements of keys made under insecure flags alone, for ever */
};

/* At genesis, in two steps, `call` being a call of contract 1 by nobody. First the terms, which are
 * part of the state whose root the chain's tag commits to. INVALID: no owner, a rotation's delay that
 * is not above the delay, a delay above LEDGER_DELAY_MAX_S. */
CS_NODISCARD enum cs_err ledger_gateway_construct(struct ledger_call *call,
						  struct cs_bytes chain_id,
						  const struct ledger_gateway_terms *terms);
/* Then, once the chain has its tag (tx.h), the identity with the tag as the genesis hash, and the
 * sentinel. */
CS_NODISCARD enum cs_err ledger_gateway_name(struct ledger_call *call,
					     const struct cs_hash *chain_tag);

#endif
