#include "adapters/evm/sign.h"

#include "core/rlp.h"
#include "host/alloc.h"

#include <stdlib.h>

/* Everything beside the data: ten numbers, two addresses, their prefixes. */
#define FRAME_SIZE_MAX 512u

static void put_word(struct cs_buf *buf, const struct cs_hash *word)
{
	struct cs_u256 number = cs_u256_from_word(word);

	cs_rlp_put_u256(buf, &number);
}

static void put_call(struct cs_buf *buf, const struct adapter_signing *call, bool cancel)
{
	cs_rlp_put_bytes(buf, cancel ? CS_BYTES_OF(call->from.b) : CS_BYTES_OF(call->to.b));
	if (cancel)
		cs_rlp_put_u64(buf, 0);
	else
		put_word(buf, &call->value);
	cs_rlp_put_bytes(buf, cancel ? CS_BYTES_NONE : call->data);
}

/* signature NULL: what is signed. */
static void put_transaction(struct cs_buf *buf, uint64_t chain_id,
			    const struct adapter_signing *call, const struct adapter_terms *terms,
			    const struct cs_ecdsa *signature)
{
	if (!terms->legacy)
		cs_put_u8(buf, 2);
	size_t list = cs_rlp_list_begin(buf);
	if (!terms->legacy)
		cs_rlp_put_u64(buf, chain_id);
	cs_rlp_put_u64(buf, terms->nonce);
	if (!terms->legacy)
		cs_rlp_put_u64(buf, terms->max_priority_fee_wei);
	cs_rlp_put_u64(buf, terms->max_fee_wei);
	cs_rlp_put_u64(buf, terms->gas_limit);
	put_call(buf, call, terms->cancel);
	if (!terms->legacy)
		cs_rlp_put_list(buf, 0);
	if (signature != NULL) {
		cs_rlp_put_u64(buf, terms->legacy ? chain_id * 2 + 35 + signature->parity
						  : signature->parity);
		put_word(buf, &signature->r);
		put_word(buf, &signature->s);
	} else if (terms->legacy) {
		cs_rlp_put_u64(buf, chain_id);
		cs_rlp_put_u64(buf, 0);
		cs_rlp_put_u64(buf, 0);
	}
	cs_rlp_list_end(buf, list);
}

enum cs_err adapter_evm_sign(uint8_t **raw, size_t *raw_size, struct cs_hash *hash,
			     const struct cs_sig *sig, const struct cs_secret *key,
			     uint64_t chain_id, const struct adapter_signing *call,
			     const struct adapter_terms *terms)
{
	size_t size = call->data.n + FRAME_SIZE_MAX;
	uint8_t *memory = host_alloc(size);
	struct cs_ecdsa signature;
	struct cs_buf buf;

	cs_buf_init(&buf, memory, size);
	put_transaction(&buf, chain_id, call, terms, NULL);
	enum cs_err err = cs_buf_end(&buf);
	if (err == CS_OK) {
		struct cs_hash digest = cs_keccak256(cs_buf_view(&buf));
		err = cs_ecdsa_sign(sig, &signature, key, &digest);
	}
	if (err == CS_OK) {
		cs_buf_init(&buf, memory, size);
		put_transaction(&buf, chain_id, call, terms, &signature);
		err = cs_buf_end(&buf);
	}
	if (err != CS_OK) {
		free(memory);
		return err;
	}
	*hash = cs_keccak256(cs_buf_view(&buf));
	*raw = memory;
	*raw_size = buf.n;
	return CS_OK;
}
