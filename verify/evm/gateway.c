#include "verify/evm/gateway.h"

enum cs_err verify_evm_gateway(struct cs_hash *storage_root, const struct verify_block *block,
			       const struct verify_evm_gateway *gateway,
			       const struct verify_nodes *account,
			       const struct verify_nodes *sentinel)
{
	struct cs_hash slot = wire_evm_sentinel_slot(), word;
	struct cs_hash expected = wire_evm_sentinel_value(&gateway->identity);
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

enum cs_err verify_evm_gateway_status(enum wire_status *status, const struct cs_hash *storage_root,
				      const struct cs_hash *source, uint64_t sequence,
				      const struct verify_nodes *proof)
{
	struct cs_hash slot = wire_evm_status_slot(source, sequence), word;
	if (sequence == 0)
		return CS_ERR_INVALID;
	CS_TRY(verify_storage(&word, storage_root, &slot, proof));
	*status = wire_evm_status(&word, sequence);
	return CS_OK;
}

enum cs_err verify_evm_gateway_key(struct wire_key *key, const struct cs_hash *storage_root,
				   const struct cs_hash *remote, uint64_t epoch,
				   const struct verify_nodes *x, const struct verify_nodes *window)
{
	struct cs_hash words[WIRE_EVM_KEY_WORDS];
	struct cs_hash slot = wire_evm_key_slot(remote, epoch, 0);
	CS_TRY(verify_storage(&words[0], storage_root, &slot, x));
	slot = wire_evm_key_slot(remote, epoch, 1);
	CS_TRY(verify_storage(&words[1], storage_root, &slot, window));
	return wire_evm_key(key, words);
}
