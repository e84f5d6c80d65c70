/* Which gateways of other chains a gateway knows, at most one for each chain: what
 * contracts/evm/src/RemoteRegistry.sol is. Knows no key and no message.
 *
 * Own state: 'c' what the gateway is; 'r' ‖ remote: a remote; 'h' ‖ hash of its chain: the remote;
 * 'i': how many there are. Storage: slot 0, the sentinel. */
#ifndef LEDGER_REMOTES_H
#define LEDGER_REMOTES_H

#include "core/caip.h"
#include "relay_state/ledger/contract.h"

/* The gateway itself, as it was founded at genesis. */
struct ledger_self {
	struct cs_hash identity; /* zero until the chain has its tag */
	uint64_t rotation_delay_s;
	uint64_t overlap_s;
	bool insecure; /* which statements it takes, for ever */
	char caip2[CS_CAIP2_SIZE_MAX + 1];
};
CS_NODISCARD enum cs_err ledger_self_get(struct ledger_call *call, struct ledger_self *self);
CS_NODISCARD enum cs_err ledger_self_put(struct ledger_call *call, const struct ledger_self *self);
/* Slot 0 of the identity that the gateway has from now on. */
CS_NODISCARD enum cs_err ledger_sentinel_put(struct ledger_call *call,
					     const struct cs_hash *identity);

struct ledger_remote {
	uint64_t sequence;    /* of the last message sent there */
	uint64_t epoch_first; /* 0: no key was ever registered */
	uint64_t manifest_min;
	uint32_t index; /* from 1; 0: not registered */
	struct cs_hash chain_hash;
};
/* All zero where it is not registered. */
CS_NODISCARD enum cs_err ledger_remote_get(struct ledger_call *call, struct ledger_remote *remote,
					   const struct cs_hash *identity);
CS_NODISCARD enum cs_err ledger_remote_put(struct ledger_call *call, const struct cs_hash *identity,
					   const struct ledger_remote *remote);
/* The remote of a chain (ERC-7930 up to the address's length); zero: none. */
CS_NODISCARD enum cs_err ledger_remote_of_chain(struct ledger_call *call, struct cs_hash *identity,
						struct cs_bytes chain);
/* Is the sender (ERC-7930) on the chain of the remote? A recipient knows nothing else of where a
 * message came from, so that without this the key of one remote would speak for all of them. */
CS_NODISCARD enum cs_err ledger_remote_speaks_for(struct ledger_call *call, bool *speaks,
						  const struct ledger_remote *remote,
						  struct cs_bytes sender);

ledger_function_fn ledger_remotes_sentinel, ledger_remotes_register, ledger_remotes_info,
	ledger_remotes_of, ledger_remotes_count;

/* clang-format off */
#define LEDGER_REMOTES_FUNCTIONS                                                                \
	{"sentinel()", 0xf58c251c, 0, false, 0, ledger_remotes_sentinel},                       \
	{"registerRemote(string,bytes32,bytes,bytes,uint64)",                                   \
	 0xd4e1dfa5, 5, false, 0, ledger_remotes_register},                                     \
	{"remoteInfo(bytes32)", 0x9cacdc4e, 1, false, 0, ledger_remotes_info},                  \
	{"remoteOf(bytes)", 0x9e0f286e, 1, false, 0, ledger_remotes_of},                        \
	{"remoteCount()", 0xb9c29d03, 0, false, 0, ledger_remotes_count}
/* clang-format on */

#endif
