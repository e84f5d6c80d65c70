#include "verify/cometbft/gateway.h"

#include <string.h>

/* Keys of the ledger's contracts begin with the contract's number, their storage goes on with 's'. */
#define CONTRACT_GATEWAY 1u
#define KIND_STORAGE 's'

enum cs_err cmt_gateway_word(struct cs_hash *word, const struct cs_hash *app_hash,
			     const struct cs_hash *slot, struct cs_bytes proof)
{
	uint8_t key[2 + sizeof slot->b] = {CONTRACT_GATEWAY, KIND_STORAGE};
	struct cs_hash read = {{0}};
	struct cs_bytes value;
	bool found;
	memcpy(key + 2, slot->b, sizeof slot->b);
	CS_TRY(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, app_hash, proof, CS_BYTES_OF(key)));
	if (found) {
		if (value.n != sizeof read.b)
			return CS_ERR_MALFORMED;
		memcpy(read.b, value.p, sizeof read.b);
		/* What is zero is not there: a ledger that writes it has two forms of one state. */
		if (cs_hash_is_zero(&read))
			return CS_ERR_MALFORMED;
	}
	*word = read;
	return CS_OK;
}

enum cs_err cmt_gateway(const struct cs_hash *app_hash, const struct cs_hash *identity,
			struct cs_bytes sentinel)
{
	struct cs_hash slot = wire_evm_sentinel_slot(), word;
	struct cs_hash expected = wire_evm_sentinel_value(identity);
	CS_TRY(cmt_gateway_word(&word, app_hash, &slot, sentinel));
	return cs_hash_eq(&word, &expected) ? CS_OK : CS_ERR_NO_SENTINEL;
}

enum cs_err cmt_gateway_status(enum wire_status *status, const struct cs_hash *app_hash,
			       const struct cs_hash *source, uint64_t sequence,
			       struct cs_bytes proof)
{
	struct cs_hash slot = wire_evm_status_slot(source, sequence), word;
	if (sequence == 0)
		return CS_ERR_INVALID;
	CS_TRY(cmt_gateway_word(&word, app_hash, &slot, proof));
	*status = wire_evm_status(&word, sequence);
	return CS_OK;
}

enum cs_err cmt_gateway_key(struct wire_key *key, const struct cs_hash *app_hash,
			    const struct cs_hash *remote, uint64_t epoch, struct cs_bytes x,
			    struct cs_bytes window)
{
	struct cs_hash words[WIRE_EVM_KEY_WORDS];
	struct cs_hash slot = wire_evm_key_slot(remote, epoch, 0);
	CS_TRY(cmt_gateway_word(&words[0], app_hash, &slot, x));
	slot = wire_evm_key_slot(remote, epoch, 1);
	CS_TRY(cmt_gateway_word(&words[1], app_hash, &slot, window));
	return wire_evm_key(key, words);
}

enum cs_err cmt_gateway_sent(bool *sent, const struct cs_hash *app_hash,
			     const struct cs_hash *message_id, struct cs_bytes proof)
{
	struct cs_hash slot = wire_evm_sent_slot(message_id), word;
	CS_TRY(cmt_gateway_word(&word, app_hash, &slot, proof));
	*sent = !cs_hash_is_zero(&word);
	return CS_OK;
}
