/* An account and its storage under a block's state root, and what Caisson's gateway contract says
 * there: sentinel, statuses of messages, keys of remotes (docs/protocol/envelope.md section 5). */
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

/* ---- the gateway contract ---- */

/* What the manifest says about it. */
struct verify_evm_gateway {
	struct cs_address address;
	struct cs_hash code_hash;
	struct cs_hash identity;
};

/* Slots of the layout. */
struct cs_hash verify_evm_status_slot(const struct cs_hash *source, uint64_t sequence);
struct cs_hash verify_evm_key_slot(const struct cs_hash *remote, uint64_t epoch);
/* The slot after: of a key's state and times. */
struct cs_hash verify_evm_slot_next(const struct cs_hash *slot);
/* What slot 0 must hold. */
struct cs_hash verify_evm_sentinel(const struct cs_hash *identity);

/* Is this the gateway, with its code and its layout? Gives the storage root for the functions
 * below. NO_ACCOUNT (proven absent), WRONG_CODE, NO_SENTINEL (missing or of another identity), and
 * the errors of verify_trie. */
CS_NODISCARD enum cs_err verify_evm_gateway(struct cs_hash *storage_root,
					    const struct verify_block *block,
					    const struct verify_evm_gateway *gateway,
					    const struct verify_nodes *account,
					    const struct verify_nodes *sentinel);
/* The two bits of (source, sequence). INVALID for sequence 0. */
CS_NODISCARD enum cs_err verify_evm_gateway_status(enum verify_message_status *status,
						   const struct cs_hash *storage_root,
						   const struct cs_hash *source, uint64_t sequence,
						   const struct verify_nodes *proof);

enum verify_evm_key_state {
	VERIFY_KEY_ABSENT = 0,
	VERIFY_KEY_ACTIVE = 1,
	VERIFY_KEY_SUSPENDED = 2,
	VERIFY_KEY_REVOKED = 3,
};

struct verify_evm_key {
	struct cs_hash x;
	enum verify_evm_key_state state;
	uint64_t not_before_s;
	uint64_t not_after_s; /* 0: none */
};

/* The key of (remote, epoch). MALFORMED for a state above 3 or bits that the layout does not have. */
CS_NODISCARD enum cs_err verify_evm_gateway_key(struct verify_evm_key *key,
						const struct cs_hash *storage_root,
						const struct cs_hash *remote, uint64_t epoch,
						const struct verify_nodes *x,
						const struct verify_nodes *window);

#endif
