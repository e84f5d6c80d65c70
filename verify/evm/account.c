#include "verify/evm/account.h"

#include "core/hash.h"

#include <string.h>

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
