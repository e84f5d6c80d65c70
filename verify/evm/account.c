#include "verify/evm/account.h"

#include "core/hash.h"

#include <string.h>

/* Positions in the contract's layout: docs/protocol/envelope.md section 5. */
#define SENTINEL_POSITION 0u
#define STATUSES_POSITION 1u
#define KEYS_POSITION 2u
#define STATUSES_PER_WORD_LOG2 7u

enum cs_err verify_account(struct verify_account *account, const struct cs_hash *state_root,
			   const struct cs_address *address, const struct verify_nodes *proof)
{
	struct cs_hash key = cs_keccak256(CS_BYTES_OF(address->b));
	struct verify_account a = {0};
	struct cs_bytes value;
	struct cs_rlp fields;
	CS_TRY(verify_trie(&a.exists, &value, state_root, CS_BYTES_OF(key.b), proof));
	if (a.exists) {
		CS_TRY(cs_rlp_open(&fields, value));
		CS_TRY(cs_rlp_u64(&fields, &a.nonce));
		CS_TRY(cs_rlp_u256(&fields, &a.balance));
		CS_TRY(cs_rlp_hash(&fields, &a.storage_root));
		CS_TRY(cs_rlp_hash(&fields, &a.code_hash));
		CS_TRY(cs_rlp_end(&fields));
	}
	*account = a;
	return CS_OK;
}

enum cs_err verify_storage(struct cs_hash *word, const struct cs_hash *storage_root,
			   const struct cs_hash *slot, const struct verify_nodes *proof)
{
	struct cs_hash key = cs_keccak256(CS_BYTES_OF(slot->b));
	struct cs_hash found = {0};
	struct cs_rlp_item item;
	struct cs_bytes value;
	bool present;
	CS_TRY(verify_trie(&present, &value, storage_root, CS_BYTES_OF(key.b), proof));
	if (present) {
		CS_TRY(cs_rlp_one(&item, value));
		if (item.is_list || item.payload.n > sizeof found.b)
			return CS_ERR_MALFORMED;
		if (item.payload.n == 0 || item.payload.p[0] == 0)
			return CS_ERR_NON_CANONICAL;
		memcpy(found.b + sizeof found.b - item.payload.n, item.payload.p, item.payload.n);
	}
	*word = found;
	return CS_OK;
}

static struct cs_hash word_u64(uint64_t value)
{
	struct cs_hash word = {0};
	cs_put_be64(word.b + 24, value);
	return word;
}

static struct cs_hash join(const struct cs_hash *a, const struct cs_hash *b)
{
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, CS_BYTES_OF(a->b));
	cs_keccak_add(&keccak, CS_BYTES_OF(b->b));
	return cs_keccak_end(&keccak);
}

/* Solidity's mapping(bytes32 => mapping(uint256 => …)) at a position. */
static struct cs_hash nested_slot(uint64_t position, const struct cs_hash *outer, uint64_t inner)
{
	struct cs_hash place = word_u64(position), key = word_u64(inner);
	place = join(outer, &place);
	return join(&key, &place);
}

struct cs_hash verify_evm_status_slot(const struct cs_hash *source, uint64_t sequence)
{
	return nested_slot(STATUSES_POSITION, source, sequence >> STATUSES_PER_WORD_LOG2);
}

struct cs_hash verify_evm_key_slot(const struct cs_hash *remote, uint64_t epoch)
{
	return nested_slot(KEYS_POSITION, remote, epoch);
}

struct cs_hash verify_evm_slot_next(const struct cs_hash *slot)
{
	struct cs_hash next = *slot;
	for (size_t i = sizeof next.b; i-- > 0;)
		if (++next.b[i] != 0)
			break;
	return next;
}

struct cs_hash verify_evm_sentinel(const struct cs_hash *identity)
{
	struct cs_hash tag = cs_keccak256(cs_bytes_str("caisson/layout/evm/v1"));
	return join(&tag, identity);
}

enum cs_err verify_evm_gateway(struct cs_hash *storage_root, const struct verify_block *block,
			       const struct verify_evm_gateway *gateway,
			       const struct verify_nodes *account,
			       const struct verify_nodes *sentinel)
{
	struct cs_hash slot = word_u64(SENTINEL_POSITION), word;
	struct cs_hash expected = verify_evm_sentinel(&gateway->identity);
	struct verify_account a;
	CS_TRY(verify_account(&a, &block->state_root, &gateway->address, account));
	if (!a.exists)
		return CS_ERR_NO_ACCOUNT;
	if (!cs_hash_eq(&a.code_hash, &gateway->code_hash))
		return CS_ERR_WRONG_CODE;
	CS_TRY(verify_storage(&word, &a.storage_root, &slot, sentinel));
	if (!cs_hash_eq(&word, &expected))
		return CS_ERR_NO_SENTINEL;
	*storage_root = a.storage_root;
	return CS_OK;
}

enum cs_err verify_evm_gateway_status(enum verify_message_status *status,
				      const struct cs_hash *storage_root,
				      const struct cs_hash *source, uint64_t sequence,
				      const struct verify_nodes *proof)
{
	struct cs_hash slot = verify_evm_status_slot(source, sequence), word;
	size_t bit = 2 * (size_t)(sequence & ((1u << STATUSES_PER_WORD_LOG2) - 1));
	if (sequence == 0)
		return CS_ERR_INVALID;
	CS_TRY(verify_storage(&word, storage_root, &slot, proof));
	*status = (enum verify_message_status)((word.b[31 - bit / 8] >> (bit % 8)) & 3);
	return CS_OK;
}

enum cs_err verify_evm_gateway_key(struct verify_evm_key *key, const struct cs_hash *storage_root,
				   const struct cs_hash *remote, uint64_t epoch,
				   const struct verify_nodes *x, const struct verify_nodes *window)
{
	struct cs_hash slot = verify_evm_key_slot(remote, epoch), state;
	struct verify_evm_key k = {0};
	CS_TRY(verify_storage(&k.x, storage_root, &slot, x));
	slot = verify_evm_slot_next(&slot);
	CS_TRY(verify_storage(&state, storage_root, &slot, window));
	for (size_t i = 0; i < 15; i++)
		if (state.b[i] != 0)
			return CS_ERR_MALFORMED;
	if (state.b[31] > VERIFY_KEY_REVOKED)
		return CS_ERR_MALFORMED;
	k.state = (enum verify_evm_key_state)state.b[31];
	k.not_before_s = cs_be64(state.b + 23);
	k.not_after_s = cs_be64(state.b + 15);
	*key = k;
	return CS_OK;
}
