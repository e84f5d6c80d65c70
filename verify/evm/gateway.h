/* What Caisson's gateway contract says in a block: its code and sentinel, statuses of messages, keys
 * of remotes. Where they lie in its storage is wire's (docs/protocol/envelope.md section 5). */
#ifndef VERIFY_EVM_GATEWAY_H
#define VERIFY_EVM_GATEWAY_H

#include "verify/evm/account.h"
#include "wire/envelope.h"

/* What the manifest says about it. */
struct verify_evm_gateway {
	struct cs_address address;
	struct cs_hash code_hash;
	struct cs_hash identity;
};

/* Is this the gateway, with its code and its layout? Gives the storage root for the functions
 * below. NO_ACCOUNT (proven absent), WRONG_CODE, NO_SENTINEL (missing or of another identity), and
 * the errors of verify_trie. */
CS_NODISCARD enum cs_err verify_evm_gateway(struct cs_hash *storage_root,
					    const struct verify_block *block,
					    const struct verify_evm_gateway *gateway,
					    const struct verify_nodes *account,
					    const struct verify_nodes *sentinel);
/* The two bits of (source, sequence). INVALID for sequence 0. */
CS_NODISCARD enum cs_err verify_evm_gateway_status(enum wire_status *status,
						   const struct cs_hash *storage_root,
						   const struct cs_hash *source, uint64_t sequence,
						   const struct verify_nodes *proof);

/* The key of (remote, epoch). MALFORMED for a state above 3 or bits that the layout does not have. */
CS_NODISCARD enum cs_err verify_evm_gateway_key(struct wire_key *key,
						const struct cs_hash *storage_root,
						const struct cs_hash *remote, uint64_t epoch,
						const struct verify_nodes *x,
						const struct verify_nodes *window);

#endif
