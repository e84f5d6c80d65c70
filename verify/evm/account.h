/* An account and the words of its storage under a block's state root. Knows no contract. */
#ifndef VERIFY_EVM_ACCOUNT_H
#define VERIFY_EVM_ACCOUNT_H

#include "verify/evm/trie.h"
#include "verify/verify.h"

struct verify_account {
	bool exists; /* proven either way; the rest is zero when it does not */
	uint64_t nonce;
	struct cs_u256 balance;
	struct cs_hash storage_root;
	struct cs_hash code_hash;
};

/* The errors of verify_trie, and MALFORMED for an account of another shape. */
CS_NODISCARD enum cs_err verify_account(struct verify_account *account,
					const struct cs_hash *state_root,
					const struct cs_address *address,
					const struct verify_nodes *proof);
/* The word of a slot, zero when it is proven absent. The errors of verify_trie, NON_CANONICAL for a
 * stored zero. */
CS_NODISCARD enum cs_err verify_storage(struct cs_hash *word, const struct cs_hash *storage_root,
					const struct cs_hash *slot,
					const struct verify_nodes *proof);

#endif
